//! Stacks that are recognised and not split: refused by name.

use crate::catalog::Variant;
use crate::model::Base;

use super::Splitter;
use super::runtime::Runtime;
use crate::rules::programs::Why;
use crate::rules::programs::anatomy::Anatomy;
use crate::rules::programs::trace::calls;

/// Answers for the build tools of the catalog whose programs are not split, once no other stack has.
pub(super) struct Unsupported;

impl Splitter for Unsupported {
    fn plan(&self, anatomy: &Anatomy<'_>) -> Option<Result<Runtime, Why>> {
        let Base::Image { facts, .. } = &anatomy.stage.base else {
            return None;
        };
        // A slim or Alpine image was chosen with care: nothing is to be won that would be worth a word.
        if facts
            .as_ref()
            .is_some_and(|facts| facts.variant != Variant::Full)
        {
            return None;
        }
        calls(anatomy).iter().find_map(|call| {
            let verb = call.operands().next().unwrap_or_default();
            let tool = anatomy.ctx.catalog.unsplit_tool(call.name())?;
            if !tool.verbs.is_empty() && !tool.verbs.iter().any(|known| **known == *verb) {
                return None;
            }
            let line = anatomy.line(call.index);
            Some(Err(Why::new(
                call.index,
                format!(
                    "line {line} builds with `{}`, and {} is not split yet",
                    tool.name, tool.stack
                ),
                tool.remedy.get(),
            )))
        })
    }
}
