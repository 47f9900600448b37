//! Repositories whose owners mean harm. Each test is one try; none may run a program, write outside, read what is not
//! theirs, or put words into the bot's mouth.

mod texts;
mod trees;

use std::fs;

use crate::forge::world::{Ran, World};

const BRANCH: &str = "docker-diet/lean";

/// A file that appears when a try succeeds in running something.
fn canary(world: &World) -> std::path::PathBuf {
    world.folder.path().join("canary")
}

#[track_caller]
fn harmless(world: &World, ran: &Ran) {
    assert!(
        !canary(world).exists(),
        "something of the repository was run"
    );
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
    let left = fs::read_dir(world.folder.path().join("work")).expect("it is there");
    assert_eq!(left.count(), 0, "something was left in the scratch folder");
}

fn body(world: &World, slug: &str) -> String {
    let forge = world.server.forge();
    let pull = forge.repos[slug].pulls.first().expect("a pull request");
    pull.body.clone()
}
