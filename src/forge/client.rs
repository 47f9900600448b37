//! Manners towards a forge's API: limits, waiting, retries, paging.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::clock::{Clock, jitter};
use super::http::{Method, Request, Response, Transport};
use super::limits::{Limited, limited};
use super::secret::Token;

/// A request without an answer, or with 5xx, is sent this often.
const MOST_TRIES: u32 = 6;
/// A request that the forge puts off is sent this often.
const MOST_PUT_OFF: u32 = 12;
/// The first pause between tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longer pauses between tries are not made.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A forge that asks for more patience than this is not waited for: limits are counted by the hour.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);
/// More pages are not read.
const MOST_PAGES: usize = 1000;
/// Of what a forge says about an error, this much is told.
const LONGEST_MESSAGE: usize = 300;

/// Why a call failed. No message holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The forge refused.
    #[error("{call}: the forge answered {status}{message}{}", advice(*.status))]
    Refused {
        /// Method and path.
        call: String,
        /// The status.
        status: u16,
        /// What it said, with `: ` before it; empty when it said nothing.
        message: String,
    },
    /// No answer, or an error of the forge, until patience ended.
    #[error("{call}: {message}")]
    Failed {
        /// Method and path.
        call: String,
        /// What happened last.
        message: String,
    },
    /// No answer to a request that creates something: it may be there or not.
    #[error("{call}: {message}; it is not known whether it was carried out")]
    Unclear {
        /// Method and path.
        call: String,
        /// What happened.
        message: String,
    },
    /// The forge wants more patience than there is.
    #[error("{call}: the forge's limit is used up for another {minutes} minutes; run again then")]
    Limited {
        /// Method and path.
        call: String,
        /// Until then.
        minutes: u64,
    },
    /// The answer is not what the forge's description promises.
    #[error("{call}: the answer is not understood: {message}")]
    Strange {
        /// Method and path.
        call: String,
        /// What is missing.
        message: String,
    },
    /// A request that writes, in a run that must not.
    #[error("{0}: a dry run writes nothing")]
    DryRun(String),
}

impl ApiError {
    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            ApiError::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether what was to be created may be there nevertheless: the state is to be read again.
    #[must_use]
    pub fn may_be_there(&self) -> bool {
        match self {
            ApiError::Unclear { .. } => true,
            // 409 and 422 are what forges say to a second pull request for one branch.
            ApiError::Refused { status, .. } => matches!(status, 409 | 422),
            _ => false,
        }
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 => "; the token is missing, wrong or expired",
        403 => "; the token may not do this",
        404 => "; it does not exist, or the token may not see it",
        _ => "",
    }
}

/// A forge's API: where it is, how one is known there, and how busy it is. Clones share the limits.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    base: String,
    headers: Vec<(String, String)>,
    token: Option<Token>,
    dry_run: bool,
    /// Least time between two requests that write.
    write_pause: Duration,
    gate: Arc<Mutex<Gate>>,
    requests: Arc<AtomicU64>,
}

/// When the next request may go.
#[derive(Default)]
struct Gate {
    any: Duration,
    write: Duration,
}

impl Client {
    /// A client of the API at `base`, an address without a final slash; `headers` go with every request.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, base: &str) -> Self {
        Self {
            transport,
            clock,
            base: base.trim_end_matches('/').to_owned(),
            headers: Vec::new(),
            token: None,
            dry_run: false,
            write_pause: Duration::ZERO,
            gate: Arc::default(),
            requests: Arc::default(),
        }
    }

    /// Sends a header with every request; `name` in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends `token` with every request, `scheme` before it.
    #[must_use]
    pub fn with_token(mut self, scheme: &str, token: Option<&Token>) -> Self {
        if let Some(token) = token {
            let value = format!("{scheme} {}", token.reveal());
            self.headers.push(("authorization".to_owned(), value));
            self.token = Some(token.clone());
        }
        self
    }

    /// Leaves at least `pause` between two requests that write.
    #[must_use]
    pub fn with_write_pause(mut self, pause: Duration) -> Self {
        self.write_pause = pause;
        self
    }

    /// Refuses every request that writes.
    #[must_use]
    pub fn read_only(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// How many requests were sent, tries included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Reads `path`, which begins with `/`.
    ///
    /// # Errors
    /// When the forge refuses or does not answer.
    pub fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.call(Method::Get, path, None)
    }

    /// Sends a request and gives the JSON of its answer; null where the answer has no body.
    ///
    /// # Errors
    /// When the forge refuses or does not answer.
    pub fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, ApiError> {
        let call = name_of(method, path);
        let response = self.send(method, &format!("{}{path}", self.base), body, &call)?;
        json(&response, &call)
    }

    /// All elements of the list at `path`, page by page as the answers' `Link` headers lead; `each` sees a page and
    /// says whether the next is wanted.
    ///
    /// # Errors
    /// When the forge refuses or does not answer, or an answer is no list.
    pub fn pages(
        &self,
        path: &str,
        mut each: impl FnMut(Vec<Value>) -> bool,
    ) -> Result<(), ApiError> {
        let call = name_of(Method::Get, path);
        let mut url = format!("{}{path}", self.base);
        for _ in 0..MOST_PAGES {
            let response = self.send(Method::Get, &url, None, &call)?;
            let Value::Array(items) = json(&response, &call)? else {
                return Err(ApiError::Strange {
                    call,
                    message: "it is no list".to_owned(),
                });
            };
            let next = response.header("link").and_then(next_page);
            // The token goes to no other host, whatever an answer says.
            let next = next.filter(|next| same_origin(next, &self.base));
            match (each(items), next) {
                (true, Some(next)) => url = next,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<Value>,
        call: &str,
    ) -> Result<Response, ApiError> {
        if self.dry_run && !method.reads() {
            return Err(ApiError::DryRun(call.to_owned()));
        }
        let request = Request {
            method,
            url: url.to_owned(),
            headers: self.headers.clone(),
            body,
        };
        let (mut tries, mut put_off) = (0, 0);
        loop {
            self.wait_turn(method);
            self.requests.fetch_add(1, Ordering::Relaxed);
            let what = match self.transport.send(&request) {
                Err(unanswered) => self.clean(&unanswered.0),
                Ok(response) => {
                    let now = self.clock.now();
                    match limited(&response, now, put_off) {
                        Limited::No => {}
                        Limited::AfterThis { until } => self.hold(until),
                        Limited::PutOff { until } => {
                            put_off += 1;
                            let wait = until.saturating_sub(now);
                            if put_off >= MOST_PUT_OFF || wait > LONGEST_WAIT {
                                return Err(ApiError::Limited {
                                    call: call.to_owned(),
                                    minutes: wait.as_secs().div_ceil(60),
                                });
                            }
                            self.hold(until);
                            continue;
                        }
                    }
                    match response.status {
                        200..=299 => return Ok(response),
                        500..=599 => format!("the forge answered {}", response.status),
                        status => {
                            return Err(ApiError::Refused {
                                call: call.to_owned(),
                                status,
                                message: self.message(&response),
                            });
                        }
                    }
                }
            };
            if method == Method::Post {
                return Err(ApiError::Unclear {
                    call: call.to_owned(),
                    message: what,
                });
            }
            tries += 1;
            if tries >= MOST_TRIES {
                return Err(ApiError::Failed {
                    call: call.to_owned(),
                    message: format!("{what}, {tries} times"),
                });
            }
            self.pause(tries);
        }
    }

    /// Waits before try number `tries` + 1: between half and the whole of a pause that doubles.
    pub(super) fn pause(&self, tries: u32) {
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1));
        let half = pause.min(LONGEST_PAUSE) / 2;
        let clock = &*self.clock;
        clock.wait_until(clock.now() + half + jitter(clock, half));
    }

    /// Waits until the limits of the forge allow a request.
    fn wait_turn(&self, method: Method) {
        let now = self.clock.now();
        let turn = {
            let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            let mut turn = gate.any;
            if turn > now {
                // Those who waited for the same moment do not come all at once.
                turn += jitter(&*self.clock, Duration::from_secs(2));
            }
            if !method.reads() {
                turn = turn.max(gate.write).max(now);
                gate.write = turn + self.write_pause;
            }
            turn
        };
        if turn > now {
            self.clock.wait_until(turn);
        }
    }

    fn hold(&self, until: Duration) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.any = gate.any.max(until);
    }

    /// What a forge says about a refusal, on one line, with `: ` before it.
    fn message(&self, response: &Response) -> String {
        let value: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let said = ["message", "error"]
            .iter()
            .filter_map(|key| value.get(key))
            .find(|value| !value.is_null())
            .map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
        let mut said = said.unwrap_or_default();
        if let Some(errors) = value.get("errors").filter(|errors| !errors.is_null()) {
            said.push(' ');
            said.push_str(&errors.to_string());
        }
        let said: String = self
            .clean(said.trim())
            .chars()
            .take(LONGEST_MESSAGE)
            .collect();
        if said.is_empty() {
            return said;
        }
        format!(": {said}")
    }

    /// `text` without the token.
    fn clean(&self, text: &str) -> String {
        match &self.token {
            Some(token) => token.redact(text),
            None => text.to_owned(),
        }
    }
}

/// How messages name a request: without its query, which may be long.
fn name_of(method: Method, path: &str) -> String {
    format!(
        "{} {}",
        method.name(),
        path.split('?').next().unwrap_or(path)
    )
}

fn json(response: &Response, call: &str) -> Result<Value, ApiError> {
    if response.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&response.body).map_err(|error| ApiError::Strange {
        call: call.to_owned(),
        message: error.to_string(),
    })
}

/// The address with `rel="next"` in a `Link` header.
fn next_page(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters
            .split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        next.then(|| address.to_owned())
    })
}

fn same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        Some((scheme.to_owned(), host.to_owned()))
    };
    origin(one).is_some() && origin(one) == origin(other)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
