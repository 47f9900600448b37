mod chain;
mod language;
mod refusals;

use crate::catalog::{ImageFacts, ImageRef};
use crate::model::{Base, Setting, Stage, Verb};
use crate::rules::apt::is_apt;
use crate::rules::bases::{Why, replace_base};
use crate::rules::declare::declare_rule;
use crate::rules::{Change, Ctx, Proposal, Rewrite, Rule, RuleMeta};
use crate::syntax::Keyword;

use chain::Steps;
use language::Language;

declare_rule! {
    /// Replaces a distribution on which one language is installed by that language's official image.
    ///
    /// ## Why
    /// The official image has the same version of the language, gets its fixes sooner than the distribution, and has
    /// a slim variant: what was installed for the sake of the language alone is gone.
    ///
    /// ## Example
    /// ```text requirements.txt
    /// flask
    /// psycopg2
    /// ```
    /// ```text app.py
    /// import flask
    /// ```
    /// ```dockerfile
    /// FROM debian:13
    /// RUN apt-get update && apt-get install -y \
    ///     libpq-dev \
    ///     python3 \
    ///     python3-pip
    /// WORKDIR /app
    /// COPY . .
    /// RUN pip3 install --break-system-packages -r requirements.txt
    /// CMD ["python3", "app.py"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM python:3.13-trixie
    /// RUN apt-get update && apt-get install -y \
    ///     libpq-dev
    /// WORKDIR /app
    /// COPY . .
    /// RUN pip3 install --break-system-packages -r requirements.txt
    /// CMD ["python3", "app.py"]
    /// ```
    ///
    /// ## When not
    /// Two languages, or one that the catalog does not know for that release (Python, Node from NodeSource, OpenJDK and
    /// Maven, Rust by rustup); an own PATH; other packages whose names are not the
    /// same in the official image's distribution; Python modules of the distribution (`python3-numpy`); paths of the
    /// distribution's interpreter, also in the first lines of scripts; an account that the official image has
    /// already; no context; a tag without a version.
    pub(crate) OfficialBase { name: "official-base", level: Standard, hadolint: [] }
}

impl Rule for OfficialBase {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let [stage] = ctx.model.stages.as_slice() else {
            return Vec::new();
        };
        let Base::Image {
            reference,
            facts: Some(facts),
        } = &stage.base
        else {
            return Vec::new();
        };
        let plain = matches!(facts.family.name.get(), "debian" | "ubuntu");
        if !plain || stage.windows {
            return Vec::new();
        }
        let steps = Steps::of(ctx, stage);
        let Some(language) = steps.language() else {
            return Vec::new();
        };
        let found = Replacement::of(ctx, stage, facts, reference, language)
            .and_then(|replacement| replacement.rewrite(&steps));
        vec![match found {
            Ok(rewrite) => Proposal::Rewrite(rewrite),
            Err(why) => why.refusal(stage.from, &format!("the base {reference}")),
        }]
    }
}

/// A base and what is to come in its place.
struct Replacement<'a> {
    ctx: &'a Ctx<'a>,
    stage: &'a Stage,
    old: &'a ImageFacts,
    language: Language,
    reference: String,
    new: ImageFacts,
}

impl<'a> Replacement<'a> {
    fn of(
        ctx: &'a Ctx<'a>,
        stage: &'a Stage,
        old: &'a ImageFacts,
        reference: &str,
        language: Language,
    ) -> Result<Self, Why> {
        let first = old.tag.split('-').next().unwrap_or_default();
        if matches!(
            first,
            "latest" | "rolling" | "devel" | "stable" | "testing" | "unstable" | "sid"
        ) {
            return Err(Why::new(
                format!("which version of the language {reference} has changes with it"),
                "name the release in FROM",
            ));
        }
        let release = old
            .release
            .ok_or_else(|| Why::new("its release is not known", "name the release in FROM"))?;
        let (name, version) = match &language {
            Language::Python if release.python.is_empty() => {
                return Err(Why::new("the version of its Python is not known", ""));
            }
            Language::Python => ("python", release.python.get().to_owned()),
            Language::Node(major) => ("node", major.to_string()),
            Language::Java(java) => java.image(),
            Language::Rust => ("rust", "1".to_owned()),
            Language::Several => {
                return Err(Why::new(
                    "more than one language is installed on it",
                    "give each its own stage",
                ));
            }
        };
        let tag = match release.distribution.get() {
            "debian" if !matches!(language, Language::Java(_)) => {
                format!("{version}-{}", release.name)
            }
            _ => version.clone(),
        };
        let new_reference = ImageRef::parse(reference).with_name_and_tag(name, &tag);
        let new = ctx
            .catalog
            .image(&ImageRef::parse(&new_reference))
            .filter(|facts| facts.build.is_some())
            .ok_or_else(|| {
                Why::new(
                    format!(
                        "there is no official image of {name} {version} for it that is still built"
                    ),
                    "move to a supported version",
                )
            })?;
        Ok(Self {
            ctx,
            stage,
            old,
            language,
            reference: new_reference,
            new,
        })
    }

    fn rewrite(&self, steps: &Steps<'_>) -> Result<Rewrite, Why> {
        let changes = self.changes()?;
        let mut edits = replace_base(self.ctx, self.stage, &self.reference)?;
        self.others_are_there(steps)?;
        self.names_no_old_place()?;
        self.runs_what_is_there(steps)?;
        let line = steps.first_line().ok_or_else(|| {
            Why::new(
                "nothing of it is installed in a way that can be taken out",
                "",
            )
        })?;
        edits.extend(steps.edits()?);
        Ok(Rewrite {
            anchor: self.stage.from,
            edits,
            reason: format!(
                "{} has what line {line} installs, in the same version{}",
                self.reference,
                match self.language {
                    Language::Java(_) => " of Java",
                    _ => "",
                }
            ),
            changes,
            ..Rewrite::default()
        })
    }

    /// What the container inherits otherwise.
    fn changes(&self) -> Result<Vec<Change>, Why> {
        let config = &self.stage.end.config;
        if config.entrypoint.set().or(config.cmd.set()).is_none() {
            return Err(Why::new(
                "the image starts nothing: others may build on it or work in it",
                "",
            ));
        }
        self.keeps_path()?;
        let mut changes = Vec::new();
        if config.entrypoint == Setting::Inherited {
            let old = self.old.entrypoint().unwrap_or_default();
            let new = self.new.entrypoint();
            let same = new.unwrap_or("?") == old;
            if !same && !self.new.family.runs_arguments {
                return Err(Why::new("the official image starts another program", ""));
            }
            if !same {
                changes.push(Change::Entrypoint);
            }
        }
        if config.cmd == Setting::Inherited {
            changes.push(Change::Cmd);
        }
        if config.user.is_none() && self.old.user() != self.new.user() {
            changes.push(Change::User);
        }
        if config.workdir.is_none() && self.old.workdir() != self.new.workdir() {
            changes.push(Change::Workdir);
        }
        Ok(changes)
    }
}

/// Whether an instruction installs by apt and nothing else of the distribution.
fn installs(ctx: &Ctx<'_>, index: usize) -> bool {
    ctx.model.instruction(index).keyword == Keyword::Run
        && ctx
            .model
            .operations(index)
            .iter()
            .any(|operation| is_apt(operation) && operation.verb == Verb::Install)
}
