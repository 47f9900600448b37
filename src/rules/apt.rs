//! What rules ask about apt: who needs its package lists, who may change its sources.

use crate::catalog::WordSet;
use crate::model::path::is_under;
use crate::model::{PackageOperation, Verb};
use crate::rules::{Ctx, image_paths};
use crate::shell::Script;
use crate::syntax::{Keyword, Run};
use crate::text::contains;

/// Where apt keeps its package lists.
pub(super) const LISTS: &str = "/var/lib/apt/lists";

/// Whether a script installs no packages of the distribution, by its name: build tools' own, and Conda's installers,
/// which unpack themselves.
fn is_harmless(ctx: &Ctx<'_>, name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_conda = ["anaconda", "miniconda", "miniforge", "mambaforge"]
        .iter()
        .any(|start| lower.starts_with(start));
    ctx.catalog.has_word(WordSet::HarmlessScripts, name) || is_conda && lower.ends_with(".sh")
}

/// What a RUN does with apt's package lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing.
    None,
    /// It fetches them before it reads them.
    Fetches,
    /// It reads those that are there.
    Reads,
}

/// Whether an operation is apt's.
pub(super) fn is_apt(operation: &PackageOperation<'_>) -> bool {
    matches!(operation.manager.name.get(), "apt" | "apt-get" | "aptitude")
}

/// Whether an operation needs package lists.
pub(super) fn reads_lists(operation: &PackageOperation<'_>) -> bool {
    is_apt(operation)
        && match operation.verb {
            Verb::Install | Verb::Upgrade => true,
            Verb::Other => operation.packages.first().is_some_and(|word| {
                matches!(
                    word.literal.as_deref(),
                    Some(
                        b"build-dep"
                            | b"source"
                            | b"download"
                            | b"satisfy"
                            | b"policy"
                            | b"search"
                            | b"show"
                    )
                )
            }),
            _ => false,
        }
}

/// What the RUN at `index` does first with apt's lists.
pub(super) fn list_use(ctx: &Ctx<'_>, index: usize) -> Use {
    let Some(script) = ctx.model.script(index) else {
        let text = ctx.model.instruction(index).body.text();
        return if mentions(text, b"apt") && mentions(text, b"install") && !mentions(text, b"update")
        {
            Use::Reads
        } else {
            Use::None
        };
    };
    let fetch = ctx
        .model
        .operations(index)
        .iter()
        .filter(|operation| {
            is_apt(operation) && operation.verb == Verb::Update && !operation.position.optional
        })
        .map(|operation| operation.simple.span.start)
        .chain(vendor_update(ctx, index, script))
        .min();
    let read = ctx
        .model
        .operations(index)
        .iter()
        .filter(|operation| reads_lists(operation))
        .map(|operation| operation.simple.span.start)
        .min();
    match (
        fetch,
        [read, first_reader(ctx, script)]
            .into_iter()
            .flatten()
            .min(),
    ) {
        (Some(fetch), Some(read)) if fetch < read => Use::Fetches,
        (_, Some(_)) => Use::Reads,
        (Some(_), None) => Use::Fetches,
        (None, None) => Use::None,
    }
}

/// Where the RUN at `index` downloads a vendor's script that fetches the lists, and runs it: `curl … | bash - && …`.
fn vendor_update(ctx: &Ctx<'_>, index: usize, script: &Script) -> Option<usize> {
    let manager = ctx.catalog.package_manager("apt-get")?;
    let scripts = || manager.updated_by.get().iter().map(|url| url.as_bytes());
    let source = ctx.dockerfile.source();
    script
        .invocations()
        .into_iter()
        .filter(|it| it.position.in_pipe && !it.position.conditional)
        .filter(|it| scripts().any(|url| it.arguments().iter().any(|a| mentions(&a.raw, url))))
        .map(|it| it.simple.span.end)
        .find(|end| {
            // Where the script fails, what follows must not install from lists that are gone.
            let rest = &source[*end..ctx.model.instruction(index).span.end];
            let piped = rest.iter().position(|byte| matches!(byte, b'&' | b';'));
            piped.is_some_and(|at| mentions(&rest[..at], b"bash") && rest[at..].starts_with(b"&&"))
        })
}

/// Where the first program other than apt stands that reads the lists.
pub(super) fn first_reader(ctx: &Ctx<'_>, script: &Script) -> Option<usize> {
    script
        .invocations()
        .iter()
        .filter(|it| {
            let readers = ctx.catalog.words(WordSet::ListReaders);
            readers.iter().any(|name| it.calls(name))
                || it.calls("rosdep") && it.has_argument("install")
        })
        .map(|it| it.simple.span.start)
        .min()
}

/// Whether the RUN at `index` deletes the lists after it last fetched them.
pub(super) fn deletes_lists(ctx: &Ctx<'_>, index: usize) -> bool {
    let Some(script) = ctx.model.script(index) else {
        return false;
    };
    let last = ctx
        .model
        .operations(index)
        .iter()
        .filter(|operation| {
            is_apt(operation) && matches!(operation.verb, Verb::Update | Verb::Install)
        })
        .map(|operation| operation.simple.span.start)
        .max()
        .unwrap_or(0);
    script.invocations().iter().any(|it| {
        it.simple.span.start > last
            && (it.calls("rm") || it.calls("find"))
            && it.arguments().iter().any(|word| names_lists(&word.raw))
    })
}

fn names_lists(word: &[u8]) -> bool {
    // `lists/*.gz` is what apt once kept there: today's lists have another ending, or none.
    if mentions(word, b"/var/lib/apt/lists/*.") {
        return false;
    }
    [
        b"/var/lib/apt/list".as_slice(),
        b"/var/lib/apt/*",
        b"/var/lib/{apt",
        b"/var/lib/apt/{",
    ]
    .iter()
    .any(|path| mentions(word, path))
        || word == b"/var/lib/apt"
        || word == b"/var/lib/apt/"
}

/// A command of the RUN at `index` that runs a program that is not seen, and which may install packages.
pub(super) fn unseen_installer(ctx: &Ctx<'_>, index: usize) -> Option<String> {
    let script = match ctx.model.script(index) {
        Some(script) => script,
        None if is_known_program(ctx, index) => return None,
        None => return Some("a command that cannot be read".to_owned()),
    };
    unseen_in(ctx, script, 0)
}

/// Whether the RUN at `index` is in exec form, and starts a program of the catalog that starts no other by itself.
fn is_known_program(ctx: &Ctx<'_>, index: usize) -> bool {
    let Some(Run::Exec(words)) = ctx.model.instruction(index).as_run() else {
        return false;
    };
    let Some(program) = words.first().map(|word| word.value.as_str()) else {
        return false;
    };
    let name = crate::model::path::file_name(program);
    let is_shell = ctx.catalog.has_word(WordSet::Shells, name);
    let known = ctx.catalog.command(name).is_some() || ctx.catalog.package_manager(name).is_some();
    known && !is_shell && !name.starts_with("apt")
}

/// What of the RUN at `index` behind the offset `from` of the file may change where apt fetches from.
pub(super) fn changes_sources_after(ctx: &Ctx<'_>, index: usize, from: usize) -> Option<String> {
    let end = ctx.model.instruction(index).span.end;
    marked(
        ctx.dockerfile
            .bytes(crate::text::Span::new(from.min(end), end)),
    )
    .or_else(|| {
        unseen_in(ctx, ctx.model.script(index)?, from).map(|what| format!("the RUN of {what}"))
    })
}

fn unseen_in(ctx: &Ctx<'_>, script: &Script, from: usize) -> Option<String> {
    script.invocations().into_iter().find_map(|it| {
        if it.simple.span.start < from {
            return None;
        }
        let name = match it.name() {
            Some(name) => String::from_utf8_lossy(name).into_owned(),
            None => return None,
        };
        let is_shell = ctx.catalog.has_word(WordSet::Shells, &name);
        let file = if is_shell {
            if it.inner().is_some() {
                return None;
            }
            // A script on standard input is a vendor's installer: those fetch lists themselves.
            if it.has_argument("-s") {
                return None;
            }
            let file = it
                .arguments()
                .iter()
                .find(|word| !word.raw.starts_with(b"-"))?;
            String::from_utf8_lossy(&file.raw).into_owned()
        } else {
            let program = it.simple.words.get(it.prefix().len())?;
            let path = String::from_utf8_lossy(&program.raw).into_owned();
            let in_system = ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"]
                .iter()
                .any(|folder| path.starts_with(folder));
            let known = ctx.catalog.command(&name).is_some()
                || ctx.catalog.package_manager(&name).is_some()
                || is_harmless(ctx, &name);
            if known || in_system || !path.ends_with(".sh") && !path.contains('/') {
                return None;
            }
            path
        };
        let name = crate::model::path::file_name(&file);
        if is_harmless(ctx, name) {
            return None;
        }
        if let Some(context) = ctx.context {
            let suffix = format!("/{name}");
            let mut found = context
                .visible()
                .filter(|(path, _)| *path == name || path.ends_with(&suffix))
                .map(|(path, _)| context.read(path))
                .peekable();
            if found.peek().is_some()
                && found.all(|text| text.is_some_and(|text| !mentions(&text, b"apt")))
            {
                return None;
            }
        }
        Some(format!("`{file}`"))
    })
}

/// What of the instruction at `index` may change where apt fetches from: it names it in the user's terms.
pub(super) fn changes_sources(ctx: &Ctx<'_>, index: usize) -> Option<String> {
    let instruction = ctx.model.instruction(index);
    let text = instruction.body.text();
    match instruction.keyword {
        Keyword::Run => {
            if let Some(told) = marked(text) {
                return Some(told);
            }
            unseen_installer(ctx, index).map(|what| format!("the RUN of {what}"))
        }
        Keyword::Copy | Keyword::Add => {
            let copy = instruction.as_copy()?;
            let to = image_paths::destination(ctx, index, &copy)?;
            ctx.catalog
                .words(WordSet::AptSources)
                .iter()
                .any(|path| is_under(path, &to) || is_under(&to, path))
                .then(|| format!("the {} to `{to}`", instruction.keyword.name()))
        }
        Keyword::Env | Keyword::Arg => instruction.pairs().iter().find_map(|pair| {
            let name = String::from_utf8_lossy(&pair.name.text).to_lowercase();
            (name.ends_with("_proxy") || name.starts_with("apt_"))
                .then(|| format!("the {} of `{name}`", instruction.keyword.name()))
        }),
        Keyword::User => Some(format!("the {}", instruction.keyword.name())),
        _ => None,
    }
}

/// What in the text of a RUN is a sign of other sources.
fn marked(text: &[u8]) -> Option<String> {
    const MARKS: &[&[u8]] = &[
        b"/etc/apt",
        b"sources.list",
        b"apt-key",
        b"add-apt-repository",
        b"apt-add-repository",
        b"--add-architecture",
        b"gpg",
        b"dpkg -i",
        b"| bash",
        b"| sh",
        b"| sudo",
    ];
    let mark = MARKS.iter().find(|mark| mentions(text, mark))?;
    Some(format!(
        "the RUN with `{}`",
        String::from_utf8_lossy(mark).trim_start_matches("| ")
    ))
}

/// Whether `text` holds `part`.
pub(super) fn mentions(text: &[u8], part: &[u8]) -> bool {
    contains(text, part)
}
