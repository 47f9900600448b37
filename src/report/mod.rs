//! Floor module report.
