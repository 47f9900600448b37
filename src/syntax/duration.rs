//! Durations of HEALTHCHECK, in Go's notation: `1h30m`, `1.5s`, `100ms`.

const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Whether BuildKit takes `value` for the flag `name`: a duration of zero, or of a millisecond or more.
///
/// # Errors
/// In BuildKit's words.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let nanoseconds =
        nanoseconds(value).ok_or_else(|| format!("time: invalid duration \"{value}\""))?;
    if nanoseconds != 0.0 && nanoseconds < 1e6 {
        return Err(format!("Interval \"{name}\" cannot be less than 1ms"));
    }
    Ok(())
}

fn nanoseconds(value: &str) -> Option<f64> {
    let (negative, mut rest) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (digits, after) = rest.split_at(number);
        // The standard library takes `1.` and `.5` for numbers, but not a lone point, as Go does.
        let amount: f64 = digits.parse().ok()?;
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += (amount * scale).trunc();
        rest = next;
    }
    if total >= 9.223_372_036_854_776e18 {
        return None;
    }
    Some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn durations_are_go_durations() {
        for value in ["0", "30s", "1h30m", "1.5s", ".5s", "1ms", "+2m", "0s"] {
            assert_eq!(check("interval", value), Ok(()), "{value}");
        }
        for value in ["30", "s", "1x", "-1s", "1us", ".s", "", "$T", "300000000h"] {
            assert!(check("interval", value).is_err(), "{value}");
        }
    }
}
