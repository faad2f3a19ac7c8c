//! A stream of watch events, one JSON document a line → the index.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use projsync::api::policy::SyncPolicy;
use projsync::cluster::views::{AnySource, AnyWorkload, Key, Slim, View};
use projsync::core::index::{Index, Seen};
use projsync::core::policy::{CompiledPolicy, PolicyId};
use projsync::core::time::Mono;
use projsync::kinds::{SourceId, SourceKind, WorkloadId, WorkloadKind};
use serde::Deserialize;
use serde_json::Value;

/// The objects that exist in the end, by kind and name.
type Objects = BTreeMap<(String, Key), Value>;

/// A stream leaves the same index as a list of what exists in the end, and the edges
/// between workloads and sources agree both ways.
pub fn run(input: &[u8]) {
    let (mut index, mut objects) = (Index::default(), Objects::new());
    let mut versions = BTreeMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(event) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let deleted = event["type"] == "DELETED";
        let object = &event["object"];
        // No API server gives one version two contents.
        let first = versions
            .entry(version(object))
            .or_insert_with(|| object.clone());
        if first != object {
            continue;
        }
        let Some(key) = take_in(&mut index, object, deleted) else {
            continue;
        };
        match deleted {
            true => objects.remove(&key),
            false => objects.insert(key, object.clone()),
        };
        let (forward, reverse) = index.edges();
        assert_eq!(forward, reverse);
    }
    let mut rebuilt = Index::default();
    for object in objects.values() {
        take_in(&mut rebuilt, object, false);
    }
    assert_eq!(picture(&index), picture(&rebuilt));
}

/// What tells a version of an object from others.
fn version(object: &Value) -> (String, String, Option<u64>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let number = text(&metadata["resourceVersion"]).parse().ok();
    (text(&object["kind"]), text(&metadata["uid"]), number)
}

/// Takes in an object or its deletion. Returns which, if it can be used.
fn take_in(index: &mut Index, object: &Value, deleted: bool) -> Option<(String, Key)> {
    let kind = object["kind"].as_str()?;
    if let Some(kind) = SourceKind::all().find(|known| known.as_str() == kind) {
        let key = source(index, kind, object, deleted)?;
        return Some((kind.to_string(), key));
    }
    if let Some(kind) = WorkloadKind::all().find(|known| known.as_str() == kind) {
        let key = workload(index, kind, object, deleted)?;
        return Some((kind.to_string(), key));
    }
    let key = match kind {
        "ReplicaSet" => {
            let (key, set) = view::<ReplicaSet>(object)?;
            match set.filter(|_| !deleted) {
                Some(set) => index.apply_replica_set(&key.namespace, &key.name, set),
                None => index.delete_replica_set(&key.namespace, &key.name),
            };
            Some(key)
        }
        "ControllerRevision" => {
            let (key, revision) = view::<ControllerRevision>(object)?;
            match revision.filter(|_| !deleted) {
                Some(revision) => index.apply_revision(&key.namespace, &key.name, revision),
                None => index.delete_revision(&key.namespace, &key.name),
            };
            Some(key)
        }
        "Pod" => {
            let (key, pod) = view::<Pod>(object)?;
            match deleted {
                true => index.delete_pod(&key.namespace, &key.name),
                false => index.apply_pod(&key.namespace, pod),
            };
            Some(key)
        }
        "Namespace" => {
            let (key, labels) = view::<Namespace>(object)?;
            match deleted {
                true => index.delete_namespace(&key.name),
                false => index.apply_namespace(&key.name, labels),
            };
            Some(key)
        }
        "SyncPolicy" => {
            let policy = SyncPolicy::deserialize(object).ok()?;
            let key = Key::of(&policy);
            let id = PolicyId::namespaced(key.namespace.clone(), key.name.clone());
            match deleted {
                true => index.delete_policy(&id),
                false => index.apply_policy(&id, CompiledPolicy::namespaced(&id, &policy.spec)),
            };
            Some(key)
        }
        _ => None,
    }?;
    Some((kind.to_owned(), key))
}

fn view<K: Slim>(object: &Value) -> Option<(Key, K::Object)> {
    let view = View::<K>::deserialize(object).ok()?;
    Some((Key::of(&view), view.object.ok()?))
}

fn source(index: &mut Index, kind: SourceKind, object: &Value, deleted: bool) -> Option<Key> {
    let (key, meta) = view::<AnySource>(object)?;
    let id = SourceId::new(kind, key.namespace.clone(), key.name.clone());
    let seen = Seen {
        live: true,
        now: Mono::default(),
    };
    match deleted {
        true => index.delete_source(&id, meta.rv, seen),
        false => index.apply_source(&id, meta, seen),
    };
    Some(key)
}

fn workload(index: &mut Index, kind: WorkloadKind, object: &Value, deleted: bool) -> Option<Key> {
    let (key, view) = view::<AnyWorkload>(object)?;
    let id = WorkloadId::new(kind, key.namespace.clone(), key.name.clone());
    match deleted {
        true => index.delete_workload(&id),
        false => index.apply_workload(&id, view.of(kind)),
    };
    Some(key)
}

/// All that plans and reads see of an index, in a fixed order.
fn picture(index: &Index) -> Vec<String> {
    let workloads = index.workloads().map(|id| {
        let view = index.view(&id).unwrap();
        let mut pods = view.pods;
        pods.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        let managed = matches!(view.selected, projsync::core::policy::Selected::Managed(_));
        let (references, observed) = (view.references, view.observed);
        text(&(&id, view.workload, managed, references, pods, observed))
    });
    let sources = index.used_sources().map(|id| {
        let meta = index.source(&id).and_then(|source| source.meta.as_ref());
        let mut users = index.users(&id);
        users.sort();
        text(&(&id, meta, users))
    });
    let mut all: Vec<String> = workloads.chain(sources).collect();
    let mut names = |names: &mut dyn Iterator<Item = (&Arc<str>, &Arc<str>)>| {
        all.extend(names.map(|name| text(&name)));
    };
    names(&mut index.pod_names());
    names(&mut index.replica_set_names());
    names(&mut index.revision_names());
    all.extend(
        SourceKind::all()
            .flat_map(|kind| index.sources(kind))
            .map(|id| text(&id)),
    );
    all.sort();
    all
}

fn text(value: &impl Debug) -> String {
    format!("{value:?}")
}
