//! Stand-ins until the image and package tables land.

use crate::model::Shell as ModelShell;

#[derive(Clone, Debug)]
pub struct ImageFacts<'a> {
    pub marker: std::marker::PhantomData<&'a ()>,
}

impl ImageFacts<'_> {
    pub fn shell(&self) -> ModelShell {
        ModelShell::default()
    }
    pub fn workdir(&self) -> Option<&str> {
        None
    }
    pub fn user(&self) -> Option<&str> {
        None
    }
    pub fn cmd(&self) -> Option<Vec<&str>> {
        None
    }
    pub fn entrypoint(&self) -> Option<Vec<&str>> {
        None
    }
    pub fn entrypoint_passes_on(&self) -> bool {
        false
    }
    pub fn is_windows(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef(String);

impl ImageRef {
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Display for ImageRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Install,
    Update,
    Upgrade,
    Remove,
    Clean,
    Other,
}

#[derive(Clone, Debug)]
pub struct Manager {
    pub name: &'static str,
}

static MANAGERS: &[Manager] = &[
    Manager { name: "apt-get" },
    Manager { name: "apt" },
    Manager { name: "apk" },
    Manager { name: "pip" },
];

impl Manager {
    pub fn takes_value(&self, flag: &str) -> bool {
        matches!(flag, "-t" | "-o")
    }
    pub fn verb(&self, operands: &[Option<&[u8]>], _flags: &[&[u8]]) -> (Verb, usize) {
        match operands.first().copied().flatten() {
            Some(b"install" | b"add") => (Verb::Install, 1),
            Some(b"update") => (Verb::Update, 1),
            Some(b"upgrade" | b"dist-upgrade") => (Verb::Upgrade, 1),
            Some(b"clean") => (Verb::Clean, 1),
            _ => (Verb::Other, 0),
        }
    }
}

impl super::Catalog {
    pub fn image(&self, _reference: &ImageRef) -> Option<ImageFacts<'_>> {
        None
    }
    pub fn manager(&self, name: &str) -> Option<&Manager> {
        MANAGERS.iter().find(|manager| manager.name == name)
    }
}
