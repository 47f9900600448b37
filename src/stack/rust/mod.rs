//! Rust: Cargo packages and workspaces, their programs, and what lock files pin.

mod output;
mod source;

pub use output::cargo_output;
pub use source::{RustSources, scan};

use super::paths;
use super::{Details, Project, Stack};
use crate::catalog::Catalog;
use crate::context::Context;
use std::collections::BTreeMap;
use toml_edit::{Document, Item, TableLike};

/// A Cargo package with its workspace, as seen from one folder.
#[derive(Clone, Debug, Default)]
pub struct Rust {
    /// Whether `Cargo.toml` has a `[workspace]`.
    pub workspace: bool,
    /// The folder's own package and the members, in the order they were found.
    pub crates: Vec<Crate>,
    /// What `Cargo.lock` pins, by name; several versions of one package are joined by a space.
    pub packages: BTreeMap<String, String>,
    /// Whether a package comes from git: the build then needs `git` or a network that reaches it.
    pub git_packages: bool,
    /// `build.target-dir` of `.cargo/config.toml`.
    pub target_folder: Option<String>,
    /// `build.target` of `.cargo/config.toml`.
    pub target: Option<String>,
    /// The channel of `rust-toolchain` or `rust-toolchain.toml`; rustup fetches it when the build starts.
    pub toolchain: Option<String>,
    /// The keys of `[profile.release]` as text (`lto` → `true`, `strip` → `symbols`).
    pub release_profile: BTreeMap<String, String>,
    /// The prepared queries of sqlx (`.sqlx`, `sqlx-data.json`): the build reads them when it has no database.
    pub sqlx_offline: Option<String>,
}

/// One package of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crate {
    /// Its folder in the context.
    pub folder: String,
    /// `package.name`.
    pub name: String,
    /// `package.version`, none when inherited.
    pub version: Option<String>,
    /// The names of its programs and their main source files, paths in the context.
    pub binaries: Vec<(String, String)>,
    /// Whether it has a library (stub builds need a `src/lib.rs` for it).
    pub library: bool,
    /// `package.default-run`.
    pub default_run: Option<String>,
    /// The build script, a path in the context.
    pub build_script: Option<String>,
    /// Folders in the context of `path =` dependencies.
    pub path_dependencies: Vec<String>,
    /// Names of direct dependencies, as in the manifest's keys or `package =`.
    pub dependencies: Vec<String>,
}

impl Rust {
    /// The packages of the lock file that bind a native library, by the custom of their name.
    pub fn sys_crates(&self) -> impl Iterator<Item = &str> {
        let names = self.packages.keys().map(String::as_str);
        names.filter(|name| name.ends_with("-sys"))
    }

    /// Every program of every package: name and package.
    pub fn binaries(&self) -> impl Iterator<Item = (&str, &Crate)> {
        self.crates.iter().flat_map(|package| {
            package
                .binaries
                .iter()
                .map(move |(name, _)| (name.as_str(), package))
        })
    }
}

/// Recognises Cargo.
#[derive(Debug)]
pub struct RustStack;

impl Stack for RustStack {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let path = paths::join(root, "Cargo.toml");
        let text = paths::text(context, &path)?;
        let mut project = Project::empty(root, "cargo");
        let mut rust = Rust::default();
        project.manifests.push(path.clone());
        let Some(manifest) = parse(&text, &path, &mut project) else {
            project.details = Details::Rust(Box::new(rust));
            return Some(project);
        };
        let manifest = manifest.as_table();
        if let Some(package) = read_crate(manifest, root, context) {
            project.show(format!("package {}", package.name), path.clone());
            rust.crates.push(package);
        }
        project.language_version = string(manifest, &["package", "rust-version"])
            .or_else(|| string(manifest, &["workspace", "package", "rust-version"]));
        if let Some(workspace) = table(manifest, &["workspace"]) {
            rust.workspace = true;
            read_members(workspace, root, context, &mut rust, &mut project);
        }
        read_path_dependencies(context, &mut rust, &mut project);
        if let Some(profile) = table(manifest, &["profile", "release"]) {
            let pairs = profile.iter().filter_map(|(key, item)| {
                let value = item.as_value()?;
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string().trim().to_owned(), str::to_owned);
                Some((key.to_owned(), text))
            });
            rust.release_profile = pairs.collect();
        }
        read_lock(root, context, &mut rust, &mut project);
        read_settings(root, context, &mut rust, &mut project);
        project.details = Details::Rust(Box::new(rust));
        Some(project)
    }
}

fn parse(text: &str, path: &str, project: &mut Project) -> Option<Document<String>> {
    match Document::parse(text.to_owned()) {
        Ok(document) => Some(document),
        Err(error) => {
            let message = error.message().trim_end_matches('.').to_lowercase();
            project.finding(format!("not valid TOML: {message}"), path);
            None
        }
    }
}

fn table<'a>(from: &'a dyn TableLike, path: &[&str]) -> Option<&'a dyn TableLike> {
    let (first, rest) = path.split_first()?;
    let inner = from.get(first)?.as_table_like()?;
    if rest.is_empty() {
        Some(inner)
    } else {
        table(inner, rest)
    }
}

fn string(from: &dyn TableLike, path: &[&str]) -> Option<String> {
    let (last, parents) = path.split_last()?;
    let holder = if parents.is_empty() {
        from
    } else {
        table(from, parents)?
    };
    holder.get(last)?.as_str().map(str::to_owned)
}

fn strings<'a>(item: Option<&'a Item>) -> impl Iterator<Item = &'a str> + 'a {
    let array = item.and_then(Item::as_array).into_iter();
    array.flat_map(|array| array.iter().filter_map(|value| value.as_str()))
}

fn read_members(
    workspace: &dyn TableLike,
    root: &str,
    context: &Context,
    rust: &mut Rust,
    project: &mut Project,
) {
    let excluded: Vec<&str> = strings(workspace.get("exclude")).collect();
    let mut folders: Vec<String> = Vec::new();
    for pattern in strings(workspace.get("members")) {
        if !pattern.contains(['*', '?']) {
            match paths::resolve(root, pattern) {
                Some(folder) if context.has(&paths::join(&folder, "Cargo.toml")) => {
                    folders.push(folder)
                }
                _ => project.finding(
                    format!("workspace member {pattern} is not in the build context"),
                    paths::join(root, "Cargo.toml"),
                ),
            }
            continue;
        }
        let manifests = paths::sized_files(context, root)
            .filter(|(path, _)| paths::file_name(path) == "Cargo.toml");
        for (path, _) in manifests {
            let folder = paths::parent(path);
            if paths::below(root, folder)
                .is_some_and(|inner| !inner.is_empty() && paths::matches(pattern, inner))
            {
                folders.push(folder.to_owned());
            }
        }
    }
    for folder in folders {
        let inner = paths::below(root, &folder).unwrap_or(&folder).to_owned();
        let is_excluded = excluded
            .iter()
            .any(|pattern| inner == pattern.trim_end_matches('/'));
        if !is_excluded {
            add_crate(&folder, context, rust, project);
        }
    }
    project.show(
        format!("workspace of {} packages", rust.crates.len()),
        paths::join(root, "Cargo.toml"),
    );
}

/// Packages that are reached by `path =` belong to the build as members do.
fn read_path_dependencies(context: &Context, rust: &mut Rust, project: &mut Project) {
    let mut at = 0;
    while let Some(package) = rust.crates.get(at) {
        let here = paths::join(&package.folder, "Cargo.toml");
        for folder in package.path_dependencies.clone() {
            if context.has(&paths::join(&folder, "Cargo.toml")) {
                add_crate(&folder, context, rust, project);
            } else {
                project.finding(
                    format!("path dependency {folder} is not in the build context"),
                    here.clone(),
                );
            }
        }
        at += 1;
    }
}

fn add_crate(folder: &str, context: &Context, rust: &mut Rust, project: &mut Project) {
    let path = paths::join(folder, "Cargo.toml");
    if project.manifests.contains(&path) {
        return;
    }
    let Some(text) = paths::text(context, &path) else {
        return;
    };
    project.manifests.push(path.clone());
    if let Some(manifest) = parse(&text, &path, project)
        && let Some(package) = read_crate(manifest.as_table(), folder, context)
    {
        rust.crates.push(package);
    }
}

fn read_crate(manifest: &dyn TableLike, folder: &str, context: &Context) -> Option<Crate> {
    let name = string(manifest, &["package", "name"])?;
    let package = table(manifest, &["package"])?;
    let mut found = Crate {
        folder: folder.to_owned(),
        version: string(package, &["version"]),
        default_run: string(package, &["default-run"]),
        library: manifest.contains_key("lib") || context.has(&paths::join(folder, "src/lib.rs")),
        ..Crate::default()
    };
    found.build_script = match package.get("build").and_then(Item::as_value) {
        Some(value) if value.as_bool() == Some(false) => None,
        Some(value) => value
            .as_str()
            .and_then(|script| paths::resolve(folder, script)),
        None => Some(paths::join(folder, "build.rs")).filter(|path| context.has(path)),
    };
    read_dependencies(manifest, folder, &mut found);
    for key in ["target"] {
        let targets = table(manifest, &[key])
            .into_iter()
            .flat_map(|targets| targets.iter());
        for (_, item) in targets {
            if let Some(target) = item.as_table_like() {
                read_dependencies(target, folder, &mut found);
            }
        }
    }
    found.binaries = binaries(manifest, &name, folder, context);
    found.name = name;
    Some(found)
}

fn read_dependencies(holder: &dyn TableLike, folder: &str, found: &mut Crate) {
    for key in ["dependencies", "build-dependencies", "dev-dependencies"] {
        for (name, item) in table(holder, &[key])
            .into_iter()
            .flat_map(|list| list.iter())
        {
            let details = item.as_table_like();
            let path = details.and_then(|details| string(details, &["path"]));
            if let Some(path) = path.and_then(|path| paths::resolve(folder, &path)) {
                found.path_dependencies.push(path);
            }
            let renamed = details.and_then(|details| string(details, &["package"]));
            if key != "dev-dependencies" {
                found
                    .dependencies
                    .push(renamed.unwrap_or_else(|| name.to_owned()));
            }
        }
    }
}

/// Programs as Cargo finds them: `[[bin]]`, `src/main.rs`, `src/bin/NAME.rs`, `src/bin/NAME/main.rs`.
fn binaries(
    manifest: &dyn TableLike,
    package: &str,
    folder: &str,
    context: &Context,
) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    if let Some(list) = manifest.get("bin").and_then(Item::as_array_of_tables) {
        for bin in list {
            let Some(name) = string(bin, &["name"]) else {
                continue;
            };
            let main = match string(bin, &["path"]) {
                Some(path) => paths::resolve(folder, &path),
                None if name == package
                    && !context.has(&paths::join(folder, &format!("src/bin/{name}.rs"))) =>
                {
                    Some(paths::join(folder, "src/main.rs"))
                }
                None => {
                    let nested = paths::join(folder, &format!("src/bin/{name}/main.rs"));
                    let plain = paths::join(folder, &format!("src/bin/{name}.rs"));
                    Some(if context.has(&nested) { nested } else { plain })
                }
            };
            found.extend(main.map(|main| (name, main)));
        }
    }
    let automatic = table(manifest, &["package"])
        .and_then(|package| package.get("autobins")?.as_bool())
        .unwrap_or(true);
    if !automatic {
        return found;
    }
    let mut add = |name: &str, path: String| {
        if context.has(&path)
            && !found
                .iter()
                .any(|(known, main)| known == name || *main == path)
        {
            found.push((name.to_owned(), path));
        }
    };
    add(package, paths::join(folder, "src/main.rs"));
    let bin = paths::join(folder, "src/bin");
    let entries: Vec<String> = paths::sized_files(context, &bin)
        .map(|(path, _)| path.to_owned())
        .collect();
    for path in entries {
        let inner = paths::below(&bin, &path).unwrap_or_default();
        let name = match inner.split_once('/') {
            None => inner.strip_suffix(".rs"),
            Some((name, "main.rs")) => Some(name),
            Some(_) => None,
        };
        if let Some(name) = name {
            add(name, path.clone());
        }
    }
    found
}

fn read_lock(root: &str, context: &Context, rust: &mut Rust, project: &mut Project) {
    let path = paths::join(root, "Cargo.lock");
    let Some(text) = paths::text(context, &path) else {
        return;
    };
    project.locks.push(path);
    // The file is written by Cargo, one key a line: read as lines it takes a tenth of the time of a TOML parser.
    let mut name: Option<&str> = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match (key, name) {
            ("name", _) => name = Some(value),
            ("version", Some(package)) => {
                let versions = rust.packages.entry(package.to_owned()).or_default();
                if !versions.is_empty() {
                    versions.push(' ');
                }
                versions.push_str(value);
            }
            ("source", _) if value.starts_with("git+") => rust.git_packages = true,
            _ => {}
        }
    }
    project.show(
        format!("{} packages locked", rust.packages.len()),
        paths::join(root, "Cargo.lock"),
    );
}

fn read_settings(root: &str, context: &Context, rust: &mut Rust, project: &mut Project) {
    for name in [".cargo/config.toml", ".cargo/config"] {
        let path = paths::join(root, name);
        let Some(text) = paths::text(context, &path) else {
            continue;
        };
        project.manifests.push(path.clone());
        if let Some(config) = parse(&text, &path, project) {
            rust.target_folder = string(config.as_table(), &["build", "target-dir"]);
            rust.target = string(config.as_table(), &["build", "target"]);
        }
        break;
    }
    for name in ["rust-toolchain", "rust-toolchain.toml"] {
        let path = paths::join(root, name);
        let Some(text) = paths::text(context, &path) else {
            continue;
        };
        project.manifests.push(path.clone());
        let plain = text.trim();
        rust.toolchain = if plain.contains('[') {
            parse(&text, &path, project)
                .and_then(|file| string(file.as_table(), &["toolchain", "channel"]))
        } else {
            plain.lines().next().map(str::to_owned)
        };
        if let Some(channel) = &rust.toolchain {
            project.language_version = Some(channel.clone());
            project.show(format!("toolchain {channel}"), path);
        }
        break;
    }
    let prepared = paths::present(context, root, &[".sqlx", "sqlx-data.json"]);
    rust.sqlx_offline = prepared.into_iter().next();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(files: &[(&'static str, &'static str)]) -> (Project, Rust) {
        let context = Context::in_memory(files.iter().copied());
        let project = RustStack
            .detect("", &context, &Catalog::default())
            .expect("a Rust project");
        let Details::Rust(rust) = project.details.clone() else {
            panic!("other details");
        };
        (project, *rust)
    }

    #[test]
    fn finds_the_programs_of_a_package() {
        let (project, rust) = detect(&[
            (
                "Cargo.toml",
                "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nrust-version = \"1.80\"\n[[bin]]\nname = \"job\"\npath = \"jobs/j.rs\"\n[profile.release]\nstrip = true\nlto = \"fat\"\n",
            ),
            (
                "Cargo.lock",
                "version = 3\n[[package]]\nname = \"openssl-sys\"\nversion = \"0.9.1\"\nsource = \"git+https://x\"\n[[package]]\nname = \"openssl-sys\"\nversion = \"0.8.0\"\n",
            ),
            ("src/main.rs", ""),
            ("src/bin/tool.rs", ""),
            ("src/bin/deep/main.rs", ""),
            ("src/bin/deep/part.rs", ""),
            ("build.rs", ""),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.82\"\n"),
        ]);
        let names: Vec<_> = rust.binaries().map(|(name, _)| name).collect();
        assert_eq!(names, ["job", "shop", "deep", "tool"]);
        assert_eq!(rust.crates[0].build_script.as_deref(), Some("build.rs"));
        assert_eq!(rust.sys_crates().collect::<Vec<_>>(), ["openssl-sys"]);
        assert_eq!(rust.packages["openssl-sys"], "0.9.1 0.8.0");
        assert!(rust.git_packages);
        assert_eq!(rust.release_profile["strip"], "true");
        assert_eq!(rust.release_profile["lto"], "fat");
        assert_eq!(project.language_version.as_deref(), Some("1.82"));
        assert_eq!(project.manifests, ["Cargo.toml", "rust-toolchain.toml"]);
    }

    #[test]
    fn a_workspace_has_its_members_and_their_paths() {
        let (project, rust) = detect(&[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"crates/*\", \"gone\"]\nexclude = [\"crates/old\"]\n",
            ),
            (
                "crates/api/Cargo.toml",
                "[package]\nname = \"api\"\n[dependencies]\ncore = { path = \"../../core\" }\ntls = { package = \"native-tls\", version = \"1\" }\n",
            ),
            ("crates/api/src/main.rs", ""),
            ("crates/old/Cargo.toml", "[package]\nname = \"old\"\n"),
            ("core/Cargo.toml", "[package]\nname = \"core\"\n"),
            ("core/src/lib.rs", ""),
        ]);
        assert_eq!(
            project.manifests,
            ["Cargo.toml", "crates/api/Cargo.toml", "core/Cargo.toml"]
        );
        assert_eq!(rust.crates[0].dependencies, ["core", "native-tls"]);
        assert!(rust.crates[1].library && rust.crates[1].binaries.is_empty());
        assert_eq!(project.findings.len(), 1);
    }

    #[test]
    fn a_broken_manifest_is_a_finding() {
        let (project, rust) = detect(&[("Cargo.toml", "[package\nname=1")]);
        assert!(rust.crates.is_empty());
        assert_eq!(project.findings[0].source, "Cargo.toml");
    }
}
