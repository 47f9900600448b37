//! `npm install -g pm2 && npm install`: the part of a RUN of the build that the second stage needs too.

use super::layout::is_global;
use crate::model::{PackageOperation, Verb};
use crate::rules::split_stages::anatomy::{Anatomy, RunPart};

/// The global installs of the RUN at `index`, as commands; none when one of them cannot be written out, or
/// would not put its program on PATH there.
pub(super) fn global_installs(
    anatomy: &Anatomy<'_>,
    index: usize,
    run: &RunPart<'_>,
) -> Option<Vec<String>> {
    let model = anatomy.ctx.model;
    let moved = model.state(index).config.env.keys().any(|name| {
        let name = name.to_ascii_lowercase();
        name.starts_with("npm_config_") || name == "prefix"
    });
    if moved || !model.is_root(index) {
        return None;
    }
    let sets_up = run.language.iter().any(|operation| {
        operation
            .simple
            .words
            .iter()
            .any(|word| matches!(word.literal.as_deref(), Some(b"config" | b"set")))
    });
    if sets_up {
        return None;
    }
    run.language
        .iter()
        .filter(|operation| is_global(operation))
        .map(written_out)
        .collect()
}

/// `npm install -g pm2`.
fn written_out(operation: &PackageOperation<'_>) -> Option<String> {
    let installs = operation.verb == Verb::Install
        && operation.manager.name.get() == "npm"
        && operation.simple.assignments.is_empty()
        && operation.simple.prefix().is_empty()
        && !operation.packages.is_empty();
    if !installs {
        return None;
    }
    let words: Option<Vec<&str>> = operation
        .simple
        .words
        .iter()
        .map(|word| std::str::from_utf8(word.literal.as_deref()?).ok())
        .collect();
    let words = words?;
    let plain = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"@/._=-^~+".contains(&byte))
            && !word.starts_with(['.', '/', '~'])
    };
    words.iter().all(plain).then(|| words.join(" "))
}
