//! Python: one stage fills a virtual environment, the other copies it and takes the sources from the context.
//!
//! Console scripts keep working because the path of the environment and that of the interpreter are the same in both
//! stages. Everything else of the original that is no install runs again, in its order, in the stage that ships.

mod closure;
mod install;
mod runner;
mod sources;
mod start;
mod system;

use std::collections::BTreeSet;

use serde::Serialize;

use super::anatomy::{CopyPart, Part};
use super::runtime::Values;
use super::stage_text::instructions;
use super::{Anatomy, Runtime, Splitter, Why};
use crate::catalog::{ImageFacts, ImageRef, Variant};
use crate::rules::bases::{Kind, Needs, runtime_base};
use crate::rules::pip_settings;
use crate::rules::{Change, Estimate};
use crate::syntax::Keyword;
use crate::template::Template;
use crate::text::Edit;

use closure::Closure;
use install::{Installs, RunKind};

/// Where the environment is made.
const VENV: &str = "/opt/venv";

/// Splits stages on the official Python image.
pub(super) struct PythonSplitter;

impl Splitter for PythonSplitter {
    fn plan(&self, anatomy: &Anatomy<'_>) -> Option<Result<Runtime, Why>> {
        let facts = anatomy.ctx.model.base_facts(anatomy.stage.index)?;
        let splits = facts.family.name.get() == "python"
            && matches!(facts.variant, Variant::Full | Variant::Slim)
            && !facts.version.starts_with('2');
        if !splits || start::is_shell_or_nothing(anatomy) {
            return None;
        }
        let mut installs = Installs::read(anatomy);
        let closure = Closure::of(anatomy, facts, &installs);
        installs.trouble.extend(closure.trouble.iter().cloned());
        if !installs.anything || !is_worth_it(&installs, &closure) {
            return None;
        }
        Some(plan(anatomy, facts, installs, &closure))
    }
}

/// Whether a second stage leaves something behind that a slim base alone would not.
fn is_worth_it(installs: &Installs, closure: &Closure) -> bool {
    closure.compiles || !installs.tools.is_empty() || installs.system.has_build_packages()
}

fn plan(
    anatomy: &Anatomy<'_>,
    facts: &ImageFacts,
    mut installs: Installs,
    closure: &Closure,
) -> Result<Runtime, Why> {
    let ctx = anatomy.ctx;
    let from = anatomy.stage.from;
    if let Some(why) = installs.trouble.first().cloned() {
        return Err(why);
    }
    for index in installs.kinds.keys() {
        if let Some(setting) = pip_settings::other_than_default(ctx, *index) {
            return Err(Why::new(
                *index,
                format!("{setting}, and which libraries its packages link is not known"),
                "prove it by `docker-diet fix --verify`",
            ));
        }
    }
    let needs = Needs {
        kind: Kind::Interpreter,
        shell: true,
        packages: Vec::new(),
        unprivileged: false,
    };
    let choice = runtime_base(ctx, anatomy.stage, &needs)
        .map_err(|why| Why::new(from, why.reason, why.remedy))?;
    let slim = choice.facts.as_ref().unwrap_or(facts);
    let mut packages: BTreeSet<String> = closure.libraries.clone();
    packages.extend(installs.system.runtime_packages(anatomy, facts)?);
    let bare = runner::bare(anatomy).transpose()?;
    let mut programs = start::programs(anatomy, facts, slim, &installs, bare.as_ref())?;
    programs.extend(
        closure
            .programs
            .iter()
            .map(|program| (program.clone(), from)),
    );
    programs.extend(programs_of_replayed(anatomy, &installs));
    for (program, anchor) in programs {
        packages.extend(package_of(
            anatomy,
            (facts, slim),
            &installs,
            &program,
            anchor,
        )?);
    }
    if slim.tag != facts.tag && sources::guesses_types(anatomy) {
        packages.insert("media-types".to_owned());
    }
    packages.retain(|package| {
        ctx.catalog.has_package(slim, package) != Some(true)
            && !installs.system.is_replayed(package)
    });
    refuse_packages_of_old_releases(anatomy, facts, &packages)?;

    let last_build = installs
        .kinds
        .iter()
        .rfind(|(_, kind)| **kind != RunKind::Replayed)
        .map_or(from, |(index, _)| *index);
    let mut runtime = Runtime {
        values: Values {
            base: base_text(anatomy, &choice.reference)?,
            packages: packages.into_iter().collect(),
            upgrades: installs.system.upgrades,
            ..Values::default()
        },
        replayed: replayed(anatomy, &installs),
        saves: Estimate {
            image: saved_bytes(anatomy, facts),
            ..Estimate::default()
        },
        ..Runtime::new(Template::StagePython)
    };
    runtime.moved = anatomy
        .steps
        .iter()
        .filter(|step| step.index > last_build)
        .filter(|step| match &step.part {
            Part::Copy(_) | Part::Run(_) => runtime.replayed.contains(&step.index),
            Part::Setting => ctx.model.instruction(step.index).keyword != Keyword::Arg,
            Part::Runtime => false,
        })
        .map(|step| step.index)
        .collect();
    runtime.build_edits = std::mem::take(&mut installs.edits);
    match bare {
        Some(bare) if bare.keyword == Keyword::Entrypoint => runtime.entrypoint = Some(bare.text),
        Some(bare) => runtime.cmd = Some(bare.text),
        None => {}
    }
    match &installs.own_environment {
        Some(path) => {
            runtime.values.environment.clone_from(path);
            if runner::synced(anatomy).as_deref() == Some(path) {
                runtime.values.is_new = true;
                runtime.changes = vec![Change::Env];
            }
            runtime.reason = format!(
                "ships the virtual environment {path} on {}: what built it stays behind",
                choice.reference
            );
        }
        None => {
            let values = Environment {
                environment: VENV,
                names_it: !installs.tools.is_empty(),
            };
            let made = instructions(anatomy, Template::BuildPython, &values)?;
            match installs.environment_after {
                Some(after) => {
                    let at = anatomy.block(after).end;
                    runtime.build_edits.push(Edit::insert(at, made));
                }
                None => runtime.build_first = made,
            }
            VENV.clone_into(&mut runtime.values.environment);
            runtime.values.is_new = true;
            runtime.changes = vec![Change::Env];
            runtime.reason = format!(
                "installs into a virtual environment and ships it on {}: compilers, headers and build tools stay behind",
                choice.reference
            );
        }
    }
    Ok(runtime)
}

/// What makes the virtual environment.
#[derive(Serialize)]
struct Environment {
    environment: &'static str,
    /// Whether a tool looks for `VIRTUAL_ENV`.
    names_it: bool,
}

/// The image of the second FROM, as the first one writes it: `--platform` and variables stay.
fn base_text(anatomy: &Anatomy<'_>, reference: &str) -> Result<String, Why> {
    let ctx = anatomy.ctx;
    let instruction = ctx.model.instruction(anatomy.stage.from);
    let Some(view) = instruction.as_from() else {
        return Ok(reference.to_owned());
    };
    let written = String::from_utf8_lossy(ctx.dockerfile.bytes(view.image.span)).into_owned();
    let expanded = match &anatomy.stage.base {
        crate::model::Base::Image { reference, .. } => reference.as_str(),
        _ => "",
    };
    let image = if !written.contains('$') {
        reference.to_owned()
    } else if let Some(suffix) = reference.strip_prefix(expanded) {
        format!("{written}{suffix}")
    } else {
        return Err(Why::new(
            anatomy.stage.from,
            format!("the slim image of {written} cannot be written with its variable"),
            "write the tag out in FROM",
        ));
    };
    Ok(match instruction.flag("platform") {
        Some(flag) => {
            let flag = String::from_utf8_lossy(ctx.dockerfile.bytes(flag.span)).into_owned();
            format!("{flag} {image}")
        }
        None => image,
    })
}

/// The instructions that run in the second stage too.
fn replayed(anatomy: &Anatomy<'_>, installs: &Installs) -> BTreeSet<usize> {
    let mut replayed: BTreeSet<usize> = installs
        .kinds
        .iter()
        .filter(|(_, kind)| **kind == RunKind::Replayed)
        .map(|(index, _)| *index)
        .collect();
    let texts: Vec<String> = replayed
        .iter()
        .map(|index| {
            let body = &anatomy.ctx.model.instruction(*index).body;
            String::from_utf8_lossy(body.text()).into_owned()
        })
        .collect();
    for (index, copy) in anatomy.copies() {
        let only_for_install = copy.view.sources.iter().all(|source| {
            let source = String::from_utf8_lossy(source.text).into_owned();
            let name = crate::model::path::file_name(&source);
            let is_tool = copy.view.from.is_some() && matches!(name, "uv" | "uvx");
            is_tool
                || copy.view.from.is_none()
                    && is_read_by_installs_only(name)
                    && !texts.iter().any(|text| text.contains(name))
        });
        if !only_for_install && !is_covered(anatomy, index, copy) {
            replayed.insert(index);
        }
    }
    replayed
}

/// Whether a later COPY of the whole context brings the same manifests to the same folder, so that the one at `index`
/// was written for the install alone.
fn is_covered(anatomy: &Anatomy<'_>, index: usize, copy: &CopyPart<'_>) -> bool {
    let manifests = copy.view.from.is_none()
        && copy.view.sources.iter().all(|source| {
            let source = String::from_utf8_lossy(source.text);
            let name = source.trim_start_matches("./");
            is_read_by_installs_only(name)
                || matches!(name, "pyproject.toml" | "setup.cfg" | "setup.py")
        });
    manifests
        && anatomy.copies().any(|(later, whole)| {
            later > index
                && whole.view.from.is_none()
                && whole.whole_context
                && whole.destination.is_some()
                && whole.destination == copy.destination
        })
}

/// Whether a file of this name is read by package managers and by nothing that runs.
fn is_read_by_installs_only(name: &str) -> bool {
    matches!(
        name,
        "Pipfile" | "Pipfile.lock" | "poetry.lock" | "uv.lock" | "pdm.lock" | "poetry.toml"
    ) || name.contains("requirements") && name.ends_with(".txt")
        || name == "requirements*"
}

/// Programs that replayed RUNs call, and where.
fn programs_of_replayed(anatomy: &Anatomy<'_>, installs: &Installs) -> Vec<(String, usize)> {
    let mut programs = Vec::new();
    for (index, kind) in &installs.kinds {
        let Some(script) = anatomy.ctx.model.script(*index) else {
            continue;
        };
        if *kind != RunKind::Replayed {
            continue;
        }
        programs.extend(script.invocations().iter().filter_map(|invocation| {
            let name = String::from_utf8_lossy(invocation.name()?).into_owned();
            Some((name, *index))
        }));
    }
    programs
}

/// The Debian package that brings a program which the original image has and the slim one lacks.
fn package_of(
    anatomy: &Anatomy<'_>,
    facts: (&ImageFacts, &ImageFacts),
    installs: &Installs,
    program: &str,
    anchor: usize,
) -> Result<Option<String>, Why> {
    let (full, slim) = facts;
    let catalog = anatomy.ctx.catalog;
    let row = catalog.program(program);
    let was_installed = row.is_some_and(|row| installs.system.fetches(row.package.get()));
    let had = catalog.has_program(full, program) == Some(true) || was_installed;
    if !had || catalog.has_program(slim, program) == Some(true) || is_builtin(program) {
        return Ok(None);
    }
    let release = full.release.map_or("", |release| release.name.get());
    match row {
        Some(row) if !row.missing_in.get().iter().any(|name| *name == release) => {
            Ok(Some(row.package.get().to_owned()))
        }
        _ => Err(Why::new(
            anchor,
            format!(
                "`{program}` runs when the container does, and which package brings it to the slim image is not known"
            ),
            "install the package that brings it in a RUN of its own",
        )),
    }
}

/// Whether every shell has it.
fn is_builtin(program: &str) -> bool {
    matches!(
        program,
        "." | ":"
            | "["
            | "[["
            | "cd"
            | "exec"
            | "exit"
            | "export"
            | "set"
            | "source"
            | "trap"
            | "wait"
    )
}

/// Package lists of releases that have been archived cannot be fetched, and their libraries have other names.
fn refuse_packages_of_old_releases(
    anatomy: &Anatomy<'_>,
    facts: &ImageFacts,
    packages: &BTreeSet<String>,
) -> Result<(), Why> {
    let release = facts.release.map_or("", |release| release.name.get());
    if packages.is_empty() || matches!(release, "bookworm" | "trixie") {
        return Ok(());
    }
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    Err(Why::new(
        anatomy.stage.from,
        format!(
            "the runtime stage would need {}, whose names in this Debian release are not known",
            names.join(", ")
        ),
        "move to an image of a supported Debian release",
    ))
}

fn saved_bytes(anatomy: &Anatomy<'_>, facts: &ImageFacts) -> u64 {
    let catalog = anatomy.ctx.catalog;
    let slim = catalog
        .slim_tag(facts)
        .map(|slim| format!("{}:{}", facts.family.name, slim.tag));
    let slim = slim.and_then(|slim| catalog.image(&ImageRef::parse(&slim)));
    slim.map_or(0, |slim| catalog.saved_bytes(facts, &slim))
}
