//! Whether all that is installed comes as wheels, indirect requirements too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::requirement::Requirement;
use crate::catalog::{Catalog, Ecosystem, Nature, Versions, WordSet};

/// A package that keeps a list of requirements from being closed under wheels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// The direct requirement that brings it.
    pub direct: String,
    /// The package itself; the same where it is required directly.
    pub name: String,
    /// What is wrong with it, to stand after its name: `has no wheel for Python 3.12`.
    pub reason: String,
}

/// All packages that an install of `requirements` brings for Python 3 of this minor version, if each comes as a wheel.
///
/// A package without native code that the catalog knows by name alone needs nothing. The names are sorted.
///
/// # Errors
/// With the first package of which that is not known.
pub fn closure(
    catalog: &Catalog,
    requirements: &[Requirement],
    constraints: &[Requirement],
    python: u32,
) -> Result<BTreeSet<String>, Unclosed> {
    let applies = |requirement: &&Requirement| {
        requirement
            .marker
            .as_deref()
            .is_none_or(|marker| may_hold(marker, Some(python)))
    };
    let direct: Vec<&Requirement> = requirements.iter().filter(applies).collect();
    let mut allowed: BTreeMap<&str, Versions> = BTreeMap::new();
    for requirement in direct
        .iter()
        .copied()
        .chain(constraints.iter().filter(applies))
    {
        let versions = Versions::parse(&requirement.versions).ok_or_else(|| Unclosed {
            direct: requirement.name.clone(),
            name: requirement.name.clone(),
            reason: format!("is asked for as `{}`", requirement.versions),
        })?;
        let known = allowed.entry(&requirement.name).or_default();
        *known = std::mem::take(known).and(&versions);
    }
    let mut search = Search {
        catalog,
        python,
        allowed,
        names: BTreeSet::new(),
        seen: BTreeSet::new(),
        queue: VecDeque::new(),
    };
    for requirement in direct {
        search.all_of(requirement)?;
    }
    Ok(search.names)
}

struct Search<'a> {
    catalog: &'a Catalog,
    python: u32,
    /// What the requirements and constraints say of versions.
    allowed: BTreeMap<&'a str, Versions>,
    names: BTreeSet<String>,
    seen: BTreeSet<(String, Option<String>, Versions)>,
    queue: VecDeque<(String, Option<String>, Versions)>,
}

impl Search<'_> {
    fn all_of(&mut self, requirement: &Requirement) -> Result<(), Unclosed> {
        let any = Versions::default();
        self.queue
            .push_back((requirement.name.clone(), None, any.clone()));
        for extra in &requirement.extras {
            self.queue
                .push_back((requirement.name.clone(), Some(extra.clone()), any.clone()));
        }
        while let Some(next) = self.queue.pop_front() {
            if self.catalog.has_word(WordSet::PythonSeedPackages, &next.0)
                || !self.seen.insert(next.clone())
            {
                continue;
            }
            let (name, extra, bound) = next;
            self.package(&name, extra.as_deref(), &bound)
                .map_err(|reason| Unclosed {
                    direct: requirement.name.clone(),
                    name: name.clone(),
                    reason,
                })?;
            self.names.insert(name);
        }
        Ok(())
    }

    /// Takes note of what one package requires.
    fn package(&mut self, name: &str, extra: Option<&str>, bound: &Versions) -> Result<(), String> {
        let native = self.catalog.native(Ecosystem::Python, name);
        let is_pure = native.is_some_and(|native| native.nature == Nature::Pure);
        if native.is_some_and(|native| native.nature == Nature::Source) {
            return Err("is compiled when it is installed".to_owned());
        }
        let Some(package) = self.catalog.python_package(name) else {
            return match (is_pure, extra) {
                (true, None) => Ok(()),
                (_, Some(extra)) => Err(format!(
                    "is asked for with [{extra}], and what that adds is not known"
                )),
                (false, None) => {
                    Err("is not known to the catalog, nor whether it has native code".to_owned())
                }
            };
        };
        if let Some(extra) = extra {
            let versions = self.allowed.get(name).cloned().unwrap_or_default();
            let adds = package.extra(extra, &versions).ok_or_else(|| {
                format!("is asked for with [{extra}], and what that adds is not known")
            })?;
            for (name, extra) in adds {
                self.queue.push_back((
                    name.to_owned(),
                    extra.map(str::to_owned),
                    Versions::default(),
                ));
            }
            return Ok(());
        }
        let mut versions = self.allowed.get(name).cloned().unwrap_or_default();
        if !versions.is_exact() {
            versions = versions.and(bound);
        }
        if !is_pure && !package.has_wheel(self.python, &versions) {
            return Err(format!(
                "may have no wheel for Python 3.{} in the version that is installed",
                self.python
            ));
        }
        for (name, extra, bound) in package.requires(self.python, &versions) {
            self.queue
                .push_back((name.to_owned(), extra.map(str::to_owned), bound));
        }
        Ok(())
    }
}

/// Whether a marker may hold on Linux with Python 3 of this minor version, or of any: all but plain comparisons with
/// another system or version, alone or joined by `and`.
pub(super) fn may_hold(marker: &str, python: Option<u32>) -> bool {
    if marker.contains(" or ") {
        return true;
    }
    marker.split(" and ").all(|clause| {
        let clause = clause.trim().trim_matches(['(', ')']);
        let mut words = clause.splitn(3, ' ');
        let (Some(variable), Some(operator), Some(value)) =
            (words.next(), words.next(), words.next())
        else {
            return true;
        };
        let value = value.trim_matches(['"', '\'']);
        let equals = |ours: &str| match operator {
            "==" => value == ours,
            "!=" => value != ours,
            _ => true,
        };
        match variable {
            "sys_platform" => equals("linux"),
            "platform_system" => equals("Linux"),
            "os_name" => equals("posix"),
            "python_version" => match (value.strip_prefix("3.").map(str::parse::<u32>), python) {
                (Some(Ok(minor)), Some(python)) => match operator {
                    "<" => python < minor,
                    "<=" => python <= minor,
                    ">" => python > minor,
                    ">=" => python >= minor,
                    "==" => python == minor,
                    _ => true,
                },
                _ => true,
            },
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(lines: &[&str], python: u32) -> Result<BTreeSet<String>, Unclosed> {
        let requirements: Vec<Requirement> = lines
            .iter()
            .filter_map(|line| Requirement::parse(line))
            .collect();
        closure(&Catalog::default(), &requirements, &[], python)
    }

    #[test]
    fn pinned_packages_and_what_they_require() {
        let names = close(&["Flask==3.0.2", "gunicorn"], 12).expect("all are wheels");
        assert!(
            names.contains("werkzeug") && names.contains("markupsafe"),
            "{names:?}"
        );
        let names = close(&["uvicorn[standard]==0.30.0"], 12).expect("all are wheels");
        assert!(names.contains("uvloop"), "{names:?}");
    }

    #[test]
    fn old_pins_are_compiled_on_new_versions() {
        let old = close(&["numpy==1.19.5"], 12).expect_err("it has no wheel");
        assert_eq!(old.name, "numpy");
        assert!(
            old.reason.contains("no wheel for Python 3.12"),
            "{}",
            old.reason
        );
        let old = close(&["flask", "markupsafe==1.1.1"], 12).expect_err("it has no wheel");
        assert_eq!(old.name, "markupsafe");
    }

    #[test]
    fn an_indirect_package_is_named_with_what_brings_it() {
        let unclosed = close(&["celery[sqs]"], 12).expect_err("pycurl is compiled");
        assert_eq!(
            (unclosed.direct.as_str(), unclosed.name.as_str()),
            ("celery", "pycurl")
        );
        let unknown = close(&["no-such-package-anywhere"], 12).expect_err("it is not known");
        assert!(unknown.reason.contains("not known"), "{}", unknown.reason);
    }

    #[test]
    fn markers_of_other_systems_and_versions() {
        assert!(!may_hold("sys_platform == \"win32\"", Some(12)));
        assert!(!may_hold("python_version < '3.8'", Some(12)));
        assert!(may_hold(
            "python_version >= '3.8' and sys_platform != 'win32'",
            Some(12)
        ));
        assert!(may_hold("python_version < '3.8' or extra == 'x'", Some(12)));
        assert!(close(&["pywin32==306; sys_platform == 'win32'"], 12).is_ok());
    }
}
