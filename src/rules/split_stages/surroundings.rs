//! What stands around a compiled program and keeps it from a second stage, or adds packages to that one: the repository's
//! own calls, volumes, programs that it starts, health checks.

use crate::catalog::WordSet;
use crate::model::path::{file_name, is_under, resolve};
use crate::rules::programs::{Anatomy, Program, Why, computed_start, release};
use crate::syntax::Keyword;

/// Refuses where the name of a library's package is known for other releases than the builder's.
pub(super) fn refuse_renamed_libraries(
    anatomy: &Anatomy<'_>,
    program: &Program,
) -> Result<(), Why> {
    if matches!(release(anatomy), "bookworm" | "trixie") {
        return Ok(());
    }
    let unsure = program
        .libraries
        .iter()
        .find(|name| !anatomy.ctx.catalog.has_word(WordSet::StableLibraries, name));
    match unsure {
        Some(name) => Err(Why::new(
            anatomy.stage.from,
            format!(
                "the program links a library that is in {name} in Debian 12, and its name in this image's release is not known"
            ),
            "move to an image on Debian 12 or 13",
        )),
        None => Ok(()),
    }
}

/// Refuses where the repository calls the toolchain inside the image.
pub(super) fn refuse_other_uses(anatomy: &Anatomy<'_>) -> Result<(), Why> {
    for command in &anatomy.ctx.settings.usage.commands {
        let first = command.split_whitespace().next().unwrap_or_default();
        if anatomy
            .ctx
            .catalog
            .has_word(WordSet::BuildPrograms, file_name(first))
        {
            return Err(Why::new(
                anatomy.stage.from,
                format!("the repository runs `{command}` in this image"),
                "give that command a stage of its own with `--target`",
            ));
        }
    }
    Ok(())
}

/// Refuses volumes that would lie over the program.
pub(super) fn refuse_volumes(anatomy: &Anatomy<'_>, program: &Program) -> Result<(), Why> {
    for (index, instruction) in anatomy
        .stage
        .body
        .clone()
        .map(|index| (index, anatomy.ctx.model.instruction(index)))
    {
        if instruction.keyword != Keyword::Volume {
            continue;
        }
        let hidden = anatomy.stage.end.config.volumes.keys().find(|volume| {
            let volume = resolve("/", volume);
            program
                .artifacts
                .iter()
                .any(|artifact| is_under(artifact, &volume))
        });
        if let Some(volume) = hidden {
            return Err(Why::new(
                index,
                format!(
                    "the volume {volume} on line {} lies over the program",
                    anatomy.line(index)
                ),
                "put the volume where only data is written",
            ));
        }
    }
    Ok(())
}

/// Packages with the programs that the program starts.
pub(super) fn programs(
    anatomy: &Anatomy<'_>,
    program: &Program,
    shell: &mut bool,
    packages: &mut Vec<String>,
) -> Result<(), Why> {
    if let Some(computed) = computed_start(&program.uses) {
        return Err(Why::new(
            anatomy.stage.from,
            format!(
                "{} starts a program whose name is computed",
                computed.source
            ),
            "split the file by hand, with the programs that it starts in the second stage",
        ));
    }
    for called in &program.uses.programs {
        let name = file_name(&called.fact);
        if program
            .artifacts
            .iter()
            .any(|artifact| file_name(artifact) == name)
        {
            continue;
        }
        if anatomy.ctx.catalog.has_word(WordSet::DebianPrograms, name) {
            *shell = true;
        } else if let Some(known) = anatomy.ctx.catalog.program(name) {
            packages.push(known.package.get().to_owned());
        } else if !anatomy.ctx.catalog.has_word(WordSet::DesktopPrograms, name) {
            return Err(Why::new(
                anatomy.stage.from,
                format!(
                    "{} starts `{name}`, and no package is known for it",
                    called.source
                ),
                "split the file by hand, with that program in the second stage",
            ));
        }
    }
    Ok(())
}

/// Packages with the programs that HEALTHCHECK calls.
pub(super) fn healthcheck(
    anatomy: &Anatomy<'_>,
    program: &Program,
    shell: &mut bool,
    packages: &mut Vec<String>,
) -> Result<(), Why> {
    for step in &anatomy.steps {
        let instruction = anatomy.ctx.model.instruction(step.index);
        if instruction.keyword != Keyword::Healthcheck {
            continue;
        }
        let names: Vec<String> = match anatomy.ctx.model.script(step.index) {
            Some(script) => {
                *shell = true;
                script
                    .invocations()
                    .iter()
                    .map(|it| String::from_utf8_lossy(it.name().unwrap_or(b"?")).into_owned())
                    .collect()
            }
            None => {
                let text = String::from_utf8_lossy(instruction.body.text()).into_owned();
                let words: Vec<String> = text
                    .find('[')
                    .and_then(|at| serde_json::from_str(&text[at..]).ok())
                    .unwrap_or_default();
                words.first().cloned().into_iter().collect()
            }
        };
        for name in names {
            let base = file_name(&name);
            if matches!(
                base,
                "exit"
                    | "test"
                    | "["
                    | "true"
                    | "false"
                    | "grep"
                    | "cat"
                    | "echo"
                    | "sh"
                    | "kill"
                    | ""
            ) {
                continue;
            }
            if program
                .artifacts
                .iter()
                .any(|artifact| file_name(artifact) == base)
            {
                continue;
            }
            match anatomy.ctx.catalog.program(base) {
                Some(known) => packages.push(known.package.get().to_owned()),
                None => {
                    return Err(Why::new(
                        step.index,
                        format!(
                            "the HEALTHCHECK on line {} calls `{base}`, and no package is known for it",
                            anatomy.line(step.index)
                        ),
                        "check with curl, or with the program itself",
                    ));
                }
            }
        }
    }
    Ok(())
}
