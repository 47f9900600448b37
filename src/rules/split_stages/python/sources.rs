//! What the application's sources call and load.

use super::super::{Anatomy, Why};
use crate::model::path::file_name;
use crate::stack::python::Python;
use crate::stack::usage::{Budget, UnknownKind};

/// The programs that the sources start; with another base, also whether they load what it may lack.
pub(super) fn programs(
    anatomy: &Anatomy<'_>,
    changes_base: bool,
) -> Result<Vec<(String, usize)>, Why> {
    let from = anatomy.stage.from;
    let mut programs = Vec::new();
    let Some(context) = anatomy.ctx.context else {
        return Ok(programs);
    };
    let usage = Python::sources(context, "", Budget::default());
    programs.extend(
        usage
            .programs
            .iter()
            .filter(|program| ships(anatomy, &program.place.file))
            .map(|program| (file_name(&program.name).to_owned(), from)),
    );
    if !changes_base {
        return Ok(programs);
    }
    if usage.truncated {
        return Err(Why::new(from, "the sources are too many to be read", ""));
    }
    let known = [
        "c",
        "libc.so.6",
        "m",
        "libm.so.6",
        "pthread",
        "dl",
        "libdl.so.2",
    ];
    if let Some(library) = usage.libraries.iter().find(|library| {
        !known.contains(&library.name.as_str()) && ships(anatomy, &library.place.file)
    }) {
        return Err(Why::new(
            from,
            format!(
                "{} loads the library `{}` by its name",
                library.place, library.name
            ),
            "install the package that brings it in a RUN of its own, and split the file by hand",
        ));
    }
    if let Some(place) = usage.loads("tkinter", '.') {
        return Err(Why::new(
            from,
            format!("{place} uses tkinter, which the slim image lacks"),
            "",
        ));
    }
    let computed = usage.unknown.iter().find(|unknown| {
        matches!(unknown.kind, UnknownKind::Program | UnknownKind::Library)
            && ships(anatomy, &unknown.place.file)
    });
    if let Some(unknown) = computed {
        return Err(Why::new(
            from,
            format!("{} starts a program whose name is computed", unknown.place),
            "write its name out",
        ));
    }
    Ok(programs)
}

/// Whether files are served whose type Python's own table does not know, so that `/etc/mime.types` is read.
pub(super) fn guesses_types(anatomy: &Anatomy<'_>) -> bool {
    const UNKNOWN_TO_PYTHON: &[&str] = &[
        ".docx", ".eot", ".flac", ".ogg", ".otf", ".pptx", ".ttf", ".webp", ".woff", ".woff2",
        ".xlsx", ".yaml",
    ];
    const GUESSERS: &[&str] = &[
        "aiohttp",
        "bottle",
        "django",
        "fastapi",
        "flask",
        "http.server",
        "mimetypes",
        "sanic",
        "starlette",
        "tornado",
    ];
    let Some(context) = anatomy.ctx.context else {
        return false;
    };
    let serves = context.under("").any(|(path, _)| {
        UNKNOWN_TO_PYTHON.iter().any(|end| path.ends_with(end))
            && ["asset", "font", "media", "public", "static"]
                .iter()
                .any(|part| path.contains(part))
    });
    serves && {
        let usage = Python::sources(context, "", Budget::default());
        GUESSERS
            .iter()
            .any(|module| usage.loads(module, '.').is_some())
    }
}

/// Whether the file `path` of the context is in the image.
fn ships(anatomy: &Anatomy<'_>, path: &str) -> bool {
    anatomy
        .copies()
        .filter(|(_, copy)| copy.view.from.is_none())
        .any(|(_, copy)| {
            copy.whole_context
                || copy.view.sources.iter().any(|source| {
                    let source = String::from_utf8_lossy(source.text);
                    let source = source.trim_start_matches("./").trim_matches('/');
                    source.contains(['*', '?', '$', '['])
                        || path
                            .strip_prefix(source)
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
        })
}
