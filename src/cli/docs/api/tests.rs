//! The reference of the custom resources.

use serde::{Serialize, de::DeserializeOwned};

use super::*;
use crate::api::{ClusterSyncPolicy, Projection, SyncPolicy};

/// Whether all of the first is in the second, which may have more.
fn is_in(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|other| is_in(value, other))),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(a, b)| is_in(a, b))
        }
        _ => part == whole,
    }
}

fn assert_whole<T: Serialize + DeserializeOwned>(kind: &str) {
    let (_, example) = EXAMPLES.iter().find(|(of, _)| *of == kind).unwrap();
    let written: Value = serde_saphyr::from_str(example).unwrap();
    assert_eq!(written["kind"], kind);
    let read: T = serde_saphyr::from_str(example).unwrap();
    let read = serde_json::to_value(read).unwrap();
    assert!(is_in(&written, &read), "{written:#}\nis read as\n{read:#}");
}

#[test]
fn examples_have_only_fields_that_exist() {
    assert_whole::<SyncPolicy>("SyncPolicy");
    assert_whole::<ClusterSyncPolicy>("ClusterSyncPolicy");
    assert_whole::<Projection>("Projection");
}

#[test]
fn every_kind_and_field_is_told() {
    let text = text().unwrap();
    for crd in crd::all() {
        let kind = &crd.spec.names.kind;
        let (_, section) = text.split_once(&format!("\n## {kind}\n")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let version = serde_json::to_value(&crd.spec.versions[0]).unwrap();
        // Every schema's properties, wherever they are, have a row by their name.
        let mut count = 0;
        let mut todo = vec![&version["schema"]["openAPIV3Schema"]];
        while let Some(schema) = todo.pop() {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let told = ["`", ".", "].", "*."]
                    .iter()
                    .any(|before| section.contains(&format!("{before}{name}`")));
                assert!(told, "{kind}: {name}");
                count += 1;
                todo.push(property);
            }
            let below = [&schema["items"], &schema["additionalProperties"]];
            todo.extend(below.into_iter().filter(|below| below.is_object()));
        }
        assert!(count > 20, "{kind}: {count} fields");
    }
}

#[test]
fn constraints_are_told_in_words() {
    let schema = serde_json::json!({
        "type": "array", "minItems": 1, "maxItems": 3, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "pattern": "^(a|b)$", "maxLength": 5},
        "x-kubernetes-validations": [{"rule": "self.a || self.b", "message": "one of them"}],
    });
    assert_eq!(
        constraints(&schema).join("; "),
        r"1 to 3 items; no item twice; rule `self.a \|\| self.b` (*one of them*); each: at most 5 characters, matches `^(a\|b)$`"
    );
    assert_eq!(kind(&schema), "[]string");
}
