//! A run that is killed leaves every file whole.

use std::process::Stdio;
use std::time::Duration;

use super::Repository;

const BEFORE: &[u8] = b"FROM debian:12-slim\nCMD a b\n";
const AFTER: &[u8] = b"FROM debian:12-slim\nCMD [\"a\", \"b\"]\n";

#[test]
fn killed_in_the_middle_of_writing() {
    let names: Vec<String> = (0..400).map(|at| format!("d{at:03}/Dockerfile")).collect();
    let (mut before, mut after) = (0, 0);
    for pause in [5, 20, 40, 80, 160] {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), BEFORE)).collect();
        let repository = Repository::with(&files);
        let mut child = repository
            .command(&["fix", "--only", "exec-form", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        for name in &names {
            match repository.read(name) {
                text if text == BEFORE => before += 1,
                text if text == AFTER => after += 1,
                text => panic!("{name} holds {:?}", String::from_utf8_lossy(&text)),
            }
        }
        // What is left is finished by the next run.
        let ran = repository.run(&["fix", "--only", "exec-form", "--quiet"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(names.iter().all(|name| repository.read(name) == AFTER));
    }
    assert_eq!(before + after, 5 * names.len());
    assert!(before > 0, "no run was killed before its end");
}
