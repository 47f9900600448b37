//! Which rewrites are at fault: the plan is built again without some of them, until the smallest set is found that
//! breaks it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Fault;
use crate::pipeline::{Plan, RewriteId};

/// How much may be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Builds, at most.
    pub builds: usize,
    /// All of them together take no longer, but for the last one.
    pub time: Duration,
}

/// What became of a plan that was built.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Blame {
    /// The rewrites that together break the plan: those of one component, or of it the one that the faults point to and
    /// then what cannot be without it.
    pub culprits: Vec<RewriteId>,
    /// What is wrong with them.
    pub faults: Vec<Fault>,
    /// Whether the culprits were shown to be at fault, or the budget was over before.
    pub proved: bool,
    /// The largest plan that was built and passed; none when that changes nothing.
    pub passing: Option<Plan>,
    /// How many builds it took.
    pub builds: usize,
}

/// Finds what is at fault in `plan`, whose build gave `faults`. `replan` plans with only the named rewrites; `judge` builds
/// such a plan and says what is wrong with it.
///
/// # Errors
/// Those of `judge`.
pub fn blame<E>(
    plan: &Plan,
    faults: Vec<Fault>,
    budget: Budget,
    replan: &dyn Fn(&BTreeSet<RewriteId>) -> Plan,
    judge: &mut dyn FnMut(&Plan) -> Result<Judged, E>,
) -> Result<Blame, E> {
    let mut search = Search {
        components: components(plan),
        started: Instant::now(),
        budget,
        builds: 0,
        replan,
        judge,
    };
    let mut found = Blame {
        culprits: Vec::new(),
        faults: faults.clone(),
        proved: true,
        passing: None,
        builds: 0,
    };
    let mut rest: Vec<usize> = by_suspicion(&search.components, &faults);
    let mut current = faults;
    loop {
        let Some(culprits) = search.smallest(&rest, &current)? else {
            found.proved = false;
            break;
        };
        for index in &culprits {
            found
                .culprits
                .extend(search.components[*index].ids.iter().cloned());
        }
        rest.retain(|index| !culprits.contains(index));
        if rest.is_empty() {
            break;
        }
        match search.faults(&rest)? {
            Some((plan, faults)) if faults.is_empty() => {
                // What depended on the culprits went with them.
                let kept: BTreeSet<&RewriteId> =
                    plan.rewrites.iter().map(|rewrite| &rewrite.id).collect();
                for component in rest.iter().map(|index| &search.components[*index]) {
                    let gone = component.ids.iter().filter(|id| !kept.contains(id));
                    found.culprits.extend(gone.cloned());
                }
                found.passing = plan.changes_anything().then_some(plan);
                break;
            }
            // Something else is wrong with the rest.
            Some((_, faults)) => current = faults,
            None => {
                found.proved = false;
                break;
            }
        }
    }
    if found.proved {
        search.narrow(&mut found)?;
    }
    found.builds = search.builds;
    Ok(found)
}

/// Suspects of one component that are tried one by one: builds are dear.
const MOST_SUSPECTS: usize = 2;

/// Rewrites that are applied together.
struct Component {
    ids: Vec<RewriteId>,
}

fn components(plan: &Plan) -> Vec<Component> {
    let mut names: Vec<usize> = plan
        .rewrites
        .iter()
        .map(|rewrite| rewrite.component)
        .collect();
    names.sort_unstable();
    names.dedup();
    let of = |name: usize| Component {
        ids: plan
            .rewrites
            .iter()
            .filter(|rewrite| rewrite.component == name)
            .map(|rewrite| rewrite.id.clone())
            .collect(),
    };
    names.into_iter().map(of).collect()
}

/// The components, those first that such faults are least often due to.
fn by_suspicion(components: &[Component], faults: &[Fault]) -> Vec<usize> {
    let of_component = |index: &usize| {
        let ids = components[*index].ids.iter();
        ids.filter_map(|id| suspicion(id, faults))
            .min()
            .unwrap_or(usize::MAX)
    };
    let mut order: Vec<usize> = (0..components.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(of_component(index)));
    order
}

/// How near a rewrite is to being what such faults are due to, 0 the nearest; none when it is not known for any.
fn suspicion(id: &RewriteId, faults: &[Fault]) -> Option<usize> {
    let ranks = faults.iter().filter_map(|fault| {
        let mut suspects = fault.cause.suspects().iter();
        suspects.position(|rule| *rule == id.rule)
    });
    ranks.min()
}

struct Search<'a, E> {
    components: Vec<Component>,
    started: Instant,
    budget: Budget,
    builds: usize,
    replan: &'a dyn Fn(&BTreeSet<RewriteId>) -> Plan,
    judge: &'a mut dyn FnMut(&Plan) -> Result<Judged, E>,
}

impl<E> Search<'_, E> {
    /// Takes of what is at fault only the rewrite that the faults point to, where all that can be without it holds.
    fn narrow(&mut self, found: &mut Blame) -> Result<(), E> {
        let passing = found.passing.iter().flat_map(|plan| &plan.rewrites);
        let kept: BTreeSet<RewriteId> = passing.map(|rewrite| rewrite.id.clone()).collect();
        let mut suspects: Vec<(usize, RewriteId)> = found
            .culprits
            .iter()
            .filter_map(|id| Some((suspicion(id, &found.faults)?, id.clone())))
            .collect();
        suspects.sort();
        for (_, suspect) in suspects.into_iter().take(MOST_SUSPECTS) {
            let others = found.culprits.iter().filter(|id| **id != suspect);
            let allowed: BTreeSet<RewriteId> = kept.iter().chain(others).cloned().collect();
            let plan = (self.replan)(&allowed);
            if plan.rewrites.len() <= kept.len() {
                continue;
            }
            if self.builds >= self.budget.builds || self.started.elapsed() >= self.budget.time {
                return Ok(());
            }
            self.builds += 1;
            if !(self.judge)(&plan)?.faults.is_empty() {
                continue;
            }
            let holds = |id: &RewriteId| plan.rewrites.iter().any(|rewrite| rewrite.id == *id);
            found.culprits.retain(|id| *id != suspect && !holds(id));
            found.culprits.insert(0, suspect);
            found.passing = Some(plan);
            return Ok(());
        }
        Ok(())
    }

    /// What is wrong with the plan that is made of these components alone; none when the budget is over.
    fn faults(&mut self, indices: &[usize]) -> Result<Option<(Plan, Vec<Fault>)>, E> {
        let allowed: BTreeSet<RewriteId> = indices
            .iter()
            .flat_map(|index| self.components[*index].ids.iter().cloned())
            .collect();
        let plan = (self.replan)(&allowed);
        if !plan.changes_anything() {
            return Ok(Some((plan, Vec::new())));
        }
        if self.builds >= self.budget.builds || self.started.elapsed() >= self.budget.time {
            return Ok(None);
        }
        self.builds += 1;
        let judged = (self.judge)(&plan)?;
        Ok(Some((plan, judged.faults)))
    }

    /// The smallest part of `order`, which fails as a whole, that still fails; none when the budget is over.
    ///
    /// The last component is tried first: it is the likeliest. Otherwise the shortest beginning that fails is searched by
    /// halves; its last component is needed, and so on with what stands before it.
    fn smallest(&mut self, order: &[usize], faults: &[Fault]) -> Result<Option<Vec<usize>>, E> {
        let mut needed: Vec<usize> = Vec::new();
        let mut order: Vec<usize> = order.to_vec();
        if order.len() > 1
            && !faults.is_empty()
            && let Some(likeliest) = order.last().copied()
        {
            match self.faults(&[likeliest])? {
                None => return Ok(None),
                Some((_, faults)) if !faults.is_empty() => return Ok(Some(vec![likeliest])),
                Some(_) => {}
            }
        }
        loop {
            // `fails` components of the beginning, with those that are needed, fail; `passes` of them do not.
            let (mut passes, mut fails) = (0, order.len());
            if !needed.is_empty() {
                match self.faults(&needed)? {
                    None => return Ok(None),
                    Some((_, faults)) if !faults.is_empty() => return Ok(Some(needed)),
                    Some(_) => {}
                }
            }
            while fails - passes > 1 {
                let middle = passes + (fails - passes) / 2;
                let tried: Vec<usize> = order[..middle].iter().chain(&needed).copied().collect();
                match self.faults(&tried)? {
                    None => return Ok(None),
                    Some((_, faults)) if faults.is_empty() => passes = middle,
                    Some(_) => fails = middle,
                }
            }
            let Some(last) = fails.checked_sub(1) else {
                return Ok(Some(needed));
            };
            needed.push(order[last]);
            order.truncate(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cause, Seen};
    use super::*;
    use crate::pipeline::PlannedRewrite;
    use crate::rules::{Estimate, RULES};
    use crate::text::Hunk;

    /// A plan of one rewrite a component, named by its place; one after the other depends on the one before if `chained`.
    fn planned(allowed: &BTreeSet<u32>) -> Plan {
        let rewrite = |at: &u32| PlannedRewrite {
            id: id(*at),
            component: *at as usize,
            rule: RULES[0].meta(),
            lines: (1, 1),
            reason: String::new(),
            saves: Estimate::default(),
            changes: Vec::new(),
            edits: Vec::new(),
            ignore: Vec::new(),
        };
        let rewrites: Vec<PlannedRewrite> = allowed.iter().map(rewrite).collect();
        let hunk = Hunk {
            edit: crate::text::Edit::insert(0, b"x".to_vec()),
            owners: vec![0],
        };
        Plan {
            hunks: rewrites.iter().map(|_| hunk.clone()).collect(),
            rewrites,
            ..Plan::default()
        }
    }

    fn id(at: u32) -> RewriteId {
        RewriteId {
            rule: "rule".to_owned(),
            hash: 0,
            ordinal: at,
        }
    }

    fn fault() -> Fault {
        Fault {
            cause: Cause::Exit,
            message: String::new(),
            remedy: String::new(),
            seen: Seen::Run,
        }
    }

    /// Culprits, whether proved, what passes, builds: of 12 rewrites, where a plan breaks that holds all of one of `sets`.
    fn search(sets: &[&[u32]], builds: usize) -> (Vec<u32>, bool, Vec<u32>, usize) {
        let all: BTreeSet<u32> = (0..12).collect();
        let held = |plan: &Plan| -> BTreeSet<u32> {
            plan.rewrites
                .iter()
                .map(|rewrite| rewrite.id.ordinal)
                .collect()
        };
        let replan =
            |allowed: &BTreeSet<RewriteId>| planned(&allowed.iter().map(|id| id.ordinal).collect());
        let mut judge = |plan: &Plan| {
            let held = held(plan);
            let broken = sets
                .iter()
                .any(|set| set.iter().all(|at| held.contains(at)));
            Ok::<_, ()>(Judged {
                faults: if broken { vec![fault()] } else { Vec::new() },
            })
        };
        let budget = Budget {
            builds,
            time: Duration::from_secs(60),
        };
        let found = blame(&planned(&all), vec![fault()], budget, &replan, &mut judge);
        let found = found.expect("it never fails");
        let mut culprits: Vec<u32> = found.culprits.iter().map(|id| id.ordinal).collect();
        culprits.sort_unstable();
        let passing = found.passing.iter().flat_map(held).collect();
        (culprits, found.proved, passing, found.builds)
    }

    #[test]
    fn one_culprit_is_found_wherever_it_stands() {
        for at in 0..12 {
            let (culprits, proved, passing, builds) = search(&[&[at]], 20);
            assert_eq!((culprits.as_slice(), proved), (&[at][..], true));
            assert_eq!(passing.len(), 11);
            assert!(builds <= 7, "{builds} builds for {at}");
        }
    }

    #[test]
    fn two_that_break_only_together() {
        let (culprits, proved, passing, builds) = search(&[&[2, 9]], 20);
        assert_eq!(
            (culprits.as_slice(), proved, passing.len()),
            (&[2, 9][..], true, 10)
        );
        assert!(builds <= 14, "{builds} builds");
    }

    #[test]
    fn two_that_break_apart() {
        let (culprits, proved, passing, _) = search(&[&[4], &[7]], 30);
        assert_eq!(
            (culprits.as_slice(), proved, passing.len()),
            (&[4, 7][..], true, 10)
        );
    }

    #[test]
    fn of_a_component_the_one_is_named_that_the_faults_point_to() {
        let rules = ["exec-form", "mount-caches", "split-stages"];
        let named = |rule: &str| RewriteId {
            rule: rule.to_owned(),
            hash: 0,
            ordinal: 0,
        };
        let replan = |allowed: &BTreeSet<RewriteId>| {
            let splits = allowed.contains(&named("split-stages"));
            let held = rules.iter().enumerate().filter(|(_, rule)| {
                // Only a stage that builds has a cache mounted.
                allowed.contains(&named(rule)) && (splits || **rule != "mount-caches")
            });
            let mut plan = planned(&held.map(|(at, _)| at as u32).collect());
            for rewrite in &mut plan.rewrites {
                rewrite.id = named(rules[rewrite.id.ordinal as usize]);
                rewrite.component = 0;
            }
            plan
        };
        let library = Fault {
            cause: Cause::Library,
            ..fault()
        };
        let mut judge = |plan: &Plan| {
            let breaks = plan
                .rewrites
                .iter()
                .any(|rewrite| rewrite.id.rule == "split-stages");
            Ok::<_, ()>(Judged {
                faults: if breaks {
                    vec![library.clone()]
                } else {
                    Vec::new()
                },
            })
        };
        let whole = replan(&rules.iter().map(|rule| named(rule)).collect());
        let budget = Budget {
            builds: 8,
            time: Duration::from_secs(60),
        };
        let found = blame(&whole, vec![library.clone()], budget, &replan, &mut judge);
        let found = found.expect("it never fails");
        let culprits: Vec<&str> = found.culprits.iter().map(|id| id.rule.as_str()).collect();
        assert_eq!(culprits, ["split-stages", "mount-caches"]);
        let passing = found.passing.expect("exec-form holds");
        assert_eq!(passing.rewrites.len(), 1);
        assert_eq!(passing.rewrites[0].id.rule, "exec-form");
    }

    #[test]
    fn a_budget_ends_the_search() {
        let (culprits, proved, passing, builds) = search(&[&[4]], 2);
        assert_eq!(
            (culprits.len(), proved, passing.len(), builds),
            (0, false, 0, 2)
        );
    }
}
