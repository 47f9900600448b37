//! What Rust sources include when they are compiled and use when they run.

use super::super::lexer::{Kind, Language, tokens};
use super::super::paths::{self, Bounds};
use super::super::uses::{Callee, Does, Table, Uses};
use super::Rust;
use crate::context::Context;

/// What the sources of a package or workspace say.
#[derive(Clone, Debug, Default)]
pub struct RustSources {
    /// What the program uses when it runs.
    pub uses: Uses,
    /// Files that are compiled in (`include_str!`, `include_dir!`, `embed_migrations!`), paths in the context.
    pub included: Vec<String>,
    /// Files and folders that its frameworks read when it runs (`Rocket.toml`, `templates`), paths in the context.
    pub framework_files: Vec<String>,
}

/// Reads the Rust sources below `root`; `workdir` is the folder of the context that the process runs in.
#[must_use]
pub fn scan(
    root: &str,
    workdir: &str,
    rust: &Rust,
    context: &Context,
    bounds: Bounds,
) -> RustSources {
    let table = Table::new(CALLEES);
    let mut sources = RustSources::default();
    let accept = |path: &str| {
        path.ends_with(".rs")
            && !paths::passes_through(
                path,
                &[
                    "target",
                    "tests",
                    "benches",
                    "examples",
                    "vendor",
                    "node_modules",
                ],
            )
    };
    let complete = paths::each_text(context, root, bounds, accept, |path, text| {
        let tokens = tokens(text, Language::Rust);
        for window in tokens.windows(4) {
            let [macro_name, bang, open, argument] = window else {
                continue;
            };
            if bang.kind != Kind::Mark(b'!') || open.kind != Kind::Mark(b'(') {
                continue;
            }
            let (Kind::Word(name), Kind::Text { value, .. }) = (macro_name.kind, argument.kind)
            else {
                continue;
            };
            let package = || {
                rust.crates
                    .iter()
                    .filter(|package| paths::below(&package.folder, path).is_some())
                    .max_by_key(|package| package.folder.len())
            };
            let base = match name {
                "include_str" | "include_bytes" | "include" => paths::parent(path),
                "include_dir" | "embed_migrations" | "migrate" => {
                    package().map_or(root, |package| package.folder.as_str())
                }
                _ => continue,
            };
            let value = value.trim_start_matches("$CARGO_MANIFEST_DIR/");
            sources.included.extend(paths::resolve(base, value));
        }
        sources.uses.collect(path, &tokens, &table);
        sources.uses.mention(workdir, path, &tokens, context);
    });
    sources.uses.complete = complete;
    let uses_crate = |name: &str| {
        rust.crates.iter().any(|package| {
            package
                .dependencies
                .iter()
                .any(|dependency| dependency == name)
        })
    };
    if uses_crate("rocket") {
        sources.framework_files.extend(paths::present(
            context,
            workdir,
            &["Rocket.toml", "templates", "static"],
        ));
    } else if ["tera", "handlebars", "minijinja"]
        .into_iter()
        .any(uses_crate)
    {
        // Askama's templates are compiled in; these are read when the program runs.
        sources
            .framework_files
            .extend(paths::present(context, workdir, &["templates", "views"]));
    }
    sources
}

const CALLEES: &[Callee] = &[
    ("File.open", Does::Read, 0),
    ("fs.read", Does::Read, 0),
    ("fs.read_to_string", Does::Read, 0),
    ("read_to_string", Does::Read, 0),
    ("fs.read_dir", Does::ReadFolder, 0),
    ("ServeDir.new", Does::ReadFolder, 0),
    ("ServeFile.new", Does::Read, 0),
    ("Files.new", Does::ReadFolder, 1),
    ("NamedFile.open", Does::Read, 0),
    ("FileServer.from", Does::ReadFolder, 0),
    ("fs.dir", Does::ReadFolder, 0),
    ("Tera.new", Does::Read, 0),
    ("path_loader", Does::ReadFolder, 0),
    ("File.with_name", Does::Read, 0),
    ("register_template_file", Does::Read, 1),
    ("Migrator.new", Does::ReadFolder, 0),
    ("File.create", Does::Write, 0),
    ("fs.write", Does::Write, 0),
    ("fs.create_dir_all", Does::Write, 0),
    ("fs.create_dir", Does::Write, 0),
    ("Command.new", Does::Start, 0),
    ("bind", Does::Listen, 1),
    ("Library.new", Does::Mark("dlopen"), 0),
];

#[cfg(test)]
mod tests {
    use super::super::Crate;
    use super::*;

    #[test]
    fn tells_compiled_in_from_read_at_run_time() {
        let context = Context::in_memory([
            (
                "src/main.rs",
                "fn main() { let q = include_str!(\"../sql/q.sql\"); sqlx::migrate!(\"./migrations\");\n let t = Tera::new(\"templates/**/*\"); std::fs::read_to_string(\"conf.toml\"); Command::new(\"git\");\n let a: &'static str = \"0.0.0.0:3000\"; }",
            ),
            ("templates/a.html", ""),
        ]);
        let rust = Rust {
            crates: vec![Crate {
                dependencies: vec!["tera".into()],
                ..Crate::default()
            }],
            ..Rust::default()
        };
        let found = scan("", "", &rust, &context, Bounds::default());
        assert_eq!(found.included, ["sql/q.sql", "migrations"]);
        let reads: Vec<_> = found
            .uses
            .reads
            .iter()
            .map(|used| used.path.as_str())
            .collect();
        assert_eq!(reads, ["templates/**/*", "conf.toml"]);
        assert_eq!(found.uses.programs[0].fact, "git");
        assert_eq!(found.framework_files, ["templates"]);
        assert!(found.uses.ports.contains(&3000));
    }
}
