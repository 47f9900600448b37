use std::collections::BTreeSet;

use crate::catalog::{Catalog, ImageFacts, ImageRef};
use crate::model::Base;
use crate::rules::bases::replace_base;
use crate::rules::declare::declare_rule;
use crate::rules::{Ctx, Finding, Pin, Proposal, Rewrite, Rule, RuleMeta};

declare_rule! {
    /// Reports bases without a version, and pins them where the settings ask for it.
    ///
    /// ## Why
    /// `latest` is another image every few weeks: the build of tomorrow is not the one that was tested. The catalog
    /// can be older than `latest`, so nothing is pinned unless `pin: version` is set.
    ///
    /// ## Example
    /// Reported, and left as it is:
    /// ```dockerfile
    /// FROM node
    /// CMD ["node", "app.js"]
    /// ```
    /// stays
    /// ```dockerfile
    /// FROM node
    /// CMD ["node", "app.js"]
    /// ```
    /// With `pin: version` the first line becomes `FROM node:26`, the catalog's current version.
    ///
    /// ## When not
    /// A digest stands there; the reference is a variable's value; the catalog does not know the image.
    pub(crate) PinBase { name: "pin-base", level: Standard, hadolint: ["DL3006", "DL3007"] }
}

impl Rule for PinBase {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let mut told = BTreeSet::new();
        for stage in &ctx.model.stages {
            let Base::Image { reference, facts } = &stage.base else {
                continue;
            };
            let image = ImageRef::parse(reference);
            if image.digest.is_some() || image.tag_or_latest() != "latest" {
                continue;
            }
            let pinned = facts
                .as_ref()
                .filter(|_| ctx.settings.pin == Pin::Version)
                .and_then(|facts| Some((current(ctx.catalog, facts)?, facts.build.as_ref()?)));
            if let Some((tag, build)) = pinned {
                let new = image.with_tag(tag);
                match replace_base(ctx, stage, &new) {
                    Ok(edits) => proposals.push(Proposal::Rewrite(Rewrite {
                        anchor: stage.from,
                        edits,
                        reason: format!("{new} is what latest was on {}", build.as_of),
                        ..Rewrite::default()
                    })),
                    Err(why) => {
                        proposals.push(why.refusal(stage.from, &format!("the tag of {reference}")))
                    }
                }
                continue;
            }
            if told.insert(reference.as_str()) {
                proposals.push(Proposal::Finding(Finding {
                    anchor: stage.from,
                    message: format!(
                        "{reference} has no version: every build may get another image"
                    ),
                    remedy: match facts.as_ref().and_then(|facts| current(ctx.catalog, facts)) {
                        Some(tag) => format!("write a version, such as {}", image.with_tag(tag)),
                        None => "write a version".to_owned(),
                    },
                }));
            }
        }
        proposals
    }
}

/// The tag of the image's release cycle: `26` of Node, `3.14` of Python; without cycles the one with two numbers.
fn current(catalog: &Catalog, facts: &ImageFacts) -> Option<&'static str> {
    let numbers = facts
        .build
        .as_ref()?
        .tags
        .get()
        .iter()
        .map(|tag| tag.get())
        .filter(|tag| {
            tag.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
    let product = facts.family.product.get();
    numbers
        .clone()
        .find(|tag| !product.is_empty() && catalog.cycle(product, tag).is_some())
        .or_else(|| numbers.clone().find(|tag| tag.matches('.').count() == 1))
        .or_else(|| numbers.min_by_key(|tag| tag.len()))
}
