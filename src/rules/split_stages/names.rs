//! What the two stages of a split are called.

use crate::rules::programs::anatomy::Anatomy;
use crate::text::Edit;

/// What the two stages are called.
pub(super) struct Names {
    /// The first stage.
    pub(super) build: String,
    /// `AS name` for the second one, where it takes over the name by which a build may ask for the only stage that there
    /// was; empty elsewhere.
    pub(super) runtime: String,
    /// The edit of FROM; none where the first stage keeps its name.
    pub(super) edit: Option<Edit>,
}

/// The name of a stage that has none.
const BUILD: &str = "build";

/// `FROM x` → `FROM x AS build`, in the letter case of FROM. A name that speaks of building stays with what builds,
/// unless a Compose file, a Bake file or `--target` asks for it: then, as with any other name, what ships has it.
pub(super) fn names(anatomy: &Anatomy<'_>) -> Names {
    let ctx = anatomy.ctx;
    let instruction = ctx.model.instruction(anatomy.stage.from);
    let view = instruction
        .as_from()
        .expect("a base that the catalog knows is named by FROM");
    let word = if ctx.dockerfile.bytes(instruction.keyword_span) == b"from" {
        "as"
    } else {
        "AS"
    };
    let Some(alias) = view.alias else {
        let at = view.image.span.end;
        return Names {
            build: BUILD.to_owned(),
            runtime: String::new(),
            edit: Some(Edit::insert(at, format!(" {word} {BUILD}"))),
        };
    };
    let name = String::from_utf8_lossy(&alias.text).into_owned();
    let is_target = ctx
        .settings
        .targets()
        .iter()
        .any(|target| target.eq_ignore_ascii_case(&name));
    if name.to_ascii_lowercase().starts_with(BUILD) && !is_target {
        return Names {
            build: name,
            runtime: String::new(),
            edit: None,
        };
    }
    let build = if name.eq_ignore_ascii_case(BUILD) {
        "build-stage"
    } else {
        BUILD
    };
    Names {
        build: build.to_owned(),
        runtime: format!("{word} {name}"),
        edit: Some(Edit::replace(alias.span, build)),
    }
}
