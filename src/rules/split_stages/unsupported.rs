//! Stacks that are recognised and not split: refused by name.

use crate::catalog::Variant;
use crate::model::Base;

use super::Splitter;
use super::anatomy::Anatomy;
use super::runtime::{Runtime, Why};
use super::trace::calls;

/// Answers for the build tools of [`TOOLS`], once no other stack has.
pub(super) struct Unsupported;

/// A build tool, what it builds, and how that is split by hand.
struct Tool {
    name: &'static str,
    /// The verbs that install or build; empty where every call does.
    verbs: &'static [&'static str],
    stack: &'static str,
    remedy: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "bundle",
        verbs: &["", "install"],
        stack: "Ruby",
        remedy: "copy /usr/local/bundle and the application to the slim image in a second stage",
    },
    Tool {
        name: "bun",
        verbs: &["build", "install"],
        stack: "Bun",
        remedy: "copy what it built to the slim image in a second stage",
    },
    Tool {
        name: "cabal",
        verbs: &[],
        stack: "Haskell",
        remedy: "copy the program to a distribution's slim image in a second stage",
    },
    Tool {
        name: "composer",
        verbs: &["create-project", "install", "update"],
        stack: "PHP",
        remedy: "install in a stage of the composer image, and copy `vendor` from it",
    },
    Tool {
        name: "deno",
        verbs: &["cache", "compile", "install", "task"],
        stack: "Deno",
        remedy: "copy the compiled program to a distroless image in a second stage",
    },
    Tool {
        name: "dotnet",
        verbs: &["build", "publish", "restore"],
        stack: ".NET",
        remedy: "copy what `dotnet publish` left to the image dotnet/aspnet, or dotnet/runtime, in a second stage",
    },
    Tool {
        name: "mix",
        verbs: &[],
        stack: "Elixir",
        remedy: "build with `mix release`, and copy the release to a slim image in a second stage",
    },
    Tool {
        name: "sbt",
        verbs: &[],
        stack: "Scala",
        remedy: "copy the staged application to a JRE in a second stage",
    },
    Tool {
        name: "stack",
        verbs: &[],
        stack: "Haskell",
        remedy: "copy the program to a distribution's slim image in a second stage",
    },
];

impl Splitter for Unsupported {
    fn plan(&self, anatomy: &Anatomy<'_>) -> Option<Result<Runtime, Why>> {
        let Base::Image { facts, .. } = &anatomy.stage.base else {
            return None;
        };
        // A slim or Alpine image was chosen with care: nothing is to be won that would be worth a word.
        if facts
            .as_ref()
            .is_some_and(|facts| facts.variant != Variant::Full)
        {
            return None;
        }
        calls(anatomy).iter().find_map(|call| {
            let verb = call.operands().next().unwrap_or_default();
            let builds = |tool: &&Tool| {
                tool.name == call.name() && (tool.verbs.is_empty() || tool.verbs.contains(&verb))
            };
            let tool = TOOLS.iter().find(builds)?;
            let line = anatomy.line(call.index);
            Some(Err(Why::new(
                call.index,
                format!(
                    "line {line} builds with `{}`, and {} is not split yet",
                    tool.name, tool.stack
                ),
                tool.remedy,
            )))
        })
    }
}
