//! What the Dockerfiles of a context read from it: this one and those that share its `.dockerignore`.

use crate::catalog::Catalog;
use crate::context::{Context, Dockerignore};
use crate::model::{Model, Verb};
use crate::rules::Ctx;
use crate::syntax::{Dockerfile, Keyword};

/// What the Dockerfiles of a context read from it, this one first.
#[derive(Debug)]
pub(super) struct ContextUse {
    pub(super) files: Vec<FileUse>,
}

/// What one Dockerfile reads.
#[derive(Debug, Default)]
pub(super) struct FileUse {
    /// Sources of COPY and ADD and of bind mounts, cleaned, expanded; the root is the empty text.
    pub(super) sources: Vec<Source>,
    /// Names of the package managers that install what a manifest lists.
    pub(super) installers: Vec<String>,
    /// Names of the package managers and build tools that it runs.
    pub(super) tools: Vec<String>,
    /// The text of every RUN.
    pub(super) runs: Vec<String>,
}

/// A source of COPY, ADD or a bind mount.
#[derive(Debug)]
pub(super) struct Source {
    /// Index of its instruction.
    pub(super) instruction: usize,
    /// Relative to the context's root.
    pub(super) path: String,
}

impl ContextUse {
    /// Reads this Dockerfile and its siblings.
    pub(super) fn of(ctx: &Ctx<'_>) -> Self {
        let mut files = vec![FileUse::of(ctx.dockerfile, ctx.model)];
        for bytes in &ctx.settings.usage.siblings {
            files.push(FileUse::read(bytes, ctx.catalog));
        }
        Self { files }
    }

    /// The first source that lines of `ignore` hide, whole or in the folder above it.
    pub(super) fn hidden_by(&self, ignore: &Dockerignore, context: &Context) -> Option<&str> {
        self.files
            .iter()
            .flat_map(|file| &file.sources)
            .map(|source| source.path.as_str())
            .find(|path| hides(ignore, path, context))
    }

    /// Whether each Dockerfile that copies whole folders installs by one of `managers`, so that it does not need what
    /// lies in the context.
    pub(super) fn all_install_with(&self, managers: &[&str], context: &Context) -> bool {
        self.files
            .iter()
            .filter(|file| file.is_broad(context))
            .all(|file| {
                file.installers
                    .iter()
                    .any(|name| managers.contains(&name.as_str()))
            })
    }
}

impl ContextUse {
    /// As [`ContextUse::all_install_with`], for tools that build.
    pub(super) fn all_run(&self, tools: &[&str], context: &Context) -> bool {
        self.files
            .iter()
            .filter(|file| file.is_broad(context))
            .all(|file| file.tools.iter().any(|name| tools.contains(&name.as_str())))
    }

    /// Whether each Dockerfile that copies whole folders has a RUN with `word` in it.
    pub(super) fn all_mention(&self, word: &str, context: &Context) -> bool {
        self.files
            .iter()
            .filter(|file| file.is_broad(context))
            .all(|file| file.runs.iter().any(|run| run.contains(word)))
    }

    /// Whether any RUN has `word` in it.
    pub(super) fn any_mentions(&self, word: &str) -> bool {
        self.files
            .iter()
            .flat_map(|file| &file.runs)
            .any(|run| run.contains(word))
    }
}

impl FileUse {
    fn read(bytes: &[u8], catalog: &Catalog) -> Self {
        let dockerfile = Dockerfile::parse(bytes.to_vec());
        if dockerfile.refused().is_some() {
            return Self::default();
        }
        Self::of(&dockerfile, &Model::new(&dockerfile, catalog, &[]))
    }

    fn of(dockerfile: &Dockerfile, model: &Model<'_>) -> Self {
        let mut found = Self::default();
        for (index, instruction) in dockerfile.instructions().iter().enumerate() {
            let state = model.state(index);
            let escape = dockerfile.escape();
            let mut add = |path: &str| {
                found.sources.push(Source {
                    instruction: index,
                    path: clean(path),
                });
            };
            if let Some(copy) = instruction.as_copy()
                && copy.from.is_none()
            {
                for source in copy
                    .sources
                    .iter()
                    .filter(|source| source.heredoc.is_none())
                {
                    let path = state.expand(source.text, escape);
                    if !is_remote(&path) {
                        add(&path);
                    }
                }
            }
            if instruction.keyword != Keyword::Run {
                continue;
            }
            for mount in instruction.mounts() {
                let option = |names: &[&str]| {
                    mount
                        .options
                        .iter()
                        .find(|(key, _)| names.contains(&key.as_str()))
                        .map(|(_, value)| value.clone().unwrap_or_default())
                };
                if mount.kind == "bind" && option(&["from"]).is_none() {
                    add(&option(&["source", "src"]).unwrap_or_default());
                }
            }
            found
                .runs
                .push(String::from_utf8_lossy(dockerfile.bytes(instruction.span)).into_owned());
            for operation in model.operations(index) {
                found.tools.push(operation.manager.name.to_string());
                let reads_manifest = operation.packages.is_empty()
                    || operation.has_flag(&["-r", "--requirement", "-e", "--editable"])
                    || operation
                        .packages
                        .iter()
                        .any(|word| word.raw.starts_with(b"."));
                if operation.verb == Verb::Install
                    && reads_manifest
                    && !operation.has_flag(&["-g", "--global"])
                {
                    found.installers.push(operation.manager.name.to_string());
                }
            }
        }
        found
    }

    /// Whether it copies a folder of the context, or all of it.
    pub(super) fn is_broad(&self, context: &Context) -> bool {
        self.sources
            .iter()
            .any(|source| is_folder(context, &source.path))
    }
}

/// Whether `ignore` leaves out what the COPY source `path` names.
fn hides(ignore: &Dockerignore, path: &str, context: &Context) -> bool {
    if path.is_empty() {
        return false;
    }
    let Some(glob) = path.find(['*', '?', '[', '\\']) else {
        return ignore.ignores(path);
    };
    let folder = path[..glob]
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    !folder.is_empty() && ignore.ignores(folder)
        || ignore.ignores(&path.replace(['*', '?'], "q7q"))
        || !path.starts_with('*')
            && context
                .sources(path)
                .into_iter()
                .any(|found| ignore.ignores(found))
}

fn is_folder(context: &Context, path: &str) -> bool {
    path.is_empty()
        || context.is_folder(path)
        || path.contains('*')
            && context
                .sources(path)
                .into_iter()
                .any(|found| context.is_folder(found))
}

fn is_remote(source: &str) -> bool {
    source.contains("://") || source.starts_with("git@")
}

/// A source without `./`, doubled and final slashes; `..` stops at the root, as BuildKit has it.
pub(super) fn clean(source: &str) -> String {
    crate::model::path::resolve("/", source)[1..].to_owned()
}
