//! Builds every sample as it is and as `docker-diet fix` leaves it, asks both the same, and prints what was won.
//!
//! `cargo run --release --example images -- [NAME…] [--ci] [--after] [--table] [--bases]`
//!
//! Without names all samples are built, with `--ci` those that say so. What was measured is kept in `target/images/`:
//! `--after` builds only the results anew, `--table` prints and builds nothing. `--bases` lists the images that
//! originals and results stand on, for an engine that has to be given them first. Exits 1 when a sample does not build, does not answer as expected or misses
//! what its `expect.yaml` asks, 2 when no engine answers.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that prints what it finds"
)]

#[path = "../tests/support/expect.rs"]
#[expect(dead_code, reason = "what only the test without an engine asks for")]
mod expect;
#[path = "images/measured.rs"]
mod measured;
#[path = "images/table.rs"]
mod table;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use docker_diet::build::verify::{self, Examined, Promise, compare, examine};
use docker_diet::build::{BuildError, Builder, Scratch};
use docker_diet::catalog::Catalog;
use docker_diet::cli;
use docker_diet::model::{Base, Model};
use docker_diet::syntax::Dockerfile;

use expect::{Builds, Expect};
use measured::{Measured, Side};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let named: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let store = root.join("target/images");
    let mut samples: Vec<(String, Expect)> = names(&root.join("samples"))
        .into_iter()
        .map(|name| {
            let expect = Expect::read(&root.join("samples").join(&name));
            (name, expect)
        })
        .collect();
    if let Some(unknown) = named
        .iter()
        .find(|name| !samples.iter().any(|(known, _)| known == **name))
    {
        eprintln!("images: there is no sample `{unknown}`");
        return ExitCode::from(2);
    }
    samples.retain(|(name, expect)| {
        (named.is_empty() || named.contains(&name)) && (expect.ci || !flag("--ci"))
    });
    if flag("--bases") {
        return match bases(&samples, root) {
            Ok(bases) => {
                bases.iter().for_each(|base| println!("{base}"));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("images: {error}");
                ExitCode::from(2)
            }
        };
    }
    if !flag("--table")
        && let Err(error) = measure_all(&samples, root, &store, flag("--after"))
    {
        eprintln!("images: {error}");
        return ExitCode::from(2);
    }
    let rows: Vec<(String, Expect, Measured)> = samples
        .into_iter()
        .filter_map(|(name, expect)| {
            let measured = Measured::load(&store, &name)?;
            Some((name, expect, measured))
        })
        .collect();
    print!("{}", table::table(&rows));
    let failures = table::failures(&rows);
    for failure in &failures {
        eprintln!("images: {failure}");
    }
    ExitCode::from(u8::from(!failures.is_empty()))
}

fn measure_all(
    samples: &[(String, Expect)],
    root: &Path,
    store: &Path,
    keep_before: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let builder = Builder::find()?;
    fs::create_dir_all(store)?;
    for (index, (name, expect)) in samples.iter().enumerate() {
        if expect.builds == Builds::Neither {
            continue;
        }
        eprintln!("images: {name} ({} of {})", index + 1, samples.len());
        let known = Measured::load(store, name).filter(|_| keep_before);
        let known = known.and_then(|known| known.before);
        let measured = measure(&builder, &root.join("samples").join(name), expect, known)?;
        for side in [&measured.before, &measured.after].into_iter().flatten() {
            eprintln!("images: {name}: {side}");
        }
        measured.save(store, name)?;
    }
    Ok(())
}

/// Builds both images of the sample in `folder`, or only the result where the original is `known`, and compares them as
/// `docker-diet verify` does.
///
/// # Errors
/// When the engine goes away or nothing can be written; a failed build is a part of what was measured.
fn measure(
    builder: &Builder,
    folder: &Path,
    expect: &Expect,
    known: Option<Side>,
) -> Result<Measured, BuildError> {
    let scratch = Scratch::new()?;
    let before = expect::context(&scratch, folder, "before")?;
    let after = expect::context(&scratch, folder, "after")?;
    let original = fs::read(before.join("Dockerfile")).unwrap_or_default();
    let fixed = after.join("Dockerfile");
    let promise = promise(&before, expect);
    fix(&fixed, &expect.level);
    let side = |context: PathBuf, like: Option<&Examined>| {
        let dockerfile = context.join("Dockerfile");
        let subject = expect.subject(context, dockerfile);
        match examine(builder, &subject, like, false, &mut |_| {}) {
            Ok(seen) => {
                let objection = seen.ran.as_ref().and_then(|ran| expect.objection(ran));
                Ok((Side::of(&seen, objection), Some(seen)))
            }
            Err(error @ BuildError::Failed { .. }) => {
                eprintln!("{error}");
                Ok((Side::failed(&error), None))
            }
            Err(error @ BuildError::TimedOut { .. }) => Ok((Side::failed(&error), None)),
            Err(error) => Err(error),
        }
    };
    let base = runtime_base(&fixed).and_then(|base| builder.image(&base).ok());
    let (first, original_seen) = match (expect.builds, known) {
        (Builds::Both, None) => side(before, None).map(|(side, seen)| (Some(side), seen))?,
        (Builds::Both, known) => (known, None),
        (Builds::Result | Builds::Neither, _) => (None, None),
    };
    let (second, result_seen) = side(after, original_seen.as_ref())?;
    let unchanged = fs::read(&fixed).is_ok_and(|text| text == original);
    let comparison = match (&original_seen, &result_seen) {
        (Some(before), Some(after)) if !unchanged => compare(before, after, &promise),
        _ => verify::Comparison::default(),
    };
    Ok(Measured {
        before: first,
        after: Some(second),
        base: base.map(|image| image.size),
        faults: comparison.faults.iter().map(ToString::to_string).collect(),
    })
}

/// What the rewrite of the sample in `context` declares to change.
fn promise(context: &Path, expect: &Expect) -> Promise {
    let dockerfile = context.join("Dockerfile");
    let source = fs::read(&dockerfile).unwrap_or_default();
    let files = cli::snapshot::snapshot(context, &dockerfile).ok();
    let catalog = Catalog::default();
    let settings = expect.settings();
    let plan = docker_diet::pipeline::plan(&source, files.as_ref(), &catalog, &settings, None);
    let (before, after) = (
        Dockerfile::parse(source),
        Dockerfile::parse(plan.result.clone()),
    );
    let (before, after) = (
        Model::new(&before, &catalog, &[]),
        Model::new(&after, &catalog, &[]),
    );
    Promise::of(&plan, &before, &after, None)
}

/// What `docker-diet fix` does to the Dockerfile at `path`. Its only failures are files that cannot be read or written,
/// and then the image shows it.
fn fix(path: &Path, level: &str) {
    let words = [
        "docker-diet",
        "fix",
        "--isolated",
        "--quiet",
        "--level",
        level,
    ];
    let words = words.iter().map(OsString::from);
    let _ = cli::run(words.chain([path.into()]));
}

/// The images that the Dockerfiles of `samples` start from, before and after.
fn bases(samples: &[(String, Expect)], root: &Path) -> Result<BTreeSet<String>, BuildError> {
    let scratch = Scratch::new()?;
    let catalog = Catalog::default();
    let mut found = BTreeSet::new();
    for (name, expect) in samples {
        if expect.builds == Builds::Neither {
            continue;
        }
        let context = expect::context(&scratch, &root.join("samples").join(name), name)?;
        let dockerfile = context.join("Dockerfile");
        for fixed in [false, true] {
            if fixed {
                fix(&dockerfile, &expect.level);
            } else if expect.builds == Builds::Result {
                continue;
            }
            let Ok(text) = fs::read(&dockerfile) else {
                continue;
            };
            let tree = Dockerfile::parse(text);
            let model = Model::new(&tree, &catalog, &[]);
            found.extend(model.stages.iter().filter_map(|stage| match &stage.base {
                Base::Image { reference, .. } => Some(reference.clone()),
                _ => None,
            }));
        }
    }
    Ok(found)
}

/// The image on which the final stage of the Dockerfile at `path` stands.
fn runtime_base(path: &Path) -> Option<String> {
    let tree = Dockerfile::parse(fs::read(path).ok()?);
    let catalog = Catalog::default();
    let model = Model::new(&tree, &catalog, &[]);
    let last = model.final_stage()?.index;
    Some(model.base_reference(last)?.text.to_owned())
}

fn names(samples: &Path) -> Vec<String> {
    let entries = fs::read_dir(samples).expect("the samples are part of the repository");
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("expect.yaml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
