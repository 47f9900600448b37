//! pip, poetry, pipenv and uv: what an install reads.

use crate::model::{PackageOperation, Verb};
use crate::stack::Details;
use crate::stack::python::{Python, Requirements};
use crate::text::Edit;

use super::join;
use super::step::{Call, Install, Step};

/// What a call of a Python package manager reads.
pub(super) fn step(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let name = operation.manager.name.get();
    let first = operation
        .packages
        .first()
        .and_then(|word| word.literal.as_deref());
    match operation.verb {
        Verb::Clean => return Step::Nothing,
        Verb::Install => {}
        Verb::Other if operation.packages.is_empty() && !operation.flags.is_empty() => {
            return Step::Nothing;
        }
        Verb::Other if first == Some(b"config") && !operation.has_flag(&["--local", "--site"]) => {
            return Step::Nothing;
        }
        _ => return Step::Everything,
    }
    let verb = operation.verb_word.and_then(|word| word.literal.as_deref());
    let second = call
        .simple
        .arguments()
        .first()
        .and_then(|word| word.literal.as_deref());
    match (name, verb, second) {
        ("uv", _, Some(b"tool" | b"python")) => Step::Nothing,
        ("uv", Some(b"sync"), _) => locked_project(call, operation, "--no-install-project"),
        ("uv", _, Some(b"pip")) => pip(call, operation),
        ("poetry", Some(b"install" | b"sync"), _) => locked_project(call, operation, "--no-root"),
        ("pipenv", Some(b"install" | b"sync"), _) if operation.packages.is_empty() => {
            pipenv(call, operation)
        }
        ("pip" | "pip2" | "pip3", _, _) => pip(call, operation),
        _ => Step::Everything,
    }
}

/// The files that `-r` and `-c` name; none when one is computed.
fn requirement_files(call: &Call<'_>) -> Option<Vec<String>> {
    let mut files = Vec::new();
    let mut words = call.simple.arguments().iter();
    while let Some(word) = words.next() {
        let text = String::from_utf8_lossy(&word.raw);
        let names = [
            "-r",
            "--requirement",
            "-c",
            "--constraint",
            "--requirements",
        ];
        let value = if names.contains(&&*text) {
            words.next()?.literal.clone()?
        } else if let Some((name, _)) = text.split_once('=')
            && names.contains(&name)
        {
            word.literal.as_deref()?[name.len() + 1..].to_vec()
        } else if text.starts_with("-r") || text.starts_with("-c") {
            word.literal.as_deref()?[2..].to_vec()
        } else {
            continue;
        };
        files.push(String::from_utf8(value).ok()?);
    }
    Some(files)
}

fn pip(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let installs_paths = operation.packages.iter().any(|word| {
        let raw = &word.raw;
        raw.contains(&b'/')
            || raw.starts_with(b".")
            || raw.starts_with(b"$")
            || raw.ends_with(b".whl")
    });
    if installs_paths || operation.has_flag(&["-e", "--editable"]) {
        return Step::refused(
            format!("`{}` installs the project itself", call.text()),
            "install the dependencies from a requirements file first",
        );
    }
    let elsewhere = [
        "-t",
        "--target",
        "--root",
        "--prefix",
        "-f",
        "--find-links",
        "--no-index",
        "--src",
    ];
    if operation.has_flag(&elsewhere) {
        return Step::Everything;
    }
    let Some(files) = requirement_files(call) else {
        return Step::Everything;
    };
    if files.is_empty() {
        return match operation.packages.is_empty() {
            true => Step::Everything,
            false => Step::Nothing,
        };
    }
    let mut install = Install {
        manager: "pip".to_owned(),
        what: call.text(),
        ..Install::default()
    };
    for file in &files {
        if file.contains("://") {
            continue;
        }
        let Some(path) = call.in_context(file).filter(|path| call.context.has(path)) else {
            return Step::Everything;
        };
        let read = Requirements::read(call.context, &path, &mut Vec::new());
        if let Some(why) = reads_more(&read, call) {
            return Step::refused(format!("{path} {why}"), "");
        }
        install.files.extend(read.files);
    }
    match install.files.is_empty() {
        true => Step::Nothing,
        false => Step::Install(Box::new(install)),
    }
}

/// What a requirement file installs from the project.
fn reads_more(read: &Requirements, call: &Call<'_>) -> Option<String> {
    if let Some(unknown) = read.unknown.first() {
        return Some(format!("holds `{unknown}`, which is not understood"));
    }
    if let Some(path) = read.local_paths.first() {
        let path = if path.is_empty() { "." } else { path };
        return Some(format!("installs `{path}` of the project"));
    }
    if let Some(path) = read.editables.iter().find(|path| !path.contains("://")) {
        return Some(format!("installs `{path}` of the project"));
    }
    if let Some(place) = read.indexes.iter().find(|place| !place.contains("://")) {
        return Some(format!("looks for packages in `{place}`"));
    }
    // pip reads `-r` in a file from that file's folder; a file that the build cannot see ends the install.
    read.files
        .iter()
        .find(|path| !call.context.has(path))
        .map(|path| format!("includes `{path}`, which the build cannot see"))
}

/// The Python project in the working directory, unless it has packages in folders of its own.
fn project_files(call: &Call<'_>) -> Result<(Box<Python>, Vec<String>), Step> {
    let Some(project) = call.project("python") else {
        return Err(Step::Everything);
    };
    let locks = project.locks.clone();
    let Details::Python(python) = project.details else {
        return Err(Step::Everything);
    };
    Ok((python, locks))
}

fn pipenv(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let (python, locks) = match project_files(call) {
        Ok(found) => found,
        Err(step) => return step,
    };
    let folder = call.folder().unwrap_or_default();
    let Some((packages, development)) = &python.pipfile else {
        return Step::Everything;
    };
    let local = packages
        .iter()
        .chain(development)
        .find(|requirement| requirement.local_path().is_some());
    if let Some(requirement) = local {
        return Step::refused(
            format!("Pipfile installs `{}` from the project", requirement.name),
            "",
        );
    }
    if operation.has_flag(&["-r", "--requirements", "-e"]) {
        return Step::Everything;
    }
    let mut install = Install {
        manager: "pipenv".to_owned(),
        what: call.text(),
        files: vec![join(&folder, "Pipfile")],
        ..Install::default()
    };
    install.files.extend(
        locks
            .into_iter()
            .filter(|lock| lock.ends_with("Pipfile.lock")),
    );
    if !operation.has_flag(&["--system"]) {
        install.makes.push((folder, ".venv".to_owned()));
    }
    Step::Install(Box::new(install))
}

/// `poetry install` and `uv sync`: the dependencies first, with `flag`, then the project itself.
fn locked_project(call: &Call<'_>, operation: &PackageOperation<'_>, flag: &str) -> Step {
    let (python, locks) = match project_files(call) {
        Ok(found) => found,
        Err(step) => return step,
    };
    let folder = call.folder().unwrap_or_default();
    let Some(pyproject) = &python.pyproject else {
        return Step::Everything;
    };
    if pyproject.path != join(&folder, "pyproject.toml") {
        return Step::Everything;
    }
    let name = operation.manager.name.get();
    let lock = join(&folder, &format!("{name}.lock"));
    if !locks.contains(&lock) {
        return Step::refused(
            format!("there is no {name}.lock, so the install solves anew each time"),
            &format!("run `{name} lock` and commit the result"),
        );
    }
    if !pyproject.local_paths.is_empty() || !pyproject.workspace.is_empty() {
        return Step::refused(
            "pyproject.toml installs other packages of the project".to_owned(),
            "",
        );
    }
    if operation.has_flag(&[
        "--directory",
        "-C",
        "-P",
        "--project",
        "--all-packages",
        "--package",
    ]) {
        return Step::Everything;
    }
    let mut install = Install {
        manager: name.to_owned(),
        what: call.text(),
        files: vec![pyproject.path.clone(), lock],
        ..Install::default()
    };
    for settings in ["poetry.toml", "uv.toml", ".python-version"] {
        let path = join(&folder, settings);
        if call.context.has(&path) {
            install.files.push(path);
        }
    }
    let separate = operation.has_flag(&[flag])
        || name == "uv" && (pyproject.backend.is_none() && !pyproject.is_package);
    if !separate {
        let (Some(verb), Some(last)) = (operation.verb_word, call.simple.words.last()) else {
            return Step::Everything;
        };
        if !verb.contiguous || !last.contiguous {
            return Step::Everything;
        }
        install
            .edits
            .push(Edit::insert(verb.span.end, format!(" {flag}")));
        install.again = Some(call.simple.span);
    }
    let in_system = call.env("POETRY_VIRTUALENVS_CREATE") == Some("false")
        || call.env("UV_PROJECT_ENVIRONMENT").is_some();
    if !in_system {
        install.makes.push((folder, ".venv".to_owned()));
    }
    Step::Install(Box::new(install))
}
