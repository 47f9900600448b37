//! Text from a repository in Markdown of a forge: nothing in it is markup, a mention, a reference or a link.

use std::fmt::Write as _;

use crate::report::printable;

/// `text` as code, in one line and in a cell of a table.
pub(super) fn code(text: &str) -> String {
    let text = printable(text.as_bytes());
    let is_plain = !text.trim().is_empty() && !text.contains(['`', '|', '\t']);
    if is_plain && !text.starts_with(' ') && !text.ends_with(' ') {
        return format!("`{text}`");
    }
    // What ends a span of code or a cell: as an element, with every character that means something as an entity.
    format!("<code>{}</code>", entities(&text))
}

/// `text` inside an HTML element.
pub(super) fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in printable(text.as_bytes()).chars() {
        if char.is_ascii_punctuation() && !matches!(char, '.' | ',' | '-' | '/') || char == '\t' {
            write!(out, "&#{};", u32::from(char)).expect("a String takes any text");
        } else {
            out.push(char);
        }
    }
    out
}

/// A sentence of a rule, which quotes the repository now and then: what stands in backquotes, and every word that holds
/// more than letters, digits and plain punctuation, becomes code.
pub(super) fn prose(text: &str) -> String {
    let text = printable(text.as_bytes());
    let mut out = String::with_capacity(text.len() + 16);
    let balanced = text.matches('`').count().is_multiple_of(2);
    if !balanced {
        words(&mut out, &text);
        return out;
    }
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            out.push_str(&code(part));
        } else {
            words(&mut out, part);
        }
    }
    out
}

fn words(out: &mut String, text: &str) {
    let mut quoted: Vec<&str> = Vec::new();
    for (at, word) in text.split(' ').enumerate() {
        if !is_plain(word) {
            quoted.push(word);
            continue;
        }
        flush(out, &mut quoted);
        if at > 0 && !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    flush(out, &mut quoted);
}

/// Appends words that are to be code as one span; the comma or colon behind them is none of it.
fn flush(out: &mut String, quoted: &mut Vec<&str>) {
    if quoted.is_empty() {
        return;
    }
    let joined = quoted.join(" ");
    quoted.clear();
    let inner = joined.trim_end_matches([',', ':', ';', '.']);
    if !out.is_empty() && !out.ends_with([' ', '(']) {
        out.push(' ');
    }
    if inner.is_empty() {
        out.push_str(&code(&joined));
    } else {
        out.push_str(&code(inner));
        out.push_str(&joined[inner.len()..]);
    }
}

fn is_plain(word: &str) -> bool {
    let plain = |char: char| char.is_alphanumeric() || ",.;:'()-→/\"+=?%–—’".contains(char);
    let references = word.contains("://")
        || word.to_ascii_lowercase().contains("www.")
        || word.to_ascii_uppercase().contains("GH-")
        || (word.contains('%') && word.len() > 1);
    word.chars().all(plain) && !references
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_stay_and_quotations_become_code() {
        assert_eq!(
            prose("`npm start` is `node a.js`: the program itself is process 1"),
            "`npm start` is `node a.js`: the program itself is process 1"
        );
        assert_eq!(
            prose("the base stays: line 3 calls node_modules/.bin/x, and 50 % of it (a_b)"),
            "the base stays: line 3 calls `node_modules/.bin/x`, and 50 % of it `(a_b)`"
        );
        assert_eq!(
            prose("CMD [\"a\", \"b\"] runs"),
            "CMD `[\"a\", \"b\"]` runs"
        );
    }

    #[test]
    fn nothing_becomes_markup() {
        let hostile = [
            ("@everyone look", "`@everyone` look"),
            ("moby/moby#1 GH-12 !3 %4", "`moby/moby#1 GH-12 !3 %4`"),
            ("see https://evil.example/x", "see `https://evil.example/x`"),
            ("<img src=x> **b**", "`<img src=x> **b**`"),
            ("[a](http://b)", "`[a](http://b)`"),
            ("a ` b | c", "a <code>&#96;</code> b <code>&#124;</code> c"),
            ("x\x1b[31m\r\ny", "`x\\x1b[31m\\r\\ny`"),
        ];
        for (text, expected) in hostile {
            assert_eq!(prose(text), expected);
        }
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("a b"), "`a b`");
        assert_eq!(
            code("a`</code><b>|\\"),
            "<code>a&#96;&#60;/code&#62;&#60;b&#62;&#124;&#92;</code>"
        );
        assert_eq!(code(" "), "<code> </code>");
    }
}
