//! Writes `src/catalog/wheels.yaml` from lock files of poetry, uv and pdm.
//!
//! ```text
//! cargo run --release --example python_wheels -- DATE NAMES FOLDER > src/catalog/wheels.yaml
//! ```
//!
//! NAMES has one package a line; what they require is added. FOLDER holds `*.lock` files of public projects, best in
//! all their versions (`git log --raw -- '*.lock'`, `git cat-file blob`): a lock file tells every release that it
//! names with the files that the index has of it, so that no index is asked. DATE is when they were collected.
//!
//! A release counts for a version of Python when a wheel for any platform, or one each for glibc on x86-64 and
//! arm64, goes with it. A row says from which version of the package on that holds for every release that was seen.

mod lock;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;

use lock::{Dependency, normalise};

/// Minor versions of Python 3 that are looked at; the last stands for all that come later.
const PYTHONS: [u32; 10] = [6, 7, 8, 9, 10, 11, 12, 13, 14, 99];

/// Extras that people name in requirement files.
const EXTRAS: &[&str] = &[
    "all",
    "argon2",
    "async",
    "asyncio",
    "asyncpg",
    "bcrypt",
    "binary",
    "brotli",
    "c",
    "crypto",
    "cryptography",
    "dotenv",
    "email",
    "filecache",
    "gevent",
    "grpc",
    "hiredis",
    "http2",
    "i18n",
    "mysql",
    "pool",
    "postgres",
    "postgresql",
    "psycopg2",
    "psycopg2-binary",
    "pymysql",
    "rabbitmq",
    "redis",
    "security",
    "socks",
    "speedups",
    "sqs",
    "standard",
    "tls",
    "tornado",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: python_wheels DATE NAMES FOLDER";
    let date = arguments.next().ok_or(usage)?;
    let names = arguments.next().ok_or(usage)?;
    let folder = arguments.next().ok_or(usage)?;
    let names = std::fs::read_to_string(&names).map_err(|error| format!("{names}: {error}"))?;
    let mut seen = Seen::default();
    let files = std::fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    for file in files.flatten() {
        let bytes = std::fs::read(file.path())
            .map_err(|error| format!("{}: {error}", file.path().display()))?;
        seen.add(&String::from_utf8_lossy(&bytes));
    }
    let wanted = names.lines().map(normalise).filter(|name| !name.is_empty());
    let text = seen.table(wanted.collect(), &date);
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())
}

/// The numbers of a version: `2.9.10` is `[2, 9, 10]`; what stands for a beta or a later build is left out.
type Version = Vec<u32>;

fn version_of(text: &str) -> Version {
    let mut numbers = Vec::new();
    for part in text.split('.') {
        let digits = part
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(part.len());
        if let Ok(number) = part[..digits].parse() {
            numbers.push(number);
        }
        if digits < part.len() {
            break;
        }
    }
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

/// What all files together tell of a release.
#[derive(Default)]
struct Facts {
    text: String,
    files: BTreeSet<String>,
    all_files: bool,
    python: String,
    dependencies: BTreeMap<String, Vec<Dependency>>,
    extras: BTreeMap<String, BTreeMap<String, Vec<Dependency>>>,
}

#[derive(Default)]
struct Seen {
    packages: BTreeMap<String, BTreeMap<Version, Facts>>,
    locks: usize,
}

impl Seen {
    fn add(&mut self, text: &str) {
        self.locks += 1;
        for release in lock::read(text) {
            let facts = self
                .packages
                .entry(release.name)
                .or_default()
                .entry(version_of(&release.version))
                .or_default();
            facts.text = release.version;
            facts.files.extend(release.files);
            facts.all_files |= release.all_files;
            if !release.python.is_empty() {
                facts.python = release.python;
            }
            // One file's words for a release are as good as another's; those with versions are better.
            let tells_versions = |all: &[Dependency]| all.iter().any(|it| !it.versions.is_empty());
            let mut dependencies: BTreeMap<String, Vec<Dependency>> = BTreeMap::new();
            for dependency in release.dependencies {
                dependencies
                    .entry(dependency.name.clone())
                    .or_default()
                    .push(dependency);
            }
            for (name, all) in dependencies {
                let known = facts.dependencies.entry(name).or_default();
                if known.is_empty() || tells_versions(&all) {
                    *known = all;
                }
            }
            for (extra, dependency) in release.extras {
                let known = facts.extras.entry(extra).or_default();
                known
                    .entry(dependency.name.clone())
                    .or_insert_with(|| vec![dependency]);
            }
        }
    }

    fn table(&self, mut wanted: BTreeSet<String>, date: &str) -> String {
        let mut rows = BTreeMap::new();
        while let Some(name) = wanted.pop_first() {
            if rows.contains_key(&name) {
                continue;
            }
            let Some(row) = self.row(&name) else {
                continue;
            };
            let mentioned = row
                .requires
                .iter()
                .map(|wanted| &wanted.name)
                .chain(row.extras.values().flat_map(|(_, names)| names.keys()));
            wanted.extend(mentioned.map(|name| bare(name).to_owned()));
            rows.insert(name, row);
        }
        let releases: usize = self.packages.values().map(BTreeMap::len).sum();
        let mut out = String::from(HEADER);
        out.push_str(&format!(
            "- source: {} lock files of public projects, which name {releases} releases of {} packages\n  as-of: {date}\n  entries:\n",
            self.locks,
            self.packages.len(),
        ));
        for (name, row) in &rows {
            out.push_str(&self.line(name, row, &rows));
        }
        out
    }

    fn row(&self, name: &str) -> Option<Row> {
        let releases = self.packages.get(name)?;
        let mut row = Row::default();
        for python in PYTHONS {
            let since = self.since(name, releases, python);
            row.without.extend(
                since
                    .iter()
                    .flat_map(|(_, without)| without.iter().copied().cloned()),
            );
            row.since.push(since.map(|(since, _)| since.clone()));
        }
        let first = row.since.iter().flatten().min()?.clone();
        let kept: Vec<(&Version, &Facts)> = releases.range(first..).collect();
        let (newest, _) = kept.last()?;
        row.native = kept.iter().any(|(_, facts)| facts.has_native_wheel());
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (version, facts) in &kept {
            names.extend(facts.dependencies.keys().map(String::as_str));
            for (extra, adds) in &facts.extras {
                if EXTRAS.contains(&extra.as_str()) {
                    let (last, known) = row
                        .extras
                        .entry(extra.clone())
                        .or_insert_with(|| ((*version).clone(), BTreeMap::new()));
                    last.clone_from(version);
                    for spelled in adds.iter().flat_map(|(name, all)| spelled(name, all)) {
                        known.insert(spelled, (*version).clone());
                    }
                }
            }
        }
        for name in names {
            // What is bound to one version with native code stands in `since` already.
            let is_bound = kept.iter().any(|(_, facts)| facts.is_bound_to(name));
            let mut last_with = None;
            // Every bound with the last release that has it.
            let mut bounds: BTreeMap<Version, &Version> = BTreeMap::new();
            let mut latest: Option<Version> = None;
            let mut extras = BTreeSet::new();
            for (version, facts) in &kept {
                let Some(all) = facts.dependencies.get(name) else {
                    continue;
                };
                last_with = Some(*version);
                extras.extend(spelled(name, all));
                let told = all.iter().any(|one| !one.versions.is_empty());
                if told {
                    latest = below(all).filter(|_| !is_bound);
                } else if all.iter().any(|one| {
                    let locked = one.locked.as_deref().map(version_of);
                    locked > latest
                }) {
                    // The bound is no longer there, or a higher one.
                    latest = None;
                }
                if let Some(latest) = &latest {
                    bounds.insert(latest.clone(), version);
                }
            }
            let until = last_with.filter(|last| last != newest);
            let below_python = kept
                .iter()
                .filter_map(|(_, facts)| facts.dependencies.get(name))
                .flatten()
                .map(|one| one.below_python)
                .collect::<Option<Vec<_>>>()
                .and_then(|all| all.into_iter().max());
            for spelled in extras {
                row.requires.push(Wanted {
                    name: spelled,
                    below: None,
                    below_python,
                    until: until.cloned(),
                });
            }
            for (below, last) in &bounds {
                let implied = bounds
                    .iter()
                    .any(|(lower, later)| lower < below && later >= last);
                if !implied {
                    row.requires.push(Wanted {
                        name: name.to_owned(),
                        below: Some(below.clone()),
                        below_python,
                        until: Some(*last).filter(|last| last != newest).cloned(),
                    });
                }
            }
        }
        row.requires.retain(|wanted| bare(&wanted.name) != name);
        Some(row)
    }

    /// The first of the latest releases that come as wheels for Python 3 of this minor version, but for single ones,
    /// which are returned too.
    fn since<'a>(
        &self,
        name: &str,
        releases: &'a BTreeMap<Version, Facts>,
        python: u32,
    ) -> Option<(&'a Version, Vec<&'a Version>)> {
        let mut since = None;
        let mut without = Vec::new();
        let mut missing = None;
        for (version, facts) in releases.iter().rev() {
            if facts.excludes(python) {
                continue;
            }
            if facts.is_wheel(python) && self.is_bound_to_wheels(name, releases, facts, python) {
                since = Some(version);
                without.extend(missing.take());
            } else if facts.all_files || facts.is_wheel(python) {
                if missing.is_some() || since.is_none() || without.len() > 1 {
                    break;
                }
                missing = Some(version);
            }
        }
        Some((since?, without))
    }

    /// Whether the releases that this one is bound to by `==` are wheels too: `pydantic` names one `pydantic-core`.
    fn is_bound_to_wheels(
        &self,
        name: &str,
        releases: &BTreeMap<Version, Facts>,
        facts: &Facts,
        python: u32,
    ) -> bool {
        facts.dependencies.iter().all(|(dependency, all)| {
            let bound = releases.values().any(|facts| facts.is_bound_to(dependency));
            if !bound || dependency == name {
                return true;
            }
            let exact = all
                .iter()
                .find_map(|one| one.versions.strip_prefix("==").or(one.locked.as_deref()));
            let Some(exact) = exact else {
                return false;
            };
            self.packages
                .get(dependency)
                .and_then(|releases| releases.get(&version_of(exact)))
                .is_some_and(|facts| facts.is_wheel(python))
        })
    }

    fn line(&self, name: &str, row: &Row, rows: &BTreeMap<String, Row>) -> String {
        let mut line = format!("    - {{name: {name}");
        let text = |version: &Version| self.packages[name][version].text.clone();
        // A package without native code: one version for all, but that older ones may have begun earlier.
        let same = row
            .since
            .last()
            .cloned()
            .flatten()
            .filter(|last| row.since.iter().flatten().all(|since| since >= last));
        if let Some(since) = same {
            line.push_str(&format!(", since: {:?}", text(&since)));
        } else {
            let mut wheels: Vec<(u32, u32, &Version)> = Vec::new();
            for (python, since) in PYTHONS.iter().zip(&row.since) {
                let Some(since) = since else { continue };
                match wheels.last_mut() {
                    Some((_, to, last))
                        if *last == since && (*python == 99 || *to + 1 == *python) =>
                    {
                        *to = *python;
                    }
                    _ => wheels.push((*python, *python, since)),
                }
            }
            let wheels: Vec<String> = wheels
                .into_iter()
                .map(|(from, to, since)| {
                    let from = if from == 99 { 15 } else { from };
                    let to = if to == 99 {
                        String::new()
                    } else {
                        format!("3.{to}")
                    };
                    format!("{:?}", format!("3.{from}..{to} {}", text(since)))
                })
                .collect();
            line.push_str(&format!(", wheels: [{}]", wheels.join(", ")));
        }
        if row.native {
            line.push_str(", native: true");
        }
        if !row.without.is_empty() {
            let without: Vec<String> = row
                .without
                .iter()
                .map(|version| format!("{:?}", text(version)))
                .collect();
            line.push_str(&format!(", without: [{}]", without.join(", ")));
        }
        let requires: Vec<String> = row
            .requires
            .iter()
            .filter_map(|wanted| {
                let mut spelled = wanted.name.clone();
                if let Some(below) = &wanted.below {
                    rows.get(bare(&wanted.name))
                        .filter(|row| row.is_cut_by(below))?;
                    let below: Vec<String> = below.iter().map(u32::to_string).collect();
                    spelled.push_str(&format!("<{}", below.join(".")));
                }
                if let Some(python) = wanted.below_python {
                    spelled.push_str(&format!("%3.{python}"));
                }
                if let Some(until) = &wanted.until {
                    spelled.push_str(&format!("@{}", text(until)));
                }
                let plain = !spelled.contains(['[', '<', '%', '@']);
                Some(if plain {
                    spelled
                } else {
                    format!("{spelled:?}")
                })
            })
            .collect();
        if !requires.is_empty() {
            line.push_str(&format!(", requires: [{}]", requires.join(", ")));
        }
        let extras: Vec<String> = row
            .extras
            .iter()
            .map(|(extra, (last, names))| {
                let names: Vec<String> = names
                    .iter()
                    .map(|(name, until)| {
                        if until == last {
                            name.clone()
                        } else {
                            format!("{name}@{}", text(until))
                        }
                    })
                    .collect();
                format!("{:?}", format!("{extra}: {}", names.join(" ")))
            })
            .collect();
        if !extras.is_empty() {
            line.push_str(&format!(", extras: [{}]", extras.join(", ")));
        }
        line.push_str("}\n");
        line
    }
}

const HEADER: &str = "\
# Packages of the Python index that come as wheels, and what they require; written by `examples/python_wheels`.
# since: every release from this version on that was seen has a wheel for any version of Python 3 that it supports.
# wheels: the same by version of Python (`3.9..3.12 1.19.3`; without an end it holds for later ones too).
# native: some of these releases have wheels for platforms, which may link libraries of the distribution.
# without: single releases after that which have none.
# requires: names, with extras; `<2` where a release allows only versions that may have no wheel; `%3.9` where only
# versions of Python below need it; `@1.4` where only releases up to that one say so.
# Windows and macOS requirements are left out.

";

/// What is written of a package.
#[derive(Default)]
struct Row {
    /// By [`PYTHONS`].
    since: Vec<Option<Version>>,
    /// Any of these releases has wheels for a platform.
    native: bool,
    /// Single later releases without wheels.
    without: BTreeSet<Version>,
    requires: Vec<Wanted>,
    /// What an extra adds, with the last release that says so, and the last that has the extra at all.
    extras: BTreeMap<String, (Version, BTreeMap<String, Version>)>,
}

/// What a package requires.
struct Wanted {
    /// With extras: `uvicorn[standard]`.
    name: String,
    /// The first version that is not allowed.
    below: Option<Version>,
    /// The minor version of Python 3 from which on it is not required.
    below_python: Option<u32>,
    /// The last release that says so, where later ones do not.
    until: Option<Version>,
}

impl Row {
    /// Whether a version below `bound` may be one without a wheel.
    fn is_cut_by(&self, bound: &Version) -> bool {
        self.since.iter().flatten().any(|since| since >= bound)
    }
}

/// The name with the extras that are asked for: `name` and `name[extra]`.
fn spelled(name: &str, all: &[Dependency]) -> Vec<String> {
    let extras = all.iter().flat_map(|one| &one.extras);
    std::iter::once(name.to_owned())
        .chain(extras.map(|extra| format!("{name}[{extra}]")))
        .collect()
}

/// The bound that all alternatives of a requirement have.
fn below(all: &[Dependency]) -> Option<Version> {
    all.iter()
        .map(|one| upper(&one.versions))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .max()
}

impl Facts {
    /// Whether it says that it does not run on Python 3 of this minor version.
    fn excludes(&self, python: u32) -> bool {
        let python = vec![3, python.min(14)];
        self.python.split(',').any(|part| {
            let part = part.trim();
            if let Some(least) = part.strip_prefix(">=") {
                let mut least = version_of(least);
                least.truncate(2);
                python < least
            } else if let Some(most) = part.strip_prefix('<').filter(|most| !most.starts_with('='))
            {
                python >= version_of(most)
            } else {
                false
            }
        })
    }

    fn is_wheel(&self, python: u32) -> bool {
        let mut x86 = false;
        let mut arm = false;
        let mut source = false;
        for file in &self.files {
            let Some(stem) = file.strip_suffix(".whl") else {
                source |= file.ends_with(".tar.gz") || file.ends_with(".zip");
                continue;
            };
            let mut parts = stem.rsplitn(4, '-');
            let (Some(platforms), Some(abis), Some(pythons)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if !goes_with(pythons, abis, python) {
                continue;
            }
            if platforms == "any" {
                return true;
            }
            for platform in platforms
                .split('.')
                .filter(|platform| is_common_glibc(platform))
            {
                x86 |= platform.ends_with("_x86_64");
                arm |= platform.ends_with("_aarch64");
            }
        }
        x86 && (arm || !source)
    }

    fn has_native_wheel(&self) -> bool {
        self.files
            .iter()
            .any(|file| file.ends_with(".whl") && file.contains("linux"))
    }

    fn is_bound_to(&self, dependency: &str) -> bool {
        self.dependencies.get(dependency).is_some_and(|all| {
            all.iter()
                .any(|one| one.versions.starts_with("==") && !one.versions.contains('*'))
        })
    }
}

/// Whether tags like `cp39.cp310`, `abi3` or `py3`, `none` go with Python 3 of this minor version.
fn goes_with(pythons: &str, abis: &str, python: u32) -> bool {
    let minor = |tag: &str, kind: &str| -> Option<u32> { tag.strip_prefix(kind)?.parse().ok() };
    abis.split('.').any(|abi| match abi {
        "none" => pythons.split('.').any(|tag| {
            tag == "py3"
                || minor(tag, "py3").is_some_and(|least| least <= python)
                || minor(tag, "cp3") == Some(python)
        }),
        "abi3" => pythons
            .split('.')
            .any(|tag| minor(tag, "cp3").is_some_and(|least| least <= python)),
        // Until 3.7 the tag has an `m`.
        _ => minor(abi.trim_end_matches('m'), "cp3") == Some(python),
    })
}

/// Whether every supported Debian release has the C library that the platform tag names.
fn is_common_glibc(platform: &str) -> bool {
    if ["manylinux1_", "manylinux2010_", "manylinux2014_"]
        .iter()
        .any(|old| platform.starts_with(old))
    {
        return true;
    }
    platform
        .strip_prefix("manylinux_2_")
        .and_then(|rest| rest.split('_').next()?.parse::<u32>().ok())
        .is_some_and(|minor| minor <= 31)
}

/// The first version that is not allowed any more.
fn upper(versions: &str) -> Option<Version> {
    if versions.contains("||") {
        return None;
    }
    let next = |mut numbers: Version| {
        if let Some(last) = numbers.last_mut() {
            *last += 1;
        }
        numbers
    };
    versions
        .split(',')
        .filter_map(|part| {
            let part = part.trim();
            if let Some(most) = part.strip_prefix("<=") {
                let mut most = version_of(most);
                most.push(1);
                Some(most)
            } else if let Some(bound) = part.strip_prefix('<') {
                Some(version_of(bound))
            } else if let Some(exact) = part.strip_prefix("==") {
                match exact.strip_suffix(".*") {
                    Some(start) => Some(next(
                        start
                            .split('.')
                            .map_while(|part| part.parse().ok())
                            .collect(),
                    )),
                    None => {
                        let mut exact = version_of(exact);
                        exact.push(1);
                        Some(exact)
                    }
                }
            } else if let Some(start) = part.strip_prefix("~=") {
                let mut numbers: Version = start
                    .split('.')
                    .map_while(|part| part.parse().ok())
                    .collect();
                numbers.pop();
                Some(next(numbers))
            } else {
                None
            }
        })
        .min()
}

/// The name without extras: `uvicorn[standard]` is `uvicorn`.
fn bare(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}
