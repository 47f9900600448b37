use crate::catalog::{Catalog, WordSet};
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, Finding, Proposal, Rule, RuleMeta};
use crate::syntax::{Instruction, Keyword};

declare_rule! {
    /// Reports secrets that end up in the image, with the mount that keeps them out.
    ///
    /// ## Why
    /// The value of an ENV stands in the image's configuration, that of an ARG in its history, and a copied key in a layer,
    /// even when a later RUN deletes it: whoever has the image can read it.
    ///
    /// ## Example
    /// Reported, and left as it is, because a mount changes how the build is called:
    /// ```dockerfile
    /// FROM node:22-slim
    /// ARG NPM_TOKEN
    /// RUN npm config set //registry.npmjs.org/:_authToken=$NPM_TOKEN && npm ci
    /// CMD ["node", "app.js"]
    /// ```
    /// stays
    /// ```dockerfile
    /// FROM node:22-slim
    /// ARG NPM_TOKEN
    /// RUN npm config set //registry.npmjs.org/:_authToken=$NPM_TOKEN && npm ci
    /// CMD ["node", "app.js"]
    /// ```
    /// and the report names `RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN` and
    /// `docker build --secret id=npm_token,env=NPM_TOKEN`.
    ///
    /// ## When not
    /// The name says that the value is public or where a secret lies; nothing is set, or another variable's value.
    pub(crate) MountSecrets { name: "mount-secrets", level: Standard, hadolint: [] }
}

impl Rule for MountSecrets {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let instructions = ctx.dockerfile.instructions().iter().enumerate();
        instructions
            .flat_map(|(anchor, instruction)| match instruction.keyword {
                Keyword::Env | Keyword::Arg => of_variables(ctx, anchor, instruction),
                Keyword::Copy | Keyword::Add => of_files(ctx, anchor, instruction),
                _ => Vec::new(),
            })
            .map(Proposal::Finding)
            .collect()
    }
}

fn of_variables(ctx: &Ctx<'_>, anchor: usize, instruction: &Instruction) -> Vec<Finding> {
    let is_env = instruction.keyword == Keyword::Env;
    let secret = |name: &str, value: Option<&[u8]>| {
        let is_written = value.is_some_and(|value| {
            !value.is_empty() && !value.contains(&b'$') && !value.starts_with(b"/")
        });
        is_secret_name(ctx.catalog, name) && (!is_env || is_written)
    };
    instruction
        .pairs()
        .iter()
        .filter_map(|pair| {
            let name = String::from_utf8_lossy(&pair.name.text).into_owned();
            let value = pair.value.as_ref().map(|value| unquoted(&value.text));
            secret(&name, value).then_some(name)
        })
        .map(|name| {
            let id = name.to_lowercase();
            match is_env {
                true => Finding {
                    anchor,
                    message: format!("the value of `{name}` stands in the image's configuration, for everyone who has the image"),
                    remedy: format!("give it when the container starts: `docker run --env {name}`"),
                },
                false => Finding {
                    anchor,
                    message: format!("the value of `{name}` stands in the image's history, for everyone who has the image"),
                    remedy: format!(
                        "write `RUN --mount=type=secret,id={id},env={name}` where it is used, and build with `docker build --secret id={id},env={name}`"
                    ),
                },
            }
        })
        .collect()
}

fn is_secret_name(catalog: &Catalog, name: &str) -> bool {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split('_').collect();
    let any = |set| words.iter().any(|word| catalog.has_word(set, word));
    any(WordSet::SecretWords) && !any(WordSet::SecretNegations)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

fn of_files(ctx: &Ctx<'_>, anchor: usize, instruction: &Instruction) -> Vec<Finding> {
    let Some(copy) = instruction.as_copy().filter(|copy| copy.from.is_none()) else {
        return Vec::new();
    };
    let state = ctx.model.state(anchor);
    let sources = copy
        .sources
        .iter()
        .filter(|source| source.heredoc.is_none());
    sources
        .map(|source| state.expand(source.text, ctx.dockerfile.escape()))
        .filter(|path| {
            let name = crate::model::path::file_name(path);
            // An `.npmrc` is a secret only with a token in it.
            let has_token = || {
                let text = ctx.context.and_then(|context| context.read_str(path));
                text.is_some_and(|text| {
                    text.lines().any(|line| {
                        line.contains("_auth") && !line.contains("${") || line.contains("_password")
                    })
                })
            };
            ctx.catalog.has_word(WordSet::KeyFiles, name) || name == ".npmrc" && has_token()
        })
        .map(|path| {
            let name = crate::model::path::file_name(&path).to_owned();
            let id = name.trim_start_matches('.').replace(['.', '-'], "_");
            let to = state.expand(copy.destination.text, ctx.dockerfile.escape());
            let target = match to.ends_with('/') || to == "." {
                true => format!("{}/{name}", to.trim_end_matches('/')),
                false => to,
            };
            let remedy = match name.starts_with("id_") {
                true => "write `RUN --mount=type=ssh` where it is used, and build with `docker build --ssh default`".to_owned(),
                false => format!(
                    "write `RUN --mount=type=secret,id={id},target={target}` where it is used, and build with `docker build --secret id={id},src={path}`"
                ),
            };
            Finding {
                anchor,
                message: format!("`{path}` goes into a layer, and stays there whatever a later RUN deletes"),
                remedy,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in ["NPM_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "token"] {
            assert!(is_secret_name(&Catalog::default(), name), "{name}");
        }
        for name in [
            "GPG_KEY_ID",
            "PUBLIC_KEY",
            "TOKEN_URL",
            "KEYBOARD",
            "PASSWORD_FILE",
        ] {
            assert!(!is_secret_name(&Catalog::default(), name), "{name}");
        }
    }
}
