//! Order, application, contract check, the plan (floor 5).

mod identity;
mod plan;
mod run;

pub use identity::RewriteId;
pub use plan::{IgnoreFile, Plan, PlannedFinding, PlannedRefusal, PlannedRewrite};
pub use run::plan;
