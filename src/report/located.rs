//! Where the files of a report stand in their repository, and stable names for what is said about them.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::FileReport;
use crate::pipeline::RewriteId;
use crate::text::Fnv1a;
use crate::text::LineIndex;

/// A report for programs that know the repository only: forges, viewers.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// The Dockerfile and what became of it.
    pub report: FileReport<'a>,
    /// Its path from the root of the repository.
    pub path: &'a Path,
    /// The path of its ignore file from there, where the plan changes one.
    pub ignore_path: Option<&'a Path>,
    /// Its bytes.
    pub source: &'a [u8],
}

/// The path with `/` between its parts, as bytes.
pub(super) fn slashed(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in path.components() {
        if !bytes.is_empty() && !bytes.ends_with(b"/") {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(match part {
            Component::RootDir => b"/",
            part => part.as_os_str().as_encoded_bytes(),
        });
    }
    bytes
}

/// The path with `/` between its parts, as text; bytes that are not UTF-8 are replaced.
pub(super) fn slashed_text(path: &Path) -> String {
    String::from_utf8_lossy(&slashed(path)).into_owned()
}

/// The path as a relative URI: every byte that means something in a URI is percent-encoded.
pub(super) fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for byte in slashed(path) {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// Names remarks (refusals and findings) as rewrites are named: by their rule and by what stands in their lines, so
/// that edits elsewhere in the file rename none.
pub(super) struct Names<'a> {
    source: &'a [u8],
    lines: LineIndex,
    ordinals: BTreeMap<(&'static str, u64), u32>,
}

impl<'a> Names<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            lines: LineIndex::new(source),
            ordinals: BTreeMap::new(),
        }
    }

    /// The name of a remark of `kind` (`finding`) by `rule` about the lines, counted from 1.
    pub(super) fn name(
        &mut self,
        kind: &str,
        rule: &'static str,
        lines: (usize, usize),
    ) -> RewriteId {
        let end = self.source.len();
        let from = self.lines.start(lines.0).unwrap_or(end);
        let to = self.lines.start(lines.1.saturating_add(1)).unwrap_or(end);
        let mut hash = Fnv1a::default();
        hash.write(kind.as_bytes());
        let text = &self.source[from.min(to)..to];
        let words = text.split(u8::is_ascii_whitespace);
        for word in words.filter(|word| !word.is_empty()) {
            hash.write(b" ");
            hash.write(word);
        }
        let hash = hash.finish();
        let ordinal = self.ordinals.entry((rule, hash)).or_insert(0);
        let name = RewriteId {
            rule: rule.to_owned(),
            hash,
            ordinal: *ordinal,
        };
        *ordinal += 1;
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        let uri = |path: &str| uri(Path::new(path));
        assert_eq!(
            uri("a b/ü#%?.Dockerfile"),
            "a%20b/%C3%BC%23%25%3F.Dockerfile"
        );
        assert_eq!(uri("./a:b,c/Dockerfile"), "./a%3Ab%2Cc/Dockerfile");
        assert_eq!(slashed_text(Path::new("/a/b")), "/a/b");
    }

    #[test]
    fn a_name_outlives_edits_elsewhere_and_none_is_given_twice() {
        let mut one = Names::new(b"FROM a\nRUN  b\n");
        let mut other = Names::new(b"# c\n\nFROM a\nRUN b");
        let first = one.name("finding", "pin-base", (2, 2));
        assert_eq!(first, other.name("finding", "pin-base", (4, 4)));
        assert_eq!(one.name("finding", "pin-base", (2, 2)).ordinal, 1);
        assert_ne!(first, one.name("finding", "pin-base", (1, 1)));
        assert_ne!(first.hash, one.name("refusal", "pin-base", (2, 2)).hash);
        assert_eq!(one.name("finding", "pin-base", (7, 9)).ordinal, 0);
    }
}
