//! A context without a disk, for tests and for texts that come from elsewhere.

use super::clean::inside;
use super::{Context, Dockerignore, Entry, Files};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Context {
    /// A context whose files are given as path and contents. A `.dockerignore` among them applies. A path that ends in
    /// `/` is an empty folder; contents that begin with `-> ` make a link to what follows.
    ///
    /// ```
    /// use docker_diet::context::Context;
    ///
    /// let context = Context::in_memory([
    ///     ("src/main.rs", "fn main() {}"),
    ///     ("notes.txt", ""),
    ///     ("cache/", ""),
    ///     ("latest", "-> src"),
    ///     (".dockerignore", "*.txt\n"),
    /// ]);
    /// assert!(context.has("src/main.rs") && context.is_folder("cache"));
    /// assert!(!context.has("notes.txt"));
    /// ```
    ///
    /// # Panics
    /// When the `.dockerignore` holds a pattern that Docker refuses.
    #[must_use]
    pub fn in_memory<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::in_memory_with(files.into_iter().map(|(path, contents)| {
            if let Some(folder) = path.strip_suffix('/') {
                (folder.to_owned(), Given::Folder { mode: 0o755 })
            } else if let Some(target) = contents.strip_prefix("-> ") {
                (path.to_owned(), Given::Link(target.to_owned()))
            } else {
                let contents = contents.as_bytes().to_vec();
                (
                    path.to_owned(),
                    Given::File {
                        contents,
                        mode: 0o644,
                    },
                )
            }
        }))
    }

    /// A context made of [`Given`] entries, for what [`Context::in_memory`] cannot say: bytes and modes.
    ///
    /// # Panics
    /// When the `.dockerignore` holds a pattern that Docker refuses.
    #[must_use]
    pub fn in_memory_with(given: impl IntoIterator<Item = (String, Given)>) -> Self {
        let mut entries = Vec::new();
        let mut contents_by_path = BTreeMap::new();
        for (path, given) in given {
            let Some(path) = inside(&path) else { continue };
            let entry = match given {
                Given::File { contents, mode } => {
                    let size = contents.len() as u64;
                    contents_by_path.insert(path.clone(), Arc::from(contents));
                    Entry::File { size, mode }
                }
                Given::Folder { mode } => Entry::Folder { mode },
                Given::Link(target) => Entry::Link(target),
            };
            entries.push((path, entry));
        }
        let files = Memory(contents_by_path);
        let ignore =
            files
                .read(".dockerignore", usize::MAX)
                .map_or_else(Dockerignore::default, |text| {
                    Dockerignore::parse(&text)
                        .expect("the .dockerignore given to a context in memory is valid")
                });
        Self::new(entries, Arc::new(files), ignore, false)
    }
}

/// An entry of a context in memory.
#[derive(Clone, Debug)]
pub enum Given {
    /// A regular file.
    File {
        /// All of its bytes.
        contents: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link and its target.
    Link(String),
}

#[derive(Debug)]
struct Memory(BTreeMap<String, Arc<[u8]>>);

impl Files for Memory {
    fn read(&self, path: &str, limit: usize) -> Option<Arc<[u8]>> {
        self.0
            .get(path)
            .filter(|bytes| bytes.len() <= limit)
            .cloned()
    }

    fn head(&self, path: &str, length: usize) -> Option<Arc<[u8]>> {
        let bytes = self.0.get(path)?;
        Some(Arc::from(&bytes[..bytes.len().min(length)]))
    }
}
