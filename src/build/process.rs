//! A program is run for a bounded time, and the end of what it prints is kept.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::BuildError;

/// Of each stream, this many bytes are kept: its end.
const KEPT: usize = 1 << 20;
/// How often a running program is looked at.
const BEAT: Duration = Duration::from_millis(10);
/// Once the program has ended, its streams are awaited no longer than this: a grandchild may hold them open.
const GRACE: Duration = Duration::from_secs(2);

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

    fn read(mut stream: impl Read) -> Self {
        let mut tail = Self::default();
        let mut buffer = [0; 8192];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return tail,
                Ok(read) => tail.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return tail,
            }
        }
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
        let (stderr, stdout) = (self.stderr.text(), self.stdout.text());
        let mut said = stderr.lines().chain(stdout.lines()).map(str::trim);
        let last = said.rfind(|line| !line.is_empty() && !line.starts_with("Run 'docker"));
        last.unwrap_or("it said nothing").to_owned()
    }
}

/// Runs `command` for at most `limit`.
///
/// # Errors
/// When it cannot be started, or has not ended in time; it is killed then.
pub(super) fn run(command: &mut Command, limit: Duration) -> Result<Ended, BuildError> {
    let started = Instant::now();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| BuildError::Engine {
        call: call(command),
        message: error.to_string(),
    })?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let Some(status) = wait(&mut child, started, limit) else {
        return Err(BuildError::TimedOut {
            call: call(command),
            limit,
        });
    };
    let elapsed = started.elapsed();
    Ok(Ended {
        status,
        stdout: stdout.recv_timeout(GRACE).unwrap_or_default(),
        stderr: stderr.recv_timeout(GRACE).unwrap_or_default(),
        elapsed,
    })
}

/// The program and its first arguments, as messages show them.
pub(super) fn call(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.truncate(3);
    words.join(" ")
}

fn collect(stream: Option<impl Read + Send + 'static>) -> Receiver<Tail> {
    let (sender, receiver) = channel();
    if let Some(stream) = stream {
        thread::spawn(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(Tail::read(stream));
        });
    }
    receiver
}

/// The status of `child`, or none when it had to be killed.
fn wait(child: &mut Child, started: Instant, limit: Duration) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if started.elapsed() < limit => thread::sleep(BEAT),
            Ok(None) | Err(_) => {
                // Both fail only for a child that has ended by now.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
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
        let error = run(&mut sh("sleep 60"), Duration::from_millis(100)).expect_err("it hangs");
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(
            error.to_string(),
            "`/bin/sh -c sleep 60` did not end within 0 s"
        );
    }

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        let script = "head -c 5000000 /dev/zero; echo the end";
        let ended = run(&mut sh(script), Duration::from_secs(30)).expect("it ends");
        assert_eq!(ended.stdout.length, 5_000_008);
        assert!(ended.stdout.text().ends_with("the end\n"));
        assert!(ended.stdout.bytes.len() <= 2 * KEPT);
    }

    #[test]
    fn a_missing_program_is_named() {
        let mut command = Command::new("/no/such/engine");
        let error = run(command.arg("version"), Duration::from_secs(5)).expect_err("no program");
        assert_eq!(
            error.to_string(),
            "`/no/such/engine version` failed: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_grandchild_that_keeps_the_stream_open_is_not_awaited() {
        let started = Instant::now();
        let ended = run(&mut sh("sleep 30 & exit 3"), Duration::from_secs(20)).expect("it ends");
        assert_eq!(ended.status.code(), Some(3));
        assert!(started.elapsed() < Duration::from_secs(15));
    }
}
