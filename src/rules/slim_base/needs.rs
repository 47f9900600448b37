//! What the slim image has, what the stage installs, and what must be added.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{ImageFacts, Native, WordSet};
use crate::model::{Stage, Verb};
use crate::rules::Ctx;
use crate::rules::bases::Why;
use crate::rules::bases::is_builtin;
use crate::rules::bases::runs::{self, Call};
use crate::syntax::Keyword;
use crate::text::Edit;

/// More packages than this are no longer a small addition.
const FEW: usize = 3;

/// Programs that check certificates of what they fetch.
const FETCH: &[&str] = &["curl", "git", "wget"];

pub(super) struct Inventory<'a> {
    ctx: &'a Ctx<'a>,
    full: &'a ImageFacts,
    slim: Option<&'a ImageFacts>,
    /// Packages that the stages install themselves, and the first instruction that does.
    installed: BTreeMap<String, usize>,
    /// The first instruction that installs a program which fetches, without what it recommends.
    bare_fetch: Option<usize>,
    /// Packages to add, and the first instruction that needs them; the greatest number for the start.
    wanted: BTreeMap<String, usize>,
}

impl<'a> Inventory<'a> {
    pub(super) fn new(
        ctx: &'a Ctx<'a>,
        stages: &[&Stage],
        full: &'a ImageFacts,
        slim: Option<&'a ImageFacts>,
    ) -> Self {
        let mut installed = BTreeMap::new();
        let mut bare_fetch = None;
        for index in stages
            .iter()
            .flat_map(|stage| ctx.model.of_kind(stage, Keyword::Run))
        {
            for operation in ctx.model.operations(index) {
                if operation.verb == Verb::Install
                    && matches!(operation.manager.name.get(), "apt" | "apt-get" | "aptitude")
                {
                    let bare = operation.has_flag(&["--no-install-recommends"]);
                    for name in operation.literal_packages().into_iter().flatten() {
                        if bare && FETCH.contains(&name.as_str()) {
                            bare_fetch = bare_fetch.or(Some(index));
                        }
                        installed.entry(name).or_insert(index);
                    }
                }
            }
        }
        Self {
            ctx,
            full,
            slim,
            installed,
            bare_fetch,
            wanted: BTreeMap::new(),
        }
    }

    /// Takes note of a call.
    ///
    /// # Errors
    /// When nothing says that the slim image can do it.
    pub(super) fn call(&mut self, call: &Call) -> Result<(), Why> {
        let at = call.index.filter(|_| !call.at_start).unwrap_or(usize::MAX);
        if self.program(&call.name, at, &call.told(self.ctx))? {
            let fetches_safely = call.arguments.iter().any(|word| word.contains("https:"));
            if FETCH.contains(&call.name.as_str()) && (fetches_safely || call.name == "git") {
                self.package("ca-certificates", at);
            }
            return Ok(());
        }
        Err(Why::new(
            format!(
                "{}, and whether the slim image has all that it needs is not known",
                call.told(self.ctx)
            ),
            "choose the slim image yourself after a test",
        ))
    }

    /// Whether the program is there, or will be when the wanted packages are installed, at the instruction `at`.
    ///
    /// # Errors
    /// When it compiles, so that the full image is needed to build.
    pub(super) fn program(&mut self, name: &str, at: usize, told: &str) -> Result<bool, Why> {
        let catalog = self.ctx.catalog;
        if is_builtin(name) || matches!(name, "apt-get" | "apt" | "apt-cache" | "dpkg-query") {
            return Ok(true);
        }
        let on_slim = self.slim.and_then(|slim| catalog.has_program(slim, name));
        if on_slim == Some(true) {
            return Ok(true);
        }
        let package = catalog
            .program(name)
            .filter(|program| {
                let release = self.full.release.map_or("", |release| release.name.get());
                !program
                    .missing_in
                    .get()
                    .iter()
                    .any(|gone| *gone == *release)
            })
            .map(|program| program.package.get());
        if package
            .into_iter()
            .chain([name])
            .any(|package| self.installed.get(package).is_some_and(|from| *from <= at))
        {
            return Ok(true);
        }
        if catalog.has_program(self.full, name) != Some(true) {
            return Ok(false);
        }
        if catalog.has_word(WordSet::CompilerPrograms, name) {
            return Err(Why::new(
                format!("{told}, which belongs into a build stage"),
                "build in a stage of its own, and copy the result",
            ));
        }
        match package {
            Some(package) => {
                self.package(package, at);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Adds a Debian package that is needed at the instruction `at`, unless it is there.
    pub(super) fn package(&mut self, name: &str, at: usize) {
        let there = self
            .slim
            .and_then(|slim| self.ctx.catalog.has_package(slim, name))
            == Some(true);
        if there || self.installed.get(name).is_some_and(|from| *from <= at) {
            return;
        }
        let first = self.wanted.entry(name.to_owned()).or_insert(at);
        *first = at.min(*first);
    }

    /// Adds the libraries that a package of a language opens, as far as the full image has them.
    pub(super) fn libraries(&mut self, native: &Native) {
        let release = self.full.release.map_or("", |release| release.name.get());
        for library in native.libraries(release) {
            if self.ctx.catalog.has_package(self.full, library.get()) != Some(false) {
                self.package(library.get(), usize::MAX);
            }
        }
    }

    /// Adds the edits that install what is wanted; returns the names.
    ///
    /// # Errors
    /// When it is too much, or when nothing can be installed in that release any more.
    pub(super) fn finish(
        mut self,
        stage: &Stage,
        edits: &mut Vec<Edit>,
    ) -> Result<Vec<String>, Why> {
        self.certificates_of_installed();
        if self.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = self.wanted.keys().cloned().collect();
        let counted = names
            .iter()
            .filter(|name| *name != "ca-certificates")
            .count();
        if counted > FEW {
            return Err(Why::new(
                format!("it uses {} of the full image", names.join(", ")),
                "choose the slim image yourself, and install them",
            ));
        }
        let release = self.full.release.map_or("", |release| release.name.get());
        if !matches!(release, "bookworm" | "trixie") {
            return Err(Why::new(
                format!(
                    "it uses {}, and whether that release still has packages is not known",
                    names.join(", ")
                ),
                "move to a supported release",
            ));
        }
        let earliest = self.wanted.values().copied().min().unwrap_or(usize::MAX);
        edits.push(match self.own_install(stage, earliest) {
            Some(edit) => edit,
            None => self.new_install(stage, &names)?,
        });
        Ok(names)
    }

    /// `curl` that is installed without what it recommends finds certificates on full images only. Debian's own
    /// image has none in either form.
    fn certificates_of_installed(&mut self) {
        if let Some(index) = self.bare_fetch
            && self.full.family.name != "debian"
            && !self.installed.contains_key("ca-certificates")
        {
            // They stand in the same command as the program that needs them.
            self.package("ca-certificates", index + 1);
        }
    }

    /// The names appended to the stage's first install command, where that comes before they are needed.
    fn own_install(&self, stage: &Stage, earliest: usize) -> Option<Edit> {
        let model = self.ctx.model;
        let index = model
            .of_kind(stage, Keyword::Run)
            .find(|index| {
                model.operations(*index).iter().any(|operation| {
                    operation.verb == Verb::Install && operation.manager.name == "apt-get"
                })
            })
            .filter(|index| *index < earliest)?;
        let operations = model.operations(index);
        let operation = operations.iter().find(|operation| {
            operation.verb == Verb::Install && operation.manager.name == "apt-get"
        })?;
        if !operation.position.unconditional || operation.position.in_own_process() {
            return None;
        }
        let last = operation.packages.last()?;
        let names: Vec<&str> = self.wanted.keys().map(String::as_str).collect();
        last.contiguous
            .then(|| Edit::insert(last.span.end, format!(" {}", names.join(" "))))
    }

    /// A RUN of its own right after FROM.
    fn new_install(&self, stage: &Stage, names: &[String]) -> Result<Edit, Why> {
        let from = self.ctx.model.instruction(stage.from);
        let source = self.ctx.dockerfile.source();
        let end = source[from.span.end..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| from.span.end + at + 1)
            .ok_or_else(|| Why::new("nothing follows FROM", ""))?;
        let lower = self.ctx.dockerfile.bytes(from.keyword_span) == b"from";
        let eol = self.ctx.dockerfile.line_ending();
        Ok(Edit::insert(
            end,
            format!(
                "{} apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*{eol}",
                if lower { "run" } else { "RUN" },
                names.join(" ")
            ),
        ))
    }

    /// Takes note of the programs that sources start.
    pub(super) fn started<'t>(
        &mut self,
        programs: impl Iterator<Item = (&'t str, String)>,
    ) -> Result<(), Why> {
        let mut seen = BTreeSet::new();
        for (name, place) in programs {
            if !seen.insert(name.to_owned()) {
                continue;
            }
            let told = format!("{place} starts {name}");
            if !self.program(name, usize::MAX, &told)?
                && self.ctx.catalog.has_program(self.full, name) == Some(true)
            {
                return Err(Why::new(
                    format!("{told}, which only the full image has"),
                    "install it in the Dockerfile",
                ));
            }
        }
        Ok(())
    }

    /// The line of an instruction, for messages.
    pub(super) fn line(&self, index: usize) -> usize {
        runs::line(self.ctx, index)
    }
}
