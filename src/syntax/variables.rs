//! Variables as BuildKit expands them.
//!
//! Values are text: BuildKit itself replaces each byte that is no UTF-8 by U+FFFD when it expands a word.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Keep, LexError, Lexer};

/// Names and values in effect.
pub type Variables = BTreeMap<String, String>;

/// Build arguments that every build accepts without a declaration, and that do not enter the image's history.
pub const PREDEFINED_ARGS: [&str; 10] = [
    "ALL_PROXY",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Arguments that BuildKit sets: in FROM without a declaration, in a stage once `ARG name` declares them.
pub const AUTOMATIC_ARGS: [&str; 10] = [
    "BUILDARCH",
    "BUILDOS",
    "BUILDPLATFORM",
    "BUILDVARIANT",
    "TARGETARCH",
    "TARGETOS",
    "TARGETPLATFORM",
    "TARGETSTAGE",
    "TARGETVARIANT",
    "TARGETOSVERSION",
];

/// Whether `name` is a build argument without a declaration: a proxy, or one that configures BuildKit itself.
#[must_use]
pub fn is_predefined_arg(name: &str) -> bool {
    PREDEFINED_ARGS.contains(&name) || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
}

/// Whether BuildKit gives `name` a value once `ARG name` declares it.
#[must_use]
pub fn is_automatic_arg(name: &str) -> bool {
    AUTOMATIC_ARGS.contains(&name)
}

/// BuildKit refuses the expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpandError(
    /// BuildKit's words.
    pub String,
);

impl From<LexError> for ExpandError {
    fn from(error: LexError) -> Self {
        match error {
            LexError::Refused(message) => ExpandError(message),
            LexError::TooDeep => ExpandError("substitutions nest too deeply".to_owned()),
        }
    }
}

/// The value of `word` as BuildKit computes it: quotes and escapes removed, variables replaced.
///
/// # Errors
/// For an expression that BuildKit refuses, `${v:?message}` of an unset variable among them.
pub fn expand(word: &[u8], variables: &Variables, escape: u8) -> Result<String, ExpandError> {
    expand_with(word, escape, |name| get(variables, name))
}

/// As [`expand`], with the value of each variable from `lookup`.
///
/// # Errors
/// As [`expand`].
pub fn expand_with<'v>(
    word: &'v [u8],
    escape: u8,
    lookup: impl FnMut(&str) -> Option<&'v str>,
) -> Result<String, ExpandError> {
    let plain = |byte: &u8| {
        matches!(byte, b' '..=b'~')
            && !matches!(byte, b'$' | b'\'' | b'"' | b'<')
            && *byte != escape
    };
    // Most words stand for themselves.
    if word.iter().all(plain)
        && let Ok(text) = std::str::from_utf8(word)
    {
        return Ok(text.to_owned());
    }
    Ok(Lexer::new(word, escape, Keep::default(), lookup).value()?)
}

/// The words of `word` after expansion, as EXPOSE has them: white space in a value parts words too.
///
/// # Errors
/// As [`expand`].
pub fn expand_words(
    word: &[u8],
    variables: &Variables,
    escape: u8,
) -> Result<Vec<String>, ExpandError> {
    let words = Lexer::new(word, escape, Keep::default(), |name: &str| {
        get(variables, name)
    })
    .words()?;
    Ok(words.into_iter().map(|word| word.text).collect())
}

/// The body of a heredoc of COPY or ADD as it ends up in the file: variables replaced, quotes kept.
///
/// # Errors
/// As [`expand`].
pub fn expand_heredoc(
    body: &[u8],
    variables: &Variables,
    escape: u8,
) -> Result<String, ExpandError> {
    let keep = Keep {
        literal_quotes: true,
        ..Keep::default()
    };
    Ok(Lexer::new(body, escape, keep, |name: &str| get(variables, name)).value()?)
}

fn get<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    variables.get(name).map(String::as_str)
}

/// Names of the variables that `word` refers to, in the order of their first appearance; what follows a
/// syntax error is not read.
#[must_use]
pub fn references(word: &[u8], escape: u8) -> Vec<String> {
    if !word.contains(&b'$') {
        return Vec::new();
    }
    let mut names = Vec::new();
    let mut known = BTreeSet::new();
    let keep = Keep {
        unset: true,
        ..Keep::default()
    };
    let lexer = Lexer::new(word, escape, keep, |name: &str| {
        if known.insert(name.to_owned()) {
            names.push(name.to_owned());
        }
        None
    });
    // An error ends the list: what was read before it counts.
    let _ = lexer.value();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        [("a", "x.y.z"), ("e", ""), ("s", "one two")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn value(word: &str) -> Result<String, String> {
        expand(word.as_bytes(), &variables(), b'\\').map_err(|error| error.0)
    }

    #[test]
    fn every_modifier() {
        for (word, expected) in [
            ("$a", "x.y.z"),
            ("${a}b", "x.y.zb"),
            ("$u", ""),
            ("${u-w}", "w"),
            ("${e-w}", ""),
            ("${e:-w}", "w"),
            ("${a+w}", "w"),
            ("${e+w}", "w"),
            ("${e:+w}", ""),
            ("${u+w}", ""),
            ("${a:?no}", "x.y.z"),
            ("${e?no}", ""),
            ("${a#*.}", "y.z"),
            ("${a##*.}", "z"),
            ("${a%.*}", "x.y"),
            ("${a%%.*}", "x"),
            ("${a/./-}", "x-y.z"),
            ("${a//./-}", "x-y-z"),
            ("${u:-${e:-$a}}", "x.y.z"),
            ("'$a'\"$a\"\\$a", "$ax.y.z$a"),
            ("$", "$"),
            ("a\\", "a"),
        ] {
            assert_eq!(value(word).as_deref(), Ok(expected), "{word}");
        }
    }

    #[test]
    fn refused_expressions() {
        assert_eq!(value("${u?}"), Err("u: is not allowed to be unset".into()));
        assert_eq!(value("${e:?gone}"), Err("e: gone".into()));
        for word in [
            "${", "${}", "${a", "${a:-b", "${a:#b}", "${a!b}", "'a", "\"a", "${a/b}",
        ] {
            assert!(value(word).is_err(), "{word}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(value(&"${u:-".repeat(100_000)).is_err());
    }

    #[test]
    fn words_are_parted_after_expansion() {
        let words = |word: &str| expand_words(word.as_bytes(), &variables(), b'\\');
        assert_eq!(
            words("$s '$s' \"$s\""),
            Ok(vec![
                "one".into(),
                "two".into(),
                "$s".into(),
                "one two".into()
            ])
        );
        assert_eq!(words("$u"), Ok(vec![]));
    }

    #[test]
    fn the_escape_character_may_be_a_backtick() {
        assert_eq!(
            expand(b"c:\\`$a", &variables(), b'`').as_deref(),
            Ok("c:\\$a")
        );
    }

    #[test]
    fn heredocs_keep_their_quotes() {
        assert_eq!(
            expand_heredoc(b"'$e\"$s'\n", &variables(), b'\\').as_deref(),
            Ok("'\"one two'\n")
        );
    }

    #[test]
    fn references_come_once_and_in_order() {
        assert_eq!(
            references(b"$b${a:-$c}'$x'\"$b\"${d#*}", b'\\'),
            ["b", "c", "a", "d"]
        );
        assert_eq!(references(b"${u:?$w}$z", b'\\'), ["w", "u", "z"]);
        assert!(references(b"plain", b'\\').is_empty());
    }
}
