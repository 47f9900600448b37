//! What CI steps and Kubernetes manifests say about images: simple `docker` commands and container entries.

use std::path::Path;

use serde_json::Value;

use super::builds::{Build, clean, is_remote, shell_text};
use super::compose;

/// What one file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    /// `docker build` and build-push actions.
    pub(super) builds: Vec<Build>,
    /// Image and command of `docker run` and of containers.
    pub(super) runs: Vec<(String, String)>,
    /// Service and command of `docker compose run` and `exec`.
    pub(super) services: Vec<(String, String)>,
}

/// Reads a workflow or a manifest, one or several YAML documents, whose commands run in `root`.
///
/// # Errors
/// Line, column (both from 1) and what is wrong there.
pub(super) fn read(text: &[u8], root: &Path) -> Result<Steps, (u64, u64, String)> {
    let mut steps = Steps::default();
    let text = String::from_utf8_lossy(text);
    let mut line = 0;
    for document in documents(&text) {
        let value = compose::parse(document.as_bytes())
            .map_err(|(at, column, message)| (at + line, column, message))?;
        line += document.matches('\n').count() as u64;
        visit(&value, root, &mut steps, 0);
    }
    Ok(steps)
}

/// The documents between `---` lines, which each keep theirs.
fn documents(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = text
        .match_indices("\n---")
        .filter(|(at, found)| {
            let after = text[at + found.len()..].chars().next();
            after.is_none_or(char::is_whitespace)
        })
        .map(|(at, _)| at + 1)
        .collect();
    starts.insert(0, 0);
    starts.push(text.len());
    starts
        .windows(2)
        .map(|pair| &text[pair[0]..pair[1]])
        .filter(|document| !document.trim().trim_matches('-').trim().is_empty())
        .collect()
}

fn visit(value: &Value, root: &Path, steps: &mut Steps, depth: usize) {
    if depth > 32 {
        return;
    }
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| visit(item, root, steps, depth + 1)),
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("run" | "script" | "args", Value::String(script)) => {
                        commands(script, root, steps)
                    }
                    ("script", Value::Array(lines)) => {
                        for line in lines.iter().filter_map(Value::as_str) {
                            commands(line, root, steps);
                        }
                    }
                    ("with", with) if action(map.get("uses")) => {
                        steps.builds.extend(step(with, root))
                    }
                    ("containers" | "initContainers", Value::Array(containers)) => {
                        steps.runs.extend(containers.iter().filter_map(container));
                    }
                    (_, value) => visit(value, root, steps, depth + 1),
                }
            }
        }
        _ => {}
    }
}

fn action(uses: Option<&Value>) -> bool {
    uses.and_then(Value::as_str)
        .is_some_and(|uses| uses.starts_with("docker/build-push-action"))
}

/// The inputs of a build-push action.
fn step(with: &Value, root: &Path) -> Option<Build> {
    let text = |key: &str| {
        let value = with.get(key).and_then(Value::as_str)?;
        (!value.contains("${{")).then_some(value)
    };
    // Without a context the action fetches the repository: its root.
    let context = text("context").unwrap_or(".");
    if is_remote(context) || with.get("context").is_some() && text("context").is_none() {
        return None;
    }
    let context = clean(&root.join(context));
    let dockerfile = match text("file") {
        Some(file) => clean(&root.join(file)),
        None => context.join("Dockerfile"),
    };
    let mut build = Build {
        dockerfile,
        context: Some(context),
        ..Build::default()
    };
    build
        .usage
        .targets
        .extend(text("target").map(str::to_owned));
    Some(build)
}

/// Image and command of a Kubernetes container that overrides what the image starts.
fn container(container: &Value) -> Option<(String, String)> {
    let image = container.get("image")?.as_str()?;
    let words = |key: &str| {
        let list = container.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    };
    let text = shell_text(words("command").chain(words("args")));
    (!text.is_empty()).then(|| (image.to_owned(), text))
}

fn commands(script: &str, root: &Path, steps: &mut Steps) {
    let script = script.replace("\\\n", " ");
    for command in script.split(['\n', ';', '|', '&']) {
        let words: Vec<&str> = command
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']))
            .collect();
        let words = match words.as_slice() {
            ["sudo", rest @ ..] => rest,
            words => words,
        };
        match words {
            ["docker", "build", rest @ ..] | ["docker", "buildx", "build", rest @ ..] => {
                steps.builds.extend(build(rest, root));
            }
            ["docker", "run", rest @ ..] => {
                let rest = operands(rest, is_run_switch);
                if let [image, command @ ..] = rest
                    && !command.is_empty()
                {
                    steps.runs.push(((*image).to_owned(), command.join(" ")));
                }
            }
            ["docker", "compose", "run" | "exec", rest @ ..]
            | ["docker-compose", "run" | "exec", rest @ ..] => {
                if let [service, command @ ..] = operands(rest, is_run_switch)
                    && !command.is_empty()
                {
                    steps
                        .services
                        .push(((*service).to_owned(), command.join(" ")));
                }
            }
            _ => {}
        }
    }
}

fn build(words: &[&str], root: &Path) -> Option<Build> {
    let (mut file, mut context) = (None, None);
    let mut build = Build::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (flag, mut value) = match word.split_once('=') {
            Some((flag, value)) if word.starts_with('-') => (flag, Some(value)),
            _ => (*word, None),
        };
        if !flag.starts_with('-') || flag == "-" {
            context = Some(flag);
            continue;
        }
        if value.is_none() && !is_build_switch(flag) {
            value = words.next().copied();
        }
        match (flag, value) {
            ("-f" | "--file", Some(value)) => file = Some(value),
            ("--target", Some(value)) => build.usage.targets.push(value.to_owned()),
            ("-t" | "--tag", Some(value)) => build.tags.push(value.to_owned()),
            _ => {}
        }
    }
    let context = context.filter(|context| *context != "-" && !is_remote(context))?;
    if context.contains('$') || file.is_some_and(|file| file.contains('$') || file == "-") {
        return None;
    }
    build.usage.targets.retain(|target| !target.contains('$'));
    let context = clean(&root.join(context));
    build.dockerfile = match file {
        Some(file) => clean(&root.join(file)),
        None => context.join("Dockerfile"),
    };
    build.context = Some(context);
    Some(build)
}

/// What follows the flags.
fn operands<'a, 'b>(words: &'a [&'b str], is_switch: fn(&str) -> bool) -> &'a [&'b str] {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += if is_switch(word) || word.contains('=') {
            1
        } else {
            2
        };
    }
    words.get(at..).unwrap_or_default()
}

fn is_run_switch(flag: &str) -> bool {
    let long = [
        "--rm",
        "--interactive",
        "--tty",
        "--detach",
        "--init",
        "--privileged",
        "--read-only",
        "--publish-all",
        "--no-deps",
        "--service-ports",
        "--use-aliases",
        "--no-TTY",
        "--build",
        "--no-healthcheck",
    ];
    long.contains(&flag)
        || !flag.starts_with("--") && flag[1..].bytes().all(|letter| b"itdPT".contains(&letter))
}

fn is_build_switch(flag: &str) -> bool {
    let switches = [
        "--pull",
        "--no-cache",
        "--push",
        "--load",
        "-q",
        "--quiet",
        "--rm",
        "--force-rm",
        "--squash",
        "--compress",
        "--check",
        "-D",
        "--debug",
    ];
    switches.contains(&flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_workflow() {
        let text = r#"
jobs:
  a:
    steps:
      - run: |
          docker build -t me/app:ci -f docker/Dockerfile --target test --build-arg A=B . && docker run --rm -e X=1 -it me/app:ci npm test
          docker compose run --rm web ./manage.py migrate
      - uses: docker/build-push-action@v6
        with: {context: api, target: prod, tags: "x"}
      - uses: docker/build-push-action@v6
        with: {context: "${{ matrix.dir }}"}
"#;
        let steps = read(text.as_bytes(), Path::new(".")).expect("it is valid");
        let [build, action] = steps.builds.as_slice() else {
            panic!("{steps:?}");
        };
        assert_eq!(build.dockerfile, Path::new("docker/Dockerfile"));
        assert_eq!(build.context.as_deref(), Some(Path::new(".")));
        assert_eq!(build.usage.targets, ["test"]);
        assert_eq!(build.tags, ["me/app:ci"]);
        assert_eq!(action.dockerfile, Path::new("api/Dockerfile"));
        assert_eq!(action.usage.targets, ["prod"]);
        assert_eq!(
            steps.runs,
            [("me/app:ci".to_owned(), "npm test".to_owned())]
        );
        assert_eq!(
            steps.services,
            [("web".to_owned(), "./manage.py migrate".to_owned())]
        );
    }

    #[test]
    fn containers_that_override_the_command() {
        let text = "---\nkind: Service\n---\nspec:\n  template:\n    spec:\n      containers:\n      - image: app:1\n        command: [sh, -c]\n        args: ['a b']\n      - image: other\n";
        let steps = read(text.as_bytes(), Path::new(".")).expect("it is valid");
        assert_eq!(steps.runs, [("app:1".to_owned(), "sh -c 'a b'".to_owned())]);
    }

    #[test]
    fn a_broken_document_is_told_with_its_line_in_the_file() {
        let error = read(b"a: 1\n---\nb: [\n", Path::new(".")).expect_err("a bracket is open");
        assert!(error.0 >= 3, "{error:?}");
    }
}
