mod jar;

use crate::catalog::{Ecosystem, Libc, Nature, Variant, WordSet};
use crate::model::path::{file_name, resolve};
use crate::model::{CommandForm, Setting, Stage, Verb};
use crate::rules::bases::{Kind, Needs, Why, distroless, replace_base, runs, runtime_base, saved};
use crate::rules::declare::declare_rule;
use crate::rules::run_edit;
use crate::rules::{BaseFamilies, Change, Ctx, Proposal, Rewrite, Rule, RuleMeta};
use crate::stack::{Bounds, Details, STACKS, Uses, go, rust};
use crate::syntax::{Copy, Keyword};
use crate::text::Edit;

declare_rule! {
    /// Puts the last stage on distroless when all it does is to hold and start one compiled program or jar.
    ///
    /// ## Why
    /// A program of Go or Rust needs no shell and no package manager: certificates, time zones and at most the C
    /// library are enough. What is not there needs no updates and opens no door.
    ///
    /// ## Example
    /// ```text go.mod
    /// module example.com/hello
    ///
    /// go 1.26
    /// ```
    /// ```text main.go
    /// package main
    ///
    /// import "net/http"
    ///
    /// func main() { http.ListenAndServe(":8080", nil) }
    /// ```
    /// ```dockerfile
    /// FROM golang:1.26 AS build
    /// WORKDIR /src
    /// COPY . .
    /// RUN CGO_ENABLED=0 go build -o /hello .
    ///
    /// FROM alpine:3.23
    /// RUN apk add --no-cache ca-certificates
    /// COPY --from=build /hello /usr/local/bin/hello
    /// CMD ["hello"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM golang:1.26 AS build
    /// WORKDIR /src
    /// COPY . .
    /// RUN CGO_ENABLED=0 go build -o /hello .
    ///
    /// FROM gcr.io/distroless/static-debian13
    /// COPY --from=build /hello /usr/local/bin/hello
    /// CMD ["hello"]
    /// ```
    /// A stage that ships on an image that compiles, and only starts what another stage compiled, leaves it the same way.
    ///
    /// The image runs as before: `:nonroot` is chosen only where the sources show that nothing needs root.
    ///
    /// A jar that another stage built goes onto distroless' JRE of the same version, with a CMD that its entry point
    /// `java -jar` starts.
    ///
    /// ## When not
    /// The stage runs anything but the installation of certificates and time zones, starts a shell or a script, has a
    /// HEALTHCHECK; the sources are not seen or start other programs; an Alpine stage whose program is not static.
    pub(crate) DistrolessBase { name: "distroless-base", level: Standard, hadolint: [] }
}

impl Rule for DistrolessBase {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        for (stage, reference, facts) in ctx.model.on_known_images() {
            if !stage.is_target || stage.windows || facts.variant == Variant::Windows {
                continue;
            }
            if jar::is_candidate(facts) {
                if let Some(answer) = jar::rewrite(ctx, stage, facts, reference) {
                    proposals.push(match answer {
                        Ok(rewrite) => Proposal::Rewrite(rewrite),
                        Err(why) => why.refusal(stage.from, &format!("the base {reference}")),
                    });
                }
                continue;
            }
            let name = facts.family.name.get();
            let is_left = matches!(name, "alpine" | "debian" | "ubuntu" | "busybox")
                || ctx.catalog.has_word(WordSet::ImagesThatCompile, name)
                    && has_its_own_folder(ctx, stage);
            if !is_left {
                continue;
            }
            let Some(program) = Program::of(ctx, stage) else {
                continue;
            };
            proposals.push(match program.rewrite(reference) {
                Ok(rewrite) => Proposal::Rewrite(rewrite),
                Err(why) => why.refusal(stage.from, &format!("the base {reference}")),
            });
        }
        proposals
    }
}

/// Whether a stage names its working directory before it copies anything: images that compile have one of their own, where
/// relative paths would lead to before.
fn has_its_own_folder(ctx: &Ctx<'_>, stage: &Stage) -> bool {
    let first = stage
        .body
        .clone()
        .map(|index| ctx.model.instruction(index))
        .find(|instruction| {
            matches!(
                instruction.keyword,
                Keyword::Workdir | Keyword::Copy | Keyword::Run
            )
        });
    first.is_some_and(|instruction| {
        instruction.keyword == Keyword::Workdir && instruction.body.text().starts_with(b"/")
    })
}

/// A program that a stage copies from the stage that built it, and starts.
struct Program<'a> {
    ctx: &'a Ctx<'a>,
    stage: &'a Stage,
    builder: &'a Stage,
    language: Language,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Go,
    Rust,
}

impl<'a> Program<'a> {
    /// The program that the stage starts, if it copies it from a stage on an image that compiles.
    fn of(ctx: &'a Ctx<'a>, stage: &'a Stage) -> Option<Self> {
        let config = &stage.end.config;
        let line = config.entrypoint.set().or(config.cmd.set())?;
        let CommandForm::Exec(words) = &line.form else {
            return None;
        };
        let program = words.first()?;
        let folder = config.workdir.as_deref().unwrap_or("/");
        let places: Vec<String> = if program.contains('/') {
            vec![resolve(folder, program)]
        } else {
            [
                "/usr/local/bin",
                "/usr/bin",
                "/bin",
                "/usr/local/sbin",
                "/usr/sbin",
                "/sbin",
            ]
            .iter()
            .map(|folder| resolve(folder, program))
            .collect()
        };
        let builder = stage.body.clone().find_map(|index| {
            let copy = ctx.model.instruction(index).as_copy()?;
            let state = ctx.model.state(index);
            let escape = ctx.dockerfile.escape();
            let from = state.expand(copy.from?, escape).to_lowercase();
            let destination = state.expand(copy.destination.text, escape);
            let folder = state.config.workdir.as_deref().unwrap_or("/");
            let lands = copy.sources.iter().any(|source| {
                let source = state.expand(source.text, escape);
                let into = destination.ends_with('/') || matches!(&*destination, "." | "./");
                let own = resolve(folder, &destination);
                let inside = resolve(&own, file_name(source.trim_end_matches('/')));
                places.contains(&inside) && (into || copy.sources.len() > 1)
                    || places.contains(&own) && !into
            });
            let found = ctx.model.stages[..stage.index].iter().rev().find(|other| {
                other.name.as_deref() == Some(&*from) || from == other.index.to_string()
            });
            found.filter(|_| lands)
        })?;
        let language = match ctx.model.base_facts(builder.index)?.family.name.get() {
            "golang" => Language::Go,
            "rust" => Language::Rust,
            _ => return None,
        };
        Some(Self {
            ctx,
            stage,
            builder,
            language,
        })
    }

    fn rewrite(&self, old: &str) -> Result<Rewrite, Why> {
        let dropped = holds_only_files(self.ctx, self.stage, works_with_the_base)?;
        let (kind, uses) = match self.language {
            Language::Go => self.go()?,
            Language::Rust => self.rust()?,
        };
        let is_alpine = self
            .ctx
            .model
            .base_facts(self.stage.index)
            .and_then(|facts| facts.libc())
            != Some(Libc::Glibc);
        if is_alpine && kind != Kind::Static {
            return Err(Why::new(
                "the program is not known to be static, and what was linked for Alpine runs nowhere else",
                "build with CGO_ENABLED=0",
            ));
        }
        let needs = Needs {
            kind,
            shell: false,
            packages: Vec::new(),
            unprivileged: is_unprivileged(self.ctx, self.stage, &uses),
        };
        let choice = runtime_base(self.ctx, self.builder, &needs)?;
        if choice.shell {
            let why = distroless(self.ctx, "static", needs.unprivileged).err();
            return Err(why.unwrap_or_else(|| {
                Why::new(
                    "the release that the program was built on is newer than distroless'",
                    "",
                )
            }));
        }
        self.chainguard_has_it(kind, &uses, &dropped)?;
        let mut edits = replace_base(self.ctx, self.stage, &choice.reference)?;
        edits.extend(dropped.iter().map(|index| self.removal(*index)));
        let config = &self.stage.end.config;
        let mut changes = Vec::new();
        if config.user.is_none() {
            changes.push(Change::User);
        }
        if config.workdir.as_deref().is_none_or(|folder| folder == "/") {
            changes.push(Change::Workdir);
        }
        if config.entrypoint == Setting::Inherited {
            changes.push(Change::Entrypoint);
        }
        Ok(Rewrite {
            anchor: self.stage.from,
            edits,
            reason: format!(
                "the stage only starts one compiled program: {} has all that it needs",
                choice.reference
            ),
            saves: saved(self.ctx, old, &choice.reference),
            changes,
            ..Rewrite::default()
        })
    }

    /// Refuses what distroless images bring and Chainguard's image with the C library does not: time zones.
    fn chainguard_has_it(&self, kind: Kind, uses: &Uses, dropped: &[usize]) -> Result<(), Why> {
        let needs_zones = uses.marked("timezone").next().is_some()
            || dropped.iter().any(|index| {
                let text = self.ctx.model.instruction(*index).body.text();
                text.windows(6).any(|part| part == b"tzdata")
            });
        let lacks = self.ctx.settings.bases == BaseFamilies::Chainguard && kind != Kind::Static;
        if lacks && needs_zones {
            return Err(Why::new(
                "the program may need time zones, which Chainguard's image lacks",
                "write `bases: official`",
            ));
        }
        Ok(())
    }

    /// What the Go sources say.
    fn go(&self) -> Result<(Kind, Uses), Why> {
        let context = self.ctx.context.ok_or_else(unseen)?;
        let stack = STACKS
            .iter()
            .find(|stack| stack.name() == "go")
            .ok_or_else(unseen)?;
        let Some(Details::Go(project)) = stack
            .detect("", context, self.ctx.catalog)
            .map(|project| project.details)
        else {
            return Err(unseen());
        };
        let uses = go::scan("", "", context, Bounds::default()).uses();
        starts_nothing(&uses)?;
        if self.is_built_without_cgo() {
            return Ok((Kind::Static, uses));
        }
        let mut libstdcpp = false;
        for module in project.modules() {
            let Some(native) = self.ctx.catalog.native(Ecosystem::Go, module) else {
                continue;
            };
            if !native.libraries("trixie").is_empty() || !native.refuse.is_empty() {
                return Err(Why::new(
                    format!("{module} needs libraries that distroless images lack"),
                    "",
                ));
            }
            libstdcpp |= native.nature == Nature::Cgo;
        }
        Ok((Kind::Glibc { libstdcpp }, uses))
    }

    /// Whether every `go build` and `go install` of the builder has `CGO_ENABLED=0`.
    fn is_built_without_cgo(&self) -> bool {
        let mut builds = 0;
        for stage in self.ctx.model.chain(self.builder.index) {
            for index in self.ctx.model.of_kind(stage, Keyword::Run) {
                let Some(script) = self.ctx.model.script(index) else {
                    return false;
                };
                let state = self.ctx.model.state(index);
                let off = |value: Option<&String>| value.is_some_and(|value| value == "0");
                let set_before = off(state.config.env.get("CGO_ENABLED"));
                let mut exported = false;
                for invocation in script.invocations() {
                    let words = &invocation.simple.words;
                    let assigned = invocation.simple.assignments.iter().any(|assignment| {
                        assignment.name == b"CGO_ENABLED"
                            && assignment.value.literal.as_deref() == Some(b"0")
                    }) || words
                        .iter()
                        .any(|word| word.literal.as_deref() == Some(b"CGO_ENABLED=0"));
                    exported |= invocation.calls("export") && assigned;
                    let on = invocation.simple.assignments.iter().any(|assignment| {
                        assignment.name == b"CGO_ENABLED"
                            && assignment.value.literal.as_deref() != Some(b"0")
                    });
                    match invocation.name() {
                        Some(b"go")
                            if invocation.has_argument("build")
                                || invocation.has_argument("install") =>
                        {
                            if on || !(assigned || exported || set_before) {
                                return false;
                            }
                            builds += 1;
                        }
                        Some(b"make" | b"sh" | b"bash" | b"mage" | b"task" | b"goreleaser") => {
                            return false;
                        }
                        _ => {}
                    }
                }
            }
        }
        builds > 0
    }

    /// What the Rust sources and the lock file say.
    fn rust(&self) -> Result<(Kind, Uses), Why> {
        let context = self.ctx.context.ok_or_else(unseen)?;
        let stack = STACKS
            .iter()
            .find(|stack| stack.name() == "rust")
            .ok_or_else(unseen)?;
        let Some(Details::Rust(project)) = stack
            .detect("", context, self.ctx.catalog)
            .map(|project| project.details)
        else {
            return Err(unseen());
        };
        if project.packages.is_empty() {
            return Err(Why::new(
                "Cargo.lock is not seen, and which libraries the program needs is not known",
                "commit Cargo.lock",
            ));
        }
        for name in project.packages.keys() {
            let native = self.ctx.catalog.native(Ecosystem::Rust, name);
            match native {
                Some(native)
                    if !native.libraries("trixie").is_empty() || !native.refuse.is_empty() =>
                {
                    return Err(Why::new(
                        format!("{name} needs libraries that distroless images lack"),
                        "",
                    ));
                }
                None if name.ends_with("-sys") && !is_harmless_sys(name) => {
                    return Err(Why::new(
                        format!("which library {name} needs is not known"),
                        "",
                    ));
                }
                _ => {}
            }
        }
        let uses = rust::scan("", "", &project, context, Bounds::default()).uses;
        starts_nothing(&uses)?;
        Ok((Kind::Glibc { libstdcpp: true }, uses))
    }

    /// The edit that takes a whole instruction away, its line ending with it.
    fn removal(&self, index: usize) -> Edit {
        Edit::delete(run_edit::whole_lines(self.ctx, index))
    }
}

/// Crates that bind what every system has.
fn is_harmless_sys(name: &str) -> bool {
    matches!(
        name,
        "core-foundation-sys"
            | "fsevent-sys"
            | "inotify-sys"
            | "js-sys"
            | "linux-raw-sys"
            | "security-framework-sys"
            | "web-sys"
            | "windows-sys"
    )
}

fn unseen() -> Why {
    Why::new(
        "the sources are not seen, and the program may start others",
        "run docker-diet with the build context",
    )
}

/// Refuses sources that start other programs.
fn starts_nothing(uses: &Uses) -> Result<(), Why> {
    if !uses.complete {
        return Err(Why::new("the sources are too many to be read", ""));
    }
    let open = uses.open.iter().find(|evidence| {
        ["exec", "Command", "spawn"]
            .iter()
            .any(|part| evidence.fact.contains(part))
    });
    match uses.programs.first().or(open) {
        None => Ok(()),
        Some(evidence) => Err(Why::new(
            format!("{} starts {}", evidence.source, evidence.fact),
            "",
        )),
    }
}

/// Whether a COPY brings certificates, libraries, scripts, or files of an account that the base may lack.
fn works_with_the_base(text: &str, _: &Copy<'_>) -> bool {
    let odd = ["/ca-certificates", "/etc/ssl", ".sh", "/lib", "--chown="];
    odd.iter().any(|part| text.contains(part))
}

/// Checks that nothing of the stage needs a shell; gives the RUNs whose work distroless has done.
fn holds_only_files(
    ctx: &Ctx<'_>,
    stage: &Stage,
    is_odd: fn(&str, &Copy<'_>) -> bool,
) -> Result<Vec<usize>, Why> {
    let mut dropped = Vec::new();
    let mut accounts = vec!["root".to_owned(), "nobody".to_owned(), "nonroot".to_owned()];
    let told =
        |index: usize, what: &str| Why::new(format!("line {} {what}", runs::line(ctx, index)), "");
    for index in stage.body.clone() {
        let instruction = ctx.model.instruction(index);
        match instruction.keyword {
            Keyword::Run if only_installs_what_is_there(ctx, index) => dropped.push(index),
            Keyword::Run => return Err(told(index, "runs something in it")),
            Keyword::Healthcheck => return Err(told(index, "calls a program of the base")),
            Keyword::Onbuild => return Err(told(index, "leaves a trigger to other builds")),
            Keyword::Shell => return Err(told(index, "sets a shell")),
            Keyword::Add => return Err(told(index, "may unpack an archive over the base")),
            Keyword::Copy => {
                let text =
                    String::from_utf8_lossy(ctx.dockerfile.bytes(instruction.span)).into_owned();
                if text.contains("/etc/passwd") {
                    accounts.clear();
                }
                let copy = instruction.as_copy();
                if copy.is_none_or(|copy| is_odd(&text, &copy)) {
                    return Err(told(index, "copies what works together with the base"));
                }
            }
            Keyword::User => {
                let user = stage.end.config.user.clone().unwrap_or_default();
                let name = user.split(':').next().unwrap_or_default();
                let numeric = name.bytes().all(|byte| byte.is_ascii_digit());
                if !numeric && !accounts.is_empty() && !accounts.iter().any(|known| known == name) {
                    return Err(told(index, "names a user that distroless images lack"));
                }
            }
            _ => {}
        }
    }
    let config = &stage.end.config;
    for setting in [&config.entrypoint, &config.cmd] {
        if let Setting::Set(line) = setting
            && !matches!(line.form, CommandForm::Exec(_))
        {
            return Err(told(line.instruction, "starts a shell"));
        }
    }
    if !ctx.settings.usage.commands.is_empty() {
        return Err(Why::new(
            "commands from outside the Dockerfile run in it",
            "",
        ));
    }
    Ok(dropped)
}

/// Whether a RUN installs nothing but what distroless images hold.
fn only_installs_what_is_there(ctx: &Ctx<'_>, index: usize) -> bool {
    let Some(script) = ctx.model.script(index) else {
        return false;
    };
    let operations = ctx.model.operations(index);
    let harmless = operations.iter().all(|operation| {
        matches!(operation.verb, Verb::Update | Verb::Clean)
            || operation.verb == Verb::Install
                && operation.literal_packages().is_some_and(|names| {
                    names
                        .iter()
                        .all(|name| ctx.catalog.has_word(WordSet::DistrolessContents, name))
                })
    });
    let installs = operations
        .iter()
        .any(|operation| operation.verb == Verb::Install);
    let calls_only_managers = script.invocations().iter().all(|invocation| {
        let lists = |word: &crate::shell::Word| {
            word.raw.starts_with(b"/var/lib/apt/lists")
                || word.raw.starts_with(b"/var/cache/apk")
                || word.raw.starts_with(b"-")
        };
        match invocation.name() {
            Some(b"rm") => invocation.arguments().iter().all(lists),
            Some(b"apk" | b"apt" | b"apt-get" | b"update-ca-certificates" | b"true" | b"set") => {
                true
            }
            _ => false,
        }
    });
    harmless && installs && calls_only_managers
}

/// Whether the sources and the stage show that nothing needs root.
fn is_unprivileged(ctx: &Ctx<'_>, stage: &Stage, uses: &Uses) -> bool {
    let config = &stage.end.config;
    let own_folder = stage
        .body
        .clone()
        .any(|index| ctx.model.instruction(index).keyword == Keyword::Workdir);
    let ports: Vec<u32> = config
        .ports
        .keys()
        .map(|port| {
            port.split('/')
                .next()
                .unwrap_or_default()
                .parse()
                .unwrap_or(0)
        })
        .collect();
    let root_paths = stage.body.clone().any(|index| {
        let text = ctx.dockerfile.bytes(ctx.model.instruction(index).span);
        String::from_utf8_lossy(text).contains("/root")
    });
    let copies_context = stage.body.clone().any(|index| {
        ctx.model
            .instruction(index)
            .as_copy()
            .is_some_and(|copy| copy.from.is_none())
    });
    config.user.is_none()
        && own_folder
        && !root_paths
        && !copies_context
        && config.volumes.is_empty()
        && !ports.is_empty()
        && ports.iter().all(|port| *port >= 1024)
        && uses.ports.iter().all(|port| *port >= 1024)
        && uses.writes.is_empty()
        && uses.open.is_empty()
}
