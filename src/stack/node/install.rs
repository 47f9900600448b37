//! Scripts of the project itself that an install runs, and what they need.

use super::manifest::{Manifest, Role};
use super::programs::package_of_command;
use crate::context::Context;
use crate::stack::commands::split_list;
use crate::stack::paths;

/// A script that `npm ci` and its like run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallScript {
    /// The manifest that holds it, a path in the context.
    pub manifest: String,
    /// `postinstall`, `prepare` …
    pub name: String,
    /// Its text.
    pub command: String,
    /// What it needs to be there.
    pub needs: Vec<Need>,
}

/// What a script needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A file or folder of the context.
    Path(String),
    /// The `.git` folder: without it the script does nothing or complains.
    Git,
    /// A package that only development installs: with `--omit=dev` the script fails.
    DevDependency(String),
    /// All of the project: it builds.
    Everything,
    /// A command that is not known; it may read anything.
    Unknown(String),
}

/// The scripts that an install runs, in npm's order.
const HOOKS: &[&str] = &[
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "pnpm:devPreinstall",
];

/// The scripts of `manifest` that an install of the project runs.
#[must_use]
pub fn install_scripts(context: &Context, manifest: &Manifest) -> Vec<InstallScript> {
    let mut scripts: Vec<InstallScript> = HOOKS
        .iter()
        .filter_map(|hook| {
            let command = manifest.scripts.get(*hook)?;
            let mut needs = Vec::new();
            read(manifest, context, command, &mut needs, 6);
            needs.sort();
            needs.dedup();
            Some(InstallScript {
                manifest: manifest.path.clone(),
                name: (*hook).to_owned(),
                command: command.clone(),
                needs,
            })
        })
        .collect();
    // npm compiles an addon that has no script of its own.
    let addon = paths::join(manifest.folder(), "binding.gyp");
    if context.has(&addon)
        && !scripts
            .iter()
            .any(|script| matches!(script.name.as_str(), "install" | "preinstall"))
    {
        scripts.push(InstallScript {
            manifest: manifest.path.clone(),
            name: "install".to_owned(),
            command: "node-gyp rebuild".to_owned(),
            needs: vec![Need::Everything],
        });
    }
    scripts
}

fn read(manifest: &Manifest, context: &Context, text: &str, needs: &mut Vec<Need>, depth: u32) {
    let (Some(list), Some(depth)) = (split_list(text), depth.checked_sub(1)) else {
        needs.push(Need::Unknown(text.to_owned()));
        return;
    };
    for plain in list {
        let mut words = plain.words.as_slice();
        while let Some((first, rest)) = words.split_first()
            && (matches!(
                first.as_str(),
                "npx" | "cross-env" | "exec" | "--yes" | "-y"
            ) || crate::stack::commands::assignment(first).is_some())
        {
            words = rest;
        }
        if let Some((program, arguments)) = words.split_first() {
            command(manifest, context, program, arguments, needs, depth);
        }
    }
}

fn command(
    manifest: &Manifest,
    context: &Context,
    program: &str,
    arguments: &[String],
    needs: &mut Vec<Need>,
    depth: u32,
) {
    let folder = manifest.folder();
    let program = paths::file_name(program);
    let first = arguments
        .iter()
        .find(|word| !word.starts_with('-'))
        .map_or("", String::as_str);
    let option = |name: &str| {
        arguments
            .iter()
            .enumerate()
            .find_map(|(at, word)| match word.split_once('=') {
                Some((option, value)) if option == name => Some(value),
                _ if word == name => arguments.get(at + 1).map(String::as_str),
                _ => None,
            })
    };
    let mut path = |name: &str| match paths::relative(folder, name) {
        Some(path) => needs.push(Need::Path(path)),
        None => needs.push(Need::Unknown(name.to_owned())),
    };
    match (program, first) {
        ("prisma", "generate") => {
            let schema = option("--schema").map(str::to_owned);
            path(schema.as_deref().unwrap_or("prisma"));
            for config in ["prisma.config.ts", "prisma.config.js", "prisma.config.mjs"] {
                if context.has(&paths::join(folder, config)) {
                    path(config);
                }
            }
        }
        ("patch-package", _) => {
            let patches = option("--patch-dir").map(str::to_owned);
            path(patches.as_deref().unwrap_or("patches"));
        }
        ("husky" | "husky-install" | "lefthook" | "simple-git-hooks", _) => needs.push(Need::Git),
        ("git", _) => needs.push(Need::Git),
        ("node" | "sh" | "bash", file)
            if !file.is_empty() && !arguments.iter().any(|word| word == "-e" || word == "-c") =>
        {
            path(file);
            // What the file itself reads is not known.
            needs.push(Need::Unknown(format!("{program} {file}")));
        }
        (
            "only-allow"
            | "echo"
            | "true"
            | "exit"
            | ":"
            | "is-ci"
            | "opencollective"
            | "opencollective-postinstall",
            _,
        ) => {}
        ("npm" | "yarn" | "pnpm", _) => {
            let script = match first {
                "run" | "run-script" => arguments.iter().skip_while(|word| *word != first).nth(1),
                _ => arguments.first(),
            };
            match script.and_then(|name| manifest.scripts.get(name)) {
                Some(text) => read(manifest, context, text, needs, depth),
                None => needs.push(Need::Unknown(format!("{program} {}", arguments.join(" ")))),
            }
            return;
        }
        (
            "tsc" | "nest" | "next" | "vite" | "webpack" | "rollup" | "gulp" | "grunt" | "tsup"
            | "ng" | "babel" | "lerna" | "turbo" | "nx" | "node-gyp" | "make" | "nuxt" | "nuxi"
            | "svelte-kit" | "electron-builder" | "ngcc",
            _,
        ) => needs.push(Need::Everything),
        _ => needs.push(Need::Unknown(program.to_owned())),
    }
    if let Some(package) = package_of_command(program, manifest)
        && manifest.role(&package) == Some(Role::Development)
    {
        needs.push(Need::DevDependency(package));
    }
}
