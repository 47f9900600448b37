//! The entries of a snapshot, sorted so that what a folder holds follows it directly.

use super::Entry;
use super::clean::inside;
use super::dockerignore::{Descent, Dockerignore};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// Paths and what stands there; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Tree(Arc<[(Box<str>, Entry)]>);

impl Tree {
    /// Sorts `entries`, drops those that lead outside and adds folders that are only implied.
    pub(super) fn new(entries: impl IntoIterator<Item = (String, Entry)>) -> Self {
        let mut sorted: Vec<(Box<str>, Entry)> = entries
            .into_iter()
            .filter_map(|(path, entry)| {
                let path = match is_clean(&path) {
                    true => path,
                    false => inside(&path)?,
                };
                (!path.is_empty()).then(|| (path.into_boxed_str(), entry))
            })
            .collect();
        // Stable, so that the first of two equal paths stays.
        sorted.sort_by(|one, other| compare(&one.0, &other.0));
        sorted.dedup_by(|later, earlier| later.0 == earlier.0);
        let implied = implied_folders(&sorted);
        if !implied.is_empty() {
            sorted.extend(implied);
            sorted.sort_by(|one, other| compare(&one.0, &other.0));
        }
        Self(sorted.into())
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.0.binary_search_by(|(own, _)| compare(own, path)).ok()
    }

    pub(super) fn path(&self, index: usize) -> &str {
        &self.0[index].0
    }

    pub(super) fn entry(&self, index: usize) -> &Entry {
        &self.0[index].1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_ref(), entry))
    }

    /// Where the entries strictly below `folder` lie; all of them for the empty path.
    pub(super) fn below(&self, folder: &str) -> Range<usize> {
        if folder.is_empty() {
            return 0..self.0.len();
        }
        let start = self
            .0
            .partition_point(|(path, _)| compare(path, folder) != Ordering::Greater);
        let length = self.0[start..].partition_point(|(path, _)| is_below(path, folder));
        start..start + length
    }

    /// Which entries a build is sent, judged on the way down as BuildKit's client does. A folder that is left out is
    /// sent after all when something below it is.
    pub(super) fn visible(&self, ignore: &Dockerignore) -> Box<[bool]> {
        let mut visible = vec![true; self.0.len()].into_boxed_slice();
        if ignore.is_empty() {
            return visible;
        }
        let root = Descent::default();
        let mut folders: Vec<(usize, Descent)> = Vec::new();
        for (index, (path, entry)) in self.0.iter().enumerate() {
            while folders
                .last()
                .is_some_and(|(folder, _)| !is_below(path, &self.0[*folder].0))
            {
                folders.pop();
            }
            let above = folders.last().map_or(&root, |(_, descent)| descent);
            let here = ignore.descend(above, path);
            visible[index] = !here.ignored();
            if visible[index] {
                for (folder, _) in folders.iter().rev() {
                    if std::mem::replace(&mut visible[*folder], true) {
                        break;
                    }
                }
            }
            if matches!(entry, Entry::Folder { .. }) {
                folders.push((index, here));
            }
        }
        visible
    }
}

/// Compares part by part: a slash sorts before every other byte.
fn compare(one: &str, other: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    let (one, other) = (one.as_bytes(), other.as_bytes());
    match one.iter().zip(other).position(|(a, b)| a != b) {
        Some(at) => key(one[at]).cmp(&key(other[at])),
        None => one.len().cmp(&other.len()),
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.as_bytes().get(folder.len()) == Some(&b'/') && path.starts_with(folder)
}

fn is_clean(path: &str) -> bool {
    // Most names begin with neither, and a search for parts takes longer than all the rest of it.
    let mut starts = true;
    let may_be_unclean = path.bytes().any(|byte| {
        let odd = starts && matches!(byte, b'.' | b'/');
        starts = byte == b'/';
        odd
    });
    !(may_be_unclean || starts) || path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn implied_folders(sorted: &[(Box<str>, Entry)]) -> Vec<(Box<str>, Entry)> {
    let mut implied: Vec<(Box<str>, Entry)> = Vec::new();
    let mut last_folder = "";
    for (path, _) in sorted {
        let Some(slash) = path.bytes().rposition(|byte| byte == b'/') else {
            continue;
        };
        let folder = &path[..slash];
        if folder == last_folder {
            continue;
        }
        last_folder = folder;
        let ends = folder.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([folder.len()]) {
            let above = &folder[..end];
            let known = sorted
                .binary_search_by(|(own, _)| compare(own, above))
                .is_ok()
                || implied
                    .binary_search_by(|(own, _)| compare(own, above))
                    .is_ok();
            if !known {
                implied.push((above.into(), Entry::Folder { mode: 0o755 }));
            }
        }
    }
    implied
}
