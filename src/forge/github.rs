//! GitHub's REST API, version 2022-11-28.

use std::time::Duration;

use serde_json::{Value, json};

use super::address::Slug;
use super::api::{
    Change, Dress, Forge, NewPull, Pull, PullState, Repository, again_if_unclear, not_taken,
};
use super::client::{ApiError, Client};
use super::fields::Fields;
use super::http::{Method, encode};
use super::listing::{self, changed};

/// GitHub asks for a second between requests that write.
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// What it calls title, text and target branch of a pull request.
const NAMES: [&str; 3] = ["title", "body", "base"];
/// The field that closes one.
const CLOSED: (&str, &str) = ("state", "closed");

pub(super) struct GitHub {
    client: Client,
}

impl GitHub {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client: client
                .with_header(
                    "accept",
                    "application/vnd.github+json, application/json;q=0.9",
                )
                .with_header("x-github-api-version", "2022-11-28")
                .with_write_pause(WRITE_PAUSE),
        }
    }
}

impl Forge for GitHub {
    fn repository(&self, slug: &Slug) -> Result<Repository, ApiError> {
        let path = format!("/repos/{slug}");
        repository(&self.client.get(&path)?, &path)
    }

    fn organisation(&self, name: &str) -> Result<Vec<Repository>, ApiError> {
        let name = encode(name);
        listing::repositories(
            &self.client,
            &format!("/orgs/{name}/repos?type=all&per_page=100"),
            &format!("/users/{name}/repos?type=owner&per_page=100"),
            repository,
        )
    }

    fn pulls(&self, slug: &Slug, branches: &[String]) -> Result<Vec<Pull>, ApiError> {
        let mut all = Vec::new();
        for branch in branches {
            let head = encode(&format!("{}:{branch}", slug.owner()));
            let path = format!("/repos/{slug}/pulls?state=all&head={head}&per_page=100");
            all.extend(listing::pulls(&self.client, &path, |value| {
                let (it, from) = pull(value, &path)?;
                // A fork of the same owner can have a branch of this name too.
                Ok((it.branch == *branch && from == slug.as_str()).then_some(it))
            })?);
        }
        Ok(all)
    }

    fn open(&self, slug: &Slug, new: &NewPull<'_>) -> Result<Pull, ApiError> {
        let path = format!("/repos/{slug}/pulls");
        let body = |draft: bool| {
            json!({
                "title": new.title, "body": new.body, "head": new.branch, "base": new.base,
                "draft": draft, "maintainer_can_modify": true,
            })
        };
        let answer = match self.client.call(Method::Post, &path, Some(body(new.draft))) {
            // Private repositories of small plans have no drafts.
            Err(error)
                if new.draft
                    && error.status() == Some(422)
                    && error.to_string().to_ascii_lowercase().contains("draft") =>
            {
                self.client.call(Method::Post, &path, Some(body(false)))?
            }
            other => other?,
        };
        Ok(pull(&answer, &path)?.0)
    }

    fn change(&self, slug: &Slug, number: u64, change: &Change<'_>) -> Result<(), ApiError> {
        let path = format!("/repos/{slug}/pulls/{number}");
        self.client
            .call(Method::Patch, &path, Some(changed(change, NAMES, CLOSED)))?;
        Ok(())
    }

    fn dress(&self, slug: &Slug, number: u64, dress: &Dress) -> Result<Vec<String>, ApiError> {
        let mut warnings = Vec::new();
        let mut hang = |what: &str, path: String, body: Value| {
            let done = again_if_unclear(&self.client, || {
                self.client.call(Method::Post, &path, Some(body.clone()))
            });
            if let Err(error) = done {
                warnings.push(not_taken(error, what)?);
            }
            Ok::<(), ApiError>(())
        };
        if !dress.labels.is_empty() {
            let path = format!("/repos/{slug}/issues/{number}/labels");
            hang("labels", path, json!({ "labels": dress.labels }))?;
        }
        if !dress.assignees.is_empty() {
            let path = format!("/repos/{slug}/issues/{number}/assignees");
            hang("assignees", path, json!({ "assignees": dress.assignees }))?;
        }
        if !dress.reviewers.is_empty() {
            let path = format!("/repos/{slug}/pulls/{number}/requested_reviewers");
            hang("reviewers", path, listing::reviewers(dress))?;
        }
        Ok(warnings)
    }

    fn remark(&self, slug: &Slug, number: u64, mark: &str, text: &str) -> Result<(), ApiError> {
        let path = format!("/repos/{slug}/issues/{number}/comments");
        listing::remark_once(&self.client, &path, text, || {
            listing::is_on_pages(&self.client, &format!("{path}?per_page=100"), mark)
        })
    }

    fn requests(&self) -> u64 {
        self.client.requests()
    }
}

fn repository(value: &Value, call: &str) -> Result<Repository, ApiError> {
    let fields = Fields { value, call };
    let name = fields.text("/full_name")?;
    Ok(Repository {
        slug: Slug::new(name).ok_or_else(|| fields.missing("/full_name"))?,
        default_branch: fields.text_or_empty("/default_branch").to_owned(),
        archived: fields.is_true("/archived") || fields.is_true("/disabled"),
        fork: fields.is_true("/fork"),
        mirror: fields.has("/mirror_url"),
    })
}

/// The pull request, and the repository that its branch is in.
fn pull<'a>(value: &'a Value, call: &str) -> Result<(Pull, &'a str), ApiError> {
    let fields = Fields { value, call };
    let state = match (fields.text("/state")?, fields.has("/merged_at")) {
        ("open", _) => PullState::Open,
        (_, true) => PullState::Merged,
        _ => PullState::Closed,
    };
    let from = value
        .pointer("/head/repo/full_name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let pull = Pull {
        number: fields.number("/number")?,
        url: fields.text_or_empty("/html_url").to_owned(),
        branch: fields.text("/head/ref")?.to_owned(),
        base: fields.text("/base/ref")?.to_owned(),
        state,
        body: fields.text_or_empty("/body").to_owned(),
    };
    Ok((pull, from))
}
