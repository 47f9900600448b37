//! Everything that runs in stages: the programs that instructions, scripts of the context and overriding commands call.

use std::collections::BTreeSet;

use super::Why;
use crate::model::path::{file_name, resolve};
use crate::model::{CommandForm, CommandLine, Setting, Stage};
use crate::rules::Ctx;
use crate::rules::image_paths::{origin, working_directory};
use crate::shell::{self, Dialect, Script, Simple, quote_word};
use crate::syntax::{CommandBody, Keyword, Logical, Run};

/// How deep scripts that call scripts are followed.
const DEPTH: usize = 4;
/// Scripts longer than this are not read.
const SCRIPT_BYTES: usize = 256 << 10;

/// One call of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The program without its folder.
    pub(crate) name: String,
    /// Its arguments; those with an expansion as they are written.
    pub(crate) arguments: Vec<String>,
    /// The instruction that it goes back to; none for a command from outside the Dockerfile.
    pub(crate) index: Option<usize>,
    /// Whether it runs when the container does, not in the build.
    pub(crate) at_start: bool,
}

impl Call {
    /// The arguments that are no flags.
    pub(crate) fn operands(&self) -> impl Iterator<Item = &str> {
        self.arguments
            .iter()
            .map(String::as_str)
            .filter(|word| !word.starts_with('-'))
    }

    /// `line 7 runs make`
    pub(crate) fn told(&self, ctx: &Ctx<'_>) -> String {
        match self.index {
            Some(index) => format!("line {} runs {}", line(ctx, index), self.name),
            None => format!("the repository runs {} in it", self.name),
        }
    }
}

/// The line on which the instruction begins, counted from 1.
pub(crate) fn line(ctx: &Ctx<'_>, index: usize) -> usize {
    ctx.model.instruction(index).lines.0
}

/// All that is called in the stages, and the texts of the context's scripts among it.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// In the order in which it is found.
    pub(crate) calls: Vec<Call>,
    /// The texts of the scripts of the context that run.
    pub(crate) scripts: Vec<String>,
}

/// What the RUNs of these stages call, and the scripts among it; what starts with the container is left out.
///
/// # Errors
/// As for [`of_stages`].
pub(crate) fn of_builds(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<Runs, Why> {
    let mut reader = Reader::new(ctx);
    for stage in stages {
        for index in ctx.model.of_kind(stage, Keyword::Run) {
            reader.run(index)?;
        }
    }
    Ok(reader.runs)
}

/// What runs in these stages.
///
/// # Errors
/// When something runs whose text cannot be read: a computed name, a script that is not seen, a program of the context.
pub(crate) fn of_stages(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<Runs, Why> {
    let mut reader = Reader::new(ctx);
    for stage in stages {
        reader.stage(stage)?;
    }
    for command in &ctx.settings.usage.commands {
        let at = At {
            index: None,
            at_start: true,
            depth: 0,
        };
        reader.text(command.as_bytes(), Dialect::Posix, at)?;
    }
    Ok(reader.runs)
}

/// The folder of the virtual environment that a call makes: `python3 -m venv DIR`, `virtualenv DIR`.
fn environment<'w>(name: &str, arguments: &'w [String]) -> Option<&'w str> {
    let own = if name == "virtualenv" {
        arguments
    } else if name.starts_with("python") {
        let [flag, module, own @ ..] = arguments else {
            return None;
        };
        let makes = flag == "-m" && matches!(module.as_str(), "venv" | "virtualenv");
        makes.then_some(own)?
    } else {
        return None;
    };
    let [folder] = own else {
        return None;
    };
    let plain = !folder.starts_with('-') && !folder.contains(['$', '~']);
    plain.then_some(folder.as_str())
}

/// Where a call comes from.
#[derive(Clone, Copy)]
struct At {
    index: Option<usize>,
    at_start: bool,
    depth: usize,
}

impl At {
    /// The instruction that starts the container.
    fn start(index: usize) -> Self {
        Self {
            index: Some(index),
            at_start: true,
            depth: 0,
        }
    }
}

struct Reader<'a> {
    ctx: &'a Ctx<'a>,
    runs: Runs,
    seen: BTreeSet<String>,
    /// Folders of virtual environments that were made, absolute.
    environments: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    fn new(ctx: &'a Ctx<'a>) -> Self {
        Self {
            ctx,
            runs: Runs::default(),
            seen: BTreeSet::new(),
            environments: BTreeSet::new(),
        }
    }

    fn stage(&mut self, stage: &Stage) -> Result<(), Why> {
        for index in stage.body.clone() {
            let instruction = self.ctx.model.instruction(index);
            let at = At {
                index: Some(index),
                at_start: instruction.keyword != Keyword::Run,
                depth: 0,
            };
            match instruction.keyword {
                Keyword::Run => self.run(index)?,
                Keyword::Healthcheck => match instruction.command_body() {
                    Some(CommandBody::Exec(words)) => {
                        let words: Vec<&str> =
                            words.iter().map(|word| word.value.as_str()).collect();
                        self.words(&words, at)?;
                    }
                    Some(CommandBody::Shell(_)) => self.shell_form(index, at)?,
                    None => {}
                },
                Keyword::Onbuild => {
                    return Err(Why::new(
                        format!(
                            "line {} leaves a trigger to other builds",
                            line(self.ctx, index)
                        ),
                        "",
                    ));
                }
                _ => {}
            }
        }
        let config = &stage.end.config;
        let (Setting::Set(entrypoint), cmd) = (&config.entrypoint, config.cmd.set()) else {
            return config.cmd.set().map_or(Ok(()), |cmd| self.command(cmd));
        };
        let CommandForm::Exec(program) = &entrypoint.form else {
            return self.command(entrypoint);
        };
        let starts_cmd = program.first().is_some_and(|word| {
            let name = file_name(word);
            name.ends_with(".sh")
                || name.contains("entrypoint")
                || matches!(name, "tini" | "dumb-init" | "gosu" | "env")
        });
        match cmd {
            Some(cmd) if starts_cmd => {
                self.command(entrypoint)?;
                self.command(cmd)
            }
            Some(cmd) => {
                let arguments = cmd.form.argv();
                let words: Vec<&str> = program
                    .iter()
                    .chain(&arguments)
                    .map(String::as_str)
                    .collect();
                self.words(&words, At::start(entrypoint.instruction))
            }
            None => self.command(entrypoint),
        }
    }

    fn run(&mut self, index: usize) -> Result<(), Why> {
        let at = At {
            index: Some(index),
            at_start: false,
            depth: 0,
        };
        match self.ctx.model.instruction(index).as_run() {
            Some(Run::Exec(words)) => {
                let words: Vec<&str> = words.iter().map(|word| word.value.as_str()).collect();
                self.words(&words, at)
            }
            _ => self.shell_form(index, at),
        }
    }

    fn command(&mut self, command: &CommandLine) -> Result<(), Why> {
        let at = At::start(command.instruction);
        match &command.form {
            CommandForm::Exec(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.words(&words, at)
            }
            CommandForm::Shell { .. } => self.shell_form(command.instruction, at),
        }
    }

    fn shell_form(&mut self, index: usize, at: At) -> Result<(), Why> {
        let model = self.ctx.model;
        let script = model.script(index).ok_or_else(|| {
            Why::new(
                format!("line {} cannot be read as shell", line(self.ctx, index)),
                "",
            )
        })?;
        let instruction = model.instruction(index);
        if instruction
            .heredocs
            .iter()
            .any(|heredoc| self.ctx.dockerfile.bytes(heredoc.body).starts_with(b"#!"))
        {
            return Err(Why::new(
                format!("line {} holds a script of its own", line(self.ctx, index)),
                "",
            ));
        }
        self.script(script, at)
    }

    /// The words of an exec form.
    fn words(&mut self, words: &[&str], at: At) -> Result<(), Why> {
        let mut text = Vec::new();
        for word in words {
            text.extend_from_slice(&quote_word(word.as_bytes()));
            text.push(b' ');
        }
        self.text(&text, Dialect::Posix, at)
    }

    fn text(&mut self, text: &[u8], dialect: Dialect, at: At) -> Result<(), Why> {
        let mut logical = Logical::default();
        logical.push(text, 0);
        let script = shell::parse(&logical, dialect)
            .map_err(|_| Why::new("a script that runs in it cannot be read", ""))?;
        self.script(&script, at)
    }

    fn script(&mut self, script: &Script, at: At) -> Result<(), Why> {
        let functions = script.functions();
        for invocation in script.invocations() {
            let simple = invocation.simple;
            let Some(word) = simple.words.get(simple.prefix().len()) else {
                continue;
            };
            match (word.literal.as_deref(), invocation.name()) {
                (Some(program), Some(name)) if !functions.contains(&name) => {
                    let program = String::from_utf8_lossy(program).into_owned();
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.call(&program, name, simple, at)?;
                }
                (None, _) if !matches!(&word.raw[..], b"\"$@\"" | b"$@" | b"\"${@}\"") => {
                    return Err(Why::new(
                        match at.index {
                            Some(index) => format!(
                                "line {} runs a program whose name is computed",
                                line(self.ctx, index)
                            ),
                            None => "a program whose name is computed runs in it".to_owned(),
                        },
                        "",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn call(&mut self, program: &str, name: String, simple: &Simple, at: At) -> Result<(), Why> {
        let arguments: Vec<String> = simple
            .arguments()
            .iter()
            .map(|word| {
                String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned()
            })
            .collect();
        let reads_script =
            Dialect::of_program(&name).is_some() || matches!(name.as_str(), "." | "source");
        // `sh -s -- -y` reads its script from the pipe.
        let reads_input = arguments.first().is_some_and(|word| word == "-s");
        let script = if reads_script && reads_input {
            None
        } else if reads_script {
            match arguments.iter().find(|word| !word.starts_with(['-', '+'])) {
                Some(_) if simple.inner.is_some() => None,
                Some(path) => Some(path.clone()),
                None => None,
            }
        } else if name.ends_with(".sh")
            || program.contains('/') && !in_system(program)
            || self.finds_in_context(&name)
        {
            Some(program.to_owned())
        } else {
            None
        };
        let inits = ["tini", "dumb-init", "gosu", "su-exec"];
        if inits.contains(&name.as_str()) {
            let mut rest = arguments
                .iter()
                .skip(usize::from(name == "gosu" || name == "su-exec"));
            let rest: Vec<&str> = rest
                .by_ref()
                .skip_while(|word| word.starts_with('-'))
                .map(String::as_str)
                .collect();
            if !rest.is_empty() && !rest[0].contains('$') {
                self.words(&rest, at)?;
            }
        }
        self.environments
            .extend(environment(&name, &arguments).and_then(|folder| self.absolute(folder, at)));
        let script = script
            .filter(|_| !matches!(name.as_str(), "mvnw" | "gradlew"))
            .filter(|path| !self.is_of_environment(path, at));
        if script.is_none() || reads_script {
            self.runs.calls.push(Call {
                name,
                arguments,
                index: at.index,
                at_start: at.at_start,
            });
        }
        match script {
            Some(path) => self.context_script(&path, at),
            None => Ok(()),
        }
    }

    /// The absolute path, where the working directory of the instruction is known.
    fn absolute(&self, path: &str, at: At) -> Option<String> {
        Some(resolve(working_directory(self.ctx, at.index?)?, path))
    }

    /// Whether a path is one of the programs that a virtual environment is made with, or that pip puts into it.
    fn is_of_environment(&self, path: &str, at: At) -> bool {
        let path = self.absolute(path, at);
        path.as_deref()
            .and_then(|path| path.rsplit_once('/')?.0.strip_suffix("/bin"))
            .is_some_and(|folder| self.environments.contains(folder))
    }

    fn finds_in_context(&self, name: &str) -> bool {
        name.contains('-') && self.ctx.context.is_some() && self.find(name).is_some()
    }

    /// The only file of this name that the build can see.
    fn find(&self, name: &str) -> Option<String> {
        let context = self.ctx.context?;
        let mut found = context
            .visible()
            .filter(|(path, _)| file_name(path) == name)
            .map(|(path, _)| path.to_owned());
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The file of the context that a COPY put at `path`, which may have another name.
    fn copied(&self, path: &str, at: At) -> Option<String> {
        let path = self.absolute(path, at)?;
        let found = origin(self.ctx, self.ctx.model.stage_of(at.index?)?, &path)?;
        self.ctx.context?.has(&found).then_some(found)
    }

    fn context_script(&mut self, path: &str, at: At) -> Result<(), Why> {
        let told = match at.index {
            Some(index) => format!("line {} runs {path}", line(self.ctx, index)),
            None => format!("{path} runs in it"),
        };
        let unseen = || {
            Why::new(
                format!("{told}, which could call anything"),
                "run docker-diet with the build context, and with the script in it",
            )
        };
        let found = self
            .copied(path, at)
            .or_else(|| self.find(file_name(path)))
            .ok_or_else(unseen)?;
        if !self.seen.insert(found.clone()) {
            return Ok(());
        }
        let bytes = self
            .ctx
            .context
            .and_then(|context| context.read(&found))
            .filter(|bytes| bytes.len() <= SCRIPT_BYTES && at.depth < DEPTH)
            .ok_or_else(unseen)?;
        let deeper = At {
            depth: at.depth + 1,
            ..at
        };
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
        let first = String::from_utf8_lossy(first).into_owned();
        let interpreter = first.strip_prefix("#!").and_then(|line| {
            line.split_whitespace()
                .map(file_name)
                .find(|word| *word != "env")
        });
        let dialect = match interpreter.map(|name| (name, Dialect::of_program(name))) {
            Some((_, Some(dialect))) => dialect,
            None if found.ends_with(".sh") => Dialect::Bash,
            Some((other, None)) => {
                self.runs.calls.push(Call {
                    name: other.to_owned(),
                    arguments: vec![found],
                    index: at.index,
                    at_start: at.at_start,
                });
                return Ok(());
            }
            None => return Err(unseen()),
        };
        let script = String::from_utf8_lossy(&bytes).into_owned();
        self.runs.scripts.push(script);
        self.text(&bytes, dialect, deeper)
    }
}

/// Whether a path names a program of the distribution.
fn in_system(path: &str) -> bool {
    ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"]
        .iter()
        .any(|folder| path.starts_with(folder))
}
