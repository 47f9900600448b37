//! The bot over many repositories, and its requests against the forges' own descriptions.
//!
//! ```sh
//! cargo build --bin docker-diet
//! cargo run --example bot -- repositories            # 200 of them; killed at 30 random points
//! cargo run --example bot -- repositories 60 5 7     # fewer, at other points
//! cargo run --example bot -- shards 4                # as a matrix of CI runs them: processes side by side
//! cargo run --example bot -- requests github out.jsonl   # every request the bot makes; see examples/bot/check.py
//! cargo run --example bot -- mock github http://127.0.0.1:4010   # the same requests, sent to a validating mock
//! cargo run --example bot -- forge gitea http://127.0.0.1:3000 OWNER   # a real one; its token in DOCKER_DIET_TOKEN
//! ```
#![expect(clippy::print_stdout, reason = "it reports to whoever runs it")]

#[path = "../tests/support/forge/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod forge;

#[path = "bot/many.rs"]
mod many;
#[path = "bot/real.rs"]
mod real;
#[path = "bot/requests.rs"]
mod requests;

use std::path::PathBuf;
use std::process::ExitCode;

use docker_diet::forge::Kind;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    match words.as_slice() {
        ["repositories"] => many::repositories(200, 30, 0),
        ["repositories", count, kills, seed] => {
            many::repositories(
                number(count) as usize,
                number(kills),
                u64::from(number(seed)),
            );
        }
        ["shards", shards] => many::shards(200, u64::from(number(shards))),
        ["requests", kind, path] => requests::record(kind_of(kind), path.as_ref()),
        ["mock", kind, url] => requests::mock(kind_of(kind), url),
        ["forge", kind, web, owner] => real::try_forge(kind_of(kind), web, owner),
        _ => {
            println!("see the top of examples/bot.rs");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn kind_of(name: &str) -> Kind {
    match name {
        "github" => Kind::GitHub,
        "gitlab" => Kind::GitLab,
        _ => Kind::Gitea,
    }
}

/// The program beside this example: `target/debug/docker-diet` for `target/debug/examples/bot`.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("it has a path");
    let folder = own.parent().and_then(|examples| examples.parent());
    let program = folder.expect("it is in examples").join("docker-diet");
    assert!(
        program.exists(),
        "build it first: cargo build --bin docker-diet"
    );
    program
}
