//! The build context (floor 2): which files a build can read.
//!
//! A [`Context`] is a snapshot: paths, kinds and sizes, and the contents of files on request through a
//! [`Files`] that the caller brings. Nothing here touches a disk.

mod dockerignore;

pub use dockerignore::{Dockerignore, PatternError};

use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a context's contents come from: a folder on disk, a map in memory.
pub trait Files: Send + Sync + std::fmt::Debug {
    /// The bytes of the file at `path` (relative, parts joined by `/`), at most `limit` of them; none when
    /// it is not a regular file inside the context, cannot be read, or is larger.
    fn read(&self, path: &str, limit: usize) -> Option<Arc<[u8]>>;
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Size in bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link and its target as written; never followed.
    Link(String),
}

/// A snapshot of a build context, before `.dockerignore` is applied.
#[derive(Clone, Debug)]
pub struct Context {
    entries: BTreeMap<String, Entry>,
    files: Arc<dyn Files>,
    ignore: Dockerignore,
    /// Whether the walk stopped at its bound: what is not listed may still exist.
    truncated: bool,
}

impl Context {
    /// A snapshot of `entries`, whose contents `files` gives, with the patterns that apply to this Dockerfile.
    #[must_use]
    pub fn new(
        entries: BTreeMap<String, Entry>,
        files: Arc<dyn Files>,
        ignore: Dockerignore,
        truncated: bool,
    ) -> Self {
        Self {
            entries,
            files,
            ignore,
            truncated,
        }
    }

    /// The entry at `path`, if the build can see it (not ignored).
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries
            .get(path)
            .filter(|_| !self.ignore.ignores(path))
    }

    /// Whether a file or folder that the build can see stands at `path`.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.entry(path).is_some()
    }

    /// The contents of the file at `path`, up to 4 MiB, ignored or not.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        self.files.read(path, 4 << 20)
    }

    /// The first `len` bytes of the file at `path`, or all of a shorter one.
    #[must_use]
    pub fn read_head(&self, path: &str, len: usize) -> Option<Vec<u8>> {
        self.read(path)
            .map(|bytes| bytes[..len.min(bytes.len())].to_vec())
    }

    /// Every entry that the build can see, by path.
    pub fn visible(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .filter(|(path, _)| !self.ignore.ignores(path))
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// Every entry, ignored ones too.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// The patterns that apply.
    #[must_use]
    pub fn ignore(&self) -> &Dockerignore {
        &self.ignore
    }

    /// Whether the snapshot is incomplete.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }
}
