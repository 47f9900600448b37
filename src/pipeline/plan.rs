//! The result of a run.

use crate::rules::{Change, Estimate, IgnoreLine, RuleMeta};
use crate::text::{Edit, Hunk};

use super::RewriteId;

/// Everything that a run over one Dockerfile found out and would change.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is changed, in the order of the pipeline.
    pub rewrites: Vec<PlannedRewrite>,
    /// What is left, and why.
    pub refusals: Vec<PlannedRefusal>,
    /// What is only reported.
    pub findings: Vec<PlannedFinding>,
    /// Every changed place of the original; owners are indices into `rewrites`.
    pub hunks: Vec<Hunk>,
    /// The rewritten Dockerfile.
    pub result: Vec<u8>,
    /// The context's `.dockerignore`, where it changes.
    pub ignore_file: Option<IgnoreFile>,
    /// Why BuildKit refuses the file; it is left alone then.
    pub refused: Option<String>,
    /// What the run wants to say about itself: a skipped file, an unreadable manifest.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether anything would be written.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        !self.hunks.is_empty() || self.ignore_file.is_some()
    }
}

/// A rewrite, in terms of the original.
#[derive(Clone, Debug)]
pub struct PlannedRewrite {
    /// Stable name.
    pub id: RewriteId,
    /// Rewrites of one component are applied together: they touch the same places.
    pub component: usize,
    /// The rule that proposed it.
    pub rule: &'static RuleMeta,
    /// First and last line of the original that it is about, counted from 1.
    pub lines: (usize, usize),
    /// One sentence.
    pub reason: String,
    /// What it saves at least.
    pub saves: Estimate,
    /// What it declares to change in the runtime contract.
    pub changes: Vec<Change>,
    /// Edits of the original that it takes part in.
    pub edits: Vec<Edit>,
    /// Lines that it needs in `.dockerignore`.
    pub ignore: Vec<IgnoreLine>,
}

/// A rewrite that is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRefusal {
    /// The rule that looked.
    pub rule: &'static RuleMeta,
    /// First and last line of the original, counted from 1.
    pub lines: (usize, usize),
    /// Why.
    pub reason: String,
    /// What would lift it, if anything.
    pub remedy: String,
}

/// Something that is only reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFinding {
    /// The rule that looked.
    pub rule: &'static RuleMeta,
    /// First and last line of the original, counted from 1.
    pub lines: (usize, usize),
    /// What.
    pub message: String,
    /// What to do about it, if anything.
    pub remedy: String,
}

/// A `.dockerignore` that is written or extended.
#[derive(Clone, Debug)]
pub struct IgnoreFile {
    /// Path in the context: `.dockerignore`, or `NAME.dockerignore` where that is the one that applies.
    pub path: String,
    /// Its bytes now; none when it does not exist.
    pub before: Option<Vec<u8>>,
    /// Its bytes afterwards.
    pub after: Vec<u8>,
    /// The lines that are added.
    pub added: Vec<IgnoreLine>,
    /// Files and bytes of the context now.
    pub context_before: (u64, u64),
    /// Files and bytes of the context afterwards.
    pub context_after: (u64, u64),
}
