//! Putting a command into a RUN: where it may stand, how it is joined, in the style that the instruction has.

use crate::model::{PackageOperation, Shell};
use crate::rules::Ctx;
use crate::shell::{Command, CommandKind, Operator, Script, Statement, Terminator};
use crate::syntax::{Instruction, Item, ItemKind, Run};
use crate::text::{Edit, Span};

/// How the commands of a RUN are laid out.
enum Layout {
    /// On one line, or in a heredoc.
    Inline,
    /// Over several lines that no operator begins or ends; the white space before the second.
    Broken(Vec<u8>),
    /// `\` then `&& command`; the white space before the operator.
    Leading(Vec<u8>),
    /// `command && \`; the white space before the command.
    Trailing(Vec<u8>),
}

/// The edit that runs `command` after everything else of the RUN at `index`, when that succeeded.
///
/// # Errors
/// Why the end of the RUN is no place for it, in the user's terms.
pub(super) fn append(ctx: &Ctx<'_>, index: usize, command: &str) -> Result<Edit, String> {
    let instruction = ctx.model.instruction(index);
    let script = ctx
        .model
        .script(index)
        .ok_or("the command cannot be read as shell")?;
    let errexit = stops_at_errors(ctx, index, script);
    let leaves = script.invocations().iter().any(|it| {
        it.position.unconditional && (matches!(it.name(), Some(b"exit")) || it.is_run_by("exec"))
    });
    if leaves {
        return Err("it leaves the shell by `exit` or `exec`".to_owned());
    }
    if script
        .invocations()
        .iter()
        .any(|it| it.calls("set") && (it.has_argument("-f") || it.has_argument("noglob")))
    {
        return Err("it turns file name patterns off".to_owned());
    }
    if let Some(Run::Script(heredoc)) = instruction.as_run() {
        let body = instruction
            .heredocs
            .get(heredoc)
            .ok_or("its heredoc cannot be read")?
            .body;
        if !errexit {
            return Err(
                "its script goes on after a failure, and a last command would hide that".to_owned(),
            );
        }
        let indent = indent_at(
            ctx.dockerfile.source(),
            last_statement(script)?.command.span.start,
        );
        let mut text = indent;
        text.extend_from_slice(command.as_bytes());
        text.extend_from_slice(ctx.dockerfile.line_ending().as_bytes());
        return Ok(Edit::insert(body.end, text));
    }
    if !instruction.heredocs.is_empty() {
        return Err("it feeds a heredoc to a command".to_owned());
    }
    let joint = joint_at_end(script, errexit)?;
    let end = last_statement(script)?.command.span.end;
    Ok(Edit::insert(
        end,
        joined_after(ctx, instruction, script, joint, command),
    ))
}

/// The edit that runs `command` after the top-level command of the RUN at `index` that ends with `last`, when that
/// succeeded: for scripts whose end is no place for it.
///
/// # Errors
/// Why there is no place for it either, in the user's terms.
pub(super) fn append_to(
    ctx: &Ctx<'_>,
    index: usize,
    last: Span,
    command: &str,
) -> Result<Edit, String> {
    let instruction = ctx.model.instruction(index);
    let script = ctx
        .model
        .script(index)
        .ok_or("the command cannot be read as shell")?;
    let statement = script
        .body
        .iter()
        .find(|statement| statement.command.span.contains(last))
        .ok_or("the command is not one of its own")?;
    let ends_it = statement.command.span.end == last.end && !statement.command.negated;
    let goes_on = statement.terminator == Terminator::Semicolon;
    if !instruction.heredocs.is_empty()
        || !ends_it
        || !goes_on
        || stops_at_errors(ctx, index, script)
    {
        return Err("more depends on it".to_owned());
    }
    Ok(Edit::insert(last.end, format!(" && {command}")))
}

/// The edit that takes the simple command at `command` and the `&&` or `;` behind it out of the RUN at `index`, where
/// that is how it stands.
pub(super) fn removal(ctx: &Ctx<'_>, index: usize, command: Span) -> Option<Edit> {
    let script = ctx.model.script(index)?;
    let at = script
        .body
        .iter()
        .position(|statement| statement.command.span.contains(command))?;
    let statement = &script.body[at];
    if statement.command.span == command {
        return removal_of_statement(ctx, script, at);
    }
    let mut at = &statement.command;
    while let CommandKind::Binary {
        left,
        operator: Operator::And,
        right,
        ..
    } = &at.kind
    {
        let is_it = matches!(&left.kind, CommandKind::Simple(simple) if simple.span == command)
            && left.redirects.is_empty();
        // `a && apk update && apk add`: the tree leans left, so the pair may be split over two levels.
        let inner = match &left.kind {
            CommandKind::Binary {
                operator: Operator::And,
                right,
                ..
            } => {
                matches!(&right.kind, CommandKind::Simple(simple) if simple.span == command)
                    && right.redirects.is_empty()
            }
            _ => false,
        };
        if is_it || inner {
            let span = Span::new(command.start, right.span.start);
            let between = ctx.dockerfile.bytes(span);
            return (!between.contains(&b'#')).then(|| Edit::delete(span));
        }
        at = left;
    }
    None
}

/// The edit that takes out a statement that ends in `;` and that another one follows, whose exit status therefore
/// counts for nothing unless the script stops at errors.
fn removal_of_statement(ctx: &Ctx<'_>, script: &Script, at: usize) -> Option<Edit> {
    let statement = &script.body[at];
    let next = script.body.get(at + 1)?;
    let is_plain = matches!(statement.command.kind, CommandKind::Simple(_))
        && statement.command.redirects.is_empty()
        && !statement.command.negated
        && statement.terminator == Terminator::Semicolon;
    let before = at.checked_sub(1).and_then(|at| script.body.get(at));
    // What stands on the line before keeps the line, with the way in which it is continued.
    let span = match before.map(|before| (before.terminator, before.terminator_span)) {
        Some((Terminator::Semicolon, Some(end))) => {
            Span::new(end.end, statement.terminator_span?.end)
        }
        Some(_) => return None,
        None => Span::new(statement.command.span.start, next.command.span.start),
    };
    (is_plain && !ctx.dockerfile.bytes(span).contains(&b'#')).then(|| Edit::delete(span))
}

/// The lines of an instruction with their line ending, and the blank line behind them where one stands before them too.
pub(super) fn whole_lines(ctx: &Ctx<'_>, index: usize) -> Span {
    let items = ctx.dockerfile.items();
    let own = ItemKind::Instruction(index);
    let Some(at) = items.iter().position(|item| item.kind == own) else {
        return ctx.model.instruction(index).span;
    };
    let is_blank = |item: &&Item| item.kind == ItemKind::Blank;
    let before = items[..at].last().filter(is_blank);
    let after = items.get(at + 1).filter(is_blank);
    let last = before.and(after).unwrap_or(&items[at]);
    Span::new(items[at].span.start, last.span.end)
}

/// The edit that runs `command` right before the top-level command of the RUN at `index` that holds `within`.
///
/// # Errors
/// Why there is no place for it, in the user's terms.
pub(super) fn insert_before(
    ctx: &Ctx<'_>,
    index: usize,
    within: Span,
    command: &[u8],
) -> Result<Edit, String> {
    let instruction = ctx.model.instruction(index);
    let script = ctx
        .model
        .script(index)
        .ok_or("the command cannot be read as shell")?;
    if !instruction.heredocs.is_empty() && !matches!(instruction.as_run(), Some(Run::Script(_))) {
        return Err("it feeds a heredoc to a command".to_owned());
    }
    let statement = script
        .body
        .iter()
        .find(|statement| statement.command.span.contains(within))
        .ok_or("the command is not one of its own")?;
    if statement.terminator == Terminator::Background {
        return Err("it runs in the background".to_owned());
    }
    let element = element_with(&statement.command, within).ok_or("it is reached through `||`")?;
    if !matches!(element.kind, CommandKind::Simple(_)) && !is_pipe(element) || element.negated {
        return Err("it stands in a condition, a loop or a group".to_owned());
    }
    // Under `set -e` a failure left of `&&` does not end the script: the list as a whole must.
    let separate = stops_at_errors(ctx, index, script)
        && script.body.len() > 1
        && !is_list(&statement.command);
    let operator: &[u8] = if separate { b";" } else { b"&&" };
    let newline = newline(ctx);
    let mut text = command.to_vec();
    match layout(ctx, instruction, script) {
        Layout::Leading(indent) if !separate => {
            text.push(b' ');
            text.extend_from_slice(&newline);
            text.extend_from_slice(&indent);
            text.extend_from_slice(b"&& ");
        }
        Layout::Trailing(indent) => {
            if !separate {
                text.push(b' ');
            }
            text.extend_from_slice(operator);
            text.push(b' ');
            text.extend_from_slice(&newline);
            text.extend_from_slice(&indent);
        }
        _ => {
            if !separate {
                text.push(b' ');
            }
            text.extend_from_slice(operator);
            text.push(b' ');
        }
    }
    Ok(Edit::insert(element.span.start, text))
}

/// Whether a failed command ends the script: `set -e` in it, or `-e` in SHELL.
pub(super) fn stops_at_errors(ctx: &Ctx<'_>, index: usize, script: &Script) -> bool {
    if matches!(
        ctx.model.state(index).shell,
        Shell::Posix { errexit: true, .. }
    ) {
        return true;
    }
    script.invocations().iter().any(|it| {
        it.calls("set")
            && it.arguments().iter().any(|word| {
                word.literal.as_deref().is_some_and(|option| {
                    option == b"errexit"
                        || option.starts_with(b"-")
                            && !option.starts_with(b"--")
                            && option.contains(&b'e')
                })
            })
    })
}

/// What an operation is run by that another command needs, too: `sudo ` or nothing.
///
/// # Errors
/// When it is run as somebody else, or by something unknown.
pub(super) fn privilege(operation: &PackageOperation<'_>) -> Result<&'static str, String> {
    let mut words = operation.prefix.iter();
    let name = match words.next() {
        None => return Ok(""),
        Some(word) => match word.literal.as_deref() {
            Some(b"sudo") => "sudo ",
            Some(b"doas") => "doas ",
            Some(b"env" | b"command" | b"nice" | b"time") => {
                let sudo =
                    words.any(|word| matches!(word.literal.as_deref(), Some(b"sudo" | b"doas")));
                return if sudo {
                    Err("it is run by several programs".to_owned())
                } else {
                    Ok("")
                };
            }
            _ => return Err("it is run by another program".to_owned()),
        },
    };
    let known = words.all(|word| {
        word.raw.contains(&b'=') || matches!(word.raw.as_slice(), b"-E" | b"-H" | b"-n" | b"-S")
    });
    if known {
        Ok(name)
    } else {
        Err(format!("it is run by `{}` with options", name.trim_end()))
    }
}

/// Whether a mount of the RUN covers `path` or a folder above it.
pub(super) fn mount_covers(instruction: &Instruction, path: &str) -> bool {
    instruction.mounts().iter().any(|mount| {
        mount.options.iter().any(|(key, value)| {
            matches!(key.as_str(), "target" | "dst" | "destination")
                && value.as_deref().is_some_and(|target| {
                    let target = target.trim_end_matches('/');
                    crate::model::path::is_under(path, target)
                        || target.ends_with(path.trim_start_matches('~'))
                })
        })
    })
}

fn last_statement(script: &Script) -> Result<&Statement, String> {
    script.body.last().ok_or_else(|| "it is empty".to_owned())
}

/// What joins a command to the end of the script, so that an earlier failure still fails it.
fn joint_at_end(script: &Script, errexit: bool) -> Result<&'static str, String> {
    let last = last_statement(script)?;
    if last.terminator == Terminator::Background {
        return Err("it ends in a background job".to_owned());
    }
    if !errexit {
        return Ok(" &&");
    }
    let command = &last.command;
    if is_list(command) {
        let CommandKind::Binary { right, .. } = &command.kind else {
            return Ok(" &&");
        };
        // `set -e` is off inside of what stands left of `&&`.
        return if matches!(right.kind, CommandKind::Simple(_)) || is_pipe(right) {
            Ok(" &&")
        } else {
            Err("it ends in a compound command under `set -e`".to_owned())
        };
    }
    if command.negated {
        return Err("its last exit status is negated".to_owned());
    }
    let alone = script.body.len() == 1 && matches!(command.kind, CommandKind::Simple(_));
    Ok(if alone { " &&" } else { ";" })
}

fn joined_after(
    ctx: &Ctx<'_>,
    instruction: &Instruction,
    script: &Script,
    joint: &str,
    command: &str,
) -> Vec<u8> {
    let newline = newline(ctx);
    let mut text = Vec::new();
    match layout(ctx, instruction, script) {
        Layout::Inline => {
            text.extend_from_slice(joint.as_bytes());
            text.push(b' ');
        }
        Layout::Leading(indent) | Layout::Broken(indent) if joint == " &&" => {
            text.push(b' ');
            text.extend_from_slice(&newline);
            text.extend_from_slice(&indent);
            text.extend_from_slice(b"&& ");
        }
        Layout::Trailing(indent) | Layout::Leading(indent) | Layout::Broken(indent) => {
            text.extend_from_slice(joint.as_bytes());
            text.push(b' ');
            text.extend_from_slice(&newline);
            text.extend_from_slice(&indent);
        }
    }
    text.extend_from_slice(command.as_bytes());
    text
}

/// The escape character and the line ending of the file.
fn newline(ctx: &Ctx<'_>) -> Vec<u8> {
    let mut newline = vec![ctx.dockerfile.escape()];
    newline.extend_from_slice(ctx.dockerfile.line_ending().as_bytes());
    newline
}

fn layout(ctx: &Ctx<'_>, instruction: &Instruction, script: &Script) -> Layout {
    if !instruction.heredocs.is_empty() {
        return Layout::Inline;
    }
    let source = ctx.dockerfile.source();
    let mut found = None;
    for span in joints(script) {
        let line = line_start(source, span.start);
        let before = &source[line..span.start];
        if line > instruction.span.start && before.iter().all(u8::is_ascii_whitespace) {
            found = Some(Layout::Leading(before.to_vec()));
        } else if let Some(next) = continued_after(ctx, span.end, instruction.span.end) {
            found = Some(Layout::Trailing(indent_at(source, next)));
        }
    }
    found.unwrap_or_else(|| match instruction.body.breaks().next() {
        Some(at) => {
            let offset = instruction.body.source_offset(at);
            let mut indent = indent_at(source, offset);
            if indent.is_empty() {
                indent = b"    ".to_vec();
            }
            Layout::Broken(indent)
        }
        None => Layout::Inline,
    })
}

/// The first byte of the next line with a command when nothing but a continuation follows `at`.
fn continued_after(ctx: &Ctx<'_>, at: usize, end: usize) -> Option<usize> {
    let source = ctx.dockerfile.source();
    let rest = &source[at..end];
    let escape = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if rest[escape] != ctx.dockerfile.escape() {
        return None;
    }
    let mut next = at + escape + 1;
    loop {
        let line = source[next..end].iter().position(|byte| *byte == b'\n')? + next + 1;
        let text = source[line..end].split(|byte| *byte == b'\n').next()?;
        let trimmed = text.trim_ascii();
        if !trimmed.is_empty() && !trimmed.starts_with(b"#") {
            return Some(line);
        }
        next = line;
    }
}

/// Where `&&` and `;` of the top level stand, in order.
fn joints(script: &Script) -> Vec<Span> {
    let mut spans = Vec::new();
    for statement in &script.body {
        let first = spans.len();
        let mut command = &statement.command;
        while let CommandKind::Binary {
            left,
            operator,
            operator_span,
            ..
        } = &command.kind
        {
            if *operator == Operator::And {
                spans.push(*operator_span);
            }
            command = left;
        }
        spans[first..].reverse();
        spans.extend(statement.terminator_span);
    }
    spans
}

/// The element of the `&&` chain that holds `within`; none when a `||` stands before it.
fn element_with(command: &Command, within: Span) -> Option<&Command> {
    let mut at = command;
    loop {
        match &at.kind {
            CommandKind::Binary {
                left,
                operator: operator @ (Operator::And | Operator::Or),
                right,
                ..
            } => {
                if right.span.contains(within) {
                    return (*operator == Operator::And && !holds_or(left)).then_some(&**right);
                }
                at = left;
            }
            _ => return at.span.contains(within).then_some(at),
        }
    }
}

fn holds_or(mut command: &Command) -> bool {
    while let CommandKind::Binary { left, operator, .. } = &command.kind {
        if *operator == Operator::Or {
            return true;
        }
        command = left;
    }
    false
}

fn is_list(command: &Command) -> bool {
    matches!(
        command.kind,
        CommandKind::Binary {
            operator: Operator::And | Operator::Or,
            ..
        }
    )
}

fn is_pipe(command: &Command) -> bool {
    matches!(
        command.kind,
        CommandKind::Binary {
            operator: Operator::Pipe,
            ..
        }
    )
}

fn line_start(source: &[u8], offset: usize) -> usize {
    source[..offset]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)
}

/// The white space at the start of the line with the byte at `offset`.
pub(super) fn indent_at(source: &[u8], offset: usize) -> Vec<u8> {
    let line = &source[line_start(source, offset)..];
    let width = line
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    line[..width].to_vec()
}
