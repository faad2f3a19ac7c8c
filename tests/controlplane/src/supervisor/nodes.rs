//! The nodes that kwok plays.

use serde::Deserialize;
use serde_json::{Value, json};

/// kwok manages the nodes that carry this annotation, and no others, so that a
/// test may make a node of its own and write the status of its Pods itself.
pub(crate) const FAKE: (&str, &str) = ("kwok.x-k8s.io/node", "fake");

/// The manifest of `count` nodes.
pub(crate) fn manifest(count: usize) -> String {
    let nodes: Vec<Value> = (0..count)
        .map(|index| node(&format!("node-{index}")))
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string()
}

fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {FAKE.0: FAKE.1},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
    })
}

#[derive(Deserialize)]
struct List {
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    taints: Vec<Value>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

/// Whether each node of a list is Ready and free of taints; else the first that isn't.
pub(crate) fn all_ready(list: &str) -> Result<(), String> {
    let list: List = serde_json::from_str(list).map_err(|error| error.to_string())?;
    for node in list.items {
        let ready = node
            .status
            .conditions
            .iter()
            .any(|condition| condition.r#type == "Ready" && condition.status == "True");
        let name = node.metadata.name;
        if !ready {
            return Err(format!("{name} is not Ready"));
        }
        if !node.spec.taints.is_empty() {
            return Err(format!("{name} has taints"));
        }
    }
    Ok(())
}
