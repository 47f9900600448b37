//! What a rule answers.

use crate::text::Edit;

/// One answer of a rule.
#[derive(Clone, Debug)]
pub enum Proposal {
    /// A change.
    Rewrite(Rewrite),
    /// A change that is not made, and why.
    Refusal(Refusal),
    /// Something worth knowing that this rule does not change.
    Finding(Finding),
}

/// A change of the Dockerfile: applied whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// Index of the instruction that it is about, in the current text.
    pub anchor: usize,
    /// Edits of the current text; they do not overlap.
    pub edits: Vec<Edit>,
    /// One sentence for the report: what is done and why, lower case, no final full stop.
    pub reason: String,
    /// What it saves, as far as the catalog knows.
    pub saves: Estimate,
    /// What changes in the runtime contract of the image; everything else must stay.
    pub changes: Vec<Change>,
    /// Lines that `.dockerignore` must hold for this rewrite to be right.
    pub ignore: Vec<IgnoreLine>,
}

/// A change that is not made.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Index of the instruction that it is about, in the current text.
    pub anchor: usize,
    /// Why, in the user's terms: `line 7 runs ./setup.sh, which could write anywhere`.
    pub reason: String,
    /// What would lift it; empty when nothing the user can do would.
    pub remedy: String,
}

/// Something worth knowing.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Index of the instruction that it is about, in the current text.
    pub anchor: usize,
    /// What, lower case, no final full stop.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// At least this much is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Bytes of the image on disk.
    pub image: u64,
    /// Bytes of the build context.
    pub context: u64,
}

/// A field of the image configuration whose new value a rewrite declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// CMD.
    Cmd,
    /// ENTRYPOINT.
    Entrypoint,
    /// ENV.
    Env,
    /// USER.
    User,
    /// WORKDIR.
    Workdir,
    /// LABEL.
    Labels,
    /// EXPOSE.
    Ports,
    /// VOLUME.
    Volumes,
    /// HEALTHCHECK.
    Healthcheck,
    /// STOPSIGNAL.
    StopSignal,
    /// SHELL.
    Shell,
}

/// A line of `.dockerignore`, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IgnoreLine {
    /// The pattern.
    pub pattern: String,
    /// Why it is needed, for the report.
    pub reason: String,
}
