//! The identity of a Pod template, and what the template projects.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Bad;
use super::intern::{Shared, intern, intern_references};
use crate::api::names::{REVISION_ANNOTATION, SYNC_ANNOTATION};
use crate::core::lenient::Lenient;
use crate::core::object::workload::Template;
use crate::core::project::pod_spec::PodTemplate;
use crate::core::project::reference::{Reference, TooMany, references};

/// Label that a Deployment adds to the template of each of its ReplicaSets.
const TEMPLATE_HASH_LABEL: &str = "pod-template-hash";

/// A Pod template as JSON: it lives only while its object is decoded.
#[derive(Default)]
pub(super) struct TemplateJson(Value);

impl TemplateJson {
    /// Takes out our mark and those that controllers add, and hashes the rest.
    pub(super) fn identity(&mut self) -> Result<Template, Bad> {
        let template = self
            .0
            .as_object_mut()
            .ok_or_else(|| Bad::missing("spec.template"))?;
        // What makes the template in a ControllerRevision a patch.
        template.remove("$patch");
        let mut revision = None;
        if let Some(Value::Object(metadata)) = template.get_mut("metadata") {
            take(metadata, "labels", TEMPLATE_HASH_LABEL);
            revision = take(metadata, "annotations", REVISION_ANNOTATION);
            metadata.retain(|_, value| !value.is_null());
            if metadata.is_empty() {
                template.remove("metadata");
            }
        }
        let mut hash = Sha256::new();
        write(&mut hash, &self.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Ok(Template {
            hash: bytes,
            revision: revision.as_ref().and_then(Value::as_str).map(intern),
        })
    }

    /// `projsync.dev/sync` on the template, where most charts let annotations be set.
    pub(super) fn sync(&self) -> Option<Arc<str>> {
        let sync = self.0["metadata"]["annotations"][SYNC_ANNOTATION].as_str();
        sync.and_then(|sync| Shared::text(sync).get())
    }

    /// What the template projects.
    pub(super) fn references(&self) -> Result<Arc<[Reference]>, TooMany> {
        // Leniently read fields take every shape, so this does not fail.
        let template = PodTemplate::deserialize(&self.0).unwrap_or_default();
        references(&template.spec).map(|found| intern_references(&found))
    }
}

/// Removes an entry from one of the metadata's maps, and the map once empty.
fn take(metadata: &mut Map<String, Value>, map: &str, key: &str) -> Option<Value> {
    let Some(Value::Object(entries)) = metadata.get_mut(map) else {
        return None;
    };
    let taken = entries.remove(key);
    if entries.is_empty() {
        metadata.remove(map);
    }
    taken
}

/// Feeds a value to the hash: every part with its type and length, fields by
/// name. A field that is null is as absent.
fn write(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => part(hash, b'n', b""),
        Value::Bool(flag) => part(hash, b'b', &[u8::from(*flag)]),
        Value::Number(number) => part(hash, b'#', number.to_string().as_bytes()),
        Value::String(text) => part(hash, b's', text.as_bytes()),
        Value::Array(items) => {
            part(hash, b'[', &items.len().to_be_bytes());
            items.iter().for_each(|item| write(hash, item));
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .collect();
            // Another crate may make serde_json keep the order of the document.
            fields.sort_unstable_by_key(|(name, _)| *name);
            part(hash, b'{', &fields.len().to_be_bytes());
            for (name, value) in fields {
                part(hash, b's', name.as_bytes());
                write(hash, value);
            }
        }
    }
}

fn part(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update(bytes.len().to_be_bytes());
    hash.update(bytes);
}

impl<'de> Deserialize<'de> for TemplateJson {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        Value::deserialize(decoder).map(Self)
    }
}

impl Lenient for TemplateJson {
    fn object<'de, A: serde::de::MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        Self::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn identity(template: Value) -> Template {
        TemplateJson(template).identity().unwrap()
    }

    fn template() -> Value {
        json!({
            "metadata": {"creationTimestamp": null, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        })
    }

    #[test]
    fn a_replica_set_has_the_template_of_its_deployment() {
        let mut copy = template();
        copy["metadata"]["labels"]["pod-template-hash"] = json!("5d4f8c7b9");
        copy["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("creationTimestamp");
        assert_eq!(identity(copy), identity(template()));
    }

    #[test]
    fn our_annotation_is_told_apart_and_not_hashed() {
        let mut rolled = template();
        rolled["metadata"]["annotations"] = json!({"projsync.dev/revision": "v1.0a.ff"});
        let rolled = identity(rolled);
        assert_eq!(rolled.revision.as_deref(), Some("v1.0a.ff"));
        assert_eq!(rolled.hash, identity(template()).hash);
    }

    /// The API server takes 256 KiB. What is too long is no revision of ours, and still another one.
    #[test]
    fn a_long_annotation_in_our_name_is_cut() {
        let of = |revision: &str| {
            let mut template = template();
            template["metadata"]["annotations"] = json!({"projsync.dev/revision": revision});
            identity(template)
        };
        let (long, short) = (of(&"v".repeat(256 << 10)), of("v"));
        assert!(long.revision.as_ref().is_some_and(|cut| cut.len() <= 256));
        assert_ne!(long, short);
    }

    #[test]
    fn other_annotations_are_hashed() {
        let mut restarted = template();
        restarted["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "2025-11-24T10:00:00Z"});
        assert_ne!(identity(restarted).hash, identity(template()).hash);
    }

    #[test]
    fn metadata_that_becomes_empty_is_as_absent() {
        let only_ours = json!({
            "metadata": {"annotations": {"projsync.dev/revision": "v1.0a.ff"}},
            "spec": {},
        });
        assert_eq!(identity(only_ours).hash, identity(json!({"spec": {}})).hash);
    }

    #[test]
    fn what_is_no_template_is_bad() {
        assert!(TemplateJson(json!("web")).identity().is_err());
        assert!(TemplateJson::default().identity().is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                    .prop_map(|map| Value::from(Map::from_iter(map))),
            ]
        })
    }

    /// Writes a value with the fields of each object in the opposite order.
    fn backwards(value: &Value) -> String {
        match value {
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(backwards).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name:?}:{}", backwards(value)))
                    .collect();
                fields.reverse();
                format!("{{{}}}", fields.join(","))
            }
            leaf => leaf.to_string(),
        }
    }

    proptest! {
        #[test]
        fn the_order_of_fields_does_not_count(spec in any_json()) {
            let template = json!({"spec": spec});
            let mut other: TemplateJson = serde_json::from_str(&backwards(&template)).unwrap();
            prop_assert_eq!(other.identity().unwrap(), identity(template));
        }

        #[test]
        fn other_templates_have_other_hashes(one in any_json(), other in any_json()) {
            prop_assert_eq!(
                one == other,
                identity(json!({"spec": one})).hash == identity(json!({"spec": other})).hash
            );
        }
    }
}
