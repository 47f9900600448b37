//! Stacks that are recognised by name: Elixir, Deno, Haskell, Scala. Bun is a package manager of Node's stack,
//! and listed here only where its own configuration is all there is.

use super::lexer::{Kind, Language, tokens};
use super::{Details, Project, Stack, paths};
use crate::catalog::Catalog;
use crate::context::Context;

/// A recognised stack.
#[derive(Clone, Debug)]
pub struct Other {
    /// Which one.
    pub kind: OtherKind,
    /// The application's name where the manifest has it.
    pub name: Option<String>,
    /// Whether the project has the shape whose build and output are known: `mix release` with one application,
    /// `deno compile` of one entry, sbt with the native packager or assembly, one cabal executable.
    pub standard: bool,
}

/// The stacks of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKind {
    /// `mix.exs`.
    Elixir,
    /// `deno.json`.
    Deno,
    /// `bunfig.toml`, `bun.lock`.
    Bun,
    /// `*.cabal`, `stack.yaml`.
    Haskell,
    /// `build.sbt`, `build.sc`.
    Scala,
}

/// Recognises them.
#[derive(Debug)]
pub struct OtherStack;

impl Stack for OtherStack {
    fn name(&self) -> &'static str {
        "other"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        [elixir, deno, scala, haskell, bun]
            .iter()
            .find_map(|detect| detect(root, context))
    }
}

/// A project from those of the files that are there.
fn project(
    root: &str,
    manager: &str,
    other: Other,
    manifests: Vec<String>,
    locks: Vec<String>,
) -> Project {
    let mut project = Project::empty(root, manager);
    let fact = format!("{:?} project", other.kind).to_lowercase();
    project.show(
        fact,
        manifests
            .first()
            .or(locks.first())
            .cloned()
            .unwrap_or_default(),
    );
    project.manifests = manifests;
    project.locks = locks;
    project.details = Details::Other(Box::new(other));
    project
}

fn elixir(root: &str, context: &Context) -> Option<Project> {
    let text = paths::text(context, &paths::join(root, "mix.exs"))?;
    let mut manifests = paths::present(context, root, &["mix.exs", ".tool-versions"]);
    // `mix deps.get` evaluates none of these, `mix deps.compile` does.
    manifests.extend(paths::present(
        context,
        root,
        &["config/config.exs", "config/prod.exs"],
    ));
    // Elixir's comments and texts are near enough to Ruby's.
    let tokens = tokens(&text, Language::Ruby);
    let name = after(&text, "app: :", |c| c.is_alphanumeric() || c == '_');
    let umbrella = tokens
        .iter()
        .any(|token| token.kind == Kind::Word("apps_path"));
    let other = Other {
        kind: OtherKind::Elixir,
        standard: name.is_some() && !umbrella,
        name,
    };
    let mut found = project(
        root,
        "mix",
        other,
        manifests,
        paths::present(context, root, &["mix.lock"]),
    );
    found.language_version = after(&text, "elixir: \"", |c| c != '"');
    if text.contains(":phoenix,") {
        found.ports.push(4000);
    }
    Some(found)
}

fn deno(root: &str, context: &Context) -> Option<Project> {
    let manifests = paths::present(
        context,
        root,
        &["deno.json", "deno.jsonc", "import_map.json"],
    );
    manifests
        .first()
        .filter(|path| !path.ends_with("import_map.json"))?;
    let entry = paths::present(context, root, &["main.ts", "mod.ts", "server.ts"])
        .into_iter()
        .next();
    let other = Other {
        kind: OtherKind::Deno,
        name: entry.clone(),
        standard: entry.is_some(),
    };
    Some(project(
        root,
        "deno",
        other,
        manifests,
        paths::present(context, root, &["deno.lock"]),
    ))
}

fn scala(root: &str, context: &Context) -> Option<Project> {
    let mut manifests = paths::present(context, root, &["build.sbt", "build.sc"]);
    let text = paths::text(context, manifests.first()?)?;
    manifests.extend(paths::present(
        context,
        root,
        &["project/build.properties", "project/plugins.sbt"],
    ));
    let plugins =
        paths::text(context, &paths::join(root, "project/plugins.sbt")).unwrap_or_default();
    let standard = plugins.contains("sbt-native-packager")
        || plugins.contains("sbt-assembly")
        || plugins.contains("org.playframework")
        || plugins.contains("com.typesafe.play");
    let value = |key: &str| {
        let at = text.find(key)? + key.len();
        let rest = text[at..]
            .trim_start()
            .strip_prefix(":=")?
            .trim_start()
            .strip_prefix('"')?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let manager = if manifests[0].ends_with(".sbt") {
        "sbt"
    } else {
        "mill"
    };
    let other = Other {
        kind: OtherKind::Scala,
        name: value("name "),
        standard,
    };
    let mut found = project(root, manager, other, manifests, Vec::new());
    found.language_version = value("scalaVersion ");
    Some(found)
}

fn haskell(root: &str, context: &Context) -> Option<Project> {
    let mut manifests = paths::present(
        context,
        root,
        &["stack.yaml", "cabal.project", "package.yaml"],
    );
    let here = context
        .children(root)
        .map(|(path, _)| paths::join(root, paths::file_name(path)));
    let cabal: Vec<String> = here.filter(|path| path.ends_with(".cabal")).collect();
    let text = cabal
        .first()
        .and_then(|path| paths::text(context, path))
        .unwrap_or_default();
    manifests.extend(cabal);
    // `package.yaml` alone may belong to anything.
    if manifests.is_empty() || manifests.iter().all(|path| path.ends_with("package.yaml")) {
        return None;
    }
    let programs: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("executable "))
        .map(str::trim)
        .collect();
    let manager = if manifests[0].ends_with("stack.yaml") {
        "stack"
    } else {
        "cabal"
    };
    let other = Other {
        kind: OtherKind::Haskell,
        name: programs.first().map(|name| (*name).to_owned()),
        standard: programs.len() == 1,
    };
    let locks = paths::present(context, root, &["stack.yaml.lock", "cabal.project.freeze"]);
    Some(project(root, manager, other, manifests, locks))
}

fn bun(root: &str, context: &Context) -> Option<Project> {
    let mut manifests = paths::present(context, root, &["bunfig.toml"]);
    let locks = paths::present(context, root, &["bun.lock", "bun.lockb"]);
    if manifests.is_empty() && locks.is_empty() {
        return None;
    }
    manifests.extend(paths::present(context, root, &["package.json"]));
    let entry = paths::present(context, root, &["index.ts", "src/index.ts", "server.ts"])
        .into_iter()
        .next();
    let other = Other {
        kind: OtherKind::Bun,
        standard: entry.is_some() && !locks.is_empty(),
        name: entry,
    };
    Some(project(root, "bun", other, manifests, locks))
}

/// What follows `mark`, as far as `accept` takes it.
fn after(text: &str, mark: &str, accept: fn(char) -> bool) -> Option<String> {
    let rest = &text[text.find(mark)? + mark.len()..];
    let value: String = rest.chars().take_while(|c| accept(*c)).collect();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(
        files: &[(&'static str, &'static str)],
    ) -> Option<(OtherKind, bool, Option<String>, Option<String>)> {
        let context = Context::in_memory(files.iter().copied());
        let project = OtherStack.detect("", &context, &Catalog::default())?;
        let Details::Other(other) = project.details else {
            panic!("other details");
        };
        Some((
            other.kind,
            other.standard,
            other.name,
            project.language_version,
        ))
    }

    #[test]
    fn recognises_each() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            detect(&[(
                "mix.exs",
                "def project do\n [app: :shop, elixir: \"~> 1.16\"]\nend"
            )]),
            Some((OtherKind::Elixir, true, some("shop"), some("~> 1.16")))
        );
        assert_eq!(
            detect(&[("deno.json", "{}"), ("main.ts", "")]).map(|found| found.0),
            Some(OtherKind::Deno)
        );
        assert_eq!(
            detect(&[
                ("build.sbt", "name := \"shop\"\nscalaVersion := \"3.4.0\"\n"),
                (
                    "project/plugins.sbt",
                    "addSbtPlugin(\"com.eed3si9n\" % \"sbt-assembly\" % \"2\")"
                )
            ]),
            Some((OtherKind::Scala, true, some("shop"), some("3.4.0")))
        );
        assert_eq!(
            detect(&[("shop.cabal", "executable shop\n")]).map(|found| (found.0, found.1)),
            Some((OtherKind::Haskell, true))
        );
        assert_eq!(
            detect(&[("bun.lock", ""), ("package.json", "{}")]).map(|found| (found.0, found.1)),
            Some((OtherKind::Bun, false))
        );
        assert_eq!(
            detect(&[("package.yaml", ""), ("import_map.json", "")]),
            None
        );
    }
}
