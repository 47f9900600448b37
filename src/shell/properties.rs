//! What holds for any bytes.

use proptest::prelude::*;

use super::*;

fn shellish() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "a",
        "b=c",
        " ",
        "\n",
        "&&",
        "||",
        "|",
        ";",
        "&",
        "(",
        ")",
        "{ ",
        " }",
        "$(",
        "`",
        "'",
        "\"",
        "\\",
        "$x",
        "${y",
        "}",
        "<<E",
        "\nE\n",
        ">",
        "if ",
        "then ",
        "fi",
        "for i in ",
        "do ",
        "done",
        "case ",
        " in ",
        ";;",
        "esac",
        "#",
        "!",
        "[[ ",
        " ]]",
        "((",
        "))",
        "=(",
        "é",
        "sh -c ",
        "export ",
        "time ",
        "exit ",
        "\r",
        "<(",
        "*",
        "~",
        "{a,b}",
        "2>&1",
    ]);
    let tokens =
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![3 => tokens, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(text in shellish()) {
        let mut logical = Logical::default();
        let middle = text.len() / 2;
        logical.push(&text[..middle], 5);
        logical.push(&text[middle..], middle + 9);
        let file = Span::new(5, text.len() + 9);
        for dialect in [Dialect::Posix, Dialect::Dash, Dialect::Busybox, Dialect::Bash] {
            let Ok(script) = parse(&logical, dialect) else { continue };
            for it in script.invocations() {
                prop_assert!(file.contains(it.command.span));
                prop_assert!(it.command.span.contains(it.simple.span) || it.simple.words.is_empty());
                for word in &it.simple.words {
                    prop_assert!(it.simple.span.contains(word.span));
                    prop_assert!(!word.contiguous || word.span.len() == word.raw.len());
                }
            }
            let _ = script.variables_read();
            let _ = script.chain();
        }
    }
}
