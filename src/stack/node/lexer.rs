//! Tokens of JavaScript and TypeScript, in one pass.
//!
//! Good enough to find calls and strings and never to mistake a comment, a string or a regular expression for
//! code. Text between JSX tags is read as code: an apostrophe there opens a string that ends with its line.

use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// A string, or a template without substitutions; the quotes belong to it.
    Text,
    /// The part of a template before its first substitution, with the backquote.
    Head,
    /// The part of a template between two substitutions.
    Middle,
    /// The part of a template after its last substitution, with the backquote.
    Tail,
    /// A regular expression.
    Regex,
    /// One byte of punctuation.
    Punct(u8),
}

/// A token and the bytes that it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Its first byte.
    pub(super) start: u32,
    /// One past its last byte.
    pub(super) end: u32,
    /// Counted from 1.
    pub(super) line: u32,
}

impl Token {
    /// The bytes of the token.
    pub(super) fn bytes<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        source
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// What a string or a part of a template says.
    pub(super) fn text<'a>(&self, source: &'a [u8]) -> Cow<'a, str> {
        let bytes = self.bytes(source);
        let inner = match self.kind {
            Kind::Text => bytes.get(1..bytes.len().saturating_sub(1)),
            Kind::Head => bytes.get(1..),
            Kind::Tail => bytes.get(..bytes.len().saturating_sub(1)),
            _ => Some(bytes),
        };
        let inner = inner.unwrap_or_default();
        if inner.contains(&b'\\') {
            Cow::Owned(unescape(inner))
        } else {
            String::from_utf8_lossy(inner)
        }
    }
}

/// The tokens of `source`, comments left out; linear in its length. Anything past 4 GiB is not read.
pub(super) fn tokens(source: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer {
        source: &source[..source.len().min(u32::MAX as usize)],
        at: 0,
        line: 1,
        tokens: Vec::with_capacity(source.len() / 5),
        braces: Vec::new(),
        parens: Vec::new(),
        after_condition: false,
        unclosed: [0; 3],
    };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
    tokens: Vec<Token>,
    /// One entry an open `{`: whether it is a template's `${`.
    braces: Vec<bool>,
    /// One entry an open `(`: whether a keyword such as `if` stands before it.
    parens: Vec<bool>,
    /// Whether the last token is the `)` of such a condition.
    after_condition: bool,
    /// Up to where no `'`, `"` and `/` closes: what failed once is not tried again, which keeps this linear.
    unclosed: [usize; 3],
}

impl Lexer<'_> {
    fn run(&mut self) {
        if self.source.starts_with(b"\xef\xbb\xbf") {
            self.at = 3;
        }
        if self.source[self.at..].starts_with(b"#!") {
            self.skip_line();
        }
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'/' if self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.peek(1) == Some(b'*') => self.skip_block(),
                b'/' if self.regex_may_start() && self.regex() => {}
                b'\'' | b'"' => self.string(byte),
                b'`' => self.template(Kind::Head, Kind::Text),
                b'0'..=b'9' => self.number(),
                b if is_name(b) => self.name(),
                b => self.punct(b),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn push(&mut self, kind: Kind, start: usize, line: u32) {
        self.after_condition = false;
        self.tokens.push(Token {
            kind,
            start: start as u32,
            end: self.at as u32,
            line,
        });
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn skip_block(&mut self) {
        self.at += 2;
        while let Some(byte) = self.peek(0) {
            if byte == b'*' && self.peek(1) == Some(b'/') {
                self.at += 2;
                return;
            }
            self.line += u32::from(byte == b'\n');
            self.at += 1;
        }
    }

    fn string(&mut self, quote: u8) {
        let (start, line) = (self.at, self.line);
        let unclosed = usize::from(quote == b'"');
        self.at += 1;
        if start < self.unclosed[unclosed] {
            return self.push(Kind::Punct(quote), start, line);
        }
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => {
                    self.line += u32::from(self.peek(1) == Some(b'\n'));
                    self.at = (self.at + 2).min(self.source.len());
                }
                b'\n' => break,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return self.push(Kind::Text, start, line);
                    }
                }
            }
        }
        // A string ends with its line: this is an apostrophe between JSX tags, not a string.
        self.unclosed[unclosed] = self.at;
        self.at = start + 1;
        self.line = line;
        self.push(Kind::Punct(quote), start, line);
    }

    /// Reads a template up to its end (`whole`) or up to a substitution (`part`).
    fn template(&mut self, part: Kind, whole: Kind) {
        let (start, line) = (self.at, self.line);
        self.at += usize::from(part == Kind::Head);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => {
                    self.line += u32::from(self.peek(1) == Some(b'\n'));
                    self.at = (self.at + 2).min(self.source.len());
                }
                b'`' => {
                    self.at += 1;
                    return self.push(whole, start, line);
                }
                b'$' if self.peek(1) == Some(b'{') => {
                    self.push(part, start, line);
                    self.at += 2;
                    self.braces.push(true);
                    return;
                }
                byte => {
                    self.line += u32::from(byte == b'\n');
                    self.at += 1;
                }
            }
        }
    }

    fn number(&mut self) {
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|byte| is_name(byte) || byte == b'.')
        {
            self.at += 1;
        }
        self.push(Kind::Number, start, self.line);
    }

    fn name(&mut self) {
        let start = self.at;
        while self.peek(0).is_some_and(is_name) {
            self.at += 1;
        }
        self.push(Kind::Name, start, self.line);
    }

    fn punct(&mut self, byte: u8) {
        let start = self.at;
        let condition = byte == b'(' && self.last_is_condition();
        self.at += 1;
        if byte == b'}' && self.braces.pop() == Some(true) {
            return self.template(Kind::Middle, Kind::Tail);
        }
        self.push(Kind::Punct(byte), start, self.line);
        match byte {
            b'{' => self.braces.push(false),
            b'(' => self.parens.push(condition),
            b')' => self.after_condition = self.parens.pop().unwrap_or(false),
            _ => {}
        }
    }

    fn last_is_condition(&self) -> bool {
        self.tokens.last().is_some_and(|token| {
            token.kind == Kind::Name
                && matches!(
                    token.bytes(self.source),
                    b"if" | b"while" | b"for" | b"with"
                )
        })
    }

    /// Whether a `/` here divides or starts a regular expression, judged by the token before it.
    fn regex_may_start(&self) -> bool {
        let Some(last) = self.tokens.last() else {
            return true;
        };
        match last.kind {
            Kind::Name => matches!(
                last.bytes(self.source),
                b"return"
                    | b"typeof"
                    | b"case"
                    | b"in"
                    | b"of"
                    | b"delete"
                    | b"void"
                    | b"throw"
                    | b"new"
                    | b"else"
                    | b"do"
                    | b"await"
                    | b"yield"
                    | b"instanceof"
            ),
            Kind::Number | Kind::Text | Kind::Tail | Kind::Regex => false,
            Kind::Head | Kind::Middle => true,
            Kind::Punct(b')') => self.after_condition,
            // `</div>` closes a tag.
            Kind::Punct(b']' | b'<') => false,
            Kind::Punct(_) => true,
        }
    }

    /// Reads a regular expression; false, and nothing read, when none ends on this line.
    fn regex(&mut self) -> bool {
        if self.at < self.unclosed[2] {
            return false;
        }
        let mut at = self.at + 1;
        let mut in_set = false;
        loop {
            match self.source.get(at) {
                None | Some(b'\n') => break,
                Some(b'\\') => at += 1,
                Some(b'[') => in_set = true,
                Some(b']') => in_set = false,
                Some(b'/') if !in_set => {
                    let start = self.at;
                    self.at = at + 1;
                    while self.peek(0).is_some_and(is_name) {
                        self.at += 1;
                    }
                    self.push(Kind::Regex, start, self.line);
                    return true;
                }
                Some(_) => {}
            }
            at += 1;
        }
        self.unclosed[2] = at;
        false
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | 0x80..)
}

/// Simple escapes; a code point that is written as a number is dropped.
fn unescape(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'\n' | b'u' | b'x') | None => {}
            Some(other) => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
    fn comments_are_left_out_and_strings_are_whole() {
        assert_eq!(
            shapes("a // require('x')\n/* 'y' */ b('/*') "),
            ["a", "b", "(", "'/*'", ")"]
        );
    }

    #[test]
    fn a_slash_divides_after_a_value_and_quotes_a_pattern_elsewhere() {
        assert_eq!(shapes("x = a / b / c"), ["x", "=", "a", "/", "b", "/", "c"]);
        assert_eq!(shapes("x = /['\"]/g.y"), ["x", "=", "/['\"]/g", ".", "y"]);
        assert_eq!(shapes("if (a) /'/.test(b)")[4], "/'/");
        assert_eq!(shapes("(a) / 'x'")[4], "'x'");
        assert_eq!(
            shapes("<b>don't</b>{f('x')}").last().map(String::as_str),
            Some("}")
        );
    }

    #[test]
    fn templates_keep_the_code_in_them() {
        assert_eq!(
            shapes("`a${b({c: `d`})}e${f}g` h"),
            [
                "`a", "b", "(", "{", "c", ":", "`d`", "}", ")", "e", "f", "g`", "h"
            ]
        );
    }

    #[test]
    fn strings_are_unescaped() {
        let source = br"'it\'s\n'";
        assert_eq!(tokens(source)[0].text(source), "it's\n");
    }

    #[test]
    fn lines_are_counted_through_comments_and_templates() {
        let source = b"/*\n*/ `\n` a\nb";
        let lines: Vec<u32> = tokens(source).iter().map(|token| token.line).collect();
        assert_eq!(lines, [2, 3, 4]);
    }

    #[test]
    fn hostile_lines_stay_linear() {
        for unit in ["\\'", "\\'\\\n", "/[", "`${", "if(/"] {
            let source = unit.repeat(200_000);
            let started = std::time::Instant::now();
            tokens(source.as_bytes());
            assert!(started.elapsed().as_secs() < 5, "{unit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_ordered_tokens(source in proptest::collection::vec(
            prop_oneof![Just(b'`'), Just(b'\''), Just(b'/'), Just(b'{'), Just(b'}'), Just(b'$'),
                Just(b'\\'), Just(b'\n'), Just(b'('), Just(b')'), any::<u8>()], 0..200)) {
            let mut end = 0;
            for token in tokens(&source) {
                prop_assert!(token.start >= end && token.end > token.start || token.kind == Kind::Middle);
                prop_assert!(token.end as usize <= source.len());
                let _ = token.text(&source);
                end = token.end;
            }
        }
    }
}
