//! Builds every sample as it is and as `docker-diet fix` leaves it, asks both the same, and prints what was won.
//!
//! `cargo run --release --example images -- [NAME…] [--ci] [--after] [--table]`
//!
//! Without names all samples are built, with `--ci` those that say so. What was measured is kept in `target/images/`:
//! `--after` builds only the results anew, `--table` prints and builds nothing. Exits 1 when a sample does not build, does not answer as expected or misses
//! what its `expect.yaml` asks, 2 when no engine answers.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that prints what it finds"
)]

#[path = "../tests/support/expect.rs"]
mod expect;
#[path = "images/measured.rs"]
mod measured;
#[path = "images/table.rs"]
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use docker_diet::build::{BuildError, Builder, Scratch, observe};
use docker_diet::catalog::Catalog;
use docker_diet::cli;
use docker_diet::model::Model;
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

/// Builds both images of the sample in `folder`, or only the result where the original is `known`.
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
    let fixed = after.join("Dockerfile");
    let words = ["docker-diet", "fix", "--isolated", "--quiet", "--level"];
    let mut words: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
    words.push(expect.level.clone().into());
    words.push(fixed.clone().into());
    // Its only failures are files that cannot be read or written, and then the image shows it.
    let _ = cli::run(words);
    let side = |context: PathBuf| -> Result<Side, BuildError> {
        let dockerfile = context.join("Dockerfile");
        match observe(builder, &expect.subject(context, dockerfile)) {
            Ok(observed) => Ok(Side::of(&observed, expect.objection(&observed.outcome))),
            Err(error @ (BuildError::Failed { .. } | BuildError::TimedOut { .. })) => {
                Ok(Side::failed(&error))
            }
            Err(error) => Err(error),
        }
    };
    let base = runtime_base(&fixed).and_then(|base| builder.image(&base).ok());
    Ok(Measured {
        before: match (expect.builds, known) {
            (Builds::Both, None) => Some(side(before)?),
            (Builds::Both, known) => known,
            (Builds::Result | Builds::Neither, _) => None,
        },
        after: Some(side(after)?),
        base: base.map(|image| image.size),
    })
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
