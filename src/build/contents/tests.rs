use super::*;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};
use tar::{Builder, EntryType, Header};

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header
}

/// A tar archive of regular files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = header(EntryType::Regular, 0o755, bytes.len());
        builder
            .append_data(&mut header, path, *bytes)
            .expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

const CONFIG: &[u8] = br#"{"os": "linux", "architecture": "amd64", "config": {"User": "app", "Env": ["A=b=c"]},
    "history": [{"created_by": "/bin/sh -c #(nop) ADD file:ab in / "}, {"created_by": "ENV A=b=c", "empty_layer": true},
                {"created_by": "RUN /bin/sh -c npm   ci # buildkit"}]}"#;

fn summary(contents: &Contents) -> (Vec<&str>, Vec<(&str, u64)>) {
    let paths = contents.tree.all().map(|(path, _)| path).collect();
    let layers = contents.layers.iter();
    (
        paths,
        layers
            .map(|layer| (layer.instruction.as_str(), layer.size))
            .collect(),
    )
}

#[test]
fn layers_may_come_before_the_manifest() {
    let first = archive(&[("etc/old", b"12345"), ("app", b"#!/bin/sh -e\nexit\n")]);
    let second = archive(&[("etc/.wh.old", b""), ("etc/new", b"123")]);
    let saved: &[u8] = br#"[{"Config": "config.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]"#;
    let files: [(&str, &[u8]); 4] = [
        ("1/layer.tar", &first),
        ("2/layer.tar", &second),
        ("config.json", CONFIG),
        ("manifest.json", saved),
    ];
    for turned in [false, true] {
        let mut files = files;
        if turned {
            files.reverse();
        }
        let contents = Contents::read(&archive(&files)[..], false).expect("it is an image");
        let expected = (
            vec!["app", "etc", "etc/new"],
            vec![("ADD file:ab in /", 23), ("RUN npm ci", 3)],
        );
        assert_eq!(summary(&contents), expected);
        assert_eq!(contents.platform, "linux/amd64");
        assert_eq!(contents.variable("A"), Some("b=c"));
        assert_eq!(contents.size(), 26);
        assert_eq!(contents.compressed(), None);
        let facts = contents.tree.facts("/app").expect("it was read");
        assert_eq!(**facts, Facts::Script("/bin/sh -e".into()));
    }
}

#[test]
fn an_oci_layout_with_compressed_layers() {
    let layer = gzip(&archive(&[("a", b"abc")]));
    let index: &[u8] = br#"{"manifests": [{"digest": "sha256:note", "platform": {"os": "unknown"}}, {"digest": "sha256:in"}]}"#;
    let inner: &[u8] = br#"{"manifests": [{"digest": "sha256:man", "platform": {"os": "linux"}}]}"#;
    let manifest: &[u8] = br#"{"config": {"digest": "sha256:conf"}, "layers": [{"digest": "sha256:1"}, {"digest": "sha256:1"}]}"#;
    let archive = archive(&[
        ("oci-layout", b"{}"),
        ("index.json", index),
        ("blobs/sha256/in", inner),
        ("blobs/sha256/note", b"{}"),
        ("blobs/sha256/man", manifest),
        ("blobs/sha256/conf", CONFIG),
        ("blobs/sha256/1", &layer),
    ]);
    let contents = Contents::read(&archive[..], false).expect("it is an image");
    assert_eq!(summary(&contents).0, ["a"]);
    assert_eq!(
        contents.compressed(),
        Some(2 * layer.len() as u64),
        "it is what it weighs as it is"
    );
}

#[test]
fn compressed_sizes_are_worked_out_where_they_are_asked_for() {
    let layer = archive(&[("a", &[b'a'; 500_000])]);
    let saved: &[u8] = br#"[{"Config": "config.json", "Layers": ["1/layer.tar"]}]"#;
    let files: [(&str, &[u8]); 3] = [
        ("1/layer.tar", &layer),
        ("config.json", CONFIG),
        ("manifest.json", saved),
    ];
    let contents = Contents::read(&archive(&files)[..], true).expect("it is an image");
    let expected = gzip(&layer).len() as u64;
    let measured = contents.compressed().expect("it was asked for");
    // The chunks that the encoder sees differ.
    assert!(
        measured.abs_diff(expected) < 100,
        "{measured} and {expected}"
    );
}

#[test]
fn a_layer_that_is_a_link_to_another() {
    let layer = archive(&[("a", b"abc")]);
    let saved: &[u8] = br#"[{"Config": "config.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]"#;
    let mut builder = Builder::new(Vec::new());
    let mut link = header(EntryType::Symlink, 0o777, 0);
    builder
        .append_link(&mut link, "2/layer.tar", "../1/layer.tar")
        .expect("in memory");
    for (path, bytes) in [
        ("1/layer.tar", &layer[..]),
        ("config.json", CONFIG),
        ("manifest.json", saved),
    ] {
        let mut header = header(EntryType::Regular, 0o644, bytes.len());
        builder
            .append_data(&mut header, path, bytes)
            .expect("in memory");
    }
    let archive = builder.into_inner().expect("in memory");
    let contents = Contents::read(&archive[..], false).expect("it is an image");
    assert_eq!(contents.layers.len(), 2);
    assert_eq!(contents.size(), 6);
}

#[test]
fn what_is_cut_or_no_image_is_an_error() {
    let layer = archive(&[("a", b"abc"), ("b", &[0; 4000])]);
    let saved: &[u8] = br#"[{"Config": "config.json", "Layers": ["1/layer.tar"]}]"#;
    let whole = archive(&[
        ("1/layer.tar", &layer),
        ("config.json", CONFIG),
        ("manifest.json", saved),
    ]);
    assert!(Contents::read(&whole[..], false).is_ok());
    // The padding behind the last blob is no loss.
    for length in (0..whole.len() - 2048).step_by(97) {
        let error = Contents::read(&whole[..length], false);
        assert!(error.is_err(), "{length} of {} bytes", whole.len());
    }
    let error = Contents::read(&archive(&[("manifest.json", saved)])[..], false);
    let error = error.expect_err("it holds nothing").to_string();
    assert_eq!(
        error,
        "the archive is damaged: it does not hold the configuration of its image"
    );
}

/// An image of these files.
fn image(files: &[(&str, &[u8])]) -> Contents {
    let saved: &[u8] = br#"[{"Config": "config.json", "Layers": ["1/layer.tar"]}]"#;
    let layer = archive(files);
    let whole = archive(&[
        ("1/layer.tar", &layer),
        ("config.json", CONFIG),
        ("manifest.json", saved),
    ]);
    Contents::read(&whole[..], false).expect("it is an image")
}

const NEEDED: i64 = DT_NEEDED.0;
const X86_64: u16 = 62;
const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";

fn missing(files: &[(&str, &[u8])]) -> Vec<(String, String)> {
    let contents = image(files);
    let missing = Loader::new(&contents).missing();
    missing
        .into_iter()
        .map(|it| (it.file, it.library))
        .collect()
}

fn one(file: &str, library: &str) -> Vec<(String, String)> {
    vec![(file.to_owned(), library.to_owned())]
}

#[test]
fn a_library_is_found_as_the_loader_of_glibc_does() {
    let program = made_elf(X86_64, GLIBC, &[(NEEDED, "libpq.so.5")]);
    let library = made_elf(X86_64, "", &[(DT_SONAME.0, "libpq.so.5")]);
    // A file without an interpreter has an empty one here: it names no loader.
    let loader = made_elf(X86_64, "", &[]);
    let with = |path: &str, library: &[u8]| {
        missing(&[
            ("app", &program),
            (path, library),
            ("lib64/ld-linux-x86-64.so.2", &loader),
        ])
        .into_iter()
        .filter(|(file, _)| file == "/app")
        .collect::<Vec<_>>()
    };
    assert_eq!(with("usr/lib/x86_64-linux-gnu/libpq.so.5", &library), []);
    assert_eq!(with("lib64/libpq.so.5", &library), []);
    assert_eq!(
        with("usr/local/lib/libpq.so.5", &library),
        one("/app", "libpq.so.5"),
        "ldconfig did not run"
    );
    let other = made_elf(183, "", &[]);
    assert_eq!(
        with("lib64/libpq.so.5", &other),
        one("/app", "libpq.so.5"),
        "it is for another machine"
    );
    assert_eq!(
        with("lib64/libpq.so.5", b"INPUT(-lpq)"),
        one("/app", "libpq.so.5"),
        "it is a text"
    );
}

#[test]
fn the_loader_itself_may_be_missing() {
    let program = made_elf(X86_64, GLIBC, &[]);
    assert_eq!(missing(&[("app", &program)]), one("/app", GLIBC));
}

/// Without `interpreter`: a library.
fn library(names: &[(i64, &str)]) -> Vec<u8> {
    let mut made = made_elf(X86_64, "", names);
    // The third program header becomes one that says nothing.
    made[64 + 2 * 56] = 0;
    made
}

#[test]
fn paths_inside_of_objects() {
    let loader: (&str, &[u8]) = ("lib64/ld-linux-x86-64.so.2", &library(&[]));
    let own = |tag: i64| {
        made_elf(
            X86_64,
            GLIBC,
            &[(NEEDED, "liba.so"), (tag, "$ORIGIN/../lib:/none")],
        )
    };
    let needs = library(&[(NEEDED, "libb.so")]);
    let plain = library(&[]);
    let files = |program: &'static str, bytes: &[u8]| {
        missing(&[
            (program, bytes),
            ("opt/lib/liba.so", &needs),
            ("opt/lib/libb.so", &plain),
            loader,
        ])
    };
    assert_eq!(
        files("opt/bin/x", &own(DT_RPATH.0)),
        [],
        "an rpath holds for what is loaded in turn"
    );
    assert_eq!(
        files("opt/bin/x", &own(DT_RUNPATH.0)),
        one("/opt/lib/liba.so", "libb.so")
    );
}

#[test]
fn what_one_program_finds_is_not_missing() {
    let loader: (&str, &[u8]) = ("lib64/ld-linux-x86-64.so.2", &library(&[]));
    let program = made_elf(
        X86_64,
        GLIBC,
        &[
            (NEEDED, "libjvm.so"),
            (NEEDED, "libjava.so"),
            (DT_RPATH.0, "/jre/lib:/jre/lib/server"),
        ],
    );
    let java = library(&[(NEEDED, "libjvm.so")]);
    let files: [(&str, &[u8]); 4] = [
        ("jre/bin/java", &program),
        ("jre/lib/libjava.so", &java),
        ("jre/lib/server/libjvm.so", &library(&[])),
        loader,
    ];
    assert_eq!(missing(&files), []);
}

#[test]
fn musl_has_its_own_folders_and_is_its_own_library() {
    let program = made_elf(
        X86_64,
        "/lib/ld-musl-x86_64.so.1",
        &[(NEEDED, "libc.musl-x86_64.so.1"), (NEEDED, "libz.so.1")],
    );
    let loader: (&str, &[u8]) = ("lib/ld-musl-x86_64.so.1", &library(&[]));
    let plain = library(&[]);
    assert_eq!(
        missing(&[
            ("app", &program),
            ("usr/local/lib/libz.so.1", &plain),
            loader
        ]),
        []
    );
    let path: (&str, &[u8]) = ("etc/ld-musl-x86_64.path", b"/lib\n/opt/lib\n");
    assert_eq!(
        missing(&[
            ("app", &program),
            ("usr/local/lib/libz.so.1", &plain),
            loader,
            path
        ]),
        one("/app", "libz.so.1")
    );
    assert_eq!(
        missing(&[
            ("app", &program),
            ("opt/lib/libz.so.1", &plain),
            loader,
            path
        ]),
        []
    );
}

#[test]
fn the_cache_of_ldconfig_is_read() {
    let name = b"libpq.so.5\0";
    let mut cache = b"glibc-ld.so.cache1.1".to_vec();
    cache.extend(1u32.to_le_bytes());
    cache.resize(48, 0);
    for word in [3u32, 72, 72 + name.len() as u32, 0, 0, 0] {
        cache.extend(word.to_le_bytes());
    }
    cache.extend_from_slice(name);
    cache.extend_from_slice(b"/usr/local/lib/libpq.so.5\0");
    let program = made_elf(X86_64, GLIBC, &[(NEEDED, "libpq.so.5")]);
    let loader: (&str, &[u8]) = ("lib64/ld-linux-x86-64.so.2", &library(&[]));
    let files: [(&str, &[u8]); 4] = [
        ("app", &program),
        ("usr/local/lib/libpq.so.5", &library(&[])),
        ("etc/ld.so.cache", &cache),
        loader,
    ];
    assert_eq!(missing(&files), []);
    // What is cut lists less.
    for length in 0..cache.len() {
        let files: [(&str, &[u8]); 2] = [("app", &program), ("etc/ld.so.cache", &cache[..length])];
        let _ = missing(&files);
    }
}
