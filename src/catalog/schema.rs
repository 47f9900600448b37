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
    /// Names of files that no tar archive, compressed or not, goes by.
    pub struct PlainFiles {
        /// What sort of file: `document`, `program-text`.
        pub kind: Text,
        /// What follows the last dot of the name, lower case, sorted.
        pub endings: List<Text>,
        /// Whole names, as written.
        pub names: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(PlainFiles, kind);

record! {
    /// Words that have something in common, for rules that ask by the name of the set.
    pub struct Words {
        /// The set's name: `build-packages`.
        pub name: Text,
        /// What they have in common.
        pub what: Text,
        /// The words, sorted.
        pub words: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Words, name);

record! {
    /// Programs that a release of the distribution does not have.
    pub struct Gone {
        /// Its codename: `trixie`.
        pub release: Text,
        /// Their names.
        pub programs: List<Text>,
    }
}

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
        /// Programs of these that releases do not have any more.
        #[serde(default)]
        pub gone: List<Gone>,
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

choice! {
    /// What installs packages.
    pub enum PackageManager {
        /// `apt-get`.
        Apt,
        /// `apk`.
        Apk,
        /// `yum`.
        Yum,
        /// `dnf`.
        Dnf,
        /// `microdnf`.
        Microdnf,
        /// `zypper`.
        Zypper,
        /// `pacman`.
        Pacman,
        /// Nothing does.
        None,
    }
}

choice! {
    /// What `/bin/sh` is, or what runs a shell-form instruction.
    pub enum Shell {
        /// Debian's and Ubuntu's.
        Dash,
        /// Alpine's.
        Busybox,
        /// Fedora's, and of everything that comes from Red Hat.
        Bash,
        /// Windows' `cmd`.
        Cmd,
        /// There is none: only the exec form runs.
        None,
    }
}

choice! {
    /// The C library.
    pub enum Libc {
        /// GNU's.
        Glibc,
        /// Alpine's.
        Musl,
        /// None: only static programs run.
        None,
    }
}

choice! {
    /// How a family writes the tag of its smaller image.
    pub enum Slim {
        /// It has none that could take the place of the large one.
        None,
        /// `22-bookworm-slim`.
        AfterRelease,
        /// `3.12-slim-bookworm`.
        BeforeRelease,
        /// `17-jre` in the place of `17` and `17-jdk`.
        Jre,
    }
}

record! {
    /// A distribution, or one release of it.
    pub struct Release {
        /// How tags write it: `bookworm`, `noble`, `alpine`, `oraclelinux8`.
        pub name: Text,
        /// The distribution in lower case: `debian`, `ubuntu`, `alpine`.
        pub distribution: Text,
        /// The number of the release (`12`, `24.04`); empty where the name stands for any.
        #[serde(default)]
        pub version: Text,
        /// Its C library.
        pub libc: Libc,
        /// Its package manager; nothing where it depends on the release.
        #[serde(default)]
        pub package_manager: Option<PackageManager>,
        /// Its `/bin/sh`.
        pub shell: Shell,
        /// Accounts that its images have beyond those of the distribution, as `name:uid:gid:home`.
        #[serde(default)]
        pub users: List<Text>,
        /// Its key in the table of cycles (`debian/12`); empty where there is none.
        #[serde(default)]
        pub cycle: Text,
        /// The version of its package `python3`; empty where nobody looked.
        #[serde(default)]
        pub python: Text,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Release, name);

record! {
    /// What tags of a family stand on; the first rule that fits a tag holds.
    pub struct BaseRule {
        /// A part of the tag (`slim`, `alpine`, `eclipse-temurin`); empty fits every tag.
        #[serde(default)]
        pub when: Text,
        /// The lowest major version it holds for.
        #[serde(default)]
        pub from: u32,
        /// The first major version it no longer holds for; 0 for none.
        #[serde(default)]
        pub until: u32,
        /// The contents it stands on, or empty where unknown.
        #[serde(default)]
        pub on: Text,
        /// The release, or the distribution where the release is not certain; empty where neither is.
        #[serde(default)]
        pub release: Text,
        /// Programs that these tags have beyond `on` and the family's.
        #[serde(default)]
        pub programs: List<Text>,
        /// Distribution packages that these tags have beyond `on`.
        #[serde(default)]
        pub packages: List<Text>,
        /// True where everything that was added to `on` is listed, so that what is not listed is absent.
        #[serde(default)]
        pub complete: bool,
        /// The user that these tags run as where it is not the family's, else empty.
        #[serde(default)]
        pub user: Text,
        /// The working directory of these tags where it is not the family's, else empty.
        #[serde(default)]
        pub workdir: Text,
    }
}

record! {
    /// A repository of images: how its tags read, and what all of them have in common.
    pub struct Family {
        /// `node`, or registry and path where it is no official image: `mcr.microsoft.com/dotnet/sdk`.
        pub name: Text,
        /// Its product in the table of cycles; empty where there is none.
        #[serde(default)]
        pub product: Text,
        /// The version that all its tags carry where they do not say it (`22` of `nodejs22-debian13`), else empty.
        #[serde(default)]
        pub version: Text,
        /// The command that starts, where all its images agree; as Dockerfile JSON, else empty.
        #[serde(default)]
        pub cmd: Text,
        /// The entry point, where all its images agree; as Dockerfile JSON, else empty.
        #[serde(default)]
        pub entrypoint: Text,
        /// Whether whatever entry point its images have, if any, does nothing but run the command it is given.
        #[serde(default)]
        pub runs_arguments: bool,
        /// The working directory, where all its images agree, else empty.
        #[serde(default)]
        pub workdir: Text,
        /// The user it runs as where that is not root, else empty.
        #[serde(default)]
        pub user: Text,
        /// How the smaller image is written.
        #[serde(default = "no_slim")]
        pub slim: Slim,
        /// The lowest version whose smaller image is known to have existed, as in `3.5`; empty for all.
        #[serde(default)]
        pub slim_since: Text,
        /// Names that stand for versions: `carbon=8`.
        #[serde(default)]
        pub aliases: List<Text>,
        /// The releases that unsuffixed tags of a cycle ended on, where certain: `3.8=bookworm`.
        #[serde(default)]
        pub ended_on: List<Text>,
        /// What its tags stand on.
        pub bases: List<BaseRule>,
        /// Programs it adds to what it stands on.
        #[serde(default)]
        pub programs: List<Text>,
        /// Accounts it adds, as `name:uid:gid:home`.
        #[serde(default)]
        pub users: List<Text>,
        /// True where Docker no longer builds it.
        #[serde(default)]
        pub retired: bool,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Family, name);

fn no_slim() -> Slim {
    Slim::None
}

record! {
    /// One build of an official image, under all its tags.
    pub struct Build {
        /// Family and first tag: `node:22-bookworm`.
        pub key: Text,
        /// Every tag it has, the first one among them, without the family.
        pub tags: List<Text>,
        /// What it was built on, nearest first: `buildpack-deps:bookworm`, …, `debian:bookworm`.
        #[serde(default)]
        pub base: List<Text>,
        /// The user it runs as; empty where unknown.
        #[serde(default)]
        pub user: Text,
        /// The entry point as Dockerfile JSON; empty for none.
        #[serde(default)]
        pub entrypoint: Text,
        /// The command as Dockerfile JSON; empty for none.
        #[serde(default)]
        pub cmd: Text,
        /// The working directory.
        #[serde(default)]
        pub workdir: Text,
        /// `PATH`.
        #[serde(default)]
        pub path: Text,
        /// The keys that it sets with ENV, beyond PATH.
        #[serde(default)]
        pub env: List<Text>,
        /// Ports with their protocol: `80/tcp`.
        #[serde(default)]
        pub expose: List<Text>,
        /// Folders that are volumes.
        #[serde(default)]
        pub volumes: List<Text>,
        /// The signal that stops it; empty for SIGTERM.
        #[serde(default)]
        pub stop_signal: Text,
        /// Where its configuration was read.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Build, key);

record! {
    /// The size of an image for linux/amd64.
    pub struct ImageSize {
        /// Family and tag.
        pub image: Text,
        /// What a pull transfers, in bytes; 0 where unknown.
        #[serde(default)]
        pub compressed: u64,
        /// The sum of its unpacked layers, in kilobytes (1,000 bytes); 0 where unknown.
        #[serde(default)]
        pub on_disk_kb: u64,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was built, as precisely as known.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(ImageSize, image);

record! {
    /// Where the users of a retired image go.
    pub struct Retirement {
        /// The retired family.
        pub family: Text,
        /// The family that takes its place; empty where there is none.
        #[serde(default)]
        pub to: Text,
        /// Tag by tag: `8-jdk=8-jdk`. A tag that is not listed has no certain successor.
        #[serde(default)]
        pub tags: List<Text>,
        /// What an application may notice.
        #[serde(default)]
        pub differs: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Retirement, family);
