//! What the commands of a RUN plainly write and delete: enough to see that merging two of them saves bytes.
//!
//! Guesses only cost or win a merge; whether a merge is sound is decided elsewhere.

use crate::model::path::{file_name, is_under, resolve};
use crate::model::{Model, PackageOperation, Verb};
use crate::shell::{CommandKind, Invocation, Word};

/// Paths that a RUN writes and deletes, absolute; a variable in them stands for itself.
#[derive(Debug, Default)]
pub(super) struct RunFiles {
    written: Vec<String>,
    /// Folders into which an archive was unpacked.
    unpacked: Vec<String>,
    deleted: Vec<String>,
}

impl RunFiles {
    /// The files of the RUN at `index`.
    pub(super) fn of(model: &Model<'_>, index: usize) -> Self {
        let mut files = Self::default();
        let Some(script) = model.script(index) else {
            return files;
        };
        let workdir = model.state(index).config.workdir.clone();
        let mut folder = workdir.unwrap_or_else(|| "/$PWD".to_owned());
        // A folder that is entered in `( … )` is left with it.
        let chain = script.chain();
        let mut inside = None;
        let mut outside = folder.clone();
        for invocation in script.invocations() {
            let at = chain
                .iter()
                .position(|(_, command)| command.span.contains(invocation.simple.span));
            if at != inside {
                let was = inside.map(|at: usize| &chain[at].1.kind);
                if matches!(was, Some(CommandKind::Subshell(_))) {
                    folder.clone_from(&outside);
                }
                outside.clone_from(&folder);
                inside = at;
            }
            files.note(&invocation, &mut folder);
        }
        for operation in model.operations(index) {
            files.note_packages(&operation);
        }
        let deleted = std::mem::take(&mut files.deleted);
        files
            .written
            .retain(|it| !deleted.iter().any(|path| covers(path, it)));
        files.deleted = deleted;
        files
    }

    /// Whether there is a path that it deletes.
    pub(super) fn deletes(&self) -> bool {
        !self.deleted.is_empty()
    }

    /// A path that `later` deletes and this one wrote.
    pub(super) fn deleted_by<'l>(&self, later: &'l RunFiles) -> Option<&'l str> {
        let gone = |path: &&String| {
            let all_below = path.trim_end_matches("/*");
            let written = self.written.iter().any(|it| covers(path, it));
            let parent = &all_below[..all_below.rfind('/').unwrap_or(0)];
            written
                || self.unpacked.iter().any(|it| {
                    it == all_below
                        || it.trim_end_matches('/') == parent
                        || it != "/" && is_under(all_below, it)
                })
        };
        later.deleted.iter().find(gone).map(String::as_str)
    }

    fn note(&mut self, invocation: &Invocation<'_>, folder: &mut String) {
        for redirect in &invocation.command.redirects {
            if matches!(redirect.operator.as_slice(), b">" | b">>" | b">|" | b"&>")
                && let Some(path) = path(&redirect.target, folder)
                && !path.starts_with("/dev/")
            {
                self.written.push(path);
            }
        }
        let arguments = invocation.arguments();
        let in_folder = |word: &Word| path(word, folder);
        let operands = || arguments.iter().filter(|word| !word.raw.starts_with(b"-"));
        let Some(name) = invocation.name() else {
            return;
        };
        match name {
            b"cd" => {
                if let Some(to) = arguments.first().and_then(in_folder) {
                    *folder = to;
                }
            }
            b"rm" => self.deleted.extend(operands().filter_map(in_folder)),
            b"mkdir" => self.written.extend(operands().filter_map(in_folder)),
            b"wget" => {
                let named = value_of(arguments, &["-O", "--output-document"]);
                let below = value_of(arguments, &["-P", "--directory-prefix"]);
                match (named, below) {
                    (Some(name), _) => self.written.extend(joined(&name, folder)),
                    (None, Some(below)) => self.unpacked.extend(joined(&below, folder)),
                    (None, None) => self.written.extend(downloads(arguments, folder)),
                }
            }
            b"curl" => match value_of(arguments, &["-o", "--output"]) {
                Some(name) => self.written.extend(joined(&name, folder)),
                None => self.written.extend(downloads(arguments, folder)),
            },
            b"git" if invocation.has_argument("clone") => {
                let mut rest = operands().skip_while(|word| word.raw != b"clone").skip(1);
                let (url, target) = (rest.next(), rest.next());
                let target = target
                    .or(url)
                    .map(text)
                    .map(|text| file_name(text.trim_end_matches(".git")).to_owned());
                let given = operands().skip_while(|word| word.raw != b"clone").nth(2);
                self.written.extend(match given {
                    Some(word) => in_folder(word),
                    None => target.and_then(|name| joined(&name, folder)),
                });
            }
            b"tar" => {
                let target = value_of(arguments, &["-C", "--directory"]);
                self.unpacked.extend(match target {
                    Some(target) => joined(&target, folder),
                    None => Some(folder.clone()),
                });
            }
            b"unzip" => {
                let target = value_of(arguments, &["-d"]);
                self.unpacked.extend(match target {
                    Some(target) => joined(&target, folder),
                    None => Some(folder.clone()),
                });
            }
            _ => {}
        }
    }

    fn note_packages(&mut self, operation: &PackageOperation<'_>) {
        let manager = operation.manager;
        let home = |path: &str| resolve("/", &path.replacen('~', "/root", 1));
        let lists = manager.lists.get().iter().map(|path| home(path));
        let caches = manager.caches.get().iter().map(|path| home(path));
        match operation.verb {
            Verb::Install | Verb::Update | Verb::Upgrade
                if manager.no_cache.is_empty()
                    || !operation.has_flag(&[manager.no_cache.get()]) =>
            {
                self.written.extend(lists);
                // Debian's images delete what apt downloads on their own.
                if !is_apt(manager.name.get()) {
                    self.written.extend(caches);
                }
            }
            Verb::Clean => self.deleted.extend(caches),
            _ => {}
        }
    }
}

/// apt under either of its names.
pub(super) fn is_apt(manager: &str) -> bool {
    matches!(manager, "apt" | "apt-get" | "aptitude")
}

/// The text of a word without the quotes around it.
fn text(word: &Word) -> String {
    let bytes = word.literal.as_deref().unwrap_or(&word.raw);
    String::from_utf8_lossy(bytes).replace(['"', '\''], "")
}

fn path(word: &Word, folder: &str) -> Option<String> {
    joined(&text(word), folder)
}

fn joined(path: &str, folder: &str) -> Option<String> {
    if path.is_empty() || path == "-" {
        return None;
    }
    Some(match path.strip_prefix('~') {
        Some(rest) => resolve("/root", rest.trim_start_matches('/')),
        None if path.starts_with('$') => resolve("/", path),
        None => resolve(folder, path),
    })
}

/// The value of the first of these flags: in the next word, after `=`, glued to a letter, or at the end of a bundle
/// like `-fsSLo`.
fn value_of(arguments: &[Word], names: &[&str]) -> Option<String> {
    for (at, word) in arguments.iter().enumerate() {
        let flag = text(word);
        for name in names {
            let long = name.starts_with("--");
            if flag == *name {
                return arguments.get(at + 1).map(text);
            }
            if long && let Some(value) = flag.strip_prefix(&format!("{name}=")) {
                return Some(value.to_owned());
            }
            if long || flag.starts_with("--") || !flag.starts_with('-') {
                continue;
            }
            if let Some(value) = flag.strip_prefix(name) {
                return Some(value.to_owned());
            }
            if flag.ends_with(&name[1..]) {
                return arguments.get(at + 1).map(text);
            }
        }
    }
    None
}

/// The files that downloads without a name end up in.
fn downloads(arguments: &[Word], folder: &str) -> Vec<String> {
    arguments
        .iter()
        .map(text)
        .filter(|word| !word.starts_with('-') && word.contains('/'))
        .filter_map(|url| joined(file_name(url.split('?').next().unwrap_or(&url)), folder))
        .collect()
}

/// Whether deleting `pattern` deletes `path`.
fn covers(pattern: &str, path: &str) -> bool {
    is_under(path, pattern.trim_end_matches("/*")) || matches_star(pattern, path)
}

/// Whether a path with stars in its last part names `path`.
fn matches_star(pattern: &str, path: &str) -> bool {
    let Some((folder, last)) = pattern.rsplit_once('/') else {
        return false;
    };
    let Some((start, end)) = last.split_once('*') else {
        return false;
    };
    let end = end.rsplit('*').next().unwrap_or_default();
    path.rsplit_once('/').is_some_and(|(parent, name)| {
        parent == folder
            && name.len() >= start.len() + end.len()
            && name.starts_with(start)
            && name.ends_with(end)
    })
}
