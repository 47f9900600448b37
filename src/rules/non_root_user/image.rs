//! What the instructions of the image leave: files that only root reads, folders that volumes cover, low ports.

use crate::catalog::CommandKind;
use crate::context::Entry;
use crate::model::Stage;
use crate::model::path::{is_under, resolve};
use crate::rules::Ctx;
use crate::rules::bases::runs::{self, Call};
use crate::rules::bases::{Why, is_builtin};
use crate::rules::image_paths::{destination, final_working_directory};
use crate::shell::Dialect;
use crate::syntax::Keyword;

/// Checks that a process of another user finds all that the stages of `chain` (the shipped one first) left for it.
///
/// # Errors
/// When something may lie where only root reads, or is not understood.
pub(super) fn check(ctx: &Ctx<'_>, chain: &[&Stage]) -> Result<(), Why> {
    let stage = chain[0];
    let config = &stage.end.config;
    // A volume takes over the mode of the folder that it covers: everyone may write to /tmp.
    let is_tmp = |path: &str| path.trim_end_matches('/') == "/tmp";
    if let Some(path) = config.volumes.keys().find(|path| !is_tmp(path)) {
        return Err(Why::new(
            format!("{path} is a volume: one that exists already belongs to root"),
            "give the volume to the new user, and write USER yourself",
        ));
    }
    if let Some(port) = config.ports.keys().find(|port| is_low(port)) {
        return Err(low_port(&format!("port {port} is exposed")));
    }
    for (name, value) in &config.env {
        if let Some(path) = path_below_root(value) {
            return Err(below_root(&format!("{name} names {path}")));
        }
        let is_port = name.ends_with("PORT");
        if is_port && is_low(value) {
            return Err(low_port(&format!("{name} is {value}")));
        }
        if let Some(what) = kept(name, value) {
            return Err(Why::new(
                format!("{name} is {value}: {what}"),
                "give that folder to the new user, and write USER yourself",
            ));
        }
    }
    let folder = final_working_directory(ctx, stage).unwrap_or("/");
    if is_under(folder, "/root") {
        return Err(below_root(&format!("the working directory is {folder}")));
    }
    mounts(ctx, folder)?;
    for link in chain {
        copies(ctx, link)?;
    }
    let runs = runs::of_builds(ctx, chain)?;
    for call in &runs.calls {
        judge(ctx, stage, call, &runs.calls)?;
    }
    Ok(())
}

/// The first path at or below `/root` in a value: in a list, an address, an option. `mysql://root:…` names an account.
fn path_below_root(value: &str) -> Option<&str> {
    value
        .split([':', ',', ';', '=', ' ', '"', '\''])
        .map(|part| part.strip_prefix("//").unwrap_or(part))
        .find(|part| {
            let path = part.trim_start_matches('/');
            path.len() < part.len() && is_under(path, "root")
        })
}

pub(super) fn below_root(what: &str) -> Why {
    Why::new(
        format!("{what}, and nobody but root may look into /root"),
        "put it elsewhere, as into /app or /opt",
    )
}

pub(super) fn low_port(what: &str) -> Why {
    Why::new(
        format!("{what}, and ports below 1024 are root's where the runtime does not say otherwise"),
        "listen on a port above 1023, such as 8080",
    )
}

/// Whether a port, or a range of them, begins below 1024.
pub(super) fn is_low(port: &str) -> bool {
    port.split(['/', '-'])
        .next()
        .and_then(|port| port.parse::<u16>().ok())
        .is_some_and(|port| port > 0 && port < 1024)
}

/// What a variable tells of files that the process keeps.
fn kept(name: &str, value: &str) -> Option<&'static str> {
    const FOLDERS: &[&str] = &[
        "CACHE_DIR",
        "DATA_DIR",
        "DATA_FOLDER",
        "DATA_PATH",
        "DB_FILE",
        "DB_PATH",
        "LOG_DIR",
        "LOG_FILE",
        "LOG_PATH",
        "LOGFILE",
        "MEDIA_ROOT",
        "STORAGE_DIR",
        "STORAGE_PATH",
        "UPLOAD",
    ];
    if value.contains("sqlite") {
        return Some("a database in a file");
    }
    let is_path = value.contains('/') && !value.contains("://") && !value.starts_with("/tmp/");
    (is_path && FOLDERS.iter().any(|part| name.contains(part)))
        .then_some("the process may write there")
}

/// What Compose mounts over the image.
fn mounts(ctx: &Ctx<'_>, folder: &str) -> Result<(), Why> {
    for mount in &ctx.settings.usage.mounts {
        if mount.ends_with("docker.sock") {
            return Err(Why::new(
                "the container talks to the Docker daemon, whose socket is root's",
                "",
            ));
        }
        // A mount of the sources for development shows files, and is not written.
        let sources = resolve("/", mount) == folder || mount.ends_with("/node_modules");
        if !sources {
            return Err(Why::new(
                format!("a volume is mounted at {mount}, and what is in it may belong to root"),
                "give the volume to the new user, and write USER yourself",
            ));
        }
    }
    let users = &ctx.settings.usage.users;
    if let Some(user) = users
        .iter()
        .find(|user| matches!(user.split(':').next(), Some("root" | "0")))
    {
        return Err(Why::new(
            format!("Compose starts it as {user}"),
            "take `user:` out of the Compose file if root is not needed",
        ));
    }
    Ok(())
}

/// What COPY and ADD bring, and with which modes.
fn copies(ctx: &Ctx<'_>, stage: &Stage) -> Result<(), Why> {
    let Some(context) = ctx.context else {
        return Ok(());
    };
    for index in stage.body.clone() {
        let instruction = ctx.model.instruction(index);
        let Some(copy) = instruction.as_copy() else {
            continue;
        };
        let line = instruction.lines.0;
        if let Some(target) = destination(ctx, index, &copy)
            && is_under(&target, "/root")
        {
            return Err(below_root(&format!("line {line} copies to {target}")));
        }
        if let Some(flag) = instruction.flag("chmod") {
            let mode = flag.value.as_deref().map(String::from_utf8_lossy);
            if mode.is_none_or(|mode| hides(&mode)) {
                return Err(Why::new(
                    format!("line {line} copies with a mode that may hide files from others"),
                    "",
                ));
            }
            continue;
        }
        if copy.from.is_some() {
            continue;
        }
        let state = ctx.model.state(index);
        for source in copy.sources.iter().filter(|it| it.heredoc.is_none()) {
            let source = state.expand(source.text, ctx.dockerfile.escape());
            for path in context.sources(&source) {
                if let Some((path, mode)) = hidden(context, path) {
                    return Err(Why::new(
                        format!(
                            "{path} has the mode {mode:o}: only its owner, root, could read it"
                        ),
                        format!("run `chmod o+rX {path}` before the build"),
                    ));
                }
            }
        }
    }
    Ok(())
}

/// The first file or folder at or below `path` that others may not read.
fn hidden<'c>(context: &'c crate::context::Context, path: &'c str) -> Option<(&'c str, u32)> {
    let shut = |entry: &Entry| match entry {
        Entry::File { mode, .. } if mode & 0o004 == 0 => Some(mode & 0o777),
        Entry::Folder { mode } if mode & 0o005 != 0o005 => Some(mode & 0o777),
        _ => None,
    };
    let own = context.entry(path).and_then(shut).map(|mode| (path, mode));
    own.or_else(|| {
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        context
            .visible()
            .filter(|(below, _)| below.starts_with(&prefix))
            .find_map(|(below, entry)| Some((below, shut(entry)?)))
    })
}

/// Whether a mode takes reading from others, or may do so.
fn hides(mode: &str) -> bool {
    if mode.bytes().all(|byte| byte.is_ascii_digit()) {
        return !mode.ends_with(['4', '5', '6', '7']);
    }
    mode.split(',').any(|part| match part.split_once('=') {
        Some((who, rights)) => {
            (who.is_empty() || who.contains(['o', 'a'])) && !rights.contains('r')
        }
        None => !part.contains('+'),
    })
}

/// Passes a call of a RUN that leaves its files for everyone.
fn judge(ctx: &Ctx<'_>, stage: &Stage, call: &Call, all: &[Call]) -> Result<(), Why> {
    let told = || call.told(ctx);
    let name = call.name.as_str();
    let has = |words: &[&str]| {
        call.arguments
            .iter()
            .any(|word| words.contains(&word.as_str()))
    };
    let first = call.operands().next().unwrap_or_default();
    if !matches!(name, "rm" | "echo" | "du" | "ls") {
        let home = call.arguments.iter().find(|word| {
            word.starts_with("/root")
                || word.starts_with("~")
                || word.contains("$HOME")
                || word.contains("=/root")
        });
        if let Some(word) = home {
            return Err(below_root(&format!("{} with {word}", told())));
        }
    }
    let refused = match name {
        "chmod" => call
            .operands()
            .next()
            .or(call.arguments.first().map(String::as_str))
            .is_none_or(hides)
            .then(|| "takes rights from others".to_owned()),
        "umask" => {
            (first != "022" && first != "0022").then(|| "changes the modes of new files".to_owned())
        }
        "useradd" | "adduser" | "groupadd" | "addgroup" | "usermod" => {
            Some("makes an account that no USER names".to_owned())
        }
        "chown" | "chgrp" | "setfacl" => {
            Some("gives files to a user that no USER names".to_owned())
        }
        "gosu" | "su-exec" | "sudo" | "su" | "service" | "supervisord" => {
            Some("changes users or starts services".to_owned())
        }
        "corepack" => None,
        "pip" | "pip3" if has(&["--user"]) => Some("installs below /root".to_owned()),
        "pipenv" if matches!(first, "install" | "sync") && !has(&["--system"]) => {
            let inside = stage.end.config.env.contains_key("PIPENV_VENV_IN_PROJECT");
            (!inside).then(|| "makes its environment below /root".to_owned())
        }
        "poetry" if first == "install" => {
            let env = &stage.end.config.env;
            let set = |name: &str| env.get(name).map(|value| value.to_ascii_lowercase());
            let off = matches!(
                set("POETRY_VIRTUALENVS_CREATE").as_deref(),
                Some("false" | "0")
            ) || matches!(
                set("POETRY_VIRTUALENVS_IN_PROJECT").as_deref(),
                Some("true" | "1")
            ) || all.iter().any(|other| {
                other.name == "poetry"
                    && other.arguments.iter().any(|word| {
                        matches!(
                            word.as_str(),
                            "virtualenvs.create" | "virtualenvs.in-project"
                        )
                    })
            });
            (!off).then(|| "makes its environment below /root".to_owned())
        }
        "uv" if first == "python" || first == "tool" => Some("installs below /root".to_owned()),
        "npx" | "playwright" if has(&["playwright", "install", "puppeteer"]) => {
            Some("downloads browsers to /root".to_owned())
        }
        "conda" | "mamba" | "micromamba" | "rustup" | "nvm" | "pyenv" | "sdk" | "cypress" => {
            Some("installs where only root may look".to_owned())
        }
        "python" | "python3" => {
            let harmless = matches!(
                call.arguments
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .as_slice(),
                [
                    "-m",
                    "pip" | "venv" | "compileall" | "virtualenv" | "ensurepip",
                    ..
                ] | ["setup.py", ..]
                    | [
                        "manage.py" | "./manage.py",
                        "collectstatic" | "compilemessages" | "check",
                        ..
                    ]
                    | ["--version" | "-V"]
            ) && !has(&["--user"]);
            (!harmless).then(|| "may put files below /root, as downloads of models do".to_owned())
        }
        _ if is_builtin(name) => None,
        _ if ctx.catalog.package_manager(name).is_some() => None,
        _ => match ctx.catalog.command(name).map(|command| command.kind) {
            Some(CommandKind::Service) => Some("works on services".to_owned()),
            Some(CommandKind::Interpreter) if Dialect::of_program(name).is_none() => {
                Some("may leave files that only root reads".to_owned())
            }
            Some(_) => None,
            None if name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == "pip" => {
                None
            }
            None => Some("may leave files that only root reads".to_owned()),
        },
    };
    match refused {
        None => Ok(()),
        Some(what) => Err(Why::new(
            format!("{}, which {what}", told()),
            "write USER yourself if the program runs without root",
        )),
    }
}

/// Whether a RUN of the image calls `corepack`, whose package managers are fetched again by another user.
pub(super) fn uses_corepack(ctx: &Ctx<'_>, chain: &[&Stage]) -> bool {
    chain.iter().any(|stage| {
        ctx.model.of_kind(stage, Keyword::Run).any(|index| {
            let text = ctx.dockerfile.bytes(ctx.model.instruction(index).span);
            String::from_utf8_lossy(text).contains("corepack")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::path_below_root;

    #[test]
    fn accounts_named_root_are_no_paths() {
        for value in [
            "mysql://root:secret@database/shop",
            "mongodb://root@mongo",
            "/app/root",
            "/rooted/a",
            "https://example.org/root",
            "root",
        ] {
            assert_eq!(path_below_root(value), None, "{value}");
        }
        for (value, path) in [
            ("/root", "/root"),
            ("/usr/bin:/root/.local/bin", "/root/.local/bin"),
            ("--config=/root/a.toml", "/root/a.toml"),
            ("file:///root/a.db", "/root/a.db"),
            ("sqlite:////root/a.db", "//root/a.db"),
        ] {
            assert_eq!(path_below_root(value), Some(path), "{value}");
        }
    }
}
