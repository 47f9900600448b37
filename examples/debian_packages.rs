//! Writes `src/catalog/debian_packages.yaml` from Debian's own package indexes.
//!
//! ```text
//! cargo run --example debian_packages -- NAMES bookworm=DATE=INDEX trixie=DATE=INDEX > src/catalog/debian_packages.yaml
//! ```
//!
//! NAMES has one package a line; INDEX is an uncompressed `Packages` file (`/usr/lib/apt/apt-helper cat-file
//! /var/lib/apt/lists/…_main_binary-amd64_Packages.lz4`) and DATE the `Date` of its `Release` file. Written are the
//! names that exist in one of the releases, what recommends something in their dependency closure, and what is
//! recommended. Resolution is apt's in the plain case: the first alternative that exists, or the first provider.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;

/// One stanza of an index, reduced to what decides an installation.
#[derive(Default)]
struct Stanza {
    kib: u64,
    base: bool,
    depends: Vec<Vec<String>>,
    recommends: Vec<Vec<String>>,
}

/// A release: its packages, who provides what, and what its container image already holds.
struct Release {
    name: String,
    date: String,
    stanzas: BTreeMap<String, Stanza>,
    providers: BTreeMap<String, BTreeSet<String>>,
    image: BTreeSet<String>,
}

/// What is written of a package in a release.
struct Row {
    kib: u64,
    recommends: Vec<String>,
    via: Vec<String>,
    recommended_kib: u64,
}

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
    let usage = "usage: debian_packages NAMES RELEASE=DATE=INDEX…";
    let names = read(&arguments.next().ok_or(usage)?)?;
    let mut releases = Vec::new();
    for argument in arguments {
        let parts: Vec<&str> = argument.splitn(3, '=').collect();
        let [name, date, path] = parts[..] else {
            return Err(usage.to_owned());
        };
        releases.push(Release::parse(name, date, &read(path)?));
    }

    let wanted = close(&names, &releases);
    let mut out = String::new();
    out.push_str("# Written by examples/debian_packages.rs; change that, not this.\n");
    out.push_str("# Sizes are KiB on disk. recommends: taken without --no-install-recommends; via: packages that come along by Depends\n");
    out.push_str(
        "# and recommend more; recommended-kib: what all of that adds to an empty Debian image.\n",
    );
    let dates: Vec<String> = releases
        .iter()
        .map(|release| format!("{} of {}", release.name, release.date))
        .collect();
    let newest = releases.iter().map(|release| release.date.as_str()).max();
    out.push_str(&format!(
        "- source: Debian's Packages indexes, main, amd64, {}\n  as-of: {}\n  entries:\n",
        dates.join(" and "),
        newest.ok_or(usage)?
    ));
    for name in &wanted {
        let columns: Vec<String> = releases
            .iter()
            .filter_map(|release| release.column(name))
            .collect();
        if !columns.is_empty() {
            out.push_str(&format!(
                "    - {{name: {}, {}}}\n",
                quoted(name),
                columns.join(", ")
            ));
        }
    }
    std::io::stdout()
        .write_all(out.as_bytes())
        .map_err(|error| error.to_string())
}

/// The names, and all that a rule meets when it looks at their recommendations.
fn close(names: &str, releases: &[Release]) -> BTreeSet<String> {
    let mut wanted: BTreeSet<String> = names.split_whitespace().map(str::to_owned).collect();
    let mut queue: Vec<String> = wanted.iter().cloned().collect();
    // A recommended package that a rule adds by name has recommendations of its own.
    let mut depth = 1;
    while depth > 0 && !queue.is_empty() {
        let mut found = Vec::new();
        for name in &queue {
            for row in releases.iter().filter_map(|release| release.row(name)) {
                for other in row.via.into_iter().chain(row.recommends) {
                    if wanted.insert(other.clone()) {
                        found.push(other);
                    }
                }
            }
        }
        queue = found;
        depth -= 1;
    }
    wanted
}

impl Release {
    fn parse(name: &str, date: &str, index: &str) -> Self {
        let mut release = Self {
            name: name.to_owned(),
            date: date.to_owned(),
            stanzas: BTreeMap::new(),
            providers: BTreeMap::new(),
            image: BTreeSet::new(),
        };
        for text in index.split("\n\n") {
            let mut package = "";
            let mut stanza = Stanza::default();
            let mut provides = "";
            for line in text.lines() {
                let Some((field, value)) = line.split_once(": ") else {
                    continue;
                };
                match field {
                    "Package" => package = value,
                    "Installed-Size" => stanza.kib = value.parse().unwrap_or(0),
                    "Priority" => stanza.base |= value == "required",
                    "Essential" => stanza.base |= value == "yes",
                    "Depends" | "Pre-Depends" => stanza.depends.extend(groups(value)),
                    "Recommends" => stanza.recommends = groups(value),
                    "Provides" => provides = value,
                    _ => {}
                }
            }
            if package.is_empty() {
                continue;
            }
            for provided in groups(provides).into_iter().flatten() {
                let entry = release.providers.entry(provided).or_default();
                entry.insert(package.to_owned());
            }
            release.stanzas.insert(package.to_owned(), stanza);
        }
        let mut base: Vec<String> = vec!["apt".to_owned()];
        base.extend(
            release
                .stanzas
                .iter()
                .filter(|(_, stanza)| stanza.base)
                .map(|(name, _)| name.clone()),
        );
        release.image = release.closure(&base, false);
        release
    }

    /// The package that a name installs: itself, or the only one that provides it.
    fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.stanzas.contains_key(name) {
            return Some(name);
        }
        let providers = self.providers.get(name)?;
        (providers.len() == 1).then(|| providers.iter().next().map(String::as_str))?
    }

    /// What satisfies a group of alternatives beside `present`; none when nothing has to be added.
    fn choose<'a>(&'a self, group: &'a [String], present: &BTreeSet<String>) -> Option<&'a str> {
        let satisfied = group.iter().any(|name| {
            present.contains(name)
                || self
                    .providers
                    .get(name)
                    .is_some_and(|who| who.iter().any(|one| present.contains(one)))
        });
        if satisfied {
            return None;
        }
        group
            .iter()
            .find_map(|name| self.resolve(name))
            .or_else(|| {
                let provided = group.iter().find_map(|name| self.providers.get(name))?;
                provided.iter().next().map(String::as_str)
            })
    }

    /// All that installing `names` brings, what the image holds included once it is known.
    fn closure(&self, names: &[String], recommended: bool) -> BTreeSet<String> {
        let mut present = self.image.clone();
        let mut queue = Vec::new();
        for name in names {
            if present.insert(name.clone()) {
                queue.push(name.clone());
            }
        }
        let mut later: Vec<String> = Vec::new();
        loop {
            // Dependencies of everything first: a recommendation that one of them satisfies adds nothing.
            while let Some(name) = queue.pop() {
                let Some(stanza) = self.stanzas.get(&name) else {
                    continue;
                };
                for group in &stanza.depends {
                    if let Some(chosen) = self.choose(group, &present).map(str::to_owned)
                        && present.insert(chosen.clone())
                    {
                        queue.push(chosen);
                    }
                }
                later.push(name);
            }
            if !recommended {
                return present;
            }
            let Some(name) = later.pop() else {
                return present;
            };
            let stanza = &self.stanzas[&name];
            for group in &stanza.recommends {
                if let Some(chosen) = self.choose(group, &present).map(str::to_owned)
                    && present.insert(chosen.clone())
                {
                    queue.push(chosen);
                }
            }
        }
    }

    fn row(&self, name: &str) -> Option<Row> {
        let stanza = self.stanzas.get(name)?;
        let names = [name.to_owned()];
        let depends = self.closure(&names, false);
        let all = self.closure(&names, true);
        let open = |name: &str| -> Vec<String> {
            let groups = self.stanzas.get(name).map(|one| one.recommends.as_slice());
            let mut open: Vec<String> = groups
                .unwrap_or_default()
                .iter()
                .filter_map(|group| self.choose(group, &depends).map(str::to_owned))
                .collect();
            open.sort();
            open.dedup();
            open
        };
        let via = depends
            .difference(&self.image)
            .filter(|other| *other != name && !open(other).is_empty())
            .cloned()
            .collect();
        let kib = |name: &String| self.stanzas.get(name).map_or(0, |one| one.kib);
        Some(Row {
            kib: stanza.kib,
            recommends: open(name),
            via,
            recommended_kib: all.difference(&depends).map(kib).sum(),
        })
    }

    fn column(&self, name: &str) -> Option<String> {
        let Some(row) = self.row(name) else {
            let provider = self.resolve(name)?;
            return Some(format!("{}: {{provided-by: {provider}}}", self.name));
        };
        let mut text = format!("{}: {{kib: {}", self.name, row.kib);
        for (key, list) in [("recommends", row.recommends), ("via", row.via)] {
            if !list.is_empty() {
                text.push_str(&format!(", {key}: [{}]", list.join(", ")));
            }
        }
        if row.recommended_kib > 0 {
            text.push_str(&format!(", recommended-kib: {}", row.recommended_kib));
        }
        text.push('}');
        Some(text)
    }
}

/// `a (>= 1) | b, c:any` → `[[a, b], [c]]`.
fn groups(value: &str) -> Vec<Vec<String>> {
    value
        .split(',')
        .map(|group| {
            group
                .split('|')
                .filter_map(|one| one.split_whitespace().next())
                .map(|one| one.split(':').next().unwrap_or(one).to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|group| !group.is_empty())
        .collect()
}

/// Numbers and words that YAML reads as something else are quoted.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && !matches!(
            name,
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
