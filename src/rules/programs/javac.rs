//! Java without a build tool: the classes that `javac` leaves, or the archive that `jar` makes of them, on a JRE of the
//! same version.

use std::collections::BTreeSet;

use crate::model::path::{file_name, resolve};
use crate::rules::Change;
use crate::rules::bases::Kind;
use crate::stack::Bounds;
use crate::stack::java::scan;

use super::anatomy::Anatomy;
use super::files::{self, Files};
use super::start::{Made, Start, start};
use super::trace::{Call, calls};
use super::{Built, Compiled, Program, Why};

/// Splits stages that call `javac` themselves.
pub(crate) struct JavacPrograms;

impl Compiled for JavacPrograms {
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>> {
        let calls = calls(anatomy);
        if !calls.iter().any(|call| call.name() == "javac") {
            return None;
        }
        let start = match start(anatomy)? {
            Ok(start) => start,
            Err(why) => return Some(Err(why)),
        };
        let is_java = start
            .main()
            .first()
            .is_some_and(|word| file_name(word) == "java");
        if !is_java {
            return None;
        }
        let program = program(anatomy, &calls, &start);
        Built::of(program, start, calls)
    }
}

fn program(anatomy: &Anatomy<'_>, calls: &[Call<'_>], start: &Start) -> Result<Program, Why> {
    let refuse = |reason: String, remedy: &str| Err(Why::new(start.index, reason, remedy));
    let line = anatomy.line(start.index);
    if start.commands.len() != 1 {
        return refuse(
            format!("line {line} starts more than Java"),
            "start one program",
        );
    }
    let config = &anatomy.stage.end.config;
    let workdir = config.workdir.as_deref().unwrap_or("/");
    let (Some(context), Some(files)) = (anatomy.ctx.context, Files::of(anatomy, &BTreeSet::new()))
    else {
        return refuse("there is no build context".to_owned(), "");
    };
    let Some(launch) = Launch::of(start.main()) else {
        return refuse(
            format!("what line {line} starts cannot be told from its options"),
            "start Java with `-cp` and a class, or with `-jar`",
        );
    };
    let artifacts = match &launch {
        Launch::Jar(jar) => {
            let path = resolve(workdir, jar);
            if !Made::of(calls, archives).files.contains_key(&path) {
                return refuse(
                    format!(
                        "line {line} starts {jar}, which no command of this file is seen to make"
                    ),
                    "start the jar that the build leaves",
                );
            }
            vec![path]
        }
        Launch::Class(class_path) => {
            let class_path = class_path.as_ref().or_else(|| config.env.get("CLASSPATH"));
            let entries = class_path.map_or(".", String::as_str);
            class_folders(anatomy, calls, &files, workdir, entries)
                .map_err(|reason| Why::new(start.index, reason, "name folders in the class path"))?
        }
    };
    let root = files.context_path(workdir).unwrap_or_default();
    let sources = scan("", &root, context, Bounds::default());
    if let Some(needs) = sources.needs_jdk.first() {
        return refuse(
            format!("{} needs the JDK: {}", needs.source, needs.fact),
            "split the file by hand, and keep the JDK in the second stage",
        );
    }
    // The entry points of Temurin's images prepare their own tools and run CMD.
    let changes = Vec::from_iter(start.from_cmd.then_some(Change::Entrypoint));
    Ok(Program {
        artifacts,
        project: workdir.to_owned(),
        root,
        uses: sources.uses,
        changes,
        is_local: true,
        ..Program::new(Kind::Jre, "the Java program")
    })
}

/// What `java` is told to run.
#[derive(Debug, PartialEq, Eq)]
enum Launch {
    /// `-jar` with an archive.
    Jar(String),
    /// A class, and the class path if one is given.
    Class(Option<String>),
}

impl Launch {
    /// None for options that are not known, and for modules.
    fn of(words: &[String]) -> Option<Self> {
        let mut class_path = None;
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-jar" => return words.next().cloned().map(Launch::Jar),
                "-cp" | "-classpath" | "--class-path" => class_path = Some(words.next()?.clone()),
                "-server" | "-ea" | "-enableassertions" | "--enable-preview" => {}
                flag if ["-D", "-X", "-ea:", "--add-opens=", "--add-exports="]
                    .iter()
                    .any(|start| flag.starts_with(start)) => {}
                flag if flag.starts_with('-') => return None,
                // A source file is compiled when it starts.
                class if class.ends_with(".java") || class.contains('$') => return None,
                _ => return Some(Launch::Class(class_path)),
            }
        }
        None
    }
}

/// The folders and archives of a class path as artifacts: those that `javac` fills, and those that the context brings.
///
/// # Errors
/// Which of them nothing is known about.
fn class_folders(
    anatomy: &Anatomy<'_>,
    calls: &[Call<'_>],
    files: &Files<'_>,
    workdir: &str,
    class_path: &str,
) -> Result<Vec<String>, String> {
    let filled: BTreeSet<String> = calls
        .iter()
        .filter(|call| call.name() == "javac")
        .flat_map(outputs)
        .collect();
    let mut artifacts = Vec::new();
    for entry in class_path.split(':').filter(|entry| !entry.is_empty()) {
        let folder = entry.strip_suffix("/*").unwrap_or(entry);
        let path = resolve(workdir, folder);
        let is_known = filled.contains(&path) || files.context_path(&path).is_some();
        if path == "/" || folder.contains(['*', '$']) || !is_known {
            return Err(format!(
                "nothing is known about {entry} in the class path of line {}",
                anatomy.line(anatomy.stage.body.end - 1)
            ));
        }
        artifacts.push(match entry.ends_with(".jar") {
            true => path,
            false => format!("{path}/"),
        });
    }
    let whole = artifacts.clone();
    artifacts.retain(|path| {
        !whole
            .iter()
            .any(|other| other != path && path.starts_with(other))
    });
    artifacts.dedup();
    Ok(artifacts)
}

/// The folders that a call of `javac` puts classes into: the one of `-d`, or those of its sources.
fn outputs(call: &Call<'_>) -> Vec<String> {
    let words: Vec<&str> = call
        .words
        .iter()
        .map(|word| word.as_deref().unwrap_or_default())
        .collect();
    if let Some(at) = words.iter().position(|word| *word == "-d") {
        let folder = words.get(at + 1).and_then(|folder| call.absolute(folder));
        return folder.into_iter().collect();
    }
    let sources = words.iter().filter(|word| word.ends_with(".java"));
    sources
        .filter_map(|source| Some(files::parent(&call.absolute(source)?).to_owned()))
        .collect()
}

/// The archive that a call of `jar` creates.
fn archives(call: &Call<'_>) -> Vec<String> {
    if call.name() != "jar" {
        return Vec::new();
    }
    let words: Vec<&str> = call
        .words
        .iter()
        .skip(1)
        .map(|word| word.as_deref().unwrap_or_default())
        .collect();
    let long = words.iter().find_map(|word| word.strip_prefix("--file="));
    let short = words.first().filter(|mode| {
        let mode = mode.trim_start_matches('-');
        mode.starts_with('c') && mode.contains('f')
    });
    // `cfe app.jar Main`, `cfm app.jar manifest`: the archive comes first where `f` does.
    let ordered = short.filter(|mode| {
        let at = |letter| mode.find(letter).unwrap_or(usize::MAX);
        at('f') < at('e').min(at('m'))
    });
    let name = long.or_else(|| ordered.and_then(|_| words.get(1).copied()));
    name.and_then(|name| call.absolute(name))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launches() {
        let launch =
            |text: &str| Launch::of(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(launch("java Main"), Some(Launch::Class(None)));
        assert_eq!(
            launch("java -Xmx64m -cp out:lib/* org.example.Main --port 80"),
            Some(Launch::Class(Some("out:lib/*".to_owned())))
        );
        assert_eq!(
            launch("java -jar app.jar"),
            Some(Launch::Jar("app.jar".to_owned()))
        );
        for unknown in [
            "java",
            "java -p mods -m a/b",
            "java Main.java",
            "java $CLASS",
        ] {
            assert_eq!(launch(unknown), None, "{unknown}");
        }
    }
}
