//! The command line: arguments, configuration, files, exit codes (floor 7).

mod args;
mod bake;
mod baseline;
mod builds;
mod changed;
mod ci;
mod compose;
mod config;
mod discover;
mod git;
mod infer;
mod jobs;
mod names;
mod output;
mod parallel;
mod places;
mod plugin;
mod pr;
mod progress;
mod rendering;
mod session;
pub mod snapshot;
mod surroundings;
mod unit;
mod verify;
mod walk;
mod write;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches};

use crate::report::{self, explain};
use crate::rules::{RULES, RuleMeta};
use args::{CheckArgs, Cli, Command, ExplainArgs, FailOn, FixArgs, SchemaOf};
use output::Output;
use plugin::Call;
use rendering::Style;
use session::{Action, Ending, Session};

/// The rule that `ignore` runs alone.
const WRITE_DOCKERIGNORE: &str = "write-dockerignore";

/// Runs the program with `args`, its own name first, and gives its exit code: 0 nothing to do or done,
/// 1 rewrites available, 2 an error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (call, args) = match plugin::call(args) {
        Call::Program(args) => (Cli::command(), args),
        Call::Plugin(args) => (Cli::command().bin_name("docker diet"), args),
        Call::Metadata => {
            let mut output = Output::new(&args::Voice::default());
            output.print(plugin::metadata().as_bytes());
            output.flush();
            return ExitCode::SUCCESS;
        }
    };
    let parsed = call.try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
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
        Command::Fix(args) if args.verify => verify::fix(&args, output),
        Command::Fix(args) => fix(&args, output),
        Command::Verify(args) => verify::verify(&args, output),
        Command::Ignore(mut args) => {
            anyhow::ensure!(!args.verify, "`ignore` builds nothing; use `fix --verify`");
            args.input.judgement.only = vec![WRITE_DOCKERIGNORE.to_owned()];
            fix(&args, output)
        }
        Command::Check(args) => check(&args, output),
        Command::Inspect(args) => {
            let style = Style {
                format: args.format.into(),
                action: Action::Report,
                statistics: false,
            };
            let session = Session::new(&args.input, style)?;
            Ok(code(session.inspect(output)?, FailOn::None))
        }
        Command::Explain(args) => explain(&args, output),
        Command::Pr(args) => pr::run(&args, output),
        Command::Schema(args) => {
            output.print(match args.of {
                SchemaOf::Config => config::SCHEMA.as_bytes(),
                SchemaOf::Report => report::REPORT_SCHEMA.as_bytes(),
                SchemaOf::Verify => verify::SCHEMA.as_bytes(),
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
    let style = Style {
        format: args.output.format,
        action,
        statistics: args.output.statistics,
    };
    let ending = Session::new(&args.input, style)?.run(output)?;
    let usual = if args.check {
        FailOn::Rewrites
    } else {
        FailOn::None
    };
    Ok(code(ending, args.fail_on.unwrap_or(usual)))
}

fn check(args: &CheckArgs, output: &mut Output) -> Result<ExitCode> {
    let style = Style {
        format: args.output.format,
        action: Action::Report,
        statistics: args.output.statistics,
    };
    let ending = Session::new(&args.input, style)?.run(output)?;
    Ok(code(ending, args.fail_on))
}

fn code(ending: Ending, fail_on: FailOn) -> ExitCode {
    ExitCode::from(match ending {
        Ending { errors: true, .. } => 2,
        Ending { rewrites, .. } if rewrites.is_some_and(|level| fail_on.fails(level)) => 1,
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
