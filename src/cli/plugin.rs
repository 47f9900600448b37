//! `docker diet …`: the program as a plugin of Docker's command line.
//!
//! Docker runs `docker-diet docker-cli-plugin-metadata` to learn what the plugin is, and `docker-diet [OPTIONS] diet …`
//! for `docker [OPTIONS] diet …`.

use std::ffi::OsString;

/// The word between the program and its arguments.
const NAME: &str = "diet";
/// The command by which Docker asks what the plugin is.
const METADATA: &str = "docker-cli-plugin-metadata";
/// Set by Docker for every plugin that it runs, with the name under which it was called itself.
const CALLED_BY_DOCKER: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// How the program was called.
pub(super) enum Call {
    /// As `docker-diet`, with these arguments, its own name first.
    Program(Vec<OsString>),
    /// As `docker diet`, likewise.
    Plugin(Vec<OsString>),
    /// To say what it is.
    Metadata,
}

/// What `args`, the program's own name first, ask for.
pub(super) fn call(args: impl IntoIterator<Item = OsString>) -> Call {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let by_docker = std::env::var_os(CALLED_BY_DOCKER).is_some();
    if args.get(1).is_some_and(|arg| arg == METADATA) {
        return Call::Metadata;
    }
    // Docker's own options, which say nothing to this program, stand before the name.
    let name = match args.iter().skip(1).position(|arg| arg == NAME) {
        Some(0) => Some(1),
        Some(at) if by_docker => Some(at + 1),
        _ => None,
    };
    match name {
        Some(name) => {
            // `docker help diet` and `docker help diet fix`.
            let help = args[1..name].iter().any(|arg| arg == "help");
            args.splice(1..=name, help.then(|| OsString::from("help")));
            Call::Plugin(args)
        }
        None => Call::Program(args),
    }
}

/// What Docker wants to know, JSON.
pub(super) fn metadata() -> String {
    let metadata = serde_json::json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "docker-diet",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": env!("CARGO_PKG_DESCRIPTION"),
        "URL": env!("CARGO_PKG_REPOSITORY"),
    });
    format!("{metadata:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(call: Call) -> (bool, Vec<OsString>) {
        match call {
            Call::Program(args) => (false, args),
            Call::Plugin(args) => (true, args),
            Call::Metadata => panic!("it is no question"),
        }
    }

    #[test]
    fn the_name_of_the_plugin_is_no_argument() {
        let call = |args: &[&str]| arguments(call(args.iter().map(OsString::from)));
        let args = |args: &[&str]| args.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            call(&["docker-diet", "diet", "fix", "a"]),
            (true, args(&["docker-diet", "fix", "a"]))
        );
        assert_eq!(
            call(&["docker-diet", "fix", "diet"]),
            (false, args(&["docker-diet", "fix", "diet"]))
        );
        assert_eq!(call(&["docker-diet"]), (false, args(&["docker-diet"])));
    }

    #[test]
    fn docker_is_told_what_it_asks_for() {
        let args = ["x/docker-diet", METADATA].map(OsString::from);
        assert!(matches!(call(args), Call::Metadata));
        let metadata: serde_json::Value = serde_json::from_str(&metadata()).expect("JSON");
        assert_eq!(metadata["SchemaVersion"], "0.1.0");
        assert_eq!(metadata["Vendor"], "docker-diet");
    }
}
