//! Where a file of the image comes from: the way back through COPY to the build context.

use crate::model::path::{file_name, resolve};
use crate::model::{Base, Stage};
use crate::rules::Ctx;
use crate::syntax::Copy;

/// How many stages a file may have come through.
const DEPTH: usize = 8;

/// The path in the context of what `stage` holds at the absolute `path` when it ends; none when no COPY put it
/// there, or more than a COPY did.
pub(crate) fn origin(ctx: &Ctx<'_>, stage: &Stage, path: &str) -> Option<String> {
    follow(ctx, stage, path, DEPTH)
}

/// The destination of a COPY or ADD at `index`, absolute; none while WORKDIR is unknown.
pub(crate) fn destination(ctx: &Ctx<'_>, index: usize, copy: &Copy<'_>) -> Option<String> {
    let state = ctx.model.state(index);
    let written = state.expand(copy.destination.text, ctx.dockerfile.escape());
    if written.starts_with('/') {
        return Some(resolve("/", &written));
    }
    Some(resolve(working_directory(ctx, index)?, &written))
}

/// The working directory before the instruction at `index`: WORKDIR's, or the one of a base that is known.
pub(crate) fn working_directory<'a>(ctx: &'a Ctx<'_>, index: usize) -> Option<&'a str> {
    if let Some(folder) = ctx.model.state(index).config.workdir.as_deref() {
        return Some(folder);
    }
    let stage = ctx.model.stage_of(index)?;
    base_working_directory(ctx, stage)
}

/// The working directory of the container that starts from `stage`.
pub(crate) fn final_working_directory<'a>(ctx: &'a Ctx<'_>, stage: &'a Stage) -> Option<&'a str> {
    stage
        .end
        .config
        .workdir
        .as_deref()
        .or_else(|| base_working_directory(ctx, stage))
}

fn base_working_directory<'a>(ctx: &'a Ctx<'_>, stage: &Stage) -> Option<&'a str> {
    Some(
        ctx.model
            .base_facts(stage.index)?
            .workdir()
            .filter(|folder| !folder.is_empty())
            .unwrap_or("/"),
    )
}

fn follow(ctx: &Ctx<'_>, stage: &Stage, path: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    for index in stage.body.clone().rev() {
        let Some(copy) = ctx.model.instruction(index).as_copy() else {
            continue;
        };
        if let Some(found) = through(ctx, index, &copy, path, depth) {
            return Some(found);
        }
    }
    match stage.base {
        Base::Stage(parent) => follow(ctx, ctx.model.stages.get(parent)?, path, depth),
        _ => None,
    }
}

/// The origin of `path` if the COPY at `index` brought it.
fn through(
    ctx: &Ctx<'_>,
    index: usize,
    copy: &Copy<'_>,
    path: &str,
    depth: usize,
) -> Option<String> {
    let context = ctx.context?;
    let target = destination(ctx, index, copy)?;
    let escape = ctx.dockerfile.escape();
    let state = ctx.model.state(index);
    let written = state.expand(copy.destination.text, escape);
    let into_folder = written.ends_with('/')
        || written == "."
        || written.ends_with("/.")
        || copy.sources.len() > 1;
    let below = below(&target, path);
    let feed = match copy.from {
        None => None,
        Some(from) => Some(stage_named(ctx, index, &state.expand(from, escape))?),
    };
    for source in &copy.sources {
        if source.heredoc.is_some() {
            continue;
        }
        let source = state.expand(source.text, escape);
        let Some(feed) = feed else {
            for found in context.sources(&source) {
                let candidate = if found.is_empty() || context.is_folder(found) {
                    match below {
                        Some(below) => resolve("/", &format!("{found}/{below}"))[1..].to_owned(),
                        None => continue,
                    }
                } else if into_folder && below == Some(file_name(found))
                    || !into_folder && target == path
                    || target == "/" && below == Some(file_name(found))
                {
                    found.to_owned()
                } else {
                    continue;
                };
                if context.has(&candidate) {
                    return Some(candidate);
                }
            }
            continue;
        };
        let source = resolve("/", &source);
        // Whether it is a folder or a file there is not seen: the one that leads back to the context is.
        let as_folder = below.map(|below| resolve(&source, below));
        let as_file = (into_folder && below == Some(file_name(&source))
            || !into_folder && target == path)
            .then(|| source.clone());
        if let Some(found) = [as_folder, as_file]
            .into_iter()
            .flatten()
            .find_map(|path| follow(ctx, feed, &path, depth))
        {
            return Some(found);
        }
    }
    None
}

pub(crate) fn stage_named<'a>(ctx: &'a Ctx<'_>, index: usize, name: &str) -> Option<&'a Stage> {
    let own = ctx.model.stage_of(index)?.index;
    let earlier = &ctx.model.stages[..own];
    let lower = name.to_lowercase();
    earlier
        .iter()
        .rev()
        .find(|stage| stage.name.as_deref() == Some(&*lower))
        .or_else(|| earlier.get(name.parse::<usize>().ok()?))
}

/// Where `path` stands below the absolute `folder`.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder.trim_end_matches('/'))?
        .strip_prefix('/')
}
