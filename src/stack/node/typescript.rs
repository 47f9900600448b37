//! `tsconfig.json`, with what it extends.

use serde_json::Value;

use super::jsonc;
use crate::context::Context;
use crate::stack::{Evidence, paths};

/// What a TypeScript configuration says about its output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeScript {
    /// The configuration, a path in the context.
    pub path: String,
    /// The files that it extends and that stand in the context; a build reads them.
    pub extends: Vec<String>,
    /// `outDir`, a path in the context; none when the output stands beside the sources.
    pub out_dir: Option<String>,
    /// `rootDir`, a path in the context.
    pub root_dir: Option<String>,
    /// `importHelpers`: the output imports `tslib`.
    pub import_helpers: bool,
    /// `noEmit` or `emitDeclarationOnly`: `tsc` writes no program.
    pub no_emit: bool,
    /// `references`: other projects, paths in the context.
    pub references: Vec<String>,
    /// What it extends comes from a package or cannot be read: the rest is not known.
    pub incomplete: bool,
    /// Prefixes of `paths` and `baseUrl` aliases, without `*`: imports that are no packages.
    pub aliases: Vec<String>,
}

impl TypeScript {
    /// Reads the configuration at `path`.
    #[must_use]
    pub fn read(context: &Context, path: &str, findings: &mut Vec<Evidence>) -> Option<Self> {
        if !context.has(path) {
            return None;
        }
        let mut config = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        config.apply(context, path, findings, 5);
        Some(config)
    }

    /// The source in the context that `output` (a path in the context, `dist/main.js`) is compiled from.
    #[must_use]
    pub fn source_of(&self, context: &Context, output: &str) -> Option<String> {
        let folder = paths::parent(&self.path);
        let inner = paths::below(self.out_dir.as_deref().unwrap_or(folder), output)?;
        let stem = [".js", ".cjs", ".mjs"]
            .iter()
            .find_map(|ending| inner.strip_suffix(ending))
            .unwrap_or(inner);
        let source = paths::join(folder, "src");
        let roots = [self.root_dir.as_deref().unwrap_or(&source), folder];
        roots.iter().find_map(|root| {
            [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", "/index.ts"]
                .iter()
                .map(|ending| paths::join(root, &format!("{stem}{ending}")))
                .find(|path| context.has(path))
        })
    }

    fn apply(&mut self, context: &Context, path: &str, findings: &mut Vec<Evidence>, depth: u32) {
        let Some(text) = paths::any_text(context, path) else {
            self.incomplete = true;
            return;
        };
        let value = match jsonc::parse(&text) {
            Ok(value) => value,
            Err(line) => {
                findings.push(Evidence::new(
                    "the TypeScript configuration is not valid JSON",
                    &format!("{path}:{line}"),
                ));
                self.incomplete = true;
                return;
            }
        };
        let folder = paths::parent(path);
        let extends: Vec<&str> = match value.get("extends") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for base in extends {
            match extended(context, folder, base) {
                Some(base) if depth > 0 => {
                    self.apply(context, &base, findings, depth - 1);
                    self.extends.push(base);
                }
                _ => self.incomplete = true,
            }
        }
        if let Some(references) = value.get("references").and_then(Value::as_array) {
            self.references = references
                .iter()
                .filter_map(|item| paths::relative(folder, item.get("path")?.as_str()?))
                .collect();
        }
        let Some(options) = value.get("compilerOptions") else {
            return;
        };
        let folder_option = |name: &str| {
            paths::relative(
                folder,
                options
                    .get(name)?
                    .as_str()?
                    .trim_start_matches("${configDir}/"),
            )
        };
        if options.get("outDir").is_some() {
            self.out_dir = folder_option("outDir");
        }
        if options.get("rootDir").is_some() {
            self.root_dir = folder_option("rootDir");
        }
        let flag =
            |name: &str, before: bool| options.get(name).and_then(Value::as_bool).unwrap_or(before);
        self.import_helpers = flag("importHelpers", self.import_helpers);
        self.no_emit = flag("noEmit", flag("emitDeclarationOnly", self.no_emit));
        if let Some(aliases) = options.get("paths").and_then(Value::as_object) {
            self.aliases = aliases
                .keys()
                .map(|key| key.trim_end_matches('*').to_owned())
                .collect();
        }
    }
}

/// The file that `extends: base` names, if it stands in the context.
fn extended(context: &Context, folder: &str, base: &str) -> Option<String> {
    if !base.starts_with('.') {
        return None;
    }
    let path = paths::relative(folder, base)?;
    [
        path.clone(),
        format!("{path}.json"),
        format!("{path}/tsconfig.json"),
    ]
    .into_iter()
    .find(|path| path.ends_with(".json") && context.has(path))
}
