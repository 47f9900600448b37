//! The little Markdown of doc comments, for a terminal: headings, paragraphs, lists, code.

use anstyle::Style;

use super::paint::{BAD, GOOD, HEADING, MARK, wrap};
use super::{Paint, printable};

const INDENT: &str = "  ";

/// Appends `text` without its marks, paragraphs filled to the width of the terminal.
pub(super) fn render(out: &mut Vec<u8>, text: &str, paint: Paint) {
    let mut paragraph = String::new();
    let mut code = None;
    for line in text.lines() {
        // A doc comment's lines begin with the space after its slashes.
        let line = line.strip_prefix(' ').unwrap_or(line);
        if let Some(language) = line.trim_start().strip_prefix("```") {
            flush(out, &mut paragraph, paint);
            code = match code {
                Some(_) => None,
                None => Some(language.trim().to_owned()),
            };
        } else if let Some(language) = &code {
            let style = code_style(language, line);
            out.extend_from_slice(INDENT.as_bytes());
            out.extend_from_slice(INDENT.as_bytes());
            paint.put(out, style, &printable(line.as_bytes()));
            out.push(b'\n');
        } else if let Some(heading) = line.strip_prefix('#') {
            flush(out, &mut paragraph, paint);
            paint.put(out, HEADING, &plain(heading.trim_start_matches('#').trim()));
            out.push(b'\n');
        } else if line.trim().is_empty() {
            flush(out, &mut paragraph, paint);
            out.push(b'\n');
        } else {
            if line.trim_start().starts_with("- ") {
                flush(out, &mut paragraph, paint);
            } else if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line.trim());
        }
    }
    flush(out, &mut paragraph, paint);
}

/// `text` without backquotes, emphasis and link targets.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        out.push_str(&rest[..at]);
        let mark = &rest[at..];
        if let Some(code) = mark.strip_prefix('`')
            && let Some(end) = code.find('`')
        {
            out.push_str(&mark[..end + 2]);
            rest = &code[end + 1..];
        } else if let Some(link) = mark.strip_prefix('[')
            && let Some((label, target)) = link.split_once("](")
            && !label.contains(']')
            && let Some((_, after)) = target.split_once(')')
        {
            out.push_str(label);
            rest = after;
        } else if let Some(bold) = mark.strip_prefix("**")
            && let Some((inner, after)) = bold.split_once("**")
        {
            out.push_str(inner);
            rest = after;
        } else {
            out.push_str(&mark[..1]);
            rest = &mark[1..];
        }
    }
    out.push_str(rest);
    out
}

fn flush(out: &mut Vec<u8>, paragraph: &mut String, paint: Paint) {
    if paragraph.is_empty() {
        return;
    }
    let room = paint.width.map_or(98, |width| {
        width.min(100).saturating_sub(INDENT.len()).max(24)
    });
    let hanging = if paragraph.starts_with("- ") {
        INDENT
    } else {
        ""
    };
    for (at, line) in wrap(&plain(paragraph), room).iter().enumerate() {
        out.extend_from_slice(INDENT.as_bytes());
        if at > 0 {
            out.extend_from_slice(hanging.as_bytes());
        }
        inline_code(out, line, paint);
        out.push(b'\n');
    }
    paragraph.clear();
}

/// Writes a line whose backquoted parts are code; the backquotes stay where there is no colour.
fn inline_code(out: &mut Vec<u8>, line: &str, paint: Paint) {
    let complete = line.matches('`').count().is_multiple_of(2);
    if !paint.color || !complete {
        out.extend_from_slice(line.as_bytes());
        return;
    }
    for (at, part) in line.split('`').enumerate() {
        let style = if at % 2 == 1 { MARK } else { Style::new() };
        paint.put(out, style, part);
    }
}

fn code_style(language: &str, line: &str) -> Style {
    match (language, line.as_bytes().first()) {
        ("diff", Some(b'+')) => GOOD,
        ("diff", Some(b'-')) => BAD,
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_code_stays() {
        assert_eq!(plain("a `*b*` **c** [d](e) * f [g]"), "a `*b*` c d * f [g]");
    }

    #[test]
    fn a_document_keeps_its_shape() {
        let text = " Does it.\n\n ## Why\n One\n two.\n - first\n - second\n\n ```dockerfile\n RUN x  y\n ```\n";
        let mut out = Vec::new();
        render(&mut out, text, Paint::default());
        let expected = "  Does it.\n\nWhy\n  One two.\n  - first\n  - second\n\n    RUN x  y\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
