//! `bun.lock`: JSON with comments and trailing commas.

use std::collections::BTreeMap;

use serde_json::Value;

use super::jsonc;
use super::lock::{Lock, LockFormat, LockedPackage, PackageSource, source_of};

pub(super) fn parse(path: &str, text: &str) -> Result<Lock, String> {
    let file =
        jsonc::parse(text).map_err(|line| format!("the lock file is malformed in line {line}"))?;
    let mut lock = Lock::new(path, LockFormat::Bun);
    let mut importers = BTreeMap::new();
    for (folder, manifest) in entries(&file, "workspaces") {
        let asked: BTreeMap<String, String> =
            ["devDependencies", "dependencies", "optionalDependencies"]
                .into_iter()
                .flat_map(|group| entries(manifest, group))
                .filter_map(|(name, range)| Some((name.clone(), range.as_str()?.to_owned())))
                .collect();
        importers.insert(folder.clone(), asked);
    }
    lock.importers = Some(importers);
    for (place, entry) in entries(&file, "packages") {
        let Some(spec) = entry.get(0).and_then(Value::as_str) else {
            continue;
        };
        let at = spec
            .char_indices()
            .skip(1)
            .find(|(_, char)| *char == '@')
            .map(|(at, _)| at);
        let Some((name, version)) = at.map(|at| (&spec[..at], &spec[at + 1..])) else {
            continue;
        };
        let source = match version.strip_prefix("workspace:") {
            Some(folder) => PackageSource::Link(folder.to_owned()),
            None => source_of(version),
        };
        let bin = entry
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|part| part.get("bin"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, file)| Some((name.clone(), file.as_str()?.to_owned())))
            .collect();
        lock.packages.push(LockedPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            has_install_script: None,
            dev: None,
            optional: false,
            source,
            bin,
            hoisted: place == name,
        });
    }
    Ok(lock)
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}
