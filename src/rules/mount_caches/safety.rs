//! What speaks against a cache mount: who owns it, what else lies there, and what would miss what it holds.

use crate::catalog::{CommandKind, Manager};
use crate::model::PackageOperation;
use crate::model::path::{is_under, resolve};
use crate::rules::Ctx;
use crate::rules::bases::is_builtin;
use crate::rules::image_paths::destination;
use crate::shell::{Script, Word};
use crate::syntax::{Instruction, Keyword};

use super::{Run, Tree};

/// A reason, and what would lift it.
type Why = (String, String);

fn why(reason: impl Into<String>, remedy: &str) -> Why {
    (reason.into(), remedy.to_owned())
}

/// The home folder of the user that runs an instruction, and who that is where it is not root.
pub(super) struct Home {
    folder: String,
    user: Option<(u32, u32)>,
}

/// The home folder at the RUN at `index`.
///
/// # Errors
/// When the user, or its home, is not known.
pub(super) fn home(ctx: &Ctx<'_>, index: usize) -> Result<Home, Why> {
    let unknown = || {
        why(
            "the home folder of the user that runs it is not known",
            "write the mount yourself, with `uid=` and `gid=`",
        )
    };
    let state = ctx.model.state(index);
    let set = state.variables.get("HOME").cloned();
    if set
        .as_deref()
        .is_some_and(|home| !home.starts_with('/') || home.contains('$'))
    {
        return Err(unknown());
    }
    if ctx.model.is_root(index) {
        return Ok(Home {
            folder: set.unwrap_or_else(|| "/root".to_owned()),
            user: None,
        });
    }
    let stage = ctx.model.stage_of(index).ok_or_else(unknown)?;
    let facts = ctx.model.base_facts(stage.index).ok_or_else(unknown)?;
    let written = state
        .config
        .user
        .as_deref()
        .or(facts.user())
        .ok_or_else(unknown)?;
    let name = written.split(':').next().unwrap_or_default();
    let account = facts
        .users()
        .find(|(known, uid, ..)| *known == name || uid.to_string() == name);
    let (_, uid, gid, folder) = account.ok_or_else(unknown)?;
    Ok(Home {
        folder: set.unwrap_or_else(|| folder.to_owned()),
        user: Some((uid, gid)),
    })
}

impl Home {
    /// The target of the catalog as a path of the image.
    pub(super) fn resolve(&self, target: &str) -> String {
        match target.strip_prefix("~/") {
            Some(below) => format!("{}/{below}", self.folder.trim_end_matches('/')),
            None => target.to_owned(),
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.user.is_none()
    }

    /// `,uid=1000,gid=1000`
    pub(super) fn owner(&self) -> String {
        self.user
            .map_or_else(String::new, |(uid, gid)| format!(",uid={uid},gid={gid}"))
    }

    /// Checks that the folders above `target`, which the builder makes as root's, are the user's already.
    pub(super) fn may_hold(&self, target: &str) -> Result<(), Why> {
        let parent = target.rsplit_once('/').map_or("", |(parent, _)| parent);
        if self.user.is_none() || parent == self.folder {
            return Ok(());
        }
        Err(why(
            format!(
                "the builder would make {parent} as root's, and a user that is not root runs it"
            ),
            "make the folder first, and write the mount yourself",
        ))
    }
}

/// Checks that nothing of the build lies at `target`, or is looked for there; `written` is the target as the catalog has it.
pub(super) fn target(tree: &Tree<'_>, written: &str, target: &str) -> Result<(), Why> {
    let ctx = tree.ctx;
    for stage in &ctx.model.stages {
        let of_tree = stage.index == tree.stage.index
            || ctx
                .model
                .chain(stage.index)
                .iter()
                .any(|link| link.index == tree.stage.index);
        for index in stage.body.clone() {
            let instruction = ctx.model.instruction(index);
            let Some(copy) = instruction.as_copy() else {
                continue;
            };
            let line = instruction.lines.0;
            if of_tree {
                let Some(to) = destination(ctx, index, &copy) else {
                    return Err(why(format!("where line {line} copies to is not known"), ""));
                };
                let above = to != "/" && is_under(target, &to);
                if is_under(&to, target) || above {
                    return Err(why(format!("line {line} copies files to {to}"), ""));
                }
            }
            if let Some(from) = copy.from
                && takes_from(
                    tree,
                    index,
                    &ctx.model.state(index).expand(from, ctx.dockerfile.escape()),
                )
            {
                for source in &copy.sources {
                    let source = ctx
                        .model
                        .state(index)
                        .expand(source.text, ctx.dockerfile.escape());
                    let source = resolve("/", &source);
                    if is_under(&source, target) || is_under(target, &source) {
                        return Err(why(
                            format!(
                                "line {line} copies {source} out of the stage, which the mount would empty"
                            ),
                            "",
                        ));
                    }
                }
            }
        }
        for index in ctx.model.of_kind(stage, Keyword::Run) {
            let from_tree = ctx.model.instruction(index).mounts().iter().any(|mount| {
                mount.options.iter().any(|(key, value)| {
                    key == "from"
                        && value
                            .as_deref()
                            .is_some_and(|from| takes_from(tree, index, from))
                })
            });
            if from_tree {
                return Err(why(
                    format!(
                        "line {} mounts the stage",
                        ctx.model.instruction(index).lines.0
                    ),
                    "",
                ));
            }
        }
    }
    // `/root/.cache/pip` may be named by its end, after `~` or a variable, and by a folder above it.
    let tail = written.trim_start_matches("~/").trim_start_matches('/');
    for run in &tree.runs {
        let line = run.instruction.lines.0;
        if names(ctx, run.index, target, tail) {
            return Err(why(
                format!("line {line} works on the folder itself"),
                "leave that to the mount: what lies in it is in no layer",
            ));
        }
    }
    Ok(())
}

/// Whether `from`, written at the instruction `index`, is a stage of the tree.
pub(super) fn takes_from(tree: &Tree<'_>, index: usize, from: &str) -> bool {
    let model = tree.ctx.model;
    let own = model.stage_of(index).map_or(0, |stage| stage.index);
    let lower = from.to_lowercase();
    let stage = model.stages[..own]
        .iter()
        .rev()
        .find(|stage| stage.name.as_deref() == Some(&*lower))
        .or_else(|| model.stages.get(from.parse::<usize>().ok()?));
    stage.is_some_and(|stage| {
        model
            .chain(stage.index)
            .iter()
            .any(|link| link.index == tree.stage.index)
    })
}

/// Whether the commands of a RUN name the folder `target`, one in it, or one above it that they may delete.
fn names(ctx: &Ctx<'_>, index: usize, target: &str, tail: &str) -> bool {
    let Some(script) = ctx.model.script(index) else {
        return true;
    };
    let deep = tail.contains('/') || tail.starts_with('.');
    let named = |word: &Word| {
        let text =
            String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned();
        let path = text.trim_end_matches(['*', '/']);
        let path = path
            .replacen("~", "/root", 1)
            .replace("$HOME", "/root")
            .replace("${HOME}", "/root");
        let by_path = path.starts_with('/')
            && (is_under(&path, target) || path != "/" && is_under(target, &path));
        let by_tail = deep && text.contains(tail);
        let above = path.ends_with("/.cache") && target.contains("/.cache/");
        by_path || by_tail || above
    };
    script.invocations().iter().any(|invocation| {
        let is_cleaning = matches!(
            invocation.name(),
            Some(
                b"rm"
                    | b"mv"
                    | b"cp"
                    | b"ln"
                    | b"find"
                    | b"chown"
                    | b"chmod"
                    | b"du"
                    | b"tar"
                    | b"mkdir"
            )
        );
        is_cleaning && invocation.arguments().iter().any(named)
            || invocation.simple.words.iter().any(|word| {
                let text = String::from_utf8_lossy(&word.raw).into_owned();
                deep && text.contains(tail)
            })
    }) || cleans(script)
}

/// Whether a script empties a cache by the manager's own command.
fn cleans(script: &Script) -> bool {
    script.invocations().iter().any(|invocation| {
        let words: Vec<String> = invocation
            .arguments()
            .iter()
            .map(|word| String::from_utf8_lossy(&word.raw).into_owned())
            .collect();
        let has = |name: &str| words.iter().any(|word| word == name);
        match invocation.name() {
            Some(b"npm" | b"yarn" | b"pip" | b"pip3" | b"uv" | b"bun" | b"poetry") => has("cache"),
            Some(b"pnpm") => has("store"),
            Some(b"go") => has("-modcache") || has("-cache"),
            Some(b"mvn") => has("dependency:purge-local-repository"),
            Some(b"dotnet") => has("locals"),
            _ => false,
        }
    })
}

/// Checks that the manager keeps its cache where the catalog says, and that nothing misses it in a layer.
pub(super) fn manager(tree: &Tree<'_>, manager: &Manager, users: &[usize]) -> Result<(), Why> {
    let ctx = tree.ctx;
    for at in users {
        let run = &tree.runs[*at];
        let line = run.instruction.lines.0;
        for word in manager.moved_by {
            if moves(ctx, run, manager, word.get()) {
                return Err(why(
                    format!("{} puts the cache elsewhere, or turns it off", word.get()),
                    "write the mount for that folder yourself",
                ));
            }
        }
        let offline = tree.calls(run, manager).any(|operation| {
            manager
                .offline
                .into_iter()
                .any(|flag| has_flag(operation, flag.get()))
        });
        if offline {
            return Err(why(
                format!("line {line} fetches nothing, and finds in no layer what a mount holds"),
                "",
            ));
        }
    }
    if !manager.lists.is_empty() {
        let others = tree.runs.iter().find(|run| {
            !run.operations
                .iter()
                .any(|operation| operation.manager.name == manager.name)
                && mentions(
                    ctx.dockerfile.bytes(run.instruction.span),
                    b"apt-get install",
                )
        });
        if let Some(run) = others {
            return Err(why(
                format!(
                    "line {} may need the package lists in a layer",
                    run.instruction.lines.0
                ),
                "",
            ));
        }
    }
    if !manager.needs_cache {
        return Ok(());
    }
    let Some(first) = users.first() else {
        return Ok(());
    };
    for at in first + 1..tree.runs.len() {
        if users.contains(&at) {
            continue;
        }
        let run = &tree.runs[at];
        if let Some(name) = builder(ctx, run, manager) {
            return Err(why(
                format!(
                    "line {} runs {name}, which would fetch again what is then in no layer",
                    run.instruction.lines.0
                ),
                "write the mount at both RUNs yourself",
            ));
        }
    }
    Ok(())
}

/// Whether the flag is there as it is written, with or without a value after `=`; `-s` is not in `-DskipTests`.
fn has_flag(operation: &PackageOperation<'_>, flag: &str) -> bool {
    operation.simple.words.iter().any(|word| {
        word.raw
            .strip_prefix(flag.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
    })
}

/// Whether the variable or flag `word` is set where the manager runs.
fn moves(ctx: &Ctx<'_>, run: &Run<'_>, manager: &Manager, word: &str) -> bool {
    if word.starts_with('-') {
        return run
            .operations
            .iter()
            .any(|operation| operation.manager.name == manager.name && has_flag(operation, word));
    }
    let state = ctx.model.state(run.index);
    let upper = word.to_uppercase();
    let own = |name: &str| name == word || name == upper;
    let in_state = state.variables.iter().any(|(name, value)| {
        // What is set to the default moves nothing.
        own(name)
            && !manager.mounts.get().iter().any(|mount| {
                mount
                    .target
                    .starts_with(&format!("{}/", value.trim_end_matches('/')))
            })
    }) || state
        .args
        .keys()
        .any(|name| own(name) && !state.variables.contains_key(name));
    let in_script = ctx.model.script(run.index).is_some_and(|script| {
        script
            .exports()
            .iter()
            .chain(&script.assigns())
            .any(|name| own(&String::from_utf8_lossy(name)))
    });
    let by_command = run.operations.iter().any(|operation| {
        operation
            .simple
            .assignments
            .iter()
            .any(|assignment| own(&String::from_utf8_lossy(&assignment.name)))
            || operation.prefix.iter().any(|prefix| {
                let text = String::from_utf8_lossy(&prefix.raw).into_owned();
                text.split_once('=').is_some_and(|(name, _)| own(name))
            })
    });
    in_state || in_script || by_command
}

/// Whether a RUN at or before this one deletes what empties apt's cache.
pub(super) fn docker_clean_is_gone(ctx: &Ctx<'_>, run: &Run<'_>) -> bool {
    let Some(stage) = ctx.model.stage_of(run.index) else {
        return false;
    };
    ctx.model.chain(stage.index).iter().any(|stage| {
        ctx.model
            .of_kind(stage, Keyword::Run)
            .filter(|index| *index <= run.index)
            .any(|index| {
                let instruction: &Instruction = ctx.model.instruction(index);
                mentions(ctx.dockerfile.bytes(instruction.span), b"docker-clean")
            })
    })
}

/// A command of the RUN that may build from what the manager fetched, without being the manager.
fn builder(ctx: &Ctx<'_>, run: &Run<'_>, manager: &Manager) -> Option<String> {
    let Some(script) = ctx.model.script(run.index) else {
        return Some("what cannot be read as shell".to_owned());
    };
    script.invocations().iter().find_map(|invocation| {
        let Some(name) = invocation.name() else {
            return (!invocation.simple.words.is_empty()).then(|| "a computed command".to_owned());
        };
        let name = String::from_utf8_lossy(name).into_owned();
        if name == manager.name.get() || is_builtin(&name) || invocation.inner().is_some() {
            return None;
        }
        if ctx.catalog.package_manager(&name).is_some() {
            return None;
        }
        match ctx.catalog.command(&name).map(|command| command.kind) {
            Some(CommandKind::BuildTool | CommandKind::Interpreter) | None => Some(name),
            Some(_) => None,
        }
    })
}

fn mentions(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
