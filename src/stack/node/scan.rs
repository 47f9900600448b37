//! What a JavaScript or TypeScript file loads, starts, opens, writes and listens on.

use std::collections::HashMap;
use std::sync::Arc;

use super::lexer::{Kind, Token, tokens};
use super::paths_in_code::Value;
use crate::stack::usage::{Base, Named, PathUse, Place, Unknown, UnknownKind, Usage, is_own_port};

/// Adds what the file `file` with the contents `source` refers to; linear in the source.
pub(super) fn scan(file: &str, source: &[u8], usage: &mut Usage) {
    let file: Arc<str> = Arc::from(file);
    usage.files.push(Arc::clone(&file));
    let tokens = tokens(source);
    let mut scanner = Scanner {
        code: Code {
            source,
            tokens: &tokens,
            values: HashMap::new(),
        },
        file,
        modules: HashMap::new(),
        import_open: false,
        takes_uploads: false,
        uses_sqlite: false,
        usage,
    };
    for at in 0..tokens.len() {
        scanner.visit(at);
    }
}

/// The tokens of a file, and what its constants hold as far as it has been read.
pub(super) struct Code<'a> {
    pub(super) source: &'a [u8],
    pub(super) tokens: &'a [Token],
    pub(super) values: HashMap<&'a [u8], Value>,
}

impl<'a> Code<'a> {
    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(super) fn is(&self, at: usize, byte: u8) -> bool {
        self.kind(at) == Some(Kind::Punct(byte))
    }

    /// The name at `at`, empty when it is none.
    pub(super) fn name(&self, at: usize) -> &'a [u8] {
        match self.tokens.get(at) {
            Some(token) if token.kind == Kind::Name => token.bytes(self.source),
            _ => b"",
        }
    }

    /// The literal string at `at`.
    pub(super) fn text(&self, at: usize) -> Option<String> {
        self.tokens
            .get(at)
            .filter(|token| token.kind == Kind::Text)
            .map(|token| token.text(self.source).into_owned())
    }

    /// The number at `at`, bare or as a string.
    fn number(&self, at: usize) -> Option<u32> {
        let token = self.tokens.get(at)?;
        match token.kind {
            Kind::Number | Kind::Text => token.text(self.source).replace('_', "").parse().ok(),
            _ => None,
        }
    }

    /// The name before the dot before `at`: `fs` in `fs.readFile`.
    fn owner(&self, at: usize) -> &'a [u8] {
        if at < 2 || !self.is(at - 1, b'.') {
            return b"";
        }
        self.name(at - 2)
    }
}

struct Scanner<'a, 'u> {
    code: Code<'a>,
    file: Arc<str>,
    /// Names that a module is bound to.
    modules: HashMap<&'a [u8], String>,
    /// Whether an `import` or `export` still waits for its `from`.
    import_open: bool,
    /// Whether the file loads a package that takes uploads: `dest:` is then a folder that is written.
    takes_uploads: bool,
    /// Whether the file loads SQLite: `new Database('x')` then opens a file.
    uses_sqlite: bool,
    usage: &'u mut Usage,
}

impl<'a> Scanner<'a, '_> {
    fn visit(&mut self, at: usize) {
        let Some(token) = self.code.tokens.get(at) else {
            return;
        };
        match token.kind {
            Kind::Name => {
                let member = at > 0 && self.code.is(at - 1, b'.');
                let name = token.bytes(self.code.source);
                if !member {
                    self.import(at, name);
                }
                if self.code.is(at + 1, b'(') {
                    self.call(at, name);
                } else if self.code.is(at + 1, b':') && !member {
                    self.key(at, name);
                }
                if self.code.is(at + 1, b'=') && !self.code.is(at + 2, b'=') {
                    self.assignment(at, name);
                }
                if name == b"env" && member && self.code.name(at.wrapping_sub(2)) == b"process" {
                    self.environment(at);
                }
            }
            Kind::Punct(b';') => self.import_open = false,
            Kind::Text => self.literal(at),
            _ => {}
        }
    }

    fn place(&self, at: usize) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: self.code.tokens.get(at).map_or(0, |token| token.line),
        }
    }

    fn named(&self, name: String, at: usize) -> Named {
        Named {
            name,
            place: self.place(at),
        }
    }

    fn loads(&mut self, name: String, at: usize) {
        if name == "dotenv" || name.starts_with("dotenv/") || name == "dotenv-flow" {
            self.usage.env_files.push(self.place(at));
        }
        match name.as_str() {
            "multer"
            | "formidable"
            | "express-fileupload"
            | "fastify-multer"
            | "busboy"
            | "koa-body"
            | "@nestjs/platform-express"
            | "@koa/multer" => self.takes_uploads = true,
            "sqlite3" | "better-sqlite3" | "sqlite" | "bun:sqlite" | "node:sqlite" => {
                self.uses_sqlite = true
            }
            _ => {}
        }
        let import = self.named(name, at);
        self.usage.imports.push(import);
    }

    fn unknown(&mut self, kind: UnknownKind, at: usize) {
        let place = self.place(at);
        self.usage.unknown.push(Unknown { kind, place });
    }

    /// `import`, `export … from`.
    fn import(&mut self, at: usize, name: &[u8]) {
        match name {
            b"import" if self.code.is(at + 1, b'(') => self.load_call(at + 2),
            b"import" if self.code.is(at + 1, b'.') => {}
            b"import" => match self.code.text(at + 1) {
                Some(module) => self.loads(module, at),
                // `import type` is gone when the file runs; `import type from 'x'` is a default import.
                None => {
                    self.import_open = self.code.name(at + 1) != b"type"
                        || matches!(self.code.name(at + 2), b"from" | b"")
                            && !self.code.is(at + 2, b'{');
                }
            },
            b"export" => {
                self.import_open = self.code.is(at + 1, b'{') || self.code.is(at + 1, b'*');
            }
            b"from" if self.import_open => {
                if let Some(module) = self.code.text(at + 1) {
                    self.import_open = false;
                    self.bind(at, &module);
                    self.loads(module, at);
                }
            }
            _ => {}
        }
    }

    /// Remembers that the names before `at` are the module's, for modules whose calls matter.
    fn bind(&mut self, at: usize, module: &str) {
        let module = module.strip_prefix("node:").unwrap_or(module);
        if !matches!(
            module,
            "child_process" | "execa" | "cross-spawn" | "shelljs" | "better-sqlite3"
        ) {
            return;
        }
        for back in (at.saturating_sub(16)..at).rev() {
            match self.code.name(back) {
                b"import" | b"const" | b"let" | b"var" => break,
                b"" | b"as" => {}
                name => {
                    self.modules.insert(name, module.to_owned());
                }
            }
        }
    }

    /// The argument of `require(…)` or `import(…)` at `at`.
    fn load_call(&mut self, at: usize) {
        if let Some(module) = self.code.text(at)
            && (self.code.is(at + 1, b')') || self.code.is(at + 1, b','))
        {
            return self.loads(module, at);
        }
        let kind = match self.code.value(at) {
            Some(Value::Path { path, exact, base }) => {
                let place = self.place(at);
                if exact && base == Base::Source {
                    let relative = if path.starts_with("..") {
                        path
                    } else {
                        format!("./{path}")
                    };
                    return self.usage.imports.push(Named {
                        name: relative,
                        place,
                    });
                }
                UnknownKind::OwnModule
            }
            Some(Value::Text { text, .. }) if text.starts_with('.') => UnknownKind::OwnModule,
            Some(Value::Text { text, exact: true }) => return self.loads(text, at),
            _ => UnknownKind::Module,
        };
        self.unknown(kind, at);
    }

    fn call(&mut self, at: usize, name: &'a [u8]) {
        let object = self.code.owner(at);
        let member = at > 0 && self.code.is(at - 1, b'.');
        let first = at + 2;
        match name {
            b"require" if object.is_empty() || object == b"module" => {
                if at > 1
                    && self.code.is(at - 1, b'=')
                    && let Some(module) = self.code.text(first)
                {
                    self.bind(at - 1, &module);
                }
                self.load_call(first);
            }
            b"resolve" if object == b"require" => self.load_call(first),
            b"config" if object == b"dotenv" || self.calls_dotenv(at) => {
                let place = self.place(at);
                self.usage.env_files.push(place);
            }
            b"loadEnvFile" if object == b"process" => {
                let place = self.place(at);
                self.usage.env_files.push(place);
            }
            b"listen" => self.listen(first),
            b"set" | b"engine" => self.setting(first),
            b"readFile" | b"readFileSync" | b"createReadStream" | b"readdir" | b"readdirSync"
            | b"sendFile" | b"sendfile" | b"static" | b"serveStatic" | b"opendir"
            | b"useStaticAssets" | b"setBaseViewsDir" | b"readJson" | b"readJsonSync"
            | b"readJSON" | b"existsSync" | b"loadSync" | b"access" | b"accessSync" => {
                self.read(first);
            }
            b"writeFile" | b"writeFileSync" | b"appendFile" | b"appendFileSync"
            | b"createWriteStream" | b"mkdir" | b"mkdirSync" | b"mkdirp" | b"ensureDir"
            | b"ensureDirSync" | b"outputFile" | b"outputFileSync" | b"writeJson"
            | b"writeJsonSync" | b"JSONFile" | b"FileSync" | b"FileAsync" | b"JSONFilePreset"
            | b"mkdtemp" | b"mkdtempSync" => {
                self.write(first);
            }
            b"copyFile" | b"copyFileSync" | b"rename" | b"renameSync" => {
                self.read(first);
                if let Some(second) = self.code.next_argument(first) {
                    self.write(second);
                }
            }
            b"Database" | b"DatabaseSync" if self.uses_sqlite => {
                self.write(first);
            }
            _ if !member => match self.modules.get(name).map(String::as_str) {
                Some("better-sqlite3") => self.write(first),
                Some(_) => self.program(first),
                None => {}
            },
            b"exec" | b"execSync" | b"spawn" | b"spawnSync" | b"execFile" | b"execFileSync"
            | b"execa" | b"execaSync" | b"execaCommand" | b"sync" | b"command"
                if self.modules.contains_key(object) || self.requires_inline(at) =>
            {
                self.program(first);
            }
            _ => {}
        }
    }

    /// Whether `.config(` at `at` follows `require('dotenv')`.
    fn calls_dotenv(&self, at: usize) -> bool {
        at >= 4
            && self.code.is(at - 1, b'.')
            && self.code.is(at - 2, b')')
            && self.code.text(at - 3).as_deref() == Some("dotenv")
    }

    /// Whether the call at `at` is written `require('child_process').exec(`.
    fn requires_inline(&self, at: usize) -> bool {
        at >= 4
            && self.code.is(at - 1, b'.')
            && self.code.is(at - 2, b')')
            && self
                .code
                .text(at - 3)
                .is_some_and(|module| module.trim_start_matches("node:") == "child_process")
    }

    fn program(&mut self, at: usize) {
        let text = match self.code.value(at) {
            Some(Value::Text { text, .. }) => text,
            _ => String::new(),
        };
        match text.split_whitespace().next() {
            // The first word is whole unless an unknown part is glued to it.
            Some(word) if self.code.text(at).is_some() || text.len() > word.len() => {
                let program = self.named(word.to_owned(), at);
                self.usage.programs.push(program);
            }
            _ => self.unknown(UnknownKind::Program, at),
        }
    }

    fn path_use(&self, at: usize) -> Option<PathUse> {
        let (path, base, exact) = match self.code.value(at)? {
            Value::Path { path, base, exact } => (path, base, exact),
            Value::Text { text, exact } => Value::as_path(&text, exact)?,
        };
        Some(PathUse {
            path,
            base,
            exact,
            place: self.place(at),
        })
    }

    fn read(&mut self, at: usize) {
        if let Some(path) = self.path_use(at) {
            self.usage.reads.push(path);
        }
    }

    fn write(&mut self, at: usize) {
        match self.path_use(at) {
            Some(path) if path.path == ":memory:" => {}
            Some(path) => self.usage.writes.push(path),
            None => self.unknown(UnknownKind::Write, at),
        }
    }

    /// `app.set('views', …)`, `app.set('view engine', 'pug')`.
    fn setting(&mut self, first: usize) {
        match self.code.text(first).as_deref() {
            Some("views") => self.read(first + 2),
            Some("view engine") => {
                if let Some(engine) = self.code.text(first + 2) {
                    let engine = self.named(engine, first);
                    self.usage.mentions.push(engine);
                }
            }
            Some("port" | "PORT") => self.port_expression(first + 2),
            _ => {}
        }
    }

    /// A key of an object literal, or what looks like one.
    fn key(&mut self, at: usize, name: &[u8]) {
        let value = at + 2;
        match name {
            b"target" | b"preset" | b"transport" | b"dialectModule" | b"client" => {
                if let Some(module) = self.code.text(value).filter(|text| is_package_name(text)) {
                    let module = self.named(module, at);
                    self.usage.mentions.push(module);
                }
            }
            b"dest" | b"destination" | b"uploadDir" | b"tempFileDir" if self.takes_uploads => {
                if let Some(path) = self.path_use(value).filter(|path| path.path != ":memory:") {
                    self.usage.writes.push(path);
                }
            }
            b"filename" | b"database" | b"storage" => {
                if let Some(path) = self.path_use(value).filter(|path| is_written(&path.path)) {
                    self.usage.writes.push(path);
                }
            }
            _ => {}
        }
    }

    /// Remembers what a constant holds; `const port = process.env.PORT || 3000`.
    fn assignment(&mut self, at: usize, name: &'a [u8]) {
        if name.eq_ignore_ascii_case(b"port") {
            self.port_expression(at + 2);
        }
        let declared = matches!(
            self.code.name(at.wrapping_sub(1)),
            b"const" | b"let" | b"var"
        );
        if declared && let Some(value) = self.code.value(at + 2) {
            self.code.values.insert(name, value);
        }
        if let Some(port) = self.code.number(at + 2).filter(|_| declared) {
            self.code.values.entry(name).or_insert(Value::Text {
                text: port.to_string(),
                exact: true,
            });
        }
    }

    /// `process.env.NAME`, `process.env['NAME']` and the destructured form, from `env` at `at`.
    fn environment(&mut self, at: usize) {
        if self.code.is(at + 1, b'.') {
            let name = String::from_utf8_lossy(self.code.name(at + 2)).into_owned();
            if is_own_port(&name) {
                self.port_expression(at - 2);
            }
            self.usage.environment.insert(name);
        } else if self.code.is(at + 1, b'[')
            && let Some(name) = self.code.text(at + 2)
        {
            self.usage.environment.insert(name);
        } else if at >= 4 && self.code.is(at - 3, b'=') && self.code.is(at - 4, b'}') {
            for back in (at.saturating_sub(64)..at - 4).rev() {
                if self.code.is(back, b'{') {
                    break;
                }
                let name = self.code.name(back);
                if !name.is_empty() {
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.usage.environment.insert(name);
                }
            }
        }
    }

    fn listen(&mut self, first: usize) {
        if self.code.is(first, b'{') {
            // `listen({ port: 3000 })`; other `port:` keys are as often those of what is called.
            let key = (first..first + 24)
                .take_while(|at| !self.code.is(*at, b'}'))
                .find(|at| self.code.name(*at) == b"port" && self.code.is(at + 1, b':'));
            if let Some(key) = key {
                self.port_expression(key + 2);
            }
            return;
        }
        self.port_expression(first);
        if let Some(Value::Text { text, .. }) = self.code.values.get(self.code.name(first)) {
            let port = text.parse().ok();
            self.port(port);
        }
    }

    /// `3000`, `'3000'`, `process.env.PORT || 3000`, `Number(process.env.PORT ?? '3000')`: the first number in the
    /// next few tokens of the expression.
    fn port_expression(&mut self, at: usize) {
        for at in at..at + 14 {
            match self.code.kind(at) {
                Some(Kind::Number | Kind::Text) => {
                    let port = self.code.number(at);
                    if port.is_some() {
                        return self.port(port);
                    }
                }
                Some(Kind::Name | Kind::Punct(b'|' | b'?' | b'.' | b'(' | b')' | b'+')) => {}
                _ => return,
            }
        }
    }

    fn port(&mut self, number: Option<u32>) {
        if let Some(port) = number.and_then(|number| u16::try_from(number).ok())
            && port > 9
        {
            self.usage.ports.insert(port);
        }
    }

    /// Strings that say something wherever they stand: `sqlite:` addresses.
    fn literal(&mut self, at: usize) {
        let Some(token) = self.code.tokens.get(at) else {
            return;
        };
        let bytes = token.bytes(self.code.source);
        if bytes
            .get(1..)
            .is_some_and(|text| text.starts_with(b"sqlite:"))
            && let Some(path) = Value::as_path(
                token
                    .text(self.code.source)
                    .trim_start_matches("sqlite:")
                    .trim_start_matches("//"),
                true,
            )
            && path.0 != ":memory:"
        {
            let place = self.place(at);
            self.usage.writes.push(PathUse {
                path: path.0,
                base: path.1,
                exact: path.2,
                place,
            });
        }
    }
}

/// Whether `path` has a name that databases have.
fn is_written(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".db", ".sqlite", ".sqlite3", ".log", ".db3"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Whether `text` could name a package: `pino-pretty`, `@scope/name`, `pkg/file`.
fn is_package_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 215
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"@/-_.".contains(&byte)
        })
        && text.starts_with(|first: char| first == '@' || first.is_ascii_lowercase())
}
