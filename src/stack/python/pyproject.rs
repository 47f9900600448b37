//! `pyproject.toml`: PEP 621, poetry, uv, pdm, hatch, setuptools.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{DocumentMut, Item, TableLike};

use super::requirement::{Requirement, normalise};
use crate::context::Context;
use crate::stack::{Evidence, paths};

/// What a `pyproject.toml` says.
#[derive(Clone, Debug, Default)]
pub struct PyProject {
    /// Path in the context.
    pub path: String,
    /// `project.name` or poetry's, normalised.
    pub name: Option<String>,
    /// `requires-python`, or poetry's `python`.
    pub python: Option<String>,
    /// What an install of the project asks for.
    pub dependencies: Vec<Requirement>,
    /// Dependencies by extra.
    pub extras: BTreeMap<String, Vec<Requirement>>,
    /// Dependencies by group (PEP 735, poetry's groups, uv's and pdm's development dependencies).
    pub groups: BTreeMap<String, Vec<Requirement>>,
    /// Groups that an install leaves out unless asked (poetry's `optional = true`).
    pub optional_groups: BTreeSet<String>,
    /// Commands that an install of the project makes: name and `module:function`.
    pub scripts: BTreeMap<String, String>,
    /// `build-backend`
    pub backend: Option<String>,
    /// Packages that a build of the project needs.
    pub build_requires: Vec<Requirement>,
    /// Files that a build of the project reads besides its packages: `readme`, `license`, dynamic `file =`; paths in
    /// the context.
    pub build_files: Vec<String>,
    /// Keys that a build computes: `version`, `dependencies` …
    pub dynamic: Vec<String>,
    /// `[tool.NAME]` tables that are there.
    pub tools: BTreeSet<String>,
    /// Whether the project itself is installed: it has a build system or poetry does not say `package-mode = false`.
    pub is_package: bool,
    /// Local sources of uv, poetry and pdm (`path = …`), paths in the context.
    pub local_paths: Vec<String>,
    /// Members of a uv workspace, patterns.
    pub workspace: Vec<String>,
}

impl PyProject {
    /// Reads the file at `path`; what is malformed is a finding.
    #[must_use]
    pub fn read(context: &Context, path: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        if !context.has(path) {
            return None;
        }
        Self::parse(path, &paths::any_text(context, path)?, findings)
    }

    /// Reads `text`, the contents of `path`.
    #[must_use]
    pub fn parse(path: &str, text: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        let document: DocumentMut = match text.parse() {
            Ok(document) => document,
            Err(error) => {
                let line = error.span().map_or(1, |span| {
                    text.as_bytes()[..span.start.min(text.len())]
                        .iter()
                        .filter(|byte| **byte == b'\n')
                        .count()
                        + 1
                });
                findings.push(Evidence::new(
                    "the manifest is not valid TOML",
                    &format!("{path}:{line}"),
                ));
                return None;
            }
        };
        let mut project = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        if let Some(system) = table(document.get("build-system")) {
            project.is_package = true;
            project.backend = text_of(system.get("build-backend"));
            project.build_requires = requirements(system.get("requires"), path, findings);
        }
        if let Some(table) = table(document.get("project")) {
            project.standard(table, findings);
        }
        if let Some(groups) = table(document.get("dependency-groups")) {
            for (name, items) in groups.iter() {
                // `{include-group = "x"}` is no text and stays out; the included group is listed itself.
                project
                    .groups
                    .insert(normalise(name), requirements(Some(items), path, findings));
            }
        }
        if let Some(tools) = table(document.get("tool")) {
            project.tools = tools.iter().map(|(name, _)| name.to_owned()).collect();
            project.tool_tables(tools, findings);
        }
        project.build_files.sort();
        project.build_files.dedup();
        Some(project)
    }

    fn standard(&mut self, table: &dyn TableLike, findings: &mut Vec<Evidence>) {
        self.name = text_of(table.get("name")).map(|name| normalise(&name));
        self.python = text_of(table.get("requires-python"));
        self.dependencies = requirements(table.get("dependencies"), &self.path, findings);
        if let Some(extras) = self::table(table.get("optional-dependencies")) {
            for (name, items) in extras.iter() {
                self.extras.insert(
                    normalise(name),
                    requirements(Some(items), &self.path, findings),
                );
            }
        }
        self.scripts.extend(texts(table.get("scripts")));
        self.scripts.extend(texts(table.get("gui-scripts")));
        self.dynamic = strings(table.get("dynamic"));
        for key in ["readme", "license"] {
            let item = table.get(key);
            let file = self::table(item).map_or_else(
                || (key == "readme").then(|| text_of(item)).flatten(),
                |inner| text_of(inner.get("file")),
            );
            self.build_file(file);
        }
        for pattern in strings(table.get("license-files")) {
            self.build_file(Some(pattern).filter(|pattern| !pattern.contains(['*', '['])));
        }
    }

    fn tool_tables(&mut self, tools: &dyn TableLike, findings: &mut Vec<Evidence>) {
        if let Some(poetry) = table(tools.get("poetry")) {
            self.poetry(poetry);
        }
        if let Some(uv) = table(tools.get("uv")) {
            let development = requirements(uv.get("dev-dependencies"), &self.path, findings);
            if !development.is_empty() {
                self.groups
                    .entry("dev".to_owned())
                    .or_default()
                    .extend(development);
            }
            if uv.get("package").and_then(Item::as_bool) == Some(false) {
                self.is_package = false;
            }
            if let Some(sources) = table(uv.get("sources")) {
                for (_, source) in sources.iter() {
                    let path = table(Some(source)).and_then(|source| text_of(source.get("path")));
                    self.local_path(path);
                }
            }
            if let Some(workspace) = table(uv.get("workspace")) {
                self.workspace = strings(workspace.get("members"));
            }
        }
        if let Some(groups) =
            table(tools.get("pdm")).and_then(|pdm| table(pdm.get("dev-dependencies")))
        {
            for (name, items) in groups.iter() {
                self.groups.insert(
                    normalise(name),
                    requirements(Some(items), &self.path, findings),
                );
            }
        }
        if let Some(dynamic) =
            table(tools.get("setuptools")).and_then(|setuptools| table(setuptools.get("dynamic")))
        {
            for (key, value) in dynamic.iter() {
                let Some(file) = table(Some(value)).and_then(|value| value.get("file")) else {
                    continue;
                };
                let files =
                    text_of(Some(file)).map_or_else(|| strings(Some(file)), |file| vec![file]);
                if key == "dependencies" {
                    findings.push(Evidence::new(
                        &format!("the dependencies are read from {}", files.join(", ")),
                        &self.path,
                    ));
                }
                for file in files {
                    self.build_file(Some(file));
                }
            }
        }
        let hatch_version = table(tools.get("hatch"))
            .and_then(|hatch| table(hatch.get("version")))
            .and_then(|version| text_of(version.get("path")));
        self.build_file(hatch_version);
    }

    fn poetry(&mut self, poetry: &dyn TableLike) {
        self.is_package |= poetry.get("name").is_some();
        if poetry.get("package-mode").and_then(Item::as_bool) == Some(false) {
            self.is_package = false;
        }
        if self.name.is_none() {
            self.name = text_of(poetry.get("name")).map(|name| normalise(&name));
        }
        let readme = text_of(poetry.get("readme"));
        self.build_file(readme);
        for readme in strings(poetry.get("readme")) {
            self.build_file(Some(readme));
        }
        self.scripts.extend(texts(poetry.get("scripts")));
        if let Some(dependencies) = table(poetry.get("dependencies")) {
            let listed = self.poetry_dependencies(dependencies);
            // With PEP 621 beside it, poetry's table only adds sources to what is listed there.
            if self.dependencies.is_empty() {
                self.dependencies = listed;
            }
        }
        if let Some(development) = table(poetry.get("dev-dependencies")) {
            let listed = self.poetry_dependencies(development);
            self.groups.insert("dev".to_owned(), listed);
        }
        for (name, group) in table(poetry.get("group"))
            .into_iter()
            .flat_map(TableLike::iter)
        {
            let Some(group) = table(Some(group)) else {
                continue;
            };
            if group.get("optional").and_then(Item::as_bool) == Some(true) {
                self.optional_groups.insert(normalise(name));
            }
            if let Some(dependencies) = table(group.get("dependencies")) {
                let listed = self.poetry_dependencies(dependencies);
                self.groups.insert(normalise(name), listed);
            }
        }
    }

    fn poetry_dependencies(&mut self, table: &dyn TableLike) -> Vec<Requirement> {
        let mut found = Vec::new();
        for (name, item) in table.iter() {
            let versions =
                text_of(Some(item)).or_else(|| text_of(self::table(Some(item))?.get("version")));
            if name == "python" {
                self.python = self.python.take().or(versions);
                continue;
            }
            let mut requirement = Requirement {
                name: normalise(name),
                versions: versions.unwrap_or_default(),
                ..Requirement::default()
            };
            if let Some(details) = self::table(Some(item)) {
                requirement.extras = strings(details.get("extras"));
                requirement.marker = text_of(details.get("markers"));
                requirement.address = text_of(details.get("git"))
                    .map(|git| format!("git+{git}"))
                    .or_else(|| text_of(details.get("url")));
                if let Some(path) = text_of(details.get("path")) {
                    requirement.address = Some(path.clone());
                    self.local_path(Some(path));
                }
                // It belongs to an extra; an install without that extra leaves it out.
                if details.get("optional").and_then(Item::as_bool) == Some(true) {
                    self.extras
                        .entry(String::new())
                        .or_default()
                        .push(requirement);
                    continue;
                }
            }
            found.push(requirement);
        }
        found
    }

    fn build_file(&mut self, name: Option<String>) {
        let folder = paths::parent(&self.path);
        self.build_files
            .extend(name.and_then(|name| paths::relative(folder, &name)));
    }

    fn local_path(&mut self, name: Option<String>) {
        let folder = paths::parent(&self.path);
        self.local_paths
            .extend(name.and_then(|name| paths::relative(folder, &name)));
    }
}

fn table(item: Option<&Item>) -> Option<&dyn TableLike> {
    item?.as_table_like()
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

fn texts(item: Option<&Item>) -> BTreeMap<String, String> {
    table(item)
        .into_iter()
        .flat_map(TableLike::iter)
        .filter_map(|(name, value)| {
            let value = value
                .as_str()
                .or_else(|| value.as_table_like()?.get("reference")?.as_str())?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn requirements(item: Option<&Item>, path: &str, findings: &mut Vec<Evidence>) -> Vec<Requirement> {
    strings(item)
        .iter()
        .filter_map(|text| {
            let requirement = Requirement::parse(text);
            if requirement.is_none() {
                findings.push(Evidence::new(
                    &format!("`{text}` is not a requirement"),
                    path,
                ));
            }
            requirement
        })
        .collect()
}
