//! What was measured of a sample, kept between runs.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use docker_diet::build::{BuildError, Observed, Outcome};
use serde::{Deserialize, Serialize};

/// Both images of a sample.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    /// The original; none when its sources are out of reach.
    pub(crate) before: Option<Side>,
    /// The result.
    pub(crate) after: Option<Side>,
    /// The size of the image on which the result's final stage stands, in bytes.
    pub(crate) base: Option<u64>,
}

/// One image.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Side {
    /// Bytes on disk; none when the build failed.
    pub(crate) size: Option<u64>,
    /// Seconds of the build after a source was edited.
    pub(crate) rebuild: Option<f64>,
    /// The user id of process 1.
    pub(crate) user: Option<u32>,
    /// USER of the image.
    pub(crate) configured: String,
    /// Seconds from the stop signal to the end.
    pub(crate) stop: Option<f64>,
    /// Why it is not what was expected.
    pub(crate) objection: Option<String>,
}

impl Side {
    pub(crate) fn of(observed: &Observed, objection: Option<String>) -> Self {
        let (user, stop) = match &observed.outcome {
            Outcome::Service {
                user_id, stopped, ..
            } => (*user_id, stopped.map(|stopped| stopped.elapsed)),
            // A program that has ended has no process to look at: the image's own number says as whom it ran.
            Outcome::Program { .. } | Outcome::NotStarted(_) => {
                (number(&observed.image.config.user), None)
            }
        };
        Self {
            size: Some(observed.image.size),
            rebuild: observed.rebuild.as_ref().map(Duration::as_secs_f64),
            user,
            configured: observed.image.config.user.clone(),
            stop: stop.as_ref().map(Duration::as_secs_f64),
            objection,
        }
    }

    pub(crate) fn failed(error: &BuildError) -> Self {
        Self {
            size: None,
            rebuild: None,
            user: None,
            configured: String::new(),
            stop: None,
            objection: Some(error.to_string()),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, "{} MB, ", size / 1_000_000)?;
        }
        if let Some(rebuild) = self.rebuild {
            write!(f, "again in {rebuild:.1} s, ")?;
        }
        if let Some(stop) = self.stop {
            write!(f, "stops in {stop:.1} s, ")?;
        }
        if let Some(user) = self.user {
            write!(f, "user {user}, ")?;
        }
        f.write_str(self.objection.as_deref().unwrap_or("as expected"))
    }
}

impl Measured {
    /// What was kept of the sample `name`.
    pub(crate) fn load(store: &Path, name: &str) -> Option<Self> {
        let text = fs::read(store.join(format!("{name}.json"))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps it.
    pub(crate) fn save(&self, store: &Path, name: &str) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        fs::write(store.join(format!("{name}.json")), text)
    }
}

/// The user id that USER names, when it is a number or root.
fn number(user: &str) -> Option<u32> {
    match user.split(':').next().unwrap_or_default() {
        "" | "root" => Some(0),
        user => user.parse().ok(),
    }
}
