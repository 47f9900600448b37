//! Rules, explained from their own documentation.

use anstyle::Style;

use super::paint::{CAREFUL, FAINT, GOOD, HEADING, wrap};
use super::{Paint, markdown};
use crate::rules::{Level, RULES, RuleMeta};

/// The table of all rules for the README, Markdown.
#[must_use]
pub fn rule_table() -> String {
    let mut table = String::from("| rewrite | level | what it does |\n|---|---|---|\n");
    for rule in RULES {
        let meta = rule.meta();
        let summary = summary(meta).replace('|', "\\|");
        table.push_str(&format!(
            "| `{}` | {} | {summary} |\n",
            meta.name,
            meta.level.name()
        ));
    }
    table
}

/// Appends all rules in pipeline order, one a line.
pub fn list(out: &mut Vec<u8>, rules: &[&'static RuleMeta], paint: Paint) {
    let name_width = rules
        .iter()
        .map(|meta| meta.name.len())
        .max()
        .unwrap_or_default();
    let level_width = Level::Aggressive.name().len();
    let indent = name_width + level_width + 4;
    let room = paint
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(indent).max(24));
    for meta in rules {
        out.extend_from_slice(format!("{:<name_width$}  ", meta.name).as_bytes());
        paint.put(
            out,
            level_style(meta.level),
            &format!("{:<level_width$}", meta.level.name()),
        );
        out.extend_from_slice(b"  ");
        for (at, line) in wrap(&markdown::plain(summary(meta)), room)
            .iter()
            .enumerate()
        {
            if at > 0 {
                out.extend(std::iter::repeat_n(b' ', indent));
            }
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
    }
}

/// Appends everything that is known about one rule.
pub fn rule(out: &mut Vec<u8>, meta: &RuleMeta, paint: Paint) {
    paint.put(out, HEADING, meta.name);
    out.extend_from_slice(b"  ");
    paint.put(out, level_style(meta.level), meta.level.name());
    if !meta.hadolint.is_empty() {
        paint.put(
            out,
            FAINT,
            &format!("  hadolint {}", meta.hadolint.join(", ")),
        );
    }
    out.extend_from_slice(b"\n\n");
    markdown::render(out, meta.documentation, paint);
    out.push(b'\n');
    paint.put(
        out,
        FAINT,
        &format!(
            "switch it off above an instruction: # docker-diet: ignore={}",
            meta.name
        ),
    );
    out.push(b'\n');
}

/// The first line of the documentation.
pub(super) fn summary(meta: &RuleMeta) -> &str {
    meta.documentation
        .trim_start()
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Safe => GOOD,
        Level::Standard => Style::new(),
        Level::Aggressive => CAREFUL,
    }
}
