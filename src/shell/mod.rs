//! Commands inside RUN, CMD, ENTRYPOINT and HEALTHCHECK (floor 1), with ranges into the Dockerfile.
//!
//! The text that is parsed is the joined one that the shell sees ([`Logical`]); every span in the result is
//! a range of the file. What cannot be parsed is [`Unparsed`]: rules leave it alone.
//!
//! Shells differ in what they read. Of the things that matter here: `[[ … ]]`, `(( … ))`, `for ((…))`, arrays, `+=`,
//! `<(…)`, `<<<`, `&>`, `|&`, `;&` are only read with [`Dialect::Bash`], and are [`Unparsed`] elsewhere (dash runs
//! `[[` as a command of that name, busybox reads some of it); `function` is read with bash and busybox; braces expand
//! in bash, and may in a shell of unknown make.

mod compound;
mod convert;
mod coverage;
mod effects;
mod inner;
mod plain;
mod program;
mod query;
mod redirect;
mod shift;
mod word;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use query::{Invocation, Joint, Position};
pub use word::{quote_word, split_words};

use program::Program;

use crate::syntax::Logical;
use crate::text::Span;

/// The shell that runs a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/bin/sh` of unknown make: what dash, busybox and bash have in common.
    Posix,
    /// Debian's and Ubuntu's `/bin/sh`.
    Dash,
    /// Alpine's `/bin/sh`.
    Busybox,
    /// bash, and `/bin/sh` on Fedora and its relatives.
    Bash,
}

impl Dialect {
    /// The dialect of a program by its name without folder. None for what is no shell, and for zsh and fish, in which
    /// the same text means something else.
    #[must_use]
    pub fn of_program(name: &str) -> Option<Self> {
        match name {
            "sh" => Some(Self::Posix),
            "dash" => Some(Self::Dash),
            "ash" => Some(Self::Busybox),
            "bash" => Some(Self::Bash),
            _ => None,
        }
    }
}

/// The text is not shell that this crate can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsed {
    /// What the parser said.
    pub message: String,
}

/// A parsed shell text.
#[derive(Clone, Debug)]
pub struct Script {
    /// The whole text.
    pub span: Span,
    /// Its statements.
    pub body: Vec<Statement>,
    /// Shell comments (`# …` to the end of a line), for heredoc scripts.
    pub comments: Vec<Span>,
}

/// A command of a list, and what ends it.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The command with its `&&`, `||` and `|` chain.
    pub command: Command,
    /// What follows it.
    pub terminator: Terminator,
    /// Where the terminator stands, if it is written.
    pub terminator_span: Option<Span>,
}

/// What ends a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// Nothing: the list ends, or a line does.
    None,
    /// `;`
    Semicolon,
    /// `&`
    Background,
}

/// A command of any shape.
#[derive(Clone, Debug)]
pub struct Command {
    /// With its redirections.
    pub span: Span,
    /// Preceded by `!`.
    pub negated: bool,
    /// `> file`, `2>&1`, `<<EOF` …
    pub redirects: Vec<Redirect>,
    /// The shape.
    pub kind: CommandKind,
}

/// The shape of a command.
#[derive(Clone, Debug)]
pub enum CommandKind {
    /// Assignments, a name and its words.
    Simple(Simple),
    /// `left OP right`; chains lean left as the shell groups them.
    Binary {
        /// The command before the operator.
        left: Box<Command>,
        /// Which.
        operator: Operator,
        /// Where it stands.
        operator_span: Span,
        /// The command after it.
        right: Box<Command>,
    },
    /// `( … )`
    Subshell(Vec<Statement>),
    /// `{ …; }`
    Group(Vec<Statement>),
    /// `if`: conditions and bodies in order, then the `else` body.
    If {
        /// `if`/`elif` conditions with their bodies.
        branches: Vec<(Vec<Statement>, Vec<Statement>)>,
        /// The `else` body, empty without one.
        otherwise: Vec<Statement>,
    },
    /// `for`, with its words.
    For {
        /// The variable.
        variable: Vec<u8>,
        /// What it runs over; empty for `"$@"`.
        words: Vec<Word>,
        /// What is repeated.
        body: Vec<Statement>,
    },
    /// `while` and `until`.
    While {
        /// The condition.
        condition: Vec<Statement>,
        /// What is repeated.
        body: Vec<Statement>,
    },
    /// `case`, with the bodies of its arms.
    Case {
        /// The word that is matched.
        word: Word,
        /// One body an arm.
        arms: Vec<Vec<Statement>>,
    },
    /// `name() { … }`
    Function {
        /// The name.
        name: Vec<u8>,
        /// The body.
        body: Box<Command>,
    },
    /// `[[ … ]]`, `(( … ))` and the head of `for ((…))`, as one word with the scripts and variables in it.
    Other(Word),
}

/// An operator between two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|` and `|&`
    Pipe,
}

/// `NAME=value … name word …`. Without words it is only assignments.
#[derive(Clone, Debug)]
pub struct Simple {
    /// From the first assignment or word to the last; redirections excluded.
    pub span: Span,
    /// Before the name.
    pub assignments: Vec<Assignment>,
    /// The name first. Of `export`, `local` and other declarations, operands like `NAME=value` are words too
    /// ([`Simple::declared`] takes them apart); [`Simple::assignments`] has only what stands before the name.
    pub words: Vec<Word>,
    /// The script that it hands to a shell: `sh -c '…'`.
    pub inner: Option<Box<Inner>>,
    /// Which of the words is the program.
    program: Program,
}

/// A script in an argument. Its spans are ranges of the file, too.
#[derive(Clone, Debug)]
pub struct Inner {
    /// The script.
    pub script: Script,
    /// The shell that reads it.
    pub dialect: Dialect,
    /// Index of the word of [`Simple::words`] that holds it.
    pub word: usize,
    /// Whether the file's bytes between the quotes are the script's: no escape or continuation between them.
    /// An edit must not bring in a quote, nor, in double quotes, a dollar sign, backquote or backslash.
    pub editable: bool,
}

/// `NAME=value`
#[derive(Clone, Debug)]
pub struct Assignment {
    /// As written.
    pub span: Span,
    /// The name.
    pub name: Vec<u8>,
    /// `NAME+=value`
    pub append: bool,
    /// The value, which may be empty. Of an array, the text with its parentheses, without a literal.
    pub value: Word,
}

/// A word of a command.
#[derive(Clone, Debug)]
pub struct Word {
    /// As written, from its first to its last byte.
    pub span: Span,
    /// The bytes as the shell reads them, quotes included, continuations removed.
    pub raw: Vec<u8>,
    /// The value after quote removal; none when it holds an expansion, a glob or a substitution.
    pub literal: Option<Vec<u8>>,
    /// Whether no continuation stands inside: only then is `raw` what the file holds at `span`.
    pub contiguous: bool,
    /// Scripts of `$(…)`, backquotes and `<(…)` inside.
    pub substitutions: Vec<Vec<Statement>>,
    /// Names of the variables that it reads, scripts inside excluded.
    pub variables: Vec<Vec<u8>>,
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// As written.
    pub span: Span,
    /// `>`, `>>`, `<`, `<<`, `>&`, `&>` …
    pub operator: Vec<u8>,
    /// Descriptor before it.
    pub descriptor: Option<u32>,
    /// File, descriptor or heredoc delimiter; with the latter, what the heredoc's body runs and reads.
    pub target: Word,
    /// The heredoc's body.
    pub heredoc: Option<Span>,
}

/// Parses the joined text of a shell-form instruction.
///
/// # Errors
/// When it is not shell of this dialect.
pub fn parse(text: &Logical, dialect: Dialect) -> Result<Script, Unparsed> {
    convert::parse(text, dialect, 0)
}
