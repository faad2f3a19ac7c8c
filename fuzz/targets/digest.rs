//! Two contents of one source → digests of each way of projecting them.
//!
//! The input is text in fields that end with a byte that no UTF-8 has (0xff): pairs of
//! key and value, `b` before a key of `binaryData`; an empty key begins the second.

use std::collections::BTreeMap;

use projsync::core::content::digest::{DigestKey, reference_digest};
use projsync::core::content::{SourceContent, decode_source};
use projsync::core::project::pod_spec::PodSpec;
use projsync::core::project::reference::references;
use projsync::kinds::{SourceId, SourceKind};
use serde_json::{Value, json};

type Content = BTreeMap<String, (bool, String)>;

/// Two contents have one digest exactly where a container sees no difference.
pub fn run(input: &[u8]) {
    let mut fields = input.split(|byte| *byte == 0xff);
    let (one, other) = (content(&mut fields), content(&mut fields));
    let key = DigestKey::new(&[7; 32]);
    let (a, b) = (read(&one, &key), read(&other, &key));
    let names = || one.keys().chain(other.keys());
    let selected = names().next().cloned().unwrap_or_else(|| "a".to_owned());
    for (spec, binary, keys) in ways(&selected) {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        for reference in references(&spec).unwrap() {
            let digest = |content| reference_digest("ns", &reference, content, &key);
            let same = digest(&a).digest == digest(&b).digest;
            let seen = |content: &Content| -> Vec<(String, String)> {
                let seen = content
                    .iter()
                    .filter(|(_, (of_binary, _))| binary || !of_binary);
                let seen = seen.filter(|(name, _)| keys.is_none_or(|key| key == *name));
                seen.map(|(name, (_, value))| (name.clone(), value.clone()))
                    .collect()
            };
            assert_eq!(same, seen(&one) == seen(&other), "{reference:?}");
        }
    }
}

/// Each way of projecting ConfigMap `c`: whether it shows `binaryData`, and which key
/// (all where `None`).
fn ways(key: &str) -> [(Value, bool, Option<&str>); 4] {
    let env = json!({"containers": [{"name": "app", "env": [
        {"name": "V", "valueFrom": {"configMapKeyRef": {"name": "c", "key": key}}},
    ]}]});
    let env_from =
        json!({"containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "c"}}]}]});
    let volume = |volume: Value| {
        json!({
            "containers": [{"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "configMap": volume}],
        })
    };
    let items = json!({"name": "c", "items": [{"key": key, "path": "p"}]});
    [
        (env, false, Some(key)),
        (env_from, false, None),
        (volume(json!({"name": "c"})), true, None),
        (volume(items), true, Some(key)),
    ]
}

fn content<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Content {
    let mut text = || Some(String::from_utf8_lossy(fields.next()?).into_owned());
    let mut content = Content::new();
    while let Some(name) = text().filter(|name| !name.is_empty()) {
        let value = text().unwrap_or_default();
        match name.strip_prefix('b').filter(|name| !name.is_empty()) {
            Some(name) => content.insert(name.to_owned(), (true, value)),
            None => content.insert(name, (false, value)),
        };
    }
    content
}

/// As the API server would answer a read of it.
fn read(content: &Content, key: &DigestKey) -> SourceContent {
    let of = |wanted: bool| {
        content
            .iter()
            .filter(move |(_, (binary, _))| *binary == wanted)
    };
    let data: BTreeMap<_, _> = of(false).map(|(name, (_, value))| (name, value)).collect();
    let binary: BTreeMap<_, _> = of(true)
        .map(|(name, (_, value))| (name, base64(value.as_bytes())))
        .collect();
    let body = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "c", "namespace": "ns", "uid": "u", "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "data": data, "binaryData": binary,
    });
    let id = SourceId::new(SourceKind::CONFIG_MAP, "ns", "c");
    SourceContent::Present(decode_source(&id, body.to_string().as_bytes(), key).unwrap())
}

/// Encodes as `binaryData` is written, apart from the library that decodes it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = [0; 3];
        bits[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        for at in 0..4_usize {
            let six = (bits >> (18 - 6 * at)) & 63;
            text.push(match at <= chunk.len() {
                true => char::from(ALPHABET[six as usize]),
                false => '=',
            });
        }
    }
    text
}
