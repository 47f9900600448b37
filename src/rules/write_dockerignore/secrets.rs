//! Environment files and private keys: reported, and left out only where nothing seems to read them.

use crate::catalog::{Catalog, IgnoreKind, WordSet};
use crate::context::Context;
use crate::rules::context_texts::ContextTexts;
use crate::rules::{Ctx, Finding, IgnoreLine, Proposal};

use super::Found;

/// Findings for what a broad copy brings into an image that ships; the lines that are safe go to `lines`.
pub(super) fn report(
    ctx: &Ctx<'_>,
    found: &Found<'_>,
    lines: &mut Vec<IgnoreLine>,
) -> Vec<Proposal> {
    let secrets: Vec<(&str, &str, &str)> = found
        .hits
        .iter()
        .filter(|(row, _)| row.kind == IgnoreKind::Secret)
        .flat_map(|(row, paths)| {
            paths
                .iter()
                .map(|path| (row.pattern.get(), row.reason.get(), path.as_str()))
        })
        .filter(|(_, _, path)| is_secret(found.context, path))
        .collect();
    if secrets.is_empty() || !found.broad {
        return Vec::new();
    }
    let sources = Sources::read(found, &secrets);
    let mut proposals = Vec::new();
    for (_, reason, path) in &secrets {
        let may_be_read = sources.may_read(ctx.catalog, path);
        // The exact path: a `*.pem` beside it may be a certificate that the program needs.
        if !may_be_read && found.is_safe(path) {
            lines.push(IgnoreLine {
                pattern: (*path).to_owned(),
                reason: format!("{reason} has no place in an image, and nothing seems to read it"),
            });
            continue;
        }
        let Some(anchor) = shipped_by(ctx, found, path) else {
            continue;
        };
        proposals.push(Proposal::Finding(Finding {
            anchor,
            message: format!("`{path}`, {reason}, goes into the image: whoever has the image can read it"),
            remedy: match may_be_read {
                true => "give it when the container starts (`docker run --env-file`, a secret), and ignore the file".to_owned(),
                false => String::new(),
            },
        }));
    }
    proposals
}

/// Whether the file holds something that is not for everyone: values, or a private key.
fn is_secret(context: &Context, path: &str) -> bool {
    let Some(text) = context.read_str(path) else {
        return false;
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.starts_with(".env") {
        return text.lines().any(|line| {
            line.split_once('=').is_some_and(|(key, value)| {
                !key.trim_start().starts_with('#') && !value.trim().is_empty()
            })
        });
    }
    text.contains("PRIVATE KEY-----")
}

/// The instruction of a stage that ships and copies the folder with `path`.
fn shipped_by(ctx: &Ctx<'_>, found: &Found<'_>, path: &str) -> Option<usize> {
    found.uses.files[0]
        .sources
        .iter()
        .filter(|source| source.path.is_empty() || path.starts_with(&format!("{}/", source.path)))
        .map(|source| source.instruction)
        .find(|index| ctx.model.stage_of(*index).is_some_and(|stage| stage.ships))
}

/// The texts of the project, as far as they are looked at.
struct Sources {
    texts: Vec<String>,
    complete: bool,
}

impl Sources {
    fn read(found: &Found<'_>, secrets: &[(&str, &str, &str)]) -> Self {
        let mut sources = Self {
            texts: found
                .uses
                .files
                .iter()
                .flat_map(|file| file.runs.iter().cloned())
                .chain([String::from_utf8_lossy(found.ctx.dockerfile.source()).into_owned()])
                .chain(found.ctx.settings.usage.commands.iter().cloned())
                .collect(),
            complete: !found.context.truncated(),
        };
        let is_secret = |path: &str| secrets.iter().any(|(_, _, secret)| *secret == path);
        let read = ContextTexts::read(found.ctx.catalog, found.context, is_secret);
        sources.complete &= read.complete;
        sources.texts.extend(read.texts);
        sources
    }

    /// Whether something names the file, or loads files of its kind.
    fn may_read(&self, catalog: &Catalog, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
        let ending = format!(".{ending}");
        !self.complete
            || self.texts.iter().any(|text| {
                // `process.env` is no mention of the file.
                name != ".env" && text.contains(name)
                    || match name.starts_with(".env") {
                        true => catalog.word_in(WordSet::EnvFileLoaders, text).is_some(),
                        false => text.contains(&ending),
                    }
            })
    }
}
