//! What a start command runs in the end: `npm start` → `node dist/main.js`.

use super::Node;
use super::manifest::{Manifest, Role};
use super::programs::{Nature, nature_of, package_of_command};
use crate::stack::commands::{Joined, Plain, split_list};
use crate::stack::paths;

/// A start command, followed through scripts to the program that runs.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// The scripts it goes through, outermost first, each with the manager that is called.
    pub scripts: Vec<(String, String)>,
    /// `pre` and `post` scripts that run too: name and text.
    pub hooks: Vec<(String, String)>,
    /// Commands that run before the last one (`tsc && node dist/main`): their words.
    pub before: Vec<Vec<String>>,
    /// The program that stays, and its arguments, without wrappers such as `cross-env` and `npx`; empty when unknown.
    pub words: Vec<String>,
    /// Programs that only wrap it: `cross-env`, `npx`, `tini`.
    pub wrappers: Vec<String>,
    /// Variables that the scripts or `cross-env` set for it.
    pub environment: Vec<(String, String)>,
    /// Whether words hold variables or globs.
    pub expands: bool,
    /// Modules that Node loads first: `-r x`, `--import x`, `--loader x`, also in NODE_OPTIONS.
    pub preloads: Vec<String>,
    /// The file that Node starts, as a path in the context (it need not be there yet: build output).
    pub entry: Option<String>,
    /// The package that brings the program, when it is not Node itself.
    pub package: Option<String>,
    /// How the root manifest names that package.
    pub role: Option<Role>,
    /// What kind of start it is.
    pub kind: LaunchKind,
}

/// Kinds of start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LaunchKind {
    /// `node FILE`
    Node,
    /// A program that serves what was built: `next start`, `remix-serve`, `pm2-runtime`.
    Production,
    /// A development server: compiles while it serves.
    Development,
    /// A web server for files: the folder that it serves, as a path in the context.
    Static {
        /// The folder.
        folder: String,
        /// Whether unknown paths get `index.html` (`-s`).
        single_page: bool,
    },
    /// It builds first: the commands in `before`, or the program itself.
    Builds,
    /// Not understood, for this reason.
    #[default]
    Unknown,
}

/// How many scripts may call each other.
const DEPTH: usize = 8;

impl Node {
    /// Follows the command `words`, started in the project's folder; `words` are a CMD's in the exec form.
    #[must_use]
    pub fn launch(&self, words: &[String]) -> Launch {
        let plain = Plain {
            assignments: Vec::new(),
            words: words.to_vec(),
            expands: false,
            joined: Joined::End,
        };
        let mut launch = Launch::default();
        launch.kind = launch.follow(&self.manifest, vec![plain], DEPTH);
        if launch.kind == LaunchKind::Unknown {
            launch.words.clear();
        }
        if let Some(package) = &launch.package {
            launch.role = self.manifest.role(package);
        }
        launch
    }

    /// Follows a command line, as the shell form of CMD holds it.
    #[must_use]
    pub fn launch_line(&self, line: &str) -> Launch {
        let mut launch = Launch::default();
        if let Some(list) = split_list(line) {
            launch.kind = launch.follow(&self.manifest, list, DEPTH);
        }
        if let Some(package) = &launch.package {
            launch.role = self.manifest.role(package);
        }
        launch
    }
}

impl Launch {
    /// Whether it goes through a package manager's script.
    #[must_use]
    pub fn is_script(&self) -> bool {
        !self.scripts.is_empty()
    }

    fn follow(&mut self, manifest: &Manifest, mut list: Vec<Plain>, depth: usize) -> LaunchKind {
        let Some(last) = list.pop() else {
            return LaunchKind::Unknown;
        };
        if list
            .iter()
            .any(|plain| !matches!(plain.joined, Joined::And | Joined::Then))
        {
            return LaunchKind::Unknown;
        }
        let mut builds = false;
        for plain in list {
            builds |= !is_harmless(&plain.words);
            self.before.push(plain.words);
        }
        let kind = self.command(manifest, last, depth);
        match kind {
            LaunchKind::Unknown | LaunchKind::Development => kind,
            _ if builds => LaunchKind::Builds,
            kind => kind,
        }
    }

    fn command(&mut self, manifest: &Manifest, plain: Plain, depth: usize) -> LaunchKind {
        let Some(depth) = depth.checked_sub(1) else {
            return LaunchKind::Unknown;
        };
        self.expands |= plain.expands;
        for (name, value) in plain.assignments {
            self.set(name, value);
        }
        let words = self.unwrap(plain.words);
        if let Some((manager, script, arguments)) = called_script(&words, manifest) {
            return self.script(manifest, &manager, &script, arguments, depth);
        }
        self.words = words;
        self.program(manifest)
    }

    fn script(
        &mut self,
        manifest: &Manifest,
        manager: &str,
        name: &str,
        arguments: &[String],
        depth: usize,
    ) -> LaunchKind {
        self.scripts.push((manager.to_owned(), name.to_owned()));
        let text = match manifest.scripts.get(name) {
            Some(text) => text.clone(),
            // npm's own default.
            None if name == "start" && manager == "npm" => "node server.js".to_owned(),
            None => return LaunchKind::Unknown,
        };
        let runs_hooks = !matches!(manager, "pnpm" | "berry");
        if runs_hooks {
            for hook in [format!("pre{name}"), format!("post{name}")] {
                if let Some(text) = manifest.scripts.get(&hook) {
                    self.hooks.push((hook, text.clone()));
                }
            }
        }
        let Some(mut list) = split_list(&text) else {
            return LaunchKind::Unknown;
        };
        if let Some(last) = list.last_mut() {
            last.words.extend_from_slice(arguments);
        }
        let kind = self.follow(manifest, list, depth);
        let builds = self
            .hooks
            .iter()
            .filter(|(hook, _)| hook.starts_with("pre"))
            .any(|(_, text)| {
                split_list(text)
                    .is_none_or(|list| list.iter().any(|plain| !is_harmless(&plain.words)))
            });
        match kind {
            LaunchKind::Unknown | LaunchKind::Development => kind,
            _ if builds => LaunchKind::Builds,
            kind => kind,
        }
    }

    fn set(&mut self, name: String, value: String) {
        if name == "NODE_OPTIONS" {
            let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
            self.node_options(&words);
        }
        self.environment.push((name, value));
    }

    /// The command without `cross-env A=b`, `npx`, `exec`, `env`, `dotenv --`.
    fn unwrap(&mut self, mut words: Vec<String>) -> Vec<String> {
        for _ in 0..DEPTH {
            let Some(program) = words.first().map(|word| paths::file_name(word).to_owned()) else {
                break;
            };
            let next = words.get(1).map_or("", String::as_str);
            let skip = match (program.as_str(), next) {
                ("cross-env" | "cross-env-shell" | "env", _)
                | ("exec", _)
                | ("tini" | "dumb-init", _) => 1,
                ("npx" | "bunx" | "pnpx", _) => 1,
                ("pnpm" | "yarn" | "bun", "exec" | "x" | "dlx") | ("npm", "exec") => 2,
                _ => break,
            };
            self.wrappers.push(program);
            words.drain(..skip);
            while let Some(first) = words.first() {
                if let Some((name, value)) = crate::stack::commands::assignment(first) {
                    self.set(name, value);
                } else if !first.starts_with('-') {
                    break;
                }
                words.remove(0);
            }
        }
        words
    }

    /// Reads options of Node; the position of the first word that is none.
    fn node_options(&mut self, words: &[String]) -> usize {
        let mut at = 0;
        while let Some(word) = words
            .get(at)
            .filter(|word| word.starts_with('-') && word.len() > 1)
        {
            let (name, value) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            if matches!(
                name,
                "-r" | "--require" | "--import" | "--loader" | "--experimental-loader"
            ) {
                let module = match value {
                    Some(module) => Some(module.to_owned()),
                    None => {
                        at += 1;
                        words.get(at).cloned()
                    }
                };
                self.preloads.extend(module);
            } else if matches!(
                name,
                "--env-file" | "--max-old-space-size" | "-C" | "--conditions" | "--title"
            ) && value.is_none()
            {
                at += 1;
            }
            at += 1;
        }
        at
    }

    /// Classifies `words`.
    fn program(&mut self, manifest: &Manifest) -> LaunchKind {
        let words = self.words.clone();
        let Some(program) = words.first().map(|word| paths::file_name(word)) else {
            return LaunchKind::Unknown;
        };
        if matches!(program, "node" | "nodejs") {
            let at = 1 + self.node_options(&words[1..]);
            if words.iter().any(|word| word == "--watch") {
                return LaunchKind::Development;
            }
            return match words.get(at) {
                Some(file) => self.node_file(manifest, file, &words[at + 1..]),
                None => LaunchKind::Unknown,
            };
        }
        // A manager that runs no script of this manifest: another folder's, or an install.
        if matches!(program, "npm" | "yarn" | "yarnpkg" | "pnpm" | "bun") {
            return LaunchKind::Unknown;
        }
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        self.package = package_of_command(program, manifest);
        match nature_of(program, &arguments) {
            Nature::Development => LaunchKind::Development,
            Nature::Production => LaunchKind::Production,
            Nature::Builds => LaunchKind::Builds,
            Nature::Files => {
                let folder = arguments
                    .iter()
                    .enumerate()
                    .find(|(at, word)| {
                        let value_before = at.checked_sub(1).is_some_and(|before| {
                            matches!(
                                arguments[before],
                                "-l" | "-p"
                                    | "--listen"
                                    | "--port"
                                    | "-a"
                                    | "-c"
                                    | "--config"
                                    | "-L"
                            )
                        });
                        !word.starts_with('-') && !value_before
                    })
                    .map_or(".", |(_, word)| word);
                match paths::relative(manifest.folder(), folder) {
                    Some(folder) => LaunchKind::Static {
                        folder,
                        single_page: arguments
                            .iter()
                            .any(|word| matches!(*word, "-s" | "--single")),
                    },
                    None => LaunchKind::Unknown,
                }
            }
            Nature::Nothing | Nature::Unknown => LaunchKind::Unknown,
        }
    }

    fn node_file(&mut self, manifest: &Manifest, file: &str, arguments: &[String]) -> LaunchKind {
        if let Some(inner) = file.split_once("node_modules/.bin/").map(|(_, name)| name) {
            self.words = [inner.to_owned()]
                .into_iter()
                .chain(arguments.iter().cloned())
                .collect();
            return self.program(manifest);
        }
        if let Some(inner) = file.split_once("node_modules/").map(|(_, rest)| rest) {
            let scoped = usize::from(inner.starts_with('@'));
            let package = inner
                .split('/')
                .take(1 + scoped)
                .collect::<Vec<_>>()
                .join("/");
            let command = paths::file_name(inner);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let nature = nature_of(command, &arguments);
            self.package = Some(package);
            return match nature {
                Nature::Development => LaunchKind::Development,
                Nature::Builds => LaunchKind::Builds,
                _ => LaunchKind::Production,
            };
        }
        if file.contains('$') {
            return LaunchKind::Unknown;
        }
        let file = if file == "." {
            manifest.main.as_deref().unwrap_or("index.js")
        } else {
            file
        };
        self.entry = paths::relative(manifest.folder(), file);
        let loads = |name: &str| {
            self.preloads
                .iter()
                .any(|module| module.split('/').next() == Some(name))
        };
        if file.ends_with(".ts") || loads("ts-node") || loads("tsx") || loads("@babel") {
            return LaunchKind::Development;
        }
        LaunchKind::Node
    }
}

/// The script that a package manager's command runs: the manager, the script, what is passed on.
fn called_script<'a>(
    words: &'a [String],
    manifest: &Manifest,
) -> Option<(String, String, &'a [String])> {
    let manager = paths::file_name(words.first()?);
    if !matches!(manager, "npm" | "yarn" | "pnpm" | "bun" | "yarnpkg") {
        return None;
    }
    let mut at = 1;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        // `--prefix client` and its like run in another folder.
        if matches!(
            word.as_str(),
            "--prefix" | "-C" | "--cwd" | "--filter" | "-F" | "-w" | "--workspace" | "--dir" | "-r"
        ) || word.starts_with("--prefix=")
            || word.starts_with("--workspace=")
        {
            return None;
        }
        at += 1;
    }
    let mut name = words.get(at)?.as_str();
    at += 1;
    match (manager, name) {
        (_, "run" | "run-script") => {
            while words
                .get(at)
                .is_some_and(|word| matches!(word.as_str(), "--silent" | "-s"))
            {
                at += 1;
            }
            name = words.get(at)?;
            at += 1;
        }
        (_, "start" | "test" | "stop" | "restart") => {}
        ("yarn" | "yarnpkg" | "pnpm", name) if manifest.scripts.contains_key(name) => {}
        _ => return None,
    }
    if words.get(at).is_some_and(|word| word == "--") {
        at += 1;
    }
    let berry = manager.starts_with("yarn")
        && manifest
            .package_manager
            .as_deref()
            .and_then(|text| text.strip_prefix("yarn@"))
            .is_some_and(|version| !version.starts_with("1."));
    let manager = match manager {
        "yarnpkg" | "yarn" if berry => "berry",
        "yarnpkg" => "yarn",
        manager => manager,
    };
    Some((
        manager.to_owned(),
        name.to_owned(),
        words.get(at..).unwrap_or_default(),
    ))
}

/// Whether a command before the program does not build: it prints, waits or looks.
fn is_harmless(words: &[String]) -> bool {
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    words
        .first()
        .is_none_or(|program| nature_of(paths::file_name(program), &arguments) == Nature::Nothing)
}
