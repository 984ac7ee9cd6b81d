//! The `migraph` binary.

fn main() {}
