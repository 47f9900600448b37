//! Go modules.

use crate::catalog::WordSet;
use crate::model::{PackageOperation, Verb};
use crate::stack::Details;

use super::step::{Call, Install, Step};

/// What a call of `go` reads.
pub(super) fn step(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let Some(arguments) = call.arguments() else {
        // `go build -ldflags "-X v=$V"`
        let builds = call
            .simple
            .arguments()
            .first()
            .and_then(|word| word.literal.as_deref());
        return match builds {
            Some(b"build" | b"install") => fetch_first(call),
            _ => Step::Everything,
        };
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["mod", "download", rest @ ..] if rest.iter().all(|word| word.starts_with('-')) => {
            match modules(call) {
                Some(mut install) => {
                    install.what = call.text();
                    Step::Install(Box::new(install))
                }
                None => Step::Everything,
            }
        }
        ["env" | "version", ..] => Step::Nothing,
        ["install", ..]
            if operation.verb == Verb::Install
                && !operation.packages.is_empty()
                && operation
                    .packages
                    .iter()
                    .all(|package| package.raw.contains(&b'@')) =>
        {
            Step::Nothing
        }
        ["build" | "install", ..] => fetch_first(call),
        _ => Step::Everything,
    }
}

/// A build before which `go mod download` can run.
fn fetch_first(call: &Call<'_>) -> Step {
    let sets_variables = call.simple.assignments.iter().any(|assignment| {
        std::str::from_utf8(&assignment.name).is_ok_and(|name| {
            call.copy
                .ctx
                .catalog
                .has_word(WordSet::GoModuleVariables, name)
        })
    });
    let words = call.simple.words.iter();
    let changes_modules = words
        .clone()
        .any(|word| word.raw.starts_with(b"-mod") || word.raw.starts_with(b"-C"));
    // Before modules were the default, a folder below GOPATH was none.
    let in_gopath = call.workdir().starts_with("/go/src") && call.env("GO111MODULE") != Some("on");
    let off = call.env("GO111MODULE") == Some("off")
        || call
            .env("GOFLAGS")
            .is_some_and(|flags| flags.contains("-mod"))
        || call.env("GOPROXY") == Some("off");
    if sets_variables || changes_modules || in_gopath || off || call.simple.name() != Some(b"go") {
        return Step::Everything;
    }
    match modules(call) {
        Some(install) => Step::FetchFirst(Box::new(install)),
        None => Step::Everything,
    }
}

/// `go mod download`; none where there is no module with dependencies, or they are in the project.
fn modules(call: &Call<'_>) -> Option<Install> {
    let project = call.project("go")?;
    let Details::Go(go) = &project.details else {
        return None;
    };
    let outside = project.findings.iter().any(|finding| {
        finding.fact.contains("points") || finding.fact.contains("in the build context")
    });
    if go.vendored || outside || go.requires.is_empty() || project.locks.is_empty() {
        return None;
    }
    let mut files = project.manifests.clone();
    files.extend(project.locks.iter().cloned());
    Some(Install {
        manager: "go".to_owned(),
        what: "go mod download".to_owned(),
        files,
        ..Install::default()
    })
}
