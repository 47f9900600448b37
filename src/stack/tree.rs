//! Paths in the context and what stands there: relative, parts joined by `/`, `` for the root.

use crate::context::{Context, Entry};

/// `path` as seen from `folder`, without `.` and `..`; none when it leaves the context or is absolute.
pub(super) fn resolve(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
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

/// The last part of `path`.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Where `path` stands below `folder`; none when it does not.
pub(super) fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

/// The files below `folder` that the build can see.
pub(super) fn files<'a>(context: &'a Context, folder: &'a str) -> impl Iterator<Item = &'a str> {
    context
        .under(folder)
        .filter(|(_, entry)| matches!(entry, Entry::File { .. }))
        .map(|(path, _)| path)
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

/// The text of the file at `path`, without a byte order mark; what is not UTF-8 is replaced.
pub(super) fn text(context: &Context, path: &str) -> Option<String> {
    let bytes = context.read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
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
        |pattern, part| {
            wildcard(
                pattern.as_bytes(),
                part.as_bytes(),
                |byte| *byte == b'*',
                |pattern, byte| *pattern == b'?' || pattern == byte,
            )
        },
    )
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
    fn resolve_never_leaves_the_context() {
        assert_eq!(resolve("a/b", "../c/./d").as_deref(), Some("a/c/d"));
        assert_eq!(resolve("a", ".."), Some(String::new()));
        assert_eq!(resolve("a", "../../x"), None);
        assert_eq!(resolve("", "/etc"), None);
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
