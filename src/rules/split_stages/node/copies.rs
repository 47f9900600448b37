//! What the stage that ships takes from the one that builds.

use super::App;
use super::layout::Layout;
use crate::catalog::WordSet;
use crate::context::Entry;
use crate::model::path::{file_name, is_under, resolve};
use crate::rules::image_paths::origin;
use crate::rules::split_stages::{Copied, Why};
use crate::stack::node::{FrameworkKind, LaunchKind};

/// What the copies are.
#[derive(Clone, Copy)]
pub(in crate::rules::split_stages) struct Taken {
    /// Whether `node_modules` is among them.
    pub(in crate::rules::split_stages) packages: bool,
    /// Whether sources are left behind.
    pub(in crate::rules::split_stages) narrow: bool,
}

/// The COPY instructions.
pub(super) fn copies(app: &App<'_>, layout: &Layout) -> Result<(Vec<Copied>, Taken), Why> {
    if let Some(found) = narrow(app, layout) {
        return Ok(found);
    }
    if layout.roots().any(|root| root == "/") {
        return Err(app.why(
            "the application lies in `/` among the system's files",
            "give it a folder of its own with WORKDIR",
        ));
    }
    let copies = layout
        .roots()
        .map(|root| {
            let target = if root == layout.copy_folder {
                "./"
            } else {
                root
            };
            copy(layout, &[root.to_owned()], target)
        })
        .collect();
    let taken = Taken {
        packages: true,
        narrow: false,
    };
    Ok((copies, taken))
}

/// What the stage that builds left at `sources`, given to the owner of the application.
pub(in crate::rules::split_stages) fn copy(
    layout: &Layout,
    sources: &[String],
    target: &str,
) -> Copied {
    let owner = layout.owner.iter();
    Copied {
        flags: owner.map(|owner| format!("--chown={owner}")).collect(),
        built: true,
        sources: sources.to_vec(),
        target: target.to_owned(),
    }
}

/// Only what runs: the output, the packages, and what is no source.
fn narrow(app: &App<'_>, layout: &Layout) -> Option<(Vec<Copied>, Taken)> {
    let node = &app.node;
    let is_plain = layout.root == app.folder
        && app.folder == app.working
        && app.folder == layout.copy_folder
        && layout.others.is_empty()
        && !layout.changes_files
        && !layout.installs_elsewhere
        && !app.start.has_script
        && !app.start.whole
        && node.workspaces.is_empty()
        && node.workspaces_complete
        && app.start.launch.preloads.is_empty()
        && layout.builds;
    let scripts = layout.scripts.as_ref()?;
    if !is_plain || scripts.is_empty() {
        return None;
    }
    let mut outputs = Vec::new();
    for script in scripts {
        outputs.extend(node.outputs_of(app.context, script)?);
    }
    outputs.sort();
    outputs.dedup();
    let manifest_folder = node.manifest.folder();
    // Where the output is not a folder of its own, sources are among it.
    let outputs: Vec<String> = outputs
        .iter()
        .map(|path| below(manifest_folder, path).map(str::to_owned))
        .collect::<Option<_>>()?;
    if outputs.iter().any(String::is_empty) || outputs.is_empty() {
        return None;
    }
    let launch = &app.start.launch;
    let entry = launch
        .entry
        .as_deref()
        .and_then(|entry| below(manifest_folder, entry));
    let is_bundled = match launch.kind {
        LaunchKind::Node => {
            if !outputs
                .iter()
                .any(|output| entry.is_some_and(|entry| is_below(entry, output)))
            {
                return None;
            }
            false
        }
        LaunchKind::Production => true,
        _ => return None,
    };
    // Output that brings its own packages.
    let whole = match entry {
        Some(entry) if is_below(entry, ".next/standalone") => Some(".next/standalone"),
        Some(entry)
            if is_below(entry, ".output") && node.framework(FrameworkKind::Nuxt).is_some() =>
        {
            Some(".output")
        }
        _ => None,
    };
    if let Some(folder) = whole {
        let copies = vec![copy(
            layout,
            &[resolve(&app.folder, folder)],
            &format!("./{folder}"),
        )];
        let taken = Taken {
            packages: false,
            narrow: true,
        };
        return Some((copies, taken));
    }
    if node.manifest.dependencies.is_empty() {
        return None;
    }
    if launch.kind == LaunchKind::Production
        && !node
            .frameworks
            .iter()
            .any(|framework| matches!(framework.kind, FrameworkKind::Next | FrameworkKind::Remix))
    {
        return None;
    }
    let mut files = vec!["package.json".to_owned()];
    let mut folders: Vec<String> = vec!["node_modules".to_owned()];
    folders.extend(outermost(&outputs));
    for (name, entry) in app.context.children(manifest_folder) {
        let name = file_name(name);
        let path = resolve("/", &format!("{manifest_folder}/{name}"))[1..].to_owned();
        let is_folder = matches!(entry, Entry::Folder { .. });
        let is_taken = name == "node_modules"
            || name == "package.json"
            || folders.iter().any(|folder| is_below(folder, name));
        if is_taken || !(is_read(app, &path) || runs(app, &path, name, is_folder, is_bundled)?) {
            continue;
        }
        if !is_in_image(app, &path, name, is_folder) {
            continue;
        }
        if is_folder {
            folders.push(name.to_owned());
        } else {
            files.push(name.to_owned());
        }
    }
    let files: Vec<String> = files
        .iter()
        .map(|name| resolve(&app.folder, name))
        .collect();
    let mut copies = vec![copy(layout, &files, "./")];
    copies.extend(
        folders
            .iter()
            .map(|name| copy(layout, &[resolve(&app.folder, name)], &format!("./{name}"))),
    );
    let taken = Taken {
        packages: true,
        narrow: true,
    };
    Some((copies, taken))
}

/// Whether something at the top of the project may be used when it runs; none when that is not to be said.
fn runs(app: &App<'_>, path: &str, name: &str, is_folder: bool, is_bundled: bool) -> Option<bool> {
    if is_folder {
        let is_for_development = matches!(
            name,
            "test"
                | "tests"
                | "__tests__"
                | "__mocks__"
                | "e2e"
                | "cypress"
                | "docs"
                | "coverage"
                | "playwright"
        ) || name.starts_with('.') && !matches!(name, ".next" | ".config");
        let files: Vec<&str> = app.context.under(path).map(|(path, _)| path).collect();
        let sources = files.iter().all(|file| is_compiled(file, is_bundled));
        return Some(!is_for_development && !sources && !files.is_empty());
    }
    if name.starts_with("next.config.") {
        let text = app.context.read_str(path)?;
        // What it loads of the project's own is not looked for.
        let loads_own = ["'./", "\"./", "'../", "\"../"]
            .iter()
            .any(|part| text.contains(part));
        return (!loads_own).then_some(true);
    }
    let hidden = name.starts_with('.') && !name.starts_with(".env");
    let is_source = [".ts", ".tsx", ".mts", ".md", ".tsbuildinfo"]
        .iter()
        .any(|ending| name.ends_with(ending));
    Some(
        !hidden
            && !is_source
            && !app
                .anatomy
                .ctx
                .catalog
                .has_word(WordSet::NodeBuildFiles, name)
            && !app
                .anatomy
                .ctx
                .catalog
                .words(WordSet::NodeBuildFileBeginnings)
                .iter()
                .any(|beginning| name.starts_with(beginning.get())),
    )
}

/// Whether a file only goes into the output and is not opened itself.
fn is_compiled(path: &str, is_bundled: bool) -> bool {
    let name = file_name(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let typed = matches!(ending, "ts" | "tsx" | "mts" | "cts");
    let bundled = matches!(
        ending,
        "js" | "jsx"
            | "mjs"
            | "css"
            | "scss"
            | "sass"
            | "less"
            | "svg"
            | "png"
            | "jpg"
            | "jpeg"
            | "gif"
            | "webp"
            | "ico"
            | "woff"
            | "woff2"
            | "ttf"
            | "vue"
            | "svelte"
    );
    typed || is_bundled && bundled || matches!(name, ".gitkeep" | ".DS_Store")
}

/// Whether the sources that run open `path` or something below it.
fn is_read(app: &App<'_>, path: &str) -> bool {
    let working = app.node.manifest.folder();
    app.reach.usage.reads.iter().any(|read| {
        read.in_context(working)
            .is_some_and(|read| !read.is_empty() && (is_below(&read, path)))
    })
}

fn is_in_image(app: &App<'_>, path: &str, name: &str, is_folder: bool) -> bool {
    let found = |inner: &str| {
        origin(
            app.anatomy.ctx,
            app.anatomy.stage,
            &resolve(&app.folder, inner),
        )
        .is_some()
    };
    if !is_folder {
        return found(name);
    }
    app.context
        .under(path)
        .next()
        .is_some_and(|(file, _)| below(app.node.manifest.folder(), file).is_some_and(found))
}

/// The folders that lie in no other of them.
fn outermost(folders: &[String]) -> Vec<String> {
    folders
        .iter()
        .filter(|folder| {
            !folders
                .iter()
                .any(|other| other != *folder && is_below(folder, other))
        })
        .cloned()
        .collect()
}

/// Whether the relative `path` is `folder` or below it.
fn is_below(path: &str, folder: &str) -> bool {
    is_under(&resolve("/", path), &resolve("/", folder))
}

/// Where `path` stands below `folder`, both in the context.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    if path == folder {
        return Some("");
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}
