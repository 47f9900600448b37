//! Which language a started program is of, and whether its command line itself needs root.

use std::collections::BTreeSet;

use crate::catalog::CommandKind;
use crate::model::Stage;
use crate::model::path::{file_name, resolve};
use crate::rules::Ctx;
use crate::rules::bases::{Why, is_builtin};
use crate::rules::image_paths::{final_working_directory, origin};
use crate::shell::Script;
use crate::stack::node::{self, FrameworkKind, LaunchKind};
use crate::stack::python::{self, Python};
use crate::stack::{Details, STACKS};
use crate::syntax::Keyword;

use super::image::{below_root, is_low, low_port, uses_corepack};

/// The languages whose sources are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Language {
    C,
    Go,
    Java,
    Node,
    Python,
    Rust,
}

/// What a command turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// It writes nothing and listens on nothing, as `echo` and `sleep`.
    Harmless,
    /// It serves files that it only reads.
    FileServer,
    /// A program of the project, whose sources tell the rest.
    Own(Language),
    /// Next's own server, which keeps a cache below the folder of its build.
    Next,
}

/// What the command `words` of the container runs.
///
/// # Errors
/// When its words name files, ports or tools that another user than root has no part in, or it is not known.
pub(super) fn program(ctx: &Ctx<'_>, chain: &[&Stage], words: &[String]) -> Result<Program, Why> {
    let name = words.first().map_or("", |word| file_name(word));
    arguments(words)?;
    match name {
        "node" | "nodejs" | "npm" | "npx" | "yarn" | "pnpm" | "bun" | "next" | "pm2-docker"
        | "pm2-runtime" | "serve" | "http-server" | "remix-serve" | "nodemon" | "ts-node"
        | "tsx" => of_node(ctx, chain, words),
        "gunicorn" | "uvicorn" | "hypercorn" | "waitress-serve" | "daphne" | "granian"
        | "flask" | "fastapi" | "celery" | "streamlit" | "alembic" => of_python(ctx, words),
        _ if is_python(name) => of_python(ctx, words),
        "java" => Ok(Program::Own(Language::Java)),
        "mvn" | "mvnw" | "gradle" | "gradlew" | "sbt" => Err(Why::new(
            format!("`{name}` builds when the container starts, and writes"),
            "build in a RUN and start the result",
        )),
        "gosu" | "su-exec" | "su" | "sudo" | "runuser" | "setpriv" | "chroot" => Err(Why::new(
            format!("`{name}` changes users itself when the container starts"),
            "",
        )),
        "chown"
        | "chmod"
        | "mkdir"
        | "touch"
        | "cp"
        | "mv"
        | "ln"
        | "rm"
        | "sed"
        | "tee"
        | "install"
        | "service"
        | "update-ca-certificates"
        | "ldconfig" => Err(Why::new(
            format!("`{name}` works on files when the container starts"),
            "do that in a RUN",
        )),
        "bundle" | "irb" | "puma" | "rackup" | "rails" | "ruby" | "php" | "php-fpm"
        | "apache2-foreground" | "dotnet" | "deno" | "mix" | "elixir" => Err(Why::new(
            format!("what a program of `{name}` writes is not read from its sources"),
            "write USER yourself if it writes nothing",
        )),
        _ if is_builtin(name) => Ok(Program::Harmless),
        _ => match ctx.catalog.command(name).map(|command| command.kind) {
            Some(CommandKind::Pure | CommandKind::ShellState) if !words[0].contains('/') => {
                Ok(Program::Harmless)
            }
            _ => compiled(ctx, chain, words),
        },
    }
}

fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

/// Checks what the words themselves name.
fn arguments(words: &[String]) -> Result<(), Why> {
    let mut before = "";
    for word in words {
        let told = |what: &str| {
            Err(Why::new(
                format!("the command line names {word}: {what}"),
                "write to standard output, or to /tmp",
            ))
        };
        if word.contains("/root") || word.starts_with('~') {
            return Err(below_root(&format!("the command line names {word}")));
        }
        let port = word
            .rsplit(|char: char| !char.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let by_flag = matches!(
            before,
            "-p" | "--port" | "-b" | "--bind" | "-l" | "--listen" | "-a" | "--http-port"
        ) || word.to_ascii_lowercase().contains("port=")
            || word.to_ascii_lowercase().contains("port:-");
        let by_address = word.strip_suffix(port).is_some_and(|host| {
            host.ends_with(':') && !host.contains("://") && !host.contains('/')
        });
        let short = word
            .strip_prefix("-p")
            .is_some_and(|rest| rest == port && !port.is_empty());
        if (by_flag || by_address || short) && is_low(port) {
            return Err(low_port(&format!("the command line names {word}")));
        }
        let value = word
            .split_once('=')
            .map_or(word.as_str(), |(_, value)| value);
        let file = [".log", ".pid", ".sock"]
            .iter()
            .any(|ending| value.ends_with(ending))
            && !value.starts_with("/tmp/");
        if file {
            return told("the process writes it");
        }
        if word.contains("sqlite") || word.contains("logging.file") {
            return told("a file that is written");
        }
        before = word;
    }
    Ok(())
}

fn of_node(ctx: &Ctx<'_>, chain: &[&Stage], words: &[String]) -> Result<Program, Why> {
    let stage = chain[0];
    let context = ctx.context.ok_or_else(no_sources)?;
    let folder = final_working_directory(ctx, stage).unwrap_or("/");
    let manifest = origin(ctx, stage, &resolve(folder, "package.json")).or_else(|| {
        context
            .has("package.json")
            .then(|| "package.json".to_owned())
    });
    let root = manifest.as_deref().map_or("", |path| {
        path.rsplit_once('/').map_or("", |(root, _)| root)
    });
    let name = file_name(&words[0]);
    let Some(node) = node::project(root, context, ctx.catalog) else {
        return match name {
            "serve" | "http-server" => Ok(Program::FileServer),
            "node" if words.len() > 1 => Ok(Program::Own(Language::Node)),
            _ => Err(no_sources()),
        };
    };
    if name == "bun" && words.iter().skip(1).any(|word| is_source(word)) {
        return Ok(Program::Own(Language::Node));
    }
    if matches!(name, "serve" | "http-server") {
        return Ok(Program::FileServer);
    }
    let launch = node.launch(words);
    let managers = launch.scripts.iter().map(|(manager, _)| manager.as_str());
    for manager in managers {
        if manager != "npm"
            && (uses_corepack(ctx, chain) || manager == "pnpm" && !installs(ctx, chain, "pnpm"))
        {
            return Err(Why::new(
                format!(
                    "`{manager}` is fetched by Corepack when the container starts, into the home of the user"
                ),
                "start the script's own command, as `node server.js`",
            ));
        }
    }
    let fetches = launch
        .wrappers
        .iter()
        .any(|wrapper| matches!(wrapper.as_str(), "npx" | "bunx" | "pnpx"));
    if fetches && launch.package.is_none() {
        return Err(Why::new(
            "`npx` may fetch the program when the container starts",
            "make it a dependency and start it by name",
        ));
    }
    let started = launch.words.first().map_or("", |word| file_name(word));
    match &launch.kind {
        LaunchKind::Node => {
            let standalone = node.framework(FrameworkKind::Next).is_some()
                && launch
                    .entry
                    .as_deref()
                    .is_none_or(|entry| !context.has(entry));
            Ok(if standalone {
                Program::Next
            } else {
                Program::Own(Language::Node)
            })
        }
        LaunchKind::Production if started == "next" => Ok(Program::Next),
        LaunchKind::Production
            if matches!(
                started,
                "remix-serve" | "react-router-serve" | "pm2-docker" | "pm2-runtime" | "nuxt-start"
            ) =>
        {
            Ok(Program::Own(Language::Node))
        }
        LaunchKind::Static { .. } => Ok(Program::FileServer),
        LaunchKind::Development
            if matches!(
                started,
                "nodemon" | "ts-node" | "ts-node-dev" | "tsx" | "node"
            ) =>
        {
            Ok(Program::Own(Language::Node))
        }
        LaunchKind::Development => Err(Why::new(
            format!("`{started}` is a development server, and writes below node_modules"),
            "build in a RUN and serve the result",
        )),
        LaunchKind::Builds => Err(Why::new(
            "the start command builds first, and writes",
            "build in a RUN and start the result",
        )),
        _ => Err(Why::new(
            format!("what `{}` does is not known", words.join(" ")),
            "start a program of the project by `node` and its file",
        )),
    }
}

fn is_source(word: &str) -> bool {
    [".js", ".ts", ".mjs", ".cjs", ".tsx"]
        .iter()
        .any(|ending| word.ends_with(ending))
}

/// Whether a RUN of the image installs the package `name` globally.
fn installs(ctx: &Ctx<'_>, chain: &[&Stage], name: &str) -> bool {
    chain.iter().any(|stage| {
        ctx.model.of_kind(stage, Keyword::Run).any(|index| {
            ctx.model.operations(index).iter().any(|operation| {
                operation.has_flag(&["-g", "--global"])
                    && operation.packages.iter().any(|word| {
                        let text = String::from_utf8_lossy(&word.raw);
                        text == name || text.starts_with(&format!("{name}@"))
                    })
            })
        })
    })
}

fn of_python(ctx: &Ctx<'_>, words: &[String]) -> Result<Program, Why> {
    let context = ctx.context.ok_or_else(no_sources)?;
    let stack = STACKS.iter().find(|stack| stack.name() == "python");
    let project = stack.and_then(|stack| stack.detect("", context, ctx.catalog));
    let python = match project.map(|project| project.details) {
        Some(Details::Python(python)) => Some(*python),
        _ => None,
    };
    let names: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_worker_with_schedule = names.iter().any(|word| matches!(*word, "beat" | "-B"));
    if file_name(names[0]) == "celery" && is_worker_with_schedule {
        return Err(Why::new(
            "`celery beat` keeps its schedule in a file of the working directory",
            "put it elsewhere: `-s /tmp/celerybeat-schedule`",
        ));
    }
    if let Some(at) = names.iter().position(|word| file_name(word) == "manage.py") {
        return match names.get(at + 1) {
            Some(&("runserver" | "migrate" | "check" | "wait_for_db" | "createcachetable")) => {
                Ok(Program::Own(Language::Python))
            }
            other => Err(Why::new(
                format!(
                    "what `manage.py {}` writes is not known",
                    other.unwrap_or(&"")
                ),
                "run it in a RUN",
            )),
        };
    }
    match names.as_slice() {
        [_, "-m", "http.server", ..] => return Ok(Program::FileServer),
        [program, "upgrade", ..] if file_name(program) == "alembic" => {
            return Ok(Program::Own(Language::Python));
        }
        _ => {}
    }
    let launch = launch(python.as_ref(), ctx, words);
    use python::LaunchKind as Kind;
    let is_known = match launch.kind {
        Kind::Console | Kind::Unknown => false,
        _ => launch.runner.is_none(),
    };
    if !is_known {
        return Err(Why::new(
            format!("what `{}` does is not known", words.join(" ")),
            "start a program of the project by `python` and its file",
        ));
    }
    Ok(Program::Own(Language::Python))
}

/// How it starts; where no project is seen in the context's root, by the program's name alone.
fn launch(python: Option<&Python>, ctx: &Ctx<'_>, words: &[String]) -> python::Launch {
    if let (Some(python), Some(context)) = (python, ctx.context) {
        return python.launch(context, "", words);
    }
    let names: Vec<&str> = words.iter().map(|word| file_name(word)).collect();
    let server = match names.as_slice() {
        [program, "-m", module, ..] if is_python(program) => module,
        [program, ..] => program,
        [] => "",
    };
    let kind = match server {
        "gunicorn" | "uvicorn" | "hypercorn" | "waitress-serve" | "waitress" | "daphne"
        | "granian" => python::LaunchKind::Server,
        "flask" | "fastapi" => python::LaunchKind::Framework,
        "celery" => python::LaunchKind::Celery,
        "streamlit" => python::LaunchKind::Streamlit,
        _ if names.get(1).is_some_and(|name| name.ends_with(".py")) => python::LaunchKind::Script,
        _ => python::LaunchKind::Unknown,
    };
    python::Launch {
        kind,
        ..python::Launch::default()
    }
}

/// A program that this file compiles.
fn compiled(ctx: &Ctx<'_>, chain: &[&Stage], words: &[String]) -> Result<Program, Why> {
    let word = &words[0];
    let name = file_name(word);
    let folder = final_working_directory(ctx, chain[0]).unwrap_or("/");
    let path = resolve(folder, word);
    if word.contains('/')
        && let Some(path) = origin(ctx, chain[0], &path)
    {
        return interpreted(ctx, &path);
    }
    let languages = compilers(ctx);
    let named = word.contains('/') || is_made(ctx, name);
    let unknown = || {
        Why::new(
            format!("what `{name}` writes, and whether it needs root, is not known"),
            "write USER yourself if it runs without root",
        )
    };
    if !named {
        return Err(unknown());
    }
    match (
        languages.contains(&Language::Go),
        languages.contains(&Language::Rust),
        languages.contains(&Language::C),
    ) {
        (true, false, _) => Ok(Program::Own(Language::Go)),
        (false, true, _) => Ok(Program::Own(Language::Rust)),
        (false, false, true) => Ok(Program::Own(Language::C)),
        _ => Err(unknown()),
    }
}

/// A file of the context that starts by its first line.
fn interpreted(ctx: &Ctx<'_>, path: &str) -> Result<Program, Why> {
    let head = ctx.context.and_then(|context| context.read_head(path, 64));
    let head = head.unwrap_or_default();
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first).into_owned();
    let interpreter = first.strip_prefix("#!").and_then(|rest| {
        rest.split_whitespace()
            .map(file_name)
            .find(|word| *word != "env")
    });
    match interpreter {
        Some("node") => Ok(Program::Own(Language::Node)),
        Some(name) if is_python(name) => Ok(Program::Own(Language::Python)),
        _ => Err(Why::new(
            format!("{path} is a program whose sources are not seen"),
            "build it in this file, or write USER yourself",
        )),
    }
}

/// The languages that the stages compile.
fn compilers(ctx: &Ctx<'_>) -> BTreeSet<Language> {
    let mut found = BTreeSet::new();
    for stage in &ctx.model.stages {
        for index in ctx.model.of_kind(stage, Keyword::Run) {
            let invocations = ctx.model.script(index).map(Script::invocations);
            for invocation in invocations.unwrap_or_default() {
                let Some(name) = invocation.name() else {
                    continue;
                };
                found.extend(match name {
                    b"go" => Some(Language::Go),
                    b"cargo" => Some(Language::Rust),
                    b"gcc" | b"g++" | b"cc" | b"c++" | b"clang" | b"clang++" | b"make"
                    | b"cmake" | b"meson" | b"ninja" => Some(Language::C),
                    _ => None,
                });
            }
        }
    }
    found
}

/// Whether a COPY or a compiler's RUN names a file `name`.
fn is_made(ctx: &Ctx<'_>, name: &str) -> bool {
    let names_it = |text: &[u8]| {
        String::from_utf8_lossy(text)
            .split(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.')))
            .any(|word| word == name)
    };
    let instructions = ctx.dockerfile.instructions();
    (0..instructions.len()).any(|index| {
        let instruction = &instructions[index];
        match instruction.keyword {
            Keyword::Copy => {
                instruction.flag("from").is_some()
                    && names_it(ctx.dockerfile.bytes(instruction.span))
            }
            Keyword::Run => ctx.model.script(index).is_some_and(|script| {
                script.invocations().iter().any(|invocation| {
                    matches!(
                        invocation.name(),
                        Some(b"go" | b"cargo" | b"gcc" | b"g++" | b"cc" | b"c++" | b"make")
                    ) && invocation
                        .arguments()
                        .iter()
                        .any(|word| names_it(&word.raw))
                })
            }),
            _ => false,
        }
    })
}

pub(super) fn no_sources() -> Why {
    Why::new(
        "the sources of what starts are not seen, and it may write anywhere",
        "run docker-diet with the build context, or write USER yourself",
    )
}
