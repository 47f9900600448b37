use crate::catalog::DownloadCache;
use crate::model::{PackageOperation, Setting, Stage, Verb};
use crate::rules::apt;
use crate::rules::declare::declare_rule;
use crate::rules::run_edit::{self, mount_covers};
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::Keyword;
use crate::text::Edit;

declare_rule! {
    /// Keeps the download caches of pip, npm, conda and their like out of the image.
    ///
    /// ## Why
    /// What was installed is in the image already: the cache holds it a second time.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM python:3.12-slim
    /// RUN pip install flask
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM python:3.12-slim
    /// RUN pip install --no-cache-dir flask
    /// ```
    ///
    /// ## When not
    /// A cache mount holds the cache, a variable turns it off already, the program runs from it (Yarn's Plug'n'Play, `npx` at
    /// start), or the tool is so old that it does not know the flag.
    pub(crate) SkipLanguageCaches { name: "skip-language-caches", level: Safe, hadolint: ["DL3042", "DL3060"] }
}

impl Rule for SkipLanguageCaches {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for stage in &ctx.model.stages {
            for index in ctx.model.of_kind(stage, Keyword::Run) {
                let operations = ctx.model.operations(index);
                if operations.is_empty() {
                    continue;
                }
                let (by_flag, by_command): (Vec<_>, Vec<_>) = ctx
                    .catalog
                    .download_caches()
                    .filter(|tool| installs(&operations, tool))
                    .partition(|tool| !tool.flag.is_empty());
                for tool in by_flag {
                    proposals.extend(flagged(ctx, stage, index, &operations, tool));
                }
                if stage.ships {
                    // Two tools in one RUN are rare, and two edits at its end would clash.
                    let mut tools = by_command.into_iter();
                    if let (Some(tool), None) = (tools.next(), tools.next()) {
                        proposals.extend(cleaned(ctx, stage, index, &operations, tool));
                    }
                }
            }
        }
        proposals
    }
}

/// Whether an operation is one of the tool's.
fn is_of(operation: &PackageOperation<'_>, tool: &DownloadCache) -> bool {
    let mut managers = tool.managers.get().iter();
    managers.any(|manager| **manager == *operation.manager.name)
}

fn installs(operations: &[PackageOperation<'_>], tool: &DownloadCache) -> bool {
    operations
        .iter()
        .any(|operation| operation.verb == Verb::Install && is_of(operation, tool))
}

/// Whether an install keeps the cache empty by itself, needs it, or has it elsewhere.
fn is_settled(operation: &PackageOperation<'_>, tool: &DownloadCache) -> bool {
    let flags = tool.settled_by.get().iter();
    operation.has_flag(&flags.map(|flag| flag.get()).collect::<Vec<_>>())
        || assigns(operation, &tool.variable)
}

/// Adds the flag to the installs of the RUN at `index` that lack it.
fn flagged(
    ctx: &Ctx<'_>,
    stage: &Stage,
    index: usize,
    operations: &[PackageOperation<'_>],
    tool: &DownloadCache,
) -> Option<Proposal> {
    let installs: Vec<&PackageOperation<'_>> = operations
        .iter()
        .filter(|operation| {
            is_of(operation, tool)
                && operation.verb == Verb::Install
                && !operation.position.in_inner_script
                && !is_settled(operation, tool)
        })
        .collect();
    let first = installs.first()?;
    let instruction = ctx.model.instruction(index);
    let settled = is_set(ctx, index, &tool.variable)
        || tool
            .caches
            .get()
            .iter()
            .any(|cache| mount_covers(instruction, cache))
        || !tool.everywhere && !stage.ships
        || tool.name == "gem" && gem_is_configured(ctx, stage);
    if settled {
        return None;
    }
    if is_too_old(ctx, stage, tool) && !is_renewed(ctx, stage, index) {
        return Some(Proposal::Refusal(Refusal {
            anchor: index,
            reason: format!(
                "`{}` may be too old for `{}` on this release",
                first.manager.name, tool.flag
            ),
            remedy: "build on a release that is still supported".to_owned(),
        }));
    }
    let text = format!(" {}", tool.flag);
    let edits: Vec<Edit> = installs
        .iter()
        .filter_map(|install| install.verb_word)
        .filter(|word| word.contiguous)
        .map(|word| Edit::insert(word.span.end, text.as_bytes()))
        .collect();
    (!edits.is_empty()).then(|| {
        Proposal::Rewrite(Rewrite {
            anchor: index,
            edits,
            reason: format!(
                "`{} install {}` keeps no copy of what it fetched",
                first.manager.name, tool.flag
            ),
            ..Rewrite::default()
        })
    })
}

/// Adds the tool's own cleaning to the end of the RUN at `index`.
fn cleaned(
    ctx: &Ctx<'_>,
    stage: &Stage,
    index: usize,
    operations: &[PackageOperation<'_>],
    tool: &DownloadCache,
) -> Option<Proposal> {
    let own = |operation: &&PackageOperation<'_>| is_of(operation, tool);
    let last = operations
        .iter()
        .filter(own)
        .rfind(|operation| operation.verb == Verb::Install && !is_settled(operation, tool))?;
    let instruction = ctx.model.instruction(index);
    let text = instruction.body.text();
    let cleans = operations
        .iter()
        .filter(own)
        .any(|operation| operation.verb == Verb::Clean)
        || last.manager.clean.get().iter().any(|verb| {
            let mut managers = tool.managers.get().iter();
            managers.any(|manager| apt::mentions(text, format!("{manager} {verb}").as_bytes()))
        })
        || tool.caches.get().iter().any(|cache| {
            let tail = cache.trim_start_matches("/root").trim_start_matches('~');
            apt::mentions(text, tail.as_bytes())
        });
    let is_mounted = tool
        .caches
        .get()
        .iter()
        .any(|cache| mount_covers(instruction, cache));
    if cleans || is_mounted || is_set(ctx, index, &tool.variable) {
        return None;
    }
    if tool.read_again && !runs_alone(ctx, stage, index, tool)
        || tool.name == "yarn" && !is_yarn_classic(ctx)
    {
        return None;
    }
    let refuse = |reason: String| {
        Some(Proposal::Refusal(Refusal {
            anchor: index,
            reason: format!("the cache of `{}` stays: {reason}", last.manager.name),
            remedy: format!("end the RUN with `{}`", tool.command),
        }))
    };
    if last.position.conditional {
        return refuse("it runs under a condition".to_owned());
    }
    if last.position.in_inner_script || last.position.in_substitution || last.position.in_subshell {
        return refuse("it runs in a script or subshell of its own".to_owned());
    }
    if !last.prefix.is_empty() || !last.simple.assignments.is_empty() {
        return refuse("it is run by another program or with variables of its own".to_owned());
    }
    if !last
        .program
        .raw
        .eq_ignore_ascii_case(last.manager.name.as_bytes())
    {
        return refuse("it is called by a path".to_owned());
    }
    if starts_with_word(ctx, stage, &tool.needed_by) {
        return refuse(format!(
            "what starts in the image calls `{}`",
            tool.needed_by.trim()
        ));
    }
    let command = tool
        .command
        .replacen(tool.name.get(), last.manager.name.get(), 1);
    match run_edit::append(ctx, index, &command) {
        Ok(edit) => Some(Proposal::Rewrite(Rewrite {
            anchor: index,
            edits: vec![edit],
            reason: format!(
                "the cache of `{}` is emptied in the layer that filled it",
                last.manager.name
            ),
            ..Rewrite::default()
        })),
        Err(reason) => refuse(reason),
    }
}

/// Whether no other RUN of the file runs the tool, and nothing keeps paths into its cache.
fn runs_alone(ctx: &Ctx<'_>, stage: &Stage, index: usize, tool: &DownloadCache) -> bool {
    let own = |operation: &PackageOperation<'_>| {
        let name = operation.manager.name.get();
        let mut managers = tool.managers.get().iter();
        managers.any(|manager| name.starts_with(manager.get()))
    };
    let others = (0..ctx.dockerfile.instructions().len()).filter(|at| *at != index);
    let is_alone = others
        .filter(|at| ctx.model.instruction(*at).keyword == Keyword::Run)
        .all(|at| {
            let text = ctx.model.instruction(at).body.text();
            !ctx.model.operations(at).iter().any(own)
                && !apt::mentions(text, tool.needed_by.as_bytes())
        });
    let keeps_paths = ["build-classpath", ".m2", ".gradle"]
        .iter()
        .any(|part| apt::mentions(ctx.dockerfile.source(), part.as_bytes()));
    is_alone && !keeps_paths && ctx.model.children(stage.index).is_empty()
}

/// Whether the lock file is that of Yarn 1: later ones may run the program out of the cache.
fn is_yarn_classic(ctx: &Ctx<'_>) -> bool {
    let Some(context) = ctx.context else {
        return false;
    };
    let mut locks = context
        .visible()
        .filter(|(path, _)| crate::model::path::file_name(path) == "yarn.lock")
        .peekable();
    locks.peek().is_some()
        && locks.all(|(path, _)| {
            context
                .read_head(path, 200)
                .is_some_and(|head| apt::mentions(&head, b"yarn lockfile v1"))
        })
}

/// Whether the variable is set where the RUN at `index` runs.
fn is_set(ctx: &Ctx<'_>, index: usize, variable: &str) -> bool {
    if variable.is_empty() {
        return false;
    }
    let state = ctx.model.state(index);
    let set = |name: &str| state.variables.contains_key(name) || state.args.contains_key(name);
    let exported = ctx.model.script(index).is_some_and(|script| {
        script
            .exports()
            .iter()
            .chain(&script.assigns())
            .any(|name| *name == variable.as_bytes())
    });
    set(variable) || set(&variable.to_uppercase()) || exported
}

/// Whether the command itself sets the variable.
fn assigns(operation: &PackageOperation<'_>, variable: &str) -> bool {
    let prefix = format!("{variable}=");
    !variable.is_empty()
        && (operation
            .simple
            .assignments
            .iter()
            .any(|assignment| assignment.name == variable.as_bytes())
            || operation
                .prefix
                .iter()
                .any(|word| word.raw.starts_with(prefix.as_bytes())))
}

/// Official Ruby images write no documentation, and an unknown image may have such a `gemrc`, too.
fn gem_is_configured(ctx: &Ctx<'_>, stage: &Stage) -> bool {
    let configured = ctx
        .model
        .base_facts(stage.index)
        .is_none_or(|facts| matches!(facts.family.name.get(), "ruby" | "jruby" | "rails"));
    configured || apt::mentions(ctx.dockerfile.source(), b"gemrc")
}

/// Whether the tool may come from a package of a release that had not got the flag yet.
fn is_too_old(ctx: &Ctx<'_>, stage: &Stage, tool: &DownloadCache) -> bool {
    let Some(facts) = ctx.model.base_facts(stage.index) else {
        return installs_python2_pip(ctx, stage);
    };
    if facts.family.name == "python" || facts.family.name == "ruby" {
        return false;
    }
    let release = facts.release.map_or("", |release| release.name.get());
    tool.too_old_in.get().iter().any(|old| **old == *release)
}

/// Whether an earlier RUN put a newer pip in the place of the distribution's.
fn is_renewed(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> bool {
    let runs = ctx.model.of_kind(stage, Keyword::Run);
    runs.take_while(|at| *at < index).any(|at| {
        let text = ctx.model.instruction(at).body.text();
        apt::mentions(text, b"get-pip")
            || apt::mentions(text, b"easy_install pip")
            || ctx.model.operations(at).iter().any(|operation| {
                operation.manager.name.get().starts_with("pip")
                    && operation.has_flag(&["-U", "--upgrade"])
                    && operation
                        .packages
                        .iter()
                        .any(|word| word.literal.as_deref() == Some(b"pip"))
            })
    })
}

/// Whether the stage installs the distribution's pip for Python 2: on a release that nobody knows it may be version 1.
fn installs_python2_pip(ctx: &Ctx<'_>, stage: &Stage) -> bool {
    ctx.model.chain(stage.index).iter().any(|stage| {
        ctx.model
            .of_kind(stage, Keyword::Run)
            .flat_map(|index| {
                ctx.model
                    .operations(index)
                    .iter()
                    .flat_map(|operation| operation.packages.clone())
                    .filter_map(|word| word.literal.clone())
                    .collect::<Vec<_>>()
            })
            .any(|package| package == b"python-pip")
    })
}

/// Whether CMD, ENTRYPOINT or what the repository runs in the image holds `word`.
fn starts_with_word(ctx: &Ctx<'_>, stage: &Stage, word: &str) -> bool {
    let config = &stage.end.config;
    [&config.cmd, &config.entrypoint]
        .into_iter()
        .filter_map(Setting::set)
        .any(|line| line.form.argv().join(" ").contains(word))
        || ctx
            .settings
            .usage
            .commands
            .iter()
            .any(|command| command.contains(word))
}
