//! What is known about images, packages, commands and stacks (floor 1).
//!
//! # The mechanism
//!
//! Knowledge lives in `src/catalog/*.yaml`. A file is a list of sections, each with `source`, `as-of` and sorted
//! `entries`; a row may carry its own `source` and `as-of`. `build.rs` reads them and writes sorted static slices
//! (`$OUT_DIR/catalog.rs`, included by `embedded`), so a start costs nothing and a lookup is a binary search.
//!
//! To add a table:
//! 1. describe the row in `schema.rs` with `record!` (fields `Text`, `List<_>`, `Option<_>`, `bool`, `u16`, `u32`,
//!    `u64`, other records and `choice!` enums; it needs `source` and `as_of`), then `keyed!(Row, key_field);`.
//!    YAML uses kebab-case; a field that may be left out needs `#[serde(default)]`;
//! 2. add `catalog.table::<schema::Row>("rows.yaml", "ROWS", "Row");` to `main` in `build.rs`;
//! 3. add a `Table` to `Inner` below, the user's rows to [`Overlay`], and a lookup method in a file of its own.
//!
//! A set of words is a row of `word_sets.yaml` and nothing else: [`WordSet`] is made from the rows.
//!
//! An unsorted, duplicate or malformed row ends the build with file and line.

mod image;
mod manifests;
mod packages;
mod plain_files;
mod reference;
mod repr;
mod successor;
mod table;
mod wheels;
mod words;

use std::sync::Arc;

use table::{Keyed, Table};

pub use image::{ImageFacts, Variant};
pub use packages::{Dropped, Ecosystem, Package};
pub use reference::ImageRef;
pub use repr::{List, Text};
pub use successor::{Certainty, SlimTag, Successor};
pub use wheels::Versions;

macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name { $($(#[$field_meta])* pub $field: $kind,)* }
    };
}

macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }
    };
}

macro_rules! keyed {
    ($name:ident, $key:ident) => {
        impl super::Keyed for $name {
            fn key(&self) -> &'static str {
                self.$key.get()
            }
        }
    };
}

mod schema;
mod size;
mod software;

pub use embedded::WordSet;
pub use schema::*;
pub use software::*;

/// The generated statics.
mod embedded {
    use super::*;
    include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
}

/// The embedded catalog, overlaid by the user's configuration. Cloning it costs a reference count.
#[derive(Clone, Debug)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    cycles: Table<Cycle>,
    contents: Table<Contents>,
    releases: Table<Release>,
    families: Table<Family>,
    sizes: Table<ImageSize>,
    retirements: Table<Retirement>,
    debian_packages: Table<DebianPackage>,
    older_packages: Table<OlderPackage>,
    recommends: Table<Recommend>,
    conditions: Table<Condition>,
    commands: Table<Command>,
    managers: Table<Manager>,
    natives: Table<Native>,
    programs: Table<Program>,
    python_packages: Table<PythonPackage>,
    ignore_patterns: Table<IgnorePattern>,
    root_needs: Table<RootNeed>,
    writing_calls: Table<WritingCalls>,
    hand_tools: Table<HandTool>,
    word_sets: Table<Words>,
    download_caches: Table<DownloadCache>,
}

/// Rows of the user's configuration; each wins over the embedded row with the same key.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overlay {
    /// Release cycles, keyed `product/cycle`.
    pub cycles: Vec<Cycle>,
    /// Shared contents of images.
    pub contents: Vec<Contents>,
    /// Releases of distributions.
    pub releases: Vec<Release>,
    /// Repositories of images: a company's own bases.
    pub families: Vec<Family>,
    /// Sizes of images.
    pub sizes: Vec<ImageSize>,
    /// Retired images and their successors.
    pub retirements: Vec<Retirement>,
    /// Debian packages.
    pub debian_packages: Vec<DebianPackage>,
    /// Packages that Debian no longer has.
    pub older_packages: Vec<OlderPackage>,
    /// Verdicts on recommended packages.
    pub recommends: Vec<Recommend>,
    /// Conditions of those verdicts.
    pub conditions: Vec<Condition>,
    /// Effects of commands.
    pub commands: Vec<Command>,
    /// Package managers.
    pub managers: Vec<Manager>,
    /// Native dependencies of languages' packages.
    pub natives: Vec<Native>,
    /// Programs and their packages.
    pub programs: Vec<Program>,
    /// Packages of Python that come as wheels.
    pub python_packages: Vec<PythonPackage>,
    /// Patterns of `.dockerignore`.
    pub ignore_patterns: Vec<IgnorePattern>,
    /// Packages that need a right of root's.
    pub root_needs: Vec<RootNeed>,
    /// Calls that write files.
    pub writing_calls: Vec<WritingCalls>,
    /// Packages with tools for people.
    pub hand_tools: Vec<HandTool>,
    /// Sets of words.
    pub word_sets: Vec<Words>,
    /// Download caches of languages' tools.
    pub download_caches: Vec<DownloadCache>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                cycles: Table::new(embedded::CYCLES),
                contents: Table::new(embedded::CONTENTS),
                releases: Table::new(embedded::RELEASES),
                families: Table::new(embedded::FAMILIES),
                sizes: Table::new(embedded::SIZES),
                retirements: Table::new(embedded::RETIREMENTS),
                debian_packages: Table::new(embedded::DEBIAN_PACKAGES),
                older_packages: Table::new(embedded::OLDER_PACKAGES),
                recommends: Table::new(embedded::RECOMMENDS),
                conditions: Table::new(embedded::CONDITIONS),
                commands: Table::new(embedded::COMMANDS),
                managers: Table::new(embedded::MANAGERS),
                natives: Table::new(embedded::NATIVES),
                programs: Table::new(embedded::PROGRAMS),
                python_packages: Table::new(embedded::PYTHON_PACKAGES),
                ignore_patterns: Table::new(embedded::IGNORE_PATTERNS),
                root_needs: Table::new(embedded::ROOT_NEEDS),
                writing_calls: Table::new(embedded::WRITING_CALLS),
                hand_tools: Table::new(embedded::HAND_TOOLS),
                word_sets: Table::new(embedded::WORD_SETS),
                download_caches: Table::new(embedded::DOWNLOAD_CACHES),
            }),
        }
    }
}

impl Catalog {
    /// This catalog with the user's rows over it.
    #[must_use]
    pub fn overlay(&self, overlay: Overlay) -> Self {
        let mut inner = Inner::clone(&self.inner);
        inner.cycles.add(overlay.cycles);
        inner.contents.add(overlay.contents);
        inner.releases.add(overlay.releases);
        inner.families.add(overlay.families);
        inner.sizes.add(overlay.sizes);
        inner.retirements.add(overlay.retirements);
        inner.debian_packages.add(overlay.debian_packages);
        inner.older_packages.add(overlay.older_packages);
        inner.recommends.add(overlay.recommends);
        inner.conditions.add(overlay.conditions);
        inner.commands.add(overlay.commands);
        inner.managers.add(overlay.managers);
        inner.natives.add(overlay.natives);
        inner.programs.add(overlay.programs);
        inner.python_packages.add(overlay.python_packages);
        inner.ignore_patterns.add(overlay.ignore_patterns);
        inner.root_needs.add(overlay.root_needs);
        inner.writing_calls.add(overlay.writing_calls);
        inner.hand_tools.add(overlay.hand_tools);
        inner.word_sets.add(overlay.word_sets);
        inner.download_caches.add(overlay.download_caches);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The release cycle of a product: `cycle("debian", "12")`.
    pub fn cycle(&self, product: &str, cycle: &str) -> Option<&Cycle> {
        self.inner.cycles.get(&format!("{product}/{cycle}"))
    }

    /// The end of standard support, as `YYYY-MM-DD`, of the cycle that a version belongs to:
    /// `end_of_life("nodejs", "18.20.1")`, `end_of_life("python", "3.9")`.
    pub fn end_of_life(&self, product: &str, version: &str) -> Option<&'static str> {
        let row = self.cycle_of(product, version)?;
        Some(row.eol.get()).filter(|date| !date.is_empty())
    }

    /// The date, as `YYYY-MM-DD`, on which that end of support was looked up.
    pub fn end_of_life_as_of(&self, product: &str, version: &str) -> Option<&'static str> {
        Some(self.cycle_of(product, version)?.as_of.get())
    }

    /// The cycle that a version belongs to: the longest that it begins with.
    fn cycle_of(&self, product: &str, version: &str) -> Option<&Cycle> {
        let mut cycle = version;
        loop {
            if let Some(row) = self.cycle(product, cycle) {
                return Some(row);
            }
            cycle = cycle.rsplit_once('.')?.0;
        }
    }

    /// What a `.dockerignore` may hold, by pattern; the user's rows are not among them.
    pub fn ignore_patterns(&self) -> &'static [IgnorePattern] {
        self.inner.ignore_patterns.embedded()
    }

    /// The download caches of languages' tools, those of the user's rows first.
    pub fn download_caches(&self) -> impl Iterator<Item = &DownloadCache> {
        self.inner.download_caches.iter()
    }

    /// The shared contents of this name.
    pub fn contents(&self, name: &str) -> Option<&Contents> {
        self.inner.contents.get(name)
    }
}

#[cfg(test)]
mod tests;
