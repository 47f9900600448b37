//! What a Dockerfile means (floor 2): stages, inherited state, package operations, file effects.

mod draft;
mod edited;
mod packages;
pub mod path;
mod reading;
mod shared;
mod state;

pub(crate) use edited::Meaning;
pub use packages::{PackageOperation, Verb};
pub use shared::{Entries, SharedMap};
pub use state::{CommandForm, CommandLine, Config, Setting, Shell, State};

use std::ops::Range;

use crate::catalog::{Catalog, ImageFacts, ImageRef};
use crate::shell::{self, Script};
use crate::syntax::{Arguments, Dockerfile, Healthcheck, Instruction, Keyword, Logical};
use draft::Draft;
use reading::Reading;

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
    readings: Vec<Reading>,
}

/// One stage.
#[derive(Clone, Debug)]
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
    /// Index of the stage that its chain of stages starts from.
    root: usize,
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
        let draft = Draft::new(dockerfile, catalog, targets, None);
        let readings = dockerfile.instructions().iter();
        Self {
            dockerfile,
            catalog,
            stages: draft.stages,
            states: draft.states,
            readings: readings.map(|_| Reading::default()).collect(),
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
        let after = self.stages.partition_point(|stage| stage.from <= index);
        let stage = &self.stages[after.checked_sub(1)?];
        (index < stage.body.end).then_some(stage)
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
        let mut starts_there = vec![false; self.stages.len()];
        let later = self.stages.iter().skip(stage + 1);
        later
            .filter(|other| {
                let parent = match other.base {
                    Base::Stage(parent) => Some(parent),
                    _ => None,
                };
                let found = parent.is_some_and(|parent| parent == stage || starts_there[parent]);
                starts_there[other.index] = found;
                found
            })
            .collect()
    }

    /// What the chain of `stage` starts from; none of the stages of this file.
    #[must_use]
    pub fn root(&self, stage: usize) -> Option<&Base> {
        let root = self.stages.get(stage)?.root;
        self.stages.get(root).map(|stage| &stage.base)
    }

    /// The stages whose own FROM names an image of which something is known, with its reference and what that is.
    pub fn on_known_images(&self) -> impl Iterator<Item = (&Stage, &str, &ImageFacts)> {
        self.stages.iter().filter_map(|stage| match &stage.base {
            Base::Image {
                reference,
                facts: Some(facts),
            } => Some((stage, reference.as_str(), facts)),
            _ => None,
        })
    }

    /// What is known about the image that the chain of `stage` starts from.
    #[must_use]
    pub fn base_facts(&self, stage: usize) -> Option<&ImageFacts> {
        match self.root(stage)? {
            Base::Image { facts, .. } => facts.as_ref(),
            _ => None,
        }
    }

    /// The image that the chain of `stage` starts from.
    #[must_use]
    pub fn base_reference(&self, stage: usize) -> Option<ImageRef<'_>> {
        match self.root(stage)? {
            Base::Image { reference, .. } => Some(ImageRef::parse(reference)),
            _ => None,
        }
    }

    /// Whether the user at the instruction at `index` is known to be root.
    #[must_use]
    pub fn is_root(&self, index: usize) -> bool {
        let user = match (&self.state(index).config.user, self.stage_of(index)) {
            (Some(user), _) => Some(user.as_str()),
            (None, Some(stage)) => match self.root(stage.index) {
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
        self.readings[index].script(|| self.parse(index))
    }

    /// The package operations of the RUN at `index`, in the order in which they are written.
    #[must_use]
    pub fn operations(&self, index: usize) -> Vec<PackageOperation<'_>> {
        match self.instruction(index).keyword {
            Keyword::Run => self.readings[index].operations(|| self.parse(index), self.catalog),
            _ => Vec::new(),
        }
    }

    fn parse(&self, index: usize) -> Option<Script> {
        let dialect = self.state(index).shell.dialect()?;
        let text = shell_text(self.dockerfile, self.instruction(index))?;
        shell::parse(&text, dialect).ok()
    }

    /// Indices of the instructions of `stage` with this keyword.
    pub fn of_kind(&self, stage: &Stage, keyword: Keyword) -> impl Iterator<Item = usize> + '_ {
        stage
            .body
            .clone()
            .filter(move |index| self.instruction(*index).keyword == keyword)
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
