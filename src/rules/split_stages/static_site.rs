//! Sites that Node builds and a file server of npm serves: only what is served ships.

use super::Copied;
use super::node::{App, Layout, Taken, copy};
use crate::model::path::resolve;
use crate::rules::image_paths::origin;

/// The COPY instructions where the file server needs nothing of `node_modules`: it is installed globally. None where
/// it comes from the project.
pub(super) fn copies(
    app: &App<'_>,
    layout: &Layout,
    folder: &str,
    _is_pruned: bool,
) -> Option<(Vec<Copied>, Taken)> {
    let program = app.start.launch.words.first()?;
    if !layout.global.contains(program) || app.start.has_script {
        return None;
    }
    let inner = folder
        .strip_prefix(app.node.manifest.folder())?
        .trim_start_matches('/');
    // What is served must be what the build made, or stand in the context.
    if inner.is_empty() || app.folder != app.working || app.folder != layout.copy_folder {
        return None;
    }
    let mut copies = Vec::new();
    let mut files = Vec::new();
    let through_script = app.start.launch.is_script();
    for (name, wanted) in [("package.json", through_script), ("serve.json", true)] {
        let path = resolve(&app.folder, name);
        if wanted && origin(app.anatomy.ctx, app.anatomy.stage, &path).is_some() {
            files.push(path);
        }
    }
    if !files.is_empty() {
        copies.push(copy(layout, &files, "./"));
    }
    copies.push(copy(
        layout,
        &[resolve(&app.folder, inner)],
        &format!("./{inner}"),
    ));
    let taken = Taken {
        packages: false,
        narrow: true,
    };
    Some((copies, taken))
}
