//! What all compiled languages have in common: a program that a RUN makes, and little else, goes into a second stage.

use std::collections::BTreeSet;

use crate::catalog::WordSet;
use crate::model::path::{file_name, is_under, resolve};
use crate::rules::bases::{self, Kind, Needs};
use crate::rules::{BaseFamilies, Change};
use crate::stack::{Evidence, Uses};
use crate::syntax::Keyword;
use crate::template::Template;
use crate::text::Edit;

use super::Splitter;
use super::anatomy::{Anatomy, Part};
use super::files::{self, Files};
use super::replay::{operation_packages, replayed};
use super::runtime::{Copied, Runtime, Why};
use super::start::{SEARCH, Start};
use super::trace::Call;

/// A program and what it needs, as its stack sees it.
pub(super) struct Program {
    /// Files that start or are started, with their paths in the image of the first stage; a folder ends in a slash.
    pub(super) artifacts: Vec<String>,
    /// The folder of the image in which the sources lie.
    pub(super) project: String,
    /// The folder of the context that it was copied from.
    pub(super) root: String,
    pub(super) kind: Kind,
    /// Debian packages with libraries.
    pub(super) libraries: Vec<String>,
    pub(super) uses: Uses,
    /// Files and folders of the context that are in the program already.
    pub(super) embedded: BTreeSet<String>,
    /// Files and folders of the context that a framework reads.
    pub(super) framework: Vec<String>,
    /// Names of ENV that only a build reads.
    pub(super) build_variables: Option<WordSet>,
    pub(super) build_edits: Vec<Edit>,
    pub(super) build_last: Vec<String>,
    /// The words that start it, where they change.
    pub(super) command: Option<Vec<String>>,
    /// What else it declares.
    pub(super) changes: Vec<Change>,
    /// Whether it needs a shell or the small tools beside it.
    pub(super) shell: bool,
    /// Whether it needs none of the system's certificates: a JRE brings its own, and C programs that say nothing of TLS
    /// call no other machine, as far as that can be told.
    pub(super) is_local: bool,
    /// `the Go program`.
    pub(super) what: &'static str,
}

/// A program, what starts it, and the commands of the stage that built it.
pub(super) struct Built<'a> {
    pub(super) start: Start,
    pub(super) program: Program,
    pub(super) calls: Vec<Call<'a>>,
}

impl<'a> Built<'a> {
    /// What a stack answers once it knows the start and has looked for the program.
    pub(super) fn of(
        program: Result<Program, Why>,
        start: Start,
        calls: Vec<Call<'a>>,
    ) -> Option<Result<Self, Why>> {
        Some(program.map(|program| Self {
            start,
            program,
            calls,
        }))
    }
}

/// A stack whose programs run without what built them.
pub(super) trait Compiled: Sync {
    /// The program that the stage starts; none when it is not of this stack.
    fn find<'a>(&self, anatomy: &'a Anatomy<'a>) -> Option<Result<Built<'a>, Why>>;
}

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
    let writes = program
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
    copies(anatomy, start, &program, &workdir, &mut runtime)?;
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

/// Refuses where the name of a library's package is known for other releases than the builder's.
fn refuse_renamed_libraries(anatomy: &Anatomy<'_>, program: &Program) -> Result<(), Why> {
    if matches!(release(anatomy), "bookworm" | "trixie") {
        return Ok(());
    }
    let unsure = program
        .libraries
        .iter()
        .find(|name| !anatomy.ctx.catalog.has_word(WordSet::StableLibraries, name));
    match unsure {
        Some(name) => Err(Why::new(
            anatomy.stage.from,
            format!(
                "the program links a library that is in {name} in Debian 12, and its name in this image's release is not known"
            ),
            "move to an image on Debian 12 or 13",
        )),
        None => Ok(()),
    }
}

/// Refuses where the repository calls the toolchain inside the image.
fn refuse_other_uses(anatomy: &Anatomy<'_>) -> Result<(), Why> {
    for command in &anatomy.ctx.settings.usage.commands {
        let first = command.split_whitespace().next().unwrap_or_default();
        if anatomy
            .ctx
            .catalog
            .has_word(WordSet::BuildPrograms, file_name(first))
        {
            return Err(Why::new(
                anatomy.stage.from,
                format!("the repository runs `{command}` in this image"),
                "give that command a stage of its own with `--target`",
            ));
        }
    }
    Ok(())
}

fn refuse_volumes(anatomy: &Anatomy<'_>, program: &Program) -> Result<(), Why> {
    for (index, instruction) in anatomy
        .stage
        .body
        .clone()
        .map(|index| (index, anatomy.ctx.model.instruction(index)))
    {
        if instruction.keyword != Keyword::Volume {
            continue;
        }
        let hidden = anatomy.stage.end.config.volumes.keys().find(|volume| {
            let volume = resolve("/", volume);
            program
                .artifacts
                .iter()
                .any(|artifact| is_under(artifact, &volume))
        });
        if let Some(volume) = hidden {
            return Err(Why::new(
                index,
                format!(
                    "the volume {volume} on line {} lies over the program",
                    anatomy.line(index)
                ),
                "put the volume where only data is written",
            ));
        }
    }
    Ok(())
}

/// A call that starts a program whose name is no literal.
pub(super) fn computed_start(uses: &Uses) -> Option<&Evidence> {
    uses.open.iter().find(|open| {
        let last = open.fact.rsplit('.').next().unwrap_or(&open.fact);
        matches!(
            last,
            "Command" | "CommandContext" | "exec" | "system" | "popen" | "execvp" | "execlp"
        ) || open.fact == "Command.new"
            || open.fact == "ProcessBuilder"
    })
}

/// Packages with the programs that the program starts.
fn programs(
    anatomy: &Anatomy<'_>,
    program: &Program,
    shell: &mut bool,
    packages: &mut Vec<String>,
) -> Result<(), Why> {
    if let Some(computed) = computed_start(&program.uses) {
        return Err(Why::new(
            anatomy.stage.from,
            format!(
                "{} starts a program whose name is computed",
                computed.source
            ),
            "split the file by hand, with the programs that it starts in the second stage",
        ));
    }
    for called in &program.uses.programs {
        let name = file_name(&called.fact);
        if program
            .artifacts
            .iter()
            .any(|artifact| file_name(artifact) == name)
        {
            continue;
        }
        if anatomy.ctx.catalog.has_word(WordSet::DebianPrograms, name) {
            *shell = true;
        } else if let Some(known) = anatomy.ctx.catalog.program(name) {
            packages.push(known.package.get().to_owned());
        } else if !anatomy.ctx.catalog.has_word(WordSet::DesktopPrograms, name) {
            return Err(Why::new(
                anatomy.stage.from,
                format!(
                    "{} starts `{name}`, and no package is known for it",
                    called.source
                ),
                "split the file by hand, with that program in the second stage",
            ));
        }
    }
    Ok(())
}

fn healthcheck(
    anatomy: &Anatomy<'_>,
    program: &Program,
    shell: &mut bool,
    packages: &mut Vec<String>,
) -> Result<(), Why> {
    for step in &anatomy.steps {
        let instruction = anatomy.ctx.model.instruction(step.index);
        if instruction.keyword != Keyword::Healthcheck {
            continue;
        }
        let names: Vec<String> = match anatomy.ctx.model.script(step.index) {
            Some(script) => {
                *shell = true;
                script
                    .invocations()
                    .iter()
                    .map(|it| String::from_utf8_lossy(it.name().unwrap_or(b"?")).into_owned())
                    .collect()
            }
            None => {
                let text = String::from_utf8_lossy(instruction.body.text()).into_owned();
                let words: Vec<String> = text
                    .find('[')
                    .and_then(|at| serde_json::from_str(&text[at..]).ok())
                    .unwrap_or_default();
                words.first().cloned().into_iter().collect()
            }
        };
        for name in names {
            let base = file_name(&name);
            if matches!(
                base,
                "exit"
                    | "test"
                    | "["
                    | "true"
                    | "false"
                    | "grep"
                    | "cat"
                    | "echo"
                    | "sh"
                    | "kill"
                    | ""
            ) {
                continue;
            }
            if program
                .artifacts
                .iter()
                .any(|artifact| file_name(artifact) == base)
            {
                continue;
            }
            match anatomy.ctx.catalog.program(base) {
                Some(known) => packages.push(known.package.get().to_owned()),
                None => {
                    return Err(Why::new(
                        step.index,
                        format!(
                            "the HEALTHCHECK on line {} calls `{base}`, and no package is known for it",
                            anatomy.line(step.index)
                        ),
                        "check with curl, or with the program itself",
                    ));
                }
            }
        }
    }
    Ok(())
}

/// The codename of the builder's release; empty where it is not known.
pub(super) fn release(anatomy: &Anatomy<'_>) -> &'static str {
    match &anatomy.stage.base {
        crate::model::Base::Image {
            facts: Some(facts), ..
        } => facts.release.map_or("", |release| release.name.get()),
        _ => "",
    }
}

/// Packages with headers that the RUNs install, those of the C library left out.
pub(super) fn headers(anatomy: &Anatomy<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (_, run) in anatomy.runs() {
        for operation in &run.system {
            found.extend(operation_packages(operation).into_iter().filter(|name| {
                (name.ends_with("-dev") || name.ends_with("-devel"))
                    && !matches!(name.as_str(), "libc-dev" | "libc6-dev" | "musl-dev")
            }));
        }
    }
    found
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
