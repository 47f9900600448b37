//! The command line (floor 7): what the user names, read from disk.

pub mod snapshot;
