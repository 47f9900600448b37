use std::collections::BTreeSet;

use crate::catalog::{Catalog, ImageFacts, ImageRef, PackageManager, Shell, WordSet};
use crate::model::{Stage, Verb};
use crate::rules::bases::{Why, inherited_changes, is_builtin, replace_base, runs};
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, Finding, Proposal, Rewrite, Rule, RuleMeta};
use crate::syntax::Keyword;

declare_rule! {
    /// Replaces a retired base image by its successor, and reports versions past their end of life.
    ///
    /// ## Why
    /// Nobody rebuilds a retired image: it never gets another security fix. Its successor has the same program.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM openjdk:17-jdk-slim
    /// COPY target/app.jar /app.jar
    /// CMD ["java", "-jar", "/app.jar"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM eclipse-temurin:17-jdk
    /// COPY target/app.jar /app.jar
    /// CMD ["java", "-jar", "/app.jar"]
    /// ```
    ///
    /// ## When not
    /// The catalog knows no successor for exactly that tag; a digest pins the image; the stage installs packages
    /// that may have other names there, calls tools that only the old image had, or names its paths
    /// (`JAVA_HOME`, `/usr/local/openjdk-17`). A new major version is never chosen: it breaks builds.
    pub(crate) LiveBase { name: "live-base", level: Standard, hadolint: [] }
}

impl Rule for LiveBase {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let mut told = BTreeSet::new();
        for (stage, reference, facts) in ctx.model.on_known_images() {
            if stage.windows {
                continue;
            }
            let image = ImageRef::parse(reference);
            if let Some(successor) = ctx.catalog.successor(&image) {
                proposals.push(match succeed(ctx, stage, facts, &successor.image) {
                    Ok(rewrite) => Proposal::Rewrite(rewrite),
                    Err(why) => why.refusal(stage.from, &format!("the retired {reference}")),
                });
                continue;
            }
            if told.insert(reference) {
                proposals.extend(finding(ctx, facts, &image).map(|(message, remedy)| {
                    Proposal::Finding(Finding {
                        anchor: stage.from,
                        message,
                        remedy,
                    })
                }));
            }
        }
        proposals
    }
}

/// The rewrite to the successor.
fn succeed(ctx: &Ctx<'_>, stage: &Stage, old: &ImageFacts, new: &str) -> Result<Rewrite, Why> {
    let edits = replace_base(ctx, stage, new)?;
    let new_facts = ctx
        .catalog
        .image(&ImageRef::parse(new))
        .filter(|facts| facts.build.is_some())
        .ok_or_else(|| Why::new(format!("{new} is not known to exist"), ""))?;
    same_place(ctx, stage)?;
    let mut stages = ctx.model.children(stage.index);
    stages.insert(0, stage);
    for stage in &stages {
        same_packages(ctx, stage, old, &new_facts)?;
    }
    seen_sources(ctx, &stages)?;
    let runs = runs::of_stages(ctx, &stages)?;
    for script in &runs.scripts {
        names_no_old_place(ctx.catalog, script.as_bytes(), "a script that it runs")?;
    }
    let installed = installed(ctx, &stages);
    for call in &runs.calls {
        if !is_there(ctx.catalog, &new_facts, &call.name, &installed) {
            return Err(Why::new(
                format!("{}, which {new} may not have", call.told(ctx)),
                "install it in the Dockerfile, or change FROM yourself",
            ));
        }
        if ctx.catalog.is_account_tool(&call.name)
            && call.arguments.iter().any(|word| word == "1000")
        {
            return Err(Why::new(
                format!(
                    "{} with the number 1000, which {new} may have given away",
                    call.told(ctx)
                ),
                "choose another number",
            ));
        }
    }
    Ok(Rewrite {
        anchor: stage.from,
        edits,
        reason: format!(
            "{}:{} is retired and gets no fixes; {new} carries on",
            old.family.name, old.tag
        ),
        changes: inherited_changes(&stages, old, &new_facts)?,
        ..Rewrite::default()
    })
}

/// Refuses a Dockerfile that names a place of the old image.
fn same_place(ctx: &Ctx<'_>, stage: &Stage) -> Result<(), Why> {
    let instructions = ctx.dockerfile.instructions().iter().enumerate();
    for (index, instruction) in instructions.skip(stage.from + 1) {
        let text = ctx.dockerfile.bytes(instruction.span);
        names_no_old_place(
            ctx.catalog,
            text,
            &format!("line {}", runs::line(ctx, index)),
        )?;
    }
    Ok(())
}

fn names_no_old_place(catalog: &Catalog, text: &[u8], place: &str) -> Result<(), Why> {
    let text = String::from_utf8_lossy(text);
    let variable = catalog.word_in(WordSet::JavaVariables, &text);
    match variable.or_else(|| catalog.word_in(WordSet::RetiredImagePlaces, &text)) {
        None => Ok(()),
        Some(old) => Err(Why::new(
            format!("{place} speaks of {old}, which is another in its successor"),
            "change FROM and that line together",
        )),
    }
}

/// Refuses package operations whose packages may have another name or manager.
fn same_packages(
    ctx: &Ctx<'_>,
    stage: &Stage,
    old: &ImageFacts,
    new: &ImageFacts,
) -> Result<(), Why> {
    for index in ctx.model.of_kind(stage, Keyword::Run) {
        for operation in ctx.model.operations(index) {
            if !operation.manager.of_distribution {
                continue;
            }
            let line = runs::line(ctx, index);
            if old.package_manager() != new.package_manager() {
                return Err(Why::new(
                    format!(
                        "line {line} calls {}, and its successor has another package manager",
                        operation.manager.name
                    ),
                    "change FROM and that line together",
                ));
            }
            if operation.verb != Verb::Install {
                continue;
            }
            let unsure = match operation.literal_packages() {
                None => Some("packages by a variable".to_owned()),
                Some(names) => names
                    .into_iter()
                    .find(|name| !ctx.catalog.has_word(WordSet::PackagesSameEverywhere, name)),
            };
            if let Some(name) = unsure {
                return Err(Why::new(
                    format!("line {line} installs {name}, which may be another package there"),
                    "change FROM and that line together",
                ));
            }
        }
    }
    Ok(())
}

/// What the stages install under names that are the same everywhere.
fn installed(ctx: &Ctx<'_>, stages: &[&Stage]) -> BTreeSet<String> {
    stages
        .iter()
        .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
        .flat_map(|index| ctx.model.operations(index))
        .filter(|operation| operation.verb == Verb::Install)
        .filter_map(|operation| operation.literal_packages())
        .flatten()
        .collect()
}

/// Whether the new image has a program of this name, or the stage installs it.
fn is_there(catalog: &Catalog, new: &ImageFacts, name: &str, installed: &BTreeSet<String>) -> bool {
    let package = catalog.program(name).map(|program| program.package.get());
    let root = match new.shell() {
        Some(Shell::Dash) => "debian-slim",
        Some(Shell::Busybox) => "alpine",
        _ => return false,
    };
    let manager = match new.package_manager() {
        Some(PackageManager::Apt) => name.starts_with("apt-"),
        Some(PackageManager::Apk) => name == "apk",
        _ => false,
    };
    let is_of_java = catalog.has_word(WordSet::JrePrograms, name)
        || catalog.has_word(WordSet::JdkPrograms, name) && !new.tag.contains("jre");
    is_builtin(name)
        || manager
        || matches!(name, "mvnw" | "gradlew") && !new.tag.contains("jre")
        || is_of_java
        || installed.contains(package.unwrap_or(name))
        || catalog
            .contents(root)
            .is_some_and(|contents| contents.programs.get().iter().any(|known| *known == *name))
}

/// Refuses what cannot be seen: without a context only jars and files that hold no commands may be copied.
fn seen_sources(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<(), Why> {
    if ctx.context.is_some() {
        return Ok(());
    }
    for index in stages.iter().flat_map(|stage| stage.body.clone()) {
        let Some(copy) = ctx.model.instruction(index).as_copy() else {
            continue;
        };
        if copy.from.is_some() {
            continue;
        }
        for source in &copy.sources {
            let name = String::from_utf8_lossy(source.text);
            let name = name.trim_end_matches(['"', '\'']);
            let plain = [
                ".jar",
                ".war",
                ".properties",
                ".yml",
                ".yaml",
                ".json",
                ".xml",
                ".java",
            ];
            if !plain.iter().any(|ending| name.ends_with(ending)) {
                return Err(Why::new(
                    format!(
                        "line {} copies {name}, which may depend on the old image",
                        runs::line(ctx, index)
                    ),
                    "run docker-diet with the build context",
                ));
            }
        }
    }
    Ok(())
}

/// What is worth knowing of an image that stays: message and remedy.
fn finding(ctx: &Ctx<'_>, facts: &ImageFacts, image: &ImageRef<'_>) -> Option<(String, String)> {
    if facts.family.retired {
        return Some((
            format!("{} is retired: nobody rebuilds it", image.repository()),
            "choose a base that is still maintained".to_owned(),
        ));
    }
    let (product, version) = match facts.family.product.get() {
        "" => facts.release?.cycle.get().split_once('/')?,
        product => (product, facts.version.as_str()),
    };
    if version.is_empty() || image.tag_or_latest() == "latest" {
        return None;
    }
    let end = ctx.catalog.end_of_life(product, version)?;
    let today = ctx
        .settings
        .today
        .as_deref()
        .or_else(|| ctx.catalog.end_of_life_as_of(product, version))?;
    (end < today).then(|| {
        (
            format!("{} reached its end of life on {end}", image.text),
            "move to a supported version when the application allows it".to_owned(),
        )
    })
}
