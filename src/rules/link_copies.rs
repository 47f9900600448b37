use crate::catalog::{ImageFacts, WordSet};
use crate::model::Stage;
use crate::model::path::is_under;
use crate::rules::apt::mentions;
use crate::rules::declare::declare_rule;
use crate::rules::image_paths::destination;
use crate::rules::{Ctx, Proposal, Rewrite, Rule, RuleMeta, UseBuildkit};
use crate::syntax::Keyword;
use crate::text::Edit;

declare_rule! {
    /// Copies from other stages by `COPY --link`, so that the layer stays when the base image changes.
    ///
    /// ## Why
    /// A linked layer does not depend on what lies below it: with a new base image it is taken over as it is, and registries
    /// already have it.
    ///
    /// ## Example
    /// With `level: aggressive`
    /// ```dockerfile
    /// FROM golang:1.26 AS build
    /// RUN go install example.org/server@v1.2.3
    /// FROM debian:13-slim
    /// COPY --from=build /go/bin/server /opt/server/
    /// CMD ["/opt/server/server"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM golang:1.26 AS build
    /// RUN go install example.org/server@v1.2.3
    /// FROM debian:13-slim
    /// COPY --link --from=build /go/bin/server /opt/server/
    /// CMD ["/opt/server/server"]
    /// ```
    ///
    /// ## When not
    /// The folder may be a symbolic link, or belong to someone, or have a mode of its own: a linked copy makes it anew, for root
    /// and with mode 0755. `--chown` names a user; an older builder builds the file.
    pub(crate) LinkCopies { name: "link-copies", level: Aggressive, hadolint: [] }
}

impl Rule for LinkCopies {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        if ctx.settings.buildkit == UseBuildkit::Never
            || !ctx.settings.usage.legacy_builders.is_empty()
        {
            return Vec::new();
        }
        let stages = ctx.model.stages.iter().filter(|stage| stage.ships);
        stages
            .flat_map(|stage| {
                ctx.model
                    .of_kind(stage, Keyword::Copy)
                    .filter_map(|index| linked(ctx, stage, index))
            })
            .collect()
    }
}

fn linked(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> Option<Proposal> {
    let instruction = ctx.model.instruction(index);
    let copy = instruction.as_copy().filter(|copy| copy.from.is_some())?;
    let facts = ctx.model.base_facts(stage.index)?;
    let known_flags = |name: &str| matches!(name, "from" | "chown" | "chmod");
    let plain = instruction.flags.iter().all(|flag| known_flags(&flag.name));
    if !plain || !owner_is_number(ctx, index) {
        return None;
    }
    let written = ctx
        .model
        .state(index)
        .expand(copy.destination.text, ctx.dockerfile.escape());
    let target = destination(ctx, index, &copy)?;
    if !written.ends_with('/')
        || !is_plain_folder(ctx, facts, &target)
        || is_touched(ctx, stage, index, &target)
    {
        return None;
    }
    let from = instruction.flags.first()?;
    Some(Proposal::Rewrite(Rewrite {
        anchor: index,
        edits: vec![Edit::insert(from.span.start, *b"--link ")],
        reason: format!("the layer with `{target}` stays when the base image changes"),
        ..Rewrite::default()
    }))
}

/// Whether `--chown` names no account: a linked copy knows none.
fn owner_is_number(ctx: &Ctx<'_>, index: usize) -> bool {
    let flag = ctx.model.instruction(index).flag("chown");
    let Some(owner) = flag.and_then(|flag| flag.value.as_deref()) else {
        return flag.is_none();
    };
    let owner = ctx
        .model
        .state(index)
        .expand(owner, ctx.dockerfile.escape());
    !owner.is_empty()
        && owner
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':')
}

fn is_plain_folder(ctx: &Ctx<'_>, facts: &ImageFacts, target: &str) -> bool {
    let top = target[1..].split('/').next().unwrap_or_default();
    let plain = ctx.catalog.words(WordSet::PlainFolders);
    if plain.iter().any(|plain| is_under(target, plain)) {
        return true;
    }
    // The image's own working directory may belong to its user.
    let own = facts.workdir().filter(|folder| *folder != "/");
    !top.is_empty()
        && !ctx
            .catalog
            .has_word(WordSet::TopFolders, &format!("/{top}"))
        && own.is_none_or(|own| !is_under(target, own))
}

/// Whether an earlier instruction of the stage may have given the folder an owner, a mode, or another place.
fn is_touched(ctx: &Ctx<'_>, stage: &Stage, index: usize, target: &str) -> bool {
    let top = target[1..].split('/').next().unwrap_or_default();
    let chain = ctx.model.chain(stage.index);
    let mut before = chain
        .iter()
        .flat_map(|stage| stage.body.clone())
        .filter(|at| *at < index);
    before.any(|at| {
        let instruction = ctx.model.instruction(at);
        let text = instruction.body.text();
        match instruction.keyword {
            Keyword::Run => {
                let moves = ["ln ", "chown", "chmod", "install ", "mount"];
                ctx.model.script(at).is_none()
                    || mentions(text, top.as_bytes())
                    || moves.iter().any(|word| mentions(text, word.as_bytes()))
            }
            Keyword::Copy | Keyword::Add => instruction.flag("chown").is_some(),
            // What another user makes is not root's.
            Keyword::User => true,
            _ => false,
        }
    })
}
