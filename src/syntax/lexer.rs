//! BuildKit's shell lexer: quotes, escapes and variables of one text, as one value or as words.

use super::{pattern, runes};

/// How deep `${a:-${b:-…}}` may nest. BuildKit has no bound; no real file comes near this one.
const MAX_DEPTH: usize = 64;

/// Why an expression has no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LexError {
    /// BuildKit refuses it, in its words.
    Refused(String),
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// What the lexer keeps of the text instead of processing it.
#[derive(Clone, Copy, Default)]
pub(super) struct Keep {
    /// Quotes stay.
    pub(super) quotes: bool,
    /// Escape characters stay.
    pub(super) escapes: bool,
    /// References to unset variables stay.
    pub(super) unset: bool,
    /// Quotes are characters like any other.
    pub(super) literal_quotes: bool,
}

/// A word and where it stands.
pub(super) struct LexedWord {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads one text.
pub(super) struct Lexer<'a, F> {
    text: &'a [u8],
    at: usize,
    escape: char,
    keep: Keep,
    /// The value of a variable, none when it is not set.
    lookup: F,
    depth: usize,
    words: Vec<LexedWord>,
    /// The word under way. BuildKit shares it between nesting levels: text before a modifier is lost to words.
    word: String,
    in_word: bool,
    word_start: usize,
    word_end: usize,
}

impl<'a, F: FnMut(&str) -> Option<&'a str>> Lexer<'a, F> {
    pub(super) fn new(text: &'a [u8], escape: u8, keep: Keep, lookup: F) -> Self {
        // The scanner that BuildKit reads with skips a byte order mark.
        let at = if text.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        Self {
            text,
            at,
            escape: escape as char,
            keep,
            lookup,
            depth: 0,
            words: Vec::new(),
            word: String::new(),
            in_word: false,
            word_start: 0,
            word_end: 0,
        }
    }

    /// The whole text as one value.
    pub(super) fn value(mut self) -> Result<String, LexError> {
        self.process(None, self.keep.escapes)
    }

    /// The words that the text has after expansion.
    pub(super) fn words(mut self) -> Result<Vec<LexedWord>, LexError> {
        self.process(None, self.keep.escapes)?;
        self.finish_word();
        Ok(self.words)
    }

    fn peek(&self) -> Option<char> {
        runes::decode(&self.text[self.at..]).map(|(char, _)| char)
    }

    fn next(&mut self) -> Option<char> {
        let (char, length) = runes::decode(&self.text[self.at..])?;
        self.at += length;
        Some(char)
    }

    fn finish_word(&mut self) {
        if !self.word.is_empty() {
            let text = std::mem::take(&mut self.word);
            if self.depth == 0 {
                self.words.push(LexedWord {
                    text,
                    start: self.word_start,
                    end: self.word_end,
                });
            }
            self.in_word = false;
        }
    }

    /// Adds a character that white space does not part, read from `start` on.
    fn add_raw(&mut self, text: &str, start: usize) {
        if self.word.is_empty() {
            self.word_start = start;
        }
        self.word.push_str(text);
        self.in_word = true;
        self.word_end = self.at;
    }

    fn add(&mut self, char: char, start: usize) {
        if !char.is_whitespace() {
            self.add_raw(char.encode_utf8(&mut [0; 4]), start);
        } else if self.in_word {
            self.finish_word();
        }
    }

    /// Reads up to `stop`, or to the end.
    fn process(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<String, LexError> {
        let outer_escapes = std::mem::replace(&mut self.keep.escapes, raw_escapes);
        let result = self.process_inner(stop);
        self.keep.escapes = outer_escapes;
        result
    }

    fn process_inner(&mut self, stop: Option<char>) -> Result<String, LexError> {
        let mut result = String::new();
        while let Some(char) = self.peek() {
            let start = self.at;
            if stop == Some(char) {
                self.next();
                return Ok(result);
            }
            match char {
                '$' => {
                    let value = self.dollar()?;
                    for char in value.chars() {
                        self.add(char, start);
                    }
                    result.push_str(&value);
                }
                '<' => {
                    let marker = self.possible_heredoc();
                    self.add_raw(&marker, start);
                    result.push_str(&marker);
                }
                '\'' | '"' if !self.keep.literal_quotes => {
                    let quoted = if char == '"' {
                        self.double_quote()?
                    } else {
                        self.single_quote()?
                    };
                    self.add_raw(&quoted, start);
                    result.push_str(&quoted);
                }
                _ if char == self.escape => {
                    self.next();
                    if self.keep.escapes {
                        self.add_raw(char.encode_utf8(&mut [0; 4]), start);
                        result.push(char);
                    }
                    let Some(escaped) = self.next() else { break };
                    self.add_raw(escaped.encode_utf8(&mut [0; 4]), start);
                    result.push(escaped);
                }
                _ => {
                    self.next();
                    self.add(char, start);
                    result.push(char);
                }
            }
        }
        match stop {
            None => Ok(result),
            Some(stop) => Err(refused(format!(
                "unexpected end of statement while looking for matching {stop}"
            ))),
        }
    }

    fn single_quote(&mut self) -> Result<String, LexError> {
        let start = self.at;
        self.next();
        loop {
            match self.next() {
                None => {
                    return Err(refused(
                        "unexpected end of statement while looking for matching single-quote",
                    ));
                }
                Some('\'') => break,
                Some(_) => {}
            }
        }
        let trim = usize::from(!self.keep.quotes);
        Ok(runes::to_text(&self.text[start + trim..self.at - trim]))
    }

    fn double_quote(&mut self) -> Result<String, LexError> {
        let mut result = String::new();
        self.next();
        if self.keep.quotes {
            result.push('"');
        }
        loop {
            match self.peek() {
                None => {
                    return Err(refused(
                        "unexpected end of statement while looking for matching double-quote",
                    ));
                }
                Some('"') => {
                    self.next();
                    if self.keep.quotes {
                        result.push('"');
                    }
                    return Ok(result);
                }
                Some('$') => result.push_str(&self.dollar()?),
                Some(char) => {
                    self.next();
                    let mut kept = char;
                    if char == self.escape {
                        if self.keep.escapes {
                            result.push(char);
                        }
                        match self.peek() {
                            None => continue,
                            Some(next) if next == '"' || next == '$' || next == self.escape => {
                                self.next();
                                kept = next;
                            }
                            Some(_) => {}
                        }
                    }
                    result.push(kept);
                }
            }
        }
    }

    fn possible_heredoc(&mut self) -> String {
        let start = self.at;
        self.next();
        if self.peek() == Some('<') {
            self.next();
            while matches!(self.peek(), Some('\t' | '\r' | ' ')) {
                self.next();
            }
        }
        runes::to_text(&self.text[start..self.at])
    }

    fn dollar(&mut self) -> Result<String, LexError> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match (self.lookup)(&name) {
                Some(value) => value.to_owned(),
                None if self.keep.unset => format!("${name}"),
                None => String::new(),
            });
        }
        self.next();
        match self.peek() {
            None => return Err(refused("syntax error: missing '}'")),
            Some('{' | '}' | ':') => return Err(refused("syntax error: bad substitution")),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            Some('}') => Ok(match (self.lookup)(&name) {
                Some(value) => value.to_owned(),
                None if self.keep.unset => format!("${{{name}}}"),
                None => String::new(),
            }),
            Some(':') => {
                let modifier = self.next();
                self.modified(&name, modifier, true)
            }
            Some(modifier @ ('+' | '-' | '?' | '#' | '%')) => {
                self.modified(&name, Some(modifier), false)
            }
            Some('/') => self.replaced(&name),
            other => Err(unsupported("", other)),
        }
    }

    /// Reads the operand of a modifier up to `stop`.
    fn operand(&mut self, stop: char, raw: bool, missing: &str) -> Result<String, LexError> {
        if self.depth >= MAX_DEPTH {
            return Err(LexError::TooDeep);
        }
        self.depth += 1;
        self.word.clear();
        let result = self.process(Some(stop), raw);
        self.word.clear();
        self.depth -= 1;
        match result {
            Err(LexError::Refused(_)) if self.at == self.text.len() => Err(refused(missing)),
            result => result,
        }
    }

    /// `${name-word}` and its kin, from behind the modifier on.
    fn modified(
        &mut self,
        name: &str,
        modifier: Option<char>,
        colon: bool,
    ) -> Result<String, LexError> {
        let trims = matches!(modifier, Some('#' | '%'));
        if colon && trims {
            return Err(unsupported(":", modifier));
        }
        let word = self.operand('}', trims, "syntax error: missing '}'")?;
        let value = (self.lookup)(name);
        if value.is_none() && self.keep.unset {
            let colon = if colon { ":" } else { "" };
            let modifier = modifier.unwrap_or(char::REPLACEMENT_CHARACTER);
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        }
        let given = value.filter(|value| !(colon && value.is_empty()));
        match modifier {
            Some('-') => Ok(given.map_or(word, str::to_owned)),
            Some('+') => Ok(given.map_or(String::new(), |_| word)),
            Some('?') => given.map(str::to_owned).ok_or_else(|| {
                let state = if value.is_none() { "unset" } else { "empty" };
                if word.is_empty() {
                    refused(format!("{name}: is not allowed to be {state}"))
                } else {
                    refused(format!("{name}: {word}"))
                }
            }),
            Some(side @ ('#' | '%')) => {
                let (greedy, word) = match word.strip_prefix(side) {
                    Some(rest) => (true, rest),
                    None => (false, word.as_str()),
                };
                pattern::trim(value.unwrap_or(""), word, side == '%', greedy)
                    .map_err(|error| invalid_pattern(word, &error))
            }
            other => Err(unsupported(if colon { ":" } else { "" }, other)),
        }
    }

    /// `${name/pattern/replacement}`, from behind the first slash on.
    fn replaced(&mut self, name: &str) -> Result<String, LexError> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let find = self.operand('/', true, "syntax error: missing '/' in ${}")?;
        let replacement = self.operand('}', true, "syntax error: missing '}'")?;
        let value = (self.lookup)(name);
        if value.is_none() && self.keep.unset {
            return Ok(format!("${{{name}/{find}/{replacement}}}"));
        }
        pattern::replace(value.unwrap_or(""), &find, &replacement, all)
            .map_err(|error| invalid_pattern(&find, &error))
    }

    /// A variable's name at the current place; empty when there is none.
    fn name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(first) if first.is_numeric() => {
                while self.peek().is_some_and(char::is_numeric) {
                    self.next();
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                self.next();
            }
            _ => {
                while self
                    .peek()
                    .is_some_and(|char| char.is_alphanumeric() || char == '_')
                {
                    self.next();
                }
            }
        }
        runes::to_text(&self.text[start..self.at])
    }
}

fn refused(message: impl Into<String>) -> LexError {
    LexError::Refused(message.into())
}

fn unsupported(colon: &str, modifier: Option<char>) -> LexError {
    let modifier = modifier.unwrap_or(char::REPLACEMENT_CHARACTER);
    refused(format!(
        "unsupported modifier ({colon}{modifier}) in substitution"
    ))
}

fn invalid_pattern(pattern: &str, error: &str) -> LexError {
    refused(format!(
        "invalid pattern ({pattern}) in substitution: {error}"
    ))
}
