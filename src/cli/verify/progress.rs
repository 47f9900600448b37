//! What is built at the moment, and for how long: one line of a terminal, or a line for every phase.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::build::verify::Step;
use crate::report::printable;

const PAUSE: Duration = Duration::from_millis(100);

/// Tells how far a verification is.
pub(super) struct Progress {
    terminal: bool,
    quiet: bool,
    width: usize,
    /// Which image.
    image: String,
    phase: &'static str,
    /// The step of the build.
    step: String,
    /// The beginning of a line whose end has not come yet.
    open: Vec<u8>,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    pub(super) fn new(quiet: bool, width: Option<usize>) -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            quiet,
            width: width.unwrap_or(80),
            image: String::new(),
            phase: "",
            step: String::new(),
            open: Vec::new(),
            started: Instant::now(),
            shown: None,
        }
    }

    /// Goes on to the next image.
    pub(super) fn image(&mut self, name: &str) {
        self.image = name.to_owned();
        self.phase = "";
        self.started = Instant::now();
    }

    pub(super) fn step(&mut self, step: Step<'_>) {
        let (phase, log) = match step {
            Step::Build(log) => ("building", log),
            Step::Read => ("looking into it", &[][..]),
            Step::Run => ("starting and asking it", &[][..]),
            Step::Rebuild(log) => ("building it again after an edit", log),
        };
        if phase != self.phase {
            self.phase = phase;
            self.step.clear();
            self.shown = None;
            if !self.terminal && !self.quiet {
                let elapsed = self.started.elapsed().as_secs();
                // A reader that goes away takes no progress; nothing depends on it.
                let _ = writeln!(io::stderr(), "{}: {phase} ({elapsed} s)", self.image);
            }
        }
        self.read(log);
        if self.terminal && !self.quiet && self.shown.is_none_or(|shown| shown.elapsed() > PAUSE) {
            let elapsed = self.started.elapsed().as_secs();
            let line = format!(
                "{}: {phase} {}:{:02}  {}",
                self.image,
                elapsed / 60,
                elapsed % 60,
                printable(self.step.as_bytes())
            );
            let line: String = line.chars().take(self.width.saturating_sub(1)).collect();
            let _ = write!(io::stderr(), "\r\x1b[2K{line}");
            self.shown = Some(Instant::now());
        }
    }

    /// Takes the step out of a build log: `#7 [build 3/5] RUN npm ci`, `STEP 3/5: RUN npm ci`.
    fn read(&mut self, log: &[u8]) {
        for byte in log {
            if *byte != b'\n' {
                self.open.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.open).into_owned();
            self.open.clear();
            let step = line
                .strip_prefix('#')
                .and_then(|line| line.split_once(' '))
                .map(|(_, rest)| rest)
                .filter(|rest| rest.starts_with('['))
                .or_else(|| line.starts_with("STEP ").then_some(line.as_str()));
            if let Some(step) = step {
                self.step = step.to_owned();
            }
        }
        // A line without an end is no reason to grow.
        self.open.truncate(1 << 16);
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        if self.terminal && self.shown.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_taken_from_the_log_as_it_comes() {
        let mut progress = Progress::new(true, None);
        progress.step(Step::Build(b"#5 [build 2/4] RUN np"));
        assert_eq!(progress.step, "");
        progress.step(Step::Build(b"m ci\n#5 0.2 added 3 packages\n"));
        assert_eq!(progress.step, "[build 2/4] RUN npm ci");
        progress.step(Step::Build(b"STEP 2/3: COPY . .\n"));
        assert_eq!(progress.step, "STEP 2/3: COPY . .");
    }
}
