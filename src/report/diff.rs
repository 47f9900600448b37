//! Patches that `git apply` and `patch` take.

use std::path::Path;

use anstyle::Style;
use similar::{DiffOp, TextDiff};

use super::located::slashed;
use super::paint::{BAD, GOOD, HEADING, MARK};
use super::{Paint, printable};

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// One file before and after.
#[derive(Clone, Copy, Debug)]
pub struct FileDiff<'a> {
    /// Its path as the patch names it: relative to the root of the repository, or to the folder in which the patch is
    /// applied.
    pub path: &'a Path,
    /// Its bytes now; none when the patch creates it.
    pub before: Option<&'a [u8]>,
    /// Its bytes afterwards.
    pub after: &'a [u8],
}

/// Where a patch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A pipe or a file: bytes as they are.
    Program,
    /// A terminal: control bytes are written as visible escapes.
    Terminal,
}

/// Appends the unified diff of one file; nothing when it does not change.
pub fn unified(out: &mut Vec<u8>, file: &FileDiff<'_>, destination: Destination, paint: Paint) {
    let before = lines(file.before.unwrap_or_default());
    let after = lines(file.after);
    if file.before == Some(file.after) {
        return;
    }
    let diff = TextDiff::from_slices(&before, &after);
    let printer = Printer { destination, paint };
    printer.header(out, file);
    for group in diff.grouped_ops(CONTEXT) {
        printer.hunk(out, &group, &before, &after);
    }
}

/// Lines with their `\n`; a `\r` belongs to its line as any other byte does.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

struct Printer {
    destination: Destination,
    paint: Paint,
}

impl Printer {
    fn header(&self, out: &mut Vec<u8>, file: &FileDiff<'_>) {
        let path = slashed(file.path);
        let (old, new) = (header_name(b"a/", &path), header_name(b"b/", &path));
        // With this line `git apply` takes the path from the repository's root wherever it runs, and gives a new file
        // the usual mode.
        let mut command = b"diff --git ".to_vec();
        command.extend_from_slice(old.trim_ascii_end());
        command.push(b' ');
        command.extend_from_slice(new.trim_ascii_end());
        self.line(out, HEADING, b"", &command);
        if file.before.is_none() {
            self.line(out, HEADING, b"", b"new file mode 100644");
            self.line(out, HEADING, b"--- ", b"/dev/null");
        } else {
            self.line(out, HEADING, b"--- ", &old);
        }
        self.line(out, HEADING, b"+++ ", &new);
    }

    fn hunk(&self, out: &mut Vec<u8>, ops: &[DiffOp], before: &[&[u8]], after: &[&[u8]]) {
        let (Some(first), Some(last)) = (ops.first(), ops.last()) else {
            return;
        };
        let old = first.old_range().start..last.old_range().end;
        let new = first.new_range().start..last.new_range().end;
        let header = format!("@@ -{} +{} @@", range(&old), range(&new));
        self.line(out, MARK, b"", header.as_bytes());
        for op in ops {
            if let DiffOp::Equal { .. } = op {
                for line in &before[op.old_range()] {
                    self.content(out, Style::new(), b" ", line);
                }
                continue;
            }
            for line in &before[op.old_range()] {
                self.content(out, BAD, b"-", line);
            }
            for line in &after[op.new_range()] {
                self.content(out, GOOD, b"+", line);
            }
        }
    }

    fn content(&self, out: &mut Vec<u8>, style: Style, sign: &[u8], line: &[u8]) {
        match line.strip_suffix(b"\n") {
            Some(line) => self.line(out, style, sign, line),
            None => {
                self.line(out, style, sign, line);
                self.line(out, Style::new(), b"\\ ", b"No newline at end of file");
            }
        }
    }

    fn line(&self, out: &mut Vec<u8>, style: Style, sign: &[u8], line: &[u8]) {
        let mut text = sign.to_vec();
        match self.destination {
            Destination::Program => text.extend_from_slice(line),
            Destination::Terminal => text.extend_from_slice(printable(line).as_bytes()),
        }
        self.paint.put_bytes(out, style, &text);
        out.push(b'\n');
    }
}

/// `12,3`, `12` for one line, `11,0` for none before line 12.
fn range(lines: &std::ops::Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

/// The name as git writes it in a header: quoted where a byte asks for it, with a tab behind it where a
/// space would make its end unclear.
fn header_name(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| !matches!(byte, 0..=0x1f | 0x7f | b'"' | b'\\');
    let mut name = prefix.to_vec();
    if path.iter().all(plain) {
        name.extend_from_slice(path);
        if path.contains(&b' ') {
            name.push(b'\t');
        }
        return name;
    }
    name.insert(0, b'"');
    for byte in path {
        match byte {
            b'"' => name.extend_from_slice(b"\\\""),
            b'\\' => name.extend_from_slice(b"\\\\"),
            b'\n' => name.extend_from_slice(b"\\n"),
            b'\t' => name.extend_from_slice(b"\\t"),
            byte if plain(byte) => name.push(*byte),
            byte => name.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    name.push(b'"');
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    fn patch(path: &str, before: Option<&[u8]>, after: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let file = FileDiff {
            path: Path::new(path),
            before,
            after,
        };
        unified(&mut out, &file, Destination::Program, Paint::default());
        out
    }

    #[test]
    fn a_change_is_shown_with_its_context() {
        let out = patch(
            "a/Dockerfile",
            Some(b"FROM a\nRUN b\nRUN c"),
            b"FROM a\nRUN b2\nRUN c",
        );
        let expected = "diff --git a/a/Dockerfile b/a/Dockerfile\n--- a/a/Dockerfile\n+++ b/a/Dockerfile\n@@ -1,3 +1,3 @@\n FROM a\n-RUN b\n+RUN b2\n RUN c\n\\ No newline at end of file\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn equal_texts_give_no_patch() {
        assert!(patch("Dockerfile", Some(b"FROM a\n"), b"FROM a\n").is_empty());
    }

    #[test]
    fn a_terminal_sees_control_bytes() {
        let mut out = Vec::new();
        let file = FileDiff {
            path: Path::new("Docker\x1bfile"),
            before: Some(b"a\x1b[2J\n"),
            after: b"b\x07\r\n",
        };
        unified(&mut out, &file, Destination::Terminal, Paint::default());
        let text = String::from_utf8(out).expect("escapes are text");
        assert!(!text.contains(['\x1b', '\x07', '\r']));
        assert!(text.contains("-a\\x1b[2J\n+b\\x07\\r\n"), "{text}");
    }

    /// `git apply` and `patch` make the second text of the first, byte for byte, whatever the path and the line ends are.
    #[test]
    fn patches_apply() {
        let texts: [(&[u8], &[u8]); 6] = [
            (b"FROM a\nRUN b\n", b"FROM a\nRUN c\n"),
            (b"FROM a\r\nRUN b\r\nRUN c", b"FROM a\r\nRUN b2\r\nRUN c"),
            (b"FROM a\nRUN b", b"FROM a\nRUN b\n"),
            (b"FROM a\nRUN b\n", b"FROM a\nRUN b"),
            (
                b"FROM \xe9\n\x0bRUN b\rx\n",
                b"FROM \xe9\n\x0bRUN c\rx\n\n\n",
            ),
            (
                b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
                b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            ),
        ];
        let paths = [
            "Dockerfile",
            "a b/Docker file",
            "é/Dockerfile",
            "q\"\\/tab\tDockerfile",
        ];
        for (before, after) in texts {
            for path in paths {
                apply_both(path, Some(before), after);
                apply_both(path, None, after);
            }
        }
    }

    fn apply_both(path: &str, before: Option<&[u8]>, after: &[u8]) {
        let tools: [&[&str]; 2] = [
            &["git", "apply", "--whitespace=nowarn", "../patch"],
            &["patch", "--binary", "-s", "-p1", "-i", "../patch"],
        ];
        for tool in tools {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let work = folder.path().join("work");
            let target = work.join(path);
            fs::create_dir_all(target.parent().expect("inside")).expect("folders");
            if let Some(before) = before {
                fs::write(&target, before).expect("written");
            }
            fs::write(folder.path().join("patch"), patch(path, before, after)).expect("written");
            let Ok(output) = Command::new(tool[0])
                .args(&tool[1..])
                .current_dir(&work)
                .output()
            else {
                continue;
            };
            assert!(
                output.status.success(),
                "{tool:?} of {path:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(
                fs::read(&target).expect("patched"),
                after,
                "{tool:?} of {path:?}"
            );
        }
    }
}
