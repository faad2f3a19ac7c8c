//! A Pod spec, as JSON → references.

use projsync::core::project::pod_spec::PodSpec;
use projsync::core::project::reference::{Reference, references, self_refreshing};
use serde_json::Value;

/// References are sorted, each source and class once, and depend on nothing but
/// the spec: not on the order of its containers, nor on nulls. So does whether there are too many.
pub fn run(input: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let Ok(spec) = serde_json::from_value::<PodSpec>(json.clone()) else {
        // Leniently read, whatever its fields are; only an object can be one.
        assert!(!json.is_object());
        return;
    };
    let found = references(&spec);
    let key = |one: &Reference| (one.source.clone(), one.class);
    assert!((found.iter().flatten()).is_sorted_by(|a, b| key(a) < key(b)));
    for reference in found.iter().flatten() {
        assert!(!reference.source.1.is_empty());
        assert!(!reference.uses.is_empty() && !reference.containers.is_empty());
        assert!(reference.uses.is_sorted_by(|a, b| a < b));
        assert!(reference.containers.is_sorted_by(|a, b| a < b));
    }
    let mut turned = json;
    if let Some(Value::Array(containers)) = turned.get_mut("containers") {
        containers.reverse();
    }
    let spec: PodSpec = serde_json::from_value(turned).unwrap();
    assert_eq!(references(&spec), found);
    let _ = self_refreshing(&spec);
}
