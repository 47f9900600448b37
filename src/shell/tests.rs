use super::*;

/// The joined text of `source`, a shell text with BuildKit's continuations.
fn joined(source: &str) -> Logical {
    let mut logical = Logical::default();
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let kept = match line.strip_suffix("\\\n") {
            Some(kept) => kept,
            None => line.strip_suffix('\n').unwrap_or(line),
        };
        logical.push(kept.as_bytes(), at);
        at += line.len();
    }
    logical
}

fn plain(source: &str) -> Logical {
    let mut logical = Logical::default();
    logical.push(source.as_bytes(), 0);
    logical
}

fn read(source: &str) -> Script {
    let script = parse(&joined(source), Dialect::Bash).expect(source);
    check_words(&script, source);
    script
}

fn read_as(source: &str, dialect: Dialect) -> Result<Script, Unparsed> {
    parse(&plain(source), dialect)
}

/// Where no continuation stands inside, a word's file bytes are its raw bytes.
fn check_words(script: &Script, source: &str) {
    script.visit(&mut |part, _| {
        if let query::Part::Word(word) = part {
            assert!(word.span.end <= source.len(), "{word:?}");
            assert_eq!(
                word.contiguous,
                word.span.of(source.as_bytes()) == word.raw,
                "{word:?}"
            );
        }
    });
}

fn names(script: &Script) -> Vec<String> {
    let invocations = script.invocations();
    let names = invocations.iter().map(|it| match it.name() {
        Some(name) => String::from_utf8_lossy(name).into_owned(),
        None => "-".to_owned(),
    });
    names.collect()
}

fn texts(words: &[Word]) -> Vec<String> {
    let raws = words.iter().map(|word| String::from_utf8_lossy(&word.raw));
    raws.map(|raw| raw.into_owned()).collect()
}

fn literal(source: &str, dialect: Dialect) -> Option<String> {
    let script = read_as(&format!("echo {source}"), dialect).expect(source);
    let word = script.invocations()[0].arguments()[0].clone();
    word.literal
        .map(|literal| String::from_utf8_lossy(&literal).into_owned())
}

#[test]
fn and_chain_is_flat_and_has_exact_spans() {
    let source = "apt-get update && apt-get install -y curl && rm -rf /tmp/x";
    let script = read(source);
    assert!(script.is_plain_and_chain());
    let chain = script.chain();
    let parts: Vec<_> = chain
        .iter()
        .map(|(joint, command)| (*joint, &source[command.span.start..command.span.end]))
        .collect();
    assert_eq!(
        parts,
        [
            (Joint::First, "apt-get update"),
            (Joint::And, "apt-get install -y curl"),
            (Joint::And, "rm -rf /tmp/x"),
        ]
    );
    assert!(
        script
            .invocations()
            .iter()
            .all(|it| it.position.unconditional)
    );
}

#[test]
fn continuation_inside_a_word_is_not_contiguous() {
    let source = "apt-get inst\\\nall -y cu\\\nrl \\\n  git";
    let script = read(source);
    let words = &script.invocations()[0].simple.words;
    assert_eq!(texts(words), ["apt-get", "install", "-y", "curl", "git"]);
    let contiguous: Vec<_> = words.iter().map(|word| word.contiguous).collect();
    assert_eq!(contiguous, [true, false, true, false, true]);
    assert_eq!(words[1].span.of(source.as_bytes()), b"inst\\\nall");
    assert_eq!(words[4].span.of(source.as_bytes()), b"git");
}

#[test]
fn quoted_text_across_a_continuation_keeps_its_value() {
    let script = read("echo \"one \\\ntwo\" three");
    let words = &script.invocations()[0].simple.words;
    assert_eq!(words[1].literal.as_deref(), Some(&b"one two"[..]));
    assert!(!words[1].contiguous);
}

#[test]
fn operators_and_terminators_stand_where_they_are_written() {
    let source = "a || b; c & d | e\n! f";
    let script = read_as(source, Dialect::Dash).expect(source);
    let joints: Vec<_> = script.chain().iter().map(|(joint, _)| *joint).collect();
    assert_eq!(
        joints,
        [
            Joint::First,
            Joint::Or,
            Joint::Sequence,
            Joint::Background,
            Joint::Sequence
        ]
    );
    let semicolon = script.body[0].terminator_span.expect("it is written");
    assert_eq!(semicolon.of(source.as_bytes()), b";");
    let [a, b, c, d, e, f] = script.invocations()[..] else {
        panic!("six commands: {:?}", names(&script));
    };
    assert!(a.position.conditional && b.position.conditional);
    assert!(c.position.background && !c.position.unconditional);
    assert!(d.position.in_pipe && e.position.in_pipe && !d.position.conditional);
    assert!(f.position.negated);
    let last = script.body.last().expect("it has statements");
    assert_eq!(last.command.span.of(source.as_bytes()), b"! f");
    assert!(script.runs_in_background());
}

#[test]
fn comments_are_found_in_scripts() {
    let source = "set -e\n# it's a comment && more\napt-get update # tail\necho a#b\n";
    let script = read_as(source, Dialect::Posix).expect(source);
    let comments: Vec<_> = script
        .comments
        .iter()
        .map(|span| &source[span.start..span.end])
        .collect();
    assert_eq!(comments, ["# it's a comment && more", "# tail"]);
    assert_eq!(names(&script), ["set", "apt-get", "echo"]);
    assert!(script.sets_shell_options());
}

#[test]
fn heredocs_stand_in_the_middle() {
    let source = "cat <<EOF > /etc/x && echo done\nhello $NAME $(hostname -f)\nEOF\n";
    let script = read_as(source, Dialect::Dash).expect(source);
    assert_eq!(names(&script), ["cat", "hostname", "echo"]);
    let cat = script.chain()[0].1;
    assert_eq!(cat.redirects.len(), 2);
    let body = cat.redirects[0].heredoc.expect("it has a body");
    assert_eq!(body.of(source.as_bytes()), b"hello $NAME $(hostname -f)\n");
    assert_eq!(cat.redirects[0].operator, b"<<");
    assert_eq!(cat.redirects[1].operator, b">");
    assert_eq!(script.variables_read(), [b"NAME"]);
    assert_eq!(cat.span.of(source.as_bytes()), b"cat <<EOF > /etc/x");
}

#[test]
fn quoted_heredocs_expand_nothing() {
    let source = "cat <<-'E O' | sh\n\t$X `ls`\n\tE O\n";
    let script = read_as(source, Dialect::Dash).expect(source);
    assert_eq!(names(&script), ["cat", "sh"]);
    assert!(script.variables_read().is_empty());
}

#[test]
fn compound_commands_hold_their_commands() {
    let source = "if test -f a; then b; elif c; then d; else e; fi; \
        for x in 1 2 $(seq 3); do f; done; while g; do h; done; until i; do j; done; \
        case $k in l|m*) n;; (o) p ;; *) q; esac; r() { s; }; (t; u); { v; }";
    let script = read_as(source, Dialect::Dash).expect(source);
    assert_eq!(
        names(&script).join(" "),
        "test b c d e seq f g h i j n p q s t u v"
    );
    let position = |name: &str| {
        let invocations = script.invocations();
        let found = invocations.iter().find(|it| it.calls(name));
        found.expect(name).position
    };
    assert!(position("b").conditional && position("test").conditional);
    assert!(position("f").in_loop && position("h").in_loop);
    assert!(position("n").conditional && position("q").conditional);
    assert!(position("s").in_function);
    assert!(position("t").in_subshell && !position("t").conditional);
    assert!(position("v").in_group);
    assert!(position("seq").in_substitution && !position("seq").in_loop);
    assert_eq!(script.functions(), [b"r"]);
    let spans: Vec<_> = script
        .chain()
        .iter()
        .map(|(_, command)| &source[command.span.start..command.span.end])
        .collect();
    assert_eq!(spans[0], "if test -f a; then b; elif c; then d; else e; fi");
    assert_eq!(spans[1], "for x in 1 2 $(seq 3); do f; done");
    assert_eq!(spans[5], "r() { s; }");
    assert_eq!(spans[6], "(t; u)");
    assert_eq!(spans[7], "{ v; }");
}

#[test]
fn compound_commands_can_be_redirected_and_negated() {
    let source = "! (a) >x 2>&1 && { b; } </dev/null | c";
    let script = read_as(source, Dialect::Dash).expect(source);
    let chain = script.chain();
    assert!(chain[0].1.negated);
    assert_eq!(chain[0].1.span.of(source.as_bytes()), b"! (a) >x 2>&1");
    assert_eq!(chain[0].1.redirects[1].descriptor, Some(2));
    assert_eq!(chain[0].1.redirects[1].operator, b">&");
    assert_eq!(names(&script), ["a", "b", "c"]);
}

#[test]
fn brackets_and_keywords_are_found_between_comments_and_heredocs() {
    let source = "{ # ( one\n( cat <<E; a ) # )\n( body\nE\n} | if b; then { c; }; fi > d\n";
    let script = read_as(source, Dialect::Dash).expect(source);
    assert_eq!(names(&script), ["cat", "a", "b", "c"]);
    let mut spans = Vec::new();
    script.visit(&mut |part, _| {
        if let query::Part::Command(command) = part
            && !matches!(command.kind, CommandKind::Simple(_))
        {
            spans.push(&source[command.span.start..command.span.end]);
        }
    });
    assert_eq!(
        spans[1..],
        [
            "{ # ( one\n( cat <<E; a ) # )\n( body\nE\n}",
            "( cat <<E; a )",
            "if b; then { c; }; fi > d",
            "{ c; }",
        ]
    );
}

#[test]
fn descriptors_are_redirected_to_descriptors() {
    let source = "a 2>&1 >&2 3<&- <&4 >&$x > b 2>c";
    let script = read_as(source, Dialect::Dash).expect(source);
    let redirects: Vec<_> = script.body[0]
        .command
        .redirects
        .iter()
        .map(|it| {
            let operator = String::from_utf8_lossy(&it.operator).into_owned();
            let written = &source[it.span.start..it.span.end];
            let target = String::from_utf8_lossy(&it.target.raw).into_owned();
            (it.descriptor, operator, target, written)
        })
        .collect();
    let expected = [
        (Some(2), ">&", "1", "2>&1"),
        (None, ">&", "2", ">&2"),
        (Some(3), "<&", "-", "3<&-"),
        (None, "<&", "4", "<&4"),
        (None, ">&", "$x", ">&$x"),
        (None, ">", "b", "> b"),
        (Some(2), ">", "c", "2>c"),
    ]
    .map(|(descriptor, operator, target, written)| {
        (descriptor, operator.to_owned(), target.to_owned(), written)
    });
    assert_eq!(redirects, expected);
    let script = read("a &>> b");
    assert_eq!(script.body[0].command.redirects.len(), 1);
    assert_eq!(script.body[0].command.redirects[0].operator, b"&>>");
}

#[test]
fn semicolons_before_keywords_end_statements() {
    let script = read("if a; then b & c; fi");
    let CommandKind::If { branches, .. } = &script.body[0].command.kind else {
        panic!("it is an if");
    };
    let terminators: Vec<_> = branches[0].1.iter().map(|it| it.terminator).collect();
    assert_eq!(
        (branches[0].0[0].terminator, terminators),
        (
            Terminator::Semicolon,
            vec![Terminator::Background, Terminator::Semicolon]
        )
    );
    assert_eq!(script.body[0].terminator, Terminator::None);
}

#[test]
fn substitutions_nest_with_spans_into_the_file() {
    let source = "A=$(b \"$(c `d \\`e\\``)\") f \"${G:-$(h)}\" $((i + $(j)))";
    let script = read(source);
    assert_eq!(names(&script), ["f", "b", "c", "d", "e", "h", "j"]);
    for it in script.invocations() {
        let name = &it.simple.words[0];
        assert_eq!(name.span.of(source.as_bytes()), name.raw, "{name:?}");
    }
    assert_eq!(script.variables_read(), [&b"G"[..], b"i"]);
    let script = read("x=$(case a in a) b;; esac) y");
    assert_eq!(names(&script), ["y", "b"]);
}

#[test]
fn a_pipeline_of_a_negation_is_negated_as_a_whole() {
    let script = read_as("! a | b", Dialect::Dash).expect("it parses");
    assert!(script.invocations().iter().all(|it| it.position.negated));
}

#[test]
fn literals_follow_quote_removal() {
    let cases = [
        ("a\\ b", Some("a b")),
        ("'a b'\"c\\\"\\d$\"\\'", Some("a bc\"\\d$'")),
        ("\"\"", Some("")),
        ("*.c", None),
        ("'*.c'", Some("*.c")),
        ("~/x", None),
        ("a~", Some("a~")),
        ("$X", None),
        ("\"$X\"", None),
        ("\\$X", Some("$X")),
        ("a[1]", None),
        ("[", Some("[")),
        ("{}", Some("{}")),
        ("$(a)", None),
        ("é€", Some("é€")),
        ("$'a'", None),
    ];
    for (source, value) in cases {
        assert_eq!(literal(source, Dialect::Bash).as_deref(), value, "{source}");
    }
    assert_eq!(literal("{a,b}", Dialect::Bash), None);
    assert_eq!(literal("{1..3}", Dialect::Posix), None);
    assert_eq!(literal("{a,b}", Dialect::Dash).as_deref(), Some("{a,b}"));
}

#[test]
fn wrappers_are_skipped() {
    let cases = [
        ("sudo -E apt-get -y install x", "apt-get", 2, "-y"),
        ("sudo -u root -H -- A=b apt-get x", "apt-get", 6, "x"),
        ("env -i A=b C=\"$D\" /usr/bin/make all", "make", 4, "all"),
        ("exec nohup nice -n 10 time -p make x", "make", 7, "x"),
        ("A=b command -p ls x", "ls", 2, "x"),
        ("command -v git", "command", 0, "-v"),
        ("time make x", "make", 1, "x"),
    ];
    for (source, name, prefix, argument) in cases {
        for dialect in [Dialect::Bash, Dialect::Dash] {
            let script = read_as(source, dialect).expect(source);
            let it = script.invocations()[0];
            assert!(it.calls(name), "{source} is {:?}", names(&script));
            assert_eq!(it.prefix().len(), prefix, "{source}");
            assert_eq!(texts(it.arguments())[0], argument, "{source}");
        }
    }
    let script = read("sudo -Z apt-get update; $X update; env --wonder a b; sudo --wonder=1 b");
    assert_eq!(names(&script), ["-", "-", "-", "-"]);
    assert!(script.runs_unseen_code());
    let script = read("sudo --preserve-env=A --user root a; env --chdir=/ --unset B b");
    assert_eq!(names(&script), ["a", "b"]);
    assert!(read("sudo ls").invocations()[0].is_run_by("sudo"));
}

#[test]
fn inner_scripts_are_read_where_they_are_literal() {
    let source = "bash -lc 'cd /x && make' && sh -c \"echo \\\"a\\\"\" && sh -c \"$X\"";
    let script = read(source);
    assert_eq!(names(&script), ["bash", "cd", "make", "sh", "echo", "sh"]);
    let invocations = script.invocations();
    let first = invocations[0].inner().expect("it is read");
    assert!(first.editable);
    assert_eq!((first.dialect, first.word), (Dialect::Bash, 2));
    assert_eq!(first.script.span.of(source.as_bytes()), b"cd /x && make");
    assert!(invocations[2].position.in_inner_script);
    assert!(!invocations[2].position.unconditional);
    let make = invocations[2].simple.span;
    assert_eq!(make.of(source.as_bytes()), b"make");
    assert!(!invocations[3].inner().expect("it is read").editable);
    assert!(invocations[5].inner().is_none());
    assert!(script.runs_unseen_code());
    assert!(script.changes_directory());
}

#[test]
fn declarations_are_simple_commands() {
    let script = read("export A=b C && declare -a D=(1 2) && E=f && G=h make");
    let invocations = script.invocations();
    assert_eq!(texts(&invocations[0].simple.words), ["export", "A=b", "C"]);
    assert_eq!(
        invocations[0].simple.declared(),
        [(&b"A"[..], true), (b"C", false)]
    );
    assert_eq!(script.exports(), [b"A", b"C"]);
    assert_eq!(script.assigns(), [b"A", b"D", b"E"]);
    assert_eq!(invocations[3].simple.assignments[0].name, b"G");
}

#[test]
fn shells_differ() {
    let bash_only = [
        "a &> b",
        "a <<< b",
        "a |& b",
        "diff <(a) <(b)",
        "A=(1 2)",
        "A+=1",
        "function f { a; }",
        "for ((i=0;i<3;i++)); do a; done",
    ];
    for source in bash_only {
        assert!(read_as(source, Dialect::Bash).is_ok(), "{source}");
        assert!(read_as(source, Dialect::Dash).is_err(), "{source}");
        assert!(read_as(source, Dialect::Posix).is_err(), "{source}");
    }
    let source = "[[ -f $(a) && $B == c* ]] && d";
    let script = read_as(source, Dialect::Bash).expect(source);
    assert_eq!(names(&script), ["a", "d"]);
    assert_eq!(script.variables_read(), [b"B"]);
    assert!(read_as(source, Dialect::Dash).is_err());
    assert_eq!(names(&read("diff <(a b) c && (( D++ ))")), ["diff", "a"]);
}

#[test]
fn what_is_broken_is_unparsed() {
    for source in [
        "a &&",
        "if a; then b",
        "'a",
        "$(a",
        "a | | b",
        "(a",
        "a)",
        "`a",
        "${a",
        "a\0b",
        "; a",
        "cat <<EOF\nx\n",
    ] {
        assert!(read_as(source, Dialect::Bash).is_err(), "{source}");
    }
    let deep = "(".repeat(5000) + "a" + &")".repeat(5000);
    assert!(read_as(&deep, Dialect::Bash).is_err());
    let deep = "$(".repeat(5000) + "a" + &")".repeat(5000);
    assert!(read_as(&deep, Dialect::Bash).is_err());
}

#[test]
fn empty_text_has_no_command() {
    for source in ["", "  ", "# only a comment"] {
        assert!(
            read_as(source, Dialect::Posix)
                .expect(source)
                .body
                .is_empty()
        );
    }
}

#[test]
fn long_chains_are_read() {
    let source = vec!["echo a"; 900].join(" && ");
    let script = read_as(&source, Dialect::Dash).expect("it parses");
    assert_eq!(script.invocations().len(), 900);
    assert_eq!(script.chain().len(), 900);
}

#[test]
fn bytes_that_are_no_utf8_keep_their_place() {
    let mut logical = Logical::default();
    logical.push(b"echo \xff\xc3\xa9 \"\xf0\x9f\" && ls\r", 10);
    let script = parse(&logical, Dialect::Dash).expect("it parses");
    let invocations = script.invocations();
    assert_eq!(invocations[0].arguments()[0].raw, b"\xff\xc3\xa9");
    assert_eq!(invocations[0].arguments()[0].span, Span::new(15, 18));
    assert_eq!(invocations[1].name(), Some(&b"ls\r"[..]));
}

#[test]
fn exec_form_words() {
    let words = |source: &str| {
        split_words(source.as_bytes()).map(|words| {
            let words = words.iter().map(|word| String::from_utf8_lossy(word));
            words.map(|word| word.into_owned()).collect::<Vec<_>>()
        })
    };
    assert_eq!(
        words("nginx -g 'daemon off;'").expect("it is plain"),
        ["nginx", "-g", "daemon off;"]
    );
    for source in [
        "a $B", "a && b", "A=b c", "a > b", "a *", "a # b", "a &", "! a", "a;", "",
    ] {
        assert_eq!(words(source), None, "{source}");
    }
}

#[test]
fn quoting_survives_a_round_trip() {
    for word in [
        "a", "", "a b", "it's", "$X", "A=b", "--a=b", "~", "*", "é", "\\", "if", "#",
    ] {
        let source = [b"echo ".to_vec(), quote_word(word.as_bytes())].concat();
        let words = split_words(&source).expect(word);
        assert_eq!(words, [b"echo".to_vec(), word.as_bytes().to_vec()]);
    }
    assert_eq!(quote_word(b"--a=b/c"), b"--a=b/c");
    assert_eq!(quote_word(b"it's"), b"'it'\\''s'");
}
