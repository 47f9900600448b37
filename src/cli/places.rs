//! Where files stand: their repository, and how a patch names them.

use std::path::{Component, Path, PathBuf};

/// The nearest folder at or above `folder` that holds `.git`, absolute and without links.
pub(super) fn repository(folder: &Path) -> Option<PathBuf> {
    let absolute = folder.canonicalize().ok()?;
    absolute
        .ancestors()
        .find(|folder| folder.join(".git").exists())
        .map(Path::to_path_buf)
}

/// The path by which a patch names the files of `folder`: from the root of its repository, as `git diff` does; without
/// one from the current folder.
pub(super) fn in_patch(folder: &Path) -> PathBuf {
    let Ok(absolute) = folder.canonicalize() else {
        return plain(folder);
    };
    let current = || std::env::current_dir().and_then(|folder| folder.canonicalize());
    let root = repository(folder).or_else(|| current().ok());
    match root.and_then(|root| absolute.strip_prefix(root).map(Path::to_path_buf).ok()) {
        Some(inside) => inside,
        None => plain(&absolute),
    }
}

/// The path without a root and without `.`, so that nothing but names is left.
pub(super) fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_patch_names_files_from_the_root_of_the_repository() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("repo/.git")).expect("folders");
        fs::create_dir_all(folder.path().join("repo/a/b")).expect("folders");
        let path = folder.path().join("repo/a/./b/..");
        assert_eq!(in_patch(&path), Path::new("a"));
        assert_eq!(in_patch(&folder.path().join("repo")), Path::new(""));
        let alone = in_patch(folder.path());
        let name = folder.path().file_name().expect("it has a name");
        assert!(alone.is_relative() && alone.ends_with(name));
    }
}
