//! What a script does to its shell, and needs from it: options, folder, variables, functions.
//!
//! Every question counts a command wherever it stands, in subshells, substitutions and inner scripts too:
//! who wants to know less looks at [`Script::invocations`] and their [`Position`](super::Position).

use super::query::Part;
use super::{CommandKind, Invocation, Script, Terminator};

impl Script {
    /// Whether it runs the program `name`.
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        self.any(|it| it.calls(name))
    }

    /// Whether it runs `set` with an option (`set -e`, `set +x`, `set -o pipefail`) or `shopt`.
    #[must_use]
    pub fn sets_shell_options(&self) -> bool {
        self.any(|it| match it.name() {
            Some(b"shopt") => true,
            Some(b"set") => !it.arguments().is_empty(),
            _ => false,
        })
    }

    /// Whether it runs `cd`, `pushd` or `popd`.
    #[must_use]
    pub fn changes_directory(&self) -> bool {
        self.any(|it| matches!(it.name(), Some(b"cd" | b"pushd" | b"popd")))
    }

    /// Names of the shell variables that it sets: assignments that precede no command, declarations with a
    /// value, `for`, `read` and `getopts`.
    #[must_use]
    pub fn assigns(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = Vec::new();
        self.visit(&mut |part, _| {
            let Part::Command(command) = part else { return };
            match &command.kind {
                CommandKind::For { variable, .. } => names.push(variable),
                CommandKind::Simple(simple) => {
                    if simple.words.is_empty() {
                        names.extend(simple.assignments.iter().map(|it| it.name.as_slice()));
                    }
                    let declared = simple.declared();
                    names.extend(
                        declared
                            .iter()
                            .filter(|(_, set)| *set)
                            .map(|(name, _)| name),
                    );
                    if matches!(simple.name(), Some(b"read" | b"getopts")) {
                        let operands = simple.arguments().iter().map(|word| word.raw.as_slice());
                        names.extend(operands.filter(|raw| super::word::is_name(raw)));
                    }
                }
                _ => {}
            }
        });
        names
    }

    /// Names of the variables that it exports, by `export` or `declare -x`.
    #[must_use]
    pub fn exports(&self) -> Vec<&[u8]> {
        let mut names = Vec::new();
        for it in self.invocations() {
            let exports = match it.name() {
                Some(b"export") => true,
                Some(b"declare" | b"typeset") => {
                    let mut words = it.arguments().iter();
                    words.any(|word| word.raw.starts_with(b"-") && word.raw.contains(&b'x'))
                }
                _ => false,
            };
            if exports {
                names.extend(it.simple.declared().into_iter().map(|(name, _)| name));
            }
        }
        names
    }

    /// Names of the functions that it defines.
    #[must_use]
    pub fn functions(&self) -> Vec<&[u8]> {
        let mut names = Vec::new();
        self.visit(&mut |part, _| {
            if let Part::Command(command) = part
                && let CommandKind::Function { name, .. } = &command.kind
            {
                names.push(name.as_slice());
            }
        });
        names
    }

    /// Whether it runs `alias`.
    #[must_use]
    pub fn defines_aliases(&self) -> bool {
        self.uses("alias")
    }

    /// Whether it runs `trap`.
    #[must_use]
    pub fn sets_traps(&self) -> bool {
        self.uses("trap")
    }

    /// Whether it runs `umask` or `ulimit`.
    #[must_use]
    pub fn sets_limits(&self) -> bool {
        self.any(|it| matches!(it.name(), Some(b"umask" | b"ulimit")))
    }

    /// Whether it runs `exit`, `return`, or hands its process to another program with `exec`.
    #[must_use]
    pub fn exits(&self) -> bool {
        self.any(|it| {
            matches!(it.name(), Some(b"exit" | b"return" | b"exec")) || it.is_run_by("exec")
        })
    }

    /// Whether a command is ended by `&`.
    #[must_use]
    pub fn runs_in_background(&self) -> bool {
        self.any(|it| it.position.background)
            || self
                .body
                .iter()
                .any(|statement| statement.terminator == Terminator::Background)
    }

    /// Whether it reads commands from a file: `.` or `source`.
    #[must_use]
    pub fn sources(&self) -> bool {
        self.any(|it| matches!(it.name(), Some(b"." | b"source")))
    }

    /// Whether it runs code that is not seen here: `eval`, a sourced file, a program whose name is computed, or a
    /// shell whose script could not be read.
    #[must_use]
    pub fn runs_unseen_code(&self) -> bool {
        self.any(|it| match it.name() {
            None => !it.simple.words.is_empty(),
            Some(b"eval" | b"." | b"source") => true,
            Some(b"sh" | b"bash" | b"dash" | b"ash" | b"zsh" | b"ksh") => it.inner().is_none(),
            _ => false,
        })
    }

    /// Names of the variables that it reads, sorted: `$NAME`, `${NAME…}`, names in arithmetic, and those that heredocs expand.
    #[must_use]
    pub fn variables_read(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = Vec::new();
        self.visit(&mut |part, _| {
            if let Part::Word(word) = part {
                names.extend(word.variables.iter().map(Vec::as_slice));
            }
        });
        names.sort_unstable();
        names.dedup();
        names
    }

    fn any(&self, question: impl Fn(&Invocation<'_>) -> bool) -> bool {
        let mut found = false;
        self.each_invocation(|it| found = found || question(&it));
        found
    }
}
