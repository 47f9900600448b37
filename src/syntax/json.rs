//! JSON arrays of strings, as strictly and as loosely as BuildKit reads them.

use std::ops::Range;

/// How deep BuildKit lets arrays and objects nest.
const MAX_DEPTH: usize = 10_000;

/// What a text that may be a JSON array of strings is.
pub(super) enum Array {
    /// Strings: their range in the text, quotes included, and their value.
    Strings(Vec<(Range<usize>, String)>),
    /// Valid JSON with something else than strings in it: BuildKit refuses it.
    Mixed,
    /// Not JSON: shell form or words.
    No,
}

/// Reads `text` from `start` on.
pub(super) fn array(text: &[u8], start: usize) -> Array {
    let mut reader = Reader { text, at: start };
    if !reader.eat(b'[') {
        return Array::No;
    }
    let mut strings = Vec::new();
    reader.skip_space();
    if !reader.eat(b']') {
        loop {
            reader.skip_space();
            let from = reader.at;
            if reader.peek() != Some(b'"') {
                return mixed(text, start);
            }
            match reader.string() {
                Some(value) => strings.push((from..reader.at, value)),
                None => return Array::No,
            }
            reader.skip_space();
            if reader.eat(b']') {
                break;
            }
            if !reader.eat(b',') {
                return Array::No;
            }
        }
    }
    reader.skip_space();
    if reader.at == text.len() {
        Array::Strings(strings)
    } else {
        Array::No
    }
}

/// Whether the whole of `text` from `start` on is valid JSON.
fn mixed(text: &[u8], start: usize) -> Array {
    let mut reader = Reader { text, at: start };
    match reader.value() {
        Some(()) if reader.at == text.len() => Array::Mixed,
        _ => Array::No,
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// A string from its opening quote on; none when it is not valid.
    fn string(&mut self) -> Option<String> {
        self.eat(b'"').then_some(())?;
        let mut value = Vec::new();
        loop {
            let from = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            value.extend_from_slice(&self.text[from..self.at]);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(match String::from_utf8(value) {
                        Ok(value) => value,
                        Err(error) => super::runes::to_text(error.as_bytes()),
                    });
                }
                b'\\' => {
                    self.at += 1;
                    let char = self.escape()?;
                    value.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return None,
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                match unit {
                    0xd800..=0xdbff => self.low_surrogate(unit),
                    _ => char::from_u32(unit),
                }
                .unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit * 16 + (self.peek()? as char).to_digit(16)?;
            self.at += 1;
        }
        Some(unit)
    }

    /// The character of a surrogate pair whose first half is `high`; consumes nothing when no second half follows.
    fn low_surrogate(&mut self, high: u32) -> Option<char> {
        if !self.text[self.at..].starts_with(b"\\u") {
            return None;
        }
        let mut ahead = Reader {
            text: self.text,
            at: self.at + 2,
        };
        let low = ahead.unit()?;
        if !(0xdc00..=0xdfff).contains(&low) {
            return None;
        }
        self.at = ahead.at;
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
    }

    /// Any value and the white space behind it, without recursion.
    fn value(&mut self) -> Option<()> {
        // The closing bracket of each container that is open.
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.skip_space();
            match self.peek()? {
                bracket @ (b'[' | b'{') => {
                    self.at += 1;
                    let close = bracket + 2;
                    open.push(close);
                    if open.len() > MAX_DEPTH {
                        return None;
                    }
                    self.skip_space();
                    if self.peek() != Some(close) {
                        self.key(close)?;
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => self.number()?,
            }
            // Behind a value: its container ends, or the next value comes.
            loop {
                self.skip_space();
                let Some(&close) = open.last() else {
                    return Some(());
                };
                if self.eat(close) {
                    open.pop();
                    continue;
                }
                self.eat(b',').then_some(())?;
                self.skip_space();
                self.key(close)?;
                break;
            }
        }
    }

    /// The name and the colon before a value of an object; nothing in an array.
    fn key(&mut self, close: u8) -> Option<()> {
        if close == b'}' {
            self.string()?;
            self.skip_space();
            self.eat(b':').then_some(())?;
        }
        Some(())
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then_some(())?;
        self.at += word.len();
        Some(())
    }

    /// A number that fits a double: BuildKit takes a greater one for no JSON.
    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).ok()?;
        text.parse::<f64>().ok()?.is_finite().then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &[u8]) -> Option<Vec<String>> {
        match array(text, 0) {
            Array::Strings(strings) => Some(strings.into_iter().map(|(_, value)| value).collect()),
            _ => None,
        }
    }

    #[test]
    fn reads_strings_with_escapes() {
        assert_eq!(
            strings(br#"[ "a" , "\u0041\ud83d\ude00\ud800\n" ] "#),
            Some(vec!["a".into(), "A\u{1f600}\u{fffd}\n".into()])
        );
        assert_eq!(strings(b"[]"), Some(vec![]));
        assert_eq!(strings(b"[\"\xe9\"]"), Some(vec!["\u{fffd}".into()]));
    }

    #[test]
    fn what_is_no_json_falls_back() {
        for text in [
            &b"['a']"[..],
            b"[\"a\",]",
            b"[\"a\"] x",
            b"[\"\\x\"]",
            b"[\"a\tb\"]",
            b"[1e999]",
            b"[01]",
            b"[",
            b"[\"a\"",
        ] {
            assert!(
                matches!(array(text, 0), Array::No),
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn other_values_than_strings_are_mixed() {
        for text in [
            &b"[1]"[..],
            b"[\"a\", null]",
            b"[[], {}]",
            b"[{\"a\": [true, -1.5e+3]}]",
        ] {
            assert!(
                matches!(array(text, 0), Array::Mixed),
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn deep_nesting_is_bounded() {
        let text = b"[".repeat(1_000_000);
        assert!(matches!(array(&text, 0), Array::No));
    }
}
