//! Paths and texts of the context, as the stacks ask for them: relative, parts joined by `/`, `` for the root.

use crate::context::{Context, Entry};

use super::Evidence;

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

/// `path` seen from the folder `root`, both in the context; `.` and `..` are resolved, backslashes part too, and a slash
/// at the beginning is the context's root. None when it leaves the context.
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

/// `path` as a manifest or an import names it, seen from `folder`; none when it is absolute or leaves the context.
pub(super) fn relative(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    resolve(folder, path)
}

/// `name` in `folder`; both are already plain.
pub(super) fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}

/// The folder of `path`, `` for the root's own.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    // Byte by byte: names are short, and a search by characters takes three times as long.
    let slash = path.bytes().rposition(|byte| byte == b'/');
    slash.map_or(path, |at| &path[at + 1..])
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
    any_text(context, path)
}

/// The text of a file, whether the build can see it or not, without a byte order mark; bytes that are not UTF-8 are
/// replaced.
pub(super) fn any_text(context: &Context, path: &str) -> Option<String> {
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

/// Those of the lock files `known` that the build sees in `folder`, as paths of the context, each with who writes it;
/// `findings` gets those that are hidden from it.
pub(super) fn lock_files<M: Copy>(
    context: &Context,
    folder: &str,
    known: &[(&str, M)],
    findings: &mut Vec<Evidence>,
) -> Vec<(String, M)> {
    let mut locks = Vec::new();
    for (name, manager) in known {
        let path = join(folder, name);
        if context.has(&path) {
            locks.push((path, *manager));
        } else if context.exists(&path) {
            let hidden = "the lock file is hidden by .dockerignore";
            findings.push(Evidence::new(hidden, &path));
        }
    }
    locks
}

/// The files that the build sees below `folder`, as paths of the context, and their sizes in bytes.
pub(super) fn sized_files<'a>(
    context: &'a Context,
    folder: &'a str,
) -> impl Iterator<Item = (&'a str, u64)> {
    context
        .under(folder)
        .filter_map(|(path, entry)| match entry {
            Entry::File { size, .. } => Some((path, *size)),
            _ => None,
        })
}

/// The files that the build sees below `folder`, as paths of the context.
pub(super) fn files<'a>(context: &'a Context, folder: &'a str) -> impl Iterator<Item = &'a str> {
    sized_files(context, folder).map(|(path, _)| path)
}

/// The names of the files that stand directly in `folder`.
pub(super) fn names<'a>(context: &'a Context, folder: &'a str) -> impl Iterator<Item = &'a str> {
    context
        .children(folder)
        .filter(|(_, entry)| matches!(entry, Entry::File { .. }))
        .map(|(name, _)| name)
}

/// The first of `names` that stands in `folder`, as a path in the context.
pub(super) fn first(context: &Context, folder: &str, names: &[&str]) -> Option<String> {
    names
        .iter()
        .map(|name| join(folder, name))
        .find(|path| matches!(context.entry(path), Some(Entry::File { .. })))
}

/// Where `path` stands below `folder`; none when it does not.
pub(super) fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
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
    for (path, size) in sized_files(context, root) {
        if !below(root, path).is_some_and(&accept) {
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
    parent(path)
        .split('/')
        .any(|part| names.contains(&part) || (part.len() > 1 && part.starts_with('.')))
}

/// Whether the shell-like `pattern` (`*`, `?` within a part, `**` for any parts) covers `path`. No braces or sets.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let path: Vec<&str> = path.split('/').collect();
    wildcard(
        &pattern,
        &path,
        |part| *part == "**",
        |pattern, part| part_matches(pattern.as_bytes(), part.as_bytes()),
    )
}

/// Whether one part of a path matches a part of a pattern with `*` and `?`.
pub(super) fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    let is_star = |byte: &u8| *byte == b'*';
    wildcard(pattern, part, is_star, |pattern, byte| {
        *pattern == b'?' || pattern == byte
    })
}

/// Matching with one kind of `many` item, which covers any run of items; at worst quadratic.
fn wildcard<T>(
    pattern: &[T],
    items: &[T],
    many: impl Fn(&T) -> bool,
    one: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut retry = None;
    while item < items.len() {
        match pattern.get(at) {
            Some(wild) if many(wild) => {
                retry = Some((at, item));
                at += 1;
            }
            Some(plain) if one(plain, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((star, covered)) = retry else {
                    return false;
                };
                retry = Some((star, covered + 1));
                at = star + 1;
                item = covered + 1;
            }
        }
    }
    pattern[at..].iter().all(many)
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
        assert!(matches("crates/*", "crates/one"));
        assert!(!matches("crates/*", "crates/one/two"));
        assert!(matches("crates/**", "crates/one/two"));
        assert!(matches("./lib-?x*", "lib-axyz"));
        assert!(!matches("lib*b", "libc"));
    }

    #[test]
    fn relative_paths_never_leave_the_context() {
        assert_eq!(relative("a/b", "../c/./d").as_deref(), Some("a/c/d"));
        assert_eq!(relative("a", ".."), Some(String::new()));
        assert_eq!(relative("a", "../../x"), None);
        assert_eq!(relative("", "/etc"), None);
    }

    #[test]
    fn wildcards_stay_within_a_part_unless_doubled() {
        assert!(matches("packages/*", "packages/web"));
        assert!(!matches("packages/*", "packages/web/src"));
        assert!(matches("packages/**", "packages/web/src"));
        assert!(matches("**/*.ts", "a/b/c.ts"));
        assert!(matches("./apps/w?b", "apps/web"));
        assert!(!matches("apps/*b", "apps/bx"));
    }
}
