//! What is said of a repository: on the terminal, in pull requests, in commit messages.

use docker_diet::forge::Kind;

use super::{body, harmless};
use crate::forge::world::{FAT, git};
use crate::world;

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
