//! What the project is, how it is built, what it needs when it runs (floor 3): one file per stack.
//!
//! Detection reads manifests and lock files through the [`Context`]; it runs nothing. A malformed manifest
//! is a finding of the project, not a failure.

pub mod c;
pub mod commands;
pub mod dotnet;
pub mod go;
pub mod java;
pub mod node;
pub mod others;
pub mod php;
pub mod python;
pub mod ruby;
pub mod rust;
pub mod static_site;
pub mod usage;
pub mod writing;

mod lexer;
pub(crate) mod paths;
mod uses;
mod xml;

pub use paths::Bounds;
pub use uses::{PathKind, PathUse, Uses};

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
    /// Nothing beyond the common fields.
    None,
    /// A Go module or workspace.
    Go(Box<go::Go>),
    /// A Cargo package or workspace.
    Rust(Box<rust::Rust>),
    /// A Maven project.
    Maven(Box<java::Maven>),
    /// A Gradle project.
    Gradle(Box<java::Gradle>),
    /// C or C++ with make, CMake or Meson.
    C(Box<c::CProject>),
    /// Bundler.
    Ruby(Box<ruby::Ruby>),
    /// Composer, or plain PHP files.
    Php(Box<php::Php>),
    /// .NET projects.
    DotNet(Box<dotnet::DotNet>),
    /// A stack that is recognised by name.
    Other(Box<others::Other>),
    /// Node.
    Node(Box<node::Node>),
    /// Python.
    Python(Box<python::Python>),
    /// Files that a web server serves.
    StaticSite(static_site::StaticSite),
}

impl Project {
    /// A project of which nothing is known yet but its folder and package manager.
    fn empty(root: &str, package_manager: &str) -> Self {
        Self {
            root: root.to_owned(),
            language_version: None,
            package_manager: Some(package_manager.to_owned()),
            manifests: Vec::new(),
            locks: Vec::new(),
            ports: Vec::new(),
            evidence: Vec::new(),
            findings: Vec::new(),
            details: Details::None,
        }
    }

    /// Adds a fact and where it was seen.
    fn show(&mut self, fact: impl Into<String>, source: impl Into<String>) {
        let (fact, source) = (fact.into(), source.into());
        self.evidence.push(Evidence { fact, source });
    }

    /// Adds what is malformed or contradictory.
    fn finding(&mut self, fact: impl Into<String>, source: impl Into<String>) {
        let (fact, source) = (fact.into(), source.into());
        self.findings.push(Evidence { fact, source });
    }
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
    &c::CStack,
    &dotnet::DotNetStack,
    &go::GoStack,
    &java::GradleStack,
    &java::MavenStack,
    &node::NodeStack,
    &others::OtherStack,
    &php::PhpStack,
    &python::PythonStack,
    &ruby::RubyStack,
    &rust::RustStack,
    &static_site::StaticStack,
];
