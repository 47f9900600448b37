//! Ruby: Bundler, and the frameworks that its gems tell.

use super::lexer::{Kind, Language, Token, tokens};
use super::paths;
use super::{Details, Evidence, Project, Stack};
use crate::catalog::Catalog;
use crate::context::Context;
use std::collections::BTreeMap;

/// A project with a Gemfile or gemspec.
#[derive(Clone, Debug, Default)]
pub struct Ruby {
    /// Gems of the Gemfile: name and groups (`default` without one).
    pub gems: Vec<(String, Vec<String>)>,
    /// Gems that the lock file pins, by name; the version carries its platform (`1.16.0-x86_64-linux`).
    pub locked: BTreeMap<String, String>,
    /// `PLATFORMS` of the lock file.
    pub platforms: Vec<String>,
    /// Whether a gem comes from git: the install needs `git`.
    pub git_gems: bool,
    /// Folders of `path:` gems, in the context: an install reads them.
    pub path_gems: Vec<String>,
    /// Version after `BUNDLED WITH`.
    pub bundler: Option<String>,
    /// What serves the application.
    pub framework: RubyFramework,
    /// `config/puma.rb`, where it is there.
    pub puma_config: Option<String>,
    /// Whether assets are precompiled from `app/assets` or by a bundler of JavaScript.
    pub assets: bool,
    /// Whether `config/credentials.yml.enc` is there: starting needs the master key, precompiling a dummy one.
    pub credentials: bool,
}

/// The framework.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RubyFramework {
    /// `config/application.rb` and the gem `rails` or `railties`.
    Rails,
    /// The gem `sinatra`.
    Sinatra,
    /// A `config.ru` of something else.
    Rack,
    /// None of these.
    #[default]
    Plain,
}

/// Recognises Bundler.
#[derive(Debug)]
pub struct RubyStack;

impl Stack for RubyStack {
    fn name(&self) -> &'static str {
        "ruby"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let manifest = paths::present(context, root, &["Gemfile", "gems.rb"])
            .into_iter()
            .next()?;
        let mut project = Project::empty(root, "bundler");
        let mut ruby = Ruby::default();
        let text = paths::text(context, &manifest)?;
        project.manifests.push(manifest.clone());
        let uses_gemspec = read_gemfile(&text, &manifest, root, context, &mut ruby, &mut project);
        if uses_gemspec {
            let specs = context
                .children(root)
                .map(|(name, _)| paths::join(root, paths::file_name(name)));
            project.manifests.extend(
                specs
                    .filter(|path| path.ends_with(".gemspec"))
                    .collect::<Vec<_>>(),
            );
        }
        if let Some(path) = paths::present(context, root, &["Gemfile.lock", "gems.locked"])
            .into_iter()
            .next()
        {
            if let Some(text) = paths::text(context, &path) {
                read_lock(&text, root, &mut ruby);
            }
            project.locks.push(path);
        }
        let version_file = paths::join(root, ".ruby-version");
        if let Some(text) = paths::text(context, &version_file) {
            let version = text.trim().trim_start_matches("ruby-").to_owned();
            project.show(format!("ruby {version}"), version_file.clone());
            project.language_version = Some(version).filter(|version| !version.is_empty());
            project.manifests.push(version_file);
        }
        project.manifests.extend(paths::present(
            context,
            root,
            &[".tool-versions", ".bundle/config"],
        ));
        for folder in &ruby.path_gems {
            let inner = paths::sized_files(context, folder).map(|(path, _)| path.to_owned());
            project.manifests.extend(inner);
        }
        let has_gem = |name: &str| ruby.gems.iter().any(|(gem, _)| gem == name);
        ruby.framework = if (has_gem("rails") || has_gem("railties"))
            && context.has(&paths::join(root, "config/application.rb"))
        {
            RubyFramework::Rails
        } else if has_gem("sinatra") {
            RubyFramework::Sinatra
        } else if context.has(&paths::join(root, "config.ru")) {
            RubyFramework::Rack
        } else {
            RubyFramework::Plain
        };
        ruby.puma_config = paths::present(context, root, &["config/puma.rb", "puma.rb"])
            .into_iter()
            .next();
        ruby.assets = ruby.framework == RubyFramework::Rails
            && !paths::present(context, root, &["app/assets", "app/javascript"]).is_empty();
        ruby.credentials = context.has(&paths::join(root, "config/credentials.yml.enc"));
        project.ports = match ruby.framework {
            RubyFramework::Rails => vec![3000],
            RubyFramework::Sinatra => vec![4567],
            RubyFramework::Rack => vec![9292],
            RubyFramework::Plain => Vec::new(),
        };
        project.show(
            format!("{:?} application", ruby.framework).to_lowercase(),
            manifest,
        );
        project.details = Details::Ruby(Box::new(ruby));
        Some(project)
    }
}

/// The literal arguments of a statement that starts at `at`, up to the end of its line, and its keyed ones.
fn statement<'a>(tokens: &[Token<'a>], at: usize) -> (Vec<&'a str>, Vec<(&'a str, &'a str)>) {
    let (mut plain, mut keyed) = (Vec::new(), Vec::new());
    let mut key = None;
    let mut previous = Kind::Mark(b'(');
    for token in &tokens[at..] {
        match token.kind {
            Kind::Break if previous == Kind::Mark(b',') => continue,
            Kind::Break | Kind::Word("do") => break,
            Kind::Word(word) => {
                // A symbol after its key (`group: :test`), else the key itself (`path: "x"`).
                if previous == Kind::Mark(b':') {
                    match key {
                        Some(key) => keyed.push((key, word)),
                        None => plain.push(word),
                    }
                }
                if previous == Kind::Mark(b',')
                    || previous == Kind::Mark(b'(')
                    || previous == Kind::Mark(b'[')
                {
                    key = Some(word);
                } else if previous == Kind::Mark(b':') && key.is_none() {
                    key = None;
                }
            }
            Kind::Text { value, open: false } => match key {
                Some(key) => keyed.push((key, value)),
                None => plain.push(value),
            },
            _ => {}
        }
        previous = token.kind;
    }
    (plain, keyed)
}

fn read_gemfile(
    text: &str,
    path: &str,
    root: &str,
    context: &Context,
    ruby: &mut Ruby,
    project: &mut Project,
) -> bool {
    let tokens = tokens(text, Language::Ruby);
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut uses_gemspec = false;
    for at in 0..tokens.len() {
        let Kind::Word(word) = tokens[at].kind else {
            continue;
        };
        let starts = at == 0 || tokens[at - 1].kind == Kind::Break;
        let block = |at: usize| {
            tokens[at..]
                .iter()
                .take_while(|token| token.kind != Kind::Break)
                .any(|token| token.kind == Kind::Word("do"))
        };
        let (plain, keyed) = if starts {
            statement(&tokens, at + 1)
        } else {
            (Vec::new(), Vec::new())
        };
        match word {
            "end" if starts => {
                groups.pop();
            }
            "group" if starts => {
                groups.push(plain.iter().map(|group| (*group).to_owned()).collect())
            }
            "if" | "unless" | "case" if starts => groups.push(Vec::new()),
            "gemspec" if starts => uses_gemspec = true,
            "ruby" if starts => {
                if let Some(version) = plain.first() {
                    project.language_version = Some((*version).to_owned());
                }
                if let Some((_, file)) = keyed.iter().find(|(key, _)| *key == "file") {
                    project.manifests.extend(
                        paths::present(context, root, &[file])
                            .into_iter()
                            .filter(|file| !file.ends_with(".ruby-version")),
                    );
                }
            }
            "eval_gemfile" | "instance_eval" if starts => {
                match plain
                    .first()
                    .and_then(|file| paths::resolve(root, file))
                    .filter(|file| context.has(file))
                {
                    Some(file) => project.manifests.push(file),
                    None => project.finding(
                        "reads another Gemfile that is not known",
                        format!("{path}:{}", tokens[at].line),
                    ),
                }
            }
            "gem" if starts => {
                let Some(name) = plain.first() else {
                    continue;
                };
                let own = keyed
                    .iter()
                    .filter(|(key, _)| matches!(*key, "group" | "groups"))
                    .map(|(_, group)| (*group).to_owned());
                let mut all: Vec<String> = groups.iter().flatten().cloned().chain(own).collect();
                if all.is_empty() {
                    all.push("default".to_owned());
                }
                ruby.git_gems |= keyed
                    .iter()
                    .any(|(key, _)| matches!(*key, "git" | "github"));
                let folder = keyed
                    .iter()
                    .find(|(key, _)| *key == "path")
                    .and_then(|(_, folder)| paths::resolve(root, folder));
                ruby.path_gems
                    .extend(folder.filter(|folder| folder != root));
                ruby.gems.push(((*name).to_owned(), all));
            }
            _ if starts && block(at) => groups.push(Vec::new()),
            _ => {}
        }
    }
    project.evidence.push(Evidence {
        fact: format!("{} gems", ruby.gems.len()),
        source: path.to_owned(),
    });
    uses_gemspec
}

fn read_lock(text: &str, root: &str, ruby: &mut Ruby) {
    let mut section = "";
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim();
        match (indent, section) {
            (0, _) => {
                section = content;
                ruby.git_gems |= content == "GIT";
            }
            (2, "PLATFORMS") => ruby.platforms.push(content.to_owned()),
            (2 | 3, "BUNDLED WITH") => ruby.bundler = Some(content.to_owned()),
            (2, "PATH") => {
                let folder = content
                    .strip_prefix("remote: ")
                    .and_then(|folder| paths::resolve(root, folder));
                let folder =
                    folder.filter(|folder| folder != root && !ruby.path_gems.contains(folder));
                ruby.path_gems.extend(folder);
            }
            (4, "GEM" | "GIT" | "PATH") => {
                if let Some((name, version)) = content.split_once(" (") {
                    ruby.locked
                        .insert(name.to_owned(), version.trim_end_matches(')').to_owned());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_gems_groups_and_lock() {
        let context = Context::in_memory([
            (
                "Gemfile",
                "source \"https://rubygems.org\"\nruby \"3.3.1\"\ngem 'rails', '~> 7.1' # gem 'no'\ngem \"pg\", group: :production\ngem 'own', path: 'lib/own'\ngem 'g', github: 'a/b'\ngroup :development, :test do\n  gem 'rspec'\nend\ngem 'puma'\n",
            ),
            (
                "Gemfile.lock",
                "GEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.16.0-x86_64-linux)\n      racc (~> 1.4)\n\nPLATFORMS\n  x86_64-linux\n\nBUNDLED WITH\n   2.5.3\n",
            ),
            ("lib/own/own.gemspec", ""),
            ("config/application.rb", ""),
            ("app/assets/a.css", ""),
        ]);
        let project = RubyStack
            .detect("", &context, &Catalog::default())
            .expect("a Ruby project");
        let Details::Ruby(ruby) = &project.details else {
            panic!("other details");
        };
        let gems: Vec<_> = ruby
            .gems
            .iter()
            .map(|(name, groups)| format!("{name}:{}", groups.join(",")))
            .collect();
        assert_eq!(
            gems,
            [
                "rails:default",
                "pg:production",
                "own:default",
                "g:default",
                "rspec:development,test",
                "puma:default"
            ]
        );
        assert_eq!(project.language_version.as_deref(), Some("3.3.1"));
        assert_eq!(ruby.locked.len(), 1);
        assert_eq!(ruby.platforms, ["x86_64-linux"]);
        assert_eq!(ruby.bundler.as_deref(), Some("2.5.3"));
        assert!(ruby.git_gems && ruby.assets && ruby.framework == RubyFramework::Rails);
        assert_eq!(project.manifests, ["Gemfile", "lib/own/own.gemspec"]);
    }

    proptest! {
        #[test]
        fn gemfiles_never_panic(text in "[a-z:,\"'#\\n ()]{0,120}") {
            let context = Context::in_memory([("x", "")]);
            let _ = read_gemfile(&text, "Gemfile", "", &context, &mut Ruby::default(), &mut Project::empty("", "bundler"));
        }
    }
}
