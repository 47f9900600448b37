#!/usr/bin/env python3
"""Holds the requests of `cargo run --example bot -- requests …` against a forge's published description.

    check.py REQUESTS.jsonl DESCRIPTION [PREFIX]

DESCRIPTION is OpenAPI 3 (GitHub: npm `@octokit/openapi`, generated/api.github.com.deref.json; GitLab: its repository,
doc/api/openapi/openapi_v3.yaml) or Swagger 2 (Gitea: its Go module, templates/swagger/v1_json.tmpl). PREFIX is what its
paths begin with (`/api/v4` at GitLab). Every request must name a known path and method, only parameters and fields that
are described, and a body that its schema takes. Needs `jsonschema`, and PyYAML for a description in YAML.
"""

import json
import re
import sys

import jsonschema


def load(path):
    text = open(path, encoding="utf-8").read()
    if path.endswith((".yaml", ".yml")):
        import yaml

        return yaml.safe_load(text)
    # Gitea's file is a Go template: its marks stand inside texts.
    return json.loads(re.sub(r"\{\{[^}]*\}\}", "x", text))


def pattern(template):
    parts = re.split(r"(\{[^}]*\})", template)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts) + r"$")


def find(description, prefix, request):
    """The operation; of several templates the one with the fewest gaps, as forges route them."""
    path = prefix + request["path"]
    fitting = [t for t in description["paths"] if pattern(t).match(path)]
    for template in sorted(fitting, key=lambda t: t.count("{")):
        item = description["paths"][template]
        operation = item.get(request["method"].lower())
        if operation:
            return template, operation, item.get("parameters", []) + operation.get("parameters", [])
    raise ValueError(f"no operation {request['method']} {path}; paths that fit: {fitting}")


def resolve(description, value):
    while isinstance(value, dict) and "$ref" in value:
        target = description
        for part in value["$ref"].lstrip("#/").split("/"):
            target = target[part]
        value = target
    return value


def check_value(description, name, value, schema):
    schema = resolve(description, schema)
    schema = resolve(description, schema.get("schema", schema))
    kind = schema.get("type")
    if kind == "integer":
        value = int(value)
    if kind == "boolean":
        value = {"true": True, "false": False}[value]
    if "enum" in schema and value not in schema["enum"]:
        raise ValueError(f"{name}={value} is none of {schema['enum']}")
    if kind == "integer" and "maximum" in schema and value > schema["maximum"]:
        raise ValueError(f"{name}={value} is too much")


def check_body(description, schema, body):
    schema = resolve(description, schema)
    known = set(schema.get("properties", {}))
    for choice in schema.get("oneOf", []) + schema.get("anyOf", []) + schema.get("allOf", []):
        known |= set(resolve(description, choice).get("properties", {}))
    unknown = set(body) - known
    if unknown:
        raise ValueError(f"fields that are not described: {sorted(unknown)}")
    root = {**schema, "definitions": description.get("definitions", {}), "components": description.get("components", {})}
    jsonschema.Draft7Validator(root).validate(body)


def check(description, prefix, request):
    template, operation, parameters = find(description, prefix, request)
    parameters = [resolve(description, it) for it in parameters]
    queries = {it["name"]: it for it in parameters if it["in"] == "query"}
    for name, value in request["query"]:
        if name not in queries:
            raise ValueError(f"the parameter `{name}` is not described")
        check_value(description, name, value, queries[name])
    missing = [it["name"] for it in queries.values() if it.get("required") and it["name"] not in dict(request["query"])]
    if missing:
        raise ValueError(f"without {missing}")
    body = request["body"]
    if body is not None:
        schemas = [it["schema"] for it in parameters if it["in"] == "body"]
        content = resolve(description, operation.get("requestBody", {})).get("content", {})
        schemas += [content["application/json"]["schema"]] if "application/json" in content else []
        form = {it["name"]: it for it in parameters if it["in"] == "formData"}
        if form:
            schemas.append({
                "properties": {n: {k: v for k, v in it.items() if k in ("type", "items", "enum")} for n, it in form.items()},
                "required": [n for n, it in form.items() if it.get("required")],
            })
        if not schemas:
            raise ValueError("no body is described")
        check_body(description, schemas[0], body)
    return template


def main():
    requests, description = sys.argv[1], load(sys.argv[2])
    prefix = sys.argv[3] if len(sys.argv) > 3 else ""
    wrong = 0
    for line in open(requests, encoding="utf-8"):
        request = json.loads(line)
        try:
            print(f"ok     {request['method']:6} {check(description, prefix, request)}")
        except (ValueError, KeyError, jsonschema.ValidationError) as error:
            wrong += 1
            print(f"WRONG  {request['method']:6} {request['path']}: {str(error).splitlines()[0]}")
    print(f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
