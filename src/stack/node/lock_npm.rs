//! `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::lock::{Lock, LockFormat, LockedPackage, PackageSource, source_of};
use super::manifest::Manifest;
use super::range;

type Texts = BTreeMap<String, String>;

#[derive(Deserialize)]
struct File {
    #[serde(rename = "lockfileVersion", default)]
    version: u8,
    packages: Option<BTreeMap<String, Entry>>,
    dependencies: Option<BTreeMap<String, OldEntry>>,
}

/// An entry of `packages` (versions 2 and 3).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<Value>,
    link: bool,
    dev: bool,
    dev_optional: bool,
    optional: bool,
    has_install_script: bool,
    bin: Option<Value>,
    dependencies: Texts,
    dev_dependencies: Texts,
    optional_dependencies: Texts,
    peer_dependencies: Texts,
    peer_dependencies_meta: BTreeMap<String, PeerMeta>,
    /// Whether its own dependencies are in its archive.
    in_bundle: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PeerMeta {
    optional: bool,
}

/// An entry of `dependencies` (version 1; in version 2 only for old readers).
#[derive(Deserialize)]
struct OldEntry {
    #[serde(default)]
    version: String,
    #[serde(default)]
    dev: bool,
    #[serde(default)]
    optional: bool,
    dependencies: Option<BTreeMap<String, OldEntry>>,
}

pub(super) fn parse(path: &str, text: &str) -> Result<Lock, String> {
    let file: File = serde_json::from_str(text)
        .map_err(|error| format!("the lock file is malformed in line {}", error.line()))?;
    let mut lock = Lock::new(path, LockFormat::Npm(file.version));
    match (file.packages, file.dependencies) {
        (Some(packages), _) => {
            if file.version < 2 {
                lock.format = LockFormat::Npm(2);
            }
            read_packages(&packages, &mut lock);
        }
        (None, dependencies) => {
            lock.format = LockFormat::Npm(1);
            read_old(dependencies.unwrap_or_default(), true, &mut lock);
        }
    }
    Ok(lock)
}

fn read_packages(packages: &BTreeMap<String, Entry>, lock: &mut Lock) {
    let mut importers = BTreeMap::new();
    for (place, entry) in packages {
        let Some(name) = place.rfind("node_modules/").map(|at| &place[at + 13..]) else {
            let asked = [
                &entry.dev_dependencies,
                &entry.dependencies,
                &entry.optional_dependencies,
            ]
            .into_iter()
            .flatten()
            .map(|(name, range)| (name.clone(), range.clone()))
            .collect();
            importers.insert(place.clone(), asked);
            find_missing(packages, place, entry, lock);
            continue;
        };
        find_missing(packages, place, entry, lock);
        let resolved = entry
            .resolved
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default();
        lock.packages.push(LockedPackage {
            name: name.to_owned(),
            version: entry.version.clone().unwrap_or_default(),
            has_install_script: Some(entry.has_install_script),
            dev: Some(entry.dev),
            optional: entry.optional || entry.dev_optional,
            source: if entry.link {
                PackageSource::Link(resolved.to_owned())
            } else {
                source_of(resolved)
            },
            bin: commands(entry, name),
            hoisted: place.len() == "node_modules/".len() + name.len(),
        });
    }
    lock.missing.sort();
    lock.missing.dedup();
    lock.missing_peers.sort();
    lock.missing_peers.dedup();
    lock.importers = Some(importers);
}

/// `bin` in its two forms.
fn commands(entry: &Entry, name: &str) -> Texts {
    match &entry.bin {
        Some(Value::String(file)) => {
            let name = entry.name.as_deref().unwrap_or(name);
            let command = name.rsplit('/').next().unwrap_or(name);
            BTreeMap::from([(command.to_owned(), file.clone())])
        }
        Some(Value::Object(object)) => object
            .iter()
            .filter_map(|(name, file)| Some((name.clone(), file.as_str()?.to_owned())))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Records what `entry` requires and no `node_modules` on its way up holds.
fn find_missing(packages: &BTreeMap<String, Entry>, place: &str, entry: &Entry, lock: &mut Lock) {
    if entry.link || entry.in_bundle {
        return;
    }
    let own = place.is_empty() || !place.contains("node_modules/");
    let peers = entry.peer_dependencies.keys().filter(|name| {
        !entry
            .peer_dependencies_meta
            .get(*name)
            .is_some_and(|meta| meta.optional)
    });
    let development = entry.dev_dependencies.keys().filter(|_| own);
    let required = entry.dependencies.keys().chain(development);
    let required = required
        .map(|name| (name, false))
        .chain(peers.map(|name| (name, true)));
    for (name, is_peer) in required {
        let may_miss = entry.optional_dependencies.contains_key(name) || entry.optional;
        if may_miss || is_found(packages, place, name) {
            continue;
        }
        if is_peer {
            lock.missing_peers.push(name.clone());
        } else {
            lock.missing.push(name.clone());
        }
    }
}

fn is_found(packages: &BTreeMap<String, Entry>, place: &str, name: &str) -> bool {
    let mut folder = place;
    loop {
        let candidate = if folder.is_empty() {
            format!("node_modules/{name}")
        } else {
            format!("{folder}/node_modules/{name}")
        };
        if packages.contains_key(&candidate) {
            return true;
        }
        if folder.is_empty() {
            return false;
        }
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        folder = folder.strip_suffix("/node_modules").unwrap_or(folder);
        if folder == "node_modules" {
            folder = "";
        }
    }
}

fn read_old(entries: BTreeMap<String, OldEntry>, hoisted: bool, lock: &mut Lock) {
    for (name, entry) in entries {
        lock.packages.push(LockedPackage {
            name,
            source: source_of(&entry.version),
            version: entry.version,
            has_install_script: None,
            dev: Some(entry.dev),
            optional: entry.optional,
            bin: BTreeMap::new(),
            hoisted,
        });
        if let Some(inner) = entry.dependencies {
            read_old(inner, false, lock);
        }
    }
}

/// Version 1 records no ranges: each locked version has to satisfy the range of the manifest.
pub(super) fn differences_v1(lock: &Lock, manifest: &Manifest) -> Result<Vec<String>, String> {
    let mut differences = Vec::new();
    for (name, asked) in manifest.installed() {
        let Some(package) = lock
            .packages
            .iter()
            .find(|package| package.hoisted && package.name == name)
        else {
            differences.push(format!(
                "`{name}` of {} is not in {}",
                manifest.path, lock.path
            ));
            continue;
        };
        match range::satisfies(&package.version, asked) {
            Some(true) => {}
            Some(false) => differences.push(format!(
                "`{name}` is `{asked}` in {} but {} in {}",
                manifest.path, package.version, lock.path
            )),
            None if package.version.contains(asked) => {}
            None => return Err(format!("the range `{asked}` of `{name}` is not understood")),
        }
    }
    Ok(differences)
}
