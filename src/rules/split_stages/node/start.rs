//! What starts, and what a script in front of it calls.

use super::layout::installs_globally;
use crate::context::Context;
use crate::model::path::{file_name, resolve};
use crate::model::{CommandForm, Setting};
use crate::rules::image_paths::origin;
use crate::rules::node_start::NodeStart;
use crate::rules::split_stages::{Anatomy, Why};
use crate::stack::node::{Launch, LaunchKind, Node};

/// The start of the container.
pub(in crate::rules::split_stages) struct Start {
    pub(in crate::rules::split_stages) launch: Launch,
    /// Texts of the shell that run at start: of CMD in shell form, of scripts in front of the program.
    pub(super) texts: Vec<String>,
    /// Whether a script of the project runs before the program: it may use anything.
    pub(in crate::rules::split_stages) has_script: bool,
    /// Whether all of the project has to be there: what starts is not one known program.
    pub(super) whole: bool,
    /// The first word, as CMD or ENTRYPOINT writes it.
    pub(super) program: String,
    /// The instruction that says so.
    pub(super) anchor: usize,
}

/// Programs that build or change a project: an image without them cannot run a script that calls them.
const BUILD_PROGRAMS: &[&str] = &[
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "tsc",
    "nest",
    "prisma",
    "sequelize",
    "sequelize-cli",
    "knex",
    "typeorm",
    "ts-node",
    "webpack",
    "vite",
    "make",
    "gcc",
    "node-gyp",
    "corepack",
];

/// The words of ENTRYPOINT and CMD together; none where neither is set here, so that the image starts a prompt.
pub(super) fn words(anatomy: &Anatomy<'_>) -> Option<Vec<String>> {
    let config = &anatomy.stage.end.config;
    let mut words = Vec::new();
    if let Setting::Set(line) = &config.entrypoint {
        words.extend(line.form.argv());
        if matches!(line.form, CommandForm::Shell { .. }) {
            return Some(words);
        }
    }
    if let Setting::Set(line) = &config.cmd {
        words.extend(line.form.argv());
    }
    (!words.is_empty()).then_some(words)
}

impl Start {
    /// Reads the start; none where it is a shell or a prompt.
    ///
    /// # Errors
    /// When it installs or fetches packages, or runs what is not known.
    pub(super) fn of(
        anatomy: &Anatomy<'_>,
        context: &Context,
        node: &Node,
        working: &str,
    ) -> Result<Option<Self>, Why> {
        let config = &anatomy.stage.end.config;
        let anchor = [&config.cmd, &config.entrypoint]
            .into_iter()
            .find_map(|setting| setting.set())
            .map_or(anatomy.stage.from, |line| line.instruction);
        let Some(mut words) = words(anatomy) else {
            return Ok(None);
        };
        let mut texts = Vec::new();
        let mut has_script = false;
        while words.first().is_some_and(|word| {
            matches!(
                file_name(word),
                "tini" | "dumb-init" | "docker-entrypoint.sh" | "--"
            )
        }) && !words[0].starts_with('.')
            && script_path(anatomy, working, &words[0]).is_none()
        {
            words.remove(0);
            while words.first().is_some_and(|word| word.starts_with('-')) {
                words.remove(0);
            }
        }
        if let Some(path) = words
            .first()
            .and_then(|word| script_path(anatomy, working, word))
        {
            let text = context.read_str(&path).unwrap_or_default();
            check_script(anchor, &path, &text)?;
            has_script = true;
            texts.push(text);
            words.remove(0);
        }
        let Some(program) = words.first().cloned() else {
            return match has_script {
                true => Ok(Some(Self {
                    launch: Launch::default(),
                    texts,
                    has_script,
                    whole: false,
                    program: String::new(),
                    anchor,
                })),
                false => Ok(None),
            };
        };
        let is_shell = matches!(file_name(&program), "sh" | "bash" | "ash" | "dash");
        let launch = match words.as_slice() {
            [_, flag, text, ..] if is_shell && flag.ends_with('c') => {
                texts.push(text.clone());
                node.launch_line(text)
            }
            _ if is_shell => return Ok(None),
            _ => node.launch(&words),
        };
        let is_known = !matches!(
            launch.kind,
            LaunchKind::Development | LaunchKind::Builds | LaunchKind::Unknown
        );
        let is_told_by_script = has_script && launch.kind == LaunchKind::Unknown;
        let whole = !is_known && !is_told_by_script;
        if whole {
            let is_global = |package: &str| installs_globally(anatomy, package);
            let start = NodeStart {
                ctx: anatomy.ctx,
                context,
                node,
                is_global: &is_global,
            };
            let found = start.texts(&words).map_err(|what| {
                Why::new(
                    anchor,
                    format!("`{}` {what} when the container starts", words.join(" ")),
                    "install and build in a RUN, and start only the program",
                )
            })?;
            texts.extend(found);
        }
        Ok(Some(Self {
            launch,
            texts,
            has_script,
            whole,
            program,
            anchor,
        }))
    }
}

/// The path in the context of the script that `word` names, when it is no program text of Node.
fn script_path(anatomy: &Anatomy<'_>, working: &str, word: &str) -> Option<String> {
    if [".js", ".mjs", ".cjs", ".ts"]
        .iter()
        .any(|ending| word.ends_with(ending))
    {
        return None;
    }
    let places = if word.contains('/') {
        vec![resolve(working, word)]
    } else {
        ["/usr/local/bin", "/usr/bin", "/bin"]
            .iter()
            .map(|folder| resolve(folder, word))
            .collect()
    };
    places
        .iter()
        .find_map(|path| origin(anatomy.ctx, anatomy.stage, path))
}

fn check_script(anchor: usize, path: &str, text: &str) -> Result<(), Why> {
    let called = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(|letter: char| !is_name(letter)))
        .find(|word| BUILD_PROGRAMS.contains(word));
    match called {
        Some(program) => Err(Why::new(
            anchor,
            format!("{path} calls `{program}` when the container starts"),
            "do in a RUN what belongs to the build",
        )),
        None => Ok(()),
    }
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '+')
}
