//! Node: what was built, and the packages that it needs, on the slim image of the same version.

mod again;
mod copies;
mod layout;
mod needs;
mod prune;
mod start;

use super::runtime::Values;
use super::{Anatomy, Runtime, Splitter, Why, static_site};
use crate::catalog::{ImageFacts, ImageRef, Variant};
use crate::context::Context;
use crate::model::Base;
use crate::model::path::{is_under, resolve};
use crate::rules::bases::{self, Kind, Needs};
use crate::rules::image_paths::{final_working_directory, origin};
use crate::stack::node::{self, LaunchKind, Manager, Node, Reach};
use crate::stack::usage::Budget;
use crate::template::Template;
pub(super) use copies::{Taken, copy};
pub(super) use layout::Layout;
use start::Start;

/// Splits stages that start from the official Node image.
pub(super) struct NodeSplitter;

/// An application of Node in a stage.
pub(super) struct App<'a> {
    pub(super) anatomy: &'a Anatomy<'a>,
    pub(super) context: &'a Context,
    pub(super) facts: &'a ImageFacts,
    pub(super) node: Node,
    /// The folder of the image that holds `package.json`, absolute.
    pub(super) folder: String,
    /// The folder in which the container starts, absolute.
    pub(super) working: String,
    pub(super) start: Start,
    pub(super) reach: Reach,
}

impl Splitter for NodeSplitter {
    fn plan(&self, anatomy: &Anatomy<'_>) -> Option<Result<Runtime, Why>> {
        let Base::Image {
            facts: Some(facts), ..
        } = &anatomy.stage.base
        else {
            return None;
        };
        if facts.family.name.get() != "node" || facts.variant == Variant::Windows {
            return None;
        }
        let context = anatomy.ctx.context?;
        let working = final_working_directory(anatomy.ctx, anatomy.stage)?.to_owned();
        let words = start::words(anatomy)?;
        let (folder, manifest) = project_folder(anatomy, &working, &words)?;
        let root = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
        let node = node::project(root, context, anatomy.ctx.catalog)?;
        if node.manager == Manager::Bun {
            return None;
        }
        let start = match Start::of(anatomy, context, &node, &working) {
            Ok(start) => start?,
            Err(why) => return Some(Err(why)),
        };
        let reach = match start.whole {
            true => Reach {
                usage: node.usage(context, Budget::default()),
                from_entry: false,
            },
            false => node.reach(context, &start.launch, Budget::default()),
        };
        let app = App {
            anatomy,
            context,
            facts,
            node,
            folder,
            working,
            start,
            reach,
        };
        app.plan().transpose()
    }
}

/// The folder of the image with the `package.json` that counts for the start, and that file's path in the context.
fn project_folder(
    anatomy: &Anatomy<'_>,
    working: &str,
    words: &[String],
) -> Option<(String, String)> {
    let from_words = words
        .iter()
        .filter(|word| word.starts_with('/'))
        .flat_map(|word| {
            let mut folders = Vec::new();
            let mut folder = word.as_str();
            while let Some((parent, _)) = folder.rsplit_once('/') {
                folders.push(if parent.is_empty() { "/" } else { parent }.to_owned());
                folder = parent;
            }
            folders
        });
    std::iter::once(working.to_owned())
        .chain(from_words)
        .find_map(|folder| {
            let path = resolve(&folder, "package.json");
            Some((folder, origin(anatomy.ctx, anatomy.stage, &path)?))
        })
}

impl App<'_> {
    /// The stage that ships; none when one stage is the better answer.
    fn plan(&self) -> Result<Option<Runtime>, Why> {
        let layout = Layout::of(self)?;
        if !layout.builds && !self.installs_run_code() && !layout.drops_packages {
            return Ok(None);
        }
        if self.node.is_plug_and_play() {
            return Err(self.why(
                "Yarn's Plug'n'Play keeps the packages outside node_modules",
                "set `nodeLinker: node-modules`",
            ));
        }
        self.volumes_are_elsewhere(&layout)?;
        let prune = prune::command(self, &layout);
        let is_small = self.facts.variant != Variant::Full;
        if is_small && prune.is_none() && !layout.drops_packages && !layout.builds {
            return Ok(None);
        }
        let base = self.base(&layout)?;
        let copies = match &self.start.launch.kind {
            LaunchKind::Static { folder, .. } => {
                static_site::copies(self, &layout, folder, prune.is_some())
            }
            _ => None,
        };
        let (copies, uses_packages) = match copies {
            Some(found) => found,
            None => copies::copies(self, &layout)?,
        };
        if is_small && !uses_packages.narrow && prune.is_none() && !layout.drops_packages {
            return Ok(None);
        }
        let mut runtime = Runtime {
            values: Values {
                base: base.reference,
                packages: base.packages,
                copies,
                again: layout.again.clone(),
                ..Values::default()
            },
            replayed: layout.replayed.clone(),
            moved: layout.moved.clone(),
            reason: match self.start.whole {
                true => {
                    "installed in one stage, shipped from another without compilers: sources and packages of \
                     development stay, as what starts may use them"
                }
                false => "built in one stage, shipped from another without what only the build needs",
            }
            .to_owned(),
            saves: base.saves,
            ..Runtime::new(Template::StageNode)
        };
        if layout.owns_folder
            && let Some(owner) = &layout.owner
        {
            runtime.values.owner = Some(owner.clone());
            runtime.values.root.clone_from(&layout.root);
        }
        if uses_packages.packages
            && let Some(command) = prune
        {
            prune::place(self, &layout, command, &mut runtime);
        }
        Ok(Some(runtime))
    }

    /// Whether a package or the project itself runs something when it is installed, as far as that is not ruled out.
    fn installs_run_code(&self) -> bool {
        use crate::catalog::{Ecosystem, Nature};
        if !self.node.install_scripts.is_empty() {
            return true;
        }
        let Some(lock) = self.node.lock(self.context) else {
            return !self.node.manifest.installed().is_empty();
        };
        if lock.has_install_scripts() == Some(false) {
            return false;
        }
        lock.packages.iter().any(|package| {
            package.has_install_script != Some(false)
                && !self
                    .anatomy
                    .ctx
                    .catalog
                    .native(Ecosystem::Node, &package.name)
                    .is_some_and(|native| {
                        matches!(
                            native.nature,
                            Nature::Pure | Nature::HarmlessScript | Nature::OptionalBinary
                        ) && native.refuse.get().is_empty()
                    })
        })
    }

    fn volumes_are_elsewhere(&self, layout: &Layout) -> Result<(), Why> {
        for volume in self.anatomy.stage.end.config.volumes.keys() {
            let path = resolve(&self.working, volume);
            let covers = layout.roots().any(|root| is_under(root, &path))
                || is_under(&path, &resolve(&self.folder, "node_modules"));
            if covers {
                return Err(self.why(
                    format!("VOLUME {volume} lies over what would be copied"),
                    "put only data into volumes",
                ));
            }
        }
        Ok(())
    }

    /// The base of the stage that ships, with the packages it needs.
    fn base(&self, layout: &Layout) -> Result<RuntimeBase, Why> {
        let anatomy = self.anatomy;
        let from = anatomy.ctx.model.instruction(anatomy.stage.from);
        let Some(view) = from.as_from() else {
            return Err(self.why("FROM cannot be read", ""));
        };
        let packages = needs::packages(self, layout)?;
        let choice = bases::runtime_base(
            anatomy.ctx,
            anatomy.stage,
            &Needs {
                kind: Kind::Interpreter,
                shell: true,
                packages,
                unprivileged: false,
            },
        )
        .map_err(|why| self.why(why.reason, why.remedy))?;
        let written = String::from_utf8_lossy(&view.image.text).into_owned();
        let Base::Image { reference, .. } = &anatomy.stage.base else {
            return Err(self.why("its base is not known", ""));
        };
        let mut image = choice.reference.clone();
        if written.contains('$') {
            // `node:${VERSION}` → `node:${VERSION}-slim`, where that is what the slim tag is.
            image = match choice.reference.strip_prefix(reference.as_str()) {
                Some(suffix) if suffix.is_empty() || written.ends_with('}') => {
                    format!("{written}{suffix}")
                }
                _ => {
                    return Err(self.why(
                        "the tag in FROM is put together from variables",
                        "name the image, or end it with one `${VARIABLE}`",
                    ));
                }
            };
        }
        if let Some(platform) = view.platform {
            image = format!("--platform={} {image}", String::from_utf8_lossy(platform));
        }
        Ok(RuntimeBase {
            saves: bases::saved(anatomy.ctx, reference, &choice.reference),
            reference: image,
            packages: choice.install,
        })
    }

    /// What is known of the image that ships before anything is put into it.
    fn small(&self) -> Option<ImageFacts> {
        let Base::Image { reference, .. } = &self.anatomy.stage.base else {
            return None;
        };
        let slim = self.anatomy.ctx.catalog.slim_tag(self.facts)?;
        let reference = ImageRef::parse(reference).with_tag(&slim.tag);
        self.anatomy.ctx.catalog.image(&ImageRef::parse(&reference))
    }

    fn why(&self, reason: impl Into<String>, remedy: impl Into<String>) -> Why {
        Why::new(self.anatomy.stage.from, reason, remedy)
    }
}

/// What the second FROM names, and what is installed there.
struct RuntimeBase {
    reference: String,
    packages: Vec<String>,
    saves: crate::rules::Estimate,
}
