//! Arguments of `pr`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::Judgement;
use crate::forge;

/// Arguments of `pr`.
#[derive(Args, Debug)]
pub(in crate::cli) struct PrArgs {
    /// A repository: its address, `git@host:owner/name`, or a folder (repeatable)
    #[arg(long = "repo", value_name = "URL|PATH")]
    pub(super) repos: Vec<String>,
    /// Read more repositories from a file, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) repos_from: Option<PathBuf>,
    /// All repositories of an organisation, group or user
    #[arg(long, value_name = "NAME")]
    pub(super) org: Vec<String>,
    /// Show what would be done, and write nothing anywhere
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Build and compare the images first, and propose only what holds
    #[arg(long)]
    pub(super) verify: bool,
    /// Passed on to `docker-diet verify`, such as --verify-arg=--network=host (repeatable)
    #[arg(
        long,
        value_name = "ARG",
        requires = "verify",
        allow_hyphen_values = true
    )]
    pub(super) verify_arg: Vec<String>,
    /// The forge, where its host does not tell
    #[arg(long, value_name = "FORGE", help_heading = "Forge")]
    pub(super) forge: Option<ForgeArg>,
    /// The address of the forge's API, for --org [default: GitHub's]
    #[arg(long, value_name = "URL", help_heading = "Forge")]
    pub(super) api: Option<String>,
    /// The variable that holds the token [default: DOCKER_DIET_TOKEN, else the forge's usual one]
    #[arg(long, value_name = "NAME", help_heading = "Forge")]
    pub(super) token_env: Option<String>,
    /// A file that holds the token and that only you can read
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "token_env",
        help_heading = "Forge"
    )]
    pub(super) token_file: Option<PathBuf>,
    /// Send the token without encryption
    #[arg(long, help_heading = "Forge")]
    pub(super) allow_http: bool,
    /// Forks too
    #[arg(long, help_heading = "Forge")]
    pub(super) forks: bool,
    /// How many repositories are worked on at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Run")]
    pub(super) jobs: u16,
    /// Only every n-th repository, beginning with the i-th (from 0)
    #[arg(long, value_name = "i/n", value_parser = shard, help_heading = "Run")]
    pub(super) shard: Option<(u64, u64)>,
    /// Note here what is finished; a run that was stopped goes on after it
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub(super) state: Option<PathBuf>,
    /// Where repositories are checked out [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub(super) work_dir: Option<PathBuf>,
    /// Most seconds that one call of git may take
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 900,
        help_heading = "Run"
    )]
    pub(super) git_timeout: u64,
    /// Most megabytes that a repository may have
    #[arg(long, value_name = "MB", default_value_t = 2048, help_heading = "Run")]
    pub(super) max_size: u64,
    /// What is printed: text, or JSON lines
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: SummaryFormat,
    /// How pull requests are made.
    #[command(flatten)]
    pub(super) pull: PullArgs,
    /// How repositories are judged.
    #[command(flatten)]
    pub(super) judgement: Judgement,
}

/// How pull requests are made; each wins over `pull-request` of the configuration.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Pull requests")]
pub(super) struct PullArgs {
    /// One pull request for each of these [default: repository]
    #[arg(long, value_name = "WHAT")]
    pub(super) per: Option<Per>,
    /// What its branches begin with [default: docker-diet]
    #[arg(long, value_name = "PREFIX")]
    pub(super) branch: Option<String>,
    /// The branch that pull requests go to [default: the repository's own]
    #[arg(long, value_name = "BRANCH")]
    pub(super) base: Option<String>,
    /// Title, and first line of the commit
    #[arg(long, value_name = "TEXT")]
    pub(super) title: Option<String>,
    /// A label (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) label: Vec<String>,
    /// Who is asked for a review (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) reviewer: Vec<String>,
    /// Whom it is assigned to (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) assignee: Vec<String>,
    /// Open drafts
    #[arg(long)]
    pub(super) draft: bool,
    /// Most pull requests that are open at a time in a repository [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) open_limit: Option<usize>,
    /// Add `Signed-off-by` to commits
    #[arg(long)]
    pub(super) sign_off: bool,
    /// Who commits
    #[arg(long, value_name = "NAME <ADDRESS>")]
    pub(super) author: Option<String>,
    /// Sign commits with this key: an identity of GnuPG, or a file of SSH
    #[arg(long, value_name = "KEY")]
    pub(super) signing_key: Option<String>,
    /// What kind of key that is
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "openpgp",
        requires = "signing_key"
    )]
    pub(super) signing_format: SigningFormat,
}

/// The forge, where its host does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ForgeArg {
    /// GitHub, github.com or Enterprise Server
    Github,
    /// GitLab
    Gitlab,
    /// Gitea
    Gitea,
    /// Forgejo
    Forgejo,
}

impl From<ForgeArg> for forge::Kind {
    fn from(forge: ForgeArg) -> Self {
        match forge {
            ForgeArg::Github => forge::Kind::GitHub,
            ForgeArg::Gitlab => forge::Kind::GitLab,
            ForgeArg::Gitea | ForgeArg::Forgejo => forge::Kind::Gitea,
        }
    }
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SummaryFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What one pull request is about.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Per {
    /// All Dockerfiles of a repository
    #[default]
    Repository,
    /// One Dockerfile
    Dockerfile,
    /// One rewrite
    Rule,
}

/// What kind of key signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum SigningFormat {
    /// GnuPG
    #[default]
    Openpgp,
    /// OpenSSH
    Ssh,
    /// S/MIME
    X509,
}

impl SigningFormat {
    /// As git's `gpg.format` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            SigningFormat::Openpgp => "openpgp",
            SigningFormat::Ssh => "ssh",
            SigningFormat::X509 => "x509",
        }
    }
}

/// `i/n`, counted from 0, as Kubernetes and GitHub count their indices.
fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/');
    let parsed = parts.and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
    match parsed {
        Some((i, n)) if i < n => Ok((i, n)),
        _ => Err("expected i/n with i from 0 to n - 1, such as 0/4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::shard;

    #[test]
    fn shards_are_counted_from_zero() {
        assert_eq!(shard("0/1"), Ok((0, 1)));
        assert_eq!(shard("3/4"), Ok((3, 4)));
        for bad in ["4/4", "0/0", "-1/4", "1", "a/b", ""] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
