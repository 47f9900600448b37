//! `write-dockerignore`: which lines, and why not the others. What a build asks for is in the files beside this.

mod needs;
mod secrets;

use std::collections::HashMap;

use crate::catalog::{IgnoreKind, IgnorePattern};
use crate::context::{Context, Dockerignore, Entry};
use crate::rules::context_use::ContextUse;
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, Estimate, Finding, IgnoreLine, Proposal, Rewrite, Rule, RuleMeta};

declare_rule! {
    /// Leaves out of the build context what no build reads.
    ///
    /// ## Why
    /// `COPY . .` brings everything along that lies in the folder: history, packages built for another system, caches,
    /// keys. They make the image larger, and each change of them copies everything anew.
    ///
    /// ## Example
    /// With a context that holds a `node_modules` folder
    /// ```js node_modules/left-pad/index.js
    /// module.exports = 1
    /// ```
    /// ```json package.json
    /// {"dependencies": {"left-pad": "1.3.0"}}
    /// ```
    /// ```dockerfile
    /// FROM node:22
    /// COPY . .
    /// RUN npm install
    /// ```
    /// the Dockerfile stays
    /// ```dockerfile
    /// FROM node:22
    /// COPY . .
    /// RUN npm install
    /// ```
    /// and `.dockerignore` gets the line `**/node_modules`.
    ///
    /// ## When not
    /// A Dockerfile of this context copies it by name; nothing in the build makes it anew; a build step asks for `.git`;
    /// a program may load the `.env`: that is reported as a secret in the image.
    pub(crate) WriteDockerignore { name: "write-dockerignore", level: Standard, hadolint: [] }
}

impl Rule for WriteDockerignore {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let Some(context) = ctx.context else {
            return Vec::new();
        };
        let uses = ContextUse::of(ctx);
        let Some(first) = uses.files[0].sources.first() else {
            return Vec::new();
        };
        let anchor = first.instruction;
        let mut proposals = hidden_sources(&uses, context);
        let found = Found::new(ctx, context, &uses);
        let mut lines = found.lines();
        proposals.extend(secrets::report(ctx, &found, &mut lines));
        lines.retain(|line| {
            let pending = ctx
                .pending_ignore
                .iter()
                .any(|known| known.pattern == line.pattern);
            !pending && !context.ignore().covers(&line.pattern)
        });
        if lines.is_empty() {
            return proposals;
        }
        let patterns: Vec<&str> = lines.iter().map(|line| line.pattern.as_str()).collect();
        let Ok(Some(after)) = context.ignore().extended(&patterns) else {
            return proposals;
        };
        let (_, before) = context.size_visible();
        let (_, left) = context.size_with(&after.ignore);
        proposals.push(Proposal::Rewrite(Rewrite {
            anchor,
            reason: format!("{} leaves out what no build reads", context.ignore().path()),
            saves: Estimate {
                context: before.saturating_sub(left),
                ..Estimate::default()
            },
            ignore: lines,
            ..Rewrite::default()
        }));
        proposals
    }
}

/// Sources of COPY, and lock files in what it copies, that a line of `.dockerignore` hides.
fn hidden_sources(uses: &ContextUse, context: &Context) -> Vec<Proposal> {
    let mut found = Vec::new();
    for source in &uses.files[0].sources {
        let mut report = |path: &str, what: &str| {
            let Some(line) = context.ignore().ignoring_pattern(path) else {
                return;
            };
            found.push(Proposal::Finding(Finding {
                anchor: source.instruction,
                message: format!(
                    "line {} of {} (`{}`) hides `{path}`, {what}",
                    line.number,
                    context.ignore().path(),
                    line.pattern
                ),
                remedy: format!("take the line out, or add `!{path}` after it"),
            }));
        };
        if context.exists(&source.path) && !context.has(&source.path) {
            report(
                &source.path,
                "which this instruction copies: the build fails",
            );
            continue;
        }
        if !context.is_folder(&source.path) {
            continue;
        }
        for (manifest, lock) in LOCKS {
            let [manifest, lock] = [manifest, lock].map(|name| match source.path.as_str() {
                "" => (*name).to_owned(),
                folder => format!("{folder}/{name}"),
            });
            if context.has(&manifest) && context.exists(&lock) && !context.has(&lock) {
                report(&lock, "without which the install takes what is newest");
            }
        }
    }
    found
}

/// Manifests and the lock files beside them.
const LOCKS: &[(&str, &str)] = &[
    ("package.json", "package-lock.json"),
    ("package.json", "npm-shrinkwrap.json"),
    ("package.json", "yarn.lock"),
    ("package.json", "pnpm-lock.yaml"),
    ("package.json", "bun.lock"),
    ("pyproject.toml", "poetry.lock"),
    ("pyproject.toml", "uv.lock"),
    ("pyproject.toml", "pdm.lock"),
    ("Pipfile", "Pipfile.lock"),
    ("Cargo.toml", "Cargo.lock"),
    ("go.mod", "go.sum"),
    ("Gemfile", "Gemfile.lock"),
    ("composer.json", "composer.lock"),
];

/// What of the catalog's patterns the context holds.
pub(super) struct Found<'a> {
    ctx: &'a Ctx<'a>,
    context: &'a Context,
    uses: &'a ContextUse,
    /// Rows and the paths that they match, the topmost only, in the order of kinds.
    hits: Vec<(&'static IgnorePattern, Vec<String>)>,
    /// Whether any Dockerfile of the context copies folders.
    broad: bool,
}

impl<'a> Found<'a> {
    fn new(ctx: &'a Ctx<'a>, context: &'a Context, uses: &'a ContextUse) -> Self {
        let rows = ctx.catalog.ignore_patterns();
        let by_name = ByName::new(rows);
        let mut hits: Vec<_> = rows.iter().map(|row| (row, Vec::new())).collect();
        let mut inside = String::new();
        for (path, entry) in context.visible() {
            // What lies in a folder that is left out need not be looked at; the root's entries come without one.
            if !inside.is_empty() && path.starts_with(&inside) {
                continue;
            }
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let hit = by_name
                .candidates(name)
                .filter(|&row| matches(&rows[row], folder, name, entry, context))
                .min();
            if let Some(row) = hit {
                hits[row].1.push(path.to_owned());
                if matches!(entry, Entry::Folder { .. }) {
                    inside = format!("{path}/");
                }
            }
        }
        hits.sort_by_key(|(row, _)| row.kind);
        let broad = uses.files.iter().any(|file| file.is_broad(context));
        Self {
            ctx,
            context,
            uses,
            hits,
            broad,
        }
    }

    /// The lines for all but secrets.
    fn lines(&self) -> Vec<IgnoreLine> {
        let mut lines = Vec::new();
        for (row, paths) in &self.hits {
            let wanted = match paths.is_empty() {
                true => row.habit && self.is_habit(row),
                false => true,
            };
            if row.kind == IgnoreKind::Secret || !wanted || !self.may_go(row) {
                continue;
            }
            let exact = !row.beside.is_empty();
            let patterns: Vec<&str> = match exact && !paths.is_empty() {
                true => paths.iter().map(String::as_str).collect(),
                false => vec![row.pattern.get()],
            };
            // Many exact paths are one line too many each.
            if patterns.len() > 3 {
                continue;
            }
            for pattern in patterns {
                if self.is_safe(pattern) {
                    lines.push(IgnoreLine {
                        pattern: pattern.to_owned(),
                        reason: row.reason.to_string(),
                    });
                }
            }
        }
        lines
    }

    /// Whether the project makes such files although none is there.
    fn is_habit(&self, row: &IgnorePattern) -> bool {
        let manifests: &[&str] = match row.stack.get() {
            "node" => &["package.json"],
            "python" => &["requirements.txt", "pyproject.toml", "Pipfile", "setup.py"],
            _ => &[],
        };
        let beside = row.beside.iter().map(|name| name.get());
        self.broad
            && self.uses.all_run(&names(row), self.context)
            && manifests
                .iter()
                .copied()
                .chain(beside)
                .any(|name| self.context.has(name))
    }

    /// Whether nothing in the build needs what the row matches.
    fn may_go(&self, row: &IgnorePattern) -> bool {
        if !self.broad {
            return matches!(row.pattern.get(), ".git" | "**/node_modules");
        }
        match row.kind {
            IgnoreKind::Vcs => !needs::asks_for_history(self.ctx.catalog, self.uses, self.context),
            IgnoreKind::Dependencies => self.uses.all_install_with(&names(row), self.context),
            IgnoreKind::Output => {
                self.uses.all_run(&names(row), self.context)
                    && (row.stack.get() != "node" || self.uses.all_mention("build", self.context))
            }
            IgnoreKind::Docker => !self
                .uses
                .any_mentions(row.pattern.get().trim_end_matches('*')),
            _ => true,
        }
    }

    /// Whether no Dockerfile copies by name what the pattern hides.
    fn is_safe(&self, pattern: &str) -> bool {
        Dockerignore::parse(pattern.as_bytes())
            .is_ok_and(|alone| self.uses.hidden_by(&alone, self.context).is_none())
    }
}

fn names(row: &IgnorePattern) -> Vec<&'static str> {
    row.made_by.iter().map(|name| name.get()).collect()
}

/// Rows by the names that they match: contexts have many entries, and few of them are in any row.
struct ByName {
    /// Numbers of the rows for one name.
    exact: HashMap<&'static str, Vec<usize>>,
    /// What stands before and after the `*`, and the number of the row.
    starred: Vec<(&'static str, &'static str, usize)>,
}

impl ByName {
    fn new(rows: &'static [IgnorePattern]) -> Self {
        let mut found = Self {
            exact: HashMap::new(),
            starred: Vec::new(),
        };
        for (number, row) in rows.iter().enumerate() {
            let pattern = row.pattern.get();
            let name = pattern.strip_prefix("**/").unwrap_or(pattern);
            match name.split_once('*') {
                None => found.exact.entry(name).or_default().push(number),
                Some((start, end)) => found.starred.push((start, end, number)),
            }
        }
        found
    }

    /// Numbers of the rows whose pattern matches `name`, in no order.
    fn candidates<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let starred = self.starred.iter().filter(move |(start, end, _)| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        });
        let exact = self.exact.get(name).into_iter().flatten().copied();
        exact.chain(starred.map(|&(_, _, number)| number))
    }
}

/// Whether the row, whose pattern matches `name`, is about this entry of `folder`.
fn matches(
    row: &IgnorePattern,
    folder: &str,
    name: &str,
    entry: &Entry,
    context: &Context,
) -> bool {
    let anywhere = row.pattern.starts_with("**/");
    if !anywhere && row.beside.is_empty() && !folder.is_empty()
        || row.except.iter().any(|except| except.get() == name)
    {
        return false;
    }
    let is_folder = matches!(entry, Entry::Folder { .. });
    let near = |folder: &str, names: &crate::catalog::List<crate::catalog::Text>| {
        let below = |name: &str| context.has(&below(folder, name));
        names.iter().any(|name| below(name.get()))
    };
    (row.beside.is_empty() || is_folder && near(folder, &row.beside))
        && (row.holds.is_empty() || is_folder && near(&below(folder, name), &row.holds))
        && (row.kind != IgnoreKind::Secret || !is_folder)
        && (row.kind != IgnoreKind::Docker || !is_folder)
}

/// The path of `name` in `folder`; the root is the empty text.
fn below(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        _ => [folder, "/", name].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_with_one_star() {
        let rows = crate::catalog::Catalog::default().ignore_patterns();
        let by_name = ByName::new(rows);
        let patterns = |name: &str| -> Vec<&str> {
            let found = by_name.candidates(name);
            found.map(|row| rows[row].pattern.get()).collect()
        };
        assert!(patterns(".env.local").contains(&"**/.env.*"));
        assert!(!patterns(".env").contains(&"**/.env.*"));
        assert!(patterns("Dockerfile").contains(&"Dockerfile*"));
        assert!(patterns("node_modules").contains(&"**/node_modules"));
        assert!(patterns("server.js").is_empty());
    }

    #[test]
    fn every_pattern_of_the_catalog_is_one_that_docker_takes() {
        for row in crate::catalog::Catalog::default().ignore_patterns() {
            let parsed = Dockerignore::parse(row.pattern.get().as_bytes());
            assert!(
                parsed.is_ok_and(|ignore| ignore.lines().len() == 1),
                "{row:?}"
            );
        }
    }
}
