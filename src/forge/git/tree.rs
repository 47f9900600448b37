//! The files of a commit: listed, weighed, written into the work tree, changed in a new tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::program::Git;
use super::{GitError, Limits};

/// Larger files are written empty, at their length: nobody reads them, and only their size counts.
const LARGEST: u64 = 20 << 20;

/// Nothing in the tree decides how bytes are written: no filter, no line endings, no encodings, no keywords.
const RAW: &str = "* -text -eol -crlf -ident -filter -working-tree-encoding -merge -diff\n";

/// One file before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path from the root of the repository, with `/`.
    pub path: String,
    /// Its bytes now; none when it is made.
    pub before: Option<Vec<u8>>,
    /// Its bytes afterwards.
    pub after: Vec<u8>,
}

/// What a path of the commit is.
struct Entry {
    mode: Mode,
    object: String,
    size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Executable,
    Link,
    Submodule,
}

/// The files of a commit, by path.
pub(super) struct Entries {
    /// Paths need not be UTF-8.
    by_path: BTreeMap<Vec<u8>, Entry>,
}

/// Takes the power from the `.gitattributes` files of the tree: this file stands above them.
pub(super) fn raw_attributes(folder: &Path) -> Result<(), GitError> {
    let info = folder.join(".git").join("info");
    let file = info.join("attributes");
    fs::create_dir_all(&info)
        .and_then(|()| fs::write(&file, RAW))
        .map_err(|cause| io(&file, &cause))
}

impl Entries {
    /// Lists `commit`, and refuses one that is too large.
    pub(super) fn list(folder: &Path, commit: &str, limits: &Limits) -> Result<Self, GitError> {
        let output = Git::new(folder, "ls-tree", limits)
            .args(["-r", "-l", "-z", "--full-tree", "--end-of-options", commit])
            .run()?;
        let mut by_path = BTreeMap::new();
        let mut bytes = 0_u64;
        for line in output.split(|byte| *byte == 0).filter(|it| !it.is_empty()) {
            let Some((path, entry)) = entry(line) else {
                continue;
            };
            if entry.size <= LARGEST {
                bytes = bytes.saturating_add(entry.size);
            }
            by_path.insert(path, entry);
            if by_path.len() > limits.files {
                return Err(GitError::TooLarge {
                    what: format!("its newest commit has more than {} files", limits.files),
                });
            }
            if bytes > limits.written {
                return Err(GitError::TooLarge {
                    what: format!(
                        "the files of its newest commit are larger than {} MB",
                        limits.written >> 20
                    ),
                });
            }
        }
        Ok(Self { by_path })
    }

    /// Writes the files of `commit` into the work tree: plain files as they are, large ones empty at their length, links
    /// last and only where they stay inside. A submodule is not there.
    pub(super) fn write(
        &self,
        folder: &Path,
        commit: &str,
        limits: &Limits,
    ) -> Result<(), GitError> {
        let mut small = Vec::new();
        let (mut large, mut links) = (Vec::new(), Vec::new());
        for (path, entry) in &self.by_path {
            match entry.mode {
                Mode::Plain | Mode::Executable if entry.size <= LARGEST => {
                    small.extend_from_slice(path);
                    small.push(0);
                }
                Mode::Plain | Mode::Executable => large.push((path, entry)),
                Mode::Link => links.push((path, entry)),
                Mode::Submodule => {}
            }
        }
        // Reading the tree into the index is where git checks every name.
        Git::new(folder, "read-tree", limits).arg(commit).run()?;
        Git::new(folder, "checkout-index", limits)
            .args(["--force", "--quiet", "-z", "--stdin"])
            .input(small)
            .run()?;
        for (path, entry) in large {
            if let Some(place) = inside(folder, path) {
                place_large(&place, entry.size).map_err(|cause| io(&place, &cause))?;
            }
        }
        let targets = blobs(folder, links.iter().map(|(_, entry)| *entry), limits)?;
        for ((path, _), target) in links.iter().zip(targets) {
            if let Some(place) = inside(folder, path) {
                place_link(&place, path, &target).map_err(|cause| io(&place, &cause))?;
            }
        }
        Ok(())
    }

    /// Makes a tree of `commit` with `files` in it, and gives its name.
    ///
    /// # Errors
    /// When a file is no plain file of the commit, or is not what it was there.
    pub(super) fn change(
        &self,
        folder: &Path,
        commit: &str,
        files: &[FileChange],
        limits: &Limits,
    ) -> Result<String, GitError> {
        let git = |subcommand| {
            // Beside the index of the work tree, which other proposals start from too.
            Git::new(folder, subcommand, limits)
                .env("GIT_INDEX_FILE", folder.join(".git").join("index.proposal"))
        };
        git("read-tree").arg(commit).run()?;
        let mut lines = Vec::new();
        for file in files {
            let known = self.by_path.get(file.path.as_bytes());
            let mode = match (known.map(|entry| entry.mode), &file.before) {
                (Some(Mode::Plain), Some(_)) | (None, None) => "100644",
                (Some(Mode::Executable), Some(_)) => "100755",
                _ => return Err(GitError::NoFile(file.path.clone())),
            };
            let object = Git::new(folder, "hash-object", limits)
                .args(["-w", "--no-filters", "-t", "blob", "--stdin"])
                .input(file.after.clone())
                .line()?;
            lines.extend_from_slice(format!("{mode} {object} 0\t{}\0", file.path).as_bytes());
        }
        git("update-index")
            .args(["-z", "--index-info"])
            .input(lines)
            .run()?;
        git("write-tree").line()
    }
}

/// `MODE TYPE OBJECT SIZE<tab>PATH`; none for what is neither a file, a link nor a submodule.
fn entry(line: &[u8]) -> Option<(Vec<u8>, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (fields, path) = (std::str::from_utf8(&line[..tab]).ok()?, &line[tab + 1..]);
    let mut fields = fields.split_ascii_whitespace();
    let mode = match fields.next()? {
        "100644" | "100664" => Mode::Plain,
        "100755" => Mode::Executable,
        "120000" => Mode::Link,
        "160000" => Mode::Submodule,
        _ => return None,
    };
    let object = fields.nth(1)?.to_owned();
    let size = fields.next()?.parse().unwrap_or(0);
    Some((path.to_vec(), Entry { mode, object, size }))
}

/// The contents of `entries`, in their order; empty where one is longer than a path can be.
fn blobs<'a>(
    folder: &Path,
    entries: impl Iterator<Item = &'a Entry> + Clone,
    limits: &Limits,
) -> Result<Vec<Vec<u8>>, GitError> {
    let short = |entry: &Entry| entry.size <= 4096;
    let wanted: String = entries
        .clone()
        .filter(|entry| short(entry))
        .map(|entry| format!("{}\n", entry.object))
        .collect();
    if wanted.is_empty() {
        return Ok(entries.map(|_| Vec::new()).collect());
    }
    let output = Git::new(folder, "cat-file", limits)
        .arg("--batch")
        .input(wanted.into_bytes())
        .run()?;
    let mut rest = output.as_slice();
    let mut next = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let header = std::str::from_utf8(&rest[..end]).ok()?;
        let length: usize = header.rsplit(' ').next()?.parse().ok()?;
        let blob = rest.get(end + 1..end + 1 + length)?.to_vec();
        rest = rest.get(end + 2 + length..).unwrap_or_default();
        Some(blob)
    };
    let blob = |entry: &Entry| match short(entry) {
        true => next().unwrap_or_default(),
        false => Vec::new(),
    };
    Ok(entries.map(blob).collect())
}

/// The place of `path` in `folder`; none for a name that could lie elsewhere.
fn inside(folder: &Path, path: &[u8]) -> Option<PathBuf> {
    let path = path_of(path)?;
    let fine = path.components().all(|part| match part {
        Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
        _ => false,
    });
    fine.then(|| folder.join(path))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<&Path> {
    use std::os::unix::ffi::OsStrExt;
    Some(Path::new(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}

/// A file of this length without blocks on the disk.
fn place_large(place: &Path, length: u64) -> std::io::Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create_new(place)?.set_len(length)
}

/// The link, where it stays inside the work tree; else a file that holds its target, as git writes it without links.
fn place_link(place: &Path, path: &[u8], target: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    let depth = path.iter().filter(|byte| **byte == b'/').count();
    match path_of(target) {
        Some(target) if stays_inside(target, depth) && link(target, place).is_ok() => Ok(()),
        _ => std::io::Write::write_all(&mut fs::File::create_new(place)?, target),
    }
}

/// Whether a link `depth` folders below the root leads to a place below the root: it goes up no further than that, and
/// never up again after it went down, where another link could stand.
fn stays_inside(target: &Path, depth: usize) -> bool {
    let (mut up, mut down) = (0, false);
    for part in target.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if !down && up < depth => up += 1,
            Component::Normal(name) if !name.eq_ignore_ascii_case(".git") => down = true,
            _ => return false,
        }
    }
    down
}

#[cfg(unix)]
fn link(target: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

#[cfg(not(unix))]
fn link(_target: &Path, _place: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn io(path: &Path, cause: &std::io::Error) -> GitError {
    GitError::Io {
        path: path.display().to_string(),
        message: cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_could_leave_are_no_links() {
        for (target, depth, fine) in [
            ("real", 0, true),
            ("./a/b", 0, true),
            ("../a", 1, true),
            ("../../a", 2, true),
            ("../a", 0, false),
            ("../../a", 1, false),
            ("a/../../b", 1, false),
            ("a/..", 1, false),
            ("/etc/passwd", 3, false),
            (".git/config", 0, false),
            ("../.GIT/config", 1, false),
            ("..", 1, false),
            ("", 1, false),
        ] {
            assert_eq!(stays_inside(Path::new(target), depth), fine, "{target}");
        }
    }

    #[test]
    fn names_that_could_lie_elsewhere_have_no_place() {
        let folder = Path::new("/work");
        assert_eq!(inside(folder, b"a/b"), Some(PathBuf::from("/work/a/b")));
        for path in [
            &b"../a"[..],
            b"/etc/x",
            b"a/../../x",
            b".git/config",
            b"a/.Git/x",
        ] {
            assert_eq!(inside(folder, path), None, "{path:?}");
        }
    }

    #[test]
    fn lines_of_a_listing() {
        let read = |line: &[u8]| entry(line).map(|(path, it)| (path, it.object, it.size));
        let object = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        let line = format!("100644 blob {object}    1234\ta b");
        assert_eq!(
            read(line.as_bytes()),
            Some((b"a b".to_vec(), object.to_owned(), 1234))
        );
        let line = format!("160000 commit {object}       -\tmodule");
        assert_eq!(read(line.as_bytes()).map(|it| it.2), Some(0));
        assert_eq!(read(b"040000 tree x -\tfolder"), None);
        assert_eq!(read(b"nonsense"), None);
    }
}
