//! What a start command of a Python project runs.

use super::Python;
use crate::context::Context;
use crate::stack::commands::{Joined, split_list};
use crate::stack::paths;

/// A start command, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// What kind of start it is.
    pub kind: LaunchKind,
    /// The program and its arguments, without `uv run`, `poetry run`, `pipenv run` and `exec`.
    pub words: Vec<String>,
    /// The runner that stood before it: `uv`, `poetry`, `pipenv`, `pdm`, `hatch`.
    pub runner: Option<String>,
    /// Commands that run before it (`python manage.py migrate && …`).
    pub before: Vec<Vec<String>>,
    /// Whether words hold variables.
    pub expands: bool,
    /// The file or module that is started, as written: `app.py`, `app.main:app`, `http.server`.
    pub target: Option<String>,
    /// The file of the context that this is.
    pub entry: Option<String>,
    /// The port that the command names.
    pub port: Option<u16>,
}

/// Kinds of start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaunchKind {
    /// `python FILE`
    Script,
    /// `python -m MODULE`
    Module,
    /// gunicorn, uvicorn, hypercorn, waitress, daphne, uwsgi, granian: an application object.
    Server,
    /// `flask run`, `fastapi run`
    Framework,
    /// `manage.py runserver`, `flask run --debug`, `fastapi dev`, `--reload`
    Development,
    /// `streamlit run FILE`
    Streamlit,
    /// `celery -A APP worker`
    Celery,
    /// Another command of an installed package.
    Console,
    /// Not understood.
    #[default]
    Unknown,
}

impl Python {
    /// Understands the words of a CMD in the exec form, started in `working` (a folder of the context).
    #[must_use]
    pub fn launch(&self, context: &Context, working: &str, words: &[String]) -> Launch {
        let mut launch = Launch {
            words: words.to_vec(),
            ..Launch::default()
        };
        launch.classify(self, context, working);
        launch
    }

    /// Understands a command line, as the shell form of CMD holds it.
    #[must_use]
    pub fn launch_line(&self, context: &Context, working: &str, line: &str) -> Launch {
        let Some(mut list) = split_list(line) else {
            return Launch::default();
        };
        let Some(last) = list.pop() else {
            return Launch::default();
        };
        if list
            .iter()
            .any(|plain| !matches!(plain.joined, Joined::And | Joined::Then))
        {
            return Launch::default();
        }
        let mut launch = Launch {
            words: last.words,
            expands: last.expands,
            before: list.into_iter().map(|plain| plain.words).collect(),
            ..Launch::default()
        };
        launch.classify(self, context, working);
        launch
    }
}

impl Launch {
    fn classify(&mut self, python: &Python, context: &Context, working: &str) {
        self.unwrap();
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let Some((program, mut arguments)) = words
            .split_first()
            .map(|(program, rest)| (paths::file_name(program), rest))
        else {
            return;
        };
        let mut program = program.to_owned();
        self.port = port(arguments);
        if is_python(&program) {
            while let Some(first) = arguments
                .first()
                .filter(|word| word.starts_with('-') && **word != "-m" && **word != "-c")
            {
                arguments = &arguments[if matches!(*first, "-W" | "-X") {
                    2.min(arguments.len())
                } else {
                    1
                }..];
            }
            match arguments {
                ["-m", module, rest @ ..] => {
                    self.target = Some((*module).to_owned());
                    self.entry = module_file(context, working, module);
                    if self.entry.is_some() {
                        self.kind = LaunchKind::Module;
                        return;
                    }
                    program = (*module).to_owned();
                    arguments = rest;
                }
                ["-c", ..] | [] => return,
                [file, rest @ ..] => {
                    self.target = Some((*file).to_owned());
                    self.entry = paths::relative(working, file).filter(|path| context.has(path));
                    self.kind = match rest.first() {
                        Some(&"runserver") => LaunchKind::Development,
                        _ => LaunchKind::Script,
                    };
                    return;
                }
            }
        }
        let develops = arguments
            .iter()
            .any(|word| matches!(*word, "--reload" | "--debug" | "--debugger"));
        let first = arguments
            .iter()
            .find(|word| !word.starts_with('-'))
            .copied();
        let (kind, target) = match (program.as_str(), first) {
            (
                "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "granian" | "waitress-serve"
                | "waitress" | "uwsgi",
                _,
            ) => {
                let target = arguments
                    .iter()
                    .find(|word| {
                        word.contains(':') && !word.starts_with('-') && is_application(word)
                    })
                    .or_else(|| {
                        arguments
                            .last()
                            .filter(|word| !word.starts_with('-') && is_application(word))
                    });
                (LaunchKind::Server, target.copied())
            }
            ("flask", _) if arguments.contains(&"run") => (
                LaunchKind::Framework,
                arguments
                    .iter()
                    .position(|word| matches!(*word, "--app" | "-A"))
                    .and_then(|at| arguments.get(at + 1).copied()),
            ),
            ("fastapi", Some("run")) => (LaunchKind::Framework, arguments.get(1).copied()),
            ("fastapi", Some("dev")) => (LaunchKind::Development, arguments.get(1).copied()),
            ("streamlit", Some("run")) => (LaunchKind::Streamlit, arguments.get(1).copied()),
            ("celery", _) => (
                LaunchKind::Celery,
                arguments
                    .iter()
                    .position(|word| matches!(*word, "-A" | "--app"))
                    .and_then(|at| arguments.get(at + 1).copied()),
            ),
            ("django-admin", Some("runserver")) => (LaunchKind::Development, None),
            ("http.server", _) => (LaunchKind::Module, Some("http.server")),
            (_, first) if program == "manage.py" || program.ends_with(".py") => {
                self.entry = paths::relative(working, &program).filter(|path| context.has(path));
                let kind = if first == Some("runserver") {
                    LaunchKind::Development
                } else {
                    LaunchKind::Script
                };
                (kind, None)
            }
            _ if python.scripts.contains(&program) => (LaunchKind::Console, None),
            _ if self.target.is_some() => (LaunchKind::Module, None),
            _ => (LaunchKind::Unknown, None),
        };
        self.kind = if develops && kind != LaunchKind::Unknown {
            LaunchKind::Development
        } else {
            kind
        };
        if let Some(target) = target {
            self.target = Some(target.to_owned());
            let module = target.split([':', '(']).next().unwrap_or(target);
            self.entry = self.entry.take().or_else(|| {
                if module.ends_with(".py") {
                    paths::relative(working, module).filter(|path| context.has(path))
                } else {
                    module_file(context, working, module)
                }
            });
        }
    }

    fn unwrap(&mut self) {
        for _ in 0..4 {
            let program = self
                .words
                .first()
                .map(|word| paths::file_name(word).to_owned())
                .unwrap_or_default();
            let next = self.words.get(1).map_or("", String::as_str);
            let skip = match (program.as_str(), next) {
                ("poetry" | "pipenv" | "pdm" | "uv" | "hatch" | "rye", "run") => {
                    self.runner = Some(program);
                    2
                }
                ("exec" | "tini" | "dumb-init" | "--", _) => 1,
                _ => return,
            };
            self.words.drain(..skip);
            let options = self
                .words
                .iter()
                .take_while(|word| word.starts_with("--"))
                .count();
            self.words.drain(..options);
        }
    }
}

/// `python`, `python3`, `python3.12`.
fn is_python(program: &str) -> bool {
    program.strip_prefix("python").is_some_and(|rest| {
        rest.chars()
            .all(|char| char.is_ascii_digit() || char == '.')
    })
}

/// Whether `word` can name an application: `pkg.module:app`, not an address `0.0.0.0:80`.
fn is_application(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && word
            .rsplit(':')
            .next()
            .is_none_or(|last| last.parse::<u16>().is_err())
        && !word.contains(['/', '$', '='])
}

/// The file of the module `name`, from `working` or its `src` folder.
fn module_file(context: &Context, working: &str, name: &str) -> Option<String> {
    let path = name.replace('.', "/");
    [working.to_owned(), paths::join(working, "src")]
        .iter()
        .find_map(|folder| {
            ["{}.py", "{}/__main__.py", "{}/__init__.py"]
                .iter()
                .map(|shape| paths::join(folder, &shape.replace("{}", &path)))
                .find(|path| context.has(path))
        })
}

/// The port in `--port 8000`, `-p 8000`, `--port=8000`, `-b :8000`, `runserver 0.0.0.0:8000`, `--server.port=8501`.
fn port(arguments: &[&str]) -> Option<u16> {
    let last = |value: &str| value.rsplit(':').next().and_then(|text| text.parse().ok());
    arguments.iter().enumerate().find_map(|(at, word)| {
        let (name, value) = word
            .split_once('=')
            .map_or((*word, arguments.get(at + 1).copied()), |(name, value)| {
                (name, Some(value))
            });
        match name {
            "--port" | "-p" | "--bind" | "-b" | "--server.port" | "--listen" | "runserver" => {
                last(value?)
            }
            _ if name.starts_with("-b") => last(&name[2..]),
            _ => None,
        }
    })
}
