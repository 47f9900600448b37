//! What lies in a repository: paths, links, attributes, hooks, submodules, branches, configurations, and their size.

use std::fs;
use std::path::Path;
use std::process::Command;

use docker_diet::forge::Kind;

use super::{BRANCH, canary, harmless};
use crate::forge::world::{FAT, World, git};
use crate::world;

/// A repository whose tree is written line by line, as `git mktree` takes it: what no work tree could hold.
fn with_tree(world: &World, slug: &str, entries: &[(&str, &str, &str)]) {
    world.repository(slug, &[("Dockerfile", FAT)]);
    let bare = world.bare(slug);
    let mut lines = git(&bare, &["ls-tree", "main"]);
    for (mode, path, text) in entries {
        let object = match *mode {
            "160000" => (*text).to_owned(),
            _ => written(&bare, text),
        };
        let kind = if *mode == "160000" { "commit" } else { "blob" };
        lines.push_str(&format!("\n{mode} {kind} {object}\t{path}"));
    }
    let tree = piped(&bare, &["mktree", "--missing"], &format!("{lines}\n"));
    let commit = git(
        &bare,
        &["commit-tree", "-p", "main", "-m", "hostile", &tree],
    );
    git(&bare, &["update-ref", "refs/heads/main", &commit]);
}

fn written(bare: &Path, text: &str) -> String {
    piped(bare, &["hash-object", "-w", "--stdin"], text)
}

fn piped(bare: &Path, arguments: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(bare)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("git runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

#[test]
fn a_path_that_climbs_out_of_the_work_tree() {
    let world = world(Kind::Gitea);
    world.repository("a/x", &[("Dockerfile", FAT)]);
    let bare = world.bare("a/x");
    // A tree entry with a slash in its name: `mktree` refuses it, so it is written by hand.
    let blob = written(&bare, "owned");
    let name = "../../../canary";
    let mut tree = Vec::new();
    let raw = |hex: &str| {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        (0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>()
    };
    tree.extend_from_slice(format!("100644 {name}\0").as_bytes());
    tree.extend_from_slice(&raw(&blob));
    let dockerfile = written(&bare, FAT);
    tree.extend_from_slice(b"100644 Dockerfile\0");
    tree.extend_from_slice(&raw(&dockerfile));
    let path = world.folder.path().join("tree");
    fs::write(&path, tree).expect("written");
    let path = path.to_str().expect("plain");
    let tree = git(
        &bare,
        &["hash-object", "-w", "--literally", "-t", "tree", path],
    );
    let commit = git(&bare, &["commit-tree", "-p", "main", "-m", "x", &tree]);
    git(&bare, &["update-ref", "refs/heads/main", &commit]);
    let ran = world.pr("a/x", &[]);
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(2), "git refuses such a tree: {}", ran.out);
}

#[test]
fn a_folder_named_like_gits_own() {
    for name in [".git", ".GIT", "git~1", ".g\u{200c}it"] {
        let world = world(Kind::Gitea);
        world.repository("a/x", &[("Dockerfile", FAT)]);
        let bare = world.bare("a/x");
        let canary = canary(&world);
        let hook = written(&bare, &format!("#!/bin/sh\ntouch {}\n", canary.display()));
        let hooks = piped(
            &bare,
            &["mktree"],
            &format!("100755 blob {hook}\tpre-push\n100755 blob {hook}\tpost-index-change\n"),
        );
        let inner = piped(&bare, &["mktree"], &format!("040000 tree {hooks}\thooks\n"));
        let lines = format!(
            "{}\n040000 tree {inner}\t{name}\n",
            git(&bare, &["ls-tree", "main"])
        );
        let tree = piped(&bare, &["mktree"], &lines);
        let commit = git(&bare, &["commit-tree", "-p", "main", "-m", "x", &tree]);
        git(&bare, &["update-ref", "refs/heads/main", &commit]);
        let ran = world.pr("a/x", &[]);
        harmless(&world, &ran);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.out);
    }
}

#[test]
fn links_that_lead_outside_are_read_by_nobody() {
    let world = world(Kind::Gitea);
    let secret = world.folder.path().join("secret");
    fs::write(&secret, "FROM very-secret-text\nRUN apt-get update\n").expect("written");
    let outside = secret.to_str().expect("plain");
    with_tree(
        &world,
        "a/x",
        &[
            ("120000", "api.Dockerfile", outside),
            ("120000", "compose.yaml", outside),
            (
                "120000",
                "requirements.txt",
                "../../../../../../../../etc/passwd",
            ),
            ("120000", "Procfile", "/proc/self/environ"),
            ("120000", "loop", "loop"),
            ("120000", ".docker-diet.yaml", "/dev/zero"),
        ],
    );
    let ran = world.pr("a/x", &["--verbose"]);
    harmless(&world, &ran);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(
        !said.contains("very-secret-text") && !said.contains("root:"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(&secret)
            .expect("it is there")
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_link_inside_is_followed_as_in_a_plain_clone() {
    let world = world(Kind::Gitea);
    with_tree(&world, "a/x", &[("120000", "api.Dockerfile", "Dockerfile")]);
    let ran = world.pr("a/x", &[]);
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let mode = git(&world.bare("a/x"), &["ls-tree", BRANCH, "api.Dockerfile"]);
    assert!(mode.starts_with("120000 "), "the link stays a link: {mode}");
}

#[test]
fn attributes_run_no_filter_and_change_no_byte() {
    let world = world(Kind::Gitea);
    let crlf = "FROM debian:12\r\n# $Id$\r\nRUN apt-get update\r\nRUN apt-get install -y curl\r\nCMD curl x\r\n";
    let attributes = "* filter=lfs diff=x merge=x\n*.x filter=run\nDockerfile text eol=lf ident working-tree-encoding=UTF-16\n";
    let files = [
        ("Dockerfile", crlf),
        (".gitattributes", attributes),
        ("a.x", "x"),
    ];
    world.repository("a/x", &[("a.x", "x")]);
    let bare = world.bare("a/x");
    // By plumbing: adding it as a person would obey the attributes.
    let mut lines = String::new();
    for (path, text) in files {
        lines.push_str(&format!("100644 blob {}\t{path}\n", written(&bare, text)));
    }
    let tree = piped(&bare, &["mktree"], &lines);
    let commit = git(&bare, &["commit-tree", "-p", "main", "-m", "x", &tree]);
    git(&bare, &["update-ref", "refs/heads/main", &commit]);
    let ran = world.pr("a/x", &[]);
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let after = world.file("a/x", BRANCH, "Dockerfile");
    let after = String::from_utf8(after).expect("still UTF-8");
    assert!(after.contains("# $Id$\r\n"), "{after:?}");
    assert_eq!(
        after.matches('\n').count(),
        after.matches("\r\n").count(),
        "{after:?}"
    );
}

#[test]
fn filters_of_the_users_own_configuration_are_not_run() {
    let world = world(Kind::Gitea);
    world.repository(
        "a/x",
        &[("Dockerfile", FAT), (".gitattributes", "* filter=run\n")],
    );
    let home = world.folder.path().join("home");
    let canary = canary(&world);
    fs::create_dir_all(home.join("hooks")).expect("folders");
    let config = format!(
        "[filter \"run\"]\n\tsmudge = touch {0}\n\tclean = touch {0}\n[core]\n\tfsmonitor = touch {0}\n\tsshCommand = touch {0}\n[credential]\n\thelper = !touch {0}\n",
        canary.display()
    );
    fs::write(home.join(".gitconfig"), config).expect("written");
    let url = world.url("a/x");
    let mut command = world.command(&["--repo", &url]);
    let output = command
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", &home)
        .output();
    let ran = crate::forge::world::ran(output.expect("it runs"));
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn hooks_of_the_users_template_are_not_run() {
    let world = world(Kind::Gitea);
    world.repository("a/x", &[("Dockerfile", FAT)]);
    let template = world.folder.path().join("template");
    let canary = canary(&world);
    fs::create_dir_all(template.join("hooks")).expect("folders");
    for hook in [
        "pre-push",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-commit",
    ] {
        let path = template.join("hooks").join(hook);
        fs::write(&path, format!("#!/bin/sh\ntouch {}\n", canary.display())).expect("written");
        Command::new("chmod")
            .arg("+x")
            .arg(&path)
            .status()
            .expect("it runs");
    }
    let url = world.url("a/x");
    let mut command = world.command(&["--repo", &url]);
    let output = command.env("GIT_TEMPLATE_DIR", &template).output();
    let ran = crate::forge::world::ran(output.expect("it runs"));
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn submodules_are_not_fetched() {
    let world = world(Kind::Gitea);
    let canary = canary(&world);
    let modules = format!(
        "[submodule \"x\"]\n\tpath = sub\n\turl = ext::sh -c touch% {0}\n\tupdate = !touch {0}\n[submodule \"--upload-pack=touch {0}\"]\n\tpath = -x\n\turl = -u./run\n",
        canary.display()
    );
    let commit = "1234567890123456789012345678901234567890";
    with_tree(
        &world,
        "a/x",
        &[
            ("100644", ".gitmodules", &modules),
            ("160000", "sub", commit),
        ],
    );
    let ran = world.pr("a/x", &[]);
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let entry = git(&world.bare("a/x"), &["ls-tree", BRANCH, "sub"]);
    assert!(
        entry.contains(commit),
        "the submodule stays what it was: {entry}"
    );
}

#[test]
fn branches_named_like_options_and_commands() {
    let world = world(Kind::Gitea);
    world.repository("a/x", &[("Dockerfile", FAT)]);
    let canary = canary(&world);
    let bare = world.bare("a/x");
    let main = git(&bare, &["rev-parse", "main"]);
    for name in [
        "--upload-pack=touch",
        "-x",
        "docker-diet/$(touch)",
        "docker-diet/--exec=touch",
    ] {
        let packed =
            format!("# pack-refs with: peeled fully-peeled sorted\n{main} refs/heads/{name}\n");
        fs::write(bare.join("packed-refs"), packed).expect("written");
        let ran = world.pr("a/x", &["--dry-run"]);
        harmless(&world, &ran);
    }
    for name in [
        format!("--upload-pack=touch {}", canary.display()),
        "-x".to_owned(),
        "a b".to_owned(),
        "main:refs/heads/other".to_owned(),
        "+main".to_owned() + "\u{1b}[31m",
        "../main".to_owned(),
        "*".to_owned(),
    ] {
        world.server.forge().add("a/x").default_branch = name.clone();
        let ran = world.pr("a/x", &[]);
        harmless(&world, &ran);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.out);
        assert!(
            ran.err.contains("cannot be the name of a branch"),
            "{}",
            ran.err
        );
    }
    assert!(world.server.forge().writes().is_empty());
}

#[test]
fn huge_files_and_bombs_are_not_unpacked() {
    let world = world(Kind::Gitea);
    let zeros = "0".repeat(30 << 20);
    world.repository(
        "a/large",
        &[
            ("Dockerfile", FAT),
            ("model.bin", &zeros),
            ("big.Dockerfile", &zeros),
        ],
    );
    let ran = world.pr("a/large", &[]);
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(0), "large files are passed by: {}", ran.err);
    // The same blob under a thousand names: small to fetch, large to unpack.
    world.repository("a/bomb", &[("Dockerfile", FAT)]);
    let bare = world.bare("a/bomb");
    let blob = written(&bare, &"0".repeat(10 << 20));
    let mut lines = git(&bare, &["ls-tree", "main"]);
    for index in 0..1000 {
        lines.push_str(&format!("\n100644 blob {blob}\tf{index}"));
    }
    let tree = piped(&bare, &["mktree"], &format!("{lines}\n"));
    let commit = git(&bare, &["commit-tree", "-p", "main", "-m", "x", &tree]);
    git(&bare, &["update-ref", "refs/heads/main", &commit]);
    let ran = world.pr("a/bomb", &["--max-size", "100"]);
    harmless(&world, &ran);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("larger than 100 MB"), "{}", ran.err);
}

#[test]
fn a_repository_that_takes_for_ever_is_given_up() {
    let world = world(Kind::Gitea);
    world.repository("a/x", &[("Dockerfile", FAT)]);
    let slow = world.folder.path().join("bin");
    fs::create_dir(&slow).expect("a folder");
    let script = "#!/bin/sh\ncase \"$1\" in fetch) exec sleep 60;; esac\nexec /usr/bin/env PATH=\"${PATH#*:}\" git \"$@\"\n";
    fs::write(slow.join("git"), script).expect("written");
    Command::new("chmod")
        .arg("+x")
        .arg(slow.join("git"))
        .status()
        .expect("it runs");
    let path = format!(
        "{}:{}",
        slow.display(),
        std::env::var("PATH").expect("it is set")
    );
    let url = world.url("a/x");
    let started = std::time::Instant::now();
    let mut command = world.command(&["--repo", &url, "--git-timeout", "2"]);
    let ran = crate::forge::world::ran(command.env("PATH", path).output().expect("it runs"));
    assert!(started.elapsed().as_secs() < 40);
    assert!(
        ran.err.contains("git fetch did not end within 2 s"),
        "{}",
        ran.err
    );
    harmless(&world, &ran);
}

#[test]
fn a_configuration_reaches_no_further_than_its_repository() {
    let world = world(Kind::Gitea);
    let config = "baseline: /dev/zero\n";
    world.repository(
        "a/zero",
        &[("Dockerfile", FAT), (".docker-diet.yaml", config)],
    );
    let ran = world.pr("a/zero", &[]);
    harmless(&world, &ran);
    assert!(ran.err.contains("no regular file"), "{}", ran.err);
    let config = "pull-request: {branch: ../../main, base: '--x'}\n";
    world.repository(
        "a/ref",
        &[("Dockerfile", FAT), (".docker-diet.yaml", config)],
    );
    let ran = world.pr("a/ref", &[]);
    assert!(
        ran.err.contains("cannot be the name of a branch"),
        "{}",
        ran.err
    );
    // A prefix under which other people's branches are: they are not touched.
    let config = "pull-request: {branch: release}\n";
    world.repository(
        "a/other",
        &[("Dockerfile", FAT), (".docker-diet.yaml", config)],
    );
    world.commit("a/other", "release/lean", &[("x", "y")]);
    world.commit("a/other", "release/1", &[("x", "y")]);
    let before = world.branches("a/other");
    let ran = world.pr("a/other", &[]);
    assert!(
        ran.out.contains("somebody else's"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(world.branches("a/other"), before);
    assert!(world.server.forge().writes().is_empty());
}
