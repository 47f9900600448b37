//! Proof by building: the original and the rewrite are built, looked into, started and compared.
//!
//! [`examine`] does one image from its build to its end; [`compare`] puts two side by side. Only what is wrong in the
//! rewrite and was right in the original is a [`Fault`].

mod behaviour;
mod blame;
mod command;
mod fault;
mod files;
mod probe;
mod promise;
mod rebuild;
mod run;
mod statics;

pub use blame::{Blame, Budget, Judged, blame};
pub use fault::{Cause, Fault, Seen};
pub use files::{Changed, FileChanges};
pub use probe::{Answered, Probe, ProbeAnswer};
pub use promise::{Field, FieldVerdict, Promise, title};
pub use rebuild::{Edit, Rebuild};
pub use run::{End, Ran, Service, Trial};

use std::time::{Duration, Instant};

use super::contents::Contents;
use super::{BuildError, Builder, Image, Request};

/// A rewrite may grow by so much without being larger: an account is some lines in four files.
const NO_GROWTH: u64 = 200_000;

/// One image to be examined.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The build.
    pub request: Request,
    /// How it is tried; none for an image that is only looked into.
    pub trial: Option<Trial>,
    /// Whether the compressed sizes of its layers are worked out.
    pub measure: bool,
    /// The second build, after an edit.
    pub edit: Option<Edit>,
}

/// What happens to an image at the moment.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// It is built: what came of the log, and nothing several times a second.
    Build(&'a [u8]),
    /// It is looked into.
    Read,
    /// It is started and asked.
    Run,
    /// It is built again after an edit, as [`Step::Build`].
    Rebuild(&'a [u8]),
}

/// Everything that was seen of an image.
#[derive(Debug, Default)]
pub struct Examined {
    /// What the engine says of it.
    pub image: Image,
    /// How long the build took, with whatever the builder had in its cache.
    pub build: Duration,
    /// The name under which the engine keeps it, where it was to be kept.
    pub kept: Option<String>,
    /// What is in it.
    pub contents: Contents,
    /// How long it took to look into it.
    pub read: Duration,
    /// How it ran; none when it was not started.
    pub ran: Option<Ran>,
    /// Why it was not started, if the builder is the reason.
    pub not_run: Option<String>,
    /// What the second build cost.
    pub rebuild: Option<Rebuild>,
}

/// The original and the rewrite side by side.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// What is wrong with the rewrite; nothing when it is as good as the original.
    pub faults: Vec<Fault>,
    /// What is worth knowing and no fault.
    pub remarks: Vec<String>,
    /// Why the proof is weak, if it is: the original dies without its database, or nothing was started.
    pub unproved: Option<String>,
    /// The runtime contract, field by field.
    pub fields: Vec<Field>,
    /// Files that came, went and changed.
    pub files: FileChanges,
}

impl Examined {
    /// Bytes of all layers, uncompressed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.contents.size()
    }
}

/// Builds, looks into, starts and stops `subject`, and builds it again after the edit. Nothing of it stays with the engine
/// but its build cache, unless it is to be `keep`t.
///
/// `before` is the original, if this is the rewrite.
///
/// # Errors
/// When the build fails or the engine goes away. An image that does not start or answer is a part of what is seen.
pub fn examine(
    builder: &Builder,
    subject: &Subject,
    before: Option<&Examined>,
    keep: bool,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Examined, BuildError> {
    examine_while(builder, subject, before, keep, watch, &|_| true)
}

/// As [`examine`]; what was seen of the image alone is shown to `go_on` before it is started.
pub(super) fn examine_while(
    builder: &Builder,
    subject: &Subject,
    before: Option<&Examined>,
    keep: bool,
    watch: &mut dyn FnMut(Step<'_>),
    go_on: &dyn Fn(&Examined) -> bool,
) -> Result<Examined, BuildError> {
    let request = &subject.request;
    let built = builder.build(request, &mut |log| watch(Step::Build(log)))?;
    watch(Step::Read);
    let image = built.inspect()?;
    let started = Instant::now();
    let contents = builder.contents(built.reference(), subject.measure, request.limit)?;
    let mut seen = Examined {
        image,
        build: built.elapsed,
        contents,
        read: started.elapsed(),
        ..Examined::default()
    };
    if let Some(trial) = &subject.trial
        && go_on(&seen)
    {
        watch(Step::Run);
        let like = before.and_then(|before| before.ran.as_ref());
        match run::run(builder, built.reference(), &seen.image, trial, like) {
            Ok(ran) => seen.ran = Some(ran),
            Err(error @ BuildError::Unsupported { .. }) => seen.not_run = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    if let Some(edit) = &subject.edit
        && go_on(&seen)
    {
        seen.rebuild = Some(rebuild::rebuild(builder, edit, &mut |log| {
            watch(Step::Rebuild(log))
        })?);
    }
    if keep {
        seen.kept = Some(built.keep());
    }
    Ok(seen)
}

/// Compares the rewrite with the original.
#[must_use]
pub fn compare(before: &Examined, after: &Examined, promise: &Promise) -> Comparison {
    let (fields, mut faults) = promise.compare(&before.contents, &after.contents);
    faults.extend(statics::faults(&before.contents, &after.contents));
    let mut found = Comparison {
        fields,
        files: files::compare(&before.contents, &after.contents),
        ..Comparison::default()
    };
    match (&before.ran, &after.ran) {
        (Some(was), Some(is)) => {
            let behaviour = behaviour::compare(was, is, promise);
            faults.extend(behaviour.faults);
            found.remarks = behaviour.remarks;
            found.unproved = behaviour.unproved;
        }
        _ => {
            let why = before.not_run.as_deref().unwrap_or("nothing was started");
            found.unproved = Some(why.to_owned());
        }
    }
    let (was, is) = (before.size(), after.size());
    if is > was + NO_GROWTH {
        let message = format!("it is larger than the original by {} bytes", is - was);
        faults.push(Fault::image(Cause::Size, message, "see which layer grew"));
    }
    found.faults = faults;
    found
}

/// What is wrong with the rewrite `subject`, as far as that has to be known: an image that shows a fault is not started.
///
/// # Errors
/// When it cannot be told: the engine goes away, a stop is wished.
pub fn judge(
    builder: &Builder,
    subject: &Subject,
    before: &Examined,
    promise: &Promise,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Judged, BuildError> {
    let go_on = |seen: &Examined| compare(before, seen, promise).faults.is_empty();
    match examine_while(builder, subject, Some(before), false, watch, &go_on) {
        Ok(after) => Ok(Judged {
            faults: compare(before, &after, promise).faults,
        }),
        Err(error) => match build_fault(&error) {
            Some(fault) => Ok(Judged {
                faults: vec![fault],
            }),
            None => Err(error),
        },
    }
}

/// The fault of a rewrite that does not build where the original does; none when the error says nothing about it.
#[must_use]
pub fn build_fault(error: &BuildError) -> Option<Fault> {
    let (message, remedy) = match error {
        BuildError::Failed { log } => (
            format!("it does not build: {}", super::error::reason(log)),
            "the last lines of the log are below",
        ),
        BuildError::TimedOut { limit, .. } => (
            format!(
                "it does not build within {} s, and the original does",
                limit.as_secs()
            ),
            "give it more time with --timeout",
        ),
        _ => return None,
    };
    Some(Fault {
        cause: Cause::Build,
        message,
        remedy: remedy.to_owned(),
        seen: Seen::Build,
    })
}
