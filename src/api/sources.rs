//! How policies select sources.

#![expect(
    unreachable_pub,
    reason = "KubeSchema repeats each struct inside of a function"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::SourceKind;

/// Selects sources by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.kind) || has(self.name)", "kind or name must be given"))]
pub struct SourceRule {
    /// ConfigMap or Secret. Default: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SourceKind>,

    /// Pattern that the whole name must match: `*` stands for any text, `?` for one
    /// character, `[a-c]` for one of several, `{a,b}` for either. Default: every name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

/// Selects the sources that count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sources {
    /// A source counts if one of these rules matches it. Default: every source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub include: Vec<SourceRule>,

    /// A source doesn't count if one of these rules matches it, whatever `include` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub exclude: Vec<SourceRule>,
}
