//! Names of rules, and what a misspelt one was meant to be.

use crate::rules::{RULES, RuleMeta};

/// No rule has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rewrite is called `{name}`; {instead}")]
pub(super) struct UnknownRule {
    name: String,
    instead: String,
}

/// The rule called `name`.
pub(super) fn rule(name: &str) -> Result<&'static RuleMeta, UnknownRule> {
    let mut known = RULES.iter().map(|rule| rule.meta());
    known.find(|meta| meta.name == name).ok_or_else(|| {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.meta().name).collect();
        UnknownRule {
            name: name.to_owned(),
            instead: match nearest(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`docker-diet explain` lists them".to_owned(),
            },
        }
    })
}

/// What to write instead of `wrong`: the nearest of `known`, or all of them.
pub(super) fn instead(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            match names.split_last() {
                Some((last, [])) => format!("write {last}"),
                Some((last, rest)) => format!("write {} or {last}", rest.join(", ")),
                None => "nothing can stand here".to_owned(),
            }
        }
    }
}

/// The name that differs least, if it differs by less than about a third.
fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (distance(wrong, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(wrong.len()).div_ceil(3))
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements of characters that make `right` of `left`.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_changes() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("merge-run", "merge-runs"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_nearest_name_is_proposed_and_otherwise_all() {
        let known = ["level", "rules"];
        assert_eq!(instead("levle", &known), "did you mean `level`?");
        assert_eq!(instead("banana", &known), "write `level` or `rules`");
    }

    #[test]
    fn an_unknown_rule_says_where_the_names_are() {
        let error = rule("no-such-thing-at-all").expect_err("there is none");
        assert_eq!(
            error.to_string(),
            "no rewrite is called `no-such-thing-at-all`; `docker-diet explain` lists them"
        );
    }
}
