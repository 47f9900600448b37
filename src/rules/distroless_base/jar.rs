//! A jar on the JRE of distroless, where the stage does nothing but hold and start it.

use crate::catalog::{ImageFacts, WordSet};
use crate::model::{CommandForm, CommandLine, Setting, Stage};
use crate::rules::bases::{Why, distroless, replace_base, runs, saved};
use crate::rules::{Change, Ctx, Rewrite};
use crate::stack::{Bounds, Uses, java};
use crate::syntax::{Arguments, Copy, Keyword};
use crate::text::{Edit, Span};

use super::{holds_only_files, is_unprivileged, starts_nothing, unseen};

/// Major versions of Java of which there are distroless images.
const VERSIONS: &[u32] = &[17, 21, 25];

/// Whether the image is one of Temurin's with the C library of distroless.
pub(super) fn is_candidate(facts: &ImageFacts) -> bool {
    facts.family.name.get() == "eclipse-temurin" && facts.distribution() == Some("ubuntu")
}

/// The rewrite of a stage that starts `java -jar`; none where it starts something else.
pub(super) fn rewrite(
    ctx: &Ctx<'_>,
    stage: &Stage,
    facts: &ImageFacts,
    old: &str,
) -> Option<Result<Rewrite, Why>> {
    let copies_jar = ctx.model.of_kind(stage, Keyword::Copy).any(|index| {
        let copy = ctx.model.instruction(index).as_copy();
        copy.is_some_and(|copy| copy.from.is_some())
    });
    let start = Start::of(stage)?;
    copies_jar.then(|| start.rewrite(ctx, stage, facts, old))
}

/// `java … -jar …` in exec form.
struct Start<'a> {
    line: &'a CommandLine,
    words: &'a [String],
    /// Whether CMD names the program, and not ENTRYPOINT.
    from_cmd: bool,
}

impl<'a> Start<'a> {
    fn of(stage: &'a Stage) -> Option<Self> {
        let config = &stage.end.config;
        let (line, from_cmd) = match (&config.entrypoint, config.cmd.set()) {
            (Setting::Set(line), _) => (&**line, false),
            (Setting::Inherited, Some(line)) => (line, true),
            _ => return None,
        };
        let words = match &line.form {
            CommandForm::Exec(words) => words.as_slice(),
            // `sh -c "java $JAVA_OPTS …"` is refused by name.
            CommandForm::Shell { text, .. } => {
                let first = text.split_whitespace().find(|word| *word != "exec")?;
                return (first == "java").then_some(Self {
                    line,
                    words: &[],
                    from_cmd,
                });
            }
        };
        let is_java = words.first()? == "java" && words.iter().any(|word| word == "-jar");
        let is_shell = matches!(
            words.first()?.as_str(),
            "sh" | "bash" | "/bin/sh" | "/bin/bash"
        ) && words.iter().any(|word| word.contains("java "));
        if is_shell {
            return Some(Self {
                line,
                words: &[],
                from_cmd,
            });
        }
        is_java.then_some(Self {
            line,
            words,
            from_cmd,
        })
    }

    fn rewrite(
        &self,
        ctx: &Ctx<'_>,
        stage: &Stage,
        facts: &ImageFacts,
        old: &str,
    ) -> Result<Rewrite, Why> {
        if self.words.is_empty() {
            return Err(Why::new(
                "a shell starts Java, and distroless images have none",
                "set JAVA_TOOL_OPTIONS in place of a variable in the command",
            ));
        }
        let version = facts.version.split(['.', '_', '+']).next();
        let version = version.and_then(|major| major.parse().ok());
        let Some(version) = version.filter(|major| VERSIONS.contains(major)) else {
            return Err(Why::new(
                "there is no distroless image with this version of Java",
                "",
            ));
        };
        if let Some(index) = holds_only_files(ctx, stage, works_with_the_base)?.first() {
            return Err(Why::new(
                format!("line {} runs something in it", runs::line(ctx, *index)),
                "",
            ));
        }
        names_no_old_place(ctx, stage)?;
        let uses = needs_nothing_more(ctx)?;
        let unprivileged = is_unprivileged(ctx, stage, &uses);
        let reference = distroless(ctx, &format!("java{version}"), unprivileged)?;
        let mut edits = replace_base(ctx, stage, &reference)?;
        let config = &stage.end.config;
        let mut changes = Vec::new();
        if self.from_cmd {
            edits.push(self.command(ctx)?);
            changes.extend([Change::Entrypoint, Change::Cmd]);
        }
        if config.user.is_none() {
            changes.push(Change::User);
        }
        if config.workdir.as_deref().is_none_or(|folder| folder == "/") {
            changes.push(Change::Workdir);
        }
        Ok(Rewrite {
            anchor: stage.from,
            edits,
            reason: format!("the stage only starts one jar: {reference} has the JRE that it needs"),
            saves: saved(ctx, old, &reference),
            changes,
            ..Rewrite::default()
        })
    }

    /// CMD in terms of the entry point of the image, which is `java -jar`; with flags of the JVM it becomes the entry
    /// point itself.
    fn command(&self, ctx: &Ctx<'_>) -> Result<Edit, Why> {
        let instruction = ctx.model.instruction(self.line.instruction);
        if self.words.get(1).is_some_and(|word| word != "-jar") {
            return Ok(Edit::replace(instruction.keyword_span, "ENTRYPOINT"));
        }
        match &instruction.arguments {
            Arguments::Json(words) if words.len() > 2 => Ok(Edit::delete(Span::new(
                words[0].span.start,
                words[2].span.start,
            ))),
            _ => Err(Why::new("its CMD names no jar", "")),
        }
    }
}

/// Whether a COPY brings what works together with the base: scripts, certificates, libraries of the system, files of
/// an account by its name.
fn works_with_the_base(text: &str, copy: &Copy<'_>) -> bool {
    let owner = text.split("--chown=").nth(1).unwrap_or_default();
    let owner = owner.split_whitespace().next().unwrap_or_default();
    let is_numeric = owner
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':');
    let destination = String::from_utf8_lossy(copy.destination.text);
    let places = ["/etc", "/lib", "/usr/lib", "/usr/local/lib", "/opt/java"];
    !is_numeric
        || places.iter().any(|place| destination.starts_with(place))
        || copy
            .sources
            .iter()
            .any(|source| source.text.ends_with(b".sh"))
}

fn names_no_old_place(ctx: &Ctx<'_>, stage: &Stage) -> Result<(), Why> {
    let told = |place: &str, who: String| {
        Err(Why::new(
            format!("{who} speaks of {place}, which distroless images have elsewhere or lack"),
            "",
        ))
    };
    for index in stage.body.clone() {
        let instruction = ctx.model.instruction(index);
        let text = String::from_utf8_lossy(ctx.dockerfile.bytes(instruction.span));
        if let Some(place) = ctx.catalog.word_in(WordSet::TemurinPlaces, &text) {
            return told(place, format!("line {}", instruction.lines.0));
        }
    }
    if stage.end.config.env.get("PATH").is_some() {
        return told("PATH", "ENV".to_owned());
    }
    Ok(())
}

/// Refuses sources that start programs, draw, or use the JDK; gives what they use.
fn needs_nothing_more(ctx: &Ctx<'_>) -> Result<Uses, Why> {
    let context = ctx
        .context
        .filter(|context| !context.truncated())
        .ok_or_else(unseen)?;
    let everything = context.without_ignore();
    let is_source = |path: &str| path.ends_with(".java") || path.ends_with(".kt");
    if !everything.all().any(|(path, _)| is_source(path)) {
        return Err(unseen());
    }
    let sources = java::scan("", "", &everything, Bounds::default());
    if let Some(needs) = sources.needs_jdk.first() {
        return Err(Why::new(
            format!("{} uses {}", needs.source, needs.fact),
            "",
        ));
    }
    starts_nothing(&sources.uses)?;
    for (path, _) in everything.all() {
        let is_manifest = ctx.catalog.ends_with_word(WordSet::JavaManifests, path);
        let parts = match (is_manifest, is_source(path)) {
            (true, _) => WordSet::JavaPartsWithNeeds,
            (_, true) => WordSet::JavaDrawing,
            _ => continue,
        };
        let text = everything.read_str(path).ok_or_else(unseen)?;
        if let Some(name) = ctx.catalog.word_in(parts, &text) {
            return Err(Why::new(
                format!("{path} names {name}, which may need more than distroless images have"),
                "",
            ));
        }
    }
    Ok(sources.uses)
}
