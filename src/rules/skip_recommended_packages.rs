use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::catalog::{Catalog, Dropped, Verdict, WordSet};
use crate::model::{Base, PackageOperation, Setting, Stage, Verb};
use crate::rules::apt;
use crate::rules::declare::declare_rule;
use crate::rules::run_edit;
use crate::rules::{Ctx, Estimate, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::Keyword;
use crate::text::{Edit, Span};

declare_rule! {
    /// Installs with `--no-install-recommends`, and names the recommended packages that are used.
    ///
    /// ## Why
    /// apt installs what a package recommends as if it were needed. Often that is most of the layer: documentation,
    /// desktop files, a mail server.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y curl
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates
    /// ```
    ///
    /// ## When not
    /// A package is not in the catalog, its name is a variable or a file, nobody has judged what it recommends, or more than
    /// five packages would have to be named.
    pub(crate) SkipRecommendedPackages { name: "skip-recommended-packages", level: Standard, hadolint: ["DL3015"] }
}

/// More names than these would make the line harder to read than what it saves is worth.
const MOST_NAMES: usize = 5;

/// Releases whose package data the catalog holds.
const RELEASES: [&str; 2] = ["bookworm", "trixie"];

/// Packages that depend on others, directly or not, which something else recommends.
const IMPLIED: &[(&str, &[&str])] = &[
    (
        "build-essential",
        &["cpp", "dpkg-dev", "g++", "gcc", "libc6-dev", "make"],
    ),
    ("g++", &["cpp", "gcc"]),
    ("gcc", &["cpp"]),
    ("python-dev", &["libc6-dev"]),
    ("python3-dev", &["libc6-dev"]),
];

impl Rule for SkipRecommendedPackages {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        if apt::mentions(ctx.dockerfile.source(), b"Install-Recommends") {
            return Vec::new();
        }
        let mut proposals = Vec::new();
        let mut ends: Vec<Vec<String>> = Vec::new();
        let mut evidence = None;
        for stage in &ctx.model.stages {
            let mut present = match stage.base {
                Base::Stage(parent) => ends.get(parent).cloned().unwrap_or_default(),
                _ => Vec::new(),
            };
            for index in ctx.model.of_kind(stage, Keyword::Run) {
                let operations = ctx.model.operations(index);
                let installs: Vec<&PackageOperation<'_>> = operations
                    .iter()
                    .filter(|operation| {
                        matches!(operation.manager.name.get(), "apt" | "apt-get")
                            && operation.verb == Verb::Install
                    })
                    .collect();
                if installs.is_empty() {
                    continue;
                }
                let evidence = evidence.get_or_insert_with(|| Evidence::of(ctx));
                let removes = operations
                    .iter()
                    .any(|operation| apt::is_apt(operation) && operation.verb == Verb::Remove);
                let mut rewrite = Rewrite::default();
                let mut names_added: Vec<String> = Vec::new();
                for install in installs {
                    let named = named_packages(install);
                    if !is_open(install) {
                        present.extend(named.unwrap_or_default());
                        continue;
                    }
                    let judged = named.and_then(|named| {
                        let named_or_provided = with_providers(ctx, &named);
                        let added =
                            needed(ctx, stage, &named, &named_or_provided, &present, evidence)?;
                        if removes && !added.is_empty() {
                            return Err(format!(
                                "`{}` would stay behind when the RUN removes packages again",
                                added[0]
                            ));
                        }
                        Ok((named, added))
                    });
                    match judged {
                        Ok((named, added)) => match edits(ctx, install, &added) {
                            Some(edits) => {
                                rewrite.edits.extend(edits);
                                rewrite.saves = rewrite
                                    .saves
                                    .max_image(saved(ctx, stage, &named, &added, &present));
                                present.extend(named);
                                present.extend(added.iter().cloned());
                                names_added.extend(added);
                            }
                            None => present.extend(named),
                        },
                        Err(reason) => proposals.push(Proposal::Refusal(Refusal {
                            anchor: index,
                            reason: format!("recommended packages are still installed: {reason}"),
                            remedy: "add `--no-install-recommends` and name what is missed"
                                .to_owned(),
                        })),
                    }
                }
                if !rewrite.edits.is_empty() {
                    rewrite.anchor = index;
                    rewrite.reason = reason(&names_added);
                    proposals.push(Proposal::Rewrite(rewrite));
                }
            }
            ends.push(present);
        }
        proposals
    }
}

impl Estimate {
    /// This estimate, or one of `image` bytes where that is more.
    fn max_image(self, image: u64) -> Self {
        Self {
            image: self.image.max(image),
            ..self
        }
    }
}

fn reason(added: &[String]) -> String {
    if added.is_empty() {
        return "packages that are only recommended are not installed: nothing here uses them"
            .to_owned();
    }
    let names: Vec<String> = added.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "packages that are only recommended are not installed, but for {}",
        names.join(", ")
    )
}

/// What decides whether a recommended package is used under some condition.
struct Evidence {
    /// The Dockerfile and the scripts of the context.
    text: Vec<u8>,
    /// Whether a script runs that nobody sees: then every condition may hold.
    unseen: bool,
    /// Whether the conditions that were asked for hold.
    known: RefCell<BTreeMap<&'static str, bool>>,
}

impl Evidence {
    fn of(ctx: &Ctx<'_>) -> Self {
        let mut text = ctx.dockerfile.source().to_vec();
        let unseen = match ctx.context {
            Some(context) => {
                for (path, _) in context
                    .visible()
                    .filter(|(path, _)| is_script(ctx.catalog, path))
                    .take(200)
                {
                    if let Some(contents) = context.read(path) {
                        text.push(b'\n');
                        text.extend_from_slice(&contents);
                    }
                }
                context.truncated()
            }
            None => runs_scripts(ctx),
        };
        Self {
            text,
            unseen,
            known: RefCell::default(),
        }
    }

    /// Whether one of these conditions of the catalog holds, as far as anybody can tell.
    fn holds(&self, ctx: &Ctx<'_>, conditions: &[crate::catalog::Text]) -> bool {
        let holds = |name: &&'static str| {
            ctx.catalog
                .condition(name)
                .is_none_or(|condition| condition.holds_in(&self.text))
        };
        let mut known = self.known.borrow_mut();
        self.unseen
            || conditions
                .iter()
                .any(|name| *known.entry(name.get()).or_insert_with_key(holds))
    }
}

/// Whether a file of the context is one that calls programs, or says what is fetched.
fn is_script(catalog: &Catalog, path: &str) -> bool {
    let name = crate::model::path::file_name(path);
    catalog.has_word(WordSet::CallingFiles, name)
        || name.starts_with("requirements") && name.ends_with(".txt")
        || [".sh", ".bash", ".mk"]
            .iter()
            .any(|ending| name.ends_with(ending))
        || !name.contains('.') && (name.contains("entrypoint") || name.contains("start"))
}

/// Whether the Dockerfile runs scripts, when it is built or when the container starts.
fn runs_scripts(ctx: &Ctx<'_>) -> bool {
    ctx.model.stages.iter().any(|stage| {
        let config = &stage.end.config;
        let starts = [&config.cmd, &config.entrypoint]
            .into_iter()
            .filter_map(Setting::set)
            .any(|line| {
                line.form.argv().iter().any(|word| {
                    word.starts_with("./") || word.ends_with(".sh") || word.contains(".sh ")
                })
            });
        starts
            || ctx
                .model
                .of_kind(stage, Keyword::Run)
                .any(|index| apt::unseen_installer(ctx, index).is_some())
    })
}

/// Whether the install takes recommended packages because nobody said otherwise.
fn is_open(install: &PackageOperation<'_>) -> bool {
    !install.packages.is_empty()
        && install.verb_word.is_some_and(|word| word.contiguous)
        && !install.position.in_inner_script
        && !install.has_flag(&[
            "--no-install-recommends",
            "--install-recommends",
            "--without-recommends",
            "--download-only",
            "-d",
        ])
}

/// The packages of an install without versions and architectures.
fn named_packages(install: &PackageOperation<'_>) -> Result<Vec<String>, String> {
    if install.has_flag(&["-t", "--target-release", "--default-release"]) {
        return Err("it takes packages of another release".to_owned());
    }
    let Some(packages) = install.literal_packages() else {
        return Err("a variable or pattern stands among the packages".to_owned());
    };
    packages
        .into_iter()
        .map(|package| {
            let is_file = package.contains('/') || package.ends_with(".deb");
            let name = package.split(['=', ':']).next().unwrap_or_default();
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
            if is_file || !plain || name.is_empty() || name.ends_with('-') {
                return Err(format!("`{package}` is no plain package name"));
            }
            Ok(name.to_owned())
        })
        .collect()
}

/// The names, and those of the packages that provide a virtual one among them.
fn with_providers(ctx: &Ctx<'_>, named: &[String]) -> Vec<String> {
    let providers = named.iter().flat_map(|name| {
        RELEASES
            .iter()
            .filter_map(|release| ctx.catalog.package(release, name))
            .map(|package| package.name.to_owned())
    });
    let mut all: Vec<String> = named.iter().cloned().chain(providers).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a package is named, itself or by what it provides.
fn is_named(ctx: &Ctx<'_>, named: &[String], package: &str) -> bool {
    with_providers(ctx, named)
        .iter()
        .any(|name| name == package)
}

/// The recommended packages that have to be named.
fn needed(
    ctx: &Ctx<'_>,
    stage: &Stage,
    named: &[String],
    named_or_provided: &[String],
    present: &[String],
    evidence: &Evidence,
) -> Result<Vec<String>, String> {
    let facts = ctx.model.base_facts(stage.index);
    let release = facts
        .and_then(|facts| facts.release)
        .map_or("", |release| release.name.get());
    let known = RELEASES.contains(&release);
    let dropped = dropped(ctx, if known { Some(release) } else { None }, named)?;
    let mut added: Vec<String> = Vec::new();
    for one in dropped {
        let has = |names: &[String]| names.iter().any(|name| name == one.name);
        if has(named_or_provided)
            || has(present)
            || has(&added)
            || is_implied(named.iter().chain(present), one.name)
        {
            continue;
        }
        // NodeSource's package of that name recommends nothing.
        if one.by == "nodejs" && apt::mentions(ctx.dockerfile.source(), b"nodesource") {
            continue;
        }
        if facts.is_some_and(|facts| ctx.catalog.has_package(facts, one.name) == Some(true)) {
            continue;
        }
        let Some(row) = one.verdict else {
            return Err(format!(
                "`{}` recommends `{}`, and whether that is used is not known",
                one.by, one.name
            ));
        };
        let is_needed = match row.verdict {
            Verdict::Droppable => false,
            Verdict::Needed => true,
            Verdict::NeededWhen => evidence.holds(ctx, row.when.get()),
        };
        if !is_needed {
            continue;
        }
        if !known && !ctx.catalog.has_word(WordSet::LongLivedPackages, one.name) {
            return Err(format!(
                "`{}` recommends `{}`, whose name on this release is not known",
                one.by, one.name
            ));
        }
        added.push(one.name.to_owned());
    }
    if added.len() > MOST_NAMES {
        return Err(format!(
            "{} recommended packages would have to be named",
            added.len()
        ));
    }
    Ok(added)
}

/// Whether one of `names` brings `wanted` along.
fn is_implied<'a>(mut names: impl Iterator<Item = &'a String>, wanted: &str) -> bool {
    names.any(|name| {
        IMPLIED
            .iter()
            .any(|(package, implied)| package == name && implied.contains(&wanted))
    })
}

/// What is no longer installed: on a release that the catalog does not hold, all that any release that it holds would drop.
fn dropped(ctx: &Ctx<'_>, release: Option<&str>, named: &[String]) -> Result<Vec<Dropped>, String> {
    let mut all = Vec::new();
    for name in named {
        let releases = RELEASES
            .into_iter()
            .filter(|one| release.is_none_or(|release| release == *one));
        let mut found = false;
        for release in releases {
            if let Some(dropped) = ctx.catalog.dropped_recommends(release, &[name]) {
                found = true;
                all.extend(dropped);
            }
        }
        if !found {
            return Err(format!("`{name}` is not in the catalog"));
        }
    }
    all.sort_unstable_by_key(|one| (one.name, one.by));
    all.dedup_by_key(|one| (one.name, one.by));
    Ok(all)
}

/// The edits that add the flag and the names.
fn edits(ctx: &Ctx<'_>, install: &PackageOperation<'_>, added: &[String]) -> Option<Vec<Edit>> {
    let verb = install.verb_word?;
    let words = &install.simple.words;
    let at = words.iter().position(|word| word.span == verb.span)?;
    let flag_at = words[at + 1..]
        .iter()
        .take_while(|word| {
            word.contiguous
                && word.literal.as_deref().is_some_and(|text| {
                    text.starts_with(b"-")
                        && text != b"--"
                        && !install
                            .manager
                            .value_flags
                            .get()
                            .iter()
                            .any(|flag| flag.as_bytes() == text)
                })
        })
        .last()
        .unwrap_or(verb);
    let mut edits = vec![Edit::insert(flag_at.span.end, *b" --no-install-recommends")];
    if added.is_empty() {
        return Some(edits);
    }
    let last = install.packages.last()?;
    let before = match install.packages.len() {
        1 => flag_at,
        count => install.packages[count - 2],
    };
    let source = ctx.dockerfile.source();
    let gap = Span::new(before.span.end, last.span.start);
    let own_line = ctx.dockerfile.bytes(gap).contains(&b'\n');
    let mut text = Vec::new();
    for name in added {
        text.push(b' ');
        if own_line {
            text.push(ctx.dockerfile.escape());
            text.extend_from_slice(ctx.dockerfile.line_ending().as_bytes());
            text.extend_from_slice(&run_edit::indent_at(source, last.span.start));
        }
        text.extend_from_slice(name.as_bytes());
    }
    edits.push(Edit::insert(last.span.end, text));
    Some(edits)
}

/// At least how many bytes are saved: known only for the first install on an image that holds next to nothing.
fn saved(
    ctx: &Ctx<'_>,
    stage: &Stage,
    named: &[String],
    added: &[String],
    present: &[String],
) -> u64 {
    let Some(facts) = ctx.model.base_facts(stage.index) else {
        return 0;
    };
    let release = facts.release.map_or("", |release| release.name.get());
    let bare = facts.family.name == "debian" && RELEASES.contains(&release);
    if !bare || !stage.ships || !added.is_empty() || !present.is_empty() {
        return 0;
    }
    let names: Vec<&str> = named.iter().map(String::as_str).collect();
    // Some of the figure is a named package's own size where one recommends another.
    let apart = names.iter().all(|name| {
        ctx.catalog
            .recommended(release, &[name])
            .is_some_and(|found| found.iter().all(|(_, name)| !is_named(ctx, named, name)))
    });
    if apart {
        ctx.catalog.recommended_kib(release, &names) * 1024
    } else {
        0
    }
}
