//! `--mount` and `--device` of RUN: comma-separated values with CSV's quotes.

/// The fields of a flag's value; none when its quotes are wrong or there is nothing.
pub(super) fn fields(value: &str) -> Option<Vec<String>> {
    let value = value.strip_suffix('\n').unwrap_or(value);
    if value.is_empty() {
        return None;
    }
    let mut fields = Vec::new();
    let mut rest = value;
    loop {
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (field, next) = match rest.split_once(',') {
                Some((field, next)) => (field, Some(next)),
                None => (rest, None),
            };
            if field.contains('"') {
                return None;
            }
            fields.push(field.to_owned());
            match next {
                Some(next) => rest = next,
                None => return Some(fields),
            }
            continue;
        };
        let mut field = String::new();
        loop {
            let (part, after) = quoted.split_once('"')?;
            field.push_str(part);
            if let Some(after) = after.strip_prefix('"') {
                field.push('"');
                quoted = after;
                continue;
            }
            fields.push(field);
            if after.is_empty() {
                return Some(fields);
            }
            rest = after.strip_prefix(',')?;
            break;
        }
    }
}

/// # Errors
/// For what BuildKit refuses before variables are expanded, in its words.
pub(super) fn check_mount(value: &str) -> Result<(), String> {
    let fields = fields(value).ok_or("failed to parse csv mounts")?;
    for field in fields {
        if let Some((key, value)) = field.split_once('=')
            && key.eq_ignore_ascii_case("from")
            && value.find('$').is_some_and(|at| at + 1 != value.len())
        {
            return Err(
                "'from' doesn't support variable expansion, define alias stage instead".to_owned(),
            );
        }
    }
    Ok(())
}

/// # Errors
/// For what BuildKit refuses, in its words.
pub(super) fn check_device(value: &str) -> Result<(), String> {
    let fields = fields(value).ok_or("failed to parse csv devices")?;
    let mut named = String::new();
    for field in fields {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value)),
            None => (field.to_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("required", None) => {}
            ("required", Some(value)) => {
                let known = [
                    "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False",
                ];
                if !known.contains(&value) {
                    return Err(format!("invalid value for required: {value}"));
                }
            }
            ("name", Some(value)) => {
                if !named.is_empty() {
                    return Err(format!("device name already set to {named}"));
                }
                value.clone_into(&mut named);
            }
            _ if named.is_empty() => named = field,
            (_, None) => return Err(format!("invalid field '{field}' must be a key=value pair")),
            (key, Some(_)) => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_csv() {
        let found = fields("type=cache,\"target=/a,b\",x").expect("valid");
        assert_eq!(found, ["type=cache", "target=/a,b", "x"]);
        for value in ["", "a\"b", "\"a", "\"a\"b"] {
            assert!(fields(value).is_none(), "{value}");
        }
    }

    #[test]
    fn from_takes_no_variable() {
        assert!(check_mount("from=$x").is_err());
        assert!(check_mount("from=x$,id=$y").is_ok());
        assert!(check_device("a/b=c,name=d").is_err());
        assert!(check_device("a/b=c,required").is_ok());
    }
}
