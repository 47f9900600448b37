//! How far a long run is, on the terminal of standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// So many files are done before anyone wonders.
const FROM: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// A line that is rewritten as files are finished.
pub(super) struct Progress {
    files: usize,
    shown: Option<Instant>,
    wanted: bool,
}

impl Progress {
    /// For a run over `files` files.
    pub(super) fn new(files: usize, quiet: bool) -> Self {
        Self {
            files,
            shown: None,
            wanted: files > FROM && !quiet && io::stderr().is_terminal(),
        }
    }

    /// Says that `done` files are finished, at most ten times a second.
    pub(super) fn step(&mut self, done: u64) {
        if self.wanted && self.shown.is_none_or(|shown| shown.elapsed() > PAUSE) {
            // A terminal that goes away takes no progress line; nothing depends on it.
            let _ = write!(io::stderr(), "\r\x1b[2K{done} of {} files", self.files);
            self.shown = Some(Instant::now());
        }
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
