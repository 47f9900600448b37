mod java;
mod needs;
mod node;
mod python;

use crate::catalog::{ImageFacts, ImageRef, Slim, Variant, WordSet};
use crate::model::path::resolve;
use crate::model::{Stage, Verb};
use crate::rules::bases::{
    Kind, Needs, Why, inherited_changes, replace_base, runs, runtime_base, saved,
};
use crate::rules::declare::declare_rule;
use crate::rules::image_paths::stage_named;
use crate::rules::{Ctx, Proposal, Rewrite, Rule, RuleMeta};
use crate::syntax::Keyword;

use needs::Inventory;

declare_rule! {
    /// Puts a stage that ships on the slim variant of its image: same version, release and C library.
    ///
    /// ## Why
    /// The full image carries compilers, version control and development headers, five to ten times the size of the
    /// interpreter. What ships needs none of them when nothing calls them.
    ///
    /// ## Example
    /// ```text requirements.txt
    /// flask
    /// gunicorn
    /// ```
    /// ```text app.py
    /// from flask import Flask
    /// app = Flask(__name__)
    /// ```
    /// ```dockerfile
    /// FROM python:3.13
    /// WORKDIR /app
    /// COPY requirements.txt .
    /// RUN pip install -r requirements.txt
    /// COPY . .
    /// CMD ["gunicorn", "app:app"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM python:3.13-slim
    /// WORKDIR /app
    /// COPY requirements.txt .
    /// RUN pip install -r requirements.txt
    /// COPY . .
    /// CMD ["gunicorn", "app:app"]
    /// ```
    /// A tool of the full image that the application calls is installed by name.
    ///
    /// ## When not
    /// Something is compiled or built in the stage (`split-stages` then makes two), a dependency is not known to
    /// come without native code, a script or a source cannot be seen, the image is meant to hold tools.
    pub(crate) SlimBase { name: "slim-base", level: Standard, hadolint: [] }
}

impl Rule for SlimBase {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for (stage, reference, facts) in ctx.model.on_known_images() {
            let name = facts.family.name.get();
            let builds = ctx.catalog.has_word(WordSet::ImagesThatCompile, name);
            let full = facts.variant == Variant::Full && facts.family.slim != Slim::None;
            if !stage.ships || stage.windows || builds || !full {
                continue;
            }
            if ctx.catalog.slim_tag(facts).is_none() {
                continue;
            }
            proposals.push(match slim(ctx, stage, facts, reference) {
                Ok(rewrite) => Proposal::Rewrite(rewrite),
                Err(why) => why.refusal(stage.from, &format!("the full {reference}")),
            });
        }
        proposals
    }
}

/// The rewrite to the slim variant.
fn slim(ctx: &Ctx<'_>, stage: &Stage, facts: &ImageFacts, reference: &str) -> Result<Rewrite, Why> {
    let needs = Needs {
        kind: if facts.family.slim == Slim::Jre {
            Kind::Jre
        } else {
            Kind::Interpreter
        },
        shell: true,
        packages: Vec::new(),
        unprivileged: false,
    };
    let choice = runtime_base(ctx, stage, &needs)?;
    let mut edits = replace_base(ctx, stage, &choice.reference)?;
    let mut stages = ctx.model.children(stage.index);
    stages.insert(0, stage);
    starts_something(ctx, &stages)?;
    names_no_full_place(ctx, &stages)?;
    installs_nothing_odd(ctx, &stages)?;
    let runs = runs::of_stages(ctx, &stages)?;
    for script in &runs.scripts {
        if let Some(place) = ctx.catalog.word_in(WordSet::FullImagePlaces, script) {
            return Err(Why::new(format!("a script that it runs names {place}"), ""));
        }
    }
    let mut inventory = Inventory::new(ctx, &stages, facts, choice.facts.as_ref());
    match facts.family.name.get() {
        "debian" => {}
        "python" => python::check(ctx, &stages, &runs, facts, &mut inventory)?,
        "node" => node::check(ctx, &stages, &runs, &mut inventory)?,
        _ if facts.family.slim == Slim::Jre => java::check(ctx, &runs, &mut inventory)?,
        _ => {
            nothing_from_other_stages(ctx, &stages, |_, _| false)?;
            nothing_unseen(ctx, &stages)?;
            for call in &runs.calls {
                inventory.call(call)?;
            }
        }
    }
    let changes = match &choice.facts {
        Some(slim) => inherited_changes(&stages, facts, slim)?,
        None => return Err(Why::new("nothing is known about its slim image", "")),
    };
    let added = inventory.finish(stage, &mut edits)?;
    let mut reason = format!(
        "{} has all that this stage uses of {}",
        choice.reference,
        ImageRef::parse(reference).text
    );
    if !added.is_empty() {
        reason.push_str(", but for ");
        reason.push_str(&added.join(", "));
        reason.push_str(", which is installed by name");
    }
    Ok(Rewrite {
        anchor: stage.from,
        edits,
        reason,
        saves: saved(ctx, reference, &choice.reference),
        changes,
        ..Rewrite::default()
    })
}

/// Refuses images that start nothing of their own, or a shell: they are meant to hold tools.
fn starts_something(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<(), Why> {
    for stage in stages.iter().filter(|stage| stage.is_target) {
        let config = &stage.end.config;
        let line = config.entrypoint.set().or(config.cmd.set());
        let Some(line) = line else {
            // Compose or Kubernetes say what starts.
            if !ctx.settings.usage.commands.is_empty() {
                continue;
            }
            return Err(Why::new(
                "the image starts nothing: others may build on it or work in it",
                "choose the slim image yourself if nobody does",
            ));
        };
        let words = line.form.argv();
        let first = words.first().map(String::as_str).unwrap_or_default();
        let alone = words.len() == 1 || words.iter().skip(1).all(|word| word.starts_with('-'));
        let text = words.last().map(String::as_str).unwrap_or_default();
        let shell = |word: &str| {
            let name = crate::model::path::file_name(word);
            name == "tmux" || ctx.catalog.has_word(WordSet::Shells, name)
        };
        if alone && shell(first) || words.len() == 3 && words[1] == "-c" && shell(text.trim()) {
            return Err(Why::new(
                "it starts a shell: the image seems to be made to work in",
                "choose the slim image yourself if the tools are not needed",
            ));
        }
    }
    Ok(())
}

fn names_no_full_place(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<(), Why> {
    for index in stages.iter().flat_map(|stage| stage.body.clone()) {
        let text = String::from_utf8_lossy(ctx.dockerfile.bytes(ctx.model.instruction(index).span));
        // Deleting documentation is no use of it.
        let deletes =
            text.contains("rm -rf /usr/share/doc") || text.contains("rm -rf /usr/share/man");
        if let Some(place) = ctx
            .catalog
            .word_in(WordSet::FullImagePlaces, &text)
            .filter(|_| !deletes)
        {
            return Err(Why::new(
                format!(
                    "line {} names {place}, which the slim image may not fill",
                    runs::line(ctx, index)
                ),
                "choose the slim image yourself if that line works there",
            ));
        }
    }
    Ok(())
}

/// Refuses package operations that are known to go wrong on slim images, or whose packages are not literal.
fn installs_nothing_odd(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<(), Why> {
    for index in stages
        .iter()
        .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
    {
        for operation in ctx.model.operations(index) {
            let manager = operation.manager.name.get();
            if !matches!(manager, "apt" | "apt-get" | "aptitude") || operation.verb != Verb::Install
            {
                continue;
            }
            let line = runs::line(ctx, index);
            let Some(names) = operation.literal_packages() else {
                return Err(Why::new(
                    format!("line {line} installs packages by a variable"),
                    "write their names",
                ));
            };
            for name in &names {
                let fails = ctx.catalog.begins_with_word(WordSet::ManPagePackages, name);
                if fails || name.contains('/') {
                    return Err(Why::new(
                        format!("line {line} installs {name}, which may fail on a slim image"),
                        "choose the slim image yourself after a test",
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Refuses what another stage built: it may use a library of the full image. What `is_harmless` says of a stage and the
/// absolute paths that are taken from it is passed.
fn nothing_from_other_stages(
    ctx: &Ctx<'_>,
    stages: &[&Stage],
    is_harmless: impl Fn(&Stage, &[String]) -> bool,
) -> Result<(), Why> {
    for index in stages.iter().flat_map(|stage| stage.body.clone()) {
        if let Some(copy) = ctx.model.instruction(index).as_copy()
            && let Some(from) = copy.from
        {
            let expand = |text| ctx.model.state(index).expand(text, ctx.dockerfile.escape());
            let sources = copy.sources.iter().map(|source| expand(source.text));
            let sources: Vec<String> = sources.map(|source| resolve("/", &source)).collect();
            let stage = stage_named(ctx, index, &expand(from));
            if stage.is_some_and(|stage| is_harmless(stage, &sources)) {
                continue;
            }
            return Err(Why::new(
                format!(
                    "line {} copies what was built elsewhere, and which libraries that needs is not known",
                    runs::line(ctx, index)
                ),
                "choose the slim image yourself after a test",
            ));
        }
    }
    Ok(())
}

/// Refuses files of a context that is not seen.
fn nothing_unseen(ctx: &Ctx<'_>, stages: &[&Stage]) -> Result<(), Why> {
    if ctx.context.is_some_and(|context| !context.truncated()) {
        return Ok(());
    }
    for index in stages.iter().flat_map(|stage| stage.body.clone()) {
        if let Some(copy) = ctx.model.instruction(index).as_copy()
            && copy.from.is_none()
            && copy.sources.iter().any(|source| source.heredoc.is_none())
        {
            return Err(Why::new(
                format!(
                    "what line {} copies is not seen, and it may call tools of the full image",
                    runs::line(ctx, index)
                ),
                "run docker-diet with the build context",
            ));
        }
    }
    Ok(())
}

/// The folders of the context that hold the project: its root, and those that COPY names.
fn roots(ctx: &Ctx<'_>, stages: &[&Stage]) -> Vec<String> {
    let mut roots = vec![String::new()];
    for index in stages.iter().flat_map(|stage| stage.body.clone()) {
        let Some(copy) = ctx.model.instruction(index).as_copy() else {
            continue;
        };
        if copy.from.is_some() {
            continue;
        }
        for source in &copy.sources {
            let text = String::from_utf8_lossy(source.text);
            let text = text.trim_start_matches("./").trim_matches('/');
            let is_folder = ctx
                .context
                .is_some_and(|context| !text.is_empty() && text != "." && context.is_folder(text));
            let folder = if is_folder {
                text
            } else {
                text.rsplit_once('/').map_or("", |(folder, _)| folder)
            };
            if !roots.iter().any(|root| root == folder) {
                roots.push(folder.to_owned());
            }
        }
    }
    roots
}
