//! From the parser's tree to ours, checked on the way: what is not exactly understood is [`Unparsed`].

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use shuck_ast as ast;
use shuck_parser::parser::{Parser, ShellDialect, ShellProfile};

use super::coverage::Coverage;
use super::inner;
use super::plain::{self, After, Plain};
use super::program::Program;
use super::word::{self, Mode};
use super::{
    Assignment, Command, CommandKind, Dialect, Operator, Script, Simple, Statement, Terminator,
    Unparsed, Word,
};
use crate::syntax::Logical;
use crate::text::Span;

/// Longest text that is parsed, in bytes.
const MAX_LENGTH: usize = 256 * 1024;

/// Most opening braces in a text: the parser's time grows with their square. No file of the
/// corpus of 19,167 holds more than 205.
const MAX_BRACES: usize = 500;

/// Most compound commands, substitutions and inner scripts inside one another.
const MAX_DEPTH: usize = 40;

/// Parses `text`, which stands `depth` levels deep in other scripts.
pub(super) fn parse(text: &Logical, dialect: Dialect, depth: usize) -> Result<Script, Unparsed> {
    let bytes = text.text();
    if bytes.len() > MAX_LENGTH {
        return Err(unparsed("the text is too long"));
    }
    if bytes.iter().filter(|byte| **byte == b'{').count() > MAX_BRACES {
        return Err(unparsed("the text has too many braces"));
    }
    let Some(levels) = MAX_DEPTH.checked_sub(depth).filter(|levels| *levels > 0) else {
        return Err(unparsed("commands are nested too deeply"));
    };
    let mut reader = Reader {
        logical: text,
        text: bytes,
        dialect,
        depth,
        coverage: Coverage::default(),
    };
    let (body, comments) = match plain::commands(bytes) {
        Some(commands) => (reader.plain(commands)?, Vec::new()),
        None => reader.parsed(levels)?,
    };
    Ok(Script {
        span: text.source_span(Span::new(0, bytes.len())),
        body,
        comments: comments
            .into_iter()
            .map(|span| text.source_span(span))
            .collect(),
    })
}

/// The script of a plain text, as read without the parser and with it; none for a text that is not plain.
#[cfg(test)]
pub(super) fn both_ways(bytes: &[u8], dialect: Dialect) -> Option<(String, String)> {
    let mut text = Logical::default();
    text.push(bytes, 100);
    let reader = || Reader {
        logical: &text,
        text: bytes,
        dialect,
        depth: 0,
        coverage: Coverage::default(),
    };
    let plain = reader().plain(plain::commands(bytes)?);
    let parsed = reader().parsed(MAX_DEPTH);
    Some((
        format!("{:?}", plain.map(|body| (body, Vec::<Span>::new()))),
        format!("{parsed:?}"),
    ))
}

/// What the parser gets: as long as `bytes`, with a full stop for every byte that to a shell is an ordinary
/// letter of a word but to the parser might be a blank, a line end or a part of a character.
fn shadow(bytes: &[u8]) -> Result<Cow<'_, str>, Unparsed> {
    if bytes.contains(&0) {
        return Err(unparsed("there is a zero byte"));
    }
    let ordinary =
        |byte: u8| matches!(byte, b'\t' | b'\n') || (byte.is_ascii() && !byte.is_ascii_control());
    if bytes.iter().all(|byte| ordinary(*byte))
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Ok(Cow::Borrowed(text));
    }
    Ok(Cow::Owned(
        bytes
            .iter()
            .map(|byte| {
                if ordinary(*byte) {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect(),
    ))
}

/// An error with this message.
pub(super) fn unparsed(message: &str) -> Unparsed {
    Unparsed {
        message: message.to_owned(),
    }
}

/// A command, its span in the text, and the operator behind it with its span.
type Left = ((Command, Span), (Operator, Span));

/// What the conversion of one text needs. Spans in here are offsets into the joined text.
pub(super) struct Reader<'a> {
    pub(super) logical: &'a Logical,
    pub(super) text: &'a [u8],
    pub(super) dialect: Dialect,
    pub(super) depth: usize,
    pub(super) coverage: Coverage,
}

impl Reader<'_> {
    /// The statements and comments as the parser tells them apart.
    fn parsed(&mut self, levels: usize) -> Result<(Vec<Statement>, Vec<Span>), Unparsed> {
        let shadow = shadow(self.text)?;
        let profile = ShellProfile::native(match self.dialect {
            Dialect::Bash => ShellDialect::Bash,
            Dialect::Posix | Dialect::Dash | Dialect::Busybox => ShellDialect::Posix,
        });
        let fuel = 10_000 + 64 * self.text.len();
        // The parser is young: a panic of its must not take a whole run down.
        let result = catch_unwind(AssertUnwindSafe(|| {
            Parser::with_limits_and_profile(&shadow, levels * 2, fuel, profile).parse()
        }))
        .map_err(|_| unparsed("the shell parser gave up"))?;
        if result.is_err() {
            return Err(Unparsed {
                message: result.strict_error().to_string(),
            });
        }
        let body = self.sequence(&result.file.body)?;
        let comments = std::mem::take(&mut self.coverage).check(self.text)?;
        Ok((body, comments))
    }

    /// The statements that plain commands make up.
    fn plain(&mut self, commands: Vec<Plain>) -> Result<Vec<Statement>, Unparsed> {
        let mut statements = Vec::new();
        // What stands before an operator that waits for its right side; a pipe binds closer than the others.
        let mut pipe: Option<Left> = None;
        let mut list: Option<Left> = None;
        for plain in commands {
            let (kind, span) = self.simple_at(&plain.assignments, &plain.words)?;
            let span = span.ok_or_else(|| unparsed("a command is empty"))?;
            let mut right = self.bare(kind, span);
            if let Some(left) = pipe.take() {
                right = self.join(left, right);
            }
            let operator = match plain.after {
                After::Operator(operator, at) => Some((operator, at)),
                _ => None,
            };
            if let Some((Operator::Pipe, _)) = operator {
                pipe = operator.map(|operator| (right, operator));
                continue;
            }
            if let Some(left) = list.take() {
                right = self.join(left, right);
            }
            match plain.after {
                After::Operator(..) => list = operator.map(|operator| (right, operator)),
                After::Semicolon(at) => statements.push(Statement {
                    command: right.0,
                    terminator: Terminator::Semicolon,
                    terminator_span: Some(self.logical.source_span(at)),
                }),
                After::End => statements.push(Statement {
                    command: right.0,
                    terminator: Terminator::None,
                    terminator_span: None,
                }),
            }
        }
        Ok(statements)
    }

    fn bare(&self, kind: CommandKind, span: Span) -> (Command, Span) {
        let command = Command {
            span: self.logical.source_span(span),
            negated: false,
            redirects: Vec::new(),
            kind,
        };
        (command, span)
    }

    fn join(&self, left: Left, (right, right_span): (Command, Span)) -> (Command, Span) {
        let ((left, left_span), (operator, at)) = left;
        let kind = CommandKind::Binary {
            left: Box::new(left),
            operator,
            operator_span: self.logical.source_span(at),
            right: Box::new(right),
        };
        self.bare(kind, left_span.cover(right_span))
    }

    pub(super) fn sequence(&mut self, sequence: &ast::StmtSeq) -> Result<Vec<Statement>, Unparsed> {
        if self.depth >= MAX_DEPTH {
            return Err(unparsed("commands are nested too deeply"));
        }
        self.depth += 1;
        let statements = sequence
            .stmts
            .iter()
            .map(|statement| self.statement(statement))
            .collect();
        self.depth -= 1;
        statements
    }

    fn statement(&mut self, statement: &ast::Stmt) -> Result<Statement, Unparsed> {
        let (command, _) = self.command(statement)?;
        let (terminator, terminator_span) = match (statement.terminator, statement.terminator_span)
        {
            // Before a keyword the parser does not report it.
            (None, _) => match self.semicolon() {
                Some(span) => (Terminator::Semicolon, Some(self.logical.source_span(span))),
                None => (Terminator::None, None),
            },
            (Some(_), Some(span)) => {
                let span = self.span(span)?;
                let terminator = match span.of(self.text) {
                    b";" => Terminator::Semicolon,
                    b"&" => Terminator::Background,
                    _ => return Err(unparsed("a command ends in an unknown way")),
                };
                self.coverage.claim(span);
                (terminator, Some(self.logical.source_span(span)))
            }
            (Some(_), None) => return Err(unparsed("a command ends nowhere")),
        };
        Ok(Statement {
            command,
            terminator,
            terminator_span,
        })
    }

    /// The command and its span in the text. The left spine of a list is walked, not recursed into:
    /// lists get long.
    pub(super) fn command(&mut self, statement: &ast::Stmt) -> Result<(Command, Span), Unparsed> {
        let mut spine = Vec::new();
        let mut first = statement;
        while let ast::Command::Binary(binary) = &first.command {
            let negation = match first.negated {
                true => Some(self.expect(b"!")?),
                false => None,
            };
            spine.push((first, binary, negation));
            first = &binary.left;
            self.refuse_terminator(first)?;
        }
        let (mut command, mut span) = self.operand(first)?;
        for (statement, binary, negation) in spine.into_iter().rev() {
            self.refuse_terminator(&binary.right)?;
            let operator_span = self.span(binary.op_span)?;
            let operator = match (binary.op, operator_span.of(self.text)) {
                (ast::BinaryOp::And, b"&&") => Operator::And,
                (ast::BinaryOp::Or, b"||") => Operator::Or,
                (ast::BinaryOp::Pipe, b"|") => Operator::Pipe,
                (ast::BinaryOp::PipeAll, b"|&") if self.dialect == Dialect::Bash => Operator::Pipe,
                _ => return Err(unparsed("an operator is not of this shell")),
            };
            self.coverage.claim(operator_span);
            let (right, right_span) = self.command(&binary.right)?;
            if span.end > operator_span.start || operator_span.end > right_span.start {
                return Err(unparsed("an operator is not between its commands"));
            }
            if !statement.redirects.is_empty() {
                return Err(unparsed("a list is redirected"));
            }
            span = span.cover(right_span);
            command = Command {
                span: self.logical.source_span(span),
                negated: false,
                redirects: Vec::new(),
                kind: CommandKind::Binary {
                    left: Box::new(command),
                    operator,
                    operator_span: self.logical.source_span(operator_span),
                    right: Box::new(right),
                },
            };
            if let Some(negation) = negation {
                span = negation.cover(span);
                command.negated = true;
                command.span = self.logical.source_span(span);
            }
        }
        Ok((command, span))
    }

    pub(super) fn refuse_terminator(&self, statement: &ast::Stmt) -> Result<(), Unparsed> {
        match statement.terminator {
            None => Ok(()),
            Some(_) => Err(unparsed("a command ends inside a list")),
        }
    }

    /// A command that is not a list.
    fn operand(&mut self, statement: &ast::Stmt) -> Result<(Command, Span), Unparsed> {
        let mut span = match statement.negated {
            true => Some(self.expect(b"!")?),
            false => None,
        };
        let mut cover = |part: Span| span = Some(span.map_or(part, |all| all.cover(part)));
        let (kind, own) = self.kind(statement)?;
        if let Some(own) = own {
            cover(own);
        }
        let mut redirects = Vec::with_capacity(statement.redirects.len());
        for redirect in &statement.redirects {
            if let Some((redirect, part)) = self.redirect(redirect)? {
                cover(part);
                redirects.push(redirect);
            }
        }
        let Some(span) = span else {
            return Err(unparsed("a command is empty"));
        };
        let command = Command {
            span: self.logical.source_span(span),
            negated: statement.negated,
            redirects,
            kind,
        };
        Ok((command, span))
    }

    /// The shape, and the span without redirections; none when there is nothing but redirections.
    fn kind(&mut self, statement: &ast::Stmt) -> Result<(CommandKind, Option<Span>), Unparsed> {
        match &statement.command {
            ast::Command::Simple(simple) => {
                let mut words = Vec::with_capacity(1 + simple.args.len());
                if simple.name.span.start.offset() < simple.name.span.end.offset() {
                    words.push(simple.name.span);
                }
                words.extend(simple.args.iter().map(|word| word.span));
                self.simple(&simple.assignments, &words)
            }
            ast::Command::Builtin(builtin) => self.builtin(builtin),
            ast::Command::Decl(declaration) => {
                let mut words = vec![declaration.variant_span];
                words.extend(declaration.operands.iter().map(|operand| match operand {
                    ast::DeclOperand::Flag(word) | ast::DeclOperand::Dynamic(word) => word.span,
                    ast::DeclOperand::Name(name) => name.span,
                    ast::DeclOperand::Assignment(assignment) => assignment.span,
                }));
                self.simple(&declaration.assignments, &words)
            }
            ast::Command::Compound(compound) => {
                if let ast::CompoundCommand::Time(time) = compound {
                    return self.time(time);
                }
                let (kind, span) = self.compound(compound)?;
                Ok((kind, Some(span)))
            }
            ast::Command::Function(function) => {
                let (kind, span) = self.function(function)?;
                Ok((kind, Some(span)))
            }
            ast::Command::Binary(_) => Err(unparsed("a list stands where a command should")),
            ast::Command::AnonymousFunction(_) => Err(unparsed("a function has no name")),
        }
    }

    fn simple(
        &mut self,
        assignments: &[ast::Assignment],
        words: &[ast::Span],
    ) -> Result<(CommandKind, Option<Span>), Unparsed> {
        let assignments = assignments
            .iter()
            .map(|it| {
                let array = matches!(it.value, ast::AssignmentValue::Compound(_));
                Ok((self.span(it.span)?, array))
            })
            .collect::<Result<Vec<_>, Unparsed>>()?;
        let words = words
            .iter()
            .map(|word| self.span(*word))
            .collect::<Result<Vec<_>, Unparsed>>()?;
        self.simple_at(&assignments, &words)
    }

    /// A simple command whose assignments (and whether each is of an array) and words stand there.
    fn simple_at(
        &mut self,
        assignments: &[(Span, bool)],
        words: &[Span],
    ) -> Result<(CommandKind, Option<Span>), Unparsed> {
        let mut span: Option<Span> = None;
        let mut cover = |part: Span| span = Some(span.map_or(part, |all| all.cover(part)));
        let mut simple = Simple {
            span: Span::default(),
            assignments: Vec::with_capacity(assignments.len()),
            words: Vec::with_capacity(words.len()),
            inner: None,
            program: Program::default(),
        };
        for (part, array) in assignments {
            cover(*part);
            simple.assignments.push(self.assignment(*part, *array)?);
        }
        let mut mode = Mode::Word;
        for part in words {
            cover(*part);
            simple.words.push(self.word(*part, mode)?);
            if self.dialect == Dialect::Bash && simple.is_declaration() {
                mode = Mode::Array;
            }
        }
        if let Some(span) = span {
            simple.span = self.logical.source_span(span);
        }
        simple.program = Program::of(&simple.words);
        simple.inner = inner::read(self, &simple, words).map(Box::new);
        Ok((CommandKind::Simple(simple), span))
    }

    /// `break`, `continue`, `return` and `exit`, which the parser tells apart and we do not.
    fn builtin(
        &mut self,
        builtin: &ast::BuiltinCommand,
    ) -> Result<(CommandKind, Option<Span>), Unparsed> {
        let (name, first, rest, assignments, span): (&[u8], _, _, _, _) = match builtin {
            ast::BuiltinCommand::Break(it) => (
                b"break",
                &it.depth,
                &it.extra_args,
                &it.assignments,
                it.span,
            ),
            ast::BuiltinCommand::Continue(it) => (
                b"continue",
                &it.depth,
                &it.extra_args,
                &it.assignments,
                it.span,
            ),
            ast::BuiltinCommand::Return(it) => (
                b"return",
                &it.code,
                &it.extra_args,
                &it.assignments,
                it.span,
            ),
            ast::BuiltinCommand::Exit(it) => {
                (b"exit", &it.code, &it.extra_args, &it.assignments, it.span)
            }
        };
        let whole = self.span(span)?;
        let from = match assignments.last() {
            Some(assignment) => self.span(assignment.span)?.end,
            None => whole.start,
        };
        let limit = match first {
            Some(word) => self.span(word.span)?.start,
            None => self.text.len(),
        };
        // A redirection may precede the name; the coverage check refuses a name found in the wrong place.
        let at = self.text[from.min(limit)..limit]
            .windows(name.len())
            .position(|window| window == name)
            .map(|at| from + at)
            .ok_or_else(|| unparsed("a built-in command has no name"))?;
        let start = ast::Position::at(1, 1, at);
        let end = ast::Position::at(1, 1, at + name.len());
        let mut words = vec![ast::Span::from_positions(start, end)];
        words.extend(first.iter().chain(rest).map(|word| word.span));
        self.simple(assignments, &words)
    }

    /// `time command`: a simple command whose first word is `time`.
    fn time(&mut self, time: &ast::TimeCommand) -> Result<(CommandKind, Option<Span>), Unparsed> {
        let Some(ast::Stmt {
            command: ast::Command::Simple(simple),
            redirects,
            negated: false,
            ..
        }) = time.command.as_deref()
        else {
            return Err(unparsed("time is taken of more than a simple command"));
        };
        let whole = self.span(time.span)?;
        let head_end = self.span(simple.span)?.start;
        let head = Span::new(whole.start, head_end.max(whole.start)).of(self.text);
        if !redirects.is_empty() || !simple.assignments.is_empty() {
            return Err(unparsed("time is taken of more than a simple command"));
        }
        let mut words = Vec::with_capacity(3 + simple.args.len());
        let mut at = 0;
        for piece in head.split(|byte| byte.is_ascii_whitespace()) {
            if !piece.is_empty() {
                let start = whole.start + at;
                words.push(ast::Span::from_positions(
                    ast::Position::at(1, 1, start),
                    ast::Position::at(1, 1, start + piece.len()),
                ));
            }
            at += piece.len() + 1;
        }
        words.push(simple.name.span);
        words.extend(simple.args.iter().map(|word| word.span));
        self.simple(&[], &words)
    }

    fn assignment(&mut self, span: Span, array: bool) -> Result<Assignment, Unparsed> {
        let text = span.of(self.text);
        let equals = text
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(|| unparsed("an assignment has no equals sign"))?;
        let (name, append) = match text[..equals].strip_suffix(b"+") {
            Some(name) => (name, true),
            None => (&text[..equals], false),
        };
        if !word::is_name(name) || ((append || array) && self.dialect != Dialect::Bash) {
            return Err(unparsed("an assignment is not of this shell"));
        }
        let name = name.to_vec();
        self.coverage
            .claim(Span::new(span.start, span.start + equals + 1));
        let value = Span::new(span.start + equals + 1, span.end);
        let mode = if array { Mode::Array } else { Mode::Value };
        Ok(Assignment {
            span: self.logical.source_span(span),
            name,
            append,
            value: self.word(value, mode)?,
        })
    }

    pub(super) fn word(&mut self, span: Span, mode: Mode) -> Result<Word, Unparsed> {
        let scan = word::scan(self, span, mode)?;
        self.coverage.claim(span);
        Ok(Word {
            span: self.logical.source_span(span),
            raw: span.of(self.text).to_vec(),
            literal: scan.literal,
            contiguous: self.logical.is_contiguous(span),
            substitutions: scan.substitutions,
            variables: scan.variables,
        })
    }

    /// Claims the semicolon after all that was claimed, if there is one.
    fn semicolon(&mut self) -> Option<Span> {
        let at = self.coverage.reached();
        let blanks = self.text[at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let start = at + blanks;
        let rest = &self.text[start..];
        if !rest.starts_with(b";") || rest.starts_with(b";;") || rest.starts_with(b";&") {
            return None;
        }
        let span = Span::new(start, start + 1);
        self.coverage.claim(span);
        Some(span)
    }

    /// Finds and claims `token`, which must be what comes next after all that was claimed.
    pub(super) fn expect(&mut self, token: &[u8]) -> Result<Span, Unparsed> {
        let start = self.coverage.next(self.text);
        if !self.text[start..].starts_with(token) {
            return Err(unparsed("a keyword is not where it should be"));
        }
        let span = Span::new(start, start + token.len());
        self.coverage.claim(span);
        Ok(span)
    }

    /// Checks that a span lies in the text.
    pub(super) fn span(&self, span: ast::Span) -> Result<Span, Unparsed> {
        let (start, end) = (span.start.offset(), span.end.offset());
        if start > end || end > self.text.len() {
            return Err(unparsed("the parser lost its place"));
        }
        Ok(Span::new(start, end))
    }
}
