//! What BuildKit's second pass refuses: wrong arguments and flags, and instructions in the wrong place.

use super::{
    Arguments, Diagnostic, Flag, Healthcheck, Instruction, JsonString, Keyword, heredoc, mount,
    runes,
};

/// The first refusal; none when BuildKit takes the instructions.
pub(super) fn refusal(instructions: &[Instruction]) -> Option<Diagnostic> {
    let mut in_stage = false;
    for instruction in instructions {
        let result = one(instruction).and_then(|()| match instruction.keyword {
            Keyword::From => {
                in_stage = true;
                Ok(())
            }
            Keyword::Arg => Ok(()),
            _ if in_stage => Ok(()),
            _ => Err("no build stage in current context".to_owned()),
        });
        if let Err(message) = result {
            return Some(Diagnostic {
                message,
                span: instruction.span,
            });
        }
    }
    None
}

fn one(instruction: &Instruction) -> Result<(), String> {
    let name = instruction.keyword.name();
    let arguments = &instruction.arguments;
    let flags = &instruction.flags;
    match instruction.keyword {
        Keyword::Env | Keyword::Label => {
            no_flags(flags)?;
            at_least_one(arguments, name)?;
            names(arguments, name)
        }
        Keyword::Arg => {
            at_least_one(arguments, name)?;
            names(arguments, name)
        }
        Keyword::Maintainer | Keyword::Workdir | Keyword::User => {
            exactly_one(arguments, name)?;
            no_flags(flags)
        }
        Keyword::Stopsignal => exactly_one(arguments, name),
        Keyword::Add | Keyword::Copy => copy(instruction),
        Keyword::From => from(instruction),
        Keyword::Onbuild => onbuild(instruction),
        Keyword::Run => run(instruction),
        Keyword::Cmd | Keyword::Entrypoint => no_flags(flags),
        Keyword::Healthcheck => healthcheck(instruction),
        Keyword::Expose => {
            at_least_one(arguments, name)?;
            no_flags(flags)
        }
        Keyword::Volume => {
            at_least_one(arguments, name)?;
            no_flags(flags)?;
            match arguments {
                Arguments::Json(strings) if strings.iter().any(|s| s.value.trim().is_empty()) => {
                    Err("VOLUME specified can not be an empty string".to_owned())
                }
                _ => Ok(()),
            }
        }
        Keyword::Shell => {
            no_flags(flags)?;
            at_least_one(arguments, name)?;
            match arguments {
                Arguments::Json(_) => Ok(()),
                _ => Err("SHELL requires the arguments to be in JSON form".to_owned()),
            }
        }
        Keyword::Unknown => Err("unknown instruction".to_owned()),
    }
}

fn is_empty(arguments: &Arguments) -> bool {
    match arguments {
        Arguments::None => true,
        Arguments::Json(strings) => strings.is_empty(),
        Arguments::Words(words) => words.is_empty(),
        Arguments::Pairs { pairs, .. } => pairs.is_empty(),
        _ => false,
    }
}

fn at_least_one(arguments: &Arguments, name: &str) -> Result<(), String> {
    if is_empty(arguments) {
        return Err(format!("{name} requires at least one argument"));
    }
    Ok(())
}

fn exactly_one(arguments: &Arguments, name: &str) -> Result<(), String> {
    if is_empty(arguments) {
        return Err(format!("{name} requires exactly one argument"));
    }
    Ok(())
}

fn names(arguments: &Arguments, name: &str) -> Result<(), String> {
    match arguments {
        Arguments::Pairs { pairs, .. } if pairs.iter().any(|pair| pair.name.text.is_empty()) => {
            Err(format!("{name} names can not be blank"))
        }
        _ => Ok(()),
    }
}

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Bool,
    One,
    Many,
}

fn no_flags(flags: &[Flag]) -> Result<(), String> {
    known_flags(flags, &[])
}

fn known_flags(flags: &[Flag], known: &[(&str, Takes)]) -> Result<(), String> {
    for (index, flag) in flags.iter().enumerate() {
        let name = flag.name.as_str();
        let Some((_, takes)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(format!("unknown flag: --{name}"));
        };
        if *takes != Takes::Many && flags[..index].iter().any(|other| other.name == name) {
            return Err(format!("duplicate flag specified: --{name}"));
        }
        match (takes, &flag.value) {
            (Takes::Bool, None) => {}
            (Takes::Bool, Some(value)) if value.is_empty() => {
                return Err(format!("missing a value on flag: --{name}"));
            }
            (Takes::Bool, Some(value)) => {
                if !value.eq_ignore_ascii_case(b"true") && !value.eq_ignore_ascii_case(b"false") {
                    return Err(format!(
                        "expecting boolean value for flag --{name}, not: {}",
                        runes::to_text(value)
                    ));
                }
            }
            (_, None) => return Err(format!("missing a value on flag: --{name}")),
            (_, Some(_)) => {}
        }
    }
    Ok(())
}

fn copy(instruction: &Instruction) -> Result<(), String> {
    let name = instruction.keyword.name();
    let (count, last): (usize, &[u8]) = match &instruction.arguments {
        Arguments::Words(words) => (words.len(), words.last().map_or(b"", |word| &word.text)),
        Arguments::Json(strings) => (
            strings.len(),
            strings.last().map_or(b"", |string| string.value.as_bytes()),
        ),
        _ => (0, b""),
    };
    if count < 2 {
        return Err(format!(
            "{name} requires at least two arguments, but only one was provided. \
             Destination could not be determined"
        ));
    }
    let common = [
        ("chown", Takes::One),
        ("chmod", Takes::One),
        ("link", Takes::Bool),
        ("exclude", Takes::Many),
    ];
    let own: &[(&str, Takes)] = if instruction.keyword == Keyword::Copy {
        &[("from", Takes::One), ("parents", Takes::Bool)]
    } else {
        &[
            ("keep-git-dir", Takes::Bool),
            ("checksum", Takes::One),
            ("unpack", Takes::Bool),
        ]
    };
    if !instruction.flags.is_empty() {
        known_flags(&instruction.flags, &[&common, own].concat())?;
    }
    if matches!(heredoc::marker(last), Ok(Some(_))) {
        return Err(format!("{name} cannot accept a heredoc as a destination"));
    }
    Ok(())
}

fn from(instruction: &Instruction) -> Result<(), String> {
    let words = match &instruction.arguments {
        Arguments::Words(words) => words.as_slice(),
        _ => &[],
    };
    match words {
        [_] => {}
        [_, as_word, alias] if as_word.text.eq_ignore_ascii_case(b"as") => {
            let valid = alias.text.first().is_some_and(u8::is_ascii_alphabetic)
                && alias
                    .text
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
            if !valid {
                return Err(format!(
                    "invalid name for build stage: \"{}\", name can't start with a number or contain symbols",
                    runes::to_text(&alias.text)
                ));
            }
        }
        _ => return Err("FROM requires either one or three arguments".to_owned()),
    }
    known_flags(&instruction.flags, &[("platform", Takes::One)])
}

fn onbuild(instruction: &Instruction) -> Result<(), String> {
    let Arguments::Onbuild(inner) = &instruction.arguments else {
        return Err("ONBUILD requires at least one argument".to_owned());
    };
    no_flags(&instruction.flags)?;
    match inner.keyword {
        Keyword::Onbuild => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".to_owned()),
        Keyword::Maintainer | Keyword::From => Err(format!(
            "{} isn't allowed as an ONBUILD trigger",
            inner.keyword.name()
        )),
        _ => Ok(()),
    }
}

fn run(instruction: &Instruction) -> Result<(), String> {
    if instruction.flags.is_empty() {
        return Ok(());
    }
    let known = [
        ("device", Takes::Many),
        ("mount", Takes::Many),
        ("network", Takes::One),
        ("security", Takes::One),
    ];
    known_flags(&instruction.flags, &known)?;
    for flag in &instruction.flags {
        let value = runes::to_text(flag.value.as_deref().unwrap_or_default());
        match flag.name.as_str() {
            "device" => mount::check_device(&value)?,
            "mount" => mount::check_mount(&value)?,
            "network" if !["default", "none", "host"].contains(&value.as_str()) => {
                return Err(format!("invalid network mode \"{value}\""));
            }
            "security" if !["insecure", "sandbox"].contains(&value.as_str()) => {
                return Err(format!("security \"{value}\" is not valid"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn healthcheck(instruction: &Instruction) -> Result<(), String> {
    let Arguments::Healthcheck(check) = &instruction.arguments else {
        return Err("HEALTHCHECK requires at least one argument".to_owned());
    };
    let text = instruction.body.text();
    let kind_end = text
        .iter()
        .position(|byte| runes::is_byte_space(*byte))
        .unwrap_or(text.len());
    let Healthcheck::Command { arguments, .. } = check else {
        if kind_end == text.len() {
            return Ok(());
        }
        return match super::json::array(text[kind_end..].trim_ascii_start(), 0) {
            super::json::Array::Strings(strings) if strings.is_empty() => Ok(()),
            _ => Err("HEALTHCHECK NONE takes no arguments".to_owned()),
        };
    };
    let durations = ["interval", "timeout", "start-period", "start-interval"];
    let known = durations.map(|name| (name, Takes::One));
    known_flags(
        &instruction.flags,
        &[&known[..], &[("retries", Takes::One)]].concat(),
    )?;
    let kind = runes::to_text(&text[..kind_end]);
    if !kind.eq_ignore_ascii_case("cmd") {
        return Err(format!(
            "Unknown type \"{}\" in HEALTHCHECK (try CMD)",
            kind.to_uppercase()
        ));
    }
    match &**arguments {
        Arguments::None => return Err("Missing command after HEALTHCHECK CMD".to_owned()),
        Arguments::Json(strings) if <[JsonString]>::is_empty(strings) => {
            return Err("Missing command after HEALTHCHECK CMD".to_owned());
        }
        _ => {}
    }
    for flag in &instruction.flags {
        let value = runes::to_text(flag.value.as_deref().unwrap_or_default());
        if value.is_empty() {
            continue;
        }
        if flag.name == "retries" {
            let retries: i32 = value
                .parse()
                .map_err(|_| format!("strconv.ParseInt: parsing \"{value}\": invalid syntax"))?;
            if retries < 0 {
                return Err(format!("--retries cannot be negative ({retries})"));
            }
        } else {
            super::duration::check(&flag.name, &value)?;
        }
    }
    Ok(())
}
