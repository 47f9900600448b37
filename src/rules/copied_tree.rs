//! Whether a folder of the image holds nothing but what COPY brought, and whether an account is there to own it.

use std::fmt;

use crate::model::path::{is_under, resolve};
use crate::model::{Stage, Verb};
use crate::rules::Ctx;
use crate::shell::{Invocation, Script, Word};
use crate::syntax::Keyword;

/// `user:group` as `--chown` takes it.
pub(super) struct Owner<'v> {
    user: &'v str,
    group: &'v str,
}

impl<'v> Owner<'v> {
    /// Reads the first operand of `chown`. Without a group the files keep root's, which COPY must be told.
    pub(super) fn of(value: &'v str) -> Result<Self, String> {
        let (user, group) = value.split_once(':').unwrap_or((value, "0"));
        if user.is_empty() || group.is_empty() || value.contains(['.', '$', '`']) {
            return Err(format!("`{value}` is no plain user and group"));
        }
        Ok(Self { user, group })
    }

    /// Whether user and group are there when the COPY at `index` runs.
    pub(super) fn exists_before(&self, ctx: &Ctx<'_>, index: usize) -> Result<(), String> {
        for (name, kind) in [(self.user, "user"), (self.group, "group")] {
            let numeric = name.bytes().all(|byte| byte.is_ascii_digit());
            if !numeric
                && name != "root"
                && !in_base(ctx, index, name)
                && !created(ctx, index, name)
            {
                return Err(format!(
                    "the {kind} `{name}` is not known to exist before the COPY"
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.user, self.group)
    }
}

fn in_base(ctx: &Ctx<'_>, index: usize, name: &str) -> bool {
    let stage = ctx.model.stage_of(index);
    let facts = stage.and_then(|stage| ctx.model.base_facts(stage.index));
    facts.is_some_and(|facts| facts.users().any(|(user, ..)| user == name))
}

/// Whether a RUN before `index`, in the same stage, creates the account for certain.
fn created(ctx: &Ctx<'_>, index: usize, name: &str) -> bool {
    let Some(stage) = ctx.model.stage_of(index) else {
        return false;
    };
    (stage.body.start..index)
        .filter_map(|at| ctx.model.script(at))
        .flat_map(Script::invocations)
        .any(|it| {
            it.position.unconditional
                && matches!(
                    it.name(),
                    Some(b"useradd" | b"adduser" | b"groupadd" | b"addgroup")
                )
                && it
                    .arguments()
                    .last()
                    .and_then(|word| word.literal.as_deref())
                    == Some(name.as_bytes())
        })
}

/// A folder of the image.
pub(super) struct Tree<'a> {
    pub(super) ctx: &'a Ctx<'a>,
    pub(super) path: &'a str,
}

impl Tree<'_> {
    /// The folders at and below the path that WORKDIR or `mkdir` made, when all files there come from `copies`.
    ///
    /// # Errors
    /// When something else made files there, or may have.
    pub(super) fn only_copied(
        &self,
        stage: &Stage,
        run: usize,
        copies: &[usize],
    ) -> Result<Vec<String>, String> {
        let path = self.path;
        if self.ctx.model.base_facts(stage.index).is_none() || !is_free(path) {
            return Err(format!(
                "the base image may have files of its own in `{path}`"
            ));
        }
        let mut made: Vec<String> = Vec::new();
        let chain = self.ctx.model.chain(stage.index);
        let inherited = chain[1..].iter().rev().flat_map(|stage| stage.body.clone());
        for index in inherited.chain(stage.body.start..run) {
            let instruction = self.ctx.model.instruction(index);
            let line = instruction.lines.0;
            match instruction.keyword {
                Keyword::Copy | Keyword::Add
                    if !copies.contains(&index) && self.may_fill(index) =>
                {
                    return Err(format!("line {line} may put files into `{path}`, too"));
                }
                Keyword::Workdir => {
                    let text = String::from_utf8_lossy(instruction.body.text()).into_owned();
                    let folder = self.ctx.model.state(index).config.workdir.clone();
                    match folder {
                        _ if text.contains('$') => {
                            return Err(format!("the folder of line {line} depends on a variable"));
                        }
                        Some(folder) => self.note(&resolve(&folder, &text), &mut made),
                        None if text.starts_with('/') => self.note(&resolve("/", &text), &mut made),
                        None => return Err(format!("the folder of line {line} is not known")),
                    }
                }
                Keyword::Run => self.check_run(index, &mut made)?,
                Keyword::Volume | Keyword::User => {
                    return Err(format!("line {line} changes who writes `{path}`, or where"));
                }
                _ => {}
            }
        }
        let parent = &path[..path.rfind('/').unwrap_or(0)];
        if made.is_empty() && !parent.is_empty() {
            // COPY would give the folders that it makes above the tree to the new owner, too.
            if !matches!(parent, "/opt" | "/srv" | "/usr" | "/usr/src") {
                return Err(format!(
                    "`{parent}` may be made by COPY, and would change its owner"
                ));
            }
            made.push(path.to_owned());
        }
        made.sort_unstable();
        made.dedup();
        Ok(made)
    }

    /// Adds a folder that root made, and those above it, as far as they lie in the tree.
    fn note(&self, folder: &str, made: &mut Vec<String>) {
        let mut at = folder;
        while is_under(at, self.path) {
            made.push(at.to_owned());
            match at.rfind('/') {
                Some(end) if end > 0 => at = &at[..end],
                _ => break,
            }
        }
    }

    fn may_fill(&self, index: usize) -> bool {
        let Some(copy) = self.ctx.model.instruction(index).as_copy() else {
            return true;
        };
        let Ok(text) = std::str::from_utf8(copy.destination.text) else {
            return true;
        };
        let folder = self.ctx.model.state(index).config.workdir.clone();
        let Some(folder) = folder.filter(|_| !text.contains('$')) else {
            return true;
        };
        let target = resolve(&folder, text.trim_matches(['"', '\'']));
        is_under(self.path, &target) || is_under(&target, self.path)
    }

    /// Passes a RUN whose commands are known to leave the tree alone.
    fn check_run(&self, index: usize, made: &mut Vec<String>) -> Result<(), String> {
        let line = self.ctx.model.instruction(index).lines.0;
        let error = |what: &str| {
            Err(format!(
                "line {line} {what}, which may write into `{}`",
                self.path
            ))
        };
        let Some(script) = self.ctx.model.script(index) else {
            return error("runs no shell text");
        };
        let operations = self.ctx.model.operations(index);
        for invocation in script.invocations() {
            let Some(name) = invocation.name() else {
                return error("runs a computed command");
            };
            let shown = String::from_utf8_lossy(name);
            let redirected = invocation.command.redirects.iter().any(|redirect| {
                redirect.operator.starts_with(b">") && self.may_name(&redirect.target)
            });
            let package_manager = operations.iter().any(|operation| {
                std::ptr::eq(operation.simple, invocation.simple)
                    && operation.manager.of_distribution
                    && operation.verb != Verb::Other
            });
            let harmless = matches!(
                name,
                b"addgroup"
                    | b"adduser"
                    | b"groupadd"
                    | b"useradd"
                    | b"echo"
                    | b"printf"
                    | b"set"
                    | b"true"
                    | b"["
                    | b"test"
                    | b"apt-mark"
                    | b"update-ca-certificates"
                    | b"locale-gen"
                    | b"ldconfig"
            );
            let elsewhere = matches!(
                name,
                b"rm" | b"ln" | b"mkdir" | b"touch" | b"chmod" | b"chown" | b"sed" | b"install"
            ) && !self.names_it(&invocation);
            let makes_it = name == b"mkdir" && !redirected;
            if redirected || !(package_manager || harmless || elsewhere || makes_it) {
                return error(&format!("runs `{shown}`"));
            }
            if makes_it && !elsewhere {
                for word in invocation.arguments() {
                    match word.literal.as_deref().map(String::from_utf8_lossy) {
                        Some(text) if text.starts_with('-') => {}
                        Some(text) if text.starts_with('/') => {
                            self.note(&resolve("/", &text), made)
                        }
                        _ => return error("makes folders"),
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether an argument may lie in the tree or above it.
    fn names_it(&self, invocation: &Invocation<'_>) -> bool {
        let arguments = invocation.arguments().iter();
        arguments
            .filter(|word| !word.raw.starts_with(b"-"))
            .any(|word| self.may_name(word) || !word.raw.starts_with(b"/"))
    }

    /// Whether a word may name the tree, something in it, or a folder that holds it.
    fn may_name(&self, word: &Word) -> bool {
        let Ok(text) = std::str::from_utf8(word.literal.as_deref().unwrap_or(&word.raw)) else {
            return true;
        };
        if word.literal.is_none() && text.contains(['$', '`', '"', '\'', '\\', '{', '~', '(']) {
            return true;
        }
        // A pattern names what lies in the folder before its first star.
        let fixed = match text
            .find(['*', '?', '['])
            .filter(|_| word.literal.is_none())
        {
            Some(star) => &text[..text[..star].rfind('/').map_or(0, |slash| slash + 1)],
            None => text,
        };
        let path = resolve("/$PWD", fixed);
        path.starts_with("/$PWD") || is_under(&path, self.path) || is_under(self.path, &path)
    }
}

/// Whether no official image has files there: a folder of the application's own.
fn is_free(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        [top, ..]
            if [
                "app",
                "application",
                "code",
                "project",
                "server",
                "service",
                "src",
                "web",
                "work",
                "workspace",
            ]
            .contains(top) =>
        {
            true
        }
        ["opt" | "srv", _, ..]
        | ["usr", "src", _, ..]
        | ["usr", "app", ..]
        | ["home", _, _, ..] => true,
        _ => false,
    }
}
