//! What of the first stage a compiled program needs in the second one, too: accounts, folders, files, packages.

use std::collections::BTreeSet;

use crate::catalog::WordSet;
use crate::model::path::{file_name, is_under};

use crate::rules::programs::anatomy::{Anatomy, Part, RunPart, operation_packages};
use crate::rules::programs::trace::Call;
use crate::rules::programs::{Program, Why};

/// Which instructions run in the second stage too.
pub(super) fn replayed(
    anatomy: &Anatomy<'_>,
    program: &Program,
    calls: &[Call<'_>],
    shell: &mut bool,
    packages: &mut Vec<String>,
) -> Result<BTreeSet<usize>, Why> {
    let mut replayed = BTreeSet::new();
    for step in &anatomy.steps {
        match &step.part {
            Part::Copy(copy) => {
                let Some(destination) = copy.destination.as_deref() else {
                    return Err(Why::new(
                        step.index,
                        format!(
                            "line {} copies to a folder that is not known",
                            anatomy.line(step.index)
                        ),
                        "write an absolute WORKDIR before it",
                    ));
                };
                let is_project = is_under(destination, &program.project)
                    || is_under(&program.project, destination)
                    || copy.whole_context;
                if !is_project && !is_toolchain_folder(destination) {
                    replayed.insert(step.index);
                    if copy.view.from.is_some() {
                        *shell = true;
                    }
                }
            }
            Part::Run(run) => {
                if run_is_replayed(anatomy, step.index, run, program, calls, packages)? {
                    replayed.insert(step.index);
                    *shell = true;
                }
            }
            Part::Setting | Part::Runtime => {}
        }
    }
    Ok(replayed)
}

fn is_toolchain_folder(path: &str) -> bool {
    [
        "/go",
        "/usr/local/go",
        "/usr/local/cargo",
        "/root/.cargo",
        "/root/.m2",
        "/root/.gradle",
        "/root/.ssh",
        "/root/.gitconfig",
        "/root/.netrc",
        "/usr/src",
    ]
    .iter()
    .any(|folder| is_under(path, folder))
}

/// Whether a RUN is needed in the second stage; runtime packages that it installs are added to `packages`.
fn run_is_replayed(
    anatomy: &Anatomy<'_>,
    index: usize,
    run: &RunPart<'_>,
    program: &Program,
    calls: &[Call<'_>],
    packages: &mut Vec<String>,
) -> Result<bool, Why> {
    let line = anatomy.line(index);
    if run.unreadable {
        return Err(Why::new(
            index,
            format!("line {line} cannot be read as shell"),
            "write it as a plain list of commands",
        ));
    }
    let made_here: Vec<&str> = installed_names(calls);
    for name in &run.unknown {
        let base = file_name(name);
        let is_known = anatomy.ctx.catalog.has_word(WordSet::CodeGenerators, base)
            || base.starts_with("protoc-gen")
            || made_here.contains(&base)
            || matches!(
                base,
                "rustup" | "go" | "cargo" | "mvnw" | "gradlew" | "rustup-init" | "rustc"
            );
        if !is_known && !is_toolchain_installer(anatomy, index) {
            return Err(Why::new(
                index,
                format!("line {line} runs `{name}`, which could write anywhere"),
                "call the build tools themselves, or split the file by hand",
            ));
        }
    }
    for operation in &run.system {
        for package in operation_packages(operation) {
            let name = package
                .split(['=', ':', '/'])
                .next()
                .unwrap_or(&package)
                .to_owned();
            let builds = anatomy.ctx.catalog.has_word(WordSet::BuildPackages, &name)
                || name.ends_with("-dev")
                || name.ends_with("-devel")
                || name.starts_with("openjdk-")
                || name.starts_with("gcc-")
                || name.starts_with("g++-")
                || name.starts_with("clang-")
                || name.starts_with("llvm-")
                || name.starts_with("golang-")
                || name.starts_with("libc6");
            if !builds && !packages.contains(&name) {
                packages.push(name);
            }
        }
    }
    let own: Vec<&Call<'_>> = calls.iter().filter(|call| call.index == index).collect();
    if run.accounts {
        if !run.can_be_replayed() || !run.system.is_empty() {
            return Err(Why::new(
                index,
                format!("line {line} adds accounts and builds or installs in one RUN"),
                "put the accounts into a RUN of their own",
            ));
        }
        return Ok(true);
    }
    let mut outside = None;
    for call in &own {
        for path in written(call) {
            let inside = path.as_deref().is_none_or(|path| {
                is_under(path, &program.project)
                    || program
                        .artifacts
                        .iter()
                        .any(|artifact| is_under(artifact, path))
                    || [
                        "/tmp",
                        "/var/lib/apt",
                        "/var/cache",
                        "/root",
                        "/go",
                        "/usr/local/go",
                        "/usr/local/cargo",
                        "/dev",
                        "/usr/src",
                    ]
                    .iter()
                    .any(|folder| is_under(path, folder))
                    || is_under(&program.project, path)
            });
            if !inside {
                outside = outside.or(path);
            }
        }
    }
    if let Some(path) = outside {
        if run.downloads && is_toolchain_installer(anatomy, index) {
            return Ok(false);
        }
        if !run.can_be_replayed() || run.downloads || !run.system.is_empty() {
            return Err(Why::new(
                index,
                format!("line {line} builds or downloads, and writes {path}"),
                "put what the program needs when it runs into a RUN of its own",
            ));
        }
        return Ok(true);
    }
    if run.system_changes && run.can_be_replayed() && run.system.is_empty() {
        return Ok(!is_toolchain_installer(anatomy, index));
    }
    if run.downloads
        && !run.builds()
        && run.system.is_empty()
        && !is_toolchain_installer(anatomy, index)
    {
        let fetches = own
            .iter()
            .any(|call| matches!(call.name(), "curl" | "wget"));
        if fetches {
            return Err(Why::new(
                index,
                format!("line {line} downloads something that the program may use"),
                "copy it into the second stage by hand",
            ));
        }
    }
    Ok(false)
}

/// Folders of the project that a RUN makes and no build fills: the program may write there.
pub(super) fn made_folders(program: &Program, calls: &[Call<'_>], workdir: &str) -> Vec<String> {
    let mut made: Vec<String> = calls
        .iter()
        .filter(|call| call.name() == "mkdir")
        .flat_map(folders)
        .filter(|path| {
            let is_inside = is_under(path, &program.project) || is_under(path, workdir);
            let holds = |other: &str| is_under(other, path);
            is_inside
                && !holds(&program.project)
                && !holds(workdir)
                && !program
                    .artifacts
                    .iter()
                    .any(|it| holds(it.trim_end_matches('/')))
                && !calls.iter().any(|call| fills(call, path))
        })
        .collect();
    made.sort();
    made.dedup();
    let all = made.clone();
    made.retain(|path| {
        !all.iter()
            .any(|other| other != path && is_under(path, other))
    });
    made
}

/// The folders that a `mkdir` names.
fn folders(call: &Call<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_mode = false;
    for word in call.words.iter().skip(1).map(Option::as_deref) {
        let was_mode = std::mem::replace(&mut is_mode, matches!(word, Some("-m" | "--mode")));
        let Some(word) = word.filter(|word| !was_mode && !word.starts_with('-')) else {
            continue;
        };
        if !word.contains(['*', '?', '[', '{', '$']) {
            found.extend(call.absolute(word));
        }
    }
    found
}

/// Whether a command that may build works in the folder or names something in it.
fn fills(call: &Call<'_>, folder: &str) -> bool {
    let only_prepares = matches!(
        call.name(),
        "cat" | "chmod" | "chown" | "echo" | "ls" | "mkdir" | "printf" | "touch"
    );
    let names = |word: &str| {
        word.split(['=', ':', ','])
            .filter_map(|part| call.absolute(part))
            .any(|path| is_under(&path, folder))
    };
    !only_prepares
        && (call
            .folder
            .as_deref()
            .is_none_or(|here| is_under(here, folder))
            || call.words.iter().skip(1).flatten().any(|word| names(word)))
}

/// Names of programs that `go install` and `cargo install` bring.
fn installed_names<'c>(calls: &'c [Call<'_>]) -> Vec<&'c str> {
    calls
        .iter()
        .filter(|call| matches!(call.name(), "go" | "cargo"))
        .flat_map(|call| call.operands())
        .map(|word| file_name(word.split('@').next().unwrap_or(word)))
        .collect()
}

/// Whether a RUN fetches a compiler or a tool that builds.
fn is_toolchain_installer(anatomy: &Anatomy<'_>, index: usize) -> bool {
    let text = String::from_utf8_lossy(anatomy.ctx.model.instruction(index).body.text());
    let host = anatomy.ctx.catalog.word_in(WordSet::ToolchainHosts, &text);
    host.is_some()
}

/// Absolute paths that a file command or a redirection writes; none for one that cannot be told.
fn written(call: &Call<'_>) -> Vec<Option<String>> {
    let mut paths: Vec<Option<String>> = call
        .writes
        .iter()
        .map(|path| path.as_deref().and_then(|path| call.absolute(path)))
        .collect();
    match call.name() {
        "mkdir" | "touch" | "chmod" | "chown" => {
            let skip = usize::from(matches!(call.name(), "chmod" | "chown"));
            paths.extend(call.operands().skip(skip).map(|path| call.absolute(path)));
        }
        "cp" | "mv" | "ln" | "install" => {
            paths.extend(call.operands().last().map(|path| call.absolute(path)));
        }
        _ => {}
    }
    paths
}
