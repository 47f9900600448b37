//! The report of `verify` for people: a table, what is wrong, one sentence.

use std::time::Duration;

use anstyle::Style;

use super::{Compared, Outcome, Report, Written, shown};
use crate::build::contents::LayerSize;
use crate::build::verify::{End, Examined, Fault, FieldVerdict, Ran, title};
use crate::report::paint::{BAD, CAREFUL, FAINT, GOOD, HEADING};
use crate::report::size::{bytes, counted};
use crate::report::{Paint, printable};

/// Longest value of a cell.
const WIDEST: usize = 24;

/// One row of the table: what, in the original, in the rewrite, and what that means.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) remark: String,
}

/// Appends the block of one Dockerfile.
pub(super) fn report(out: &mut Vec<u8>, report: &Report, paint: Paint, verbose: bool) {
    let page = Page { paint };
    page.put(out, HEADING, &shown(&report.path));
    out.push(b'\n');
    match &report.outcome {
        Outcome::Nothing => page.line(out, GOOD, "nothing to rewrite, so nothing was built"),
        Outcome::Unknown(why) => page.unknown(out, why),
        Outcome::Compared(compared) => page.compared(out, compared, verbose),
    }
    for note in &report.notes {
        page.labelled(out, FAINT, "note", note);
    }
    out.push(b'\n');
}

/// The figures of both images.
pub(super) fn rows(compared: &Compared) -> Vec<Row> {
    let Some(after) = &compared.after else {
        return Vec::new();
    };
    let before = &compared.before;
    let mut rows = vec![row(
        "size on disk",
        bytes(before.size()),
        bytes(after.size()),
        percent(before.size(), after.size()),
    )];
    if let (Some(was), Some(is)) = (before.contents.compressed(), after.contents.compressed()) {
        rows.push(row(
            "in a registry",
            bytes(was),
            bytes(is),
            percent(was, is),
        ));
    }
    let layers = |image: &Examined| image.contents.layers.len().to_string();
    rows.push(row("layers", layers(before), layers(after), String::new()));
    rows.push(row(
        "build",
        seconds(before.build),
        seconds(after.build),
        "with what the cache held".to_owned(),
    ));
    if let (Some(was), Some(is)) = (before.rebuild, after.rebuild) {
        let remark = format!(
            "{} of {} steps reused, {} of {} before",
            is.reused, is.steps, was.reused, was.steps
        );
        rows.push(row(
            "after an edit",
            seconds(was.elapsed),
            seconds(is.elapsed),
            remark,
        ));
    }
    if let (Some(was), Some(is)) = (&before.ran, &after.ran) {
        rows.extend(run_rows(was, is));
    }
    rows
}

fn run_rows(was: &Ran, is: &Ran) -> Vec<Row> {
    let mut rows = vec![row("runs", end(was), end(is), same(end(was) == end(is)))];
    let time = |ran: &Ran| ran.elapsed.map_or_else(dash, seconds);
    if !was.answers.is_empty() {
        rows.push(row("answers after", time(was), time(is), String::new()));
    }
    for (index, answered) in was.answers.iter().enumerate() {
        let answer = is
            .answers
            .get(index)
            .map_or_else(dash, |answered| answered.answer.short());
        let same = same(answer == answered.answer.short());
        rows.push(row(&answered.asked, answered.answer.short(), answer, same));
    }
    let ports = |ran: &Ran| match &ran.listening {
        None => "not seen".to_owned(),
        Some(ports) if ports.is_empty() => "none".to_owned(),
        Some(ports) => ports
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    if was.end == End::Running {
        rows.push(row(
            "listens on",
            ports(was),
            ports(is),
            same(ports(was) == ports(is)),
        ));
    }
    let user = |ran: &Ran| ran.user_id.map_or_else(dash, |id| id.to_string());
    rows.push(row("user of process 1", user(was), user(is), String::new()));
    let stop = |ran: &Ran| match ran.stopped {
        None => dash(),
        Some(stopped) if stopped.killed => format!("killed after {}", seconds(stopped.elapsed)),
        Some(stopped) => seconds(stopped.elapsed),
    };
    if was.stopped.is_some() || is.stopped.is_some() {
        rows.push(row("stops in", stop(was), stop(is), String::new()));
    }
    rows
}

/// The sentence at the end.
pub(super) fn verdict(compared: &Compared) -> String {
    let faults = compared.comparison.faults.len();
    let size = compared.after.as_ref().map(|after| {
        let (was, is) = (compared.before.size(), after.size());
        match was.checked_sub(is) {
            Some(0) | None => "not smaller".to_owned(),
            Some(less) => format!("{} smaller ({})", bytes(less), percent(was, is)),
        }
    });
    let size = size.unwrap_or_else(|| "not built".to_owned());
    let verdict = match (&compared.written, faults, &compared.comparison.unproved) {
        (_, 0, None) => format!("same behaviour, {size}"),
        (_, 0, Some(_)) => format!("no difference found, {size}; unproved"),
        _ => format!("not the same: {}", counted(faults as u64, "fault")),
    };
    match &compared.written {
        None => verdict,
        Some(Written::All) => format!("{verdict}; written"),
        Some(Written::Part(count)) => {
            format!(
                "{verdict}; written without what is at fault: {}",
                counted(*count as u64, "rewrite")
            )
        }
        Some(Written::Nothing) => format!("{verdict}; nothing is written"),
    }
}

/// The fields of the contract that differ, as sentences.
pub(super) fn contract(compared: &Compared) -> Vec<String> {
    let differing = compared
        .comparison
        .fields
        .iter()
        .filter(|field| field.verdict != FieldVerdict::Same);
    let mut lines: Vec<String> = differing
        .filter(|field| field.verdict != FieldVerdict::Base)
        .map(|field| {
            let verdict = match field.verdict {
                FieldVerdict::Declared => "as declared",
                _ => "not declared",
            };
            format!(
                "{} {} → {}, {verdict}",
                title(field.field),
                field.before,
                field.after
            )
        })
        .collect();
    let base: Vec<&str> = compared
        .comparison
        .fields
        .iter()
        .filter(|field| field.verdict == FieldVerdict::Base)
        .map(|field| title(field.field))
        .collect();
    if !base.is_empty() {
        lines.push(format!(
            "{} differs in what the base image sets",
            base.join(", ")
        ));
    }
    if lines.is_empty() {
        lines.push("every field is the same".to_owned());
    }
    lines
}

/// What came, went and changed, as one sentence.
pub(super) fn files(compared: &Compared) -> String {
    let files = &compared.comparison.files;
    format!(
        "{} removed ({}), {} added ({}), {} changed, caches left out",
        counted(files.removed.count as u64, "file"),
        bytes(files.removed.size),
        files.added.count,
        bytes(files.added.size),
        files.changed.count,
    )
}

/// Which rewrites are at fault, as sentences.
pub(super) fn blame(compared: &Compared) -> Vec<String> {
    let Some(blame) = &compared.blame else {
        return Vec::new();
    };
    let names = |ids: &[crate::pipeline::RewriteId]| {
        let mut names: Vec<&str> = ids.iter().map(|id| id.rule.as_str()).collect();
        names.dedup();
        names.join(" with ")
    };
    let builds = counted(blame.builds as u64, "build");
    let mut lines = vec![match (blame.culprits.is_empty(), blame.proved) {
        (true, _) => {
            format!("the rewrite at fault was not found in {builds}; --build-budget allows more")
        }
        (false, true) => format!("{} is at fault, shown by {builds}", names(&blame.culprits)),
        (false, false) => format!(
            "{} is at fault, and not alone; {builds} were not enough",
            names(&blame.culprits)
        ),
    }];
    if let Some(passing) = &blame.passing {
        let count = counted(passing.rewrites.len() as u64, "rewrite");
        lines.push(match &compared.written {
            None => format!("without it {count} pass; `fix --verify` writes them"),
            _ => format!("without it {count} pass"),
        });
    }
    lines
}

struct Page {
    paint: Paint,
}

impl Page {
    fn put(&self, out: &mut Vec<u8>, style: Style, text: &str) {
        self.paint.put(out, style, &printable(text.as_bytes()));
    }

    fn line(&self, out: &mut Vec<u8>, style: Style, text: &str) {
        out.extend_from_slice(b"  ");
        self.put(out, style, text);
        out.push(b'\n');
    }

    /// `label  text`, broken at the width of the terminal.
    fn labelled(&self, out: &mut Vec<u8>, style: Style, label: &str, text: &str) {
        out.extend_from_slice(b"  ");
        self.put(out, style, &format!("{label:<12}"));
        out.extend_from_slice(b"  ");
        let text = printable(text.as_bytes());
        self.paint.put_wrapped(out, Style::new(), &text, 16);
    }

    fn unknown(&self, out: &mut Vec<u8>, why: &str) {
        let mut lines = why.lines();
        self.labelled(
            out,
            CAREFUL,
            "cannot tell",
            lines.next().unwrap_or_default(),
        );
        for line in lines {
            out.extend_from_slice(b"    ");
            self.put(out, FAINT, line);
            out.push(b'\n');
        }
    }

    fn compared(&self, out: &mut Vec<u8>, compared: &Compared, verbose: bool) {
        out.push(b'\n');
        self.table(out, &rows(compared));
        if compared.after.is_some() {
            out.push(b'\n');
            for (at, line) in contract(compared).iter().enumerate() {
                self.labelled(out, FAINT, if at == 0 { "contract" } else { "" }, line);
            }
            self.labelled(out, FAINT, "files", &files(compared));
        }
        if verbose {
            self.details(out, compared);
        }
        for remark in &compared.comparison.remarks {
            self.labelled(out, FAINT, "remark", remark);
        }
        if !compared.comparison.faults.is_empty() {
            out.push(b'\n');
        }
        for fault in &compared.comparison.faults {
            self.fault(out, fault);
        }
        for line in compared.log.lines() {
            out.extend_from_slice(b"    ");
            self.put(out, FAINT, line);
            out.push(b'\n');
        }
        for (at, line) in blame(compared).iter().enumerate() {
            self.labelled(out, CAREFUL, if at == 0 { "blame" } else { "" }, line);
        }
        if let Some(why) = &compared.comparison.unproved {
            self.labelled(out, CAREFUL, "unproved", why);
        }
        let kept: Vec<&str> = [Some(&compared.before), compared.after.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|image| image.kept.as_deref())
            .collect();
        if !kept.is_empty() {
            self.labelled(out, FAINT, "kept", &kept.join(", "));
        }
        out.push(b'\n');
        let style = match compared.comparison.faults.is_empty() {
            true if compared.comparison.unproved.is_some() => CAREFUL,
            true => GOOD,
            false => BAD,
        };
        self.line(out, style, &verdict(compared));
    }

    fn fault(&self, out: &mut Vec<u8>, fault: &Fault) {
        let text = match fault.remedy.is_empty() {
            true => fault.message.clone(),
            false => format!("{} → {}", fault.message, fault.remedy),
        };
        self.labelled(out, BAD, fault.cause.name(), &text);
    }

    fn table(&self, out: &mut Vec<u8>, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        let width = |cell: fn(&Row) -> &str| {
            rows.iter()
                .map(|row| cell(row).chars().count())
                .max()
                .unwrap_or(0)
        };
        let first = width(|row| &row.what).max(18);
        let second = width(|row| &row.before).clamp(8, WIDEST);
        let third = width(|row| &row.after).clamp(8, WIDEST);
        let head = format!(
            "  {:first$}  {:>second$}  {:>third$}",
            "", "original", "rewrite"
        );
        self.put(out, FAINT, &head);
        out.push(b'\n');
        for row in rows {
            let (before, after) = (fit(&row.before, second), fit(&row.after, third));
            self.put(
                out,
                Style::new(),
                &format!(
                    "  {:first$}  {before:>second$}  {after:>third$}  ",
                    row.what
                ),
            );
            self.put(out, FAINT, &row.remark);
            while out.last() == Some(&b' ') {
                out.pop();
            }
            out.push(b'\n');
        }
    }

    /// Layers by instruction, and where files went.
    fn details(&self, out: &mut Vec<u8>, compared: &Compared) {
        let images = [
            ("original", Some(&compared.before)),
            ("rewrite", compared.after.as_ref()),
        ];
        for (name, image) in images {
            let Some(image) = image else { continue };
            out.push(b'\n');
            self.line(out, FAINT, &format!("layers of the {name}"));
            for layer in &image.contents.layers {
                self.layer(out, layer);
            }
        }
        let removed = &compared.comparison.files.removed;
        if !removed.folders.is_empty() {
            out.push(b'\n');
            self.line(out, FAINT, "removed, by folder");
            for (folder, count, size) in removed.folders.iter().take(10) {
                self.line(
                    out,
                    Style::new(),
                    &format!(
                        "{:>9}  {folder} ({})",
                        bytes(*size),
                        counted(*count as u64, "file")
                    ),
                );
            }
        }
        out.push(b'\n');
    }

    fn layer(&self, out: &mut Vec<u8>, layer: &LayerSize) {
        let registry = layer.compressed.map_or_else(String::new, bytes);
        let room = self
            .paint
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(26));
        let line = format!(
            "{:>9}  {registry:>9}  {}",
            bytes(layer.size),
            fit(&layer.instruction, room.max(24))
        );
        self.line(out, Style::new(), &line);
    }
}

fn row(what: &str, before: String, after: String, remark: String) -> Row {
    Row {
        what: what.to_owned(),
        before,
        after,
        remark,
    }
}

fn dash() -> String {
    "–".to_owned()
}

fn same(same: bool) -> String {
    if same { "the same" } else { "differs" }.to_owned()
}

fn end(ran: &Ran) -> String {
    match &ran.end {
        End::NotStarted(_) => "does not start".to_owned(),
        End::Exited(code) => format!("ends with {code}"),
        End::Running => "until stopped".to_owned(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// How much less, in per cent.
#[expect(
    clippy::cast_precision_loss,
    reason = "sizes of images are below 2^53 bytes"
)]
fn percent(was: u64, is: u64) -> String {
    if was == 0 {
        return String::new();
    }
    let share = 100.0 * (is as f64 / was as f64 - 1.0);
    // A hundredth that is left is not nothing.
    if share < -99.0 && is > 0 {
        format!("{:+.1} %", share.max(-99.9))
    } else {
        format!("{share:+.0} %")
    }
}

/// `text` in at most `room` characters.
fn fit(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_honestly() {
        assert_eq!(percent(1000, 190), "-81 %");
        assert_eq!(percent(1_000_000, 1), "-99.9 %");
        assert_eq!(percent(100, 120), "+20 %");
        assert_eq!(percent(0, 1), "");
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("abcd", 4), "abcd");
    }
}
