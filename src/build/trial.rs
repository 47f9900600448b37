//! One image from its Dockerfile to its end: built, inspected, started, asked, stopped, built again after an edit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::scratch::edit;
use super::{BuildError, Builder, BuiltImage, Image, Query, Reply, Request, Start, Stopped};

/// How long a container that was told to stop may go on.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is built, and how it is asked.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The build.
    pub request: Request,
    /// How it is started.
    pub start: Start,
    /// The port that `queries` go to; none for a program that runs and ends.
    pub port: Option<u16>,
    /// What is asked, in order.
    pub queries: Vec<Query>,
    /// How long it may take until the first answer, or until a program has ended.
    pub wait: Duration,
    /// The source file that is edited before the second build, from the root of the context. The context must be a
    /// copy: it is written to.
    pub edit: Option<PathBuf>,
}

/// What was seen of an image.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The image.
    pub image: Image,
    /// How long the build took, with whatever the builder had in its cache.
    pub build: Duration,
    /// How long the second build took, after a source was edited.
    pub rebuild: Option<Duration>,
    /// How it ran.
    pub outcome: Outcome,
}

/// How a container of the image behaved.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The engine could not start it; why.
    NotStarted(String),
    /// A service was asked.
    Service {
        /// One reply a query, up to the first that is no answer.
        replies: Vec<Reply>,
        /// The effective user id of process 1.
        user_id: Option<u32>,
        /// How it stopped; none when it had ended before.
        stopped: Option<Stopped>,
        /// The end of what it logged.
        log: String,
    },
    /// A program ran.
    Program {
        /// Its exit code; none when it did not end in time.
        exit_code: Option<i32>,
        /// The end of its standard output.
        stdout: String,
        /// The end of its standard error.
        stderr: String,
    },
}

/// Builds, starts, asks and stops `subject`, and builds it again after the edit. Nothing of it stays but the build cache.
///
/// # Errors
/// When the build fails, or the engine goes away. An image that does not start or answer is an [`Outcome`].
pub fn observe(builder: &Builder, subject: &Subject) -> Result<Observed, BuildError> {
    let built = builder.build(&subject.request)?;
    let image = built.inspect()?;
    let outcome = run(builder, &built, subject)?;
    let rebuild = match &subject.edit {
        Some(file) => Some(rebuild(builder, subject, file)?),
        None => None,
    };
    Ok(Observed {
        image,
        build: built.elapsed,
        rebuild,
        outcome,
    })
}

fn run(
    builder: &Builder,
    built: &BuiltImage<'_>,
    subject: &Subject,
) -> Result<Outcome, BuildError> {
    let container = match builder.start(built.reference(), &subject.start) {
        Ok(container) => container,
        Err(BuildError::Engine { message, .. }) => return Ok(Outcome::NotStarted(message)),
        Err(error) => return Err(error),
    };
    let Some(port) = subject.port else {
        let exit_code = container.wait(subject.wait)?;
        let (stdout, stderr) = container.logs()?;
        return Ok(Outcome::Program {
            exit_code,
            stdout: stdout.text(),
            stderr: stderr.text(),
        });
    };
    let replies = container.ask_http(port, &subject.queries, subject.wait)?;
    let user_id = container.user_id();
    let stopped = if container.state()?.running {
        Some(container.stop(PATIENCE)?)
    } else {
        None
    };
    let (stdout, stderr) = container.logs()?;
    Ok(Outcome::Service {
        replies,
        user_id,
        stopped,
        log: stderr.text() + &stdout.text(),
    })
}

fn rebuild(builder: &Builder, subject: &Subject, file: &Path) -> Result<Duration, BuildError> {
    edit(&subject.request.context.join(file))?;
    Ok(builder.build(&subject.request)?.elapsed)
}
