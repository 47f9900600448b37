//! Which folders a build script writes.

use super::Node;
use super::framework::FrameworkKind;
use super::manifest::Manifest;
use super::typescript::TypeScript;
use crate::context::Context;
use crate::stack::commands::split_list;
use crate::stack::paths;

impl Node {
    /// The folders and files, paths in the context, that the script `name` writes outside `node_modules`; none when
    /// a command in it is not known. `pre` and `post` scripts count.
    #[must_use]
    pub fn outputs_of(&self, context: &Context, name: &str) -> Option<Vec<String>> {
        let mut outputs = Vec::new();
        self.script_outputs(context, &self.manifest, name, &mut outputs, 6)?;
        outputs.sort();
        outputs.dedup();
        Some(outputs)
    }

    fn script_outputs(
        &self,
        context: &Context,
        manifest: &Manifest,
        name: &str,
        outputs: &mut Vec<String>,
        depth: u32,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        manifest.scripts.get(name)?;
        for (_, text) in manifest.script_chain(name) {
            for plain in split_list(text)? {
                let mut words = plain.words.as_slice();
                while let Some((first, rest)) = words.split_first()
                    && (matches!(first.as_str(), "npx" | "cross-env" | "dotenv" | "--")
                        || crate::stack::commands::assignment(first).is_some())
                {
                    words = rest;
                }
                let Some((program, arguments)) = words.split_first() else {
                    continue;
                };
                self.command_outputs(context, manifest, program, arguments, outputs, depth)?;
            }
        }
        Some(())
    }

    fn command_outputs(
        &self,
        context: &Context,
        manifest: &Manifest,
        program: &str,
        arguments: &[String],
        outputs: &mut Vec<String>,
        depth: u32,
    ) -> Option<()> {
        let folder = manifest.folder();
        let program = paths::file_name(program);
        let first = arguments
            .iter()
            .find(|word| !word.starts_with('-'))
            .map_or("", String::as_str);
        let option = |names: &[&str]| {
            arguments
                .iter()
                .enumerate()
                .find_map(|(at, word)| match word.split_once('=') {
                    Some((name, value)) if names.contains(&name) => Some(value),
                    _ if names.contains(&word.as_str()) => {
                        arguments.get(at + 1).map(String::as_str)
                    }
                    _ => None,
                })
        };
        let framework = |kind| {
            self.frameworks
                .iter()
                .find(|framework| framework.kind == kind)
        };
        let output = match (program, first) {
            ("tsc" | "ttsc" | "tspc", _) => {
                if arguments
                    .iter()
                    .any(|word| word == "--noEmit" || word == "--build" || word == "-b")
                {
                    return arguments
                        .iter()
                        .any(|word| word == "--noEmit")
                        .then_some(());
                }
                if let Some(out) = option(&["--outDir"]) {
                    paths::relative(folder, out)
                } else {
                    let config = option(&["-p", "--project"]).unwrap_or("tsconfig.json");
                    let config = typescript(context, folder, config)?;
                    if config.no_emit {
                        return Some(());
                    }
                    config.out_dir.filter(|_| !config.incomplete)
                }
            }
            ("nest", "build") => {
                let config = ["tsconfig.build.json", "tsconfig.json"]
                    .iter()
                    .find_map(|name| typescript(context, folder, name));
                config
                    .and_then(|config| config.out_dir)
                    .or_else(|| Some(paths::join(folder, "dist")))
            }
            ("next", "build") => framework(FrameworkKind::Next)?.output.clone(),
            ("vite", "build") => match option(&["--outDir"]) {
                Some(out) => paths::relative(folder, out),
                // Another configuration than the one that was read.
                None if option(&["--config", "-c"]).is_some() => None,
                None => framework(FrameworkKind::SvelteKit)
                    .or_else(|| framework(FrameworkKind::Remix))
                    .or_else(|| framework(FrameworkKind::Vite))?
                    .output
                    .clone(),
            },
            ("react-scripts" | "craco" | "react-app-rewired", "build") => {
                Some(paths::join(folder, "build"))
            }
            ("ng", "build") => match option(&["--output-path"]) {
                Some(out) => paths::relative(folder, out),
                None => framework(FrameworkKind::Angular)?.output.clone(),
            },
            ("nuxt" | "nuxi", "build") => framework(FrameworkKind::Nuxt)?.output.clone(),
            ("nuxt" | "nuxi", "generate") => Some(paths::join(folder, ".output/public")),
            ("remix", "build" | "vite:build") => framework(FrameworkKind::Remix)?.output.clone(),
            ("react-router", "build") => framework(FrameworkKind::ReactRouter)?.output.clone(),
            ("astro", "build") => framework(FrameworkKind::Astro)?.output.clone(),
            ("gatsby", "build") => Some(paths::join(folder, "public")),
            ("vue-cli-service", "build") => match option(&["--dest"]) {
                Some(out) => paths::relative(folder, out),
                None => framework(FrameworkKind::VueCli)?.output.clone(),
            },
            ("webpack", _) => match option(&["--output-path", "-o"]) {
                Some(out) => paths::relative(folder, out),
                None if option(&["--config", "-c"]).is_some() => None,
                None => framework(FrameworkKind::Webpack)?.output.clone(),
            },
            (
                "esbuild" | "tsup" | "babel" | "swc" | "ncc" | "sass" | "tailwindcss" | "copyfiles",
                _,
            ) => {
                let out = option(&[
                    "--outfile",
                    "--outdir",
                    "--out-dir",
                    "-d",
                    "-o",
                    "--out-file",
                    "--output",
                ]);
                match (out, program) {
                    (Some(out), _) => paths::relative(folder, out),
                    (None, "tsup")
                        if paths::first(context, folder, &["tsup.config.ts", "tsup.config.js"])
                            .is_none() =>
                    {
                        Some(paths::join(folder, "dist"))
                    }
                    _ => None,
                }
            }
            ("npm" | "yarn" | "pnpm" | "bun", _) => {
                let script = match first {
                    "run" | "run-script" => {
                        arguments.iter().skip_while(|word| *word != first).nth(1)?
                    }
                    _ => first,
                };
                return self.script_outputs(context, manifest, script, outputs, depth);
            }
            (
                "rimraf" | "rm" | "eslint" | "prettier" | "vue-tsc" | "echo" | "mkdir" | "mkdirp"
                | "jest" | "vitest" | "tslint",
                _,
            )
            | ("astro", "check")
            | ("svelte-kit", "sync")
            | ("next", "lint")
            | ("prisma", "generate")
            | ("nuxt" | "nuxi", "prepare") => return Some(()),
            ("cp" | "cpx" | "ncp", _) => {
                paths::relative(folder, arguments.last()?).filter(|path| !path.contains(['*', '$']))
            }
            _ => None,
        };
        outputs.push(output?);
        Some(())
    }
}

fn typescript(context: &Context, folder: &str, name: &str) -> Option<TypeScript> {
    let path = paths::relative(folder, name)?;
    let path = if path.ends_with(".json") {
        path
    } else {
        paths::join(&path, "tsconfig.json")
    };
    TypeScript::read(context, &path, &mut Vec::new())
}
