//! Two containers side by side: what the original did and the rewrite does not.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fault::{Cause, Fault};
use super::probe::{Answered, ProbeAnswer};
use super::promise::Promise;
use super::run::{End, Ran};
use crate::rules::Change;

/// Words of a log line that tell of a file, module or right that is not there.
const TELLING: [&str; 15] = [
    "permission denied",
    "eacces",
    "no such file or directory",
    "enoent",
    "cannot find module",
    "modulenotfounderror",
    "importerror",
    "cannot open shared object file",
    "command not found",
    "read-only file system",
    "certificate verify failed",
    "certificate signed by unknown authority",
    "noclassdeffounderror",
    "template not found",
    "pattern matches no files",
];
/// Words of a line that says why a program ends, which stack traces follow.
const LOUD: [&str; 5] = ["panic:", "fatal", "exception", "error:", "error "];
/// Ports from here on are given out by chance.
const EPHEMERAL: u16 = 32_768;

/// What the comparison of two runs gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Behaviour {
    pub(super) faults: Vec<Fault>,
    /// What is worth knowing and no fault.
    pub(super) remarks: Vec<String>,
    /// Why the runs prove little, if so.
    pub(super) unproved: Option<String>,
}

/// Compares the runs of the original and of the rewrite.
pub(super) fn compare(before: &Ran, after: &Ran, promise: &Promise) -> Behaviour {
    let mut found = Behaviour::default();
    match (&before.end, &after.end) {
        (End::NotStarted(was), End::NotStarted(_)) => {
            found.unproved = Some(format!("the original does not start either: {was}"));
            return found;
        }
        (End::NotStarted(was), _) => {
            found.unproved = Some(format!("the original does not start: {was}"));
            return found;
        }
        (_, End::NotStarted(why)) => {
            let remedy = "look at the program, its interpreter and the user";
            found.faults.push(Fault::run(
                Cause::Start,
                format!("it does not start: {why}"),
                remedy,
            ));
            return found;
        }
        (End::Exited(was), End::Exited(is)) => found.both_ended(before, after, (*was, *is)),
        (End::Exited(code), End::Running) => {
            found.remarks.push(format!(
                "the original ends with {code}, the rewrite goes on"
            ));
            found.unproved = Some(format!("the original ends with {code}"));
        }
        (End::Running, End::Exited(code)) => {
            let message = format!(
                "it ends with {code}, the original goes on; it says: {}",
                last(after)
            );
            found
                .faults
                .push(Fault::run(Cause::Exit, message, log_remedy(after)));
        }
        (End::Running, End::Running) => found.both_run(before, after),
    }
    found.process_user(before, after, promise);
    if found.faults.is_empty() {
        found.logs(before, after);
    }
    found
}

impl Behaviour {
    fn fault(&mut self, cause: Cause, message: String, remedy: &str) {
        self.faults.push(Fault::run(cause, message, remedy));
    }

    fn both_ended(&mut self, before: &Ran, after: &Ran, (was, is): (i32, i32)) {
        if was != is {
            let message = format!(
                "it ends with {is}, the original with {was}; it says: {}",
                last(after)
            );
            self.faults
                .push(Fault::run(Cause::Exit, message, log_remedy(after)));
            return;
        }
        if was == 0 {
            if plain(&before.stdout) != plain(&after.stdout) {
                let message = format!(
                    "it prints {}, the original {}",
                    quoted(&after.stdout),
                    quoted(&before.stdout)
                );
                self.fault(Cause::Output, message, "compare what the two programs read");
            }
            return;
        }
        let said: BTreeSet<String> = lines(after).map(plain).collect();
        let errors: Vec<String> = lines(before).map(plain).collect();
        let same = errors.last().is_none_or(|last| said.contains(last));
        if same {
            self.unproved = Some(format!("both end with {was}: {}", last(before)));
        } else {
            let message = format!(
                "it ends with {is} as the original does, and says: {}; the original: {}",
                last(after),
                last(before)
            );
            self.faults
                .push(Fault::run(Cause::Exit, message, log_remedy(after)));
        }
    }

    fn both_run(&mut self, before: &Ran, after: &Ran) {
        let silent = |answers: &[Answered]| {
            answers
                .iter()
                .all(|answered| matches!(answered.answer, ProbeAnswer::Silence(_)))
        };
        if silent(&before.answers) {
            self.unproved = Some(match before.answers.first() {
                Some(first) => format!("the original does not answer {}", first.asked),
                None => "the original runs and listens nowhere; it was only looked at".to_owned(),
            });
        } else {
            self.answers(before, after);
        }
        if let (Some(was), Some(is)) = (&before.listening, &after.listening)
            && self.faults.is_empty()
        {
            for port in was.difference(is).filter(|port| **port < EPHEMERAL) {
                self.fault(
                    Cause::Port,
                    format!("nothing listens on port {port}, the original does"),
                    "look at its log",
                );
            }
            for port in is.difference(was).filter(|port| **port < EPHEMERAL) {
                self.remarks.push(format!("it listens on port {port} too"));
            }
        }
        if let (Some(was), Some(is)) = (before.stopped, after.stopped)
            && is.killed
            && !was.killed
        {
            let message = "it has to be killed, the original ends when it is told to".to_owned();
            self.fault(
                Cause::Signal,
                message,
                "start the program in exec form, or with `exec`",
            );
        }
        if let (Some(was), Some(is)) = (before.elapsed, after.elapsed)
            && is > was * 3 + Duration::from_secs(5)
        {
            self.remarks.push(format!(
                "it answers after {:.1} s, the original after {:.1} s",
                is.as_secs_f64(),
                was.as_secs_f64()
            ));
        }
    }

    fn answers(&mut self, before: &Ran, after: &Ran) {
        for (index, was) in before.answers.iter().enumerate() {
            let asked = &was.asked;
            let is = match after.answers.get(index).map(|answered| &answered.answer) {
                None => continue,
                Some(ProbeAnswer::Silence(why)) => {
                    if !matches!(was.answer, ProbeAnswer::Silence(_)) {
                        let message = format!(
                            "{asked} is not answered: {why}; its log ends: {}",
                            last(after)
                        );
                        self.faults
                            .push(Fault::run(Cause::Silence, message, log_remedy(after)));
                    }
                    return;
                }
                Some(is) => is,
            };
            let differs = match (&was.answer, is) {
                (ProbeAnswer::Http(was), ProbeAnswer::Http(is)) => {
                    let redirects =
                        (300..400).contains(&was.status) && (300..400).contains(&is.status);
                    !redirects && was.status != is.status
                        || was.content_type != is.content_type
                        || was.body.is_empty() != is.body.is_empty()
                }
                (
                    ProbeAnswer::Command {
                        exit_code: was,
                        expected: fine,
                        ..
                    },
                    ProbeAnswer::Command {
                        exit_code: is,
                        expected,
                        ..
                    },
                ) => was != is || fine != expected,
                (was, is) => was.short() != is.short(),
            };
            if differs {
                let message = format!(
                    "{asked} gives {}, in the original {}; its log ends: {}",
                    is.short(),
                    was.answer.short(),
                    last(after)
                );
                self.faults
                    .push(Fault::run(Cause::Answer, message, log_remedy(after)));
            }
        }
    }

    fn process_user(&mut self, before: &Ran, after: &Ran, promise: &Promise) {
        let (Some(was), Some(is)) = (before.user_id, after.user_id) else {
            return;
        };
        let declared = promise.changes.contains(&Change::User);
        if declared && is == 0 && was == 0 && promise.user.is_some() {
            let remedy = "look at what the entrypoint does with the user";
            self.fault(
                Cause::ProcessUser,
                "process 1 still runs as root, and the rewrite declares another user".to_owned(),
                remedy,
            );
        } else if !declared && was != is {
            let message = format!("process 1 runs as user {is}, in the original as {was}");
            self.fault(Cause::ProcessUser, message, "keep the original's USER");
        }
    }

    /// Lines that tell of something missing, and that the original does not write.
    fn logs(&mut self, before: &Ran, after: &Ran) {
        let known: BTreeSet<String> = lines(before).map(plain).collect();
        let new = lines(after).find(|line| {
            let lower = line.to_lowercase();
            TELLING.iter().any(|word| lower.contains(word)) && !known.contains(&plain(line))
        });
        if let Some(line) = new {
            let message = format!("its log says what the original's does not: {}", line.trim());
            self.faults
                .push(Fault::run(Cause::Log, message, log_remedy(after)));
        }
    }
}

/// The lines of a log that say something.
fn lines(ran: &Ran) -> impl Iterator<Item = &str> {
    let text = ran.stdout.lines().chain(ran.stderr.lines());
    text.filter(|line| !line.trim().is_empty())
}

/// What a container said last, on one line.
fn last(ran: &Ran) -> String {
    let error = ran.stderr.lines().chain(ran.stdout.lines()).map(str::trim);
    let telling = |line: &&str| {
        let lower = line.to_lowercase();
        TELLING.iter().any(|word| lower.contains(word))
    };
    let mut said: Vec<&str> = error.filter(|line| !line.is_empty()).collect();
    let from = said.len().saturating_sub(60);
    let recent = || said[from..].iter().copied();
    let loud = |line: &&str| {
        let lower = line.to_lowercase();
        LOUD.iter().any(|word| lower.contains(word))
    };
    let picked = recent().find(telling).or_else(|| recent().rfind(loud));
    let line = picked.or_else(|| {
        // Standard error comes first where both wrote.
        said.retain(|line| line.chars().any(char::is_alphanumeric));
        match ran.stderr.trim().is_empty() {
            false => ran
                .stderr
                .lines()
                .map(str::trim)
                .rfind(|line| line.chars().any(char::is_alphanumeric)),
            true => said.last().copied(),
        }
    });
    line.map_or_else(|| "nothing".to_owned(), |line| cut(line, 200))
}

/// What to do about the last line of a log.
fn log_remedy(ran: &Ran) -> &'static str {
    let said = last(ran).to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["permission denied", "eacces", "read-only"]) {
        "give the user the folder that it writes to, with COPY --chown or VOLUME"
    } else if has(&["shared object"]) {
        "install the library in the stage that ships"
    } else if has(&[
        "cannot find module",
        "modulenotfound",
        "importerror",
        "noclassdef",
    ]) {
        "copy the module, or install it in the stage that ships"
    } else if has(&[
        "no such file",
        "enoent",
        "template",
        "not found",
        "matches no files",
    ]) {
        "copy the file into the stage that ships"
    } else if has(&["certificate"]) {
        "install ca-certificates"
    } else {
        "read its whole log with --keep"
    }
}

/// A line without what differs from run to run: colours, numbers, addresses, quotes.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.trim().chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => {
                while characters
                    .next()
                    .is_some_and(|next| !next.is_ascii_alphabetic())
                {}
            }
            digit if digit.is_ascii_digit() => {
                if !out.ends_with('#') {
                    out.push('#');
                }
                // What follows a digit directly belongs to a number of some base, or to an address.
                while characters
                    .peek()
                    .is_some_and(|next| next.is_ascii_hexdigit() || matches!(next, '.' | ':' | 'x'))
                {
                    characters.next();
                }
            }
            '"' | '\'' | '`' => {}
            other => out.push(other),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    format!("{:?}", cut(text.trim(), 60))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Answer, Stopped};

    fn service(status: u16, log: &str) -> Ran {
        Ran {
            answers: vec![Answered {
                asked: "GET /".to_owned(),
                answer: ProbeAnswer::Http(Answer {
                    status,
                    content_type: "text/html".to_owned(),
                    body: b"x".to_vec(),
                }),
            }],
            listening: Some(BTreeSet::from([8080])),
            user_id: Some(0),
            stderr: log.to_owned(),
            ..Ran::default()
        }
    }

    fn ended(code: i32, stdout: &str, stderr: &str) -> Ran {
        Ran {
            end: End::Exited(code),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            ..Ran::default()
        }
    }

    fn causes(before: &Ran, after: &Ran) -> Vec<Cause> {
        let found = compare(before, after, &Promise::default());
        found.faults.iter().map(|fault| fault.cause).collect()
    }

    #[test]
    fn the_same_is_no_fault() {
        let before = service(200, "12:03:04 started in 120 ms");
        let after = service(200, "12:05:09 started in 90 ms");
        assert_eq!(causes(&before, &after), []);
    }

    #[test]
    fn answers_ports_and_signals() {
        let fine = service(200, "");
        assert_eq!(causes(&fine, &service(500, "")), [Cause::Answer]);
        let deaf = Ran {
            listening: Some(BTreeSet::new()),
            ..service(200, "")
        };
        assert_eq!(causes(&fine, &deaf), [Cause::Port]);
        let stopped = |killed| Ran {
            stopped: Some(Stopped {
                elapsed: Duration::from_secs(10),
                killed,
                exit_code: 0,
            }),
            ..service(200, "")
        };
        assert_eq!(causes(&stopped(false), &stopped(true)), [Cause::Signal]);
        assert_eq!(causes(&stopped(true), &stopped(true)), []);
        assert_eq!(
            causes(&fine, &ended(1, "", "Error: Cannot find module 'x'")),
            [Cause::Exit]
        );
    }

    #[test]
    fn a_log_that_tells_more() {
        let fine = service(200, "ready\nopen /data/1: permission denied");
        assert_eq!(
            causes(&fine, &service(200, "open /data/22: permission denied")),
            []
        );
        assert_eq!(
            causes(&fine, &service(200, "open /cache: permission denied")),
            [Cause::Log]
        );
    }

    #[test]
    fn what_dies_without_its_database_dies_the_same_way() {
        let before = ended(1, "", "10:00:01 connect ECONNREFUSED 127.0.0.1:5432");
        let after = ended(1, "", "10:00:09 connect ECONNREFUSED 127.0.0.1:5432");
        let found = compare(&before, &after, &Promise::default());
        assert!(found.faults.is_empty(), "{found:?}");
        let why = found.unproved.expect("nothing is proved");
        assert_eq!(
            why,
            "both end with 1: 10:00:01 connect ECONNREFUSED 127.0.0.1:5432"
        );
        let other = ended(1, "", "ModuleNotFoundError: No module named 'flask'");
        assert_eq!(causes(&before, &other), [Cause::Exit]);
        assert_eq!(causes(&before, &ended(2, "", "")), [Cause::Exit]);
    }

    #[test]
    fn programs_print_the_same() {
        assert_eq!(
            causes(&ended(0, "MCMXCIV\n", ""), &ended(0, "MCMXCIV\n", "")),
            []
        );
        assert_eq!(
            causes(&ended(0, "took 1.2 s\n", ""), &ended(0, "took 3.4 s\n", "")),
            []
        );
        assert_eq!(
            causes(&ended(0, "MCMXCIV\n", ""), &ended(0, "usage: x\n", "")),
            [Cause::Output]
        );
    }

    #[test]
    fn users_are_those_that_are_declared() {
        let mut promise = Promise::default();
        let (root, app) = (
            service(200, ""),
            Ran {
                user_id: Some(10001),
                ..service(200, "")
            },
        );
        assert_eq!(
            compare(&root, &app, &promise).faults[0].cause,
            Cause::ProcessUser
        );
        promise.changes.insert(Change::User);
        promise.user = Some("app".to_owned());
        assert!(compare(&root, &app, &promise).faults.is_empty());
        assert_eq!(
            compare(&root, &root, &promise).faults[0].cause,
            Cause::ProcessUser
        );
    }
}
