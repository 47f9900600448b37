//! From the paths of the command line to Dockerfiles, each with its context and what is known about its use.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::args::Input;
use super::builds::{Described, clean, merge};
use super::jobs::{Job, folder_of};
use super::places::repository;
use super::surroundings::Surroundings;
use super::{bake, compose, infer};

/// Folders that hold other people's files, or none of anybody's: a walk does not enter them.
const NOT_ENTERED: [&str; 4] = [".git", "node_modules", "target", "vendor"];

/// Compose and Bake files are no larger.
const LARGEST: u64 = 4 << 20;

/// What the paths of the command line stand for.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By path, each once.
    pub(super) jobs: Vec<Job>,
    /// Files that were to name Dockerfiles and cannot be read.
    pub(super) errors: Vec<String>,
}

/// The Dockerfiles that `paths` stand for.
pub(super) fn find(paths: &[PathBuf], input: &Input) -> Result<Found> {
    if let Some(context) = &input.context
        && !context.is_dir()
    {
        bail!("the context {} is not a folder", context.display());
    }
    let mut found = Found::default();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            walk(path, &mut found.jobs);
        } else if name.ends_with(".yml") || name.ends_with(".yaml") || bake::is_bake_name(&name) {
            describe(path, &name, &mut found);
        } else {
            found.jobs.push(Job::new(path.clone(), None, true));
        }
    }
    found.jobs = each_once(found.jobs);
    settle_contexts(&mut found.jobs, input);
    Ok(found)
}

/// Whether a file of this name is a Dockerfile by convention.
pub(super) fn is_dockerfile_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let known = name == "dockerfile"
        || name.starts_with("containerfile")
        || name.ends_with(".dockerfile")
        || name.starts_with("dockerfile.");
    known && !name.ends_with(".dockerignore")
}

/// Links are passed by: the file behind one is found by its own name.
fn walk(folder: &Path, jobs: &mut Vec<Job>) {
    let walk = ignore::WalkBuilder::new(folder)
        .hidden(false)
        .filter_entry(|entry| {
            let name = entry.file_name().to_str().unwrap_or_default();
            entry.depth() == 0 || !NOT_ENTERED.contains(&name)
        })
        .build();
    for entry in walk.flatten() {
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        if is_file && is_dockerfile_name(&entry.file_name().to_string_lossy()) {
            let path = entry.into_path();
            let path = path
                .strip_prefix(".")
                .map(Path::to_path_buf)
                .unwrap_or(path);
            jobs.push(Job::new(path, None, false));
        }
    }
}

/// The builds of a Compose or Bake file that the user named.
fn describe(path: &Path, name: &str, found: &mut Found) {
    let shown = path.display();
    let text = match read(path) {
        Ok(text) => text,
        Err(error) => return found.errors.push(format!("{shown} {error}")),
    };
    let folder = folder_of(path);
    let described = if bake::is_bake_name(name) {
        bake::read(&text, name.ends_with(".json"), folder)
    } else {
        compose::read(&text, folder)
    };
    let Described { builds, notes } = match described {
        Ok(described) => described,
        Err((line, column, message)) => {
            return found
                .errors
                .push(format!("{shown}:{line}:{column}: {message}"));
        }
    };
    let mut notes = notes
        .into_iter()
        .map(|note| format!("{shown}: {note}"))
        .collect::<Vec<_>>();
    if builds.is_empty() {
        let why = notes
            .pop()
            .unwrap_or_else(|| format!("{shown}: no service builds an image"));
        found.errors.push(why);
        return;
    }
    for build in builds {
        let mut job = Job::new(build.dockerfile, build.context, true);
        job.usage = build.usage;
        job.notes.append(&mut notes);
        found.jobs.push(job);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if metadata.len() > LARGEST {
        return Err("is larger than 4 MB; no Compose or Bake file is".to_owned());
    }
    fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

/// The jobs by path, those of one Dockerfile as one. The first context that is named holds.
fn each_once(jobs: Vec<Job>) -> Vec<Job> {
    let mut known: HashMap<PathBuf, usize> = HashMap::new();
    let mut once: Vec<Job> = Vec::new();
    for mut job in jobs {
        let key = clean(&job.path);
        let Some(at) = known.get(&key) else {
            known.insert(key, once.len());
            once.push(job);
            continue;
        };
        let first = &mut once[*at];
        first.named |= job.named;
        merge(&mut first.usage, &job.usage);
        first.notes.append(&mut job.notes);
        match (&first.context, job.context) {
            (None, Some(context)) => first.context = Some(context),
            (Some(known), Some(other)) if *known != other => first.notes.push(format!(
                "is built with the context {} too; it was judged with {}",
                other.display(),
                known.display()
            )),
            _ => {}
        }
    }
    once.sort_by(|a, b| a.path.cmp(&b.path));
    once
}

/// Gives every job the context that the user, the repository or its COPY sources name, and what is known about its use.
pub(super) fn settle_contexts(jobs: &mut [Job], input: &Input) {
    if input.no_context {
        jobs.iter_mut().for_each(|job| job.context = None);
        return;
    }
    let mut surroundings = Surroundings::default();
    for job in jobs {
        let builds = surroundings.describe(job);
        if let Some(context) = &input.context {
            job.context = Some(context.clone());
        } else if job.context.is_none() {
            let named = builds.into_iter().filter_map(|build| build.context);
            settle(job, named);
        }
    }
}

/// Chooses among the Dockerfile's folder, the contexts that other files name, and the folders above.
fn settle(job: &mut Job, named: impl Iterator<Item = PathBuf>) {
    let own = folder_of(&job.path).to_path_buf();
    // What cannot be read has no sources; that is told when it is judged.
    let source = super::write::read(&job.path).unwrap_or_default();
    let copied = infer::copied(&source);
    let missing = infer::missing(&own, &copied);
    let same = |context: &Path| context.canonicalize().ok() == own.canonicalize().ok();
    for context in named {
        if infer::missing(&context, &copied) > missing {
            continue;
        }
        if same(&context) {
            job.context = Some(own);
        } else {
            let context = nearer_name(&own, context);
            job.notes.push(format!(
                "build context: {}, as the repository's own builds have it",
                context.display()
            ));
            job.context = Some(context);
        }
        return;
    }
    let top = repository(&own).or_else(|| std::env::current_dir().ok()?.canonicalize().ok());
    let parent = top.and_then(|top| infer::parent(&job.path, &copied, &top));
    if let Some(parent) = &parent {
        job.notes.push(format!(
            "build context: {}, where the sources of its COPY instructions are",
            parent.display()
        ));
    }
    job.context = Some(parent.unwrap_or(own));
}

/// The absolute `context` named from `folder` upwards where that is possible, as the user named the Dockerfile.
fn nearer_name(folder: &Path, context: PathBuf) -> PathBuf {
    let mut above = folder.to_path_buf();
    for _ in 0..16 {
        above = clean(&above.join(".."));
        match above.canonicalize() {
            Ok(here) if here == context => return above,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join(".git")).expect("a folder");
        for (path, contents) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
            fs::write(path, contents).expect("a file");
        }
        root
    }

    fn found(root: &Path, path: &str) -> Found {
        find(&[root.join(path)], &Input::default()).expect("no context is given")
    }

    fn names(root: &Path, found: &Found) -> Vec<String> {
        let inside = |path: &Path| {
            path.strip_prefix(root)
                .unwrap_or(path)
                .display()
                .to_string()
        };
        found.jobs.iter().map(|job| inside(&job.path)).collect()
    }

    #[test]
    fn a_walk_finds_the_usual_names_and_passes_other_peoples_folders() {
        let root = tree(&[
            (".gitignore", "ignored/\n"),
            ("Dockerfile", ""),
            ("Dockerfile.dockerignore", ""),
            ("a/api.Dockerfile", ""),
            ("a/Dockerfile.dev", ""),
            ("a/Containerfile", ""),
            ("a/mydockerfile", ""),
            (".devcontainer/Dockerfile", ""),
            ("node_modules/x/Dockerfile", ""),
            ("vendor/Dockerfile", ""),
            ("target/Dockerfile", ""),
            ("ignored/Dockerfile", ""),
        ]);
        assert_eq!(
            names(root.path(), &found(root.path(), "")),
            [
                ".devcontainer/Dockerfile",
                "Dockerfile",
                "a/Containerfile",
                "a/Dockerfile.dev",
                "a/api.Dockerfile"
            ]
        );
        assert_eq!(
            names(root.path(), &found(root.path(), "vendor")),
            ["vendor/Dockerfile"]
        );
    }

    #[test]
    fn a_compose_file_stands_for_its_builds() {
        let text = "services:\n  a: {build: ./a}\n  b: {build: {context: ., dockerfile: a/Dockerfile, target: t}}\n  c: {build: {context: c, dockerfile: x.Dockerfile}}\n";
        let root = tree(&[
            ("stack.yml", text),
            ("a/Dockerfile", ""),
            ("c/x.Dockerfile", ""),
        ]);
        let found = found(root.path(), "stack.yml");
        assert_eq!(
            names(root.path(), &found),
            ["a/Dockerfile", "c/x.Dockerfile"]
        );
        assert_eq!(found.jobs[0].usage.targets, ["t"]);
        assert_eq!(found.jobs[0].context, Some(root.path().join("a")));
        assert!(found.jobs[0].notes[0].starts_with("is built with the context"));
    }

    #[test]
    fn a_context_above_is_found_and_told() {
        let root = tree(&[
            ("docker/Dockerfile", "FROM a\nCOPY src /src\n"),
            ("src/main.c", ""),
            ("api/Dockerfile", "FROM a\nCOPY run.sh /\n"),
            ("api/run.sh", ""),
        ]);
        let found = found(root.path(), "");
        assert_eq!(found.jobs[0].context, Some(root.path().join("api")));
        assert!(found.jobs[0].notes.is_empty());
        assert_eq!(found.jobs[1].context, Some(root.path().to_path_buf()));
        assert!(found.jobs[1].notes[0].starts_with("build context: "));
    }

    #[test]
    fn a_compose_file_beside_names_the_context_and_the_commands() {
        let text = "services:\n  a:\n    build: {context: .., dockerfile: docker/Dockerfile}\n    command: ./serve\n";
        let root = tree(&[
            ("docker/Dockerfile", "FROM a\nCOPY . .\n"),
            ("docker/compose.yaml", text),
        ]);
        let found = found(root.path(), "docker/Dockerfile");
        assert_eq!(found.jobs[0].context, Some(root.path().to_path_buf()));
        assert_eq!(found.jobs[0].usage.commands, ["./serve"]);
    }

    #[test]
    fn a_broken_compose_file_is_an_error_with_its_place() {
        let root = tree(&[("compose.yaml", "services:\n\ta: 1\n")]);
        let found = found(root.path(), "compose.yaml");
        assert!(found.jobs.is_empty());
        assert!(
            found.errors[0].contains("compose.yaml:2:"),
            "{:?}",
            found.errors
        );
    }
}
