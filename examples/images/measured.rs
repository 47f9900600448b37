//! What was measured of a sample, kept between runs.

use std::fmt;
use std::fs;
use std::path::Path;

use docker_diet::build::BuildError;
use docker_diet::build::verify::Examined;
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
    /// What the comparison of the two found wrong with the result.
    #[serde(default)]
    pub(crate) faults: Vec<String>,
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
    pub(crate) fn of(seen: &Examined, objection: Option<String>) -> Self {
        let ran = seen.ran.as_ref();
        let stopped = ran.and_then(|ran| ran.stopped);
        Self {
            size: Some(seen.size()),
            rebuild: seen.rebuild.map(|rebuild| rebuild.elapsed.as_secs_f64()),
            user: ran.and_then(|ran| ran.user_id),
            configured: seen.image.config.user.clone(),
            stop: stopped.map(|stopped| stopped.elapsed.as_secs_f64()),
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
