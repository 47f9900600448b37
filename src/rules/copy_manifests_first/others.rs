//! Bundler, Composer, .NET, Maven and Cargo.

use crate::model::{PackageOperation, Verb};
use crate::stack::Details;

use super::join;
use super::step::{Call, Install, Step};

/// What a call of one of them reads.
pub(super) fn step(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    match operation.manager.name.get() {
        "bundle" | "bundler" => bundle(call, operation),
        "composer" => composer(call, operation),
        "dotnet" => dotnet(call, operation),
        "mvn" | "mvnw" => maven(call),
        "cargo" => cargo(call, operation),
        "gem" => match operation.verb {
            Verb::Install | Verb::Upgrade if names_no_paths(operation) => Step::Nothing,
            _ => Step::Everything,
        },
        _ => Step::Everything,
    }
}

fn names_no_paths(operation: &PackageOperation<'_>) -> bool {
    operation.packages.iter().all(|word| {
        !word.raw.contains(&b'/') && !word.raw.starts_with(b"$") && !word.raw.ends_with(b".gem")
    })
}

fn bundle(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    if operation.verb == Verb::Other
        && operation
            .packages
            .first()
            .is_some_and(|word| word.raw == b"config")
    {
        // `bundle config` alone writes below the working directory in new versions: there the context has none.
        let folder = call.folder().unwrap_or_default();
        return match call.context.exists(&join(&folder, ".bundle")) {
            true => Step::Everything,
            false => Step::Nothing,
        };
    }
    if operation.verb != Verb::Install
        || !operation.packages.is_empty()
        || operation.has_flag(&["--gemfile", "--local"])
        || call.env("BUNDLE_GEMFILE").is_some()
    {
        return Step::Everything;
    }
    let Some(project) = call.project("ruby") else {
        return Step::Everything;
    };
    let Details::Ruby(ruby) = &project.details else {
        return Step::Everything;
    };
    let gemfile = &project.manifests[0];
    let text = call.context.read_str(gemfile).unwrap_or_default();
    let computed = [
        "eval_gemfile",
        "require_relative",
        "File.",
        "IO.",
        "Dir",
        "instance_eval",
        "gemspec",
        "path:",
        "path ",
    ]
    .iter()
    .find(|word| text.contains(*word));
    if !ruby.path_gems.is_empty() || computed.is_some() {
        return Step::refused(format!("{gemfile} reads other files of the project"), "");
    }
    let folder = call.folder().unwrap_or_default();
    let mut install = Install {
        manager: "bundle".to_owned(),
        what: call.text(),
        files: project.manifests.clone(),
        ..Install::default()
    };
    install.files.extend(project.locks.iter().cloned());
    install.makes.push((folder, "vendor/bundle".to_owned()));
    let vendored = call.context.is_folder(&join(&project.root, "vendor/cache"));
    match vendored {
        true => Step::refused("gems are taken from `vendor/cache`", ""),
        false => Step::Install(Box::new(install)),
    }
}

fn composer(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    if operation.verb == Verb::Clean {
        return Step::Nothing;
    }
    if operation.verb != Verb::Install
        || operation
            .verb_word
            .is_none_or(|word| word.raw != b"install")
        || operation.has_flag(&["-d", "--working-dir"])
    {
        return Step::Everything;
    }
    let Some(project) = call.project("php") else {
        return Step::Everything;
    };
    let Details::Php(php) = &project.details else {
        return Step::Everything;
    };
    if project.locks.is_empty() {
        return Step::refused(
            "there is no composer.lock, so the install solves anew each time",
            "run `composer update` and commit composer.lock",
        );
    }
    if !php.path_repositories.is_empty() {
        return Step::refused("composer.json installs packages of the project", "");
    }
    if !operation.has_flag(&["--no-scripts"]) || !operation.has_flag(&["--no-autoloader"]) {
        return Step::refused(
            "`composer install` reads the sources for its autoloader and runs scripts",
            "install with `--no-scripts --no-autoloader` and run `composer dump-autoload` after the copy",
        );
    }
    let mut install = Install {
        manager: "composer".to_owned(),
        what: call.text(),
        files: project.manifests.clone(),
        ..Install::default()
    };
    install.files.extend(project.locks.iter().cloned());
    install
        .makes
        .push((project.root.clone(), "vendor".to_owned()));
    Step::Install(Box::new(install))
}

fn dotnet(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let restores = operation.verb == Verb::Install
        && operation
            .verb_word
            .is_some_and(|word| word.raw == b"restore");
    if !restores || operation.has_flag(&["--packages", "--configfile"]) {
        return Step::Everything;
    }
    let Some(project) = call.project("dotnet") else {
        return Step::Everything;
    };
    let Details::DotNet(dotnet) = &project.details else {
        return Step::Everything;
    };
    let named: Option<Vec<String>> = operation
        .packages
        .iter()
        .map(|word| call.in_context(std::str::from_utf8(word.literal.as_deref()?).ok()?))
        .collect();
    let missing = dotnet
        .projects
        .iter()
        .flat_map(|project| &project.references)
        .any(|reference| !call.context.has(reference));
    let known =
        named.is_some_and(|named| named.iter().all(|path| project.manifests.contains(path)));
    // A build file that imports another, or names it by a variable, reads what is not in the list.
    let imports = project.manifests.iter().any(|path| {
        let text = call.context.read_str(path).unwrap_or_default();
        text.contains("<Import ") || text.contains("$(MSBuildThisFileDirectory)")
    });
    if missing || imports || !known {
        return Step::refused("the projects refer to files that are not known", "");
    }
    let mut install = Install {
        manager: "dotnet".to_owned(),
        what: call.text(),
        files: project.manifests.clone(),
        ..Install::default()
    };
    install.files.extend(project.locks.iter().cloned());
    for one in &dotnet.projects {
        let folder = one.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        install.makes.push((folder.to_owned(), "obj".to_owned()));
    }
    Step::Install(Box::new(install))
}

fn maven(call: &Call<'_>) -> Step {
    let Some(arguments) = call.arguments() else {
        return Step::Everything;
    };
    let Some(project) = call.project("maven") else {
        return Step::Everything;
    };
    let Details::Maven(maven) = &project.details else {
        return Step::Everything;
    };
    let elsewhere = [
        "-f",
        "--file",
        "-s",
        "--settings",
        "-pl",
        "--projects",
        "-o",
        "--offline",
    ];
    if arguments
        .iter()
        .any(|word| elsewhere.contains(&word.as_str()))
    {
        return Step::Everything;
    }
    let goals: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let fetches = goals.iter().all(|goal| {
        matches!(
            *goal,
            "dependency:go-offline" | "dependency:resolve" | "dependency:resolve-plugins"
        )
    }) && !goals.is_empty();
    let builds = goals
        .iter()
        .any(|goal| matches!(*goal, "package" | "install" | "verify" | "compile"));
    if !fetches && !builds {
        return Step::Everything;
    }
    let pom = call
        .context
        .read_str(&join(&project.root, "pom.xml"))
        .unwrap_or_default();
    if maven.modules.len() != 1 || pom.contains("<modules>") {
        return Step::refused(
            "a Maven module is in no repository that its siblings' dependencies could be fetched from",
            "a cache mount on the local repository does it",
        );
    }
    if pom.contains("<systemPath>")
        || pom.contains("<relativePath>.")
        || pom.contains("${basedir}")
        || pom.contains("${project.basedir}")
    {
        return Step::refused("pom.xml refers to other files of the project", "");
    }
    let mut install = Install {
        manager: "mvn".to_owned(),
        files: vec![join(&project.root, "pom.xml")],
        what: call.text(),
        ..Install::default()
    };
    for file in ["mvnw", "settings.xml"] {
        let path = join(&project.root, file);
        if call.context.has(&path)
            && (file == "mvnw") == call.simple.words[0].raw.ends_with(b"mvnw")
            && file == "mvnw"
        {
            install.files.push(path);
        }
    }
    if call.context.is_folder(&join(&project.root, ".mvn")) {
        install.folders.push(join(&project.root, ".mvn"));
    }
    if fetches {
        return Step::Install(Box::new(install));
    }
    let program = call
        .simple
        .words
        .first()
        .filter(|word| word.contiguous && call.simple.prefix().is_empty())
        .and_then(|word| word.literal.as_deref())
        .and_then(|word| std::str::from_utf8(word).ok());
    let profiles: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| word.starts_with("-P") && word.len() > 2)
        .collect();
    let plain_profiles = !arguments
        .iter()
        .any(|word| word == "-P" || word == "--activate-profiles");
    let Some(program) = program.filter(|_| plain_profiles) else {
        return Step::Everything;
    };
    install.what = [vec![program, "-B"], profiles, vec!["dependency:go-offline"]]
        .concat()
        .join(" ");
    Step::FetchFirst(Box::new(install))
}

fn cargo(call: &Call<'_>, operation: &PackageOperation<'_>) -> Step {
    let by_name = operation.verb == Verb::Install
        && operation
            .verb_word
            .is_some_and(|word| word.raw == b"install")
        && !operation.packages.is_empty()
        && names_no_paths(operation)
        && !operation.has_flag(&["--path"]);
    if by_name {
        return Step::Nothing;
    }
    let builds = call.arguments().is_some_and(|words| {
        words
            .first()
            .is_some_and(|word| matches!(word.as_str(), "build" | "install" | "fetch"))
    });
    match builds && call.project("rust").is_some() {
        true => Step::refused(
            "cargo compiles dependencies together with the project",
            "cache mounts on the registry and `target` do it",
        ),
        false => Step::Everything,
    }
}
