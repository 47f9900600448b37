# docker-diet in a container: docker run --rm -v "$PWD":/work --user "$(id -u)" ghcr.io/docker-diet/docker-diet fix --diff
FROM rust:1-trixie AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-docker-diet-rust-1-trixie,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    cargo build --locked --release --bin docker-diet && cp target/release/docker-diet /usr/local/bin/

FROM debian:13-slim
# `--changed-since` and `pr` ask git, about repositories that belong to someone else here.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git netbase && rm -rf /var/lib/apt/lists/*
RUN git config --system --add safe.directory '*'
COPY --from=build /usr/local/bin/docker-diet /usr/local/bin/
WORKDIR /work
USER 1000
ENTRYPOINT ["docker-diet"]
