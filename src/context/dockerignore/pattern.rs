//! One pattern, compiled: literals and the common globs are compared as text, the rest runs as an automaton.

use super::super::glob;
use super::automaton::{Automaton, Refusal};

/// A compiled pattern, without its `!`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    matcher: Matcher,
    /// Every path that matches begins with this.
    head: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// `a/b`
    Exact(Vec<u8>),
    /// `a/**`, without the stars.
    Prefix(Vec<u8>),
    /// `**/a`, without the stars.
    Suffix(Vec<u8>),
    /// `*a`, `a*b` and, below any folder, `**/*a`, `**/a*b`.
    Name {
        any_folder: bool,
        head: String,
        tail: String,
    },
    Automaton {
        automaton: Box<Automaton>,
        /// Text that every match holds: what stands between two stars.
        needle: String,
    },
}

impl Pattern {
    /// Compiles a cleaned pattern.
    pub(super) fn new(pattern: &[u8]) -> Result<Self, Refusal> {
        if glob::check(pattern).is_err() {
            return Err("syntax error in pattern");
        }
        let matcher = Matcher::new(pattern)?;
        let head = match &matcher {
            Matcher::Exact(text) | Matcher::Prefix(text) => text.clone(),
            Matcher::Suffix(_) => Vec::new(),
            Matcher::Name { .. } | Matcher::Automaton { .. } => literal_head(pattern),
        };
        Ok(Self { matcher, head })
    }

    /// Whether the pattern matches `path` itself, not one of its folders.
    pub(super) fn matches(&self, path: &str) -> bool {
        let bytes = path.as_bytes();
        if !bytes.starts_with(&self.head) {
            return false;
        }
        match &self.matcher {
            Matcher::Exact(text) => bytes == text,
            Matcher::Prefix(_) => true,
            Matcher::Suffix(suffix) => {
                bytes.ends_with(suffix)
                    || suffix.strip_prefix(b"/").is_some_and(|name| name == bytes)
            }
            Matcher::Name {
                any_folder,
                head,
                tail,
            } => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                name.len() >= head.len() + tail.len()
                    && name.starts_with(head.as_str())
                    && name.ends_with(tail.as_str())
                    && (folder.is_empty() && !path.starts_with('/')
                        // `.` of Go's expressions does not match a line feed.
                        || *any_folder && !folder.contains('\n'))
            }
            Matcher::Automaton { automaton, needle } => {
                path.contains(needle.as_str()) && automaton.matches(path)
            }
        }
    }

    /// Whether the pattern matches `path` or a folder above it.
    pub(super) fn covers(&self, path: &str) -> bool {
        if !path.as_bytes().starts_with(&self.head) {
            return false;
        }
        if let Matcher::Exact(text) = &self.matcher {
            return path
                .as_bytes()
                .strip_prefix(text.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        }
        self.matches(path)
            || path
                .match_indices('/')
                .any(|(slash, _)| self.matches(&path[..slash]))
    }

    /// Whether something strictly below `folder` may match; true when in doubt.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        let folder = folder.as_bytes();
        let head_is_below = self
            .head
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with(b"/"));
        match &self.matcher {
            Matcher::Exact(_) => head_is_below,
            Matcher::Name {
                any_folder: false, ..
            } => false,
            _ => {
                let head_covers =
                    folder.starts_with(&self.head) || self.head.strip_suffix(b"/") == Some(folder);
                head_is_below || head_covers
            }
        }
    }
}

impl Matcher {
    fn new(pattern: &[u8]) -> Result<Self, Refusal> {
        // Go's text scanner drops a byte order mark, but only where the pattern is scanned, not where it is compared.
        let scanned = pattern
            .strip_prefix("\u{FEFF}".as_bytes())
            .unwrap_or(pattern);
        let special = |text: &[u8]| text.iter().any(|byte| b"*?[]\\".contains(byte));
        if !special(scanned) {
            return Ok(Matcher::Exact(pattern.to_vec()));
        }
        if scanned.len() == pattern.len() {
            if let Some(suffix) = pattern.strip_prefix(b"**")
                && !special(suffix)
            {
                return Ok(Matcher::Suffix(suffix.to_vec()));
            }
            if let Some(prefix) = pattern.strip_suffix(b"**")
                && !special(prefix)
            {
                return Ok(Matcher::Prefix(prefix.to_vec()));
            }
            if let Some(name) = Self::name(pattern) {
                return Ok(name);
            }
        }
        Ok(Matcher::Automaton {
            automaton: Box::new(Automaton::new(pattern)?),
            needle: needle(pattern),
        })
    }

    fn name(pattern: &[u8]) -> Option<Self> {
        let pattern = std::str::from_utf8(pattern).ok()?;
        let (any_folder, name) = match pattern.strip_prefix("**/") {
            Some(name) => (true, name),
            None => (false, pattern),
        };
        let (head, tail) = name.split_once('*')?;
        let plain = |text: &str| !text.contains(|letter| ODD.contains(letter) || letter == '/');
        (plain(head) && plain(tail)).then(|| Matcher::Name {
            any_folder,
            head: head.to_owned(),
            tail: tail.to_owned(),
        })
    }
}

/// What means something in the expression, stars and question marks included.
const ODD: &str = "*?[]\\^{|";

/// The text up to the first character that may be more than itself.
fn literal_head(pattern: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(pattern) else {
        return Vec::new();
    };
    if text.contains(['\\', '|', '{', '\u{FEFF}']) {
        return Vec::new();
    }
    let end = text.find(|letter| ODD.contains(letter));
    text.as_bytes()[..end.unwrap_or(text.len())].to_vec()
}

/// The longest text that every match holds.
fn needle(pattern: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(pattern) else {
        return String::new();
    };
    if text.contains(['\\', '|', '{', '[', ']', '^', '\u{FEFF}']) {
        return String::new();
    }
    // `**/` need not match a slash.
    text.split(['*', '?'])
        .map(|part| part.strip_prefix('/').unwrap_or(part))
        .max_by_key(|part| part.len())
        .unwrap_or("")
        .to_owned()
}
