//! The text of one RUN in the place of several.

use crate::model::Verb;
use crate::rules::run_join::{Body, Wrap};
use crate::rules::{Ctx, apt, run_edit};
use crate::syntax::{ItemKind, Keyword};
use crate::text::{Edit, Span};

/// How the file breaks its commands over lines.
#[derive(Clone, Copy)]
pub(super) struct Style<'a> {
    /// White space in front of a continued line.
    indent: &'a [u8],
    /// `&&` ends a line instead of beginning the next.
    trailing: bool,
}

impl<'a> Style<'a> {
    pub(super) fn of(ctx: &Ctx<'a>) -> Self {
        let source: &'a [u8] = ctx.dockerfile.source();
        let mut style = Style {
            indent: b"    ",
            trailing: false,
        };
        let mut found = false;
        for instruction in ctx.dockerfile.instructions() {
            if instruction.keyword != Keyword::Run || !instruction.heredocs.is_empty() {
                continue;
            }
            let body = &instruction.body;
            for at in body.breaks() {
                let before = body.text()[..at].trim_ascii_end();
                let after = body.text()[at..].trim_ascii_start();
                let (leads, trails) = (after.starts_with(b"&&"), before.ends_with(b"&&"));
                if found || !(leads || trails) {
                    continue;
                }
                let word = body.source_offset(body.text().len() - after.len());
                let line = source[..word]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |at| at + 1);
                if source[line..word]
                    .iter()
                    .all(|byte| matches!(byte, b' ' | b'\t'))
                {
                    style = Style {
                        indent: &source[line..word],
                        trailing: trails,
                    };
                    found = true;
                }
            }
        }
        style
    }
}

/// The edits that make one RUN of `members`.
pub(super) fn edits(ctx: &Ctx<'_>, members: &[usize], style: Style<'_>) -> Option<Vec<Edit>> {
    let ending = ctx.dockerfile.line_ending().as_bytes();
    let escape = [ctx.dockerfile.escape()];
    let last = members.len() - 1;
    let mut edits = Vec::new();
    let mut open: &[u8] = b"";
    let mut fetched = false;
    for (at, index) in members.iter().enumerate() {
        let updates = updates(ctx, *index);
        if fetched {
            edits.extend(
                updates
                    .iter()
                    .filter_map(|update| run_edit::removal(ctx, *index, *update)),
            );
        }
        let text = ctx.model.instruction(*index).body.text();
        fetched = (fetched || !updates.is_empty())
            && !apt::mentions(text, b"/var/lib/apt")
            && apt::changes_sources(ctx, *index).is_none();
        let body = Body::of(ctx.model, *index).ok()?;
        let wrap = if at < last {
            body.before_and().ok()?
        } else {
            body.after_and().ok()?
        };
        let (start, close): (&[u8], &[u8]) = match wrap {
            Wrap::None => (b"", b""),
            Wrap::Braces if body.ends_in_semicolon() => (b"{ ", b" }"),
            Wrap::Braces => (b"{ ", b"; }"),
            Wrap::Subshell => (b"( ", b" )"),
        };
        let (from, to) = extent(ctx, *index)?;
        if at == 0 {
            if !start.is_empty() {
                edits.push(Edit::insert(from, start));
            }
        } else {
            let (_, previous_end) = extent(ctx, members[at - 1])?;
            let mut text = open.to_vec();
            text.extend_from_slice(if style.trailing { b" && " } else { b" " });
            text.extend_from_slice(&escape);
            text.extend_from_slice(ending);
            let inside = ctx.model.instruction(*index).comments.iter();
            let inside = inside
                .filter(|comment| comment.start < from)
                .map(|comment| ctx.dockerfile.bytes(*comment).trim_ascii_end());
            for comment in comments_between(ctx, members[at - 1], *index)
                .into_iter()
                .chain(inside)
            {
                text.extend_from_slice(comment);
                text.extend_from_slice(ending);
            }
            text.extend_from_slice(style.indent);
            text.extend_from_slice(if style.trailing { b"" } else { b"&& " });
            text.extend_from_slice(start);
            edits.push(Edit::replace(Span::new(previous_end, from), text));
        }
        if at == last && !close.is_empty() {
            edits.push(Edit::insert(to, close));
        }
        open = close;
    }
    Some(edits)
}

/// The comments between two instructions, without their line endings.
pub(super) fn comments_between<'a>(ctx: &Ctx<'a>, before: usize, after: usize) -> Vec<&'a [u8]> {
    let gap = Span::new(
        ctx.model.instruction(before).span.end,
        ctx.model.instruction(after).span.start,
    );
    let items = ctx.dockerfile.items();
    let first = items.partition_point(|item| item.span.start < gap.start);
    items[first..]
        .iter()
        .take_while(|item| item.span.end <= gap.end)
        .filter(|item| item.kind == ItemKind::Comment)
        .map(|item| ctx.dockerfile.bytes(item.span).trim_ascii_end())
        .collect()
}

/// Where the RUN at `index` fetches apt's package lists whatever happens, when nothing of it changes what they hold.
fn updates(ctx: &Ctx<'_>, index: usize) -> Vec<Span> {
    if apt::changes_sources(ctx, index).is_some() {
        return Vec::new();
    }
    ctx.model
        .operations(index)
        .iter()
        .filter(|operation| {
            apt::is_apt(operation)
                && operation.verb == Verb::Update
                && operation.position.unconditional
        })
        .map(|operation| operation.simple.span)
        .collect()
}

/// First and one past the last byte of the command line, when nothing but white space follows it on its last line.
fn extent(ctx: &Ctx<'_>, index: usize) -> Option<(usize, usize)> {
    let instruction = ctx.model.instruction(index);
    let text = instruction.body.text();
    let lead = text.len() - text.trim_ascii_start().len();
    let length = text.trim_ascii_end().len();
    let (from, to) = (
        instruction.body.source_offset(lead),
        instruction.body.source_offset(length.checked_sub(1)?) + 1,
    );
    let rest = ctx.dockerfile.bytes(Span::new(to, instruction.span.end));
    (rest.trim_ascii().is_empty() || !instruction.heredocs.is_empty()).then_some((from, to))
}
