//! Four thousand repositories at a forge that allows 5,000 requests an hour, fails in 2 % of them and is silent in 1 %,
//! in virtual time: GitHub's language, the bot's own client, and git from memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use docker_diet::forge::{
    self, BotError, Client, Clock, Dress, FileChange, GitError, Head, Kind, Made, Manner, Message,
    Proposal, Request, Response, Slug, Transport, Unanswered, Workshop, settle,
};
use serde_json::Value;

use crate::forge::{Asked, FakeForge, FakePull, split};

const REPOSITORIES: usize = 4000;
const AN_HOUR: Duration = Duration::from_secs(3600);
const ALLOWED: u64 = 5000;
const BRANCH: &str = "docker-diet/lean";

/// Time that passes only when somebody waits or asks.
struct Virtual {
    now: Mutex<Duration>,
    random: AtomicU64,
}

impl Virtual {
    fn pass(&self, time: Duration) {
        *lock(&self.now) += time;
    }

    /// Xorshift: the same run every time, as far as threads allow.
    fn chance(&self) -> u64 {
        let next = |mut it: u64| {
            it ^= it << 13;
            it ^= it >> 7;
            it ^ (it << 17)
        };
        let before = self
            .random
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| Some(next(it)));
        next(before.unwrap_or(1)) >> 11
    }
}

impl Clock for Virtual {
    fn now(&self) -> Duration {
        *lock(&self.now)
    }

    fn wait_until(&self, until: Duration) {
        let mut now = lock(&self.now);
        *now = (*now).max(until);
    }

    fn random(&self) -> u64 {
        self.chance()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The forge behind a bad line.
struct Weather {
    clock: Arc<Virtual>,
    forge: Mutex<FakeForge>,
    window: Mutex<(Duration, u64)>,
    put_off: AtomicU64,
    failed: AtomicU64,
    silent: AtomicU64,
}

impl Transport for Weather {
    fn send(&self, request: &Request) -> Result<Response, Unanswered> {
        self.clock.pass(Duration::from_millis(60));
        let now = self.clock.now();
        let (reset, left) = {
            let mut window = lock(&self.window);
            if now >= window.0 {
                *window = (now + AN_HOUR, 0);
            }
            window.1 += 1;
            (window.0, ALLOWED.checked_sub(window.1))
        };
        let header = |name: &str, value: u64| (name.to_owned(), value.to_string());
        let headers = vec![
            header("x-ratelimit-remaining", left.unwrap_or(0)),
            header("x-ratelimit-reset", reset.as_secs()),
        ];
        let plain = |status, headers| Response {
            status,
            headers,
            body: Vec::new(),
        };
        if left.is_none() {
            self.put_off.fetch_add(1, Ordering::SeqCst);
            return Ok(plain(403, headers));
        }
        // Half of what goes wrong goes wrong after it was carried out.
        let fate = self.clock.chance() % 200;
        if matches!(fate, 0 | 1) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Ok(plain(502, headers));
        }
        if fate == 4 {
            self.silent.fetch_add(1, Ordering::SeqCst);
            return Err(Unanswered("timed out".to_owned()));
        }
        let (path, query) = split(
            request
                .url
                .strip_prefix("https://api.github.com")
                .unwrap_or(""),
        );
        let answer = lock(&self.forge).handle(Asked {
            method: request.method.name().to_owned(),
            path,
            query,
            body: request.body.clone().unwrap_or(Value::Null),
        });
        if matches!(fate, 2 | 3) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Ok(plain(502, headers));
        }
        if fate == 5 {
            self.silent.fetch_add(1, Ordering::SeqCst);
            return Err(Unanswered("timed out".to_owned()));
        }
        let mut all = headers;
        all.extend(answer.headers);
        Ok(Response {
            status: answer.status,
            headers: all,
            body: answer.body.to_string().into_bytes(),
        })
    }
}

type Branches = Mutex<BTreeMap<String, BTreeMap<String, Head>>>;

/// A repository's git, from memory.
struct Memory<'a> {
    slug: &'a str,
    all: &'a Branches,
    heads: BTreeMap<String, Head>,
    pushes: &'a AtomicU64,
}

impl Workshop for Memory<'_> {
    fn base(&self) -> &str {
        "main"
    }

    fn heads(&self) -> &BTreeMap<String, Head> {
        &self.heads
    }

    fn commit(&self, proposal: &Proposal, _: &Message) -> Result<String, GitError> {
        Ok(format!("{:016x}{:016x}", proposal.plan, proposal.result()))
    }

    fn push(&self, branch: &str, commit: &str, known: Option<&str>) -> Result<(), GitError> {
        let mut all = lock(self.all);
        let heads = all.entry(self.slug.to_owned()).or_default();
        if heads.get(branch).map(Head::commit) != known {
            return Err(GitError::Moved(branch.to_owned()));
        }
        let part = |at: usize| u64::from_str_radix(&commit[at..at + 16], 16).expect("hex");
        let made = Made {
            plan: part(0),
            result: part(16),
            tree: String::new(),
        };
        let commit = commit.to_owned();
        heads.insert(branch.to_owned(), Head::Ours { commit, made });
        self.pushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn delete(&self, branch: &str, _: &str) -> Result<(), GitError> {
        let mut all = lock(self.all);
        all.entry(self.slug.to_owned()).or_default().remove(branch);
        Ok(())
    }
}

/// What is so about the repository of this number: three of four need a pull request.
fn needs(number: usize) -> bool {
    number % 4 != 3
}

fn slug(number: usize) -> String {
    format!("acme/service-{number:04}")
}

fn proposal(number: usize) -> Proposal {
    Proposal {
        branch: BRANCH.to_owned(),
        title: "build(docker): put the image on a diet".to_owned(),
        message: String::new(),
        text: format!("text {number}"),
        plan: number as u64 + 1,
        files: vec![FileChange {
            path: "Dockerfile".to_owned(),
            before: Some(b"FROM a\n".to_vec()),
            after: format!("FROM b{number}\n").into_bytes(),
        }],
    }
}

struct Sky {
    weather: Arc<Weather>,
    branches: Branches,
    pushes: AtomicU64,
    client: Client,
}

/// Goes once over all repositories with four workers; gives those that were not finished.
fn pass(sky: &Sky) -> Vec<(String, BotError)> {
    let forge = forge::forge(Kind::GitHub, sky.client.clone());
    let listed = forge
        .organisation("acme")
        .expect("it is listed in spite of the weather");
    assert_eq!(listed.len(), REPOSITORIES, "a repository was lost");
    let manner = Manner {
        dress: Dress {
            labels: vec!["docker".to_owned()],
            reviewers: vec!["ann".to_owned()],
            assignees: Vec::new(),
        },
        retire: true,
        ..Manner::default()
    };
    let next = AtomicUsize::new(0);
    let lost = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(known) = listed.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if known.archived || known.fork {
                        continue;
                    }
                    let name = known.slug.as_str();
                    let number: usize =
                        name[name.len() - 4..].parse().expect("it ends in a number");
                    let heads = lock(&sky.branches).get(name).cloned().unwrap_or_default();
                    let workshop = Memory {
                        slug: name,
                        all: &sky.branches,
                        heads,
                        pushes: &sky.pushes,
                    };
                    let proposals = if needs(number) {
                        vec![proposal(number)]
                    } else {
                        Vec::new()
                    };
                    let slug: &Slug = &known.slug;
                    if let Err(error) =
                        settle(Some(&*forge), Some(slug), &workshop, &proposals, &manner)
                    {
                        lock(&lost).push((name.to_owned(), error));
                    }
                }
            });
        }
    });
    lost.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn four_thousand_repositories_in_bad_weather() {
    let clock = Arc::new(Virtual {
        now: Mutex::new(Duration::from_secs(1_800_000_000)),
        random: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
    });
    let mut fake = FakeForge::new(Kind::GitHub, "https://api.github.com");
    for number in 0..REPOSITORIES {
        let repo = fake.add(&slug(number));
        repo.archived = number % 40 == 0;
        repo.fork = number % 40 == 1;
        if number % 40 == 2 {
            // Somebody closed the same plan before.
            let memory = forge::Memory {
                plan: format!("{:016x}", number + 1),
                ..forge::Memory::default()
            };
            repo.pulls.push(FakePull {
                number: 1,
                branch: BRANCH.to_owned(),
                base: "main".to_owned(),
                closed: true,
                body: memory.below("no, thank you"),
                ..FakePull::default()
            });
        }
    }
    let weather = Arc::new(Weather {
        clock: Arc::clone(&clock),
        forge: Mutex::new(fake),
        window: Mutex::default(),
        put_off: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        silent: AtomicU64::new(0),
    });
    let client = Client::new(
        Arc::clone(&weather) as Arc<dyn Transport>,
        Arc::clone(&clock) as Arc<dyn Clock>,
        "https://api.github.com",
    );
    let sky = Sky {
        weather,
        branches: Mutex::default(),
        pushes: AtomicU64::new(0),
        client,
    };
    let started = clock.now();
    let lost = pass(&sky);
    assert!(lost.is_empty(), "{lost:?}");
    let (requests, hours) = (
        sky.client.requests(),
        (clock.now() - started).as_secs_f64() / 3600.0,
    );
    let mut opened = 0;
    {
        let forge = lock(&sky.weather.forge);
        for number in 0..REPOSITORIES {
            let pulls = &forge.repos[&slug(number)].pulls;
            let open: Vec<&FakePull> = pulls.iter().filter(|pull| !pull.closed).collect();
            let wanted = needs(number) && number % 40 > 2;
            assert_eq!(
                open.len(),
                usize::from(wanted),
                "{}: {pulls:?}",
                slug(number)
            );
            assert!(pulls.len() <= 1, "a duplicate: {pulls:?}");
            for pull in open {
                opened += 1;
                assert_eq!(pull.labels, ["docker"]);
                assert_eq!(pull.reviewers, ["ann"]);
                let memory = forge::Memory::read(&pull.body).expect("it remembers");
                assert!(!memory.undressed, "it was left half done");
            }
        }
    }
    assert_eq!(sky.pushes.load(Ordering::SeqCst), opened);
    let writes = lock(&sky.weather.forge).writes().len();
    assert!(pass(&sky).is_empty());
    assert_eq!(
        lock(&sky.weather.forge).writes().len(),
        writes,
        "the second run wrote"
    );
    let second = sky.client.requests() - requests;
    let count = |number: &AtomicU64| number.load(Ordering::SeqCst);
    println!(
        "{REPOSITORIES} repositories, {opened} pull requests: {requests} requests, {:.2} for each repository, {:.2} for each pull request; {hours:.1} hours; second run {second} requests, {:.2} for each repository; {} errors, {} silences, {} put off",
        requests as f64 / REPOSITORIES as f64,
        requests as f64 / opened as f64,
        second as f64 / REPOSITORIES as f64,
        count(&sky.weather.failed),
        count(&sky.weather.silent),
        count(&sky.weather.put_off),
    );
    assert!(hours < 24.0 && count(&sky.weather.failed) > 100 && count(&sky.weather.silent) > 50);
}
