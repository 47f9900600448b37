//! One run over many Dockerfiles: judge each, write or report, in order.

mod each;

pub(super) use each::Case;

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;

use super::args::{Format, Input};
use super::changed;
use super::config::Config;
use super::jobs::{self, Job, folder_of};
use super::output::{Output, View};
use super::progress::Progress;
use super::rendering::{Done, Report, Style};
use super::{discover, names, parallel, places, snapshot, unit, write};
use crate::catalog::Catalog;
use crate::model::Model;
use crate::pipeline::{self, Plan};
use crate::report::{FileReport, Located, Understanding};
use crate::rules::{Level, RULES, Settings};
use crate::syntax::Dockerfile;

/// What happens to the plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// They are carried out.
    Write,
    /// They are printed as a patch.
    Diff,
    /// They are reported.
    Report,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// The lowest level of what a plan changes; none when none changes anything.
    pub(super) rewrites: Option<Level>,
    /// Whether a file could not be read, judged or written.
    pub(super) errors: bool,
}

/// One run.
pub(super) struct Session<'a> {
    input: &'a Input,
    style: Style,
    catalog: Catalog,
    /// What `--only` and `--skip` switch on and off.
    switches: Vec<(&'static str, bool)>,
    /// The configuration of `--config`.
    given: Option<Arc<Config>>,
    /// By folder of a Dockerfile: asked of the disk once for all files in it.
    folders: Mutex<HashMap<PathBuf, Arc<Folder>>>,
}

/// A Dockerfile and its plan.
pub(super) struct Planned {
    /// As the walk found it.
    pub(super) path: PathBuf,
    /// Where its context is.
    pub(super) context: PathBuf,
    /// Its bytes.
    pub(super) source: Vec<u8>,
    /// What is to be done with it.
    pub(super) plan: Plan,
}

/// What the Dockerfiles of a folder have in common.
struct Folder {
    absolute: PathBuf,
    config: Result<Option<Arc<Config>>, Arc<str>>,
    /// How a patch names it, once one is asked for.
    in_patch: OnceLock<PathBuf>,
}

impl<'a> Session<'a> {
    /// A run over `input`.
    pub(super) fn new(input: &'a Input, style: Style) -> Result<Self> {
        let mut switches = Vec::new();
        if !input.judgement.only.is_empty() {
            switches.extend(RULES.iter().map(|rule| (rule.meta().name, false)));
        }
        for (list, on) in [
            (&input.judgement.only, true),
            (&input.judgement.skip, false),
        ] {
            for name in list {
                switches.push((names::rule(name)?.name, on));
            }
        }
        let given = match &input.judgement.config {
            Some(path) => Some(Arc::new(Config::read(path)?)),
            None => None,
        };
        Ok(Self {
            input,
            style,
            catalog: Catalog::default(),
            switches,
            given,
            folders: Mutex::default(),
        })
    }

    /// Tells what was understood of every file.
    pub(super) fn inspect(&self, output: &mut Output) -> Result<Ending> {
        let paths = jobs::paths(self.input)?;
        let found = self.find(&paths)?;
        let view = output.view();
        let mut errors = found.errors;
        let json = self.style.format == Format::Json;
        let mut separator: &[u8] = b"[\n";
        for job in &found.jobs {
            let mut text = Vec::new();
            match self.understand(job) {
                Ok(understood) if json => {
                    text.extend_from_slice(separator);
                    understood.json(&mut text);
                    separator = b",\n";
                }
                Ok(understood) => understood.text(&mut text, view.paint),
                Err(error) if !job.named && error.is::<write::ReadError>() => {}
                Err(error) => errors.push(format!("{} {error:#}", job.path.display())),
            }
            output.print(&text);
        }
        if json {
            output.print(if separator == b"[\n" {
                b"[]\n"
            } else {
                b"\n]\n"
            });
        } else if found.jobs.is_empty() && errors.is_empty() {
            output.remark("no Dockerfile found");
        }
        output.flush();
        errors.iter().for_each(|error| output.error(error));
        Ok(Ending {
            rewrites: None,
            errors: !errors.is_empty(),
        })
    }

    /// The Dockerfiles that `paths` stand for, or those of them that changed since a revision.
    fn find(&self, paths: &[PathBuf]) -> Result<discover::Found> {
        let mut found = discover::find(paths, self.input)?;
        if let Some(revision) = &self.input.changed_since {
            found.jobs = changed::since(revision, found.jobs, &self.catalog)?;
        }
        Ok(found)
    }

    fn understand(&self, job: &Job) -> Result<Understanding> {
        let source = write::read(&job.path)?;
        let folder = self.folder(&job.path);
        let config = folder
            .config
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let catalog = self.catalog(config.as_deref());
        let dockerfile = Dockerfile::parse(source);
        let mut targets = job.usage.targets.clone();
        targets.extend(self.input.target.clone());
        let model = Model::new(&dockerfile, catalog, &targets);
        let context = match &job.context {
            Some(folder) => Some((folder.as_path(), snapshot::snapshot(folder, &job.path)?)),
            None => None,
        };
        let context = context.as_ref().map(|(folder, context)| (*folder, context));
        Ok(Understanding::new(
            &job.path, &model, context, catalog, &job.usage, &job.notes,
        ))
    }

    /// Goes over all files and prints.
    pub(super) fn run(&self, output: &mut Output) -> Result<Ending> {
        let paths = jobs::paths(self.input)?;
        if paths == [Path::new("-")] {
            if self.input.changed_since.is_some() {
                anyhow::bail!("--changed-since asks git, which knows no standard input");
            }
            return Ok(self.stdin(output));
        }
        if paths.iter().any(|path| path == Path::new("-")) {
            anyhow::bail!(
                "`-` stands alone: a Dockerfile on standard input goes with no other path"
            );
        }
        let found = self.find(&paths)?;
        let units = unit::by_ignore_file(found.jobs);
        if units.is_empty() && found.errors.is_empty() {
            output.remark(match &self.input.changed_since {
                Some(_) => "no Dockerfile changed",
                None => "no Dockerfile found",
            });
        }
        let files = units.iter().map(Vec::len).sum();
        let view = output.view();
        let mut progress = Progress::new(files, view.quiet);
        let mut report = Report::new(self.style, output);
        let mut unread = Done::default();
        for error in found.errors {
            unread.totals.failed += 1;
            unread.errors.push(error);
        }
        report.add(unread);
        parallel::in_order(
            &units,
            |unit| self.unit(unit, view),
            |done| {
                progress.clear();
                report.add(done);
                progress.step(report.totals.files);
            },
        );
        progress.clear();
        Ok(report.end())
    }

    /// The Dockerfile on standard input. `fix` writes its result to standard output and reports on standard error.
    fn stdin(&self, output: &mut Output) -> Ending {
        let view = output.view();
        let job = jobs::stdin(self.input);
        let mut done = Done::default();
        match write::read_text(io::stdin().lock(), 0) {
            Err(error) => done.fail("standard input", &error),
            Ok(source) => {
                let sources = [(&job, source)];
                let plan = self
                    .shared(&sources, view, &mut done)
                    .and_then(|mut shared| {
                        self.judge(&job, (0, &sources[0].1), &mut shared, view, &mut done)
                    });
                if let Some(plan) = plan {
                    done.totals.add(&plan);
                    if self.style.action == Action::Write {
                        done.out.extend_from_slice(&plan.result);
                    } else {
                        self.render(&mut done, &job, &sources[0].1, &plan, None, view);
                    }
                }
            }
        }
        if self.style.action == Action::Write {
            output.print(&done.out);
            done.errors.iter().for_each(|error| output.error(error));
            output.flush();
            return Ending {
                rewrites: done.totals.lowest_level(),
                errors: !done.errors.is_empty(),
            };
        }
        let mut report = Report::new(self.style, output);
        report.add(done);
        report.end()
    }

    /// The plans of all files of a walk, in the order of their paths, and what went wrong. `alone`: each file as if the
    /// others were left as they are.
    pub(super) fn plans(&self, alone: bool) -> Result<(Vec<Planned>, Vec<String>)> {
        let found = discover::find(&jobs::paths(self.input)?, self.input)?;
        let view = View::silent();
        let units = match alone {
            true => found.jobs.into_iter().map(|job| vec![job]).collect(),
            false => unit::by_ignore_file(found.jobs),
        };
        let mut done = Done::default();
        done.errors.extend(found.errors);
        let mut all = Vec::new();
        for jobs in units {
            let plans = self.unit_plans(&jobs, view, &mut done);
            all.extend(plans.into_iter().map(|(job, source, plan)| Planned {
                path: job.path.clone(),
                context: job.context_folder().to_path_buf(),
                source,
                plan,
            }));
        }
        all.sort_by(|one, other| one.path.cmp(&other.path));
        Ok((all, done.errors))
    }

    /// Dockerfiles that share a context and its `.dockerignore`: one snapshot, one plan for the ignore file.
    fn unit(&self, jobs: &[Job], view: View) -> Done {
        let mut done = Done::default();
        for (job, source, plan) in &self.unit_plans(jobs, view, &mut done) {
            self.finish(job, source, plan, view, &mut done);
        }
        done
    }

    fn unit_plans<'j>(
        &self,
        jobs: &'j [Job],
        view: View,
        done: &mut Done,
    ) -> Vec<(&'j Job, Vec<u8>, Plan)> {
        let mut sources = Vec::new();
        for job in jobs {
            match write::read(&job.path) {
                Ok(source) => sources.push((job, source)),
                Err(error) if !job.named && error.is_no_dockerfile() => {}
                Err(error) => self.failed(job, &error.to_string(), view, done),
            }
        }
        let Some(mut shared) = self.shared(&sources, view, done) else {
            return Vec::new();
        };
        let mut planned = Vec::new();
        for (index, (job, source)) in sources.iter().enumerate() {
            if let Some(mut plan) = self.judge(job, (index, source), &mut shared, view, done) {
                plan.notes.extend(job.notes.iter().cloned());
                planned.push((*job, source.clone(), plan));
            }
        }
        shared.settle(planned.iter_mut().map(|(_, _, plan)| plan));
        planned
    }

    /// What the Dockerfiles of a unit share; none when the context cannot be read, which is said.
    fn shared(
        &self,
        sources: &[(&Job, Vec<u8>)],
        view: View,
        done: &mut Done,
    ) -> Option<unit::Shared> {
        match unit::Shared::new(sources) {
            Ok(shared) => Some(shared),
            Err(error) => {
                for (job, _) in sources {
                    self.failed(job, &format!("cannot be judged: {error:#}"), view, done);
                }
                None
            }
        }
    }

    /// Carries out and tells the plan of one file.
    fn finish(&self, job: &Job, source: &[u8], plan: &Plan, view: View, done: &mut Done) {
        done.totals.add(plan);
        let mut failure = None;
        if self.style.action == Action::Write
            && let Err(error) = carry_out(job, source, plan)
        {
            failure = Some(error.to_string());
            done.fail(&job.path.display().to_string(), &error);
        }
        self.render(done, job, source, plan, failure.as_deref(), view);
    }

    fn failed(&self, job: &Job, error: &str, view: View, done: &mut Done) {
        done.fail(&job.path.display().to_string(), &error);
        let plan = Plan::default();
        let report = FileReport {
            path: &job.path,
            plan: &plan,
            error: Some(error),
        };
        done.tell_failure(report, &self.in_patch(&job.path), self.style, view);
    }

    /// The plan of one file; none when it is excluded or cannot be made.
    fn judge(
        &self,
        job: &Job,
        (index, source): (usize, &[u8]),
        shared: &mut unit::Shared,
        view: View,
        done: &mut Done,
    ) -> Option<Plan> {
        let folder = self.folder(&job.path);
        let config = match &folder.config {
            Ok(config) => config.as_deref(),
            Err(error) => {
                done.errors.push(error.to_string());
                return None;
            }
        };
        let absolute = folder.absolute.join(job.path.file_name()?);
        if !job.named && config.is_some_and(|config| config.excludes(&absolute)) {
            return None;
        }
        let mut settings = self.settings(job, &absolute, config);
        shared.lend(index, &mut settings);
        let context = shared.context();
        let baseline = match self.style.action {
            Action::Report => config.and_then(Config::baseline),
            Action::Write | Action::Diff => None,
        };
        let planned = catch_unwind(AssertUnwindSafe(|| {
            let catalog = self.catalog(config);
            let plan = |allow| pipeline::plan(source, context, catalog, &settings, allow);
            let mut whole = plan(None);
            match baseline.and_then(|baseline| baseline.reduce(&absolute, &mut whole)) {
                Some(new) => Plan {
                    refusals: whole.refusals,
                    findings: whole.findings,
                    ..plan(Some(&new))
                },
                None => whole,
            }
        }));
        let result = planned.as_ref().map_or(source, |plan| &plan.result);
        shared.take_back(index, result, &mut settings);
        if planned.is_err() {
            self.failed(
                job,
                "is left alone: docker-diet failed on it; please report this",
                view,
                done,
            );
        }
        let plan = planned.ok()?;
        shared.carry(&plan);
        Some(plan)
    }

    /// What is known, with the rows that the configuration of a file adds.
    fn catalog<'c>(&'c self, config: Option<&'c Config>) -> &'c Catalog {
        config.map_or(&self.catalog, Config::catalog)
    }

    fn settings(&self, job: &Job, absolute: &Path, config: Option<&Config>) -> Settings {
        let mut settings = Settings {
            usage: job.usage.clone(),
            cache_mounts: true,
            ..Settings::default()
        };
        if let Some(level) = self.input.judgement.level {
            settings.level = level.into();
        }
        if let Some(config) = config {
            config.apply(
                absolute,
                self.input.judgement.level.map(Into::into),
                &mut settings,
            );
        }
        if let Some(pin) = self.input.judgement.pin {
            settings.pin = pin.into();
        }
        settings.target.clone_from(&self.input.target);
        for (name, on) in &self.switches {
            settings.rules.insert((*name).to_owned(), *on);
        }
        settings
    }

    fn folder(&self, path: &Path) -> Arc<Folder> {
        let folder = folder_of(path);
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folders.get(folder) {
            return Arc::clone(known);
        }
        let absolute = folder
            .canonicalize()
            .unwrap_or_else(|_| folder.to_path_buf());
        let config = match &self.given {
            Some(config) => Ok(Some(Arc::clone(config))),
            None if self.input.isolated => Ok(None),
            None => match Config::find(folder, self.input.context.as_deref().unwrap_or(folder)) {
                None => Ok(None),
                Some(path) => match Config::read(&path) {
                    Ok(config) => Ok(Some(Arc::new(config))),
                    Err(error) => Err(error.to_string().into()),
                },
            },
        };
        let found = Arc::new(Folder {
            absolute,
            config,
            in_patch: OnceLock::new(),
        });
        folders.insert(folder.to_path_buf(), Arc::clone(&found));
        found
    }

    /// The path by which a patch names the file.
    fn in_patch(&self, path: &Path) -> PathBuf {
        let folder = self.folder(path);
        let inside = folder
            .in_patch
            .get_or_init(|| places::in_patch(folder_of(path)));
        inside.join(path.file_name().unwrap_or_default())
    }

    fn render(
        &self,
        done: &mut Done,
        job: &Job,
        source: &[u8],
        plan: &Plan,
        error: Option<&str>,
        view: View,
    ) {
        let report = FileReport {
            path: &job.path,
            plan,
            error,
        };
        let (path, ignore_path) = if self.style.names_places() {
            let ignore = plan.ignore_file.as_ref();
            let ignore = ignore.map(|file| job.context_folder().join(&file.path));
            (
                self.in_patch(&job.path),
                ignore.map(|path| self.in_patch(&path)),
            )
        } else {
            (PathBuf::new(), None)
        };
        let located = Located {
            report,
            path: &path,
            ignore_path: ignore_path.as_deref(),
            source,
        };
        done.tell(&located, self.style, view);
    }
}

/// Writes `.dockerignore` first: with the old Dockerfile it does no harm, the new one may rely on it.
pub(super) fn carry_out(job: &Job, source: &[u8], plan: &Plan) -> Result<(), write::WriteError> {
    let folder = folder_of(&job.path);
    let root = places::repository(folder).unwrap_or_else(|| job.context_folder().to_path_buf());
    if let Some(file) = &plan.ignore_file {
        let path = job.context_folder().join(&file.path);
        write::replace(&path, file.before.as_deref(), &file.after, &root)?;
    }
    if plan.result != source {
        write::replace(&job.path, Some(source), &plan.result, &root)?;
    }
    Ok(())
}
