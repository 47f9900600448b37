//! `.dockerignore`, matched as Docker does it.

/// A pattern that Docker refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PatternError {
    /// Counted from 1.
    pub line: usize,
    /// Docker's words.
    pub message: String,
}

/// The patterns of a `.dockerignore` file.
#[derive(Clone, Debug, Default)]
pub struct Dockerignore {}

impl Dockerignore {
    /// Whether Docker leaves `path` (relative, parts joined by `/`) out of the context.
    #[must_use]
    pub fn ignores(&self, _path: &str) -> bool {
        todo!()
    }
}
