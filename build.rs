//! Compiles `src/catalog/*.yaml` into Rust statics; see `src/catalog/mod.rs` for the mechanism.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;

/// The owned forms of the schema's texts and lists.
mod repr {
    pub(crate) type Text = String;
    pub(crate) type List<T> = Vec<T>;
}

/// Writes a value as the Rust expression of its static form.
trait Emit {
    fn emit(&self, out: &mut String);
}

impl Emit for String {
    fn emit(&self, out: &mut String) {
        write!(out, "Text({self:?})").expect("writing to a string never fails");
    }
}

impl<T: Emit> Emit for Vec<T> {
    fn emit(&self, out: &mut String) {
        out.push_str("List(&[");
        for item in self {
            item.emit(out);
            out.push(',');
        }
        out.push_str("])");
    }
}

impl<T: Emit> Emit for Option<T> {
    fn emit(&self, out: &mut String) {
        match self {
            None => out.push_str("None"),
            Some(value) => {
                out.push_str("Some(");
                value.emit(out);
                out.push(')');
            }
        }
    }
}

macro_rules! emit_as_written {
    ($($kind:ty),*) => {$(
        impl Emit for $kind {
            fn emit(&self, out: &mut String) {
                write!(out, "{self:?}").expect("writing to a string never fails");
            }
        }
    )*};
}
emit_as_written!(bool, u16, u32, u64);

macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name { $($(#[$field_meta])* pub $field: $kind,)* }

        impl crate::Emit for $name {
            fn emit(&self, out: &mut String) {
                out.push_str(concat!(stringify!($name), " {"));
                $(
                    out.push_str(concat!(stringify!($field), ": "));
                    crate::Emit::emit(&self.$field, out);
                    out.push(',');
                )*
                out.push('}');
            }
        }
    };
}

macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl crate::Emit for $name {
            fn emit(&self, out: &mut String) {
                out.push_str(match self { $(Self::$variant => concat!(stringify!($name), "::", stringify!($variant)),)* });
            }
        }
    };
}

macro_rules! keyed {
    ($name:ident, $key:ident) => {
        impl crate::Keyed for $name {
            fn key(&self) -> &str {
                &self.$key
            }
            fn provenance(&mut self) -> [&mut String; 2] {
                [&mut self.source, &mut self.as_of]
            }
        }
    };
}

/// A row that is found by a text, and says who vouches for it and when.
trait Keyed {
    fn key(&self) -> &str;
    fn provenance(&mut self) -> [&mut String; 2];
}

#[expect(
    unreachable_pub,
    reason = "public in the crate, which includes the same file"
)]
#[path = "src/catalog/languages.rs"]
mod languages;

#[expect(
    unreachable_pub,
    reason = "public in the crate, which includes the same file"
)]
#[path = "src/catalog/schema.rs"]
mod schema;

#[expect(
    unreachable_pub,
    reason = "public in the crate, which includes the same file"
)]
#[path = "src/catalog/software.rs"]
mod software;

/// A part of a catalog file whose rows share source and date; a row may name its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Section<T> {
    source: String,
    as_of: String,
    entries: Vec<Spanned<T>>,
}

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/catalog");
    link_in_place();
    let mut catalog = Compiler::default();
    catalog.table::<schema::Cycle>("eol.yaml", "CYCLES", "Cycle");
    catalog.table::<schema::Contents>("contents.yaml", "CONTENTS", "Contents");
    catalog.table::<schema::PlainFiles>("plain_files.yaml", "PLAIN_FILES", "PlainFiles");
    catalog.table::<schema::Release>("releases.yaml", "RELEASES", "Release");
    catalog.table::<schema::Family>("families.yaml", "FAMILIES", "Family");
    catalog.table::<schema::ImageSize>("sizes.yaml", "SIZES", "ImageSize");
    catalog.table::<schema::Retirement>("retired.yaml", "RETIREMENTS", "Retirement");
    catalog.table::<software::DebianPackage>(
        "debian_packages.yaml",
        "DEBIAN_PACKAGES",
        "DebianPackage",
    );
    catalog.table::<software::OlderPackage>(
        "older_packages.yaml",
        "OLDER_PACKAGES",
        "OlderPackage",
    );
    catalog.table::<software::Recommend>("recommends_that_matter.yaml", "RECOMMENDS", "Recommend");
    catalog.table::<software::Condition>("recommend_conditions.yaml", "CONDITIONS", "Condition");
    catalog.table::<software::Command>("commands.yaml", "COMMANDS", "Command");
    catalog.table::<software::Manager>("package_managers.yaml", "MANAGERS", "Manager");
    catalog.table::<languages::Native>("native.yaml", "NATIVES", "Native");
    catalog.table::<languages::PythonPackage>("wheels.yaml", "PYTHON_PACKAGES", "PythonPackage");
    catalog.table::<software::Program>("programs.yaml", "PROGRAMS", "Program");
    catalog.table::<software::IgnorePattern>(
        "ignore_patterns.yaml",
        "IGNORE_PATTERNS",
        "IgnorePattern",
    );
    catalog.table::<languages::RootNeed>("root_needs.yaml", "ROOT_NEEDS", "RootNeed");
    catalog.table::<languages::DownloadCache>(
        "download_caches.yaml",
        "DOWNLOAD_CACHES",
        "DownloadCache",
    );
    catalog.table::<software::HandTool>("hand_tools.yaml", "HAND_TOOLS", "HandTool");
    catalog.table::<languages::WritingCalls>("writing_calls.yaml", "WRITING_CALLS", "WritingCalls");
    catalog.table::<languages::CLibrary>("c_libraries.yaml", "C_LIBRARIES", "CLibrary");
    catalog.table::<languages::UnsplitTool>("unsplit_tools.yaml", "UNSPLIT_TOOLS", "UnsplitTool");
    let words = catalog.table::<schema::Words>("word_sets.yaml", "WORD_SETS", "Words");
    catalog.word_sets(&words);
    let builds = catalog.table::<schema::Build>("images.yaml", "BUILDS", "Build");
    catalog.tags(&builds);
    catalog.finish()
}

/// Has the program linked for a fixed address: a position-independent one spends 3 of its 5 ms at start on the
/// catalog's 150,000 pointers.
fn link_in_place() {
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}

/// Collects the generated source and every problem found on the way, so that one build shows them all.
#[derive(Default)]
struct Compiler {
    source: String,
    problems: Vec<String>,
}

impl Compiler {
    /// Adds the static slice `name` of rows of type `kind`, read from `file` and sorted by key.
    ///
    /// Returns the rows in that order.
    fn table<T: DeserializeOwned + Emit + Keyed>(
        &mut self,
        file: &str,
        name: &str,
        kind: &str,
    ) -> Vec<T> {
        let path = Path::new("src/catalog").join(file);
        let Some(sections) = self.read::<T>(&path) else {
            return Vec::new();
        };
        let mut rows = BTreeMap::new();
        for section in sections {
            self.check_section(&path, &section.source, &section.as_of);
            let mut previous = String::new();
            for entry in section.entries {
                let line = entry.referenced.line();
                let mut row = entry.value;
                for (own, shared) in row
                    .provenance()
                    .into_iter()
                    .zip([&section.source, &section.as_of])
                {
                    if own.is_empty() {
                        own.clone_from(shared);
                    }
                }
                let key = row.key().to_owned();
                if key < previous {
                    self.report(
                        &path,
                        line,
                        &format!("`{key}` must come before `{previous}`"),
                    );
                }
                previous.clone_from(&key);
                if let Some((first, _)) = rows.get(&key) {
                    self.report(&path, line, &format!("`{key}` is already on line {first}"));
                } else {
                    rows.insert(key, (line, row));
                }
            }
        }
        writeln!(self.source, "pub(super) static {name}: &[{kind}] = &[")
            .expect("writing to a string never fails");
        for (_, row) in rows.values() {
            row.emit(&mut self.source);
            self.source.push_str(",\n");
        }
        self.source.push_str("];\n");
        rows.into_values().map(|(_, row)| row).collect()
    }

    /// Adds the index from every `family:tag` to the number of its build. A tag that several builds share means
    /// the one for Linux.
    fn tags(&mut self, builds: &[schema::Build]) {
        let mut tags = BTreeMap::new();
        for (number, build) in builds.iter().enumerate() {
            let family = build.key.split(':').next().unwrap_or_default();
            let windows = build.base.iter().any(|base| base == "windows");
            for tag in &build.tags {
                let key = format!("{family}:{tag}");
                if !windows || !tags.contains_key(&key) {
                    tags.insert(key, number);
                }
            }
        }
        self.source
            .push_str("pub(super) static TAGS: &[(&str, u16)] = &[\n");
        for (tag, number) in tags {
            writeln!(self.source, "({tag:?}, {number}),").expect("writing to a string never fails");
        }
        self.source.push_str("];\n");
    }

    /// Adds the enumeration of the sets of words, so that a rule cannot ask for one that has no row.
    fn word_sets(&mut self, sets: &[schema::Words]) {
        let (mut variants, mut every, mut names) = (String::new(), String::new(), String::new());
        for set in sets {
            let variant = camel_case(&set.name);
            write!(variants, "#[doc = {:?}] {variant},", set.what)
                .expect("writing to a string never fails");
            write!(every, "WordSet::{variant},").expect("writing to a string never fails");
            write!(names, "{:?},", set.name).expect("writing to a string never fails");
        }
        let count = sets.len();
        write!(
            self.source,
            "/// A set of words, made from the rows of `word_sets.yaml`.\n\
             #[derive(Clone, Copy, Debug, PartialEq, Eq)] pub enum WordSet {{{variants}}}\n\
             #[cfg(test)] pub(super) static EVERY_WORD_SET: [WordSet; {count}] = [{every}];\n\
             pub(super) static WORD_SET_NAMES: [&str; {count}] = [{names}];\n"
        )
        .expect("writing to a string never fails");
    }

    fn read<T: DeserializeOwned>(&mut self, path: &Path) -> Option<Vec<Section<T>>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.problems.push(format!("{}: {error}", path.display()));
                return None;
            }
        };
        match serde_saphyr::from_str(&text) {
            Ok(sections) => Some(sections),
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                self.report(path, line, &error.to_string());
                None
            }
        }
    }

    fn check_section(&mut self, path: &Path, source: &str, as_of: &str) {
        if source.is_empty() || as_of.len() != 10 {
            self.report(path, 1, "a section needs `source` and `as-of: YYYY-MM-DD`");
        }
    }

    fn report(&mut self, path: &Path, line: u64, message: &str) {
        self.problems
            .push(format!("{}:{line}: {message}", path.display()));
    }

    /// Writes `catalog.rs` into the build's output folder, or ends the build with everything that is wrong.
    fn finish(self) -> ExitCode {
        if !self.problems.is_empty() {
            for problem in &self.problems {
                println!("cargo:error={}", problem.replace('\n', " "));
            }
            return ExitCode::FAILURE;
        }
        let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        std::fs::write(folder.join("catalog.rs"), self.source)
            .expect("the output folder is writable");
        ExitCode::SUCCESS
    }
}

/// `build-packages` → `BuildPackages`.
fn camel_case(name: &str) -> String {
    let capitalised = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('-').map(capitalised).collect()
}
