//! What stands after the copy: which commands read only manifests, and where that ends.

use crate::context::Context;
use crate::model::path::resolve;
use crate::model::{PackageOperation, Verb};
use crate::shell::{Command, CommandKind, Script, Simple};
use crate::stack::{Project, STACKS};
use crate::syntax::Keyword;
use crate::text::{Edit, Span};

use super::{BroadCopy, UNKNOWN_WORKDIR, go, node, others, python};

/// What a command reads of the project.
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// What an install needs.
    Install(Box<Install>),
    /// Dependencies can be fetched by another command before this one, which reads all of the project.
    FetchFirst(Box<Install>),
    /// More: the copy must stand before it.
    Everything,
    /// An install that reads more than manifests.
    Refused(Reason),
}

/// Why, and what would lift it.
pub(super) struct Reason {
    pub(super) why: String,
    pub(super) remedy: String,
}

impl Step {
    pub(super) fn refused(why: impl Into<String>, remedy: &str) -> Self {
        Self::Refused(Reason {
            why: why.into(),
            remedy: remedy.to_owned(),
        })
    }
}

/// An install and what it reads.
#[derive(Debug, Default)]
pub(super) struct Install {
    /// The manager's name.
    pub(super) manager: String,
    /// The command, for the report, or the command that fetches.
    pub(super) what: String,
    /// Files that it reads, paths in the context.
    pub(super) files: Vec<String>,
    /// Folders that it reads, paths in the context.
    pub(super) folders: Vec<String>,
    /// Folders that it makes below the copied one: the project's folder in the context and the name.
    pub(super) makes: Vec<(String, String)>,
    /// Changes of the command.
    pub(super) edits: Vec<Edit>,
    /// The command as it was, which runs once more after the copy, for the project itself.
    pub(super) again: Option<Span>,
}

/// A simple command and what surrounds it.
pub(super) struct Call<'w> {
    pub(super) copy: &'w BroadCopy<'w>,
    pub(super) context: &'w Context,
    /// Index of its RUN.
    pub(super) index: usize,
    pub(super) simple: &'w Simple,
    pub(super) operation: Option<PackageOperation<'w>>,
}

impl Call<'_> {
    /// The working directory.
    pub(super) fn workdir(&self) -> &str {
        self.copy
            .ctx
            .model
            .state(self.index)
            .config
            .workdir
            .as_deref()
            .unwrap_or(UNKNOWN_WORKDIR)
    }

    /// The folder of the context that the working directory holds.
    pub(super) fn folder(&self) -> Option<String> {
        self.copy.in_context(self.workdir())
    }

    /// The path in the context of `path` as the command names it.
    pub(super) fn in_context(&self, path: &str) -> Option<String> {
        self.copy.in_context(&resolve(self.workdir(), path))
    }

    /// The project of this stack in the working directory.
    pub(super) fn project(&self, stack: &str) -> Option<Project> {
        let stack = STACKS.iter().find(|known| known.name() == stack)?;
        stack.detect(&self.folder()?, self.context, self.copy.ctx.catalog)
    }

    /// The command as one line, for reports.
    pub(super) fn text(&self) -> String {
        let words: Vec<_> = self
            .simple
            .words
            .iter()
            .map(|word| String::from_utf8_lossy(&word.raw))
            .collect();
        words.join(" ")
    }

    /// The literal values of the words after the program; none when one is computed.
    pub(super) fn arguments(&self) -> Option<Vec<String>> {
        self.simple
            .arguments()
            .iter()
            .map(|word| String::from_utf8(word.literal.clone()?).ok())
            .collect()
    }

    /// ENV that is in effect.
    pub(super) fn env(&self, name: &str) -> Option<&str> {
        let state = self.copy.ctx.model.state(self.index);
        state.config.env.get(name).map(String::as_str)
    }
}

/// The instructions after a broad copy, up to the first that reads the project.
pub(super) struct Walk<'w> {
    copy: &'w BroadCopy<'w>,
    pub(super) context: &'w Context,
    /// Installs that read only manifests, in order.
    pub(super) installs: Vec<Install>,
    /// Where the copy of the rest goes.
    pub(super) end: End,
    /// Why the walk ended at an install.
    pub(super) stopped: Option<(usize, Reason)>,
}

/// Where the copy of the rest goes.
#[derive(Debug, Default, PartialEq)]
pub(super) enum End {
    /// Nowhere yet.
    #[default]
    None,
    /// After the RUN with this index.
    After(usize),
    /// Within it, between two commands of its list: offsets of the end of one and the start of the other.
    Split(usize, usize, usize),
    /// Before it, with a RUN that fetches.
    Before(usize),
}

impl<'w> Walk<'w> {
    pub(super) fn new(copy: &'w BroadCopy<'w>, context: &'w Context) -> Self {
        Self {
            copy,
            context,
            installs: Vec::new(),
            end: End::None,
            stopped: None,
        }
    }

    /// Walks to the end of what reads only manifests.
    pub(super) fn run(&mut self) {
        let mut changes_variables = false;
        for index in self.copy.index + 1..self.copy.stage.body.end {
            let instruction = self.copy.ctx.model.instruction(index);
            let goes_on = match instruction.keyword {
                Keyword::Run => self.run_instruction(index),
                Keyword::Env | Keyword::Arg => {
                    changes_variables = true;
                    true
                }
                Keyword::Workdir
                | Keyword::Label
                | Keyword::Expose
                | Keyword::Maintainer
                | Keyword::Stopsignal
                | Keyword::User => true,
                _ => false,
            };
            if !goes_on {
                break;
            }
        }
        let moved = self.copy.instruction.body.text();
        let reads_variables = moved.contains(&b'$')
            || self
                .copy
                .instruction
                .flags
                .iter()
                .any(|flag| flag.value.as_deref().is_some_and(|it| it.contains(&b'$')));
        if changes_variables && reads_variables || !self.copy_may_move() {
            self.installs.clear();
            self.end = End::None;
        }
    }

    /// Whether the copy's destination is the same folder at its new place.
    fn copy_may_move(&self) -> bool {
        let index = match self.end {
            End::None => return true,
            End::After(index) | End::Split(index, ..) | End::Before(index) => index,
        };
        let model = self.copy.ctx.model;
        let to = self.copy.instruction.as_copy().map(|copy| {
            let text = model
                .state(self.copy.index)
                .expand(copy.destination.text, self.copy.ctx.dockerfile.escape());
            text.starts_with('/')
        });
        to == Some(true)
            || model.state(index).config.workdir == model.state(self.copy.index).config.workdir
    }

    /// Whether the walk goes on after the RUN at `index`.
    fn run_instruction(&mut self, index: usize) -> bool {
        let model = self.copy.ctx.model;
        let Some(script) = model.script(index) else {
            return false;
        };
        let instruction = model.instruction(index);
        let mounts_only_caches = instruction
            .mounts()
            .iter()
            .all(|mount| mount.kind == "cache")
            && instruction.flags.iter().all(|flag| flag.name == "mount");
        if !instruction.heredocs.is_empty() || !mounts_only_caches {
            return false;
        }
        if !script.is_plain_and_chain() {
            return self.reads_nothing(index, script);
        }
        let chain = script.chain();
        let mut found = Vec::new();
        let mut keeps_shell_state = false;
        for (at, (_, command)) in chain.iter().enumerate() {
            let CommandKind::Simple(simple) = &command.kind else {
                return false;
            };
            let step = match self.step(index, script, simple) {
                Step::Install(install) | Step::FetchFirst(install)
                    if self.installs_before(&install.manager) =>
                {
                    Step::Everything
                }
                step => step,
            };
            match step {
                Step::Nothing => {
                    keeps_shell_state |= matches!(simple.name(), Some(b"set" | b"umask"));
                }
                Step::Install(install) => found.push(*install),
                Step::FetchFirst(install) => {
                    if at == 0 && self.installs.is_empty() {
                        self.installs.push(*install);
                        self.end = End::Before(index);
                    } else {
                        self.split(index, &chain, at, found, keeps_shell_state);
                    }
                    return false;
                }
                step => {
                    let had_install = !found.is_empty() || !self.installs.is_empty();
                    if let Step::Refused(reason) = step
                        && !had_install
                    {
                        self.stopped = Some((index, reason));
                    }
                    self.split(index, &chain, at, found, keeps_shell_state);
                    return false;
                }
            }
        }
        if !found.is_empty() {
            self.installs.extend(found);
            self.end = End::After(index);
            // What runs once more after the copy reads the project.
            return !self.installs.iter().any(|install| install.again.is_some());
        }
        true
    }

    /// Whether a RUN before the copy installs by this manager already: what follows is for the project itself.
    fn installs_before(&self, manager: &str) -> bool {
        let model = self.copy.ctx.model;
        (self.copy.stage.from + 1..self.copy.index).any(|index| {
            model.operations(index).iter().any(|operation| {
                operation.manager.name.get().trim_end_matches('w') == manager
                    && !matches!(manager, "pip" | "pip2" | "pip3")
                    && operation.verb == Verb::Install
                    && operation.packages.is_empty()
            })
        })
    }

    /// Ends within the RUN at `index`, before its command number `at`, if that is worth it and sound.
    fn split(
        &mut self,
        index: usize,
        chain: &[(crate::shell::Joint, &Command)],
        at: usize,
        found: Vec<Install>,
        keeps_shell_state: bool,
    ) {
        if found.is_empty() {
            return;
        }
        let instruction = self.copy.ctx.model.instruction(index);
        let (from, to) = (chain[at - 1].1.span.end, chain[at].1.span.start);
        let has_comment = instruction
            .comments
            .iter()
            .any(|comment| comment.start >= from && comment.end <= to);
        let cleans_later = self.copy.stage.ships
            && chain[at..].iter().any(|(_, command)| {
                matches!(&command.kind, CommandKind::Simple(simple)
                    if deletes(simple))
            });
        if has_comment || keeps_shell_state || cleans_later || !instruction.flags.is_empty() {
            if self.stopped.is_none() {
                self.stopped = Some((
                    index,
                    Reason {
                        why: "one RUN installs, builds and cleans up".to_owned(),
                        remedy: "put the install into a RUN of its own".to_owned(),
                    },
                ));
            }
            return;
        }
        self.installs.extend(found);
        self.end = End::Split(index, from, to);
    }

    /// Whether a script that is more than a list of commands reads nothing of the project.
    fn reads_nothing(&self, index: usize, script: &Script) -> bool {
        script.invocations().into_iter().all(|invocation| {
            invocation.simple.words.is_empty()
                || matches!(self.step(index, script, invocation.simple), Step::Nothing)
        })
    }

    fn step(&self, index: usize, script: &Script, simple: &Simple) -> Step {
        let Some(name) = simple
            .name()
            .and_then(|name| std::str::from_utf8(name).ok())
        else {
            return Step::Everything;
        };
        let redirected = script.invocations().iter().any(|invocation| {
            std::ptr::eq(invocation.simple, simple) && !invocation.command.redirects.is_empty()
        });
        let operation = self
            .copy
            .ctx
            .model
            .operations(index)
            .into_iter()
            .find(|operation| operation.simple.span == simple.span);
        let call = Call {
            copy: self.copy,
            context: self.context,
            index,
            simple,
            operation,
        };
        if redirected && call.operation.is_none() {
            return Step::Everything;
        }
        if let Some(operation) = &call.operation {
            if operation.manager.of_distribution {
                return system_packages(operation);
            }
            match operation.manager.name.get() {
                "npm" | "yarn" | "pnpm" | "bun" => return node::step(&call, operation),
                "pip" | "pip3" | "pip2" | "poetry" | "pipenv" | "uv" => {
                    return python::step(&call, operation);
                }
                "go" => return go::step(&call, operation),
                "bundle" | "bundler" | "composer" | "dotnet" | "mvn" | "mvnw" | "cargo" | "gem" => {
                    return others::step(&call, operation);
                }
                _ => return Step::Everything,
            }
        }
        plain(name, &call)
    }
}

/// A system package manager: it reads the project only where a path is among the packages.
fn system_packages(operation: &PackageOperation<'_>) -> Step {
    let reads_path = operation
        .packages
        .iter()
        .any(|word| word.raw.contains(&b'/') || word.raw.starts_with(b"$"));
    let known = operation.verb != Verb::Other || operation.packages.is_empty();
    match reads_path || !known {
        true => Step::Everything,
        false => Step::Nothing,
    }
}

/// Commands that are no package manager's.
fn plain(name: &str, call: &Call<'_>) -> Step {
    let Some(arguments) = call.arguments() else {
        return match (name, call.simple.arguments()) {
            // `rm -rf /var/lib/apt/lists/*`
            ("rm", words) if words.iter().all(|word| is_outside(call, &word.raw)) => Step::Nothing,
            ("echo", _) => Step::Nothing,
            _ => Step::Everything,
        };
    };
    let operands = || arguments.iter().filter(|word| !word.starts_with('-'));
    match name {
        "true" | ":" | "echo" | "set" | "umask" => Step::Nothing,
        "rm" if call
            .simple
            .arguments()
            .iter()
            .all(|word| is_outside(call, &word.raw)) =>
        {
            Step::Nothing
        }
        "mkdir" if operands().all(|path| !path.contains("node_modules")) => Step::Nothing,
        "corepack" => match operands().count() {
            // `corepack install` and a bare `prepare` read package.json.
            1 if arguments[0] == "enable" => Step::Nothing,
            2.. if arguments[0] == "prepare" || arguments[0] == "enable" => Step::Nothing,
            _ => Step::Everything,
        },
        "git"
            if arguments.first().is_some_and(|word| word == "config")
                && arguments
                    .iter()
                    .any(|word| word == "--global" || word == "--system") =>
        {
            Step::Nothing
        }
        "node" | "npm" | "python" | "python3" | "go" | "java" | "ruby" if matches!(arguments.as_slice(), [one] if one == "--version" || one == "-v" || one == "version") => {
            Step::Nothing
        }
        _ => Step::Everything,
    }
}

/// Whether a word is a flag, or a path outside of what was copied.
fn is_outside(call: &Call<'_>, raw: &[u8]) -> bool {
    if raw.starts_with(b"-") || raw.starts_with(b"~/") || raw.starts_with(b"$HOME/") {
        return true;
    }
    let path = String::from_utf8_lossy(raw);
    path.starts_with('/')
        && !path.contains('$')
        && !crate::model::path::is_under(&resolve("/", &path), &call.copy.destination)
}

fn deletes(simple: &Simple) -> bool {
    let words = || {
        simple
            .words
            .iter()
            .filter_map(|word| word.literal.as_deref())
    };
    simple.name() == Some(b"rm")
        || words().any(|word| {
            matches!(
                word,
                b"clean" | b"prune" | b"purge" | b"autoremove" | b"del" | b"uninstall" | b"remove"
            )
        })
}
