//! What an answer says about the forge's limits.

use std::time::Duration;

use super::http::Response;

/// A limit whose end nobody tells: GitHub asks for a minute at least, and for more each time.
const SECONDARY: Duration = Duration::from_secs(60);
/// Clocks differ: this much is added to the moment at which a limit ends.
const SLACK: Duration = Duration::from_secs(1);

/// How an answer limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limited {
    /// Not at all.
    No,
    /// It was the last one until then.
    AfterThis { until: Duration },
    /// It was not carried out, and may be sent again then.
    PutOff { until: Duration },
}

/// Judges `response`, which came at `now`, to a request that was put off `before` times already.
pub(super) fn limited(response: &Response, now: Duration, before: u32) -> Limited {
    let retry = response
        .header("retry-after")
        .and_then(|value| retry_after(value, now));
    let used_up = ["x-ratelimit-remaining", "ratelimit-remaining"]
        .iter()
        .any(|name| response.header(name).map(str::trim) == Some("0"));
    let reset = ["x-ratelimit-reset", "ratelimit-reset"]
        .iter()
        .find_map(|name| response.header(name)?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds) + SLACK);
    let refused = match response.status {
        429 => true,
        403 => retry.is_some() || used_up || speaks_of_limits(&response.body),
        503 => retry.is_some(),
        _ => false,
    };
    if refused {
        let growing = SECONDARY * 2_u32.saturating_pow(before.min(5));
        let until = match (retry, used_up.then_some(reset).flatten()) {
            (Some(retry), _) => retry,
            (None, Some(reset)) => reset,
            (None, None) => now + growing,
        };
        return Limited::PutOff {
            until: until.max(now + SLACK),
        };
    }
    match reset {
        Some(until) if used_up && until > now => Limited::AfterThis { until },
        _ => Limited::No,
    }
}

/// GitHub's secondary limits come as 403 with a sentence and sometimes without a header.
fn speaks_of_limits(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).to_ascii_lowercase();
    text.contains("rate limit") || text.contains("abuse detection")
}

/// `120` or `Fri, 31 Dec 1999 23:59:59 GMT`, as time since the beginning of 1970.
fn retry_after(value: &str, now: Duration) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(now + Duration::from_secs(seconds));
    }
    let mut words = value.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    .iter()
    .position(|name| *name == month)? as u64
        + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut time = words.next()?.split(':').map(|part| part.parse::<u64>());
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    if !(1970..9999).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    Some(Duration::from_secs(
        days * 86400 + hour * 3600 + minute * 60 + second,
    ))
}

/// Days of the Gregorian calendar; the year begins in March, so that the leap day is its last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + day_of_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Limited {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let response = Response {
            status,
            headers,
            body: body.as_bytes().to_vec(),
        };
        limited(&response, NOW, 1)
    }

    fn put_off(seconds: u64) -> Limited {
        Limited::PutOff {
            until: NOW + Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_date_is_a_time() {
        let date = |text| retry_after(text, NOW).map(|at| at.as_secs());
        assert_eq!(date("7"), Some(1_000_007));
        assert_eq!(date("Fri, 31 Dec 1999 23:59:59 GMT"), Some(946_684_799));
        assert_eq!(date("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        assert_eq!(date("Thu, 01 Jan 1970 00:00:10 GMT"), Some(10));
        assert_eq!(date("soon"), None);
        assert_eq!(date("Fri, 31 Foo 1999 23:59:59 GMT"), None);
    }

    #[test]
    fn every_kind_of_limit_is_seen() {
        let remaining = ("x-ratelimit-remaining", "0");
        assert_eq!(answer(429, &[("retry-after", "30")], ""), put_off(30));
        assert_eq!(answer(403, &[("retry-after", "90")], ""), put_off(90));
        assert_eq!(
            answer(403, &[remaining, ("x-ratelimit-reset", "1000600")], ""),
            put_off(601)
        );
        assert_eq!(
            answer(
                429,
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "1000060")],
                ""
            ),
            put_off(61)
        );
        let sentence = "{\"message\":\"You have exceeded a secondary rate limit.\"}";
        assert_eq!(answer(403, &[], sentence), put_off(120));
        assert_eq!(answer(503, &[("retry-after", "5")], ""), put_off(5));
        assert_eq!(
            answer(200, &[remaining, ("x-ratelimit-reset", "1000600")], ""),
            Limited::AfterThis {
                until: NOW + Duration::from_secs(601)
            }
        );
    }

    #[test]
    fn a_refusal_is_no_limit() {
        assert_eq!(answer(403, &[], "{\"message\":\"Forbidden\"}"), Limited::No);
        assert_eq!(answer(404, &[("retry-after", "5")], ""), Limited::No);
        assert_eq!(answer(503, &[], ""), Limited::No);
        assert_eq!(
            answer(
                200,
                &[
                    ("x-ratelimit-remaining", "12"),
                    ("x-ratelimit-reset", "1000600")
                ],
                ""
            ),
            Limited::No
        );
    }
}
