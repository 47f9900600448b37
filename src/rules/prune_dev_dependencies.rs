use crate::model::path::resolve;
use crate::model::{Base, Setting, Stage, Verb};
use crate::rules::bases::{Why, runs};
use crate::rules::declare::declare_rule;
use crate::rules::image_paths::{destination, final_working_directory, origin, working_directory};
use crate::rules::{Ctx, Proposal, Rewrite, Rule, RuleMeta};
use crate::stack::node::{self, Launch, LaunchKind, Manager, Node};
use crate::stack::usage::{Budget, UnknownKind};
use crate::syntax::Keyword;
use crate::text::Edit;

declare_rule! {
    /// Takes npm's packages of development away before a stage that ships copies `node_modules`.
    ///
    /// ## Why
    /// Compilers, linters and test runners are most of what `npm ci` installs. A stage that builds needs them, the
    /// program that was built does not.
    ///
    /// ## Example
    /// ```text package.json
    /// {"name": "shop", "dependencies": {"express": "5.1.0"}, "devDependencies": {"typescript": "5.9.2"}, "scripts": {"build": "tsc"}}
    /// ```
    /// ```text package-lock.json
    /// {"name": "shop", "lockfileVersion": 3, "packages": {"": {"dependencies": {"express": "5.1.0"}, "devDependencies": {"typescript": "5.9.2"}}}}
    /// ```
    /// ```text tsconfig.json
    /// {"compilerOptions": {"outDir": "dist", "rootDir": "src"}}
    /// ```
    /// ```text src/main.ts
    /// import express from "express";
    /// express().listen(3000);
    /// ```
    /// ```dockerfile
    /// FROM node:22 AS build
    /// WORKDIR /app
    /// COPY package.json package-lock.json ./
    /// RUN npm ci
    /// COPY . .
    /// RUN npm run build
    ///
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY --from=build /app/node_modules ./node_modules
    /// COPY --from=build /app/dist ./dist
    /// CMD ["node", "dist/main.js"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM node:22 AS build
    /// WORKDIR /app
    /// COPY package.json package-lock.json ./
    /// RUN npm ci
    /// COPY . .
    /// RUN npm run build
    /// RUN npm prune --omit=dev
    ///
    /// FROM node:22-slim
    /// WORKDIR /app
    /// COPY --from=build /app/node_modules ./node_modules
    /// COPY --from=build /app/dist ./dist
    /// CMD ["node", "dist/main.js"]
    /// ```
    ///
    /// ## When not
    /// Something that runs imports a package of development, or modules by computed names; the stage that ships runs
    /// commands or starts through scripts; another stage uses the same packages; workspaces; other package managers.
    pub(crate) PruneDevDependencies { name: "prune-dev-dependencies", level: Standard, hadolint: [] }
}

impl Rule for PruneDevDependencies {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for shipped in ctx.model.stages.iter().filter(|stage| stage.is_target) {
            let Some(packages) = Packages::of(ctx, shipped) else {
                continue;
            };
            proposals.push(match packages.rewrite() {
                Ok(rewrite) => Proposal::Rewrite(rewrite),
                Err(why) => why.refusal(packages.install, "what development needs"),
            });
        }
        proposals
    }
}

/// Packages that a stage installs, for development too, and a later one ships.
struct Packages<'a> {
    ctx: &'a Ctx<'a>,
    shipped: &'a Stage,
    builder: &'a Stage,
    node: Node,
    /// What starts in the stage that ships.
    launch: Launch,
    /// The folder with `package.json` in the builder, absolute.
    folder: String,
    /// The RUN that installs.
    install: usize,
    /// Flags of the install that go along.
    flags: &'static str,
    /// The major version of Node.
    major: Option<u32>,
}

impl<'a> Packages<'a> {
    /// None where nothing of the kind is there, or where it is pruned already.
    fn of(ctx: &'a Ctx<'a>, shipped: &'a Stage) -> Option<Self> {
        let context = ctx.context?;
        let (builder, source) = shipped.body.clone().find_map(|index| {
            let copy = ctx.model.instruction(index).as_copy()?;
            let state = ctx.model.state(index);
            let escape = ctx.dockerfile.escape();
            let from = state.expand(copy.from?, escape).to_lowercase();
            let builder = ctx.model.stages[..shipped.index].iter().find(|other| {
                other.name.as_deref() == Some(&*from) || from == other.index.to_string()
            })?;
            let [source] = copy.sources.as_slice() else {
                return None;
            };
            let source = resolve("/", &state.expand(source.text, escape));
            let base = match source.strip_suffix("/node_modules") {
                Some(folder) => folder.to_owned(),
                None => source.clone(),
            };
            let target = destination(ctx, index, &copy)?;
            let lands = match source.ends_with("/node_modules") {
                true => resolve(&target, "..") == final_working_directory(ctx, shipped)?,
                false => target == final_working_directory(ctx, shipped)?,
            };
            lands.then_some((builder, base))
        })?;
        let facts = match &builder.base {
            Base::Image {
                facts: Some(facts), ..
            } if facts.family.name == "node" => facts,
            _ => return None,
        };
        let mut installs = ctx
            .model
            .of_kind(builder, Keyword::Run)
            .filter_map(|index| {
                let operations = ctx.model.operations(index);
                let local = operations.iter().find(|operation| {
                    operation.manager.name == "npm"
                        && operation.verb == Verb::Install
                        && !operation.has_flag(&["-g", "--global"])
                })?;
                let whole = local.packages.is_empty()
                    && !local.has_flag(&[
                        "--production",
                        "--omit",
                        "--only",
                        "--no-save",
                        "--prefix",
                        "-C",
                    ])
                    && working_directory(ctx, index) == Some(source.as_str());
                let flags = if local.has_flag(&["--legacy-peer-deps"]) {
                    " --legacy-peer-deps"
                } else {
                    ""
                };
                Some((index, whole, flags))
            });
        let (Some((install, true, flags)), None) = (installs.next(), installs.next()) else {
            return None;
        };
        let production = ctx
            .model
            .state(install)
            .config
            .env
            .get("NODE_ENV")
            .is_some_and(|value| value == "production");
        let prunes = builder.body.clone().any(|index| {
            let text = ctx.dockerfile.bytes(ctx.model.instruction(index).span);
            text.windows(5).any(|part| part == b"prune")
        });
        let manifest = origin(ctx, builder, &resolve(&source, "package.json"))?;
        let root = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
        let node = node::project(root, context, ctx.catalog)?;
        if production
            || prunes
            || node.manifest.dev_dependencies.is_empty()
            || node.manager != Manager::Npm
        {
            return None;
        }
        let launch = launch(&node, shipped)?;
        if uses_packages_in_build(ctx, shipped) {
            return None;
        }
        Some(Self {
            ctx,
            shipped,
            builder,
            node,
            launch,
            folder: source,
            install,
            flags,
            major: facts
                .version
                .split('.')
                .next()
                .and_then(|major| major.parse().ok()),
        })
    }

    fn rewrite(&self) -> Result<Rewrite, Why> {
        self.nobody_else_needs_them()?;
        self.start_needs_none()?;
        let (at, folder) = self.place()?;
        // npm 6 and older do not know `--omit`.
        let omit = if self.major.is_some_and(|major| major < 16) {
            "--production"
        } else {
            "--omit=dev"
        };
        let command = format!("npm prune {omit}{}", self.flags);
        let line = if folder == self.folder {
            format!("RUN {command}")
        } else {
            format!("RUN cd {} && {command}", self.folder)
        };
        let eol = self.ctx.dockerfile.line_ending();
        Ok(Rewrite {
            anchor: self.install,
            edits: vec![Edit::insert(at, format!("{line}{eol}"))],
            reason: format!(
                "nothing that runs uses the packages of development, which line {} copies too",
                runs::line(self.ctx, self.copy())
            ),
            ..Rewrite::default()
        })
    }

    /// The COPY that ships the packages.
    fn copy(&self) -> usize {
        let copies = |index: &usize| {
            self.ctx
                .model
                .instruction(*index)
                .as_copy()
                .is_some_and(|copy| copy.from.is_some())
        };
        self.shipped
            .body
            .clone()
            .find(copies)
            .unwrap_or(self.shipped.from)
    }

    fn nobody_else_needs_them(&self) -> Result<(), Why> {
        let stages = &self.ctx.model.stages;
        let other = stages.iter().find(|stage| {
            stage.index != self.shipped.index
                && (stage.copies_from.contains(&self.builder.index)
                    || matches!(stage.base, Base::Stage(parent) if parent == self.builder.index))
        });
        if self.builder.is_target || self.builder.ships || other.is_some() {
            return Err(Why::new(
                "another stage uses the same packages",
                "prune them in a stage of their own",
            ));
        }
        if !self.node.workspaces.is_empty() || !self.node.workspaces_complete {
            return Err(Why::new("the project has workspaces", ""));
        }
        Ok(())
    }

    /// Refuses a start, or sources, that may use a package of development.
    fn start_needs_none(&self) -> Result<(), Why> {
        if !self.ctx.settings.usage.commands.is_empty() {
            return Err(Why::new(
                "commands from outside the Dockerfile run in it",
                "",
            ));
        }
        let context = self
            .ctx
            .context
            .ok_or_else(|| Why::new("the sources are not seen", ""))?;
        let reach = self.node.reach(context, &self.launch, Budget::default());
        let computed = reach
            .usage
            .unknown
            .iter()
            .find(|unknown| unknown.kind == UnknownKind::Module);
        if let Some(unknown) = computed {
            return Err(Why::new(
                format!("{} loads a module by a computed name", unknown.place),
                "",
            ));
        }
        if reach.usage.truncated {
            return Err(Why::new("the sources are too many to be read", ""));
        }
        match self
            .node
            .development_at_run_time(&self.launch, &reach)
            .first()
        {
            None => Ok(()),
            Some(used) => Err(Why::new(
                format!("{} is needed when it runs: {}", used.package, used.by),
                format!("move {} to `dependencies`", used.package),
            )),
        }
    }

    /// Where the builder ends, and the folder in effect there.
    fn place(&self) -> Result<(usize, &str), Why> {
        let ctx = self.ctx;
        let config = &self.builder.end.config;
        if ctx.model.state(self.install).config.user != config.user {
            return Err(Why::new(
                "the stage that installs changes its user afterwards",
                "prune before that line",
            ));
        }
        let last = self
            .builder
            .body
            .clone()
            .last()
            .ok_or_else(|| Why::new("the stage is empty", ""))?;
        let source = ctx.dockerfile.source();
        let end = ctx.model.instruction(last).span.end;
        let at = source[end..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|found| end + found + 1)
            .ok_or_else(|| Why::new("nothing follows the stage", ""))?;
        let folder = final_working_directory(ctx, self.builder).unwrap_or("/");
        Ok((at, folder))
    }
}

/// What the stage starts, where that is one plain program of Node.
fn launch(node: &Node, shipped: &Stage) -> Option<Launch> {
    let config = &shipped.end.config;
    let mut words = Vec::new();
    for setting in [&config.entrypoint, &config.cmd] {
        if let Setting::Set(line) = setting {
            words.extend(line.form.argv());
        }
    }
    let launch = node.launch(&words);
    let plain = matches!(launch.kind, LaunchKind::Node | LaunchKind::Production)
        && launch.before.iter().all(Vec::is_empty)
        && launch.hooks.is_empty();
    plain.then_some(launch)
}

/// Whether a RUN or a HEALTHCHECK of the stage that ships may use any package.
fn uses_packages_in_build(ctx: &Ctx<'_>, shipped: &Stage) -> bool {
    shipped.body.clone().any(|index| {
        let instruction = ctx.model.instruction(index);
        if !matches!(instruction.keyword, Keyword::Run | Keyword::Healthcheck) {
            return false;
        }
        let text = ctx.dockerfile.bytes(instruction.span);
        ["npm", "npx", "node", "yarn", "pnpm"]
            .iter()
            .any(|tool| text.windows(tool.len()).any(|part| part == tool.as_bytes()))
            || instruction.keyword == Keyword::Run && ctx.model.script(index).is_none()
    })
}
