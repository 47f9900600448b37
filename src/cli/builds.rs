//! Image builds as other files describe them: context, Dockerfile, stage, and how the image is run.

use std::path::{Component, Path, PathBuf};

use crate::rules::Usage;

/// One image build.
#[derive(Clone, Debug, Default)]
pub(super) struct Build {
    /// The service, target or step that describes it.
    pub(super) name: String,
    /// The build context; none where the description leaves it open.
    pub(super) context: Option<PathBuf>,
    /// The Dockerfile.
    pub(super) dockerfile: PathBuf,
    /// Names that the image is given, as written.
    pub(super) tags: Vec<String>,
    /// The stage it builds, and what is run in the image.
    pub(super) usage: Usage,
}

/// What a file says about image builds.
#[derive(Clone, Debug, Default)]
pub(super) struct Described {
    /// In the order of the file.
    pub(super) builds: Vec<Build>,
    /// What was not understood.
    pub(super) notes: Vec<String>,
}

/// Adds to `usage` what `more` knows, each thing once.
pub(super) fn merge(usage: &mut Usage, more: &Usage) {
    let lists = [
        (&mut usage.targets, &more.targets),
        (&mut usage.commands, &more.commands),
        (&mut usage.legacy_builders, &more.legacy_builders),
        (&mut usage.mounts, &more.mounts),
        (&mut usage.users, &more.users),
    ];
    usage.numeric_user |= more.numeric_user;
    for (list, more) in lists {
        for item in more {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
    }
}

/// The path with `.` gone and `..` resolved by name; `.` for nothing.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(clean.components().next_back(), Some(Component::Normal(_))) =>
            {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    if clean.as_os_str().is_empty() {
        clean.push(".");
    }
    clean
}

/// Whether a context is fetched from somewhere else.
pub(super) fn is_remote(context: &str) -> bool {
    context.contains("://")
        || context.starts_with("git@")
        || context.starts_with("github.com/")
        || context.starts_with("target:")
        || context.starts_with("docker-image:")
}

/// The words as one shell text.
pub(super) fn shell_text<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(&byte);
    let quoted = words.into_iter().map(|word| {
        if !word.is_empty() && word.bytes().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_name() {
        assert_eq!(clean(Path::new("./a/../b/.")), Path::new("b"));
        assert_eq!(clean(Path::new("../a")), Path::new("../a"));
        assert_eq!(clean(Path::new("./")), Path::new("."));
    }

    #[test]
    fn words_become_a_shell_text() {
        assert_eq!(
            shell_text(["sh", "-c", "echo 'a' $B", ""]),
            r"sh -c 'echo '\''a'\'' $B' ''"
        );
    }
}
