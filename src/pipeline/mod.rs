//! Order, application, contract check, the plan (floor 5).

mod component;
mod contract;
mod identity;
mod ignore_file;
mod plan;
mod run;

pub use component::Component;
pub use contract::{Contract, Violation};
pub use identity::RewriteId;
pub use plan::{IgnoreFile, Plan, PlannedFinding, PlannedRefusal, PlannedRewrite};
pub use run::plan;
