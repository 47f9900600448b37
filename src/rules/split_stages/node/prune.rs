//! Leaving out the packages that only development needs.

use super::App;
use super::layout::Layout;
use crate::rules::image_paths::working_directory;
use crate::rules::split_stages::Runtime;
use crate::stack::node::Manager;
use crate::stack::usage::UnknownKind;
use crate::text::Edit;

/// The command that takes the packages of development away; none where there are none, or where it is not certain
/// that nothing uses them.
pub(super) fn command(app: &App<'_>, layout: &Layout) -> Option<String> {
    let node = &app.node;
    if node.manifest.dev_dependencies.is_empty()
        || !layout.installs_development
        || !layout.plain_installs
        || !node.workspaces.is_empty()
        || !node.workspaces_complete
        || app.start.has_script
        || app.start.whole
        || layout.installs_elsewhere
    {
        return None;
    }
    let usage = &app.reach.usage;
    let computed = usage
        .unknown
        .iter()
        .any(|unknown| unknown.kind == UnknownKind::Module);
    if usage.truncated
        || computed
        || !node
            .development_at_run_time(&app.start.launch, &app.reach)
            .is_empty()
    {
        return None;
    }
    // A start through a package manager has more on its PATH than was looked at.
    if app
        .start
        .launch
        .before
        .iter()
        .any(|words| !words.is_empty())
    {
        return None;
    }
    let uses_prisma = node.manifest.depends_on("@prisma/client");
    match (layout.manager.as_deref()?, node.manager) {
        ("npm", _) => {
            let version: u32 = app
                .facts
                .version
                .split('.')
                .next()
                .and_then(|major| major.parse().ok())
                .unwrap_or(u32::MAX);
            // npm 6 and older do not know `--omit`.
            let omit = if version < 16 {
                "--production"
            } else {
                "--omit=dev"
            };
            let peers = if layout.legacy_peers {
                " --legacy-peer-deps"
            } else {
                ""
            };
            Some(format!("npm prune {omit}{peers}"))
        }
        // It is a second install: it must find every package again and run nothing.
        ("yarn", Manager::Yarn)
            if node.install_scripts.is_empty()
                && !uses_prisma
                && node.settings.credentials.is_empty()
                && node.lock_file.is_some() =>
        {
            Some("yarn install --production --ignore-scripts --prefer-offline".to_owned())
        }
        ("pnpm", Manager::Pnpm)
            if node.settings.workspaces.is_empty()
                && !uses_prisma
                && node.install_scripts.is_empty()
                && node.settings.credentials.is_empty() =>
        {
            Some("pnpm prune --prod".to_owned())
        }
        _ => None,
    }
}

/// Puts the command where it runs as the user, and in the folder, of the install.
pub(super) fn place(app: &App<'_>, layout: &Layout, command: String, runtime: &mut Runtime) {
    let anatomy = app.anatomy;
    let state = anatomy.ctx.model.state(layout.last_build);
    let end = anatomy.ctx.model.state(layout.end);
    let same_user = state.config.user == end.config.user;
    let at_end = if same_user {
        layout.end
    } else {
        layout.last_build
    };
    let folder = working_directory(anatomy.ctx, at_end).unwrap_or("/");
    let line = if folder == app.folder {
        format!("RUN {command}")
    } else {
        format!("RUN cd {} && {command}", app.folder)
    };
    let at = anatomy.block(layout.last_build).end;
    let source = anatomy.ctx.dockerfile.source();
    if same_user || source.get(at.wrapping_sub(1)) != Some(&b'\n') {
        runtime.build_last.push(line);
    } else {
        let eol = anatomy.ctx.dockerfile.line_ending();
        runtime
            .build_edits
            .push(Edit::insert(at, format!("{line}{eol}")));
    }
}
