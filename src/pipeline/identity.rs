//! Stable names of rewrites.

use std::fmt;
use std::str::FromStr;

/// The name of a rewrite: its rule, a hash of the normalised text of the instruction it anchors to, and an
/// ordinal among equals. Edits elsewhere in the file do not rename it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RewriteId {
    /// Name of the rule.
    pub rule: String,
    /// FNV-1a over the normalised instruction.
    pub hash: u64,
    /// Counted from 0 among rewrites of one rule whose anchors read the same.
    pub ordinal: u32,
}

impl fmt::Display for RewriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}:{}", self.rule, self.hash, self.ordinal)
    }
}

/// The text is not `rule:hash:ordinal`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a rewrite: expected `rule:0123456789abcdef:0`")]
pub struct InvalidRewriteId(String);

impl FromStr for RewriteId {
    type Err = InvalidRewriteId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidRewriteId(text.to_owned());
        let mut parts = text.splitn(3, ':');
        let (Some(rule), Some(hash), Some(ordinal)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        Ok(Self {
            rule: rule.to_owned(),
            hash: u64::from_str_radix(hash, 16).map_err(|_| invalid())?,
            ordinal: ordinal.parse().map_err(|_| invalid())?,
        })
    }
}
