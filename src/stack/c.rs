//! C and C++: make, CMake, Meson, and single compiler commands.

use super::lexer::{Kind, Language, tokens};
use super::paths;
use super::{Details, Evidence, Project, Stack};
use crate::catalog::Catalog;
use crate::context::Context;
use std::collections::BTreeSet;

/// A project in C or C++.
#[derive(Clone, Debug, Default)]
pub struct CProject {
    /// Which build files are there; the first is the one that a plain build uses.
    pub systems: Vec<BuildSystem>,
    /// Programs that the build file names, relative to its build folder (for make: to the project's folder).
    pub programs: Vec<Evidence>,
    /// Libraries that are linked, as written: `-lfoo` → `foo`, `find_package(CURL)` → `CURL`,
    /// `pkg_check_modules(X libpq)` and `dependency('libpq')` → `libpq`.
    pub libraries: BTreeSet<String>,
    /// Whether an install target is written.
    pub installs: bool,
}

/// What drives the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildSystem {
    /// `Makefile`.
    Make,
    /// `CMakeLists.txt`.
    CMake,
    /// `meson.build`.
    Meson,
    /// `configure`, `configure.ac`, `autogen.sh`.
    Autotools,
}

/// What a single compiler command reads and makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompilerCommand {
    /// The file after `-o`, else `a.out`; none with `-c`, `-S`, `-E` over several files.
    pub output: Option<String>,
    /// The source files.
    pub sources: Vec<String>,
    /// Names after `-l`.
    pub libraries: Vec<String>,
    /// Whether nothing is linked dynamically.
    pub is_static: bool,
}

/// What the words of a command are, when the first is a C or C++ compiler.
#[must_use]
pub fn compiler_command(words: &[&str]) -> Option<CompilerCommand> {
    let (program, rest) = words.split_first()?;
    let name = paths::file_name(program);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let is_compiler = matches!(name, "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++")
        || name.ends_with("-gcc")
        || name.ends_with("-g++");
    if !is_compiler {
        return None;
    }
    let mut command = CompilerCommand::default();
    let mut links = true;
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-o" => command.output = rest.next().map(|output| (*output).to_owned()),
            "-l" => command
                .libraries
                .extend(rest.next().map(|name| (*name).to_owned())),
            "-static" | "--static" => command.is_static = true,
            "-c" | "-S" | "-E" => links = false,
            "-I" | "-L" | "-D" | "-U" | "-include" | "-isystem" | "-x" | "-MF" | "-MT"
            | "-Xlinker" | "-T" => {
                rest.next();
            }
            word if word.starts_with("-o") => command.output = Some(word[2..].to_owned()),
            word if word.starts_with("-l") => command.libraries.push(word[2..].to_owned()),
            word if word.starts_with('-') => {}
            word if matches!(
                paths::extension(word),
                "c" | "cc" | "cpp" | "cxx" | "C" | "m" | "s" | "S"
            ) =>
            {
                command.sources.push(word.to_owned())
            }
            _ => {}
        }
    }
    if links && command.output.is_none() {
        command.output = Some("a.out".to_owned());
    }
    Some(command)
}

/// Recognises C and C++.
#[derive(Debug)]
pub struct CStack;

impl Stack for CStack {
    fn name(&self) -> &'static str {
        "c"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let sources = has_sources(root, context);
        let mut project = Project::empty(root, "make");
        let mut found = CProject::default();
        if let Some(path) = paths::present(context, root, &["meson.build"])
            .into_iter()
            .next()
        {
            found.systems.push(BuildSystem::Meson);
            read_meson(&path, context, &mut found);
            project.manifests.push(path);
        }
        if let Some(path) = paths::present(context, root, &["CMakeLists.txt"])
            .into_iter()
            .next()
        {
            found.systems.push(BuildSystem::CMake);
            read_cmake(&path, root, context, &mut found, &mut project);
        }
        if !paths::present(context, root, &["configure", "configure.ac", "autogen.sh"]).is_empty()
            && sources
        {
            found.systems.push(BuildSystem::Autotools);
        }
        let makefile = paths::present(context, root, &["GNUmakefile", "makefile", "Makefile"])
            .into_iter()
            .next();
        // A Makefile alone says nothing: most of them drive other languages.
        if let Some(path) = makefile.filter(|_| sources) {
            found.systems.push(BuildSystem::Make);
            read_make(&path, context, &mut found);
            project.manifests.push(path);
        }
        if found.systems.is_empty() && !sources {
            return None;
        }
        project.package_manager = found
            .systems
            .first()
            .map(|system| format!("{system:?}").to_lowercase());
        for program in &found.programs {
            project.show(format!("program {}", program.fact), program.source.clone());
        }
        project.details = Details::C(Box::new(found));
        Some(project)
    }
}

/// Whether C or C++ sources stand in the folder or in its usual source folders.
fn has_sources(root: &str, context: &Context) -> bool {
    ["", "src", "source", "lib"].iter().any(|folder| {
        let folder = if folder.is_empty() {
            root.to_owned()
        } else {
            paths::join(root, folder)
        };
        context
            .children(&folder)
            .any(|(path, _)| matches!(paths::extension(path), "c" | "cc" | "cpp" | "cxx"))
    })
}

/// Variables, `-o` and `-l` of a Makefile, with simple variables filled in once.
fn read_make(path: &str, context: &Context, found: &mut CProject) {
    let Some(text) = paths::text(context, path) else {
        return;
    };
    let mut variables: Vec<(&str, &str)> = Vec::new();
    let mut target = "";
    for (number, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or(line);
        if let Some(name) = rule_target(line) {
            target = name;
        }
        let source = || format!("{path}:{}", number + 1);
        if code.starts_with("install:") {
            found.installs = true;
        }
        if !line.starts_with('\t')
            && let Some((name, value)) = code.split_once('=')
        {
            let name = name.trim_end_matches([':', '?', '+', ' ', '\t']).trim();
            let value = value.trim();
            if variables.len() < 500 {
                variables.push((name, value));
            }
            if matches!(
                name,
                "TARGET"
                    | "BIN"
                    | "EXE"
                    | "EXEC"
                    | "EXECUTABLE"
                    | "PROGRAM"
                    | "PROG"
                    | "OUT"
                    | "NAME"
            ) && !value.is_empty()
                && !value.contains('$')
            {
                found.programs.push(Evidence {
                    fact: value.to_owned(),
                    source: source(),
                });
            }
        }
        let mut words = code.split_ascii_whitespace();
        while let Some(word) = words.next() {
            if word == "-o" && line.starts_with('\t') {
                let name = match words.next().unwrap_or("") {
                    "$@" | "$(@)" | "\"$@\"" => target,
                    name => name,
                };
                let inner = name
                    .strip_prefix("$(")
                    .and_then(|name| name.strip_suffix(')'));
                let name = match inner {
                    Some(inner) => variables
                        .iter()
                        .rev()
                        .find(|(name, _)| *name == inner)
                        .map_or("", |(_, value)| value),
                    None => name,
                };
                let is_object =
                    name.ends_with(".o") || name.contains(['$', '%']) || name.is_empty();
                if !is_object && !found.programs.iter().any(|program| program.fact == name) {
                    found.programs.push(Evidence {
                        fact: name.to_owned(),
                        source: source(),
                    });
                }
            } else if let Some(library) = word.strip_prefix("-l").filter(|name| is_name(name)) {
                found.libraries.insert(library.to_owned());
            }
        }
    }
}

/// The one target of the rule that begins at `line` of a Makefile; empty where it has several.
fn rule_target(line: &str) -> Option<&str> {
    if line.starts_with(['\t', ' ', '#', '.']) {
        return None;
    }
    let (targets, rest) = line.split_once(':')?;
    // `name := value` and `name ::= value` are no rules, and neither is `name = a:b`.
    if rest.trim_start_matches(':').starts_with('=') || targets.contains('=') {
        return None;
    }
    let mut targets = targets.split_ascii_whitespace();
    match (targets.next(), targets.next()) {
        (Some(target), None) => Some(target),
        _ => Some(""),
    }
}

/// Names that `find_package` takes for parts of CMake or the compiler itself.
const NO_LIBRARY: &[&str] = &[
    "Threads",
    "PkgConfig",
    "Git",
    "Python",
    "Python3",
    "Doxygen",
];

fn read_cmake(
    path: &str,
    root: &str,
    context: &Context,
    found: &mut CProject,
    project: &mut Project,
) {
    let mut open = vec![(path.to_owned(), String::new())];
    while let Some((path, below)) = open.pop() {
        if project.manifests.contains(&path) || project.manifests.len() > 200 {
            continue;
        }
        let Some(text) = paths::text(context, &path) else {
            continue;
        };
        project.manifests.push(path.clone());
        let mut name = String::new();
        for (number, command, words) in cmake_commands(&text) {
            let source = format!("{path}:{number}");
            match (command.to_ascii_lowercase().as_str(), words.as_slice()) {
                ("project", [first, ..]) => name = first.clone(),
                ("add_executable", [first, rest @ ..])
                    if !rest
                        .iter()
                        .any(|word| word == "ALIAS" || word == "IMPORTED") =>
                {
                    let program = first
                        .replace("${PROJECT_NAME}", &name)
                        .replace("${CMAKE_PROJECT_NAME}", &name);
                    if !program.contains("${") {
                        let fact = if below.is_empty() {
                            program
                        } else {
                            format!("{below}/{program}")
                        };
                        found.programs.push(Evidence { fact, source });
                    }
                }
                ("find_package", [first, ..]) if !NO_LIBRARY.contains(&first.as_str()) => {
                    found.libraries.insert(first.clone());
                }
                ("pkg_check_modules" | "pkg_search_module", [_, rest @ ..]) => {
                    let modules = rest.iter().filter(|word| {
                        !matches!(
                            word.as_str(),
                            "REQUIRED" | "QUIET" | "IMPORTED_TARGET" | "GLOBAL"
                        )
                    });
                    found.libraries.extend(modules.map(|word| {
                        word.split(['>', '=', '<'])
                            .next()
                            .unwrap_or(word)
                            .to_owned()
                    }));
                }
                ("target_link_libraries", [_, rest @ ..]) => {
                    let plain = rest.iter().filter_map(|word| {
                        word.strip_prefix("-l").or_else(|| {
                            (is_name(word) && word.bytes().all(|byte| !byte.is_ascii_uppercase()))
                                .then_some(word)
                        })
                    });
                    found.libraries.extend(plain.map(str::to_owned));
                }
                ("install", _) => found.installs = true,
                ("add_subdirectory", [first, ..]) => {
                    let inner = paths::resolve(paths::parent(&path), first);
                    if let Some(inner) = inner.filter(|_| open.len() < 200) {
                        let below = paths::below(root, &inner).unwrap_or(&inner).to_owned();
                        open.push((paths::join(&inner, "CMakeLists.txt"), below));
                    }
                }
                _ => {}
            }
        }
    }
    // A target of the project itself is no library of the system.
    let own: Vec<String> = found
        .programs
        .iter()
        .map(|program| program.fact.clone())
        .collect();
    found.libraries.retain(|library| !own.contains(library));
}

/// The commands of a CMake file: line, name, words without their quotes.
fn cmake_commands(text: &str) -> Vec<(usize, &str, Vec<String>)> {
    let bytes = text.as_bytes();
    let (mut at, mut line, mut found) = (0, 1, Vec::new());
    let mut current: Option<(usize, &str, Vec<String>)> = None;
    let mut depth = 0usize;
    let mut last = "";
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                if let Some((_, _, words)) = &mut current {
                    words.push(
                        text.get(start..at)
                            .unwrap_or("")
                            .trim_matches('"')
                            .to_owned(),
                    );
                }
            }
            b'(' => {
                if depth == 0 {
                    current = Some((line, last, Vec::new()));
                }
                depth += 1;
                at += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.extend(current.take());
                }
                at += 1;
            }
            byte if byte.is_ascii_whitespace() || byte == b';' => at += 1,
            _ => {
                while at < bytes.len()
                    && !bytes[at].is_ascii_whitespace()
                    && !matches!(bytes[at], b'(' | b')' | b'"' | b'#' | b';')
                {
                    at += 1;
                }
                let word = text.get(start..at).unwrap_or("");
                match &mut current {
                    Some((_, _, words)) => words.push(word.to_owned()),
                    None => last = word,
                }
            }
        }
        line += bytes[start..at.min(bytes.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
    }
    found
}

fn read_meson(path: &str, context: &Context, found: &mut CProject) {
    let Some(text) = paths::text(context, path) else {
        return;
    };
    // Meson's comments and texts are Ruby's.
    let tokens = tokens(&text, Language::Ruby);
    for window in tokens.windows(3) {
        let [function, open, argument] = window else {
            continue;
        };
        let (Kind::Word(function), Kind::Mark(b'('), Kind::Text { value, .. }) =
            (function.kind, open.kind, argument.kind)
        else {
            continue;
        };
        match function {
            "executable" => found.programs.push(Evidence {
                fact: value.to_owned(),
                source: format!("{path}:{}", argument.line),
            }),
            "dependency" | "find_library" if value != "threads" => {
                found.libraries.insert(value.to_owned());
            }
            _ => {}
        }
    }
    found.installs = text.contains("install: true") || text.contains("install : true");
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detect(files: &[(&'static str, &'static str)]) -> Option<(Project, CProject)> {
        let context = Context::in_memory(files.iter().copied());
        let project = CStack.detect("", &context, &Catalog::default())?;
        let Details::C(found) = project.details.clone() else {
            panic!("other details");
        };
        Some((project, *found))
    }

    #[test]
    fn compiler_commands() {
        let command = compiler_command(&[
            "gcc-12", "-O2", "-o", "bin/app", "main.c", "-I", "inc.c", "-lcurl", "-l", "m",
        ])
        .expect("gcc is a compiler");
        assert_eq!(command.output.as_deref(), Some("bin/app"));
        assert_eq!(command.sources, ["main.c"]);
        assert_eq!(command.libraries, ["curl", "m"]);
        assert_eq!(
            compiler_command(&["g++", "a.cpp"])
                .and_then(|command| command.output)
                .as_deref(),
            Some("a.out")
        );
        assert_eq!(
            compiler_command(&["gcc", "-c", "a.c"]).and_then(|command| command.output),
            None
        );
        assert_eq!(compiler_command(&["gccgo", "a.go"]), None);
    }

    #[test]
    fn makefiles_count_only_with_sources() {
        assert!(detect(&[("Makefile", "all:\n\tgo build -o x\n"), ("main.go", "")]).is_none());
        let (_, found) = detect(&[("Makefile", "TARGET := srv # name\nall: a.o\n\t$(CC) a.o -o $(TARGET) -lpq $(LIBS)\na.o:\n\tgcc -c a.c -o a.o\ninstall:\n"), ("src/a.c", "")]).expect("a C project");
        assert_eq!(
            found
                .programs
                .iter()
                .map(|program| program.fact.as_str())
                .collect::<Vec<_>>(),
            ["srv"]
        );
        assert!(found.libraries.contains("pq") && found.installs);
    }

    #[test]
    fn a_makefile_names_its_program_by_the_target_of_a_rule() {
        let programs = |makefile: &'static str| -> Vec<String> {
            let (_, found) = detect(&[("Makefile", makefile), ("a.c", "")]).expect("a C project");
            found.programs.into_iter().map(|it| it.fact).collect()
        };
        assert_eq!(
            programs("BIN_DIR = a:b\nsqueeze: a.o # why\n\t$(CC) -o $@ $^ -lz\n"),
            ["squeeze"]
        );
        assert_eq!(
            programs("srv := bin/srv\n$(srv): a.o\n\tcc -o $@ a.o\n"),
            ["bin/srv"]
        );
        assert!(programs("%.o: %.c\n\tcc -c -o $@ $<\na.o: a.c\n\tcc -c -o $@ a.c\n").is_empty());
        assert!(programs("one two: a.o\n\tcc -o $@ a.o\n").is_empty());
    }

    #[test]
    fn cmake_with_folders() {
        let (project, found) = detect(&[
            ("CMakeLists.txt", "project(srv C) # (\nfind_package(CURL REQUIRED)\npkg_check_modules(PQ REQUIRED libpq>=10)\nadd_executable(${PROJECT_NAME} a.c)\nadd_subdirectory(tools)\n"),
            ("tools/CMakeLists.txt", "add_executable(\"probe\" p.c)\ntarget_link_libraries(probe PRIVATE z)\n"),
        ]).expect("a CMake project");
        let programs: Vec<_> = found
            .programs
            .iter()
            .map(|program| program.fact.as_str())
            .collect();
        assert_eq!(programs, ["srv", "tools/probe"]);
        assert_eq!(
            found.libraries.into_iter().collect::<Vec<_>>(),
            ["CURL", "libpq", "z"]
        );
        assert_eq!(
            project.manifests,
            ["CMakeLists.txt", "tools/CMakeLists.txt"]
        );
    }

    proptest! {
        #[test]
        fn cmake_never_panics(text in "[a-z()\"#\\\\;\\né ]{0,120}") {
            let _ = cmake_commands(&text);
        }
    }
}
