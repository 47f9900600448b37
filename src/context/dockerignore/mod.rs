//! `.dockerignore`, matched as Docker does it.

mod automaton;
mod extend;
mod pattern;

use super::clean::clean;
use crate::text::Span;
use pattern::Pattern;
use std::sync::Arc;

pub use extend::Extension;

/// A pattern that Docker refuses: the build fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PatternError {
    /// Counted from 1.
    pub line: usize,
    /// Docker's words.
    pub message: String,
}

/// A line of a `.dockerignore` file that holds a pattern.
#[derive(Clone, Debug)]
pub struct Line {
    /// The pattern as Docker cleans it, without `!` and leading slash.
    pub pattern: String,
    /// Whether the line begins with `!` and takes paths back into the context.
    pub negated: bool,
    /// The line in the file, without its line end.
    pub span: Span,
    /// Counted from 1.
    pub number: usize,
    compiled: Pattern,
}

/// The patterns of a `.dockerignore` file.
#[derive(Clone, Debug, Default)]
pub struct Dockerignore {
    lines: Vec<Line>,
    source: Option<Arc<[u8]>>,
    path: Option<String>,
}

impl Dockerignore {
    /// Reads the text of a `.dockerignore` file.
    ///
    /// # Errors
    /// The first line that makes Docker refuse the file.
    pub fn parse(text: &[u8]) -> Result<Self, PatternError> {
        let mut lines = Vec::new();
        let mut start = 0;
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let span = Span::new(start, start + line.len());
            start += line.len() + 1;
            let number = number + 1;
            let error = |message: &str| PatternError {
                line: number,
                message: message.to_owned(),
            };
            // Go reads lines into a buffer of this size.
            if line.len() >= 1 << 16 {
                return Err(error("bufio.Scanner: token too long"));
            }
            let carriage_return = usize::from(line.ends_with(b"\r"));
            let span = Span::new(span.start, span.end - carriage_return);
            let mut line = span.of(text);
            if number == 1 {
                line = line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(line);
            }
            let Some((negated, pattern)) = cleaned(line) else {
                continue;
            };
            if negated && pattern.is_empty() {
                return Err(error("illegal exclusion pattern: \"!\""));
            }
            lines.push(Line {
                compiled: Pattern::new(&pattern).map_err(error)?,
                pattern: String::from_utf8_lossy(&pattern).into_owned(),
                negated,
                span,
                number,
            });
        }
        Ok(Self {
            lines,
            source: Some(Arc::from(text)),
            path: None,
        })
    }

    /// The same patterns as those of the file at `path` of the context: `docker/api.Dockerfile.dockerignore`.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Where the file stands, or would stand, in the context: `.dockerignore` unless [`Dockerignore::at`] says otherwise.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(".dockerignore")
    }

    /// The bytes of the file; none when there is none.
    #[must_use]
    pub fn source(&self) -> Option<&[u8]> {
        self.source.as_deref()
    }

    /// Whether Docker leaves `path` (relative, parts joined by `/`) out of the context, judged by the path alone: the
    /// last pattern that matches it or a folder above it decides.
    ///
    /// What a build is sent is judged on the way down instead, see [`Dockerignore::descend`].
    #[must_use]
    pub fn ignores(&self, path: &str) -> bool {
        self.ignoring_pattern(path).is_some()
    }

    /// The line that leaves `path` out; none when the path is in the context.
    #[must_use]
    pub fn ignoring_pattern(&self, path: &str) -> Option<&Line> {
        self.lines
            .iter()
            .rev()
            .find(|line| line.compiled.covers(path))
            .filter(|line| !line.negated)
    }

    /// Judges one entry the way BuildKit's client does when it walks the context: from what was found for its folder.
    ///
    /// It differs from [`Dockerignore::ignores`] where a `!` line names a folder that nothing had left out: after `a/b`
    /// and `!a`, `a/b` is not sent although `!a` matches a folder above it.
    #[must_use]
    pub fn descend(&self, folder: &Descent, path: &str) -> Descent {
        if !self.has_negations() {
            return Descent {
                ignored: folder.ignored
                    || self.lines.iter().any(|line| line.compiled.matches(path)),
                matched: None,
            };
        }
        let mut ignored = false;
        let matched = self
            .lines
            .iter()
            .enumerate()
            .map(|(number, line)| {
                let inherited = folder
                    .matched
                    .as_ref()
                    .is_some_and(|matched| matched.get(number) == Some(&true));
                let matches = inherited || (line.negated == ignored && line.compiled.matches(path));
                if matches {
                    ignored = !line.negated;
                }
                matches
            })
            .collect();
        Descent {
            ignored,
            matched: Some(matched),
        }
    }

    /// Whether nothing below the folder at `path` can be in the context, so that it need not be walked.
    #[must_use]
    pub fn can_skip_folder(&self, path: &str) -> bool {
        self.ignores(path) && !self.may_take_back_below(path)
    }

    /// Whether a `!` line may match something below the folder at `path`.
    #[must_use]
    pub fn may_take_back_below(&self, path: &str) -> bool {
        self.lines
            .iter()
            .any(|line| line.negated && line.compiled.may_match_below(path))
    }

    /// The lines with patterns, in file order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Where the first `!` line begins, in bytes: a line inserted before it cannot take anything from that line.
    #[must_use]
    pub fn first_negation_offset(&self) -> Option<usize> {
        self.lines
            .iter()
            .find(|line| line.negated)
            .map(|line| line.span.start)
    }

    fn has_negations(&self) -> bool {
        self.lines.iter().any(|line| line.negated)
    }
}

/// What a walk knows about a folder and hands down to its entries; the default is the context's root.
#[derive(Clone, Debug, Default)]
pub struct Descent {
    ignored: bool,
    /// Per line, whether it matched here or above; only kept when there are `!` lines.
    matched: Option<Box<[bool]>>,
}

impl Descent {
    /// Whether the entry itself is left out. A folder that is left out is still sent when something below it is.
    #[must_use]
    pub fn ignored(&self) -> bool {
        self.ignored
    }
}

/// The pattern of a line and whether it is negated, after the two cleanings that Docker gives it; none for comments and
/// blank lines.
fn cleaned(line: &[u8]) -> Option<(bool, Vec<u8>)> {
    if line.starts_with(b"#") {
        return None;
    }
    let line = trim(line);
    if line.is_empty() {
        return None;
    }
    let (negated, pattern) = match line.strip_prefix(b"!") {
        Some(rest) => (true, trim(rest)),
        None => (false, line),
    };
    let mut pattern = if pattern.is_empty() {
        Vec::new()
    } else {
        clean(pattern)
    };
    if pattern.len() > 1 && pattern[0] == b'/' {
        pattern.remove(0);
    }
    // The second reader sees `!` as a part of the path, and a `!` that the first left at the start as its own.
    if negated {
        pattern.insert(0, b'!');
    }
    let pattern = clean(trim(&pattern));
    Some(match pattern.strip_prefix(b"!") {
        Some(rest) => (true, rest.to_vec()),
        None => (false, pattern),
    })
}

/// Without the white space, as Unicode has it, at both ends; bytes outside UTF-8 are no white space.
fn trim(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let Some(length) = (1..=text.len().min(4)).find(|length| is_space(&text[..*length])) {
        text = &text[length..];
    }
    while let Some(length) =
        (1..=text.len().min(4)).find(|length| is_space(&text[text.len() - length..]))
    {
        text = &text[..text.len() - length];
    }
    text
}

fn is_space(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let mut letters = text.chars();
        letters.next().is_some_and(char::is_whitespace) && letters.next().is_none()
    })
}

#[cfg(test)]
mod tests;
