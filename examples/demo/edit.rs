//! Changes of ConfigMaps and Secrets.

use std::fmt::Debug;

use anyhow::{Context as _, Result};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The namespace of everything in the demo.
pub(crate) const NAMESPACE: &str = "shop";

/// A change that was made.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// `ConfigMap` or `Secret`.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// The keys that changed.
    pub(crate) keys: Vec<String>,
    /// Its resourceVersion afterwards; `None` where it was deleted.
    pub(crate) version: Option<u64>,
}

/// Makes changes.
#[derive(Clone)]
pub(crate) struct Editor {
    /// An administrator's.
    pub(crate) client: Client,
}

impl Editor {
    /// Sets a key of a ConfigMap.
    pub(crate) async fn config(&self, name: &str, key: &str, value: &str) -> Result<Edit> {
        let patch = json!({"data": {key: value}});
        self.patch::<ConfigMap>(name, &[key], &patch).await
    }

    /// Removes a key of a ConfigMap.
    pub(crate) async fn remove(&self, name: &str, key: &str) -> Result<Edit> {
        let patch = json!({"data": {key: null}});
        self.patch::<ConfigMap>(name, &[key], &patch).await
    }

    /// Labels a ConfigMap.
    pub(crate) async fn label(&self, name: &str, label: &str, value: &str) -> Result<Edit> {
        let patch = json!({"metadata": {"labels": {label: value}}});
        self.patch::<ConfigMap>(name, &[], &patch).await
    }

    /// Sets a key of a Secret.
    pub(crate) async fn secret(&self, name: &str, key: &str, value: &str) -> Result<Edit> {
        let patch = json!({"stringData": {key: value}});
        self.patch::<Secret>(name, &[key], &patch).await
    }

    /// Deletes a ConfigMap. Returns what it was.
    pub(crate) async fn delete(&self, name: &str) -> Result<(ConfigMap, Edit)> {
        let api = self.api::<ConfigMap>();
        let old = api.get(name).await?;
        api.delete(name, &DeleteParams::default()).await?;
        let keys = old.data.iter().flatten().map(|(key, _)| key.clone());
        let edit = Edit {
            kind: "ConfigMap".to_owned(),
            name: name.to_owned(),
            keys: keys.collect(),
            version: None,
        };
        Ok((old, edit))
    }

    /// Creates a ConfigMap with another's name and content.
    pub(crate) async fn recreate(&self, old: &ConfigMap) -> Result<Edit> {
        let mut new = ConfigMap {
            data: old.data.clone(),
            ..ConfigMap::default()
        };
        new.metadata.name = old.metadata.name.clone();
        let keys = old.data.iter().flatten().map(|(key, _)| key.as_str());
        let keys: Vec<&str> = keys.collect();
        edit(
            &self.api().create(&PostParams::default(), &new).await?,
            &keys,
        )
    }

    async fn patch<K>(&self, name: &str, keys: &[&str], patch: &Value) -> Result<Edit>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned,
    {
        let params = PatchParams::default();
        let object: K = self
            .api()
            .patch(name, &params, &Patch::Merge(patch))
            .await?;
        edit(&object, keys)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }
}

fn edit<K: Resource<DynamicType = ()>>(object: &K, keys: &[&str]) -> Result<Edit> {
    let version = object.resource_version().context("no resourceVersion")?;
    Ok(Edit {
        kind: K::kind(&()).into_owned(),
        name: object.name_any(),
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        version: Some(version.parse()?),
    })
}
