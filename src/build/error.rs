//! What goes wrong with an engine.

use std::path::PathBuf;
use std::time::Duration;

/// Why an image could not be built, started or asked.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No engine answers.
    #[error("no container engine answers ({}); {}", tried.join("; "), remedy(tried))]
    NoEngine {
        /// For every program that was tried: its name and what it said.
        tried: Vec<String>,
    },
    /// The build failed.
    #[error("the build failed: {}", last_lines(log))]
    Failed {
        /// The end of the build log.
        log: String,
    },
    /// A call took longer than it may.
    #[error("`{call}` did not end within {} s", limit.as_secs())]
    TimedOut {
        /// The program and its first arguments.
        call: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The engine has gone in the middle.
    #[error("{builder} went away in the middle: {message}; start it again, and run this again")]
    Gone {
        /// The name of the program.
        builder: &'static str,
        /// What it says now.
        message: String,
    },
    /// The engine's disk is full.
    #[error(
        "the engine's disk is full: {message}; make room, with `{builder} system prune` for instance"
    )]
    DiskFull {
        /// The name of the program.
        builder: &'static str,
        /// What it said.
        message: String,
    },
    /// The user wished it to stop.
    #[error("interrupted")]
    Interrupted,
    /// The engine refused a call.
    #[error("`{call}` failed: {message}")]
    Engine {
        /// The program and its first arguments.
        call: String,
        /// What it said last.
        message: String,
    },
    /// The builder cannot do what was asked.
    #[error("{builder} cannot {what}; use docker or podman")]
    Unsupported {
        /// Its name.
        builder: &'static str,
        /// What it cannot do.
        what: &'static str,
    },
    /// The engine's answer is not understood.
    #[error("the answer of `{call}` is not understood: {message}")]
    Answer {
        /// The program and its first arguments.
        call: String,
        /// What is wrong with it.
        message: String,
    },
    /// A scratch file could not be written.
    #[error("cannot prepare {}: {source}", path.display())]
    Scratch {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What helps when no engine answers.
fn remedy(tried: &[String]) -> &'static str {
    if tried.iter().any(|said| said.contains("permission denied")) {
        "you may not use it: join the group `docker`, or use podman"
    } else {
        "start one, or point DOCKER_HOST at it"
    }
}

/// The last lines of a build log, in which builders say what went wrong.
pub(super) fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// The line of a build log that says why it failed.
pub(super) fn reason(log: &str) -> String {
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rfind(|line| line.starts_with("ERROR:") || line.starts_with("Error:"));
    let error = error
        .or_else(|| lines().next_back())
        .unwrap_or("it said nothing");
    error
        .trim_start_matches("ERROR:")
        .trim_start_matches("Error:")
        .trim()
        .to_owned()
}
