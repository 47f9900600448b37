//! What a container is asked, and what it answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{BuildError, Container};

/// Longer bodies are cut; their length is told nevertheless when the server tells it.
const LARGEST_BODY: u64 = 4 << 20;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries while the server is not up.
const PAUSE: Duration = Duration::from_millis(100);

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// One HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its method.
    pub method: Method,
    /// The path with the query, `/` first.
    pub path: String,
    /// The body, sent as JSON.
    pub json: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of the response.
    pub status: u16,
    /// The type without parameters, `text/html`; empty when there is none.
    pub content_type: String,
    /// The body, at most 4 MiB of it.
    pub body: Vec<u8>,
}

/// What became of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer(Answer),
    /// Nothing listens, or no HTTP is spoken there; why.
    Silence(String),
    /// The container ended before it answered; its exit code.
    Ended(i32),
}

impl Container<'_> {
    /// Asks the first of `queries` until it is answered, for at most `limit`, then the others once each.
    ///
    /// # Errors
    /// When the engine has gone.
    pub fn ask_http(
        &self,
        port: u16,
        queries: &[Query],
        limit: Duration,
    ) -> Result<Vec<Reply>, BuildError> {
        let deadline = Instant::now() + limit;
        let mut replies = Vec::new();
        for (index, query) in queries.iter().enumerate() {
            // Later queries may change what the application holds: they are asked only once.
            let until = if index == 0 { deadline } else { Instant::now() };
            let reply = self.ask_until(port, query, until)?;
            let lost = !matches!(reply, Reply::Answer(_));
            replies.push(reply);
            if lost {
                break;
            }
        }
        Ok(replies)
    }

    fn ask_until(&self, port: u16, query: &Query, until: Instant) -> Result<Reply, BuildError> {
        loop {
            let state = self.state()?;
            if !state.running {
                return Ok(Reply::Ended(state.exit_code));
            }
            let why = match self.address(port)? {
                None => format!("port {port} is not published"),
                Some(address) => match ask(address, query) {
                    Ok(answer) => return Ok(Reply::Answer(answer)),
                    Err(error) => error.to_string(),
                },
            };
            if Instant::now() >= until {
                return Ok(Reply::Silence(why));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Sends one request. A redirect is an answer: it is not followed.
fn ask(address: SocketAddr, query: &Query) -> Result<Answer, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let address = format!("http://{address}{}", query.path);
    let mut response = match (query.method, &query.json) {
        (Method::Get, _) => agent.get(&address).call()?,
        (Method::Post, None) => agent.post(&address).send_empty()?,
        (Method::Post, Some(json)) => agent
            .post(&address)
            .header("content-type", "application/json")
            .send(json)?,
    };
    let content_type = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_owned();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(LARGEST_BODY);
    Ok(Answer {
        status,
        content_type,
        body: body.read_to_vec()?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `response` and gives the request.
    fn server(response: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client comes");
            let mut buffer = vec![0; 4096];
            let read = stream.read(&mut buffer).expect("it sends a request");
            stream.write_all(response.as_bytes()).expect("it listens");
            String::from_utf8_lossy(&buffer[..read]).into_owned()
        });
        (address, thread)
    }

    fn get(path: &str) -> Query {
        Query {
            method: Method::Get,
            path: path.to_owned(),
            json: None,
        }
    }

    #[test]
    fn an_error_status_is_an_answer() {
        let (address, server) = server(
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\
             Connection: close\r\n\r\n3\r\nno \r\n4\r\npage\r\n0\r\n\r\n",
        );
        let answer = ask(address, &get("/missing?x=1")).expect("it answers");
        assert_eq!(answer.status, 404);
        assert_eq!(answer.content_type, "text/plain");
        assert_eq!(answer.body, b"no page");
        let request = server.join().expect("the server ended");
        assert!(request.starts_with("GET /missing?x=1 HTTP/1.1\r\n"));
    }

    #[test]
    fn a_redirect_is_an_answer() {
        let (address, _server) = server(
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(ask(address, &get("/")).map(|it| it.status).ok(), Some(302));
    }

    #[test]
    fn what_does_not_speak_http_does_not_answer() {
        let (address, _server) = server("220 mail.example.org ESMTP\r\n");
        assert!(ask(address, &get("/")).is_err());
    }
}
