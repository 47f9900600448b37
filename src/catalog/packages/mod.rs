//! Debian packages, what they recommend, commands, package managers and native dependencies.

use std::sync::LazyLock;

use super::{
    CLibrary, Catalog, Command, CommandKind, Condition, DebianPackage, HandTool, InRelease, List,
    Manager, Native, Program, Recommend, RootNeed, Text, UnsplitTool, Verdict, WritingCalls,
};
use crate::text::contains;

/// A Debian package in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name: of the providing package, where a virtual one was asked for.
    pub name: &'static str,
    /// What is known of it.
    pub facts: InRelease,
    /// Whether the facts are bookworm's, taken for a release that the catalog does not hold.
    pub assumed: bool,
}

/// A package that is not installed under `--no-install-recommends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Who recommends it: a named package or one that came along.
    pub by: &'static str,
    /// The recommended package.
    pub name: &'static str,
    /// What becomes of it; none where nobody has judged it, which is a reason to refuse.
    pub verdict: Option<Recommend>,
}

/// The ecosystems whose packages may need native libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecosystem {
    /// PyPI.
    Python,
    /// npm.
    Node,
    /// Go modules.
    Go,
    /// crates.io.
    Rust,
    /// RubyGems.
    Ruby,
    /// PHP's extensions, bundled and PECL.
    Php,
}

impl Catalog {
    /// A package of a Debian release, by the release's codename. What is neither bookworm nor trixie gets bookworm's
    /// facts, marked as assumed. None where the release, or the catalog, has no such package.
    pub fn package(&self, release: &str, name: &str) -> Option<Package> {
        let row = self.inner.debian_packages.get(name)?;
        let facts = in_release(release, row)?;
        let (row, facts) = if facts.provided_by.is_empty() {
            (row, facts)
        } else {
            let row = self.inner.debian_packages.get(&facts.provided_by)?;
            (row, in_release(release, row)?)
        };
        Some(Package {
            name: row.name.get(),
            facts,
            assumed: !matches!(release, "bookworm" | "trixie"),
        })
    }

    /// What `--no-install-recommends` drops when these packages are installed into an empty image, sorted by name and
    /// without those that are in `names`; none when one of the names is unknown, so that nothing can be said.
    pub fn dropped_recommends(&self, release: &str, names: &[&str]) -> Option<Vec<Dropped>> {
        let recommended = self.recommended(release, names)?;
        let judged = recommended.into_iter().map(|(by, name)| Dropped {
            by,
            name,
            verdict: self.recommend(by, name),
        });
        Some(judged.collect())
    }

    /// As [`Catalog::dropped_recommends`], without a verdict: who recommends, and what.
    pub fn recommended(
        &self,
        release: &str,
        names: &[&str],
    ) -> Option<Vec<(&'static str, &'static str)>> {
        let mut found: Vec<(&'static str, &'static str)> = Vec::new();
        let mut add = |by: &'static str, recommends: List<Text>| {
            found.extend(recommends.into_iter().map(|name| (by, name.get())));
        };
        for name in names {
            if let Some(package) = self.package(release, name) {
                add(package.name, package.facts.recommends);
                for by in package.facts.via {
                    let via = self.package(release, by)?;
                    add(via.name, via.facts.recommends);
                }
            } else {
                let older = self.inner.older_packages.get(name)?;
                add(older.name.get(), older.recommends);
            }
        }
        found.retain(|(_, name)| !names.contains(name));
        found.sort_unstable_by_key(|(by, name)| (*name, *by));
        found.dedup();
        Some(found)
    }

    /// At least how many KiB on disk `--no-install-recommends` saves for these packages: the largest figure of any
    /// of them, since their recommendations overlap. Zero where none is known.
    pub fn recommended_kib(&self, release: &str, names: &[&str]) -> u64 {
        let known = names.iter().filter_map(|name| self.package(release, name));
        known
            .map(|package| package.facts.recommended_kib)
            .max()
            .unwrap_or(0)
    }

    /// The verdict for what a package recommends: of the pair, else of the recommended package, else of a
    /// pattern that drops it, else of one that keeps it.
    pub fn recommend(&self, package: &str, recommended: &str) -> Option<Recommend> {
        // The rows whose recommended package is a pattern: few of thousands.
        static PATTERNS: LazyLock<Vec<&'static Recommend>> = LazyLock::new(|| {
            let rows = super::embedded::RECOMMENDS.iter();
            rows.take_while(|row| row.pair.starts_with("*/"))
                .filter(|row| row.pair[2..].contains('*'))
                .collect()
        });
        let table = &self.inner.recommends;
        let key = format!("{package}/{recommended}");
        let found = table
            .get(&key)
            .or_else(|| table.get(&format!("*/{recommended}")));
        found.copied().or_else(|| {
            let matching = |verdict| {
                let mut patterns = PATTERNS.iter().filter(move |row| row.verdict == verdict);
                patterns
                    .find(|row| matches_pattern(&row.pair[2..], recommended))
                    .map(|row| **row)
            };
            matching(Verdict::Droppable).or_else(|| matching(Verdict::Needed))
        })
    }

    /// The condition of this name.
    pub fn condition(&self, name: &str) -> Option<&Condition> {
        self.inner.conditions.get(name)
    }

    /// What a command reads and writes; none for one that may do anything.
    pub fn command(&self, name: &str) -> Option<&Command> {
        self.inner.commands.get(name)
    }

    /// Whether a command makes or changes users and groups.
    pub fn is_account_tool(&self, name: &str) -> bool {
        let command = self.command(name);
        command.is_some_and(|command| command.kind == CommandKind::Account)
    }

    /// The package manager of this command.
    pub fn package_manager(&self, name: &str) -> Option<&Manager> {
        self.inner.managers.get(name)
    }

    /// What a language's package needs from the distribution; none where that is not known. Python's names are
    /// compared as PyPI does, PHP's in lower case, the others as written.
    pub fn native(&self, ecosystem: Ecosystem, name: &str) -> Option<&Native> {
        self.inner.natives.get(&key(ecosystem, name))
    }

    /// The package, if a program that uses it writes files or needs another right of root's.
    pub fn root_need(&self, ecosystem: Ecosystem, name: &str) -> Option<&RootNeed> {
        self.inner.root_needs.get(&key(ecosystem, name))
    }

    /// The Debian package, if it holds a tool for people.
    pub fn hand_tool(&self, package: &str) -> Option<&HandTool> {
        self.inner.hand_tools.get(package)
    }

    /// What in the sources of `language` (`go`, `node` …) writes files.
    pub fn writing_calls(&self, language: &str) -> Option<&WritingCalls> {
        self.inner.writing_calls.get(language)
    }

    /// A package with native code that needs exactly these headers to compile: its libraries are what a program needs
    /// at run time that was compiled with them.
    pub fn native_with_headers(&self, headers: &str) -> Option<&Native> {
        self.inner.natives.embedded().iter().find(|row| {
            let mut needed = row.build.into_iter().filter(|name| name.ends_with("-dev"));
            !row.runtime.is_empty()
                && row.refuse.is_empty()
                && needed.next().is_some_and(|name| name.get() == headers)
                && needed.next().is_none()
        })
    }

    /// The package with the headers of a library of C, where its name does not tell.
    pub fn c_library(&self, name: &str) -> Option<&CLibrary> {
        self.inner.c_libraries.get(name)
    }

    /// The build tool, if its programs are recognised and not split.
    pub fn unsplit_tool(&self, name: &str) -> Option<&UnsplitTool> {
        self.inner.unsplit_tools.get(name)
    }

    /// The Debian package that brings a program.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.inner.programs.get(name)
    }
}

impl Native {
    /// The Debian packages with the libraries it needs at run time in a release; bookworm's where the release is
    /// another one.
    pub fn libraries(&self, release: &str) -> &'static [Text] {
        if release == "trixie" && !self.runtime_trixie.is_empty() {
            self.runtime_trixie.get()
        } else {
            self.runtime.get()
        }
    }
}

impl Condition {
    /// Whether one of its words stands in this text.
    pub fn holds_in(&self, text: &[u8]) -> bool {
        let mut words = self.words.into_iter();
        words.any(|word| contains(text, word.as_bytes()))
    }
}

fn in_release(release: &str, row: &DebianPackage) -> Option<InRelease> {
    match release {
        "trixie" => row.trixie,
        _ => row.bookworm,
    }
}

/// `lib*` or `*-doc` against a name; a pattern without a star matches nothing.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(suffix), _) => name.ends_with(suffix),
        (None, Some(prefix)) => name.starts_with(prefix),
        (None, None) => false,
    }
}

/// PyPI's normal form: lower case, runs of `-`, `_` and `.` as one `-`.
fn normalized(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.push_str(&part.to_ascii_lowercase());
    }
    normal
}

/// The key of a language's package in the tables: `python/psycopg2`.
fn key(ecosystem: Ecosystem, name: &str) -> String {
    match ecosystem {
        Ecosystem::Python => format!("python/{}", normalized(name)),
        Ecosystem::Node => format!("node/{name}"),
        Ecosystem::Go => format!("go/{name}"),
        Ecosystem::Rust => format!("rust/{name}"),
        Ecosystem::Ruby => format!("ruby/{name}"),
        Ecosystem::Php => format!("php/{}", name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests;
