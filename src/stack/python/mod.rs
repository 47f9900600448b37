//! Python: pip, pipenv, poetry, uv, pdm, hatch and setuptools projects.
//!
//! Detection reads manifests. Lock files and sources are read when a rule asks: [`Python::lock`], [`Python::usage`].

mod django;
mod launch;
mod lexer;
mod lock;
mod paths_in_code;
mod pyproject;
mod requirement;
mod requirements;
mod scan;
mod setup;
mod wheels;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

pub use django::Django;
pub use launch::{Launch, LaunchKind};
pub use lock::{Lock, LockedPackage};
pub use pyproject::PyProject;
pub use requirement::{Requirement, normalise};
pub use requirements::Requirements;
pub use setup::Setup;
pub use wheels::{Unclosed, closure};

use super::usage::{Budget, Usage};
use super::{Details, Evidence, Project, Stack, paths};
use crate::catalog::Catalog;
use crate::context::Context;

/// The Python stack.
pub(super) struct PythonStack;

/// Who installs the packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// pip
    Pip,
    /// pipenv
    Pipenv,
    /// poetry
    Poetry,
    /// uv
    Uv,
    /// pdm
    Pdm,
    /// hatch
    Hatch,
    /// conda, by `environment.yml`
    Conda,
}

impl Manager {
    /// The command.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Pipenv => "pipenv",
            Self::Poetry => "poetry",
            Self::Uv => "uv",
            Self::Pdm => "pdm",
            Self::Hatch => "hatch",
            Self::Conda => "conda",
        }
    }
}

/// The frameworks that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the product's own name")]
pub enum FrameworkKind {
    Flask,
    FastApi,
    Starlette,
    Django,
    Celery,
    Streamlit,
    Gradio,
    Aiohttp,
    Tornado,
}

const FRAMEWORKS: &[(&str, FrameworkKind)] = &[
    ("aiohttp", FrameworkKind::Aiohttp),
    ("celery", FrameworkKind::Celery),
    ("django", FrameworkKind::Django),
    ("fastapi", FrameworkKind::FastApi),
    ("flask", FrameworkKind::Flask),
    ("gradio", FrameworkKind::Gradio),
    ("starlette", FrameworkKind::Starlette),
    ("streamlit", FrameworkKind::Streamlit),
    ("tornado", FrameworkKind::Tornado),
];

/// Commands whose package has another name, or several commands.
const SCRIPTS: &[(&str, &str)] = &[
    ("alembic", "alembic"),
    ("celery", "celery"),
    ("django", "django-admin"),
    ("fastapi", "fastapi"),
    ("fastapi-cli", "fastapi"),
    ("flask", "flask"),
    ("gunicorn", "gunicorn"),
    ("hypercorn", "hypercorn"),
    ("streamlit", "streamlit"),
    ("uvicorn", "uvicorn"),
    ("waitress", "waitress-serve"),
];

/// What only the Python stack knows of a project.
#[derive(Clone, Debug)]
pub struct Python {
    /// Who installs.
    pub manager: Manager,
    /// Requirement files in the project's folder and in `requirements/`, by path in the context.
    pub requirements: BTreeMap<String, Requirements>,
    /// `pyproject.toml`
    pub pyproject: Option<PyProject>,
    /// `Pipfile`: `packages` and `dev-packages`.
    pub pipfile: Option<(Vec<Requirement>, Vec<Requirement>)>,
    /// `setup.py` and `setup.cfg`
    pub setup: Option<Setup>,
    /// Direct dependencies of production, whichever manifest names them.
    pub dependencies: Vec<Requirement>,
    /// Whether the list of direct dependencies is whole: nothing computed, nothing missing.
    pub dependencies_complete: bool,
    /// Frameworks among them.
    pub frameworks: Vec<FrameworkKind>,
    /// The Django project.
    pub django: Option<Django>,
    /// Commands that the install makes, as far as known: the project's own and those of well-known dependencies.
    pub scripts: BTreeSet<String>,
    /// The lock file, a path in the context.
    pub lock_file: Option<String>,
    lock: OnceLock<Option<Arc<Lock>>>,
}

const LOCKS: &[(&str, Manager)] = &[
    ("poetry.lock", Manager::Poetry),
    ("uv.lock", Manager::Uv),
    ("pdm.lock", Manager::Pdm),
    ("Pipfile.lock", Manager::Pipenv),
    ("pylock.toml", Manager::Pip),
];

impl Stack for PythonStack {
    fn name(&self) -> &'static str {
        "python"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let names: Vec<&str> = paths::names(context, root).collect();
        let has = |name: &str| names.contains(&name);
        let mut findings = Vec::new();
        let requirement_files: Vec<String> = names
            .iter()
            .filter(|name| is_requirement_file(name))
            .map(|name| paths::join(root, name))
            .chain(nested_requirement_files(context, root))
            .collect();
        let pipfile_path = paths::join(root, "Pipfile");
        let pyproject =
            PyProject::read(context, &paths::join(root, "pyproject.toml"), &mut findings);
        let setup = Setup::read(context, root);
        let named = !requirement_files.is_empty()
            || pyproject.as_ref().is_some_and(is_project)
            || setup.is_some()
            || has("Pipfile")
            || has("pyproject.toml") && !findings.is_empty()
            || has("environment.yml");
        if !named && !names.iter().any(|name| name.ends_with(".py")) {
            return None;
        }
        let requirements: BTreeMap<String, Requirements> = requirement_files
            .iter()
            .map(|path| {
                (
                    path.clone(),
                    Requirements::read(context, path, &mut findings),
                )
            })
            .collect();
        let pipfile = has("Pipfile")
            .then(|| pipfile(context, &pipfile_path, &mut findings))
            .flatten();
        let locks = paths::lock_files(context, root, LOCKS, &mut findings);
        let (manager, source) = manager(root, pyproject.as_ref(), &locks, &names, &requirements);
        let mut python = Python {
            manager,
            requirements,
            pyproject,
            pipfile,
            setup,
            dependencies: Vec::new(),
            dependencies_complete: true,
            frameworks: Vec::new(),
            django: None,
            scripts: BTreeSet::new(),
            lock_file: locks
                .iter()
                .find(|(_, writer)| *writer == manager)
                .map(|(path, _)| path.clone()),
            lock: OnceLock::new(),
        };
        python.gather(root);
        python.django = django::find(context, root);
        let mut evidence = vec![Evidence::new(
            &format!("packages are installed by {}", manager.command()),
            &source,
        )];
        for framework in &python.frameworks {
            evidence.push(Evidence::new(&format!("{framework:?}"), &source));
        }
        if let Some(django) = &python.django {
            evidence.push(Evidence::new("Django project", &django.manage));
        }
        let language_version = python.version(context, root);
        let manifests = python.manifests(context, root);
        Some(Project {
            root: root.to_owned(),
            language_version,
            package_manager: Some(manager.command().to_owned()),
            manifests,
            locks: locks.into_iter().map(|(path, _)| path).collect(),
            ports: Vec::new(),
            evidence,
            findings,
            details: Details::Python(Box::new(python)),
        })
    }
}

impl Python {
    /// The lock file, read once; none when there is none or it is malformed.
    #[must_use]
    pub fn lock(&self, context: &Context) -> Option<Arc<Lock>> {
        self.lock
            .get_or_init(|| {
                Lock::read(context, self.lock_file.as_deref()?, &mut Vec::new()).map(Arc::new)
            })
            .clone()
    }

    /// Whether the versions of all packages, indirect ones too, are named: by a lock file, or by requirement files
    /// with hashes, which pip takes only when they are whole.
    #[must_use]
    pub fn is_closed(&self, context: &Context) -> bool {
        self.lock(context).is_some()
            || self.manager == Manager::Pip
                && self
                    .requirements
                    .values()
                    .any(|file| file.hashes && file.is_pinned() && file.unknown.is_empty())
    }

    /// What the sources of the project refer to, but for tests; the folders of environments are left out.
    #[must_use]
    pub fn usage(&self, context: &Context, root: &str, budget: Budget) -> Usage {
        Self::sources(context, root, budget)
    }

    /// As [`Python::usage`], for a folder that may be no project.
    #[must_use]
    pub fn sources(context: &Context, root: &str, mut budget: Budget) -> Usage {
        let mut usage = Usage::default();
        for path in paths::files(context, root).filter(|path| is_source(path)) {
            match budget.read(context, path) {
                Some(contents) => scan::scan(path, &contents, &mut usage),
                None => {
                    usage.truncated = true;
                    break;
                }
            }
        }
        usage
    }

    /// Files of the context whose first line names an interpreter by a path that a virtual environment does not have
    /// (`#!/usr/local/bin/python`), with that line. Reads the first bytes of scripts only.
    #[must_use]
    pub fn fixed_interpreters(
        &self,
        context: &Context,
        root: &str,
        mut budget: Budget,
    ) -> Vec<Evidence> {
        let mut found = Vec::new();
        for path in paths::files(context, root) {
            let name = paths::file_name(path);
            if !name.ends_with(".py") && name.contains('.') && !name.ends_with(".sh") {
                continue;
            }
            let Some(files) = budget.files.checked_sub(1) else {
                break;
            };
            budget.files = files;
            let Some(head) = context.read_head(path, 128) else {
                continue;
            };
            let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            if line.starts_with("#!/usr/local/bin/python") || line.starts_with("#!/usr/bin/python")
            {
                found.push(Evidence::new(line.trim_end(), &format!("{path}:1")));
            }
        }
        found
    }

    /// Fills the dependencies from the manifest that the manager reads.
    fn gather(&mut self, root: &str) {
        match self.manager {
            Manager::Pipenv => {
                self.dependencies = self
                    .pipfile
                    .as_ref()
                    .map(|(packages, _)| packages.clone())
                    .unwrap_or_default();
            }
            Manager::Pip | Manager::Conda if !self.requirements.is_empty() => {
                let main = [
                    "requirements.txt",
                    "requirements/production.txt",
                    "requirements/prod.txt",
                    "requirements/base.txt",
                ]
                .iter()
                .map(|name| paths::join(root, name))
                .find(|path| self.requirements.contains_key(path));
                let file = main
                    .and_then(|path| self.requirements.get(&path))
                    .or_else(|| self.requirements.values().next());
                if let Some(file) = file {
                    self.dependencies.clone_from(&file.requirements);
                    self.dependencies_complete = file.unknown.is_empty();
                }
            }
            _ => {
                if let Some(project) = &self.pyproject {
                    self.dependencies.clone_from(&project.dependencies);
                    self.dependencies_complete =
                        !project.dynamic.iter().any(|key| key == "dependencies");
                }
                if let Some(setup) = self.setup.as_ref().filter(|_| self.dependencies.is_empty()) {
                    self.dependencies.clone_from(&setup.dependencies);
                    self.dependencies_complete = !setup.computed;
                }
            }
        }
        self.dependencies_complete &= self.manager != Manager::Conda;
        for requirement in &self.dependencies {
            let name = requirement.name.as_str();
            self.frameworks.extend(
                FRAMEWORKS
                    .iter()
                    .filter(|(package, _)| *package == name)
                    .map(|(_, kind)| *kind),
            );
            self.scripts.extend(
                SCRIPTS
                    .iter()
                    .filter(|(package, _)| *package == name)
                    .map(|(_, script)| (*script).to_owned()),
            );
        }
        self.frameworks.sort();
        self.frameworks.dedup();
        self.scripts.extend(
            self.pyproject
                .iter()
                .flat_map(|project| project.scripts.keys().cloned()),
        );
        self.scripts.extend(
            self.setup
                .iter()
                .flat_map(|setup| setup.scripts.iter().cloned()),
        );
    }

    /// The version of Python that is asked for.
    fn version(&self, context: &Context, root: &str) -> Option<String> {
        for name in [".python-version", "runtime.txt"] {
            let path = paths::join(root, name);
            if context.has(&path)
                && let Some(text) = paths::any_text(context, &path)
                && let Some(line) = text.lines().map(str::trim).find(|line| !line.is_empty())
                && line.len() < 32
            {
                return Some(line.trim_start_matches("python-").to_owned());
            }
        }
        self.pyproject
            .as_ref()
            .and_then(|project| project.python.clone())
            .or_else(|| self.setup.as_ref()?.python.clone())
    }

    /// What an install reads.
    fn manifests(&self, context: &Context, root: &str) -> Vec<String> {
        let mut manifests: Vec<String> = self
            .requirements
            .values()
            .flat_map(|file| file.files.iter().cloned())
            .collect();
        if let Some(project) = &self.pyproject {
            manifests.push(project.path.clone());
            if project.is_package {
                manifests.extend(
                    project
                        .build_files
                        .iter()
                        .filter(|path| context.has(path))
                        .cloned(),
                );
            }
        }
        if let Some(setup) = &self.setup {
            manifests.extend(
                setup
                    .files
                    .iter()
                    .chain(&setup.reads)
                    .filter(|path| context.has(path))
                    .cloned(),
            );
        }
        manifests.extend(paths::first(context, root, &["Pipfile"]));
        manifests.extend(paths::first(context, root, &["poetry.toml"]));
        manifests.extend(paths::first(context, root, &["uv.toml"]));
        manifests.sort();
        manifests.dedup();
        manifests
    }
}

fn is_requirement_file(name: &str) -> bool {
    (name.starts_with("requirements") || name.ends_with("requirements.txt"))
        && name.ends_with(".txt")
}

/// `requirements/*.txt`
fn nested_requirement_files(context: &Context, root: &str) -> Vec<String> {
    let folder = paths::join(root, "requirements");
    paths::names(context, &folder)
        .filter(|name| name.ends_with(".txt"))
        .map(|name| paths::join(&folder, name))
        .collect()
}

/// Whether a `pyproject.toml` is more than the settings of a linter.
fn is_project(project: &PyProject) -> bool {
    project.name.is_some()
        || !project.dependencies.is_empty()
        || project.backend.is_some()
        || project.tools.contains("poetry")
}

/// The manager and the file that shows it.
fn manager(
    root: &str,
    pyproject: Option<&PyProject>,
    locks: &[(String, Manager)],
    names: &[&str],
    requirements: &BTreeMap<String, Requirements>,
) -> (Manager, String) {
    if let Some((path, manager)) = locks.first() {
        return (*manager, path.clone());
    }
    let project = pyproject.map(|project| {
        let backend = project.backend.as_deref().unwrap_or_default();
        let manager = if project.tools.contains("poetry") || backend.starts_with("poetry") {
            Manager::Poetry
        } else if project.tools.contains("pdm") || backend.starts_with("pdm") {
            Manager::Pdm
        } else if project.tools.contains("uv") {
            Manager::Uv
        } else if project.tools.contains("hatch") {
            Manager::Hatch
        } else {
            Manager::Pip
        };
        (manager, project.path.clone())
    });
    if names.contains(&"Pipfile") {
        return (Manager::Pipenv, paths::join(root, "Pipfile"));
    }
    match (project, requirements.keys().next()) {
        (Some((manager, path)), _) if manager != Manager::Pip && manager != Manager::Hatch => {
            (manager, path)
        }
        (_, Some(path)) => (Manager::Pip, path.clone()),
        (Some(found), None) => found,
        (None, None) if names.contains(&"environment.yml") => {
            (Manager::Conda, paths::join(root, "environment.yml"))
        }
        (None, None) => (
            Manager::Pip,
            paths::join(
                root,
                names
                    .iter()
                    .find(|name| name.ends_with(".py"))
                    .unwrap_or(&""),
            ),
        ),
    }
}

fn pipfile(
    context: &Context,
    path: &str,
    findings: &mut Vec<Evidence>,
) -> Option<(Vec<Requirement>, Vec<Requirement>)> {
    let text = paths::any_text(context, path)?;
    let Ok(document) = text.parse::<toml_edit::DocumentMut>() else {
        findings.push(Evidence::new("the manifest is not valid TOML", path));
        return None;
    };
    let group = |name: &str| {
        document
            .get(name)
            .and_then(toml_edit::Item::as_table_like)
            .into_iter()
            .flat_map(toml_edit::TableLike::iter)
            .map(|(name, item)| {
                let table = item.as_table_like();
                let field = |key: &str| Some(table?.get(key)?.as_str()?.to_owned());
                Requirement {
                    name: normalise(name),
                    versions: item
                        .as_str()
                        .map(str::to_owned)
                        .or_else(|| field("version"))
                        .unwrap_or_default(),
                    address: field("git")
                        .map(|git| format!("git+{git}"))
                        .or_else(|| field("path")),
                    ..Requirement::default()
                }
            })
            .collect()
    };
    Some((group("packages"), group("dev-packages")))
}

/// Whether `path` is a source that may run: not installed, no test.
fn is_source(path: &str) -> bool {
    let name = paths::file_name(path);
    name.ends_with(".py")
        && !name.starts_with("test_")
        && !name.ends_with("_test.py")
        && !matches!(name, "conftest.py" | "setup.py" | "noxfile.py" | "tasks.py")
        && !path.split('/').any(|folder| {
            matches!(
                folder,
                "venv"
                    | ".venv"
                    | "env"
                    | "site-packages"
                    | "__pycache__"
                    | "tests"
                    | "test"
                    | "node_modules"
                    | ".tox"
                    | ".git"
            )
        })
}
