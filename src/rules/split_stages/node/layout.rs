//! Which instructions build, which are run again in the stage that ships, and which folders the application takes.

use std::collections::BTreeSet;

use super::{App, again};
use crate::catalog::PackageManager;
use crate::model::path::{file_name, is_under, resolve};
use crate::model::{PackageOperation, Verb};
use crate::rules::image_paths::{destination, working_directory};
use crate::rules::node_start::without_version;
use crate::rules::split_stages::Why;
use crate::rules::split_stages::anatomy::{Anatomy, CopyPart, Part, RunPart};
use crate::shell::Invocation;
use crate::syntax::Keyword;

/// The parts of the stage, as this stack sees them.
#[derive(Default)]
pub(in crate::rules::split_stages) struct Layout {
    /// The outermost folder that holds the application, absolute.
    pub(in crate::rules::split_stages) root: String,
    /// Other folders of the image in which something is built.
    pub(super) others: Vec<String>,
    /// Instructions that run in the second stage too.
    pub(super) replayed: BTreeSet<usize>,
    /// Those of them that the first stage does not need.
    pub(super) moved: BTreeSet<usize>,
    /// Who owns the application's files, when that is not root.
    pub(in crate::rules::split_stages) owner: Option<String>,
    /// Whether the application's folder itself is given away too.
    pub(super) owns_folder: bool,
    /// Debian packages from a RUN that also builds, which the program may need.
    pub(super) packages: Vec<String>,
    /// Global packages that are installed again in the second stage, without versions.
    pub(in crate::rules::split_stages) global: Vec<String>,
    /// Their installs from RUNs that stay in the first stage, as commands.
    pub(super) again: Vec<String>,
    /// The last RUN that installs or builds.
    pub(super) last_build: usize,
    /// The last COPY or RUN of the first stage.
    pub(super) end: usize,
    /// The folder in which the second stage copies what was built: the one that is in effect at `end`.
    pub(in crate::rules::split_stages) copy_folder: String,
    /// Whether anything but an install of packages is run: the project is built.
    pub(super) builds: bool,
    /// Scripts of the manifest that are run: `build` of `npm run build`; none when something else builds.
    pub(super) scripts: Option<Vec<String>>,
    /// Whether a RUN works on files of the application.
    pub(super) changes_files: bool,
    /// Whether packages of the distribution are left behind that only the build needs.
    pub(super) drops_packages: bool,
    /// Whether packages of development are installed.
    pub(super) installs_development: bool,
    /// Whether every install is one of the whole manifest, so that the manifest says what belongs there.
    pub(super) plain_installs: bool,
    /// Whether packages are installed in other folders, too.
    pub(super) installs_elsewhere: bool,
    /// The package manager that installs.
    pub(super) manager: Option<String>,
    /// Whether installs ignore peer dependencies.
    pub(super) legacy_peers: bool,
    /// Local installs that were seen.
    installs: usize,
}

/// Packages of distributions that compile and that no program calls when it runs.
fn is_for_building(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "build-essential",
        "build-base",
        "make",
        "gcc",
        "g++",
        "cmake",
        "autoconf",
        "automake",
        "libtool",
        "nasm",
        "pkg-config",
        "pkgconf",
        "pkgconfig",
        "python",
        "python2",
        "python3",
        "python-is-python3",
        "py3-pip",
        "python3-pip",
        "python3-setuptools",
        "py3-setuptools",
        "node-gyp",
        "linux-headers",
        "patch",
        "binutils",
    ];
    let name = name.split(['=', ':', '@']).next().unwrap_or(name);
    NAMES.contains(&name) || name.ends_with("-dev")
}

/// Commands that only delete.
const DELETES: &[&str] = &["rm", "rmdir", "find"];

impl Layout {
    /// Reads the stage of `app`.
    pub(super) fn of(app: &App<'_>) -> Result<Self, Why> {
        let mut layout = Self {
            root: root(app),
            plain_installs: true,
            scripts: Some(Vec::new()),
            ..Self::default()
        };
        let mut outside: Vec<(usize, String)> = Vec::new();
        for step in &app.anatomy.steps {
            match &step.part {
                Part::Setting => {}
                Part::Runtime => {
                    if app.anatomy.ctx.model.instruction(step.index).keyword == Keyword::Onbuild {
                        return Err(Why::new(
                            step.index,
                            "ONBUILD acts on images that are built from this one",
                            "",
                        ));
                    }
                }
                Part::Copy(copy) => layout.copy(app, step.index, copy, &mut outside)?,
                Part::Run(run) => layout.run(app, step.index, run)?,
            }
        }
        layout.place_outside(app, outside);
        layout.lists_for_replays(app);
        layout.move_late_replays(app);
        layout.others.sort();
        layout.others.dedup();
        Ok(layout)
    }

    /// The folders that the application takes.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.root.as_str()).chain(self.others.iter().map(String::as_str))
    }

    fn copy(
        &mut self,
        app: &App<'_>,
        index: usize,
        copy: &CopyPart<'_>,
        outside: &mut Vec<(usize, String)>,
    ) -> Result<(), Why> {
        let anatomy = app.anatomy;
        let Some(target) = destination(anatomy.ctx, index, &copy.view) else {
            return Err(Why::new(
                index,
                "where line puts its files is not known",
                "",
            ));
        };
        if is_under(&target, &self.root) {
            if let Some(flag) = anatomy.ctx.model.instruction(index).flag("chown")
                && let Some(owner) = flag_value(app, index, flag)
                && !matches!(owner.split(':').next(), Some("root" | "0"))
            {
                self.owner = Some(owner);
            }
        } else {
            outside.push((index, target));
        }
        Ok(())
    }

    fn run(&mut self, app: &App<'_>, index: usize, run: &RunPart<'_>) -> Result<(), Why> {
        let anatomy = app.anatomy;
        let line = anatomy.line(index);
        let refuse = |what: String| {
            Err(Why::new(
                index,
                format!("line {line} {what}"),
                "split the file by hand, or replace the command by one whose effects are known",
            ))
        };
        let Some(script) = anatomy.ctx.model.script(index) else {
            return refuse("cannot be read as shell".to_owned());
        };
        if run.unreadable {
            return refuse("cannot be read as shell".to_owned());
        }
        let mut builds = false;
        for operation in &run.language {
            builds |= self.operation(app, index, operation);
        }
        let mut written = Paths::default();
        for invocation in script.invocations() {
            if invocation.simple.words.is_empty() {
                continue;
            }
            builds |= match self.invocation(app, index, run, &invocation, &mut written) {
                Ok(builds) => builds,
                Err(what) => return refuse(what),
            };
        }
        if run.downloads && !only_configures_git(&script.invocations()) {
            return refuse("downloads what the program may need".to_owned());
        }
        let globals = run.language.iter().any(is_global);
        let needed = self.globals_at_start(app, run);
        if globals && needed {
            if run.language.iter().all(is_global) && run.system.is_empty() && !builds {
                self.replayed.insert(index);
                return Ok(());
            }
            match again::global_installs(anatomy, index, run) {
                Some(installs) => self.again.extend(installs),
                None => return refuse("installs what starts the program, and more".to_owned()),
            }
        }
        let kept = self.system_packages(app, index, run)?;
        if builds || globals || run.builds() {
            self.last_build = index;
            if run.accounts || run.system_changes {
                return refuse("both builds and changes the system".to_owned());
            }
            if let Some(path) = written.outside.first() {
                return refuse(format!("builds, and writes {path} beside it"));
            }
            if !kept.is_empty() && app.facts.package_manager() != Some(PackageManager::Apt) {
                return refuse(format!("both builds and installs {}", kept.join(" ")));
            }
            self.packages.extend(kept);
            let user = anatomy.ctx.model.state(index).config.user.clone();
            if let Some(user) = user.filter(|user| !matches!(user.as_str(), "root" | "0")) {
                self.owner.get_or_insert(user);
            }
            self.changes_files |= !written.inside.is_empty();
            return Ok(());
        }
        self.changes_files |= !written.inside.is_empty();
        let is_system = run.accounts || run.system_changes || !kept.is_empty();
        if is_system || !written.outside.is_empty() {
            if !run.can_be_replayed() {
                return refuse("does more than can be done again in a second stage".to_owned());
            }
            self.replayed.insert(index);
        }
        Ok(())
    }

    /// Notes what a package manager of Node is asked to do; whether that builds.
    fn operation(&mut self, app: &App<'_>, index: usize, operation: &PackageOperation<'_>) -> bool {
        let manager = operation.manager.name.get();
        if is_global(operation) || !matches!(manager, "npm" | "yarn" | "pnpm") {
            return false;
        }
        match operation.verb {
            Verb::Install => {
                self.installs += 1;
                self.plain_installs &= operation.packages.is_empty()
                    && !operation.has_flag(&["--no-save", "--ignore-workspace"]);
                let folder = working_directory(app.anatomy.ctx, index).unwrap_or("/");
                let elsewhere = folder != app.folder
                    || app
                        .anatomy
                        .ctx
                        .model
                        .script(index)
                        .is_some_and(crate::shell::Script::changes_directory)
                    || operation.has_flag(&["--prefix", "--cwd", "-C", "--dir", "--filter"]);
                self.installs_elsewhere |= elsewhere;
                self.plain_installs &= self.manager.as_deref().is_none_or(|name| name == manager);
                self.manager = Some(manager.to_owned());
                self.legacy_peers |= operation.has_flag(&["--legacy-peer-deps"]);
                self.plain_installs &= !operation.has_flag(&["--force", "-f"]);
                self.installs_development |= !omits_development(app, index, operation);
                self.last_build = index;
                false
            }
            Verb::Clean => false,
            _ => {
                let words: Vec<&str> = operation
                    .packages
                    .iter()
                    .filter_map(|word| std::str::from_utf8(word.literal.as_deref()?).ok())
                    .collect();
                match words.as_slice() {
                    ["config" | "set" | "get" | "version" | "-v" | "cache", ..] | [] => {
                        return false;
                    }
                    ["run" | "run-script", script, ..] => self.script(script),
                    [script] if app.node.manifest.scripts.contains_key(*script) => {
                        self.script(script);
                    }
                    ["prune" | "rebuild" | "dedupe", ..] => return false,
                    _ => self.scripts = None,
                }
                if operation.has_flag(&["--prefix", "--cwd", "-C", "--dir", "--filter"]) {
                    self.scripts = None;
                }
                self.builds = true;
                true
            }
        }
    }

    fn script(&mut self, name: &str) {
        if let Some(scripts) = &mut self.scripts {
            scripts.push(name.to_owned());
        }
    }

    /// Whether a command builds; what it writes goes to `written`.
    fn invocation(
        &mut self,
        app: &App<'_>,
        index: usize,
        run: &RunPart<'_>,
        invocation: &Invocation<'_>,
        written: &mut Paths,
    ) -> Result<bool, String> {
        let ctx = app.anatomy.ctx;
        let Some(name) = invocation.name() else {
            return Err("runs a command whose name is computed".to_owned());
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let words: Vec<String> = invocation
            .arguments()
            .iter()
            .map(|word| match &word.literal {
                Some(literal) => String::from_utf8_lossy(literal).into_owned(),
                None => ctx
                    .model
                    .state(index)
                    .expand(&word.raw, ctx.dockerfile.escape()),
            })
            .collect();
        match name.as_str() {
            "npm" | "yarn" | "pnpm" => return Ok(false),
            "corepack" => {
                let scripts = &app.start.launch.scripts;
                if app.start.whole
                    || scripts
                        .iter()
                        .any(|(manager, _)| manager == "pnpm" || manager == "berry")
                {
                    return Err("makes a package manager known that starts the program".to_owned());
                }
                return Ok(true);
            }
            "node" if words.iter().all(|word| word == "-v" || word == "--version") => {
                return Ok(false);
            }
            "node" | "npx" | "tsc" | "nest" | "next" | "vite" | "webpack" | "prisma" | "gulp"
            | "grunt" | "ng" | "nuxt" | "nuxi" | "rollup" | "tsup" | "esbuild" | "bower"
            | "react-scripts" | "vue-cli-service" | "babel" | "node-gyp" | "lerna" | "turbo"
            | "nx" => {
                self.builds = true;
                self.scripts = None;
                return Ok(true);
            }
            _ => {}
        }
        if run.unknown.contains(&name) {
            let by_path = invocation
                .simple
                .words
                .iter()
                .any(|word| contains(&word.raw, b"node_modules/.bin/"));
            if by_path {
                self.builds = true;
                self.scripts = None;
                return Ok(true);
            }
            return Err(format!("runs `{name}`, which could write anywhere"));
        }
        let works_on_files = ctx
            .catalog
            .command(&name)
            .is_some_and(|command| command.kind == crate::catalog::CommandKind::File);
        if works_on_files && !DELETES.contains(&name.as_str()) {
            let folder = working_directory(ctx, index).unwrap_or("/");
            let changes = ctx
                .model
                .script(index)
                .is_some_and(crate::shell::Script::changes_directory);
            for word in words.iter().filter(|word| !word.starts_with('-')) {
                if !word.contains('/')
                    && matches!(name.as_str(), "chown" | "chmod" | "chgrp")
                    && words.first() == Some(word)
                {
                    continue;
                }
                if changes && !word.starts_with('/') {
                    continue;
                }
                let path = resolve(folder, word);
                if self
                    .roots()
                    .any(|root| root != "/" && is_under(&path, root))
                {
                    written.inside.push(path);
                } else if !is_under(&path, "/tmp") {
                    written.outside.push(path);
                }
            }
            if name == "chown" {
                self.chown(app, folder, &words);
            }
        }
        Ok(false)
    }

    fn chown(&mut self, app: &App<'_>, folder: &str, words: &[String]) {
        let recursive = words
            .iter()
            .any(|word| word.starts_with('-') && word.contains('R') || word == "--recursive");
        let mut operands = words.iter().filter(|word| !word.starts_with('-'));
        let Some(owner) = operands.next() else {
            return;
        };
        for path in operands.map(|word| resolve(folder, word)) {
            if is_under(&app.folder, &path) || is_under(&self.root, &path) {
                self.owns_folder = true;
                if recursive {
                    self.owner = Some(owner.clone());
                } else {
                    self.owner.get_or_insert_with(|| owner.clone());
                }
            }
        }
    }

    /// Packages of the distribution that the program may call or load.
    fn system_packages(
        &mut self,
        app: &App<'_>,
        index: usize,
        run: &RunPart<'_>,
    ) -> Result<Vec<String>, Why> {
        let mut kept = Vec::new();
        for operation in &run.system {
            if operation.verb != Verb::Install {
                continue;
            }
            let Some(names) = operation.literal_packages() else {
                return Err(Why::new(
                    index,
                    format!(
                        "line {} installs packages whose names are computed",
                        app.anatomy.line(index)
                    ),
                    "write their names",
                ));
            };
            for name in names {
                let called = app.reach.usage.programs.iter().any(|program| {
                    program.name == name
                        || name.starts_with("python") && program.name.starts_with("python")
                });
                if is_for_building(&name) && !called {
                    self.drops_packages = true;
                } else {
                    kept.push(name);
                }
            }
        }
        Ok(kept)
    }

    /// Whether a global install of `run` brings what starts the program.
    fn globals_at_start(&mut self, app: &App<'_>, run: &RunPart<'_>) -> bool {
        let launch = &app.start.launch;
        let mut found = false;
        for operation in run.language.iter().filter(|operation| is_global(operation)) {
            for name in operation.literal_packages().unwrap_or_default() {
                let name = without_version(&name).to_owned();
                let starts = file_name(&app.start.program) == name
                    || launch
                        .words
                        .first()
                        .is_some_and(|word| file_name(word) == name)
                    || launch.package.as_deref() == Some(&*name)
                    || launch.wrappers.contains(&name)
                    || launch.scripts.iter().any(|(manager, _)| *manager == name)
                    || app.start.has_script
                    || app.start.whole;
                if starts {
                    self.global.push(name);
                    found = true;
                }
            }
        }
        found
    }

    /// Copies to other folders: built there, or brought again.
    fn place_outside(&mut self, app: &App<'_>, outside: Vec<(usize, String)>) {
        for (index, target) in outside {
            let is_built = app.anatomy.runs().any(|(run, part)| {
                let ctx = app.anatomy.ctx;
                let in_it =
                    working_directory(ctx, run).is_some_and(|folder| is_under(folder, &target));
                let names_it = contains(ctx.model.instruction(run).body.text(), target.as_bytes());
                run > index && part.builds() && (in_it || names_it)
            });
            let stays = is_built && target != "/";
            if stays {
                self.others.push(target);
            } else {
                self.replayed.insert(index);
            }
        }
    }

    /// An install that runs again needs the lists that an earlier RUN fetched.
    fn lists_for_replays(&mut self, app: &App<'_>) {
        let updates: Vec<usize> = app
            .anatomy
            .runs()
            .filter(|(_, run)| {
                !run.system.is_empty()
                    && run
                        .system
                        .iter()
                        .all(|operation| operation.verb == Verb::Update)
                    && run.can_be_replayed()
            })
            .map(|(index, _)| index)
            .collect();
        let installs = |index: usize| {
            app.anatomy.runs().any(|(at, run)| {
                at > index && self.replayed.contains(&at) && !run.system.is_empty()
            })
        };
        let needed: Vec<usize> = updates
            .into_iter()
            .filter(|index| installs(*index))
            .collect();
        self.replayed.extend(needed);
    }

    /// What runs again, and after which nothing else runs in the first stage, is not needed there.
    fn move_late_replays(&mut self, app: &App<'_>) {
        for step in app.anatomy.steps.iter().rev() {
            match &step.part {
                Part::Copy(_) | Part::Run(_) if self.replayed.contains(&step.index) => {
                    self.moved.insert(step.index);
                }
                Part::Setting
                    if !matches!(
                        app.anatomy.ctx.model.instruction(step.index).keyword,
                        Keyword::Arg | Keyword::Shell
                    ) =>
                {
                    self.moved.insert(step.index);
                }
                Part::Copy(_) | Part::Run(_) => break,
                _ => {}
            }
        }
        let ctx = app.anatomy.ctx;
        self.end = app
            .anatomy
            .steps
            .iter()
            .rfind(|step| {
                matches!(&step.part, Part::Copy(_) | Part::Run(_))
                    && !self.moved.contains(&step.index)
            })
            .map_or(app.anatomy.stage.from, |step| step.index);
        self.copy_folder = working_directory(ctx, self.end).unwrap_or("/").to_owned();
    }
}

/// What the file commands of a RUN work on.
#[derive(Default)]
struct Paths {
    inside: Vec<String>,
    outside: Vec<String>,
}

/// The outermost folder that a COPY of a folder fills and that holds the application.
fn root(app: &App<'_>) -> String {
    let mut root = app.folder.clone();
    for (index, copy) in app.anatomy.copies() {
        let brings_folder = copy.view.from.is_none()
            && copy.view.sources.iter().any(|source| {
                let text = String::from_utf8_lossy(source.text);
                app.context
                    .sources(&text)
                    .iter()
                    .any(|path| path.is_empty() || app.context.is_folder(path))
            });
        if let Some(target) = destination(app.anatomy.ctx, index, &copy.view)
            && brings_folder
            && is_under(&root, &target)
        {
            root = target;
        }
    }
    root
}

fn flag_value(app: &App<'_>, index: usize, flag: &crate::syntax::Flag) -> Option<String> {
    let ctx = app.anatomy.ctx;
    let value = flag.value.as_ref()?;
    Some(
        ctx.model
            .state(index)
            .expand(value, ctx.dockerfile.escape()),
    )
}

/// Whether a RUN of the stage installs `package` for all projects.
pub(super) fn installs_globally(anatomy: &Anatomy<'_>, package: &str) -> bool {
    anatomy.runs().any(|(_, run)| {
        run.language
            .iter()
            .filter(|operation| is_global(operation))
            .flat_map(|operation| operation.literal_packages().unwrap_or_default())
            .any(|name| without_version(&name) == package)
    })
}

/// `npm install -g`, `yarn global add`.
pub(super) fn is_global(operation: &PackageOperation<'_>) -> bool {
    operation.has_flag(&["-g", "--global", "--location"])
        || operation
            .simple
            .words
            .iter()
            .any(|word| word.literal.as_deref() == Some(b"global"))
}

fn omits_development(app: &App<'_>, index: usize, operation: &PackageOperation<'_>) -> bool {
    if operation.has_flag(&["--include"]) {
        return false;
    }
    let state = app.anatomy.ctx.model.state(index);
    let is_production = |value: &str| value == "production";
    let assigned = operation.simple.assignments.iter().any(|assignment| {
        assignment.name == b"NODE_ENV" && assignment.value.literal.as_deref() == Some(b"production")
    });
    assigned
        || app.node.settings.omits_dev
        || state
            .config
            .env
            .get("NODE_ENV")
            .is_some_and(|value| is_production(value))
        || operation.has_flag(&["--production", "--prod", "-P", "--omit", "--only"])
}

fn only_configures_git(invocations: &[Invocation<'_>]) -> bool {
    invocations.iter().all(|invocation| {
        let name = invocation.name().unwrap_or_default();
        !matches!(
            name,
            b"curl" | b"wget" | b"git" | b"aria2c" | b"svn" | b"hg"
        ) || name == b"git" && invocation.has_argument("config")
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
