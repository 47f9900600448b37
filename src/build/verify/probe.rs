//! What a container is asked beside HTTP, and how questions and answers are named.

use super::super::{Answer, Method, Query};

/// What a container is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP request, to this port or to the first one that is there.
    Http {
        /// The port in the container.
        port: Option<u16>,
        /// What is asked.
        query: Query,
    },
    /// Something listens there.
    Tcp {
        /// The port in the container.
        port: u16,
    },
    /// A command is run in it.
    Command {
        /// Its words.
        words: Vec<String>,
        /// A part of what it must print.
        output: Option<String>,
    },
}

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What was asked: `GET /healthz`, `port 5432`, `` `psql -c …` ``.
    pub asked: String,
    /// What came back.
    pub answer: ProbeAnswer,
}

/// What came back from a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// An answer over HTTP.
    Http(Answer),
    /// The port is open, and speaks no HTTP.
    Open,
    /// A command ended.
    Command {
        /// Its exit code; none when it did not end in time.
        exit_code: Option<i32>,
        /// What it wrote.
        output: String,
        /// Whether that holds what was expected.
        expected: bool,
    },
    /// Nothing came back; why.
    Silence(String),
}

impl Probe {
    /// GET of a path.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Probe::Http {
            port: None,
            query: Query {
                method: Method::Get,
                path: path.to_owned(),
                json: None,
            },
        }
    }

    /// Whether it goes to a port that has to be found out.
    #[must_use]
    pub fn wants_port(&self) -> bool {
        matches!(self, Probe::Http { port: None, .. })
    }

    pub(super) fn asked(&self) -> String {
        match self {
            Probe::Http { query, .. } => {
                let method = match query.method {
                    Method::Get => "GET",
                    Method::Post => "POST",
                };
                format!("{method} {}", query.path)
            }
            Probe::Tcp { port } => format!("port {port}"),
            Probe::Command { words, .. } => format!("`{}`", words.join(" ")),
        }
    }

    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Probe::Http { port, .. } => *port,
            Probe::Tcp { port } => Some(*port),
            Probe::Command { .. } => None,
        }
    }
}

impl ProbeAnswer {
    /// The answer in a few words: `200 text/html`.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            ProbeAnswer::Http(answer) if answer.content_type.is_empty() => {
                answer.status.to_string()
            }
            ProbeAnswer::Http(answer) => format!("{} {}", answer.status, answer.content_type),
            ProbeAnswer::Open => "open".to_owned(),
            ProbeAnswer::Command {
                expected: false, ..
            } => "another output".to_owned(),
            ProbeAnswer::Command {
                exit_code: Some(code),
                ..
            } => format!("ends with {code}"),
            ProbeAnswer::Command { .. } => "does not end".to_owned(),
            ProbeAnswer::Silence(_) => "no answer".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_named_as_people_name_them() {
        assert_eq!(Probe::get("/healthz?x=1").asked(), "GET /healthz?x=1");
        assert_eq!(Probe::Tcp { port: 5432 }.asked(), "port 5432");
        let words = vec!["./app".to_owned(), "--check".to_owned()];
        let probe = Probe::Command {
            words,
            output: None,
        };
        assert_eq!(probe.asked(), "`./app --check`");
        assert!(!probe.wants_port());
    }

    #[test]
    fn answers_are_told_in_a_few_words() {
        let page = Answer {
            status: 200,
            content_type: "text/html".to_owned(),
            body: Vec::new(),
        };
        assert_eq!(ProbeAnswer::Http(page).short(), "200 text/html");
        assert_eq!(
            ProbeAnswer::Silence("refused".to_owned()).short(),
            "no answer"
        );
    }
}
