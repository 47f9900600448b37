//! Base images, for all rules that choose or change one: which base a shipped stage should end on, and how FROM
//! is edited to name it.

mod replace;
pub(crate) mod runs;
mod shell_names;

pub(crate) use replace::replace_base;
pub(crate) use shell_names::is_builtin;

use crate::catalog::{ImageFacts, ImageRef, PackageManager, WordSet};
use crate::model::{Base, Setting, Stage, Verb};
use crate::rules::{BaseFamilies, Change, Ctx, Estimate, Proposal, Refusal};
use crate::syntax::Keyword;

/// What the process that ships needs from its base.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    /// What starts.
    pub(crate) kind: Kind,
    /// Whether anything of the stage, or the process itself, calls `/bin/sh` or one of the small tools beside it.
    pub(crate) shell: bool,
    /// Debian packages that the process needs at run time, as the build image's release names them.
    pub(crate) packages: Vec<String>,
    /// Whether nothing speaks against another user than root: no port below 1024, nothing written to a path that is root's.
    pub(crate) unprivileged: bool,
}

/// What starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A program without any shared library.
    Static,
    /// A program linked with the C library of the image that it was built in.
    Glibc {
        /// It needs `libstdc++` or `libgcc_s` too: all C++ and Rust.
        libstdcpp: bool,
    },
    /// A program text for the interpreter of the image: the same version, slim.
    Interpreter,
    /// A jar, without a compiler at run time.
    Jre,
}

/// A base that fits.
#[derive(Clone, Debug)]
pub(crate) struct BaseChoice {
    /// What FROM names.
    pub(crate) reference: String,
    /// What is known about it: user, entry point, accounts, shell.
    pub(crate) facts: Option<ImageFacts>,
    /// Packages that are still to be installed in it, in the order in which they were asked for.
    pub(crate) install: Vec<String>,
    /// What installs them; none where nothing does.
    pub(crate) package_manager: Option<PackageManager>,
    /// Whether it has `/bin/sh`.
    pub(crate) shell: bool,
}

/// Why there is no such base, or why it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    /// In the user's terms, to stand after `… stays: `.
    pub(crate) reason: String,
    /// What would lift it.
    pub(crate) remedy: String,
}

impl Why {
    pub(crate) fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// The refusal of the rule that keeps `what` (`the base node:22`) of the FROM at `anchor`.
    pub(crate) fn refusal(self, anchor: usize, what: &str) -> Proposal {
        Proposal::Refusal(Refusal {
            anchor,
            reason: format!("{what} stays: {}", self.reason),
            remedy: self.remedy,
        })
    }
}

/// The Debian release that distroless images of the catalog stand on.
const DISTROLESS_RELEASE: u32 = 13;

/// The base on which the shipped part of `stage` should end, given what its process needs.
///
/// The image that the chain of `stage` starts from is the one that builds: its registry, its release and its C
/// library decide. The choice is never an image with another C library, nor one with an older one, and it stays
/// on Alpine where the stage is on Alpine, unless the program is static. It is
///
/// - for [`Kind::Static`]: distroless `static`; with a shell or packages Debian slim (Alpine for Alpine);
/// - for [`Kind::Glibc`]: distroless `base` or `cc`; with a shell or packages the slim image of the builder's release;
/// - for [`Kind::Interpreter`]: the slim tag of the same image, or the image itself where it is slim already;
/// - for [`Kind::Jre`]: the JRE of the same vendor, version and distribution (Temurin's for `maven`, `gradle` and
///   `openjdk`).
///
/// Distroless images have the tag `nonroot` (user 65532, home and working directory `/home/nonroot`) where the
/// needs allow it: the caller declares that change and writes WORKDIR. Otherwise they run as root in `/`.
///
/// # Errors
/// When the image is unknown, has no such variant, or a base of another registry would have to be introduced
/// where all bases come from a private one.
pub(crate) fn runtime_base(ctx: &Ctx<'_>, stage: &Stage, needs: &Needs) -> Result<BaseChoice, Why> {
    if stage.windows {
        return Err(Why::new("Windows images are left alone", ""));
    }
    let builder = Builder::of(ctx, stage)?;
    match needs.kind {
        Kind::Static => builder.for_static(needs),
        Kind::Glibc { libstdcpp } => builder.for_linked(needs, libstdcpp),
        Kind::Interpreter => builder.slim(needs),
        Kind::Jre => builder.jre(needs),
    }
}

/// The image that builds.
struct Builder<'a> {
    ctx: &'a Ctx<'a>,
    image: ImageRef<'a>,
    facts: &'a ImageFacts,
    /// The index of the stage that builds.
    stage: usize,
}

impl<'a> Builder<'a> {
    fn of(ctx: &'a Ctx<'a>, stage: &Stage) -> Result<Self, Why> {
        let root = ctx.model.chain(stage.index).last().map(|stage| stage.index);
        let base = root.map(|index| &ctx.model.stages[index].base);
        let Some(Base::Image { reference, facts }) = base else {
            return Err(Why::new(
                "its base is not known",
                "give the ARG in FROM a default, or name the image",
            ));
        };
        let Some(facts) = facts else {
            return Err(Why::new(
                format!("nothing is known about the image {reference}"),
                "describe the image in the configuration's catalog",
            ));
        };
        Ok(Self {
            ctx,
            image: ImageRef::parse(reference),
            facts,
            stage: stage.index,
        })
    }

    fn for_static(&self, needs: &Needs) -> Result<BaseChoice, Why> {
        if !needs.shell
            && needs.packages.is_empty()
            && let Ok(choice) = self.distroless("static", needs)
        {
            return Ok(choice);
        }
        if self.is_alpine() {
            return self.alpine(needs, &[]);
        }
        self.distribution(needs)
    }

    fn for_linked(&self, needs: &Needs, libstdcpp: bool) -> Result<BaseChoice, Why> {
        if self.is_alpine() {
            return self.alpine(needs, if libstdcpp { &["libstdc++"] } else { &[] });
        }
        if !needs.shell && needs.packages.is_empty() && self.is_not_newer_than_distroless() {
            let name = if libstdcpp { "cc" } else { "base" };
            if let Ok(choice) = self.distroless(name, needs) {
                return Ok(choice);
            }
        }
        // Debian and Ubuntu have the C++ library always: apt needs it.
        self.distribution(needs)
    }

    /// The slim tag of the same image, or the image itself.
    fn slim(&self, needs: &Needs) -> Result<BaseChoice, Why> {
        use crate::catalog::Variant;
        let reference = match self.facts.variant {
            Variant::Slim | Variant::Alpine => self.image.text.to_owned(),
            Variant::Windows | Variant::Onbuild => {
                return Err(Why::new("its variant has no slim form", ""));
            }
            Variant::Full => {
                self.refuse_digest()?;
                let slim = self.ctx.catalog.slim_tag(self.facts).ok_or_else(|| {
                    Why::new(
                        format!("{} has no slim tag on the same release", self.image.text),
                        "",
                    )
                })?;
                self.image.with_tag(&slim.tag)
            }
        };
        if self.is_alpine() && !needs.packages.is_empty() {
            return Err(alpine_packages(needs));
        }
        Ok(self.choice(reference, needs.packages.clone()))
    }

    /// The JRE of the same vendor and distribution.
    fn jre(&self, needs: &Needs) -> Result<BaseChoice, Why> {
        if self.is_alpine() && !needs.packages.is_empty() {
            return Err(alpine_packages(needs));
        }
        let family = self.facts.family.name.get();
        let tag = self.facts.tag.as_str();
        if tag.split('-').any(|part| part.starts_with("jre")) {
            return Ok(self.choice(self.image.text.to_owned(), needs.packages.clone()));
        }
        self.refuse_digest()?;
        if let Some(slim) = self
            .ctx
            .catalog
            .slim_tag(self.facts)
            .filter(|slim| slim.tag.contains("jre"))
        {
            return Ok(self.choice(self.image.with_tag(&slim.tag), needs.packages.clone()));
        }
        let is_temurin = match family {
            "openjdk" | "eclipse-temurin" => true,
            "maven" | "gradle" => ![
                "corretto",
                "semeru",
                "ibm",
                "sapmachine",
                "graal",
                "zulu",
                "liberica",
                "ubi",
            ]
            .iter()
            .any(|vendor| tag.contains(vendor)),
            _ => false,
        };
        let version = match self.java_of_the_distribution() {
            // Names of other packages may differ between Debian and the Ubuntu of the JRE image.
            Some(version) if needs.packages.is_empty() => Some(version),
            _ if is_temurin => java_version(family, tag, &self.facts.version),
            _ => None,
        };
        let (true, Some(version)) = (self.image.is_official(), version) else {
            return Err(Why::new(
                format!("no JRE is known that goes with {}", self.image.text),
                "start the runtime stage from a JRE image yourself",
            ));
        };
        let ending = if self.is_alpine() { "-alpine" } else { "" };
        let reference = self
            .image
            .with_name_and_tag("eclipse-temurin", &format!("{version}-jre{ending}"));
        let known = self
            .ctx
            .catalog
            .image(&ImageRef::parse(&reference))
            .is_some_and(|facts| facts.build.is_some());
        if !known {
            return Err(Why::new(
                format!("there is no Java {version} runtime image that is still built"),
                "move to a supported version of Java",
            ));
        }
        Ok(self.choice(reference, needs.packages.clone()))
    }

    /// The version of the one OpenJDK that apt installs on a Debian or Ubuntu image.
    fn java_of_the_distribution(&self) -> Option<u32> {
        if !matches!(self.facts.family.name.get(), "debian" | "ubuntu") {
            return None;
        }
        let model = self.ctx.model;
        let mut versions = Vec::new();
        for link in model.chain(self.stage) {
            for run in model.of_kind(link, Keyword::Run) {
                let installs = model.operations(run).into_iter();
                let installs = installs.filter(|it| it.verb == Verb::Install);
                for package in installs.filter_map(|it| it.literal_packages()).flatten() {
                    let java = package.strip_prefix("openjdk-");
                    versions
                        .extend(java.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok()));
                }
            }
        }
        let first = *versions.first()?;
        versions
            .iter()
            .all(|version| *version == first)
            .then_some(first)
    }

    /// Debian slim or Ubuntu of the builder's release.
    fn distribution(&self, needs: &Needs) -> Result<BaseChoice, Why> {
        let release = self
            .facts
            .release
            .filter(|release| release.package_manager == Some(PackageManager::Apt));
        let Some(release) = release.filter(|release| !release.version.is_empty()) else {
            return Err(Why::new(
                format!(
                    "the distribution release of {} is not known",
                    self.image.text
                ),
                "name the release in the tag, as in `golang:1.26-trixie`",
            ));
        };
        let reference = if release.distribution == "debian" && self.image.is_official() {
            self.image
                .with_name_and_tag("debian", &format!("{}-slim", release.name))
        } else if release.distribution == "ubuntu" && self.image.is_official() {
            self.image
                .with_name_and_tag("ubuntu", release.version.get())
        } else {
            return Err(Why::new(
                format!(
                    "no smaller image is known that goes with {}",
                    self.image.text
                ),
                "start the runtime stage from a smaller image of the same release yourself",
            ));
        };
        Ok(self.choice(reference, needs.packages.clone()))
    }

    fn alpine(&self, needs: &Needs, libraries: &[&str]) -> Result<BaseChoice, Why> {
        if !needs.packages.is_empty() {
            return Err(alpine_packages(needs));
        }
        let version = self
            .facts
            .release
            .map(|release| release.version.get())
            .filter(|version| !version.is_empty());
        let (Some(version), true) = (version, self.image.is_official()) else {
            return Err(Why::new(
                format!("the Alpine release of {} is not known", self.image.text),
                "name the release in the tag, as in `golang:1.26-alpine3.24`",
            ));
        };
        let libraries = libraries.iter().map(|name| (*name).to_owned()).collect();
        Ok(self.choice(self.image.with_name_and_tag("alpine", version), libraries))
    }

    fn distroless(&self, name: &str, needs: &Needs) -> Result<BaseChoice, Why> {
        let mut choice = self.choice(distroless(self.ctx, name, needs.unprivileged)?, Vec::new());
        choice.shell = false;
        choice.package_manager = None;
        if choice.facts.is_none() && self.ctx.settings.bases != BaseFamilies::Chainguard {
            // A mirror holds the same image under another name.
            let tag = if needs.unprivileged { ":nonroot" } else { "" };
            let original = format!("gcr.io/distroless/{name}-debian{DISTROLESS_RELEASE}{tag}");
            choice.facts = self.ctx.catalog.image(&ImageRef::parse(&original));
        }
        Ok(choice)
    }

    fn choice(&self, reference: String, install: Vec<String>) -> BaseChoice {
        choice(self.ctx, reference, install)
    }

    fn is_alpine(&self) -> bool {
        self.facts.distribution() == Some("alpine")
    }

    /// Whether a program linked here finds all symbols of the C library that distroless has.
    fn is_not_newer_than_distroless(&self) -> bool {
        let Some(release) = self.facts.release else {
            return false;
        };
        let mut numbers = release.version.get().split('.').map(str::parse::<u32>);
        let number = |part: Option<Result<u32, _>>| part.and_then(Result::ok);
        match (
            release.distribution.get(),
            number(numbers.next()),
            number(numbers.next()),
        ) {
            ("debian", Some(major), _) => major <= DISTROLESS_RELEASE,
            // Ubuntu 25.04 has the C library of Debian 13.
            ("ubuntu", Some(year), Some(month)) => (year, month) <= (25, 4),
            _ => false,
        }
    }

    fn refuse_digest(&self) -> Result<(), Why> {
        match self.image.digest {
            None => Ok(()),
            Some(_) => Err(digest()),
        }
    }
}

fn choice(ctx: &Ctx<'_>, reference: String, install: Vec<String>) -> BaseChoice {
    let facts = ctx.catalog.image(&ImageRef::parse(&reference));
    BaseChoice {
        package_manager: facts
            .as_ref()
            .and_then(ImageFacts::package_manager)
            .filter(|manager| *manager != PackageManager::None),
        shell: facts
            .as_ref()
            .is_none_or(|facts| facts.shell() != Some(crate::catalog::Shell::None)),
        reference,
        facts,
        install,
    }
}

/// `static`, `base` or `cc` without a distribution, for programs that need no shell: distroless, its mirror, or
/// Chainguard's, as the settings say; `name` may also be `java21`, `nodejs22` or `python3`.
///
/// # Errors
/// When every base of the file comes from a private registry and the settings name no mirror; when Chainguard has no
/// such image, or none that runs as root.
pub(crate) fn distroless(ctx: &Ctx<'_>, name: &str, unprivileged: bool) -> Result<String, Why> {
    if ctx.settings.bases == BaseFamilies::Chainguard {
        return chainguard(ctx, name, unprivileged);
    }
    let prefix = match &ctx.settings.distroless_mirror {
        Some(mirror) => mirror.trim_end_matches('/'),
        None if only_private_bases(ctx) => return Err(private()),
        None => "gcr.io/distroless",
    };
    let tag = if unprivileged { ":nonroot" } else { "" };
    Ok(format!("{prefix}/{name}-debian{DISTROLESS_RELEASE}{tag}"))
}

/// Chainguard's image in place of distroless' `name`. The free ones have the tag `latest` alone and run as 65532: they
/// serve programs without a version of their own that need no root.
fn chainguard(ctx: &Ctx<'_>, name: &str, unprivileged: bool) -> Result<String, Why> {
    let image = match name {
        "static" => "static",
        "base" | "cc" => "glibc-dynamic",
        _ => {
            return Err(Why::new(
                "Chainguard's free images have the latest version alone, and another may be needed",
                "write `bases: official`, or choose an image of Chainguard yourself",
            ));
        }
    };
    if only_private_bases(ctx) {
        return Err(Why::new(
            "every base comes from a private registry, and Chainguard's images would have to come from cgr.dev",
            "",
        ));
    }
    if !unprivileged {
        return Err(Why::new(
            "Chainguard's images run as 65532, and that the program needs no root is not shown",
            "write `bases: official`, or choose an image of Chainguard yourself",
        ));
    }
    Ok(format!("cgr.dev/chainguard/{image}:latest"))
}

fn private() -> Why {
    Why::new(
        "every base comes from a private registry, and distroless images would have to come from gcr.io",
        "set `distroless-mirror` to where your registry mirrors gcr.io/distroless",
    )
}

fn digest() -> Why {
    Why::new(
        "a digest pins it",
        "choose the slim image's digest yourself, or let the tag float",
    )
}

fn alpine_packages(needs: &Needs) -> Why {
    Why::new(
        format!(
            "what Alpine calls {} is not known",
            needs.packages.join(", ")
        ),
        "",
    )
}

/// Whether no base of the file is known to come from a public registry.
pub(crate) fn only_private_bases(ctx: &Ctx<'_>) -> bool {
    let mut images = ctx
        .model
        .stages
        .iter()
        .filter_map(|stage| match &stage.base {
            Base::Image { reference, .. } => Some(ImageRef::parse(reference).registry),
            Base::Unknown => Some("?"),
            Base::Scratch | Base::Stage(_) => None,
        });
    !images.any(|host| ctx.catalog.has_word(WordSet::PublicRegistries, host))
}

/// The major version of Java in a tag of `maven`, `gradle`, `openjdk` or `eclipse-temurin`.
fn java_version(family: &str, tag: &str, version: &str) -> Option<u32> {
    if matches!(family, "openjdk" | "eclipse-temurin") {
        let major = version.split(['.', 'u']).next()?;
        return major.parse().ok();
    }
    // `3.9-eclipse-temurin-17`, `3-jdk-11`, `8.5-jdk17-alpine`, `3.9.9-openjdk-21`.
    let mut parts = tag.split('-').peekable();
    while let Some(part) = parts.next() {
        if let Some(number) = part.strip_prefix("jdk").filter(|rest| !rest.is_empty()) {
            return number.split('.').next()?.parse::<u32>().ok();
        }
        if matches!(part, "temurin" | "jdk" | "openjdk")
            && let Some(number) = parts.peek()
            && let Ok(number) = number.split('.').next().unwrap_or_default().parse()
        {
            return Some(number);
        }
    }
    None
}

/// What the stages that ship inherit otherwise after a change of their base from `old` to `new`, to be declared.
///
/// Images of one family agree in what they start and as whom, but for what the catalog says; so do entry points that
/// only run their arguments.
///
/// # Errors
/// When a stage starts what its base starts, and the new one is not known to start the same.
pub(crate) fn inherited_changes(
    stages: &[&Stage],
    old: &ImageFacts,
    new: &ImageFacts,
) -> Result<Vec<Change>, Why> {
    let related = old.family.name == new.family.name;
    let mut changes = Vec::new();
    for stage in stages.iter().filter(|stage| stage.is_target) {
        let config = &stage.end.config;
        let entrypoint = (old.entrypoint(), new.entrypoint());
        let runs_arguments = old.family.runs_arguments && new.family.runs_arguments;
        let cmd = (old.cmd(), new.cmd());
        let user = (old.user(), new.user());
        let fields = [
            (
                Change::Entrypoint,
                config.entrypoint == Setting::Inherited,
                entrypoint,
                related || runs_arguments,
            ),
            (Change::Cmd, config.cmd == Setting::Inherited, cmd, related),
            (Change::User, config.user.is_none(), user, related),
        ];
        for (change, inherits, values, same) in fields {
            match values {
                _ if !inherits => {}
                (Some(before), Some(after)) if before == after => {}
                (None, None) if related => changes.push(change),
                (None, _) | (_, None) if same => changes.push(change),
                _ if change == Change::Entrypoint && same => changes.push(change),
                _ => {
                    return Err(Why::new(
                        "it starts what its base starts, and the new base may start another program",
                        "write CMD, ENTRYPOINT or USER into the Dockerfile",
                    ));
                }
            }
        }
        if related && old.workdir() != new.workdir() {
            changes.push(Change::Workdir);
        }
    }
    changes.sort_unstable();
    changes.dedup();
    Ok(changes)
}

/// What an image with base `new` is smaller than one with base `old`, where both were measured.
pub(crate) fn saved(ctx: &Ctx<'_>, old: &str, new: &str) -> Estimate {
    let facts = |reference: &str| ctx.catalog.image(&ImageRef::parse(reference));
    let image = match (facts(old), facts(new)) {
        (Some(old), Some(new)) => ctx.catalog.saved_bytes(&old, &new),
        _ => 0,
    };
    Estimate { image, context: 0 }
}

#[cfg(test)]
mod tests;
