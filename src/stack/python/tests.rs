//! The Python stack on small contexts of its own.

use super::*;
use crate::stack::usage::{Base, Named, PathUse, UnknownKind};

fn detect(files: &[(&str, &str)]) -> (Project, Context) {
    let context = Context::in_memory(files.iter().copied());
    let project = PythonStack
        .detect("", &context, &Catalog::default())
        .expect("it is a Python project");
    (project, context)
}

fn python(project: &Project) -> &Python {
    match &project.details {
        Details::Python(python) => python,
        _ => panic!("it is a Python project"),
    }
}

fn scanned(source: &str) -> Usage {
    let mut usage = Usage::default();
    scan::scan("app/a.py", source.as_bytes(), &mut usage);
    usage
}

fn names(list: &[Named]) -> Vec<&str> {
    list.iter().map(|named| named.name.as_str()).collect()
}

fn shape(list: &[PathUse]) -> Vec<(&str, Base, bool)> {
    list.iter()
        .map(|used| (used.path.as_str(), used.base, used.exact))
        .collect()
}

#[test]
fn pip_projects_know_their_frameworks_and_scripts() {
    let (project, context) = detect(&[
        ("requirements.txt", "-r requirements/base.txt\nFlask==3.0\n"),
        ("requirements/base.txt", "gunicorn==21\n"),
        (".python-version", "3.12\n"),
        ("app.py", ""),
    ]);
    let python = python(&project);
    assert_eq!(python.manager, Manager::Pip);
    assert_eq!(python.frameworks, [FrameworkKind::Flask]);
    assert!(python.scripts.contains("gunicorn") && python.dependencies_complete);
    assert_eq!(project.language_version.as_deref(), Some("3.12"));
    assert_eq!(
        project.manifests,
        ["requirements.txt", "requirements/base.txt"]
    );
    assert!(!python.is_closed(&context));
}

#[test]
fn poetry_projects_with_groups_and_a_lock() {
    let (project, context) = detect(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = 'My_App'\nreadme = 'README.md'\n[tool.poetry.dependencies]\npython = '^3.11'\nfastapi = {version = '^0.1', extras = ['all']}\nlib = {path = './lib'}\nopt = {version = '1', optional = true}\n[tool.poetry.group.dev.dependencies]\npytest = '*'\n[tool.poetry.group.docs]\noptional = true\n[tool.poetry.scripts]\nserve = 'a:b'\n[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n",
        ),
        (
            "poetry.lock",
            "[[package]]\nname = 'fastapi'\nversion = '0.1.0'\ngroups = ['main']\nfiles = [{file = 'fastapi-0.1.0-py3-none-any.whl', hash = 'x'}]\n[package.dependencies]\nStarlette = '>=0.2'\n[[package]]\nname = 'starlette'\nversion = '0.2.0'\nfiles = [{file = 'starlette-0.2.0.tar.gz', hash = 'x'}]\n[[package]]\nname = 'pytest'\nversion = '8'\nfiles = [{file = 'pytest-8-cp312-cp312-win_amd64.whl', hash = 'x'}, {file = 'pytest-8.tar.gz', hash = 'x'}]\n",
        ),
        ("README.md", ""),
    ]);
    let python = python(&project);
    assert_eq!(
        (python.manager, project.language_version.as_deref()),
        (Manager::Poetry, Some("^3.11"))
    );
    assert_eq!(project.manifests, ["README.md", "pyproject.toml"]);
    let pyproject = python.pyproject.as_ref().expect("it is well formed");
    assert_eq!(pyproject.name.as_deref(), Some("my-app"));
    assert_eq!(pyproject.local_paths, ["lib"]);
    assert!(pyproject.groups.contains_key("dev") && pyproject.optional_groups.contains("docs"));
    assert_eq!(python.dependencies.len(), 2);
    assert!(python.scripts.contains("serve"));
    let lock = python.lock(&context).expect("it is well formed");
    let installed: Vec<&str> = lock
        .closure(["fastapi"])
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(installed, ["fastapi", "starlette"]);
    assert_eq!(
        lock.package("fastapi")
            .and_then(|package| package.has_linux_wheel),
        Some(true)
    );
    assert_eq!(
        lock.package("starlette")
            .and_then(|package| package.has_wheel),
        Some(false)
    );
    assert_eq!(
        lock.package("pytest")
            .and_then(|package| package.has_linux_wheel),
        Some(false)
    );
}

#[test]
fn uv_projects_with_workspace_sources() {
    let (project, context) = detect(&[
        (
            "pyproject.toml",
            "[project]\nname = 'a'\nrequires-python = '>=3.12'\ndependencies = ['streamlit>=1', 'b']\nreadme = {file = 'R.md'}\nlicense-files = ['LIC*']\n[project.scripts]\ncli = 'a:main'\n[dependency-groups]\ndev = ['ruff', {include-group = 'x'}]\n[tool.uv.sources]\nb = {path = '../b'}\n[tool.uv.workspace]\nmembers = ['packages/*']\n",
        ),
        (
            "uv.lock",
            "version = 1\nrequires-python = '>=3.12'\n[[package]]\nname = 'b'\nversion = '0'\nsource = { editable = '../b' }\ndependencies = [{ name = 'c' }]\nwheels = [{ url = 'https://x/b-0-cp312-cp312-manylinux_2_17_x86_64.whl' }]\n",
        ),
    ]);
    let python = python(&project);
    assert_eq!(python.manager, Manager::Uv);
    let pyproject = python.pyproject.as_ref().expect("it is well formed");
    assert!(!pyproject.is_package && pyproject.local_paths.is_empty());
    assert_eq!(pyproject.workspace, ["packages/*"]);
    assert_eq!(pyproject.build_files, ["R.md"]);
    let lock = python.lock(&context).expect("it is well formed");
    let b = lock.package("b").expect("b is locked");
    assert_eq!(
        (
            b.source.as_deref(),
            b.has_linux_wheel,
            b.dependencies.as_slice()
        ),
        (Some("../b"), Some(true), ["c".to_owned()].as_slice())
    );
}

#[test]
fn pipenv_pdm_setup_and_broken_ones() {
    let (project, context) = detect(&[
        (
            "Pipfile",
            "[packages]\nDjango = '*'\n[dev-packages]\npytest = '*'\n",
        ),
        (
            "Pipfile.lock",
            r#"{"_meta": {"requires": {"python_version": "3.11"}}, "default": {"django": {"version": "==5.0"}}, "develop": {}}"#,
        ),
    ]);
    assert_eq!(python(&project).manager, Manager::Pipenv);
    assert_eq!(python(&project).frameworks, [FrameworkKind::Django]);
    let lock = python(&project).lock(&context).expect("it is well formed");
    assert_eq!(
        (lock.python.as_deref(), lock.packages[0].version.as_str()),
        (Some("3.11"), "5.0")
    );

    let (project, _) = detect(&[
        (
            "setup.py",
            "setup(name='x', install_requires=['flask>=2', 'gunicorn'], python_requires='>=3.9', long_description=open('README.md').read(), entry_points={'console_scripts': ['run=x.y:main']})",
        ),
        ("README.md", ""),
    ]);
    let setup = python(&project)
        .setup
        .as_ref()
        .expect("there is a setup.py");
    assert!(!setup.computed && setup.reads == ["README.md"] && setup.scripts == ["run"]);
    assert_eq!(project.manifests, ["README.md", "setup.py"]);
    let computed = Context::in_memory([(
        "setup.py",
        "setup(install_requires=open(f).read().splitlines())",
    )]);
    assert!(Setup::read(&computed, "").is_some_and(|setup| setup.computed));

    let (project, _) = detect(&[("pyproject.toml", "[project\n")]);
    assert_eq!(
        project.findings[0],
        Evidence::new("the manifest is not valid TOML", "pyproject.toml:1")
    );
    let none = Context::in_memory([("pyproject.toml", "[tool.black]\nline-length = 1\n")]);
    assert!(PythonStack.detect("", &none, &Catalog::default()).is_none());
}

#[test]
fn django_projects_know_where_collectstatic_writes() {
    let (project, _) = detect(&[
        ("requirements.txt", "django\n"),
        (
            "web/manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')",
        ),
        (
            "web/site1/settings.py",
            "BASE_DIR = Path(__file__).resolve().parent.parent\nSTATIC_URL = '/static/'\nSTATIC_ROOT = BASE_DIR / 'staticfiles'\n",
        ),
    ]);
    let django = python(&project)
        .django
        .as_ref()
        .expect("there is a manage.py");
    assert_eq!(
        django.settings_file.as_deref(),
        Some("web/site1/settings.py")
    );
    assert_eq!(django.static_root.as_deref(), Some("web/staticfiles"));
    let (project, _) = detect(&[
        ("manage.py", "setdefault(\"DJANGO_SETTINGS_MODULE\", \"s\")"),
        ("s.py", "STATIC_ROOT = 'a'\nSTATIC_ROOT = env('X')\n"),
    ]);
    assert_eq!(
        python(&project)
            .django
            .as_ref()
            .and_then(|django| django.static_root.clone()),
        None
    );
}

#[test]
fn starts_are_understood() {
    let (project, context) = detect(&[
        ("requirements.txt", "uvicorn\ngunicorn\nflask\n"),
        ("app/main.py", ""),
        ("src/pkg/__main__.py", ""),
        ("manage.py", ""),
    ]);
    let python = python(&project);
    let launch = |line: &str| python.launch_line(&context, "", line);
    let uvicorn = launch("uv run --frozen uvicorn app.main:app --host 0.0.0.0 --port 8000");
    assert_eq!(
        (uvicorn.kind, uvicorn.runner.as_deref(), uvicorn.port),
        (LaunchKind::Server, Some("uv"), Some(8000))
    );
    assert_eq!(
        (uvicorn.target.as_deref(), uvicorn.entry.as_deref()),
        (Some("app.main:app"), Some("app/main.py"))
    );
    let gunicorn = launch("gunicorn -b 0.0.0.0:5000 -w 4 app.main:app");
    assert_eq!(
        (gunicorn.kind, gunicorn.port, gunicorn.entry.as_deref()),
        (LaunchKind::Server, Some(5000), Some("app/main.py"))
    );
    for (line, kind) in [
        ("python -u app/main.py", LaunchKind::Script),
        ("python3.12 -m pkg", LaunchKind::Module),
        (
            "python manage.py runserver 0.0.0.0:8000",
            LaunchKind::Development,
        ),
        ("python -m flask run --host=0.0.0.0", LaunchKind::Framework),
        ("uvicorn app.main:app --reload", LaunchKind::Development),
        (
            "streamlit run app/main.py --server.port=8501",
            LaunchKind::Streamlit,
        ),
        ("celery -A app.main worker", LaunchKind::Celery),
        (
            "python manage.py migrate && gunicorn app.main",
            LaunchKind::Server,
        ),
        ("./run.sh", LaunchKind::Unknown),
        ("python a.py | tee log", LaunchKind::Unknown),
        ("python -c 'x'", LaunchKind::Unknown),
    ] {
        assert_eq!(launch(line).kind, kind, "{line}");
    }
    assert_eq!(
        launch("streamlit run app/main.py --server.port=8501").port,
        Some(8501)
    );
}

#[test]
fn imports_of_every_form() {
    let usage = scanned(
        "import os, numpy as np\nfrom a.b import (c,\n  d as e)\nfrom . import x\nfrom ..y import z\n# import no\n'import no'\n\
         if t: import late\n__import__('dyn'); importlib.import_module('mod.x')\nimportlib.import_module(name)\nx = y.import_thing\n",
    );
    assert_eq!(
        names(&usage.imports),
        [
            "os", "numpy", "a.b", "a.b.c", "a.b.d", ".", ".x", "..y", "..y.z", "late", "dyn",
            "mod.x"
        ]
    );
    assert_eq!(usage.unknown[0].kind, UnknownKind::Module);
    assert_eq!(usage.loads("a.b", '.').map(|place| place.line), Some(2));
}

#[test]
fn files_programs_and_libraries() {
    let usage = scanned(
        "BASE = os.path.dirname(os.path.abspath(__file__))\nHERE = Path(__file__).resolve().parent\n\
         open(os.path.join(BASE, 'data', 'a.json'))\nwith open('out.txt', 'w') as f: pass\nopen(f'logs/{x}.log', mode='a')\n\
         (HERE / 'b.txt').read_text()\nT = HERE.parent / 't'\nT.read_text()\nPath('c.txt').write_text('')\nopen('/etc/hosts')\n\
         sqlite3.connect('db.sqlite3'); create_engine('sqlite:///./test.db'); sqlite3.connect(':memory:')\n\
         subprocess.run(['git', 'log']); os.system('ffmpeg -i x'); subprocess.Popen(cmd); subprocess.run([sys.executable, '-m', 'x'])\n\
         ctypes.CDLL('libfoo.so.1'); find_library('magic'); open(name, 'w')\n",
    );
    assert_eq!(
        shape(&usage.reads),
        [
            ("data/a.json", Base::Source, true),
            ("../t", Base::Source, true),
            ("etc/hosts", Base::Root, true)
        ]
    );
    assert_eq!(
        shape(&usage.writes),
        [
            ("out.txt", Base::Working, true),
            ("logs", Base::Working, false),
            ("c.txt", Base::Working, true),
            ("db.sqlite3", Base::Working, true),
            ("test.db", Base::Working, true),
        ]
    );
    assert_eq!(names(&usage.programs), ["git", "ffmpeg"]);
    assert_eq!(names(&usage.libraries), ["libfoo.so.1", "magic"]);
    let kinds: Vec<_> = usage.unknown.iter().map(|unknown| unknown.kind).collect();
    assert_eq!(kinds, [UnknownKind::Program, UnknownKind::Write]);
}

#[test]
fn ports_environment_and_env_files() {
    let usage = scanned(
        "from dotenv import load_dotenv\nload_dotenv()\napp.run(host='0.0.0.0', port=5000); redis.Redis(port=6379); os.getenv('DB_PORT', 5432)\nP = int(os.environ.get('PORT', 8080))\n\
         os.environ['KEY']; os.getenv('OTHER')\nuvicorn.run(app, port=int(os.getenv('APP_PORT', '9000')))\n",
    );
    assert_eq!(
        usage.ports.iter().copied().collect::<Vec<_>>(),
        [5000, 8080, 9000]
    );
    assert_eq!(
        usage
            .environment
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["APP_PORT", "DB_PORT", "KEY", "OTHER", "PORT"]
    );
    assert!(!usage.env_files.is_empty());
}

#[test]
fn fixed_interpreters_are_found() {
    let (project, context) = detect(&[
        ("requirements.txt", ""),
        ("run.py", "#!/usr/local/bin/python\n"),
        ("ok.py", "#!/usr/bin/env python\n"),
    ]);
    let found = python(&project).fixed_interpreters(&context, "", Budget::default());
    assert_eq!(
        found,
        [Evidence::new("#!/usr/local/bin/python", "run.py:1")]
    );
}

proptest::proptest! {
    #[test]
    fn any_source_is_scanned(source in "[a-c'\"{}()/.,= \\\\\n]{0,120}|(open|os|path|join|dirname|__file__|import|from|Path|parent|parents|[(.,)'/=\\[\\]0])*") {
        scanned(&source);
    }
}

#[test]
fn scanning_is_linear_on_hostile_sources() {
    for unit in [
        "os.path.join(",
        "a / ",
        "x = y / ",
        "Path(__file__).parent",
        "from a import ",
        "'''",
        "f'{",
        "open(",
    ] {
        let source = unit.repeat(100_000);
        let started = std::time::Instant::now();
        scanned(&source);
        assert!(started.elapsed().as_secs() < 5, "{unit}");
    }
}

#[test]
fn locked_packages_of_other_systems_are_not_installed() {
    let (project, context) = detect(&[
        ("pyproject.toml", "[tool.poetry]\nname = \"a\"\n"),
        (
            "poetry.lock",
            "[[package]]\nname = \"docker\"\nversion = \"7.1.0\"\n\
             files = [{file = \"docker-7.1.0-py3-none-any.whl\"}]\n\n\
             [[package]]\nname = \"pywin32\"\nversion = \"311\"\n\
             files = [{file = \"pywin32-311-cp39-cp39-win32.whl\"}]\n\n\
             [[package]]\nname = \"winregistry\"\nversion = \"1.0\"\n\
             markers = \"sys_platform == \\\"win32\\\"\"\n\
             files = [{file = \"winregistry-1.0.tar.gz\"}]\n\n\
             [[package]]\nname = \"tomli\"\nversion = \"2.2.1\"\n\
             markers = \"python_version < \\\"3.11\\\"\"\n\
             files = [{file = \"tomli-2.2.1-py3-none-any.whl\"}]\n",
        ),
    ]);
    let lock = python(&project).lock(&context).expect("it is locked");
    let names: Vec<&str> = lock.packages.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["docker", "tomli"]);
    let (project, context) = detect(&[
        ("Pipfile", "[packages]\nrich = \"*\"\n"),
        (
            "Pipfile.lock",
            r#"{"_meta": {}, "default": {
                "colorama": {"markers": "sys_platform == 'win32'", "version": "==0.4.6"},
                "rich": {"markers": "python_version >= '3.8'", "version": "==13.9.4"}}}"#,
        ),
    ]);
    let lock = python(&project).lock(&context).expect("it is locked");
    let names: Vec<&str> = lock.packages.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["rich"]);
}
