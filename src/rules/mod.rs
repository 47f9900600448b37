//! The rewrites (floor 4): one file each, and what they share.
//!
//! A rule is pure: it reads a [`Ctx`] and proposes. The order of [`RULES`] is the order of the pipeline.

mod apt;
mod bases;
mod chown_on_copy;
mod clean_package_lists;
mod context_texts;
mod context_use;
mod copied_tree;
mod copy_manifests_first;
mod copy_not_add;
mod declare;
mod distroless_base;
mod drop_unused_tools;
mod exec_form;
mod image_paths;
mod join_apt_update;
mod link_copies;
mod live_base;
mod merge_runs;
mod modern_syntax;
mod mount_caches;
mod mount_secrets;
mod narrow_copy_from;
mod node_start;
mod non_root_user;
mod official_base;
mod pin_base;
mod pip_settings;
mod pragma;
mod programs;
mod proposal;
mod prune_dev_dependencies;
mod run_edit;
mod run_files;
mod run_join;
mod settings;
mod skip_language_caches;
mod skip_recommended_packages;
mod slim_base;
mod split_stages;
mod start_without_npm;
mod write_dockerignore;

pub use pragma::Pragmas;
pub use proposal::{Change, Estimate, Finding, IgnoreLine, Proposal, Refusal, Rewrite};
pub use settings::{BaseFamilies, Level, Pin, Settings, Usage, UseBuildkit};

use crate::catalog::Catalog;
use crate::context::Context;
use crate::model::Model;
use crate::syntax::Dockerfile;

/// Everything that a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Ctx<'a> {
    /// The current text.
    pub dockerfile: &'a Dockerfile,
    /// What it means.
    pub model: &'a Model<'a>,
    /// The build context; none when the Dockerfile is judged alone.
    pub context: Option<&'a Context>,
    /// What is known about the world.
    pub catalog: &'a Catalog,
    /// What the user asked for.
    pub settings: &'a Settings,
    /// Lines that earlier rewrites of this run put into `.dockerignore`.
    pub pending_ignore: &'a [IgnoreLine],
}

/// A rewrite.
pub trait Rule: Sync {
    /// Name, level and documentation.
    fn meta(&self) -> &'static RuleMeta;

    /// What it would change in the current text, what it leaves and why, and what it only reports.
    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal>;
}

/// What is said about a rule, once: feeds `explain`, the README, SARIF help and the pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleMeta {
    /// `clean-package-lists`.
    pub name: &'static str,
    /// The level at which it is on.
    pub level: Level,
    /// hadolint's codes for the same smell; `# hadolint ignore=` of one of them switches the rule off there.
    pub hadolint: &'static [&'static str],
    /// The doc comment, Markdown; the first line is its summary.
    pub documentation: &'static str,
}

/// Every rule, in pipeline order.
pub static RULES: &[&dyn Rule] = &[
    &modern_syntax::ModernSyntax,
    &copy_not_add::CopyNotAdd,
    &live_base::LiveBase,
    &official_base::OfficialBase,
    &pin_base::PinBase,
    &exec_form::ExecForm,
    &start_without_npm::StartWithoutNpm,
    &copy_manifests_first::CopyManifestsFirst,
    &mount_secrets::MountSecrets,
    &split_stages::SplitStages,
    &narrow_copy_from::NarrowCopyFrom,
    &prune_dev_dependencies::PruneDevDependencies,
    &distroless_base::DistrolessBase,
    &slim_base::SlimBase,
    &mount_caches::MountCaches,
    &join_apt_update::JoinAptUpdate,
    &merge_runs::MergeRuns,
    &clean_package_lists::CleanPackageLists,
    &skip_recommended_packages::SkipRecommendedPackages,
    &skip_language_caches::SkipLanguageCaches,
    &drop_unused_tools::DropUnusedTools,
    &chown_on_copy::ChownOnCopy,
    &link_copies::LinkCopies,
    &non_root_user::NonRootUser,
    &write_dockerignore::WriteDockerignore,
];
