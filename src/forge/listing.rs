//! What the APIs of all forges have in common: lists in pages, remarks that are made once, the fields of a change.

use serde_json::{Map, Value, json};

use super::api::{Change, Dress, Pull, Repository, again_if_unclear};
use super::client::{ApiError, Client};
use super::http::Method;

/// The repositories that `organisation` lists or, where the forge knows none of that name, `user`. One without a name
/// that could be one is left out: nothing could be done with it.
pub(super) fn repositories(
    client: &Client,
    organisation: &str,
    user: &str,
    read: fn(&Value, &str) -> Result<Repository, ApiError>,
) -> Result<Vec<Repository>, ApiError> {
    let list = |path: &str| -> Result<Vec<Repository>, ApiError> {
        let mut all = Vec::new();
        client.pages(path, |page| {
            all.extend(page.iter().filter_map(|value| read(value, path).ok()));
            true
        })?;
        Ok(all)
    };
    match list(organisation) {
        Err(error) if error.status() == Some(404) => list(user),
        other => other,
    }
}

/// The pull requests that `path` lists, as far as `read` takes them.
///
/// # Errors
/// The first that `read` gives, too: a pull request that is overlooked would be opened again.
pub(super) fn pulls(
    client: &Client,
    path: &str,
    read: impl Fn(&Value) -> Result<Option<Pull>, ApiError>,
) -> Result<Vec<Pull>, ApiError> {
    let mut all = Vec::new();
    let mut wrong = None;
    client.pages(path, |page| {
        let read: Result<Vec<_>, _> = page.iter().map(&read).collect();
        match read {
            Ok(pulls) => all.extend(pulls.into_iter().flatten()),
            Err(error) => wrong = Some(error),
        }
        wrong.is_none()
    })?;
    match wrong {
        Some(error) => Err(error),
        None => Ok(all),
    }
}

/// Posts the remark `text` to `path`, unless `is_said` finds it there already.
pub(super) fn remark_once(
    client: &Client,
    path: &str,
    text: &str,
    is_said: impl Fn() -> Result<bool, ApiError>,
) -> Result<(), ApiError> {
    again_if_unclear(client, || {
        if !is_said()? {
            client.call(Method::Post, path, Some(json!({ "body": text })))?;
        }
        Ok(())
    })
}

/// Whether a remark on the pages of `path` holds `mark`.
pub(super) fn is_on_pages(client: &Client, path: &str, mark: &str) -> Result<bool, ApiError> {
    let mut said = false;
    client.pages(path, |page| {
        said |= holds(&page, mark);
        !said
    })?;
    Ok(said)
}

/// Whether one of these remarks holds `mark`.
pub(super) fn holds(remarks: &[Value], mark: &str) -> bool {
    remarks.iter().any(|remark| {
        let body = remark.get("body").and_then(Value::as_str);
        body.is_some_and(|body| body.contains(mark))
    })
}

/// The JSON object of a change, whose title, text and target branch the forge calls `names`, and which `close` closes.
pub(super) fn changed(change: &Change<'_>, names: [&str; 3], close: (&str, &str)) -> Value {
    let mut body = Map::new();
    for (name, value) in names
        .into_iter()
        .zip([change.title, change.body, change.base])
    {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.into());
        }
    }
    if change.close {
        body.insert(close.0.to_owned(), close.1.into());
    }
    Value::Object(body)
}

/// Reviewers as GitHub and Gitea take them: people, and `org/team` as teams.
pub(super) fn reviewers(dress: &Dress) -> Value {
    let (teams, people): (Vec<&String>, Vec<&String>) =
        dress.reviewers.iter().partition(|name| name.contains('/'));
    let teams: Vec<&str> = teams
        .iter()
        .filter_map(|name| name.rsplit('/').next())
        .collect();
    json!({ "reviewers": people, "team_reviewers": teams })
}
