mod anatomy;
mod runtime;

pub(crate) use anatomy::{Anatomy, CopyPart, Part, RunPart, Step};
pub(crate) use runtime::{Runtime, Why, assemble};
