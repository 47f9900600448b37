//! Floor module template.
