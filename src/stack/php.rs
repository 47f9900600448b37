//! PHP: Composer, Laravel, Symfony, or plain files.

use super::paths;
use super::{Details, Project, Stack};
use crate::catalog::Catalog;
use crate::context::Context;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A project in PHP.
#[derive(Clone, Debug, Default)]
pub struct Php {
    /// `require` of `composer.json` without platform packages: name and constraint.
    pub requires: BTreeMap<String, String>,
    /// Packages that the lock file pins for production: name and version.
    pub locked: BTreeMap<String, String>,
    /// Extensions that the project or a locked package asks for (`pdo_mysql`), without `ext-`.
    pub extensions: BTreeSet<String>,
    /// Scripts by event (`post-install-cmd`), each command as written; an install runs them unless `--no-scripts`.
    pub scripts: BTreeMap<String, Vec<String>>,
    /// Files and folders that autoloading reads when it is dumped, paths in the context.
    pub autoload: Vec<String>,
    /// Folders of `path` repositories, in the context.
    pub path_repositories: Vec<String>,
    /// The framework.
    pub framework: PhpFramework,
    /// The document root (`public`, `web`), where an `index.php` stands in it.
    pub document_root: Option<String>,
}

/// The framework.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhpFramework {
    /// `artisan` and `laravel/framework`.
    Laravel,
    /// `bin/console` and `symfony/framework-bundle`.
    Symfony,
    /// None of these.
    #[default]
    Plain,
}

/// Recognises PHP.
#[derive(Debug)]
pub struct PhpStack;

impl Stack for PhpStack {
    fn name(&self) -> &'static str {
        "php"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let manifest = paths::join(root, "composer.json");
        let mut project = Project::empty(root, "composer");
        let mut php = Php::default();
        match paths::text(context, &manifest) {
            Some(text) => read_manifest(&text, &manifest, root, &mut php, &mut project),
            None if paths::present(context, root, &["index.php", "public/index.php"])
                .is_empty() =>
            {
                return None;
            }
            None => project.package_manager = None,
        }
        let lock = paths::join(root, "composer.lock");
        if let Some(text) = paths::text(context, &lock) {
            match serde_json::from_str::<Value>(&text) {
                Ok(value) => read_lock(&value, &mut php),
                Err(error) => project.finding(format!("not valid JSON: {error}"), lock.clone()),
            }
            project.locks.push(lock);
        }
        project.manifests.extend(paths::present(
            context,
            root,
            &["auth.json", "symfony.lock"],
        ));
        for folder in &php.path_repositories {
            let inner = paths::present(context, folder, &["composer.json"]);
            project.manifests.extend(inner);
        }
        let requires = |name: &str| php.requires.contains_key(name);
        let has = |name: &str| context.has(&paths::join(root, name));
        php.framework = if requires("laravel/framework") && has("artisan") {
            PhpFramework::Laravel
        } else if requires("symfony/framework-bundle") && has("bin/console") {
            PhpFramework::Symfony
        } else {
            PhpFramework::Plain
        };
        php.document_root = ["public", "web", "webroot", "html", "htdocs"]
            .into_iter()
            .find(|folder| has(&format!("{folder}/index.php")))
            .map(str::to_owned);
        if php.framework != PhpFramework::Plain {
            project.show(
                format!("{:?} application", php.framework).to_lowercase(),
                manifest,
            );
        }
        project.details = Details::Php(Box::new(php));
        Some(project)
    }
}

fn read_manifest(text: &str, path: &str, root: &str, php: &mut Php, project: &mut Project) {
    project.manifests.push(path.to_owned());
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) => {
            project.finding(format!("not valid JSON: {error}"), path);
            return;
        }
    };
    for (name, constraint) in object(&value["require"]) {
        let constraint = constraint.as_str().unwrap_or_default();
        match name.strip_prefix("ext-") {
            Some(extension) => {
                php.extensions.insert(extension.to_owned());
            }
            None if name == "php" => {
                project.language_version = Some(constraint.to_owned());
                project.show(format!("php {constraint}"), path);
            }
            None if name.contains('/') => {
                php.requires.insert(name.clone(), constraint.to_owned());
            }
            None => {}
        }
    }
    for (event, commands) in object(&value["scripts"]) {
        php.scripts.insert(event.clone(), texts(commands));
    }
    let autoload = &value["autoload"];
    for kind in ["psr-4", "psr-0"] {
        for (_, folders) in object(&autoload[kind]) {
            php.autoload.extend(
                texts(folders)
                    .iter()
                    .filter_map(|folder| paths::resolve(root, folder)),
            );
        }
    }
    for kind in ["classmap", "files"] {
        php.autoload.extend(
            texts(&autoload[kind])
                .iter()
                .filter_map(|file| paths::resolve(root, file)),
        );
    }
    let repositories = value["repositories"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(object(&value["repositories"]).map(|(_, repository)| repository));
    for repository in repositories.filter(|repository| repository["type"] == "path") {
        match repository["url"]
            .as_str()
            .and_then(|url| paths::resolve(root, url))
        {
            Some(folder) => php.path_repositories.push(folder),
            None => project.finding("a path repository lies outside the context", path),
        }
    }
}

fn read_lock(value: &Value, php: &mut Php) {
    for package in value["packages"].as_array().into_iter().flatten() {
        if let Some(name) = package["name"].as_str() {
            php.locked.insert(
                name.to_owned(),
                package["version"].as_str().unwrap_or_default().to_owned(),
            );
        }
        let extensions =
            object(&package["require"]).filter_map(|(name, _)| name.strip_prefix("ext-"));
        php.extensions.extend(extensions.map(str::to_owned));
    }
    let platform = object(&value["platform"]).filter_map(|(name, _)| name.strip_prefix("ext-"));
    php.extensions.extend(platform.map(str::to_owned));
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_requirements_scripts_and_extensions() {
        let context = Context::in_memory([
            (
                "composer.json",
                "{\"require\":{\"php\":\"^8.2\",\"ext-intl\":\"*\",\"laravel/framework\":\"^11\"},\"scripts\":{\"post-autoload-dump\":[\"@php artisan package:discover\"]},\"autoload\":{\"psr-4\":{\"App\\\\\":\"app/\"},\"files\":[\"app/h.php\"]},\"repositories\":[{\"type\":\"path\",\"url\":\"./lib/x\"}]}",
            ),
            (
                "composer.lock",
                "{\"packages\":[{\"name\":\"a/b\",\"version\":\"v1\",\"require\":{\"ext-gd\":\"*\"}}],\"packages-dev\":[{\"name\":\"no/no\",\"require\":{\"ext-xdebug\":\"*\"}}]}",
            ),
            ("lib/x/composer.json", "{}"),
            ("artisan", ""),
            ("public/index.php", ""),
        ]);
        let project = PhpStack
            .detect("", &context, &Catalog::default())
            .expect("a PHP project");
        let Details::Php(php) = &project.details else {
            panic!("other details");
        };
        assert_eq!(php.extensions.iter().collect::<Vec<_>>(), ["gd", "intl"]);
        assert_eq!(php.framework, PhpFramework::Laravel);
        assert_eq!(php.autoload, ["app", "app/h.php"]);
        assert_eq!(php.document_root.as_deref(), Some("public"));
        assert_eq!(php.scripts["post-autoload-dump"].len(), 1);
        assert_eq!(project.manifests, ["composer.json", "lib/x/composer.json"]);
        assert_eq!(project.language_version.as_deref(), Some("^8.2"));
    }

    #[test]
    fn broken_json_is_a_finding() {
        let context = Context::in_memory([("composer.json", "{")]);
        let project = PhpStack
            .detect("", &context, &Catalog::default())
            .expect("a PHP project");
        assert_eq!(project.findings.len(), 1);
    }
}
