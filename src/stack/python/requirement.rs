//! A requirement as pip writes it (PEP 508): name, extras, versions, address, marker.

/// A requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// The name, normalised (PEP 503): lower case, runs of `-_.` as one `-`. Empty when only an address or a path
    /// names it.
    pub name: String,
    /// Extras, normalised.
    pub extras: Vec<String>,
    /// What follows the name: `>=1,<2`, without spaces.
    pub versions: String,
    /// What stands after `@`, or the whole when it is an address or a path.
    pub address: Option<String>,
    /// The condition after `;`.
    pub marker: Option<String>,
}

impl Requirement {
    /// Reads `text`; none when it is no requirement.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if is_address(text) {
            let (address, marker) = split_marker(text, " ;");
            let name = address
                .split_once("#egg=")
                .map(|(_, egg)| normalise(egg.split(['&', '[']).next().unwrap_or(egg)))
                .unwrap_or_default();
            return Some(Self {
                name,
                address: Some(address.to_owned()),
                marker,
                ..Self::default()
            });
        }
        let (text, marker) = split_marker(text, ";");
        let end = text
            .find(|char: char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '_' | '.'))
            .unwrap_or(text.len());
        if end == 0 {
            return None;
        }
        let mut requirement = Self {
            name: normalise(&text[..end]),
            marker,
            ..Self::default()
        };
        let mut rest = text[end..].trim_start();
        if let Some(inner) = rest.strip_prefix('[') {
            let (extras, after) = inner.split_once(']')?;
            requirement.extras = extras
                .split(',')
                .map(|extra| normalise(extra.trim()))
                .filter(|extra| !extra.is_empty())
                .collect();
            rest = after.trim_start();
        }
        if let Some(address) = rest.strip_prefix('@') {
            requirement.address = Some(address.trim().to_owned());
        } else {
            let rest = rest.trim_start_matches('(').trim_end_matches(')');
            if !rest.is_empty() && !rest.starts_with(['=', '<', '>', '!', '~', '^']) {
                return None;
            }
            requirement.versions = rest.chars().filter(|char| !char.is_whitespace()).collect();
        }
        Some(requirement)
    }

    /// The one version that it allows: `==1.2.3`.
    #[must_use]
    pub fn pinned(&self) -> Option<&str> {
        let version = self.versions.strip_prefix("==")?;
        let version = version.trim_start_matches('=');
        (!version.contains([',', '*']) && !version.is_empty()).then_some(version)
    }

    /// Whether the install needs `git`.
    #[must_use]
    pub fn is_git(&self) -> bool {
        self.address
            .as_deref()
            .is_some_and(|address| address.starts_with("git+"))
    }

    /// The path of a file or folder that it names, as written.
    #[must_use]
    pub fn local_path(&self) -> Option<&str> {
        let address = self.address.as_deref()?;
        if let Some(path) = address.strip_prefix("file:") {
            return Some(path.trim_start_matches("//"));
        }
        let plain = address.split(['[', '#']).next().unwrap_or(address);
        (!address.contains("://") && !address.starts_with("git+")).then_some(plain.trim())
    }
}

/// `name` as PEP 503 has it.
#[must_use]
pub fn normalise(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for char in name.trim().chars() {
        if matches!(char, '-' | '_' | '.') {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else {
            out.push(char.to_ascii_lowercase());
        }
    }
    out
}

fn is_address(text: &str) -> bool {
    let head = text.split([' ', ';', '@']).next().unwrap_or(text);
    text.starts_with(['.', '/', '~'])
        || head.contains("://")
        || head.starts_with("git+")
        || head.starts_with("file:")
        || [".whl", ".tar.gz", ".zip"]
            .iter()
            .any(|ending| head.ends_with(ending))
        || head.contains('/')
}

fn split_marker<'a>(text: &'a str, separator: &str) -> (&'a str, Option<String>) {
    match text.split_once(separator) {
        Some((text, marker)) => (text.trim_end(), Some(marker.trim().to_owned())),
        None => (text.trim_end(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_a_requirement() {
        let read = |text| Requirement::parse(text).expect("it is a requirement");
        let full = read("Foo_Bar.baz [A,b_c] >= 1.0, <2 ; python_version < '3.9'");
        assert_eq!(
            (full.name.as_str(), full.versions.as_str()),
            ("foo-bar-baz", ">=1.0,<2")
        );
        assert_eq!(full.extras, ["a", "b-c"]);
        assert_eq!(full.marker.as_deref(), Some("python_version < '3.9'"));
        assert_eq!(read("a==1.0").pinned(), Some("1.0"));
        assert_eq!(read("a==1.*").pinned(), None);
        assert_eq!(
            read("a @ git+https://x/y").address.as_deref(),
            Some("git+https://x/y")
        );
        assert!(read("git+https://x/y.git@v1#egg=My_Pkg").is_git());
        assert_eq!(read("git+https://x/y.git@v1#egg=My_Pkg").name, "my-pkg");
        assert_eq!(read("./lib[extra]").local_path(), Some("./lib"));
        assert_eq!(
            read("wheels/a-1.0-py3-none-any.whl").local_path(),
            Some("wheels/a-1.0-py3-none-any.whl")
        );
        assert_eq!(read("a @ file:///app/x").local_path(), Some("/app/x"));
        assert_eq!(Requirement::parse("<html>"), None);
        assert_eq!(Requirement::parse("two words"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[aA.é\\[\\]@;=<> /#-]{0,30}") {
            let _ = Requirement::parse(&text);
        }
    }
}
