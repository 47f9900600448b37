//! Two hundred repositories made from the samples and variants of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use docker_diet::forge::Kind;

use crate::forge::world::{World, git};
use crate::forge::{FakeRepo, server::Server};

/// What a run leaves: branches and their commits, and pull requests without what they say to people.
type State = BTreeMap<String, (Vec<(String, String)>, Vec<(String, bool, String)>)>;

/// So many runs are killed one after the other before one is left to end.
const IN_A_ROW: u32 = 3;

/// Makes the repositories, runs the bot twice, then kills it at random points and runs it again.
pub(crate) fn repositories(count: usize, kills: u32, seed_of_chance: u64) {
    let program = crate::program();
    let world = World::new(Kind::Gitea, &program);
    let needing = make(&world, count);
    println!(
        "{count} repositories, {} of them need a pull request",
        needing.len()
    );
    let seed = world.folder.path().join("seed");
    copy(&world.folder.path().join("repositories"), &seed);
    let list = list(&world, count);
    let (seconds, code) = run(&world, &list, None);
    let whole = Duration::from_secs_f64(seconds);
    let after = state(&world);
    let opened: Vec<&String> = after
        .iter()
        .filter(|(_, (_, pulls))| pulls.len() == 1)
        .map(|(slug, _)| slug)
        .collect();
    let twice = after.values().filter(|(_, pulls)| pulls.len() > 1).count();
    assert_eq!(code, Some(0));
    assert_eq!(
        opened,
        needing.iter().collect::<Vec<_>>(),
        "one for each that needs one, none for others"
    );
    assert_eq!(twice, 0);
    println!(
        "first run, --jobs 4: {seconds:.1} s, {} pull requests, {} pushes, {} requests",
        opened.len(),
        world.server.pushes(),
        world.server.forge().log.len()
    );
    let (writes, pushes) = (world.server.forge().writes().len(), world.server.pushes());
    let (seconds, _) = run(&world, &list, None);
    assert_eq!(
        (world.server.forge().writes().len(), world.server.pushes()),
        (writes, pushes)
    );
    assert_eq!(state(&world), after);
    println!("second run: {seconds:.1} s, no write");
    let mut chance = 0x2545_f491_4f6c_dd1d_u64 ^ seed_of_chance;
    let mut killed = 0;
    while killed < kills {
        let world = again(&program, &seed, count);
        let list = self::list(&world, count);
        // Several in a row: a run that goes on after a kill is killed too.
        for _ in 0..IN_A_ROW.min(kills - killed) {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            let at = whole.mul_f64((chance % 1000) as f64 / 1500.0);
            let (_, code) = run(&world, &list, Some(at));
            killed += u32::from(code.is_none());
            let forge = world.server.forge();
            let pulls: usize = forge.repos.values().map(|repo| repo.pulls.len()).sum();
            drop(forge);
            println!(
                "{} after {:.2} s with {} pushes and {} pull requests ({killed}/{kills})",
                if code.is_none() { "killed" } else { "ended" },
                at.as_secs_f64(),
                world.server.pushes(),
                pulls,
            );
        }
        let (_, last) = run(&world, &list, None);
        assert_eq!(last, Some(0), "the run after a kill");
        assert_eq!(state(&world), after);
        println!("run again: the same end state");
    }
}

/// The same repositories, divided among processes that run side by side.
pub(crate) fn shards(count: usize, shards: u64) {
    let world = World::new(Kind::Gitea, &crate::program());
    let needing = make(&world, count);
    let list = list(&world, count);
    let started = Instant::now();
    let children: Vec<_> = (0..shards)
        .map(|index| {
            let shard = format!("{index}/{shards}");
            let mut command = world.command(&[
                "--repos-from",
                &list,
                "--jobs",
                "1",
                "--shard",
                &shard,
                "--format",
                "json",
            ]);
            (
                index,
                command.stdout(Stdio::piped()).spawn().expect("it starts"),
            )
        })
        .collect();
    for (index, child) in children {
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        println!(
            "shard {index}/{shards}: {}",
            text.lines().last().unwrap_or_default()
        );
        assert!(output.status.success());
    }
    let after = state(&world);
    let opened = after.values().filter(|(_, pulls)| pulls.len() == 1).count();
    assert_eq!(opened, needing.len());
    assert!(after.values().all(|(_, pulls)| pulls.len() <= 1));
    println!(
        "{shards} processes: {:.1} s, {opened} pull requests for {} that need one",
        started.elapsed().as_secs_f64(),
        needing.len()
    );
}

fn slug(number: usize) -> String {
    format!("acme/app-{number:03}")
}

/// Makes the repositories, and gives those in which `fix --check` finds something.
fn make(world: &World, count: usize) -> Vec<String> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut folders: Vec<_> = fs::read_dir(&samples)
        .expect("the samples")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("Dockerfile").is_file())
        .collect();
    folders.sort();
    let mut needing = Vec::new();
    for number in 0..count {
        let slug = slug(number);
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let tree = scratch.path().join("tree");
        copy(&folders[number % folders.len()], &tree);
        vary(&tree, number / folders.len(), &world.program);
        git(&tree, &["init", "--quiet", "--initial-branch=main", "."]);
        git(&tree, &["add", "--all", "--force"]);
        git(&tree, &["commit", "--quiet", "-m", "sample"]);
        let bare = world.bare(&slug);
        fs::create_dir_all(bare.parent().expect("it has one")).expect("folders");
        git(
            scratch.path(),
            &[
                "clone",
                "--quiet",
                "--template=",
                "--bare",
                "tree",
                bare.to_str().expect("plain"),
            ],
        );
        world.server.forge().add(&slug);
        let check = Command::new(&world.program)
            .args(["fix", "--check", "--quiet", "."])
            .current_dir(&tree)
            .stdout(Stdio::null())
            .status()
            .expect("it runs");
        match check.code() {
            Some(1) => needing.push(slug),
            Some(0) => {}
            other => panic!("fix --check of {slug} ended with {other:?}"),
        }
    }
    needing
}

/// The first round is as the samples are; then with a remark, with CRLF, already fixed, and in a folder below.
fn vary(tree: &Path, round: usize, program: &Path) {
    let path = tree.join("Dockerfile");
    let text = fs::read(&path).expect("it is there");
    match round {
        1 => fs::write(
            &path,
            [b"# A remark of the team.\n", text.as_slice()].concat(),
        )
        .expect("written"),
        2 => {
            let fixed = Command::new(program)
                .args(["fix", "--quiet", "."])
                .current_dir(tree)
                .status();
            assert!(fixed.expect("it runs").success());
        }
        3 => {
            let below = tree.with_file_name("below");
            fs::create_dir(&below).expect("a folder");
            fs::rename(tree, below.join("service")).expect("moved");
            fs::rename(&below, tree).expect("moved");
        }
        _ => {}
    }
}

/// Runs the bot with four workers; its seconds and exit code, none when it was killed.
fn run(world: &World, list: &str, kill: Option<Duration>) -> (f64, Option<i32>) {
    let started = Instant::now();
    let mut command = world.command(&["--repos-from", list, "--jobs", "4", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
    if let Some(after) = kill {
        std::thread::sleep(after);
        // SIGKILL: it cannot tidy up.
        let _ = child.kill();
    }
    let code = child.wait().expect("it ends").code();
    (started.elapsed().as_secs_f64(), code)
}

fn list(world: &World, count: usize) -> String {
    let path = world.folder.path().join("list");
    let lines: Vec<String> = (0..count).map(|number| world.url(&slug(number))).collect();
    fs::write(&path, lines.join("\n")).expect("written");
    path.to_str().expect("plain").to_owned()
}

fn state(world: &World) -> State {
    let forge = world.server.forge();
    let repos: Vec<(String, FakeRepo)> = forge
        .repos
        .iter()
        .map(|(slug, repo)| (slug.clone(), repo.clone()))
        .collect();
    drop(forge);
    repos
        .into_iter()
        .map(|(slug, repo)| {
            let pulls = repo
                .pulls
                .iter()
                .map(|it| (it.branch.clone(), it.closed, it.body.clone()));
            let state = (world.branches(&slug), pulls.collect());
            (slug, state)
        })
        .collect()
}

/// The world as it was before the first run.
fn again(program: &Path, seed: &Path, count: usize) -> World {
    let world = World::new(Kind::Gitea, program);
    let repositories = world.folder.path().join("repositories");
    fs::remove_dir(&repositories).expect("it is empty");
    copy(seed, &repositories);
    let server: &Server = &world.server;
    for number in 0..count {
        server.forge().add(&slug(number));
    }
    world
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(copied.expect("it runs").success());
}
