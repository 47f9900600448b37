//! The command line: arguments, configuration, files, exit codes (floor 7).

mod args;
mod bake;
mod baseline;
mod builds;
mod ci;
mod compose;
mod config;
mod discover;
mod infer;
mod jobs;
mod names;
mod output;
mod parallel;
mod places;
mod pr;
mod progress;
mod session;
pub mod snapshot;
mod surroundings;
mod unit;
mod write;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use crate::report::{self, explain};
use crate::rules::{RULES, RuleMeta};
use args::{CheckArgs, Cli, Command, ExplainArgs, FailOn, FixArgs, SchemaOf};
use output::Output;
use session::{Action, Ending, Session};

/// The rule that `ignore` runs alone.
const WRITE_DOCKERIGNORE: &str = "write-dockerignore";

/// Runs the program with `args`, its own name first, and gives its exit code: 0 nothing to do or done,
/// 1 rewrites available, 2 an error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no errors.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let mut output = Output::new(&cli.voice);
    match command(cli.command, &mut output) {
        Ok(code) => {
            output.flush();
            code
        }
        Err(error) => {
            output.error(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn command(command: Command, output: &mut Output) -> Result<ExitCode> {
    match command {
        Command::Fix(args) => fix(&args, output),
        Command::Ignore(mut args) => {
            args.input.only = vec![WRITE_DOCKERIGNORE.to_owned()];
            fix(&args, output)
        }
        Command::Check(args) => check(&args, output),
        Command::Inspect(args) => {
            let session = Session::new(&args.input, Action::Report, args.format, false)?;
            Ok(code(session.inspect(output)?, false))
        }
        Command::Explain(args) => explain(&args, output),
        Command::Pr(args) => pr::run(&args, output),
        Command::Schema(args) => {
            output.print(match args.of {
                SchemaOf::Config => config::SCHEMA.as_bytes(),
                SchemaOf::Report => report::REPORT_SCHEMA.as_bytes(),
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "docker-diet", &mut text);
            output.print(&text);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            output.print(&text);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn fix(args: &FixArgs, output: &mut Output) -> Result<ExitCode> {
    let action = match (args.diff, args.check) {
        (true, _) => Action::Diff,
        (_, true) => Action::Report,
        (false, false) => Action::Write,
    };
    let ending = Session::new(
        &args.input,
        action,
        args.output.format,
        args.output.statistics,
    )?
    .run(output)?;
    Ok(code(ending, args.check))
}

fn check(args: &CheckArgs, output: &mut Output) -> Result<ExitCode> {
    let session = Session::new(
        &args.input,
        Action::Report,
        args.output.format,
        args.output.statistics,
    )?;
    let ending = session.run(output)?;
    Ok(code(ending, args.fail_on == FailOn::Rewrites))
}

fn code(ending: Ending, rewrites_fail: bool) -> ExitCode {
    ExitCode::from(match ending {
        Ending { errors: true, .. } => 2,
        Ending { rewrites: true, .. } if rewrites_fail => 1,
        _ => 0,
    })
}

fn explain(args: &ExplainArgs, output: &mut Output) -> Result<ExitCode> {
    if args.markdown {
        output.print(explain::rule_table().as_bytes());
        return Ok(ExitCode::SUCCESS);
    }
    let paint = output.view().paint;
    let mut text = Vec::new();
    match &args.rule {
        Some(name) => explain::rule(&mut text, names::rule(name)?, paint),
        None => {
            let rules: Vec<&'static RuleMeta> = RULES.iter().map(|rule| rule.meta()).collect();
            explain::list(&mut text, &rules, paint);
        }
    }
    output.print(&text);
    Ok(ExitCode::SUCCESS)
}
