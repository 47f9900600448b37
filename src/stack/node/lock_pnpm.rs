//! `pnpm-lock.yaml`, lock file versions 5 to 9.

use std::collections::BTreeMap;

use super::lock::{Lock, LockFormat, LockedPackage, PackageSource, source_of};
use super::outline::{Line, lines, unquote};

pub(super) fn parse(path: &str, text: &str) -> Result<Lock, String> {
    let mut reader = Reader {
        lock: Lock::new(path, LockFormat::Pnpm(0)),
        importers: BTreeMap::new(),
        section: "",
        importer: None,
        group: "",
        dependency: "",
        package: None,
    };
    for line in lines(text) {
        reader.line(line);
    }
    reader.finish()
}

struct Reader<'a> {
    lock: Lock,
    importers: BTreeMap<String, BTreeMap<String, String>>,
    /// The key at the margin under which the line stands.
    section: &'a str,
    /// The folder whose dependencies are being read.
    importer: Option<&'a str>,
    /// `dependencies`, `specifiers` … of the importer.
    group: &'a str,
    dependency: &'a str,
    package: Option<LockedPackage>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: Line<'a>) {
        if line.indent == 0 {
            self.lock.packages.extend(self.package.take());
            self.section = line.key;
            self.importer = None;
            self.group = "";
            match line.key {
                "lockfileVersion" => {
                    let major = line
                        .value
                        .split(['.', '-'])
                        .next()
                        .and_then(|text| text.parse().ok());
                    self.lock.format = LockFormat::Pnpm(major.unwrap_or(0));
                }
                // A project without workspaces has its own groups at the margin (versions 5 and 6).
                "specifiers" | "dependencies" | "devDependencies" | "optionalDependencies" => {
                    self.importer = Some("");
                    self.group = line.key;
                    self.importers.entry(String::new()).or_default();
                }
                _ => {}
            }
            return;
        }
        match self.section {
            "importers" => self.importer_line(line, 2),
            "packages" => self.package_line(line),
            _ if self.importer.is_some() => self.importer_line(line, -2),
            _ => {}
        }
    }

    /// A line of an importer whose key is indented by `margin`; its groups stand two deeper, and so on.
    fn importer_line(&mut self, line: Line<'a>, margin: isize) {
        let depth = (line.indent as isize - margin) / 2;
        match depth {
            0 => {
                let folder = if line.key == "." { "" } else { line.key };
                self.importer = Some(folder);
                self.group = "";
                self.importers.entry(folder.to_owned()).or_default();
            }
            1 => self.group = line.key,
            2 => {
                self.dependency = line.key;
                if self.group == "specifiers" {
                    self.specifier(line.value);
                }
            }
            3 if line.key == "specifier" && self.group != "specifiers" => {
                self.specifier(line.value)
            }
            _ => {}
        }
    }

    fn specifier(&mut self, range: &str) {
        if let Some(importer) = self.importer
            && let Some(dependencies) = self.importers.get_mut(importer)
        {
            dependencies.insert(self.dependency.to_owned(), range.to_owned());
        }
    }

    fn package_line(&mut self, line: Line<'a>) {
        if line.indent == 2 {
            self.lock.packages.extend(self.package.take());
            self.package = package_of(line.key);
            return;
        }
        let LockFormat::Pnpm(version) = self.lock.format else {
            return;
        };
        let Some(package) = &mut self.package else {
            return;
        };
        // Version 9 no longer says which packages build.
        if version < 9 && package.has_install_script.is_none() {
            package.has_install_script = Some(false);
        }
        if line.indent != 4 {
            return;
        }
        match line.key {
            "requiresBuild" => package.has_install_script = Some(line.value == "true"),
            "hasBin" => {}
            "dev" => package.dev = Some(line.value == "true"),
            "optional" => package.optional = line.value == "true",
            "name" => package.name = line.value.to_owned(),
            "version" => package.version = line.value.to_owned(),
            "resolution" => {
                if let Some(source) = resolution(line.value) {
                    package.source = source;
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Lock, String> {
        self.lock.packages.extend(self.package.take());
        if self.lock.format == LockFormat::Pnpm(0) {
            return Err("the lock file does not say its version".to_owned());
        }
        self.lock.importers = Some(self.importers);
        Ok(self.lock)
    }
}

/// The package that a key names: `/name/1.0.0_peer@2`, `/name@1.0.0(peer@2)`, `name@1.0.0`.
fn package_of(key: &str) -> Option<LockedPackage> {
    let plain = key.split('(').next().unwrap_or(key);
    let plain = plain.strip_prefix('/').unwrap_or(plain);
    // In `/name/1.0.0_peer@2` the `@` is a peer's: before it stands more than a name.
    let slashes = usize::from(plain.starts_with('@'));
    let at = plain
        .char_indices()
        .skip(1)
        .find(|(_, char)| *char == '@')
        .map(|(at, _)| at)
        .filter(|at| plain[..*at].matches('/').count() == slashes);
    let (name, version) = match at {
        Some(at) => (&plain[..at], &plain[at + 1..]),
        None => plain.rsplit_once('/')?,
    };
    let version = version.split('_').next().unwrap_or(version);
    let source = source_of(version);
    Some(LockedPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        has_install_script: None,
        source,
        hoisted: true,
        ..LockedPackage::default()
    })
}

/// The source in `{tarball: …}`, `{directory: …}`, `{type: git, repo: …}`.
fn resolution(value: &str) -> Option<PackageSource> {
    let inner = value.trim_start_matches('{').trim_end_matches('}');
    let field = |name: &str| {
        inner.split(", ").find_map(|part| {
            let (key, value) = part.split_once(": ")?;
            (key.trim() == name).then(|| unquote(value.trim()).to_owned())
        })
    };
    if let Some(repository) = field("repo") {
        Some(PackageSource::Git(repository))
    } else if let Some(folder) = field("directory") {
        Some(PackageSource::Link(folder))
    } else {
        match source_of(&field("tarball")?) {
            PackageSource::Registry => None,
            source => Some(source),
        }
    }
}
