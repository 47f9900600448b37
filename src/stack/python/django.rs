//! Django projects: settings, and where `collectstatic` writes.

use super::scan;
use crate::context::Context;
use crate::stack::paths;

/// A Django project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Django {
    /// `manage.py`, a path in the context.
    pub manage: String,
    /// The settings module that it names: `site.settings`.
    pub settings: Option<String>,
    /// The file of that module, a path in the context.
    pub settings_file: Option<String>,
    /// `STATIC_ROOT`, where `collectstatic` writes, a path in the context; none when it is not set or computed.
    pub static_root: Option<String>,
}

/// The Django project whose `manage.py` stands in `root` or one folder below.
pub(super) fn find(context: &Context, root: &str) -> Option<Django> {
    let manage = paths::first(context, root, &["manage.py"]).or_else(|| {
        let mut found = paths::files(context, root).filter(|path| {
            paths::file_name(path) == "manage.py"
                && paths::below(root, path).is_some_and(|inner| inner.matches('/').count() == 1)
        });
        let first = found.next()?.to_owned();
        found.next().is_none().then_some(first)
    })?;
    let text = paths::any_text(context, &manage)?;
    let settings = text
        .split_once("DJANGO_SETTINGS_MODULE")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(2).map(str::to_owned))
        .filter(|module| {
            module
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
        });
    let folder = paths::parent(&manage);
    let settings_file = settings.as_ref().and_then(|module| {
        let path = paths::join(folder, &module.replace('.', "/"));
        [format!("{path}.py"), format!("{path}/__init__.py")]
            .into_iter()
            .find(|path| context.has(path))
    });
    let static_root = settings_file.as_ref().and_then(|file| {
        let text = context.read(file)?;
        scan::constant(file, &text, b"STATIC_ROOT")?.in_context(folder)
    });
    Some(Django {
        manage,
        settings,
        settings_file,
        static_root,
    })
}
