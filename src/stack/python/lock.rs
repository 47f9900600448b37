//! Lock files: `poetry.lock`, `uv.lock`, `pdm.lock`, `pylock.toml`, `Pipfile.lock`.

use std::collections::BTreeSet;

use serde_json::Value;
use toml_edit::{DocumentMut, Item, TableLike};

use super::requirement::normalise;
use super::wheels::may_hold;
use crate::context::Context;
use crate::stack::{Evidence, paths};

/// A package with the one version that is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedPackage {
    /// Normalised.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Groups that ask for it, as far as the format says: `main`, `dev`, `default`, `develop`.
    pub groups: BTreeSet<String>,
    /// Whether there is a wheel among its files; none when the format does not say. Without one it is compiled or
    /// at least built.
    pub has_wheel: Option<bool>,
    /// Whether there is a wheel for Linux of any machine or for all systems; none when the format does not say.
    pub has_linux_wheel: Option<bool>,
    /// Address or path, when it does not come from an index.
    pub source: Option<String>,
    /// Names of what it depends on, normalised.
    pub dependencies: Vec<String>,
}

/// A lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Path in the context.
    pub path: String,
    /// `requires-python` or the like.
    pub python: Option<String>,
    /// What it installs.
    pub packages: Vec<LockedPackage>,
}

impl Lock {
    /// Reads the file at `path`; what is malformed is a finding.
    #[must_use]
    pub fn read(context: &Context, path: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        let Some(text) = paths::any_text(context, path) else {
            findings.push(Evidence::new(
                "the lock file cannot be read or is too large",
                path,
            ));
            return None;
        };
        let lock = if paths::file_name(path) == "Pipfile.lock" {
            pipfile(path, &text)
        } else {
            toml(path, &text)
        };
        if lock.is_none() {
            findings.push(Evidence::new("the lock file is malformed", path));
        }
        lock
    }

    /// The package `name`, which is normalised.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&LockedPackage> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The packages that those in `roots` bring in, themselves included: what an install of them has.
    #[must_use]
    pub fn closure<'a>(
        &'a self,
        roots: impl IntoIterator<Item = &'a str>,
    ) -> Vec<&'a LockedPackage> {
        let mut queue: Vec<&str> = roots.into_iter().collect();
        let mut seen: BTreeSet<&str> = queue.iter().copied().collect();
        let mut found = Vec::new();
        while let Some(name) = queue.pop() {
            for package in self.packages.iter().filter(|package| package.name == name) {
                found.push(package);
                for dependency in &package.dependencies {
                    if seen.insert(dependency) {
                        queue.push(dependency);
                    }
                }
            }
        }
        found
            .sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
        found
    }
}

fn toml(path: &str, text: &str) -> Option<Lock> {
    let document: DocumentMut = text.parse().ok()?;
    let mut lock = Lock {
        path: path.to_owned(),
        python: text_of(document.get("requires-python")).or_else(|| {
            let metadata = document.get("metadata")?.as_table_like()?;
            text_of(metadata.get("python-versions"))
                .or_else(|| text_of(metadata.get("requires-python")))
        }),
        packages: Vec::new(),
    };
    // poetry, uv and pdm write `[[package]]`, pylock.toml `[[packages]]`.
    let packages = document.get("package").or_else(|| document.get("packages"));
    for table in packages.and_then(Item::as_array_of_tables)?.iter() {
        let Some(name) = text_of(table.get("name")) else {
            continue;
        };
        let files = file_names(table);
        if is_for_other_systems(table, &files) {
            continue;
        }
        let mut package = LockedPackage {
            name: normalise(&name),
            version: text_of(table.get("version")).unwrap_or_default(),
            groups: strings(table.get("groups")).into_iter().collect(),
            has_wheel: (!files.is_empty()).then(|| files.iter().any(|file| file.ends_with(".whl"))),
            has_linux_wheel: (!files.is_empty())
                .then(|| files.iter().any(|file| is_linux_wheel(file))),
            source: source_of(table),
            dependencies: dependencies(table),
        };
        // Before groups, poetry wrote a category.
        package.groups.extend(text_of(table.get("category")));
        lock.packages.push(package);
    }
    Some(lock)
}

/// Whether a package is not installed on Linux: its marker says so, or it has wheels alone, and none that fits.
fn is_for_other_systems(table: &dyn TableLike, files: &[String]) -> bool {
    let marker = text_of(table.get("markers")).or_else(|| text_of(table.get("marker")));
    let only_elsewhere = !files.is_empty()
        && files
            .iter()
            .all(|file| file.ends_with(".whl") && !is_linux_wheel(file));
    only_elsewhere || marker.is_some_and(|marker| !may_hold(&marker, None))
}

/// Names of the files of a package in all the forms: `files = [{file = …}]`, `wheels = [{url = …}]`, `sdist = {url = …}`.
fn file_names(table: &dyn TableLike) -> Vec<String> {
    let mut names = Vec::new();
    for key in ["files", "wheels", "archive", "sdist"] {
        let Some(item) = table.get(key) else { continue };
        let one = item.as_inline_table().into_iter();
        let many = item
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_inline_table());
        for entry in one.chain(many) {
            let name = ["file", "name", "url", "path", "filename"]
                .iter()
                .find_map(|key| entry.get(key)?.as_str());
            names.extend(name.map(|name| name.split('#').next().unwrap_or(name).to_owned()));
        }
    }
    names
}

/// Whether a file's name says that it is a wheel that installs on Linux.
pub(super) fn is_linux_wheel(file: &str) -> bool {
    let Some(tags) = file.strip_suffix(".whl") else {
        return false;
    };
    let platform = tags.rsplit('-').next().unwrap_or("");
    platform == "any" || platform.contains("linux")
}

fn source_of(table: &dyn TableLike) -> Option<String> {
    if let Some(source) = table.get("source").and_then(Item::as_table_like) {
        for key in ["git", "url", "path", "editable", "directory", "virtual"] {
            if let Some(text) = text_of(source.get(key)) {
                let registry = source
                    .get("type")
                    .and_then(Item::as_str)
                    .is_some_and(|kind| kind == "legacy");
                return (!registry).then_some(text);
            }
        }
        return None;
    }
    ["git", "url", "path"]
        .iter()
        .find_map(|key| text_of(table.get(key)))
}

fn dependencies(table: &dyn TableLike) -> Vec<String> {
    let mut names: Vec<String> = match table.get("dependencies") {
        // uv: `[{ name = "x" }]`; pdm: `["x>=1"]`.
        Some(item) if item.is_array() => item
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| match value.as_inline_table() {
                Some(table) => Some(normalise(table.get("name")?.as_str()?)),
                None => Some(super::requirement::Requirement::parse(value.as_str()?)?.name),
            })
            .collect(),
        // poetry: a table by name.
        Some(item) => item
            .as_table_like()
            .into_iter()
            .flat_map(TableLike::iter)
            .map(|(name, _)| normalise(name))
            .collect(),
        None => Vec::new(),
    };
    names.sort();
    names.dedup();
    names
}

fn pipfile(path: &str, text: &str) -> Option<Lock> {
    let value: Value = serde_json::from_str(text).ok()?;
    let mut lock = Lock {
        path: path.to_owned(),
        python: value
            .pointer("/_meta/requires/python_version")
            .or_else(|| value.pointer("/_meta/requires/python_full_version"))
            .and_then(Value::as_str)
            .map(str::to_owned),
        packages: Vec::new(),
    };
    for group in ["default", "develop"] {
        for (name, entry) in value
            .get(group)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
            if text("markers").is_some_and(|marker| !may_hold(&marker, None)) {
                continue;
            }
            lock.packages.push(LockedPackage {
                name: normalise(name),
                version: text("version")
                    .unwrap_or_default()
                    .trim_start_matches('=')
                    .to_owned(),
                groups: BTreeSet::from([group.to_owned()]),
                source: text("git")
                    .or_else(|| text("path"))
                    .or_else(|| text("file")),
                ..LockedPackage::default()
            });
        }
    }
    value.get("default")?;
    Some(lock)
}

fn text_of(item: Option<&Item>) -> Option<String> {
    Some(item?.as_str()?.to_owned())
}

fn strings(item: Option<&Item>) -> Vec<String> {
    item.and_then(Item::as_array)
        .into_iter()
        .flatten()
        .filter_map(|value| Some(value.as_str()?.to_owned()))
        .collect()
}
