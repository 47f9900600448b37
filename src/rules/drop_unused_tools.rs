use crate::catalog::{Catalog, HandTool, WordSet};
use crate::model::{PackageOperation, Setting, Verb};
use crate::rules::apt;
use crate::rules::context_texts::ContextTexts;
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, Estimate, Proposal, Rewrite, Rule, RuleMeta};
use crate::shell::Word;
use crate::syntax::Keyword;
use crate::text::{Edit, Span};

declare_rule! {
    /// Leaves out tools for people, such as editors, that nothing in the Dockerfile or the build context calls.
    ///
    /// ## Why
    /// They are downloaded, scanned and patched with every image, and a debug container brings them when they are wanted.
    ///
    /// ## Example
    /// With `level: aggressive`, in a context that names none of them
    /// ```sh start.sh
    /// exec nginx
    /// ```
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y nginx vim htop
    /// COPY start.sh /
    /// CMD ["sh", "/start.sh"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y nginx
    /// COPY start.sh /
    /// CMD ["sh", "/start.sh"]
    /// ```
    ///
    /// ## When not
    /// A RUN, the start or a file of the context has the name of the tool in it; the context is not seen, or too large to be
    /// read; the image starts a shell; nothing else would be installed.
    pub(crate) DropUnusedTools { name: "drop-unused-tools", level: Aggressive, hadolint: [] }
}

impl Rule for DropUnusedTools {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut installs = Vec::new();
        for stage in ctx.model.stages.iter().filter(|stage| stage.ships) {
            if starts_shell(ctx.catalog, &stage.end.config) {
                continue;
            }
            for index in ctx.model.of_kind(stage, Keyword::Run) {
                for operation in ctx.model.operations(index) {
                    let is_plain = apt::is_apt(&operation)
                        && operation.verb == Verb::Install
                        && !operation.position.in_inner_script;
                    if is_plain
                        && operation
                            .packages
                            .iter()
                            .any(|word| tool(ctx, word).is_some())
                    {
                        installs.push((index, operation));
                    }
                }
            }
        }
        let Some(context) = ctx.context.filter(|_| !installs.is_empty()) else {
            return Vec::new();
        };
        let read = ContextTexts::read(ctx.catalog, context, |path| path.ends_with(".md"));
        if !read.complete {
            return Vec::new();
        }
        let mut texts = read.texts;
        texts.extend(ctx.settings.usage.commands.iter().cloned());
        installs
            .iter()
            .filter_map(|(index, operation)| without_tools(ctx, *index, operation, &texts))
            .collect()
    }
}

/// The row of a package that holds a tool for people.
fn tool<'c>(ctx: &Ctx<'c>, word: &Word) -> Option<&'c HandTool> {
    ctx.catalog
        .hand_tool(std::str::from_utf8(word.literal.as_deref()?).ok()?)
}

fn without_tools(
    ctx: &Ctx<'_>,
    index: usize,
    operation: &PackageOperation<'_>,
    texts: &[String],
) -> Option<Proposal> {
    let span = operation.simple.span;
    let source = ctx.dockerfile.source();
    // The Dockerfile without this very command and without its comments, which call nothing.
    let rest = [&source[..span.start], &source[span.end..]].concat();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    let rest: Vec<&str> = rest
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let rest = rest.join("\n");
    let is_called =
        |name: &str| has_word(&rest, name) || texts.iter().any(|text| has_word(text, name));
    let unused: Vec<&&Word> = operation
        .packages
        .iter()
        .filter(|word| {
            tool(ctx, word).is_some_and(|tool| {
                !is_called(&tool.package) && !tool.called_by.iter().any(|name| is_called(name))
            })
        })
        .collect();
    if unused.is_empty() || unused.len() == operation.packages.len() {
        return None;
    }
    let names: Vec<String> = unused
        .iter()
        .map(|word| String::from_utf8_lossy(&word.raw).into_owned())
        .collect();
    let edits: Option<Vec<Edit>> = unused
        .iter()
        .map(|word| removal(ctx, operation, word))
        .collect();
    let kib = names.iter().filter_map(|name| {
        let release = ctx
            .model
            .base_facts(ctx.model.stage_of(index)?.index)?
            .release?;
        Some(ctx.catalog.package(release.name.get(), name)?.facts.kib)
    });
    Some(Proposal::Rewrite(Rewrite {
        anchor: index,
        edits: edits?,
        reason: format!(
            "nothing in the Dockerfile or the build context calls {}",
            names.join(", ")
        ),
        saves: Estimate {
            image: kib.sum::<u64>() * 1024,
            ..Estimate::default()
        },
        ..Rewrite::default()
    }))
}

/// Takes the word out, with what stands between it and the word before.
fn removal(ctx: &Ctx<'_>, operation: &PackageOperation<'_>, word: &Word) -> Option<Edit> {
    let mut words = operation.simple.words.iter();
    let before = words.rfind(|other| other.span.end <= word.span.start)?;
    let span = Span::new(before.span.end, word.span.end);
    let between = ctx
        .dockerfile
        .bytes(Span::new(before.span.end, word.span.start));
    // A comment between two words stays where it is, and so does the word below it.
    (word.contiguous && !between.contains(&b'#')).then(|| Edit::delete(span))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn starts_shell(catalog: &Catalog, config: &crate::model::Config) -> bool {
    let line = config.entrypoint.set().or(Setting::set(&config.cmd));
    let Some(line) = line else {
        return true;
    };
    let argv = line.form.argv();
    let last = argv
        .last()
        .map_or("", |word| crate::model::path::file_name(word.trim()));
    matches!(last, "-l" | "-i") || catalog.has_word(WordSet::Shells, last)
}
