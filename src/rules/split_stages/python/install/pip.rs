//! `pip install`, and `uv pip install`: what it installs.

use super::super::super::Why;
use super::{Installs, Reading, Wanted};
use crate::catalog::WordSet;
use crate::model::PackageOperation;
use crate::model::path::resolve;
use crate::shell::Word;
use crate::stack::python::{Requirement, Requirements, normalise};
use crate::text::Edit;

/// Takes in one call; `uv` when it is uv's.
pub(super) fn install(
    installs: &mut Installs,
    reading: &mut Reading<'_, '_>,
    operation: &PackageOperation<'_>,
    uv: bool,
) -> Result<(), Why> {
    let catalog = reading.anatomy.ctx.catalog;
    let words = after_verb(operation);
    let mut tools = 0;
    let mut others = 0;
    let mut compiled = Vec::new();
    let first = installs.wanted.len();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let Some(text) = word
            .literal
            .as_deref()
            .and_then(|text| std::str::from_utf8(text).ok())
        else {
            return Err(variable(reading));
        };
        if !text.starts_with('-') {
            let requirement = package(installs, reading, text)?;
            match requirement.map(|requirement| requirement.name) {
                Some(name) if catalog.has_word(WordSet::PythonBuildTools, &name) => {
                    installs.tools.insert(name);
                    tools += 1;
                }
                Some(name) if catalog.has_word(WordSet::PythonSeedPackages, &name) => {}
                _ => others += 1,
            }
            continue;
        }
        let (flag, mut value) = match text.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None if text.starts_with("-r") && text.len() > 2 => ("-r", Some(text[2..].to_owned())),
            None => (text, None),
        };
        let takes_value = operation
            .manager
            .value_flags
            .get()
            .iter()
            .any(|known| *known == flag);
        if takes_value && value.is_none() {
            let next = words.get(at).and_then(|word| word.literal.as_deref());
            at += 1;
            value = match next.map(|next| String::from_utf8_lossy(next).into_owned()) {
                Some(next) => Some(next),
                // The value of another flag than these does not decide what is installed.
                None if matches!(
                    flag,
                    "-r" | "--requirement" | "--requirements" | "-e" | "--editable" | "--no-binary"
                ) =>
                {
                    return Err(variable(reading));
                }
                None => None,
            };
        }
        match flag {
            "-r" | "--requirement" | "--requirements" => {
                others += 1;
                file(installs, reading, value.as_deref().unwrap_or_default())?;
            }
            "-e" | "--editable" => return Err(editable(reading)),
            "--no-binary" => compiled.extend(value),
            "--user" | "-t" | "--target" | "--prefix" | "--root" | "--python" => {
                return Err(Why::new(
                    reading.index,
                    format!(
                        "line {} installs with `{flag}` to a place of its own",
                        reading.line
                    ),
                    format!("take `{flag}` away"),
                ));
            }
            "--no-build-isolation" | "--global-option" | "--install-option" => {
                return Err(Why::new(
                    reading.index,
                    format!(
                        "line {} installs with `{flag}`, so what is compiled depends on the image",
                        reading.line
                    ),
                    format!("take `{flag}` away"),
                ));
            }
            "--system" if uv => {
                let mut span = word.span;
                // With the blank before it.
                span.start -= 1;
                installs.edits.push(Edit::delete(span));
            }
            _ => {}
        }
    }
    for names in &compiled {
        for wanted in &mut installs.wanted[first..] {
            wanted.compiled |= names
                .split(',')
                .any(|name| name == ":all:" || normalise(name) == wanted.name);
        }
    }
    if tools > 0 && others > 0 {
        return Err(Why::new(
            reading.index,
            format!(
                "line {} installs tools of the build and packages of the application together",
                reading.line
            ),
            "install them in two commands",
        ));
    }
    reading.has_tools |= tools > 0;
    reading.project |= others > 0;
    if tools > 0 {
        let at = operation.program.span.start;
        reading.tools.push(Edit::insert(at, "/usr/local/bin/"));
    }
    if tools == 0 && others == 0 {
        // `pip install --upgrade pip` serves the installs that follow.
        reading.has_neutral = true;
    }
    Ok(())
}

fn after_verb<'a>(operation: &PackageOperation<'a>) -> &'a [Word] {
    let words = &operation.simple.words;
    let start = operation
        .verb_word
        .and_then(|verb| words.iter().position(|word| word.span == verb.span))
        .map_or(words.len(), |at| at + 1);
    &words[start..]
}

/// A requirement that is written out; none for a path of the project itself.
fn package(
    installs: &mut Installs,
    reading: &Reading<'_, '_>,
    text: &str,
) -> Result<Option<Requirement>, Why> {
    let is_path = text.starts_with(['.', '/']) && !text.contains("://") || text.ends_with(".whl");
    if is_path {
        let path = text.split('[').next().unwrap_or(text);
        super::projects::local(installs, reading, path, text.contains('['))?;
        return Ok(None);
    }
    let Some(requirement) = Requirement::parse(text) else {
        return Err(Why::new(
            reading.index,
            format!(
                "line {} installs `{text}`, which is not understood",
                reading.line
            ),
            "",
        ));
    };
    let catalog = reading.anatomy.ctx.catalog;
    if !catalog.has_word(WordSet::PythonBuildTools, &requirement.name)
        && !catalog.has_word(WordSet::PythonSeedPackages, &requirement.name)
    {
        installs
            .wanted
            .push(Wanted::of(&requirement, reading.index));
    }
    Ok(Some(requirement))
}

/// A requirement file, at `path` in the image.
fn file(installs: &mut Installs, reading: &Reading<'_, '_>, path: &str) -> Result<(), Why> {
    let found = reading.in_context(path);
    let (Some(context), Some(found)) = (reading.anatomy.ctx.context, found) else {
        return Err(Why::new(
            reading.index,
            format!(
                "line {} installs from `{path}`, which is not in the build context",
                reading.line
            ),
            "",
        ));
    };
    let requirements = Requirements::read(context, &found, &mut Vec::new());
    if let Some(unknown) = requirements.unknown.first() {
        return Err(Why::new(
            reading.index,
            format!("`{found}` holds `{unknown}`, which is not understood"),
            "",
        ));
    }
    if let Some(path) = requirements
        .editables
        .first()
        .or(requirements.local_paths.first())
    {
        return Err(Why::new(
            reading.index,
            format!("`{found}` installs `{path}` from the sources"),
            "install it by its name, or with a `pip install` of its own",
        ));
    }
    let builds = ["--no-binary", "--global-option", "--install-option"];
    if let Some(option) = requirements
        .options
        .iter()
        .find(|option| builds.iter().any(|name| option.starts_with(name)))
    {
        return Err(Why::new(
            reading.index,
            format!(
                "`{found}` says `{option}`, so packages are compiled against libraries of the image"
            ),
            "let pip take wheels",
        ));
    }
    for requirement in &requirements.requirements {
        installs.wanted.push(Wanted::of(requirement, reading.index));
    }
    Ok(())
}

fn variable(reading: &Reading<'_, '_>) -> Why {
    Why::new(
        reading.index,
        format!("line {} installs what a variable names", reading.line),
        "write it out",
    )
}

pub(super) fn editable(reading: &Reading<'_, '_>) -> Why {
    Why::new(
        reading.index,
        format!(
            "line {} installs in editable form: the environment would point back to the sources",
            reading.line
        ),
        "install without `-e`",
    )
}

impl Reading<'_, '_> {
    /// The path in the context of what the image holds at `path`, as this RUN sees it.
    pub(super) fn in_context(&self, path: &str) -> Option<String> {
        let full = resolve(self.folder.as_deref()?, path);
        let mounted = self
            .anatomy
            .ctx
            .model
            .instruction(self.index)
            .mounts()
            .into_iter()
            .filter(|mount| mount.kind == "bind")
            .find_map(|mount| {
                let option = |names: &[&str]| {
                    mount
                        .options
                        .iter()
                        .find(|(name, _)| names.contains(&name.as_str()))
                        .and_then(|(_, value)| value.clone())
                };
                if option(&["from"]).is_some() {
                    return None;
                }
                let target = option(&["target", "dst", "destination"])?;
                let target = resolve(self.anatomy.workdir(self.index)?, &target);
                let source = option(&["source", "src"]).unwrap_or_default();
                let source = source.trim_start_matches("./").trim_matches('/').to_owned();
                let below = full.strip_prefix(&target)?;
                let found = format!("{}{below}", if source == "." { "" } else { &source });
                Some(found.trim_start_matches('/').to_owned())
            });
        mounted
            .filter(|path| {
                self.anatomy
                    .ctx
                    .context
                    .is_some_and(|context| context.has(path))
            })
            .or_else(|| self.anatomy.context_path(&full))
    }
}
