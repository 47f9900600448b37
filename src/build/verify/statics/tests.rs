use super::*;

use object::elf::{DT_NEEDED, DT_SONAME};
use tar::{Builder, EntryType, Header};

use super::super::super::contents::made_elf;

const X86_64: u16 = 62;
const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";
const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\napp:x:100:100::/home/app:/bin/sh\n";

/// An image with this configuration and files: path, mode, bytes. A path with `/` at its end is a folder.
fn image(config: &str, files: &[(&str, u32, &[u8])]) -> Contents {
    let archive = |files: &[(&str, u32, &[u8])]| {
        let mut builder = Builder::new(Vec::new());
        for (path, mode, bytes) in files {
            let mut header = Header::new_gnu();
            header.set_entry_type(match path.ends_with('/') {
                true => EntryType::Directory,
                false => EntryType::Regular,
            });
            header.set_mode(*mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(bytes.len() as u64);
            builder
                .append_data(&mut header, path, *bytes)
                .expect("in memory");
        }
        builder.into_inner().expect("in memory")
    };
    let layer = archive(files);
    let config = format!(r#"{{"os": "linux", "architecture": "amd64", "config": {config}}}"#);
    let whole = archive(&[
        ("l.tar", 0o644, &layer),
        ("c.json", 0o644, config.as_bytes()),
        (
            "manifest.json",
            0o644,
            br#"[{"Config": "c.json", "Layers": ["l.tar"]}]"#,
        ),
    ]);
    Contents::read(&whole[..], false).expect("it is an image")
}

/// Cause and message of every fault.
fn told(before: &Contents, after: &Contents) -> Vec<(&'static str, String)> {
    let faults = faults(before, after);
    faults
        .into_iter()
        .map(|fault| (fault.cause.name(), fault.message))
        .collect()
}

fn one(cause: &'static str, message: &str) -> Vec<(&'static str, String)> {
    vec![(cause, message.to_owned())]
}

const CONFIG: &str = r#"{"Cmd": ["./serve", "conf/app.yml"], "WorkingDir": "/app", "User": "app"}"#;

/// Without a loader, as libraries and static programs are.
fn alone(machine: u16, names: &[(i64, &str)]) -> Vec<u8> {
    let mut made = made_elf(machine, "", names);
    // The third program header becomes one that says nothing.
    made[64 + 2 * 56] = 0;
    made
}

fn library() -> Vec<u8> {
    alone(X86_64, &[(DT_SONAME.0, "libpq.so.5")])
}

fn program() -> Vec<u8> {
    made_elf(X86_64, GLIBC, &[(DT_NEEDED.0, "libpq.so.5")])
}

#[test]
fn what_is_right_gives_no_alarm() {
    let (program, library) = (program(), library());
    let files: Vec<(&str, u32, &[u8])> = vec![
        ("etc/passwd", 0o644, PASSWD),
        ("app/serve", 0o755, &program),
        ("app/conf/app.yml", 0o644, b"a"),
        ("lib64/libpq.so.5", 0o644, &library),
        ("lib64/ld-linux-x86-64.so.2", 0o755, &library),
    ];
    let image = image(CONFIG, &files);
    assert_eq!(told(&image, &image), []);
}

/// The faults of an image in which the file at `path` is another one, or none.
fn without(path: &str, other: Option<(&str, u32, &[u8])>) -> Vec<(&'static str, String)> {
    let (program, library) = (program(), library());
    let mut files: Vec<(&str, u32, &[u8])> = vec![
        ("etc/passwd", 0o644, PASSWD),
        ("app/serve", 0o755, &program),
        ("app/conf/app.yml", 0o644, b"a"),
        ("lib64/libpq.so.5", 0o644, &library),
        ("lib64/ld-linux-x86-64.so.2", 0o755, &library),
    ];
    let before = image(CONFIG, &files);
    files.retain(|(known, ..)| *known != path);
    files.extend(other);
    let after = image(CONFIG, &files);
    assert_eq!(
        told(&after, &after),
        [],
        "what the original lacks is no fault of the rewrite"
    );
    told(&before, &after)
}

#[test]
fn each_thing_that_is_gone_has_its_cause() {
    assert_eq!(
        without("lib64/libpq.so.5", None),
        one(
            "library",
            "/app/serve needs libpq.so.5, which is not in the image"
        )
    );
    assert_eq!(
        without("lib64/ld-linux-x86-64.so.2", None),
        one(
            "interpreter",
            "/app/serve needs /lib64/ld-linux-x86-64.so.2, which is not in the image"
        )
    );
    assert_eq!(
        without("app/serve", None),
        one(
            "program",
            "/app/serve is not in the image, and it is what starts"
        )
    );
    assert_eq!(
        without("app/conf/app.yml", None),
        one(
            "file",
            "the command names /app/conf/app.yml, which is not in the image"
        )
    );
    assert_eq!(
        without("etc/passwd", None),
        one(
            "user",
            "USER is app, and there is no user `app` in /etc/passwd"
        )
    );
}

#[test]
fn a_library_in_another_place_needs_ldconfig() {
    let library = library();
    let (program, moved) = (program(), ("opt/lib/libpq.so.5", 0o644, &library[..]));
    let files: [(&str, u32, &[u8]); 4] = [
        ("etc/passwd", 0o644, PASSWD),
        ("app/serve", 0o755, &program),
        ("lib64/libpq.so.5", 0o644, &library),
        ("lib64/ld-linux-x86-64.so.2", 0o755, &library),
    ];
    let config = r#"{"Cmd": ["./serve"], "WorkingDir": "/app"}"#;
    let before = image(config, &files);
    let after = image(config, &[files[0], files[1], moved, files[3]]);
    let found = faults(&before, &after);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].message,
        "/app/serve needs libpq.so.5, which is not where the loader looks"
    );
    assert!(
        found[0].remedy.contains("run ldconfig"),
        "{}",
        found[0].remedy
    );
}

#[test]
fn what_a_distribution_leaves_out_matters_only_to_what_starts() {
    let (program, library) = (program(), library());
    let plugin = alone(X86_64, &[(DT_NEEDED.0, "libsound.so.1")]);
    let sound = alone(X86_64, &[(DT_SONAME.0, "libsound.so.1")]);
    let shared: [(&str, u32, &[u8]); 4] = [
        ("etc/passwd", 0o644, PASSWD),
        ("app/serve", 0o755, &program),
        ("lib64/libpq.so.5", 0o644, &library),
        ("lib64/ld-linux-x86-64.so.2", 0o755, &library),
    ];
    let with = |more: &[(&'static str, u32, &[u8])]| {
        let config = r#"{"Cmd": ["./serve"], "WorkingDir": "/app"}"#;
        image(config, &[&shared[..], more].concat())
    };
    let before = with(&[
        ("opt/runtime/libplugin.so", 0o644, &plugin),
        ("lib64/libsound.so.1", 0o644, &sound),
    ]);
    let of_distribution = with(&[("usr/lib/runtime/libplugin.so", 0o644, &plugin)]);
    assert_eq!(told(&before, &of_distribution), []);
    let own = with(&[("app/libplugin.so", 0o644, &plugin)]);
    assert_eq!(
        told(&before, &own),
        one(
            "library",
            "/app/libplugin.so needs libsound.so.1, which is not in the image"
        )
    );
}

#[test]
fn node_finds_a_module_without_its_ending() {
    let (node, library) = (program(), library());
    let with = |path: &'static str| {
        let files: [(&str, u32, &[u8]); 4] = [
            ("usr/bin/node", 0o755, &node),
            ("lib64/libpq.so.5", 0o644, &library),
            ("lib64/ld-linux-x86-64.so.2", 0o755, &library),
            (path, 0o644, b"serve()"),
        ];
        let config =
            r#"{"Cmd": ["node", "dist/main"], "WorkingDir": "/app", "Env": ["PATH=/usr/bin"]}"#;
        image(config, &files)
    };
    let before = with("app/dist/main.js");
    assert_eq!(told(&before, &before), []);
    let causes: Vec<_> = told(&before, &with("app/main.js"))
        .iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(causes, ["file"]);
}

#[test]
fn what_the_user_may_not_do() {
    let program = program();
    assert_eq!(
        without("app/serve", Some(("app/serve", 0o744, &program))),
        one(
            "permission",
            "user 100 may not run /app/serve: /app/serve turns it away"
        )
    );
    assert_eq!(
        without("app/conf/app.yml", Some(("app/conf/app.yml", 0o600, b"a"))),
        vec![(
            "permission",
            "user 100 cannot read /app/conf/app.yml".to_owned()
        )]
    );
}

#[test]
fn a_program_for_another_machine() {
    let other = alone(183, &[]);
    let found = without("app/serve", Some(("app/serve", 0o755, &other)));
    assert!(
        found.contains(&(
            "architecture",
            "/app/serve is a program for arm64, and the image is for amd64".to_owned()
        )),
        "{found:?}"
    );
}

#[test]
fn a_script_without_its_interpreter() {
    let config = r#"{"Cmd": ["/start"], "Env": ["PATH=/bin"]}"#;
    let script: (&str, u32, &[u8]) = ("start", 0o755, b"#!/usr/bin/env bash\n");
    let env: (&str, u32, &[u8]) = ("usr/bin/env", 0o755, b"x");
    let before = image(config, &[script, env, ("bin/bash", 0o755, b"x")]);
    let after = image(config, &[script, env]);
    assert_eq!(
        told(&before, &after),
        one(
            "interpreter",
            "/start is run by bash, which is not in the image"
        )
    );
    assert_eq!(told(&after, &after), []);
}

#[test]
fn certificates_matter_to_those_who_read_them() {
    let bundle: (&str, u32, &[u8]) = ("etc/ssl/certs/ca-certificates.crt", 0o644, b"x");
    let config = r#"{"Cmd": ["/serve"]}"#;
    let plain = alone(X86_64, &[]);
    let reads = alone(
        X86_64,
        &[(DT_SONAME.0, "/etc/ssl/certs/ca-certificates.crt")],
    );
    let with = |program: &[u8]| image(config, &[("serve", 0o755, program), bundle]);
    let bare = |program: &[u8]| image(config, &[("serve", 0o755, program)]);
    assert_eq!(told(&with(&plain), &bare(&plain)), []);
    assert_eq!(
        told(&with(&reads), &bare(&reads)),
        one(
            "certificates",
            "/etc/ssl/certs/ca-certificates.crt is gone, and /serve reads it"
        )
    );
    let named = r#"{"Env": ["NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"]}"#;
    assert_eq!(
        told(&image(named, &[bundle]), &image(named, &[])),
        one(
            "certificates",
            "NODE_EXTRA_CA_CERTS names /etc/ssl/certs/ca-certificates.crt, which is not in the image"
        )
    );
}

#[test]
fn the_language_stays_what_it_was() {
    let node = |version: &str| image(&format!(r#"{{"Env": ["NODE_VERSION={version}"]}}"#), &[]);
    assert_eq!(told(&node("22.1.0"), &node("22.9.1")), []);
    assert_eq!(
        told(&node("22.1.0"), &node("20.1.0")),
        one("version", "Node is 20, and 22 in the original")
    );
    let python = |folder: &str| image("{}", &[(&format!("{folder}/os.py"), 0o644, b"")]);
    assert_eq!(
        told(
            &python("usr/local/lib/python3.12"),
            &python("usr/lib/python3.12")
        ),
        []
    );
    assert_eq!(
        told(
            &python("usr/local/lib/python3.12"),
            &python("usr/local/lib/python3.11")
        ),
        one("version", "Python is 3.11, and 3.12 in the original")
    );
}
