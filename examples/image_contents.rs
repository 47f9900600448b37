//! Reads an image's archive from standard input as `verify` does, resolves every shared library, and says what that cost.
//!
//! `docker image save IMAGE > image.tar; cargo run --release --example image_contents < image.tar`; with `--compressed`
//! what its layers weigh in a registry too. The seconds are beyond the engine's own `save` when the archive is a file.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that prints what it finds"
)]

use std::process::ExitCode;
use std::time::Instant;

use docker_diet::build::contents::{Contents, Loader};

fn main() -> ExitCode {
    let measure = std::env::args().any(|argument| argument == "--compressed");
    let started = Instant::now();
    let contents = match Contents::read(std::io::stdin().lock(), measure) {
        Ok(contents) => contents,
        Err(error) => {
            eprintln!("image_contents: {error}");
            return ExitCode::from(2);
        }
    };
    let read = started.elapsed();
    let missing = Loader::new(&contents).missing();
    let whole = started.elapsed();
    println!(
        "{} MB in {} layers, {} files: read in {:.1} s, libraries in {:.1} s, at most {} MB of memory",
        contents.size() / 1_000_000,
        contents.layers.len(),
        contents.tree.all().count(),
        read.as_secs_f64(),
        (whole - read).as_secs_f64(),
        peak_megabytes().map_or_else(|| "unknown".to_owned(), |peak| peak.to_string()),
    );
    if let Some(compressed) = contents.compressed() {
        println!("{} MB in a registry", compressed / 1_000_000);
    }
    for it in missing {
        println!("missing: {} needs {}", it.file, it.library);
    }
    ExitCode::SUCCESS
}

/// The most memory that this process has used, as Linux counts it.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1000)
}
