//! JSON with comments and trailing commas: `tsconfig.json`, `bun.lock`, `angular.json`.

use serde_json::Value;

/// The value in `text`; otherwise the line, from 1, in which it ends to be JSON.
pub(super) fn parse(text: &str) -> Result<Value, usize> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    serde_json::from_slice(&blank(text.as_bytes())).map_err(|error| error.line())
}

/// `text` with comments and trailing commas replaced by spaces.
fn blank(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut comma = None;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1).copied();
        match (byte, next) {
            (b'"', _) => {
                comma = None;
                at += 1;
                while let Some(&inner) = text.get(at) {
                    match inner {
                        b'\\' => at += 2,
                        b'"' => break,
                        _ => at += 1,
                    }
                }
                at += 1;
            }
            (b'/', Some(b'/')) => {
                while text.get(at).is_some_and(|byte| *byte != b'\n') {
                    out[at] = b' ';
                    at += 1;
                }
            }
            (b'/', Some(b'*')) => {
                let end = text[at + 2..]
                    .windows(2)
                    .position(|pair| pair == b"*/")
                    .map_or(text.len(), |end| at + 2 + end + 2);
                for byte in &mut out[at..end] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                at = end;
            }
            (b',', _) => {
                comma = Some(at);
                at += 1;
            }
            (b'}' | b']', _) => {
                if let Some(comma) = comma.take() {
                    out[comma] = b' ';
                }
                at += 1;
            }
            _ => {
                if !byte.is_ascii_whitespace() {
                    comma = None;
                }
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_trailing_commas_go_and_strings_stay() {
        let value = parse("{ // a\n \"x\": \"// no, }\", /* , */ \"y\": [1, /* 2 */ ], }");
        assert_eq!(
            value.map(|value| value.to_string()),
            Ok(r#"{"x":"// no, }","y":[1]}"#.to_owned())
        );
        assert_eq!(parse("{\n\n x }"), Err(3));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[{}\\[\\],\"/* \\\\\na1]{0,60}") {
            let _ = parse(&text);
        }
    }
}
