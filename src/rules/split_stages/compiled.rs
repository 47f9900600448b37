//! What all compiled languages have in common: a program that a RUN makes, and little else, goes into a second stage.

use std::collections::BTreeSet;

use crate::model::path::file_name;
use crate::rules::bases::{self, Kind, Needs};
use crate::rules::programs::anatomy::Part;
use crate::rules::programs::files::{self, Files};
use crate::rules::programs::start::{SEARCH, Start};
use crate::rules::programs::trace::Call;
use crate::rules::programs::{Anatomy, Compiled, Copied, Program, Why};
use crate::rules::{BaseFamilies, Change};
use crate::syntax::Keyword;
use crate::template::Template;

use super::Splitter;
use super::replay::{made_folders, replayed};
use super::runtime::Runtime;
use super::surroundings::{
    healthcheck, programs, refuse_other_uses, refuse_renamed_libraries, refuse_volumes,
};

impl<T: Compiled> Splitter for T {
    fn plan(&self, anatomy: &Anatomy<'_>) -> Option<Result<Runtime, Why>> {
        let built = match self.find(anatomy)? {
            Ok(built) => built,
            Err(why) => return Some(Err(why)),
        };
        Some(plan(anatomy, &built.start, built.program, &built.calls))
    }
}

/// The second stage for `program`.
///
/// # Errors
/// When something in the file could matter to the program and cannot be carried over.
fn plan(
    anatomy: &Anatomy<'_>,
    start: &Start,
    program: Program,
    calls: &[Call<'_>],
) -> Result<Runtime, Why> {
    let ctx = anatomy.ctx;
    refuse_other_uses(anatomy)?;
    refuse_renamed_libraries(anatomy, &program)?;
    let end = &anatomy.stage.end.config;
    let workdir = end.workdir.clone().unwrap_or_else(|| "/".to_owned());
    let mut runtime = Runtime {
        after_workdir: true,
        changes: program.changes.clone(),
        ..Runtime::new(Template::StageProgram)
    };
    let mut shell = start.shell || program.shell;
    let mut packages = program.libraries.clone();
    runtime.replayed = replayed(anatomy, &program, calls, &mut shell, &mut packages)?;
    refuse_volumes(anatomy, &program)?;
    programs(anatomy, &program, &mut shell, &mut packages)?;
    healthcheck(anatomy, &program, &mut shell, &mut packages)?;
    let needs_zones = program.uses.marked("timezone").next().is_some();
    let is_chainguard = ctx.settings.bases == BaseFamilies::Chainguard;
    if needs_zones && is_chainguard && program.kind != Kind::Static {
        // Chainguard's image with the C library has none.
        packages.push("tzdata".to_owned());
    }
    if let Some(user) = &end.user {
        let name = user.split(':').next().unwrap_or(user);
        let in_distroless = matches!(name, "root" | "nobody" | "nonroot")
            || !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        shell |= !in_distroless;
    }
    let made = made_folders(&program, calls, &workdir);
    let writes = !made.is_empty()
        || program
            .uses
            .writes
            .iter()
            .any(|used| !used.path.starts_with("/tmp/"))
        || program.uses.open.iter().any(|open| is_write(&open.fact))
        || program.uses.marked("database").next().is_some()
        || !program.uses.complete
        || !end.volumes.is_empty();
    let low_port = |port: u16| port < 1024;
    let ports = end.ports.keys().filter_map(|port| {
        port.split(['/', '-'])
            .next()
            .and_then(|port| port.parse().ok())
    });
    let low = ports
        .chain(program.uses.ports.iter().copied())
        .any(low_port);
    let needs = Needs {
        kind: program.kind,
        shell,
        packages: Vec::new(),
        unprivileged: end.user.is_none() && !writes && !low,
    };
    let mut needs = needs;
    packages.sort();
    packages.dedup();
    needs.packages.clone_from(&packages);
    let base = bases::runtime_base(ctx, anatomy.stage, &needs)
        .map_err(|why| Why::new(anatomy.stage.from, why.reason, why.remedy))?;
    let original = original_image(anatomy);
    runtime.values.packages = base.install.clone();
    if base.shell
        && matches!(
            base.package_manager,
            Some(crate::catalog::PackageManager::Apt)
        )
        && !program.is_local
    {
        runtime.values.packages.push("ca-certificates".to_owned());
    }
    let names_tzdata = packages.iter().any(|name| name == "tzdata");
    if base.shell && needs_zones && !names_tzdata {
        runtime.values.packages.push("tzdata".to_owned());
    }
    let base_user = base
        .facts
        .as_ref()
        .and_then(crate::catalog::ImageFacts::user)
        .map(str::to_owned);
    if needs.unprivileged
        && base_user.is_some_and(|user| !matches!(user.as_str(), "" | "0" | "root"))
    {
        runtime.changes.push(Change::User);
    }
    let before_first = anatomy
        .workdir(anatomy.stage.body.start)
        .unwrap_or("/")
        .to_owned();
    let base_workdir = base
        .facts
        .as_ref()
        .and_then(|facts| facts.workdir())
        .unwrap_or("/");
    if base_workdir != before_first && !starts_with_absolute_workdir(anatomy) {
        runtime.values.workdir = Some(before_first);
    }
    for step in &anatomy.steps {
        if ctx.model.instruction(step.index).keyword == Keyword::Env {
            let only_build = ctx
                .model
                .instruction(step.index)
                .pairs()
                .iter()
                .all(|pair| {
                    std::str::from_utf8(&pair.name.text).is_ok_and(|name| {
                        program
                            .build_variables
                            .is_some_and(|set| ctx.catalog.has_word(set, name))
                    })
                });
            if only_build && !is_referenced(anatomy, step.index) {
                runtime.build_only.insert(step.index);
                if !runtime.changes.contains(&Change::Env) {
                    runtime.changes.push(Change::Env);
                }
            }
        }
    }
    copies(anatomy, start, &program, &made, &workdir, &mut runtime)?;
    runtime.values.base.clone_from(&base.reference);
    runtime.build_edits = program.build_edits;
    runtime.build_last = program.build_last;
    if let Some(words) = program.command {
        let text = json(&words);
        let keyword = ctx
            .dockerfile
            .bytes(ctx.model.instruction(start.index).keyword_span);
        let line = format!("{} {text}", String::from_utf8_lossy(keyword));
        if start.from_cmd {
            runtime.cmd = Some(line);
        } else {
            runtime.entrypoint = Some(line);
        }
    }
    runtime.saves = bases::saved(ctx, &original, &base.reference);
    runtime.reason = format!(
        "{} is built in one stage and ships on {} without its toolchain and sources",
        program.what, base.reference
    );
    Ok(runtime)
}

/// `["a", "b"]`.
pub(super) fn json(words: &[String]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| serde_json::to_string(word).unwrap_or_default())
        .collect();
    format!("[{}]", words.join(", "))
}

/// The image that the stage starts from, as FROM writes it.
fn original_image(anatomy: &Anatomy<'_>) -> String {
    match &anatomy.stage.base {
        crate::model::Base::Image { reference, .. } => reference.clone(),
        _ => String::new(),
    }
}

/// The COPY lines: programs first, then the files they read.
fn copies(
    anatomy: &Anatomy<'_>,
    start: &Start,
    program: &Program,
    made: &[String],
    workdir: &str,
    runtime: &mut Runtime,
) -> Result<(), Why> {
    let at = copies_workdir(anatomy, runtime).unwrap_or_else(|| workdir.to_owned());
    let mut taken = BTreeSet::new();
    for artifact in &program.artifacts {
        if let Some(folder) = artifact.strip_suffix('/') {
            let target = match folder == at {
                true => "./".to_owned(),
                false => files::relative(folder, &at),
            };
            runtime.values.copies.push(Copied::built(folder, target));
            continue;
        }
        let folder = files::parent(artifact);
        let is_searched = SEARCH.contains(&folder);
        // A program that PATH of the toolchain's image finds needs a folder that every PATH has.
        let by_name = start.commands.iter().any(|words| {
            words
                .first()
                .is_some_and(|word| !word.contains('/') && word == file_name(artifact))
        });
        let target = if by_name && !is_searched {
            "/usr/local/bin/".to_owned()
        } else {
            files::into(folder, &at)
        };
        runtime.values.copies.push(Copied::built(artifact, target));
        taken.insert(artifact.clone());
    }
    let Some(mut files) = Files::of(anatomy, &runtime.replayed) else {
        return Ok(());
    };
    files.want_uses(&program.uses, workdir, &program.root, &program.embedded);
    for path in &program.framework {
        if let Some(image) = files.image_path(path) {
            files.want_path(&image);
        }
    }
    for folder in made {
        files.want_made(folder);
    }
    let argv = program.command.as_ref().unwrap_or(&start.argv);
    files.want_words(argv.iter().map(String::as_str), workdir);
    let config = &anatomy.stage.end.config;
    files.want_words(
        config
            .env
            .iter()
            .filter(|(name, _)| *name != "PATH")
            .map(|(_, value)| value.as_str()),
        workdir,
    );
    for folder in program
        .artifacts
        .iter()
        .filter_map(|it| it.strip_suffix('/'))
    {
        files.leave_below(folder);
    }
    let lines = files.copies(&at, &taken);
    if lines.len() > 12 {
        for (index, copy) in anatomy.copies() {
            if copy.view.from.is_none() {
                runtime.replayed.insert(index);
            }
        }
    } else {
        runtime.values.copies.extend(lines);
    }
    Ok(())
}

/// WORKDIR where the copies will stand.
fn copies_workdir(anatomy: &Anatomy<'_>, runtime: &Runtime) -> Option<String> {
    let index = super::runtime::copies_position(anatomy, runtime);
    match index {
        Some(index) => anatomy.workdir(index).map(str::to_owned),
        None => anatomy.stage.end.config.workdir.clone(),
    }
}

/// Whether a function that was called with what is no literal writes files.
fn is_write(function: &str) -> bool {
    let last = function.rsplit('.').next().unwrap_or(function);
    matches!(
        last,
        "Create"
            | "Mkdir"
            | "MkdirAll"
            | "WriteFile"
            | "OpenFile"
            | "Rename"
            | "create"
            | "create_dir"
            | "create_dir_all"
            | "write"
            | "fopen"
    )
}

/// Whether the first WORKDIR of the file is absolute and stands before all that reads the folder.
fn starts_with_absolute_workdir(anatomy: &Anatomy<'_>) -> bool {
    let first = anatomy
        .steps
        .iter()
        .find(|step| anatomy.ctx.model.instruction(step.index).keyword == Keyword::Workdir);
    first.is_some_and(|step| {
        anatomy
            .ctx
            .model
            .instruction(step.index)
            .body
            .text()
            .starts_with(b"/")
    })
}

/// Whether a setting or what moves reads a variable that this ENV sets.
fn is_referenced(anatomy: &Anatomy<'_>, env: usize) -> bool {
    let ctx = anatomy.ctx;
    let names: Vec<String> = ctx
        .model
        .instruction(env)
        .pairs()
        .iter()
        .map(|pair| String::from_utf8_lossy(&pair.name.text).into_owned())
        .collect();
    anatomy
        .steps
        .iter()
        .filter(|step| step.index > env && !matches!(step.part, Part::Run(_) | Part::Copy(_)))
        .any(|step| {
            let text =
                String::from_utf8_lossy(ctx.model.instruction(step.index).body.text()).into_owned();
            names.iter().any(|name| {
                text.contains(&format!("${name}")) || text.contains(&format!("${{{name}"))
            })
        })
}
