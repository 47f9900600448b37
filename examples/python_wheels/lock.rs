//! Reads what poetry, uv and pdm write into lock files, line by line: the shapes are fixed, and thousands of files are read.

/// A release of a package as one lock file shows it.
#[derive(Default)]
pub(crate) struct Release {
    pub(crate) name: String,
    pub(crate) version: String,
    /// File names on the index. Poetry and pdm write all of them, uv those that its project could use.
    pub(crate) files: Vec<String>,
    /// Whether `files` holds all that the index has.
    pub(crate) all_files: bool,
    /// What it says of Python, `>=3.9`; empty where the format does not tell.
    pub(crate) python: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Extras and what they add.
    pub(crate) extras: Vec<(String, Dependency)>,
    /// It comes from a folder, an address or another index.
    foreign: bool,
}

/// What a release asks for.
#[derive(Clone, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) extras: Vec<String>,
    /// `>=1,<2`; empty where the format does not tell.
    pub(crate) versions: String,
    /// The minor version of Python 3 from which on it is not required.
    pub(crate) below_python: Option<u32>,
    /// The version that the same file locks.
    pub(crate) locked: Option<String>,
}

/// The releases of a lock file that come from the public index.
pub(crate) fn read(text: &str) -> Vec<Release> {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.line(line);
    }
    let mut releases = reader.releases;
    releases.retain(|release| !release.foreign && !release.version.is_empty());
    for release in &mut releases {
        // A file that was committed in the middle of a merge has lines in the wrong tables.
        release
            .dependencies
            .retain(|dependency| is_name(&dependency.name));
        release
            .extras
            .retain(|(_, dependency)| is_name(&dependency.name));
    }
    let locked: Vec<(String, String)> = releases
        .iter()
        .map(|release| (release.name.clone(), release.version.clone()))
        .collect();
    for dependency in releases
        .iter_mut()
        .flat_map(|release| &mut release.dependencies)
    {
        let mut versions = locked.iter().filter(|(name, _)| *name == dependency.name);
        if let (Some((_, version)), None) = (versions.next(), versions.next()) {
            dependency.locked = Some(version.clone());
        }
    }
    releases
}

/// Packages that do nothing on Linux, whatever the marker that brings them looks like.
const ELSEWHERE: &[&str] = &[
    "appnope",
    "macholib",
    "pypiwin32",
    "pywin32",
    "pywin32-ctypes",
    "pywinpty",
    "win-inet-pton",
    "win32-setctime",
    "wmi",
];

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !ELSEWHERE.contains(&text)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `name` as PEP 503 has it.
pub(crate) fn normalise(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '.'], "-")
}

#[derive(Default)]
struct Reader {
    releases: Vec<Release>,
    /// The table that the line stands in: `package`, `package.dependencies`, `metadata.files` …
    table: String,
    /// The array that is open.
    array: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let line = line.trim();
        if line == "[[package]]" {
            self.releases.push(Release::default());
            self.table = "package".to_owned();
            self.array = None;
        } else if let Some(table) = line.strip_prefix('[').filter(|_| self.array.is_none()) {
            self.table = table.trim_matches(['[', ']']).to_owned();
            if self.table == "package.source"
                && let Some(release) = self.releases.last_mut()
            {
                release.foreign = true;
            }
        } else if let Some(key) = self.array.clone() {
            if line.starts_with(']') {
                self.array = None;
            } else {
                self.item(&key, line);
            }
        } else if let Some((key, value)) = line.split_once(" = ") {
            let key = key.trim_matches('"');
            if value == "[" {
                self.array = Some(key.to_owned());
            } else if let Some(inner) = value.strip_prefix('[') {
                let inner = inner.trim_end_matches(']');
                if inner.starts_with('{') {
                    for item in inner.split_inclusive("}, ") {
                        self.item(key, item.trim());
                    }
                } else {
                    for item in inner.split("\", \"").filter(|item| !item.is_empty()) {
                        self.item(key, &format!("\"{}\"", item.trim_matches('"')));
                    }
                }
            } else {
                self.value(key, value);
            }
        }
    }

    fn value(&mut self, key: &str, value: &str) {
        let text = value.trim_matches('"');
        let Some(release) = self.releases.last_mut() else {
            return;
        };
        match (self.table.as_str(), key) {
            ("package", "name") => release.name = normalise(text),
            ("package", "version") => release.version = text.to_owned(),
            ("package", "python-versions" | "requires_python") => {
                release.python = text.to_owned();
            }
            ("package", "git" | "path" | "url") => release.foreign = true,
            ("package", "source") => release.foreign |= !value.contains("registry ="),
            ("package", "sdist") => release.files.extend(file_name(value)),
            ("package.dependencies", name) => release.dependencies.extend(poetry(name, value)),
            _ => {}
        }
    }

    fn item(&mut self, key: &str, line: &str) {
        if self.table == "metadata.files" {
            let name = normalise(key);
            for release in self
                .releases
                .iter_mut()
                .filter(|release| release.name == name)
            {
                release.all_files = true;
                // The files of several locked versions of a package stand together.
                let version = format!("-{}", release.version);
                release
                    .files
                    .extend(file_name(line).filter(|file| file.contains(&version)));
            }
            return;
        }
        let Some(release) = self.releases.last_mut() else {
            return;
        };
        match (self.table.as_str(), key) {
            ("package", "files") => {
                release.all_files = true;
                release.files.extend(file_name(line));
            }
            ("package", "wheels") => release.files.extend(file_name(line)),
            ("package", "dependencies") if line.starts_with('{') => {
                release.dependencies.extend(uv(line));
            }
            ("package", "dependencies") => release.dependencies.extend(plain(line)),
            ("package.dependencies", name) => {
                release.dependencies.extend(poetry(name, line));
            }
            ("package.extras", extra) => {
                let extra = normalise(extra);
                release
                    .extras
                    .extend(plain(line).map(|wanted| (extra, wanted)));
            }
            ("package.optional-dependencies", extra) => {
                let extra = normalise(extra);
                release
                    .extras
                    .extend(uv(line).map(|wanted| (extra, wanted)));
            }
            _ => {}
        }
    }
}

/// The last part of the quoted address or name of a file.
fn file_name(text: &str) -> Option<String> {
    let value = quoted(text, "file").or_else(|| quoted(text, "url"))?;
    Some(value.rsplit('/').next()?.to_owned())
}

/// The text of `key = "…"` inside of an inline table.
fn quoted<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let at = text.find(&format!("{key} = \""))?;
    let rest = &text[at + key.len() + 4..];
    rest.get(..rest.find(['"'])?)
}

/// Whether a marker speaks of other systems, interpreters or of an extra.
fn is_elsewhere(marker: &str) -> bool {
    let marker = marker.replace("\\\"", "'");
    [
        "== 'win32'",
        "== 'Windows'",
        "== 'darwin'",
        "== 'Darwin'",
        "== 'nt'",
        "== 'cygwin'",
        "== 'emscripten'",
        "== 'Emscripten'",
        "== 'PyPy'",
        "== 'pypy'",
        "extra ==",
        "!= 'CPython'",
    ]
    .iter()
    .any(|elsewhere| marker.contains(elsewhere))
        && !marker.contains(" or ")
}

/// 9 of `python_version < "3.9"`, alone or with other conditions that must hold.
fn below_python(marker: &str) -> Option<u32> {
    let marker = marker.replace("\\\"", "'").replace('"', "'");
    if marker.contains(" or ") {
        return None;
    }
    ["python_version < '3.", "python_full_version < '3."]
        .iter()
        .find_map(|start| {
            let rest = &marker[marker.find(start)? + start.len()..];
            let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
            rest[..end].parse().ok()
        })
}

/// `name = ">=1"`, `name = {version = ">=1", optional = true, markers = "…"}`.
fn poetry(name: &str, value: &str) -> Option<Dependency> {
    let is_table = value.starts_with('{');
    if is_table
        && (value.contains("optional = true")
            || value
                .find("markers = ")
                .is_some_and(|at| is_elsewhere(&value[at..])))
    {
        return None;
    }
    let versions = if is_table {
        quoted(value, "version").unwrap_or_default()
    } else {
        value.trim_end_matches(',').trim_matches('"')
    };
    let extras = value
        .find("extras = [")
        .and_then(|at| value[at + 10..].split(']').next())
        .unwrap_or_default();
    Some(Dependency {
        name: normalise(name),
        extras: words(extras),
        versions: versions.to_owned(),
        below_python: value
            .find("markers = ")
            .and_then(|at| below_python(&value[at..])),
        locked: None,
    })
}

/// `{ name = "x", extra = ["y"], marker = "…" },`
fn uv(line: &str) -> Option<Dependency> {
    if quoted_marker(line).is_some_and(is_elsewhere) {
        return None;
    }
    let extras = line
        .find("extra = [")
        .and_then(|at| line[at + 9..].split(']').next())
        .unwrap_or_default();
    Some(Dependency {
        name: normalise(quoted(line, "name")?),
        extras: words(extras),
        below_python: quoted_marker(line).and_then(below_python),
        ..Dependency::default()
    })
}

fn quoted_marker(line: &str) -> Option<&str> {
    let at = line.find("marker = \"")?;
    Some(&line[at + 10..])
}

/// `"x[y]>=1; marker",` of pdm and `"x (>=1) ; marker"` of poetry's extras.
fn plain(line: &str) -> Option<Dependency> {
    let text = line.trim_end_matches(',').trim_matches('"');
    let (text, marker) = text.split_once(';').unwrap_or((text, ""));
    if is_elsewhere(marker) {
        return None;
    }
    let end = text
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter))
        .unwrap_or(text.len());
    let rest = text[end..].trim();
    let (extras, versions) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    Some(Dependency {
        name: normalise(&text[..end]),
        extras: words(extras),
        versions: versions.trim().trim_matches(['(', ')']).to_owned(),
        below_python: below_python(marker),
        locked: None,
    })
}

fn words(list: &str) -> Vec<String> {
    list.split(',')
        .map(|word| normalise(word.trim().trim_matches('"')))
        .filter(|word| !word.is_empty())
        .collect()
}
