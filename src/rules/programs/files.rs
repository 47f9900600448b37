//! The files of the context that a compiled program reads when it runs, as COPY instructions of the second stage.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::{Catalog, WordSet};
use crate::context::{Context, Entry};
use crate::model::path::{file_name, is_under, resolve};
use crate::stack::{PathKind, PathUse, Uses};

use super::anatomy::{Anatomy, CopyPart};

/// Which files of the context the image holds, and which of them are wanted when the program runs.
pub(crate) struct Files<'a> {
    anatomy: &'a Anatomy<'a>,
    context: &'a Context,
    /// Path in the image → path in the context and the index of the COPY.
    placed: BTreeMap<String, (String, usize)>,
    wanted: BTreeSet<String>,
    /// Paths in the image that no COPY brings, but a RUN.
    generated: BTreeSet<String>,
}

/// A COPY of the second stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Copied {
    /// `--chown=app`, `--chmod=755`, as written.
    pub(crate) flags: Vec<String>,
    /// Whether it takes from the build stage, and not from the context.
    pub(crate) built: bool,
    pub(crate) sources: Vec<String>,
    pub(crate) target: String,
}

impl Copied {
    /// From the build stage, without flags.
    pub(crate) fn built(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            built: true,
            sources: vec![source.into()],
            target: target.into(),
            ..Self::default()
        }
    }
}

impl<'a> Files<'a> {
    /// The files of the context that `copies` put somewhere, except what is copied again in the second stage.
    pub(crate) fn of(anatomy: &'a Anatomy<'a>, replayed: &BTreeSet<usize>) -> Option<Self> {
        let context = anatomy.ctx.context?;
        let mut placed = BTreeMap::new();
        for (index, copy) in anatomy.copies() {
            if copy.view.from.is_some() || replayed.contains(&index) {
                continue;
            }
            for (image, path) in placements(context, copy) {
                placed.insert(image, (path, index));
            }
        }
        Some(Self {
            anatomy,
            context,
            placed,
            wanted: BTreeSet::new(),
            generated: BTreeSet::new(),
        })
    }

    /// The path in the image of the file or folder `path` of the context.
    pub(crate) fn image_path(&self, path: &str) -> Option<String> {
        if let Some((image, _)) = self.placed.iter().find(|(_, (from, _))| from == path) {
            return Some(image.clone());
        }
        let folder = format!("{path}/");
        self.placed.iter().find_map(|(image, (from, _))| {
            let below = from.strip_prefix(&folder)?;
            image
                .strip_suffix(below)
                .map(|folder| folder.trim_end_matches('/').to_owned())
        })
    }

    /// The path in the context of the file or folder `image`.
    pub(crate) fn context_path(&self, image: &str) -> Option<String> {
        if let Some((path, _)) = self.placed.get(image) {
            return Some(path.clone());
        }
        let folder = format!("{}/", image.trim_end_matches('/'));
        let (file, (path, _)) = self.placed.range(folder.clone()..).next()?;
        let below = file.strip_prefix(&folder)?;
        let path = path.strip_suffix(below)?;
        Some(path.trim_end_matches('/').to_owned())
    }

    /// Wants what `uses` reads, seen from `workdir`; all that is no source where that cannot be told. `embedded` are
    /// files and folders of the context that are in the program already.
    pub(crate) fn want_uses(
        &mut self,
        uses: &Uses,
        workdir: &str,
        context_root: &str,
        embedded: &BTreeSet<String>,
    ) {
        let mut all = !uses.complete || uses.open.iter().any(|open| is_read(&open.fact));
        for used in &uses.reads {
            all |= !self.want(used, workdir);
        }
        for used in &uses.writes {
            let folder = parent(&resolve(workdir, &used.path)).to_owned();
            if folder != workdir && is_under(&folder, workdir) {
                self.want_folder(&folder);
            }
        }
        for used in &uses.mentions {
            let named = resolve(
                &format!("/{context_root}"),
                used.path.trim_start_matches('/'),
            );
            if let Some(image) = self.image_path(named.trim_start_matches('/')) {
                self.want_path(&image);
            }
        }
        if all {
            let files: Vec<String> = self
                .placed
                .iter()
                .filter(|(image, (path, _))| {
                    (is_runtime_file(self.anatomy.ctx.catalog, path)
                        || is_placeholder(path) && self.is_alone(image))
                        && !embedded
                            .iter()
                            .any(|one| is_under(&format!("/{path}"), &format!("/{one}")))
                })
                .map(|(image, _)| image.clone())
                .collect();
            self.wanted.extend(files);
        }
    }

    /// Wants the files that words of a command or values of ENV name.
    pub(crate) fn want_words<'w>(
        &mut self,
        words: impl IntoIterator<Item = &'w str>,
        workdir: &str,
    ) {
        for word in words {
            for part in word.split(['=', ',', ':']) {
                if part.is_empty() || part == "." || part == "/" {
                    continue;
                }
                let path = resolve(workdir, part);
                if path != workdir && path != "/" {
                    self.want_path(&path);
                }
            }
        }
    }

    /// Wants nothing of what lies below a folder that is taken from the build stage as a whole.
    pub(crate) fn leave_below(&mut self, folder: &str) {
        self.wanted.retain(|path| !is_under(path, folder));
    }

    /// Wants a folder that a RUN made; where the context has files for it, these.
    pub(crate) fn want_made(&mut self, folder: &str) {
        if !self.want_folder(folder) {
            self.generated.insert(folder.to_owned());
        }
    }

    /// Wants what keeps a folder of the context there, sources apart; false where the context has no such folder.
    fn want_folder(&mut self, folder: &str) -> bool {
        if !self.holds(folder) {
            return false;
        }
        let below: Vec<String> = self
            .placed
            .iter()
            .filter(|(image, (path, _))| {
                is_under(image, folder)
                    && (is_runtime_file(self.anatomy.ctx.catalog, path) || is_placeholder(path))
            })
            .map(|(image, _)| image.clone())
            .collect();
        self.wanted.extend(below);
        true
    }

    /// Wants the file or folder at a path of the image, if the context brought it.
    pub(crate) fn want_path(&mut self, image: &str) {
        if self.placed.contains_key(image) {
            self.wanted.insert(image.to_owned());
            return;
        }
        let folder = format!("{}/", image.trim_end_matches('/'));
        let below: Vec<String> = self
            .placed
            .range(folder.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&folder))
            .cloned()
            .collect();
        self.wanted.extend(below);
    }

    /// Wants what a use names; false when it names everything.
    fn want(&mut self, used: &PathUse, workdir: &str) -> bool {
        let pattern = match used.kind {
            PathKind::Path | PathKind::Folder => used.path.as_str(),
            PathKind::Glob => {
                let at = used.path.find(['*', '?']).unwrap_or(used.path.len());
                used.path[..at]
                    .rsplit_once('/')
                    .map_or("", |(folder, _)| folder)
            }
            PathKind::Prefix => used.path.rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        if used.path.starts_with('/') && pattern.is_empty() {
            return true;
        }
        let path = resolve(workdir, pattern);
        if path == workdir || is_under(workdir, &path) {
            return false;
        }
        let before = self.wanted.len();
        self.want_path(&path);
        if self.wanted.len() == before && self.is_written_by_a_run(&path) {
            self.generated.insert(path);
        }
        true
    }

    /// Whether a RUN names the last part of the path: then it may have made it.
    fn is_written_by_a_run(&self, path: &str) -> bool {
        let name = file_name(path).as_bytes();
        self.anatomy.runs().any(|(index, _)| {
            let text = self.anatomy.ctx.model.instruction(index).body.text();
            !name.is_empty() && text.windows(name.len()).any(|window| window == name)
        }) && !self.placed.contains_key(path)
    }

    /// The COPY instructions that bring what is wanted, where WORKDIR is `workdir`. `taken` are paths in the image
    /// that come by other means.
    pub(crate) fn copies(&self, workdir: &str, taken: &BTreeSet<String>) -> Vec<Copied> {
        let wanted: BTreeSet<&str> = self
            .wanted
            .iter()
            .filter(|path| !taken.contains(*path))
            .map(String::as_str)
            .collect();
        let mut lines = Vec::new();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut loose: BTreeMap<(String, Vec<String>), Vec<String>> = BTreeMap::new();
        let copied = |flags, sources, target| Copied {
            flags,
            built: false,
            sources,
            target,
        };
        for image in &wanted {
            if done.contains(image) {
                continue;
            }
            let (path, copy) = &self.placed[*image];
            let flags = self.flags(*copy);
            match self.whole_folder(image, path, &wanted) {
                Some((image_folder, folder)) => {
                    let below = format!("{image_folder}/");
                    done.extend(wanted.iter().filter(|one| one.starts_with(&below)));
                    let target = relative(&image_folder, workdir);
                    lines.push(copied(flags, vec![word(&folder)], target));
                }
                None => {
                    let folder = parent(image).to_owned();
                    if file_name(path) == file_name(image) {
                        loose.entry((folder, flags)).or_default().push(path.clone());
                    } else {
                        lines.push(copied(flags, vec![word(path)], relative(image, workdir)));
                    }
                }
            }
        }
        for ((folder, flags), paths) in loose {
            let sources = paths.iter().map(|path| word(path)).collect();
            lines.push(copied(flags, sources, into(&folder, workdir)));
        }
        for path in &self.generated {
            lines.push(Copied::built(path, relative(path, workdir)));
        }
        lines
    }

    /// What is wanted below the folder `source` of the image: files, and folders that are wanted as a whole. Nothing
    /// where a RUN may have made what is wanted.
    pub(crate) fn wanted_below(&self, source: &str) -> Option<Vec<String>> {
        if self.generated.iter().any(|path| is_under(path, source)) {
            return None;
        }
        let wanted: BTreeSet<&str> = self.wanted.iter().map(String::as_str).collect();
        let mut found: Vec<String> = Vec::new();
        for image in wanted.iter().filter(|image| is_under(image, source)) {
            if found.last().is_some_and(|folder| is_under(image, folder)) {
                continue;
            }
            let (path, _) = &self.placed[*image];
            let whole = self.whole_folder(image, path, &wanted);
            found.push(whole.map_or_else(|| (*image).to_owned(), |(folder, _)| folder));
        }
        Some(found)
    }

    /// Whether a COPY puts a file at the path.
    pub(crate) fn is_file(&self, image: &str) -> bool {
        self.placed.contains_key(image)
    }

    /// Whether a COPY puts a symbolic link at the path.
    pub(crate) fn is_link(&self, image: &str) -> bool {
        let placed = self.placed.get(image);
        placed.is_some_and(|(path, _)| matches!(self.context.entry(path), Some(Entry::Link(_))))
    }

    /// Whether a COPY puts a file at the path or below it.
    pub(crate) fn holds(&self, image: &str) -> bool {
        let folder = format!("{}/", image.trim_end_matches('/'));
        self.placed.contains_key(image)
            || self
                .placed
                .range(folder.clone()..)
                .next()
                .is_some_and(|(path, _)| path.starts_with(&folder))
    }

    /// Whether a file is the only one of its folder, and none is below.
    fn is_alone(&self, image: &str) -> bool {
        let folder = parent(image);
        folder != "/"
            && self
                .placed
                .keys()
                .all(|other| other == image || !is_under(other, folder))
    }

    /// Bytes of the files below `source` that are under none of `kept`.
    pub(crate) fn left_behind(&self, source: &str, kept: &[String]) -> u64 {
        let left = self.placed.iter().filter(|(image, _)| {
            is_under(image, source) && !kept.iter().any(|path| is_under(image, path))
        });
        left.map(|(_, (path, _))| match self.context.entry(path) {
            Some(Entry::File { size, .. }) => *size,
            _ => 0,
        })
        .sum()
    }

    /// The highest folder that holds `image`, is a folder of the context, and is wanted as a whole.
    fn whole_folder(
        &self,
        image: &str,
        path: &str,
        wanted: &BTreeSet<&str>,
    ) -> Option<(String, String)> {
        let (mut image, mut path) = (image, path);
        let mut found = None;
        loop {
            if file_name(image) != file_name(path) && found.is_none() {
                return None;
            }
            image = parent(image);
            path = path.rsplit_once('/')?.0;
            let whole = self.context.under(path).all(|(file, _)| {
                let below = &file[path.len()..];
                wanted.contains(format!("{image}{below}").as_str())
            });
            if !whole || image == "/" {
                return found;
            }
            found = Some((image.to_owned(), path.to_owned()));
            if !path.contains('/') {
                return found;
            }
        }
    }

    /// `--chown=…` and `--chmod=…` of a COPY.
    fn flags(&self, copy: usize) -> Vec<String> {
        let ctx = self.anatomy.ctx;
        let instruction = ctx.model.instruction(copy);
        ["chown", "chmod"]
            .into_iter()
            .filter_map(|name| instruction.flag(name))
            .map(|flag| String::from_utf8_lossy(ctx.dockerfile.bytes(flag.span)).into_owned())
            .collect()
    }
}

/// Whether a function that was called with what is no literal reads files.
fn is_read(function: &str) -> bool {
    let writes = [
        "Create",
        "Mkdir",
        "MkdirAll",
        "WriteFile",
        "Rename",
        "create",
        "create_dir",
        "create_dir_all",
        "write",
        "rename",
    ];
    let starts = [
        "Command",
        "CommandContext",
        "LookPath",
        "exec",
        "ProcessBuilder",
        "new",
    ];
    let last = function.rsplit('.').next().unwrap_or(function);
    !writes.contains(&last) && !starts.contains(&last)
}

/// Whether a file of the context may be read by a program that was built from its neighbours.
pub(crate) fn is_runtime_file(catalog: &Catalog, path: &str) -> bool {
    let name = file_name(path);
    let lower = name.to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !path
        .split('/')
        .any(|part| catalog.has_word(WordSet::UnreadFiles, part))
        && !catalog.has_word(WordSet::UnreadEndings, ending)
        && !lower.starts_with("dockerfile")
        && !lower.ends_with(".dockerfile")
        && !lower.starts_with("docker-compose")
        && !lower.starts_with("compose.y")
        && !lower.starts_with(".golangci")
        && !lower.starts_with("license")
}

/// Whether a file is there so that Git keeps its folder, which it leaves out when it is empty.
fn is_placeholder(path: &str) -> bool {
    matches!(
        file_name(path),
        ".gitattributes" | ".gitignore" | ".gitkeep" | ".keep"
    )
}

/// Each file that a COPY puts into the image: path there, path in the context.
fn placements(context: &Context, copy: &CopyPart<'_>) -> Vec<(String, String)> {
    let Some(destination) = copy.destination.as_deref() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for source in &copy.view.sources {
        let Ok(source) = std::str::from_utf8(source.text) else {
            continue;
        };
        for path in context.sources(source) {
            if path.is_empty() || context.is_folder(path) {
                let skip = if path.is_empty() { 0 } else { path.len() + 1 };
                for (file, _) in context.under(path) {
                    found.push((resolve(destination, &file[skip..]), file.to_owned()));
                }
            } else if copy.into_folder {
                found.push((resolve(destination, file_name(path)), path.to_owned()));
            } else {
                found.push((destination.to_owned(), path.to_owned()));
            }
        }
    }
    found
}

/// The folder of an absolute path.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// `path` as it is written below WORKDIR: `./templates`.
pub(crate) fn relative(path: &str, workdir: &str) -> String {
    match path.strip_prefix(workdir.trim_end_matches('/')) {
        Some(below) if workdir != "/" && below.starts_with('/') => format!(".{below}"),
        _ => path.to_owned(),
    }
}

/// A folder as the destination of files: `./`, `./config/`, `/etc/app/`.
pub(crate) fn into(folder: &str, workdir: &str) -> String {
    if folder == workdir && folder != "/" {
        return "./".to_owned();
    }
    format!("{}/", relative(folder, workdir).trim_end_matches('/'))
}

/// A path of the context as COPY reads it back.
fn word(path: &str) -> String {
    path.replace('\\', "\\\\")
}
