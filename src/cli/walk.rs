//! What lies in a build context: names first, folder by folder, then sizes and modes, on all processors.

use std::fs::{self, FileType};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use crate::context::{Descent, Dockerignore, Entry};

/// A walk stops after this many entries; what it found is then marked truncated.
const MOST_ENTRIES: usize = 200_000;
/// Deeper folders are listed and not entered.
const MOST_DEPTH: usize = 128;
/// With fewer entries, starting a thread takes longer than it saves.
const FEW_ENTRIES: usize = 1_000;

/// What a walk found.
pub(super) struct Found {
    /// Paths relative to the root; a folder comes before what it holds, names in the order of their bytes.
    pub(super) entries: Vec<(String, Entry)>,
    /// Whether something may exist that is not listed.
    pub(super) truncated: bool,
    /// Names that are not UTF-8, and not listed.
    pub(super) unreadable_names: usize,
}

/// Walks the folder `root`. Folders that are ignored for good are listed but not entered, and so is a `.git` folder.
///
/// # Errors
/// When `root` cannot be listed. Folders below it that cannot be count as empty, and as truncated.
pub(super) fn walk(root: &Path, ignore: &Dockerignore) -> io::Result<Found> {
    let mut names = Names {
        ignore,
        entries: Vec::new(),
        folders: Vec::new(),
        truncated: false,
        unreadable_names: 0,
    };
    names.list(root, "", 0, &Descent::default())?;
    let described = describe_all(root, &names);
    let paths = names.entries.into_iter().map(|(path, _)| path);
    let known = paths.zip(described);
    Ok(Found {
        entries: known
            .filter_map(|(path, entry)| Some((path, entry?)))
            .collect(),
        truncated: names.truncated,
        unreadable_names: names.unreadable_names,
    })
}

/// Paths and kinds, before sizes and modes are known.
struct Names<'a> {
    ignore: &'a Dockerignore,
    entries: Vec<(String, FileType)>,
    folders: Vec<Folder>,
    truncated: bool,
    unreadable_names: usize,
}

/// A folder that was listed.
struct Folder {
    /// From the root; empty for the root itself.
    path: String,
    /// Indices of its entries.
    children: Vec<usize>,
}

impl Names<'_> {
    fn list(
        &mut self,
        folder: &Path,
        path: &str,
        depth: usize,
        descent: &Descent,
    ) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // What disappears during the walk is not there; sockets and devices are not sent to a build.
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if !kind.is_dir() && !kind.is_file() && !kind.is_symlink() {
                continue;
            }
            match entry.file_name().into_string() {
                Ok(name) => found.push((name, kind)),
                Err(_) => self.unreadable_names += 1,
            }
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let own = self.folders.len();
        self.folders.push(Folder {
            path: path.to_owned(),
            children: Vec::with_capacity(found.len()),
        });
        for (name, kind) in found {
            if self.entries.len() >= MOST_ENTRIES {
                self.truncated = true;
                return Ok(());
            }
            let below = if path.is_empty() {
                name.clone()
            } else {
                [path, "/", &name].concat()
            };
            self.folders[own].children.push(self.entries.len());
            self.entries.push((below.clone(), kind));
            if !kind.is_dir() {
                continue;
            }
            let descent = self.ignore.descend(descent, &below);
            let closed = descent.ignored() && !self.ignore.may_take_back_below(&below);
            if depth >= MOST_DEPTH {
                self.truncated |= !closed;
            } else if !closed && name != ".git" {
                let listed = self.list(&folder.join(&name), &below, depth + 1, &descent);
                self.truncated |= listed.is_err();
            }
        }
        Ok(())
    }
}

/// Asks the disk for sizes and modes: that is most of what a walk costs. In the order of the entries.
fn describe_all(root: &Path, names: &Names<'_>) -> Vec<Option<Entry>> {
    let mut described = vec![None; names.entries.len()];
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if names.entries.len() < FEW_ENTRIES || processors == 1 {
        for folder in &names.folders {
            put(&mut described, describe(root, folder, &names.entries));
        }
        return described;
    }
    let part = |folders: &[Folder]| -> Vec<(usize, Option<Entry>)> {
        let entries = |folder| describe(root, folder, &names.entries);
        folders.iter().flat_map(entries).collect()
    };
    std::thread::scope(|scope| {
        let parts = parts(&names.folders, names.entries.len().div_ceil(processors));
        let workers: Vec<_> = parts
            .into_iter()
            .map(|folders| {
                let work = move || part(folders);
                (
                    folders,
                    std::thread::Builder::new().spawn_scoped(scope, work),
                )
            })
            .collect();
        for (folders, worker) in workers {
            match worker.map(|worker| worker.join()) {
                Ok(Ok(entries)) => put(&mut described, entries),
                // No thread to be had: this one does the work.
                _ => put(&mut described, part(folders)),
            }
        }
    });
    described
}

fn put(described: &mut [Option<Entry>], entries: impl IntoIterator<Item = (usize, Option<Entry>)>) {
    for (index, entry) in entries {
        described[index] = entry;
    }
}

/// Neighbouring folders together, each part with at least `size` entries but for the last.
fn parts(folders: &[Folder], size: usize) -> Vec<&[Folder]> {
    let mut parts = Vec::new();
    let (mut start, mut count) = (0, 0);
    for (index, folder) in folders.iter().enumerate() {
        count += folder.children.len();
        if count >= size {
            parts.push(&folders[start..=index]);
            (start, count) = (index + 1, 0);
        }
    }
    if start < folders.len() {
        parts.push(&folders[start..]);
    }
    parts
}

/// What stands in `folder`; none for what is gone, or something else by now.
#[cfg(unix)]
fn describe(
    root: &Path,
    folder: &Folder,
    entries: &[(String, FileType)],
) -> Vec<(usize, Option<Entry>)> {
    use rustix::fs::{AtFlags, FileType as Kind, Mode, OFlags, open, readlinkat, statat};
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Names are looked up from the open folder: by whole paths it takes twice the time.
    let Ok(open) = open(root.join(&folder.path), flags, Mode::empty()) else {
        return Vec::new();
    };
    let prefix = if folder.path.is_empty() {
        0
    } else {
        folder.path.len() + 1
    };
    let describe = |path: &str, kind: FileType| -> Option<Entry> {
        let name = &path[prefix..];
        if kind.is_symlink() {
            let target = readlinkat(&open, name, Vec::new()).ok()?;
            return Some(Entry::Link(target.to_string_lossy().into_owned()));
        }
        let found = statat(&open, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let mode = Mode::from_raw_mode(found.st_mode).bits() & 0o7777;
        match Kind::from_raw_mode(found.st_mode) {
            Kind::Directory if kind.is_dir() => Some(Entry::Folder { mode }),
            Kind::RegularFile if kind.is_file() => Some(Entry::File {
                size: u64::try_from(found.st_size).ok()?,
                mode,
            }),
            _ => None,
        }
    };
    let children = folder.children.iter();
    children
        .map(|&index| (index, describe(&entries[index].0, entries[index].1)))
        .collect()
}

/// What stands in `folder`; none for what is gone, or something else by now.
#[cfg(not(unix))]
fn describe(
    root: &Path,
    folder: &Folder,
    entries: &[(String, FileType)],
) -> Vec<(usize, Option<Entry>)> {
    let describe = |path: &str, kind: FileType| -> Option<Entry> {
        let path = root.join(path);
        if kind.is_symlink() {
            let target = fs::read_link(path).ok()?;
            return Some(Entry::Link(target.to_string_lossy().into_owned()));
        }
        let found = path.symlink_metadata().ok()?;
        if kind.is_dir() {
            return found.is_dir().then_some(Entry::Folder { mode: 0o755 });
        }
        found.is_file().then_some(Entry::File {
            size: found.len(),
            mode: 0o644,
        })
    };
    let children = folder.children.iter();
    children
        .map(|&index| (index, describe(&entries[index].0, entries[index].1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_tree_is_listed_whole_and_in_order() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["b", "b/c", "b-d", "a"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
            for number in 0..FEW_ENTRIES / 3 {
                let file = root.path().join(folder).join(format!("f{number}"));
                fs::write(file, vec![b'x'; number]).expect("a file");
            }
        }
        let found = walk(root.path(), &Dockerignore::default()).expect("it is readable");
        assert_eq!(found.entries.len(), 4 + 4 * (FEW_ENTRIES / 3));
        let folders: Vec<&str> = found
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::Folder { .. }))
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(folders, ["a", "b", "b/c", "b-d"]);
        for (path, entry) in &found.entries {
            let Some((_, number)) = path.rsplit_once("/f") else {
                continue;
            };
            let asked: u64 = number.parse().expect("a number");
            assert!(matches!(entry, Entry::File { size, .. } if *size == asked));
        }
    }
}
