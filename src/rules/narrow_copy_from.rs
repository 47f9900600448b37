use crate::model::path::{is_under, resolve};
use crate::model::{Base, Stage};
use crate::rules::bases::{Why, runs};
use crate::rules::declare::declare_rule;
use crate::rules::image_paths::{destination, stage_named, working_directory};
use crate::rules::programs::{Needed, Tree};
use crate::rules::{Ctx, Estimate, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::shell::Invocation;
use crate::syntax::{Copy, Keyword};
use crate::text::{Edit, Span};

declare_rule! {
    /// Copies the program out of the stage that built it, in place of the folder that it was built in.
    ///
    /// ## Why
    /// Sources, objects and what the build fetched are many times the size of the program. A second stage saves
    /// nothing when it takes all of them along.
    ///
    /// ## Example
    /// ```text Cargo.toml
    /// [package]
    /// name = "hello"
    /// version = "0.1.0"
    /// ```
    /// ```text Cargo.lock
    /// version = 4
    ///
    /// [[package]]
    /// name = "hello"
    /// version = "0.1.0"
    /// ```
    /// ```text src/main.rs
    /// fn main() {
    ///     println!("{}", std::fs::read_to_string("greeting/text").unwrap());
    /// }
    /// ```
    /// ```text greeting/text
    /// hello
    /// ```
    /// ```dockerfile
    /// FROM rust:1.91 AS build
    /// WORKDIR /app
    /// COPY . .
    /// RUN cargo build --release
    ///
    /// FROM debian:13-slim
    /// WORKDIR /app
    /// COPY --from=build /app .
    /// CMD ["./target/release/hello"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM rust:1.91 AS build
    /// WORKDIR /app
    /// COPY . .
    /// RUN cargo build --release
    ///
    /// FROM debian:13-slim
    /// WORKDIR /app
    /// COPY --from=build /app/greeting ./greeting
    /// COPY --from=build /app/target/release/hello ./target/release/
    /// CMD ["./target/release/hello"]
    /// ```
    /// What the sources read when they run is copied too; where that cannot be told, all that is no source.
    ///
    /// ## When not
    /// Programs of other languages than Go, Rust, Java and Kotlin; without the build context; when something else
    /// than the build may have made files in the folder, or when a later line, another stage or the repository
    /// uses them.
    pub(crate) NarrowCopyFrom { name: "narrow-copy-from", level: Standard, hadolint: [] }
}

impl Rule for NarrowCopyFrom {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        if ctx.context.is_none_or(crate::context::Context::truncated) {
            return Vec::new();
        }
        let mut proposals = Vec::new();
        for shipped in ctx.model.targets() {
            for index in ctx.model.of_kind(shipped, Keyword::Copy) {
                let Some(folder) = Folder::of(ctx, shipped, index) else {
                    continue;
                };
                match folder.tree.needed() {
                    None => {}
                    Some(Ok(needed)) => proposals.push(folder.proposal(&needed)),
                    Some(Err(why)) => proposals.push(folder.refusal(&why.reason)),
                }
            }
        }
        proposals
    }
}

/// A COPY of a whole folder of another stage.
struct Folder<'a> {
    ctx: &'a Ctx<'a>,
    index: usize,
    copy: Copy<'a>,
    tree: Tree<'a>,
}

impl<'a> Folder<'a> {
    fn of(ctx: &'a Ctx<'a>, shipped: &'a Stage, index: usize) -> Option<Self> {
        let copy = ctx.model.instruction(index).as_copy()?;
        let state = ctx.model.state(index);
        let escape = ctx.dockerfile.escape();
        let builder = stage_named(ctx, index, &state.expand(copy.from?, escape))?;
        let facts = ctx.model.base_facts(builder.index)?;
        let [source] = copy.sources.as_slice() else {
            return None;
        };
        let written = state.expand(source.text, escape);
        let source = resolve("/", &written);
        if builder.windows
            || shipped.windows
            || source == "/"
            || written.contains(['*', '?', '[', '$'])
            || facts.tag.contains("onbuild")
        {
            return None;
        }
        let destination = destination(ctx, index, &copy)?;
        Some(Self {
            ctx,
            index,
            copy,
            tree: Tree {
                ctx,
                builder,
                shipped,
                source,
                destination,
            },
        })
    }

    fn refusal(&self, reason: &str) -> Proposal {
        Proposal::Refusal(Refusal {
            anchor: self.index,
            reason: format!("the folder {} is copied whole: {reason}", self.tree.source),
            remedy: "name the files in COPY".to_owned(),
        })
    }

    fn proposal(&self, needed: &Needed) -> Proposal {
        match self.rewrite(needed) {
            Ok(rewrite) => Proposal::Rewrite(rewrite),
            Err(why) => self.refusal(&why.reason),
        }
    }

    fn rewrite(&self, needed: &Needed) -> Result<Rewrite, Why> {
        self.nobody_else_uses_it()?;
        self.later_lines_leave_it()?;
        let lines = self.lines(needed)?;
        let instruction = self.ctx.model.instruction(self.index);
        let span = Span::new(
            instruction.span.start,
            self.copy.destination.span.end.max(instruction.span.start),
        );
        Ok(Rewrite {
            anchor: self.index,
            edits: vec![Edit::replace(span, lines)],
            reason: format!(
                "{} needs nothing else of {}, where it was built",
                needed.what, self.tree.source
            ),
            saves: Estimate {
                image: needed.saved,
                context: 0,
            },
            ..Rewrite::default()
        })
    }

    /// Refuses where another stage or the repository may use what would be left behind.
    fn nobody_else_uses_it(&self) -> Result<(), Why> {
        let shipped = self.tree.shipped;
        let other = self.ctx.model.stages.iter().find(|stage| {
            stage.copies_from.contains(&shipped.index)
                || matches!(stage.base, Base::Stage(parent) if parent == shipped.index)
        });
        if let Some(other) = other {
            return Err(Why::new(
                format!(
                    "line {} goes on from there",
                    runs::line(self.ctx, other.from)
                ),
                "",
            ));
        }
        if !self.ctx.settings.usage.commands.is_empty() {
            return Err(Why::new(
                "commands from outside the Dockerfile run in the image",
                "",
            ));
        }
        let volumes = &shipped.end.config.volumes;
        let over = volumes.keys().find(|volume| {
            let volume = resolve("/", volume);
            is_under(&volume, &self.tree.destination) || is_under(&self.tree.destination, &volume)
        });
        match over {
            Some(volume) => Err(Why::new(
                format!("the volume {volume} takes its contents from it"),
                "",
            )),
            None => Ok(()),
        }
    }

    /// Refuses RUNs, triggers and copies after the COPY that may use what would be left behind.
    fn later_lines_leave_it(&self) -> Result<(), Why> {
        let ctx = self.ctx;
        for index in self.index + 1..self.tree.shipped.body.end {
            let told = |what: &str| Why::new(format!("line {} {what}", runs::line(ctx, index)), "");
            match ctx.model.instruction(index).keyword {
                Keyword::Onbuild => return Err(told("leaves a trigger to other builds")),
                Keyword::Run => {
                    let script = ctx
                        .model
                        .script(index)
                        .ok_or_else(|| told("may use other files of it"))?;
                    let operations = ctx.model.operations(index);
                    for invocation in script.invocations() {
                        let of_system = operations.iter().any(|operation| {
                            std::ptr::eq(operation.simple, invocation.simple)
                                && operation.manager.of_distribution
                        });
                        if !of_system && !leaves_files_alone(&invocation) {
                            return Err(told("may use other files of it"));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The COPY instructions that bring what is needed.
    fn lines(&self, needed: &Needed) -> Result<String, Why> {
        let ctx = self.ctx;
        let instruction = ctx.model.instruction(self.index);
        let [source] = self.copy.sources.as_slice() else {
            return Err(Why::new("it has several sources", ""));
        };
        let head = ctx
            .dockerfile
            .bytes(Span::new(instruction.span.start, source.span.start));
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || b"/._-+@".contains(&letter);
        let odd_flag = instruction
            .flags
            .iter()
            .find(|flag| !matches!(flag.name.as_str(), "from" | "chown" | "chmod" | "link"));
        let odd_path = needed.paths.iter().any(|path| !path.bytes().all(plain));
        if self.copy.json || head.contains(&b'\n') || odd_flag.is_some() || odd_path {
            return Err(Why::new(
                "its COPY cannot be repeated with other paths as it is written",
                "",
            ));
        }
        let head = String::from_utf8_lossy(head);
        let written = self.copy.destination.text;
        let workdir = match written.first() {
            Some(b'/') => "/",
            _ => working_directory(ctx, self.index).unwrap_or("/"),
        };
        let start = instruction.span.start;
        let before = &ctx.dockerfile.source()[..start];
        let line = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let indent = String::from_utf8_lossy(&before[line..]).into_owned();
        let eol = ctx.dockerfile.line_ending();
        let copies: Vec<String> = needed
            .copies(&self.tree, workdir)
            .iter()
            .map(|(sources, target)| format!("{head}{} {target}", sources.join(" ")))
            .collect();
        Ok(copies.join(&format!("{eol}{indent}")))
    }
}

/// Whether a command of the stage that ships works without what lies in the folder, or on whatever is there.
fn leaves_files_alone(invocation: &Invocation<'_>) -> bool {
    let Some(name) = invocation.name() else {
        return invocation.simple.words.is_empty();
    };
    match name {
        b"addgroup"
        | b"adduser"
        | b"groupadd"
        | b"useradd"
        | b"true"
        | b"set"
        | b"mkdir"
        | b"echo"
        | b"update-ca-certificates" => invocation.command.redirects.is_empty(),
        // Everything below a folder, or the program that is started.
        b"chown" | b"chmod" | b"chgrp" => !invocation.arguments().iter().any(|word| {
            word.literal.is_none() || word.raw.contains(&b'*') || word.raw.ends_with(b".sh")
        }),
        b"rm" => invocation
            .arguments()
            .iter()
            .all(|word| word.raw.starts_with(b"-") || word.raw.starts_with(b"/var/")),
        _ => false,
    }
}
