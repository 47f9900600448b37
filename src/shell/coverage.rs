//! The proof that no command got lost: what no part of the tree stands for must be blanks, comments, separators and keywords.

use super::Unparsed;
use super::convert::unparsed;
use crate::text::Span;

/// The bytes that words, operators and redirections of the tree stand for.
#[derive(Default)]
pub(super) struct Coverage {
    claims: Vec<Span>,
}

impl Coverage {
    /// Notes that the tree has a part for `span` of the text.
    pub(super) fn claim(&mut self, span: Span) {
        if !span.is_empty() {
            self.claims.push(span);
        }
    }

    /// The comments of `text`.
    ///
    /// # Errors
    /// When two claims overlap, or a byte that matters is not claimed.
    pub(super) fn check(mut self, text: &[u8]) -> Result<Vec<Span>, Unparsed> {
        self.claims.sort_unstable();
        let mut comments = Vec::new();
        let mut end = 0;
        for claim in self.claims {
            if claim.start < end {
                return Err(unparsed("two parts of a command overlap"));
            }
            check_gap(text, Span::new(end, claim.start), &mut comments)?;
            end = claim.end;
        }
        check_gap(text, Span::new(end, text.len()), &mut comments)?;
        Ok(comments)
    }
}

fn check_gap(text: &[u8], gap: Span, comments: &mut Vec<Span>) -> Result<(), Unparsed> {
    const KEYWORDS: [&[u8]; 18] = [
        b"if",
        b"then",
        b"elif",
        b"else",
        b"fi",
        b"for",
        b"in",
        b"do",
        b"done",
        b"while",
        b"until",
        b"case",
        b"esac",
        b"function",
        b"{",
        b"}",
        b"!",
        b"\\",
    ];
    let mut at = gap.start;
    while at < gap.end {
        match text[at] {
            b' ' | b'\t' | b'\n' | b';' | b'(' | b')' => at += 1,
            b'#' if at == 0 || b" \t\n;&|()".contains(&text[at - 1]) => {
                let length = text[at..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(text.len() - at);
                if at + length > gap.end {
                    return Err(unparsed("a comment holds a command"));
                }
                comments.push(Span::new(at, at + length));
                at += length;
            }
            _ => {
                let length = text[at..gap.end]
                    .iter()
                    .position(|byte| b" \t\n;&|()".contains(byte))
                    .unwrap_or(gap.end - at);
                let token = &text[at..at + length];
                let continuation = token == b"\\" && text.get(at + 1) != Some(&b'\n');
                if !KEYWORDS.contains(&token) || continuation {
                    return Err(unparsed("a part of the text belongs to no command"));
                }
                at += length;
            }
        }
    }
    Ok(())
}
