//! The documentation of a rule is run: the first block of its Example becomes the second.

#[path = "support/invariants.rs"]
mod invariants;
#[path = "support/settings.rs"]
mod settings;

use docker_diet::catalog::Catalog;
use docker_diet::context::Context;
use docker_diet::pipeline::plan;
use docker_diet::rules::{Level, RULES};

/// A fenced block of a documentation.
struct Block<'a> {
    language: &'a str,
    /// The second word of the opening fence: the block is a file of the build context.
    path: Option<&'a str>,
    text: String,
}

#[test]
fn every_example_does_what_it_says() {
    let catalog = Catalog::default();
    let mut wrong = Vec::new();
    for rule in RULES {
        let meta = rule.meta();
        let blocks = blocks(meta.documentation);
        let mut dockerfiles = blocks
            .iter()
            .filter(|block| block.language == "dockerfile" && block.path.is_none());
        let (Some(before), Some(after)) = (dockerfiles.next(), dockerfiles.next()) else {
            wrong.push(format!("{} has no example", meta.name));
            continue;
        };
        let (before, after) = (&before.text, &after.text);
        let files: Vec<_> = blocks
            .iter()
            .filter_map(|block| Some((block.path?, block.text.as_str())))
            .collect();
        let context = (!files.is_empty()).then(|| Context::in_memory(files));
        let mut chosen = settings::only(&[meta.name.to_owned()]);
        chosen.level = Level::Aggressive;
        let made = plan(before.as_bytes(), context.as_ref(), &catalog, &chosen, None);
        let result = String::from_utf8_lossy(&made.result);
        if result != *after {
            wrong.push(format!("{} gives\n{result}", meta.name));
        }
        let source = before.as_bytes();
        let broken = invariants::violations(source, &made, context.as_ref(), &catalog, &chosen);
        wrong.extend(
            broken
                .into_iter()
                .map(|why| format!("{}: {why}", meta.name)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_documentation_has_its_parts() {
    for rule in RULES {
        let meta = rule.meta();
        let summary = meta.documentation.lines().next().unwrap_or_default().trim();
        assert!(
            summary.ends_with('.'),
            "{}: the first line is no sentence",
            meta.name
        );
        for heading in ["## Why", "## Example", "## When not"] {
            assert!(
                meta.documentation
                    .lines()
                    .any(|line| line.trim() == heading),
                "{} lacks `{heading}`",
                meta.name
            );
        }
    }
}

fn blocks(documentation: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in documentation.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => {
                let mut words = info.split_whitespace();
                open = Some(Block {
                    language: words.next().unwrap_or_default(),
                    path: words.next(),
                    text: String::new(),
                });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}
