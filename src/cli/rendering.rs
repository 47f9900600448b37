//! What a run prints in each format: for one file, and around all of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::args::Format;
use super::output::{Output, View};
use super::session::{Action, Ending};
use crate::report::diff::{FileDiff, unified};
use crate::report::{
    FileReport, Located, Tense, Totals, comment, github, gitlab, json, sarif, text,
};

/// What became of one unit of work.
#[derive(Default)]
pub(super) struct Done {
    /// What is printed; a format that separates files begins each with a comma.
    pub(super) out: Vec<u8>,
    /// What SARIF says beside its results, likewise.
    notifications: Vec<u8>,
    /// What a comment says.
    sections: Vec<comment::Section>,
    pub(super) errors: Vec<String>,
    pub(super) totals: Totals,
}

impl Done {
    /// Notes that the file at `path` could not be read, judged or written.
    pub(super) fn fail(&mut self, path: &str, error: &impl std::fmt::Display) {
        self.totals.failed += 1;
        self.errors.push(format!("{path} {error}"));
    }

    /// Tells what became of one file.
    pub(super) fn tell(&mut self, located: &Located<'_>, style: Style, view: View) {
        let report = &located.report;
        match (style.format, style.action) {
            (Format::Json, action) => json::file(&mut self.out, report, action == Action::Write),
            (Format::Sarif, _) => sarif::file(&mut self.out, &mut self.notifications, located),
            (Format::Github, _) => github::file(&mut self.out, located, view.verbose),
            (Format::Gitlab, _) => gitlab::file(&mut self.out, located),
            (Format::Markdown, _) => self.sections.extend(comment::Section::new(located, None)),
            (Format::Text, Action::Diff) => self.diff(located, view),
            (Format::Text, _) if view.quiet => {}
            (Format::Text, _) => text::file(&mut self.out, report, view.paint, view.verbose),
        }
    }

    fn diff(&mut self, located: &Located<'_>, view: View) {
        let plan = located.report.plan;
        let mut show = |path: &Path, before, after| {
            let file = FileDiff {
                path,
                before,
                after,
            };
            unified(&mut self.out, &file, view.destination, view.paint);
        };
        if let (Some(path), Some(ignore)) = (located.ignore_path, &plan.ignore_file) {
            show(path, ignore.before.as_deref(), &ignore.after);
        }
        show(located.path, Some(located.source), &plan.result);
    }

    /// Tells that nothing could be found out about a file. In text the error itself is enough.
    pub(super) fn tell_failure(
        &mut self,
        report: FileReport<'_>,
        path: &Path,
        style: Style,
        view: View,
    ) {
        if style.format == Format::Text {
            return;
        }
        let located = Located {
            report,
            path,
            ignore_path: None,
            source: b"",
        };
        self.tell(&located, style, view);
    }
}

/// How a run is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) format: Format,
    pub(super) action: Action,
    /// Whether a table by rule ends it.
    pub(super) statistics: bool,
}

impl Style {
    /// Whether files are separated by commas.
    fn is_list(self) -> bool {
        matches!(self.format, Format::Json | Format::Sarif | Format::Gitlab)
    }

    /// Whether a format speaks of places from the root of the repository.
    pub(super) fn names_places(self) -> bool {
        self.format != Format::Json && (self.format != Format::Text || self.action == Action::Diff)
    }
}

/// What is printed around the files.
pub(super) struct Report<'o> {
    style: Style,
    output: &'o mut Output,
    pub(super) totals: Totals,
    notifications: Vec<u8>,
    sections: Vec<comment::Section>,
    first: bool,
    told: BTreeSet<String>,
}

impl<'o> Report<'o> {
    pub(super) fn new(style: Style, output: &'o mut Output) -> Self {
        let mut head = Vec::new();
        match style.format {
            Format::Json => json::begin(&mut head),
            Format::Sarif => sarif::begin(&mut head),
            Format::Gitlab => head.push(b'['),
            Format::Text | Format::Github | Format::Markdown => {}
        }
        output.print(&head);
        Self {
            style,
            output,
            totals: Totals::default(),
            notifications: Vec::new(),
            sections: Vec::new(),
            first: true,
            told: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, done: Done) {
        self.totals.merge(&done.totals);
        for error in done.errors {
            // A broken configuration is told once, not once a file.
            if !self.told.contains(&error) {
                self.output.error(&error);
                self.told.insert(error);
            }
        }
        self.sections.extend(done.sections);
        let comma = usize::from(self.notifications.is_empty());
        self.notifications
            .extend_from_slice(done.notifications.get(comma..).unwrap_or_default());
        let comma = usize::from(self.first && self.style.is_list());
        if !done.out.is_empty() {
            self.output.print(&done.out[comma..]);
            self.first = false;
        }
    }

    pub(super) fn end(self) -> Ending {
        let Style {
            format,
            action,
            statistics,
        } = self.style;
        let view = self.output.view();
        let mut tail = Vec::new();
        let tense = match action {
            Action::Write => Tense::Done,
            Action::Diff | Action::Report => Tense::Possible,
        };
        match format {
            Format::Json => json::end(&mut tail, &self.totals),
            Format::Sarif => {
                let errors: Vec<String> = self.told.iter().cloned().collect();
                sarif::end(&mut tail, &self.notifications, &self.totals, &errors);
            }
            Format::Gitlab => tail.extend_from_slice(b"\n]\n"),
            Format::Markdown => {
                let comment = comment::comment(self.sections, &self.totals, tense, comment::LIMIT);
                tail.extend_from_slice(comment.as_bytes());
            }
            Format::Github => {}
            Format::Text => {
                if statistics {
                    self.totals.table(&mut tail, view.paint);
                }
                if !view.quiet && action != Action::Diff && self.totals.files > 0 {
                    tail.extend_from_slice(self.totals.line(tense).as_bytes());
                    tail.push(b'\n');
                }
            }
        }
        self.output.print(&tail);
        self.output.flush();
        let on_stderr =
            format == Format::Github || format == Format::Text && action == Action::Diff;
        if on_stderr && self.totals.files > 0 {
            self.output.remark(&self.totals.line(tense));
        }
        Ending {
            rewrites: self.totals.lowest_level(),
            errors: !self.told.is_empty(),
        }
    }
}
