//! What a pull request and its commit say.

use std::path::Path;

use serde::Serialize;

use crate::cli::session::Planned;
use crate::report::diff::{Destination, FileDiff, unified};
use crate::report::{Paint, printable};
use crate::template::{self, Template};

/// GitHub takes 65,536 characters; the rest is for what the bot remembers and for people who add to it.
const LONGEST: usize = 60_000;

#[derive(Serialize)]
struct Values {
    lead: String,
    report: String,
}

/// The paragraphs of the commit: one line for each file.
pub(super) fn message(sections: &[(String, &Planned)]) -> String {
    let mut text = String::new();
    for (path, planned) in sections.iter().take(50) {
        let mut rules: Vec<&str> = Vec::new();
        for rewrite in &planned.plan.rewrites {
            if !rules.contains(&rewrite.rule.name) {
                rules.push(rewrite.rule.name);
            }
        }
        text.push_str(&format!("{}: {}\n", printable(path.as_bytes()), rules.join(", ")));
    }
    text
}

/// The text of the pull request. Names of the checkout's `folder` do not appear in it: every run has another one.
pub(super) fn text(sections: &[(String, &Planned)], folder: &Path) -> String {
    let files = match sections.len() {
        1 => "one Dockerfile".to_owned(),
        count => format!("{count} Dockerfiles"),
    };
    let values = Values {
        lead: format!("docker-diet made {files} leaner."),
        report: report(sections, folder),
    };
    template::render(Template::PullRequest, &values)
        .unwrap_or_else(|_| format!("{}\n\n{}", values.lead, values.report))
}

fn report(sections: &[(String, &Planned)], _folder: &Path) -> String {
    let mut out = String::new();
    for (path, planned) in sections {
        let mut diff = Vec::new();
        let file = FileDiff {
            path: Path::new(path),
            before: Some(&planned.source),
            after: &planned.plan.result,
        };
        unified(&mut diff, &file, Destination::Terminal, Paint::default());
        let diff = String::from_utf8_lossy(&diff);
        if out.len() + diff.len() > LONGEST {
            continue;
        }
        out.push_str(&format!("`````diff\n{diff}`````\n"));
    }
    out
}
