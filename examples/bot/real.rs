//! The bot against a real forge: one repository from its first pull request to its last.

use std::fs;
use std::path::Path;
use std::process::Command;

use docker_diet::forge::Kind;

use crate::forge::world::{FAT, FAT_TOO, git};

/// Uses the repository `OWNER/docker-diet-trial` at `web`, which must exist with a branch `main` and a fat Dockerfile is
/// put on it. The token is in `DOCKER_DIET_TOKEN`, and may push.
pub(crate) fn try_forge(kind: Kind, web: &str, owner: &str) {
    let token = std::env::var("DOCKER_DIET_TOKEN").expect("DOCKER_DIET_TOKEN");
    let slug = format!("{owner}/docker-diet-trial");
    let (scheme, host) = web.split_once("://").expect("an address");
    let remote = format!("{scheme}://{owner}:{token}@{host}/{slug}.git");
    let clone = tempfile::tempdir().expect("a temporary folder");
    git(clone.path(), &["clone", "--quiet", &remote, "."]);
    let commit = |text: &str, message: &str| {
        let path = clone.path().join("Dockerfile");
        match text.is_empty() {
            true => fs::remove_file(&path).expect("removed"),
            false => fs::write(&path, text).expect("written"),
        }
        git(clone.path(), &["add", "--all"]);
        git(
            clone.path(),
            &["commit", "--quiet", "--allow-empty", "-m", message],
        );
        git(clone.path(), &["push", "--quiet", "origin", "HEAD:main"]);
    };
    commit(FAT, "a fat one");
    step(kind, web, &slug, &["--dry-run"], "would be opened");
    let dress = [
        "--label",
        "docker",
        "--label",
        "lean",
        "--reviewer",
        "reviewer",
        "--assignee",
        owner,
    ];
    step(kind, web, &slug, &dress, "opened");
    step(kind, web, &slug, &dress, "unchanged");
    commit(FAT_TOO, "another fat one");
    step(kind, web, &slug, &[], "updated");
    step(kind, web, &slug, &[], "unchanged");
    git(
        clone.path(),
        &["fetch", "--quiet", "origin", "docker-diet/lean"],
    );
    git(
        clone.path(),
        &["checkout", "--quiet", "-B", "theirs", "FETCH_HEAD"],
    );
    git(
        clone.path(),
        &["commit", "--quiet", "--allow-empty", "-m", "a person's"],
    );
    git(
        clone.path(),
        &["push", "--quiet", "origin", "HEAD:docker-diet/lean"],
    );
    git(
        clone.path(),
        &["checkout", "--quiet", "-B", "main", "origin/main"],
    );
    commit(FAT, "and back");
    step(kind, web, &slug, &[], "somebody else pushed");
    git(
        clone.path(),
        &[
            "push",
            "--quiet",
            "--force",
            "origin",
            "FETCH_HEAD:refs/heads/docker-diet/lean",
        ],
    );
    step(kind, web, &slug, &[], "updated");
    commit("", "no Dockerfile any more");
    step(kind, web, &slug, &[], "closed");
    step(kind, web, &slug, &[], "");
    commit(FAT, "fat again");
    step(kind, web, &slug, &["--draft", "--sign-off"], "opened");
}

fn step(kind: Kind, web: &str, slug: &str, arguments: &[&str], expected: &str) {
    let forge = match kind {
        Kind::GitHub => "github",
        Kind::GitLab => "gitlab",
        Kind::Gitea => "gitea",
    };
    let program = crate::program();
    let output = Command::new(Path::new(&program))
        .args([
            "pr",
            "--forge",
            forge,
            "--verbose",
            "--repo",
            &format!("{web}/{slug}"),
        ])
        .args(arguments)
        .output()
        .expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    println!(
        "pr {}\n  {}  {}",
        arguments.join(" "),
        out.lines().next().unwrap_or_default(),
        err.trim()
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains(expected), "expected `{expected}`: {out}");
}
