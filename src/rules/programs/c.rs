//! C and C++: programs that a compiler command, make, CMake or Meson leaves.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::WordSet;
use crate::model::path::{file_name, resolve};
use crate::rules::bases::Kind;
use crate::stack::c::{CProject, CStack, compiler_command};
use crate::stack::{Details, Stack};
use crate::text::Edit;

use super::anatomy::Anatomy;
use super::files::{self, Files};
use super::start::{Made, Start, start};
use super::trace::{Call, calls};
use super::{Built, Compiled, Program, Why, headers, release};

/// Finds the programs of stages that build a C or C++ program.
pub(crate) struct CPrograms;

/// Libraries of the C library and the compiler.
const OF_THE_COMPILER: &[&str] = &[
    "c", "dl", "gcc", "m", "pthread", "rt", "stdc++", "util", "resolv", "atomic", "stdc++fs",
];

impl Compiled for CPrograms {
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>> {
        let calls = calls(anatomy);
        // Most files compile no C: their context need not be placed to tell.
        if !calls.iter().any(compiles) {
            return None;
        }
        let no_files = BTreeSet::new();
        let files = Files::of(anatomy, &no_files)?;
        let made = Made::of(&calls, |call| outputs(anatomy, &files, call));
        if made.files.is_empty() {
            return None;
        }
        let start = match start(anatomy)? {
            Ok(start) => start,
            Err(why) => return Some(Err(why)),
        };
        let program = program_that_starts(anatomy, &files, &calls, &made, &start);
        Built::of(program, start, calls)
    }
}

fn program_that_starts(
    anatomy: &Anatomy<'_>,
    files: &Files<'_>,
    calls: &[Call<'_>],
    made: &Made,
    start: &Start,
) -> Result<Program, Why> {
    let artifacts = made.started(
        anatomy,
        start,
        "no compiler of this file",
        "build it in a RUN, and start the file that the build leaves",
    )?;
    let mut libraries: BTreeSet<String> = BTreeSet::new();
    let (mut is_static, mut is_cpp, mut project, mut root) = (false, false, None, String::new());
    for call in calls {
        if let Some(words) = call.known().as_deref()
            && let Some(command) = compiler_command(words)
        {
            libraries.extend(command.libraries);
            is_static |= command.is_static;
            is_cpp |= call.name().contains("++");
            project = project.or_else(|| call.folder.clone());
        }
        if let Some(found) = driven(anatomy, files, call) {
            libraries.extend(found.project.libraries);
            project = Some(found.image);
            root = found.root;
        }
    }
    let Some(project) = project else {
        return Err(Why::new(
            start.index,
            "the folder that is compiled in is not known",
            "write an absolute WORKDIR",
        ));
    };
    refuse_started_programs(anatomy)?;
    is_cpp |= anatomy.ctx.context.is_some_and(|context| {
        context.visible().any(|(path, _)| {
            let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
            matches!(ending, "cc" | "cpp" | "cxx")
        })
    });
    let mut build_edits = Vec::new();
    let is_newer = is_cpp && !is_static && brings_newer_library(anatomy);
    if is_newer {
        build_edits = linked_into(calls, &artifacts, &libraries).ok_or_else(|| {
            Why::new(
                anatomy.stage.from,
                "the compiler of this image may need a newer C++ library than its distribution has",
                "link with -static-libstdc++ and split the file by hand",
            )
        })?;
    }
    let packages = if is_static {
        Vec::new()
    } else {
        runtime_packages(anatomy, &libraries)?
    };
    let kind = if is_static {
        Kind::Static
    } else {
        Kind::Glibc {
            libstdcpp: is_cpp && !is_newer,
        }
    };
    Ok(Program {
        artifacts,
        project,
        root,
        libraries: packages,
        build_variables: Some(WordSet::CVariables),
        build_edits,
        is_local: true,
        ..Program::new(kind, "the C program")
    })
}

/// A build file that a command works on.
struct Driven {
    /// The folder of the project in the image.
    image: String,
    /// The folder of the project in the context.
    root: String,
    /// The folder in which the programs are left.
    build: String,
    project: CProject,
    installs: bool,
}

/// Whether a call is one of a C compiler, or of a program that runs one.
fn compiles(call: &Call<'_>) -> bool {
    matches!(call.name(), "cmake" | "gmake" | "make" | "meson" | "ninja")
        || compiler_command(&words(call)).is_some()
}

fn words<'c>(call: &'c Call<'_>) -> Vec<&'c str> {
    let words = call.words.iter();
    words.map(|word| word.as_deref().unwrap_or("?")).collect()
}

/// The project that `make`, `ninja`, `cmake --build` or `meson compile` builds.
fn driven(anatomy: &Anatomy<'_>, files: &Files<'_>, call: &Call<'_>) -> Option<Driven> {
    let words = words(call);
    let after = |flag: &str| {
        words
            .iter()
            .position(|word| *word == flag)
            .and_then(|at| words.get(at + 1))
            .copied()
    };
    let folder = match call.name() {
        "make" | "gmake" | "ninja" => match after("-C") {
            Some(folder) => call.absolute(folder)?,
            None => call.folder.clone()?,
        },
        "cmake" => call.absolute(after("--build").or_else(|| after("--install"))?)?,
        "meson"
            if words
                .get(1)
                .is_some_and(|word| matches!(*word, "compile" | "install")) =>
        {
            call.absolute(after("-C").unwrap_or("."))?
        }
        _ => return None,
    };
    let installs = words
        .iter()
        .any(|word| matches!(*word, "install" | "--install"));
    let context = anatomy.ctx.context?;
    let mut at = folder.as_str();
    loop {
        for name in [
            "Makefile",
            "makefile",
            "GNUmakefile",
            "CMakeLists.txt",
            "meson.build",
        ] {
            let Some(path) = files.context_path(&resolve(at, name)) else {
                continue;
            };
            let root = path
                .rsplit_once('/')
                .map_or("", |(root, _)| root)
                .to_owned();
            let details = CStack.detect(&root, context, anatomy.ctx.catalog)?.details;
            let Details::C(project) = details else {
                return None;
            };
            return Some(Driven {
                image: at.to_owned(),
                root,
                build: folder.clone(),
                project: *project,
                installs,
            });
        }
        if at == "/" {
            return None;
        }
        at = files::parent(at);
    }
}

fn outputs(anatomy: &Anatomy<'_>, files: &Files<'_>, call: &Call<'_>) -> Vec<String> {
    if let Some(command) = compiler_command(&words(call)) {
        return command
            .output
            .filter(|output| !output.ends_with(".o") && !output.ends_with(".so"))
            .and_then(|output| call.absolute(&output))
            .into_iter()
            .collect();
    }
    let Some(driven) = driven(anatomy, files, call) else {
        return Vec::new();
    };
    let names = driven
        .project
        .programs
        .iter()
        .map(|program| program.fact.as_str());
    let mut paths: Vec<String> = names
        .clone()
        .map(|name| resolve(&driven.build, name))
        .collect();
    if driven.installs {
        paths.extend(names.map(|name| resolve("/usr/local/bin", file_name(name))));
    }
    paths
}

/// Refuses where sources start other programs, whose names are not looked for.
fn refuse_started_programs(anatomy: &Anatomy<'_>) -> Result<(), Why> {
    const CALLS: &[&str] = &[
        "popen(",
        "system(",
        "execvp(",
        "execlp(",
        "execv(",
        "execl(",
        "posix_spawn",
        "dlopen(",
    ];
    let Some(context) = anatomy.ctx.context else {
        return Ok(());
    };
    for (path, _) in context.visible() {
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        if !matches!(ending, "c" | "cc" | "cpp" | "cxx" | "h" | "hpp") {
            continue;
        }
        let Some(text) = context.read_str(path) else {
            continue;
        };
        if let Some(call) = CALLS.iter().find(|call| calls_function(&text, call)) {
            return Err(Why::new(
                anatomy.stage.from,
                format!(
                    "{path} calls `{}`, and what it starts or opens is not known",
                    call.trim_end_matches('(')
                ),
                "split the file by hand, with what it starts in the second stage",
            ));
        }
    }
    Ok(())
}

/// Whether `call` stands in the text where no longer name ends in it.
fn calls_function(text: &str, call: &str) -> bool {
    text.match_indices(call).any(|(at, _)| {
        !text[..at]
            .chars()
            .next_back()
            .is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

/// Whether the image's own compiler may bring a newer C++ library than the distribution has.
fn brings_newer_library(anatomy: &Anatomy<'_>) -> bool {
    let Some(facts) = anatomy.ctx.model.base_facts(anatomy.stage.index) else {
        return false;
    };
    if facts.family.name != *"gcc" {
        return false;
    }
    let of_release: BTreeMap<&str, u32> =
        BTreeMap::from([("bullseye", 10), ("bookworm", 12), ("trixie", 14)]);
    let own = facts
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    match (own, of_release.get(release(anatomy))) {
        (Some(own), Some(release)) => own > *release,
        _ => true,
    }
}

/// The flags that put the compiler's own libraries into each program; none where a program is not the output of one
/// plain command, or links what uses the distribution's C++ library.
fn linked_into(
    calls: &[Call<'_>],
    artifacts: &[String],
    libraries: &BTreeSet<String>,
) -> Option<Vec<Edit>> {
    if libraries
        .iter()
        .any(|library| !OF_THE_COMPILER.contains(&library.as_str()))
    {
        return None;
    }
    let linkers: Vec<(&Call<'_>, String)> = calls
        .iter()
        .filter_map(|call| {
            let output = compiler_command(&words(call))?.output?;
            Some((call, call.absolute(&output)?))
        })
        .collect();
    let mut edits = Vec::new();
    for artifact in artifacts {
        let (call, _) = linkers.iter().rfind(|(_, output)| output == artifact)?;
        let words = call.known()?;
        let needs_more = ["-fopenmp", "-fsanitize", "-shared", "-static"];
        let is_plain = call.name().starts_with("g++")
            && !call.inner
            && !words
                .iter()
                .any(|word| needs_more.iter().any(|flag| word.starts_with(flag)));
        let last = call.simple.words.last().filter(|_| is_plain)?;
        edits.push(Edit::insert(
            last.span.end,
            " -static-libstdc++ -static-libgcc",
        ));
    }
    Some(edits)
}

/// Debian packages with the libraries that are linked.
fn runtime_packages(
    anatomy: &Anatomy<'_>,
    libraries: &BTreeSet<String>,
) -> Result<Vec<String>, Why> {
    let release = release(anatomy);
    let mut wanted: BTreeSet<String> = headers(anatomy).into_iter().collect();
    for library in libraries {
        if OF_THE_COMPILER.contains(&library.as_str()) || library.contains("::") {
            continue;
        }
        let headers = match anatomy.ctx.catalog.c_library(library) {
            Some(known) => known.headers.get().to_owned(),
            None => format!("lib{library}-dev"),
        };
        let covered = wanted
            .iter()
            .any(|package| package.contains(library.as_str()));
        if !covered {
            wanted.insert(headers);
        }
    }
    let mut packages = Vec::new();
    for headers in wanted {
        if anatomy
            .ctx
            .catalog
            .has_word(WordSet::HeaderPackages, &headers)
        {
            continue;
        }
        let Some(native) = anatomy.ctx.catalog.native_with_headers(&headers) else {
            return Err(Why::new(
                anatomy.stage.from,
                format!("which package has the library of {headers} at run time is not known"),
                "split the file by hand, and install that library in the second stage",
            ));
        };
        packages.extend(
            native
                .libraries(release)
                .iter()
                .map(|name| name.get().to_owned()),
        );
    }
    Ok(packages)
}
