use crate::catalog::WordSet;
use crate::model::{Base, CommandForm, CommandLine, Setting, Stage};
use crate::rules::declare::declare_rule;
use crate::rules::image_paths::{final_working_directory, origin};
use crate::rules::{Change, Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::stack::node::{self, Launch, LaunchKind, Node};
use crate::stack::usage::{Budget, UnknownKind};
use crate::text::{Edit, Span};

declare_rule! {
    /// Starts the program that `npm start` starts, without npm, Yarn or pnpm in between.
    ///
    /// ## Why
    /// The package manager is a second process of 50 MB that waits, and may not pass signals on: the program is
    /// killed after ten seconds where it could have ended in one. And where it is not needed to start, it need not ship.
    ///
    /// ## Example
    /// With these files in the build context
    /// ```json package.json
    /// { "name": "hello", "scripts": { "start": "node server.js" } }
    /// ```
    /// ```js server.js
    /// const server = require("http").createServer((request, response) => response.end("hello")).listen(3000);
    /// process.on("SIGTERM", () => server.close());
    /// ```
    /// the Dockerfile
    /// ```dockerfile
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY package.json server.js ./
    /// CMD ["npm", "start"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY package.json server.js ./
    /// CMD ["node", "server.js"]
    /// ```
    ///
    /// ## When not
    /// The script is more than one plain program, sets variables, or has a `prestart` or `poststart`; the program
    /// reads `npm_package_…` or `npm_config_…`, or starts programs of `node_modules/.bin` by name; `.npmrc` sets
    /// `node-options`; Yarn's Plug'n'Play; a program of Node that handles no SIGTERM: as process 1 it would not end by it.
    pub(crate) StartWithoutNpm { name: "start-without-npm", level: Standard, hadolint: [] }
}

impl Rule for StartWithoutNpm {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        if ctx.context.is_none() {
            return Vec::new();
        }
        ctx.model
            .stages
            .iter()
            .filter(|stage| stage.is_target && !stage.windows)
            .filter_map(|stage| propose_for(ctx, stage))
            .collect()
    }
}

fn propose_for(ctx: &Ctx<'_>, stage: &Stage) -> Option<Proposal> {
    let context = ctx.context?;
    let (line, change) = command(ctx, stage)?;
    let CommandForm::Exec(words) = &line.form else {
        return None;
    };
    if !is_manager(words.first()?) {
        return None;
    }
    let folder = final_working_directory(ctx, stage)?;
    let manifest = origin(
        ctx,
        stage,
        &format!("{}/package.json", folder.trim_end_matches('/')),
    )?;
    let root = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let node = node::project(root, context, ctx.catalog)?;
    let launch = node.launch(words);
    if !launch.is_script() {
        return None;
    }
    let told = words.join(" ");
    let words = match direct(ctx, &node, &launch) {
        Ok(words) => words,
        Err((reason, remedy)) => {
            return Some(Proposal::Refusal(Refusal {
                anchor: line.instruction,
                reason: format!("`{told}` stays: {reason}"),
                remedy: remedy.to_owned(),
            }));
        }
    };
    let inits = matches!(&stage.end.config.entrypoint, Setting::Set(_)) && change == Change::Cmd;
    if launch.kind == LaunchKind::Node && !inits && !handles_stop(context, &node) {
        return Some(Proposal::Refusal(Refusal {
            anchor: line.instruction,
            reason: format!(
                "`{told}` stays: the program handles no SIGTERM, and as process 1 it would not end by it, as npm does"
            ),
            remedy: "handle SIGTERM in the program, as by `server.close()`".to_owned(),
        }));
    }
    let instruction = ctx.model.instruction(line.instruction);
    let span = Span::new(instruction.body.source_offset(0), instruction.span.end);
    Some(Proposal::Rewrite(Rewrite {
        anchor: line.instruction,
        edits: vec![Edit::replace(span, json_array(&words))],
        reason: format!(
            "`{told}` is `{}`: the program itself is process 1 and gets the signals",
            words.join(" ")
        ),
        changes: vec![change],
        ..Rewrite::default()
    }))
}

/// The instruction that starts the container: CMD, or an ENTRYPOINT beside which there is no CMD and no argument.
fn command<'a>(ctx: &Ctx<'_>, stage: &'a Stage) -> Option<(&'a CommandLine, Change)> {
    let config = &stage.end.config;
    match (&config.entrypoint, &config.cmd) {
        (Setting::Set(line), cmd) => {
            let CommandForm::Exec(words) = &line.form else {
                return None;
            };
            if let Some(cmd) = cmd.set() {
                let is_init = ctx.catalog.has_word(
                    WordSet::Inits,
                    crate::model::path::file_name(words.first()?),
                ) && words[1..].iter().all(|word| word.starts_with('-'));
                return is_init.then_some((cmd, Change::Cmd));
            }
            ctx.settings
                .usage
                .commands
                .is_empty()
                .then_some((&**line, Change::Entrypoint))
        }
        (Setting::Reset, Setting::Set(cmd)) => Some((&**cmd, Change::Cmd)),
        (Setting::Inherited, Setting::Set(cmd)) => {
            let passes_on = match &ctx.model.chain(stage.index).last()?.base {
                Base::Scratch => true,
                Base::Image {
                    facts: Some(facts), ..
                } => facts.family.runs_arguments || facts.entrypoint() == Some(""),
                _ => false,
            };
            passes_on.then_some((&**cmd, Change::Cmd))
        }
        _ => None,
    }
    .filter(|(line, _)| stage.body.contains(&line.instruction))
}

fn is_manager(word: &str) -> bool {
    matches!(word, "npm" | "yarn" | "yarnpkg" | "pnpm")
}

/// The words that start what `launch` starts, without a package manager.
fn direct(
    ctx: &Ctx<'_>,
    node: &Node,
    launch: &Launch,
) -> Result<Vec<String>, (String, &'static str)> {
    const SIMPLER: &str = "make the script one plain program";
    let context = ctx.context.ok_or((String::new(), ""))?;
    if let Some((name, _)) = launch.hooks.first() {
        return Err((format!("`{name}` runs too"), "call it where it is needed"));
    }
    if let Some(words) = launch.before.first() {
        return Err((
            format!("the script first runs `{}`", words.join(" ")),
            SIMPLER,
        ));
    }
    match launch.kind {
        LaunchKind::Node | LaunchKind::Production | LaunchKind::Static { .. } => {}
        LaunchKind::Development => {
            return Err((
                "it is a development server".to_owned(),
                "build the project and start what was built",
            ));
        }
        LaunchKind::Builds => {
            return Err((
                "the script builds".to_owned(),
                "build in a RUN, and start what was built",
            ));
        }
        LaunchKind::Unknown => {
            return Err(("its script is not one plain program".to_owned(), SIMPLER));
        }
    }
    if let Some((name, _)) = launch.environment.first() {
        return Err((
            format!("the script sets {name}"),
            "set it with ENV and take it out of the script",
        ));
    }
    if let Some(wrapper) = launch.wrappers.first().filter(|name| *name != "exec") {
        return Err((format!("the script goes through `{wrapper}`"), SIMPLER));
    }
    if launch.expands {
        return Err((
            "the script holds what the shell replaces".to_owned(),
            SIMPLER,
        ));
    }
    if node.is_plug_and_play() {
        return Err((
            "Yarn's Plug'n'Play finds the packages".to_owned(),
            "set `nodeLinker: node-modules`",
        ));
    }
    if node.settings.node_options.is_some() {
        return Err((
            "`.npmrc` sets node-options, which only npm applies".to_owned(),
            "set NODE_OPTIONS with ENV",
        ));
    }
    let entry_is_missing = launch
        .scripts
        .last()
        .is_some_and(|(_, name)| name == "start" && !node.manifest.scripts.contains_key(name))
        && !context.has(&node_path(node, "server.js"));
    if entry_is_missing {
        return Err(("there is no script of that name".to_owned(), ""));
    }
    reads_nothing_of_npm(context, node, launch)?;
    let Some((program, arguments)) = launch.words.split_first() else {
        return Err(("its script is not one plain program".to_owned(), SIMPLER));
    };
    if matches!(program.as_str(), "node" | "nodejs") {
        return Ok(launch.words.clone());
    }
    let is_own = !program.contains('/')
        && node.workspaces.is_empty()
        && launch
            .package
            .as_deref()
            .is_some_and(|package| node.manifest.depends_on(package));
    if !is_own {
        return Err((
            format!("where `{program}` stands is not known"),
            "start it with `node` and the path of its file",
        ));
    }
    Ok(std::iter::once(format!("node_modules/.bin/{program}"))
        .chain(arguments.iter().cloned())
        .collect())
}

/// Whether the sources of the project handle the signal that stops a container, themselves or by a package for that.
fn handles_stop(context: &crate::context::Context, node: &Node) -> bool {
    const WORDS: &[&[u8]] = &[
        b"SIGTERM",
        b"close-with-grace",
        b"enableShutdownHooks",
        b"exit-hook",
        b"graceful",
        b"http-terminator",
        b"lightship",
        b"terminus",
    ];
    const ENDINGS: &[&str] = &[".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"];
    context
        .under(node.manifest.folder())
        .filter(|(path, _)| {
            ENDINGS.iter().any(|ending| path.ends_with(ending)) && !path.contains("node_modules/")
        })
        .filter_map(|(path, _)| context.read(path))
        .any(|text| WORDS.iter().any(|word| crate::text::contains(&text, word)))
}

/// Whether the program would miss what only a start through a package manager gives it.
fn reads_nothing_of_npm(
    context: &crate::context::Context,
    node: &Node,
    launch: &Launch,
) -> Result<(), (String, &'static str)> {
    let usage = node.reach(context, launch, Budget::default()).usage;
    if let Some(name) = usage
        .environment
        .iter()
        .find(|name| name.starts_with("npm_") || *name == "INIT_CWD")
    {
        return Err((
            format!("the program reads {name}, which npm sets"),
            "read package.json instead",
        ));
    }
    if usage.truncated {
        return Err(("the sources are too many to be read".to_owned(), ""));
    }
    if let Some(unknown) = usage
        .unknown
        .iter()
        .find(|unknown| unknown.kind == UnknownKind::Program)
    {
        return Err((
            format!(
                "{} starts a program by a computed name, which may be one of node_modules/.bin",
                unknown.place
            ),
            "",
        ));
    }
    let lock = node.lock(context);
    let by_name = usage.programs.iter().find(|program| {
        node.manifest.depends_on(&program.name)
            || lock
                .as_ref()
                .is_some_and(|lock| lock.provider_of(&program.name).is_some())
    });
    match by_name {
        Some(program) => Err((
            format!(
                "{} starts `{}`, which npm puts on the PATH",
                program.place, program.name
            ),
            "start it by its path in node_modules/.bin",
        )),
        None => Ok(()),
    }
}

fn node_path(node: &Node, name: &str) -> String {
    match node.manifest.folder() {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// `["a", "b"]`
fn json_array(words: &[String]) -> Vec<u8> {
    let words: Vec<String> = words
        .iter()
        .map(|word| serde_json::Value::from(word.as_str()).to_string())
        .collect();
    format!("[{}]", words.join(", ")).into_bytes()
}
