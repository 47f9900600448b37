//! Which image could take the place of another: the slim one, the one after a retired one.

use super::Catalog;
use super::image::{ImageFacts, Variant, build};
use super::reference::ImageRef;
use super::schema::Slim;

/// How sure it is that a tag exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It is in the list of official images, and stands on the same release.
    Known,
    /// The family has always had it for such versions, but the tag itself is in no list.
    Assumed,
}

/// The smaller image of the same version, release and C library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlimTag {
    /// Its tag.
    pub tag: String,
    /// How sure it is that the tag exists.
    pub exists: Certainty,
}

/// The image that takes the place of a retired one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The reference, from the same registry.
    pub image: String,
    /// What an application may notice.
    pub differs: &'static [super::Text],
}

impl Catalog {
    /// The slim or runtime tag of an image; nothing where there is none, or none on the same release.
    pub fn slim_tag(&self, image: &ImageFacts) -> Option<SlimTag> {
        if image.variant != Variant::Full || image.family.slim == Slim::None {
            return None;
        }
        let family = image.family.name.get();
        let tags = candidates(image);
        let known = tags.iter().find(|tag| {
            build(family, tag).is_some()
                && self
                    .image(&ImageRef::parse(&format!("{family}:{tag}")))
                    .is_some_and(|slim| slim.release == image.release)
        });
        let (tag, exists) = match known {
            Some(tag) => (tag.clone(), Certainty::Known),
            None if image.build.is_some() || image.version.is_empty() => return None,
            None if !at_least(&image.version, image.family.slim_since.get()) => return None,
            None => (tags.into_iter().next()?, Certainty::Assumed),
        };
        Some(SlimTag { tag, exists })
    }

    /// What takes the place of a retired image, where that is certain for its tag.
    pub fn successor(&self, image: &ImageRef<'_>) -> Option<Successor> {
        let row = self.inner.retirements.get(image.family())?;
        let tag = image.tag_or_latest();
        let (_, to) = row
            .tags
            .get()
            .iter()
            .filter_map(|pair| pair.get().split_once('='))
            .find(|(from, _)| *from == tag)?;
        Some(Successor {
            image: image.with_name_and_tag(row.to.get(), to),
            differs: row.differs.get(),
        })
    }
}

/// The tags that the smaller image could have, the closest to what was written first.
fn candidates(image: &ImageFacts) -> Vec<String> {
    let tag = image.tag.as_str();
    let release = image.release.map(|release| release.name.get());
    let named = release.filter(|name| tag.split('-').any(|part| part == *name));
    let own = named == Some(tag);
    match image.family.slim {
        Slim::None => Vec::new(),
        Slim::Jre if tag.contains("jre") => Vec::new(),
        Slim::Jre if tag.contains("jdk") => vec![tag.replacen("jdk", "jre", 1)],
        Slim::Jre => match tag.split_once('-') {
            Some((version, rest)) => vec![format!("{version}-jre-{rest}")],
            None => vec![format!("{tag}-jre")],
        },
        Slim::BeforeRelease if named.is_some() => {
            let name = named.unwrap_or_default();
            vec![tag.replacen(name, &format!("slim-{name}"), 1)]
        }
        Slim::AfterRelease | Slim::BeforeRelease if tag == "latest" => {
            vec!["slim".to_owned(), "stable-slim".to_owned()]
        }
        _ if own => vec![format!("{tag}-slim")],
        slim => {
            let mut tags = vec![format!("{tag}-slim")];
            if let Some(name) = release.filter(|_| named.is_none()) {
                tags.push(match slim {
                    Slim::BeforeRelease => format!("{tag}-slim-{name}"),
                    _ => format!("{tag}-{name}-slim"),
                });
            }
            tags
        }
    }
}

/// Compares versions number by number; an empty bound admits all.
fn at_least(version: &str, bound: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        text.split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    numbers(version) >= numbers(bound)
}
