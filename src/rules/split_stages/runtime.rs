//! The second stage as text, and the edits that make two stages of one.

use std::collections::BTreeSet;

use crate::rules::{Change, Ctx, Estimate, Refusal, Rewrite};
use crate::syntax::{ItemKind, Keyword, references};
use crate::text::{Edit, Span};

use super::anatomy::{Anatomy, Part, Step};

/// What a stack says of the stage that ships.
#[derive(Default)]
pub(crate) struct Runtime {
    /// Its base image, as FROM writes it.
    pub(crate) base: String,
    /// Debian packages that it needs and its base lacks.
    pub(crate) packages: Vec<String>,
    /// Instructions right after the packages, before anything of the original (`COPY --from=build /opt/venv /opt/venv`).
    pub(crate) first: Vec<String>,
    /// COPY instructions that bring what was built; they stand where the original copied its sources, or else
    /// before the first instruction that moves.
    pub(crate) copies: Vec<String>,
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
    /// Instructions right after the first FROM.
    pub(crate) build_first: Vec<String>,
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

/// Why a stage is not split.
#[derive(Clone, Debug)]
pub(crate) struct Why {
    /// Index of the instruction that stands in the way.
    pub(crate) anchor: usize,
    /// `line 7 runs …`; put after `not split: `.
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

impl Why {
    pub(crate) fn new(anchor: usize, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            anchor,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn into_refusal(self) -> Refusal {
        Refusal {
            anchor: self.anchor,
            reason: format!("not split: {}", self.reason),
            remedy: self.remedy,
        }
    }
}

/// The rewrite that splits the stage of `anatomy` as `runtime` says.
pub(crate) fn assemble(anatomy: &Anatomy<'_>, runtime: Runtime) -> Rewrite {
    let ctx = anatomy.ctx;
    let from = anatomy.stage.from;
    let eol = ctx.dockerfile.line_ending();
    let mut edits = runtime.build_edits.clone();
    let names = names(anatomy);
    edits.extend(names.edit.clone());
    if !runtime.build_first.is_empty() {
        let at = item_span(ctx, from).end;
        edits.push(Edit::insert(at, lines(&runtime.build_first, eol)));
    }
    let second = second_stage(anatomy, &runtime, &names, eol);
    let mut gone: Vec<Span> = Vec::new();
    for step in &anatomy.steps {
        if moves(anatomy, &runtime, step) {
            gone.push(anatomy.block(step.index));
        }
    }
    edits.retain(|edit| !gone.iter().any(|span| span.contains(edit.span)));
    let end = ctx.dockerfile.source().len();
    let mut tail = String::new();
    if !ends_with_newline(ctx, &gone) {
        tail.push_str(eol);
    }
    tail.push_str(&lines(&runtime.build_last, eol));
    tail.push_str(eol);
    tail.push_str(&second);
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
    Rewrite {
        anchor: from,
        edits,
        reason: runtime.reason,
        saves: runtime.saves,
        changes,
        ..Rewrite::default()
    }
}

/// What the two stages are called.
struct Names {
    /// The first stage.
    build: String,
    /// The second one, where it takes over the name by which a build may ask for the only stage that there was.
    runtime: Option<String>,
    /// The edit of FROM; none where the first stage keeps its name.
    edit: Option<Edit>,
}

/// The name of a stage that has none.
const BUILD: &str = "build";

/// `FROM x` → `FROM x AS build`, in the letter case of FROM. A name that speaks of building stays with what builds,
/// unless a Compose file, a Bake file or `--target` asks for it: then, as with any other name, what ships has it.
fn names(anatomy: &Anatomy<'_>) -> Names {
    let ctx = anatomy.ctx;
    let instruction = ctx.model.instruction(anatomy.stage.from);
    let view = instruction
        .as_from()
        .expect("a base that the catalog knows is named by FROM");
    let Some(alias) = view.alias else {
        let word = if ctx.dockerfile.bytes(instruction.keyword_span) == b"from" {
            "as"
        } else {
            "AS"
        };
        let at = view.image.span.end;
        return Names {
            build: BUILD.to_owned(),
            runtime: None,
            edit: Some(Edit::insert(at, format!(" {word} {BUILD}"))),
        };
    };
    let name = String::from_utf8_lossy(&alias.text).into_owned();
    let is_target = ctx
        .settings
        .targets()
        .iter()
        .any(|target| target.eq_ignore_ascii_case(&name));
    if name.to_ascii_lowercase().starts_with(BUILD) && !is_target {
        return Names {
            build: name,
            runtime: None,
            edit: None,
        };
    }
    let build = if name.eq_ignore_ascii_case(BUILD) {
        "build-stage"
    } else {
        BUILD
    };
    Names {
        build: build.to_owned(),
        runtime: Some(name),
        edit: Some(Edit::replace(alias.span, build)),
    }
}

/// The text of the second stage, line ending at its end.
fn second_stage(anatomy: &Anatomy<'_>, runtime: &Runtime, names: &Names, eol: &str) -> String {
    let ctx = anatomy.ctx;
    let from = if ctx
        .dockerfile
        .bytes(ctx.model.instruction(anatomy.stage.from).keyword_span)
        == b"from"
    {
        "from"
    } else {
        "FROM"
    };
    let is_lower = from == "from";
    let name = match &names.runtime {
        Some(name) if is_lower => format!(" as {name}"),
        Some(name) => format!(" AS {name}"),
        None => String::new(),
    };
    let mut out = format!("{from} {}{name}{eol}", runtime.base);
    if !runtime.packages.is_empty() {
        out.push_str(&install_line(&runtime.packages, eol));
    }
    let first = from_stage(&runtime.first, &names.build);
    let copies = from_stage(&runtime.copies, &names.build);
    out.push_str(&in_case(&first, is_lower, eol));
    let copies_at = copies_position(anatomy, runtime);
    let mut copied = false;
    for step in &anatomy.steps {
        if !copied && copies_at == Some(step.index) {
            out.push_str(&in_case(&copies, is_lower, eol));
            copied = true;
        }
        let instruction = ctx.model.instruction(step.index);
        let replacement = match instruction.keyword {
            Keyword::Cmd => runtime.cmd.as_ref(),
            Keyword::Entrypoint => runtime.entrypoint.as_ref(),
            _ => None,
        };
        let stays = match &step.part {
            Part::Runtime => true,
            Part::Setting => {
                !runtime.build_only.contains(&step.index)
                    && (instruction.keyword != Keyword::Arg
                        || is_needed(anatomy, runtime, step.index))
            }
            Part::Copy(_) | Part::Run(_) => runtime.replayed.contains(&step.index),
        };
        if !stays {
            continue;
        }
        let span = if moves(anatomy, runtime, step) {
            anatomy.block(step.index)
        } else {
            item_span(ctx, step.index)
        };
        match replacement {
            Some(text) => {
                let comments = Span::new(span.start, item_span(ctx, step.index).start);
                out.push_str(&String::from_utf8_lossy(ctx.dockerfile.bytes(comments)));
                out.push_str(text);
                out.push_str(eol);
            }
            None => {
                let text = String::from_utf8_lossy(ctx.dockerfile.bytes(span));
                out.push_str(text.trim_end_matches(['\n', '\r']));
                out.push_str(eol);
            }
        }
    }
    if !copied {
        out.push_str(&in_case(&copies, is_lower, eol));
    }
    out
}

/// Whether an instruction is only in the second stage: what the image is started with, and the settings after the
/// last one that builds.
fn moves(anatomy: &Anatomy<'_>, runtime: &Runtime, step: &Step<'_>) -> bool {
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
fn is_needed(anatomy: &Anatomy<'_>, runtime: &Runtime, arg: usize) -> bool {
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

/// `RUN apt-get …` in one layer.
fn install_line(packages: &[String], eol: &str) -> String {
    format!(
        "RUN apt-get update && apt-get install -y --no-install-recommends {} \\{eol}    && rm -rf /var/lib/apt/lists/*{eol}",
        packages.join(" ")
    )
}

fn lines(instructions: &[String], eol: &str) -> String {
    instructions
        .iter()
        .map(|line| format!("{line}{eol}"))
        .collect()
}

/// The instructions with the first stage's own name where the stacks write `--from=build`.
fn from_stage(instructions: &[String], name: &str) -> Vec<String> {
    instructions
        .iter()
        .map(|line| line.replacen("--from=build ", &format!("--from={name} "), 1))
        .collect()
}

/// As [`lines`], with keywords in lower case where those of the file are.
fn in_case(instructions: &[String], is_lower: bool, eol: &str) -> String {
    let lowered = instructions.iter().map(|line| match line.split_once(' ') {
        Some((keyword, rest)) if is_lower => format!("{} {rest}", keyword.to_lowercase()),
        _ => line.clone(),
    });
    lines(&lowered.collect::<Vec<_>>(), eol)
}

fn item_span(ctx: &Ctx<'_>, index: usize) -> Span {
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
