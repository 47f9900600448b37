use crate::model::path::resolve;
use crate::model::{Model, Stage};
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::{
    Arguments, Dockerfile, Instruction, Keyword, Pair, Variables, expand, references,
};
use crate::text::{Edit, Span};

declare_rule! {
    /// Writes in today's form what Docker keeps for old files only.
    ///
    /// ## Why
    /// `ENV name value` takes the whole rest of the line, `MAINTAINER` is deprecated, and a relative `WORKDIR` depends on
    /// what the lines above say. BuildKit warns about all three.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM golang:1.25 as build
    /// MAINTAINER Jo <jo@example.org>
    /// ENV GREETING hello world
    /// WORKDIR /src
    /// WORKDIR app
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM golang:1.25 AS build
    /// LABEL org.opencontainers.image.authors="Jo <jo@example.org>"
    /// ENV GREETING="hello world"
    /// WORKDIR /src
    /// WORKDIR /src/app
    /// ```
    ///
    /// ## When not
    /// A value cannot be shown to stay the same under quotes, or was meant otherwise than it is read; the authors label is set already; the folder that a WORKDIR
    /// starts from is the base image's and not known, or depends on a variable.
    pub(crate) ModernSyntax { name: "modern-syntax", level: Safe, hadolint: ["DL4000", "DL3000"] }
}

/// The label that the image specification has for what MAINTAINER says.
const AUTHORS: &str = "org.opencontainers.image.authors";

impl Rule for ModernSyntax {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for stage in &ctx.model.stages {
            proposals.extend(alias(ctx, stage));
            for index in stage.body.clone() {
                let instruction = ctx.model.instruction(index);
                match (instruction.keyword, &instruction.arguments) {
                    (
                        Keyword::Env | Keyword::Label,
                        Arguments::Pairs {
                            pairs,
                            legacy: true,
                        },
                    ) => {
                        if let [pair] = pairs.as_slice() {
                            proposals.extend(legacy_pair(ctx, index, pair));
                        }
                    }
                    (Keyword::Maintainer, _) => proposals.extend(maintainer(ctx, stage, index)),
                    (Keyword::Workdir, _) if !stage.windows => {
                        proposals.extend(workdir(ctx, stage, index));
                    }
                    _ => {}
                }
            }
        }
        proposals
    }
}

/// `FROM x as y`: beside a FROM in capitals, BuildKit asks for `AS`.
fn alias(ctx: &Ctx<'_>, stage: &Stage) -> Option<Proposal> {
    let instruction = ctx.model.instruction(stage.from);
    let word = instruction.as_from()?.as_word?;
    let contiguous = ctx.dockerfile.bytes(word.span) == word.text;
    (ctx.dockerfile.bytes(instruction.keyword_span) == b"FROM" && word.text != b"AS" && contiguous)
        .then(|| {
            rewrite(
                stage.from,
                vec![Edit::replace(word.span, "AS")],
                "`AS` in capitals, as `FROM` beside it".to_owned(),
            )
        })
}

/// `ENV name value` and `LABEL name value`.
fn legacy_pair(ctx: &Ctx<'_>, index: usize, pair: &Pair) -> Option<Proposal> {
    let instruction = ctx.model.instruction(index);
    let value = pair.value.as_ref()?;
    let gap = Span::new(pair.name.span.end, value.span.start);
    let keyword = instruction.keyword.name();
    if instruction
        .comments
        .iter()
        .any(|comment| gap.contains(*comment))
    {
        return Some(refuse(
            index,
            format!("{keyword} stays in its old form: a comment stands between name and value"),
            "move the comment above the instruction",
        ));
    }
    if let Some(mistake) = mistake(instruction, pair) {
        return Some(refuse(
            index,
            format!("{keyword} stays in its old form: {mistake}"),
            "write every pair as `NAME=value`",
        ));
    }
    let name = String::from_utf8_lossy(&pair.name.text);
    let Some(form) = Form::of(ctx.dockerfile, instruction, pair) else {
        return Some(refuse(
            index,
            format!(
                "{keyword} {name} stays in its old form: its quotes cannot be shown to mean the same behind `=`"
            ),
            "write the value in one pair of double quotes",
        ));
    };
    let edits = match form {
        Form::AsIs => vec![Edit::replace(gap, "=")],
        Form::Quoted => vec![
            Edit::replace(gap, "=\""),
            Edit::insert(value.span.end, "\""),
        ],
        Form::Joined => {
            let start = instruction.body.logical_offset(value.span.start)?;
            let quotes = (start..start + value.text.len())
                .filter(|at| instruction.body.text()[*at] == b'"')
                .map(|at| instruction.body.source_offset(at))
                .map(|at| Edit::delete(Span::new(at, at + 1)));
            let mut edits = vec![Edit::replace(gap, "=\"")];
            edits.extend(quotes);
            edits.push(Edit::insert(value.span.end, "\""));
            edits
        }
        Form::Anew(text) => vec![Edit::replace(
            Span::new(gap.start, value.span.end),
            [b"=".as_slice(), &text].concat(),
        )],
    };
    Some(rewrite(
        index,
        edits,
        format!("`{keyword} {name}=…`: the form with `=` ends where the value ends"),
    ))
}

/// What of a legacy value was meant otherwise than BuildKit reads it.
fn mistake(instruction: &Instruction, pair: &Pair) -> Option<String> {
    let value = pair.value.as_ref()?;
    let owner = String::from_utf8_lossy(&pair.name.text);
    if value.text.starts_with(b"=") {
        return Some(format!(
            "with white space around it, `=` is part of the value of `{owner}`"
        ));
    }
    let body = &instruction.body;
    let start = body.logical_offset(value.span.start)?;
    let swallowed = body.breaks().filter(|at| *at > start).find_map(|at| {
        let line = body.text()[at..].trim_ascii_start();
        let end = line
            .iter()
            .position(|byte| !byte.is_ascii_uppercase() && *byte != b'_')?;
        (end > 1 && matches!(line[end], b' ' | b'\t' | b'=')).then(|| &line[..end])
    })?;
    let name = String::from_utf8_lossy(swallowed);
    Some(format!(
        "`{name}` on a later line is part of the value of `{owner}`, and no variable"
    ))
}

/// How the value of a legacy pair is written behind `=`.
enum Form {
    /// As it stands.
    AsIs,
    /// As it stands, in double quotes.
    Quoted,
    /// In one pair of double quotes in place of all those that are there.
    Joined,
    /// In other words that mean the same.
    Anew(Vec<u8>),
}

impl Form {
    /// The first form that is shown to mean the same.
    fn of(dockerfile: &Dockerfile, instruction: &Instruction, pair: &Pair) -> Option<Form> {
        let escape = dockerfile.escape();
        let value = &pair.value.as_ref()?.text;
        let proof = Proof {
            escape,
            keyword: instruction.keyword,
            name: &pair.name.text,
            value,
        };
        let has_quotes = value
            .iter()
            .any(|byte| matches!(byte, b'"' | b'\'') || *byte == escape);
        if has_quotes && proof.holds(value) {
            return Some(Form::AsIs);
        }
        let in_one_pair = |text: &[u8]| [b"\"", text, b"\""].concat();
        if !value.contains(&b'"') && proof.holds(&in_one_pair(value)) {
            return Some(Form::Quoted);
        }
        let bare: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'"').collect();
        if proof.holds(&in_one_pair(&bare)) {
            return Some(Form::Joined);
        }
        let on_one_line = dockerfile.bytes(pair.value.as_ref()?.span) == *value;
        let literal = (on_one_line && references(value, escape).is_empty())
            .then(|| expand(value, &Variables::new(), escape).ok())??;
        Some(in_quotes(&literal, escape))
            .filter(|text| proof.holds(text))
            .map(Form::Anew)
    }
}

/// What a text behind `=` must be equal to.
struct Proof<'a> {
    escape: u8,
    keyword: Keyword,
    name: &'a [u8],
    value: &'a [u8],
}

impl Proof<'_> {
    /// Whether `NAME=text` is one pair of that name whose value is the old one, whatever the variables hold.
    fn holds(&self, text: &[u8]) -> bool {
        let mut source = Vec::with_capacity(text.len() + self.name.len() + 40);
        if self.escape != b'\\' {
            source.extend_from_slice(b"# escape=");
            source.push(self.escape);
            source.push(b'\n');
        }
        source.extend_from_slice(b"FROM scratch\n");
        source.extend_from_slice(self.keyword.name().as_bytes());
        source.push(b' ');
        source.extend_from_slice(self.name);
        source.push(b'=');
        source.extend_from_slice(text);
        source.push(b'\n');
        let written = Dockerfile::parse(source);
        if written.refused().is_some() {
            return false;
        }
        let [_, instruction] = written.instructions() else {
            return false;
        };
        let [pair] = instruction.pairs() else {
            return false;
        };
        let Some(value) = &pair.value else {
            return false;
        };
        pair.name.text == self.name
            && assignments(&references(self.value, self.escape))
                .iter()
                .all(|variables| {
                    matches!(
                        (
                            expand(self.value, variables, self.escape),
                            expand(&value.text, variables, self.escape)
                        ),
                        (Ok(old), Ok(new)) if old == new
                    )
                })
    }
}

/// Variables of these names: none set, plain values, and values with every byte that quoting is about.
fn assignments(names: &[String]) -> Vec<Variables> {
    let mut sets = vec![Variables::new()];
    if !names.is_empty() {
        for value in ["", "x", " a  b ", "'q\"", "\\$y`"] {
            let pairs = names.iter().enumerate();
            sets.push(
                pairs
                    .map(|(at, name)| (name.clone(), format!("{value}{at}")))
                    .collect(),
            );
        }
        sets.push(
            names
                .iter()
                .map(|name| (name.clone(), String::new()))
                .collect(),
        );
    }
    sets
}

/// `text` in double quotes, with what would be read otherwise escaped.
fn in_quotes(text: &str, escape: u8) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'$') || byte == escape {
            out.push(escape);
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}

/// `MAINTAINER x`, which BuildKit does not expand; LABEL it does.
fn maintainer(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> Option<Proposal> {
    let instruction = ctx.model.instruction(index);
    let text = instruction.body.text().trim_ascii();
    if text.is_empty() {
        return None;
    }
    let chain = ctx.model.chain(stage.index);
    if chain
        .iter()
        .any(|stage| stage.end.config.labels.contains_key(AUTHORS))
    {
        return Some(refuse(
            index,
            format!("MAINTAINER stays: the label `{AUTHORS}` is set already"),
            "delete the MAINTAINER line",
        ));
    }
    if !instruction.comments.is_empty() {
        return Some(refuse(
            index,
            "MAINTAINER stays: a comment stands inside".to_owned(),
            "move the comment above the instruction",
        ));
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Some(refuse(
            index,
            "MAINTAINER stays: the name is no UTF-8".to_owned(),
            "save the file as UTF-8",
        ));
    };
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('"') && !inner.is_empty());
    let label = cased_as(ctx.dockerfile.bytes(instruction.keyword_span), "label");
    let mut line = format!("{label} {AUTHORS}=").into_bytes();
    line.extend(in_quotes(inner.unwrap_or(text), ctx.dockerfile.escape()));
    Some(rewrite(
        index,
        vec![Edit::replace(instruction.span, line)],
        format!("MAINTAINER is deprecated: `{AUTHORS}` says the same"),
    ))
}

/// `word` in the letter case of `model`: all capitals, a capital first, or none.
pub(super) fn cased_as(model: &[u8], word: &str) -> String {
    let capitals = model
        .iter()
        .filter(|byte| byte.is_ascii_uppercase())
        .count();
    if capitals > 1 {
        word.to_uppercase()
    } else if capitals == 1 && model[0].is_ascii_uppercase() {
        word[..1].to_uppercase() + &word[1..]
    } else {
        word.to_owned()
    }
}

/// A relative WORKDIR.
fn workdir(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> Option<Proposal> {
    let instruction = ctx.model.instruction(index);
    let escape = ctx.dockerfile.escape();
    let text = std::str::from_utf8(instruction.body.text()).ok()?.trim();
    if text.is_empty() || text.starts_with(['/', '$', '"', '\'']) || text.contains(':') {
        return None;
    }
    // A tag that is in no list may stand on anything: its folder is not certain until the file sets one.
    let listed = ctx
        .model
        .base_facts(stage.index)
        .is_none_or(|facts| facts.build.is_some());
    let set_here = ctx.model.chain(stage.index).iter().any(|link| {
        ctx.model
            .of_kind(link, Keyword::Workdir)
            .any(|at| at < index && ctx.model.instruction(at).body.text().starts_with(b"/"))
    });
    if !listed && !set_here {
        return None;
    }
    if text
        .bytes()
        .any(|byte| matches!(byte, b'"' | b'\'' | b'\\') || byte == escape)
        || !instruction.comments.is_empty()
        || !instruction
            .body
            .is_contiguous(Span::new(0, instruction.body.text().len()))
    {
        return Some(refuse(
            index,
            "WORKDIR stays relative: it is quoted, escaped or broken over lines".to_owned(),
            "write the absolute path",
        ));
    }
    let parent = match parent(ctx.model, stage, index) {
        Ok(parent) => parent,
        Err(reason) => {
            return Some(refuse(
                index,
                format!("WORKDIR stays relative: {reason}"),
                "write the absolute path",
            ));
        }
    };
    let absolute = if text.contains('$') {
        format!(
            "{}/{}",
            parent.trim_end_matches('/'),
            text.strip_prefix("./").unwrap_or(text)
        )
    } else {
        resolve(&parent, text)
    };
    let state = ctx.model.state(index);
    let old = state.try_expand(text.as_bytes(), escape).ok()?;
    let new = state.try_expand(absolute.as_bytes(), escape).ok()?;
    if resolve(&parent, &old) != resolve("/", &new) {
        return None;
    }
    let start = instruction.body.source_offset(0);
    let lead = instruction.body.text().len() - instruction.body.text().trim_ascii_start().len();
    let span = Span::new(start + lead, start + lead + text.len());
    Some(rewrite(
        index,
        vec![Edit::replace(span, absolute.clone())],
        format!("WORKDIR is absolute: `{absolute}` whatever the lines above say"),
    ))
}

/// The folder in effect before the instruction at `index`, when no variable and no unknown image has a part in it.
fn parent(model: &Model<'_>, stage: &Stage, index: usize) -> Result<String, String> {
    let chain = model.chain(stage.index);
    let own = (stage.body.start..index).rev();
    let inherited = chain[1..].iter().flat_map(|stage| stage.body.clone().rev());
    for at in own.chain(inherited) {
        let instruction = model.instruction(at);
        if instruction.keyword != Keyword::Workdir {
            continue;
        }
        let text = instruction.body.text();
        if text.contains(&b'$') {
            let line = instruction.lines.0;
            return Err(format!("the folder of line {line} depends on a variable"));
        }
        if text.starts_with(b"/") {
            break;
        }
    }
    model
        .state(index)
        .config
        .workdir
        .clone()
        .ok_or_else(|| "the base image's folder is not known".to_owned())
}

fn rewrite(anchor: usize, edits: Vec<Edit>, reason: String) -> Proposal {
    Proposal::Rewrite(Rewrite {
        anchor,
        edits,
        reason,
        ..Rewrite::default()
    })
}

fn refuse(anchor: usize, reason: String, remedy: &str) -> Proposal {
    Proposal::Refusal(Refusal {
        anchor,
        reason,
        remedy: remedy.to_owned(),
    })
}
