//! The proof that no command got lost: what no part of the tree stands for must be blanks, separators and comments.

use super::Unparsed;
use super::convert::unparsed;
use crate::text::Span;

/// The bytes that words, keywords, operators and redirections of the tree stand for.
#[derive(Default)]
pub(super) struct Coverage {
    claims: Vec<Span>,
    /// Bodies with their terminator: they stand behind the line that they belong to.
    heredocs: Vec<Span>,
    /// End of the last claim that is no heredoc.
    reached: usize,
}

impl Coverage {
    /// Notes that the tree has a part for `span` of the text.
    pub(super) fn claim(&mut self, span: Span) {
        if !span.is_empty() {
            self.claims.push(span);
            self.reached = self.reached.max(span.end);
        }
    }

    /// Notes a heredoc's body, with its terminator.
    pub(super) fn claim_heredoc(&mut self, span: Span) {
        self.claims.push(span);
        self.heredocs.push(span);
    }

    /// The end of all that was claimed so far, heredocs aside.
    pub(super) fn reached(&self) -> usize {
        self.reached
    }

    /// Where the first byte that matters stands after all that was claimed so far, heredocs aside.
    pub(super) fn next(&self, text: &[u8]) -> usize {
        let mut at = self.reached;
        loop {
            let from = at;
            if let Some(body) = self.heredocs.iter().find(|body| body.start == at) {
                at = body.end;
            }
            at += filler(text, at).unwrap_or(0);
            if at == from {
                return at;
            }
        }
    }

    /// The comments of `text`.
    ///
    /// # Errors
    /// When two claims overlap, or a byte that matters is not claimed.
    pub(super) fn check(mut self, text: &[u8]) -> Result<Vec<Span>, Unparsed> {
        self.claims.sort_unstable();
        let mut comments = Vec::new();
        let mut at = 0;
        let end = Span::at(text.len());
        for claim in self.claims.into_iter().chain([end]) {
            while at < claim.start {
                let Some(length) = filler(text, at) else {
                    return Err(unparsed("a part of the text belongs to no command"));
                };
                if text[at] == b'#' {
                    comments.push(Span::new(at, at + length));
                }
                at += length;
            }
            if claim.start < at {
                return Err(unparsed("two parts of a command overlap"));
            }
            at = claim.end;
        }
        Ok(comments)
    }
}

/// Length of the blank, separator, continuation or comment at `at`; none for what matters.
fn filler(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..];
    match rest {
        [b' ' | b'\t' | b'\n' | b';', ..] => Some(1),
        [b'\\', b'\n', ..] => Some(2),
        [b'#', ..] if at == 0 || b" \t\n;&|()".contains(&text[at - 1]) => {
            let end = rest.iter().position(|byte| *byte == b'\n');
            Some(end.unwrap_or(rest.len()))
        }
        _ => None,
    }
}
