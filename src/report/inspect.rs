//! What was understood of a Dockerfile and its context, for people and for programs.

use std::path::Path;

use serde::Serialize;

use super::paint::{FAINT, HEADING};
use super::size::{bytes, counted};
use super::{Paint, printable};
use crate::catalog::{Catalog, ImageFacts};
use crate::context::{Context, Entry};
use crate::model::{Base, Model, Stage};
use crate::rules::Usage;
use crate::stack::{Evidence, Project, STACKS};

/// So many folders of a context are looked at for projects where its root holds none.
const MOST_FOLDERS: usize = 200;

/// What was understood.
#[derive(Clone, Debug, Serialize)]
pub struct Understanding {
    path: String,
    /// Why BuildKit refuses the file.
    refused: Option<String>,
    stages: Vec<StageView>,
    /// None when the Dockerfile is judged alone.
    context: Option<ContextView>,
    projects: Vec<ProjectView>,
    usage: UsageView,
    notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct StageView {
    index: usize,
    name: Option<String>,
    line: usize,
    base: String,
    /// Distribution and release, `debian 12`.
    distribution: Option<String>,
    /// Bytes of the base on disk, where it was measured.
    base_bytes: Option<u64>,
    ships: bool,
    user: Option<String>,
    workdir: Option<String>,
    copies_from: Vec<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct ContextView {
    folder: String,
    files: usize,
    bytes: u64,
    /// The ignore file, if there is one.
    ignore_file: Option<String>,
    /// Whether there is more than was looked at.
    truncated: bool,
}

#[derive(Clone, Debug, Serialize)]
struct ProjectView {
    stack: &'static str,
    root: String,
    language_version: Option<String>,
    package_manager: Option<String>,
    manifests: Vec<String>,
    locks: Vec<String>,
    ports: Vec<u16>,
    evidence: Vec<EvidenceView>,
    findings: Vec<EvidenceView>,
}

#[derive(Clone, Debug, Serialize)]
struct EvidenceView {
    fact: String,
    source: String,
}

#[derive(Clone, Debug, Serialize)]
struct UsageView {
    targets: Vec<String>,
    commands: Vec<String>,
    legacy_builders: Vec<String>,
    mounts: Vec<String>,
    users: Vec<String>,
}

impl Understanding {
    /// What the model of the Dockerfile at `path` and its context (with its folder) say.
    #[must_use]
    pub fn new(
        path: &Path,
        model: &Model<'_>,
        context: Option<(&Path, &Context)>,
        catalog: &Catalog,
        usage: &Usage,
        notes: &[String],
    ) -> Self {
        let diagnostic = model.dockerfile.refused();
        Self {
            path: path.to_string_lossy().into_owned(),
            refused: diagnostic.map(|diagnostic| diagnostic.message.clone()),
            stages: model
                .stages
                .iter()
                .map(|stage| StageView::new(model, stage))
                .collect(),
            context: context.map(|(folder, context)| ContextView::new(folder, context)),
            projects: context.map_or_else(Vec::new, |(_, context)| projects(context, catalog)),
            usage: UsageView {
                targets: usage.targets.clone(),
                commands: usage.commands.clone(),
                legacy_builders: usage.legacy_builders.clone(),
                mounts: usage.mounts.clone(),
                users: usage.users.clone(),
            },
            notes: notes.to_vec(),
        }
    }

    /// Appends the block for people.
    pub fn text(&self, out: &mut Vec<u8>, paint: Paint) {
        paint.put(out, HEADING, &printable(self.path.as_bytes()));
        out.push(b'\n');
        let mut row = |label: &str, text: &str| {
            paint.put(out, FAINT, &format!("  {label:<9}"));
            out.extend_from_slice(printable(text.as_bytes()).as_bytes());
            out.push(b'\n');
        };
        if let Some(refused) = &self.refused {
            row("refused", refused);
        }
        for stage in &self.stages {
            row("stage", &stage.sentence());
        }
        if let Some(context) = &self.context {
            row("context", &context.sentence());
        }
        for project in &self.projects {
            row("project", &project.sentence());
            for evidence in &project.evidence {
                row("", &format!("{}  ({})", evidence.fact, evidence.source));
            }
            for finding in &project.findings {
                row("", &format!("{}  ({})", finding.fact, finding.source));
            }
        }
        let lists = [
            ("target", &self.usage.targets),
            ("runs", &self.usage.commands),
            ("legacy", &self.usage.legacy_builders),
            ("mounts", &self.usage.mounts),
            ("user", &self.usage.users),
            ("note", &self.notes),
        ];
        for (label, list) in lists {
            list.iter().for_each(|item| row(label, item));
        }
        out.push(b'\n');
    }

    /// Appends one JSON object.
    pub fn json(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self)
            .expect("plain structures have a JSON form and a Vec takes any byte");
    }
}

impl StageView {
    fn new(model: &Model<'_>, stage: &Stage) -> Self {
        let facts = match &stage.base {
            Base::Image { facts, .. } => facts.as_ref(),
            _ => None,
        };
        Self {
            index: stage.index,
            name: stage.name.clone(),
            line: model.instruction(stage.from).lines.0,
            base: match &stage.base {
                Base::Scratch => "scratch".to_owned(),
                Base::Stage(parent) => format!("stage {parent}"),
                Base::Image { reference, .. } => reference.clone(),
                Base::Unknown => "unknown".to_owned(),
            },
            distribution: facts.and_then(distribution),
            base_bytes: facts
                .and_then(|facts| facts.size)
                .map(|size| size.on_disk_kb * 1000)
                .filter(|bytes| *bytes > 0),
            ships: stage.ships,
            user: stage.end.config.user.clone(),
            workdir: stage.end.config.workdir.clone(),
            copies_from: stage.copies_from.clone(),
        }
    }

    fn sentence(&self) -> String {
        let name = match &self.name {
            Some(name) => format!(" {name}"),
            None => String::new(),
        };
        let mut parts = vec![format!("{}{name}  from {}", self.index, self.base)];
        parts.extend(self.distribution.clone());
        parts.extend(self.base_bytes.map(bytes));
        if let Some(user) = &self.user {
            parts.push(format!("user {user}"));
        }
        if let Some(workdir) = &self.workdir {
            parts.push(format!("in {workdir}"));
        }
        if self.ships {
            parts.push("ships".to_owned());
        }
        parts.join(", ")
    }
}

fn distribution(facts: &ImageFacts) -> Option<String> {
    let release = facts.release.as_ref()?;
    let text = format!("{} {}", release.distribution, release.version);
    Some(text.trim().to_owned())
}

impl ContextView {
    fn new(folder: &Path, context: &Context) -> Self {
        let (files, bytes) = context.size_visible();
        let ignore = context.ignore();
        Self {
            folder: folder.to_string_lossy().into_owned(),
            files,
            bytes,
            ignore_file: ignore.source().map(|_| ignore.path().to_owned()),
            truncated: context.truncated(),
        }
    }

    fn sentence(&self) -> String {
        let files = counted(self.files as u64, "file");
        let more = if self.truncated { ", and more" } else { "" };
        let ignore = match &self.ignore_file {
            Some(path) => format!(", {path} applies"),
            None => ", no .dockerignore".to_owned(),
        };
        format!(
            "{}  {} in {files}{more}{ignore}",
            self.folder,
            bytes(self.bytes)
        )
    }
}

impl ProjectView {
    fn new(stack: &'static str, project: Project) -> Self {
        let view = |evidence: Vec<Evidence>| {
            let view = |Evidence { fact, source }| EvidenceView { fact, source };
            evidence.into_iter().map(view).collect()
        };
        Self {
            stack,
            root: project.root,
            language_version: project.language_version,
            package_manager: project.package_manager,
            manifests: project.manifests,
            locks: project.locks,
            ports: project.ports,
            evidence: view(project.evidence),
            findings: view(project.findings),
        }
    }

    fn sentence(&self) -> String {
        let mut parts = vec![self.stack.to_owned()];
        if let Some(version) = &self.language_version {
            parts[0].push_str(&format!(" {version}"));
        }
        parts.extend(self.package_manager.clone());
        if !self.root.is_empty() {
            parts.push(format!("in {}", self.root));
        }
        match self.locks.as_slice() {
            [] => parts.push("no lock file".to_owned()),
            locks => parts.push(format!("locked by {}", locks.join(" and "))),
        }
        for port in &self.ports {
            parts.push(format!("port {port}"));
        }
        parts.join(", ")
    }
}

/// The projects in the root of the context; where there are none, those in the folders nearest to it.
fn projects(context: &Context, catalog: &Catalog) -> Vec<ProjectView> {
    let in_folder = |root: &str| -> Vec<ProjectView> {
        let found = STACKS.iter().filter_map(|stack| {
            let project = stack.detect(root, context, catalog)?;
            Some(ProjectView::new(stack.name(), project))
        });
        found.collect()
    };
    let found = in_folder("");
    if !found.is_empty() {
        return found;
    }
    for depth in 0..2 {
        let folders = context.visible().filter(|(path, entry)| {
            matches!(entry, Entry::Folder { .. }) && path.matches('/').count() == depth
        });
        let found: Vec<ProjectView> = folders
            .take(MOST_FOLDERS)
            .flat_map(|(path, _)| in_folder(path))
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Dockerfile;

    #[test]
    fn stages_context_and_projects_are_told() {
        let source = "FROM golang:1.22 AS build\nWORKDIR /src\nCOPY . .\nFROM alpine:3.20\nUSER 1000\nCOPY --from=build /src/a /a\n";
        let dockerfile = Dockerfile::parse(source.as_bytes().to_vec());
        let catalog = Catalog::default();
        let model = Model::new(&dockerfile, &catalog, &[]);
        let context = Context::in_memory([
            ("app/go.mod", "module example.org/a\n\ngo 1.22\n"),
            ("app/main.go", "package main\n\nfunc main() {}\n"),
        ]);
        let usage = Usage::default();
        let path = Path::new("Dockerfile");
        let known = (Path::new("."), &context);
        let understood = Understanding::new(path, &model, Some(known), &catalog, &usage, &[]);
        let mut text = Vec::new();
        understood.text(&mut text, Paint::default());
        let text = String::from_utf8(text).expect("it is text");
        assert!(
            text.contains("stage    0 build  from golang:1.22, debian 12"),
            "{text}"
        );
        assert!(text.contains("from alpine:3.20, alpine 3.20, "), "{text}");
        assert!(text.contains("user 1000, "), "{text}");
        assert!(text.contains("in 2 files, no .dockerignore"), "{text}");
        assert!(text.contains("project  go"), "{text}");
        let mut json = Vec::new();
        understood.json(&mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
        assert_eq!(json["stages"][1]["ships"], true);
        assert_eq!(json["projects"][0]["root"], "app");
    }
}
