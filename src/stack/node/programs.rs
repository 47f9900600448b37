//! Commands of well-known packages: who brings them and what they do when they start.

use super::Node;
use super::manifest::Manifest;
use crate::context::Context;

impl Node {
    /// Whether a package of the project brings `command`, as far as the lock file, the manifest and what is well known
    /// show it.
    #[must_use]
    pub fn brings(&self, context: &Context, command: &str) -> bool {
        self.manifest.depends_on(command)
            || self
                .lock(context)
                .is_some_and(|lock| lock.provider_of(command).is_some())
            || COMMANDS.iter().any(|(name, packages)| {
                *name == command
                    && packages
                        .iter()
                        .any(|package| self.manifest.depends_on(package))
            })
            || SCRIPT_COMMANDS
                .iter()
                .any(|(name, package)| *name == command && self.manifest.depends_on(package))
    }
}

/// Commands of packages that scripts use, under another name than their package.
const SCRIPT_COMMANDS: &[(&str, &str)] = &[
    ("cross-env-shell", "cross-env"),
    ("dotenv", "dotenv-cli"),
    ("run-p", "npm-run-all"),
    ("run-s", "npm-run-all"),
    ("run-p", "npm-run-all2"),
    ("run-s", "npm-run-all2"),
    ("ts-node-script", "ts-node"),
];

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Compiles while it serves.
    Development,
    /// Serves what was built.
    Production,
    /// Builds or changes the project.
    Builds,
    /// Serves the files of a folder.
    Files,
    /// Neither builds nor serves: prints, waits, checks.
    Nothing,
    /// Not known.
    Unknown,
}

/// What `program` does with `arguments`.
pub(super) fn nature_of(program: &str, arguments: &[&str]) -> Nature {
    let first = arguments
        .iter()
        .find(|word| !word.starts_with('-'))
        .copied()
        .unwrap_or("");
    match (program, first) {
        (
            "nodemon" | "ts-node" | "ts-node-dev" | "tsnd" | "tsx" | "babel-node" | "ts-node-esm"
            | "webpack-dev-server" | "parcel" | "concurrently" | "tsc-watch" | "live-server"
            | "swc-node" | "node-dev" | "esno",
            _,
        ) if first != "build" => Nature::Development,
        ("vite", "" | "dev" | "serve") | ("vite", _) if !matches!(first, "build" | "preview") => {
            Nature::Development
        }
        ("vite", "preview") => Nature::Production,
        (
            "react-scripts" | "craco" | "react-app-rewired" | "ng" | "webpack" | "vue-cli-service",
            "start" | "serve",
        )
        | (
            "next" | "nuxt" | "nuxi" | "astro" | "remix" | "gatsby" | "svelte-kit" | "strapi"
            | "react-router",
            "dev" | "develop",
        )
        | ("ember", "serve") => Nature::Development,
        ("next" | "nuxt" | "nuxi" | "strapi" | "sails", "start")
        | ("nuxi" | "nuxt" | "astro", "preview")
        | ("gatsby", "serve") => Nature::Production,
        ("next" | "nuxt", "" | ".") => Nature::Development,
        // It compiles before it starts.
        ("nest", "start") => Nature::Development,
        (
            "remix-serve" | "react-router-serve" | "pm2-docker" | "pm2-runtime" | "pm2"
            | "nuxt-start" | "json-server" | "probot",
            _,
        ) => Nature::Production,
        ("serve" | "http-server", _) => Nature::Files,
        (
            "tsc" | "nest" | "webpack" | "rollup" | "esbuild" | "babel" | "swc" | "gulp" | "grunt"
            | "tsup" | "npm" | "yarn" | "pnpm" | "rimraf" | "rm" | "cp" | "mkdir" | "copyfiles"
            | "prisma" | "typeorm" | "sequelize" | "sequelize-cli" | "knex" | "ng"
            | "react-scripts" | "vite" | "next" | "lerna" | "nx" | "turbo" | "bower",
            _,
        ) => Nature::Builds,
        (
            "echo" | "sleep" | "wait-on" | "wait-for-it.sh" | "true" | "is-ci" | "test" | "["
            | "ulimit" | "export",
            _,
        ) => Nature::Nothing,
        _ => Nature::Unknown,
    }
}

/// Commands that have another name than their package.
const COMMANDS: &[(&str, &[&str])] = &[
    ("astro", &["astro"]),
    ("babel", &["@babel/cli"]),
    ("babel-node", &["@babel/node"]),
    ("craco", &["@craco/craco"]),
    ("gatsby", &["gatsby", "gatsby-cli"]),
    ("grunt", &["grunt", "grunt-cli"]),
    ("lerna", &["lerna"]),
    ("nest", &["@nestjs/cli"]),
    ("ng", &["@angular/cli"]),
    ("nuxi", &["nuxi", "nuxt"]),
    ("nuxt", &["nuxt", "nuxt3"]),
    ("pm2-docker", &["pm2"]),
    ("pm2-runtime", &["pm2"]),
    ("react-router-serve", &["@react-router/serve"]),
    ("remix", &["@remix-run/dev"]),
    ("remix-serve", &["@remix-run/serve"]),
    ("sequelize", &["sequelize-cli"]),
    ("strapi", &["@strapi/strapi", "strapi"]),
    ("svelte-kit", &["@sveltejs/kit"]),
    ("swc", &["@swc/cli"]),
    ("tsc", &["typescript"]),
    ("tsnd", &["ts-node-dev"]),
    ("vue-cli-service", &["@vue/cli-service"]),
    ("webpack", &["webpack-cli", "webpack"]),
    ("webpack-dev-server", &["webpack-dev-server", "webpack-cli"]),
];

/// The package that brings `command`, as far as the manifest and what is well known show it. The lock file knows
/// better where it records commands: [`super::lock::Lock::provider_of`].
pub(super) fn package_of_command(command: &str, manifest: &Manifest) -> Option<String> {
    if manifest.depends_on(command) {
        return Some(command.to_owned());
    }
    let (_, packages) = COMMANDS.iter().find(|(name, _)| *name == command)?;
    packages
        .iter()
        .find(|package| manifest.depends_on(package))
        .or(packages.first())
        .map(|package| (*package).to_owned())
}
