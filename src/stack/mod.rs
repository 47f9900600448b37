//! What the project is, how it is built, what it needs when it runs (floor 3): one file per stack.
//!
//! Detection reads manifests and lock files through the [`Context`]; it runs nothing. A malformed manifest
//! is a finding of the project, not a failure.

pub mod commands;
pub mod node;
pub mod python;
pub mod static_site;
mod tree;
pub mod usage;

use crate::catalog::Catalog;
use crate::context::Context;

/// What one stack found in one folder of the context.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder of the context, `` for its root, without a slash at its end.
    pub root: String,
    /// The version of the language that the project asks for, as written (`>=18`, `3.12`), none when it does not say.
    pub language_version: Option<String>,
    /// `npm`, `yarn`, `pip`, `poetry`, `cargo`, `maven` …
    pub package_manager: Option<String>,
    /// Files that describe the dependencies, paths in the context; what an install reads.
    pub manifests: Vec<String>,
    /// Lock files, paths in the context.
    pub locks: Vec<String>,
    /// Ports that the configuration or the sources name, ascending.
    pub ports: Vec<u16>,
    /// What was understood and from what.
    pub evidence: Vec<Evidence>,
    /// What is malformed or contradictory in the manifests.
    pub findings: Vec<Evidence>,
    /// What only this stack knows.
    pub details: Details,
}

/// A fact and the file that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Lower case, no final full stop.
    pub fact: String,
    /// Path in the context, with `:line` where that helps.
    pub source: String,
}

impl Evidence {
    /// The fact `fact`, shown by `source`.
    #[must_use]
    pub fn new(fact: &str, source: &str) -> Self {
        Self {
            fact: fact.to_owned(),
            source: source.to_owned(),
        }
    }
}

/// What only one stack knows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Details {
    /// Node.
    Node(Box<node::Node>),
    /// Python.
    Python(Box<python::Python>),
    /// Files that a web server serves.
    StaticSite(static_site::StaticSite),
}

/// A stack.
pub trait Stack: Sync {
    /// `node`, `python` …
    fn name(&self) -> &'static str;

    /// The project in the folder `root` of the context (`` for its root), if it is one of this stack.
    fn detect(&self, root: &str, context: &Context, catalog: &Catalog) -> Option<Project>;
}

/// Every stack, by name.
pub static STACKS: &[&dyn Stack] = &[
    &node::NodeStack,
    &python::PythonStack,
    &static_site::StaticStack,
];
