//! Globs as COPY reads them: Go's `filepath.Match`.

/// Why a glob cannot be used: a class that never ends, a backslash at the end, and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub(crate) struct BadGlob;

/// Whether Docker takes `pattern`: it asks Go to match it with `.`, and Go looks no further than the first part that
/// does not match, so `a*[` passes here.
pub(crate) fn check(pattern: &[u8]) -> Result<(), BadGlob> {
    let mut rest = pattern;
    let mut name = ".";
    loop {
        let stars = rest.iter().take_while(|byte| **byte == b'*').count();
        rest = &rest[stars..];
        if rest.is_empty() {
            return Ok(());
        }
        let (chunk, after) = rest.split_at(chunk_end(rest));
        // A chunk takes at least one character, and stars before it take more: only the first can match.
        if !Glob(parse(chunk)?).matches(name) || stars > 0 {
            return Ok(());
        }
        rest = after;
        name = "";
    }
}

/// Where the part of `pattern` before the next star outside a class ends.
fn chunk_end(pattern: &[u8]) -> usize {
    let mut in_class = false;
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => return at,
            _ => {}
        }
        at += 1;
    }
    pattern.len()
}

/// A parsed glob, for matching many names.
#[derive(Clone, Debug)]
pub(crate) struct Glob(Vec<Token>);

impl Glob {
    /// Parses `pattern`.
    pub(crate) fn new(pattern: &str) -> Result<Self, BadGlob> {
        parse(pattern.as_bytes()).map(Self)
    }

    /// Whether the glob matches all of `name`; neither `*` nor `?` matches a slash.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let letter_at = |at: usize| name[at..].chars().next();
        let tokens = &self.0;
        // Offsets of bytes in the name.
        let (mut token, mut at) = (0, 0);
        // One star is enough to go back to: what stands before it has matched as early as it can, and a star that
        // cannot pass a slash leaves no choice beyond it.
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (tokens.get(token), letter_at(at)) {
                (Some(Token::Star), _) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                (Some(Token::One(test)), Some(letter)) if test.accepts(letter) => {
                    token += 1;
                    at += letter.len_utf8();
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((back, from)) = star else {
                return false;
            };
            match letter_at(from) {
                Some(letter) if letter != '/' => {
                    at = from + letter.len_utf8();
                    token = back + 1;
                    star = Some((back, at));
                }
                _ => return false,
            }
        }
    }
}

/// Whether `part` holds a character that makes it a glob for COPY.
pub(crate) fn is_glob(part: &str) -> bool {
    let mut letters = part.bytes();
    while let Some(letter) = letters.next() {
        match letter {
            b'\\' => {
                letters.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

#[derive(Clone, Debug)]
enum Token {
    Star,
    One(Test),
}

#[derive(Clone, Debug)]
enum Test {
    Letter(char),
    NotSlash,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Test {
    fn accepts(&self, letter: char) -> bool {
        match self {
            Test::Letter(own) => *own == letter,
            Test::NotSlash => letter != '/',
            Test::Class { negated, ranges } => {
                ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&letter))
                    != *negated
            }
        }
    }
}

fn parse(pattern: &[u8]) -> Result<Vec<Token>, BadGlob> {
    // Outside classes Go compares bytes; as every name is UTF-8 a byte that is not matches none, like U+FFFFF.
    let text = decode(pattern);
    let mut letters = text.iter().copied().peekable();
    let mut tokens = Vec::new();
    while let Some(letter) = letters.next() {
        tokens.push(match letter {
            Some('*') => Token::Star,
            Some('?') => Token::One(Test::NotSlash),
            Some('[') => Token::One(class(&mut letters)?),
            Some('\\') => {
                let escaped = letters.next().ok_or(BadGlob)?;
                Token::One(Test::Letter(escaped.unwrap_or(NO_LETTER)))
            }
            letter => Token::One(Test::Letter(letter.unwrap_or(NO_LETTER))),
        });
    }
    Ok(tokens)
}

/// A noncharacter that stands for a byte outside UTF-8.
const NO_LETTER: char = '\u{FFFFF}';

fn class(
    letters: &mut std::iter::Peekable<impl Iterator<Item = Option<char>>>,
) -> Result<Test, BadGlob> {
    let negated = letters.next_if_eq(&Some('^')).is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && letters.next_if_eq(&Some(']')).is_some() {
            return Ok(Test::Class { negated, ranges });
        }
        let low = class_letter(letters)?;
        let high = if letters.next_if_eq(&Some('-')).is_some() {
            class_letter(letters)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn class_letter(
    letters: &mut std::iter::Peekable<impl Iterator<Item = Option<char>>>,
) -> Result<char, BadGlob> {
    let letter = match letters.next() {
        Some(Some('\\')) => letters.next(),
        Some(Some('-' | ']')) => None,
        letter => letter,
    };
    // A class that ends with the pattern is not closed.
    match (letter, letters.peek()) {
        (Some(Some(letter)), Some(_)) => Ok(letter),
        _ => Err(BadGlob),
    }
}

/// The characters of `bytes`; none for each byte that is not UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Option<char>> {
    let mut letters = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        letters.extend(chunk.valid().chars().map(Some));
        letters.extend(chunk.invalid().iter().map(|_| None));
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).is_ok_and(|glob| glob.matches(name))
    }

    #[test]
    fn matches_as_go_does() {
        for (pattern, name) in [
            ("*.json", "package.json"),
            ("package*.json", "package-lock.json"),
            ("*", ".env"),
            ("a/*/c", "a/b/c"),
            ("[a-c]?", "bé"),
            ("[^a]", "b"),
            ("a\\*", "a*"),
            ("*a*b", "xaxbxb"),
            ("a**", "abc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.json", "a/package.json"),
            ("a/*", "a/b/c"),
            ("a?c", "a/c"),
            ("**", "a/b"),
            ("a", "A"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for pattern in ["[", "[a", "[]a]", "[-]", "[a-]", "[^]", "a\\", "[x-", "[\\"] {
            assert!(check(pattern.as_bytes()).is_err(), "{pattern}");
            assert!(Glob::new(pattern).is_err(), "{pattern}");
        }
        assert!(check(b"[a\xff]").is_err());
        assert!(check(b"a\xff").is_ok());
        assert!(check(b"a*[").is_ok() && check(b"*[").is_err() && check(b".*[").is_err());
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = "*a".repeat(200);
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(5_000))));
    }
}
