use super::*;

fn sample() -> Context {
    Context::in_memory([
        ("package.json", "{}"),
        ("package-lock.json", "{ }"),
        ("src/a/b.js", "b"),
        ("src/a.js", "a"),
        ("src-old/x.js", "old"),
        ("docs/keep/readme.md", "#"),
        ("docs/other.md", "##"),
        ("empty/", ""),
        ("now", "-> src"),
        (".dockerignore", "docs\nsrc-old\n!docs/keep\n"),
    ])
}

fn paths<'a>(entries: impl Iterator<Item = (&'a str, &'a Entry)>) -> Vec<&'a str> {
    entries.map(|(path, _)| path).collect()
}

#[test]
fn what_the_build_sees() {
    let context = sample();
    assert!(context.has("./src/a.js") && context.has("/") && context.has(""));
    assert!(context.is_folder("src/") && context.is_folder("."));
    assert!(
        context.has("docs"),
        "a folder is sent when something in it is"
    );
    assert!(context.has("docs/keep/readme.md"));
    assert!(!context.has("docs/other.md") && context.exists("docs/other.md"));
    assert!(!context.has("../package.json") && !context.has("src/../../x"));
    assert_eq!(context.entry("now"), Some(&Entry::Link("src".to_owned())));
}

#[test]
fn folders_list_their_own() {
    let context = sample();
    assert_eq!(paths(context.children("src")), ["src/a", "src/a.js"]);
    assert_eq!(paths(context.under("src")), ["src/a/b.js", "src/a.js"]);
    assert_eq!(paths(context.under("docs")), ["docs/keep/readme.md"]);
    assert_eq!(paths(context.under("..")), [""; 0]);
    assert_eq!(
        paths(context.children("")),
        [
            ".dockerignore",
            "docs",
            "empty",
            "now",
            "package-lock.json",
            "package.json",
            "src"
        ]
    );
}

#[test]
fn copy_sources() {
    let context = sample();
    assert_eq!(
        context.resolve_copy("package*.json"),
        ["package-lock.json", "package.json"]
    );
    assert_eq!(context.resolve_copy("src/"), ["src/a/b.js", "src/a.js"]);
    assert_eq!(context.resolve_copy("/src/*.js"), ["src/a.js"]);
    assert_eq!(context.resolve_copy("*/a"), ["src/a/b.js"]);
    assert_eq!(context.resolve_copy("docs/other.md"), [""; 0]);
    assert_eq!(context.resolve_copy("../package.json"), ["package.json"]);
    assert_eq!(context.resolve_copy("[").len(), 0);
    assert_eq!(context.resolve_copy("."), paths(context.under("")));
    assert_eq!(context.sources("."), [""]);
    assert_eq!(context.glob("src/a*"), ["src/a", "src/a.js"]);
}

#[test]
fn sizes_before_and_after() {
    let context = sample();
    let (files, bytes) = context.size_visible();
    assert_eq!((files, bytes), (6, 2 + 3 + 1 + 1 + 1 + 24));
    let more = Dockerignore::parse(b"docs\nsrc*\n").expect("valid patterns");
    assert_eq!(context.size_with(&more), (3, 2 + 3 + 24));
    assert_eq!(
        context.lost_with(&more),
        ["docs/keep/readme.md", "src/a/b.js", "src/a.js"]
    );
    assert!(context.without_ignore().has("docs/other.md"));
}

#[test]
fn contents() {
    let context = sample();
    assert_eq!(context.read_str("docs/other.md").as_deref(), Some("##"));
    assert_eq!(
        context.read_head("package.json", 1).as_deref(),
        Some(&b"{"[..])
    );
    assert_eq!(context.magic("package.json"), Some(Magic::Other));
    assert_eq!(context.read("src"), None);
    assert_eq!(context.read("../x"), None);
}

#[test]
fn implied_folders_and_hostile_paths() {
    let files = [
        ("a.b/c/d", "1"),
        ("a/b/c/d", "2"),
        ("../out", "3"),
        ("x/./y", "4"),
    ];
    let context = Context::in_memory(files);
    assert_eq!(
        paths(context.all()),
        [
            "a", "a/b", "a/b/c", "a/b/c/d", "a.b", "a.b/c", "a.b/c/d", "x", "x/y"
        ]
    );
    assert_eq!(paths(context.under("a")), ["a/b/c/d"]);
}
