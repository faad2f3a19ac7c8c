//! Objects as reports show them: what the operator keeps of them, and what only people ask for.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Resource as _;
use kube::core::Selector;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Bad, Slim, View};
use crate::core::project::pod_spec::{PodSpec, PodTemplate};

/// One object of API type `K`. The command line reads some hundreds of them and ends, so
/// each may pass through JSON as a whole.
#[derive(Clone, Debug)]
pub struct Shown<K: Slim> {
    view: View<K>,
    details: Details,
}

/// What the operator does not keep of an object.
#[derive(Clone, Debug)]
pub struct Details {
    /// The spec of the Pod, or that in the Pod template.
    pub spec: PodSpec,
    /// What selects the Pods of a workload.
    pub selector: Option<Selector>,
    /// Where in its life a Pod is.
    pub life: Life,
    /// The number that a Deployment's controller gives to a ReplicaSet.
    pub revision: Option<i64>,
    /// Whether a ReplicaSet was that of an earlier revision too, before an undo.
    pub undone: bool,
    /// `projsync.dev/sync` of the object itself.
    pub sync: Option<String>,
}

/// Where in its life a Pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Life {
    /// It runs, or will.
    Active,
    /// It is being deleted.
    Terminating,
    /// Its containers have ended.
    Finished,
}

impl<K: Slim> Shown<K> {
    /// The name of the object.
    #[must_use]
    pub fn name(&self) -> &str {
        self.view.meta().name.as_deref().unwrap_or_default()
    }

    /// Name, view and details of the object.
    ///
    /// # Errors
    /// Where the object isn't as the API defines it.
    pub fn open(self, kind: &K::Kind) -> Result<(Arc<str>, K::Object, Details), Bad> {
        let name: Arc<str> = self.name().into();
        match self.view.object {
            Ok(object) => Ok((name, object, self.details)),
            Err(bad) => Err(Bad(format!("{} {name}: {bad}", K::api(kind).kind).into())),
        }
    }
}

impl<'de, K: Slim> Deserialize<'de> for Shown<K> {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(decoder)?;
        Ok(Self {
            view: View::deserialize(&json).map_err(D::Error::custom)?,
            details: Details::of(&json),
        })
    }
}

impl Details {
    fn of(json: &Value) -> Self {
        let text = |path: &str| json.pointer(path).and_then(Value::as_str);
        let templates = ["/spec/template", "/spec/jobTemplate/spec/template"];
        let template = templates.iter().find_map(|path| json.pointer(path));
        let template = template.unwrap_or(json);
        let selector = json
            .pointer("/spec/selector")
            .and_then(|selector| LabelSelector::deserialize(selector).ok());
        Self {
            // Leniently read fields take every shape, so this does not fail.
            spec: PodTemplate::deserialize(template).unwrap_or_default().spec,
            selector: selector.and_then(|selector| Selector::try_from(selector).ok()),
            life: match (text("/metadata/deletionTimestamp"), text("/status/phase")) {
                (Some(_), _) => Life::Terminating,
                (None, Some("Succeeded" | "Failed")) => Life::Finished,
                (None, _) => Life::Active,
            },
            revision: text("/metadata/annotations/deployment.kubernetes.io~1revision")
                .and_then(|number| number.parse().ok()),
            undone: text("/metadata/annotations/deployment.kubernetes.io~1revision-history")
                .is_some_and(|earlier| !earlier.is_empty()),
            sync: text("/metadata/annotations/projsync.dev~1sync").map(str::to_owned),
        }
    }
}
