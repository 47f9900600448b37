//! Lists of plain commands, told apart without the parser: most RUNs are nothing else, and it takes a tenth of the time.
//!
//! Where anything stands that means more to a shell than words, quotes, variables and the operators `&&`, `||`, `|` and
//! `;`, the text is left to the parser. What is read here comes out as it would from there: a test compares the two.

use super::Operator;
use super::word::is_name;
use crate::text::Span;

/// A simple command. Spans are offsets into the text.
pub(super) struct Plain {
    /// `NAME=value` before the name; none is of an array.
    pub(super) assignments: Vec<(Span, bool)>,
    /// The words, the name first.
    pub(super) words: Vec<Span>,
    /// What stands behind it.
    pub(super) after: After,
}

/// What stands behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    End,
    /// `;`
    Semicolon(Span),
    /// An operator, and another command.
    Operator(Operator, Span),
}

/// The commands of `text`; none where it is not plain, or not shell.
pub(super) fn commands(text: &[u8]) -> Option<Vec<Plain>> {
    let mut commands = Vec::new();
    let mut at = 0;
    loop {
        let mut plain = Plain {
            assignments: Vec::new(),
            words: Vec::with_capacity(4),
            after: After::End,
        };
        loop {
            at += blanks(&text[at..]);
            let length = word(&text[at..])?;
            if length == 0 {
                break;
            }
            plain.add(text, Span::new(at, at + length))?;
            at += length;
        }
        let (after, length) = after(&text[at..])?;
        plain.after = match after {
            After::Semicolon(_) => After::Semicolon(Span::new(at, at + length)),
            After::Operator(operator, _) => After::Operator(operator, Span::new(at, at + length)),
            After::End => After::End,
        };
        at += length;
        if plain.words.is_empty() && plain.assignments.is_empty() {
            return None;
        }
        commands.push(plain);
        let rest = &text[at..];
        match after {
            After::End => return Some(commands),
            After::Semicolon(_) if blanks(rest) == rest.len() => return Some(commands),
            After::Semicolon(_) | After::Operator(..) => {}
        }
    }
}

impl Plain {
    /// Adds a word; none where it is one that the shell's grammar knows.
    fn add(&mut self, text: &[u8], span: Span) -> Option<()> {
        let word = span.of(text);
        if !self.words.is_empty() {
            self.words.push(span);
            return Some(());
        }
        let equals = word.iter().position(|byte| *byte == b'=');
        match equals.map(|equals| &word[..equals]) {
            Some(name) if is_name(name) => {
                self.assignments.push((span, false));
                return Some(());
            }
            Some(name) if name.strip_suffix(b"+").is_some_and(is_name) => return None,
            _ => {}
        }
        if RESERVED.contains(&word) {
            return None;
        }
        self.words.push(span);
        Some(())
    }
}

/// Words that begin something other than a simple command, or that the parser treats in its own way.
const RESERVED: [&[u8]; 27] = [
    b"alias",
    b"always",
    b"break",
    b"case",
    b"continue",
    b"coproc",
    b"do",
    b"done",
    b"elif",
    b"else",
    b"esac",
    b"exit",
    b"fi",
    b"for",
    b"foreach",
    b"function",
    b"if",
    b"in",
    b"let",
    b"repeat",
    b"return",
    b"select",
    b"then",
    b"time",
    b"until",
    b"while",
    b"end",
];

fn blanks(text: &[u8]) -> usize {
    text.iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

/// Length of the word that `text` begins with, 0 without one; none where it is not plain.
fn word(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => 1,
            b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b'+' | b',' | b'@' | b'%' | b'*' | b'?'
            | b'^' | b'~' => 1,
            b'\'' => 2 + single_quoted(&text[at + 1..])?,
            b'"' => 2 + double_quoted(&text[at + 1..])?,
            b'$' => variable(&text[at..])?,
            b' ' | b'\t' | b'&' | b'|' | b';' => return Some(at),
            _ => return None,
        };
    }
    Some(at)
}

/// Length of what stands before the closing quote.
fn single_quoted(text: &[u8]) -> Option<usize> {
    let length = text.iter().position(|byte| *byte == b'\'')?;
    text[..length].iter().all(is_ordinary).then_some(length)
}

fn double_quoted(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += match text.get(at)? {
            b'"' => return Some(at),
            b'$' => variable(&text[at..])?,
            b'`' | b'\\' => return None,
            byte if is_ordinary(byte) => 1,
            _ => return None,
        };
    }
}

/// Length of `$NAME` or `${NAME}`.
fn variable(text: &[u8]) -> Option<usize> {
    let braces = usize::from(text.get(1) == Some(&b'{'));
    let start = 1 + braces;
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let end = start + text[start..].iter().take_while(is_part).count();
    let closed = braces == 0 || text.get(end) == Some(&b'}');
    (is_name(&text[start..end]) && closed).then_some(end + braces)
}

/// Printable, or a tab.
fn is_ordinary(byte: &u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~')
}

/// What stands behind a command and its length; the span is filled in by the caller.
fn after(text: &[u8]) -> Option<(After, usize)> {
    let operator = |operator| After::Operator(operator, Span::default());
    Some(match text {
        [] => (After::End, 0),
        [b'&', b'&', ..] => (operator(Operator::And), 2),
        [b'|', b'|', ..] => (operator(Operator::Or), 2),
        [b'|', b'&', ..] => return None,
        [b'|', ..] => (operator(Operator::Pipe), 1),
        [b';', b';' | b'&' | b'|', ..] => return None,
        [b';', ..] => (After::Semicolon(Span::default()), 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::commands;
    use crate::shell::Dialect;
    use crate::shell::convert::both_ways;
    use proptest::prelude::*;

    /// What plain commands are made of, and some of what they are not.
    const PIECES: &[&str] = &[
        "a",
        "cd /x",
        "apt-get install -y c=1.*",
        "b=c",
        "A=",
        "_=$V",
        " ",
        "  ",
        "\t",
        "&&",
        " && ",
        "||",
        " | ",
        "|",
        ";",
        "; ",
        "'x  y'",
        "'#'",
        "''",
        "\"\"",
        "\"x $V  y\"",
        "\"${W}\"",
        "$V",
        "${W}",
        "$",
        "${",
        "\"$\"",
        "~/x",
        "*.y",
        "x?",
        "export ",
        "readonly ",
        "local ",
        "time ",
        "exit ",
        "return",
        "if ",
        "then ",
        "fi",
        "set -e",
        "eval ",
        "exec ",
        "sh -c 'a && b'",
        "bash -c \"c; d\"",
        "sudo ",
        "env ",
        "command ",
        "test ",
        "alias ",
        "in",
        "let ",
        "a+=b",
        "a[0]=b",
        "1",
        "=",
        "-",
        "+",
        "%",
        "@",
        "^",
        ",",
        ":",
        ".",
        "!",
        "#",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ">",
        "<",
        "&",
        "\\",
        "\n",
        "`",
        "é",
        "namespace ",
        "always ",
        "nocorrect ",
        "noglob ",
        "typeset ",
        "declare ",
        "unset ",
        "trap ",
        "break",
        "while ",
        "do ",
        "done",
        "function ",
        "select ",
        "until ",
        "coproc ",
        "esac",
        "else",
        "elif ",
        "for ",
        "case ",
        "end",
        "foreach ",
        "repeat ",
        "break 1",
        "continue",
        "printf",
        "true",
        "builtin ",
        "- ",
        "-- ",
        "source ",
        "read x",
    ];

    fn compare(text: &str) {
        for dialect in [
            Dialect::Posix,
            Dialect::Dash,
            Dialect::Busybox,
            Dialect::Bash,
        ] {
            if let Some((plain, parsed)) = both_ways(text.as_bytes(), dialect) {
                assert_eq!(plain, parsed, "{text:?} in {dialect:?}");
            }
        }
    }

    #[test]
    fn most_texts_are_plain() {
        for text in [
            "apt-get update && apt-get install -y --no-install-recommends curl",
            "A=1 B=$C make -j\"$N\" | tee x; cd /y || echo 'no  y'",
            "npm ci;",
        ] {
            assert!(commands(text.as_bytes()).is_some(), "{text}");
            compare(text);
        }
    }

    #[test]
    fn what_means_more_is_left_to_the_parser() {
        for text in [
            "", " ", "a &", "a && ", "&& a", "a ;; b", "; a", "a; ; b", "a |& b", "if a", "time a",
            "a > b", "(a)", "a $(b)", "a # b", "! a", "a \\; b", "a \"b", "a 'b", "${a:-b}", "$1",
            "[ a ]", "{ a; }", "a\nb", "a `b`", "x+=1", "$'a'",
        ] {
            assert!(commands(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn plain_texts_come_out_as_from_the_parser(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12)
        ) {
            compare(&pieces.concat());
            compare(&pieces.join(" "));
        }
    }
}
