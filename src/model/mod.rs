//! What a Dockerfile means (floor 2): stages, inherited state, package operations, file effects.

use crate::syntax::Dockerfile;

/// The meaning of one Dockerfile.
#[derive(Debug)]
pub struct Model<'a> {
    /// The tree it was made from.
    pub dockerfile: &'a Dockerfile,
}
