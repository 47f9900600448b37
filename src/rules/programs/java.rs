//! Java and Kotlin: the jar that Maven or Gradle leaves, on a JRE of the same version.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, WordSet};
use crate::model::Base;
use crate::model::path::{file_name, is_under, resolve};
use crate::rules::Change;
use crate::rules::bases::Kind;
use crate::stack::java::{GradleStack, JavaShape, MavenStack, scan};
use crate::stack::{Bounds, Details, Stack};

use super::anatomy::Anatomy;
use super::files::{self, Files};
use super::start::{Made, Start};
use super::trace::Call;
use super::{Built, Compiled, Program, Why};

/// Finds the programs of stages that build with Maven or Gradle.
pub(crate) struct JavaPrograms;

impl Compiled for JavaPrograms {
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>> {
        let builds = |call: &Call<'_>| tool(call).is_some();
        Built::by(anatomy, builds, is_tool, program_that_starts)
    }
}

fn is_tool(name: &str) -> bool {
    matches!(name, "mvn" | "mvnw" | "gradle" | "gradlew")
}

/// The build tool that a command calls, through `sh ./mvnw` too.
fn tool<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    if is_tool(call.name()) {
        return Some(call.name());
    }
    let script = matches!(call.name(), "sh" | "bash");
    call.operands()
        .next()
        .map(file_name)
        .filter(|name| script && is_tool(name))
}

/// Whether the words make an archive.
fn packages(catalog: &Catalog, call: &Call<'_>) -> bool {
    call.operands().any(|word| {
        let task = word.rsplit(':').next().unwrap_or(word);
        catalog.has_word(WordSet::JavaBuildTasks, task)
    })
}

/// What a module leaves.
struct Module {
    /// Its folder in the image.
    image: String,
    shape: JavaShape,
    /// The archive in the image, where its name is known.
    output: Option<String>,
    has_dependencies: bool,
    /// The folder that holds archives: `target`, `build/libs`.
    folder: &'static str,
}

struct Projects {
    image: String,
    root: String,
    modules: Vec<Module>,
}

impl Projects {
    /// The outermost Maven or Gradle project that the folder `folder` of the image belongs to.
    fn of(anatomy: &Anatomy<'_>, files: &Files<'_>, folder: &str) -> Option<Self> {
        let context = anatomy.ctx.context?;
        let names = [
            "pom.xml",
            "settings.gradle",
            "settings.gradle.kts",
            "build.gradle",
            "build.gradle.kts",
        ];
        let mut at = folder;
        let path = loop {
            if let Some(path) = names
                .iter()
                .find_map(|name| files.context_path(&resolve(at, name)))
            {
                break path;
            }
            if at == "/" {
                return None;
            }
            at = files::parent(at);
        };
        let root = path
            .rsplit_once('/')
            .map_or("", |(root, _)| root)
            .to_owned();
        let catalog = anatomy.ctx.catalog;
        let to_image = |path: &str| {
            let below = path
                .strip_prefix(root.as_str())
                .unwrap_or(path)
                .trim_start_matches('/');
            resolve(at, below)
        };
        let project = MavenStack
            .detect(&root, context, catalog)
            .or_else(|| GradleStack.detect(&root, context, catalog))?;
        let modules = match project.details {
            Details::Maven(maven) => maven
                .modules
                .iter()
                .map(|module| Module {
                    image: to_image(&module.folder),
                    shape: module.shape,
                    output: module.output.as_deref().map(to_image),
                    has_dependencies: !module.dependencies.is_empty(),
                    folder: "target",
                })
                .collect(),
            Details::Gradle(gradle) => gradle
                .modules
                .iter()
                .map(|module| Module {
                    image: to_image(&module.folder),
                    shape: module.shape,
                    output: module.output.as_deref().map(to_image),
                    has_dependencies: !module.dependencies.is_empty(),
                    folder: "build/libs",
                })
                .collect(),
            _ => return None,
        };
        Some(Self {
            image: at.to_owned(),
            root,
            modules,
        })
    }

    /// The module in whose folder of archives the path lies.
    fn module_of(&self, path: &str) -> Option<&Module> {
        self.modules
            .iter()
            .filter(|module| is_under(path, &resolve(&module.image, module.folder)))
            .max_by_key(|module| module.image.len())
    }
}

fn program_that_starts(
    anatomy: &Anatomy<'_>,
    calls: &[Call<'_>],
    start: &Start,
) -> Result<Program, Why> {
    let workdir = anatomy.stage.end.config.workdir.as_deref().unwrap_or("/");
    let no_files = BTreeSet::new();
    let no_sources = || {
        Why::new(
            start.index,
            "no pom.xml or build.gradle for what is built is in the build context",
            "run docker-diet with the context that the image is built from",
        )
    };
    let files = Files::of(anatomy, &no_files).ok_or_else(no_sources)?;
    let build = calls
        .iter()
        .rev()
        .find(|call| tool(call).is_some() && packages(anatomy.ctx.catalog, call));
    let folder = build
        .and_then(|call| call.folder.as_deref())
        .unwrap_or(workdir);
    let projects = Projects::of(anatomy, &files, folder).ok_or_else(no_sources)?;
    let words = start.main();
    let first = words.first().map_or("", |word| file_name(word));
    if is_tool(first) {
        return program_that_is_run(anatomy, calls, start, &files, &projects);
    }
    if build.is_none() {
        return Err(Why::new(
            start.index,
            "no command of this file is seen to make a jar",
            "build with `mvn package` or `gradle build` in a RUN",
        ));
    }
    if start.commands.len() != 1 || first != "java" {
        return Err(Why::new(
            start.index,
            format!(
                "line {} starts `{first}`, and not Java with a jar",
                anatomy.line(start.index)
            ),
            "start the program with `java -jar`",
        ));
    }
    let jar = words
        .iter()
        .position(|word| word == "-jar")
        .and_then(|at| words.get(at + 1));
    let Some(jar) = jar else {
        return Err(Why::new(
            start.index,
            format!(
                "line {} starts classes and no jar",
                anatomy.line(start.index)
            ),
            "start the program with `java -jar`",
        ));
    };
    if jar.contains('$') {
        return Err(Why::new(
            start.index,
            "the name of the jar is in a variable",
            "write the name of the jar",
        ));
    }
    let path = resolve(workdir, jar);
    let made = Made::of(calls, |call| {
        if tool(call).is_none() || !packages(anatomy.ctx.catalog, call) {
            return Vec::new();
        }
        projects
            .modules
            .iter()
            .filter_map(|module| module.output.clone())
            .collect()
    });
    let moved_from_target = moved_jar(calls, &projects, &path);
    let by_folder = projects.module_of(&path);
    let module = by_folder.or(moved_from_target);
    let is_known = made.files.contains_key(&path) || module.is_some();
    if !is_known {
        return Err(Why::new(
            start.index,
            format!(
                "line {} starts {jar}, which no build of this file is seen to make",
                anatomy.line(start.index)
            ),
            "start the jar that the build leaves",
        ));
    }
    let module = module.or_else(|| {
        projects
            .modules
            .iter()
            .find(|module| module.output.as_deref() == Some(path.as_str()))
    });
    let shape = module.map_or(JavaShape::RunnableJar, |module| module.shape);
    let alone = match shape {
        JavaShape::RunnableJar | JavaShape::QuarkusApp => true,
        JavaShape::PlainJar => !module.is_some_and(|module| module.has_dependencies),
        _ => false,
    };
    // An assembly has another name than the module's own jar.
    let is_fat = jar.contains("with-dependencies")
        || jar.ends_with("-all.jar")
        || jar.ends_with("-fat.jar")
        || jar.ends_with("-runner.jar");
    if !alone && !is_fat {
        return Err(Why::new(
            start.index,
            format!("{jar} needs its dependencies beside it"),
            "build a jar that runs alone",
        ));
    }
    let artifact =
        if shape == JavaShape::QuarkusApp || path.ends_with("/quarkus-app/quarkus-run.jar") {
            format!("{}/", files::parent(&path))
        } else {
            path
        };
    program(anatomy, &files, &projects, artifact, start)
}

/// The module whose jar `mv` or `cp` put at `path`.
fn moved_jar<'p>(calls: &[Call<'_>], projects: &'p Projects, path: &str) -> Option<&'p Module> {
    calls
        .iter()
        .rev()
        .filter(|call| matches!(call.name(), "mv" | "cp"))
        .find_map(|call| {
            let operands: Vec<&str> = call.operands().collect();
            let [source, target] = operands.as_slice() else {
                return None;
            };
            let to = call.absolute(target)?;
            let from = call.absolute(source)?;
            let to = if target.ends_with('/') || *target == "." {
                resolve(&to, file_name(source))
            } else {
                to
            };
            (to == path).then(|| projects.module_of(&from)).flatten()
        })
}

/// `mvn spring-boot:run` and `gradle bootRun` as the command that starts: the jar is built, and started.
fn program_that_is_run(
    anatomy: &Anatomy<'_>,
    calls: &[Call<'_>],
    start: &Start,
    files: &Files<'_>,
    projects: &Projects,
) -> Result<Program, Why> {
    let words = start.main();
    let tool = words[0].as_str();
    let task = words.iter().skip(1).find(|word| !word.starts_with('-'));
    let build = match task.map(String::as_str) {
        Some("spring-boot:run") => format!("RUN {tool} package -DskipTests"),
        Some("bootRun") => format!("RUN {tool} bootJar"),
        _ => String::new(),
    };
    let runnable: Vec<&Module> = projects
        .modules
        .iter()
        .filter(|module| module.shape == JavaShape::RunnableJar)
        .collect();
    let config = &anatomy.stage.end.config;
    let alone = config.entrypoint.set().is_none() || config.cmd.set().is_none();
    let plain = words.len() == 2 && !start.shell && alone && !build.is_empty();
    let (
        [
            Module {
                output: Some(path), ..
            },
        ],
        true,
    ) = (runnable.as_slice(), plain)
    else {
        return Err(Why::new(
            start.index,
            format!(
                "line {} builds when the container starts",
                anatomy.line(start.index)
            ),
            "build in a RUN and start the jar",
        ));
    };
    let mut program = program(anatomy, files, projects, path.clone(), start)?;
    let is_built = calls
        .iter()
        .any(|call| self::tool(call).is_some() && packages(anatomy.ctx.catalog, call));
    if !is_built {
        program.build_last = vec![build];
    }
    let workdir = config.workdir.as_deref().unwrap_or("/");
    let jar = files::relative(path, workdir);
    let jar = jar.strip_prefix("./").unwrap_or(&jar).to_owned();
    program.command = Some(vec!["java".to_owned(), "-jar".to_owned(), jar]);
    Ok(program)
}

fn program(
    anatomy: &Anatomy<'_>,
    files: &Files<'_>,
    projects: &Projects,
    artifact: String,
    start: &Start,
) -> Result<Program, Why> {
    let ctx = anatomy.ctx;
    let workdir = anatomy.stage.end.config.workdir.as_deref().unwrap_or("/");
    let context_workdir = files
        .context_path(workdir)
        .unwrap_or_else(|| projects.root.clone());
    let Some(context) = ctx.context else {
        return Err(Why::new(start.index, "there is no build context", ""));
    };
    let sources = scan(&projects.root, &context_workdir, context, Bounds::default());
    if let Some(needs) = sources.needs_jdk.first() {
        return Err(Why::new(
            start.index,
            format!("{} needs the JDK: {}", needs.source, needs.fact),
            "split the file by hand, and keep the JDK in the second stage",
        ));
    }
    let mut changes = Vec::new();
    if start.from_cmd
        && let Base::Image { .. } = &anatomy.stage.base
    {
        // The entry points of Maven's and Temurin's images prepare their own tools and run CMD.
        changes.push(Change::Entrypoint);
    }
    let embedded: BTreeSet<String> = context
        .visible()
        .map(|(path, _)| path)
        .filter_map(|path| {
            let at = if path.starts_with("src/") {
                0
            } else {
                path.find("/src/")? + 1
            };
            Some(path[..at + 3].to_owned())
        })
        .collect();
    Ok(Program {
        artifacts: vec![artifact],
        project: projects.image.clone(),
        root: projects.root.clone(),
        uses: sources.uses,
        embedded,
        build_variables: Some(WordSet::JavaBuildVariables),
        changes,
        is_local: true,
        ..Program::new(Kind::Jre, "the jar")
    })
}
