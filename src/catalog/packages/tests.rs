use super::super::embedded;
use super::*;

fn catalog() -> Catalog {
    Catalog::default()
}

#[test]
fn packages_differ_by_release() {
    let catalog = catalog();
    assert!(catalog.package("bookworm", "libssl3").is_some());
    assert!(catalog.package("bookworm", "libssl3t64").is_none());
    assert!(catalog.package("trixie", "libssl3t64").is_some());
    assert!(catalog.package("trixie", "no-such-package").is_none());
    let jammy = catalog
        .package("jammy", "curl")
        .expect("curl is everywhere");
    assert!(jammy.assumed && jammy.facts.kib > 0);
}

#[test]
fn a_virtual_package_is_its_only_provider() {
    let virtual_rows = embedded::DEBIAN_PACKAGES.iter();
    let mut seen = 0;
    for row in virtual_rows {
        let Some(facts) = row.bookworm else { continue };
        if !facts.provided_by.is_empty() && catalog().package("bookworm", &row.name).is_some() {
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn dropping_what_git_recommends_keeps_certificates() {
    let catalog = catalog();
    let dropped = catalog
        .dropped_recommends("bookworm", &["git"])
        .expect("git is known");
    let verdict = |name: &str| {
        let one = dropped
            .iter()
            .find(|one| one.by == "git" && one.name == name);
        one.and_then(|one| one.verdict).map(|row| row.verdict)
    };
    assert_eq!(verdict("ca-certificates"), Some(Verdict::Needed));
    assert_eq!(verdict("openssh-client"), Some(Verdict::NeededWhen));
    assert_eq!(verdict("less"), Some(Verdict::Droppable));
    let with = catalog
        .dropped_recommends("bookworm", &["git", "ca-certificates"])
        .expect("both are known");
    assert!(with.iter().all(|one| one.name != "ca-certificates"));
    assert!(catalog.recommended_kib("bookworm", &["git"]) > 10_000);
}

#[test]
fn an_unknown_name_says_nothing() {
    let catalog = catalog();
    assert!(
        catalog
            .dropped_recommends("bookworm", &["curl", "no-such-package"])
            .is_none()
    );
    assert!(catalog.recommend("curl", "no-such-package").is_none());
}

#[test]
fn older_packages_are_judged() {
    let dropped = catalog()
        .dropped_recommends("stretch", &["python-pip"])
        .expect("python-pip was in Debian");
    let build = dropped.iter().find(|one| one.name == "build-essential");
    let verdict = build.and_then(|one| one.verdict).map(|row| row.verdict);
    assert_eq!(verdict, Some(Verdict::Needed));
}

#[test]
fn a_pair_goes_before_the_package_and_that_before_a_pattern() {
    let catalog = catalog();
    let verdict = |by, name| catalog.recommend(by, name).map(|row| row.verdict);
    assert_eq!(verdict("openssh-client", "xauth"), Some(Verdict::Droppable));
    assert_eq!(verdict("xvfb", "xauth"), Some(Verdict::Needed));
    assert_eq!(verdict("x", "libglib2.0-data"), Some(Verdict::Droppable));
    assert_eq!(verdict("x", "libsomething9"), Some(Verdict::Needed));
    assert_eq!(verdict("x", "libsomething-doc"), Some(Verdict::Droppable));
}

#[test]
fn verdicts_refer_to_conditions_that_exist() {
    let catalog = catalog();
    for row in embedded::RECOMMENDS {
        assert_eq!(
            row.verdict == Verdict::NeededWhen,
            !row.when.is_empty(),
            "{}",
            row.pair
        );
        assert!(row.pair.contains('/'), "{}", row.pair);
        for name in row.when {
            assert!(catalog.condition(name).is_some(), "{name} of {}", row.pair);
        }
    }
    for row in embedded::CONDITIONS {
        assert!(!row.words.is_empty(), "{}", row.name);
    }
    let ssh = catalog.condition("ssh").expect("it is in the file");
    assert!(ssh.holds_in(b"git clone git@example.org:a/b"));
    assert!(!ssh.holds_in(b"git clone https://example.org/a/b"));
}

#[test]
fn everything_that_older_packages_recommended_is_judged() {
    for row in embedded::OLDER_PACKAGES {
        for name in row.recommends {
            let verdict = catalog().recommend(&row.name, name);
            assert!(verdict.is_some(), "{name} of {}", row.name);
        }
    }
}

#[test]
fn effects_are_of_the_documented_forms() {
    for row in embedded::COMMANDS {
        for effect in row.reads.into_iter().chain(row.writes).chain(row.deletes) {
            let (form, value) = effect.split_once(':').unwrap_or((effect, ""));
            let known = match form {
                "cwd" | "stdin" | "arguments" | "last-argument" | "beside-arguments"
                | "site-packages" | "system" | "any" => value.is_empty(),
                "argument" | "arguments-from" => value.parse::<u8>().is_ok_and(|at| at > 0),
                "flag" | "arguments-if" | "cwd-if" => value.starts_with('-'),
                "operand" => !value.is_empty(),
                path => path.starts_with(['/', '~', '$']),
            };
            assert!(known, "{effect} of {}", row.name);
        }
        for flag in row.flags {
            assert!(flag.starts_with('-'), "{flag} of {}", row.name);
        }
    }
    assert!(catalog().command("./setup.sh").is_none());
    let useradd = catalog().command("useradd").map(|row| row.kind);
    assert_eq!(useradd, Some(super::super::CommandKind::Account));
}

#[test]
fn managers_are_complete_enough_to_clean_up() {
    for row in embedded::MANAGERS {
        assert!(!row.install.is_empty(), "{}", row.name);
        // Only distributions publish lists of what may be installed.
        assert_eq!(row.of_distribution, !row.lists.is_empty(), "{}", row.name);
        assert!(
            !row.clean_with.is_empty() || !row.no_cache.is_empty(),
            "{}",
            row.name
        );
        let targets = row.mounts.get().iter().map(|mount| &mount.target);
        for path in row.lists.into_iter().chain(row.caches).chain(targets) {
            assert!(path.starts_with(['/', '~']), "{path} of {}", row.name);
        }
        for flag in row.value_flags {
            assert!(flag.starts_with('-'), "{flag} of {}", row.name);
        }
    }
}

#[test]
fn native_names_exist_in_both_releases() {
    let catalog = catalog();
    for row in embedded::NATIVES {
        for release in ["bookworm", "trixie"] {
            for name in row.libraries(release).iter().chain(row.build) {
                let found = catalog.package(release, name);
                assert!(found.is_some(), "{name} of {} in {release}", row.name);
            }
        }
        for program in row.programs {
            assert!(
                catalog.program(program).is_some(),
                "{program} of {}",
                row.name
            );
        }
    }
}

#[test]
fn programs_come_from_packages_that_exist() {
    let catalog = catalog();
    for row in embedded::PROGRAMS {
        for release in ["bookworm", "trixie"] {
            let there = catalog.package(release, &row.package).is_some();
            let missing = row.missing_in.iter().any(|one| *one == release);
            assert_eq!(there, !missing, "{} in {release}", row.name);
        }
    }
}

#[test]
fn names_are_compared_as_the_registries_do() {
    let catalog = catalog();
    let libraries = |name, release| {
        let row = catalog.native(Ecosystem::Python, name)?;
        row.libraries(release).first().map(|one| one.get())
    };
    assert_eq!(libraries("python_magic", "bookworm"), Some("libmagic1"));
    assert_eq!(libraries("Python.Magic", "trixie"), Some("libmagic1t64"));
    assert!(catalog.native(Ecosystem::Php, "GD").is_some());
    assert!(
        catalog
            .native(Ecosystem::Node, "left-pad-of-nobody")
            .is_none()
    );
}

#[test]
fn rows_say_who_and_when() {
    let dated = |source: &str, as_of: &str| !source.is_empty() && as_of.len() == 10;
    assert!(
        embedded::DEBIAN_PACKAGES
            .iter()
            .all(|row| dated(&row.source, &row.as_of))
    );
    assert!(
        embedded::COMMANDS
            .iter()
            .all(|row| dated(&row.source, &row.as_of))
    );
    assert!(
        embedded::NATIVES
            .iter()
            .all(|row| dated(&row.source, &row.as_of))
    );
}
