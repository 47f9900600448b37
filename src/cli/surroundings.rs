//! What conventional files of a repository say about an image: Compose, Procfile, CI, Kubernetes.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builds::{Build, Described, merge};
use super::ci::{self, Steps};
use super::compose;
use super::jobs::{Job, folder_of};
use super::places::repository;
use crate::rules::Usage;

/// Larger files are not read.
const LARGEST: u64 = 1 << 20;
/// Of one kind, no more files than this are read.
const MOST_FILES: usize = 40;
/// Folders in which Kubernetes manifests stand by convention.
const MANIFESTS: [&str; 6] = [
    "k8s",
    "kubernetes",
    ".k8s",
    "deploy",
    "deployment",
    "manifests",
];

/// What was read so far, by folder.
#[derive(Default)]
pub(super) struct Surroundings {
    composes: HashMap<PathBuf, Arc<Described>>,
    repositories: HashMap<PathBuf, Arc<Repository>>,
}

/// What the CI and the manifests of a repository say.
#[derive(Default)]
struct Repository {
    steps: Steps,
    legacy_builders: Vec<String>,
    /// A manifest asks for `runAsNonRoot`.
    numeric_user: bool,
    notes: Vec<String>,
}

impl Surroundings {
    /// Adds to `job` what is said about its image, and gives the builds that name its Dockerfile.
    pub(super) fn describe(&mut self, job: &mut Job) -> Vec<Build> {
        let folder = folder_of(&job.path).to_path_buf();
        let Ok(here) = folder.canonicalize() else {
            return Vec::new();
        };
        let Some(name) = job.path.file_name() else {
            return Vec::new();
        };
        let own = here.join(name);
        let root = repository(&folder);
        let mut builds = Vec::new();
        let mut folders = vec![here.clone()];
        folders.extend(root.clone().filter(|root| *root != here));
        for folder in &folders {
            let described = self.compose(folder);
            job.notes.extend(described.notes.iter().cloned());
            builds.extend(
                described
                    .builds
                    .iter()
                    .filter(|build| build.dockerfile == own)
                    .cloned(),
            );
        }
        let services: Vec<String> = builds.iter().map(|build| build.name.clone()).collect();
        if let Some(root) = root {
            let known = self.repository(&root);
            job.notes.extend(known.notes.iter().cloned());
            builds.extend(
                known
                    .steps
                    .builds
                    .iter()
                    .filter(|build| build.dockerfile == own)
                    .cloned(),
            );
            let mut usage = Usage {
                legacy_builders: known.legacy_builders.clone(),
                numeric_user: known.numeric_user,
                ..Usage::default()
            };
            let tags: Vec<&str> = builds
                .iter()
                .flat_map(|build| &build.tags)
                .map(|tag| bare(tag))
                .collect();
            let folder_name = here
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            for (image, command) in &known.steps.runs {
                let last = bare(image).rsplit('/').next().unwrap_or_default();
                let ours = tags.contains(&bare(image))
                    || last == folder_name
                    || services.iter().any(|service| service == last);
                if ours {
                    usage.commands.push(command.clone());
                }
            }
            for (service, command) in &known.steps.services {
                if services.contains(service) {
                    usage.commands.push(command.clone());
                }
            }
            merge(&mut job.usage, &usage);
        }
        for build in &builds {
            merge(&mut job.usage, &build.usage);
        }
        let procfile = Usage {
            commands: procfile(&folder),
            ..Usage::default()
        };
        merge(&mut job.usage, &procfile);
        builds
    }

    /// The Compose files of the absolute `folder`.
    fn compose(&mut self, folder: &Path) -> Arc<Described> {
        if let Some(known) = self.composes.get(folder) {
            return Arc::clone(known);
        }
        let mut described = Described::default();
        for (path, name) in files(folder) {
            if !compose::is_compose_name(&name) {
                continue;
            }
            let Some(text) = read(&path) else { continue };
            match compose::read(&text, folder) {
                Ok(more) => {
                    described.builds.extend(more.builds);
                    described
                        .notes
                        .extend(more.notes.iter().map(|note| format!("{name}: {note}")));
                }
                Err(error) => described.notes.push(unread(&name, &error)),
            }
        }
        let described = Arc::new(described);
        self.composes
            .insert(folder.to_path_buf(), Arc::clone(&described));
        described
    }

    /// The CI and the manifests of the repository at `root`.
    fn repository(&mut self, root: &Path) -> Arc<Repository> {
        if let Some(known) = self.repositories.get(root) {
            return Arc::clone(known);
        }
        let mut found = Repository::default();
        let workflows = files(&root.join(".github/workflows"));
        for (path, name) in workflows {
            found.take(&path, &format!(".github/workflows/{name}"), root);
        }
        for folder in MANIFESTS {
            for (path, name) in files(&root.join(folder)) {
                found.take(&path, &format!("{folder}/{name}"), root);
            }
        }
        for name in [
            ".gitlab-ci.yml",
            ".travis.yml",
            "cloudbuild.yaml",
            "cloudbuild.yml",
        ] {
            found.take(&root.join(name), name, root);
        }
        for name in ["Makefile", "Jenkinsfile", ".env", "skaffold.yaml"] {
            if let Some(text) = read(&root.join(name))
                && is_legacy(name, &String::from_utf8_lossy(&text))
            {
                found.legacy_builders.push(name.to_owned());
            }
        }
        let found = Arc::new(found);
        self.repositories
            .insert(root.to_path_buf(), Arc::clone(&found));
        found
    }
}

impl Repository {
    /// Reads one YAML file, if there is one that speaks of images.
    fn take(&mut self, path: &Path, name: &str, root: &Path) {
        if !name.ends_with(".yml") && !name.ends_with(".yaml") {
            return;
        }
        let Some(bytes) = read(path) else { return };
        let text = String::from_utf8_lossy(&bytes);
        if is_legacy(name, &text) {
            self.legacy_builders.push(name.to_owned());
        }
        self.numeric_user |= text.contains("runAsNonRoot: true");
        if !text.contains("docker") && !text.contains("containers:") {
            return;
        }
        match ci::read(&bytes, root) {
            Ok(steps) => {
                self.steps.builds.extend(steps.builds);
                self.steps.runs.extend(steps.runs);
                self.steps.services.extend(steps.services);
            }
            Err(error) => self.notes.push(unread(name, &error)),
        }
    }
}

fn unread(name: &str, (line, column, message): &(u64, u64, String)) -> String {
    format!("{name}:{line}:{column} is not understood, so it does not count: {message}")
}

/// Whether a file builds with a builder that knows no mounts: Kaniko, or Docker's builder before BuildKit.
fn is_legacy(name: &str, text: &str) -> bool {
    let off = [
        "DOCKER_BUILDKIT=0",
        "DOCKER_BUILDKIT: 0",
        "DOCKER_BUILDKIT: \"0\"",
        "DOCKER_BUILDKIT: '0'",
    ];
    let old_cloud_build = name.starts_with("cloudbuild")
        && text.contains("gcr.io/cloud-builders/docker")
        && !text.contains("DOCKER_BUILDKIT=1");
    text.contains("kaniko-project/executor")
        || text.contains("kaniko:")
        || off.iter().any(|off| text.contains(off))
        || old_cloud_build
}

/// The commands of the Procfile in `folder`.
fn procfile(folder: &Path) -> Vec<String> {
    let Some(text) = read(&folder.join("Procfile")) else {
        return Vec::new();
    };
    String::from_utf8_lossy(&text)
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(_, command)| command.trim().to_owned())
        .filter(|command| !command.is_empty())
        .collect()
}

/// An image reference without tag and digest.
fn bare(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The files of `folder` and their names, by name.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<(PathBuf, String)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)))
        .filter(|(_, name)| name.ends_with(".yml") || name.ends_with(".yaml"))
        .collect();
    files.sort();
    files.truncate(MOST_FILES);
    files
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::metadata(path).ok()?;
    (metadata.is_file() && metadata.len() <= LARGEST)
        .then(|| fs::read(path).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(files: &[(&str, &str)], path: &str) -> (Job, Vec<Build>, tempfile::TempDir) {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join(".git")).expect("a folder");
        for (path, contents) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
            fs::write(path, contents).expect("a file");
        }
        let mut job = Job::new(root.path().join(path), None, true);
        let builds = Surroundings::default().describe(&mut job);
        (job, builds, root)
    }

    #[test]
    fn manifests_that_take_no_root_are_seen() {
        let manifest = "spec:\n  securityContext: {}\n  containers:\n  - image: a\n    securityContext:\n      runAsNonRoot: true\n";
        let (found, ..) = job(
            &[("k8s/web.yaml", manifest), ("Dockerfile", "")],
            "Dockerfile",
        );
        assert!(found.usage.numeric_user);
        let (found, ..) = job(
            &[("k8s/web.yaml", "spec: {}\n"), ("Dockerfile", "")],
            "Dockerfile",
        );
        assert!(!found.usage.numeric_user);
    }

    #[test]
    fn compose_ci_and_procfile_are_gathered() {
        let (job, builds, root) = job(
            &[
                (
                    "docker-compose.yml",
                    "services:\n  api:\n    build: {context: ., dockerfile: docker/Dockerfile, target: dev}\n    command: npm run dev\n",
                ),
                (
                    ".github/workflows/ci.yaml",
                    "jobs:\n  a:\n    steps:\n      - run: docker compose run api npm test\n      - run: DOCKER_BUILDKIT=0 docker build -f docker/Dockerfile -t x/y:1 . && docker run x/y:2 ./check\n",
                ),
                ("docker/Procfile", "web: node server.js\n# x: y\n"),
                ("docker/Dockerfile", ""),
            ],
            "docker/Dockerfile",
        );
        assert_eq!(job.usage.targets, ["dev"]);
        assert_eq!(
            job.usage.commands,
            ["npm test", "npm run dev", "node server.js"]
        );
        assert_eq!(job.usage.legacy_builders, [".github/workflows/ci.yaml"]);
        assert_eq!(builds.len(), 1, "{builds:?}");
        let top = root.path().canonicalize().expect("it exists");
        assert_eq!(builds[0].context, Some(top));
    }

    #[test]
    fn a_broken_file_is_a_note() {
        let (job, _, _root) = job(
            &[("compose.yaml", "services: [\n"), ("Dockerfile", "")],
            "Dockerfile",
        );
        let [note] = job.notes.as_slice() else {
            panic!("{:?}", job.notes);
        };
        assert!(
            note.starts_with("compose.yaml:") && note.contains("is not understood"),
            "{note}"
        );
    }

    #[test]
    fn kaniko_and_old_cloud_build_know_no_mounts() {
        let executor = "steps:\n- name: gcr.io/kaniko-project/executor:latest\n";
        let (job, _, _root) = job(
            &[("cloudbuild.yaml", executor), ("Dockerfile", "")],
            "Dockerfile",
        );
        assert_eq!(job.usage.legacy_builders, ["cloudbuild.yaml"]);
    }
}
