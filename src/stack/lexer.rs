//! Tokens of source files in the languages with braces, and Ruby: words, texts and marks.
//!
//! This is no compiler: comments and literals are told apart exactly enough that a quote in a comment or a
//! comment mark in a string does not mislead. Time is linear in the input, and no input is an error.

/// The language whose comments and literals are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Go,
    Rust,
    Java,
    Kotlin,
    Groovy,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "no rule reads Scala sources yet")
    )]
    Scala,
    #[cfg_attr(not(test), expect(dead_code, reason = "no rule reads C sources yet"))]
    C,
    CSharp,
    Php,
    Ruby,
}

/// A token and the line it starts on, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) line: u32,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A name, keyword or number.
    Word(&'a str),
    /// A string literal between its quotes, escapes as written, up to its first interpolated expression.
    Text {
        /// What stands between the quotes.
        value: &'a str,
        /// Whether an interpolated expression followed.
        open: bool,
    },
    /// Any other character that is not white space.
    Mark(u8),
    /// The end of a line, in the languages where it ends a statement (Ruby, Groovy, Kotlin).
    Break,
}

/// The tokens of `source`.
pub(super) fn tokens(source: &str, language: Language) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        source,
        bytes: source.as_bytes(),
        at: 0,
        line: 1,
        language,
        tokens: Vec::with_capacity(source.len() / 6),
    };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    language: Language,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        use Language::{Groovy, Kotlin, Ruby};
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => {
                    if matches!(self.language, Ruby | Groovy | Kotlin) {
                        self.push(Kind::Break);
                    }
                    self.line += 1;
                    self.at += 1;
                    if self.language == Ruby && self.rest().starts_with("=begin") {
                        self.skip_past("\n=end");
                    }
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.language != Ruby && self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.language != Ruby && self.peek(1) == Some(b'*') => self.skip_block(),
                b'#' if self.is_hash_comment() => self.skip_line(),
                b'"' | b'\'' | b'`' => self.quote(byte),
                b'@' if self.language == Language::CSharp && self.peek(1) == Some(b'"') => {
                    self.at += 1;
                    self.verbatim();
                }
                _ if is_word(byte) => self.word(),
                _ => {
                    self.push(Kind::Mark(byte));
                    self.at += 1;
                }
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn push(&mut self, kind: Kind<'a>) {
        let line = self.line;
        self.tokens.push(Token { kind, line });
    }

    /// Moves to `end`, counting the lines on the way.
    fn move_to(&mut self, end: usize) {
        let end = end.min(self.bytes.len());
        let lines = self.bytes[self.at..end]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.line = self
            .line
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at = end;
    }

    fn skip_line(&mut self) {
        let length = self.bytes[self.at..].iter().position(|byte| *byte == b'\n');
        self.at = length.map_or(self.bytes.len(), |length| self.at + length);
    }

    fn skip_past(&mut self, end: &str) {
        let length = self.rest().find(end).map(|found| found + end.len());
        self.move_to(length.map_or(self.bytes.len(), |length| self.at + length));
    }

    fn skip_block(&mut self) {
        let nested = matches!(
            self.language,
            Language::Rust | Language::Kotlin | Language::Scala
        );
        let (mut at, mut depth) = (self.at + 2, 1usize);
        while depth > 0 && at < self.bytes.len() {
            match (self.bytes[at], self.bytes.get(at + 1)) {
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                }
                (b'/', Some(b'*')) if nested => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        self.move_to(at);
    }

    fn is_hash_comment(&self) -> bool {
        match self.language {
            Language::Ruby => true,
            // `#[` opens an attribute.
            Language::Php => self.peek(1) != Some(b'['),
            _ => self.at == 0 && self.peek(1) == Some(b'!') && self.language != Language::Rust,
        }
    }

    fn word(&mut self) {
        let start = self.at;
        while self.peek(0).is_some_and(is_word) {
            self.at += 1;
        }
        let word = self.source.get(start..self.at).unwrap_or("");
        if self.language == Language::Rust
            && matches!(word, "r" | "b" | "br" | "c" | "cr")
            && self.raw_rust(word)
        {
            return;
        }
        self.push(Kind::Word(word));
    }

    /// The literal after one of Rust's prefixes; false when there is none.
    fn raw_rust(&mut self, prefix: &str) -> bool {
        if !prefix.ends_with('r') {
            if self.peek(0) == Some(b'"') {
                self.quote(b'"');
                return true;
            }
            return false;
        }
        let mut hashes = 0;
        while self.peek(hashes) == Some(b'#') {
            hashes += 1;
        }
        if self.peek(hashes) != Some(b'"') {
            return false;
        }
        let start = self.at + hashes + 1;
        let mut at = start;
        while at < self.bytes.len() {
            if self.bytes[at] == b'"' {
                let closing = self.bytes[at + 1..]
                    .iter()
                    .take(hashes)
                    .take_while(|byte| **byte == b'#')
                    .count();
                if closing == hashes {
                    break;
                }
            }
            at += 1;
        }
        self.text(start, at, at + 1 + hashes, false);
        true
    }

    /// Pushes the text from `start` to `end` and moves to `next`.
    fn text(&mut self, start: usize, end: usize, next: usize, interpolates: bool) {
        let value = self.source.get(start..end).unwrap_or("");
        let cut = if interpolates {
            self.interpolation(value)
        } else {
            None
        };
        let value = cut.map_or(value, |cut| &value[..cut]);
        self.push(Kind::Text {
            value,
            open: cut.is_some(),
        });
        self.move_to(next);
    }

    /// Where the first interpolated expression of a double-quoted text starts.
    fn interpolation(&self, value: &str) -> Option<usize> {
        match self.language {
            Language::Ruby => value.find("#{"),
            Language::Kotlin | Language::Groovy | Language::Php => value
                .match_indices(['$', '{'])
                .find(|(at, mark)| {
                    let next = value.as_bytes().get(at + 1).copied();
                    match *mark {
                        "$" => next.is_some_and(|next| {
                            next == b'{' || (is_word(next) && !next.is_ascii_digit())
                        }),
                        _ => self.language == Language::Php && next == Some(b'$'),
                    }
                })
                .map(|(at, _)| at),
            Language::CSharp | Language::Scala => {
                let marked = match self.language {
                    Language::CSharp => self.previous_is(b'$'),
                    _ => matches!(
                        self.tokens.last(),
                        Some(Token {
                            kind: Kind::Word("s" | "f"),
                            ..
                        })
                    ),
                };
                let mark = if self.language == Language::CSharp {
                    '{'
                } else {
                    '$'
                };
                marked.then(|| value.find(mark)).flatten()
            }
            _ => None,
        }
    }

    fn previous_is(&self, mark: u8) -> bool {
        matches!(self.tokens.last(), Some(Token { kind: Kind::Mark(last), .. }) if *last == mark)
    }

    fn quote(&mut self, quote: u8) {
        use Language::{CSharp, Go, Groovy, Java, Kotlin, Php, Ruby, Rust, Scala};
        let language = self.language;
        if quote == b'`' {
            if language == Go {
                let start = self.at + 1;
                let end = self.find(start, b'`');
                self.text(start, end, end + 1, false);
            } else if matches!(language, Kotlin | Scala) {
                // A name that would be no name otherwise: `java-library`.
                let start = self.at + 1;
                let end = self.find(start, b'`');
                self.push(Kind::Word(self.source.get(start..end).unwrap_or("")));
                self.move_to(end + 1);
            } else {
                self.push(Kind::Mark(quote));
                self.at += 1;
            }
            return;
        }
        let triple = [quote; 3];
        let has_triple = match language {
            Java | Kotlin | Scala | CSharp => quote == b'"',
            Groovy => true,
            _ => false,
        };
        if has_triple && self.bytes[self.at..].starts_with(&triple) {
            let start = self.at + 3;
            let fence = if quote == b'"' { "\"\"\"" } else { "'''" };
            let found = self.source.get(start..).and_then(|rest| rest.find(fence));
            let end = found.map_or(self.bytes.len(), |found| start + found);
            self.text(start, end, end + 3, true);
            return;
        }
        if quote == b'\'' && !matches!(language, Groovy | Php | Ruby) {
            self.character();
            return;
        }
        let multi_line = matches!(language, Rust | Php);
        let start = self.at + 1;
        let mut at = start;
        while at < self.bytes.len() {
            match self.bytes[at] {
                b'\\' => at += 1,
                byte if byte == quote => break,
                b'\n' if !multi_line => break,
                _ => {}
            }
            at += 1;
        }
        let end = at.min(self.bytes.len());
        let closed = self.bytes.get(end) == Some(&quote);
        self.text(start, end, end + usize::from(closed), quote == b'"');
    }

    /// A character literal, or the quote of a Rust lifetime or Scala symbol.
    fn character(&mut self) {
        let start = self.at + 1;
        let mut at = start;
        while at < self.bytes.len() && at - start < 14 {
            match self.bytes[at] {
                b'\\' => at += 1,
                b'\'' if at > start => {
                    // `&'a str, 'b` holds no character: between its quotes stands more than one.
                    let inner = self.source.get(start..at);
                    let one = inner
                        .is_some_and(|inner| inner.starts_with('\\') || inner.chars().count() == 1);
                    let lenient = !matches!(self.language, Language::Rust | Language::Scala);
                    if one || lenient {
                        self.at = at + 1;
                        return;
                    }
                    break;
                }
                b'\n' => break,
                _ => {}
            }
            at += 1;
        }
        self.push(Kind::Mark(b'\''));
        self.at += 1;
    }

    /// C#'s `@"…"`, in which only a doubled quote is special.
    fn verbatim(&mut self) {
        let start = self.at + 1;
        let mut at = start;
        while at < self.bytes.len() {
            if self.bytes[at] == b'"' {
                if self.bytes.get(at + 1) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
            at += 1;
        }
        self.text(start, at.min(self.bytes.len()), at + 1, true);
    }

    fn find(&self, from: usize, byte: u8) -> usize {
        self.bytes
            .get(from..)
            .and_then(|rest| rest.iter().position(|found| *found == byte))
            .map_or(self.bytes.len(), |found| from + found)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(source: &str, language: Language) -> Vec<&str> {
        tokens(source, language)
            .into_iter()
            .filter_map(|token| match token.kind {
                Kind::Text { value, .. } => Some(value),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn comments_and_strings_hide_each_other() {
        let source = "a(\"x // y\") // \"no\"\n/* \"no\" */ b(`raw \" text`)";
        assert_eq!(texts(source, Language::Go), ["x // y", "raw \" text"]);
        assert_eq!(
            texts("/* /* \"no\" */ \"no\" */ \"yes\"", Language::Rust),
            ["yes"]
        );
    }

    #[test]
    fn rust_lifetimes_and_characters_are_no_strings() {
        let source = "fn f<'a>(x: &'a str) { m('\"'); n(r#\"in \"raw\"\"#, b\"bytes\") }";
        assert_eq!(texts(source, Language::Rust), ["in \"raw\"", "bytes"]);
    }

    #[test]
    fn interpolation_cuts_a_text() {
        let found = tokens("read \"config/#{env}.yml\"", Language::Ruby);
        assert_eq!(
            found[1].kind,
            Kind::Text {
                value: "config/",
                open: true
            }
        );
        assert_eq!(
            texts("val x = \"\"\"a \"b\" c\"\"\"", Language::Kotlin),
            ["a \"b\" c"]
        );
        assert_eq!(
            texts("x = @\"c:\\temp\\\"; y = \"z\"", Language::CSharp),
            ["c:\\temp\\", "z"]
        );
    }

    #[test]
    fn lines_are_counted_through_literals_and_comments() {
        let found = tokens("`a\nb`\n/*\n*/ x", Language::Go);
        assert_eq!(found.last().map(|token| token.line), Some(4));
    }

    proptest! {
        #[test]
        fn never_panics(source in "[ -~\\n\"'`/*#\\\\é]{0,200}") {
            use Language::{C, CSharp, Go, Groovy, Java, Kotlin, Php, Ruby, Rust, Scala};
            for language in [C, CSharp, Go, Groovy, Java, Kotlin, Php, Ruby, Rust, Scala] {
                let _ = tokens(&source, language);
            }
        }
    }
}
