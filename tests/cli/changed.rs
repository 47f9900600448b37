//! `--changed-since` against real git.

use std::path::Path;
use std::process::Command;

use super::{Ran, Repository};

const DOCKERFILE: &[u8] = b"FROM debian:12-slim\nCOPY . /srv\nCMD a b\n";

fn git(repository: &Repository, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=n@example.org"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(repository.root())
        .output()
        .expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

/// Three services with a commit each of them is in, and a tag `base` on it.
fn services() -> Repository {
    let repository = Repository::with(&[
        ("api/Dockerfile", DOCKERFILE),
        ("api/package.json", b"{}"),
        ("api/src/a.js", b"1"),
        ("web/Dockerfile", DOCKERFILE),
        ("web/requirements.txt", b"flask\n"),
        ("job/Dockerfile", DOCKERFILE),
    ]);
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "--quiet", "-m", "first"]);
    git(&repository, &["tag", "base"]);
    repository
}

fn since(repository: &Repository, revision: &str) -> Ran {
    repository.run(&[
        "check",
        "--format",
        "json",
        &format!("--changed-since={revision}"),
    ])
}

/// The folders of the Dockerfiles that are looked at.
fn looked_at(repository: &Repository) -> Vec<String> {
    let ran = since(repository, "base");
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let files = report["files"].as_array().expect("a list");
    let folder = |file: &serde_json::Value| {
        let path = file["path"].as_str().expect("a path").to_owned();
        path.split('/').next().expect("a folder").to_owned()
    };
    files.iter().map(folder).collect()
}

#[test]
fn what_did_not_change_is_not_looked_at() {
    let repository = services();
    let ran = repository.run(&["check", "--changed-since", "base"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(ran.err, "no Dockerfile changed\n");
}

#[test]
fn dockerfiles_manifests_ignore_files_and_configuration_count() {
    let cases: [(&str, &[&str]); 8] = [
        ("api/src/a.js", &[]),
        ("web/notes.md", &[]),
        ("api/Dockerfile", &["api"]),
        ("api/package.json", &["api"]),
        ("web/requirements.txt", &["web"]),
        ("job/.dockerignore", &["job"]),
        ("job/Dockerfile.dockerignore", &["job"]),
        (".docker-diet.yaml", &["api", "job", "web"]),
    ];
    for (path, expected) in cases {
        // Not committed, and not even known to git where it is new.
        let repository = services();
        let text: &[u8] = match path {
            "api/Dockerfile" => b"FROM debian:12-slim\nCMD c\n",
            ".docker-diet.yaml" => b"level: safe\n",
            _ => b"# other\n",
        };
        repository.write(path, text);
        assert_eq!(looked_at(&repository), expected, "{path} in the folder");
        git(&repository, &["add", "-A"]);
        git(&repository, &["commit", "--quiet", "-m", "second"]);
        assert_eq!(looked_at(&repository), expected, "{path} in a commit");
    }
    let repository = services();
    std::fs::remove_file(repository.path("api/package.json")).expect("removed");
    assert_eq!(looked_at(&repository), ["api"], "a manifest that is gone");
}

#[test]
fn what_the_other_branch_changed_meanwhile_does_not_count() {
    let repository = services();
    git(&repository, &["checkout", "--quiet", "-b", "topic"]);
    repository.write("web/Dockerfile", b"FROM debian:12-slim\nCMD c\n");
    git(&repository, &["commit", "--quiet", "-am", "topic"]);
    git(&repository, &["checkout", "--quiet", "-B", "main", "base"]);
    repository.write("api/Dockerfile", b"FROM debian:12-slim\nCMD c\n");
    git(&repository, &["commit", "--quiet", "-am", "main"]);
    git(&repository, &["tag", "--force", "base"]);
    git(&repository, &["checkout", "--quiet", "topic"]);
    assert_eq!(looked_at(&repository), ["web"]);
}

#[test]
fn what_is_no_revision_is_said() {
    let repository = services();
    for revision in ["nowhere", "--output=leak", "-h", "base:api", ""] {
        let ran = since(&repository, revision);
        assert_eq!(ran.code, 2, "{revision}: {ran:?}");
        assert!(ran.err.contains("is no revision of"), "{revision}: {ran:?}");
        assert!(!repository.path("leak").exists());
    }
    let ran = repository.run_with(&["check", "-", "--changed-since", "base"], DOCKERFILE);
    assert_eq!(ran.code, 2);
    let alone = Repository::with(&[("Dockerfile", DOCKERFILE)]);
    std::fs::remove_dir(alone.path(".git")).expect("removed");
    let ran = since(&alone, "base");
    assert!(
        ran.code == 2 && ran.err.contains("is in no git repository"),
        "{ran:?}"
    );
}

/// Programs that a repository's own configuration and attributes name are not run.
#[test]
fn nothing_of_the_repository_is_run() {
    let repository = services();
    let mark = repository.path("ran");
    let program = repository.path("evil.sh");
    let script = format!("#!/bin/sh\ntouch '{}'\ncat\n", mark.display());
    repository.write("evil.sh", script.as_bytes());
    executable(&program);
    let program = program.to_str().expect("UTF-8");
    for (key, value) in [
        ("core.fsmonitor", program),
        ("core.hooksPath", repository.root().to_str().expect("UTF-8")),
        ("diff.external", program),
        ("diff.evil.textconv", program),
        ("diff.evil.command", program),
        ("filter.evil.clean", program),
        ("filter.evil.process", program),
        ("filter.evil.required", "true"),
        ("core.pager", program),
        ("core.sshCommand", program),
    ] {
        git(&repository, &["config", key, value]);
    }
    repository.write("post-index-change", script.as_bytes());
    executable(&repository.path("post-index-change"));
    repository.write(".gitattributes", b"* filter=evil diff=evil\n");
    // Same size, another time: git has to look into the file, and would clean it first.
    repository.write("api/package.json", b"[]");
    repository.write("web/Dockerfile", DOCKERFILE);
    let ran = since(&repository, "base");
    assert!(!mark.exists(), "{ran:?}");
    assert!(
        ran.out.contains("api/Dockerfile") && ran.code == 1,
        "{ran:?}"
    );

    // The same question without care runs it: the trap is one.
    let _ = Command::new("git")
        .args(["diff", "base"])
        .current_dir(repository.root())
        .output();
    assert!(mark.exists());
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("executable");
}
