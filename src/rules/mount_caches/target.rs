//! Cargo's `target`: what was compiled stays with the builder, and the program is copied out in the same RUN.

use crate::model::PackageOperation;
use crate::model::path::{file_name, is_under, resolve};
use crate::rules::image_paths::{destination, origin};
use crate::rules::run_edit;
use crate::rules::run_join::{Body, Wrap};
use crate::stack::rust::{Rust, RustStack};
use crate::stack::{Details, Stack};
use crate::syntax::Keyword;
use crate::text::{Edit, Span};

use super::safety::{self, takes_from};
use super::{Tree, first_word};

/// A mount of `target`, and what it takes that it holds nothing that is needed later.
pub(super) struct Target {
    /// The number of the RUN.
    pub(super) at: usize,
    /// The flag.
    pub(super) mount: String,
    /// What runs before everything else in the RUN.
    pub(super) before: &'static str,
    /// Edits of the end of the RUN and of the COPYs that took the program from `target`.
    pub(super) edits: Vec<Edit>,
}

/// Cargo compares times, and a file of another checkout may be older than what was compiled from its neighbour: all
/// that was copied counts as new. Downloaded packages, by far the most, are told apart by their versions.
const RENEW: &str = "find . -path ./target -prune -o -type f -exec touch {} +";

/// Where the program goes, which every image has.
const OUT: &str = "/usr/local/bin";

impl Target {
    /// The mount for the only RUN of the tree that compiles with Cargo; none where it is not shown that only the
    /// program is taken from `target`, and how.
    pub(super) fn of(tree: &Tree<'_>) -> Option<Self> {
        let ctx = tree.ctx;
        let mut compiling = (0..tree.runs.len()).filter(|at| cargo(tree, *at).next().is_some());
        let (at, None) = (compiling.next()?, compiling.next()) else {
            return None;
        };
        let run = &tree.runs[at];
        let operations: Vec<_> = cargo(tree, at).collect();
        let [operation] = operations.as_slice() else {
            return None;
        };
        if !run.instruction.heredocs.is_empty()
            || !safety::home(ctx, run.index).ok()?.is_root()
            || !ctx.model.script(run.index)?.is_plain_and_chain()
        {
            return None;
        }
        let folder = ctx.model.state(run.index).config.workdir.clone()?;
        let target = resolve(&folder, "target");
        let stage = ctx.model.stage_of(run.index)?;
        let manifest = origin(ctx, stage, &resolve(&folder, "Cargo.toml"))?;
        let root = manifest.rsplit_once('/').map_or("", |(root, _)| root);
        let rust = project(tree, root)?;
        if !builds_here(tree, at, operation, &rust, root) {
            return None;
        }
        let joined = following_copy(tree, at);
        let taken = Taken::of(tree, &target, &rust, joined.as_ref().map(|(copy, _)| *copy))?;
        let mut edits: Vec<Edit> = Vec::new();
        let is_install = first_word(operation) == "install";
        if let Some(path) = &taken.program {
            if is_install {
                return None;
            }
            let below = path.strip_prefix(folder.trim_end_matches('/'))?;
            let copy = format!("cp {} {OUT}/", below.trim_start_matches('/'));
            edits.push(run_edit::append(ctx, run.index, &copy).ok()?);
            edits.extend(taken.edits);
        } else if let Some((_, edit)) = joined {
            edits.push(edit);
        } else if !is_install && !copies_out(tree, at) {
            return None;
        }
        let name = &rust.crates.first()?.name;
        let image = tree.image_name()?;
        Some(Self {
            at,
            mount: format!(
                "--mount=type=cache,id=target-{name}-{image},target={target},sharing=locked"
            ),
            before: RENEW,
            edits,
        })
    }
}

/// The calls of Cargo in a RUN that compile the project.
fn cargo<'t>(tree: &'t Tree<'_>, at: usize) -> impl Iterator<Item = &'t PackageOperation<'t>> {
    tree.runs[at].operations.iter().filter(|operation| {
        operation.manager.name == "cargo"
            && !matches!(
                &*first_word(operation),
                "" | "add" | "clean" | "fetch" | "fmt" | "init" | "login" | "new" | "version"
            )
    })
}

fn project(tree: &Tree<'_>, root: &str) -> Option<Rust> {
    let project = RustStack.detect(root, tree.ctx.context?, tree.ctx.catalog)?;
    match project.details {
        Details::Rust(rust) => Some(*rust),
        _ => None,
    }
}

/// Whether Cargo compiles the project in the working directory, all of it below that, into `target`.
fn builds_here(
    tree: &Tree<'_>,
    at: usize,
    operation: &PackageOperation<'_>,
    rust: &Rust,
    root: &str,
) -> bool {
    let ctx = tree.ctx;
    let run = &tree.runs[at];
    let words: Vec<String> = operation
        .simple
        .words
        .iter()
        .map(|word| String::from_utf8_lossy(&word.raw).into_owned())
        .collect();
    let is_local = match &*first_word(operation) {
        "build" => true,
        "install" => words
            .windows(2)
            .any(|pair| pair[0] == "--path" && matches!(pair[1].as_str(), "." | "./")),
        _ => false,
    };
    let moved = words.iter().any(|word| {
        ["--target-dir", "--manifest-path", "--root", "-C"]
            .iter()
            .any(|flag| word.starts_with(flag))
    });
    let by_variable = String::from_utf8_lossy(ctx.dockerfile.source()).contains("CARGO_TARGET_DIR");
    let is_inside = |folder: &str| root.is_empty() || is_under(folder, root);
    let all_inside = rust.crates.iter().all(|package| {
        is_inside(&package.folder) && package.path_dependencies.iter().all(|path| is_inside(path))
    });
    let changes_folder = ctx.model.script(run.index).is_none_or(|script| {
        script
            .invocations()
            .iter()
            .any(|invocation| matches!(invocation.name(), Some(b"cd" | b"pushd")))
    });
    is_local
        && !moved
        && !by_variable
        && all_inside
        && !changes_folder
        && rust.target_folder.is_none()
}

/// Whether a RUN copies what it compiled to somewhere outside of `target` itself.
fn copies_out(tree: &Tree<'_>, at: usize) -> bool {
    let script = tree.ctx.model.script(tree.runs[at].index);
    script.is_some_and(|script| {
        script.invocations().iter().any(|invocation| {
            let last = invocation.arguments().last();
            matches!(invocation.name(), Some(b"cp" | b"install"))
                && invocation
                    .arguments()
                    .iter()
                    .any(|word| String::from_utf8_lossy(&word.raw).contains("target/"))
                && last.is_some_and(|word| word.raw.starts_with(b"/"))
        })
    })
}

/// The RUN right behind the one at `at` that does nothing but copy the program out of `target`, and the edit that makes
/// one RUN of the two: another one would not see what lies in the mount.
fn following_copy(tree: &Tree<'_>, at: usize) -> Option<(usize, Edit)> {
    let ctx = tree.ctx;
    let (build, copy) = (&tree.runs[at], tree.runs.get(at + 1)?);
    let script = ctx.model.script(copy.index)?;
    let [invocation] = script.invocations()[..] else {
        return None;
    };
    let start = invocation.command.span.start;
    let (_, last) = ctx.model.script(build.index)?.chain().pop()?;
    let between = Span::new(build.instruction.span.end, copy.instruction.span.start);
    let joins = |wrap: Result<Wrap, String>| wrap == Ok(Wrap::None);
    let fits = copy.index == build.index + 1
        && copies_out(tree, at + 1)
        && copy.instruction.flags.is_empty()
        && ctx.dockerfile.bytes(between).trim_ascii().is_empty()
        && joins(Body::of(ctx.model, build.index).ok()?.before_and())
        && joins(Body::of(ctx.model, copy.index).ok()?.after_and());
    let joint = format!(
        " && {}{}    ",
        char::from(ctx.dockerfile.escape()),
        ctx.dockerfile.line_ending()
    );
    let gap = Span::new(last.span.end, start);
    fits.then(|| (copy.index, Edit::replace(gap, joint)))
}

/// What other instructions take from `target`.
struct Taken {
    /// The program, by its path; none where nothing is taken.
    program: Option<String>,
    /// Its COPYs take it from where it goes.
    edits: Vec<Edit>,
}

impl Taken {
    /// None where anything but one program is taken, or may be; the RUN `joined` takes it in the RUN that compiles.
    fn of(tree: &Tree<'_>, target: &str, rust: &Rust, joined: Option<usize>) -> Option<Self> {
        let ctx = tree.ctx;
        let mut taken = Self {
            program: None,
            edits: Vec::new(),
        };
        for run in &tree.runs {
            let is_compiling = run.operations.iter().any(|it| it.manager.name == "cargo");
            let text = String::from_utf8_lossy(ctx.dockerfile.bytes(run.instruction.span));
            if !is_compiling && Some(run.index) != joined && text.contains("target") {
                return None;
            }
        }
        let instructions = ctx.dockerfile.instructions();
        for (index, instruction) in instructions.iter().enumerate() {
            let from_tree = |from: &str| takes_from(tree, index, from);
            if instruction.keyword == Keyword::Run
                && instruction.mounts().iter().any(|mount| {
                    mount.options.iter().any(|(key, value)| {
                        key == "from" && value.as_deref().is_some_and(from_tree)
                    })
                })
            {
                return None;
            }
            let Some(copy) = instruction.as_copy() else {
                continue;
            };
            let state = ctx.model.state(index);
            let escape = ctx.dockerfile.escape();
            let Some(from) = copy.from else {
                let to = destination(ctx, index, &copy)?;
                if is_under(&to, target) {
                    return None;
                }
                continue;
            };
            if !from_tree(&state.expand(from, escape)) {
                continue;
            }
            for source in &copy.sources {
                let path = resolve("/", &state.expand(source.text, escape));
                if is_under(target, &path) {
                    return None;
                }
                if !is_under(&path, target) {
                    continue;
                }
                let name = file_name(&path);
                let is_program = rust.binaries().any(|(binary, _)| binary == name);
                let is_other = taken.program.as_ref().is_some_and(|known| *known != path);
                if !is_program || is_other || copy.json {
                    return None;
                }
                taken
                    .edits
                    .push(Edit::replace(source.span, format!("{OUT}/{name}")));
                taken.program = Some(path);
            }
        }
        Some(taken)
    }
}
