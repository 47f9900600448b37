//! `verify` and `fix --verify` with an engine made of a script: what is built, what is said, and that nothing stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Ran, Repository, ran};

const DOCKERFILE: &[u8] = b"FROM debian:12-slim\nCOPY . /app\nWORKDIR /app\nCMD ./serve --all\n";

/// A repository with an engine in `bin/`, first in PATH, and its temporary folder in `tmp/`.
struct Lab {
    repository: Repository,
}

impl Lab {
    /// `build` is what `docker buildx build` does, `run` what `docker run` does: shell text. The image that `save` hands
    /// out holds `serve`, and runs what the Dockerfile that was built last says.
    fn new(build: &str, run: &str) -> Self {
        let repository = Repository::with(&[
            ("app/Dockerfile", DOCKERFILE),
            ("app/serve", b"#!/bin/sh\nexec sleep 1000\n"),
            ("app/main.py", b"print(1)\n"),
        ]);
        let lab = Self { repository };
        lab.engine(&script(build, run));
        fs::create_dir(lab.repository.path("tmp")).expect("a folder");
        lab
    }

    fn engine(&self, script: &str) {
        self.repository.write("bin/docker", script.as_bytes());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.repository.path("bin/docker"), mode)
            .expect("it is made executable");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.repository.command(arguments);
        let path = format!("{}:/usr/bin:/bin", self.repository.path("bin").display());
        command
            .env("PATH", path)
            .env("TMPDIR", self.repository.path("tmp"))
            .env("STATE", self.repository.path("bin"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self
            .command(arguments)
            .output()
            .expect("the program starts"))
    }

    /// Runs with `arguments`, which spaces part, and holds the exit code and a part of the output against what is
    /// expected.
    #[track_caller]
    fn says(&self, arguments: &str, code: i32, said: &str) {
        let ran = self.run(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.out.contains(said), "{said}\n{}", ran.out);
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// The calls of the engine so far.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.repository.path("bin/calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn assert_no_file_left(&self) {
        let left: Vec<_> = fs::read_dir(self.repository.path("tmp"))
            .expect("listed")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// Nothing that was made is left: images, containers, files; the user's tree is what it was.
    #[track_caller]
    fn assert_tidy(&self, dockerfile: &[u8]) {
        let calls = self.calls();
        let named = |after: &str, line: &String| -> Option<String> {
            let words: Vec<&str> = line.split(' ').collect();
            let at = words.iter().position(|word| *word == after)?;
            Some((*words.get(at + 1)?).to_owned())
        };
        for made in calls.iter().filter(|call| call.starts_with("buildx build")) {
            let name = named("--tag", made).expect("a build is tagged");
            assert!(
                calls.contains(&format!("image rm {name}")),
                "{name} is left: {calls:#?}"
            );
        }
        for made in calls.iter().filter(|call| call.starts_with("run ")) {
            let name = named("--name", made).expect("a container is named");
            let removed = format!("rm --force --volumes {name}");
            assert!(calls.contains(&removed), "{name} is left: {calls:#?}");
        }
        self.assert_no_file_left();
        assert_eq!(self.repository.read("app/Dockerfile"), dockerfile);
        assert!(!self.repository.path("app/.dockerignore").exists() || dockerfile != DOCKERFILE);
    }
}

/// An engine whose calls are kept. `$DOCKERFILE` is what is built.
fn script(build: &str, run: &str) -> String {
    format!(
        r##"#!/bin/sh
echo "$*" >> "$STATE/calls"
# USER of the image, as the Dockerfile that was built has it.
user() {{ grep -q '^USER app' "$STATE/$(echo "$1" | tr '/:' '__')" 2>/dev/null && echo app; }}
case "$1 $2" in
  "version --format") echo 28 ;;
  "buildx build")
    file=; tag=
    while [ $# -gt 0 ]; do
      case "$1" in --file) DOCKERFILE=$2 ;; --tag) tag=$2 ;; esac
      shift
    done
    echo "#5 [1/3] COPY . /app" >&2
    {build}
    cp "$DOCKERFILE" "$STATE/$(echo "$tag" | tr '/:' '__')"
    ;;
  "image inspect") echo '[{{"Id": "sha256:1", "Size": 10, "Os": "linux", "Architecture": "amd64", "Config": {{"User": "'"$(user "$3")"'"}}}}]' ;;
  "image save")
    # An image whose command is the last word of the Dockerfile that was built, and which holds `/app/serve`.
    DOCKERFILE="$STATE/$(echo "$3" | tr '/:' '__')"
    work="$STATE/image"; rm -rf "$work"; mkdir -p "$work/root/app" "$work/root/bin" "$work/root/etc"
    printf 'app:x:10001:10001::/:/bin/sh\n' > "$work/root/etc/passwd"
    printf '#!/bin/sh\n' > "$work/root/app/serve"; cp "$work/root/app/serve" "$work/root/bin/sh"
    chmod 755 "$work/root/app/serve" "$work/root/bin/sh"
    if grep -q 'CMD \[' "$DOCKERFILE"; then cmd='["./serve", "--all"]'; else cmd='["/bin/sh", "-c", "./serve --all"]'; fi
    echo '{{"os": "linux", "architecture": "amd64", "config": {{"User": "'"$(user "$3")"'", "WorkingDir": "/app", "Cmd": '"$cmd"'}}, "history": [{{"created_by": "COPY . /app"}}]}}' > "$work/config.json"
    echo '[{{"Config": "config.json", "Layers": ["layer.tar"]}}]' > "$work/manifest.json"
    tar -C "$work/root" -cf "$work/layer.tar" app bin etc
    exec tar -C "$work" -cf - layer.tar config.json manifest.json ;;
  "run --detach")
    for image in "$@"; do :; done
    DOCKERFILE="$STATE/$(echo "$image" | tr '/:' '__')"
    {run} ;;
  "inspect --format")
    if [ -e "$STATE/ended" ]; then echo '{{"Running": false, "ExitCode": 3}}'; else echo '{{"Running": false, "ExitCode": 0}}'; fi ;;
  "logs --tail") cat "$STATE/log" 2>/dev/null ;;
esac
exit 0
"##
    )
}

/// Fails for every Dockerfile but the original.
const ONLY_ORIGINAL: &str = r#"case "$DOCKERFILE" in *rewritten*) echo 'ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2' >&2; exit 1 ;; esac"#;

#[test]
fn what_is_the_same_is_said_and_nothing_stays() {
    let lab = Lab::new("", "echo id");
    let ran = lab.run(&["verify", "app", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).expect("the report is JSON");
    let file = &report["files"][0];
    assert_eq!(file["verdict"], "same", "{file:#}");
    assert_eq!(file["original"]["run"]["end"], "exited");
    assert!(file["rewrite"]["compressed"].as_u64() > Some(0));
    lab.assert_tidy(DOCKERFILE);
    let schema = lab.run(&["schema", "verify"]);
    let schema: Value = serde_json::from_str(&schema.out).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}

#[test]
fn the_users_tree_is_read_and_the_rest_is_passed_on() {
    let lab = Lab::new("", "echo id");
    let passed = "--build-arg A=1 --secret id=s,src=x --ssh default --network host";
    let arguments = format!("verify app {passed} --platform linux/arm64 --env B=2 --no-rebuild");
    lab.says(&arguments, 0, "same behaviour");
    let calls = lab.calls();
    let builds: Vec<&String> = calls
        .iter()
        .filter(|call| call.starts_with("buildx build"))
        .collect();
    let passed = "--platform linux/arm64 --network host --build-arg A=1 --secret id=s,src=x --ssh default app";
    assert!(
        builds.len() == 2 && builds.iter().all(|call| call.ends_with(passed)),
        "{builds:#?}"
    );
    assert!(
        builds[0].contains("--file app/Dockerfile ") && builds[1].contains("/tmp/"),
        "{builds:#?}"
    );
    assert!(
        calls
            .iter()
            .any(|call| call.starts_with("run ")
                && call.contains("--env B=2 --platform linux/arm64"))
    );
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn an_original_that_does_not_build_tells_nothing() {
    let lab = Lab::new("seq 1 40 >&2; echo 'ERROR: exit code: 127' >&2; exit 1", "");
    for command in [vec!["verify", "app"], vec!["fix", "--verify", "app"]] {
        let ran = lab.run(&command);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.out.contains("the original does not build"), "{ran:?}");
        assert!(ran.out.contains("    ERROR: exit code: 127\n"), "{ran:?}");
        lab.assert_tidy(DOCKERFILE);
    }
}

#[test]
fn a_rewrite_that_does_not_build_is_a_fault() {
    let lab = Lab::new(ONLY_ORIGINAL, "echo id");
    let ran = lab.run(&[
        "verify",
        "app",
        "--format",
        "markdown",
        "--build-budget",
        "0",
    ]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let fault = "- **build**: it does not build: process \"/bin/sh -c make\" did not complete successfully: exit code: 2";
    assert!(ran.out.contains(fault), "{}", ran.out);
    lab.says("fix --verify app", 1, "nothing is written");
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn fix_writes_everything_but_the_one_that_breaks() {
    // Whatever has the exec form does not start.
    let breaks = "if grep -q 'CMD \\[' \"$DOCKERFILE\"; then echo 'exec: no such file' >&2; exit 125; fi; echo id";
    let lab = Lab::new("", breaks);
    let dockerfile = b"FROM debian:12-slim\nMAINTAINER a@example.org\nADD . /app\nWORKDIR /app\nENV A b\nCMD ./serve --all\n";
    lab.repository.write("app/Dockerfile", dockerfile);
    lab.says("fix --verify app", 1, "exec-form is at fault, shown by");
    let written = String::from_utf8(lab.repository.read("app/Dockerfile")).expect("it is text");
    assert!(
        written.contains("LABEL")
            && written.contains("COPY . /app")
            && written.contains("ENV A=\"b\""),
        "{written}"
    );
    assert!(written.ends_with("CMD ./serve --all\n"), "{written}");
    lab.assert_tidy(written.as_bytes());
    // What is left is known to break: a second run writes nothing.
    assert_eq!(lab.run(&["fix", "--verify", "app"]).code, 1);
    assert_eq!(lab.repository.read("app/Dockerfile"), written.as_bytes());
}

#[test]
fn a_service_that_dies_the_same_way_is_unproved() {
    let lab = Lab::new(
        "",
        "touch \"$STATE/ended\"; echo 'connect ECONNREFUSED 127.0.0.1:5432' > \"$STATE/log\"",
    );
    let ran = lab.run(&["verify", "app", "--no-rebuild"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out
            .contains("both end with 3: connect ECONNREFUSED 127.0.0.1:5432"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("; unproved\n"), "{}", ran.out);
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn what_has_nothing_to_rewrite_needs_no_engine() {
    let lab = Lab::new("", "");
    lab.repository.write("app/Dockerfile", b"FROM scratch\n");
    fs::remove_file(lab.repository.path("bin/docker")).expect("it is there");
    lab.says("verify app", 0, "nothing to rewrite");
}

#[test]
fn engines_that_are_absent_or_not_permitted() {
    let lab = Lab::new("", "");
    lab.engine("#!/bin/sh\necho 'permission denied while trying to connect to the Docker daemon socket' >&2\nexit 1\n");
    lab.says(
        "verify app --builder docker",
        2,
        "join the group `docker`, or use podman",
    );
    fs::remove_file(lab.repository.path("bin/docker")).expect("it is there");
    lab.says(
        "verify app --builder docker",
        2,
        "no container engine answers (docker: not installed)",
    );
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn an_engine_that_dies_half_way() {
    let dies = "if [ -e \"$STATE/calls\" ]; then echo '#!/bin/sh\necho Cannot connect to the Docker daemon >&2; exit 1' > \"$STATE/docker\"; fi; exit 1";
    let lab = Lab::new(dies, "");
    lab.says(
        "verify app",
        2,
        "docker went away in the middle: Cannot connect to the Docker daemon",
    );
    lab.assert_no_file_left();
}

#[test]
fn a_disk_that_is_full() {
    let lab = Lab::new(
        "echo 'write /var/lib/docker/x: no space left on device' >&2; exit 1",
        "",
    );
    lab.says(
        "verify app",
        2,
        "the engine's disk is full: write /var/lib/docker/x",
    );
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn a_build_that_hangs_is_ended() {
    let lab = Lab::new("sleep 1000", "");
    let started = Instant::now();
    let said = "did not end within 1 s; give it more with --timeout";
    lab.says("verify app --timeout 1", 2, said);
    assert!(started.elapsed() < Duration::from_secs(30));
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    // While it builds, and while a container runs.
    for (build, run) in [
        ("touch \"$STATE/there\"; sleep 1000", ""),
        ("", "touch \"$STATE/there\"; sleep 1000"),
    ] {
        let lab = Lab::new(build, run);
        let child = lab.start(&["verify", "app"]);
        let started = Instant::now();
        while !lab.repository.path("bin/there").exists() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "it never came so far"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let id = child.id().to_string();
        let sent = Command::new("kill")
            .args(["-INT", &id])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        let ran = ran(child.wait_with_output().expect("it ends"));
        assert_eq!(ran.code, 130, "{ran:?}");
        assert!(
            ran.err
                .contains("interrupted; what was built for it is removed"),
            "{}",
            ran.err
        );
        assert!(started.elapsed() < Duration::from_secs(60));
        lab.assert_tidy(DOCKERFILE);
    }
}

#[test]
fn an_image_of_another_platform_is_compared_and_not_proved() {
    let lab = Lab::new(
        "",
        "echo 'exec /app/serve: exec format error' >&2; exit 125",
    );
    lab.says(
        "verify app --platform linux/arm64",
        0,
        "the original does not start either: exec /app/serve: exec format error",
    );
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn a_context_with_a_hundred_thousand_files() {
    let lab = Lab::new("", "echo id");
    for folder in 0..100 {
        let folder = lab.repository.path(&format!("app/assets/{folder}"));
        fs::create_dir_all(&folder).expect("a folder");
        for file in 0..1000 {
            fs::write(folder.join(file.to_string()), "").expect("a file");
        }
    }
    let started = Instant::now();
    lab.says(
        "verify app",
        0,
        "not built again after an edit: the context has 100003 files",
    );
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    lab.assert_tidy(DOCKERFILE);
}

#[test]
fn another_dockerfile_can_be_compared() {
    let lab = Lab::new("", "echo id");
    lab.repository.write(
        "lean.Dockerfile",
        b"FROM debian:12-slim\nCOPY serve /app/\nWORKDIR /app\nCMD [\"./serve\", \"--all\"]\n",
    );
    lab.says(
        "verify app --rewrite lean.Dockerfile",
        1,
        "CMD changed from [\"/bin/sh\",\"-c\",\"./serve --all\"] to [\"./serve\",\"--all\"]",
    );
    lab.assert_tidy(DOCKERFILE);
}
