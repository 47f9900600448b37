use crate::catalog::WordSet;
use crate::model::{Base, CommandForm, Setting, Shell, Stage};
use crate::rules::declare::declare_rule;
use crate::rules::{Change, Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::shell::{CommandKind, Joint, Script, Simple};
use crate::syntax::{Instruction, Logical};
use crate::text::{Edit, Span};

declare_rule! {
    /// Writes CMD and ENTRYPOINT as JSON arrays, so that the program is process 1 and gets the signals.
    ///
    /// ## Why
    /// In shell form `/bin/sh -c` is process 1. It passes no signal on: `docker stop` waits ten seconds, then kills.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM python:3.12-slim
    /// CMD gunicorn app:app -b 0.0.0.0:8000
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM python:3.12-slim
    /// CMD ["gunicorn", "app:app", "-b", "0.0.0.0:8000"]
    /// ```
    /// What needs a shell keeps it, and the last command takes its place:
    /// `CMD java $JAVA_OPTS -jar app.jar` becomes `CMD ["sh", "-c", "exec java $JAVA_OPTS -jar app.jar"]`.
    ///
    /// ## When not
    /// The command line holds `||`, `;`, `&` or ends in a pipe or a builtin; an entrypoint reads the command's words;
    /// the text is a JSON array with single quotes, which is not JSON.
    pub(crate) ExecForm { name: "exec-form", level: Standard, hadolint: ["DL3025"] }
}

impl Rule for ExecForm {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for stage in &ctx.model.stages {
            let config = &stage.end.config;
            for (setting, change) in [
                (&config.entrypoint, Change::Entrypoint),
                (&config.cmd, Change::Cmd),
            ] {
                if let Setting::Set(line) = setting
                    && stage.body.contains(&line.instruction)
                    && let CommandForm::Shell { text, .. } = &line.form
                {
                    let command = ShellForm {
                        ctx,
                        stage,
                        index: line.instruction,
                        instruction: ctx.model.instruction(line.instruction),
                        text,
                        change,
                    };
                    proposals.extend(command.proposal());
                }
            }
        }
        proposals
    }
}

/// A CMD or ENTRYPOINT in shell form that is in effect at the end of its stage.
struct ShellForm<'a> {
    ctx: &'a Ctx<'a>,
    stage: &'a Stage,
    index: usize,
    instruction: &'a Instruction,
    text: &'a str,
    change: Change,
}

/// What runs before the command that CMD names.
enum Entry {
    /// Nothing: CMD is the program.
    None,
    /// A program that becomes its arguments and does nothing else with them.
    PassesOn,
    /// A program that looks at its arguments.
    Reads(String),
    /// A shell form: it ignores CMD.
    IgnoresCmd,
    /// The base image decides, and is not known.
    Unknown,
}

/// How far the text is from an exec form.
enum Shape {
    /// Literal words of one program.
    Words(Vec<String>),
    /// A shell is needed; `exec` goes before the byte at this offset of the file.
    NeedsShell(usize),
    /// A shell is needed, and the last command is already preceded by `exec`.
    HasExec,
}

impl ShellForm<'_> {
    fn proposal(&self) -> Option<Proposal> {
        let Shell::Posix { .. } = self.shell() else {
            return None;
        };
        let entry = match self.change {
            Change::Cmd => self.entry(),
            _ => Entry::None,
        };
        if matches!(entry, Entry::IgnoresCmd) {
            return None;
        }
        if self.text.trim_start().starts_with('[') && self.text.trim_end().ends_with(']') {
            return Some(self.refuse(
                "the brackets hold no valid JSON, so the shell gets them as a command",
                "write the array with double quotes if it was meant as one",
            ));
        }
        if let Entry::Reads(program) = &entry {
            return Some(self.refuse(
                &format!("the entrypoint `{program}` gets the command's words and may act on them"),
                "write CMD as a JSON array yourself if the entrypoint ends in `exec \"$@\"`",
            ));
        }
        if !self.instruction.comments.is_empty() {
            return Some(self.refuse(
                "comment lines stand inside the command",
                "move the comments above the instruction",
            ));
        }
        let shape = match self.shape() {
            Ok(shape) => shape,
            Err(reason) => {
                return Some(self.refuse(
                    &reason,
                    "move the command into a script that ends in `exec`, and start that",
                ));
            }
        };
        let wrapper_only = matches!(entry, Entry::Unknown) || self.shell_form_ignores_arguments();
        let words = match shape {
            Shape::Words(words) if !wrapper_only && !self.may_lack_shebang(&words[0]) => words,
            Shape::Words(_) => {
                let start = self.first_word()?;
                self.wrapped(Some(start), matches!(entry, Entry::None | Entry::PassesOn))?
            }
            Shape::NeedsShell(at) => {
                self.wrapped(Some(at), matches!(entry, Entry::None | Entry::PassesOn))?
            }
            Shape::HasExec => self.wrapped(None, matches!(entry, Entry::None | Entry::PassesOn))?,
        };
        let with_shell = words.len() == 3 && words[1] == "-c" && words[2].contains("exec ");
        let reason = if with_shell {
            format!(
                "{} in exec form: the program takes the shell's place and gets the signals",
                self.instruction.keyword.name()
            )
        } else {
            format!(
                "{} in exec form: the program is process 1 and gets the signals",
                self.instruction.keyword.name()
            )
        };
        Some(Proposal::Rewrite(Rewrite {
            anchor: self.index,
            edits: vec![Edit::replace(self.argument_span(), json_array(&words))],
            reason,
            changes: vec![self.change],
            ..Rewrite::default()
        }))
    }

    fn refuse(&self, reason: &str, remedy: &str) -> Proposal {
        Proposal::Refusal(Refusal {
            anchor: self.index,
            reason: format!(
                "{} stays in shell form: {reason}",
                self.instruction.keyword.name()
            ),
            remedy: remedy.to_owned(),
        })
    }

    fn shell(&self) -> &Shell {
        &self.ctx.model.state(self.index).shell
    }

    /// Everything after the keyword.
    fn argument_span(&self) -> Span {
        Span::new(
            self.instruction.body.source_offset(0),
            self.instruction.span.end,
        )
    }

    /// What stands before CMD when the container starts.
    fn entry(&self) -> Entry {
        match &self.stage.end.config.entrypoint {
            Setting::Set(line) => match &line.form {
                CommandForm::Shell { .. } => Entry::IgnoresCmd,
                CommandForm::Exec(words) => entry_of(self.ctx, words),
            },
            Setting::Reset => Entry::None,
            Setting::Inherited => match self
                .ctx
                .model
                .chain(self.stage.index)
                .last()
                .map(|stage| &stage.base)
            {
                Some(Base::Scratch) => Entry::None,
                Some(Base::Image {
                    facts: Some(facts), ..
                }) => match facts.entrypoint() {
                    _ if facts.family.runs_arguments => Entry::PassesOn,
                    Some("") => Entry::None,
                    Some(json) => Entry::Reads(json.to_owned()),
                    None => Entry::Unknown,
                },
                _ => Entry::Unknown,
            },
        }
    }

    /// A shell-form ENTRYPOINT drops CMD and the arguments of `docker run`: where there are any, they must go on being dropped.
    fn shell_form_ignores_arguments(&self) -> bool {
        self.change == Change::Entrypoint
            && (self.stage.end.config.cmd.set().is_some()
                || !self.ctx.settings.usage.commands.is_empty())
    }

    fn shape(&self) -> Result<Shape, String> {
        let script = self
            .ctx
            .model
            .script(self.index)
            .ok_or("the command cannot be read as shell")?;
        if !script.comments.is_empty() {
            return Err("it holds a shell comment".to_owned());
        }
        if let Some(words) = plain_words(script) {
            return Ok(Shape::Words(words));
        }
        if script.sets_traps()
            || !script.functions().is_empty()
            || script.runs_in_background()
            || script.defines_aliases()
        {
            return Err("it sets traps, functions, aliases or background jobs".to_owned());
        }
        let chain = script.chain();
        if let Some((joint, _)) = chain
            .iter()
            .find(|(joint, _)| !matches!(joint, Joint::First | Joint::And))
        {
            let operator = match joint {
                Joint::Or => "||",
                Joint::Background => "&",
                _ => ";",
            };
            return Err(format!("its commands are joined by `{operator}`"));
        }
        let (_, last) = chain.last().ok_or("it is empty")?;
        let CommandKind::Simple(simple) = &last.kind else {
            return Err("it ends in a pipe or a compound command".to_owned());
        };
        if last.negated {
            return Err("its exit status is negated".to_owned());
        }
        let first = simple.words.first().ok_or("it ends in an assignment")?;
        match first.literal.as_deref() {
            Some(b"exec") => Ok(Shape::HasExec),
            Some(name) if is_builtin(name) => Err(format!(
                "it ends in the shell builtin `{}`",
                String::from_utf8_lossy(name)
            )),
            _ => Ok(Shape::NeedsShell(first.span.start)),
        }
    }

    fn first_word(&self) -> Option<usize> {
        first_simple(self.ctx.model.script(self.index)?)
            .and_then(|simple| Some(simple.words.first()?.span.start))
    }

    /// The array that runs the text in the shell that ran it, with `exec` before the byte at `at` of the file.
    fn wrapped(&self, at: Option<usize>, alone: bool) -> Option<Vec<String>> {
        let mut words = self.shell().words();
        if alone && words.len() == 2 && words[0] == "/bin/sh" {
            "sh".clone_into(&mut words[0]);
        }
        words.push(self.one_line(at)?);
        Some(words)
    }

    /// The text on one line, white space at continuations folded, `exec` put in.
    fn one_line(&self, exec_at: Option<usize>) -> Option<String> {
        let body = &self.instruction.body;
        let script = self.ctx.model.script(self.index)?;
        let mut out = Vec::new();
        let mut from = 0;
        let mut pieces = Vec::new();
        for at in body.breaks() {
            if !inside_word(script, body, at) {
                pieces.push(from..at);
                from = at;
            }
        }
        pieces.push(from..body.text().len());
        let exec_at = exec_at.and_then(|offset| body.logical_offset(offset));
        for piece in pieces {
            let mut start = piece.start;
            if let Some(at) = exec_at.filter(|at| piece.contains(at)) {
                push_folded(&mut out, &body.text()[start..at]);
                if out.last().is_some_and(|byte| !byte.is_ascii_whitespace())
                    && at > 0
                    && body.text()[at - 1].is_ascii_whitespace()
                {
                    out.push(b' ');
                }
                out.extend_from_slice(b"exec ");
                start = at;
                out.extend_from_slice(body.text()[start..piece.end].trim_ascii_end());
                continue;
            }
            push_folded(&mut out, &body.text()[start..piece.end]);
        }
        String::from_utf8(out).ok()
    }

    /// Whether `program` may be a script without `#!`, which a shell runs and the kernel does not.
    fn may_lack_shebang(&self, program: &str) -> bool {
        let name = crate::model::path::file_name(program);
        if let Some(context) = self.ctx.context {
            let suffix = format!("/{name}");
            let mut found = context
                .visible()
                .filter(|(path, _)| *path == name || path.ends_with(&suffix))
                .filter_map(|(path, _)| context.read_head(path, 4))
                .peekable();
            if found.peek().is_some() {
                return !found.all(|head| head.starts_with(b"#!") || head.starts_with(b"\x7fELF"));
            }
        }
        let is_shell_name = [".sh", ".bash"].iter().any(|ending| name.ends_with(ending));
        let in_system = ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"]
            .iter()
            .any(|folder| program.starts_with(folder));
        is_shell_name
            || program.contains('/')
                && !in_system
                && self.ctx.context.is_none()
                && !name.contains('.')
    }
}

/// Appends text, white space at its ends cut, one space between it and what is there.
fn push_folded(out: &mut Vec<u8>, text: &[u8]) {
    let text = text.trim_ascii();
    if text.is_empty() {
        return;
    }
    if !out.is_empty() && !out.ends_with(b" ") {
        out.push(b' ');
    }
    out.extend_from_slice(text);
}

/// Whether the byte at `at` of the joined text continues a word that began before it.
fn inside_word(script: &Script, body: &Logical, at: usize) -> bool {
    let offset = body.source_offset(at);
    script
        .words()
        .iter()
        .any(|word| word.span.start < offset && offset < word.span.end)
}

/// The first simple command of the text.
fn first_simple(script: &Script) -> Option<&Simple> {
    script
        .invocations()
        .first()
        .map(|invocation| invocation.simple)
}

/// The words of a text that is one plain program call, a leading `exec` dropped.
fn plain_words(script: &Script) -> Option<Vec<String>> {
    let mut words = script.single_plain_command()?;
    if words.first().is_some_and(|word| word == b"exec")
        && words.len() > 1
        && !words[1].starts_with(b"-")
    {
        words.remove(0);
    }
    if words
        .first()
        .is_none_or(|word| is_builtin(word) || word.is_empty())
    {
        return None;
    }
    words
        .into_iter()
        .map(|word| String::from_utf8(word).ok())
        .collect()
}

/// Names that the shell runs itself and that no program of the image can stand in for.
fn is_builtin(name: &[u8]) -> bool {
    const BUILTINS: &[&[u8]] = &[
        b".",
        b":",
        b"alias",
        b"bg",
        b"break",
        b"builtin",
        b"cd",
        b"command",
        b"continue",
        b"eval",
        b"exec",
        b"exit",
        b"export",
        b"fg",
        b"hash",
        b"jobs",
        b"local",
        b"popd",
        b"pushd",
        b"read",
        b"readonly",
        b"return",
        b"set",
        b"shift",
        b"shopt",
        b"source",
        b"time",
        b"times",
        b"trap",
        b"type",
        b"ulimit",
        b"umask",
        b"unalias",
        b"unset",
        b"wait",
    ];
    BUILTINS.contains(&name)
}

/// What an exec-form ENTRYPOINT does with CMD.
fn entry_of(ctx: &Ctx<'_>, words: &[String]) -> Entry {
    let Some(program) = words.first() else {
        return Entry::None;
    };
    let name = crate::model::path::file_name(program);
    let is_init = ctx.catalog.has_word(WordSet::Inits, name);
    if is_init && words[1..].iter().all(|word| word.starts_with('-'))
        || ctx
            .context
            .is_some_and(|context| script_passes_on(context, name))
    {
        return Entry::PassesOn;
    }
    Entry::Reads(words.join(" "))
}

/// Whether the only script of this name in the context ends in `exec "$@"` and reads its arguments nowhere else.
fn script_passes_on(context: &crate::context::Context, name: &str) -> bool {
    let suffix = format!("/{name}");
    let mut candidates = context
        .visible()
        .filter(|(path, _)| *path == name || path.ends_with(&suffix));
    let (Some((path, _)), None) = (candidates.next(), candidates.next()) else {
        return false;
    };
    let Some(bytes) = context.read(path) else {
        return false;
    };
    let text = String::from_utf8_lossy(&bytes);
    let uses: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter(|line| {
            ["$@", "$*", "$1", "${1", "${@", "$#", "shift", "getopts"]
                .iter()
                .any(|part| line.contains(part))
        })
        .collect();
    uses == ["exec \"$@\""] && text.trim_end().ends_with("exec \"$@\"")
}

/// `["a", "b"]`
fn json_array(words: &[String]) -> Vec<u8> {
    let mut out = String::from("[");
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        out.push_str(&serde_json::Value::from(word.as_str()).to_string());
    }
    out.push(']');
    out.into_bytes()
}
