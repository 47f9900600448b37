//! Fixes: what a viewer or a script replaces, in bytes, and where the text allows it in lines and columns too.

use serde_json::{Value, json};

use super::ROOT;
use crate::pipeline::Component;
use crate::report::located::{Located, uri};
use crate::text::{Edit, LineIndex, Span};

/// Makes the fixes of one Dockerfile.
pub(super) struct Builder<'a> {
    located: &'a Located<'a>,
    dockerfile: Artifact<'a>,
    ignore: Option<Artifact<'a>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(located: &'a Located<'a>) -> Self {
        let file = located.report.plan.ignore_file.as_ref();
        Self {
            located,
            dockerfile: Artifact::new(uri(located.path), located.source),
            ignore: located.ignore_path.zip(file).map(|(path, file)| {
                Artifact::new(uri(path), file.before.as_deref().unwrap_or_default())
            }),
        }
    }

    /// The fix of `component`; none when it changes nothing, which is so for lines that another Dockerfile's fix puts
    /// into the ignore file of both.
    pub(super) fn fix(&mut self, component: &Component) -> Option<Value> {
        let mut changes = Vec::new();
        // The ignore file first: with the old Dockerfile it does no harm, the new one may rely on it.
        if let (Some(artifact), Some(edit)) = (&self.ignore, &component.ignore) {
            changes.push(artifact.change(std::slice::from_ref(edit)));
        }
        if !component.edits.is_empty() {
            changes.push(self.dockerfile.change(&component.edits));
        }
        if changes.is_empty() {
            return None;
        }
        Some(json!({
            "description": {"text": self.description(component)},
            "artifactChanges": changes,
        }))
    }

    fn description(&self, component: &Component) -> String {
        let rewrites = &self.located.report.plan.rewrites;
        let mut names: Vec<&str> = Vec::new();
        for at in &component.rewrites {
            let name = rewrites[*at].rule.name;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        format!("docker-diet: {}", names.join(", "))
    }
}

/// A file that is changed, as it is now; a file that does not exist is an empty one.
struct Artifact<'a> {
    uri: String,
    bytes: &'a [u8],
    lines: LineIndex,
}

impl<'a> Artifact<'a> {
    fn new(uri: String, bytes: &'a [u8]) -> Self {
        Self {
            uri,
            bytes,
            lines: LineIndex::new(bytes),
        }
    }

    fn change(&self, edits: &[Edit]) -> Value {
        let replacements: Vec<Value> = edits.iter().map(|edit| self.replacement(edit)).collect();
        json!({
            "artifactLocation": {"uri": self.uri, "uriBaseId": ROOT},
            "replacements": replacements,
        })
    }

    fn replacement(&self, edit: &Edit) -> Value {
        let span = edit.span;
        let mut region = json!({"byteOffset": span.start, "byteLength": span.len()});
        let new = std::str::from_utf8(&edit.text).ok();
        let place = self.column(span.start).zip(self.column(span.end));
        // A region of text is replaced by text, one of bytes by bytes.
        let content = match (place, new) {
            (Some((start, end)), Some(text)) => {
                region["startLine"] = start.0.into();
                region["startColumn"] = start.1.into();
                region["endLine"] = end.0.into();
                region["endColumn"] = end.1.into();
                json!({"text": text})
            }
            _ => json!({"binary": base64(&edit.text)}),
        };
        // Present where nothing is inserted too: reviewdog 0.21 reads it without asking.
        json!({"deletedRegion": region, "insertedContent": content})
    }

    /// Line and column of `offset`, counted from 1, in characters; none in a line that is not UTF-8, whose characters
    /// nobody can count.
    fn column(&self, offset: usize) -> Option<(usize, usize)> {
        let line = self.lines.line(offset);
        let start = self.lines.start(line)?;
        let end = self.lines.start(line + 1).unwrap_or(self.bytes.len());
        std::str::from_utf8(Span::new(start, end).of(self.bytes)).ok()?;
        let before = std::str::from_utf8(Span::new(start, offset).of(self.bytes)).ok()?;
        // A mark of the byte order is no character of the text.
        let before = match line {
            1 => before.strip_prefix('\u{feff}').unwrap_or(before),
            _ => before,
        };
        Some((line, before.chars().count() + 1))
    }
}

/// The usual base64 with padding, RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            out.push(if digit <= chunk.len() {
                char::from(DIGITS[(group >> (18 - 6 * digit) & 63) as usize])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_the_standard_has_it() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(b"\xff\xfe\xfd\xfc"), "//79/A==");
    }

    #[test]
    fn bytes_are_counted_everywhere_and_columns_where_characters_are_known() {
        let bytes = "\u{feff}FROM é\nRUN b\n".as_bytes();
        let artifact = Artifact::new("a".to_owned(), bytes);
        let made = artifact.replacement(&Edit::replace(Span::new(8, 10), "ü"));
        assert_eq!(
            made,
            json!({
                "deletedRegion": {"byteOffset": 8, "byteLength": 2,
                    "startLine": 1, "startColumn": 6, "endLine": 1, "endColumn": 7},
                "insertedContent": {"text": "ü"},
            })
        );
        let end = artifact.replacement(&Edit::delete(Span::new(11, 17)));
        assert_eq!(end["deletedRegion"]["endLine"], 3);
        assert_eq!(end["deletedRegion"]["endColumn"], 1);
        assert_eq!(end["insertedContent"]["text"], "");

        let artifact = Artifact::new("a".to_owned(), b"RUN \xe9\n");
        let made = artifact.replacement(&Edit::replace(Span::new(4, 5), *b"x\xe9"));
        assert_eq!(
            made,
            json!({
                "deletedRegion": {"byteOffset": 4, "byteLength": 1},
                "insertedContent": {"binary": "eOk="},
            })
        );
    }
}
