//! What `docker-diet fix` makes of every folder of `samples/`, kept in `snapshots/samples/<sample>.snap`: the diff, the
//! rewrites, the refusals. No engine is needed; `examples/images.rs` builds the same samples.
//!
//! `INSTA_UPDATE=always cargo test --test samples <sample>` writes the snapshots anew.

#[path = "support/expect.rs"]
#[expect(dead_code, reason = "what only the image test asks for")]
mod expect;
#[path = "support/invariants.rs"]
mod invariants;
#[path = "support/picture.rs"]
mod picture;

use std::fs;
use std::path::Path;
use std::process::Command;

use docker_diet::build::Scratch;
use docker_diet::catalog::Catalog;
use docker_diet::cli::snapshot::snapshot;
use docker_diet::pipeline::{Plan, plan};

use expect::{Builds, Expect};

datatest_stable::harness! {
    { test = sample, root = "samples", pattern = r"^[^/]+/expect\.yaml$" },
}

fn sample(expect: &Path) -> datatest_stable::Result<()> {
    let folder = expect.parent().expect("it stands in a folder");
    let name = folder.file_name().expect("a sample's folder has a name");
    let name = name.to_string_lossy().into_owned();
    let expect = Expect::read(folder);
    let scratch = Scratch::new()?;
    let copy = expect::context(&scratch, folder, "context")?;
    let dockerfile = copy.join("Dockerfile");
    let source = fs::read(&dockerfile)?;
    let context = snapshot(&copy, &dockerfile)?;
    let catalog = Catalog::default();
    let settings = expect.settings();
    let made = plan(&source, Some(&context), &catalog, &settings, None);

    let broken = invariants::violations(&source, &made, Some(&context), &catalog, &settings);
    assert!(broken.is_empty(), "{broken:#?}");
    if let Some(reason) = &expect.refused {
        let mut refusals = made.refusals.iter();
        let found = refusals.any(|refusal| refusal.reason.contains(reason.as_str()));
        assert!(found, "no refusal says {reason:?}: {:#?}", made.refusals);
    }
    assert!(
        !expect.unchanged || made.result == source,
        "the Dockerfile stays: {}",
        picture::picture(&source, &made)
    );
    if expect.builds != Builds::Neither {
        assert!(
            expect
                .edit
                .as_ref()
                .is_none_or(|file| folder.join(file).is_file()),
            "the edited file exists"
        );
    }
    same_as_the_program(&copy, &expect.level, &made)?;

    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/samples"));
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    snapshots.bind(|| insta::assert_snapshot!(name, picture::picture(&source, &made)));
    Ok(())
}

/// `fix` on the copy of a sample writes what the plan says, and a second `fix` finds nothing to do.
fn same_as_the_program(copy: &Path, level: &str, made: &Plan) -> datatest_stable::Result<()> {
    let fix = |flag: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_docker-diet"))
            .args(["fix", "--isolated", "--level", level])
            .args(flag)
            .arg(copy.join("Dockerfile"))
            .output()
    };
    let output = fix(&[])?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&fs::read(copy.join("Dockerfile"))?),
        String::from_utf8_lossy(&made.result)
    );
    if let Some(ignore) = &made.ignore_file {
        assert_eq!(fs::read(copy.join(&ignore.path))?, ignore.after);
    }
    let again = fix(&["--check"])?;
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    Ok(())
}
