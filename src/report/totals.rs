//! Sums over the files of a run.

use std::collections::BTreeMap;

use super::paint::{FAINT, HEADING};
use super::size::{bytes, counted, grouped};
use super::{Paint, Tense};
use crate::pipeline::Plan;
use crate::rules::{Estimate, Level, RULES};

/// What one rule did over all files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rewrites.
    pub rewrites: u64,
    /// Files with a rewrite.
    pub files: u64,
    /// Refusals.
    pub refusals: u64,
    /// Findings.
    pub findings: u64,
    /// What the rewrites save at least.
    pub saves: Estimate,
}

/// Sums over the files of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files that were read.
    pub files: u64,
    /// Files with a rewrite.
    pub changed: u64,
    /// `.dockerignore` files that are written or extended.
    pub ignore_files: u64,
    /// Files that BuildKit refuses, or that could not be read or written.
    pub failed: u64,
    /// By name of the rule.
    pub rules: BTreeMap<&'static str, Tally>,
}

impl Totals {
    /// Adds the plan of one file.
    pub fn add(&mut self, plan: &Plan) {
        self.files += 1;
        self.changed += u64::from(!plan.hunks.is_empty());
        self.ignore_files += u64::from(plan.ignore_file.is_some());
        let mut last_rules: Vec<&'static str> = Vec::new();
        for rewrite in &plan.rewrites {
            let tally = self.rules.entry(rewrite.rule.name).or_default();
            tally.rewrites += 1;
            tally.saves.image = tally.saves.image.saturating_add(rewrite.saves.image);
            tally.saves.context = tally.saves.context.saturating_add(rewrite.saves.context);
            if !last_rules.contains(&rewrite.rule.name) {
                last_rules.push(rewrite.rule.name);
                tally.files += 1;
            }
        }
        for refusal in &plan.refusals {
            self.rules.entry(refusal.rule.name).or_default().refusals += 1;
        }
        for finding in &plan.findings {
            self.rules.entry(finding.rule.name).or_default().findings += 1;
        }
    }

    /// Adds the sums of other files.
    pub fn merge(&mut self, other: &Totals) {
        self.files += other.files;
        self.changed += other.changed;
        self.ignore_files += other.ignore_files;
        self.failed += other.failed;
        for (rule, theirs) in &other.rules {
            let tally = self.rules.entry(rule).or_default();
            tally.rewrites += theirs.rewrites;
            tally.files += theirs.files;
            tally.refusals += theirs.refusals;
            tally.findings += theirs.findings;
            tally.saves.image = tally.saves.image.saturating_add(theirs.saves.image);
            tally.saves.context = tally.saves.context.saturating_add(theirs.saves.context);
        }
    }

    /// Rewrites of all rules.
    #[must_use]
    pub fn rewrites(&self) -> u64 {
        self.rules.values().map(|tally| tally.rewrites).sum()
    }

    /// Refusals of all rules.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.rules.values().map(|tally| tally.refusals).sum()
    }

    /// Findings of all rules.
    #[must_use]
    pub fn findings(&self) -> u64 {
        self.rules.values().map(|tally| tally.findings).sum()
    }

    /// What all rewrites save at least.
    #[must_use]
    pub fn saves(&self) -> Estimate {
        self.rules
            .values()
            .fold(Estimate::default(), |sum, tally| Estimate {
                image: sum.image.saturating_add(tally.saves.image),
                context: sum.context.saturating_add(tally.saves.context),
            })
    }

    /// Whether a rewrite was made or could be.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        self.changed > 0 || self.ignore_files > 0
    }

    /// The lowest level of a rewrite that was made or could be; none when nothing changes.
    #[must_use]
    pub fn lowest_level(&self) -> Option<Level> {
        let level = |name: &str| {
            let rules = RULES.iter().map(|rule| rule.meta());
            rules
                .filter(|rule| rule.name == name)
                .map(|rule| rule.level)
                .next()
        };
        let made = self.rules.iter().filter(|(_, tally)| tally.rewrites > 0);
        let lowest = made.filter_map(|(name, _)| level(name)).min();
        self.changes_anything().then_some(lowest).flatten()
    }

    /// One line: `12 rewrites in 3 of 14 files, at least 431 MB less in images; 5 left as they are`.
    #[must_use]
    pub fn line(&self, tense: Tense) -> String {
        let files = counted(self.files, "file");
        let mut line = match (self.changes_anything(), tense) {
            (false, _) => format!("nothing to do in {files}"),
            (true, tense) => {
                let rewrites = counted(self.rewrites(), "rewrite");
                let possible = match tense {
                    Tense::Done => "",
                    Tense::Possible => " possible",
                };
                if self.files == 1 {
                    format!("{rewrites}{possible}")
                } else {
                    format!(
                        "{rewrites}{possible} in {} of {files}",
                        grouped(self.changed)
                    )
                }
            }
        };
        line.push_str(&savings(self.saves()));
        for (count, what) in [
            (self.refusals(), "left as they are"),
            (self.findings(), "worth knowing"),
            (self.failed, "failed"),
        ] {
            if count > 0 {
                line.push_str(&format!("; {} {what}", grouped(count)));
            }
        }
        line
    }

    /// The table of `--statistics`, by rule; empty when no rule had anything to say.
    pub fn table(&self, out: &mut Vec<u8>, paint: Paint) {
        if self.rules.is_empty() {
            return;
        }
        let header = ["rule", "rewrites", "files", "left", "findings", "at least"];
        let rows: Vec<[String; 6]> = self
            .rules
            .iter()
            .map(|(rule, tally)| {
                let size = tally.saves.image.saturating_add(tally.saves.context);
                let count = |count: u64| match count {
                    0 => "·".to_owned(),
                    count => grouped(count),
                };
                [
                    (*rule).to_owned(),
                    count(tally.rewrites),
                    count(tally.files),
                    count(tally.refusals),
                    count(tally.findings),
                    if size == 0 {
                        "·".to_owned()
                    } else {
                        bytes(size)
                    },
                ]
            })
            .collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .chain([header[column].len()])
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let line = |cells: [&str; 6]| {
            let mut line = format!("{:<width$}", cells[0], width = widths[0]);
            for (cell, width) in cells.iter().zip(widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            line
        };
        paint.put(out, HEADING, &line(header));
        out.push(b'\n');
        for row in &rows {
            let row = line(std::array::from_fn(|column| row[column].as_str()));
            let (name, rest) = row.split_at(widths[0]);
            out.extend_from_slice(name.as_bytes());
            let style = if rest.trim_start().starts_with('·') {
                FAINT
            } else {
                anstyle::Style::new()
            };
            paint.put(out, style, rest);
            out.push(b'\n');
        }
    }
}

/// `, at least 18 MB less in the image`; empty when nothing is known.
pub(super) fn savings(saves: Estimate) -> String {
    match (saves.image, saves.context) {
        (0, 0) => String::new(),
        (image, 0) => format!(", at least {} less to ship", bytes(image)),
        (0, context) => format!(", at least {} less to send to the builder", bytes(context)),
        (image, context) => format!(
            ", at least {} less to ship and {} less to send to the builder",
            bytes(image),
            bytes(context)
        ),
    }
}
