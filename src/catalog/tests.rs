//! What the catalog answers, held against what is known about well-known images.

use super::*;

fn facts(text: &str) -> ImageFacts {
    Catalog::default()
        .image(&ImageRef::parse(text))
        .unwrap_or_else(|| panic!("{text} is unknown"))
}

fn release(text: &str) -> (&'static str, &'static str) {
    let release = facts(text)
        .release
        .unwrap_or_else(|| panic!("{text} has no release"));
    (release.distribution.get(), release.version.get())
}

fn slim(text: &str) -> Option<(String, Certainty)> {
    let slim = Catalog::default().slim_tag(&facts(text))?;
    Some((slim.tag, slim.exists))
}

fn successor(text: &str) -> Option<String> {
    let successor = Catalog::default().successor(&ImageRef::parse(text))?;
    Some(successor.image)
}

#[test]
fn releases_come_from_the_build_the_tag_or_the_family() {
    for (image, expected) in [
        ("node:22", ("debian", "12")),
        ("node:22-slim", ("debian", "12")),
        ("node:26", ("debian", "13")),
        ("node:8", ("debian", "")),
        ("node:18", ("debian", "12")),
        ("node:10.15-alpine", ("alpine", "")),
        ("node:10.15-stretch", ("debian", "9")),
        ("node:carbon", ("debian", "")),
        ("python:2.7", ("debian", "10")),
        ("python:2.7.9", ("debian", "")),
        ("python:3.6-slim-buster", ("debian", "10")),
        ("python:3.7-alpine3.8", ("alpine", "3.8")),
        ("golang:1.11", ("debian", "")),
        ("openjdk:8-jdk", ("debian", "")),
        ("openjdk:17", ("oraclelinux", "")),
        ("openjdk:17-slim", ("debian", "")),
        ("ruby:2.5", ("debian", "")),
        ("ubuntu:16.04", ("ubuntu", "16.04")),
        ("ubuntu:14.04.4", ("ubuntu", "14.04")),
        ("ubuntu", ("ubuntu", "26.04")),
        ("debian:jessie", ("debian", "8")),
        ("debian:12.5-slim", ("debian", "12")),
        ("debian", ("debian", "13")),
        ("alpine:3.8", ("alpine", "3.8")),
        ("alpine:3.10.3", ("alpine", "3.10")),
        ("centos:7.2.1511", ("centos", "7")),
        ("centos:centos6", ("centos", "6")),
        ("php:7.2-apache", ("debian", "")),
        ("buildpack-deps:stretch-curl", ("debian", "9")),
        ("buildpack-deps:xenial", ("ubuntu", "16.04")),
        ("maven:3-jdk-8", ("debian", "")),
        ("maven:3-eclipse-temurin-17", ("ubuntu", "24.04")),
        ("mcr.microsoft.com/dotnet/sdk:8.0-alpine", ("alpine", "")),
        (
            "mcr.microsoft.com/dotnet/sdk:8.0-jammy",
            ("ubuntu", "22.04"),
        ),
    ] {
        assert_eq!(release(image), expected, "{image}");
    }
}

#[test]
fn shells_and_package_managers_follow_the_release() {
    for (image, manager, shell) in [
        ("debian", PackageManager::Apt, Shell::Dash),
        ("alpine", PackageManager::Apk, Shell::Busybox),
        ("centos:7", PackageManager::Yum, Shell::Bash),
        ("oraclelinux:8-slim", PackageManager::Microdnf, Shell::Bash),
        (
            "gcr.io/distroless/static-debian13",
            PackageManager::None,
            Shell::None,
        ),
        ("scratch", PackageManager::None, Shell::None),
        (
            "golang:1.11-windowsservercore",
            PackageManager::None,
            Shell::Cmd,
        ),
    ] {
        let facts = facts(image);
        assert_eq!(
            (facts.package_manager(), facts.shell()),
            (Some(manager), Some(shell)),
            "{image}"
        );
    }
}

#[test]
fn slim_tags_keep_version_and_release() {
    let known = |tag: &str| Some((tag.to_owned(), Certainty::Known));
    let assumed = |tag: &str| Some((tag.to_owned(), Certainty::Assumed));
    for (image, expected) in [
        ("node:22", known("22-slim")),
        ("node:22-bookworm", known("22-bookworm-slim")),
        ("node", known("slim")),
        ("node:8", assumed("8-slim")),
        ("node:0.10", None),
        ("python:3.12", known("3.12-slim")),
        ("python:3.12-bookworm", known("3.12-slim-bookworm")),
        ("python:3.6-buster", assumed("3.6-slim-buster")),
        ("debian:12", known("12-slim")),
        ("debian:bookworm", known("bookworm-slim")),
        ("debian", known("stable-slim")),
        ("ruby:3.4", known("3.4-slim")),
        ("eclipse-temurin:17", known("17-jre")),
        ("eclipse-temurin:17-jdk", known("17-jre")),
        ("eclipse-temurin:17-jre", None),
        ("node:22-slim", None),
        ("node:22-alpine", None),
        ("node:4-onbuild", None),
        ("php:8.4", None),
        ("golang:1.26", None),
        ("rust:1", None),
        ("ubuntu:24.04", None),
    ] {
        assert_eq!(slim(image), expected, "{image}");
    }
}

#[test]
fn successors_are_known_tag_for_tag() {
    for (image, expected) in [
        ("openjdk:17-jdk-slim", Some("eclipse-temurin:17-jdk")),
        (
            "docker.io/library/openjdk:8-jre",
            Some("docker.io/library/eclipse-temurin:8-jre"),
        ),
        ("maven:3-jdk-8", Some("maven:3-eclipse-temurin-8")),
        ("java:8", Some("eclipse-temurin:8-jdk")),
        ("java:7", None),
        ("centos:7", None),
        ("node:22", None),
    ] {
        assert_eq!(successor(image).as_deref(), expected, "{image}");
    }
}

#[test]
fn every_successor_exists() {
    for row in embedded::RETIREMENTS {
        for pair in row.tags {
            let (_, to) = pair.split_once('=').expect("a pair of tags");
            assert!(image::build(row.to.get(), to).is_some(), "{}:{to}", row.to);
        }
    }
}

#[test]
fn every_name_that_a_row_refers_to_is_there() {
    let catalog = Catalog::default();
    for family in embedded::FAMILIES {
        let rules = family.bases.get();
        assert!(!rules.is_empty(), "{}", family.name);
        for rule in rules {
            let (on, release) = (rule.on.get(), rule.release.get());
            assert!(
                on.is_empty() || catalog.contents(on).is_some(),
                "{}: {on}",
                family.name
            );
            assert!(
                release.is_empty() || catalog.inner.releases.get(release).is_some(),
                "{}: {release}",
                family.name
            );
        }
    }
    for contents in embedded::CONTENTS {
        let on = contents.on.get();
        assert!(
            on.is_empty() || catalog.contents(on).is_some(),
            "{}: {on}",
            contents.name
        );
    }
}

#[test]
fn tables_are_sorted_and_say_who_and_when() {
    fn check<T: Keyed>(rows: &[T], provenance: impl Fn(&T) -> [Text; 2]) {
        assert!(!rows.is_empty());
        assert!(rows.windows(2).all(|pair| pair[0].key() < pair[1].key()));
        for row in rows {
            assert!(
                provenance(row).iter().all(|text| !text.is_empty()),
                "{}",
                row.key()
            );
        }
    }
    check(embedded::CYCLES, |row| [row.source, row.as_of]);
    check(embedded::CONTENTS, |row| [row.source, row.as_of]);
    check(embedded::RELEASES, |row| [row.source, row.as_of]);
    check(embedded::FAMILIES, |row| [row.source, row.as_of]);
    check(embedded::SIZES, |row| [row.source, row.as_of]);
    check(embedded::RETIREMENTS, |row| [row.source, row.as_of]);
    check(embedded::BUILDS, |row| [row.source, row.as_of]);
    assert!(embedded::TAGS.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn programs_and_packages_are_present_absent_or_unknown() {
    let catalog = Catalog::default();
    for (image, program, expected) in [
        ("node:22", "git", Some(true)),
        ("node:22-slim", "git", Some(false)),
        ("node:22-slim", "curl", Some(false)),
        ("node:22-slim", "npm", Some(true)),
        ("node:22-slim", "frobnicate", None),
        ("golang:1.26", "git", Some(true)),
        ("golang:1.26", "gcc", Some(true)),
        ("python:3.12-slim", "gcc", Some(false)),
        ("alpine", "wget", Some(true)),
        ("alpine", "curl", Some(false)),
        ("nginx", "git", None),
    ] {
        assert_eq!(
            catalog.has_program(&facts(image), program),
            expected,
            "{image} {program}"
        );
    }
    for (image, package, expected) in [
        ("node:22-slim", "ca-certificates", Some(false)),
        ("python:3.12-slim", "ca-certificates", Some(true)),
        ("node:22", "libpq-dev", Some(true)),
        ("debian:12", "libpq-dev", Some(false)),
    ] {
        assert_eq!(
            catalog.has_package(&facts(image), package),
            expected,
            "{image} {package}"
        );
    }
}

#[test]
fn accounts_and_configuration_of_node() {
    let node = facts("node:22-slim");
    assert!(
        node.users()
            .any(|user| user == ("node", 1000, 1000, "/home/node"))
    );
    assert_eq!(node.entrypoint(), Some(r#"["docker-entrypoint.sh"]"#));
    assert_eq!(node.cmd(), Some(r#"["node"]"#));
    assert_eq!(node.version, "22");
}

#[test]
fn ends_of_life_by_version() {
    let catalog = Catalog::default();
    assert_eq!(
        catalog.end_of_life("nodejs", "18.20.1"),
        catalog.end_of_life("nodejs", "18")
    );
    assert!(
        catalog
            .end_of_life("nodejs", "18")
            .is_some_and(|date| date < "2026-01-01")
    );
    assert_eq!(catalog.end_of_life("nodejs", "1999"), None);
}

#[test]
fn the_users_rows_win() {
    let overlay: Overlay = serde_saphyr::from_str(
        "families:\n  - name: corp.example/base\n    bases: [{on: debian-slim, release: bookworm, complete: true}]\n",
    )
    .expect("a valid overlay");
    let catalog = Catalog::default().overlay(overlay);
    let image = catalog
        .image(&ImageRef::parse("corp.example/base:3"))
        .expect("it was added");
    assert_eq!(
        image.release.map(|release| release.version.get()),
        Some("12")
    );
    assert_eq!(catalog.has_program(&image, "git"), Some(false));
}

#[test]
fn a_lookup_takes_microseconds() {
    let catalog = Catalog::default();
    let start = std::time::Instant::now();
    for _ in 0..1_000 {
        std::hint::black_box(image::build("node", "22-slim"));
        std::hint::black_box(catalog.contents("debian-slim"));
    }
    // A thousand pairs take about a millisecond unoptimised; a scan of the tables would take a hundred times that.
    assert!(start.elapsed().as_millis() < 50, "{:?}", start.elapsed());
}
