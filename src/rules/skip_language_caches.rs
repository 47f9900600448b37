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
                for tool in FLAGS {
                    proposals.extend(flagged(ctx, stage, index, &operations, tool));
                }
                if stage.ships {
                    // Two tools in one RUN are rare, and two edits at its end would clash.
                    let used = |tool: &&Cleaning| {
                        operations.iter().any(|operation| {
                            operation.verb == Verb::Install
                                && tool.managers.contains(&operation.manager.name.get())
                        })
                    };
                    let mut tools = COMMANDS.iter().filter(used);
                    if let (Some(tool), None) = (tools.next(), tools.next()) {
                        proposals.extend(cleaned(ctx, stage, index, &operations, tool));
                    }
                }
            }
        }
        proposals
    }
}

/// A tool with a flag that keeps its cache empty.
struct Flag {
    /// Its commands; pip's with a version (`pip3.11`) are among them.
    managers: &'static [&'static str],
    /// What is written after the verb.
    flag: &'static str,
    /// Flags that say the same, or that put the cache elsewhere.
    settled_by: &'static [&'static str],
    /// A variable that turns the cache off.
    variable: &'static str,
    /// Where the cache lies.
    caches: &'static [&'static str],
    /// Releases of distributions whose own package of the tool does not know the flag.
    too_old_in: &'static [&'static str],
    /// Whether the flag also goes into stages that are thrown away.
    everywhere: bool,
}

const FLAGS: &[Flag] = &[
    Flag {
        managers: &["pip", "pip2", "pip3"],
        flag: "--no-cache-dir",
        settled_by: &[
            "--no-cache-dir",
            "--no-cache",
            "--cache-dir",
            "--download-cache",
        ],
        variable: "PIP_NO_CACHE_DIR",
        caches: &["/root/.cache/pip", "/root/.cache", "~/.cache/pip"],
        too_old_in: OLD,
        everywhere: true,
    },
    Flag {
        managers: &["gem"],
        flag: "--no-document",
        settled_by: &[
            "--no-document",
            "--document",
            "--no-ri",
            "--no-rdoc",
            "--rdoc",
            "--ri",
            "-N",
            "--no-doc",
        ],
        variable: "",
        caches: &[],
        too_old_in: OLD,
        everywhere: false,
    },
    Flag {
        managers: &["uv"],
        flag: "--no-cache",
        settled_by: &[
            "--no-cache",
            "-n",
            "--cache-dir",
            "--offline",
            "--link-mode",
        ],
        variable: "UV_NO_CACHE",
        caches: &["/root/.cache/uv", "/root/.cache", "~/.cache/uv"],
        too_old_in: &[],
        everywhere: false,
    },
];

/// Releases with pip 1 and RubyGems 1.
const OLD: &[&str] = &["jessie", "lucid", "precise", "squeeze", "trusty", "wheezy"];

/// A tool that a command of its own cleans after.
struct Cleaning {
    managers: &'static [&'static str],
    /// What is run at the end of the RUN.
    command: &'static str,
    /// Flags that keep the cache empty, or need it.
    settled_by: &'static [&'static str],
    /// A variable that moves the cache or turns it off.
    variable: &'static str,
    /// Where the cache lies.
    caches: &'static [&'static str],
    /// A word in what starts in the image that needs the cache.
    needed_by: &'static str,
    /// Whether what is built later reads the cache: then it is emptied only where one RUN alone runs the tool.
    is_read_again: bool,
}

const COMMANDS: &[Cleaning] = &[
    Cleaning {
        managers: &["npm"],
        command: "npm cache clean --force",
        settled_by: &[
            "--cache",
            "--offline",
            "--prefer-offline",
            "--dry-run",
            "--package-lock-only",
        ],
        variable: "npm_config_cache",
        caches: &["/root/.npm", "~/.npm"],
        needed_by: "npx",
        is_read_again: false,
    },
    Cleaning {
        managers: &["conda", "mamba"],
        command: "conda clean -afy",
        settled_by: &["--offline", "--dry-run"],
        variable: "CONDA_PKGS_DIRS",
        caches: &["/opt/conda/pkgs"],
        needed_by: "conda install",
        is_read_again: false,
    },
    Cleaning {
        managers: &["composer"],
        command: "composer clear-cache",
        settled_by: &["--no-cache", "--dry-run"],
        variable: "COMPOSER_CACHE_DIR",
        caches: &[
            "/root/.composer/cache",
            "/root/.cache/composer",
            "/tmp/cache",
            "~/.composer/cache",
        ],
        needed_by: "composer ",
        is_read_again: false,
    },
    Cleaning {
        managers: &["yarn"],
        command: "yarn cache clean",
        settled_by: &["--cache-folder", "--offline", "--prefer-offline"],
        variable: "YARN_CACHE_FOLDER",
        caches: &[
            "/usr/local/share/.cache/yarn",
            "/root/.cache/yarn",
            "~/.cache/yarn",
        ],
        needed_by: "npx",
        is_read_again: false,
    },
    Cleaning {
        managers: &["poetry"],
        command: "rm -rf ~/.cache/pypoetry/artifacts ~/.cache/pypoetry/cache",
        settled_by: &["--dry-run"],
        variable: "POETRY_CACHE_DIR",
        caches: &["/root/.cache/pypoetry", "/root/.cache", "~/.cache/pypoetry"],
        needed_by: "poetry install",
        is_read_again: false,
    },
    Cleaning {
        managers: &["pipenv"],
        command: "rm -rf ~/.cache/pip ~/.cache/pipenv",
        settled_by: &["--dry-run"],
        variable: "PIPENV_CACHE_DIR",
        caches: &["/root/.cache/pipenv", "/root/.cache", "~/.cache/pipenv"],
        needed_by: "pipenv install",
        is_read_again: false,
    },
    Cleaning {
        managers: &["mvn"],
        command: "rm -rf ~/.m2/repository",
        settled_by: &["-o", "--offline", "-s", "--settings", "-Dmaven.repo.local"],
        variable: "MAVEN_REPO_LOCAL",
        caches: &["/root/.m2", "/root/.m2/repository", "~/.m2/repository"],
        needed_by: "mvn",
        is_read_again: true,
    },
    Cleaning {
        managers: &["gradle"],
        command: "rm -rf ~/.gradle/caches",
        settled_by: &["--offline", "-g", "--gradle-user-home"],
        variable: "GRADLE_USER_HOME",
        caches: &["/root/.gradle", "/root/.gradle/caches", "~/.gradle/caches"],
        needed_by: "gradle",
        is_read_again: true,
    },
];

/// Adds the flag to the installs of the RUN at `index` that lack it.
fn flagged(
    ctx: &Ctx<'_>,
    stage: &Stage,
    index: usize,
    operations: &[PackageOperation<'_>],
    tool: &Flag,
) -> Option<Proposal> {
    let installs: Vec<&PackageOperation<'_>> = operations
        .iter()
        .filter(|operation| {
            tool.managers.contains(&operation.manager.name.get())
                && operation.verb == Verb::Install
                && !operation.has_flag(tool.settled_by)
                && !operation.position.in_inner_script
                && !assigns(operation, tool.variable)
        })
        .collect();
    let first = installs.first()?;
    let instruction = ctx.model.instruction(index);
    let settled = is_set(ctx, index, tool.variable)
        || tool
            .caches
            .iter()
            .any(|cache| mount_covers(instruction, cache))
        || !tool.everywhere && !stage.ships
        || tool.managers == ["gem"] && gem_is_configured(ctx, stage);
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
    tool: &Cleaning,
) -> Option<Proposal> {
    let own =
        |operation: &&PackageOperation<'_>| tool.managers.contains(&operation.manager.name.get());
    let last = operations.iter().filter(own).rfind(|operation| {
        operation.verb == Verb::Install && !operation.has_flag(tool.settled_by)
    })?;
    let instruction = ctx.model.instruction(index);
    let text = instruction.body.text();
    let cleans = operations
        .iter()
        .filter(own)
        .any(|operation| operation.verb == Verb::Clean)
        || tool.managers.iter().any(|manager| {
            ["cache clean", "clean", "clear-cache", "clearcache", "cc"]
                .iter()
                .any(|verb| apt::mentions(text, format!("{manager} {verb}").as_bytes()))
        })
        || tool.caches.iter().any(|cache| {
            let tail = cache.trim_start_matches("/root").trim_start_matches('~');
            apt::mentions(text, tail.as_bytes())
        });
    let is_mounted = tool
        .caches
        .iter()
        .any(|cache| mount_covers(instruction, cache));
    if cleans || is_mounted || is_set(ctx, index, tool.variable) || assigns(last, tool.variable) {
        return None;
    }
    if tool.is_read_again && !runs_alone(ctx, stage, index, tool)
        || tool.managers == ["yarn"] && !is_yarn_classic(ctx)
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
    if starts_with_word(ctx, stage, tool.needed_by) {
        return refuse(format!(
            "what starts in the image calls `{}`",
            tool.needed_by.trim()
        ));
    }
    let command = tool
        .command
        .replacen(tool.managers[0], last.manager.name.get(), 1);
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
fn runs_alone(ctx: &Ctx<'_>, stage: &Stage, index: usize, tool: &Cleaning) -> bool {
    let own = |operation: &PackageOperation<'_>| {
        let name = operation.manager.name.get();
        tool.managers
            .iter()
            .any(|manager| name.starts_with(manager))
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
fn is_too_old(ctx: &Ctx<'_>, stage: &Stage, tool: &Flag) -> bool {
    let Some(facts) = ctx.model.base_facts(stage.index) else {
        return installs_python2_pip(ctx, stage);
    };
    if facts.family.name == "python" || facts.family.name == "ruby" {
        return false;
    }
    let release = facts.release.map_or("", |release| release.name.get());
    tool.too_old_in.contains(&release)
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
