//! Compiled programs: which one a stage starts, which of its commands made it, and what it reads when it runs.
//!
//! A stack of [`go`], [`rust`], [`java`], [`javac`] and [`c`] finds a [`Program`]; [`tree`] says what of a folder such a
//! program needs. Below them, [`anatomy`] takes a stage apart, [`trace`] follows its commands, [`start`] reads what the
//! container starts, and [`files`] knows which files of the context the image holds.

pub(crate) mod anatomy;
pub(crate) mod c;
pub(crate) mod files;
pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod javac;
mod leavings;
pub(crate) mod rust;
pub(crate) mod start;
pub(crate) mod trace;
mod tree;

use std::collections::BTreeSet;

use crate::catalog::WordSet;
use crate::model::Base;
use crate::rules::Change;
use crate::rules::bases::Kind;
use crate::stack::{Evidence, Uses};
use crate::text::Edit;

pub(crate) use anatomy::Anatomy;
pub(crate) use files::Copied;
pub(crate) use tree::{Needed, Tree};

use anatomy::operation_packages;
use start::{Start, start};
use trace::{Call, calls};

/// A program and what it needs, as its stack sees it.
pub(crate) struct Program {
    /// Files that start or are started, with their paths in the image of the first stage; a folder ends in a slash.
    pub(crate) artifacts: Vec<String>,
    /// The folder of the image in which the sources lie.
    pub(crate) project: String,
    /// The folder of the context that it was copied from.
    pub(crate) root: String,
    /// What it needs of a base.
    pub(crate) kind: Kind,
    /// Debian packages with libraries.
    pub(crate) libraries: Vec<String>,
    /// What its sources read, write, start and listen on.
    pub(crate) uses: Uses,
    /// Files and folders of the context that are in the program already.
    pub(crate) embedded: BTreeSet<String>,
    /// Files and folders of the context that a framework reads.
    pub(crate) framework: Vec<String>,
    /// The set of the variables that only a build reads.
    pub(crate) build_variables: Option<WordSet>,
    /// Edits of the commands that build it.
    pub(crate) build_edits: Vec<Edit>,
    /// Instructions at the end of the first stage.
    pub(crate) build_last: Vec<String>,
    /// The words that start it, where they change.
    pub(crate) command: Option<Vec<String>>,
    /// What else it declares.
    pub(crate) changes: Vec<Change>,
    /// Whether it needs a shell or the small tools beside it.
    pub(crate) shell: bool,
    /// Whether it needs none of the system's certificates: a JRE brings its own, and C programs that say nothing of TLS
    /// call no other machine, as far as that can be told.
    pub(crate) is_local: bool,
    /// `the Go program`.
    pub(crate) what: &'static str,
}

impl Program {
    /// `what` with the needs of its `kind`, of which nothing else is known yet.
    fn new(kind: Kind, what: &'static str) -> Self {
        Self {
            artifacts: Vec::new(),
            project: String::new(),
            root: String::new(),
            kind,
            libraries: Vec::new(),
            uses: Uses::default(),
            embedded: BTreeSet::new(),
            framework: Vec::new(),
            build_variables: None,
            build_edits: Vec::new(),
            build_last: Vec::new(),
            command: None,
            changes: Vec::new(),
            shell: false,
            is_local: false,
            what,
        }
    }
}

/// A program, what starts it, and the commands of the stage that built it.
pub(crate) struct Built<'a> {
    pub(crate) start: Start,
    pub(crate) program: Program,
    pub(crate) calls: Vec<Call<'a>>,
}

impl<'a> Built<'a> {
    /// The program of a stage in which a call builds as `builds` says, or which starts a tool of the stack, as `is_tool`
    /// says of its name; none when neither is so.
    fn by(
        anatomy: &'a Anatomy<'a>,
        builds: impl Fn(&Call<'_>) -> bool,
        is_tool: impl Fn(&str) -> bool,
        program_that_starts: fn(&Anatomy<'_>, &[Call<'_>], &Start) -> Result<Program, Why>,
    ) -> Option<Result<Self, Why>> {
        let calls = calls(anatomy);
        let builds = calls.iter().any(builds);
        let start = match start(anatomy)? {
            Ok(start) => start,
            Err(why) => return builds.then_some(Err(why)),
        };
        if !builds && !start.runs(is_tool) {
            return None;
        }
        let program = program_that_starts(anatomy, &calls, &start);
        Self::of(program, start, calls)
    }

    /// What a stack answers once it knows the start and has looked for the program.
    fn of(
        program: Result<Program, Why>,
        start: Start,
        calls: Vec<Call<'a>>,
    ) -> Option<Result<Self, Why>> {
        Some(program.map(|program| Self {
            start,
            program,
            calls,
        }))
    }
}

/// A stack whose programs run without what built them.
pub(crate) trait Compiled: Sync {
    /// The program that the stage starts; none when it is not of this stack.
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>>;
}

/// Why nothing is said of a stage's program.
#[derive(Clone, Debug)]
pub(crate) struct Why {
    /// Index of the instruction that stands in the way.
    pub(crate) anchor: usize,
    /// `line 7 runs …`.
    pub(crate) reason: String,
    /// What would lift it; empty where nothing is known to.
    pub(crate) remedy: String,
}

impl Why {
    pub(crate) fn new(anchor: usize, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            anchor,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

/// A call that starts a program whose name is no literal.
pub(crate) fn computed_start(uses: &Uses) -> Option<&Evidence> {
    uses.open.iter().find(|open| {
        let last = open.fact.rsplit('.').next().unwrap_or(&open.fact);
        matches!(
            last,
            "Command" | "CommandContext" | "exec" | "system" | "popen" | "execvp" | "execlp"
        ) || open.fact == "Command.new"
            || open.fact == "ProcessBuilder"
    })
}

/// The codename of the builder's release; empty where it is not known.
pub(crate) fn release(anatomy: &Anatomy<'_>) -> &'static str {
    match &anatomy.stage.base {
        Base::Image {
            facts: Some(facts), ..
        } => facts.release.map_or("", |release| release.name.get()),
        _ => "",
    }
}

/// Packages with headers that the RUNs install, those of the C library left out.
pub(crate) fn headers(anatomy: &Anatomy<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (_, run) in anatomy.runs() {
        for operation in &run.system {
            found.extend(operation_packages(operation).into_iter().filter(|name| {
                (name.ends_with("-dev") || name.ends_with("-devel"))
                    && !matches!(name.as_str(), "libc-dev" | "libc6-dev" | "musl-dev")
            }));
        }
    }
    found
}
