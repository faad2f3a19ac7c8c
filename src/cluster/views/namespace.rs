//! Namespaces: their labels, for `namespaceSelector`.

use k8s_openapi::api::core::v1::Namespace;

use serde::Deserializer;

use super::metadata::{AllLabels, Identity, Metadata};
use super::{Slim, View, fields};
use crate::core::policy::Labels;
use crate::kinds::{ApiType, NAMESPACE};

fields! {
    /// `Namespace`.
    NamespaceFields {
        metadata: Metadata<AllLabels>,
    }
}

impl super::Fields for NamespaceFields {
    fn identity(&self) -> Identity<'_> {
        self.metadata.identity()
    }
}

impl Slim for Namespace {
    type Kind = ();
    /// Its labels.
    type Object = Labels;
    const METADATA_ONLY: bool = true;

    fn api((): &()) -> &'static ApiType {
        &NAMESPACE
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, |fields: NamespaceFields| {
            Ok(fields.metadata.labels.0)
        })
    }
}
