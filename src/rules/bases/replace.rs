//! FROM with another image, where its name may be built from a variable.

use super::{Why, digest};
use crate::catalog::ImageRef;
use crate::model::{Base, Stage};
use crate::rules::Ctx;
use crate::syntax::{Keyword, Pair, Word, references};
use crate::text::{Edit, Span};

/// The edits that make `stage` start from `reference`, where its FROM names an image.
///
/// A FROM with a variable keeps it where only literal text around it changes; otherwise the default of the ARG is
/// changed, if nothing else reads that ARG.
///
/// # Errors
/// When the stage starts from another stage or from Windows, when a digest pins the image, when a stage has the new
/// name, or when the variable is not a plain ARG used once.
pub(crate) fn replace_base(
    ctx: &Ctx<'_>,
    stage: &Stage,
    reference: &str,
) -> Result<Vec<Edit>, Why> {
    if stage.windows {
        return Err(Why::new("Windows images are left alone", ""));
    }
    let from = ctx
        .model
        .instruction(stage.from)
        .as_from()
        .ok_or_else(|| Why::new("FROM has the wrong number of words", ""))?;
    let Base::Image { reference: old, .. } = &stage.base else {
        return Err(Why::new("it does not start from an image", ""));
    };
    if ImageRef::parse(old).digest.is_some() {
        return Err(digest());
    }
    let shadow = reference.to_lowercase();
    if ctx
        .model
        .stages
        .iter()
        .any(|other| other.index < stage.index && other.name.as_deref() == Some(&*shadow))
    {
        return Err(Why::new(
            format!("an earlier stage is called {reference}"),
            "rename that stage",
        ));
    }
    let written = &from.image.text;
    if written == old.as_bytes() {
        return Ok(vec![Edit::replace(from.image.span, reference)]);
    }
    let variable = SoleVariable::of(ctx, from.image).ok_or_else(complex_variable)?;
    if let Some(text) = variable.around(old, reference) {
        return Ok(vec![Edit::replace(from.image.span, text)]);
    }
    variable.default_edit(ctx, old, reference)
}

fn complex_variable() -> Why {
    Why::new(
        "FROM builds the image's name from variables",
        "write the smaller image into the ARG's default yourself",
    )
}

/// The only variable of a word, as `prefix${NAME}suffix`.
struct SoleVariable {
    name: String,
    prefix: String,
    /// `$NAME` or `${NAME}`.
    written: String,
    suffix: String,
}

impl SoleVariable {
    fn of(ctx: &Ctx<'_>, word: &Word) -> Option<Self> {
        let text = std::str::from_utf8(&word.text).ok()?;
        let names = references(&word.text, ctx.dockerfile.escape());
        let [name] = names.as_slice() else {
            return None;
        };
        if text.contains(['"', '\'', '\\', '`']) {
            return None;
        }
        let at = text.find('$')?;
        let rest = &text[at + 1..];
        let length = if rest.starts_with(&format!("{{{name}}}")) {
            name.len() + 3
        } else if rest.starts_with(name.as_str()) {
            name.len() + 1
        } else {
            return None;
        };
        let (written, suffix) = text[at..].split_at(length);
        (!suffix.contains('$')).then(|| Self {
            name: name.clone(),
            prefix: text[..at].to_owned(),
            written: written.to_owned(),
            suffix: suffix.to_owned(),
        })
    }

    /// The value that gave `expanded`.
    fn value<'t>(&self, expanded: &'t str) -> Option<&'t str> {
        expanded
            .strip_prefix(self.prefix.as_str())?
            .strip_suffix(self.suffix.as_str())
    }

    /// The word for `new` with the variable kept: its value stands in `new` at the same place, and is a version
    /// after the image's name or a registry before it, never the name.
    fn around(&self, old: &str, new: &str) -> Option<String> {
        let value = self.value(old)?;
        let name = self.prefix.rfind('/').map_or(0, |at| at + 1);
        let in_tag = self.prefix[name..].contains(':');
        let in_registry = self.suffix.contains('/');
        if value.is_empty() || !in_tag && !in_registry {
            return None;
        }
        let suffix = new
            .strip_prefix(self.prefix.as_str())?
            .strip_prefix(value)?;
        let separated = in_registry || suffix.is_empty() || suffix.starts_with('-');
        separated.then(|| format!("{}{}{suffix}", self.prefix, self.written))
    }

    /// The edit of the ARG's default.
    fn default_edit(&self, ctx: &Ctx<'_>, old: &str, new: &str) -> Result<Vec<Edit>, Why> {
        let value = self.value(old).ok_or_else(complex_variable)?;
        let new_value = new
            .strip_prefix(self.prefix.as_str())
            .and_then(|rest| rest.strip_suffix(self.suffix.as_str()))
            .filter(|value| !value.is_empty())
            .ok_or_else(complex_variable)?;
        let pair = self.only_pair(ctx).ok_or_else(|| {
            Why::new(
                format!(
                    "the ARG {} of its FROM is used in other places too",
                    self.name
                ),
                "write the smaller image into FROM yourself",
            )
        })?;
        let default = pair.value.as_ref().ok_or_else(complex_variable)?;
        let written = ctx.dockerfile.bytes(default.span);
        let inner = match written {
            [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
            plain => plain,
        };
        if inner != value.as_bytes() {
            return Err(complex_variable());
        }
        let quotes = (written.len() - inner.len()) / 2;
        let span = Span::new(default.span.start + quotes, default.span.end - quotes);
        Ok(vec![Edit::replace(span, new_value)])
    }

    /// The ARG before the first FROM, if this FROM is the only thing that reads it.
    fn only_pair<'t>(&self, ctx: &Ctx<'t>) -> Option<&'t Pair> {
        let escape = ctx.dockerfile.escape();
        let mut declared: Option<&Pair> = None;
        let mut uses = 0;
        for instruction in ctx.dockerfile.instructions() {
            if instruction.keyword == Keyword::From {
                let from = instruction.as_from()?;
                let mut texts = vec![from.image.text.as_slice()];
                texts.extend(from.platform);
                uses += texts
                    .into_iter()
                    .flat_map(|text| references(text, escape))
                    .filter(|name| *name == self.name)
                    .count();
                continue;
            }
            for pair in instruction.pairs() {
                if pair
                    .value
                    .as_ref()
                    .is_some_and(|value| references(&value.text, escape).contains(&self.name))
                {
                    return None;
                }
                if instruction.keyword == Keyword::Arg && pair.name.text == self.name.as_bytes() {
                    if declared.is_some() {
                        return None;
                    }
                    declared = Some(pair);
                }
            }
        }
        declared.filter(|_| uses == 1)
    }
}
