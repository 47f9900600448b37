//! `setup.py` and `setup.cfg`, read and never run.

use super::lexer::{Kind, tokens};
use super::requirement::Requirement;
use super::scan::scan;
use crate::context::Context;
use crate::stack::paths;
use crate::stack::usage::Usage;

/// What a `setup.py` with its `setup.cfg` says, as far as it is literal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The files that were read, paths in the context.
    pub files: Vec<String>,
    /// `install_requires`
    pub dependencies: Vec<Requirement>,
    /// Whether `install_requires` is computed, so that `dependencies` may lack some.
    pub computed: bool,
    /// `python_requires`
    pub python: Option<String>,
    /// Names of `console_scripts`.
    pub scripts: Vec<String>,
    /// Files that the script opens, paths in the context; those with computed names are in `computed`.
    pub reads: Vec<String>,
    /// Whether it compiles: `ext_modules`, `cffi_modules`, `cythonize`.
    pub has_extensions: bool,
}

impl Setup {
    /// Reads the files in `root`; none when neither is there.
    #[must_use]
    pub fn read(context: &Context, root: &str) -> Option<Self> {
        let mut setup = Self::default();
        for name in ["setup.py", "setup.cfg"] {
            let path = paths::join(root, name);
            let Some(text) = context
                .has(&path)
                .then(|| paths::any_text(context, &path))
                .flatten()
            else {
                continue;
            };
            if name == "setup.py" {
                setup.script(&path, &text, root);
            } else if !setup.configuration(&text) {
                // Many projects keep only a linter's settings there.
                continue;
            }
            setup.files.push(path);
        }
        (!setup.files.is_empty()).then_some(setup)
    }

    fn script(&mut self, path: &str, text: &str, root: &str) {
        let source = text.as_bytes();
        let tokens = tokens(source);
        let bytes = |at: usize| {
            tokens
                .get(at)
                .map_or(b"".as_slice(), |token| token.bytes(source))
        };
        for (at, token) in tokens.iter().enumerate() {
            if token.kind != Kind::Name || bytes(at + 1) != b"=" {
                continue;
            }
            match token.bytes(source) {
                b"install_requires" => {
                    let mut inner = at + 3;
                    self.computed |= bytes(at + 2) != b"[";
                    while let Some(item) = tokens.get(inner).filter(|_| bytes(at + 2) == b"[") {
                        match item.kind {
                            Kind::Text { whole: true, .. } => {
                                self.dependencies
                                    .extend(Requirement::parse(&item.text(source)));
                            }
                            Kind::Punct(b',') => {}
                            Kind::Punct(b']') => break,
                            _ => {
                                self.computed = true;
                                break;
                            }
                        }
                        inner += 1;
                    }
                    self.computed |= bytes(inner) == b"]" && bytes(inner + 1) == b"+";
                }
                b"python_requires" => {
                    self.python = tokens
                        .get(at + 2)
                        .filter(|value| matches!(value.kind, Kind::Text { whole: true, .. }))
                        .map(|value| value.text(source).into_owned());
                }
                b"ext_modules" | b"cffi_modules" | b"rust_extensions" => self.has_extensions = true,
                _ => {}
            }
        }
        for token in tokens
            .iter()
            .filter(|token| matches!(token.kind, Kind::Text { whole: true, .. }))
        {
            // `name = package.module:function`
            let text = token.text(source);
            if let Some((name, target)) = text.split_once('=')
                && target.contains(':')
                && !target.contains(['/', ' ', '\n'])
            {
                self.scripts.push(name.trim().to_owned());
            }
        }
        let mut usage = Usage::default();
        scan(path, source, &mut usage);
        for read in &usage.reads {
            match read.in_context(root).filter(|_| read.exact) {
                Some(file) => self.reads.push(file),
                None => self.computed = true,
            }
        }
    }

    /// Whether the file says anything about the package.
    fn configuration(&mut self, text: &str) -> bool {
        let (mut section, mut key) = ("", String::new());
        let mut found = false;
        for line in text.lines() {
            let plain = line.trim();
            if plain.is_empty() || plain.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = plain
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = name;
                found |= matches!(name, "metadata" | "options");
                key.clear();
                continue;
            }
            let value = if line.starts_with([' ', '\t']) {
                plain
            } else {
                let (name, value) = plain.split_once(['=', ':']).unwrap_or((plain, ""));
                key = name.trim().to_owned();
                value.trim()
            };
            match (section, key.as_str()) {
                ("options", "install_requires") if !value.is_empty() => {
                    match Requirement::parse(value) {
                        Some(requirement) => self.dependencies.push(requirement),
                        None => self.computed = true,
                    }
                }
                ("options", "python_requires") => self.python = Some(value.to_owned()),
                ("options.entry_points", "console_scripts") => {
                    if let Some((name, _)) = value.split_once('=') {
                        self.scripts.push(name.trim().to_owned());
                    }
                }
                _ => {}
            }
        }
        found
    }
}
