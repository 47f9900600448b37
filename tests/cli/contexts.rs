//! Contexts, shared ignore files, patches.

use std::process::Command;

use super::Repository;

const NODE: &[u8] =
    b"FROM node:20\nWORKDIR /app\nCOPY package.json ./\nCOPY . .\nRUN npm install\nCMD npm start\n";

fn project() -> Repository {
    Repository::with(&[
        ("app/Dockerfile", NODE),
        ("app/Dockerfile.dev", NODE),
        (
            "app/package.json",
            b"{\"scripts\": {\"start\": \"node a.js\"}}",
        ),
        ("app/a.js", b"console.log(1)\n"),
        ("app/node_modules/x/index.js", b"x"),
    ])
}

#[test]
fn a_patch_applies_wherever_git_runs_and_equals_fix() {
    let (patched, fixed) = (project(), project());
    let made = Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(patched.root())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "git init");
    let arguments: [(&[&str], &str); 2] =
        [(&["fix", "--diff"], ""), (&["fix", "--diff", "."], "app")];
    for (arguments, folder) in arguments {
        let ran = patched
            .command(arguments)
            .current_dir(patched.path(folder))
            .output()
            .expect("it runs");
        let patch = patched.path("patch");
        std::fs::write(&patch, ran.stdout).expect("written");
        let git = Command::new("git")
            .args(["apply", "--check"])
            .arg(&patch)
            .current_dir(patched.path(folder))
            .output();
        if let Ok(git) = git {
            assert!(git.status.success(), "{git:?}");
        }
    }
    let _ = Command::new("git")
        .args(["apply", "patch"])
        .current_dir(patched.root())
        .output();
    assert_eq!(fixed.run(&["fix"]).code, 0);
    for path in ["app/Dockerfile", "app/Dockerfile.dev"] {
        assert_eq!(patched.read(path), fixed.read(path), "{path}");
    }
    assert_eq!(
        fixed.run(&["fix", "--check"]).code,
        0,
        "a second run finds nothing"
    );
}

#[test]
fn the_ignore_file_of_a_context_is_told_once() {
    let ran = project().run(&["fix", "--diff"]);
    let told = ran.out.matches("+++ b/app/.dockerignore").count();
    assert!(told <= 1, "{}", ran.out);
}

#[test]
fn a_dockerfile_on_standard_input_goes_to_standard_output() {
    let ran = Repository::with(&[]).run_with(&["fix", "-"], b"FROM debian:12-slim\nCMD a b\n");
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "FROM debian:12-slim\nCMD [\"a\", \"b\"]\n")
    );
}

#[test]
fn a_list_of_paths_on_standard_input() {
    let repository = project();
    let ran = repository.run_with(
        &["check", "--paths-from", "-", "--no-context"],
        b"app/Dockerfile\r\napp/Dockerfile.dev\n",
    );
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("in 2 of 2 files"), "{}", ran.out);
}

#[test]
fn a_context_above_is_told() {
    let repository = Repository::with(&[
        (
            "docker/Dockerfile",
            b"FROM debian:12-slim\nCOPY src/a /a\nCMD /a b\n",
        ),
        ("src/a", b""),
    ]);
    let ran = repository.run(&["check"]);
    assert!(
        ran.out
            .contains("note: build context: ., where the sources of its COPY instructions are"),
        "{}",
        ran.out
    );
}

#[test]
fn a_baseline_leaves_what_is_new() {
    let repository = Repository::with(&[("Dockerfile", b"FROM debian:12-slim\nCMD a b\n")]);
    let report = repository.run(&["check", "--format", "json"]);
    assert_eq!(report.code, 1);
    repository.write("known.json", report.out.as_bytes());
    repository.write(".docker-diet.yaml", b"baseline: known.json\n");
    let ran = repository.run(&["check"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "nothing to do in 1 file\n")
    );
    repository.write(
        "Dockerfile",
        b"FROM debian:12-slim\nCMD a b\nFROM debian:12-slim\nCMD c d\n",
    );
    let ran = repository.run(&["check", "--only", "exec-form"]);
    assert!(
        ran.code == 1 && ran.out.contains("1 rewrite possible"),
        "{ran:?}"
    );
}

#[test]
fn rows_of_the_configuration_are_known() {
    let repository =
        Repository::with(&[("Dockerfile", b"FROM corp.example/base:3\nCMD [\"serve\"]\n")]);
    let plain = repository.run(&["check"]);
    assert!(!plain.out.contains("live-base"), "{plain:?}");
    repository.write(
        ".docker-diet.yaml",
        b"catalog:\n  families:\n  - name: corp.example/base\n    bases: [{on: debian-slim, release: buster, complete: true}]\n",
    );
    let known = repository.run(&["check"]);
    assert!(
        known
            .out
            .contains("corp.example/base:3 reached its end of life"),
        "{known:?}"
    );
}
