//! What the commands of a stage leave in a folder that another stage copies whole.

use crate::catalog::{CommandKind, WordSet};
use crate::model::path::{file_name, is_under};
use crate::syntax::Keyword;

use super::Why;
use super::anatomy::{Anatomy, CopyPart, Part};
use super::files::{self, Files};
use super::trace::Call;
use super::tree::Tree;

/// What the commands of the stage that builds leave in the folder.
pub(super) struct Leavings<'t> {
    pub(super) tree: &'t Tree<'t>,
    /// The stage that builds.
    pub(super) anatomy: &'t Anatomy<'t>,
    /// What its COPYs bring, and which of that the program needs.
    pub(super) files: &'t Files<'t>,
    /// The programs in the folder, absolute.
    pub(super) artifacts: &'t [&'t str],
    /// What is copied into the folder from other stages and images.
    pub(super) kept: Vec<String>,
    /// What is deleted or moved away.
    pub(super) removed: Vec<String>,
}

impl Leavings<'_> {
    /// Takes in what COPYs and commands put into the folder and take out of it.
    ///
    /// # Errors
    /// When one of them may make files there that the program reads.
    pub(super) fn read(&mut self, calls: &[Call<'_>]) -> Result<(), Why> {
        let anatomy = self.anatomy;
        for step in &anatomy.steps {
            match &step.part {
                Part::Copy(copy) => self.copy(step.index, copy)?,
                Part::Run(run) if run.unreadable => {
                    return Err(self.why(step.index, "cannot be read as shell"));
                }
                Part::Run(run) => {
                    let managers = run.system.iter().chain(&run.language);
                    let managers: Vec<_> = managers.map(|operation| operation.simple).collect();
                    for call in calls.iter().filter(|call| call.index == step.index) {
                        let of_manager = managers
                            .iter()
                            .any(|simple| std::ptr::eq(*simple, call.simple));
                        self.call(call, of_manager)?;
                    }
                }
                Part::Setting | Part::Runtime => {}
            }
        }
        Ok(())
    }

    fn why(&self, index: usize, what: &str) -> Why {
        Why::new(
            index,
            format!("line {} {what}", self.anatomy.line(index)),
            "name the files in COPY",
        )
    }

    fn copy(&mut self, index: usize, copy: &CopyPart<'_>) -> Result<(), Why> {
        let source = self.tree.source.as_str();
        let Some(destination) = copy.destination.as_deref() else {
            return Err(self.why(index, "copies to a folder that is not known"));
        };
        if !is_under(destination, source) && !is_under(source, destination) {
            return Ok(());
        }
        let is_add = self.tree.ctx.model.instruction(index).keyword == Keyword::Add;
        if is_add && !copy.whole_context {
            return Err(self.why(index, "may unpack an archive there"));
        }
        if copy.view.from.is_some() {
            if is_under(source, destination) {
                return Err(self.why(index, "copies what another stage made into it"));
            }
            self.kept.push(destination.to_owned());
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'_>, of_manager: bool) -> Result<(), Why> {
        let name = call.name();
        for path in &call.writes {
            let path = path.as_deref().and_then(|path| call.absolute(path));
            self.makes(call, path.as_deref())?;
        }
        let here = call.folder.as_deref().is_none_or(|folder| {
            is_under(folder, &self.tree.source) || is_under(&self.tree.source, folder)
        });
        let first = call.operands().next().unwrap_or_default();
        let kind = self.anatomy.ctx.catalog.command(name).map(|it| it.kind);
        match name {
            "go" => {
                if matches!(first, "generate" | "run") {
                    return Err(self.told(call));
                }
            }
            "cargo" => {
                if matches!(first, "run" | "r" | "make" | "xtask") {
                    return Err(self.told(call));
                }
            }
            "mvn" | "mvnw" | "gradle" | "gradlew" => {}
            "sh" | "bash" if matches!(file_name(first), "mvnw" | "gradlew") => {}
            "chmod" | "chown" | "chgrp" | "sed" | "find" => {}
            "touch" | "mkdir" => {
                for path in call.operands() {
                    self.makes(call, call.absolute(path).as_deref())?;
                }
            }
            "rm" | "rmdir" => {
                self.removed
                    .extend(call.operands().filter_map(|path| removed(call, path)));
            }
            "cp" | "mv" | "ln" | "install" => {
                let operands: Vec<&str> = call.operands().collect();
                if let Some((target, sources)) = operands.split_last() {
                    self.makes(call, call.absolute(target).as_deref())?;
                    if name == "mv" {
                        let moved = sources.iter().filter_map(|path| removed(call, path));
                        self.removed.extend(moved);
                    }
                }
            }
            _ if of_manager
                || self
                    .anatomy
                    .ctx
                    .catalog
                    .has_word(WordSet::SourceTools, name)
                || name.starts_with("protoc-gen") =>
            {
                let is_system = of_manager
                    && self
                        .anatomy
                        .runs()
                        .flat_map(|(_, run)| &run.system)
                        .any(|operation| std::ptr::eq(operation.simple, call.simple));
                if of_manager && here && !is_system {
                    return Err(self.told(call));
                }
            }
            _ => match kind {
                Some(
                    CommandKind::Pure
                    | CommandKind::ShellState
                    | CommandKind::Wrapper
                    | CommandKind::Key
                    | CommandKind::Account
                    | CommandKind::System,
                ) => {}
                Some(CommandKind::Download | CommandKind::File | CommandKind::BuildTool)
                    if !here && !self.names_it(call) => {}
                _ if name.is_empty() && call.words.len() <= 1 => {}
                _ => return Err(self.told(call)),
            },
        }
        Ok(())
    }

    fn told(&self, call: &Call<'_>) -> Why {
        self.why(
            call.index,
            &format!(
                "runs `{}`, which may leave files there that the program reads",
                call.name()
            ),
        )
    }

    /// Whether an argument names something in the folder, or cannot be told.
    fn names_it(&self, call: &Call<'_>) -> bool {
        call.words.iter().skip(1).any(|word| {
            let path = word.as_deref().map(|word| {
                let value = word.rsplit('=').next().unwrap_or(word);
                call.absolute(value)
            });
            path.flatten()
                .is_none_or(|path| is_under(&path, &self.tree.source))
        })
    }

    /// Refuses a file or folder that a command makes in the folder, unless it is a source or the program itself.
    fn makes(&self, call: &Call<'_>, path: Option<&str>) -> Result<(), Why> {
        let Some(path) = path else {
            return Err(self.told(call));
        };
        let source = self.tree.source.as_str();
        let is_outside = !is_under(path, source) || path == source && call.name() == "mkdir";
        let is_program = self
            .artifacts
            .iter()
            .any(|artifact| is_under(artifact, path) && path != source);
        let below = path.strip_prefix(source).unwrap_or(path);
        let is_source =
            !files::is_runtime_file(self.anatomy.ctx.catalog, below.trim_start_matches('/'))
                || matches!(file_name(path), "src" | "bin");
        let is_filled = call.name() == "mkdir" && self.files.holds(path);
        if is_outside || is_program || is_source || is_filled {
            return Ok(());
        }
        Err(self.why(
            call.index,
            &format!("makes {path}, which the program may need"),
        ))
    }
}

/// The path that a deleted operand names, up to its first star.
fn removed(call: &Call<'_>, path: &str) -> Option<String> {
    let fixed = match path.find(['*', '?', '[']) {
        Some(star) => &path[..path[..star].rfind('/').unwrap_or(0)],
        None => path,
    };
    call.absolute(fixed)
}
