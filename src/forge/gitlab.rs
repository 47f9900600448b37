//! GitLab's REST API, version 4. Its merge requests are the pull requests here.

use serde_json::{Value, json};

use super::address::Slug;
use super::api::{Change, Dress, Forge, NewPull, Pull, PullState, Repository, not_taken};
use super::client::{ApiError, Client};
use super::fields::Fields;
use super::http::{Method, encode};
use super::listing::{self, changed};

/// What a title begins with while a merge request is a draft.
const DRAFT: &str = "Draft: ";

/// What it calls title, text and target branch of a merge request.
const NAMES: [&str; 3] = ["title", "description", "target_branch"];
/// The field that closes one.
const CLOSED: (&str, &str) = ("state_event", "close");

pub(super) struct GitLab {
    client: Client,
}

impl GitLab {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The numbers of accounts, and a warning for each that does not exist.
    fn accounts(&self, names: &[String], warnings: &mut Vec<String>) -> Result<Vec<u64>, ApiError> {
        let mut found = Vec::new();
        for name in names {
            let path = format!("/users?username={}", encode(name));
            let answer = self.client.get(&path)?;
            match answer.pointer("/0/id").and_then(Value::as_u64) {
                Some(id) => found.push(id),
                None => warnings.push(format!("there is no account `{name}`")),
            }
        }
        Ok(found)
    }
}

impl Forge for GitLab {
    fn repository(&self, slug: &Slug) -> Result<Repository, ApiError> {
        let path = project(slug);
        repository(&self.client.get(&path)?, &path)
    }

    fn organisation(&self, name: &str) -> Result<Vec<Repository>, ApiError> {
        let name = encode(name);
        let order = "order_by=id&sort=asc&per_page=100";
        listing::repositories(
            &self.client,
            &format!("/groups/{name}/projects?include_subgroups=true&with_shared=false&{order}"),
            &format!("/users/{name}/projects?{order}"),
            repository,
        )
    }

    fn pulls(&self, slug: &Slug, branches: &[String]) -> Result<Vec<Pull>, ApiError> {
        let mut all = Vec::new();
        for branch in branches {
            let path = format!(
                "{}/merge_requests?state=all&source_branch={}&order_by=created_at&sort=desc&per_page=100",
                project(slug),
                encode(branch)
            );
            all.extend(listing::pulls(&self.client, &path, |value| {
                // A fork can have a branch of this name too.
                let is_own = value.get("source_project_id") == value.get("target_project_id");
                let it = pull(value, &path)?;
                Ok((is_own && it.branch == *branch).then_some(it))
            })?);
        }
        Ok(all)
    }

    fn open(&self, slug: &Slug, new: &NewPull<'_>) -> Result<Pull, ApiError> {
        let path = format!("{}/merge_requests", project(slug));
        let draft = if new.draft { DRAFT } else { "" };
        let body = json!({
            "title": format!("{draft}{}", new.title), "description": new.body,
            "source_branch": new.branch, "target_branch": new.base, "remove_source_branch": true,
        });
        pull(&self.client.call(Method::Post, &path, Some(body))?, &path)
    }

    fn change(&self, slug: &Slug, number: u64, change: &Change<'_>) -> Result<(), ApiError> {
        let path = format!("{}/merge_requests/{number}", project(slug));
        self.client
            .call(Method::Put, &path, Some(changed(change, NAMES, CLOSED)))?;
        Ok(())
    }

    fn dress(&self, slug: &Slug, number: u64, dress: &Dress) -> Result<Vec<String>, ApiError> {
        let mut warnings = Vec::new();
        let mut body = serde_json::Map::new();
        if !dress.labels.is_empty() {
            body.insert("add_labels".to_owned(), dress.labels.clone().into());
        }
        for (key, names) in [
            ("reviewer_ids", &dress.reviewers),
            ("assignee_ids", &dress.assignees),
        ] {
            let ids = self.accounts(names, &mut warnings)?;
            if !ids.is_empty() {
                body.insert(key.to_owned(), ids.into());
            }
        }
        if !body.is_empty() {
            let path = format!("{}/merge_requests/{number}", project(slug));
            if let Err(error) = self
                .client
                .call(Method::Put, &path, Some(Value::Object(body)))
            {
                warnings.push(not_taken(error, "labels, reviewers and assignees")?);
            }
        }
        Ok(warnings)
    }

    fn remark(&self, slug: &Slug, number: u64, mark: &str, text: &str) -> Result<(), ApiError> {
        let path = format!("{}/merge_requests/{number}/notes", project(slug));
        listing::remark_once(&self.client, &path, text, || {
            listing::is_on_pages(&self.client, &format!("{path}?per_page=100"), mark)
        })
    }

    fn requests(&self) -> u64 {
        self.client.requests()
    }
}

/// The path of a project, whose name is one part of it.
fn project(slug: &Slug) -> String {
    format!("/projects/{}", encode(slug.as_str()))
}

fn repository(value: &Value, call: &str) -> Result<Repository, ApiError> {
    let fields = Fields { value, call };
    let name = fields.text("/path_with_namespace")?;
    Ok(Repository {
        slug: Slug::new(name).ok_or_else(|| fields.missing("/path_with_namespace"))?,
        default_branch: fields.text_or_empty("/default_branch").to_owned(),
        archived: fields.is_true("/archived"),
        fork: fields.has("/forked_from_project"),
        mirror: fields.is_true("/mirror"),
    })
}

fn pull(value: &Value, call: &str) -> Result<Pull, ApiError> {
    let fields = Fields { value, call };
    Ok(Pull {
        number: fields.number("/iid")?,
        url: fields.text_or_empty("/web_url").to_owned(),
        branch: fields.text("/source_branch")?.to_owned(),
        base: fields.text("/target_branch")?.to_owned(),
        state: match fields.text("/state")? {
            "opened" | "locked" => PullState::Open,
            "merged" => PullState::Merged,
            _ => PullState::Closed,
        },
        body: fields.text_or_empty("/description").to_owned(),
    })
}
