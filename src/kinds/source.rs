//! The kinds of object whose content can be projected.

use super::{ApiType, Kind, Row, Scope};

/// A kind of object whose content can be projected.
pub type SourceKind = Kind<SourceRow>;

/// What is known of a kind of source.
#[derive(Debug)]
pub struct SourceRow {
    order: u16,
    /// Its API type.
    pub api: ApiType,
    /// Whether the values of its `data` are base64.
    pub encoded: bool,
    /// Whether it has `binaryData` beside `data`.
    pub binary_data: bool,
}

impl SourceKind {
    /// `v1/ConfigMap`.
    pub const CONFIG_MAP: Self = Kind::new(&SourceRow {
        order: 0,
        api: ApiType {
            group: "",
            version: "v1",
            kind: "ConfigMap",
            plural: "configmaps",
            short_names: &["cm"],
            scope: Scope::Namespace,
        },
        encoded: false,
        binary_data: true,
    });

    /// `v1/Secret`.
    pub const SECRET: Self = Kind::new(&SourceRow {
        order: 1,
        api: ApiType {
            group: "",
            version: "v1",
            kind: "Secret",
            plural: "secrets",
            short_names: &[],
            scope: Scope::Namespace,
        },
        encoded: true,
        binary_data: false,
    });
}

#[cfg(test)]
impl SourceKind {
    /// A made-up kind whose objects live in the cluster.
    pub(crate) const OF_CLUSTER: Self = Kind::new(&SourceRow {
        order: 9,
        api: ApiType {
            group: "example.com",
            version: "v1",
            kind: "Bundle",
            plural: "bundles",
            short_names: &[],
            scope: Scope::Cluster,
        },
        encoded: false,
        binary_data: false,
    });
}

impl Row for SourceRow {
    const SCHEMA: &'static str = "SourceKind";
    const DESCRIPTION: &'static str = "The kinds of object whose content can be projected.";
    const ALL: &'static [SourceKind] = &[SourceKind::CONFIG_MAP, SourceKind::SECRET];

    fn order(&self) -> u16 {
        self.order
    }

    fn api(&self) -> &ApiType {
        &self.api
    }
}
