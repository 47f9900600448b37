//! Instructions read as what they are.

use super::{Arguments, JsonString, Logical, Word};
use crate::text::Span;

/// `FROM image AS name`
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// The image reference as written.
    pub image: &'a Word,
    /// The word `AS`.
    pub as_word: Option<&'a Word>,
    /// The stage's name as written.
    pub alias: Option<&'a Word>,
    /// `--platform=…`
    pub platform: Option<&'a [u8]>,
}

/// COPY or ADD.
#[derive(Clone, Debug)]
pub struct Copy<'a> {
    /// Everything but the last argument.
    pub sources: Vec<CopySource<'a>>,
    /// The last argument.
    pub destination: CopySource<'a>,
    /// `--from=…`
    pub from: Option<&'a [u8]>,
    /// Whether the arguments are JSON.
    pub json: bool,
}

/// A source or the destination.
#[derive(Clone, Copy, Debug)]
pub struct CopySource<'a> {
    /// As written, quotes of JSON included.
    pub span: Span,
    /// The path, JSON decoded; variables not expanded.
    pub text: &'a [u8],
    /// Index of the heredoc that gives its contents.
    pub heredoc: Option<usize>,
}

/// RUN.
#[derive(Clone, Debug)]
pub enum Run<'a> {
    /// Text for the shell; with heredocs, which the shell reads too.
    Shell(&'a Logical),
    /// Program and arguments.
    Exec(&'a [JsonString]),
    /// `RUN <<EOF` alone: the body is the script (its index in the instruction's heredocs). A `#!` line names its interpreter.
    Script(usize),
}

/// `--mount=…` of RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMount {
    /// The flag's range.
    pub span: Span,
    /// `bind`, `cache`, `tmpfs`, `secret`, `ssh`.
    pub kind: String,
    /// `target=`, `from=`, `id=` … as written, in order, without `type`.
    pub options: Vec<(String, Option<String>)>,
}

/// HEALTHCHECK.
#[derive(Clone, Debug)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`
    None,
    /// `HEALTHCHECK CMD …`: the command's text and arguments.
    Command {
        /// What follows `CMD`.
        body: Logical,
        /// [`Arguments::Text`] or [`Arguments::Json`].
        arguments: Box<Arguments>,
    },
}
