//! Frameworks of a project, their configuration and where they write.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::lexer::{Kind, tokens};
use super::manifest::Manifest;
use super::scan::Code;
use super::{jsonc, paths_in_code::Value};
use crate::context::Context;
use crate::stack::usage::Base;
use crate::stack::{Evidence, paths};

/// A framework or bundler that a manifest asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framework {
    /// Which.
    pub kind: FrameworkKind,
    /// The range in the manifest.
    pub range: String,
    /// Its configuration file, a path in the context.
    pub config: Option<String>,
    /// Where its build writes, a path in the context; none when that is computed or not shown.
    pub output: Option<String>,
    /// What makes its output what it is: Next's and Nuxt's `output`, Astro's `output`, SvelteKit's adapter;
    /// none when not set or computed.
    pub mode: Option<String>,
    /// Whether `mode` is set by an expression that is not literal.
    pub mode_is_computed: bool,
}

/// The frameworks that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the product's own name")]
pub enum FrameworkKind {
    TypeScript,
    Nest,
    Next,
    Nuxt,
    Remix,
    ReactRouter,
    Astro,
    SvelteKit,
    Gatsby,
    Angular,
    VueCli,
    CreateReactApp,
    Vite,
    Webpack,
    Prisma,
}

struct Known {
    kind: FrameworkKind,
    package: &'static str,
    configs: &'static [&'static str],
    /// Where it writes unless it says otherwise.
    output: Option<&'static str>,
    /// The key of the configuration that says otherwise.
    output_key: &'static str,
    /// The key that says what it makes.
    mode_key: &'static str,
}

const fn known(
    kind: FrameworkKind,
    package: &'static str,
    configs: &'static [&'static str],
    output: Option<&'static str>,
    output_key: &'static str,
    mode_key: &'static str,
) -> Known {
    Known {
        kind,
        package,
        configs,
        output,
        output_key,
        mode_key,
    }
}

#[rustfmt::skip]
const KNOWN: &[Known] = &[
    known(FrameworkKind::TypeScript, "typescript", &["tsconfig.json"], None, "", ""),
    known(FrameworkKind::Nest, "@nestjs/core", &["nest-cli.json"], Some("dist"), "", ""),
    known(FrameworkKind::Next, "next", &["next.config.js", "next.config.mjs", "next.config.ts", "next.config.cjs"], Some(".next"), "distDir", "output"),
    known(FrameworkKind::Nuxt, "nuxt", &["nuxt.config.ts", "nuxt.config.js", "nuxt.config.mjs"], Some(".output"), "", "preset"),
    known(FrameworkKind::Remix, "@remix-run/dev", &["vite.config.ts", "vite.config.js", "remix.config.js"], Some("build"), "buildDirectory", ""),
    known(FrameworkKind::ReactRouter, "@react-router/dev", &["react-router.config.ts", "react-router.config.js"], Some("build"), "buildDirectory", ""),
    known(FrameworkKind::Astro, "astro", &["astro.config.mjs", "astro.config.ts", "astro.config.js", "astro.config.cjs"], Some("dist"), "outDir", "output"),
    known(FrameworkKind::SvelteKit, "@sveltejs/kit", &["svelte.config.js", "svelte.config.ts"], None, "", ""),
    known(FrameworkKind::Gatsby, "gatsby", &["gatsby-config.js", "gatsby-config.ts"], Some("public"), "", ""),
    known(FrameworkKind::Angular, "@angular/core", &["angular.json"], None, "", ""),
    known(FrameworkKind::VueCli, "@vue/cli-service", &["vue.config.js"], Some("dist"), "outputDir", ""),
    known(FrameworkKind::CreateReactApp, "react-scripts", &[], Some("build"), "", ""),
    known(FrameworkKind::Vite, "vite", &["vite.config.ts", "vite.config.js", "vite.config.mjs", "vite.config.mts", "vite.config.cjs"], Some("dist"), "outDir", ""),
    known(FrameworkKind::Webpack, "webpack", &["webpack.config.js", "webpack.config.ts", "webpack.config.cjs", "webpack.prod.js", "webpack.production.js"], None, "path", ""),
    known(FrameworkKind::Prisma, "prisma", &["prisma.config.ts", "prisma/schema.prisma", "schema.prisma"], None, "", ""),
];

/// The frameworks of `manifest`, in the order of [`FrameworkKind`].
pub(super) fn detect(
    context: &Context,
    manifest: &Manifest,
    findings: &mut Vec<Evidence>,
) -> Vec<Framework> {
    KNOWN
        .iter()
        .filter_map(|known| {
            let range = manifest.installed().get(known.package).copied()?;
            Some(read(context, manifest.folder(), known, range, findings))
        })
        .collect()
}

fn read(
    context: &Context,
    folder: &str,
    known: &Known,
    range: &str,
    findings: &mut Vec<Evidence>,
) -> Framework {
    let mut framework = Framework {
        kind: known.kind,
        range: range.to_owned(),
        config: paths::first(context, folder, known.configs),
        output: known.output.map(|output| paths::join(folder, output)),
        mode: None,
        mode_is_computed: false,
    };
    let Some(text) = framework
        .config
        .as_ref()
        .and_then(|path| paths::any_text(context, path))
    else {
        if known.kind == FrameworkKind::Webpack {
            framework.output = Some(paths::join(folder, "dist"));
        }
        return framework;
    };
    match known.kind {
        FrameworkKind::Angular => {
            framework.output = angular_output(&text, folder, framework.config.as_deref(), findings)
        }
        FrameworkKind::SvelteKit => {
            framework.mode = [
                "adapter-node",
                "adapter-static",
                "adapter-auto",
                "adapter-vercel",
                "adapter-cloudflare",
            ]
            .into_iter()
            .find(|adapter| text.contains(&format!("@sveltejs/{adapter}")))
            .map(str::to_owned);
            if matches!(
                framework.mode.as_deref(),
                Some("adapter-node" | "adapter-static")
            ) {
                framework.output = Some(paths::join(folder, "build"));
            }
            if let Setting::Text(out) = setting(&text, "out") {
                framework.output = paths::relative(folder, &out);
            }
        }
        _ => {
            if !known.output_key.is_empty() {
                match setting(&text, known.output_key) {
                    Setting::Absent => {}
                    Setting::Text(out) => framework.output = paths::relative(folder, &out),
                    Setting::Computed => framework.output = None,
                }
            }
            if !known.mode_key.is_empty() {
                match setting(&text, known.mode_key) {
                    Setting::Absent => {}
                    Setting::Text(mode) => framework.mode = Some(mode),
                    Setting::Computed => framework.mode_is_computed = true,
                }
            }
        }
    }
    if framework.kind == FrameworkKind::Next && framework.mode.as_deref() == Some("export") {
        framework.output = Some(paths::join(folder, "out"));
    }
    framework
}

/// What a key of a configuration in JavaScript holds.
#[derive(Debug, PartialEq, Eq)]
enum Setting {
    Absent,
    /// A string, or a path that is relative to the configuration.
    Text(String),
    Computed,
}

/// The value of `key: …` in `source`, wherever in it; several that differ are computed.
fn setting(source: &str, key: &str) -> Setting {
    let source = source.as_bytes();
    let tokens = tokens(source);
    let code = Code {
        source,
        tokens: &tokens,
        values: HashMap::new(),
    };
    let mut found = Setting::Absent;
    for at in 0..tokens.len() {
        let named = code.name(at) == key.as_bytes() || code.text(at).as_deref() == Some(key);
        let keyed = named
            && code.is(at + 1, b':')
            && at > 0
            && (code.is(at - 1, b'{') || code.is(at - 1, b','));
        let assigned = named
            && at > 0
            && code.is(at - 1, b'.')
            && code.is(at + 1, b'=')
            && !code.is(at + 2, b'=');
        let shorthand = named
            && at > 0
            && (code.is(at - 1, b'{') || code.is(at - 1, b','))
            && (code.is(at + 1, b',') || code.is(at + 1, b'}'))
            && code.kind(at) == Some(Kind::Name);
        if shorthand && key != "path" {
            return Setting::Computed;
        }
        if !keyed && !assigned {
            continue;
        }
        // `output: {` is the group of another tool's settings.
        if code.is(at + 2, b'{') {
            continue;
        }
        let whole = |text: String| match code.kind(at + 3) {
            Some(Kind::Punct(b',' | b'}' | b';')) | Some(Kind::Name) | None => Setting::Text(text),
            _ => Setting::Computed,
        };
        let value = match code.value(at + 2) {
            Some(Value::Text { text, exact: true }) => whole(text),
            Some(Value::Path {
                path,
                base: Base::Source | Base::Working,
                exact: true,
            }) => Setting::Text(path),
            _ => Setting::Computed,
        };
        if found != Setting::Absent && found != value {
            return Setting::Computed;
        }
        found = value;
    }
    found
}

/// `outputPath` of the one project that is an application.
fn angular_output(
    text: &str,
    folder: &str,
    path: Option<&str>,
    findings: &mut Vec<Evidence>,
) -> Option<String> {
    let value = match jsonc::parse(text) {
        Ok(value) => value,
        Err(line) => {
            findings.push(Evidence::new(
                "angular.json is not valid JSON",
                &format!("{}:{line}", path.unwrap_or_default()),
            ));
            return None;
        }
    };
    let projects = value.get("projects")?.as_object()?;
    let mut outputs = projects.iter().filter_map(|(name, project)| {
        if project
            .get("projectType")
            .and_then(Json::as_str)
            .is_some_and(|kind| kind != "application")
        {
            return None;
        }
        let build = project
            .get("architect")
            .or_else(|| project.get("targets"))?
            .get("build")?;
        // The builder `application` puts what a browser loads one folder deeper.
        let browser = build
            .get("builder")
            .and_then(Json::as_str)
            .is_some_and(|builder| builder.ends_with(":application"));
        let options = build.get("options")?;
        let (base, inner) = match options.get("outputPath") {
            Some(Json::String(base)) => (base.clone(), if browser { "browser" } else { "" }),
            Some(Json::Object(parts)) => (
                parts.get("base")?.as_str()?.to_owned(),
                parts
                    .get("browser")
                    .and_then(Json::as_str)
                    .unwrap_or("browser"),
            ),
            None if browser => (format!("dist/{name}"), "browser"),
            _ => return None,
        };
        paths::relative(folder, &paths::join(&base, inner))
    });
    let first = outputs.next()?;
    outputs.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_code() {
        assert_eq!(
            setting("module.exports = { output: 'standalone', }", "output"),
            Setting::Text("standalone".into())
        );
        assert_eq!(
            setting("// output: 'standalone'\nexport default {}", "output"),
            Setting::Absent
        );
        assert_eq!(
            setting("x = { output: process.env.X ? 'a' : undefined }", "output"),
            Setting::Computed
        );
        assert_eq!(
            setting("x = { path: path.resolve(__dirname, 'dist') }", "path"),
            Setting::Text("dist".into())
        );
        assert_eq!(
            setting("x = { build: { outDir: '../public' } }", "outDir"),
            Setting::Text("../public".into())
        );
        assert_eq!(setting("x = { output }", "output"), Setting::Computed);
        assert_eq!(
            setting("x = { output: 'a' } ; y = { output: 'b' }", "output"),
            Setting::Computed
        );
        assert_eq!(
            setting("x = { output: 'a' + b }", "output"),
            Setting::Computed
        );
    }

    #[test]
    fn angular_writes_below_browser_with_the_new_builder() {
        let text = r#"{"projects": {"web": {"projectType": "application", "architect": {"build": {
            "builder": "@angular/build:application", "options": {}}}}}}"#;
        assert_eq!(
            angular_output(text, "", None, &mut Vec::new()).as_deref(),
            Some("dist/web/browser")
        );
    }
}
