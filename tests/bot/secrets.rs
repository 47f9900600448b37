//! The token is planted, and looked for in every place to which it could leak.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use docker_diet::forge::Kind;

use crate::forge::world::{FAT, FAT_TOO, TOKEN, World, ran};
use crate::world;

/// Whether any file below `folder` holds the token.
fn leaks_into(folder: &Path) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let found = match path.is_dir() && !path.is_symlink() {
            true => leaks_into(&path),
            false => fs::read(&path)
                .ok()
                .filter(|bytes| holds(bytes))
                .map(|_| path),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn holds(bytes: &[u8]) -> bool {
    bytes
        .windows(TOKEN.len())
        .any(|window| window == TOKEN.as_bytes())
}

/// Looks at the arguments of every process, and at every file of the scratch folder, until told to stop.
fn watch(world: &World, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<(u64, Vec<String>)> {
    let work = world.folder.path().join("work");
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let (mut gits, mut leaks) = (0, Vec::new());
        while !stop.load(Ordering::SeqCst) {
            for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let Ok(arguments) = fs::read(entry.path().join("cmdline")) else {
                    continue;
                };
                gits += u64::from(arguments.starts_with(b"git\0"));
                if holds(&arguments) {
                    leaks.push(String::from_utf8_lossy(&arguments).into_owned());
                }
            }
            leaks.extend(leaks_into(&work).map(|path| path.display().to_string()));
        }
        (gits, leaks)
    })
}

#[test]
fn the_token_is_in_no_argument_no_file_no_output_no_commit_and_no_text() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea] {
        let world = world(kind);
        world.repository("acme/shop", &[("Dockerfile", FAT)]);
        let stop = Arc::new(AtomicBool::new(false));
        let watcher = watch(&world, &stop);
        let mut said = String::new();
        for step in 0..3 {
            let state = world.folder.path().join("state");
            let state = state.to_str().expect("plain");
            let arguments = [
                "--verbose",
                "--format",
                "json",
                "--state",
                state,
                "--label",
                "x",
                "--reviewer",
                "ann",
            ];
            let run = world.pr("acme/shop", &arguments);
            assert_eq!(run.code, Some(0), "{}", run.err);
            said.push_str(&run.out);
            said.push_str(&run.err);
            let next = if step == 0 { FAT_TOO } else { "FROM scratch\n" };
            world.commit("acme/shop", "main", &[("Dockerfile", next)]);
        }
        stop.store(true, Ordering::SeqCst);
        let (gits, leaks) = watcher.join().expect("it watched");
        assert!(gits > 0, "the watcher saw no git at all");
        assert_eq!(leaks, Vec::<String>::new());
        assert!(!said.contains(TOKEN), "{said}");
        assert_eq!(leaks_into(world.folder.path()), None);
        let forge = world.server.forge();
        let texts = format!("{:?}{:?}", forge.repos["acme/shop"].pulls, forge.log);
        assert!(!texts.contains(TOKEN), "{texts}");
    }
}

#[test]
fn errors_that_repeat_the_token_are_cleaned() {
    let world = world(Kind::GitHub);
    world.repository("acme/shop", &[("Dockerfile", FAT)]);
    let wrong = "wrong_Xy8But5ecret";
    let url = world.url("acme/shop");
    let output = world
        .command(&["--repo", &url, "--verbose"])
        .env("DOCKER_DIET_TOKEN", wrong)
        // git's own logs, switched on from outside, are not git's to write.
        .env("GIT_TRACE", "1")
        .env("GIT_TRACE_CURL", "1")
        .env("GIT_CURL_VERBOSE", "1")
        .env("GIT_TRACE_REDACT", "0")
        .output();
    let run = ran(output.expect("it runs"));
    assert_eq!(run.code, Some(2));
    // The server repeats what it was sent.
    assert!(
        run.err.contains("401: Bad credentials: Bearer ***"),
        "{}",
        run.err
    );
    assert!(
        !format!("{}{}", run.out, run.err).contains(wrong),
        "{}",
        run.err
    );
}

#[test]
fn a_failing_git_says_nothing_of_the_token() {
    let world = world(Kind::Gitea);
    world.repository("acme/shop", &[("Dockerfile", FAT)]);
    // The API knows it, git does not.
    fs::remove_dir_all(world.bare("acme/shop")).expect("removed");
    let url = world.url("acme/shop");
    let output = world
        .command(&["--repo", &url, "--verbose"])
        .env("GIT_TRACE", "1")
        .env("GIT_TRACE_CURL", "1")
        .env("GIT_TRACE_REDACT", "0")
        .output();
    let run = ran(output.expect("it runs"));
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("git ls-remote failed"), "{}", run.err);
    assert!(
        !format!("{}{}", run.out, run.err).contains(TOKEN),
        "{}",
        run.err
    );
}

#[test]
fn a_token_file_works_and_one_that_is_open_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = world(Kind::Gitea);
    world.repository("acme/shop", &[("Dockerfile", FAT)]);
    let path = tempfile::NamedTempFile::new().expect("a file");
    fs::write(path.path(), format!("{TOKEN}\n")).expect("written");
    let (url, file) = (world.url("acme/shop"), path.path().to_str().expect("plain"));
    for (mode, code) in [(0o644, 2), (0o600, 0)] {
        fs::set_permissions(path.path(), fs::Permissions::from_mode(mode)).expect("mode");
        let mut command = world.command(&["--repo", &url, "--token-file", file]);
        let run = ran(command
            .env_remove("DOCKER_DIET_TOKEN")
            .output()
            .expect("it runs"));
        assert_eq!(run.code, Some(code), "{}", run.err);
        assert!(!run.err.contains(TOKEN));
    }
}

#[test]
fn the_token_goes_to_no_other_host() {
    let world = world(Kind::GitHub);
    world.repository("acme/shop", &[("Dockerfile", FAT)]);
    let other = crate::forge::server::Server::start(Kind::GitHub, world.folder.path(), "other");
    other.forge().add("acme/shop");
    // One run, two hosts: refused before anything is sent.
    let (one, two) = (world.url("acme/shop"), format!("{}/acme/shop", other.web));
    let run = ran(world
        .command(&["--repo", &one, "--repo", &two])
        .output()
        .expect("it runs"));
    assert_eq!(run.code, Some(2));
    let api = other.forge().api.clone();
    let run = ran(world
        .command(&["--repo", &one, "--api", &api])
        .output()
        .expect("it runs"));
    assert_eq!(run.code, Some(2));
    assert!(other.forge().log.is_empty() && world.server.forge().log.is_empty());
}
