//! How the text of an instruction falls into flags, words and pairs. Ranges are offsets into the joined text.

use std::ops::Range;

use super::runes::{decode, is_blank, is_byte_space};

/// A flag before the first argument.
pub(super) struct RawFlag {
    /// As written.
    pub(super) range: Range<usize>,
    /// Quotes and escapes removed, dashes included.
    pub(super) text: String,
    /// Offset behind the first `=` of `text`, as written.
    pub(super) value_start: Option<usize>,
}

/// The flags at `start` and the offset at which the arguments begin.
pub(super) fn flags(line: &[u8], start: usize, escape: u8) -> (Vec<RawFlag>, usize) {
    let mut flags = Vec::new();
    let mut at = start;
    loop {
        while line.get(at).is_some_and(|byte| is_byte_space(*byte)) {
            at += 1;
        }
        if !line[at..].starts_with(b"--") {
            return (flags, at);
        }
        let flag = flag(line, at, escape);
        at = flag.range.end;
        if flag.text == "--" {
            return (flags, at);
        }
        flags.push(flag);
    }
}

fn flag(line: &[u8], start: usize, escape: u8) -> RawFlag {
    let mut text = String::new();
    let mut value_start = None;
    let mut quote = None;
    let mut at = start;
    while let Some(&byte) = line.get(at) {
        let mut byte = byte;
        if quote.is_none() {
            if is_byte_space(byte) {
                break;
            }
            if matches!(byte, b'\'' | b'"') {
                quote = Some(byte);
                at += 1;
                continue;
            }
        } else if quote == Some(byte) {
            quote = None;
            at += 1;
            continue;
        }
        if byte == escape {
            let Some(&next) = line.get(at + 1) else {
                at += 1;
                break;
            };
            byte = next;
            at += 1;
        }
        at += 1;
        if byte == b'=' && value_start.is_none() {
            value_start = Some(at);
        }
        // BuildKit takes each byte for a character here.
        text.push(byte as char);
    }
    RawFlag {
        range: start..at,
        text,
        value_start,
    }
}

/// Words as ENV, LABEL and ARG have them: parted by white space outside quotes, quotes and escapes kept.
/// `line` is trimmed from `start` on.
pub(super) fn quoted_words(line: &[u8], start: usize, escape: u8) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = start;
    loop {
        while let Some((char, length)) = decode(&line[at..])
            && char.is_whitespace()
        {
            at += length;
        }
        if at >= line.len() {
            return words;
        }
        let word = quoted_word(line, at, escape);
        at = word.end;
        // An escape character that ends the text escapes nothing and is dropped.
        let mut end = at;
        if at == line.len() && ends_in_lone_escape(line, word.start, escape) {
            end -= 1;
        }
        if end > word.start {
            words.push(word.start..end);
        }
    }
}

fn quoted_word(line: &[u8], start: usize, escape: u8) -> Range<usize> {
    let mut quote = None;
    let mut at = start;
    while let Some((char, length)) = decode(&line[at..]) {
        match quote {
            None if char.is_whitespace() => break,
            None if matches!(char, '\'' | '"') => quote = Some(char),
            Some(open) if char == open => quote = None,
            _ if char == escape as char && quote != Some('\'') => {
                at += length;
                at += decode(&line[at..]).map_or(0, |(_, length)| length);
                continue;
            }
            _ => {}
        }
        at += length;
    }
    start..at
}

/// Whether the word that runs from `start` to the end of `line` ends in an escape character that is not itself
/// escaped nor in single quotes.
fn ends_in_lone_escape(line: &[u8], start: usize, escape: u8) -> bool {
    if line.last() != Some(&escape) {
        return false;
    }
    let mut quote = None;
    let mut at = start;
    while at < line.len() {
        let byte = line[at];
        if quote.is_none() && matches!(byte, b'\'' | b'"') {
            quote = Some(byte);
        } else if quote == Some(byte) {
            quote = None;
        } else if byte == escape && quote != Some(b'\'') {
            if at + 1 == line.len() {
                return true;
            }
            at += 1;
        }
        at += 1;
    }
    false
}

/// Words parted by blanks, whatever the quotes. `line` is trimmed from `start` on.
pub(super) fn plain_words(line: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = start;
    while at < line.len() {
        let length = line[at..]
            .iter()
            .position(|byte| is_blank(*byte))
            .unwrap_or(line.len() - at);
        if length > 0 {
            words.push(at..at + length);
        }
        at += length;
        while line.get(at).is_some_and(|byte| is_blank(*byte)) {
            at += 1;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &[u8], ranges: &[Range<usize>]) -> Vec<String> {
        ranges
            .iter()
            .map(|range| String::from_utf8_lossy(&line[range.clone()]).into_owned())
            .collect()
    }

    #[test]
    fn flags_end_at_the_first_argument() {
        let line = b"--a=1 --'b c'=\"x y\" src --d";
        let (found, rest) = flags(line, 0, b'\\');
        let found: Vec<&str> = found.iter().map(|flag| flag.text.as_str()).collect();
        assert_eq!(found, ["--a=1", "--b c=x y"]);
        assert_eq!(&line[rest..], b"src --d");
    }

    #[test]
    fn two_dashes_end_the_flags() {
        let line = b"--a -- --b";
        let (found, rest) = flags(line, 0, b'\\');
        assert_eq!(found.len(), 1);
        assert_eq!(&line[rest..], b" --b");
    }

    #[test]
    fn quoted_words_keep_quotes_and_escapes() {
        let line = b"a=\"b c\" d=e\\ f g='\\' h\\";
        assert_eq!(
            texts(line, &quoted_words(line, 0, b'\\')),
            ["a=\"b c\"", "d=e\\ f", "g='\\'", "h"]
        );
    }

    #[test]
    fn a_lone_escape_is_no_word() {
        assert!(quoted_words(b"\\", 0, b'\\').is_empty());
        assert_eq!(quoted_words(b"a\\\\", 0, b'\\').first(), Some(&(0..3)));
    }

    #[test]
    fn plain_words_ignore_quotes() {
        let line = b"a \t'b c'\x0bd";
        assert_eq!(texts(line, &plain_words(line, 0)), ["a", "'b", "c'", "d"]);
    }
}
