//! Runs the pipeline over every file of a folder, checks the invariants, and prints what was found.
//!
//! `cargo run --release --example survey -- FOLDER [--level LEVEL] [--only RULE] [--every N] [--show RULE] [--reasons]`
//!
//! Exits 1 when an invariant is broken.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that prints what it finds"
)]

#[path = "../tests/support/invariants.rs"]
mod invariants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use docker_diet::catalog::Catalog;
use docker_diet::pipeline::plan;
use docker_diet::rules::{Level, RULES, Settings};

#[derive(Default)]
struct Totals {
    files: usize,
    changed: usize,
    refused: usize,
    rewrites: BTreeMap<&'static str, usize>,
    refusals: BTreeMap<(&'static str, String), usize>,
    findings: BTreeMap<(&'static str, String), usize>,
    broken: Vec<String>,
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let Some(folder) = arguments.first().filter(|first| !first.starts_with('-')) else {
        eprintln!(
            "usage: survey FOLDER [--level safe|standard|aggressive] [--only RULE] [--every N] [--show RULE] [--reasons]"
        );
        return std::process::ExitCode::from(2);
    };
    let mut settings = Settings {
        level: match value("--level").as_deref() {
            Some("safe") => Level::Safe,
            Some("aggressive") => Level::Aggressive,
            _ => Level::Standard,
        },
        cache_mounts: true,
        ..Settings::default()
    };
    if let Some(only) = value("--only") {
        for rule in RULES {
            settings
                .rules
                .insert(rule.meta().name.to_owned(), rule.meta().name == only);
        }
    }
    let every: usize = value("--every")
        .and_then(|number| number.parse().ok())
        .unwrap_or(1);
    let show = value("--show");
    let mut files = Vec::new();
    collect(Path::new(folder), &mut files);
    files.sort();
    let files: Vec<PathBuf> = files.into_iter().step_by(every).collect();
    let catalog = Catalog::default();
    let totals = Mutex::new(Totals::default());
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(path, &catalog, &settings, show.as_deref(), &totals);
                }
            });
        }
    });
    let totals = totals
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    report(
        &totals,
        arguments.iter().any(|argument| argument == "--reasons"),
    );
    println!(
        "files={} changed={} refused-by-buildkit={} broken={} seconds={:.1} (invariants included)",
        totals.files,
        totals.changed,
        totals.refused,
        totals.broken.len(),
        start.elapsed().as_secs_f64()
    );
    std::process::ExitCode::from(u8::from(!totals.broken.is_empty()))
}

fn one(
    path: &Path,
    catalog: &Catalog,
    settings: &Settings,
    show: Option<&str>,
    totals: &Mutex<Totals>,
) {
    let Ok(source) = std::fs::read(path) else {
        return;
    };
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let outcome = std::panic::catch_unwind(|| {
        let made = plan(&source, None, catalog, settings, None);
        let broken = invariants::violations(&source, &made, None, catalog, settings);
        (made, broken)
    });
    let mut totals = totals
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    totals.files += 1;
    let (made, broken) = match outcome {
        Ok(outcome) => outcome,
        Err(_) => {
            totals.broken.push(format!("{name}: panic"));
            return;
        }
    };
    totals.refused += usize::from(made.refused.is_some());
    totals.changed += usize::from(made.result != source);
    for rewrite in &made.rewrites {
        *totals.rewrites.entry(rewrite.rule.name).or_default() += 1;
    }
    for refusal in &made.refusals {
        *totals
            .refusals
            .entry((refusal.rule.name, shape(&refusal.reason)))
            .or_default() += 1;
    }
    for finding in &made.findings {
        *totals
            .findings
            .entry((finding.rule.name, shape(&finding.message)))
            .or_default() += 1;
    }
    totals.broken.extend(
        made.notes
            .iter()
            .filter(|note| note.contains("withdrawn"))
            .map(|note| format!("{name}: {note}")),
    );
    totals
        .broken
        .extend(broken.into_iter().map(|why| format!("{name}: {why}")));
    if show.is_some_and(|show| {
        made.rewrites
            .iter()
            .any(|rewrite| show == "all" || rewrite.rule.name == show)
    }) {
        print_change(&name, &source, &made.result);
    }
}

fn print_change(name: &str, before: &[u8], after: &[u8]) {
    let (before, after) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after),
    );
    let diff = similar::TextDiff::from_lines(before.as_ref(), after.as_ref());
    println!("=== {name}");
    print!("{}", diff.unified_diff().context_radius(2));
}

/// A reason without what differs from file to file: numbers and quoted text.
fn shape(reason: &str) -> String {
    let mut out = String::new();
    for (at, part) in reason.split('`').enumerate() {
        if at % 2 == 1 {
            out.push_str("`…`");
        } else {
            out.extend(
                part.chars()
                    .map(|letter| if letter.is_ascii_digit() { '#' } else { letter }),
            );
        }
    }
    out
}

fn report(totals: &Totals, reasons: bool) {
    for line in totals.broken.iter().take(40) {
        println!("BROKEN {line}");
    }
    for (rule, count) in &totals.rewrites {
        println!("rewrites {count:>7}  {rule}");
    }
    if reasons {
        for (kind, map) in [
            ("refusals", &totals.refusals),
            ("findings", &totals.findings),
        ] {
            let mut rows: Vec<_> = map.iter().collect();
            rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            for ((rule, reason), count) in rows {
                println!("{kind} {count:>7}  {rule}: {reason}");
            }
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
