//! Lines into items: directives, comments, blank lines, and instructions with their continuations and heredocs.

use std::sync::Arc;

use super::{
    Arguments, Diagnostic, Dockerfile, Heredoc, Instruction, Item, ItemKind, Keyword, Logical,
    check,
    directive::{Directive, Directives},
    heredoc,
    instruction::{self, Place},
    runes,
};
use crate::text::{Span, contains};

/// The longest line that BuildKit reads, in bytes, line ending included.
const MAX_LINE: usize = 64 * 1024;

pub(super) fn parse(source: Arc<[u8]>) -> Dockerfile {
    let mut parser = Parser {
        source: &source,
        at: 0,
        line: 0,
        too_long: false,
        escape: b'\\',
        items: Vec::new(),
        instructions: Vec::new(),
    };
    let mut refused = parser.file().err();
    let (escape, mut items, instructions) = (parser.escape, parser.items, parser.instructions);
    let covered = items.last().map_or(0, |item| item.span.end);
    if covered < source.len() {
        items.push(Item {
            span: Span::new(covered, source.len()),
            kind: ItemKind::Unparsed,
        });
    }
    if refused.is_none() {
        refused = check::refusal(&instructions);
    }
    Dockerfile {
        source,
        escape,
        items,
        instructions,
        refused,
    }
}

/// A line with and without its ending.
#[derive(Clone, Copy)]
struct Line {
    /// Line ending included.
    full: Span,
    /// Carriage returns and the line feed at the end left out.
    text: Span,
}

struct Parser<'a> {
    source: &'a [u8],
    /// Start of the next line.
    at: usize,
    /// Number of lines read.
    line: usize,
    /// Whether reading ended at a line longer than BuildKit takes.
    too_long: bool,
    escape: u8,
    items: Vec<Item>,
    instructions: Vec<Instruction>,
}

impl Parser<'_> {
    fn file(&mut self) -> Result<(), Diagnostic> {
        if self.source.starts_with(b"\xef\xbb\xbf") {
            self.item(Span::new(0, 3), ItemKind::ByteOrderMark);
        }
        let mut directives = Directives::default();
        while let Some(mut line) = self.next_line() {
            if self.line == 1 && !self.items.is_empty() {
                // The mark is an item of its own.
                line.full.start = 3;
                line.text = Span::new(3, line.text.end.max(3));
            }
            let start = line.text.start + runes::leading_space(line.text.of(self.source));
            let text = Span::new(start, line.text.end);
            if directives.is_open() && self.directive(&mut directives, text)? {
                self.item(line.full, ItemKind::Directive);
                continue;
            }
            match self.source[text.start..text.end].first() {
                None if line.full.is_empty() => {}
                None => self.item(line.full, ItemKind::Blank),
                Some(b'#') => self.item(line.full, ItemKind::Comment),
                Some(_) => self.instruction(line, text)?,
            }
        }
        if self.too_long {
            return Err(self.line_too_long());
        }
        if self.instructions.is_empty() {
            return Err(Diagnostic {
                message: "file with no instructions".to_owned(),
                span: Span::at(self.source.len()),
            });
        }
        Ok(())
    }

    fn item(&mut self, span: Span, kind: ItemKind) {
        self.items.push(Item { span, kind });
    }

    fn line_too_long(&self) -> Diagnostic {
        Diagnostic {
            message: format!(
                "dockerfile line greater than max allowed size of {}",
                MAX_LINE - 1
            ),
            span: Span::at(self.at),
        }
    }

    /// Reads the next line; none at the end, and where the line is too long.
    fn next_line(&mut self) -> Option<Line> {
        let start = self.at;
        let rest = &self.source[start..];
        if rest.is_empty() || self.too_long {
            return None;
        }
        let window = &rest[..rest.len().min(MAX_LINE)];
        let length = match memchr::memchr(b'\n', window) {
            Some(feed) => feed + 1,
            None if window.len() < MAX_LINE => window.len(),
            None => {
                self.too_long = true;
                return None;
            }
        };
        let bytes = &rest[..length];
        let ending = bytes
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        self.at += length;
        self.line += 1;
        Some(Line {
            full: Span::new(start, start + length),
            text: Span::new(start, start + length - ending),
        })
    }

    fn directive(&mut self, directives: &mut Directives, text: Span) -> Result<bool, Diagnostic> {
        let refuse = |message| Diagnostic {
            message,
            span: text,
        };
        match directives.read(text.of(self.source)).map_err(refuse)? {
            None => Ok(false),
            Some(Directive::Other) => Ok(true),
            Some(Directive::Escape(&[escape @ (b'\\' | b'`')])) => {
                self.escape = escape;
                Ok(true)
            }
            Some(Directive::Escape(value)) => Err(refuse(format!(
                "invalid escape token '{}' does not match ` or \\",
                runes::to_text(value)
            ))),
        }
    }

    /// The part of a line before its continuation character, and whether it has one.
    fn continued(&self, text: Span) -> (Span, bool) {
        let bytes = text.of(self.source);
        let end = bytes.len()
            - bytes
                .iter()
                .rev()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
        match &bytes[..end] {
            [.., before, last] if *last == self.escape && *before == self.escape => (text, false),
            [before @ .., last] if *last == self.escape => {
                (Span::new(text.start, text.start + before.len()), true)
            }
            _ => (text, false),
        }
    }

    fn instruction(&mut self, first: Line, text: Span) -> Result<(), Diagnostic> {
        let first_line = self.line;
        let mut comments = Vec::new();
        let mut joined = Logical::default();
        let (part, mut open) = self.continued(text);
        joined.push(part.of(self.source), part.start);
        let mut last = first;
        while open && let Some(line) = self.next_line() {
            last = line;
            let bytes = line.text.of(self.source);
            let space = runes::leading_space(bytes);
            if bytes.get(space) == Some(&b'#') {
                comments.push(line.text);
                continue;
            }
            if space == bytes.len() {
                continue;
            }
            let (part, continued) = self.continued(line.text);
            joined.push(part.of(self.source), part.start);
            open = continued;
        }
        let header = Span::new(text.start, last.text.end.max(text.start));
        let refuse = |message| Diagnostic {
            message,
            span: header,
        };
        let mut place = Place {
            span: header,
            lines: (first_line, self.line),
        };
        let mut instruction =
            instruction::instruction(&joined, self.escape, place).map_err(refuse)?;
        instruction.comments = comments;
        if may_have_heredocs(&instruction) && contains(joined.text(), b"<<") {
            for marker in heredoc::markers(joined.text()).map_err(refuse)? {
                let found = self.heredoc(&joined, marker);
                let Some(heredoc) = found else {
                    return Err(refuse("unterminated heredoc".to_owned()));
                };
                place.span.end = heredoc.terminator.end;
                place.lines.1 = self.line;
                instruction.heredocs.push(heredoc);
            }
            extend(&mut instruction, place);
        }
        let index = self.instructions.len();
        self.item(
            Span::new(first.full.start, self.at),
            ItemKind::Instruction(index),
        );
        self.instructions.push(instruction);
        Ok(())
    }

    /// Reads the body of a heredoc; none when it does not end.
    fn heredoc(&mut self, joined: &Logical, marker: heredoc::Marker) -> Option<Heredoc> {
        let start = self.at;
        loop {
            let line = self.next_line()?;
            let bytes = line.text.of(self.source);
            let tabs = if marker.chomp {
                bytes.iter().take_while(|byte| **byte == b'\t').count()
            } else {
                0
            };
            if bytes[tabs..] == marker.name[..] {
                return Some(Heredoc {
                    marker: joined.source_span(marker.range.into()),
                    name: marker.name,
                    body: Span::new(start, line.full.start),
                    terminator: line.text,
                    expand: marker.expand,
                    chomp: marker.chomp,
                    descriptor: marker.descriptor,
                });
            }
        }
    }
}

/// Whether BuildKit looks for heredocs: in RUN, COPY and ADD that are not JSON, behind ONBUILD too.
fn may_have_heredocs(instruction: &Instruction) -> bool {
    let inner = match &instruction.arguments {
        Arguments::Onbuild(inner) => inner,
        _ => instruction,
    };
    matches!(inner.keyword, Keyword::Run | Keyword::Copy | Keyword::Add)
        && !matches!(inner.arguments, Arguments::Json(_))
}

/// Gives the instruction, and the one behind ONBUILD, the place and the heredocs that were found.
fn extend(instruction: &mut Instruction, place: Place) {
    instruction.span.end = place.span.end;
    instruction.lines = place.lines;
    if let Arguments::Onbuild(inner) = &mut instruction.arguments {
        inner.span.end = place.span.end;
        inner.lines = place.lines;
        inner.heredocs.clone_from(&instruction.heredocs);
    }
}
