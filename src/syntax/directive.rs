//! Parser directives: `# syntax=…`, `# escape=…`, `# check=…` above everything else.

use super::runes;

/// What a line at the top of the file says to the parser.
pub(super) enum Directive<'a> {
    /// `# escape=…` with its value.
    Escape(&'a [u8]),
    /// `# syntax=…` or `# check=…`.
    Other,
}

/// Reads directives until the first line that is none.
#[derive(Default)]
pub(super) struct Directives {
    seen: Vec<&'static str>,
    done: bool,
}

impl Directives {
    /// Whether a directive may still come.
    pub(super) fn is_open(&self) -> bool {
        !self.done
    }

    /// Reads one line, without its ending and the white space before it.
    ///
    /// # Errors
    /// In BuildKit's words, when the directive was given before.
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Result<Option<Directive<'a>>, String> {
        if self.done {
            return Ok(None);
        }
        let Some((name, value)) = split(line) else {
            self.done = true;
            return Ok(None);
        };
        if self.seen.contains(&name) {
            return Err(format!("only one {name} parser directive can be used"));
        }
        self.seen.push(name);
        Ok(Some(match name {
            "escape" => Directive::Escape(value),
            _ => Directive::Other,
        }))
    }
}

/// The name of a known directive and its value.
fn split(line: &[u8]) -> Option<(&'static str, &[u8])> {
    let line = line.strip_prefix(b"#")?;
    let line = &line[runes::leading_space(line)..];
    let end = line.iter().position(|byte| !byte.is_ascii_alphanumeric())?;
    let name = ["syntax", "escape", "check"]
        .into_iter()
        .find(|name| line[..end].eq_ignore_ascii_case(name.as_bytes()))?;
    let value = trim_start(&line[end..]).strip_prefix(b"=")?;
    if value.is_empty() {
        return None;
    }
    // A value of white space alone counts as one byte of it.
    Some(match trim_end(trim_start(value)) {
        [] => (name, &value[value.len() - 1..]),
        value => (name, value),
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().take_while(|byte| is_space(**byte)).count();
    &bytes[start..]
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let space = bytes
        .iter()
        .rev()
        .take_while(|byte| is_space(**byte))
        .count();
    &bytes[..bytes.len() - space]
}
