//! A build context read from disk.
//!
//! Nothing outside the folder is read: links are listed and not followed, and contents come from regular files only.

use super::walk::{Found, walk};
use crate::context::{Context, Dockerignore, Files, PatternError};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A `.dockerignore` larger than this is refused.
const LARGEST_IGNORE_FILE: usize = 4 << 20;

/// Why a build context cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The folder does not exist, is none, or cannot be listed.
    #[error("cannot read the build context {}: {source}", path.display())]
    Folder {
        /// The folder as it was given.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The ignore file is not a regular file inside the repository, too large, or cannot be read.
    #[error("cannot read {}; make it a regular file, or remove it", path.display())]
    IgnoreFile {
        /// The ignore file.
        path: PathBuf,
    },
    /// The ignore file holds a pattern with which the build fails.
    #[error("{}: {source}", path.display())]
    Pattern {
        /// The ignore file.
        path: PathBuf,
        /// The line and what is wrong with it.
        source: PatternError,
    },
}

/// Reads the build context `folder` as a build of `dockerfile` sees it. Folders that are ignored for good are listed but
/// not entered, and so is a `.git` folder.
///
/// # Errors
/// When the folder cannot be listed, or the ignore file cannot be read or is refused by Docker. Folders below that
/// cannot be listed count as empty and mark the snapshot as truncated.
pub fn snapshot(folder: &Path, dockerfile: &Path) -> Result<Context, SnapshotError> {
    let unreadable = |source| SnapshotError::Folder {
        path: folder.to_owned(),
        source,
    };
    let root = folder.canonicalize().map_err(unreadable)?;
    let ignore = match ignore_file(folder, dockerfile) {
        Some(path) => {
            let inside = inside(&root, &path);
            read_ignore_file(path)?.at(&inside)
        }
        None => Dockerignore::default(),
    };
    let Found {
        entries,
        truncated,
        unreadable_names,
    } = walk(&root, &ignore).map_err(unreadable)?;
    let files = Arc::new(Disk {
        root,
        folders: Mutex::default(),
    });
    Ok(Context::new(entries, files, ignore, truncated).with_unreadable_names(unreadable_names))
}

/// The path of the ignore file in the context `root`; the absolute one for a file that stands elsewhere.
fn inside(root: &Path, path: &Path) -> String {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default();
    let absolute = folder
        .canonicalize()
        .map_or_else(|_| path.to_owned(), |folder| folder.join(name));
    let inside = absolute.strip_prefix(root).unwrap_or(&absolute);
    inside.to_string_lossy().replace('\\', "/")
}

/// The ignore file that a build of `dockerfile` with the context `folder` obeys: `NAME.dockerignore` beside the
/// Dockerfile, else `.dockerignore` in the folder.
#[must_use]
pub fn ignore_file(folder: &Path, dockerfile: &Path) -> Option<PathBuf> {
    let own = dockerfile.file_name().map(|name| {
        let mut name = name.to_owned();
        name.push(".dockerignore");
        dockerfile.with_file_name(name)
    });
    own.into_iter()
        .chain([folder.join(".dockerignore")])
        .find(|path| path.symlink_metadata().is_ok())
}

fn read_ignore_file(path: PathBuf) -> Result<Dockerignore, SnapshotError> {
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let text = is_file
        .then(|| read_regular(&path, LARGEST_IGNORE_FILE))
        .flatten();
    let Some(text) = text else {
        return Err(SnapshotError::IgnoreFile { path });
    };
    Dockerignore::parse(&text).map_err(|source| SnapshotError::Pattern { path, source })
}

/// The contents of a folder on disk.
#[derive(Debug)]
struct Disk {
    /// Without links in it.
    root: PathBuf,
    /// Where folders really are, as far as they were asked for; none for those outside.
    folders: Mutex<HashMap<String, Option<Arc<Path>>>>,
}

impl Disk {
    /// Where the regular file at `path` really is; none when it is none, or outside.
    fn locate(&self, path: &str) -> Option<PathBuf> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let path = self.folder(folder)?.join(name);
        path.symlink_metadata().ok()?.is_file().then_some(path)
    }

    /// Where the folder at `path` really is; none when it is outside.
    fn folder(&self, path: &str) -> Option<Arc<Path>> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folders.get(path) {
            return known.clone();
        }
        let real = self.root.join(path).canonicalize().ok();
        let inside = real.filter(|real| real.starts_with(&self.root));
        let folder: Option<Arc<Path>> = inside.map(Arc::from);
        folders.insert(path.to_owned(), folder.clone());
        folder
    }
}

impl Files for Disk {
    fn read(&self, path: &str, limit: usize) -> Option<Arc<[u8]>> {
        read_regular(&self.locate(path)?, limit).map(Arc::from)
    }

    fn head(&self, path: &str, length: usize) -> Option<Arc<[u8]>> {
        let mut head = Vec::new();
        let file = File::open(self.locate(path)?).ok()?;
        file.take(length as u64).read_to_end(&mut head).ok()?;
        Some(Arc::from(head))
    }
}

/// The bytes of a regular file; none when there are more than `limit`.
fn read_regular(path: &Path, limit: usize) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > limit as u64 {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()? + 1);
    // The file may grow between the two calls.
    file.take(limit as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::context::Entry;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, contents) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
            fs::write(path, contents).expect("a file");
        }
        folder
    }

    #[test]
    fn ignored_folders_are_known_and_not_entered() {
        let folder = tree(&[
            (".dockerignore", "node_modules\ndocs\n!docs/a\n"),
            ("node_modules/x/index.js", ""),
            ("docs/a", "1"),
            ("docs/b", "2"),
            (".git/HEAD", ""),
            ("src/main.rs", "fn main() {}"),
        ]);
        let context =
            snapshot(folder.path(), &folder.path().join("Dockerfile")).expect("it is readable");
        assert!(context.exists("node_modules") && !context.has("node_modules"));
        assert!(!context.exists("node_modules/x"));
        assert!(context.has("docs/a") && !context.has("docs/b"));
        assert!(context.is_folder(".git") && !context.exists(".git/HEAD"));
        assert_eq!(
            context.read_str("src/main.rs").as_deref(),
            Some("fn main() {}")
        );
        assert_eq!(
            context.read_head("src/main.rs", 2).as_deref(),
            Some(&b"fn"[..])
        );
        assert!(!context.truncated());
    }

    #[test]
    fn the_dockerfiles_own_ignore_file_replaces_the_folders() {
        let folder = tree(&[
            (".dockerignore", "a"),
            ("docker/api.Dockerfile.dockerignore", "b"),
            ("a", ""),
            ("b", ""),
        ]);
        let dockerfile = folder.path().join("docker/api.Dockerfile");
        let context = snapshot(folder.path(), &dockerfile).expect("it is readable");
        assert!(context.has("a") && !context.has("b"));
    }

    #[test]
    fn refusals() {
        let folder = tree(&[(".dockerignore", "a\n[\n")]);
        let refused = snapshot(folder.path(), Path::new("Dockerfile")).expect_err("a bad pattern");
        assert!(matches!(&refused, SnapshotError::Pattern { source, .. } if source.line == 2));
        let absent = snapshot(&folder.path().join("no"), Path::new("Dockerfile"));
        assert!(matches!(absent, Err(SnapshotError::Folder { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_listed_and_nothing_outside_is_read() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::fs::symlink;
        let outside = tree(&[("secret/key", "s")]);
        let folder = tree(&[("a", "1")]);
        let target = outside.path().join("secret");
        symlink(&target, folder.path().join("out")).expect("a link");
        symlink("a", folder.path().join("in")).expect("a link");
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff")), "").expect("a file");
        let context = snapshot(folder.path(), Path::new("Dockerfile")).expect("it is readable");
        let expected = Entry::Link(target.to_string_lossy().into_owned());
        assert_eq!(context.entry("out"), Some(&expected));
        assert_eq!(context.read("out/key"), None);
        assert_eq!(context.read("in"), None);
        assert_eq!(context.read("../a"), None);
        assert_eq!(context.unreadable_names(), 1);
    }
}
