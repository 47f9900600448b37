//! Cache mounts for what package managers download, in stages that do not ship.

mod safety;
mod target;

use std::collections::BTreeSet;

use crate::catalog::{CacheMount, Manager, Sharing};
use crate::model::{PackageOperation, Stage, Verb};
use crate::rules::declare::declare_rule;
use crate::rules::run_edit::mount_covers;
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta, UseBuildkit};
use crate::syntax::{Instruction, ItemKind, Keyword};
use crate::text::{Edit, Span};

use target::Target;

declare_rule! {
    /// Keeps the downloads of package managers between builds, by cache mounts in the stages that do not ship.
    ///
    /// ## Why
    /// A changed manifest runs the install again, and all that it had fetched is fetched again; a changed source file
    /// compiles everything again.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM node:22 AS build
    /// WORKDIR /app
    /// COPY package.json package-lock.json ./
    /// RUN npm ci
    /// COPY . .
    /// RUN npm run build
    ///
    /// FROM nginx:1.27
    /// COPY --from=build /app/dist /usr/share/nginx/html
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM node:22 AS build
    /// WORKDIR /app
    /// COPY package.json package-lock.json ./
    /// RUN --mount=type=cache,target=/root/.npm npm ci
    /// COPY . .
    /// RUN npm run build
    ///
    /// FROM nginx:1.27
    /// COPY --from=build /app/dist /usr/share/nginx/html
    /// ```
    /// A flag that keeps the cache empty (`pip install --no-cache-dir`) goes: the mount is in no layer. Caches that hold what
    /// was compiled (pip's wheels, Cargo's `target`) have an id of their own for each image. With `target`, the program is
    /// copied out in the same RUN, and all sources count as new: Cargo compares times, which another checkout may have set.
    ///
    /// ## When not
    /// In a stage that ships; where a COPY fills the folder or takes from it, or another command names it; when a variable or
    /// a flag moves the cache; when something later builds without the network, or by a command that is not known to find
    /// its cache; for a user whose home is not known; for apt, while `docker-clean` empties its cache. `buildkit: never`
    /// and `cache-mounts: false` in the configuration turn it off.
    pub(crate) MountCaches { name: "mount-caches", level: Standard, hadolint: [] }
}

impl Rule for MountCaches {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        if !ctx.settings.cache_mounts || ctx.settings.buildkit == UseBuildkit::Never {
            return Vec::new();
        }
        let mut proposals: Vec<Proposal> = ctx
            .model
            .stages
            .iter()
            .filter(|stage| is_root_of_build(ctx, stage))
            .flat_map(|stage| Tree::of(ctx, stage).proposals())
            .collect();
        let first = proposals.iter().find_map(|proposal| match proposal {
            Proposal::Rewrite(rewrite) => Some(rewrite.anchor),
            _ => None,
        });
        if let (Some(anchor), Some((reason, remedy))) = (first, unsupported(ctx)) {
            proposals.retain(|proposal| !matches!(proposal, Proposal::Rewrite(_)));
            proposals.push(Proposal::Refusal(Refusal {
                anchor,
                reason: format!("no cache mounts: {reason}"),
                remedy,
            }));
        }
        proposals
    }
}

/// Why the builder may not know mounts, and what would show that it does.
fn unsupported(ctx: &Ctx<'_>) -> Option<(String, String)> {
    if let Some(file) = ctx.settings.usage.legacy_builders.first() {
        return Some((
            format!("{file} builds without BuildKit"),
            "build with BuildKit everywhere".to_owned(),
        ));
    }
    let directive = ctx.dockerfile.items().iter().find_map(|item| {
        let text = String::from_utf8_lossy(ctx.dockerfile.bytes(item.span)).into_owned();
        let value = text.trim().strip_prefix('#')?.trim_start();
        let value = value
            .strip_prefix("syntax")?
            .trim_start()
            .strip_prefix('=')?;
        (item.kind == ItemKind::Directive).then(|| value.trim().to_owned())
    })?;
    let tag = directive.rsplit_once(':').map_or("", |(_, tag)| tag);
    let is_old = ["1.0", "1.1", "1.2", "1.3"].iter().any(|old| {
        tag == *old || tag.starts_with(&format!("{old}.")) || tag.starts_with(&format!("{old}-"))
    });
    is_old.then(|| {
        (
            format!("`# syntax={directive}` asks for an old frontend"),
            "ask for `docker/dockerfile:1`, or drop the line".to_owned(),
        )
    })
}

/// Whether `stage` does not ship, and what it starts from does, or is an image.
fn is_root_of_build(ctx: &Ctx<'_>, stage: &Stage) -> bool {
    let parent = ctx.model.chain(stage.index).get(1).map(|stage| stage.ships);
    !stage.ships && !stage.windows && parent != Some(false)
}

/// A stage and all that start from it: they see each other's files.
pub(super) struct Tree<'a> {
    ctx: &'a Ctx<'a>,
    stage: &'a Stage,
    /// The RUNs of all of them, in the order of the file.
    runs: Vec<Run<'a>>,
}

/// A RUN of a build.
pub(super) struct Run<'a> {
    index: usize,
    instruction: &'a Instruction,
    operations: Vec<PackageOperation<'a>>,
}

/// The mounts and the flags that go, for one RUN.
#[derive(Default)]
struct Planned {
    mounts: Vec<String>,
    dropped: Vec<Span>,
    /// A command that runs first.
    before: Option<&'static str>,
}

impl<'a> Tree<'a> {
    fn of(ctx: &'a Ctx<'a>, stage: &'a Stage) -> Self {
        let mut stages = vec![stage];
        stages.extend(ctx.model.children(stage.index));
        let mut runs: Vec<Run<'a>> = stages
            .iter()
            .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
            .map(|index| Run {
                index,
                instruction: ctx.model.instruction(index),
                operations: ctx.model.operations(index),
            })
            .collect();
        runs.sort_by_key(|run| run.index);
        Self { ctx, stage, runs }
    }

    fn proposals(&self) -> Vec<Proposal> {
        let mut managers: Vec<&Manager> = Vec::new();
        for operation in self.runs.iter().flat_map(|run| &run.operations) {
            let manager = operation.manager;
            if !manager.mounts.is_empty()
                && !managers.iter().any(|known| known.name == manager.name)
            {
                managers.push(manager);
            }
        }
        let mut proposals = Vec::new();
        let mut planned: Vec<Planned> = self.runs.iter().map(|_| Planned::default()).collect();
        let mut names: Vec<&str> = Vec::new();
        for manager in managers {
            match self.plan(manager, &mut planned) {
                Ok(true) => names.push(manager.name.get()),
                Ok(false) => {}
                Err((anchor, reason, remedy)) => proposals.push(Proposal::Refusal(Refusal {
                    anchor,
                    reason: format!("no cache mount for {}: {reason}", manager.name),
                    remedy,
                })),
            }
        }
        let mut edits: Vec<Edit> = Vec::new();
        if names.contains(&"cargo")
            && let Some(target) = Target::of(self)
            && !planned[target.at].mounts.is_empty()
        {
            planned[target.at].mounts.push(target.mount);
            planned[target.at].before = Some(target.before);
            edits.extend(target.edits);
        }
        let mounted = self
            .runs
            .iter()
            .zip(&planned)
            .filter(|(_, planned)| !planned.mounts.is_empty())
            .flat_map(|(run, planned)| self.edits(run, planned));
        edits.extend(mounted);
        let first = self
            .runs
            .iter()
            .zip(&planned)
            .find(|(_, planned)| !planned.mounts.is_empty());
        if let Some((run, _)) = first {
            proposals.push(Proposal::Rewrite(Rewrite {
                anchor: run.index,
                edits,
                reason: format!(
                    "what {} fetched and made stays with the builder, and is not fetched and made again",
                    listed(&names)
                ),
                ..Rewrite::default()
            }));
        }
        proposals
    }

    /// Adds the mounts of `manager` to the RUNs that use it; whether there are any.
    fn plan(
        &self,
        manager: &Manager,
        planned: &mut [Planned],
    ) -> Result<bool, (usize, String, String)> {
        let users: Vec<usize> = (0..self.runs.len())
            .filter(|at| self.uses(&self.runs[*at], manager))
            .collect();
        let Some(first) = users.first() else {
            return Ok(false);
        };
        let Some(facts) = self.ctx.model.base_facts(self.stage.index) else {
            return Ok(false);
        };
        let image = facts.family.name.get();
        let rows: Vec<&CacheMount> = manager.mounts.get().iter().collect();
        let own = rows.iter().any(|mount| mount.image == image);
        let rows: Vec<&CacheMount> = rows
            .into_iter()
            .filter(|mount| mount.image == image || !own && mount.image.is_empty())
            .filter(|mount| is_since(&facts.version, mount.since.get()))
            .collect();
        // Debian's images empty apt's cache after every install, by a hook that few files take away.
        let is_emptied = !manager.lists.is_empty()
            && users
                .iter()
                .any(|at| !safety::docker_clean_is_gone(self.ctx, &self.runs[*at]));
        if rows.is_empty() || is_emptied || self.is_other_yarn(manager) {
            return Ok(false);
        }
        let refuse = |(reason, remedy): (String, String)| (self.runs[*first].index, reason, remedy);
        let mut changes: Vec<(usize, Vec<String>, Vec<Span>)> = Vec::new();
        for at in &users {
            let run = &self.runs[*at];
            let home = safety::home(self.ctx, run.index).map_err(refuse)?;
            let mut mounts = Vec::new();
            for row in &rows {
                if !self.is_of_use(run, manager, row) {
                    continue;
                }
                let target = home.resolve(row.target.get());
                if mount_covers(run.instruction, &target) {
                    continue;
                }
                mounts.push((*row, target));
            }
            for (row, target) in &mounts {
                safety::target(self, row.target.get(), target).map_err(refuse)?;
                home.may_hold(target).map_err(refuse)?;
            }
            let texts = mounts
                .iter()
                .map(|(row, target)| {
                    let sharing = match manager.sharing {
                        Sharing::Locked => ",sharing=locked",
                        Sharing::Shared => "",
                    };
                    let id = self.id(manager, row);
                    format!(
                        "--mount=type=cache{id},target={target}{sharing}{}",
                        home.owner()
                    )
                })
                .collect();
            changes.push((*at, texts, self.emptying_flags(run, manager)));
        }
        if changes.iter().all(|(_, mounts, _)| mounts.is_empty()) {
            return Ok(false);
        }
        safety::manager(self, manager, &users).map_err(refuse)?;
        for (at, mounts, dropped) in changes {
            if !mounts.is_empty() {
                for mount in mounts {
                    if !planned[at].mounts.contains(&mount) {
                        planned[at].mounts.push(mount);
                    }
                }
                planned[at].dropped.extend(dropped);
            }
        }
        Ok(true)
    }

    /// Whether a RUN calls `manager` for something that uses its cache.
    fn uses(&self, run: &Run<'_>, manager: &Manager) -> bool {
        self.calls(run, manager).next().is_some()
    }

    /// The calls of `manager` in a RUN that use its cache.
    fn calls<'r>(
        &self,
        run: &'r Run<'a>,
        manager: &'r Manager,
    ) -> impl Iterator<Item = &'r PackageOperation<'a>> {
        run.operations.iter().filter(|operation| {
            if operation.manager.name != manager.name {
                return false;
            }
            if !manager.needs_cache {
                return matches!(operation.verb, Verb::Install | Verb::Update | Verb::Upgrade);
            }
            let word = first_word(operation);
            let flags = || {
                operation
                    .flags
                    .iter()
                    .filter_map(|flag| flag.literal.as_deref())
                    .map(String::from_utf8_lossy)
            };
            let is_idle = |word: &str| manager.idle.get().iter().any(|idle| *idle == word);
            !is_idle(&word) && !flags().any(|flag| is_idle(&flag))
        })
    }

    /// Whether the mount serves what the RUN does with `manager`.
    fn is_of_use(&self, run: &Run<'a>, manager: &Manager, mount: &CacheMount) -> bool {
        let only_fetches = self.calls(run, manager).all(|operation| {
            let word = first_word(operation);
            manager.fetch_only.get().iter().any(|verb| *verb == *word)
        });
        if mount.compiles {
            return !only_fetches;
        }
        // Without a lock file of a manager that compiles from its downloads there is nothing to download.
        let compiles = rows_compile(manager);
        let has_lock = self.ctx.context.is_none_or(|context| {
            context.visible().any(|(path, _)| {
                let name = crate::model::path::file_name(path);
                manager.locks.get().iter().any(|lock| *lock == name)
            })
        });
        !compiles || has_lock
    }

    /// `,id=pip-python-3.12` for a cache that holds what was compiled in this image; the path is the id of the others.
    fn id(&self, manager: &Manager, mount: &CacheMount) -> String {
        let (true, Some(image)) = (mount.compiled, self.image_name()) else {
            return String::new();
        };
        let folder = crate::model::path::file_name(mount.target.get());
        let name = if manager.name.starts_with(folder) {
            folder.to_owned()
        } else {
            format!("{}-{folder}", manager.name)
        };
        format!(",id={name}-{image}")
    }

    /// `python-3.12`: the image that the build starts from, for ids.
    fn image_name(&self) -> Option<String> {
        let image = self.ctx.model.base_reference(self.stage.index)?;
        let family = crate::model::path::file_name(image.family());
        Some(format!("{family}-{}", image.tag_or_latest()))
    }

    /// The flags of `manager` in a RUN that keep its cache empty.
    fn emptying_flags(&self, run: &Run<'_>, manager: &Manager) -> Vec<Span> {
        if manager.no_cache.is_empty() {
            return Vec::new();
        }
        self.calls(run, manager)
            .flat_map(|operation| &operation.flags)
            .filter(|flag| {
                flag.contiguous && flag.literal.as_deref() == Some(manager.no_cache.as_bytes())
            })
            .map(|flag| flag.span)
            .collect()
    }

    /// Yarn 2 and later keep their cache elsewhere, and may run from it.
    fn is_other_yarn(&self, manager: &Manager) -> bool {
        let text = self.ctx.dockerfile.source();
        let mentions = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
        manager.name == "yarn"
            && (self.ctx.context.is_none_or(|context| {
                context.visible().any(|(path, _)| {
                    matches!(
                        crate::model::path::file_name(path),
                        ".yarnrc.yml" | ".pnp.cjs"
                    )
                })
            }) || mentions(b"corepack")
                || mentions(b"yarn set version"))
    }

    /// The edits of one RUN.
    fn edits(&self, run: &Run<'_>, planned: &Planned) -> Vec<Edit> {
        let source = self.ctx.dockerfile.source();
        let keyword = run.instruction.keyword_span;
        let line_end = source[keyword.end..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(source.len(), |at| keyword.end + at);
        let one_line = planned.mounts.join(" ");
        let width = line_end - keyword.start + 1 + one_line.len();
        let is_short = planned.mounts.len() == 1 && width <= WIDTH;
        let text = if is_short || !run.instruction.heredocs.is_empty() {
            format!(" {one_line}")
        } else {
            let eol = self.ctx.dockerfile.line_ending();
            let escape = char::from(self.ctx.dockerfile.escape());
            let joint = format!(" {escape}{eol}    ");
            // The space before the command is the one that stood after RUN.
            let mut parts = planned.mounts.clone();
            parts.extend(planned.before.map(|command| format!("{command} &&")));
            format!(
                " {}{}",
                parts.join(&joint),
                joint.strip_suffix(' ').unwrap_or(&joint)
            )
        };
        let mut edits = vec![Edit::insert(keyword.end, text)];
        for span in &planned.dropped {
            let blanks = source[..span.start]
                .iter()
                .rev()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
            edits.push(Edit::delete(Span::new(span.start - blanks, span.end)));
        }
        edits
    }
}

/// The longest line that a mount makes.
const WIDTH: usize = 100;

/// Whether some mount of the manager serves compiling alone, so that the others serve downloads.
fn rows_compile(manager: &Manager) -> bool {
    manager.mounts.get().iter().any(|mount| mount.compiles)
}

/// Whether `version` is `since` or later; a version that is not known is the latest.
fn is_since(version: &str, since: &str) -> bool {
    let parts = |text: &str| -> Vec<u32> {
        text.split('.')
            .map_while(|part| part.parse().ok())
            .collect()
    };
    version.is_empty() || parts(version) >= parts(since)
}

/// What the manager is asked to do, by its first word; empty without one.
fn first_word(operation: &PackageOperation<'_>) -> String {
    let at = operation
        .simple
        .words
        .iter()
        .position(|word| std::ptr::eq(word, operation.program));
    let verb = operation.verb_word.and_then(|verb| {
        operation
            .simple
            .words
            .iter()
            .position(|word| std::ptr::eq(word, verb))
    });
    let between = match (at, verb) {
        (Some(at), Some(verb)) => operation.simple.words[at + 1..=verb]
            .iter()
            .find(|word| !word.raw.starts_with(b"-")),
        _ => operation.packages.first().copied(),
    };
    between.map_or_else(String::new, |word| {
        String::from_utf8_lossy(&word.raw).into_owned()
    })
}

/// `npm, pip and go`
fn listed(names: &[&str]) -> String {
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    let names: Vec<&str> = unique.into_iter().collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
