//! Pods that run `e2e/workload`, and what it reports.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

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
    #[must_use]
    pub fn has(&self, path: &str, content: &str) -> bool {
        self.files.get(path).is_some_and(|found| found == content)
    }
}

/// The image of `e2e/workload`, which each node has.
#[must_use]
pub fn workload_image() -> String {
    std::env::var("E2E_WORKLOAD_IMAGE").unwrap_or_else(|_| "projsync-e2e-workload".to_owned())
}

/// The spec of a Pod with one container `main`, which serves reports on port 8080: what is
/// given of the container, beside what all have.
#[must_use]
pub fn pod(main: &Value) -> Value {
    let mut container = json!({
        "name": "main", "image": workload_image(), "args": ["serve"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
    });
    if let (Some(container), Some(main)) = (container.as_object_mut(), main.as_object()) {
        container.extend(main.clone());
    }
    json!({"terminationGracePeriodSeconds": 5, "containers": [container]})
}
