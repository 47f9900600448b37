//! Floor module cli.
