//! Tokens of Python, in one pass: enough to find imports, calls and strings, and never to mistake a comment or a
//! string for code.

use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// A string without its prefix and quotes; of an f-string only what stands before the first `{`.
    Text {
        /// Whether escapes are not read.
        raw: bool,
        /// Whether this is all of it.
        whole: bool,
    },
    /// The end of a logical line.
    Newline,
    /// One byte of punctuation.
    Punct(u8),
}

/// A token and the bytes that it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Counted from 1.
    pub(super) line: u32,
}

impl Token {
    pub(super) fn bytes<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        source
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// What a string says; escapes other than of quotes and backslashes are dropped.
    pub(super) fn text<'a>(&self, source: &'a [u8]) -> Cow<'a, str> {
        let bytes = self.bytes(source);
        if matches!(self.kind, Kind::Text { raw: false, .. }) && bytes.contains(&b'\\') {
            let mut out = Vec::with_capacity(bytes.len());
            let mut rest = bytes.iter().copied();
            while let Some(byte) = rest.next() {
                match byte {
                    b'\\' => match rest.next() {
                        Some(escaped @ (b'\\' | b'\'' | b'"')) => out.push(escaped),
                        Some(b'n') => out.push(b'\n'),
                        _ => {}
                    },
                    byte => out.push(byte),
                }
            }
            return Cow::Owned(String::from_utf8_lossy(&out).into_owned());
        }
        String::from_utf8_lossy(bytes)
    }
}

/// The tokens of `source`, comments left out; linear in its length.
pub(super) fn tokens(source: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer {
        source: &source[..source.len().min(u32::MAX as usize)],
        at: 0,
        line: 1,
        depth: 0,
        tokens: Vec::with_capacity(source.len() / 5),
    };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
    /// Open brackets: a line end inside them ends nothing.
    depth: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => {
                    if self.depth == 0
                        && self
                            .tokens
                            .last()
                            .is_some_and(|last| last.kind != Kind::Newline)
                    {
                        self.push(Kind::Newline, self.at, self.at + 1, self.line);
                    }
                    self.line += 1;
                    self.at += 1;
                }
                b'#' => {
                    while self.peek(0).is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                b'\\' => {
                    self.line += u32::from(self.peek(1) == Some(b'\n'));
                    self.at += 2;
                }
                b' ' | b'\t' | b'\r' | b'\x0c' => self.at += 1,
                b'\'' | b'"' => self.string(false, false),
                b'0'..=b'9' => self.run_of(Kind::Number),
                byte if is_name(byte) => self.name(),
                byte => {
                    match byte {
                        b'(' | b'[' | b'{' => self.depth += 1,
                        b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    self.push(Kind::Punct(byte), self.at, self.at + 1, self.line);
                    self.at += 1;
                }
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, line: u32) {
        self.tokens.push(Token {
            kind,
            start: start as u32,
            end: end as u32,
            line,
        });
    }

    fn run_of(&mut self, kind: Kind) {
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|byte| is_name(byte) || kind == Kind::Number && byte == b'.')
        {
            self.at += 1;
        }
        self.push(kind, start, self.at, self.line);
    }

    /// A name, or the prefix of a string.
    fn name(&mut self) {
        let start = self.at;
        while self.peek(0).is_some_and(is_name) {
            self.at += 1;
        }
        let name = &self.source[start..self.at];
        let prefix = name.len() <= 2 && name.iter().all(|byte| b"rRbBuUfFtT".contains(byte));
        if prefix && matches!(self.peek(0), Some(b'\'' | b'"')) {
            let has = |bytes: &[u8]| name.iter().any(|byte| bytes.contains(byte));
            return self.string(has(b"rR"), has(b"fFtT"));
        }
        self.push(Kind::Name, start, self.at, self.line);
    }

    fn string(&mut self, raw: bool, format: bool) {
        let Some(quote) = self.peek(0) else { return };
        let triple = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let width = if triple { 3 } else { 1 };
        self.at += width;
        let (start, line) = (self.at, self.line);
        let mut dynamic = None;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => {
                    self.line += u32::from(self.peek(1) == Some(b'\n'));
                    self.at += 1;
                }
                b'\n' if !triple => break,
                b'\n' => self.line += 1,
                b'{' if format && self.peek(1) == Some(b'{') => self.at += 1,
                b'{' if format && dynamic.is_none() => dynamic = Some(self.at),
                byte if byte == quote
                    && (!triple || self.peek(1) == Some(quote) && self.peek(2) == Some(quote)) =>
                {
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        let end = self.at.min(self.source.len());
        let kind = Kind::Text {
            raw,
            whole: dynamic.is_none(),
        };
        self.push(kind, start, dynamic.unwrap_or(end), line);
        // A string that its line ends is malformed; the line end still counts.
        self.at = match self.peek(0) {
            Some(b'\n') | None => end,
            Some(_) => end + width,
        };
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shapes(source: &str) -> Vec<String> {
        tokens(source.as_bytes())
            .iter()
            .map(|token| String::from_utf8_lossy(token.bytes(source.as_bytes())).into_owned())
            .collect()
    }

    #[test]
    fn strings_of_every_kind() {
        assert_eq!(
            shapes("a = r'x' + \"y\\\"z\" # 'no'\n"),
            ["a", "=", "x", "+", "y\\\"z", "\n"]
        );
        assert_eq!(shapes("'''a\n'b''' c"), ["a\n'b", "c"]);
        assert_eq!(shapes("f'a/{x}/b' c"), ["a/", "c"]);
        assert_eq!(shapes("'open\nb"), ["open", "\n", "b"]);
        assert_eq!(shapes("(a,\n b)"), ["(", "a", ",", "b", ")"]);
    }

    proptest! {
        #[test]
        fn any_bytes_give_ordered_tokens(source in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b'\''), Just(b'f'), Just(b'{'), Just(b'\\'), Just(b'\n'), any::<u8>()], 0..200)) {
            let mut end = 0;
            for token in tokens(&source) {
                prop_assert!(token.start >= end && token.end >= token.start);
                prop_assert!(token.end as usize <= source.len());
                let _ = token.text(&source);
                end = token.end;
            }
        }
    }
}
