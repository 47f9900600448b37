//! What a Python file imports, starts, opens, writes and listens on.

use std::collections::HashMap;
use std::sync::Arc;

use super::lexer::{Kind, Token, tokens};
use super::paths_in_code::{DEPTH, Known};
use crate::stack::usage::{Base, Named, PathUse, Place, Unknown, UnknownKind, Usage, is_own_port};

/// Adds what the file `file` with the contents `source` refers to; linear in the source.
pub(super) fn scan(file: &str, source: &[u8], usage: &mut Usage) {
    let file: Arc<str> = Arc::from(file);
    usage.files.push(Arc::clone(&file));
    let tokens = tokens(source);
    let mut scanner = Scanner {
        source,
        tokens: &tokens,
        file,
        values: HashMap::new(),
        usage,
    };
    for at in 0..tokens.len() {
        scanner.visit(at);
    }
}

/// The path that the constant `name` holds at the end of `source`, when all of it is known.
pub(super) fn constant(file: &str, source: &[u8], name: &[u8]) -> Option<PathUse> {
    let tokens = tokens(source);
    let mut usage = Usage::default();
    let mut scanner = Scanner {
        source,
        tokens: &tokens,
        file: Arc::from(file),
        values: HashMap::new(),
        usage: &mut usage,
    };
    let mut last = 0;
    for at in 0..tokens.len() {
        scanner.visit(at);
        if scanner.name(at) == name {
            last = at;
        }
    }
    let known = scanner.values.get(name).cloned()?;
    scanner.path_use(known, last).filter(|found| found.exact)
}

pub(super) struct Scanner<'a, 'u> {
    pub(super) source: &'a [u8],
    pub(super) tokens: &'a [Token],
    file: Arc<str>,
    pub(super) values: HashMap<&'a [u8], Known>,
    usage: &'u mut Usage,
}

impl<'a> Scanner<'a, '_> {
    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(super) fn is(&self, at: usize, byte: u8) -> bool {
        self.kind(at) == Some(Kind::Punct(byte))
    }

    pub(super) fn name(&self, at: usize) -> &'a [u8] {
        match self.tokens.get(at) {
            Some(token) if token.kind == Kind::Name => token.bytes(self.source),
            _ => b"",
        }
    }

    fn text(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        matches!(token.kind, Kind::Text { whole: true, .. })
            .then(|| token.text(self.source).into_owned())
    }

    fn place(&self, at: usize) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: self.tokens.get(at).map_or(0, |token| token.line),
        }
    }

    fn named(&self, name: String, at: usize) -> Named {
        Named {
            name,
            place: self.place(at),
        }
    }

    fn unknown(&mut self, kind: UnknownKind, at: usize) {
        let place = self.place(at);
        self.usage.unknown.push(Unknown { kind, place });
    }

    fn visit(&mut self, at: usize) {
        let Some(token) = self.tokens.get(at) else {
            return;
        };
        match token.kind {
            Kind::Name => {
                let name = token.bytes(self.source);
                if self.starts_statement(at) {
                    match name {
                        b"import" => self.import(at),
                        b"from" => self.import_from(at),
                        _ if self.is(at + 1, b'=') && !self.is(at + 2, b'=') => {
                            self.assignment(at, name)
                        }
                        _ => {}
                    }
                }
                if self.is(at + 1, b'(') {
                    self.call(at, name);
                } else if name == b"environ"
                    && self.is(at + 1, b'[')
                    && let Some(variable) = self.text(at + 2)
                {
                    self.usage.environment.insert(variable);
                }
            }
            Kind::Text { .. } => self.literal(at),
            _ => {}
        }
    }

    fn starts_statement(&self, at: usize) -> bool {
        match at.checked_sub(1).and_then(|before| self.kind(before)) {
            None | Some(Kind::Newline) => true,
            Some(Kind::Punct(byte)) => matches!(byte, b';' | b':'),
            _ => false,
        }
    }

    /// `import a.b as c, d`
    fn import(&mut self, at: usize) {
        let mut at = at + 1;
        loop {
            let (module, end) = self.dotted(at);
            if module.is_empty() {
                return;
            }
            let import = self.named(module, at);
            self.loads(import);
            at = end;
            if self.name(at) == b"as" {
                at += 2;
            }
            if !self.is(at, b',') {
                return;
            }
            at += 1;
        }
    }

    /// `from a.b import c, d`: the module, and for the project's own also what may be modules in it.
    fn import_from(&mut self, at: usize) {
        let (module, end) = self.dotted(at + 1);
        if module.is_empty() || self.name(end) != b"import" {
            return;
        }
        let mut inner = end + 1;
        let import = self.named(module.clone(), at);
        self.loads(import);
        for _ in 0..64 {
            match self.kind(inner) {
                Some(Kind::Name) => {
                    if self.name(inner) == b"as" {
                        inner += 1;
                    } else {
                        let name = String::from_utf8_lossy(self.name(inner));
                        let separator = if module.ends_with('.') { "" } else { "." };
                        let place = self.place(at);
                        let name = format!("{module}{separator}{name}");
                        self.usage.imports.push(Named { name, place });
                    }
                }
                Some(Kind::Punct(b'(' | b')' | b',')) => {}
                _ => return,
            }
            inner += 1;
        }
    }

    /// `..a.b` from `at`, and where it ends.
    fn dotted(&self, at: usize) -> (String, usize) {
        let mut module = String::new();
        let mut at = at;
        for _ in 0..64 {
            if self.is(at, b'.') {
                module.push('.');
            } else if !self.name(at).is_empty()
                && !matches!(self.name(at), b"import" | b"as")
                && (module.is_empty() || module.ends_with('.'))
            {
                module.push_str(&String::from_utf8_lossy(self.name(at)));
            } else {
                break;
            }
            at += 1;
        }
        (module, at)
    }

    fn loads(&mut self, import: Named) {
        if matches!(
            import.name.as_str(),
            "dotenv" | "decouple" | "environs" | "pydantic_settings" | "environ"
        ) {
            self.usage.env_files.push(import.place.clone());
        }
        self.usage.imports.push(import);
    }

    /// The name before the dot before `at`.
    fn owner(&self, at: usize) -> &'a [u8] {
        if at >= 2 && self.is(at - 1, b'.') {
            self.name(at - 2)
        } else {
            b""
        }
    }

    fn call(&mut self, at: usize, name: &[u8]) {
        let first = at + 2;
        let owner = self.owner(at);
        match (owner, name) {
            (_, b"__import__") | (_, b"import_module") => match self.text(first) {
                Some(module) => {
                    let import = self.named(module, at);
                    self.loads(import);
                }
                None => self.unknown(UnknownKind::Module, at),
            },
            (
                b"subprocess" | b"sp",
                b"run" | b"call" | b"check_call" | b"check_output" | b"Popen" | b"getoutput"
                | b"getstatusoutput",
            )
            | (b"", b"Popen" | b"check_output" | b"check_call")
            | (
                b"os",
                b"system" | b"popen" | b"execvp" | b"execv" | b"execlp" | b"spawnlp" | b"spawnvp",
            )
            | (_, b"create_subprocess_exec" | b"create_subprocess_shell")
            | (b"shutil", b"which")
            | (b"pexpect", b"spawn") => self.program(first),
            (_, b"CDLL" | b"LoadLibrary" | b"WinDLL")
            | (b"ffi", b"dlopen")
            | (_, b"find_library") => match self.text(first) {
                Some(library) => {
                    let library = self.named(library, at);
                    self.usage.libraries.push(library);
                }
                None => self.unknown(UnknownKind::Library, at),
            },
            (b"" | b"io" | b"codecs" | b"gzip" | b"aiofiles", b"open") => self.open(first),
            (b"" | b"dotenv", b"load_dotenv" | b"dotenv_values") => {
                let place = self.place(at);
                self.usage.env_files.push(place);
            }
            (b"os", b"makedirs" | b"mkdir" | b"remove" | b"unlink") | (b"shutil", b"rmtree") => {
                self.write(first)
            }
            (b"os", b"listdir" | b"scandir")
            | (_, b"read_csv" | b"read_excel" | b"read_json" | b"read_parquet" | b"read_pickle") => {
                self.read(first);
            }
            (
                _,
                b"to_csv"
                | b"to_excel"
                | b"to_json"
                | b"to_parquet"
                | b"to_pickle"
                | b"savefig"
                | b"FileHandler"
                | b"RotatingFileHandler"
                | b"TimedRotatingFileHandler",
            ) => self.write(first),
            (_, b"run" | b"run_app" | b"launch" | b"run_server" | b"serve" | b"Config") => {
                if let Some(port) = self.keyword(first, b"port") {
                    self.port(port);
                }
            }
            (b"sqlite3" | b"aiosqlite", b"connect") => self.write(first),
            (
                _,
                b"StaticFiles"
                | b"Jinja2Templates"
                | b"FileSystemLoader"
                | b"FileResponse"
                | b"send_from_directory"
                | b"send_file",
            ) => {
                let argument = self.keyword(first, b"directory").unwrap_or(first);
                self.read(argument);
            }
            (b"os", b"getenv") | (b"environ", b"get") | (b"", b"getenv") => {
                if let Some(variable) = self.text(first) {
                    if is_own_port(&variable) && self.is(first + 1, b',') {
                        self.port(first + 2);
                    }
                    self.usage.environment.insert(variable);
                }
            }
            (
                _,
                b"read_text" | b"read_bytes" | b"write_text" | b"write_bytes" | b"mkdir" | b"touch",
            ) if at >= 2 => {
                if let Some(known) = self.receiver(at) {
                    let used = self.path_use(known, at);
                    if name.starts_with(b"read") {
                        self.usage.reads.extend(used);
                    } else {
                        self.usage.writes.extend(used);
                    }
                }
            }
            _ => {}
        }
    }

    /// The path that `.read_text(` at `at` is called on: a constant, or `Path("x")` just before.
    fn receiver(&self, at: usize) -> Option<Known> {
        if let Some(known) = self.values.get(self.name(at - 2)) {
            return Some(known.clone());
        }
        if self.is(at - 2, b')') && at >= 5 && self.is(at - 4, b'(') && self.name(at - 5) == b"Path"
        {
            return self.operand(at - 3, 1).map(|(known, _)| known);
        }
        None
    }

    /// Where the value of the keyword argument `name` begins, within the next few tokens.
    fn keyword(&self, at: usize, name: &[u8]) -> Option<usize> {
        (at..at + 24)
            .take_while(|at| !self.is(*at, b')'))
            .find(|at| self.name(*at) == name && self.is(at + 1, b'='))
            .map(|at| at + 2)
    }

    fn program(&mut self, at: usize) {
        let first = if self.is(at, b'[') || self.is(at, b'(') {
            at + 1
        } else {
            at
        };
        let Some(token) = self.tokens.get(first) else {
            return;
        };
        let Kind::Text { whole, .. } = token.kind else {
            // `sys.executable` is the interpreter that runs already.
            if self.name(first) != b"sys" {
                self.unknown(UnknownKind::Program, first);
            }
            return;
        };
        let text = token.text(self.source).into_owned();
        match text.split_whitespace().next() {
            Some(word) if whole || text.trim_start().len() > word.len() => {
                let program = self.named(word.to_owned(), first);
                self.usage.programs.push(program);
            }
            _ => self.unknown(UnknownKind::Program, first),
        }
    }

    fn open(&mut self, at: usize) {
        let Some((known, end)) = self.expression(at, DEPTH) else {
            let writes = self
                .mode(at)
                .is_some_and(|mode| mode.contains(['w', 'a', 'x', '+']));
            if writes {
                self.unknown(UnknownKind::Write, at);
            }
            return;
        };
        let mode = self.mode(end).unwrap_or_default();
        let used = self.path_use(known, at);
        if mode.contains(['w', 'a', 'x', '+']) {
            self.usage.writes.extend(used);
        } else {
            self.usage.reads.extend(used);
        }
    }

    /// The mode among the next few arguments of `open`.
    fn mode(&self, at: usize) -> Option<String> {
        (at..at + 16)
            .take_while(|at| self.kind(*at) != Some(Kind::Newline))
            .filter(|at| {
                self.is(at.wrapping_sub(1), b',') || self.name(at.wrapping_sub(2)) == b"mode"
            })
            .find_map(|at| {
                self.text(at).filter(|text| {
                    text.len() < 5 && text.chars().all(|char| "rwaxbt+U".contains(char))
                })
            })
    }

    fn read(&mut self, at: usize) {
        if let Some((known, _)) = self.expression(at, DEPTH) {
            let used = self.path_use(known, at);
            self.usage.reads.extend(used);
        }
    }

    fn write(&mut self, at: usize) {
        match self.expression(at, DEPTH) {
            Some((known, _)) => {
                let used = self.path_use(known, at);
                self.usage.writes.extend(used);
            }
            None => self.unknown(UnknownKind::Write, at),
        }
    }

    fn path_use(&self, known: Known, at: usize) -> Option<PathUse> {
        let text = known.text;
        if text == ":memory:" || text.contains("://") || text.contains('\n') {
            return None;
        }
        let path = text.trim_start_matches('/');
        let base = if path.len() < text.len() && known.base == Base::Working {
            Base::Root
        } else {
            known.base
        };
        let path = path
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned();
        Some(PathUse {
            path,
            base,
            exact: known.exact,
            place: self.place(at),
        })
    }

    fn assignment(&mut self, at: usize, name: &'a [u8]) {
        if name.eq_ignore_ascii_case(b"port") {
            self.port(at + 2);
        }
        match self.expression(at + 2, DEPTH) {
            Some((known, _)) => self.values.insert(name, known),
            None => self.values.remove(name),
        };
    }

    /// The first number in the next few tokens of an expression.
    fn port(&mut self, at: usize) {
        for at in at..at + 14 {
            let Some(token) = self.tokens.get(at) else {
                return;
            };
            match token.kind {
                Kind::Number | Kind::Text { .. } => {
                    if let Ok(port) = token.text(self.source).parse::<u16>() {
                        if port > 9 {
                            self.usage.ports.insert(port);
                        }
                        return;
                    }
                }
                Kind::Name | Kind::Punct(b'(' | b'.' | b',' | b'[') => {}
                _ => return,
            }
        }
    }

    /// `sqlite:///x`, wherever it stands.
    fn literal(&mut self, at: usize) {
        let Some(token) = self.tokens.get(at) else {
            return;
        };
        let Some(rest) = token.bytes(self.source).strip_prefix(b"sqlite") else {
            return;
        };
        let rest = String::from_utf8_lossy(rest);
        if let Some((_, path)) = rest.split_once(":///")
            && !path.is_empty()
        {
            let known = Known {
                text: path.to_owned(),
                base: Base::Working,
                exact: matches!(token.kind, Kind::Text { whole: true, .. }),
            };
            let used = self.path_use(known, at);
            self.usage.writes.extend(used);
        }
    }
}
