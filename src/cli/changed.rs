//! `--changed-since`: the Dockerfiles that a pull request is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::git::{Git, GitError};
use super::jobs::{Job, folder_of, path_of};
use super::places::repository;
use crate::catalog::Catalog;

/// The configuration, which may change what is said about every Dockerfile below it.
const CONFIGURATION: &str = ".docker-diet.yaml";

/// Those of `jobs` whose Dockerfile, ignore file, configuration or manifests in the build context changed between the
/// common ancestor of `revision` and `HEAD` and now, files that git does not know yet among them.
///
/// A repository in a repository (a submodule) that has no such revision is passed by; where none has it, that is an
/// error.
pub(super) fn since(revision: &str, jobs: Vec<Job>, catalog: &Catalog) -> Result<Vec<Job>> {
    let mut known: BTreeMap<PathBuf, Option<BTreeSet<PathBuf>>> = BTreeMap::new();
    let mut unknown = None;
    let mut touched = Vec::new();
    for job in jobs {
        let folder = folder_of(&job.path);
        let Some(root) = repository(folder) else {
            bail!(
                "{} is in no git repository, and --changed-since asks for what changed in one",
                job.path.display()
            );
        };
        if !known.contains_key(&root) {
            let changes = match changes(&root, revision) {
                Ok(changes) => Some(changes),
                Err(error) => {
                    unknown = Some(error);
                    None
                }
            };
            known.insert(root.clone(), changes);
        }
        if let Some(Some(changes)) = known.get(&root)
            && is_touched(&job, &root, changes, catalog)
        {
            touched.push(job);
        }
    }
    match unknown {
        Some(error) if known.values().all(Option::is_none) => Err(error),
        _ => Ok(touched),
    }
}

/// The absolute paths of the files that changed in the repository at `root`, those that are gone among them.
fn changes(root: &Path, revision: &str) -> Result<BTreeSet<PathBuf>> {
    let git = Git::open(root)?;
    let commit = format!("{revision}^{{commit}}");
    let commit = match git.ask(&[
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &commit,
    ]) {
        Ok(commit) => text(&commit),
        Err(error @ GitError::Start(_)) => return Err(error.into()),
        Err(GitError::Failed { message, .. }) if !message.is_empty() => {
            return Err(anyhow!("git in {}: {message}", root.display()));
        }
        Err(_) => {
            bail!(
                "`{revision}` is no revision of {}; fetch it first (a checkout of CI often holds one commit only)",
                root.display()
            );
        }
    };
    // Without a common ancestor, as in a clone of one commit, the revision itself is compared with.
    let base = match git.ask(&["merge-base", &commit, "HEAD"]) {
        Ok(base) => text(&base),
        Err(_) => commit,
    };
    let changed = git.ask(&[
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--ignore-submodules=all",
        &base,
        "--",
    ])?;
    let new = git.ask(&["ls-files", "--others", "--exclude-standard", "-z"])?;
    let names = changed.split(|byte| *byte == 0);
    let names = names.chain(new.split(|byte| *byte == 0));
    let names = names.filter(|name| !name.is_empty());
    names
        .map(|name| Ok(root.join(path_of(name.to_vec())?)))
        .collect()
}

/// The first line.
fn text(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().next().unwrap_or_default().to_owned()
}

fn is_touched(job: &Job, root: &Path, changes: &BTreeSet<PathBuf>, catalog: &Catalog) -> bool {
    let folder = folder_of(&job.path);
    let (Ok(here), Some(name)) = (folder.canonicalize(), job.path.file_name()) else {
        return true;
    };
    let dockerfile = here.join(name);
    let mut own_ignore = name.to_owned();
    own_ignore.push(".dockerignore");
    let mut files = vec![dockerfile.clone(), here.join(own_ignore)];
    // The file behind a symbolic link.
    files.extend(dockerfile.canonicalize());
    let above = here
        .ancestors()
        .take_while(|folder| folder.starts_with(root));
    files.extend(above.map(|folder| folder.join(CONFIGURATION)));
    let context = job
        .context
        .as_ref()
        .and_then(|folder| folder.canonicalize().ok());
    files.extend(context.iter().map(|folder| folder.join(".dockerignore")));
    if files.iter().any(|file| changes.contains(file)) {
        return true;
    }
    let Some(context) = context else {
        return false;
    };
    changes.iter().any(|file| {
        let inside = file.strip_prefix(&context);
        inside.is_ok_and(|path| catalog.is_manifest(&path.to_string_lossy().replace('\\', "/")))
    })
}
