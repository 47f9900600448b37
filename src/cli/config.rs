//! `.docker-diet.yaml`: where it is found, what it says, what is wrong with it.
//!
//! `config.schema.json` is the published schema; a test holds it and these types together.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::names;
use super::pr::Per;
use super::verify::settings::Verify;
use crate::catalog::{Catalog, Overlay};
use crate::rules::{self, Settings};

/// Name of the file.
pub(super) const FILE_NAME: &str = ".docker-diet.yaml";

/// Larger files are not read.
const LARGEST: u64 = 64 << 20;

/// The JSON Schema of the file.
pub(super) const SCHEMA: &str = include_str!("config.schema.json");

/// A configuration that was read, and the folder that its paths are relative to.
#[derive(Debug)]
pub(super) struct Config {
    file: ConfigFile,
    folder: PathBuf,
    exclude: Gitignore,
    overrides: Vec<Gitignore>,
    baseline: Option<Baseline>,
    catalog: Catalog,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("cannot read the configuration {path}: {cause}")]
    Read { path: String, cause: std::io::Error },
    #[error("{path}:{line}:{column}: {message}")]
    Content {
        path: String,
        line: u64,
        column: u64,
        message: String,
    },
}

/// What the file holds.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct ConfigFile {
    /// Files of a walk that are left out, as in `.gitignore`.
    pub(super) exclude: Vec<String>,
    /// Keys that hold for some files only; the last one that matches wins.
    pub(super) overrides: Vec<Override>,
    /// A report of `check --format json`, relative to this file: what it lists is not reported again.
    pub(super) baseline: Option<PathBuf>,
    /// How `verify` tries images.
    pub(super) verify: Verify,
    /// How `pr` opens pull requests.
    pub(super) pull_request: PullRequest,
    /// Rows of the catalog, in place of the embedded ones with the same key.
    #[serde(skip_serializing)]
    catalog: Overlay,
    level: Option<Level>,
    rules: BTreeMap<String, Switch>,
    bases: Option<Bases>,
    pin: Option<Pin>,
    buildkit: Option<Buildkit>,
    cache_mounts: Option<bool>,
    user: Option<User>,
}

/// Keys for the files that match.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Override {
    /// As in `.gitignore`, relative to the configuration's folder.
    paths: Vec<String>,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    rules: BTreeMap<String, Switch>,
    #[serde(default)]
    bases: Option<Bases>,
    #[serde(default)]
    pin: Option<Pin>,
    #[serde(default)]
    buildkit: Option<Buildkit>,
    #[serde(default)]
    cache_mounts: Option<bool>,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    Safe,
    Standard,
    Aggressive,
}

impl From<Level> for rules::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Safe => rules::Level::Safe,
            Level::Standard => rules::Level::Standard,
            Level::Aggressive => rules::Level::Aggressive,
        }
    }
}

/// A rule on, off, or on from a level upwards.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Switch {
    #[serde(alias = "true")]
    On,
    #[serde(alias = "false")]
    Off,
    Safe,
    Standard,
    Aggressive,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Pin {
    Report,
    Version,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Buildkit {
    Auto,
    Never,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Family {
    Official,
    Chainguard,
}

/// `bases: chainguard`, or a mapping with the mirror of distroless.
#[derive(Clone, Debug, Serialize)]
struct Bases {
    family: Option<Family>,
    distroless_mirror: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BasesMapping {
    #[serde(default)]
    family: Option<Family>,
    #[serde(default)]
    distroless_mirror: Option<String>,
}

/// Not derived as an untagged enum, whose errors would name neither the key nor its line.
impl<'de> Deserialize<'de> for Bases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BasesVisitor;

        impl<'de> Visitor<'de> for BasesVisitor {
            type Value = Bases;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "`official`, `chainguard`, or a mapping of `family` and `distroless-mirror`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bases, E> {
                let family = match text {
                    "official" => Family::Official,
                    "chainguard" => Family::Chainguard,
                    other => return Err(E::unknown_variant(other, &["official", "chainguard"])),
                };
                Ok(Bases {
                    family: Some(family),
                    distroless_mirror: None,
                })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Bases, A::Error> {
                let mapping =
                    BasesMapping::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Bases {
                    family: mapping.family,
                    distroless_mirror: mapping.distroless_mirror,
                })
            }
        }

        deserializer.deserialize_any(BasesVisitor)
    }
}

/// The user that `non-root-user` creates where the image has none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct User {
    name: Option<String>,
    id: Option<u32>,
}

/// How `pr` opens pull requests.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct PullRequest {
    /// No pull request at all.
    pub(super) skip: bool,
    pub(super) per: Option<Per>,
    pub(super) branch: Option<String>,
    pub(super) base: Option<String>,
    pub(super) title: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) reviewers: Vec<String>,
    pub(super) assignees: Vec<String>,
    pub(super) draft: Option<bool>,
    pub(super) open_limit: Option<usize>,
    pub(super) sign_off: Option<bool>,
}

impl Config {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let bytes = read_bounded(path).map_err(|cause| ConfigError::Read {
            path: shown.clone(),
            cause,
        })?;
        let mut file = parse(&bytes).map_err(|(line, column, message)| ConfigError::Content {
            path: shown.clone(),
            line,
            column,
            message,
        })?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        // Patterns are compared with absolute paths: those of files are not always below a relative folder.
        let folder = folder.canonicalize().unwrap_or(folder);
        let patterns = |patterns: &[String]| {
            let mut builder = GitignoreBuilder::new(&folder);
            for pattern in patterns {
                builder.add_line(None, pattern).map_err(|cause| {
                    let (line, column) = position_of(&bytes, pattern);
                    ConfigError::Content {
                        path: shown.clone(),
                        line,
                        column,
                        message: format!("`{pattern}` is not a pattern as in .gitignore: {cause}"),
                    }
                })?;
            }
            builder.build().map_err(|cause| ConfigError::Content {
                path: shown.clone(),
                line: 1,
                column: 1,
                message: format!("the patterns together are too large: {cause}"),
            })
        };
        let exclude = patterns(&file.exclude)?;
        let overrides = file
            .overrides
            .iter()
            .map(|entry| patterns(&entry.paths))
            .collect::<Result<_, _>>()?;
        let baseline = match &file.baseline {
            None => None,
            Some(name) => {
                let baseline = read_bounded(&folder.join(name))
                    .map_err(|cause| format!("cannot be read: {cause}"))
                    .and_then(|text| Baseline::parse(&text));
                Some(baseline.map_err(|why| {
                    let (line, column) = position_of(&bytes, "baseline");
                    ConfigError::Content {
                        path: shown.clone(),
                        line,
                        column,
                        message: format!("the baseline {} {why}", name.display()),
                    }
                })?)
            }
        };
        let catalog = Catalog::default().overlay(std::mem::take(&mut file.catalog));
        Ok(Self {
            file,
            folder,
            exclude,
            overrides,
            baseline,
            catalog,
        })
    }

    /// The nearest configuration in `folder` or above it, up to the folder with `.git`, else up to `top`.
    pub(super) fn find(folder: &Path, top: &Path) -> Option<PathBuf> {
        let start = folder.canonicalize().ok()?;
        let repository = start
            .ancestors()
            .find(|folder| folder.join(".git").exists());
        let last = match repository {
            Some(repository) => repository.to_path_buf(),
            None => top.canonicalize().unwrap_or_else(|_| start.clone()),
        };
        start
            .ancestors()
            .take_while(|folder| folder.starts_with(&last) || *folder == start)
            .map(|folder| folder.join(FILE_NAME))
            .find(|path| path.is_file())
    }

    /// How `verify` tries images.
    pub(super) fn verify(&self) -> &Verify {
        &self.file.verify
    }

    /// What is known of images, packages and commands, the user's own rows among it.
    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What is known and not reported again.
    pub(super) fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_ref()
    }

    /// How pull requests are opened.
    pub(super) fn pull_request(&self) -> &PullRequest {
        &self.file.pull_request
    }

    /// Whether a walk leaves out the file at the absolute `path`.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        matches(&self.exclude, &self.folder, path)
    }

    /// Writes into `settings` what holds for the file at the absolute `path`; a `level` of the command line wins.
    pub(super) fn apply(&self, path: &Path, level: Option<rules::Level>, settings: &mut Settings) {
        let mut switches: BTreeMap<&str, Switch> = BTreeMap::new();
        let file = &self.file;
        let mut layers = vec![Layer {
            level: file.level,
            rules: &file.rules,
            bases: file.bases.as_ref(),
            pin: file.pin,
            buildkit: file.buildkit,
            cache_mounts: file.cache_mounts,
            user: file.user.as_ref(),
        }];
        for (entry, patterns) in file.overrides.iter().zip(&self.overrides) {
            if matches(patterns, &self.folder, path) {
                layers.push(Layer {
                    level: entry.level,
                    rules: &entry.rules,
                    bases: entry.bases.as_ref(),
                    pin: entry.pin,
                    buildkit: entry.buildkit,
                    cache_mounts: entry.cache_mounts,
                    user: entry.user.as_ref(),
                });
            }
        }
        for layer in layers {
            layer.apply(settings);
            switches.extend(
                layer
                    .rules
                    .iter()
                    .map(|(name, switch)| (name.as_str(), *switch)),
            );
        }
        if let Some(level) = level {
            settings.level = level;
        }
        for (name, switch) in switches {
            let on = |level: rules::Level| settings.level >= level;
            let on = match switch {
                Switch::On => true,
                Switch::Off => false,
                Switch::Safe => on(rules::Level::Safe),
                Switch::Standard => on(rules::Level::Standard),
                Switch::Aggressive => on(rules::Level::Aggressive),
            };
            settings.rules.insert(name.to_owned(), on);
        }
    }
}

/// The bytes of a regular file of at most 64 MB: a repository of somebody else may name any path.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(std::io::Error::other(
            "it is no regular file, or larger than 64 MB",
        ));
    }
    std::fs::read(path)
}

/// The keys that the file and its overrides share.
struct Layer<'a> {
    level: Option<Level>,
    rules: &'a BTreeMap<String, Switch>,
    bases: Option<&'a Bases>,
    pin: Option<Pin>,
    buildkit: Option<Buildkit>,
    cache_mounts: Option<bool>,
    user: Option<&'a User>,
}

impl Layer<'_> {
    fn apply(&self, settings: &mut Settings) {
        if let Some(level) = self.level {
            settings.level = level.into();
        }
        if let Some(bases) = self.bases {
            match bases.family {
                Some(Family::Official) => settings.bases = rules::BaseFamilies::Official,
                Some(Family::Chainguard) => settings.bases = rules::BaseFamilies::Chainguard,
                None => {}
            }
            if let Some(mirror) = &bases.distroless_mirror {
                settings.distroless_mirror = Some(mirror.clone());
            }
        }
        match self.pin {
            Some(Pin::Report) => settings.pin = rules::Pin::Report,
            Some(Pin::Version) => settings.pin = rules::Pin::Version,
            None => {}
        }
        match self.buildkit {
            Some(Buildkit::Auto) => settings.buildkit = rules::UseBuildkit::Auto,
            Some(Buildkit::Never) => settings.buildkit = rules::UseBuildkit::Never,
            None => {}
        }
        if let Some(cache_mounts) = self.cache_mounts {
            settings.cache_mounts = cache_mounts;
        }
        if let Some(user) = self.user {
            settings.user_name.clone_from(&user.name);
            settings.user_id = user.id;
        }
    }
}

fn matches(patterns: &Gitignore, folder: &Path, path: &Path) -> bool {
    path.starts_with(folder)
        && patterns
            .matched_path_or_any_parents(path, false)
            .is_ignore()
}

/// The file's content, or line, column (from 1) and what is wrong there.
fn parse(bytes: &[u8]) -> Result<ConfigFile, (u64, u64, String)> {
    let options = serde_saphyr::options! { with_snippet: false };
    let file: ConfigFile =
        serde_saphyr::from_slice_with_options(bytes, options).map_err(|error| {
            let (line, column) = error
                .location()
                .map_or((1, 1), |location| (location.line(), location.column()));
            (line, column, explain(error.without_snippet()))
        })?;
    let switches =
        (file.rules.keys()).chain(file.overrides.iter().flat_map(|entry| entry.rules.keys()));
    for name in switches {
        if let Err(unknown) = names::rule(name) {
            let (line, column) = position_of(bytes, name);
            return Err((line, column, unknown.to_string()));
        }
    }
    Ok(file)
}

/// What is wrong and what to write instead, without the position, which stands before it.
fn explain(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => {
            format!(
                "`{field}` is not a key here; {}",
                names::instead(field, expected)
            )
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => format!(
            "`{variant}` is not a value here; {}",
            names::instead(variant, expected)
        ),
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing here"),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` stands here a second time; keep one of the two")
        }
        other => {
            let text = other.to_string();
            // The position stands in front of the message already.
            let end = text.rfind(" at line ").unwrap_or(text.len());
            text[..end].to_owned()
        }
    }
}

/// Line and column, from 1, of the first `word` in `bytes`.
fn position_of(bytes: &[u8], word: &str) -> (u64, u64) {
    let text = String::from_utf8_lossy(bytes);
    for (line, content) in text.lines().enumerate() {
        if let Some(column) = content.find(word)
            && !content.trim_start().starts_with('#')
        {
            return (line as u64 + 1, column as u64 + 1);
        }
    }
    (1, 1)
}
