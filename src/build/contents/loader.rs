//! Which shared libraries a program finds, by the rules of the loaders of glibc and musl.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::{Contents, Elf, Facts, Kind, Tree};

/// Libraries of one process; no real one has more.
const MOST_LOADED: usize = 2_000;

/// The loader of one image.
#[derive(Debug)]
pub struct Loader<'c> {
    contents: &'c Contents,
    /// What `ldconfig` wrote down: paths by name. Without it the loader of glibc knows its own folders only.
    cache: HashMap<String, Vec<String>>,
    /// `/etc/ld-musl-….path`, or what musl does without it.
    musl: Vec<String>,
    library_path: Vec<String>,
    /// What does not depend on who asks, once it is known: by name, machine, class and C library.
    known: RefCell<HashMap<Wanted, Option<String>>>,
}

/// Name, machine, class, and whether the C library is musl.
type Wanted = (String, u16, bool, bool);

/// A library or a loader that is not found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Who needs it: an absolute path.
    pub file: String,
    /// Its name, or the path of the loader.
    pub library: String,
    /// Whether it is the loader itself, without which the kernel says that there is no such file.
    pub is_interpreter: bool,
}

/// An ELF file of the image, and where it is.
#[derive(Clone, Copy)]
struct Object<'c> {
    path: &'c str,
    elf: &'c Elf,
}

/// A process: what it loaded, and what it did not find.
#[derive(Default)]
struct Process<'c> {
    /// With the index of the one that asked for it.
    loaded: Vec<(Object<'c>, Option<usize>)>,
    missing: Vec<Missing>,
}

impl<'c> Loader<'c> {
    /// The loader of this image.
    #[must_use]
    pub fn new(contents: &'c Contents) -> Self {
        let tree = &contents.tree;
        let cache = match tree.facts("/etc/ld.so.cache").map(|facts| &**facts) {
            Some(Facts::Text(bytes)) => cached(bytes),
            _ => HashMap::new(),
        };
        let path_file = tree.below("etc").find_map(|(path, node)| {
            let is_it = path.starts_with("etc/ld-musl-") && path.ends_with(".path");
            match node.facts().map(|facts| &**facts) {
                Some(Facts::Text(bytes)) if is_it => {
                    Some(String::from_utf8_lossy(bytes).into_owned())
                }
                _ => None,
            }
        });
        let musl = path_file.unwrap_or_else(|| "/lib:/usr/local/lib:/usr/lib".to_owned());
        let library_path = contents.variable("LD_LIBRARY_PATH").unwrap_or_default();
        Self {
            contents,
            cache,
            musl: folders(&musl),
            library_path: folders(library_path),
            known: RefCell::default(),
        }
    }

    /// Everything that no program of the image finds, and no library that programs load when they run: what lies in the
    /// folders of the system and is needed by nobody says nothing.
    #[must_use]
    pub fn missing(&self) -> BTreeSet<Missing> {
        let mut missing = BTreeSet::new();
        let mut reached: HashSet<&str> = HashSet::new();
        let mut found: HashSet<(&str, &str)> = HashSet::new();
        let objects: Vec<Object<'c>> = objects(&self.contents.tree).collect();
        let (programs, libraries): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .partition(|object| object.elf.interpreter.is_some());
        for object in programs {
            self.note(object, &mut missing, &mut reached, &mut found);
        }
        for object in libraries {
            if !reached.contains(object.path) && !is_of_the_system(object.path) {
                self.note(object, &mut missing, &mut reached, &mut found);
            }
        }
        missing.retain(|it: &Missing| !found.contains(&(&it.file[1..], it.library.as_str())));
        missing
    }

    /// What the program at the absolute path loads, itself first, as paths without a slash in front, and what it does
    /// not find; none when it is no ELF file.
    #[must_use]
    pub fn process(&self, program: &str) -> Option<(Vec<&'c str>, Vec<Missing>)> {
        let real = self.contents.tree.resolve(program).ok()?;
        let process = self.load(self.object(&real)?);
        let paths = process.loaded.iter().map(|(object, _)| object.path);
        Some((paths.collect(), process.missing))
    }

    fn note(
        &self,
        root: Object<'c>,
        missing: &mut BTreeSet<Missing>,
        reached: &mut HashSet<&'c str>,
        found: &mut HashSet<(&'c str, &'c str)>,
    ) {
        let process = self.load(root);
        let lost: HashSet<(&str, &str)> = process
            .missing
            .iter()
            .map(|it| (&it.file[1..], it.library.as_str()))
            .collect();
        for (object, _) in &process.loaded {
            reached.insert(object.path);
            let needed = object.elf.needed.iter().map(|name| (object.path, &**name));
            found.extend(needed.filter(|pair| !lost.contains(pair)));
        }
        missing.extend(process.missing);
    }

    fn object(&self, real: &str) -> Option<Object<'c>> {
        let (path, node) = self.contents.tree.entry(real)?;
        match &**node.facts()? {
            Facts::Elf(elf) => Some(Object { path, elf }),
            _ => None,
        }
    }

    fn load(&self, root: Object<'c>) -> Process<'c> {
        let mut process = Process::default();
        let mut names: HashSet<&str> = HashSet::new();
        let mut queue = VecDeque::from([0]);
        process.loaded.push((root, None));
        if let Some(interpreter) = &root.elf.interpreter {
            match self.contents.tree.find(interpreter) {
                Some((_, node)) if matches!(node.kind, Kind::File { .. }) => {}
                _ => process.missing.push(Missing {
                    file: format!("/{}", root.path),
                    library: interpreter.to_string(),
                    is_interpreter: true,
                }),
            }
        }
        let is_musl = self.is_musl(root.elf);
        while let Some(at) = queue.pop_front() {
            let (object, _) = process.loaded[at];
            for name in &object.elf.needed {
                if names.contains(&**name) || is_the_loader(name, is_musl) {
                    continue;
                }
                match self.search(&process, at, name, is_musl) {
                    Some(found) => {
                        names.insert(name);
                        names.extend(found.elf.soname.as_deref());
                        let again = process
                            .loaded
                            .iter()
                            .any(|(known, _)| known.path == found.path);
                        if !again && process.loaded.len() < MOST_LOADED {
                            process.loaded.push((found, Some(at)));
                            queue.push_back(process.loaded.len() - 1);
                        }
                    }
                    None => process.missing.push(Missing {
                        file: format!("/{}", object.path),
                        library: name.to_string(),
                        is_interpreter: false,
                    }),
                }
            }
        }
        process
    }

    fn search(
        &self,
        process: &Process<'c>,
        at: usize,
        name: &str,
        is_musl: bool,
    ) -> Option<Object<'c>> {
        let (object, _) = process.loaded[at];
        if name.contains('/') {
            return self.fitting(name, object.elf);
        }
        let in_folders = |folders: &[String]| {
            folders
                .iter()
                .find_map(|folder| self.fitting(&format!("{folder}/{name}"), object.elf))
        };
        // The older rpath holds for everything that an object loads in turn; the newer runpath takes its place.
        let mut asker = object.elf.runpath.is_none().then_some(at);
        while let Some(index) = asker {
            let (by, parent) = process.loaded[index];
            if let (Some(path), None) = (&by.elf.rpath, &by.elf.runpath)
                && let Some(found) = in_folders(&expanded(path, by))
            {
                return Some(found);
            }
            asker = parent;
        }
        if let Some(found) = in_folders(&self.library_path) {
            return Some(found);
        }
        if let Some(path) = &object.elf.runpath
            && let Some(found) = in_folders(&expanded(path, object))
        {
            return Some(found);
        }
        let key = (
            name.to_owned(),
            object.elf.machine,
            object.elf.bits64,
            is_musl,
        );
        let mut known = self.known.borrow_mut();
        let found = known.entry(key).or_insert_with(|| {
            let found = if is_musl {
                in_folders(&self.musl)
            } else {
                let listed = self.cache.get(name).into_iter().flatten();
                let mut listed = listed.filter_map(|path| self.fitting(path, object.elf));
                listed.next().or_else(|| in_folders(&defaults(object.elf)))
            };
            found.map(|object| object.path.to_owned())
        });
        found.as_deref().and_then(|path| self.object(path))
    }

    /// The object at `path` when the loader takes it for one that `asker` needs.
    fn fitting(&self, path: &str, asker: &Elf) -> Option<Object<'c>> {
        let real = self.contents.tree.resolve(path).ok()?;
        let object = self.object(&real)?;
        let same = (object.elf.machine, object.elf.bits64) == (asker.machine, asker.bits64);
        same.then_some(object)
    }

    fn is_musl(&self, root: &Elf) -> bool {
        match &root.interpreter {
            Some(interpreter) => interpreter.contains("ld-musl-"),
            None if root
                .needed
                .iter()
                .any(|name| name.starts_with("libc.musl-")) =>
            {
                true
            }
            None if root.needed.iter().any(|name| &**name == "libc.so.6") => false,
            None => {
                let mut lib = self.contents.tree.below("lib");
                lib.any(|(path, _)| path.starts_with("lib/ld-musl-"))
            }
        }
    }
}

/// Whether a library lies directly in a folder that loaders search on their own, or below that of the machine, where
/// libraries of the distribution keep their modules.
fn is_of_the_system(path: &str) -> bool {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    let Some((top, rest)) = path.split_once('/') else {
        return false;
    };
    let machine = rest.split('/').next().unwrap_or(rest);
    matches!(top, "lib" | "lib64" | "lib32" | "libx32")
        && (!rest.contains('/') || machine.contains("-linux-"))
}

/// Every ELF file of the image.
fn objects(tree: &Tree) -> impl Iterator<Item = Object<'_>> {
    tree.all()
        .filter_map(|(path, node)| match &**node.facts()? {
            Facts::Elf(elf) => Some(Object { path, elf }),
            _ => None,
        })
}

/// Names that stand for the loader itself, which is there or was reported already.
fn is_the_loader(name: &str, is_musl: bool) -> bool {
    if !is_musl {
        return name.starts_with("ld-linux") || name.starts_with("ld64.so");
    }
    let Some(rest) = name.strip_prefix("lib") else {
        return name.starts_with("ld-musl-");
    };
    ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."]
        .iter()
        .any(|own| rest.starts_with(own))
}

/// `a:b` as folders.
fn folders(path: &str) -> Vec<String> {
    path.split([':', '\n'])
        .map(str::trim)
        .filter(|folder| !folder.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A path of an object with what it says about itself filled in.
fn expanded(path: &str, object: Object<'_>) -> Vec<String> {
    let origin = object
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let origin = format!("/{origin}");
    let library = if object.elf.bits64 { "lib64" } else { "lib" };
    let fill = |folder: &String| {
        folder
            .replace("${ORIGIN}", &origin)
            .replace("$ORIGIN", &origin)
            .replace("${LIB}", library)
            .replace("$LIB", library)
    };
    folders(path).iter().map(fill).collect()
}

/// The folders that glibc searches on its own: Debian's and Fedora's.
fn defaults(elf: &Elf) -> Vec<String> {
    let triple = match elf.architecture() {
        "amd64" => "x86_64-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "386" => "i386-linux-gnu",
        "arm" => "arm-linux-gnueabihf",
        "riscv64" => "riscv64-linux-gnu",
        "ppc64le" => "powerpc64le-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        _ => "",
    };
    let mut folders: Vec<String> = Vec::new();
    if !triple.is_empty() {
        folders.extend([format!("/lib/{triple}"), format!("/usr/lib/{triple}")]);
    }
    let plain: &[&str] = if elf.bits64 {
        &["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    } else {
        &["/lib", "/usr/lib"]
    };
    folders.extend(plain.iter().map(|folder| (*folder).to_owned()));
    folders
}

/// The paths in a `ld.so.cache`, by name. A damaged one lists less.
fn cached(bytes: &[u8]) -> HashMap<String, Vec<String>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    // An older form may stand in front of it; offsets count from here.
    let Some(start) = memchr::memmem::find(bytes, MAGIC) else {
        return found;
    };
    let bytes = &bytes[start..];
    let number = |at: usize| {
        let four = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
    };
    let text = |at: usize| {
        let rest = bytes.get(at..)?;
        let end = memchr::memchr(0, rest)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let count = number(MAGIC.len()).unwrap_or(0).min(bytes.len() / ENTRY);
    for index in 0..count {
        let entry = HEADER + index * ENTRY;
        let name = number(entry + 4).and_then(text);
        let path = number(entry + 8).and_then(text);
        if let (Some(name), Some(path)) = (name, path) {
            found.entry(name).or_default().push(path);
        }
    }
    found
}

/// Where files of this name are in the image, for a remedy.
pub(super) fn places<'c>(
    tree: &'c Tree,
    names: &BTreeSet<&str>,
) -> BTreeMap<&'c str, Vec<&'c str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, node) in tree.all() {
        let name = path.rsplit('/').next().unwrap_or(path);
        if names.contains(name) && node.kind != Kind::Folder {
            found.entry(name).or_default().push(path);
        }
    }
    found
}
