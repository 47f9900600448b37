//! What a rewrite declares to change, and whether the two images differ in nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::ImageConfig;
use super::super::contents::Contents;
use super::fault::{Cause, Fault};
use crate::model::{CommandForm, Model};
use crate::pipeline::Plan;
use crate::rules::Change;

/// What may differ between the images.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    /// The fields that the rewrite declares to change.
    pub changes: BTreeSet<Change>,
    /// Environment variables that the original Dockerfile sets: they stay, whatever the base.
    pub env: BTreeSet<String>,
    /// Labels that it sets.
    pub labels: BTreeSet<String>,
    /// CMD as the rewritten Dockerfile has it, where it says so in exec form.
    pub cmd: Option<Vec<String>>,
    /// ENTRYPOINT, likewise.
    pub entrypoint: Option<Vec<String>>,
    /// USER, where the rewritten Dockerfile sets one.
    pub user: Option<String>,
    /// Whether the rewrite is known: without that, fields may change only where that does no harm.
    pub known: bool,
}

/// A field of the configuration in both images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which one.
    pub field: Change,
    /// Its value in the original.
    pub before: String,
    /// Its value in the rewrite.
    pub after: String,
    /// Whether that is as it should be.
    pub verdict: FieldVerdict,
}

/// How a field may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldVerdict {
    /// It is the same.
    Same,
    /// It differs as the rewrite declares.
    Declared,
    /// It differs in what only the base image set.
    Base,
    /// It differs, and must not.
    Broken,
}

impl FieldVerdict {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FieldVerdict::Same => "same",
            FieldVerdict::Declared => "declared",
            FieldVerdict::Base => "base",
            FieldVerdict::Broken => "broken",
        }
    }
}

impl Promise {
    /// What `plan` declares; `before` and `after` are the models of the original and of its result.
    #[must_use]
    pub fn of(plan: &Plan, before: &Model<'_>, after: &Model<'_>, target: Option<&str>) -> Self {
        let mut promise = Self {
            changes: plan
                .rewrites
                .iter()
                .flat_map(|rewrite| rewrite.changes.iter().copied())
                .collect(),
            known: true,
            ..Self::default()
        };
        let stage = |model: &Model<'_>| {
            let named = model
                .stages
                .iter()
                .find(|stage| target.is_some() && stage.name.as_deref() == target);
            named
                .or_else(|| model.final_stage())
                .map(|stage| std::rc::Rc::clone(&stage.end.config))
        };
        if let Some(config) = stage(before) {
            promise.env = config.env.iter().map(|(name, _)| name.clone()).collect();
            promise.labels = config.labels.iter().map(|(name, _)| name.clone()).collect();
        }
        if let Some(config) = stage(after) {
            let exec = |form: &CommandForm| match form {
                CommandForm::Exec(words) => Some(words.clone()),
                CommandForm::Shell { .. } => None,
            };
            promise.cmd = config.cmd.set().and_then(|line| exec(&line.form));
            promise.entrypoint = config.entrypoint.set().and_then(|line| exec(&line.form));
            promise.user.clone_from(&config.user);
        }
        promise
    }

    /// Compares the configurations field by field.
    pub(super) fn compare(&self, before: &Contents, after: &Contents) -> (Vec<Field>, Vec<Fault>) {
        let (old, new) = (fields(&before.config), fields(&after.config));
        let mut rows = Vec::new();
        let mut faults = Vec::new();
        for (change, was) in old {
            let is = new.get(&change).cloned().unwrap_or_default();
            let (verdict, fault) = self.judge(change, (&was, &is), (&before.config, &after.config));
            rows.push(Field {
                field: change,
                before: was,
                after: is,
                verdict,
            });
            faults.extend(fault);
        }
        (rows, faults)
    }

    fn judge(
        &self,
        change: Change,
        (was, is): (&str, &str),
        (before, after): (&ImageConfig, &ImageConfig),
    ) -> (FieldVerdict, Option<Fault>) {
        let declared = self.changes.contains(&change);
        let expected = match change {
            Change::Cmd => self.cmd.as_deref().map(words),
            Change::Entrypoint => self.entrypoint.as_deref().map(words),
            Change::User => self.user.as_deref().map(user),
            _ => None,
        };
        if let (true, Some(expected)) = (declared, expected)
            && expected != is
        {
            let message = format!(
                "{} is {is}, and the rewrite declares {expected}",
                title(change)
            );
            let remedy = format!("write {} as declared", title(change));
            return (
                FieldVerdict::Broken,
                Some(Fault::image(Cause::Contract(change), message, remedy)),
            );
        }
        if was == is {
            return (FieldVerdict::Same, None);
        }
        if declared {
            return (FieldVerdict::Declared, None);
        }
        let lost = match change {
            Change::Env => lost(&pairs(&before.env), &pairs(&after.env), &self.env),
            Change::Labels => lost(&before.labels, &after.labels, &self.labels),
            Change::Ports => gone(&before.exposed_ports, &after.exposed_ports),
            Change::Volumes => gone(&before.volumes, &after.volumes),
            Change::Shell => None,
            _ => Some(format!("{} changed from {was} to {is}", title(change))),
        };
        let Some(message) = lost else {
            return (FieldVerdict::Base, None);
        };
        let remedy = match self.known {
            true => "nothing declares this change: keep the original's value",
            false => "keep the original's value",
        };
        (
            FieldVerdict::Broken,
            Some(Fault::image(Cause::Contract(change), message, remedy)),
        )
    }
}

/// Docker's word for a field.
#[must_use]
pub fn title(change: Change) -> &'static str {
    match change {
        Change::Cmd => "CMD",
        Change::Entrypoint => "ENTRYPOINT",
        Change::Env => "ENV",
        Change::User => "USER",
        Change::Workdir => "WORKDIR",
        Change::Labels => "LABEL",
        Change::Ports => "EXPOSE",
        Change::Volumes => "VOLUME",
        Change::Healthcheck => "HEALTHCHECK",
        Change::StopSignal => "STOPSIGNAL",
        Change::Shell => "SHELL",
    }
}

/// Every field as one text: two equal texts mean the same to the engine.
fn fields(config: &ImageConfig) -> BTreeMap<Change, String> {
    let keys = |map: &BTreeMap<String, Value>| {
        list(
            map.keys()
                .map(|key| key.trim_end_matches("/tcp").to_owned()),
        )
    };
    BTreeMap::from([
        (Change::Entrypoint, words(&config.entrypoint)),
        (Change::Cmd, words(&config.cmd)),
        (Change::User, user(&config.user)),
        (Change::Workdir, workdir(&config.working_dir)),
        (
            Change::Env,
            list(
                pairs(&config.env)
                    .into_iter()
                    .map(|(name, value)| format!("{name}={value}")),
            ),
        ),
        (Change::Ports, keys(&config.exposed_ports)),
        (Change::Volumes, keys(&config.volumes)),
        (
            Change::Labels,
            list(
                config
                    .labels
                    .iter()
                    .filter(|(name, _)| !is_authors(name))
                    .map(|(name, value)| format!("{name}={value}")),
            ),
        ),
        (
            Change::Healthcheck,
            config.healthcheck.as_ref().map_or_else(none, healthcheck),
        ),
        (Change::StopSignal, signal(&config.stop_signal)),
        (Change::Shell, words(&config.shell)),
    ])
}

/// What MAINTAINER becomes is no promise to those who run the image.
fn is_authors(label: &str) -> bool {
    matches!(label, "org.opencontainers.image.authors" | "maintainer")
}

fn none() -> String {
    "none".to_owned()
}

fn words(words: &[String]) -> String {
    if words.is_empty() {
        return none();
    }
    serde_json::to_string(words).unwrap_or_else(|_| none())
}

/// The user without the group; the many ways to say root are one.
fn user(user: &str) -> String {
    match user {
        "" | "0" | "root" | "0:0" | "root:root" | "root:0" | "0:root" => "root".to_owned(),
        other => other.to_owned(),
    }
}

fn workdir(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

fn signal(name: &str) -> String {
    match name {
        "" => "SIGTERM".to_owned(),
        name => name.to_owned(),
    }
}

fn healthcheck(check: &Value) -> String {
    let test = check.get("Test").cloned().unwrap_or_default();
    let mut rest = check.as_object().cloned().unwrap_or_default();
    rest.remove("Test");
    if rest.is_empty() {
        test.to_string()
    } else {
        format!("{test} {}", Value::Object(rest))
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => none(),
        false => items.join(" "),
    }
}

fn pairs(env: &[String]) -> BTreeMap<String, String> {
    env.iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What became of the first of the `own` names that is not what it was.
fn lost(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    own: &BTreeSet<String>,
) -> Option<String> {
    let mut promised = own.iter().filter(|name| !is_authors(name));
    promised.find_map(|name| {
        let was = before.get(name)?;
        match after.get(name) {
            // A path that the base image makes longer still holds the folders of the original.
            Some(is) if name == "PATH" => {
                let kept = |folder: &str| is.split(':').any(|other| other == folder);
                (!was.split(':').take(1).all(kept))
                    .then(|| format!("{name} changed from {was} to {is}"))
            }
            Some(is) if is == was => None,
            Some(is) => Some(format!("{name} changed from {was} to {is}")),
            None => Some(format!("{name}={was} is gone")),
        }
    })
}

fn gone(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Option<String> {
    let gone = before.keys().find(|key| !after.contains_key(*key))?;
    Some(format!("{gone} is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::rules::Settings;
    use crate::syntax::Dockerfile;

    fn contents(config: &str) -> Contents {
        Contents {
            config: serde_json::from_str(config).expect("it is a configuration"),
            ..Contents::default()
        }
    }

    fn faults(promise: &Promise, before: &str, after: &str) -> Vec<String> {
        let (_, faults) = promise.compare(&contents(before), &contents(after));
        faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn what_nothing_declares_must_not_change() {
        let promise = Promise {
            env: BTreeSet::from(["A".to_owned(), "PATH".to_owned()]),
            ..Promise::default()
        };
        let before = r#"{"Env": ["A=1", "PATH=/opt/bin:/bin", "BASE=1"], "ExposedPorts": {"80/tcp": {}}, "WorkingDir": "/app/",
            "StopSignal": "", "User": "0:0", "Labels": {"maintainer": "x"}}"#;
        let same = r#"{"Env": ["A=1", "PATH=/opt/bin:/usr/bin:/bin", "BASE=2"], "ExposedPorts": {"80/tcp": {}},
            "WorkingDir": "/app", "StopSignal": "SIGTERM", "User": "root"}"#;
        assert_eq!(faults(&promise, before, same), [""; 0]);
        let other = r#"{"Env": ["PATH=/bin"], "WorkingDir": "/srv", "StopSignal": "SIGQUIT", "Healthcheck": {"Test": ["CMD", "x"]}}"#;
        let expected = [
            "A=1 is gone",
            "WORKDIR changed from /app to /srv",
            "80/tcp is gone",
            "HEALTHCHECK changed from none to [\"CMD\",\"x\"]",
            "STOPSIGNAL changed from SIGTERM to SIGQUIT",
        ];
        let mut found = faults(&promise, before, other);
        found.sort_by_key(|message| expected.iter().position(|known| known == message));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_declared_has_to_come() {
        let source = b"FROM node:22\nCMD node server.js --all\n".to_vec();
        let catalog = Catalog::default();
        let plan = crate::pipeline::plan(&source, None, &catalog, &Settings::default(), None);
        let (old, new) = (
            Dockerfile::parse(source),
            Dockerfile::parse(plan.result.clone()),
        );
        let (old, new) = (
            Model::new(&old, &catalog, &[]),
            Model::new(&new, &catalog, &[]),
        );
        let promise = Promise::of(&plan, &old, &new, None);
        let before = r#"{"Cmd": ["/bin/sh", "-c", "node server.js --all"]}"#;
        assert_eq!(
            faults(
                &promise,
                before,
                r#"{"Cmd": ["node", "server.js", "--all"]}"#
            ),
            [""; 0]
        );
        assert_eq!(
            faults(&promise, before, r#"{"Cmd": ["node", "server.js"]}"#),
            [
                r#"CMD is ["node","server.js"], and the rewrite declares ["node","server.js","--all"]"#
            ]
        );
    }
}
