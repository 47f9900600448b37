//! Parses the shell text of every RUN, CMD, ENTRYPOINT and HEALTHCHECK of a folder's files, checks the invariants, and
//! prints how many parse, why the others do not, and how long a text takes.
//!
//! `cargo run --release --example shell_corpus -- FOLDER [--dialect posix|dash|busybox|bash] [--show REASON] [--check EVERY]`
//!
//! `--check N` gives every Nth text, and those that do not parse, to `bash -n` (`dash -n` with `--dialect dash`), and
//! says where the two disagree.
//! Exits 1 when an invariant is broken.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use docker_diet::shell::{self, Dialect, Script};
use docker_diet::syntax::{CommandBody, Dockerfile, Instruction, Keyword, Logical, Run};
use docker_diet::text::Span;

/// Most examples that are kept of one reason.
const EXAMPLES: usize = 4;

#[derive(Default)]
struct Totals {
    files: usize,
    texts: usize,
    bytes: usize,
    commands: usize,
    parsed: usize,
    spent: Vec<Duration>,
    /// Count and examples of each reason.
    refused: BTreeMap<String, (usize, Vec<String>)>,
    checked: usize,
    accepted: usize,
    accepted_by_both: usize,
    only_here: Vec<String>,
    only_there: Vec<String>,
    broken: Vec<String>,
}

struct Options {
    dialect: Dialect,
    show: Option<String>,
    check: Option<usize>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let Some(folder) = arguments.first().filter(|first| !first.starts_with('-')) else {
        eprintln!(
            "usage: shell_corpus FOLDER [--dialect posix|dash|busybox|bash] [--show REASON] [--check EVERY]"
        );
        return ExitCode::from(2);
    };
    let options = Options {
        dialect: match value("--dialect").as_deref() {
            Some("posix") => Dialect::Posix,
            Some("dash") => Dialect::Dash,
            Some("busybox") => Dialect::Busybox,
            _ => Dialect::Bash,
        },
        show: value("--show"),
        check: value("--check").and_then(|number| number.parse().ok()),
    };
    // A panic of the parser underneath is caught and counted as a reason.
    std::panic::set_hook(Box::new(|_| {}));
    let mut totals = Totals::default();
    for path in files(Path::new(folder)) {
        if let Ok(source) = std::fs::read(&path) {
            totals.files += 1;
            survey(&path, source, &options, &mut totals);
        }
    }
    print(&mut totals, &options);
    if totals.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn survey(path: &Path, source: Vec<u8>, options: &Options, totals: &mut Totals) {
    let dockerfile = Dockerfile::parse(source);
    for instruction in dockerfile.instructions() {
        let Some(text) = text_of(&dockerfile, instruction) else {
            continue;
        };
        totals.texts += 1;
        totals.bytes += text.text().len();
        let start = Instant::now();
        let result = shell::parse(&text, options.dialect);
        totals.spent.push(start.elapsed());
        let line = format!("{}:{}", path.display(), instruction.lines.0);
        match &result {
            Ok(script) => {
                totals.parsed += 1;
                totals.commands += script.invocations().len();
                if let Some(what) = broken(&dockerfile, instruction, script) {
                    totals.broken.push(format!("{line}: {what}"));
                }
            }
            Err(reason) => {
                let (count, examples) = totals.refused.entry(reason.message.clone()).or_default();
                *count += 1;
                let wanted = options.show.as_ref();
                if examples.len() < EXAMPLES
                    || wanted.is_some_and(|wanted| reason.message.contains(wanted))
                {
                    examples.push(line.clone());
                }
            }
        }
        if options
            .check
            .is_some_and(|every| result.is_err() || totals.texts.is_multiple_of(every))
        {
            check(&text, result.is_ok(), &line, options.dialect, totals);
        }
    }
}

/// What the shell reads of `instruction`.
fn text_of(dockerfile: &Dockerfile, instruction: &Instruction) -> Option<Logical> {
    if instruction.keyword == Keyword::Run {
        if let Some(Run::Script(index)) = instruction.as_run()
            && dockerfile
                .bytes(instruction.heredocs.get(index)?.body)
                .starts_with(b"#!")
        {
            return None;
        }
        return dockerfile.shell_text(instruction);
    }
    if instruction.keyword == Keyword::Shell {
        return None;
    }
    match instruction.command_body()? {
        CommandBody::Shell(text) => Some(text.clone()),
        CommandBody::Exec(_) => None,
    }
}

/// What is wrong with the spans of `script`.
fn broken(dockerfile: &Dockerfile, instruction: &Instruction, script: &Script) -> Option<String> {
    // A heredoc's terminator and the line feed before it are the outermost bytes of the text.
    let file = Span::new(instruction.span.start, instruction.span.end + 1);
    for word in script.words() {
        if !file.contains(word.span) {
            return Some(format!("{word:?} is out of its instruction"));
        }
        if word.contiguous && dockerfile.bytes(word.span) != word.raw {
            return Some(format!("{word:?} is not what the file holds"));
        }
    }
    for it in script.invocations() {
        if !file.contains(it.command.span) {
            return Some(format!("{:?} is out of its instruction", it.command.span));
        }
        let written = it
            .simple
            .words
            .iter()
            .all(|word| it.simple.span.contains(word.span));
        if !written || !it.command.span.contains(it.simple.span) && !it.simple.words.is_empty() {
            return Some(format!("{:?} does not hold its parts", it.command.span));
        }
    }
    let chain = script.chain();
    let ordered = chain
        .windows(2)
        .all(|pair| pair[0].1.span.end <= pair[1].1.span.start);
    (!ordered).then(|| "two commands of the list overlap".to_owned())
}

fn check(text: &Logical, parsed: bool, line: &str, dialect: Dialect, totals: &mut Totals) {
    let shell = match dialect {
        Dialect::Dash => "dash",
        _ => "bash",
    };
    let Ok(accepted) = accepts(shell, text.text()) else {
        return;
    };
    totals.checked += 1;
    totals.accepted += usize::from(accepted);
    match (parsed, accepted) {
        (true, true) => totals.accepted_by_both += 1,
        (true, false) => totals.only_here.push(line.to_owned()),
        (false, true) => totals.only_there.push(line.to_owned()),
        (false, false) => {}
    }
}

/// Whether `shell -n` reads `text` without a complaint.
fn accepts(shell: &str, text: &[u8]) -> std::io::Result<bool> {
    let mut child = Command::new(shell)
        .arg("-n")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A shell that gives up early closes its input.
        let _ = input.write_all(text);
    }
    let output = child.wait_with_output()?;
    Ok(output.status.success() && output.stderr.is_empty())
}

fn print(totals: &mut Totals, options: &Options) {
    println!(
        "{} files, {} texts ({} bytes), {} parse ({:.2} %), {} commands",
        totals.files,
        totals.texts,
        totals.bytes,
        totals.parsed,
        100.0 * totals.parsed as f64 / totals.texts.max(1) as f64,
        totals.commands,
    );
    totals.spent.sort_unstable();
    let spent: Duration = totals.spent.iter().sum();
    let at = |share: f64| {
        let index = (totals.spent.len() as f64 * share) as usize;
        totals.spent.get(index).copied().unwrap_or_default()
    };
    println!(
        "time a text: mean {:?}, median {:?}, 95 % under {:?}, 99 % under {:?}, most {:?}",
        spent / u32::try_from(totals.texts.max(1)).unwrap_or(u32::MAX),
        at(0.5),
        at(0.95),
        at(0.99),
        totals.spent.last().copied().unwrap_or_default(),
    );
    let mut reasons: Vec<_> = totals.refused.iter().collect();
    reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, examples)) in reasons {
        println!("{count:6}  {reason}\n        {}", examples.join(" "));
    }
    if options.check.is_some() {
        println!(
            "{} checked: the shell takes {}, of which {} parse here ({:.2} %)",
            totals.checked,
            totals.accepted,
            totals.accepted_by_both,
            100.0 * totals.accepted_by_both as f64 / totals.accepted.max(1) as f64,
        );
        println!("only the shell takes: {}", totals.only_there.join(" "));
        println!("only we take: {}", totals.only_here.join(" "));
    }
    for broken in &totals.broken {
        println!("broken: {broken}");
    }
}
