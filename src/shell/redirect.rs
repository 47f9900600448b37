//! Redirections and heredocs.

use shuck_ast as ast;

use super::convert::{Reader, unparsed};
use super::word::{self, Mode};
use super::{Dialect, Redirect, Unparsed, Word};
use crate::text::Span;

/// Longer ones first, so that the first that fits is the one written.
const OPERATORS: [&[u8]; 12] = [
    b"&>>", b"<<<", b"<<-", b"<<", b">>", b"<>", b">&", b"<&", b">|", b"&>", b"<", b">",
];

impl Reader<'_> {
    /// The redirection and its span in the text; none for the half that the parser makes up for `&>>`.
    pub(super) fn redirect(
        &mut self,
        it: &ast::Redirect,
    ) -> Result<Option<(Redirect, Span)>, Unparsed> {
        if it.fd_var.is_some() {
            return Err(unparsed("a redirection names a variable"));
        }
        let whole = self.span(it.span)?;
        let start = whole.start;
        let text = &self.text[start..];
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let operator = OPERATORS
            .into_iter()
            .find(|operator| text[digits..].starts_with(operator))
            .ok_or_else(|| unparsed("a redirection has no operator"))?;
        if operator == b"&>>" && it.kind == ast::RedirectKind::DupOutput {
            return Ok(None);
        }
        let of_bash = matches!(operator, b"&>>" | b"&>" | b"<<<");
        if of_bash && self.dialect != Dialect::Bash {
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
                let span = self.target(word, Span::new(after, whole.end.max(after)))?;
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
        Ok(Some((redirect, span)))
    }

    /// Where the target stands. In `2>&1` the parser reads both descriptors with the operator and gives the
    /// second no place: it is the `rest` of the redirection.
    fn target(&self, word: &ast::Word, rest: Span) -> Result<Span, Unparsed> {
        let span = self.span(word.span)?;
        if !span.is_empty() {
            return Ok(span);
        }
        match rest.of(self.text) {
            b"-" => Ok(rest),
            digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => Ok(rest),
            _ => Err(unparsed("a redirection has no target")),
        }
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
        self.coverage
            .claim_heredoc(Span::new(body.start, body.end + end));
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
}
