//! Repositories: the newest commit of a branch is fetched, files are committed on top of it, branches are pushed.
//!
//! Whoever owns a repository decides what is in it. Nothing of that is carried out: git runs without hooks, filters,
//! submodules and configuration, files are written under names that git itself has checked, and a symbolic link
//! appears in the work tree only where it stays inside.

mod commit;
mod program;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::marker::{Made, made};
use super::secret::Token;
pub use commit::{Author, Message, Signing};
use program::Git;
use tree::Entries;
pub use tree::FileChange;

/// Where fetched branches are kept: not among the repository's own names.
const FETCHED: &str = "refs/fetched/";

/// What a repository may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long one call of git may take.
    pub time: Duration,
    /// Bytes that may be fetched.
    pub fetched: u64,
    /// Files that a commit may have.
    pub files: usize,
    /// Bytes that may be written into the work tree.
    pub written: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(15 * 60),
            fetched: 2 << 30,
            files: 300_000,
            written: 2 << 30,
        }
    }
}

/// Why something could not be done with a repository. No message holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("git cannot be started: {message}")]
    Start {
        /// Why.
        message: String,
    },
    /// It ended with an error.
    #[error("{call} failed: {message}")]
    Failed {
        /// `git` and its subcommand.
        call: String,
        /// What it said.
        message: String,
    },
    /// It took too long.
    #[error("{call} did not end within {} s", limit.as_secs())]
    TimedOut {
        /// `git` and its subcommand.
        call: String,
        /// How long it was given.
        limit: Duration,
    },
    /// A limit is exceeded.
    #[error("the repository is too large: {what}")]
    TooLarge {
        /// Which one.
        what: String,
    },
    /// The branch is not what it was: somebody pushed to it.
    #[error("somebody else pushed to the branch {0} in the meantime")]
    Moved(String),
    /// A name that cannot be a branch, or is not safe as one.
    #[error("`{0}` cannot be the name of a branch")]
    Branch(String),
    /// There is no such branch.
    #[error("it has no branch {0}")]
    NoBranch(String),
    /// A file to be changed is no plain file of the commit.
    #[error("{0} is no plain file of the commit")]
    NoFile(String),
    /// A file or folder of the work tree.
    #[error("{path} cannot be written: {message}")]
    Io {
        /// Which one.
        path: String,
        /// What the system said.
        message: String,
    },
}

/// How a repository is reached.
#[derive(Clone, Debug)]
pub struct Access {
    url: String,
    protocol: &'static str,
    credentials: Option<(String, &'static str, Token)>,
}

impl Access {
    /// Over HTTP at `web`, scheme and host, as `user` with `token`.
    #[must_use]
    pub fn hosted(
        web: &str,
        slug: &super::Slug,
        user: &'static str,
        token: Option<&Token>,
    ) -> Self {
        Self {
            url: format!("{web}/{slug}.git"),
            protocol: match web.starts_with("https:") {
                true => "https",
                false => "http",
            },
            credentials: token.map(|token| (web.to_owned(), user, token.clone())),
        }
    }

    /// In a folder of this machine.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn folder(path: &Path) -> Result<Self, GitError> {
        let absolute = path.canonicalize().map_err(|cause| GitError::Io {
            path: path.display().to_string(),
            message: cause.to_string(),
        })?;
        Ok(Self {
            url: absolute.display().to_string(),
            protocol: "file",
            credentials: None,
        })
    }

    fn protocol(&self) -> &str {
        self.protocol
    }

    fn credentials(&self) -> Option<(&str, &'static str, &Token)> {
        let (scope, user, token) = self.credentials.as_ref()?;
        Some((scope, user, token))
    }
}

/// What stands on a branch of the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// One commit of the bot, unchanged.
    Ours {
        /// Its name.
        commit: String,
        /// What it was made of.
        made: Made,
    },
    /// Something that somebody else pushed.
    Foreign {
        /// Its name.
        commit: String,
    },
}

impl Head {
    /// The commit.
    #[must_use]
    pub fn commit(&self) -> &str {
        match self {
            Head::Ours { commit, .. } | Head::Foreign { commit } => commit,
        }
    }
}

/// A repository's newest commit in a folder.
pub struct Checkout {
    folder: PathBuf,
    access: Access,
    limits: Limits,
    base: String,
    commit: String,
    entries: Entries,
    heads: BTreeMap<String, Head>,
}

impl Checkout {
    /// Fetches the newest commit of `base`, or of the branch that the repository itself names, into `folder`, which
    /// is empty; and what stands on the branches that begin with `prefix`.
    ///
    /// # Errors
    /// When the repository cannot be reached, has no such branch, or is too large.
    pub fn fetch(
        folder: &Path,
        access: &Access,
        base: Option<&str>,
        prefix: &str,
        limits: Limits,
    ) -> Result<Self, GitError> {
        let git = |subcommand| Git::new(folder, subcommand, &limits);
        git("init")
            .args(["--quiet", "--template=", "--initial-branch=none"])
            .run()?;
        tree::raw_attributes(folder)?;
        let prefix = checked(prefix.trim_end_matches('/'))?;
        let mut wanted = vec!["HEAD".to_owned(), format!("refs/heads/{prefix}/*")];
        if let Some(base) = base {
            wanted.push(format!("refs/heads/{}", checked(base)?));
        }
        let listed = git("ls-remote")
            .with_access(access)
            .args(["--quiet", "--symref", "--", &access.url])
            .args(&wanted)
            .run()?;
        let listed = Listed::read(&listed);
        let base = match (base, &listed.head) {
            (Some(base), _) => base.to_owned(),
            (None, Some(head)) => checked(head)?.to_owned(),
            (None, None) => return Err(GitError::NoBranch("that HEAD names".to_owned())),
        };
        let own: Vec<&str> = listed
            .branches
            .iter()
            .map(String::as_str)
            .filter(|branch| branch.starts_with(&format!("{prefix}/")) && *branch != base)
            .filter(|branch| checked(branch).is_ok())
            .collect();
        // Whole names on both sides: no branch can be read as an option or a pattern.
        let specs = own
            .iter()
            .copied()
            .chain([base.as_str()])
            .map(|branch| format!("+refs/heads/{branch}:{FETCHED}{branch}"));
        git("fetch")
            .with_access(access)
            .watch(folder)
            .args([
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-recurse-submodules",
            ])
            .args([
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--",
                &access.url,
            ])
            .args(specs)
            .run()
            .map_err(|error| no_branch(error, &base))?;
        let commit = git("rev-parse")
            .args([
                "--verify",
                "--end-of-options",
                &format!("{FETCHED}{base}^{{commit}}"),
            ])
            .line()?;
        let mut heads = BTreeMap::new();
        for branch in own {
            heads.insert(branch.to_owned(), head(folder, branch, &limits)?);
        }
        let entries = Entries::list(folder, &commit, &limits)?;
        entries.write(folder, &commit, &limits)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            access: access.clone(),
            limits,
            base,
            commit,
            entries,
            heads,
        })
    }

    /// The work tree.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The branch that was fetched.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The branches of the bot, and what stands on them.
    #[must_use]
    pub fn heads(&self) -> &BTreeMap<String, Head> {
        &self.heads
    }

    /// Pushes `commit` to `branch`, which must still be at `known`, or not exist where that is none.
    ///
    /// # Errors
    /// When somebody else pushed, or the push is refused.
    pub fn push(&self, branch: &str, commit: &str, known: Option<&str>) -> Result<(), GitError> {
        self.push_spec(branch, &format!("{commit}:refs/heads/{branch}"), known)
    }

    /// Deletes `branch`, which must still be at `known`.
    ///
    /// # Errors
    /// When somebody else pushed, or the push is refused.
    pub fn delete(&self, branch: &str, known: &str) -> Result<(), GitError> {
        self.push_spec(branch, &format!(":refs/heads/{branch}"), Some(known))
    }

    fn push_spec(&self, branch: &str, spec: &str, known: Option<&str>) -> Result<(), GitError> {
        checked(branch)?;
        let lease = format!(
            "--force-with-lease=refs/heads/{branch}:{}",
            known.unwrap_or_default()
        );
        let ended = Git::new(&self.folder, "push", &self.limits)
            .with_access(&self.access)
            .args([
                "--quiet",
                "--porcelain",
                "--no-verify",
                "--no-signed",
                &lease,
                "--",
            ])
            .args([&self.access.url, spec])
            .run_to_end()?;
        if ended.success {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&ended.output);
        let (call, error) = (ended.call, ended.error);
        if output.contains("stale info") || error.contains("stale info") {
            return Err(GitError::Moved(branch.to_owned()));
        }
        let refused = output.lines().find(|line| line.starts_with('!'));
        let refused: String = refused
            .unwrap_or_default()
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        Err(GitError::Failed {
            call,
            message: format!("{} {error}", refused.trim()).trim().to_owned(),
        })
    }
}

/// The address of the remote `origin` of the repository in `folder`, if it has one.
#[must_use]
pub fn origin(folder: &Path) -> Option<String> {
    let config = [folder.join(".git").join("config"), folder.join("config")]
        .into_iter()
        .find(|path| path.is_file())?
        .canonicalize()
        .ok()?;
    // The file alone, without what it includes.
    let url = Git::new(folder, "config", &Limits::default())
        .args(["--no-includes", "--file"])
        .arg(config)
        .args(["--get", "remote.origin.url"])
        .line()
        .ok()?;
    (!url.is_empty()).then_some(url)
}

/// What `ls-remote --symref` says.
#[derive(Default)]
struct Listed {
    /// The branch that HEAD names.
    head: Option<String>,
    branches: Vec<String>,
}

impl Listed {
    fn read(output: &[u8]) -> Self {
        let mut listed = Self::default();
        for line in String::from_utf8_lossy(output).lines() {
            let Some((what, name)) = line.split_once('\t') else {
                continue;
            };
            if let Some(target) = what.strip_prefix("ref: refs/heads/")
                && name == "HEAD"
            {
                listed.head = Some(target.to_owned());
            } else if let Some(branch) = name.strip_prefix("refs/heads/") {
                listed.branches.push(branch.to_owned());
            }
        }
        listed
    }
}

/// What stands on a fetched branch of the bot.
fn head(folder: &Path, branch: &str, limits: &Limits) -> Result<Head, GitError> {
    let git = |subcommand| Git::new(folder, subcommand, limits);
    let name = format!("{FETCHED}{branch}^{{commit}}");
    let commit = git("rev-parse")
        .args(["--verify", "--end-of-options", &name])
        .line()?;
    let text = git("cat-file").args(["commit", &commit]).run()?;
    Ok(match made(&text) {
        Some(made) => Head::Ours { commit, made },
        None => Head::Foreign { commit },
    })
}

fn no_branch(error: GitError, base: &str) -> GitError {
    match &error {
        GitError::Failed { message, .. } if message.contains("couldn't find remote ref") => {
            GitError::NoBranch(base.to_owned())
        }
        _ => error,
    }
}

/// `name`, if it can be that of a branch by git's rules, and if no program can take it for an option or a pattern.
///
/// # Errors
/// When it cannot.
pub fn checked(name: &str) -> Result<&str, GitError> {
    let bad_char = |char: char| {
        char.is_control() || char.is_whitespace() || "~^:?*[\\\"'`$&|;<>(){}!#%".contains(char)
    };
    let bad_part = |part: &str| {
        part.is_empty()
            || part.starts_with(['.', '-'])
            || part.ends_with(".lock")
            || part.ends_with('.')
    };
    let wrong = name.len() > 200
        || name.contains("..")
        || name.contains("@{")
        || name == "@"
        || name == "HEAD"
        || name.chars().any(bad_char)
        || name.split('/').any(bad_part);
    match wrong {
        true => Err(GitError::Branch(
            name.chars()
                .map(|char| if char.is_control() { '?' } else { char })
                .take(80)
                .collect(),
        )),
        false => Ok(name),
    }
}
