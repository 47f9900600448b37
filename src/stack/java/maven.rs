//! Maven: `pom.xml` with its modules, properties and what `package` leaves.

use super::super::xml::{self, Element};
use super::super::{Details, Evidence, Project, Stack};
use super::{JavaShape, paths, prebuilt, read_resources};
use crate::catalog::Catalog;
use crate::context::Context;
use std::collections::BTreeMap;

/// A Maven project: the POM of the folder and those of its modules, in that order.
#[derive(Clone, Debug, Default)]
pub struct Maven {
    /// The modules; the first is the folder's own.
    pub modules: Vec<MavenModule>,
    /// Whether `mvnw` and `.mvn` are there.
    pub wrapper: bool,
    /// Jars and WARs that are in the context already: name and path.
    pub prebuilt: Vec<Evidence>,
}

/// One POM.
#[derive(Clone, Debug)]
pub struct MavenModule {
    /// Its folder in the context.
    pub folder: String,
    /// `artifactId`.
    pub artifact: String,
    /// `version`, inherited and with its properties filled in; none when it cannot be told.
    pub version: Option<String>,
    /// `packaging`, `jar` unless written.
    pub packaging: String,
    /// What the build leaves.
    pub shape: JavaShape,
    /// Path of the artifact in the context (`api/target/api-1.0.jar`); none when a part of its name is not known.
    pub output: Option<String>,
    /// The main class, where a plugin names it.
    pub main_class: Option<String>,
    /// Dependencies as `group:artifact` without those of scope `test` and `provided`.
    pub dependencies: Vec<String>,
    /// Plugins of the build by artifact.
    pub plugins: Vec<String>,
}

/// Recognises Maven.
#[derive(Debug)]
pub struct MavenStack;

impl Stack for MavenStack {
    fn name(&self) -> &'static str {
        "maven"
    }

    fn detect(&self, root: &str, context: &Context, _: &Catalog) -> Option<Project> {
        let path = paths::join(root, "pom.xml");
        let text = paths::text(context, &path)?;
        let mut project = Project::empty(root, "maven");
        let mut maven = Maven {
            wrapper: context.has(&paths::join(root, "mvnw")),
            prebuilt: prebuilt(root, context),
            ..Maven::default()
        };
        let mut open = vec![(root.to_owned(), text, Inherited::default())];
        while let Some((folder, text, inherited)) = open.pop() {
            let path = paths::join(&folder, "pom.xml");
            // A module that names its own parent again would never end.
            if project.manifests.contains(&path) || project.manifests.len() >= 500 {
                continue;
            }
            project.manifests.push(path.clone());
            let (pom, error) = xml::parse(&text);
            if let Some(error) = error {
                project.finding(
                    format!("not valid XML: {}", error.to_lowercase()),
                    path.clone(),
                );
            }
            let Some(pom) = pom.filter(|pom| pom.name == "project") else {
                continue;
            };
            let inherited = inherited.with(&pom, &folder, context);
            if project.language_version.is_none() {
                project.language_version = inherited.java();
            }
            maven.modules.push(read_pom(&pom, &folder, &inherited));
            let mut modules = Vec::new();
            for list in module_lists(&pom) {
                for module in list.all("module") {
                    let Some(inner) = paths::resolve(&folder, &module.text) else {
                        continue;
                    };
                    match paths::text(context, &paths::join(&inner, "pom.xml")) {
                        Some(text) => modules.push((inner, text, inherited.clone())),
                        None => project.finding(
                            format!("module {} is not in the build context", module.text),
                            path.clone(),
                        ),
                    }
                }
            }
            open.extend(modules.into_iter().rev());
        }
        project
            .manifests
            .extend(paths::present(context, root, &["mvnw", "settings.xml"]));
        let wrapper_folder = paths::join(root, ".mvn");
        let wrapper: Vec<String> = paths::sized_files(context, &wrapper_folder)
            .map(|(path, _)| path.to_owned())
            .collect();
        project.manifests.extend(wrapper);
        for module in &maven.modules {
            read_resources(&module.folder, context, &mut project);
        }
        for module in maven
            .modules
            .iter()
            .filter(|module| module.shape != JavaShape::None)
        {
            let output = module
                .output
                .as_deref()
                .unwrap_or("a name that is not known");
            let fact = format!("{} is {:?} at {output}", module.artifact, module.shape);
            project.show(fact.to_lowercase(), paths::join(&module.folder, "pom.xml"));
        }
        project.details = Details::Maven(Box::new(maven));
        Some(project)
    }
}

/// `modules` of the project and of its profiles.
fn module_lists(pom: &Element) -> impl Iterator<Item = &Element> {
    let profiles = pom
        .child("profiles")
        .into_iter()
        .flat_map(|profiles| profiles.all("profile"));
    pom.child("modules")
        .into_iter()
        .chain(profiles.filter_map(|profile| profile.child("modules")))
}

/// What a POM has from its parents.
#[derive(Clone, Debug, Default)]
struct Inherited {
    properties: BTreeMap<String, String>,
    plugins: Vec<Element>,
    dependencies: Vec<String>,
    spring_boot_parent: bool,
}

impl Inherited {
    /// Adds the parent POM that `pom` names by path if it is no module's own, then `pom` itself.
    fn with(mut self, pom: &Element, folder: &str, context: &Context) -> Self {
        let parent = pom.child("parent");
        if let Some(parent) = parent {
            for (key, name) in [
                ("project.parent.version", "version"),
                ("project.version", "version"),
                ("project.groupId", "groupId"),
            ] {
                if let Some(value) = parent.text_at(&[name]) {
                    let value = self.fill(value).unwrap_or_else(|| value.to_owned());
                    self.properties.insert(key.to_owned(), value);
                }
            }
            self.spring_boot_parent |=
                parent.text_at(&["artifactId"]) == Some("spring-boot-starter-parent");
            let relative = parent.text_at(&["relativePath"]).unwrap_or("../pom.xml");
            let path = paths::resolve(folder, relative);
            let above = path.and_then(|path| paths::text(context, &path));
            if let Some(above) = above.and_then(|text| xml::parse(&text).0)
                && above.text_at(&["artifactId"]) == parent.text_at(&["artifactId"])
            {
                let grand = above.text_at(&["parent", "artifactId"]);
                self.spring_boot_parent |= grand == Some("spring-boot-starter-parent");
                self.add(&above);
            }
        }
        for (key, name) in [
            ("project.version", "version"),
            ("project.groupId", "groupId"),
            ("project.artifactId", "artifactId"),
        ] {
            if let Some(value) = pom.text_at(&[name]) {
                self.properties.insert(key.to_owned(), value.to_owned());
            }
        }
        self.add(pom);
        self
    }

    fn add(&mut self, pom: &Element) {
        for property in pom
            .child("properties")
            .into_iter()
            .flat_map(|list| &list.children)
        {
            self.properties
                .insert(property.name.clone(), property.text.clone());
        }
        let plugins = pom
            .at(&["build", "plugins"])
            .into_iter()
            .flat_map(|list| list.all("plugin"));
        self.plugins.extend(plugins.cloned());
    }

    /// `text` with every `${…}` filled in; none when one is not known.
    fn fill(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for _ in 0..8 {
            let Some(start) = text.find("${") else {
                return Some(text);
            };
            let end = start + text[start..].find('}')?;
            let value = self.properties.get(&text[start + 2..end])?;
            if value.len() > 256 {
                return None;
            }
            text.replace_range(start..=end, value);
        }
        None
    }

    fn java(&self) -> Option<String> {
        let keys = [
            "maven.compiler.release",
            "java.version",
            "maven.compiler.target",
            "maven.compiler.source",
        ];
        keys.iter()
            .find_map(|key| self.fill(self.properties.get(*key)?))
    }
}

fn read_pom(pom: &Element, folder: &str, inherited: &Inherited) -> MavenModule {
    let artifact = pom.text_at(&["artifactId"]).unwrap_or("").to_owned();
    let version = inherited
        .properties
        .get("project.version")
        .and_then(|version| inherited.fill(version));
    let packaging = pom.text_at(&["packaging"]).unwrap_or("jar").to_owned();
    let name_of = |plugin: &&Element, name: &str| plugin.text_at(&["artifactId"]) == Some(name);
    let plugin = |name: &str| {
        inherited
            .plugins
            .iter()
            .rev()
            .find(|plugin| name_of(plugin, name))
    };
    let boot = plugin("spring-boot-maven-plugin");
    let quarkus = plugin("quarkus-maven-plugin");
    let shade = plugin("maven-shade-plugin");
    let assembly = plugin("maven-assembly-plugin");
    let shape = match packaging.as_str() {
        "pom" => JavaShape::None,
        "war" => JavaShape::War,
        "quarkus" => JavaShape::QuarkusApp,
        // Without the starter parent the plugin repackages only where a goal is bound.
        _ if boot
            .is_some_and(|boot| inherited.spring_boot_parent || has_goal(boot, "repackage")) =>
        {
            JavaShape::RunnableJar
        }
        _ if quarkus.is_some() => match inherited
            .properties
            .get("quarkus.package.type")
            .or_else(|| inherited.properties.get("quarkus.package.jar.type"))
        {
            Some(kind) if kind == "uber-jar" => JavaShape::RunnableJar,
            Some(kind) if kind != "fast-jar" => JavaShape::PlainJar,
            _ => JavaShape::QuarkusApp,
        },
        _ if shade.is_some() || assembly.is_some() => JavaShape::RunnableJar,
        _ => JavaShape::PlainJar,
    };
    let final_name = match pom.text_at(&["build", "finalName"]) {
        Some(name) => inherited.fill(name),
        None => version
            .as_ref()
            .map(|version| format!("{artifact}-{version}")),
    };
    let suffix = match shape {
        JavaShape::RunnableJar if boot.is_some() => boot
            .and_then(|boot| setting(boot, "classifier"))
            .map(|classifier| format!("-{classifier}")),
        JavaShape::RunnableJar if quarkus.is_some() => Some("-runner".to_owned()),
        JavaShape::RunnableJar if shade.is_some() => shade
            .filter(|shade| setting(shade, "shadedArtifactAttached").as_deref() == Some("true"))
            .map(|shade| {
                format!(
                    "-{}",
                    setting(shade, "shadedClassifierName").unwrap_or_else(|| "shaded".to_owned())
                )
            }),
        JavaShape::RunnableJar => assembly
            .filter(|assembly| setting(assembly, "appendAssemblyId").as_deref() != Some("false"))
            .map(|assembly| {
                format!(
                    "-{}",
                    setting(assembly, "descriptorRef")
                        .unwrap_or_else(|| "jar-with-dependencies".to_owned())
                )
            }),
        _ => None,
    };
    let named = [shade, assembly]
        .into_iter()
        .flatten()
        .find_map(|plugin| setting(plugin, "finalName"));
    let final_name = match named {
        Some(named) if shape == JavaShape::RunnableJar && boot.is_none() => inherited.fill(&named),
        _ => final_name,
    };
    let target = paths::join(folder, "target");
    let output = match shape {
        JavaShape::None => None,
        JavaShape::QuarkusApp => Some(format!("{target}/quarkus-app")),
        JavaShape::War => final_name.map(|name| format!("{target}/{name}.war")),
        _ => final_name.map(|name| format!("{target}/{name}{}.jar", suffix.unwrap_or_default())),
    };
    let mut dependencies = inherited.dependencies.clone();
    dependencies.extend(
        pom.child("dependencies")
            .into_iter()
            .flat_map(|list| list.all("dependency"))
            .filter_map(|dependency| {
                let unused = matches!(dependency.text_at(&["scope"]), Some("test" | "provided"));
                let (group, artifact) = (
                    dependency.text_at(&["groupId"])?,
                    dependency.text_at(&["artifactId"])?,
                );
                (!unused).then(|| format!("{group}:{artifact}"))
            }),
    );
    let main_class = inherited
        .plugins
        .iter()
        .rev()
        .find_map(|plugin| setting(plugin, "mainClass"));
    MavenModule {
        folder: folder.to_owned(),
        artifact,
        version,
        packaging,
        shape,
        output,
        main_class: main_class.and_then(|class| inherited.fill(&class)),
        dependencies,
        plugins: inherited
            .plugins
            .iter()
            .filter_map(|plugin| plugin.text_at(&["artifactId"]).map(str::to_owned))
            .collect(),
    }
}

/// The first element of this name anywhere in a plugin's configuration.
fn setting(plugin: &Element, name: &str) -> Option<String> {
    let mut found = None;
    plugin.walk(&mut |element| {
        if found.is_none() && element.name == name && !element.text.is_empty() {
            found = Some(element.text.clone());
        }
    });
    found
}

fn has_goal(plugin: &Element, goal: &str) -> bool {
    let mut found = false;
    plugin.walk(&mut |element| found |= element.name == "goal" && element.text == goal);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(files: &[(&'static str, &'static str)]) -> (Project, Maven) {
        let context = Context::in_memory(files.iter().copied());
        let project = MavenStack
            .detect("", &context, &Catalog::default())
            .expect("a Maven project");
        let Details::Maven(maven) = project.details.clone() else {
            panic!("other details");
        };
        (project, *maven)
    }

    #[test]
    fn a_spring_boot_jar_has_its_name_from_properties() {
        let (project, maven) = detect(&[
            (
                "pom.xml",
                "<project><parent><artifactId>spring-boot-starter-parent</artifactId><version>3.3.0</version></parent><artifactId>shop</artifactId><version>${revision}</version><properties><revision>1.2</revision><java.version>21</java.version></properties><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId></dependency><dependency><groupId>g</groupId><artifactId>t</artifactId><scope>test</scope></dependency></dependencies><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId><configuration><classifier>exec</classifier><mainClass>org.example.Shop</mainClass></configuration></plugin></plugins></build></project>",
            ),
            ("mvnw", ""),
            (".mvn/wrapper/maven-wrapper.properties", ""),
            (
                "src/main/resources/application.yml",
                "server:\n  port: 9090\n",
            ),
        ]);
        let module = &maven.modules[0];
        assert_eq!(module.output.as_deref(), Some("target/shop-1.2-exec.jar"));
        assert_eq!(module.shape, JavaShape::RunnableJar);
        assert_eq!(module.main_class.as_deref(), Some("org.example.Shop"));
        assert_eq!(module.dependencies, ["g:a"]);
        assert_eq!(project.language_version.as_deref(), Some("21"));
        assert_eq!(
            project.manifests,
            ["pom.xml", "mvnw", ".mvn/wrapper/maven-wrapper.properties"]
        );
        assert_eq!(project.ports, [9090]);
    }

    #[test]
    fn modules_inherit_version_and_plugins() {
        let (project, maven) = detect(&[
            (
                "pom.xml",
                "<project><artifactId>all</artifactId><version>2.0</version><packaging>pom</packaging><modules><module>core</module><module>web</module><module>no</module></modules></project>",
            ),
            (
                "core/pom.xml",
                "<project><parent><artifactId>all</artifactId><version>2.0</version></parent><artifactId>core</artifactId></project>",
            ),
            (
                "web/pom.xml",
                "<project><parent><artifactId>all</artifactId><version>2.0</version></parent><artifactId>web</artifactId><packaging>war</packaging><build><finalName>${project.artifactId}</finalName></build></project>",
            ),
        ]);
        let outputs: Vec<_> = maven
            .modules
            .iter()
            .map(|module| module.output.as_deref())
            .collect();
        assert_eq!(
            outputs,
            [
                None,
                Some("core/target/core-2.0.jar"),
                Some("web/target/web.war")
            ]
        );
        assert_eq!(project.findings.len(), 1);
    }

    #[test]
    fn shade_assembly_and_quarkus_have_their_own_names() {
        let output = |plugin: &str| {
            let pom = format!(
                "<project><artifactId>a</artifactId><version>1</version><build><plugins><plugin>{plugin}</plugin></plugins></build></project>"
            );
            let root = xml::parse(&pom).0.expect("a root");
            let inherited = Inherited::default().with(&root, "", &Context::in_memory([("x", "")]));
            read_pom(&root, "", &inherited).output
        };
        assert_eq!(
            output("<artifactId>maven-shade-plugin</artifactId>").as_deref(),
            Some("target/a-1.jar")
        );
        assert_eq!(
            output("<artifactId>maven-assembly-plugin</artifactId>").as_deref(),
            Some("target/a-1-jar-with-dependencies.jar")
        );
        assert_eq!(
            output("<artifactId>quarkus-maven-plugin</artifactId>").as_deref(),
            Some("target/quarkus-app")
        );
    }
}
