//! The shapes of the catalog's rows, compiled twice: into `build.rs`, where [`Text`] is a `String` and [`List`]
//! a `Vec`, and into the crate, where both point into static data.
//!
//! `record!`, `choice!` and `keyed!` are defined by whoever includes this file.

use super::repr::{List, Text};

record! {
    /// One release cycle of a language or a distribution.
    pub struct Cycle {
        /// Product and cycle as `product/cycle`: `debian/12`, `nodejs/18`.
        pub key: Text,
        /// The release's name in lower case where it has one (`bookworm`), else empty.
        #[serde(default)]
        pub codename: Text,
        /// End of standard support as `YYYY-MM-DD`; empty where none is announced.
        #[serde(default)]
        pub eol: Text,
        /// End of paid or long-term support as `YYYY-MM-DD`; empty where there is none.
        #[serde(default)]
        pub extended: Text,
        /// The newest version of the cycle on the date of the row; empty where unknown.
        #[serde(default)]
        pub latest: Text,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Cycle, key);

record! {
    /// The files, programs and accounts that come with a layer which many images share.
    pub struct Contents {
        /// The name by which images and other rows refer to it: `debian-slim`, `buildpack-deps-scm`.
        pub name: Text,
        /// The contents this one adds to, by name; empty for a root.
        #[serde(default)]
        pub on: Text,
        /// Programs that are on `PATH`, beyond those of `on`.
        #[serde(default)]
        pub programs: List<Text>,
        /// Distribution packages that are installed, beyond those of `on`.
        #[serde(default)]
        pub packages: List<Text>,
        /// Accounts in `/etc/passwd` as `name:uid:gid:home`, beyond those of `on`.
        #[serde(default)]
        pub users: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Contents, name);
