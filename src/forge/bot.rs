//! One repository: what is wished is compared with what is there, and the difference is carried out.
//!
//! Every step leaves a state from which the next run goes on: the commit is pushed before the pull request is opened,
//! its text says what is still missing, and a stale pull request is marked in the same request that closes it.

use std::collections::{BTreeMap, BTreeSet};

use super::address::Slug;
use super::api::{Change, Dress, Forge, NewPull, Pull, PullState};
use super::client::ApiError;
use super::decide::{Decision, Wish, decide, hex};
use super::git::{Checkout, FileChange, GitError, Head, Message};
use super::marker::Memory;
use crate::text::fnv1a;

/// What is asked of a repository's git; a test answers from memory.
pub trait Workshop {
    /// The branch that pull requests go to.
    fn base(&self) -> &str;

    /// The branches of the bot, and what stands on them.
    fn heads(&self) -> &BTreeMap<String, Head>;

    /// Commits `files` on top of the base, and gives the name of the commit.
    ///
    /// # Errors
    /// When a file is no plain file of the base.
    fn commit(&self, proposal: &Proposal, message: &Message) -> Result<String, GitError>;

    /// Pushes `commit` to `branch`, which must still be at `known`, or not exist where that is none.
    ///
    /// # Errors
    /// When somebody else pushed, or the push is refused.
    fn push(&self, branch: &str, commit: &str, known: Option<&str>) -> Result<(), GitError>;

    /// Deletes `branch`, which must still be at `known`.
    ///
    /// # Errors
    /// When somebody else pushed, or the push is refused.
    fn delete(&self, branch: &str, known: &str) -> Result<(), GitError>;
}

impl Workshop for Checkout {
    fn base(&self) -> &str {
        Checkout::base(self)
    }

    fn heads(&self) -> &BTreeMap<String, Head> {
        Checkout::heads(self)
    }

    fn commit(&self, proposal: &Proposal, message: &Message) -> Result<String, GitError> {
        Checkout::commit(
            self,
            &proposal.files,
            message,
            proposal.plan,
            proposal.result(),
        )
    }

    fn push(&self, branch: &str, commit: &str, known: Option<&str>) -> Result<(), GitError> {
        Checkout::push(self, branch, commit, known)
    }

    fn delete(&self, branch: &str, known: &str) -> Result<(), GitError> {
        Checkout::delete(self, branch, known)
    }
}

/// What one pull request would hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its branch.
    pub branch: String,
    /// Its title, which is the first line of its commit too.
    pub title: String,
    /// Paragraphs of the commit's message.
    pub message: String,
    /// The text of the pull request, without what the bot remembers in it.
    pub text: String,
    /// Which rewrites: a hash that does not change with the files around them.
    pub plan: u64,
    /// The files.
    pub files: Vec<FileChange>,
}

impl Proposal {
    /// A hash of all bytes before and after.
    #[must_use]
    pub fn result(&self) -> u64 {
        let mut bytes = Vec::new();
        for file in &self.files {
            let before = file.before.as_deref().unwrap_or_default();
            bytes.extend_from_slice(file.path.as_bytes());
            for part in [before, &file.after] {
                bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        fnv1a(&bytes)
    }
}

/// How pull requests are made.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// What is hung onto new ones.
    pub dress: Dress,
    /// Whether they begin as drafts.
    pub draft: bool,
    /// At most so many are open at a time in a repository; none for no bound.
    pub open_limit: Option<usize>,
    /// Whether commits get `Signed-off-by`.
    pub sign_off: bool,
    /// Whose commits they are.
    pub author: super::git::Author,
    /// How commits are signed.
    pub signing: Option<super::git::Signing>,
    /// Whether what no proposal names is closed; not where some Dockerfiles could not be judged.
    pub retire: bool,
    /// Nothing is written anywhere.
    pub dry_run: bool,
}

/// What became of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A pull request was opened.
    Opened,
    /// It was brought up to date.
    Updated,
    /// It is as it was.
    Unchanged,
    /// It was closed: nothing is left to do.
    Closed,
    /// The branch was pushed; no forge is known, so there is no pull request.
    Pushed,
    /// A branch that was left over was deleted.
    Deleted,
    /// Nothing was done, for a reason.
    Left,
}

impl Outcome {
    /// As programs read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Opened => "opened",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::Closed => "closed",
            Outcome::Pushed => "pushed",
            Outcome::Deleted => "deleted",
            Outcome::Left => "left",
        }
    }
}

/// What became of a branch, and of its pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The branch.
    pub branch: String,
    /// What happened.
    pub outcome: Outcome,
    /// The pull request's number.
    pub pull: Option<u64>,
    /// The pull request's page.
    pub url: String,
    /// Why nothing happened, and what could not be done.
    pub notes: Vec<String>,
}

/// Why a repository was not finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BotError {
    /// The forge.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Brings the branches and pull requests of a repository to what `proposals` say. `prefix` is what the bot's branches
/// begin with; those that no proposal names are stale. Without a forge only branches are pushed.
///
/// # Errors
/// When the forge or git does not do what is asked. What was done until then stays, and the next run goes on.
pub fn settle(
    forge: Option<&dyn Forge>,
    slug: Option<&Slug>,
    workshop: &dyn Workshop,
    proposals: &[Proposal],
    manner: &Manner,
) -> Result<Vec<Done>, BotError> {
    let wished: BTreeSet<&str> = proposals.iter().map(|it| it.branch.as_str()).collect();
    let stale = workshop.heads().keys().map(String::as_str);
    let stale: Vec<&str> = stale
        .filter(|branch| manner.retire && !wished.contains(branch))
        .collect();
    let mut branches: Vec<String> = proposals.iter().map(|it| it.branch.clone()).collect();
    branches.extend(stale.iter().map(|branch| (*branch).to_owned()));
    if branches.is_empty() {
        return Ok(Vec::new());
    }
    let (Some(forge), Some(slug)) = (forge, slug) else {
        return proposals
            .iter()
            .map(|proposal| push_only(workshop, proposal, manner))
            .collect();
    };
    let mut run = Run {
        forge,
        slug,
        workshop,
        manner,
        pulls: forge.pulls(slug, &branches)?,
    };
    let mut done = Vec::new();
    // Stale ones first: they make room under the limit.
    for branch in stale {
        done.extend(run.retire(branch)?);
    }
    for proposal in proposals {
        done.push(run.propose(proposal)?);
    }
    Ok(done)
}

struct Run<'a> {
    forge: &'a dyn Forge,
    slug: &'a Slug,
    workshop: &'a dyn Workshop,
    manner: &'a Manner,
    pulls: Vec<Pull>,
}

impl Run<'_> {
    fn pulls_of(&self, branch: &str) -> Vec<Pull> {
        let of = |pull: &&Pull| pull.branch == branch;
        self.pulls.iter().filter(of).cloned().collect()
    }

    /// Closes what no proposal names any more; nothing where the branch is left without a word.
    fn retire(&mut self, branch: &str) -> Result<Option<Done>, BotError> {
        let pulls = self.pulls_of(branch);
        let decision = decide(None, self.workshop.heads().get(branch), &pulls);
        let mut done = Done::new(branch, Outcome::Left);
        match decision {
            Decision::Close { pull, delete } => {
                done.outcome = Outcome::Closed;
                done.pull(&pulls, pull);
                if !self.manner.dry_run {
                    self.close(&pulls, pull)?;
                    if let Some(commit) = delete {
                        self.workshop.delete(branch, &commit)?;
                    }
                }
                for known in &mut self.pulls {
                    if known.number == pull {
                        known.state = PullState::Closed;
                    }
                }
            }
            Decision::Delete(commit) => {
                done.outcome = Outcome::Deleted;
                if !self.manner.dry_run {
                    self.workshop.delete(branch, &commit)?;
                }
            }
            Decision::Leave {
                pull: Some(pull),
                why,
            } => {
                done.pull(&pulls, pull);
                done.notes.push(why.to_owned());
            }
            _ => return Ok(None),
        }
        Ok(Some(done))
    }

    fn close(&self, pulls: &[Pull], number: u64) -> Result<(), BotError> {
        let Some(pull) = pulls.iter().find(|pull| pull.number == number) else {
            return Ok(());
        };
        let mut memory = Memory::read(&pull.body).unwrap_or_default();
        memory.stale = true;
        // A remark with the same mark is not made twice: a run that stopped here goes on below.
        let mark = format!("<!-- docker-diet: closed {} -->", memory.plan);
        let why = format!(
            "docker-diet finds nothing left to do here: the Dockerfiles are lean now, or what made them so is switched off. It closes this pull request and deletes its branch.\n\n{mark}\n"
        );
        self.forge.remark(self.slug, number, &mark, &why)?;
        let body = memory.below(Memory::strip(&pull.body));
        let change = Change {
            body: Some(&body),
            close: true,
            ..Change::default()
        };
        Ok(self.forge.change(self.slug, number, &change)?)
    }

    fn propose(&mut self, proposal: &Proposal) -> Result<Done, BotError> {
        let pulls = self.pulls_of(&proposal.branch);
        let wish = Wish {
            plan: proposal.plan,
            result: proposal.result(),
            text: fnv1a(proposal.text.as_bytes()),
            base: self.workshop.base().to_owned(),
        };
        let head = self.workshop.heads().get(&proposal.branch);
        let mut done = Done::new(&proposal.branch, Outcome::Unchanged);
        match decide(Some(&wish), head, &pulls) {
            Decision::Keep { pull } => done.pull(&pulls, pull),
            Decision::Leave { pull, why } => {
                done.outcome = Outcome::Left;
                done.notes.push(why.to_owned());
                if let Some(pull) = pull {
                    done.pull(&pulls, pull);
                }
            }
            Decision::Open { push } => {
                let open = self.pulls.iter().filter(|it| it.state == PullState::Open);
                if let Some(limit) = self.manner.open_limit
                    && open.count() >= limit
                {
                    done.outcome = Outcome::Left;
                    done.notes
                        .push(format!("{limit} pull requests are open already"));
                    return Ok(done);
                }
                done.outcome = Outcome::Opened;
                if !self.manner.dry_run {
                    self.push(proposal, push)?;
                    self.open(proposal, &wish, &mut done)?;
                }
            }
            Decision::Update {
                pull,
                push,
                text,
                dress,
                base,
            } => {
                done.outcome = Outcome::Updated;
                done.pull(&pulls, pull);
                if !self.manner.dry_run {
                    let pushed = push.is_some();
                    self.push(proposal, push)?;
                    let body = memory(&wish, dress).below(&proposal.text);
                    if text || base {
                        let change = Change {
                            title: pushed.then_some(proposal.title.as_str()),
                            body: text.then_some(body.as_str()),
                            base: base.then_some(wish.base.as_str()),
                            close: false,
                        };
                        self.forge.change(self.slug, pull, &change)?;
                    }
                    if dress {
                        self.dress(pull, proposal, &wish, &mut done)?;
                    }
                }
            }
            Decision::Close { .. } | Decision::Delete(_) => {}
        }
        Ok(done)
    }

    fn push(&self, proposal: &Proposal, push: Option<Option<String>>) -> Result<(), BotError> {
        if let Some(known) = push {
            let commit = self
                .workshop
                .commit(proposal, &message(proposal, self.manner))?;
            // The same bytes on the same parent: a run that was stopped pushed this very commit.
            if known.as_deref() != Some(commit.as_str()) {
                self.workshop
                    .push(&proposal.branch, &commit, known.as_deref())?;
            }
        }
        Ok(())
    }

    fn open(&mut self, proposal: &Proposal, wish: &Wish, done: &mut Done) -> Result<(), BotError> {
        let undressed = !self.manner.dress.is_empty();
        let body = memory(wish, undressed).below(&proposal.text);
        let new = NewPull {
            branch: &proposal.branch,
            base: &wish.base,
            title: &proposal.title,
            body: &body,
            draft: self.manner.draft,
        };
        let mut tries = 0;
        let pull = loop {
            match self.forge.open(self.slug, &new) {
                Ok(pull) => break pull,
                Err(error) if error.may_be_there() && tries < 4 => {
                    tries += 1;
                    let branches = [proposal.branch.clone()];
                    let pulls = self.forge.pulls(self.slug, &branches)?;
                    let open = pulls.into_iter().find(|it| it.state == PullState::Open);
                    match open {
                        Some(pull) => break pull,
                        None if error.status().is_some() => return Err(error.into()),
                        None => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        done.pull = Some(pull.number);
        done.url.clone_from(&pull.url);
        let number = pull.number;
        self.pulls.push(Pull {
            state: PullState::Open,
            ..pull
        });
        if undressed {
            self.dress(number, proposal, wish, done)?;
        }
        Ok(())
    }

    fn dress(
        &self,
        pull: u64,
        proposal: &Proposal,
        wish: &Wish,
        done: &mut Done,
    ) -> Result<(), BotError> {
        done.notes
            .extend(self.forge.dress(self.slug, pull, &self.manner.dress)?);
        let body = memory(wish, false).below(&proposal.text);
        let change = Change {
            body: Some(&body),
            ..Change::default()
        };
        Ok(self.forge.change(self.slug, pull, &change)?)
    }
}

/// Without a forge: the branch is pushed, and nothing is known about what people said to it.
fn push_only(
    workshop: &dyn Workshop,
    proposal: &Proposal,
    manner: &Manner,
) -> Result<Done, BotError> {
    let mut done = Done::new(&proposal.branch, Outcome::Pushed);
    let known = match workshop.heads().get(&proposal.branch) {
        Some(Head::Ours { made, .. })
            if made.plan == proposal.plan && made.result == proposal.result() =>
        {
            done.outcome = Outcome::Unchanged;
            return Ok(done);
        }
        Some(Head::Foreign { .. }) => {
            done.outcome = Outcome::Left;
            done.notes
                .push("its branch exists and is somebody else's".to_owned());
            return Ok(done);
        }
        other => other.map(Head::commit),
    };
    if !manner.dry_run {
        let commit = workshop.commit(proposal, &message(proposal, manner))?;
        workshop.push(&proposal.branch, &commit, known)?;
    }
    Ok(done)
}

fn message(proposal: &Proposal, manner: &Manner) -> Message {
    Message {
        subject: proposal.title.clone(),
        body: proposal.message.clone(),
        sign_off: manner.sign_off,
        author: manner.author.clone(),
        signing: manner.signing.clone(),
    }
}

fn memory(wish: &Wish, undressed: bool) -> Memory {
    Memory {
        plan: hex(wish.plan),
        text: hex(wish.text),
        undressed,
        stale: false,
    }
}

impl Done {
    fn new(branch: &str, outcome: Outcome) -> Self {
        Self {
            branch: branch.to_owned(),
            outcome,
            pull: None,
            url: String::new(),
            notes: Vec::new(),
        }
    }

    fn pull(&mut self, pulls: &[Pull], number: u64) {
        self.pull = Some(number);
        let known = pulls.iter().find(|pull| pull.number == number);
        self.url = known.map(|pull| pull.url.clone()).unwrap_or_default();
    }
}
