//! .NET: projects, solutions, and what `dotnet publish` leaves.

use super::xml::{self, Element};
use super::{Details, Project, Stack, paths};
use crate::catalog::Catalog;
use crate::context::Context;

/// The projects below a folder.
#[derive(Clone, Debug, Default)]
pub struct DotNet {
    /// Every project, by path.
    pub projects: Vec<DotNetProject>,
    /// Solutions, paths in the context.
    pub solutions: Vec<String>,
    /// `sdk.version` of `global.json`: the build needs that SDK.
    pub sdk: Option<String>,
}

/// One `*.csproj`, `*.fsproj` or `*.vbproj`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DotNetProject {
    /// Path in the context.
    pub path: String,
    /// `Microsoft.NET.Sdk.Web` and the like.
    pub sdk: String,
    /// `TargetFramework`, or the last of `TargetFrameworks` (`net8.0`).
    pub framework: Option<String>,
    /// Whether it yields a program: the web and worker SDKs, or `OutputType` of `Exe`.
    pub runs: bool,
    /// Whether it is made of tests.
    pub is_test: bool,
    /// `AssemblyName`, else the project's file name: `publish` leaves `NAME.dll` and a starter `NAME`.
    pub assembly: String,
    /// Projects that it references, paths in the context.
    pub references: Vec<String>,
    /// Packages, by name.
    pub packages: Vec<String>,
    /// Whether publishing makes something else than framework-dependent files: `PublishAot`, `SelfContained`, `PublishSingleFile`.
    pub publish: Vec<String>,
}

impl DotNet {
    /// The projects that yield a program and are no tests.
    pub fn programs(&self) -> impl Iterator<Item = &DotNetProject> {
        self.projects
            .iter()
            .filter(|project| project.runs && !project.is_test)
    }
}

/// Recognises .NET.
#[derive(Debug)]
pub struct DotNetStack;

impl Stack for DotNetStack {
    fn name(&self) -> &'static str {
        "dotnet"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        // Without a solution or project in the folder itself, one level below counts: `src/App/App.csproj`.
        let is_project =
            |path: &str| matches!(paths::extension(path), "csproj" | "fsproj" | "vbproj");
        let is_solution = |path: &str| matches!(paths::extension(path), "sln" | "slnx");
        let starts_here = context.children(root).any(|(path, _)| {
            is_project(path) || is_solution(path) || paths::file_name(path) == "global.json"
        });
        let below = || {
            paths::sized_files(context, root).any(|(path, _)| {
                is_project(path)
                    && paths::below(root, path).is_some_and(|inner| inner.matches('/').count() <= 2)
            })
        };
        if !starts_here && !below() {
            return None;
        }
        let mut project = Project::empty(root, "nuget");
        let mut found = DotNet::default();
        for (path, _) in paths::sized_files(context, root) {
            if paths::passes_through(path, &["bin", "obj", "node_modules"])
                || project.manifests.len() > 2_000
            {
                continue;
            }
            let name = paths::file_name(path).to_ascii_lowercase();
            if is_project(path) {
                project.manifests.push(path.to_owned());
                if let Some(text) = paths::text(context, path) {
                    let (element, error) = xml::parse(&text);
                    if let Some(error) = error {
                        project.finding(format!("not valid XML: {}", error.to_lowercase()), path);
                    }
                    found
                        .projects
                        .extend(element.map(|element| read_project(&element, path)));
                }
            } else if is_solution(path) {
                project.manifests.push(path.to_owned());
                found.solutions.push(path.to_owned());
            } else if matches!(
                name.as_str(),
                "nuget.config"
                    | "directory.build.props"
                    | "directory.build.targets"
                    | "directory.packages.props"
                    | "global.json"
            ) {
                project.manifests.push(path.to_owned());
            } else if name == "packages.lock.json" {
                project.locks.push(path.to_owned());
            }
        }
        if found.projects.is_empty() && found.solutions.is_empty() {
            return None;
        }
        inherit_framework(root, context, &mut found);
        let global = paths::join(root, "global.json");
        if let Some(text) = paths::text(context, &global) {
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(value) => found.sdk = value["sdk"]["version"].as_str().map(str::to_owned),
                // MSBuild allows comments there, which this parser does not.
                Err(error) => project.finding(format!("not valid JSON: {error}"), global),
            }
        }
        for program in found.programs() {
            let framework = program
                .framework
                .as_deref()
                .unwrap_or("a framework that is not known");
            project.evidence.push(super::Evidence {
                fact: format!("program {} for {framework}", program.assembly),
                source: program.path.clone(),
            });
        }
        project.language_version = found
            .programs()
            .find_map(|program| program.framework.clone());
        project.details = Details::DotNet(Box::new(found));
        Some(project)
    }
}

fn read_project(element: &Element, path: &str) -> DotNetProject {
    let folder = paths::parent(path);
    let name = paths::file_name(path);
    let mut found = DotNetProject {
        path: path.to_owned(),
        sdk: element.attribute("Sdk").unwrap_or_default().to_owned(),
        assembly: name
            .rsplit_once('.')
            .map_or(name, |(stem, _)| stem)
            .to_owned(),
        ..DotNetProject::default()
    };
    let mut output_type = String::new();
    element.walk(&mut |item| match item.name.as_str() {
        "Sdk" if found.sdk.is_empty() => {
            found.sdk = item.attribute("Name").unwrap_or_default().to_owned()
        }
        "TargetFramework" if is_literal(&item.text) => found.framework = Some(item.text.clone()),
        "TargetFrameworks" if found.framework.is_none() && is_literal(&item.text) => {
            found.framework = item
                .text
                .rsplit(';')
                .find(|name| !name.is_empty())
                .map(str::to_owned);
        }
        "OutputType" => output_type = item.text.to_ascii_lowercase(),
        "AssemblyName" if is_literal(&item.text) => found.assembly.clone_from(&item.text),
        "IsTestProject" => found.is_test |= item.text.eq_ignore_ascii_case("true"),
        "PublishAot" | "SelfContained" | "PublishSingleFile" | "PublishTrimmed"
            if item.text.eq_ignore_ascii_case("true") =>
        {
            found.publish.push(item.name.clone());
        }
        "ProjectReference" => {
            let reference = item
                .attribute("Include")
                .and_then(|include| paths::resolve(folder, include));
            found.references.extend(reference);
        }
        "PackageReference" => found
            .packages
            .extend(item.attribute("Include").map(str::to_owned)),
        _ => {}
    });
    found.is_test |= found
        .packages
        .iter()
        .any(|package| package == "Microsoft.NET.Test.Sdk");
    let web = matches!(
        found.sdk.as_str(),
        "Microsoft.NET.Sdk.Web" | "Microsoft.NET.Sdk.Worker"
    );
    found.runs =
        matches!(output_type.as_str(), "exe" | "winexe") || (web && output_type != "library");
    found
}

fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.contains("$(")
}

/// `TargetFramework` may stand in the `Directory.Build.props` of a folder above.
fn inherit_framework(root: &str, context: &Context, found: &mut DotNet) {
    for project in found
        .projects
        .iter_mut()
        .filter(|project| project.framework.is_none())
    {
        let mut folder = paths::parent(&project.path);
        loop {
            let props = paths::join(folder, "Directory.Build.props");
            if let Some(element) = paths::text(context, &props).and_then(|text| xml::parse(&text).0)
            {
                element.walk(&mut |item| {
                    if item.name == "TargetFramework" && is_literal(&item.text) {
                        project.framework = Some(item.text.clone());
                    }
                });
                break;
            }
            if folder == root || folder.is_empty() {
                break;
            }
            folder = paths::parent(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_projects_references_and_frameworks() {
        let context = Context::in_memory([
            ("All.sln", ""),
            ("global.json", "{\"sdk\":{\"version\":\"8.0.100\"}}"),
            (
                "Directory.Build.props",
                "<Project><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup></Project>",
            ),
            (
                "src/Web/Web.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><AssemblyName>Shop</AssemblyName></PropertyGroup><ItemGroup><ProjectReference Include=\"..\\Core\\Core.csproj\" /><PackageReference Include=\"Npgsql\" Version=\"8\" /></ItemGroup></Project>",
            ),
            (
                "src/Core/Core.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><TargetFrameworks>netstandard2.0;net9.0</TargetFrameworks></PropertyGroup></Project>",
            ),
            (
                "test/T.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><ItemGroup><PackageReference Include=\"Microsoft.NET.Test.Sdk\" /></ItemGroup></Project>",
            ),
            ("src/Web/obj/No.csproj", ""),
        ]);
        let project = DotNetStack
            .detect("", &context, &Catalog::default())
            .expect("a .NET project");
        let Details::DotNet(found) = &project.details else {
            panic!("other details");
        };
        let programs: Vec<_> = found
            .programs()
            .map(|program| program.assembly.as_str())
            .collect();
        assert_eq!(programs, ["Shop"]);
        let web = found.programs().next().expect("one program");
        assert_eq!(web.references, ["src/Core/Core.csproj"]);
        assert_eq!(web.framework.as_deref(), Some("net8.0"));
        assert_eq!(found.sdk.as_deref(), Some("8.0.100"));
        assert_eq!(project.manifests.len(), 6);
        assert!(project.findings.is_empty());
    }
}
