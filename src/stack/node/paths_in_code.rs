//! The value of an expression that makes a path or a command: `path.join(__dirname, 'views')`, `` `${dir}/x` ``.

use super::lexer::Kind;
use super::scan::Code;
use crate::stack::usage::Base;

/// What an expression is known to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A string that begins with `text`.
    Text {
        text: String,
        /// Whether nothing follows.
        exact: bool,
    },
    /// A path that begins with `path`.
    Path {
        path: String,
        base: Base,
        /// Whether nothing follows.
        exact: bool,
    },
}

impl Value {
    /// `text` as a path, its base and whether it is all of it; none for addresses and what is no path.
    pub(super) fn as_path(text: &str, exact: bool) -> Option<(String, Base, bool)> {
        if text.is_empty() || text.contains("://") || text.contains('\n') || text.contains('\0') {
            return None;
        }
        let path = text.trim_start_matches('/');
        let base = if path.len() < text.len() {
            Base::Root
        } else {
            Base::Working
        };
        let path = path.trim_start_matches("./").trim_end_matches('/');
        Some((path.to_owned(), base, exact))
    }
}

/// How deep calls in calls are followed, and how many arguments or operands are read.
const DEPTH: u32 = 8;
const OPERANDS: usize = 24;

impl Code<'_> {
    /// What the expression at `at` holds, as far as it is known.
    pub(super) fn value(&self, at: usize) -> Option<Value> {
        self.expression(at, DEPTH).map(|(value, _)| value)
    }

    /// Where the argument after the one at `at` begins.
    pub(super) fn next_argument(&self, at: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in at..at + 64 {
            match self.kind(at)? {
                Kind::Punct(b'(' | b'[' | b'{') => depth += 1,
                Kind::Punct(b')' | b']' | b'}') => depth = depth.checked_sub(1)?,
                Kind::Punct(b',') if depth == 0 => return Some(at + 1),
                _ => {}
            }
        }
        None
    }

    /// Operands joined by `+`.
    fn expression(&self, at: usize, depth: u32) -> Option<(Value, usize)> {
        let (mut value, mut at) = self.operand(at, depth)?;
        for _ in 0..OPERANDS {
            if !self.is(at, b'+') {
                break;
            }
            let next = self.operand(at + 1, depth);
            let Some((Value::Text { text, exact: whole }, end)) = next else {
                value.cut();
                return Some((value, at));
            };
            value.append(&text, whole);
            at = end;
        }
        Some((value, at))
    }

    fn operand(&self, at: usize, depth: u32) -> Option<(Value, usize)> {
        let depth = depth.checked_sub(1)?;
        match self.kind(at)? {
            Kind::Text => Some((
                Value::Text {
                    text: self.text(at)?,
                    exact: true,
                },
                at + 1,
            )),
            Kind::Head => self.template(at, depth),
            Kind::Name => self.named_operand(at, depth),
            _ => None,
        }
    }

    fn template(&self, at: usize, depth: u32) -> Option<(Value, usize)> {
        let head = self.tokens.get(at)?.text(self.source).into_owned();
        let mut value = Value::Text {
            text: head,
            exact: true,
        };
        let mut at = at;
        for _ in 0..OPERANDS {
            let Some((inner, end)) = self.expression(at + 1, depth) else {
                break;
            };
            value = match (value, inner) {
                (Value::Text { text, exact }, path @ Value::Path { .. })
                    if text.is_empty() && exact =>
                {
                    path
                }
                (mut value, Value::Text { text, exact }) => {
                    value.append(&text, exact);
                    value
                }
                (mut value, Value::Path { .. }) => {
                    value.cut();
                    return Some((value, end));
                }
            };
            let part = self.tokens.get(end)?;
            if !matches!(part.kind, Kind::Middle | Kind::Tail) {
                break;
            }
            value.append(&part.text(self.source), true);
            at = end;
            if part.kind == Kind::Tail {
                return Some((value, end + 1));
            }
        }
        value.cut();
        Some((value, at + 1))
    }

    fn named_operand(&self, at: usize, depth: u32) -> Option<(Value, usize)> {
        let here = |base| Value::Path {
            path: String::new(),
            base,
            exact: true,
        };
        let name = self.name(at);
        match name {
            b"__dirname" => return Some((here(Base::Source), at + 1)),
            b"process" if self.is(at + 1, b'.') && self.name(at + 2) == b"cwd" => {
                return Some((here(Base::Working), at + 5));
            }
            b"new" if self.name(at + 1) == b"URL" => {
                let path = self.text(at + 3)?;
                let own = self.name(at + 5) == b"import";
                return own.then_some((
                    Value::Path {
                        path: path.trim_start_matches("./").to_owned(),
                        base: Base::Source,
                        exact: true,
                    },
                    at + 11,
                ));
            }
            b"import" if self.name(at + 4) == b"dirname" => {
                return Some((here(Base::Source), at + 5));
            }
            b"import" if self.name(at + 4) == b"url" => return Some((this_file(), at + 5)),
            b"__filename" => return Some((this_file(), at + 1)),
            _ => {}
        }
        let mut call = at;
        if self.is(at + 1, b'.') {
            call = at + 2;
        }
        if self.is(call + 1, b'(') {
            return match self.name(call) {
                b"join" | b"resolve" => self.joined(call + 2, self.name(call) == b"resolve", depth),
                b"dirname" => {
                    let (value, end) = self.expression(call + 2, depth)?;
                    self.is(end, b')').then_some((value.parent(), end + 1))
                }
                b"fileURLToPath" | b"normalize" => {
                    let (value, end) = self.expression(call + 2, depth)?;
                    Some((value, end + 1))
                }
                _ => None,
            };
        }
        (call == at)
            .then(|| self.values.get(name).cloned())?
            .map(|value| (value, at + 1))
    }

    /// The arguments of `path.join(` or `path.resolve(`, from the first.
    fn joined(&self, at: usize, resolve: bool, depth: u32) -> Option<(Value, usize)> {
        let (first, mut at) = self.expression(at, depth)?;
        let (mut path, base, mut exact) = match first {
            Value::Path { path, base, exact } => (path, base, exact),
            Value::Text { text, exact } => Value::as_path(&text, exact)?,
        };
        for _ in 0..OPERANDS {
            if !self.is(at, b',') || !exact {
                break;
            }
            let Some((Value::Text { text, exact: whole }, end)) = self.expression(at + 1, depth)
            else {
                exact = false;
                break;
            };
            if resolve && text.starts_with('/') {
                return None;
            }
            let part = text.trim_matches('/').trim_start_matches("./");
            if !path.is_empty() && !part.is_empty() {
                path.push('/');
            }
            path.push_str(part);
            exact = whole;
            at = end;
        }
        exact &= self.is(at, b')');
        Some((Value::Path { path, base, exact }, at + 1))
    }
}

/// The file itself: its name does not matter, only its folder is asked for.
fn this_file() -> Value {
    Value::Path {
        path: "x".to_owned(),
        base: Base::Source,
        exact: true,
    }
}

impl Value {
    fn cut(&mut self) {
        let (Self::Text { exact, .. } | Self::Path { exact, .. }) = self;
        *exact = false;
    }

    fn append(&mut self, more: &str, whole: bool) {
        match self {
            Self::Text { text, exact } if *exact => {
                text.push_str(more);
                *exact = whole;
            }
            Self::Path { path, exact, .. } if *exact => {
                let more = if path.is_empty() {
                    more.trim_start_matches('/')
                } else {
                    more
                };
                path.push_str(more);
                *exact = whole;
            }
            _ => {}
        }
    }

    /// The folder of what this names.
    fn parent(self) -> Self {
        match self {
            Self::Path { path, base, exact } => {
                let path = match path.rsplit_once('/') {
                    Some((folder, _)) => folder.to_owned(),
                    None if path.is_empty() => "..".to_owned(),
                    None => String::new(),
                };
                Self::Path { path, base, exact }
            }
            text @ Self::Text { .. } => text,
        }
    }
}
