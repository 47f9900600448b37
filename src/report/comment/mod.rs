//! The comment in a pull request, and the body of one: Markdown for a forge.
//!
//! What comes from the repository is code or escaped; diffs stand in fences longer than any of their lines' own. What
//! does not fit is left out by whole diffs, tables and files, and said.

mod escape;
mod fit;

use super::diff::{Destination, FileDiff, unified};
use super::located::{Located, slashed_text};
use super::size::{bytes, counted};
use super::{Paint, Tense, Totals};
use crate::pipeline::Plan;
use escape::{code, entities, prose};
use fit::Part;

/// The most characters that GitHub takes in a body or a comment. GitLab and Forgejo take more.
pub const LIMIT: usize = 65_536;

/// The first line of [`comment`]: by it the next run finds its comment and replaces it.
pub const MARKER: &str = "<!-- docker-diet: comment -->";

/// What `verify` measured of one Dockerfile, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Bytes of the image on disk.
    pub image: (u64, u64),
    /// Layers of the image.
    pub layers: (usize, usize),
    /// Seconds of a build after a source was edited, where that was tried.
    pub rebuild: Option<(f64, f64)>,
    /// Whether the two images behave the same.
    pub same: bool,
    /// What was compared, or where they differ: one sentence.
    pub note: String,
}

/// What there is to say about one Dockerfile.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its path, as code.
    heading: String,
    parts: Vec<Part>,
}

impl Section {
    /// What `located` and `measured` say; none when there is nothing to say.
    #[must_use]
    pub fn new(located: &Located<'_>, measured: Option<&Measured>) -> Option<Self> {
        let report = &located.report;
        let plan = report.plan;
        let path = slashed_text(located.path);
        let mut parts = Vec::new();
        if let Some(error) = report.error {
            parts.push(Part::whole(format!("Error: {}\n", prose(error))));
        }
        if let Some(refused) = &plan.refused {
            let why = format!("Left alone, BuildKit refuses it: {}\n", prose(refused));
            parts.push(Part::whole(why));
        }
        parts.extend(measured.map(|measured| Part::whole(figures(measured))));
        parts.extend(rewrites(plan));
        parts.extend(ignore_file(plan));
        parts.extend(diff(located, &path));
        parts.extend(refusals(plan));
        parts.extend(findings(plan));
        parts.extend(notes(plan));
        (!parts.is_empty()).then(|| Self {
            heading: format!("#### {}\n", code(&path)),
            parts,
        })
    }
}

/// The comment: marker, sums, sections; at most `limit` bytes.
#[must_use]
pub fn comment(sections: Vec<Section>, totals: &Totals, tense: Tense, limit: usize) -> String {
    let line = totals.line(tense);
    let mut head = format!("{MARKER}\n### docker-diet: {line}\n");
    if totals.saves().image > 0 {
        head.push_str(
            "\nSizes of images are estimates from the catalog; `docker-diet verify` measures them.\n",
        );
    }
    let tail = match (totals.changes_anything(), tense) {
        (true, Tense::Possible) => {
            "\n<sub>`docker-diet fix` applies all of it; `docker-diet explain REWRITE` says why. \
             A comment `# docker-diet: ignore=REWRITE` above an instruction keeps it as it is.</sub>\n"
        }
        _ => "",
    };
    let room = limit.saturating_sub(head.len() + tail.len());
    head.push_str(&body(sections, room));
    head.push_str(tail);
    head
}

/// The sections alone, each under its heading; at most `limit` bytes.
#[must_use]
pub fn body(sections: Vec<Section>, limit: usize) -> String {
    fit::fit(sections, limit)
}

fn figures(measured: &Measured) -> String {
    let (before, after) = measured.image;
    let mut text = String::from("| measured | before | after | |\n|---|---:|---:|---:|\n");
    text.push_str(&format!(
        "| image | {} | {} | {} |\n",
        bytes(before),
        bytes(after),
        percent(before as f64, after as f64)
    ));
    let (before, after) = measured.layers;
    text.push_str(&format!("| layers | {before} | {after} | |\n"));
    if let Some((before, after)) = measured.rebuild {
        text.push_str(&format!(
            "| built again after an edit | {before:.1} s | {after:.1} s | {} |\n",
            percent(before, after)
        ));
    }
    let verdict = if measured.same {
        "Behaves the same"
    } else {
        "Differs"
    };
    text.push_str(&format!("\n{verdict}: {}\n", prose(&measured.note)));
    text
}

/// `-81 %`; empty where there is nothing to compare.
fn percent(before: f64, after: f64) -> String {
    if before <= 0.0 {
        return String::new();
    }
    format!("{:+.0} %", (after - before) / before * 100.0)
}

fn rewrites(plan: &Plan) -> Option<Part> {
    let mut rows: Vec<_> = plan.rewrites.iter().collect();
    rows.sort_by_key(|row| row.lines);
    let mut text = String::from(
        "| line | rewrite | level | what it does | at least |\n|---:|---|---|---|---:|\n",
    );
    let mut names: Vec<String> = Vec::new();
    for row in &rows {
        let saves = match (row.saves.image, row.saves.context) {
            (0, 0) => String::new(),
            (0, context) => format!("{} of the context", bytes(context)),
            (image, _) => bytes(image),
        };
        text.push_str(&format!(
            "| {} | `{}` | {} | {} | {saves} |\n",
            row.lines.0,
            row.rule.name,
            row.rule.level.name(),
            prose(&row.reason),
        ));
        let name = format!("`{}`", row.rule.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let count = counted(rows.len() as u64, "rewrite");
    let short = format!("{count}: {}\n", names.join(", "));
    (!rows.is_empty()).then(|| Part::table(text, short))
}

fn ignore_file(plan: &Plan) -> Option<Part> {
    let file = plan.ignore_file.as_ref()?;
    let (before, after) = (file.context_before, file.context_after);
    Some(Part::whole(format!(
        "{} in {}: the build context goes from {} in {} to {} in {}.\n",
        counted(file.added.len() as u64, "line"),
        code(&file.path),
        bytes(before.1),
        counted(before.0, "file"),
        bytes(after.1),
        counted(after.0, "file"),
    )))
}

fn diff(located: &Located<'_>, path: &str) -> Option<Part> {
    let plan = located.report.plan;
    if !plan.changes_anything() {
        return None;
    }
    let mut out = Vec::new();
    let mut show = |path, before, after| {
        let file = FileDiff {
            path,
            before,
            after,
        };
        unified(&mut out, &file, Destination::Terminal, Paint::default());
    };
    if let (Some(path), Some(file)) = (located.ignore_path, &plan.ignore_file) {
        show(path, file.before.as_deref(), &file.after);
    }
    show(located.path, Some(located.source), &plan.result);
    let diff = String::from_utf8_lossy(&out);
    let lines = diff.lines().count() as u64;
    let fence = "`".repeat(longest_run(&diff, '`').max(2) + 1);
    let text = format!(
        "<details><summary>Diff of <code>{}</code></summary>\n\n{fence}diff\n{diff}{fence}\n\n</details>\n",
        entities(path)
    );
    let short = format!(
        "The diff of {} is too long for this comment: `docker-diet fix --diff` prints it.\n",
        counted(lines, "line")
    );
    Some(Part::diff(text, short))
}

/// The length of the longest run of `char`.
fn longest_run(text: &str, char: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for other in text.chars() {
        run = if other == char { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn refusals(plan: &Plan) -> Option<Part> {
    let rows = plan
        .refusals
        .iter()
        .map(|row| (row.lines.0, row.rule.name, &row.reason, &row.remedy));
    let heads = ["why it stays", "what would lift that"];
    remarks("Left as it is", heads, rows.collect()).map(|(text, short)| Part::refusals(text, short))
}

fn findings(plan: &Plan) -> Option<Part> {
    let rows = plan
        .findings
        .iter()
        .map(|row| (row.lines.0, row.rule.name, &row.message, &row.remedy));
    let heads = ["what", "what to do"];
    remarks("Worth knowing", heads, rows.collect()).map(|(text, short)| Part::findings(text, short))
}

type Remark<'a> = (usize, &'static str, &'a String, &'a String);

/// A folded table, and what stands for it where it does not fit.
fn remarks(title: &str, heads: [&str; 2], mut rows: Vec<Remark<'_>>) -> Option<(String, String)> {
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|row| row.0);
    let [reason, remedy] = heads;
    let mut text = format!(
        "<details><summary>{title}: {}</summary>\n\n| line | rewrite | {reason} | {remedy} |\n|---:|---|---|---|\n",
        rows.len()
    );
    for (line, rule, reason, remedy) in &rows {
        text.push_str(&format!(
            "| {line} | `{rule}` | {} | {} |\n",
            prose(reason),
            prose(remedy)
        ));
    }
    text.push_str("\n</details>\n");
    Some((
        text,
        format!("{title}: {}; `docker-diet check` lists them.\n", rows.len()),
    ))
}

fn notes(plan: &Plan) -> Option<Part> {
    let lines: String = plan
        .notes
        .iter()
        .map(|note| format!("- {}\n", prose(note)))
        .collect();
    (!lines.is_empty()).then(|| Part::whole(lines))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::FileReport;

    fn section(plan: &Plan, measured: Option<&Measured>) -> Option<Section> {
        let path = Path::new("a`|b/Dockerfile");
        let report = FileReport {
            path,
            plan,
            error: None,
        };
        let located = Located {
            report,
            path,
            ignore_path: None,
            source: b"",
        };
        Section::new(&located, measured)
    }

    #[test]
    fn what_was_measured_is_shown() {
        let measured = Measured {
            image: (984_000_000, 187_000_000),
            layers: (14, 9),
            rebuild: Some((31.8, 2.4)),
            same: true,
            note: "start, answer on port 8000, stop <b>".to_owned(),
        };
        let section = section(&Plan::default(), Some(&measured)).expect("there is something");
        assert_eq!(
            body(vec![section], LIMIT),
            "\n#### <code>a&#96;&#124;b/Dockerfile</code>\n\
             \n| measured | before | after | |\n|---|---:|---:|---:|\n\
             | image | 984 MB | 187 MB | -81 % |\n| layers | 14 | 9 | |\n\
             | built again after an edit | 31.8 s | 2.4 s | -92 % |\n\
             \nBehaves the same: start, answer on port 8000, stop `<b>`\n"
        );
    }

    #[test]
    fn nothing_to_say_is_no_section() {
        assert!(section(&Plan::default(), None).is_none());
        let empty = comment(Vec::new(), &Totals::default(), Tense::Possible, LIMIT);
        assert_eq!(
            empty,
            format!("{MARKER}\n### docker-diet: nothing to do in 0 files\n")
        );
    }
}
