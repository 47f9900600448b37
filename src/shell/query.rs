//! Questions that rules ask of a script: which commands run, and where in it.

use super::{Command, CommandKind, Inner, Operator, Script, Simple, Statement, Terminator, Word};

/// Where in the script a simple command stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// In the top-level list, joined only by `&&`, `;` or line ends: it always runs when what precedes it succeeds.
    pub unconditional: bool,
    /// Reached through `||` on either side, `if`, `case`, a loop or a function body.
    pub conditional: bool,
    /// Reached in some runs only: on the right of `||`, in an `if`, a `case`, a loop or a function body.
    pub optional: bool,
    /// In a loop body.
    pub in_loop: bool,
    /// In `( … )`.
    pub in_subshell: bool,
    /// In `{ … }`.
    pub in_group: bool,
    /// Part of a pipeline.
    pub in_pipe: bool,
    /// In a function body.
    pub in_function: bool,
    /// In `$( … )` or backquotes.
    pub in_substitution: bool,
    /// In the argument of `sh -c`.
    pub in_inner_script: bool,
    /// Under a `!`.
    pub negated: bool,
    /// Ended by `&`.
    pub background: bool,
}

impl Position {
    /// Whether what the command does to the shell itself (folder, variables, options) is undone before the
    /// script goes on.
    #[must_use]
    pub fn in_own_process(self) -> bool {
        self.in_subshell
            || self.in_pipe
            || self.in_substitution
            || self.in_inner_script
            || self.background
    }
}

/// A simple command and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// The command.
    pub simple: &'a Simple,
    /// The command as a whole, with its redirections.
    pub command: &'a Command,
    /// Where.
    pub position: Position,
}

impl<'a> Invocation<'a> {
    /// The program without its folder, past `sudo`, `doas`, `env`, `exec`, `command`, `builtin`, `nohup`, `time`
    /// and `nice` with their options. None without a program, or when its name is computed.
    #[must_use]
    pub fn name(&self) -> Option<&'a [u8]> {
        self.simple.name()
    }

    /// The words before the program: `sudo -E`, `env A=b`. Empty when there is no program.
    #[must_use]
    pub fn prefix(&self) -> &'a [Word] {
        self.simple.prefix()
    }

    /// The words after the program. Empty when there is no program.
    #[must_use]
    pub fn arguments(&self) -> &'a [Word] {
        self.simple.arguments()
    }

    /// Whether it runs the program `name`.
    #[must_use]
    pub fn calls(&self, name: &str) -> bool {
        self.name() == Some(name.as_bytes())
    }

    /// Whether a word of the prefix is `name`, as with `sudo`.
    #[must_use]
    pub fn is_run_by(&self, name: &str) -> bool {
        self.prefix()
            .iter()
            .any(|word| word.literal.as_deref() == Some(name.as_bytes()))
    }

    /// Whether one of its arguments is exactly `argument`.
    #[must_use]
    pub fn has_argument(&self, argument: &str) -> bool {
        self.arguments()
            .iter()
            .any(|word| word.literal.as_deref() == Some(argument.as_bytes()))
    }

    /// The script that it hands to a shell, where it could be read.
    #[must_use]
    pub fn inner(&self) -> Option<&'a Inner> {
        self.simple.inner.as_deref()
    }
}

impl Simple {
    /// As [`Invocation::name`].
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.program.name(&self.words)
    }

    /// As [`Invocation::prefix`].
    #[must_use]
    pub fn prefix(&self) -> &[Word] {
        match self.program.index {
            Some(index) => &self.words[..index],
            None => &[],
        }
    }

    /// As [`Invocation::arguments`].
    #[must_use]
    pub fn arguments(&self) -> &[Word] {
        match self.program.index {
            Some(index) => &self.words[index + 1..],
            None => &[],
        }
    }

    /// Whether it is `export`, `readonly`, `local`, `declare` or `typeset`.
    #[must_use]
    pub fn is_declaration(&self) -> bool {
        matches!(
            self.words.first().and_then(|word| word.literal.as_deref()),
            Some(b"export" | b"readonly" | b"local" | b"declare" | b"typeset")
        )
    }

    /// Of a declaration, each operand's name and whether a value is given with it.
    #[must_use]
    pub fn declared(&self) -> Vec<(&[u8], bool)> {
        if !self.is_declaration() {
            return Vec::new();
        }
        let operands = self.words[1..].iter().map(|word| word.raw.as_slice());
        operands
            .filter_map(|raw| {
                let end = raw.iter().position(|byte| b"+=[".contains(byte));
                let name = &raw[..end.unwrap_or(raw.len())];
                super::word::is_name(name).then_some((name, end.is_some()))
            })
            .collect()
    }
}

/// How a command of [`Script::chain`] follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// It is the first.
    First,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;` or a line end.
    Sequence,
    /// `&`: the one before it runs on.
    Background,
}

impl Script {
    /// Every simple command, in the order in which they are written, those in substitutions and inner scripts
    /// after their command.
    #[must_use]
    pub fn invocations(&self) -> Vec<Invocation<'_>> {
        let mut invocations = Vec::with_capacity(8);
        self.each_invocation(|it| invocations.push(it));
        invocations
    }

    /// Calls `see` with each of [`Script::invocations`].
    pub(super) fn each_invocation<'a>(&'a self, mut see: impl FnMut(Invocation<'a>)) {
        self.visit(&mut |part, position| {
            if let Part::Command(command) = part
                && let CommandKind::Simple(simple) = &command.kind
            {
                see(Invocation {
                    simple,
                    command,
                    position,
                });
            }
        });
    }

    /// Every word, outer before inner.
    #[must_use]
    pub fn words(&self) -> Vec<&Word> {
        let mut words = Vec::new();
        self.visit(&mut |part, _| {
            if let Part::Word(word) = part {
                words.push(word);
            }
        });
        words
    }

    /// The top-level list as one sequence: pipelines, compound and simple commands, and how each follows the one before it.
    #[must_use]
    pub fn chain(&self) -> Vec<(Joint, &Command)> {
        let mut chain = Vec::new();
        let mut joint = Joint::First;
        for statement in &self.body {
            let mut rest = Vec::new();
            let mut command = &statement.command;
            while let CommandKind::Binary {
                left,
                operator: operator @ (Operator::And | Operator::Or),
                right,
                ..
            } = &command.kind
            {
                let joint = match operator {
                    Operator::And => Joint::And,
                    _ => Joint::Or,
                };
                rest.push((joint, &**right));
                command = left;
            }
            chain.push((joint, command));
            chain.extend(rest.into_iter().rev());
            joint = match statement.terminator {
                Terminator::Background => Joint::Background,
                Terminator::None | Terminator::Semicolon => Joint::Sequence,
            };
        }
        chain
    }

    /// Whether the script is simple commands joined by nothing but `&&`.
    #[must_use]
    pub fn is_plain_and_chain(&self) -> bool {
        let background = self
            .body
            .iter()
            .any(|statement| statement.terminator == Terminator::Background);
        !background
            && !self.body.is_empty()
            && self.chain().iter().all(|(joint, command)| {
                matches!(joint, Joint::First | Joint::And)
                    && !command.negated
                    && matches!(command.kind, CommandKind::Simple(_))
            })
    }

    /// The words' values when the script is exactly one simple command without assignment, expansion, glob or
    /// redirection: what an exec form holds.
    #[must_use]
    pub fn single_plain_command(&self) -> Option<Vec<Vec<u8>>> {
        let [statement] = self.body.as_slice() else {
            return None;
        };
        let command = &statement.command;
        let CommandKind::Simple(simple) = &command.kind else {
            return None;
        };
        let bare = statement.terminator == Terminator::None
            && !command.negated
            && command.redirects.is_empty()
            && simple.assignments.is_empty()
            && !simple.words.is_empty();
        if !bare {
            return None;
        }
        simple
            .words
            .iter()
            .map(|word| word.literal.clone())
            .collect()
    }

    /// Calls `see` with every command and word, outer before inner.
    pub(super) fn visit<'a>(&'a self, see: &mut dyn FnMut(Part<'a>, Position)) {
        let top = Position {
            unconditional: true,
            ..Position::default()
        };
        visit_list(&self.body, top, see);
    }
}

/// What [`Script::visit`] shows.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Command(&'a Command),
    Word(&'a Word),
}

type See<'s, 'a> = &'s mut dyn FnMut(Part<'a>, Position);

fn visit_list<'a>(list: &'a [Statement], position: Position, see: See<'_, 'a>) {
    for statement in list {
        let mut position = position;
        if statement.terminator == Terminator::Background {
            position.background = true;
            position.unconditional = false;
        }
        visit_command(&statement.command, position, see);
    }
}

fn visit_command<'a>(command: &'a Command, mut position: Position, see: See<'_, 'a>) {
    if command.negated {
        position.negated = true;
        position.unconditional = false;
    }
    see(Part::Command(command), position);
    let within = Position {
        unconditional: false,
        ..position
    };
    let choice = Position {
        conditional: true,
        optional: true,
        ..within
    };
    match &command.kind {
        CommandKind::Simple(simple) => visit_simple(simple, position, see),
        CommandKind::Binary { .. } => visit_binary(command, position, see),
        CommandKind::Subshell(body) => {
            let within = Position {
                in_subshell: true,
                ..within
            };
            visit_list(body, within, see);
        }
        CommandKind::Group(body) => {
            let within = Position {
                in_group: true,
                ..within
            };
            visit_list(body, within, see);
        }
        CommandKind::If {
            branches,
            otherwise,
        } => {
            for (condition, body) in branches {
                visit_list(condition, choice, see);
                visit_list(body, choice, see);
            }
            visit_list(otherwise, choice, see);
        }
        CommandKind::For { words, body, .. } => {
            words.iter().for_each(|word| visit_word(word, within, see));
            let choice = Position {
                in_loop: true,
                ..choice
            };
            visit_list(body, choice, see);
        }
        CommandKind::While { condition, body } => {
            let choice = Position {
                in_loop: true,
                ..choice
            };
            visit_list(condition, choice, see);
            visit_list(body, choice, see);
        }
        CommandKind::Case { word, arms } => {
            visit_word(word, within, see);
            arms.iter().for_each(|arm| visit_list(arm, choice, see));
        }
        CommandKind::Function { body, .. } => {
            let choice = Position {
                in_function: true,
                ..choice
            };
            visit_command(body, choice, see);
        }
        CommandKind::Other(text) => visit_word(text, within, see),
    }
    for redirect in &command.redirects {
        visit_word(&redirect.target, position, see);
    }
}

/// Walks the left spine of a list: lists get long.
fn visit_binary<'a>(command: &'a Command, mut position: Position, see: See<'_, 'a>) {
    let mut rest: Vec<(&Command, Position)> = Vec::new();
    let mut first = command;
    while let CommandKind::Binary {
        left,
        operator,
        right,
        ..
    } = &first.kind
    {
        match operator {
            Operator::And => {}
            Operator::Or => position.conditional = true,
            Operator::Pipe => position.in_pipe = true,
        }
        position.unconditional &= *operator == Operator::And;
        if first.negated {
            position.negated = true;
            position.unconditional = false;
        }
        let right_of_or = *operator == Operator::Or;
        let optional = position.optional || right_of_or;
        rest.push((
            right,
            Position {
                optional,
                ..position
            },
        ));
        first = left;
    }
    visit_command(first, position, see);
    for (command, position) in rest.into_iter().rev() {
        visit_command(command, position, see);
    }
}

fn visit_simple<'a>(simple: &'a Simple, position: Position, see: See<'_, 'a>) {
    for assignment in &simple.assignments {
        visit_word(&assignment.value, position, see);
    }
    for word in &simple.words {
        visit_word(word, position, see);
    }
    if let Some(inner) = &simple.inner {
        let within = Position {
            in_inner_script: true,
            unconditional: false,
            ..position
        };
        visit_list(&inner.script.body, within, see);
    }
}

fn visit_word<'a>(word: &'a Word, position: Position, see: See<'_, 'a>) {
    see(Part::Word(word), position);
    let within = Position {
        in_substitution: true,
        unconditional: false,
        ..position
    };
    for script in &word.substitutions {
        visit_list(script, within, see);
    }
}
