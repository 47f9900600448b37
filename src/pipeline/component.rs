//! Components of a plan: what is applied together.

use crate::text::{Edit, Span};

use super::{IgnoreFile, Plan};

/// Rewrites that change the same places, and all that they change. Components share no byte: any set of them can be
/// applied, and all of them give the plan's result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// Indices into [`Plan::rewrites`], ascending; the first one stands for all.
    pub rewrites: Vec<usize>,
    /// Edits of the original Dockerfile, in order.
    pub edits: Vec<Edit>,
    /// The lines that it puts into the ignore file: an edit of the file as it is, an empty one where there is none.
    /// Components insert at the same place, in their order.
    pub ignore: Option<Edit>,
}

impl Plan {
    /// The components, by their first rewrite.
    #[must_use]
    pub fn components(&self) -> Vec<Component> {
        let mut components: Vec<Component> = Vec::new();
        let mut place = vec![usize::MAX; self.rewrites.len()];
        for (index, rewrite) in self.rewrites.iter().enumerate() {
            if rewrite.component == index {
                place[index] = components.len();
                components.push(Component::default());
            } else {
                place[index] = place[rewrite.component];
            }
            components[place[index]].rewrites.push(index);
        }
        for hunk in &self.hunks {
            if let Some(owner) = hunk.owners.first() {
                components[place[*owner]].edits.push(hunk.edit.clone());
            }
        }
        if let Some(file) = &self.ignore_file {
            self.share_out(file, &place, &mut components);
        }
        components
    }

    /// Gives every line of the ignore file to the component that asked for it. What another Dockerfile of the context
    /// asked for stands last, and goes with the last component that asked for something.
    fn share_out(&self, file: &IgnoreFile, place: &[usize], components: &mut [Component]) {
        let asks = |pattern: &str| {
            let asks = |index: &usize| {
                let lines = &self.rewrites[*index].ignore;
                lines.iter().any(|line| line.pattern == pattern)
            };
            (0..self.rewrites.len()).find(asks).map(|at| place[at])
        };
        let last = file.added.iter().filter_map(|line| asks(&line.pattern));
        let Some(last) = last.max() else {
            return;
        };
        let inserted = insertion(file);
        let starts_line = inserted
            .text
            .first()
            .is_some_and(|byte| !is_line_end(*byte));
        let lines: Vec<&[u8]> = inserted
            .text
            .split_inclusive(|byte| *byte == b'\n')
            .collect();
        if !starts_line || lines.len() != file.added.len() {
            // The first line ends the one before it, which nobody can do twice.
            components[last].ignore = Some(inserted);
            return;
        }
        for (line, text) in file.added.iter().zip(lines) {
            let owner = asks(&line.pattern).unwrap_or(last);
            let edit = components[owner]
                .ignore
                .get_or_insert_with(|| Edit::insert(inserted.span.start, Vec::new()));
            edit.text.extend_from_slice(text);
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// What is put into the ignore file: whole lines at the beginning of a line, or at the end of the file.
fn insertion(file: &IgnoreFile) -> Edit {
    let before = file.before.as_deref().unwrap_or_default();
    let after = &file.after;
    let added = after.len().saturating_sub(before.len());
    let same = |(old, new): &(&u8, &u8)| old == new;
    let common = before.iter().zip(after).take_while(same).count();
    let starts_line = |at: usize| at == before.len() || at == 0 || before[at - 1] == b'\n';
    let inserts = |at: usize| after.get(at + added..) == Some(&before[at..]);
    let at = (0..=common)
        .rev()
        .find(|at| starts_line(*at) && inserts(*at));
    match at.or_else(|| (0..=common).rev().find(|at| inserts(*at))) {
        Some(at) => Edit::insert(at, &after[at..at + added]),
        None => Edit::replace(Span::new(0, before.len()), after.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::context::{Context, Dockerignore};
    use crate::rules::Settings;
    use crate::text::apply;

    const NODE: &[u8] = b"FROM node:22\nWORKDIR /a\nCOPY . .\nRUN npm install\nCMD npm start\n";

    fn plan(ignore: Option<&str>) -> Plan {
        let context = Context::in_memory([
            ("Dockerfile", "x"),
            ("package.json", "{\"scripts\": {\"start\": \"node a.js\"}}"),
            (
                "package-lock.json",
                "{\"lockfileVersion\": 3, \"packages\": {}}",
            ),
            ("a.js", "console.log(1)"),
            ("node_modules/x/index.js", "x"),
        ]);
        let context = match ignore {
            Some(text) => {
                let ignore = Dockerignore::parse(text.as_bytes()).expect("valid");
                context.with_ignore(ignore.at(".dockerignore"))
            }
            None => context,
        };
        let (catalog, settings) = (Catalog::default(), Settings::default());
        crate::pipeline::plan(NODE, Some(&context), &catalog, &settings, None)
    }

    fn all(plan: &Plan) -> (Vec<Edit>, Vec<Edit>) {
        let components = plan.components();
        let edits = components.iter().flat_map(|it| it.edits.clone()).collect();
        let ignore = components.iter().filter_map(|it| it.ignore.clone());
        (edits, ignore.collect())
    }

    #[test]
    fn all_components_give_the_result() {
        for ignore in [
            None,
            Some("*.md\n!a.md\n"),
            Some("*.md"),
            Some("\u{feff}!x\r\n"),
            Some(""),
        ] {
            let plan = plan(ignore);
            let (edits, lines) = all(&plan);
            assert_eq!(apply(NODE, &edits).expect("apart"), plan.result);
            let file = plan
                .ignore_file
                .as_ref()
                .expect("there is something to ignore");
            let before = ignore.unwrap_or_default().as_bytes();
            assert_eq!(
                apply(before, &lines).expect("apart"),
                file.after,
                "{ignore:?}"
            );
        }
    }

    #[test]
    fn lines_go_with_the_rewrites_that_ask_for_them() {
        let plan = plan(None);
        let mut said = Vec::new();
        for component in plan.components() {
            if let Some(lines) = component.ignore {
                let rules = component
                    .rewrites
                    .iter()
                    .map(|at| plan.rewrites[*at].rule.name);
                let text = String::from_utf8_lossy(&lines.text).into_owned();
                said.push((rules.collect::<Vec<_>>().join(" "), text));
            }
        }
        assert!(said.len() >= 2, "{said:?}");
        let (copies, lines) = &said[0];
        assert!(copies.contains("copy-manifests-first"), "{said:?}");
        assert_eq!(lines, "**/node_modules\n");
    }
}
