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
    let with_options = repository
        .command(&["--context", "other", "diet", "check"])
        .env("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "/usr/bin/docker")
        .output()
        .expect("the program starts");
    assert_eq!(String::from_utf8_lossy(&with_options.stdout), direct.out);
    let help = repository.run(&["diet", "--help"]).out;
    assert!(help.contains("Usage: docker diet "), "{help}");
    assert!(
        repository
            .run(&["--help"])
            .out
            .contains("Usage: docker-diet ")
    );
}
