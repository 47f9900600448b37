//! The command lines of docker, podman and buildah.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;

use super::contents::Contents;
use super::error::last_lines;
use super::process::{self, Ended, Stop};
use super::{BuildError, Image};

/// How long an engine may take to say that it is there.
const HELLO: Duration = Duration::from_secs(20);
/// How long a call may take that only asks, or removes.
pub(super) const SHORT: Duration = Duration::from_secs(120);

/// Which program builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Docker with BuildKit, through buildx.
    Docker,
    /// Podman.
    Podman,
    /// Buildah: it builds, and starts nothing.
    Buildah,
}

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Builder {
    kind: Kind,
    program: OsString,
    stop: Stop,
}

/// One build.
#[derive(Clone, Debug)]
pub struct Request {
    /// The build context.
    pub context: PathBuf,
    /// The Dockerfile, anywhere; `NAME.dockerignore` beside it goes before the context's own ignore file.
    pub dockerfile: PathBuf,
    /// That `NAME.dockerignore`, for builders that have to be told.
    pub ignore: Option<PathBuf>,
    /// The stage that is built; the last one without it.
    pub target: Option<String>,
    /// `linux/arm64`; the engine's own without it.
    pub platform: Option<String>,
    /// The network of RUN, `host` for instance.
    pub network: Option<String>,
    /// `NAME=value`, or `NAME` alone for what the environment holds.
    pub build_args: Vec<String>,
    /// `id=…,src=…`
    pub secrets: Vec<String>,
    /// `default`, or `ID=PATH`.
    pub ssh: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
}

/// An image that a builder made; it is removed when this value is dropped.
#[derive(Debug)]
pub struct BuiltImage<'b> {
    builder: &'b Builder,
    reference: String,
    /// How long the build took.
    pub elapsed: Duration,
    /// The end of the build log.
    pub log: String,
    keep: bool,
}

impl Kind {
    /// The order in which engines are looked for.
    pub const ALL: [Kind; 3] = [Kind::Docker, Kind::Podman, Kind::Buildah];

    /// The name of the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Docker => "docker",
            Kind::Podman => "podman",
            Kind::Buildah => "buildah",
        }
    }

    /// Succeeds if and only if the engine answers.
    fn hello(self) -> &'static [&'static str] {
        match self {
            Kind::Docker => &["version", "--format", "{{.Server.Version}}"],
            Kind::Podman | Kind::Buildah => &["info"],
        }
    }

    fn build_words(self) -> &'static [&'static str] {
        match self {
            // `--load` puts the image where it can be started, whatever driver buildx uses; a provenance would make it an index.
            Kind::Docker => &[
                "buildx",
                "build",
                "--load",
                "--provenance=false",
                "--progress=plain",
            ],
            Kind::Podman | Kind::Buildah => &["build", "--layers"],
        }
    }
}

impl Builder {
    /// The first engine that answers: docker, podman, buildah.
    ///
    /// # Errors
    /// When none does: with what each of them said.
    pub fn find() -> Result<Self, BuildError> {
        let mut tried = Vec::new();
        for kind in Kind::ALL {
            match Self::at(kind, kind.name().into()) {
                Ok(builder) => return Ok(builder),
                Err(error) => tried.push(error),
            }
        }
        Err(BuildError::NoEngine { tried })
    }

    /// The engine of this kind.
    ///
    /// # Errors
    /// When it does not answer: with what it said.
    pub fn named(kind: Kind) -> Result<Self, BuildError> {
        Self::at(kind, kind.name().into())
            .map_err(|error| BuildError::NoEngine { tried: vec![error] })
    }

    pub(super) fn at(kind: Kind, program: OsString) -> Result<Self, String> {
        let builder = Self {
            kind,
            program,
            stop: Stop::never(),
        };
        let answer = builder
            .ask(kind.hello(), HELLO)
            .map_err(|error| match error {
                BuildError::Engine { message, .. } => format!("{}: {message}", kind.name()),
                other => format!("{}: {other}", kind.name()),
            });
        answer.map(|_| builder)
    }

    /// The same engine, whose long calls end when `stop` is wished. What it made is removed nevertheless.
    #[must_use]
    pub fn with_stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// The wish that ends its calls.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Which program it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Builds an image. `watch` sees the log as it comes, and nothing several times a second.
    ///
    /// # Errors
    /// When the build fails, with the end of its log, takes too long or is interrupted; when the engine goes away or its
    /// disk is full.
    pub fn build(
        &self,
        request: &Request,
        watch: &mut dyn FnMut(&[u8]),
    ) -> Result<BuiltImage<'_>, BuildError> {
        // Made first: what a build that is cut off leaves behind is removed too.
        let mut built = BuiltImage {
            builder: self,
            reference: fresh_name("docker-diet/trial:"),
            elapsed: Duration::ZERO,
            log: String::new(),
            keep: false,
        };
        let mut command = self.command(self.kind.build_words());
        command.arg("--tag").arg(&built.reference);
        command.arg("--file").arg(&request.dockerfile);
        if let (Some(ignore), Kind::Podman | Kind::Buildah) = (&request.ignore, self.kind) {
            command.arg("--ignorefile").arg(ignore);
        }
        let single = [
            ("--target", &request.target),
            ("--platform", &request.platform),
            ("--network", &request.network),
        ];
        for (flag, value) in single {
            if let Some(value) = value {
                command.arg(flag).arg(value);
            }
        }
        let lists = [
            ("--build-arg", &request.build_args),
            ("--secret", &request.secrets),
            ("--ssh", &request.ssh),
        ];
        for (flag, values) in lists {
            for value in values {
                command.arg(flag).arg(value);
            }
        }
        command.arg(&request.context);
        let ended = process::run_watched(&mut command, request.limit, &self.stop, watch)?;
        built.log = ended.stderr.text() + &ended.stdout.text();
        if !ended.status.success() {
            return Err(self.why_it_failed(std::mem::take(&mut built.log)));
        }
        built.elapsed = ended.elapsed;
        Ok(built)
    }

    /// A failed build is the Dockerfile's fault only where the engine is there and has room.
    fn why_it_failed(&self, log: String) -> BuildError {
        let builder = self.kind.name();
        if let Some(line) = log.lines().rfind(|line| {
            line.to_ascii_lowercase()
                .contains("no space left on device")
        }) {
            return BuildError::DiskFull {
                builder,
                message: line.trim().to_owned(),
            };
        }
        self.unless_gone(BuildError::Failed { log })
    }

    /// `error`, or that the engine does not answer any more.
    pub(super) fn unless_gone(&self, error: BuildError) -> BuildError {
        match self.ask(self.kind.hello(), HELLO) {
            Ok(_) => error,
            Err(BuildError::Interrupted) => BuildError::Interrupted,
            Err(gone) => BuildError::Gone {
                builder: self.kind.name(),
                message: match (gone, error) {
                    (BuildError::Engine { message, .. }, _) => message,
                    (_, BuildError::Failed { log }) => last_lines(&log),
                    (other, _) => other.to_string(),
                },
            },
        }
    }

    /// Looks into the image `reference`, without unpacking it; `measure` asks for the compressed sizes of its layers.
    ///
    /// # Errors
    /// When the engine does not hand it out within `limit`, or its archive is not understood.
    pub fn contents(
        &self,
        reference: &str,
        measure: bool,
        limit: Duration,
    ) -> Result<Contents, BuildError> {
        let mut command = match self.kind {
            Kind::Docker | Kind::Podman => self.command(&["image", "save", reference]),
            // It has no command for this, but writes to any place that it can push to.
            Kind::Buildah => {
                self.command(&["push", "--quiet", reference, "docker-archive:/dev/stdout"])
            }
        };
        let read = process::stream(&mut command, limit, &self.stop, |out| {
            Contents::read(out, measure)
        });
        read.map_err(|error| self.explained(error))
    }

    /// `error`, or what is behind it: a full disk, an engine that has gone.
    pub(super) fn explained(&self, error: BuildError) -> BuildError {
        match error {
            BuildError::Engine { message, .. } if is_full(&message) => BuildError::DiskFull {
                builder: self.kind.name(),
                message,
            },
            error @ BuildError::Engine { .. } => self.unless_gone(error),
            error => error,
        }
    }

    /// What the engine says of the image `reference`.
    ///
    /// # Errors
    /// When there is no such image, or the answer is not understood.
    pub fn image(&self, reference: &str) -> Result<Image, BuildError> {
        let words: &[&str] = match self.kind {
            Kind::Docker | Kind::Podman => &["image", "inspect", reference],
            Kind::Buildah => &["inspect", "--type", "image", reference],
        };
        let said = self.ask(words, SHORT)?.stdout.text();
        let image = match self.kind {
            Kind::Docker | Kind::Podman => Image::from_inspect(&said),
            Kind::Buildah => Image::from_buildah(&said, self.size_by_buildah(reference)?),
        };
        image.map_err(|message| BuildError::Answer {
            call: format!("{} {}", self.kind.name(), words[..2].join(" ")),
            message,
        })
    }

    /// Buildah tells a size only in its list of images, rounded and with a unit.
    fn size_by_buildah(&self, reference: &str) -> Result<u64, BuildError> {
        #[derive(Deserialize)]
        struct Listed {
            size: String,
        }
        let said = self.ask(&["images", "--json", reference], SHORT)?;
        let listed: Vec<Listed> =
            serde_json::from_str(&said.stdout.text()).map_err(|error| BuildError::Answer {
                call: "buildah images".to_owned(),
                message: error.to_string(),
            })?;
        let size = listed.first().and_then(|image| bytes(&image.size));
        size.ok_or_else(|| BuildError::Answer {
            call: "buildah images".to_owned(),
            message: "it tells no size".to_owned(),
        })
    }

    /// Removes the image `reference`; its layers stay in the build cache.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn remove_image(&self, reference: &str) -> Result<(), BuildError> {
        let words: &[&str] = match self.kind {
            Kind::Docker | Kind::Podman => &["image", "rm", reference],
            Kind::Buildah => &["rmi", reference],
        };
        self.tidy(words)
    }

    pub(super) fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        if self.kind == Kind::Docker {
            command.env("DOCKER_BUILDKIT", "1");
        }
        command
    }

    /// Makes a call that removes something: it is made whether or not a stop is wished.
    pub(super) fn tidy<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<(), BuildError> {
        let never = Self {
            stop: Stop::never(),
            ..self.clone()
        };
        never.ask(words, SHORT).map(|_| ())
    }

    /// Makes a call that has to succeed.
    pub(super) fn ask<S: AsRef<OsStr>>(
        &self,
        words: &[S],
        limit: Duration,
    ) -> Result<Ended, BuildError> {
        let ended = self.call(words, limit)?;
        if ended.status.success() {
            return Ok(ended);
        }
        Err(BuildError::Engine {
            call: process::call(&self.command(words)),
            message: ended.message(),
        })
    }

    /// Makes a call that may fail.
    pub(super) fn call<S: AsRef<OsStr>>(
        &self,
        words: &[S],
        limit: Duration,
    ) -> Result<Ended, BuildError> {
        process::run(&mut self.command(words), limit, &self.stop)
    }
}

impl BuiltImage<'_> {
    /// The name under which the engine knows it.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// What the engine says of it.
    ///
    /// # Errors
    /// As [`Builder::image`].
    pub fn inspect(&self) -> Result<Image, BuildError> {
        self.builder.image(&self.reference)
    }

    /// Leaves the image with the engine and gives its name.
    #[must_use]
    pub fn keep(mut self) -> String {
        self.keep = true;
        std::mem::take(&mut self.reference)
    }
}

impl Drop for BuiltImage<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing can be done about an engine that went away; its images are named `docker-diet/trial`.
            let _ = self.builder.remove_image(&self.reference);
        }
    }
}

/// Whether a message tells of a full disk.
fn is_full(message: &str) -> bool {
    message
        .to_ascii_lowercase()
        .contains("no space left on device")
}

/// A name that no other process and no other call uses at this time.
pub(super) fn fresh_name(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{}-{number}", std::process::id())
}

/// `1.2 GB` in bytes.
fn bytes(written: &str) -> Option<u64> {
    let unit = written.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = written[..unit].trim().parse().ok()?;
    let factor = match written[unit..].trim() {
        "B" | "bytes" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    // Sizes of images are far below the range in which this loses digits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive size below 2^53"
    )]
    (number.is_finite() && number >= 0.0).then_some((number * factor) as u64)
}

#[cfg(all(test, unix))]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that behaves as `script` says, in a folder that goes with the value.
    pub(in crate::build) fn engine(script: &str) -> (tempfile::TempDir, OsString) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let program = folder.path().join("engine");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("it is written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .expect("it is made executable");
        // A process that another test forks meanwhile may hold the file open for writing, until its own exec.
        let busy = || Command::new(&program).arg("version").output().is_err();
        while busy() {
            std::thread::sleep(Duration::from_millis(5));
        }
        (folder, program.into_os_string())
    }

    pub(in crate::build) fn request() -> Request {
        Request {
            context: "/context".into(),
            dockerfile: "/elsewhere/Dockerfile".into(),
            ignore: None,
            target: Some("web".to_owned()),
            platform: None,
            network: Some("host".to_owned()),
            build_args: vec!["A=1".to_owned(), "B".to_owned()],
            secrets: Vec::new(),
            ssh: Vec::new(),
            limit: Duration::from_secs(20),
        }
    }

    #[test]
    fn an_engine_that_does_not_answer_says_why() {
        let (_folder, program) = engine("echo 'Cannot connect to the Docker daemon' >&2; exit 1");
        let error = Builder::at(Kind::Docker, program).expect_err("it does not answer");
        assert_eq!(error, "docker: Cannot connect to the Docker daemon");
    }

    #[test]
    fn a_build_passes_everything_on_and_its_image_is_removed() {
        let (folder, program) = engine(r#"echo "$@" >> "$(dirname "$0")/calls""#);
        let builder = Builder::at(Kind::Docker, program).expect("it answers");
        let built = builder.build(&request(), &mut |_| {}).expect("it builds");
        let name = built.reference().to_owned();
        drop(built);
        let calls = std::fs::read_to_string(folder.path().join("calls")).expect("it was called");
        let calls: Vec<&str> = calls.lines().collect();
        let build = format!(
            "buildx build --load --provenance=false --progress=plain --tag {name} --file /elsewhere/Dockerfile \
             --target web --network host --build-arg A=1 --build-arg B /context"
        );
        assert_eq!(
            calls[2..],
            [build.as_str(), format!("image rm {name}").as_str()]
        );
    }

    #[test]
    fn a_build_that_fails_tells_the_end_of_its_log() {
        let (_folder, program) = engine(
            r#"[ "$1" = version ] || { seq 1 50 >&2; echo 'ERROR: exit code: 127' >&2; exit 1; }"#,
        );
        let builder = Builder::at(Kind::Docker, program).expect("it answers");
        let error = builder
            .build(&request(), &mut |_| {})
            .expect_err("it fails");
        let text = error.to_string();
        assert!(text.starts_with("the build failed: 40\n"), "{text}");
        assert!(text.ends_with("\n50\nERROR: exit code: 127"), "{text}");
    }

    #[test]
    fn sizes_as_buildah_writes_them() {
        assert_eq!(bytes("1.5 MB"), Some(1_500_000));
        assert_eq!(bytes("2GB"), Some(2_000_000_000));
        assert_eq!(bytes("much"), None);
        assert_eq!(bytes("-1 MB"), None);
    }
}
