#!/usr/bin/env python3
"""Runs the scripts of the GitHub Action as a runner does, against a repository of 30 Dockerfiles and an API of its own.

    action_trial.py PROGRAM

Holds: only what the pull request touches is looked at, from a clone of one commit; nothing of the repository reaches the
runner as a command; one comment is written, then changed, and none where there was never anything to say; the reports take
less than 2 s.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ACTION = Path(__file__).resolve().parent.parent / "integrations/action"
TOKEN = "token-of-the-trial"
PERSON = {"id": 1, "body": "<!-- docker-diet: comment -->\nby a person", "user": {"type": "User"}}


class Api(http.server.BaseHTTPRequestHandler):
    comments, calls = [], []

    def answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def sent(self):
        assert self.headers["Authorization"] == f"Bearer {TOKEN}"
        self.calls.append(self.command)
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")

    def do_GET(self):
        self.sent()
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        size, page = int(query["per_page"][0]), int(query["page"][0])
        self.answer(200, self.comments[(page - 1) * size : page * size])

    def do_POST(self):
        self.comments.append({"id": 900, "user": {"type": "Bot"}, **self.sent()})
        self.answer(201, {"id": 900})

    def do_PATCH(self):
        change = self.sent()
        number = int(self.path.rsplit("/", 1)[1])
        next(it for it in self.comments if it["id"] == number).update(change)
        self.answer(200, {"id": number})

    def log_message(self, *_):
        pass


def repository(root):
    """A clone of one commit, as a checkout makes it; gives it and the commit of the base."""
    origin, clone = root / "origin", root / "clone"
    git = lambda *words, at=origin: subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words], cwd=at, check=True, capture_output=True, text=True).stdout
    origin.mkdir()
    git("init", "--quiet")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    for number in range(30):
        (origin / f"s {number}").mkdir()
        (origin / f"s {number}/Dockerfile").write_text(f"FROM debian:13\nRUN apt-get update\nRUN apt-get install -y curl\nCMD run {number}\n")
    git("add", "-A")
    git("commit", "--quiet", "-m", "base")
    base = git("rev-parse", "HEAD").strip()
    (origin / "s 3/Dockerfile").write_text("FROM debian:13\n ENV A ::set-output name=x::y ##[error]z\nCMD a b\n")
    (origin / "s 4/::error::name").mkdir()
    (origin / "s 4/::error::name/Dockerfile").write_text("FROM debian:13\nRUN x \\\n::add-path::y\nCMD a b\n")
    git("add", "-A")
    git("commit", "--quiet", "-m", "pull request")
    git("clone", "--quiet", "--depth", "1", f"file://{origin}", str(clone), at=root)
    return clone, base


def commands(log):
    """The commands that a runner sees in a log."""
    seen, stopped = [], None
    for line in log.splitlines():
        text = line.strip()
        if stopped:
            stopped = None if text == f"::{stopped}::" else stopped
        elif text.startswith("::stop-commands::"):
            stopped = text.removeprefix("::stop-commands::")
        elif text.startswith("::") or "##[" in text:
            seen.append(text[2:].split(" ")[0].split("::")[0])
    return seen


def main():
    program = Path(sys.argv[1]).resolve()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Api.comments = [{"id": 2, "body": "x", "user": {"type": "User"}}] * 120 + [PERSON]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        root = Path(scratch)
        clone, base = repository(root)
        files = {name: root / name for name in ("path", "output", "summary")}
        environment = {
            **os.environ,
            "RUNNER_TEMP": str(root), "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
            "GITHUB_PATH": str(files["path"]), "GITHUB_OUTPUT": str(files["output"]),
            "GITHUB_STEP_SUMMARY": str(files["summary"]), "GITHUB_REPOSITORY": "o/r",
            "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
        }

        def script(name, **inputs):
            own = {f"DIET_{key.upper()}": value for key, value in inputs.items()}
            return subprocess.run([ACTION / name], cwd=clone, env={**environment, **own}, check=True, capture_output=True, text=True).stdout

        def run(**inputs):
            files["output"].write_text("")
            usual = dict(paths=".", level="", changed_since="auto", fail_on="none", annotations="true", base=base)
            log = script("run.sh", **{**usual, **inputs})
            return log, dict(line.split("=", 1) for line in files["output"].read_text().splitlines())

        script("install.sh", program=str(program), version="", repository="", token=TOKEN)
        environment["PATH"] = files["path"].read_text().strip() + ":" + environment["PATH"]

        log, output = run()
        assert "in 2 of 2 files" in log, log
        assert set(commands(log)) <= {"warning", "notice"}, commands(log)
        assert output["rewrites"] == "true" and output["code"] == "0", output
        print(f"what the pull request touches: {len(commands(log))} annotations, no other command")

        comment = dict(token=TOKEN, pull_request="7", comment=output["comment"])
        script("comment.sh", rewrites="true", **comment)
        script("comment.sh", rewrites="true", **comment)
        assert Api.calls == ["GET", "GET", "POST", "GET", "GET", "PATCH"], Api.calls
        assert Api.comments[120] == PERSON, "a person's comment stays"
        Api.comments, Api.calls = [], []
        script("comment.sh", rewrites="false", **comment)
        assert Api.calls == ["GET"], Api.calls
        print("one comment: written, changed, and none where there is nothing to say")

        begin = time.monotonic()
        log, output = run(changed_since="all", fail_on="safe")
        seconds = time.monotonic() - begin
        assert "of 31 files" in log and output["code"] == "1", log
        patch = Path(output["patch"])
        subprocess.run(["git", "apply", "--check", str(patch)], cwd=clone, check=True)
        assert seconds < 2, f"{seconds:.2f} s"
        print(f"31 Dockerfiles, all five reports: {seconds:.2f} s; the patch applies")


if __name__ == "__main__":
    main()
