//! What can be wrong with a rewrite, and how it is told.

use std::fmt;

use crate::rules::Change;

/// One thing that the original does and the rewrite does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of thing it is.
    pub cause: Cause,
    /// One sentence: what is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether the images alone show it, or only their run.
    pub seen: Seen,
}

/// Where a fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// While building.
    Build,
    /// In the image, without starting it.
    Image,
    /// When it is started.
    Run,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The rewrite does not build.
    Build,
    /// A field of the image's configuration is another than the original's, or than the rewrite declares.
    Contract(Change),
    /// It is built for another platform, or holds a program for another one.
    Architecture,
    /// What ENTRYPOINT or CMD starts is not there.
    Program,
    /// A file that ENTRYPOINT or CMD names is not there.
    File,
    /// A program's loader, or a script's interpreter, is not there.
    Interpreter,
    /// A shared library is not found.
    Library,
    /// The language's version is another one.
    Version,
    /// The user does not exist in the image.
    User,
    /// The working directory is not there.
    Workdir,
    /// The user cannot run the program, or read the application.
    Permission,
    /// The certificates of authorities are gone.
    Certificates,
    /// It does not start.
    Start,
    /// It ends, or ends otherwise.
    Exit,
    /// It does not answer.
    Silence,
    /// It answers with another status or type.
    Answer,
    /// A port is not listened on any more.
    Port,
    /// Process 1 runs as another user than declared.
    ProcessUser,
    /// It does not end when it is told to.
    Signal,
    /// It prints something else.
    Output,
    /// It logs an error that the original does not.
    Log,
    /// It is larger than the original.
    Size,
}

impl Cause {
    /// The name in reports for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Build => "build",
            Cause::Contract(_) => "contract",
            Cause::Architecture => "architecture",
            Cause::Program => "program",
            Cause::File => "file",
            Cause::Interpreter => "interpreter",
            Cause::Library => "library",
            Cause::Version => "version",
            Cause::User => "user",
            Cause::Workdir => "workdir",
            Cause::Permission => "permission",
            Cause::Certificates => "certificates",
            Cause::Start => "start",
            Cause::Exit => "exit",
            Cause::Silence => "silence",
            Cause::Answer => "answer",
            Cause::Port => "port",
            Cause::ProcessUser => "process-user",
            Cause::Signal => "signal",
            Cause::Output => "output",
            Cause::Log => "log",
            Cause::Size => "size",
        }
    }

    /// The rewrites that are most often behind it, the likeliest first: where to look is a matter of build time only.
    #[must_use]
    pub fn suspects(self) -> &'static [&'static str] {
        match self {
            Cause::Contract(Change::Cmd | Change::Entrypoint) | Cause::Program | Cause::File => {
                &["exec-form", "start-without-npm", "split-stages"]
            }
            Cause::Contract(Change::User)
            | Cause::User
            | Cause::Permission
            | Cause::ProcessUser => &["non-root-user", "chown-on-copy", "distroless-base"],
            Cause::Interpreter | Cause::Library | Cause::Version | Cause::Certificates => &[
                "slim-base",
                "distroless-base",
                "split-stages",
                "official-base",
                "skip-recommended-packages",
            ],
            Cause::Signal => &["exec-form", "start-without-npm"],
            Cause::Build => &["write-dockerignore", "mount-caches", "copy-manifests-first"],
            _ => &[],
        }
    }
}

impl Seen {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Seen::Build => "build",
            Seen::Image => "image",
            Seen::Run => "run",
        }
    }
}

impl Fault {
    pub(super) fn image(
        cause: Cause,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            cause,
            message: message.into(),
            remedy: remedy.into(),
            seen: Seen::Image,
        }
    }

    pub(super) fn run(cause: Cause, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            seen: Seen::Run,
            ..Self::image(cause, message, remedy)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.name(), self.message)?;
        match self.remedy.is_empty() {
            true => Ok(()),
            false => write!(f, " → {}", self.remedy),
        }
    }
}
