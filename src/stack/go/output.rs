//! Which files `go build` and `go install` write.

/// The files that one command of the `go` program writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoOutput {
    /// A file: as after `-o`, or the name that Go chooses, relative to the working directory.
    File(String),
    /// A folder (`-o bin/`) and the names that are put there.
    Folder(String, Vec<String>),
    /// `go install`: the names that are put into `$GOBIN`, else `$GOPATH/bin`.
    Installed(Vec<String>),
}

/// What `words` (`go build -o x ./cmd/y`) writes when it runs in the folder `folder` of module `module`.
///
/// `folder` is relative to the module's root, `` for the root itself. `mains` are the folders that hold a main
/// package, for patterns such as `./...`. None when it writes nothing or cannot be told.
#[must_use]
pub fn go_output(
    words: &[&str],
    module: Option<&str>,
    folder: &str,
    mains: &[&str],
) -> Option<GoOutput> {
    let at = words
        .iter()
        .position(|word| matches!(*word, "build" | "install"))?;
    if !words
        .first()
        .is_some_and(|word| *word == "go" || word.ends_with("/go"))
    {
        return None;
    }
    let mut folder = folder.to_owned();
    for pair in words[1..at].windows(2) {
        if pair[0] == "-C" {
            folder = super::paths::resolve(&folder, pair[1])?;
        }
    }
    let (mut output, mut packages) = (None, Vec::new());
    let mut rest = words[at + 1..].iter();
    while let Some(word) = rest.next() {
        let Some(flag) = word.strip_prefix('-') else {
            packages.push(*word);
            continue;
        };
        let flag = flag.trim_start_matches('-');
        let (name, value) = flag
            .split_once('=')
            .map_or((flag, None), |(name, value)| (name, Some(value)));
        if SWITCHES.contains(&name) {
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => rest.next()?,
        };
        match name {
            "o" => output = Some(value),
            "C" => folder = super::paths::resolve(&folder, value)?,
            "buildmode"
                if matches!(
                    value,
                    "archive" | "c-archive" | "c-shared" | "shared" | "plugin"
                ) && output.is_none() =>
            {
                return None;
            }
            _ => {}
        }
    }
    let names = names(&packages, module, &folder, mains)?;
    if words[at] == "install" {
        return Some(GoOutput::Installed(names));
    }
    match (output, names.as_slice()) {
        (Some("/dev/null"), _) => None,
        (Some(output), _) if output.ends_with('/') || names.len() > 1 => Some(GoOutput::Folder(
            output.trim_end_matches('/').to_owned(),
            names,
        )),
        (Some(output), _) => Some(GoOutput::File(output.to_owned())),
        // Several packages without -o are only checked.
        (None, [name]) => Some(GoOutput::File(name.clone())),
        (None, _) => None,
    }
}

/// Flags of `go build` that take no value.
const SWITCHES: &[&str] = &[
    "a",
    "n",
    "v",
    "x",
    "race",
    "msan",
    "asan",
    "cover",
    "work",
    "trimpath",
    "linkshared",
    "modcacherw",
    "buildvcs",
    "json",
    "i",
];

/// The names of the programs that `packages` yield.
fn names(
    packages: &[&str],
    module: Option<&str>,
    folder: &str,
    mains: &[&str],
) -> Option<Vec<String>> {
    if packages.is_empty() {
        return Some(vec![package_name(folder, module)?]);
    }
    if let Some(first) = packages.iter().find(|package| package.ends_with(".go")) {
        let file = super::paths::file_name(first);
        return Some(vec![file.trim_end_matches(".go").to_owned()]);
    }
    let mut names = Vec::new();
    for package in packages {
        let package = package.split('@').next().unwrap_or(package);
        let local = package == "." || package.starts_with("./") || package.starts_with("../");
        if let Some(parent) = package.strip_suffix("/...") {
            let under = super::paths::resolve(folder, parent)?;
            let below = mains.iter().filter(|main| {
                under.is_empty() || **main == under || super::paths::below(&under, main).is_some()
            });
            for main in below {
                names.push(package_name(main, module)?);
            }
        } else if local {
            names.push(package_name(
                &super::paths::resolve(folder, package)?,
                module,
            )?);
        } else {
            names.push(last_element(package)?);
        }
    }
    (!names.is_empty()).then_some(names)
}

/// The name for a package in a folder of the module: the folder's name, at the root that of the module.
fn package_name(folder: &str, module: Option<&str>) -> Option<String> {
    if folder.is_empty() {
        last_element(module?)
    } else {
        Some(super::paths::file_name(folder).to_owned())
    }
}

/// The last element of an import path, the one before it where the last is a major version (`/v2`).
fn last_element(path: &str) -> Option<String> {
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    let last = parts.next()?;
    let digits = last.strip_prefix('v').unwrap_or("");
    let is_major = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !matches!(digits, "0" | "1");
    let name = if is_major {
        parts.next().unwrap_or(last)
    } else {
        last
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(command: &str, folder: &str) -> Option<GoOutput> {
        let words: Vec<&str> = command.split(' ').collect();
        go_output(
            &words,
            Some("example.org/shop/v2"),
            folder,
            &["cmd/api", "cmd/job", "tools/x"],
        )
    }

    fn file(name: &str) -> Option<GoOutput> {
        Some(GoOutput::File(name.to_owned()))
    }

    #[test]
    fn names_follow_go() {
        assert_eq!(output("go build", ""), file("shop"));
        assert_eq!(output("go build .", "cmd/api"), file("api"));
        assert_eq!(output("go build main.go util.go", ""), file("main"));
        assert_eq!(
            output("go build -v -ldflags -s -o /app/server ./cmd/api", ""),
            file("/app/server")
        );
        assert_eq!(
            output("go build -trimpath -tags=netgo ./cmd/job", ""),
            file("job")
        );
        assert_eq!(output("go build ./...", ""), None);
        assert_eq!(
            output("go build -o bin/ ./cmd/...", ""),
            Some(GoOutput::Folder(
                "bin".into(),
                vec!["api".into(), "job".into()]
            ))
        );
        assert_eq!(
            output("go install golang.org/x/tool/v3@latest", ""),
            Some(GoOutput::Installed(vec!["tool".into()]))
        );
        assert_eq!(output("go -C cmd/api build", ""), file("api"));
        assert_eq!(output("go test ./...", ""), None);
    }
}
