//! What the paths on the command line stand for: Dockerfiles and their contexts.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

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

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> Result<PathBuf> {
    Ok(PathBuf::from(
        String::from_utf8(bytes).context("the list of paths is not UTF-8")?,
    ))
}

/// The Dockerfiles below `paths`, each once, in the order of their names.
pub(super) fn find(paths: &[PathBuf], input: &Input) -> Result<Vec<Job>> {
    if let Some(context) = &input.context
        && !context.is_dir()
    {
        bail!("the context {} is not a folder", context.display());
    }
    let mut jobs = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, input, &mut jobs);
        } else {
            jobs.push(job(path.clone(), input, true));
        }
    }
    jobs.sort_by(|a, b| a.path.cmp(&b.path).then(b.named.cmp(&a.named)));
    jobs.dedup_by(|a, b| a.path == b.path);
    Ok(jobs)
}

fn walk(folder: &Path, input: &Input, jobs: &mut Vec<Job>) {
    let walk = ignore::WalkBuilder::new(folder)
        .hidden(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    for entry in walk.flatten() {
        let is_folder = entry.file_type().is_none_or(|kind| kind.is_dir());
        if !is_folder && is_dockerfile_name(&entry.file_name().to_string_lossy()) {
            let path = entry.into_path();
            let path = path
                .strip_prefix(".")
                .map(Path::to_path_buf)
                .unwrap_or(path);
            jobs.push(job(path, input, false));
        }
    }
}

fn is_dockerfile_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let known = name == "dockerfile"
        || name == "containerfile"
        || name.ends_with(".dockerfile")
        || name.starts_with("dockerfile.");
    known && !name.ends_with(".dockerignore")
}

fn job(path: PathBuf, input: &Input, named: bool) -> Job {
    let folder = folder_of(&path).to_path_buf();
    Job {
        context: (!input.no_context).then(|| input.context.clone().unwrap_or(folder)),
        path,
        usage: Usage::default(),
        named,
        notes: Vec::new(),
    }
}

/// The Dockerfile on standard input, under the name that the user gives it.
pub(super) fn stdin(input: &Input) -> Job {
    let name = input.stdin_filename.clone();
    let mut job = job(
        name.clone().unwrap_or_else(|| PathBuf::from("Dockerfile")),
        input,
        true,
    );
    if name.is_none() {
        job.context = input.context.clone();
    }
    job
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
