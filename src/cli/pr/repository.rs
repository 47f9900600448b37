//! One repository from its name to its pull requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::args::PrArgs;
use super::propose::{self, Found};
use super::settings::{self, PullSettings};
use super::summary::{Ended, RepoReport};
use super::targets::{Place, Target};
use crate::cli::config::{Config, FILE_NAME, PullRequest};
use crate::forge::{self, Access, Checkout, Proposal, Slug};
use crate::report::Paint;
use crate::report::diff::{Destination, FileDiff, unified};

/// A file of this name keeps the bot away.
const SKIP_FILE: &str = ".docker-diet-skip";
/// A line of the configuration that does so too.
const SKIP_LINE: &str = "# docker-diet: skip";

/// What all repositories of a run have in common.
pub(super) struct Worker<'a> {
    args: &'a PrArgs,
    place: Option<&'a Place>,
    /// The configuration of `--config`.
    given: Option<Arc<Config>>,
}

/// Nothing is done with a repository, and why.
struct Skip(String);

type Skippable<T> = Result<Result<T, Skip>>;

impl<'a> Worker<'a> {
    pub(super) fn new(args: &'a PrArgs, place: Option<&'a Place>) -> Result<Self> {
        let given = match &args.judgement.config {
            Some(path) => Some(Arc::new(Config::read(path)?)),
            None => None,
        };
        let worker = Self { args, place, given };
        // What is wrong on the command line is told once, before the first repository.
        PullSettings::new(args, &PullRequest::default())?;
        worker.prefix()?;
        Ok(worker)
    }

    /// Does all that is to be done with `target`. Nothing that goes wrong with one repository stops the others.
    pub(super) fn work(&self, target: &Target) -> RepoReport {
        let started = Instant::now();
        let mut report = RepoReport::new(target.name(), Ended::Done);
        match self.settle(target, &mut report) {
            Ok(Ok(())) => {}
            Ok(Err(Skip(why))) => report.ended = Ended::Skipped(why),
            Err(error) => report.ended = Ended::Failed(self.clean(&format!("{error:#}"))),
        }
        report.seconds = started.elapsed().as_secs_f64();
        report
    }

    fn settle(&self, target: &Target, report: &mut RepoReport) -> Skippable<()> {
        let (access, slug, default_branch) = match self.find(target)? {
            Ok(found) => found,
            Err(skip) => return Ok(Err(skip)),
        };
        let folder = self.scratch()?;
        // The walk compares absolute paths: the folder's own name has no links in it.
        let folder = folder
            .path()
            .canonicalize()
            .context("no scratch folder")?
            .join("tree");
        std::fs::create_dir(&folder).context("no scratch folder")?;
        let prefix = self.prefix()?;
        let base = self.args.pull.base.clone().or(default_branch);
        let fetch = |folder: &Path, base: Option<&str>, prefix: &str| {
            Checkout::fetch(folder, &access, base, prefix, super::limits(self.args))
        };
        let mut checkout = fetch(&folder, base.as_deref(), &prefix)?;
        let config = self.config(&folder)?;
        if let Some(why) = skip_reason(&folder, config.as_deref()) {
            return Ok(Err(Skip(why)));
        }
        let own = config.as_ref().map(|config| config.pull_request().clone());
        let own = own.unwrap_or_default();
        // Its own configuration can name another base and another prefix; it is then fetched once more.
        let own_prefix = settings::prefix(self.args, Some(&own))?;
        let own_base = self
            .args
            .pull
            .base
            .is_none()
            .then_some(own.base.as_deref())
            .flatten();
        if own_prefix != prefix || own_base.is_some_and(|base| base != checkout.base()) {
            let again = folder.with_file_name("again");
            std::fs::create_dir(&again).context("no scratch folder")?;
            let base = own_base.map_or_else(|| checkout.base().to_owned(), str::to_owned);
            checkout = fetch(&again, Some(&base), &own_prefix)?;
        }
        let mut settings = PullSettings::new(self.args, &own)?;
        let folder = checkout.folder().to_path_buf();
        let Found {
            proposals,
            dockerfiles,
            rewrites,
            errors,
        } = propose::propose(self.args, &folder, &own_prefix, &settings)?;
        report.dockerfiles = dockerfiles;
        report.rewrites = rewrites;
        // What could not be judged may be what an open pull request is about: nothing is closed then.
        settings.manner.retire = errors.is_empty();
        let shown = format!("{}/", folder.display());
        report
            .notes
            .extend(errors.iter().map(|error| error.replace(&shown, "")));
        let forge = slug.as_ref().and(self.place).map(|place| &*place.forge);
        report.branches = forge::settle(
            forge,
            slug.as_ref(),
            &checkout,
            &proposals,
            &settings.manner,
        )?;
        if self.args.dry_run {
            preview(&mut report.preview, &proposals, &report.branches);
        }
        Ok(Ok(()))
    }

    /// How the repository is reached, its name at the forge, and its default branch.
    fn find(&self, target: &Target) -> Skippable<(Access, Option<Slug>, Option<String>)> {
        let (slug, known) = match target {
            Target::Folder(path) => return Ok(Ok((Access::folder(path)?, None, None))),
            Target::Hosted { slug, known } => (slug, known),
        };
        let place = self.place.context("no forge is known")?;
        let known = match known {
            Some(known) => known.clone(),
            None => place.forge.repository(slug)?,
        };
        let skip = |why: &str| Ok(Err(Skip(why.to_owned())));
        if known.archived {
            return skip("it is archived: nothing can be pushed to it");
        }
        if known.mirror {
            return skip("it is a mirror: what is pushed to it is undone");
        }
        if known.fork && !self.args.forks {
            return skip("it is a fork; --forks works on forks too");
        }
        if known.default_branch.is_empty() {
            return skip("it is empty");
        }
        let access = Access::hosted(&place.web, &known.slug, place.user(), place.token.as_ref());
        Ok(Ok((access, Some(known.slug), Some(known.default_branch))))
    }

    fn prefix(&self) -> Result<String> {
        let given = self.given.as_ref().map(|config| config.pull_request());
        settings::prefix(self.args, given)
    }

    fn config(&self, folder: &Path) -> Result<Option<Arc<Config>>> {
        if let Some(given) = &self.given {
            return Ok(Some(Arc::clone(given)));
        }
        let path = folder.join(FILE_NAME);
        if !path.is_file() {
            return Ok(None);
        }
        let config = Config::read(&path).map_err(|error| {
            let shown = format!("{}/", folder.display());
            anyhow::anyhow!("{}", error.to_string().replace(&shown, ""))
        })?;
        Ok(Some(Arc::new(config)))
    }

    fn scratch(&self) -> Result<tempfile::TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("docker-diet-pr-");
        let parent = self
            .args
            .work_dir
            .clone()
            .unwrap_or_else(std::env::temp_dir);
        builder
            .tempdir_in(&parent)
            .with_context(|| format!("no scratch folder in {}", parent.display()))
    }

    /// A last net: whatever an error says, the token is not in it.
    fn clean(&self, text: &str) -> String {
        match self.place.and_then(|place| place.token.as_ref()) {
            Some(token) => token.redact(text),
            None => text.to_owned(),
        }
    }
}

/// Why the repository wants no bot.
fn skip_reason(folder: &Path, config: Option<&Config>) -> Option<String> {
    if folder.join(SKIP_FILE).is_file() {
        return Some(format!("it has a file {SKIP_FILE}"));
    }
    if config.is_some_and(|config| config.pull_request().skip) {
        return Some("its configuration says `pull-request: {skip: true}`".to_owned());
    }
    let path: PathBuf = folder.join(FILE_NAME);
    let small = path
        .metadata()
        .is_ok_and(|it| it.is_file() && it.len() < 1 << 20);
    let text = small
        .then(|| std::fs::read_to_string(&path).ok())
        .flatten()?;
    text.lines()
        .any(|line| line.trim_end() == SKIP_LINE)
        .then(|| format!("its {FILE_NAME} says `{SKIP_LINE}`"))
}

/// What a dry run would write: for each proposal that leads to something, its title and its patch.
fn preview(out: &mut Vec<u8>, proposals: &[Proposal], branches: &[forge::Done]) {
    for proposal in proposals {
        let done = branches.iter().find(|done| done.branch == proposal.branch);
        let writes = done.is_some_and(|done| {
            !matches!(
                done.outcome,
                forge::Outcome::Left | forge::Outcome::Unchanged
            )
        });
        if !writes {
            continue;
        }
        out.extend_from_slice(format!("{}\n", proposal.title).as_bytes());
        for file in &proposal.files {
            let diff = FileDiff {
                path: Path::new(&file.path),
                before: file.before.as_deref(),
                after: &file.after,
            };
            unified(out, &diff, Destination::Terminal, Paint::default());
        }
    }
}
