#!/usr/bin/env bash
# Puts docker-diet into the PATH of the following steps: the program that is there, or a release whose checksum is right.
set -euo pipefail

if [ -n "$DIET_PROGRAM" ]; then
  test -x "$DIET_PROGRAM" || { echo "::error::the program that was given is not there"; exit 2; }
  folder=$RUNNER_TEMP/docker-diet-bin
  mkdir -p "$folder"
  ln -sf "$(realpath "$DIET_PROGRAM")" "$folder/docker-diet"
  echo "$folder" >> "$GITHUB_PATH"
  exit 0
fi

case "$RUNNER_OS-$RUNNER_ARCH" in
  Linux-X64) target=x86_64-unknown-linux-musl ;;
  Linux-ARM64) target=aarch64-unknown-linux-musl ;;
  macOS-X64) target=x86_64-apple-darwin ;;
  macOS-ARM64) target=aarch64-apple-darwin ;;
  Windows-X64) target=x86_64-pc-windows-msvc ;;
  *) echo "::error::there is no release for $RUNNER_OS on $RUNNER_ARCH"; exit 2 ;;
esac
if [ -n "$DIET_VERSION" ] && [[ ! $DIET_VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  echo "::error::the version is to be written as 0.1.0"
  exit 2
fi

archive=docker-diet-$target.tar.gz
page=$GITHUB_SERVER_URL/$DIET_REPOSITORY/releases
where=${DIET_VERSION:+download/v$DIET_VERSION}
where=${where:-latest/download}
folder=$RUNNER_TEMP/docker-diet-bin
mkdir -p "$folder"
cd "$folder"
for name in "$archive" "$archive.sha256"; do
  # The token in a header that is read from a pipe is in no list of processes.
  printf 'Authorization: Bearer %s\n' "$DIET_TOKEN" |
    curl --fail --silent --show-error --location --retry 3 --header @- --output "$name" "$page/$where/$name"
done
sum=$(cut -d' ' -f1 "$archive.sha256")
if command -v sha256sum >/dev/null; then
  echo "$sum  $archive" | sha256sum --check --quiet
else
  echo "$sum  $archive" | shasum -a 256 --check --quiet
fi
tar -xzf "$archive"
echo "$folder" >> "$GITHUB_PATH"
