//! What a stack says of the stage that ships, and the edits that make two stages of one.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::rules::programs::anatomy::{Part, Step};
use crate::rules::programs::{Anatomy, Copied, Why};
use crate::rules::{Change, Ctx, Estimate, Rewrite};
use crate::syntax::{ItemKind, Keyword, references};
use crate::template::Template;
use crate::text::{Edit, Span};

use super::names::names;
use super::stage_text::stage_text;

/// What a stack says of the stage that ships.
pub(crate) struct Runtime {
    /// Its text, all but what comes from the original.
    pub(crate) template: Template,
    /// What the template is filled with.
    pub(crate) values: Values,
    /// The copies stand after the last WORKDIR, too: those are relative to the one of the end.
    pub(crate) after_workdir: bool,
    /// Instructions of the original that run in the second stage too (accounts, folders, files for absolute paths),
    /// by index; settings need not be named.
    pub(crate) replayed: BTreeSet<usize>,
    /// Replayed instructions that then are not needed in the first stage.
    pub(crate) moved: BTreeSet<usize>,
    /// Settings of the first stage alone, by index.
    pub(crate) build_only: BTreeSet<usize>,
    /// Edits of instructions that stay in the first stage.
    pub(crate) build_edits: Vec<Edit>,
    /// What stands right after the first FROM: instructions in lines.
    pub(crate) build_first: Vec<u8>,
    /// Instructions at the end of the first stage.
    pub(crate) build_last: Vec<String>,
    /// What CMD becomes, where its words change: the whole instruction.
    pub(crate) cmd: Option<String>,
    /// The same for ENTRYPOINT.
    pub(crate) entrypoint: Option<String>,
    /// One sentence for the report.
    pub(crate) reason: String,
    pub(crate) saves: Estimate,
    /// Declared besides what [`assemble`] declares itself.
    pub(crate) changes: Vec<Change>,
}

impl Runtime {
    /// A stage with the text of `template` and nothing else yet.
    pub(crate) fn new(template: Template) -> Self {
        Self {
            template,
            values: Values::default(),
            after_workdir: false,
            replayed: BTreeSet::new(),
            moved: BTreeSet::new(),
            build_only: BTreeSet::new(),
            build_edits: Vec::new(),
            build_first: Vec::new(),
            build_last: Vec::new(),
            cmd: None,
            entrypoint: None,
            reason: String::new(),
            saves: Estimate::default(),
            changes: Vec::new(),
        }
    }
}

/// What the templates of second stages are filled with; each takes what it knows.
#[derive(Default, Serialize)]
pub(crate) struct Values {
    /// The base image, as FROM writes it.
    pub(crate) base: String,
    /// The name of the build stage.
    pub(crate) build: String,
    /// `AS name`, where this stage has one.
    pub(crate) name: String,
    /// Debian packages that the stage needs and its base lacks.
    pub(crate) packages: Vec<String>,
    /// Commands that install for the whole image what a RUN of the build installs beside the project's own packages.
    pub(crate) again: Vec<String>,
    /// What brings the built files; it stands where the original copied its sources, or else before the first
    /// instruction that moves.
    pub(crate) copies: Vec<Copied>,
    /// The working directory that the base image of the original sets and the one of this stage does not.
    pub(crate) workdir: Option<String>,
    /// Whom the folder `root` of the application is given to.
    pub(crate) owner: Option<String>,
    pub(crate) root: String,
    /// The folder of the virtual environment.
    pub(crate) environment: String,
    /// Whether the split makes that environment: PATH does not name it yet.
    pub(crate) is_new: bool,
    /// Whether the packages of the base are brought up to date.
    pub(crate) upgrades: bool,
}

/// The rewrite that splits the stage of `anatomy` as `runtime` says.
///
/// # Errors
/// When the text of the second stage cannot be made.
pub(crate) fn assemble(anatomy: &Anatomy<'_>, mut runtime: Runtime) -> Result<Rewrite, Why> {
    let ctx = anatomy.ctx;
    let from = anatomy.stage.from;
    let eol = ctx.dockerfile.line_ending();
    let mut edits = runtime.build_edits.clone();
    let names = names(anatomy);
    edits.extend(names.edit);
    runtime.values.build = names.build;
    runtime.values.name = names.runtime;
    if !runtime.build_first.is_empty() {
        let at = item_span(ctx, from).end;
        edits.push(Edit::insert(at, runtime.build_first.as_slice()));
    }
    let second = stage_text(anatomy, &runtime)?;
    let mut gone: Vec<Span> = Vec::new();
    for step in &anatomy.steps {
        if moves(anatomy, &runtime, step) {
            gone.push(anatomy.block(step.index));
        }
    }
    edits.retain(|edit| !gone.iter().any(|span| span.contains(edit.span)));
    let end = ctx.dockerfile.source().len();
    let mut tail = Vec::new();
    if !ends_with_newline(ctx, &gone) {
        tail.extend_from_slice(eol.as_bytes());
    }
    for line in runtime.build_last.iter().map(String::as_str).chain([""]) {
        tail.extend_from_slice(line.as_bytes());
        tail.extend_from_slice(eol.as_bytes());
    }
    tail.extend_from_slice(&second);
    for span in with_blank_lines(ctx, &gone) {
        edits.push(Edit::delete(span));
    }
    edits.push(Edit::insert(end, tail));
    let mut changes = runtime.changes;
    if runtime.cmd.is_some() {
        changes.push(Change::Cmd);
    }
    if runtime.entrypoint.is_some() {
        changes.push(Change::Entrypoint);
    }
    Ok(Rewrite {
        anchor: from,
        edits,
        reason: runtime.reason,
        saves: runtime.saves,
        changes,
        ..Rewrite::default()
    })
}

/// Whether an instruction is only in the second stage: what the image is started with, and the settings after the
/// last one that builds.
pub(super) fn moves(anatomy: &Anatomy<'_>, runtime: &Runtime, step: &Step<'_>) -> bool {
    match step.part {
        Part::Runtime => true,
        Part::Setting => {
            runtime.moved.contains(&step.index)
                || runtime.build_last.is_empty()
                    && !runtime.build_only.contains(&step.index)
                    && last_build(anatomy, runtime).is_some_and(|last| step.index > last)
                    && (anatomy.ctx.model.instruction(step.index).keyword != Keyword::Arg
                        || is_needed(anatomy, runtime, step.index))
        }
        Part::Copy(_) | Part::Run(_) => runtime.moved.contains(&step.index),
    }
}

/// The last instruction that the first stage needs to build.
fn last_build(anatomy: &Anatomy<'_>, runtime: &Runtime) -> Option<usize> {
    let step = anatomy.steps.iter().rfind(|step| match &step.part {
        Part::Copy(_) | Part::Run(_) => !runtime.replayed.contains(&step.index),
        _ => false,
    });
    step.map(|step| step.index)
}

/// Before which instruction the built files come: where the settings that the copies rely on are in effect, as
/// late as the original built them, and before what moves.
pub(super) fn copies_position(anatomy: &Anatomy<'_>, runtime: &Runtime) -> Option<usize> {
    let last_workdir = anatomy
        .steps
        .iter()
        .rfind(|step| anatomy.ctx.model.instruction(step.index).keyword == Keyword::Workdir)
        .map(|step| step.index)
        .filter(|_| runtime.after_workdir);
    let last_build = last_build(anatomy, runtime).max(last_workdir);
    anatomy
        .steps
        .iter()
        .map(|step| step.index)
        .find(|index| last_build.is_none_or(|last| *index > last))
}

/// Whether an ARG is read by an instruction that is in the second stage.
pub(super) fn is_needed(anatomy: &Anatomy<'_>, runtime: &Runtime, arg: usize) -> bool {
    let ctx = anatomy.ctx;
    let escape = ctx.dockerfile.escape();
    let names: Vec<String> = ctx
        .model
        .instruction(arg)
        .pairs()
        .iter()
        .map(|pair| String::from_utf8_lossy(&pair.name.text).into_owned())
        .collect();
    anatomy
        .steps
        .iter()
        .filter(|step| step.index > arg)
        .filter(|step| match &step.part {
            Part::Setting => !runtime.build_only.contains(&step.index),
            Part::Runtime => true,
            Part::Copy(_) | Part::Run(_) => runtime.replayed.contains(&step.index),
        })
        .any(|step| {
            let instruction = ctx.model.instruction(step.index);
            let text = instruction.body.text();
            references(text, escape)
                .iter()
                .any(|name| names.contains(name))
                || instruction.keyword == Keyword::Run
                    && names
                        .iter()
                        .any(|name| String::from_utf8_lossy(text).contains(name.as_str()))
        })
}

pub(super) fn item_span(ctx: &Ctx<'_>, index: usize) -> Span {
    ctx.dockerfile
        .items()
        .iter()
        .find(|item| item.kind == ItemKind::Instruction(index))
        .map_or_else(|| ctx.model.instruction(index).span, |item| item.span)
}

/// Whether what is left of the file without `gone` ends in a line ending.
fn ends_with_newline(ctx: &Ctx<'_>, gone: &[Span]) -> bool {
    let mut end = ctx.dockerfile.source().len();
    while let Some(span) = gone.iter().find(|span| span.end == end && !span.is_empty()) {
        end = span.start;
    }
    end == 0 || ctx.dockerfile.source()[end - 1] == b'\n'
}

/// `gone`, joined where only blank lines lie between, with the blank lines above each.
fn with_blank_lines(ctx: &Ctx<'_>, gone: &[Span]) -> Vec<Span> {
    let items = ctx.dockerfile.items();
    let mut spans: Vec<Span> = Vec::new();
    for span in gone {
        let mut start = span.start;
        for item in items
            .iter()
            .rev()
            .filter(|item| item.span.end <= span.start)
        {
            if item.kind != ItemKind::Blank || item.span.end != start {
                break;
            }
            start = item.span.start;
        }
        match spans.last_mut() {
            Some(last) if last.end >= start => last.end = span.end,
            _ => spans.push(Span::new(start, span.end)),
        }
    }
    // Blank lines at the very end go too, so that the second stage begins after one.
    if let Some(last) = spans.last_mut() {
        let rest = items.iter().filter(|item| item.span.start >= last.end);
        if rest.clone().all(|item| item.kind == ItemKind::Blank) {
            last.end = ctx.dockerfile.source().len();
        }
    }
    spans
}
