mod text;

use std::cell::OnceCell;

use crate::model::{PackageOperation, Stage, Verb};
use crate::rules::declare::declare_rule;
use crate::rules::run_files::{RunFiles, is_apt};
use crate::rules::run_join::{Body, Wrap};
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::{Instruction, Keyword};

use text::{Style, comments_between, edits};

declare_rule! {
    /// Merges neighbouring RUNs where one layer would keep what the next deletes.
    ///
    /// ## Why
    /// A file that a later RUN deletes still ships in the layer that wrote it. Two runs of one package manager keep its
    /// database twice. Elsewhere layers cost nothing and serve the cache: they stay.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:13-slim
    /// RUN curl -fsSLO https://example.org/tool.tar.gz
    /// RUN cd /opt && tar -xzf /tool.tar.gz
    /// RUN rm /tool.tar.gz
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM debian:13-slim
    /// RUN curl -fsSLO https://example.org/tool.tar.gz \
    ///     && ( cd /opt && tar -xzf /tool.tar.gz ) \
    ///     && rm /tool.tar.gz
    /// ```
    /// What would stay in the shell (a folder, a variable, an option) ends with a subshell; a list with `;` or `||` gets braces.
    ///
    /// ## When not
    /// The stage does not ship; the flags differ; a text leaves a process behind, sets a trap, relies on `set -e`, replaces
    /// the shell or its own package manager, or holds a shell comment or a heredoc where `&&` must follow.
    pub(crate) MergeRuns { name: "merge-runs", level: Safe, hadolint: ["DL3059"] }
}

impl Rule for MergeRuns {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let mut style = None;
        for stage in ctx.model.stages.iter().filter(|stage| stage.ships) {
            for members in neighbours(ctx, stage) {
                proposals.extend(Group::new(ctx, members).proposals(&mut style));
            }
        }
        proposals
    }
}

/// Runs of RUN with nothing but comments and blank lines between them; at least two each.
fn neighbours(ctx: &Ctx<'_>, stage: &Stage) -> Vec<Vec<usize>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for index in stage.body.clone() {
        if ctx.model.instruction(index).keyword == Keyword::Run {
            group.push(index);
            continue;
        }
        groups.push(std::mem::take(&mut group));
    }
    groups.push(group);
    groups.retain(|group| group.len() > 1);
    groups
}

/// Most commands in a RUN that a merge for the sake of a deletion makes: what lies between loses its place in the
/// build cache. Commands are counted, not RUNs, so that a merge never brings another one within reach.
const MOST_COMMANDS: usize = 24;

/// A group of neighbours, and what is known of each member.
struct Group<'a> {
    ctx: &'a Ctx<'a>,
    members: Vec<usize>,
    files: Vec<RunFiles>,
    operations: Vec<Vec<PackageOperation<'a>>>,
    /// How many commands each runs.
    commands: Vec<usize>,
    /// What is known of each, once it was asked: whether it only works with packages, what stands against merging it
    /// as any but the last and as the last, and whether a comment above it speaks to a linter.
    asked: Vec<Asked>,
}

#[derive(Default)]
struct Asked {
    only_packages: OnceCell<bool>,
    before_and: OnceCell<Result<(), String>>,
    after_and: OnceCell<Result<(), String>>,
    has_pragma: OnceCell<bool>,
}

/// Members of a group, by position, whose merge saves bytes, and why.
#[derive(Clone)]
struct Link {
    first: usize,
    last: usize,
    reason: String,
}

impl<'a> Group<'a> {
    fn new(ctx: &'a Ctx<'a>, members: Vec<usize>) -> Self {
        let of = |index: &usize| RunFiles::of(ctx.model, *index);
        Self {
            ctx,
            files: members.iter().map(of).collect(),
            commands: members.iter().map(|index| commands(ctx, *index)).collect(),
            operations: members
                .iter()
                .map(|index| ctx.model.operations(*index))
                .collect(),
            asked: members.iter().map(|_| Asked::default()).collect(),
            members,
        }
    }

    fn line(&self, at: usize) -> usize {
        self.ctx.model.instruction(self.members[at]).lines.0
    }

    /// Pairs of which the later one deletes or removes what the earlier one made.
    fn undone(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for last in 1..self.members.len() {
            if !self.takes_away(last) {
                continue;
            }
            let mut commands = self.commands[last];
            let reach = self.commands[..last].iter().rev().take_while(|count| {
                commands += **count;
                commands <= MOST_COMMANDS
            });
            for first in last - reach.count()..last {
                let (early, late) = (self.line(first), self.line(last));
                let deleted = self.files[first]
                    .deleted_by(&self.files[last])
                    .filter(|path| !self.cleans_up_after_itself(last, path));
                let reason = if let Some(path) = deleted {
                    format!(
                        "line {late} deletes `{path}`, which line {early} wrote: in one layer it does not ship"
                    )
                } else if let Some(manager) =
                    removes(&self.operations[first], &self.operations[last])
                {
                    format!(
                        "line {late} removes with `{manager}` what line {early} installed: in one layer it does not ship"
                    )
                } else {
                    continue;
                };
                links.push(Link {
                    first,
                    last,
                    reason,
                });
            }
        }
        links
    }

    /// Whether the RUN at `at` deletes a file or removes a package.
    fn takes_away(&self, at: usize) -> bool {
        let mut operations = self.operations[at].iter();
        self.files[at].deletes() || operations.any(|operation| operation.verb == Verb::Remove)
    }

    /// Whether `path` belongs to a package manager that the RUN at `at` itself installs with: it deletes its own.
    fn cleans_up_after_itself(&self, at: usize, path: &str) -> bool {
        self.operations[at]
            .iter()
            .filter(|operation| {
                matches!(operation.verb, Verb::Install | Verb::Update | Verb::Upgrade)
            })
            .flat_map(|operation| {
                operation
                    .manager
                    .lists
                    .iter()
                    .chain(operation.manager.caches.iter())
            })
            .any(|folder| path.contains(folder.trim_start_matches('~')))
    }

    /// Whether the RUN at `at` does nothing but work with package managers and clean up after them: what else it
    /// did would lose its place in the build cache to the packages of its neighbour.
    fn only_packages(&self, at: usize) -> bool {
        *self.asked[at]
            .only_packages
            .get_or_init(|| self.works_with_packages(at))
    }

    fn works_with_packages(&self, at: usize) -> bool {
        const CLEANING: [&[u8]; 3] = [b"rm", b"set", b"true"];
        self.ctx
            .model
            .script(self.members[at])
            .is_some_and(|script| {
                script.invocations().iter().all(|invocation| {
                    invocation
                        .name()
                        .is_some_and(|name| CLEANING.contains(&name))
                        || self.operations[at]
                            .iter()
                            .any(|operation| std::ptr::eq(operation.simple, invocation.simple))
                })
            })
    }

    /// Two units side by side in which one package manager installs, and that do nothing else.
    fn twice(&self, earlier: &Link, later: &Link) -> Option<Link> {
        if !(earlier.first..=later.last).all(|at| self.only_packages(at)) {
            return None;
        }
        let one = &self.operations[earlier.first..=earlier.last];
        let other = &self.operations[later.first..=later.last];
        let manager = one
            .iter()
            .find_map(|one| other.iter().find_map(|other| runs_twice(one, other)))?;
        let reason = if earlier.reason.is_empty() {
            format!("`{manager}` runs once: two layers would each keep its database")
        } else {
            earlier.reason.clone()
        };
        Some(Link {
            first: earlier.first,
            last: later.last,
            reason,
        })
    }

    /// What is merged, and refusals for what is not.
    fn proposals(&self, style: &mut Option<Style<'a>>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let mut refused = Vec::new();
        let mut is_sound = |link: &Link, proposals: &mut Vec<Proposal>| {
            let members = &self.members[link.first..=link.last];
            let Err((at, reason)) = self.check(link.first, link.last) else {
                return true;
            };
            if !refused.contains(&at) {
                refused.push(at);
                proposals.push(refusal(self.ctx, at, members, &reason));
            }
            false
        };
        let mut segments = self.undone();
        segments.retain(|link| is_sound(link, &mut proposals));
        let mut units: Vec<Link> = Vec::new();
        for mut unit in united(segments, self.members.len()) {
            // What becomes longer may fit what stands before it now.
            while let Some(link) = units
                .last()
                .and_then(|before| self.twice(before, &unit))
                .filter(|link| is_sound(link, &mut proposals))
            {
                units.pop();
                unit = link;
            }
            units.push(unit);
        }
        for unit in units.into_iter().filter(|unit| unit.first < unit.last) {
            let members = &self.members[unit.first..=unit.last];
            let style = *style.get_or_insert_with(|| Style::of(self.ctx));
            proposals.push(match edits(self.ctx, members, style) {
                Some(edits) => Proposal::Rewrite(Rewrite {
                    anchor: members[0],
                    edits,
                    reason: unit.reason,
                    ..Rewrite::default()
                }),
                None => refusal(
                    self.ctx,
                    members[0],
                    members,
                    "cannot be continued on the next line",
                ),
            });
        }
        proposals
    }

    /// Whether the members from `first` to `last` may become one RUN; else the index of the one that stands against
    /// it, and why.
    fn check(&self, first: usize, last: usize) -> Result<(), (usize, String)> {
        let instruction = |at: usize| self.ctx.model.instruction(self.members[at]);
        let flags_of_first = flags(self.ctx, instruction(first));
        for at in first..=last {
            let refused = |reason: String| (self.members[at], reason);
            if flags(self.ctx, instruction(at)) != flags_of_first {
                return Err(refused("has other flags than the one before".to_owned()));
            }
            let asked = &self.asked[at];
            let fits = if at < last {
                asked
                    .before_and
                    .get_or_init(|| self.fits(at, |body| body.before_and()))
            } else {
                asked
                    .after_and
                    .get_or_init(|| self.fits(at, |body| body.after_and()))
            };
            fits.clone().map_err(refused)?;
            let has_pragma = || has_pragma(self.ctx, self.members[at - 1], self.members[at]);
            if at > first && *asked.has_pragma.get_or_init(has_pragma) {
                return Err(refused(
                    "has a comment above it that speaks to a linter".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Whether the text of the RUN at `at` may stand there, of which `place` is sure when it gives no error.
    fn fits(
        &self,
        at: usize,
        place: impl Fn(&Body<'_>) -> Result<Wrap, String>,
    ) -> Result<(), String> {
        let instruction = self.ctx.model.instruction(self.members[at]);
        if instruction.mounts().iter().any(|mount| {
            mount.kind == "tmpfs"
                || mount.options.iter().any(|(key, value)| {
                    matches!(key.as_str(), "rw" | "readwrite") && value.as_deref() != Some("false")
                })
        }) {
            return Err("mounts a folder that is empty again in the next RUN".to_owned());
        }
        let body = Body::of(self.ctx.model, self.members[at])?;
        place(&body).map(|_| ())
    }
}

/// Every member in exactly one unit: links that share a member become one.
fn united(mut links: Vec<Link>, members: usize) -> Vec<Link> {
    links.sort_by_key(|link| (link.first, link.last));
    let mut units: Vec<Link> = Vec::new();
    let mut links = links.into_iter().peekable();
    let mut at = 0;
    while at < members {
        let mut unit = Link {
            first: at,
            last: at,
            reason: String::new(),
        };
        while let Some(link) = links.next_if(|link| link.first <= unit.last) {
            if unit.reason.is_empty() {
                unit.reason = link.reason;
            }
            unit.last = unit.last.max(link.last);
        }
        at = unit.last + 1;
        units.push(unit);
    }
    units
}

/// The package manager with which `later` removes what `earlier` installed.
fn removes<'a>(
    earlier: &[PackageOperation<'a>],
    later: &[PackageOperation<'a>],
) -> Option<&'a str> {
    let gone = |operation: &&PackageOperation<'a>| {
        let name = operation.manager.name.get();
        operation.verb == Verb::Remove
            && earlier
                .iter()
                .filter(|it| it.verb == Verb::Install && is_same(it.manager.name.get(), name))
                .any(|install| {
                    let mut packages = install.packages.iter();
                    operation.packages.is_empty()
                        || packages
                            .any(|it| operation.packages.iter().any(|gone| gone.raw == it.raw))
                })
    };
    later.iter().find(gone).map(|it| it.manager.name.get())
}

/// The package manager that installs in both.
fn runs_twice<'a>(
    earlier: &[PackageOperation<'a>],
    later: &[PackageOperation<'a>],
) -> Option<&'a str> {
    let installs = |operations: &[PackageOperation<'a>]| -> Vec<&'a str> {
        operations
            .iter()
            .filter(|it| matches!(it.verb, Verb::Install | Verb::Upgrade))
            .filter(|it| !it.position.in_function && it.manager.of_distribution)
            .map(|it| it.manager.name.get())
            .collect()
    };
    let earlier = installs(earlier);
    installs(later)
        .into_iter()
        .find(|name| earlier.iter().any(|other| is_same(other, name)))
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || is_apt(one) && is_apt(other)
}

fn refusal(ctx: &Ctx<'_>, at: usize, members: &[usize], reason: &str) -> Proposal {
    let line = |index: usize| ctx.model.instruction(index).lines.0;
    Proposal::Refusal(Refusal {
        anchor: at,
        reason: format!(
            "the RUNs from line {} to line {} stay apart: line {} {reason}",
            line(members[0]),
            line(members[members.len() - 1]),
            line(at)
        ),
        remedy: "write one RUN, if what it says is meant to be one step".to_owned(),
    })
}

fn flags<'a>(ctx: &Ctx<'a>, instruction: &'a Instruction) -> Vec<&'a [u8]> {
    let flags = instruction.flags.iter();
    flags.map(|flag| ctx.dockerfile.bytes(flag.span)).collect()
}

fn has_pragma(ctx: &Ctx<'_>, before: usize, after: usize) -> bool {
    comments_between(ctx, before, after).iter().any(|comment| {
        let text = String::from_utf8_lossy(comment);
        let text = text.trim_start_matches(['#', ' ', '\t']);
        [
            "hadolint",
            "docker-diet:",
            "checkov:",
            "trivy:",
            "nosemgrep",
        ]
        .iter()
        .any(|start| text.starts_with(start))
    })
}

/// How many commands the RUN at `index` runs, without updates of package lists: a merge may leave one of them out.
fn commands(ctx: &Ctx<'_>, index: usize) -> usize {
    let updates = ctx
        .model
        .operations(index)
        .iter()
        .filter(|operation| is_apt(operation.manager.name.get()) && operation.verb == Verb::Update)
        .count();
    ctx.model.script(index).map_or(0, |script| {
        script.invocations().len().saturating_sub(updates)
    })
}
