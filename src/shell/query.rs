//! Questions that rules ask of a script: which commands run, and where in it.

use super::{Script, Simple};

/// Where in the script a simple command stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// In the top-level list, joined only by `&&`, `;` or line ends: it always runs when what precedes it succeeds.
    pub unconditional: bool,
    /// Reached through `||` on either side, `if`, `case`, a loop or a function body.
    pub conditional: bool,
    /// In a loop body.
    pub in_loop: bool,
    /// In `( … )`.
    pub in_subshell: bool,
    /// In `{ … }`.
    pub in_group: bool,
    /// Part of a pipeline.
    pub in_pipe: bool,
    /// In a function body.
    pub in_function: bool,
    /// In `$( … )` or backquotes.
    pub in_substitution: bool,
    /// Ended by `&`.
    pub background: bool,
}

/// A simple command and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// The command.
    pub simple: &'a Simple,
    /// Where.
    pub position: Position,
}

impl Script {
    /// Every simple command, in the order in which they are written, those in substitutions after their command.
    #[must_use]
    pub fn invocations(&self) -> Vec<Invocation<'_>> {
        todo!()
    }
}
