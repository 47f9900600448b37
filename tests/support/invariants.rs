//! What must hold for every plan, whatever the rules: used by the fixtures and by the survey of a folder.

use std::collections::{BTreeMap, BTreeSet};

use docker_diet::catalog::Catalog;
use docker_diet::context::Context;
use docker_diet::model::Model;
use docker_diet::pipeline::{Contract, Plan, plan};
use docker_diet::rules::{Change, Level, Settings};
use docker_diet::syntax::{Dockerfile, ItemKind};
use docker_diet::text::{Edit, apply};

/// The invariants that `plan`, made from `source`, does not keep; one sentence each.
pub(crate) fn violations(
    source: &[u8],
    made: &Plan,
    context: Option<&Context>,
    catalog: &Catalog,
    settings: &Settings,
) -> Vec<String> {
    let mut found = Vec::new();
    let before = Dockerfile::parse(source.to_vec());
    let after = Dockerfile::parse(made.result.clone());
    for (name, tree) in [("the original", &before), ("the result", &after)] {
        let joined: Vec<u8> = tree
            .items()
            .iter()
            .flat_map(|item| tree.bytes(item.span))
            .copied()
            .collect();
        if joined != tree.source() {
            found.push(format!("the items of {name} are not its bytes"));
        }
    }
    if before.refused().is_none() && after.refused().is_some() {
        found.push(format!("the result is refused: {:?}", after.refused()));
        return found;
    }
    if before.refused().is_some() && made.result != source {
        found.push("a file that BuildKit refuses was changed".to_owned());
    }
    let edits: Vec<Edit> = made.hunks.iter().map(|hunk| hunk.edit.clone()).collect();
    if apply(source, &edits).as_deref() != Ok(&made.result[..]) {
        found.push("the hunks do not give the result".to_owned());
    }
    if made.result != source && before.refused().is_none() {
        let again = plan(&made.result, context, catalog, settings, None);
        if again.result != made.result {
            let rules: Vec<&str> = again
                .rewrites
                .iter()
                .map(|rewrite| rewrite.rule.name)
                .collect();
            found.push(format!("a second run changes the result: {rules:?}"));
        }
        let ids: BTreeSet<_> = made
            .rewrites
            .iter()
            .map(|rewrite| rewrite.id.clone())
            .collect();
        if ids.len() != made.rewrites.len() {
            found.push("two rewrites have one name".to_owned());
        }
        if plan(source, context, catalog, settings, Some(&ids)).result != made.result {
            found.push("allowing all rewrites by name gives another result".to_owned());
        }
        let declared: Vec<Change> = made
            .rewrites
            .iter()
            .flat_map(|rewrite| rewrite.changes.iter().copied())
            .collect();
        let contract =
            |tree: &Dockerfile| Contract::of(&Model::new(tree, catalog, &settings.targets()));
        if let Some(violation) = contract(&before).violation(&contract(&after), &declared) {
            found.push(violation.to_string());
        }
        if made
            .rewrites
            .iter()
            .all(|rewrite| rewrite.rule.level == Level::Safe)
        {
            let (old, new) = (comments(&before), comments(&after));
            for (comment, count) in old {
                if new.get(&comment).copied().unwrap_or(0) < count {
                    found.push(format!("comment lost: {comment}"));
                }
            }
        }
    }
    found
}

/// Comments outside and inside of instructions, white space folded, and how often each occurs.
fn comments(tree: &Dockerfile) -> BTreeMap<String, usize> {
    let mut comments = BTreeMap::new();
    let outside = tree
        .items()
        .iter()
        .filter(|item| item.kind == ItemKind::Comment)
        .map(|item| item.span);
    let inside = tree
        .instructions()
        .iter()
        .flat_map(|instruction| instruction.comments.iter().copied());
    for span in outside.chain(inside) {
        let text = String::from_utf8_lossy(tree.bytes(span));
        let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
        *comments.entry(folded).or_default() += 1;
    }
    comments
}
