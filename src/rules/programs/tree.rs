//! Which files of a folder the program needs that was built in it, for stages that copy the folder whole.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::catalog::WordSet;
use crate::model::path::{file_name, is_under, resolve};
use crate::model::{Base, CommandForm, CommandLine, Setting, Stage};
use crate::rules::Ctx;
use crate::stack::PathUse;

use super::anatomy::Anatomy;
use super::files::{self, Files};
use super::leavings::Leavings;
use super::start::SEARCH;
use super::{Built, Compiled, Program, Why, computed_start, go, java, rust};

/// The stacks whose programs say what they read.
static STACKS: &[&dyn Compiled] = &[&go::GoPrograms, &rust::RustPrograms, &java::JavaPrograms];

/// A program that reads from more places than this is not told apart from its folder.
const MOST_PATHS: usize = 8;

/// A folder that one stage fills and another copies whole.
pub(crate) struct Tree<'a> {
    pub(crate) ctx: &'a Ctx<'a>,
    /// The stage that fills it.
    pub(crate) builder: &'a Stage,
    /// The stage that ships.
    pub(crate) shipped: &'a Stage,
    /// Where it stands in the one that fills it, absolute.
    pub(crate) source: String,
    /// Where its contents stand in the one that ships, absolute.
    pub(crate) destination: String,
}

/// What a program needs of a folder.
pub(crate) struct Needed {
    /// Files and folders below the source, absolute, in order.
    pub(crate) paths: Vec<String>,
    /// Those of them that are folders.
    folders: BTreeSet<String>,
    /// Bytes of the context's files that are not needed.
    pub(crate) saved: u64,
    /// `the Go program`.
    pub(crate) what: &'static str,
}

impl Needed {
    /// The copies that bring it, as sources and destination, seen from `workdir`: files of one folder go together.
    pub(crate) fn copies(&self, tree: &Tree<'_>, workdir: &str) -> Vec<(Vec<String>, String)> {
        let mut copies: Vec<(Vec<String>, String)> = Vec::new();
        for path in &self.paths {
            let below = &path[tree.source.len()..];
            let target = resolve(&tree.destination, below.trim_start_matches('/'));
            if self.folders.contains(path) {
                copies.push((vec![path.clone()], files::relative(&target, workdir)));
                continue;
            }
            let target = files::into(files::parent(&target), workdir);
            match copies.last_mut().filter(|(_, last)| *last == target) {
                Some((sources, _)) => sources.push(path.clone()),
                None => copies.push((vec![path.clone()], target)),
            }
        }
        copies
    }
}

impl Tree<'_> {
    /// What the program that starts out of the folder needs of it; none when no such program is known, or when the
    /// folder is no project and no folder of builds.
    ///
    /// # Errors
    /// When something may have made other files there that the program reads.
    pub(crate) fn needed(&self) -> Option<Result<Needed, Why>> {
        let builder = self.as_if_it_started_there()?;
        let chain = self.ctx.model.chain(self.builder.index);
        let anatomy = Anatomy::of_chain(self.ctx, &builder, &chain);
        let built = match STACKS.iter().find_map(|stack| stack.find(&anatomy))? {
            Ok(built) => built,
            Err(why) => return self.is_a_start_from_it(&anatomy).then_some(Err(why)),
        };
        let program = &built.program;
        let is_built_here = program.command.is_none() && program.build_last.is_empty();
        let artifacts: Vec<&str> = program
            .artifacts
            .iter()
            .map(|path| path.trim_end_matches('/'))
            .filter(|path| is_under(path, &self.source) && *path != self.source)
            .collect();
        let is_project = is_under(&program.project, &self.source);
        let is_output = is_under(&self.source, &program.project) && self.is_build_folder();
        if !is_built_here
            || artifacts.is_empty()
            || !is_project && !is_output
            || self.is_cached(&anatomy, &artifacts)
        {
            return None;
        }
        Some(self.paths(&anatomy, &built, &artifacts))
    }

    /// The stage that fills the folder, with what the stage that ships starts put in terms of its paths.
    fn as_if_it_started_there(&self) -> Option<Stage> {
        let config = &self.shipped.end.config;
        let (index, mut argv) = match (&config.entrypoint, config.cmd.set()) {
            (Setting::Set(entry), cmd) => {
                let mut argv = entry.form.argv();
                if let (CommandForm::Exec(_), Some(cmd)) = (&entry.form, cmd) {
                    argv.extend(cmd.form.argv());
                }
                (entry.instruction, argv)
            }
            (_, Some(cmd)) if self.base_starts_arguments() => (cmd.instruction, cmd.form.argv()),
            _ => return None,
        };
        if self
            .ctx
            .catalog
            .has_word(WordSet::Inits, file_name(argv.first()?))
        {
            let flags = argv[1..].iter().take_while(|word| word.starts_with('-'));
            let flags = flags.count();
            argv.drain(..=flags);
        }
        let mut argv: Vec<String> = argv.iter().map(|word| self.there(word)).collect();
        let first = argv.first_mut()?;
        if !first.contains('/') && SEARCH.contains(&self.destination.as_str()) {
            *first = resolve(&self.source, first);
        }
        let workdir = config.workdir.as_deref().unwrap_or("/");
        let mut stage = self.builder.clone();
        let own = Rc::make_mut(&mut stage.end.config);
        own.workdir = Some(self.there(workdir));
        own.cmd = Setting::Reset;
        own.entrypoint = Setting::Set(Rc::new(CommandLine {
            instruction: index,
            form: CommandForm::Exec(argv),
        }));
        Some(stage)
    }

    /// Whether the base of the stage that ships starts CMD as it is.
    fn base_starts_arguments(&self) -> bool {
        match self.ctx.model.root(self.shipped.index) {
            Some(Base::Scratch) => true,
            Some(Base::Image {
                facts: Some(facts), ..
            }) => facts.family.runs_arguments || facts.entrypoint() == Some(""),
            _ => false,
        }
    }

    /// A text that may name paths of the stage that ships, with those below the destination put into the source.
    fn there(&self, text: &str) -> String {
        if self.source == self.destination {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(&self.destination) {
            let (before, after) = rest.split_at(at);
            let after = &after[self.destination.len()..];
            let begins = before
                .chars()
                .next_back()
                .is_none_or(|letter| " =:,;\"'".contains(letter));
            let ends = after
                .chars()
                .next()
                .is_none_or(|letter| "/ :,;\"'".contains(letter));
            out.push_str(before);
            out.push_str(if begins && ends {
                &self.source
            } else {
                &self.destination
            });
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Whether its name is that of a folder of builds.
    fn is_build_folder(&self) -> bool {
        let name = file_name(&self.source);
        self.ctx.catalog.has_word(WordSet::BuildFolders, name)
    }

    /// Whether it is a folder of sources or of builds, and a word of the command names something in it.
    fn is_a_start_from_it(&self, anatomy: &Anatomy<'_>) -> bool {
        let no_files = BTreeSet::new();
        let is_folder = self.is_build_folder()
            || Files::of(anatomy, &no_files)
                .is_some_and(|files| files.holds(&self.source) && !files.is_file(&self.source));
        let config = &anatomy.stage.end.config;
        let workdir = config.workdir.as_deref().unwrap_or("/");
        let words = config.entrypoint.set().map(|line| line.form.argv());
        is_folder
            && words.unwrap_or_default().iter().any(|word| {
                word.split_whitespace().any(|part| {
                    let path = resolve(workdir, part);
                    part.contains(['/', '.'])
                        && path != self.source
                        && is_under(&path, &self.source)
                })
            })
    }

    /// Whether a program lies in a cache mount, and so is not in the folder that is copied.
    fn is_cached(&self, anatomy: &Anatomy<'_>, artifacts: &[&str]) -> bool {
        anatomy.runs().any(|(index, _)| {
            let workdir = anatomy.workdir(index).unwrap_or("/");
            let mounts = self.ctx.model.instruction(index).mounts();
            mounts.iter().any(|mount| {
                let target = mount
                    .options
                    .iter()
                    .filter(|(name, _)| matches!(name.as_str(), "target" | "dst" | "destination"))
                    .find_map(|(_, value)| Some(resolve(workdir, value.as_deref()?)));
                target.is_some_and(|target| artifacts.iter().any(|path| is_under(path, &target)))
            })
        })
    }

    fn paths(
        &self,
        anatomy: &Anatomy<'_>,
        built: &Built<'_>,
        artifacts: &[&str],
    ) -> Result<Needed, Why> {
        let program = &built.program;
        let anchor = built.start.index;
        self.starts_nothing_there(program, anchor)?;
        let no_files = BTreeSet::new();
        let files = Files::of(anatomy, &no_files);
        let mut files = files.ok_or_else(|| Why::new(anchor, "there is no build context", ""))?;
        let workdir = anatomy.stage.end.config.workdir.as_deref().unwrap_or("/");
        let mut uses = program.uses.clone();
        let translated = |used: &mut PathUse| used.path = self.there(&used.path);
        uses.reads.iter_mut().for_each(translated);
        files.want_uses(&uses, workdir, &program.root, &program.embedded);
        for path in &program.framework {
            if let Some(image) = files.image_path(path) {
                files.want_path(&image);
            }
        }
        for name in self.ctx.catalog.words(WordSet::FilesReadUntold) {
            files.want_path(&resolve(workdir, name));
        }
        // A file can only be written into a folder that is there.
        for used in &uses.writes {
            let path = resolve(workdir, &self.there(&used.path));
            let folder = files::parent(&path);
            if folder != workdir && folder != self.source {
                files.want_path(folder);
            }
        }
        let words = self.words(&built.start.argv);
        files.want_words(words.iter().map(String::as_str), workdir);
        let mut made = Leavings {
            tree: self,
            anatomy,
            files: &files,
            artifacts,
            kept: Vec::new(),
            removed: Vec::new(),
        };
        made.read(&built.calls)?;
        let Leavings {
            kept: made_elsewhere,
            removed,
            ..
        } = made;
        let mut folders: BTreeSet<String> = made_elsewhere.iter().cloned().collect();
        let wanted = files.wanted_below(&self.source).ok_or_else(|| {
            Why::new(
                anchor,
                "the program reads files that a RUN may have made there",
                "name the files in COPY",
            )
        })?;
        let mut paths: Vec<String> = artifacts.iter().map(|path| (*path).to_owned()).collect();
        let of_artifacts = program.artifacts.iter();
        folders.extend(of_artifacts.filter_map(|path| Some(path.strip_suffix('/')?.to_owned())));
        let whole = wanted.iter().filter(|path| !files.is_file(path));
        folders.extend(whole.cloned());
        paths.extend(wanted.into_iter().chain(made_elsewhere));
        paths.sort();
        paths.dedup();
        let all = paths.clone();
        paths.retain(|path| {
            !all.iter()
                .any(|other| other != path && is_under(path, other))
        });
        self.names_nothing_else(&words, workdir, &paths, anchor)?;
        if let Some(path) = removed
            .iter()
            .find(|gone| paths.iter().any(|path| is_under(path, gone)))
        {
            return Err(Why::new(
                anchor,
                format!("{path} is deleted or moved before it is copied"),
                "name the files in COPY",
            ));
        }
        if paths.iter().any(|path| files.is_link(path)) {
            return Err(Why::new(
                anchor,
                "the program reads through a link in it",
                "name the files in COPY",
            ));
        }
        if paths.len() > MOST_PATHS {
            return Err(Why::new(
                anchor,
                "the program may read files from all over it",
                "name the files in COPY",
            ));
        }
        Ok(Needed {
            saved: files.left_behind(&self.source, &paths),
            what: program.what,
            paths,
            folders,
        })
    }

    /// Refuses programs that start others, where those may lie in the folder.
    fn starts_nothing_there(&self, program: &Program, anchor: usize) -> Result<(), Why> {
        if let Some(computed) = computed_start(&program.uses) {
            return Err(Why::new(
                anchor,
                format!(
                    "{} starts a program whose name is computed",
                    computed.source
                ),
                "name the files in COPY",
            ));
        }
        let by_name = SEARCH.contains(&self.destination.as_str());
        let started = program
            .uses
            .programs
            .iter()
            .find(|started| by_name || started.fact.contains('/'));
        match started {
            Some(started) => Err(Why::new(
                anchor,
                format!(
                    "{} starts `{}`, which may lie in it",
                    started.source, started.fact
                ),
                "name the files in COPY",
            )),
            None => Ok(()),
        }
    }

    /// The words of the command, of ENV and of HEALTHCHECK, in terms of the source.
    fn words(&self, argv: &[String]) -> Vec<String> {
        let config = &self.shipped.end.config;
        let values = config
            .env
            .iter()
            .filter(|(name, _)| *name != "PATH")
            .map(|(_, value)| value.as_str());
        let check = config.healthcheck.as_deref().unwrap_or_default();
        let texts = values.chain([check]);
        let marks: &[char] = &[' ', '\t', '\n', '"', '\'', '[', ']', ',', ';'];
        let own = argv.iter().map(String::as_str);
        let mut words: Vec<String> = texts
            .map(|text| self.there(text))
            .flat_map(|text| text.split(marks).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        words.extend(own.flat_map(|text| text.split(marks)).map(str::to_owned));
        words.retain(|word| !word.is_empty());
        words
    }

    /// Refuses words that name something in the folder beside what is copied.
    fn names_nothing_else(
        &self,
        words: &[String],
        workdir: &str,
        paths: &[String],
        anchor: usize,
    ) -> Result<(), Why> {
        let parts = words.iter().flat_map(|word| word.split(['=', ':']));
        for part in parts.filter(|part| part.contains('/')) {
            let path = resolve(workdir, part);
            let is_inside = path != self.source && is_under(&path, &self.source);
            let is_known = paths
                .iter()
                .any(|kept| is_under(&path, kept) || is_under(kept, &path));
            if is_inside && !is_known {
                return Err(Why::new(
                    anchor,
                    format!("{part} is named, which the build context does not hold"),
                    "name the files in COPY",
                ));
            }
        }
        Ok(())
    }
}
