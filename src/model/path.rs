//! Paths in the image: always with `/`, never touching this machine's disk.

/// `path` made absolute against `folder` and cleaned of `.`, `..`, doubled and trailing slashes.
#[must_use]
pub fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let relative = !path.starts_with('/');
    let prefix = if relative { folder } else { "" };
    for part in prefix.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = String::with_capacity(prefix.len() + path.len() + 1);
    for part in &parts {
        out.push('/');
        out.push_str(part);
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

/// Whether `path` is `folder` or lies below it; both absolute and clean.
#[must_use]
pub fn is_under(path: &str, folder: &str) -> bool {
    if folder == "/" {
        return path.starts_with('/');
    }
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The last part of a path; the whole where there is no slash.
#[must_use]
pub fn file_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_as_a_shell_would() {
        assert_eq!(resolve("/app", "src"), "/app/src");
        assert_eq!(resolve("/app/", "./a/../b/"), "/app/b");
        assert_eq!(resolve("/app", "/"), "/");
        assert_eq!(resolve("/app", "../../.."), "/");
        assert_eq!(resolve("", "x"), "/x");
    }

    #[test]
    fn under_respects_part_borders() {
        assert!(is_under("/app/x", "/app"));
        assert!(is_under("/app", "/app"));
        assert!(!is_under("/apple", "/app"));
        assert!(is_under("/x", "/"));
    }
}
