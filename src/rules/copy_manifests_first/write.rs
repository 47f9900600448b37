//! The edit: manifests in place of the whole folder, the whole folder after the installs.

use std::collections::BTreeMap;

use crate::model::path::{file_name, resolve};
use crate::rules::image_paths::destination;
use crate::syntax::{Instruction, ItemKind, Keyword};
use crate::text::{Edit, Span};

use super::step::{End, Walk};
use super::{BroadCopy, join};

/// More COPY lines than this are no gain for who reads the file.
const MOST_LINES: usize = 12;

/// The edits; none when a name cannot be written in a COPY or there are too many folders.
pub(super) fn edits(copy: &BroadCopy<'_>, walk: &Walk<'_>) -> Option<Vec<Edit>> {
    let dockerfile = copy.ctx.dockerfile;
    let source = dockerfile.source();
    let end_of_line = dockerfile.line_ending();
    let manifests = manifest_lines(copy, walk)?.join(end_of_line);
    let block = Span::new(
        block_start(copy, copy.instruction),
        copy.instruction.span.end,
    );
    let rest = String::from_utf8_lossy(block.of(source)).into_owned();
    let gap = match followed_by_blank(copy) {
        true => format!("{end_of_line}{end_of_line}"),
        false => end_of_line.to_owned(),
    };
    let mut edits = vec![match manifests.is_empty() {
        false => Edit::replace(block, manifests),
        true => Edit::delete(with_gap(copy, block)),
    }];
    edits.extend(
        walk.installs
            .iter()
            .flat_map(|install| install.edits.iter().cloned()),
    );
    let again = walk
        .installs
        .iter()
        .filter_map(|install| install.again)
        .map(|span| String::from_utf8_lossy(span.of(source)).into_owned())
        .next_back();
    let instruction = |index: usize| copy.ctx.model.instruction(index);
    let run_word =
        |run: &Instruction| String::from_utf8_lossy(run.keyword_span.of(source)).into_owned();
    match walk.end {
        End::None => return None,
        End::After(index) => {
            let run = instruction(index);
            let mut text = format!("{gap}{rest}");
            if let Some(again) = again {
                let prefix = Span::new(run.span.start, run.body.source_offset(0));
                text.push_str(&gap);
                text.push_str(&String::from_utf8_lossy(prefix.of(source)));
                text.push_str(&again);
            }
            edits.push(Edit::insert(run.span.end, text));
        }
        End::Split(index, from, to) => {
            let again = again.map_or_else(String::new, |again| format!("{again} && "));
            let text = format!("{gap}{rest}{gap}{} {again}", run_word(instruction(index)));
            edits.push(Edit::replace(Span::new(from, to), text));
        }
        End::Before(index) => {
            let run = instruction(index);
            let prefix = Span::new(run.span.start, run.body.source_offset(0));
            let fetch = &walk.installs.last()?.what;
            let prefix = String::from_utf8_lossy(prefix.of(source));
            let text = format!("{prefix}{fetch}{gap}{rest}{gap}");
            edits.push(Edit::insert(block_start(copy, run), text));
        }
    }
    Some(edits)
}

/// Where the comment lines directly above an instruction begin; its own start without any.
fn block_start(copy: &BroadCopy<'_>, instruction: &Instruction) -> usize {
    let dockerfile = copy.ctx.dockerfile;
    let mut start = instruction.span.start;
    let before = dockerfile
        .items()
        .iter()
        .rev()
        .skip_while(|item| item.span.start >= instruction.span.start);
    for item in before {
        if item.kind != ItemKind::Comment || item.span.end != start {
            break;
        }
        start = item.span.start;
    }
    start
}

fn followed_by_blank(copy: &BroadCopy<'_>) -> bool {
    let items = copy.ctx.dockerfile.items();
    items
        .iter()
        .position(|item| item.kind == ItemKind::Instruction(copy.index))
        .and_then(|at| items.get(at + 1))
        .is_some_and(|item| item.kind == ItemKind::Blank)
}

/// One COPY a folder, in the style of the one that is there.
fn manifest_lines(copy: &BroadCopy<'_>, walk: &Walk<'_>) -> Option<Vec<String>> {
    let source = copy.ctx.dockerfile.source();
    let view = copy.instruction.as_copy()?;
    let prefix = Span::new(
        copy.instruction.span.start,
        copy.instruction.body.source_offset(0),
    );
    let prefix = String::from_utf8_lossy(prefix.of(source)).into_owned();
    let destination = std::str::from_utf8(view.destination.text).ok()?;
    let base = match destination {
        "." | "./" => "./".to_owned(),
        other if other.ends_with('/') => other.to_owned(),
        other => format!("{other}/"),
    };
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut folders: Vec<&str> = Vec::new();
    for install in &walk.installs {
        for folder in &install.folders {
            if !folders.contains(&folder.as_str()) {
                folders.push(folder);
            }
        }
    }
    for path in walk.installs.iter().flat_map(|install| &install.files) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let inside = |folder: &&str| path.starts_with(&format!("{folder}/"));
        let group = groups.entry(folder).or_default();
        if !group.contains(&path.as_str())
            && !folders.iter().any(inside)
            && !is_there(copy, walk, path)
        {
            group.push(path);
        }
    }
    let mut lines = Vec::new();
    let mut write = |sources: &[&str], folder: &str| -> Option<()> {
        if sources.iter().any(|path| !is_plain(path)) {
            return None;
        }
        let inner = inner(&copy.source, folder)?;
        let to = match inner.is_empty() {
            true => base.clone(),
            false => format!("{base}{inner}/"),
        };
        lines.push(match view.json {
            true => {
                let words: Vec<String> = sources
                    .iter()
                    .copied()
                    .chain([to.as_str()])
                    .map(|word| serde_json::Value::from(word).to_string())
                    .collect();
                format!("{prefix}[{}]", words.join(", "))
            }
            false => format!("{prefix}{} {to}", sources.join(" ")),
        });
        Some(())
    };
    for (folder, files) in groups.iter().filter(|(_, files)| !files.is_empty()) {
        write(files, folder)?;
    }
    for folder in folders {
        write(&[folder], folder)?;
    }
    (lines.len() <= MOST_LINES).then_some(lines)
}

/// Whether a COPY right before brings the file at `path` of the context to the same place: `COPY package*.json ./`.
fn is_there(copy: &BroadCopy<'_>, walk: &Walk<'_>, path: &str) -> bool {
    let ctx = copy.ctx;
    let Some(wanted) = inner(&copy.source, path)
        .map(|inner| resolve(&copy.destination, inner.trim_start_matches('/')))
    else {
        return false;
    };
    (copy.stage.body.start..copy.index)
        .rev()
        .map(|index| (index, ctx.model.instruction(index)))
        .take_while(|(_, instruction)| instruction.keyword != Keyword::Run)
        .any(|(index, instruction)| {
            let Some(view) = instruction.as_copy().filter(|view| view.from.is_none()) else {
                return false;
            };
            let same_flags = instruction.flags.len() == copy.instruction.flags.len();
            let into_folder =
                view.destination.text.ends_with(b"/") || view.destination.text == b".";
            let Some(to) = destination(ctx, index, &view).filter(|_| same_flags && into_folder)
            else {
                return false;
            };
            view.sources.iter().any(|source| {
                let text = ctx
                    .model
                    .state(index)
                    .expand(source.text, ctx.dockerfile.escape());
                walk.context
                    .sources(&text)
                    .iter()
                    .any(|found| *found == path && resolve(&to, file_name(found)) == wanted)
            })
        })
}

/// The span with its line ending and one blank line after it.
fn with_gap(copy: &BroadCopy<'_>, block: Span) -> Span {
    let end_of_line = copy.ctx.dockerfile.line_ending().as_bytes();
    let source = copy.ctx.dockerfile.source();
    let mut end = block.end;
    for _ in 0..2 {
        if source[end..].starts_with(end_of_line) {
            end += end_of_line.len();
        }
    }
    Span::new(block.start, end)
}

/// `folder` as seen from `source`, both in the context.
fn inner<'p>(source: &str, folder: &'p str) -> Option<&'p str> {
    if source.is_empty() || source == folder {
        return Some(&folder[source.len()..]);
    }
    folder.strip_prefix(&join(source, "/").replace("//", "/"))
}

/// Whether a path means itself as a word of COPY.
fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('-')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./@+,=".contains(&byte))
}
