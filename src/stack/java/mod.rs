//! Java and Kotlin: Maven, Gradle, and what their sources need from a JDK.

mod gradle;
mod maven;
mod source;

pub use gradle::{Gradle, GradleModule, GradleStack};
pub use maven::{Maven, MavenModule, MavenStack};
pub use source::{JavaSources, scan};

use super::paths;
use super::{Evidence, Project};
use crate::context::Context;

/// What kind of file a module's build leaves for the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JavaShape {
    /// A jar that runs alone: Spring Boot, shade, assembly with dependencies, shadow.
    RunnableJar,
    /// A jar that needs its dependencies beside it, or is a library.
    PlainJar,
    /// A WAR for a servlet container.
    War,
    /// Quarkus: the folder `quarkus-app` with `quarkus-run.jar`.
    QuarkusApp,
    /// Gradle's `installDist`: `bin/NAME` and `lib/`.
    Distribution,
    /// Nothing (`pom` packaging).
    None,
}

/// Names that a pattern such as `*.jar` also meets and that no runtime wants.
pub const UNWANTED_JARS: &[&str] = &[
    "*-plain.jar",
    "*-sources.jar",
    "*-javadoc.jar",
    "*-tests.jar",
    "original-*.jar",
];

/// Whether the file name of a jar is that of a by-product ([`UNWANTED_JARS`]).
#[must_use]
pub fn is_unwanted_jar(name: &str) -> bool {
    UNWANTED_JARS
        .iter()
        .any(|pattern| paths::part_matches(pattern.as_bytes(), name.as_bytes()))
}

/// Adds the ports of Spring's and Quarkus' configuration, and jars that are in the context already.
fn read_resources(folder: &str, context: &Context, project: &mut Project) {
    for name in [
        "application.properties",
        "application.yml",
        "application.yaml",
    ] {
        let path = paths::join(folder, &format!("src/main/resources/{name}"));
        let Some(text) = paths::text(context, &path) else {
            continue;
        };
        let port = if name.ends_with("properties") {
            port_of_properties(&text)
        } else {
            port_of_yaml(&text)
        };
        if let Some(port) = port {
            project.show(format!("port {port}"), path);
            if !project.ports.contains(&port) {
                project.ports.push(port);
                project.ports.sort_unstable();
            }
        }
    }
}

/// Jars and WARs in the folders where builds put them: a Dockerfile that copies them has no build of its own.
fn prebuilt(root: &str, context: &Context) -> Vec<Evidence> {
    let mut found = Vec::new();
    for folder in ["target", "build/libs", ""] {
        let folder = if folder.is_empty() {
            root.to_owned()
        } else {
            paths::join(root, folder)
        };
        for (name, _) in context.children(&folder) {
            let name = paths::file_name(name);
            if matches!(paths::extension(name), "jar" | "war") && !is_unwanted_jar(name) {
                found.push(Evidence {
                    fact: name.to_owned(),
                    source: paths::join(&folder, name),
                });
            }
        }
    }
    found
}

fn port_of_properties(text: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(['=', ':'])?;
        matches!(
            key.trim(),
            "server.port" | "quarkus.http.port" | "micronaut.server.port"
        )
        .then(|| port(value))?
    })
}

/// The port below `server:`, or below `quarkus:` and `http:`; read by indentation, which is all that is needed here.
fn port_of_yaml(text: &str) -> Option<u16> {
    let mut path: Vec<(usize, &str)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        path.retain(|(depth, _)| *depth < indent);
        path.push((indent, key.trim()));
        // Bounded: a hostile file could nest without end.
        path.truncate(16);
        let names: Vec<&str> = path.iter().map(|(_, name)| *name).collect();
        if matches!(
            names.as_slice(),
            ["server", "port"]
                | ["server.port"]
                | ["quarkus", "http", "port"]
                | ["micronaut", "server", "port"]
        ) {
            return port(value);
        }
    }
    None
}

/// The number in `8080`, `"8080"`, `${PORT:8080}`.
fn port(value: &str) -> Option<u16> {
    let value = value
        .split(" #")
        .next()
        .unwrap_or(value)
        .trim()
        .trim_matches(['"', '\'']);
    let value = value
        .strip_prefix("${")
        .and_then(|inner| inner.trim_end_matches('}').rsplit_once(':'))
        .map_or(value, |(_, default)| default);
    value.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ports_from_both_forms() {
        assert_eq!(
            port_of_properties("a=1\nserver.port = ${PORT:9000}\n"),
            Some(9000)
        );
        assert_eq!(
            port_of_yaml("spring:\n  port: 1\nserver:\n  # x\n  port: 8081 # y\n"),
            Some(8081)
        );
        assert_eq!(port_of_yaml("management:\n  server:\n    port: 1\n"), None);
        assert_eq!(port_of_properties("server.port=0"), None);
    }

    #[test]
    fn by_products_are_told_from_the_jar() {
        assert!(is_unwanted_jar("app-1.0-plain.jar") && is_unwanted_jar("original-app.jar"));
        assert!(!is_unwanted_jar("app-1.0.jar"));
    }
}
