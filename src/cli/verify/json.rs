//! The report of `verify` for programs. `verify.schema.json` describes it.

use serde::Serialize;

use super::text::verdict;
use super::{Compared, Outcome, Report, Written};
use crate::build::verify::{Changed, End, Examined, Ran, title};

/// Version of the format; it changes when a reader would notice.
const VERSION: u32 = 1;

/// Appends one Dockerfile; the `first` one comes with what stands before it.
pub(super) fn report(out: &mut Vec<u8>, report: &Report, first: bool) {
    begin(out, first);
    let mut file = File {
        path: report.path.display().to_string(),
        verdict: "same",
        summary: String::new(),
        original: None,
        rewrite: None,
        contract: Vec::new(),
        files: None,
        faults: Vec::new(),
        remarks: Vec::new(),
        unproved: None,
        blame: None,
        written: None,
        notes: &report.notes,
    };
    match &report.outcome {
        Outcome::Nothing => {
            file.verdict = "nothing-to-do";
            file.summary = "nothing to rewrite, so nothing was built".to_owned();
        }
        Outcome::Unknown(why) => {
            file.verdict = "unknown";
            file.summary.clone_from(why);
        }
        Outcome::Compared(compared) => file.compared(compared),
    }
    write(out, &file);
}

/// Appends what comes after the files.
pub(super) fn end(out: &mut Vec<u8>, empty: bool) {
    if empty {
        begin(out, true);
    }
    out.extend_from_slice(b"\n]}\n");
}

fn begin(out: &mut Vec<u8>, first: bool) {
    if first {
        let tool = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
        let head = format!("{{\"version\":{VERSION},\"tool\":\"{tool}\",\"files\":[\n");
        out.extend_from_slice(head.as_bytes());
    } else {
        out.extend_from_slice(b",\n");
    }
}

fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value)
        .expect("plain structures have a JSON form and a Vec takes any byte");
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    /// `same`, `unproved`, `broken`, `unknown` or `nothing-to-do`.
    verdict: &'static str,
    summary: String,
    original: Option<Image<'a>>,
    rewrite: Option<Image<'a>>,
    contract: Vec<Field<'a>>,
    files: Option<Files<'a>>,
    faults: Vec<Fault<'a>>,
    remarks: Vec<&'a str>,
    unproved: Option<&'a str>,
    blame: Option<Blame<'a>>,
    /// `all`, `part` or `nothing`, by `fix --verify`.
    written: Option<&'static str>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Image<'a> {
    id: &'a str,
    platform: &'a str,
    /// Bytes, uncompressed.
    size: u64,
    /// Bytes in a registry.
    compressed: Option<u64>,
    layers: Vec<Layer<'a>>,
    build_seconds: f64,
    rebuild: Option<Rebuild>,
    run: Option<Run<'a>>,
    /// The name under which the engine keeps it.
    kept: Option<&'a str>,
}

#[derive(Serialize)]
struct Layer<'a> {
    instruction: &'a str,
    size: u64,
    compressed: Option<u64>,
}

#[derive(Serialize)]
struct Rebuild {
    seconds: f64,
    steps: usize,
    reused: usize,
}

#[derive(Serialize)]
struct Run<'a> {
    /// `not-started`, `exited` or `running`.
    end: &'static str,
    exit_code: Option<i32>,
    /// Why it did not start.
    error: Option<&'a str>,
    /// Until the first answer, or the end.
    seconds: Option<f64>,
    answers: Vec<Answer<'a>>,
    ports: Option<Vec<u16>>,
    user: Option<u32>,
    stop_seconds: Option<f64>,
    killed: Option<bool>,
    /// The last lines that it wrote.
    log: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    asked: &'a str,
    answer: String,
}

#[derive(Serialize)]
struct Field<'a> {
    field: &'static str,
    original: &'a str,
    rewrite: &'a str,
    /// `same`, `declared`, `base` or `broken`.
    verdict: &'static str,
}

#[derive(Serialize)]
struct Files<'a> {
    added: FileList<'a>,
    removed: FileList<'a>,
    changed: FileList<'a>,
}

#[derive(Serialize)]
struct FileList<'a> {
    count: usize,
    size: u64,
    /// The application's first, then the largest; 200 at most.
    files: Vec<SizedPath<'a>>,
}

#[derive(Serialize)]
struct SizedPath<'a> {
    path: &'a str,
    size: u64,
}

#[derive(Serialize)]
struct Fault<'a> {
    cause: &'static str,
    message: &'a str,
    remedy: &'a str,
    /// `build`, `image` or `run`.
    seen: &'static str,
}

#[derive(Serialize)]
struct Blame<'a> {
    rewrites: Vec<String>,
    proved: bool,
    builds: usize,
    /// What is wrong with them.
    faults: Vec<&'a str>,
    /// The rewrites that pass without them.
    passing: Vec<String>,
}

impl<'a> File<'a> {
    fn compared(&mut self, compared: &'a Compared) {
        let comparison = &compared.comparison;
        self.verdict = match (comparison.faults.is_empty(), &comparison.unproved) {
            (false, _) => "broken",
            (true, Some(_)) => "unproved",
            (true, None) => "same",
        };
        self.summary = verdict(compared);
        self.original = Some(image(&compared.before));
        self.rewrite = compared.after.as_ref().map(image);
        self.contract = comparison
            .fields
            .iter()
            .map(|field| Field {
                field: title(field.field),
                original: &field.before,
                rewrite: &field.after,
                verdict: field.verdict.name(),
            })
            .collect();
        self.files = compared.after.as_ref().map(|_| Files {
            added: list(&comparison.files.added),
            removed: list(&comparison.files.removed),
            changed: list(&comparison.files.changed),
        });
        self.faults = comparison
            .faults
            .iter()
            .map(|fault| Fault {
                cause: fault.cause.name(),
                message: &fault.message,
                remedy: &fault.remedy,
                seen: fault.seen.name(),
            })
            .collect();
        self.remarks = comparison.remarks.iter().map(String::as_str).collect();
        self.unproved = comparison.unproved.as_deref();
        self.blame = compared.blame.as_ref().map(|blame| Blame {
            rewrites: blame.culprits.iter().map(ToString::to_string).collect(),
            proved: blame.proved,
            builds: blame.builds,
            faults: blame
                .faults
                .iter()
                .map(|fault| fault.message.as_str())
                .collect(),
            passing: blame
                .passing
                .iter()
                .flat_map(|plan| plan.rewrites.iter().map(|rewrite| rewrite.id.to_string()))
                .collect(),
        });
        self.written = compared.written.as_ref().map(|written| match written {
            Written::All => "all",
            Written::Part(_) => "part",
            Written::Nothing => "nothing",
        });
    }
}

fn image(seen: &Examined) -> Image<'_> {
    Image {
        id: &seen.image.id,
        platform: &seen.contents.platform,
        size: seen.size(),
        compressed: seen.contents.compressed(),
        layers: seen
            .contents
            .layers
            .iter()
            .map(|layer| Layer {
                instruction: &layer.instruction,
                size: layer.size,
                compressed: layer.compressed,
            })
            .collect(),
        build_seconds: seen.build.as_secs_f64(),
        rebuild: seen.rebuild.map(|rebuild| Rebuild {
            seconds: rebuild.elapsed.as_secs_f64(),
            steps: rebuild.steps,
            reused: rebuild.reused,
        }),
        run: seen.ran.as_ref().map(run),
        kept: seen.kept.as_deref(),
    }
}

fn run(ran: &Ran) -> Run<'_> {
    let (end, exit_code, error) = match &ran.end {
        End::NotStarted(why) => ("not-started", None, Some(why.as_str())),
        End::Exited(code) => ("exited", Some(*code), None),
        End::Running => ("running", None, None),
    };
    let log = ran.log();
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    Run {
        end,
        exit_code,
        error,
        seconds: ran.elapsed.map(|elapsed| elapsed.as_secs_f64()),
        answers: ran
            .answers
            .iter()
            .map(|answered| Answer {
                asked: &answered.asked,
                answer: answered.answer.short(),
            })
            .collect(),
        ports: ran
            .listening
            .as_ref()
            .map(|ports| ports.iter().copied().collect()),
        user: ran.user_id,
        stop_seconds: ran.stopped.map(|stopped| stopped.elapsed.as_secs_f64()),
        killed: ran.stopped.map(|stopped| stopped.killed),
        log: lines[lines.len().saturating_sub(20)..].to_vec(),
    }
}

fn list(changed: &Changed) -> FileList<'_> {
    FileList {
        count: changed.count,
        size: changed.size,
        files: changed
            .files
            .iter()
            .map(|(path, size)| SizedPath { path, size: *size })
            .collect(),
    }
}
