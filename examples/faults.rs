//! Builds results of docker-diet that were broken on purpose, and says whether `verify` finds each, with its cause; the
//! results themselves must give no alarm.
//!
//! `cargo run --release --example faults -- [SAMPLE…] [--right]`
//!
//! Without names all samples with a seeded fault; `--right` takes the named samples for results that are right and have no
//! fault. Exits 1 when a fault is missed, is named otherwise, or a right result gives an alarm; 2 without an engine.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that prints what it finds"
)]

#[path = "../tests/support/expect.rs"]
#[expect(dead_code, reason = "what only the image test asks for")]
mod expect;
#[path = "faults/seeded.rs"]
mod seeded;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use docker_diet::build::verify::{
    Examined, Fault, Promise, Seen, Subject, build_fault, compare, examine,
};
use docker_diet::build::{BuildError, Builder, Scratch};
use docker_diet::catalog::Catalog;
use docker_diet::cli::snapshot::snapshot;
use docker_diet::model::Model;
use docker_diet::pipeline::{Plan, plan};
use docker_diet::syntax::Dockerfile;

use expect::Expect;
use seeded::{SEEDED, Seeded};

/// A sample, its original built, and what docker-diet makes of it.
struct Tried {
    scratch: Scratch,
    context: PathBuf,
    expect: Expect,
    plan: Plan,
    promise: Promise,
    before: Examined,
}

/// Counts.
#[derive(Default)]
struct Score {
    found: usize,
    by_image: usize,
    missed: usize,
    right: usize,
    alarms: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let right_only = arguments.iter().any(|argument| argument == "--right");
    let named: BTreeSet<&str> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .map(String::as_str)
        .collect();
    let samples: BTreeSet<&str> = match named.is_empty() {
        true => SEEDED.iter().map(|seeded| seeded.sample).collect(),
        false => named,
    };
    let builder = match Builder::find() {
        Ok(builder) => builder,
        Err(error) => {
            eprintln!("faults: {error}");
            return ExitCode::from(2);
        }
    };
    let mut score = Score::default();
    for sample in samples {
        if let Err(error) = try_sample(&builder, sample, right_only, &mut score) {
            eprintln!("faults: {sample}: {error}");
            return ExitCode::from(2);
        }
    }
    println!(
        "\n{} faults: {} found with their cause, {} of them by the images alone, {} missed or named otherwise; \
         {} right results: {} false alarms",
        score.found + score.missed,
        score.found,
        score.by_image,
        score.missed,
        score.right,
        score.alarms
    );
    ExitCode::from(u8::from(score.missed + score.alarms > 0))
}

fn try_sample(
    builder: &Builder,
    sample: &str,
    right_only: bool,
    score: &mut Score,
) -> Result<(), BuildError> {
    eprintln!("faults: {sample}");
    let tried = Tried::new(builder, sample)?;
    let faults = tried.faults(builder, &tried.plan.result)?;
    score.right += 1;
    score.alarms += usize::from(!faults.is_empty());
    report(sample, "the result itself", &faults, faults.is_empty());
    if right_only {
        return Ok(());
    }
    for seeded in SEEDED.iter().filter(|seeded| seeded.sample == sample) {
        let faults = tried.faults(builder, &broken(&tried.plan.result, seeded))?;
        let fits = |fault: &Fault| {
            fault.cause.name() == seeded.cause && fault.message.contains(seeded.says)
        };
        let found = faults.iter().find(|fault| fits(fault));
        // What is named first is what people read.
        let good = faults.first().is_some_and(fits);
        report(sample, seeded.what, &faults, good);
        if good {
            score.found += 1;
            score.by_image += usize::from(found.is_some_and(|fault| fault.seen == Seen::Image));
        } else {
            score.missed += 1;
        }
    }
    Ok(())
}

fn report(sample: &str, what: &str, faults: &[Fault], good: bool) {
    println!(
        "{} {sample}: {what}",
        if good { "ok    " } else { "WRONG " }
    );
    for fault in faults {
        println!("         {} ({})", fault, fault.seen.name());
    }
}

fn broken(result: &[u8], seeded: &Seeded) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(result).into_owned();
    for (from, to) in seeded.edits {
        let (sample, what) = (seeded.sample, seeded.what);
        assert!(
            text.contains(from),
            "{sample}, {what}: the result has no {from:?}:\n{text}"
        );
        text = text.replacen(from, to, 1);
    }
    text.into_bytes()
}

impl Tried {
    fn new(builder: &Builder, sample: &str) -> Result<Self, BuildError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("samples")
            .join(sample);
        let expect = Expect::read(&folder);
        let scratch = Scratch::new()?;
        let context = expect::context(&scratch, &folder, "context")?;
        let dockerfile = context.join("Dockerfile");
        let source = std::fs::read(&dockerfile).expect("a sample has a Dockerfile");
        let files = snapshot(&context, &dockerfile).expect("a sample is readable");
        let catalog = Catalog::default();
        let plan = plan(&source, Some(&files), &catalog, &expect.settings(), None);
        let (old, new) = (
            Dockerfile::parse(source),
            Dockerfile::parse(plan.result.clone()),
        );
        let promise = {
            let (old, new) = (
                Model::new(&old, &catalog, &[]),
                Model::new(&new, &catalog, &[]),
            );
            Promise::of(&plan, &old, &new, None)
        };
        let subject = quick(
            expect.subject(context.clone(), dockerfile),
            Duration::from_secs(60),
        );
        let before = examine(builder, &subject, None, false, &mut |_| {})?;
        Ok(Self {
            scratch,
            context,
            expect,
            plan,
            promise,
            before,
        })
    }

    fn faults(&self, builder: &Builder, text: &[u8]) -> Result<Vec<Fault>, BuildError> {
        let ignore = self
            .plan
            .ignore_file
            .as_ref()
            .map(|file| file.after.as_slice());
        let dockerfile = self
            .scratch
            .dockerfile("rewritten.Dockerfile", text, ignore)?;
        let mut subject = self
            .expect
            .subject(self.context.clone(), dockerfile.clone());
        subject.request.ignore =
            ignore.map(|_| dockerfile.with_extension("Dockerfile.dockerignore"));
        let subject = quick(subject, Duration::from_secs(20));
        match examine(builder, &subject, Some(&self.before), false, &mut |_| {}) {
            Ok(after) => Ok(compare(&self.before, &after, &self.promise).faults),
            Err(error) => build_fault(&error).map(|fault| vec![fault]).ok_or(error),
        }
    }
}

/// Without the second build, and with no more patience than it takes.
fn quick(mut subject: Subject, wait: Duration) -> Subject {
    subject.edit = None;
    if let Some(trial) = &mut subject.trial {
        trial.wait = trial.wait.min(wait);
    }
    subject
}
