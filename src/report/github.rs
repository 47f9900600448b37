//! Annotations of a GitHub workflow: commands on standard output that the runner turns into marks beside the lines.

use super::located::{Located, slashed_text};
use super::printable;
use super::size::bytes;
use crate::rules::RuleMeta;

/// Appends the annotations of one file: a rewrite is a `warning`, a finding a `notice`, what failed an `error`.
///
/// A runner shows ten of a kind for a step and drops the others, so that refusals, about which most pull requests can do
/// nothing, are annotations in a `verbose` report only.
pub fn file(out: &mut Vec<u8>, located: &Located<'_>, verbose: bool) {
    let path = slashed_text(located.path);
    let plan = located.report.plan;
    let mut put = |kind, rule: Option<&RuleMeta>, lines, message: &str, remedy: &str| {
        Annotation {
            kind,
            rule,
            path: &path,
            lines,
            message,
            remedy,
        }
        .put(out);
    };
    if let Some(error) = located.report.error {
        put("error", None, (1, 1), error, "");
    }
    if let Some(refused) = &plan.refused {
        let message = format!("left alone, BuildKit refuses it: {refused}");
        put("warning", None, (1, 1), &message, "");
    }
    for rewrite in &plan.rewrites {
        let saves = rewrite.saves.image.saturating_add(rewrite.saves.context);
        let message = match saves {
            0 => rewrite.reason.clone(),
            saves => format!("{} (at least {})", rewrite.reason, bytes(saves)),
        };
        put("warning", Some(rewrite.rule), rewrite.lines, &message, "");
    }
    for finding in &plan.findings {
        let (message, remedy) = (&finding.message, &finding.remedy);
        put("notice", Some(finding.rule), finding.lines, message, remedy);
    }
    if verbose {
        for refusal in &plan.refusals {
            let message = format!("left as it is: {}", refusal.reason);
            put(
                "notice",
                Some(refusal.rule),
                refusal.lines,
                &message,
                &refusal.remedy,
            );
        }
    }
}

struct Annotation<'a> {
    kind: &'static str,
    rule: Option<&'a RuleMeta>,
    path: &'a str,
    /// First and last, counted from 1.
    lines: (usize, usize),
    message: &'a str,
    remedy: &'a str,
}

impl Annotation<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let title = match self.rule {
            Some(rule) => format!("docker-diet {}", rule.name),
            None => "docker-diet".to_owned(),
        };
        let mut text = printable(self.message.as_bytes()).into_owned();
        if !self.remedy.is_empty() {
            text.push_str(" → ");
            text.push_str(&printable(self.remedy.as_bytes()));
        }
        let line = format!(
            "::{} file={},line={},endLine={},title={}::{}\n",
            self.kind,
            property(self.path),
            self.lines.0,
            self.lines.1,
            property(&title),
            data(&text),
        );
        out.extend_from_slice(line.as_bytes());
    }
}

/// What stands behind the second `::`, escaped as GitHub's toolkit does.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property, escaped as GitHub's toolkit does.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_or_begins_another() {
        let annotation = Annotation {
            kind: "warning",
            rule: None,
            path: "a b,c:d%/Docker\nfile",
            lines: (2, 3),
            message: "50 % of it\n::error::x\x1b[31m",
            remedy: "a:b, c",
        };
        let mut out = Vec::new();
        annotation.put(&mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "::warning file=a b%2Cc%3Ad%25/Docker%0Afile,line=2,endLine=3,title=docker-diet::50 %25 of it\\n::error::x\\x1b[31m → a:b, c\n"
        );
    }
}
