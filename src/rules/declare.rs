/// Declares a rule's unit struct, its documentation and its [`RuleMeta`](super::RuleMeta) in one place.
///
/// The doc comment is kept as text: it is what `explain` prints.
macro_rules! declare_rule {
    (
        $(#[doc = $doc:literal])+
        pub(crate) $ident:ident { name: $name:literal, level: $level:ident, hadolint: [$($code:literal),* $(,)?] $(,)? }
    ) => {
        $(#[doc = $doc])+
        pub(crate) struct $ident;

        impl $ident {
            const META: $crate::rules::RuleMeta = $crate::rules::RuleMeta {
                name: $name,
                level: $crate::rules::Level::$level,
                hadolint: &[$($code),*],
                documentation: concat!($($doc, "\n"),+),
            };
        }
    };
}
pub(crate) use declare_rule;
