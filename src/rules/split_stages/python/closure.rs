//! What the packages that are installed need of the distribution: the closed set of native libraries, or why there is none.

use std::collections::BTreeSet;

use super::super::{Anatomy, Why};
use super::install::{Installs, Wanted};
use crate::catalog::{Ecosystem, ImageFacts, Native, Nature, Versions, WordSet};

/// What all packages together need.
#[derive(Default)]
pub(super) struct Closure {
    /// One of them is compiled when it is installed.
    pub(super) compiles: bool,
    /// Debian packages with the libraries that they load.
    pub(super) libraries: BTreeSet<String>,
    /// Programs that they call.
    pub(super) programs: BTreeSet<String>,
    /// Why the set is not closed.
    pub(super) trouble: Vec<Why>,
}

impl Closure {
    pub(super) fn of(anatomy: &Anatomy<'_>, facts: &ImageFacts, installs: &Installs) -> Self {
        let mut closure = Self::default();
        let release = facts.release.map_or("", |release| release.name.get());
        let mut explained: BTreeSet<&str> = BTreeSet::new();
        for wanted in &installs.wanted {
            let row = anatomy.ctx.catalog.native(Ecosystem::Python, &wanted.name);
            match row {
                Some(row) => {
                    explained.extend(row.build.get().iter().map(|package| package.get()));
                    closure.known(wanted, row, release, facts);
                }
                None if wanted.linux_wheel == Some(true) && wanted.address.is_none() => {}
                None if is_pure_wheel(anatomy, wanted, facts) => {}
                None => closure.trouble.push(unknown(wanted)),
            }
        }
        closure.indirect(anatomy, installs, release, facts);
        for package in installs.system.build_packages() {
            if package.ends_with("-dev")
                && !explained.contains(package)
                && !anatomy.ctx.catalog.has_word(WordSet::IdleHeaders, package)
            {
                closure.trouble.push(Why::new(
                    anatomy.stage.from,
                    format!("`{package}` is installed, and which package is linked with it is not known"),
                    "take it out if nothing uses it, or add the Python package that does to the catalog",
                ));
            }
        }
        closure
    }

    /// What the packages bring that no requirement names, where no lock file says so.
    fn indirect(
        &mut self,
        anatomy: &Anatomy<'_>,
        installs: &Installs,
        release: &str,
        facts: &ImageFacts,
    ) {
        let catalog = anatomy.ctx.catalog;
        let mut seen: BTreeSet<&str> = installs
            .wanted
            .iter()
            .map(|wanted| wanted.name.as_str())
            .chain(["pip", "setuptools", "wheel"])
            .collect();
        let unlocked = installs
            .wanted
            .iter()
            .filter(|wanted| wanted.linux_wheel.is_none() && wanted.address.is_none());
        for wanted in unlocked {
            let has_row = catalog.native(Ecosystem::Python, &wanted.name).is_some();
            let mut open = vec![wanted.name.as_str()];
            while let Some(name) = open.pop() {
                let Some(package) = catalog.python_package(name) else {
                    continue;
                };
                let python = minor(facts).unwrap_or(0);
                for (name, _, _) in package.requires(python, &Versions::default()) {
                    if !seen.insert(name) {
                        continue;
                    }
                    open.push(name);
                    let brought = Wanted {
                        name: name.to_owned(),
                        version: None,
                        ..wanted.clone()
                    };
                    match catalog.native(Ecosystem::Python, name) {
                        Some(row) => self.known(&brought, row, release, facts),
                        None if has_row || is_pure_wheel(anatomy, &brought, facts) => {}
                        None => self.trouble.push(unknown(&brought)),
                    }
                }
            }
        }
    }

    fn known(&mut self, wanted: &Wanted, row: &Native, release: &str, facts: &ImageFacts) {
        let name = &wanted.name;
        if !row.refuse.is_empty() {
            self.trouble.push(Why::new(
                wanted.anchor,
                format!("`{name}` {}", row.refuse),
                "",
            ));
        }
        if let Some(address) = &wanted.address {
            self.trouble.push(Why::new(
                wanted.anchor,
                format!("`{name}` comes from {address}, whose native libraries are not known"),
                "install a released version",
            ));
        }
        self.compiles |= row.nature == Nature::Source;
        if !row.runtime.get().is_empty() && !is_known(release) {
            self.trouble.push(Why::new(
                wanted.anchor,
                format!("the libraries of `{name}` are known for Debian bookworm and trixie only"),
                "move to an image of a supported Debian release",
            ));
        }
        self.libraries.extend(
            row.libraries(release)
                .iter()
                .map(|library| library.get().to_owned()),
        );
        self.programs.extend(
            row.programs
                .get()
                .iter()
                .map(|program| program.get().to_owned()),
        );
        let links = LINKS_WHEN_BUILT.iter().find(|links| links.name == name);
        let lacks_wheel = wanted.linux_wheel == Some(false)
            || links.is_some_and(|links| links.wheels_came_after(wanted, facts));
        if row.nature != Nature::Wheel || !wanted.compiled && !lacks_wheel {
            return;
        }
        self.compiles |= wanted.compiled || links.is_some();
        match links {
            Some(links) if !links.libraries.is_empty() && is_known(release) => {
                self.libraries
                    .extend(links.libraries.iter().map(|&library| library.to_owned()));
            }
            // A wheel that is missing is as a rule one of a package that links nothing else.
            None if !wanted.compiled => {}
            _ => self.trouble.push(Why::new(
                wanted.anchor,
                format!(
                    "`{name}` {} is compiled here, against libraries of the full image that are not known",
                    wanted.version.as_deref().unwrap_or_default()
                ),
                format!("let pip take a wheel of `{name}`"),
            )),
        }
    }
}

/// Whether the names of packages of this Debian release are known.
fn is_known(release: &str) -> bool {
    matches!(release, "bookworm" | "trixie")
}

/// A minor version of Python 3, and the first version of a package with a wheel for it.
type FirstWheel = (u32, &'static [u32]);

/// A package with wheels that links shared libraries of the image when it is compiled nevertheless.
struct Links {
    name: &'static str,
    /// Debian packages of bookworm and trixie with these libraries; none where they depend on what configure finds.
    libraries: &'static [&'static str],
    /// The first versions with a wheel, by minor version of Python 3.
    wheels: &'static [FirstWheel],
}

/// Wheels written from memory in November 2026, not yet checked against PyPI's file lists.
const LINKS_WHEN_BUILT: &[Links] = &[
    Links {
        name: "cffi",
        libraries: &["libffi8"],
        wheels: &[
            (9, &[1, 14, 3]),
            (10, &[1, 15]),
            (11, &[1, 15, 1]),
            (12, &[1, 16]),
            (13, &[1, 17]),
        ],
    },
    Links {
        name: "lxml",
        libraries: &["libxml2", "libxslt1.1"],
        wheels: &[
            (9, &[4, 6, 1]),
            (10, &[4, 6, 4]),
            (11, &[4, 9, 2]),
            (12, &[4, 9, 3]),
            (13, &[5, 3]),
        ],
    },
    Links {
        name: "pillow",
        libraries: &[],
        wheels: &[
            (9, &[8]),
            (10, &[8, 4]),
            (11, &[9, 3]),
            (12, &[10, 1]),
            (13, &[11]),
        ],
    },
    Links {
        name: "psycopg2-binary",
        libraries: &["libpq5"],
        wheels: &[
            (9, &[2, 8, 6]),
            (10, &[2, 9, 2]),
            (11, &[2, 9, 5]),
            (12, &[2, 9, 9]),
            (13, &[2, 9, 10]),
        ],
    },
];

impl Links {
    /// Whether the one version that is asked for came before the wheels for this Python.
    fn wheels_came_after(&self, wanted: &Wanted, facts: &ImageFacts) -> bool {
        let Some(version) = &wanted.version else {
            return false;
        };
        let version = numbers(version);
        let minor = numbers(&facts.version).get(1).copied();
        // Without a minor version in the tag it is the newest Python.
        self.wheels
            .iter()
            .rfind(|(python, _)| minor.is_none_or(|minor| *python <= minor))
            .is_some_and(|(_, first)| version.as_slice() < *first)
    }
}

/// Whether the catalog knows that the package comes as a wheel without native code.
fn is_pure_wheel(anatomy: &Anatomy<'_>, wanted: &Wanted, facts: &ImageFacts) -> bool {
    let exact = wanted
        .version
        .as_deref()
        .map(|version| format!("=={version}"));
    let versions = Versions::parse(exact.as_deref().unwrap_or_default());
    wanted.address.is_none()
        && anatomy
            .ctx
            .catalog
            .python_package(&wanted.name)
            .zip(versions)
            .zip(minor(facts))
            .is_some_and(|((package, versions), minor)| {
                !package.native && package.has_wheel(minor, &versions)
            })
}

/// The minor version of Python 3 in the tag.
fn minor(facts: &ImageFacts) -> Option<u32> {
    let version = numbers(&facts.version);
    (version.first() == Some(&3)).then(|| version.get(1).copied())?
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

fn unknown(wanted: &Wanted) -> Why {
    let name = &wanted.name;
    let reason = match (&wanted.address, wanted.linux_wheel) {
        (Some(address), _) => format!("the native libraries of {address} are not known"),
        (None, Some(false)) => {
            format!("`{name}` has no wheel, and which native libraries it links is not known")
        }
        _ => format!("which native libraries `{name}` needs is not known"),
    };
    Why::new(
        wanted.anchor,
        reason,
        "lock the dependencies with uv or poetry, add the package to the catalog, or run `fix --verify`",
    )
}
