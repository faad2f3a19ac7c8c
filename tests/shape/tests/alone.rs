//! The core, compiled alone by tests/core, drags in nothing that does I/O or logs.

use std::process::Command;

#[test]
fn the_core_needs_no_client_runtime_or_log() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(["--package", "projsync-core-alone"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let crates: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        crates.contains(&"sha2"),
        "not the tree that was asked for: {tree}"
    );
    for banned in [
        "projsync",
        "tokio",
        "futures",
        "hyper",
        "tower",
        "axum",
        "kube-client",
        "kube-runtime",
        "tracing",
        "log",
        "parking_lot",
        "getrandom",
        "prometheus-client",
        "clap",
    ] {
        assert!(
            !crates.contains(&banned),
            "the core depends on {banned}:\n{tree}"
        );
    }
}
