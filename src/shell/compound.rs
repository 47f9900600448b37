//! Compound commands and functions. Their keywords are found in the text, one after the other: the spans that the
//! parser gives reach over the next operator, and inside a pipe leave brackets out.

use shuck_ast as ast;

use super::convert::{Reader, unparsed};
use super::word::Mode;
use super::{Command, CommandKind, Dialect, Statement, Terminator, Unparsed};
use crate::text::Span;

impl Reader<'_> {
    pub(super) fn compound(
        &mut self,
        compound: &ast::CompoundCommand,
    ) -> Result<(CommandKind, Span), Unparsed> {
        use ast::CompoundCommand as Compound;
        let bash = self.dialect == Dialect::Bash;
        match compound {
            Compound::If(it) => self.choice(it),
            Compound::For(it) => self.for_each(it),
            Compound::ArithmeticFor(it) if bash => self.for_arithmetic(it),
            Compound::While(it) => self.repetition(b"while", &it.condition, &it.body),
            Compound::Until(it) => self.repetition(b"until", &it.condition, &it.body),
            Compound::Case(it) => self.case(it),
            Compound::Subshell(body) => {
                let open = self.expect(b"(")?;
                let body = self.sequence(body)?;
                let span = open.cover(self.expect(b")")?);
                Ok((CommandKind::Subshell(body), span))
            }
            Compound::BraceGroup(body) => {
                let open = self.expect(b"{")?;
                let body = self.sequence(body)?;
                let span = open.cover(self.expect(b"}")?);
                Ok((CommandKind::Group(body), span))
            }
            Compound::Conditional(it) if bash => {
                let span = self
                    .span(it.left_bracket_span)?
                    .cover(self.span(it.right_bracket_span)?);
                Ok((CommandKind::Other(self.word(span, Mode::Test)?), span))
            }
            Compound::Arithmetic(it) if bash => {
                let span = self
                    .span(it.left_paren_span)?
                    .cover(self.span(it.right_paren_span)?);
                Ok((CommandKind::Other(self.word(span, Mode::Arithmetic)?), span))
            }
            _ => Err(unparsed("a compound command is not of this shell")),
        }
    }

    fn choice(&mut self, it: &ast::IfCommand) -> Result<(CommandKind, Span), Unparsed> {
        let open = self.expect(b"if")?;
        let mut branches = Vec::with_capacity(1 + it.elif_branches.len());
        branches.push(self.branch(&it.condition, &it.then_branch)?);
        for (condition, body) in &it.elif_branches {
            self.expect(b"elif")?;
            branches.push(self.branch(condition, body)?);
        }
        let otherwise = match &it.else_branch {
            Some(body) => {
                self.expect(b"else")?;
                self.sequence(body)?
            }
            None => Vec::new(),
        };
        let span = open.cover(self.expect(b"fi")?);
        let kind = CommandKind::If {
            branches,
            otherwise,
        };
        Ok((kind, span))
    }

    fn branch(
        &mut self,
        condition: &ast::StmtSeq,
        body: &ast::StmtSeq,
    ) -> Result<(Vec<Statement>, Vec<Statement>), Unparsed> {
        let condition = self.sequence(condition)?;
        self.expect(b"then")?;
        Ok((condition, self.sequence(body)?))
    }

    fn for_each(&mut self, it: &ast::ForCommand) -> Result<(CommandKind, Span), Unparsed> {
        let open = self.expect(b"for")?;
        let [target] = it.targets.as_slice() else {
            return Err(unparsed("for has more than one variable"));
        };
        let name = self.span(target.span)?;
        self.coverage.claim(name);
        let mut words = Vec::new();
        if let Some(list) = &it.words {
            self.expect(b"in")?;
            for word in list {
                let span = self.span(word.span)?;
                words.push(self.word(span, Mode::Word)?);
            }
        }
        self.expect(b"do")?;
        let body = self.sequence(&it.body)?;
        let span = open.cover(self.expect(b"done")?);
        let kind = CommandKind::For {
            variable: name.of(self.text).to_vec(),
            words,
            body,
        };
        Ok((kind, span))
    }

    fn for_arithmetic(
        &mut self,
        it: &ast::ArithmeticForCommand,
    ) -> Result<(CommandKind, Span), Unparsed> {
        let open = self.expect(b"for")?;
        let head = self
            .span(it.left_paren_span)?
            .cover(self.span(it.right_paren_span)?);
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
        self.expect(b"do")?;
        let body = self.sequence(&it.body)?;
        let span = open.cover(self.expect(b"done")?);
        let kind = CommandKind::While {
            condition: vec![condition],
            body,
        };
        Ok((kind, span))
    }

    fn repetition(
        &mut self,
        keyword: &[u8],
        condition: &ast::StmtSeq,
        body: &ast::StmtSeq,
    ) -> Result<(CommandKind, Span), Unparsed> {
        let open = self.expect(keyword)?;
        let condition = self.sequence(condition)?;
        self.expect(b"do")?;
        let body = self.sequence(body)?;
        let span = open.cover(self.expect(b"done")?);
        Ok((CommandKind::While { condition, body }, span))
    }

    fn case(&mut self, it: &ast::CaseCommand) -> Result<(CommandKind, Span), Unparsed> {
        let open = self.expect(b"case")?;
        let word = self.span(it.word.span)?;
        let word = self.word(word, Mode::Word)?;
        self.expect(b"in")?;
        let mut arms = Vec::with_capacity(it.cases.len());
        for case in &it.cases {
            self.patterns(case)?;
            arms.push(self.sequence(&case.body)?);
            if let Some(terminator) = case.terminator_span {
                let terminator = self.span(terminator)?;
                if terminator.of(self.text) != b";;" && self.dialect != Dialect::Bash {
                    return Err(unparsed("a case arm ends in a way not of this shell"));
                }
                self.coverage.claim(terminator);
            }
        }
        let span = open.cover(self.expect(b"esac")?);
        Ok((CommandKind::Case { word, arms }, span))
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
        let next = self.coverage.next(self.text);
        if next < span.start {
            self.expect(b"(")?;
        }
        self.coverage.claim(span);
        self.expect(b")")?;
        Ok(())
    }

    pub(super) fn function(
        &mut self,
        function: &ast::FunctionDef,
    ) -> Result<(CommandKind, Span), Unparsed> {
        let keyword = function.uses_function_keyword();
        if keyword && matches!(self.dialect, Dialect::Posix | Dialect::Dash) {
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
        let open = if keyword {
            self.expect(b"function")?
        } else {
            name
        };
        self.coverage.claim(name);
        if function.header.has_trailing_parens() {
            self.expect(b"(")?;
            self.expect(b")")?;
        }
        self.refuse_terminator(&function.body)?;
        let (body, span) = self.command(&function.body)?;
        let kind = CommandKind::Function {
            name: name.of(self.text).to_vec(),
            body: Box::new(body),
        };
        Ok((kind, open.cover(span)))
    }
}
