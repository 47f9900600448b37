//! Settings of the package managers that change what an install does: `.npmrc`, `.yarnrc.yml`, `.yarnrc`,
//! `pnpm-workspace.yaml`.

use std::collections::BTreeMap;

use super::outline;
use crate::context::Context;
use crate::stack::paths;

/// What the files say. Values of credentials are not kept.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The files that were read, paths in the context; an install reads them too.
    pub files: Vec<String>,
    /// Where a credential stands: file, line and key. `${NPM_TOKEN}` is one from the environment.
    pub credentials: Vec<Credential>,
    /// `registry` and `@scope:registry` by their key.
    pub registries: BTreeMap<String, String>,
    /// `ignore-scripts`, `enableScripts: false`.
    pub ignore_scripts: bool,
    /// `legacy-peer-deps`
    pub legacy_peer_deps: bool,
    /// `node-linker`, `nodeLinker`: `pnp`, `hoisted`, `isolated`, `node-modules`, `pnpm`.
    pub linker: Option<String>,
    /// `node-options`, which only a start through npm applies.
    pub node_options: Option<String>,
    /// `yarnPath`: the release that the project brings, a path in the context.
    pub yarn_release: Option<String>,
    /// `packages` of `pnpm-workspace.yaml`.
    pub workspaces: Vec<String>,
    /// `omit=dev`, `production=true`: the plain install leaves development packages out.
    pub omits_dev: bool,
}

/// A key that holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `path:line` in the context.
    pub source: String,
    /// `//registry.npmjs.org/:_authToken`.
    pub key: String,
    /// The variables that its value is made of; empty when the secret itself is written.
    pub variables: Vec<String>,
}

impl Settings {
    /// The settings of the project in `root`.
    #[must_use]
    pub fn read(context: &Context, root: &str) -> Self {
        let mut settings = Self::default();
        for (name, read) in [
            (".npmrc", Self::npmrc as fn(&mut Self, &str, &str)),
            (".yarnrc", Self::yarnrc),
            (".yarnrc.yml", Self::yarnrc_yml),
            ("pnpm-workspace.yaml", Self::pnpm_workspace),
        ] {
            let path = paths::join(root, name);
            if !context.has(&path) {
                continue;
            }
            if let Some(text) = paths::any_text(context, &path) {
                read(&mut settings, &path, &text);
            }
            settings.files.push(path);
        }
        settings
    }

    fn npmrc(&mut self, path: &str, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, "true"));
            let (key, value) = (key.trim(), outline::unquote(value.trim()));
            let plain = key.rsplit(':').next().unwrap_or(key);
            match plain {
                "_authToken" | "_auth" | "_password" | "email" | "username" | "certfile"
                | "keyfile" | "key"
                    if plain != "email" && plain != "username" =>
                {
                    self.credentials.push(Credential {
                        source: format!("{path}:{}", number + 1),
                        key: key.to_owned(),
                        variables: variables(value),
                    });
                }
                "registry" => {
                    self.registries.insert(key.to_owned(), value.to_owned());
                }
                "ignore-scripts" => self.ignore_scripts = value == "true",
                "legacy-peer-deps" => self.legacy_peer_deps = value == "true",
                "node-linker" => self.linker = Some(value.to_owned()),
                "node-options" => self.node_options = Some(value.to_owned()),
                "omit" | "omit[]" => self.omits_dev |= value == "dev",
                "production" => self.omits_dev |= value == "true",
                _ => {}
            }
        }
    }

    fn yarnrc(&mut self, path: &str, text: &str) {
        for line in outline::lines(text) {
            match line.key {
                "yarn-path" => self.yarn_release = paths::relative(paths::parent(path), line.value),
                "registry" => {
                    self.registries
                        .insert("registry".to_owned(), line.value.to_owned());
                }
                "ignore-scripts" => self.ignore_scripts = line.value == "true",
                _ => {}
            }
        }
    }

    fn yarnrc_yml(&mut self, path: &str, text: &str) {
        for (number, raw) in text.lines().enumerate() {
            let Some(line) = outline::lines(raw).next() else {
                continue;
            };
            match line.key {
                "nodeLinker" => self.linker = Some(line.value.to_owned()),
                "enableScripts" => self.ignore_scripts = line.value == "false",
                "yarnPath" => self.yarn_release = paths::relative(paths::parent(path), line.value),
                "npmRegistryServer" => {
                    self.registries
                        .insert("registry".to_owned(), line.value.to_owned());
                }
                "npmAuthToken" | "npmAuthIdent" => self.credentials.push(Credential {
                    source: format!("{path}:{}", number + 1),
                    key: line.key.to_owned(),
                    variables: variables(line.value),
                }),
                _ => {}
            }
        }
    }

    fn pnpm_workspace(&mut self, _: &str, text: &str) {
        let mut section = "";
        for line in outline::lines(text) {
            let item = line.key == "-" || line.key.starts_with("- ");
            if line.indent == 0 && !item {
                section = line.key;
                match line.key {
                    "nodeLinker" => self.linker = Some(line.value.to_owned()),
                    "packages" => self.workspaces.extend(flow_items(line.value)),
                    _ => {}
                }
            } else if section == "packages" && line.key == "-" {
                self.workspaces.push(line.value.to_owned());
            }
        }
    }
}

/// The items of `[a, 'b']`.
fn flow_items(value: &str) -> Vec<String> {
    value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .into_iter()
        .flat_map(|items| items.split(','))
        .map(|item| outline::unquote(item.trim()).to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}

/// The names in `${NAME}` and `${NAME-default}`.
fn variables(value: &str) -> Vec<String> {
    value
        .split("${")
        .skip(1)
        .filter_map(|rest| {
            let name = rest.split('}').next()?;
            name.split(['-', ':', '?']).next().map(str::to_owned)
        })
        .collect()
}
