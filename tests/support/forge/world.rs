//! Repositories on the disk, and the program run over them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use docker_diet::forge::Kind;

use super::server::Server;

/// The token of every test: nowhere else does this text occur.
pub(crate) const TOKEN: &str = "tok_Zq7wPl4nted9Secret";

/// A Dockerfile that docker-diet changes.
pub(crate) const FAT: &str = "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\nCMD curl https://example.org\n";
/// Another one.
pub(crate) const FAT_TOO: &str =
    "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y git\nCMD git version\n";
/// One that is lean.
pub(crate) const LEAN: &str = "FROM scratch\nCOPY hello /hello\nCMD [\"/hello\"]\n";

/// A forge and the folder of its repositories.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) program: PathBuf,
}

/// What a run of the program gave.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new(kind: Kind, program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repositories = folder.path().join("repositories");
        fs::create_dir(&repositories).expect("a folder");
        fs::create_dir(folder.path().join("work")).expect("a folder");
        Self {
            server: Server::start(kind, &repositories, TOKEN),
            folder,
            program: program.to_path_buf(),
        }
    }

    /// Where the bare repository is.
    pub(crate) fn bare(&self, slug: &str) -> PathBuf {
        self.folder
            .path()
            .join("repositories")
            .join(format!("{slug}.git"))
    }

    /// Adds a repository with one commit of `files` on `main`.
    pub(crate) fn repository(&self, slug: &str, files: &[(&str, &str)]) {
        let bare = self.bare(slug);
        fs::create_dir_all(&bare).expect("folders");
        git(
            &bare,
            &["init", "--quiet", "--bare", "--initial-branch=main", "."],
        );
        self.commit(slug, "main", files);
        self.server.forge().add(slug);
    }

    /// Puts `files` into a new commit on top of `branch`, as a person does; an empty text removes a file.
    pub(crate) fn commit(&self, slug: &str, branch: &str, files: &[(&str, &str)]) {
        let clone = tempfile::tempdir().expect("a temporary folder");
        let bare = self.bare(slug);
        git(
            clone.path(),
            &["init", "--quiet", "--initial-branch=work", "."],
        );
        let bare = bare.to_str().expect("a plain path");
        let there = git(
            clone.path(),
            &["ls-remote", bare, &format!("refs/heads/{branch}")],
        );
        if !there.is_empty() {
            git(clone.path(), &["fetch", "--quiet", bare, branch]);
            git(clone.path(), &["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        }
        for (path, text) in files {
            let path = clone.path().join(path);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("folders");
            match text.is_empty() {
                true => fs::remove_file(&path).expect("removed"),
                false => fs::write(&path, text).expect("written"),
            }
        }
        git(clone.path(), &["add", "--all", "--force"]);
        git(
            clone.path(),
            &[
                "commit",
                "--quiet",
                "--allow-empty",
                "-m",
                "a person's commit",
            ],
        );
        git(
            clone.path(),
            &[
                "push",
                "--quiet",
                bare,
                &format!("HEAD:refs/heads/{branch}"),
            ],
        );
    }

    /// The address of a repository.
    pub(crate) fn url(&self, slug: &str) -> String {
        format!("{}/{slug}.git", self.server.web)
    }

    /// `docker-diet pr` with the token in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let forge = match self.server.forge().kind {
            Kind::GitHub => "github",
            Kind::GitLab => "gitlab",
            Kind::Gitea => "gitea",
        };
        let mut command = Command::new(&self.program);
        command
            .args(["pr", "--forge", forge, "--work-dir"])
            .arg(self.folder.path().join("work"))
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("DOCKER_DIET_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    /// Runs it over one repository.
    pub(crate) fn pr(&self, slug: &str, arguments: &[&str]) -> Ran {
        let url = self.url(slug);
        let mut all = vec!["--repo", url.as_str()];
        all.extend(arguments);
        ran(self.command(&all).output().expect("the program starts"))
    }

    /// The branches of a repository and their commits.
    pub(crate) fn branches(&self, slug: &str) -> Vec<(String, String)> {
        let listed = git(
            &self.bare(slug),
            &[
                "for-each-ref",
                "--format=%(refname:short) %(objectname)",
                "refs/heads",
            ],
        );
        let pairs = listed.lines().filter_map(|line| line.split_once(' '));
        pairs
            .map(|(name, commit)| (name.to_owned(), commit.to_owned()))
            .collect()
    }

    /// The branches of the bot.
    pub(crate) fn own_branches(&self, slug: &str) -> Vec<String> {
        let all = self.branches(slug).into_iter().map(|(name, _)| name);
        all.filter(|name| name.starts_with("docker-diet/"))
            .collect()
    }

    /// The bytes of a file on a branch.
    pub(crate) fn file(&self, slug: &str, branch: &str, path: &str) -> Vec<u8> {
        let output = Command::new("git")
            .args(["cat-file", "blob", &format!("{branch}:{path}")])
            .current_dir(self.bare(slug))
            .output();
        output.expect("git runs").stdout
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs git as a person; its output.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=A Person",
            "-c",
            "user.email=person@example.test",
        ])
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // The same files give the same commits in every world.
        .env("GIT_AUTHOR_DATE", "@1700000000 +0000")
        .env("GIT_COMMITTER_DATE", "@1700000000 +0000")
        .output()
        .expect("git is installed");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}
