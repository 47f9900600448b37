//! A script whose text moved within the file.

use super::{Assignment, Command, CommandKind, Inner, Redirect, Script, Simple, Statement, Word};
use crate::text::Span;

impl Script {
    /// Moves every range by `distance` bytes: the same text stands further down, or up, in an edited file.
    pub(crate) fn shift(&mut self, distance: isize) {
        if distance != 0 {
            Shift(distance).script(self);
        }
    }
}

/// How far to move, in bytes.
#[derive(Clone, Copy)]
struct Shift(isize);

impl Shift {
    /// The empty range at 0 stands for "nowhere": a keyword precedes every script.
    fn span(self, span: &mut Span) {
        if *span == Span::default() {
            return;
        }
        span.start = span.start.saturating_add_signed(self.0);
        span.end = span.end.saturating_add_signed(self.0);
    }

    fn script(self, script: &mut Script) {
        self.span(&mut script.span);
        script.comments.iter_mut().for_each(|it| self.span(it));
        self.list(&mut script.body);
    }

    fn list(self, list: &mut [Statement]) {
        for statement in list {
            statement
                .terminator_span
                .iter_mut()
                .for_each(|it| self.span(it));
            self.command(&mut statement.command);
        }
    }

    /// The left spine of a list is walked, not recursed into: lists get long.
    fn command(self, command: &mut Command) {
        let mut next = Some(command);
        while let Some(command) = next.take() {
            self.span(&mut command.span);
            command
                .redirects
                .iter_mut()
                .for_each(|it| self.redirect(it));
            match &mut command.kind {
                CommandKind::Simple(simple) => self.simple(simple),
                CommandKind::Binary {
                    left,
                    operator_span,
                    right,
                    ..
                } => {
                    self.span(operator_span);
                    self.command(right);
                    next = Some(left);
                }
                CommandKind::Subshell(body) | CommandKind::Group(body) => self.list(body),
                CommandKind::If {
                    branches,
                    otherwise,
                } => {
                    for (condition, body) in branches {
                        self.list(condition);
                        self.list(body);
                    }
                    self.list(otherwise);
                }
                CommandKind::For { words, body, .. } => {
                    self.words(words);
                    self.list(body);
                }
                CommandKind::While { condition, body } => {
                    self.list(condition);
                    self.list(body);
                }
                CommandKind::Case { word, arms } => {
                    self.word(word);
                    arms.iter_mut().for_each(|arm| self.list(arm));
                }
                CommandKind::Function { body, .. } => self.command(body),
                CommandKind::Other(word) => self.word(word),
            }
        }
    }

    fn simple(self, simple: &mut Simple) {
        self.span(&mut simple.span);
        for Assignment { span, value, .. } in &mut simple.assignments {
            self.span(span);
            self.word(value);
        }
        self.words(&mut simple.words);
        if let Some(Inner { script, .. }) = simple.inner.as_deref_mut() {
            self.script(script);
        }
    }

    fn redirect(self, redirect: &mut Redirect) {
        self.span(&mut redirect.span);
        redirect.heredoc.iter_mut().for_each(|it| self.span(it));
        self.word(&mut redirect.target);
    }

    fn words(self, words: &mut [Word]) {
        words.iter_mut().for_each(|word| self.word(word));
    }

    fn word(self, word: &mut Word) {
        self.span(&mut word.span);
        word.substitutions.iter_mut().for_each(|it| self.list(it));
    }
}

#[cfg(test)]
mod tests {
    use crate::shell::{Dialect, parse};
    use crate::syntax::{Dockerfile, Logical};

    /// Every shape of command, with ranges in it.
    const TEXTS: &[&str] = &[
        "A=1 b \"$(c | d)\" > e 2>&1 && ! f || g & h; i",
        "if a; then b; elif c; then d; else e; fi; (f; g); { h; }",
        "for i in 1 $(x); do y; done; while a; do b; done; case $a in (b) c;; esac",
        "f() { g; }; sudo sh -c 'a && b' # comment",
        "cat <<EOF\n$(a)\nEOF\n",
        "[[ -n $(a) ]] && (( b + 1 )); x=(1 $(c)); diff <(d) <(e)",
        "> a; B=1; > c d",
    ];

    fn script(offset: usize, text: &str) -> String {
        let mut logical = Logical::default();
        logical.push(text.as_bytes(), offset);
        let mut script = parse(&logical, Dialect::Bash).expect("it is shell");
        script.shift(1000 - offset as isize);
        format!("{script:?}")
    }

    #[test]
    fn a_shifted_script_is_the_script_of_the_shifted_text() {
        for text in TEXTS {
            assert_eq!(script(1000, text), script(7, text), "{text}");
            assert_eq!(script(1000, text), script(5000, text), "{text}");
        }
    }

    #[test]
    fn continuations_move_along() {
        let script = |head: &str| {
            let file = format!("{head}RUN a \\\n  # note\n  b && c \\\n d\n");
            let tree = Dockerfile::parse(file.into_bytes());
            let run = tree.instructions().last().expect("a RUN");
            parse(&run.body, Dialect::Dash).expect("it is shell")
        };
        let mut moved = script("FROM a\n");
        moved.shift(7);
        let parsed = script("FROM a\nUSER b\n");
        assert_eq!(format!("{moved:?}"), format!("{parsed:?}"));
    }
}
