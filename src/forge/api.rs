//! What the bot asks of a forge, whichever it is.

use super::address::{Kind, Slug};
use super::client::{ApiError, Client};
use super::gitea::Gitea;
use super::github::GitHub;
use super::gitlab::GitLab;

/// A repository as its forge describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its name: the present one, where it was renamed.
    pub slug: Slug,
    /// The branch that pull requests go to; empty in an empty repository.
    pub default_branch: String,
    /// Whether nothing can be written to it any more.
    pub archived: bool,
    /// Whether it is a copy of somebody else's.
    pub fork: bool,
    /// Whether it only repeats another one; a push would be undone.
    pub mirror: bool,
}

/// How a pull request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullState {
    /// It waits.
    Open,
    /// It was closed and not merged.
    Closed,
    /// It was merged.
    Merged,
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number in the repository.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// The branch that it asks to take.
    pub branch: String,
    /// The branch that it goes to.
    pub base: String,
    /// How it stands.
    pub state: PullState,
    /// What it says.
    pub body: String,
}

/// A pull request to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPull<'a> {
    /// The branch to take.
    pub branch: &'a str,
    /// Where it goes.
    pub base: &'a str,
    /// One line.
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
    /// Whether it is not to be reviewed yet.
    pub draft: bool,
}

/// What is changed of a pull request; what is none stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change<'a> {
    /// One line.
    pub title: Option<&'a str>,
    /// Markdown.
    pub body: Option<&'a str>,
    /// Where it goes.
    pub base: Option<&'a str>,
    /// Closes it.
    pub close: bool,
}

/// What is hung onto a new pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dress {
    /// Names of labels; where the forge needs them made first, they are made.
    pub labels: Vec<String>,
    /// Names of accounts, at GitHub also `org/team`.
    pub reviewers: Vec<String>,
    /// Names of accounts.
    pub assignees: Vec<String>,
}

impl Dress {
    /// Whether there is nothing to hang.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.reviewers.is_empty() && self.assignees.is_empty()
    }
}

/// A forge.
pub trait Forge: Send + Sync {
    /// The repository of this name.
    ///
    /// # Errors
    /// When it does not exist or cannot be seen.
    fn repository(&self, slug: &Slug) -> Result<Repository, ApiError>;

    /// The repositories of an organisation, group or user, in the forge's order.
    ///
    /// # Errors
    /// When there is none of this name.
    fn organisation(&self, name: &str) -> Result<Vec<Repository>, ApiError>;

    /// All pull requests from `branches` of the repository itself, in whatever state, the newest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn pulls(&self, repository: &Slug, branches: &[String]) -> Result<Vec<Pull>, ApiError>;

    /// Opens a pull request.
    ///
    /// # Errors
    /// When it cannot be opened; [`ApiError::may_be_there`] tells whether there may be one all the same.
    fn open(&self, repository: &Slug, pull: &NewPull<'_>) -> Result<Pull, ApiError>;

    /// Changes a pull request.
    ///
    /// # Errors
    /// When it cannot be changed.
    fn change(&self, repository: &Slug, number: u64, change: &Change<'_>) -> Result<(), ApiError>;

    /// Hangs labels, reviewers and assignees onto a pull request, and gives what could not be hung and why.
    /// Doing it twice changes nothing.
    ///
    /// # Errors
    /// When the forge does not answer.
    fn dress(&self, repository: &Slug, number: u64, dress: &Dress)
    -> Result<Vec<String>, ApiError>;

    /// Says `text`, which holds `mark`, below a pull request, unless a remark there holds `mark` already.
    ///
    /// # Errors
    /// When it cannot be said.
    fn remark(
        &self,
        repository: &Slug,
        number: u64,
        mark: &str,
        text: &str,
    ) -> Result<(), ApiError>;

    /// How many requests were sent so far.
    fn requests(&self) -> u64;
}

/// The forge of this kind that `client` talks to.
#[must_use]
pub fn forge(kind: Kind, client: Client) -> Box<dyn Forge> {
    match kind {
        Kind::GitHub => Box::new(GitHub::new(client)),
        Kind::GitLab => Box::new(GitLab::new(client)),
        Kind::Gitea => Box::new(Gitea::new(client)),
    }
}

/// Whether a failed wish is one that a person has to look at, and no reason to give up the pull request: a label, a
/// reviewer or an assignee that the forge does not take.
pub(super) fn not_taken(error: ApiError, what: &str) -> Result<String, ApiError> {
    match error.status() {
        Some(400 | 403 | 404 | 409 | 422) => Ok(format!("{what} not set: {error}")),
        _ => Err(error),
    }
}

/// Sends what is true once it was done, so that it may be sent again when no answer came.
pub(super) fn again_if_unclear<T>(
    client: &Client,
    mut send: impl FnMut() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut tries = 0;
    loop {
        match send() {
            Err(ApiError::Unclear { .. }) if tries < 5 => {
                tries += 1;
                client.pause(tries);
            }
            other => return other,
        }
    }
}
