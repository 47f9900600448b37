//! A container that is started, looked at, stopped and removed.

use std::collections::BTreeSet;
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
    /// Paths in the container at which new volumes are mounted; they go with it.
    pub volumes: Vec<String>,
    /// The network that it joins, and the name that it has there.
    pub network: Option<(String, String)>,
    /// `linux/arm64`; the engine's own without it.
    pub platform: Option<String>,
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
        for path in &start.volumes {
            words.extend(["--volume".to_owned(), path.clone()]);
        }
        if let Some((network, alias)) = &start.network {
            words.extend(["--network".to_owned(), network.clone()]);
            words.extend(["--network-alias".to_owned(), alias.clone()]);
        }
        if let Some(platform) = &start.platform {
            words.extend(["--platform".to_owned(), platform.clone()]);
        }
        words.push(image.to_owned());
        words.extend(start.args.iter().cloned());
        // On failure the container exists nevertheless: dropping it removes it.
        match self.ask(&words, SHORT) {
            Ok(_) => Ok(container),
            Err(error) => Err(self.explained(error)),
        }
    }

    /// A network of its own for containers that talk to each other.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn network(&self) -> Result<Network<'_>, BuildError> {
        let network = Network {
            builder: self,
            name: fresh_name("docker-diet-"),
        };
        self.ask(&["network", "create", &network.name], SHORT)?;
        Ok(network)
    }
}

/// A network; it is removed when this value is dropped.
#[derive(Debug)]
pub struct Network<'b> {
    builder: &'b Builder,
    name: String,
}

impl Network<'_> {
    /// The name under which the engine knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        // Nothing can be done about an engine that went away; its networks are named `docker-diet-…`.
        let _ = self.builder.tidy(&["network", "rm", &self.name]);
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

    /// Whether process `pid` of this machine is the container's. A remote engine's process number may be anybody's here,
    /// so the process has to be in the container's control group.
    fn is_here(&self, pid: u32) -> bool {
        let Ok(id) = self.ask(&["inspect", "--format", "{{.Id}}"]) else {
            return false;
        };
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        !id.trim().is_empty() && groups.contains(id.trim())
    }

    /// The TCP ports on which something in the container listens for others than itself. None when they cannot be seen:
    /// the engine is elsewhere, and the image has no `cat`.
    #[must_use]
    pub fn listening(&self) -> Option<BTreeSet<u16>> {
        let pid = self
            .state()
            .ok()
            .map(|state| state.pid)
            .filter(|pid| *pid > 0)?;
        let tables = if self.is_here(pid) {
            let table = |name| fs::read_to_string(format!("/proc/{pid}/net/{name}"));
            table("tcp").ok()? + &table("tcp6").unwrap_or_default()
        } else {
            let words = ["exec", &self.name, "cat", "/proc/net/tcp", "/proc/net/tcp6"];
            self.builder.ask(&words, SHORT).ok()?.stdout.text()
        };
        Some(tables.lines().filter_map(listener).collect())
    }

    /// Runs a command in the container: its exit code and what it wrote, or why the engine could not run it.
    ///
    /// # Errors
    /// When the engine has gone, or a stop is wished.
    pub fn run(
        &self,
        words: &[String],
        limit: Duration,
    ) -> Result<(Option<i32>, String), BuildError> {
        let mut call = vec!["exec".to_owned(), self.name.clone()];
        call.extend(words.iter().cloned());
        let ended = match self.builder.call(&call, limit) {
            Err(BuildError::TimedOut { .. }) => return Ok((None, String::new())),
            ended => ended?,
        };
        let said = ended.stdout.text() + &ended.stderr.text();
        Ok((ended.status.code(), said))
    }

    /// Where the engine's machine is this one, and has no `ps`.
    fn user_by_proc(&self, pid: u32) -> Option<u32> {
        if !self.is_here(pid) {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        // Real, effective, saved, file system: the effective one counts.
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// The user id that USER of the image, `user` or `user:group`, stands for: a name is looked up in the container's
    /// own `/etc/passwd`. None when it is not there.
    #[must_use]
    pub fn id_of(&self, user: &str) -> Option<u32> {
        let user = user.split(':').next().unwrap_or_default();
        if user.is_empty() {
            return Some(0);
        }
        if let Ok(id) = user.parse() {
            return Some(id);
        }
        let from = format!("{}:/etc/passwd", self.name);
        let said = self.builder.ask(&["cp", &from, "-"], SHORT).ok()?;
        let accounts = String::from_utf8_lossy(first_file(said.stdout.bytes())?).into_owned();
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == user;
            found.then(|| fields.nth(1)?.parse().ok()).flatten()
        })
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
        let _ = self.builder.tidy(&words);
    }
}

/// The port of a line of `/proc/net/tcp` whose socket listens to more than the loopback.
fn listener(line: &str) -> Option<u16> {
    const LISTEN: &str = "0A";
    let mut cells = line.split_whitespace().skip(1);
    let (address, port) = cells.next()?.split_once(':')?;
    let (_, state) = (cells.next()?, cells.next()?);
    // Words of the address are in the machine's order: 127.0.0.1 ends with 7F, ::1 with 01000000.
    let loopback = match address.len() {
        8 => address.ends_with("7F"),
        _ => address == "00000000000000000000000001000000" || address.ends_with("FFFF00000100007F"),
    };
    (state == LISTEN && !loopback).then(|| u16::from_str_radix(port, 16).ok())?
}

/// The contents of the first regular file of a tar archive.
fn first_file(archive: &[u8]) -> Option<&[u8]> {
    const BLOCK: usize = 512;
    let mut at = 0;
    loop {
        let header = archive.get(at..at + BLOCK)?;
        let size = std::str::from_utf8(&header[124..136]).ok()?;
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
        let start = at + BLOCK;
        if matches!(header[156], b'0' | 0) {
            return archive.get(start..start.checked_add(size)?);
        }
        // Extended headers and folders come before.
        at = start.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar archive with an entry of this kind.
    fn entry(kind: u8, contents: &[u8]) -> Vec<u8> {
        let mut block = vec![0; 512];
        block[..6].copy_from_slice(b"passwd");
        block[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
        block[156] = kind;
        block.extend_from_slice(contents);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }

    #[test]
    fn ports_that_others_reach() {
        let table = "  sl  local_address rem_address   st\n\
            0: 00000000:1F90 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:0BB8 00000000:0000 0A 00000000:00000000\n\
            2: 0200A8C0:A1B2 0300A8C0:0050 01 00000000:00000000\n\
            3: 00000000000000000000000000000000:0050 0000 0A 0\n\
            4: 00000000000000000000000001000000:0051 0000 0A 0\n";
        let ports: Vec<u16> = table.lines().filter_map(listener).collect();
        assert_eq!(ports, [8080, 80]);
    }

    #[test]
    fn the_first_file_of_an_archive_is_found_behind_extended_headers() {
        let mut archive = entry(b'x', &[b'p'; 600]);
        archive.extend(entry(b'0', b"app:x:10001:10001::/home/app:/bin/sh\n"));
        let found = first_file(&archive).expect("it is there");
        assert!(found.starts_with(b"app:x:10001") && found.ends_with(b"sh\n"));
    }

    #[test]
    fn what_is_no_archive_gives_nothing() {
        assert_eq!(first_file(b""), None);
        assert_eq!(first_file(&[b'?'; 2000]), None);
        let mut cut = entry(b'0', &[b'a'; 600]);
        cut.truncate(700);
        assert_eq!(first_file(&cut), None);
        let mut endless = entry(b'x', b"");
        endless[124..136].copy_from_slice(b"77777777777\0");
        assert_eq!(first_file(&endless), None);
    }
}
