//! Projects that a manager installs whole: poetry, pipenv, uv, pdm, and `pip install .`.

use super::super::super::Why;
use super::super::runner;
use super::{Installs, Reading, Wanted, pip};
use crate::catalog::Catalog;
use crate::context::Context;
use crate::model::{PackageOperation, Verb};
use crate::stack::python::{Lock, Python};
use crate::stack::{Details, Project, STACKS};

/// Takes in a call of poetry, pipenv, uv or pdm.
pub(super) fn call(
    installs: &mut Installs,
    reading: &mut Reading<'_, '_>,
    operation: &PackageOperation<'_>,
) -> Result<(), Why> {
    let name = operation.manager.name.get();
    let words: Vec<String> = operation
        .simple
        .words
        .iter()
        .map(|word| {
            String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned()
        })
        .collect();
    let verb: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .skip_while(|word| crate::model::path::file_name(word) != name)
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .take(2)
        .collect();
    installs.tools.insert(name.to_owned());
    match (name, verb.as_slice()) {
        ("uv", ["pip", "install", ..]) => pip::install(installs, reading, operation, true),
        ("uv", ["venv", ..]) if installs.own_environment.is_some() => {
            reading.has_tools = true;
            Ok(())
        }
        ("uv", ["sync", ..]) if installs.own_environment.is_none() => {
            reading.project = true;
            if let Some(Err(why)) = runner::bare(reading.anatomy) {
                return Err(why);
            }
            Err(Why::new(
                reading.index,
                format!(
                    "line {} installs into the project's own .venv, which is not first on PATH",
                    reading.line
                ),
                "add `ENV PATH=/app/.venv/bin:$PATH`, with the project's folder, and start the program by its name",
            ))
        }
        ("uv", ["sync", ..])
        | ("poetry", ["install" | "sync", ..])
        | ("pdm", ["install" | "sync", ..]) => locked(installs, reading),
        ("pipenv", ["install" | "sync", ..]) => {
            reading.project = true;
            if let Some(Err(why)) = runner::bare(reading.anatomy) {
                return Err(why);
            }
            if !operation.has_flag(&["--system"]) && !runner::starts_by(reading.anatomy, "pipenv") {
                return Err(Why::new(
                    reading.index,
                    format!(
                        "line {} installs into an environment of pipenv's own",
                        reading.line
                    ),
                    "install with `pipenv install --system --deploy`",
                ));
            }
            locked(installs, reading)
        }
        // `poetry config`, `uv --version`, `poetry check`.
        (
            _,
            [
                "config" | "check" | "version" | "self" | "about" | "show",
                ..,
            ]
            | [],
        ) => {
            reading.has_tools |= verb.first() == Some(&"self");
            reading.has_neutral = true;
            Ok(())
        }
        _ if operation.verb == Verb::Clean => {
            reading.has_neutral = true;
            Ok(())
        }
        _ => Err(Why::new(
            reading.index,
            format!("line {} runs `{name} {}`", reading.line, verb.join(" ")),
            "install from the lock file",
        )),
    }
}

/// An install of the project in the working directory, from its lock file.
fn locked(installs: &mut Installs, reading: &mut Reading<'_, '_>) -> Result<(), Why> {
    reading.project = true;
    let manifest = ["pyproject.toml", "Pipfile", "Pipfile.lock"]
        .iter()
        .find_map(|name| reading.in_context(name));
    let (Some(context), Some(manifest)) = (reading.anatomy.ctx.context, manifest) else {
        return Err(no_manifest(reading));
    };
    let root = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(project) = detect(context, reading.anatomy.ctx.catalog, root) else {
        return Err(no_manifest(reading));
    };
    let Details::Python(python) = &project.details else {
        return Err(no_manifest(reading));
    };
    if let Some(why) = other_python(reading, &project) {
        return Err(why);
    }
    if let Some(path) = python
        .pyproject
        .iter()
        .flat_map(|project| project.local_paths.iter())
        .next()
    {
        return Err(Why::new(
            reading.index,
            format!("the project depends on `{path}` of the context"),
            "split the file by hand",
        ));
    }
    if compiles(python) {
        return Err(own_extension(reading));
    }
    let Some(lock) = python.lock(context) else {
        return Err(Why::new(
            reading.index,
            format!("line {} installs without a lock file", reading.line),
            "commit the lock file",
        ));
    };
    let own = python
        .pyproject
        .as_ref()
        .and_then(|project| project.name.clone());
    add_locked(installs, reading.index, &lock, own.as_deref());
    Ok(())
}

fn add_locked(installs: &mut Installs, anchor: usize, lock: &Lock, own: Option<&str>) {
    for package in &lock.packages {
        let is_own = own == Some(package.name.as_str());
        // Pipenv's development packages are installed only with `--dev`; their wheels are not named.
        let develops =
            !package.groups.is_empty() && package.groups.iter().all(|group| group == "develop");
        if is_own || develops {
            continue;
        }
        installs.wanted.push(Wanted {
            name: package.name.clone(),
            version: Some(package.version.clone()),
            address: package.source.clone(),
            linux_wheel: package.has_linux_wheel,
            compiled: false,
            anchor,
        });
    }
}

/// `pip install .`, `pip install ./lib`: the project at `path` in the image, with or without extras.
pub(super) fn local(
    installs: &mut Installs,
    reading: &Reading<'_, '_>,
    path: &str,
    extras: bool,
) -> Result<(), Why> {
    let unknown = || {
        Why::new(
            reading.index,
            format!(
                "line {} installs `{path}`, whose dependencies are not known",
                reading.line
            ),
            "install it by its name",
        )
    };
    let context = reading.anatomy.ctx.context.ok_or_else(unknown)?;
    let root = ["pyproject.toml", "setup.py", "setup.cfg"]
        .iter()
        .find_map(|name| reading.in_context(&format!("{path}/{name}")))
        .ok_or_else(unknown)?;
    let root = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let project = detect(context, reading.anatomy.ctx.catalog, root).ok_or_else(unknown)?;
    let Details::Python(python) = &project.details else {
        return Err(unknown());
    };
    if compiles(python) {
        return Err(own_extension(reading));
    }
    let mut dependencies = Vec::new();
    let mut complete = false;
    if let Some(project) = &python.pyproject
        && project.name.is_some()
    {
        dependencies.extend(&project.dependencies);
        complete = !project.dynamic.iter().any(|key| key == "dependencies");
        if extras {
            dependencies.extend(project.extras.values().flatten());
        }
    }
    if let Some(setup) = &python.setup {
        dependencies.extend(&setup.dependencies);
        complete = !setup.computed && !extras;
    }
    if !complete {
        return Err(unknown());
    }
    for requirement in dependencies {
        installs.wanted.push(Wanted::of(requirement, reading.index));
    }
    Ok(())
}

fn detect(context: &Context, catalog: &Catalog, root: &str) -> Option<Project> {
    STACKS
        .iter()
        .find(|stack| stack.name() == "python")?
        .detect(root, context, catalog)
}

/// Whether an install of the project compiles code of its own.
fn compiles(python: &Python) -> bool {
    let backend = python
        .pyproject
        .as_ref()
        .and_then(|project| project.backend.as_deref())
        .unwrap_or_default();
    python
        .setup
        .as_ref()
        .is_some_and(|setup| setup.has_extensions)
        || ["maturin", "scikit_build", "mesonpy", "py_build_cmake"]
            .iter()
            .any(|name| backend.starts_with(name))
}

fn own_extension(reading: &Reading<'_, '_>) -> Why {
    Why::new(
        reading.index,
        "the project compiles code of its own, whose libraries are not known",
        "split the file by hand",
    )
}

fn no_manifest(reading: &Reading<'_, '_>) -> Why {
    Why::new(
        reading.index,
        format!(
            "line {} installs a project whose manifest is not in the build context",
            reading.line
        ),
        "",
    )
}

/// uv and poetry look for another interpreter where the image's does not fit: the environment would point to it.
fn other_python(reading: &Reading<'_, '_>, project: &Project) -> Option<Why> {
    let asked = project.language_version.as_deref()?;
    let facts = reading
        .anatomy
        .ctx
        .model
        .base_facts(reading.anatomy.stage.index)?;
    let minor = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split('.');
        let clean = |part: &str| -> Option<u32> {
            let end = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            part[..end].parse().ok()
        };
        Some((clean(parts.next()?)?, clean(parts.next()?)?))
    };
    let has = minor(&facts.version)?;
    let trimmed = asked.trim_start_matches(['=', '>', '<', '^', '~', ' ']);
    let wants = minor(trimmed.split(',').next().unwrap_or(trimmed))?;
    let fits = if trimmed.len() == asked.len() || asked.starts_with("==") || asked.starts_with('~')
    {
        wants == has
    } else if asked.starts_with('<') {
        true
    } else {
        wants <= has
    };
    (!fits).then(|| {
        Why::new(
            reading.index,
            format!(
                "the project asks for Python {asked}, and the image has {}",
                facts.version
            ),
            "bring the two together",
        )
    })
}
