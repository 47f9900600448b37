//! `verify` and `fix --verify`: what was planned is built, and compared with the original.

mod compose;
mod json;
mod markdown;
mod progress;
mod project;
pub(super) mod settings;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::args::{BuildArgs, BuilderArg, FixArgs, Format, VerifyArgs, VerifyFormat};
use super::output::Output;
use super::rendering::Style;
use super::session::{Action, Case, Session, carry_out};
use crate::build::verify::{Blame, Budget, Comparison, Examined, Promise, Subject};
use crate::build::verify::{blame, build_fault, compare, examine, judge};
use crate::build::{BuildError, Builder, Kind, Stop};
use crate::model::Model;
use crate::pipeline::{Plan, RewriteId};
use crate::syntax::Dockerfile;
use progress::Progress;
use project::Project;

/// The JSON Schema of `verify --format json`.
pub(super) const SCHEMA: &str = include_str!("verify.schema.json");

/// The exit code of a run that a signal ended.
const INTERRUPTED: u8 = 130;

/// What became of one Dockerfile.
pub(super) struct Report {
    path: PathBuf,
    outcome: Outcome,
    /// What is to be said beside it.
    notes: Vec<String>,
}

/// How a verification ended.
enum Outcome {
    /// There is nothing to rewrite, so nothing was built.
    Nothing,
    /// Nothing can be told, and why.
    Unknown(String),
    /// Both were built, or the rewrite does not build.
    Compared(Box<Compared>),
}

/// The two images, and what was found.
struct Compared {
    before: Examined,
    /// None when it does not build.
    after: Option<Examined>,
    comparison: Comparison,
    /// The end of the log of a rewrite that does not build.
    log: String,
    blame: Option<Blame>,
    /// What was written in the end, by `fix --verify`.
    written: Option<Written>,
}

/// What `fix --verify` did.
enum Written {
    /// The whole plan.
    All,
    /// What passed of it.
    Part(usize),
    /// Nothing.
    Nothing,
}

impl Report {
    /// 0 the same behaviour and not larger, 1 otherwise, 2 nothing can be told.
    fn code(&self) -> u8 {
        match &self.outcome {
            Outcome::Nothing => 0,
            Outcome::Unknown(_) => 2,
            Outcome::Compared(compared) => match &compared.written {
                // What was written has passed.
                Some(Written::All) => 0,
                _ => u8::from(!compared.comparison.faults.is_empty()),
            },
        }
    }
}

/// Runs `verify`.
pub(super) fn verify(args: &VerifyArgs, output: &mut Output) -> Result<ExitCode> {
    let session = Session::new(&args.input, style(Action::Report))?;
    let given = match &args.rewrite {
        Some(path) => Some(
            std::fs::read(path)
                .with_context(|| format!("cannot read the rewrite {}", path.display()))?,
        ),
        None => None,
    };
    let mut run = Run::new(
        &args.build,
        args.input.target.as_deref(),
        args.format,
        output,
    );
    let ending = session.each(output, &mut |output, case| {
        let plan = (case.plan)(None);
        let report = match &given {
            Some(text) => run.given(case, text),
            None => run.planned(case, &plan).map(|(report, _)| report),
        };
        run.tell(output, report?);
        Ok(None)
    });
    run.end(output, ending)
}

/// Runs `fix --verify`.
pub(super) fn fix(args: &FixArgs, output: &mut Output) -> Result<ExitCode> {
    let session = Session::new(&args.input, style(Action::Write))?;
    let format = match args.output.format {
        Format::Text => VerifyFormat::Text,
        Format::Json => VerifyFormat::Json,
        Format::Markdown => VerifyFormat::Markdown,
        Format::Sarif | Format::Github | Format::Gitlab => {
            anyhow::bail!("`fix --verify` reports as text, json or markdown")
        }
    };
    let build = BuildArgs {
        no_rebuild: true,
        no_compressed: true,
        ..args.build.clone()
    };
    let mut run = Run::new(&build, args.input.target.as_deref(), format, output);
    let ending = session.each(output, &mut |output, case| {
        let plan = (case.plan)(None);
        let (mut report, passing) = run.planned(case, &plan)?;
        let carried = match passing {
            Some(plan) => {
                carry_out(case.job, case.source, &plan)
                    .with_context(|| case.job.path.display().to_string())?;
                Some(plan)
            }
            None => None,
        };
        if let Outcome::Compared(compared) = &mut report.outcome {
            compared.written = Some(match &carried {
                None => Written::Nothing,
                Some(_) if compared.comparison.faults.is_empty() => Written::All,
                Some(plan) => Written::Part(plan.rewrites.len()),
            });
        }
        run.tell(output, report);
        Ok(carried)
    });
    run.end(output, ending)
}

/// How the session speaks: it tells errors only, the rest is told here.
fn style(action: Action) -> Style {
    Style {
        format: Format::Text,
        action,
        statistics: false,
    }
}

/// One run over many Dockerfiles.
struct Run<'a> {
    args: &'a BuildArgs,
    target: Option<&'a str>,
    format: VerifyFormat,
    progress: Progress,
    /// Found when it is first needed: what has nothing to rewrite needs none.
    builder: Option<Builder>,
    stop: Stop,
    code: u8,
    reports: usize,
}

impl<'a> Run<'a> {
    fn new(
        args: &'a BuildArgs,
        target: Option<&'a str>,
        format: VerifyFormat,
        output: &Output,
    ) -> Self {
        let view = output.view();
        Self {
            args,
            target,
            format,
            progress: Progress::new(view.quiet, view.paint.width),
            builder: None,
            stop: on_signals(),
            code: 0,
            reports: 0,
        }
    }

    /// Builds, compares and, where something is wrong, looks for the rewrite at fault. Gives what may be written.
    fn planned(&mut self, case: &Case<'_>, plan: &Plan) -> Result<(Report, Option<Plan>)> {
        let mut report = Report {
            path: case.job.path.clone(),
            outcome: Outcome::Nothing,
            notes: case.job.notes.clone(),
        };
        if let Some(refused) = &plan.refused {
            report.outcome =
                Outcome::Unknown(format!("BuildKit refuses the Dockerfile: {refused}"));
            return Ok((report, None));
        }
        if !plan.changes_anything() {
            return Ok((report, None));
        }
        let (builder, project) = match self.project(case) {
            Ok(found) => found,
            Err(error) => return told(report, error),
        };
        report.notes.extend(project.notes.iter().cloned());
        let promise = promise(case, plan, self.target);
        let compared = self.compared(&builder, &project, &project.rewrite(plan)?, &promise);
        let mut compared = match compared {
            Ok(compared) => compared,
            Err(error) => return told(report, error),
        };
        if compared.comparison.faults.is_empty() {
            report.outcome = Outcome::Compared(Box::new(compared));
            return Ok((report, Some(plan.clone())));
        }
        if self.args.build_budget > 0 {
            match self.blamed(&builder, &project, case, plan, &compared) {
                Ok(found) => compared.blame = Some(found),
                Err(BuildError::Interrupted) => return Err(BuildError::Interrupted.into()),
                Err(error) => report
                    .notes
                    .push(format!("the rewrite at fault was not found: {error}")),
            }
        }
        let passing = compared
            .blame
            .as_ref()
            .and_then(|blame| blame.passing.clone());
        report.outcome = Outcome::Compared(Box::new(compared));
        Ok((report, passing))
    }

    /// Compares with a Dockerfile that somebody else has written.
    fn given(&mut self, case: &Case<'_>, text: &[u8]) -> Result<Report> {
        let mut report = Report {
            path: case.job.path.clone(),
            outcome: Outcome::Nothing,
            notes: case.job.notes.clone(),
        };
        let (builder, project) = match self.project(case) {
            Ok(found) => found,
            Err(error) => return told(report, error).map(|(report, _)| report),
        };
        report.notes.extend(project.notes.iter().cloned());
        let plan = Plan {
            result: text.to_vec(),
            ..Plan::default()
        };
        let promise = Promise {
            known: false,
            ..promise(case, &plan, self.target)
        };
        match self.compared(&builder, &project, &project.text(text, None)?, &promise) {
            Ok(compared) => report.outcome = Outcome::Compared(Box::new(compared)),
            Err(error) => return told(report, error).map(|(report, _)| report),
        }
        Ok(report)
    }

    fn project(&mut self, case: &Case<'_>) -> Result<(Builder, Project), BuildError> {
        let builder = match &self.builder {
            Some(builder) => builder.clone(),
            None => {
                let found = match self.args.builder {
                    None => Builder::find()?,
                    Some(BuilderArg::Docker) => Builder::named(Kind::Docker)?,
                    Some(BuilderArg::Podman) => Builder::named(Kind::Podman)?,
                    Some(BuilderArg::Buildah) => Builder::named(Kind::Buildah)?,
                };
                self.builder
                    .insert(found.with_stop(self.stop.clone()))
                    .clone()
            }
        };
        let project = Project::new(case, self.args, self.target, builder.kind())?;
        Ok((builder, project))
    }

    fn compared(
        &mut self,
        builder: &Builder,
        project: &Project,
        rewrite: &Subject,
        promise: &Promise,
    ) -> Result<Compared, BuildError> {
        let progress = &mut self.progress;
        progress.image("original");
        let keep = self.args.keep;
        let before = examine(builder, &project.original(), None, keep, &mut |step| {
            progress.step(step)
        });
        let before = before.inspect_err(|_| progress.clear())?;
        progress.image("rewrite");
        let after = examine(builder, rewrite, Some(&before), keep, &mut |step| {
            progress.step(step)
        });
        progress.clear();
        let (after, comparison, log) = match after {
            Ok(after) => {
                let comparison = compare(&before, &after, promise);
                (Some(after), comparison, String::new())
            }
            Err(error) => {
                let Some(fault) = build_fault(&error) else {
                    return Err(error);
                };
                let comparison = Comparison {
                    faults: vec![fault],
                    ..Comparison::default()
                };
                (None, comparison, error.to_string())
            }
        };
        Ok(Compared {
            before,
            after,
            comparison,
            log,
            blame: None,
            written: None,
        })
    }

    fn blamed(
        &mut self,
        builder: &Builder,
        project: &Project,
        case: &Case<'_>,
        plan: &Plan,
        compared: &Compared,
    ) -> Result<Blame, BuildError> {
        let budget = Budget {
            builds: self.args.build_budget,
            time: Duration::from_secs(self.args.timeout.saturating_mul(4)),
        };
        let replan = |allowed: &BTreeSet<RewriteId>| (case.plan)(Some(allowed));
        let progress = &mut self.progress;
        let mut count = 0;
        let target = self.target;
        let found = blame(
            plan,
            compared.comparison.faults.clone(),
            budget,
            &replan,
            &mut |plan| {
                count += 1;
                progress.image(&format!("trial {count}, {} rewrites", plan.rewrites.len()));
                let subject = project.quick(plan)?;
                let promise = promise(case, plan, target);
                judge(builder, &subject, &compared.before, &promise, &mut |step| {
                    progress.step(step)
                })
            },
        );
        progress.clear();
        found
    }

    fn tell(&mut self, output: &mut Output, report: Report) {
        self.code = self.code.max(report.code());
        let view = output.view();
        let mut out = Vec::new();
        match self.format {
            VerifyFormat::Text => text::report(&mut out, &report, view.paint, view.verbose),
            VerifyFormat::Markdown => markdown::report(&mut out, &report),
            VerifyFormat::Json => json::report(&mut out, &report, self.reports == 0),
        }
        self.reports += 1;
        if !(view.quiet && self.format == VerifyFormat::Text && report.code() == 0) {
            output.print(&out);
        }
        output.flush();
    }

    fn end(
        mut self,
        output: &mut Output,
        ending: Result<super::session::Ending>,
    ) -> Result<ExitCode> {
        self.progress.clear();
        let interrupted = |error: &anyhow::Error| {
            matches!(
                error.downcast_ref::<BuildError>(),
                Some(BuildError::Interrupted)
            )
        };
        if let Err(error) = &ending
            && interrupted(error)
        {
            output.error("interrupted; what was built for it is removed");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let ending = ending?;
        if self.format == VerifyFormat::Json {
            let mut out = Vec::new();
            json::end(&mut out, self.reports == 0);
            output.print(&out);
        }
        output.flush();
        Ok(ExitCode::from(if ending.errors { 2 } else { self.code }))
    }
}

/// A run that was interrupted ends; any other error says that nothing can be told.
fn told(mut report: Report, error: BuildError) -> Result<(Report, Option<Plan>)> {
    let why = match error {
        BuildError::Interrupted => return Err(error.into()),
        BuildError::Failed { .. } => format!("the original does not build\n{}", tail(&error)),
        BuildError::TimedOut { .. } => {
            format!("the original is not built in time: {error}; give it more with --timeout")
        }
        error => error.to_string(),
    };
    report.outcome = Outcome::Unknown(why);
    Ok((report, None))
}

/// The last lines of a build log.
fn tail(error: &BuildError) -> String {
    let text = error.to_string();
    text.strip_prefix("the build failed: ")
        .unwrap_or(&text)
        .to_owned()
}

fn promise(case: &Case<'_>, plan: &Plan, target: Option<&str>) -> Promise {
    let (before, after) = (
        Dockerfile::parse(case.source.to_vec()),
        Dockerfile::parse(plan.result.clone()),
    );
    let before = Model::new(&before, case.catalog, &case.targets);
    let after = Model::new(&after, case.catalog, &case.targets);
    let target = target.or_else(|| case.job.usage.targets.first().map(String::as_str));
    Promise::of(plan, &before, &after, target)
}

/// A wish to stop that SIGINT and SIGTERM make: everything is unwound, and what was made is removed.
fn on_signals() -> Stop {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without the handler the default one ends the process: that is no worse than before.
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    Stop::on(flag)
}

/// A path as messages show it.
fn shown(path: &Path) -> String {
    crate::report::printable(path.as_os_str().as_encoded_bytes()).into_owned()
}
