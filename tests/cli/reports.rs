//! The reports for forges: each as a snapshot over awkward content, and what must hold of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::Repository;

/// Latin-1, terminal escapes, Markdown, HTML, mentions, and a path with all that a format gives a meaning to.
fn awkward() -> Repository {
    Repository::with(&[
        (
            "a b,c:d%/Dockerfile",
            b"FROM node:20\n# caf\xe9 \x1b[31m ``` </details> @everyone moby/moby#1\nLABEL note=\"caf\xe9 ```` <img src=x>\"\nWORKDIR /app\nCOPY . .\nRUN npm install\nCMD npm start\n",
        ),
        ("a b,c:d%/package.json", b"{\"scripts\": {\"start\": \"node a.js\"}}"),
        ("a b,c:d%/package-lock.json", b"{\"lockfileVersion\": 3, \"packages\": {}}"),
        ("a b,c:d%/a.js", b"console.log(1)\n"),
        ("refused/Dockerfile", b"NONSENSE ::error::x\n"),
        (
            "shell/Dockerfile",
            b"FROM python:latest\r\nRUN apt-get update\r\nRUN apt-get install -y curl `cat x|y`\r\nRUN ./@everyone #1 <b>|\r\nCMD python a.py 100%\r\n",
        ),
        ("lean/Dockerfile", b"FROM scratch\nCOPY a /\nUSER 1000\n"),
    ])
}

#[track_caller]
fn snapshot(name: &str, text: &str) {
    let mut snapshots = insta::Settings::clone_current();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/reports");
    snapshots.set_snapshot_path(folder);
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    snapshots.bind(|| insta::assert_snapshot!(name, text));
}

fn report(repository: &Repository, format: &str) -> String {
    let ran = repository.run(&["check", "--format", format, "--fail-on", "none"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

#[test]
fn github() {
    let text = report(&awkward(), "github");
    snapshot("github", &text);
    for line in text.lines() {
        let (properties, _) = line[2..].split_once("::").expect("a command");
        let (kind, properties) = properties.split_once(' ').expect("properties");
        assert!(["warning", "notice", "error"].contains(&kind), "{line}");
        for property in properties.split(',') {
            let (_, value) = property.split_once('=').expect("name and value");
            assert!(!value.contains([':', ',']), "{line}");
        }
    }
}

#[test]
fn gitlab() {
    let text = report(&awkward(), "gitlab");
    snapshot("gitlab", &text);
    let entries: Vec<Value> = serde_json::from_str(&text).expect("an array");
    let fingerprints: BTreeSet<&str> = (entries.iter())
        .map(|entry| entry["fingerprint"].as_str().expect("a text"))
        .collect();
    assert_eq!(fingerprints.len(), entries.len(), "each has its own");
    assert_eq!(report(&Repository::with(&[]), "gitlab"), "[\n]\n");
}

#[test]
fn markdown() {
    let text = report(&awkward(), "markdown");
    snapshot("markdown", &text);
    assert!(!text.contains('\x1b'));
}

#[test]
fn sarif() {
    let text = report(&awkward(), "sarif");
    let mut log: Value = serde_json::from_str(&text).expect("JSON");
    let rules = log["runs"][0]["tool"]["driver"]["rules"].take();
    log["runs"][0]["tool"]["driver"]["semanticVersion"] = "VERSION".into();
    snapshot("sarif", &format!("{log:#}\n"));
    let rule = rules
        .as_array()
        .expect("rules")
        .iter()
        .find(|rule| rule["id"] == "exec-form");
    snapshot("sarif-rule", &format!("{:#}\n", rule.expect("it is there")));
}

/// What the schema cannot say: indices, regions, fingerprints. The schema itself is asked by `.ci/sarif_agreement.py`.
#[test]
fn sarif_refers_to_what_is_there() {
    let repository = awkward();
    let log: Value = serde_json::from_str(&report(&repository, "sarif")).expect("JSON");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for rule in rules {
        for text in ["shortDescription", "help"] {
            assert!(!rule[text]["text"].as_str().expect("a text").is_empty());
        }
    }
    let mut fingerprints = BTreeSet::new();
    for result in run["results"].as_array().expect("results") {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["region"]["startLine"].as_u64() >= Some(1));
        let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(!uri.starts_with('/') && !uri.contains([' ', ':']), "{uri}");
        let own = (uri, result["partialFingerprints"].to_string());
        assert!(
            fingerprints.insert((result["ruleId"].to_string(), own)),
            "{result:#}"
        );
    }
}

fn fingerprints(repository: &Repository) -> BTreeSet<String> {
    let log: Value = serde_json::from_str(&report(repository, "sarif")).expect("JSON");
    let results = log["runs"][0]["results"]
        .as_array()
        .expect("results")
        .clone();
    results
        .iter()
        .map(|result| result["partialFingerprints"].to_string())
        .collect()
}

#[test]
fn fingerprints_outlive_edits_elsewhere() {
    let repository = awkward();
    let before = fingerprints(&repository);
    let path = "shell/Dockerfile";
    let mut text = b"# One more comment.\r\n\r\nARG X=1\r\n".to_vec();
    text.extend_from_slice(&repository.read(path));
    repository.write(path, &text);
    assert_eq!(fingerprints(&repository), before);
}

/// By path: offset, length and new bytes.
fn replacements(log: &Value) -> BTreeMap<String, Vec<(usize, usize, Vec<u8>)>> {
    let mut files: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for fix in list(&log["runs"][0]["results"])
        .iter()
        .flat_map(|result| list(&result["fixes"]))
    {
        for change in list(&fix["artifactChanges"]) {
            let uri = change["artifactLocation"]["uri"]
                .as_str()
                .expect("a URI")
                .to_owned();
            for replacement in list(&change["replacements"]) {
                let region = &replacement["deletedRegion"];
                let number = |name: &str| region[name].as_u64().expect("a number") as usize;
                let content = &replacement["insertedContent"];
                assert_eq!(
                    content.get("binary"),
                    None,
                    "no line of this text is replaced"
                );
                let new = content["text"]
                    .as_str()
                    .unwrap_or_default()
                    .as_bytes()
                    .to_vec();
                let file = files.entry(uri.clone()).or_default();
                file.push((number("byteOffset"), number("byteLength"), new));
            }
        }
    }
    files
}

#[test]
fn all_fixes_of_sarif_together_are_what_fix_writes() {
    let repository = awkward();
    let log: Value = serde_json::from_str(&report(&repository, "sarif")).expect("JSON");
    let uris = [
        ("a%20b%2Cc%3Ad%25/Dockerfile", "a b,c:d%/Dockerfile"),
        ("a%20b%2Cc%3Ad%25/.dockerignore", "a b,c:d%/.dockerignore"),
        ("shell/Dockerfile", "shell/Dockerfile"),
    ];
    let files = replacements(&log);
    let mut made = Vec::new();
    for (uri, path) in uris {
        let mut changes = files.get(uri).expect("it is changed").clone();
        changes.sort_by_key(|change| (change.0, change.1));
        let mut text = std::fs::read(repository.path(path)).unwrap_or_default();
        for (offset, length, new) in changes.into_iter().rev() {
            text.splice(offset..offset + length, new);
        }
        made.push((path, text));
    }
    assert_eq!(repository.run(&["fix"]).code, 0);
    for (path, text) in made {
        assert_eq!(repository.read(path), text, "{path}");
    }
}

#[test]
fn a_comment_stays_within_the_limit() {
    let repository = Repository::with(&[]);
    for number in 0..120 {
        let run = "RUN apt-get update && apt-get install -y curl\n".repeat(1 + number % 30);
        let text = format!("FROM debian:12\n{run}CMD a b\n");
        repository.write(&format!("service-{number}/Dockerfile"), text.as_bytes());
    }
    let text = report(&repository, "markdown");
    assert!(text.len() <= 65_536, "{}", text.len());
    assert!(
        text.len() > 50_000,
        "as much as fits is there: {}",
        text.len()
    );
    for (begin, end) in [
        ("```diff\n", "```\n\n</details>"),
        ("<details>", "</details>"),
    ] {
        assert_eq!(text.matches(begin).count(), text.matches(end).count());
    }
    assert!(text.contains("is too long for this comment: `docker-diet fix --diff` prints it."));
}

#[test]
fn errors_reach_every_format() {
    let repository = Repository::with(&[("Dockerfile", b"FROM scratch\nRUN \0\n")]);
    for (format, expected) in [
        (
            "github",
            "::error file=Dockerfile,line=1,endLine=1,title=docker-diet::is not a text file",
        ),
        ("gitlab", "\"severity\":\"major\""),
        (
            "markdown",
            "Error: is not a text file: line 2 holds a NUL byte",
        ),
        ("sarif", "\"executionSuccessful\":false"),
    ] {
        let ran = repository.run(&["check", "Dockerfile", "--format", format]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.out.contains(expected), "{format}: {}", ran.out);
        assert!(ran.err.contains("Dockerfile is not a text file"), "{ran:?}");
    }
}

#[test]
fn what_fails_a_run_is_a_choice() {
    let safe: &[u8] = b"FROM debian:12-slim\nRUN apt-get update && apt-get install -y --no-install-recommends curl\nUSER 1\nCMD [\"a\"]\n";
    let standard: &[u8] = b"FROM debian:12-slim\nUSER 1\nCMD a b\n";
    let lean: &[u8] = b"FROM scratch\nUSER 1\n";
    // By kind of file: rewrites, safe, standard, aggressive, none.
    for (text, expected) in [
        (safe, [1, 1, 1, 1, 0]),
        (standard, [1, 0, 1, 1, 0]),
        (lean, [0; 5]),
    ] {
        let repository = Repository::with(&[("Dockerfile", text)]);
        let choices = ["rewrites", "safe", "standard", "aggressive", "none"];
        for (choice, code) in choices.into_iter().zip(expected) {
            for command in [&["check"][..], &["fix", "--check"], &["fix", "--diff"]] {
                let mut arguments = command.to_vec();
                arguments.extend(["--no-context", "--fail-on", choice]);
                let ran = repository.run(&arguments);
                assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
            }
        }
        assert_eq!(repository.run(&["fix", "--diff", "--no-context"]).code, 0);
    }
    let repository = Repository::with(&[("Dockerfile", standard)]);
    let written = repository.run(&["fix", "--no-context", "--fail-on", "rewrites"]);
    assert_eq!(
        written.code, 1,
        "it was written, and that is what was to be said"
    );
    assert_eq!(
        repository
            .run(&["fix", "--no-context", "--fail-on", "rewrites"])
            .code,
        0
    );
}
