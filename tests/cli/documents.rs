//! The README and the program say the same.

use docker_diet::report::rule_table;

use super::Repository;

fn readme() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    std::fs::read_to_string(path).expect("there is a README")
}

#[test]
fn the_table_of_rewrites_is_current() {
    let readme = readme();
    let begin = "<!-- rewrites: made by `docker-diet explain --markdown` -->\n";
    let (_, rest) = readme
        .split_once(begin)
        .expect("the table's begin is marked");
    let (table, _) = rest
        .split_once("<!-- end -->")
        .expect("the table's end is marked");
    let expected = rule_table();
    assert!(
        table == expected,
        "the table in README.md is old; it should read:\n{expected}"
    );
}

#[test]
fn the_table_is_what_explain_prints() {
    let ran = Repository::with(&[]).run(&["explain", "--markdown"]);
    assert_eq!((ran.code, ran.out), (0, rule_table()));
}

#[test]
fn every_command_of_the_readme_exists() {
    let repository = Repository::with(&[]);
    let help = repository.run(&["--help"]).out;
    let readme = readme();
    let code = readme.split("```").skip(1).step_by(2);
    for line in code
        .flat_map(str::lines)
        .filter(|line| line.starts_with("docker-diet "))
    {
        let command = line.split_whitespace().nth(1).expect("a command");
        assert!(
            help.contains(&format!("  {command} ")),
            "`{line}` in README.md"
        );
    }
}

#[test]
fn every_rule_is_explained() {
    let repository = Repository::with(&[]);
    let list = repository.run(&["explain"]).out;
    for line in list.lines().filter(|line| !line.starts_with(' ')) {
        let name = line.split_whitespace().next().expect("a name");
        let ran = repository.run(&["explain", name]);
        assert!(ran.code == 0 && ran.out.starts_with(name), "{ran:?}");
    }
}

/// As a developer would write it, following the remedy of the refusal to split it.
const NAIVE: &str = r#"# docker-diet in a container: docker run --rm -v "$PWD":/work --user "$(id -u)" ghcr.io/docker-diet/docker-diet fix --diff
FROM rust:1-trixie AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin docker-diet

FROM debian:13
# `--changed-since` and `pr` ask git, about repositories that belong to someone else here.
RUN apt-get update
RUN apt-get install -y ca-certificates git
RUN git config --system --add safe.directory '*'
COPY --from=build /src/target/release/docker-diet /usr/local/bin/
WORKDIR /work
USER 1000
ENTRYPOINT docker-diet
"#;

#[test]
fn the_dockerfile_of_this_repository_is_what_fix_makes() {
    let root = env!("CARGO_MANIFEST_DIR");
    let arguments = ["fix", "--isolated", "--context", root, "-"];
    let ran = Repository::with(&[]).run_with(&arguments, NAIVE.as_bytes());
    let expected = std::fs::read_to_string(format!("{root}/Dockerfile")).expect("it is there");
    assert_eq!((ran.code, ran.out), (0, expected.clone()), "{}", ran.err);
    let again = Repository::with(&[]).run_with(&arguments, expected.as_bytes());
    assert_eq!((again.code, again.out), (0, expected));
}
