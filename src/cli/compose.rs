//! Compose files: which images they build and how they run them.

use std::path::Path;

use serde_json::{Map, Value};

use super::builds::{Build, Described, clean, is_remote, shell_text};
use crate::rules::Usage;

/// Whether a file of this name is a Compose file by convention.
pub(super) fn is_compose_name(name: &str) -> bool {
    let stem = name
        .strip_suffix(".yml")
        .or_else(|| name.strip_suffix(".yaml"));
    stem.is_some_and(|stem| stem.starts_with("compose") || stem.starts_with("docker-compose"))
}

/// What `text`, a Compose file in `folder`, builds.
///
/// # Errors
/// Line, column (both from 1) and what is wrong there.
pub(super) fn read(text: &[u8], folder: &Path) -> Result<Described, (u64, u64, String)> {
    let value = parse(text)?;
    let mut described = Described::default();
    let Some(services) = value.get("services").and_then(Value::as_object) else {
        described
            .notes
            .push("names no services, so it builds nothing".to_owned());
        return Ok(described);
    };
    for (name, service) in services {
        let Some(service) = service.as_object() else {
            continue;
        };
        match build(name, service, folder) {
            Ok(Some(build)) => described.builds.push(build),
            Ok(None) => {}
            Err(note) => described.notes.push(note),
        }
    }
    Ok(described)
}

/// YAML as plain values.
pub(super) fn parse(text: &[u8]) -> Result<Value, (u64, u64, String)> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_slice_with_options(text, options).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |location| (location.line(), location.column()));
        let text = error.without_snippet().to_string();
        let end = text.rfind(" at line ").unwrap_or(text.len());
        (line, column, text[..end].to_owned())
    })
}

fn build(name: &str, service: &Map<String, Value>, folder: &Path) -> Result<Option<Build>, String> {
    let (context, dockerfile, target) = match service.get("build") {
        Some(Value::String(context)) => (Some(context.as_str()), None, None),
        Some(Value::Object(build)) => {
            if build.contains_key("dockerfile_inline") {
                return Err(format!(
                    "service `{name}` has its Dockerfile inside the Compose file"
                ));
            }
            let text = |key: &str| build.get(key).and_then(Value::as_str);
            (text("context"), text("dockerfile"), text("target"))
        }
        _ => return Ok(None),
    };
    let known = |text: &str| {
        interpolate(text).ok_or_else(|| {
            format!("service `{name}`: `{text}` depends on a variable without a default")
        })
    };
    let context = known(context.unwrap_or("."))?;
    if is_remote(&context) {
        return Err(format!(
            "service `{name}` builds the remote context {context}"
        ));
    }
    let context = clean(&folder.join(context));
    let dockerfile = clean(&context.join(known(dockerfile.unwrap_or("Dockerfile"))?));
    let mut usage = usage(service);
    if let Some(target) = target {
        usage.targets.push(known(target)?);
    }
    Ok(Some(Build {
        name: name.to_owned(),
        context: Some(context),
        dockerfile,
        tags: service
            .get("image")
            .and_then(Value::as_str)
            .and_then(interpolate)
            .into_iter()
            .collect(),
        usage,
    }))
}

fn usage(service: &Map<String, Value>) -> Usage {
    let mut usage = Usage::default();
    for key in ["entrypoint", "command"] {
        usage
            .commands
            .extend(service.get(key).and_then(|value| command(value, false)));
    }
    let test = service
        .get("healthcheck")
        .and_then(|check| check.get("test"));
    usage
        .commands
        .extend(test.and_then(|value| command(value, true)));
    for volume in items(service.get("volumes")) {
        let target = match volume {
            Value::String(text) => mounted(text),
            Value::Object(volume) => volume.get("target").and_then(Value::as_str),
            _ => None,
        };
        usage.mounts.extend(target.map(str::to_owned));
    }
    usage.users.extend(match service.get("user") {
        Some(Value::String(user)) => Some(user.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    });
    usage
}

/// A command, a list of words or a shell text, as one shell text; `check` when the first word says how it is run.
fn command(value: &Value, check: bool) -> Option<String> {
    // Compose writes `$$` for a dollar that it leaves to the shell.
    match value {
        Value::String(text) => Some(text.replace("$$", "$")),
        Value::Array(words) => {
            let words: Vec<String> = words
                .iter()
                .filter_map(|word| match word {
                    Value::String(word) => Some(word.replace("$$", "$")),
                    Value::Number(number) => Some(number.to_string()),
                    Value::Bool(value) => Some(value.to_string()),
                    _ => None,
                })
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                [] => None,
                ["NONE"] if check => None,
                ["CMD-SHELL", text] if check => Some((*text).to_owned()),
                ["CMD", rest @ ..] if check => Some(shell_text(rest.iter().copied())),
                words => Some(shell_text(words.iter().copied())),
            }
        }
        _ => None,
    }
}

/// Where `source:target:mode` or `target` is mounted.
fn mounted(volume: &str) -> Option<&str> {
    volume
        .split(':')
        .find(|part| part.starts_with('/'))
        .map(|first| {
            let mut parts = volume.split(':');
            let source = parts.next().unwrap_or_default();
            match parts.next() {
                Some(target) if target.starts_with('/') => target,
                _ if source.starts_with('/') => source,
                _ => first,
            }
        })
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// The text with the defaults of its variables; none when one of them has no default.
pub(super) fn interpolate(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let inner = rest.strip_prefix('{')?;
        let end = inner.find('}')?;
        let (_, default) = inner[..end].split_once('-')?;
        out.push_str(default);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
services:
  api:
    build: ./api
    command: ["node", "server.js", "a b"]
    user: "1000:1000"
    volumes: ["./data:/data:ro", "/cache", {type: volume, source: x, target: /x}]
    healthcheck: {test: ["CMD", "curl", "-f", "localhost"]}
  web:
    build:
      context: ${WEB:-web}
      dockerfile: ../docker/web.Dockerfile
      target: dev
    entrypoint: sh -c 'echo $$HOME'
  elsewhere: {build: "https://example.com/x.git"}
  open: {build: "${WHERE}"}
  db: {image: postgres}
"#;

    #[test]
    fn services_become_builds() {
        let read = read(TEXT.as_bytes(), Path::new(".")).expect("it is valid");
        let [api, web] = read.builds.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!(api.dockerfile, Path::new("api/Dockerfile"));
        assert_eq!(
            api.usage.commands,
            ["node server.js 'a b'", "curl -f localhost"]
        );
        assert_eq!(api.usage.mounts, ["/data", "/cache", "/x"]);
        assert_eq!(api.usage.users, ["1000:1000"]);
        assert_eq!(web.context.as_deref(), Some(Path::new("web")));
        assert_eq!(web.dockerfile, Path::new("docker/web.Dockerfile"));
        assert_eq!(web.usage.targets, ["dev"]);
        assert_eq!(web.usage.commands, ["sh -c 'echo $HOME'"]);
        assert_eq!(
            read.notes,
            [
                "service `elsewhere` builds the remote context https://example.com/x.git",
                "service `open`: `${WHERE}` depends on a variable without a default",
            ]
        );
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let text = "x-b: &b {context: a, target: t}\nservices:\n  s:\n    build:\n      <<: *b\n      target: u\n";
        let read = read(text.as_bytes(), Path::new("dir")).expect("it is valid");
        assert_eq!(read.builds[0].dockerfile, Path::new("dir/a/Dockerfile"));
        assert_eq!(read.builds[0].usage.targets, ["u"]);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        let (line, column, message) =
            read(b"services:\n  a: [1\n  b: 2\n", Path::new(".")).expect_err("a bracket is open");
        assert!(
            line >= 2 && column >= 1 && !message.is_empty(),
            "{line}:{column}: {message}"
        );
    }
}
