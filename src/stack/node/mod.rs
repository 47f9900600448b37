//! Node: npm, Yarn, pnpm and Bun projects.
//!
//! Detection reads `package.json`, settings and configuration files. Lock files and sources are read when a rule
//! asks: [`Node::lock`], [`Node::usage`].

mod framework;
mod install;
mod jsonc;
mod launch;
mod lexer;
mod lock;
mod lock_bun;
mod lock_npm;
mod lock_pnpm;
mod lock_yarn;
mod manifest;
mod outline;
mod outputs;
mod paths_in_code;
mod programs;
mod range;
mod runtime;
mod scan;
mod settings;
mod typescript;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

pub use framework::{Framework, FrameworkKind};
pub use install::{InstallScript, Need, install_scripts};
pub use launch::{Launch, LaunchKind};
pub use lock::{Agreement, Lock, LockFormat, LockedPackage, PackageSource};
pub use manifest::{Manifest, Role};
pub use runtime::{DevelopmentUse, Reach, package_name};
pub use settings::{Credential, Settings};
pub use typescript::TypeScript;

use super::{Details, Evidence, Project, Stack, paths};
use crate::catalog::Catalog;
use crate::context::Context;

/// The Node stack.
pub(super) struct NodeStack;

/// Who installs the packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// npm
    Npm,
    /// Yarn 1
    Yarn,
    /// Yarn 2 and later
    YarnBerry,
    /// pnpm
    Pnpm,
    /// Bun
    Bun,
}

impl Manager {
    /// The command.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Yarn | Self::YarnBerry => "yarn",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
        }
    }
}

/// What only the Node stack knows of a project.
#[derive(Clone, Debug)]
pub struct Node {
    /// `package.json` of the project's folder.
    pub manifest: Manifest,
    /// The manifests of its workspaces.
    pub workspaces: Vec<Manifest>,
    /// Whether every workspace pattern was understood and every workspace's manifest read.
    pub workspaces_complete: bool,
    /// Who installs.
    pub manager: Manager,
    /// Settings of the package managers.
    pub settings: Settings,
    /// Frameworks and bundlers.
    pub frameworks: Vec<Framework>,
    /// `tsconfig.json` of the project's folder.
    pub typescript: Option<TypeScript>,
    /// Scripts of the project and its workspaces that an install runs.
    pub install_scripts: Vec<InstallScript>,
    /// The lock file that the manager reads, a path in the context.
    pub lock_file: Option<String>,
    lock: OnceLock<Option<Arc<Lock>>>,
}

/// Lock files and who writes them, in the order in which npm's own and others win.
const LOCKS: &[(&str, Manager)] = &[
    ("npm-shrinkwrap.json", Manager::Npm),
    ("package-lock.json", Manager::Npm),
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
];

/// The Node project in the folder `root` of the context, if there is one.
#[must_use]
pub fn project(root: &str, context: &Context, catalog: &Catalog) -> Option<Node> {
    match NodeStack.detect(root, context, catalog)?.details {
        Details::Node(node) => Some(*node),
        _ => None,
    }
}

/// The scripts in the folder `root` of the context taken for a project: what has no `package.json` declares no
/// dependencies, and nothing is installed for it.
#[must_use]
pub fn scripts(root: &str) -> Node {
    Node {
        manifest: Manifest {
            path: paths::join(root, "package.json"),
            ..Manifest::default()
        },
        workspaces: Vec::new(),
        workspaces_complete: true,
        manager: Manager::Npm,
        settings: Settings::default(),
        frameworks: Vec::new(),
        typescript: None,
        install_scripts: Vec::new(),
        lock_file: None,
        lock: OnceLock::new(),
    }
}

impl Stack for NodeStack {
    fn name(&self) -> &'static str {
        "node"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let path = paths::join(root, "package.json");
        if !context.has(&path) {
            return None;
        }
        let mut findings = Vec::new();
        let mut evidence = Vec::new();
        let manifest = Manifest::read(context, &path, &mut findings).unwrap_or_else(|| Manifest {
            path: path.clone(),
            ..Manifest::default()
        });
        let settings = Settings::read(context, root);
        let locks = paths::lock_files(context, root, LOCKS, &mut findings);
        let (manager, lock_file) =
            choose(&manifest, &settings, &locks, &mut evidence, &mut findings);
        let (workspaces, workspaces_complete) =
            workspaces(context, &manifest, &settings, &mut findings);
        let frameworks = framework::detect(context, &manifest, &mut findings);
        for framework in &frameworks {
            evidence.push(Evidence::new(
                &format!("{:?} {}", framework.kind, framework.range),
                framework.config.as_deref().unwrap_or(&path),
            ));
        }
        for credential in settings
            .credentials
            .iter()
            .filter(|credential| credential.variables.is_empty())
        {
            findings.push(Evidence::new(
                &format!("`{}` holds a secret", credential.key),
                &credential.source,
            ));
        }
        let typescript =
            TypeScript::read(context, &paths::join(root, "tsconfig.json"), &mut findings);
        let install_scripts: Vec<InstallScript> = std::iter::once(&manifest)
            .chain(&workspaces)
            .flat_map(|manifest| install_scripts(context, manifest))
            .collect();
        evidence.extend(install_scripts.iter().map(|script| {
            Evidence::new(
                &format!("an install runs `{}`", script.command),
                &script.manifest,
            )
        }));
        let language_version = manifest
            .engine
            .clone()
            .or_else(|| version_file(context, root));
        if let Some(version) = &language_version {
            evidence.push(Evidence::new(&format!("Node {version}"), &path));
        }
        let mut manifests: Vec<String> = std::iter::once(&manifest)
            .chain(&workspaces)
            .map(|manifest| manifest.path.clone())
            .chain(settings.files.iter().cloned())
            .chain(
                settings
                    .yarn_release
                    .clone()
                    .filter(|path| context.has(path)),
            )
            .chain(paths::first(context, root, &[".pnpmfile.cjs"]))
            .collect();
        manifests.extend(local_packages(
            context,
            &manifest,
            &workspaces,
            &mut findings,
        ));
        Some(Project {
            root: root.to_owned(),
            language_version,
            package_manager: Some(manager.command().to_owned()),
            manifests,
            locks: locks.into_iter().map(|(path, _)| path).collect(),
            ports: Vec::new(),
            evidence,
            findings,
            details: Details::Node(Box::new(Node {
                manifest,
                workspaces,
                workspaces_complete,
                manager,
                settings,
                frameworks,
                typescript,
                install_scripts,
                lock_file,
                lock: OnceLock::new(),
            })),
        })
    }
}

impl Node {
    /// The lock file, read once; none when there is none or it is malformed.
    #[must_use]
    pub fn lock(&self, context: &Context) -> Option<Arc<Lock>> {
        self.lock
            .get_or_init(|| {
                Lock::read(context, self.lock_file.as_deref()?, &mut Vec::new()).map(Arc::new)
            })
            .clone()
    }

    /// Whether the lock file has what the manifests ask for; see [`Lock::agreement`]. `legacy_peers` when the command
    /// says `--legacy-peer-deps` or `--force`; the settings are known here.
    #[must_use]
    pub fn lock_agreement(&self, context: &Context, legacy_peers: bool) -> Agreement {
        let Some(lock) = self.lock(context) else {
            return Agreement::Unknown("there is no lock file that can be read".to_owned());
        };
        if !self.workspaces_complete {
            return Agreement::Unknown("not every workspace is known".to_owned());
        }
        let manifests: Vec<&Manifest> = std::iter::once(&self.manifest)
            .chain(&self.workspaces)
            .collect();
        lock.agreement(&manifests, legacy_peers || self.settings.legacy_peer_deps)
    }

    /// The framework of this kind.
    #[must_use]
    pub fn framework(&self, kind: FrameworkKind) -> Option<&Framework> {
        self.frameworks
            .iter()
            .find(|framework| framework.kind == kind)
    }

    /// Whether packages are not in `node_modules` (Yarn's Plug'n'Play).
    #[must_use]
    pub fn is_plug_and_play(&self) -> bool {
        match self.settings.linker.as_deref() {
            Some(linker) => linker == "pnp",
            None => self.manager == Manager::YarnBerry,
        }
    }
}

/// The manager and its lock file: `packageManager` decides, then the lock files, then npm.
fn choose(
    manifest: &Manifest,
    settings: &Settings,
    locks: &[(String, Manager)],
    evidence: &mut Vec<Evidence>,
    findings: &mut Vec<Evidence>,
) -> (Manager, Option<String>) {
    let berry = settings
        .files
        .iter()
        .any(|path| path.ends_with(".yarnrc.yml"));
    let yarn = if berry {
        Manager::YarnBerry
    } else {
        Manager::Yarn
    };
    let named = manifest.package_manager.as_deref().and_then(|text| {
        Some(match text.split_once('@').unwrap_or((text, "")) {
            ("npm", _) => Manager::Npm,
            ("pnpm", _) => Manager::Pnpm,
            ("bun", _) => Manager::Bun,
            ("yarn", version) if version.starts_with("1.") => Manager::Yarn,
            ("yarn", _) => Manager::YarnBerry,
            _ => return None,
        })
    });
    let mut managers: Vec<&str> = locks.iter().map(|(_, manager)| manager.command()).collect();
    managers.dedup();
    if managers.len() > 1 {
        findings.push(Evidence::new(
            &format!("there are lock files of {}", managers.join(" and ")),
            &manifest.path,
        ));
    }
    let (manager, source) = match (named, locks.first()) {
        (Some(manager), _) => (manager, manifest.path.as_str()),
        (None, Some((path, Manager::Yarn))) => (yarn, path.as_str()),
        (None, Some((path, manager))) => (*manager, path.as_str()),
        (None, None) => (Manager::Npm, manifest.path.as_str()),
    };
    evidence.push(Evidence::new(
        &format!("packages are installed by {}", manager.command()),
        source,
    ));
    let lock = locks
        .iter()
        .find(|(_, writer)| writer.command() == manager.command())
        .map(|(path, _)| path.clone());
    (manager, lock)
}

/// The manifests that the workspace patterns cover, and whether that is all of them.
fn workspaces(
    context: &Context,
    manifest: &Manifest,
    settings: &Settings,
    findings: &mut Vec<Evidence>,
) -> (Vec<Manifest>, bool) {
    let patterns: Vec<&str> = manifest
        .workspaces
        .iter()
        .chain(&settings.workspaces)
        .map(String::as_str)
        .collect();
    if patterns.is_empty() {
        return (Vec::new(), true);
    }
    let mut complete = !context.truncated()
        && !patterns
            .iter()
            .any(|pattern| pattern.contains(['{', '[', '(']));
    let folder = manifest.folder();
    let covers = |inner: &str| {
        patterns
            .iter()
            .any(|pattern| !pattern.starts_with('!') && paths::matches(pattern, inner))
            && !patterns
                .iter()
                .filter_map(|pattern| pattern.strip_prefix('!'))
                .any(|pattern| paths::matches(pattern, inner))
    };
    let mut found = Vec::new();
    for path in
        paths::files(context, folder).filter(|path| paths::file_name(path) == "package.json")
    {
        let inner = paths::below(folder, paths::parent(path)).unwrap_or_default();
        if inner.is_empty() || path.contains("node_modules/") || !covers(inner) {
            continue;
        }
        match Manifest::read(context, path, findings) {
            Some(workspace) => found.push(workspace),
            None => complete = false,
        }
    }
    (found, complete)
}

/// `.nvmrc`, `.node-version`, `.tool-versions`.
fn version_file(context: &Context, root: &str) -> Option<String> {
    for name in [".nvmrc", ".node-version"] {
        let path = paths::join(root, name);
        if context.has(&path)
            && let Some(text) = paths::any_text(context, &path)
        {
            let version = text.trim().trim_start_matches('v');
            if !version.is_empty() && version.len() < 32 {
                return Some(version.to_owned());
            }
        }
    }
    None
}

/// The manifests and archives of `file:`, `link:` and `portal:` dependencies: an install reads them.
fn local_packages(
    context: &Context,
    manifest: &Manifest,
    workspaces: &[Manifest],
    findings: &mut Vec<Evidence>,
) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in std::iter::once(manifest).chain(workspaces) {
        for (name, range) in manifest.installed() {
            let path = match lock::source_of(range) {
                PackageSource::File(path) => path,
                PackageSource::Link(path) if !range.starts_with("workspace:") => path,
                _ => continue,
            };
            match paths::relative(manifest.folder(), &path) {
                Some(path) if context.has(&paths::join(&path, "package.json")) => {
                    found.push(paths::join(&path, "package.json"));
                }
                Some(path) if context.has(&path) => found.push(path),
                _ => findings.push(Evidence::new(
                    &format!("`{name}` comes from `{path}`, which is not in the context"),
                    &manifest.path,
                )),
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
