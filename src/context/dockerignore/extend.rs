//! Lines added to a `.dockerignore`, those that are there left alone.

use super::{Dockerignore, PatternError, cleaned};

/// A `.dockerignore` with lines added.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What it means.
    pub ignore: Dockerignore,
    /// Indices of the patterns that were added.
    pub added: Vec<usize>,
}

impl Dockerignore {
    /// This file with those of `patterns` that it does not cover: before its first `!` line (the last match wins, so
    /// they take nothing from it), else at its end. Its own lines keep every byte; none when all are covered.
    ///
    /// # Errors
    /// When one of `patterns` is one that Docker refuses; lines are counted in the new file.
    pub fn extended(&self, patterns: &[&str]) -> Result<Option<Extension>, PatternError> {
        let added: Vec<usize> = patterns
            .iter()
            .enumerate()
            .filter(|(at, pattern)| !patterns[..*at].contains(pattern) && !self.covers(pattern))
            .map(|(at, _)| at)
            .collect();
        if added.is_empty() {
            return Ok(None);
        }
        let source = self.source().unwrap_or_default();
        let end = line_ending(source);
        let at = self.insertion_offset();
        let mut bytes = source[..at].to_vec();
        let starts_line = bytes.is_empty() || bytes.ends_with(b"\n") || bytes == b"\xef\xbb\xbf";
        if !starts_line {
            bytes.extend_from_slice(end);
        }
        for index in &added {
            bytes.extend_from_slice(patterns[*index].as_bytes());
            bytes.extend_from_slice(end);
        }
        bytes.extend_from_slice(&source[at..]);
        let mut ignore = Self::parse(&bytes)?;
        ignore.path.clone_from(&self.path);
        Ok(Some(Extension {
            bytes,
            ignore,
            added,
        }))
    }

    /// Whether a line like `pattern` would add nothing: the file has it already, or ignores what stands for it at the
    /// root and further down.
    #[must_use]
    pub fn covers(&self, pattern: &str) -> bool {
        let Some((false, wanted)) = cleaned(pattern.as_bytes()) else {
            return true;
        };
        let has_line = self
            .lines()
            .iter()
            .any(|line| !line.negated && line.pattern.as_bytes() == wanted);
        if has_line {
            return true;
        }
        let Ok(wanted) = String::from_utf8(wanted) else {
            return false;
        };
        if wanted.contains(['[', '?', '\\']) {
            return false;
        }
        // Names that no project has stand for every name.
        let example = wanted.replace("**/", "").replace('*', "q7q");
        let below = wanted.replace("**/", "q7q/q7q/").replace('*', "q7q");
        self.ignores(&example) && self.ignores(&below)
    }

    /// Where a line is inserted: before the first `!` line and the comments that stand directly above it.
    fn insertion_offset(&self) -> usize {
        let source = self.source().unwrap_or_default();
        let Some(mut at) = self.first_negation_offset() else {
            return source.len();
        };
        while at > 0 {
            let start = source[..at - 1]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |before| before + 1);
            if !source[start..at].starts_with(b"#") {
                break;
            }
            at = start;
        }
        if at == 0 && source.starts_with(b"\xef\xbb\xbf") {
            return 3;
        }
        at
    }
}

/// `\r\n` where the file's first line ends so.
fn line_ending(source: &[u8]) -> &'static [u8] {
    match source.iter().position(|byte| *byte == b'\n') {
        Some(at) if at > 0 && source[at - 1] == b'\r' => b"\r\n",
        _ => b"\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extended(source: &str, patterns: &[&str]) -> Option<String> {
        let ignore = Dockerignore::parse(source.as_bytes()).expect("a valid file");
        let extension = ignore.extended(patterns).expect("valid patterns")?;
        assert!(
            extension
                .ignore
                .extended(patterns)
                .expect("valid")
                .is_none()
        );
        Some(String::from_utf8(extension.bytes).expect("text"))
    }

    #[test]
    fn a_file_is_made_where_there_is_none() {
        let made = Dockerignore::default()
            .extended(&[".git", "**/node_modules", ".git"])
            .expect("valid")
            .expect("there is something to add");
        assert_eq!(made.bytes, b".git\n**/node_modules\n");
        assert_eq!(made.added, [0, 1]);
    }

    #[test]
    fn lines_go_to_the_end_and_line_ends_are_kept() {
        assert_eq!(extended("*.md\n", &["a"]).as_deref(), Some("*.md\na\n"));
        assert_eq!(extended("*.md", &["a"]).as_deref(), Some("*.md\na\n"));
        assert_eq!(
            extended("*.md\r\nb", &["a"]).as_deref(),
            Some("*.md\r\nb\r\na\r\n")
        );
        assert_eq!(extended("", &["a"]).as_deref(), Some("a\n"));
    }

    #[test]
    fn lines_go_before_the_first_exception_and_its_comment() {
        assert_eq!(
            extended("*.md\n\n# kept\n!README.md\nb\n", &["a"]).as_deref(),
            Some("*.md\n\na\n# kept\n!README.md\nb\n")
        );
        assert_eq!(
            extended("\u{FEFF}!x\n", &["a"]).as_deref(),
            Some("\u{FEFF}a\n!x\n")
        );
    }

    #[test]
    fn what_is_covered_is_not_added() {
        for source in [
            "**/node_modules",
            "/**/node_modules/",
            "*",
            "**",
            "**/node_m*",
        ] {
            assert_eq!(extended(source, &["**/node_modules"]), None, "{source}");
        }
        assert_eq!(
            extended("node_modules\n", &["**/node_modules"]).as_deref(),
            Some("node_modules\n**/node_modules\n")
        );
        assert_eq!(extended("**/target\n", &["target"]), None);
        // The user took it back on purpose.
        assert_eq!(extended("a\n!a\n", &["a"]), None);
    }

    proptest! {
        #[test]
        fn own_lines_stay_and_a_second_run_adds_nothing(
            source in "([a-c*!#./]{0,4}(\r\n|\n)){0,5}[a-c*]{0,3}",
            patterns in prop::collection::vec("(\\*\\*/)?[a-c]{1,2}", 1..4),
        ) {
            if let Ok(ignore) = Dockerignore::parse(source.as_bytes()) {
                let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
                if let Some(made) = ignore.extended(&patterns).expect("the patterns are valid") {
                    let own: Vec<&str> = source.lines().collect();
                    let text = String::from_utf8(made.bytes.clone()).expect("text");
                    let mut left = text.lines();
                    for line in own {
                        prop_assert!(left.any(|other| other == line));
                    }
                    prop_assert!(made.ignore.extended(&patterns).expect("valid").is_none());
                }
            }
        }
    }
}
