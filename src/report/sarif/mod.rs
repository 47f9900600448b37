//! The report as SARIF 2.1.0: for code scanning, viewers, MegaLinter and reviewdog.
//!
//! A rewrite is a result; the first one of a component carries the component's fix. Findings are results of level
//! `note`. Refusals, files that BuildKit refuses and errors are notifications: GitHub opens an alert for every result,
//! of whatever kind, and there is nothing to do about most refusals.

mod fix;
mod rules;

use serde_json::{Value, json};

use super::located::{Located, Names, uri};
use super::size::bytes;
use super::{Totals, printable};
use crate::pipeline::{PlannedRewrite, RewriteId};
use crate::rules::{Estimate, RuleMeta};

/// Where relative URIs begin: the root of the repository.
const ROOT: &str = "%SRCROOT%";

/// Appends what comes before the results.
pub fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":",
    );
    write(
        out,
        &json!({
            "name": env!("CARGO_PKG_NAME"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "informationUri": env!("CARGO_PKG_REPOSITORY"),
            "rules": rules::descriptors(),
        }),
    );
    out.extend_from_slice(b"},\"columnKind\":\"unicodeCodePoints\",\"originalUriBaseIds\":");
    let root = json!({ROOT: {"description": {"text": "the root of the repository"}}});
    write(out, &root);
    out.extend_from_slice(b",\"results\":[");
}

/// Appends the results of one file to `results` and its notifications to `notifications`, a comma before each.
pub fn file(results: &mut Vec<u8>, notifications: &mut Vec<u8>, located: &Located<'_>) {
    let put = |out: &mut Vec<u8>, value: &Value| {
        out.extend_from_slice(b",\n");
        write(out, value);
    };
    let plan = located.report.plan;
    for value in rewrites(located) {
        put(results, &value);
    }
    let mut names = Names::new(located.source);
    for finding in &plan.findings {
        let text = sentence(&finding.message, &finding.remedy);
        let name = names.name("finding", finding.rule.name, finding.lines);
        let about = About::new(located, finding.rule, finding.lines);
        put(results, &about.result("note", &text, &name));
    }
    for refusal in &plan.refusals {
        let text = sentence(&refusal.reason, &refusal.remedy);
        let about = About::new(located, refusal.rule, refusal.lines);
        put(notifications, &about.notification("note", &text));
    }
    if let Some(refused) = &plan.refused {
        let text = format!("left alone, BuildKit refuses it: {refused}");
        put(notifications, &notification(located, "warning", &text));
    }
    for note in &plan.notes {
        put(notifications, &notification(located, "note", note));
    }
}

/// Appends what comes after the results; `notifications` goes without its first comma, `errors` name their files.
pub fn end(out: &mut Vec<u8>, notifications: &[u8], totals: &Totals, errors: &[String]) {
    let successful = totals.failed == 0 && errors.is_empty();
    out.extend_from_slice(
        format!(
            "\n],\"invocations\":[{{\"executionSuccessful\":{successful},\"toolExecutionNotifications\":["
        )
        .as_bytes(),
    );
    out.extend_from_slice(notifications);
    for (at, error) in errors.iter().enumerate() {
        if at > 0 || !notifications.is_empty() {
            out.extend_from_slice(b",\n");
        }
        let message = message(error);
        write(out, &json!({"level": "error", "message": message}));
    }
    out.extend_from_slice(b"]}]}]}\n");
}

fn write(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a value has a JSON form and a Vec takes any byte");
}

fn rewrites(located: &Located<'_>) -> Vec<Value> {
    let plan = located.report.plan;
    let mut fixes = vec![None; plan.rewrites.len()];
    let mut builder = fix::Builder::new(located);
    for component in plan.components() {
        fixes[component.rewrites[0]] = builder.fix(&component);
    }
    let mut results = Vec::new();
    for (rewrite, fix) in plan.rewrites.iter().zip(fixes) {
        let mut text = rewrite.reason.clone();
        text.push_str(&estimate(rewrite.saves));
        let about = About::new(located, rewrite.rule, rewrite.lines);
        let mut result = about.result("warning", &text, &rewrite.id);
        result["properties"] = properties(rewrite);
        if let Some(fix) = fix {
            result["fixes"] = json!([fix]);
        }
        results.push(result);
    }
    results
}

fn properties(rewrite: &PlannedRewrite) -> Value {
    json!({
        "level": rewrite.rule.level.name(),
        "component": rewrite.component,
        "savesImageBytes": rewrite.saves.image,
        "savesContextBytes": rewrite.saves.context,
    })
}

fn estimate(saves: Estimate) -> String {
    match (saves.image, saves.context) {
        (0, 0) => String::new(),
        (image, 0) => format!(" (at least {})", bytes(image)),
        (0, context) => format!(" (at least {} of the build context)", bytes(context)),
        (image, context) => format!(
            " (at least {}, and {} of the build context)",
            bytes(image),
            bytes(context)
        ),
    }
}

/// The reason and what would lift it.
fn sentence(reason: &str, remedy: &str) -> String {
    if remedy.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason} → {remedy}")
    }
}

/// The rule and the place of a result or a notification.
struct About {
    rule: &'static str,
    index: Option<usize>,
    location: Value,
}

impl About {
    fn new(located: &Located<'_>, rule: &RuleMeta, lines: (usize, usize)) -> Self {
        Self {
            rule: rule.name,
            index: rules::index(rule),
            location: json!([{"physicalLocation": {
                "artifactLocation": artifact(located),
                "region": {"startLine": lines.0, "endLine": lines.1},
            }}]),
        }
    }

    fn result(self, level: &str, text: &str, name: &RewriteId) -> Value {
        json!({
            "ruleId": self.rule,
            "ruleIndex": self.index,
            "level": level,
            "message": message(text),
            "locations": self.location,
            "partialFingerprints": {
                // The one that GitHub compares; without it, one is made from the text of the line.
                "primaryLocationLineHash": format!("{:016x}:{}", name.hash, name.ordinal + 1),
                "rewriteIdentity/v1": name.to_string(),
            },
        })
    }

    fn notification(self, level: &str, text: &str) -> Value {
        json!({
            "level": level,
            "message": message(text),
            "associatedRule": {"id": self.rule, "index": self.index},
            "locations": self.location,
        })
    }
}

fn notification(located: &Located<'_>, level: &str, text: &str) -> Value {
    json!({
        "level": level,
        "message": message(text),
        "locations": [{"physicalLocation": {"artifactLocation": artifact(located)}}],
    })
}

fn artifact(located: &Located<'_>) -> Value {
    json!({"uri": uri(located.path), "uriBaseId": ROOT})
}

/// A message: one line, and nothing in it is a link.
fn message(text: &str) -> Value {
    json!({"text": printable(text.as_bytes()).replace("](", "] (")})
}
