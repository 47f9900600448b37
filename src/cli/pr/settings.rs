//! How the pull requests of a repository are made: what the command line says, else its configuration.

use anyhow::{Context as _, Result, bail};

use super::args::{Per, PrArgs};
use crate::cli::config::PullRequest;
use crate::forge::{self, Author, Dress, Manner, Signing};

/// Most pull requests that are open at a time in a repository.
const OPEN_LIMIT: usize = 10;
/// What branches begin with.
const PREFIX: &str = "docker-diet";

/// How the pull requests of one repository are made.
pub(super) struct PullSettings {
    pub(super) manner: Manner,
    pub(super) per: Per,
    pub(super) title: Option<String>,
}

/// What branches begin with, before anything is known about the repository.
pub(super) fn prefix(args: &PrArgs, config: Option<&PullRequest>) -> Result<String> {
    let configured = config.and_then(|config| config.branch.as_deref());
    let prefix = args.pull.branch.as_deref().or(configured).unwrap_or(PREFIX);
    let prefix = prefix.trim_end_matches('/');
    forge::checked(prefix)?;
    Ok(prefix.to_owned())
}

impl PullSettings {
    /// Puts `config`, the repository's own, under what the command line says.
    pub(super) fn new(args: &PrArgs, config: &PullRequest) -> Result<Self> {
        let pull = &args.pull;
        let list = |given: &[String], own: &[String]| match given.is_empty() {
            true => own.to_vec(),
            false => given.to_vec(),
        };
        let author = match &pull.author {
            None => Author::default(),
            Some(text) => Author::parse(text)
                .with_context(|| format!("`{text}` is no author; write `Name <address>`"))?,
        };
        if pull.signing_key.as_deref() == Some("") {
            bail!("the signing key has no name");
        }
        Ok(Self {
            manner: Manner {
                dress: Dress {
                    labels: list(&pull.label, &config.labels),
                    reviewers: list(&pull.reviewer, &config.reviewers),
                    assignees: list(&pull.assignee, &config.assignees),
                },
                draft: pull.draft || config.draft.unwrap_or_default(),
                open_limit: Some(pull.open_limit.or(config.open_limit).unwrap_or(OPEN_LIMIT)),
                sign_off: pull.sign_off || config.sign_off.unwrap_or_default(),
                author,
                signing: pull.signing_key.as_ref().map(|key| Signing {
                    format: pull.signing_format.name().to_owned(),
                    key: key.clone(),
                }),
                retire: true,
                dry_run: args.dry_run,
            },
            per: pull.per.or(config.per).unwrap_or_default(),
            title: pull.title.clone().or_else(|| config.title.clone()),
        })
    }
}
