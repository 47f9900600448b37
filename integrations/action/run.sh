#!/usr/bin/env bash
# Writes the reports, prints what people read, marks the lines. Its exit code is an output: the comment comes first.
set -euo pipefail

out=$RUNNER_TEMP/docker-diet
mkdir -p "$out"
arguments=()
[ -z "$DIET_LEVEL" ] || arguments+=("--level=$DIET_LEVEL")

since=$DIET_CHANGED_SINCE
if [ "$since" = auto ]; then
  since=$DIET_BASE
  # A checkout holds one commit as a rule; one more is enough to see what the pull request changes.
  if [ -n "$since" ] && ! git cat-file -e "$since^{commit}" 2>/dev/null; then
    git fetch --quiet --no-tags --depth=1 origin "$since" || {
      echo "::notice::the base of the pull request cannot be fetched; everything is looked at"
      since=
    }
  fi
fi
case "$since" in
  "" | all) ;;
  *) arguments+=("--changed-since=$since") ;;
esac

paths=()
while IFS= read -r path; do
  [ -z "$path" ] || paths+=("$path")
done <<< "$DIET_PATHS"

check() {
  docker-diet check "$@" ${arguments[@]+"${arguments[@]}"} -- ${paths[@]+"${paths[@]}"}
}

# The log shows text of the repository, and a line of it may look like a command to the runner.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token"
code=0
check --fail-on="$DIET_FAIL_ON" || code=$?
echo "::$token::"

if [ "$code" -gt 1 ]; then
  echo "::error::docker-diet could not judge every file; the log above says which"
fi
# What these calls have to say of errors, the first one has said: its exit code is kept.
check --format=sarif --fail-on=none --quiet > "$out/report.sarif" 2>/dev/null || true
check --format=markdown --fail-on=none --quiet > "$out/comment.md" 2>/dev/null || true
docker-diet fix --diff --quiet ${arguments[@]+"${arguments[@]}"} -- ${paths[@]+"${paths[@]}"} \
  > "$out/docker-diet.patch" 2>/dev/null || true
if [ "$DIET_ANNOTATIONS" = true ]; then
  check --format=github --fail-on=none --quiet 2>/dev/null || true
fi
cat "$out/comment.md" >> "$GITHUB_STEP_SUMMARY"

rewrites=false
[ ! -s "$out/docker-diet.patch" ] || rewrites=true
{
  echo "rewrites=$rewrites"
  echo "sarif=$out/report.sarif"
  echo "comment=$out/comment.md"
  echo "patch=$out/docker-diet.patch"
  echo "code=$code"
} >> "$GITHUB_OUTPUT"
