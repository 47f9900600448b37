//! Which folder is the build context, as far as the COPY sources of a Dockerfile tell.

use std::fs;
use std::path::{Path, PathBuf};

use super::builds::clean;
use super::jobs::folder_of;
use crate::syntax::{Dockerfile, Keyword};

/// So many folders above the Dockerfile are tried.
const MOST_PARENTS: usize = 16;

/// The paths that COPY and ADD take from the context, as far as they are written out; each once.
pub(super) fn copied(source: &[u8]) -> Vec<String> {
    let dockerfile = Dockerfile::parse(source.to_vec());
    let mut paths: Vec<String> = Vec::new();
    for instruction in dockerfile.instructions() {
        let Some(copy) = instruction.as_copy().filter(|copy| copy.from.is_none()) else {
            continue;
        };
        for source in copy.sources {
            let Ok(text) = std::str::from_utf8(source.text) else {
                continue;
            };
            let remote = instruction.keyword == Keyword::Add
                && (text.contains("://") || text.starts_with("git@"));
            if source.heredoc.is_some() || remote || text.contains('$') {
                continue;
            }
            let path = clean(Path::new(text.trim_start_matches('/')));
            let path = path.to_string_lossy().into_owned();
            if path != "." && !path.starts_with("..") && !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// How many of `copied` do not exist below `folder`.
pub(super) fn missing(folder: &Path, copied: &[String]) -> usize {
    copied.iter().filter(|path| !exists(folder, path)).count()
}

/// The nearest folder above the Dockerfile, up to `top` (absolute), in which all of `copied` exist, when in the
/// Dockerfile's own folder some do not; named the way the Dockerfile is.
pub(super) fn parent(dockerfile: &Path, copied: &[String], top: &Path) -> Option<PathBuf> {
    let mut folder = folder_of(dockerfile).to_path_buf();
    if missing(&folder, copied) == 0 {
        return None;
    }
    for _ in 0..MOST_PARENTS {
        let here = folder.canonicalize().ok()?;
        if here == top || !here.starts_with(top) {
            return None;
        }
        folder = clean(&folder.join(".."));
        // A folder that is a link has another parent than its name says.
        if folder.canonicalize().ok()?.as_path() != here.parent()? {
            return None;
        }
        if missing(&folder, copied) == 0 {
            return Some(folder);
        }
    }
    None
}

/// Whether something stands at `path`, which may be a pattern: one that its own folder answers is enough.
fn exists(folder: &Path, path: &str) -> bool {
    let is_glob = |part: &str| part.contains(['*', '?', '[']);
    let parts: Vec<&str> = path.split('/').collect();
    let Some(first) = parts.iter().position(|part| is_glob(part)) else {
        return folder.join(path).symlink_metadata().is_ok();
    };
    let folder = folder.join(parts[..first].join("/"));
    let pattern = parts[first];
    let prefix = &pattern[..pattern.find(['*', '?', '[']).unwrap_or(0)];
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        fs::write(path, "").expect("a file");
    }

    #[test]
    fn only_what_comes_from_the_context_counts() {
        let source = b"FROM a AS b\nCOPY --from=b /x /y\nCOPY ./src/ $V /app/\nADD https://e.org/x.tgz *.json /\nCOPY <<E /f\nE\nCOPY . .\n";
        assert_eq!(copied(source), ["src", "*.json"]);
    }

    #[test]
    fn a_parent_that_holds_everything_is_the_context() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let top = root.path().canonicalize().expect("it exists");
        let dockerfile = top.join("docker/api/Dockerfile");
        for path in [
            "docker/api/Dockerfile",
            "docker/api/start.sh",
            "src/main.c",
            "a.json",
        ] {
            write(&top.join(path));
        }
        let parent = |copied: &[&str]| {
            let copied: Vec<String> = copied.iter().map(|path| (*path).to_owned()).collect();
            parent(&dockerfile, &copied, &top)
        };
        assert_eq!(parent(&["start.sh"]), None);
        assert_eq!(parent(&["src", "*.json"]), Some(top.clone()));
        assert_eq!(parent(&["api/start.sh"]), Some(top.join("docker")));
        assert_eq!(parent(&["src", "start.sh"]), None, "no folder holds both");
    }
}
