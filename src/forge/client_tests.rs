use std::collections::VecDeque;

use serde_json::json;

use super::*;
use crate::forge::http::Unanswered;

/// A clock that waits by moving on.
#[derive(Default)]
struct Virtual(Mutex<Duration>);

impl Clock for Virtual {
    fn now(&self) -> Duration {
        *self.0.lock().expect("no test panics with it")
    }

    fn wait_until(&self, until: Duration) {
        let mut now = self.0.lock().expect("no test panics with it");
        *now = now.max(until);
    }

    fn random(&self) -> u64 {
        u64::MAX
    }
}

type Answer = Result<Response, Unanswered>;

/// Gives prepared answers, and remembers when it was asked what.
struct Script {
    clock: Arc<Virtual>,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<(u64, Request)>>,
}

impl Transport for Script {
    fn send(&self, request: &Request) -> Answer {
        let at = self.clock.now().as_secs();
        self.asked.lock().expect("free").push((at, request.clone()));
        let next = self.answers.lock().expect("free").pop_front();
        next.expect("an answer is prepared for every request")
    }
}

fn client(answers: impl IntoIterator<Item = Answer>) -> (Client, Arc<Script>, Arc<Virtual>) {
    let clock = Arc::new(Virtual::default());
    let script = Arc::new(Script {
        clock: Arc::clone(&clock),
        answers: Mutex::new(answers.into_iter().collect()),
        asked: Mutex::default(),
    });
    let token = Token::new("s3cr3t", "a test").expect("a token");
    let client = Client::new(
        Arc::clone(&script) as Arc<dyn Transport>,
        Arc::clone(&clock) as Arc<dyn Clock>,
        "https://forge.test/api/",
    )
    .with_token("Bearer", Some(&token));
    (client, script, clock)
}

fn answer(status: u16, body: &str) -> Answer {
    with(status, &[], body)
}

fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    Ok(Response {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
    })
}

fn lost() -> Answer {
    Err(Unanswered("timed out with s3cr3t".to_owned()))
}

fn times(script: &Script) -> Vec<u64> {
    let asked = script.asked.lock().expect("free");
    asked.iter().map(|(at, _)| *at).collect()
}

#[test]
fn errors_of_the_forge_and_timeouts_are_tried_again_with_growing_pauses() {
    let (client, script, _) =
        client([answer(502, ""), lost(), answer(500, ""), answer(200, "[1]")]);
    assert_eq!(client.get("/x"), Ok(json!([1])));
    let times = times(&script);
    assert_eq!(times.len(), 4);
    assert!(
        times[1] - times[0] <= 1 && times[3] - times[2] >= 2,
        "{times:?}"
    );
    assert_eq!(client.requests(), 4);
}

#[test]
fn patience_ends() {
    let (client, script, _) = client((0..MOST_TRIES).map(|_| lost()));
    let error = client.get("/x?token=1").expect_err("it never answers");
    assert_eq!(error.to_string(), "GET /x: timed out with ***, 6 times");
    assert_eq!(times(&script).len(), 6);
}

#[test]
fn other_refusals_are_not_tried_again() {
    for status in [400, 401, 403, 404, 409, 410, 422] {
        let (client, script, _) = client([answer(
            status,
            "{\"message\":\"no s3cr3t\",\"errors\":[{\"field\":\"base\"}]}",
        )]);
        let error = client
            .call(Method::Patch, "/x", Some(json!({})))
            .expect_err("it is refused");
        assert_eq!(error.status(), Some(status));
        assert_eq!(times(&script).len(), 1, "{status}");
        let text = error.to_string();
        assert!(text.contains(": no *** [{\"field\":\"base\"}]"), "{text}");
    }
}

#[test]
fn what_creates_is_not_sent_twice_unseen() {
    for unclear in [lost(), answer(502, "")] {
        let (client, script, _) = client([unclear]);
        let error = client
            .call(Method::Post, "/x", Some(json!({"a": 1})))
            .expect_err("it is unclear");
        assert!(error.may_be_there(), "{error}");
        assert_eq!(times(&script).len(), 1);
    }
}

#[test]
fn a_limit_is_waited_for_also_by_what_creates() {
    let (client, script, clock) = client([
        with(
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "600")],
            "",
        ),
        with(429, &[("retry-after", "30")], ""),
        answer(201, "{}"),
    ]);
    assert_eq!(client.call(Method::Post, "/x", None), Ok(json!({})));
    let times = times(&script);
    assert_eq!(times[0], 0);
    assert!((601..=603).contains(&times[1]), "{times:?}");
    assert!(
        times[2] >= times[1] + 30 && times[2] <= times[1] + 32,
        "{times:?}"
    );
    assert!(clock.now() < Duration::from_secs(700));
}

#[test]
fn the_last_request_of_an_hour_holds_the_others_back() {
    let (client, script, _) = client([
        with(
            200,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")],
            "1",
        ),
        answer(200, "2"),
    ]);
    let other = client.clone();
    assert_eq!(client.get("/a"), Ok(json!(1)));
    assert_eq!(other.get("/b"), Ok(json!(2)));
    assert!(times(&script)[1] >= 901);
}

#[test]
fn a_limit_of_a_day_is_not_waited_for() {
    let (client, _, clock) = client([with(429, &[("retry-after", "86400")], "")]);
    let error = client.get("/a").expect_err("too long");
    assert!(
        error.to_string().contains("another 1440 minutes"),
        "{error}"
    );
    assert_eq!(clock.now(), Duration::ZERO);
}

#[test]
fn writes_keep_their_distance() {
    let (client, script, _) = client((0..3).map(|_| answer(200, "{}")));
    let client = client.with_write_pause(Duration::from_secs(2));
    for _ in 0..3 {
        let done = client.call(Method::Patch, "/x", Some(json!({})));
        assert!(done.is_ok());
    }
    assert_eq!(times(&script), [0, 2, 4]);
}

#[test]
fn a_dry_run_sends_nothing_that_writes() {
    let (client, script, _) = client([answer(200, "{}")]);
    let client = client.read_only(true);
    for method in [Method::Post, Method::Patch, Method::Put, Method::Delete] {
        let error = client.call(method, "/x", None).expect_err("it writes");
        assert!(matches!(error, ApiError::DryRun(_)), "{error}");
    }
    assert!(client.get("/x").is_ok());
    assert_eq!(times(&script).len(), 1);
}

#[test]
fn pages_are_followed_at_the_same_host_only() {
    let next = "<https://forge.test/api/x?page=2>; rel=\"next\", <https://forge.test/api/x?page=9>; rel=\"last\"";
    let elsewhere = "<https://evil.test/api/x?page=3>; rel=\"next\"";
    let (client, script, _) = client([
        with(200, &[("link", next)], "[1,2]"),
        with(200, &[("link", elsewhere)], "[3]"),
    ]);
    let mut all = Vec::new();
    client
        .pages("/x?page=1", |page| {
            all.extend(page);
            true
        })
        .expect("two pages");
    assert_eq!(all, [json!(1), json!(2), json!(3)]);
    let asked = script.asked.lock().expect("free");
    let urls: Vec<&str> = asked.iter().map(|(_, it)| it.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://forge.test/api/x?page=1",
            "https://forge.test/api/x?page=2"
        ]
    );
}

#[test]
fn strange_answers_are_errors() {
    let (client, ..) = client([answer(200, "<html>"), answer(200, "{}")]);
    assert!(matches!(client.get("/x"), Err(ApiError::Strange { .. })));
    assert!(matches!(
        client.pages("/x", |_| true),
        Err(ApiError::Strange { .. })
    ));
}
