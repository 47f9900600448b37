//! Makes a comment fit: whole diffs go first, then refusals, findings, tables, and files at last.

use super::Section;
use crate::report::size::counted;

/// A piece of a section that is shown whole, or stood for by a sentence.
#[derive(Clone, Debug)]
pub(super) struct Part {
    text: String,
    short: String,
    kind: Kind,
}

/// What goes first when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Diff,
    Refusals,
    Findings,
    Table,
    Whole,
}

impl Part {
    pub(super) fn diff(text: String, short: String) -> Self {
        Self {
            text,
            short,
            kind: Kind::Diff,
        }
    }

    pub(super) fn refusals(text: String, short: String) -> Self {
        Self {
            text,
            short,
            kind: Kind::Refusals,
        }
    }

    pub(super) fn findings(text: String, short: String) -> Self {
        Self {
            text,
            short,
            kind: Kind::Findings,
        }
    }

    pub(super) fn table(text: String, short: String) -> Self {
        Self {
            text,
            short,
            kind: Kind::Table,
        }
    }

    /// A piece that is short already.
    pub(super) fn whole(text: String) -> Self {
        Self {
            text,
            short: String::new(),
            kind: Kind::Whole,
        }
    }

    /// Puts the sentence in place of the text; gives the bytes that this saves.
    fn shorten(&mut self) -> usize {
        let long = std::mem::replace(&mut self.text, std::mem::take(&mut self.short));
        self.kind = Kind::Whole;
        long.len().saturating_sub(self.text.len())
    }
}

/// The sections one after the other, in at most `limit` bytes.
pub(super) fn fit(mut sections: Vec<Section>, limit: usize) -> String {
    let mut size: usize = sections.iter().map(length).sum();
    for kind in [Kind::Diff, Kind::Refusals, Kind::Findings, Kind::Table] {
        let mut parts: Vec<&mut Part> = sections
            .iter_mut()
            .flat_map(|section| &mut section.parts)
            .filter(|part| part.kind == kind)
            .collect();
        // The longest first, so that the fewest go; of equal ones the last.
        parts.reverse();
        parts.sort_by_key(|part| std::cmp::Reverse(part.text.len()));
        for part in parts {
            if size <= limit {
                break;
            }
            size -= part.shorten();
        }
    }
    let all = sections.len();
    let mut rest = String::new();
    while size + rest.len() > limit {
        let Some(last) = sections.pop() else {
            return String::new();
        };
        size -= length(&last);
        let left_out = counted((all - sections.len()) as u64, "more Dockerfile");
        rest = format!("\n… and {left_out}: `docker-diet check` lists them.\n");
    }
    let mut out = String::with_capacity(size + rest.len());
    for section in &sections {
        out.push('\n');
        out.push_str(&section.heading);
        for part in &section.parts {
            out.push('\n');
            out.push_str(&part.text);
        }
    }
    out.push_str(&rest);
    out
}

fn length(section: &Section) -> usize {
    let parts: usize = section.parts.iter().map(|part| 1 + part.text.len()).sum();
    1 + section.heading.len() + parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, diff: usize) -> Section {
        let diff = format!("```diff\n{}\n```\n", "x".repeat(diff));
        Section {
            heading: format!("#### {name}\n"),
            parts: vec![
                Part::table("| a long table |\n".repeat(3), "2 rewrites\n".to_owned()),
                Part::diff(diff, "no diff\n".to_owned()),
                Part::refusals("refusals ".repeat(9), "9 refusals\n".to_owned()),
            ],
        }
    }

    #[test]
    fn everything_stays_where_there_is_room() {
        let text = fit(vec![section("a", 50), section("b", 60)], 10_000);
        assert!(text.starts_with("\n#### a\n\n| a long table |\n"));
        assert_eq!(text.matches("```diff").count(), 2);
        assert!(!text.contains("no diff"));
    }

    /// Every limit is kept, and a fence that begins ends.
    #[test]
    fn what_does_not_fit_goes_whole() {
        let sections = || vec![section("a", 500), section("b", 900), section("c", 500)];
        let mut diffs = usize::MAX;
        for limit in (0..3000).rev() {
            let text = fit(sections(), limit);
            assert!(text.len() <= limit, "{} of {limit}", text.len());
            assert!(text.matches("```").count().is_multiple_of(2), "{text}");
            let now = text.matches("```diff").count();
            assert!(now <= diffs, "less room, and more diffs");
            diffs = now;
            if now == 2 {
                assert!(!text.contains(&"x".repeat(900)), "the longest goes first");
            }
            if text.contains("9 refusals") {
                assert_eq!(now, 0, "diffs go before refusals");
            }
        }
        let text = fit(sections(), 110);
        assert!(
            text.ends_with("\n… and 2 more Dockerfiles: `docker-diet check` lists them.\n"),
            "{text}"
        );
    }
}
