//! Variables as BuildKit expands them.

use std::collections::BTreeMap;

/// Names and values in effect.
pub type Variables = BTreeMap<String, String>;

/// BuildKit refuses the expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpandError(
    /// BuildKit's words.
    pub String,
);

/// The value of `word` as BuildKit computes it.
///
/// # Errors
/// For an expression that BuildKit refuses, `${v:?message}` of an unset variable among them.
pub fn expand(_word: &[u8], _variables: &Variables, _escape: u8) -> Result<String, ExpandError> {
    todo!()
}

/// Names of the variables that `word` refers to.
#[must_use]
pub fn references(_word: &[u8], _escape: u8) -> Vec<String> {
    todo!()
}
