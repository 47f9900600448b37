//! Compares the parser with BuildKit over a folder of Dockerfiles.
//!
//! `cargo run --example buildkit_agreement -- FOLDER [ORACLE]` prints the share of files on which both agree, in
//! instructions, keywords, flags, arguments, heredocs, line ranges, ONBUILD and refusals, and what differs.
//! Exits with 1 when a file differs. The oracle's JSON holds text: invalid UTF-8 is compared as U+FFFD.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context, Result};
use docker_diet::syntax::{Arguments, Dockerfile, Healthcheck, Instruction, Keyword, Word};
use serde_json::{Value, json};

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().context("usage: FOLDER [ORACLE]")?;
    let oracle = arguments
        .next()
        .unwrap_or_else(|| "../shared/oracle/oracle".into());
    let mut paths = Vec::new();
    collect(Path::new(&folder), &mut paths)?;
    paths.sort();
    let mut child = Command::new(oracle)
        .arg("-lint=false")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the oracle does not start")?;
    let mut input = child.stdin.take().context("no standard input")?;
    let list = paths.clone();
    let writer = thread::spawn(move || -> Result<()> {
        for path in list {
            writeln!(input, "{}", path.display())?;
        }
        Ok(())
    });
    let output = BufReader::new(child.stdout.take().context("no standard output")?);
    let (mut files, mut agreed, mut refused) = (0, 0, 0);
    let mut out = std::io::stdout().lock();
    for line in output.lines() {
        let answer: Value = serde_json::from_str(&line?)?;
        let path = answer["path"].as_str().context("an answer without path")?;
        let source = std::fs::read(path)?;
        files += 1;
        let dockerfile = Dockerfile::parse(source);
        refused += usize::from(dockerfile.refused().is_some());
        match compare(&dockerfile, &answer) {
            Ok(()) => agreed += 1,
            Err(difference) => writeln!(out, "{path}: {difference}")?,
        }
    }
    writer.join().expect("the writer does not panic")?;
    child.wait()?;
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = 100.0 * f64::from(agreed) / (files as f64);
    writeln!(
        out,
        "{agreed} of {files} files agree ({share:.3} %), {refused} refused"
    )?;
    Ok(if files > 0 && usize::try_from(agreed)? == files {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

fn compare(dockerfile: &Dockerfile, answer: &Value) -> Result<(), String> {
    let mut joined = Vec::new();
    for item in dockerfile.items() {
        joined.extend_from_slice(dockerfile.bytes(item.span));
    }
    if joined != dockerfile.source() {
        return Err("not lossless".to_owned());
    }
    let ours = dockerfile.refused().map(|refused| refused.message.as_str());
    let theirs = answer["parseError"]
        .as_str()
        .or(answer["instrError"].as_str());
    match (ours, theirs) {
        (None, None) | (Some(_), Some(_)) => {}
        _ => return Err(format!("refused: ours {ours:?}, BuildKit's {theirs:?}")),
    }
    if answer["parseError"].is_string() {
        return Ok(());
    }
    let escape = (dockerfile.escape() as char).to_string();
    if answer["escape"] != escape {
        return Err(format!("escape {escape}"));
    }
    let nodes = answer["ast"].as_array().map_or(&[][..], Vec::as_slice);
    if nodes.len() != dockerfile.instructions().len() {
        return Err(format!(
            "{} instructions, BuildKit has {}",
            dockerfile.instructions().len(),
            nodes.len()
        ));
    }
    for (instruction, node) in dockerfile.instructions().iter().zip(nodes) {
        compare_instruction(dockerfile, instruction, node, true)
            .map_err(|difference| format!("line {}: {difference}", instruction.lines.0))?;
    }
    Ok(())
}

fn compare_instruction(
    dockerfile: &Dockerfile,
    instruction: &Instruction,
    node: &Value,
    outer: bool,
) -> Result<(), String> {
    let same = |what: &str, ours: Value, theirs: &Value| {
        let empty = ours == json!([]) && theirs.is_null();
        if empty || ours == *theirs {
            Ok(())
        } else {
            Err(format!("{what}: {ours} is {theirs} to BuildKit"))
        }
    };
    let keyword = text(dockerfile.bytes(instruction.keyword_span));
    if !(keyword.is_empty() && node["value"].is_null()) && keyword_is_contiguous(&keyword, node) {
        same("keyword", json!(keyword), &node["value"])?;
    }
    if outer {
        same("start", json!(instruction.lines.0), &node["start"])?;
        same("end", json!(instruction.lines.1), &node["end"])?;
        let heredocs: Vec<Value> = instruction
            .heredocs
            .iter()
            .map(|heredoc| {
                json!({
                    "Name": text(&heredoc.name),
                    "FileDescriptor": heredoc.descriptor,
                    "Expand": heredoc.expand,
                    "Chomp": heredoc.chomp,
                    "Content": text(dockerfile.bytes(heredoc.body)),
                })
            })
            .collect();
        same("heredocs", json!(heredocs), &node["heredocs"])?;
    }
    let flags: Vec<String> = instruction
        .flags
        .iter()
        .map(|flag| match &flag.value {
            Some(value) => format!("--{}={}", flag.name, text(value)),
            None => format!("--{}", flag.name),
        })
        .collect();
    same("flags", json!(flags), &node["flags"])?;
    if let Arguments::Onbuild(inner) = &instruction.arguments {
        return compare_instruction(dockerfile, inner, &node["sub"], false);
    }
    if instruction.keyword == Keyword::Unknown {
        return Ok(());
    }
    same("arguments", json!(arguments(instruction)), &node["args"])?;
    let is_json = matches!(instruction.arguments, Arguments::Json(_))
        || matches!(
            &instruction.arguments,
            Arguments::Healthcheck(Healthcheck::Command { arguments, .. })
                if matches!(**arguments, Arguments::Json(_))
        );
    let theirs = node["attrs"]["json"].as_bool().unwrap_or(false);
    if is_json != theirs {
        return Err(format!("JSON: {is_json} is {theirs} to BuildKit"));
    }
    spans(dockerfile, instruction)
}

/// A keyword that crosses a continuation has no contiguous text in the file.
fn keyword_is_contiguous(keyword: &str, node: &Value) -> bool {
    !keyword.contains('\n') || node["value"].as_str().is_some_and(|value| value == keyword)
}

fn arguments(instruction: &Instruction) -> Vec<String> {
    let word = |word: &Word| text(&word.text);
    match &instruction.arguments {
        Arguments::None | Arguments::Onbuild(_) => Vec::new(),
        Arguments::Text => vec![text(instruction.body.text())],
        Arguments::Words(words) => words.iter().map(word).collect(),
        Arguments::Json(strings) => strings.iter().map(|string| string.value.clone()).collect(),
        Arguments::Pairs { pairs, legacy } => pairs
            .iter()
            .flat_map(|pair| {
                let name = word(&pair.name);
                let value = pair.value.as_ref().map(word);
                if instruction.keyword == Keyword::Arg {
                    return vec![value.map_or(name.clone(), |value| format!("{name}={value}"))];
                }
                let delimiter = if *legacy { "" } else { "=" };
                vec![name, value.unwrap_or_default(), delimiter.to_owned()]
            })
            .collect(),
        Arguments::Healthcheck(check) => {
            let kind = instruction.body.text();
            let end = kind
                .iter()
                .position(|byte| (*byte as char).is_whitespace())
                .unwrap_or(kind.len());
            let mut all = vec![text(&kind[..end])];
            if let Healthcheck::Command { body, arguments } = check {
                match &**arguments {
                    Arguments::Json(strings) => {
                        all.extend(strings.iter().map(|string| string.value.clone()));
                    }
                    Arguments::Text => all.push(text(body.text())),
                    _ => {}
                }
            } else if end < kind.len() {
                all.push(text(kind[end..].trim_ascii()));
            }
            all
        }
    }
}

/// Words that stand in one piece in the file are the file's bytes.
fn spans(dockerfile: &Dockerfile, instruction: &Instruction) -> Result<(), String> {
    let words: Vec<&Word> = match &instruction.arguments {
        Arguments::Words(words) => words.iter().collect(),
        Arguments::Pairs { pairs, .. } => pairs
            .iter()
            .flat_map(|pair| std::iter::once(&pair.name).chain(&pair.value))
            .collect(),
        _ => Vec::new(),
    };
    for word in words {
        if !instruction.span.contains(word.span) {
            return Err("a word lies outside its instruction".to_owned());
        }
        if word.span.len() == word.text.len() && dockerfile.bytes(word.span) != word.text {
            return Err("a word's range is wrong".to_owned());
        }
    }
    Ok(())
}

/// The text of `bytes` as Go writes it: each invalid byte is one U+FFFD.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}
