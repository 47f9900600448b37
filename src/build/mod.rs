//! Builders, containers and probes (floor 6): an image is built, started, asked, stopped and removed.
//!
//! [`Builder`] is the engine's command line; what it makes ([`BuiltImage`], [`Container`]) is removed when it is
//! dropped. Every call ends in bounded time and keeps a bounded part of what the program says. The user's tree is
//! never written to: [`Scratch`] holds the rewritten Dockerfile, or a copy of the context in which a source is edited.

mod builder;
mod container;
pub mod contents;
mod error;
mod image;
mod probe;
mod process;
mod scratch;
pub mod verify;

pub use builder::{Builder, BuiltImage, Kind, Request};
pub use container::{Container, Network, Start, State, Stopped};
pub use error::BuildError;
pub use image::{Image, ImageConfig};
pub use probe::{Answer, Method, Query, Reply};
pub use process::{Stop, Tail};
pub use scratch::Scratch;
