//! What Go sources import, embed and use when they run: read on demand, by text.

use super::super::lexer::{Kind, Language, Token, tokens};
use super::super::paths::{self, Bounds};
use super::super::uses::{Callee, Does, Table, Uses};
use super::Evidence;
use crate::context::Context;
use std::collections::{BTreeMap, BTreeSet};

/// The packages of a module, by folder of the context.
#[derive(Clone, Debug, Default)]
pub struct GoSources {
    /// Every package; tests and files for other systems are left out.
    pub packages: BTreeMap<String, GoPackage>,
    /// Whether every source was read.
    pub complete: bool,
}

/// The files of one folder.
#[derive(Clone, Debug, Default)]
pub struct GoPackage {
    /// Whether it says `package main`.
    pub is_main: bool,
    /// Import paths as written.
    pub imports: BTreeSet<String>,
    /// Where `import "C"` stands.
    pub cgo: Vec<Evidence>,
    /// Patterns of `//go:embed`, relative to the folder, with their place.
    pub embeds: Vec<Evidence>,
    /// What it uses when it runs.
    pub uses: Uses,
}

impl GoSources {
    /// The folders of main packages, ascending.
    pub fn mains(&self) -> impl Iterator<Item = &str> {
        self.packages
            .iter()
            .filter(|(_, package)| package.is_main)
            .map(|(folder, _)| folder.as_str())
    }

    /// The packages of module `module` (its root is the folder `root`) that the one in `folder` imports, and itself.
    #[must_use]
    pub fn reachable(&self, folder: &str, module: &str, root: &str) -> Vec<(&str, &GoPackage)> {
        let mut open = vec![folder.to_owned()];
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut found = Vec::new();
        while let Some(folder) = open.pop() {
            let Some((key, package)) = self.packages.get_key_value(&folder) else {
                continue;
            };
            if !seen.insert(folder) {
                continue;
            }
            found.push((key.as_str(), package));
            for import in &package.imports {
                if import == module {
                    open.push(root.to_owned());
                } else if let Some(inner) = paths::below(module, import) {
                    open.push(paths::join(root, inner));
                }
            }
        }
        found
    }

    /// All that any package uses when it runs.
    #[must_use]
    pub fn uses(&self) -> Uses {
        let mut all = Uses {
            complete: self.complete,
            ..Uses::default()
        };
        for package in self.packages.values() {
            all.merge(&package.uses);
        }
        all
    }
}

/// Reads the Go sources below `root`; `workdir` is the folder of the context that the process runs in.
#[must_use]
pub fn scan(root: &str, workdir: &str, context: &Context, bounds: Bounds) -> GoSources {
    let table = Table::new(CALLEES);
    let mut sources = GoSources::default();
    let accept = |path: &str| {
        path.ends_with(".go")
            && !path.ends_with("_test.go")
            && !paths::passes_through(path, &["vendor", "testdata", "node_modules"])
            && !paths::file_name(path).starts_with(['_', '.'])
            && builds_for_linux(paths::file_name(path))
    };
    sources.complete = paths::each_text(context, root, bounds, accept, |path, text| {
        if excluded_by_tag(text) {
            return;
        }
        let tokens = tokens(text, Language::Go);
        let package = sources
            .packages
            .entry(paths::parent(path).to_owned())
            .or_default();
        package.uses.complete = true;
        let is_main = tokens
            .windows(2)
            .find(|pair| pair[0].kind == Kind::Word("package"))
            .is_some_and(|pair| pair[1].kind == Kind::Word("main"));
        package.is_main |= is_main;
        imports(&tokens, path, package);
        for (number, line) in text.lines().enumerate() {
            if let Some(patterns) = line.strip_prefix("//go:embed ") {
                let patterns = patterns.split_whitespace();
                package.embeds.extend(patterns.map(|pattern| {
                    Evidence {
                        fact: pattern
                            .trim_matches(['"', '`'])
                            .trim_start_matches("all:")
                            .to_owned(),
                        source: format!("{path}:{}", number + 1),
                    }
                }));
            }
        }
        package.uses.collect(path, &tokens, &table);
        package.uses.mention(workdir, path, &tokens, context);
    });
    sources
}

/// Functions of the standard library and of well-known modules that reach outside the program.
const CALLEES: &[Callee] = &[
    ("os.Open", Does::Read, 0),
    ("os.OpenFile", Does::Read, 0),
    ("os.OpenFile", Does::Write, 0),
    ("os.ReadFile", Does::Read, 0),
    ("ioutil.ReadFile", Does::Read, 0),
    ("os.ReadDir", Does::ReadFolder, 0),
    ("ioutil.ReadDir", Does::ReadFolder, 0),
    ("os.DirFS", Does::ReadFolder, 0),
    ("os.Stat", Does::Read, 0),
    ("filepath.Walk", Does::ReadFolder, 0),
    ("filepath.WalkDir", Does::ReadFolder, 0),
    ("filepath.Glob", Does::Read, 0),
    ("http.Dir", Does::ReadFolder, 0),
    ("http.ServeFile", Does::Read, 2),
    ("template.ParseFiles", Does::Read, 0),
    ("template.ParseFiles", Does::Read, 1),
    ("template.ParseFiles", Does::Read, 2),
    ("ParseFiles", Does::Read, 0),
    ("ParseFiles", Does::Read, 1),
    ("ParseGlob", Does::Read, 0),
    ("LoadHTMLGlob", Does::Read, 0),
    ("LoadHTMLFiles", Does::Read, 0),
    ("Static", Does::ReadFolder, 1),
    ("StaticFile", Does::Read, 1),
    ("File", Does::Read, 0),
    ("html.New", Does::ReadFolder, 0),
    ("SendFile", Does::Read, 0),
    ("AddConfigPath", Does::ReadFolder, 0),
    ("SetConfigFile", Does::Read, 0),
    ("SetConfigName", Does::Mark("config-name"), 0),
    ("godotenv.Load", Does::Read, 0),
    ("migrate.New", Does::ReadFolder, 0),
    ("migrate.NewWithDatabaseInstance", Does::ReadFolder, 0),
    ("tls.LoadX509KeyPair", Does::Read, 0),
    ("tls.LoadX509KeyPair", Does::Read, 1),
    ("ListenAndServeTLS", Does::Read, 1),
    ("ListenAndServeTLS", Does::Read, 2),
    ("toml.DecodeFile", Does::Read, 0),
    ("os.Create", Does::Write, 0),
    ("os.WriteFile", Does::Write, 0),
    ("ioutil.WriteFile", Does::Write, 0),
    ("os.Mkdir", Does::Write, 0),
    ("os.MkdirAll", Does::Write, 0),
    ("os.Rename", Does::Write, 1),
    ("sql.Open", Does::Mark("database"), 0),
    ("exec.Command", Does::Start, 0),
    ("exec.CommandContext", Does::Start, 1),
    ("exec.LookPath", Does::Start, 0),
    ("runtime.Caller", Does::Mark("caller"), 0),
    ("plugin.Open", Does::Mark("plugin"), 0),
    ("time.LoadLocation", Does::Mark("timezone"), 0),
    ("mime.TypeByExtension", Does::Mark("mime-types"), 0),
    ("user.Current", Does::Mark("user"), 0),
    ("user.Lookup", Does::Mark("user"), 0),
];

fn imports(tokens: &[Token<'_>], path: &str, package: &mut GoPackage) {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].kind {
            // Imports come before all other declarations.
            Kind::Word("func" | "type" | "var" | "const") => return,
            Kind::Word("import") => {
                let block = tokens.get(at + 1).map(|token| token.kind) == Some(Kind::Mark(b'('));
                while let Some(token) = tokens.get(at + 1) {
                    at += 1;
                    match token.kind {
                        Kind::Text { value: "C", .. } => package.cgo.push(Evidence {
                            fact: "import \"C\"".to_owned(),
                            source: format!("{path}:{}", token.line),
                        }),
                        Kind::Text { value, .. } => {
                            package.imports.insert(value.to_owned());
                        }
                        Kind::Mark(b')') => break,
                        _ => continue,
                    }
                    if !block {
                        break;
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether the suffixes of a file name (`_windows`, `_darwin_arm64`) allow Linux.
fn builds_for_linux(name: &str) -> bool {
    let stem = name.trim_end_matches(".go");
    let others = [
        "windows",
        "darwin",
        "freebsd",
        "netbsd",
        "openbsd",
        "solaris",
        "plan9",
        "js",
        "wasip1",
        "android",
        "ios",
        "aix",
        "dragonfly",
        "illumos",
    ];
    let parts: Vec<&str> = stem.split('_').skip(1).collect();
    !parts.iter().rev().take(2).any(|part| others.contains(part))
}

/// Whether the file's own build line leaves it out of any normal Linux build: `ignore`, another system, or a negated Linux.
fn excluded_by_tag(text: &str) -> bool {
    for line in text.lines().take(60) {
        let line = line.trim();
        if line.starts_with("package ") {
            return false;
        }
        if let Some(expression) = line.strip_prefix("//go:build ").map(str::trim) {
            return matches!(
                expression,
                "ignore"
                    | "tools"
                    | "windows"
                    | "darwin"
                    | "!linux"
                    | "js"
                    | "wasm"
                    | "js && wasm"
                    | "integration"
                    | "e2e"
            );
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_mains_cgo_embeds_and_what_main_reaches() {
        let context = Context::in_memory([
            ("go.mod", "module example.org/m\n"),
            (
                "cmd/api/main.go",
                "// Package main\npackage main\nimport (\n \"net/http\"\n h \"example.org/m/internal/web\"\n)\nfunc main() { http.ListenAndServe(\":8080\", h.New()) }\n",
            ),
            ("cmd/gen/main.go", "//go:build ignore\n\npackage main\n"),
            (
                "internal/web/web.go",
                "package web\nimport \"html/template\"\n//go:embed all:assets *.txt\nvar t = template.Must(template.ParseGlob(\"templates/*.html\"))\nvar c = load(\"config/app.yaml\")\n",
            ),
            ("internal/db/db.go", "package db\n\nimport \"C\"\n"),
            ("internal/db/db_test.go", "package main\n"),
            ("config/app.yaml", "a: 1\n"),
        ]);
        let sources = scan("", "", &context, Bounds::default());
        assert!(sources.complete);
        assert_eq!(sources.mains().collect::<Vec<_>>(), ["cmd/api"]);
        let reached = sources.reachable("cmd/api", "example.org/m", "");
        assert_eq!(
            reached
                .iter()
                .map(|(folder, _)| *folder)
                .collect::<Vec<_>>(),
            ["cmd/api", "internal/web"]
        );
        let web = &sources.packages["internal/web"];
        assert_eq!(
            web.embeds
                .iter()
                .map(|embed| embed.fact.as_str())
                .collect::<Vec<_>>(),
            ["assets", "*.txt"]
        );
        assert_eq!(web.uses.reads[0].path, "templates/*.html");
        assert_eq!(web.uses.mentions[0].path, "config/app.yaml");
        assert_eq!(
            sources.packages["internal/db"].cgo[0].source,
            "internal/db/db.go:3"
        );
        assert_eq!(sources.uses().ports.into_iter().collect::<Vec<_>>(), [8080]);
    }

    #[test]
    fn bounds_make_the_scan_incomplete() {
        let context = Context::in_memory([("a.go", "package main\n"), ("b.go", "package main\n")]);
        let bounds = Bounds {
            files: 1,
            bytes: 1000,
        };
        assert!(!scan("", "", &context, bounds).complete);
    }
}
