//! The `git` program, run so that nothing in a repository is carried out.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Access, GitError, Limits};

/// Of what git says about an error, its end of this length is kept.
const LONGEST_ERROR: usize = 16 << 10;
/// More than this is not read from git.
const LONGEST_OUTPUT: u64 = 256 << 20;
/// How often a running git is looked at, at first.
const BEAT: Duration = Duration::from_millis(5);
/// How often the size of what it fetches is measured.
const WEIGH: Duration = Duration::from_secs(1);

/// Variables that git gets from outside: where programs are, how the network is reached, which certificates hold.
const PASSED: [&str; 20] = [
    "PATH",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "COMSPEC",
    "PATHEXT",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_EXEC_PATH",
    "SSH_AUTH_SOCK",
];

/// Fixed environment: no configuration of the machine or the user, no questions, no LFS, no replaced objects.
const FIXED: [(&str, &str); 16] = [
    ("LC_ALL", "C"),
    ("LANGUAGE", "C"),
    ("TZ", "UTC"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_SYSTEM", NOTHING),
    ("GIT_CONFIG_GLOBAL", NOTHING),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_PROTOCOL_FROM_USER", "0"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    (
        "GIT_SSH_COMMAND",
        "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes",
    ),
];

/// Fixed configuration, above that of any file.
const CONFIGURED: [(&str, &str); 26] = [
    ("core.hooksPath", NOTHING),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "false"),
    ("core.autocrlf", "false"),
    ("core.safecrlf", "false"),
    ("core.attributesFile", NOTHING),
    ("core.excludesFile", NOTHING),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.quotePath", "false"),
    ("core.sparseCheckout", "false"),
    ("core.pager", "cat"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("push.recurseSubmodules", "no"),
    ("push.gpgSign", "false"),
    ("commit.gpgSign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("transfer.credentialsInUrl", "die"),
    ("transfer.bundleURI", "false"),
    ("http.followRedirects", "initial"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
    ("credential.interactive", "false"),
    // An empty value takes all helpers of other files away.
    ("credential.helper", ""),
];

#[cfg(unix)]
const NOTHING: &str = "/dev/null";
#[cfg(not(unix))]
const NOTHING: &str = "NUL";

/// The variable in which the credential helper finds the token. The helper is a line of shell that prints it by a
/// builtin: it is in no argument, no file and no address.
const TOKEN: &str = "DOCKER_DIET_GIT_TOKEN";

/// A call of git that is being put together.
pub(super) struct Git<'a> {
    command: Command,
    configured: Vec<(String, String)>,
    input: Vec<u8>,
    limits: &'a Limits,
    /// A folder whose growth is bounded while git runs.
    watched: Option<PathBuf>,
    access: Option<&'a Access>,
}

/// What a git that ended has left.
pub(super) struct Ended {
    /// How messages name it.
    pub(super) call: String,
    pub(super) success: bool,
    /// Its standard output.
    pub(super) output: Vec<u8>,
    /// The end of what it said, without the token, on one line.
    pub(super) error: String,
}

impl<'a> Git<'a> {
    /// `git SUBCOMMAND` in the repository whose work tree is `folder`.
    pub(super) fn new(folder: &Path, subcommand: &str, limits: &'a Limits) -> Self {
        let mut command = Command::new("git");
        command.current_dir(folder).env_clear();
        for name in PASSED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(FIXED);
        command
            .env("HOME", folder.join(".git"))
            .env("GIT_DIR", folder.join(".git"))
            .env("GIT_WORK_TREE", folder)
            .env("GIT_CEILING_DIRECTORIES", folder)
            .env("GIT_ALLOW_PROTOCOL", "none")
            .arg(subcommand);
        let configured = CONFIGURED
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            command,
            configured,
            input: Vec::new(),
            limits,
            watched: None,
            access: None,
        }
    }

    pub(super) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    pub(super) fn args<T: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.command.args(words);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn config(mut self, key: &str, value: &str) -> Self {
        self.configured.push((key.to_owned(), value.to_owned()));
        self
    }

    /// What git reads on its standard input.
    pub(super) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = bytes;
        self
    }

    /// Bounds the growth of the repository while git runs.
    pub(super) fn watch(mut self, folder: &Path) -> Self {
        self.watched = Some(folder.join(".git").join("objects"));
        self
    }

    /// Allows the protocol of `access`, and lends its token to that one host.
    pub(super) fn with_access(mut self, access: &'a Access) -> Self {
        self.command.env("GIT_ALLOW_PROTOCOL", access.protocol());
        if let Some((scope, user, token)) = access.credentials() {
            self.command.env(TOKEN, token.reveal());
            let helper = format!(
                "!f() {{ test \"$1\" = get && printf 'username={user}\\npassword=%s\\n' \"${TOKEN}\"; }}; f"
            );
            self.configured
                .push((format!("credential.{scope}.helper"), helper));
        }
        self.access = Some(access);
        self
    }

    /// Runs it and gives its standard output.
    pub(super) fn run(self) -> Result<Vec<u8>, GitError> {
        let ended = self.run_to_end()?;
        match ended.success {
            true => Ok(ended.output),
            false => Err(GitError::Failed {
                call: ended.call,
                message: ended.error,
            }),
        }
    }

    /// As [`Git::run`], as text without the final line feed.
    pub(super) fn line(self) -> Result<String, GitError> {
        let output = self.run()?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    /// Runs it, whether it succeeds or not.
    pub(super) fn run_to_end(mut self) -> Result<Ended, GitError> {
        for (at, (key, value)) in self.configured.iter().enumerate() {
            self.command.env(format!("GIT_CONFIG_KEY_{at}"), key);
            self.command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        self.command
            .env("GIT_CONFIG_COUNT", self.configured.len().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let call = format!(
            "git {}",
            self.command
                .get_args()
                .next()
                .unwrap_or_default()
                .to_string_lossy()
        );
        let mut child = self.command.spawn().map_err(|cause| GitError::Start {
            message: match cause.kind() {
                std::io::ErrorKind::NotFound => "it is not installed".to_owned(),
                _ => cause.to_string(),
            },
        })?;
        let stdin = child.stdin.take();
        let input = std::mem::take(&mut self.input);
        let writer = thread::spawn(move || {
            if let Some(mut stdin) = stdin {
                // A git that ends early closes its end; its status tells why.
                let _ = stdin.write_all(&input);
            }
        });
        let output = collect(child.stdout.take(), LONGEST_OUTPUT);
        let error = collect(child.stderr.take(), LONGEST_OUTPUT);
        let ended = self.wait(&mut child, &call);
        let _ = writer.join();
        let status = ended?;
        let output = output.recv().unwrap_or_default();
        let error = self.clean(&error.recv().unwrap_or_default());
        if output.len() as u64 > LONGEST_OUTPUT {
            return Err(GitError::TooLarge {
                what: format!("the output of {call} is larger than 256 MB"),
            });
        }
        Ok(Ended {
            call,
            success: status.success(),
            output,
            error,
        })
    }

    fn wait(&self, child: &mut Child, call: &str) -> Result<std::process::ExitStatus, GitError> {
        let started = Instant::now();
        let (mut weighed, mut beat) = (started, BEAT);
        let why = loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(cause) => {
                    break GitError::Start {
                        message: cause.to_string(),
                    };
                }
            }
            if started.elapsed() > self.limits.time {
                break GitError::TimedOut {
                    call: call.to_owned(),
                    limit: self.limits.time,
                };
            }
            if let Some(folder) = &self.watched
                && weighed.elapsed() > WEIGH
            {
                weighed = Instant::now();
                if weight(folder) > self.limits.fetched {
                    break GitError::TooLarge {
                        what: format!(
                            "its newest commit is larger than {} MB",
                            self.limits.fetched >> 20
                        ),
                    };
                }
            }
            thread::sleep(beat);
            beat = (beat * 2).min(Duration::from_millis(50));
        };
        // Its helpers end when their pipes close.
        let _ = child.kill();
        let _ = child.wait();
        Err(why)
    }

    /// The end of what git said, without the token, on one line.
    fn clean(&self, bytes: &[u8]) -> String {
        let from = bytes.len().saturating_sub(LONGEST_ERROR);
        let text = String::from_utf8_lossy(&bytes[from..]);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("hint:"))
            .collect();
        let lines = &lines[lines.len().saturating_sub(4)..];
        let text: String = lines
            .join("; ")
            .chars()
            .map(|char| if char.is_control() { '?' } else { char })
            .collect();
        let token = self.access.and_then(Access::credentials);
        match token {
            Some((_, _, token)) => token.redact(&text),
            None => text,
        }
    }
}

fn collect(stream: Option<impl Read + Send + 'static>, most: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // One byte more tells that there was more; the rest is read and dropped.
            let _ = (&mut stream).take(most + 1).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// Bytes of the files in `folder` and one level below: what git has fetched so far.
fn weight(folder: &Path) -> u64 {
    let files = |folder: &Path| {
        std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .collect::<Vec<_>>()
    };
    let mut bytes = 0;
    for entry in files(folder) {
        for file in files(&entry.path()) {
            bytes += file.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    bytes
}
