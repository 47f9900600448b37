#!/usr/bin/env python3
"""Applies the fixes of `check --format sarif` and compares with what `fix` writes, byte for byte.

    sarif_agreement.py PROGRAM CORPUS [--count 500] [--schema sarif-2.1.0.json]

CORPUS is a folder with a folder `dockerfiles`. Each Dockerfile gets a build context of its own, with or without a
.dockerignore; every fifth is judged a second time with bytes that are not UTF-8 in it. Knows nothing of docker-diet but
the standard: fixes in the order of the results, byte offsets of the file as it is, a missing file is an empty one.
"""

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

CONTEXT = {
    "README.md": b"# An application\n",
    "package.json": b'{"name": "a", "scripts": {"start": "node server.js"}}\n',
    "package-lock.json": b'{"lockfileVersion": 3, "packages": {}}\n',
    "server.js": b"console.log(1)\n",
    "requirements.txt": b"flask==3.0.0\n",
    "app.py": b"print(1)\n",
    "node_modules/x/index.js": b"x\n",
}
IGNORE_FILES = [None, b"*.md", b"*.log\n!keep.log\n", b"*.log\r\n# kept\r\n!a.log\r\n"]


def lay_out(root, sources):
    """One folder a Dockerfile; gives the folders."""
    (root / ".git").mkdir(parents=True)
    for number, (name, text) in enumerate(sources):
        folder = root / f"{number:04} {name}"
        folder.mkdir()
        (folder / "Dockerfile").write_bytes(text)
        for path, content in CONTEXT.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        ignore = IGNORE_FILES[number % len(IGNORE_FILES)]
        if ignore is not None:
            (folder / ".dockerignore").write_bytes(ignore)


def choose(corpus, count):
    """`count` files at even distances, and every fifth of them again with Latin-1 in a comment and in a label."""
    paths = sorted((corpus / "dockerfiles").iterdir())
    chosen = [(path.stem, path.read_bytes()) for path in paths[:: max(1, len(paths) // count)][:count]]
    for name, text in chosen[::5]:
        head, newline, rest = text.partition(b"\n")
        comment = b"# caf\xe9\n" if newline else b""
        chosen.append((f"{name}-latin1,%\xe9", head + newline + comment + rest.replace(b"ENV ", b'ENV NAME_1="\xe9"\nENV ', 1)))
    return chosen


def replacements(log):
    """By file: its replacements as (offset, length, new bytes), in the order of the fixes."""
    files = {}
    for run in log["runs"]:
        for result in run["results"]:
            for fix in result.get("fixes", []):
                for change in fix["artifactChanges"]:
                    path = urllib.parse.unquote(change["artifactLocation"]["uri"])
                    for replacement in change["replacements"]:
                        region = replacement["deletedRegion"]
                        content = replacement.get("insertedContent", {})
                        new = content.get("text", "").encode()
                        if "binary" in content:
                            new = base64.b64decode(content["binary"])
                        files.setdefault(path, []).append((region["byteOffset"], region["byteLength"], new))
    return files


def by_lines_and_columns(text, replacement):
    """Offset and length that lines and columns of the region stand for, in characters."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    region = replacement["deletedRegion"]
    start = starts[region["startLine"] - 1] + region["startColumn"] - 1
    return start, starts[region["endLine"] - 1] + region["endColumn"] - 1


def columns_agree(log, root):
    """Counts regions whose lines and columns are there, all of which must mean the same bytes."""
    seen = 0
    for run in log["runs"]:
        for result in run["results"]:
            for fix in result.get("fixes", []):
                for change in fix["artifactChanges"]:
                    path = root / urllib.parse.unquote(change["artifactLocation"]["uri"])
                    source = path.read_bytes() if path.exists() else b""
                    for replacement in change["replacements"]:
                        region = replacement["deletedRegion"]
                        if "startLine" not in region or source.startswith(b"\xef\xbb\xbf"):
                            continue
                        # Every byte that is not UTF-8 is one character here: such lines have no columns anyway.
                        text = source.decode(errors="surrogateescape")
                        start, end = by_lines_and_columns(text, replacement)
                        before = len(text[:start].encode(errors="surrogateescape"))
                        length = len(text[start:end].encode(errors="surrogateescape"))
                        if (before, length) != (region["byteOffset"], region["byteLength"]):
                            sys.exit(f"{path}: {region} is not {before}+{length}")
                        seen += 1
    return seen


def apply(source, changes):
    """Insertions at one place keep their order."""
    out, end = [], 0
    for offset, length, new in sorted(changes, key=lambda change: change[:2]):
        assert offset >= end, "replacements overlap"
        out += [source[end:offset], new]
        end = offset + length
    return b"".join(out + [source[end:]])


def components(report):
    """Components of the JSON report that change something, the measure for the number of fixes."""
    count = 0
    for file in report["files"]:
        owners = {file["rewrites"][index]["component"] for edit in file["edits"] for index in edit["rewrites"]}
        if file["ignore_file"]:
            added = {line["pattern"] for line in file["ignore_file"]["added"]}
            for pattern in added:
                askers = [row["component"] for row in file["rewrites"] if pattern in [line["pattern"] for line in row["ignore"]]]
                owners |= set(askers[:1])
        count += len(owners)
    return count


def tree(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--schema", type=Path)
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    sources = choose(arguments.corpus, arguments.count)

    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        applied, fixed = Path(scratch) / "applied", Path(scratch) / "fixed"
        lay_out(applied, sources)
        shutil.copytree(applied, fixed)
        run = lambda *words, at: subprocess.run([program, *words], cwd=at, capture_output=True)
        check = run("check", "--format", "sarif", "--fail-on", "none", at=applied)
        log = json.loads(check.stdout)
        if arguments.schema:
            import jsonschema
            jsonschema.validate(log, json.loads(arguments.schema.read_text()))
            print(f"valid by {arguments.schema.name}: {len(check.stdout)} bytes")
        report = json.loads(run("check", "--format", "json", at=applied).stdout)
        results = log["runs"][0]["results"]
        fixes = sum(len(result.get("fixes", [])) for result in results)
        print(f"{len(results)} results, {fixes} fixes, {components(report)} components that change something")
        if fixes != components(report):
            sys.exit("there is not one fix for each component")
        print(f"{columns_agree(log, applied)} regions mean the same by lines and columns")

        for path, changes in replacements(log).items():
            target = applied / path
            source = target.read_bytes() if target.exists() else b""
            target.write_bytes(apply(source, changes))
        written = run("fix", at=fixed)
        assert written.returncode == 0, written.stderr.decode()

        by_script, by_program = tree(applied), tree(fixed)
        folders = sorted({path.parts[0] for path in by_program})
        differ = [folder for folder in folders if any(
            by_script.get(path) != by_program.get(path)
            for path in by_script.keys() | by_program.keys() if path.parts[0] == folder)]
        original = dict(sources)
        changed = sum((fixed / folder / "Dockerfile").read_bytes() != original[folder[5:]] for folder in folders)
        ignores = sum(path.name == ".dockerignore" for path in by_program)
        print(f"{len(folders) - len(differ)} of {len(folders)} folders are equal byte for byte: "
              f"{changed} Dockerfiles changed, {ignores} ignore files")
        if differ:
            sys.exit(f"differ: {differ[:10]}")


if __name__ == "__main__":
    main()
