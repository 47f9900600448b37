//! The value of an expression that makes a path: `os.path.join(BASE, 'x')`, `Path(__file__).parent / 'x'`.

use super::lexer::Kind;
use super::scan::Scanner;
use crate::stack::usage::Base;

/// A path or text as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) text: String,
    pub(super) base: Base,
    pub(super) exact: bool,
}

/// How deep calls in calls are followed, and how many arguments or operands are read.
pub(super) const DEPTH: u32 = 8;
const OPERANDS: usize = 24;

impl Scanner<'_, '_> {
    /// Operands joined by `/` (pathlib) or `+`.
    pub(super) fn expression(&self, at: usize, depth: u32) -> Option<(Known, usize)> {
        let (mut known, mut at) = self.operand(at, depth)?;
        for _ in 0..OPERANDS {
            let slash = self.is(at, b'/');
            if !slash && !self.is(at, b'+') {
                break;
            }
            let Some((next, end)) = self.operand(at + 1, depth) else {
                known.exact = false;
                break;
            };
            known.append(&next, slash);
            at = end;
        }
        // `"%s/x" % y` and `"{}".format(…)` are computed.
        if self.is(at, b'%') || self.is(at, b'.') && self.name(at + 1) == b"format" {
            return None;
        }
        Some((known, at))
    }

    pub(super) fn operand(&self, at: usize, depth: u32) -> Option<(Known, usize)> {
        let depth = depth.checked_sub(1)?;
        let token = self.tokens.get(at)?;
        let known = |text: &str, base| Known {
            text: text.to_owned(),
            base,
            exact: true,
        };
        match token.kind {
            Kind::Text { whole, .. } => {
                let text = token.text(self.source).into_owned();
                Some((
                    Known {
                        text,
                        base: Base::Working,
                        exact: whole,
                    },
                    at + 1,
                ))
            }
            Kind::Name => {
                let name = token.bytes(self.source);
                if name == b"__file__" {
                    return Some((known("x", Base::Source), at + 1));
                }
                let mut call = at;
                for _ in 0..4 {
                    if !self.is(call + 1, b'.') {
                        break;
                    }
                    call += 2;
                }
                let (value, end) = match self.name(call) {
                    b"getcwd" | b"cwd" => (known("", Base::Working), call + 3),
                    b"join" | b"joinpath" | b"abspath" | b"realpath" | b"normpath" | b"Path"
                    | b"PurePath" | b"str" | b"fspath"
                        if self.is(call + 1, b'(') =>
                    {
                        self.arguments(call + 2, depth)?
                    }
                    b"dirname" if self.is(call + 1, b'(') => {
                        let (inner, end) = self.arguments(call + 2, depth)?;
                        (inner.parent(), end)
                    }
                    _ => (self.values.get(name)?.clone(), at + 1),
                };
                Some(self.attributes(value, end))
            }
            _ => None,
        }
    }

    /// `.parent`, `.parent.parent`, `.parents[1]`, `.resolve()` after a path.
    fn attributes(&self, mut known: Known, mut at: usize) -> (Known, usize) {
        for _ in 0..OPERANDS {
            if !self.is(at, b'.') {
                break;
            }
            match self.name(at + 1) {
                b"parent" => {
                    known = known.parent();
                    at += 2;
                }
                b"parents" if self.is(at + 2, b'[') && self.is(at + 4, b']') => {
                    let level = self
                        .tokens
                        .get(at + 3)
                        .and_then(|token| token.text(self.source).parse::<u8>().ok());
                    for _ in 0..=level.unwrap_or(0).min(8) {
                        known = known.parent();
                    }
                    at += 5;
                }
                b"resolve" | b"absolute" if self.is(at + 2, b'(') && self.is(at + 3, b')') => {
                    at += 4
                }
                _ => break,
            }
        }
        (known, at)
    }

    /// Arguments joined as by `os.path.join`, and the token after the closing bracket.
    fn arguments(&self, at: usize, depth: u32) -> Option<(Known, usize)> {
        let (mut known, mut at) = self.expression(at, depth)?;
        for _ in 0..OPERANDS {
            if !self.is(at, b',') {
                break;
            }
            let Some((next, end)) = self.expression(at + 1, depth) else {
                known.exact = false;
                break;
            };
            known.append(&next, true);
            at = end;
        }
        known.exact &= self.is(at, b')');
        Some((known, at + 1))
    }
}

impl Known {
    fn append(&mut self, next: &Self, slash: bool) {
        if !self.exact {
            return;
        }
        // An absolute part starts the path anew.
        if slash && next.text.starts_with('/') {
            *self = next.clone();
            return;
        }
        if slash && !self.text.is_empty() {
            self.text.push('/');
        }
        self.text.push_str(if self.text.is_empty() {
            next.text.trim_start_matches('/')
        } else {
            &next.text
        });
        self.exact = next.exact;
    }

    fn parent(mut self) -> Self {
        self.text = match self.text.rsplit_once('/') {
            Some((folder, ".." | ".")) => format!("{folder}/../.."),
            Some((folder, _)) => folder.to_owned(),
            None if self.text.is_empty() => "..".to_owned(),
            None if self.text == ".." => "../..".to_owned(),
            None => String::new(),
        };
        self
    }
}
