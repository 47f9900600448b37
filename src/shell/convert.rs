use super::{Dialect, Script, Unparsed};
use crate::syntax::Logical;

pub(super) fn parse(_text: &Logical, _dialect: Dialect) -> Result<Script, Unparsed> {
    todo!()
}
