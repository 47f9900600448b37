//! Names that a shell runs itself, in every distribution.

/// Whether `name` is a builtin or a keyword of POSIX shells.
pub(crate) fn is_builtin(name: &str) -> bool {
    const NAMES: &[&str] = &[
        ".", ":", "[", "[[", "alias", "break", "cd", "command", "continue", "declare", "echo",
        "exec", "exit", "export", "false", "getopts", "hash", "jobs", "kill", "let", "local",
        "printf", "pwd", "read", "readonly", "return", "set", "shift", "shopt", "source", "test",
        "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    ];
    NAMES.binary_search(&name).is_ok()
}
