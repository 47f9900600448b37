//! Stand-ins until the image and package tables land.

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
    pub fn manager(&self, name: &str) -> Option<&Manager> {
        MANAGERS.iter().find(|manager| manager.name == name)
    }
}
