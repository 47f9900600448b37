//! Packages of the distribution that the program needs and the slim image lacks.

use super::App;
use super::layout::Layout;
use crate::catalog::{Ecosystem, Variant};
use crate::rules::node_start::called_words;
use crate::rules::split_stages::Why;
use crate::stack::node::Role;
use crate::stack::usage::UnknownKind;
use crate::syntax::{CommandBody, Keyword};

/// The packages, sorted; empty where the base stays what it is.
pub(super) fn packages(app: &App<'_>, layout: &Layout) -> Result<Vec<String>, Why> {
    let catalog = app.anatomy.ctx.catalog;
    let mut packages = layout.packages.clone();
    let release = app.facts.release.map_or("", |release| release.name.get());
    let mut programs: Vec<(String, usize)> = Vec::new();
    for (name, for_development) in installed(app) {
        let Some(native) = catalog.native(Ecosystem::Node, &name) else {
            continue;
        };
        if !native.refuse.get().is_empty() && !for_development {
            return Err(app.why(
                format!("the package {name} {}", native.refuse.get()),
                "split the file by hand, with what the browser needs",
            ));
        }
        if app.facts.variant == Variant::Full {
            packages.extend(
                native
                    .libraries(release)
                    .iter()
                    .map(|library| library.get().to_owned()),
            );
        }
        programs.extend(
            native
                .programs
                .get()
                .iter()
                .map(|program| (program.get().to_owned(), app.anatomy.stage.from)),
        );
    }
    if app.facts.variant != Variant::Full {
        packages.sort();
        packages.dedup();
        return Ok(packages);
    }
    let usage = &app.reach.usage;
    if let Some(unknown) = usage
        .unknown
        .iter()
        .find(|unknown| unknown.kind == UnknownKind::Program)
    {
        return Err(app.why(
            format!(
                "{} starts a program whose name is computed, which a slim image may lack",
                unknown.place
            ),
            "name the program in the call",
        ));
    }
    for program in &usage.programs {
        programs.push((program.name.clone(), app.anatomy.stage.from));
    }
    for text in &app.start.texts {
        // The name of a script is no program: `npm run watch`.
        programs.extend(
            called_words(text)
                .filter(|word| !app.node.manifest.scripts.contains_key(*word))
                .map(|word| (word.to_owned(), app.start.anchor)),
        );
    }
    programs.extend(health_words(app));
    let Some(small) = app.small() else {
        return Ok(packages);
    };
    for (program, anchor) in programs {
        let name = crate::model::path::file_name(&program);
        let was_there = catalog.has_program(app.facts, name) == Some(true);
        if !was_there || catalog.has_program(&small, name) == Some(true) {
            continue;
        }
        let Some(package) = catalog.program(name) else {
            return Err(Why::new(
                anchor,
                format!("`{name}` is called when the container runs, and the slim image lacks it"),
                "install it by name",
            ));
        };
        packages.push(package.package.get().to_owned());
        if matches!(name, "git" | "wget") || name == "curl" && !is_local_health(app) {
            packages.push("ca-certificates".to_owned());
        }
    }
    let source = app.anatomy.ctx.dockerfile.source();
    let mentions = |text: &str| {
        source
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    if mentions("/usr/share/zoneinfo") {
        packages.push("tzdata".to_owned());
    }
    if mentions("/etc/ssl/certs")
        || mentions("--use-openssl-ca")
        || mentions("update-ca-certificates")
    {
        packages.push("ca-certificates".to_owned());
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Names of the packages that are there when the program runs, and whether only development asks for them.
fn installed(app: &App<'_>) -> Vec<(String, bool)> {
    let manifest = &app.node.manifest;
    let mut names: Vec<(String, bool)> = match app.node.lock(app.context) {
        Some(lock) if !lock.packages.is_empty() => lock
            .packages
            .iter()
            .map(|package| {
                let for_development = package.dev == Some(true)
                    || manifest.role(&package.name) == Some(Role::Development);
                (package.name.clone(), for_development)
            })
            .collect(),
        _ => manifest
            .installed()
            .into_keys()
            .map(|name| {
                let for_development = manifest.role(name) == Some(Role::Development);
                (name.to_owned(), for_development)
            })
            .collect(),
    };
    names.retain(|(_, for_development)| app.start.whole || !for_development);
    names.sort();
    names.dedup();
    names
}

fn health_words(app: &App<'_>) -> Vec<(String, usize)> {
    let model = app.anatomy.ctx.model;
    let mut words = Vec::new();
    for index in model.of_kind(app.anatomy.stage, Keyword::Healthcheck) {
        match model.instruction(index).command_body() {
            Some(CommandBody::Shell(body)) => {
                let text = String::from_utf8_lossy(body.text()).into_owned();
                words.extend(called_words(&text).map(|word| (word.to_owned(), index)));
            }
            Some(CommandBody::Exec(strings)) => {
                for string in strings {
                    let text = string.value.clone();
                    words.extend(called_words(&text).map(|word| (word.to_owned(), index)));
                }
            }
            None => {}
        }
    }
    words
}

/// Whether HEALTHCHECK asks only over plain HTTP.
fn is_local_health(app: &App<'_>) -> bool {
    app.anatomy
        .stage
        .end
        .config
        .healthcheck
        .as_deref()
        .is_some_and(|text| !text.contains("https://"))
        && !app
            .reach
            .usage
            .programs
            .iter()
            .any(|program| program.name == "curl")
        && !app.start.texts.iter().any(|text| text.contains("curl"))
}
