//! The docker-diet program.

use std::process::ExitCode;

fn main() -> ExitCode {
    docker_diet::cli::run(std::env::args_os())
}
