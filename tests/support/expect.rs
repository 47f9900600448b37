//! `expect.yaml` of a sample: how its image is asked, what it must answer, and what the result may weigh.

use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_diet::build::verify::{Edit, End, Probe, ProbeAnswer, Ran, Subject, Trial};
use docker_diet::build::{Answer, BuildError, Method, Query, Request, Scratch, Start};
use docker_diet::rules::{Level, Settings};
use serde::Deserialize;

/// A build may take this long; the lab's machine is small.
const BUILD: Duration = Duration::from_secs(1200);

/// One sample's expectations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Expect {
    /// The level at which it is rewritten: `safe`, `standard`, `aggressive`.
    #[serde(default = "standard")]
    pub(crate) level: String,
    /// Which of the two images can be built where only Debian's, npm's, PyPI's, crates.io's, Go's and Maven's packages
    /// are reachable.
    #[serde(default)]
    pub(crate) builds: Builds,
    /// Why not both.
    pub(crate) builds_because: Option<String>,
    /// Whether CI builds it on every run.
    #[serde(default)]
    pub(crate) ci: bool,
    /// Why the Dockerfile stays as it is, or stays in one stage; a part of the refusal.
    pub(crate) refused: Option<String>,
    /// The Dockerfile stays byte for byte as it is.
    #[serde(default)]
    pub(crate) unchanged: bool,
    /// The port of the service.
    port: Option<u16>,
    /// What the service is asked, in order.
    #[serde(default)]
    requests: Vec<Asked>,
    /// The program that runs and ends.
    program: Option<Program>,
    /// `NAME=value` for `docker run`.
    #[serde(default)]
    env: Vec<String>,
    /// Seconds until the first answer.
    #[serde(default = "half_a_minute")]
    wait: u64,
    /// The source file that is edited before the second build.
    pub(crate) edit: Option<PathBuf>,
    /// The user id of process 1 of the result.
    pub(crate) user: Option<u32>,
    /// Why it is 0.
    pub(crate) root_because: Option<String>,
    /// Whether the program ends on SIGTERM of its own accord.
    #[serde(default = "yes")]
    pub(crate) handles_sigterm: bool,
    /// What the result must come under, in MB.
    pub(crate) under: Option<u64>,
    /// What people publish of such an image: `1.2 GB → 12 MB`.
    pub(crate) published: Option<String>,
}

/// Which images can be built.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Builds {
    /// The original and the result.
    #[default]
    Both,
    /// The result only: the original downloads from elsewhere.
    Result,
    /// Neither.
    Neither,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    get: Option<String>,
    post: Option<String>,
    json: Option<serde_json::Value>,
    status: u16,
    /// The whole body.
    body: Option<String>,
    /// A part of it.
    contains: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    exit: i32,
    /// A part of standard output.
    output: String,
}

fn standard() -> String {
    "standard".to_owned()
}

fn half_a_minute() -> u64 {
    30
}

fn yes() -> bool {
    true
}

impl Expect {
    /// Reads `expect.yaml` of the sample in `folder`.
    ///
    /// # Panics
    /// When it is not well-formed: it is part of this repository.
    pub(crate) fn read(folder: &Path) -> Self {
        let path = folder.join("expect.yaml");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expect: Self = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let asked = usize::from(expect.port.is_some()) + usize::from(expect.program.is_some());
        let possible = if expect.builds == Builds::Neither {
            0..=1
        } else {
            1..=1
        };
        assert!(
            possible.contains(&asked),
            "{}: either a port or a program",
            path.display()
        );
        assert_eq!(
            expect.port.is_some(),
            !expect.requests.is_empty(),
            "{}: a port goes with requests",
            path.display()
        );
        assert_eq!(
            expect.user == Some(0),
            expect.root_because.is_some(),
            "{}: who runs as root has a reason, and nobody else",
            path.display()
        );
        assert_eq!(
            expect.builds == Builds::Both,
            expect.builds_because.is_none(),
            "{}: what is not built has a reason",
            path.display()
        );
        expect
    }

    /// The settings under which it is rewritten.
    ///
    /// # Panics
    /// When its level is none.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            level: match self.level.as_str() {
                "safe" => Level::Safe,
                "standard" => Level::Standard,
                "aggressive" => Level::Aggressive,
                other => panic!("`{other}` is no level"),
            },
            cache_mounts: true,
            ..Settings::default()
        }
    }

    /// What is built from `dockerfile` with the folder `context`, which is a copy, and how it is asked.
    pub(crate) fn subject(&self, context: PathBuf, dockerfile: PathBuf) -> Subject {
        let request = Request {
            context,
            dockerfile,
            ignore: None,
            target: None,
            platform: None,
            network: Some("host".to_owned()),
            build_args: Vec::new(),
            secrets: Vec::new(),
            ssh: Vec::new(),
            limit: BUILD,
        };
        let probes = self.requests.iter().map(|asked| Probe::Http {
            port: self.port,
            query: asked.query(),
        });
        let args = self.program.as_ref().map(|program| program.args.clone());
        Subject {
            edit: self.edit.clone().map(|file| Edit {
                request: request.clone(),
                file,
            }),
            request,
            trial: Some(Trial {
                start: Start {
                    ports: self.port.into_iter().collect(),
                    env: self.env.clone(),
                    args: args.unwrap_or_default(),
                    ..Start::default()
                },
                probes: probes.collect(),
                services: Vec::new(),
                wait: Duration::from_secs(self.wait),
            }),
            measure: false,
        }
    }

    /// Why an image that ran like this is not what was expected; nothing when it is.
    pub(crate) fn objection(&self, ran: &Ran) -> Option<String> {
        if let End::NotStarted(why) = &ran.end {
            return Some(format!("it does not start: {why}"));
        }
        let Some(program) = &self.program else {
            return self.service(ran);
        };
        if ran.end != End::Exited(program.exit) {
            return Some(format!("it ended with {:?}: {}", ran.end, end(&ran.log())));
        }
        let printed = &ran.stdout;
        (!printed.contains(&program.output))
            .then(|| format!("it printed {printed:?}, without {:?}", program.output))
    }

    fn service(&self, ran: &Ran) -> Option<String> {
        let mut asked = self.requests.iter().zip(&ran.answers);
        let found = asked.find_map(|(asked, answered)| asked.objection(&answered.answer));
        let found = found.or_else(
            || match (&ran.end, self.requests.len() > ran.answers.len()) {
                (End::Exited(code), _) => Some(format!("it ended with {code}")),
                (_, true) => Some("it stopped answering".to_owned()),
                _ => None,
            },
        );
        found.map(|why| format!("{why}; it logged: {}", end(&ran.log())))
    }
}

impl Asked {
    fn query(&self) -> Query {
        let (method, path) = match (&self.get, &self.post) {
            (Some(path), None) => (Method::Get, path),
            (None, Some(path)) => (Method::Post, path),
            _ => panic!("a request is either get or post"),
        };
        Query {
            method,
            path: path.clone(),
            json: self.json.as_ref().map(ToString::to_string),
        }
    }

    fn objection(&self, answer: &ProbeAnswer) -> Option<String> {
        let path = self.query().path;
        let Answer { status, body, .. } = match answer {
            ProbeAnswer::Http(answer) => answer,
            ProbeAnswer::Silence(why) => return Some(format!("{path} is not answered: {why}")),
            other => {
                return Some(format!(
                    "{path} is not answered over HTTP: {}",
                    other.short()
                ));
            }
        };
        let body = String::from_utf8_lossy(body);
        if *status != self.status {
            return Some(format!(
                "{path} gives {status}, not {}: {}",
                self.status,
                end(&body)
            ));
        }
        let whole = self
            .body
            .as_ref()
            .is_none_or(|whole| body.trim_end() == whole.trim_end());
        let part = self
            .contains
            .as_ref()
            .is_none_or(|part| body.contains(part.as_str()));
        (!whole || !part).then(|| format!("{path} gives {}", end(&body)))
    }
}

/// A copy of the sample in `folder` below `name`: the application alone, without what is expected of it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn context(scratch: &Scratch, folder: &Path, name: &str) -> Result<PathBuf, BuildError> {
    let copy = scratch.copy(folder, name)?;
    let path = copy.join("expect.yaml");
    std::fs::remove_file(&path).map_err(|source| BuildError::Scratch { path, source })?;
    Ok(copy)
}

/// The end of a long text, on one line.
fn end(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let from = text.len().saturating_sub(400);
    let from = (from..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(from);
    text[from..].to_owned()
}
