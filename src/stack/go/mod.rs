//! Go: modules, workspaces, vendored dependencies, and what `go build` yields.

mod output;
mod source;

pub use output::{GoOutput, go_output};
pub use source::{GoPackage, GoSources, scan};

use super::paths;
use super::{Details, Evidence, Project, Stack};
use crate::catalog::Catalog;
use crate::context::Context;
use std::collections::BTreeSet;

/// What a Go module is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Go {
    /// The path after `module`, none for a folder with only a `go.work`.
    pub module: Option<String>,
    /// The version after `toolchain`, without its `go` (`1.24.1`).
    pub toolchain: Option<String>,
    /// Modules that `go.mod` requires, and for a workspace those of its members.
    pub requires: Vec<GoModule>,
    /// Every module whose contents `go.sum` pins: direct and indirect, those of tests too.
    pub sums: BTreeSet<String>,
    /// Folders of the context that `replace` lines point to; an install reads their `go.mod`.
    pub local_replaces: Vec<String>,
    /// Folders of the context that `go.work` uses.
    pub workspace: Vec<String>,
    /// Whether dependencies come from `vendor/`: nothing is to be fetched.
    pub vendored: bool,
}

/// A required module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoModule {
    /// The module path (`github.com/mattn/go-sqlite3`).
    pub path: String,
    /// The version with its `v`.
    pub version: String,
    /// Whether it is marked `// indirect`.
    pub indirect: bool,
}

impl Go {
    /// Every module that may be linked in, by path: required or pinned in `go.sum`.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        let pinned = self.sums.iter().map(String::as_str);
        let required = self.requires.iter().map(|module| module.path.as_str());
        pinned.chain(required.filter(|path| !self.sums.contains(*path)))
    }
}

/// Recognises Go.
#[derive(Debug)]
pub struct GoStack;

impl Stack for GoStack {
    fn name(&self) -> &'static str {
        "go"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let mut project = Project::empty(root, "go");
        let mut go = Go::default();
        let mod_path = paths::join(root, "go.mod");
        let work_path = paths::join(root, "go.work");
        let module = paths::text(context, &mod_path);
        let workspace = paths::text(context, &work_path);
        if module.is_none() && workspace.is_none() {
            return None;
        }
        if let Some(text) = module {
            read_module(&text, root, &mod_path, &mut go, &mut project);
        }
        if let Some(text) = workspace {
            read_workspace(&text, root, &work_path, context, &mut go, &mut project);
        }
        for folder in go.local_replaces.clone() {
            let path = paths::join(&folder, "go.mod");
            if context.has(&path) && !project.manifests.contains(&path) {
                project.manifests.push(path);
            } else if !context.has(&path) {
                let fact = format!("replace points to {folder}, where the build sees no go.mod");
                project.finding(fact, &mod_path);
            }
        }
        read_sums(root, context, &mut go, &mut project);
        go.vendored = context.has(&paths::join(root, "vendor/modules.txt"));
        if go.vendored {
            project.show(
                "dependencies are vendored",
                paths::join(root, "vendor/modules.txt"),
            );
        }
        project.details = Details::Go(Box::new(go));
        Some(project)
    }
}

/// The directives of a `go.mod` or `go.work`: block directives come once per line; with their line, from 1.
fn directives(text: &str) -> Vec<(usize, &str, Vec<&str>, bool)> {
    let mut block: Option<&str> = None;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (code, comment) = line
            .split_once("//")
            .map_or((line, ""), |(code, comment)| (code, comment));
        let mut words: Vec<&str> = code
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '`']))
            .collect();
        let indirect = comment.trim_start().starts_with("indirect");
        match (block, words.as_slice()) {
            (_, []) => {}
            (Some(_), [")"]) => block = None,
            (Some(keyword), _) => found.push((number + 1, keyword, words, indirect)),
            (None, [keyword, "("]) => block = Some(keyword),
            (None, _) => {
                let keyword = words.remove(0);
                found.push((number + 1, keyword, words, indirect));
            }
        }
    }
    found
}

fn read_module(text: &str, root: &str, path: &str, go: &mut Go, project: &mut Project) {
    project.manifests.push(path.to_owned());
    for (line, keyword, words, indirect) in directives(text) {
        match (keyword, words.as_slice()) {
            ("module", [module, ..]) => {
                go.module = Some((*module).to_owned());
                project.show(format!("module {module}"), format!("{path}:{line}"));
            }
            ("go", [version, ..]) => {
                project.language_version = Some((*version).to_owned());
                project.show(format!("go {version}"), format!("{path}:{line}"));
            }
            ("toolchain", [version, ..]) => {
                go.toolchain = Some(version.trim_start_matches("go").to_owned());
            }
            ("require", [module, version, ..]) => go.requires.push(GoModule {
                path: (*module).to_owned(),
                version: (*version).to_owned(),
                indirect,
            }),
            ("replace", words) => replace(words, line, root, path, go, project),
            ("module" | "require", _) => {
                project.finding(
                    format!("{keyword} line is incomplete"),
                    format!("{path}:{line}"),
                );
            }
            _ => {}
        }
    }
}

fn replace(
    words: &[&str],
    line: usize,
    root: &str,
    path: &str,
    go: &mut Go,
    project: &mut Project,
) {
    let Some(arrow) = words.iter().position(|word| *word == "=>") else {
        project.finding("replace line has no =>", format!("{path}:{line}"));
        return;
    };
    let Some(target) = words.get(arrow + 1) else {
        return;
    };
    if !(target.starts_with("./") || target.starts_with("../") || target.starts_with('/')) {
        return;
    }
    let inside = (!target.starts_with('/'))
        .then(|| paths::resolve(root, target))
        .flatten();
    match inside {
        Some(folder) => go.local_replaces.push(folder),
        None => project.finding(
            format!("replace points outside the context: {target}"),
            format!("{path}:{line}"),
        ),
    }
}

fn read_workspace(
    text: &str,
    root: &str,
    path: &str,
    context: &Context,
    go: &mut Go,
    project: &mut Project,
) {
    project.manifests.push(path.to_owned());
    let sum = paths::join(root, "go.work.sum");
    if context.has(&sum) {
        project.locks.push(sum);
    }
    for (line, keyword, words, _) in directives(text) {
        match (keyword, words.as_slice()) {
            ("go", [version, ..]) => {
                project
                    .language_version
                    .get_or_insert_with(|| (*version).to_owned());
            }
            ("use", [folder, ..]) => {
                let Some(folder) = paths::resolve(root, folder) else {
                    project.finding("use points outside the context", format!("{path}:{line}"));
                    continue;
                };
                let member = paths::join(&folder, "go.mod");
                if folder != root {
                    match paths::text(context, &member) {
                        Some(text) => {
                            let own = go.module.take();
                            read_module(&text, &folder, &member, go, project);
                            go.module = own;
                            read_sums(&folder, context, go, project);
                        }
                        None => project.finding(
                            format!("no {member} in the build context"),
                            format!("{path}:{line}"),
                        ),
                    }
                }
                go.workspace.push(folder);
            }
            ("replace", words) => replace(words, line, root, path, go, project),
            _ => {}
        }
    }
    project.show(format!("workspace of {} modules", go.workspace.len()), path);
}

fn read_sums(root: &str, context: &Context, go: &mut Go, project: &mut Project) {
    let path = paths::join(root, "go.sum");
    let Some(text) = paths::text(context, &path) else {
        return;
    };
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some(module), Some(version)) = (words.next(), words.next())
            && !version.ends_with("/go.mod")
            && !go.sums.contains(module)
        {
            go.sums.insert(module.to_owned());
        }
    }
    project.locks.push(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detect(files: &[(&'static str, &'static str)]) -> (Project, Go) {
        let context = Context::in_memory(files.iter().copied());
        let project = GoStack
            .detect("", &context, &Catalog::default())
            .expect("a Go project");
        let Details::Go(go) = project.details.clone() else {
            panic!("other details");
        };
        (project, *go)
    }

    #[test]
    fn reads_module_requires_replaces_and_sums() {
        let (project, go) = detect(&[
            (
                "go.mod",
                "module example.org/shop // note\n\ngo 1.22\ntoolchain go1.22.3\nrequire a.org/x v1.0.0\nrequire (\n\tb.org/y v0.2.0 // indirect\n)\nreplace b.org/y => ./lib/y\n",
            ),
            (
                "go.sum",
                "a.org/x v1.0.0 h1:1=\na.org/x v1.0.0/go.mod h1:2=\nc.org/z v1.0.0/go.mod h1:3=\n",
            ),
            ("lib/y/go.mod", "module b.org/y\n"),
        ]);
        assert_eq!(go.module.as_deref(), Some("example.org/shop"));
        assert_eq!(project.language_version.as_deref(), Some("1.22"));
        assert_eq!(go.toolchain.as_deref(), Some("1.22.3"));
        assert!(go.requires[1].indirect && !go.requires[0].indirect);
        assert_eq!(project.manifests, ["go.mod", "lib/y/go.mod"]);
        assert_eq!(project.locks, ["go.sum"]);
        assert_eq!(go.modules().collect::<Vec<_>>(), ["a.org/x", "b.org/y"]);
        assert!(project.findings.is_empty());
    }

    #[test]
    fn a_workspace_has_the_manifests_of_its_members() {
        let (project, go) = detect(&[
            ("go.work", "go 1.23\nuse (\n ./api\n ./missing\n)\n"),
            (
                "api/go.mod",
                "module example.org/api\ngo 1.21\nreplace q => ../../out\n",
            ),
            ("api/go.sum", ""),
        ]);
        assert_eq!(project.manifests, ["go.work", "api/go.mod"]);
        assert_eq!(project.locks, ["api/go.sum"]);
        assert_eq!(go.workspace, ["api", "missing"]);
        assert_eq!(project.findings.len(), 2);
    }

    proptest! {
        #[test]
        fn directives_never_panic(text in "[a-z(){}/=>. \\n\"`]{0,120}") {
            let _ = directives(&text);
        }
    }
}
