//! Two stages of one: what all stacks have in common, and the list of those that know how.

mod compiled;
mod names;
mod node;
mod python;
mod replay;
mod runtime;
mod stage_text;
mod static_site;
mod surroundings;
mod unsupported;

pub(crate) use runtime::{Runtime, assemble};

use crate::rules::declare::declare_rule;
use crate::rules::programs::{Anatomy, Copied, Why, anatomy, c, go, java, javac, rust};
use crate::rules::{Ctx, Proposal, Refusal, Rule, RuleMeta};

declare_rule! {
    /// Builds in one stage and ships from another, which holds only what runs.
    ///
    /// ## Why
    /// Compilers, package managers, sources and development dependencies are needed once; in a single stage they ship.
    ///
    /// ## Example
    /// With this Go program in the build context
    /// ```text go.mod
    /// module example.org/hello
    ///
    /// go 1.24
    /// ```
    /// ```go main.go
    /// package main
    ///
    /// import "net/http"
    ///
    /// func main() {
    ///     http.ListenAndServe(":8080", http.NotFoundHandler())
    /// }
    /// ```
    /// the Dockerfile
    /// ```dockerfile
    /// FROM golang:1.24
    /// WORKDIR /app
    /// COPY . .
    /// RUN go build -o server .
    /// EXPOSE 8080
    /// CMD ["./server"]
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM golang:1.24 AS build
    /// WORKDIR /app
    /// COPY . .
    /// RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o server .
    ///
    /// FROM gcr.io/distroless/static-debian13:nonroot
    /// WORKDIR /app
    /// COPY --from=build /app/server ./
    /// EXPOSE 8080
    /// CMD ["./server"]
    /// ```
    ///
    /// ## When not
    /// Without the build context; when a command that could write anywhere runs; when the command that starts the
    /// container installs or fetches packages; when a VOLUME lies over what would be copied; when the stack is not known.
    pub(crate) SplitStages { name: "split-stages", level: Standard, hadolint: [] }
}

/// How one stack splits its stage.
trait Splitter: Sync {
    /// The stage that ships; none when the stage is not of this stack, or one stage is the better answer.
    fn plan(&self, anatomy: &Anatomy<'_>) -> Option<Result<Runtime, Why>>;
}

/// The stacks that know how to split, the most specific first.
static SPLITTERS: &[&dyn Splitter] = &[
    &go::GoPrograms,
    &rust::RustPrograms,
    &java::JavaPrograms,
    &javac::JavacPrograms,
    &c::CPrograms,
    &node::NodeSplitter,
    &python::PythonSplitter,
    &unsupported::Unsupported,
];

impl Rule for SplitStages {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        if ctx.context.is_none() {
            return Vec::new();
        }
        let Some(anatomy) = Anatomy::of(ctx) else {
            return Vec::new();
        };
        let answer = SPLITTERS
            .iter()
            .find_map(|splitter| splitter.plan(&anatomy))
            .map(|plan| plan.and_then(|runtime| assemble(&anatomy, runtime)));
        match answer {
            Some(Ok(rewrite)) => vec![Proposal::Rewrite(rewrite)],
            Some(Err(why)) => vec![Proposal::Refusal(Refusal {
                anchor: why.anchor,
                reason: format!("not split: {}", why.reason),
                remedy: why.remedy,
            })],
            None => Vec::new(),
        }
    }
}
