//! A fixture: a Dockerfile, what stands beside it, and how it is judged.

use std::path::Path;

use docker_diet::context::{Context, Given};
use docker_diet::rules::{BaseFamilies, Level, Pin, Settings, Usage};
use serde::Deserialize;

use crate::settings::only;

/// One folder `tests/fixtures/<rule>/<case>/`.
pub(crate) struct Case {
    pub(crate) rule: String,
    pub(crate) name: String,
    pub(crate) source: Vec<u8>,
    pub(crate) context: Option<Context>,
    pub(crate) settings: Settings,
}

/// `settings.yaml` of a case.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct CaseSettings {
    /// `safe`, `standard`, `aggressive`.
    level: Option<String>,
    /// The Dockerfile is judged alone although a `context` folder stands beside it.
    #[serde(alias = "no_context")]
    no_context: bool,
    target: Option<String>,
    usage: CaseUsage,
    /// `version`: unpinned bases are pinned.
    pin: Option<String>,
    /// `chainguard`: preferred bases.
    bases: Option<String>,
    /// Where gcr.io/distroless is mirrored.
    #[serde(alias = "distroless_mirror")]
    distroless_mirror: Option<String>,
    /// `YYYY-MM-DD`
    today: Option<String>,
    /// The rules that run; the folder's own where the list is missing.
    rules: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct CaseUsage {
    targets: Vec<String>,
    commands: Vec<String>,
    #[serde(alias = "legacy_builders")]
    legacy_builders: Vec<String>,
    /// Paths in the container on which Compose mounts something.
    mounts: Vec<String>,
    /// A Kubernetes manifest asks for `runAsNonRoot`.
    numeric_user: bool,
    /// Other Dockerfiles of the same context, as text.
    siblings: Vec<String>,
}

impl Case {
    /// Reads the folder that holds `dockerfile`.
    ///
    /// # Panics
    /// When the folder is no well-formed fixture: it is part of this repository.
    pub(crate) fn read(dockerfile: &Path) -> Self {
        let folder = dockerfile.parent().expect("a fixture stands in a folder");
        let name = name_of(folder);
        let rule = name_of(folder.parent().expect("a case stands in its rule's folder"));
        let written = match std::fs::read_to_string(folder.join("settings.yaml")) {
            Ok(text) => serde_saphyr::from_str(&text)
                .unwrap_or_else(|error| panic!("{rule}/{name}/settings.yaml: {error}")),
            Err(_) => CaseSettings::default(),
        };
        let context_folder = folder.join("context");
        let context = (context_folder.is_dir() && !written.no_context)
            .then(|| Context::in_memory_with(entries(&context_folder)));
        Self {
            source: std::fs::read(dockerfile).expect("the fixture's Dockerfile can be read"),
            settings: written.settings(&rule),
            context,
            rule,
            name,
        }
    }
}

impl CaseSettings {
    fn settings(self, own: &str) -> Settings {
        let level = match self.level.as_deref() {
            None | Some("standard") => Level::Standard,
            Some("safe") => Level::Safe,
            Some("aggressive") => Level::Aggressive,
            Some(other) => panic!("`{other}` is no level"),
        };
        let on = self.rules.unwrap_or_else(|| vec![own.to_owned()]);
        Settings {
            target: self.target,
            usage: Usage {
                targets: self.usage.targets,
                commands: self.usage.commands,
                legacy_builders: self.usage.legacy_builders,
                mounts: self.usage.mounts,
                numeric_user: self.usage.numeric_user,
                siblings: self
                    .usage
                    .siblings
                    .into_iter()
                    .map(String::into_bytes)
                    .collect(),
                ..Usage::default()
            },
            level,
            pin: match self.pin.as_deref() {
                None => Pin::Report,
                Some("version") => Pin::Version,
                Some(other) => panic!("`{other}` is no way to pin"),
            },
            bases: match self.bases.as_deref() {
                None => BaseFamilies::Official,
                Some("chainguard") => BaseFamilies::Chainguard,
                Some(other) => panic!("`{other}` is no family of bases"),
            },
            distroless_mirror: self.distroless_mirror,
            today: self.today,
            ..only(&on)
        }
    }
}

fn name_of(folder: &Path) -> String {
    let name = folder.file_name().expect("a fixture's folder has a name");
    name.to_string_lossy().into_owned()
}

/// Everything below `folder`. A file `.keep` stands for an empty folder.
fn entries(folder: &Path) -> Vec<(String, Given)> {
    let mut found = Vec::new();
    collect(folder, "", &mut found);
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<(String, Given)>) {
    for entry in std::fs::read_dir(folder).expect("the fixture's context can be listed") {
        let path = entry.expect("the fixture's context can be listed").path();
        let name = format!("{prefix}{}", name_of(&path));
        let kind = path.symlink_metadata().expect("the entry exists");
        if kind.is_symlink() {
            let target = std::fs::read_link(&path).expect("the link can be read");
            found.push((name, Given::Link(target.to_string_lossy().into_owned())));
        } else if kind.is_dir() {
            found.push((name.clone(), Given::Folder { mode: 0o755 }));
            collect(&path, &format!("{name}/"), found);
        } else if !name.ends_with(".keep") {
            let contents = std::fs::read(&path).expect("the fixture's file can be read");
            let mode = if is_executable(&kind) { 0o755 } else { 0o644 };
            found.push((name, Given::File { contents, mode }));
        }
    }
}

#[cfg(unix)]
fn is_executable(kind: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    kind.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}
