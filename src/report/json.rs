//! The report for programs. `plan.schema.json` describes it; [`VERSION`] changes when a reader would notice.

use serde::Serialize;

use super::{FileReport, Totals};
use crate::pipeline::{IgnoreFile, Plan};
use crate::rules::{Change, Estimate, IgnoreLine};
use crate::text::Hunk;

/// Version of the format.
pub const VERSION: u32 = 1;

/// Appends what comes before the files.
pub fn begin(out: &mut Vec<u8>) {
    let tool = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    out.extend_from_slice(
        format!("{{\"version\":{VERSION},\"tool\":\"{tool}\",\"files\":[").as_bytes(),
    );
}

/// Appends one file and the comma before it, which the first one of a report goes without.
pub fn file(out: &mut Vec<u8>, report: &FileReport<'_>, written: bool) {
    out.extend_from_slice(
        b",
",
    );
    write(out, &File::new(report, written));
}

/// Appends what comes after the files.
pub fn end(out: &mut Vec<u8>, totals: &Totals) {
    out.extend_from_slice(b"\n],\"totals\":");
    let saves = totals.saves();
    write(
        out,
        &TotalsJson {
            files: totals.files,
            changed: totals.changed,
            ignore_files: totals.ignore_files,
            failed: totals.failed,
            rewrites: totals.rewrites(),
            refusals: totals.refusals(),
            findings: totals.findings(),
            saves: saves.into(),
        },
    );
    out.extend_from_slice(b"}\n");
}

fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value)
        .expect("plain structures have a JSON form and a Vec takes any byte");
}

#[derive(Serialize)]
struct TotalsJson {
    files: u64,
    changed: u64,
    ignore_files: u64,
    failed: u64,
    rewrites: u64,
    refusals: u64,
    findings: u64,
    saves: Saves,
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    status: &'static str,
    error: Option<&'a str>,
    /// Why BuildKit refuses the file.
    refused: Option<&'a str>,
    rewrites: Vec<RewriteJson<'a>>,
    refusals: Vec<Remark<'a>>,
    findings: Vec<Remark<'a>>,
    edits: Vec<EditJson<'a>>,
    ignore_file: Option<IgnoreFileJson<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct RewriteJson<'a> {
    id: String,
    rule: &'static str,
    level: &'static str,
    component: usize,
    lines: [usize; 2],
    reason: &'a str,
    saves: Saves,
    changes: Vec<&'static str>,
    ignore: Vec<IgnoreLineJson<'a>>,
}

/// A refusal or a finding.
#[derive(Serialize)]
struct Remark<'a> {
    rule: &'static str,
    lines: [usize; 2],
    reason: &'a str,
    remedy: &'a str,
}

#[derive(Serialize)]
struct EditJson<'a> {
    start: usize,
    end: usize,
    #[serde(flatten)]
    text: Text<'a>,
    /// Indices into `rewrites`.
    rewrites: &'a [usize],
}

/// Text where it is UTF-8, else its bytes.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Text<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

#[derive(Serialize)]
struct Saves {
    image_bytes: u64,
    context_bytes: u64,
}

#[derive(Serialize)]
struct IgnoreFileJson<'a> {
    path: &'a str,
    new: bool,
    added: Vec<IgnoreLineJson<'a>>,
    context_before: ContextSize,
    context_after: ContextSize,
}

#[derive(Serialize)]
struct IgnoreLineJson<'a> {
    pattern: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct ContextSize {
    files: u64,
    bytes: u64,
}

impl<'a> File<'a> {
    fn new(report: &FileReport<'a>, written: bool) -> Self {
        let plan = report.plan;
        Self {
            path: report.path.to_string_lossy().into_owned(),
            status: status(report, written),
            error: report.error,
            refused: plan.refused.as_deref(),
            rewrites: rewrites(plan),
            refusals: (plan.refusals.iter())
                .map(|refusal| Remark {
                    rule: refusal.rule.name,
                    lines: refusal.lines.into(),
                    reason: &refusal.reason,
                    remedy: &refusal.remedy,
                })
                .collect(),
            findings: (plan.findings.iter())
                .map(|finding| Remark {
                    rule: finding.rule.name,
                    lines: finding.lines.into(),
                    reason: &finding.message,
                    remedy: &finding.remedy,
                })
                .collect(),
            edits: plan.hunks.iter().map(EditJson::from).collect(),
            ignore_file: plan.ignore_file.as_ref().map(IgnoreFileJson::from),
            notes: &plan.notes,
        }
    }
}

fn status(report: &FileReport<'_>, written: bool) -> &'static str {
    if report.error.is_some() {
        "error"
    } else if report.plan.refused.is_some() {
        "refused"
    } else if !report.plan.changes_anything() {
        "unchanged"
    } else if written {
        "rewritten"
    } else {
        "rewritable"
    }
}

fn rewrites(plan: &Plan) -> Vec<RewriteJson<'_>> {
    plan.rewrites
        .iter()
        .map(|rewrite| RewriteJson {
            id: rewrite.id.to_string(),
            rule: rewrite.rule.name,
            level: rewrite.rule.level.name(),
            component: rewrite.component,
            lines: rewrite.lines.into(),
            reason: &rewrite.reason,
            saves: rewrite.saves.into(),
            changes: rewrite
                .changes
                .iter()
                .map(|change| change_name(*change))
                .collect(),
            ignore: rewrite.ignore.iter().map(IgnoreLineJson::from).collect(),
        })
        .collect()
}

fn change_name(change: Change) -> &'static str {
    match change {
        Change::Cmd => "cmd",
        Change::Entrypoint => "entrypoint",
        Change::Env => "env",
        Change::User => "user",
        Change::Workdir => "workdir",
        Change::Labels => "labels",
        Change::Ports => "ports",
        Change::Volumes => "volumes",
        Change::Healthcheck => "healthcheck",
        Change::StopSignal => "stop-signal",
        Change::Shell => "shell",
    }
}

impl From<Estimate> for Saves {
    fn from(saves: Estimate) -> Self {
        Self {
            image_bytes: saves.image,
            context_bytes: saves.context,
        }
    }
}

impl<'a> From<&'a Hunk> for EditJson<'a> {
    fn from(hunk: &'a Hunk) -> Self {
        Self {
            start: hunk.edit.span.start,
            end: hunk.edit.span.end,
            text: match std::str::from_utf8(&hunk.edit.text) {
                Ok(text) => Text::Text(text),
                Err(_) => Text::Bytes(&hunk.edit.text),
            },
            rewrites: &hunk.owners,
        }
    }
}

impl<'a> From<&'a IgnoreLine> for IgnoreLineJson<'a> {
    fn from(line: &'a IgnoreLine) -> Self {
        Self {
            pattern: &line.pattern,
            reason: &line.reason,
        }
    }
}

impl<'a> From<&'a IgnoreFile> for IgnoreFileJson<'a> {
    fn from(file: &'a IgnoreFile) -> Self {
        let size = |(files, bytes)| ContextSize { files, bytes };
        Self {
            path: &file.path,
            new: file.before.is_none(),
            added: file.added.iter().map(IgnoreLineJson::from).collect(),
            context_before: size(file.context_before),
            context_after: size(file.context_after),
        }
    }
}
