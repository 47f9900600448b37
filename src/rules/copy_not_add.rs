use crate::catalog::WordSet;
use crate::context::Entry;
use crate::model::path::file_name;
use crate::rules::declare::declare_rule;
use crate::rules::modern_syntax::cased_as;
use crate::rules::{Ctx, Proposal, Refusal, Rewrite, Rule, RuleMeta};
use crate::syntax::{CopySource, Instruction, Keyword};
use crate::text::Edit;

declare_rule! {
    /// Copies local files with COPY: ADD is for URLs and for archives that it unpacks.
    ///
    /// ## Why
    /// ADD unpacks whatever looks like an archive inside, whatever its name is. COPY copies, and says so.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM python:3.12-slim
    /// ADD requirements.txt /app/
    /// ADD https://example.org/model.bin /app/
    /// ADD rootfs.tar.gz /
    /// ADD --chown=1000 . /app
    /// ```
    /// becomes
    /// ```dockerfile
    /// FROM python:3.12-slim
    /// COPY requirements.txt /app/
    /// ADD https://example.org/model.bin /app/
    /// ADD rootfs.tar.gz /
    /// COPY --chown=1000 . /app
    /// ```
    /// With the build context at hand the first bytes of each file decide, not its name.
    ///
    /// ## When not
    /// The file is not in the build context, or without one its name does not tell; a pattern or a variable stands in its
    /// place; it comes from a URL or a git repository, or `--checksum`, `--keep-git-dir` or `--unpack` is given.
    pub(crate) CopyNotAdd { name: "copy-not-add", level: Safe, hadolint: ["DL3020"] }
}

impl Rule for CopyNotAdd {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn propose(&self, ctx: &Ctx<'_>) -> Vec<Proposal> {
        let instructions = ctx.dockerfile.instructions().iter().enumerate();
        instructions
            .filter(|(_, instruction)| instruction.keyword == Keyword::Add)
            .filter_map(|(index, instruction)| proposal(ctx, index, instruction))
            .collect()
    }
}

/// What ADD does with a source that COPY would not.
enum Verdict {
    /// Nothing.
    Copies,
    /// Something, and that is why it is there.
    NeedsAdd,
    /// It cannot be told, and why.
    Unknown(String),
}

fn proposal(ctx: &Ctx<'_>, index: usize, instruction: &Instruction) -> Option<Proposal> {
    let copy = instruction.as_copy()?;
    let known_flags = ["chown", "chmod", "link", "exclude"];
    if instruction
        .flags
        .iter()
        .any(|flag| !known_flags.contains(&flag.name.as_str()))
    {
        return None;
    }
    for source in &copy.sources {
        match verdict(ctx, source) {
            Verdict::Copies => {}
            Verdict::NeedsAdd => return None,
            Verdict::Unknown(reason) => {
                return Some(Proposal::Refusal(Refusal {
                    anchor: index,
                    reason: format!("ADD stays: {reason}"),
                    remedy: "write COPY if nothing is to be unpacked".to_owned(),
                }));
            }
        }
    }
    let keyword = ctx.dockerfile.bytes(instruction.keyword_span);
    Some(Proposal::Rewrite(Rewrite {
        anchor: index,
        edits: vec![Edit::replace(
            instruction.keyword_span,
            cased_as(keyword, "copy"),
        )],
        reason: "COPY copies; ADD is for URLs and for archives that are to be unpacked".to_owned(),
        ..Rewrite::default()
    }))
}

fn verdict(ctx: &Ctx<'_>, source: &CopySource<'_>) -> Verdict {
    if source.heredoc.is_some() {
        return Verdict::NeedsAdd;
    }
    let Ok(path) = std::str::from_utf8(source.text) else {
        return Verdict::Unknown("a name is no UTF-8".to_owned());
    };
    // `https://…`, `git@host:…`; a colon in a file's name is rare enough to leave alone.
    if path.contains(':') {
        return Verdict::NeedsAdd;
    }
    if path.contains('$') {
        return Verdict::Unknown(format!("`{path}` depends on a variable"));
    }
    let bare = path.trim_matches(['"', '\'']);
    let is_glob = bare.contains(['*', '?', '[']);
    match ctx.context {
        Some(context) if !is_glob => match context.sources(bare).as_slice() {
            [found] => match context.entry(found) {
                None | Some(Entry::Folder { .. }) => Verdict::Copies,
                Some(Entry::Link(_)) => {
                    Verdict::Unknown(format!("`{bare}` is a link, which may lead to an archive"))
                }
                Some(Entry::File { .. }) => match context.magic(found) {
                    Some(magic) if magic.may_be_unpacked() => Verdict::NeedsAdd,
                    Some(_) => Verdict::Copies,
                    None => Verdict::Unknown(format!("`{bare}` cannot be read")),
                },
            },
            _ => Verdict::Unknown(format!("`{bare}` is not in the build context")),
        },
        _ => by_name(ctx, bare),
    }
}

/// Without the file, its name must do.
fn by_name(ctx: &Ctx<'_>, path: &str) -> Verdict {
    let name = file_name(path);
    let is_folder = path.ends_with('/') || matches!(name, "" | "." | "..");
    if is_folder || ctx.catalog.is_plain_file(name) {
        Verdict::Copies
    } else if ctx
        .catalog
        .ends_with_word(WordSet::ArchiveEndings, &name.to_ascii_lowercase())
    {
        Verdict::NeedsAdd
    } else if name.contains(['*', '?', '[']) {
        Verdict::Unknown(format!(
            "`{path}` may name an archive, which ADD would unpack"
        ))
    } else {
        Verdict::Unknown(format!(
            "`{path}` may be an archive, which ADD would unpack"
        ))
    }
}
