//! Gradle in both of its languages, read as text: what is computed is not known.

use super::super::lexer::{Kind, Language, Token, tokens};
use super::super::{Details, Evidence, Project, Stack};
use super::{JavaShape, paths, prebuilt, read_resources};
use crate::catalog::Catalog;
use crate::context::Context;

/// A Gradle build: the folder's own project and its subprojects.
#[derive(Clone, Debug, Default)]
pub struct Gradle {
    /// `rootProject.name`; Gradle takes the folder's name without it, which a build in `/app` makes `app`.
    pub name: Option<String>,
    /// The projects; the first is the folder's own.
    pub modules: Vec<GradleModule>,
    /// Whether `gradlew` and `gradle/wrapper` are there.
    pub wrapper: bool,
    /// Jars and WARs that are in the context already: name and path.
    pub prebuilt: Vec<Evidence>,
}

/// One project of the build.
#[derive(Clone, Debug)]
pub struct GradleModule {
    /// Its folder in the context.
    pub folder: String,
    /// Its name, none for a root without `rootProject.name`.
    pub name: Option<String>,
    /// `version`, none when not written or computed.
    pub version: Option<String>,
    /// Plugin ids.
    pub plugins: Vec<String>,
    /// What the build leaves.
    pub shape: JavaShape,
    /// Path of the artifact in the context; none when a part of its name is not known: then use
    /// [`GradleModule::pattern`] without the by-products.
    pub output: Option<String>,
    /// A pattern that meets the artifact (`build/libs/*.jar`).
    pub pattern: String,
    /// The main class, where it is written.
    pub main_class: Option<String>,
    /// Dependencies as `group:artifact` that reach the runtime.
    pub dependencies: Vec<String>,
}

/// Recognises Gradle.
#[derive(Debug)]
pub struct GradleStack;

const SETTINGS: &[&str] = &["settings.gradle.kts", "settings.gradle"];
const BUILD: &[&str] = &["build.gradle.kts", "build.gradle"];

impl Stack for GradleStack {
    fn name(&self) -> &'static str {
        "gradle"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let settings = paths::present(context, root, SETTINGS).into_iter().next();
        let build = paths::present(context, root, BUILD).into_iter().next();
        if settings.is_none() && build.is_none() {
            return None;
        }
        let mut project = Project::empty(root, "gradle");
        let mut gradle = Gradle {
            wrapper: context.has(&paths::join(root, "gradlew")),
            prebuilt: prebuilt(root, context),
            ..Gradle::default()
        };
        let mut includes = Vec::new();
        if let Some(path) = settings {
            if let Some(text) = paths::text(context, &path) {
                let tokens = tokens(&text, language(&path));
                gradle.name = assigned(&tokens, &["rootProject", "name"]).map(str::to_owned);
                includes = included(&tokens);
            }
            project.manifests.push(path);
        }
        let properties =
            paths::text(context, &paths::join(root, "gradle.properties")).unwrap_or_default();
        let inherited = properties.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "version").then(|| value.trim().to_owned())
        });
        let mut own = read_build(
            root,
            gradle.name.clone(),
            inherited.clone(),
            context,
            &mut project,
        );
        if let Some(text) = build.as_deref().and_then(|path| paths::text(context, path)) {
            project.language_version = java_version(&text);
        }
        if build.is_none() {
            own.shape = JavaShape::None;
        }
        gradle.modules.push(own);
        for include in includes.iter().take(500) {
            let inner = include.trim_start_matches(':').replace(':', "/");
            let Some(folder) = paths::resolve(root, &inner).filter(|folder| folder != root) else {
                continue;
            };
            if !context.is_folder(&folder) {
                project.finding(
                    format!("project {include} is not in the build context"),
                    project.manifests[0].clone(),
                );
                continue;
            }
            let name = paths::file_name(&folder).to_owned();
            let version = inherited
                .clone()
                .or_else(|| gradle.modules[0].version.clone());
            let module = read_build(&folder, Some(name), version, context, &mut project);
            gradle.modules.push(module);
        }
        project.manifests.extend(paths::present(
            context,
            root,
            &["gradle.properties", "gradlew"],
        ));
        for folder in ["gradle", "buildSrc", "build-logic"] {
            let folder = paths::join(root, folder);
            let inner: Vec<String> = paths::sized_files(context, &folder)
                .map(|(path, _)| path.to_owned())
                .filter(|path| !path.contains("/build/"))
                .collect();
            project.manifests.extend(inner);
        }
        for lock in ["gradle.lockfile", "gradle/verification-metadata.xml"] {
            project.locks.extend(paths::present(context, root, &[lock]));
        }
        for module in &gradle.modules {
            read_resources(&module.folder, context, &mut project);
        }
        for module in gradle
            .modules
            .iter()
            .filter(|module| module.shape != JavaShape::None)
        {
            let output = module.output.as_deref().unwrap_or(&module.pattern);
            let source = paths::present(context, &module.folder, BUILD)
                .into_iter()
                .next();
            project.show(
                format!("{:?} at {output}", module.shape).to_lowercase(),
                source.unwrap_or_default(),
            );
        }
        project.details = Details::Gradle(Box::new(gradle));
        Some(project)
    }
}

fn language(path: &str) -> Language {
    if path.ends_with(".kts") {
        Language::Kotlin
    } else {
        Language::Groovy
    }
}

fn read_build(
    folder: &str,
    name: Option<String>,
    version: Option<String>,
    context: &Context,
    project: &mut Project,
) -> GradleModule {
    let mut module = GradleModule {
        folder: folder.to_owned(),
        name,
        version,
        plugins: Vec::new(),
        shape: JavaShape::None,
        output: None,
        pattern: paths::join(folder, "build/libs/*.jar"),
        main_class: None,
        dependencies: Vec::new(),
    };
    let Some(path) = paths::present(context, folder, BUILD).into_iter().next() else {
        return module;
    };
    let Some(text) = paths::text(context, &path) else {
        return module;
    };
    project.manifests.push(path.clone());
    let tokens = tokens(&text, language(&path));
    module.plugins = plugins(&tokens);
    if let Some(version) = assigned(&tokens, &["version"]) {
        module.version = Some(version.to_owned());
    }
    module.dependencies = dependencies(&tokens);
    module.main_class = ["mainClass", "mainClassName"]
        .iter()
        .find_map(|key| assigned(&tokens, &[key]))
        .map(str::to_owned);
    let has = |ids: &[&str]| {
        module
            .plugins
            .iter()
            .any(|plugin| ids.contains(&plugin.as_str()))
    };
    module.shape = if has(&["io.quarkus"]) {
        JavaShape::QuarkusApp
    } else if has(&["war"]) {
        JavaShape::War
    } else if has(&[
        "org.springframework.boot",
        "com.github.johnrengelman.shadow",
        "com.gradleup.shadow",
        "io.ktor.plugin",
    ]) {
        JavaShape::RunnableJar
    } else if has(&["application"]) {
        JavaShape::Distribution
    } else if has(&[
        "java",
        "java-library",
        "kotlin",
        "jvm",
        "org.jetbrains.kotlin.jvm",
        "groovy",
        "scala",
    ]) {
        JavaShape::PlainJar
    } else {
        JavaShape::None
    };
    let is_shadow = module
        .plugins
        .iter()
        .any(|plugin| plugin.ends_with("shadow") || plugin == "io.ktor.plugin")
        && !module
            .plugins
            .iter()
            .any(|plugin| plugin == "org.springframework.boot");
    let ending = if module.shape == JavaShape::War {
        "war"
    } else {
        "jar"
    };
    let build = paths::join(folder, "build");
    module.pattern = match module.shape {
        JavaShape::QuarkusApp => format!("{build}/quarkus-app"),
        JavaShape::Distribution => format!("{build}/install/*"),
        _ if is_shadow => format!("{build}/libs/*-all.jar"),
        _ => format!("{build}/libs/*.{ending}"),
    };
    let file_name = assigned(&tokens, &["archiveFileName"])
        .or_else(|| assigned(&tokens, &["archiveName"]))
        .or_else(|| assigned(&tokens, &["fatJar", "archiveFileName"]));
    let base = assigned(&tokens, &["archiveBaseName"])
        .or_else(|| assigned(&tokens, &["baseName"]))
        .or_else(|| assigned(&tokens, &["archivesBaseName"]))
        .map(str::to_owned)
        .or_else(|| module.name.clone());
    let classifier =
        assigned(&tokens, &["archiveClassifier"]).or_else(|| assigned(&tokens, &["classifier"]));
    module.output = match module.shape {
        JavaShape::None => None,
        JavaShape::QuarkusApp => Some(module.pattern.clone()),
        JavaShape::Distribution => module
            .name
            .as_ref()
            .map(|name| format!("{build}/install/{name}")),
        _ => match file_name {
            Some(name) => Some(format!("{build}/libs/{name}")),
            // Two tasks may set a classifier; it is only sure which one where the plugin makes a single jar.
            None => base.map(|base| {
                let version = module
                    .version
                    .as_deref()
                    .filter(|version| !version.is_empty() && *version != "unspecified");
                let version = version
                    .map(|version| format!("-{version}"))
                    .unwrap_or_default();
                let classifier = if is_shadow {
                    Some(classifier.unwrap_or("all"))
                } else {
                    None
                };
                let classifier = classifier
                    .filter(|name| !name.is_empty())
                    .map(|name| format!("-{name}"))
                    .unwrap_or_default();
                format!("{build}/libs/{base}{version}{classifier}.{ending}")
            }),
        },
    };
    // `version = rootProject.version`, `"$base-1"`: computed, so only the pattern is sure.
    if module.output.is_some()
        && file_name.is_none()
        && (is_computed(&tokens, "version") || is_computed(&tokens, "archiveFileName"))
        && !matches!(
            module.shape,
            JavaShape::QuarkusApp | JavaShape::Distribution
        )
    {
        module.output = None;
    }
    module
}

/// The literal given to a name: `a.b = "x"`, `a.b "x"`, `a.b.set("x")`, `a.b("x")`.
fn assigned<'a>(tokens: &[Token<'a>], path: &[&str]) -> Option<&'a str> {
    find(tokens, path).find_map(|at| {
        let mut at = at;
        for _ in 0..4 {
            match tokens.get(at)?.kind {
                Kind::Text { value, open: false } => return Some(value),
                Kind::Mark(b'=' | b'(' | b'.') | Kind::Word("set" | "value" | "convention") => {
                    at += 1
                }
                _ => return None,
            }
        }
        None
    })
}

fn is_computed(tokens: &[Token<'_>], name: &str) -> bool {
    find(tokens, &[name]).any(|at| {
        let is_assigned = tokens
            .get(at)
            .is_some_and(|token| token.kind == Kind::Mark(b'='));
        is_assigned
            && !matches!(
                tokens.get(at + 1).map(|token| token.kind),
                Some(Kind::Text { open: false, .. })
            )
    })
}

/// Where the tokens after each place of a dotted name start; names that are part of a longer one before them are left out.
fn find<'t>(tokens: &'t [Token<'_>], path: &'t [&str]) -> impl Iterator<Item = usize> + 't {
    let length = path.len() * 2 - 1;
    (0..tokens.len().saturating_sub(length)).filter_map(move |at| {
        for (step, name) in path.iter().enumerate() {
            if tokens[at + step * 2].kind != Kind::Word(name) {
                return None;
            }
            if step > 0 && tokens[at + step * 2 - 1].kind != Kind::Mark(b'.') {
                return None;
            }
        }
        // `id 'x' version '1'` and `jvm("x") version "2"` are versions of plugins.
        let is_plain = path != ["version"]
            || at == 0
            || matches!(tokens[at - 1].kind, Kind::Break | Kind::Mark(b'{' | b';'));
        is_plain.then_some(at + length)
    })
}

/// Plugin ids: `id("x")`, `id 'x'`, `kotlin("jvm")`, `apply plugin: 'x'`, and bare names in a `plugins` block.
fn plugins(tokens: &[Token<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    let (mut depth, mut inside) = (0usize, None);
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Mark(b'{') => {
                depth += 1;
                if at > 0 && tokens[at - 1].kind == Kind::Word("plugins") && inside.is_none() {
                    inside = Some(depth);
                }
            }
            Kind::Mark(b'}') => {
                if inside == Some(depth) {
                    inside = None;
                }
                depth = depth.saturating_sub(1);
            }
            Kind::Word(word @ ("id" | "kotlin" | "plugin"))
                if inside.is_some() || word == "plugin" =>
            {
                let text = tokens[at + 1..]
                    .iter()
                    .take(2)
                    .find_map(|token| match token.kind {
                        Kind::Text { value, open: false } => Some(value),
                        _ => None,
                    });
                let applied = !tokens[at..]
                    .iter()
                    .take_while(|token| token.kind != Kind::Break)
                    .any(|token| token.kind == Kind::Word("apply"))
                    || word == "plugin";
                if let Some(text) = text.filter(|_| applied) {
                    found.push(text.to_owned());
                }
            }
            Kind::Word(
                word @ ("java" | "java-library" | "war" | "application" | "groovy" | "scala"),
            ) if inside == Some(depth) => found.push(word.to_owned()),
            Kind::Word("alias") if inside.is_some() => {
                // `alias(libs.plugins.spring.boot)`: the catalog's name tells the plugin well enough.
                let parts = tokens[at + 1..]
                    .iter()
                    .take(12)
                    .take_while(|token| token.kind != Kind::Mark(b')'));
                let name: Vec<&str> = parts
                    .filter_map(|token| match token.kind {
                        Kind::Word(word) => Some(word),
                        _ => None,
                    })
                    .collect();
                let name = name.join(".").to_lowercase();
                let known = [
                    ("boot", "org.springframework.boot"),
                    ("shadow", "com.gradleup.shadow"),
                    ("quarkus", "io.quarkus"),
                    ("ktor", "io.ktor.plugin"),
                    ("jvm", "jvm"),
                ];
                found.extend(
                    known
                        .iter()
                        .filter(|(part, _)| name.contains(part))
                        .map(|(_, id)| (*id).to_owned()),
                );
            }
            _ => {}
        }
    }
    found
}

/// The projects that `include` names.
fn included(tokens: &[Token<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    let starts = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.kind == Kind::Word("include"));
    for (at, _) in starts {
        for token in &tokens[at + 1..] {
            match token.kind {
                Kind::Text { value, open: false } => found.push(value.to_owned()),
                Kind::Mark(b'(' | b',') | Kind::Break => {}
                _ => break,
            }
        }
    }
    found
}

/// `group:artifact` of dependencies that reach the runtime.
fn dependencies(tokens: &[Token<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !matches!(
            token.kind,
            Kind::Word("implementation" | "api" | "runtimeOnly" | "compile" | "runtime")
        ) {
            continue;
        }
        let text = tokens[at + 1..]
            .iter()
            .take(4)
            .find_map(|token| match token.kind {
                Kind::Text { value, .. } => Some(value),
                _ => None,
            });
        let mut parts = text.unwrap_or("").split(':');
        if let (Some(group), Some(artifact)) = (parts.next(), parts.next())
            && !artifact.is_empty()
        {
            found.push(format!("{group}:{artifact}"));
        }
    }
    found
}

/// The version after `JavaLanguageVersion.of(`, `jvmToolchain(`, `sourceCompatibility`.
fn java_version(text: &str) -> Option<String> {
    [
        "JavaLanguageVersion.of(",
        "jvmToolchain(",
        "targetCompatibility",
        "sourceCompatibility",
    ]
    .iter()
    .find_map(|mark| {
        let rest = &text[text.find(mark)? + mark.len()..];
        let rest = rest
            .lines()
            .next()?
            .trim_start_matches([' ', '=', '"', '\'', '(']);
        let rest = rest.trim_start_matches("JavaVersion.VERSION_");
        let version: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '_'))
            .collect();
        let version = version.trim_matches(['.', '_']).replace('_', ".");
        (!version.is_empty()).then_some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(files: &[(&'static str, &'static str)]) -> (Project, Gradle) {
        let context = Context::in_memory(files.iter().copied());
        let project = GradleStack
            .detect("", &context, &Catalog::default())
            .expect("a Gradle project");
        let Details::Gradle(gradle) = project.details.clone() else {
            panic!("other details");
        };
        (project, *gradle)
    }

    #[test]
    fn groovy_spring_boot() {
        let (project, gradle) = detect(&[
            ("settings.gradle", "rootProject.name = 'shop' // 'x'\n"),
            (
                "build.gradle",
                "plugins {\n id 'java'\n id 'org.springframework.boot' version '3.2.0'\n}\nversion = '0.0.1'\njava { sourceCompatibility = '17' }\ndependencies {\n implementation 'org.a:web:1'\n testImplementation 'org.b:t:1'\n}\n",
            ),
            ("gradle/wrapper/gradle-wrapper.properties", ""),
            ("gradlew", ""),
        ]);
        let module = &gradle.modules[0];
        assert_eq!(module.plugins, ["java", "org.springframework.boot"]);
        assert_eq!(module.output.as_deref(), Some("build/libs/shop-0.0.1.jar"));
        assert_eq!(module.dependencies, ["org.a:web"]);
        assert_eq!(project.language_version.as_deref(), Some("17"));
        assert_eq!(
            project.manifests,
            [
                "settings.gradle",
                "build.gradle",
                "gradlew",
                "gradle/wrapper/gradle-wrapper.properties"
            ]
        );
    }

    #[test]
    fn kotlin_with_projects_and_shadow() {
        let (project, gradle) = detect(&[
            (
                "settings.gradle.kts",
                "rootProject.name = \"all\"\ninclude(\":api\",\n \":lib:core\", \"gone\")\n",
            ),
            (
                "api/build.gradle.kts",
                "plugins {\n kotlin(\"jvm\") version \"2.0.0\"\n id(\"com.gradleup.shadow\") version \"8.3\"\n}\nversion = \"1.0\"\n",
            ),
            (
                "lib/core/build.gradle.kts",
                "plugins { `java-library` }\nversion = rootProject.version\n",
            ),
        ]);
        assert_eq!(
            gradle.modules[1].output.as_deref(),
            Some("api/build/libs/api-1.0-all.jar")
        );
        assert_eq!(gradle.modules[2].plugins, ["java-library"]);
        assert_eq!(gradle.modules[2].output, None);
        assert_eq!(project.findings.len(), 1);
    }
}
