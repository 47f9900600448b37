//! What is in an image, read from the engine's own archive of it as a stream: nothing is unpacked.
//!
//! Every blob is indexed as it goes by, and the layers are put on each other once the manifest is known: of a file its
//! path, permissions, size and hash are kept, and of its bytes only what says how programs and libraries are found.

mod archive;
mod elf;
mod layer;
mod loader;
mod tree;

pub use elf::Elf;
pub use layer::{Facts, Kind, Node};
pub use loader::{Loader, Missing};
pub use tree::{Access, Identity, Lost, Tree};

#[cfg(test)]
pub(super) use elf::tests::made as made_elf;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use super::ImageConfig;

/// An image, looked into.
#[derive(Debug, Default)]
pub struct Contents {
    /// How it starts.
    pub config: ImageConfig,
    /// `linux/amd64`
    pub platform: String,
    /// From the lowest to the highest.
    pub layers: Vec<LayerSize>,
    /// Its file system.
    pub tree: Tree,
}

/// What one layer weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSize {
    /// The instruction that made it, as the image's history has it.
    pub instruction: String,
    /// Bytes of its files, uncompressed.
    pub size: u64,
    /// Bytes of it in a registry, where that was asked for.
    pub compressed: Option<u64>,
}

impl Contents {
    /// Reads what `docker save` or `podman save` writes for one image. `measure` asks for the compressed sizes, which
    /// takes longer than everything else.
    ///
    /// # Errors
    /// When the stream ends early, or is no archive of an image.
    pub fn read(stream: impl Read, measure: bool) -> io::Result<Self> {
        let mut stream = BufReader::with_capacity(1 << 20, stream);
        let archive = archive::read(&mut stream, measure)?;
        // A program whose output is not read to its end fails.
        io::copy(&mut stream, &mut io::sink())?;
        let description = archive.description;
        let mut steps = description.history.iter().filter(|step| !step.empty_layer);
        let mut tree = Tree::default();
        let mut layers = Vec::new();
        for layer in archive.layers {
            let step = steps.next().map(|step| instruction(&step.created_by));
            layers.push(LayerSize {
                instruction: step.unwrap_or_default(),
                size: layer.size,
                compressed: layer.compressed,
            });
            tree.stack(layer.entries);
        }
        Ok(Self {
            platform: format!("{}/{}", description.os, description.architecture),
            config: description.config,
            layers,
            tree,
        })
    }

    /// Bytes of all layers, uncompressed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Bytes of all layers in a registry; none when that was not asked for.
    #[must_use]
    pub fn compressed(&self) -> Option<u64> {
        self.layers.iter().map(|layer| layer.compressed).sum()
    }

    /// Where files of these names are, for a remedy.
    #[must_use]
    pub fn places(&self, names: &BTreeSet<&str>) -> BTreeMap<&str, Vec<&str>> {
        loader::places(&self.tree, names)
    }

    /// The value of an environment variable of the image.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let pairs = self.config.env.iter();
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// The instruction in an image's history, without the marks of builders: `RUN npm ci`.
fn instruction(created_by: &str) -> String {
    let text = created_by.split(" # buildkit").next().unwrap_or_default();
    let text = match text.split_once("#(nop) ") {
        Some((_, instruction)) => instruction.trim_start().to_owned(),
        // Builders without BuildKit write the command alone.
        None => match text.strip_prefix("/bin/sh -c ") {
            Some(command) => format!("RUN {command}"),
            None => text.replacen("RUN /bin/sh -c ", "RUN ", 1),
        },
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
