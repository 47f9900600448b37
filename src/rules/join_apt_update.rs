use crate::model::{PackageOperation, Stage, Verb};
use crate::rules::apt::{self, Use};
use crate::rules::declare::declare_rule;
use crate::rules::run_edit::{self, mount_covers};
use crate::rules::{Ctx, Finding, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::{ItemKind, Keyword};
use crate::text::{Edit, Span};

declare_rule! {
    /// Puts `apt-get update` into the RUN that installs.
    ///
    /// ## Why
    /// Each RUN is cached on its own. An `apt-get update` of last year stays in the cache while the install after it is
    /// changed, and fails on packages that are gone. Lists that a layer of their own holds can never be deleted from the image.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update
    /// RUN apt-get install -y nginx
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y nginx
    /// ```
    ///
    /// ## When not
    /// Something between the two touches apt's sources, keys or proxies, or runs a script that may; the install stands in a
    /// condition or a loop; a cache mount holds the lists.
    pub(crate) JoinAptUpdate { name: "join-apt-update", level: Safe, hadolint: [] }
}

impl Rule for JoinAptUpdate {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let mut at_end: Vec<Option<Lists>> = Vec::new();
        for stage in &ctx.model.stages {
            let inherited = match stage.base {
                crate::model::Base::Stage(parent) => at_end.get(parent).cloned().flatten(),
                _ => None,
            };
            let inherited = inherited.map(|lists| Lists {
                lone: false,
                ..lists
            });
            at_end.push(walk(ctx, stage, inherited, &mut proposals));
        }
        proposals
    }
}

/// The package lists that a stage has at some point.
#[derive(Clone, Debug)]
struct Lists {
    /// The RUN that fetched them.
    run: usize,
    /// Its command, as written.
    command: Vec<u8>,
    /// What it ran it with: `sudo `.
    privilege: &'static str,
    /// Whether that RUN does nothing else, and nothing since used or could have used what it fetched.
    lone: bool,
    /// What may have changed the sources since, in the user's terms.
    stale: Option<(usize, String)>,
}

/// Goes through a stage and returns the lists that it ends with.
fn walk(
    ctx: &Ctx<'_>,
    stage: &Stage,
    mut lists: Option<Lists>,
    proposals: &mut Vec<Proposal>,
) -> Option<Lists> {
    for index in stage.body.clone() {
        let instruction = ctx.model.instruction(index);
        if instruction.keyword == Keyword::Run {
            proposals.extend(upgrade_finding(ctx, index));
        }
        if instruction.keyword == Keyword::Run && !mount_covers(instruction, apt::LISTS) {
            match apt::list_use(ctx, index) {
                Use::Fetches => {
                    if let Some(before) = &lists
                        && before.lone
                        && before.stale.is_none()
                        && is_plain_fetch(ctx, index)
                    {
                        proposals.extend(drop_lone(ctx, before.run, index).map(Proposal::Rewrite));
                    }
                    lists = fetched(ctx, index);
                }
                Use::Reads => {
                    if let Some(before) = &lists {
                        let joined = join(ctx, before, index);
                        let ok = matches!(joined, Some(Proposal::Rewrite(_)));
                        proposals.extend(joined);
                        lists = match lists {
                            Some(before) if ok => Some(Lists {
                                run: index,
                                lone: false,
                                ..before
                            }),
                            Some(before) => Some(Lists {
                                lone: false,
                                ..before
                            }),
                            None => None,
                        };
                    }
                }
                Use::None => {}
            }
            if apt::deletes_lists(ctx, index) {
                lists = None;
                continue;
            }
        }
        if let Some(lists) = &mut lists
            && lists.run != index
            && lists.stale.is_none()
        {
            lists.stale = apt::changes_sources(ctx, index).map(|what| (index, what));
        }
    }
    lists
}

/// The lists that the RUN at `index` leaves, when its update is one that can be written again.
fn fetched(ctx: &Ctx<'_>, index: usize) -> Option<Lists> {
    let operations = ctx.model.operations(index);
    let update = operations
        .iter()
        .rfind(|operation| apt::is_apt(operation) && operation.verb == Verb::Update)?;
    let literal = update
        .simple
        .words
        .iter()
        .all(|word| word.literal.is_some() && word.contiguous);
    let privilege = run_edit::privilege(update);
    let (Ok(privilege), true) = (privilege, literal) else {
        return None;
    };
    let lone = is_only_update(ctx, index);
    let from = match update.simple.assignments.first() {
        Some(assignment) if update.prefix.is_empty() => assignment.span.start,
        _ => update.program.span.start,
    };
    let to = update.simple.span.end;
    let command = ctx.dockerfile.bytes(Span::new(from, to));
    let stale = apt::changes_sources_after(ctx, index, to).map(|what| (index, what));
    (!command.contains(&b'\n')).then(|| Lists {
        run: index,
        command: command.to_vec(),
        privilege,
        lone,
        stale,
    })
}

/// Whether the RUN at `index` is one plain update.
fn is_only_update(ctx: &Ctx<'_>, index: usize) -> bool {
    let instruction = ctx.model.instruction(index);
    let Some(script) = ctx.model.script(index) else {
        return false;
    };
    let [statement] = script.body.as_slice() else {
        return false;
    };
    instruction.flags.is_empty()
        && instruction.heredocs.is_empty()
        && instruction.comments.is_empty()
        && script.comments.is_empty()
        && script.invocations().len() == 1
        && !statement.command.negated
        && statement.terminator != crate::shell::Terminator::Background
        && matches!(statement.command.kind, crate::shell::CommandKind::Simple(_))
}

/// Whether the RUN fetches lists whatever happens, before anything that could look at older ones.
fn is_plain_fetch(ctx: &Ctx<'_>, index: usize) -> bool {
    apt::changes_sources(ctx, index).is_none()
        && ctx.model.operations(index).iter().any(|operation| {
            apt::is_apt(operation)
                && operation.verb == Verb::Update
                && operation.position.unconditional
        })
}

/// Gives the install at `index` the update whose lists it relies on.
fn join(ctx: &Ctx<'_>, lists: &Lists, index: usize) -> Option<Proposal> {
    let operations = ctx.model.operations(index);
    let install = operations
        .iter()
        .find(|operation| apt::reads_lists(operation))?;
    let line = ctx.model.instruction(lists.run).lines.0;
    let refuse = |reason: String, remedy: &str| {
        Some(Proposal::Refusal(Refusal {
            anchor: index,
            reason: format!("`apt-get update` of line {line} is not joined: {reason}"),
            remedy: remedy.to_owned(),
        }))
    };
    if let Some((at, what)) = &lists.stale {
        let reason = format!(
            "{what} at line {} may change where packages come from",
            ctx.model.instruction(*at).lines.0
        );
        return refuse(reason, "run the update in the RUN that installs");
    }
    if let Some(what) = apt::changes_sources(ctx, index) {
        let reason = format!("{what} changes where packages come from before it installs");
        return refuse(reason, "run the update in the RUN that installs");
    }
    let reader = ctx.model.script(index);
    let reader = reader.and_then(|script| apt::first_reader(ctx, script));
    if reader.is_some_and(|at| at < install.simple.span.start) {
        return refuse("another program reads the lists before".to_owned(), "");
    }
    let privilege = match run_edit::privilege(install) {
        Ok(privilege) => privilege,
        Err(reason) => return refuse(reason, ""),
    };
    if privilege.is_empty() && !lists.privilege.is_empty() && !ctx.model.is_root(index) {
        return refuse("the install does not run as root".to_owned(), "");
    }
    let mut command = privilege.as_bytes().to_vec();
    command.extend_from_slice(&lists.command);
    let edit = match run_edit::insert_before(ctx, index, install.simple.span, &command) {
        Ok(edit) => edit,
        Err(reason) => return refuse(reason, "run the update in the RUN that installs"),
    };
    let mut edits = vec![edit];
    let lone = lists.lone.then(|| removal(ctx, lists.run, index)).flatten();
    let reason = match lone {
        Some(removal) => {
            edits.extend(removal);
            "`apt-get update` runs with the install: a cached list is never older than the packages asked for"
        }
        None => {
            "the install fetches its own package lists: those of an earlier layer may be old when it runs again"
        }
    };
    Some(Proposal::Rewrite(Rewrite {
        anchor: index,
        edits,
        reason: reason.to_owned(),
        ..Rewrite::default()
    }))
}

/// Removes an update that the next RUN with apt does itself.
fn drop_lone(ctx: &Ctx<'_>, run: usize, next: usize) -> Option<Rewrite> {
    Some(Rewrite {
        anchor: run,
        edits: removal(ctx, run, next)?,
        reason: format!(
            "`apt-get update` is left to line {}, which does it again",
            ctx.model.instruction(next).lines.0
        ),
        ..Rewrite::default()
    })
}

/// Edits that remove the instruction at `index` and bring the comments above it to the instruction at `to`.
fn removal(ctx: &Ctx<'_>, index: usize, to: usize) -> Option<Vec<Edit>> {
    let items = ctx.dockerfile.items();
    let at = items
        .iter()
        .position(|item| item.kind == ItemKind::Instruction(index))?;
    let target = items
        .iter()
        .position(|item| item.kind == ItemKind::Instruction(to))?;
    let first_comment = |at: usize| {
        items[..at]
            .iter()
            .rposition(|item| item.kind != ItemKind::Comment)
            .map_or(0, |before| before + 1)
    };
    let comments = first_comment(at);
    let adjacent = items[at + 1..target]
        .iter()
        .all(|item| matches!(item.kind, ItemKind::Comment | ItemKind::Blank));
    let mut end = items[at].span.end;
    let blank_before = comments > 0 && items[comments - 1].kind == ItemKind::Blank;
    let blank_after = items
        .get(at + 1)
        .is_some_and(|item| item.kind == ItemKind::Blank);
    let moved = comments < at && (!adjacent || blank_after);
    let keeps_comment = comments < at && !moved;
    if blank_after && blank_before && !keeps_comment {
        end = items[at + 1].span.end;
    }
    let start = if moved {
        items[comments].span.start
    } else {
        items[at].span.start
    };
    let mut edits = vec![Edit::delete(Span::new(start, end))];
    if moved {
        let text = ctx
            .dockerfile
            .bytes(Span::new(items[comments].span.start, items[at].span.start));
        edits.push(Edit::insert(items[first_comment(target)].span.start, text));
    }
    Some(edits)
}

/// What is said of an upgrade of the whole distribution.
fn upgrade_finding(ctx: &Ctx<'_>, index: usize) -> Option<Proposal> {
    let operations = ctx.model.operations(index);
    let upgrade = operations
        .iter()
        .find(|operation| whole_system(operation))?;
    let verb = upgrade.verb_word.map_or_else(String::new, |word| {
        format!(" {}", String::from_utf8_lossy(&word.raw))
    });
    Some(Proposal::Finding(Finding {
        anchor: index,
        message: format!(
            "`{}{verb}` stores every package that it renews a second time, and what it renews depends on the day of the build",
            upgrade.manager.name
        ),
        remedy: "build on a current base image (`docker build --pull`), and upgrade single packages where one has to be newer".to_owned(),
    }))
}

/// Whether an operation upgrades all that is installed.
fn whole_system(operation: &PackageOperation<'_>) -> bool {
    operation.verb == Verb::Upgrade
        && operation.packages.is_empty()
        && operation.manager.of_distribution
}
