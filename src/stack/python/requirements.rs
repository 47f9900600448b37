//! Requirement files of pip: their lines, options, and the files that they include.

use std::collections::BTreeSet;

use super::requirement::Requirement;
use crate::context::Context;
use crate::stack::{Evidence, paths};

/// A requirement file with all that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The file that was asked for, a path in the context.
    pub path: String,
    /// It and every file that `-r` and `-c` bring in, paths in the context: what the install reads.
    pub files: Vec<String>,
    /// What it asks for; constraints (`-c`) are not in it.
    pub requirements: Vec<Requirement>,
    /// What `-c` files say.
    pub constraints: Vec<Requirement>,
    /// `-e` targets, as written.
    pub editables: Vec<String>,
    /// Paths of files and folders of the context that are installed: wheels, `.`, `./lib`.
    pub local_paths: Vec<String>,
    /// `-i`, `--extra-index-url`, `--find-links` addresses, without credentials.
    pub indexes: Vec<String>,
    /// Whether an address holds a user name or password that is written out.
    pub has_credentials: bool,
    /// Whether lines carry `--hash`.
    pub hashes: bool,
    /// `--no-binary`, `--prefer-binary`, `--only-binary`, `--pre` … as written.
    pub options: Vec<String>,
    /// What is not understood or not there.
    pub unknown: Vec<String>,
}

impl Requirements {
    /// Reads the file at `path` and what it includes.
    #[must_use]
    pub fn read(context: &Context, path: &str, findings: &mut Vec<Evidence>) -> Self {
        let mut requirements = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        requirements.include(context, path, false, &mut seen, findings);
        requirements
    }

    /// Whether each of its lines allows one version only.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.pinned().is_some())
    }

    fn include(
        &mut self,
        context: &Context,
        path: &str,
        constrains: bool,
        seen: &mut BTreeSet<String>,
        findings: &mut Vec<Evidence>,
    ) {
        // A limit keeps includes that include each other, and chains of them, short.
        if seen.len() > 64 || !seen.insert(path.to_owned()) {
            return;
        }
        let Some(bytes) = context.read(path) else {
            self.unknown.push(path.to_owned());
            findings.push(Evidence::new(
                &format!("`{path}` is included but not there"),
                &self.path,
            ));
            return;
        };
        self.files.push(path.to_owned());
        let text = decode(&bytes);
        let folder = paths::parent(path).to_owned();
        for (number, line) in logical_lines(&text) {
            let place = format!("{path}:{number}");
            if let Some((option, value)) = option(&line) {
                let target = || paths::relative(&folder, value);
                match option {
                    "-r" | "--requirement" | "-c" | "--constraint" => {
                        let constrains = constrains || matches!(option, "-c" | "--constraint");
                        match target() {
                            Some(target) if !value.contains("://") => {
                                self.include(context, &target, constrains, seen, findings)
                            }
                            _ => self.unknown.push(value.to_owned()),
                        }
                    }
                    "-e" | "--editable" => {
                        self.editables.push(value.to_owned());
                        self.requirement(value, &folder, &place, constrains, findings);
                    }
                    "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" => {
                        let (address, secret) = without_credentials(value);
                        self.has_credentials |= secret;
                        if secret {
                            findings
                                .push(Evidence::new("an index address holds a credential", &place));
                        }
                        self.indexes.push(address);
                    }
                    _ => self.options.push(line.clone()),
                }
                continue;
            }
            let requirement = match line.find(" --") {
                Some(at) => {
                    self.hashes |= line[at..].contains("--hash");
                    &line[..at]
                }
                None => &line,
            };
            self.requirement(requirement, &folder, &place, constrains, findings);
        }
    }

    fn requirement(
        &mut self,
        text: &str,
        folder: &str,
        place: &str,
        constrains: bool,
        findings: &mut Vec<Evidence>,
    ) {
        let Some(requirement) = Requirement::parse(text) else {
            findings.push(Evidence::new(
                &format!("`{text}` is not a requirement"),
                place,
            ));
            self.unknown.push(text.to_owned());
            return;
        };
        if let Some(path) = requirement.local_path() {
            // pip reads paths in these files from where it is started; that is their folder in nearly all projects.
            match paths::relative(folder, path) {
                Some(path) => self.local_paths.push(path),
                None => self.unknown.push(text.to_owned()),
            }
        }
        if constrains {
            self.constraints.push(requirement);
        } else {
            self.requirements.push(requirement);
        }
    }
}

/// The option at the start of a line and its value.
fn option(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with('-') {
        return None;
    }
    if let Some(rest) = line.strip_prefix("--") {
        let end = rest.find([' ', '=']).map_or(line.len(), |at| at + 2);
        return Some((
            &line[..end],
            line[end..].trim_start_matches(['=', ' ']).trim(),
        ));
    }
    let end = line.char_indices().nth(2).map_or(line.len(), |(at, _)| at);
    Some((&line[..end], line[end..].trim_start_matches('=').trim()))
}

/// Lines with continuations joined and comments removed, each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let (at, mut joined) = open.take().unwrap_or((number + 1, String::new()));
        let comment = if line.trim_start().starts_with('#') {
            Some(0)
        } else {
            line.find(" #").or_else(|| line.find("\t#"))
        };
        let content = comment.map_or(line, |comment| &line[..comment]);
        match content.trim_end().strip_suffix('\\') {
            Some(content) if comment.is_none() => {
                joined.push_str(content);
                open = Some((at, joined));
            }
            _ => {
                joined.push_str(content);
                lines.push((at, joined));
            }
        }
    }
    lines.extend(open);
    lines
        .iter_mut()
        .for_each(|(_, line)| *line = line.trim().to_owned());
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// The text of a file that may be UTF-16, as PowerShell's `pip freeze >` writes it.
fn decode(bytes: &[u8]) -> String {
    let wide = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| from([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The address without `user:password@`, and whether one is written out; `${VARIABLE}` is none.
fn without_credentials(address: &str) -> (String, bool) {
    let Some((scheme, rest)) = address.split_once("://") else {
        return (address.to_owned(), false);
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => (
            format!("{scheme}://{}", &rest[at + 1..]),
            !rest[..at].contains("${"),
        ),
        None => (address.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_options_and_continuations() {
        let context = Context::in_memory([
            (
                "req/prod.txt",
                "# all\n-r base.txt\n-c ../constraints.txt\n--extra-index-url https://me:pw@host/simple\nDjango==4.2 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\n-e ./lib\ngit+https://x/y@v1#egg=y  # why\n--no-binary :all:\nbad line\n",
            ),
            (
                "req/base.txt",
                "-r prod.txt\nflask[async]>=2 ; python_version > '3'\n",
            ),
            ("constraints.txt", "flask==3.0\n"),
        ]);
        let mut findings = Vec::new();
        let read = Requirements::read(&context, "req/prod.txt", &mut findings);
        assert_eq!(
            read.files,
            ["req/prod.txt", "req/base.txt", "constraints.txt"]
        );
        let names: Vec<&str> = read
            .requirements
            .iter()
            .map(|requirement| requirement.name.as_str())
            .collect();
        assert_eq!(names, ["flask", "django", "", "y"]);
        assert_eq!(read.constraints.len(), 1);
        assert_eq!(read.local_paths, ["req/lib"]);
        assert_eq!(read.indexes, ["https://host/simple"]);
        assert!(read.has_credentials && read.hashes && !read.is_pinned());
        assert_eq!(read.options, ["--no-binary :all:"]);
        assert_eq!(
            findings[1],
            Evidence::new("`bad line` is not a requirement", "req/prod.txt:11")
        );
    }

    #[test]
    fn windows_text_is_decoded() {
        let bytes: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("a==1\r\n".bytes().flat_map(|byte| [byte, 0]))
            .collect();
        assert_eq!(decode(&bytes), "a==1\r\n");
    }
}
