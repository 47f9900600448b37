//! What people and programs are told (floor 6): text, diff, JSON, SARIF, annotations, the comment of a pull request,
//! tables of rules, what was understood.
//!
//! Everything here renders into a `Vec<u8>`; who prints it where is the business of the command line.

pub mod comment;
pub mod diff;
pub mod explain;
pub mod github;
pub mod gitlab;
pub mod inspect;
pub mod json;
mod located;
mod markdown;
pub(crate) mod paint;
mod printable;
pub mod sarif;
pub(crate) mod size;
pub mod text;
mod totals;

pub use explain::rule_table;
pub use inspect::Understanding;
pub use located::Located;
pub use paint::Paint;
pub use printable::printable;
pub use size::bytes;
pub use totals::{Tally, Totals};

use std::path::Path;

use crate::pipeline::Plan;

/// The JSON Schema of `--format json`.
pub const REPORT_SCHEMA: &str = include_str!("plan.schema.json");

/// One Dockerfile and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct FileReport<'a> {
    /// The Dockerfile as it is named in reports.
    pub path: &'a Path,
    /// What was found out.
    pub plan: &'a Plan,
    /// Why nothing was planned or written, if so: the plan is empty then or was not carried out.
    pub error: Option<&'a str>,
}

/// In which words the rewrites are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    /// They have been made.
    Done,
    /// They could be made.
    Possible,
}
