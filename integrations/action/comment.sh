#!/usr/bin/env bash
# One comment in the pull request: written once, changed afterwards, and none where there was never anything to say.
set -euo pipefail

marker='<!-- docker-diet: comment -->'
comments=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/$DIET_PULL_REQUEST/comments

# Arguments: method, URL, and a file to send. The token is read from a pipe: it is in no list of processes.
api() {
  printf 'Authorization: Bearer %s\nAccept: application/vnd.github+json\nX-GitHub-Api-Version: 2022-11-28\n' "$DIET_TOKEN" |
    curl --fail --silent --show-error --retry 3 --header @- --request "$1" ${3:+--data-binary "@$3"} "$2"
}

own=
page=1
while [ -z "$own" ]; do
  found=$(api GET "$comments?per_page=100&page=$page") || {
    echo "::notice::the comments cannot be read with this token"
    exit 0
  }
  # Of a bot, so that nobody can put a comment of a person under this program's pen.
  own=$(jq -r --arg marker "$marker" \
    'map(select(.user.type == "Bot" and (.body | startswith($marker)))) | first | .id // empty' <<< "$found")
  [ "$(jq length <<< "$found")" = 100 ] || break
  page=$((page + 1))
done

body=$RUNNER_TEMP/docker-diet/comment.json
jq -Rs '{body: .}' "$DIET_COMMENT" > "$body"
if [ -n "$own" ]; then
  result=$(api PATCH "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/comments/$own" "$body") || result=
elif [ "$DIET_REWRITES" = true ]; then
  result=$(api POST "$comments" "$body") || result=
else
  exit 0
fi
if [ -z "$result" ]; then
  # As in a pull request from a fork, whose token may only read.
  echo "::notice::this token may not write comments; the summary of the job has it"
fi
