//! Instructions read as what they are.

use super::{
    Arguments, Dockerfile, Flag, Instruction, JsonString, Keyword, Logical, Pair, Word, heredoc,
    mount, runes,
};
use crate::text::Span;

/// `FROM image AS name`
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// The image reference as written.
    pub image: &'a Word,
    /// The word `AS`.
    pub as_word: Option<&'a Word>,
    /// The stage's name as written.
    pub alias: Option<&'a Word>,
    /// `--platform=…`
    pub platform: Option<&'a [u8]>,
}

/// COPY or ADD.
#[derive(Clone, Debug)]
pub struct Copy<'a> {
    /// Everything but the last argument.
    pub sources: Vec<CopySource<'a>>,
    /// The last argument.
    pub destination: CopySource<'a>,
    /// `--from=…`
    pub from: Option<&'a [u8]>,
    /// Whether the arguments are JSON.
    pub json: bool,
}

/// A source or the destination.
#[derive(Clone, Copy, Debug)]
pub struct CopySource<'a> {
    /// As written, quotes of JSON included.
    pub span: Span,
    /// The path, JSON decoded; variables not expanded.
    pub text: &'a [u8],
    /// Index of the heredoc that gives its contents.
    pub heredoc: Option<usize>,
}

/// RUN.
#[derive(Clone, Debug)]
pub enum Run<'a> {
    /// Text for the shell; with heredocs, which the shell reads too.
    Shell(&'a Logical),
    /// Program and arguments.
    Exec(&'a [JsonString]),
    /// `RUN <<EOF` alone: the body is the script (its index in the instruction's heredocs). A `#!` line names its interpreter.
    Script(usize),
}

/// `--mount=…` of RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMount {
    /// The flag's range.
    pub span: Span,
    /// `bind`, `cache`, `tmpfs`, `secret`, `ssh`.
    pub kind: String,
    /// `target=`, `from=`, `id=` … as written, in order, without `type`.
    pub options: Vec<(String, Option<String>)>,
}

/// HEALTHCHECK.
#[derive(Clone, Debug)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`
    None,
    /// `HEALTHCHECK CMD …`: the command's text and arguments.
    Command {
        /// What follows `CMD`.
        body: Logical,
        /// [`Arguments::Text`] or [`Arguments::Json`].
        arguments: Box<Arguments>,
    },
}

/// The command of RUN, CMD, ENTRYPOINT, SHELL or HEALTHCHECK.
#[derive(Clone, Copy, Debug)]
pub enum CommandBody<'a> {
    /// Text for the shell.
    Shell(&'a Logical),
    /// Program and arguments.
    Exec(&'a [JsonString]),
}

impl Instruction {
    /// The first flag of that name.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.name == name)
    }

    /// FROM, unless it has the wrong number of words.
    #[must_use]
    pub fn as_from(&self) -> Option<From<'_>> {
        let Arguments::Words(words) = &self.arguments else {
            return None;
        };
        if self.keyword != Keyword::From {
            return None;
        }
        let (image, as_word, alias) = match words.as_slice() {
            [image] => (image, None, None),
            [image, as_word, alias] => (image, Some(as_word), Some(alias)),
            _ => return None,
        };
        Some(From {
            image,
            as_word,
            alias,
            platform: self.flag("platform").and_then(|flag| flag.value.as_deref()),
        })
    }

    /// COPY or ADD, unless it has less than two arguments.
    #[must_use]
    pub fn as_copy(&self) -> Option<Copy<'_>> {
        if !matches!(self.keyword, Keyword::Copy | Keyword::Add) {
            return None;
        }
        let (mut sources, json): (Vec<CopySource<'_>>, bool) = match &self.arguments {
            Arguments::Words(words) => (
                words
                    .iter()
                    .map(|word| self.copy_source(word.span, &word.text))
                    .collect(),
                false,
            ),
            Arguments::Json(strings) => (
                strings
                    .iter()
                    .map(|string| self.copy_source(string.span, string.value.as_bytes()))
                    .collect(),
                true,
            ),
            _ => return None,
        };
        let destination = sources.pop()?;
        if sources.is_empty() {
            return None;
        }
        Some(Copy {
            sources,
            destination,
            from: self.flag("from").and_then(|flag| flag.value.as_deref()),
            json,
        })
    }

    fn copy_source<'a>(&self, span: Span, text: &'a [u8]) -> CopySource<'a> {
        let heredoc = if self.heredocs.is_empty() {
            None
        } else {
            // Of several heredocs of one name BuildKit takes the last.
            heredoc::marker(text).ok().flatten().and_then(|marker| {
                self.heredocs
                    .iter()
                    .rposition(|heredoc| heredoc.name == marker.name)
            })
        };
        CopySource {
            span,
            text,
            heredoc,
        }
    }

    /// RUN with its command, unless there is none.
    #[must_use]
    pub fn as_run(&self) -> Option<Run<'_>> {
        if self.keyword != Keyword::Run {
            return None;
        }
        match &self.arguments {
            Arguments::Json(strings) => Some(Run::Exec(strings)),
            Arguments::Text => {
                let alone = !self.heredocs.is_empty()
                    && matches!(heredoc::marker(self.body.text()), Ok(Some(_)));
                Some(if alone {
                    Run::Script(0)
                } else {
                    Run::Shell(&self.body)
                })
            }
            _ => None,
        }
    }

    /// The mounts of RUN, in order; a value that BuildKit refuses is left out.
    #[must_use]
    pub fn mounts(&self) -> Vec<RunMount> {
        if self.keyword != Keyword::Run {
            return Vec::new();
        }
        self.flags
            .iter()
            .filter(|flag| flag.name == "mount")
            .filter_map(run_mount)
            .collect()
    }

    /// The pairs of ENV, LABEL and ARG; empty for other instructions.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        match &self.arguments {
            Arguments::Pairs { pairs, .. } => pairs,
            _ => &[],
        }
    }

    /// The command of RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK CMD; none without one.
    #[must_use]
    pub fn command_body(&self) -> Option<CommandBody<'_>> {
        let (body, arguments) = match (&self.keyword, &self.arguments) {
            (_, Arguments::Healthcheck(Healthcheck::Command { body, arguments })) => {
                (body, &**arguments)
            }
            (Keyword::Run | Keyword::Cmd | Keyword::Entrypoint | Keyword::Shell, arguments) => {
                (&self.body, arguments)
            }
            _ => return None,
        };
        match arguments {
            Arguments::Text => Some(CommandBody::Shell(body)),
            Arguments::Json(strings) => Some(CommandBody::Exec(strings)),
            _ => None,
        }
    }
}

impl Dockerfile {
    /// The whole text that the shell reads for a RUN in shell form: the command line, then for each heredoc its
    /// body and its terminator, as they stand in the file. For a heredoc that is the script, its body alone,
    /// without the leading tabs of `<<-`. None for other instructions and for the exec form.
    #[must_use]
    pub fn shell_text(&self, run: &Instruction) -> Option<Logical> {
        match run.as_run()? {
            Run::Exec(_) => None,
            Run::Script(index) => {
                let heredoc = run.heredocs.get(index)?;
                let mut text = Logical::default();
                let mut at = heredoc.body.start;
                for line in self
                    .bytes(heredoc.body)
                    .split_inclusive(|byte| *byte == b'\n')
                {
                    let tabs = if heredoc.chomp {
                        line.iter().take_while(|byte| **byte == b'\t').count()
                    } else {
                        0
                    };
                    text.push(&line[tabs..], at + tabs);
                    at += line.len();
                }
                Some(text)
            }
            Run::Shell(body) => {
                let mut text = body.clone();
                for heredoc in &run.heredocs {
                    // The line feed that the command line, or the terminator before, ends with.
                    text.push(b"\n", heredoc.body.start.saturating_sub(1));
                    text.push(self.bytes(heredoc.body), heredoc.body.start);
                    let name = heredoc.terminator.end - heredoc.name.len();
                    text.push(&heredoc.name, name);
                }
                Some(text)
            }
        }
    }
}

fn run_mount(flag: &Flag) -> Option<RunMount> {
    let value = runes::to_text(flag.value.as_deref()?);
    let mut kind = "bind".to_owned();
    let mut options = Vec::new();
    for field in mount::fields(&value)? {
        match field.split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("type") => kind = value.to_lowercase(),
            Some((key, value)) => options.push((key.to_lowercase(), Some(value.to_owned()))),
            None => options.push((field.to_lowercase(), None)),
        }
    }
    Some(RunMount {
        span: flag.span,
        kind,
        options,
    })
}
