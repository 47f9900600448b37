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
    let mut known: BTreeMap<PathBuf, Option<Changes>> = BTreeMap::new();
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
            let changes = match Changes::since(revision, &root, catalog) {
                Ok(changes) => Some(changes),
                Err(error) => {
                    unknown = Some(error);
                    None
                }
            };
            known.insert(root.clone(), changes);
        }
        if let Some(Some(changes)) = known.get(&root)
            && changes.touch(&job, &root)
        {
            touched.push(job);
        }
    }
    match unknown {
        Some(error) if known.values().all(Option::is_none) => Err(error),
        _ => Ok(touched),
    }
}

/// What changed in one repository, those files that are gone among it.
struct Changes {
    /// Absolute paths.
    files: BTreeSet<PathBuf>,
    /// Those of them that are manifests or lock files.
    manifests: Vec<PathBuf>,
}

impl Changes {
    fn since(revision: &str, root: &Path, catalog: &Catalog) -> Result<Self> {
        let mut changes = Self {
            files: BTreeSet::new(),
            manifests: Vec::new(),
        };
        for path in changed_paths(root, revision)? {
            let name = path.to_string_lossy().replace('\\', "/");
            let file = root.join(path);
            if catalog.is_manifest(&name) {
                changes.manifests.push(file.clone());
            }
            changes.files.insert(file);
        }
        Ok(changes)
    }

    /// Whether the result for `job` may be another one.
    fn touch(&self, job: &Job, root: &Path) -> bool {
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
        let in_context = |file: &PathBuf| {
            context
                .as_ref()
                .is_some_and(|folder| file.starts_with(folder))
        };
        files.iter().any(|file| self.files.contains(file)) || self.manifests.iter().any(in_context)
    }
}

/// The paths, from `root`, of the files that differ from `revision` or are new.
fn changed_paths(root: &Path, revision: &str) -> Result<Vec<PathBuf>> {
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
    names.map(|name| path_of(name.to_vec())).collect()
}

/// The first line.
fn text(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().next().unwrap_or_default().to_owned()
}
