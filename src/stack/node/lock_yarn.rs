//! `yarn.lock` of Yarn 1 and of Yarn 2 and later.

use super::lock::{Lock, LockFormat, LockedPackage, PackageSource, source_of};
use super::manifest::Manifest;
use super::outline::{lines, unquote};

pub(super) fn parse(path: &str, text: &str) -> Lock {
    let berry = text.lines().any(|line| line.starts_with("__metadata:"));
    let format = if berry {
        LockFormat::YarnBerry
    } else {
        LockFormat::YarnClassic
    };
    let mut lock = Lock::new(path, format);
    let mut open: Option<LockedPackage> = None;
    let mut in_bin = false;
    for line in lines(text) {
        if line.indent == 0 {
            lock.packages.extend(open.take());
            in_bin = false;
            if line.key == "__metadata" {
                continue;
            }
            let mut name = None;
            for descriptor in line
                .key
                .split(',')
                .map(|key| unquote(key.trim()).trim_matches('"'))
            {
                let Some((package, range)) = split_descriptor(descriptor) else {
                    continue;
                };
                name.get_or_insert((package.to_owned(), source_of(plain_range(range))));
                lock.descriptors
                    .push(format!("{package}@{}", plain_range(range)));
            }
            open = name.map(|(name, source)| LockedPackage {
                name,
                source,
                hoisted: true,
                ..LockedPackage::default()
            });
            continue;
        }
        let Some(package) = &mut open else { continue };
        if line.indent == 2 {
            in_bin = line.key == "bin";
            match line.key {
                "version" => package.version = line.value.to_owned(),
                "resolved" if package.source == PackageSource::Registry => {
                    package.source = source_of(line.value);
                }
                "linkType" if line.value == "soft" && package.source == PackageSource::Registry => {
                    package.source = PackageSource::Link(".".to_owned());
                }
                // `resolution: "pkg@https://…#commit=…"`
                "resolution" if line.value.contains("commit=") => {
                    package.source = PackageSource::Git(line.value.to_owned());
                }
                _ => {}
            }
        } else if in_bin && line.indent == 4 {
            package
                .bin
                .insert(line.key.to_owned(), line.value.to_owned());
        }
    }
    lock.packages.extend(open);
    lock.descriptors.sort();
    lock
}

/// What `manifest` asks for and the lock file does not resolve.
pub(super) fn differences(lock: &Lock, manifest: &Manifest) -> Vec<String> {
    manifest
        .installed()
        .into_iter()
        .filter(|(name, range)| {
            let workspace = lock.format == LockFormat::YarnBerry && range.starts_with("workspace:");
            let descriptor = format!("{name}@{}", plain_range(range));
            !workspace && lock.descriptors.binary_search(&descriptor).is_err()
        })
        .filter(|(name, _)| {
            // A workspace of Yarn 1 is not in the lock file at all; the caller knows its name from its manifest.
            lock.format == LockFormat::YarnBerry
                || lock.package(name).is_some()
                || !is_local(manifest, name)
        })
        .map(|(name, range)| {
            format!(
                "`{name}@{range}` of {} is not in {}",
                manifest.path, lock.path
            )
        })
        .collect()
}

/// Whether the range is one that a workspace of the same repository satisfies: `*` or `workspace:`.
fn is_local(manifest: &Manifest, name: &str) -> bool {
    manifest.installed().get(name).is_some_and(|range| {
        *range == "*" || range.starts_with("workspace:") || range.starts_with("link:")
    })
}

/// Name and range of `@scope/name@range`.
fn split_descriptor(descriptor: &str) -> Option<(&str, &str)> {
    let at = descriptor
        .char_indices()
        .skip(1)
        .find(|(_, char)| *char == '@')?
        .0;
    Some((&descriptor[..at], &descriptor[at + 1..]))
}

/// The range without Yarn's own `npm:` before it; an alias (`npm:other@1`) keeps its text.
fn plain_range(range: &str) -> &str {
    let range = range.trim();
    match range.strip_prefix("npm:") {
        Some(plain) if !plain.trim_start_matches('@').contains('@') => plain,
        _ => range,
    }
}
