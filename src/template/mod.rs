//! Text that did not exist before (floor 3): Tera templates of the folder `templates`, compiled in.
//!
//! Their marks are `@{ value }@`, `@% block %@` and `@# remark #@`: shell and Go templates are full of the usual ones.

use std::sync::LazyLock;

use serde::Serialize;
use tera::{Context, Delimiters, Tera};

/// A template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// What makes a virtual environment in the build stage of a Python application.
    BuildPython,
    /// The text of a pull request of the bot.
    PullRequest,
    /// The stage that ships a Node application.
    StageNode,
    /// The stage that ships a compiled program.
    StageProgram,
    /// The stage that ships a Python application.
    StagePython,
}

impl Template {
    fn name(self) -> &'static str {
        match self {
            Template::BuildPython => "build-python.tera",
            Template::PullRequest => "pull-request.md",
            Template::StageNode => "stage-node.tera",
            Template::StageProgram => "stage-program.tera",
            Template::StagePython => "stage-python.tera",
        }
    }
}

macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),*]
    };
}

/// Every template and its text, those that others include first.
const TEMPLATES: [(&str, &str); 7] = texts![
    "copies.tera",
    "install.tera",
    "build-python.tera",
    "pull-request.md",
    "stage-node.tera",
    "stage-program.tera",
    "stage-python.tera",
];

/// The template cannot be rendered with these values.
#[derive(Debug, thiserror::Error)]
#[error("the template {name}: {message}")]
pub struct TemplateError {
    name: &'static str,
    message: String,
}

/// Renders `template` with the fields of `values`. Nothing is escaped: who gives text from outside escapes it for where
/// it goes.
///
/// # Errors
/// When the template asks for a value that is not there.
pub fn render(template: Template, values: &impl Serialize) -> Result<String, TemplateError> {
    let failed = |error: tera::Error| TemplateError {
        name: template.name(),
        message: error.to_string(),
    };
    let context = Context::from_serialize(values).map_err(failed)?;
    let engine = ENGINE.as_ref().map_err(|message| TemplateError {
        name: template.name(),
        message: message.clone(),
    })?;
    engine.render(template.name(), &context).map_err(failed)
}

static ENGINE: LazyLock<Result<Tera, String>> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.autoescape_on(Vec::<&str>::new());
    tera.set_delimiters(Delimiters {
        block_start: "@%".into(),
        block_end: "%@".into(),
        variable_start: "@{".into(),
        variable_end: "}@".into(),
        comment_start: "@#".into(),
        comment_end: "#@".into(),
    })
    .and_then(|()| tera.add_raw_templates(TEMPLATES))
    .map_err(|error| error.to_string())?;
    Ok(tera)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_templates_are_read() {
        assert!(ENGINE.is_ok(), "{:?}", ENGINE.as_ref().err());
    }
}
