//! What Java and Kotlin sources need from a JDK, and use when they run.

use super::super::Evidence;
use super::super::lexer::{Kind, Language, tokens};
use super::super::paths::{self, Bounds};
use super::super::uses::{Callee, Does, Table, Uses};
use crate::context::Context;

/// What the sources say.
#[derive(Clone, Debug, Default)]
pub struct JavaSources {
    /// What the program uses when it runs.
    pub uses: Uses,
    /// Where sources need what a JRE lacks: the compiler, attaching to processes, the JDK's own tools.
    pub needs_jdk: Vec<Evidence>,
    /// Classes with a `main`, by their full name, and their source.
    pub mains: Vec<Evidence>,
}

/// Names of packages that only a JDK has.
const JDK_ONLY: &[&[&str]] = &[
    &["javax", "tools"],
    &["com", "sun", "tools"],
    &["com", "sun", "source"],
    &["jdk", "jshell"],
    &["com", "sun", "jdi"],
];

/// The JDK's programs that a JRE lacks.
const JDK_PROGRAMS: &[&str] = &[
    "javac", "jcmd", "jstack", "jmap", "jar", "jps", "jstat", "jinfo", "jdb", "jshell", "jdeps",
    "jlink",
];

/// Reads the Java and Kotlin sources below `root`; `workdir` is the folder of the context that the process runs in.
#[must_use]
pub fn scan(root: &str, workdir: &str, context: &Context, bounds: Bounds) -> JavaSources {
    let table = Table::new(CALLEES);
    let mut sources = JavaSources::default();
    let accept = |path: &str| {
        matches!(paths::extension(path), "java" | "kt")
            && !path.starts_with("src/test/")
            && !path.contains("/src/test/")
            && !paths::passes_through(path, &["target", "build", "buildSrc", "node_modules"])
    };
    let complete = paths::each_text(context, root, bounds, accept, |path, text| {
        let language = if path.ends_with(".kt") {
            Language::Kotlin
        } else {
            Language::Java
        };
        let tokens = tokens(text, language);
        let mut package = String::new();
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Word("package") if package.is_empty() => {
                    let parts = tokens[at + 1..].iter().take_while(|part| {
                        part.line == token.line && part.kind != Kind::Mark(b';')
                    });
                    package = parts
                        .filter_map(|part| match part.kind {
                            Kind::Word(word) => Some(word),
                            _ => None,
                        })
                        .collect::<Vec<_>>()
                        .join(".");
                }
                Kind::Word("javax" | "com" | "jdk") => {
                    let needs = JDK_ONLY.iter().find(|names| {
                        names.iter().enumerate().all(|(step, name)| {
                            let word = tokens
                                .get(at + step * 2)
                                .is_some_and(|token| token.kind == Kind::Word(name));
                            word && (step == 0
                                || tokens[at + step * 2 - 1].kind == Kind::Mark(b'.'))
                        })
                    });
                    if let Some(names) = needs {
                        sources.needs_jdk.push(Evidence {
                            fact: names.join("."),
                            source: format!("{path}:{}", token.line),
                        });
                    }
                }
                Kind::Word("main") if is_main(&tokens, at, language) => {
                    let name = paths::file_name(path)
                        .trim_end_matches(".java")
                        .trim_end_matches(".kt");
                    let suffix = if language == Language::Kotlin {
                        "Kt"
                    } else {
                        ""
                    };
                    let class = if package.is_empty() {
                        format!("{name}{suffix}")
                    } else {
                        format!("{package}.{name}{suffix}")
                    };
                    sources.mains.push(Evidence {
                        fact: class,
                        source: format!("{path}:{}", token.line),
                    });
                }
                _ => {}
            }
        }
        sources.uses.collect(path, &tokens, &table);
        sources.uses.mention(workdir, path, &tokens, context);
    });
    sources.uses.complete = complete;
    let tools = sources
        .uses
        .programs
        .iter()
        .filter(|program| JDK_PROGRAMS.contains(&program.fact.as_str()));
    sources.needs_jdk.extend(tools.cloned());
    sources
}

fn is_main(tokens: &[super::super::lexer::Token<'_>], at: usize, language: Language) -> bool {
    let called = tokens
        .get(at + 1)
        .is_some_and(|token| token.kind == Kind::Mark(b'('));
    let before = at.checked_sub(1).map(|at| tokens[at].kind);
    called
        && match language {
            Language::Kotlin => before == Some(Kind::Word("fun")),
            _ => {
                before == Some(Kind::Word("void"))
                    && at >= 2
                    && tokens[at - 2].kind == Kind::Word("static")
            }
        }
}

const CALLEES: &[Callee] = &[
    ("File", Does::Read, 0),
    ("FileInputStream", Does::Read, 0),
    ("FileReader", Does::Read, 0),
    ("RandomAccessFile", Does::Read, 0),
    ("Paths.get", Does::Read, 0),
    ("Path.of", Does::Read, 0),
    ("Files.readString", Does::Read, 0),
    ("FileSystemResource", Does::Read, 0),
    ("FileOutputStream", Does::Write, 0),
    ("FileWriter", Does::Write, 0),
    ("PrintWriter", Does::Write, 0),
    ("exec", Does::Start, 0),
    ("ProcessBuilder", Does::Start, 0),
    ("setPort", Does::Listen, 0),
    ("ServerSocket", Does::Listen, 0),
    ("InetSocketAddress", Does::Listen, 0),
    ("System.loadLibrary", Does::Mark("jni"), 0),
    ("System.load", Does::Mark("jni"), 0),
    ("getSystemJavaCompiler", Does::Mark("compiler"), 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_mains_and_what_needs_a_jdk() {
        let context = Context::in_memory([
            (
                "src/main/java/org/a/App.java",
                "package org.a;\nimport javax.tools.JavaCompiler; // com.sun.tools\nclass App { public static void main(String[] a) { new File(\"conf/a.txt\"); new ProcessBuilder(\"jcmd\", \"1\"); } }",
            ),
            (
                "src/main/kotlin/B.kt",
                "fun main() { HttpServer.create(InetSocketAddress(8085), 0) }",
            ),
            (
                "src/test/java/T.java",
                "import com.sun.tools.attach.VirtualMachine;",
            ),
        ]);
        let found = scan("", "", &context, Bounds::default());
        let needs: Vec<_> = found
            .needs_jdk
            .iter()
            .map(|need| need.fact.as_str())
            .collect();
        assert_eq!(needs, ["javax.tools", "jcmd"]);
        let mains: Vec<_> = found.mains.iter().map(|main| main.fact.as_str()).collect();
        assert_eq!(mains, ["org.a.App", "BKt"]);
        assert_eq!(found.uses.reads[0].path, "conf/a.txt");
        assert!(found.uses.ports.contains(&8085));
    }
}
