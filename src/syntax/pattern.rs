//! Patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` is any text, `?` any character, neither a line feed.

/// How many steps a match may take: far beyond any real value.
const MAX_STEPS: usize = 1 << 26;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Any,
    AnyText,
    Char(char),
}

/// `value` without the shortest, or if `greedy` the longest, prefix (suffix if `from_end`) that fits `pattern`.
///
/// # Errors
/// For an escape that BuildKit refuses.
pub(super) fn trim(
    value: &str,
    pattern: &str,
    from_end: bool,
    greedy: bool,
) -> Result<String, String> {
    let mut tokens = if from_end {
        tokens(&reversed(pattern))?
    } else {
        tokens(pattern.chars().collect::<Vec<_>>().as_slice())?
    };
    tokens.dedup_by(|a, b| *a == Token::AnyText && *b == Token::AnyText);
    let mut chars: Vec<char> = value.chars().collect();
    if from_end {
        chars.reverse();
    }
    let mut steps = MAX_STEPS;
    let end = find(&tokens, &chars, 0, true, greedy, &mut steps)?.map_or(0, |(_, end)| end);
    let rest = chars[end..].iter();
    Ok(if from_end {
        rest.rev().collect()
    } else {
        rest.collect()
    })
}

/// `value` with the first, or if `all` every, match of `pattern` replaced.
///
/// # Errors
/// For an escape that BuildKit refuses.
pub(super) fn replace(
    value: &str,
    pattern: &str,
    replacement: &str,
    all: bool,
) -> Result<String, String> {
    let tokens = tokens(pattern.chars().collect::<Vec<_>>().as_slice())?;
    let chars: Vec<char> = value.chars().collect();
    let mut steps = MAX_STEPS;
    let mut out = String::with_capacity(value.len());
    let (mut copied, mut at) = (0, 0);
    // Only the replacement of every match is a template.
    let inserted = if all {
        without_references(replacement)
    } else {
        replacement.to_owned()
    };
    while at <= chars.len() {
        let Some((start, end)) = find(&tokens, &chars, at, false, true, &mut steps)? else {
            break;
        };
        out.extend(&chars[copied..start]);
        // An empty match right behind another match does not count.
        if end > copied || start == 0 {
            out.push_str(&inserted);
        }
        copied = end;
        at = if end > at { end } else { at + 1 };
        if !all {
            break;
        }
    }
    out.extend(&chars[copied.min(chars.len())..]);
    Ok(out)
}

/// `template` with `$name` and `${name}` removed and `$$` made one, as Go's regular expressions expand it.
fn without_references(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{');
        let name = braced.unwrap_or(rest);
        let end = name
            .find(|char: char| !(char.is_alphanumeric() || char == '_'))
            .unwrap_or(name.len());
        let after = &name[end..];
        match (end, braced, after.strip_prefix('}')) {
            (1.., None, _) => {
                // `$0` is the match; it cannot be told from a name here, and BuildKit's users do not write it.
                rest = after;
            }
            (1.., Some(_), Some(after)) => rest = after,
            _ => out.push('$'),
        }
    }
    out.push_str(rest);
    out
}

/// The leftmost match from `from` on as (start, end): the longest if `greedy`.
fn find(
    tokens: &[Token],
    chars: &[char],
    from: usize,
    anchored: bool,
    greedy: bool,
    steps: &mut usize,
) -> Result<Option<(usize, usize)>, String> {
    // For each state, the earliest start from which it was reached.
    let mut states: Vec<Option<usize>> = vec![None; tokens.len() + 1];
    let mut next = states.clone();
    let mut best: Option<(usize, usize)> = None;
    for at in from..=chars.len() {
        if best.is_none() && (at == from || !anchored) && states[0].is_none() {
            states[0] = Some(at);
        }
        // A star may be nothing.
        for state in 0..tokens.len() {
            if tokens[state] == Token::AnyText {
                states[state + 1] = earlier(states[state + 1], states[state]);
            }
        }
        if let Some(start) = states[tokens.len()]
            && best.is_none_or(|(known, _)| start <= known)
        {
            best = Some((start, at));
            if !greedy {
                return Ok(best);
            }
        }
        let Some(&char) = chars.get(at) else { break };
        *steps = steps
            .checked_sub(tokens.len() + 1)
            .ok_or("the match takes too long")?;
        next.fill(None);
        let mut alive = false;
        for (state, token) in tokens.iter().enumerate() {
            let Some(start) = states[state].filter(|start| best.is_none_or(|(b, _)| *start <= b))
            else {
                continue;
            };
            let target = match token {
                Token::AnyText if char != '\n' => state,
                Token::Any if char != '\n' => state + 1,
                Token::Char(wanted) if *wanted == char => state + 1,
                _ => continue,
            };
            next[target] = earlier(next[target], Some(start));
            alive = true;
        }
        std::mem::swap(&mut states, &mut next);
        if !alive && (anchored || best.is_some()) {
            break;
        }
    }
    Ok(best)
}

fn earlier(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn tokens(pattern: &[char]) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut chars = pattern.iter().copied().peekable();
    while let Some(char) = chars.next() {
        tokens.push(match char {
            '*' => Token::AnyText,
            '?' => Token::Any,
            '\\' => match chars.peek() {
                // The escape before these ends an operand of `${}` and is no part of the pattern.
                Some('}' | '/') => continue,
                Some(&next @ ('*' | '?' | '\\')) => {
                    chars.next();
                    Token::Char(next)
                }
                next => {
                    let next = next.copied().unwrap_or(char::REPLACEMENT_CHARACTER);
                    return Err(format!("invalid escape '\\{next}'"));
                }
            },
            char => Token::Char(char),
        });
    }
    Ok(tokens)
}

/// The pattern from its end on; an escape stays before what it escapes.
fn reversed(pattern: &str) -> Vec<char> {
    let mut chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at + 1 < chars.len() {
        if chars[at] == '\\' {
            chars.swap(at, at + 1);
            at += 2;
        } else {
            at += 1;
        }
    }
    chars.reverse();
    chars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_the_shortest_or_the_longest() {
        assert_eq!(trim("a.b.c", "*.", false, false).as_deref(), Ok("b.c"));
        assert_eq!(trim("a.b.c", "*.", false, true).as_deref(), Ok("c"));
        assert_eq!(trim("a.b.c", ".*", true, false).as_deref(), Ok("a.b"));
        assert_eq!(trim("a.b.c", ".*", true, true).as_deref(), Ok("a"));
        assert_eq!(trim("a*c", "a\\*", false, false).as_deref(), Ok("c"));
        assert_eq!(trim("abc", "?b", false, false).as_deref(), Ok("c"));
        assert_eq!(trim("abc", "b", false, false).as_deref(), Ok("abc"));
        assert!(trim("abc", "\\a", false, false).is_err());
    }

    #[test]
    fn replaces_the_first_or_every_match() {
        assert_eq!(replace("a-b-c", "-", "_", false).as_deref(), Ok("a_b-c"));
        assert_eq!(replace("a-b-c", "-", "_", true).as_deref(), Ok("a_b_c"));
        assert_eq!(replace("a/b", "\\/", ".", true).as_deref(), Ok("a.b"));
        assert_eq!(replace("abab", "b*a", "x", true).as_deref(), Ok("axb"));
        assert_eq!(replace("ab", "", "x", true).as_deref(), Ok("xaxbx"));
        assert_eq!(replace("ab", "*", "x", true).as_deref(), Ok("x"));
        assert_eq!(replace("ab", "a", "$$x", true).as_deref(), Ok("$xb"));
    }

    #[test]
    fn hostile_patterns_end() {
        let value = "a".repeat(100_000);
        let pattern = "a*".repeat(50_000) + "b";
        assert!(trim(&value, &pattern, false, true).is_err());
    }
}
