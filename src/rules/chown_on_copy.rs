use std::cell::LazyCell;
use std::collections::BTreeSet;

use crate::catalog::WordSet;
use crate::context::Entry;
use crate::model::Stage;
use crate::model::path::{file_name, is_under, resolve};
use crate::rules::copied_tree::{Owner, Tree};
use crate::rules::declare::declare_rule;
use crate::rules::run_edit;
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta, UseBuildkit};
use crate::syntax::{Copy, Instruction, Keyword};
use crate::text::{Edit, Span};

declare_rule! {
    /// Sets owner and mode where files are copied, in place of a RUN that writes all of them again.
    ///
    /// ## Why
    /// `RUN chown -R` after COPY puts a second copy of every file into the image.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY . .
    /// RUN chown -R node:node /app
    /// USER node
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY --chown=node:node . .
    /// RUN chown node:node /app
    /// USER node
    /// ```
    /// The folder that WORKDIR made belongs to root: one `chown` without `-R` stays for it.
    ///
    /// ## When not
    /// Something else made files there, or may have; the account does not exist before the COPY; a mode would hit folders;
    /// the owner depends on a variable; a symbolic mode of a file that is not in the build context.
    pub(crate) ChownOnCopy { name: "chown-on-copy", level: Safe, hadolint: [] }
}

impl Rule for ChownOnCopy {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let stages = ctx.model.stages.iter();
        stages
            .filter(|stage| stage.ships && !stage.windows)
            .flat_map(|stage| in_stage(ctx, stage))
            .collect()
    }
}

/// What a RUN sets, and where.
pub(super) struct Setting {
    /// The index of the RUN.
    pub(super) run: usize,
    /// With `-R`.
    pub(super) recursive: bool,
    /// `u:g`, or the mode.
    pub(super) value: String,
    /// Whether it is `chown`.
    pub(super) is_owner: bool,
    /// Absolute paths.
    pub(super) paths: Vec<String>,
}

/// Edits of a RUN and of the COPYs before it; those that share a COPY are one.
#[derive(Default)]
struct Planned {
    run: usize,
    copies: BTreeSet<usize>,
    edits: Vec<Edit>,
}

fn in_stage(ctx: &Ctx<'_>, stage: &Stage) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    let targets = LazyCell::new(|| {
        let copies = stage.body.clone().filter_map(|index| {
            let copy = ctx.model.instruction(index).as_copy()?;
            Some((index, target(ctx, index, &copy)?))
        });
        copies.collect::<Vec<_>>()
    });
    let mut plans: Vec<Planned> = Vec::new();
    for index in stage.body.clone() {
        let Some(setting) = setting(ctx, index) else {
            continue;
        };
        let answer = if setting.recursive {
            tree(ctx, stage, &setting, &targets)
        } else {
            files(ctx, stage, &setting)
        };
        match answer {
            None => {}
            Some(Err(reason)) => proposals.push(Proposal::Refusal(Refusal {
                anchor: index,
                reason: format!("the RUN stays: {reason}"),
                remedy: "write `--chown` or `--chmod` at the COPY, if the result is the same"
                    .to_owned(),
            })),
            Some(Ok(new)) => match plans
                .iter_mut()
                .find(|old| !old.copies.is_disjoint(&new.copies))
            {
                Some(old) => {
                    old.copies.extend(new.copies);
                    old.edits.extend(new.edits);
                }
                None => plans.push(new),
            },
        }
    }
    proposals.extend(plans.into_iter().map(|plan| {
        Proposal::Rewrite(Rewrite {
            anchor: plan.run,
            edits: plan.edits,
            reason: "owner and mode are set by COPY: the RUN wrote every file a second time"
                .to_owned(),
            ..Rewrite::default()
        })
    }));
    proposals
}

/// Reads a RUN that is one `chown` or `chmod` by root, without variables.
fn setting(ctx: &Ctx<'_>, index: usize) -> Option<Setting> {
    let instruction = ctx.model.instruction(index);
    if instruction.keyword != Keyword::Run
        || !instruction.flags.is_empty()
        || !instruction.comments.is_empty()
        || !ctx.model.is_root(index)
    {
        return None;
    }
    let words = ctx.model.script(index)?.single_plain_command()?;
    let words: Option<Vec<String>> = words
        .into_iter()
        .map(|word| String::from_utf8(word).ok())
        .collect();
    let words = words?;
    let (name, rest) = words.split_first()?;
    let is_owner = name == "chown";
    if !is_owner && name != "chmod" {
        return None;
    }
    let flags = rest.iter().take_while(|word| word.starts_with('-')).count();
    let known = ["-R", "--recursive", "-v", "-c", "-f"];
    if !rest[..flags]
        .iter()
        .all(|flag| known.contains(&flag.as_str()))
    {
        return None;
    }
    let (value, paths) = rest[flags..].split_first()?;
    let workdir = ctx.model.state(index).config.workdir.as_deref();
    let paths: Option<Vec<String>> = paths
        .iter()
        .map(|path| match (path.starts_with('/'), workdir) {
            (true, _) => Some(resolve("/", path)),
            (false, Some(folder)) => Some(resolve(folder, path)),
            (false, None) => None,
        })
        .collect();
    Some(Setting {
        run: index,
        recursive: rest[..flags]
            .iter()
            .any(|flag| flag == "-R" || flag == "--recursive"),
        value: value.clone(),
        is_owner,
        paths: paths.filter(|paths| !paths.is_empty())?,
    })
}

/// `chown`, `chmod` of single files that COPY brought.
fn files(ctx: &Ctx<'_>, stage: &Stage, setting: &Setting) -> Option<Result<Planned, String>> {
    let mut plan = Planned {
        run: setting.run,
        ..Planned::default()
    };
    for path in &setting.paths {
        let copy = copy_of(ctx, stage, setting.run, path)?;
        if !plan.copies.insert(copy) {
            return None;
        }
        let instruction = ctx.model.instruction(copy);
        let flag = match flag_for(ctx, instruction, copy, setting, path)? {
            Ok(flag) => flag,
            Err(reason) => return Some(Err(reason)),
        };
        plan.edits
            .push(Edit::insert(instruction.keyword_span.end, flag));
    }
    plan.edits
        .push(Edit::delete(run_edit::whole_lines(ctx, setting.run)));
    Some(Ok(plan))
}

/// The COPY before `run` whose only source becomes the file `path`, when nothing between could have changed it.
fn copy_of(ctx: &Ctx<'_>, stage: &Stage, run: usize, path: &str) -> Option<usize> {
    for index in (stage.body.start..run).rev() {
        let instruction = ctx.model.instruction(index);
        match instruction.keyword {
            Keyword::Copy => {
                let copy = instruction.as_copy()?;
                let target = target(ctx, index, &copy)?;
                if target == path {
                    return (copy.sources.len() == 1).then_some(index);
                }
                if is_under(path, &target) {
                    return None;
                }
            }
            Keyword::Run if setting(ctx, index).is_none() => return None,
            Keyword::Add | Keyword::User | Keyword::Volume => return None,
            _ => {}
        }
    }
    None
}

/// Where the copy of one file ends up; for several sources, the folder.
fn target(ctx: &Ctx<'_>, index: usize, copy: &Copy<'_>) -> Option<String> {
    let text = std::str::from_utf8(copy.destination.text).ok()?;
    if text.contains(['$', '"', '\'', '\\']) && !copy.json || text.contains('$') {
        return None;
    }
    let folder = ctx.model.state(index).config.workdir.as_deref();
    let at = match (text.starts_with('/'), folder) {
        (true, _) => resolve("/", text),
        (false, Some(folder)) => resolve(folder, text),
        (false, None) => return None,
    };
    let [source] = copy.sources.as_slice() else {
        return Some(at);
    };
    let source = std::str::from_utf8(source.text).ok()?;
    let into_folder = text.ends_with('/') || matches!(text, "." | "..") || text.ends_with("/.");
    Some(if into_folder && !is_folder(ctx, source) {
        resolve(&at, file_name(source))
    } else {
        at
    })
}

fn is_folder(ctx: &Ctx<'_>, source: &str) -> bool {
    source.ends_with('/')
        || matches!(file_name(source), "" | "." | "..")
        || ctx.context.is_some_and(|context| context.is_folder(source))
}

/// The flag that does at the COPY what the RUN does to one file.
fn flag_for(
    ctx: &Ctx<'_>,
    instruction: &Instruction,
    index: usize,
    setting: &Setting,
    path: &str,
) -> Option<Result<String, String>> {
    let copy = instruction.as_copy()?;
    let source = copy.sources.first()?;
    let name = std::str::from_utf8(source.text).ok()?;
    let local = copy.from.is_none() && source.heredoc.is_none();
    let entry = ctx
        .context
        .filter(|_| local)
        .and_then(|context| context.entry(name));
    let is_file = match entry {
        Some(entry) => matches!(entry, Entry::File { .. }),
        None => ctx.context.is_none() && ctx.catalog.is_plain_file(file_name(name)),
    };
    let keeps_name =
        file_name(path) == file_name(name) || ctx.catalog.is_plain_file(file_name(path));
    if name.contains(['*', '?', '[', '$']) || !is_file || !keeps_name {
        return None;
    }
    if !ctx.model.is_root(index) {
        return None;
    }
    if setting.is_owner {
        if instruction.flag("chown").is_some() {
            return None;
        }
        let owner = match Owner::of(&setting.value) {
            Ok(owner) => owner,
            Err(reason) => return Some(Err(reason)),
        };
        if !ctx.catalog.has_word(WordSet::StandardFolders, parent(path)) {
            return None;
        }
        return Some(
            owner
                .exists_before(ctx, index)
                .map(|()| format!(" --chown={owner}")),
        );
    }
    if instruction.flag("chmod").is_some() {
        return None;
    }
    if ctx.settings.buildkit == UseBuildkit::Never || !ctx.settings.usage.legacy_builders.is_empty()
    {
        return None;
    }
    let mode = match entry {
        Some(Entry::File { mode, .. }) => Some(*mode),
        _ => None,
    };
    Some(octal(&setting.value, mode).map(|mode| format!(" --chmod={mode}")))
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

/// The mode in octal digits; a symbolic one needs the mode that the file has.
fn octal(value: &str, mode: Option<u32>) -> Result<String, String> {
    let digits = value.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if digits && (3..=4).contains(&value.len()) {
        return Ok(value.to_owned());
    }
    let bits = match value {
        "+x" | "a+x" | "ugo+x" => 0o111,
        "u+x" => 0o100,
        "ug+x" => 0o110,
        "+rx" | "a+rx" => 0o555,
        "u+rx" => 0o500,
        _ => return Err(format!("the mode `{value}` is not plain octal digits")),
    };
    match mode {
        Some(mode) => Ok(format!("{:o}", mode & 0o777 | bits)),
        None => Err(format!(
            "what `{value}` makes of the mode depends on a file that is not in the build context"
        )),
    }
}

/// `chown -R` of a folder that COPY filled.
fn tree(
    ctx: &Ctx<'_>,
    stage: &Stage,
    setting: &Setting,
    targets: &[(usize, String)],
) -> Option<Result<Planned, String>> {
    let [path] = setting.paths.as_slice() else {
        return None;
    };
    let copies: Vec<usize> = targets
        .iter()
        .take_while(|(index, _)| *index < setting.run)
        .filter(|(_, at)| is_under(at, path))
        .map(|(index, _)| *index)
        .collect();
    let first = *copies.first()?;
    if !setting.is_owner {
        return Some(Err(format!(
            "`--chmod={}` at COPY would hit folders and files alike",
            setting.value
        )));
    }
    let owner = match Owner::of(&setting.value) {
        Ok(owner) => owner,
        Err(reason) => return Some(Err(reason)),
    };
    if let Err(reason) = owner.exists_before(ctx, first) {
        return Some(Err(reason));
    }
    let tree = Tree { ctx, path };
    let made = match tree.only_copied(stage, setting.run, &copies) {
        Ok(made) => made,
        Err(reason) => return Some(Err(reason)),
    };
    let mut plan = Planned {
        run: setting.run,
        copies: copies.iter().copied().collect(),
        edits: Vec::new(),
    };
    for index in copies {
        let instruction = ctx.model.instruction(index);
        if instruction.flag("chown").is_some()
            || instruction.flag("link").is_some()
            || instruction.keyword != Keyword::Copy
        {
            let line = instruction.lines.0;
            return Some(Err(format!(
                "line {line} brings files in another way than a plain COPY"
            )));
        }
        plan.edits.push(Edit::insert(
            instruction.keyword_span.end,
            format!(" --chown={owner}"),
        ));
    }
    let run = ctx.model.instruction(setting.run);
    plan.edits.push(if made.is_empty() {
        Edit::delete(run_edit::whole_lines(ctx, setting.run))
    } else {
        let text = format!("chown {} {}", setting.value, made.join(" "));
        Edit::replace(Span::new(run.body.source_offset(0), run.span.end), text)
    });
    Some(Ok(plan))
}
