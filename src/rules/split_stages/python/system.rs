//! The distribution's packages that a stage installs: for the build, or for what runs.

use std::collections::BTreeSet;

use super::super::{Anatomy, Why};
use crate::catalog::{Catalog, ImageFacts, Verdict, WordSet};
use crate::model::{PackageOperation, Verb};

/// What apt installs.
#[derive(Default)]
pub(super) struct System {
    /// Packages that only a build needs.
    build: BTreeSet<String>,
    /// Other packages of RUNs that stay in the build stage: name, whether it was installed with what it recommends,
    /// and where.
    wanted: Vec<(String, bool, usize)>,
    /// Packages of RUNs that are replayed whole.
    replayed: BTreeSet<String>,
    /// Small tools that builds call (`curl`, `git`) and nothing else may need.
    fetchers: Vec<(String, usize)>,
    /// RUNs that bring the image up to date.
    upgraded_by: BTreeSet<usize>,
    /// One of them stays in the build stage.
    pub(super) upgrades: bool,
}

impl System {
    /// Takes in an operation of the RUN at `index`; what it installs that a build alone needs is told apart. Whether
    /// all of its packages are for what runs.
    pub(super) fn add(
        &mut self,
        catalog: &Catalog,
        operation: &PackageOperation<'_>,
        index: usize,
        line: usize,
    ) -> Result<bool, Why> {
        match operation.verb {
            Verb::Install => {}
            Verb::Upgrade => {
                self.upgraded_by.insert(index);
                self.upgrades = true;
                return Ok(true);
            }
            Verb::Remove => {
                self.remove(&operation.literal_packages().unwrap_or_default());
                return Ok(true);
            }
            _ => return Ok(true),
        }
        let Some(packages) = operation.literal_packages() else {
            return Err(Why::new(
                index,
                format!("line {line} installs packages that a variable names"),
                "write the names out",
            ));
        };
        let with_recommends = !operation.has_flag(&["--no-install-recommends"]);
        let mut all_run = true;
        for package in packages {
            let name = package
                .split(['=', ':'])
                .next()
                .unwrap_or(&package)
                .to_owned();
            if catalog.has_word(WordSet::ServicePackages, &name) {
                return Err(Why::new(
                    index,
                    format!(
                        "line {line} installs `{name}`, a service that would start without the environment's PATH"
                    ),
                    "run one program in a container, without a service manager",
                ));
            }
            if is_build_package(catalog, &name) {
                self.build.insert(name);
                all_run = false;
            } else if catalog.has_word(WordSet::DownloadPackages, &name) {
                self.fetchers.push((name, index));
            } else {
                self.wanted.push((name, with_recommends, index));
            }
        }
        Ok(all_run)
    }

    fn remove(&mut self, packages: &[String]) {
        self.wanted.retain(|(name, ..)| !packages.contains(name));
        self.fetchers.retain(|(name, _)| !packages.contains(name));
    }

    /// The RUN at `index` is replayed whole: its packages need no line of their own.
    pub(super) fn replay(&mut self, index: usize) {
        let (here, others) = std::mem::take(&mut self.wanted)
            .into_iter()
            .partition(|(_, _, at)| *at == index);
        self.wanted = others;
        let here: Vec<(String, bool, usize)> = here;
        self.replayed
            .extend(here.into_iter().map(|(name, ..)| name));
        self.upgraded_by.remove(&index);
        self.upgrades = !self.upgraded_by.is_empty();
        self.fetchers.retain(|(name, at)| {
            if *at == index {
                self.replayed.insert(name.clone());
            }
            *at != index
        });
    }

    /// Whether the build installs the fetching tool `package` and the second stage does not.
    pub(super) fn fetches(&self, package: &str) -> bool {
        self.fetchers.iter().any(|(name, _)| name == package)
    }

    pub(super) fn has_build_packages(&self) -> bool {
        !self.build.is_empty()
    }

    /// Packages that only a build needs.
    pub(super) fn build_packages(&self) -> impl Iterator<Item = &str> {
        self.build.iter().map(String::as_str)
    }

    pub(super) fn is_replayed(&self, package: &str) -> bool {
        self.replayed.contains(package)
    }

    /// What of the RUNs that stay in the build stage the second stage needs, recommended packages that count included.
    pub(super) fn runtime_packages(
        &self,
        anatomy: &Anatomy<'_>,
        facts: &ImageFacts,
    ) -> Result<Vec<String>, Why> {
        let release = facts.release.map_or("", |release| release.name.get());
        let catalog = anatomy.ctx.catalog;
        let mut packages = Vec::new();
        for (name, with_recommends, index) in &self.wanted {
            packages.push(name.clone());
            if !with_recommends {
                continue;
            }
            let line = anatomy.line(*index);
            let Some(dropped) = catalog.dropped_recommends(release, &[name]) else {
                return Err(Why::new(
                    *index,
                    format!(
                        "line {line} installs `{name}` beside build tools, and what comes with it is not known"
                    ),
                    format!("install `{name}` in a RUN of its own"),
                ));
            };
            for one in dropped {
                match one.verdict.map(|row| row.verdict) {
                    Some(Verdict::Droppable) => {}
                    Some(Verdict::Needed | Verdict::NeededWhen) => {
                        packages.push(one.name.to_owned())
                    }
                    None => {
                        return Err(Why::new(
                            *index,
                            format!(
                                "line {line} installs `{name}` beside build tools, and whether it needs `{}` is not known",
                                one.name
                            ),
                            format!("install `{name}` in a RUN of its own"),
                        ));
                    }
                }
            }
        }
        Ok(packages)
    }
}

fn is_build_package(catalog: &Catalog, name: &str) -> bool {
    name.ends_with("-dev")
        || name.ends_with("-headers")
        || catalog.has_word(WordSet::CompilerPackages, name)
        || ["g++-", "gcc-", "clang-", "llvm-", "linux-headers-"]
            .iter()
            .any(|prefix| name.starts_with(prefix) && !name.ends_with("-base"))
}
