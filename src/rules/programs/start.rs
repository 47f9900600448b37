//! What the container starts, and which command of a RUN made that program.

use std::collections::BTreeMap;

use crate::catalog::WordSet;
use crate::model::path::{file_name, resolve};
use crate::model::{CommandForm, Setting};
use crate::shell::Dialect;
use crate::stack::commands::split_list;

use super::Why;
use super::anatomy::Anatomy;
use super::trace::Call;

/// What ENTRYPOINT and CMD start.
pub(crate) struct Start {
    /// Index of the instruction that names the program.
    pub(crate) index: usize,
    /// ENTRYPOINT and CMD as one, as the engine runs them.
    pub(crate) argv: Vec<String>,
    /// The commands: one for the exec form, all of the list that `sh -c` gets otherwise.
    pub(crate) commands: Vec<Vec<String>>,
    /// Whether a shell starts it.
    pub(crate) shell: bool,
    /// Whether ENTRYPOINT alone, CMD alone or both are set in this file.
    pub(crate) from_cmd: bool,
}

impl Start {
    /// The words of the last command, which is the process that stays.
    pub(crate) fn main(&self) -> &[String] {
        self.commands.last().map_or(&[], Vec::as_slice)
    }

    /// Whether the process that stays is a tool, as `is_tool` says of its name.
    pub(crate) fn runs(&self, is_tool: impl Fn(&str) -> bool) -> bool {
        self.main()
            .first()
            .is_some_and(|word| is_tool(file_name(word)))
    }
}

/// What the stage starts; none when this file says nothing of it, or starts a plain shell.
pub(crate) fn start(anatomy: &Anatomy<'_>) -> Option<Result<Start, Why>> {
    let config = &anatomy.stage.end.config;
    let entrypoint = config.entrypoint.set();
    let cmd = match &config.cmd {
        Setting::Set(line) => Some(line),
        _ => None,
    };
    let (index, argv) = match (entrypoint, cmd) {
        (Some(entry), cmd) => {
            let mut argv = entry.form.argv();
            if let (CommandForm::Exec(_), Some(cmd)) = (&entry.form, cmd) {
                argv.extend(cmd.form.argv());
            }
            (entry.instruction, argv)
        }
        (None, Some(cmd)) => (cmd.instruction, cmd.form.argv()),
        (None, None) => return None,
    };
    let program = file_name(argv.first()?);
    let is_shell = Dialect::of_program(program).is_some();
    if is_shell && argv.len() < 3 {
        return None;
    }
    let from_cmd = entrypoint.is_none();
    if !is_shell {
        let commands = vec![argv.clone()];
        return Some(Ok(Start {
            index,
            argv,
            commands,
            shell: false,
            from_cmd,
        }));
    }
    let flag = &argv[1];
    let list = (flag.starts_with('-') && flag.ends_with('c'))
        .then(|| split_list(&argv[2]))
        .flatten();
    let Some(list) = list else {
        return Some(Err(Why::new(
            index,
            format!(
                "line {} starts what is more than a list of plain commands",
                anatomy.line(index)
            ),
            "start one program",
        )));
    };
    let commands: Vec<Vec<String>> = list
        .into_iter()
        .map(|plain| {
            let mut words = plain.words;
            if words.first().is_some_and(|word| word == "exec") {
                words.remove(0);
            }
            words
        })
        .filter(|words| {
            words
                .first()
                .is_some_and(|word| !anatomy.ctx.catalog.has_word(WordSet::PassingPrograms, word))
        })
        .collect();
    if commands.is_empty() {
        return None;
    }
    Some(Ok(Start {
        index,
        argv,
        commands,
        shell: true,
        from_cmd,
    }))
}

/// The files that build commands made, by path in the image, with the index of the RUN.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) files: BTreeMap<String, usize>,
}

impl Made {
    /// What `calls` leave: `outputs` says which files a build command writes; moved and copied ones are followed.
    pub(crate) fn of(calls: &[Call<'_>], outputs: impl Fn(&Call<'_>) -> Vec<String>) -> Self {
        let mut made = Self::default();
        for call in calls {
            for path in outputs(call) {
                made.files.insert(path, call.index);
            }
            if matches!(call.name(), "mv" | "cp" | "install" | "ln") {
                made.follow(call);
            }
        }
        made
    }

    fn follow(&mut self, call: &Call<'_>) {
        let mut operands: Vec<&str> = call.operands().collect();
        if call.name() == "install" {
            // `-m 755` and its like.
            operands.retain(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
        }
        let Some((target, sources)) = operands.split_last() else {
            return;
        };
        let Some(folder) = call.absolute(target) else {
            return;
        };
        for source in sources {
            let Some(from) = call.absolute(source) else {
                continue;
            };
            let matching: Vec<String> = self
                .files
                .keys()
                .filter(|path| glob(&from, path))
                .cloned()
                .collect();
            let [found] = matching.as_slice() else {
                continue;
            };
            let is_folder = target.ends_with('/')
                || *target == "."
                || sources.len() > 1
                || SEARCH.contains(&folder.as_str());
            let to = if is_folder {
                resolve(&folder, file_name(found))
            } else {
                folder.clone()
            };
            if call.name() == "mv" {
                self.files.remove(found);
            }
            self.files.insert(to, call.index);
        }
    }

    /// The file that the word `program` starts, and whether the word finds it by PATH alone.
    pub(crate) fn find(&self, program: &str, workdir: &str, search: Option<&str>) -> Option<&str> {
        if program.contains('/') {
            let path = resolve(workdir, program);
            return self.files.get_key_value(&path).map(|(path, _)| &**path);
        }
        search
            .unwrap_or_default()
            .split(':')
            .chain(SEARCH.iter().copied())
            .chain(OF_TOOLCHAINS.iter().copied())
            .filter(|folder| folder.starts_with('/'))
            .find_map(|folder| {
                let path = resolve(folder, program);
                self.files.get_key_value(&path).map(|(path, _)| &**path)
            })
    }

    /// The files that the commands of `start` are, in their order.
    ///
    /// # Errors
    /// `line 7 starts X, which WHAT is seen to make`, with `remedy`.
    pub(crate) fn started(
        &self,
        anatomy: &Anatomy<'_>,
        start: &Start,
        what: &str,
        remedy: &str,
    ) -> Result<Vec<String>, Why> {
        let config = &anatomy.stage.end.config;
        let workdir = config.workdir.as_deref().unwrap_or("/");
        let search = config.env.get("PATH").map(String::as_str);
        let made = start.commands.iter().map(|words| {
            let program = words.first().map_or("", String::as_str);
            self.find(program, workdir, search)
                .map(str::to_owned)
                .ok_or_else(|| {
                    Why::new(
                        start.index,
                        format!(
                            "line {} starts `{program}`, which {what} is seen to make",
                            anatomy.line(start.index)
                        ),
                        remedy,
                    )
                })
        });
        made.collect()
    }
}

/// `/app/target/*.jar` against a path; a star passes no slash.
fn glob(pattern: &str, path: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == path;
    }
    let (patterns, parts) = (pattern.split('/'), path.split('/'));
    patterns.clone().count() == parts.clone().count()
        && patterns.zip(parts).all(|(pattern, part)| {
            let mut pieces = pattern.split('*');
            let first = pieces.next().unwrap_or_default();
            let Some(mut rest) = part.strip_prefix(first) else {
                return false;
            };
            let mut pieces: Vec<&str> = pieces.collect();
            let Some(last) = pieces.pop() else {
                return rest.is_empty();
            };
            for piece in pieces {
                match rest.find(piece) {
                    Some(at) => rest = &rest[at + piece.len()..],
                    None => return false,
                }
            }
            rest.ends_with(last)
        })
}

/// PATH of every image.
pub(crate) const SEARCH: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// What images of toolchains add to PATH.
const OF_TOOLCHAINS: &[&str] = &["/go/bin", "/usr/local/cargo/bin", "/root/.cargo/bin"];
