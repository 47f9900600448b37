//! Where a repository is: its forge, its name there, and the address that git is given.

use std::fmt;
use std::path::{Path, PathBuf};

/// Which forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// GitHub, github.com or Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea, Forgejo, Codeberg: one API.
    Gitea,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::GitHub => "GitHub",
            Kind::GitLab => "GitLab",
            Kind::Gitea => "Forgejo/Gitea",
        }
    }

    /// The forge that a host is known to be, or named after.
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        let name = host.split(':').next().unwrap_or(host);
        let first = name.split('.').next().unwrap_or(name);
        match (name, first) {
            ("github.com" | "www.github.com", _) | (_, "github") => Some(Kind::GitHub),
            ("gitlab.com", _) | (_, "gitlab") => Some(Kind::GitLab),
            ("codeberg.org" | "gitea.com", _) | (_, "gitea" | "forgejo") => Some(Kind::Gitea),
            _ => None,
        }
    }

    /// What a web address is followed by in the address of the API.
    fn api_path(self) -> &'static str {
        match self {
            Kind::GitHub => "/api/v3",
            Kind::GitLab => "/api/v4",
            Kind::Gitea => "/api/v1",
        }
    }

    /// The address of the API of the forge whose pages are at `web`, `https://host`.
    #[must_use]
    pub fn api(self, web: &str) -> String {
        if self == Kind::GitHub && web == "https://github.com" {
            return "https://api.github.com".to_owned();
        }
        format!("{web}{}", self.api_path())
    }

    /// The address of the pages, and of the repositories, of the forge whose API is at `api`.
    #[must_use]
    pub fn web(self, api: &str) -> String {
        let api = api.trim_end_matches('/');
        if self == Kind::GitHub && api == "https://api.github.com" {
            return "https://github.com".to_owned();
        }
        api.strip_suffix(self.api_path()).unwrap_or(api).to_owned()
    }
}

/// `owner/name`, at GitLab with groups between: made of characters that need no quoting anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The name `text`, if it is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let part = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty()
                && part.bytes().all(plain)
                && !part.starts_with(['-', '.'])
                && part.len() <= 255
                || part == ".github"
        };
        let parts = text.split('/').count();
        ((2..=20).contains(&parts) && text.split('/').all(part)).then(|| Self(text.to_owned()))
    }

    /// As it stands in paths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last name.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(owner, _)| owner)
    }

    /// The last name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the user names a repository by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// At a forge: the address of its pages, `https://host`, and the name there.
    Hosted {
        /// Scheme, host and port, and what stands before the owner.
        web: String,
        /// The name.
        slug: Slug,
    },
    /// A folder with a git repository.
    Folder(PathBuf),
}

/// Why a text names no repository. Messages repeat no more of it than is safe: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// User and password stand in it.
    #[error("the address at {0} holds a password or token; give it by --token-env or --token-file")]
    Password(String),
    /// A scheme that is not supported.
    #[error("`{0}://` is no way to a repository; use https://, ssh:// or a folder")]
    Scheme(String),
    /// Not encrypted.
    #[error(
        "http://{0} is not encrypted, and a token would be sent; use https://, or --allow-http"
    )]
    Plain(String),
    /// No owner and name.
    #[error("`{0}` names no repository: owner and name are missing or hold strange characters")]
    Slug(String),
    /// Nothing is there.
    #[error("{0} is neither an address nor a folder")]
    Missing(String),
}

impl Address {
    /// What `text` names: an address, `git@host:owner/name`, or a folder.
    ///
    /// # Errors
    /// When it names none, is not encrypted without `allow_http`, or holds a password.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, AddressError> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            return hosted(scheme, rest, allow_http);
        }
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(Address::Folder(path.to_path_buf()));
        }
        // As ssh has it: the host ends at a colon, and no slash stands before that.
        if let Some((host, slug)) = text.split_once(':')
            && !host.contains('/')
            && host.len() > 1
        {
            let host = host.rsplit('@').next().unwrap_or(host);
            return at(&format!("https://{}", checked_host(host)?), slug);
        }
        Err(AddressError::Missing(printed(text)))
    }
}

fn hosted(scheme: &str, rest: &str, allow_http: bool) -> Result<Address, AddressError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let host = checked_host(host)?;
    let web = match scheme {
        "https" | "http" if user.is_some() => return Err(AddressError::Password(host)),
        "https" => format!("https://{host}"),
        "http" if allow_http || is_this_machine(&host) => format!("http://{host}"),
        "http" => return Err(AddressError::Plain(host)),
        // Only the host and the name count: a port of ssh says nothing about the API.
        "ssh" | "git+ssh" if user.is_some_and(|user| user.contains(':')) => {
            return Err(AddressError::Password(host));
        }
        "ssh" | "git+ssh" => format!("https://{}", host.split(':').next().unwrap_or(&host)),
        "file" => {
            let folder = PathBuf::from(format!("/{path}"));
            return match folder.is_dir() {
                true => Ok(Address::Folder(folder)),
                false => Err(AddressError::Missing(printed(&format!("/{path}")))),
            };
        }
        other => return Err(AddressError::Scheme(printed(other))),
    };
    at(&web, path)
}

fn at(web: &str, path: &str) -> Result<Address, AddressError> {
    let name = path.trim_matches('/');
    let name = name.strip_suffix(".git").unwrap_or(name);
    match Slug::new(name) {
        Some(slug) => Ok(Address::Hosted {
            web: web.to_owned(),
            slug,
        }),
        None => Err(AddressError::Slug(printed(name))),
    }
}

/// A host with an optional port, and nothing that could be read as something else.
fn checked_host(host: &str) -> Result<String, AddressError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    let host = host.to_ascii_lowercase();
    if host.is_empty() || host.starts_with('-') || !host.bytes().all(plain) {
        return Err(AddressError::Missing(printed(&host)));
    }
    Ok(host)
}

fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// A text of the user as a message may repeat it.
fn printed(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { '?' } else { char })
        .take(120)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosted(text: &str) -> (String, String) {
        match Address::parse(text, false) {
            Ok(Address::Hosted { web, slug }) => (web, slug.to_string()),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn addresses_as_people_write_them() {
        let github = ("https://github.com".to_owned(), "acme/shop".to_owned());
        for text in [
            "https://github.com/acme/shop",
            "https://GitHub.com/acme/shop.git/",
            "git@github.com:acme/shop.git",
            "ssh://git@github.com:22/acme/shop",
            "github.com:acme/shop",
        ] {
            assert_eq!(hosted(text), github, "{text}");
        }
        assert_eq!(
            hosted("https://git.acme.test:8443/a/b/c.d.git").1,
            "a/b/c.d"
        );
        assert_eq!(
            hosted("http://127.0.0.1:3000/a/b").0,
            "http://127.0.0.1:3000"
        );
    }

    #[test]
    fn passwords_and_options_are_refused_and_not_repeated() {
        for text in [
            "https://user:s3cr3t@github.com/a/b",
            "https://s3cr3t@github.com/a/b",
            "ssh://git:s3cr3t@github.com/a/b",
        ] {
            let error = Address::parse(text, true).expect_err(text).to_string();
            assert!(error.contains("--token-file"), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
        for text in [
            "ext::sh -c touch% /tmp/x",
            "--upload-pack=touch /tmp/x",
            "-oProxyCommand=x:a/b",
            "https://-evil/a/b",
            "https://host/--a/b",
            "https://host/a/../b",
            "https://host/a",
            "https://host/a/b?c",
            "git://host/a/b",
            "http://host/a/b",
            "/no/such/folder",
            "",
        ] {
            assert!(Address::parse(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn pages_and_api_of_a_forge_name_each_other() {
        for (kind, web, api) in [
            (Kind::GitHub, "https://github.com", "https://api.github.com"),
            (Kind::GitHub, "https://ghe.test", "https://ghe.test/api/v3"),
            (
                Kind::GitLab,
                "https://gitlab.com",
                "https://gitlab.com/api/v4",
            ),
            (
                Kind::Gitea,
                "https://a.test/git",
                "https://a.test/git/api/v1",
            ),
        ] {
            assert_eq!(kind.api(web), api);
            assert_eq!(kind.web(api), web);
        }
        assert_eq!(Kind::of_host("gitlab.acme.test:8443"), Some(Kind::GitLab));
        assert_eq!(Kind::of_host("codeberg.org"), Some(Kind::Gitea));
        assert_eq!(Kind::of_host("git.acme.test"), None);
    }
}
