//! What is told of each repository, and what a stopped run has finished.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::args::SummaryFormat;
use crate::cli::output::Output;
use crate::forge::{Done, Outcome};
use crate::report::printable;

/// How a repository ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All was done.
    Done,
    /// Nothing was to be done with it, and why.
    Skipped(String),
    /// It was not finished, and why.
    Failed(String),
}

/// What became of one repository.
pub(super) struct RepoReport {
    pub(super) name: String,
    pub(super) ended: Ended,
    pub(super) branches: Vec<Done>,
    pub(super) dockerfiles: usize,
    pub(super) rewrites: usize,
    /// What went wrong on the way without ending it.
    pub(super) notes: Vec<String>,
    pub(super) seconds: f64,
    /// What a dry run would write.
    pub(super) preview: Vec<u8>,
}

impl RepoReport {
    /// A report of which nothing but the end is known.
    pub(super) fn new(name: String, ended: Ended) -> Self {
        Self {
            name,
            ended,
            branches: Vec::new(),
            dockerfiles: 0,
            rewrites: 0,
            notes: Vec::new(),
            seconds: 0.0,
            preview: Vec::new(),
        }
    }

    pub(super) fn json(&self, dry_run: bool) -> Value {
        let (ended, why) = match &self.ended {
            Ended::Done => ("done", None),
            Ended::Skipped(why) => ("skipped", Some(why)),
            Ended::Failed(why) => ("failed", Some(why)),
        };
        let branches: Vec<Value> = self
            .branches
            .iter()
            .map(|done| {
                json!({
                    "branch": done.branch, "outcome": done.outcome.name(), "pull": done.pull,
                    "url": done.url, "notes": done.notes,
                })
            })
            .collect();
        json!({
            "repository": self.name, "ended": ended, "why": why, "dry-run": dry_run,
            "branches": branches, "dockerfiles": self.dockerfiles, "rewrites": self.rewrites,
            "notes": self.notes, "seconds": (self.seconds * 1000.0).round() / 1000.0,
        })
    }
}

/// What is printed while repositories end, and the sums at the end.
pub(super) struct Summary {
    format: SummaryFormat,
    dry_run: bool,
    repositories: u64,
    skipped: u64,
    failed: u64,
    outcomes: BTreeMap<Outcome, u64>,
}

impl Summary {
    pub(super) fn new(format: SummaryFormat, dry_run: bool) -> Self {
        Self {
            format,
            dry_run,
            repositories: 0,
            skipped: 0,
            failed: 0,
            outcomes: BTreeMap::new(),
        }
    }

    /// Whether a repository was not finished.
    pub(super) fn failed(&self) -> bool {
        self.failed > 0
    }

    pub(super) fn tell(&mut self, report: &RepoReport, output: &mut Output) {
        self.repositories += 1;
        match report.ended {
            Ended::Done => {}
            Ended::Skipped(_) => self.skipped += 1,
            Ended::Failed(_) => self.failed += 1,
        }
        for done in &report.branches {
            *self.outcomes.entry(done.outcome).or_default() += 1;
        }
        match self.format {
            SummaryFormat::Json => {
                output.print(format!("{}\n", report.json(self.dry_run)).as_bytes());
            }
            SummaryFormat::Text => self.text(report, output),
        }
        output.flush();
    }

    fn text(&self, report: &RepoReport, output: &mut Output) {
        let view = output.view();
        let name = printable(report.name.as_bytes()).into_owned();
        let mut lines = Vec::new();
        match &report.ended {
            Ended::Failed(why) => output.error(&format!("{name}: {why}")),
            Ended::Skipped(why) if view.verbose => lines.push(format!("skipped, {why}")),
            Ended::Done if view.verbose && report.branches.is_empty() => {
                lines.push(format!(
                    "nothing to do in {} Dockerfiles",
                    report.dockerfiles
                ));
            }
            Ended::Done | Ended::Skipped(_) => {}
        }
        for done in &report.branches {
            if done.outcome == Outcome::Unchanged && !view.verbose {
                continue;
            }
            let would = if self.dry_run { "would be " } else { "" };
            let would = if matches!(done.outcome, Outcome::Unchanged | Outcome::Left) {
                ""
            } else {
                would
            };
            let mut line = format!("{would}{} {}", done.outcome.name(), done.branch);
            if !done.url.is_empty() {
                line.push_str(&format!(" {}", done.url));
            } else if let Some(pull) = done.pull {
                line.push_str(&format!(" #{pull}"));
            }
            for note in &done.notes {
                line.push_str(&format!("; {note}"));
            }
            lines.push(line);
        }
        if view.verbose {
            lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
        }
        if !view.quiet {
            for line in lines {
                output.print(format!("{name}: {}\n", printable(line.as_bytes())).as_bytes());
            }
            output.print(&report.preview);
        }
    }

    pub(super) fn end(&self, requests: u64, output: &mut Output) {
        let counts: Vec<(&str, u64)> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| (outcome.name(), *count))
            .collect();
        match self.format {
            SummaryFormat::Json => {
                let mut run = json!({
                    "repositories": self.repositories, "skipped": self.skipped,
                    "failed": self.failed, "requests": requests, "dry-run": self.dry_run,
                });
                for (name, count) in counts {
                    run[name] = count.into();
                }
                output.print(format!("{}\n", json!({ "run": run })).as_bytes());
            }
            SummaryFormat::Text => {
                let mut line = format!("{} repositories", self.repositories);
                for (name, count) in counts {
                    line.push_str(&format!(", {count} {name}"));
                }
                line.push_str(&format!(
                    "; {} skipped, {} failed; {requests} requests to the forge",
                    self.skipped, self.failed
                ));
                output.remark(&line);
            }
        }
        output.flush();
    }
}

/// The file of `--state`: a line for every repository that is finished, and one at the end of a whole run.
pub(super) struct State {
    path: PathBuf,
    file: File,
    finished: BTreeSet<String>,
}

impl State {
    /// Opens the file. What a run that ended well left in it is forgotten: this is a new run.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let wrong = || format!("cannot write the state {}", path.display());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(wrong),
        };
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut finished = BTreeSet::new();
        let mut ended = false;
        for line in lines {
            ended |= line.get("run").is_some();
            if line.get("ended").and_then(Value::as_str) != Some("failed")
                && let Some(name) = line.get("repository").and_then(Value::as_str)
            {
                finished.insert(name.to_owned());
            }
        }
        if ended {
            finished.clear();
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(wrong)?;
        if ended {
            file.set_len(0).with_context(wrong)?;
        } else if !text.is_empty() && !text.ends_with('\n') {
            // A run that was killed while it wrote a line: that line counts for nothing.
            file.write_all(b"\n").with_context(wrong)?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            finished,
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.finished.contains(name)
    }

    pub(super) fn note(&mut self, report: &RepoReport) -> Result<()> {
        self.line(&report.json(false))
    }

    /// Marks the end of the run.
    pub(super) fn end(mut self) -> Result<()> {
        self.line(&json!({ "run": "ended" }))
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        let line = format!("{value}\n");
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.flush());
        written.with_context(|| format!("cannot write the state {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, ended: Ended) -> RepoReport {
        RepoReport::new(name.to_owned(), ended)
    }

    #[test]
    fn a_stopped_run_goes_on_and_a_finished_one_begins_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state");
        let mut state = State::open(&path).expect("a new file");
        state.note(&report("a/a", Ended::Done)).expect("written");
        state
            .note(&report("a/b", Ended::Failed("x".to_owned())))
            .expect("written");
        drop(state);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.extend_from_slice(b"{\"repository\":\"a/c\",\"en");
        std::fs::write(&path, bytes).expect("written");
        let mut state = State::open(&path).expect("it is read");
        assert!(state.has("a/a") && !state.has("a/b") && !state.has("a/c"));
        let skipped = Ended::Skipped("a fork".to_owned());
        state.note(&report("a/d", skipped)).expect("written");
        drop(state);
        let state = State::open(&path).expect("it is read");
        assert!(state.has("a/a") && state.has("a/d"));
        state.end().expect("written");
        let state = State::open(&path).expect("it is read");
        assert!(!state.has("a/a"));
        assert_eq!(std::fs::metadata(&path).expect("there").len(), 0);
    }
}
