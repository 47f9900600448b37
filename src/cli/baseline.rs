//! A baseline: what an earlier report lists is known, and only what is new is reported.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::builds::clean;
use crate::pipeline::{Plan, RewriteId};

/// What an earlier report lists.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    /// By file name.
    files: HashMap<OsString, Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    /// As it stands in the report.
    path: PathBuf,
    rewrites: BTreeSet<RewriteId>,
    /// Rule and reason of refusals and findings.
    remarks: BTreeSet<(String, String)>,
}

#[derive(Deserialize)]
struct Report {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: PathBuf,
    rewrites: Vec<Rewrite>,
    refusals: Vec<Remark>,
    findings: Vec<Remark>,
}

#[derive(Deserialize)]
struct Rewrite {
    id: String,
}

#[derive(Deserialize)]
struct Remark {
    rule: String,
    reason: String,
}

impl Baseline {
    /// Reads a report of `check --format json`; what is wrong with it otherwise.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let report: Report = serde_json::from_slice(text)
            .map_err(|error| format!("is no report of `check --format json`: {error}"))?;
        let mut baseline = Self::default();
        for file in report.files {
            let path = clean(&file.path);
            let Some(name) = path.file_name().map(ToOwned::to_owned) else {
                continue;
            };
            let rewrites = file
                .rewrites
                .iter()
                .map(|rewrite| rewrite.id.parse().map_err(|error| format!("{error}")))
                .collect::<Result<_, _>>()?;
            let remarks = file.refusals.into_iter().chain(file.findings);
            baseline.files.entry(name).or_default().push(Known {
                path,
                rewrites,
                remarks: remarks.map(|remark| (remark.rule, remark.reason)).collect(),
            });
        }
        Ok(baseline)
    }

    /// Takes the remarks that are known out of `plan`, the plan of the Dockerfile at the absolute `path`, and gives the
    /// rewrites that are new when some are known.
    pub(super) fn reduce(&self, path: &Path, plan: &mut Plan) -> Option<BTreeSet<RewriteId>> {
        let named = self.files.get(path.file_name()?)?;
        // The report may have been made in any folder above the file.
        let known = named.iter().find(|known| path.ends_with(&known.path))?;
        let is_new = |rule: &str, reason: &str| {
            !known
                .remarks
                .contains(&(rule.to_owned(), reason.to_owned()))
        };
        plan.refusals.retain(|it| is_new(it.rule.name, &it.reason));
        plan.findings.retain(|it| is_new(it.rule.name, &it.message));
        let new: BTreeSet<RewriteId> = plan
            .rewrites
            .iter()
            .map(|rewrite| rewrite.id.clone())
            .filter(|id| !known.rewrites.contains(id))
            .collect();
        (new.len() < plan.rewrites.len()).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::pipeline::plan;
    use crate::report::{FileReport, Totals, json};
    use crate::rules::Settings;

    #[test]
    fn what_a_report_lists_is_known_and_the_rest_is_new() {
        let made = |source: &[u8]| {
            plan(
                source,
                None,
                &Catalog::default(),
                &Settings::default(),
                None,
            )
        };
        let before = made(b"FROM example.org/base:1\nCMD a b\n");
        let mut report = Vec::new();
        json::begin(&mut report);
        let mut file = Vec::new();
        json::file(
            &mut file,
            &FileReport {
                path: Path::new("./a/Dockerfile"),
                plan: &before,
                error: None,
            },
            false,
        );
        report.extend_from_slice(&file[1..]);
        json::end(&mut report, &Totals::default());
        let baseline = Baseline::parse(&report).expect("it is a report");

        let known = Path::new("/repo/a/Dockerfile");
        assert!(!before.rewrites.is_empty());
        assert_eq!(
            baseline.reduce(known, &mut before.clone()),
            Some(BTreeSet::new())
        );
        let mut after =
            made(b"FROM example.org/base:1\nCMD a b\nFROM example.org/base:1\nENTRYPOINT c d\n");
        let new = baseline.reduce(known, &mut after).expect("one is known");
        assert_eq!(new.len() + 1, after.rewrites.len());
        assert_eq!(
            baseline.reduce(Path::new("/repo/b/Dockerfile"), &mut after),
            None
        );
    }

    #[test]
    fn what_is_no_report_is_said() {
        let error = Baseline::parse(b"[]").expect_err("a list is no report");
        assert!(
            error.starts_with("is no report of `check --format json`: "),
            "{error}"
        );
    }
}
