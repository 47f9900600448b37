//! Settings that make pip take packages from elsewhere, or build what it could fetch built.

use super::Ctx;
use super::apt::mentions;
use crate::catalog::WordSet;
use crate::shell::Invocation;
use crate::syntax::Keyword;

/// What the RUN at `index` finds set for pip beyond its defaults, in the user's terms.
pub(super) fn other_than_default(ctx: &Ctx<'_>, index: usize) -> Option<String> {
    let state = ctx.model.state(index);
    let known = state.variables.keys().chain(state.args.keys());
    if let Some(name) = known.map(String::as_str).find(|name| matters(ctx, name)) {
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
            .find(|name| matters(ctx, name))
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

fn matters(ctx: &Ctx<'_>, name: &str) -> bool {
    name.starts_with("PIP_") && !ctx.catalog.has_word(WordSet::HarmlessPipVariables, name)
}
