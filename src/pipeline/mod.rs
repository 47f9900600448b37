//! Floor module pipeline.
