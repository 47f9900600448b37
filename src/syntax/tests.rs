//! Whole files: every test parses through [`checked`], which asserts what holds for any bytes.

use proptest::prelude::*;

use super::*;

/// Parses, and asserts that the tree is lossless and its ranges are nested and in order.
fn checked(source: impl AsRef<[u8]>) -> Dockerfile {
    let source = source.as_ref();
    let dockerfile = Dockerfile::parse(source);
    let (mut at, mut index) = (0, 0);
    for item in dockerfile.items() {
        assert_eq!(item.span.start, at, "a gap before {item:?}");
        assert!(!item.span.is_empty(), "{item:?} is empty");
        at = item.span.end;
        if let ItemKind::Instruction(number) = item.kind {
            assert_eq!(number, index);
            index += 1;
            let instruction = &dockerfile.instructions()[number];
            assert!(item.span.contains(instruction.span), "{instruction:?}");
            check_instruction(&dockerfile, instruction);
        }
    }
    assert_eq!(at, source.len(), "the end of the file is missing");
    assert_eq!(index, dockerfile.instructions().len());
    dockerfile
}

fn check_instruction(dockerfile: &Dockerfile, instruction: &Instruction) {
    assert!(instruction.lines.0 <= instruction.lines.1);
    let mut spans = vec![instruction.keyword_span];
    spans.extend(instruction.flags.iter().map(|flag| flag.span));
    match &instruction.arguments {
        Arguments::Words(words) => spans.extend(words.iter().map(|word| word.span)),
        Arguments::Json(strings) => spans.extend(strings.iter().map(|string| string.span)),
        Arguments::Pairs { pairs, .. } => spans.extend(pairs.iter().map(|pair| pair.span)),
        Arguments::Onbuild(inner) => {
            spans.push(inner.keyword_span);
            check_instruction(dockerfile, inner);
        }
        _ => {}
    }
    let mut at = instruction.span.start;
    for heredoc in &instruction.heredocs {
        assert!(instruction.span.contains(heredoc.marker));
    }
    let bodies = instruction.heredocs.iter();
    spans.extend(bodies.flat_map(|heredoc| [heredoc.body, heredoc.terminator]));
    for span in spans {
        assert!(
            at <= span.start,
            "{span:?} is out of order in {instruction:?}"
        );
        assert!(
            instruction.span.contains(span),
            "{span:?} in {instruction:?}"
        );
        at = span.end;
    }
    // Every byte of the body stands where the map says.
    let body = &instruction.body;
    let step = (body.text().len() / 64).max(1);
    for (offset, byte) in body.text().iter().enumerate().step_by(step) {
        assert_eq!(dockerfile.source()[body.source_offset(offset)], *byte);
    }
    let _ = (
        instruction.as_from(),
        instruction.as_copy(),
        instruction.mounts(),
    );
    if let Some(text) = dockerfile.shell_text(instruction) {
        assert!(text.text().len() <= dockerfile.source().len());
    }
}

fn kinds(dockerfile: &Dockerfile) -> Vec<ItemKind> {
    dockerfile.items().iter().map(|item| item.kind).collect()
}

#[test]
fn items_of_a_file_with_everything() {
    let file = checked(
        "\u{feff}# syntax=docker/dockerfile:1\n#escape=`\n\n# note\nFROM a\n  \nRUN x `\n# inside\n\n y\n",
    );
    use ItemKind::{Blank, ByteOrderMark, Comment, Directive, Instruction};
    assert_eq!(
        kinds(&file),
        [
            ByteOrderMark,
            Directive,
            Directive,
            Blank,
            Comment,
            Instruction(0),
            Blank,
            Instruction(1),
        ]
    );
    assert_eq!(file.escape(), b'`');
    let run = &file.instructions()[1];
    assert_eq!(run.body.text(), b"x  y");
    assert_eq!(run.lines, (7, 10));
    assert_eq!(file.bytes(run.comments[0]), b"# inside");
    assert!(file.refused().is_none());
}

#[test]
fn an_escaped_escape_is_no_continuation() {
    let file = checked("FROM a\nRUN x \\\\\nRUN y\\ \t\n z");
    assert_eq!(file.instructions().len(), 3);
    assert_eq!(file.instructions()[2].body.text(), b"y z");
}

#[test]
fn several_heredocs_of_one_instruction() {
    let source = "FROM a\nRUN cat <<A 3<<-\"B\" > x\none\nA\n\ttwo $x\n\tB\nUSER me\n";
    let file = checked(source);
    let run = &file.instructions()[1];
    assert_eq!(run.lines, (2, 6));
    let [a, b] = run.heredocs.as_slice() else {
        panic!("two heredocs in {run:?}")
    };
    assert_eq!(file.bytes(a.body), b"one\n");
    assert_eq!(file.bytes(b.body), b"\ttwo $x\n");
    assert_eq!(file.bytes(b.terminator), b"\tB");
    assert_eq!(file.bytes(b.marker), b"3<<-\"B\"");
    assert!(a.expand && !b.expand && b.chomp && b.descriptor == 3);
    let text = file.shell_text(run).expect("a shell reads it");
    assert_eq!(text.text(), b"cat <<A 3<<-\"B\" > x\none\nA\n\ttwo $x\nB");
    assert_eq!(
        text.source_offset(text.text().len() - 1),
        source.find("B\nUSER").expect("there")
    );
}

#[test]
fn a_heredoc_alone_is_a_script() {
    let file = checked("FROM a\nRUN <<-EOF\n\t#!/bin/sh\n\techo\n\tEOF\n");
    let run = &file.instructions()[1];
    assert!(matches!(run.as_run(), Some(Run::Script(0))));
    let text = file.shell_text(run).expect("a script");
    assert_eq!(text.text(), b"#!/bin/sh\necho\n");
}

#[test]
fn copy_with_flags_heredoc_and_json() {
    let file =
        checked("FROM a\nCOPY --from=b --chown=1:2 x <<F y/\ntext\nF\nADD [\"a b\", \"c\"]\n");
    let copy = file.instructions()[1].as_copy().expect("a copy");
    assert_eq!(copy.from, Some(&b"b"[..]));
    assert_eq!(copy.sources.len(), 2);
    assert_eq!(copy.sources[1].heredoc, Some(0));
    assert_eq!(copy.destination.text, b"y/");
    let add = file.instructions()[2].as_copy().expect("an ADD");
    assert!(add.json && add.sources[0].text == b"a b");
    assert_eq!(file.bytes(add.sources[0].span), b"\"a b\"");
}

#[test]
fn environment_in_both_forms() {
    let file = checked("FROM a\nENV A=1 B=\"2 3\" \\\n  C=\nENV D e f\n");
    let pairs = file.instructions()[1].pairs();
    let texts: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().expect("a value");
            (pair.name.text.as_slice(), value.text.as_slice())
        })
        .collect();
    assert_eq!(
        texts,
        [(&b"A"[..], &b"1"[..]), (b"B", b"\"2 3\""), (b"C", b"")]
    );
    let Arguments::Pairs { pairs, legacy } = &file.instructions()[2].arguments else {
        panic!("pairs")
    };
    assert!(*legacy);
    assert_eq!(pairs[0].value.as_ref().expect("a value").text, b"e f");
}

#[test]
fn mounts_onbuild_and_health() {
    let file = checked(
        "FROM a AS b\nRUN --mount=type=cache,target=/x,ro y\nONBUILD COPY a b\nHEALTHCHECK --interval=5s CMD [\"c\"]\n",
    );
    assert!(file.refused().is_none(), "{:?}", file.refused());
    let mounts = file.instructions()[1].mounts();
    assert_eq!(mounts[0].kind, "cache");
    assert_eq!(
        mounts[0].options,
        [
            ("target".to_owned(), Some("/x".to_owned())),
            ("ro".to_owned(), None)
        ]
    );
    let Arguments::Onbuild(inner) = &file.instructions()[2].arguments else {
        panic!("ONBUILD")
    };
    assert_eq!(inner.keyword, Keyword::Copy);
    assert!(matches!(
        file.instructions()[3].command_body(),
        Some(CommandBody::Exec([_]))
    ));
    let from = file.instructions()[0].as_from().expect("FROM");
    assert_eq!(from.alias.expect("an alias").text, b"b");
}

#[test]
fn what_buildkit_refuses() {
    for source in [
        "",
        "# only a comment\n",
        "RUN before from\n",
        "FROM a\nNOPE x\n",
        "FROM a b\n",
        "FROM a AS 1\n",
        "FROM a\nCOPY x\n",
        "FROM a\nCOPY --nope x y\n",
        "FROM a\nCOPY --link --link x y\n",
        "FROM a\nCOPY x <<E\nE\n",
        "FROM a\nRUN <<E\nno end\n",
        "FROM a\nCMD [\"a\", 1]\n",
        "FROM a\nENV A\n",
        "FROM a\nENV A=1 b\n",
        "FROM a\nLABEL =b\n",
        "FROM a\nSHELL sh -c\n",
        "FROM a\nONBUILD ONBUILD RUN x\n",
        "FROM a\nHEALTHCHECK --interval=5 CMD x\n",
        "FROM a\nVOLUME [\"\"]\n",
        "FROM a\nRUN --mount=from=$x y\n",
        "# escape=x\nFROM a\n",
        "# syntax=a\n# syntax=b\nFROM a\n",
    ] {
        assert!(checked(source).refused().is_some(), "{source}");
    }
}

#[test]
fn what_buildkit_takes() {
    for source in [
        "FROM a",
        "from a as b\r\nrun x\r\n",
        "ARG X=1\nFROM $X\nCMD\n",
        "FROM a\nCMD ['no json']\n",
        "FROM a\nSTOPSIGNAL --x 9\n",
        "FROM a\nRUN x \\",
        "FROM a\nLABEL x=\"\u{e9}\"\n",
        "FROM a\nHEALTHCHECK NONE\n",
        "FROM a\nRUN echo '<<E'\n",
    ] {
        let file = checked(source);
        assert_eq!(file.refused(), None, "{source}");
    }
    let latin = checked(b"FROM a\nLABEL x=\"caf\xe9\"\nMAINTAINER J\xf6rg\n");
    assert_eq!(latin.refused(), None);
    assert_eq!(latin.instructions()[2].body.text(), b"J\xf6rg");
}

#[test]
fn lines_end_at_64_kilobytes() {
    let line = |length: usize| format!("FROM a\nRUN {}\n", "x".repeat(length));
    assert!(checked(line(65_536 - 5)).refused().is_none());
    assert!(checked(line(65_536 - 4)).refused().is_some());
    let unended = format!("FROM a\nRUN {}", "x".repeat(65_536 - 4));
    assert!(checked(unended).refused().is_some());
}

#[test]
fn utf_16_is_refused_and_kept() {
    let bytes: Vec<u8> = "FROM a\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(checked(bytes).refused().is_some());
}

/// Text of the pieces that make a Dockerfile difficult.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"FROM a\n"[..],
        b"RUN ",
        b"COPY ",
        b"ENV ",
        b"ONBUILD ",
        b"HEALTHCHECK ",
        b"CMD ",
        b"LABEL ",
        b"<<E",
        b"3<<-\"E\"",
        b"E\n",
        b"\n",
        b"\r\n",
        b"\\\n",
        b"\\",
        b"#",
        b"# escape=`\n",
        b"`\n",
        b"[\"a\"",
        b"]",
        b"\"",
        b"'",
        b"--x=",
        b" ",
        b"\t",
        b"a=b",
        b"=",
        b"$",
        b"${a:-",
        b"}",
        b"\xe9",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xc2\xa0",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_byte_order_mark_alone_is_one_item() {
    let dockerfile = checked(b"\xef\xbb\xbf");
    assert_eq!(dockerfile.items().len(), 1);
    assert_eq!(dockerfile.items()[0].kind, ItemKind::ByteOrderMark);
}

proptest! {
    #[test]
    fn any_bytes_are_kept(source in prop::collection::vec(any::<u8>(), 0..400)) {
        checked(source);
    }

    #[test]
    fn any_pieces_are_kept(source in pieces()) {
        checked(source);
    }

    #[test]
    fn any_expression_ends(word in pieces()) {
        let variables = Variables::from([("a".to_owned(), "x".to_owned())]);
        let _ = expand(&word, &variables, b'\\');
        let _ = expand_words(&word, &variables, b'`');
        let _ = references(&word, b'\\');
    }
}
