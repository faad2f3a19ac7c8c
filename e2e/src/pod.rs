//! Pods that run `e2e/workload`, and what it reports.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{Object as _, Source};

/// What a process has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// When it started, by its own clock.
    pub started: Timestamp,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// The files below /config and /shared, now, by their paths.
    pub files: BTreeMap<String, String>,
}

impl Report {
    /// Whether a file has this content. While the kubelet replaces it there is none.
    pub fn has(&self, path: &str, content: &str) -> bool {
        self.files.get(path).is_some_and(|found| found == content)
    }
}

/// The image of `e2e/workload`, which each node has.
pub fn workload_image() -> String {
    std::env::var("E2E_WORKLOAD_IMAGE").unwrap_or_else(|_| "projsync-e2e-workload".to_owned())
}

/// The spec of a Pod with one container `main`, which serves reports on port 8080: what is
/// given of the container, beside what all have.
pub fn pod(main: Value) -> Value {
    let mut container = json!({
        "name": "main", "image": workload_image(), "args": ["serve"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
    });
    if let (Some(container), Value::Object(main)) = (container.as_object_mut(), main) {
        container.extend(main);
    }
    json!({"terminationGracePeriodSeconds": 5, "containers": [container]})
}

/// An environment variable with the value of a key.
pub fn env(source: &Source, variable: &str, key: &str) -> Value {
    let field = format!("{}KeyRef", source.kind().field());
    json!({"name": variable, "valueFrom": {field: {"name": source.name(), "key": key}}})
}

/// Environment variables for all keys, with a prefix.
pub fn env_from(source: &Source, prefix: &str) -> Value {
    let field = format!("{}Ref", source.kind().field());
    json!({"prefix": prefix, field: {"name": source.name()}})
}

/// A volume with all keys, which has the source's name.
pub fn volume(source: &Source) -> Value {
    let kind = source.kind();
    json!({"name": source.name(), kind.field(): {kind.volume_name(): source.name()}})
}
