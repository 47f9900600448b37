//! What `docker save` and `podman save` write: blobs and a manifest, in any order.

use std::collections::HashMap;
use std::io::{self, Read};

use serde::Deserialize;
use tar::EntryType;

use super::super::ImageConfig;
use super::elf::Kept;
use super::layer::{self, Layer, clean};

/// Manifests and configurations are far smaller.
const LARGEST_JSON: u64 = 16 << 20;

/// An image as an archive holds it.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) description: Description,
    /// From the lowest to the highest.
    pub(super) layers: Vec<Layer>,
}

/// The configuration of an image, as its archive holds it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Description {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) config: ImageConfig,
    pub(super) history: Vec<Step>,
}

/// A step of the build.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) created_by: String,
    pub(super) empty_layer: bool,
}

/// A file of the archive.
enum Blob {
    Json(Vec<u8>),
    Layer(Layer),
    /// The same as the file of this name.
    Alias(Box<str>),
}

/// One image in `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// An OCI index or manifest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Oci {
    manifests: Vec<Descriptor>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Platform {
    os: String,
}

/// Reads an archive of one image; compressed sizes are worked out when `measure` asks for them.
///
/// # Errors
/// When it ends early, or names blobs that it does not hold.
pub(super) fn read(stream: impl Read, measure: bool) -> io::Result<Archive> {
    let mut blobs = blobs(stream, measure)?;
    let (config, layers) =
        names(&blobs).ok_or_else(|| damaged("it holds no manifest of an image"))?;
    let Some(Blob::Json(config)) = blobs.get(&config) else {
        return Err(damaged("it does not hold the configuration of its image"));
    };
    let description = serde_json::from_slice(config).map_err(io::Error::other)?;
    let mut found = Vec::new();
    for name in &layers {
        found.push(taken(&mut blobs, name, &layers).ok_or_else(|| damaged("a layer is missing"))?);
    }
    Ok(Archive {
        description,
        layers: found,
    })
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the archive is damaged: {what}"),
    )
}

fn blobs(stream: impl Read, measure: bool) -> io::Result<HashMap<Box<str>, Blob>> {
    let mut archive = tar::Archive::new(stream);
    let mut blobs = HashMap::new();
    let mut kept = Kept::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = clean(&entry.path_bytes());
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            let target = entry.link_name_bytes().unwrap_or_default();
            let target = String::from_utf8_lossy(&target).into_owned();
            // A link of `docker save` stands in a folder beside that of its target.
            let whole = match (kind, name.rsplit_once('/')) {
                (EntryType::Symlink, Some((folder, _))) => format!("{folder}/{target}"),
                _ => target,
            };
            blobs.insert(name, Blob::Alias(without_parents(&whole)));
            continue;
        }
        if kind != EntryType::Regular || entry.size() == 0 {
            continue;
        }
        let size = entry.size();
        let mut start = Vec::new();
        entry.by_ref().take(512).read_to_end(&mut start)?;
        let whole = start.as_slice().chain(&mut entry);
        match start.first() {
            Some(b'{' | b'[') if size <= LARGEST_JSON => {
                let mut text = Vec::new();
                let mut whole = whole;
                whole.read_to_end(&mut text)?;
                blobs.insert(name, Blob::Json(text));
            }
            _ if is_layer(&start) => {
                let layer = layer::read(whole, measure, &mut kept)?;
                blobs.insert(name, Blob::Layer(layer));
            }
            // Version files, signatures.
            _ => {}
        }
    }
    Ok(blobs)
}

/// Whether a file that begins like this is a tar archive, plain or compressed, or an empty one.
fn is_layer(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
        || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || start.get(257..262) == Some(b"ustar")
        || (start.len() == 512 && start.iter().all(|byte| *byte == 0))
}

/// The names of the configuration and of the layers.
fn names(blobs: &HashMap<Box<str>, Blob>) -> Option<(Box<str>, Vec<Box<str>>)> {
    let json = |name: &str| match blobs.get(name) {
        Some(Blob::Json(text)) => Some(text.as_slice()),
        _ => None,
    };
    if let Some(text) = json("manifest.json")
        && let Ok(mut saved) = serde_json::from_slice::<Vec<Saved>>(text)
        && !saved.is_empty()
    {
        let saved = saved.swap_remove(0);
        let layers = saved.layers.iter().map(|name| clean(name.as_bytes()));
        return Some((clean(saved.config.as_bytes()), layers.collect()));
    }
    let mut found: Oci = serde_json::from_slice(json("index.json")?).ok()?;
    // An index may name an index; its entries of unknown platform are notes about the others.
    for _ in 0..4 {
        if !found.config.digest.is_empty() {
            let layers = found.layers.iter().map(|layer| place(&layer.digest));
            return Some((place(&found.config.digest), layers.collect()));
        }
        let known = |entry: &&Descriptor| {
            let platform = entry.platform.as_ref();
            platform.is_none_or(|platform| platform.os != "unknown")
                && blobs.contains_key(&place(&entry.digest))
        };
        let next = found.manifests.iter().find(known)?;
        found = serde_json::from_slice(json(&place(&next.digest))?).ok()?;
    }
    None
}

/// Where an OCI layout keeps a blob.
fn place(digest: &str) -> Box<str> {
    format!("blobs/{}", digest.replacen(':', "/", 1)).into()
}

/// The layer of this name; it is taken out unless `all` names it again.
fn taken(blobs: &mut HashMap<Box<str>, Blob>, name: &str, all: &[Box<str>]) -> Option<Layer> {
    let mut name = name.to_owned();
    for _ in 0..8 {
        match blobs.get(name.as_str())? {
            Blob::Alias(target) => name = target.to_string(),
            Blob::Layer(layer) => {
                // The same layer may stand twice in an image, under one name or under several.
                let again = all.iter().filter(|other| ***other == name).count() > 1
                    || blobs
                        .values()
                        .any(|blob| matches!(blob, Blob::Alias(target) if **target == *name));
                if again {
                    return Some(Layer {
                        entries: layer.entries.clone(),
                        size: layer.size,
                        compressed: layer.compressed,
                    });
                }
                return match blobs.remove(name.as_str()) {
                    Some(Blob::Layer(layer)) => Some(layer),
                    _ => None,
                };
            }
            Blob::Json(_) => return None,
        }
    }
    None
}

/// `a/../b/c` as `b/c`.
fn without_parents(path: &str) -> Box<str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/").into()
}
