//! Lines of an indented file, as package managers write their lock files: `  "key": value`.
//!
//! Not YAML: no anchors, no folded text. Lock files hold none, and reading lines is what keeps a file of several
//! megabytes fast.

/// A line with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Spaces before it.
    pub(super) indent: usize,
    /// Before the `:`, or before the first space where there is none; quotes removed.
    pub(super) key: &'a str,
    /// After it, quotes removed; empty for a line that only opens a block.
    pub(super) value: &'a str,
}

/// The lines of `text` that are neither blank nor comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(line)
}

fn line(text: &str) -> Option<Line<'_>> {
    let content = text.trim_start_matches(' ');
    if content.trim_end().is_empty() || content.starts_with('#') {
        return None;
    }
    let indent = text.len() - content.len();
    let content = content.trim_end();
    let (key, value) = split(content);
    Some(Line {
        indent,
        key: unquote(key),
        value: unquote(value.trim()),
    })
}

/// Key and value of a line; a Yarn 1 line has no colon between them, and several quoted keys before the last one.
fn split(content: &str) -> (&str, &str) {
    if let Some(quote @ ('"' | '\'')) = content.chars().next()
        && let Some(end) = content[1..].find(quote)
    {
        let rest = &content[end + 2..];
        match rest.strip_prefix(':') {
            Some(value) => return (&content[..end + 2], value),
            None if !rest.starts_with(',') => return (&content[..end + 2], rest),
            None => {}
        }
    }
    if let Some(key) = content.strip_suffix(':') {
        return (key, "");
    }
    match (content.find(": "), content.find(' ')) {
        (Some(colon), Some(space)) if colon < space => (&content[..colon], &content[colon + 1..]),
        (_, Some(space)) => (&content[..space], &content[space..]),
        _ => (content, ""),
    }
}

/// `text` without the quotes around the whole of it.
pub(super) fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
            && !inner.contains(quote)
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_and_values_of_three_dialects() {
        let read = |text| line(text).map(|line| (line.indent, line.key, line.value));
        assert_eq!(read("  version \"1.0.0\""), Some((2, "version", "1.0.0")));
        assert_eq!(read("    \"@a/b\" \"^1.0\""), Some((4, "@a/b", "^1.0")));
        assert_eq!(read("a@1, \"b@>= 2\":"), Some((0, "a@1, \"b@>= 2\"", "")));
        assert_eq!(
            read("\"a@npm:1, a@npm:2\":"),
            Some((0, "a@npm:1, a@npm:2", ""))
        );
        assert_eq!(
            read("      specifier: '>= 1'"),
            Some((6, "specifier", ">= 1"))
        );
        assert_eq!(read("  '@a/b@1.0.0':"), Some((2, "@a/b@1.0.0", "")));
        assert_eq!(read("  # note"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read(text in "[ a:'\",é]{0,20}") {
            let _ = line(&text);
        }
    }
}
