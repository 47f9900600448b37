//! `docker-diet pr`: repositories are checked out, judged as `fix` judges them, and their pull requests brought to
//! what came out of it.

mod args;
mod body;
mod propose;
mod repository;
mod settings;
mod summary;
mod targets;
mod verify;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(super) use args::{Per, PrArgs};

use super::output::Output;
use crate::forge::Limits;
use repository::Worker;
use summary::{State, Summary};

/// The main thread's usual stack: deeply nested input must not overflow a worker's smaller one.
const STACK: usize = 8 << 20;

/// Runs the bot; the exit code is 2 when a repository could not be finished.
pub(super) fn run(args: &PrArgs, output: &mut Output) -> Result<ExitCode> {
    verify::available(args)?;
    let (mut targets, place) = targets::find(args)?;
    let mut state = match &args.state {
        Some(path) => Some(State::open(path)?),
        None => None,
    };
    if let Some(state) = &state {
        targets.retain(|target| !state.has(&target.name()));
    }
    let worker = Worker::new(args, place.as_ref())?;
    let mut summary = Summary::new(args.format, args.dry_run);
    let next = AtomicUsize::new(0);
    let (sender, finished) = channel();
    std::thread::scope(|scope| {
        for _ in 0..usize::from(args.jobs).min(targets.len()) {
            let (sender, next, targets, worker) = (sender.clone(), &next, &targets, &worker);
            let thread = std::thread::Builder::new().stack_size(STACK);
            let started = thread.spawn_scoped(scope, move || {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send(worker.work(target)).is_err() {
                        return;
                    }
                }
            });
            started.context("no thread can be started")?;
        }
        drop(sender);
        for report in finished {
            summary.tell(&report, output);
            if let Some(state) = &mut state {
                state.note(&report)?;
            }
        }
        Ok::<(), anyhow::Error>(())
    })?;
    let requests = place.as_ref().map_or(0, |place| place.forge.requests());
    summary.end(requests, output);
    if let Some(state) = state {
        state.end()?;
    }
    Ok(ExitCode::from(if summary.failed() { 2 } else { 0 }))
}

fn limits(args: &PrArgs) -> Limits {
    Limits {
        time: Duration::from_secs(args.git_timeout),
        fetched: args.max_size << 20,
        written: args.max_size << 20,
        ..Limits::default()
    }
}
