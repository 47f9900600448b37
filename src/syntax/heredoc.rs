//! Heredoc markers (`<<EOF`, `3<<-"EOF"`) in the text of an instruction.

use std::ops::Range;

use super::lexer::{Keep, LexError, Lexer};

/// A marker, its range in the text in which it stands, and what it asks for.
pub(super) struct Marker {
    pub(super) range: Range<usize>,
    pub(super) name: Vec<u8>,
    pub(super) expand: bool,
    pub(super) chomp: bool,
    pub(super) descriptor: u32,
}

/// The markers of `line` in order. A line that the shell lexer refuses has none.
///
/// # Errors
/// For a delimiter that BuildKit refuses, in its words.
pub(super) fn markers(line: &[u8]) -> Result<Vec<Marker>, String> {
    let keep = Keep {
        quotes: true,
        escapes: true,
        unset: true,
        literal_quotes: false,
    };
    let words = match Lexer::new(line, b'\\', keep, |_: &str| None).words() {
        Ok(words) => words,
        Err(LexError::Refused(_)) => return Ok(Vec::new()),
        Err(LexError::TooDeep) => return Err("substitutions nest too deeply".to_owned()),
    };
    let mut markers = Vec::new();
    for word in words {
        if let Some(mut marker) = marker(word.text.as_bytes())? {
            marker.range = word.start..word.end;
            markers.push(marker);
        }
    }
    Ok(markers)
}

/// `word` read as a marker; none when it is another word. The range is the whole word.
///
/// # Errors
/// As [`markers`].
pub(super) fn marker(word: &[u8]) -> Result<Option<Marker>, String> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(rest) = word[digits..].strip_prefix(b"<<") else {
        return Ok(None);
    };
    let chomp = rest.first() == Some(&b'-');
    let rest = &rest[usize::from(chomp)..];
    let rest = rest.trim_ascii_start();
    if rest.is_empty() || rest.contains(&b'<') {
        return Ok(None);
    }
    let Some(name) = single_word(rest, false)? else {
        return Ok(None);
    };
    let raw = single_word(rest, true)?.ok_or("inconsistent words in a heredoc")?;
    let descriptor = std::str::from_utf8(&word[..digits])
        .ok()
        .filter(|digits| !digits.is_empty())
        .map_or(0, |digits| digits.parse().unwrap_or(u32::MAX));
    Ok(Some(Marker {
        range: 0..word.len(),
        expand: quotes(&name) == quotes(&raw),
        name: name.into_bytes(),
        chomp,
        descriptor,
    }))
}

fn quotes(word: &str) -> usize {
    word.bytes()
        .filter(|byte| matches!(byte, b'\'' | b'"'))
        .count()
}

/// The one word that `text` is after lexing; none when there are more or none.
fn single_word(text: &[u8], quotes: bool) -> Result<Option<String>, String> {
    let keep = Keep {
        quotes,
        unset: true,
        ..Keep::default()
    };
    match Lexer::new(text, b'\\', keep, |_: &str| None).words() {
        Ok(mut words) if words.len() == 1 => Ok(words.pop().map(|word| word.text)),
        Ok(_) => Ok(None),
        Err(LexError::Refused(message)) => Err(message),
        Err(LexError::TooDeep) => Err("substitutions nest too deeply".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_markers_wherever_they_stand() {
        let line = b"RUN cat <<A 3<<-\"B C\" <<< here > x << 'D'";
        let found = markers(line).expect("no refused delimiter");
        let names: Vec<&[u8]> = found.iter().map(|marker| &marker.name[..]).collect();
        assert_eq!(names, [&b"A"[..], b"B C", b"D"]);
        assert_eq!(&line[found[1].range.clone()], b"3<<-\"B C\"");
        assert!(found[0].expand && !found[1].expand && !found[2].expand);
        assert!(found[1].chomp && found[1].descriptor == 3);
    }

    #[test]
    fn quoted_markers_are_text() {
        assert!(
            markers(b"RUN echo '<<A' \"<<B\"")
                .expect("lexes")
                .is_empty()
        );
        assert!(markers(b"RUN echo <<A 'open").expect("lexes").is_empty());
    }
}
