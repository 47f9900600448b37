//! What is to be done about one branch: a pure function of what is wished and what is there.

use super::api::{Pull, PullState};
use super::git::Head;
use super::marker::Memory;

/// What a branch is to hold and its pull request to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which rewrites.
    pub plan: u64,
    /// Which bytes.
    pub result: u64,
    /// A hash of the text of the pull request.
    pub text: u64,
    /// The branch that the pull request goes to.
    pub base: String,
}

/// What is to be done about a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is as it should be.
    Keep {
        /// The pull request.
        pull: u64,
    },
    /// It is left alone, and why.
    Leave {
        /// The pull request, if there is one.
        pull: Option<u64>,
        /// A sentence.
        why: &'static str,
    },
    /// A pull request is opened.
    Open {
        /// Whether the commit is pushed first, over this one where it is known.
        push: Option<Option<String>>,
    },
    /// A pull request is brought up to date.
    Update {
        /// The pull request.
        pull: u64,
        /// Whether the commit is pushed first, over this one where it is known.
        push: Option<Option<String>>,
        /// Whether its text is written again.
        text: bool,
        /// Whether labels, reviewers and assignees are still missing.
        dress: bool,
        /// Whether it goes to another branch now.
        base: bool,
    },
    /// A pull request is closed: nothing is left to do.
    Close {
        /// The pull request.
        pull: u64,
        /// The commit at which its branch is deleted.
        delete: Option<String>,
    },
    /// A branch that was left over is deleted at this commit.
    Delete(String),
}

/// Decides about a branch: what is wished for it, if anything, what stands on it, and its pull requests.
#[must_use]
pub fn decide(wish: Option<&Wish>, head: Option<&Head>, pulls: &[Pull]) -> Decision {
    let open = pulls.iter().find(|pull| pull.state == PullState::Open);
    match (wish, open) {
        (Some(wish), Some(open)) => update(wish, head, open),
        (Some(wish), None) => begin(wish, head, pulls),
        (None, Some(open)) => end(head, open),
        (None, None) => left_over(head, pulls),
    }
}

const SOMEBODY: &str = "somebody else pushed to its branch";

fn update(wish: &Wish, head: Option<&Head>, open: &Pull) -> Decision {
    if let Some(Head::Foreign { .. }) = head {
        return Decision::Leave {
            pull: Some(open.number),
            why: SOMEBODY,
        };
    }
    let push = push(wish, head);
    let memory = Memory::read(&open.body);
    let known = memory.as_ref();
    // Without its memory the text is somebody else's by now; it is written again only with a new result.
    let text = match known {
        Some(memory) => {
            memory.text != hex(wish.text) || memory.plan != hex(wish.plan) || memory.stale
        }
        None => push.is_some(),
    };
    let dress = known.is_some_and(|memory| memory.undressed);
    let base = open.base != wish.base;
    if push.is_none() && !text && !dress && !base {
        return Decision::Keep { pull: open.number };
    }
    Decision::Update {
        pull: open.number,
        push,
        text,
        dress,
        base,
    }
}

fn begin(wish: &Wish, head: Option<&Head>, pulls: &[Pull]) -> Decision {
    for pull in pulls {
        let memory = Memory::read(&pull.body);
        let same = memory.as_ref().is_none_or(|it| it.plan == hex(wish.plan));
        let by_us = memory.is_some_and(|it| it.stale);
        let why = match pull.state {
            PullState::Closed if same && !by_us => "a person closed the pull request for this plan",
            PullState::Merged if same => "this plan was merged before, and taken back since",
            _ => continue,
        };
        return Decision::Leave {
            pull: Some(pull.number),
            why,
        };
    }
    if let Some(Head::Foreign { .. }) = head {
        return Decision::Leave {
            pull: None,
            why: "its branch exists and is somebody else's",
        };
    }
    Decision::Open {
        push: push(wish, head),
    }
}

fn end(head: Option<&Head>, open: &Pull) -> Decision {
    match head {
        Some(Head::Foreign { .. }) => Decision::Leave {
            pull: Some(open.number),
            why: "nothing is left to do, but somebody else pushed to its branch",
        },
        head => Decision::Close {
            pull: open.number,
            delete: head.map(|head| head.commit().to_owned()),
        },
    }
}

/// A run was stopped between closing and deleting, or between pushing and opening.
fn left_over(head: Option<&Head>, pulls: &[Pull]) -> Decision {
    let by_us = |pull: &Pull| Memory::read(&pull.body).is_some_and(|memory| memory.stale);
    match head {
        // The branch of a pull request that a person closed or merged is that person's to delete.
        Some(Head::Ours { commit, .. }) if pulls.first().is_none_or(by_us) => {
            Decision::Delete(commit.clone())
        }
        _ => Decision::Leave {
            pull: None,
            why: "its branch is left to whoever closed the pull request or pushed to it",
        },
    }
}

/// Whether to push, and over which commit.
fn push(wish: &Wish, head: Option<&Head>) -> Option<Option<String>> {
    match head {
        Some(Head::Ours { made, .. }) if made.result == wish.result && made.plan == wish.plan => {
            None
        }
        Some(head) => Some(Some(head.commit().to_owned())),
        None => Some(None),
    }
}

/// As numbers are written into memories.
pub(super) fn hex(number: u64) -> String {
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::marker::Made;

    fn wish() -> Wish {
        Wish {
            plan: 1,
            result: 2,
            text: 3,
            base: "main".to_owned(),
        }
    }

    fn ours(plan: u64, result: u64) -> Head {
        Head::Ours {
            commit: "c0".to_owned(),
            made: Made {
                plan,
                result,
                tree: String::new(),
            },
        }
    }

    fn foreign() -> Head {
        Head::Foreign {
            commit: "f0".to_owned(),
        }
    }

    fn memory(plan: u64, text: u64) -> Memory {
        Memory {
            plan: hex(plan),
            text: hex(text),
            ..Memory::default()
        }
    }

    fn pull(number: u64, state: PullState, memory: Option<Memory>) -> Pull {
        Pull {
            number,
            url: String::new(),
            branch: "docker-diet/lean".to_owned(),
            base: "main".to_owned(),
            state,
            body: memory.map_or_else(String::new, |memory| memory.below("text")),
        }
    }

    #[test]
    fn what_is_done_is_kept() {
        let open = pull(7, PullState::Open, Some(memory(1, 3)));
        let decision = decide(Some(&wish()), Some(&ours(1, 2)), &[open]);
        assert_eq!(decision, Decision::Keep { pull: 7 });
    }

    #[test]
    fn a_new_result_is_pushed_over_the_known_commit() {
        let open = pull(7, PullState::Open, Some(memory(1, 9)));
        let decision = decide(Some(&wish()), Some(&ours(1, 9)), &[open]);
        let expected = Decision::Update {
            pull: 7,
            push: Some(Some("c0".to_owned())),
            text: true,
            dress: false,
            base: false,
        };
        assert_eq!(decision, expected);
    }

    #[test]
    fn a_text_without_memory_is_a_persons_until_the_result_changes() {
        let open = pull(7, PullState::Open, None);
        let decision = decide(
            Some(&wish()),
            Some(&ours(1, 2)),
            std::slice::from_ref(&open),
        );
        assert_eq!(decision, Decision::Keep { pull: 7 });
        let decision = decide(Some(&wish()), Some(&ours(1, 9)), &[open]);
        assert!(matches!(decision, Decision::Update { text: true, .. }));
    }

    #[test]
    fn a_branch_to_which_somebody_pushed_is_left() {
        let open = pull(7, PullState::Open, Some(memory(1, 9)));
        for wish in [Some(wish()), None] {
            let decision = decide(wish.as_ref(), Some(&foreign()), std::slice::from_ref(&open));
            assert!(matches!(decision, Decision::Leave { pull: Some(7), .. }));
        }
        let decision = decide(Some(&wish()), Some(&foreign()), &[]);
        assert!(matches!(decision, Decision::Leave { pull: None, .. }));
        let decision = decide(None, Some(&foreign()), &[]);
        assert!(matches!(decision, Decision::Leave { pull: None, .. }));
    }

    #[test]
    fn what_a_person_closed_comes_again_only_with_another_plan() {
        let closed = |plan| pull(5, PullState::Closed, Some(memory(plan, 3)));
        let newer = pull(6, PullState::Closed, Some(memory(8, 3)));
        let wish = wish();
        for (pulls, left) in [
            (vec![closed(1)], true),
            (vec![newer.clone(), closed(1)], true),
            (vec![closed(4)], false),
            (vec![pull(5, PullState::Closed, None)], true),
            (vec![pull(5, PullState::Merged, Some(memory(1, 3)))], true),
            (vec![pull(5, PullState::Merged, Some(memory(4, 3)))], false),
            (vec![], false),
        ] {
            let decision = decide(Some(&wish), None, &pulls);
            assert_eq!(
                matches!(decision, Decision::Leave { .. }),
                left,
                "{pulls:?}"
            );
            let opened = decision == Decision::Open { push: Some(None) };
            assert_eq!(opened, !left, "{pulls:?}");
        }
    }

    #[test]
    fn what_the_bot_closed_may_come_again() {
        let stale = Memory {
            stale: true,
            ..memory(1, 3)
        };
        let pulls = [pull(5, PullState::Closed, Some(stale))];
        let decision = decide(Some(&wish()), None, &pulls);
        assert_eq!(decision, Decision::Open { push: Some(None) });
        let decision = decide(None, Some(&ours(1, 2)), &pulls);
        assert_eq!(decision, Decision::Delete("c0".to_owned()));
    }

    #[test]
    fn a_stopped_run_is_finished() {
        let decision = decide(Some(&wish()), Some(&ours(1, 2)), &[]);
        assert_eq!(
            decision,
            Decision::Open { push: None },
            "pushed, not opened"
        );
        let undressed = Memory {
            undressed: true,
            ..memory(1, 3)
        };
        let open = pull(7, PullState::Open, Some(undressed));
        let decision = decide(Some(&wish()), Some(&ours(1, 2)), &[open]);
        assert!(matches!(
            decision,
            Decision::Update {
                push: None,
                text: false,
                dress: true,
                ..
            }
        ));
        let decision = decide(None, Some(&ours(1, 2)), &[]);
        assert_eq!(decision, Decision::Delete("c0".to_owned()));
    }

    #[test]
    fn a_stale_one_is_closed_and_its_branch_deleted() {
        let open = pull(7, PullState::Open, Some(memory(1, 3)));
        let decision = decide(None, Some(&ours(1, 2)), &[open]);
        let delete = Some("c0".to_owned());
        assert_eq!(decision, Decision::Close { pull: 7, delete });
    }

    #[test]
    fn the_branch_of_a_closed_one_is_its_closers() {
        for state in [PullState::Closed, PullState::Merged] {
            let pulls = [pull(7, state, Some(memory(1, 3)))];
            let decision = decide(None, Some(&ours(1, 2)), &pulls);
            assert!(matches!(decision, Decision::Leave { .. }));
        }
    }

    #[test]
    fn another_base_moves_the_pull_request() {
        let mut open = pull(7, PullState::Open, Some(memory(1, 3)));
        open.base = "master".to_owned();
        let decision = decide(Some(&wish()), Some(&ours(1, 2)), &[open]);
        assert!(matches!(
            decision,
            Decision::Update {
                base: true,
                push: None,
                ..
            }
        ));
    }
}
