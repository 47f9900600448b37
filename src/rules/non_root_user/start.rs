//! What the container starts, as plain commands: ENTRYPOINT and CMD, the lists that a shell gets, the context's scripts.

use crate::catalog::{ImageFacts, WordSet};
use crate::model::path::{file_name, resolve};
use crate::model::{Base, CommandForm, Setting, Stage};
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::image_paths::{final_working_directory, origin};
use crate::shell::{self, Dialect, Redirect};
use crate::stack::commands::split_list;
use crate::syntax::Logical;

/// How deep scripts that call scripts are followed.
const DEPTH: usize = 4;

/// What ENTRYPOINT and CMD start.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// Index of the instruction that names the program.
    pub(super) index: usize,
    /// Every command that runs, the one that stays among them; words with an expansion as they are written.
    pub(super) commands: Vec<Vec<String>>,
}

/// What `stage` starts.
///
/// # Errors
/// When this file names no program, or names one in a way that cannot be read.
pub(super) fn start(ctx: &Ctx<'_>, stage: &Stage) -> Result<Start, Why> {
    let config = &stage.end.config;
    let cmd = config.cmd.set();
    let (index, argv) = match (&config.entrypoint, cmd) {
        (Setting::Set(entry), _) => {
            let mut argv = entry.form.argv();
            if let (CommandForm::Exec(_), Some(cmd)) = (&entry.form, cmd) {
                argv.extend(cmd.form.argv());
            }
            (entry.instruction, argv)
        }
        (_, Some(cmd)) => {
            let mut argv = inherited_entrypoint(ctx, stage)?;
            argv.extend(cmd.form.argv());
            (cmd.instruction, argv)
        }
        _ => {
            return Err(Why::new(
                "no CMD or ENTRYPOINT says what runs, and the base image's own program may need root",
                "write USER yourself if it does not",
            ));
        }
    };
    let mut reader = Reader {
        ctx,
        stage,
        start: Start {
            index,
            commands: Vec::new(),
        },
    };
    reader.command(&argv, DEPTH)?;
    for command in &ctx.settings.usage.commands {
        reader.list(command, DEPTH).map_err(|why| {
            Why::new(
                format!("`{command}` runs in the image too: {}", why.reason),
                why.remedy,
            )
        })?;
    }
    Ok(reader.start)
}

/// The words that the base image puts before CMD.
fn inherited_entrypoint(ctx: &Ctx<'_>, stage: &Stage) -> Result<Vec<String>, Why> {
    let facts: Option<&ImageFacts> = match ctx.model.chain(stage.index).last().map(|it| &it.base) {
        Some(Base::Scratch) => return Ok(Vec::new()),
        Some(Base::Image { facts, .. }) => facts.as_ref(),
        _ => None,
    };
    let Some(facts) = facts else {
        return Err(unknown_image());
    };
    match facts.entrypoint() {
        _ if facts.family.runs_arguments => Ok(Vec::new()),
        Some("") => Ok(Vec::new()),
        Some(json) if facts.family.name.get().starts_with("gcr.io/distroless/") => {
            Ok(serde_json::from_str(json).unwrap_or_default())
        }
        _ => Err(Why::new(
            format!(
                "the entrypoint of {} may need root before it starts CMD",
                facts.family.name
            ),
            "write ENTRYPOINT in this file, or USER yourself",
        )),
    }
}

pub(super) fn unknown_image() -> Why {
    Why::new(
        "nothing is known about the base image, and which users it has",
        "describe the image in the configuration's catalog, or write USER yourself",
    )
}

struct Reader<'a> {
    ctx: &'a Ctx<'a>,
    stage: &'a Stage,
    start: Start,
}

impl Reader<'_> {
    /// The words of an exec form.
    fn command(&mut self, words: &[String], depth: usize) -> Result<(), Why> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| Why::new("scripts that start it call each other too deep", ""))?;
        let mut words = words;
        while let Some(first) = words.first() {
            let skipped = match file_name(first) {
                name if self.ctx.catalog.has_word(WordSet::Inits, name) => {
                    1 + words[1..]
                        .iter()
                        .take_while(|word| word.starts_with('-'))
                        .count()
                }
                "exec" | "env" => 1,
                _ if first.contains('=') && !first.starts_with(['-', '/', '.']) => 1,
                _ => break,
            };
            words = &words[skipped..];
        }
        let Some(program) = words.first() else {
            return Ok(());
        };
        let name = file_name(program);
        if self.ctx.catalog.has_word(WordSet::Shells, name) {
            let flags = words[1..]
                .iter()
                .take_while(|word| word.starts_with(['-', '+']))
                .count();
            let is_list = words[1..=flags]
                .iter()
                .any(|flag| !flag.starts_with("--") && flag.ends_with('c'));
            return match words.get(1 + flags) {
                Some(text) if is_list => self.list(text, depth),
                Some(script) => self.script(script, &words[2 + flags..], depth),
                None => Err(Why::new(
                    "the image starts a shell, and what will be done in it is not known",
                    "",
                )),
            };
        }
        if program.contains('$') {
            return Err(Why::new("which program starts is computed", ""));
        }
        if name.ends_with(".sh") || self.is_shell_script(program) {
            return self.script(program, &words[1..], depth);
        }
        self.start.commands.push(words.to_vec());
        Ok(())
    }

    /// The text that a shell gets.
    fn list(&mut self, text: &str, depth: usize) -> Result<(), Why> {
        let list = split_list(text).ok_or_else(|| {
            Why::new(
                format!("`{text}` is more than a list of plain commands, and may write anywhere"),
                "start one program",
            )
        })?;
        for plain in list {
            self.command(&plain.words, depth)?;
        }
        Ok(())
    }

    /// The path in the context of the file that a word names in the image.
    fn context_path(&self, word: &str) -> Option<String> {
        let folder = final_working_directory(self.ctx, self.stage)?;
        if word.contains('/') {
            return origin(self.ctx, self.stage, &resolve(folder, word));
        }
        ["/usr/local/bin", "/usr/bin", "/bin", folder]
            .iter()
            .find_map(|folder| origin(self.ctx, self.stage, &resolve(folder, word)))
    }

    fn is_shell_script(&self, word: &str) -> bool {
        let head = self
            .context_path(word)
            .and_then(|path| self.ctx.context?.read_head(&path, 64));
        let Some(head) = head else {
            return false;
        };
        let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        first.starts_with(b"#!") && first.trim_ascii_end().ends_with(b"sh")
    }

    /// A shell script of the context, with its arguments.
    fn script(&mut self, word: &str, arguments: &[String], depth: usize) -> Result<(), Why> {
        let name = file_name(word).to_owned();
        let unseen = || {
            Why::new(
                format!("the container starts {name}, whose text is not seen"),
                "run docker-diet with the build context, and with the script in it",
            )
        };
        let path = self.context_path(word).ok_or_else(unseen)?;
        let bytes = self
            .ctx
            .context
            .and_then(|context| context.read(&path))
            .ok_or_else(unseen)?;
        let mut logical = Logical::default();
        logical.push(&bytes, 0);
        let script = shell::parse(&logical, Dialect::Bash)
            .map_err(|_| Why::new(format!("{path} cannot be read as shell"), ""))?;
        let functions = script.functions();
        for invocation in script.invocations() {
            if let Some(target) = invocation.command.redirects.iter().find_map(written) {
                return Err(Why::new(
                    format!("{path} writes {target} when the container starts"),
                    "",
                ));
            }
            let texts: Vec<String> = invocation
                .simple
                .words
                .iter()
                .map(|word| {
                    let bytes = word.literal.as_deref().unwrap_or(&word.raw);
                    String::from_utf8_lossy(bytes).into_owned()
                })
                .collect();
            let texts = match texts.iter().position(|text| is_arguments(text)) {
                Some(at) => [&texts[..at], arguments, &texts[at + 1..]].concat(),
                None => texts,
            };
            let is_function = invocation
                .name()
                .is_some_and(|name| functions.contains(&name));
            if !is_function && invocation.inner().is_none() {
                self.command(&texts, depth)?;
            }
        }
        Ok(())
    }
}

/// `"$@"`, the script's own arguments.
fn is_arguments(text: &str) -> bool {
    matches!(text, "$@" | "\"$@\"" | "${@}" | "\"${@}\"" | "$*")
}

/// The file that a redirection writes, if it is one that only root may write.
fn written(redirect: &Redirect) -> Option<String> {
    let writes = redirect.operator.contains(&b'>') && !redirect.operator.ends_with(b">&");
    let target = String::from_utf8_lossy(&redirect.target.raw).into_owned();
    let free = target.starts_with("/dev/") || target.starts_with("/tmp/");
    (writes && !free).then_some(target)
}
