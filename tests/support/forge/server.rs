//! The fake forge on a port of this machine: its API, and its repositories through `git http-backend`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use docker_diet::forge::Kind;
use serde_json::Value;

use super::{Asked, FakeForge, split};

/// A running forge; it listens until the process ends.
pub(crate) struct Server {
    pub(crate) web: String,
    shared: Arc<Shared>,
}

struct Shared {
    forge: Mutex<FakeForge>,
    repositories: PathBuf,
    token: String,
    pushes: AtomicU64,
}

impl Server {
    /// Starts a forge whose bare repositories are below `repositories`, for who knows `token`.
    pub(crate) fn start(kind: Kind, repositories: &Path, token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let web = format!("http://{address}");
        let shared = Arc::new(Shared {
            forge: Mutex::new(FakeForge::new(kind, &kind.api(&web))),
            repositories: repositories.to_path_buf(),
            token: token.to_owned(),
            pushes: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || {
                    // A client that goes away ends its connection only.
                    let _ = serve(&stream, &shared);
                });
            }
        });
        Self { web, shared }
    }

    /// The forge itself.
    pub(crate) fn forge(&self) -> MutexGuard<'_, FakeForge> {
        let lock = self.shared.forge.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// How often somebody pushed.
    pub(crate) fn pushes(&self) -> u64 {
        self.shared.pushes.load(Ordering::SeqCst)
    }
}

struct Incoming {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        let mut out = stream.try_clone()?;
        if request.target.contains(".git/") {
            git(&mut out, &request, shared)?;
            return Ok(());
        }
        api(&mut out, &request, shared)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Incoming>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").map(String::as_str) == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
            reader.take(size).read_to_end(&mut body)?;
            let mut end = String::new();
            reader.read_line(&mut end)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = headers.get("content-length").and_then(|it| it.parse().ok()) {
        reader.take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Incoming {
        method,
        target,
        headers,
        body,
    }))
}

fn api(out: &mut TcpStream, request: &Incoming, shared: &Shared) -> std::io::Result<()> {
    let authorization = request
        .headers
        .get("authorization")
        .cloned()
        .unwrap_or_default();
    let mut forge = shared.forge.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, query) = split(&request.target);
    let root = forge
        .api
        .splitn(4, '/')
        .nth(3)
        .unwrap_or_default()
        .to_owned();
    let below = path
        .trim_start_matches('/')
        .strip_prefix(&root)
        .unwrap_or(&path)
        .to_owned();
    let (status, headers, body) = if authorization.ends_with(&format!(" {}", shared.token)) {
        let found = forge.handle(Asked {
            method: request.method.clone(),
            path: below,
            query,
            body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        });
        (found.status, found.headers, found.body.to_string())
    } else {
        // What came is repeated, as careless servers do: the bot must not print it.
        let said = serde_json::json!({ "message": format!("Bad credentials: {authorization}") });
        (401, Vec::new(), said.to_string())
    };
    drop(forge);
    let mut head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    out.write_all(format!("{head}\r\n{body}").as_bytes())
}

fn git(out: &mut TcpStream, request: &Incoming, shared: &Shared) -> std::io::Result<()> {
    let (path, _) = split(&request.target);
    let query = request
        .target
        .split_once('?')
        .map_or("", |(_, query)| query);
    let authorization = request
        .headers
        .get("authorization")
        .cloned()
        .unwrap_or_default();
    if !knows(&authorization, &shared.token) {
        return out.write_all(
            b"HTTP/1.1 401 X\r\nwww-authenticate: Basic realm=\"forge\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    }
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &shared.repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "bot")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("HTTP_GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let body = request.body.clone();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&body);
    });
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .expect("it is piped")
        .read_to_end(&mut output)?;
    let _ = writer.join();
    child.wait()?;
    if path.ends_with("git-receive-pack") && request.method == "POST" {
        shared.pushes.fetch_add(1, Ordering::SeqCst);
    }
    let end = output
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .unwrap_or(0);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let others: Vec<&str> = head
        .lines()
        .filter(|line| !line.starts_with("Status:"))
        .collect();
    let body = &output[end + 4..];
    let head = format!(
        "HTTP/1.1 {status}\r\n{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        others.join("\r\n"),
        body.len()
    );
    out.write_all(head.as_bytes())?;
    out.write_all(body)
}

/// Whether `Basic …` holds the token as password.
fn knows(authorization: &str, token: &str) -> bool {
    let Some(encoded) = authorization.strip_prefix("Basic ") else {
        return false;
    };
    let decoded = base64(encoded.trim());
    decoded.rsplit(|byte| *byte == b':').next() == Some(token.as_bytes())
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for value in text.bytes().filter_map(value) {
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
