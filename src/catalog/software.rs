//! The shapes of what is known about Debian packages, programs, commands, package managers and ignored files.
//!
//! Compiled twice, as `schema.rs` is.

use super::repr::{List, Text};

record! {
    /// A Debian package and what installing it brings.
    pub struct DebianPackage {
        /// Its name.
        pub name: Text,
        /// As it is in Debian 12.
        pub bookworm: Option<InRelease>,
        /// As it is in Debian 13.
        pub trixie: Option<InRelease>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(DebianPackage, name);

record! {
    /// A Debian package in one release.
    pub struct InRelease {
        /// The only package that provides this name, where it is virtual; else empty.
        #[serde(default)]
        pub provided_by: Text,
        /// Its own size on disk in KiB.
        #[serde(default)]
        pub kib: u64,
        /// What it recommends and does not depend on, first alternatives.
        #[serde(default)]
        pub recommends: List<Text>,
        /// The packages it depends on, directly or not, that recommend something more.
        #[serde(default)]
        pub via: List<Text>,
        /// The size on disk in KiB of all that is installed only because it is recommended, from an empty image.
        #[serde(default)]
        pub recommended_kib: u64,
    }
}

record! {
    /// A package that current Debian no longer has.
    pub struct OlderPackage {
        /// Its name.
        pub name: Text,
        /// All that it and its dependencies recommended.
        #[serde(default)]
        pub recommends: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(OlderPackage, name);

choice! {
    /// What becomes of a recommended package under `--no-install-recommends`.
    pub enum Verdict {
        /// It is added by name.
        Needed,
        /// Nothing misses it.
        Droppable,
        /// It is added by name where one of the row's conditions holds.
        NeededWhen,
    }
}

record! {
    /// The verdict for a recommended package.
    pub struct Recommend {
        /// `package/recommended`, `*/recommended`, `*/prefix*` or `*/*suffix`.
        pub pair: Text,
        /// The verdict.
        pub verdict: Verdict,
        /// Names of conditions, with [`Verdict::NeededWhen`].
        #[serde(default)]
        pub when: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Recommend, pair);

record! {
    /// A condition that a rule can check: one of its words stands in the Dockerfile or in a script that it runs.
    pub struct Condition {
        /// The name that verdicts refer to it by.
        pub name: Text,
        /// What holds then.
        pub about: Text,
        /// The words, case-sensitive, anywhere in a line.
        pub words: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Condition, name);

choice! {
    /// What sort of thing a command does.
    pub enum CommandKind {
        /// Prints or tests.
        Pure,
        /// Works on the files it is given.
        File,
        /// Fetches files.
        Download,
        /// Works on keys and certificates.
        Key,
        /// Installs packages.
        PackageManager,
        /// Compiles or builds.
        BuildTool,
        /// Makes or changes users and groups.
        Account,
        /// Changes a known part of the system's configuration.
        System,
        /// Starts, stops or asks a daemon.
        Service,
        /// Changes the state of the shell that runs it.
        ShellState,
        /// Runs the command that its operands are.
        Wrapper,
        /// Runs a program text: it may do anything.
        Interpreter,
    }
}

record! {
    /// A command's effects.
    ///
    /// `reads`, `writes` and `deletes` hold absolute paths (with all below), paths that begin with `~` or `$VAR`, or
    /// one of: `cwd`, `stdin`, `arguments` (every operand), `argument:N` (from 1), `arguments-from:N`,
    /// `last-argument`, `beside-arguments` (same folder, other suffix), `flag:-o` (that flag's value), `operand:of`
    /// (`of=…`), `arguments-if:FLAG` and `cwd-if:FLAG` (only with that flag), `site-packages`, `system` (wherever a
    /// package may put files), `any`.
    pub struct Command {
        /// Its name, without folder.
        pub name: Text,
        /// What sort it is.
        pub kind: CommandKind,
        /// What it reads.
        #[serde(default)]
        pub reads: List<Text>,
        /// What it makes or changes.
        #[serde(default)]
        pub writes: List<Text>,
        /// What it deletes.
        #[serde(default)]
        pub deletes: List<Text>,
        /// Whether it may use the network.
        #[serde(default)]
        pub network: bool,
        /// Whether nothing is lost when the stage it ran in does not ship, beyond the paths that it writes.
        #[serde(default)]
        pub throwaway: bool,
        /// Flags that take a value in the next word.
        #[serde(default)]
        pub flags: List<Text>,
        /// An operand or flag that holds one of these makes its effects unknown.
        #[serde(default)]
        pub wall_if: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Command, name);

choice! {
    /// How concurrent builds use a cache mount.
    pub enum Sharing {
        /// At the same time.
        Shared,
        /// One after the other.
        Locked,
    }
}

record! {
    /// A folder that a cache mount takes the place of.
    pub struct CacheMount {
        /// Its path; `~` is the home folder of the user that runs the manager.
        pub target: Text,
        /// The family of the only image in which the cache lies there; empty for all that have no row of their own.
        #[serde(default)]
        pub image: Text,
        /// The first version of the image whose manager uses it; empty for all.
        #[serde(default)]
        pub since: Text,
        /// Whether only what compiles uses it.
        #[serde(default)]
        pub compiles: bool,
        /// Whether it holds programs compiled in the image, which another image may not run.
        #[serde(default)]
        pub compiled: bool,
    }
}

record! {
    /// How a package manager is called and what it leaves.
    pub struct Manager {
        /// Its command.
        pub name: Text,
        /// Whether it installs a distribution's packages, and not those of a language.
        #[serde(default)]
        pub of_distribution: bool,
        /// Verbs that install.
        pub install: List<Text>,
        /// Verbs that fetch lists of packages or solve versions, and install nothing.
        #[serde(default)]
        pub update: List<Text>,
        /// Verbs that install newer versions of what is there.
        #[serde(default)]
        pub upgrade: List<Text>,
        /// Verbs that uninstall.
        #[serde(default)]
        pub remove: List<Text>,
        /// Verbs that clean caches or outputs.
        #[serde(default)]
        pub clean: List<Text>,
        /// Flags that take a value in the next word, before the verb or after it.
        #[serde(default)]
        pub value_flags: List<Text>,
        /// Flags that answer yes.
        #[serde(default)]
        pub assume_yes: List<Text>,
        /// Where lists of packages lie.
        #[serde(default)]
        pub lists: List<Text>,
        /// Where downloads lie; `~` is the home folder of the user that runs it.
        #[serde(default)]
        pub caches: List<Text>,
        /// The flag that keeps the cache empty; empty where there is none.
        #[serde(default)]
        pub no_cache: Text,
        /// The shell command that empties lists and caches.
        #[serde(default)]
        pub clean_with: Text,
        /// Addresses of scripts that fetch the lists themselves, without the `https://`.
        #[serde(default)]
        pub updated_by: List<Text>,
        /// Cache mounts; the target of each is its own id.
        #[serde(default)]
        pub mounts: List<CacheMount>,
        /// Variables and flags that move the cache or turn it off.
        #[serde(default)]
        pub moved_by: List<Text>,
        /// Whether what is built later reads the cache again.
        #[serde(default)]
        pub needs_cache: bool,
        /// Flags that forbid to fetch what the cache lacks.
        #[serde(default)]
        pub offline: List<Text>,
        /// Verbs that use no cache; the empty one is a call without any.
        #[serde(default)]
        pub idle: List<Text>,
        /// Verbs that only fetch, and compile nothing.
        #[serde(default)]
        pub fetch_only: List<Text>,
        /// How those mounts are shared.
        pub sharing: Sharing,
        /// Its lock files.
        #[serde(default)]
        pub locks: List<Text>,
        /// Files and folders an installation reads beside the lock file; `*` stands for any name.
        #[serde(default)]
        pub manifests: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Manager, name);

record! {
    /// A program and the Debian package that brings it.
    pub struct Program {
        /// The program's name.
        pub name: Text,
        /// The package.
        pub package: Text,
        /// Codenames of the releases that do not have that package.
        #[serde(default)]
        pub missing_in: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Program, name);

choice! {
    /// What sort of file a line of `.dockerignore` is for.
    pub enum IgnoreKind {
        /// Version control.
        Vcs,
        /// Packages that an install makes.
        Dependencies,
        /// What a build leaves.
        Output,
        /// Caches of tools, leftovers of tests.
        Cache,
        /// Logs.
        Log,
        /// Settings of editors.
        Editor,
        /// What operating systems leave.
        System,
        /// Dockerfiles and their like.
        Docker,
        /// Environment files and private keys.
        Secret,
    }
}

record! {
    /// A pattern that a `.dockerignore` may hold.
    pub struct IgnorePattern {
        /// `**/NAME` at any depth, `NAME` at the root; one `*` stands for any part of a name. With `beside`, any depth,
        /// and the line names the exact path.
        pub pattern: Text,
        /// The stack it belongs to; `any`.
        pub stack: Text,
        /// What it is.
        pub kind: IgnoreKind,
        /// Why it is left out, for the report.
        pub reason: Text,
        /// Whether it is written before anything like it is there.
        #[serde(default)]
        pub habit: bool,
        /// It counts only beside one of these files.
        #[serde(default)]
        pub beside: List<Text>,
        /// It counts only with one of these inside.
        #[serde(default)]
        pub holds: List<Text>,
        /// Package managers and build tools that make it: one of them must run in the build.
        #[serde(default)]
        pub made_by: List<Text>,
        /// Names that the pattern matches and that are something else.
        #[serde(default)]
        pub except: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(IgnorePattern, pattern);

record! {
    /// A Debian package with a tool for people.
    pub struct HandTool {
        /// Its name.
        pub package: Text,
        /// Other names by which a program, a script or a setting asks for it.
        #[serde(default)]
        pub called_by: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(HandTool, package);
