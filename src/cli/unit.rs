//! What Dockerfiles of one build context share: the snapshot, and one plan for its `.dockerignore`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::discover::is_dockerfile_name;
use super::infer;
use super::jobs::{Job, folder_of};
use super::snapshot::{self, SnapshotError};
use crate::context::{Context, Dockerignore, Entry};
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
    /// Whether `siblings` holds the Dockerfiles of the unit.
    shares: bool,
    /// Whether there are too many of them.
    crowded: bool,
    /// What the plans so far make of the ignore file.
    ignore_file: Option<IgnoreFile>,
}

impl Shared {
    /// Reads the context of the Dockerfiles of `unit`, jobs and their texts.
    pub(super) fn new(unit: &[(&Job, Vec<u8>)]) -> Result<Self, SnapshotError> {
        let first = unit.first().map(|(job, _)| *job);
        let Some((job, folder)) = first.and_then(|job| Some((job, job.context.as_ref()?))) else {
            return Ok(Self {
                context: None,
                siblings: Vec::new(),
                shares: false,
                crowded: false,
                ignore_file: None,
            });
        };
        let context = snapshot::snapshot(folder, &job.path)?;
        let others = others(folder, &context, unit);
        let crowded = unit.len() + others.len() > MOST_SIBLINGS;
        let mut siblings = Vec::new();
        if !crowded {
            siblings.extend(unit.iter().map(|(_, source)| source.clone()));
            siblings.extend(others);
        }
        Ok(Self {
            context: Some(context),
            siblings,
            shares: !crowded,
            crowded,
            ignore_file: None,
        })
    }

    /// The context as the next Dockerfile finds it.
    pub(super) fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// Puts what is shared into the settings of the run over the Dockerfile at `index` of the unit.
    pub(super) fn lend(&mut self, index: usize, settings: &mut Settings) {
        let mut siblings = std::mem::take(&mut self.siblings);
        if index < siblings.len() {
            siblings.remove(index);
        }
        settings.usage.siblings = siblings;
        if self.crowded {
            settings.rules.insert(WRITE_DOCKERIGNORE.to_owned(), false);
        }
    }

    /// Takes it out again; the Dockerfile at `index` is `text` from now on.
    pub(super) fn take_back(&mut self, index: usize, text: &[u8], settings: &mut Settings) {
        self.siblings = std::mem::take(&mut settings.usage.siblings);
        if index <= self.siblings.len() && self.shares {
            self.siblings.insert(index, text.to_vec());
        }
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

/// Dockerfiles of the context that are not in `unit` and yet read from it: those in the folder itself, and those below
/// whose sources are not beside them.
fn others(folder: &Path, context: &Context, unit: &[(&Job, Vec<u8>)]) -> Vec<Vec<u8>> {
    let known: Vec<PathBuf> = unit
        .iter()
        .filter_map(|(job, _)| job.path.canonicalize().ok())
        .collect();
    let names = context.all().filter(|(path, entry)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        matches!(entry, Entry::File { .. }) && is_dockerfile_name(name)
    });
    let mut others = Vec::new();
    for (path, _) in names {
        let place = folder.join(path);
        if others.len() > MOST_SIBLINGS || place.canonicalize().is_ok_and(|it| known.contains(&it))
        {
            continue;
        }
        let Some(text) = context.read(path) else {
            continue;
        };
        let reads_here =
            !path.contains('/') || infer::missing(folder_of(&place), &infer::copied(&text)) > 0;
        if reads_here {
            others.push(text.to_vec());
        }
    }
    others
}
