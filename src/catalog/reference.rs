//! Image references as FROM and COPY --from write them.

/// A reference in its parts: `registry:5000/a/b:tag@sha256:…`. Borrows the text it was parsed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRef<'t> {
    /// The whole reference as written.
    pub text: &'t str,
    /// The registry's host and port; empty where none is written.
    pub registry: &'t str,
    /// The repository without the registry: `library/node`, `a/b`, `node`.
    pub path: &'t str,
    /// The tag; nothing where none is written.
    pub tag: Option<&'t str>,
    /// The digest, `sha256:…`; nothing where none is written.
    pub digest: Option<&'t str>,
}

/// Hosts that all mean Docker Hub.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

impl<'t> ImageRef<'t> {
    /// Takes a reference apart. Any text gives a result; see [`Self::has_variable`] for what it may still hold.
    pub fn parse(text: &'t str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let name_start = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[name_start..].split_once(':') {
            Some((name, tag)) => (&rest[..name_start + name.len()], Some(tag)),
            None => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("", name),
        };
        Self {
            text,
            registry,
            path,
            tag,
            digest,
        }
    }

    /// True where a build argument is still to be put in, so that the parts mean little.
    pub fn has_variable(&self) -> bool {
        self.text.contains('$')
    }

    /// True for Docker's official images, from Docker Hub or a mirror that keeps `library/`.
    pub fn is_official(&self) -> bool {
        self.official_name().is_some()
    }

    /// The name of the repository as the catalog knows it: `node` for an official image from wherever it is
    /// pulled, `oven/bun` for others on Docker Hub, `gcr.io/distroless/static` elsewhere.
    pub fn family(&self) -> &'t str {
        if let Some(name) = self.official_name() {
            return name;
        }
        if self.on_docker_hub() {
            return self.path;
        }
        let end = self.registry.len() + 1 + self.path.len();
        &self.text[..end]
    }

    /// The tag, or `latest` where none is written.
    pub fn tag_or_latest(&self) -> &'t str {
        self.tag.unwrap_or("latest")
    }

    /// The same repository with another tag and no digest, from the same registry.
    pub fn with_tag(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository())
    }

    /// Another official image from where this one is pulled: `mirror/library/openjdk` gives `mirror/library/NAME`.
    pub fn with_name_and_tag(&self, name: &str, tag: &str) -> String {
        let repository = self.repository();
        let prefix = repository.rfind('/').map_or("", |at| &repository[..=at]);
        format!("{prefix}{name}:{tag}")
    }

    /// Registry and path as written, without tag and digest.
    pub fn repository(&self) -> &'t str {
        let separator = usize::from(!self.registry.is_empty());
        &self.text[..self.registry.len() + separator + self.path.len()]
    }

    fn on_docker_hub(&self) -> bool {
        self.registry.is_empty() || DOCKER_HUB.contains(&self.registry)
    }

    fn official_name(&self) -> Option<&'t str> {
        let bare = !self.path.is_empty() && !self.path.contains('/');
        if bare && self.on_docker_hub() {
            return Some(self.path);
        }
        let (prefix, name) = self.path.rsplit_once('/')?;
        let library = prefix == "library" || prefix.ends_with("/library");
        (library && !name.is_empty()).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_registry_path_tag_and_digest_apart() {
        let image = ImageRef::parse("registry:5000/a/b:1.2@sha256:00ff");
        assert_eq!((image.registry, image.path), ("registry:5000", "a/b"));
        assert_eq!(
            (image.tag, image.digest),
            (Some("1.2"), Some("sha256:00ff"))
        );
        assert_eq!(image.family(), "registry:5000/a/b");
        assert!(!image.is_official());
    }

    #[test]
    fn a_port_is_no_tag() {
        let image = ImageRef::parse("localhost:5000/node");
        assert_eq!(
            (image.registry, image.path, image.tag),
            ("localhost:5000", "node", None)
        );
    }

    #[test]
    fn official_images_are_known_wherever_they_come_from() {
        for text in [
            "node:22",
            "library/node:22",
            "docker.io/node:22",
            "docker.io/library/node:22",
            "index.docker.io/library/node:22",
            "public.ecr.aws/docker/library/node:22",
            "mirror.example.com/hub/library/node:22",
        ] {
            let image = ImageRef::parse(text);
            assert_eq!(image.family(), "node", "{text}");
            assert!(image.is_official(), "{text}");
            assert_eq!(image.with_tag("22-slim"), format!("{text}-slim"));
        }
        for text in ["bitnami/node", "gcr.io/node", "gcr.io/distroless/static"] {
            assert!(!ImageRef::parse(text).is_official(), "{text}");
        }
    }

    #[test]
    fn odd_texts_do_not_panic() {
        for text in [
            "", ":", "@", "/", "a/", "/:", "é:ü@", "${A}:$B", "a:b:c", "x.y/", ".:/@",
        ] {
            let image = ImageRef::parse(text);
            let _ = (image.family(), image.repository(), image.is_official());
            assert_eq!(image.text, text);
        }
    }
}
