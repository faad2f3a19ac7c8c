//! Projsync on a real control plane.

fn main() {}
