//! `poetry run uvicorn …`: a start command that goes through the package manager, and what it is without it.
//!
//! The manager does nothing but put the environment's folder first on PATH, which the stage that ships does by ENV.

use super::super::{Anatomy, Why};
use crate::catalog::WordSet;
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

/// Managers whose `run` does no more than that. `pdm run` and `hatch run` may install before they start, and so may
/// `uv run` where the image's environment is not the one that it would make.
const MANAGERS: &[&str] = &["pipenv", "poetry", "uv"];

/// The program behind `poetry run`, `pipenv run` or `uv run` in the exec form of ENTRYPOINT or CMD; none where the start
/// command is of another kind.
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
    let python = *manager_name == "uv" && name.ends_with(".py");
    let text = format!(
        "{}{}{}",
        source(instruction.span.start, manager.span.start),
        if python { "\"python\", " } else { "" },
        source(program.span.start, instruction.span.end)
    );
    let words = strings[2..].iter().map(|word| word.value.clone());
    Some(Ok(Bare {
        index,
        keyword: instruction.keyword,
        manager: manager_name,
        words: python
            .then(|| "python".to_owned())
            .into_iter()
            .chain(words)
            .collect(),
        text: text.trim_end().to_owned(),
    }))
}

/// The environment that `uv sync` makes and `uv run` starts in, which is not on PATH.
pub(super) fn synced(anatomy: &Anatomy<'_>) -> Option<String> {
    let bare = bare(anatomy)?.ok()?;
    if bare.manager != "uv" {
        return None;
    }
    Some(resolve(anatomy.workdir(bare.index)?, ".venv"))
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
    if manager == "uv" {
        return syncs_more(anatomy, index, name);
    }
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

/// What `uv run name` would install first, or do in another environment than the image's.
fn syncs_more(anatomy: &Anatomy<'_>, index: usize, name: &str) -> Option<String> {
    let here = anatomy.workdir(index)?;
    let env = &anatomy.stage.end.config.env;
    if let Some(setting) = env.keys().find(|key| {
        key.starts_with("UV_") && !anatomy.ctx.catalog.has_word(WordSet::IdleUvVariables, key)
    }) {
        return Some(format!("follows ENV {setting}"));
    }
    let Some(flags) = last_sync(anatomy, here) else {
        return Some("installs first: no `uv sync` of the image does in its folder".to_owned());
    };
    let read = |file: &str| {
        let path = anatomy.context_path(&resolve(here, file))?;
        anatomy.ctx.context?.read_str(&path)
    };
    if name.ends_with(".py") && read(name).is_none_or(|text| text.contains("# /// script")) {
        return Some("may run in an environment of the script's own".to_owned());
    }
    let manifest = read("pyproject.toml")?
        .parse::<toml_edit::DocumentMut>()
        .ok()?;
    let table = |path: &[&str]| {
        path.iter()
            .try_fold(manifest.as_item(), |item, key| item.get(key))
    };
    let develops = table(&["dependency-groups", "dev"]).is_some()
        || table(&["tool", "uv", "dev-dependencies"]).is_some()
        || table(&["tool", "uv", "default-groups"]).is_some();
    let is_package = table(&["tool", "uv", "package"])
        .and_then(toml_edit::Item::as_bool)
        .unwrap_or_else(|| table(&["build-system"]).is_some());
    flags.iter().find_map(|flag| {
        let decides = match flag.split('=').next().unwrap_or(flag) {
            "--no-dev" | "--no-default-groups" | "--no-group" => develops,
            "--no-install-project" | "--no-editable" => is_package,
            "--all-extras" | "--all-groups" | "--compile-bytecode" | "--extra" | "--frozen"
            | "--group" | "--link-mode" | "--locked" | "--no-cache" | "--no-progress"
            | "--quiet" | "--verbose" | "-n" | "-q" | "-v" => false,
            _ => true,
        };
        decides.then(|| format!("also installs what `uv sync {flag}` left out"))
    })
}

/// The flags of the last `uv sync` that runs in `folder`.
fn last_sync(anatomy: &Anatomy<'_>, folder: &str) -> Option<Vec<String>> {
    let mut last = None;
    for (index, _) in anatomy.runs() {
        let Some(script) = anatomy.ctx.model.script(index) else {
            continue;
        };
        for invocation in script.invocations() {
            let words: Vec<String> = invocation
                .arguments()
                .iter()
                .map(|word| {
                    String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw))
                        .into_owned()
                })
                .collect();
            let syncs = invocation.name() == Some(b"uv".as_slice())
                && words.first().is_some_and(|word| word == "sync");
            if syncs && anatomy.workdir(index) == Some(folder) && !script.changes_directory() {
                last = Some(
                    words
                        .into_iter()
                        .filter(|word| word.starts_with('-'))
                        .collect(),
                );
            }
        }
    }
    last
}
