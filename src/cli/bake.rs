//! Bake files, JSON and the plain part of HCL: which images they build.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::builds::{Build, Described, clean, is_remote};

/// One `target` block; what is not written is inherited.
#[derive(Clone, Debug, Default)]
struct Target {
    strings: BTreeMap<String, String>,
    inherits: Vec<String>,
    /// Keys whose value is no plain string.
    computed: Vec<String>,
}

/// Whether a file of this name is a Bake file by convention.
pub(super) fn is_bake_name(name: &str) -> bool {
    name.ends_with(".hcl") || name.starts_with("docker-bake") && name.ends_with(".json")
}

/// What `text`, a Bake file in `folder`, builds.
///
/// # Errors
/// Line, column (both from 1) and what is wrong there, for JSON.
pub(super) fn read(
    text: &[u8],
    json: bool,
    folder: &Path,
) -> Result<Described, (u64, u64, String)> {
    let targets = if json {
        of_json(text)?
    } else {
        of_hcl(&String::from_utf8_lossy(text))
    };
    let mut described = Described::default();
    if targets.is_empty() {
        described
            .notes
            .push("names no targets, so it builds nothing".to_owned());
    }
    for name in targets.keys() {
        match build(name, &targets, folder) {
            Ok(build) => described.builds.extend(build),
            Err(note) => described.notes.push(note),
        }
    }
    Ok(described)
}

fn build(
    name: &str,
    targets: &BTreeMap<String, Target>,
    folder: &Path,
) -> Result<Option<Build>, String> {
    let value = |key: &str| lookup(name, key, targets, 0);
    if value("dockerfile-inline")?.is_some() {
        return Err(format!(
            "target `{name}` has its Dockerfile inside the Bake file"
        ));
    }
    let context = value("context")?;
    let dockerfile = value("dockerfile")?;
    let stage = value("target")?;
    let inherited = targets
        .values()
        .any(|other| other.inherits.iter().any(|from| from == name));
    if inherited && context.is_none() && dockerfile.is_none() && stage.is_none() {
        // A block that only others build upon.
        return Ok(None);
    }
    let context = context.unwrap_or_else(|| ".".to_owned());
    if is_remote(&context) {
        return Err(format!(
            "target `{name}` builds the remote context {context}"
        ));
    }
    let context = clean(&folder.join(context));
    let mut build = Build {
        name: name.to_owned(),
        dockerfile: clean(&context.join(dockerfile.as_deref().unwrap_or("Dockerfile"))),
        context: Some(context),
        ..Build::default()
    };
    build.usage.targets.extend(stage);
    Ok(Some(build))
}

/// The string of `key`, inherited if need be: the last parent that has it wins.
fn lookup(
    name: &str,
    key: &str,
    targets: &BTreeMap<String, Target>,
    depth: usize,
) -> Result<Option<String>, String> {
    let Some(target) = targets.get(name).filter(|_| depth < 16) else {
        return Ok(None);
    };
    if target.computed.iter().any(|computed| computed == key) {
        return Err(format!("target `{name}`: its {key} is computed"));
    }
    if let Some(value) = target.strings.get(key) {
        return Ok(Some(value.clone()));
    }
    for parent in target.inherits.iter().rev() {
        if let Some(value) = lookup(parent, key, targets, depth + 1)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn of_json(text: &[u8]) -> Result<BTreeMap<String, Target>, (u64, u64, String)> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        let text = error.to_string();
        let end = text.rfind(" at line ").unwrap_or(text.len());
        (
            error.line() as u64,
            error.column() as u64,
            text[..end].to_owned(),
        )
    })?;
    let blocks = value.get("target").and_then(Value::as_object);
    let targets = blocks.into_iter().flatten().map(|(name, block)| {
        let mut target = Target::default();
        for (key, value) in block.as_object().into_iter().flatten() {
            match value {
                Value::String(text) if !text.contains("${") => {
                    target.strings.insert(key.clone(), text.clone());
                }
                Value::Array(items) if key == "inherits" => target
                    .inherits
                    .extend(items.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ => target.computed.push(key.clone()),
            }
        }
        (name.clone(), target)
    });
    Ok(targets.collect())
}

/// The `target "name" { … }` blocks, with the keys at their top that are strings or lists of strings.
fn of_hcl(text: &str) -> BTreeMap<String, Target> {
    let mut tokens = Tokens { rest: text };
    let mut targets = BTreeMap::new();
    let mut last = [Token::Symbol(' '), Token::Symbol(' ')];
    while let Some(token) = tokens.next() {
        if let (Token::Word("target"), Token::Text(name), Token::Symbol('{')) =
            (last[0], last[1], token)
        {
            targets.insert(name.to_owned(), block(&mut tokens));
            last = [Token::Symbol(' '); 2];
        } else {
            last = [last[1], token];
        }
    }
    targets
}

fn block(tokens: &mut Tokens<'_>) -> Target {
    let mut target = Target::default();
    let mut depth = 0_usize;
    let mut last = [Token::Symbol(' '), Token::Symbol(' ')];
    while let Some(token) = tokens.next() {
        match (last[0], last[1], token) {
            (Token::Word(key), Token::Symbol('='), Token::Text(text)) if depth == 0 => {
                if text.contains("${") {
                    target.computed.push(key.to_owned());
                } else {
                    target.strings.insert(key.to_owned(), text.to_owned());
                }
            }
            (Token::Word("inherits"), Token::Symbol('='), Token::Symbol('[')) if depth == 0 => {
                for token in tokens.by_ref() {
                    match token {
                        Token::Text(text) => target.inherits.push(text.to_owned()),
                        Token::Symbol(']') => break,
                        _ => {}
                    }
                }
            }
            (_, _, Token::Symbol('}')) if depth == 0 => break,
            (Token::Word(key), Token::Symbol('='), Token::Word(_)) if depth == 0 => {
                target.computed.push(key.to_owned());
            }
            (_, _, Token::Symbol('{' | '[' | '(')) => depth += 1,
            (_, _, Token::Symbol('}' | ']' | ')')) => depth = depth.saturating_sub(1),
            _ => {}
        }
        last = [last[1], token];
    }
    target
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// Between double quotes, as written.
    Text(&'a str),
    Symbol(char),
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if self.rest.starts_with("/*") {
                self.rest = self.rest.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                break;
            }
        }
        let first = self.rest.chars().next()?;
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
        let (token, length) = if first == '"' {
            let mut escaped = false;
            let end = self.rest[1..].find(|letter| {
                let end = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                end
            });
            let end = end.map_or(self.rest.len(), |end| end + 1);
            (
                Token::Text(&self.rest[1..end]),
                (end + 1).min(self.rest.len()),
            )
        } else if is_word(first) {
            let end = self
                .rest
                .find(|letter| !is_word(letter))
                .unwrap_or(self.rest.len());
            (Token::Word(&self.rest[..end]), end)
        } else {
            (Token::Symbol(first), first.len_utf8())
        };
        self.rest = &self.rest[length..];
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hcl_blocks_become_builds() {
        let text = r#"
            variable "TAG" { default = "x" }
            group "default" { targets = ["api", "web"] }
            target "base" { args = { context = "no" } }
            target "api" {
              inherits = ["base"]   # a comment
              context = "./api"
              target = "run"
              tags = ["a:${TAG}", "b"]
            }
            target "web" { inherits = ["api"]  dockerfile = "web.Dockerfile" }
            target "open" { context = "${WHERE}" }
        "#;
        let read = read(text.as_bytes(), false, Path::new(".")).expect("HCL never fails");
        let seen: Vec<_> = read
            .builds
            .iter()
            .map(|build| {
                (
                    build.name.as_str(),
                    build.dockerfile.to_string_lossy(),
                    &build.usage.targets,
                )
            })
            .collect();
        let run = vec!["run".to_owned()];
        assert_eq!(
            seen,
            [
                ("api", "api/Dockerfile".into(), &run),
                ("web", "api/web.Dockerfile".into(), &run),
            ]
        );
        assert_eq!(read.notes, ["target `open`: its context is computed"]);
    }

    #[test]
    fn hcl_that_ends_early_is_no_trouble() {
        for text in [
            "target \"a",
            "target \"a\" {",
            "target \"a\" { x = [\"",
            "/* \"",
            "\"",
        ] {
            let _ = read(text.as_bytes(), false, Path::new("."));
        }
    }

    #[test]
    fn json_says_where_it_is_broken() {
        let text = br#"{"target": {"a": {"context": "x", "target": "t"}}}"#;
        let known = read(text, true, Path::new("dir")).expect("it is valid");
        assert_eq!(known.builds[0].dockerfile, Path::new("dir/x/Dockerfile"));
        let (line, column, _) =
            read(b"{\n  \"target\": }", true, Path::new(".")).expect_err("broken");
        assert_eq!((line, column), (2, 13));
    }
}
