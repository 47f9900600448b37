//! Which programs and files the command of an image names, and where they are in it.

use super::super::contents::{Contents, Facts};

/// Where programs are searched that are named without a folder, when PATH is not set.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Programs that a shell does not search for.
const BUILTINS: [&str; 27] = [
    ".", ":", "[", "alias", "break", "case", "cd", "do", "done", "echo", "eval", "exit", "export",
    "false", "fi", "for", "if", "printf", "pwd", "read", "set", "shift", "test", "then", "true",
    "ulimit", "wait",
];
/// Words that stand in front of a program.
const PREFIXES: [&str; 5] = ["exec", "command", "nohup", "time", "source"];

/// What a container of an image starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Launch {
    /// Programs, as they are written; the first is process 1.
    pub(super) programs: Vec<Named>,
    /// Arguments that name files, as they are written.
    pub(super) files: Vec<Named>,
    /// Arguments that an interpreter runs.
    pub(super) scripts: Vec<Named>,
}

/// A word, and the folder in which it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) word: String,
    pub(super) folder: String,
}

impl Launch {
    /// Of ENTRYPOINT and CMD together.
    pub(super) fn of(contents: &Contents) -> Self {
        let config = &contents.config;
        let mut launch = Self::default();
        let folder = match config.working_dir.as_str() {
            "" => "/",
            folder => folder,
        };
        let words: Vec<String> = config
            .entrypoint
            .iter()
            .chain(&config.cmd)
            .cloned()
            .collect();
        launch.command(&words, folder);
        // An entrypoint that is a script ends by running CMD, as a rule.
        if let (Some(entrypoint), Some(program)) = (config.entrypoint.first(), config.cmd.first()) {
            let is_script = locate(contents, &named(entrypoint, folder))
                .and_then(|path| contents.tree.facts(&path))
                .is_some_and(|facts| matches!(**facts, Facts::Script(_)));
            if is_script && !program.starts_with('-') {
                launch.command(&config.cmd, folder);
            }
        }
        launch
    }

    fn command(&mut self, words: &[String], folder: &str) {
        let Some((program, rest)) = words.split_first() else {
            return;
        };
        self.programs.push(named(program, folder));
        let name = base_name(program);
        if is_shell(name)
            && let [flag, text, ..] = rest
            && flag.starts_with('-')
            && flag.ends_with('c')
        {
            self.shell(text, folder);
            return;
        }
        if name == "env" || name == "tini" || name == "dumb-init" {
            let at = rest
                .iter()
                .position(|word| !word.starts_with('-') && !word.contains('='));
            if let Some(at) = at {
                self.command(&rest[at..], folder);
            }
            return;
        }
        self.arguments(name, rest, folder);
    }

    fn arguments(&mut self, program: &str, rest: &[String], folder: &str) {
        if let Some(script) = script(program, rest) {
            self.scripts.push(named(script, folder));
        }
        for word in rest {
            let word = match word.strip_prefix('-') {
                Some(option) => match option.split_once('=') {
                    Some((_, value)) => value,
                    None => continue,
                },
                None => word,
            };
            let is_file =
                word.contains(['/', '.']) && !word.contains(['$', '`', '*', ':', '(', ' ']);
            if is_file {
                self.files.push(named(word, folder));
            }
        }
    }

    /// The simple commands of a shell text. What is not plain is passed over: it names nothing then.
    fn shell(&mut self, text: &str, folder: &str) {
        let mut folder = folder.to_owned();
        for words in commands(text) {
            let mut words = words.as_slice();
            while let Some((first, rest)) = words.split_first() {
                let assigns = first.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty()
                        && name
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                });
                if !assigns && !PREFIXES.contains(&first.as_str()) {
                    break;
                }
                words = rest;
            }
            let Some((program, rest)) = words.split_first() else {
                continue;
            };
            if program == "cd" {
                if let [to] = rest {
                    folder = join(&folder, to);
                }
                continue;
            }
            if !BUILTINS.contains(&program.as_str()) && !program.contains(['$', '`', '(', '{', '*'])
            {
                self.command(words, &folder);
            }
        }
    }
}

/// The path of a program in the image, as the kernel or a shell finds it; links are not followed.
pub(super) fn locate(contents: &Contents, program: &Named) -> Option<String> {
    if program.word.contains('/') {
        let path = join(&program.folder, &program.word);
        return contents.tree.is_file(&path).then_some(path);
    }
    let path = contents.variable("PATH").unwrap_or(USUAL_PATH);
    path.split(':')
        .map(|folder| join(folder, &program.word))
        .find(|path| contents.tree.is_file(path))
}

/// The path that a word means.
pub(super) fn join(folder: &str, word: &str) -> String {
    match word.starts_with('/') {
        true => word.to_owned(),
        false => format!(
            "{}/{}",
            folder.trim_end_matches('/'),
            word.trim_start_matches("./")
        ),
    }
}

/// The file name of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The interpreter of a script, as its first line says: the path, and the program that `env` searches.
pub(super) fn interpreter(line: &str) -> (&str, Option<&str>) {
    let mut words = line.split_whitespace();
    let path = words.next().unwrap_or_default();
    let program = words.find(|word| !word.starts_with('-') && !word.contains('='));
    let searched = (base_name(path) == "env").then_some(program).flatten();
    (path, searched)
}

/// The argument that an interpreter runs.
fn script<'w>(program: &str, rest: &'w [String]) -> Option<&'w str> {
    let stem = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match stem {
        "java" => {
            let at = rest.iter().position(|word| word == "-jar")?;
            rest.get(at + 1).map(String::as_str)
        }
        "node" | "nodejs" | "python" | "ruby" | "perl" | "php" | "sh" | "bash" | "dash" | "ash" => {
            let first = rest.first()?;
            let plain = !first.starts_with('-') && !first.contains(['$', '*', ' ']);
            plain.then_some(first)
        }
        _ => None,
    }
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh")
}

fn named(word: &str, folder: &str) -> Named {
    Named {
        word: word.to_owned(),
        folder: folder.to_owned(),
    }
}

/// The words of every simple command of a shell text, quotes taken off.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut open = false;
    let mut characters = text.chars().peekable();
    let end = |commands: &mut Vec<Vec<String>>, word: &mut String, open: &mut bool| {
        if *open {
            if let Some(last) = commands.last_mut() {
                last.push(std::mem::take(word));
            }
            *open = false;
        }
    };
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                open = true;
                for inner in characters.by_ref().take_while(|inner| *inner != character) {
                    word.push(inner);
                }
            }
            '\\' => {
                open = true;
                word.extend(characters.next());
            }
            ';' | '|' | '&' | '\n' => {
                end(&mut commands, &mut word, &mut open);
                commands.push(Vec::new());
            }
            '>' | '<' => {
                end(&mut commands, &mut word, &mut open);
                // The file of a redirection is none of the command's words.
                while characters
                    .peek()
                    .is_some_and(|next| matches!(next, '>' | '<' | '&' | ' '))
                {
                    characters.next();
                }
                while characters
                    .peek()
                    .is_some_and(|next| !next.is_whitespace() && !";|&".contains(*next))
                {
                    characters.next();
                }
            }
            space if space.is_whitespace() => end(&mut commands, &mut word, &mut open),
            plain => {
                open = true;
                word.push(plain);
            }
        }
    }
    end(&mut commands, &mut word, &mut open);
    commands.retain(|command| !command.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entrypoint: &[&str], cmd: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut contents = Contents::default();
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        contents.config.entrypoint = owned(entrypoint);
        contents.config.cmd = owned(cmd);
        contents.config.working_dir = "/app".to_owned();
        let launch = Launch::of(&contents);
        let words = |list: Vec<Named>| {
            list.into_iter()
                .map(|it| join(&it.folder, &it.word))
                .collect()
        };
        (
            words(launch.programs),
            words(launch.files),
            words(launch.scripts),
        )
    }

    #[test]
    fn what_a_command_names() {
        let (programs, files, scripts) = of(
            &["java"],
            &["-Dconfig=conf/a.yml", "-jar", "target/app.jar"],
        );
        assert_eq!(programs, ["/app/java"]);
        assert_eq!(files, ["/app/conf/a.yml", "/app/target/app.jar"]);
        assert_eq!(scripts, ["/app/target/app.jar"]);
        let (_, files, scripts) = of(&[], &["node", "--require", "dd-trace/init", "server.js"]);
        assert_eq!(files, ["/app/dd-trace/init", "/app/server.js"]);
        assert_eq!(scripts, [""; 0], "options may take values");
    }

    #[test]
    fn what_a_shell_text_names() {
        let text =
            "cd web && A=1 exec node 'dist/main.js' >log.txt 2>&1; echo ready; $X run.sh | tee out";
        let (programs, files, scripts) = of(&[], &["/bin/sh", "-c", text]);
        assert_eq!(programs, ["/bin/sh", "/app/web/node", "/app/web/tee"]);
        assert_eq!(files, ["/app/web/dist/main.js"]);
        assert_eq!(scripts, ["/app/web/dist/main.js"]);
    }

    #[test]
    fn programs_that_start_others() {
        let (programs, ..) = of(&["/usr/bin/tini", "--", "./server"], &["--port=80"]);
        assert_eq!(programs, ["/usr/bin/tini", "/app/server"]);
        assert_eq!(of(&[], &[]).0, [""; 0]);
    }

    #[test]
    fn first_lines_of_scripts() {
        assert_eq!(
            interpreter("/usr/bin/env -S node --no-warnings"),
            ("/usr/bin/env", Some("node"))
        );
        assert_eq!(interpreter("/bin/sh -e"), ("/bin/sh", None));
    }
}
