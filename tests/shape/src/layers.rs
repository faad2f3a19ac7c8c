//! Which part of the code may use which.

use crate::Fault;
use crate::tree::Tree;
use crate::uses::Uses;

/// The folders of `src`, each with those that it may use. Everything may use `src/lib.rs`.
const LAYERS: &[(&str, &[&str])] = &[
    ("kinds", &[]),
    ("api", &["kinds"]),
    ("core", &["kinds", "api"]),
    ("random", &[]),
    ("telemetry", &["kinds", "api"]),
    ("cluster", &["kinds", "api", "core", "telemetry", "random"]),
    ("report", &["kinds", "api", "core", "cluster"]),
    ("serve", &["kinds", "telemetry", "cluster"]),
    (
        "operator",
        &[
            "kinds",
            "api",
            "core",
            "telemetry",
            "cluster",
            "serve",
            "random",
        ],
    ),
    (
        "cli",
        &[
            "kinds",
            "api",
            "core",
            "telemetry",
            "cluster",
            "report",
            "serve",
            "operator",
            "random",
        ],
    ),
    ("main", &["cli"]),
];

/// The file that belongs to all.
const SHARED: &str = "lib";

/// Uses that the table has no room for, and folders that it doesn't know.
pub(crate) fn faults(tree: &Tree, uses: &Uses) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in &tree.files {
        let layer = layer(&file.path);
        if layer != SHARED && allowed(layer).is_none() {
            faults.push(Fault {
                file: file.path.clone(),
                line: 1,
                text: format!(
                    "`{layer}` is no layer yet: give it a row in tests/shape/src/layers.rs"
                ),
            });
        }
    }
    for ((from, to), line) in uses {
        let (user, used) = (layer(tree.path(*from)), layer(tree.path(*to)));
        let allowed = allowed(user).unwrap_or_default();
        if user != used && used != SHARED && !allowed.contains(&used) {
            faults.push(Fault {
                file: tree.path(*from).to_owned(),
                line: *line,
                text: format!(
                    "uses {}, but `{user}` may use {}: move one of them, or pass in what is needed",
                    tree.path(*to),
                    words(allowed),
                ),
            });
        }
    }
    faults
}

fn words(layers: &[&str]) -> String {
    if layers.is_empty() {
        "no other layer".to_owned()
    } else {
        format!("only {}", layers.join(", "))
    }
}

/// The folder or file of `src` that the path is in.
fn layer(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn allowed(layer: &str) -> Option<&'static [&'static str]> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == layer)
        .map(|(_, allowed)| *allowed)
}
