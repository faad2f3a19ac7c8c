//! ConfigMaps and Secrets.

use serde_json::{Value, json};

use crate::{Namespace, Result};

/// A ConfigMap or Secret.
#[derive(Clone, Debug)]
pub struct Source {
    namespace: Namespace,
    kind: &'static str,
    name: String,
}

impl Source {
    pub(crate) fn create(
        namespace: &Namespace,
        kind: &'static str,
        name: &str,
        data: &Value,
    ) -> Result<Self> {
        let field = if kind == "Secret" {
            "stringData"
        } else {
            "data"
        };
        namespace.add(&json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: data,
        }))?;
        Ok(Self {
            namespace: namespace.clone(),
            kind,
            name: name.to_owned(),
        })
    }

    /// As Projections name it: `ConfigMap/app`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Sets a key.
    ///
    /// # Errors
    /// Of the API server.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let field = if self.kind == "Secret" {
            "stringData"
        } else {
            "data"
        };
        self.merge(&json!({field: {key: value}}))
    }

    /// Merges into the object (a JSON merge patch).
    ///
    /// # Errors
    /// Of the API server.
    pub fn merge(&self, patch: &Value) -> Result<()> {
        self.namespace.merge(self.kind, &self.name, patch)
    }

    /// An environment variable with the value of a key.
    #[must_use]
    pub fn env(&self, variable: &str, key: &str) -> Value {
        let field = if self.kind == "Secret" {
            "secretKeyRef"
        } else {
            "configMapKeyRef"
        };
        json!({"name": variable, "valueFrom": {field: {"name": self.name, "key": key}}})
    }

    /// Environment variables for all keys, with a prefix.
    #[must_use]
    pub fn env_from(&self, prefix: &str) -> Value {
        let field = if self.kind == "Secret" {
            "secretRef"
        } else {
            "configMapRef"
        };
        json!({"prefix": prefix, field: {"name": self.name}})
    }

    /// A volume with all keys, which has the source's name.
    #[must_use]
    pub fn volume(&self) -> Value {
        match self.kind {
            "Secret" => json!({"name": self.name, "secret": {"secretName": self.name}}),
            _ => json!({"name": self.name, "configMap": {"name": self.name}}),
        }
    }
}
