//! The `projsync` command.

fn main() {}
