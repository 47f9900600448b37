//! Which releases of Python packages come as wheels, and what they require.

use super::{Catalog, PythonPackage};

/// The numbers of a version: `2.9.10` is `[2, 9, 10]`; trailing zeros and what stands for a beta are left out.
type Version = Vec<u32>;

/// The versions that a requirement allows, as far as wheels ask: one, or those below a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Versions {
    exact: Option<Version>,
    /// The first that is not allowed.
    below: Option<Version>,
}

impl Versions {
    /// Reads specifiers: `>=1,<2`, `==1.2.3`, `~=1.4`, `==1.*`, `^1.2`; none where they are not understood.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut versions = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let end = part
                .find(|letter: char| !"<>=!~^".contains(letter))
                .unwrap_or(part.len());
            let (operator, value) = part.split_at(end);
            let value = value.trim();
            let numbers = numbers(value)?;
            match operator {
                ">" | ">=" | "!=" => {}
                "<" => versions.bound(numbers),
                "<=" => versions.bound(after(numbers)),
                "==" | "===" => match value.strip_suffix(".*") {
                    Some(start) => versions.bound(next(plain(start)?)?),
                    None => versions.exact = Some(numbers),
                },
                "~=" => {
                    let mut start = plain(value)?;
                    start.pop();
                    versions.bound(next(start)?);
                }
                // Up to the next number that is not zero.
                "^" => {
                    let mut start = plain(value)?;
                    let first = start.iter().position(|number| *number > 0)?;
                    start.truncate(first + 1);
                    versions.bound(next(start)?);
                }
                _ => return None,
            }
        }
        Some(versions)
    }

    /// The versions that both allow.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.exact = self.exact.or_else(|| other.exact.clone());
        if let Some(below) = &other.below {
            self.bound(below.clone());
        }
        self
    }

    /// Whether exactly one version is allowed.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    fn bound(&mut self, below: Version) {
        self.below = Some(match self.below.take() {
            Some(known) => known.min(below),
            None => below,
        });
    }

    /// Whether what an installer picks of these is a version from `since` on.
    fn reach(&self, since: &Version) -> bool {
        match (&self.exact, &self.below) {
            (Some(exact), _) => exact >= since,
            (None, Some(below)) => below > since,
            (None, None) => true,
        }
    }

    /// Whether what is said of releases up to `last` may hold for the one that is picked.
    fn may_be_up_to(&self, last: &Version) -> bool {
        match (&self.exact, &self.below) {
            (Some(exact), _) => exact <= last,
            (None, Some(_)) => true,
            (None, None) => false,
        }
    }
}

/// The numbers at the start of a version, without trailing zeros.
fn numbers(text: &str) -> Option<Version> {
    let mut numbers = Vec::new();
    for part in text.split('.') {
        let digits = part
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(part.len());
        if let Ok(number) = part[..digits].parse() {
            numbers.push(number);
        } else if numbers.is_empty() {
            return None;
        }
        if digits < part.len() {
            break;
        }
    }
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

/// The numbers with trailing zeros: `~=1.0` is not `~=1`.
fn plain(text: &str) -> Option<Version> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

fn next(mut numbers: Version) -> Option<Version> {
    let last = numbers.last_mut()?;
    *last = last.checked_add(1)?;
    Some(numbers)
}

fn after(mut numbers: Version) -> Version {
    numbers.push(1);
    numbers
}

impl PythonPackage {
    /// Whether an installer finds a wheel for Python 3 of this minor version among the versions that are allowed.
    #[must_use]
    pub fn has_wheel(&self, python: u32, versions: &Versions) -> bool {
        let since = if self.since.is_empty() {
            self.wheels.get().iter().find_map(|row| {
                let (pythons, since) = row.split_once(' ')?;
                let (from, to) = pythons.split_once("..")?;
                let minor = |text: &str| text.strip_prefix("3.")?.parse::<u32>().ok();
                let within = minor(from)? <= python && (to.is_empty() || python <= minor(to)?);
                within.then_some(since)
            })
        } else {
            Some(self.since.get())
        };
        let Some(since) = since.and_then(numbers) else {
            return false;
        };
        versions.reach(&since)
            && !self
                .without
                .get()
                .iter()
                .any(|without| versions.exact.is_some() && versions.exact == numbers(without))
    }

    /// What the allowed versions of it may require with Python 3 of this minor version: the names, an extra of each,
    /// and the versions.
    pub fn requires(
        &self,
        python: u32,
        versions: &Versions,
    ) -> impl Iterator<Item = (&'static str, Option<&'static str>, Versions)> {
        self.requires.get().iter().filter_map(move |row| {
            let (row, until) = row.get().split_once('@').unwrap_or((row.get(), ""));
            let (row, below_python) = row.split_once('%').unwrap_or((row, ""));
            let minor = below_python.strip_prefix("3.").map(str::parse::<u32>);
            let is_newer = matches!(minor, Some(Ok(minor)) if python >= minor);
            let applies = !is_newer
                && match numbers(until) {
                    Some(last) => versions.may_be_up_to(&last),
                    None => true,
                };
            let (row, below) = row.split_once('<').unwrap_or((row, ""));
            let bound = Versions {
                exact: None,
                below: numbers(below),
            };
            let (name, extra) = extra(row);
            applies.then_some((name, extra, bound))
        })
    }

    /// What an extra of the allowed versions adds: names, and an extra of each; none where it is not known.
    pub fn extra(
        &self,
        wanted: &str,
        versions: &Versions,
    ) -> Option<impl Iterator<Item = (&'static str, Option<&'static str>)>> {
        let row = self
            .extras
            .get()
            .iter()
            .find_map(|row| row.get().strip_prefix(wanted)?.strip_prefix(": "))?;
        let applies =
            |row: &&'static str| match row.split_once('@').map(|(_, until)| numbers(until)) {
                Some(Some(last)) => versions.may_be_up_to(&last),
                _ => true,
            };
        Some(
            row.split(' ')
                .filter(applies)
                .map(|row| extra(row.split('@').next().unwrap_or(row))),
        )
    }
}

fn extra(row: &'static str) -> (&'static str, Option<&'static str>) {
    match row.strip_suffix(']').and_then(|row| row.split_once('[')) {
        Some((name, extra)) => (name, Some(extra)),
        None => (row, None),
    }
}

impl Catalog {
    /// What is known of a package of Python's index, by its normalised name.
    pub fn python_package(&self, name: &str) -> Option<&PythonPackage> {
        self.inner.python_packages.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(name: &str, python: u32, versions: &str) -> bool {
        let versions = Versions::parse(versions).expect("the versions are understood");
        Catalog::default()
            .python_package(name)
            .expect("it is in the catalog")
            .has_wheel(python, &versions)
    }

    #[test]
    fn wheels_go_with_versions_of_python() {
        assert!(has("flask", 12, "==3.0.2"));
        assert!(has("flask", 12, ""));
        assert!(has("numpy", 12, "==1.26.4"));
        assert!(!has("numpy", 12, "==1.19.5"));
        assert!(!has("numpy", 12, "<1.26"));
        assert!(has("numpy", 12, "<2"));
        assert!(has("numpy", 12, "~=1.26.1"));
        assert!(!has("numpy", 12, "~=1.24.0"));
        assert!(!has("numpy", 15, ""));
        assert!(has("cryptography", 15, ""));
        assert!(!has("sqlalchemy", 12, "==2.0.33"), "it has no wheel at all");
    }

    #[test]
    fn a_requirement_may_be_of_older_releases_only() {
        let catalog = Catalog::default();
        let uvicorn = catalog.python_package("uvicorn").expect("it is known");
        let names = |text: &str| -> Vec<&str> {
            let versions = Versions::parse(text).expect("the versions are understood");
            uvicorn.requires(12, &versions).map(|row| row.0).collect()
        };
        assert!(names("").contains(&"click"));
        assert!(!names("").contains(&"httptools"));
        assert!(names("==0.11.8").contains(&"httptools"));
        let standard: Vec<_> = uvicorn
            .extra("standard", &Versions::default())
            .expect("it is known")
            .collect();
        assert!(standard.contains(&("uvloop", None)));
        assert!(uvicorn.extra("nothing", &Versions::default()).is_none());
    }

    #[test]
    fn specifiers_that_are_not_understood_are_none() {
        assert_eq!(Versions::parse("=>1"), None);
        assert_eq!(Versions::parse("==x"), None);
        assert_eq!(Versions::parse("~="), None);
        assert_eq!(Versions::parse("^0"), None);
        assert_eq!(Versions::parse("~=4294967295.0"), None);
    }
}
