//! What the sources of the started programs write, and on which ports they listen.

use std::collections::BTreeSet;

use crate::catalog::Ecosystem;
use crate::context::{Context, Entry};
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::context_use::ContextUse;
use crate::stack::node;
use crate::stack::paths::extension;
use crate::stack::python::Python;
use crate::stack::usage::{Base, Budget, UnknownKind, Usage};
use crate::stack::writing::{Search, is_aside, well_known_port, writing_words};
use crate::stack::{Bounds, Details, STACKS, Uses, go, java, rust};

use super::image::low_port;
use super::program::{Language, no_sources};

/// Checks the sources that this file copies, in `language`.
///
/// # Errors
/// When they write what only root may, start other programs, listen on a low port, or are not all seen.
pub(super) fn check(ctx: &Ctx<'_>, language: Language) -> Result<(), Why> {
    let context = ctx.context.ok_or_else(no_sources)?;
    let copied = copied(ctx, context);
    let (name, endings): (&str, &[&str]) = match language {
        Language::C => ("c", &["c", "cc", "cpp", "cxx"]),
        Language::Go => ("go", &["go"]),
        Language::Java => ("java", &["java", "kt"]),
        Language::Node => (
            "node",
            &["js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx"],
        ),
        Language::Python => ("python", &["py"]),
        Language::Rust => ("rust", &["rs"]),
    };
    let is_source = |path: &&str| endings.contains(&extension(path)) && !is_aside(path);
    if !copied.iter().any(is_source) {
        return Err(no_sources());
    }
    if let Some(calls) = ctx.catalog.writing_calls(name) {
        match writing_words(context, copied.iter().copied(), calls, Bounds::default()) {
            Search::Found(evidence) => return Err(writes(&evidence.source, &evidence.fact)),
            Search::TooMuch => return Err(too_much()),
            Search::Clean(_) => {}
        }
        // EXPOSE says which ports the program listens on; without one the sources must.
        let says_nothing = ctx
            .model
            .final_stage()
            .is_none_or(|stage| stage.end.config.ports.is_empty());
        if says_nothing && let Some(found) = well_known_port(context, copied.iter().copied(), calls)
        {
            return Err(low_port(&format!(
                "{} names port {}",
                found.source, found.fact
            )));
        }
    }
    let is_copied = |source: &str| copied.contains(source) && !is_aside(source);
    match language {
        Language::Node => of_node(ctx, context, &copied),
        Language::Python => of_python(ctx, context, &copied),
        Language::Go => {
            packages(ctx, context, "go")?;
            let sources = go::scan("", "", context, Bounds::default());
            of_uses(&sources.uses(), is_copied)
        }
        Language::Rust => {
            packages(ctx, context, "rust")?;
            let rust = match detail(ctx, context, "rust", "") {
                Some(Details::Rust(rust)) => *rust,
                _ => rust::Rust::default(),
            };
            let sources = rust::scan("", "", &rust, context, Bounds::default());
            of_uses(&sources.uses, is_copied)
        }
        Language::Java => {
            spring(context, &copied)?;
            of_uses(
                &java::scan("", "", context, Bounds::default()).uses,
                is_copied,
            )
        }
        Language::C => Ok(()),
    }
}

/// The files of the context that any stage copies.
fn copied<'c>(ctx: &Ctx<'_>, context: &'c Context) -> BTreeSet<&'c str> {
    let uses = ContextUse::of(ctx);
    let mut found = Vec::new();
    for source in uses
        .files
        .first()
        .into_iter()
        .flat_map(|file| &file.sources)
    {
        for path in context.sources(&source.path) {
            if let Some((path, Entry::File { .. })) = context.entry(path).map(|entry| (path, entry))
            {
                found.push(path);
            } else {
                found.extend(context.under(path).map(|(path, _)| path));
            }
        }
    }
    // Collected at once: one by one, they would be most of what a large context costs here.
    found.into_iter().collect()
}

fn writes(place: &str, what: &str) -> Why {
    Why::new(
        format!("{place} ({what}) writes files, and the folder belongs to root"),
        "give that folder to a user, and write USER yourself",
    )
}

fn too_much() -> Why {
    Why::new("the sources are too many to be read", "")
}

fn starts(place: &str, program: &str) -> Why {
    Why::new(
        format!("{place} starts {program}, which may write anywhere"),
        "write USER yourself if it does not",
    )
}

fn detail(ctx: &Ctx<'_>, context: &Context, name: &str, root: &str) -> Option<Details> {
    let stack = STACKS.iter().find(|stack| stack.name() == name)?;
    Some(stack.detect(root, context, ctx.catalog)?.details)
}

/// Refuses packages of a Go module or Cargo workspace that need a right of root's.
fn packages(ctx: &Ctx<'_>, context: &Context, name: &str) -> Result<(), Why> {
    let manifest = if name == "go" { "go.mod" } else { "Cargo.toml" };
    let roots: BTreeSet<&str> = context
        .visible()
        .filter(|(path, _)| *path == manifest || path.ends_with(&format!("/{manifest}")))
        .map(|(path, _)| path.rsplit_once('/').map_or("", |(root, _)| root))
        .take(32)
        .collect();
    for root in roots {
        let kept = match detail(ctx, context, name, root) {
            Some(Details::Go(go)) => go
                .modules()
                .find_map(|module| ctx.catalog.root_need(Ecosystem::Go, module)),
            Some(Details::Rust(rust)) => {
                let named = rust.crates.iter().flat_map(|it| &it.dependencies);
                rust.packages
                    .keys()
                    .chain(named)
                    .find_map(|name| ctx.catalog.root_need(Ecosystem::Rust, name))
            }
            _ => None,
        };
        if let Some(kept) = kept {
            return Err(needs(kept.name.get(), kept.does.get()));
        }
    }
    Ok(())
}

fn needs(package: &str, does: &str) -> Why {
    let name = package.split_once('/').map_or(package, |(_, name)| name);
    Why::new(
        format!("{name} {does}"),
        "give another user what it needs, and write USER yourself",
    )
}

/// What the scans of Go, Rust and Java found.
fn of_uses(uses: &Uses, is_copied: impl Fn(&str) -> bool) -> Result<(), Why> {
    if !uses.complete {
        return Err(too_much());
    }
    let is_own = |source: &str| is_copied(source.rsplit_once(':').map_or(source, |(path, _)| path));
    for used in uses.writes.iter().filter(|used| is_own(&used.source)) {
        if !used.path.starts_with("/tmp/") && !used.path.starts_with("/dev/") {
            return Err(writes(&used.source, &used.path));
        }
    }
    for open in uses.open.iter().filter(|open| is_own(&open.source)) {
        let last = open.fact.rsplit('.').next().unwrap_or(&open.fact);
        if is_start(last) {
            return Err(starts(&open.source, "programs"));
        }
        if is_write(&open.fact, last) {
            return Err(writes(&open.source, &open.fact));
        }
    }
    if let Some(program) = uses.programs.iter().find(|it| is_own(&it.source)) {
        return Err(starts(&program.source, &program.fact));
    }
    for mark in uses.marked.iter().filter(|mark| is_own(&mark.source)) {
        let mut words = mark.fact.split(' ');
        let told = match (words.next(), words.next()) {
            (
                Some("database"),
                Some(
                    "postgres" | "pgx" | "mysql" | "sqlserver" | "mssql" | "clickhouse" | "oracle"
                    | "godror" | "cloudsqlpostgres" | "nrpostgres" | "nrmysql",
                ),
            ) => continue,
            (Some("database"), _) => "a database that may be a file",
            (Some("user"), _) => "looks up the user that it runs as",
            _ => continue,
        };
        return Err(Why::new(
            format!("{} {told}", mark.source),
            "write USER yourself if it runs without root",
        ));
    }
    low(&uses.ports)
}

fn is_start(function: &str) -> bool {
    matches!(
        function,
        "Command" | "CommandContext" | "exec" | "ProcessBuilder" | "new" | "LookPath"
    )
}

fn is_write(function: &str, last: &str) -> bool {
    matches!(
        last,
        "Create"
            | "WriteFile"
            | "Mkdir"
            | "MkdirAll"
            | "Rename"
            | "OpenFile"
            | "create"
            | "create_dir"
            | "create_dir_all"
            | "FileOutputStream"
            | "FileWriter"
    ) || function == "fs.write"
}

fn low(ports: &BTreeSet<u16>) -> Result<(), Why> {
    match ports.iter().find(|port| **port > 0 && **port < 1024) {
        Some(port) => Err(low_port(&format!("the sources name port {port}"))),
        None => Ok(()),
    }
}

/// What the scans of JavaScript and Python found.
fn of_usage(usage: &Usage, is_copied: impl Fn(&str) -> bool) -> Result<(), Why> {
    if usage.truncated {
        return Err(too_much());
    }
    for used in usage.writes.iter().filter(|it| is_copied(&it.place.file)) {
        let free = used.base == Base::Root
            && (used.path.starts_with("tmp/") || used.path.starts_with("dev/"));
        if !free {
            return Err(writes(&used.place.to_string(), &used.path));
        }
    }
    for unknown in usage.unknown.iter().filter(|it| is_copied(&it.place.file)) {
        match unknown.kind {
            UnknownKind::Write => {
                return Err(writes(&unknown.place.to_string(), "a computed path"));
            }
            UnknownKind::Program => return Err(starts(&unknown.place.to_string(), "programs")),
            _ => {}
        }
    }
    if let Some(program) = usage.programs.iter().find(|it| is_copied(&it.place.file)) {
        return Err(starts(&program.place.to_string(), &program.name));
    }
    low(&usage.ports)
}

fn of_node(ctx: &Ctx<'_>, context: &Context, copied: &BTreeSet<&str>) -> Result<(), Why> {
    let roots: Vec<&str> = copied
        .iter()
        .filter(|path| **path == "package.json" || path.ends_with("/package.json"))
        .filter(|path| !is_aside(path))
        .map(|path| path.rsplit_once('/').map_or("", |(root, _)| root))
        .collect();
    let is_copied = |source: &str| copied.contains(source) && !is_aside(source);
    let mut outermost: Vec<&str> = Vec::new();
    for root in roots {
        let Some(node) = node::project(root, context, ctx.catalog) else {
            continue;
        };
        for package in node.manifest.dependencies.keys() {
            if let Some(kept) = ctx.catalog.root_need(Ecosystem::Node, package) {
                return Err(needs(kept.name.get(), kept.does.get()));
            }
        }
        let is_inner = outermost
            .iter()
            .any(|outer| outer.is_empty() || root.starts_with(&format!("{outer}/")));
        if !is_inner {
            outermost.push(root);
            of_usage(&node.usage(context, Budget::default()), is_copied)?;
        }
    }
    if outermost.is_empty() {
        // Scripts without a manifest.
        return of_usage(
            &node::scripts("").usage(context, Budget::default()),
            is_copied,
        );
    }
    Ok(())
}

fn of_python(ctx: &Ctx<'_>, context: &Context, copied: &BTreeSet<&str>) -> Result<(), Why> {
    let is_manifest = |path: &str| {
        let name = crate::model::path::file_name(path);
        matches!(
            name,
            "pyproject.toml" | "Pipfile" | "setup.py" | "setup.cfg"
        ) || name.starts_with("requirements") && name.ends_with(".txt")
    };
    let roots: BTreeSet<&str> = copied
        .iter()
        .filter(|path| is_manifest(path) && !is_aside(path))
        .map(|path| path.rsplit_once('/').map_or("", |(root, _)| root))
        .collect();
    for root in roots {
        let Some(Details::Python(python)) = detail(ctx, context, "python", root) else {
            continue;
        };
        for requirement in &python.dependencies {
            if let Some(need) = ctx.catalog.root_need(Ecosystem::Python, &requirement.name) {
                return Err(needs(need.name.get(), need.does.get()));
            }
        }
    }
    let is_copied = |source: &str| copied.contains(source) && !is_aside(source);
    of_usage(&Python::sources(context, "", Budget::default()), is_copied)
}

/// What Spring's and the loggers' configuration says: ports, and logs that go to files.
fn spring(context: &Context, copied: &BTreeSet<&str>) -> Result<(), Why> {
    for path in copied.iter().filter(|path| !is_aside(path)) {
        let name = crate::model::path::file_name(path);
        if !(name.starts_with("application") || name.starts_with("bootstrap")) {
            continue;
        }
        let Some(text) = context.read_str(path) else {
            continue;
        };
        let mut section = "";
        for (number, line) in text.lines().enumerate() {
            let place = format!("{path}:{}", number + 1);
            let Some((key, value)) = line.split_once([':', '=']) else {
                continue;
            };
            if !line.starts_with([' ', '\t']) {
                section = key.trim();
            }
            let (key, value) = (key.trim(), value.trim());
            let is_port = key == "server.port" || section == "server" && key == "port";
            let default = value
                .trim_end_matches('}')
                .rsplit([':', '}'])
                .next()
                .unwrap_or_default();
            if is_port && super::image::is_low(default.trim()) {
                return Err(low_port(&format!("{place} says {value}")));
            }
            if section == "logging" && matches!(key, "file" | "path") {
                return Err(writes(&place, "a log file"));
            }
        }
    }
    Ok(())
}
