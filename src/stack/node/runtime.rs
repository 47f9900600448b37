//! Which sources run when the project runs, and what they use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::launch::{Launch, LaunchKind};
use super::manifest::Role;
use super::scan::scan;
use super::{FrameworkKind, Node};
use crate::context::Context;
use crate::stack::paths;
use crate::stack::usage::{Budget, Place, UnknownKind, Usage};

/// The sources that run.
#[derive(Clone, Debug)]
pub struct Reach {
    /// What they refer to.
    pub usage: Usage,
    /// Whether these are only the files that the entry loads; otherwise all sources of the project were read, but
    /// for tests and tools' configuration.
    pub from_entry: bool,
}

/// A package of development that something at run time uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevelopmentUse {
    /// The package.
    pub package: String,
    /// What uses it, in words, and where.
    pub by: String,
    /// The place in the sources, when it is one.
    pub place: Option<Place>,
}

const ENDINGS: &[&str] = &[
    ".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".jsx", ".tsx", ".vue", ".svelte", ".astro",
];

impl Node {
    /// What runs after `launch`. Follows imports from its entry (compiled output back to its TypeScript sources) and
    /// reads all sources of the project where that is not possible: another program starts, or modules are loaded
    /// by computed names.
    #[must_use]
    pub fn reach(&self, context: &Context, launch: &Launch, mut budget: Budget) -> Reach {
        let entry = launch
            .entry
            .as_ref()
            .filter(|_| launch.kind == LaunchKind::Node);
        if let Some(entry) = entry.and_then(|entry| self.source_file(context, entry))
            && let Some(mut usage) = self.follow(context, entry, launch, &mut budget)
        {
            usage.truncated |= budget.files == 0;
            return Reach {
                usage,
                from_entry: true,
            };
        }
        Reach {
            usage: self.usage(context, budget),
            from_entry: false,
        }
    }

    /// What all sources of the project refer to, but for tests and the configuration of tools.
    #[must_use]
    pub fn usage(&self, context: &Context, mut budget: Budget) -> Usage {
        let mut usage = Usage::default();
        for path in paths::files(context, self.manifest.folder()).filter(|path| is_source(path)) {
            match budget.read(context, path) {
                Some(contents) => scan(path, &contents, &mut usage),
                None => {
                    usage.truncated = true;
                    break;
                }
            }
        }
        usage
    }

    /// The packages of development that run time uses: imported, preloaded, named to a loader, emitted by the
    /// compiler, or bringing the program that starts. Where this is not empty, they cannot be left out.
    #[must_use]
    pub fn development_at_run_time(&self, launch: &Launch, reach: &Reach) -> Vec<DevelopmentUse> {
        let mut found: BTreeMap<&str, DevelopmentUse> = BTreeMap::new();
        let mut note = |package: &str, by: String, place: Option<Place>| {
            let manifests = std::iter::once(&self.manifest).chain(&self.workspaces);
            for manifest in manifests {
                if let Some((name, _)) = manifest.dev_dependencies.get_key_value(package)
                    && manifest.role(package) == Some(Role::Development)
                {
                    found.entry(name).or_insert_with(|| DevelopmentUse {
                        package: name.clone(),
                        by: by.clone(),
                        place: place.clone(),
                    });
                }
            }
        };
        if let Some(package) = &launch.package {
            note(
                package,
                format!(
                    "`{}` starts it",
                    launch.words.first().map_or("", String::as_str)
                ),
                None,
            );
        }
        for module in &launch.preloads {
            note(
                package_name(module),
                format!("`{module}` is loaded first"),
                None,
            );
        }
        for words in launch.before.iter().filter_map(|words| words.first()) {
            if let Some(package) = super::programs::package_of_command(words, &self.manifest) {
                note(&package, format!("`{words}` runs at start"), None);
            }
        }
        for wrapper in &launch.wrappers {
            if let Some(package) = super::programs::package_of_command(wrapper, &self.manifest) {
                note(&package, format!("`{wrapper}` runs at start"), None);
            }
        }
        for import in reach.usage.imports.iter().chain(&reach.usage.mentions) {
            note(
                package_name(&import.name),
                format!("`{}` is loaded", import.name),
                Some(import.place.clone()),
            );
        }
        if let Some(config) = self
            .typescript
            .as_ref()
            .filter(|config| config.import_helpers)
        {
            note(
                "tslib",
                format!("{} sets `importHelpers`", config.path),
                None,
            );
        }
        if launch.kind == LaunchKind::Production {
            // `next start` loads next.config.ts through the compiler.
            for framework in &self.frameworks {
                if framework.kind == FrameworkKind::Next
                    && let Some(config) = framework
                        .config
                        .as_ref()
                        .filter(|config| config.ends_with(".ts"))
                {
                    note(
                        "typescript",
                        format!("the start command loads {config}"),
                        None,
                    );
                }
            }
        }
        found.into_values().collect()
    }

    fn follow(
        &self,
        context: &Context,
        entry: String,
        launch: &Launch,
        budget: &mut Budget,
    ) -> Option<Usage> {
        let mut usage = Usage::default();
        let mut seen = BTreeSet::from([entry.clone()]);
        let mut queue = VecDeque::from([entry]);
        let own_preloads = launch
            .preloads
            .iter()
            .filter(|module| module.starts_with('.'));
        for module in own_preloads {
            let path = paths::relative(self.manifest.folder(), module)?;
            queue.extend(self.source_file(context, &path));
        }
        while let Some(path) = queue.pop_front() {
            let Some(contents) = budget.read(context, &path) else {
                usage.truncated = true;
                break;
            };
            let from = usage.imports.len();
            scan(&path, &contents, &mut usage);
            for import in &usage.imports[from..] {
                let target = if import.name.starts_with('.') {
                    paths::relative(paths::parent(&path), &import.name)
                } else {
                    self.own_module(context, &import.name)
                };
                if let Some(source) = target.and_then(|target| self.source_file(context, &target))
                    && seen.insert(source.clone())
                {
                    queue.push_back(source);
                }
            }
        }
        let computed = usage
            .unknown
            .iter()
            .any(|unknown| matches!(unknown.kind, UnknownKind::OwnModule | UnknownKind::Module));
        (!computed && !usage.truncated).then_some(usage)
    }

    /// Where in the context a module of the project stands that is imported by name: an alias of the TypeScript
    /// configuration, a path from its base, a workspace.
    fn own_module(&self, context: &Context, name: &str) -> Option<String> {
        let package = package_name(name);
        if let Some(workspace) = self
            .workspaces
            .iter()
            .find(|workspace| workspace.name.as_deref() == Some(package))
        {
            let inner = name[package.len()..].trim_start_matches('/');
            let file = if inner.is_empty() {
                workspace.main.as_deref().unwrap_or("src/index")
            } else {
                inner
            };
            return paths::relative(workspace.folder(), file);
        }
        if self.manifest.depends_on(package) {
            return None;
        }
        let plain = name
            .trim_start_matches("@/")
            .trim_start_matches("~/")
            .trim_start_matches('#');
        let folder = self.manifest.folder();
        [
            paths::join(folder, plain),
            paths::join(&paths::join(folder, "src"), plain),
        ]
        .into_iter()
        .find(|path| self.source_file(context, path).is_some())
    }

    /// The source that stands for `path`: itself, with an ending, its index, or what it is compiled from.
    fn source_file(&self, context: &Context, path: &str) -> Option<String> {
        let exists = |path: &String| {
            matches!(
                context.entry(path),
                Some(crate::context::Entry::File { .. })
            )
        };
        let plain = path.to_owned();
        if ENDINGS.iter().any(|ending| path.ends_with(ending)) && exists(&plain) {
            return Some(plain);
        }
        // In TypeScript `./x.js` means `./x.ts`.
        let stem = [".js", ".mjs", ".cjs", ".jsx"]
            .iter()
            .find_map(|ending| path.strip_suffix(ending));
        ENDINGS
            .iter()
            .flat_map(|ending| {
                [
                    format!("{}{ending}", stem.unwrap_or(path)),
                    format!("{path}/index{ending}"),
                ]
            })
            .find(exists)
            .or_else(|| self.typescript.as_ref()?.source_of(context, path))
    }
}

/// The package that a module's name belongs to: `lodash` for `lodash/fp`, `@a/b` for `@a/b/c`.
#[must_use]
pub fn package_name(module: &str) -> &str {
    let scoped = usize::from(module.starts_with('@'));
    let end = module
        .match_indices('/')
        .nth(scoped)
        .map_or(module.len(), |(at, _)| at);
    &module[..end]
}

/// Whether `path` is a source that may run: not installed, not built, no test, no tool's configuration.
fn is_source(path: &str) -> bool {
    let name = paths::file_name(path);
    ENDINGS.iter().any(|ending| name.ends_with(ending))
        && !name.ends_with(".d.ts")
        && !name.ends_with(".min.js")
        && ![".test.", ".spec.", ".stories.", ".cy.", ".e2e-spec."]
            .iter()
            .any(|part| name.contains(part))
        && !is_tool_configuration(name)
        && !path.split('/').any(|folder| {
            matches!(
                folder,
                "node_modules"
                    | "test"
                    | "tests"
                    | "__tests__"
                    | "__mocks__"
                    | "cypress"
                    | "e2e"
                    | "coverage"
                    | ".yarn"
                    | ".git"
                    | ".storybook"
            )
        })
}

/// Whether only tools of development load a file of this name.
fn is_tool_configuration(name: &str) -> bool {
    const TOOLS: &[&str] = &[
        "jest",
        "vitest",
        "vite",
        "webpack",
        "rollup",
        "babel",
        "eslint",
        "prettier",
        "tailwind",
        "postcss",
        "cypress",
        "playwright",
        "karma",
        "metro",
        "commitlint",
        "lint-staged",
        "tsup",
        "stylelint",
        "craco",
        "vue",
        "gulpfile",
        "Gruntfile",
    ];
    let stem = name
        .trim_start_matches('.')
        .split('.')
        .next()
        .unwrap_or(name);
    if matches!(name, "setupTests.js" | "setupTests.ts") {
        return true;
    }
    let configuration = name.contains(".config.")
        || name.contains(".conf.")
        || name.contains("rc.")
        || matches!(stem, "gulpfile" | "Gruntfile");
    configuration
        && TOOLS
            .iter()
            .any(|tool| stem == *tool || stem.strip_suffix("rc") == Some(tool))
}
