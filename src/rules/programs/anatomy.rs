//! What a stage is made of: the part that every instruction plays when the stage becomes two.

use std::collections::BTreeSet;

use crate::catalog::CommandKind;
use crate::model::path::resolve;
use crate::model::{Base, PackageOperation, Stage, Verb};
use crate::rules::Ctx;
use crate::rules::image_paths::working_directory;
use crate::syntax::{Copy, ItemKind, Keyword};
use crate::text::Span;

/// A stage taken apart.
pub(crate) struct Anatomy<'a> {
    pub(crate) ctx: &'a Ctx<'a>,
    pub(crate) stage: &'a Stage,
    /// Every instruction after FROM, in order.
    pub(crate) steps: Vec<Step<'a>>,
}

/// An instruction and its part.
pub(crate) struct Step<'a> {
    /// Index of the instruction.
    pub(crate) index: usize,
    pub(crate) part: Part<'a>,
}

/// The part that an instruction plays.
pub(crate) enum Part<'a> {
    /// ENV, ARG, LABEL, WORKDIR, SHELL, USER: in effect in both stages.
    Setting,
    /// EXPOSE, VOLUME, STOPSIGNAL, HEALTHCHECK, CMD, ENTRYPOINT, ONBUILD: moves to the stage that ships.
    Runtime,
    /// COPY or ADD from the context, or from an image.
    Copy(CopyPart<'a>),
    /// RUN.
    Run(RunPart<'a>),
}

/// What a COPY or ADD brings.
pub(crate) struct CopyPart<'a> {
    pub(crate) view: Copy<'a>,
    /// The destination in the image, absolute; none while WORKDIR is unknown.
    pub(crate) destination: Option<String>,
    /// Whether the destination is written as a folder, or must be one.
    pub(crate) into_folder: bool,
    /// It copies the context's root: `COPY . .`.
    pub(crate) whole_context: bool,
}

/// What a RUN does, as far as the catalog tells.
#[derive(Default)]
pub(crate) struct RunPart<'a> {
    /// Operations of the distribution's package manager.
    pub(crate) system: Vec<PackageOperation<'a>>,
    /// Operations of language package managers (`npm install`, `pip install`).
    pub(crate) language: Vec<PackageOperation<'a>>,
    /// Names of build tools that are called (`go`, `make`, `tsc`), language package managers among them.
    pub(crate) build_tools: BTreeSet<String>,
    /// It makes or changes users and groups.
    pub(crate) accounts: bool,
    /// It works on files (`mkdir`, `chmod`, `sed -i`, `mv`).
    pub(crate) files: bool,
    /// It downloads.
    pub(crate) downloads: bool,
    /// It changes the system's configuration (`update-alternatives`, `locale-gen`, `a2enmod`).
    pub(crate) system_changes: bool,
    /// Commands that may do anything: scripts of the project, interpreters, what the catalog does not know.
    pub(crate) unknown: Vec<String>,
    /// The text cannot be read as shell.
    pub(crate) unreadable: bool,
}

impl RunPart<'_> {
    /// Whether running it again on another image of the same distribution gives the same: nothing of the
    /// project's own is built, nothing unknown is called.
    pub(crate) fn can_be_replayed(&self) -> bool {
        self.build_tools.is_empty()
            && self.language.is_empty()
            && self.unknown.is_empty()
            && !self.unreadable
    }

    /// Whether it builds or installs something of the project's language.
    pub(crate) fn builds(&self) -> bool {
        !self.build_tools.is_empty() || !self.language.is_empty()
    }
}

impl<'a> Anatomy<'a> {
    /// Takes the stage apart that could become two: the only one of its file, on an image that the catalog knows and
    /// that is not Windows.
    pub(crate) fn of(ctx: &'a Ctx<'a>) -> Option<Self> {
        let [stage] = ctx.model.stages.as_slice() else {
            return None;
        };
        if stage.windows || !matches!(stage.base, Base::Image { facts: Some(_), .. }) {
            return None;
        }
        Some(Self::of_chain(ctx, stage, &[stage]))
    }

    /// Takes `stage` apart together with the stages that it starts FROM: `chain` begins with itself.
    pub(crate) fn of_chain(ctx: &'a Ctx<'a>, stage: &'a Stage, chain: &[&Stage]) -> Self {
        let bodies = chain.iter().rev().flat_map(|link| link.body.clone());
        let steps = bodies.map(|index| Step {
            index,
            part: part(ctx, index),
        });
        Self {
            ctx,
            stage,
            steps: steps.collect(),
        }
    }

    /// The RUNs, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, &RunPart<'a>)> {
        self.steps.iter().filter_map(|step| match &step.part {
            Part::Run(run) => Some((step.index, run)),
            _ => None,
        })
    }

    /// The COPYs and ADDs, in order.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (usize, &CopyPart<'a>)> {
        self.steps.iter().filter_map(|step| match &step.part {
            Part::Copy(copy) => Some((step.index, copy)),
            _ => None,
        })
    }

    /// First and last line of the instruction at `index`, for a sentence: `line 7`.
    pub(crate) fn line(&self, index: usize) -> usize {
        self.ctx.model.instruction(index).lines.0
    }

    /// The lines of the instruction at `index` with the comment lines right above it, line ending included.
    pub(crate) fn block(&self, index: usize) -> Span {
        block(self.ctx, index)
    }

    /// The working directory before the instruction at `index`; `/` is certain only for a known base.
    pub(crate) fn workdir(&self, index: usize) -> Option<&str> {
        workdir(self.ctx, index)
    }

    /// The path of the context that the image holds at `path`, by the last COPY that puts a file there.
    pub(crate) fn context_path(&self, path: &str) -> Option<String> {
        let context = self.ctx.context?;
        self.copies()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .filter(|(_, copy)| copy.view.from.is_none())
            .find_map(|(_, copy)| {
                let destination = copy.destination.as_deref()?;
                for source in &copy.view.sources {
                    let source = std::str::from_utf8(source.text).ok()?;
                    let clean = source.trim_start_matches("./").trim_matches('/');
                    let clean = if clean == "." { "" } else { clean };
                    let candidate = if clean.is_empty() || context.is_folder(clean) {
                        let below = path
                            .strip_prefix(destination.trim_end_matches('/'))?
                            .strip_prefix('/')?;
                        if clean.is_empty() {
                            below.to_owned()
                        } else {
                            format!("{clean}/{below}")
                        }
                    } else {
                        let name = crate::model::path::file_name(clean);
                        let target = if copy.into_folder {
                            resolve(destination, name)
                        } else {
                            destination.to_owned()
                        };
                        if target != path {
                            continue;
                        }
                        clean.to_owned()
                    };
                    if context.has(&candidate) {
                        return Some(candidate);
                    }
                }
                None
            })
    }
}

/// The lines of the instruction at `index` with the comment lines right above it, line ending included.
pub(crate) fn block(ctx: &Ctx<'_>, index: usize) -> Span {
    let items = ctx.dockerfile.items();
    let at = items
        .iter()
        .position(|item| item.kind == ItemKind::Instruction(index))
        .expect("every instruction is an item");
    let mut start = items[at].span.start;
    for item in items[..at].iter().rev() {
        if item.kind != ItemKind::Comment {
            break;
        }
        start = item.span.start;
    }
    Span::new(start, items[at].span.end)
}

fn part<'a>(ctx: &'a Ctx<'a>, index: usize) -> Part<'a> {
    let instruction = ctx.model.instruction(index);
    match instruction.keyword {
        Keyword::Run => Part::Run(run_part(ctx, index)),
        Keyword::Copy | Keyword::Add => match instruction.as_copy() {
            Some(view) => Part::Copy(copy_part(ctx, index, view)),
            None => Part::Setting,
        },
        Keyword::Env
        | Keyword::Arg
        | Keyword::Label
        | Keyword::Workdir
        | Keyword::Shell
        | Keyword::User
        | Keyword::Maintainer => Part::Setting,
        _ => Part::Runtime,
    }
}

/// The working directory at an instruction. That of a known base counts only while no WORKDIR, which may be relative,
/// has changed it.
fn workdir<'a>(ctx: &'a Ctx<'_>, index: usize) -> Option<&'a str> {
    if let Some(folder) = ctx.model.state(index).config.workdir.as_deref() {
        return Some(folder);
    }
    let stage = ctx.model.stage_of(index)?;
    let is_changed = (stage.body.start..index)
        .any(|before| ctx.model.instruction(before).keyword == Keyword::Workdir);
    let is_image = matches!(stage.base, Base::Image { .. });
    (is_image && !is_changed).then(|| working_directory(ctx, index))?
}

fn copy_part<'a>(ctx: &'a Ctx<'a>, index: usize, view: Copy<'a>) -> CopyPart<'a> {
    let state = ctx.model.state(index);
    let escape = ctx.dockerfile.escape();
    let written = state.expand(view.destination.text, escape);
    let destination = if written.starts_with('/') {
        Some(resolve("/", &written))
    } else {
        workdir(ctx, index).map(|folder| resolve(folder, &written))
    };
    let whole_context = view.from.is_none()
        && view
            .sources
            .iter()
            .any(|source| matches!(source.text, b"." | b"./" | b"/" | b"*" | b"./*"));
    CopyPart {
        into_folder: written.ends_with('/')
            || written.ends_with("/.")
            || written == "."
            || view.sources.len() > 1,
        whole_context,
        destination,
        view,
    }
}

fn run_part<'a>(ctx: &'a Ctx<'a>, index: usize) -> RunPart<'a> {
    let mut run = RunPart::default();
    let Some(script) = ctx.model.script(index) else {
        run.unreadable = true;
        return run;
    };
    for operation in ctx.model.operations(index) {
        if operation.manager.of_distribution {
            run.system.push(operation);
        } else {
            if operation.verb == Verb::Other {
                run.build_tools
                    .insert(operation.manager.name.get().to_owned());
            }
            run.language.push(operation);
        }
    }
    for invocation in script.invocations() {
        if invocation.simple.words.is_empty() {
            continue;
        }
        let Some(name) = invocation.name() else {
            run.unknown
                .push(String::from_utf8_lossy(&invocation.simple.words[0].raw).into_owned());
            continue;
        };
        let name = String::from_utf8_lossy(name).into_owned();
        if ctx.catalog.package_manager(&name).is_some() || is_pip(&name) {
            continue;
        }
        let Some(command) = ctx.catalog.command(&name) else {
            run.unknown.push(name);
            continue;
        };
        let is_wall = invocation.arguments().iter().any(|word| {
            command
                .wall_if
                .get()
                .iter()
                .any(|part| contains(&word.raw, part.get().as_bytes()))
        });
        match command.kind {
            _ if is_wall => run.unknown.push(name),
            CommandKind::Pure | CommandKind::ShellState | CommandKind::Wrapper => {}
            CommandKind::File => run.files = true,
            CommandKind::Download => run.downloads = true,
            CommandKind::Key | CommandKind::System => run.system_changes = true,
            CommandKind::PackageManager | CommandKind::BuildTool => {
                run.build_tools.insert(name);
            }
            CommandKind::Account => run.accounts = true,
            CommandKind::Service => run.unknown.push(name),
            CommandKind::Interpreter => {
                // `sh -c '…'` that could be read shows its commands by themselves, and `python -m pip` is an operation.
                let is_operation = ctx
                    .model
                    .operations(index)
                    .iter()
                    .any(|operation| std::ptr::eq(operation.simple, invocation.simple));
                if invocation.inner().is_none() && !is_operation {
                    run.unknown.push(name);
                }
            }
        }
    }
    run
}

fn is_pip(name: &str) -> bool {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.') == "pip"
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The words that name packages in an operation.
pub(crate) fn operation_packages(operation: &crate::model::PackageOperation<'_>) -> Vec<String> {
    if operation.verb != crate::model::Verb::Install {
        return Vec::new();
    }
    operation
        .packages
        .iter()
        .map(|word| {
            String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned()
        })
        .collect()
}
