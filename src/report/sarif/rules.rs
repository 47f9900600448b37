//! The rules as SARIF describes them, from their own documentation.

use serde_json::{Value, json};

use crate::report::explain::summary;
use crate::report::{Paint, markdown};
use crate::rules::{Level, RULES, RuleMeta};

/// The place of `rule` among [`descriptors`].
pub(super) fn index(rule: &RuleMeta) -> Option<usize> {
    RULES
        .iter()
        .position(|known| known.meta().name == rule.name)
}

/// All rules, in pipeline order.
pub(super) fn descriptors() -> Vec<Value> {
    RULES.iter().map(|rule| descriptor(rule.meta())).collect()
}

fn descriptor(meta: &RuleMeta) -> Value {
    let summary = summary(meta);
    json!({
        "id": meta.name,
        "name": camel_case(meta.name),
        "shortDescription": {"text": markdown::plain(summary), "markdown": summary},
        "fullDescription": {"text": markdown::plain(summary), "markdown": summary},
        "help": {"text": help_text(meta), "markdown": help_markdown(meta)},
        "defaultConfiguration": {
            "enabled": meta.level <= Level::Standard,
            "level": "warning",
        },
        "properties": {
            "level": meta.level.name(),
            "precision": precision(meta.level),
            "problem.severity": "recommendation",
            "tags": tags(meta),
        },
    })
}

/// How sure a rewrite of this level is, in the words of code scanning.
fn precision(level: Level) -> &'static str {
    match level {
        Level::Safe => "very-high",
        Level::Standard => "high",
        Level::Aggressive => "medium",
    }
}

fn tags(meta: &RuleMeta) -> Vec<String> {
    let hadolint = meta.hadolint.iter().map(|code| format!("hadolint/{code}"));
    ["dockerfile".to_owned(), "maintainability".to_owned()]
        .into_iter()
        .chain(hadolint)
        .collect()
}

fn help_text(meta: &RuleMeta) -> String {
    let mut text = Vec::new();
    markdown::render(&mut text, meta.documentation, Paint::default());
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn help_markdown(meta: &RuleMeta) -> String {
    let mut text = String::new();
    for line in meta.documentation.lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    text.push_str(&format!(
        "\nSwitch it off above an instruction: `# docker-diet: ignore={}`\n",
        meta.name
    ));
    text
}

/// `clean-package-lists` as `CleanPackageLists`.
fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split('-') {
        let mut chars = word.chars();
        out.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        out.extend(chars);
    }
    out
}
