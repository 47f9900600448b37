//! The program as a plugin of Docker's command line.

use super::Repository;

#[test]
fn docker_learns_what_the_plugin_is() {
    let ran = Repository::with(&[]).run(&["docker-cli-plugin-metadata"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let value: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON");
    assert_eq!(value["SchemaVersion"], "0.1.0");
    assert_eq!(value["Version"], env!("CARGO_PKG_VERSION"));
    assert!(
        value["ShortDescription"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
}

#[test]
fn it_runs_as_docker_runs_it() {
    let repository = Repository::with(&[("Dockerfile", b"FROM debian:12-slim\nCMD a b\n")]);
    let direct = repository.run(&["check"]);
    let plugin = repository.run(&["diet", "check"]);
    assert_eq!((direct.code, &direct.out), (plugin.code, &plugin.out));
    let by_docker = |arguments: &[&str]| {
        let output = repository
            .command(arguments)
            .env("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "/usr/bin/docker")
            .output()
            .expect("the program starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(
        by_docker(&["--context", "other", "diet", "check"]),
        direct.out
    );
    assert!(by_docker(&["help", "diet", "check"]).contains("Usage: docker diet check "));
    let help = repository.run(&["diet", "--help"]).out;
    assert!(help.contains("Usage: docker diet "), "{help}");
    assert!(
        repository
            .run(&["--help"])
            .out
            .contains("Usage: docker-diet ")
    );
}
