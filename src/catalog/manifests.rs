//! Which files describe what a project depends on and how it is started.

use super::Catalog;

/// Files of no package manager that say how a project is built or started, or on which version of its language.
const OTHERS: [&str; 10] = [
    ".node-version",
    ".nvmrc",
    ".python-version",
    ".tool-versions",
    "CMakeLists.txt",
    "Makefile",
    "Procfile",
    "configure.ac",
    "meson.build",
    "runtime.txt",
];

impl Catalog {
    /// Whether the file at `path` (with `/` between its parts) is a manifest or a lock file of a package manager that
    /// the catalog knows, lies in a folder that one reads, or says how a project is built or started.
    #[must_use]
    pub fn is_manifest(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let name = parts.last().copied().unwrap_or_default();
        let requirements = name.starts_with("requirements") || name.ends_with("requirements.txt");
        if requirements || OTHERS.contains(&name) || parts.contains(&"requirements") {
            return true;
        }
        let managers = self.inner.managers.embedded().iter();
        let mut patterns =
            managers.flat_map(|row| row.manifests.get().iter().chain(row.locks.get()));
        patterns.any(|pattern| {
            let pattern: Vec<&str> = pattern.split('/').collect();
            let same = |(part, pattern): (&&str, &&str)| match pattern.strip_prefix('*') {
                Some(ending) => part.ends_with(ending),
                None => part == pattern,
            };
            parts
                .windows(pattern.len())
                .any(|window| window.iter().zip(&pattern).all(same))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_and_lock_files_by_their_names() {
        let catalog = Catalog::default();
        for path in [
            "package.json",
            "a/b/pnpm-lock.yaml",
            "api/api.csproj",
            ".cargo/config.toml",
            "x/.yarn/patches/a.patch",
            "requirements-dev.txt",
            "requirements/prod.in",
            "go.sum",
            ".nvmrc",
        ] {
            assert!(catalog.is_manifest(path), "{path}");
        }
        for path in [
            "src/main.rs",
            "README.md",
            "cargo/config.toml",
            "a/package.json5",
            "",
        ] {
            assert!(!catalog.is_manifest(path), "{path}");
        }
    }
}
