//! Starts of Node projects through scripts of their manifest: a development server, a chain of commands. What the
//! scripts call has to be there on a slim image too.

use crate::context::Context;
use crate::model::path::file_name;
use crate::rules::Ctx;
use crate::rules::bases::is_builtin;
use crate::shell::{self, Dialect, Invocation, quote_word};
use crate::stack::node::Node;
use crate::syntax::Logical;

/// Verbs of package managers that change `node_modules`.
const INSTALLS: &[&str] = &[
    "add",
    "ci",
    "clean-install",
    "i",
    "in",
    "install",
    "link",
    "rebuild",
    "remove",
    "uninstall",
    "up",
    "update",
    "upgrade",
];

/// A start through scripts, and what is known around it.
#[derive(Clone, Copy)]
pub(super) struct NodeStart<'a> {
    pub(super) ctx: &'a Ctx<'a>,
    pub(super) context: &'a Context,
    pub(super) node: &'a Node,
    /// Whether the stage installs the package for all projects.
    pub(super) is_global: &'a dyn Fn(&str) -> bool,
}

impl NodeStart<'_> {
    /// The texts that the shell runs when the container starts with `words`: the command itself and every script of
    /// the manifest that it can come to call.
    ///
    /// # Errors
    /// What one of them does that keeps it from being understood: it installs, fetches a program, or runs what is
    /// neither the project's nor known.
    pub(super) fn texts(&self, words: &[String]) -> Result<Vec<String>, String> {
        let line = match words {
            [shell, flag, text, ..]
                if Dialect::of_program(file_name(shell)).is_some() && flag.ends_with('c') =>
            {
                text.clone()
            }
            _ => words
                .iter()
                .map(|word| String::from_utf8_lossy(&quote_word(word.as_bytes())).into_owned())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let mut texts = vec![line.clone()];
        texts.extend(
            self.node
                .manifest
                .scripts_called(&line)
                .into_iter()
                .map(|(_, text)| text.to_owned()),
        );
        for text in &texts {
            self.check(text)?;
        }
        Ok(texts)
    }

    /// Looks at every command of `text`; the error says what it does.
    fn check(&self, text: &str) -> Result<(), String> {
        let mut logical = Logical::default();
        logical.push(text.as_bytes(), 0);
        let script = shell::parse(&logical, Dialect::Posix)
            .map_err(|_| format!("runs `{text}`, which cannot be read,"))?;
        let functions = script.functions();
        for invocation in script.invocations() {
            if invocation.simple.words.is_empty() {
                continue;
            }
            let Some(name) = invocation.name() else {
                return Err("runs a program whose name is computed".to_owned());
            };
            if functions.contains(&name) {
                continue;
            }
            let name = String::from_utf8_lossy(name).into_owned();
            self.command(&name, &invocation)?;
        }
        Ok(())
    }

    fn command(&self, name: &str, invocation: &Invocation<'_>) -> Result<(), String> {
        let arguments: Vec<String> = invocation
            .arguments()
            .iter()
            .map(|word| {
                String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned()
            })
            .collect();
        let operands: Vec<&str> = arguments
            .iter()
            .map(String::as_str)
            .filter(|word| !word.starts_with('-'))
            .collect();
        let is_brought =
            |program: &str| self.node.brings(self.context, program) || (self.is_global)(program);
        let fetched = |program: Option<&&str>| match program {
            Some(program) if !is_brought(without_version(program)) => Err(format!(
                "fetches `{program}`, which is no dependency of the project,"
            )),
            _ => Ok(()),
        };
        match (name, operands.as_slice()) {
            ("npm" | "pnpm" | "yarn" | "yarnpkg" | "bun", _)
                if arguments.iter().any(|word| is_elsewhere(word)) =>
            {
                Err("runs scripts of another folder".to_owned())
            }
            ("yarn" | "yarnpkg", []) if !asks_for_version(&arguments) => {
                Err("installs packages".to_owned())
            }
            ("npm" | "pnpm" | "yarn" | "yarnpkg" | "bun", [verb, ..])
                if INSTALLS.contains(verb) =>
            {
                Err("installs packages".to_owned())
            }
            ("npm" | "pnpm" | "yarn" | "bun", ["exec" | "x" | "dlx", rest @ ..]) => {
                fetched(rest.first())
            }
            ("npx" | "pnpx" | "bunx", operands) => fetched(operands.first()),
            ("npm" | "pnpm" | "yarn" | "yarnpkg" | "bun" | "node" | "nodejs", _) => Ok(()),
            _ if is_builtin(name) || is_brought(name) => Ok(()),
            _ if is_local_path(invocation) => {
                Err(format!("runs `{name}`, a script of the project,"))
            }
            _ => {
                let catalog = self.ctx.catalog;
                let known = catalog.command(name).is_some() || catalog.program(name).is_some();
                match known {
                    true => Ok(()),
                    false => Err(format!("runs `{name}`, which is not known,")),
                }
            }
        }
    }
}

/// Whether an argument of a package manager sends it to another folder.
fn is_elsewhere(word: &str) -> bool {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    matches!(
        name,
        "--prefix"
            | "-C"
            | "--cwd"
            | "--filter"
            | "-F"
            | "-w"
            | "--workspace"
            | "--workspaces"
            | "--dir"
    )
}

fn asks_for_version(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|word| matches!(word.as_str(), "-v" | "--version"))
}

/// Whether the program is named by a path that is none of `node_modules/.bin`.
fn is_local_path(invocation: &Invocation<'_>) -> bool {
    let at = invocation.prefix().len();
    invocation.simple.words.get(at).is_some_and(|word| {
        let raw = String::from_utf8_lossy(&word.raw);
        raw.contains('/')
            && !raw.contains("node_modules/.bin/")
            && !["/usr/", "/bin/", "/sbin/"]
                .iter()
                .any(|folder| raw.starts_with(folder))
    })
}

/// The name of a package without its version: `serve@14` is `serve`, `@nestjs/cli@10` is `@nestjs/cli`.
pub(super) fn without_version(name: &str) -> &str {
    name.char_indices()
        .skip(1)
        .find(|(_, letter)| *letter == '@')
        .map_or(name, |(at, _)| &name[..at])
}

/// The words of the shell texts that run at start and in HEALTHCHECK, by which programs may be called.
pub(super) fn called_words(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| {
            line.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.+/".contains(letter)))
        })
        .map(file_name)
        .filter(|word| !word.is_empty())
}
