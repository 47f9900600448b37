//! Node on a slim image: nothing is built, and no package runs anything when it is installed.

use crate::catalog::{Ecosystem, Nature, WordSet};
use crate::model::{Stage, Verb};
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::bases::runs::{Call, Runs};
use crate::rules::node_start::{NodeStart, called_words, without_version};
use crate::stack::node::{LaunchKind, Node, PackageSource, Role, scripts};
use crate::stack::usage::{Budget, UnknownKind};
use crate::stack::{Details, STACKS};
use crate::syntax::Keyword;

use super::needs::Inventory;
use super::{nothing_unseen, roots};

pub(super) fn check(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    runs: &Runs,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    installs_are_seen(ctx, stages, inventory)?;
    nothing_unseen(ctx, stages)?;
    let mut projects = projects(ctx, stages);
    if projects.is_empty() && starts_scripts(stages) {
        projects.push(scripts(""));
    }
    if projects.is_empty() && copies(ctx, stages) && !serves_files(stages) {
        return Err(Why::new(
            "no package.json is seen in the build context",
            "give the program a package.json, or choose the slim image yourself",
        ));
    }
    for node in &projects {
        let development = starts_for_development(ctx, stages, node, inventory)?;
        if installs(ctx, stages) {
            installs_only_files(ctx, node, development, inventory)?;
        } else {
            brings_its_libraries(ctx, node, development, inventory)?;
        }
    }
    for call in &runs.calls {
        match of_node(call, ctx)? {
            Some(()) => {}
            None if call.at_start && is_command_of(call, &projects, ctx) => {}
            None => inventory.call(call)?,
        }
    }
    let Some(context) = ctx.context else {
        return Ok(());
    };
    for node in &projects {
        let usage = node.usage(context, Budget::default());
        if usage.truncated {
            return Err(Why::new("the sources are too many to be read", ""));
        }
        let computed = usage
            .unknown
            .iter()
            .find(|unknown| matches!(unknown.kind, UnknownKind::Program | UnknownKind::Library));
        if let Some(unknown) = computed {
            return Err(Why::new(
                format!(
                    "{} starts a program or opens a library by a computed name",
                    unknown.place
                ),
                "",
            ));
        }
        if let Some(library) = usage.libraries.first() {
            return Err(Why::new(
                format!("{} opens the library {}", library.place, library.name),
                "",
            ));
        }
        inventory.started(
            usage
                .programs
                .iter()
                .map(|program| (program.name.as_str(), program.place.to_string())),
        )?;
    }
    Ok(())
}

fn copies(ctx: &Ctx<'_>, stages: &[&Stage]) -> bool {
    stages
        .iter()
        .flat_map(|stage| stage.body.clone())
        .any(|index| ctx.model.instruction(index).as_copy().is_some())
}

/// Whether all that starts is a file server that is installed by name: then nothing that is copied runs.
fn serves_files(stages: &[&Stage]) -> bool {
    all_start(stages, |argv| {
        matches!(
            argv.first().map(String::as_str),
            Some("http-server" | "serve")
        )
    })
}

/// Whether all that starts is `node` with a script: its sources then are what runs, package.json or not.
fn starts_scripts(stages: &[&Stage]) -> bool {
    all_start(stages, |argv| match argv {
        [node, script, ..] => node == "node" && !script.starts_with('-'),
        _ => false,
    })
}

fn all_start(stages: &[&Stage], fits: impl Fn(&[String]) -> bool) -> bool {
    let mut targets = stages.iter().filter(|stage| stage.is_target);
    targets.all(|stage| {
        let config = &stage.end.config;
        let line = config.entrypoint.set().or(config.cmd.set());
        line.is_some_and(|line| fits(&line.form.argv()))
    })
}

fn projects(ctx: &Ctx<'_>, stages: &[&Stage]) -> Vec<Node> {
    let Some(context) = ctx.context else {
        return Vec::new();
    };
    let Some(stack) = STACKS.iter().find(|stack| stack.name() == "node") else {
        return Vec::new();
    };
    roots(ctx, stages)
        .into_iter()
        .filter_map(
            |root| match stack.detect(&root, context, ctx.catalog)?.details {
                Details::Node(node) => Some(*node),
                _ => None,
            },
        )
        .collect()
}

/// Refuses installs of which no lock file is seen, and packages by name that are not known.
fn installs_are_seen(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    inventory: &Inventory<'_>,
) -> Result<(), Why> {
    for index in stages
        .iter()
        .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
    {
        for operation in ctx.model.operations(index) {
            let manager = operation.manager.name.get();
            if !matches!(manager, "npm" | "yarn" | "pnpm" | "bun")
                || operation.verb != Verb::Install
            {
                continue;
            }
            let line = inventory.line(index);
            let names = operation.literal_packages().ok_or_else(|| {
                Why::new(format!("line {line} installs what a variable says"), "")
            })?;
            if names.is_empty() && ctx.context.is_none() {
                return Err(Why::new(
                    format!("line {line} installs what a lock file says that is not seen"),
                    "run docker-diet with the build context",
                ));
            }
            for name in &names {
                let plain = without_version(name);
                let pure = ctx
                    .catalog
                    .native(Ecosystem::Node, plain)
                    .is_some_and(|native| native.nature == Nature::Pure);
                if !pure && !ctx.catalog.has_word(WordSet::GlobalPackages, plain) {
                    return Err(Why::new(
                        format!(
                            "line {line} installs {name}, and whether it has native code is not known"
                        ),
                        "build in a stage of its own, and copy the result",
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Whether a RUN of these stages installs packages of Node.
fn installs(ctx: &Ctx<'_>, stages: &[&Stage]) -> bool {
    stages
        .iter()
        .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
        .flat_map(|index| ctx.model.operations(index))
        .any(|operation| {
            operation.verb == Verb::Install
                && matches!(
                    operation.manager.name.get(),
                    "npm" | "yarn" | "pnpm" | "bun"
                )
        })
}

/// Takes note of the libraries and programs of packages that another stage installed.
///
/// # Errors
/// When a package needs more than that, or the slim image cannot have it.
fn brings_its_libraries(
    ctx: &Ctx<'_>,
    node: &Node,
    development: bool,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    let locked = ctx.context.and_then(|context| node.lock(context));
    let names: Vec<&str> = match &locked {
        Some(lock) => lock
            .packages
            .iter()
            .filter(|package| development || package.dev != Some(true))
            .map(|package| package.name.as_str())
            .collect(),
        None => node.manifest.installed().into_keys().collect(),
    };
    for name in names {
        let Some(native) = ctx.catalog.native(Ecosystem::Node, name) else {
            continue;
        };
        let is_wanted = development || node.manifest.role(name) != Some(Role::Development);
        if !native.refuse.is_empty() && is_wanted {
            return Err(needs_programs(name));
        }
        inventory.libraries(native);
        let programs = native.programs.get().iter();
        inventory
            .started(programs.map(|program| (program.get(), format!("the package {name}"))))?;
    }
    Ok(())
}

fn needs_programs(name: &str) -> Why {
    Why::new(
        format!("{name} needs programs when it runs"),
        "build in a stage of its own, and copy the result",
    )
}

/// Refuses a project whose install does more than unpack.
fn installs_only_files(
    ctx: &Ctx<'_>,
    node: &Node,
    development: bool,
    inventory: &mut Inventory<'_>,
) -> Result<(), Why> {
    let stay = |why: String| {
        Err(Why::new(
            why,
            "build in a stage of its own, and copy the result",
        ))
    };
    if let Some(script) = node.install_scripts.first() {
        return stay(format!(
            "an install runs `{}` of {}",
            script.command, script.manifest
        ));
    }
    let none_needed = node.manifest.installed().is_empty() && node.workspaces.is_empty();
    if none_needed {
        return Ok(());
    }
    let Some(lock) = ctx.context.and_then(|context| node.lock(context)) else {
        return stay(format!(
            "{} has dependencies and no lock file, so that what is installed is not known",
            node.manifest.path
        ));
    };
    for package in &lock.packages {
        let native = ctx.catalog.native(Ecosystem::Node, &package.name);
        let nature = native.map(|native| native.nature);
        match package.has_install_script {
            Some(false) => {}
            None if nature == Some(Nature::Pure) => {}
            _ if matches!(
                nature,
                Some(Nature::HarmlessScript | Nature::OptionalBinary)
            ) => {}
            Some(true) => {
                return stay(format!(
                    "{} runs a script when it is installed",
                    package.name
                ));
            }
            None => {
                return stay(format!(
                    "{} does not say whether {} runs a script when it is installed",
                    lock.path, package.name
                ));
            }
        }
        if let Some(native) = native {
            if !native.refuse.is_empty() && (development || package.dev != Some(true)) {
                return Err(needs_programs(&package.name));
            }
            if development || package.dev != Some(true) {
                let programs = native.programs.get().iter();
                inventory.started(
                    programs
                        .map(|program| (program.get(), format!("the package {}", package.name))),
                )?;
            }
        }
        if matches!(package.source, PackageSource::Git(_)) {
            return stay(format!("{} comes from a Git repository", package.name));
        }
    }
    Ok(())
}

/// Whether a container may start with tools of development.
///
/// # Errors
/// When a script that starts it does what nothing says that the slim image can do.
fn starts_for_development(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    node: &Node,
    inventory: &mut Inventory<'_>,
) -> Result<bool, Why> {
    let Some(context) = ctx.context else {
        return Ok(false);
    };
    let is_global = |package: &str| {
        stages
            .iter()
            .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
            .flat_map(|index| ctx.model.operations(index))
            .flat_map(|operation| operation.literal_packages().unwrap_or_default())
            .any(|name| without_version(&name) == package)
    };
    let start = NodeStart {
        ctx,
        context,
        node,
        is_global: &is_global,
    };
    let mut development = false;
    for stage in stages.iter().filter(|stage| stage.is_target) {
        let config = &stage.end.config;
        let Some(line) = config.cmd.set().or(config.entrypoint.set()) else {
            continue;
        };
        let words = line.form.argv();
        let launch = node.launch(&words);
        if matches!(
            launch.kind,
            LaunchKind::Node | LaunchKind::Production | LaunchKind::Static { .. }
        ) {
            continue;
        }
        development = true;
        let starts_scripts = words
            .iter()
            .any(|word| matches!(word.as_str(), "npm" | "yarn" | "pnpm" | "npx"));
        if !starts_scripts {
            continue;
        }
        let texts = start.texts(&words).map_err(|what| {
            Why::new(
                format!("`{}` {what} when the container starts", words.join(" ")),
                "install and build in a RUN, and start only the program",
            )
        })?;
        for word in texts.iter().flat_map(|text| called_words(text)) {
            if !node.manifest.scripts.contains_key(word) {
                inventory
                    .started([(word, format!("a script of {}", node.manifest.path))].into_iter())?;
            }
        }
    }
    Ok(development)
}

/// What is certain of calls that only Node explains: none where the inventory decides.
fn of_node(call: &Call, ctx: &Ctx<'_>) -> Result<Option<()>, Why> {
    let name = call.name.as_str();
    let first = call.operands().next().unwrap_or_default();
    let installs = matches!(
        first,
        "" | "add"
            | "cache"
            | "ci"
            | "config"
            | "i"
            | "install"
            | "prune"
            | "set"
            | "audit"
            | "version"
    ) || name == "yarn" && first == "global";
    let fine = match name {
        "node" => {
            let is_text = call
                .arguments
                .iter()
                .any(|word| matches!(word.as_str(), "-e" | "--eval" | "-p" | "--print"));
            call.at_start && !is_text || call.arguments.iter().any(|word| word == "--version")
        }
        "npm" | "yarn" | "pnpm" if call.at_start => true,
        "npm" | "yarn" | "pnpm" => installs,
        "corepack" => true,
        "npx" => call.at_start,
        _ => return Ok(None),
    };
    if fine {
        return Ok(Some(()));
    }
    Err(Why::new(
        format!("{}, which may build", call.told(ctx)),
        "build in a stage of its own, and copy the result",
    ))
}

/// Whether the program comes from a package of the projects, or is one that is installed by name.
fn is_command_of(call: &Call, projects: &[Node], ctx: &Ctx<'_>) -> bool {
    let name = call.name.as_str();
    if matches!(
        name,
        "pm2" | "pm2-docker" | "pm2-runtime" | "nodemon" | "serve" | "http-server"
    ) {
        return true;
    }
    ctx.context.is_some_and(|context| {
        projects.iter().any(|node| {
            node.manifest.depends_on(name)
                || node
                    .lock(context)
                    .is_some_and(|lock| lock.provider_of(name).is_some())
        })
    })
}
