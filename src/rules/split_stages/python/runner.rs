//! `poetry run uvicorn …`: a start command that goes through the package manager, and what it is without it.
//!
//! The manager does nothing but put the environment's folder first on PATH, which the stage that ships does by ENV.

use super::super::{Anatomy, Why};
use crate::model::path::resolve;
use crate::syntax::{CommandBody, Keyword};

/// A start command without its manager.
pub(super) struct Bare {
    /// The instruction that holds it.
    pub(super) index: usize,
    pub(super) keyword: Keyword,
    pub(super) manager: &'static str,
    /// Its words from the program on.
    pub(super) words: Vec<String>,
    /// The whole instruction.
    pub(super) text: String,
}

/// Managers whose `run` does no more than that. `uv run`, `pdm run` and `hatch run` may install before they start.
const MANAGERS: &[&str] = &["pipenv", "poetry"];

/// The program behind `poetry run` or `pipenv run` in the exec form of ENTRYPOINT or CMD; none where the start command
/// is of another kind.
pub(super) fn bare(anatomy: &Anatomy<'_>) -> Option<Result<Bare, Why>> {
    let config = &anatomy.stage.end.config;
    let line = config.entrypoint.set().or_else(|| config.cmd.set())?;
    let index = line.instruction;
    let ctx = anatomy.ctx;
    let instruction = ctx.model.instruction(index);
    let Some(CommandBody::Exec(strings)) = instruction.command_body() else {
        return None;
    };
    let [manager, run, program, ..] = strings else {
        return None;
    };
    let manager_name = MANAGERS.iter().find(|name| **name == manager.value)?;
    if run.value != "run" {
        return None;
    }
    let name = program.value.as_str();
    if name.starts_with('-') {
        return None;
    }
    if let Some(reason) = does_more(anatomy, index, manager_name, name) {
        return Some(Err(Why::new(
            index,
            format!("`{manager_name} run {name}` {reason}"),
            format!("start the program itself, without `{manager_name} run`"),
        )));
    }
    let source = |from: usize, to: usize| {
        String::from_utf8_lossy(&ctx.dockerfile.source()[from..to]).into_owned()
    };
    let text = format!(
        "{}{}",
        source(instruction.span.start, manager.span.start),
        source(program.span.start, instruction.span.end)
    );
    Some(Ok(Bare {
        index,
        keyword: instruction.keyword,
        manager: manager_name,
        words: strings[2..].iter().map(|word| word.value.clone()).collect(),
        text: text.trim_end().to_owned(),
    }))
}

/// Whether the container is started by `manager run`, which finds the environment that is active: the one of both stages.
pub(super) fn starts_by(anatomy: &Anatomy<'_>, manager: &str) -> bool {
    let ignores = ["PIPENV_IGNORE_VIRTUALENVS", "PIPENV_PIPFILE"]
        .iter()
        .any(|name| anatomy.stage.end.config.env.contains_key(*name));
    !ignores && bare(anatomy).is_some_and(|bare| bare.is_ok_and(|bare| bare.manager == manager))
}

/// What `manager run name` does beyond starting a program of the environment.
fn does_more(anatomy: &Anatomy<'_>, index: usize, manager: &str, name: &str) -> Option<String> {
    let here = anatomy.workdir(index)?;
    let read = |file: &str| {
        let path = anatomy.context_path(&resolve(here, file))?;
        let bytes = anatomy.ctx.context?.read(&path)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    if manager == "pipenv" && anatomy.context_path(&resolve(here, ".env")).is_some() {
        return Some("also loads the variables of `.env`".to_owned());
    }
    let (file, tables): (_, &[&str]) = match manager {
        "pipenv" => ("Pipfile", &["scripts"]),
        _ => (
            "pyproject.toml",
            &["tool.poetry.scripts", "project.scripts"],
        ),
    };
    let manifest = read(file)?.parse::<toml_edit::DocumentMut>().ok()?;
    let names_it = tables.iter().any(|table| {
        table
            .split('.')
            .try_fold(manifest.as_item(), |item, key| item.get(key))
            .is_some_and(|scripts| scripts.get(name).is_some())
    });
    names_it.then(|| format!("is a script of the project, as `{file}` defines it"))
}
