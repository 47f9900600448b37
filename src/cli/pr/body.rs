//! What a pull request and its commit say.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::propose::Judged;
use crate::pipeline::Plan;
use crate::report::comment::{self, Section};
use crate::report::{FileReport, Located, Tense, Totals, printable};
use crate::template::{self, Template};

/// Bytes that the report may have. GitHub takes 65,536 characters; the rest is for the frame, for what the bot
/// remembers, and for people who add to it.
const LONGEST: usize = 60_000;
/// More files are not named in a commit's message.
const MOST_NAMED: usize = 50;

#[derive(Serialize)]
struct Values {
    lead: String,
    report: String,
}

/// The paragraphs of the commit: one line for each file.
pub(super) fn message(sections: &[(String, &Judged)]) -> String {
    let mut text = String::new();
    for (path, Judged { planned, .. }) in sections.iter().take(MOST_NAMED) {
        let mut rules: Vec<&str> = Vec::new();
        for rewrite in &planned.plan.rewrites {
            if !rules.contains(&rewrite.rule.name) {
                rules.push(rewrite.rule.name);
            }
        }
        let path = printable(path.as_bytes());
        text.push_str(&format!("- {path}: {}\n", rules.join(", ")));
    }
    if sections.len() > MOST_NAMED {
        text.push_str(&format!("- and {} more\n", sections.len() - MOST_NAMED));
    }
    text
}

/// The text of the pull request. The name of the checkout's `folder` does not appear in it: every run has another one.
pub(super) fn text(
    sections: &[(String, &Judged)],
    folder: &Path,
    inside: &dyn Fn(&Path) -> String,
) -> String {
    let mut totals = Totals::default();
    let mut rendered = Vec::new();
    for (path, Judged { planned, measured }) in sections {
        let plan = without_folder(&planned.plan, folder);
        totals.add(&plan);
        let path = PathBuf::from(path);
        let ignore = plan.ignore_file.as_ref();
        let ignore = ignore.map(|file| PathBuf::from(inside(&planned.context.join(&file.path))));
        let located = Located {
            report: FileReport {
                path: &path,
                plan: &plan,
                error: None,
            },
            path: &path,
            ignore_path: ignore.as_deref(),
            source: &planned.source,
        };
        rendered.extend(Section::new(&located, measured.as_ref()));
    }
    let values = Values {
        lead: format!("docker-diet: {}.", totals.line(Tense::Possible)),
        report: comment::body(rendered, LONGEST),
    };
    template::render(Template::PullRequest, &values)
        .unwrap_or_else(|_| format!("{}\n\n{}", values.lead, values.report))
}

/// Notes name contexts and files as the walk found them.
fn without_folder(plan: &Plan, folder: &Path) -> Plan {
    let mut plan = plan.clone();
    let folder = folder.display().to_string();
    for note in &mut plan.notes {
        *note = note
            .replace(&format!("{folder}/"), "")
            .replace(&folder, ".");
    }
    plan
}
