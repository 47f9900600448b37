//! Bad input: each with its message and exit code, and nothing half-written.

use std::fs;

use super::Repository;

/// `fix` on one file that is left as it is: the exit code and what is said about it on standard error.
#[track_caller]
fn left_alone(contents: &[u8], code: i32, error: &str) {
    let repository = Repository::with(&[("Dockerfile", contents)]);
    let ran = repository.run(&["fix", "Dockerfile"]);
    assert_eq!((ran.code, ran.err.as_str()), (code, error), "{ran:?}");
    assert!(
        repository.read("Dockerfile") == contents,
        "the file was changed"
    );
    assert!(repository.leftovers().is_empty());
}

/// `fix` on one file that BuildKit refuses: why, as the report has it.
#[track_caller]
fn refused(contents: &[u8], why: &str) {
    let repository = Repository::with(&[("Dockerfile", contents)]);
    let ran = repository.run(&["fix", "Dockerfile"]);
    let out = format!(
        "Dockerfile\n      left alone, BuildKit refuses it: {why}\n\nnothing to do in 1 file\n"
    );
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, out.as_str(), "")
    );
    assert!(
        repository.read("Dockerfile") == contents,
        "the file was changed"
    );
}

#[test]
fn missing_file() {
    let ran = Repository::with(&[]).run(&["fix", "Dockerfile"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: Dockerfile does not exist\n")
    );
}

#[test]
fn folder_without_dockerfile() {
    let ran = Repository::with(&[("a", b"")]).run(&["check"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "no Dockerfile found\n"));
}

#[test]
fn empty_file() {
    refused(b"", "file with no instructions");
}

#[test]
fn only_comments() {
    refused(b"# a\n\n# b\n", "file with no instructions");
}

#[test]
fn binary_file() {
    left_alone(
        b"\x7fELF\x02\x01\x01\0\x03 and more than a few bytes of it",
        2,
        "error: Dockerfile is not a text file: line 1 holds a NUL byte\n",
    );
}

#[test]
fn nul_byte() {
    left_alone(
        b"FROM debian:12-slim\nRUN a \0 b\n",
        2,
        "error: Dockerfile is not a text file: line 2 holds a NUL byte\n",
    );
}

#[test]
fn utf_16() {
    left_alone(
        b"\xff\xfeF\0R\0O\0M\0 \0a\0",
        2,
        "error: Dockerfile is UTF-16 text, and BuildKit reads UTF-8; save it as UTF-8\n",
    );
}

#[test]
fn latin_1_stays_latin_1() {
    let repository =
        Repository::with(&[("Dockerfile", b"FROM debian:12-slim\n# caf\xe9\nCMD a b\n")]);
    let ran = repository.run(&["fix"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        repository.read("Dockerfile"),
        b"FROM debian:12-slim\n# caf\xe9\nCMD [\"a\", \"b\"]\n"
    );
}

#[test]
fn byte_order_mark_and_line_ends_stay() {
    let before = b"\xef\xbb\xbfFROM debian:12-slim\r\n# x\nENV A=b\r\nCMD a b";
    let after = b"\xef\xbb\xbfFROM debian:12-slim\r\n# x\nENV A=b\r\nCMD [\"a\", \"b\"]";
    let repository = Repository::with(&[("Dockerfile", before)]);
    assert_eq!(repository.run(&["fix"]).code, 0);
    assert_eq!(repository.read("Dockerfile"), after);
}

#[test]
fn a_hundred_megabytes() {
    let repository = Repository::with(&[]);
    let file = fs::File::create(repository.path("Dockerfile")).expect("created");
    file.set_len(100_000_000).expect("a sparse file");
    let ran = repository.run(&["fix", "Dockerfile"]);
    let error = "error: Dockerfile is larger than 16 MB; no Dockerfile is, so it is left alone\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, error));
}

#[test]
fn a_hundred_megabytes_on_standard_input() {
    let ran = Repository::with(&[]).run_with(&["fix", "-"], &vec![b'#'; 100_000_000]);
    let error =
        "error: standard input is larger than 16 MB; no Dockerfile is, so it is left alone\n";
    assert_eq!(
        (ran.code, ran.err.as_str(), ran.out.as_str()),
        (2, error, "")
    );
}

#[test]
fn a_line_of_ten_megabytes() {
    let mut contents = b"FROM debian:12-slim\nRUN echo ".to_vec();
    contents.resize(10_000_000, b'x');
    contents.push(b'\n');
    refused(
        &contents,
        "dockerfile line greater than max allowed size of 65535",
    );
}

/// Asserts that `fix` changes nothing but the last line, `CMD a b`.
#[track_caller]
fn only_the_command_changes(mut contents: Vec<u8>) {
    let mut after = contents.clone();
    contents.extend_from_slice(b"CMD a b\n");
    after.extend_from_slice(b"CMD [\"a\", \"b\"]\n");
    let repository = Repository::with(&[("Dockerfile", &contents)]);
    let ran = repository.run(&["fix", "--only", "exec-form", "--quiet"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert!(
        repository.read("Dockerfile") == after,
        "more or less was changed"
    );
}

#[test]
fn ten_thousand_instructions() {
    let mut contents = b"FROM debian:12-slim\n".to_vec();
    for at in 0..2_000 {
        let five = format!(
            "ENV V{at}=x$V1\nARG A{at}\nLABEL l{at}=$A1\nEXPOSE {at}\nRUN echo $V{at} > /f{at}\n"
        );
        contents.extend_from_slice(five.as_bytes());
    }
    only_the_command_changes(contents);
}

#[test]
fn an_instruction_of_ten_megabytes() {
    let mut contents = b"FROM debian:12-slim\nRUN echo".to_vec();
    while contents.len() < 10_000_000 {
        contents.extend_from_slice(b" \\\n    one line of an argument that goes on and on");
    }
    contents.push(b'\n');
    only_the_command_changes(contents);
}

#[test]
fn more_instructions_than_anybody_writes() {
    let contents = [&b"FROM debian:12-slim\n"[..], &b"ENV A=b\n".repeat(100_000)].concat();
    let repository = Repository::with(&[("Dockerfile", &contents)]);
    let ran = repository.run(&["fix", "--verbose"]);
    let out = "Dockerfile\n      note: left alone: it has more than 100000 instructions\n\nnothing to do in 1 file\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, out, ""));
    assert!(
        repository.read("Dockerfile") == contents,
        "the file was changed"
    );
}

#[test]
fn unterminated_heredoc() {
    refused(
        b"FROM debian:12-slim\nRUN <<EOF\necho\n",
        "unterminated heredoc",
    );
}

#[test]
fn folder_called_dockerfile() {
    let repository = Repository::with(&[("Dockerfile/a", b"")]);
    let ran = repository.run(&["fix", "."]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "no Dockerfile found\n"));
    // Named, it is a folder like any other.
    repository.write("Dockerfile/Dockerfile", b"FROM debian:12-slim\nCMD a b\n");
    assert_eq!(repository.run(&["check", "Dockerfile"]).code, 1);
}

#[cfg(unix)]
#[test]
fn no_permission() {
    use std::os::unix::fs::PermissionsExt as _;
    let repository = Repository::with(&[("Dockerfile", b"FROM debian:12-slim\nCMD a b\n")]);
    let path = repository.path("Dockerfile");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("mode");
    if fs::read(&path).is_ok() {
        // The superuser may read everything: there is nothing to be seen.
        return;
    }
    let ran = repository.run(&["fix", "Dockerfile"]);
    let error = "error: Dockerfile cannot be read: Permission denied (os error 13)\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, error));
}

#[cfg(unix)]
#[test]
fn read_only_file_and_the_rest_is_finished() {
    use std::os::unix::fs::PermissionsExt as _;
    let text = b"FROM debian:12-slim\nCMD a b\n";
    let repository = Repository::with(&[("a/Dockerfile", text), ("b/Dockerfile", text)]);
    let path = repository.path("a/Dockerfile");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("mode");
    let ran = repository.run(&["fix", "--skip", "write-dockerignore"]);
    let error = "error: a/Dockerfile is read-only; make it writable first\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, error));
    assert_eq!(repository.read("a/Dockerfile"), text);
    assert_ne!(repository.read("b/Dockerfile"), text);
    let json = repository.run(&["fix", "--format", "json", "a"]);
    assert!(
        json.out
            .contains(r#""status":"error","error":"is read-only; make it writable first""#),
        "{json:?}"
    );
}

#[cfg(unix)]
#[test]
fn read_only_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let text = b"FROM debian:12-slim\nCMD a b\n";
    let repository = Repository::with(&[("a/Dockerfile", text)]);
    let folder = repository.path("a");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("mode");
    if fs::write(folder.join("probe"), "").is_ok() {
        // The superuser may write everywhere.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("mode");
        return;
    }
    let ran = repository.run(&["fix", "--only", "exec-form"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("mode");
    let error = "error: a/Dockerfile cannot be written: permission denied\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, error));
    assert_eq!(repository.read("a/Dockerfile"), text);
}

#[cfg(unix)]
#[test]
fn links_in_and_out_of_the_repository() {
    use std::os::unix::fs::symlink;
    let text = b"FROM debian:12-slim\nCMD a b\n";
    let outside = Repository::with(&[("real", text)]);
    let repository = Repository::with(&[("real", text)]);
    symlink(outside.path("real"), repository.path("Dockerfile.out")).expect("linked");
    symlink("real", repository.path("Dockerfile.in")).expect("linked");
    let ran = repository.run(&[
        "fix",
        "--only",
        "exec-form",
        "Dockerfile.out",
        "Dockerfile.in",
    ]);
    let (target, root) = (
        outside.path("real").canonicalize().expect("there"),
        repository.root().canonicalize().expect("there"),
    );
    let error = format!(
        "error: Dockerfile.out is a symbolic link to {}, outside the repository {}; fix that file by its own path\n",
        target.display(),
        root.display()
    );
    assert_eq!((ran.code, ran.err), (2, error));
    assert_eq!(outside.read("real"), text);
    assert_eq!(
        repository.read("real"),
        b"FROM debian:12-slim\nCMD [\"a\", \"b\"]\n"
    );
    let link = fs::symlink_metadata(repository.path("Dockerfile.in")).expect("there");
    assert!(link.is_symlink());
}

#[test]
fn broken_configuration() {
    let text = b"FROM debian:12-slim\nCMD a b\n";
    let cases: [(&[u8], &str); 4] = [
        (
            b"levle: safe\n",
            ".docker-diet.yaml:1:1: `levle` is not a key here; did you mean `level`?",
        ),
        (
            b"level: safe\nrules:\n  exec-frm: off\n",
            ".docker-diet.yaml:3:3: no rewrite is called `exec-frm`; did you mean `exec-form`?",
        ),
        (
            b"level: saf\n",
            ".docker-diet.yaml:1:8: `saf` is not a value here; did you mean `safe`?",
        ),
        (
            b"baseline: none.json\n",
            ".docker-diet.yaml:1:1: the baseline none.json cannot be read: No such file or directory (os error 2)",
        ),
    ];
    for (config, message) in cases {
        let repository = Repository::with(&[("Dockerfile", text), (".docker-diet.yaml", config)]);
        let root = repository.root().canonicalize().expect("there");
        let ran = repository.run(&["fix"]);
        let error = format!("error: {}/{message}\n", root.display());
        assert_eq!((ran.code, ran.err), (2, error));
        assert_eq!(repository.read("Dockerfile"), text);
    }
}

#[test]
fn broken_compose_file() {
    let repository = Repository::with(&[("compose.yaml", b"services:\n  a: [1\n  b: 2\n")]);
    let ran = repository.run(&["check", "compose.yaml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: compose.yaml:"), "{ran:?}");
}

#[test]
fn unknown_rule() {
    let repository = Repository::with(&[]);
    for arguments in [
        ["fix", "--only", "exec-frm"],
        ["check", "--skip", "exec-frm"],
    ] {
        let ran = repository.run(&arguments);
        let error = "error: no rewrite is called `exec-frm`; did you mean `exec-form`?\n";
        assert_eq!((ran.code, ran.err.as_str()), (2, error));
    }
}

#[cfg(unix)]
#[test]
fn terminal_escapes_in_names() {
    let repository = Repository::with(&[("\x1b[2J/Dockerfile", b"FROM debian:12-slim\nCMD a b\n")]);
    for arguments in [vec!["check"], vec!["check", "no\x1b[31m"], vec!["inspect"]] {
        let ran = repository.run(&arguments);
        assert!(
            !ran.out.contains('\x1b') && !ran.err.contains('\x1b'),
            "{ran:?}"
        );
        assert!(
            format!("{}{}", ran.out, ran.err).contains("\\x1b["),
            "{ran:?}"
        );
    }
}
