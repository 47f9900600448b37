//! The lossless Dockerfile tree (floor 1): what BuildKit reads, and where each byte of it stands.
//!
//! Parsing never fails. The tree stores ranges into the source; the items, put one after the other, are
//! the file. What BuildKit would refuse is kept as [`Dockerfile::refused`].

mod check;
mod directive;
mod duration;
mod heredoc;
mod instruction;
mod json;
mod keyword;
mod lexer;
mod logical;
mod mount;
mod parse;
mod pattern;
mod runes;
mod variables;
mod views;
mod words;

#[cfg(test)]
mod tests;

pub use keyword::Keyword;
pub use logical::Logical;
pub use variables::{
    AUTOMATIC_ARGS, ExpandError, PREDEFINED_ARGS, Variables, expand, expand_heredoc, expand_with,
    expand_words, is_automatic_arg, is_predefined_arg, references,
};
pub use views::{CommandBody, Copy, CopySource, From, Healthcheck, Run, RunMount};

use std::sync::Arc;

use crate::text::Span;

/// A parsed Dockerfile.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    source: Arc<[u8]>,
    escape: u8,
    items: Vec<Item>,
    instructions: Vec<Instruction>,
    refused: Option<Diagnostic>,
}

/// One item of the flat list that makes up the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Whole lines, with their line endings; the items cover the file without gaps.
    pub span: Span,
    /// What stands there.
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A UTF-8 byte order mark at the start of the file.
    ByteOrderMark,
    /// A parser directive (`# syntax=…`, `# escape=…`, `# check=…`).
    Directive,
    /// A comment line outside instructions.
    Comment,
    /// A line of white space outside instructions.
    Blank,
    /// The instruction with this index in [`Dockerfile::instructions`], its heredoc bodies included.
    Instruction(usize),
    /// Bytes that BuildKit refuses, or that come after a refusal.
    Unparsed,
}

/// Why BuildKit refuses the file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// In BuildKit's words where it has any.
    pub message: String,
    /// The line or instruction.
    pub span: Span,
}

/// One instruction. Spans are offsets into the file.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// From the first byte of the keyword to the end of the last line, heredoc bodies included, the
    /// last line ending excluded.
    pub span: Span,
    /// First and last line, counted from 1, as BuildKit counts them.
    pub lines: (usize, usize),
    /// Which instruction.
    pub keyword: Keyword,
    /// The keyword as written.
    pub keyword_span: Span,
    /// `--name=value` before the first argument.
    pub flags: Vec<Flag>,
    /// What follows keyword and flags, continuations removed: what BuildKit and the shell see.
    pub body: Logical,
    /// The body, read as this instruction reads it.
    pub arguments: Arguments,
    /// Heredocs in the order of their markers.
    pub heredocs: Vec<Heredoc>,
    /// Comment lines between continuation lines, without their line endings.
    pub comments: Vec<Span>,
}

/// A flag of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// `--name=value` as written.
    pub span: Span,
    /// Without the dashes, lower case as BuildKit compares them exactly.
    pub name: String,
    /// What follows `=`, none without one.
    pub value: Option<Vec<u8>>,
    /// Where the value stands (one range also where it crosses a continuation).
    pub value_span: Option<Span>,
}

/// The arguments of an instruction.
#[derive(Clone, Debug)]
pub enum Arguments {
    /// No argument.
    None,
    /// One text: WORKDIR, USER, STOPSIGNAL, MAINTAINER, and the shell form of RUN, CMD, ENTRYPOINT.
    Text,
    /// Words parted by white space: FROM, EXPOSE, VOLUME, and COPY and ADD that are not JSON.
    Words(Vec<Word>),
    /// A JSON array of strings: exec form, and COPY, ADD, VOLUME, SHELL in brackets.
    Json(Vec<JsonString>),
    /// `name=value` pairs of ENV and LABEL; names alone are possible in ARG.
    Pairs {
        /// In order.
        pairs: Vec<Pair>,
        /// `ENV name value`: one pair without an equals sign.
        legacy: bool,
    },
    /// HEALTHCHECK: `NONE` or `CMD`.
    Healthcheck(Healthcheck),
    /// ONBUILD and the instruction that it triggers.
    Onbuild(Box<Instruction>),
}

/// A word as written, quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where it stands.
    pub span: Span,
    /// Its bytes without continuations.
    pub text: Vec<u8>,
}

/// A string of a JSON array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonString {
    /// Where it stands, quotes included.
    pub span: Span,
    /// Its value.
    pub value: String,
}

/// `name=value` of ENV, LABEL or ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Name and value as written.
    pub span: Span,
    /// As written; LABEL names may be quoted.
    pub name: Word,
    /// As written, quotes included; none for `ARG name`.
    pub value: Option<Word>,
}

/// A heredoc of RUN, COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The marker (`<<-"EOF"`) in the instruction.
    pub marker: Span,
    /// The delimiter without quotes.
    pub name: Vec<u8>,
    /// The lines between the instruction and the terminator.
    pub body: Span,
    /// The terminator line without its line ending.
    pub terminator: Span,
    /// Whether variables in the body are expanded: the delimiter is not quoted.
    pub expand: bool,
    /// `<<-`: leading tabs are removed.
    pub chomp: bool,
    /// The descriptor number before `<<`, 0 without one.
    pub descriptor: u32,
}

impl Dockerfile {
    /// Parses a file.
    #[must_use]
    pub fn parse(source: impl Into<Arc<[u8]>>) -> Self {
        parse::parse(source.into())
    }

    /// The bytes that were parsed.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The escape character: a backslash, or a backtick by directive.
    #[must_use]
    pub fn escape(&self) -> u8 {
        self.escape
    }

    /// Everything in the file, in order, without gaps.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The instructions, in order.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Why BuildKit refuses the file; none when it takes it.
    #[must_use]
    pub fn refused(&self) -> Option<&Diagnostic> {
        self.refused.as_ref()
    }

    /// The bytes of `span`.
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.source)
    }

    /// `\r\n` where the file's first line ends so, else `\n`.
    #[must_use]
    pub fn line_ending(&self) -> &'static str {
        match self.source.iter().position(|byte| *byte == b'\n') {
            Some(at) if at > 0 && self.source[at - 1] == b'\r' => "\r\n",
            _ => "\n",
        }
    }
}
