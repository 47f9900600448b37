//! The docker-diet program.

use std::process::ExitCode;

/// A run is mostly small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    docker_diet::cli::run(std::env::args_os())
}
