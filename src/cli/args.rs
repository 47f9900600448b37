//! The command line.

use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

use super::pr::PrArgs;
use crate::rules;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new().dimmed());

/// Rewrites Dockerfiles into lean ones, and breaks none.
#[derive(Debug, Parser)]
#[command(name = "docker-diet", version, styles = STYLES, max_term_width = 100, propagate_version = true)]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// How to speak.
    #[command(flatten)]
    pub(super) voice: Voice,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Rewrite Dockerfiles in place
    Fix(FixArgs),
    /// Report what could be leaner, and by how much
    Check(CheckArgs),
    /// Explain a rewrite, or list them all
    Explain(ExplainArgs),
    /// Tell what was understood: stages, bases, projects, context
    Inspect(InspectArgs),
    /// Build the original and the rewrite, and compare size, contract and behaviour
    Verify(VerifyArgs),
    /// Write or extend only the .dockerignore
    Ignore(FixArgs),
    /// Open and update the pull requests that fix repositories
    Pr(Box<PrArgs>),
    /// Print a JSON Schema: of the configuration or of the report
    Schema(SchemaArgs),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// How to speak; every command takes these.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct Voice {
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print notes, names of rewrites and files without a finding too
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
}

/// Arguments of `fix` and `ignore`.
#[derive(Args, Debug)]
pub(super) struct FixArgs {
    /// What is read, and how it is judged.
    #[command(flatten)]
    pub(super) input: Input,
    /// Print the patch and write nothing
    #[arg(long, visible_alias = "dry-run")]
    pub(super) diff: bool,
    /// Write nothing; exit with 1 when something would change
    #[arg(long, conflicts_with = "diff")]
    pub(super) check: bool,
    /// Build before writing, and keep only what passes
    #[arg(long, conflicts_with_all = ["diff", "check"])]
    pub(super) verify: bool,
    /// How it is built and tried.
    #[command(flatten)]
    pub(super) build: BuildArgs,
    /// What makes the exit code 1, written or not [default: none; with --check: rewrites]
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    pub(super) fail_on: Option<FailOn>,
    /// What is printed.
    #[command(flatten)]
    pub(super) output: Output,
}

/// Arguments of `verify`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// What is read, and how it is judged.
    #[command(flatten)]
    pub(super) input: Input,
    /// How it is built and tried.
    #[command(flatten)]
    pub(super) build: BuildArgs,
    /// Compare with this Dockerfile instead of docker-diet's own rewrite
    #[arg(long, value_name = "FILE", help_heading = "Judgement")]
    pub(super) rewrite: Option<PathBuf>,
    /// Format of the report
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: VerifyFormat,
}

/// How images are built and tried.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Building")]
pub(super) struct BuildArgs {
    /// The program that builds [default: the first that answers]
    #[arg(long, value_name = "NAME")]
    pub(super) builder: Option<BuilderArg>,
    /// Passed on to the builder (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) build_arg: Vec<String>,
    /// Passed on to the builder (repeatable)
    #[arg(long, value_name = "SECRET")]
    pub(super) secret: Vec<String>,
    /// Passed on to the builder (repeatable)
    #[arg(long, value_name = "SSH")]
    pub(super) ssh: Vec<String>,
    /// The network of RUN
    #[arg(long, value_name = "MODE")]
    pub(super) network: Option<String>,
    /// The platform of both images
    #[arg(long, value_name = "OS/ARCH")]
    pub(super) platform: Option<String>,
    /// What the container is asked over HTTP (repeatable) [default: /]
    #[arg(long, value_name = "PATH")]
    pub(super) probe: Vec<String>,
    /// Environment of the container (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Seconds that one build may take
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    pub(super) timeout: u64,
    /// Seconds until the first answer, or until a program has ended [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(super) wait: Option<u64>,
    /// Compare the images and start nothing
    #[arg(long)]
    pub(super) no_run: bool,
    /// Leave out the build after an edit
    #[arg(long)]
    pub(super) no_rebuild: bool,
    /// Leave out the sizes in a registry
    #[arg(long)]
    pub(super) no_compressed: bool,
    /// Builds that may be spent on finding the rewrite at fault
    #[arg(long, value_name = "COUNT", default_value_t = 12)]
    pub(super) build_budget: usize,
    /// Leave both images with the engine
    #[arg(long)]
    pub(super) keep: bool,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// What is read, and how it is judged.
    #[command(flatten)]
    pub(super) input: Input,
    /// What makes the exit code 1
    #[arg(long, value_name = "WHAT", default_value = "rewrites")]
    pub(super) fail_on: FailOn,
    /// What is printed.
    #[command(flatten)]
    pub(super) output: Output,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// Name of a rewrite; all are listed without one
    #[arg(value_name = "RULE")]
    pub(super) rule: Option<String>,
    /// Print the table of all rewrites as Markdown
    #[arg(long, conflicts_with = "rule")]
    pub(super) markdown: bool,
}

/// Arguments of `inspect`.
#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    /// What is read.
    #[command(flatten)]
    pub(super) input: Input,
    /// Format of what is printed
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: PlainFormat,
}

/// Arguments of `schema`.
#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// Which schema
    pub(super) of: SchemaOf,
}

/// What is read, and how it is judged.
#[derive(Args, Debug, Default)]
pub(super) struct Input {
    /// Dockerfiles, folders, Compose or Bake files; `-` is a Dockerfile on standard input [default: .]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Read more paths from a file, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) paths_from: Option<PathBuf>,
    /// Only Dockerfiles that changed since a git revision, or whose ignore file, configuration or manifests did
    #[arg(long, value_name = "REV")]
    pub(super) changed_since: Option<String>,
    /// Name of the Dockerfile on standard input, for reports and configuration
    #[arg(long, value_name = "PATH")]
    pub(super) stdin_filename: Option<PathBuf>,
    /// The build context
    #[arg(long, value_name = "DIR", help_heading = "Judgement")]
    pub(super) context: Option<PathBuf>,
    /// Judge the Dockerfile alone
    #[arg(long, conflicts_with = "context", help_heading = "Judgement")]
    pub(super) no_context: bool,
    /// The stage that is built, as in `docker build --target`
    #[arg(long, value_name = "STAGE", help_heading = "Judgement")]
    pub(super) target: Option<String>,
    /// How it is judged.
    #[command(flatten)]
    pub(super) judgement: Judgement,
    /// Read no configuration
    #[arg(long, conflicts_with = "config", help_heading = "Judgement")]
    pub(super) isolated: bool,
}

/// How far rewrites go, and which.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Judgement")]
pub(super) struct Judgement {
    /// How far rewrites may go [default: standard]
    #[arg(long, value_name = "LEVEL")]
    pub(super) level: Option<LevelArg>,
    /// Only this rewrite (repeatable)
    #[arg(long, value_name = "RULE")]
    pub(super) only: Vec<String>,
    /// Not this rewrite (repeatable)
    #[arg(long, value_name = "RULE")]
    pub(super) skip: Vec<String>,
    /// What happens to bases without a version [default: report]
    #[arg(long, value_name = "HOW")]
    pub(super) pin: Option<PinArg>,
    /// Read this configuration instead of the nearest .docker-diet.yaml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// What is printed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Print a table of rewrites and refusals by rule at the end
    #[arg(long)]
    pub(super) statistics: bool,
}

/// Format of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs; `docker-diet schema report` describes it
    Json,
    /// SARIF 2.1.0 with fixes: code scanning, viewers, reviewdog, MegaLinter
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// The comment of a pull request
    Markdown,
}

/// Format of the report of `verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum VerifyFormat {
    /// For people
    Text,
    /// For programs; `docker-diet schema verify` describes it
    Json,
    /// For pull requests
    Markdown,
}

/// The program that builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BuilderArg {
    /// Docker with BuildKit
    Docker,
    /// Podman
    Podman,
    /// Buildah; it starts nothing
    Buildah,
}

/// Format of what `inspect` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlainFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

impl From<PlainFormat> for Format {
    fn from(format: PlainFormat) -> Self {
        match format {
            PlainFormat::Text => Format::Text,
            PlainFormat::Json => Format::Json,
        }
    }
}

/// What makes a run fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Rewrites of any level
    Rewrites,
    /// Rewrites of level safe
    Safe,
    /// Rewrites of level safe or standard
    Standard,
    /// Rewrites of any level
    Aggressive,
    /// Nothing does
    None,
}

impl FailOn {
    /// Whether a run fails whose lowest rewrite is of `level`.
    pub(super) fn fails(self, level: rules::Level) -> bool {
        match self {
            FailOn::Rewrites | FailOn::Aggressive => true,
            FailOn::Safe => level <= rules::Level::Safe,
            FailOn::Standard => level <= rules::Level::Standard,
            FailOn::None => false,
        }
    }
}

/// Which schema is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// Of .docker-diet.yaml
    Config,
    /// Of `--format json`
    Report,
    /// Of `verify --format json`
    Verify,
}

/// [`rules::Level`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LevelArg {
    /// The image holds the same files but for caches, and starts the same way
    Safe,
    /// Stages, bases, user, exec form, .dockerignore, where the preconditions are shown
    Standard,
    /// What is usually right but not shown
    Aggressive,
}

impl From<LevelArg> for rules::Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Safe => rules::Level::Safe,
            LevelArg::Standard => rules::Level::Standard,
            LevelArg::Aggressive => rules::Level::Aggressive,
        }
    }
}

/// [`rules::Pin`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PinArg {
    /// Report them
    Report,
    /// Write the version that the catalog knows as current
    Version,
}

impl From<PinArg> for rules::Pin {
    fn from(pin: PinArg) -> Self {
        match pin {
            PinArg::Report => rules::Pin::Report,
            PinArg::Version => rules::Pin::Version,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
