//! How long a Dockerfile takes: tree, shell, model, the whole pipeline, a long file, a folder.
//!
//! `cargo bench --bench pipeline`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use docker_diet::catalog::Catalog;
use docker_diet::cli::snapshot::snapshot;
use docker_diet::context::Context;
use docker_diet::model::Model;
use docker_diet::pipeline::plan;
use docker_diet::rules::Settings;
use docker_diet::shell::{self, Dialect};
use docker_diet::syntax::{Dockerfile, Keyword};

/// Ten files of different kinds.
const FILES: [(&str, &str); 10] = [
    (
        "node",
        "FROM node:20\nWORKDIR /app\nCOPY package*.json ./\nCOPY . .\nRUN npm install\nEXPOSE 3000\nCMD npm start\n",
    ),
    (
        "python",
        "FROM python:3.12\nADD . /srv\nWORKDIR /srv\nRUN apt-get update\nRUN apt-get install -y gcc libpq-dev\nRUN pip install -r requirements.txt\nCMD gunicorn app:app\n",
    ),
    (
        "go",
        "FROM golang:1.22 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/app ./cmd/app\nFROM alpine:3.20\nRUN apk add ca-certificates\nCOPY --from=build /out/app /app\nENTRYPOINT /app\n",
    ),
    (
        "rust",
        "FROM rust:1.80\nCOPY . /src\nWORKDIR /src\nRUN cargo build --release\nCMD [\"/src/target/release/app\"]\n",
    ),
    (
        "maven",
        "FROM maven:3.9-eclipse-temurin-21\nCOPY . /app\nWORKDIR /app\nRUN mvn -B package -DskipTests\nEXPOSE 8080\nCMD java $JAVA_OPTS -jar target/app.jar\n",
    ),
    (
        "ruby",
        "FROM ruby:3.3\nRUN apt-get update && apt-get install -y nodejs postgresql-client && rm -rf /var/lib/apt/lists/*\nWORKDIR /app\nADD Gemfile Gemfile.lock ./\nRUN bundle install\nADD . .\nCMD bundle exec rails s -b 0.0.0.0\n",
    ),
    (
        "php",
        "FROM php:8.3-apache\nRUN apt-get update && apt-get install -y git unzip libzip-dev && docker-php-ext-install zip pdo_mysql\nCOPY --from=composer:2 /usr/bin/composer /usr/bin/composer\nCOPY . /var/www/html\nRUN composer install\nRUN chown -R www-data:www-data /var/www/html\n",
    ),
    (
        "heredoc",
        "# syntax=docker/dockerfile:1\nFROM debian:12\nRUN <<EOF\nset -e\napt-get update\napt-get install -y curl\nfor i in 1 2 3; do\n  echo \"$i\" >> /n\ndone\nEOF\nCOPY <<'A' <<B /etc/conf/\nkey=$value\nA\nother\nB\nCMD cat /n\n",
    ),
    (
        "continued",
        "FROM ubuntu:22.04\nENV DEBIAN_FRONTEND noninteractive\nRUN apt-get update && \\\n    # tools\n    apt-get install -y --no-install-recommends \\\n      build-essential \\\n      git \\\n\n      wget && \\\n    wget -q https://example.org/x.tgz && tar xzf x.tgz && \\\n    cd x && ./configure && make && make install\nUSER nobody\nHEALTHCHECK CMD wget -q -O- localhost || exit 1\nENTRYPOINT [\"/usr/local/bin/x\"]\n",
    ),
    (
        "variables",
        "ARG VERSION=3.20\nFROM alpine:${VERSION} AS base\nARG USER=app\nENV HOME=/home/$USER PATH=$PATH:/opt/bin\nRUN adduser -D $USER\nWORKDIR ${HOME}\nFROM base\nARG REF\nLABEL ref=${REF:-none}\nRUN apk update && apk add git openssh\nUSER $USER\nCMD [\"sh\"]\n",
    ),
];

/// The ten files together.
fn parts(criterion: &mut Criterion) {
    let catalog = Catalog::default();
    let settings = Settings {
        cache_mounts: true,
        ..Settings::default()
    };
    let trees: Vec<Dockerfile> = FILES
        .iter()
        .map(|(_, text)| Dockerfile::parse(text.as_bytes().to_vec()))
        .collect();
    let mut group = criterion.benchmark_group("ten files");
    group.throughput(Throughput::Elements(FILES.len() as u64));
    group.bench_function("tree", |bench| {
        bench.iter(|| {
            for (_, text) in FILES {
                black_box(Dockerfile::parse(black_box(text.as_bytes()).to_vec()));
            }
        });
    });
    group.bench_function("shell", |bench| {
        let texts: Vec<_> = trees
            .iter()
            .flat_map(|tree| {
                let runs = tree.instructions().iter();
                runs.filter(|run| run.keyword == Keyword::Run)
                    .filter_map(|run| tree.shell_text(run))
            })
            .collect();
        bench.iter(|| {
            for text in &texts {
                black_box(shell::parse(black_box(text), Dialect::Dash)).ok();
            }
        });
    });
    group.bench_function("model", |bench| {
        bench.iter(|| {
            for tree in &trees {
                black_box(Model::new(black_box(tree), &catalog, &[]));
            }
        });
    });
    group.bench_function("model and shell", |bench| {
        bench.iter(|| {
            for tree in &trees {
                let model = Model::new(black_box(tree), &catalog, &[]);
                for index in 0..tree.instructions().len() {
                    black_box(model.script(index));
                }
            }
        });
    });
    group.bench_function("pipeline", |bench| {
        bench.iter(|| {
            for (_, text) in FILES {
                black_box(plan(
                    black_box(text.as_bytes()),
                    None,
                    &catalog,
                    &settings,
                    None,
                ));
            }
        });
    });
    group.finish();
}

/// Each of the ten through everything, alone.
fn files(criterion: &mut Criterion) {
    let catalog = Catalog::default();
    let settings = Settings {
        cache_mounts: true,
        ..Settings::default()
    };
    let mut group = criterion.benchmark_group("pipeline");
    for (name, text) in FILES {
        group.bench_function(name, |bench| {
            bench.iter(|| plan(black_box(text.as_bytes()), None, &catalog, &settings, None));
        });
    }
    group.finish();
}

/// Shapes whose cost could grow faster than the file: a large one each, and one of a quarter of its size.
fn shapes(criterion: &mut Criterion) {
    let words = format!("{}\\\n", "word=1 ".repeat(100));
    let makers: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("words", &|n| {
            format!("FROM a\nENV {}x=y\n", words.repeat(n))
        }),
        ("comments", &|n| {
            format!("FROM a\nRUN x{}\n", " \\\n# c\n y".repeat(n * 50))
        }),
        ("heredocs", &|n| {
            format!("FROM a\n{}", "RUN echo <<E\nx\nE\n".repeat(n * 50))
        }),
        ("onbuild", &|n| {
            format!("FROM a\n{}RUN x\n", "ONBUILD ".repeat(n * 20))
        }),
        ("open", &|n| {
            format!("FROM a\nRUN {}\n", "<<${a:-".repeat(n * 20))
        }),
    ];
    let mut group = criterion.benchmark_group("large trees");
    group.sample_size(10);
    for (name, make) in makers {
        for size in [100, 400] {
            let text = make(size);
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(format!("{name} {size}"), |bench| {
                bench.iter(|| Dockerfile::parse(black_box(text.as_bytes())));
            });
        }
    }
    group.finish();
}

/// A file of ten thousand instructions through everything: state is kept at each of them.
fn long(criterion: &mut Criterion) {
    let catalog = Catalog::default();
    let settings = Settings {
        cache_mounts: true,
        ..Settings::default()
    };
    let mut text = String::from("FROM debian:12\n");
    for at in 0..2_500 {
        text.push_str(&format!(
            "ENV V{at} $V1\nRUN apt-get update && apt-get install -y p{at}\nLABEL l{at}=v\nWORKDIR /w{at}\n"
        ));
    }
    let mut group = criterion.benchmark_group("ten thousand instructions");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("pipeline", |bench| {
        bench.iter(|| plan(black_box(text.as_bytes()), None, &catalog, &settings, None));
    });
    group.finish();
}

/// A context of 5,000 files: read from disk, and judged with one Dockerfile.
fn folder(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for at in 0..5_000 {
        let place = folder
            .path()
            .join(format!("src/d{:02}/e{}", at % 50, at % 7));
        std::fs::create_dir_all(&place).expect("a folder");
        std::fs::write(place.join(format!("f{at}.js")), "x").expect("a file");
    }
    let (_, node) = FILES[0];
    let dockerfile = folder.path().join("Dockerfile");
    std::fs::write(&dockerfile, node).expect("a file");
    std::fs::write(
        folder.path().join("package.json"),
        "{\"scripts\": {\"start\": \"node .\"}}",
    )
    .expect("a file");
    let read = || -> Context { snapshot(folder.path(), &dockerfile).expect("it is readable") };
    let context = read();
    let catalog = Catalog::default();
    let settings = Settings {
        cache_mounts: true,
        ..Settings::default()
    };
    let mut group = criterion.benchmark_group("context of 5,000 files");
    group.sample_size(20);
    group.bench_function("snapshot", |bench| bench.iter(read));
    group.bench_function("pipeline", |bench| {
        bench.iter(|| {
            plan(
                black_box(node.as_bytes()),
                Some(&context),
                &catalog,
                &settings,
                None,
            )
        });
    });
    group.finish();
}

criterion_group!(benches, parts, files, shapes, long, folder);
criterion_main!(benches);
