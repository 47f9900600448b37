use super::{Catalog, embedded};

impl Catalog {
    /// Whether the name of a file says that it is no tar archive, compressed or not: `start.sh`, `Gemfile`, `app.jar`.
    #[must_use]
    pub fn is_plain_file(&self, name: &str) -> bool {
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_ascii_lowercase());
        embedded::PLAIN_FILES.iter().any(|row| {
            let ends = ending
                .as_deref()
                .is_some_and(|ending| row.endings.get().iter().any(|known| **known == *ending));
            ends || row.names.get().iter().any(|known| **known == *name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_plain_files() {
        let catalog = Catalog::default();
        for name in ["start.sh", "A.TXT", "Gemfile", "app.jar", ".env", "x.conf"] {
            assert!(catalog.is_plain_file(name), "{name}");
        }
        for name in [
            "a.tgz",
            "root.tar.gz",
            "x.gem",
            "blob.bin",
            "assets",
            "sh",
            "a.sh.gz",
            "x.apk",
        ] {
            assert!(!catalog.is_plain_file(name), "{name}");
        }
    }
}
