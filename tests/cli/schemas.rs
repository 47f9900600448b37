//! The published JSON Schemas describe what the program reads and writes.

use serde_json::{Value, json};

use super::Repository;

fn schema(of: &str) -> (Value, jsonschema::Validator) {
    let ran = Repository::with(&[]).run(&["schema", of]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let value: Value = serde_json::from_str(&ran.out).expect("it is JSON");
    let validator = jsonschema::validator_for(&value).expect("it is a schema");
    (value, validator)
}

#[track_caller]
fn valid(validator: &jsonschema::Validator, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

#[test]
fn reports_are_as_the_schema_says() {
    let (_, validator) = schema("report");
    let repository = Repository::with(&[
        ("a/Dockerfile", b"FROM debian:12-slim\nADD caf\xe9 /\nRUN apt-get update && apt-get install -y curl\nCMD a b\n"),
        ("b/Dockerfile", b"NONSENSE\n"),
        ("c/Dockerfile", b"FROM scratch\n"),
        ("d/Dockerfile", b"FROM node:20\nWORKDIR /a\nCOPY . .\nRUN npm install\nCMD npm start\n"),
        ("d/package.json", b"{\"scripts\": {\"start\": \"node a.js\"}}"),
        ("d/node_modules/x/index.js", b"x"),
    ]);
    for arguments in [
        vec!["check", "--format", "json"],
        vec!["check", "--format", "json", "no-such-file"],
        vec!["fix", "--diff", "--format", "json", "--level", "aggressive"],
        vec!["fix", "--format", "json"],
    ] {
        let ran = repository.run(&arguments);
        let report: Value = serde_json::from_str(&ran.out).expect("the report is JSON");
        valid(&validator, &report);
        assert!(
            !report["files"].as_array().expect("a list").is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn configurations_and_the_schema_agree() {
    let (_, validator) = schema("config");
    let cases = [
        ("{}", true),
        (
            "level: safe\nrules: {exec-form: off, merge-runs: aggressive}\nexclude: [old/]\n",
            true,
        ),
        (
            "overrides:\n- paths: [a/**]\n  level: aggressive\n  pin: version\n",
            true,
        ),
        (
            "bases: chainguard\nbuildkit: never\ncache-mounts: false\nuser: {name: app, id: 1000}\n",
            true,
        ),
        (
            "bases: {family: official, distroless-mirror: registry.example.org/distroless}\n",
            true,
        ),
        (
            "verify: {probe: {port: 80, path: /}, env: {A: b}, services: {db: 'postgres:16'}}\n",
            true,
        ),
        (
            "pull-request: {branch: diet, labels: [a], reviewers: [b], draft: true}\n",
            true,
        ),
        (
            "catalog: {families: [{name: corp.example/base, bases: [{on: debian-slim, release: bookworm, complete: true}]}]}\n",
            true,
        ),
        ("catalog: {familes: []}\n", false),
        ("level: fast\n", false),
        ("unknown: 1\n", false),
        ("overrides:\n- level: safe\n", false),
        ("rules: {exec-form: 3}\n", false),
        ("bases: {family: other}\n", false),
        ("verify: {probe: {port: 70000}}\n", false),
    ];
    let repository = Repository::with(&[("Dockerfile", b"FROM scratch\n")]);
    for (text, expected) in cases {
        let value: Value = serde_saphyr::from_str(text).expect("it is YAML");
        assert_eq!(validator.is_valid(&value), expected, "the schema on {text}");
        repository.write(".docker-diet.yaml", text.as_bytes());
        let ran = repository.run(&["check"]);
        assert_eq!(ran.code == 0, expected, "the program on {text}: {ran:?}");
    }
}

/// What the schema lists is what the program takes: the error on an unknown key names all of them.
#[test]
fn the_schema_lists_every_key() {
    let (value, _) = schema("config");
    let repository = Repository::with(&[("Dockerfile", b"FROM scratch\n")]);
    for (text, pointer) in [
        ("zzzzzzzzzzzzzzzz: 1\n", "/properties"),
        (
            "pull-request: {zzzzzzzzzzzz: 1}\n",
            "/properties/pull-request/properties",
        ),
        (
            "catalog: {zzzzzzzzzzzz: []}\n",
            "/properties/catalog/properties",
        ),
    ] {
        repository.write(".docker-diet.yaml", text.as_bytes());
        let ran = repository.run(&["check"]);
        let keys = value
            .pointer(pointer)
            .and_then(Value::as_object)
            .expect("it is in the schema");
        for key in keys.keys() {
            assert!(
                ran.err.contains(&format!("`{key}`")),
                "{key} in {}",
                ran.err
            );
        }
        assert_eq!(
            ran.err.matches('`').count() / 2 - 1,
            keys.len(),
            "{}",
            ran.err
        );
    }
}

#[test]
fn inspect_gives_json() {
    let repository =
        Repository::with(&[("Dockerfile", b"FROM golang:1.22 AS b\nFROM alpine:3.20\n")]);
    let ran = repository.run(&["inspect", "--format", "json"]);
    let value: Value = serde_json::from_str(&ran.out).expect("it is JSON");
    assert_eq!(value[0]["path"], json!("Dockerfile"));
    assert_eq!(value[0]["stages"][0]["name"], json!("b"));
    assert_eq!(value[0]["stages"][1]["ships"], json!(true));
}
