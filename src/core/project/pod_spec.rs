//! The subset of a PodSpec that matters to Projsync, in serde types of our own.
//!
//! k8s-openapi's oldest feature drops fields that newer clusters serve, so the
//! fields that we read, and those that we only show, are declared here. The
//! types live only while an object is decoded: they are turned into
//! [references](crate::core::project::reference) and dropped. Field names are those of
//! the Kubernetes API; whatever is absent, null or of a wrong type is its
//! default and hides nothing else.

use std::sync::Arc;

use serde::Deserialize;

use crate::core::lenient::{Lenient, lenient, lenient_objects};

/// Declares API objects whose every field is optional and read leniently.
macro_rules! api_objects {
    ($($(#[$doc:meta])* $object:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
            #[serde(default, rename_all = "camelCase")]
            pub struct $object {
                $(
                    $(#[$field_doc])*
                    #[serde(deserialize_with = "lenient")]
                    pub $field: $type,
                )+
            }
        )+
        lenient_objects!($($object),+);
    };
}

api_objects! {
    /// `PodTemplateSpec`, or a Pod: whatever holds a PodSpec under `spec`.
    PodTemplate {
        /// `spec`.
        spec: PodSpec,
    }

    /// `PodSpec`. Ephemeral containers can't be part of a template and are left out.
    PodSpec {
        /// Regular init containers, and sidecars.
        init_containers: Vec<Container>,
        /// The containers proper.
        containers: Vec<Container>,
        /// What they can mount.
        volumes: Vec<Volume>,
    }

    /// `Container`.
    Container {
        /// Unique within the Pod.
        name: Arc<str>,
        /// `Always` makes an init container a sidecar.
        restart_policy: Arc<str>,
        /// Single variables.
        env: Vec<EnvVar>,
        /// Whole sources as variables.
        env_from: Vec<EnvFromSource>,
        /// Mounts of the Pod's volumes.
        volume_mounts: Vec<VolumeMount>,
    }

    /// `EnvVar`.
    EnvVar {
        /// Name of the variable.
        name: Arc<str>,
        /// What its literal value refers to.
        value: Expanded,
        /// Where its value comes from, if it isn't literal.
        value_from: Option<EnvVarSource>,
    }

    /// `EnvVarSource`: the members that may leave a variable unset.
    EnvVarSource {
        /// A key of a ConfigMap.
        config_map_key_ref: Option<KeySelector>,
        /// A key of a Secret.
        secret_key_ref: Option<KeySelector>,
        /// A key of a file in a volume: shown nowhere, but it may be optional.
        file_key_ref: Option<KeySelector>,
    }

    /// `ConfigMapKeySelector`, `SecretKeySelector`.
    KeySelector {
        /// Name of the source.
        name: Arc<str>,
        /// The key.
        key: Arc<str>,
        /// Whether source and key may be missing.
        optional: bool,
    }

    /// `EnvFromSource`.
    EnvFromSource {
        /// Goes before each key.
        prefix: Arc<str>,
        /// A ConfigMap.
        config_map_ref: Option<SourceRef>,
        /// A Secret.
        secret_ref: Option<SourceRef>,
    }

    /// `ConfigMapEnvSource`, `SecretEnvSource`.
    SourceRef {
        /// Name of the source.
        name: Arc<str>,
        /// Whether the source may be missing.
        optional: bool,
    }

    /// `VolumeMount`.
    VolumeMount {
        /// Name of the volume.
        name: Arc<str>,
        /// Where the container sees it.
        mount_path: Arc<str>,
        /// A path within the volume to mount instead of its root.
        sub_path: Arc<str>,
        /// The same with variables, expanded when the container starts.
        sub_path_expr: Arc<str>,
    }

    /// `Volume`: the types that project something.
    Volume {
        /// Unique within the Pod.
        name: Arc<str>,
        /// A ConfigMap.
        config_map: Option<Projection>,
        /// A Secret, named by `secretName`.
        secret: Option<SecretVolume>,
        /// Several sources in one directory.
        projected: Option<ProjectedVolume>,
        /// Fields of the Pod itself.
        #[serde(rename = "downwardAPI")]
        downward_api: Option<DownwardApi>,
    }

    /// `ConfigMapVolumeSource`, `ConfigMapProjection`, `SecretProjection`.
    Projection {
        /// Name of the source.
        name: Arc<str>,
        /// Keys to project; all if empty.
        items: Vec<KeyToPath>,
        /// Whether source and keys may be missing.
        optional: bool,
    }

    /// `SecretVolumeSource`.
    SecretVolume {
        /// Name of the Secret.
        secret_name: Arc<str>,
        /// Keys to project; all if empty.
        items: Vec<KeyToPath>,
        /// Whether the Secret and its keys may be missing.
        optional: bool,
    }

    /// `KeyToPath`.
    KeyToPath {
        /// The key.
        key: Arc<str>,
        /// Its path below the volume's root.
        path: Arc<str>,
    }

    /// `ProjectedVolumeSource`.
    ProjectedVolume {
        /// What it gathers; later ones win where paths collide.
        sources: Vec<VolumeProjection>,
    }

    /// `VolumeProjection`: one of.
    VolumeProjection {
        /// A ConfigMap.
        config_map: Option<Projection>,
        /// A Secret.
        secret: Option<Projection>,
        /// Fields of the Pod itself.
        #[serde(rename = "downwardAPI")]
        downward_api: Option<DownwardApi>,
        /// A token that the kubelet renews.
        service_account_token: Option<PathProjection>,
        /// Trust anchors.
        cluster_trust_bundle: Option<PathProjection>,
        /// A certificate that the kubelet renews.
        pod_certificate: Option<PodCertificate>,
    }

    /// `DownwardAPIVolumeSource`, `DownwardAPIProjection`.
    DownwardApi {
        /// Its files.
        items: Vec<PathProjection>,
    }

    /// `ServiceAccountTokenProjection`, `ClusterTrustBundleProjection`, `DownwardAPIVolumeFile`.
    PathProjection {
        /// Path below the volume's root.
        path: Arc<str>,
    }

    /// `PodCertificateProjection`: where its files go.
    PodCertificate {
        /// Key and chain in one file.
        credential_bundle_path: Arc<str>,
        /// The key.
        key_path: Arc<str>,
        /// The chain.
        certificate_chain_path: Arc<str>,
    }
}

/// The names that a literal value refers to as `$(NAME)`. The value itself is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded(pub Box<[Arc<str>]>);

impl Lenient for Expanded {
    /// `$$` stands for a dollar sign, so that `$$(NAME)` refers to nothing.
    fn text(text: &str) -> Self {
        let mut names = Vec::new();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('$') {
            let name = after
                .strip_prefix('(')
                .and_then(|name| name.split_once(')'));
            rest = match name {
                Some((name, behind)) => {
                    names.push(name.into());
                    behind
                }
                None => after.strip_prefix('$').unwrap_or(after),
            };
        }
        Self(names.into())
    }
}

impl Container {
    /// Whether this init container is a sidecar: it runs beside the containers.
    #[must_use]
    pub fn is_sidecar(&self) -> bool {
        &*self.restart_policy == "Always"
    }
}

impl EnvVar {
    /// Whether the variable is set whatever the cluster holds. The kubelet
    /// skips an optional reference to what is missing, so that one may not be.
    #[must_use]
    pub fn is_always_set(&self) -> bool {
        let Some(from) = &self.value_from else {
            return true;
        };
        let references = [
            &from.config_map_key_ref,
            &from.secret_key_ref,
            &from.file_key_ref,
        ];
        !references.into_iter().flatten().any(|key| key.optional)
    }
}

// === impl Volume ===

impl Volume {
    /// Whether the API server has added it to a Pod: the token of its service account, beside the
    /// root certificates of the cluster.
    #[must_use]
    pub fn is_default_token(&self) -> bool {
        self.name.starts_with("kube-api-access-")
            && self.projected.iter().any(|projected| {
                let mut sources = projected.sources.iter();
                sources.any(|source| source.service_account_token.is_some())
            })
    }
}

#[cfg(test)]
mod tests;
