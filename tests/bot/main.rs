//! `docker-diet pr` against real git over HTTP and a forge with a memory.
#![expect(clippy::print_stdout, reason = "the simulation tells its figures")]

#[path = "../support/forge/mod.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod forge;

mod behaviour;
mod hostile;
mod secrets;
mod simulation;

use std::path::Path;

use docker_diet::forge::Kind;
use forge::world::World;

/// A forge whose bot is the program under test.
fn world(kind: Kind) -> World {
    World::new(kind, Path::new(env!("CARGO_BIN_EXE_docker-diet")))
}
