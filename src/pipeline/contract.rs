//! The runtime contract of the images that ship, and what a rewrite did to it.

use std::collections::BTreeMap;

use crate::catalog::Slim;
use crate::model::{Base, CommandLine, Config, Model, Setting, Shell, Stage};
use crate::rules::Change;

/// What the images that ship promise to those who run them, stage by stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    stages: Vec<Promise>,
}

/// The configuration of one image that ships.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Promise {
    /// The stage's name, for the message.
    stage: String,
    fields: BTreeMap<Change, String>,
}

/// A field that changed without being declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field:?} of {stage} would change from `{before}` to `{after}`")]
pub struct Violation {
    /// Which field.
    pub field: Change,
    /// Of which stage.
    pub stage: String,
    /// Its value in the original.
    pub before: String,
    /// Its value afterwards.
    pub after: String,
}

impl Contract {
    /// The contract of the stages of `model` that are built for their own sake.
    #[must_use]
    pub fn of(model: &Model<'_>) -> Self {
        let stages = model
            .targets()
            .map(|stage| Promise {
                stage: stage.name.clone().map_or_else(
                    || "the final image".to_owned(),
                    |name| format!("stage `{name}`"),
                ),
                fields: fields(model, stage),
            })
            .collect();
        Self { stages }
    }

    /// The first field whose value differs in `after` and is not in `declared`.
    #[must_use]
    pub fn violation(&self, after: &Contract, declared: &[Change]) -> Option<Violation> {
        if self.stages.len() != after.stages.len() {
            return Some(Violation {
                field: Change::Cmd,
                stage: "the file".to_owned(),
                before: format!("{} images", self.stages.len()),
                after: format!("{} images", after.stages.len()),
            });
        }
        for (old, new) in self.stages.iter().zip(&after.stages) {
            for (field, before) in &old.fields {
                let value = &new.fields[field];
                if value != before && !declared.contains(field) {
                    return Some(Violation {
                        field: *field,
                        stage: old.stage.clone(),
                        before: before.clone(),
                        after: value.clone(),
                    });
                }
            }
        }
        None
    }
}

/// As [`Contract::violation`] of the two models' contracts.
pub(super) fn violation(
    before: &Model<'_>,
    after: &Model<'_>,
    declared: &[Change],
) -> Option<Violation> {
    // Most rewrites leave every field as it was: that shows without writing the fields out.
    let count = before.targets().count();
    let same = count == after.targets().count()
        && before
            .targets()
            .zip(after.targets())
            .all(|(old, new)| same_promise((before, old), (after, new)));
    if same {
        return None;
    }
    Contract::of(before).violation(&Contract::of(after), declared)
}

/// Whether two stages are sure to have equal [`fields`].
fn same_promise((before, old): (&Model<'_>, &Stage), (after, new): (&Model<'_>, &Stage)) -> bool {
    let (was, is) = (BaseView::of(before, old), BaseView::of(after, new));
    let (one, other) = (&*old.end.config, &*new.end.config);
    was.reference() == is.reference()
        && same_command(&one.cmd, &other.cmd)
        && same_command(&one.entrypoint, &other.entrypoint)
        && one.env == other.env
        && one.user == other.user
        && one.workdir == other.workdir
        && one.labels == other.labels
        && one.ports == other.ports
        && one.volumes == other.volumes
        && one.healthcheck == other.healthcheck
        && one.stop_signal == other.stop_signal
        && old.end.shell == new.end.shell
}

/// Whether two commands run the same, wherever they stand.
fn same_command(one: &Setting<CommandLine>, other: &Setting<CommandLine>) -> bool {
    match (one, other) {
        (Setting::Set(one), Setting::Set(other)) => one.form == other.form,
        (one, other) => one == other,
    }
}

/// Every field as text: two equal texts mean the same to the engine.
fn fields(model: &Model<'_>, stage: &Stage) -> BTreeMap<Change, String> {
    let config: &Config = &stage.end.config;
    let base = BaseView::of(model, stage);
    let command = |setting: &Setting<CommandLine>, inherited: String| match setting {
        Setting::Inherited => inherited,
        Setting::Reset => "none".to_owned(),
        Setting::Set(line) => {
            format!("{:?}", line.form.argv())
        }
    };
    let optional =
        |own: Option<&str>, inherited: String| own.map_or(inherited, |value| format!("`{value}`"));
    BTreeMap::from([
        (Change::Cmd, command(&config.cmd, base.cmd())),
        (
            Change::Entrypoint,
            command(&config.entrypoint, base.entrypoint()),
        ),
        (Change::Env, format!("{:?}", config.env)),
        (Change::User, optional(config.user.as_deref(), base.user())),
        (
            Change::Workdir,
            optional(config.workdir.as_deref(), base.unknown()),
        ),
        (Change::Labels, labels(config)),
        (Change::Ports, format!("{:?}", config.ports)),
        (Change::Volumes, format!("{:?}", config.volumes)),
        (
            Change::Healthcheck,
            optional(config.healthcheck.as_deref(), base.unknown()),
        ),
        (
            Change::StopSignal,
            optional(config.stop_signal.as_deref(), base.unknown()),
        ),
        (Change::Shell, shell(&stage.end.shell)),
    ])
}

/// The authors label is what `MAINTAINER` becomes: it is no promise to those who run the image.
fn labels(config: &Config) -> String {
    let kept: BTreeMap<_, _> = config
        .labels
        .iter()
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "org.opencontainers.image.authors" | "maintainer"
            )
        })
        .collect();
    format!("{kept:?}")
}

fn shell(shell: &Shell) -> String {
    match shell {
        Shell::Posix { words: None, .. } | Shell::None => "the default shell".to_owned(),
        other => format!("{:?}", other.words()),
    }
}

/// What a stage has from its base image.
struct BaseView<'m> {
    base: Option<&'m Base>,
}

impl<'m> BaseView<'m> {
    fn of(model: &'m Model<'m>, stage: &'m Stage) -> Self {
        Self {
            base: model.root(stage.index),
        }
    }

    /// The image's name; none where there is no image, or none that is known.
    fn reference(&self) -> Option<&'m str> {
        match self.base {
            Some(Base::Image { reference, .. }) => Some(reference),
            _ => None,
        }
    }

    /// A value that only the base image knows: equal for equal bases and for two known ones that agree.
    fn unknown(&self) -> String {
        "the base image's".to_owned()
    }

    fn known(&self, value: impl Fn(&crate::catalog::ImageFacts) -> Option<String>) -> String {
        match self.base {
            Some(Base::Image {
                facts: Some(facts),
                reference,
                ..
            }) => value(facts).unwrap_or_else(|| match facts.family.slim {
                // A slim image is the same image on a smaller distribution: its configuration is the full one's.
                Slim::AfterRelease | Slim::BeforeRelease if !facts.version.is_empty() => {
                    format!("that of {} {}", facts.family.name.get(), facts.version)
                }
                _ => format!("that of {reference}"),
            }),
            Some(Base::Image { reference, .. }) => format!("that of {reference}"),
            _ => "none".to_owned(),
        }
    }

    fn cmd(&self) -> String {
        self.known(|facts| facts.cmd().map(json_words))
    }

    fn entrypoint(&self) -> String {
        self.known(|facts| facts.entrypoint().map(json_words))
    }

    fn user(&self) -> String {
        // Nearly all images run as root, and say so in one of several ways or not at all.
        self.known(|facts| {
            Some(match facts.user() {
                None | Some("" | "0" | "root" | "0:0" | "root:root") => "root".to_owned(),
                Some(user) => format!("`{user}`"),
            })
        })
    }
}

/// The words of a command that the catalog holds as JSON, as [`fields`] writes them.
fn json_words(json: &str) -> String {
    match serde_json::from_str::<Vec<String>>(json) {
        Ok(words) => format!("{words:?}"),
        Err(_) => "none".to_owned(),
    }
}
