//! `package.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::context::Context;
use crate::stack::{Evidence, paths};

/// What a `package.json` says. What it says in the wrong type is left out, with a finding.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The file's path in the context.
    pub path: String,
    /// `name`
    pub name: Option<String>,
    /// `version`
    pub version: Option<String>,
    /// `scripts`, by name.
    pub scripts: BTreeMap<String, String>,
    /// `dependencies`: name and range.
    pub dependencies: BTreeMap<String, String>,
    /// `devDependencies`
    pub dev_dependencies: BTreeMap<String, String>,
    /// `optionalDependencies`
    pub optional_dependencies: BTreeMap<String, String>,
    /// `peerDependencies`
    pub peer_dependencies: BTreeMap<String, String>,
    /// `workspaces`: patterns of folders; also of its `packages`.
    pub workspaces: Vec<String>,
    /// `packageManager`, `pnpm@9.1.0+sha…`.
    pub package_manager: Option<String>,
    /// `engines.node`
    pub engine: Option<String>,
    /// `"type": "module"`
    pub is_module: bool,
    /// `main`
    pub main: Option<String>,
    /// `bin`: command and file.
    pub bin: BTreeMap<String, String>,
    /// `files`: what a package of it holds.
    pub files: Vec<String>,
    /// Other keys at the top that hold configuration: `prisma`, `jest`, `overrides`, `pnpm`, `proxy` …
    pub sections: BTreeSet<String>,
}

/// How a manifest names a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `dependencies`
    Production,
    /// `optionalDependencies`
    Optional,
    /// `peerDependencies`
    Peer,
    /// `devDependencies`
    Development,
}

impl Manifest {
    /// The folder it stands in.
    #[must_use]
    pub fn folder(&self) -> &str {
        paths::parent(&self.path)
    }

    /// How the package `name` is named here; the role that keeps it longest wins.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<Role> {
        [
            (&self.dependencies, Role::Production),
            (&self.optional_dependencies, Role::Optional),
            (&self.dev_dependencies, Role::Development),
            (&self.peer_dependencies, Role::Peer),
        ]
        .into_iter()
        .find(|(names, _)| names.contains_key(name))
        .map(|(_, role)| role)
    }

    /// Whether the package `name` is a dependency of any kind.
    #[must_use]
    pub fn depends_on(&self, name: &str) -> bool {
        self.role(name).is_some()
    }

    /// Every dependency that an install of everything asks for, with its range; optional ones win as in npm.
    #[must_use]
    pub fn installed(&self) -> BTreeMap<&str, &str> {
        [
            &self.dev_dependencies,
            &self.dependencies,
            &self.optional_dependencies,
        ]
        .into_iter()
        .flatten()
        .map(|(name, range)| (name.as_str(), range.as_str()))
        .collect()
    }

    /// The script `name` with its `pre` and `post` scripts, in the order in which npm runs them.
    #[must_use]
    pub fn script_chain(&self, name: &str) -> Vec<(String, &str)> {
        [format!("pre{name}"), name.to_owned(), format!("post{name}")]
            .into_iter()
            .filter_map(|name| {
                let script = self.scripts.get(&name)?;
                Some((name, script.as_str()))
            })
            .collect()
    }

    /// The scripts that `text`, a command line or a script, can come to call, with their `pre` and `post` scripts:
    /// those whose names stand in it as words (`npm run a`, `concurrently "npm:a"`, `run-p build:*`), and all of them
    /// where a variable may name one. In the order of their names.
    #[must_use]
    pub fn scripts_called(&self, text: &str) -> Vec<(&str, &str)> {
        let mut names = std::collections::BTreeSet::new();
        let mut texts = vec![text];
        while let Some(text) = texts.pop() {
            let computed = text.contains('$');
            let words: Vec<&str> = text
                .split(|letter: char| letter.is_whitespace() || "\"'`;&|()=,".contains(letter))
                .map(|word| word.strip_prefix("npm:").unwrap_or(word))
                .collect();
            for name in self.scripts.keys() {
                let is_named = words.iter().any(|word| match word.split_once('*') {
                    Some((start, _)) => !start.is_empty() && name.starts_with(start),
                    None => word == name,
                });
                if !computed && !is_named {
                    continue;
                }
                for (name, script) in self.script_chain(name) {
                    if let Some((name, _)) = self.scripts.get_key_value(&name)
                        && names.insert(name.as_str())
                    {
                        texts.push(script);
                    }
                }
            }
        }
        names
            .into_iter()
            .filter_map(|name| Some((name, self.scripts.get(name)?.as_str())))
            .collect()
    }

    /// Reads the manifest at `path`; none when there is no such file, or it is no JSON object, which is a finding.
    #[must_use]
    pub fn read(context: &Context, path: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        Self::parse(path, &paths::any_text(context, path)?, findings)
    }

    /// Reads `text`, the contents of `path`.
    #[must_use]
    pub fn parse(path: &str, text: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        let value = match serde_json::from_str(text) {
            Ok(Value::Object(value)) => value,
            Ok(_) => {
                findings.push(Evidence::new("the manifest is not a JSON object", path));
                return None;
            }
            Err(error) => {
                findings.push(Evidence::new(
                    "the manifest is not valid JSON",
                    &format!("{path}:{}", error.line()),
                ));
                return None;
            }
        };
        Some(
            Reader {
                path,
                value: &value,
                findings,
            }
            .manifest(),
        )
    }
}

/// The keys that [`Manifest`] has fields for, and those that only describe the package.
const KNOWN: &[&str] = &[
    "name",
    "version",
    "scripts",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "workspaces",
    "packageManager",
    "engines",
    "type",
    "main",
    "bin",
    "files",
    "description",
    "license",
    "author",
    "contributors",
    "repository",
    "keywords",
    "homepage",
    "bugs",
    "private",
    "funding",
    "maintainers",
    "types",
    "typings",
    "module",
];

struct Reader<'a> {
    path: &'a str,
    value: &'a Map<String, Value>,
    findings: &'a mut Vec<Evidence>,
}

impl Reader<'_> {
    fn manifest(&mut self) -> Manifest {
        let name = self.text("name");
        let bin = match (self.value.get("bin"), &name) {
            (Some(Value::String(file)), Some(name)) => {
                let command = name.rsplit('/').next().unwrap_or(name);
                BTreeMap::from([(command.to_owned(), file.clone())])
            }
            (Some(Value::String(_)), None) => BTreeMap::new(),
            _ => self.texts("bin"),
        };
        let workspaces = match self.value.get("workspaces") {
            Some(Value::Object(object)) => strings(object.get("packages")),
            other => strings(other),
        };
        Manifest {
            path: self.path.to_owned(),
            version: self.text("version"),
            scripts: self.texts("scripts"),
            dependencies: self.texts("dependencies"),
            dev_dependencies: self.texts("devDependencies"),
            optional_dependencies: self.texts("optionalDependencies"),
            peer_dependencies: self.texts("peerDependencies"),
            workspaces,
            package_manager: self.text("packageManager"),
            engine: self.texts("engines").remove("node"),
            is_module: self.value.get("type").and_then(Value::as_str) == Some("module"),
            main: self.text("main"),
            bin,
            files: strings(self.value.get("files")),
            sections: self
                .value
                .keys()
                .filter(|key| !KNOWN.contains(&key.as_str()))
                .cloned()
                .collect(),
            name,
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.value.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            _ => {
                self.wrong(key, "a string");
                None
            }
        }
    }

    fn texts(&mut self, key: &str) -> BTreeMap<String, String> {
        match self.value.get(key) {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::Object(object)) => {
                if object.values().any(|value| !value.is_string()) {
                    self.wrong(key, "an object of strings");
                }
                object
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                    .collect()
            }
            // An empty array is what some generators write for an empty object.
            Some(Value::Array(array)) if array.is_empty() => BTreeMap::new(),
            Some(_) => {
                self.wrong(key, "an object of strings");
                BTreeMap::new()
            }
        }
    }

    fn wrong(&mut self, key: &str, expected: &str) {
        self.findings.push(Evidence::new(
            &format!("`{key}` is not {expected}"),
            self.path,
        ));
    }
}

/// The strings of an array.
fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| Some(item.as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Option<Manifest>, Vec<String>) {
        let mut findings = Vec::new();
        let manifest = Manifest::parse("package.json", text, &mut findings);
        (
            manifest,
            findings.into_iter().map(|finding| finding.fact).collect(),
        )
    }

    #[test]
    fn fields_of_the_wrong_type_are_findings() {
        let (manifest, findings) =
            parse(r#"{"name": 3, "scripts": {"a": "b", "c": null}, "dependencies": []}"#);
        let manifest = manifest.expect("it is an object");
        assert_eq!(manifest.name, None);
        assert_eq!(manifest.scripts.len(), 1);
        assert_eq!(
            findings,
            [
                "`name` is not a string",
                "`scripts` is not an object of strings"
            ]
        );
    }

    #[test]
    fn what_is_not_json_is_a_finding() {
        let mut findings = Vec::new();
        assert!(Manifest::parse("a/package.json", "{\n,}", &mut findings).is_none());
        assert_eq!(findings[0].source, "a/package.json:2");
    }

    #[test]
    fn scripts_come_with_those_around_them() {
        let (manifest, _) =
            parse(r#"{"scripts": {"start": "node .", "prestart": "x", "poststop": "y"}}"#);
        let manifest = manifest.expect("it is an object");
        assert_eq!(
            manifest.script_chain("start"),
            [("prestart".to_owned(), "x"), ("start".to_owned(), "node .")]
        );
    }

    #[test]
    fn a_bin_string_is_named_after_the_package_without_scope() {
        let (manifest, _) = parse(
            r#"{"name": "@me/tool", "bin": "./cli.js", "workspaces": {"packages": ["a/*"]}}"#,
        );
        let manifest = manifest.expect("it is an object");
        assert_eq!(
            manifest.bin.get("tool").map(String::as_str),
            Some("./cli.js")
        );
        assert_eq!(manifest.workspaces, ["a/*"]);
    }
}
