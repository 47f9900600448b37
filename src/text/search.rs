//! Texts in texts.

use memchr::memmem;

/// Where `part` first stands in `text`; at 0 when it is empty.
#[must_use]
pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memmem::find(text, part)
}

/// Whether `part` stands somewhere in `text`.
#[must_use]
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}
