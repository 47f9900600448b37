//! Stable names of rewrites.

use std::fmt;
use std::str::FromStr;

use crate::syntax::{Dockerfile, Instruction};
use crate::text::Fnv1a;

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

/// A hash of what the instruction says: letter case of its keyword, white space and continuations do not count.
pub(super) fn instruction_hash(dockerfile: &Dockerfile, instruction: &Instruction) -> u64 {
    let mut hash = Fnv1a::default();
    hash.write(instruction.keyword.name().as_bytes());
    for flag in &instruction.flags {
        hash.write(b" ");
        hash.write(dockerfile.bytes(flag.span));
    }
    for word in instruction
        .body
        .text()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
    {
        hash.write(b" ");
        hash.write(word);
    }
    for heredoc in &instruction.heredocs {
        hash.write(b"\n");
        hash.write(dockerfile.bytes(heredoc.body));
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_printing() {
        let id = RewriteId {
            rule: "merge-runs".to_owned(),
            hash: 0xab,
            ordinal: 2,
        };
        assert_eq!(id.to_string(), "merge-runs:00000000000000ab:2");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("merge-runs".parse::<RewriteId>().is_err());
    }

    #[test]
    fn white_space_and_continuations_do_not_rename() {
        let one = Dockerfile::parse(b"FROM a\nRUN apt-get update && x\n".to_vec());
        let other = Dockerfile::parse(b"# c\nFROM a\nrun   apt-get update \\\n  && x\n".to_vec());
        assert_eq!(
            instruction_hash(&one, &one.instructions()[1]),
            instruction_hash(&other, &other.instructions()[1])
        );
        assert_ne!(
            instruction_hash(&one, &one.instructions()[0]),
            instruction_hash(&one, &one.instructions()[1])
        );
    }
}
