//! The command line: arguments, configuration, files, exit codes (floor 7).

mod args;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Runs the program with `args`, its own name first, and gives its exit code: 0 nothing to do or done,
/// 1 rewrites available, 2 an error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let _cli = args::Cli::parse_from(args);
    ExitCode::SUCCESS
}
