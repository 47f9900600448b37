use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Dockerignore {
    Dockerignore::parse(text.as_bytes()).expect("the patterns are valid")
}

#[test]
fn lines_keep_their_place() {
    let ignore = parse("\u{FEFF}# first\r\n\n /a/./b/ \r\n! c\n");
    let lines: Vec<_> = ignore
        .lines()
        .iter()
        .map(|line| (line.pattern.as_str(), line.negated, line.number, line.span))
        .collect();
    assert_eq!(
        lines,
        [
            ("a/b", false, 3, Span::new(13, 22)),
            ("c", true, 4, Span::new(24, 27)),
        ]
    );
    assert_eq!(ignore.first_negation_offset(), Some(24));
}

#[test]
fn common_patterns() {
    let ignore = parse("node_modules\n**/*.log\n**/dist\ndocs/**\n*.md\n!README.md\n**/tmp*\n");
    for path in [
        "node_modules",
        "node_modules/a/b.js",
        "a.log",
        "a/b.log",
        "a/dist/x",
        "docs/x",
        "NEWS.md",
        "a/tmpfile",
    ] {
        assert!(ignore.ignores(path), "{path}");
    }
    for path in [
        "a/node_modules",
        "README.md",
        "a/NEWS.md",
        "docs",
        "distance",
        "log",
    ] {
        assert!(!ignore.ignores(path), "{path}");
    }
    let line = ignore.ignoring_pattern("a/dist/x").expect("it is ignored");
    assert_eq!((line.pattern.as_str(), line.number), ("**/dist", 3));
}

#[test]
fn what_docker_leaves_unescaped_is_a_regular_expression() {
    for (pattern, path) in [
        ("x{3}*", "xxx"),
        ("b*|c", "axc"),
        ("\\d*", "7a"),
        ("*[[:alpha:]]*", "[:b]x"),
    ] {
        let found = parse(pattern).ignores(path);
        assert_eq!(
            found,
            pattern != "*[[:alpha:]]*" || path.contains('b'),
            "{pattern} {path}"
        );
    }
    assert!(parse("x{3}").ignores("x{3}"));
    assert!(!parse("x{3}").ignores("xxx"));
}

#[test]
fn refused_as_docker_refuses() {
    for (text, line, message) in [
        ("a\n[\n", 2, "syntax error in pattern"),
        ("!", 1, "illegal exclusion pattern: \"!\""),
        ("\n\n!/\n", 3, "illegal exclusion pattern: \"!\""),
        ("*{2}", 1, "syntax error in pattern"),
    ] {
        assert_eq!(
            Dockerignore::parse(text.as_bytes()).map(|_| ()),
            Err(PatternError {
                line,
                message: message.to_owned()
            }),
            "{text:?}"
        );
    }
    assert!(Dockerignore::parse(&[b'a'; 1 << 16]).is_err());
    assert!(Dockerignore::parse(&[b'a'; (1 << 16) - 1]).is_ok());
}

#[test]
fn hostile_patterns_end_soon() {
    let text = format!("{}b\n{}b\n", "**/".repeat(3_000), "*a".repeat(3_000));
    let ignore = Dockerignore::parse(text.as_bytes()).expect("valid, if silly");
    assert!(!ignore.ignores(&"a/".repeat(20)));
    assert!(Dockerignore::parse(&b"a{1000}*".repeat(8_000)).is_err());
}

#[test]
fn a_folder_is_skipped_only_if_nothing_below_comes_back() {
    let ignore = parse("*\n!src\n!docs/*.md\n!**/keep\n");
    assert!(!ignore.can_skip_folder("src"));
    assert!(!ignore.can_skip_folder("docs"));
    assert!(!ignore.can_skip_folder("other"));
    let ignore = parse("*\n!src/main\n!docs/*.md\n!*.txt\n");
    assert!(!ignore.can_skip_folder("src"));
    assert!(!ignore.can_skip_folder("docs"));
    assert!(ignore.can_skip_folder("other"));
    assert!(ignore.can_skip_folder("src/other"));
}

#[test]
fn the_walk_judges_from_the_folder() {
    let ignore = parse("a/b\n!a\n");
    assert!(!ignore.ignores("a/b"));
    let folder = ignore.descend(&Descent::default(), "a");
    assert!(!folder.ignored());
    assert!(ignore.descend(&folder, "a/b").ignored());
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "/",
        "**",
        "*",
        "?",
        "[",
        "]",
        "^",
        "!",
        "\\",
        "{2}",
        "|",
        ".",
        "..",
        "\n",
        "-",
        "é",
        "\r",
        " ",
        "#",
        "\\d",
        "\\Q",
        "[:alpha:]",
        "$",
        "(",
        ")",
        "+",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_text_and_path_are_answered(text in text(), path in "[ab/.é]{0,20}") {
        if let Ok(ignore) = Dockerignore::parse(&text) {
            let ignored = ignore.ignores(&path);
            prop_assert_eq!(ignored, ignore.ignoring_pattern(&path).is_some());
            if ignore.can_skip_folder(&path) {
                for below in ["a", "b/a", "é.b"] {
                    let below = format!("{}/{}", path, below);
                    prop_assert!(ignore.ignores(&below));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(text in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(ignore) = Dockerignore::parse(&text) {
            for line in ignore.lines() {
                prop_assert!(line.span.end <= text.len());
            }
            let _ = ignore.ignores("a/b");
        }
    }
}
