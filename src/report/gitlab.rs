//! GitLab's code quality report: a JSON array that a merge request shows beside the lines.

use serde::Serialize;

use super::located::{Located, Names, slashed, slashed_text};
use super::printable;
use super::size::bytes;
use crate::pipeline::RewriteId;
use crate::text::Fnv1a;

/// Appends the entries of one file, a comma before each: rewrites, findings, and what failed.
pub fn file(out: &mut Vec<u8>, located: &Located<'_>) {
    let plan = located.report.plan;
    let path = slashed_text(located.path);
    let mut put = |name: &RewriteId, lines: (usize, usize), severity, text: &str| {
        let entry = Entry {
            description: printable(text.as_bytes()).into_owned(),
            check_name: name.rule.clone(),
            fingerprint: fingerprint(located, name),
            severity,
            location: Location {
                path: &path,
                lines: Lines {
                    begin: lines.0,
                    end: lines.1,
                },
            },
        };
        out.extend_from_slice(b",\n");
        serde_json::to_writer(&mut *out, &entry)
            .expect("plain structures have a JSON form and a Vec takes any byte");
    };
    for rewrite in &plan.rewrites {
        let text = match rewrite.saves.image.saturating_add(rewrite.saves.context) {
            0 => rewrite.reason.clone(),
            saves => format!("{} (at least {})", rewrite.reason, bytes(saves)),
        };
        put(&rewrite.id, rewrite.lines, "minor", &text);
    }
    let mut names = Names::new(located.source);
    for finding in &plan.findings {
        let name = names.name("finding", finding.rule.name, finding.lines);
        let text = match finding.remedy.as_str() {
            "" => finding.message.clone(),
            remedy => format!("{} → {remedy}", finding.message),
        };
        put(&name, finding.lines, "info", &text);
    }
    let failed = |rule: &str| RewriteId {
        rule: rule.to_owned(),
        hash: 0,
        ordinal: 0,
    };
    if let Some(refused) = &plan.refused {
        let text = format!("left alone, BuildKit refuses it: {refused}");
        put(&failed("refused"), (1, 1), "major", &text);
    }
    if let Some(error) = located.report.error {
        put(&failed("error"), (1, 1), "major", error);
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

/// What GitLab compares between two branches: the same while neither the path nor the instruction changes.
fn fingerprint(located: &Located<'_>, name: &RewriteId) -> String {
    let mut path = Fnv1a::default();
    path.write(&slashed(located.path));
    let mut id = Fnv1a::default();
    id.write(name.to_string().as_bytes());
    format!("{:016x}{:016x}", path.finish(), id.finish())
}
