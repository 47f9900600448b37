//! Files that a trial needs beside the user's: they live in a folder of their own and go with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::BuildError;

/// A folder that is removed when this value is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// A new, empty folder.
    ///
    /// # Errors
    /// When none can be made.
    pub fn new() -> Result<Self, BuildError> {
        let folder = tempfile::Builder::new().prefix("docker-diet-").tempdir();
        Ok(Self {
            folder: folder.map_err(|source| at(&std::env::temp_dir(), source))?,
        })
    }

    /// Writes a Dockerfile, and beside it the ignore file that goes before the context's own, below `name`.
    /// Builders take both with `--file`, so that the user's tree stays as it is.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn dockerfile(
        &self,
        name: &str,
        text: &[u8],
        ignore: Option<&[u8]>,
    ) -> Result<PathBuf, BuildError> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).map_err(|source| at(&path, source))?;
        let beside = self.folder.path().join(format!("{name}.dockerignore"));
        if let Some(ignore) = ignore {
            fs::write(&beside, ignore).map_err(|source| at(&beside, source))?;
        }
        Ok(path)
    }

    /// Copies the folder `context` to `name`, links as links, modes kept.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn copy(&self, context: &Path, name: &str) -> Result<PathBuf, BuildError> {
        let to = self.folder.path().join(name);
        copy(context, &to)?;
        Ok(to)
    }
}

/// Appends to the source file `path` a comment that it did not have before, as a developer's edit would: the builder
/// must not find its result in its cache.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn edit(path: &Path) -> Result<(), BuildError> {
    let mut text = fs::read(path).map_err(|source| at(path, source))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let stamp = now.map_or(0, |since| since.as_nanos());
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    text.extend_from_slice(comment(extension.unwrap_or_default(), stamp).as_bytes());
    fs::write(path, text).map_err(|source| at(path, source))
}

/// A comment line of the language that `extension` stands for.
fn comment(extension: &str, stamp: u128) -> String {
    match extension {
        "html" | "htm" | "xml" | "vue" | "svg" | "md" => format!("<!-- edit {stamp} -->\n"),
        "css" => format!("/* edit {stamp} */\n"),
        "py" | "rb" | "sh" | "yaml" | "yml" | "toml" | "ex" | "exs" => format!("# edit {stamp}\n"),
        "hs" | "sql" | "elm" => format!("-- edit {stamp}\n"),
        "php" => format!("<?php // edit {stamp}\n"),
        "txt" => format!("{stamp}\n"),
        _ => format!("// edit {stamp}\n"),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    let read = |source| at(from, source);
    let kind = from.symlink_metadata().map_err(read)?;
    if kind.is_dir() {
        fs::create_dir(to).map_err(|source| at(to, source))?;
        for entry in fs::read_dir(from).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        fs::set_permissions(to, kind.permissions()).map_err(|source| at(to, source))
    } else if kind.is_symlink() {
        link(&fs::read_link(from).map_err(read)?, to).map_err(|source| at(to, source))
    } else if kind.is_file() {
        fs::copy(from, to).map(|_| ()).map_err(read)
    } else {
        // Sockets and devices are no part of a build context.
        Ok(())
    }
}

#[cfg(unix)]
fn link(target: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, to)
}

#[cfg(not(unix))]
fn link(target: &Path, to: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, to)
}

fn at(path: &Path, source: std::io::Error) -> BuildError {
    BuildError::Scratch {
        path: path.to_owned(),
        source,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_links_and_an_edit_changes_only_the_copy() {
        let original = tempfile::tempdir().expect("a scratch folder");
        let folder = original.path();
        fs::create_dir(folder.join("src")).expect("a folder");
        fs::write(folder.join("src/main.py"), "print(1)").expect("a file");
        std::os::unix::fs::symlink("src/main.py", folder.join("start")).expect("a link");
        let scratch = Scratch::new().expect("a scratch folder");
        let copied = scratch.copy(folder, "context").expect("it is copied");
        assert_eq!(
            fs::read_link(copied.join("start")).expect("a link"),
            Path::new("src/main.py")
        );
        edit(&copied.join("src/main.py")).expect("it is edited");
        let text = fs::read_to_string(copied.join("src/main.py")).expect("it is text");
        assert!(text.starts_with("print(1)\n# edit "), "{text}");
        let original = fs::read_to_string(folder.join("src/main.py")).expect("it is text");
        assert_eq!(original, "print(1)");
    }

    #[test]
    fn the_ignore_file_stands_beside_the_dockerfile() {
        let scratch = Scratch::new().expect("a scratch folder");
        let path = scratch
            .dockerfile("after.Dockerfile", b"FROM scratch\n", Some(b".git\n"))
            .expect("they are written");
        let beside = path.with_file_name("after.Dockerfile.dockerignore");
        assert_eq!(fs::read(beside).expect("it is there"), b".git\n");
        let folder = path.parent().expect("it stands in a folder").to_owned();
        drop(scratch);
        assert!(!folder.exists());
    }
}
