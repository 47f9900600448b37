//! Dockerfiles to be looked at, and the paths of the command line.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::args::Input;
use crate::rules::Usage;

/// One Dockerfile to be looked at.
#[derive(Debug)]
pub(super) struct Job {
    /// The Dockerfile as it is opened and named in reports.
    pub(super) path: PathBuf,
    /// Its build context; none when it is judged alone.
    pub(super) context: Option<PathBuf>,
    /// What else in the repository says how the image is used.
    pub(super) usage: Usage,
    /// Whether the user named it, or a walk came across it.
    pub(super) named: bool,
    /// What is to be said about how it was found.
    pub(super) notes: Vec<String>,
}

impl Job {
    /// The Dockerfile at `path`, about which nothing else is known.
    pub(super) fn new(path: PathBuf, context: Option<PathBuf>, named: bool) -> Self {
        Self {
            path,
            context,
            usage: Usage::default(),
            named,
            notes: Vec::new(),
        }
    }

    /// Where its context is on disk, or would be.
    pub(super) fn context_folder(&self) -> &Path {
        self.context
            .as_deref()
            .unwrap_or_else(|| folder_of(&self.path))
    }
}

/// The paths of the command line and of `--paths-from`; the current folder without any.
pub(super) fn paths(input: &Input) -> Result<Vec<PathBuf>> {
    let mut paths = input.paths.clone();
    if let Some(list) = &input.paths_from {
        let reader: Box<dyn BufRead> = if list == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            let file = fs::File::open(list)
                .with_context(|| format!("cannot read the list of paths {}", list.display()))?;
            Box::new(std::io::BufReader::new(file))
        };
        for line in reader.split(b'\n') {
            let mut line =
                line.with_context(|| format!("cannot read the list of paths {}", list.display()))?;
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                paths.push(path_of(line)?);
            }
        }
    } else if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    Ok(paths)
}

/// The path of these bytes.
#[cfg(unix)]
pub(super) fn path_of(bytes: Vec<u8>) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

/// The path of these bytes.
#[cfg(not(unix))]
pub(super) fn path_of(bytes: Vec<u8>) -> Result<PathBuf> {
    Ok(PathBuf::from(
        String::from_utf8(bytes).context("a path is not UTF-8")?,
    ))
}

/// The Dockerfile on standard input, under the name that the user gives it.
pub(super) fn stdin(input: &Input) -> Job {
    let name = input.stdin_filename.clone();
    let path = name.clone().unwrap_or_else(|| PathBuf::from("Dockerfile"));
    let own = name.as_deref().map(|name| folder_of(name).to_path_buf());
    let context = input.context.clone().or(own);
    Job::new(path, context.filter(|_| !input.no_context), true)
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
