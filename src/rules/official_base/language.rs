//! The languages that are known: which packages and installers bring them, and what only the distribution's own has.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, WordSet};

/// A language that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// The distribution's Python.
    Python,
    /// Node of this major version, from NodeSource.
    Node(u32),
    /// OpenJDK of the distribution.
    Java(Java),
    /// Rust's stable release, by rustup.
    Rust,
    /// More than one.
    Several,
}

/// What is installed of Java.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Java {
    /// The major version.
    pub(super) version: u32,
    /// A compiler, and not only what runs.
    pub(super) jdk: bool,
    pub(super) maven: bool,
}

/// Whose packages are looked for: one language a file, and what comes beside it for builds stays a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// The distribution's Python and NodeSource's Node.
    Python,
    /// Node from NodeSource, and the old Python beside it.
    Node,
    Java,
    Rust,
}

impl Sought {
    /// Whether a package is the language.
    pub(super) fn is_package(self, catalog: &Catalog, name: &str) -> bool {
        match self {
            Self::Python => catalog.has_word(WordSet::DistributionPython, name) || name == "nodejs",
            Self::Node => catalog.has_word(WordSet::PythonOfOldNodeGyp, name) || name == "nodejs",
            Self::Java => name == "maven" || openjdk(name).is_some(),
            Self::Rust => false,
        }
    }
}

impl Java {
    /// What the packages bring; none without OpenJDK, or with two versions of it.
    pub(super) fn of<'n>(packages: impl Iterator<Item = &'n str>) -> Option<Self> {
        let mut versions = BTreeSet::new();
        let (mut jdk, mut maven) = (false, false);
        for name in packages {
            maven |= name == "maven";
            if let Some((version, is_jdk)) = openjdk(name) {
                versions.insert(version);
                jdk |= is_jdk;
            }
        }
        match (versions.len(), versions.first()) {
            (1, Some(version)) => Some(Self {
                version: *version,
                jdk: jdk || maven,
                maven,
            }),
            _ => None,
        }
    }

    /// Name and tag of the official image.
    pub(super) fn image(&self) -> (&'static str, String) {
        let version = self.version;
        match (self.maven, self.jdk) {
            (true, _) => ("maven", format!("3.9-eclipse-temurin-{version}")),
            (false, true) => ("eclipse-temurin", format!("{version}-jdk")),
            (false, false) => ("eclipse-temurin", format!("{version}-jre")),
        }
    }
}

/// `openjdk-17-jdk-headless` → 17, and whether it compiles.
pub(super) fn openjdk(name: &str) -> Option<(u32, bool)> {
    let (version, kind) = name.strip_prefix("openjdk-")?.split_once('-')?;
    let is_jdk = match kind {
        "jdk" | "jdk-headless" => true,
        "jre" | "jre-headless" => false,
        _ => return None,
    };
    Some((version.parse().ok()?, is_jdk))
}

/// Whether a command is rustup's own installation of the stable release, as it is written on its site.
pub(super) fn is_rustup(text: &str) -> bool {
    let Some((fetch, rest)) = text.split_once("sh.rustup.rs") else {
        return false;
    };
    let fetches = fetch.starts_with("curl ") || fetch.starts_with("wget ");
    let Some((flags, install)) = rest.split_once('|') else {
        return false;
    };
    let plain_fetch = flags
        .split_whitespace()
        .all(|word| word.starts_with('-') || word == "\\");
    let mut words = install.split_whitespace().filter(|word| *word != "\\");
    let shell = matches!(words.next(), Some("sh" | "bash"));
    let rest: Vec<&str> = words.collect();
    let plain_install = match rest.as_slice() {
        ["-s", "--", flags @ ..] => are_plain(flags),
        _ => false,
    };
    fetches && plain_fetch && shell && plain_install
}

fn are_plain(flags: &[&str]) -> bool {
    match flags {
        [] => true,
        [
            "-y" | "--no-modify-path" | "-q" | "--quiet" | "--profile=minimal",
            rest @ ..,
        ]
        | ["--profile", "minimal" | "default", rest @ ..]
        | ["--default-toolchain", "stable", rest @ ..] => are_plain(rest),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Java, is_rustup, openjdk};

    #[test]
    fn rustup_is_known_as_its_site_writes_it() {
        for text in [
            "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y",
            "curl https://sh.rustup.rs -sSf | sh -s -- -y --profile minimal",
            "curl -sSf https://sh.rustup.rs | bash -s -- -y --default-toolchain stable",
        ] {
            assert!(is_rustup(text), "{text}");
        }
        for text in [
            "curl https://sh.rustup.rs -sSf | sh -s -- -y --default-toolchain nightly",
            "curl https://sh.rustup.rs -sSf | sh -s -- -y --default-toolchain 1.75.0",
            "curl -o rustup.sh https://sh.rustup.rs",
            "curl https://sh.rustup.rs -sSf | sh",
        ] {
            assert!(!is_rustup(text), "{text}");
        }
    }

    #[test]
    fn packages_of_openjdk_have_one_version() {
        assert_eq!(openjdk("openjdk-17-jre-headless"), Some((17, false)));
        assert_eq!(openjdk("openjdk-17-source"), None);
        let two = ["openjdk-17-jdk", "openjdk-21-jre"];
        assert_eq!(Java::of(two.into_iter()), None);
        let maven = Java::of(["maven", "openjdk-21-jre"].into_iter());
        let image = maven.map(|java| java.image());
        assert_eq!(image, Some(("maven", "3.9-eclipse-temurin-21".to_owned())));
    }
}
