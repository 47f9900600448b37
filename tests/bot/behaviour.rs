//! It behaves as people expect of Renovate and Dependabot.

use std::fs;
use std::process::Stdio;

use docker_diet::forge::Kind;

use crate::forge::FakePull;
use crate::forge::world::{FAT, FAT_TOO, LEAN, Ran, World, git, ran};
use crate::world;

const BRANCH: &str = "docker-diet/lean";

fn shop(kind: Kind) -> World {
    let world = world(kind);
    world.repository("acme/shop", &[("Dockerfile", FAT)]);
    world
}

fn pulls(world: &World, slug: &str) -> Vec<FakePull> {
    world.server.forge().repos[slug].pulls.clone()
}

fn only_pull(world: &World) -> FakePull {
    let pulls = pulls(world, "acme/shop");
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    pulls[0].clone()
}

#[track_caller]
fn fine(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn one_pull_request_is_opened_and_a_second_run_writes_nothing() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea] {
        let world = shop(kind);
        let ran = world.pr("acme/shop", &[]);
        fine(&ran);
        let opened = "acme/shop: opened docker-diet/lean https://forge.test/acme/shop/pull/1\n";
        assert_eq!(ran.out, opened);
        let pull = only_pull(&world);
        assert_eq!((pull.branch.as_str(), pull.base.as_str()), (BRANCH, "main"));
        assert_eq!(pull.title, "build(docker): put the image on a diet");
        let after = String::from_utf8(world.file("acme/shop", BRANCH, "Dockerfile")).expect("text");
        assert!(after.contains("rm -rf /var/lib/apt/lists"), "{after}");
        let count = git(
            &world.bare("acme/shop"),
            &["rev-list", "--count", &format!("main..{BRANCH}")],
        );
        assert_eq!(count, "1");
        let (state, branches) = (pulls(&world, "acme/shop"), world.branches("acme/shop"));
        let (writes, pushes) = (world.server.forge().writes().len(), world.server.pushes());
        fine(&world.pr("acme/shop", &[]));
        assert_eq!(world.server.forge().writes().len(), writes, "{kind:?}");
        assert_eq!(world.server.pushes(), pushes);
        assert_eq!(pulls(&world, "acme/shop"), state);
        assert_eq!(world.branches("acme/shop"), branches);
    }
}

#[test]
fn what_fix_writes_is_what_the_pull_request_holds() {
    let world = shop(Kind::Gitea);
    fine(&world.pr("acme/shop", &[]));
    let clone = tempfile::tempdir().expect("a temporary folder");
    let bare = world.bare("acme/shop");
    git(
        clone.path(),
        &["clone", "--quiet", bare.to_str().expect("plain"), "shop"],
    );
    let fixed = std::process::Command::new(&world.program)
        .args(["fix", "--quiet"])
        .current_dir(clone.path().join("shop"))
        .status();
    assert!(fixed.expect("it runs").success());
    for path in ["Dockerfile", ".dockerignore"] {
        let here = fs::read(clone.path().join("shop").join(path)).unwrap_or_default();
        assert_eq!(world.file("acme/shop", BRANCH, path), here, "{path}");
    }
}

#[test]
fn a_lean_repository_gets_none() {
    let world = world(Kind::GitHub);
    world.repository(
        "acme/lean",
        &[
            ("Dockerfile", LEAN),
            ("hello", "x"),
            (".dockerignore", "*\n!hello\n"),
        ],
    );
    world.repository("acme/none", &[("README.md", "no Dockerfile")]);
    for slug in ["acme/lean", "acme/none"] {
        fine(&world.pr(slug, &[]));
        assert!(pulls(&world, slug).is_empty());
    }
    assert!(world.server.forge().writes().is_empty());
    // Without a branch of the bot nobody is asked for pull requests.
    assert_eq!(world.server.forge().log.len(), 2);
}

#[test]
fn a_new_result_replaces_the_commit_and_the_text() {
    let world = shop(Kind::GitHub);
    fine(&world.pr("acme/shop", &[]));
    let before = only_pull(&world);
    world.commit("acme/shop", "main", &[("Dockerfile", FAT_TOO)]);
    let ran = world.pr("acme/shop", &[]);
    fine(&ran);
    assert!(ran.out.contains("updated"), "{}", ran.out);
    let after = only_pull(&world);
    assert_ne!(before.body, after.body);
    assert!(
        world
            .file("acme/shop", BRANCH, "Dockerfile")
            .windows(3)
            .any(|it| it == b"git")
    );
    let bare = world.bare("acme/shop");
    let parent = git(&bare, &["rev-parse", &format!("{BRANCH}^")]);
    assert_eq!(parent, git(&bare, &["rev-parse", "main"]));
}

#[test]
fn a_base_that_moves_elsewhere_changes_nothing() {
    let world = shop(Kind::GitHub);
    fine(&world.pr("acme/shop", &[]));
    let (branches, pushes) = (world.own_branches("acme/shop"), world.server.pushes());
    world.commit("acme/shop", "main", &[("README.md", "new")]);
    fine(&world.pr("acme/shop", &[]));
    assert_eq!(world.server.pushes(), pushes);
    assert_eq!(world.own_branches("acme/shop"), branches);
}

#[test]
fn a_branch_to_which_somebody_pushed_is_left_alone() {
    let world = shop(Kind::Gitea);
    fine(&world.pr("acme/shop", &[]));
    world.commit(
        "acme/shop",
        BRANCH,
        &[("Dockerfile", "FROM debian:12\n# mine\n")],
    );
    world.commit("acme/shop", "main", &[("Dockerfile", FAT_TOO)]);
    let branches = world.branches("acme/shop");
    let ran = world.pr("acme/shop", &[]);
    fine(&ran);
    assert!(ran.out.contains("somebody else pushed"), "{}", ran.out);
    assert_eq!(world.branches("acme/shop"), branches);
}

#[test]
fn an_amended_commit_is_somebody_elses() {
    let world = shop(Kind::Gitea);
    fine(&world.pr("acme/shop", &[]));
    let clone = tempfile::tempdir().expect("a temporary folder");
    let bare = world.bare("acme/shop");
    let bare = bare.to_str().expect("plain");
    git(
        clone.path(),
        &["clone", "--quiet", "--branch", BRANCH, bare, "."],
    );
    git(clone.path(), &["commit", "--quiet", "--amend", "--no-edit"]);
    git(
        clone.path(),
        &["push", "--quiet", "--force", "origin", BRANCH],
    );
    world.commit("acme/shop", "main", &[("Dockerfile", FAT_TOO)]);
    let branches = world.branches("acme/shop");
    let ran = world.pr("acme/shop", &[]);
    assert!(ran.out.contains("somebody else pushed"), "{}", ran.out);
    assert_eq!(world.branches("acme/shop"), branches);
}

#[test]
fn what_a_person_closed_is_opened_again_for_another_plan_only() {
    let world = shop(Kind::GitHub);
    fine(&world.pr("acme/shop", &[]));
    world.server.forge().add("acme/shop").pulls[0].closed = true;
    let pushes = world.server.pushes();
    let ran = world.pr("acme/shop", &[]);
    assert!(ran.out.contains("a person closed"), "{}", ran.out);
    // The same rewrites, though the file has another line.
    world.commit(
        "acme/shop",
        "main",
        &[("Dockerfile", &format!("# more\n{FAT}"))],
    );
    fine(&world.pr("acme/shop", &[]));
    // Without its branch too.
    git(
        &world.bare("acme/shop"),
        &["update-ref", "-d", &format!("refs/heads/{BRANCH}")],
    );
    fine(&world.pr("acme/shop", &[]));
    assert_eq!(pulls(&world, "acme/shop").len(), 1);
    assert_eq!(world.server.pushes(), pushes);
    world.commit("acme/shop", "main", &[("Dockerfile", FAT_TOO)]);
    fine(&world.pr("acme/shop", &[]));
    assert_eq!(pulls(&world, "acme/shop").len(), 2);
}

#[test]
fn a_stale_one_is_closed_with_a_word_and_may_come_again() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea] {
        let world = shop(kind);
        fine(&world.pr("acme/shop", &[]));
        world.commit("acme/shop", "main", &[("Dockerfile", "")]);
        let ran = world.pr("acme/shop", &[]);
        fine(&ran);
        assert!(ran.out.contains("closed docker-diet/lean"), "{}", ran.out);
        let pull = only_pull(&world);
        assert!(pull.closed);
        assert_eq!(pull.comments.len(), 1);
        assert!(
            pull.comments[0].contains("nothing left to do"),
            "{:?}",
            pull.comments
        );
        assert!(world.own_branches("acme/shop").is_empty());
        world.commit("acme/shop", "main", &[("Dockerfile", FAT)]);
        fine(&world.pr("acme/shop", &[]));
        let pulls = pulls(&world, "acme/shop");
        assert_eq!(pulls.len(), 2);
        assert!(!pulls[1].closed);
    }
}

#[test]
fn a_dry_run_writes_nothing_and_shows_everything() {
    let world = shop(Kind::GitHub);
    let branches = world.branches("acme/shop");
    let ran = world.pr("acme/shop", &["--dry-run"]);
    fine(&ran);
    assert!(
        ran.out
            .starts_with("acme/shop: would be opened docker-diet/lean\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\n-RUN apt-get update\n"), "{}", ran.out);
    assert!(world.server.forge().writes().is_empty());
    assert_eq!(world.server.pushes(), 0);
    assert_eq!(world.branches("acme/shop"), branches);
    let left = fs::read_dir(world.folder.path().join("work")).expect("it is there");
    assert_eq!(left.count(), 0);
}

#[test]
fn archived_ones_forks_mirrors_and_the_unwilling_are_skipped_with_a_reason() {
    let world = world(Kind::GitHub);
    for slug in ["a/archived", "a/fork", "a/mirror"] {
        world.repository(slug, &[("Dockerfile", FAT)]);
    }
    world.server.forge().add("a/archived").archived = true;
    world.server.forge().add("a/fork").fork = true;
    world.server.forge().add("a/mirror").mirror = true;
    world.repository(
        "a/file",
        &[("Dockerfile", FAT), (".docker-diet-skip", "please\n")],
    );
    let setting = "pull-request: {skip: true}\n";
    world.repository(
        "a/setting",
        &[("Dockerfile", FAT), (".docker-diet.yaml", setting)],
    );
    let line = "level: safe\n# docker-diet: skip\n";
    world.repository(
        "a/line",
        &[("Dockerfile", FAT), (".docker-diet.yaml", line)],
    );
    for (slug, why) in [
        ("a/archived", "it is archived"),
        ("a/fork", "it is a fork"),
        ("a/mirror", "it is a mirror"),
        ("a/file", "it has a file .docker-diet-skip"),
        ("a/setting", "its configuration says"),
        ("a/line", "its .docker-diet.yaml says"),
    ] {
        let ran = world.pr(slug, &["--verbose"]);
        fine(&ran);
        assert!(
            ran.out.contains(&format!("{slug}: skipped, {why}")),
            "{}",
            ran.out
        );
    }
    assert!(world.server.forge().writes().is_empty());
    fine(&world.pr("a/fork", &["--forks"]));
    assert_eq!(pulls(&world, "a/fork").len(), 1);
}

#[test]
fn labels_reviewers_assignees_and_drafts() {
    let arguments = [
        "--label",
        "docker",
        "--label",
        "lean image",
        "--reviewer",
        "ann",
        "--assignee",
        "bob",
        "--draft",
    ];
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea] {
        let world = shop(kind);
        fine(&world.pr("acme/shop", &arguments));
        let pull = only_pull(&world);
        assert_eq!(pull.labels, ["docker", "lean image"], "{kind:?}");
        assert_eq!((pull.reviewers.len(), pull.assignees.len()), (1, 1));
        assert!(pull.draft || pull.title.starts_with("Draft: ") || pull.title.starts_with("WIP: "));
        // A person who takes a label away is not contradicted.
        world.server.forge().add("acme/shop").pulls[0]
            .labels
            .clear();
        let writes = world.server.forge().writes().len();
        fine(&world.pr("acme/shop", &arguments));
        assert_eq!(world.server.forge().writes().len(), writes);
    }
}

#[test]
fn the_repositorys_own_configuration_counts_and_the_command_line_wins() {
    let world = world(Kind::Gitea);
    let config = "pull-request:\n  branch: bots/diet\n  base: develop\n  title: 'chore: leaner image'\n  labels: [own]\n  sign-off: true\n";
    let files = [("Dockerfile", FAT), (".docker-diet.yaml", config)];
    world.repository("acme/shop", &files);
    world.commit("acme/shop", "develop", &files);
    fine(&world.pr(
        "acme/shop",
        &["--label", "given", "--author", "Bot <bot@acme.test>"],
    ));
    let pull = only_pull(&world);
    assert_eq!(
        (pull.branch.as_str(), pull.base.as_str()),
        ("bots/diet/lean", "develop")
    );
    assert_eq!(pull.title, "chore: leaner image");
    assert_eq!(pull.labels, ["given"]);
    let message = git(
        &world.bare("acme/shop"),
        &["log", "-1", "--format=%an <%ae>%n%B", "bots/diet/lean"],
    );
    assert!(
        message.starts_with("Bot <bot@acme.test>\nchore: leaner image\n"),
        "{message}"
    );
    assert!(
        message.ends_with("Signed-off-by: Bot <bot@acme.test>"),
        "{message}"
    );
    let writes = world.server.forge().writes().len();
    fine(&world.pr(
        "acme/shop",
        &["--label", "given", "--author", "Bot <bot@acme.test>"],
    ));
    assert_eq!(world.server.forge().writes().len(), writes);
}

#[test]
fn one_for_each_dockerfile_or_rule_under_a_limit() {
    let world = world(Kind::GitHub);
    let files = [
        ("a/Dockerfile", FAT),
        ("b/Dockerfile", FAT_TOO),
        ("c/Dockerfile", FAT),
    ];
    world.repository("acme/many", &files);
    let ran = world.pr("acme/many", &["--per", "dockerfile", "--open-limit", "2"]);
    fine(&ran);
    assert!(
        ran.out.contains("2 pull requests are open already"),
        "{}",
        ran.out
    );
    let open = pulls(&world, "acme/many");
    assert_eq!(open.len(), 2);
    assert!(
        open[0].branch.starts_with("docker-diet/a-dockerfile-"),
        "{open:?}"
    );
    assert_eq!(
        world.file("acme/many", &open[0].branch, "b/Dockerfile"),
        FAT_TOO.as_bytes()
    );
    fine(&world.pr("acme/many", &["--per", "dockerfile"]));
    assert_eq!(pulls(&world, "acme/many").len(), 3);
    // Another division: the old ones are closed, new ones come.
    fine(&world.pr("acme/many", &["--per", "rule"]));
    let all = pulls(&world, "acme/many");
    assert!(all[..3].iter().all(|pull| pull.closed));
    let open: Vec<&FakePull> = all.iter().filter(|pull| !pull.closed).collect();
    assert!(open.len() >= 2, "{open:?}");
    let writes = world.server.forge().writes().len();
    fine(&world.pr("acme/many", &["--per", "rule"]));
    assert_eq!(world.server.forge().writes().len(), writes);
}

#[test]
fn a_pull_request_from_a_fork_is_not_the_bots() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea] {
        let world = shop(kind);
        world.server.forge().add("acme/shop").pulls.push(FakePull {
            number: 1,
            branch: BRANCH.to_owned(),
            base: "main".to_owned(),
            from_fork: true,
            ..FakePull::default()
        });
        fine(&world.pr("acme/shop", &[]));
        let pulls = pulls(&world, "acme/shop");
        assert_eq!(pulls.len(), 2, "{kind:?}");
        assert_eq!(pulls[0].body, "");
    }
}

#[test]
fn a_whole_organisation_is_listed_page_by_page_and_sharded() {
    let world = world(Kind::GitHub);
    for index in 0..7 {
        let dockerfile = if index % 2 == 0 { FAT } else { LEAN };
        world.repository(
            &format!("acme/r{index}"),
            &[("Dockerfile", dockerfile), (".dockerignore", "**\n")],
        );
    }
    world.server.forge().page = 3;
    let api = world.server.forge().api.clone();
    let mut seen = Vec::new();
    for index in 0..3 {
        let shard = format!("{index}/3");
        let arguments = [
            "--org", "acme", "--api", &api, "--shard", &shard, "--format", "json",
        ];
        let ran = ran(world.command(&arguments).output().expect("it runs"));
        fine(&ran);
        for line in ran.out.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON lines");
            seen.extend(line["repository"].as_str().map(str::to_owned));
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        (0..7).map(|it| format!("acme/r{it}")).collect::<Vec<_>>()
    );
    for index in 0..7 {
        let count = pulls(&world, &format!("acme/r{index}")).len();
        assert_eq!(count, usize::from(index % 2 == 0), "r{index}");
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_where_it_was() {
    let world = shop(Kind::Gitea);
    world.repository("acme/b", &[("Dockerfile", FAT)]);
    let list = world.folder.path().join("list");
    let text = format!(
        "# ours\n{}\n\n{}\n",
        world.url("acme/shop"),
        world.url("acme/b")
    );
    fs::write(&list, text).expect("written");
    let state = world.folder.path().join("state");
    let done = "{\"repository\":\"acme/shop\",\"ended\":\"done\"}\n";
    fs::write(&state, done).expect("written");
    let (list, state) = (
        list.to_str().expect("plain"),
        state.to_str().expect("plain"),
    );
    let arguments = ["--repos-from", list, "--state", state];
    fine(&ran(world.command(&arguments).output().expect("it runs")));
    assert!(pulls(&world, "acme/shop").is_empty());
    assert_eq!(pulls(&world, "acme/b").len(), 1);
    fine(&ran(world.command(&arguments).output().expect("it runs")));
    assert_eq!(pulls(&world, "acme/shop").len(), 1);
}

#[test]
fn one_broken_repository_does_not_stop_the_others() {
    let world = shop(Kind::Gitea);
    let (gone, there) = (world.url("acme/gone"), world.url("acme/shop"));
    let ran = ran(world
        .command(&["--repo", &gone, "--repo", &there])
        .output()
        .expect("it runs"));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .contains("acme/gone: GET /repos/acme/gone: the forge answered 404"),
        "{}",
        ran.err
    );
    assert_eq!(pulls(&world, "acme/shop").len(), 1);
}

#[test]
fn a_folder_without_a_forge_gets_a_branch() {
    let world = shop(Kind::Gitea);
    let bare = world.bare("acme/shop");
    let bare = bare.to_str().expect("plain");
    for outcome in ["pushed", "unchanged"] {
        let ran = ran(world
            .command(&["--repo", bare, "--verbose"])
            .output()
            .expect("it runs"));
        fine(&ran);
        assert!(
            ran.out.contains(&format!("{outcome} {BRANCH}")),
            "{}",
            ran.out
        );
    }
    assert_eq!(world.own_branches("acme/shop"), [BRANCH]);
    assert!(world.server.forge().log.is_empty());
}

#[test]
fn commits_are_signed() {
    let world = shop(Kind::Gitea);
    let key = world.folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .stdout(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        // Without OpenSSH there is nothing to sign with.
        return;
    }
    let key = key.to_str().expect("plain");
    let arguments = ["--signing-key", key, "--signing-format", "ssh"];
    fine(&world.pr("acme/shop", &arguments));
    let commit = git(&world.bare("acme/shop"), &["cat-file", "commit", BRANCH]);
    assert!(commit.contains("BEGIN SSH SIGNATURE"), "{commit}");
    let pushes = world.server.pushes();
    fine(&world.pr("acme/shop", &arguments));
    assert_eq!(world.server.pushes(), pushes);
}

#[test]
fn the_command_line_says_what_it_needs() {
    let world = shop(Kind::GitHub);
    let failed = |arguments: &[&str], unset: bool| {
        let mut command = world.command(arguments);
        if unset {
            for name in ["DOCKER_DIET_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"] {
                command.env_remove(name);
            }
        }
        let ran = ran(command.output().expect("it runs"));
        assert_eq!(ran.code, Some(2), "{}", ran.out);
        ran.err
    };
    let url = world.url("acme/shop");
    assert!(failed(&[], false).contains("which repositories?"));
    assert!(failed(&["--repo", &url], true).contains("no token for GitHub: set DOCKER_DIET_TOKEN"));
    let two = ["--repo", &url, "--repo", "https://github.com/a/b"];
    assert!(failed(&two, false).contains("are two forges"));
    let plain = ["--repo", "http://git.example.test/a/b"];
    assert!(failed(&plain, false).contains("is not encrypted"));
    let bad = ["--repo", &url, "--branch=-x"];
    assert!(failed(&bad, false).contains("cannot be the name of a branch"));
    assert!(world.server.forge().log.is_empty());
}
