//! Which repositories: named, read from a list, listed by the forge; those of one shard.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::args::PrArgs;
use crate::forge::{
    self, Address, Client, Forge, Kind, Network, Repository, Slug, SystemClock, Token,
};
use crate::text::fnv1a;

/// A repository to be looked at.
#[derive(Debug)]
pub(super) enum Target {
    /// At the forge; described already where it was listed.
    Hosted {
        slug: Slug,
        known: Option<Repository>,
    },
    /// In a folder, without a forge.
    Folder(PathBuf),
}

impl Target {
    /// As summaries name it.
    pub(super) fn name(&self) -> String {
        match self {
            Target::Hosted { slug, .. } => slug.to_string(),
            Target::Folder(path) => path.display().to_string(),
        }
    }
}

/// The one forge of a run: a token is for one host and is sent to no other.
pub(super) struct Place {
    pub(super) web: String,
    pub(super) kind: Kind,
    pub(super) token: Option<Token>,
    pub(super) forge: Box<dyn Forge>,
}

impl Place {
    /// Whom git says it is: any name goes with a token, but for GitLab's.
    pub(super) fn user(&self) -> &'static str {
        match self.kind {
            Kind::GitLab => "oauth2",
            Kind::GitHub | Kind::Gitea => "x-access-token",
        }
    }
}

/// The repositories of the run, each once, and their forge if one is needed.
pub(super) fn find(args: &PrArgs) -> Result<(Vec<Target>, Option<Place>)> {
    let mut addresses = Vec::new();
    for text in names(args)? {
        addresses.push(described(Address::parse(&text, args.allow_http)?, args));
    }
    let place = place(args, &addresses)?;
    let mut targets: Vec<Target> = addresses
        .into_iter()
        .map(|address| match address {
            Address::Hosted { slug, .. } => Target::Hosted { slug, known: None },
            Address::Folder(path) => Target::Folder(path),
        })
        .collect();
    if let Some(place) = &place {
        for name in &args.org {
            let listed = place.forge.organisation(name);
            let listed = listed.with_context(|| format!("cannot list {name}"))?;
            targets.extend(listed.into_iter().map(|known| Target::Hosted {
                slug: known.slug.clone(),
                known: Some(known),
            }));
        }
    }
    let mut seen = BTreeSet::new();
    targets.retain(|target| seen.insert(target.name().to_ascii_lowercase()));
    if let Some((index, count)) = args.shard {
        // By name, not by position: a repository stays in its shard when others come and go.
        targets
            .retain(|target| fnv1a(target.name().to_ascii_lowercase().as_bytes()) % count == index);
    }
    Ok((targets, place))
}

fn names(args: &PrArgs) -> Result<Vec<String>> {
    let mut names = args.repos.clone();
    if let Some(list) = &args.repos_from {
        let wrong = || format!("cannot read the list of repositories {}", list.display());
        let reader: Box<dyn BufRead> = if list == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(std::io::BufReader::new(
                std::fs::File::open(list).with_context(wrong)?,
            ))
        };
        for line in reader.lines() {
            let line = line.with_context(wrong)?;
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                names.push(line.to_owned());
            }
        }
    }
    if names.is_empty() && args.org.is_empty() && args.repos_from.is_none() {
        bail!("which repositories? Name them with --repo, --repos-from or --org");
    }
    Ok(names)
}

/// A folder that was cloned from a forge stands for its repository there.
fn described(address: Address, args: &PrArgs) -> Address {
    let Address::Folder(path) = &address else {
        return address;
    };
    match forge::origin(path).and_then(|url| Address::parse(&url, args.allow_http).ok()) {
        Some(hosted @ Address::Hosted { .. }) => hosted,
        _ => address,
    }
}

fn place(args: &PrArgs, addresses: &[Address]) -> Result<Option<Place>> {
    let mut webs: Vec<&str> = addresses
        .iter()
        .filter_map(|address| match address {
            Address::Hosted { web, .. } => Some(web.as_str()),
            Address::Folder(_) => None,
        })
        .collect();
    webs.sort_unstable();
    webs.dedup();
    if let [one, other, ..] = webs.as_slice() {
        bail!(
            "{one} and {other} are two forges, and a token is for one; run docker-diet once for each"
        );
    }
    let given = args.forge.map(Kind::from);
    let (kind, api) = match (webs.first(), &args.api) {
        (None, None) if args.org.is_empty() => return Ok(None),
        (None, None) => match given {
            None | Some(Kind::GitHub) => (Kind::GitHub, "https://api.github.com".to_owned()),
            Some(kind) => bail!(
                "where is that {}? Give the address of its API by --api",
                kind.name()
            ),
        },
        (web, Some(api)) => {
            let kind = given.or_else(|| Kind::of_host(host(api)));
            let kind = kind.or_else(|| api.contains("api.github.com").then_some(Kind::GitHub));
            let kind = kind.context("which forge is that? Say it by --forge")?;
            let api = api.trim_end_matches('/').to_owned();
            if let Some(web) = web
                && kind.web(&api) != *web
            {
                bail!("the API {api} is not that of {web}, and a token is for one forge");
            }
            if !args.allow_http && api.starts_with("http://") {
                // The rule for repositories holds for the API: its host is checked as theirs is.
                Address::parse(&format!("{}/a/b", kind.web(&api)), false)?;
            }
            (kind, api)
        }
        (Some(web), None) => {
            let kind = given.or_else(|| Kind::of_host(host(web)));
            let kind = kind.with_context(|| format!("which forge is {web}? Say it by --forge"))?;
            (kind, kind.api(web))
        }
    };
    let token = token(args, kind)?;
    let client = Client::new(Arc::new(Network::default()), Arc::new(SystemClock), &api)
        .read_only(args.dry_run);
    let client = match kind {
        Kind::Gitea => client.with_token("token", token.as_ref()),
        Kind::GitHub | Kind::GitLab => client.with_token("Bearer", token.as_ref()),
    };
    Ok(Some(Place {
        web: kind.web(&api),
        kind,
        token,
        forge: forge::forge(kind, client),
    }))
}

/// Host and port of an address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn token(args: &PrArgs, kind: Kind) -> Result<Option<Token>> {
    if let Some(path) = &args.token_file {
        return Ok(Some(Token::read(path)?));
    }
    let usual: &[&str] = match kind {
        Kind::GitHub => &["DOCKER_DIET_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"],
        Kind::GitLab => &["DOCKER_DIET_TOKEN", "GITLAB_TOKEN"],
        Kind::Gitea => &["DOCKER_DIET_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN"],
    };
    let given = args.token_env.as_deref();
    for name in given
        .as_slice()
        .iter()
        .chain(usual.iter().filter(|_| given.is_none()))
    {
        match std::env::var(name) {
            Ok(text) => return Ok(Some(Token::new(&text, &format!("the variable {name}"))?)),
            Err(_) if given.is_some() => bail!("the variable {name} holds no token"),
            Err(_) => {}
        }
    }
    if !args.dry_run {
        bail!(
            "no token for {}: set {}, or name a file by --token-file",
            kind.name(),
            usual[0]
        );
    }
    Ok(None)
}
