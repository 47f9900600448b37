//! The commands that the RUNs of a stage call, each with the folder that it runs in.

use crate::model::path::resolve;
use crate::shell::{Command, CommandKind, Simple, Statement, Word};
use crate::syntax::Variables;

use super::anatomy::{Anatomy, Part};

/// A command of a RUN.
pub(crate) struct Call<'a> {
    /// Index of its RUN.
    pub(crate) index: usize,
    /// The folder in the image that it runs in; none where it cannot be told.
    pub(crate) folder: Option<String>,
    /// The program without its folder, and its arguments, with the variables of the Dockerfile filled in. A word with
    /// a glob is as written; one that cannot be told is none.
    pub(crate) words: Vec<Option<String>>,
    /// Variables that are set for it in its RUN.
    pub(crate) variables: Vec<(String, String)>,
    /// Where it stands.
    pub(crate) simple: &'a Simple,
    /// Whether it stands in the argument of `sh -c`, where an edit would meet two levels of quotes.
    pub(crate) inner: bool,
    /// The files that its redirections write; none for one that cannot be told.
    pub(crate) writes: Vec<Option<String>>,
}

impl Call<'_> {
    /// The name of the program.
    pub(crate) fn name(&self) -> &str {
        self.words
            .first()
            .and_then(Option::as_deref)
            .unwrap_or_default()
    }

    /// The words as far as all of them are known.
    pub(crate) fn known(&self) -> Option<Vec<&str>> {
        self.words.iter().map(Option::as_deref).collect()
    }

    /// The value that the RUN itself gives to a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `path` seen from the folder of the call.
    pub(crate) fn absolute(&self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return Some(resolve("/", path));
        }
        Some(resolve(self.folder.as_deref()?, path))
    }

    /// The arguments that are no flags.
    pub(crate) fn operands(&self) -> impl Iterator<Item = &str> {
        self.words
            .iter()
            .skip(1)
            .filter_map(Option::as_deref)
            .filter(|word| !word.starts_with('-'))
    }
}

/// Every command that the RUNs call, in order.
pub(crate) fn calls<'a>(anatomy: &'a Anatomy<'a>) -> Vec<Call<'a>> {
    let mut calls = Vec::new();
    for step in &anatomy.steps {
        if !matches!(step.part, Part::Run(_)) {
            continue;
        }
        let Some(script) = anatomy.ctx.model.script(step.index) else {
            continue;
        };
        let mut walk = Walk {
            anatomy,
            index: step.index,
            calls: &mut calls,
        };
        let mut shell = Shell {
            folder: anatomy.workdir(step.index).map(str::to_owned),
            variables: Vec::new(),
            inner: false,
        };
        walk.list(&script.body, &mut shell);
    }
    calls
}

/// What a shell has at one point of its script.
#[derive(Clone)]
struct Shell {
    folder: Option<String>,
    variables: Vec<(String, String)>,
    inner: bool,
}

struct Walk<'a, 'c> {
    anatomy: &'a Anatomy<'a>,
    index: usize,
    calls: &'c mut Vec<Call<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn list(&mut self, list: &'a [Statement], shell: &mut Shell) {
        for statement in list {
            self.command(&statement.command, shell);
        }
    }

    fn command(&mut self, command: &'a Command, shell: &mut Shell) {
        match &command.kind {
            CommandKind::Simple(simple) => self.simple(command, simple, shell),
            CommandKind::Binary { left, right, .. } => {
                self.command(left, shell);
                self.command(right, shell);
            }
            CommandKind::Subshell(list) => self.list(list, &mut shell.clone()),
            CommandKind::Group(list) => self.list(list, shell),
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for (condition, body) in branches {
                    self.branch(condition, shell);
                    self.branch(body, shell);
                }
                self.branch(otherwise, shell);
            }
            CommandKind::For { body, .. } => self.branch(body, shell),
            CommandKind::While { condition, body } => {
                self.branch(condition, shell);
                self.branch(body, shell);
            }
            CommandKind::Case { arms, .. } => {
                for arm in arms {
                    self.branch(arm, shell);
                }
            }
            CommandKind::Function { body, .. } => self.command(body, &mut shell.clone()),
            CommandKind::Other(_) => {}
        }
    }

    /// A list that may run or not: a folder that it changes is not known afterwards.
    fn branch(&mut self, list: &'a [Statement], shell: &mut Shell) {
        let mut inner = shell.clone();
        self.list(list, &mut inner);
        if inner.folder != shell.folder {
            shell.folder = None;
        }
    }

    fn simple(&mut self, command: &'a Command, simple: &'a Simple, shell: &mut Shell) {
        let mut variables = shell.variables.clone();
        for assignment in &simple.assignments {
            let value = self.text(&assignment.value, shell).unwrap_or_default();
            variables.push((
                String::from_utf8_lossy(&assignment.name).into_owned(),
                value,
            ));
        }
        if simple.words.is_empty() {
            shell.variables = variables;
            return;
        }
        if let Some(inner) = &simple.inner {
            let mut own = shell.clone();
            own.inner = true;
            self.list(&inner.script.body, &mut own);
            return;
        }
        for word in simple.prefix() {
            if let Some((name, value)) = self
                .text(word, shell)
                .as_deref()
                .and_then(|text| text.split_once('='))
            {
                variables.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut words = vec![
            simple
                .name()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
        ];
        words.extend(simple.arguments().iter().map(|word| self.text(word, shell)));
        match words[0].as_deref() {
            Some("cd" | "pushd") => {
                let target = words.get(1).cloned().flatten();
                shell.folder = match (target, shell.folder.as_deref()) {
                    (Some(path), _) if path.starts_with('/') => Some(resolve("/", &path)),
                    (Some(path), Some(folder)) if path != "-" => Some(resolve(folder, &path)),
                    _ => None,
                };
            }
            Some("popd") => shell.folder = None,
            Some("export" | "declare" | "readonly") => {
                for word in words.iter().skip(1).flatten() {
                    if let Some((name, value)) = word.split_once('=') {
                        shell.variables.push((name.to_owned(), value.to_owned()));
                    }
                }
            }
            _ => {}
        }
        let writes = command
            .redirects
            .iter()
            .filter(|redirect| matches!(redirect.operator.as_slice(), b">" | b">>" | b">|" | b"&>"))
            .map(|redirect| self.text(&redirect.target, shell))
            .collect();
        self.calls.push(Call {
            index: self.index,
            folder: shell.folder.clone(),
            words,
            variables,
            simple,
            inner: shell.inner,
            writes,
        });
    }

    fn text(&self, word: &Word, shell: &Shell) -> Option<String> {
        if let Some(literal) = &word.literal {
            return Some(String::from_utf8_lossy(literal).into_owned());
        }
        if !word.substitutions.is_empty() {
            return None;
        }
        if word.variables.is_empty() {
            return Some(String::from_utf8_lossy(&word.raw).into_owned());
        }
        let state = self.anatomy.ctx.model.state(self.index);
        let mut known: Variables = state
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (name, value) in &shell.variables {
            known.insert(name.clone(), value.clone());
        }
        let all_known = word
            .variables
            .iter()
            .all(|name| std::str::from_utf8(name).is_ok_and(|name| known.contains_key(name)));
        if !all_known {
            return None;
        }
        crate::syntax::expand(&word.raw, &known, b'\\').ok()
    }
}
