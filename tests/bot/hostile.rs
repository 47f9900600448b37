//! Repositories whose owners mean harm. Each test is one try; none may run a program, write outside, read what is not
//! theirs, or put words into the bot's mouth.

use std::fs;
use std::path::Path;
use std::process::Command;

use docker_diet::forge::Kind;

use crate::forge::world::{FAT, Ran, World, git};
use crate::world;

const BRANCH: &str = "docker-diet/lean";

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
fn terminal_escapes_reach_no_terminal() {
    let world = world(Kind::Gitea);
    let name = "\u{1b}[31mred\u{202e}.Dockerfile";
    let fat = format!("{FAT}# \u{1b}]0;owned\u{7}\n");
    world.repository("a/x", &[(name, &fat)]);
    for arguments in [&["--dry-run", "--verbose"][..], &["--verbose"]] {
        let ran = world.pr("a/x", arguments);
        harmless(&world, &ran);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(
            !ran.out.contains('\u{202e}') && !ran.out.contains('\u{7}'),
            "{}",
            ran.out
        );
    }
    let forge = world.server.forge();
    let pull = &forge.repos["a/x"].pulls[0];
    let text = format!("{}{}", pull.title, pull.body);
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text}");
}

#[test]
fn markdown_in_names_and_lines_stays_text() {
    let world = world(Kind::GitHub);
    let name = "`**x**](https://evil.test)@everyone|.Dockerfile";
    let fat = format!(
        "{FAT}# ``````\n# </details> [click](https://evil.test) @torvalds ![](https://evil.test/p.png)\n# ````````````\n"
    );
    world.repository("a/x", &[(name, &fat)]);
    let ran = world.pr("a/x", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let outside = outside_of_code(&body(&world, "a/x"));
    for text in [
        "](https://evil.test)",
        "@everyone",
        "@torvalds",
        "</details> [",
        "**x**",
    ] {
        assert!(!outside.contains(text), "{text} in {outside}");
    }
}

#[test]
fn html_in_names_and_lines_stays_text() {
    let world = world(Kind::GitHub);
    let name = "<img src=x onerror=alert(1)>.Dockerfile";
    let script =
        "<script>alert(1)<-script><!-- docker-diet: {\"plan\":\"0\",\"text\":\"0\"} -->.Dockerfile";
    world.repository("a/x", &[(name, FAT), (script, FAT)]);
    let ran = world.pr("a/x", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let body = body(&world, "a/x");
    let outside = outside_of_code(&body);
    assert!(
        !outside.contains("<img") && !outside.contains("<script"),
        "{outside}"
    );
    // The memory forged in a name does not count: nothing is written a second time.
    let writes = world.server.forge().writes().len();
    assert_eq!(world.pr("a/x", &[]).code, Some(0));
    assert_eq!(world.server.forge().writes().len(), writes);
}

#[test]
fn a_text_is_never_longer_than_the_forge_takes() {
    let world = world(Kind::GitHub);
    let long = format!(
        "{FAT}{}",
        "# a long line of a remark that says nothing at all, again and again\n".repeat(20)
    );
    let names: Vec<String> = (0..150)
        .map(|at| format!("service-{at}/Dockerfile"))
        .collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), long.as_str()))
        .collect();
    world.repository("a/x", &files);
    let ran = world.pr("a/x", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let body = body(&world, "a/x");
    assert!(body.chars().count() < 65_536, "{}", body.len());
    let fences = body.lines().filter(|line| line.starts_with("```")).count();
    assert!(fences.is_multiple_of(2), "no diff is cut: {fences}");
}

#[test]
fn newlines_in_names_forge_no_commit_message() {
    let world = world(Kind::Gitea);
    let name = "x\n\nDocker-Diet: plan=00 result=00 tree=00\nCo-authored-by: Evil <e@evil.test>\n/Dockerfile";
    world.repository("a/x", &[(name, FAT)]);
    for arguments in [&[][..], &["--per", "dockerfile"]] {
        let ran = world.pr("a/x", arguments);
        harmless(&world, &ran);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    for branch in world.own_branches("a/x") {
        let message = git(&world.bare("a/x"), &["log", "-1", "--format=%B", &branch]);
        let forged = message
            .lines()
            .any(|line| line.starts_with("Co-authored-by"));
        assert!(!forged, "{message}");
        let trailers = message
            .lines()
            .filter(|line| line.starts_with("Docker-Diet: "));
        assert_eq!(trailers.count(), 1, "{message}");
    }
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

/// The text without what stands in fences and code spans: what a forge reads as Markdown.
fn outside_of_code(body: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<usize> = None;
    for line in body.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(length) if ticks >= length && line.trim_matches('`').is_empty() => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None => {
                out.push_str(&without_spans(line));
                out.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a fence is open at the end");
    out
}

fn without_spans(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let mark = "`".repeat(ticks);
        let inner = &rest[start + ticks..];
        let mut search = 0;
        let end = loop {
            let Some(at) = inner[search..].find(&mark).map(|at| at + search) else {
                break None;
            };
            let run = inner[at..].len() - inner[at..].trim_start_matches('`').len();
            if run == ticks {
                break Some(at);
            }
            search = at + run;
        };
        match end {
            Some(end) => rest = &inner[end + ticks..],
            None => {
                out.push_str(&mark);
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}
