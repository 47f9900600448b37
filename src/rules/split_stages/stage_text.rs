//! The second stage as text: what its template says, around the instructions of the original.

use crate::rules::Ctx;
use crate::syntax::Keyword;
use crate::template::{self, Template};
use crate::text::Span;

use super::runtime::{Runtime, copies_position, is_needed, item_span, moves};
use crate::rules::programs::Why;
use crate::rules::programs::anatomy::{Anatomy, Part, Step};
use serde::Serialize;

/// Lines of a rendered template that stand for instructions of the original: those do not go through the template, as
/// they may hold any bytes.
const BEFORE: &str = "\u{1}before";
const AFTER: &str = "\u{1}after";

/// The text of the second stage, with a line ending at its end.
///
/// # Errors
/// When the template cannot be rendered.
pub(super) fn stage_text(anatomy: &Anatomy<'_>, runtime: &Runtime) -> Result<Vec<u8>, Why> {
    let ctx = anatomy.ctx;
    let copies_at = copies_position(anatomy, runtime);
    let first_after = copies_at.unwrap_or(usize::MAX);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for step in &anatomy.steps {
        let text = if step.index < first_after {
            &mut before
        } else {
            &mut after
        };
        if stays(anatomy, runtime, step) {
            push_original(anatomy, runtime, step, text);
        }
    }
    let keyword = ctx.model.instruction(anatomy.stage.from).keyword_span;
    let is_lower = ctx.dockerfile.bytes(keyword) == b"from";
    let mut out = Vec::new();
    for line in rendered(anatomy, runtime)?.lines() {
        match line {
            BEFORE => out.extend_from_slice(&before),
            AFTER => out.extend_from_slice(&after),
            _ => push_line(ctx, line, is_lower, &mut out),
        }
    }
    Ok(out)
}

/// The instructions of `template`, filled with `values`, in lines of the file's own kind.
///
/// # Errors
/// When the template cannot be rendered.
pub(super) fn instructions(
    anatomy: &Anatomy<'_>,
    template: Template,
    values: &impl Serialize,
) -> Result<Vec<u8>, Why> {
    let text = template::render(template, values).map_err(|error| unrendered(anatomy, &error))?;
    let mut out = Vec::new();
    for line in text.lines() {
        push_line(anatomy.ctx, line, false, &mut out);
    }
    Ok(out)
}

fn rendered(anatomy: &Anatomy<'_>, runtime: &Runtime) -> Result<String, Why> {
    #[derive(Serialize)]
    struct Filled<'a> {
        #[serde(flatten)]
        values: &'a super::runtime::Values,
        before: &'static str,
        after: &'static str,
    }
    let filled = Filled {
        values: &runtime.values,
        before: BEFORE,
        after: AFTER,
    };
    template::render(runtime.template, &filled).map_err(|error| unrendered(anatomy, &error))
}

fn unrendered(anatomy: &Anatomy<'_>, error: &template::TemplateError) -> Why {
    Why::new(
        anatomy.stage.from,
        error.to_string(),
        "report this as a fault of docker-diet",
    )
}

/// Adds a line of a template, its keyword in lower case where those of the file are. Templates are laid out with
/// lines that come out empty: those are left out.
fn push_line(ctx: &Ctx<'_>, line: &str, is_lower: bool, out: &mut Vec<u8>) {
    if line.trim().is_empty() {
        return;
    }
    match line.split_once(' ') {
        Some((keyword, rest)) if is_lower => {
            out.extend_from_slice(keyword.to_lowercase().as_bytes());
            out.push(b' ');
            out.extend_from_slice(rest.as_bytes());
        }
        _ => out.extend_from_slice(line.as_bytes()),
    }
    out.extend_from_slice(ctx.dockerfile.line_ending().as_bytes());
}

/// Whether an instruction of the original is in the second stage.
fn stays(anatomy: &Anatomy<'_>, runtime: &Runtime, step: &Step<'_>) -> bool {
    match &step.part {
        Part::Runtime => true,
        Part::Setting => {
            let is_arg = anatomy.ctx.model.instruction(step.index).keyword == Keyword::Arg;
            !runtime.build_only.contains(&step.index)
                && (!is_arg || is_needed(anatomy, runtime, step.index))
        }
        Part::Copy(_) | Part::Run(_) => runtime.replayed.contains(&step.index),
    }
}

/// Adds an instruction of the original, with the comments above it where it leaves the first stage.
fn push_original(anatomy: &Anatomy<'_>, runtime: &Runtime, step: &Step<'_>, out: &mut Vec<u8>) {
    let ctx = anatomy.ctx;
    let own = item_span(ctx, step.index);
    let span = match moves(anatomy, runtime, step) {
        true => anatomy.block(step.index),
        false => own,
    };
    let replacement = match ctx.model.instruction(step.index).keyword {
        Keyword::Cmd => runtime.cmd.as_deref(),
        Keyword::Entrypoint => runtime.entrypoint.as_deref(),
        _ => None,
    };
    match replacement {
        Some(text) => {
            let comments = Span::new(span.start, own.start);
            out.extend_from_slice(ctx.dockerfile.bytes(comments));
            out.extend_from_slice(text.as_bytes());
        }
        None => {
            let text = ctx.dockerfile.bytes(span);
            let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
            out.extend_from_slice(&text[..end.map_or(0, |at| at + 1)]);
        }
    }
    out.extend_from_slice(ctx.dockerfile.line_ending().as_bytes());
}
