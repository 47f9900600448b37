//! Whether the text of a RUN means the same before or behind `&&`.

use crate::catalog::{Catalog, CommandKind as Known};
use crate::model::{Model, Shell};
use crate::shell::{CommandKind, Invocation, Joint, Operator, Script, Terminator};
use crate::syntax::{Instruction, Run};

/// What keeps a text together beside `&&`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    /// Nothing: it is commands joined by `&&`, and leaves nothing behind in the shell.
    None,
    /// `{ …; }`
    Braces,
    /// `( … )`: a folder, variables and options end with it.
    Subshell,
}

/// A RUN in shell form.
pub(super) struct Body<'a> {
    script: &'a Script,
    instruction: &'a Instruction,
    catalog: &'a Catalog,
    errexit: bool,
    /// The package managers that are asked to install themselves.
    renews_itself: Option<String>,
}

impl<'a> Body<'a> {
    /// The RUN at `index`.
    ///
    /// # Errors
    /// When no shell that can be read runs it.
    pub(super) fn of(model: &'a Model<'_>, index: usize) -> Result<Self, String> {
        let instruction = model.instruction(index);
        let Some(Run::Shell(_)) = instruction.as_run() else {
            return Err("is no command line for a shell".to_owned());
        };
        let Shell::Posix { errexit, .. } = model.state(index).shell else {
            return Err("is run by a shell that is not POSIX".to_owned());
        };
        let script = model
            .script(index)
            .filter(|script| !script.body.is_empty())
            .ok_or("cannot be read as shell")?;
        let renews_itself = model
            .operations(index)
            .into_iter()
            .find(|operation| {
                operation.packages.iter().any(|word| {
                    let text = String::from_utf8_lossy(&word.raw);
                    let name = text.split(['=', '<', '>', '@', '~', '!']).next();
                    let manager = operation.manager.name.get();
                    name.is_some_and(|name| {
                        name.trim_matches(['"', '\'']) == manager.trim_end_matches(['2', '3'])
                    })
                })
            })
            .map(|operation| operation.manager.name.get().to_owned());
        Ok(Self {
            script,
            instruction,
            catalog: model.catalog,
            errexit,
            renews_itself,
        })
    }

    /// How it is wrapped in front of `&&`.
    ///
    /// # Errors
    /// When it would mean something else there, or leave something behind that the next RUN did not see.
    pub(super) fn before_and(&self) -> Result<Wrap, String> {
        if !self.instruction.heredocs.is_empty() {
            return Err("holds a heredoc".to_owned());
        }
        if !self.script.comments.is_empty() {
            return Err("holds a shell comment, which would swallow what follows".to_owned());
        }
        if self.script.runs_in_background() {
            return Err("leaves a process running in the background".to_owned());
        }
        if self.script.sets_traps() || self.script.defines_aliases() {
            return Err("sets a trap or an alias".to_owned());
        }
        if let Some(name) = &self.renews_itself {
            return Err(format!(
                "replaces `{name}`, and the same shell would go on with the old one"
            ));
        }
        let invocations = self.script.invocations();
        for invocation in &invocations {
            self.check_command(invocation)?;
        }
        let pure = self.is_and_chain();
        let may_set_errexit = invocations.iter().any(sets_errexit);
        if (self.errexit || may_set_errexit) && !self.is_simple_chain() {
            return Err("relies on `set -e`, which is off in front of `&&`".to_owned());
        }
        if self.reads_code(&invocations) && !(pure && self.last_is_external()) {
            return Err("runs code from elsewhere, which may rely on `set -e`".to_owned());
        }
        Ok(if self.leaks(&invocations) {
            Wrap::Subshell
        } else if pure {
            Wrap::None
        } else {
            Wrap::Braces
        })
    }

    /// How it is wrapped behind the last `&&`.
    ///
    /// # Errors
    /// When braces are needed and cannot be closed.
    pub(super) fn after_and(&self) -> Result<Wrap, String> {
        if self.script.runs_in_background() {
            return Err("leaves a process running in the background".to_owned());
        }
        if self.is_and_chain() {
            return Ok(Wrap::None);
        }
        if !self.script.comments.is_empty() || !self.instruction.heredocs.is_empty() {
            return Err("ends in a comment or a heredoc, behind which no brace closes".to_owned());
        }
        Ok(Wrap::Braces)
    }

    /// Whether the text ends with a `;` of its own.
    pub(super) fn ends_in_semicolon(&self) -> bool {
        self.script
            .body
            .last()
            .is_some_and(|statement| statement.terminator == Terminator::Semicolon)
    }

    fn check_command(&self, invocation: &Invocation<'_>) -> Result<(), String> {
        let Some(name) = invocation.name() else {
            return Ok(());
        };
        let shown = String::from_utf8_lossy(name);
        let known = self.catalog.command(&shown).map(|command| command.kind);
        if known == Some(Known::Service)
            || matches!(name, b"gpg" | b"gpg2" | b"gpg-agent" | b"service")
        {
            return Err(format!("may leave a process of `{shown}` running"));
        }
        if matches!(name, b"usermod" | b"gpasswd" | b"groupmod") {
            return Err(format!(
                "changes accounts with `{shown}`, which count from the next RUN on"
            ));
        }
        if name == b"return" && !invocation.position.in_function {
            return Err("returns from no function".to_owned());
        }
        let replaces_shell = matches!(
            name,
            b"ln" | b"rm" | b"mv" | b"cp" | b"dpkg-divert" | b"update-alternatives"
        ) && invocation.arguments().iter().any(|word| {
            matches!(
                word.literal.as_deref(),
                Some(b"/bin/sh" | b"/usr/bin/sh" | b"sh" | b"/bin" | b"/bin/")
            )
        });
        if replaces_shell || name == b"dpkg-reconfigure" && invocation.has_argument("dash") {
            return Err("replaces the shell that the next RUN starts with".to_owned());
        }
        Ok(())
    }

    /// Commands of any shape, joined by nothing but `&&`.
    fn is_and_chain(&self) -> bool {
        let [statement] = self.script.body.as_slice() else {
            return false;
        };
        statement.terminator == Terminator::None
            && self
                .script
                .chain()
                .iter()
                .all(|(joint, _)| matches!(joint, Joint::First | Joint::And))
    }

    /// Simple commands and pipelines of them, joined by `&&`, without a list that `set -e` could cut short.
    fn is_simple_chain(&self) -> bool {
        self.is_and_chain()
            && self
                .script
                .chain()
                .iter()
                .all(|(_, command)| is_simple_or_pipeline(command))
            && self
                .script
                .words()
                .iter()
                .all(|word| word.substitutions.is_empty())
    }

    fn reads_code(&self, invocations: &[Invocation<'_>]) -> bool {
        self.script.sources() || invocations.iter().any(|it| it.calls("eval"))
    }

    /// Whether the last command of the chain is a simple one that the shell itself does not run.
    fn last_is_external(&self) -> bool {
        self.script.chain().last().is_some_and(|(_, command)| {
            matches!(&command.kind, CommandKind::Simple(simple)
                if simple.name().is_some_and(|name| !LEAKING.contains(&name)))
        })
    }

    /// Whether something of it would stay in the shell: a folder, a variable, an option, a function.
    fn leaks(&self, invocations: &[Invocation<'_>]) -> bool {
        let by_command = invocations.iter().any(|it| {
            let simple = it.simple;
            let only_assigns = simple.words.is_empty() && !simple.assignments.is_empty();
            let first = simple
                .words
                .first()
                .and_then(|word| word.literal.as_deref());
            let special = !simple.assignments.is_empty() && first == Some(b":");
            let leaking = [it.name(), first]
                .into_iter()
                .flatten()
                .any(|name| LEAKING.contains(&name));
            let prints_into = it.calls("printf") && it.has_argument("-v");
            !it.position.in_own_process() && (only_assigns || special || leaking || prints_into)
        });
        by_command
            || self.script.exits()
            || !self.script.functions().is_empty()
            || !self.script.assigns().is_empty()
            || self
                .script
                .words()
                .iter()
                .any(|word| assigns_in_expansion(&word.raw))
            || self.has_arithmetic_command()
    }

    fn has_arithmetic_command(&self) -> bool {
        let text = self.instruction.body.text();
        text.windows(2).any(|pair| pair == b"((")
    }
}

/// Builtins that change the shell that runs them.
const LEAKING: &[&[u8]] = &[
    b".",
    b"alias",
    b"builtin",
    b"cd",
    b"declare",
    b"eval",
    b"exec",
    b"exit",
    b"export",
    b"getopts",
    b"let",
    b"local",
    b"mapfile",
    b"popd",
    b"pushd",
    b"read",
    b"readarray",
    b"readonly",
    b"return",
    b"set",
    b"shift",
    b"shopt",
    b"source",
    b"trap",
    b"typeset",
    b"ulimit",
    b"umask",
    b"unalias",
    b"unset",
];

fn is_simple_or_pipeline(command: &crate::shell::Command) -> bool {
    match &command.kind {
        CommandKind::Simple(_) => true,
        CommandKind::Binary {
            left,
            operator: Operator::Pipe,
            right,
            ..
        } => is_simple_or_pipeline(left) && is_simple_or_pipeline(right),
        _ => false,
    }
}

/// `set -e`, `set -o errexit`, or `set` with words that are not known.
fn sets_errexit(invocation: &Invocation<'_>) -> bool {
    invocation.calls("set")
        && invocation
            .arguments()
            .iter()
            .any(|word| match word.literal.as_deref() {
                None => true,
                Some(b"errexit") => true,
                Some(text) => {
                    text.starts_with(b"-") && !text.starts_with(b"--") && text.contains(&b'e')
                }
            })
}

/// `${NAME:=word}` and `${NAME=word}`.
fn assigns_in_expansion(raw: &[u8]) -> bool {
    raw.windows(2).enumerate().any(|(at, pair)| {
        if pair != b"${" {
            return false;
        }
        let rest = &raw[at + 2..];
        let name = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        let rest = &rest[name..];
        name > 0 && (rest.starts_with(b"=") || rest.starts_with(b":="))
    })
}
