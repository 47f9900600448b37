//! Words in sources that tell of files being written, for the calls whose paths no stack reads.

use super::Evidence;
use super::paths::{Bounds, extension, file_name, parent, text};
use crate::catalog::WritingCalls;
use crate::context::Context;

/// What a search for words found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// The first word and where it stands.
    Found(Evidence),
    /// None of the words, in so many files.
    Clean(usize),
    /// There is more to read than the bounds allow.
    TooMuch,
}

/// Folders whose files do not run in production.
const ASIDE: &[&str] = &[
    "__mocks__",
    "__tests__",
    "benches",
    "cypress",
    "docs",
    "e2e",
    "examples",
    "node_modules",
    "spec",
    "test",
    "testdata",
    "tests",
    "vendor",
];

/// Looks for the words of `calls` in those of `paths` (of the context) that are sources of the language and no tests.
#[must_use]
pub fn writing_words<'a>(
    context: &Context,
    paths: impl IntoIterator<Item = &'a str>,
    calls: &WritingCalls,
    bounds: Bounds,
) -> Search {
    let (mut count, mut bytes) = (0, 0);
    for path in paths.into_iter().filter(|path| is_source(path, calls)) {
        let Some(source) = text(context, path) else {
            return Search::TooMuch;
        };
        count += 1;
        bytes += source.len() as u64;
        if count > bounds.files || bytes > bounds.bytes {
            return Search::TooMuch;
        }
        for (number, line) in source.lines().enumerate() {
            if is_comment(line) {
                continue;
            }
            let found = calls
                .words
                .get()
                .iter()
                .find(|word| stands_whole(line, word.get()));
            if let Some(word) = found {
                return Search::Found(Evidence {
                    fact: word.to_string(),
                    source: format!("{path}:{}", number + 1),
                });
            }
        }
    }
    if context.truncated() {
        return Search::TooMuch;
    }
    Search::Clean(count)
}

/// The first line of the sources among `paths` that speaks of a port or an address and names a well-known port below
/// 1024. What a client asks for is not told apart from what a server listens on.
#[must_use]
pub fn well_known_port<'a>(
    context: &Context,
    paths: impl IntoIterator<Item = &'a str>,
    calls: &WritingCalls,
) -> Option<Evidence> {
    let mut sources = paths.into_iter().filter(|path| is_source(path, calls));
    sources.find_map(|path| {
        let source = text(context, path)?;
        source.lines().enumerate().find_map(|(number, line)| {
            let port = low_port(line)?;
            Some(Evidence::new(port, &format!("{path}:{}", number + 1)))
        })
    })
}

fn is_source(path: &str, calls: &WritingCalls) -> bool {
    let own = extension(path);
    calls.endings.get().iter().any(|ending| *ending == own) && !is_aside(path)
}

fn low_port(line: &str) -> Option<&'static str> {
    if is_comment(line) {
        return None;
    }
    let lower = line.to_ascii_lowercase();
    let names_it = ["port", "listen", "bind", "addr", "htons"]
        .iter()
        .any(|word| {
            lower.match_indices(word).any(|(at, _)| {
                // `import` and `export` stand in many lines.
                !["im", "ex", "sup", "re", "trans"]
                    .iter()
                    .any(|before| *word == "port" && lower[..at].ends_with(before))
            })
        });
    ["22", "53", "80", "81", "443"]
        .into_iter()
        .find(|port| names_it && stands_whole(line, port))
}

/// Whether a file does not run in production: tests, documentation, the configuration of tools.
#[must_use]
pub fn is_aside(path: &str) -> bool {
    let name = file_name(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    parent(path).split('/').any(|part| ASIDE.contains(&part))
        || format!("/{path}").contains("/src/test/")
        || stem.ends_with("_test")
        || stem.ends_with(".test")
        || stem.ends_with(".spec")
        || stem.ends_with(".config")
        || stem.starts_with("test_")
        || matches!(
            name,
            "conftest.py" | "gulpfile.js" | "Gruntfile.js" | "build.rs"
        )
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["//", "#", "*", "/*", "<!--", "--"]
        .iter()
        .any(|mark| line.starts_with(mark))
        && !line.starts_with("#include")
}

/// Whether `word` stands in `line` with no letter, digit or underscore next to those of its ends that are one.
fn stands_whole(line: &str, word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let (bytes, wanted) = (line.as_bytes(), word.as_bytes());
    let opens = wanted.first().copied().is_some_and(is_part);
    // What opens a text, as `open('w`, is the beginning of longer ones.
    let closes = wanted.last().copied().is_some_and(is_part) && !word.contains(['"', '\'']);
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).map(|at| bytes[at]);
        let after = bytes.get(at + wanted.len()).copied();
        !(opens && before.is_some_and(is_part) || closes && after.is_some_and(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn search(files: &[(&str, &str)], language: &str) -> Search {
        let context = Context::in_memory(files.iter().copied());
        let catalog = Catalog::default();
        let calls = catalog.writing_calls(language).expect("a row");
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        writing_words(&context, paths, calls, Bounds::default())
    }

    #[test]
    fn words_count_where_they_stand_whole_and_are_no_comment() {
        let clean = search(
            &[
                (
                    "main.go",
                    "// os.Remove(x)\nmyos.RemoveX()\nos.RemoveAllOf()\n",
                ),
                ("main_test.go", "os.Remove(x)\n"),
                ("vendor/x/x.go", "os.Remove(x)\n"),
                ("notes.txt", "os.Remove(x)\n"),
            ],
            "go",
        );
        assert_eq!(clean, Search::Clean(1));
        let found = search(&[("a/main.go", "package main\n\tos.Remove(x)\n")], "go");
        assert_eq!(
            found,
            Search::Found(Evidence::new("os.Remove", "a/main.go:2"))
        );
    }

    #[test]
    fn low_ports_are_seen_beside_words_that_tell_of_them() {
        let port = |line: &str| {
            let context = Context::in_memory([("main.go", line)]);
            let catalog = Catalog::default();
            let calls = catalog.writing_calls("go").expect("a row");
            well_known_port(&context, ["main.go"], calls).map(|found| found.fact)
        };
        assert_eq!(
            port("port := flag.Int(\"port\", 80, \"\")").as_deref(),
            Some("80")
        );
        assert_eq!(
            port("address.sin_port = htons(443);").as_deref(),
            Some("443")
        );
        assert_eq!(port("port := 8080"), None);
        assert_eq!(port("export const limit = 80"), None);
        assert_eq!(port("// port 80"), None);
    }

    #[test]
    fn marks_at_the_ends_of_a_word_are_taken_as_they_are() {
        let django = [("settings.py", "'ENGINE': 'django.db.backends.sqlite3',\n")];
        assert!(matches!(search(&django, "python"), Search::Found(_)));
        let open = [("a.py", "with p.open('wb') as f: pass\n")];
        assert!(matches!(search(&open, "python"), Search::Found(_)));
        let read = [("a.py", "with p.open('rb') as f: pass\n")];
        assert_eq!(search(&read, "python"), Search::Clean(1));
    }
}
