//! Where Cargo puts the programs that a command builds.

use super::Rust;

/// The files that `words` (`cargo build --release --bin x`) leaves, relative to the workspace's root unless absolute.
///
/// For `cargo install` they are below `--root`, else `$CARGO_HOME` (the `rust` image sets `/usr/local/cargo`).
/// `target_folder` is `CARGO_TARGET_DIR` where the environment sets it. None when the words build no program or
/// it cannot be told which.
#[must_use]
pub fn cargo_output(
    words: &[&str],
    rust: &Rust,
    target_folder: Option<&str>,
) -> Option<Vec<(String, String)>> {
    let mut rest = words.iter().copied();
    let program = rest.next()?;
    if program != "cargo" && !program.ends_with("/cargo") {
        return None;
    }
    let mut rest = rest.filter(|word| !word.starts_with('+')).peekable();
    let command = rest.find(|word| !word.starts_with('-'))?;
    if !matches!(command, "build" | "b" | "install" | "run" | "r") {
        return None;
    }
    let mut options = Options::default();
    while let Some(word) = rest.next() {
        if word == "--" {
            break;
        }
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        match name {
            "--release" | "-r" => options.profile = Some("release".to_owned()),
            "--profile" => options.profile = joined.or_else(|| rest.next()).map(str::to_owned),
            "--target" => options.target = joined.or_else(|| rest.next()).map(str::to_owned),
            "--target-dir" => options.folder = joined.or_else(|| rest.next()).map(str::to_owned),
            "--root" => options.root = joined.or_else(|| rest.next()).map(str::to_owned),
            "--path" => options.path = joined.or_else(|| rest.next()).map(str::to_owned),
            "--bin" => options
                .bins
                .extend(joined.or_else(|| rest.next()).map(str::to_owned)),
            "-p" | "--package" => options
                .packages
                .extend(joined.or_else(|| rest.next()).map(str::to_owned)),
            "--manifest-path" => {
                let path = joined.or_else(|| rest.next())?;
                options.path = Some(super::paths::parent(path).to_owned());
            }
            "--lib" | "--tests" | "--test" | "--benches" | "--bench" | "--examples"
            | "--example" | "--git" => return None,
            "--features" | "-F" | "-j" | "--jobs" | "--config" | "--color" | "--message-format"
            | "-Z" | "--index" | "--registry" | "--version" | "--exclude"
                if joined.is_none() =>
            {
                rest.next();
            }
            _ if name.starts_with('-') => {}
            _ if command == "install" => return None,
            _ => {}
        }
    }
    let names = options.programs(rust)?;
    if command == "install" {
        // Without --path the program comes from the registry.
        options.path.as_ref()?;
        let folder = options
            .root
            .unwrap_or_else(|| "/usr/local/cargo".to_owned());
        let folder = folder.trim_end_matches('/');
        return Some(
            names
                .into_iter()
                .map(|name| (format!("{folder}/bin/{name}"), name))
                .collect(),
        );
    }
    let base = options
        .folder
        .as_deref()
        .or(target_folder)
        .or(rust.target_folder.as_deref())
        .unwrap_or("target");
    let profile = match options.profile.as_deref() {
        None | Some("dev" | "test") => "debug",
        Some("bench") => "release",
        Some(profile) => profile,
    };
    let target = options.target.as_ref().or(rust.target.as_ref());
    let folder = match target {
        Some(target) => format!("{base}/{target}/{profile}"),
        None => format!("{base}/{profile}"),
    };
    Some(
        names
            .into_iter()
            .map(|name| (format!("{folder}/{name}"), name))
            .collect(),
    )
}

#[derive(Default)]
struct Options {
    profile: Option<String>,
    target: Option<String>,
    folder: Option<String>,
    root: Option<String>,
    path: Option<String>,
    bins: Vec<String>,
    packages: Vec<String>,
}

impl Options {
    fn programs(&self, rust: &Rust) -> Option<Vec<String>> {
        if !self.bins.is_empty() {
            return Some(self.bins.clone());
        }
        let path = self
            .path
            .as_deref()
            .map(|path| path.trim_start_matches("./").trim_matches(['/', '.']));
        let chosen = rust.binaries().filter(|(_, package)| {
            (self.packages.is_empty() || self.packages.contains(&package.name))
                && path.is_none_or(|path| {
                    path.is_empty()
                        || package.folder == path
                        || package.folder.ends_with(&format!("/{path}"))
                })
        });
        let names: Vec<String> = chosen.map(|(name, _)| name.to_owned()).collect();
        (!names.is_empty()).then_some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Crate;
    use super::*;

    fn outputs(command: &str) -> Vec<String> {
        let package = |name: &str, bins: &[&str]| Crate {
            folder: name.to_owned(),
            name: name.to_owned(),
            binaries: bins
                .iter()
                .map(|bin| ((*bin).to_owned(), String::new()))
                .collect(),
            ..Crate::default()
        };
        let rust = Rust {
            crates: vec![package("api", &["api", "seed"]), package("job", &["job"])],
            ..Rust::default()
        };
        let words: Vec<&str> = command.split(' ').collect();
        let found = cargo_output(&words, &rust, None).unwrap_or_default();
        found.into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn paths_follow_profile_target_and_package() {
        assert_eq!(
            outputs("cargo build --release --bin seed"),
            ["target/release/seed"]
        );
        assert_eq!(outputs("cargo build -p job"), ["target/debug/job"]);
        assert_eq!(
            outputs("cargo +nightly build -r -j 4 -p api"),
            ["target/release/api", "target/release/seed"]
        );
        assert_eq!(
            outputs(
                "cargo build --target=x86_64-unknown-linux-musl --profile dist --target-dir /out --bin job"
            ),
            ["/out/x86_64-unknown-linux-musl/dist/job"]
        );
        assert_eq!(
            outputs("cargo install --locked --path job"),
            ["/usr/local/cargo/bin/job"]
        );
        assert_eq!(
            outputs("cargo install --root /usr --path ./api --bin api"),
            ["/usr/bin/api"]
        );
        assert_eq!(outputs("cargo install sqlx-cli"), Vec::<String>::new());
        assert_eq!(outputs("cargo test --release"), Vec::<String>::new());
    }
}
