use std::collections::BTreeSet;

use super::{Plan, RewriteId};
use crate::catalog::Catalog;
use crate::context::Context;
use crate::rules::Settings;

/// What to change in the Dockerfile `source`, and what not and why.
#[must_use]
pub fn plan(
    source: &[u8],
    _context: Option<&Context>,
    _catalog: &Catalog,
    _settings: &Settings,
    _allow: Option<&BTreeSet<RewriteId>>,
) -> Plan {
    Plan {
        result: source.to_vec(),
        ..Plan::default()
    }
}
