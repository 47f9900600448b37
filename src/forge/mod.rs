//! Forges (floor 6): repositories, branches and pull requests at GitHub, GitLab, Gitea and Forgejo.
//!
//! `git` fetches and pushes through the program, hardened against what is in a repository. `client` keeps the manners
//! of an API; `github`, `gitlab` and `gitea` say one trait in three languages. `decide` is a pure function of what is
//! wished and what is there; `bot` carries it out. What the bot has to remember stands in its commits and in the text
//! of its pull requests (`marker`): a run that was stopped is finished by the next one.

mod address;
mod api;
mod bot;
mod client;
mod clock;
mod decide;
mod fields;
mod git;
mod gitea;
mod github;
mod gitlab;
mod http;
mod limits;
mod listing;
mod marker;
mod secret;

pub use address::{Address, AddressError, Kind, Slug};
pub use api::{Change, Dress, Forge, NewPull, Pull, PullState, Repository, forge};
pub use bot::{BotError, Done, Manner, Outcome, Proposal, Workshop, settle};
pub use client::{ApiError, Client};
pub use clock::{Clock, SystemClock};
pub use decide::{Decision, Wish, decide};
pub use git::{
    Access, Author, Checkout, FileChange, GitError, Head, Limits, Message, Signing, checked, origin,
};
pub use http::{Method, Network, Request, Response, Transport, Unanswered};
pub use marker::{Made, Memory};
pub use secret::{Token, TokenError};
