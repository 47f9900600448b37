use std::sync::Arc;

use super::Dockerfile;

pub(super) fn parse(_source: Arc<[u8]>) -> Dockerfile {
    todo!()
}
