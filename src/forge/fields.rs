//! Fields of answers.

use serde_json::Value;

use super::client::ApiError;

/// An object of an answer.
pub(super) struct Fields<'a> {
    pub(super) value: &'a Value,
    /// How errors name the request.
    pub(super) call: &'a str,
}

impl Fields<'_> {
    /// The text at a pointer, `/head/ref`.
    pub(super) fn text(&self, pointer: &str) -> Result<&str, ApiError> {
        let found = self.value.pointer(pointer).and_then(Value::as_str);
        found.ok_or_else(|| self.missing(pointer))
    }

    /// The text at a pointer, empty where there is none.
    pub(super) fn text_or_empty(&self, pointer: &str) -> &str {
        let found = self.value.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    }

    /// The number at a pointer.
    pub(super) fn number(&self, pointer: &str) -> Result<u64, ApiError> {
        let found = self.value.pointer(pointer).and_then(Value::as_u64);
        found.ok_or_else(|| self.missing(pointer))
    }

    /// Whether true stands at a pointer.
    pub(super) fn is_true(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).and_then(Value::as_bool) == Some(true)
    }

    /// Whether something stands at a pointer.
    pub(super) fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(|it| !it.is_null())
    }

    pub(super) fn missing(&self, pointer: &str) -> ApiError {
        ApiError::Strange {
            call: self.call.to_owned(),
            message: format!("it has no `{}`", pointer.trim_start_matches('/')),
        }
    }
}
