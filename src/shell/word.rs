//! What is in a word: its value after quote removal, the variables it reads, the scripts it runs.

use super::convert::{self, Reader, unparsed};
use super::{Dialect, Statement, Unparsed};
use crate::syntax::Logical;
use crate::text::Span;

/// Words of `text` as the shell splits it, when it is plain: no expansion, operator, glob or comment.
#[must_use]
pub fn split_words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut logical = Logical::default();
    logical.push(text, 0);
    let script = super::parse(&logical, Dialect::Posix).ok()?;
    if !script.comments.is_empty() {
        return None;
    }
    script.single_plain_command()
}

/// `word` as it must be written so that a shell reads it as this one word: as it is where nothing in it means
/// anything to a shell, in single quotes elsewhere.
#[must_use]
pub fn quote_word(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,+@%".contains(byte);
    // An equals sign is plain after the first byte of an option, but makes an assignment of a first word.
    let option = word.starts_with(b"-");
    if !word.is_empty()
        && word
            .iter()
            .all(|byte| plain(byte) || (option && *byte == b'='))
    {
        return word.to_vec();
    }
    let mut quoted = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Whether `name` can name a variable.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(|first| !first.is_ascii_digit())
        && name.iter().all(|byte| is_name_byte(*byte))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What the scanned text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A word of a command.
    Word,
    /// The value of an assignment: no glob and no brace expands.
    Value,
    /// A word that may be an array, `name=( … )`.
    Array,
    /// `[[ … ]]`
    Test,
    /// `(( … ))`, where bare names are variables.
    Arithmetic,
    /// A heredoc's body.
    Heredoc,
}

/// What a scan found.
pub(super) struct Scan {
    /// The value after quote removal; none when the shell computes it.
    pub(super) literal: Option<Vec<u8>>,
    /// Where in the text each byte of the literal stands; only with `Reader::offsets`.
    pub(super) offsets: Vec<usize>,
    /// The scripts it runs.
    pub(super) substitutions: Vec<Vec<Statement>>,
    /// The variables it reads.
    pub(super) variables: Vec<Vec<u8>>,
}

/// Scans `span` of the reader's text.
pub(super) fn scan(reader: &Reader<'_>, span: Span, mode: Mode) -> Result<Scan, Unparsed> {
    scan_with(reader, span, mode, false)
}

/// As [`scan`], of a word, with the offset of each byte of the literal.
pub(super) fn scan_offsets(reader: &Reader<'_>, span: Span) -> Result<Scan, Unparsed> {
    scan_with(reader, span, Mode::Word, true)
}

fn scan_with(reader: &Reader<'_>, span: Span, mode: Mode, offsets: bool) -> Result<Scan, Unparsed> {
    let bytes = span.of(reader.text);
    let ordinary = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=+,@%".contains(byte);
    if !offsets && mode != Mode::Arithmetic && bytes.iter().all(ordinary) {
        return Ok(Scan {
            literal: Some(bytes.to_vec()),
            offsets: Vec::new(),
            substitutions: Vec::new(),
            variables: Vec::new(),
        });
    }
    let mut scanner = Scanner {
        reader,
        text: &reader.text[..span.end],
        start: span.start,
        at: span.start,
        mode,
        computed: matches!(mode, Mode::Test | Mode::Arithmetic | Mode::Heredoc),
        no_braces: false,
        no_brackets: false,
        value: Vec::with_capacity(bytes.len()),
        offsets: offsets.then(Vec::new),
        substitutions: Vec::new(),
        variables: Vec::new(),
    };
    if mode == Mode::Heredoc {
        scanner.double_quoted(None)?;
    } else {
        scanner.unquoted()?;
    }
    Ok(Scan {
        literal: (!scanner.computed).then_some(scanner.value),
        offsets: scanner.offsets.unwrap_or_default(),
        substitutions: scanner.substitutions,
        variables: scanner.variables,
    })
}

struct Scanner<'r, 'a> {
    reader: &'r Reader<'a>,
    /// Ends where the scan does.
    text: &'r [u8],
    start: usize,
    at: usize,
    mode: Mode,
    /// Whether the shell computes the value.
    computed: bool,
    /// No brace expansion begins in the rest: it need not be searched again.
    no_braces: bool,
    /// No bracket closes in the rest.
    no_brackets: bool,
    value: Vec<u8>,
    offsets: Option<Vec<usize>>,
    substitutions: Vec<Vec<Statement>>,
    variables: Vec<Vec<u8>>,
}

impl Scanner<'_, '_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn take(&mut self, at: usize) {
        self.value.push(self.text[at]);
        if let Some(offsets) = &mut self.offsets {
            offsets.push(at);
        }
    }

    fn unquoted(&mut self) -> Result<(), Unparsed> {
        let spacious = matches!(self.mode, Mode::Array | Mode::Test | Mode::Arithmetic);
        let expands = !matches!(self.mode, Mode::Value);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.escape(),
                b'\'' => self.single_quoted()?,
                b'"' => {
                    self.at += 1;
                    self.double_quoted(Some(b'"'))?;
                }
                b'$' => self.dollar(false)?,
                b'`' => self.backquoted(false)?,
                b'<' | b'>' if self.peek(1) == Some(b'(') && self.mode != Mode::Arithmetic => {
                    if self.reader.dialect != Dialect::Bash {
                        return Err(unparsed("process substitution is not of this shell"));
                    }
                    self.command_substitution()?;
                }
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                    if !spacious {
                        return Err(unparsed("a word holds an operator"));
                    }
                    self.computed = true;
                    self.at += 1;
                }
                byte if self.mode == Mode::Arithmetic && is_name_byte(byte) => {
                    let name = self.name();
                    self.note_variable(name);
                }
                byte => {
                    self.computed |= match byte {
                        b'*' | b'?' => expands,
                        b'[' => expands && self.expands_brackets(),
                        b'~' => self.at == self.start || b"=:".contains(&self.text[self.at - 1]),
                        b'{' => expands && self.expands_braces(),
                        _ => false,
                    };
                    self.take(self.at);
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    /// Whether the brace here begins a brace expansion in a shell that has them; too often yes rather than no.
    fn expands_braces(&mut self) -> bool {
        if self.no_braces || self.computed {
            return false;
        }
        let rest = &self.text[self.at..];
        let expands = matches!(self.reader.dialect, Dialect::Bash | Dialect::Posix)
            && rest.contains(&b'}')
            && (rest.contains(&b',') || rest.windows(2).any(|pair| pair == b".."));
        self.no_braces = !expands;
        expands
    }

    /// Whether the bracket here may begin a glob.
    fn expands_brackets(&mut self) -> bool {
        if self.no_brackets || self.computed {
            return false;
        }
        let expands = self.text[self.at..].contains(&b']');
        self.no_brackets = !expands;
        expands
    }

    fn escape(&mut self) {
        match self.peek(1) {
            None => self.take(self.at),
            Some(b'\n') => {}
            Some(_) => self.take(self.at + 1),
        }
        self.at = (self.at + 2).min(self.text.len());
    }

    fn single_quoted(&mut self) -> Result<(), Unparsed> {
        self.at += 1;
        loop {
            match self.peek(0) {
                None => return Err(unparsed("a quotation does not end")),
                Some(b'\'') => break,
                Some(_) => self.take(self.at),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    /// Text in double quotes up to and with `close`, or all the rest, as in a heredoc.
    fn double_quoted(&mut self, close: Option<u8>) -> Result<(), Unparsed> {
        while let Some(byte) = self.peek(0) {
            match byte {
                byte if Some(byte) == close => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    match self.peek(1) {
                        Some(b'\n') => self.at += 2,
                        Some(next) if b"$`\\".contains(&next) || Some(next) == close => {
                            self.take(self.at + 1);
                            self.at += 2;
                        }
                        _ => {
                            self.take(self.at);
                            self.at += 1;
                        }
                    };
                }
                b'$' => self.dollar(true)?,
                b'`' => self.backquoted(close.is_some())?,
                _ => {
                    self.take(self.at);
                    self.at += 1;
                }
            }
        }
        match close {
            None => Ok(()),
            Some(_) => Err(unparsed("a quotation does not end")),
        }
    }

    fn dollar(&mut self, quoted: bool) -> Result<(), Unparsed> {
        match self.peek(1) {
            Some(b'(') if self.peek(2) == Some(b'(') && self.arithmetic()? => {}
            Some(b'(') => self.command_substitution()?,
            Some(b'{') => self.parameter(quoted)?,
            Some(b'\'') if !quoted => {
                self.computed = true;
                self.at += 1;
                self.ansi_quoted()?;
            }
            Some(b'"') if !quoted => {
                self.computed = true;
                self.at += 1;
            }
            Some(byte) if is_name_byte(byte) && !byte.is_ascii_digit() => {
                self.at += 1;
                let name = self.name();
                self.note_variable(name);
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.computed = true;
                self.at += 2;
            }
            Some(b'[') if self.reader.dialect == Dialect::Bash => {
                return Err(unparsed("arithmetic is written in the old way"));
            }
            _ => {
                self.take(self.at);
                self.at += 1;
            }
        }
        Ok(())
    }

    /// `'…'` after a dollar sign. Shells that have it let a backslash escape the quote, others do not.
    fn ansi_quoted(&mut self) -> Result<(), Unparsed> {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' if self.peek(1) == Some(b'\'') && self.reader.dialect != Dialect::Bash => {
                    return Err(unparsed("shells differ in where a quotation ends"));
                }
                b'\\' if self.peek(1).is_some() => self.at += 2,
                _ => self.at += 1,
            }
        }
        Err(unparsed("a quotation does not end"))
    }

    fn name(&mut self) -> Vec<u8> {
        let start = self.at;
        while self.peek(0).is_some_and(is_name_byte) {
            self.at += 1;
        }
        self.text[start..self.at].to_vec()
    }

    fn note_variable(&mut self, name: Vec<u8>) {
        self.computed = true;
        if is_name(&name) && !self.variables.contains(&name) {
            self.variables.push(name);
        }
    }

    /// `${…}`, with what its operand expands.
    fn parameter(&mut self, quoted: bool) -> Result<(), Unparsed> {
        self.computed = true;
        self.at += 2;
        if matches!(self.peek(0), Some(b'#' | b'!')) && self.peek(1) != Some(b'}') {
            self.at += 1;
        }
        let name = self.name();
        self.note_variable(name);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.at = (self.at + 2).min(self.text.len()),
                b'\'' if !quoted => self.single_quoted()?,
                b'"' => {
                    self.at += 1;
                    self.double_quoted(Some(b'"'))?;
                }
                b'$' => self.dollar(quoted)?,
                b'`' => self.backquoted(quoted)?,
                _ => self.at += 1,
            }
        }
        Err(unparsed("an expansion does not end"))
    }

    /// `$(( … ))`; false, and nothing read, when it is a substitution that begins with a subshell.
    fn arithmetic(&mut self) -> Result<bool, Unparsed> {
        let (start, found) = (self.at, self.substitutions.len());
        let read = self.variables.len();
        self.computed = true;
        self.at += 3;
        let mut open = 0_usize;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'(' => open += 1,
                b')' if open > 0 => open -= 1,
                b')' if self.peek(1) == Some(b')') => {
                    self.at += 2;
                    return Ok(true);
                }
                b')' => break,
                b'$' => {
                    self.dollar(true)?;
                    continue;
                }
                b'`' => {
                    self.backquoted(true)?;
                    continue;
                }
                byte if is_name_byte(byte) => {
                    let name = self.name();
                    self.note_variable(name);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = start;
        self.substitutions.truncate(found);
        self.variables.truncate(read);
        Ok(false)
    }

    /// `$(…)`, `<(…)` or `>(…)`. Where the first balanced parenthesis does not make a script, as after a
    /// pattern of `case`, a later one may.
    fn command_substitution(&mut self) -> Result<(), Unparsed> {
        const TRIES: usize = 8;
        self.computed = true;
        let start = self.at + 2;
        let mut from = start;
        let mut error = unparsed("a substitution does not end");
        for _ in 0..TRIES {
            let Some(end) = closing_parenthesis(self.text, from, 0) else {
                break;
            };
            match self.script(&self.reader.logical.slice(Span::new(start, end))) {
                Ok(statements) => {
                    self.substitutions.push(statements);
                    self.at = end + 1;
                    return Ok(());
                }
                Err(reason) => error = reason,
            }
            from = end + 1;
        }
        Err(error)
    }

    /// `` `…` ``, in which a backslash before a dollar sign, a backquote, a backslash and, in double quotes, a
    /// double quote is removed before the text is read as a script.
    fn backquoted(&mut self, quoted: bool) -> Result<(), Unparsed> {
        self.computed = true;
        self.at += 1;
        let mut script = Logical::default();
        loop {
            match self.peek(0) {
                None => return Err(unparsed("a substitution does not end")),
                Some(b'`') => break,
                Some(b'\\') => match self.peek(1) {
                    Some(b'$' | b'`' | b'\\') => self.at += 1,
                    Some(b'"') if quoted => self.at += 1,
                    _ => {}
                },
                Some(_) => {}
            }
            let source = self.reader.logical.source_offset(self.at);
            script.push(&self.text[self.at..=self.at], source);
            self.at += 1;
        }
        self.at += 1;
        let statements = self.script(&script)?;
        self.substitutions.push(statements);
        Ok(())
    }

    fn script(&self, text: &Logical) -> Result<Vec<Statement>, Unparsed> {
        Ok(convert::parse(text, self.reader.dialect, self.reader.depth + 1)?.body)
    }
}

/// Where the parenthesis stands that closes what was opened before `at`, quotes and comments observed.
fn closing_parenthesis(text: &[u8], mut at: usize, depth: usize) -> Option<usize> {
    if depth > 40 {
        return None;
    }
    while let Some(byte) = text.get(at) {
        match byte {
            b')' => return Some(at),
            b'(' => at = closing_parenthesis(text, at + 1, depth + 1)?,
            b'\\' => at += 1,
            b'\'' => at += 1 + text.get(at + 1..)?.iter().position(|byte| *byte == b'\'')?,
            b'"' => at = closing_quote(text, at + 1, depth)?,
            b'#' if b" \t\n;&|()".contains(&text[at - 1]) => {
                at += text[at..].iter().position(|byte| *byte == b'\n')?;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn closing_quote(text: &[u8], mut at: usize, depth: usize) -> Option<usize> {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return Some(at),
            b'\\' => at += 1,
            b'$' if text.get(at + 1) == Some(&b'(') => {
                at = closing_parenthesis(text, at + 2, depth + 1)?;
            }
            _ => {}
        }
        at += 1;
    }
    None
}
