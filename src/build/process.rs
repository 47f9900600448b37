//! A program is run for a bounded time, and the end of what it prints is kept.

use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::BuildError;

/// Of each stream, this many bytes are kept: its end.
const KEPT: usize = 1 << 20;
/// How often a running program is looked at.
const BEAT: Duration = Duration::from_millis(10);
/// Once the program has ended, its streams are awaited no longer than this: a grandchild may hold them open.
const GRACE: Duration = Duration::from_secs(2);
/// A program that is told to end has this long before it is killed.
const PATIENCE: Duration = Duration::from_secs(3);

/// The end of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    bytes: Vec<u8>,
    /// How many bytes the stream had.
    pub length: u64,
}

impl Tail {
    /// The kept bytes as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The kept bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        // Dropped in large steps, so that a long log is not moved once for every read.
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
        }
    }
}

/// A wish of the user to stop, seen by every call that takes long.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that is never wished.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Wishes it when the flag is set, by a signal for instance.
    #[must_use]
    pub fn on(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// Whether it is wished.
    #[must_use]
    pub fn wished(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a program that ended has left.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Tail,
    pub(super) stderr: Tail,
    pub(super) elapsed: Duration,
}

impl Ended {
    /// What the program said last, on one line.
    pub(super) fn message(&self) -> String {
        let last = |stream: &Tail| {
            let text = stream.text();
            let mut said = text.lines().map(str::trim);
            said.rfind(|line| !line.is_empty() && !line.starts_with("Run 'docker"))
                .map(str::to_owned)
        };
        // `docker run` writes the name of the container that it could not start to standard output.
        let last = last(&self.stderr).or_else(|| last(&self.stdout));
        last.unwrap_or_else(|| "it said nothing".to_owned())
    }
}

/// Runs `command` for at most `limit`.
///
/// # Errors
/// When it cannot be started, has not ended in time, or a stop is wished; it is ended then, with all that it started.
pub(super) fn run(
    command: &mut Command,
    limit: Duration,
    stop: &Stop,
) -> Result<Ended, BuildError> {
    run_watched(command, limit, stop, &mut |_| {})
}

/// As [`run`]; `watch` sees what is written to standard error as it comes, and nothing several times a second.
pub(super) fn run_watched(
    command: &mut Command,
    limit: Duration,
    stop: &Stop,
    watch: &mut dyn FnMut(&[u8]),
) -> Result<Ended, BuildError> {
    let started = Instant::now();
    let mut child = spawn(command)?;
    let (sender, receiver) = sync_channel(64);
    collect(child.stdout.take(), Stream::Out, &sender);
    collect(child.stderr.take(), Stream::Error, &sender);
    drop(sender);
    let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match receiver.recv_timeout(BEAT) {
            Ok((Stream::Out, bytes)) => stdout.push(&bytes),
            Ok((Stream::Error, bytes)) => {
                stderr.push(&bytes);
                watch(&bytes);
            }
            Err(RecvTimeoutError::Timeout) => watch(&[]),
            Err(RecvTimeoutError::Disconnected) if ended.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(BEAT),
        }
        match ended {
            Some((_, at)) if at.elapsed() > GRACE => break,
            Some(_) => {}
            None => ended = look(&mut child, command, started, limit, stop)?,
        }
    }
    let Some((status, at)) = ended else {
        return Err(BuildError::Interrupted);
    };
    Ok(Ended {
        status,
        stdout,
        stderr,
        elapsed: at - started,
    })
}

/// Runs `command` and hands its standard output to `read`; what it says on standard error goes into the error.
///
/// # Errors
/// As [`run`]; when it fails; when `read` does.
pub(super) fn stream<T: Send>(
    command: &mut Command,
    limit: Duration,
    stop: &Stop,
    read: impl FnOnce(ChildStdout) -> io::Result<T> + Send,
) -> Result<T, BuildError> {
    let started = Instant::now();
    let mut child = spawn(command)?;
    let Some(stdout) = child.stdout.take() else {
        return Err(BuildError::Interrupted);
    };
    let (sender, receiver) = sync_channel(64);
    collect(child.stderr.take(), Stream::Error, &sender);
    drop(sender);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(stdout));
        let status = loop {
            match look(&mut child, command, started, limit, stop)? {
                Some((status, _)) => break status,
                // A reader that gives up must not leave the program waiting for it: the pipe is closed by now.
                None => thread::sleep(BEAT),
            }
        };
        let result = reader.join();
        let mut stderr = Tail::default();
        while let Ok((_, bytes)) = receiver.recv_timeout(GRACE) {
            stderr.push(&bytes);
        }
        let ended = Ended {
            status,
            stdout: Tail::default(),
            stderr,
            elapsed: started.elapsed(),
        };
        match result {
            Ok(Ok(made)) if status.success() => Ok(made),
            Ok(Err(error)) if status.success() || ended.stderr.length == 0 => {
                Err(BuildError::Answer {
                    call: call(command),
                    message: error.to_string(),
                })
            }
            _ => Err(BuildError::Engine {
                call: call(command),
                message: ended.message(),
            }),
        }
    })
}

/// The program and its first arguments, as messages show them.
pub(super) fn call(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.truncate(3);
    words.join(" ")
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Error,
}

fn spawn(command: &mut Command) -> Result<Child, BuildError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // In a group of its own: Ctrl-C in a terminal reaches this process alone, and it ends the whole group in its turn.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command.spawn().map_err(|error| BuildError::Engine {
        call: call(command),
        message: match error.kind() {
            io::ErrorKind::NotFound => "not installed".to_owned(),
            io::ErrorKind::PermissionDenied => "you may not run it".to_owned(),
            _ => error.to_string(),
        },
    })
}

fn collect(
    stream: Option<impl Read + Send + 'static>,
    which: Stream,
    sender: &SyncSender<(Stream, Vec<u8>)>,
) {
    let Some(mut stream) = stream else { return };
    let sender = sender.clone();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => {
                    // Nobody may be waiting any more.
                    if sender.send((which, buffer[..read].to_vec())).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
}

/// The status of a program that has ended, and when that was seen; it is ended when its time is over.
fn look(
    child: &mut Child,
    command: &Command,
    started: Instant,
    limit: Duration,
    stop: &Stop,
) -> Result<Option<(ExitStatus, Instant)>, BuildError> {
    let interrupted = stop.wished();
    match child.try_wait() {
        Ok(Some(status)) => Ok(Some((status, Instant::now()))),
        Ok(None) if !interrupted && started.elapsed() < limit => Ok(None),
        Ok(None) | Err(_) => {
            end(child);
            Err(match interrupted {
                true => BuildError::Interrupted,
                false => BuildError::TimedOut {
                    call: call(command),
                    limit,
                },
            })
        }
    }
}

/// Ends a program with all that it started: it may tidy up first.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = Pid::from_child(child);
        // It fails only for a group that is gone.
        let _ = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
            thread::sleep(BEAT);
        }
        let _ = kill_process_group(group, Signal::KILL);
    }
    // Both fail only for a child that has ended by now.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let started = Instant::now();
        let error = run(
            &mut sh("sleep 60"),
            Duration::from_millis(100),
            &Stop::never(),
        )
        .expect_err("it hangs");
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(
            error.to_string(),
            "`/bin/sh -c sleep 60` did not end within 0 s"
        );
    }

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        let script = "head -c 5000000 /dev/zero; echo the end";
        let ended = run(&mut sh(script), Duration::from_secs(30), &Stop::never()).expect("it ends");
        assert_eq!(ended.stdout.length, 5_000_008);
        assert!(ended.stdout.text().ends_with("the end\n"));
        assert!(ended.stdout.bytes.len() <= 2 * KEPT);
    }

    #[test]
    fn a_missing_program_is_named() {
        let mut command = Command::new("/no/such/engine");
        let error = run(
            command.arg("version"),
            Duration::from_secs(5),
            &Stop::never(),
        )
        .expect_err("no program");
        assert_eq!(
            error.to_string(),
            "`/no/such/engine version` failed: not installed"
        );
    }

    #[test]
    fn a_grandchild_that_keeps_the_stream_open_is_not_awaited() {
        let started = Instant::now();
        let ended = run(
            &mut sh("sleep 30 & exit 3"),
            Duration::from_secs(20),
            &Stop::never(),
        )
        .expect("it ends");
        assert_eq!(ended.status.code(), Some(3));
        assert!(started.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mark = folder.path().join("mark");
        let script = format!("(sleep 2; touch {}) & sleep 60", mark.display());
        run(&mut sh(&script), Duration::from_millis(200), &Stop::never()).expect_err("it hangs");
        thread::sleep(Duration::from_millis(2500));
        assert!(!mark.exists(), "the grandchild went on");
    }

    #[test]
    fn a_stop_that_is_wished_ends_a_call() {
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Stop::on(Arc::clone(&flag));
        let started = Instant::now();
        let waker = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            flag.store(true, Ordering::Relaxed);
        });
        let error = run(&mut sh("sleep 60"), Duration::from_secs(50), &stop).expect_err("stopped");
        assert!(matches!(error, BuildError::Interrupted), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
        waker.join().expect("it ended");
    }

    #[test]
    fn errors_are_seen_as_they_come() {
        let mut seen = String::new();
        let mut watch = |bytes: &[u8]| seen.push_str(&String::from_utf8_lossy(bytes));
        let mut command = sh("echo one >&2; echo two >&2; echo out");
        run_watched(
            &mut command,
            Duration::from_secs(20),
            &Stop::never(),
            &mut watch,
        )
        .expect("it ends");
        assert_eq!(seen, "one\ntwo\n");
    }

    #[test]
    fn a_stream_is_read_while_the_program_runs() {
        let limit = Duration::from_secs(20);
        let never = Stop::never();
        let count = |mut out: ChildStdout| io::copy(&mut out, &mut io::sink());
        let read = stream(&mut sh("head -c 3000000 /dev/zero"), limit, &never, count);
        assert_eq!(read.expect("it ends"), 3_000_000);
        let failed = stream(
            &mut sh("echo no such image >&2; exit 1"),
            limit,
            &never,
            count,
        );
        let failed = failed.expect_err("it fails").to_string();
        assert_eq!(
            failed,
            "`/bin/sh -c echo no such image >&2; exit 1` failed: no such image"
        );
        let started = Instant::now();
        let hangs = stream(
            &mut sh("sleep 60"),
            Duration::from_millis(200),
            &never,
            count,
        );
        assert!(
            matches!(hangs, Err(BuildError::TimedOut { .. })),
            "{hangs:?}"
        );
        assert!(started.elapsed() < limit);
    }
}
