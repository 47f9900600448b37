//! Which program a simple command runs, past `sudo`, `env`, `exec` and their like.

use super::Word;

/// Where in a command's words the program stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    /// Index of the word that names it; none when it cannot be told.
    pub(super) index: Option<usize>,
}

/// A command that runs the command that follows it.
struct Wrapper {
    name: &'static [u8],
    /// Options without a value; letters may be grouped.
    flags: &'static [u8],
    /// One-letter options that take a value.
    valued: &'static [u8],
    /// Long options that take a value in the next word or after `=`.
    long_valued: &'static [&'static [u8]],
    /// Long options without a value, or with one after `=` only.
    long_flags: &'static [&'static [u8]],
    /// Whether `NAME=value` may precede the command.
    assigns: bool,
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        name: b"sudo",
        flags: b"ABbEHknPSis",
        valued: b"CDghpRrtTUu",
        long_valued: &[
            b"--user",
            b"--group",
            b"--host",
            b"--prompt",
            b"--chdir",
            b"--chroot",
            b"--close-from",
            b"--command-timeout",
            b"--role",
            b"--type",
            b"--other-user",
        ],
        long_flags: &[
            b"--askpass",
            b"--background",
            b"--bell",
            b"--edit",
            b"--list",
            b"--login",
            b"--no-update",
            b"--non-interactive",
            b"--preserve-env",
            b"--preserve-groups",
            b"--remove-timestamp",
            b"--reset-timestamp",
            b"--set-home",
            b"--shell",
            b"--stdin",
            b"--validate",
        ],
        assigns: true,
    },
    Wrapper {
        name: b"doas",
        flags: b"n",
        valued: b"uC",
        long_valued: &[],
        long_flags: &[],
        assigns: false,
    },
    Wrapper {
        name: b"env",
        flags: b"i0v",
        valued: b"uC",
        long_valued: &[b"--unset", b"--chdir"],
        long_flags: &[
            b"--ignore-environment",
            b"--null",
            b"--debug",
            b"--block-signal",
            b"--default-signal",
            b"--ignore-signal",
            b"--list-signal-handling",
        ],
        assigns: true,
    },
    Wrapper {
        name: b"exec",
        flags: b"cl",
        valued: b"a",
        long_valued: &[],
        long_flags: &[],
        assigns: false,
    },
    Wrapper {
        name: b"command",
        flags: b"p",
        valued: b"",
        long_valued: &[],
        long_flags: &[],
        assigns: false,
    },
    Wrapper {
        name: b"builtin",
        flags: b"",
        valued: b"",
        long_valued: &[],
        long_flags: &[],
        assigns: false,
    },
    Wrapper {
        name: b"nohup",
        flags: b"",
        valued: b"",
        long_valued: &[],
        long_flags: &[],
        assigns: false,
    },
    Wrapper {
        name: b"time",
        flags: b"pvaqV",
        valued: b"fo",
        long_valued: &[b"--format", b"--output"],
        long_flags: &[b"--append", b"--portability", b"--quiet", b"--verbose"],
        assigns: false,
    },
    Wrapper {
        name: b"nice",
        flags: b"0123456789",
        valued: b"n",
        long_valued: &[b"--adjustment"],
        long_flags: &[],
        assigns: false,
    },
];

impl Program {
    /// Resolves the program of `words`.
    pub(super) fn of(words: &[Word]) -> Self {
        let mut index = 0;
        loop {
            let Some(name) = literal(words, index) else {
                return Self { index: None };
            };
            let Some(wrapper) = WRAPPERS.iter().find(|it| it.name == basename(name)) else {
                return Self { index: Some(index) };
            };
            match wrapper.skip(words, index + 1) {
                Skip::To(next) => index = next,
                Skip::Nothing => return Self { index: Some(index) },
                Skip::Unknown => return Self { index: None },
            }
        }
    }

    /// The program's name without its folder.
    pub(super) fn name(self, words: &[Word]) -> Option<&[u8]> {
        literal(words, self.index?).map(basename)
    }
}

/// What follows a wrapper.
enum Skip {
    /// The command begins at this word.
    To(usize),
    /// No command: the wrapper is the program, as in `env` alone or `command -v git`.
    Nothing,
    /// Options that are not known, so nobody can tell.
    Unknown,
}

impl Wrapper {
    fn skip(&self, words: &[Word], mut index: usize) -> Skip {
        while index < words.len() {
            // A first byte as written tells options and assignments even where the rest is computed.
            let raw = words[index].raw.as_slice();
            if self.assigns && is_assignment(raw) {
                index += 1;
                continue;
            }
            if !raw.starts_with(b"-") {
                return Skip::To(index);
            }
            let Some(option) = literal(words, index) else {
                return Skip::Unknown;
            };
            index += match option {
                b"-" => 1,
                b"--" => {
                    index += 1;
                    while self.assigns && words.get(index).is_some_and(|it| is_assignment(&it.raw))
                    {
                        index += 1;
                    }
                    return if index < words.len() {
                        Skip::To(index)
                    } else {
                        Skip::Nothing
                    };
                }
                b"-v" | b"-V" if self.name == b"command" => return Skip::Nothing,
                option => {
                    let words = if option.starts_with(b"--") {
                        self.long(option)
                    } else {
                        self.letters(&option[1..])
                    };
                    let Some(words) = words else {
                        return Skip::Unknown;
                    };
                    words
                }
            };
        }
        Skip::Nothing
    }

    /// How many words the long option takes; none when it is not known.
    fn long(&self, option: &[u8]) -> Option<usize> {
        let equals = option.iter().position(|byte| *byte == b'=');
        let name = &option[..equals.unwrap_or(option.len())];
        if self.long_valued.contains(&name) {
            return Some(if equals.is_some() { 1 } else { 2 });
        }
        self.long_flags.contains(&name).then_some(1)
    }

    /// How many words the option with these letters takes; none when one is not known.
    fn letters(&self, letters: &[u8]) -> Option<usize> {
        for (at, letter) in letters.iter().enumerate() {
            if self.valued.contains(letter) {
                return Some(if at + 1 == letters.len() { 2 } else { 1 });
            }
            if !self.flags.contains(letter) {
                return None;
            }
        }
        Some(1)
    }
}

fn literal(words: &[Word], index: usize) -> Option<&[u8]> {
    words.get(index)?.literal.as_deref()
}

fn basename(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => &path[slash + 1..],
        None => path,
    }
}

fn is_assignment(raw: &[u8]) -> bool {
    raw.iter()
        .position(|byte| *byte == b'=')
        .is_some_and(|equals| super::word::is_name(&raw[..equals]))
}
