//! What an image is: from the list of official builds where the tag is in it, else from how its family's tags read.

use super::reference::ImageRef;
use super::schema::{
    BaseRule, Build, Contents, Family, ImageSize, Libc, PackageManager, Release, Shell,
};
use super::{Catalog, Gone, Text, embedded};

/// What is known about one image.
#[derive(Clone, Debug)]
pub struct ImageFacts {
    /// Its repository.
    pub family: Family,
    /// Its tag, `latest` where none was written.
    pub tag: String,
    /// The build that has this tag; nothing where the tag is not in the list, and all else here is derived.
    pub build: Option<Build>,
    /// The version of what it carries, as in the tag (`22`, `3.12.1`); empty where the tag has none.
    pub version: String,
    /// Which of the family's variants it is.
    pub variant: Variant,
    /// The distribution with its package manager, shell and C library. Its `version` is empty where only the
    /// distribution is certain; nothing where not even that is.
    pub release: Option<Release>,
    /// Its size where it was measured.
    pub size: Option<ImageSize>,
    rule: Option<BaseRule>,
    pub(super) contents: Vec<Contents>,
}

/// The variants of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The one without a suffix.
    Full,
    /// `-slim`.
    Slim,
    /// `-alpine`.
    Alpine,
    /// For Windows containers.
    Windows,
    /// `-onbuild`: its triggers act on the build that uses it.
    Onbuild,
}

impl Catalog {
    /// What is known about an image; nothing where the repository is unknown or a variable stands in the text.
    pub fn image(&self, image: &ImageRef<'_>) -> Option<ImageFacts> {
        if image.has_variable() {
            return None;
        }
        let family = *self.inner.families.get(image.family())?;
        let tag = image.tag_or_latest();
        let build = build(family.name.get(), tag);
        let version = version_of(&family, tag, build);
        let rule = family
            .bases
            .get()
            .iter()
            .find(|rule| fits(rule, tag, &version));
        let release = self.release_of(&family, tag, &version, build, rule);
        Some(ImageFacts {
            variant: variant_of(tag, release.as_ref()),
            contents: self.contents_of(rule),
            size: self
                .inner
                .sizes
                .get(&format!("{}:{tag}", family.name))
                .copied(),
            rule: rule.copied(),
            tag: tag.to_owned(),
            family,
            build: build.copied(),
            version,
            release,
        })
    }

    fn release_of(
        &self,
        family: &Family,
        tag: &str,
        version: &str,
        build: Option<&Build>,
        rule: Option<&BaseRule>,
    ) -> Option<Release> {
        let rows = &self.inner.releases;
        let distribution = rule
            .map(|rule| rule.release.get())
            .filter(|name| !name.is_empty());
        let own = rows
            .get(family.name.get())
            .map(|row| row.distribution.get());
        // A build's last base is the distribution's own image, which says the release.
        let root = build.and_then(|build| build.base.get().last());
        if let Some(release) = root.and_then(|root| self.release_of_base(root))
            && !release.version.is_empty()
        {
            return Some(release);
        }
        if let Some(release) = self.release_in_tag(tag) {
            return Some(release);
        }
        if let Some(build) = build {
            let named = build
                .tags
                .get()
                .iter()
                .find_map(|tag| self.release_in_tag(tag));
            if named.is_some() {
                return named;
            }
        }
        let ruled = distribution.and_then(|name| rows.get(name).copied());
        if let Some(release) = ruled.filter(|release| !release.version.is_empty()) {
            return Some(release);
        }
        if let Some(own) = own {
            let numbered = self.release_by_number(own, version);
            if numbered.is_some() {
                return numbered;
            }
        }
        let ended = family.ended_on.get().iter().find_map(|pair| {
            let (cycle, release) = pair.split_once('=')?;
            let floats = tag == cycle || tag.strip_prefix(cycle) == Some("-slim");
            floats.then_some(release)
        });
        ended
            .and_then(|name| rows.get(name).copied())
            .or_else(|| root.and_then(|root| self.release_of_base(root)))
            .or(ruled)
    }

    /// The release of an image of a distribution: `debian:trixie-slim`, `alpine:3.24`, `redhat/ubi9-minimal`.
    fn release_of_base(&self, base: &str) -> Option<Release> {
        let (name, tag) = base.split_once(':').unwrap_or((base, ""));
        let name = name.rsplit('/').next().unwrap_or(name);
        let joined = format!("{name}{tag}");
        self.inner
            .releases
            .get(&joined)
            .copied()
            .or_else(|| self.release_in_tag(tag))
            .or_else(|| self.release_by_number(name, tag))
            .or_else(|| self.inner.releases.get(name).copied())
    }

    /// The release that a part of a tag names: `bookworm`, `alpine3.22`, `ubi9-minimal`.
    fn release_in_tag(&self, tag: &str) -> Option<Release> {
        for part in tag.split('-') {
            if let Some(number) = part.strip_prefix("alpine").filter(|rest| is_number(rest)) {
                return self.release_by_number("alpine", number);
            }
            let minimal = part.starts_with("ubi") && tag.contains("minimal");
            let found = if minimal {
                self.inner.releases.get(&format!("{part}-minimal"))
            } else {
                self.inner.releases.get(part)
            };
            if let Some(release) = found.filter(|release| !release.version.is_empty()) {
                return Some(*release);
            }
        }
        None
    }

    /// The release of a distribution with this number: `12`, `12.5` and `12-slim` are Debian's bookworm.
    fn release_by_number(&self, distribution: &str, tag: &str) -> Option<Release> {
        let number = tag.split('-').next().filter(|number| is_number(number))?;
        if distribution == "alpine" {
            let mut release = *self.inner.releases.get("alpine")?;
            let mut parts = number.splitn(3, '.');
            let minor = format!("{}.{}", parts.next()?, parts.next()?);
            if let Some(cycle) = self.cycle("alpine-linux", &minor) {
                release.cycle = cycle.key;
                release.version = super::Text(cycle.key.get().split_once('/')?.1);
            }
            return Some(release);
        }
        self.inner
            .releases
            .embedded()
            .iter()
            .filter(|row| row.distribution == *distribution && !row.version.is_empty())
            .find(|row| {
                let rest = number.strip_prefix(row.version.get());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            .copied()
    }

    /// What a rule's tags stand on, nearest first.
    fn contents_of(&self, rule: Option<&BaseRule>) -> Vec<Contents> {
        let mut chain: Vec<Contents> = Vec::new();
        let mut next = rule.map_or("", |rule| rule.on.get());
        while let Some(contents) = self.contents(next) {
            if chain.iter().any(|seen| seen.name == contents.name) {
                break;
            }
            chain.push(*contents);
            next = contents.on.get();
        }
        chain
    }

    /// True if a program of this name is in any of the listed contents, so that its absence elsewhere is telling.
    fn lists_program(&self, name: &str) -> bool {
        self.inner
            .contents
            .embedded()
            .iter()
            .any(|row| row.programs.get().iter().any(|program| *program == name))
    }

    /// True if a package of this name is in any of the listed contents.
    fn lists_package(&self, name: &str) -> bool {
        self.inner
            .contents
            .embedded()
            .iter()
            .any(|row| row.packages.get().iter().any(|package| *package == name))
    }

    /// Whether a program is on the image's `PATH`; nothing where that is not known.
    pub fn has_program(&self, image: &ImageFacts, name: &str) -> Option<bool> {
        let rule = image.rule.as_ref();
        let is_gone = |gone: &Gone| {
            let on = image.release.as_ref();
            on.is_none_or(|release| release.name == gone.release)
                && gone.programs.iter().any(|program| *program == name)
        };
        let present = image
            .contents
            .iter()
            .filter(|contents| !contents.gone.iter().any(is_gone))
            .map(|contents| contents.programs)
            .chain(rule.map(|rule| rule.programs))
            .chain([image.family.programs])
            .any(|programs| programs.get().iter().any(|program| *program == name));
        answer(present, rule, self.lists_program(name))
    }

    /// Whether a distribution package is installed in the image; nothing where that is not known.
    pub fn has_package(&self, image: &ImageFacts, name: &str) -> Option<bool> {
        let rule = image.rule.as_ref();
        let present = image
            .contents
            .iter()
            .map(|contents| contents.packages)
            .chain(rule.map(|rule| rule.packages))
            .any(|packages| packages.get().iter().any(|package| *package == name));
        answer(present, rule, self.lists_package(name))
    }
}

impl ImageFacts {
    /// The distribution in lower case (`debian`); nothing where unknown.
    pub fn distribution(&self) -> Option<&'static str> {
        self.release.map(|release| release.distribution.get())
    }

    /// What installs packages in it; nothing where unknown.
    pub fn package_manager(&self) -> Option<PackageManager> {
        self.release?.package_manager
    }

    /// What `/bin/sh` is; nothing where unknown.
    pub fn shell(&self) -> Option<Shell> {
        self.release.map(|release| release.shell)
    }

    /// Its C library; nothing where unknown.
    pub fn libc(&self) -> Option<Libc> {
        self.release.map(|release| release.libc)
    }

    /// The accounts it is known to have, as `(name, uid, gid, home)`; an account that is not listed may exist.
    pub fn users(&self) -> impl Iterator<Item = (&'static str, u32, u32, &'static str)> {
        self.contents
            .iter()
            .map(|contents| contents.users)
            .chain(self.release.map(|release| release.users))
            .chain([self.family.users])
            .flatten()
            .filter_map(|account| {
                let mut parts = account.get().split(':');
                let name = parts.next()?;
                Some((
                    name,
                    parts.next()?.parse().ok()?,
                    parts.next()?.parse().ok()?,
                    parts.next()?,
                ))
            })
    }

    /// ENTRYPOINT as Dockerfile JSON, empty for none; nothing where unknown.
    pub fn entrypoint(&self) -> Option<&'static str> {
        match self.configured() {
            Some(build) => Some(build.entrypoint.get()),
            None if self.starts_nothing() || self.never_had_an_entrypoint() => Some(""),
            // `[]` is how a family says that it has none.
            None => match self.family.entrypoint.get() {
                "" => None,
                "[]" => Some(""),
                value => Some(value),
            },
        }
    }

    /// CMD as Dockerfile JSON, empty for none; nothing where unknown.
    pub fn cmd(&self) -> Option<&'static str> {
        match self.configured() {
            Some(build) => Some(build.cmd.get()),
            None if self.starts_nothing() => Some(""),
            None => Some(self.family.cmd.get()).filter(|value| !value.is_empty()),
        }
    }

    /// WORKDIR; nothing where unknown.
    pub fn workdir(&self) -> Option<&'static str> {
        match self.configured() {
            Some(build) => Some(build.workdir.get()),
            None => self.ruled(|rule| rule.workdir, self.family.workdir),
        }
    }

    /// USER; nothing where unknown.
    pub fn user(&self) -> Option<&'static str> {
        match self.configured() {
            Some(build) => Some(build.user.get()),
            None => self.ruled(|rule| rule.user, self.family.user),
        }
    }

    /// The rule's value, else the family's; nothing where both are empty.
    fn ruled(&self, of_rule: fn(&BaseRule) -> Text, of_family: Text) -> Option<&'static str> {
        self.rule
            .as_ref()
            .map(|rule| of_rule(rule).get())
            .filter(|value| !value.is_empty())
            .or(Some(of_family.get()).filter(|value| !value.is_empty()))
    }

    /// Whether it is one of the distroless images without a language: they have neither ENTRYPOINT nor CMD.
    fn starts_nothing(&self) -> bool {
        let family = self.family.name.get();
        if let Some(name) = family.strip_prefix("cgr.dev/chainguard/") {
            return matches!(name, "glibc-dynamic" | "static");
        }
        let name = family.strip_prefix("gcr.io/distroless/");
        name.is_some_and(|name| {
            ["static", "base", "cc"].contains(&name.split('-').next().unwrap_or(name))
        })
    }

    /// Of an image whose tag is no longer built: no ENTRYPOINT, where the family's latest build has none either.
    fn never_had_an_entrypoint(&self) -> bool {
        let latest = build(self.family.name.get(), "latest");
        self.family.entrypoint.is_empty()
            && latest.is_some_and(|latest| !latest.user.is_empty() && latest.entrypoint.is_empty())
    }

    /// The build if its configuration is known; a computed configuration always has a user.
    fn configured(&self) -> Option<&Build> {
        self.build.as_ref().filter(|build| !build.user.is_empty())
    }
}

/// The build of an official image that has this tag.
pub(super) fn build(family: &str, tag: &str) -> Option<&'static Build> {
    let key = format!("{family}:{tag}");
    let at = embedded::TAGS
        .binary_search_by(|probe| probe.0.cmp(&key))
        .ok()?;
    embedded::BUILDS.get(usize::from(embedded::TAGS[at].1))
}

fn answer(present: bool, rule: Option<&BaseRule>, listed: bool) -> Option<bool> {
    let absent = listed && rule.is_some_and(|rule| rule.complete);
    match present {
        true => Some(true),
        false => absent.then_some(false),
    }
}

fn fits(rule: &BaseRule, tag: &str, version: &str) -> bool {
    let when = rule.when.get();
    let named = when.is_empty()
        || tag.match_indices(when).any(|(at, _)| {
            let before = tag[..at].chars().next_back();
            let after = tag[at + when.len()..].chars().next();
            // `alpine` is in `alpine3.22`, but `jre` is not in `openjre`, nor `centos5` in `centos55`.
            let ends = !after.is_some_and(|c| c.is_ascii_alphabetic());
            let digits = when.ends_with(|c: char| c.is_ascii_digit());
            !before.is_some_and(|c| c.is_ascii_alphanumeric())
                && ends
                && !(digits && after.is_some_and(|c| c.is_ascii_digit()))
        });
    let (from, until) = (rule.from, rule.until);
    if !named || (from == 0 && until == 0) {
        return named;
    }
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= from && (until == 0 || major < until))
}

fn version_of(family: &Family, tag: &str, build: Option<&Build>) -> String {
    if !family.version.is_empty() {
        return family.version.get().to_owned();
    }
    if let Some(version) = version_in(tag) {
        return version.to_owned();
    }
    let named = tag.split('-').find_map(|part| {
        let alias = |pair: &'static super::Text| {
            pair.get().split_once('=').filter(|(name, _)| *name == part)
        };
        family.aliases.get().iter().find_map(alias)
    });
    if let Some((_, version)) = named {
        return version.to_owned();
    }
    // `latest` is what the longest of the build's own versions says.
    let versions = build
        .into_iter()
        .flat_map(|build| build.tags.get().iter().filter_map(|tag| version_in(tag)));
    versions
        .max_by_key(|version| version.len())
        .unwrap_or_default()
        .to_owned()
}

/// The version that a tag starts with, or that follows a word as in `jdk8` or `v1.7`.
fn version_in(tag: &str) -> Option<&str> {
    let first = tag.split('-').next()?;
    let digits = first.strip_prefix('v').unwrap_or(first);
    let end = digits
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(digits.len());
    let version = digits[..end].trim_end_matches('.');
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(version)
}

fn variant_of(tag: &str, release: Option<&Release>) -> Variant {
    let has = |name: &str| tag.split('-').any(|part| part == name);
    if release.is_some_and(|release| release.distribution == "windows") {
        Variant::Windows
    } else if has("onbuild") {
        Variant::Onbuild
    } else if has("slim") {
        Variant::Slim
    } else if release.is_some_and(|release| release.distribution == "alpine") {
        Variant::Alpine
    } else {
        Variant::Full
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}
