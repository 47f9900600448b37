//! Command lines as manifests hold them (`scripts` of `package.json`, Procfiles): lists of plain commands.
//!
//! RUN and CMD are read by [`crate::shell`], with ranges; here only the words matter, and what is not plain
//! (substitutions, redirections, groups) is not read at all.

/// What joins a command to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The last one.
    End,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;`
    Then,
    /// `|`
    Pipe,
    /// `&`
    Background,
}

/// One command of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// `NAME=value` before it.
    pub assignments: Vec<(String, String)>,
    /// The program and its arguments, quotes removed; `$NAME` stays as written.
    pub words: Vec<String>,
    /// Whether a word holds a variable or a glob, so that the shell would change it.
    pub expands: bool,
    /// What follows it.
    pub joined: Joined,
}

/// The commands of `text`; none when it holds what is more than a list of plain commands.
#[must_use]
pub fn split_list(text: &str) -> Option<Vec<Plain>> {
    let mut splitter = Splitter {
        commands: Vec::new(),
        words: Vec::new(),
        word: None,
        expands: false,
    };
    let mut chars = text.trim().chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\'' => {
                let word = splitter.word();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => loop {
                match chars.next()? {
                    '"' => {
                        splitter.word();
                        break;
                    }
                    '`' => return None,
                    '$' if chars.peek() == Some(&'(') => return None,
                    '$' => {
                        splitter.expands = true;
                        splitter.word().push('$');
                    }
                    '\\' => {
                        let next = chars.next()?;
                        if !matches!(next, '"' | '\\' | '$' | '`') {
                            splitter.word().push('\\');
                        }
                        splitter.word().push(next);
                    }
                    other => splitter.word().push(other),
                }
            },
            '\\' => {
                let next = chars.next()?;
                splitter.word().push(next);
            }
            ' ' | '\t' => splitter.end_word(),
            '\n' | ';' => splitter.end_command(Joined::Then),
            '&' if chars.next_if_eq(&'&').is_some() => splitter.end_command(Joined::And),
            '&' => splitter.end_command(Joined::Background),
            '|' if chars.next_if_eq(&'|').is_some() => splitter.end_command(Joined::Or),
            '|' => splitter.end_command(Joined::Pipe),
            '>' | '<' | '(' | ')' | '`' => return None,
            '#' if splitter.word.is_none() => return None,
            '$' if chars.peek() == Some(&'(') => return None,
            '$' | '*' | '?' => {
                splitter.expands = true;
                splitter.word().push(char);
            }
            other => splitter.word().push(other),
        }
    }
    splitter.end_command(Joined::End);
    if let Some(last) = splitter.commands.last_mut()
        && last.joined == Joined::Then
    {
        last.joined = Joined::End;
    }
    (!splitter.commands.is_empty()).then_some(splitter.commands)
}

struct Splitter {
    commands: Vec<Plain>,
    words: Vec<String>,
    word: Option<String>,
    expands: bool,
}

impl Splitter {
    fn word(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn end_command(&mut self, joined: Joined) {
        self.end_word();
        if self.words.is_empty() {
            return;
        }
        let mut words = std::mem::take(&mut self.words);
        let count = words
            .iter()
            .take_while(|word| assignment(word).is_some())
            .count();
        let rest = words.split_off(count);
        self.commands.push(Plain {
            assignments: words.iter().filter_map(|word| assignment(word)).collect(),
            words: rest,
            expands: std::mem::take(&mut self.expands),
            joined,
        });
    }
}

/// `NAME=value`, the parts.
pub(super) fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit())
        .then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Option<Vec<Vec<String>>> {
        Some(
            split_list(text)?
                .into_iter()
                .map(|plain| plain.words)
                .collect(),
        )
    }

    #[test]
    fn lists_are_split_and_unquoted() {
        let list =
            split_list("A=1 node 'a b' \"c\\\"d\" && rm -rf dist/* || x").expect("it is plain");
        assert_eq!(list[0].assignments, [("A".to_owned(), "1".to_owned())]);
        assert_eq!(list[0].words, ["node", "a b", "c\"d"]);
        assert!(!list[0].expands && list[1].expands);
        assert_eq!(
            list.iter().map(|plain| plain.joined).collect::<Vec<_>>(),
            [Joined::And, Joined::Or, Joined::End]
        );
    }

    #[test]
    fn what_is_more_than_a_list_is_not_read() {
        for text in ["a > b", "a $(b)", "(a)", "a `b`", "'a", "", "  "] {
            assert_eq!(words(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_split(text in "[a '\"$(&|;=\\\\#é]{0,30}") {
            let _ = split_list(&text);
        }
    }
}
