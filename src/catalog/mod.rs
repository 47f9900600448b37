//! What is known about images, packages, commands and stacks (floor 1).
//!
//! # The mechanism
//!
//! Knowledge lives in `src/catalog/*.yaml`. A file is a list of sections, each with `source`, `as-of` and sorted
//! `entries`; a row may carry its own `source` and `as-of`. `build.rs` reads them and writes sorted static slices
//! (`$OUT_DIR/catalog.rs`, included by `embedded`), so a start costs nothing and a lookup is a binary search.
//!
//! To add a table:
//! 1. describe the row in `schema.rs`, `software.rs` or `languages.rs` with `record!` (fields `Text`, `List<_>`,
//!    `Option<_>`, `bool`, `u16`, `u32`, `u64`, other records and `choice!` enums; it needs `source` and `as_of`), then
//!    `keyed!(Row, key_field);`. YAML uses kebab-case; a field that may be left out needs `#[serde(default)]`;
//! 2. add `catalog.table::<schema::Row>("rows.yaml", "ROWS", "Row");` to `main` in `build.rs`;
//! 3. add it to `tables!` below and to `config.schema.json` (a test compares the two), and a lookup method in a file of
//!    its own.
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

mod languages;
mod schema;
mod size;
mod software;

pub use embedded::WordSet;
pub use languages::*;
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

/// Makes what holds the tables, and what a user adds to them, out of one list.
macro_rules! tables {
    ($($(#[$doc:meta])* $field:ident: $row:ident = $slice:ident,)*) => {
        #[derive(Clone, Debug)]
        struct Inner { $($field: Table<$row>,)* }

        /// Rows of the user's configuration; each wins over the embedded row with the same key.
        #[derive(Clone, Debug, Default, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Overlay { $($(#[$doc])* pub $field: Vec<$row>,)* }

        impl Inner {
            fn embedded() -> Self {
                Self { $($field: Table::new(embedded::$slice),)* }
            }

            fn add(&mut self, overlay: Overlay) {
                $(self.$field.add(overlay.$field);)*
            }
        }
    };
}

tables! {
    /// Release cycles, keyed `product/cycle`.
    cycles: Cycle = CYCLES,
    /// Shared contents of images.
    contents: Contents = CONTENTS,
    /// Releases of distributions.
    releases: Release = RELEASES,
    /// Repositories of images: a company's own bases.
    families: Family = FAMILIES,
    /// Sizes of images.
    sizes: ImageSize = SIZES,
    /// Retired images and their successors.
    retirements: Retirement = RETIREMENTS,
    /// Debian packages.
    debian_packages: DebianPackage = DEBIAN_PACKAGES,
    /// Packages that Debian no longer has.
    older_packages: OlderPackage = OLDER_PACKAGES,
    /// Verdicts on recommended packages.
    recommends: Recommend = RECOMMENDS,
    /// Conditions of those verdicts.
    conditions: Condition = CONDITIONS,
    /// Effects of commands.
    commands: Command = COMMANDS,
    /// Package managers.
    managers: Manager = MANAGERS,
    /// Native dependencies of languages' packages.
    natives: Native = NATIVES,
    /// Programs and their packages.
    programs: Program = PROGRAMS,
    /// Packages of Python that come as wheels.
    python_packages: PythonPackage = PYTHON_PACKAGES,
    /// Patterns of `.dockerignore`.
    ignore_patterns: IgnorePattern = IGNORE_PATTERNS,
    /// Packages that need a right of root's.
    root_needs: RootNeed = ROOT_NEEDS,
    /// Calls that write files.
    writing_calls: WritingCalls = WRITING_CALLS,
    /// Packages with tools for people.
    hand_tools: HandTool = HAND_TOOLS,
    /// Sets of words.
    word_sets: Words = WORD_SETS,
    /// Download caches of languages' tools.
    download_caches: DownloadCache = DOWNLOAD_CACHES,
    /// Libraries of C and the packages with their headers.
    c_libraries: CLibrary = C_LIBRARIES,
    /// Build tools whose programs are not split.
    unsplit_tools: UnsplitTool = UNSPLIT_TOOLS,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner::embedded()),
        }
    }
}

impl Catalog {
    /// This catalog with the user's rows over it.
    #[must_use]
    pub fn overlay(&self, overlay: Overlay) -> Self {
        let mut inner = Inner::clone(&self.inner);
        inner.add(overlay);
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
