//! The words that messages have in common.

use std::fmt::Display;

use crate::core::plan::facts::Facts;
use crate::kinds::WorkloadId;

/// `2 Pods outdated: why`.
pub(super) fn outdated(facts: &Facts<'_>, why: impl Display) -> String {
    format!("{} outdated: {why}", count_pods(facts.outdated().count()))
}

/// `1 Pod`, `2 Pods`.
#[must_use]
pub fn count_pods(count: impl Display) -> String {
    match count.to_string().as_str() {
        "1" => "1 Pod".to_owned(),
        many => format!("{many} Pods"),
    }
}

/// `deployment/web`, as kubectl takes it.
pub(super) fn name_of(id: &WorkloadId) -> String {
    format!("{}/{}", id.kind.as_str().to_lowercase(), id.name)
}
