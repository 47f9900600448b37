//! Version ranges as npm writes them.

type Version = (u64, u64, u64);

/// Whether `version` lies in `range`; none when either is not understood (tags, addresses, pre-releases).
pub(super) fn satisfies(version: &str, range: &str) -> Option<bool> {
    let version = exact(version)?;
    let mut result = Some(false);
    for alternative in range.split("||") {
        match all(version, alternative.trim()) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

/// `1.2.3`, with build metadata; a pre-release has an order of its own and is not understood.
fn exact(version: &str) -> Option<Version> {
    let version = version.trim().trim_start_matches(['v', '=']);
    let version = version.split('+').next()?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let triple = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(triple)
}

fn all(version: Version, comparators: &str) -> Option<bool> {
    if let Some((low, high)) = comparators.split_once(" - ") {
        let (low, _) = bounds(low.trim())?;
        let (_, high) = bounds(high.trim())?;
        return Some(low <= version && high.is_none_or(|high| version < high));
    }
    // `>= 1.2` is one comparator.
    let mut operator = "";
    let mut result = true;
    for word in comparators.split_whitespace() {
        if matches!(word, ">" | ">=" | "<" | "<=" | "=" | "^" | "~") {
            operator = word;
            continue;
        }
        let text = format!("{operator}{word}");
        operator = "";
        result &= one(version, &text)?;
    }
    Some(result)
}

fn one(version: Version, comparator: &str) -> Option<bool> {
    let rest = comparator.trim_start_matches(['>', '<', '=', '^', '~']);
    let operator = &comparator[..comparator.len() - rest.len()];
    let (low, next) = bounds(rest)?;
    let within = |high: Option<Version>| low <= version && high.is_none_or(|high| version < high);
    Some(match operator {
        "" | "=" => within(next),
        ">=" => low <= version,
        ">" => next.is_some_and(|next| {
            if is_full(rest) {
                version > low
            } else {
                version >= next
            }
        }),
        "<" => version < low,
        "<=" => next.is_none_or(|next| version < next),
        "~" | "~>" => {
            let has_minor = rest
                .split('.')
                .nth(1)
                .is_some_and(|part| part.parse::<u64>().is_ok());
            within(next.map(|next| {
                if has_minor {
                    (low.0, low.1.saturating_add(1), 0)
                } else {
                    next
                }
            }))
        }
        "^" => within(next.map(|next| {
            if low.0 > 0 || !rest.contains('.') {
                (low.0.saturating_add(1), 0, 0)
            } else if low.1 > 0 {
                (0, low.1.saturating_add(1), 0)
            } else {
                next
            }
        })),
        _ => return None,
    })
}

fn is_full(version: &str) -> bool {
    exact(version).is_some()
}

/// The first version that `1`, `1.2`, `1.x` or `1.2.3` covers and the first that it does not; no end for `*`.
fn bounds(partial: &str) -> Option<(Version, Option<Version>)> {
    let partial = partial.trim_start_matches('v').split('+').next()?;
    if matches!(partial, "" | "*" | "x" | "X") {
        return Some(((0, 0, 0), None));
    }
    let mut numbers = [None; 3];
    for (at, part) in partial.split('.').enumerate() {
        let number = numbers.get_mut(at)?;
        if matches!(part, "*" | "x" | "X") {
            break;
        }
        *number = Some(part.parse::<u64>().ok()?);
    }
    Some(match numbers {
        [Some(major), Some(minor), Some(patch)] => (
            (major, minor, patch),
            Some((major, minor, patch.saturating_add(1))),
        ),
        [Some(major), Some(minor), None] => {
            ((major, minor, 0), Some((major, minor.saturating_add(1), 0)))
        }
        [Some(major), None, _] => ((major, 0, 0), Some((major.saturating_add(1), 0, 0))),
        [None, ..] => ((0, 0, 0), None),
    })
}

#[cfg(test)]
mod tests {
    use super::satisfies;

    #[test]
    fn ranges_as_npm_reads_them() {
        for (version, range, expected) in [
            ("1.2.3", "^1.0.0", Some(true)),
            ("2.0.0", "^1.0.0", Some(false)),
            ("0.2.9", "^0.2.3", Some(true)),
            ("0.3.0", "^0.2.3", Some(false)),
            ("0.0.4", "^0.0.3", Some(false)),
            ("1.2.9", "~1.2.3", Some(true)),
            ("1.3.0", "~1.2.3", Some(false)),
            ("1.9.0", "~1", Some(true)),
            ("1.2.3", "1.2.x", Some(true)),
            ("3.0.0", "*", Some(true)),
            ("3.0.0", ">= 1.2 < 3", Some(false)),
            ("2.9.0", ">=1.2 <3", Some(true)),
            ("2.0.0", "1.x || 2.x", Some(true)),
            ("1.5.0", "1.2 - 1.4", Some(false)),
            ("1.4.9", "1.2 - 1.4", Some(true)),
            ("1.2.4", ">1.2.3", Some(true)),
            ("1.2.3", ">1.2", Some(false)),
            ("1.0.0", "latest", None),
            ("1.0.0-rc.1", "^1.0.0", None),
            (
                "18446744073709551615.0.0",
                "^18446744073709551615",
                Some(false),
            ),
        ] {
            assert_eq!(satisfies(version, range), expected, "{version} in {range}");
        }
    }
}
