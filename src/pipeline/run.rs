//! One rule after the other, each on the text that the earlier ones left.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::context::Context;
use crate::model::{Meaning, Model};
use crate::rules::{Change, Ctx, IgnoreLine, Pragmas, Proposal, RULES, Rewrite, Rule, Settings};
use crate::syntax::Dockerfile;
use crate::text::{Composition, Edit, LineIndex, Span};

use super::contract;
use super::identity::instruction_hash;
use super::ignore_file;
use super::{Plan, PlannedFinding, PlannedRefusal, PlannedRewrite, RewriteId};

/// What docker-diet would make of a Dockerfile. Pure: equal arguments give equal plans.
///
/// `allow` restricts the rewrites to those named; everything else is left as it is.
#[must_use]
pub fn plan(
    source: &[u8],
    context: Option<&Context>,
    catalog: &Catalog,
    settings: &Settings,
    allow: Option<&BTreeSet<RewriteId>>,
) -> Plan {
    let original = Dockerfile::parse(source.to_vec());
    if let Some(diagnostic) = original.refused() {
        return Plan {
            result: source.to_vec(),
            refused: Some(diagnostic.message.clone()),
            ..Plan::default()
        };
    }
    if let Some(note) = beyond_bounds(&original) {
        return Plan {
            result: source.to_vec(),
            notes: vec![note],
            ..Plan::default()
        };
    }
    let pragmas = Pragmas::read(&original);
    if pragmas.skip_file() {
        return Plan {
            result: source.to_vec(),
            notes: vec!["skipped by `docker-diet: skip-file`".to_owned()],
            ..Plan::default()
        };
    }
    let targets = settings.targets();
    let mut current = original.clone();
    let mut meaning = Model::new(&current, catalog, &targets).into_meaning();
    let mut run = Run::new(
        &original, context, catalog, settings, &targets, allow, &pragmas,
    );
    let mut rules = RULES.iter().filter(|rule| is_on(settings, **rule));
    // What the text means is worked out once for all rules up to the one that changes it.
    while let Some(next) = run.until_change(&mut rules, &current, meaning) {
        (current, meaning) = next;
    }
    run.finish(&current)
}

/// Whether the settings let `rule` speak.
fn is_on(settings: &Settings, rule: &dyn Rule) -> bool {
    let meta = rule.meta();
    settings
        .rules
        .get(meta.name)
        .copied()
        .unwrap_or(meta.level <= settings.level)
}

/// Most instructions of a file that is looked at: no person wrote it.
const MOST_INSTRUCTIONS: usize = 100_000;

/// Why a file is too large to be looked at, if it is. Of 19,167 real files none is.
fn beyond_bounds(dockerfile: &Dockerfile) -> Option<String> {
    (dockerfile.instructions().len() > MOST_INSTRUCTIONS)
        .then(|| format!("left alone: it has more than {MOST_INSTRUCTIONS} instructions"))
}

struct Run<'a> {
    original: &'a Dockerfile,
    index: LineIndex,
    context: Option<&'a Context>,
    catalog: &'a Catalog,
    settings: &'a Settings,
    targets: &'a [String],
    allow: Option<&'a BTreeSet<RewriteId>>,
    pragmas: &'a Pragmas,
    composition: Composition,
    ordinals: BTreeMap<(&'static str, u64), u32>,
    plan: Plan,
    ignore: Vec<IgnoreLine>,
}

/// A rewrite that passed the pragmas and the allow-list.
struct Candidate {
    id: RewriteId,
    lines: (usize, usize),
    rewrite: Rewrite,
}

/// Candidates that break the contract, or the file.
struct Withdrawn;

impl<'a> Run<'a> {
    fn new(
        original: &'a Dockerfile,
        context: Option<&'a Context>,
        catalog: &'a Catalog,
        settings: &'a Settings,
        targets: &'a [String],
        allow: Option<&'a BTreeSet<RewriteId>>,
        pragmas: &'a Pragmas,
    ) -> Self {
        Self {
            original,
            index: LineIndex::new(original.source()),
            context,
            catalog,
            settings,
            targets,
            allow,
            pragmas,
            composition: Composition::new(original.source().len()),
            ordinals: BTreeMap::new(),
            plan: Plan::default(),
            ignore: Vec::new(),
        }
    }

    /// Lets one rule after the other look at the current text, until one of them changes it: gives the changed text.
    fn until_change<'r>(
        &mut self,
        rules: &mut impl Iterator<Item = &'r &'static dyn Rule>,
        current: &Dockerfile,
        meaning: Meaning,
    ) -> Option<(Dockerfile, Meaning)> {
        let model = meaning.of(current, self.catalog);
        rules.find_map(|rule| self.step(*rule, &model))
    }

    /// Lets one rule look at the current text and applies what it proposes: gives the text that it changed.
    fn step(&mut self, rule: &dyn Rule, model: &Model<'_>) -> Option<(Dockerfile, Meaning)> {
        let current = model.dockerfile;
        let ignore = std::mem::take(&mut self.ignore);
        let proposals = rule.propose(&Ctx {
            dockerfile: current,
            model,
            context: self.context,
            catalog: self.catalog,
            settings: self.settings,
            pending_ignore: &ignore,
        });
        self.ignore = ignore;
        if proposals.is_empty() {
            return None;
        }
        let mut candidates = Vec::new();
        for proposal in proposals {
            let anchor = match &proposal {
                Proposal::Rewrite(rewrite) => rewrite.anchor,
                Proposal::Refusal(refusal) => refusal.anchor,
                Proposal::Finding(finding) => finding.anchor,
            };
            let lines = self.original_lines(current, anchor);
            let ignored = current
                .instructions()
                .get(anchor)
                .and_then(|instruction| self.original_anchor(instruction.span))
                .is_some_and(|index| self.pragmas.ignores(index, rule.meta()));
            if ignored {
                continue;
            }
            match proposal {
                Proposal::Rewrite(rewrite) => {
                    let id = self.name(rule, current, anchor);
                    if self.allow.is_none_or(|allow| allow.contains(&id)) {
                        candidates.push(Candidate { id, lines, rewrite });
                    }
                }
                Proposal::Refusal(refusal) => self.plan.refusals.push(PlannedRefusal {
                    rule: rule.meta(),
                    lines,
                    reason: refusal.reason,
                    remedy: refusal.remedy,
                }),
                Proposal::Finding(finding) => self.plan.findings.push(PlannedFinding {
                    rule: rule.meta(),
                    lines,
                    message: finding.message,
                    remedy: finding.remedy,
                }),
            }
        }
        let candidates = self.without_conflicts(rule, candidates);
        if candidates.is_empty() {
            return None;
        }
        if let Ok(next) = self.try_apply(rule, model, &candidates) {
            return next;
        }
        // One of them is at fault: each is tried on its own, up to the one that moves the text.
        for candidate in candidates {
            let single = [candidate];
            match self.try_apply(rule, model, &single) {
                Ok(None) => {}
                Ok(changed) => return changed,
                Err(Withdrawn) => self.plan.notes.push(format!(
                    "{} at line {} was withdrawn: its result did not pass the contract check",
                    rule.meta().name,
                    single[0].lines.0
                )),
            }
        }
        None
    }

    /// The first of two candidates that touch the same bytes wins; the second is reported.
    fn without_conflicts(&mut self, rule: &dyn Rule, candidates: Vec<Candidate>) -> Vec<Candidate> {
        // They do not overlap, so that the last one before the end of another tells whether that one is free.
        let mut taken: BTreeSet<Span> = BTreeSet::new();
        let mut kept = Vec::new();
        for candidate in candidates {
            let clash = candidate.rewrite.edits.iter().any(|edit| {
                let before = taken.range(..Span::at(edit.span.end)).next_back();
                before.is_some_and(|span| span.overlaps(edit.span))
                    || edit.span.is_empty() && taken.contains(&edit.span)
            });
            if clash {
                self.plan.refusals.push(PlannedRefusal {
                    rule: rule.meta(),
                    lines: candidate.lines,
                    reason: "another rewrite of this rule changes the same text".to_owned(),
                    remedy: "run docker-diet again after this change".to_owned(),
                });
                continue;
            }
            taken.extend(candidate.rewrite.edits.iter().map(|edit| edit.span));
            kept.push(candidate);
        }
        kept
    }

    /// Applies the candidates when the result parses and keeps the contract but for what they declare: gives the
    /// text that they changed, if they change it.
    fn try_apply(
        &mut self,
        rule: &dyn Rule,
        model: &Model<'_>,
        candidates: &[Candidate],
    ) -> Result<Option<(Dockerfile, Meaning)>, Withdrawn> {
        let first = self.plan.rewrites.len();
        let mut composition = self.composition.clone();
        let edits: Vec<(usize, &Edit)> = candidates
            .iter()
            .enumerate()
            .flat_map(|(at, candidate)| {
                candidate
                    .rewrite
                    .edits
                    .iter()
                    .map(move |edit| (first + at, edit))
            })
            .collect();
        let mut changed = None;
        if !edits.is_empty() {
            composition.apply(edits).map_err(|_| Withdrawn)?;
            let next = Dockerfile::parse(composition.render(self.original.source()));
            if next.refused().is_some() {
                return Err(Withdrawn);
            }
            let declared: Vec<Change> = candidates
                .iter()
                .flat_map(|candidate| candidate.rewrite.changes.iter().copied())
                .collect();
            let after = model.of_edited(&next, self.targets);
            if contract::violation(model, &after, &declared).is_some() {
                return Err(Withdrawn);
            }
            let meaning = after.into_meaning();
            self.composition = composition;
            // Of bytes that are the same there is nothing new to say.
            if next.source() != model.dockerfile.source() {
                changed = Some((next, meaning));
            }
        }
        for candidate in candidates {
            for line in &candidate.rewrite.ignore {
                if !self
                    .ignore
                    .iter()
                    .any(|known| known.pattern == line.pattern)
                {
                    self.ignore.push(line.clone());
                }
            }
            self.plan.rewrites.push(PlannedRewrite {
                id: candidate.id.clone(),
                component: 0,
                rule: rule.meta(),
                lines: candidate.lines,
                reason: candidate.rewrite.reason.clone(),
                saves: candidate.rewrite.saves,
                changes: candidate.rewrite.changes.clone(),
                edits: Vec::new(),
                ignore: candidate.rewrite.ignore.clone(),
            });
        }
        Ok(changed)
    }

    /// The lines of the original from which the instruction at `anchor` of the current text comes.
    fn original_lines(&self, current: &Dockerfile, anchor: usize) -> (usize, usize) {
        let Some(instruction) = current.instructions().get(anchor) else {
            return (1, 1);
        };
        match self.original_anchor(instruction.span) {
            Some(at) => self.original.instructions()[at].lines,
            None => {
                let start = instruction.span.start;
                let before = self.composition.last_original_offset(start).unwrap_or(0);
                let line = self.index.line(before);
                (line, line)
            }
        }
    }

    /// The original instruction from which the text of `span` of the current text comes.
    fn original_anchor(&self, span: Span) -> Option<usize> {
        let offset = self.composition.first_original_offset(span)?;
        let instructions = self.original.instructions();
        let after = instructions.partition_point(|instruction| instruction.span.start <= offset);
        let at = after.checked_sub(1)?;
        (offset < instructions[at].span.end).then_some(at)
    }

    fn name(&mut self, rule: &dyn Rule, current: &Dockerfile, anchor: usize) -> RewriteId {
        let name = rule.meta().name;
        let hash = current.instructions().get(anchor).map_or(0, |instruction| {
            match self.original_anchor(instruction.span) {
                Some(at) => instruction_hash(self.original, &self.original.instructions()[at]),
                None => instruction_hash(current, instruction),
            }
        });
        let ordinal = self.ordinals.entry((name, hash)).or_insert(0);
        let id = RewriteId {
            rule: name.to_owned(),
            hash,
            ordinal: *ordinal,
        };
        *ordinal += 1;
        id
    }

    fn finish(mut self, current: &Dockerfile) -> Plan {
        self.plan.result = current.source().to_vec();
        self.plan.hunks = self.composition.hunks(self.original.source().len());
        let mut components = Components::new(self.plan.rewrites.len());
        for hunk in &self.plan.hunks {
            for owner in &hunk.owners {
                components.join(hunk.owners[0], *owner);
                self.plan.rewrites[*owner].edits.push(hunk.edit.clone());
            }
        }
        for (at, rewrite) in self.plan.rewrites.iter_mut().enumerate() {
            rewrite.component = components.find(at);
        }
        if let Some(context) = self.context {
            // Lines of one component stand together, so that its fix inserts them at once.
            let rewrites = &self.plan.rewrites;
            self.ignore.sort_by_key(|line| {
                let owner = rewrites
                    .iter()
                    .find(|rewrite| rewrite.ignore.contains(line));
                owner.map(|rewrite| rewrite.component)
            });
            self.plan.ignore_file = ignore_file::extend(context, &self.ignore);
        }
        self.plan
    }
}

/// Disjoint sets of rewrites.
struct Components(Vec<usize>);

impl Components {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    /// The smallest member of the set of `at`.
    fn find(&self, mut at: usize) -> usize {
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}
