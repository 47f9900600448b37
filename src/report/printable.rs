//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// `bytes` as text that moves no cursor and reverses no line: control characters, bytes that are not
/// UTF-8, and the invisible characters that reorder or hide text are written as escapes (`\x1b`, `\u{202e}`).
///
/// A tab stays; a line feed does not.
#[must_use]
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_harmful)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                harmful if is_harmful(harmful) && harmful.is_ascii() => {
                    push(&mut out, format_args!("\\x{:02x}", u32::from(harmful)));
                }
                harmful if is_harmful(harmful) => {
                    push(&mut out, format_args!("\\u{{{:x}}}", u32::from(harmful)));
                }
                plain => out.push(plain),
            }
        }
        for byte in chunk.invalid() {
            push(&mut out, format_args!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(out)
}

fn push(out: &mut String, escape: std::fmt::Arguments<'_>) {
    out.write_fmt(escape).expect("a String takes any text");
}

fn is_harmful(char: char) -> bool {
    (char.is_control() && char != '\t')
        || matches!(char,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(
            printable("Dockerfile é ✓\t".as_bytes()),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn escapes_and_reversals_become_visible() {
        assert_eq!(printable(b"a\x1b[31mb\r\n\x7f"), "a\\x1b[31mb\\r\\n\\x7f");
        assert_eq!(
            printable("a\u{202e}b\u{9b}c".as_bytes()),
            "a\\u{202e}b\\u{9b}c"
        );
        assert_eq!(printable(b"caf\xe9"), "caf\\xe9");
    }
}
