//! Java on a JRE: a jar that another stage built, whose sources are seen and use nothing of the JDK.

use crate::catalog::WordSet;
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::bases::runs::Runs;
use crate::stack::Bounds;
use crate::stack::java;

use super::needs::Inventory;

pub(super) fn check(ctx: &Ctx<'_>, runs: &Runs, inventory: &mut Inventory<'_>) -> Result<(), Why> {
    let unseen = || {
        Why::new(
            "the sources are not seen, and they may use the JDK's compiler",
            "run docker-diet with the build context",
        )
    };
    let context = ctx.context.ok_or_else(unseen)?;
    let is_source = |path: &str| path.ends_with(".java") || path.ends_with(".kt");
    if !context.all().any(|(path, _)| is_source(path)) {
        return Err(unseen());
    }
    for call in &runs.calls {
        let jdk = call.arguments.iter().any(|word| word.contains("jdk."));
        match call.name.as_str() {
            "java" if jdk => {
                return Err(Why::new(
                    format!("{} with a module of the JDK", call.told(ctx)),
                    "",
                ));
            }
            "java" | "keytool" => {}
            _ => inventory.call(call)?,
        }
    }
    let everything = context.without_ignore();
    let sources = java::scan("", "", &everything, Bounds::default());
    if let Some(evidence) = sources.needs_jdk.first() {
        return Err(Why::new(
            format!("{} uses {}", evidence.source, evidence.fact),
            "",
        ));
    }
    if !sources.uses.complete {
        return Err(Why::new("the sources are too many to be read", ""));
    }
    for (path, _) in everything.all() {
        if !ctx.catalog.ends_with_word(WordSet::JavaManifests, path) {
            continue;
        }
        let text = everything.read_str(path).ok_or_else(unseen)?;
        if let Some(name) = ctx.catalog.word_in(WordSet::JavaPartsThatCompile, &text) {
            return Err(Why::new(
                format!("{path} brings {name}, which compiles at run time"),
                "",
            ));
        }
    }
    inventory.started(
        sources
            .uses
            .programs
            .iter()
            .map(|program| (program.fact.as_str(), program.source.clone())),
    )
}
