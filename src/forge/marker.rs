//! What the bot remembers: in the trailer of its commit, and in a comment at the end of a pull request's text.
//!
//! There is no other memory. Whatever happened to a run, the next one reads both and goes on.

use serde::{Deserialize, Serialize};

/// The trailer of a commit.
const TRAILER: &str = "Docker-Diet: ";
/// What the comment begins with.
const OPEN: &str = "<!-- docker-diet: ";
/// What it ends with.
const CLOSE: &str = " -->";

/// What a commit of the bot was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Which rewrites: the same ones have the same number, whatever else changed in their files.
    pub plan: u64,
    /// Which bytes, before and after.
    pub result: u64,
    /// The tree of the commit.
    pub tree: String,
}

impl Made {
    /// The last line of the commit's message.
    #[must_use]
    pub fn trailer(&self) -> String {
        format!(
            "{TRAILER}plan={:016x} result={:016x} tree={}",
            self.plan, self.result, self.tree
        )
    }
}

/// Reads a commit as git stores it: what it was made of, if it is a commit of the bot that nobody changed. It has one
/// parent, the very tree that its trailer names, and was committed by whom and when it was written: who amends or
/// rebases it becomes its committer.
#[must_use]
pub(super) fn made(commit: &[u8]) -> Option<Made> {
    let text = String::from_utf8_lossy(commit);
    let (header, message) = text.split_once("\n\n")?;
    let lines = |name: &str| {
        let values = header
            .lines()
            .filter_map(move |line| line.strip_prefix(name));
        values.map(str::to_owned).collect::<Vec<_>>()
    };
    let (trees, parents) = (lines("tree "), lines("parent "));
    let trailer = message
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(TRAILER))?;
    let field = |name: &str| {
        let mut fields = trailer.split(' ');
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    let number = |name: &str| u64::from_str_radix(field(name)?, 16).ok();
    let made = Made {
        plan: number("plan")?,
        result: number("result")?,
        tree: field("tree")?.to_owned(),
    };
    let untouched = lines("author ") == lines("committer ");
    (trees == [made.tree.clone()] && parents.len() == 1 && untouched).then_some(made)
}

/// What the text of a pull request remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Which rewrites, as in [`Made`].
    pub plan: String,
    /// Which text the bot wrote: another one is written over what people added only when this changes.
    pub text: String,
    /// Labels, reviewers and assignees are still to be hung on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undressed: bool,
    /// The bot closed it: it may come again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

impl Memory {
    /// `text` with the comment at its end.
    #[must_use]
    pub fn below(&self, text: &str) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{}\n\n{OPEN}{json}{CLOSE}\n", text.trim_end())
    }

    /// What the end of a pull request's text remembers; none where somebody took it away.
    #[must_use]
    pub fn read(body: &str) -> Option<Self> {
        // The last one: text from a repository stands above it.
        let (_, comment) = body.rsplit_once(OPEN)?;
        let (json, _) = comment.split_once(CLOSE)?;
        serde_json::from_str(json).ok()
    }

    /// `body` without the comment.
    #[must_use]
    pub fn strip(body: &str) -> &str {
        let text = body.rsplit_once(OPEN).map_or(body, |(text, _)| text);
        text.trim_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn commit(tree: &str, parents: usize, message: &str) -> Vec<u8> {
        let parent = "parent 0000000000000000000000000000000000000001\n".repeat(parents);
        format!(
            "tree {tree}\n{parent}author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n{message}"
        )
        .into_bytes()
    }

    #[test]
    fn a_commit_that_somebody_changed_is_not_the_bots() {
        let made_of = Made {
            plan: 1,
            result: 0xab,
            tree: TREE.to_owned(),
        };
        let message = format!(
            "build: x\n\n{}\nSigned-off-by: A <a@b>\n",
            made_of.trailer()
        );
        assert_eq!(made(&commit(TREE, 1, &message)), Some(made_of));
        let other = "0".repeat(40);
        assert_eq!(made(&commit(&other, 1, &message)), None, "amended");
        assert_eq!(made(&commit(TREE, 2, &message)), None, "a merge");
        let reworded = String::from_utf8_lossy(&commit(TREE, 1, &message))
            .replace("committer A <a@b> 1", "committer B <b@b> 2");
        assert_eq!(made(reworded.as_bytes()), None, "reworded");
        assert_eq!(
            made(&commit(TREE, 1, "build: x\n")),
            None,
            "without trailer"
        );
        assert_eq!(made(&commit(TREE, 1, "x\n\nDocker-Diet: plan=zz\n")), None);
        assert_eq!(made(b"garbage"), None);
    }

    #[test]
    fn memory_survives_and_the_last_one_counts() {
        let memory = Memory {
            plan: "01".to_owned(),
            text: "02".to_owned(),
            undressed: true,
            stale: false,
        };
        let forged = "Text <!-- docker-diet: {\"plan\":\"ff\",\"text\":\"ff\"} --> more";
        let body = memory.below(forged);
        assert_eq!(Memory::read(&body), Some(memory));
        assert_eq!(Memory::strip(&body), forged);
        assert_eq!(Memory::read("nothing"), None);
        assert_eq!(Memory::read("<!-- docker-diet: {} -->"), None);
    }
}
