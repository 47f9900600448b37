//! Go: one binary, static where no C is linked.

use std::collections::BTreeSet;

use crate::catalog::{Ecosystem, Nature, WordSet};
use crate::model::path::{file_name, resolve};
use crate::rules::bases::Kind;
use crate::stack::go::{Go, GoOutput, GoPackage, GoSources, GoStack, go_output, scan};
use crate::stack::{Bounds, Details, Stack, Uses};
use crate::text::Edit;

use super::anatomy::Anatomy;
use super::files::{self, Files};
use super::start::{Made, Start};
use super::trace::Call;
use super::{Built, Compiled, Program, Why, headers, release};

/// Finds the programs of stages that build a Go program.
pub(crate) struct GoPrograms;

impl Compiled for GoPrograms {
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>> {
        let builds = |call: &Call<'_>| {
            call.name() == "go"
                && call
                    .operands()
                    .any(|word| matches!(word, "build" | "install"))
        };
        Built::by(anatomy, builds, |name| name == "go", program_that_starts)
    }
}

fn program_that_starts(
    anatomy: &Anatomy<'_>,
    calls: &[Call<'_>],
    start: &Start,
) -> Result<Program, Why> {
    if start.runs(|name| name == "go") {
        return program_that_is_run(anatomy, start);
    }
    let no_files = BTreeSet::new();
    let files = Files::of(anatomy, &no_files);
    let module_at = |call: &Call<'_>| Module::of(anatomy, files.as_ref()?, call.folder.as_deref()?);
    let made = Made::of(calls, |call| {
        module_at(call).map_or_else(Vec::new, |module| outputs(anatomy, call, &module))
    });
    let artifacts = made.started(
        anatomy,
        start,
        "no `go build` of this file",
        "build it with `go build -o` in a RUN, and start that file",
    )?;
    // The build that made it: the last one at or before the RUN that put it where it is.
    let main = artifacts.last().cloned().unwrap_or_default();
    let made_by = made.files.get(&main).copied().unwrap_or_default();
    let build = calls
        .iter()
        .rev()
        .filter(|call| call.index <= made_by && call.name() == "go")
        .find(|call| {
            module_at(call).is_some_and(|module| !outputs(anatomy, call, &module).is_empty())
        });
    let (Some(build), true) = (build, !artifacts.is_empty()) else {
        return Err(Why::new(
            start.index,
            "no `go build` makes the program that starts",
            "",
        ));
    };
    let Some(module) = module_at(build) else {
        return Err(no_sources(anatomy, build.index));
    };
    let mut program = program(anatomy, &module, build, artifacts)?;
    let needs_c = program.kind != Kind::Static;
    program.build_edits = calls
        .iter()
        .filter(|call| call.name() == "go" && !call.inner)
        .filter(|call| {
            module_at(call).is_some_and(|module| !outputs(anatomy, call, &module).is_empty())
        })
        .flat_map(|call| edits(anatomy, call, needs_c, &program.uses))
        .collect();
    Ok(program)
}

/// `go run` as the command that starts: it is built, and what it would have run is started.
fn program_that_is_run(anatomy: &Anatomy<'_>, start: &Start) -> Result<Program, Why> {
    let words = start.main();
    let config = &anatomy.stage.end.config;
    let alone = config.entrypoint.set().is_none() || config.cmd.set().is_none();
    if words.get(1).map(String::as_str) != Some("run") || start.shell || !alone {
        return Err(Why::new(
            start.index,
            format!(
                "line {} calls the compiler when the container starts",
                anatomy.line(start.index)
            ),
            "build in a RUN and start the program",
        ));
    }
    let rest = &words[2..];
    let flags = rest.iter().take_while(|word| word.starts_with('-')).count();
    if rest[..flags]
        .iter()
        .any(|flag| matches!(flag.as_str(), "-exec" | "-ldflags" | "-tags" | "-mod"))
    {
        return Err(Why::new(
            start.index,
            "`go run` has flags with values",
            "build in a RUN and start the program",
        ));
    }
    let sources = rest[flags..]
        .iter()
        .take_while(|word| word.ends_with(".go"))
        .count()
        .max(1);
    let packages = rest.get(flags..flags + sources).unwrap_or_default();
    if packages.is_empty() || packages.iter().any(|package| package.contains('@')) {
        return Err(Why::new(
            start.index,
            "`go run` names no package of this project",
            "build in a RUN and start the program",
        ));
    }
    let workdir = config.workdir.clone().unwrap_or_else(|| "/".to_owned());
    let no_files = BTreeSet::new();
    let module =
        Files::of(anatomy, &no_files).and_then(|files| Module::of(anatomy, &files, &workdir));
    let Some(module) = module else {
        return Err(no_sources(anatomy, start.index));
    };
    let package = &packages[0];
    let folder = if package.ends_with(".go") {
        files::parent(&resolve(&workdir, package)).to_owned()
    } else {
        resolve(&workdir, package)
    };
    let name = module.program_name(&folder);
    let path = format!("/usr/local/bin/{name}");
    let mut program = program_of(
        anatomy,
        &module,
        &folder,
        None,
        vec![path.clone()],
        start.index,
    )?;
    let cgo = if program.kind == Kind::Static
        && environment(anatomy, start.index, "CGO_ENABLED").is_none()
    {
        "CGO_ENABLED=0 "
    } else {
        ""
    };
    let trim = if program.uses.marked("caller").next().is_some() {
        ""
    } else {
        "-trimpath "
    };
    let words: Vec<&str> = rest[..flags + sources].iter().map(String::as_str).collect();
    program.build_last = vec![format!(
        "RUN {cgo}go build {trim}-ldflags=\"-s -w\" -o {path} {}",
        words.join(" ")
    )];
    let mut command = vec![name];
    command.extend(rest[flags + sources..].iter().cloned());
    program.command = Some(command);
    Ok(program)
}

/// A module, or a folder of sources without one.
struct Module {
    /// Its folder in the image.
    image: String,
    /// Its folder in the context.
    root: String,
    name: Option<String>,
    go: Go,
    sources: std::rc::Rc<GoSources>,
}

impl Module {
    /// The module that the folder `folder` of the image belongs to.
    fn of(anatomy: &Anatomy<'_>, files: &Files<'_>, folder: &str) -> Option<Self> {
        let context = anatomy.ctx.context?;
        let mut at = folder;
        let found = loop {
            if let Some(path) = files.context_path(&resolve(at, "go.mod")) {
                break Some((at.to_owned(), path));
            }
            if at == "/" {
                break None;
            }
            at = files::parent(at);
        };
        let (image, root) = match found {
            Some((image, path)) => {
                let root = path.rsplit_once('/').map_or("", |(root, _)| root);
                (image, root.to_owned())
            }
            None => (folder.to_owned(), files.context_path(folder)?),
        };
        let project = GoStack.detect(&root, context, anatomy.ctx.catalog);
        let go = match project.map(|project| project.details) {
            Some(Details::Go(go)) => *go,
            _ => Go::default(),
        };
        let wide = !go.local_replaces.is_empty() || !go.workspace.is_empty();
        let scanned = if wide { "" } else { root.as_str() };
        let workdir = anatomy.stage.end.config.workdir.as_deref().unwrap_or("/");
        let context_workdir = files.context_path(workdir).unwrap_or_else(|| root.clone());
        let sources = scan(scanned, &context_workdir, context, Bounds::default());
        if sources.packages.is_empty() {
            return None;
        }
        Some(Self {
            image,
            name: go.module.clone(),
            root,
            go,
            sources: std::rc::Rc::new(sources),
        })
    }

    /// A folder of the image as one of the context.
    fn context_folder(&self, image: &str) -> String {
        let below = image
            .strip_prefix(self.image.trim_end_matches('/'))
            .unwrap_or_default()
            .trim_matches('/');
        match (self.root.is_empty(), below.is_empty()) {
            (true, _) => below.to_owned(),
            (false, true) => self.root.clone(),
            (false, false) => format!("{}/{below}", self.root),
        }
    }

    /// The main packages, seen from the module's root.
    fn mains(&self) -> Vec<&str> {
        self.sources
            .mains()
            .filter_map(|main| match self.root.as_str() {
                "" => Some(main),
                root if main == root => Some(""),
                root => main.strip_prefix(root)?.strip_prefix('/'),
            })
            .collect()
    }

    /// A name for the program of a folder of the image.
    fn program_name(&self, folder: &str) -> String {
        let name = if folder == self.image {
            self.name
                .as_deref()
                .unwrap_or("app")
                .rsplit('/')
                .next()
                .unwrap_or("app")
        } else {
            file_name(folder)
        };
        let plain = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if plain && name != "go" {
            name.to_owned()
        } else {
            "app".to_owned()
        }
    }
}

/// The files that a `go` command leaves, by their paths in the image.
fn outputs(anatomy: &Anatomy<'_>, call: &Call<'_>, module: &Module) -> Vec<String> {
    if call.name() != "go" {
        return Vec::new();
    }
    let words: Vec<&str> = call
        .words
        .iter()
        .map(|word| word.as_deref().unwrap_or("?"))
        .collect();
    let folder = call.folder.as_deref().unwrap_or("/");
    let below = folder
        .strip_prefix(module.image.trim_end_matches('/'))
        .unwrap_or_default()
        .trim_matches('/');
    match go_output(&words, module.name.as_deref(), below, &module.mains()) {
        Some(GoOutput::File(path)) => {
            let path = call.absolute(&path).unwrap_or_default();
            vec![path]
        }
        Some(GoOutput::Folder(path, names)) => {
            let path = call.absolute(&path).unwrap_or_default();
            names.iter().map(|name| resolve(&path, name)).collect()
        }
        Some(GoOutput::Installed(names)) => {
            let remote = call.operands().skip(1).any(|word| {
                word.contains('@')
                    || word
                        .split('/')
                        .next()
                        .is_some_and(|first| first.contains('.') && !first.starts_with('.'))
                        && !module
                            .name
                            .as_deref()
                            .is_some_and(|name| word.starts_with(name))
            });
            if remote {
                return Vec::new();
            }
            let variable = |name: &str| {
                call.variable(name)
                    .map(str::to_owned)
                    .or_else(|| environment(anatomy, call.index, name))
            };
            let folder = variable("GOBIN").unwrap_or_else(|| {
                format!(
                    "{}/bin",
                    variable("GOPATH").unwrap_or_else(|| "/go".to_owned())
                )
            });
            names.iter().map(|name| resolve(&folder, name)).collect()
        }
        None => Vec::new(),
    }
}

/// A variable of ENV or ARG before the instruction at `index`.
fn environment(anatomy: &Anatomy<'_>, index: usize, name: &str) -> Option<String> {
    anatomy.ctx.model.state(index).variables.get(name).cloned()
}

fn no_sources(anatomy: &Anatomy<'_>, index: usize) -> Why {
    Why::new(
        index,
        format!(
            "the Go sources that line {} builds are not in the build context",
            anatomy.line(index)
        ),
        "run docker-diet with the context that the image is built from",
    )
}

/// What the program that `build` makes needs.
fn program(
    anatomy: &Anatomy<'_>,
    module: &Module,
    build: &Call<'_>,
    artifacts: Vec<String>,
) -> Result<Program, Why> {
    let folder = build.folder.clone().unwrap_or_default();
    let package = build
        .words
        .iter()
        .flatten()
        .rev()
        .find(|word| word.ends_with(".go") || word.as_str() == "." || word.starts_with("./"));
    let folder = match package {
        Some(file) if file.ends_with(".go") => files::parent(&resolve(&folder, file)).to_owned(),
        Some(package) => resolve(&folder, package),
        None => folder,
    };
    program_of(
        anatomy,
        module,
        &folder,
        Some(build),
        artifacts,
        build.index,
    )
}

fn program_of(
    anatomy: &Anatomy<'_>,
    module: &Module,
    folder: &str,
    build: Option<&Call<'_>>,
    artifacts: Vec<String>,
    anchor: usize,
) -> Result<Program, Why> {
    let ctx = anatomy.ctx;
    let main = module.context_folder(folder);
    let wide = !module.go.local_replaces.is_empty() || !module.go.workspace.is_empty();
    let reached = match &module.name {
        Some(name) if !wide && artifacts.len() == 1 => {
            module.sources.reachable(&main, name, &module.root)
        }
        _ => Vec::new(),
    };
    let packages: Vec<_> = if reached.is_empty() {
        module
            .sources
            .packages
            .iter()
            .map(|(folder, package)| (folder.as_str(), package))
            .collect()
    } else {
        reached
    };
    let mut uses = Uses {
        complete: module.sources.complete,
        ..Uses::default()
    };
    let mut embedded = BTreeSet::new();
    for (folder, package) in &packages {
        uses.merge(&package.uses);
        for pattern in &package.embeds {
            let path = resolve(&format!("/{folder}"), &pattern.fact);
            embedded.insert(
                path.trim_start_matches('/')
                    .trim_end_matches("/*")
                    .to_owned(),
            );
        }
    }
    if let Some(plugin) = uses.marked("plugin").next() {
        return Err(Why::new(
            anchor,
            format!("{} opens plugins", plugin.source),
            "split the file by hand",
        ));
    }
    let explicit = build
        .and_then(|build| build.variable("CGO_ENABLED").map(str::to_owned))
        .or_else(|| environment(anatomy, anchor, "CGO_ENABLED"));
    let races = build.is_some_and(|build| {
        build
            .words
            .iter()
            .flatten()
            .any(|word| word == "-race" || word.contains("buildmode"))
    });
    let mut libraries = Vec::new();
    let kind = if explicit.as_deref() == Some("0") {
        Kind::Static
    } else {
        let release = release(anatomy);
        let mut needs_c = explicit.is_some() || races || build.is_some_and(|build| build.inner);
        let own = packages.iter().find_map(|(_, package)| package.cgo.first());
        let mut known_only = true;
        for path in module.go.modules() {
            let Some(native) = ctx.catalog.native(Ecosystem::Go, path) else {
                continue;
            };
            if native.nature == Nature::Cgo {
                needs_c = true;
                known_only &= path.ends_with("go-sqlite3");
                if !native.refuse.is_empty() {
                    return Err(Why::new(anchor, format!("{path} {}", native.refuse), ""));
                }
                libraries.extend(
                    native
                        .libraries(release)
                        .iter()
                        .map(|name| name.get().to_owned()),
                );
            }
        }
        if may_bring_c(
            anatomy,
            &module.go,
            packages.iter().map(|(_, package)| *package),
        ) {
            needs_c = true;
            known_only = false;
        }
        if let Some(own) = own {
            needs_c = true;
            known_only = false;
            if let Some(package) = headers(anatomy).first() {
                return Err(Why::new(
                    anchor,
                    format!(
                        "{} links C libraries, and what `{package}` brings to runtime is not known",
                        own.source
                    ),
                    "split the file by hand",
                ));
            }
        }
        if needs_c {
            Kind::Glibc {
                libstdcpp: !known_only,
            }
        } else {
            Kind::Static
        }
    };
    Ok(Program {
        artifacts,
        project: module.image.clone(),
        root: module.root.clone(),
        libraries,
        uses,
        embedded,
        build_variables: Some(WordSet::GoVariables),
        ..Program::new(kind, "the Go program")
    })
}

/// Whether a module that no go.sum shows may link C: one that is imported and not known, with all that it requires.
fn may_bring_c<'p>(
    anatomy: &Anatomy<'_>,
    go: &Go,
    packages: impl Iterator<Item = &'p GoPackage>,
) -> bool {
    if !go.sums.is_empty() || go.vendored {
        return false;
    }
    let is_own = |path: &str| {
        go.module
            .as_deref()
            .is_some_and(|module| path.strip_prefix(module).is_some_and(is_end))
    };
    let is_pure = |path: &str| {
        path.match_indices('/')
            .map(|(at, _)| &path[..at])
            .chain([path])
            .filter_map(|module| anatomy.ctx.catalog.native(Ecosystem::Go, module))
            .any(|native| native.nature == Nature::Pure)
    };
    packages
        .flat_map(|package| &package.imports)
        .filter(|path| path.split('/').next().is_some_and(|it| it.contains('.')))
        .any(|path| !is_own(path) && !is_pure(path))
}

/// Whether the rest of a path begins where a folder ends.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The flags that make the program smaller and static, put into the command that builds it.
fn edits(anatomy: &Anatomy<'_>, call: &Call<'_>, needs_c: bool, uses: &Uses) -> Vec<Edit> {
    let mut edits = Vec::new();
    let explicit = call.variable("CGO_ENABLED").is_some()
        || environment(anatomy, call.index, "CGO_ENABLED").is_some();
    if !needs_c && !explicit {
        edits.push(Edit::insert(call.simple.span.start, "CGO_ENABLED=0 "));
    }
    let words = call.simple.arguments();
    let Some(verb) = words
        .iter()
        .find(|word| matches!(word.literal.as_deref(), Some(b"build" | b"install")))
    else {
        return edits;
    };
    let flags = environment(anatomy, call.index, "GOFLAGS").unwrap_or_default();
    let has = |name: &str| {
        flags.contains(name)
            || words.iter().any(|word| {
                word.raw.starts_with(name.as_bytes())
                    || word.raw.starts_with(format!("-{name}").as_bytes())
            })
    };
    let mut added = String::new();
    if !has("-trimpath") && uses.marked("caller").next().is_none() {
        added.push_str(" -trimpath");
    }
    if !has("-ldflags") {
        added.push_str(" -ldflags=\"-s -w\"");
    } else if let Some(edit) = merged_flags(call) {
        edits.push(edit);
    }
    if !added.is_empty() {
        edits.push(Edit::insert(verb.span.end, added));
    }
    edits
}

/// `-s -w` at the head of the linker flags that are there already.
fn merged_flags(call: &Call<'_>) -> Option<Edit> {
    let words = call.simple.arguments();
    let at = words
        .iter()
        .position(|word| word.raw.starts_with(b"-ldflags"))?;
    let (word, skip) = match words[at].raw.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&words[at], equals + 1),
        None => (words.get(at + 1)?, 0),
    };
    let value = &word.raw[skip..];
    let quote = *value.first()?;
    let text = String::from_utf8_lossy(value).into_owned();
    let strips = text
        .split([' ', '"', '\''])
        .any(|part| matches!(part, "-s" | "-w"));
    if !word.contiguous || strips || !matches!(quote, b'"' | b'\'') {
        return None;
    }
    Some(Edit::insert(word.span.start + skip + 1, "-s -w "))
}
