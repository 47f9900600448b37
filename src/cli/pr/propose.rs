//! From the plans of a checkout to proposals: what each pull request would hold.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::Result;

use super::args::{Per, PrArgs};
use super::body;
use super::settings::PullSettings;
use super::verify::{self, Checked};
use crate::cli::args::{Format, Input};
use crate::cli::rendering::Style;
use crate::cli::session::{Action, Planned, Session};
use crate::forge::{FileChange, Proposal};
use crate::report::comment::Measured;
use crate::text::fnv1a;

/// The most files that the name of a branch or a title speaks of.
const LONGEST_SLUG: usize = 60;

/// What was found in a checkout.
#[derive(Default)]
pub(super) struct Found {
    pub(super) proposals: Vec<Proposal>,
    /// Dockerfiles that were judged.
    pub(super) dockerfiles: usize,
    /// Rewrites of all proposals.
    pub(super) rewrites: usize,
    /// Why a Dockerfile was not judged.
    pub(super) errors: Vec<String>,
}

/// A Dockerfile, its plan, and what was measured of it.
pub(super) struct Judged {
    pub(super) planned: Planned,
    pub(super) measured: Option<Measured>,
}

/// Judges the Dockerfiles in `folder` and divides what comes out into proposals.
pub(super) fn propose(
    args: &PrArgs,
    folder: &Path,
    prefix: &str,
    settings: &PullSettings,
) -> Result<Found> {
    let input = input(args, folder);
    let mut found = Found::default();
    let alone = settings.per == Per::Dockerfile;
    let whole = plans(args, folder, &input, alone, &mut found)?;
    found.dockerfiles = whole.len();
    let changed = || {
        let all = whole.iter();
        all.filter(|it| it.planned.plan.changes_anything())
    };
    found.rewrites = changed().map(|it| it.planned.plan.rewrites.len()).sum();
    let maker = Maker {
        folder,
        prefix,
        settings,
    };
    let proposals = match settings.per {
        Per::Repository => {
            vec![maker.proposal("lean", "build(docker): put the image on a diet", &whole)]
        }
        Per::Dockerfile => changed()
            .map(|judged| {
                let path = maker.inside(&judged.planned.path);
                let title = format!("build(docker): put {} on a diet", shown(&path));
                maker.proposal(&slug(&path), &title, std::slice::from_ref(judged))
            })
            .collect(),
        Per::Rule => {
            let mut rules: Vec<&'static str> = Vec::new();
            for rewrite in changed().flat_map(|it| &it.planned.plan.rewrites) {
                if !rules.contains(&rewrite.rule.name) {
                    rules.push(rewrite.rule.name);
                }
            }
            let mut proposals = Vec::new();
            for rule in rules {
                let mut input = self::input(args, folder);
                input.judgement.only = vec![rule.to_owned()];
                let plans = plans(args, folder, &input, false, &mut found)?;
                let title = format!("build(docker): {rule}");
                proposals.push(maker.proposal(rule, &title, &plans));
            }
            proposals
        }
    };
    found.proposals = proposals.into_iter().flatten().collect();
    Ok(found)
}

fn plans(
    args: &PrArgs,
    folder: &Path,
    input: &Input,
    alone: bool,
    found: &mut Found,
) -> Result<Vec<Judged>> {
    let style = Style {
        format: Format::Text,
        action: Action::Diff,
        statistics: false,
    };
    let session = Session::new(input, style)?;
    let (plans, mut errors) = session.plans(alone)?;
    let mut judged = Vec::new();
    for planned in plans {
        if planned.path.to_str().is_none() {
            let path = planned.path.display();
            errors.push(format!("{path} is left alone: its name is not UTF-8"));
            continue;
        }
        let checked = match planned.plan.changes_anything() {
            true => verify::check(args, folder, &planned)?,
            false => Checked::NotAsked,
        };
        let measured = match checked {
            Checked::NotAsked => None,
            Checked::Holds(measured) => Some(measured),
            Checked::Fails(why) => {
                errors.push(format!("{} is not proposed: {why}", planned.path.display()));
                continue;
            }
        };
        judged.push(Judged { planned, measured });
    }
    for error in errors {
        if !found.errors.contains(&error) {
            found.errors.push(error);
        }
    }
    Ok(judged)
}

fn input(args: &PrArgs, folder: &Path) -> Input {
    Input {
        paths: vec![folder.to_path_buf()],
        judgement: args.judgement.clone(),
        ..Input::default()
    }
}

struct Maker<'a> {
    folder: &'a Path,
    prefix: &'a str,
    settings: &'a PullSettings,
}

impl Maker<'_> {
    /// The proposal of these plans; none when they change nothing.
    fn proposal(&self, name: &str, title: &str, plans: &[Judged]) -> Option<Proposal> {
        let mut files: BTreeMap<String, FileChange> = BTreeMap::new();
        let mut names = Vec::new();
        let changed: Vec<&Judged> = plans
            .iter()
            .filter(|it| it.planned.plan.changes_anything())
            .collect();
        for Judged { planned, .. } in &changed {
            let path = self.inside(&planned.path);
            for rewrite in &planned.plan.rewrites {
                names.push(format!("{path}\0{}\n", rewrite.id));
            }
            if let Some(ignore) = &planned.plan.ignore_file {
                let path = self.inside(&planned.context.join(&ignore.path));
                for line in &ignore.added {
                    names.push(format!("{path}\0{}\n", line.pattern));
                }
                files.insert(
                    path.clone(),
                    FileChange {
                        path,
                        before: ignore.before.clone(),
                        after: ignore.after.clone(),
                    },
                );
            }
            if planned.plan.result != planned.source {
                files.insert(
                    path.clone(),
                    FileChange {
                        path,
                        before: Some(planned.source.clone()),
                        after: planned.plan.result.clone(),
                    },
                );
            }
        }
        if files.is_empty() {
            return None;
        }
        names.sort_unstable();
        let title = self.settings.title.as_deref().unwrap_or(title);
        let sections: Vec<(String, &Judged)> = changed
            .iter()
            .map(|judged| (self.inside(&judged.planned.path), *judged))
            .collect();
        Some(Proposal {
            branch: format!("{}/{name}", self.prefix),
            title: title.to_owned(),
            message: body::message(&sections),
            text: body::text(&sections, self.folder, &|path| self.inside(path)),
            plan: fnv1a(names.concat().as_bytes()),
            files: files.into_values().collect(),
        })
    }

    /// The path from the root of the repository, with `/`.
    fn inside(&self, path: &Path) -> String {
        // A context above the Dockerfile is named with `..`.
        let mut parts: Vec<String> = Vec::new();
        for part in path.strip_prefix(self.folder).unwrap_or(path).components() {
            match part {
                Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
                Component::ParentDir => {
                    parts.pop();
                }
                _ => {}
            }
        }
        parts.join("/")
    }
}

/// A path as the name of a branch: what a branch may hold, and a hash so that no two paths have one name.
fn slug(path: &str) -> String {
    let plain: String = path
        .chars()
        .map(|char| match char.is_ascii_alphanumeric() {
            true => char.to_ascii_lowercase(),
            false => '-',
        })
        .take(LONGEST_SLUG)
        .collect();
    let plain = plain.trim_matches('-');
    format!("{plain}-{:08x}", fnv1a(path.as_bytes()) & 0xffff_ffff)
        .trim_start_matches('-')
        .to_owned()
}

/// A path in a title.
fn shown(path: &str) -> String {
    let printable = crate::report::printable(path.as_bytes()).into_owned();
    match printable.chars().count() > LONGEST_SLUG {
        true => printable
            .rsplit('/')
            .next()
            .unwrap_or(&printable)
            .chars()
            .take(LONGEST_SLUG)
            .collect(),
        false => printable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_of_paths_are_names_and_differ() {
        for path in [
            "Dockerfile",
            "a b/-x.Dockerfile",
            "../..",
            "$(id)/Dockerfile",
            "é",
            "--upload-pack=x",
        ] {
            let slug = slug(path);
            assert!(
                crate::forge::checked(&format!("docker-diet/{slug}")).is_ok(),
                "{slug}"
            );
        }
        assert_ne!(slug("a/b"), slug("a-b"));
        assert_eq!(slug("api/Dockerfile"), slug("api/Dockerfile"));
    }
}
