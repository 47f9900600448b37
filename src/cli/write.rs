//! Files are read within bounds and replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Larger files are no Dockerfiles: BuildKit's own bound is lower still.
const LARGEST: u64 = 16_000_000;

/// Why a Dockerfile cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("does not exist")]
    Missing,
    #[error("is a folder, not a Dockerfile")]
    Folder,
    #[error("is not a regular file")]
    Special,
    #[error("is larger than 16 MB; no Dockerfile is, so it is left alone")]
    TooLarge,
    #[error("is UTF-16 text, and BuildKit reads UTF-8; save it as UTF-8")]
    Utf16,
    #[error("is not a text file: line {line} holds a NUL byte")]
    Binary { line: usize },
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl ReadError {
    /// Whether the file is merely no Dockerfile: one that a walk came across is skipped then.
    pub(super) fn is_no_dockerfile(&self) -> bool {
        matches!(
            self,
            ReadError::Folder
                | ReadError::Special
                | ReadError::TooLarge
                | ReadError::Utf16
                | ReadError::Binary { .. }
        )
    }
}

/// Why a file was not written. The original is there, whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(
        "is a symbolic link to {target}, outside the repository {repository}; fix that file by its own path"
    )]
    OutsideRepository { target: String, repository: String },
    #[error("is read-only; make it writable first")]
    ReadOnly,
    #[error("was changed by someone else in the meantime; run again")]
    Changed,
    #[error("cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Reads the Dockerfile at `path`: at most 16 MB of text.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(error),
    };
    // Not opened before its kind is known: a named pipe would block for ever.
    let metadata = fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(ReadError::Folder);
    }
    if !metadata.is_file() {
        return Err(ReadError::Special);
    }
    if metadata.len() > LARGEST {
        return Err(ReadError::TooLarge);
    }
    let file = File::open(path).map_err(io)?;
    read_text(file, metadata.len())
}

/// Reads a Dockerfile from a stream of about `expected` bytes.
pub(super) fn read_text(stream: impl Read, expected: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes =
        Vec::with_capacity(usize::try_from(expected.min(LARGEST)).unwrap_or_default() + 1);
    stream
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::TooLarge);
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ReadError::Utf16);
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        // Every other byte of plain English in UTF-16 is zero.
        let zeros = bytes.iter().take(64).filter(|byte| **byte == 0).count();
        let utf16 = bytes.len() >= 4 && zeros * 2 + 1 >= bytes.len().min(64);
        return Err(if utf16 {
            ReadError::Utf16
        } else {
            ReadError::Binary { line }
        });
    }
    Ok(bytes)
}

/// Replaces the file at `path`, which held `before` when it was read, by `after`; creates it where `before` is none.
///
/// The new bytes are written beside the file, flushed to the disk, and take its name in one step, with its
/// permissions and where possible its owner. A symbolic link is followed inside `repository` only.
pub(super) fn replace(
    path: &Path,
    before: Option<&[u8]>,
    after: &[u8],
    repository: &Path,
) -> Result<(), WriteError> {
    let Some(before) = before else {
        return create(path, after);
    };
    let target = resolve(path, repository)?;
    let metadata = fs::metadata(&target)?;
    if metadata.permissions().readonly() {
        return Err(WriteError::ReadOnly);
    }
    if fs::read(&target)? != before {
        return Err(WriteError::Changed);
    }
    let mut file = beside(&target)?;
    file.write_all(after)?;
    keep_owner(file.as_file(), &metadata)?;
    // After the owner: changing that clears the set-user-id bits.
    file.as_file().set_permissions(metadata.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    sync_folder(&target);
    Ok(())
}

fn create(path: &Path, after: &[u8]) -> Result<(), WriteError> {
    let mut file = beside(path)?;
    file.write_all(after)?;
    usual_mode(file.as_file())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(path);
            Ok(())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(WriteError::Changed)
        }
        Err(error) => Err(error.error.into()),
    }
}

/// The file that `path` stands for.
fn resolve(path: &Path, repository: &Path) -> Result<PathBuf, WriteError> {
    if !fs::symlink_metadata(path)?.is_symlink() {
        return Ok(path.to_path_buf());
    }
    let target = path.canonicalize()?;
    let repository = repository.canonicalize()?;
    if target.starts_with(&repository) {
        Ok(target)
    } else {
        Err(WriteError::OutsideRepository {
            target: target.display().to_string(),
            repository: repository.display().to_string(),
        })
    }
}

fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".docker-diet-")
        .tempfile_in(folder)
        // The error names the temporary file, of which the user knows nothing.
        .map_err(|error| io::Error::from(error.kind()))
}

/// Makes the rename itself last. A file system that cannot do it has done what it can.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
    }
}

/// Keeps owner and group where the process may; a file that cannot keep its owner is its writer's, as with any editor.
#[cfg(unix)]
fn keep_owner(file: &File, original: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (original.uid(), original.gid()) {
        match fchown(file, Some(original.uid()), Some(original.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _original: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// A temporary file is private; a new `.dockerignore` is not.
#[cfg(unix)]
fn usual_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn usual_mode(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = folder();
        let path = folder.path().join("Dockerfile");
        fs::write(&path, b"FROM a\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
        replace(&path, Some(b"FROM a\n"), b"FROM b\n", folder.path()).expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"FROM b\n");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o7777,
            0o640
        );
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left() {
        let folder = folder();
        let path = folder.path().join("Dockerfile");
        fs::write(&path, b"FROM c\n").expect("written");
        let error =
            replace(&path, Some(b"FROM a\n"), b"FROM b\n", folder.path()).expect_err("changed");
        assert!(matches!(error, WriteError::Changed), "{error}");
        let error = replace(&path, None, b"FROM b\n", folder.path()).expect_err("exists");
        assert!(matches!(error, WriteError::Changed), "{error}");
        assert_eq!(fs::read(&path).expect("read"), b"FROM c\n");
    }

    #[test]
    fn a_link_is_followed_inside_the_repository_only() {
        let (inside, outside) = (folder(), folder());
        let link = inside.path().join("Dockerfile");
        for (root, fine) in [(inside.path(), true), (outside.path(), false)] {
            let target = root.join("real");
            fs::write(&target, b"FROM a\n").expect("written");
            let _ = fs::remove_file(&link);
            symlink(&target, &link).expect("linked");
            let result = replace(&link, Some(b"FROM a\n"), b"FROM b\n", inside.path());
            assert_eq!(result.is_ok(), fine);
            let now: &[u8] = if fine { b"FROM b\n" } else { b"FROM a\n" };
            assert_eq!(fs::read(&target).expect("read"), now);
            assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        }
    }

    #[test]
    fn a_read_only_file_is_left() {
        let folder = folder();
        let path = folder.path().join("Dockerfile");
        fs::write(&path, b"FROM a\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("mode");
        let error =
            replace(&path, Some(b"FROM a\n"), b"FROM b\n", folder.path()).expect_err("read-only");
        assert_eq!(error.to_string(), "is read-only; make it writable first");
    }

    #[test]
    fn what_is_no_text_is_said() {
        let cases: [(&[u8], &str); 4] = [
            (
                b"\xff\xfeF\0R\0",
                "is UTF-16 text, and BuildKit reads UTF-8; save it as UTF-8",
            ),
            (
                b"F\0R\0O\0M\0 \0",
                "is UTF-16 text, and BuildKit reads UTF-8; save it as UTF-8",
            ),
            (
                b"FROM a\nRUN \0 some more text\n",
                "is not a text file: line 2 holds a NUL byte",
            ),
            (
                b"\x7fELF\x02\x01\x01\0\x03",
                "is not a text file: line 1 holds a NUL byte",
            ),
        ];
        for (bytes, message) in cases {
            let error = read_text(bytes, 0).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
        let large = vec![b'#'; 16_000_001];
        assert!(matches!(read_text(&large[..], 0), Err(ReadError::TooLarge)));
        assert_eq!(
            read_text(&b"caf\xe9\n"[..], 0).expect("Latin-1 is text"),
            b"caf\xe9\n"
        );
    }
}
