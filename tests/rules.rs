//! One folder a rule and case below `tests/fixtures`: what a run makes of it is kept in `snapshots/<rule>/<case>.snap`.
//!
//! Beside `Dockerfile` a case may hold `context/`, which becomes the build context, and `settings.yaml`
//! (`level`, `no_context`, `target`, `usage`, `rules`). A case named `unchanged-…` must stay as it is.
//! `INSTA_UPDATE=always cargo test --test rules <rule>/<case>` writes the snapshots anew.

#[path = "support/case.rs"]
mod case;
#[path = "support/invariants.rs"]
mod invariants;
#[path = "support/picture.rs"]
mod picture;
#[path = "support/settings.rs"]
mod settings;

use std::path::Path;

use docker_diet::catalog::Catalog;
use docker_diet::pipeline::plan;

use case::Case;

datatest_stable::harness! {
    { test = fixture, root = "tests/fixtures", pattern = r"^[^/]+/[^/]+/Dockerfile$" },
}

fn fixture(dockerfile: &Path) -> datatest_stable::Result<()> {
    let case = Case::read(dockerfile);
    let catalog = Catalog::default();
    let context = case.context.as_ref();
    let made = plan(&case.source, context, &catalog, &case.settings, None);

    let broken = invariants::violations(&case.source, &made, context, &catalog, &case.settings);
    assert!(broken.is_empty(), "{broken:#?}");
    let must_stay = case.name.starts_with("unchanged-");
    assert_eq!(
        must_stay,
        !made.changes_anything(),
        "a case is named `unchanged-…` if and only if nothing changes: {}",
        picture::picture(&case.source, &made)
    );

    let mut snapshots = insta::Settings::clone_current();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("snapshots")
        .join(&case.rule);
    snapshots.set_snapshot_path(folder);
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    snapshots.bind(|| {
        insta::assert_snapshot!(case.name.as_str(), picture::picture(&case.source, &made));
    });
    Ok(())
}
