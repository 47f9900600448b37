//! One image, started and asked: what it does until it is stopped.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{BuildError, Builder, Container, Image, Network, Reply, Start, Stopped};
use super::probe::{Answered, Probe, ProbeAnswer};

/// How long a container that was told to stop may go on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a container.
const BEAT: Duration = Duration::from_millis(200);
/// A port that is listened on and speaks no HTTP is asked again for so long.
const SETTLE: Duration = Duration::from_secs(4);
/// How long a command inside of the container may take.
const COMMAND: Duration = Duration::from_secs(60);

/// How an image is tried.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// How it is started. Ports are published as probes and EXPOSE ask for it.
    pub start: Start,
    /// What it is asked, in order; without any it is only looked at.
    pub probes: Vec<Probe>,
    /// What runs beside it.
    pub services: Vec<Service>,
    /// How long it may take until the first answer, or until a program has ended.
    pub wait: Duration,
}

/// A container beside the one that is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// The name by which it is reached.
    pub name: String,
    /// Its image.
    pub image: String,
    /// `NAME=value`
    pub env: Vec<String>,
    /// What takes the place of CMD.
    pub args: Vec<String>,
}

/// What was seen of a container.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// How it ended, or that it ran until it was stopped.
    pub end: End,
    /// One answer a probe, up to the first that is none.
    pub answers: Vec<Answered>,
    /// The port that HTTP probes without one went to.
    pub port: Option<u16>,
    /// The ports that others reach; none when they could not be seen.
    pub listening: Option<BTreeSet<u16>>,
    /// The effective user id of process 1; of a program that has ended, that which USER stands for.
    pub user_id: Option<u32>,
    /// From the start to the first answer, or to the end.
    pub elapsed: Option<Duration>,
    /// How it stopped when it was told to.
    pub stopped: Option<Stopped>,
    /// The end of its standard output.
    pub stdout: String,
    /// The end of its standard error.
    pub stderr: String,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The engine could not start it; why.
    NotStarted(String),
    /// Process 1 ended of its own accord, with this code.
    Exited(i32),
    /// It ran until it was stopped.
    #[default]
    Running,
}

impl Ran {
    /// Both ends of what it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.stderr.clone() + &self.stdout
    }
}

/// Starts `image`, asks it, stops it. `like` is what the original did, if this is the rewrite: it is asked at the same
/// port.
///
/// # Errors
/// When the engine goes away, or a stop is wished. An image that does not start is an [`End`].
pub(super) fn run(
    builder: &Builder,
    reference: &str,
    image: &Image,
    trial: &Trial,
    like: Option<&Ran>,
) -> Result<Ran, BuildError> {
    let mut beside = Beside::default();
    let mut start = trial.start.clone();
    if !trial.services.is_empty() {
        beside.start(builder, trial)?;
        let network = beside.network.as_ref();
        start.network = network.map(|network| (network.name().to_owned(), "app".to_owned()));
    }
    let exposed: Vec<u16> = image.config.tcp_ports().collect();
    let known = like.and_then(|ran| ran.port);
    let wanted: BTreeSet<u16> = (trial.probes.iter().filter_map(Probe::port))
        .chain(exposed.iter().copied())
        .chain(known)
        .chain(trial.start.ports.iter().copied())
        .collect();
    start.ports = wanted.into_iter().collect();
    let mut port = known
        .or_else(|| trial.start.ports.first().copied())
        .or_else(|| trial.probes.iter().find_map(Probe::port))
        .or_else(|| exposed.first().copied());
    // An image that exposes nothing is started to see where it listens, and then once more to be asked there.
    if port.is_none() && like.is_none() && trial.probes.iter().any(Probe::wants_port) {
        port = discover(builder, reference, &start, trial)?;
        start.ports.extend(port);
    }
    let container = match builder.start(reference, &start) {
        Ok(container) => container,
        Err(BuildError::Engine { message, .. }) => {
            return Ok(Ran {
                end: End::NotStarted(message),
                port,
                ..Ran::default()
            });
        }
        Err(error) => return Err(error),
    };
    let asking = Asking {
        builder,
        container: &container,
        trial,
        port,
    };
    asking.whole(image)
}

/// The first port on which the image listens before it ends and the time is over.
fn discover(
    builder: &Builder,
    reference: &str,
    start: &Start,
    trial: &Trial,
) -> Result<Option<u16>, BuildError> {
    let container = match builder.start(reference, start) {
        Ok(container) => container,
        Err(BuildError::Engine { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let started = Instant::now();
    while container.state()?.running && started.elapsed() < trial.wait {
        if let Some(port) = container.listening().into_iter().flatten().next() {
            return Ok(Some(port));
        }
        pause(builder)?;
    }
    Ok(None)
}

/// Sleeps, unless a stop is wished.
fn pause(builder: &Builder) -> Result<(), BuildError> {
    if builder.stop().wished() {
        return Err(BuildError::Interrupted);
    }
    thread::sleep(BEAT);
    Ok(())
}

struct Asking<'a> {
    builder: &'a Builder,
    container: &'a Container<'a>,
    trial: &'a Trial,
    port: Option<u16>,
}

impl Asking<'_> {
    fn whole(&self, image: &Image) -> Result<Ran, BuildError> {
        let started = Instant::now();
        let mut ran = Ran {
            port: self.port,
            ..Ran::default()
        };
        let answerable = |probe: &Probe| !probe.wants_port() || self.port.is_some();
        if self.trial.probes.first().is_some_and(answerable) {
            self.probes(&mut ran, started)?;
        } else {
            self.watch(&mut ran, started)?;
        }
        if ran.end == End::Running {
            ran.user_id = self.container.user_id();
            ran.listening = self.container.listening();
            if self.container.state()?.running {
                ran.stopped = Some(self.container.stop(PATIENCE)?);
            }
        } else {
            ran.user_id = self.container.id_of(&image.config.user);
        }
        let (stdout, stderr) = self.container.logs()?;
        ran.stdout = stdout.text();
        ran.stderr = stderr.text();
        Ok(ran)
    }

    /// Looks on until it ends or the time is over.
    fn watch(&self, ran: &mut Ran, started: Instant) -> Result<(), BuildError> {
        while started.elapsed() < self.trial.wait {
            let state = self.container.state()?;
            if !state.running {
                ran.end = End::Exited(state.exit_code);
                ran.elapsed = Some(started.elapsed());
                return Ok(());
            }
            pause(self.builder)?;
        }
        Ok(())
    }

    fn probes(&self, ran: &mut Ran, started: Instant) -> Result<(), BuildError> {
        for (index, probe) in self.trial.probes.iter().enumerate() {
            // Later requests may change what the application holds: they are asked only once.
            let until = match index {
                0 => started + self.trial.wait,
                _ => Instant::now(),
            };
            let Some(answer) = self.probe(probe, until)? else {
                ran.end = End::Exited(self.container.state()?.exit_code);
                ran.elapsed.get_or_insert_with(|| started.elapsed());
                return Ok(());
            };
            let lost = matches!(answer, ProbeAnswer::Silence(_));
            if !lost && ran.elapsed.is_none() {
                ran.elapsed = Some(started.elapsed());
            }
            ran.answers.push(Answered {
                asked: probe.asked(),
                answer,
            });
            if lost {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The answer; none when the container has ended.
    fn probe(&self, probe: &Probe, until: Instant) -> Result<Option<ProbeAnswer>, BuildError> {
        loop {
            if !self.container.state()?.running {
                return Ok(None);
            }
            let why = match self.once(probe)? {
                ProbeAnswer::Silence(why) => why,
                answer => return Ok(Some(answer)),
            };
            if Instant::now() >= until {
                return Ok(Some(ProbeAnswer::Silence(why)));
            }
            pause(self.builder)?;
        }
    }

    fn once(&self, probe: &Probe) -> Result<ProbeAnswer, BuildError> {
        match probe {
            Probe::Tcp { port } => self.tcp(*port),
            Probe::Http { port, query } => {
                let Some(port) = port.or(self.port) else {
                    return Ok(ProbeAnswer::Silence("it listens on no port".to_owned()));
                };
                let asked = Instant::now();
                loop {
                    let queries = std::slice::from_ref(query);
                    let mut replies = self.container.ask_http(port, queries, Duration::ZERO)?;
                    let why = match replies.pop() {
                        Some(Reply::Answer(answer)) => return Ok(ProbeAnswer::Http(answer)),
                        Some(Reply::Silence(why)) => why,
                        Some(Reply::Ended(_)) | None => "it ended".to_owned(),
                    };
                    // The engine takes connections for a port on which nothing listens yet.
                    let open = self.container.listening();
                    if !open.is_some_and(|ports| ports.contains(&port)) {
                        return Ok(ProbeAnswer::Silence(why));
                    }
                    if asked.elapsed() > SETTLE {
                        return Ok(ProbeAnswer::Open);
                    }
                    pause(self.builder)?;
                }
            }
            Probe::Command { words, output } => {
                let (exit_code, said) = self.container.run(words, COMMAND)?;
                let expected = output.as_ref().is_none_or(|output| said.contains(output));
                Ok(ProbeAnswer::Command {
                    exit_code,
                    output: said,
                    expected,
                })
            }
        }
    }

    fn tcp(&self, port: u16) -> Result<ProbeAnswer, BuildError> {
        let open = match self.container.listening() {
            Some(ports) => ports.contains(&port),
            None => self.container.address(port)?.is_some_and(|address| {
                std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok()
            }),
        };
        Ok(match open {
            true => ProbeAnswer::Open,
            false => ProbeAnswer::Silence("nothing listens there".to_owned()),
        })
    }
}

/// What runs beside the container; containers go before their network.
#[derive(Default)]
struct Beside<'b> {
    containers: Vec<Container<'b>>,
    network: Option<Network<'b>>,
}

impl<'b> Beside<'b> {
    fn start(&mut self, builder: &'b Builder, trial: &Trial) -> Result<(), BuildError> {
        let network = builder.network()?;
        let name = network.name().to_owned();
        self.network = Some(network);
        for service in &trial.services {
            let start = Start {
                env: service.env.clone(),
                args: service.args.clone(),
                network: Some((name.clone(), service.name.clone())),
                ..Start::default()
            };
            self.containers.push(builder.start(&service.image, &start)?);
        }
        Ok(())
    }
}
