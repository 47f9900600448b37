//! Colours and widths of a terminal.

use anstyle::{AnsiColor, Style};

/// How text for people is dressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether colours are written.
    pub color: bool,
    /// Columns at which long sentences are broken; none where nothing is (pipes and files).
    pub width: Option<usize>,
}

/// Names of files, headings.
pub(crate) const HEADING: Style = Style::new().bold();
/// Line numbers, group headings, what is second to look at.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Rewrites, added lines.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Refusals, hunk headers of interest.
pub(crate) const CAREFUL: Style = AnsiColor::Yellow.on_default();
/// Findings.
pub(crate) const NOTE: Style = AnsiColor::Blue.on_default();
/// Removed lines, errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Hunk headers, code.
pub(crate) const MARK: Style = AnsiColor::Cyan.on_default();

impl Paint {
    /// Appends `text` in `style`.
    pub(crate) fn put(self, out: &mut Vec<u8>, style: Style, text: &str) {
        self.put_bytes(out, style, text.as_bytes());
    }

    /// Appends `text` from column `indent` on in lines that end with a line feed, broken at [`Paint::width`].
    pub(crate) fn put_wrapped(self, out: &mut Vec<u8>, style: Style, text: &str, indent: usize) {
        let room = match self.width {
            Some(width) => width.saturating_sub(indent).max(24),
            None => usize::MAX,
        };
        for (at, line) in wrap(text, room).iter().enumerate() {
            if at > 0 {
                out.extend(std::iter::repeat_n(b' ', indent));
            }
            self.put(out, style, line);
            out.push(b'\n');
        }
    }

    /// Appends bytes in `style`.
    pub(crate) fn put_bytes(self, out: &mut Vec<u8>, style: Style, bytes: &[u8]) {
        if self.color && !bytes.is_empty() {
            out.extend_from_slice(style.render().to_string().as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(style.render_reset().to_string().as_bytes());
        } else {
            out.extend_from_slice(bytes);
        }
    }
}

/// Breaks `text` into lines of at most `room` characters at spaces; a word that is longer stands alone.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > room {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word_length;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("extraordinary a b", 4), ["extraordinary", "a b"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn nothing_is_coloured_unasked() {
        let mut out = Vec::new();
        Paint::default().put(&mut out, GOOD, "x");
        assert_eq!(out, b"x");
        Paint {
            color: true,
            width: None,
        }
        .put(&mut out, GOOD, "y");
        assert_eq!(out, b"x\x1b[32my\x1b[0m");
    }
}
