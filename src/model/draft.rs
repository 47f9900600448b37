//! Stages and states, worked out from the first instruction to the last.

use std::collections::BTreeMap;

use super::state::{self, State};
use super::{Base, Model, Stage};
use crate::catalog::{Catalog, ImageRef, Variant};
use crate::syntax::{Dockerfile, Instruction, Keyword, Variables, expand, references};

/// What [`Model`] holds besides scripts.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) stages: Vec<Stage>,
    pub(super) states: Vec<State>,
    /// The last stage of each name.
    names: BTreeMap<String, usize>,
}

impl Draft {
    /// Goes over `dockerfile`. Of `earlier`, a model and a number of instructions that it has in common with
    /// `dockerfile` from the first on, what is known of those is taken over.
    pub(super) fn new(
        dockerfile: &Dockerfile,
        catalog: &Catalog,
        targets: &[String],
        earlier: Option<(&Model<'_>, usize)>,
    ) -> Self {
        let globals = state::globals(dockerfile);
        let instructions = dockerfile.instructions();
        let mut draft = Self::default();
        draft.states.reserve_exact(instructions.len());
        let mut current = State::default();
        if let Some((model, common)) = earlier {
            current = draft.take_over(model, common);
        }
        for (index, instruction) in instructions.iter().enumerate().skip(draft.states.len()) {
            if instruction.keyword == Keyword::From {
                draft.end_stage(index, &current);
                current = draft.begin_stage(dockerfile, catalog, index, instruction, &globals);
                draft.states.push(current.clone());
                continue;
            }
            draft.states.push(current.clone());
            if !draft.stages.is_empty() {
                current.apply(dockerfile, index, instruction, &globals);
            }
        }
        draft.end_stage(instructions.len(), &current);
        resolve_feeds(&mut draft.stages, dockerfile, &draft.states);
        mark_targets(&mut draft.stages, targets);
        draft
    }

    /// Takes the first `common` instructions over and gives the state after them.
    fn take_over(&mut self, model: &Model<'_>, common: usize) -> State {
        self.states.extend_from_slice(&model.states[..common]);
        let stages = model.stages.iter().take_while(|stage| stage.from < common);
        for stage in stages {
            self.names
                .extend(stage.name.clone().map(|name| (name, stage.index)));
            self.stages.push(Stage {
                is_target: false,
                ships: false,
                ..stage.clone()
            });
        }
        match self.stages.last() {
            // The instruction after it begins another stage, or there is none: no state is before it in this stage.
            Some(stage) if stage.body.end == common => stage.end.clone(),
            Some(_) => model.states[common].clone(),
            None => State::default(),
        }
    }

    fn end_stage(&mut self, end: usize, state: &State) {
        if let Some(stage) = self.stages.last_mut() {
            stage.body.end = end;
            stage.end = state.clone();
        }
    }

    /// Adds the stage of a FROM and gives the state that it begins with.
    fn begin_stage(
        &mut self,
        dockerfile: &Dockerfile,
        catalog: &Catalog,
        index: usize,
        instruction: &Instruction,
        globals: &Variables,
    ) -> State {
        let (stages, names) = (&self.stages, &self.names);
        let stage = stage(
            dockerfile,
            catalog,
            stages,
            names,
            index,
            instruction,
            globals,
        );
        let state = match &stage.base {
            Base::Scratch => State::of_scratch(),
            Base::Stage(parent) => self.stages[*parent].end.clone().inherited(),
            Base::Image { facts, .. } => State::of_image(facts.as_ref(), stage.windows),
            Base::Unknown => State::of_image(None, stage.windows),
        };
        self.names
            .extend(stage.name.clone().map(|name| (name, stage.index)));
        self.stages.push(stage);
        state
    }
}

/// Reads a FROM.
fn stage(
    dockerfile: &Dockerfile,
    catalog: &Catalog,
    stages: &[Stage],
    names: &BTreeMap<String, usize>,
    index: usize,
    instruction: &Instruction,
    globals: &Variables,
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
        base = if let Some(parent) = names.get(&text.to_lowercase()) {
            windows = stages[*parent].windows;
            Base::Stage(*parent)
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
    let base_stage = match base {
        Base::Stage(parent) => Some(parent),
        _ => None,
    };
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
        root: match base_stage {
            Some(parent) => stages[parent].root,
            None => stages.len(),
        },
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
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (at, stage) in stages.iter_mut().enumerate() {
        let mut feeds = Vec::new();
        for index in stage.body.clone() {
            let instruction = &dockerfile.instructions()[index];
            for name in wanted(dockerfile, instruction, &states[index]) {
                let lower = name.to_lowercase();
                let numbered = || lower.parse::<usize>().ok().filter(|number| *number < at);
                feeds.extend(names.get(&lower).copied().or_else(numbered));
            }
        }
        feeds.sort_unstable();
        feeds.dedup();
        stage.copies_from = feeds;
        if let Some(name) = &stage.name {
            names.insert(name.clone(), at);
        }
    }
}

/// What an instruction names as a stage or image to take files from.
fn wanted(dockerfile: &Dockerfile, instruction: &Instruction, state: &State) -> Vec<String> {
    match instruction.keyword {
        _ if instruction.flags.is_empty() => Vec::new(),
        Keyword::Copy | Keyword::Add => {
            let from = instruction.as_copy().and_then(|copy| copy.from);
            let expanded = from.map(|from| state.expand(from, dockerfile.escape()));
            expanded.into_iter().collect()
        }
        Keyword::Run => {
            let mounts = instruction.mounts().into_iter();
            mounts
                .flat_map(|mount| mount.options)
                .filter(|(key, _)| key == "from")
                .filter_map(|(_, value)| value)
                .collect()
        }
        _ => Vec::new(),
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
