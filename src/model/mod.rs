//! What a Dockerfile means (floor 2): stages, inherited state, package operations, file effects.

mod packages;
pub mod path;
mod state;

pub use packages::{PackageOperation, Verb};
pub use state::{CommandForm, CommandLine, Config, Setting, Shell, State};

use std::cell::OnceCell;
use std::ops::Range;

use crate::catalog::{Catalog, ImageFacts, ImageRef, Variant};
use crate::shell::{self, Script};
use crate::syntax::{
    Arguments, Dockerfile, Healthcheck, Instruction, Keyword, Logical, expand, references,
};

/// The meaning of one Dockerfile.
#[derive(Debug)]
pub struct Model<'a> {
    /// The tree it was made from.
    pub dockerfile: &'a Dockerfile,
    /// What is known about the world.
    pub catalog: &'a Catalog,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// State before every instruction, by index; the default before the first FROM.
    states: Vec<State>,
    /// The scripts of shell forms, parsed when first asked for.
    scripts: Vec<OnceCell<Option<Script>>>,
}

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// Counted from 0.
    pub index: usize,
    /// Index of its FROM.
    pub from: usize,
    /// Indices of the instructions after FROM.
    pub body: Range<usize>,
    /// `AS name`, lower case.
    pub name: Option<String>,
    /// What it starts from.
    pub base: Base,
    /// `--platform=` names Windows, or the base is a Windows image.
    pub windows: bool,
    /// Stages whose files it copies or mounts, ascending.
    pub copies_from: Vec<usize>,
    /// Built for its own sake: the last stage, one that `--target` names, or one that no other stage uses.
    pub is_target: bool,
    /// Its layers are in an image that ships: a target, or one that a target starts FROM.
    pub ships: bool,
    /// State after its last instruction.
    pub end: State,
}

/// What a stage starts from.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a stage, and nearly all of them are images"
)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image.
    Image {
        /// The reference after expansion.
        reference: String,
        /// What the catalog knows of it.
        facts: Option<ImageFacts>,
    },
    /// The reference depends on a variable without a value, or is malformed.
    Unknown,
}

impl<'a> Model<'a> {
    /// Works out the meaning of `dockerfile`; `targets` are the stages that are built by name, besides the last.
    #[must_use]
    pub fn new(dockerfile: &'a Dockerfile, catalog: &'a Catalog, targets: &[String]) -> Self {
        let globals = state::globals(dockerfile);
        let instructions = dockerfile.instructions();
        let mut states = Vec::with_capacity(instructions.len());
        let mut stages: Vec<Stage> = Vec::new();
        let mut current = State::default();
        for (index, instruction) in instructions.iter().enumerate() {
            if instruction.keyword == Keyword::From {
                if let Some(stage) = stages.last_mut() {
                    stage.body.end = index;
                    stage.end = current.clone();
                }
                let stage = begin_stage(dockerfile, catalog, &stages, index, instruction, &globals);
                current = match &stage.base {
                    Base::Scratch => State::of_scratch(),
                    Base::Stage(parent) => stages[*parent].end.clone().inherited(),
                    Base::Image { facts, .. } => State::of_image(facts.as_ref(), stage.windows),
                    Base::Unknown => State::of_image(None, stage.windows),
                };
                states.push(current.clone());
                stages.push(stage);
                continue;
            }
            states.push(current.clone());
            if !stages.is_empty() {
                current.apply(dockerfile, index, instruction, &globals);
            }
        }
        if let Some(stage) = stages.last_mut() {
            stage.body.end = instructions.len();
            stage.end = current;
        }
        resolve_feeds(&mut stages, dockerfile, &states);
        mark_targets(&mut stages, targets);
        Self {
            dockerfile,
            catalog,
            stages,
            states,
            scripts: (0..instructions.len()).map(|_| OnceCell::new()).collect(),
        }
    }

    /// The instruction at `index`.
    #[must_use]
    pub fn instruction(&self, index: usize) -> &'a Instruction {
        &self.dockerfile.instructions()[index]
    }

    /// The state before the instruction at `index`.
    #[must_use]
    pub fn state(&self, index: usize) -> &State {
        &self.states[index]
    }

    /// The stage that holds the instruction at `index`; none before the first FROM.
    #[must_use]
    pub fn stage_of(&self, index: usize) -> Option<&Stage> {
        self.stages
            .iter()
            .find(|stage| stage.from == index || stage.body.contains(&index))
    }

    /// The stages that are built for their own sake.
    pub fn targets(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().filter(|stage| stage.is_target)
    }

    /// The last stage: what `docker build` without `--target` gives.
    #[must_use]
    pub fn final_stage(&self) -> Option<&Stage> {
        self.stages.last()
    }

    /// The stage and those that it starts FROM, itself first.
    #[must_use]
    pub fn chain(&self, stage: usize) -> Vec<&Stage> {
        let mut chain = Vec::new();
        let mut at = self.stages.get(stage);
        while let Some(stage) = at {
            chain.push(stage);
            at = match stage.base {
                Base::Stage(parent) => self.stages.get(parent),
                _ => None,
            };
        }
        chain
    }

    /// Stages that start FROM `stage`, directly or not.
    #[must_use]
    pub fn children(&self, stage: usize) -> Vec<&Stage> {
        self.stages
            .iter()
            .filter(|other| {
                other.index != stage
                    && self
                        .chain(other.index)
                        .iter()
                        .any(|link| link.index == stage)
            })
            .collect()
    }

    /// What is known about the image that the chain of `stage` starts from.
    #[must_use]
    pub fn base_facts(&self, stage: usize) -> Option<&ImageFacts> {
        match &self.chain(stage).last()?.base {
            Base::Image { facts, .. } => facts.as_ref(),
            _ => None,
        }
    }

    /// The image that the chain of `stage` starts from.
    #[must_use]
    pub fn base_reference(&self, stage: usize) -> Option<ImageRef<'_>> {
        match &self.chain(stage).last()?.base {
            Base::Image { reference, .. } => Some(ImageRef::parse(reference)),
            _ => None,
        }
    }

    /// Whether the user at the instruction at `index` is known to be root.
    #[must_use]
    pub fn is_root(&self, index: usize) -> bool {
        let user = match (&self.state(index).config.user, self.stage_of(index)) {
            (Some(user), _) => Some(user.as_str()),
            (None, Some(stage)) => match &self.chain(stage.index).last().map(|stage| &stage.base) {
                Some(Base::Image {
                    facts: Some(facts), ..
                }) => facts.user().or(Some("root")),
                Some(Base::Scratch) => Some("root"),
                // An unknown image may name any user: nearly all of those that people build on with
                // package managers are root's, and a rule that needs certainty asks `base_facts`.
                _ => Some("root"),
            },
            (None, None) => None,
        };
        user.is_some_and(|user| matches!(user.split(':').next(), Some("root" | "0")))
    }

    /// The script of a shell-form RUN, CMD, ENTRYPOINT or HEALTHCHECK; none for another form or instruction, for a
    /// shell that is not POSIX, and for a text that cannot be read.
    #[must_use]
    pub fn script(&self, index: usize) -> Option<&Script> {
        self.scripts[index]
            .get_or_init(|| {
                let dialect = self.state(index).shell.dialect()?;
                let text = shell_text(self.dockerfile, self.instruction(index))?;
                shell::parse(&text, dialect).ok()
            })
            .as_ref()
    }

    /// The package operations of the RUN at `index`, in the order in which they are written.
    #[must_use]
    pub fn operations(&self, index: usize) -> Vec<PackageOperation<'_>> {
        match self.script(index) {
            Some(script) if self.instruction(index).keyword == Keyword::Run => {
                packages::operations(script, self.catalog)
            }
            _ => Vec::new(),
        }
    }

    /// Indices of the instructions of `stage` with this keyword.
    pub fn of_kind(&self, stage: &Stage, keyword: Keyword) -> impl Iterator<Item = usize> + '_ {
        stage
            .body
            .clone()
            .filter(move |index| self.instruction(*index).keyword == keyword)
    }
}

/// Reads a FROM.
fn begin_stage<'a>(
    dockerfile: &'a Dockerfile,
    catalog: &'a Catalog,
    stages: &[Stage],
    index: usize,
    instruction: &'a Instruction,
    globals: &crate::syntax::Variables,
) -> Stage {
    let view = instruction.as_from();
    let escape = dockerfile.escape();
    let mut base = Base::Unknown;
    let mut windows = false;
    let mut name = None;
    if let Some(view) = view {
        name = view
            .alias
            .map(|alias| String::from_utf8_lossy(&alias.text).to_lowercase());
        let known = references(&view.image.text, escape)
            .iter()
            .all(|name| globals.contains_key(name));
        let text = expand(&view.image.text, globals, escape).unwrap_or_default();
        base = if let Some(parent) = stages
            .iter()
            .rev()
            .find(|stage| stage.name.as_deref() == Some(&*text.to_lowercase()))
        {
            windows = parent.windows;
            Base::Stage(parent.index)
        } else if text == "scratch" {
            Base::Scratch
        } else {
            let facts = catalog.image(&ImageRef::parse(&text));
            windows = names_windows(&text)
                || facts
                    .as_ref()
                    .is_some_and(|facts| facts.variant == Variant::Windows);
            if known && !text.is_empty() {
                Base::Image {
                    reference: text,
                    facts,
                }
            } else {
                Base::Unknown
            }
        };
        windows |= view
            .platform
            .is_some_and(|platform| platform.to_ascii_lowercase().starts_with(b"windows"));
    }
    Stage {
        index: stages.len(),
        from: index,
        body: index + 1..index + 1,
        name,
        base,
        windows,
        copies_from: Vec::new(),
        is_target: false,
        ships: false,
        end: State::default(),
    }
}

/// Whether a reference that the catalog does not know reads like a Windows image.
fn names_windows(reference: &str) -> bool {
    let reference = reference.to_lowercase();
    [
        "windowsservercore",
        "nanoserver",
        "microsoft/windows",
        "/windows/",
    ]
    .iter()
    .any(|part| reference.contains(part))
}

/// Fills `copies_from`: `COPY --from`, `RUN --mount=from`, by name or by number.
fn resolve_feeds(stages: &mut [Stage], dockerfile: &Dockerfile, states: &[State]) {
    let names: Vec<Option<String>> = stages.iter().map(|stage| stage.name.clone()).collect();
    for at in 0..stages.len() {
        let mut feeds = Vec::new();
        for index in stages[at].body.clone() {
            let instruction = &dockerfile.instructions()[index];
            let mut wanted: Vec<String> = Vec::new();
            if let Some(copy) = instruction.as_copy() {
                wanted.extend(
                    copy.from
                        .map(|from| states[index].expand(from, dockerfile.escape())),
                );
            }
            if instruction.keyword == Keyword::Run {
                for mount in instruction.mounts() {
                    wanted.extend(
                        mount
                            .options
                            .iter()
                            .filter(|(key, _)| key == "from")
                            .filter_map(|(_, value)| value.clone()),
                    );
                }
            }
            for name in wanted {
                let lower = name.to_lowercase();
                let found = names[..at]
                    .iter()
                    .rposition(|other| other.as_deref() == Some(&*lower))
                    .or_else(|| lower.parse::<usize>().ok().filter(|number| *number < at));
                feeds.extend(found);
            }
        }
        feeds.sort_unstable();
        feeds.dedup();
        stages[at].copies_from = feeds;
    }
}

/// Marks targets, and what ships with them.
fn mark_targets(stages: &mut [Stage], targets: &[String]) {
    let mut used = vec![false; stages.len()];
    for stage in stages.iter() {
        if let Base::Stage(parent) = stage.base {
            used[parent] = true;
        }
        for feed in &stage.copies_from {
            used[*feed] = true;
        }
    }
    let last = stages.len().saturating_sub(1);
    for at in 0..stages.len() {
        let named = targets.iter().any(|target| {
            stages[at].name.as_deref() == Some(&*target.to_lowercase()) || target.parse() == Ok(at)
        });
        stages[at].is_target = at == last || named || !used[at];
    }
    for at in (0..stages.len()).rev() {
        if stages[at].is_target {
            stages[at].ships = true;
        }
        if stages[at].ships
            && let Base::Stage(parent) = stages[at].base
        {
            stages[parent].ships = true;
        }
    }
}

/// The text that the shell reads; none for JSON and for instructions that run nothing.
fn shell_text(dockerfile: &Dockerfile, instruction: &Instruction) -> Option<Logical> {
    match (instruction.keyword, &instruction.arguments) {
        (Keyword::Run, Arguments::Text) => dockerfile.shell_text(instruction),
        (Keyword::Cmd | Keyword::Entrypoint, Arguments::Text) => Some(instruction.body.clone()),
        (
            Keyword::Healthcheck,
            Arguments::Healthcheck(Healthcheck::Command { body, arguments }),
        ) => matches!(**arguments, Arguments::Text).then(|| body.clone()),
        _ => None,
    }
}
