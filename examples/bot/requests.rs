//! Every request that the bot makes, written down one a line, to be held against the forge's published description.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use docker_diet::forge::{
    self, Change, Client, Dress, Forge, Kind, Network, NewPull, Request, Response, Slug,
    SystemClock, Token, Transport, Unanswered,
};
use serde_json::{Value, json};

use crate::forge::{Asked, FakeForge, split};

struct Recorder {
    forge: Mutex<FakeForge>,
    file: Mutex<File>,
}

impl Transport for Recorder {
    fn send(&self, request: &Request) -> Result<Response, Unanswered> {
        let (path, query) = split(request.url.strip_prefix("https://forge.test").unwrap_or(""));
        let pairs: Vec<Value> = query
            .iter()
            .map(|(name, value)| json!([name, value]))
            .collect();
        let headers: Vec<&str> = request
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let line = json!({
            "method": request.method.name(), "path": path, "query": pairs, "body": request.body,
            "headers": headers,
        });
        let mut file = self.file.lock().expect("one at a time");
        writeln!(file, "{line}").expect("written");
        let answer = self.forge.lock().expect("one at a time").handle(Asked {
            method: request.method.name().to_owned(),
            path,
            query,
            body: request.body.clone().unwrap_or(Value::Null),
        });
        Ok(Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body.to_string().into_bytes(),
        })
    }
}

/// Calls everything that the trait has, and writes the requests to `path`.
pub(crate) fn record(kind: Kind, path: &Path) {
    let mut fake = FakeForge::new(kind, "https://forge.test");
    fake.add("acme/shop");
    fake.page = 1;
    fake.add("acme/other");
    let recorder = Recorder {
        forge: Mutex::new(fake),
        file: Mutex::new(File::create(path).expect("a file")),
    };
    let client = Client::new(
        Arc::new(recorder),
        Arc::new(SystemClock),
        "https://forge.test",
    );
    let forge = forge::forge(kind, client);
    call_everything(&*forge, "acme/shop", "acme", "nobody");
    println!(
        "{}: {} requests in {}",
        kind.name(),
        forge.requests(),
        path.display()
    );
}

/// The same calls over the network to a mock that checks them against the description and answers by its examples:
/// `prism mock --errors api.github.com.deref.json`.
pub(crate) fn mock(kind: Kind, url: &str) {
    let token = Token::new("a-token", "this example").expect("a token");
    let client = Client::new(Arc::new(Network::default()), Arc::new(SystemClock), url)
        .with_token("Bearer", Some(&token));
    let forge = forge::forge(kind, client);
    call_everything(&*forge, "octocat/hello-world", "octocat", "octocat");
    println!(
        "{}: {} requests were taken by {url}",
        kind.name(),
        forge.requests()
    );
}

fn call_everything(forge: &dyn Forge, slug: &str, organisation: &str, other: &str) {
    let slug = Slug::new(slug).expect("a name");
    forge.repository(&slug).expect("it is there");
    forge.organisation(organisation).expect("it is there");
    // One that does not exist is asked for as a user.
    let _ = forge.organisation(other);
    let branch = "docker-diet/lean".to_owned();
    forge
        .pulls(&slug, std::slice::from_ref(&branch))
        .expect("a list");
    let new = NewPull {
        branch: &branch,
        base: "main",
        title: "build(docker): put the image on a diet",
        body: "text",
        draft: true,
    };
    let number = forge.open(&slug, &new).expect("it is opened").number;
    let dress = Dress {
        labels: vec!["docker".to_owned(), "lean".to_owned()],
        reviewers: vec!["ann".to_owned(), "acme/platform".to_owned()],
        assignees: vec!["bob".to_owned()],
    };
    let warnings = forge.dress(&slug, number, &dress).expect("it is dressed");
    warnings
        .iter()
        .for_each(|warning| println!("warning: {warning}"));
    let both = Change {
        title: Some("t"),
        body: Some("b"),
        base: Some("main"),
        close: false,
    };
    let end = Change {
        body: Some("b"),
        close: true,
        ..Change::default()
    };
    for change in [both, end] {
        forge.change(&slug, number, &change).expect("it is changed");
    }
    let mark = "<!-- mark -->";
    forge
        .remark(&slug, number, mark, "why <!-- mark -->")
        .expect("it is said");
}
