//! The docker-diet program.

fn main() {}
