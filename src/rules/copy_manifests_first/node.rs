//! npm, Yarn, pnpm and Bun: what an install reads, and `npm ci` for `npm install`.

use crate::context::Context;
use crate::model::path::resolve;
use crate::model::{PackageOperation, Stage, Verb};
use crate::rules::{Ctx, Proposal, Rewrite};
use crate::stack::node::{Agreement, LockFormat, Manager, Need, Node};
use crate::stack::{Details, Project, STACKS};
use crate::syntax::Keyword;
use crate::text::Edit;

use super::join;
use super::step::{Call, Install, Step};

/// Flags that name another folder or a part of the project.
const ELSEWHERE: &[&str] = &[
    "--prefix",
    "-C",
    "--cwd",
    "--dir",
    "--workspace",
    "-w",
    "--filter",
    "-F",
    "--modules-folder",
];

/// Flags of `npm install` that `npm ci` takes with the same meaning.
const CI_FLAGS: &[&str] = &[
    "--audit",
    "--cache",
    "--fetch-retries",
    "--fetch-timeout",
    "--force",
    "-f",
    "--ignore-scripts",
    "--include",
    "--legacy-peer-deps",
    "--loglevel",
    "--maxsockets",
    "--no-audit",
    "--no-fund",
    "--no-optional",
    "--no-progress",
    "--no-update-notifier",
    "--omit",
    "--only",
    "--prefer-offline",
    "--production",
    "--quiet",
    "-q",
    "--registry",
    "--silent",
    "-s",
    "--unsafe-perm",
    "--verbose",
    "-d",
    "-dd",
    "-ddd",
];

/// What a call of a Node package manager reads.
pub(super) fn step(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let verb = operation.verb_word.and_then(|word| word.literal.as_deref());
    let operands: Vec<&[u8]> = operation
        .packages
        .iter()
        .map(|word| word.raw.as_slice())
        .collect();
    let name = operation.manager.name.get();
    match operation.verb {
        Verb::Clean => Step::Nothing,
        Verb::Other => match operands.first() {
            None if !operation.flags.is_empty() => Step::Nothing,
            Some(&b"config" | &b"set") if name == "npm" => Step::Nothing,
            _ => Step::Everything,
        },
        Verb::Install => {
            let global = operation.has_flag(&["-g", "--global", "--location"])
                || call.simple.words.iter().any(|word| word.raw == b"global");
            let names_paths = operands
                .iter()
                .any(|word| word.starts_with(b".") || word.starts_with(b"/") || word.is_empty());
            match (global, operands.is_empty()) {
                (true, false) if !names_paths => Step::Nothing,
                (false, true) => project_install(call, operation, verb),
                _ => Step::Everything,
            }
        }
        _ => Step::Everything,
    }
}

fn project_install(call: &Call<'_>, operation: &PackageOperation<'_>, verb: Option<&[u8]>) -> Step {
    if operation.has_flag(ELSEWHERE) {
        return Step::refused(
            format!("`{}` installs elsewhere", call.text()),
            "set WORKDIR to the folder of the package",
        );
    }
    let Some(project) = call.project("node") else {
        return Step::Everything;
    };
    let Details::Node(node) = &project.details else {
        return Step::Everything;
    };
    let ignores_scripts = operation.has_flag(&["--ignore-scripts"]) || node.settings.ignore_scripts;
    let mut install = match reads(call.context, &project, node, ignores_scripts) {
        Ok(install) => install,
        Err((why, remedy)) => return Step::refused(why, &remedy),
    };
    operation
        .manager
        .name
        .get()
        .clone_into(&mut install.manager);
    install.what = call.text();
    let takes_lock = verb.is_some_and(|verb| {
        takes_lock(
            call.copy.ctx,
            call.copy.stage,
            call.context,
            node,
            operation,
            verb,
        )
    });
    if takes_lock && let Some(word) = operation.verb_word {
        install.edits.push(Edit::replace(word.span, "ci"));
        "npm ci".clone_into(&mut install.what);
    }
    Step::Install(Box::new(install))
}

type Refused = (String, String);

/// Manifests, lock files and what install scripts need.
fn reads(
    context: &Context,
    project: &Project,
    node: &Node,
    ignores_scripts: bool,
) -> Result<Install, Refused> {
    let refused = |why: String, remedy: &str| Err((why, remedy.to_owned()));
    if !node.workspaces_complete {
        return refused(
            "not every workspace is in the build context".to_owned(),
            "list the workspaces by folder",
        );
    }
    if node.is_plug_and_play() {
        return refused(
            "Yarn's Plug'n'Play keeps what it installs in files that the copy would overwrite"
                .to_owned(),
            "set `nodeLinker: node-modules`",
        );
    }
    let root = project.root.as_str();
    let mut install = Install::default();
    for manifest in std::iter::once(&node.manifest).chain(&node.workspaces) {
        for (name, range) in manifest.installed() {
            let is_local = ["file:", "link:", "portal:", "./", "../"]
                .iter()
                .any(|scheme| range.starts_with(scheme));
            if is_local && !range.ends_with(".tgz") {
                return refused(format!("`{name}` comes from a folder of the project"), "");
            }
        }
        if manifest.path != node.manifest.path && !manifest.bin.is_empty() {
            return refused(
                format!("the install links the commands of {}", manifest.path),
                "",
            );
        }
        install
            .makes
            .push((manifest.folder().to_owned(), "node_modules".to_owned()));
    }
    install.files.clone_from(&project.manifests);
    install.files.extend(project.locks.iter().cloned());
    let mut folders = vec![".yarn/plugins", ".yarn/patches", ".yarn/cache"];
    if node.manager == Manager::Pnpm {
        folders.push("patches");
    }
    if !ignores_scripts && node.manifest.depends_on("@prisma/client") {
        if node.manifest.sections.contains("prisma") {
            return refused(
                "package.json says where Prisma's schema is, and the install reads it".to_owned(),
                "",
            );
        }
        if let Some(schema) = Some(join(root, "schema.prisma")).filter(|path| context.has(path)) {
            install.files.push(schema);
        }
        folders.push("prisma");
    }
    for folder in folders {
        let path = join(root, folder);
        if context.is_folder(&path) {
            install.folders.push(path);
        }
    }
    if ignores_scripts {
        return Ok(install);
    }
    for script in &node.install_scripts {
        for need in &script.needs {
            let what = format!("`{}` runs `{}`", script.name, script.command);
            match need {
                Need::Path(path) if context.is_folder(path) => {
                    if !install.folders.contains(path) {
                        install.folders.push(path.clone());
                    }
                }
                Need::Path(path) if context.has(path) => install.files.push(path.clone()),
                Need::Path(_) | Need::DevDependency(_) => {}
                // Without the folder the script found none before either.
                Need::Git if !context.has(&join(root, ".git")) && !context.has(".git") => {}
                Need::Git => {
                    return refused(
                        format!("{what}, which looks for `.git`"),
                        "ignore `.git` in .dockerignore",
                    );
                }
                Need::Everything => {
                    return refused(
                        format!("{what}, which reads the sources"),
                        "run it after the install, by name",
                    );
                }
                Need::Unknown(_) => {
                    return refused(
                        format!("{what}, which could read any file"),
                        "run it after the install, by name",
                    );
                }
            }
        }
    }
    Ok(install)
}

/// Whether `npm ci` does what this `npm install` does, and the lock file is not changed by it.
fn takes_lock(
    ctx: &Ctx<'_>,
    stage: &Stage,
    context: &Context,
    node: &Node,
    operation: &PackageOperation<'_>,
    verb: &[u8],
) -> bool {
    if operation.manager.name.get() != "npm"
        || node.manager != Manager::Npm
        || !matches!(verb, b"install" | b"i")
        || operation.verb_word.is_none_or(|word| !word.contiguous)
    {
        return false;
    }
    let known_flags = operation.flags.iter().all(|word| {
        word.literal.as_deref().is_some_and(|flag| {
            let flag = flag.split(|byte| *byte == b'=').next().unwrap_or(flag);
            CI_FLAGS.iter().any(|known| known.as_bytes() == flag)
        })
    });
    let legacy = operation.has_flag(&["--legacy-peer-deps", "--force", "-f"]);
    let major = ctx
        .model
        .base_reference(stage.index)
        .filter(|image| image.is_official() && image.family() == "node")
        .map(|image| {
            let digits: String = image
                .tag_or_latest()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            // `latest`, `lts`, `alpine` and names are current releases; names of old ones are digits in no one's memory.
            digits.parse().unwrap_or(match image.tag_or_latest() {
                "latest" | "lts" | "slim" | "alpine" | "current" | "lts-alpine" | "lts-slim" => 22,
                _ => 0,
            })
        });
    let reads_format = match (major, node.lock(context).map(|lock| lock.format)) {
        (Some(major), Some(LockFormat::Npm(3..))) => major >= 16,
        (Some(major), Some(LockFormat::Npm(_))) => major >= 10,
        _ => false,
    };
    known_flags && reads_format && node.lock_agreement(context, legacy) == Agreement::Agrees
}

/// `npm install` where the lock file was copied before: `npm ci`. What `taken` edits is left out.
pub(super) fn locked_installs(
    ctx: &Ctx<'_>,
    stage: &Stage,
    context: &Context,
    taken: &[Proposal],
) -> Vec<Proposal> {
    let mut found = Vec::new();
    for index in ctx.model.of_kind(stage, Keyword::Run) {
        let Some(script) = ctx.model.script(index) else {
            continue;
        };
        let operations = ctx.model.operations(index);
        let installs_locally = |operation: &&PackageOperation<'_>| {
            ["npm", "yarn", "pnpm"].contains(&operation.manager.name.get())
                && operation.verb == Verb::Install
                && !operation.has_flag(&["-g", "--global", "--location"])
        };
        let Some(operation) = operations.iter().find(installs_locally) else {
            continue;
        };
        let verb = operation.verb_word.and_then(|word| word.literal.as_deref());
        let word = operation.verb_word;
        let is_taken = taken.iter().any(|proposal| {
            matches!(proposal, Proposal::Rewrite(rewrite)
                if rewrite.edits.iter().any(|edit| word.is_some_and(|word| edit.span.overlaps(word.span))))
        });
        if operation.packages.is_empty()
            && !is_taken
            && operation.position.unconditional
            && !script.changes_directory()
            && let (Some(verb), Some(word)) = (verb, word)
            && let Some(folder) = copied_project(ctx, stage, index)
            && let Some(project) = STACKS
                .iter()
                .find(|stack| stack.name() == "node")
                .and_then(|stack| stack.detect(&folder, context, ctx.catalog))
            && let Details::Node(node) = &project.details
            && takes_lock(ctx, stage, context, node, operation, verb)
        {
            found.push(Proposal::Rewrite(Rewrite {
                anchor: index,
                edits: vec![Edit::replace(word.span, "ci")],
                reason:
                    "`npm ci` installs exactly what the lock file says, which matches package.json"
                        .to_owned(),
                ..Rewrite::default()
            }));
        }
        // What a first install made, `npm ci` would delete.
        break;
    }
    found
}

/// The folder of the context whose `package.json` and `package-lock.json` stand in the working directory of `index`.
fn copied_project(ctx: &Ctx<'_>, stage: &Stage, index: usize) -> Option<String> {
    let context = ctx.context?;
    let workdir = ctx.model.state(index).config.workdir.clone()?;
    let mut folders = [None, None];
    for at in stage.from + 1..index {
        let Some(copy) = ctx.model.instruction(at).as_copy() else {
            continue;
        };
        let state = ctx.model.state(at);
        let escape = ctx.dockerfile.escape();
        let to = state.expand(copy.destination.text, escape);
        let target = resolve(state.config.workdir.as_deref().unwrap_or("/?"), &to);
        if copy.from.is_some() {
            if crate::model::path::is_under(&target, &workdir) {
                return None;
            }
            continue;
        }
        for source in &copy.sources {
            let path = state.expand(source.text, escape);
            for entry in context.sources(&path) {
                for (slot, name) in folders
                    .iter_mut()
                    .zip(["package.json", "package-lock.json"])
                {
                    let is_file = entry.rsplit('/').next() == Some(name);
                    if is_file
                        && resolve(&target, if to.ends_with(name) { "" } else { name })
                            == resolve(&workdir, name)
                    {
                        *slot = Some(
                            entry[..entry.len() - name.len()]
                                .trim_end_matches('/')
                                .to_owned(),
                        );
                    } else if context.is_folder(entry) && target == workdir {
                        let inner = join(entry, name);
                        if context.has(&inner) {
                            *slot = Some(entry.to_owned());
                        }
                    }
                }
            }
        }
    }
    match folders {
        [Some(manifest), Some(lock)] if manifest == lock => Some(manifest),
        _ => None,
    }
}
