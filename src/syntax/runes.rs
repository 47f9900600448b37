//! Bytes read as BuildKit reads them: as UTF-8, where every byte that is none stands for U+FFFD.

/// The character at the start of `bytes` and its length in bytes; U+FFFD and 1 for an invalid byte.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    let length = match first {
        0..=0x7f => return Some((first as char, 1)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((char::REPLACEMENT_CHARACTER, 1)),
    };
    let decoded = bytes
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.chars().next());
    Some(match decoded {
        Some(char) => (char, length),
        None => (char::REPLACEMENT_CHARACTER, 1),
    })
}

/// The text of `bytes`, each invalid byte replaced by U+FFFD.
pub(super) fn to_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len());
            let mut at = 0;
            while let Some((char, length)) = decode(&bytes[at..]) {
                text.push(char);
                at += length;
            }
            text
        }
    }
}

/// How many bytes of Unicode white space `bytes` begins with.
pub(super) fn leading_space(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some((char, length)) = decode(&bytes[at..]) {
        if !char.is_whitespace() {
            break;
        }
        at += length;
    }
    at
}

/// The range of `bytes` without Unicode white space at both ends, as (start, end).
pub(super) fn trim(bytes: &[u8]) -> (usize, usize) {
    let start = leading_space(bytes);
    let mut end = bytes.len();
    while end > start {
        let before = &bytes[start..end];
        if before[before.len() - 1].is_ascii() {
            if !(before[before.len() - 1] as char).is_whitespace() {
                break;
            }
            end -= 1;
            continue;
        }
        // White space beyond ASCII takes two bytes (U+0085, U+00A0) or three.
        let length = (2..=3usize).find(|length| {
            before.len() >= *length
                && std::str::from_utf8(&before[before.len() - length..])
                    .is_ok_and(|text| text.chars().count() == 1 && text.trim().is_empty())
        });
        match length {
            Some(length) => end -= length,
            None => break,
        }
    }
    (start, end)
}

/// Whether a single byte, taken as a Latin-1 character, is white space: BuildKit reads flags and
/// HEALTHCHECK byte by byte, so that U+0085 and U+00A0 inside a longer UTF-8 sequence part words too.
pub(super) fn is_byte_space(byte: u8) -> bool {
    (byte as char).is_whitespace()
}

/// Whether `byte` parts the words of FROM, COPY and the like.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x0b | 0x0c | b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invalid_byte_is_one_replacement_character() {
        assert_eq!(to_text(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(to_text(b"\xe2\x82x"), "\u{fffd}\u{fffd}x");
        assert_eq!(to_text("é\u{20ac}".as_bytes()), "é\u{20ac}");
    }

    #[test]
    fn trims_unicode_space_but_no_part_of_a_character() {
        assert_eq!(trim("\u{a0} a \u{2003}".as_bytes()), (3, 4));
        assert_eq!(trim(" \u{e0}".as_bytes()), (1, 3));
        assert_eq!(trim(b"a\x85"), (0, 2));
        assert_eq!(trim(b"  "), (2, 2));
    }
}
