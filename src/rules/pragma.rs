//! Comments that switch rules off: `# docker-diet: …` and hadolint's own.

use std::collections::BTreeMap;

use crate::syntax::{Dockerfile, ItemKind};

use super::RuleMeta;

/// Which rules the comments of a Dockerfile switch off, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pragmas {
    skips_file: bool,
    /// Rule names and hadolint codes that are off in the whole file.
    everywhere: Vec<String>,
    /// The same for the instruction that begins on a line, counted from 1.
    by_line: BTreeMap<usize, Vec<String>>,
}

impl Pragmas {
    /// Reads the comments of `dockerfile`.
    ///
    /// `# docker-diet: skip-file` counts before the first instruction; `# docker-diet: ignore=RULE,RULE` and
    /// `# hadolint ignore=CODE,CODE` count for the next instruction when only comments and blank lines are between;
    /// `# hadolint global ignore=CODE` counts for the file.
    #[must_use]
    pub fn of(dockerfile: &Dockerfile) -> Self {
        let mut pragmas = Pragmas::default();
        let mut pending: Vec<String> = Vec::new();
        let mut seen_instruction = false;
        for item in dockerfile.items() {
            match item.kind {
                ItemKind::Comment => match Pragma::parse(dockerfile.bytes(item.span)) {
                    Some(Pragma::SkipFile) if !seen_instruction => pragmas.skips_file = true,
                    Some(Pragma::Ignore(names)) => pending.extend(names),
                    Some(Pragma::IgnoreEverywhere(names)) => pragmas.everywhere.extend(names),
                    _ => {}
                },
                ItemKind::Instruction(index) => {
                    seen_instruction = true;
                    if !pending.is_empty() {
                        let line = dockerfile.instructions()[index].lines.0;
                        pragmas.by_line.insert(line, std::mem::take(&mut pending));
                    }
                }
                _ => {}
            }
        }
        pragmas
    }

    /// Whether the file asks to be left alone.
    #[must_use]
    pub fn skips_file(&self) -> bool {
        self.skips_file
    }

    /// Whether the rule is off in the whole file.
    #[must_use]
    pub fn ignores_everywhere(&self, rule: &RuleMeta) -> bool {
        names(&self.everywhere, rule)
    }

    /// Whether the rule is off for the instruction that begins on `line` of the original, counted from 1.
    #[must_use]
    pub fn ignores(&self, rule: &RuleMeta, line: usize) -> bool {
        self.by_line
            .get(&line)
            .is_some_and(|list| names(list, rule))
    }
}

fn names(list: &[String], rule: &RuleMeta) -> bool {
    list.iter()
        .any(|name| name == rule.name || rule.hadolint.contains(&name.as_str()))
}

enum Pragma {
    SkipFile,
    Ignore(Vec<String>),
    IgnoreEverywhere(Vec<String>),
}

impl Pragma {
    fn parse(comment: &[u8]) -> Option<Pragma> {
        let text = std::str::from_utf8(comment).ok()?;
        let text = text.trim().trim_start_matches('#').trim();
        if let Some(rest) = text.strip_prefix("docker-diet:") {
            let rest = rest.trim();
            if rest == "skip-file" {
                return Some(Pragma::SkipFile);
            }
            return list_after(rest, "ignore=").map(Pragma::Ignore);
        }
        let rest = text.strip_prefix("hadolint")?.trim_start();
        match rest.strip_prefix("global") {
            Some(rest) => list_after(rest.trim_start(), "ignore=").map(Pragma::IgnoreEverywhere),
            None => list_after(rest, "ignore=").map(Pragma::Ignore),
        }
    }
}

/// The comma-separated names after `key`.
fn list_after(text: &str, key: &str) -> Option<Vec<String>> {
    let list = text.strip_prefix(key)?;
    Some(
        list.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Level;

    const RULE: RuleMeta = RuleMeta {
        name: "exec-form",
        level: Level::Standard,
        hadolint: &["DL3025"],
        documentation: "",
    };

    #[test]
    fn comments_switch_off_the_next_instruction() {
        let source = b"FROM a\n# docker-diet: ignore=exec-form\n\n# why\nCMD b\n# hadolint ignore=DL3025,DL3000\nCMD c\nCMD d\n";
        let pragmas = Pragmas::of(&Dockerfile::parse(source.to_vec()));
        assert!(pragmas.ignores(&RULE, 5));
        assert!(pragmas.ignores(&RULE, 7));
        assert!(!pragmas.ignores(&RULE, 8));
        assert!(!pragmas.skips_file());
    }

    #[test]
    fn files_are_skipped_from_the_top_only() {
        let top = Dockerfile::parse(b"# docker-diet: skip-file\nFROM a\n".to_vec());
        assert!(Pragmas::of(&top).skips_file());
        let below = Dockerfile::parse(b"FROM a\n# docker-diet: skip-file\n".to_vec());
        assert!(!Pragmas::of(&below).skips_file());
        let global = Dockerfile::parse(b"# hadolint global ignore=DL3025\nFROM a\n".to_vec());
        assert!(Pragmas::of(&global).ignores_everywhere(&RULE));
    }
}
