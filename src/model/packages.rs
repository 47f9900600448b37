//! Package operations: which manager does what with which packages.

use crate::catalog::{Catalog, List, Manager, Text};
use crate::shell::{Invocation, Position, Script, Simple, Word};

/// What a package manager is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Install packages, or what a manifest names.
    Install,
    /// Fetch package lists, or solve versions.
    Update,
    /// Install newer versions of what is there.
    Upgrade,
    /// Uninstall.
    Remove,
    /// Delete caches.
    Clean,
    /// Anything else: `npm run`, `cargo build`, `apt-cache`.
    Other,
}

/// One call of a package manager.
#[derive(Clone, Debug)]
pub struct PackageOperation<'a> {
    /// What is known about the manager.
    pub manager: &'a Manager,
    /// What it is asked to do.
    pub verb: Verb,
    /// The word that says so (`install`); none where the manager installs without one.
    pub verb_word: Option<&'a Word>,
    /// The program's word: `apt-get`, `/usr/bin/pip3`; `python` of `python -m pip`.
    pub program: &'a Word,
    /// Words before the program that run it: `sudo`, `-E`.
    pub prefix: &'a [Word],
    /// Flags before and after the verb, their values left out.
    pub flags: Vec<&'a Word>,
    /// What is installed or removed, as written; words with an expansion among them.
    pub packages: Vec<&'a Word>,
    /// The whole command.
    pub simple: &'a Simple,
    /// Where it stands in the script.
    pub position: Position,
}

impl PackageOperation<'_> {
    /// Whether one of `names` is among the flags, with or without a value after `=`.
    #[must_use]
    pub fn has_flag(&self, names: &[&str]) -> bool {
        self.flags.iter().any(|word| {
            word.literal.as_deref().is_some_and(|flag| {
                names.iter().any(|name| {
                    flag == name.as_bytes()
                        || flag
                            .strip_prefix(name.as_bytes())
                            .is_some_and(|rest| rest.starts_with(b"="))
                        || is_bundled(flag, name.as_bytes())
                })
            })
        })
    }

    /// The names of the packages, version suffixes included; none when one of them depends on an expansion.
    #[must_use]
    pub fn literal_packages(&self) -> Option<Vec<String>> {
        self.packages
            .iter()
            .map(|word| Some(String::from_utf8_lossy(word.literal.as_deref()?).into_owned()))
            .collect()
    }
}

/// Whether a one-letter flag (`-y`) is part of a bundle (`-qqy`).
fn is_bundled(flag: &[u8], name: &[u8]) -> bool {
    name.len() == 2
        && name[0] == b'-'
        && flag.len() > 2
        && flag[0] == b'-'
        && flag[1] != b'-'
        && flag[1..].iter().all(u8::is_ascii_alphabetic)
        && flag[1..].contains(&name[1])
}

/// A [`PackageOperation`] as places in a script: it stays true when the script moves.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Which of the script's invocations it is.
    invocation: usize,
    manager: Manager,
    verb: Verb,
    /// Indices of words.
    verb_word: Option<usize>,
    program: usize,
    flags: Vec<usize>,
    packages: Vec<usize>,
}

impl Shape {
    fn of<'a>(&'a self, invocations: &[Invocation<'a>]) -> Option<PackageOperation<'a>> {
        let invocation = invocations.get(self.invocation)?;
        let words = &invocation.simple.words;
        let all = |indices: &[usize]| indices.iter().map(|index| &words[*index]).collect();
        Some(PackageOperation {
            manager: &self.manager,
            verb: self.verb,
            verb_word: self.verb_word.map(|index| &words[index]),
            program: &words[self.program],
            prefix: invocation.prefix(),
            flags: all(&self.flags),
            packages: all(&self.packages),
            simple: invocation.simple,
            position: invocation.position,
        })
    }
}

/// The package operations of a script, in the order in which they are written.
pub(super) fn shapes(script: &Script, catalog: &Catalog) -> Vec<Shape> {
    let invocations = script.invocations().into_iter().enumerate();
    invocations
        .filter_map(|(index, invocation)| shape(index, &invocation, catalog))
        .collect()
}

/// The operations of these shapes, made from `script` or from the same script elsewhere.
pub(super) fn operations<'a>(script: &'a Script, shapes: &'a [Shape]) -> Vec<PackageOperation<'a>> {
    if shapes.is_empty() {
        return Vec::new();
    }
    let invocations = script.invocations();
    shapes
        .iter()
        .filter_map(|shape| shape.of(&invocations))
        .collect()
}

fn shape(index: usize, invocation: &Invocation<'_>, catalog: &Catalog) -> Option<Shape> {
    let name = std::str::from_utf8(invocation.name()?).ok()?;
    let words = &invocation.simple.words;
    let mut program = invocation.prefix().len();
    let manager = match module_of(name, words.get(program + 1..)?) {
        Some((module, skipped)) => {
            program += skipped;
            catalog.package_manager(module)?
        }
        None => manager_of(catalog, name)?,
    };
    let mut flags = Vec::new();
    let mut operands = Vec::new();
    let mut rest = program + 1..words.len();
    let mut only_operands = false;
    while let Some(at) = rest.next() {
        match words[at].literal.as_deref() {
            Some(b"--") if !only_operands => only_operands = true,
            Some(flag) if flag.starts_with(b"-") && flag.len() > 1 && !only_operands => {
                flags.push(at);
                if !flag.contains(&b'=') && lists(&manager.value_flags, flag) {
                    rest.next();
                }
            }
            _ => operands.push(at),
        }
    }
    let (verb, used) = verb_of(manager, words, &operands, &flags);
    Some(Shape {
        invocation: index,
        manager: *manager,
        verb,
        verb_word: used.checked_sub(1).map(|last| operands[last]),
        program,
        flags,
        packages: operands.split_off(used.min(operands.len())),
    })
}

/// `python -m pip …`: the module, and how many words after the program name it.
fn module_of<'a>(program: &str, arguments: &'a [Word]) -> Option<(&'a str, usize)> {
    if !program.starts_with("python") && !program.starts_with("pypy") {
        return None;
    }
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        match word.literal.as_deref()? {
            b"-m" => {
                let module =
                    std::str::from_utf8(arguments.get(at + 1)?.literal.as_deref()?).ok()?;
                return Some((module, at + 2));
            }
            flag if flag.starts_with(b"-") => at += 1,
            _ => return None,
        }
    }
    None
}

/// The manager that a program is: `pip3.11` is pip.
fn manager_of<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a Manager> {
    catalog.package_manager(name).or_else(|| {
        let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        (stem == "pip").then(|| catalog.package_manager(stem))?
    })
}

/// What the operands ask for, and how many of them say so. A manager that installs without a verb (`yarn`,
/// `bundle`) has the empty word among its verbs.
fn verb_of(
    manager: &Manager,
    words: &[Word],
    operands: &[usize],
    flags: &[usize],
) -> (Verb, usize) {
    let is = |index: &usize, text: &str| words[*index].literal.as_deref() == Some(text.as_bytes());
    let kinds = [
        (Verb::Install, &manager.install),
        (Verb::Update, &manager.update),
        (Verb::Upgrade, &manager.upgrade),
        (Verb::Remove, &manager.remove),
        (Verb::Clean, &manager.clean),
    ];
    let mut best = (Verb::Other, 0);
    for (verb, texts) in kinds {
        for word in *texts {
            let word = word.get();
            if word.starts_with('-') {
                if flags.iter().any(|flag| is(flag, word)) {
                    return (verb, 0);
                }
                continue;
            }
            let parts: Vec<&str> = word.split(' ').filter(|part| !part.is_empty()).collect();
            let fits = parts.len() <= operands.len()
                && parts
                    .iter()
                    .zip(operands)
                    .all(|(part, operand)| is(operand, part));
            if fits && (parts.len() > best.1 || parts.is_empty() && operands.is_empty()) {
                best = (verb, parts.len());
            }
        }
    }
    best
}

/// Whether `word` is in the list.
fn lists(list: &List<Text>, word: &[u8]) -> bool {
    list.get()
        .iter()
        .any(|known| known.get().as_bytes() == word)
}
