//! What runs when the container does: the start command, the scripts that it calls, the health check, the sources.
//!
//! It yields the programs that are called, or why the process would not see the environment.

use super::super::{Anatomy, Why};
use super::install::Installs;
use super::runner::Bare;
use super::sources;
use crate::catalog::{ImageFacts, WordSet};
use crate::context::Entry;
use crate::model::path::{file_name, resolve};
use crate::model::{CommandForm, CommandLine};
use crate::shell::{self, Dialect, Invocation, Script};
use crate::syntax::{CommandBody, Keyword, Logical};

/// How deep scripts may call scripts.
const DEPTH: u32 = 4;

/// Whether the image starts a shell or an interpreter and nothing else: it holds tools for a person.
pub(super) fn is_shell_or_nothing(anatomy: &Anatomy<'_>) -> bool {
    let config = &anatomy.stage.end.config;
    let words = |line: Option<&CommandLine>| line.map(|line| line.form.argv()).unwrap_or_default();
    let mut all = words(config.entrypoint.set());
    all.extend(words(config.cmd.set()));
    let Some(first) = all.first() else {
        return true;
    };
    let waits = |name: &str| {
        let idle = ["sleep", "tail", "python", "python3", "ipython", "jupyter"];
        idle.contains(&name) || anatomy.ctx.catalog.has_word(WordSet::Shells, name)
    };
    all.len() == 1 && waits(file_name(first))
        || all.len() == 3 && all[1] == "-c" && waits(&all[2])
        || matches!(file_name(first), "sleep" | "tail")
}

/// The programs that run, each with the instruction that leads to it.
pub(super) fn programs(
    anatomy: &Anatomy<'_>,
    full: &ImageFacts,
    slim: &ImageFacts,
    installs: &Installs,
    bare: Option<&Bare>,
) -> Result<Vec<(String, usize)>, Why> {
    let mut walk = Walk {
        anatomy,
        bare,
        programs: Vec::new(),
        seen: Vec::new(),
    };
    walk.instructions()?;
    walk.start()?;
    walk.health_check()?;
    for command in &anatomy.ctx.settings.usage.commands {
        walk.text(
            command.as_bytes(),
            Dialect::Posix,
            anatomy.stage.from,
            DEPTH,
        )?;
    }
    walk.files(installs)?;
    let mut programs = walk.programs;
    programs.extend(sources::programs(anatomy, full.tag != slim.tag)?);
    programs.sort();
    programs.dedup();
    Ok(programs)
}

struct Walk<'w, 'a> {
    anatomy: &'w Anatomy<'a>,
    /// The start command without its package manager, where the second stage has that one.
    bare: Option<&'w Bare>,
    programs: Vec<(String, usize)>,
    /// Scripts of the context that were read.
    seen: Vec<String>,
}

/// Package managers that run programs.
const RUNNERS: &[&str] = &["hatch", "pdm", "pipenv", "poetry", "uv", "uvx"];

impl Walk<'_, '_> {
    /// No instruction may name a path that the environment moves.
    fn instructions(&self) -> Result<(), Why> {
        for step in &self.anatomy.steps {
            let instruction = self.anatomy.ctx.model.instruction(step.index);
            if let Some(path) = fixed_path(instruction.body.text()) {
                return Err(Why::new(
                    step.index,
                    format!(
                        "line {} names {path}, and the environment is elsewhere",
                        self.anatomy.line(step.index)
                    ),
                    "call programs by their names alone",
                ));
            }
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), Why> {
        let config = &self.anatomy.stage.end.config;
        let mut exec: Vec<String> = Vec::new();
        let mut anchor = self.anatomy.stage.from;
        let lines = [config.entrypoint.set(), config.cmd.set()];
        for line in lines.into_iter().flatten() {
            anchor = line.instruction;
            match &line.form {
                CommandForm::Exec(words) => {
                    let bare = self.bare.filter(|bare| bare.index == anchor);
                    exec.extend(bare.map_or(words, |bare| &bare.words).iter().cloned());
                }
                CommandForm::Shell { .. } => {
                    let Some(script) = self.anatomy.ctx.model.script(line.instruction) else {
                        return Err(unreadable(anchor));
                    };
                    self.script(script, anchor, DEPTH)?;
                }
            }
        }
        self.words(&exec, anchor, DEPTH)
    }

    fn health_check(&mut self) -> Result<(), Why> {
        let model = self.anatomy.ctx.model;
        for index in model.of_kind(self.anatomy.stage, Keyword::Healthcheck) {
            match model.instruction(index).command_body() {
                Some(CommandBody::Exec(words)) => {
                    let words: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
                    self.words(&words, index, DEPTH)?;
                }
                Some(CommandBody::Shell(_)) => match model.script(index) {
                    Some(script) => self.script(script, index, DEPTH)?,
                    None => return Err(unreadable(index)),
                },
                None => {}
            }
        }
        Ok(())
    }

    /// A command in the exec form.
    fn words(&mut self, words: &[String], anchor: usize, depth: u32) -> Result<(), Why> {
        let Some((program, rest)) = words.split_first() else {
            return Ok(());
        };
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        self.command(program, &rest, anchor, depth)
    }

    fn command(
        &mut self,
        program: &str,
        rest: &[&str],
        anchor: usize,
        depth: u32,
    ) -> Result<(), Why> {
        let name = file_name(program);
        if self
            .anatomy
            .ctx
            .catalog
            .has_word(WordSet::ProgramsWithOwnEnvironment, name)
            || name == "sudo"
        {
            return Err(Why::new(
                anchor,
                format!("`{name}` starts programs that do not see the environment's PATH"),
                "start the program itself",
            ));
        }
        let module = match rest {
            ["-m", module, ..] if name.starts_with("python") => module,
            _ => name,
        };
        if RUNNERS.contains(&module) {
            return Err(Why::new(
                anchor,
                format!(
                    "`{module}` runs when the container does, and the runtime stage would not have it"
                ),
                format!("start the program itself, without `{module} run`"),
            ));
        }
        if self
            .anatomy
            .ctx
            .catalog
            .has_word(WordSet::InstallPrograms, module)
        {
            return Err(Why::new(
                anchor,
                format!("`{module}` builds or installs when the container starts"),
                "build in the image",
            ));
        }
        if matches!(
            name,
            "jupyter" | "jupyter-lab" | "jupyter-notebook" | "jupyterhub"
        ) {
            return Err(Why::new(
                anchor,
                "a notebook server runs what people type, with any tool",
                "",
            ));
        }
        if Dialect::of_program(name).is_some() {
            return self.shell(rest, anchor, depth);
        }
        if matches!(
            name,
            "tini"
                | "dumb-init"
                | "gosu"
                | "su-exec"
                | "env"
                | "exec"
                | "nice"
                | "time"
                | "timeout"
        ) {
            self.programs.push((name.to_owned(), anchor));
            let skipped = rest
                .iter()
                .position(|word| !word.starts_with('-') && !word.contains('='))
                .unwrap_or(rest.len());
            let skipped = skipped + usize::from(matches!(name, "gosu" | "su-exec" | "timeout"));
            let words: Vec<String> = rest
                .iter()
                .skip(skipped)
                .map(|word| (*word).to_owned())
                .collect();
            return self.words(&words, anchor, depth);
        }
        if let Some(at) = rest.iter().position(|word| *word == "--") {
            let words: Vec<String> = rest[at + 1..]
                .iter()
                .map(|word| (*word).to_owned())
                .collect();
            self.words(&words, anchor, depth)?;
        }
        if let Some(path) = self.own_file(program) {
            return self.file(&path, anchor, depth);
        }
        self.programs.push((name.to_owned(), anchor));
        Ok(())
    }

    /// `sh -c '…'`, `bash script.sh`.
    fn shell(&mut self, rest: &[&str], anchor: usize, depth: u32) -> Result<(), Why> {
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            if word.starts_with("--login") || word.starts_with('-') && word.contains('l') {
                return Err(Why::new(
                    anchor,
                    "a login shell sets PATH anew, without the environment",
                    "start the shell without `-l`",
                ));
            }
            if word.starts_with('-') && word.ends_with('c') {
                let text = rest.next().copied().unwrap_or_default();
                return self.text(text.as_bytes(), Dialect::Posix, anchor, depth);
            }
            if !word.starts_with(['-', '+']) {
                return match self.own_file(word) {
                    Some(path) => self.file(&path, anchor, depth),
                    None => Err(Why::new(
                        anchor,
                        format!("`{word}` is started, and it is not in the build context"),
                        "",
                    )),
                };
            }
        }
        Ok(())
    }

    /// The file of the context that a program's name means.
    fn own_file(&self, program: &str) -> Option<String> {
        let here = self
            .anatomy
            .stage
            .end
            .config
            .workdir
            .as_deref()
            .unwrap_or("/");
        if program.contains('/') {
            return self.anatomy.context_path(&resolve(here, program));
        }
        ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin"]
            .iter()
            .chain(program.ends_with(".sh").then_some(&here))
            .find_map(|folder| self.anatomy.context_path(&resolve(folder, program)))
    }

    /// A script of the context.
    fn file(&mut self, path: &str, anchor: usize, depth: u32) -> Result<(), Why> {
        if depth == 0 || self.seen.iter().any(|seen| seen == path) {
            return Ok(());
        }
        self.seen.push(path.to_owned());
        let Some(bytes) = self
            .anatomy
            .ctx
            .context
            .and_then(|context| context.read(path))
        else {
            return Err(unreadable(anchor));
        };
        let first = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let first = String::from_utf8_lossy(first).into_owned();
        let interpreter = first.strip_prefix("#!").unwrap_or("/bin/sh").trim();
        let name = interpreter
            .split_whitespace()
            .map(file_name)
            .rfind(|word| *word != "env");
        let name = name.unwrap_or_default();
        if interpreter.starts_with("/usr/local/bin/python")
            || interpreter.starts_with("/usr/bin/python")
        {
            return Err(fixed_interpreter(anchor, path, &first));
        }
        let dialect = match (Dialect::of_program(name), name) {
            (Some(dialect), _) => dialect,
            (_, "-e" | "-ex" | "-eu" | "-x") => Dialect::Posix,
            _ if name.starts_with("python") => return Ok(()),
            _ if name.starts_with('-') => Dialect::Bash,
            _ => {
                self.programs.push((name.to_owned(), anchor));
                return Ok(());
            }
        };
        self.text(&bytes, dialect, anchor, depth - 1)
            .map_err(|why| Why::new(why.anchor, format!("`{path}`: {}", why.reason), why.remedy))
    }

    fn text(
        &mut self,
        bytes: &[u8],
        dialect: Dialect,
        anchor: usize,
        depth: u32,
    ) -> Result<(), Why> {
        let mut text = Logical::default();
        text.push(bytes, 0);
        let script = shell::parse(&text, dialect)
            .or_else(|_| shell::parse(&text, Dialect::Bash))
            .map_err(|_| unreadable(anchor))?;
        self.script(&script, anchor, depth)
    }

    fn script(&mut self, script: &Script, anchor: usize, depth: u32) -> Result<(), Why> {
        for invocation in script.invocations() {
            self.invocation(&invocation, anchor, depth)?;
        }
        Ok(())
    }

    fn invocation(
        &mut self,
        invocation: &Invocation<'_>,
        anchor: usize,
        depth: u32,
    ) -> Result<(), Why> {
        let simple = invocation.simple;
        let Some(first) = simple.words.first() else {
            return match simple.assignments.iter().any(|one| one.name == b"PATH") {
                true => Err(sets_path(anchor)),
                false => Ok(()),
            };
        };
        if simple.declared().iter().any(|(name, _)| *name == b"PATH") {
            return Err(sets_path(anchor));
        }
        for word in invocation.prefix() {
            let word = String::from_utf8_lossy(&word.raw).into_owned();
            if matches!(word.as_str(), "sudo" | "doas") {
                return self.command("sudo", &[], anchor, depth);
            }
        }
        let Some(name) = simple.words.get(simple.prefix().len()) else {
            return Ok(());
        };
        let Some(program) = name.literal.as_deref() else {
            let raw = String::from_utf8_lossy(&first.raw).into_owned();
            // `exec "$@"` runs CMD, which is looked at by itself.
            return if matches!(name.raw.as_slice(), b"\"$@\"" | b"$@" | b"$*" | b"\"${@}\"") {
                Ok(())
            } else {
                Err(Why::new(
                    anchor,
                    format!("`{raw}` starts a program whose name is computed"),
                    "write its name out",
                ))
            };
        };
        let program = String::from_utf8_lossy(program).into_owned();
        let rest: Vec<String> = invocation
            .arguments()
            .iter()
            .map(|word| {
                String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned()
            })
            .collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        match (program.as_str(), rest.as_slice()) {
            // What is sourced is read as if it stood here; an environment that is not the image's cannot be.
            ("." | "source", [path, ..]) => match self.own_file(path) {
                Some(path) => self.file(&path, anchor, depth),
                None if file_name(path) == "activate" => Err(sets_path(anchor)),
                None => Ok(()),
            },
            (shell, _) if Dialect::of_program(shell).is_some() && invocation.inner().is_some() => {
                Ok(())
            }
            _ => self.command(&program, &rest, anchor, depth),
        }
    }

    /// Texts that ship and name a path that the environment moves.
    fn files(&self, installs: &Installs) -> Result<(), Why> {
        let Some(context) = self.anatomy.ctx.context else {
            return Ok(());
        };
        if installs.own_environment.is_some() {
            return Ok(());
        }
        let mut budget = 3_000_usize;
        for (path, entry) in context.under("") {
            let Entry::File { size, mode } = entry else {
                continue;
            };
            let name = file_name(path);
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            let reads = matches!(
                extension,
                "" | "cfg" | "conf" | "ini" | "py" | "service" | "sh" | "toml" | "yaml" | "yml"
            ) && *size < 262_144
                && !name.contains("ockerfile")
                && !path.starts_with(".git");
            if !reads {
                continue;
            }
            budget -= 1;
            if budget == 0 {
                break;
            }
            let Some(bytes) = context.read(path) else {
                continue;
            };
            let first = bytes
                .split(|byte| *byte == b'\n')
                .next()
                .unwrap_or_default();
            let fixed = [b"#!/usr/local/bin/python".as_slice(), b"#!/usr/bin/python"]
                .iter()
                .any(|start| first.starts_with(start));
            if fixed && mode & 0o111 != 0 {
                let first = String::from_utf8_lossy(first).into_owned();
                return Err(fixed_interpreter(self.anatomy.stage.from, path, &first));
            }
            let rest = if fixed {
                &bytes[first.len()..]
            } else {
                &bytes[..]
            };
            if let Some(found) = fixed_path(rest) {
                return Err(Why::new(
                    self.anatomy.stage.from,
                    format!("`{path}` names {found}, and the environment is elsewhere"),
                    "call programs by their names alone",
                ));
            }
        }
        Ok(())
    }
}

/// A path of the system's Python that `text` names: an interpreter, a script of a package, the packages' folder.
fn fixed_path(text: &[u8]) -> Option<&'static str> {
    const PATHS: &[&str] = &[
        "/usr/local/lib/python",
        "/usr/local/bin/python",
        "/usr/local/bin/pip",
        "/usr/local/bin/alembic",
        "/usr/local/bin/celery",
        "/usr/local/bin/daphne",
        "/usr/local/bin/django-admin",
        "/usr/local/bin/flask",
        "/usr/local/bin/gunicorn",
        "/usr/local/bin/hypercorn",
        "/usr/local/bin/uvicorn",
        "/usr/local/bin/uwsgi",
        "/usr/local/bin/waitress",
    ];
    PATHS
        .iter()
        .find(|path| {
            text.windows(path.len())
                .any(|window| window == path.as_bytes())
        })
        .copied()
}

fn fixed_interpreter(anchor: usize, path: &str, line: &str) -> Why {
    Why::new(
        anchor,
        format!(
            "`{path}` begins with `{}`, which is not the environment's",
            line.trim_end()
        ),
        "write `#!/usr/bin/env python3`",
    )
}

fn unreadable(anchor: usize) -> Why {
    Why::new(
        anchor,
        "what the container starts cannot be read",
        "write it as plain commands",
    )
}

fn sets_path(anchor: usize) -> Why {
    Why::new(
        anchor,
        "PATH is set when the container starts, maybe without the environment",
        "set PATH with ENV",
    )
}
