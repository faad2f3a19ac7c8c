//! The part of a Pod that matters here, as the API server has it, and what the API server holds.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Declares objects of the API whose every field may be left out.
macro_rules! objects {
    ($($(#[$doc:meta])* $object:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub struct $object {
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

objects! {
    /// `PodSpec`.
    PodSpec {
        /// Run one after the other before the others; those that always restart go on.
        init_containers: Vec<Container>,
        /// Run side by side.
        containers: Vec<Container>,
        /// What they may mount.
        volumes: Vec<VolumeSpec>,
    }

    /// `Container`.
    Container {
        /// Unique in the Pod.
        name: String,
        /// `Always` makes an init container a sidecar.
        restart_policy: Option<String>,
        /// Single variables, in order.
        env: Vec<EnvVar>,
        /// Whole sources as variables, in order.
        env_from: Vec<EnvFrom>,
        /// What it mounts.
        volume_mounts: Vec<Mount>,
    }

    /// `EnvVar`.
    EnvVar {
        /// Its name.
        name: String,
        /// Its value, in which variables are expanded.
        value: String,
        /// Where its value comes from if it has none.
        value_from: Option<ValueFrom>,
    }

    /// `EnvVarSource`: one of.
    ValueFrom {
        /// A field of the Pod.
        field_ref: Option<FieldRef>,
        /// A key of a ConfigMap.
        config_map_key_ref: Option<KeyRef>,
        /// A key of a Secret.
        secret_key_ref: Option<KeyRef>,
        /// A variable of a file in a volume.
        file_key_ref: Option<FileKeyRef>,
    }

    /// `ObjectFieldSelector`.
    FieldRef {
        /// Which field.
        field_path: String,
    }

    /// `ConfigMapKeySelector`, `SecretKeySelector`.
    KeyRef {
        /// Of the source.
        name: String,
        /// In the source.
        key: String,
        /// Whether both may be absent.
        optional: bool,
    }

    /// `FileKeySelector`.
    FileKeyRef {
        /// Where the file is.
        volume_name: String,
        /// Of the file.
        path: String,
        /// In the file.
        key: String,
        /// Whether it may be absent.
        optional: bool,
    }

    /// `EnvFromSource`: one of the two references.
    EnvFrom {
        /// Goes before each key.
        prefix: String,
        /// A ConfigMap.
        config_map_ref: Option<SourceRef>,
        /// A Secret.
        secret_ref: Option<SourceRef>,
    }

    /// `ConfigMapEnvSource`, `SecretEnvSource`.
    SourceRef {
        /// Of the source.
        name: String,
        /// Whether it may be absent.
        optional: bool,
    }

    /// `VolumeMount`.
    Mount {
        /// Of the volume.
        name: String,
        /// Where the container has it.
        mount_path: String,
        /// A path in the volume.
        sub_path: String,
        /// The same, in which variables are expanded.
        sub_path_expr: String,
    }

    /// `Volume`: one of its kinds, or another one, which is empty here.
    VolumeSpec {
        /// Unique in the Pod.
        name: String,
        /// A ConfigMap.
        config_map: Option<Part>,
        /// A Secret.
        secret: Option<SecretPart>,
        /// Several sources.
        projected: Option<Projected>,
        /// Fields of the Pod.
        #[serde(rename = "downwardAPI")]
        downward_api: Option<Downward>,
    }

    /// `ConfigMapVolumeSource`, `ConfigMapProjection`, `SecretProjection`.
    Part {
        /// Of the source.
        name: String,
        /// The keys, with their paths; all keys where it is empty.
        items: Vec<Item>,
        /// Whether source and keys may be absent.
        optional: bool,
    }

    /// `SecretVolumeSource`.
    SecretPart {
        /// Of the source.
        secret_name: String,
        /// The keys, with their paths; all keys where it is empty.
        items: Vec<Item>,
        /// Whether source and keys may be absent.
        optional: bool,
    }

    /// `KeyToPath`.
    Item {
        /// In the source.
        key: String,
        /// In the volume.
        path: String,
    }

    /// `ProjectedVolumeSource`.
    Projected {
        /// In order.
        sources: Vec<Projection>,
    }

    /// `VolumeProjection`: one of.
    Projection {
        /// A ConfigMap.
        config_map: Option<Part>,
        /// A Secret.
        secret: Option<Part>,
        /// Fields of the Pod.
        #[serde(rename = "downwardAPI")]
        downward_api: Option<Downward>,
        /// A token, which the kubelet renews.
        service_account_token: Option<At>,
        /// Trust anchors.
        cluster_trust_bundle: Option<At>,
        /// A key with its certificates, which the kubelet renews.
        pod_certificate: Option<Certificate>,
    }

    /// `PodCertificateProjection`: where its files go; nowhere where a path is empty.
    Certificate {
        /// Key and certificates together.
        credential_bundle_path: String,
        /// The key alone.
        key_path: String,
        /// The certificates alone.
        certificate_chain_path: String,
    }

    /// `DownwardAPIVolumeSource`, `DownwardAPIProjection`.
    Downward {
        /// Its files.
        items: Vec<At>,
    }

    /// A file that no source gives.
    At {
        /// In the volume.
        path: String,
        /// Which field of the Pod, if it is one.
        field_ref: Option<FieldRef>,
    }
}

/// `ConfigMap` or `Secret`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Its `binaryData` is seen by volumes only.
    ConfigMap,
    /// All of it is `data`.
    Secret,
}

/// A source, by kind and name.
pub type Id = (Kind, String);

/// What a ConfigMap or Secret holds. Values are text here, those of `binaryData` too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `data`.
    pub data: BTreeMap<String, String>,
    /// `binaryData`, whose keys are no keys of `data`.
    pub binary_data: BTreeMap<String, String>,
    /// `immutable`.
    pub immutable: bool,
}

/// The sources that there are.
pub type Sources = BTreeMap<Id, Source>;

/// What comes from elsewhere than from sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The variables of Services.
    pub services: BTreeMap<String, String>,
    /// Fields of the Pod, by their path; others are empty.
    pub fields: BTreeMap<String, String>,
    /// Variables in files of volumes, by volume, path and name.
    pub variables: BTreeMap<(String, String, String), String>,
}

impl PodSpec {
    /// From JSON.
    ///
    /// # Errors
    /// Where it is not of the shape that the API has.
    pub fn from_json(spec: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(spec)
    }

    /// All its containers, in the order in which they start.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.init_containers.iter().chain(&self.containers)
    }

    /// Whether a container ends before the others start.
    #[must_use]
    pub fn ends_first(&self, name: &str) -> bool {
        let mut init = self.init_containers.iter();
        init.any(|one| one.name == name && one.restart_policy.as_deref() != Some("Always"))
    }
}

impl Given {
    /// The value of a field.
    #[must_use]
    pub fn field(&self, field: &FieldRef) -> String {
        let value = self.fields.get(&field.field_path);
        value.cloned().unwrap_or_default()
    }
}

impl Source {
    /// One with this data.
    pub fn of<'a>(data: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            data: data.into_iter().map(own).collect(),
            ..Self::default()
        }
    }
}
