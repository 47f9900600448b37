use super::{Kind, Needs, Why, replace_base, runtime_base};
use crate::catalog::Catalog;
use crate::model::Model;
use crate::rules::{BaseFamilies, Ctx, Settings};
use crate::syntax::Dockerfile;
use crate::text::apply;

/// Calls `f` with the rule context of `text`, judged without a build context.
fn with_ctx<T>(text: &str, settings: &Settings, f: impl FnOnce(&Ctx<'_>) -> T) -> T {
    let dockerfile = Dockerfile::parse(text.as_bytes());
    let catalog = Catalog::default();
    let model = Model::new(&dockerfile, &catalog, &[]);
    f(&Ctx {
        dockerfile: &dockerfile,
        model: &model,
        context: None,
        catalog: &catalog,
        settings,
        pending_ignore: &[],
    })
}

fn needs(kind: Kind) -> Needs {
    Needs {
        kind,
        shell: false,
        packages: Vec::new(),
        unprivileged: false,
    }
}

fn choose(text: &str, needs: &Needs) -> Result<String, Why> {
    with_ctx(text, &Settings::default(), |ctx| {
        let choice = runtime_base(ctx, &ctx.model.stages[0], needs)?;
        Ok(if choice.install.is_empty() {
            choice.reference
        } else {
            format!("{} + {}", choice.reference, choice.install.join(" "))
        })
    })
}

#[test]
fn chooses_by_what_starts() {
    const LINKED: Kind = Kind::Glibc { libstdcpp: false };
    const CPP: Kind = Kind::Glibc { libstdcpp: true };
    for (from, kind, expected) in [
        (
            "golang:1.26",
            Kind::Static,
            "gcr.io/distroless/static-debian13",
        ),
        (
            "golang:1.26-alpine",
            Kind::Static,
            "gcr.io/distroless/static-debian13",
        ),
        (
            "golang:1.26-bookworm",
            LINKED,
            "gcr.io/distroless/base-debian13",
        ),
        ("rust:1", CPP, "gcr.io/distroless/cc-debian13"),
        ("ubuntu:24.04", CPP, "gcr.io/distroless/cc-debian13"),
        ("ubuntu:25.10", CPP, "ubuntu:25.10"),
        ("golang:1.26-alpine3.23", LINKED, "alpine:3.23"),
        ("rust:1-alpine3.23", CPP, "alpine:3.23 + libstdc++"),
        ("node:22", Kind::Interpreter, "node:22-slim"),
        ("node:22-slim", Kind::Interpreter, "node:22-slim"),
        ("node:22-alpine", Kind::Interpreter, "node:22-alpine"),
        (
            "python:3.12-bookworm",
            Kind::Interpreter,
            "python:3.12-slim-bookworm",
        ),
        ("eclipse-temurin:21", Kind::Jre, "eclipse-temurin:21-jre"),
        (
            "eclipse-temurin:21-jdk-alpine",
            Kind::Jre,
            "eclipse-temurin:21-jre-alpine",
        ),
        (
            "maven:3.9-eclipse-temurin-21",
            Kind::Jre,
            "eclipse-temurin:21-jre",
        ),
        ("maven:3-jdk-11", Kind::Jre, "eclipse-temurin:11-jre"),
        ("gradle:8-jdk17", Kind::Jre, "eclipse-temurin:17-jre"),
        (
            "gradle:8-jdk17-alpine",
            Kind::Jre,
            "eclipse-temurin:17-jre-alpine",
        ),
        ("openjdk:17-jdk-slim", Kind::Jre, "eclipse-temurin:17-jre"),
        (
            "public.ecr.aws/docker/library/maven:3.9-eclipse-temurin-17",
            Kind::Jre,
            "public.ecr.aws/docker/library/eclipse-temurin:17-jre",
        ),
    ] {
        let chosen = choose(&format!("FROM {from}\n"), &needs(kind));
        assert_eq!(chosen.as_deref(), Ok(expected), "{from} {kind:?}");
    }
}

#[test]
fn a_shell_or_packages_keep_the_release() {
    let linked = Needs {
        packages: vec!["libpq5".to_owned()],
        ..needs(Kind::Glibc { libstdcpp: false })
    };
    assert_eq!(
        choose("FROM golang:1.26-bookworm\n", &linked).as_deref(),
        Ok("debian:bookworm-slim + libpq5")
    );
    let shell = Needs {
        shell: true,
        ..needs(Kind::Static)
    };
    assert_eq!(
        choose("FROM golang:1.26-trixie\n", &shell).as_deref(),
        Ok("debian:trixie-slim")
    );
    assert!(choose("FROM golang:1.26-alpine\n", &linked).is_err());
}

#[test]
fn what_is_not_known_is_refused() {
    for (from, kind) in [
        ("ghcr.io/acme/base:1", Kind::Interpreter),
        ("$UNSET", Kind::Static),
        ("node:22@sha256:00", Kind::Interpreter),
        (
            "mcr.microsoft.com/windows/servercore:ltsc2022",
            Kind::Static,
        ),
        ("amazoncorretto:17-al2023", Kind::Jre),
        ("maven:3-amazoncorretto-17", Kind::Jre),
        ("openjdk:13", Kind::Jre),
    ] {
        assert!(
            choose(&format!("FROM {from}\n"), &needs(kind)).is_err(),
            "{from}"
        );
    }
}

#[test]
fn distroless_has_a_mirror_a_user_and_a_rival() {
    let mirror = "FROM r.example/library/golang:1.26\n";
    let static_needs = needs(Kind::Static);
    assert_eq!(
        choose(mirror, &static_needs).as_deref(),
        Ok("r.example/library/debian:trixie-slim")
    );
    let of = |text: &str, settings: &Settings, needs: &Needs| {
        with_ctx(text, settings, |ctx| {
            runtime_base(ctx, &ctx.model.stages[0], needs).map(|choice| choice.reference)
        })
    };
    let mirrored = Settings {
        distroless_mirror: Some("r.example/distroless/".to_owned()),
        ..Settings::default()
    };
    let unprivileged = Needs {
        unprivileged: true,
        ..needs(Kind::Static)
    };
    assert_eq!(
        of(mirror, &mirrored, &unprivileged).as_deref(),
        Ok("r.example/distroless/static-debian13:nonroot")
    );
    let chainguard = Settings {
        bases: BaseFamilies::Chainguard,
        ..Settings::default()
    };
    assert_eq!(
        of("FROM golang:1.26\n", &chainguard, &unprivileged).as_deref(),
        Ok("cgr.dev/chainguard/static:latest")
    );
    // It would not run as root.
    assert_eq!(
        of("FROM golang:1.26\n", &chainguard, &static_needs).as_deref(),
        Ok("debian:trixie-slim")
    );
}

#[test]
fn the_non_root_tag_has_its_user() {
    let unprivileged = Needs {
        unprivileged: true,
        ..needs(Kind::Static)
    };
    with_ctx("FROM golang:1.26\n", &Settings::default(), |ctx| {
        let choice = runtime_base(ctx, &ctx.model.stages[0], &unprivileged).expect("a base");
        let facts = choice.facts.expect("facts of distroless");
        assert_eq!(facts.user(), Some("65532"));
        assert_eq!(facts.workdir(), Some("/home/nonroot"));
        assert!(!choice.shell);
        assert_eq!(choice.package_manager, None);
    });
}

/// The text after the edits that put `new` under the last stage.
fn replaced(text: &str, new: &str) -> Result<String, Why> {
    with_ctx(text, &Settings::default(), |ctx| {
        let stage = ctx.model.final_stage().expect("a stage");
        let edits = replace_base(ctx, stage, new)?;
        let bytes = apply(text.as_bytes(), &edits).expect("edits apply");
        Ok(String::from_utf8(bytes).expect("text"))
    })
}

#[test]
fn the_reference_is_edited_where_it_is_written() {
    for (text, new, expected) in [
        (
            "from --platform=linux/amd64 node:22 as x\n",
            "node:22-slim",
            "from --platform=linux/amd64 node:22-slim as x\n",
        ),
        (
            "ARG V=22\nFROM node:${V}\n",
            "node:22-slim",
            "ARG V=22\nFROM node:${V}-slim\n",
        ),
        (
            "ARG V=22\nFROM node:$V-bookworm\n",
            "node:22-bookworm-slim",
            "ARG V=22\nFROM node:$V-bookworm-slim\n",
        ),
        (
            "ARG BASE=\"node:22\"\nFROM ${BASE}\n",
            "node:22-slim",
            "ARG BASE=\"node:22-slim\"\nFROM ${BASE}\n",
        ),
        (
            "ARG V=3.12-bookworm\nFROM python:$V\n",
            "python:3.12-slim-bookworm",
            "ARG V=3.12-slim-bookworm\nFROM python:$V\n",
        ),
        (
            "ARG R=docker.io\nFROM $R/node:22\n",
            "docker.io/node:22-slim",
            "ARG R=docker.io\nFROM $R/node:22-slim\n",
        ),
    ] {
        assert_eq!(replaced(text, new).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_the_variable_means_elsewhere_is_kept() {
    for text in [
        "ARG BASE=node:22\nFROM ${BASE} AS a\nFROM ${BASE}\n",
        "ARG BASE=node:22\nFROM ${BASE}\nARG BASE\nRUN echo $BASE\n",
        "ARG A=node\nARG B=22\nFROM $A:$B\n",
        "ARG BASE=node:22\nFROM ${BASE:-node:20}\n",
        "FROM node:22@sha256:00\n",
        "FROM node:22 AS a\nFROM a\n",
    ] {
        assert!(replaced(text, "node:22-slim").is_err(), "{text}");
    }
    assert!(replaced("FROM x AS debian\nFROM node:22\n", "debian").is_err());
}
