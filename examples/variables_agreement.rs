//! Compares what variables expand to with BuildKit's build graph, over a folder of Dockerfiles and generated ones.
//!
//! `cargo run --release --example variables_agreement -- FOLDER [ORACLE]` gives both sides every file with its base images
//! replaced by `scratch`, and compares the environment, labels, ports, volumes, user and working directory of the final
//! image, and the plain COPYs of the chain that ships. What the base image may set stays a variable in the model: values
//! with such a one in them are not compared. Generated files hold the forms of expansion but for `:?`, quoted
//! and escaped.
//! Exits with 1 when a file differs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, Result};
use docker_diet::catalog::Catalog;
use docker_diet::model::{Base, Model};
use docker_diet::syntax::{Dockerfile, Keyword};
use docker_diet::text::{Edit, apply};
use serde_json::Value;

/// How many files are generated.
const GENERATED: u64 = 5_000;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().context("usage: FOLDER [ORACLE]")?;
    let oracle = arguments
        .next()
        .unwrap_or_else(|| "../shared/oracle/oracle".into());
    let scratch = tempfile::tempdir()?;
    let mut paths = Vec::new();
    collect(Path::new(&folder), &mut paths)?;
    paths.sort();
    let mut given = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        if let Some(text) = on_scratch(std::fs::read(path)?) {
            given.push(write(scratch.path(), &format!("corpus-{number}"), &text)?);
        }
    }
    for seed in 0..GENERATED {
        let text = generated(&mut Random(seed));
        given.push(write(
            scratch.path(),
            &format!("generated-{seed}"),
            text.as_bytes(),
        )?);
    }
    let mut child = Command::new(oracle)
        .args(["-llb", "-lint=false", "-ast=false", "-instr=false"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the oracle does not start")?;
    let mut input = child.stdin.take().context("no standard input")?;
    let writer = thread::spawn(move || -> Result<()> {
        for path in given {
            writeln!(input, "{}", path.display())?;
        }
        Ok(())
    });
    let output = BufReader::new(child.stdout.take().context("no standard output")?);
    let catalog = Catalog::default();
    let (mut compared, mut agreed, mut refused) = (0_u32, 0_u32, 0_u32);
    let mut out = std::io::stdout().lock();
    for line in output.lines() {
        let answer: Value = serde_json::from_str(&line?)?;
        let path = answer["path"].as_str().context("an answer without path")?;
        let Some(config) = answer["image"]["config"].as_object() else {
            refused += 1;
            continue;
        };
        let dockerfile = Dockerfile::parse(std::fs::read(path)?);
        let theirs = facts_of(&Value::Object(config.clone()), &answer);
        compared += 1;
        match compare(&dockerfile, &catalog, &theirs) {
            Ok(()) => agreed += 1,
            Err(difference) => writeln!(out, "{path}: {difference}")?,
        }
    }
    writer.join().expect("the writer does not panic")?;
    child.wait()?;
    writeln!(
        out,
        "{agreed} of {compared} final images agree; BuildKit makes none of {refused} files"
    )?;
    if agreed != compared {
        let kept = scratch.keep();
        writeln!(out, "the files are in {}", kept.display())?;
    }
    Ok(if compared > 0 && agreed == compared {
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

fn write(folder: &Path, name: &str, text: &[u8]) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

/// The file with `scratch` in place of every base image: what those bring is not in question. None for files that
/// are not UTF-8, which JSON cannot carry, and for those with a stage on one that has ONBUILD.
fn on_scratch(source: Vec<u8>) -> Option<Vec<u8>> {
    std::str::from_utf8(&source).ok()?;
    let dockerfile = Dockerfile::parse(source);
    if dockerfile.refused().is_some() {
        return None;
    }
    let catalog = Catalog::default();
    let model = Model::new(&dockerfile, &catalog, &[]);
    let mut edits = Vec::new();
    for stage in &model.stages {
        if let Base::Stage(parent) = stage.base {
            // Triggers of a stage run in the next one: the model reports them and does not run them.
            if !model.stages[parent].end.config.onbuild.is_empty() {
                return None;
            }
            continue;
        }
        let from = model.instruction(stage.from).as_from()?;
        edits.push(Edit::replace(from.image.span, *b"scratch"));
    }
    apply(dockerfile.source(), &edits).ok()
}

/// What is compared, by name.
type Facts = BTreeMap<String, String>;

fn facts_of(config: &Value, answer: &Value) -> Facts {
    let mut facts = Facts::new();
    for pair in config["Env"].as_array().into_iter().flatten() {
        if let Some((name, value)) = pair.as_str().and_then(|pair| pair.split_once('=')) {
            facts.insert(format!("env {name}"), value.to_owned());
        }
    }
    for (name, value) in config["Labels"].as_object().into_iter().flatten() {
        facts.insert(
            format!("label {name}"),
            value.as_str().unwrap_or_default().to_owned(),
        );
    }
    for (field, kind) in [("ExposedPorts", "port"), ("Volumes", "volume")] {
        for name in config[field].as_object().into_iter().flatten() {
            let name = name.0.trim_end_matches("/tcp");
            facts.insert(format!("{kind} {name}"), String::new());
        }
    }
    for (field, kind) in [("User", "user"), ("WorkingDir", "workdir")] {
        let value = config[field].as_str().unwrap_or_default();
        let value = match kind {
            "workdir" => cleaned(value),
            _ => value.to_owned(),
        };
        facts.insert(kind.to_owned(), value);
    }
    let copies = answer["image"]["history"].as_array().into_iter().flatten();
    for (number, copy) in copies
        .filter_map(|step| step["created_by"].as_str())
        .filter_map(|text| text.strip_prefix("COPY "))
        .enumerate()
    {
        let text = copy.trim_end_matches(" # buildkit");
        facts.insert(format!("copy {number}"), text.to_owned());
    }
    facts
}

fn compare(dockerfile: &Dockerfile, catalog: &Catalog, theirs: &Facts) -> Result<(), String> {
    let model = Model::new(dockerfile, catalog, &[]);
    let stage = model.final_stage().ok_or("no final stage")?;
    let config = &stage.end.config;
    let mut ours = Facts::new();
    for (name, value) in config.env.iter() {
        ours.insert(format!("env {name}"), value.clone());
    }
    for (name, value) in config.labels.iter() {
        ours.insert(format!("label {name}"), value.clone());
    }
    for (port, ()) in config.ports.iter() {
        for port in single_ports(port) {
            ours.insert(format!("port {port}"), String::new());
        }
    }
    for (volume, ()) in config.volumes.iter() {
        ours.insert(format!("volume {volume}"), String::new());
    }
    ours.insert("user".to_owned(), config.user.clone().unwrap_or_default());
    let workdir = config.workdir.clone().unwrap_or_default();
    ours.insert("workdir".to_owned(), workdir);
    let chain = model.chain(stage.index);
    let copies = chain
        .iter()
        .rev()
        .flat_map(|stage| model.of_kind(stage, Keyword::Copy));
    for (number, index) in copies.enumerate() {
        let Some(copy) = model.instruction(index).as_copy() else {
            continue;
        };
        let key = format!("copy {number}");
        // BuildKit writes flags and heredocs into its history in a form of its own.
        let plain = model.instruction(index).flags.is_empty()
            && copy.sources.iter().all(|source| source.heredoc.is_none());
        if !plain {
            if let Some(theirs) = theirs.get(&key) {
                ours.insert(key, theirs.clone());
            }
            continue;
        }
        let state = model.state(index);
        let expand = |text: &[u8]| state.expand(text, dockerfile.escape());
        let words = copy.sources.iter().map(|source| expand(source.text));
        let mut words: Vec<String> = words.collect();
        words.push(expand(copy.destination.text));
        ours.insert(key, words.join(" "));
    }
    // What the base image may set stays a variable here; BuildKit knows that `scratch` sets nothing.
    let kind = |name: &str| name.split(' ').next().unwrap_or_default().to_owned();
    let unknown: BTreeSet<String> = ours
        .keys()
        .filter(|name| name.contains('$'))
        .map(|name| kind(name))
        .collect();
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        // The default PATH belongs to the platform.
        if name == "env PATH" && !ours.contains_key(name) {
            continue;
        }
        let (one, other) = (ours.get(name), theirs.get(name));
        if unknown.contains(&kind(name)) || one.is_some_and(|value| value.contains("${")) {
            continue;
        }
        if one != other {
            return Err(format!("{name}: ours {one:?}, BuildKit's {other:?}"));
        }
    }
    Ok(())
}

/// `/a//b/` as `/a/b`: BuildKit keeps what was written, and the engine cleans it.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    match (path.starts_with('/'), parts.is_empty()) {
        (_, true) => path.chars().take(1).collect(),
        (true, false) => format!("/{}", parts.join("/")),
        (false, false) => parts.join("/"),
    }
}

/// `80-82/udp` one by one; what it is published as goes.
fn single_ports(written: &str) -> Vec<String> {
    let (ports, protocol) = match written.split_once('/') {
        Some((ports, protocol)) if !protocol.eq_ignore_ascii_case("tcp") => {
            (ports, format!("/{}", protocol.to_lowercase()))
        }
        Some((ports, _)) => (ports, String::new()),
        None => (written, String::new()),
    };
    let ports = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => (first..=last)
            .map(|port| format!("{port}{protocol}"))
            .collect(),
        _ => vec![format!("{ports}{protocol}")],
    }
}

/// A sequence of numbers that depends on its seed alone.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap_or(0)
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}

/// A Dockerfile that uses variables wherever they are expanded.
fn generated(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(3) {
        text += &format!("ARG {}={}\n", random.of(NAMES), plain(random));
    }
    // Every name has a value: one that no instruction sets could come from the base image.
    text += "FROM scratch AS one\nENV A=a.b.c B= C=x/y/z LONG_NAME=aXbXc\n";
    for _ in 0..4 + random.below(12) {
        let word = word(random);
        text += &match random.below(9) {
            0 => format!("ARG {}\n", random.of(NAMES)),
            1 => format!("ARG {}={word}\n", random.of(NAMES)),
            2 | 3 => format!("ENV {}={word}\n", random.of(NAMES)),
            4 => format!("ENV {} {word} {}\n", random.of(NAMES), plain(random)),
            5 => format!("LABEL l{}={word}\n", random.below(3)),
            6 => format!("WORKDIR /w/{word}\n"),
            7 => format!("COPY a{word} /d/\n"),
            _ => format!("USER u{word}\n"),
        };
    }
    text
}

const NAMES: &[&str] = &["A", "B", "C", "LONG_NAME"];

fn plain(random: &mut Random) -> &'static str {
    random.of(&[
        "a.b.c",
        "x",
        "/usr/local/lib",
        "1.2.3-rc1",
        "\"\"",
        "aXbXc",
        "é",
    ])
}

fn word(random: &mut Random) -> String {
    let mut word = String::new();
    for _ in 0..=random.below(3) {
        let name = random.of(NAMES);
        let pattern = random.of(&["a", "*", "*.", "?", ".*", "[ab]", "/*", "X", "\\*", "1.?"]);
        let value = random.of(&["y", "", "y.z", "${B}", "$C", "a\\ b"]);
        word += &match random.below(15) {
            0 => format!("${name}"),
            1 => format!("${{{name}}}"),
            2 => format!("${{{name}:-{value}}}"),
            3 => format!("${{{name}:+{value}}}"),
            4 => format!("${{{name}-{value}}}"),
            5 => format!("${{{name}+{value}}}"),
            6 => format!("${{{name}#{pattern}}}"),
            7 => format!("${{{name}##{pattern}}}"),
            8 => format!("${{{name}%{pattern}}}"),
            9 => format!("${{{name}%%{pattern}}}"),
            10 => format!("${{{name}/{pattern}/{value}}}"),
            11 => format!("${{{name}//{pattern}/{value}}}"),
            12 => format!("\\${name}"),
            13 => format!("'${name}'"),
            _ => format!("\"<${name}>\""),
        };
    }
    word
}
