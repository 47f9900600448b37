//! What a user sees of a plan, as text for a snapshot.

use std::fmt::Write as _;

use docker_diet::pipeline::Plan;
use docker_diet::rules::Estimate;
use similar::TextDiff;

/// The diff, then rewrites, refusals, findings and notes.
pub(crate) fn picture(source: &[u8], made: &Plan) -> String {
    let mut out = diff("Dockerfile", source, &made.result);
    if let Some(file) = &made.ignore_file {
        let before = file.before.as_deref().unwrap_or_default();
        out.push_str(&diff(&file.path, before, &file.after));
    }
    if out.is_empty() {
        out.push_str("(unchanged)\n");
    }
    out.push('\n');
    for rewrite in &made.rewrites {
        let place = lines(rewrite.lines);
        line(
            &mut out,
            format_args!(
                "rewrite {} {place}: {}{}",
                rewrite.rule.name,
                rewrite.reason,
                saves(rewrite.saves)
            ),
        );
        if !rewrite.changes.is_empty() {
            line(&mut out, format_args!("  declares {:?}", rewrite.changes));
        }
        for ignore in &rewrite.ignore {
            line(
                &mut out,
                format_args!("  ignores {}: {}", ignore.pattern, ignore.reason),
            );
        }
    }
    for refusal in &made.refusals {
        let place = lines(refusal.lines);
        line(
            &mut out,
            format_args!("refusal {} {place}: {}", refusal.rule.name, refusal.reason),
        );
        remedy(&mut out, &refusal.remedy);
    }
    for finding in &made.findings {
        let place = lines(finding.lines);
        line(
            &mut out,
            format_args!("finding {} {place}: {}", finding.rule.name, finding.message),
        );
        remedy(&mut out, &finding.remedy);
    }
    for note in &made.notes {
        line(&mut out, format_args!("note: {note}"));
    }
    if let Some(refused) = &made.refused {
        line(&mut out, format_args!("refused by BuildKit: {refused}"));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string does not fail");
}

fn remedy(out: &mut String, remedy: &str) {
    if !remedy.is_empty() {
        line(out, format_args!("  remedy: {remedy}"));
    }
}

fn lines((first, last): (usize, usize)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

fn saves(estimate: Estimate) -> String {
    match estimate {
        Estimate {
            image: 0,
            context: 0,
        } => String::new(),
        Estimate { image, context: 0 } => format!(" [image -{image}]"),
        Estimate { image: 0, context } => format!(" [context -{context}]"),
        Estimate { image, context } => format!(" [image -{image}, context -{context}]"),
    }
}

/// A unified diff in which what an editor would hide is visible: carriage returns and bytes that are no UTF-8.
fn diff(path: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (visible(before), visible(after));
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(3)
        .header(path, path)
        .to_string()
}

fn visible(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace('\r', "␍"));
        for byte in chunk.invalid() {
            let _ = write!(out, "<{byte:02x}>");
        }
    }
    out
}
