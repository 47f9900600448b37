//! Lock files of npm, Yarn, pnpm and Bun, brought to one shape.

use std::collections::BTreeMap;

use super::manifest::Manifest;
use super::{lock_bun, lock_npm, lock_pnpm, lock_yarn};
use crate::context::Context;
use crate::stack::{Evidence, paths};

/// Which program wrote a lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockFormat {
    /// `package-lock.json` and `npm-shrinkwrap.json`, by `lockfileVersion`.
    Npm(u8),
    /// `yarn.lock` of Yarn 1.
    YarnClassic,
    /// `yarn.lock` of Yarn 2 and later.
    YarnBerry,
    /// `pnpm-lock.yaml`, by the major number of `lockfileVersion`.
    Pnpm(u8),
    /// `bun.lock`
    Bun,
    /// `bun.lockb`, which is not read.
    BunBinary,
}

/// Where an installed package comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PackageSource {
    /// A registry.
    #[default]
    Registry,
    /// A repository: `git+ssh://…`, `github:…`. The install needs `git`.
    Git(String),
    /// An archive by its address.
    Url(String),
    /// An archive or folder of the context, copied in; the path as written.
    File(String),
    /// A folder that is linked, workspaces too; the path as written.
    Link(String),
}

/// A package that the lock file installs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedPackage {
    /// The name under which it is imported.
    pub name: String,
    /// Its version, empty for links.
    pub version: String,
    /// Whether it runs something when it is installed; none when the format does not say.
    pub has_install_script: Option<bool>,
    /// Whether only development asks for it; none when the format does not say.
    pub dev: Option<bool>,
    /// Whether it may be missing.
    pub optional: bool,
    /// Where it comes from.
    pub source: PackageSource,
    /// Its commands, when the format says: name and file.
    pub bin: BTreeMap<String, String>,
    /// Whether it stands directly in the root's `node_modules` (npm's formats), or the format does not nest.
    pub hoisted: bool,
}

/// A lock file.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Path in the context.
    pub path: String,
    /// Who wrote it.
    pub format: LockFormat,
    /// What it installs. The same package may come in several versions.
    pub packages: Vec<LockedPackage>,
    /// Ranges by folder of the project or workspace (relative to the lock's folder) and name, where the format
    /// records them.
    pub importers: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// `name@range` pairs that it resolves (Yarn).
    pub(super) descriptors: Vec<String>,
    /// Dependencies of its own packages that it does not hold: `npm ci` refuses such a file.
    pub missing: Vec<String>,
    /// Peer dependencies that it does not hold: `npm ci` refuses it unless `legacy-peer-deps` is set.
    pub missing_peers: Vec<String>,
}

/// Whether an install that may not change the lock file would take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Every dependency of every manifest is in it with the same range.
    Agrees,
    /// What differs, in sentences without a full stop.
    Differs(Vec<String>),
    /// The format or a range is not understood, for this reason.
    Unknown(String),
}

impl Lock {
    /// Reads the lock file at `path`; what is malformed or too large is a finding.
    #[must_use]
    pub fn read(context: &Context, path: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        if paths::file_name(path) == "bun.lockb" {
            return Some(Self::new(path, LockFormat::BunBinary));
        }
        let Some(text) = paths::any_text(context, path) else {
            findings.push(Evidence::new(
                "the lock file cannot be read or is too large",
                path,
            ));
            return None;
        };
        Self::parse(path, &text, findings)
    }

    /// Reads `text`, the contents of `path`, whose name says who wrote it.
    #[must_use]
    pub fn parse(path: &str, text: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        if text.contains("\n<<<<<<< ") || text.starts_with("<<<<<<< ") {
            findings.push(Evidence::new(
                "the lock file holds merge conflict markers",
                path,
            ));
            return None;
        }
        let lock = match paths::file_name(path) {
            "package-lock.json" | "npm-shrinkwrap.json" => lock_npm::parse(path, text),
            "yarn.lock" => Ok(lock_yarn::parse(path, text)),
            "pnpm-lock.yaml" => lock_pnpm::parse(path, text),
            "bun.lock" => lock_bun::parse(path, text),
            _ => return None,
        };
        match lock {
            Ok(lock) => Some(lock),
            Err(what) => {
                findings.push(Evidence::new(&what, path));
                None
            }
        }
    }

    pub(super) fn new(path: &str, format: LockFormat) -> Self {
        Self {
            path: path.to_owned(),
            format,
            packages: Vec::new(),
            importers: None,
            descriptors: Vec::new(),
            missing: Vec::new(),
            missing_peers: Vec::new(),
        }
    }

    /// The package that `import "name"` finds from the root.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&LockedPackage> {
        let mut found = self.packages.iter().filter(|package| package.name == name);
        let first = found.next()?;
        if first.hoisted {
            return Some(first);
        }
        Some(found.find(|package| package.hoisted).unwrap_or(first))
    }

    /// Whether any package runs something when it is installed; none when that is not known of all.
    #[must_use]
    pub fn has_install_scripts(&self) -> Option<bool> {
        if self.format == LockFormat::BunBinary {
            return None;
        }
        let mut known = true;
        for package in &self.packages {
            match package.has_install_script {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = false,
            }
        }
        known.then_some(false)
    }

    /// The package that brings the command `name`, when the format says.
    #[must_use]
    pub fn provider_of(&self, command: &str) -> Option<&LockedPackage> {
        self.packages
            .iter()
            .find(|package| package.hoisted && package.bin.contains_key(command))
    }

    /// Whether the lock file has what `manifests` (the root's and every workspace's) ask for: what `npm ci`,
    /// `yarn --frozen-lockfile` and `pnpm --frozen-lockfile` check before they install. `legacy_peers` when the install ignores peer dependencies.
    #[must_use]
    pub fn agreement(&self, manifests: &[&Manifest], legacy_peers: bool) -> Agreement {
        let folder = paths::parent(&self.path);
        let peers = self.missing_peers.iter().filter(|_| !legacy_peers);
        let mut differences: Vec<String> = self
            .missing
            .iter()
            .chain(peers)
            .map(|name| format!("`{name}` is required but not in {}", self.path))
            .collect();
        for manifest in manifests {
            let Some(importer) = paths::below(folder, manifest.folder())
                .or_else(|| (manifest.folder() == folder).then_some(""))
            else {
                continue;
            };
            let outcome = match self.format {
                LockFormat::BunBinary => Err("bun.lockb is not text".to_owned()),
                LockFormat::Npm(0 | 1) => lock_npm::differences_v1(self, manifest),
                LockFormat::YarnClassic | LockFormat::YarnBerry => {
                    Ok(lock_yarn::differences(self, manifest))
                }
                LockFormat::Npm(_) | LockFormat::Pnpm(_) | LockFormat::Bun => {
                    self.importer_differences(importer, manifest)
                }
            };
            match outcome {
                Ok(found) => differences.extend(found),
                Err(reason) => return Agreement::Unknown(reason),
            }
        }
        if differences.is_empty() {
            Agreement::Agrees
        } else {
            Agreement::Differs(differences)
        }
    }

    fn importer_differences(
        &self,
        importer: &str,
        manifest: &Manifest,
    ) -> Result<Vec<String>, String> {
        let Some(importers) = &self.importers else {
            return Err(format!(
                "{} does not record the ranges that were asked for",
                self.path
            ));
        };
        let asked = manifest.installed();
        let Some(locked) = importers.get(importer) else {
            return Ok(if asked.is_empty() {
                Vec::new()
            } else {
                vec![format!("{} is not in {}", manifest.path, self.path)]
            });
        };
        let mut differences = Vec::new();
        for (name, range) in &asked {
            match locked.get(*name) {
                None => differences.push(format!(
                    "`{name}` of {} is not in {}",
                    manifest.path, self.path
                )),
                Some(locked) if locked.trim() != range.trim() => differences.push(format!(
                    "`{name}` is `{range}` in {} but `{locked}` in {}",
                    manifest.path, self.path
                )),
                Some(_) => {}
            }
        }
        differences.extend(
            locked
                .keys()
                .filter(|name| {
                    !asked.contains_key(name.as_str())
                        && !manifest.peer_dependencies.contains_key(*name)
                })
                .map(|name| format!("`{name}` is in {} but not in {}", self.path, manifest.path)),
        );
        Ok(differences)
    }
}

/// What `spec` (a range, an address or a path as a manifest or lock writes it) says about the source.
pub(super) fn source_of(spec: &str) -> PackageSource {
    let owned = || spec.to_owned();
    if let Some(path) = spec.strip_prefix("file:") {
        PackageSource::File(path.to_owned())
    } else if let Some(path) = spec
        .strip_prefix("link:")
        .or_else(|| spec.strip_prefix("portal:"))
    {
        PackageSource::Link(path.to_owned())
    } else if let Some(path) = spec.strip_prefix("workspace:") {
        PackageSource::Link(path.to_owned())
    } else if is_git(spec) {
        PackageSource::Git(owned())
    } else if (spec.starts_with("http://") || spec.starts_with("https://")) && !is_registry(spec) {
        PackageSource::Url(owned())
    } else {
        PackageSource::Registry
    }
}

fn is_git(spec: &str) -> bool {
    [
        "git+",
        "git:",
        "git@",
        "github:",
        "gitlab:",
        "bitbucket:",
        "gist:",
        "ssh:",
    ]
    .iter()
    .any(|scheme| spec.starts_with(scheme))
        || spec.starts_with("http")
            && spec
                .split('#')
                .next()
                .is_some_and(|url| url.ends_with(".git"))
        || is_shorthand(spec)
}

/// `owner/repository#branch`, which is GitHub's.
fn is_shorthand(spec: &str) -> bool {
    let plain = spec.split('#').next().unwrap_or(spec);
    !spec.starts_with(['@', '.', '/', '~'])
        && !plain.contains(':')
        && plain.split('/').count() == 2
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// Whether an address looks like a registry's archive: `https://host/name/-/name-1.0.0.tgz`.
fn is_registry(address: &str) -> bool {
    address.contains("/-/") || address.contains("registry.") || address.contains("/npm/")
}
