//! How the images of one Dockerfile are built and tried: arguments, configuration and Compose file put together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::args::BuildArgs;
use super::super::session::Case;
use super::compose::{self, Composed};
use super::settings::{Probe as ProbeSetting, Verify};
use crate::build::verify::{Edit, Probe, Service, Subject, Trial};
use crate::build::{BuildError, Kind, Method, Query, Request, Scratch, Start};
use crate::context::{Context, Entry};
use crate::pipeline::Plan;

/// Seconds until the first answer.
const WAIT: u64 = 30;
/// Larger contexts are not copied for a second build.
const MOST_FILES: usize = 20_000;
/// In bytes.
const LARGEST_CONTEXT: u64 = 500_000_000;
/// Sources in which an edit is a comment.
const SOURCES: [&str; 24] = [
    "py", "js", "mjs", "cjs", "ts", "tsx", "jsx", "go", "rs", "java", "kt", "scala", "rb", "php",
    "c", "cc", "cpp", "h", "cs", "ex", "hs", "html", "css", "vue",
];

/// Both images of a Dockerfile.
pub(super) struct Project {
    request: Request,
    trial: Option<Trial>,
    measure: bool,
    /// The copy of the context and the file that is edited in it.
    edit: Option<(PathBuf, PathBuf)>,
    /// What the context's ignore file says, when it is not told by `plan`.
    ignore: Option<Vec<u8>>,
    scratch: Scratch,
    /// What is left out, and why.
    pub(super) notes: Vec<String>,
}

impl Project {
    /// Puts together how `case` is built. The copy of its context is made here.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(super) fn new(
        case: &Case<'_>,
        args: &BuildArgs,
        target: Option<&str>,
        kind: Kind,
    ) -> Result<Self, BuildError> {
        let job = case.job;
        let defaults = Verify::default();
        let settings = case.config.map_or(&defaults, |config| config.verify());
        let scratch = Scratch::new()?;
        let composed = compose::of(&job.path).unwrap_or_default();
        let mut notes = composed.notes.clone();
        let named = settings
            .build_args
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let request = Request {
            context: job.context_folder().to_path_buf(),
            dockerfile: job.path.clone(),
            ignore: None,
            target: target
                .map(str::to_owned)
                .or_else(|| job.usage.targets.first().cloned()),
            platform: args.platform.clone(),
            network: args.network.clone().or_else(|| settings.network.clone()),
            build_args: named.chain(args.build_arg.iter().cloned()).collect(),
            secrets: args.secret.clone(),
            ssh: args.ssh.clone(),
            limit: Duration::from_secs(args.timeout),
        };
        let edit = match (args.no_rebuild, case.context) {
            (true, _) | (_, None) => None,
            (false, Some(context)) => copied(context, settings, &request, &scratch, &mut notes)?,
        };
        let trial = match args.no_run || kind == Kind::Buildah {
            true => None,
            false => Some(trial(args, settings, composed)),
        };
        Ok(Self {
            request,
            trial,
            measure: !args.no_compressed,
            edit,
            ignore: case
                .context
                .and_then(|context| context.ignore().source())
                .map(<[u8]>::to_vec),
            scratch,
            notes,
        })
    }

    /// The image as the Dockerfile is.
    pub(super) fn original(&self) -> Subject {
        self.subject(self.request.clone())
    }

    /// The image as `plan` leaves it: Dockerfile and ignore file stand beside the user's tree.
    pub(super) fn rewrite(&self, plan: &Plan) -> Result<Subject, BuildError> {
        let ignore = plan.ignore_file.as_ref().map(|file| file.after.as_slice());
        self.text(&plan.result, ignore)
    }

    /// The image of the Dockerfile `text`, with the context's own ignore file unless another one is given.
    pub(super) fn text(&self, text: &[u8], ignore: Option<&[u8]>) -> Result<Subject, BuildError> {
        let ignore = ignore.or(self.ignore.as_deref());
        let dockerfile = self
            .scratch
            .dockerfile("rewritten.Dockerfile", text, ignore)?;
        let beside = dockerfile.with_file_name("rewritten.Dockerfile.dockerignore");
        Ok(self.subject(Request {
            dockerfile,
            ignore: ignore.map(|_| beside),
            ..self.request.clone()
        }))
    }

    fn subject(&self, request: Request) -> Subject {
        let edit = self.edit.as_ref().map(|(context, file)| Edit {
            request: Request {
                context: context.clone(),
                ..request.clone()
            },
            file: file.clone(),
        });
        Subject {
            request,
            trial: self.trial.clone(),
            measure: self.measure,
            edit,
        }
    }

    /// As [`Project::rewrite`], for a plan of which only the verdict is wanted.
    pub(super) fn quick(&self, plan: &Plan) -> Result<Subject, BuildError> {
        Ok(Subject {
            measure: false,
            edit: None,
            ..self.rewrite(plan)?
        })
    }
}

/// A copy of the context, and the source in it that is edited.
fn copied(
    context: &Context,
    settings: &Verify,
    request: &Request,
    scratch: &Scratch,
    notes: &mut Vec<String>,
) -> Result<Option<(PathBuf, PathBuf)>, BuildError> {
    let whole = context.without_ignore().size_visible();
    if whole.0 > MOST_FILES || whole.1 > LARGEST_CONTEXT || context.truncated() {
        notes.push(format!(
            "not built again after an edit: the context has {} files",
            whole.0
        ));
        return Ok(None);
    }
    let Some(file) = settings
        .edit
        .clone()
        .or_else(|| source(context, &request.dockerfile))
    else {
        notes.push(
            "not built again after an edit: no source file is known; name one as `verify.edit`"
                .to_owned(),
        );
        return Ok(None);
    };
    let copy = scratch.copy(&request.context, "context")?;
    Ok(Some((copy, PathBuf::from(file))))
}

/// A source that a developer edits: near the root, with a name that programs start with.
fn source(context: &Context, dockerfile: &Path) -> Option<String> {
    let rank = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split('.').next().unwrap_or(name);
        let starts = ["main", "app", "index", "server"].contains(&stem);
        (!starts, path.matches('/').count(), path.to_owned())
    };
    let files = context.visible().filter(|(path, entry)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let apart = [
            "test",
            "spec",
            "node_modules",
            "vendor",
            "config",
            "setup",
            "conf.",
            "example",
        ];
        matches!(entry, Entry::File { size, .. } if *size > 0)
            && SOURCES.contains(&extension)
            && !path.starts_with('.')
            && !apart.iter().any(|part| path.contains(part))
            && dockerfile
                .file_name()
                .is_none_or(|dockerfile| dockerfile != name)
    });
    files
        .map(|(path, _)| path)
        .min_by_key(|path| rank(path))
        .map(str::to_owned)
}

fn trial(args: &BuildArgs, settings: &Verify, composed: Composed) -> Trial {
    let mut env = composed.env;
    env.extend(
        settings
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    env.extend(args.env.iter().cloned());
    let mut volumes = composed.volumes;
    volumes.extend(settings.volumes.iter().cloned());
    let mut services = composed.services;
    for (name, service) in &settings.services {
        services.retain(|known| known.name != *name);
        services.push(Service {
            name: name.clone(),
            image: service.image.clone(),
            env: service
                .env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            args: service.command.clone(),
        });
    }
    let mut probes: Vec<Probe> = args
        .probe
        .iter()
        .map(|path| Probe::get(&absolute(path)))
        .collect();
    if probes.is_empty() {
        probes = settings.probe.0.iter().map(probe).collect();
    }
    if probes.is_empty() {
        probes.push(Probe::get("/"));
    }
    let command = match settings.command.is_empty() {
        true => composed.command,
        false => settings.command.clone(),
    };
    Trial {
        start: Start {
            env,
            volumes,
            args: command,
            platform: args.platform.clone(),
            ..Start::default()
        },
        probes,
        services,
        wait: Duration::from_secs(args.wait.or(settings.wait).unwrap_or(WAIT)),
    }
}

fn probe(setting: &ProbeSetting) -> Probe {
    if let Some(port) = setting.tcp {
        return Probe::Tcp { port };
    }
    if let Some(words) = &setting.command {
        return Probe::Command {
            words: words.0.clone(),
            output: setting.output.clone(),
        };
    }
    Probe::Http {
        port: setting.port,
        query: Query {
            method: Method::Get,
            path: absolute(setting.path.as_deref().unwrap_or("/")),
            json: None,
        },
    }
}

fn absolute(path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_that_is_edited() {
        let of = |files: &[&str]| {
            let context = Context::in_memory(files.iter().map(|path| (*path, "x")));
            source(&context, Path::new("Dockerfile"))
        };
        assert_eq!(
            of(&["a.py", "src/main.py", "tests/main.py"]).as_deref(),
            Some("src/main.py")
        );
        assert_eq!(
            of(&["lib/b.rb", "c.rb", "README.md"]).as_deref(),
            Some("c.rb")
        );
        assert_eq!(of(&["package.json", "jest.config.js"]), None);
    }
}
