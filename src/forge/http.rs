//! One request and its answer, over the network or in a test.

use std::time::Duration;

use serde_json::Value;

/// Larger answers are refused: a page of a hundred pull requests has a few megabytes.
const LARGEST_BODY: u64 = 64 << 20;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Changes what the body names.
    Patch,
    /// Changes or replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As it stands in a request.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn reads(self) -> bool {
        self == Method::Get
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The whole address with its query.
    pub url: String,
    /// Names in lower case, and values. The token is in one of them: this is never printed.
    pub headers: Vec<(String, String)>,
    /// The body, sent as JSON.
    pub body: Option<Value>,
}

/// An answer, of whatever status.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// No answer came: the request may have been carried out or not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// Carries requests.
pub trait Transport: Send + Sync {
    /// Sends `request`.
    ///
    /// # Errors
    /// When no whole answer came: no connection, a timeout, a broken stream.
    fn send(&self, request: &Request) -> Result<Response, Unanswered>;
}

/// The network.
pub struct Network {
    agent: ureq::Agent,
}

impl Default for Network {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A repository that was renamed answers with its new address, at the same host.
            .max_redirects(3)
            .redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("docker-diet/", env!("CARGO_PKG_VERSION")));
        #[cfg(feature = "tls")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder()
                // Forges inside a company have certificates that only the machine knows.
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        );
        Self {
            agent: config.build().into(),
        }
    }
}

impl Transport for Network {
    fn send(&self, request: &Request) -> Result<Response, Unanswered> {
        let unanswered = |error: ureq::Error| Unanswered(error.to_string());
        let mut builder = ureq::http::Request::builder()
            .method(request.method.name())
            .uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let answer = match &request.body {
            None => builder
                .body(())
                .map_err(|error| error.into())
                .and_then(|request| self.agent.run(request)),
            Some(body) => builder
                .header("content-type", "application/json")
                .body(body.to_string())
                .map_err(|error| error.into())
                .and_then(|request| self.agent.run(request)),
        };
        let mut answer = answer.map_err(unanswered)?;
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LARGEST_BODY);
        Ok(Response {
            status,
            headers,
            body: body.read_to_vec().map_err(unanswered)?,
        })
    }
}

/// `text` as one part of a path or a query: everything but letters, digits and `-._~` is percent-encoded.
#[must_use]
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address_are_encoded() {
        assert_eq!(encode("a b/c?d&é"), "a%20b%2Fc%3Fd%26%C3%A9");
        assert_eq!(encode("docker-diet.x_y~z"), "docker-diet.x_y~z");
    }
}
