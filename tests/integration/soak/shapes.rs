//! What the workloads project: every use is optional, since kwok's Pods start at once,
//! whatever is missing.

use testkit::{Source, Workload, config_map, projected, secret};

use super::model::Use;

/// The annotations of a Pod template that tell one from another.
pub(super) const SHAPE: &str = "soak/shape";
pub(super) const IMAGE: &str = "soak/image";

/// How many ways of projecting there are.
pub(super) const SHAPES: u64 = 5;

pub(super) fn sources() -> [Source; 3] {
    [config_map("c0"), config_map("c1"), secret("s0")]
}

/// A workload with a template of this shape.
pub(super) fn shaped(workload: Workload, shape: u64) -> Workload {
    let [c0, c1, s0] = sources();
    let workload = workload.pod_annotation(SHAPE, &shape.to_string());
    match shape {
        0 => workload.uses(c0.env_from("").optional()),
        1 => workload
            .uses(c0.env("A", "a").optional())
            .uses(c1.volume().optional()),
        2 => workload
            .uses(c0.volume().items(&["a"]).optional())
            .uses(s0.env_from("").optional()),
        3 => workload.uses(projected(&[&c0, &s0]).optional()),
        _ => workload
            .uses(c1.env("A", "b").optional())
            .uses(s0.env("B", "a").optional()),
    }
}

/// The same, as the model has it.
pub(super) fn uses(shape: u64) -> Vec<Use> {
    let one = |source: &str, key: Option<&str>, frozen| Use {
        source: source.to_owned(),
        keys: key.map(|key| vec![key.to_owned()]),
        optional: true,
        frozen,
    };
    let (c0, c1, s0) = ("ConfigMap/c0", "ConfigMap/c1", "Secret/s0");
    match shape {
        0 => vec![one(c0, None, true)],
        1 => vec![one(c0, Some("a"), true), one(c1, None, false)],
        2 => vec![one(c0, Some("a"), false), one(s0, None, true)],
        3 => vec![one(c0, None, false), one(s0, None, false)],
        _ => vec![one(c1, Some("b"), true), one(s0, Some("a"), true)],
    }
}
