//! How a Compose file runs the image of a Dockerfile: environment, command, volumes, what it depends on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::super::builds::clean;
use super::super::compose::{interpolate, is_compose_name, parse};
use super::super::jobs::folder_of;
use super::super::places::repository;
use crate::build::verify::Service;

/// Larger files are not read.
const LARGEST: u64 = 1 << 20;

/// How a Compose file runs an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Composed {
    /// `NAME=value`
    pub(super) env: Vec<String>,
    /// What takes the place of CMD.
    pub(super) command: Vec<String>,
    /// Paths in the container; what of the host is mounted there stays out.
    pub(super) volumes: Vec<String>,
    /// What it depends on and is not built.
    pub(super) services: Vec<Service>,
    /// What could not be taken over.
    pub(super) notes: Vec<String>,
}

/// What the Compose files beside the Dockerfile and at the root of its repository say of its image; the first that builds
/// it counts.
pub(super) fn of(dockerfile: &Path) -> Option<Composed> {
    let folder = folder_of(dockerfile).canonicalize().ok()?;
    let own = folder.join(dockerfile.file_name()?);
    let mut folders = vec![folder.clone()];
    folders.extend(repository(&folder).filter(|root| *root != folder));
    folders.iter().find_map(|folder| {
        let entries = fs::read_dir(folder).ok()?.flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.retain(|name| name.to_str().is_some_and(is_compose_name));
        names.sort();
        names.iter().find_map(|name| {
            let path = folder.join(name);
            let fits = path
                .metadata()
                .is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
            let value = parse(&fits.then(|| fs::read(&path).ok())??).ok()?;
            read(&value, folder, &own)
        })
    })
}

fn read(file: &Value, folder: &Path, dockerfile: &Path) -> Option<Composed> {
    let services = file.get("services")?.as_object()?;
    let service = services.values().find_map(|service| {
        let service = service.as_object()?;
        (built(service, folder).as_deref() == Some(dockerfile)).then_some(service)
    })?;
    let mut composed = Composed {
        env: environment(service),
        command: words(service.get("command")),
        ..Composed::default()
    };
    for volume in service
        .get("volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        match mounted(volume) {
            Some((path, true)) => composed.notes.push(format!(
                "{path} is mounted from the host by the Compose file; it is left out"
            )),
            Some((path, false)) => composed.volumes.push(path),
            None => {}
        }
    }
    for name in needed(service, services) {
        let Some(other) = services.get(&name).and_then(Value::as_object) else {
            continue;
        };
        match other
            .get("image")
            .and_then(Value::as_str)
            .and_then(interpolate)
        {
            Some(image) if !other.contains_key("build") => composed.services.push(Service {
                name,
                image,
                env: environment(other),
                args: words(other.get("command")),
            }),
            _ => composed.notes.push(format!(
                "the service {name} is built itself; it is not started"
            )),
        }
    }
    Some(composed)
}

/// The Dockerfile that a service is built from.
fn built(service: &Map<String, Value>, folder: &Path) -> Option<std::path::PathBuf> {
    let build = service.get("build")?;
    let text = |key: &str| build.get(key).and_then(Value::as_str).and_then(interpolate);
    let context = match build {
        Value::String(context) => interpolate(context)?,
        _ => text("context").unwrap_or_else(|| ".".to_owned()),
    };
    let context = clean(&folder.join(context));
    Some(clean(&context.join(
        text("dockerfile").unwrap_or_else(|| "Dockerfile".to_owned()),
    )))
}

/// The pairs whose values are written out; what comes from the host's environment stays out.
fn environment(service: &Map<String, Value>) -> Vec<String> {
    let pair = |name: &str, value: &str| Some(format!("{name}={}", interpolate(value)?));
    match service.get("environment") {
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) => pair(name, text),
                Value::Number(_) | Value::Bool(_) => Some(format!("{name}={value}")),
                _ => None,
            })
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|item| item.as_str()?.split_once('='))
            .filter_map(|(name, value)| pair(name, value))
            .collect(),
        _ => Vec::new(),
    }
}

/// A command as words; a text is split as Compose does it, at spaces outside of quotes.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|word| interpolate(word.as_str()?))
            .collect(),
        Some(Value::String(text)) => {
            let mut words: Vec<String> = Vec::new();
            let (mut word, mut open, mut quote) = (String::new(), false, None);
            for character in interpolate(text).unwrap_or_default().chars() {
                match (quote, character) {
                    (Some(end), character) if character == end => quote = None,
                    (Some(_), character) => word.push(character),
                    (None, '\'' | '"') => (quote, open) = (Some(character), true),
                    (None, space) if space.is_whitespace() => {
                        if open {
                            words.push(std::mem::take(&mut word));
                        }
                        open = false;
                    }
                    (None, character) => {
                        word.push(character);
                        open = true;
                    }
                }
            }
            words.extend(open.then_some(word));
            words
        }
        _ => Vec::new(),
    }
}

/// Where a volume is mounted, and whether it is a folder of the host.
fn mounted(volume: &Value) -> Option<(String, bool)> {
    match volume {
        Value::String(text) => match text.split(':').collect::<Vec<_>>().as_slice() {
            [path] => Some(((*path).to_owned(), false)),
            [source, path, ..] => {
                Some(((*path).to_owned(), source.starts_with(['/', '.', '~', '$'])))
            }
            [] => None,
        },
        Value::Object(volume) => {
            let path = volume.get("target")?.as_str()?.to_owned();
            Some((
                path,
                volume.get("type").and_then(Value::as_str) == Some("bind"),
            ))
        }
        _ => None,
    }
}

/// The services that must run before this one, and before those.
fn needed(service: &Map<String, Value>, all: &Map<String, Value>) -> Vec<String> {
    let direct = |service: &Map<String, Value>| -> Vec<String> {
        match service.get("depends_on") {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    };
    let mut found = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut queue = direct(service);
    while let Some(name) = queue.pop() {
        if seen.insert(name.clone()) {
            if let Some(other) = all.get(&name).and_then(Value::as_object) {
                queue.extend(direct(other));
            }
            // What others need comes before them.
            found.insert(0, name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_run_as_the_file_says() {
        let text = br#"
services:
  web:
    build: {context: ./web}
    command: serve --port "80 80" $$HOME
    environment: {DB: "postgres://db/${NAME:-app}", DEBUG: true, TOKEN: "${TOKEN}", FROM_HOST: null}
    volumes: ["./src:/app", "data:/data", "/cache", {type: bind, source: ./x, target: /x}]
    depends_on: {db: {condition: service_healthy}, jobs: {condition: service_started}}
  db: {image: "postgres:17", environment: ["POSTGRES_PASSWORD=x"], depends_on: [net]}
  net: {image: net}
  jobs: {build: ./jobs}
"#;
        let file = parse(text).expect("it is valid");
        let found =
            read(&file, Path::new("/r"), Path::new("/r/web/Dockerfile")).expect("it is built");
        assert_eq!(found.env, ["DB=postgres://db/app", "DEBUG=true"]);
        assert_eq!(found.command, ["serve", "--port", "80 80", "$HOME"]);
        assert_eq!(found.volumes, ["/data", "/cache"]);
        let names: Vec<&str> = found
            .services
            .iter()
            .map(|service| service.name.as_str())
            .collect();
        assert_eq!(names, ["net", "db"]);
        assert_eq!(found.services[1].env, ["POSTGRES_PASSWORD=x"]);
        assert_eq!(found.notes.len(), 3, "{:?}", found.notes);
        assert_eq!(
            read(&file, Path::new("/r"), Path::new("/r/Dockerfile")),
            None
        );
    }
}
