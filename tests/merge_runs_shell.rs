//! `merge-runs` is sound: the merged text and the separate ones, each in its own shell, leave the same files and the
//! same exit status under dash, bash and busybox.
//!
//! The bodies are made of a fixed vocabulary, and name nothing outside of the scratch folder in which they run.

#[path = "support/settings.rs"]
mod settings;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use docker_diet::catalog::Catalog;
use docker_diet::pipeline::plan;
use docker_diet::syntax::{Dockerfile, Keyword};

/// The shells, as a command and its first arguments.
const SHELLS: [&[&str]; 3] = [&["dash"], &["bash"], &["busybox", "sh"]];

/// How many pairs and triples are made.
const CASES: u64 = 300;

/// How many of them are to be merged at least: a rule that refuses all of them would be sound, too.
const MERGED_AT_LEAST: usize = 80;

#[test]
fn merged_runs_do_what_the_separate_ones_did() {
    let catalog = Catalog::default();
    let chosen = settings::only(&["merge-runs".to_owned()]);
    let mut merged = 0;
    for seed in 0..CASES {
        let bodies = Bodies::new(seed).make();
        let source = format!(
            "FROM debian:13\n{}",
            bodies
                .iter()
                .map(|body| format!("RUN {body}\n"))
                .collect::<String>()
        );
        let made = plan(source.as_bytes(), None, &catalog, &chosen, None);
        assert!(made.notes.is_empty(), "{source}{:?}", made.notes);
        let after = texts(&made.result);
        if after.len() == bodies.len() {
            continue;
        }
        merged += 1;
        let before = texts(source.as_bytes());
        for shell in SHELLS {
            assert_eq!(
                outcome(shell, &before),
                outcome(shell, &after),
                "seed {seed} under {shell:?}:\n{source}became\n{}",
                String::from_utf8_lossy(&made.result)
            );
        }
    }
    assert!(
        merged >= MERGED_AT_LEAST,
        "only {merged} of {CASES} were merged"
    );
}

/// What each RUN of a Dockerfile hands to the shell.
fn texts(source: &[u8]) -> Vec<Vec<u8>> {
    let dockerfile = Dockerfile::parse(source.to_vec());
    assert!(
        dockerfile.refused().is_none(),
        "{}",
        String::from_utf8_lossy(source)
    );
    let runs = dockerfile
        .instructions()
        .iter()
        .filter(|it| it.keyword == Keyword::Run);
    runs.map(|run| {
        dockerfile
            .shell_text(run)
            .expect("every RUN is in shell form")
            .text()
            .to_vec()
    })
    .collect()
}

/// The exit status of the first text that fails, else zero, and every file with its contents.
fn outcome(shell: &[&str], texts: &[Vec<u8>]) -> (Option<i32>, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().expect("a scratch folder can be made");
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("sub")).expect("the scratch folder can be written");
    let mut status = Some(0);
    for text in texts {
        let text = String::from_utf8(text.clone()).expect("the vocabulary is ASCII");
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg("-c")
            .arg(&text)
            .current_dir(&root);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("FROM_IMAGE", "image");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let run = command.status();
        status = run
            .unwrap_or_else(|error| panic!("{} is needed for this test: {error}", shell[0]))
            .code();
        if status != Some(0) {
            break;
        }
    }
    let mut files = BTreeMap::new();
    collect(&root, "", &mut files);
    (status, files)
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("the scratch folder can be listed") {
        let path = entry.expect("the scratch folder can be listed").path();
        let name = format!(
            "{prefix}{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
            files.insert(format!("{name}/"), Vec::new());
        } else {
            files.insert(name, std::fs::read(&path).expect("the file can be read"));
        }
    }
}

/// Makes bodies; the same seed makes the same ones.
struct Bodies {
    state: u64,
    files: u32,
}

impl Bodies {
    fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            files: 0,
        }
    }

    /// Two or three bodies, of which the last deletes what the first wrote.
    fn make(&mut self) -> Vec<String> {
        let count = 2 + self.below(2);
        let mut bodies: Vec<String> = (0..count).map(|_| self.body()).collect();
        let (first, last) = (self.joint(), self.joint());
        bodies[0] = format!("echo linked > linked{first}{}", bodies[0]);
        let tail = bodies.pop().expect("there are two");
        bodies.push(format!("rm -f linked{last}{tail}"));
        if self.below(6) == 0 {
            let file = self.file();
            let body = bodies.last_mut().expect("there are two");
            body.push_str(&format!(" && cat <<END > {file}\nhere $V $FROM_IMAGE\nEND"));
        }
        if self.below(12) == 0 {
            bodies[0].push_str(" # a comment");
        }
        bodies
    }

    fn joint(&mut self) -> &'static str {
        ["; ", " && ", " && "][self.below(3)]
    }

    fn body(&mut self) -> String {
        let mut out = String::new();
        if self.below(5) == 0 {
            out.push_str(["set -e; ", "set -ex && ", "set -x; ", "set -f && "][self.below(4)]);
        }
        for at in 0..1 + self.below(4) {
            if at > 0 {
                let joints = [" && ", " && ", " && ", "; ", " || ", " & "];
                out.push_str(joints[self.below(joints.len())]);
            }
            let command = self.command();
            out.push_str(&command);
        }
        if self.below(10) == 0 {
            out.push(';');
        }
        out
    }

    fn command(&mut self) -> String {
        let file = self.file();
        let other = self.file();
        match self.below(28) {
            0 => "true".to_owned(),
            1 => "false".to_owned(),
            2 => "cd sub".to_owned(),
            3 => "V=mine".to_owned(),
            4 => "export V=exported".to_owned(),
            5 => "umask 077".to_owned(),
            6 => format!("exit {}", self.below(3)),
            7 => format!("f() {{ echo called > {file}; }}"),
            8 => "f".to_owned(),
            9 => format!("( cd sub; echo in > {file}; false )"),
            10 => format!("{{ touch {file}; touch {other}; }}"),
            11 => format!("if false; then touch {file}; else touch {other}; fi"),
            12 => format!("for i in 1 2; do echo $i >> {file}; done"),
            13 => format!("exec touch {file}"),
            14 => format!("echo \"$(false; echo kept)\" > {file}"),
            15 => format!("echo a | cat > {file}"),
            16 => format!("! touch {file}"),
            17 => "unset FROM_IMAGE".to_owned(),
            18 => format!(": ${{V:=default}}; echo $V > {file}"),
            19 => format!("trap 'touch {file}' EXIT"),
            20 => format!("mkdir -p d && touch d/{file}"),
            21 => format!("echo \"V=$V I=$i $- $FROM_IMAGE\" | cut -d' ' -f1,2,4 > {file}"),
            22 => format!("case x in x) touch {file};; esac"),
            23 => format!("while false; do touch {file}; done"),
            24 => format!("FROM_IMAGE=other sh -c 'echo $FROM_IMAGE' > {file}"),
            _ => format!("echo \"$V\" > {file}"),
        }
    }

    fn file(&mut self) -> String {
        self.files += 1;
        format!("file{}", self.files)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let high = (self.state >> 33) as usize;
        high % bound
    }
}
