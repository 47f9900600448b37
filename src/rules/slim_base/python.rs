//! Python on a slim image: every requirement is known to come as a wheel, and the sources call nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Ecosystem, ImageFacts, WordSet};
use crate::model::path::{file_name, resolve};
use crate::model::{Stage, Verb};
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::bases::runs::{self, Call, Runs};
use crate::rules::image_paths::{origin, working_directory};
use crate::rules::pip_settings;
use crate::shell::{Script, Simple};
use crate::stack::python::{Python, Requirement, Requirements, Unclosed, closure};
use crate::stack::usage::{Budget, UnknownKind, Usage};
use crate::stack::{Details, STACKS};
use crate::syntax::Keyword;

use super::needs::Inventory;
use super::{nothing_from_other_stages, nothing_unseen, roots};

/// Endings whose types Python knows only from `/etc/mime.types`.
const TYPES_FROM_SYSTEM: &[&str] = &[
    ".apk", ".docx", ".epub", ".eot", ".flac", ".gpx", ".md", ".odt", ".ogg", ".otf", ".pptx",
    ".ttf", ".wasm", ".woff", ".woff2", ".xlsx", ".yaml", ".yml",
];

/// Whether what is taken from a stage was built by Node, for Node or a browser: Python loads none of it. Node itself, and
/// programs beside it, lie in the system's folders.
fn is_built_by_node(ctx: &Ctx<'_>, stage: &Stage, paths: &[String]) -> bool {
    let facts = ctx.model.base_facts(stage.index);
    let is_of_system = |path: &String| {
        let top = path[1..].split('/').next().unwrap_or_default();
        path == "/"
            || !path.starts_with("/usr/src/")
                && ctx
                    .catalog
                    .has_word(WordSet::TopFolders, &format!("/{top}"))
    };
    facts.is_some_and(|facts| facts.family.name == "node") && !paths.iter().any(is_of_system)
}

pub(super) fn check(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    runs: &Runs,
    facts: &ImageFacts,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    nothing_from_other_stages(ctx, stages, |stage, paths| {
        is_built_by_node(ctx, stage, paths)
    })?;
    nothing_unseen(ctx, stages)?;
    let project = project(ctx, stages);
    let mut names: BTreeSet<String> = BTreeSet::new();
    // How many installs of each RUN are read here.
    let mut read: BTreeMap<usize, usize> = BTreeMap::new();
    for index in stages
        .iter()
        .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
    {
        for operation in ctx.model.operations(index) {
            let line = inventory.line(index);
            if is_pip(operation.manager.name.get()) && operation.verb == Verb::Install {
                let asked = asked(ctx, index, operation.simple, project.as_ref())?;
                names.extend(wheels_only(ctx, stages, facts, line, &asked)?);
                *read.entry(index).or_default() += 1;
            }
        }
    }
    for call in runs.calls.iter().filter(|call| installs(call)) {
        let known = call.index.and_then(|index| read.get_mut(&index));
        match known {
            Some(left) if *left > 0 => *left -= 1,
            _ => {
                return Err(Why::new(
                    format!(
                        "{} in a script, and what it installs may have to be compiled",
                        call.told(ctx)
                    ),
                    "install it in a RUN of its own",
                ));
            }
        }
    }
    for name in &names {
        needs_of(ctx, name, facts, inventory)?;
    }
    for call in &runs.calls {
        of_python(call, &names, project.as_ref(), ctx)?.map_or_else(|| inventory.call(call), Ok)?;
    }
    if let Some((python, root)) = &project {
        let context = ctx.context.ok_or_else(unseen)?;
        let usage = python.usage(context, root, Budget::default());
        sources(&usage, inventory)?;
        let guesses = !python.frameworks.is_empty()
            || usage
                .imports
                .iter()
                .any(|import| import.name.starts_with("mimetypes"));
        let odd = |path: &str| {
            TYPES_FROM_SYSTEM
                .iter()
                .any(|ending| path.ends_with(ending))
        };
        let is_web_file = |path: &str| {
            odd(path)
                && ["static", "public", "assets", "media"]
                    .iter()
                    .any(|folder| path.split('/').any(|part| part == *folder))
        };
        if guesses && context.visible().any(|(path, _)| is_web_file(path)) {
            inventory.package("media-types", usize::MAX);
        }
    } else if ctx.context.is_some() && copies(ctx, stages) {
        return Err(Why::new(
            "no Python project is seen in the build context",
            "",
        ));
    }
    Ok(())
}

/// Whether a package manager is pip: `pip`, `pip3`.
fn is_pip(name: &str) -> bool {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.') == "pip"
}

/// Whether a call is `pip install` or `python -m pip install`, while the image is built.
fn installs(call: &Call) -> bool {
    let by_module = call
        .arguments
        .windows(2)
        .any(|words| words[0] == "-m" && words[1] == "pip");
    !call.at_start
        && (is_pip(&call.name) || by_module)
        && call.arguments.iter().any(|word| word == "install")
}

fn unseen() -> Why {
    Why::new(
        "the sources are not seen",
        "run docker-diet with the build context",
    )
}

fn copies(ctx: &Ctx<'_>, stages: &[&Stage]) -> bool {
    stages
        .iter()
        .flat_map(|stage| stage.body.clone())
        .any(|index| ctx.model.instruction(index).as_copy().is_some())
}

/// The Python project of the context, and its folder.
fn project(ctx: &Ctx<'_>, stages: &[&Stage]) -> Option<(Box<Python>, String)> {
    let context = ctx.context?;
    let stack = STACKS.iter().find(|stack| stack.name() == "python")?;
    roots(ctx, stages).into_iter().find_map(|root| {
        match stack.detect(&root, context, ctx.catalog)?.details {
            Details::Python(python) => Some((python, root)),
            _ => None,
        }
    })
}

/// What one `pip install` is asked for.
#[derive(Default)]
struct Asked {
    requirements: Vec<Requirement>,
    constraints: Vec<Requirement>,
}

/// What `pip install` is asked for.
fn asked(
    ctx: &Ctx<'_>,
    index: usize,
    simple: &Simple,
    project: Option<&(Box<Python>, String)>,
) -> Result<Asked, Why> {
    let line = ctx.model.instruction(index).lines.0;
    let refuse = |what: &str| {
        Why::new(
            format!("line {line} installs {what}, which may have to be compiled"),
            "build in a stage of its own, and copy the result",
        )
    };
    if let Some(setting) = pip_settings::other_than_default(ctx, index) {
        return Err(Why::new(
            format!("{setting}, and whether its packages need a compiler is not known"),
            "build in a stage of its own, and copy the result",
        ));
    }
    let mut words = simple.arguments().iter();
    let mut asked = Asked::default();
    let mut seen_verb = false;
    while let Some(word) = words.next() {
        let text = word
            .literal
            .as_deref()
            .and_then(|text| std::str::from_utf8(text).ok())
            .ok_or_else(|| refuse("what a variable says"))?;
        if !seen_verb {
            seen_verb = text == "install";
            continue;
        }
        let constrains = matches!(text, "-c" | "--constraint") || text.starts_with("--constraint=");
        let file = match text {
            "-r" | "--requirement" | "-c" | "--constraint" => words
                .next()
                .and_then(|word| std::str::from_utf8(word.literal.as_deref()?).ok()),
            _ => ["--requirement=", "--constraint="]
                .iter()
                .find_map(|flag| text.strip_prefix(flag))
                .or_else(|| {
                    text.strip_prefix("-r")
                        .filter(|rest| !rest.is_empty() && !text.starts_with("--"))
                }),
        };
        if let Some(file) = file {
            let name = file_name(file);
            let (python, _) = project.filter(|_| ctx.context.is_some()).ok_or_else(|| {
                Why::new(
                    format!("{name} is not seen"),
                    "run docker-diet with the build context",
                )
            })?;
            let found = in_context(ctx, index, file).or_else(|| {
                let mut found = python
                    .requirements
                    .values()
                    .filter(|requirements| file_name(&requirements.path) == name);
                let (Some(found), None) = (found.next(), found.next()) else {
                    return None;
                };
                Some(found.clone())
            });
            let found = found.ok_or_else(|| {
                Why::new(
                    format!("which {name} line {line} reads is not known"),
                    "name it by its path in the image",
                )
            })?;
            let odd = !found.unknown.is_empty()
                || !found.local_paths.is_empty()
                || !found.editables.is_empty()
                || !found.indexes.is_empty()
                || found
                    .options
                    .iter()
                    .any(|option| option.contains("no-binary"));
            let from_elsewhere = |requirement: &Requirement| {
                requirement.address.is_some() || requirement.name.is_empty()
            };
            if odd || found.requirements.iter().any(from_elsewhere) {
                return Err(refuse("more than packages of PyPI"));
            }
            let named = found.requirements.iter().cloned();
            if constrains {
                asked.constraints.extend(named);
            } else {
                asked.requirements.extend(named);
            }
            asked.constraints.extend(found.constraints.iter().cloned());
            continue;
        }
        let own = match text {
            "-e" | "--editable" => words
                .clone()
                .next()
                .and_then(|word| word.literal.as_deref()),
            _ => Some(text.as_bytes()),
        };
        if matches!(own, Some(b"." | b"./")) {
            let requirements = project.and_then(|(python, _)| own_project(ctx, index, python));
            let requirements = requirements.ok_or_else(|| {
                Why::new(
                    format!(
                        "line {line} installs the project, and what its build compiles is not known"
                    ),
                    "build in a stage of its own, and copy the result",
                )
            })?;
            asked.requirements.extend(requirements);
            if text.starts_with('-') {
                words.next();
            }
            continue;
        }
        match text {
            "--timeout" | "--retries" | "--cache-dir" | "--root-user-action" | "--progress-bar"
            | "--trusted-host" => {
                words.next();
            }
            flag if flag.starts_with("--no-binary")
                || flag.contains("index-url")
                || flag.starts_with("--find-links")
                || matches!(flag, "-i" | "-f" | "-e" | "--editable" | "-t" | "--target") =>
            {
                return Err(refuse("more than packages of PyPI"));
            }
            flag if flag.starts_with('-') => {}
            name => asked.requirements.push(
                Requirement::parse(name)
                    .filter(|requirement| {
                        requirement.address.is_none() && !requirement.name.is_empty()
                    })
                    .ok_or_else(|| refuse(name))?,
            ),
        }
    }
    Ok(asked)
}

/// What `pip install .` in the folder of the RUN at `index` asks for, where the project says all of it in its
/// `pyproject.toml` and is built by Python alone.
fn own_project(ctx: &Ctx<'_>, index: usize, python: &Python) -> Option<Vec<Requirement>> {
    let manifest = python.pyproject.as_ref()?;
    let path = resolve(working_directory(ctx, index)?, "pyproject.toml");
    let is_here = ctx
        .model
        .script(index)
        .is_some_and(|script| !script.changes_directory())
        && origin(ctx, ctx.model.stage_of(index)?, &path).as_deref()
            == Some(manifest.path.as_str());
    let is_plain = python.setup.is_none()
        && manifest.name.is_some()
        && manifest.local_paths.is_empty()
        && manifest.build_requires.iter().all(|requirement| {
            ctx.catalog
                .has_word(WordSet::PurePythonBuilds, &requirement.name)
        })
        && !manifest
            .dynamic
            .iter()
            .any(|key| key.contains("dependencies"))
        && manifest
            .dependencies
            .iter()
            .all(|requirement| requirement.address.is_none());
    (is_here && is_plain).then(|| manifest.dependencies.clone())
}

/// The requirement file that the RUN at `index` reads as `file`, by the COPY that brought it.
fn in_context(ctx: &Ctx<'_>, index: usize, file: &str) -> Option<Requirements> {
    let moves = |script: &Script| script.invocations().iter().any(|it| it.calls("cd"));
    if ctx.model.script(index).is_none_or(moves) {
        return None;
    }
    let path = resolve(working_directory(ctx, index)?, file);
    let path = origin(ctx, ctx.model.stage_of(index)?, &path)?;
    Some(Requirements::read(ctx.context?, &path, &mut Vec::new()))
}

/// The minor version of Python 3 that the image has.
fn minor(facts: &ImageFacts) -> Option<u32> {
    let of = |version: &str| {
        let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(3)), Some(Ok(minor))) => Some(minor),
            _ => None,
        }
    };
    // `python:3` and `python:latest` are the newest that the catalog knows.
    of(&facts.version).or_else(|| of(facts.build?.key.get().split_once(':')?.1))
}

/// The names of all packages that one install brings.
///
/// # Errors
/// When one of them is not known to come as a wheel for the image's Python and processor.
fn wheels_only(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    facts: &ImageFacts,
    line: usize,
    asked: &Asked,
) -> Result<BTreeSet<String>, Why> {
    if asked.requirements.is_empty() {
        return Ok(BTreeSet::new());
    }
    let Some(minor) = minor(facts) else {
        return Err(Why::new(
            format!(
                "line {line} installs packages for a version of Python that has none of today's wheels"
            ),
            "move to Python 3",
        ));
    };
    for stage in stages {
        let from = ctx.model.instruction(stage.from).as_from();
        let platform = from.and_then(|from| from.platform).unwrap_or_default();
        let platform = String::from_utf8_lossy(platform);
        if !platform.is_empty() && !platform.contains(['$']) && !is_common(&platform) {
            return Err(Why::new(
                format!("line {line} installs packages, which may have no wheels for {platform}"),
                "choose the slim image yourself after a test",
            ));
        }
    }
    closure(ctx.catalog, &asked.requirements, &asked.constraints, minor).map_err(|unclosed| {
        let Unclosed {
            direct,
            name,
            reason,
        } = unclosed;
        let brings = if direct == name {
            String::new()
        } else {
            format!("{direct}, which brings ")
        };
        Why::new(
            format!("line {line} installs {brings}{name}, which {reason}"),
            format!("build in a stage of its own and copy the result, or describe {name} under `python-packages` in the configuration's catalog"),
        )
    })
}

fn is_common(platform: &str) -> bool {
    platform.ends_with("amd64")
        || platform.ends_with("x86_64")
        || platform.contains("arm64")
        || platform.contains("aarch64")
}

/// Takes note of what one package needs outside of Python.
fn needs_of(
    ctx: &Ctx<'_>,
    name: &str,
    facts: &ImageFacts,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    let stay = |why: String| {
        Err(Why::new(
            why,
            "build in a stage of its own, and copy the result",
        ))
    };
    let is_native = ctx
        .catalog
        .python_package(name)
        .is_some_and(|package| package.native);
    let Some(native) = ctx.catalog.native(Ecosystem::Python, name) else {
        if is_native {
            return stay(format!(
                "{name} has native code, and which libraries of the full image it uses is not known"
            ));
        }
        return Ok(());
    };
    if !native.refuse.is_empty() {
        return stay(format!("{name} is installed, which {}", native.refuse));
    }
    let programs = native.programs.get().iter();
    inventory.started(programs.map(|program| (program.get(), format!("the package {name}"))))?;
    let release = facts.release.map_or("", |release| release.name.get());
    for library in native.libraries(release) {
        inventory.package(library.get(), usize::MAX);
    }
    Ok(())
}

/// What is certain of calls that only Python explains: none where the inventory decides.
fn of_python(
    call: &Call,
    packages: &BTreeSet<String>,
    project: Option<&(Box<Python>, String)>,
    ctx: &Ctx<'_>,
) -> Result<Option<()>, Why> {
    let name = call.name.as_str();
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    if stem == "pip" {
        return match call.at_start {
            false => Ok(Some(())),
            true => Err(Why::new(
                format!(
                    "{} when it starts, and what it installs may have to be compiled",
                    call.told(ctx)
                ),
                "install it in a RUN",
            )),
        };
    }
    if stem == "python" {
        let mut words = call.arguments.iter().map(String::as_str);
        let first = words.find(|word| !matches!(*word, "-u" | "-O" | "-OO" | "-B" | "-X" | "-I"));
        let fine = match first {
            Some("-m") => words.next().is_some_and(|module| {
                let top = module.split('.').next().unwrap_or(module).replace('_', "-");
                ctx.catalog.has_word(WordSet::PythonBuildModules, module)
                    || call.at_start && (module == "http.server" || packages.contains(&top))
                    || project.is_some() && ctx.context.is_some() && call.at_start
            }),
            Some("--version" | "-V") => true,
            Some(word) => !word.starts_with('-') && project.is_some(),
            None => false,
        };
        if fine {
            return Ok(Some(()));
        }
        return Err(Why::new(
            format!(
                "line {} runs a program text or module of Python that is not seen",
                call.index.map_or(0, |index| runs::line(ctx, index))
            ),
            "",
        ));
    }
    let own = project.is_some_and(|(python, _)| python.scripts.contains(name));
    let brought = packages.contains(name)
        || matches!(name, "django-admin") && packages.contains("django")
        || matches!(name, "fastapi" | "uvicorn") && packages.contains("fastapi");
    Ok((call.at_start && (own || brought)).then_some(()))
}

/// Refuses sources that start programs or open libraries which only the full image is known to have.
fn sources(usage: &Usage, inventory: &mut Inventory<'_>) -> Result<(), Why> {
    if usage.truncated {
        return Err(Why::new("the sources are too many to be read", ""));
    }
    if let Some(library) = usage.libraries.first() {
        return Err(Why::new(
            format!("{} opens the library {}", library.place, library.name),
            "",
        ));
    }
    if let Some(unknown) = usage
        .unknown
        .iter()
        .find(|unknown| matches!(unknown.kind, UnknownKind::Program | UnknownKind::Library))
    {
        return Err(Why::new(
            format!(
                "{} starts a program or opens a library by a computed name",
                unknown.place
            ),
            "",
        ));
    }
    inventory.started(
        usage
            .programs
            .iter()
            .map(|program| (program.name.as_str(), program.place.to_string())),
    )
}
