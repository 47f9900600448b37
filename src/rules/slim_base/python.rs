//! Python on a slim image: every requirement is known to come as a wheel, and the sources call nothing else.

use crate::catalog::{Ecosystem, ImageFacts, Nature};
use crate::model::{Stage, Verb};
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::bases::runs::{self, Call, Runs};
use crate::shell::Simple;
use crate::stack::python::{Python, Requirement};
use crate::stack::usage::{Budget, UnknownKind, Usage};
use crate::stack::{Details, STACKS};
use crate::syntax::Keyword;

use super::needs::Inventory;
use super::{nothing_from_other_stages, nothing_unseen, roots};

/// Modules that may run with `python -m` while the image is built.
const BUILD_MODULES: &[&str] = &["compileall", "ensurepip", "pip", "venv"];

/// Extras that bring wheels only.
const PLAIN_EXTRAS: &[&str] = &[
    "all",
    "argon2",
    "asyncio",
    "async",
    "bcrypt",
    "binary",
    "crypto",
    "cryptography",
    "email",
    "redis",
    "socks",
    "standard",
    "tls",
];

/// Endings whose types Python knows only from `/etc/mime.types`.
const TYPES_FROM_SYSTEM: &[&str] = &[
    ".apk", ".docx", ".epub", ".eot", ".flac", ".gpx", ".md", ".odt", ".ogg", ".otf", ".pptx",
    ".ttf", ".wasm", ".woff", ".woff2", ".xlsx", ".yaml", ".yml",
];

/// The oldest minor version of Python 3 for which current wheels are certain.
const OLDEST_WITH_WHEELS: u32 = 9;

pub(super) fn check(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    runs: &Runs,
    facts: &ImageFacts,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    nothing_from_other_stages(ctx, stages)?;
    nothing_unseen(ctx, stages)?;
    let project = project(ctx, stages);
    let mut packages = Vec::new();
    for index in stages
        .iter()
        .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
    {
        for operation in ctx.model.operations(index) {
            let manager = operation.manager.name.get();
            let line = inventory.line(index);
            if manager == "pip" && operation.verb == Verb::Install {
                let asked = asked(ctx, line, operation.simple, project.as_ref())?;
                packages.extend(asked.into_iter().map(|requirement| (requirement, line)));
            }
        }
    }
    let old = has_no_current_wheels(facts);
    for (requirement, line) in &packages {
        known(ctx, requirement, *line, old, inventory)?;
    }
    let names: Vec<&str> = packages
        .iter()
        .map(|(requirement, _)| requirement.name.as_str())
        .collect();
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

/// What `pip install` is asked for.
fn asked(
    ctx: &Ctx<'_>,
    line: usize,
    simple: &Simple,
    project: Option<&(Box<Python>, String)>,
) -> Result<Vec<Requirement>, Why> {
    let refuse = |what: &str| {
        Why::new(
            format!("line {line} installs {what}, which may have to be compiled"),
            "build in a stage of its own, and copy the result",
        )
    };
    let mut words = simple.arguments().iter();
    let mut requirements = Vec::new();
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
        let file = match text {
            "-r" | "--requirement" => words
                .next()
                .and_then(|word| std::str::from_utf8(word.literal.as_deref()?).ok()),
            _ => text.strip_prefix("--requirement=").or_else(|| {
                text.strip_prefix("-r")
                    .filter(|rest| !rest.is_empty() && !text.starts_with("--"))
            }),
        };
        if let Some(file) = file {
            let name = crate::model::path::file_name(file);
            let (python, _) = project.filter(|_| ctx.context.is_some()).ok_or_else(|| {
                Why::new(
                    format!("{name} is not seen"),
                    "run docker-diet with the build context",
                )
            })?;
            let mut found = python
                .requirements
                .values()
                .filter(|requirements| crate::model::path::file_name(&requirements.path) == name);
            let (Some(found), None) = (found.next(), found.next()) else {
                return Err(Why::new(
                    format!("which {name} line {line} reads is not known"),
                    "",
                ));
            };
            let odd = !found.unknown.is_empty()
                || !found.local_paths.is_empty()
                || !found.editables.is_empty()
                || !found.indexes.is_empty()
                || found
                    .options
                    .iter()
                    .any(|option| option.contains("no-binary"));
            if odd {
                return Err(refuse("more than packages of PyPI"));
            }
            requirements.extend(found.requirements.iter().cloned());
            continue;
        }
        match text {
            "-c" | "--constraint" | "--timeout" | "--retries" | "--cache-dir"
            | "--root-user-action" | "--progress-bar" | "--trusted-host" => {
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
            name => requirements.push(
                Requirement::parse(name)
                    .filter(|requirement| {
                        requirement.address.is_none() && !requirement.name.is_empty()
                    })
                    .ok_or_else(|| refuse(name))?,
            ),
        }
    }
    Ok(requirements)
}

fn has_no_current_wheels(facts: &ImageFacts) -> bool {
    let mut numbers = facts.version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(3)), Some(Ok(minor))) => minor < OLDEST_WITH_WHEELS,
        (Some(Ok(3)), None) => false,
        _ => true,
    }
}

/// Refuses a requirement that is not known to come without anything to compile.
fn known(
    ctx: &Ctx<'_>,
    requirement: &Requirement,
    line: usize,
    old: bool,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    let name = requirement.name.as_str();
    let stay = |why: String| {
        Err(Why::new(
            why,
            "build in a stage of its own, and copy the result",
        ))
    };
    if matches!(name, "pip" | "setuptools" | "wheel") {
        return Ok(());
    }
    let Some(native) = ctx.catalog.native(Ecosystem::Python, name) else {
        return stay(format!(
            "line {line} installs {name}, and whether it has native code is not known"
        ));
    };
    if !native.refuse.is_empty() {
        return stay(format!(
            "line {line} installs {name}, which {}",
            native.refuse
        ));
    }
    match native.nature {
        Nature::Pure | Nature::None => {}
        Nature::Wheel => {
            let pinned = requirement.versions.contains(['=', '<', '~'])
                && !requirement.versions.starts_with(">=");
            if pinned || requirement.versions.contains('<') {
                return stay(format!(
                    "line {line} installs {name}{}, for which there may be no wheel",
                    requirement.versions
                ));
            }
            if old {
                return stay(format!(
                    "line {line} installs {name}, whose wheels may not go with that version of Python"
                ));
            }
        }
        _ => return stay(format!("line {line} installs {name}, which is compiled")),
    }
    if let Some(extra) = requirement
        .extras
        .iter()
        .find(|extra| !PLAIN_EXTRAS.contains(&extra.as_str()))
    {
        return stay(format!(
            "line {line} installs {name}[{extra}], and what that brings is not known"
        ));
    }
    let programs = native.programs.get().iter();
    inventory.started(programs.map(|program| (program.get(), format!("the package {name}"))))?;
    for library in native.libraries("bookworm") {
        if !inventory.installs(library.get()) {
            return stay(format!(
                "{name} needs {library}, which the Dockerfile does not install by name"
            ));
        }
    }
    Ok(())
}

/// What is certain of calls that only Python explains: none where the inventory decides.
fn of_python(
    call: &Call,
    packages: &[&str],
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
                BUILD_MODULES.contains(&module)
                    || call.at_start
                        && (module == "http.server" || packages.contains(&top.as_str()))
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
    let brought = packages.contains(&name)
        || matches!(name, "django-admin") && packages.contains(&"django")
        || matches!(name, "fastapi" | "uvicorn") && packages.contains(&"fastapi");
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
