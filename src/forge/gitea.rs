//! The REST API of Gitea and Forgejo, version 1.

use serde_json::{Value, json};

use super::address::Slug;
use super::api::{
    Change, Dress, Forge, NewPull, Pull, PullState, Repository, again_if_unclear, not_taken,
};
use super::client::{ApiError, Client};
use super::fields::Fields;
use super::http::{Method, encode};
use super::listing::{self, changed};

/// What a title begins with while a pull request is a draft.
const DRAFT: &str = "WIP: ";
/// Most elements of a page, as servers are set by default.
const PAGE: u64 = 50;
/// The colour of a label that is made.
const COLOUR: &str = "#1f75cb";

/// What it calls title, text and target branch of a pull request.
const NAMES: [&str; 3] = ["title", "body", "base"];
/// The field that closes one.
const CLOSED: (&str, &str) = ("state", "closed");

pub(super) struct Gitea {
    client: Client,
}

impl Gitea {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The numbers of labels; those that the repository and its owner do not have are made.
    fn labels(
        &self,
        slug: &Slug,
        names: &[String],
        warnings: &mut Vec<String>,
    ) -> Result<Vec<u64>, ApiError> {
        let own = format!("/repos/{slug}/labels");
        let mut known = self.known_labels(&own)?;
        if !names.iter().all(|name| find(&known, name).is_some()) {
            // A user has no labels to share: only an organisation answers.
            match self.known_labels(&format!("/orgs/{}/labels", encode(slug.owner()))) {
                Ok(shared) => known.extend(shared),
                Err(error) if error.status().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        let mut ids = Vec::new();
        for name in names {
            if let Some(id) = find(&known, name) {
                ids.push(id);
                continue;
            }
            let body =
                json!({ "name": name, "color": COLOUR, "description": "opened by docker-diet" });
            match self.client.call(Method::Post, &own, Some(body)) {
                Ok(made) => ids.extend(made.get("id").and_then(Value::as_u64)),
                // It may have been made all the same, or by another run at this moment.
                Err(error) => match find(&self.known_labels(&own)?, name) {
                    Some(id) => ids.push(id),
                    None => warnings.push(not_taken(error, &format!("label `{name}`"))?),
                },
            }
        }
        Ok(ids)
    }

    fn known_labels(&self, path: &str) -> Result<Vec<(String, u64)>, ApiError> {
        let mut known = Vec::new();
        self.client.pages(&format!("{path}?limit={PAGE}"), |page| {
            known.extend(page.iter().filter_map(|label| {
                let name = label.get("name")?.as_str()?;
                Some((name.to_owned(), label.get("id")?.as_u64()?))
            }));
            true
        })?;
        Ok(known)
    }
}

fn find(known: &[(String, u64)], name: &str) -> Option<u64> {
    let found = known.iter().find(|(known, _)| known == name);
    found.map(|(_, id)| *id)
}

impl Forge for Gitea {
    fn repository(&self, slug: &Slug) -> Result<Repository, ApiError> {
        let path = format!("/repos/{slug}");
        repository(&self.client.get(&path)?, &path)
    }

    fn organisation(&self, name: &str) -> Result<Vec<Repository>, ApiError> {
        let name = encode(name);
        listing::repositories(
            &self.client,
            &format!("/orgs/{name}/repos?limit={PAGE}"),
            &format!("/users/{name}/repos?limit={PAGE}"),
            repository,
        )
    }

    /// Gitea lists by no branch: all pull requests are gone through, the last changed first.
    fn pulls(&self, slug: &Slug, branches: &[String]) -> Result<Vec<Pull>, ApiError> {
        let path = format!("/repos/{slug}/pulls?state=all&limit={PAGE}");
        let mut all = listing::pulls(&self.client, &path, |value| {
            let (it, is_own) = pull(value, &path)?;
            Ok((is_own && branches.contains(&it.branch)).then_some(it))
        })?;
        all.sort_by_key(|pull| std::cmp::Reverse(pull.number));
        Ok(all)
    }

    fn open(&self, slug: &Slug, new: &NewPull<'_>) -> Result<Pull, ApiError> {
        let path = format!("/repos/{slug}/pulls");
        let draft = if new.draft { DRAFT } else { "" };
        let body = json!({
            "title": format!("{draft}{}", new.title), "body": new.body,
            "head": new.branch, "base": new.base,
        });
        let answer = self.client.call(Method::Post, &path, Some(body))?;
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
        let labels = match dress.labels.is_empty() {
            true => Vec::new(),
            false => self.labels(slug, &dress.labels, &mut warnings)?,
        };
        if !labels.is_empty() {
            let path = format!("/repos/{slug}/issues/{number}/labels");
            let done = again_if_unclear(&self.client, || {
                self.client
                    .call(Method::Post, &path, Some(json!({ "labels": labels })))
            });
            if let Err(error) = done {
                warnings.push(not_taken(error, "labels")?);
            }
        }
        if !dress.assignees.is_empty() {
            let path = format!("/repos/{slug}/issues/{number}");
            let body = json!({ "assignees": dress.assignees });
            if let Err(error) = self.client.call(Method::Patch, &path, Some(body)) {
                warnings.push(not_taken(error, "assignees")?);
            }
        }
        if !dress.reviewers.is_empty() {
            let path = format!("/repos/{slug}/pulls/{number}/requested_reviewers");
            let done = again_if_unclear(&self.client, || {
                self.client
                    .call(Method::Post, &path, Some(listing::reviewers(dress)))
            });
            if let Err(error) = done {
                warnings.push(not_taken(error, "reviewers")?);
            }
        }
        Ok(warnings)
    }

    fn remark(&self, slug: &Slug, number: u64, mark: &str, text: &str) -> Result<(), ApiError> {
        let path = format!("/repos/{slug}/issues/{number}/comments");
        listing::remark_once(&self.client, &path, text, || {
            // Comments of one issue come without pages.
            let comments = self.client.get(&path)?;
            Ok(comments
                .as_array()
                .is_some_and(|comments| listing::holds(comments, mark)))
        })
    }

    fn requests(&self) -> u64 {
        self.client.requests()
    }
}

fn repository(value: &Value, call: &str) -> Result<Repository, ApiError> {
    let fields = Fields { value, call };
    let name = fields.text("/full_name")?;
    let empty = fields.is_true("/empty");
    Ok(Repository {
        slug: Slug::new(name).ok_or_else(|| fields.missing("/full_name"))?,
        default_branch: match empty {
            true => String::new(),
            false => fields.text_or_empty("/default_branch").to_owned(),
        },
        archived: fields.is_true("/archived"),
        fork: fields.is_true("/fork"),
        mirror: fields.is_true("/mirror"),
    })
}

/// The pull request, and whether its branch is in the repository that it goes to.
fn pull(value: &Value, call: &str) -> Result<(Pull, bool), ApiError> {
    let fields = Fields { value, call };
    let state = match (fields.text("/state")?, fields.is_true("/merged")) {
        ("open", _) => PullState::Open,
        (_, true) => PullState::Merged,
        _ => PullState::Closed,
    };
    let (head, base) = (
        value.pointer("/head/repo_id"),
        value.pointer("/base/repo_id"),
    );
    let pull = Pull {
        number: fields.number("/number")?,
        url: fields.text_or_empty("/html_url").to_owned(),
        // Once the branch is gone, `ref` is that of the pull request; `label` stays.
        branch: fields.text("/head/label")?.to_owned(),
        base: fields.text("/base/label")?.to_owned(),
        state,
        body: fields.text_or_empty("/body").to_owned(),
    };
    Ok((pull, head == base))
}
