//! `--verify`: a plan is proposed only when its image was built, compared with the original's, and holds.
//!
//! `docker-diet verify` runs as a process of its own: it builds what a stranger's repository says, and knows no token.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum as _;
use serde::Deserialize;

use super::args::PrArgs;
use super::targets;
use crate::cli::session::Planned;
use crate::report::comment::Measured;

/// What building and comparing showed about one plan.
pub(super) enum Checked {
    /// Nobody asked.
    NotAsked,
    /// It holds; these figures go into the pull request.
    Holds(Measured),
    /// It is not proposed, and why.
    Fails(String),
}

/// Builds and compares the original and the rewrite of one Dockerfile of the checkout in `folder`, when asked.
///
/// # Errors
/// When the program cannot be started, or does not answer as it should.
pub(super) fn check(args: &PrArgs, folder: &Path, planned: &Planned) -> Result<Checked> {
    if !args.verify {
        return Ok(Checked::NotAsked);
    }
    let program = std::env::current_exe().context("cannot find docker-diet itself")?;
    let mut command = Command::new(program);
    command.args(["verify", "--quiet", "--format", "json"]);
    if let Some(level) = args
        .judgement
        .level
        .and_then(|level| level.to_possible_value())
    {
        command.arg("--level").arg(level.get_name());
    }
    for (flag, rules) in [
        ("--only", &args.judgement.only),
        ("--skip", &args.judgement.skip),
    ] {
        if !rules.is_empty() {
            command.arg(flag).arg(rules.join(","));
        }
    }
    if let Some(config) = &args.judgement.config {
        command.arg("--config").arg(config);
    }
    command.args(&args.verify_arg);
    command.arg("--").arg(&planned.path);
    for name in targets::token_variables(args) {
        command.env_remove(name);
    }
    let said = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .context("cannot start `docker-diet verify`")?;
    let last_words = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    let answer: Answer = serde_json::from_slice(&said.stdout)
        .with_context(|| format!("`docker-diet verify` gave no report: {last_words}"))?;
    Ok(answer.files.into_iter().next().map_or_else(
        || Checked::Fails("nothing was compared".to_owned()),
        File::checked,
    ))
}

/// The report of `verify`, as far as it is of use here.
#[derive(Deserialize)]
struct Answer {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    verdict: String,
    summary: String,
    original: Option<Image>,
    rewrite: Option<Image>,
}

#[derive(Deserialize)]
struct Image {
    size: u64,
    layers: Vec<serde::de::IgnoredAny>,
    rebuild: Option<Rebuild>,
}

#[derive(Deserialize)]
struct Rebuild {
    seconds: f64,
}

impl File {
    fn checked(self) -> Checked {
        let (Some(before), Some(after)) = (self.original, self.rewrite) else {
            return Checked::Fails(self.summary);
        };
        match self.verdict.as_str() {
            "same" | "unproved" => Checked::Holds(Measured {
                image: (before.size, after.size),
                layers: (before.layers.len(), after.layers.len()),
                rebuild: before
                    .rebuild
                    .zip(after.rebuild)
                    .map(|(before, after)| (before.seconds, after.seconds)),
                same: self.verdict == "same",
                note: self.summary,
            }),
            _ => Checked::Fails(self.summary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(verdict: &str, rewrite: &str) -> Checked {
        let text = format!(
            r#"{{"verdict": "{verdict}", "summary": "so it is", "rewrite": {rewrite},
                "original": {{"size": 900, "layers": [{{}}, {{}}], "rebuild": {{"seconds": 4.0, "steps": 2}}}}}}"#
        );
        let file: File = serde_json::from_str(&text).expect("the form of the report");
        file.checked()
    }

    #[test]
    fn figures_of_a_plan_that_holds() {
        let rewrite = r#"{"size": 90, "layers": [{}], "rebuild": {"seconds": 1.0}}"#;
        let Checked::Holds(measured) = checked("same", rewrite) else {
            panic!("it holds");
        };
        assert_eq!((measured.image, measured.layers), ((900, 90), (2, 1)));
        assert_eq!((measured.rebuild, measured.same), (Some((4.0, 1.0)), true));
    }

    #[test]
    fn what_breaks_or_does_not_build_is_not_proposed() {
        let rewrite = r#"{"size": 90, "layers": []}"#;
        for (verdict, rewrite) in [("broken", rewrite), ("broken", "null"), ("unknown", "null")] {
            let checked = checked(verdict, rewrite);
            assert!(matches!(checked, Checked::Fails(why) if why == "so it is"));
        }
    }
}
