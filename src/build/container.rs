//! A container that is started, looked at, stopped and removed.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::builder::{SHORT, fresh_name};
use super::process::Tail;
use super::{BuildError, Builder, Kind};

/// How a container is started.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Ports in the container that are published on loopback, each on a free port.
    pub ports: Vec<u16>,
    /// `NAME=value`
    pub env: Vec<String>,
    /// What follows the image on the command line: it takes the place of CMD.
    pub args: Vec<String>,
}

/// A container; it is removed, with its anonymous volumes, when this value is dropped.
#[derive(Debug)]
pub struct Container<'b> {
    builder: &'b Builder,
    name: String,
}

/// What the engine says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct State {
    /// Whether process 1 runs.
    pub running: bool,
    /// Its exit code once it has ended.
    pub exit_code: i32,
    /// Its number on the engine's machine, 0 once it has ended.
    pub pid: u32,
    /// Why the container did not start.
    pub error: String,
}

/// How a container ended that was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// From the signal to the end.
    pub elapsed: Duration,
    /// Whether it had to be killed.
    pub killed: bool,
    /// The exit code of process 1.
    pub exit_code: i32,
}

impl Builder {
    /// Starts a container of `image` in the background.
    ///
    /// # Errors
    /// When the engine cannot start it: the program is not there, the user does not exist.
    pub fn start(&self, image: &str, start: &Start) -> Result<Container<'_>, BuildError> {
        if self.kind() == Kind::Buildah {
            return Err(BuildError::Unsupported {
                builder: self.kind().name(),
                what: "start containers",
            });
        }
        let container = Container {
            builder: self,
            name: fresh_name("docker-diet-"),
        };
        let mut words = vec!["run".to_owned(), "--detach".to_owned()];
        words.extend(["--name".to_owned(), container.name.clone()]);
        for port in &start.ports {
            words.extend(["--publish".to_owned(), format!("127.0.0.1::{port}")]);
        }
        for pair in &start.env {
            words.extend(["--env".to_owned(), pair.clone()]);
        }
        words.push(image.to_owned());
        words.extend(start.args.iter().cloned());
        // On failure the container exists nevertheless: dropping it removes it.
        self.ask(&words, SHORT)?;
        Ok(container)
    }
}

impl Container<'_> {
    /// What the engine says of it now.
    ///
    /// # Errors
    /// When the engine has gone, or its answer is not understood.
    pub fn state(&self) -> Result<State, BuildError> {
        let said = self.ask(&["inspect", "--format", "{{json .State}}"])?;
        serde_json::from_str(&said).map_err(|error| BuildError::Answer {
            call: format!("{} inspect", self.builder.kind().name()),
            message: error.to_string(),
        })
    }

    /// Where the published `port` is reached; none while, or when, it is not published.
    ///
    /// # Errors
    /// When the engine has gone.
    pub fn address(&self, port: u16) -> Result<Option<SocketAddr>, BuildError> {
        let words = ["port".to_owned(), self.name.clone(), format!("{port}/tcp")];
        match self.builder.ask(&words, SHORT) {
            Ok(said) => Ok(said
                .stdout
                .text()
                .lines()
                .find_map(|line| line.trim().parse().ok())),
            Err(BuildError::Engine { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The user id of process 1, seen from outside: no program of the image is needed. None when it cannot be seen.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        let pid = self
            .state()
            .ok()
            .map(|state| state.pid)
            .filter(|pid| *pid > 0)?;
        self.user_by_engine(pid).or_else(|| self.user_by_proc(pid))
    }

    /// Docker runs `ps` on the engine's machine; podman has its own table.
    fn user_by_engine(&self, pid: u32) -> Option<u32> {
        let columns: &[&str] = match self.builder.kind() {
            Kind::Docker => &["-eo", "pid,uid"],
            Kind::Podman | Kind::Buildah => &["hpid", "uid"],
        };
        let mut words = vec!["top", &self.name];
        words.extend(columns);
        let said = self.builder.ask(&words, SHORT).ok()?.stdout.text();
        said.lines().find_map(|line| {
            let mut cells = line.split_whitespace();
            let found = cells.next()?.parse::<u32>().ok()? == pid;
            found.then(|| cells.next()?.parse().ok()).flatten()
        })
    }

    /// Where the engine's machine is this one, and has no `ps`. A remote engine's process number may be anybody's here,
    /// so the process has to be in the container's control group.
    fn user_by_proc(&self, pid: u32) -> Option<u32> {
        let id = self.ask(&["inspect", "--format", "{{.Id}}"]).ok()?;
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        if id.trim().is_empty() || !groups.contains(id.trim()) {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        // Real, effective, saved, file system: the effective one counts.
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// The ends of what process 1 wrote to standard output and standard error.
    ///
    /// # Errors
    /// When the engine has gone.
    pub fn logs(&self) -> Result<(Tail, Tail), BuildError> {
        let said = self
            .builder
            .ask(&["logs", "--tail", "2000", &self.name], SHORT)?;
        Ok((said.stdout, said.stderr))
    }

    /// Waits until process 1 has ended, and gives its exit code; none when it still runs after `limit`.
    ///
    /// # Errors
    /// When the engine has gone.
    pub fn wait(&self, limit: Duration) -> Result<Option<i32>, BuildError> {
        let words = ["wait", &self.name];
        match self.builder.ask(&words, limit) {
            Ok(said) => Ok(said.stdout.text().trim().parse().ok()),
            Err(BuildError::TimedOut { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the stop signal of the image, SIGTERM as a rule, and kills the container after `patience`.
    ///
    /// # Errors
    /// When the engine has gone.
    pub fn stop(&self, patience: Duration) -> Result<Stopped, BuildError> {
        let seconds = patience.as_secs().to_string();
        let started = Instant::now();
        let words = ["stop", "--time", &seconds, &self.name];
        self.builder.ask(&words, patience + SHORT)?;
        let elapsed = started.elapsed();
        let exit_code = self.state()?.exit_code;
        Ok(Stopped {
            elapsed,
            killed: exit_code == 128 + 9 && elapsed >= patience,
            exit_code,
        })
    }

    fn ask(&self, words: &[&str]) -> Result<String, BuildError> {
        let mut words = words.to_vec();
        words.push(&self.name);
        Ok(self.builder.ask(&words, SHORT)?.stdout.text())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // Nothing can be done about an engine that went away; its containers are named `docker-diet-…`.
        let words = ["rm", "--force", "--volumes", &self.name];
        let _ = self.builder.ask(&words, SHORT);
    }
}
