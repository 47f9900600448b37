//! What sources use when they run: files by path, programs, ports. Found by looking at calls, not by compiling.
//!
//! A language brings a table of functions ([`Callee`]); this module finds their calls and what is literal in
//! their arguments. What is not literal is kept as [`Uses::open`]: a rule that needs to be sure must then take
//! the broad way (copy all that is no source).

use super::Evidence;
use super::lexer::{Kind, Token};
use super::paths;
use crate::context::{Context, Entry};
use std::collections::{BTreeMap, BTreeSet};

/// What a set of sources uses when it runs.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// Paths that are read.
    pub reads: Vec<PathUse>,
    /// Paths that are written or made.
    pub writes: Vec<PathUse>,
    /// Programs that are started, by the name that is called, and where.
    pub programs: Vec<Evidence>,
    /// Calls that read, write or start what no literal names; the fact is the function.
    pub open: Vec<Evidence>,
    /// Files and folders of the context that some string literal names, without a call that is known.
    pub mentions: Vec<PathUse>,
    /// Ports that literals name, ascending.
    pub ports: BTreeSet<u16>,
    /// Calls of functions that the table marks with a topic (`cgo`, `timezone` …).
    pub marked: Vec<Evidence>,
    /// Whether every source was read; if not, nothing can be concluded from what is missing here.
    pub complete: bool,
}

/// A path that sources name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    /// As written in the source, relative to the working directory of the process unless it starts with `/`.
    pub path: String,
    /// What the path means.
    pub kind: PathKind,
    /// Path in the context and line.
    pub source: String,
}

/// What a literal path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// One file, or a folder where the function takes both.
    Path,
    /// A folder with all below it.
    Folder,
    /// A pattern with `*`.
    Glob,
    /// The beginning of a path whose end is computed.
    Prefix,
}

/// What a function does with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    ReadFolder,
    Write,
    Start,
    /// The argument is a port number.
    Listen,
    /// Calling it at all is worth knowing: the topic.
    Mark(&'static str),
}

/// A function: the end of its path with `.` between the parts, what it does, and with which argument, from 0.
pub(super) type Callee = (&'static str, Does, usize);

/// An argument of a call, as far as it is literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Literal(String),
    Prefix(String),
    Open,
}

/// Functions whose literal arguments are the parts of one path.
const JOINS: &[&str] = &[
    "Join", "join", "of", "get", "Combine", "new", "from", "File", "Path", "path",
];

/// Tokens of arguments looked at in one call: a bound on nested calls.
const REACH: usize = 96;

impl Uses {
    /// Adds what the `tokens` of the source at `path` use, with the functions of `table` grouped by their last part.
    pub(super) fn collect(&mut self, path: &str, tokens: &[Token<'_>], table: &Table) {
        let constants = constants(tokens);
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Text { value, open: false } => {
                    if let Some(port) = port_in_address(value) {
                        self.ports.insert(port);
                    }
                }
                Kind::Mark(b'(') => {
                    let Some((name, start)) = callee(tokens, at) else {
                        continue;
                    };
                    let Some(candidates) = table.by_last.get(name) else {
                        continue;
                    };
                    let source = || format!("{path}:{}", token.line);
                    let full = &tokens[start..at];
                    let Some((function, _, _)) = candidates
                        .iter()
                        .find(|(function, ..)| ends_with(full, function))
                    else {
                        continue;
                    };
                    let arguments = arguments(tokens, at, &constants);
                    for (callee, does, index) in candidates {
                        if callee == function {
                            self.record(function, *does, arguments.get(*index), source());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn record(&mut self, function: &str, does: Does, value: Option<&Value>, source: String) {
        if let Does::Mark(topic) = does {
            let detail = match value {
                Some(Value::Literal(text) | Value::Prefix(text)) => format!("{topic} {text}"),
                _ => topic.to_owned(),
            };
            self.marked.push(Evidence {
                fact: detail,
                source,
            });
            return;
        }
        let (text, prefix) = match value {
            Some(Value::Literal(text)) => (text.clone(), false),
            Some(Value::Prefix(text)) => (text.clone(), true),
            _ => {
                if does != Does::Listen {
                    let fact = function.to_owned();
                    self.open.push(Evidence { fact, source });
                }
                return;
            }
        };
        match does {
            Does::Start => {
                let program = text.split_whitespace().next().unwrap_or("").to_owned();
                if program.is_empty() || (prefix && !text.contains(' ')) {
                    let fact = function.to_owned();
                    self.open.push(Evidence { fact, source });
                } else {
                    self.programs.push(Evidence {
                        fact: program,
                        source,
                    });
                }
            }
            Does::Listen => {
                let digits = text.trim_start_matches(':');
                self.ports
                    .extend(digits.parse::<u16>().ok().filter(|port| *port > 0));
            }
            Does::Read | Does::ReadFolder | Does::Write | Does::Mark(_) => {
                let Some(path) = plain_path(&text) else {
                    return;
                };
                let kind = match (prefix, path.contains(['*', '?']), does) {
                    (true, ..) => PathKind::Prefix,
                    (_, true, _) => PathKind::Glob,
                    (_, _, Does::ReadFolder) => PathKind::Folder,
                    _ => PathKind::Path,
                };
                let list = if does == Does::Write {
                    &mut self.writes
                } else {
                    &mut self.reads
                };
                list.push(PathUse { path, kind, source });
            }
        }
    }

    /// Adds the string literals that name a file of the context seen from `root`, or a folder if a slash is in the literal.
    pub(super) fn mention(
        &mut self,
        root: &str,
        path: &str,
        tokens: &[Token<'_>],
        context: &Context,
    ) {
        for token in tokens {
            let Kind::Text { value, open: false } = token.kind else {
                continue;
            };
            if value.len() < 3 || value.len() > 200 || value.contains([' ', '\n', '*', ':']) {
                continue;
            }
            let is_known = |used: &PathUse| {
                used.path.trim_start_matches("./") == value.trim_start_matches("./")
            };
            let Some(found) = paths::resolve(root, value.trim_start_matches('/')) else {
                continue;
            };
            let kind = match context.entry(&found) {
                Some(Entry::File { .. }) => PathKind::Path,
                Some(Entry::Folder { .. }) if value.contains('/') && found != root => {
                    PathKind::Folder
                }
                _ => continue,
            };
            if !self.reads.iter().chain(&self.mentions).any(is_known) {
                self.mentions.push(PathUse {
                    path: value.to_owned(),
                    kind,
                    source: format!("{path}:{}", token.line),
                });
            }
        }
    }

    /// Adds all that `other` found; complete only if both are.
    pub fn merge(&mut self, other: &Self) {
        self.reads.extend_from_slice(&other.reads);
        self.writes.extend_from_slice(&other.writes);
        self.programs.extend_from_slice(&other.programs);
        self.open.extend_from_slice(&other.open);
        self.mentions.extend_from_slice(&other.mentions);
        self.ports.extend(&other.ports);
        self.marked.extend_from_slice(&other.marked);
        self.complete &= other.complete;
    }

    /// Where something with this topic was called (`cgo`, `timezone` …).
    pub fn marked<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Evidence> + 'a {
        self.marked
            .iter()
            .filter(move |mark| mark.fact.split(' ').next() == Some(topic))
    }
}

/// The functions of a language by the last part of their path.
#[derive(Debug)]
pub(super) struct Table {
    by_last: BTreeMap<&'static str, Vec<Callee>>,
}

impl Table {
    pub(super) fn new(callees: &[Callee]) -> Self {
        let mut by_last: BTreeMap<&'static str, Vec<Callee>> = BTreeMap::new();
        for callee in callees {
            let last = callee.0.rsplit('.').next().unwrap_or(callee.0);
            by_last.entry(last).or_default().push(*callee);
        }
        Self { by_last }
    }
}

/// The last part of the path before the parenthesis at `open`, and the token at which that path starts.
fn callee<'a>(tokens: &[Token<'a>], open: usize) -> Option<(&'a str, usize)> {
    let mut at = open.checked_sub(1)?;
    if tokens[at].kind == Kind::Mark(b'!') {
        at = at.checked_sub(1)?;
    }
    let Kind::Word(last) = tokens[at].kind else {
        return None;
    };
    let mut start = at;
    for _ in 0..6 {
        let mut before = start;
        while before > 0
            && matches!(
                tokens[before - 1].kind,
                Kind::Mark(b'.' | b':' | b'?' | b'-' | b'>')
            )
        {
            before -= 1;
        }
        if before == start || before == 0 {
            break;
        }
        match tokens[before - 1].kind {
            Kind::Word(_) => start = before - 1,
            _ => break,
        }
    }
    Some((last, start))
}

/// Whether the words among `tokens` end with the parts of `function`.
fn ends_with(tokens: &[Token<'_>], function: &str) -> bool {
    let mut words = tokens.iter().rev().filter_map(|token| match token.kind {
        Kind::Word(word) => Some(word),
        _ => None,
    });
    function.rsplit('.').all(|part| words.next() == Some(part))
}

/// The arguments of the call whose parenthesis is at `open`.
pub(super) fn arguments(
    tokens: &[Token<'_>],
    open: usize,
    constants: &BTreeMap<&str, Option<&str>>,
) -> Vec<Value> {
    let end = tokens.len().min(open + 1 + REACH);
    let mut arguments = Vec::new();
    let (mut depth, mut start) = (0usize, open + 1);
    for at in open + 1..end {
        match tokens[at].kind {
            Kind::Mark(b'(' | b'[' | b'{') => depth += 1,
            Kind::Mark(b')' | b']' | b'}') if depth > 0 => depth -= 1,
            Kind::Mark(b')' | b']' | b'}') => {
                if at > start {
                    arguments.push(value(&tokens[start..at], constants));
                }
                return arguments;
            }
            Kind::Mark(b',') if depth == 0 => {
                arguments.push(value(&tokens[start..at], constants));
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments
}

/// What an expression is, as far as it is literal.
fn value(tokens: &[Token<'_>], constants: &BTreeMap<&str, Option<&str>>) -> Value {
    let mut tokens = tokens;
    while let Some((first, rest)) = tokens.split_first() {
        // A reference (`&"x"`), an object creation (`new File("x")`), a line break.
        match first.kind {
            Kind::Mark(b'&') | Kind::Break | Kind::Word("new" | "mut") => tokens = rest,
            _ => break,
        }
    }
    let Some(first) = tokens.first() else {
        return Value::Open;
    };
    match (first.kind, tokens.get(1).map(|token| token.kind)) {
        (Kind::Text { value, open: false }, None | Some(Kind::Break)) => {
            Value::Literal(value.to_owned())
        }
        (Kind::Text { value, open: false }, Some(Kind::Mark(b'.')))
            if is_conversion(tokens.get(2)) =>
        {
            Value::Literal(value.to_owned())
        }
        (Kind::Text { value, open: true }, _)
        | (Kind::Text { value, .. }, Some(Kind::Mark(b'+' | b'.'))) => {
            Value::Prefix(value.to_owned())
        }
        (Kind::Word(word), None) => match constants.get(word) {
            Some(Some(text)) => Value::Literal((*text).to_owned()),
            _ if word.bytes().all(|byte| byte.is_ascii_digit()) => Value::Literal(word.to_owned()),
            _ => Value::Open,
        },
        (Kind::Word(_), Some(_)) => joined(tokens).unwrap_or(Value::Open),
        _ => Value::Open,
    }
}

/// Whether a method gives the same text in another type.
fn is_conversion(method: Option<&Token<'_>>) -> bool {
    let names = [
        "to_string",
        "to_owned",
        "into",
        "as_ref",
        "to_path_buf",
        "freeze",
        "trim",
    ];
    matches!(method.map(|token| token.kind), Some(Kind::Word(name)) if names.contains(&name))
}

/// The path that a call such as `filepath.Join("a", "b")` makes of literals.
fn joined(tokens: &[Token<'_>]) -> Option<Value> {
    let open = tokens
        .iter()
        .position(|token| token.kind == Kind::Mark(b'('))?;
    let (name, start) = callee(tokens, open)?;
    if start != 0 || !JOINS.contains(&name) {
        return None;
    }
    let mut parts = Vec::new();
    for token in &tokens[open + 1..] {
        match token.kind {
            Kind::Text { value, open: false } => parts.push(value),
            Kind::Mark(b',') | Kind::Break => {}
            Kind::Mark(b')') if !parts.is_empty() => return Some(Value::Literal(parts.join("/"))),
            _ if parts.is_empty() => return None,
            _ => return Some(Value::Prefix(format!("{}/", parts.join("/")))),
        }
    }
    None
}

/// Names that one literal of this source is bound to; none for a name with several.
pub(super) fn constants<'a>(tokens: &[Token<'a>]) -> BTreeMap<&'a str, Option<&'a str>> {
    let mut found: BTreeMap<&'a str, Option<&'a str>> = BTreeMap::new();
    for (at, window) in tokens.windows(2).enumerate() {
        let [
            Token {
                kind: Kind::Mark(b'='),
                ..
            },
            Token { kind: bound, .. },
        ] = window
        else {
            continue;
        };
        let Some(name) = bound_name(&tokens[..at]) else {
            continue;
        };
        let plain = !matches!(
            tokens.get(at + 2).map(|token| token.kind),
            Some(Kind::Mark(b'+' | b'.'))
        );
        let text = match bound {
            Kind::Text { value, open: false } if plain => Some(*value),
            _ => None,
        };
        found
            .entry(name)
            .and_modify(|known| *known = known.filter(|known| Some(*known) == text))
            .or_insert(text);
    }
    found
}

/// The name before an `=`: `x =`, `x :=`, `x: &str =`, `x string =`.
fn bound_name<'a>(before: &[Token<'a>]) -> Option<&'a str> {
    let last = before.len().checked_sub(1)?;
    match before[last].kind {
        Kind::Mark(b':') => match before.get(last.checked_sub(1)?)?.kind {
            Kind::Word(name) => Some(name),
            _ => None,
        },
        Kind::Word(kind @ ("str" | "string" | "String")) => {
            let from = last.saturating_sub(6);
            let names = before[from..last].iter().rev();
            let mut words = names.filter_map(|token| match token.kind {
                Kind::Word(word) if word != "static" => Some(word),
                _ => None,
            });
            words.next().or(Some(kind))
        }
        Kind::Word(name) => Some(name),
        _ => None,
    }
}

/// A path without a scheme; none for URLs and for texts that are no path.
fn plain_path(text: &str) -> Option<String> {
    let text = text.strip_prefix("file://").unwrap_or(text);
    if text.is_empty() || text.contains("://") || text.contains('\n') || text.len() > 1024 {
        return None;
    }
    Some(text.to_owned())
}

/// The port of `:8080`, `0.0.0.0:8080`, `localhost:8080`.
pub(super) fn port_in_address(text: &str) -> Option<u16> {
    let (host, port) = text.rsplit_once(':')?;
    let local = matches!(
        host,
        "" | "0.0.0.0" | "127.0.0.1" | "localhost" | "[::]" | "[::1]"
    );
    let digits = (2..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    if !local || !digits {
        return None;
    }
    port.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::super::lexer::{Language, tokens};
    use super::*;

    fn uses(source: &str) -> Uses {
        let table = Table::new(&[
            ("os.Open", Does::Read, 0),
            ("os.WriteFile", Does::Write, 0),
            ("exec.Command", Does::Start, 0),
            ("http.Dir", Does::ReadFolder, 0),
        ]);
        let mut uses = Uses::default();
        uses.collect("main.go", &tokens(source, Language::Go), &table);
        uses
    }

    #[test]
    fn literals_constants_joins_and_prefixes_are_told_apart() {
        let found = uses(
            "const name = \"conf.json\"\nos.Open(name)\nos.Open(filepath.Join(\"a\", \"b.txt\"))\n\
             os.Open(\"data/\" + id)\nos.Open(arg)\nhttp.FileServer(http.Dir(\"static\"))",
        );
        let paths: Vec<_> = found
            .reads
            .iter()
            .map(|used| (used.path.as_str(), used.kind))
            .collect();
        assert_eq!(
            paths,
            [
                ("conf.json", PathKind::Path),
                ("a/b.txt", PathKind::Path),
                ("data/", PathKind::Prefix),
                ("static", PathKind::Folder)
            ]
        );
        assert_eq!(
            found.open,
            [Evidence {
                fact: "os.Open".into(),
                source: "main.go:5".into()
            }]
        );
        assert_eq!(found.reads[0].source, "main.go:2");
    }

    #[test]
    fn a_name_with_two_values_is_open() {
        let found = uses("p := \"a\"\np = \"b\"\nos.Open(p)\nos.WriteFile(\"out\", data, 0o600)");
        assert!(found.reads.is_empty());
        assert_eq!(found.open.len(), 1);
        assert_eq!(found.writes[0].path, "out");
    }

    #[test]
    fn programs_and_ports() {
        let found = uses("exec.Command(\"ffmpeg\", \"-i\"); x.Run(\":8080\"); y(\"http://a:80\")");
        assert_eq!(found.programs[0].fact, "ffmpeg");
        assert_eq!(found.ports.into_iter().collect::<Vec<_>>(), [8080]);
    }
}
