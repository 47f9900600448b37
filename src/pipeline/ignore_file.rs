//! Puts lines into a `.dockerignore` without touching those that are there.

use crate::context::Context;
use crate::rules::IgnoreLine;

use super::IgnoreFile;

/// The context's ignore file with `lines`; none when it already says all of them.
pub(super) fn extend(context: &Context, lines: &[IgnoreLine]) -> Option<IgnoreFile> {
    let ignore = context.ignore();
    let patterns: Vec<&str> = lines.iter().map(|line| line.pattern.as_str()).collect();
    // Rules write patterns that Docker takes; one that it does not would break the build.
    let extension = ignore.extended(&patterns).ok().flatten()?;
    let counted = |(files, bytes): (usize, u64)| (files as u64, bytes);
    Some(IgnoreFile {
        path: ignore.path().to_owned(),
        before: ignore.source().map(<[u8]>::to_vec),
        context_before: counted(context.size_visible()),
        context_after: counted(context.size_with(&extension.ignore)),
        after: extension.bytes,
        added: extension
            .added
            .iter()
            .map(|index| lines[*index].clone())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pattern: &str) -> IgnoreLine {
        IgnoreLine {
            pattern: pattern.to_owned(),
            reason: "for the test".to_owned(),
        }
    }

    #[test]
    fn counts_the_context_before_and_after() {
        let context = Context::in_memory([
            (".dockerignore", "*.md\n!a.md\n"),
            ("a.md", "four"),
            ("b.md", "b"),
            ("src/node_modules/x.js", "123"),
        ]);
        let lines = [line("*.md"), line("**/node_modules")];
        let made = extend(&context, &lines).expect("one line is new");
        assert_eq!(made.path, ".dockerignore");
        assert_eq!(made.after, b"*.md\n**/node_modules\n!a.md\n");
        assert_eq!(made.added, [line("**/node_modules")]);
        assert_eq!(made.context_before, (3, 18));
        assert_eq!(made.context_after, (2, 15));
    }

    #[test]
    fn the_file_that_applies_is_extended() {
        let ignore = crate::context::Dockerignore::parse(b"a\n")
            .expect("valid")
            .at("api.Dockerfile.dockerignore");
        let context = Context::in_memory([("a", "")]).with_ignore(ignore);
        let made = extend(&context, &[line("b")]).expect("it is new");
        assert_eq!(made.path, "api.Dockerfile.dockerignore");
        assert_eq!(made.before.as_deref(), Some(&b"a\n"[..]));
    }

    #[test]
    fn nothing_is_added_twice() {
        let context = Context::in_memory([(".dockerignore", "a\n")]);
        assert!(extend(&context, &[line("a")]).is_none());
        assert!(extend(&context, &[]).is_none());
    }
}
