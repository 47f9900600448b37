//! How much smaller one image is than another, at least.

use super::{Catalog, ImageFacts, ImageSize, Variant};

impl Catalog {
    /// By how many bytes on disk an image with base `new` is smaller than one with base `old`, at least; 0 where that is not
    /// known. Where only the sizes of downloads were measured, their difference is less than that of the unpacked images.
    #[must_use]
    pub fn saved_bytes(&self, old: &ImageFacts, new: &ImageFacts) -> u64 {
        let on_disk = |facts: &ImageFacts| {
            let sizes = self.sizes_of(facts).map(|size| size.on_disk_kb * 1000);
            sizes.filter(|size| *size > 0).max()
        };
        if let (Some(old), Some(new)) = (on_disk(old), on_disk(new)) {
            return old.saturating_sub(new);
        }
        match (self.download_at_least(old), self.download_at_most(new)) {
            (Some(old), Some(new)) => old.saturating_sub(new),
            _ => 0,
        }
    }

    /// The sizes that were measured of the image, under any of its tags.
    fn sizes_of<'c>(&'c self, facts: &'c ImageFacts) -> impl Iterator<Item = &'c ImageSize> {
        let family = facts.family.name.get();
        let tags = facts.build.iter().flat_map(|build| build.tags.get());
        let names = tags.map(move |tag| format!("{family}:{tag}"));
        let others = names.filter_map(|name| self.inner.sizes.get(&name));
        facts.size.iter().chain(others)
    }

    fn download(&self, facts: &ImageFacts) -> Option<u64> {
        let sizes = self.sizes_of(facts).map(|size| size.compressed);
        sizes.filter(|size| *size > 0).max()
    }

    /// The measured download, or that of the largest image it is built on.
    fn download_at_least(&self, facts: &ImageFacts) -> Option<u64> {
        let release = facts.release.as_ref().map(|release| release.name.get());
        let below = facts.contents.iter().filter_map(|contents| {
            let part = contents.name.strip_prefix("buildpack-deps")?;
            let image = format!("buildpack-deps:{}{part}", release?);
            Some(self.inner.sizes.get(&image)?.compressed)
        });
        self.download(facts).or_else(|| below.max())
    }

    /// The measured download, or that of the family's largest slim image.
    fn download_at_most(&self, facts: &ImageFacts) -> Option<u64> {
        let family = facts.family.name.get();
        let of_family = |size: &&ImageSize| {
            let tag = size.image.strip_prefix(family);
            tag.is_some_and(|tag| tag.starts_with(':') && tag.contains("slim"))
        };
        self.download(facts).or_else(|| {
            let slim = self.inner.sizes.embedded().iter().filter(of_family);
            let largest = slim.map(|size| size.compressed).max();
            largest.filter(|size| facts.variant == Variant::Slim && *size > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ImageRef;

    #[test]
    fn savings_of_slim_images() {
        let catalog = Catalog::default();
        let saved = |old: &str, new: &str| {
            let facts = |image: &str| {
                let facts = catalog.image(&ImageRef::parse(image));
                facts.expect("the image is known")
            };
            catalog.saved_bytes(&facts(old), &facts(new)) / 1_000_000
        };
        assert_eq!(
            saved("node:22", "node:22-slim"),
            328,
            "one build, another tag"
        );
        assert_eq!(
            saved("python:3.12", "python:3.12-slim"),
            336,
            "what it is built on"
        );
        assert_eq!(saved("node:22-slim", "node:22"), 0, "it is larger");
    }
}
