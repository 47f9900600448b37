//! The two images side by side, without starting them: only what is wrong in the rewrite and was right in the original
//! is a fault.

mod libraries;

use std::collections::BTreeSet;

use super::super::contents::{Access, Contents, Facts, Identity, Kind, Loader};
use super::command::{self, Launch, Named, base_name, join, locate};
use super::fault::{Cause, Fault};

/// Bundles of certificates, where distributions keep them.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/usr/lib/ssl/cert.pem",
];
/// Variables that name such a bundle.
const BUNDLE_VARIABLES: [&str; 5] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
];
/// Libraries that read the bundle of the system.
const TLS_LIBRARIES: [&str; 4] = ["libssl.so", "libgnutls.so", "libcurl.so", "libmbedtls.so"];
/// Interpreters that read the bundle of the system.
const TLS_INTERPRETERS: [&str; 4] = ["python", "ruby", "php", "perl"];
/// So many files are named in one sentence.
const NAMED: usize = 3;

/// Everything that the images show without being started.
pub(super) fn faults(before: &Contents, after: &Contents) -> Vec<Fault> {
    let images = Images {
        before,
        after,
        was: Launch::of(before),
        is: Launch::of(after),
    };
    let mut faults = Vec::new();
    images.platform(&mut faults);
    let who = images.user(&mut faults);
    images.workdir(&mut faults);
    images.programs(who.as_ref(), &mut faults);
    images.files(&mut faults);
    libraries::faults(before, after, &images.is, &mut faults);
    images.versions(&mut faults);
    images.certificates(&mut faults);
    if let Some(who) = &who {
        images.permissions(who, &mut faults);
    }
    faults
}

struct Images<'c> {
    before: &'c Contents,
    after: &'c Contents,
    was: Launch,
    is: Launch,
}

impl Images<'_> {
    fn platform(&self, faults: &mut Vec<Fault>) {
        if self.before.platform != self.after.platform {
            faults.push(Fault::image(
                Cause::Architecture,
                format!(
                    "it is built for {}, the original for {}",
                    self.after.platform, self.before.platform
                ),
                "take the base image for the original's platform",
            ));
        }
    }

    fn user(&self, faults: &mut Vec<Fault>) -> Option<Identity> {
        let user = &self.after.config.user;
        match self.after.tree.identity(user) {
            Ok(who) => Some(who),
            Err(why) => {
                if self.before.tree.identity(&self.before.config.user).is_ok() {
                    let remedy =
                        "create the user in the stage that ships, or name it by its number";
                    faults.push(Fault::image(
                        Cause::User,
                        format!("USER is {user}, and {why}"),
                        remedy,
                    ));
                }
                None
            }
        }
    }

    fn workdir(&self, faults: &mut Vec<Fault>) {
        let is = &self.after.config.working_dir;
        let was = &self.before.config.working_dir;
        if !is.is_empty() && !self.after.tree.exists(is) && self.before.tree.exists(was) {
            let message = format!("WORKDIR {is} is not in the image");
            faults.push(Fault::image(
                Cause::Workdir,
                message,
                "copy the application there",
            ));
        }
    }

    fn programs(&self, who: Option<&Identity>, faults: &mut Vec<Fault>) {
        let healthy = |contents: &Contents, launch: &Launch| {
            launch
                .programs
                .iter()
                .all(|program| locate(contents, program).is_some())
        };
        let original_starts = healthy(self.before, &self.was);
        for program in &self.is.programs {
            let Some(path) = locate(self.after, program) else {
                if original_starts || locate(self.before, program).is_some() {
                    faults.push(self.no_program(program));
                }
                continue;
            };
            if let Some(who) = who
                && let Some(at) = self.after.tree.denies(who, &path, Access::Execute)
                && !self.original_denies()
            {
                let message = format!("user {} may not run {path}: {at} turns it away", who.user);
                faults.push(Fault::image(
                    Cause::Permission,
                    message,
                    format!("make {at} executable for it"),
                ));
            }
            self.program(&path, faults);
        }
    }

    /// Whether the original's own user may not run one of its programs.
    fn original_denies(&self) -> bool {
        let tree = &self.before.tree;
        tree.identity(&self.before.config.user).is_ok_and(|who| {
            let mut paths = self
                .was
                .programs
                .iter()
                .filter_map(|it| locate(self.before, it));
            paths.any(|path| tree.denies(&who, &path, Access::Execute).is_some())
        })
    }

    fn no_program(&self, program: &Named) -> Fault {
        let word = &program.word;
        let message = match word.contains('/') {
            true => format!(
                "{} is not in the image, and it is what starts",
                join(&program.folder, word)
            ),
            false => format!("{word} is in no folder of PATH, and it is what starts"),
        };
        let remedy = match locate(self.before, program) {
            Some(path) => format!(
                "copy {path} from the stage that builds it, or take a base image that has it"
            ),
            None => "name a program that the image has".to_owned(),
        };
        Fault::image(Cause::Program, message, remedy)
    }

    /// A program that is there, and what it needs in order to start.
    fn program(&self, path: &str, faults: &mut Vec<Fault>) {
        let Some(facts) = self.after.tree.facts(path) else {
            return;
        };
        match &**facts {
            Facts::Script(line) => {
                let (direct, searched) = command::interpreter(line);
                let lost = |contents: &Contents| {
                    if !contents.tree.is_file(direct) {
                        return Some(direct.to_owned());
                    }
                    let program = searched.map(|word| Named {
                        word: word.to_owned(),
                        folder: "/".to_owned(),
                    })?;
                    locate(contents, &program).is_none().then_some(program.word)
                };
                if let Some(interpreter) = lost(self.after)
                    && lost(self.before).is_none()
                {
                    faults.push(Fault::image(
                        Cause::Interpreter,
                        format!("{path} is run by {interpreter}, which is not in the image"),
                        format!(
                            "take a base image that has {}, or install it",
                            base_name(&interpreter)
                        ),
                    ));
                }
            }
            Facts::Elf(elf) => {
                let original = self
                    .was
                    .programs
                    .iter()
                    .filter_map(|it| locate(self.before, it));
                let known = original
                    .filter_map(|path| foreign(self.before, &path))
                    .next();
                if let Some(platform) = foreign(self.after, path)
                    && known.is_none()
                {
                    faults.push(Fault::image(
                        Cause::Architecture,
                        format!(
                            "{path} is a program for {}, and the image is for {platform}",
                            elf.architecture()
                        ),
                        "build it for the platform of the image",
                    ));
                }
            }
            Facts::Text(_) => {}
        }
    }

    fn files(&self, faults: &mut Vec<Fault>) {
        // Node finds `dist/main` where `dist/main.js` lies.
        let endings = ["", ".js", ".cjs", ".mjs", ".json", "/index.js"];
        let there = |contents: &Contents, named: &Named| {
            let path = join(&named.folder, &named.word);
            endings
                .iter()
                .any(|ending| contents.tree.exists(&format!("{path}{ending}")))
        };
        let mut told = BTreeSet::new();
        for named in &self.is.files {
            if !there(self.after, named) && there(self.before, named) {
                told.insert(join(&named.folder, &named.word));
            }
        }
        let original_has_all = self
            .was
            .scripts
            .iter()
            .all(|script| there(self.before, script));
        for named in &self.is.scripts {
            if !there(self.after, named) && original_has_all {
                told.insert(join(&named.folder, &named.word));
            }
        }
        for path in told {
            let remedy = match self.before.tree.exists(&path) {
                true => format!("copy {path} into the stage that ships"),
                false => "name a file that the image has".to_owned(),
            };
            faults.push(Fault::image(
                Cause::File,
                format!("the command names {path}, which is not in the image"),
                remedy,
            ));
        }
    }

    fn versions(&self, faults: &mut Vec<Fault>) {
        for (language, variable) in [
            ("Node", "NODE_VERSION"),
            ("Python", "PYTHON_VERSION"),
            ("Ruby", "RUBY_VERSION"),
            ("PHP", "PHP_VERSION"),
        ] {
            let (Some(was), Some(is)) = (
                self.before.variable(variable),
                self.after.variable(variable),
            ) else {
                continue;
            };
            if release(language, was) != release(language, is) {
                faults.push(version(
                    language,
                    &release(language, was),
                    &release(language, is),
                ));
            }
        }
        let (was, is) = (pythons(self.before), pythons(self.after));
        if let (Some(first), Some(now)) = (was.first(), is.first())
            && was.is_disjoint(&is)
        {
            faults.push(version("Python", first, now));
        }
    }

    fn certificates(&self, faults: &mut Vec<Fault>) {
        let bundle =
            |contents: &Contents| BUNDLES.into_iter().find(|path| contents.tree.is_file(path));
        let named = BUNDLE_VARIABLES.iter().find_map(|name| {
            let path = self.after.variable(name)?;
            let same = self.before.variable(name) == Some(path);
            (same && self.before.tree.is_file(path) && !self.after.tree.is_file(path))
                .then(|| format!("{name} names {path}, which is not in the image"))
        });
        let remedy = "install ca-certificates, or copy the file from the stage that builds";
        if let Some(message) = named {
            faults.push(Fault::image(Cause::Certificates, message, remedy));
            return;
        }
        let Some(was) = bundle(self.before) else {
            return;
        };
        if bundle(self.after).is_none()
            && let Some(reader) = self.reads_certificates()
        {
            let message = format!("{was} is gone, and {reader} reads it");
            faults.push(Fault::image(Cause::Certificates, message, remedy));
        }
    }

    /// The program of the rewrite that reads the system's bundle, as far as that shows.
    fn reads_certificates(&self) -> Option<String> {
        let loader = Loader::new(self.after);
        self.is.programs.iter().find_map(|program| {
            let path = locate(self.after, program)?;
            let (mut real, _) = self.after.tree.find(&path)?;
            if let Some(Facts::Script(line)) = self.after.tree.facts(&path).map(|facts| &**facts) {
                let (direct, searched) = command::interpreter(line);
                let word = searched.unwrap_or(direct).to_owned();
                let interpreter = Named {
                    word,
                    folder: "/".to_owned(),
                };
                real = self
                    .after
                    .tree
                    .resolve(&locate(self.after, &interpreter)?)
                    .ok()?;
            }
            let name = base_name(&real);
            if TLS_INTERPRETERS
                .iter()
                .any(|interpreter| name.starts_with(interpreter))
            {
                return Some(name.to_owned());
            }
            // Node brings its own bundle, although its program names the system's too.
            if name.starts_with("node") || name.starts_with("java") || name == "busybox" {
                return None;
            }
            let names = |path: &str| match self.after.tree.get(path)?.facts().map(|facts| &**facts)
            {
                Some(Facts::Elf(elf)) => elf.names_certificates.then(|| format!("/{path}")),
                _ => None,
            };
            let (loaded, _) = loader.process(&format!("/{real}"))?;
            loaded.into_iter().find_map(|path| {
                let name = base_name(path);
                let is_tls = TLS_LIBRARIES
                    .iter()
                    .any(|library| name.starts_with(library));
                if is_tls {
                    Some(name.to_owned())
                } else {
                    names(path)
                }
            })
        })
    }

    /// What lies where the application is, and its user cannot read although the original's user could.
    fn permissions(&self, who: &Identity, faults: &mut Vec<Fault>) {
        let Ok(was) = self.before.tree.identity(&self.before.config.user) else {
            return;
        };
        let mut closed: Vec<String> = Vec::new();
        for folder in self.application_folders() {
            if let Some(at) = self.after.tree.denies(who, &folder, Access::Execute) {
                closed.push(at);
                continue;
            }
            let Ok(real) = self.after.tree.resolve(&folder) else {
                continue;
            };
            for (path, node) in self.after.tree.below(&real) {
                let path = format!("/{path}");
                let access = match node.kind {
                    Kind::Folder => Access::Execute,
                    Kind::File { .. } => Access::Read,
                    Kind::Link(_) | Kind::Special => continue,
                };
                let inside = |closed: &str| {
                    path.starts_with(closed) && path[closed.len()..].starts_with('/')
                };
                if closed.last().is_some_and(|closed| inside(closed)) {
                    continue;
                }
                if let Some(at) = self.after.tree.denies(who, &path, access)
                    && self.before.tree.denies(&was, &path, access).is_none()
                    && closed.last() != Some(&at)
                {
                    closed.push(at);
                }
            }
        }
        if !closed.is_empty() {
            closed.dedup();
            let names: Vec<&str> = closed.iter().map(String::as_str).collect();
            let message = format!("user {} cannot read {}", who.user, several(&names));
            let remedy = "copy it with --chown or --chmod, or make it readable for all";
            faults.push(Fault::image(Cause::Permission, message, remedy));
        }
    }

    /// WORKDIR, and the folders of programs that are no part of the system.
    fn application_folders(&self) -> BTreeSet<String> {
        let system = |folder: &str| {
            let top = folder.split('/').nth(1).unwrap_or_default();
            matches!(
                top,
                "" | "bin"
                    | "sbin"
                    | "lib"
                    | "lib64"
                    | "usr"
                    | "etc"
                    | "root"
                    | "proc"
                    | "sys"
                    | "dev"
                    | "tmp"
                    | "var"
            )
        };
        let mut folders = BTreeSet::new();
        let workdir = &self.after.config.working_dir;
        // Others below /usr belong to the distribution; a working directory there is the application's all the same.
        if workdir.matches('/').count() > 1 || !system(workdir) {
            folders.insert(workdir.clone());
        }
        for program in self.is.programs.iter().chain(&self.is.scripts) {
            let path = join(&program.folder, &program.word);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            if !system(folder) && self.after.tree.exists(folder) {
                folders.insert(folder.to_owned());
            }
        }
        folders
    }
}

/// The architecture of the image, when the program at `path` is for another one.
fn foreign<'c>(contents: &'c Contents, path: &str) -> Option<&'c str> {
    let platform = contents.platform.rsplit('/').next().unwrap_or_default();
    match &**contents.tree.facts(path)? {
        Facts::Elf(elf) => {
            let architecture = elf.architecture();
            let fits = architecture == platform
                || architecture == "another architecture"
                || runs_on(architecture, platform);
            (!fits).then_some(platform)
        }
        _ => None,
    }
}

/// Whether programs for the one run on the other without an emulator.
fn runs_on(program: &str, platform: &str) -> bool {
    matches!((program, platform), ("386", "amd64") | ("arm", "arm64"))
}

/// The part of a version that programs are built for.
fn release(language: &str, version: &str) -> String {
    let parts = if language == "Node" { 1 } else { 2 };
    version
        .trim_start_matches('v')
        .split('.')
        .take(parts)
        .collect::<Vec<_>>()
        .join(".")
}

fn version(language: &str, was: &str, is: &str) -> Fault {
    let message = format!("{language} is {is}, and {was} in the original");
    Fault::image(
        Cause::Version,
        message,
        "take the base image of the same version",
    )
}

/// The versions of Python whose standard library is where programs find it first.
fn pythons(contents: &Contents) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["usr/local/lib", "usr/lib"] {
        for (path, _) in contents.tree.below(folder) {
            if let Some(rest) = path[folder.len() + 1..].strip_prefix("python3")
                && let Some(minor) = rest.strip_suffix("/os.py")
                && !minor.contains('/')
            {
                found.insert(format!("3{minor}"));
            }
        }
        // An image of Python carries the distribution's own one beside it.
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// `a`, `a and b`, `a, b, c and 5 more`.
fn several(names: &[&str]) -> String {
    let mut names: Vec<&str> = names.to_vec();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] if names.len() <= NAMED => format!("{} and {last}", most.join(", ")),
        _ => format!(
            "{} and {} more",
            names[..NAMED].join(", "),
            names.len() - NAMED
        ),
    }
}

#[cfg(test)]
mod tests;
