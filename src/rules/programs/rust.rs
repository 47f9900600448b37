//! Rust: the programs that Cargo leaves, on the C library of their release.

use std::collections::BTreeSet;

use crate::catalog::{Ecosystem, Nature, WordSet};
use crate::model::path::resolve;
use crate::rules::bases::Kind;
use crate::rules::{BaseFamilies, Ctx};
use crate::stack::rust::{Rust, RustStack, cargo_output, scan};
use crate::stack::{Bounds, Details, Stack};

use super::anatomy::Anatomy;
use super::files::{self, Files};
use super::start::{Made, Start};
use super::trace::Call;
use super::{Built, Compiled, Program, Why, release};

/// Finds the programs of stages that build a Rust program.
pub(crate) struct RustPrograms;

impl Compiled for RustPrograms {
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>> {
        let builds = |call: &Call<'_>| {
            call.name() == "cargo"
                && call
                    .operands()
                    .any(|word| matches!(word, "build" | "b" | "install"))
        };
        Built::by(anatomy, builds, |name| name == "cargo", program_that_starts)
    }
}

fn program_that_starts(
    anatomy: &Anatomy<'_>,
    calls: &[Call<'_>],
    start: &Start,
) -> Result<Program, Why> {
    let workdir = anatomy.stage.end.config.workdir.as_deref().unwrap_or("/");
    let no_files = BTreeSet::new();
    let files = Files::of(anatomy, &no_files);
    let workspace_at = |folder: &str| Workspace::of(anatomy, files.as_ref()?, folder);
    let made = Made::of(calls, |call| {
        call.folder
            .as_deref()
            .filter(|_| call.name() == "cargo")
            .and_then(workspace_at)
            .map_or_else(Vec::new, |workspace| outputs(anatomy, call, &workspace))
    });
    let runs = start.runs(|name| name == "cargo");
    if runs {
        let Some(workspace) = workspace_at(workdir) else {
            return Err(no_sources(anatomy, start.index));
        };
        return program_that_is_run(anatomy, start, &workspace, &made);
    }
    let artifacts = made.started(
        anatomy,
        start,
        "no `cargo build` of this file",
        "build it with cargo in a RUN, and start the file that it leaves",
    )?;
    let build = calls
        .iter()
        .rev()
        .filter(|call| call.name() == "cargo")
        .find_map(|call| workspace_at(call.folder.as_deref()?));
    let Some(workspace) = build else {
        return Err(no_sources(anatomy, start.index));
    };
    let is_static = made.files.keys().any(|path| path.contains("-musl/"));
    program(anatomy, &workspace, artifacts, is_static)
}

/// `cargo run` as the command that starts: built in a RUN where it is not yet, and started.
fn program_that_is_run(
    anatomy: &Anatomy<'_>,
    start: &Start,
    workspace: &Workspace,
    made: &Made,
) -> Result<Program, Why> {
    let words: Vec<&str> = start.main().iter().map(String::as_str).collect();
    let config = &anatomy.stage.end.config;
    let alone = config.entrypoint.set().is_none() || config.cmd.set().is_none();
    let runs = words.iter().any(|word| matches!(*word, "run" | "r"));
    let folder = anatomy
        .ctx
        .model
        .state(start.index)
        .variables
        .get("CARGO_TARGET_DIR")
        .cloned();
    let found = cargo_output(&words, &workspace.rust, folder.as_deref()).unwrap_or_default();
    let wanted = workspace
        .rust
        .crates
        .iter()
        .find_map(|package| package.default_run.clone());
    let found: Vec<_> = match (found.len(), wanted) {
        (0 | 1, _) | (_, None) => found,
        (_, Some(wanted)) => found
            .into_iter()
            .filter(|(_, name)| *name == wanted)
            .collect(),
    };
    let ([(path, _)], false, true, true) = (found.as_slice(), start.shell, runs, alone) else {
        return Err(Why::new(
            start.index,
            format!(
                "line {} calls the compiler when the container starts, and which program it means cannot be told",
                anatomy.line(start.index)
            ),
            "build in a RUN and start the program",
        ));
    };
    let path = resolve(&workspace.image, path);
    let end = words.iter().position(|word| *word == "--");
    let (flags, rest) = match end {
        Some(at) => (&words[1..at], &words[at + 1..]),
        None => (&words[1..], &words[words.len()..]),
    };
    let plain = flags.iter().skip(1).enumerate().all(|(at, word)| {
        word.starts_with('-')
            || at > 0
                && matches!(
                    flags[at],
                    "--bin"
                        | "-p"
                        | "--package"
                        | "--features"
                        | "--manifest-path"
                        | "--profile"
                        | "--target"
                )
    });
    if !plain {
        return Err(Why::new(
            start.index,
            "`cargo run` passes words that are not separated by `--`",
            "build in a RUN and start the program",
        ));
    }
    let mut program = program(
        anatomy,
        workspace,
        vec![path.clone()],
        path.contains("-musl/"),
    )?;
    if !made.files.contains_key(&path) {
        let flags: Vec<&str> = flags
            .iter()
            .map(|word| {
                if matches!(*word, "run" | "r") {
                    "build"
                } else {
                    word
                }
            })
            .collect();
        program.build_last = vec![format!("RUN cargo {}", flags.join(" "))];
    }
    let workdir = config.workdir.as_deref().unwrap_or("/");
    let mut command = vec![files::relative(&path, workdir)];
    command.extend(rest.iter().map(|word| (*word).to_owned()));
    program.command = Some(command);
    Ok(program)
}

/// A package or workspace.
struct Workspace {
    /// Its folder in the image.
    image: String,
    /// Its folder in the context.
    root: String,
    rust: Rust,
}

impl Workspace {
    /// The outermost workspace that the folder `folder` of the image belongs to, else the nearest package.
    fn of(anatomy: &Anatomy<'_>, files: &Files<'_>, folder: &str) -> Option<Self> {
        let context = anatomy.ctx.context?;
        let mut at = folder;
        let mut found: Option<Self> = None;
        loop {
            if let Some(path) = files.context_path(&resolve(at, "Cargo.toml")) {
                let root = path
                    .rsplit_once('/')
                    .map_or("", |(root, _)| root)
                    .to_owned();
                if let Some(Details::Rust(rust)) = RustStack
                    .detect(&root, context, anatomy.ctx.catalog)
                    .map(|project| project.details)
                    && (found.is_none() || rust.workspace)
                {
                    found = Some(Self {
                        image: at.to_owned(),
                        root,
                        rust: *rust,
                    });
                }
            }
            if at == "/" {
                return found;
            }
            at = files::parent(at);
        }
    }
}

/// Whether the image with the C library and C++ has a library: Chainguard's has no OpenSSL.
fn is_in_cc(ctx: &Ctx<'_>, package: &str) -> bool {
    let is_chainguard = ctx.settings.bases == BaseFamilies::Chainguard;
    ctx.catalog
        .has_word(WordSet::DistrolessCcLibraries, package)
        && !(is_chainguard && package.starts_with("libssl"))
}

/// The files that a `cargo` command leaves, by their paths in the image.
fn outputs(anatomy: &Anatomy<'_>, call: &Call<'_>, workspace: &Workspace) -> Vec<String> {
    let words: Vec<&str> = call
        .words
        .iter()
        .map(|word| word.as_deref().unwrap_or("?"))
        .collect();
    let state = anatomy.ctx.model.state(call.index);
    let variable = |name: &str| {
        call.variable(name)
            .map(str::to_owned)
            .or_else(|| state.variables.get(name).cloned())
    };
    let folder = variable("CARGO_TARGET_DIR");
    let home = variable("CARGO_HOME").or_else(|| {
        let official = matches!(&anatomy.stage.base, crate::model::Base::Image { facts: Some(facts), .. } if facts.family.name == *"rust");
        (!official).then(|| "/root/.cargo".to_owned())
    });
    let found = cargo_output(&words, &workspace.rust, folder.as_deref()).unwrap_or_default();
    found
        .into_iter()
        .map(
            |(path, _)| match (&home, path.strip_prefix("/usr/local/cargo/")) {
                (Some(home), Some(below)) => resolve(home, below),
                _ => resolve(&workspace.image, &path),
            },
        )
        .collect()
}

fn no_sources(anatomy: &Anatomy<'_>, index: usize) -> Why {
    Why::new(
        index,
        format!(
            "no Cargo.toml for the program of line {} is in the build context",
            anatomy.line(index)
        ),
        "run docker-diet with the context that the image is built from",
    )
}

/// The crates with libraries of the system that an install without a lock file may bring.
///
/// # Errors
/// With the first requirement of which that is not known.
fn unlocked(anatomy: &Anatomy<'_>, rust: &Rust) -> Result<Option<&'static str>, Why> {
    let catalog = anatomy.ctx.catalog;
    let own = |name: &str| rust.crates.iter().any(|package| package.name == name);
    let mut found = None;
    for name in rust
        .crates
        .iter()
        .flat_map(|package| &package.dependencies)
        .filter(|name| !own(name))
    {
        if catalog.has_word(WordSet::CratesWithOpenssl, name) {
            found = Some("openssl-sys");
        } else if !catalog.has_word(WordSet::CratesWithoutLibraries, name) {
            return Err(Why::new(
                anatomy.stage.from,
                format!("Cargo.lock is not seen, and which libraries {name} links is not known"),
                "commit Cargo.lock",
            ));
        }
    }
    Ok(found)
}

/// What the programs of `workspace` need.
fn program(
    anatomy: &Anatomy<'_>,
    workspace: &Workspace,
    artifacts: Vec<String>,
    is_static: bool,
) -> Result<Program, Why> {
    let ctx = anatomy.ctx;
    let rust = &workspace.rust;
    let Some(context) = ctx.context else {
        return Err(no_sources(anatomy, anatomy.stage.from));
    };
    let no_files = BTreeSet::new();
    let workdir = anatomy.stage.end.config.workdir.as_deref().unwrap_or("/");
    let context_workdir = Files::of(anatomy, &no_files)
        .and_then(|files| files.context_path(workdir))
        .unwrap_or_else(|| workspace.root.clone());
    let sources = scan(
        &workspace.root,
        &context_workdir,
        rust,
        context,
        Bounds::default(),
    );
    let is_alpine = ctx
        .model
        .base_facts(anatomy.stage.index)
        .and_then(|facts| facts.distribution())
        == Some("alpine");
    let flags = format!(
        "{} {}",
        anatomy
            .stage
            .end
            .variables
            .get("RUSTFLAGS")
            .map_or("", String::as_str),
        ctx.context
            .and_then(|context| context.read_str(".cargo/config.toml"))
            .unwrap_or_default()
    );
    let is_static = is_static || is_alpine && !flags.contains("-crt-static");
    let release = release(anatomy);
    let mut libraries = Vec::new();
    if rust.packages.is_empty()
        && !is_static
        && let Some(name) = unlocked(anatomy, rust)?
    {
        let native = ctx.catalog.native(Ecosystem::Rust, name);
        let needed = native.into_iter().flat_map(|it| it.libraries(release));
        libraries.extend(
            needed
                .map(|name| name.get())
                .filter(|name| !is_in_cc(ctx, name))
                .map(str::to_owned),
        );
    }
    for name in rust.packages.keys() {
        let Some(native) = ctx.catalog.native(Ecosystem::Rust, name) else {
            continue;
        };
        if !native.refuse.is_empty() {
            return Err(Why::new(
                anatomy.stage.from,
                format!("{name} {}", native.refuse),
                "",
            ));
        }
        if matches!(native.nature, Nature::Source | Nature::Vendored) && !is_static {
            let needed = native.libraries(release).iter().map(|name| name.get());
            libraries.extend(
                needed
                    .filter(|name| !is_in_cc(ctx, name))
                    .map(str::to_owned),
            );
        }
    }
    let kind = if is_static {
        Kind::Static
    } else {
        Kind::Glibc { libstdcpp: true }
    };
    Ok(Program {
        artifacts,
        project: workspace.image.clone(),
        root: workspace.root.clone(),
        libraries,
        uses: sources.uses,
        embedded: sources.included.into_iter().collect(),
        framework: sources.framework_files,
        build_variables: Some(WordSet::CargoVariables),
        ..Program::new(kind, "the Rust program")
    })
}
