//! From the parser's tree to ours, checked on the way: what is not exactly understood is [`Unparsed`].

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use shuck_ast as ast;
use shuck_parser::parser::{Parser, ShellDialect, ShellProfile};

use super::coverage::Coverage;
use super::inner;
use super::word::{self, Mode};
use super::{
    Assignment, Command, CommandKind, Dialect, Operator, Redirect, Script, Simple, Statement,
    Terminator, Unparsed, Word,
};
use crate::syntax::Logical;
use crate::text::Span;

/// Longest text that is parsed, in bytes.
const MAX_LENGTH: usize = 256 * 1024;

/// Most compound commands, substitutions and inner scripts inside one another.
const MAX_DEPTH: usize = 40;

/// Parses `text`, which stands `depth` levels deep in other scripts.
pub(super) fn parse(text: &Logical, dialect: Dialect, depth: usize) -> Result<Script, Unparsed> {
    let bytes = text.text();
    if bytes.len() > MAX_LENGTH {
        return Err(unparsed("the text is too long"));
    }
    let Some(levels) = MAX_DEPTH.checked_sub(depth).filter(|levels| *levels > 0) else {
        return Err(unparsed("commands are nested too deeply"));
    };
    let shadow = shadow(bytes)?;
    let profile = ShellProfile::native(match dialect {
        Dialect::Bash => ShellDialect::Bash,
        Dialect::Posix | Dialect::Dash | Dialect::Busybox => ShellDialect::Posix,
    });
    let fuel = 10_000 + 64 * bytes.len();
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
    let mut reader = Reader {
        logical: text,
        text: bytes,
        dialect,
        depth,
        coverage: Coverage::default(),
    };
    let body = reader.sequence(&result.file.body)?;
    let comments = reader.coverage.check(bytes)?;
    Ok(Script {
        span: text.source_span(Span::new(0, bytes.len())),
        body,
        comments: comments
            .into_iter()
            .map(|span| text.source_span(span))
            .collect(),
    })
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

/// What the conversion of one text needs. Spans in here are offsets into the joined text.
pub(super) struct Reader<'a> {
    pub(super) logical: &'a Logical,
    pub(super) text: &'a [u8],
    pub(super) dialect: Dialect,
    pub(super) depth: usize,
    pub(super) coverage: Coverage,
}

impl Reader<'_> {
    fn sequence(&mut self, sequence: &ast::StmtSeq) -> Result<Vec<Statement>, Unparsed> {
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
            (None, _) => (Terminator::None, None),
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
    fn command(&mut self, statement: &ast::Stmt) -> Result<(Command, Span), Unparsed> {
        let mut spine = Vec::new();
        let mut first = statement;
        while let ast::Command::Binary(binary) = &first.command {
            spine.push((first, binary));
            first = &binary.left;
            self.refuse_terminator(first)?;
        }
        let (mut command, mut span) = self.operand(first)?;
        for (statement, binary) in spine.into_iter().rev() {
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
            if statement.negated {
                span = self.negation(span)?;
                command.negated = true;
                command.span = self.logical.source_span(span);
            }
        }
        Ok((command, span))
    }

    fn refuse_terminator(&self, statement: &ast::Stmt) -> Result<(), Unparsed> {
        match statement.terminator {
            None => Ok(()),
            Some(_) => Err(unparsed("a command ends inside a list")),
        }
    }

    /// A command that is not a list.
    fn operand(&mut self, statement: &ast::Stmt) -> Result<(Command, Span), Unparsed> {
        let mut redirects = Vec::with_capacity(statement.redirects.len());
        let mut redirected: Option<Span> = None;
        for redirect in &statement.redirects {
            let (redirect, span) = self.redirect(redirect)?;
            redirected = Some(redirected.map_or(span, |all| all.cover(span)));
            redirects.push(redirect);
        }
        let (kind, own) = self.kind(statement)?;
        let mut span = match (own, redirected) {
            (Some(own), Some(redirected)) => own.cover(redirected),
            (Some(span), None) | (None, Some(span)) => span,
            (None, None) => return Err(unparsed("a command is empty")),
        };
        if statement.negated {
            span = self.negation(span)?;
        }
        let command = Command {
            span: self.logical.source_span(span),
            negated: statement.negated,
            redirects,
            kind,
        };
        Ok((command, span))
    }

    /// `span` with the `!` before it.
    fn negation(&self, span: Span) -> Result<Span, Unparsed> {
        let before = self.text[..span.start].trim_ascii_end();
        match before.last() {
            Some(b'!') => Ok(Span::new(before.len() - 1, span.end)),
            _ => Err(unparsed("a negation is missing")),
        }
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
                let (kind, span) = self.compound(compound, statement)?;
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
        let mut span: Option<Span> = None;
        let mut cover = |part: Span| span = Some(span.map_or(part, |all| all.cover(part)));
        let mut simple = Simple {
            span: Span::default(),
            assignments: Vec::with_capacity(assignments.len()),
            words: Vec::with_capacity(words.len()),
            inner: None,
        };
        for assignment in assignments {
            let (assignment, part) = self.assignment(assignment)?;
            cover(part);
            simple.assignments.push(assignment);
        }
        let mut mode = Mode::Word;
        let mut parts = Vec::with_capacity(words.len());
        for word in words {
            let part = self.span(*word)?;
            cover(part);
            parts.push(part);
            simple.words.push(self.word(part, mode)?);
            if self.dialect == Dialect::Bash && simple.is_declaration() {
                mode = Mode::Array;
            }
        }
        if let Some(span) = span {
            simple.span = self.logical.source_span(span);
        }
        simple.inner = inner::read(self, &simple, &parts).map(Box::new);
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

    fn compound(
        &mut self,
        compound: &ast::CompoundCommand,
        statement: &ast::Stmt,
    ) -> Result<(CommandKind, Span), Unparsed> {
        use ast::CompoundCommand as Compound;
        Ok(match compound {
            Compound::If(it) => {
                let span = self.delimited(it.span, b"if", b"fi")?;
                let mut branches = Vec::with_capacity(1 + it.elif_branches.len());
                branches.push((
                    self.sequence(&it.condition)?,
                    self.sequence(&it.then_branch)?,
                ));
                for (condition, body) in &it.elif_branches {
                    branches.push((self.sequence(condition)?, self.sequence(body)?));
                }
                let otherwise = match &it.else_branch {
                    Some(body) => self.sequence(body)?,
                    None => Vec::new(),
                };
                let kind = CommandKind::If {
                    branches,
                    otherwise,
                };
                (kind, span)
            }
            Compound::For(it) => {
                let span = self.delimited(it.span, b"for", b"done")?;
                let [target] = it.targets.as_slice() else {
                    return Err(unparsed("for has more than one variable"));
                };
                let name = self.span(target.span)?;
                self.coverage.claim(name);
                let words = it.words.iter().flatten();
                let words = words
                    .map(|word| {
                        self.span(word.span)
                            .and_then(|it| self.word(it, Mode::Word))
                    })
                    .collect::<Result<_, _>>()?;
                let kind = CommandKind::For {
                    variable: name.of(self.text).to_vec(),
                    words,
                    body: self.sequence(&it.body)?,
                };
                (kind, span)
            }
            Compound::ArithmeticFor(it) if self.dialect == Dialect::Bash => {
                let span = self.delimited(it.span, b"for", b"done")?;
                let head = Span::new(
                    self.span(it.left_paren_span)?.start,
                    self.span(it.right_paren_span)?.end,
                );
                let condition = Statement {
                    command: Command {
                        span: self.logical.source_span(head),
                        negated: false,
                        redirects: Vec::new(),
                        kind: CommandKind::Other(self.word(head, Mode::Arithmetic)?),
                    },
                    terminator: Terminator::None,
                    terminator_span: None,
                };
                let kind = CommandKind::While {
                    condition: vec![condition],
                    body: self.sequence(&it.body)?,
                };
                (kind, span)
            }
            Compound::While(it) => {
                let span = self.delimited(it.span, b"while", b"done")?;
                let kind = CommandKind::While {
                    condition: self.sequence(&it.condition)?,
                    body: self.sequence(&it.body)?,
                };
                (kind, span)
            }
            Compound::Until(it) => {
                let span = self.delimited(it.span, b"until", b"done")?;
                let kind = CommandKind::While {
                    condition: self.sequence(&it.condition)?,
                    body: self.sequence(&it.body)?,
                };
                (kind, span)
            }
            Compound::Case(it) => {
                let span = self.delimited(it.span, b"case", b"esac")?;
                let word = self.span(it.word.span)?;
                let word = self.word(word, Mode::Word)?;
                let mut arms = Vec::with_capacity(it.cases.len());
                for case in &it.cases {
                    self.patterns(case)?;
                    arms.push(self.sequence(&case.body)?);
                }
                (CommandKind::Case { word, arms }, span)
            }
            Compound::Subshell(body) => {
                let span = self.bracketed(statement, b"(", b")")?;
                (CommandKind::Subshell(self.sequence(body)?), span)
            }
            Compound::BraceGroup(body) => {
                let span = self.bracketed(statement, b"{", b"}")?;
                (CommandKind::Group(self.sequence(body)?), span)
            }
            Compound::Conditional(it) if self.dialect == Dialect::Bash => {
                let span = self.delimited(it.span, b"[[", b"]]")?;
                (CommandKind::Other(self.word(span, Mode::Test)?), span)
            }
            Compound::Arithmetic(it) if self.dialect == Dialect::Bash => {
                let span = self.delimited(it.span, b"((", b"))")?;
                (CommandKind::Other(self.word(span, Mode::Arithmetic)?), span)
            }
            _ => return Err(unparsed("a compound command is not of this shell")),
        })
    }

    /// Claims the patterns of a case arm, which must run nothing.
    fn patterns(&mut self, case: &ast::CaseItem) -> Result<(), Unparsed> {
        let (Some(first), Some(last)) = (case.patterns.first(), case.patterns.last()) else {
            return Err(unparsed("a case arm has no pattern"));
        };
        let span = self.span(first.span)?.cover(self.span(last.span)?);
        let text = span.of(self.text);
        if text.contains(&b'`') || text.windows(2).any(|pair| pair == b"$(") {
            return Err(unparsed("a case pattern runs a command"));
        }
        self.coverage.claim(span);
        if let Some(terminator) = case.terminator_span {
            let terminator = self.span(terminator)?;
            if terminator.of(self.text) != b";;" && self.dialect != Dialect::Bash {
                return Err(unparsed("a case arm ends in a way not of this shell"));
            }
            self.coverage.claim(terminator);
        }
        Ok(())
    }

    fn function(&mut self, function: &ast::FunctionDef) -> Result<(CommandKind, Span), Unparsed> {
        if function.uses_function_keyword()
            && matches!(self.dialect, Dialect::Posix | Dialect::Dash)
        {
            return Err(unparsed("function is not a keyword of this shell"));
        }
        let [entry] = function.header.entries.as_slice() else {
            return Err(unparsed("a function has more than one name"));
        };
        let name = self.span(entry.word.span)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:+@".contains(byte);
        if !name.of(self.text).iter().all(plain) {
            return Err(unparsed("a function's name is not plain"));
        }
        self.coverage.claim(name);
        let start = self.span(function.span)?.start.min(name.start);
        self.refuse_terminator(&function.body)?;
        let (body, span) = self.command(&function.body)?;
        let kind = CommandKind::Function {
            name: name.of(self.text).to_vec(),
            body: Box::new(body),
        };
        Ok((kind, Span::new(start, span.end.max(start))))
    }

    fn assignment(&mut self, it: &ast::Assignment) -> Result<(Assignment, Span), Unparsed> {
        let span = self.span(it.span)?;
        let text = span.of(self.text);
        let equals = text
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(|| unparsed("an assignment has no equals sign"))?;
        let (name, append) = match text[..equals].strip_suffix(b"+") {
            Some(name) => (name, true),
            None => (&text[..equals], false),
        };
        let array = matches!(it.value, ast::AssignmentValue::Compound(_));
        if !word::is_name(name) || ((append || array) && self.dialect != Dialect::Bash) {
            return Err(unparsed("an assignment is not of this shell"));
        }
        let name = name.to_vec();
        self.coverage
            .claim(Span::new(span.start, span.start + equals + 1));
        let value = Span::new(span.start + equals + 1, span.end);
        let mode = if array { Mode::Array } else { Mode::Value };
        let assignment = Assignment {
            span: self.logical.source_span(span),
            name,
            append,
            value: self.word(value, mode)?,
        };
        Ok((assignment, span))
    }

    fn redirect(&mut self, it: &ast::Redirect) -> Result<(Redirect, Span), Unparsed> {
        const OPERATORS: [&[u8]; 12] = [
            b"&>>", b"<<<", b"<<-", b"<<", b">>", b"<>", b">&", b"<&", b">|", b"&>", b"<", b">",
        ];
        if it.fd_var.is_some() {
            return Err(unparsed("a redirection names a variable"));
        }
        let start = self.span(it.span)?.start;
        let text = &self.text[start..];
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let operator = OPERATORS
            .into_iter()
            .find(|operator| text[digits..].starts_with(operator))
            .ok_or_else(|| unparsed("a redirection has no operator"))?;
        let of_bash = matches!(operator, b"&>>" | b"&>" | b"<<<");
        if of_bash && !matches!(self.dialect, Dialect::Bash) {
            return Err(unparsed("a redirection is not of this shell"));
        }
        let descriptor = match &text[..digits] {
            [] => None,
            digits => Some(
                std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| digits.parse().ok())
                    .ok_or_else(|| unparsed("a descriptor is too large"))?,
            ),
        };
        let after = start + digits + operator.len();
        self.coverage.claim(Span::new(start, after));
        let (target, span, heredoc) = match &it.target {
            ast::RedirectTarget::Word(word) => {
                let span = self.span(word.span)?;
                (self.word(span, Mode::Word)?, span, None)
            }
            ast::RedirectTarget::Heredoc(heredoc) => {
                let span = self.span(heredoc.delimiter.span)?;
                let mut target = self.word(span, Mode::Word)?;
                let body = self.heredoc(heredoc, &mut target)?;
                (target, span, Some(self.logical.source_span(body)))
            }
        };
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\\' | b'\n');
        if span.start < after || !self.text[after..span.start].iter().all(blank) {
            return Err(unparsed("a redirection is not followed by its target"));
        }
        let span = Span::new(start, span.end);
        let redirect = Redirect {
            span: self.logical.source_span(span),
            operator: operator.to_vec(),
            descriptor,
            target,
            heredoc,
        };
        Ok((redirect, span))
    }

    /// The body's span; what it expands is added to the delimiter's word.
    fn heredoc(&mut self, it: &ast::Heredoc, target: &mut Word) -> Result<Span, Unparsed> {
        let Some(delimiter) = target.literal.clone() else {
            return Err(unparsed("a heredoc's delimiter is not plain"));
        };
        let body = self.span(it.body.span)?;
        let rest = &self.text[body.end..];
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        let mut line = &rest[..end];
        if it.delimiter.strip_tabs {
            while let Some(stripped) = line.strip_prefix(b"\t") {
                line = stripped;
            }
        }
        if line != delimiter || (body.start > 0 && self.text[body.start - 1] != b'\n') {
            return Err(unparsed("a heredoc does not end in its delimiter"));
        }
        self.coverage.claim(Span::new(body.start, body.end + end));
        let quoted = target
            .raw
            .iter()
            .any(|byte| matches!(byte, b'\'' | b'"' | b'\\'));
        if !quoted {
            let scan = word::scan(self, body, Mode::Heredoc)?;
            target.substitutions.extend(scan.substitutions);
            target.variables.extend(scan.variables);
        }
        Ok(body)
    }

    fn word(&mut self, span: Span, mode: Mode) -> Result<Word, Unparsed> {
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

    /// Checks that a span lies in the text.
    fn span(&self, span: ast::Span) -> Result<Span, Unparsed> {
        let (start, end) = (span.start.offset(), span.end.offset());
        if start > end || end > self.text.len() {
            return Err(unparsed("the parser lost its place"));
        }
        Ok(Span::new(start, end))
    }

    /// Checks that a compound command begins and ends with its keywords, and cuts what follows.
    fn delimited(&self, span: ast::Span, open: &[u8], close: &[u8]) -> Result<Span, Unparsed> {
        let span = self.span(span)?;
        let text = span.of(self.text).trim_ascii_end();
        if !text.starts_with(open) || !text.ends_with(close) {
            return Err(unparsed("a compound command has no clear bounds"));
        }
        Ok(Span::new(span.start, span.start + text.len()))
    }

    /// The span of a subshell or group, whose brackets the parser does not report: those around the body.
    fn bracketed(
        &self,
        statement: &ast::Stmt,
        open: &[u8],
        close: &[u8],
    ) -> Result<Span, Unparsed> {
        let span = self.span(statement.span)?;
        let mut start = span.start;
        let mut end = span.end;
        if let Some(terminator) = statement.terminator_span {
            end = end.min(self.span(terminator)?.start).max(start);
        }
        for redirect in &statement.redirects {
            end = end.min(self.span(redirect.span)?.start).max(start);
        }
        if statement.negated {
            let text = &self.text[start..end];
            if let Some(rest) = text.strip_prefix(b"!") {
                start = end - rest.trim_ascii_start().len();
            }
        }
        let text = Span::new(start, end).of(self.text).trim_ascii_end();
        if !text.starts_with(open) || !text.ends_with(close) {
            return Err(unparsed("a group has no clear bounds"));
        }
        Ok(Span::new(start, start + text.len()))
    }
}
