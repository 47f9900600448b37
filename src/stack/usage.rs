//! What a scan of sources yields, in the same shape for every language that is scanned.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::context::Context;

use super::paths;

/// How much a scan may read before it stops and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Files.
    pub files: usize,
    /// Bytes of all files together.
    pub bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            files: 2_000,
            bytes: 16 << 20,
        }
    }
}

impl Budget {
    /// The contents of `path` if they fit; what they take is spent.
    pub(super) fn read(&mut self, context: &Context, path: &str) -> Option<Arc<[u8]>> {
        self.files = self.files.checked_sub(1)?;
        let contents = context.read(path)?;
        self.bytes = self.bytes.checked_sub(contents.len())?;
        Some(contents)
    }
}

/// Whether a variable of this name holds the port that the program itself listens on, and not that of a service.
pub(super) fn is_own_port(variable: &str) -> bool {
    match variable
        .strip_suffix("PORT")
        .map(|prefix| prefix.trim_end_matches('_'))
    {
        Some(prefix) => matches!(
            prefix,
            "" | "APP"
                | "SERVER"
                | "HTTP"
                | "HTTPS"
                | "API"
                | "NODE"
                | "LISTEN"
                | "WEB"
                | "SERVICE"
                | "BACKEND"
        ),
        None => false,
    }
}

/// A line of a file of the context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path in the context.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A name that the sources use, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// As written.
    pub name: String,
    /// Where.
    pub place: Place,
}

/// What a path in the sources is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// The folder of the file that names it (`__dirname`, `__file__`).
    Source,
    /// The working directory of the process.
    Working,
    /// The root of the file system.
    Root,
}

/// A path that the sources open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathUse {
    /// Without a leading slash; may hold `..`.
    pub path: String,
    /// What it is relative to.
    pub base: Base,
    /// Whether this is the whole path; otherwise something unknown follows.
    pub exact: bool,
    /// Where it is named.
    pub place: Place,
}

impl PathUse {
    /// The path in the context that is meant when the process works in `working` (a folder of the context);
    /// none for absolute paths and for those that leave the context.
    #[must_use]
    pub fn in_context(&self, working: &str) -> Option<String> {
        match self.base {
            Base::Root => None,
            Base::Working => paths::relative(working, &self.path),
            Base::Source => paths::relative(paths::parent(&self.place.file), &self.path),
        }
    }
}

/// What a scan could not follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// What is computed at run time.
    pub kind: UnknownKind,
    /// Where.
    pub place: Place,
}

/// The kinds of what is computed at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownKind {
    /// A module whose name is computed from the place of a file: one of the project's own.
    OwnModule,
    /// A module of any name.
    Module,
    /// A program.
    Program,
    /// A shared library.
    Library,
    /// A file that is written.
    Write,
}

/// What sources refer to. Lists are in the order in which it stands in the files, with repetitions.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// The files that were read, in that order.
    pub files: Vec<Arc<str>>,
    /// Modules that are loaded, as written (`express`, `./db`, `lodash/fp`, `os.path`, `.models`).
    pub imports: Vec<Named>,
    /// Strings that stand where a loader reads a module's name (`target: 'pino-pretty'`, a view engine).
    pub mentions: Vec<Named>,
    /// Programs that are started, by the first word of a literal command.
    pub programs: Vec<Named>,
    /// Shared libraries that are opened by name at run time.
    pub libraries: Vec<Named>,
    /// Files and folders that are read.
    pub reads: Vec<PathUse>,
    /// Files and folders that are written.
    pub writes: Vec<PathUse>,
    /// Ports that are listened on, or the defaults of such.
    pub ports: BTreeSet<u16>,
    /// Environment variables that are read by name.
    pub environment: BTreeSet<String>,
    /// Where `.env` files are loaded.
    pub env_files: Vec<Place>,
    /// What could not be followed.
    pub unknown: Vec<Unknown>,
    /// Whether the budget ended the scan.
    pub truncated: bool,
}

impl Usage {
    /// The first place that loads the module `name` or a file below it, `separator` between the two.
    #[must_use]
    pub fn loads(&self, name: &str, separator: char) -> Option<&Place> {
        self.imports
            .iter()
            .chain(&self.mentions)
            .find(|import| {
                import
                    .name
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
            })
            .map(|import| &import.place)
    }
}
