//! The shapes of the rows about languages: their packages, their libraries, their tools. Compiled twice, as `schema.rs` is.

use super::repr::{List, Text};

choice! {
    /// How a language's package comes by its native code.
    pub enum Nature {
        /// It has none.
        Pure,
        /// It has, and needs nothing beyond the base image.
        None,
        /// Wheels for current versions of Python.
        Wheel,
        /// Ships or fetches binaries for common platforms, compiles elsewhere.
        Prebuilt,
        /// A package per platform, used when building.
        OptionalBinary,
        /// Compiles at installation.
        Source,
        /// Go code that calls C.
        Cgo,
        /// Compiles its own copy of a library.
        Vendored,
        /// An install script that matters.
        Script,
        /// An install script that can be skipped.
        HarmlessScript,
    }
}

record! {
    /// What a language's package needs from the distribution.
    pub struct Native {
        /// `ecosystem/package`: `python/psycopg2`.
        pub name: Text,
        /// How it comes by its native code.
        pub nature: Nature,
        /// Debian packages with the libraries it needs at run time, as named in bookworm.
        #[serde(default)]
        pub runtime: List<Text>,
        /// The same for trixie; empty where the names are those of bookworm.
        #[serde(default)]
        pub runtime_trixie: List<Text>,
        /// Debian packages to compile it.
        #[serde(default)]
        pub build: List<Text>,
        /// Programs it calls when it runs.
        #[serde(default)]
        pub programs: List<Text>,
        /// Why an image with it is not split; empty where it can be.
        #[serde(default)]
        pub refuse: Text,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(Native, name);

record! {
    /// A package of Python's index that comes as wheels; `examples/python_wheels` writes the rows.
    pub struct PythonPackage {
        /// Its name, normalised.
        pub name: Text,
        /// The first version from which all come as wheels for any Python that they support; empty where that differs
        /// by version of Python.
        #[serde(default)]
        pub since: Text,
        /// That version by versions of Python: `3.9..3.12 1.19.3`; without an end it holds for later ones too.
        #[serde(default)]
        pub wheels: List<Text>,
        /// Whether some of these wheels hold native code.
        #[serde(default)]
        pub native: bool,
        /// Single later versions that have no wheels.
        #[serde(default)]
        pub without: List<Text>,
        /// What it requires: `name`, `name[extra]`; `name<2` where only versions below are allowed, `name%3.9` where
        /// only Python below needs it, `name@1.4` where only versions up to that one say so.
        #[serde(default)]
        pub requires: List<Text>,
        /// What extras add: `standard: httptools uvloop watchgod@0.17`.
        #[serde(default)]
        pub extras: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(PythonPackage, name);

record! {
    /// What in the sources of a language puts files where only their owner may, besides the calls that stacks read.
    pub struct WritingCalls {
        /// `go`, `node` … ; `java` stands for Kotlin too, `c` for C++.
        pub language: Text,
        /// Endings of the files that are looked at, without the dot.
        pub endings: List<Text>,
        /// Words that tell of a written file where they stand whole, outside of lines that are comments.
        pub words: List<Text>,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(WritingCalls, language);

record! {
    /// What a tool of a language leaves behind of its downloads, and how that is kept out of an image.
    pub struct DownloadCache {
        /// The tool: `pip`.
        pub name: Text,
        /// Its commands, by the names of package managers.
        pub managers: List<Text>,
        /// What is written after the verb of an install, so that nothing is left; empty where the tool has no such flag.
        #[serde(default)]
        pub flag: Text,
        /// What is run at the end of the RUN; empty where the flag does it.
        #[serde(default)]
        pub command: Text,
        /// Flags that keep the cache empty, need it, or put it elsewhere.
        #[serde(default)]
        pub settled_by: List<Text>,
        /// A variable that turns the cache off or moves it.
        #[serde(default)]
        pub variable: Text,
        /// Where it lies.
        #[serde(default)]
        pub caches: List<Text>,
        /// Releases of distributions whose own package of the tool does not know the flag.
        #[serde(default)]
        pub too_old_in: List<Text>,
        /// Whether the flag also goes into stages that do not ship.
        #[serde(default)]
        pub everywhere: bool,
        /// A word in what starts in the image that needs the cache.
        #[serde(default)]
        pub needed_by: Text,
        /// Whether what is built later reads the cache.
        #[serde(default)]
        pub read_again: bool,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(DownloadCache, name);

record! {
    /// A language's package that writes files where the program runs, or needs another right of root's.
    pub struct RootNeed {
        /// `ecosystem/package`: `node/lowdb`.
        pub name: Text,
        /// What it does: `writes a database file`.
        pub does: Text,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(RootNeed, name);

record! {
    /// A library of C, and the Debian package with its headers.
    pub struct CLibrary {
        /// What links it: the name after `-l`, or CMake's and pkg-config's name for it.
        pub name: Text,
        /// The package.
        pub headers: Text,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(CLibrary, name);

record! {
    /// A build tool that is recognised, and whose image is not split.
    pub struct UnsplitTool {
        /// The tool's program.
        pub name: Text,
        /// The verbs that install or build, the empty one for a call without any; empty where every call does.
        #[serde(default)]
        pub verbs: List<Text>,
        /// What it builds: `Ruby`.
        pub stack: Text,
        /// How that is split by hand.
        pub remedy: Text,
        /// Who says so.
        #[serde(default)]
        pub source: Text,
        /// When it was checked, as `YYYY-MM-DD`.
        #[serde(default)]
        pub as_of: Text,
    }
}
keyed!(UnsplitTool, name);
