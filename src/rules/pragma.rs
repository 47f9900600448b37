//! Comments that speak to docker-diet: `# docker-diet: ignore=RULE`, `# docker-diet: skip-file`, and
//! hadolint's `# hadolint ignore=DL3009` and `# hadolint global ignore=DL3009`.

use super::RuleMeta;
use crate::syntax::{Dockerfile, ItemKind};
use crate::text::contains;

/// What the comments of a Dockerfile ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pragmas {
    skip_file: bool,
    /// Names and codes that hold for the whole file.
    everywhere: Vec<String>,
    /// Index of an instruction, and a name or code that is ignored there; ascending by index.
    ignored: Vec<(usize, String)>,
    /// Lines, counted from 1, of `# docker-diet:` comments that say nothing that is understood.
    unknown: Vec<(usize, String)>,
}

impl Pragmas {
    /// Reads the comments of `dockerfile`.
    ///
    /// A comment above an instruction speaks about that one, blank lines and other comments between them
    /// do not matter; a comment among its continuation lines speaks about it too. `skip-file` counts above the first instruction.
    #[must_use]
    pub fn read(dockerfile: &Dockerfile) -> Self {
        let mut pragmas = Self::default();
        // Most files have none: one search spares the rest.
        let source = dockerfile.source();
        if !contains(source, b"hadolint") && !contains(source, b"docker-diet") {
            return pragmas;
        }
        let mut pending: Vec<String> = Vec::new();
        let mut line = 1;
        let mut seen_instruction = false;
        for item in dockerfile.items() {
            match item.kind {
                ItemKind::Comment | ItemKind::Directive => {
                    let comment = Comment::read(dockerfile.bytes(item.span));
                    pragmas.take(comment, line, seen_instruction, &mut pending);
                }
                ItemKind::Instruction(index) => {
                    seen_instruction = true;
                    let instruction = &dockerfile.instructions()[index];
                    for span in &instruction.comments {
                        let comment = Comment::read(dockerfile.bytes(*span));
                        pragmas.take(comment, line, true, &mut pending);
                    }
                    pragmas
                        .ignored
                        .extend(pending.drain(..).map(|name| (index, name)));
                }
                _ => {}
            }
            line += dockerfile
                .bytes(item.span)
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
        }
        pragmas
    }

    fn take(&mut self, comment: Comment, line: usize, late: bool, pending: &mut Vec<String>) {
        match comment {
            Comment::Plain => {}
            Comment::SkipFile if late => {
                let text = "`skip-file` counts only above the first instruction".to_owned();
                self.unknown.push((line, text));
            }
            Comment::SkipFile => self.skip_file = true,
            Comment::Ignore(names) => pending.extend(names),
            Comment::IgnoreEverywhere(names) => self.everywhere.extend(names),
            Comment::Unknown(text) => self.unknown.push((line, text)),
        }
    }

    /// Whether the file asks to be left alone.
    #[must_use]
    pub fn skip_file(&self) -> bool {
        self.skip_file
    }

    /// Whether `rule` is to leave the instruction with the index `instruction` alone.
    #[must_use]
    pub fn ignores(&self, instruction: usize, rule: &RuleMeta) -> bool {
        let names = |name: &String| name == rule.name || rule.hadolint.contains(&name.as_str());
        let from = self
            .ignored
            .partition_point(|(index, _)| *index < instruction);
        self.everywhere.iter().any(names)
            || self.ignored[from..]
                .iter()
                .take_while(|(index, _)| *index == instruction)
                .any(|(_, name)| names(name))
    }

    /// Comments that address docker-diet and are not understood: line counted from 1, and what to write.
    #[must_use]
    pub fn unknown(&self) -> &[(usize, String)] {
        &self.unknown
    }
}

/// One comment line.
#[derive(Debug, PartialEq, Eq)]
enum Comment {
    /// Not addressed to us.
    Plain,
    SkipFile,
    Ignore(Vec<String>),
    IgnoreEverywhere(Vec<String>),
    Unknown(String),
}

impl Comment {
    fn read(line: &[u8]) -> Self {
        let Ok(line) = std::str::from_utf8(line) else {
            return Self::Plain;
        };
        let text = line.trim().trim_start_matches('#').trim();
        if let Some(order) = text.strip_prefix("docker-diet:") {
            Self::order(order.trim())
        } else if let Some(order) = text.strip_prefix("hadolint") {
            Self::hadolint(order)
        } else {
            Self::Plain
        }
    }

    fn order(order: &str) -> Self {
        let word = order.split_whitespace().next().unwrap_or_default();
        match value(order, "ignore") {
            _ if word == "skip-file" => Self::SkipFile,
            Some(names) if !names.is_empty() => Self::Ignore(names),
            _ => Self::Unknown(format!(
                "`{order}` is not understood; write `ignore=RULE` or `skip-file`"
            )),
        }
    }

    fn hadolint(order: &str) -> Self {
        // `hadolintrc is …` is prose.
        if !order.starts_with([' ', '\t']) {
            return Self::Plain;
        }
        let order = order.trim();
        let global = order
            .strip_prefix("global")
            .filter(|rest| rest.starts_with([' ', '\t']));
        match (
            global.and_then(|rest| value(rest.trim(), "ignore")),
            value(order, "ignore"),
        ) {
            (Some(codes), _) => Self::IgnoreEverywhere(codes),
            (None, Some(codes)) => Self::Ignore(codes),
            (None, None) => Self::Plain,
        }
    }
}

/// The names behind `key=`, parted by commas; text after a space that no comma announces is a remark.
fn value(text: &str, key: &str) -> Option<Vec<String>> {
    let rest = text.strip_prefix(key)?.trim_start().strip_prefix('=')?;
    let mut names = Vec::new();
    for part in rest.split(',') {
        let mut words = part.split_whitespace();
        names.extend(words.next().map(str::to_owned));
        if words.next().is_some() {
            break;
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn comments_are_understood() {
        let cases = [
            ("# docker-diet: skip-file", Comment::SkipFile),
            ("#docker-diet:skip-file # generated", Comment::SkipFile),
            (
                "# docker-diet: ignore=merge-runs",
                Comment::Ignore(names(&["merge-runs"])),
            ),
            (
                "# docker-diet: ignore=a, b  because of the cache",
                Comment::Ignore(names(&["a", "b"])),
            ),
            (
                "# hadolint ignore=DL3008,DL3009",
                Comment::Ignore(names(&["DL3008", "DL3009"])),
            ),
            (
                "# hadolint global ignore=DL3003",
                Comment::IgnoreEverywhere(names(&["DL3003"])),
            ),
            ("# hadolint is a linter", Comment::Plain),
            ("# hadolintignore=DL3003", Comment::Plain),
            ("# docker-diet is a program", Comment::Plain),
        ];
        for (text, comment) in cases {
            assert_eq!(Comment::read(text.as_bytes()), comment, "{text}");
        }
        let Comment::Unknown(text) = Comment::read(b"# docker-diet: ignroe=x") else {
            panic!("a misspelt order is reported");
        };
        assert_eq!(
            text,
            "`ignroe=x` is not understood; write `ignore=RULE` or `skip-file`"
        );
    }
}
