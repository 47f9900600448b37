//! Commits on top of the fetched one.

use super::program::Git;
use super::{Checkout, FileChange, GitError};
use crate::forge::marker::Made;

/// Who commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// As it stands before the address.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Author {
    /// Reads `Name <address>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains(char::is_control) {
            return None;
        }
        let (name, email) = text.trim().strip_suffix('>')?.split_once('<')?;
        let (name, email) = (name.trim(), email.trim());
        let plain = |text: &str| !text.is_empty() && !text.contains(['<', '>']);
        (plain(name) && plain(email) && !email.contains(' ')).then(|| Self {
            name: name.to_owned(),
            email: email.to_owned(),
        })
    }
}

impl Default for Author {
    fn default() -> Self {
        Self {
            name: "docker-diet".to_owned(),
            email: "docker-diet@users.noreply.github.com".to_owned(),
        }
    }
}

/// How commits are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// `openpgp`, `ssh` or `x509`, as git's `gpg.format`.
    pub format: String,
    /// The key, as git's `user.signingKey`.
    pub key: String,
}

/// What a commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Paragraphs below it; empty for none.
    pub body: String,
    /// Whether `Signed-off-by` is added.
    pub sign_off: bool,
    /// Whose commit it is.
    pub author: Author,
    /// Signed with.
    pub signing: Option<Signing>,
}

impl Checkout {
    /// Commits `files` on top of the fetched commit, and gives the name of the new one. Without a signature the same
    /// files, message and parent give the same commit: its time is that of its parent.
    ///
    /// # Errors
    /// When a file is no plain file of the commit, or the commit cannot be signed.
    pub fn commit(
        &self,
        files: &[FileChange],
        message: &Message,
        plan: u64,
        result: u64,
    ) -> Result<String, GitError> {
        let (folder, limits) = (&self.folder, &self.limits);
        let tree = self.entries.change(folder, &self.commit, files, limits)?;
        // Plumbing only: what people type also reads `.gitmodules` and other files of the repository.
        let parent = Git::new(folder, "cat-file", limits)
            .args(["commit", &self.commit])
            .run()?;
        let time = committed_at(&parent);
        let mut text = format!("{}\n\n", one_line(&message.subject));
        if !message.body.is_empty() {
            text.push_str(message.body.trim_end());
            text.push_str("\n\n");
        }
        let made = Made { plan, result, tree };
        text.push_str(&made.trailer());
        text.push('\n');
        let Author { name, email } = &message.author;
        if message.sign_off {
            text.push_str(&format!("Signed-off-by: {name} <{email}>\n"));
        }
        let mut git = Git::new(folder, "commit-tree", limits)
            .args(["-p", &self.commit, "-F", "-"])
            .env("GIT_AUTHOR_NAME", name)
            .env("GIT_AUTHOR_EMAIL", email)
            .env("GIT_AUTHOR_DATE", &time)
            .env("GIT_COMMITTER_NAME", name)
            .env("GIT_COMMITTER_EMAIL", email)
            .env("GIT_COMMITTER_DATE", &time)
            .input(text.into_bytes());
        if let Some(signing) = &message.signing {
            git = git
                .config("gpg.format", &signing.format)
                .config("user.signingKey", &signing.key)
                .arg("-S");
            // Keys lie in the home of the user who runs this.
            for name in ["HOME", "GNUPGHOME"] {
                if let Some(value) = std::env::var_os(name) {
                    git = git.env(name, value);
                }
            }
        }
        git.arg(&made.tree).line()
    }
}

/// The time at which the commit was made, as git takes it; the beginning of 1970 where it tells none.
fn committed_at(commit: &[u8]) -> String {
    let text = String::from_utf8_lossy(commit);
    let header = text.split("\n\n").next().unwrap_or_default();
    let line = header.lines().find(|line| line.starts_with("committer "));
    let mut words = line.unwrap_or_default().rsplit(' ');
    let seconds = words.nth(1).and_then(|word| word.parse::<u64>().ok());
    format!("@{} +0000", seconds.unwrap_or(0))
}

fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_commit() {
        let commit =
            b"tree x\nauthor A <a@b> 5 +0100\ncommitter A <a@b> 1700000000 +0200\n\ncommitter 9 9";
        assert_eq!(committed_at(commit), "@1700000000 +0000");
        assert_eq!(committed_at(b""), "@0 +0000");
    }

    #[test]
    fn authors_as_git_writes_them() {
        let author = Author::parse("A B <a@b.test>").expect("an author");
        assert_eq!(
            (author.name.as_str(), author.email.as_str()),
            ("A B", "a@b.test")
        );
        for bad in [
            "a@b.test",
            "A <a b>",
            "A <>",
            " <a@b>",
            "A <a@b> x",
            "A\n<a@b>",
        ] {
            assert_eq!(Author::parse(bad), None, "{bad}");
        }
    }
}
