//! Paths and texts of the context, as the stacks ask for them.

use crate::context::{Context, Entry};

/// How much a scan of sources may read before it stops and says so.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Number of files.
    pub files: usize,
    /// Bytes in all of them.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            files: 6_000,
            bytes: 32 << 20,
        }
    }
}

/// `path` seen from the folder `root`, both in the context; `.` and `..` are resolved; none when it leaves the context.
pub(super) fn resolve(root: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { root };
    for part in start.split('/').chain(path.split(['/', '\\'])) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `root` and `name` with a slash between, where there is a root.
pub(super) fn join(root: &str, name: &str) -> String {
    if root.is_empty() {
        name.to_owned()
    } else {
        format!("{root}/{name}")
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    // Byte by byte: names are short, and a search by characters takes three times as long.
    let slash = path.bytes().rposition(|byte| byte == b'/');
    slash.map_or(path, |at| &path[at + 1..])
}

/// The folder of a path, `` for one at the root.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What follows the last dot of the last part, `` without one.
pub(crate) fn extension(path: &str) -> &str {
    let name = file_name(path);
    let dot = name.bytes().rposition(|byte| byte == b'.');
    dot.map_or("", |at| &name[at + 1..])
}

/// The text of a file that the build can see, without a byte order mark; bytes that are not UTF-8 are replaced.
pub(super) fn text(context: &Context, path: &str) -> Option<String> {
    if !matches!(context.entry(path), Some(Entry::File { .. })) {
        return None;
    }
    let bytes = context.read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Those of `names` that the build sees in the folder `root`, as paths of the context.
pub(super) fn present(context: &Context, root: &str, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| join(root, name))
        .filter(|path| context.has(path))
        .collect()
}

/// The files that the build sees below the folder `root`, as paths of the context, and their sizes in bytes.
pub(super) fn files<'a>(
    context: &'a Context,
    root: &'a str,
) -> impl Iterator<Item = (&'a str, u64)> + 'a {
    context.under(root).filter_map(move |(path, entry)| {
        let Entry::File { size, .. } = entry else {
            return None;
        };
        Some((path, *size))
    })
}

/// What is left of `path` below the folder `root`.
pub(super) fn within<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    if root.is_empty() {
        return Some(path);
    }
    path.strip_prefix(root)?.strip_prefix('/')
}

/// Gives `visit` the path and text of every file below `root` that `accept` takes (it sees the path below
/// `root`), until the bounds are met; whether all of them were read.
pub(super) fn each_text(
    context: &Context,
    root: &str,
    bounds: Bounds,
    accept: impl Fn(&str) -> bool,
    mut visit: impl FnMut(&str, &str),
) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for (path, size) in files(context, root) {
        if !within(path, root).is_some_and(&accept) {
            continue;
        }
        count += 1;
        bytes += size;
        if count > bounds.files || bytes > bounds.bytes {
            return false;
        }
        match text(context, path) {
            Some(text) => visit(path, &text),
            None => return false,
        }
    }
    !context.truncated()
}

/// Whether one of the folders of `path` (not its last part) is in `names` or is hidden.
pub(super) fn passes_through(path: &str, names: &[&str]) -> bool {
    folder(path)
        .split('/')
        .any(|part| names.contains(&part) || (part.len() > 1 && part.starts_with('.')))
}

/// Expands a pattern of workspace members: parts are literal, `*` or contain `*`, `**` is any number of parts.
pub(super) fn matches_pattern(pattern: &str, path: &str) -> bool {
    fn parts(pattern: &[&str], path: &[&str]) -> bool {
        // `**` is tried from the right; the patterns that manifests hold have at most a few of them.
        let Some((first, rest)) = pattern.split_first() else {
            return path.is_empty();
        };
        if *first == "**" {
            return (0..=path.len()).any(|skipped| parts(rest, &path[skipped..]));
        }
        match path.split_first() {
            Some((head, tail)) => {
                part_matches(first.as_bytes(), head.as_bytes()) && parts(rest, tail)
            }
            None => false,
        }
    }
    let split = |text| str::split(text, '/').filter(|part| !matches!(*part, "" | "."));
    let pattern: Vec<&str> = split(pattern).collect();
    let path: Vec<&str> = split(path).collect();
    pattern.iter().filter(|part| **part == "**").count() <= 3 && parts(&pattern, &path)
}

/// Whether one part of a path matches a part of a pattern with `*` and `?`.
pub(super) fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < part.len() {
        if p < pattern.len()
            && (pattern[p] == b'?' || (pattern[p] == part[s] && pattern[p] != b'*'))
        {
            p += 1;
            s += 1;
        } else if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, s));
            p += 1;
        } else if let Some((star_at, from)) = star {
            p = star_at + 1;
            s = from + 1;
            star = Some((star_at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_dots_and_stays_inside() {
        assert_eq!(resolve("a/b", "../c/./d").as_deref(), Some("a/c/d"));
        assert_eq!(resolve("", "./x").as_deref(), Some("x"));
        assert_eq!(resolve("a", "../../x"), None);
    }

    #[test]
    fn matches_workspace_patterns() {
        assert!(matches_pattern("crates/*", "crates/one"));
        assert!(!matches_pattern("crates/*", "crates/one/two"));
        assert!(matches_pattern("crates/**", "crates/one/two"));
        assert!(matches_pattern("./lib-?x*", "lib-axyz"));
        assert!(!matches_pattern("lib*b", "libc"));
    }
}
