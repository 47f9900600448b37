//! The report for people: a calm block a file.

use anstyle::Style;

use super::paint::{BAD, CAREFUL, FAINT, GOOD, HEADING, NOTE};
use super::size::{bytes, counted};
use super::{FileReport, Paint, printable};
use crate::pipeline::{IgnoreFile, Plan};
use crate::rules::Estimate;

/// Appends the block of one file; nothing when there is nothing to say and `verbose` is not asked for.
///
/// A block ends with an empty line.
pub fn file(out: &mut Vec<u8>, report: &FileReport<'_>, paint: Paint, verbose: bool) {
    let plan = report.plan;
    let silent = report.error.is_none()
        && plan.refused.is_none()
        && plan.rewrites.is_empty()
        && plan.refusals.is_empty()
        && plan.findings.is_empty()
        && plan.ignore_file.is_none();
    if silent && !verbose {
        return;
    }
    paint.put(
        out,
        HEADING,
        &printable(report.path.as_os_str().as_encoded_bytes()),
    );
    out.push(b'\n');
    let table = Table::new(paint, plan, verbose);
    if let Some(error) = report.error {
        table.sentence(out, BAD, "error", error);
    }
    if let Some(refused) = &plan.refused {
        let sentence = format!("left alone, BuildKit refuses it: {refused}");
        table.sentence(out, CAREFUL, "", &sentence);
    }
    table.rewrites(out, plan);
    table.refusals(out, plan);
    table.findings(out, plan);
    if let Some(ignore_file) = &plan.ignore_file {
        table.ignore_file(out, ignore_file, verbose);
    }
    for note in &plan.notes {
        table.sentence(out, FAINT, "note", note);
    }
    if silent && plan.notes.is_empty() {
        table.sentence(out, FAINT, "", "nothing to do");
    }
    out.push(b'\n');
}

/// The columns of one block: line number, name of the rule, sentence.
struct Table {
    paint: Paint,
    line_width: usize,
    name_width: usize,
    verbose: bool,
}

impl Table {
    fn new(paint: Paint, plan: &Plan, verbose: bool) -> Self {
        let rows = (plan.rewrites.iter().map(|row| (row.lines.0, row.rule)))
            .chain(plan.refusals.iter().map(|row| (row.lines.0, row.rule)))
            .chain(plan.findings.iter().map(|row| (row.lines.0, row.rule)));
        let mut table = Self {
            paint,
            line_width: 4,
            name_width: 0,
            verbose,
        };
        for (line, rule) in rows {
            table.line_width = table.line_width.max(line.to_string().len() + 2);
            table.name_width = table.name_width.max(rule.name.len());
        }
        table
    }

    fn rewrites(&self, out: &mut Vec<u8>, plan: &Plan) {
        let mut rows: Vec<_> = plan.rewrites.iter().collect();
        rows.sort_by_key(|row| row.lines);
        for row in rows {
            let mut sentence = row.reason.clone();
            sentence.push_str(&estimate(row.saves));
            self.row(out, row.lines.0, GOOD, row.rule.name, &sentence, "");
            if self.verbose {
                self.sentence(out, FAINT, "", &row.id.to_string());
            }
        }
    }

    fn refusals(&self, out: &mut Vec<u8>, plan: &Plan) {
        if plan.refusals.is_empty() {
            return;
        }
        self.heading(out, "left as it is");
        let mut rows: Vec<_> = plan.refusals.iter().collect();
        rows.sort_by_key(|row| row.lines);
        for row in rows {
            self.row(
                out,
                row.lines.0,
                CAREFUL,
                row.rule.name,
                &row.reason,
                &row.remedy,
            );
        }
    }

    fn findings(&self, out: &mut Vec<u8>, plan: &Plan) {
        if plan.findings.is_empty() {
            return;
        }
        self.heading(out, "worth knowing");
        let mut rows: Vec<_> = plan.findings.iter().collect();
        rows.sort_by_key(|row| row.lines);
        for row in rows {
            self.row(
                out,
                row.lines.0,
                NOTE,
                row.rule.name,
                &row.message,
                &row.remedy,
            );
        }
    }

    fn ignore_file(&self, out: &mut Vec<u8>, file: &IgnoreFile, verbose: bool) {
        let verb = match file.before {
            Some(_) => "added to",
            None => "in a new",
        };
        let sentence = format!(
            "{} {verb} {}, build context {}",
            counted(file.added.len() as u64, "line"),
            printable(file.path.as_bytes()),
            shrinks(file.context_before, file.context_after),
        );
        self.heading(out, &sentence);
        if verbose {
            for line in &file.added {
                let sentence = format!("{}  {}", printable(line.pattern.as_bytes()), line.reason);
                self.sentence(out, FAINT, "", &sentence);
            }
        }
    }

    fn heading(&self, out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(b"  ");
        self.paint.put(out, FAINT, text);
        out.push(b'\n');
    }

    fn row(
        &self,
        out: &mut Vec<u8>,
        line: usize,
        style: Style,
        name: &str,
        sentence: &str,
        remedy: &str,
    ) {
        self.paint.put(
            out,
            FAINT,
            &format!("{line:>width$}", width = self.line_width),
        );
        out.extend_from_slice(b"  ");
        self.paint.put(
            out,
            style,
            &format!("{name:<width$}", width = self.name_width),
        );
        out.extend_from_slice(b"  ");
        let mut text = printable(sentence.as_bytes()).into_owned();
        if !remedy.is_empty() {
            text.push_str(" → ");
            text.push_str(&printable(remedy.as_bytes()));
        }
        self.paint.put_wrapped(
            out,
            Style::new(),
            &text,
            self.line_width + self.name_width + 4,
        );
    }

    fn sentence(&self, out: &mut Vec<u8>, style: Style, label: &str, text: &str) {
        let indent = self.line_width + 2;
        out.extend(std::iter::repeat_n(b' ', indent));
        let text = printable(text.as_bytes());
        if label.is_empty() {
            self.paint.put_wrapped(out, style, &text, indent);
        } else {
            self.paint.put(out, style, label);
            out.extend_from_slice(b": ");
            self.paint.put_wrapped(out, Style::new(), &text, indent);
        }
    }
}

fn estimate(saves: Estimate) -> String {
    match (saves.image, saves.context) {
        (0, 0) => String::new(),
        (image, 0) => format!(", at least {}", bytes(image)),
        (0, context) => format!(", at least {} of the build context", bytes(context)),
        (image, context) => format!(
            ", at least {} and {} of the build context",
            bytes(image),
            bytes(context)
        ),
    }
}

fn shrinks(before: (u64, u64), after: (u64, u64)) -> String {
    let one = |(files, size): (u64, u64)| format!("{} in {}", bytes(size), counted(files, "file"));
    if before == after {
        format!("stays {}", one(before))
    } else {
        format!("{} → {}", one(before), one(after))
    }
}
