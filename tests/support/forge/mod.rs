//! A forge with a memory, which speaks three languages: GitHub's, GitLab's, and that of Gitea and Forgejo.
//!
//! It answers as the forges' published descriptions have it, as far as the bot asks; `examples/bot.rs` checks the
//! bot's requests against those descriptions themselves.

pub(crate) mod server;
pub(crate) mod world;

use std::collections::BTreeMap;

use docker_diet::forge::Kind;
use serde_json::{Value, json};

/// A pull request of the fake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FakePull {
    pub(crate) number: u64,
    pub(crate) branch: String,
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) closed: bool,
    pub(crate) merged: bool,
    pub(crate) draft: bool,
    /// It comes from a fork.
    pub(crate) from_fork: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) reviewers: Vec<String>,
    pub(crate) assignees: Vec<String>,
    pub(crate) comments: Vec<String>,
}

/// A repository of the fake.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeRepo {
    pub(crate) archived: bool,
    pub(crate) fork: bool,
    pub(crate) mirror: bool,
    pub(crate) default_branch: String,
    pub(crate) pulls: Vec<FakePull>,
    /// Labels that were made, at Gitea.
    pub(crate) labels: Vec<String>,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Value,
}

/// What goes back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

/// The forge.
pub(crate) struct FakeForge {
    pub(crate) kind: Kind,
    /// Where its API is, for links.
    pub(crate) api: String,
    pub(crate) repos: BTreeMap<String, FakeRepo>,
    pub(crate) log: Vec<Asked>,
    /// Elements of a page, at most what is asked for.
    pub(crate) page: usize,
}

impl FakeForge {
    pub(crate) fn new(kind: Kind, api: &str) -> Self {
        Self {
            kind,
            api: api.to_owned(),
            repos: BTreeMap::new(),
            log: Vec::new(),
            page: 100,
        }
    }

    /// Adds a plain repository.
    pub(crate) fn add(&mut self, slug: &str) -> &mut FakeRepo {
        let repo = FakeRepo {
            default_branch: "main".to_owned(),
            ..FakeRepo::default()
        };
        self.repos.entry(slug.to_owned()).or_insert(repo)
    }

    /// Requests that write.
    pub(crate) fn writes(&self) -> Vec<&Asked> {
        self.log
            .iter()
            .filter(|asked| asked.method != "GET")
            .collect()
    }

    /// Answers a request; `path` is below that of the API, `query` is decoded.
    pub(crate) fn handle(&mut self, asked: Asked) -> Answer {
        self.log.push(asked.clone());
        let found = match self.kind {
            Kind::GitHub => self.github(&asked),
            Kind::Gitea => self.gitea(&asked),
            Kind::GitLab => self.gitlab(&asked),
        };
        found.unwrap_or_else(|| answer(404, json!({ "message": "Not Found" })))
    }

    fn github(&mut self, asked: &Asked) -> Option<Answer> {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["orgs" | "users", owner, "repos"]) => self.list_repos(asked, owner),
            ("GET", ["repos", owner, name]) => {
                let slug = format!("{owner}/{name}");
                let repo = self.repos.get(&slug)?;
                Some(answer(200, describe(self.kind, &slug, repo)))
            }
            (method, ["repos", owner, name, rest @ ..]) => {
                let slug = format!("{owner}/{name}");
                match (method, rest) {
                    ("GET", ["pulls"]) => self.list_pulls(asked, &slug),
                    ("POST", ["pulls"]) => self.open(asked, &slug),
                    ("PATCH", ["pulls", number]) => self.change(asked, &slug, number),
                    ("POST", ["pulls", number, "requested_reviewers"]) => {
                        let names = strings(&asked.body["reviewers"]);
                        let pull = self.pull(&slug, number)?;
                        add(&mut pull.reviewers, names);
                        self.show(201, &slug, number)
                    }
                    ("POST", ["issues", number, what @ ("labels" | "assignees")]) => {
                        let names = strings(&asked.body[*what]);
                        let pull = self.pull(&slug, number)?;
                        match *what {
                            "labels" => add(&mut pull.labels, names),
                            _ => add(&mut pull.assignees, names),
                        }
                        Some(answer(200, json!([])))
                    }
                    ("GET", ["issues", number, "comments"]) => self.comments(&slug, number),
                    ("POST", ["issues", number, "comments"]) => self.comment(asked, &slug, number),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn gitea(&mut self, asked: &Asked) -> Option<Answer> {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["repos", owner, name, "labels"]) => {
                let repo = self.repos.get(&format!("{owner}/{name}"))?;
                let labels = repo.labels.iter().enumerate();
                let labels: Vec<Value> = labels
                    .map(|(id, name)| json!({ "id": id, "name": name }))
                    .collect();
                Some(answer(200, labels.into()))
            }
            ("POST", ["repos", owner, name, "labels"]) => {
                let repo = self.repos.get_mut(&format!("{owner}/{name}"))?;
                let label = asked.body["name"].as_str()?.to_owned();
                if repo.labels.contains(&label) {
                    return Some(answer(409, json!({ "message": "exists" })));
                }
                repo.labels.push(label.clone());
                let made = json!({ "id": repo.labels.len() - 1, "name": label });
                Some(answer(201, made))
            }
            ("POST", ["repos", owner, name, "issues", number, "labels"]) => {
                let slug = format!("{owner}/{name}");
                let known = self.repos.get(&slug)?.labels.clone();
                let ids = asked.body["labels"].as_array()?;
                let names = ids
                    .iter()
                    .filter_map(|id| known.get(id.as_u64()? as usize).cloned());
                let names = names.collect();
                add(&mut self.pull(&slug, number)?.labels, names);
                Some(answer(200, json!([])))
            }
            ("PATCH", ["repos", owner, name, "issues", number]) => {
                let names = strings(&asked.body["assignees"]);
                self.pull(&format!("{owner}/{name}"), number)?.assignees = names;
                Some(answer(201, json!({})))
            }
            _ => self.github(asked),
        }
    }

    fn gitlab(&mut self, asked: &Asked) -> Option<Answer> {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["groups" | "users", name, "projects"]) => self.list_repos(asked, name),
            ("GET", ["users"]) => {
                let name = query(asked, "username").unwrap_or_default();
                Some(match name.starts_with("no") {
                    true => answer(200, json!([])),
                    false => answer(200, json!([{ "id": name.len(), "username": name }])),
                })
            }
            (method, ["projects", slug, rest @ ..]) => {
                let slug = slug.replace("%2F", "/");
                match (method, rest) {
                    ("GET", []) => {
                        let repo = self.repos.get(&slug)?;
                        Some(answer(200, describe(self.kind, &slug, repo)))
                    }
                    ("GET", ["merge_requests"]) => self.list_pulls(asked, &slug),
                    ("POST", ["merge_requests"]) => self.open(asked, &slug),
                    ("PUT", ["merge_requests", number]) => self.change(asked, &slug, number),
                    ("GET", ["merge_requests", number, "notes"]) => self.comments(&slug, number),
                    ("POST", ["merge_requests", number, "notes"]) => {
                        self.comment(asked, &slug, number)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn list_repos(&self, asked: &Asked, owner: &str) -> Option<Answer> {
        let of = |slug: &&String| slug.rsplit_once('/').is_some_and(|(it, _)| it == owner);
        let slugs: Vec<&String> = self.repos.keys().filter(of).collect();
        if slugs.is_empty() {
            return None;
        }
        let all = slugs
            .iter()
            .map(|slug| describe(self.kind, slug, &self.repos[*slug]));
        Some(self.paged(asked, all.collect()))
    }

    fn list_pulls(&self, asked: &Asked, slug: &str) -> Option<Answer> {
        let repo = self.repos.get(slug)?;
        let owner = slug.rsplit_once('/')?.0;
        let wanted = query(asked, "head").or_else(|| query(asked, "source_branch"));
        let all = repo.pulls.iter().rev();
        let all = all.filter(|pull| {
            wanted.is_none_or(|wanted| {
                wanted == pull.branch || wanted == format!("{owner}:{}", pull.branch)
            })
        });
        let all = all.map(|pull| self.describe_pull(slug, pull));
        Some(self.paged(asked, all.collect()))
    }

    fn paged(&self, asked: &Asked, all: Vec<Value>) -> Answer {
        let number = |name| query(asked, name)?.parse::<usize>().ok();
        let size = number("per_page")
            .or(number("limit"))
            .unwrap_or(30)
            .min(self.page);
        let page = number("page").unwrap_or(1);
        let mut found = answer(
            200,
            all.iter()
                .skip((page - 1) * size)
                .take(size)
                .cloned()
                .collect::<Vec<_>>()
                .into(),
        );
        if page * size < all.len() {
            let rest: Vec<String> = asked
                .query
                .iter()
                .filter(|(name, _)| name != "page")
                .map(|(name, value)| format!("{name}={value}&"))
                .collect();
            let next = format!(
                "<{}{}?{}page={}>; rel=\"next\"",
                self.api,
                asked.path,
                rest.concat(),
                page + 1
            );
            found.headers.push(("link".to_owned(), next));
        }
        found
    }

    fn open(&mut self, asked: &Asked, slug: &str) -> Option<Answer> {
        let body = &asked.body;
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| body[*name].as_str());
            found.map(str::to_owned)
        };
        let branch = text(&["head", "source_branch"])?;
        let kind = self.kind;
        let repo = self.repos.get_mut(slug)?;
        if repo.archived {
            return Some(answer(403, json!({ "message": "Repository was archived" })));
        }
        if repo
            .pulls
            .iter()
            .any(|it| it.branch == branch && !it.closed && !it.from_fork)
        {
            let status = if kind == Kind::GitHub { 422 } else { 409 };
            let said = json!({ "message": "a pull request already exists for this branch" });
            return Some(answer(status, said));
        }
        let number = repo.pulls.len() as u64 + 1;
        repo.pulls.push(FakePull {
            number,
            branch,
            base: text(&["base", "target_branch"])?,
            title: text(&["title"])?,
            body: text(&["body", "description"]).unwrap_or_default(),
            draft: body["draft"] == true,
            ..FakePull::default()
        });
        self.show(201, slug, &number.to_string())
    }

    fn change(&mut self, asked: &Asked, slug: &str, number: &str) -> Option<Answer> {
        let body = asked.body.clone();
        let pull = self.pull(slug, number)?;
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| body[*name].as_str());
            found.map(str::to_owned)
        };
        if let Some(title) = text(&["title"]) {
            pull.title = title;
        }
        if let Some(body) = text(&["body", "description"]) {
            pull.body = body;
        }
        if let Some(base) = text(&["base", "target_branch"]) {
            pull.base = base;
        }
        if body["state"] == "closed" || body["state_event"] == "close" {
            pull.closed = true;
        }
        // An array, as the description has it; GitLab itself takes names with commas between them too.
        if let Some(labels) = body["add_labels"].as_array() {
            let names = labels.iter().filter_map(Value::as_str);
            add(&mut pull.labels, names.map(str::to_owned).collect());
        }
        for (key, names) in [
            ("reviewer_ids", &mut pull.reviewers),
            ("assignee_ids", &mut pull.assignees),
        ] {
            if let Some(ids) = body[key].as_array() {
                *names = ids.iter().map(Value::to_string).collect();
            }
        }
        self.show(200, slug, number)
    }

    fn comments(&mut self, slug: &str, number: &str) -> Option<Answer> {
        let comments = self.pull(slug, number)?.comments.clone();
        let comments: Vec<Value> = comments.iter().map(|it| json!({ "body": it })).collect();
        Some(answer(200, comments.into()))
    }

    fn comment(&mut self, asked: &Asked, slug: &str, number: &str) -> Option<Answer> {
        let text = asked.body["body"].as_str()?.to_owned();
        self.pull(slug, number)?.comments.push(text);
        Some(answer(201, json!({})))
    }

    fn pull(&mut self, slug: &str, number: &str) -> Option<&mut FakePull> {
        let number: u64 = number.parse().ok()?;
        let repo = self.repos.get_mut(slug)?;
        repo.pulls.iter_mut().find(|pull| pull.number == number)
    }

    fn show(&mut self, status: u16, slug: &str, number: &str) -> Option<Answer> {
        let pull = self.pull(slug, number)?.clone();
        Some(answer(status, self.describe_pull(slug, &pull)))
    }

    fn describe_pull(&self, slug: &str, pull: &FakePull) -> Value {
        let url = format!("https://forge.test/{slug}/pull/{}", pull.number);
        let from = if pull.from_fork {
            "somebody/fork"
        } else {
            slug
        };
        let state = if pull.closed { "closed" } else { "open" };
        match self.kind {
            Kind::GitLab => json!({
                "iid": pull.number, "web_url": url, "description": pull.body, "title": pull.title,
                "state": if pull.merged { "merged" } else if pull.closed { "closed" } else { "opened" },
                "source_branch": pull.branch, "target_branch": pull.base,
                "source_project_id": from.len(), "target_project_id": slug.len(),
            }),
            Kind::GitHub | Kind::Gitea => json!({
                "number": pull.number, "html_url": url, "body": pull.body, "title": pull.title,
                "state": state, "merged": pull.merged,
                "merged_at": pull.merged.then_some("2026-01-01T00:00:00Z"),
                "head": {
                    "ref": pull.branch, "label": pull.branch, "repo_id": from.len(),
                    "repo": { "full_name": from },
                },
                "base": { "ref": pull.base, "label": pull.base, "repo_id": slug.len() },
            }),
        }
    }
}

fn describe(kind: Kind, slug: &str, repo: &FakeRepo) -> Value {
    match kind {
        Kind::GitLab => json!({
            "path_with_namespace": slug, "default_branch": repo.default_branch,
            "archived": repo.archived, "mirror": repo.mirror,
            "forked_from_project": repo.fork.then(|| json!({ "id": 1 })),
        }),
        Kind::GitHub => json!({
            "full_name": slug, "default_branch": repo.default_branch, "archived": repo.archived,
            "fork": repo.fork, "disabled": false,
            "mirror_url": repo.mirror.then_some("https://elsewhere.test/x"),
        }),
        Kind::Gitea => json!({
            "full_name": slug, "default_branch": repo.default_branch, "archived": repo.archived,
            "fork": repo.fork, "mirror": repo.mirror, "empty": false,
        }),
    }
}

fn answer(status: u16, body: Value) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body,
    }
}

fn query<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    let found = asked.query.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn strings(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    values
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect()
}

fn add(known: &mut Vec<String>, names: Vec<String>) {
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
}

/// Splits `a?b=c%2Fd` into path and decoded query.
pub(crate) fn split(target: &str) -> (String, Vec<(String, String)>) {
    let (path, rest) = target.split_once('?').unwrap_or((target, ""));
    let pairs = rest.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), decode(value)));
    (path.to_owned(), pairs.collect())
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%'
            && let (Some(one), Some(two)) = (bytes.next(), bytes.next())
            && let Ok(code) = u8::from_str_radix(&String::from_utf8_lossy(&[one, two]), 16)
        {
            out.push(code);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
