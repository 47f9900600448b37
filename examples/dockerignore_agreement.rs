//! Compares `.dockerignore` matching with Docker's own matcher on generated files and paths.
//!
//! `cargo run --release --example dockerignore_agreement -- ORACLE [CASES] [SEED]`, where ORACLE is a program that
//! takes `-ignore FILE` and paths on standard input and answers `- path` or `+ path` for each, or fails when Docker
//! refuses the file. Exits with 1 at the first thirty disagreements.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that prints what it finds"
)]

use docker_diet::context::Dockerignore;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

const NAMES: &[&str] = &[
    "a",
    "b",
    "ab",
    "abc",
    "a.b",
    ".env",
    "node_modules",
    "x y",
    "é",
    "日本",
    "dist",
    "README.md",
    "main.go",
    "a+b",
    "a(b)",
    "a^b",
    "a|b",
    "{a}",
    "aa",
    "aaa",
    "a-b",
    "]",
    "[a]",
    "a\\b",
    "7",
    "_",
    "!a",
    "#a",
    "$",
    "a,b",
    "..a",
    "a*",
    "aé",
    "Z",
];

const PIECES: &[&str] = &[
    "a",
    "b",
    "ab",
    "c",
    ".",
    "env",
    "node_modules",
    "*",
    "*",
    "*",
    "**",
    "**",
    "?",
    "[a-c]",
    "[^x]",
    "[^a-b]",
    "[!a]",
    "[é-ü]",
    "[\\]]",
    "[a",
    "\\*",
    "\\a",
    "\\?",
    "\\",
    " ",
    "é",
    "日",
    ".md",
    "{2}",
    "{a}",
    "{1,2}",
    "{0,}",
    "|",
    "^",
    "$",
    "+",
    "(",
    ")",
    "-",
    "]",
    "[[:alpha:]]",
    "\\d",
    "\\w",
    "\\.",
    "[*]",
    "[?]",
    "[.]",
    "dist",
    "_",
    "7",
    "\\b",
    "\\Qa",
    "[a-\\d]",
    "\t",
    "!",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(oracle) = arguments.get(1) else {
        eprintln!("usage: dockerignore_agreement ORACLE [CASES] [SEED]");
        return ExitCode::from(2);
    };
    let number = |at: usize, default: u64| {
        arguments
            .get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let mut random = Random(number(3, 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let file = std::env::temp_dir().join(format!("dockerignore-{}", std::process::id()));
    let mut tally = Tally::default();
    for _ in 0..number(2, 2000) {
        let text = random.ignore_file();
        let paths: Vec<String> = (0..60).map(|_| random.path()).collect();
        tally.compare(oracle, &file, &text, &paths);
        if tally.disagreements > 30 {
            break;
        }
    }
    let _ = std::fs::remove_file(&file);
    println!(
        "{} files, {} refused by both, {} answers, {} ignored, {} disagreements",
        tally.files, tally.refused, tally.answers, tally.ignored, tally.disagreements
    );
    ExitCode::from(u8::from(tally.disagreements > 0))
}

#[derive(Default)]
struct Tally {
    files: u64,
    refused: u64,
    answers: u64,
    ignored: u64,
    disagreements: u64,
}

impl Tally {
    fn compare(&mut self, oracle: &str, file: &Path, text: &str, paths: &[String]) {
        self.files += 1;
        let theirs = ask(oracle, file, text, paths);
        match (Dockerignore::parse(text.as_bytes()), theirs) {
            (Err(_), None) => self.refused += 1,
            // Docker compiles a pattern when the first path needs it: the line alone shows whether it would refuse it.
            (Err(error), Some(_))
                if ask(oracle, file, &line_alone(text, error.line), paths).is_none() =>
            {
                self.refused += 1;
            }
            (Err(error), Some(_)) => self.disagree(text, &format!("refused here: {error}")),
            (Ok(_), None) => self.disagree(text, "refused by Docker"),
            (Ok(ours), Some(theirs)) => {
                for (path, theirs) in paths.iter().zip(theirs) {
                    self.answers += 1;
                    self.ignored += u64::from(theirs);
                    if ours.ignores(path) != theirs {
                        self.disagree(text, &format!("{path:?} ignored by Docker: {theirs}"));
                    }
                }
            }
        }
    }

    fn disagree(&mut self, text: &str, what: &str) {
        self.disagreements += 1;
        println!("{text:?}\n    {what}");
    }
}

/// Line `number` of `text` as a file of its own that ignores, whatever it was.
fn line_alone(text: &str, number: usize) -> String {
    let line = text.lines().nth(number - 1).unwrap_or("").trim();
    line.trim_start_matches('\u{FEFF}')
        .trim_start_matches('!')
        .to_owned()
}

/// Docker's answers; none when it refuses the file.
fn ask(oracle: &str, file: &Path, text: &str, paths: &[String]) -> Option<Vec<bool>> {
    std::fs::write(file, text).expect("the temporary folder can be written");
    let mut child = Command::new(oracle)
        .arg("-ignore")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the oracle starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    // A refusal closes the pipe early.
    let _ = input.write_all(paths.join("\n").as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("the oracle ends");
    let answers = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<bool> = answers.lines().map(|line| line.starts_with('-')).collect();
    (output.status.success() && answers.len() == paths.len()).then_some(answers)
}

/// A xorshift generator: the same seed gives the same cases everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn path(&mut self) -> String {
        let parts: Vec<&str> = (0..=self.below(4)).map(|_| self.pick(NAMES)).collect();
        parts.join("/")
    }

    fn ignore_file(&mut self) -> String {
        let mut text = String::new();
        if self.below(20) == 0 {
            text.push('\u{FEFF}');
        }
        for _ in 0..=self.below(6) {
            let prefixes = [
                "", "", "", "", "!", "!", "/", "./", "../", " ", "! ", "# ", "!/", "**/", "!**/",
            ];
            text += self.pick(&prefixes);
            text += &self.pattern();
            text += self.pick(&["", "", "", "/", "/**", "/*", " ", "\r", "/..", "/."]);
            text.push('\n');
        }
        text
    }

    fn pattern(&mut self) -> String {
        match self.below(4) {
            0 => self.path(),
            1 => {
                let (before, after) = (self.path(), self.path());
                format!(
                    "{before}{}{after}",
                    self.pick(&["/**/", "/*/", "**", "*", "/", "?"])
                )
            }
            _ => {
                let parts: Vec<String> = (0..=self.below(3))
                    .map(|_| (0..=self.below(3)).map(|_| self.pick(PIECES)).collect())
                    .collect();
                parts.join("/")
            }
        }
    }
}
