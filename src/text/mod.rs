//! Byte ranges, edits and their application, line index (floor 0).

mod edit;
mod hash;
mod line_index;
mod search;
mod span;

pub use edit::{Composition, Edit, EditConflict, Hunk, apply};
pub(crate) use hash::Fnv1a;
pub use hash::fnv1a;
pub use line_index::LineIndex;
pub use search::{contains, find};
pub use span::Span;
