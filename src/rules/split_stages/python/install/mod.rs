//! How the RUNs of a stage install Python packages, and what each RUN is after the split.

mod pip;
mod projects;

use std::collections::{BTreeMap, BTreeSet};

use super::super::anatomy::RunPart;
use super::super::{Anatomy, Why};
use super::runner;
use super::system::System;
use crate::catalog::CommandKind;
use crate::model::path::{file_name, resolve};
use crate::model::{PackageOperation, Verb};
use crate::shell::{Invocation, Script};
use crate::stack::python::Requirement;
use crate::text::Edit;

/// What a RUN is after the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunKind {
    /// It installs for the build, or into the environment.
    Build,
    /// It runs in the second stage.
    Replayed,
}

/// A package that is installed.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Normalised.
    pub(super) name: String,
    /// The one version, where only one is allowed.
    pub(super) version: Option<String>,
    /// Where it comes from, if not from an index.
    pub(super) address: Option<String>,
    /// What the lock file says.
    pub(super) linux_wheel: Option<bool>,
    /// `--no-binary` asks for its sources.
    pub(super) compiled: bool,
    /// The instruction that installs it.
    pub(super) anchor: usize,
}

impl Wanted {
    fn of(requirement: &Requirement, anchor: usize) -> Self {
        Self {
            name: requirement.name.clone(),
            version: requirement.pinned().map(str::to_owned),
            address: requirement.address.clone(),
            linux_wheel: None,
            compiled: false,
            anchor,
        }
    }
}

/// All that the RUNs install.
#[derive(Default)]
pub(super) struct Installs {
    /// Packages are installed.
    pub(super) anything: bool,
    /// What becomes of each RUN.
    pub(super) kinds: BTreeMap<usize, RunKind>,
    /// The packages.
    pub(super) wanted: Vec<Wanted>,
    /// Package managers that the build alone needs: `poetry`.
    pub(super) tools: BTreeSet<String>,
    /// The instruction after which the environment is made, where that is not FROM.
    pub(super) environment_after: Option<usize>,
    /// An environment that the original makes itself.
    pub(super) own_environment: Option<String>,
    /// Edits of the build stage.
    pub(super) edits: Vec<Edit>,
    pub(super) system: System,
    /// What stands in the way, in the order of the file.
    pub(super) trouble: Vec<Why>,
}

/// Package managers of Python.
const MANAGERS: &[&str] = &["pdm", "pip", "pipenv", "poetry", "uv"];

/// One RUN while it is read.
struct Reading<'r, 'a> {
    anatomy: &'r Anatomy<'a>,
    index: usize,
    line: usize,
    /// Where the commands work; none after a `cd` that is not known.
    folder: Option<String>,
    /// It installs packages of the project.
    project: bool,
    /// It installs tools of the build.
    tools: Vec<Edit>,
    has_tools: bool,
    /// It calls a package manager in a way that leaves nothing that ships.
    has_neutral: bool,
    /// It runs a command that can be run again in the second stage.
    replays: bool,
}

impl Installs {
    /// Reads all RUNs; what cannot be followed is in `trouble`.
    pub(super) fn read(anatomy: &Anatomy<'_>) -> Self {
        let mut installs = Self {
            own_environment: own_environment(anatomy).or_else(|| runner::synced(anatomy)),
            ..Self::default()
        };
        let mut tool_edits = Vec::new();
        let mut last_tool = None;
        let mut first_project = None;
        for (index, run) in anatomy.runs() {
            let mut reading = Reading {
                anatomy,
                index,
                line: anatomy.line(index),
                folder: anatomy.workdir(index).map(str::to_owned),
                project: false,
                tools: Vec::new(),
                has_tools: false,
                has_neutral: false,
                replays: false,
            };
            let kind = match anatomy.ctx.model.script(index) {
                Some(script) => installs.run(&mut reading, run, script),
                None => Err(Why::new(
                    index,
                    format!(
                        "line {} is not a shell command that can be read",
                        reading.line
                    ),
                    "",
                )),
            };
            match kind {
                Ok(kind) => {
                    installs.kinds.insert(index, kind);
                }
                Err(why) => {
                    installs.kinds.insert(index, RunKind::Build);
                    installs.trouble.push(why);
                }
            }
            if reading.project {
                installs.anything = true;
                first_project.get_or_insert(index);
                if !anatomy.ctx.model.is_root(index) {
                    installs.trouble.push(Why::new(
                        index,
                        format!(
                            "line {} installs packages as a user who cannot write to {}",
                            reading.line,
                            super::VENV
                        ),
                        "install the packages before USER",
                    ));
                }
            }
            if reading.has_tools {
                last_tool = Some(index);
                tool_edits.append(&mut reading.tools);
            }
        }
        if installs.own_environment.is_none()
            && let Some(last) = last_tool
        {
            if first_project.is_none_or(|first| last < first) {
                installs.environment_after = Some(last);
            } else {
                installs.edits.append(&mut tool_edits);
            }
        }
        installs.check_environment(anatomy);
        installs.leave_idle_updates(anatomy);
        installs
    }

    /// A RUN that only fetches package lists stays in the build stage when no RUN that ships installs from them.
    fn leave_idle_updates(&mut self, anatomy: &Anatomy<'_>) {
        let model = anatomy.ctx.model;
        let mut idle = Vec::new();
        for (index, run) in anatomy.runs() {
            if self.kinds.get(&index) != Some(&RunKind::Replayed) {
                continue;
            }
            let is_update = |operation: &PackageOperation<'_>| operation.verb == Verb::Update;
            let commands = model
                .script(index)
                .map_or(0, |script| script.invocations().len());
            if commands == run.system.len() && run.system.iter().all(is_update) {
                idle.push(index);
            } else if run.system.iter().any(|operation| !is_update(operation)) {
                idle.clear();
            }
        }
        for index in idle {
            self.kinds.insert(index, RunKind::Build);
        }
    }

    fn run(
        &mut self,
        reading: &mut Reading<'_, '_>,
        run: &RunPart<'_>,
        script: &Script,
    ) -> Result<RunKind, Why> {
        let operations = reading.anatomy.ctx.model.operations(reading.index);
        let mut runs_only_what_ships = true;
        let mut files = None;
        for invocation in script.invocations() {
            if invocation.simple.words.is_empty() {
                continue;
            }
            let operation = operations
                .iter()
                .find(|operation| std::ptr::eq(operation.simple, invocation.simple));
            if let Some(operation) = operation {
                let name = manager_name(operation);
                if MANAGERS.contains(&name) {
                    self.python(reading, operation, &invocation)?;
                } else if run
                    .system
                    .iter()
                    .any(|system| std::ptr::eq(system.simple, invocation.simple))
                {
                    runs_only_what_ships &= self.system.add(
                        reading.anatomy.ctx.catalog,
                        operation,
                        reading.index,
                        reading.line,
                    )?;
                } else {
                    return Err(Why::new(
                        reading.index,
                        format!("line {} also builds with {name}", reading.line),
                        "split the file by hand",
                    ));
                }
                continue;
            }
            if let Some(command) = self.command(reading, &invocation)? {
                files.get_or_insert(command);
            }
        }
        let builds = reading.project || reading.has_tools || !runs_only_what_ships;
        if builds && reading.replays {
            return Err(Why::new(
                reading.index,
                format!(
                    "line {} installs packages and prepares the application in one RUN",
                    reading.line
                ),
                "prepare the application in a RUN of its own",
            ));
        }
        if let Some(command) = files.filter(|_| builds) {
            return Err(Why::new(
                reading.index,
                format!(
                    "line {} installs packages and changes files with `{command}` in one RUN",
                    reading.line
                ),
                "change the files in a RUN of its own",
            ));
        }
        if builds || reading.has_neutral {
            return Ok(RunKind::Build);
        }
        self.system.replay(reading.index);
        Ok(RunKind::Replayed)
    }

    /// A command that is no package manager's; its name where it changes files that may ship.
    fn command(
        &mut self,
        reading: &mut Reading<'_, '_>,
        invocation: &Invocation<'_>,
    ) -> Result<Option<String>, Why> {
        let unknown = |what: &str| {
            Why::new(
                reading.index,
                format!(
                    "line {} runs {what}, which could write anywhere",
                    reading.line
                ),
                "split the file by hand, or run it when the container starts",
            )
        };
        let Some(name) = invocation.name() else {
            let raw = String::from_utf8_lossy(&invocation.simple.words[0].raw).into_owned();
            return Err(unknown(&format!("`{raw}`")));
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let words: Vec<String> = invocation
            .arguments()
            .iter()
            .map(|word| {
                String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned()
            })
            .collect();
        let first: Vec<&str> = words.iter().map(String::as_str).collect();
        if invocation.is_run_by("sudo") {
            return Err(Why::new(
                reading.index,
                format!(
                    "line {} runs `sudo`, which does not see the environment's PATH",
                    reading.line
                ),
                "take `sudo` away: a build runs as root unless USER says otherwise",
            ));
        }
        match (name.as_str(), first.as_slice()) {
            ("cd", [folder]) => {
                let known = invocation.arguments()[0].literal.is_some();
                reading.folder = reading
                    .folder
                    .take()
                    .filter(|_| known)
                    .map(|from| resolve(&from, folder));
                return Ok(None);
            }
            (_, ["-m", "venv", ..]) | ("virtualenv", _) if self.own_environment.is_some() => {
                reading.has_tools = true;
                return Ok(None);
            }
            ("rm" | "rmdir" | "find", _) => return Ok(None),
            _ => {}
        }
        if replays(&name, &first) {
            reading.replays = true;
            return Ok(None);
        }
        if is_python(&name) || name == "sh" || name == "bash" {
            if let Some(tool) = piped_installer(reading, &first) {
                self.tools.insert(tool.to_owned());
                reading.has_tools = true;
                return Ok(None);
            }
            if invocation.inner().is_some() {
                return Ok(None);
            }
            let shown: Vec<&str> = std::iter::once(name.as_str())
                .chain(first.iter().copied().take(2))
                .collect();
            return Err(unknown(&format!("`{}`", shown.join(" "))));
        }
        if is_pip(&name) || MANAGERS.contains(&name.as_str()) {
            return Ok(None);
        }
        match reading
            .anatomy
            .ctx
            .catalog
            .command(&name)
            .map(|row| row.kind)
        {
            Some(CommandKind::Pure | CommandKind::ShellState | CommandKind::Wrapper) => Ok(None),
            Some(
                CommandKind::File | CommandKind::Account | CommandKind::System | CommandKind::Key,
            ) => Ok(Some(name)),
            Some(CommandKind::Download) if piped_installer(reading, &["-"]).is_some() => Ok(None),
            Some(CommandKind::Download) => Ok(Some(name)),
            Some(CommandKind::BuildTool | CommandKind::PackageManager) => Err(Why::new(
                reading.index,
                format!(
                    "line {} builds with `{name}`, whose output is not known",
                    reading.line
                ),
                "split the file by hand",
            )),
            Some(CommandKind::Service | CommandKind::Interpreter) | None => {
                Err(unknown(&format!("`{name}`")))
            }
        }
    }

    fn python(
        &mut self,
        reading: &mut Reading<'_, '_>,
        operation: &PackageOperation<'_>,
        invocation: &Invocation<'_>,
    ) -> Result<(), Why> {
        if invocation.is_run_by("sudo") || operation.program.raw.starts_with(b"/") {
            let program = String::from_utf8_lossy(&operation.program.raw).into_owned();
            return Err(Why::new(
                reading.index,
                format!("line {} calls `{program}` past PATH", reading.line),
                "call it by its name alone",
            ));
        }
        match manager_name(operation) {
            "pip" if operation.verb == Verb::Install => {
                pip::install(self, reading, operation, false)
            }
            // `pip list`, `pip config`, `pip uninstall`: within the environment.
            "pip" => {
                reading.project |= operation.verb == Verb::Remove;
                Ok(())
            }
            _ => projects::call(self, reading, operation),
        }
    }

    /// Settings under which packages do not go where the environment is.
    fn check_environment(&mut self, anatomy: &Anatomy<'_>) {
        let env = &anatomy.stage.end.config.env;
        for name in [
            "CONDA_PREFIX",
            "PIP_PREFIX",
            "PIP_ROOT",
            "PIP_TARGET",
            "PIP_USER",
            "PYTHONHOME",
            "PYTHONUSERBASE",
            "UV_PROJECT_ENVIRONMENT",
            "UV_SYSTEM_PYTHON",
            "WORKON_HOME",
        ] {
            if env.contains_key(name) {
                self.trouble.push(Why::new(
                    anatomy.stage.from,
                    format!("ENV {name} decides where packages are installed"),
                    format!("take {name} away"),
                ));
            }
        }
        if self.own_environment.is_some() {
            return;
        }
        if env.contains_key("VIRTUAL_ENV") {
            self.trouble.push(Why::new(
                anatomy.stage.from,
                "ENV VIRTUAL_ENV names an environment that is not first on PATH",
                "put its bin folder first on PATH",
            ));
        }
        let hides = env.get("PATH").is_some_and(|path| {
            let before = path.split("${PATH}").next().unwrap_or_default();
            !path.contains("${PATH}")
                || before
                    .split(':')
                    .any(|folder| matches!(folder, "/usr/local/bin" | "/usr/bin" | "/bin"))
        });
        if hides {
            self.trouble.push(Why::new(
                anatomy.stage.from,
                "ENV PATH puts the system's folders first, before the environment's",
                "write `ENV PATH=folder:$PATH` with folders of your own alone",
            ));
        }
    }
}

/// An environment that is first on PATH at the end and that the original makes: its path.
fn own_environment(anatomy: &Anatomy<'_>) -> Option<String> {
    let path = anatomy.stage.end.config.env.get("PATH")?;
    let folder = path.split(':').next()?.strip_suffix("/bin")?;
    if !folder.starts_with('/')
        || matches!(folder, "/usr" | "/usr/local" | "/")
        || folder.contains('$')
    {
        return None;
    }
    let made = anatomy.runs().any(|(index, _)| {
        let Some(script) = anatomy.ctx.model.script(index) else {
            return false;
        };
        let here = anatomy.workdir(index).unwrap_or("/");
        script.invocations().iter().any(|invocation| {
            let name = invocation.name().unwrap_or_default();
            let words: Vec<&[u8]> = invocation
                .arguments()
                .iter()
                .filter_map(|word| word.literal.as_deref())
                .collect();
            let named = words.last().is_some_and(|last| {
                std::str::from_utf8(last).is_ok_and(|last| {
                    resolve(here, &last.replace("$VIRTUAL_ENV", folder)) == folder
                })
            });
            let variable = invocation.arguments().last().is_some_and(|word| {
                matches!(word.raw.as_slice(), b"$VIRTUAL_ENV" | b"\"$VIRTUAL_ENV\"")
            });
            let makes = is_python(&String::from_utf8_lossy(name))
                && words.starts_with(&[b"-m", b"venv"])
                || name == b"virtualenv"
                || name == b"uv" && words.first() == Some(&b"venv".as_slice());
            let syncs = name == b"uv"
                && words.first() == Some(&b"sync".as_slice())
                && resolve(here, ".venv") == folder;
            makes && (named || variable) || syncs
        })
    });
    made.then(|| folder.to_owned())
}

/// Whether a command prepares the application in a way that the second stage can repeat: it has the same sources,
/// packages and interpreter.
fn replays(name: &str, words: &[&str]) -> bool {
    let rest = match (name, words) {
        ("django-admin", rest) => rest,
        (name, [script, rest @ ..]) if is_python(name) && file_name(script) == "manage.py" => rest,
        (name, ["-m", "compileall", ..]) if is_python(name) => return true,
        (name, rest) if file_name(name) == "manage.py" => rest,
        _ => return false,
    };
    rest.first() == Some(&"collectstatic")
}

/// `curl -sSL https://install.python-poetry.org | python3 -`: the tool that is installed.
fn piped_installer(reading: &Reading<'_, '_>, words: &[&str]) -> Option<&'static str> {
    if !words.iter().all(|word| word.starts_with('-')) {
        return None;
    }
    let text = reading
        .anatomy
        .ctx
        .model
        .instruction(reading.index)
        .body
        .text();
    let text = String::from_utf8_lossy(text);
    [
        ("https://install.python-poetry.org", "poetry"),
        ("https://astral.sh/uv/", "uv"),
        ("https://pdm-project.org/install", "pdm"),
    ]
    .iter()
    .find(|(address, _)| text.contains(address))
    .map(|(_, tool)| *tool)
}

/// The manager's name; `pip3` is pip, which every environment has under both names.
fn manager_name<'a>(operation: &PackageOperation<'a>) -> &'a str {
    match operation.manager.name.get() {
        "pip3" => "pip",
        name => name,
    }
}

fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

fn is_pip(name: &str) -> bool {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.') == "pip"
}
