//! The report of `verify` for pull requests.

use super::text::{blame, contract, files, rows, verdict};
use super::{Outcome, Report, shown};

/// Appends the section of one Dockerfile.
pub(super) fn report(out: &mut Vec<u8>, report: &Report) {
    let mut text = format!("### {}\n\n", code(&shown(&report.path)));
    match &report.outcome {
        Outcome::Nothing => text.push_str("Nothing to rewrite, so nothing was built.\n"),
        Outcome::Unknown(why) => {
            let (first, rest) = why.split_once('\n').unwrap_or((why, ""));
            text.push_str(&format!("**Cannot tell:** {}\n", inline(first)));
            if !rest.is_empty() {
                text.push_str(&block(rest));
            }
        }
        Outcome::Compared(compared) => {
            text.push_str(&format!("**{}**\n\n", inline(&verdict(compared))));
            let rows = rows(compared);
            if !rows.is_empty() {
                text.push_str("| | original | rewrite | |\n|---|---:|---:|---|\n");
                for row in rows {
                    let cells =
                        [row.what, row.before, row.after, row.remark].map(|cell| inline(&cell));
                    text.push_str(&format!("| {} |\n", cells.join(" | ")));
                }
                text.push('\n');
                for line in contract(compared) {
                    text.push_str(&format!("- contract: {}\n", inline(&line)));
                }
                text.push_str(&format!("- files: {}\n", files(compared)));
            }
            for fault in &compared.comparison.faults {
                text.push_str(&format!(
                    "- **{}**: {} → {}\n",
                    fault.cause.name(),
                    inline(&fault.message),
                    inline(&fault.remedy)
                ));
            }
            for line in blame(compared) {
                text.push_str(&format!("- {}\n", inline(&line)));
            }
            if let Some(why) = &compared.comparison.unproved {
                text.push_str(&format!("- unproved: {}\n", inline(why)));
            }
            for remark in &compared.comparison.remarks {
                text.push_str(&format!("- {}\n", inline(remark)));
            }
            if !compared.log.is_empty() {
                text.push_str(&block(&compared.log));
            }
        }
    }
    for note in &report.notes {
        text.push_str(&format!("- {}\n", inline(note)));
    }
    text.push('\n');
    out.extend_from_slice(text.as_bytes());
}

/// Text in which nothing is markup.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in crate::report::printable(text.as_bytes()).chars() {
        if matches!(
            character,
            '|' | '*' | '_' | '`' | '<' | '[' | ']' | '#' | '@' | '\\'
        ) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn code(text: &str) -> String {
    match text.contains('`') {
        true => inline(text),
        false => format!("`{text}`"),
    }
}

/// Lines that are shown as they are.
fn block(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| format!("    {}\n", crate::report::printable(line.as_bytes())));
    format!("\n{}\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_no_markup() {
        assert_eq!(
            inline("a|b <script> [x](y) @me"),
            "a\\|b \\<script> \\[x\\](y) \\@me"
        );
        assert_eq!(code("a`b"), "a\\`b");
    }
}
