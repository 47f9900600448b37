//! The user that the container runs as.

use crate::catalog::{ImageFacts, Shell};
use crate::model::{Base, Stage};
use crate::rules::Ctx;
use crate::rules::bases::Why;

use super::start::unknown_image;

/// The id of a user that this rule creates: above those that distributions and images give away.
const ID: u32 = 10001;

/// The id of distroless' own user, which images without accounts take too.
const NONROOT: u32 = 65532;

/// A user, and the instruction that creates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// The argument of USER.
    pub(super) user: String,
    /// `user:group` for `--chown`, right before the user is created too.
    pub(super) owner: String,
    /// The shell text of a RUN that creates it, where the image does not have it.
    pub(super) creation: Option<String>,
    /// `node, a user of the image`
    pub(super) told: String,
    /// Whether it has a home folder of its own.
    pub(super) home: bool,
}

impl Account {
    /// The user for the image that `stage` makes: the image's own where it has one, else a new one.
    ///
    /// # Errors
    /// When the image is unknown, or nothing in it creates users.
    pub(super) fn choose(ctx: &Ctx<'_>, stage: &Stage) -> Result<Self, Why> {
        if matches!(
            ctx.model.chain(stage.index).last().map(|it| &it.base),
            Some(Base::Scratch)
        ) {
            return Ok(Self::numeric());
        }
        let facts = ctx
            .model
            .base_facts(stage.index)
            .ok_or_else(unknown_image)?;
        if let Some((name, uid, gid)) = own(facts) {
            let is_bare = facts.shell() == Some(Shell::None);
            return Ok(Self {
                // Kubernetes' `runAsNonRoot` reads no names, and nobody logs in to an image without a shell.
                user: if is_bare || ctx.settings.usage.numeric_user {
                    uid.to_string()
                } else {
                    name.to_owned()
                },
                // The group of a family's own account goes by the account's name.
                owner: if is_bare {
                    format!("{uid}:{gid}")
                } else {
                    format!("{name}:{name}")
                },
                creation: None,
                told: format!("{name}, a user of the image"),
                home: true,
            });
        }
        Self::created(ctx, facts)
    }

    fn numeric() -> Self {
        Self {
            user: format!("{NONROOT}:{NONROOT}"),
            owner: format!("{NONROOT}:{NONROOT}"),
            creation: None,
            told: format!("{NONROOT}, a number that needs no account"),
            home: false,
        }
    }

    fn created(ctx: &Ctx<'_>, facts: &ImageFacts) -> Result<Self, Why> {
        let settings = ctx.settings;
        let name = settings.user_name.as_deref().unwrap_or("app");
        let id = settings.user_id.unwrap_or(ID);
        let taken = facts
            .users()
            .any(|(known, uid, ..)| known == name || uid == id);
        if taken {
            return Err(Why::new(
                format!("the image has a user {name} or {id} already"),
                "choose another name or id in the configuration (`user:`)",
            ));
        }
        let creation = match facts.shell() {
            Some(Shell::Busybox) => format!("adduser -D -u {id} {name}"),
            Some(Shell::Dash | Shell::Bash)
                if ctx.catalog.has_program(facts, "useradd") == Some(true) =>
            {
                format!("useradd --create-home --uid {id} {name}")
            }
            _ => {
                return Err(Why::new(
                    format!("nothing in {} is known to create users", facts.family.name),
                    "create one in this file, and write USER",
                ));
            }
        };
        Ok(Self {
            user: if settings.usage.numeric_user {
                id.to_string()
            } else {
                name.to_owned()
            },
            owner: format!("{id}:{id}"),
            creation: Some(creation),
            told: format!("{name}, a new user with the fixed id {id}"),
            home: true,
        })
    }
}

/// The account that the image has for programs: its family's own, or distroless' `nonroot`.
fn own(facts: &ImageFacts) -> Option<(&'static str, u32, u32)> {
    let families: Vec<&str> = facts
        .family
        .users
        .get()
        .iter()
        .filter_map(|account| account.get().split(':').next())
        .collect();
    facts
        .users()
        .find(|(name, uid, ..)| *uid != 0 && (families.contains(name) || *name == "nonroot"))
        .map(|(name, uid, gid, _)| (name, uid, gid))
}
