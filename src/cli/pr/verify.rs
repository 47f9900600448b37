//! Where `--verify` comes in: a plan is proposed only when its image was built, compared with the original's, and holds.

use std::path::Path;

use anyhow::{Result, bail};

use super::args::PrArgs;
use crate::cli::session::Planned;
use crate::report::comment::Measured;

/// What building and comparing showed about one plan.
pub(super) enum Checked {
    /// Nobody asked.
    NotAsked,
    /// It holds; these figures go into the pull request.
    #[expect(dead_code, reason = "the command line cannot ask for it yet")]
    Holds(Measured),
    /// It is not proposed, and why.
    #[expect(dead_code, reason = "the command line cannot ask for it yet")]
    Fails(String),
}

/// Says before the first repository whether `--verify` can be kept.
///
/// # Errors
/// When it was asked for.
pub(super) fn available(args: &PrArgs) -> Result<()> {
    if args.verify {
        bail!("--verify cannot be kept by the bot yet; run `docker-diet verify` on a checkout");
    }
    Ok(())
}

/// Builds and compares the original and the rewrite of one Dockerfile of the checkout in `_folder`, when asked.
///
/// # Errors
/// When there is no engine.
pub(super) fn check(args: &PrArgs, _folder: &Path, _planned: &Planned) -> Result<Checked> {
    available(args)?;
    Ok(Checked::NotAsked)
}
