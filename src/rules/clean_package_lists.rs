use crate::catalog::WordSet;
use crate::model::path::file_name;
use crate::model::{Base, PackageOperation, Stage, Verb};
use crate::rules::apt::{self, Use};
use crate::rules::declare::declare_rule;
use crate::rules::run_edit::{self, mount_covers};
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::Keyword;
use crate::text::Edit;

declare_rule! {
    /// Deletes package lists in the layer that fetched them.
    ///
    /// ## Why
    /// A file that a later layer deletes still ships in the earlier one. apt's lists alone are 20 to 50 MB.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update \
    ///     && apt-get install -y nginx
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update \
    ///     && apt-get install -y nginx \
    ///     && rm -rf /var/lib/apt/lists/*
    /// ```
    /// Alpine's `apk` has a flag that leaves nothing behind: `apk update && apk add curl` becomes `apk add --no-cache curl`.
    /// A RUN that fetches lists and nothing else, which no later instruction reads, is taken out.
    ///
    /// ## When not
    /// A later RUN, a stage built on this one or a script installs without an update; the lists lie in a cache mount; the
    /// stage does not ship; the RUN does not end where a command can be added.
    pub(crate) CleanPackageLists {
        name: "clean-package-lists", level: Safe, hadolint: ["DL3009", "DL3019", "DL3032", "DL3036", "DL3040"]
    }
}

impl Rule for CleanPackageLists {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for stage in &ctx.model.stages {
            // Official images have yum's cache empty.
            let mut empty = matches!(&stage.base, Base::Image { facts: Some(_), .. });
            for index in ctx.model.of_kind(stage, Keyword::Run) {
                let operations = ctx.model.operations(index);
                if operations.is_empty() {
                    continue;
                }
                proposals.extend(apk_without_cache(ctx, index, &operations));
                if stage.ships {
                    proposals.extend(clean_apt(ctx, stage, index, &operations));
                    let clean = clean_with_command(ctx, index, &operations);
                    let is_cleaned = matches!(clean, Some(Proposal::Rewrite(_)));
                    proposals.extend(clean);
                    let of_yum = of_yum(&operations);
                    proposals.extend(clean_once(ctx, index, &of_yum, is_cleaned, empty));
                    if let Some(last) = of_yum.last() {
                        empty &= is_cleaned || is_final_clean(last);
                    }
                }
            }
        }
        proposals
    }
}

/// `rm -rf /var/lib/apt/lists/*` after what the RUN at `index` does with the lists that it fetched.
fn clean_apt(
    ctx: &Ctx<'_>,
    stage: &Stage,
    index: usize,
    operations: &[PackageOperation<'_>],
) -> Option<Proposal> {
    let update = operations
        .iter()
        .rfind(|operation| apt::is_apt(operation) && operation.verb == Verb::Update)?;
    if mount_covers(ctx.model.instruction(index), apt::LISTS) || apt::deletes_lists(ctx, index) {
        return None;
    }
    let refuse = |reason: String, remedy: &str| {
        Some(Proposal::Refusal(Refusal {
            anchor: index,
            reason: format!("package lists stay: {reason}"),
            remedy: remedy.to_owned(),
        }))
    };
    if let Some(reader) = reader_after(ctx, stage, index) {
        return refuse(reader, "run `apt-get update` in every RUN that installs");
    }
    let does_more = ctx
        .model
        .script(index)
        .is_some_and(|script| script.invocations().len() > 1);
    if !does_more {
        return Some(without_update(ctx, stage, index));
    }
    let privilege = match run_edit::privilege(update) {
        Ok(privilege) => privilege,
        Err(reason) => return refuse(reason, ""),
    };
    if privilege.is_empty() && !ctx.model.is_root(index) {
        return refuse("the user is not root".to_owned(), "");
    }
    let clean = format!("{privilege}{}", update.manager.clean_with);
    match run_edit::append(ctx, index, &clean) {
        Ok(edit) => Some(Proposal::Rewrite(Rewrite {
            anchor: index,
            edits: vec![edit],
            reason: "package lists are deleted in the layer that fetched them".to_owned(),
            ..Rewrite::default()
        })),
        Err(reason) => refuse(reason, &format!("end the RUN with `{clean}`")),
    }
}

/// Takes out the RUN at `index`, which fetches lists and does nothing else, where no later instruction reads them.
fn without_update(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> Proposal {
    let instruction = ctx.model.instruction(index);
    let fetched_anew = matches!(reader_among(ctx, index + 1..stage.body.end), Some(None));
    let config = &stage.end.config;
    let starts = config.entrypoint.set().or(config.cmd.set());
    let starts_program = starts.is_some_and(|line| {
        let argv = line.form.argv();
        let last = argv.last().map_or("", |word| file_name(word.trim()));
        !last.is_empty() && !ctx.catalog.has_word(WordSet::Shells, last)
    });
    let holds_more = !instruction.flags.is_empty()
        || !instruction.heredocs.is_empty()
        || ctx.dockerfile.bytes(instruction.span).contains(&b'#');
    if (fetched_anew || starts_program) && !holds_more {
        return Proposal::Rewrite(Rewrite {
            anchor: index,
            edits: vec![Edit::delete(run_edit::whole_lines(ctx, index))],
            reason: "no instruction uses the package lists that are fetched here".to_owned(),
            ..Rewrite::default()
        });
    }
    Proposal::Refusal(Refusal {
        anchor: index,
        reason:
            "package lists stay: nothing in this RUN uses them, so something that is not seen may"
                .to_owned(),
        remedy: "delete the update, or join it with what installs".to_owned(),
    })
}

/// What uses the lists of the RUN at `index` later on, in the user's terms.
fn reader_after(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> Option<String> {
    if let Some(reader) = reader_among(ctx, index + 1..stage.body.end) {
        return reader;
    }
    let children = ctx.model.children(stage.index);
    children
        .iter()
        .filter(|child| {
            // A grandchild sees what its parent left: the walk over the parent has judged that.
            matches!(child.base, Base::Stage(parent) if parent == stage.index)
        })
        .find_map(|child| reader_after(ctx, child, child.from))
        .or_else(|| start_reads(ctx, stage))
}

/// The first use of the lists in these instructions: `Some(None)` when they are fetched anew before any.
#[expect(
    clippy::option_option,
    reason = "the outer one says that the question is settled"
)]
fn reader_among(ctx: &Ctx<'_>, range: std::ops::Range<usize>) -> Option<Option<String>> {
    for at in range {
        let instruction = ctx.model.instruction(at);
        let line = instruction.lines.0;
        match instruction.keyword {
            Keyword::Run if mount_covers(instruction, apt::LISTS) => {}
            Keyword::Run => match apt::list_use(ctx, at) {
                Use::Fetches => return Some(None),
                Use::Reads => {
                    return Some(Some(format!(
                        "line {line} installs from them without an update"
                    )));
                }
                Use::None => {
                    if let Some(what) = apt::unseen_installer(ctx, at) {
                        return Some(Some(format!(
                            "line {line} runs {what}, which may install from them"
                        )));
                    }
                }
            },
            Keyword::Onbuild => {
                let text = instruction.body.text();
                if apt::mentions(text, b"apt")
                    && apt::mentions(text, b"install")
                    && !apt::mentions(text, b"update")
                {
                    return Some(Some(format!(
                        "ONBUILD of line {line} installs from them without an update"
                    )));
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether what starts in the image installs packages without an update.
fn start_reads(ctx: &Ctx<'_>, stage: &Stage) -> Option<String> {
    let config = &stage.end.config;
    [&config.cmd, &config.entrypoint]
        .into_iter()
        .filter_map(crate::model::Setting::set)
        .find_map(|line| {
            let text = line.form.argv().join(" ");
            let installs = (text.contains("apt-get ") || text.contains("apt "))
                && text.contains("install")
                && !text.contains("update");
            installs.then(|| {
                format!(
                    "line {} installs from them when the container starts",
                    ctx.model.instruction(line.instruction).lines.0
                )
            })
        })
}

/// The manager's own command for managers that fetch anew whatever they need.
fn clean_with_command(
    ctx: &Ctx<'_>,
    index: usize,
    operations: &[PackageOperation<'_>],
) -> Option<Proposal> {
    let fills = |operation: &&PackageOperation<'_>| {
        matches!(
            operation.manager.name.get(),
            "yum" | "dnf" | "microdnf" | "zypper" | "pacman"
        ) && matches!(operation.verb, Verb::Install | Verb::Upgrade | Verb::Update)
    };
    let last = operations.iter().rfind(fills)?;
    let instruction = ctx.model.instruction(index);
    let manager = last.manager;
    let caches = || manager.caches.get().iter().map(|cache| cache.get());
    let script = ctx.model.script(index)?;
    let cleaned = operations.iter().any(|operation| {
        operation.verb == Verb::Clean
            && operation.manager.of_distribution
            && operation.simple.span.start > last.simple.span.start
            && !operation.position.conditional
    }) || script.invocations().iter().any(|it| {
        it.calls("rm")
            && it.simple.span.start > last.simple.span.start
            && it.arguments().iter().any(|word| {
                caches().any(|cache| apt::mentions(&word.raw, cache.as_bytes()))
                    || apt::mentions(&word.raw, b"/var/cache/")
            })
    });
    if cleaned || caches().any(|cache| mount_covers(instruction, cache)) {
        return None;
    }
    let refuse = |reason: String| {
        Some(Proposal::Refusal(Refusal {
            anchor: index,
            reason: format!("the cache of `{}` stays: {reason}", manager.name),
            remedy: format!("end the RUN with `{}`", manager.clean_with),
        }))
    };
    if last.has_flag(&["--installroot", "--root", "-R"]) {
        return refuse("it installs into another root folder".to_owned());
    }
    if last.position.conditional || operations.iter().any(apt::is_apt) {
        return refuse("it runs under a condition".to_owned());
    }
    if last.position.in_inner_script || last.position.in_substitution {
        return refuse("it runs in a script of its own".to_owned());
    }
    let privilege = match run_edit::privilege(last) {
        Ok(privilege) => privilege,
        Err(reason) => return refuse(reason),
    };
    if privilege.is_empty() && !ctx.model.is_root(index) {
        return refuse("the user is not root".to_owned());
    }
    let clean = format!("{privilege}{}", manager.clean_with);
    let edit = run_edit::append(ctx, index, &clean).or_else(|reason| {
        run_edit::append_to(ctx, index, last.simple.span, &clean).map_err(|_| reason)
    });
    match edit {
        Ok(edit) => Some(Proposal::Rewrite(Rewrite {
            anchor: index,
            edits: vec![edit],
            reason: format!(
                "the cache of `{}` is emptied in the layer that filled it",
                manager.name
            ),
            ..Rewrite::default()
        })),
        Err(reason) => refuse(reason),
    }
}

/// Takes out of the RUN at `index` what empties a cache that is empty, or that the same RUN fills again and empties at
/// its end: itself, or because this rule makes it (`is_cleaned`). `empty` is whether the RUN starts with an empty cache.
fn clean_once(
    ctx: &Ctx<'_>,
    index: usize,
    of_yum: &[&PackageOperation<'_>],
    is_cleaned: bool,
    empty: bool,
) -> Option<Proposal> {
    let last = of_yum.last()?;
    let end = match is_final_clean(last) {
        true => of_yum.len() - 1,
        false if is_cleaned => of_yum.len(),
        false => return None,
    };
    let first_fill = of_yum.iter().position(|operation| fills(operation))?;
    let from = if empty { 0 } else { first_fill };
    let edits: Vec<Edit> = of_yum[from..end]
        .iter()
        .filter(|operation| is_final_clean(operation))
        .filter_map(|operation| run_edit::removal(ctx, index, operation.simple.span))
        .collect();
    if edits.is_empty() {
        return None;
    }
    Some(Proposal::Rewrite(Rewrite {
        anchor: index,
        edits,
        reason: format!(
            "the cache of `{}` is emptied once, at the end: before that it is only fetched anew",
            last.manager.name
        ),
        ..Rewrite::default()
    }))
}

fn of_yum<'a, 'o>(operations: &'a [PackageOperation<'o>]) -> Vec<&'a PackageOperation<'o>> {
    let is_yum = |operation: &&PackageOperation<'_>| {
        matches!(operation.manager.name.get(), "yum" | "dnf" | "microdnf")
    };
    operations.iter().filter(is_yum).collect()
}

fn fills(operation: &PackageOperation<'_>) -> bool {
    matches!(operation.verb, Verb::Install | Verb::Upgrade | Verb::Update)
}

/// `clean all`, in every run.
fn is_final_clean(operation: &PackageOperation<'_>) -> bool {
    operation.verb == Verb::Clean
        && operation.position.unconditional
        && operation.simple.words.iter().any(|word| word.raw == b"all")
}

/// `--no-cache` for every `apk add` of the RUN at `index`, in place of `--update` and of an `apk update` before it.
fn apk_without_cache(
    ctx: &Ctx<'_>,
    index: usize,
    operations: &[PackageOperation<'_>],
) -> Option<Proposal> {
    let apk: Vec<&PackageOperation<'_>> = operations
        .iter()
        .filter(|operation| operation.manager.name == "apk")
        .collect();
    let adds = || {
        apk.iter()
            .filter(|operation| matches!(operation.verb, Verb::Install | Verb::Upgrade))
    };
    if mount_covers(ctx.model.instruction(index), "/var/cache/apk")
        || mount_covers(ctx.model.instruction(index), "/etc/apk/cache")
    {
        return None;
    }
    let mut edits = Vec::new();
    for add in adds() {
        if add.position.in_inner_script
            || add.has_flag(&["--no-cache", "--cache-dir", "--no-network"])
        {
            continue;
        }
        let Some(word) = add.verb_word.filter(|word| word.contiguous) else {
            continue;
        };
        let update = add.flags.iter().find(|flag| {
            matches!(
                flag.literal.as_deref(),
                Some(b"-U" | b"--update" | b"--update-cache")
            ) && flag.contiguous
        });
        edits.push(match update {
            Some(flag) => Edit::replace(flag.span, *b"--no-cache"),
            None => Edit::insert(word.span.end, *b" --no-cache"),
        });
    }
    if edits.is_empty() {
        return None;
    }
    // Anything else reads the index that an update fetched: `apk fetch`, `apk search`.
    let only_adds = apk
        .iter()
        .all(|operation| !matches!(operation.verb, Verb::Other | Verb::Clean));
    let with_update = only_adds && {
        let removals: Vec<Edit> = apk
            .iter()
            .filter(|operation| operation.verb == Verb::Update)
            .filter_map(|update| run_edit::removal(ctx, index, update.simple.span))
            .collect();
        let any = !removals.is_empty();
        edits.extend(removals);
        any
    };
    let reason = if with_update {
        "`apk --no-cache` fetches the index itself and leaves none behind"
    } else {
        "`apk --no-cache` leaves no index behind"
    };
    Some(Proposal::Rewrite(Rewrite {
        anchor: index,
        edits,
        reason: reason.to_owned(),
        ..Rewrite::default()
    }))
}
