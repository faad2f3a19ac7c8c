//! Changes of ConfigMaps and Secrets.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::{Edit, Source, Space, config_map, secret};

/// A change that was made.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// What was written.
    pub(crate) edit: Edit,
    /// The keys that changed.
    pub(crate) keys: Vec<String>,
}

/// Makes changes in a namespace.
pub(crate) struct Editor<'a>(pub(crate) &'a Space);

impl Editor<'_> {
    /// Sets a key of a ConfigMap.
    pub(crate) async fn config(&self, name: &str, key: &str, value: &str) -> Result<Change> {
        Ok(change(
            self.0.set(&config_map(name), key, value).await?,
            &[key],
        ))
    }

    /// Removes a key of a ConfigMap.
    pub(crate) async fn remove(&self, name: &str, key: &str) -> Result<Change> {
        Ok(change(self.0.unset(&config_map(name), key).await?, &[key]))
    }

    /// Labels a ConfigMap.
    pub(crate) async fn label(&self, name: &str, label: &str, value: &str) -> Result<Change> {
        let patch = json!({"metadata": {"labels": {label: value}}});
        Ok(change(self.0.merge(&config_map(name), patch).await?, &[]))
    }

    /// Sets a key of a Secret.
    pub(crate) async fn secret(&self, name: &str, key: &str, value: &str) -> Result<Change> {
        Ok(change(self.0.set(&secret(name), key, value).await?, &[key]))
    }

    /// Deletes a ConfigMap. Returns what it was.
    pub(crate) async fn delete(&self, name: &str) -> Result<(Source, Change)> {
        let data = self.0.get(&config_map(name)).await?["data"].take();
        let data = data.as_object().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let old = data.iter().fold(config_map(name), |source, (key, value)| {
            source.data(key, &text(value))
        });
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        let deleted = change(self.0.delete(&old).await?, &keys);
        Ok((old, deleted))
    }
}

fn change(edit: Edit, keys: &[&str]) -> Change {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    Change { edit, keys }
}
