//! What an instruction finds: everything that earlier instructions and the base image set.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::catalog::{self, ImageFacts};
use crate::shell::Dialect;
use crate::syntax::{
    Arguments, Dockerfile, ExpandError, Healthcheck, Instruction, Keyword, Variables, expand,
    expand_with, references,
};

use super::path::resolve;
use super::shared::SharedMap;

/// Inherited state before an instruction. Cloning is cheap: what does not change is shared.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// ENV and ARG as an expansion sees them, the later one of a name.
    pub variables: SharedMap<String, String>,
    /// ARG names in scope, whether or not they have a value.
    pub args: SharedMap<String, ()>,
    /// What the image configuration holds so far.
    pub config: Rc<Config>,
    /// The shell that runs shell forms.
    pub shell: Shell,
    /// Whether the current stage has a CMD of its own: then its ENTRYPOINT leaves CMD alone.
    cmd_in_stage: bool,
}

/// The runtime contract: the image configuration as this Dockerfile sets it. What it does not set comes from the base image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// ENV of this Dockerfile, expanded.
    pub env: SharedMap<String, String>,
    /// WORKDIR, absolute; none while only the base image's is in effect and unknown.
    pub workdir: Option<String>,
    /// USER as expanded.
    pub user: Option<String>,
    /// CMD.
    pub cmd: Setting<CommandLine>,
    /// ENTRYPOINT.
    pub entrypoint: Setting<CommandLine>,
    /// HEALTHCHECK, normalised text.
    pub healthcheck: Option<Rc<str>>,
    /// STOPSIGNAL.
    pub stop_signal: Option<String>,
    /// LABEL of this Dockerfile, expanded.
    pub labels: SharedMap<String, String>,
    /// EXPOSE, as expanded, `/tcp` left out.
    pub ports: SharedMap<String, ()>,
    /// VOLUME, as expanded.
    pub volumes: SharedMap<String, ()>,
    /// SHELL.
    pub shell: Option<Rc<Vec<String>>>,
    /// ONBUILD triggers, normalised text, by index of the instruction.
    pub onbuild: SharedMap<usize, String>,
}

/// Whether this Dockerfile sets a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Setting<T> {
    /// The base image's value is in effect.
    #[default]
    Inherited,
    /// An ENTRYPOINT took away the CMD that the base had.
    Reset,
    /// Set here. Shared, so that a copy of the configuration costs no copy of the text.
    Set(Rc<T>),
}

impl<T> Setting<T> {
    /// The value that this Dockerfile sets.
    #[must_use]
    pub fn set(&self) -> Option<&T> {
        match self {
            Setting::Set(value) => Some(value),
            _ => None,
        }
    }
}

/// CMD or ENTRYPOINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Index of the instruction.
    pub instruction: usize,
    /// What it runs.
    pub form: CommandForm,
}

/// How a command is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandForm {
    /// JSON.
    Exec(Vec<String>),
    /// A text for the shell that is in effect there.
    Shell {
        /// The text as the shell reads it.
        text: String,
        /// Program and flags of the shell.
        shell: Vec<String>,
    },
}

impl CommandForm {
    /// The array that the image configuration holds.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        match self {
            CommandForm::Exec(words) => words.clone(),
            CommandForm::Shell { text, shell } => {
                shell.iter().chain(std::iter::once(text)).cloned().collect()
            }
        }
    }
}

/// What runs a shell form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A POSIX shell, by `/bin/sh -c` or a SHELL that names one.
    Posix {
        /// Which.
        dialect: Dialect,
        /// `-e` or `-o errexit` among the flags of SHELL.
        errexit: bool,
        /// `-o pipefail` among them.
        pipefail: bool,
        /// The words of SHELL; none for the default `/bin/sh -c`.
        words: Option<Rc<Vec<String>>>,
    },
    /// `cmd`, PowerShell and others.
    Other(Rc<Vec<String>>),
    /// The image has no shell.
    None,
}

impl Default for Shell {
    fn default() -> Self {
        Shell::Posix {
            dialect: Dialect::Posix,
            errexit: false,
            pipefail: false,
            words: None,
        }
    }
}

impl Shell {
    /// The dialect of a POSIX shell.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        match self {
            Shell::Posix { dialect, .. } => Some(*dialect),
            _ => None,
        }
    }

    /// The words that BuildKit puts before a shell form.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Shell::Posix { words: None, .. } => vec!["/bin/sh".to_owned(), "-c".to_owned()],
            Shell::Posix {
                words: Some(words), ..
            }
            | Shell::Other(words) => words.to_vec(),
            Shell::None => Vec::new(),
        }
    }

    /// The default shell of an image.
    fn of_image(facts: &ImageFacts) -> Shell {
        let dialect = match facts.shell() {
            Some(catalog::Shell::Dash) => Dialect::Dash,
            Some(catalog::Shell::Busybox) => Dialect::Busybox,
            Some(catalog::Shell::Bash) => Dialect::Bash,
            Some(catalog::Shell::Cmd) => return Shell::windows(),
            Some(catalog::Shell::None) => return Shell::None,
            None => Dialect::Posix,
        };
        Shell::Posix {
            dialect,
            errexit: false,
            pipefail: false,
            words: None,
        }
    }

    /// The default shell of Windows images.
    fn windows() -> Shell {
        let words = ["cmd", "/S", "/C"];
        Shell::Other(Rc::new(words.map(str::to_owned).to_vec()))
    }

    /// The shell that SHELL's words name.
    fn from_words(words: &[String], default: Dialect) -> Shell {
        let program = words
            .first()
            .map_or("", |word| word.rsplit(['/', '\\']).next().unwrap_or(word));
        let dialect = match program {
            "sh" => default,
            "busybox" => Dialect::Busybox,
            _ => match Dialect::of_program(program) {
                Some(dialect) => dialect,
                None => return Shell::Other(Rc::new(words.to_vec())),
            },
        };
        let mut errexit = false;
        let mut pipefail = false;
        let mut flags = words.iter().skip(1).peekable();
        while let Some(flag) = flags.next() {
            if flag.starts_with("--") || !flag.starts_with(['-', '+']) {
                continue;
            }
            if flag.starts_with('-') && flag.contains('e') {
                errexit = true;
            }
            if flag.ends_with('o')
                && let Some(option) = flags.next()
            {
                errexit |= option == "errexit" && flag.starts_with('-');
                pipefail |= option == "pipefail" && flag.starts_with('-');
            }
        }
        Shell::Posix {
            dialect,
            errexit,
            pipefail,
            words: Some(Rc::new(words.to_vec())),
        }
    }
}

impl State {
    /// The state after `FROM image`, with what the catalog knows of the image.
    pub(super) fn of_image(facts: Option<&ImageFacts>, windows: bool) -> Self {
        let mut config = Config::default();
        let mut state = State::default();
        if windows {
            state.shell = Shell::windows();
        }
        if let Some(facts) = facts {
            if !windows {
                state.shell = Shell::of_image(facts);
            }
            config.workdir = facts.workdir().map(str::to_owned);
        }
        state.config = Rc::new(config);
        state
    }

    /// The state of an empty image.
    pub(super) fn of_scratch() -> Self {
        let mut state = State::default();
        Rc::make_mut(&mut state.config).workdir = Some("/".to_owned());
        state.shell = Shell::None;
        state
    }

    /// The state of a stage that starts FROM one that ends like this: ARG is out of scope, the rest is inherited.
    pub(super) fn inherited(mut self) -> Self {
        self.variables = self.config.env.clone();
        self.args = SharedMap::default();
        self.cmd_in_stage = false;
        self
    }

    /// The value of `text` after BuildKit's expansion; the text itself where BuildKit would refuse it.
    #[must_use]
    pub fn expand(&self, text: &[u8], escape: u8) -> String {
        self.try_expand(text, escape)
            .unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned())
    }

    /// The value of `text` after BuildKit's expansion.
    ///
    /// # Errors
    /// For an expression that BuildKit refuses.
    pub fn try_expand(&self, text: &[u8], escape: u8) -> Result<String, ExpandError> {
        expand_with(text, escape, |name| {
            self.variables.get(name).map(String::as_str)
        })
    }

    /// What `instruction`, the `index`th, makes of this state.
    pub(super) fn apply(
        &mut self,
        dockerfile: &Dockerfile,
        index: usize,
        instruction: &Instruction,
        globals: &Variables,
    ) {
        let escape = dockerfile.escape();
        match instruction.keyword {
            Keyword::Env => self.apply_env(instruction, escape),
            Keyword::Arg => self.apply_arg(instruction, escape, globals),
            Keyword::Workdir => {
                let path = self.expand(instruction.body.text(), escape);
                let config = Rc::make_mut(&mut self.config);
                config.workdir = match (&config.workdir, path.starts_with('/')) {
                    (_, true) => Some(resolve("/", &path)),
                    (Some(folder), false) => Some(resolve(folder, &path)),
                    (None, false) => None,
                };
            }
            Keyword::User => {
                let user = self.expand(instruction.body.text(), escape);
                Rc::make_mut(&mut self.config).user = Some(user);
            }
            Keyword::Stopsignal => {
                let signal = self.expand(instruction.body.text(), escape);
                Rc::make_mut(&mut self.config).stop_signal = Some(signal);
            }
            Keyword::Shell => {
                if let Arguments::Json(words) = &instruction.arguments {
                    let words: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
                    let default = self.shell.dialect().unwrap_or(Dialect::Posix);
                    self.shell = Shell::from_words(&words, default);
                    Rc::make_mut(&mut self.config).shell = Some(Rc::new(words));
                }
            }
            Keyword::Cmd => {
                let form = self.command_form(instruction);
                self.cmd_in_stage = true;
                Rc::make_mut(&mut self.config).cmd = Setting::Set(Rc::new(CommandLine {
                    instruction: index,
                    form,
                }));
            }
            Keyword::Entrypoint => {
                let form = self.command_form(instruction);
                let reset = !self.cmd_in_stage;
                let config = Rc::make_mut(&mut self.config);
                config.entrypoint = Setting::Set(Rc::new(CommandLine {
                    instruction: index,
                    form,
                }));
                if reset {
                    config.cmd = Setting::Reset;
                }
            }
            Keyword::Label => {
                if let Arguments::Pairs { pairs, .. } = &instruction.arguments {
                    for pair in pairs {
                        let name = self.expand(&pair.name.text, escape);
                        let value = pair
                            .value
                            .as_ref()
                            .map_or_else(String::new, |value| self.expand(&value.text, escape));
                        Rc::make_mut(&mut self.config).labels.insert(name, value);
                    }
                }
            }
            Keyword::Maintainer => {}
            Keyword::Expose => {
                let words: Vec<Vec<u8>> = match &instruction.arguments {
                    Arguments::Words(words) => words.iter().map(|word| word.text.clone()).collect(),
                    _ => Vec::new(),
                };
                for word in words {
                    let expanded = self.expand(&word, escape);
                    let config = Rc::make_mut(&mut self.config);
                    for port in expanded.split_whitespace() {
                        let port = port.strip_suffix("/tcp").unwrap_or(port);
                        config.ports.insert(port.to_owned(), ());
                    }
                }
            }
            Keyword::Volume => {
                let paths: Vec<Vec<u8>> = match &instruction.arguments {
                    Arguments::Words(words) => words.iter().map(|word| word.text.clone()).collect(),
                    Arguments::Json(words) => words
                        .iter()
                        .map(|word| word.value.clone().into_bytes())
                        .collect(),
                    _ => Vec::new(),
                };
                for path in paths {
                    let path = self.expand(&path, escape);
                    Rc::make_mut(&mut self.config).volumes.insert(path, ());
                }
            }
            Keyword::Healthcheck => {
                let text = match &instruction.arguments {
                    Arguments::Healthcheck(Healthcheck::None) => "NONE".to_owned(),
                    _ => normalised(dockerfile, instruction),
                };
                Rc::make_mut(&mut self.config).healthcheck = Some(text.into());
            }
            Keyword::Onbuild => {
                Rc::make_mut(&mut self.config)
                    .onbuild
                    .insert(index, normalised(dockerfile, instruction));
            }
            Keyword::Add | Keyword::Copy | Keyword::From | Keyword::Run | Keyword::Unknown => {}
        }
    }

    fn apply_env(&mut self, instruction: &Instruction, escape: u8) {
        let Arguments::Pairs { pairs, .. } = &instruction.arguments else {
            return;
        };
        // All values of one ENV are expanded with the variables as they were before it.
        let values: Vec<(String, String)> = pairs
            .iter()
            .map(|pair| {
                let name = self.expand(&pair.name.text, escape);
                let value = pair.value.as_ref().map_or_else(String::new, |value| {
                    self.expand_or_keep(&value.text, escape)
                });
                (name, value)
            })
            .collect();
        for (name, value) in values {
            self.variables.insert(name.clone(), value.clone());
            Rc::make_mut(&mut self.config).env.insert(name, value);
        }
    }

    fn apply_arg(&mut self, instruction: &Instruction, escape: u8, globals: &Variables) {
        let Arguments::Pairs { pairs, .. } = &instruction.arguments else {
            return;
        };
        for pair in pairs {
            let name = String::from_utf8_lossy(&pair.name.text).into_owned();
            let value = match &pair.value {
                Some(value) => Some(self.expand(&value.text, escape)),
                None => globals.get(&name).cloned(),
            };
            self.args.insert(name.clone(), ());
            // BuildKit lets the later of ARG and ENV win, whatever Docker's documentation says of ENV.
            if let Some(value) = value {
                self.variables.insert(name, value);
            }
        }
    }

    /// As [`State::expand`], but a variable that nothing here sets may come from the base image: it stays as written.
    fn expand_or_keep(&self, text: &[u8], escape: u8) -> String {
        let kept: BTreeMap<String, String> = references(text, escape)
            .into_iter()
            .filter(|name| !self.variables.contains_key(name) && !self.args.contains_key(name))
            .map(|name| {
                let kept = format!("${{{name}}}");
                (name, kept)
            })
            .collect();
        let value = |name: &str| self.variables.get(name).or_else(|| kept.get(name));
        expand_with(text, escape, |name| value(name).map(String::as_str))
            .unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned())
    }

    fn command_form(&self, instruction: &Instruction) -> CommandForm {
        match &instruction.arguments {
            Arguments::Json(words) => {
                CommandForm::Exec(words.iter().map(|word| word.value.clone()).collect())
            }
            _ => CommandForm::Shell {
                text: String::from_utf8_lossy(instruction.body.text()).into_owned(),
                shell: self.shell.words(),
            },
        }
    }
}

/// Flags and joined text, white space folded.
fn normalised(dockerfile: &Dockerfile, instruction: &Instruction) -> String {
    let mut out = String::new();
    for flag in &instruction.flags {
        out.push_str(&String::from_utf8_lossy(dockerfile.bytes(flag.span)));
        out.push(' ');
    }
    let text = String::from_utf8_lossy(instruction.body.text());
    for (index, word) in text.split_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// ARG before the first FROM, expanded one after the other.
pub(super) fn globals(dockerfile: &Dockerfile) -> Variables {
    let mut globals = Variables::new();
    for instruction in dockerfile.instructions() {
        match (instruction.keyword, &instruction.arguments) {
            (Keyword::From, _) => break,
            (Keyword::Arg, Arguments::Pairs { pairs, .. }) => {
                for pair in pairs {
                    if let Some(value) = &pair.value
                        && let Ok(value) = expand(&value.text, &globals, dockerfile.escape())
                    {
                        globals
                            .insert(String::from_utf8_lossy(&pair.name.text).into_owned(), value);
                    }
                }
            }
            _ => {}
        }
    }
    globals
}
