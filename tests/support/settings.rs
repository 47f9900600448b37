//! Settings for one rule at a time.

use docker_diet::rules::{RULES, Settings};

/// Settings under which the rules of these names run, and no others.
///
/// # Panics
/// When one of the names is no rule.
pub(crate) fn only(names: &[String]) -> Settings {
    for name in names {
        assert!(
            RULES.iter().any(|rule| rule.meta().name == name),
            "`{name}` is no rule"
        );
    }
    Settings {
        rules: RULES
            .iter()
            .map(|rule| rule.meta().name.to_owned())
            .map(|name| (name.clone(), names.contains(&name)))
            .collect(),
        cache_mounts: true,
        ..Settings::default()
    }
}
