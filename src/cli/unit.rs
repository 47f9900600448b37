//! What Dockerfiles of one build context share: the snapshot, and one plan for its `.dockerignore`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::jobs::Job;
use super::snapshot::{self, SnapshotError};
use crate::context::{Context, Dockerignore};
use crate::pipeline::{IgnoreFile, Plan};
use crate::rules::Settings;

/// With more Dockerfiles in one context, its `.dockerignore` is left alone: each would be read once for every other.
const MOST_SIBLINGS: usize = 100;

/// The rule that reads the siblings.
const WRITE_DOCKERIGNORE: &str = "write-dockerignore";

/// Jobs that obey the same ignore file together, in the order of their first Dockerfile; a job without a context is its
/// own unit.
pub(super) fn by_ignore_file(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut units: Vec<Vec<Job>> = Vec::new();
    let mut known: HashMap<(PathBuf, Option<PathBuf>), usize> = HashMap::new();
    for job in jobs {
        let Some(context) = &job.context else {
            units.push(vec![job]);
            continue;
        };
        let own = snapshot::ignore_file(context, &job.path)
            .filter(|path| path.file_name() != Some(".dockerignore".as_ref()));
        let context = context.canonicalize().unwrap_or_else(|_| context.clone());
        let unit = *known.entry((context, own)).or_insert(units.len());
        match units.get_mut(unit) {
            Some(unit) => unit.push(job),
            None => units.push(vec![job]),
        }
    }
    units
}

/// What the Dockerfiles of a unit share while they are judged one after the other.
pub(super) struct Shared {
    /// With the ignore file as the plans so far leave it.
    context: Option<Context>,
    /// The Dockerfiles of the context.
    siblings: Vec<Vec<u8>>,
    /// Whether there are too many of them.
    crowded: bool,
    /// What the plans so far make of the ignore file.
    ignore_file: Option<IgnoreFile>,
}

impl Shared {
    /// Reads the context of `job`, which builds `sources`.
    pub(super) fn new<'a>(
        job: &Job,
        sources: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<Self, SnapshotError> {
        let Some(folder) = &job.context else {
            return Ok(Self {
                context: None,
                siblings: Vec::new(),
                crowded: false,
                ignore_file: None,
            });
        };
        let context = snapshot::snapshot(folder, &job.path)?;
        let mut siblings = Vec::new();
        let crowded = sources.len() > MOST_SIBLINGS;
        if sources.len() > 1 && !crowded {
            siblings.extend(sources.map(<[u8]>::to_vec));
        }
        Ok(Self {
            context: Some(context),
            siblings,
            crowded,
            ignore_file: None,
        })
    }

    /// The context as the next Dockerfile finds it.
    pub(super) fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// Puts what is shared into the settings of the next run.
    pub(super) fn lend(&mut self, settings: &mut Settings) {
        std::mem::swap(&mut settings.usage.siblings, &mut self.siblings);
        if self.crowded {
            settings.rules.insert(WRITE_DOCKERIGNORE.to_owned(), false);
        }
    }

    /// Takes it out again.
    pub(super) fn take_back(&mut self, settings: &mut Settings) {
        std::mem::swap(&mut settings.usage.siblings, &mut self.siblings);
    }

    /// Remembers what `plan` makes of the ignore file: the next Dockerfile is judged with it.
    pub(super) fn carry(&mut self, plan: &Plan) {
        let Some(made) = &plan.ignore_file else {
            return;
        };
        let Ok(ignore) = Dockerignore::parse(&made.after) else {
            return;
        };
        if let Some(context) = &self.context {
            self.context = Some(context.with_ignore(ignore.at(&made.path)));
        }
        match &mut self.ignore_file {
            Some(known) => {
                known.after.clone_from(&made.after);
                known.added.extend(made.added.iter().cloned());
                known.context_after = made.context_after;
            }
            None => self.ignore_file = Some(made.clone()),
        }
    }

    /// Leaves the ignore file to the first of `plans` that changes it: it is written and told once.
    pub(super) fn settle<'a>(self, plans: impl Iterator<Item = &'a mut Plan>) {
        let mut whole = self.ignore_file;
        for plan in plans {
            if plan.ignore_file.is_some() {
                plan.ignore_file = whole.take();
            }
        }
    }
}

/// Whether a file of this name is a Dockerfile by convention.
pub(super) fn is_dockerfile_name(path: &Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    let name = name.to_string_lossy().to_ascii_lowercase();
    let known = name == "dockerfile"
        || name == "containerfile"
        || name.ends_with(".dockerfile")
        || name.starts_with("dockerfile.")
        || name.starts_with("containerfile.");
    known && !name.ends_with(".dockerignore")
}
