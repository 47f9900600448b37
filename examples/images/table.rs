//! The table of the README, the medians below it, and what misses its mark.

use std::fmt::Write as _;

use crate::expect::{Builds, Expect};
use crate::measured::{Measured, Side};

/// Seconds within which a program that handles the stop signal has to end.
const UNHEARD: f64 = 2.0;

type Row = (String, Expect, Measured);

/// A Markdown table, one line a sample, and the medians of those at `standard`.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| sample | before, MB | after, MB | | its base, MB | above the base | again, s | | uid | stops in, s |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, expect, measured) in rows {
        let (before, after) = (measured.before.as_ref(), measured.after.as_ref());
        let size = |side: Option<&Side>| megabytes(side.and_then(|side| side.size));
        let rebuild = |side: Option<&Side>| seconds(side.and_then(|side| side.rebuild));
        let _ = writeln!(
            out,
            "| {name}{} | {} | {} | {} | {} | {} | {} → {} | {} | {} | {} → {} |",
            mark(expect),
            size(before),
            size(after),
            percent(cut(measured)),
            megabytes(measured.base),
            percent(cut_above_base(measured)),
            rebuild(before),
            rebuild(after),
            speedup(measured).map_or_else(String::new, |factor| format!("{factor:.1} ×")),
            user(after),
            seconds(before.and_then(|side| side.stop)),
            seconds(after.and_then(|side| side.stop)),
        );
    }
    out.push('\n');
    let counted = || {
        rows.iter()
            .filter(|(_, expect, _)| expect.level == "standard" && expect.refused.is_none())
            .map(|(_, _, measured)| measured)
    };
    let _ = writeln!(
        out,
        "Median of {} at `standard`: {} of the image, {} of what lies above the runtime base, built again {:.1} × faster.",
        counted().filter_map(cut).count(),
        percent(median(counted().filter_map(cut))),
        percent(median(counted().filter_map(cut_above_base))),
        median(counted().filter_map(speedup)).unwrap_or(1.0),
    );
    out
}

/// What does not hold, one sentence each.
pub(crate) fn failures(rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, expect, measured) in rows {
        let sides = [
            ("the original", &measured.before),
            ("the result", &measured.after),
        ];
        for (side, measured) in sides {
            if let Some(objection) = measured.as_ref().and_then(|side| side.objection.as_ref()) {
                found.push(format!("{name}: {side}: {objection}"));
            }
        }
        // The verdict of `verify` and that of the sample's own probes have to be one.
        found.extend(
            measured
                .faults
                .iter()
                .map(|fault| format!("{name}: verify: {fault}")),
        );
        let Some(after) = &measured.after else {
            continue;
        };
        if let (Some(size), Some(under)) = (after.size, expect.under)
            && size > under * 1_000_000
        {
            let size = size / 1_000_000;
            found.push(format!(
                "{name}: {size} MB, and it should come under {under}"
            ));
        }
        if let Some(user) = expect.user
            && after.size.is_some()
            && after.user != Some(user)
        {
            let configured = &after.configured;
            found.push(format!(
                "{name}: process 1 runs as {:?} (USER `{configured}`), not as {user}",
                after.user
            ));
        }
        if expect.handles_sigterm && after.stop.is_some_and(|stop| stop >= UNHEARD) {
            found.push(format!("{name}: it does not stop on the stop signal"));
        }
    }
    found
}

fn mark(expect: &Expect) -> String {
    let mut mark = String::new();
    if expect.level != "standard" {
        let _ = write!(mark, " ({})", expect.level);
    }
    if expect.builds == Builds::Result {
        let because = expect.builds_because.as_deref().unwrap_or_default();
        let _ = write!(mark, " (result only: {because})");
    }
    if let Some(published) = &expect.published {
        let _ = write!(mark, " (published: {published})");
    }
    if expect.refused.is_some() {
        mark.push_str(" (left in one stage)");
    }
    mark
}

/// The share of the image that is gone.
fn cut(measured: &Measured) -> Option<f64> {
    let before = measured.before.as_ref()?.size?;
    let after = measured.after.as_ref()?.size?;
    Some(share(before, after))
}

/// The share that is gone of what lies above the runtime base.
fn cut_above_base(measured: &Measured) -> Option<f64> {
    let base = measured.base?;
    let before = measured.before.as_ref()?.size?.checked_sub(base)?;
    let after = measured.after.as_ref()?.size?.saturating_sub(base);
    (before > 0).then(|| share(before, after))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes of images are below 2^53 bytes"
)]
fn share(before: u64, after: u64) -> f64 {
    100.0 * (1.0 - after as f64 / before as f64)
}

fn speedup(measured: &Measured) -> Option<f64> {
    let before = measured.before.as_ref()?.rebuild?;
    let after = measured.after.as_ref()?.rebuild?;
    (after > 0.0).then(|| before / after)
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let high = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(high);
    }
    Some(f64::midpoint(figures[middle - 1], high))
}

fn user(side: Option<&Side>) -> String {
    let user = side.and_then(|side| side.user);
    user.map_or_else(|| "–".to_owned(), |user| user.to_string())
}

fn megabytes(size: Option<u64>) -> String {
    let Some(size) = size else {
        return "–".to_owned();
    };
    let tenths = size / 100_000;
    if tenths < 1000 {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        let megabytes = (size + 500_000) / 1_000_000;
        if megabytes < 1000 {
            megabytes.to_string()
        } else {
            format!("{},{:03}", megabytes / 1000, megabytes % 1000)
        }
    }
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:+.0} %", -share))
}
