//! What is known about images, packages, commands and stacks (floor 1).

/// The embedded catalog, overlaid by the user's configuration.
#[derive(Clone, Debug, Default)]
pub struct Catalog {}
