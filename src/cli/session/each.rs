//! One Dockerfile after the other, each with what plans it again: for those who build what is planned.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::super::config::Config;
use super::super::jobs::{self, Job};
use super::super::output::Output;
use super::super::rendering::Done;
use super::super::{unit, write};
use super::{Ending, Session};
use crate::catalog::Catalog;
use crate::context::Context;
use crate::pipeline::{self, Plan, RewriteId};

/// One Dockerfile that is built.
pub(in crate::cli) struct Case<'c> {
    pub(in crate::cli) job: &'c Job,
    pub(in crate::cli) source: &'c [u8],
    /// With the ignore file as the plans so far leave it.
    pub(in crate::cli) context: Option<&'c Context>,
    pub(in crate::cli) config: Option<&'c Config>,
    pub(in crate::cli) catalog: &'c Catalog,
    /// The stages that ship beside the last one.
    pub(in crate::cli) targets: Vec<String>,
    /// Plans it, with all rewrites or with those that are named.
    pub(in crate::cli) plan: &'c dyn Fn(Option<&BTreeSet<RewriteId>>) -> Plan,
}

impl Session<'_> {
    /// Judges one file after the other and hands each to `each`, which gives the plan that is carried out in the end.
    pub(in crate::cli) fn each(
        &self,
        output: &mut Output,
        each: &mut dyn FnMut(&mut Output, &Case<'_>) -> Result<Option<Plan>>,
    ) -> Result<Ending> {
        let paths = jobs::paths(self.input)?;
        anyhow::ensure!(
            paths.iter().all(|path| path != Path::new("-")),
            "an image is built from files: `-` cannot be verified"
        );
        let found = self.find(&paths)?;
        let view = output.view();
        let mut ending = Ending::default();
        let mut told = BTreeSet::new();
        let mut tell = |output: &mut Output, errors: &[String]| {
            for error in errors {
                if told.insert(error.clone()) {
                    output.error(error);
                }
            }
            !errors.is_empty()
        };
        ending.errors |= tell(output, &found.errors);
        if found.jobs.is_empty() && found.errors.is_empty() {
            output.remark("no Dockerfile found");
        }
        for unit in unit::by_ignore_file(found.jobs) {
            let mut done = Done::default();
            let mut sources = Vec::new();
            for job in &unit {
                match write::read(&job.path) {
                    Ok(source) => sources.push((job, source)),
                    Err(error) if !job.named && error.is_no_dockerfile() => {}
                    Err(error) => self.failed(job, &error.to_string(), view, &mut done),
                }
            }
            let shared = self.shared(&sources, view, &mut done);
            ending.errors |= tell(output, &done.errors);
            let Some(mut shared) = shared else { continue };
            for (index, (job, source)) in sources.iter().enumerate() {
                self.case(job, (index, source), &mut shared, &mut |case| {
                    each(output, case)
                })?;
            }
        }
        Ok(ending)
    }

    /// Hands one file to `each`.
    fn case(
        &self,
        job: &Job,
        (index, source): (usize, &[u8]),
        shared: &mut unit::Shared,
        each: &mut dyn FnMut(&Case<'_>) -> Result<Option<Plan>>,
    ) -> Result<()> {
        let folder = self.folder(&job.path);
        let config = match &folder.config {
            Ok(config) => config.as_deref(),
            Err(error) => anyhow::bail!("{error}"),
        };
        let absolute = match job.path.file_name() {
            Some(name) => folder.absolute.join(name),
            None => return Ok(()),
        };
        if !job.named && config.is_some_and(|config| config.excludes(&absolute)) {
            return Ok(());
        }
        let mut settings = self.settings(job, &absolute, config);
        shared.lend(index, &mut settings);
        let context = shared.context();
        let catalog = self.catalog(config);
        let plan = |allow: Option<&BTreeSet<RewriteId>>| {
            pipeline::plan(source, context, catalog, &settings, allow)
        };
        let carried = each(&Case {
            job,
            source,
            context,
            config,
            catalog,
            targets: settings.targets(),
            plan: &plan,
        });
        let carried = carried?;
        let result = carried.as_ref().map_or(source, |plan| &plan.result);
        shared.take_back(index, result, &mut settings);
        if let Some(plan) = &carried {
            shared.carry(plan);
        }
        Ok(())
    }
}
