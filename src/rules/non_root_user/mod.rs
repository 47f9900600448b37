//! Another user than root for what the container runs.

mod account;
mod image;
mod program;
mod sources;
mod start;

use std::collections::BTreeSet;

use crate::model::Stage;
use crate::rules::bases::Why;
use crate::rules::declare::declare_rule;
use crate::rules::{Change, Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::{ItemKind, Keyword};
use crate::text::Edit;

use account::Account;
use program::Program;

declare_rule! {
    /// Runs the container's process as a user that is not root.
    ///
    /// ## Why
    /// A process that is root in the container may change every file of the image, and is root on the host when it breaks out.
    ///
    /// ## Example
    /// With this program in the build context
    /// ```text package.json
    /// {"name": "web", "dependencies": {"express": "^5.0.0"}}
    /// ```
    /// ```text server.js
    /// require("express")().listen(3000);
    /// ```
    /// the Dockerfile
    /// ```dockerfile
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY package.json ./
    /// RUN npm install
    /// COPY server.js ./
    /// EXPOSE 3000
    /// CMD ["node", "server.js"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY package.json ./
    /// RUN npm install
    /// COPY server.js ./
    /// EXPOSE 3000
    /// USER node
    /// CMD ["node", "server.js"]
    /// ```
    /// The files stay root's: the process only reads them. Where the image has no user of its own, one is created with a
    /// fixed id.
    ///
    /// ## When not
    /// Without the build context; when the sources, the packages or the command line write files outside of /tmp, start
    /// other programs, or listen below 1024; when a RUN may have left files that only root reads, as below /root; when a
    /// volume is declared or mounted; when an entrypoint changes users itself; for images whose own program starts.
    pub(crate) NonRootUser { name: "non-root-user", level: Standard, hadolint: ["DL3002"] }
}

impl Rule for NonRootUser {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let Some(stage) = ctx.model.final_stage() else {
            return Vec::new();
        };
        if ctx.context.is_none() || stage.windows || has_user(ctx, stage) {
            return Vec::new();
        }
        let mut anchor = stage.from;
        vec![match rewrite(ctx, stage, &mut anchor) {
            Ok(rewrite) => Proposal::Rewrite(rewrite),
            Err(why) => Proposal::Refusal(Refusal {
                anchor,
                reason: format!("the process stays root: {}", why.reason),
                remedy: why.remedy,
            }),
        }]
    }
}

/// Whether the stage ends with a user that is not root.
fn has_user(ctx: &Ctx<'_>, stage: &Stage) -> bool {
    let own = stage.end.config.user.as_deref();
    let base = ctx
        .model
        .base_facts(stage.index)
        .and_then(crate::catalog::ImageFacts::user);
    own.or(base)
        .is_some_and(|user| !matches!(user.split(':').next(), Some("" | "0" | "root")))
}

fn rewrite(ctx: &Ctx<'_>, stage: &Stage, anchor: &mut usize) -> Result<Rewrite, Why> {
    if stage.end.config.user.is_some() {
        return Err(Why::new(
            "USER says root",
            "take that USER away if root is not needed",
        ));
    }
    let config = &stage.end.config;
    if let Some(line) = config.cmd.set().or(config.entrypoint.set()) {
        *anchor = line.instruction;
    }
    let start = start::start(ctx, stage)?;
    let account = Account::choose(ctx, stage)?;
    *anchor = start.index;
    let chain = ctx.model.chain(stage.index);
    let mut languages = BTreeSet::new();
    let mut is_next = false;
    for words in &start.commands {
        match program::program(ctx, &chain, words)? {
            Program::Harmless | Program::FileServer => {}
            Program::Own(language) => {
                languages.insert(language);
            }
            Program::Next => {
                is_next = true;
                languages.insert(program::Language::Node);
            }
        }
    }
    image::check(ctx, &chain)?;
    for language in languages {
        sources::check(ctx, language)?;
    }
    if !account.home && stage.end.config.env.contains_key("HOME") {
        return Err(Why::new("HOME is set, and the image holds no accounts", ""));
    }
    let mut edits = Vec::new();
    if is_next {
        edits.push(own_next_build(ctx, stage, &account)?);
    }
    edits.push(user_lines(ctx, stage, &account));
    Ok(Rewrite {
        anchor: start.index,
        edits,
        reason: format!(
            "the process runs as {}, and not as root: nothing that it does needs more",
            account.told
        ),
        changes: vec![Change::User],
        ..Rewrite::default()
    })
}

/// `--chown` for the COPY that brings what `next build` made: its server keeps a cache there.
fn own_next_build(ctx: &Ctx<'_>, stage: &Stage, account: &Account) -> Result<Edit, Why> {
    for index in stage.body.clone() {
        let instruction = ctx.model.instruction(index);
        let Some(copy) = instruction.as_copy() else {
            continue;
        };
        let brings = copy.from.is_some()
            && copy.sources.iter().all(|source| {
                let path = String::from_utf8_lossy(source.text);
                let path = path.trim_end_matches('/');
                path.ends_with("/.next") || path.ends_with("/.next/standalone")
            });
        if brings && instruction.flag("chown").is_none() {
            return Ok(Edit::insert(
                instruction.keyword_span.end,
                format!(" --chown={}", account.owner),
            ));
        }
    }
    Err(Why::new(
        "Next keeps a cache below .next, which comes with other files or is made by a RUN",
        "build in a stage of its own, and copy `.next` by a COPY of its own",
    ))
}

/// The lines that create the user where that is needed, and USER: before what the container starts with.
fn user_lines(ctx: &Ctx<'_>, stage: &Stage, account: &Account) -> Edit {
    let is_start = |index: &usize| {
        matches!(
            ctx.model.instruction(*index).keyword,
            Keyword::Cmd | Keyword::Entrypoint | Keyword::Healthcheck
        )
    };
    let is_metadata = |index: &usize| {
        is_start(index)
            || matches!(
                ctx.model.instruction(*index).keyword,
                Keyword::Expose
                    | Keyword::Label
                    | Keyword::Env
                    | Keyword::Arg
                    | Keyword::Stopsignal
                    | Keyword::Maintainer
            )
    };
    let suffix = stage
        .body
        .clone()
        .rev()
        .take_while(is_metadata)
        .last()
        .unwrap_or(stage.body.end);
    let before = (suffix..stage.body.end)
        .find(is_start)
        .or((suffix < stage.body.end).then_some(suffix));
    let is_lower = ctx
        .dockerfile
        .bytes(ctx.model.instruction(stage.from).keyword_span)
        == b"from";
    let keyword = |word: &str| {
        if is_lower {
            word.to_lowercase()
        } else {
            word.to_owned()
        }
    };
    let eol = ctx.dockerfile.line_ending();
    let mut lines = String::new();
    if let Some(creation) = &account.creation {
        lines.push_str(&format!("{} {creation}{eol}", keyword("RUN")));
    }
    lines.push_str(&format!("{} {}", keyword("USER"), account.user));
    match before {
        Some(index) => Edit::insert(block_start(ctx, index), format!("{lines}{eol}")),
        None => {
            let at = ctx
                .model
                .instruction(stage.body.end.saturating_sub(1).max(stage.from))
                .span
                .end;
            Edit::insert(at, format!("{eol}{lines}"))
        }
    }
}

/// Where the instruction at `index` begins, or the comment lines right above it.
fn block_start(ctx: &Ctx<'_>, index: usize) -> usize {
    let items = ctx.dockerfile.items();
    let at = items
        .iter()
        .position(|item| item.kind == ItemKind::Instruction(index));
    let Some(at) = at else {
        return ctx.model.instruction(index).span.start;
    };
    items[..at]
        .iter()
        .rev()
        .take_while(|item| item.kind == ItemKind::Comment)
        .last()
        .map_or(items[at].span.start, |item| item.span.start)
}
