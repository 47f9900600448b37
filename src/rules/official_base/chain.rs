//! The commands of RUNs that install a language, and how they are taken out.

use crate::catalog::{Catalog, WordSet};
use crate::model::{PackageOperation, Stage, Verb};
use crate::rules::Ctx;
use crate::rules::apt::is_apt;
use crate::rules::bases::{Why, runs};
use crate::rules::run_edit;
use crate::shell::{Command, Joint, Word};
use crate::syntax::Keyword;
use crate::text::{Edit, Span};

use super::installs;
use super::language::{Java, Language, Sought, is_rustup};

/// What one command of a RUN does.
enum Kind<'a> {
    /// Installs packages, by number those that are the language.
    Install {
        operation: PackageOperation<'a>,
        language: Vec<usize>,
        others: Vec<String>,
    },
    /// Fetches or deletes package lists.
    Lists,
    /// Adds NodeSource.
    NodeSource(u32),
    /// Installs Rust with rustup.
    Rustup,
    Other,
}

/// One command of the list that a RUN is.
struct Step<'a> {
    span: Span,
    kind: Kind<'a>,
}

/// The RUNs of a stage that install by apt or add NodeSource, as lists of commands.
pub(super) struct Steps<'a> {
    ctx: &'a Ctx<'a>,
    sought: Sought,
    runs: Vec<(usize, Vec<Step<'a>>)>,
    /// A RUN that installs cannot be read as a list.
    unread: Option<usize>,
}

impl<'a> Steps<'a> {
    pub(super) fn of(ctx: &'a Ctx<'a>, stage: &Stage) -> Self {
        let sought = sought(ctx, stage);
        let mut steps = Self {
            ctx,
            sought,
            runs: Vec::new(),
            unread: None,
        };
        for index in ctx.model.of_kind(stage, Keyword::Run) {
            let Some(script) = ctx.model.script(index) else {
                continue;
            };
            let text = ctx.dockerfile.bytes(ctx.model.instruction(index).span);
            let relevant = installs(ctx, index)
                || mentions_nodesource(text)
                || sought == Sought::Rust && mentions_rustup(text)
                || ctx.model.operations(index).iter().any(is_apt);
            if !relevant {
                continue;
            }
            let chain = script.chain();
            let plain = chain.iter().all(|(joint, command)| {
                !matches!(joint, Joint::Or | Joint::Background) && !command.negated
            });
            if !plain || !ctx.model.instruction(index).heredocs.is_empty() {
                steps.unread = steps.unread.or(Some(index));
                continue;
            }
            let operations = ctx.model.operations(index);
            let found = chain
                .into_iter()
                .map(|(_, command)| Step {
                    span: command.span,
                    kind: kind(ctx, command, &operations, sought),
                })
                .collect();
            steps.runs.push((index, found));
        }
        steps
    }

    fn all(&self) -> impl Iterator<Item = (usize, &Step<'a>)> {
        self.runs
            .iter()
            .flat_map(|(index, steps)| steps.iter().map(|step| (*index, step)))
    }

    /// The language that is installed; none without one.
    pub(super) fn language(&self) -> Option<Language> {
        match self.sought {
            Sought::Python | Sought::Node => self.python_or_node(),
            Sought::Java => {
                let names = self.language_packages();
                let is_there = names.iter().any(|name| name != "maven");
                let java = Java::of(names.iter().map(String::as_str));
                is_there.then(|| java.map_or(Language::Several, Language::Java))
            }
            Sought::Rust => {
                let installs = |(_, step): (usize, &Step<'_>)| matches!(step.kind, Kind::Rustup);
                self.all().any(installs).then_some(Language::Rust)
            }
        }
    }

    /// The packages that are the language.
    fn language_packages(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (_, step) in self.all() {
            if let Kind::Install {
                operation,
                language,
                ..
            } = &step.kind
            {
                let literal = |at: &usize| operation.packages[*at].literal.as_deref();
                let found = language.iter().filter_map(literal);
                names.extend(found.map(|name| String::from_utf8_lossy(name).into_owned()));
            }
        }
        names
    }

    fn python_or_node(&self) -> Option<Language> {
        let mut python = false;
        let mut nodejs = false;
        let mut source = None;
        for (_, step) in self.all() {
            match &step.kind {
                Kind::NodeSource(major) => source = Some(*major),
                Kind::Install {
                    operation,
                    language,
                    ..
                } => {
                    for at in language {
                        match operation.packages[*at].literal.as_deref() {
                            Some(b"nodejs") => nodejs = true,
                            Some(name) if is_old_python(self.ctx.catalog, name) => {}
                            _ => python = true,
                        }
                    }
                }
                _ => {}
            }
        }
        match (python, nodejs, source) {
            (true, true, _) | (true, _, Some(_)) => Some(Language::Several),
            (true, false, None) => Some(Language::Python),
            (false, true, Some(major)) => Some(Language::Node(major)),
            _ => None,
        }
    }

    /// The packages that are not the language, each with its line.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, usize)> {
        self.all().flat_map(move |(index, step)| {
            let names = match &step.kind {
                Kind::Install { others, .. } => others.as_slice(),
                _ => &[],
            };
            names
                .iter()
                .map(move |name| (name.as_str(), runs::line(self.ctx, index)))
        })
    }

    /// The line of the first RUN that installs the language.
    pub(super) fn first_line(&self) -> Option<usize> {
        let is_language = |step: &Step<'_>| match &step.kind {
            Kind::Install {
                operation,
                language,
                ..
            } => language.iter().any(|at| {
                let name = operation.packages[*at].literal.as_deref();
                name.is_some_and(|name| !is_old_python(self.ctx.catalog, name))
            }),
            Kind::Rustup => true,
            _ => false,
        };
        self.all()
            .find(|(_, step)| is_language(step))
            .map(|(index, _)| runs::line(self.ctx, index))
    }

    /// What takes the language out of the RUNs.
    ///
    /// # Errors
    /// When a RUN cannot be read as a list of commands, or a comment stands in what would go.
    pub(super) fn edits(&self) -> Result<Vec<Edit>, Why> {
        if let Some(index) = self.unread {
            return Err(Why::new(
                format!(
                    "line {} installs under a condition",
                    runs::line(self.ctx, index)
                ),
                "install without one",
            ));
        }
        let installs_others = self.all().any(|(_, step)| {
            matches!(&step.kind, Kind::Install { others, operation, .. } if !others.is_empty() || operation.packages.is_empty())
        });
        let mut edits = Vec::new();
        for (index, steps) in &self.runs {
            let goes = |step: &Step<'_>| match &step.kind {
                Kind::Install {
                    operation, others, ..
                } => others.is_empty() && !operation.packages.is_empty(),
                Kind::NodeSource(_) | Kind::Rustup => true,
                Kind::Lists => !installs_others,
                Kind::Other => false,
            };
            let kept: Vec<bool> = steps.iter().map(|step| !goes(step)).collect();
            let works = steps
                .iter()
                .zip(&kept)
                .any(|(step, kept)| *kept && !matches!(step.kind, Kind::Lists));
            let changed = kept.contains(&false);
            if changed && !works {
                edits.push(self.whole(*index));
                continue;
            }
            self.some(steps, &kept, &mut edits)?;
        }
        Ok(edits)
    }

    /// Takes some commands of a RUN away, and words of others.
    fn some(&self, steps: &[Step<'_>], kept: &[bool], edits: &mut Vec<Edit>) -> Result<(), Why> {
        let mut at = 0;
        while at < steps.len() {
            if kept[at] {
                if let Kind::Install {
                    operation,
                    language,
                    ..
                } = &steps[at].kind
                {
                    for number in language {
                        edits.push(self.word(operation, *number)?);
                    }
                }
                at += 1;
                continue;
            }
            let end = (at..steps.len())
                .find(|next| kept[*next])
                .unwrap_or(steps.len());
            let span = match at.checked_sub(1) {
                Some(before) => Span::new(steps[before].span.end, steps[end - 1].span.end),
                None => Span::new(steps[at].span.start, steps[end].span.start),
            };
            edits.push(self.deletion(span)?);
            at = end;
        }
        Ok(())
    }

    /// Takes one package away with the white space before it.
    fn word(&self, operation: &PackageOperation<'_>, number: usize) -> Result<Edit, Why> {
        let word: &Word = operation.packages[number];
        let before = operation
            .simple
            .words
            .iter()
            .map(|other| other.span.end)
            .filter(|end| *end <= word.span.start)
            .max()
            .unwrap_or(word.span.start);
        self.deletion(Span::new(before, word.span.end))
    }

    fn deletion(&self, span: Span) -> Result<Edit, Why> {
        if self.ctx.dockerfile.bytes(span).contains(&b'#') {
            return Err(Why::new(
                "a comment stands among what would be taken out",
                "move the comment above its instruction",
            ));
        }
        Ok(Edit::delete(span))
    }

    /// Takes a whole instruction away, with the end of its line.
    fn whole(&self, index: usize) -> Edit {
        Edit::delete(run_edit::whole_lines(self.ctx, index))
    }
}

fn kind<'a>(
    ctx: &Ctx<'_>,
    command: &Command,
    operations: &[PackageOperation<'a>],
    sought: Sought,
) -> Kind<'a> {
    let text = ctx.dockerfile.bytes(command.span);
    if sought == Sought::Rust && is_rustup(&String::from_utf8_lossy(text)) {
        return Kind::Rustup;
    }
    if let Some(major) = nodesource(text) {
        return Kind::NodeSource(major);
    }
    let inside: Vec<&PackageOperation<'a>> = operations
        .iter()
        .filter(|operation| command.span.contains(operation.simple.span))
        .collect();
    match inside.as_slice() {
        [operation] if is_apt(operation) => match operation.verb {
            Verb::Install => install(ctx.catalog, operation, sought),
            Verb::Update | Verb::Clean => Kind::Lists,
            _ => Kind::Other,
        },
        [] if text.starts_with(b"rm ")
            && text.windows(18).any(|part| part == b"/var/lib/apt/lists") =>
        {
            Kind::Lists
        }
        _ => Kind::Other,
    }
}

fn install<'a>(catalog: &Catalog, operation: &PackageOperation<'a>, sought: Sought) -> Kind<'a> {
    let mut language = Vec::new();
    let mut others = Vec::new();
    for (number, word) in operation.packages.iter().enumerate() {
        let name =
            String::from_utf8_lossy(word.literal.as_deref().unwrap_or(&word.raw)).into_owned();
        if sought.is_package(catalog, &name) {
            language.push(number);
        } else {
            others.push(name);
        }
    }
    Kind::Install {
        operation: operation.clone(),
        language,
        others,
    }
}

fn is_old_python(catalog: &Catalog, name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| catalog.has_word(WordSet::PythonOfOldNodeGyp, name))
}

/// Whose language the stage installs: Python's packages and NodeSource before all others, which then are packages.
fn sought(ctx: &Ctx<'_>, stage: &Stage) -> Sought {
    let runs = || ctx.model.of_kind(stage, Keyword::Run);
    let texts = || runs().map(|index| ctx.dockerfile.bytes(ctx.model.instruction(index).span));
    if texts().any(mentions_nodesource) {
        return Sought::Node;
    }
    let packages: Vec<String> = runs()
        .flat_map(|index| ctx.model.operations(index))
        .filter(|operation| is_apt(operation) && operation.verb == Verb::Install)
        .filter_map(|operation| operation.literal_packages())
        .flatten()
        .collect();
    let any = |sought: Sought| {
        packages
            .iter()
            .any(|name| sought.is_package(ctx.catalog, name))
    };
    if any(Sought::Python) {
        return Sought::Python;
    }
    let (java, rust) = (any(Sought::Java), texts().any(mentions_rustup));
    match (java, rust) {
        (true, false) => Sought::Java,
        (false, true) => Sought::Rust,
        _ => Sought::Python,
    }
}

fn mentions_rustup(text: &[u8]) -> bool {
    text.windows(12).any(|part| part == b"sh.rustup.rs")
}

fn mentions_nodesource(text: &[u8]) -> bool {
    text.windows(14).any(|part| part == b"nodesource.com")
}

/// The major version of `curl … https://deb.nodesource.com/setup_20.x | bash -`.
fn nodesource(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let (before, after) = text.split_once("https://deb.nodesource.com/setup_")?;
    let (version, rest) = after.split_once(".x")?;
    let words: Vec<&str> = rest
        .split_whitespace()
        .filter(|word| *word != "\\")
        .collect();
    let piped = matches!(
        words.as_slice(),
        ["|", "bash"]
            | ["|", "bash", "-"]
            | ["|", "sudo", "-E", "bash", "-"]
            | ["|", "sh"]
            | ["|", "sh", "-"]
    );
    let fetched = before.starts_with("curl ") || before.starts_with("wget ");
    (piped && fetched).then(|| version.parse().ok())?
}
