//! What the user asked for, as rules see it.

use std::collections::BTreeMap;

/// How far a rewrite may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The image holds the same files but for caches, and starts the same way.
    Safe,
    /// Stages, bases, user, exec form, `.dockerignore`, where the preconditions are shown.
    #[default]
    Standard,
    /// What is usually right but not shown.
    Aggressive,
}

impl Level {
    /// `safe`, `standard`, `aggressive`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Safe => "safe",
            Level::Standard => "standard",
            Level::Aggressive => "aggressive",
        }
    }
}

/// How unpinned bases are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pin {
    /// Reported only.
    #[default]
    Report,
    /// The catalog's current version is written.
    Version,
}

/// Whether the build is known to be BuildKit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UseBuildkit {
    /// Mounts and `--link` are used where nothing in the repository speaks against it.
    #[default]
    Auto,
    /// Never.
    Never,
}

/// Which families of bases are preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BaseFamilies {
    /// Docker's official images and distroless.
    #[default]
    Official,
    /// Chainguard's.
    Chainguard,
}

/// Settings of one run over one Dockerfile.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rules above this level stay silent.
    pub level: Level,
    /// Rules switched on or off by name, whatever their level.
    pub rules: BTreeMap<String, bool>,
    /// The stage that `docker build --target` names.
    pub target: Option<String>,
    /// Preferred bases.
    pub bases: BaseFamilies,
    /// The registry path that mirrors `gcr.io/distroless`, if any.
    pub distroless_mirror: Option<String>,
    /// Unpinned bases.
    pub pin: Pin,
    /// The date of the run, `YYYY-MM-DD`: what is past its end of life is judged by it. Without one the date of the
    /// catalog's own rows is taken, so that the same catalog gives the same answer on every day.
    pub today: Option<String>,
    /// BuildKit or not.
    pub buildkit: UseBuildkit,
    /// Whether cache mounts are written.
    pub cache_mounts: bool,
    /// Name of the user that is created where the image has none; the rule's own choice without one.
    pub user_name: Option<String>,
    /// Its numeric id.
    pub user_id: Option<u32>,
    /// What the repository says about this image outside the Dockerfile.
    pub usage: Usage,
}

impl Settings {
    /// The stages that are built by name.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        self.target
            .iter()
            .chain(&self.usage.targets)
            .cloned()
            .collect()
    }
}

/// How the image is used, as far as Compose files, CI steps and manifests tell.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Stages that a Compose or Bake file names as `target:`: each of them ships.
    pub targets: Vec<String>,
    /// Commands that override CMD or run in the container (Compose `command:`, healthchecks, Kubernetes, CI), each as one shell text.
    pub commands: Vec<String>,
    /// Files of the repository that build with a builder without BuildKit.
    pub legacy_builders: Vec<String>,
    /// Paths in the container on which something is mounted (Compose `volumes:`).
    pub mounts: Vec<String>,
    /// Users as which the container is started instead of USER (Compose `user:`), as written.
    pub users: Vec<String>,
    /// Whether a Kubernetes manifest asks for `runAsNonRoot`, which is granted to numbers alone.
    pub numeric_user: bool,
    /// The other Dockerfiles that are built with the same context and the same `.dockerignore`, as bytes.
    pub siblings: Vec<Vec<u8>>,
}
