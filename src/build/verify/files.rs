//! Which files came, went and changed, caches left out.

use std::collections::BTreeMap;

use super::super::contents::{Contents, Kind, Node, Tree};

/// Places whose files serve speed, or those who read documentation, and nothing that runs.
const CACHES: [&str; 13] = [
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log",
    "var/tmp",
    "tmp",
    "root/.cache",
    "root/.npm",
    "root/.m2",
    "root/.cargo",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
];
/// So many files are named of each kind.
const MOST: usize = 200;

/// How the files of two images differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChanges {
    /// Files of the rewrite that the original does not have.
    pub added: Changed,
    /// Files of the original that the rewrite does not have.
    pub removed: Changed,
    /// Files whose bytes, kind, owner or permissions differ.
    pub changed: Changed,
}

/// Files of one kind of change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many there are.
    pub count: usize,
    /// Their bytes.
    pub size: u64,
    /// Those below the working directory first, then the largest: absolute paths and bytes, 200 at most.
    pub files: Vec<(String, u64)>,
    /// By the first two folders, the heaviest first: path, files, bytes.
    pub folders: Vec<(String, usize, u64)>,
}

/// Compares all files of the two images.
pub(super) fn compare(before: &Contents, after: &Contents) -> FileChanges {
    let (old, new) = (&before.tree, &after.tree);
    let application = before.config.working_dir.trim_matches('/');
    let gather = |mut found: Vec<(&str, u64)>| {
        let mut folders: BTreeMap<String, (usize, u64)> = BTreeMap::new();
        for (path, size) in &found {
            let row = folders.entry(folder(path)).or_default();
            row.0 += 1;
            row.1 += size;
        }
        let mut folders: Vec<(String, usize, u64)> = folders
            .into_iter()
            .map(|(folder, (count, size))| (folder, count, size))
            .collect();
        folders.sort_by_key(|(_, count, size)| std::cmp::Reverse((*size, *count)));
        let is_application = |path: &str| !application.is_empty() && path.starts_with(application);
        found.sort_by_key(|(path, size)| (!is_application(path), std::cmp::Reverse(*size)));
        Changed {
            count: found.len(),
            size: found.iter().map(|(_, size)| size).sum(),
            files: found
                .iter()
                .take(MOST)
                .map(|(path, size)| (format!("/{path}"), *size))
                .collect(),
            folders,
        }
    };
    FileChanges {
        added: gather(only(new, old).collect()),
        removed: gather(only(old, new).collect()),
        changed: gather(
            files(new)
                .filter_map(|(path, node)| {
                    let was = old.get(path)?;
                    (was.kind != Kind::Folder && differs(was, node)).then(|| (path, size(node)))
                })
                .collect(),
        ),
    }
}

fn only<'t>(tree: &'t Tree, other: &'t Tree) -> impl Iterator<Item = (&'t str, u64)> {
    files(tree)
        .filter(|(path, _)| other.get(path).is_none())
        .map(|(path, node)| (path, size(node)))
}

/// Everything but folders and caches.
fn files(tree: &Tree) -> impl Iterator<Item = (&str, &Node)> {
    tree.all()
        .filter(|(path, node)| node.kind != Kind::Folder && !is_cache(path))
}

fn is_cache(path: &str) -> bool {
    let below = |folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    CACHES.iter().any(|folder| below(folder))
        || path.ends_with(".pyc")
        || path.contains("/__pycache__/")
}

fn differs(was: &Node, is: &Node) -> bool {
    (was.mode, was.user, was.group) != (is.mode, is.user, is.group)
        || match (&was.kind, &is.kind) {
            (Kind::File { hash: was, .. }, Kind::File { hash: is, .. }) => was != is,
            (was, is) => was != is,
        }
}

fn size(node: &Node) -> u64 {
    match node.kind {
        Kind::File { size, .. } => size,
        _ => 0,
    }
}

/// The first two folders of a path.
fn folder(path: &str) -> String {
    let mut parts = path.split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    match (second, parts.next()) {
        (Some(second), Some(_)) => format!("/{first}/{second}"),
        (Some(_), None) => format!("/{first}"),
        _ => "/".to_owned(),
    }
}
