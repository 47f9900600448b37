//! The build context (floor 2): which files a build can read.
//!
//! A [`Context`] is a snapshot: paths, kinds and sizes, and the contents of files on request through a
//! [`Files`] that the caller brings. Nothing here touches a disk.

mod clean;
mod dockerignore;
mod glob;
mod magic;
mod memory;
mod tree;

pub use dockerignore::{Descent, Dockerignore, Extension, Line, PatternError};
pub use magic::Magic;
pub use memory::Given;

use clean::inside;
use glob::Glob;
use std::sync::{Arc, OnceLock};
use tree::Tree;

/// Where a context's contents come from: a folder on disk, a map in memory.
pub trait Files: Send + Sync + std::fmt::Debug {
    /// The bytes of the file at `path` (relative, parts joined by `/`), at most `limit` of them; none when
    /// it is not a regular file inside the context, cannot be read, or is larger.
    fn read(&self, path: &str, limit: usize) -> Option<Arc<[u8]>>;

    /// The first bytes of the file at `path`, at most `length`; none when it is not a regular file inside the context
    /// or cannot be read.
    fn head(&self, path: &str, length: usize) -> Option<Arc<[u8]>>;
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
///
/// Paths are relative to the root and joined by `/`; queries accept `./a`, `/a` and `a/` too, and answer "nothing" for
/// what leads outside. The root itself is the empty path and always there.
#[derive(Clone, Debug)]
pub struct Context {
    tree: Tree,
    files: Arc<dyn Files>,
    ignore: Dockerignore,
    /// Whether the walk stopped at its bound: what is not listed may still exist.
    truncated: bool,
    unreadable_names: usize,
    visible: OnceLock<Box<[bool]>>,
}

impl Context {
    /// A snapshot of `entries`, whose contents `files` gives, with the patterns that apply to this Dockerfile. Folders
    /// that are only implied by what they hold are added; entries that lead outside are dropped.
    #[must_use]
    pub fn new(
        entries: impl IntoIterator<Item = (String, Entry)>,
        files: Arc<dyn Files>,
        ignore: Dockerignore,
        truncated: bool,
    ) -> Self {
        Self {
            tree: Tree::new(entries),
            files,
            ignore,
            truncated,
            unreadable_names: 0,
            visible: OnceLock::new(),
        }
    }

    /// The same snapshot, from which `count` names are missing because they are not UTF-8.
    #[must_use]
    pub fn with_unreadable_names(mut self, count: usize) -> Self {
        self.unreadable_names = count;
        self
    }

    /// The entry at `path`, if the build can see it (not ignored).
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let index = self.tree.find(&inside(path)?)?;
        self.is_visible(index).then(|| self.tree.entry(index))
    }

    /// Whether a file, folder or link that the build can see stands at `path`.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        inside(path).is_some_and(|path| path.is_empty()) || self.entry(path).is_some()
    }

    /// Whether a folder that the build can see stands at `path`.
    #[must_use]
    pub fn is_folder(&self, path: &str) -> bool {
        inside(path).is_some_and(|path| path.is_empty())
            || matches!(self.entry(path), Some(Entry::Folder { .. }))
    }

    /// Whether anything stands at `path`, ignored or not.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        inside(path).is_some_and(|path| path.is_empty() || self.tree.find(&path).is_some())
    }

    /// What the build can see directly in `folder`, by name.
    pub fn children(&self, folder: &str) -> impl Iterator<Item = (&str, &Entry)> {
        let mut rest = inside(folder).map_or(0..0, |folder| self.tree.below(&folder));
        std::iter::from_fn(move || {
            let index = rest.next()?;
            if matches!(self.tree.entry(index), Entry::Folder { .. }) {
                rest.start = self.tree.below(self.tree.path(index)).end;
            }
            Some(index)
        })
        .filter(|index| self.is_visible(*index))
        .map(|index| (self.tree.path(index), self.tree.entry(index)))
    }

    /// Every file and link that the build can see anywhere below `folder`.
    pub fn under(&self, folder: &str) -> impl Iterator<Item = (&str, &Entry)> {
        self.below(inside(folder))
            .filter(|(_, entry)| !matches!(entry, Entry::Folder { .. }))
    }

    /// What `pattern` names among all that the build can see, as Go's `filepath.Match` has it: neither `*` nor `?`
    /// passes a slash. Nothing for a pattern that Go refuses.
    #[must_use]
    pub fn glob(&self, pattern: &str) -> Vec<&str> {
        let Some(glob) = inside(pattern).and_then(|pattern| Glob::new(&pattern).ok()) else {
            return Vec::new();
        };
        self.visible()
            .filter(|(path, _)| glob.matches(path))
            .map(|(path, _)| path)
            .collect()
    }

    /// The entries that a COPY source names: one for a plain path, any number for a glob; the root is the empty path.
    /// Empty when the build would find nothing, and when the way leads through a link.
    #[must_use]
    pub fn sources(&self, source: &str) -> Vec<&str> {
        // BuildKit roots a source in the context: a `..` stops there.
        let cleaned = clean::clean(format!("/{source}").as_bytes());
        let Ok(source) = std::str::from_utf8(&cleaned[1..]) else {
            return Vec::new();
        };
        if source.is_empty() {
            return vec![""];
        }
        let Some(first) = source.split('/').position(glob::is_glob) else {
            let found = self
                .tree
                .find(source)
                .filter(|index| self.is_visible(*index));
            return found
                .map(|index| self.tree.path(index))
                .into_iter()
                .collect();
        };
        let parts: Vec<&str> = source.split('/').collect();
        let (folder, rest) = (parts[..first].join("/"), parts[first..].join("/"));
        let Ok(glob) = Glob::new(&rest) else {
            return Vec::new();
        };
        let depth = if folder.is_empty() {
            0
        } else {
            folder.len() + 1
        };
        self.below(Some(folder))
            .map(|(path, _)| path)
            .filter(|path| glob.matches(&path[depth..]))
            .collect()
    }

    /// The files and links that a COPY source brings in: folders stand for all that the build can see in them, `.` for
    /// everything.
    #[must_use]
    pub fn resolve_copy(&self, source: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for path in self.sources(source) {
            match self.entry(path) {
                Some(Entry::File { .. } | Entry::Link(_)) => found.push(path),
                _ => found.extend(self.under(path).map(|(path, _)| path)),
            }
        }
        found
    }

    /// The contents of the file at `path`, up to 4 MiB, ignored or not.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        self.files.read(&inside(path)?, 4 << 20)
    }

    /// The contents of the file at `path` as text, up to 4 MiB, ignored or not; none when it is not UTF-8.
    #[must_use]
    pub fn read_str(&self, path: &str) -> Option<String> {
        let bytes = self.read(path)?;
        let text = std::str::from_utf8(&bytes).ok()?;
        Some(text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned())
    }

    /// The first bytes of the file at `path`, at most `length`, ignored or not.
    #[must_use]
    pub fn read_head(&self, path: &str, length: usize) -> Option<Arc<[u8]>> {
        self.files.head(&inside(path)?, length)
    }

    /// What the first bytes of the file at `path` say it is.
    #[must_use]
    pub fn magic(&self, path: &str) -> Option<Magic> {
        Some(Magic::of(&self.read_head(path, 512)?))
    }

    /// Every entry that the build can see; a folder comes before what it holds.
    pub fn visible(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.below(Some(String::new()))
    }

    /// Every entry, ignored ones too.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.tree.iter()
    }

    /// How many files the build is sent, and how many bytes.
    #[must_use]
    pub fn size_visible(&self) -> (usize, u64) {
        self.size_of(self.visibility())
    }

    /// What [`Context::size_visible`] would be with `ignore` in place of the patterns that apply.
    #[must_use]
    pub fn size_with(&self, ignore: &Dockerignore) -> (usize, u64) {
        self.size_of(&self.tree.visible(ignore))
    }

    /// The files and links that the build sees now and would not see with `ignore` in place of the patterns that apply.
    #[must_use]
    pub fn lost_with(&self, ignore: &Dockerignore) -> Vec<&str> {
        let after = self.tree.visible(ignore);
        self.tree
            .iter()
            .enumerate()
            .filter(|(index, (_, entry))| {
                self.is_visible(*index) && !after[*index] && !matches!(entry, Entry::Folder { .. })
            })
            .map(|(_, (path, _))| path)
            .collect()
    }

    /// The same snapshot as if there were no `.dockerignore`. What stands below folders that the walk skipped because
    /// they were ignored stays unknown.
    #[must_use]
    pub fn without_ignore(&self) -> Self {
        self.with_ignore(Dockerignore::default())
    }

    /// The same snapshot with `ignore` in place of the patterns that apply.
    #[must_use]
    pub fn with_ignore(&self, ignore: Dockerignore) -> Self {
        Self {
            ignore,
            visible: OnceLock::new(),
            ..self.clone()
        }
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

    /// How many names are missing because they are not UTF-8.
    #[must_use]
    pub fn unreadable_names(&self) -> usize {
        self.unreadable_names
    }

    fn visibility(&self) -> &[bool] {
        self.visible.get_or_init(|| self.tree.visible(&self.ignore))
    }

    fn is_visible(&self, index: usize) -> bool {
        self.visibility()[index]
    }

    fn below(&self, folder: Option<String>) -> impl Iterator<Item = (&str, &Entry)> {
        folder
            .map_or(0..0, |folder| self.tree.below(&folder))
            .filter(|index| self.is_visible(*index))
            .map(|index| (self.tree.path(index), self.tree.entry(index)))
    }

    fn size_of(&self, visible: &[bool]) -> (usize, u64) {
        let files = self
            .tree
            .iter()
            .zip(visible)
            .filter(|(_, visible)| **visible);
        files.fold((0, 0), |(count, bytes), ((_, entry), _)| match entry {
            Entry::File { size, .. } => (count + 1, bytes + size),
            Entry::Folder { .. } | Entry::Link(_) => (count, bytes),
        })
    }
}

#[cfg(test)]
mod tests;
