//! The `git` program, asked about a repository that nobody vouches for: nothing that its configuration or its files
//! name is run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    #[error("git cannot be started: {0}; install it, or leave out --changed-since")]
    Start(std::io::Error),
    #[error("git {command} failed in {}: {message}", repository.display())]
    Failed {
        command: String,
        repository: PathBuf,
        message: String,
    },
}

/// One repository.
#[derive(Debug)]
pub(super) struct Git {
    root: PathBuf,
    /// Filters of the repository's configuration, each of which would run a program.
    filters: Vec<String>,
}

impl Git {
    /// The repository at the absolute `root`.
    pub(super) fn open(root: &Path) -> Result<Self, GitError> {
        let mut git = Self {
            root: root.to_path_buf(),
            filters: Vec::new(),
        };
        let pattern = r"^filter\..*\.(clean|smudge|process|required)$";
        let listed = git.output(&["config", "--name-only", "-z", "--get-regexp", pattern])?;
        // None are configured when it fails.
        if listed.status.success() {
            let names = listed.stdout.split(|byte| *byte == 0);
            let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
            git.filters = names.filter(|name| !name.is_empty()).collect();
        }
        Ok(git)
    }

    /// What git prints, when it succeeds.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = self.output(arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(GitError::Failed {
            command: arguments.first().copied().unwrap_or_default().to_owned(),
            repository: self.root.clone(),
            message: message.trim().to_owned(),
        })
    }

    fn output(&self, arguments: &[&str]) -> Result<std::process::Output, GitError> {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(&self.root)
            .args(["-c", "core.fsmonitor=false"])
            .args(["-c", "core.hooksPath=/dev/null"])
            .args(["-c", "core.untrackedCache=false"])
            .args(["-c", "protocol.allow=never"])
            .args(arguments)
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_COUNT", self.filters.len().to_string())
            .env("LC_ALL", "C")
            .env_remove("GIT_EXTERNAL_DIFF")
            .stdin(Stdio::null());
        for (at, name) in self.filters.iter().enumerate() {
            let value = if name.ends_with(".required") {
                "false"
            } else {
                ""
            };
            command.env(format!("GIT_CONFIG_KEY_{at}"), name);
            command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        command.output().map_err(GitError::Start)
    }
}
