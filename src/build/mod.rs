//! Floor module build.
