//! What keeps a distribution from being replaced by a language's official image.

use crate::catalog::{ImageFacts, WordSet};
use crate::context::Context;
use crate::model::path::file_name;
use crate::rules::Ctx;
use crate::rules::bases::runs::Call;
use crate::rules::bases::{Why, is_builtin, runs};
use crate::stack::usage::Budget;
use crate::stack::{Details, STACKS};
use crate::syntax::Keyword;

use super::Replacement;
use super::chain::Steps;
use super::language::Language;

impl Replacement<'_> {
    /// Refuses an ENV that leaves out the folder where the official image has its programs.
    pub(super) fn keeps_path(&self) -> Result<(), Why> {
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
    pub(super) fn others_are_there(&self, steps: &Steps<'_>) -> Result<(), Why> {
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

    pub(super) fn names_no_old_place(&self) -> Result<(), Why> {
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
    pub(super) fn runs_what_is_there(&self, steps: &Steps<'_>) -> Result<(), Why> {
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
        for call in &runs.calls {
            self.is_no_concern(call)?;
            if !self.is_there(call, steps) {
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

    /// Refuses accounts and tools that the official image has already, and a second language.
    fn is_no_concern(&self, call: &Call) -> Result<(), Why> {
        let ctx = self.ctx;
        let name = call.name.as_str();
        let stem = stem(name);
        if ctx.catalog.is_account_tool(stem) && self.new.users().any(|(_, id, ..)| id >= 1000) {
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
        if self.language != Language::Python && matches!(stem, "python" | "pip") {
            return Err(Why::new(
                format!(
                    "{} beside Node: more than one language is used",
                    call.told(ctx)
                ),
                "give each its own stage",
            ));
        }
        Ok(())
    }

    /// Whether a program is in the official image as it is in the old one, is installed, or comes with the language.
    fn is_there(&self, call: &Call, steps: &Steps<'_>) -> bool {
        let ctx = self.ctx;
        let name = call.name.as_str();
        let package = ctx
            .catalog
            .program(name)
            .map_or(name, |program| program.package.get());
        let installed = steps.others().any(|(other, _)| other == package);
        let is_other = ctx.catalog.has_word(WordSet::UbuntuPrograms, name)
            && self.old.distribution() == Some("ubuntu");
        let fetches_node = name == "curl" || matches!(name, "bash" | "sh" | "sudo");
        let fetches_node = fetches_node && !matches!(self.language, Language::Java(_));
        let is_there = self.is_of_language(call)
            || installed
            || is_builtin(name)
            || ctx.catalog.has_word(WordSet::CommonPrograms, name)
            || fetches_node && self.language != Language::Python
            // What starts comes from a package of the language, where the old base did not bring it.
            || call.at_start && ctx.catalog.has_program(self.old, name) != Some(true)
            || ctx.catalog.has_program(&self.new, name) == Some(true)
                && ctx.catalog.has_program(self.old, name) == Some(true);
        is_there && !is_other
    }

    /// Whether a program comes with the language.
    fn is_of_language(&self, call: &Call) -> bool {
        let name = call.name.as_str();
        match &self.language {
            Language::Python => matches!(stem(name), "python" | "pip"),
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
        }
    }
}

/// `python3.11` → `python`.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.')
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
