//! Settings that make pip take packages from elsewhere, or build what it could fetch built.

use super::Ctx;
use super::apt::mentions;
use crate::shell::Invocation;
use crate::syntax::Keyword;

/// Variables of pip that change neither where packages come from nor which file of a version is taken.
const HARMLESS: &[&str] = &[
    "PIP_BREAK_SYSTEM_PACKAGES",
    "PIP_CACHE_DIR",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_NO_CACHE_DIR",
    "PIP_NO_COLOR",
    "PIP_NO_INPUT",
    "PIP_NO_WARN_SCRIPT_LOCATION",
    "PIP_PROGRESS_BAR",
    "PIP_QUIET",
    "PIP_RETRIES",
    "PIP_ROOT_USER_ACTION",
    "PIP_TIMEOUT",
    "PIP_VERSION",
    "PIP_YES",
];

/// What the RUN at `index` finds set for pip beyond its defaults, in the user's terms.
pub(super) fn other_than_default(ctx: &Ctx<'_>, index: usize) -> Option<String> {
    let state = ctx.model.state(index);
    let known = state.variables.keys().chain(state.args.keys());
    if let Some(name) = known.map(String::as_str).find(|name| matters(name)) {
        return Some(format!("`{name}` is set"));
    }
    let script = ctx.model.script(index)?;
    let assigned = |it: &Invocation<'_>| {
        let names = it.simple.assignments.iter();
        names
            .map(|assignment| String::from_utf8_lossy(&assignment.name).into_owned())
            .chain(it.arguments().iter().filter_map(|word| {
                let text = std::str::from_utf8(&word.raw).ok()?;
                Some(text.split_once('=')?.0.to_owned())
            }))
            .find(|name| matters(name))
    };
    if let Some(name) = script.invocations().iter().find_map(assigned) {
        return Some(format!("`{name}` is set"));
    }
    let stage = ctx.model.stage_of(index)?;
    let chain = ctx.model.chain(stage.index);
    let before = chain
        .iter()
        .flat_map(|stage| stage.body.clone())
        .filter(|at| *at <= index);
    before.into_iter().find_map(|at| {
        let instruction = ctx.model.instruction(at);
        let text = instruction.body.text();
        let configures = match instruction.keyword {
            Keyword::Copy | Keyword::Add => mentions(text, b"pip.conf"),
            Keyword::Run => mentions(text, b"pip.conf") || mentions(text, b"pip config"),
            _ => false,
        };
        configures.then(|| format!("line {} configures pip", instruction.lines.0))
    })
}

fn matters(name: &str) -> bool {
    name.starts_with("PIP_") && !HARMLESS.contains(&name)
}
