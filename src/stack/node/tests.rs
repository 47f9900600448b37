//! The Node stack on small contexts of its own.

use super::*;
use crate::stack::usage::{Base, Budget, UnknownKind, Usage};

fn detect(files: &[(&str, &str)]) -> (Project, Context) {
    let context = Context::in_memory(files.iter().copied());
    let project = NodeStack
        .detect("", &context, &Catalog::default())
        .expect("there is a package.json");
    (project, context)
}

fn node(project: &Project) -> &Node {
    match &project.details {
        Details::Node(node) => node,
        _ => panic!("it is a Node project"),
    }
}

fn facts(evidence: &[Evidence]) -> Vec<&str> {
    evidence
        .iter()
        .map(|evidence| evidence.fact.as_str())
        .collect()
}

fn scanned(source: &str) -> Usage {
    let mut usage = Usage::default();
    scan::scan("src/a.js", source.as_bytes(), &mut usage);
    usage
}

fn names(list: &[crate::stack::usage::Named]) -> Vec<&str> {
    list.iter().map(|named| named.name.as_str()).collect()
}

fn lock(path: &str, text: &str) -> Lock {
    Lock::parse(path, text, &mut Vec::new()).expect("the lock file is well formed")
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse("package.json", text, &mut Vec::new()).expect("the manifest is well formed")
}

#[test]
fn the_manager_is_who_wrote_the_lock_file_unless_one_is_named() {
    let of = |files: &[(&str, &str)]| node(&detect(files).0).manager;
    assert_eq!(of(&[("package.json", "{}")]), Manager::Npm);
    assert_eq!(
        of(&[("package.json", "{}"), ("yarn.lock", "")]),
        Manager::Yarn
    );
    assert_eq!(
        of(&[
            ("package.json", "{}"),
            ("yarn.lock", ""),
            (".yarnrc.yml", "")
        ]),
        Manager::YarnBerry
    );
    assert_eq!(
        of(&[("package.json", "{}"), ("pnpm-lock.yaml", "")]),
        Manager::Pnpm
    );
    assert_eq!(
        of(&[
            ("package.json", r#"{"packageManager": "pnpm@9.0.0"}"#),
            ("package-lock.json", "{}")
        ]),
        Manager::Pnpm
    );
}

#[test]
fn findings_name_what_is_contradictory() {
    let (project, _) = detect(&[
        (
            "package.json",
            r#"{"name": 1, "dependencies": {"a": "file:../a"}}"#,
        ),
        ("yarn.lock", ""),
        ("pnpm-lock.yaml", ""),
        ("package-lock.json", "{}"),
        (".npmrc", "//registry.npmjs.org/:_authToken=npm_secret\n"),
        (".dockerignore", "package-lock.json\n"),
    ]);
    let findings = facts(&project.findings);
    for fact in [
        "`name` is not a string",
        "the lock file is hidden by .dockerignore",
        "there are lock files of pnpm and yarn",
        "`//registry.npmjs.org/:_authToken` holds a secret",
        "`a` comes from `../a`, which is not in the context",
    ] {
        assert!(findings.contains(&fact), "{fact} in {findings:?}");
    }
    assert!(!format!("{project:?}").contains("npm_secret"));
}

#[test]
fn a_malformed_manifest_is_a_project_with_a_finding() {
    let (project, _) = detect(&[("package.json", "{\"a\": }")]);
    assert_eq!(facts(&project.findings), ["the manifest is not valid JSON"]);
}

#[test]
fn workspaces_are_found_by_pattern() {
    let (project, _) = detect(&[
        (
            "package.json",
            r#"{"workspaces": ["packages/*", "!packages/old"]}"#,
        ),
        ("packages/a/package.json", r#"{"name": "a"}"#),
        ("packages/old/package.json", "{}"),
        ("packages/a/node_modules/x/package.json", "{}"),
        ("other/package.json", "{}"),
    ]);
    assert_eq!(
        project.manifests,
        ["package.json", "packages/a/package.json"]
    );
    let (project, _) = detect(&[
        ("package.json", "{}"),
        (
            "pnpm-workspace.yaml",
            "packages:\n  - 'apps/*'\n  - \"libs/**\"\n",
        ),
        ("apps/web/package.json", "{}"),
        ("libs/x/y/package.json", "{}"),
    ]);
    assert_eq!(node(&project).workspaces.len(), 2);
}

const NPM3: &str = r#"{"lockfileVersion": 3, "packages": {
    "": {"dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2"}},
    "node_modules/a": {"version": "1.1.0", "resolved": "https://registry.npmjs.org/a/-/a-1.1.0.tgz", "hasInstallScript": true,
        "bin": {"aa": "cli.js"}, "dependencies": {"b": "1"}},
    "node_modules/a/node_modules/b": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/x/b.git#abc"},
    "node_modules/d": {"version": "2.0.0", "dev": true},
    "node_modules/w": {"resolved": "packages/w", "link": true},
    "packages/w": {"name": "w", "version": "0.0.0", "dependencies": {"a": "^1.0.0"}}
}}"#;

#[test]
fn npm_locks_say_what_they_install() {
    let lock = lock("package-lock.json", NPM3);
    assert_eq!(lock.format, LockFormat::Npm(3));
    let a = lock.package("a").expect("a is locked");
    assert_eq!(
        (a.version.as_str(), a.has_install_script, a.dev),
        ("1.1.0", Some(true), Some(false))
    );
    assert_eq!(a.source, PackageSource::Registry);
    assert!(matches!(
        lock.package("b").map(|b| (&b.source, b.hoisted)),
        Some((PackageSource::Git(_), false))
    ));
    assert_eq!(
        lock.package("w").map(|w| w.source.clone()),
        Some(PackageSource::Link("packages/w".into()))
    );
    assert_eq!(
        lock.provider_of("aa").map(|package| package.name.as_str()),
        Some("a")
    );
    assert_eq!(lock.has_install_scripts(), Some(true));
    assert!(lock.missing.is_empty(), "{:?}", lock.missing);
}

#[test]
fn npm_ci_takes_a_lock_only_with_the_same_ranges() {
    let lock = lock("package-lock.json", NPM3);
    let same = manifest(r#"{"dependencies": {"a": "^1.0.0"}, "devDependencies": {"d": "2"}}"#);
    assert_eq!(lock.agreement(&[&same], false), Agreement::Agrees);
    for text in [
        r#"{"dependencies": {"a": "^1.0.1"}, "devDependencies": {"d": "2"}}"#,
        r#"{"dependencies": {"a": "^1.0.0", "new": "1"}, "devDependencies": {"d": "2"}}"#,
        r#"{"dependencies": {"a": "^1.0.0"}}"#,
    ] {
        assert!(
            matches!(
                lock.agreement(&[&manifest(text)], false),
                Agreement::Differs(_)
            ),
            "{text}"
        );
    }
}

#[test]
fn a_lock_that_lacks_a_peer_is_not_taken() {
    let text = r#"{"lockfileVersion": 2, "packages": {"": {"dependencies": {"a": "1"}},
        "node_modules/a": {"version": "1.0.0", "peerDependencies": {"p": "1", "q": "1"}, "peerDependenciesMeta": {"q": {"optional": true}}}}}"#;
    let lock = lock("package-lock.json", text);
    assert_eq!(lock.missing_peers, ["p"]);
    assert!(matches!(
        lock.agreement(&[&manifest(r#"{"dependencies": {"a": "1"}}"#)], false),
        Agreement::Differs(_)
    ));
}

#[test]
fn old_npm_locks_are_judged_by_version() {
    let text = r#"{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.2.0", "dependencies": {"b": {"version": "0.1.0", "dev": true}}}}}"#;
    let lock = lock("package-lock.json", text);
    assert_eq!(lock.has_install_scripts(), None);
    assert_eq!(
        lock.agreement(&[&manifest(r#"{"dependencies": {"a": "^1.0.0"}}"#)], false),
        Agreement::Agrees
    );
    assert!(matches!(
        lock.agreement(&[&manifest(r#"{"dependencies": {"a": "^2.0.0"}}"#)], false),
        Agreement::Differs(_)
    ));
    assert!(matches!(
        lock.agreement(&[&manifest(r#"{"dependencies": {"a": "next"}}"#)], false),
        Agreement::Unknown(_)
    ));
}

#[test]
fn yarn_locks_of_both_kinds() {
    let classic = lock(
        "yarn.lock",
        "# yarn lockfile v1\n\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.2.0\"\n  resolved \"https://registry.yarnpkg.com/@s/a/-/a-1.2.0.tgz#f\"\n  dependencies:\n    b \"1\"\n\nb@1:\n  version \"1.0.0\"\n",
    );
    assert_eq!(classic.packages.len(), 2);
    assert_eq!(
        classic.package("@s/a").map(|a| a.version.as_str()),
        Some("1.2.0")
    );
    assert_eq!(
        classic.agreement(
            &[&manifest(
                r#"{"dependencies": {"@s/a": "^1.1.0", "b": "1"}}"#
            )],
            false
        ),
        Agreement::Agrees
    );
    assert!(matches!(
        classic.agreement(&[&manifest(r#"{"dependencies": {"b": "2"}}"#)], false),
        Agreement::Differs(_)
    ));
    let berry = lock(
        "yarn.lock",
        "__metadata:\n  version: 8\n\n\"a@npm:^1.0.0, a@npm:^1.1.0\":\n  version: 1.2.0\n  resolution: \"a@npm:1.2.0\"\n  bin:\n    aa: cli.js\n  languageName: node\n  linkType: hard\n\n\"root@workspace:.\":\n  version: 0.0.0-use.local\n  linkType: soft\n",
    );
    assert_eq!(berry.format, LockFormat::YarnBerry);
    assert_eq!(
        berry.provider_of("aa").map(|package| package.name.as_str()),
        Some("a")
    );
    assert_eq!(
        berry.package("root").map(|root| root.source.clone()),
        Some(PackageSource::Link(".".into()))
    );
    assert_eq!(
        berry.agreement(&[&manifest(r#"{"dependencies": {"a": "^1.1.0"}}"#)], false),
        Agreement::Agrees
    );
}

#[test]
fn pnpm_locks_from_five_to_nine() {
    let five = lock(
        "pnpm-lock.yaml",
        "lockfileVersion: 5.4\n\nspecifiers:\n  a: ^1.0.0\n\ndependencies:\n  a: 1.2.0\n\npackages:\n\n  /@s/b/2.0.0_a@1.2.0:\n    resolution: {integrity: x}\n    requiresBuild: true\n    dev: true\n\n  /a/1.2.0:\n    resolution: {integrity: x}\n    dev: false\n",
    );
    assert_eq!(five.format, LockFormat::Pnpm(5));
    let b = five.package("@s/b").expect("b is locked");
    assert_eq!(
        (b.version.as_str(), b.has_install_script, b.dev),
        ("2.0.0", Some(true), Some(true))
    );
    assert_eq!(
        five.package("a").and_then(|a| a.has_install_script),
        Some(false)
    );
    assert_eq!(
        five.agreement(&[&manifest(r#"{"dependencies": {"a": "^1.0.0"}}"#)], false),
        Agreement::Agrees
    );
    let nine = lock(
        "pnpm-lock.yaml",
        "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@s/b':\n        specifier: ^2.0.0\n        version: 2.0.0(a@1.0.0)\n  packages/w:\n    devDependencies:\n      a:\n        specifier: '1'\n        version: 1.0.0\n\npackages:\n\n  '@s/b@2.0.0':\n    resolution: {integrity: x}\n    peerDependencies:\n      a: '1'\n\n  g@https://codeload.github.com/x/g/tar.gz/abc:\n    resolution: {tarball: https://codeload.github.com/x/g/tar.gz/abc}\n    version: 1.0.0\n\nsnapshots:\n\n  '@s/b@2.0.0(a@1.0.0)': {}\n",
    );
    assert_eq!(nine.packages.len(), 2);
    assert_eq!(
        nine.package("@s/b").and_then(|b| b.has_install_script),
        None
    );
    assert!(matches!(
        nine.package("g").map(|g| &g.source),
        Some(PackageSource::Url(_))
    ));
    assert_eq!(
        nine.agreement(
            &[&manifest(r#"{"dependencies": {"@s/b": "^2.0.0"}}"#)],
            false
        ),
        Agreement::Agrees
    );
    assert!(matches!(
        nine.agreement(
            &[&manifest(r#"{"dependencies": {"@s/b": "^2.1.0"}}"#)],
            false
        ),
        Agreement::Differs(_)
    ));
}

#[test]
fn bun_locks_are_json_with_trailing_commas() {
    let lock = lock(
        "bun.lock",
        r#"{"lockfileVersion": 1, "workspaces": {"": {"name": "x", "dependencies": {"a": "^1"},},},
            "packages": {"a": ["a@1.0.0", "", {"bin": {"aa": "x.js"}}, "sha512-x"], "a/b": ["b@2.0.0", "", {}, ""],}}"#,
    );
    assert_eq!(lock.packages.len(), 2);
    assert_eq!(
        lock.provider_of("aa")
            .map(|package| package.version.as_str()),
        Some("1.0.0")
    );
    assert_eq!(
        lock.agreement(&[&manifest(r#"{"dependencies": {"a": "^1"}}"#)], false),
        Agreement::Agrees
    );
}

#[test]
fn malformed_locks_are_findings() {
    for (path, text, fact) in [
        (
            "package-lock.json",
            "{\n",
            "the lock file is malformed in line 2",
        ),
        (
            "yarn.lock",
            "<<<<<<< HEAD\n",
            "the lock file holds merge conflict markers",
        ),
        (
            "pnpm-lock.yaml",
            "a: b\n",
            "the lock file does not say its version",
        ),
    ] {
        let mut findings = Vec::new();
        assert!(Lock::parse(path, text, &mut findings).is_none());
        assert_eq!(facts(&findings), [fact]);
    }
}

#[test]
fn install_scripts_say_what_they_read() {
    let (project, _) = detect(&[
        (
            "package.json",
            r#"{"scripts": {"preinstall": "node scripts/check.js", "postinstall": "prisma generate && npm run patch", "prepare": "husky",
                "patch": "patch-package", "build": "tsc"}, "devDependencies": {"husky": "9", "prisma": "5"}}"#,
        ),
        ("binding.gyp", ""),
    ]);
    let needs: Vec<(&str, &[Need])> = node(&project)
        .install_scripts
        .iter()
        .map(|script| (script.name.as_str(), script.needs.as_slice()))
        .collect();
    let path = |path: &str| Need::Path(path.to_owned());
    let dev = |name: &str| Need::DevDependency(name.to_owned());
    assert_eq!(
        needs,
        [
            (
                "preinstall",
                [
                    path("scripts/check.js"),
                    Need::Unknown("node scripts/check.js".into())
                ]
                .as_slice()
            ),
            (
                "postinstall",
                &[path("patches"), path("prisma"), dev("prisma")]
            ),
            ("prepare", &[Need::Git, dev("husky")]),
        ]
    );
}

fn launch(scripts: &str, line: &str) -> Launch {
    let (project, _) = detect(&[(
        "package.json",
        &format!(
            r#"{{"main": "lib/main.js", "scripts": {{{scripts}}}, "dependencies": {{"next": "15", "serve": "14"}},
                "devDependencies": {{"nodemon": "3", "ts-node": "10"}}}}"#
        ),
    )]);
    node(&project).launch_line(line)
}

#[test]
fn a_start_is_followed_to_its_program() {
    let plain = launch(
        r#""start": "cross-env NODE_ENV=production node -r dotenv/config dist/main.js""#,
        "npm run start -- --port 1",
    );
    assert_eq!(plain.kind, LaunchKind::Node);
    assert_eq!(
        plain.words,
        ["node", "-r", "dotenv/config", "dist/main.js", "--port", "1"]
    );
    assert_eq!(plain.entry.as_deref(), Some("dist/main.js"));
    assert_eq!(plain.preloads, ["dotenv/config"]);
    assert_eq!(
        plain.environment,
        [("NODE_ENV".to_owned(), "production".to_owned())]
    );
    assert_eq!(plain.scripts, [("npm".to_owned(), "start".to_owned())]);

    let next = launch(r#""start": "next start -p 3000""#, "yarn start");
    assert_eq!(
        (next.kind, next.package.as_deref(), next.role),
        (LaunchKind::Production, Some("next"), Some(Role::Production))
    );

    assert_eq!(launch("", "node .").entry.as_deref(), Some("lib/main.js"));
    assert_eq!(launch("", "npm start").entry.as_deref(), Some("server.js"));
    assert_eq!(
        launch("", "npx serve -s build -l 3000").kind,
        LaunchKind::Static {
            folder: "build".into(),
            single_page: true
        }
    );
    assert_eq!(
        launch("", "npx serve -l 3000 -s dist").kind,
        LaunchKind::Static {
            folder: "dist".into(),
            single_page: true
        }
    );
}

#[test]
fn hooks_builds_and_development_servers_are_told_apart() {
    let hooked = launch(
        r#""prestart": "npm run build", "start": "node dist/x.js", "build": "tsc""#,
        "npm start",
    );
    assert_eq!(hooked.kind, LaunchKind::Builds);
    assert_eq!(hooked.hooks.len(), 1);
    assert_eq!(
        launch(r#""start": "tsc && node dist/x.js""#, "npm start").kind,
        LaunchKind::Builds
    );
    for line in [
        "npx nodemon app.js",
        "vite",
        "vite --host",
        "react-scripts start",
        "ng serve",
        "nest start",
        "next dev",
        "node -r ts-node/register src/main.ts",
        "node node_modules/.bin/nodemon x.js",
        "node --watch a.js",
    ] {
        assert_eq!(launch("", line).kind, LaunchKind::Development, "{line}");
    }
    for line in [
        "node app.js | tee log",
        "./start.sh",
        "npm run missing",
        "npm --prefix api start",
        "node $APP",
        "node",
    ] {
        assert_eq!(launch("", line).kind, LaunchKind::Unknown, "{line}");
    }
    let circle = launch(r#""a": "npm run b", "b": "npm run a""#, "npm run a");
    assert_eq!(circle.kind, LaunchKind::Unknown);
}

#[test]
fn outputs_of_a_build() {
    let of = |files: &[(&str, &str)]| {
        let (project, context) = detect(files);
        node(&project).outputs_of(&context, "build")
    };
    let scripts = |text: &str| {
        format!(
            r#"{{"scripts": {{"build": "{text}"}}, "dependencies": {{"next": "15", "vite": "5"}}}}"#
        )
    };
    assert_eq!(
        of(&[
            (
                "package.json",
                &scripts("rimraf dist && tsc -p tsconfig.json")
            ),
            (
                "tsconfig.json",
                r#"{"extends": "./base", /* c */ "compilerOptions": {"rootDir": "src",}}"#
            ),
            ("base.json", r#"{"compilerOptions": {"outDir": "./lib"}}"#),
        ]),
        Some(vec!["lib".to_owned()])
    );
    assert_eq!(
        of(&[("package.json", &scripts("next build"))]),
        Some(vec![".next".to_owned()])
    );
    assert_eq!(
        of(&[
            ("package.json", &scripts("vite build")),
            (
                "vite.config.ts",
                "export default { build: { outDir: 'public' } }"
            )
        ]),
        Some(vec!["public".to_owned()])
    );
    assert_eq!(of(&[("package.json", &scripts("node build.js"))]), None);
    assert_eq!(of(&[("package.json", "{}")]), None);
}

#[test]
fn imports_of_every_form() {
    let usage = scanned(
        "import a from 'a'; import 'b/c';\nimport { x as y, z } from \"@s/d\"\nimport type { T } from 'types'\nexport * from './e'\n\
         const f = require('f'), g = await import('g');\n// require('no')\nconst s = \"require('no')\"\nrequire.resolve('h')\n\
         x.require('no');\nimport i = require('i')",
    );
    assert_eq!(
        names(&usage.imports),
        ["a", "b/c", "@s/d", "./e", "f", "g", "h", "i"]
    );
    assert_eq!(usage.imports[2].place.to_string(), "src/a.js:2");
}

#[test]
fn computed_imports_are_known_to_be_the_own_ones_or_not() {
    let usage = scanned(
        "require(name); require('./x/' + y); require(path.join(__dirname, f)); require(path.join(__dirname, '../m'))",
    );
    let kinds: Vec<_> = usage.unknown.iter().map(|unknown| unknown.kind).collect();
    assert_eq!(
        kinds,
        [
            UnknownKind::Module,
            UnknownKind::OwnModule,
            UnknownKind::OwnModule
        ]
    );
    assert_eq!(names(&usage.imports), ["../m"]);
}

#[test]
fn files_that_are_read_and_written() {
    let usage = scanned(
        "const dir = path.join(__dirname, '..', 'public');\napp.use(express.static(dir)); app.set('views', `${__dirname}/views`);\n\
         fs.readFileSync('conf/a.json'); fs.readFileSync('/etc/x');\nfs.writeFile('log/' + name, data); require('multer')({ dest: 'uploads/' });\n\
         const sqlite3 = require('sqlite3'); new sqlite3.Database(':memory:'); new Database('data/app.db'); fs.createWriteStream(file);\n\
         createReadStream(new URL('./t.txt', import.meta.url)); readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'u'))",
    );
    let shape = |list: &[crate::stack::usage::PathUse]| {
        list.iter()
            .map(|used| (used.path.clone(), used.base, used.exact))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shape(&usage.reads),
        [
            ("../public".to_owned(), Base::Source, true),
            ("views".to_owned(), Base::Source, true),
            ("conf/a.json".to_owned(), Base::Working, true),
            ("etc/x".to_owned(), Base::Root, true),
            ("t.txt".to_owned(), Base::Source, true),
            ("u".to_owned(), Base::Source, true),
        ]
    );
    assert_eq!(
        shape(&usage.writes),
        [
            ("log".to_owned(), Base::Working, false),
            ("uploads".to_owned(), Base::Working, true),
            ("data/app.db".to_owned(), Base::Working, true),
        ]
    );
    assert_eq!(usage.reads[0].in_context("").as_deref(), Some("public"));
    assert!(
        usage
            .unknown
            .iter()
            .any(|unknown| unknown.kind == UnknownKind::Write)
    );
}

#[test]
fn programs_ports_and_environment() {
    let usage = scanned(
        "const { exec, spawn: run } = require('node:child_process'); exec('git log'); run('ffmpeg', []); /x/.exec('no');\n\
         import * as cp from 'child_process'; cp.execSync(`convert ${a}`); cp.exec(command);\n\
         const port = process.env.PORT || 3000; app.listen(port); const { HOST, DB_URL } = process.env;\n\
         server.listen({ port: 8080 }); new Worker(process.env['X']); db({ port: 5432 }); pino({ transport: { target: 'pino-pretty' } });\n\
         require('dotenv').config(); process.env.npm_package_version; app.set('view engine', 'pug');",
    );
    assert_eq!(names(&usage.programs), ["git", "ffmpeg", "convert"]);
    assert!(
        usage
            .unknown
            .iter()
            .any(|unknown| unknown.kind == UnknownKind::Program)
    );
    assert_eq!(
        usage.ports.iter().copied().collect::<Vec<_>>(),
        [3000, 8080]
    );
    for name in ["PORT", "HOST", "DB_URL", "X", "npm_package_version"] {
        assert!(usage.environment.contains(name), "{name}");
    }
    assert_eq!(names(&usage.mentions), ["pino-pretty", "pug"]);
    assert!(!usage.env_files.is_empty());
}

#[test]
fn development_packages_at_run_time_are_found_from_the_entry() {
    let (project, context) = detect(&[
        (
            "package.json",
            r#"{"scripts": {"start": "node dist/main.js"}, "dependencies": {"express": "4"},
                "devDependencies": {"morgan": "1", "jest": "29", "tslib": "2", "typescript": "5"}}"#,
        ),
        (
            "tsconfig.json",
            r#"{"compilerOptions": {"outDir": "dist", "rootDir": "src", "importHelpers": true}}"#,
        ),
        (
            "src/main.ts",
            "import express from 'express'; import { x } from './x.js'",
        ),
        (
            "src/x.ts",
            "import morgan from 'morgan'; export const x = 1",
        ),
        ("src/unused.ts", "import jest from 'jest'"),
    ]);
    let node = node(&project);
    let launch = node.launch_line("npm start");
    let reach = node.reach(&context, &launch, Budget::default());
    assert!(reach.from_entry);
    assert_eq!(reach.usage.files.len(), 2);
    let packages: Vec<String> = node
        .development_at_run_time(&launch, &reach)
        .into_iter()
        .map(|used| used.package)
        .collect();
    assert_eq!(packages, ["morgan", "tslib"]);
}

#[test]
fn a_computed_import_makes_all_sources_count() {
    let (project, context) = detect(&[
        ("package.json", r#"{"devDependencies": {"morgan": "1"}}"#),
        (
            "index.js",
            "fs.readdirSync(__dirname).forEach(f => require(path.join(__dirname, f)))",
        ),
        ("routes.js", "require('morgan')"),
        ("test/a.js", "require('chai')"),
    ]);
    let node = node(&project);
    let launch = node.launch_line("node index.js");
    let reach = node.reach(&context, &launch, Budget::default());
    assert!(!reach.from_entry);
    assert_eq!(node.development_at_run_time(&launch, &reach).len(), 1);
    assert!(reach.usage.loads("chai", '/').is_none());
    let bounded = node.reach(
        &context,
        &launch,
        Budget {
            files: 1,
            bytes: 1 << 20,
        },
    );
    assert!(bounded.usage.truncated);
}

proptest::proptest! {
    #[test]
    fn any_source_is_scanned(source in "[a-c'\"`${}()/.,=: \\\\\n]{0,120}|(require|path|join|__dirname|process|env|import|from|config|[(.,)'=])*") {
        scanned(&source);
    }

    #[test]
    fn any_lock_is_read(text in "[a-c@/:\"' \n{}(),1.^-]{0,120}") {
        for path in ["yarn.lock", "pnpm-lock.yaml", "bun.lock", "package-lock.json"] {
            let _ = Lock::parse(path, &text, &mut Vec::new());
        }
    }
}

#[test]
fn scanning_is_linear_on_hostile_sources() {
    for unit in [
        "path.join(",
        "a + ",
        "process.env.PORT || ",
        "import {",
        "exec(",
        "`${",
    ] {
        let source = unit.repeat(100_000);
        let started = std::time::Instant::now();
        scanned(&source);
        assert!(started.elapsed().as_secs() < 5, "{unit}");
    }
}
