//! `copy-manifests-first`: what is copied, what is run, and the edit. What an install reads is in the files beside this.

mod go;
mod node;
mod others;
mod python;
mod step;
mod write;

use crate::context::Context;
use crate::model::path::{is_under, resolve};
use crate::model::{Stage, Verb};
use crate::rules::context_use::{ContextUse, clean};
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, IgnoreLine, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::{Instruction, Keyword};

use step::{Install, Walk};

declare_rule! {
    /// Copies manifests and lock files first, installs, then copies the rest.
    ///
    /// ## Why
    /// `COPY . .` changes with every edit of a source file, and with it every layer after it: all dependencies are
    /// fetched again. With only the manifests copied before the install, its layer stays in the cache until they change.
    ///
    /// ## Example
    /// ```json package.json
    /// {"dependencies": {"express": "^4.18.0"}}
    /// ```
    /// ```dockerfile
    /// FROM node:22
    /// WORKDIR /app
    /// COPY . .
    /// RUN npm install
    /// CMD ["node", "server.js"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM node:22
    /// WORKDIR /app
    /// COPY package.json ./
    /// RUN npm install
    /// COPY . .
    /// CMD ["node", "server.js"]
    /// ```
    /// `npm install` becomes `npm ci` where the lock file matches the manifest.
    ///
    /// ## When not
    /// The install reads more than manifests (a local package, `postinstall` with a script of unknown needs, `pip install .`);
    /// something between the copy and the install reads the project; there is no build context to look at.
    pub(crate) CopyManifestsFirst { name: "copy-manifests-first", level: Standard, hadolint: [] }
}

impl Rule for CopyManifestsFirst {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for stage in ctx.model.stages.iter().filter(|stage| !stage.windows) {
            for index in stage.body.clone() {
                if let Some(copy) = BroadCopy::at(ctx, stage, index) {
                    proposals.extend(copy.proposal());
                }
            }
            if let Some(context) = ctx.context {
                let locked = node::locked_installs(ctx, stage, context, &proposals);
                proposals.extend(locked);
            }
        }
        proposals
    }
}

/// A COPY or ADD that brings in a whole folder of the context.
pub(super) struct BroadCopy<'a> {
    ctx: &'a Ctx<'a>,
    stage: &'a Stage,
    index: usize,
    instruction: &'a Instruction,
    /// The folder of the context, `` for its root.
    source: String,
    /// Where it goes, absolute.
    destination: String,
}

/// The working directory where nothing says what it is: two unknown ones are the same only without a WORKDIR between.
const UNKNOWN_WORKDIR: &str = "/?";

impl<'a> BroadCopy<'a> {
    fn at(ctx: &'a Ctx<'a>, stage: &'a Stage, index: usize) -> Option<Self> {
        let instruction = ctx.model.instruction(index);
        let copy = instruction.as_copy()?;
        let [source] = copy.sources.as_slice() else {
            return None;
        };
        let plain = copy.from.is_none()
            && source.heredoc.is_none()
            && instruction.lines.0 == instruction.lines.1
            && instruction
                .flags
                .iter()
                .all(|flag| matches!(flag.name.as_str(), "chown" | "chmod" | "link"));
        let state = ctx.model.state(index);
        let escape = ctx.dockerfile.escape();
        let text = state.expand(source.text, escape);
        let to = state.expand(copy.destination.text, escape);
        if !plain || text.contains(['$', '*', '?', '[', ':']) || to.contains('$') {
            return None;
        }
        let source = clean(&text);
        let is_folder = match ctx.context {
            Some(context) => context.is_folder(&source),
            None => source.is_empty(),
        };
        if !is_folder {
            return None;
        }
        let workdir = state.config.workdir.as_deref().unwrap_or(UNKNOWN_WORKDIR);
        Some(Self {
            ctx,
            stage,
            index,
            instruction,
            source,
            destination: resolve(workdir, &to),
        })
    }

    fn proposal(&self) -> Option<Proposal> {
        let Some(context) = self.ctx.context else {
            return self.refusal_without_context();
        };
        let mut walk = Walk::new(self, context);
        walk.run();
        if walk.installs.is_empty() {
            return walk
                .stopped
                .map(|(at, reason)| self.refuse(at, &reason.why, &reason.remedy));
        }
        match self.ignore_lines(&walk.installs, context) {
            Err(reason) => Some(self.refuse(
                self.index,
                &reason,
                "take the line back, or copy the manifests first yourself",
            )),
            Ok(ignore) => {
                let edits = write::edits(self, &walk)?;
                let what: Vec<&str> = walk
                    .installs
                    .iter()
                    .map(|install| install.what.as_str())
                    .collect();
                Some(Proposal::Rewrite(Rewrite {
                    anchor: self.index,
                    edits,
                    reason: format!(
                        "manifests are copied before `{}`: its layer stays cached until they change",
                        what.join("` and `")
                    ),
                    ignore,
                    ..Rewrite::default()
                }))
            }
        }
    }

    /// One word where the shape is there and only the context is missing.
    fn refusal_without_context(&self) -> Option<Proposal> {
        let next = (self.index + 1..self.stage.body.end)
            .find(|index| self.ctx.model.instruction(*index).keyword == Keyword::Run)?;
        let operations = self.ctx.model.operations(next);
        let installs = operations.iter().any(|operation| {
            let reads_manifest =
                operation.packages.is_empty() || operation.has_flag(&["-r", "--requirement"]);
            operation.verb == Verb::Install
                && reads_manifest
                && !operation.manager.locks.is_empty() | (operation.manager.name.get() == "pip")
                && !operation.has_flag(&["-g", "--global"])
        });
        installs.then(|| {
            self.refuse(
                next,
                "what the install reads is only known from the build context",
                "name the context with `--context`",
            )
        })
    }

    fn refuse(&self, anchor: usize, reason: &str, remedy: &str) -> Proposal {
        Proposal::Refusal(Refusal {
            anchor,
            reason: format!("manifests are not copied first: {reason}"),
            remedy: remedy.to_owned(),
        })
    }

    /// The path in the context of what the copy puts at `path` of the image; none when it puts nothing there.
    fn in_context(&self, path: &str) -> Option<String> {
        if !is_under(path, &self.destination) {
            return None;
        }
        let inner = path[self.destination.len()..].trim_start_matches('/');
        Some(join(&self.source, inner))
    }

    /// The lines without which the copy of the rest would overwrite what the installs made.
    fn ignore_lines(
        &self,
        installs: &[Install],
        context: &Context,
    ) -> Result<Vec<IgnoreLine>, String> {
        let mut lines: Vec<IgnoreLine> = Vec::new();
        let uses = ContextUse::of(self.ctx);
        for (folder, name) in installs.iter().flat_map(|install| &install.makes) {
            let made = join(folder, name);
            let inside = format!("{made}/q7q");
            // Folders of these names are never anything else; `vendor` and `obj` may be, further down.
            let pattern = match name.as_str() {
                "node_modules" | ".venv" => format!("**/{name}"),
                _ => made.clone(),
            };
            if context.ignore().ignores(&inside) {
                continue;
            }
            let Ok(Some(after)) = context.ignore().extended(&[&pattern]) else {
                return Err(format!("a line of .dockerignore takes `{made}` back"));
            };
            if !after.ignore.ignores(&inside) {
                return Err(format!("a line of .dockerignore takes `{made}` back"));
            }
            let alone = crate::context::Dockerignore::parse(pattern.as_bytes()).unwrap_or_default();
            if let Some(source) = uses.hidden_by(&alone, context) {
                return Err(format!(
                    "`{made}` would have to be in .dockerignore, and COPY names `{source}`"
                ));
            }
            if context.exists(&made)
                && !uses.all_install_with(&installs_of(installs, name), context)
            {
                return Err(format!(
                    "another Dockerfile of this context may use its `{made}`"
                ));
            }
            if !lines.iter().any(|line| line.pattern == pattern) {
                lines.push(IgnoreLine {
                    pattern,
                    reason: "the install makes it; a copy from this machine would overwrite it"
                        .to_owned(),
                });
            }
        }
        Ok(lines)
    }
}

/// The managers that make a folder of this name.
fn installs_of<'i>(installs: &'i [Install], name: &str) -> Vec<&'i str> {
    let makers: Vec<&str> = installs
        .iter()
        .filter(|install| install.makes.iter().any(|(_, made)| made == name))
        .map(|install| install.manager.as_str())
        .collect();
    match name {
        "node_modules" => vec!["npm", "yarn", "pnpm", "bun"],
        _ => makers,
    }
}

/// `name` in `folder`, both paths in the context.
fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}
