//! One joined line read as an instruction.

use std::ops::Range;

use super::{
    Arguments, Flag, Healthcheck, Instruction, JsonString, Keyword, Logical, Pair, Word,
    json::{self, Array},
    runes,
    words::{self, RawFlag},
};
use crate::text::Span;

/// Where the instruction stands: its whole lines.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Ends before the last line ending.
    pub(super) span: Span,
    /// First and last line, counted from 1.
    pub(super) lines: (usize, usize),
}

/// Reads the joined line. Heredocs and comments are left empty.
///
/// # Errors
/// For what BuildKit's parser refuses, in its words.
pub(super) fn instruction(line: &Logical, escape: u8, place: Place) -> Result<Instruction, String> {
    nested(line, escape, place, false)
}

fn nested(
    line: &Logical,
    escape: u8,
    place: Place,
    in_onbuild: bool,
) -> Result<Instruction, String> {
    let text = line.text();
    let (start, end) = runes::trim(text);
    let text = &text[..end];
    let keyword_end = text[start..]
        .iter()
        .position(|byte| runes::is_blank(*byte))
        .map_or(end, |length| start + length);
    let keyword = Keyword::of(&text[start..keyword_end]);
    let mut rest = keyword_end;
    while text.get(rest).is_some_and(|byte| runes::is_blank(*byte)) {
        rest += 1;
    }
    let (raw_flags, rest) = words::flags(text, rest, escape);
    let (from, to) = runes::trim(&text[rest..]);
    let body = line.slice(Span::new(rest + from, rest + to));
    let arguments = match keyword {
        // BuildKit refuses it later, however deep it goes.
        Keyword::Onbuild if in_onbuild => Arguments::None,
        Keyword::Onbuild if body.is_empty() => Arguments::None,
        Keyword::Onbuild => Arguments::Onbuild(Box::new(nested(&body, escape, place, true)?)),
        _ => arguments(keyword, &body, escape)?,
    };
    let keyword_span = if start == keyword_end {
        Span::at(place.span.start)
    } else {
        line.source_span(Span::new(start, keyword_end))
    };
    Ok(Instruction {
        span: Span::new(keyword_span.start, place.span.end.max(keyword_span.end)),
        lines: place.lines,
        keyword,
        keyword_span,
        flags: raw_flags
            .into_iter()
            .map(|flag| as_flag(line, flag))
            .collect(),
        body,
        arguments,
        heredocs: Vec::new(),
        comments: Vec::new(),
    })
}

fn as_flag(line: &Logical, flag: RawFlag) -> Flag {
    let span = Span::from(flag.range);
    let (name, value) = match flag.text.split_once('=') {
        Some((name, value)) => (name, Some(value.as_bytes().to_vec())),
        None => (flag.text.as_str(), None),
    };
    Flag {
        span: line.source_span(span),
        name: name.strip_prefix("--").unwrap_or(name).to_owned(),
        value,
        value_span: flag.value_start.map(|start| {
            if start == span.end {
                Span::at(line.source_offset(start - 1) + 1)
            } else {
                line.source_span(Span::new(start, span.end))
            }
        }),
    }
}

fn arguments(keyword: Keyword, body: &Logical, escape: u8) -> Result<Arguments, String> {
    if body.is_empty() {
        return Ok(Arguments::None);
    }
    let text = body.text();
    Ok(match keyword {
        Keyword::Add | Keyword::Copy | Keyword::Volume => json_or(body, 0, plain)?,
        Keyword::Cmd | Keyword::Entrypoint | Keyword::Run | Keyword::Shell => {
            json_or(body, 0, |_| Arguments::Text)?
        }
        Keyword::Expose | Keyword::From => plain(body),
        Keyword::Arg => Arguments::Pairs {
            pairs: words::quoted_words(text, 0, escape)
                .into_iter()
                .map(|range| pair(body, range))
                .collect(),
            legacy: false,
        },
        Keyword::Env | Keyword::Label => pairs(keyword, body, escape)?,
        Keyword::Healthcheck => healthcheck(body)?,
        Keyword::Maintainer | Keyword::Stopsignal | Keyword::User | Keyword::Workdir => {
            Arguments::Text
        }
        Keyword::Onbuild | Keyword::Unknown => Arguments::None,
    })
}

/// A JSON array of strings, or what `otherwise` makes of the text.
fn json_or(
    body: &Logical,
    start: usize,
    otherwise: impl FnOnce(&Logical) -> Arguments,
) -> Result<Arguments, String> {
    match json::array(body.text(), start) {
        Array::Strings(strings) => Ok(Arguments::Json(
            strings
                .into_iter()
                .map(|(range, value)| JsonString {
                    span: body.source_span(range.into()),
                    value,
                })
                .collect(),
        )),
        Array::Mixed => {
            Err("when using JSON array syntax, arrays must be comprised of strings only".to_owned())
        }
        Array::No => Ok(otherwise(body)),
    }
}

fn plain(body: &Logical) -> Arguments {
    Arguments::Words(
        words::plain_words(body.text(), 0)
            .into_iter()
            .map(|range| word(body, range))
            .collect(),
    )
}

fn word(body: &Logical, range: Range<usize>) -> Word {
    let text = body.text()[range.clone()].to_vec();
    let span = if range.is_empty() && range.start > 0 {
        // The empty value of `name=` stands behind the equals sign, not behind a continuation.
        Span::at(body.source_offset(range.start - 1) + 1)
    } else {
        body.source_span(range.into())
    };
    Word { span, text }
}

fn pair(body: &Logical, range: Range<usize>) -> Pair {
    let text = &body.text()[range.clone()];
    let equals = text.iter().position(|byte| *byte == b'=');
    let name_end = equals.map_or(range.end, |at| range.start + at);
    Pair {
        span: body.source_span(range.clone().into()),
        name: word(body, range.start..name_end),
        value: equals.map(|_| word(body, name_end + 1..range.end)),
    }
}

fn pairs(keyword: Keyword, body: &Logical, escape: u8) -> Result<Arguments, String> {
    let text = body.text();
    let found = words::quoted_words(text, 0, escape);
    let Some(first) = found.first() else {
        return Ok(Arguments::None);
    };
    if !text[first.clone()].contains(&b'=') {
        let name_end = text.iter().position(|byte| runes::is_blank(*byte));
        let Some(name_end) = name_end else {
            return Err(format!("{} must have two arguments", keyword.name()));
        };
        let mut value_start = name_end;
        while text
            .get(value_start)
            .is_some_and(|byte| runes::is_blank(*byte))
        {
            value_start += 1;
        }
        return Ok(Arguments::Pairs {
            pairs: vec![Pair {
                span: body.source_span(Span::new(0, text.len())),
                name: word(body, 0..name_end),
                value: Some(word(body, value_start..text.len())),
            }],
            legacy: true,
        });
    }
    if let Some(word) = found
        .iter()
        .find(|range| !text[(*range).clone()].contains(&b'='))
    {
        return Err(format!(
            "Syntax error - can't find = in \"{}\". Must be of the form: name=value",
            runes::to_text(&text[word.clone()])
        ));
    }
    Ok(Arguments::Pairs {
        pairs: found.into_iter().map(|range| pair(body, range)).collect(),
        legacy: false,
    })
}

fn healthcheck(body: &Logical) -> Result<Arguments, String> {
    let text = body.text();
    let kind_end = text
        .iter()
        .position(|byte| runes::is_byte_space(*byte))
        .unwrap_or(text.len());
    if kind_end == 0 {
        return Ok(Arguments::None);
    }
    let mut start = kind_end;
    while text
        .get(start)
        .is_some_and(|byte| runes::is_byte_space(*byte))
    {
        start += 1;
    }
    let command = body.slice(Span::new(start, text.len()));
    let arguments = if command.is_empty() {
        Arguments::None
    } else {
        json_or(&command, 0, |_| Arguments::Text)?
    };
    let kind = &text[..kind_end];
    Ok(Arguments::Healthcheck(
        if kind.eq_ignore_ascii_case(b"none") {
            Healthcheck::None
        } else {
            Healthcheck::Command {
                body: command,
                arguments: Box::new(arguments),
            }
        },
    ))
}
