//! Shared libraries and loaders that the rewrite does not find any more.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::contents::{Contents, Facts, Loader, Missing};
use super::super::command::{Launch, base_name, locate};
use super::super::fault::{Cause, Fault};
use super::several;

/// Adds what programs and libraries of the rewrite `after` do not find, and those of `before` found; `is` is what the
/// rewrite starts with.
pub(super) fn faults(before: &Contents, after: &Contents, is: &Launch, faults: &mut Vec<Fault>) {
    let loader = Loader::new(after);
    let missing = loader.missing();
    if missing.is_empty() {
        return;
    }
    let started: BTreeSet<String> = is
        .programs
        .iter()
        .filter_map(|program| locate(after, program))
        .filter_map(|path| loader.process(&path))
        .flat_map(|(_, missing)| missing.into_iter().map(|it| it.file))
        .collect();
    let known = Known::new(before);
    let lost: Vec<Missing> = missing
        .into_iter()
        .filter(|it| match started.contains(&it.file) {
            true => !known.was_missing(it),
            false => known.was_found(it) && !is_of_distribution(&it.file),
        })
        .collect();
    let names: BTreeSet<&str> = lost.iter().map(|it| base_name(&it.library)).collect();
    let places = after.places(&names);
    let before = before.places(&names);
    // Without its loader a program finds no library at all: that is said once.
    let cut_off: BTreeSet<&str> = (lost.iter())
        .filter(|it| it.is_interpreter)
        .map(|it| it.file.as_str())
        .collect();
    let mut by_library: BTreeMap<&str, (bool, Vec<&str>)> = BTreeMap::new();
    for it in &lost {
        if it.is_interpreter || !cut_off.contains(it.file.as_str()) {
            let entry = by_library.entry(&it.library).or_default();
            entry.0 = it.is_interpreter;
            entry.1.push(&it.file);
        }
    }
    // What the same files miss is said in one line, the loader first.
    let mut grouped: BTreeMap<(bool, bool, Vec<&str>), Vec<&str>> = BTreeMap::new();
    for (library, (is_interpreter, files)) in by_library {
        let elsewhere = !is_interpreter && places.contains_key(library);
        let group = (!is_interpreter, elsewhere, files);
        grouped.entry(group).or_default().push(library);
    }
    for ((is_library, elsewhere, files), libraries) in grouped {
        let verb = if libraries.len() == 1 { "is" } else { "are" };
        let lack = if elsewhere {
            "where the loader looks"
        } else {
            "in the image"
        };
        let message = format!(
            "{} needs {}, which {verb} not {lack}",
            several(&files),
            several(&libraries)
        );
        let places = if elsewhere { &places } else { &before };
        let there: Vec<String> = libraries
            .iter()
            .filter_map(|library| places.get(base_name(library)))
            .map(|places| format!("/{}", places[0]))
            .collect();
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        let remedy = match (is_library, elsewhere) {
            (false, _) => {
                "take a base image with this C library, or link the program statically".to_owned()
            }
            (true, true) => format!(
                "{} is not in ld.so.cache: run ldconfig behind the copy",
                several(&there)
            ),
            (true, false) if there.is_empty() => "install the package that has it".to_owned(),
            (true, false) => format!(
                "the original has {}: install its package, or copy it",
                several(&there)
            ),
        };
        let cause = if is_library {
            Cause::Library
        } else {
            Cause::Interpreter
        };
        faults.push(Fault::image(cause, message, remedy));
    }
}

/// Whether a file lies where only a distribution puts libraries. It has chosen what comes with them: distroless' JRE
/// leaves out what sound and smart cards need, and nothing that starts asks for them.
fn is_of_distribution(file: &str) -> bool {
    let file = file.trim_start_matches('/');
    ["lib/", "lib64/", "usr/lib/", "usr/lib64/"]
        .iter()
        .any(|folder| file.starts_with(folder))
}

/// Which libraries the original finds, by the name of who needs them: a rewrite may move files.
struct Known<'c> {
    missing: BTreeSet<(String, String)>,
    needed: BTreeSet<(&'c str, &'c str)>,
}

impl<'c> Known<'c> {
    fn new(contents: &'c Contents) -> Self {
        let missing = Loader::new(contents).missing();
        let mut needed = BTreeSet::new();
        for (path, node) in contents.tree.all() {
            if let Some(Facts::Elf(elf)) = node.facts().map(|facts| &**facts) {
                let name = base_name(path);
                needed.extend(elf.needed.iter().map(|library| (name, &**library)));
                needed.extend(elf.interpreter.iter().map(|path| (name, &**path)));
            }
        }
        Self {
            missing: missing
                .into_iter()
                .map(|it| (base_name(&it.file).to_owned(), it.library))
                .collect(),
            needed,
        }
    }

    fn was_missing(&self, it: &Missing) -> bool {
        self.missing
            .contains(&(base_name(&it.file).to_owned(), it.library.clone()))
    }

    fn was_found(&self, it: &Missing) -> bool {
        self.needed
            .contains(&(base_name(&it.file), it.library.as_str()))
            && !self.was_missing(it)
    }
}
