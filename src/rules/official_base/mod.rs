mod chain;
mod language;

use crate::catalog::{ImageFacts, ImageRef, WordSet};
use crate::context::Context;
use crate::model::path::file_name;
use crate::model::{Base, Setting, Stage, Verb};
use crate::rules::apt::is_apt;
use crate::rules::bases::{Why, is_builtin, replace_base, runs};
use crate::rules::declare::declare_rule;
use crate::rules::{Change, Ctx, Proposal, Rewrite, Rule, RuleMeta};
use crate::stack::usage::Budget;
use crate::stack::{Details, STACKS};
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

    /// Refuses an ENV that leaves out the folder where the official image has its programs.
    fn keeps_path(&self) -> Result<(), Why> {
        let config = &self.stage.end.config;
        if !matches!(self.language, Language::Java(_) | Language::Rust) {
            if config
                .env
                .get("PATH")
                .is_some_and(|path| !path.contains("/usr/local/bin") && !path.contains("$PATH"))
            {
                return Err(Why::new(
                    "its PATH leaves out /usr/local/bin, where the official image has its programs",
                    "",
                ));
            }
            return Ok(());
        }
        for index in self.ctx.model.of_kind(self.stage, Keyword::Env) {
            for pair in self.ctx.model.instruction(index).pairs() {
                let value = pair.value.as_ref().map(|value| value.text.as_slice());
                let value = String::from_utf8_lossy(value.unwrap_or_default());
                let extends = value.contains("$PATH") || value.contains("${PATH}");
                if pair.name.text == b"PATH" && !extends {
                    return Err(Why::new(
                        "its PATH leaves out where the official image has its programs",
                        "write `$PATH` into it",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Refuses other packages that the official image's distribution may not have under the same name.
    fn others_are_there(&self, steps: &Steps<'_>) -> Result<(), Why> {
        let release = |facts: &ImageFacts| facts.release.map_or("", |release| release.name.get());
        let (old, new) = (release(self.old), release(&self.new));
        let catalog = self.ctx.catalog;
        for (name, line) in steps.others() {
            let for_builds = self.language != Language::Python
                && catalog.has_word(WordSet::PythonForBuilds, name);
            let of_language = match self.language {
                Language::Java(_) => catalog.begins_with_word(WordSet::JavaPackageBeginnings, name),
                Language::Rust => catalog.begins_with_word(WordSet::RustPackageBeginnings, name),
                _ => false,
            };
            let of_interpreter = || catalog.word_in(WordSet::InterpreterPackageParts, name);
            if of_language || !for_builds && of_interpreter().is_some() {
                return Err(Why::new(
                    format!(
                        "line {line} installs {name}, which goes with the distribution's own interpreter"
                    ),
                    "install it with the language's own package manager",
                ));
            }
            let known = old == new && !old.is_empty()
                || catalog
                    .package(new, name)
                    .is_some_and(|package| !package.assumed && package.name == name);
            if !known {
                return Err(Why::new(
                    format!("line {line} installs {name}, which may have another name in {new}"),
                    "change FROM and that line together",
                ));
            }
        }
        Ok(())
    }

    fn names_no_old_place(&self) -> Result<(), Why> {
        let ctx = self.ctx;
        for index in self.stage.body.clone() {
            let text =
                String::from_utf8_lossy(ctx.dockerfile.bytes(ctx.model.instruction(index).span));
            let sets_path = ctx.model.instruction(index).keyword == Keyword::Env
                && ctx
                    .model
                    .instruction(index)
                    .pairs()
                    .iter()
                    .all(|pair| pair.name.text == b"PATH");
            let own = match self.language {
                Language::Java(_) => ctx.catalog.word_in(WordSet::OpenjdkPlaces, &text),
                Language::Rust if !sets_path && !forces_deletes(ctx, index) => {
                    ctx.catalog.word_in(WordSet::RustupPlaces, &text)
                }
                _ => None,
            };
            let old = ctx.catalog.word_in(WordSet::InterpreterPlaces, &text);
            if let Some(place) = old.or(own) {
                return Err(Why::new(
                    format!(
                        "line {} speaks of {place}, which belongs to the distribution",
                        runs::line(ctx, index)
                    ),
                    "change FROM and that line together",
                ));
            }
        }
        let context = ctx
            .context
            .filter(|context| !context.truncated())
            .ok_or_else(|| {
                Why::new(
                    "the files that it copies are not seen, and may need the distribution's interpreter",
                    "run docker-diet with the build context",
                )
            })?;
        self.draws_nothing(context)?;
        let python = STACKS
            .iter()
            .filter(|stack| stack.name() == "python")
            .find_map(|stack| stack.detect("", context, ctx.catalog));
        if let Some(Details::Python(python)) = python.map(|project| project.details)
            && let Some(fixed) = python
                .fixed_interpreters(context, "", Budget::default())
                .first()
        {
            return Err(Why::new(
                format!(
                    "{} names the distribution's interpreter: {}",
                    fixed.source, fixed.fact
                ),
                "write `#!/usr/bin/env python3`",
            ));
        }
        Ok(())
    }

    /// Refuses sources of Java that draw, repositories that its Maven refuses, and a chosen toolchain of Rust.
    fn draws_nothing(&self, context: &Context) -> Result<(), Why> {
        let java = match &self.language {
            Language::Java(java) => java,
            Language::Rust => {
                let chosen = context.all().find(|(path, _)| {
                    matches!(file_name(path), "rust-toolchain" | "rust-toolchain.toml")
                });
                return match chosen {
                    Some((path, _)) => Err(Why::new(format!("{path} chooses a toolchain"), "")),
                    None => Ok(()),
                };
            }
            _ => return Ok(()),
        };
        let mut sources = 0;
        for (path, _) in context.all() {
            let is_source = path.ends_with(".java") || path.ends_with(".kt");
            let is_pom = java.maven && file_name(path) == "pom.xml";
            if !is_source && !is_pom {
                continue;
            }
            sources += usize::from(is_source);
            let text = context.read_str(path).unwrap_or_default();
            let found = if is_source {
                self.ctx.catalog.word_in(WordSet::JavaDrawing, &text)
            } else {
                let insecure = "<url>http://";
                (text.contains("epository>") && text.contains(insecure)).then_some(insecure)
            };
            if let Some(part) = found {
                return Err(Why::new(
                    format!(
                        "{path} names {part}, which may go another way with the official image"
                    ),
                    "change FROM yourself after a test",
                ));
            }
        }
        if sources == 0 {
            return Err(Why::new(
                "no source of Java is seen, and what starts may draw",
                "run docker-diet with the build context",
            ));
        }
        Ok(())
    }

    /// Refuses a start that is not one program which Cargo leaves.
    fn starts_a_program(&self) -> Result<(), Why> {
        let config = &self.stage.end.config;
        let line = config.entrypoint.set().or(config.cmd.set());
        let words = line.map(|line| line.form.argv()).unwrap_or_default();
        let first = words.first().map_or("", String::as_str);
        let by_name = !first.contains('/')
            && !is_builtin(first)
            && !self.ctx.catalog.has_word(WordSet::CommonPrograms, first);
        let is_shell = matches!(file_name(first), "sh" | "bash") || first.ends_with(".sh");
        let of_cargo = by_name
            || first.starts_with("/usr/local/bin/")
            || first.contains("target/release/")
            || first.contains("target/debug/");
        let checks = self
            .ctx
            .model
            .of_kind(self.stage, Keyword::Healthcheck)
            .next();
        if is_shell || !of_cargo || checks.is_some() || !self.ctx.settings.usage.commands.is_empty()
        {
            return Err(Why::new(
                "it starts something else than one program that Cargo leaves",
                "change FROM yourself after a test",
            ));
        }
        Ok(())
    }

    /// Refuses commands that the official image may not have, and accounts that it has.
    fn runs_what_is_there(&self, steps: &Steps<'_>) -> Result<(), Why> {
        let ctx = self.ctx;
        let runs = match self.language {
            Language::Rust => {
                self.starts_a_program()?;
                runs::of_builds(ctx, &[self.stage])?
            }
            _ => runs::of_stages(ctx, &[self.stage])?,
        };
        if let Some(place) = runs
            .scripts
            .iter()
            .find_map(|script| ctx.catalog.word_in(WordSet::InterpreterPlaces, script))
        {
            return Err(Why::new(
                format!(
                    "a script that it runs speaks of {place}, which belongs to the distribution"
                ),
                "",
            ));
        }
        let is_python = self.language == Language::Python;
        for call in &runs.calls {
            let name = call.name.as_str();
            let stem =
                name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
            if matches!(
                stem,
                "useradd" | "adduser" | "groupadd" | "addgroup" | "usermod"
            ) && self.new.users().any(|(_, id, ..)| id >= 1000)
            {
                return Err(Why::new(
                    format!(
                        "{}, and the official image has an account of its own",
                        call.told(ctx)
                    ),
                    "use that account",
                ));
            }
            let global_yarn = name == "npm"
                && call.operands().any(|word| {
                    ["yarn", "pnpm", "corepack"]
                        .iter()
                        .any(|tool| word.starts_with(tool))
                });
            if global_yarn && !call.at_start {
                return Err(Why::new(
                    format!(
                        "{}, for a tool that the official image has already",
                        call.told(ctx)
                    ),
                    "take that line out",
                ));
            }
            if !is_python && matches!(stem, "python" | "pip") {
                return Err(Why::new(
                    format!(
                        "{} beside Node: more than one language is used",
                        call.told(ctx)
                    ),
                    "give each its own stage",
                ));
            }
            let of_language = match &self.language {
                Language::Python => matches!(stem, "python" | "pip"),
                Language::Java(java) => {
                    let is_jdk_program = || self.ctx.catalog.has_word(WordSet::JdkPrograms, name);
                    self.ctx.catalog.has_word(WordSet::JrePrograms, name)
                        || java.jdk && (name == "gradlew" || is_jdk_program())
                        || java.maven && name == "mvn"
                }
                Language::Rust => {
                    // The official image has rustup's minimal profile.
                    let lacks = call
                        .operands()
                        .next()
                        .is_some_and(|word| matches!(word, "clippy" | "doc" | "fmt" | "fix"));
                    self.ctx.catalog.has_word(WordSet::RustPrograms, name) && !lacks
                }
                Language::Node(_) | Language::Several => matches!(name, "node" | "npm" | "npx"),
            };
            let package = ctx
                .catalog
                .program(name)
                .map_or(name, |program| program.package.get());
            let installed = steps.others().any(|(other, _)| other == package);
            let is_other = ctx.catalog.has_word(WordSet::UbuntuPrograms, name)
                && self.old.distribution() == Some("ubuntu");
            let fetches_node = name == "curl" || matches!(name, "bash" | "sh" | "sudo");
            let fetches_node = fetches_node && !matches!(self.language, Language::Java(_));
            let fine = of_language
                || installed
                || is_builtin(name)
                || ctx.catalog.has_word(WordSet::CommonPrograms, name)
                || fetches_node && !is_python
                // What starts comes from a package of the language, where the old base did not bring it.
                || call.at_start && ctx.catalog.has_program(self.old, name) != Some(true)
                || ctx.catalog.has_program(&self.new, name) == Some(true)
                    && ctx.catalog.has_program(self.old, name) == Some(true);
            if !fine || is_other {
                return Err(Why::new(
                    format!(
                        "{}, and whether that works on the official image is not known",
                        call.told(ctx)
                    ),
                    "change FROM yourself after a test",
                ));
            }
        }
        Ok(())
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

/// Whether a RUN only deletes, and does not mind where there is nothing to delete.
fn forces_deletes(ctx: &Ctx<'_>, index: usize) -> bool {
    ctx.model.script(index).is_some_and(|script| {
        script.invocations().iter().all(|invocation| {
            let forces = invocation.arguments().iter().any(|word| {
                let word = word.literal.as_deref().unwrap_or_default();
                word == b"--force"
                    || word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b'f')
            });
            invocation.name() == Some(b"rm") && forces
        })
    })
}
