//! Whether a build asks for the history of the project.

use crate::catalog::{Catalog, WordSet};
use crate::context::{Context, Entry};
use crate::rules::context_use::ContextUse;

/// More than this is not a build file but data.
const LARGEST: u64 = 256 << 10;

/// Whether a RUN, a build script or a plugin reads `.git`.
pub(super) fn asks_for_history(catalog: &Catalog, uses: &ContextUse, context: &Context) -> bool {
    let in_runs = uses
        .files
        .iter()
        .flat_map(|file| &file.runs)
        .any(|run| run_asks(run) || run.contains("-buildvcs=true"));
    in_runs || context.truncated() || files_ask(catalog, context)
}

fn files_ask(catalog: &Catalog, context: &Context) -> bool {
    context.visible().any(|(path, entry)| {
        let Entry::File { size, .. } = entry else {
            return false;
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_go = name.ends_with(".go");
        let is_build_file = catalog.has_word(WordSet::BuildFiles, name)
            || catalog.ends_with_word(WordSet::BuildFileEndings, name);
        if !is_go && !is_build_file
            || *size > LARGEST
            || path.contains("node_modules/")
            || path.starts_with(".git/")
        {
            return false;
        }
        let Some(bytes) = context.read(path) else {
            return false;
        };
        let text = String::from_utf8_lossy(&bytes);
        match is_go {
            true => text.contains("vcs.revision") || text.contains("vcs.time"),
            false => catalog.word_in(WordSet::HistoryReaders, &text).is_some(),
        }
    })
}

/// Whether a RUN calls `git` for more than fetching something else.
fn run_asks(run: &str) -> bool {
    run.match_indices("git ").any(|(at, _)| {
        let starts_word = run[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && !"-_/.".contains(before));
        let mut words = run[at + 4..].split_whitespace();
        let mut verb = words.next().unwrap_or_default();
        while verb.starts_with('-') || verb == "\\" {
            // `git -C folder log`
            if matches!(verb, "-C" | "-c") {
                words.next();
            }
            verb = words.next().unwrap_or_default();
        }
        starts_word
            && matches!(
                verb.trim_end_matches([')', '"', '`', '\'']),
                "branch"
                    | "checkout"
                    | "describe"
                    | "diff"
                    | "fetch"
                    | "log"
                    | "ls-files"
                    | "ls-tree"
                    | "pull"
                    | "rev-list"
                    | "rev-parse"
                    | "reset"
                    | "show"
                    | "status"
                    | "submodule"
                    | "symbolic-ref"
                    | "tag"
                    | "archive"
                    | "lfs"
                    | "clean"
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetching_something_else_asks_for_nothing() {
        assert!(run_asks(
            "RUN go build -ldflags \"-X v=$(git describe --tags)\""
        ));
        assert!(run_asks("RUN git -C . rev-parse HEAD"));
        assert!(run_asks("RUN git submodule update --init"));
        assert!(!run_asks("RUN apt-get install -y git curl"));
        assert!(!run_asks("RUN git clone https://example.org/x && cd x"));
        assert!(!run_asks("RUN git config --global user.name x"));
        assert!(!run_asks("RUN legit status"));
    }
}
