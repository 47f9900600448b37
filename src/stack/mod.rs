//! Floor module stack.
