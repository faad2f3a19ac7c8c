#![allow(clippy::unwrap_used)]

use super::*;
use crate::Kind;

fn id() -> Id {
    (Kind::Secret, "s".into())
}

fn there(value: &str, immutable: bool) -> Sources {
    let mut source = Source::of([("k", value)]);
    source.immutable = immutable;
    Sources::from([(id(), source)])
}

fn given(node: &mut Node) -> Option<String> {
    Some(node.gives().get(&id())?.data["k"].clone())
}

#[test]
fn a_copy_is_as_late_as_its_watch() {
    let mut node = Node::default();
    node.add([id()], &there("1", false));
    assert_eq!(given(&mut node).as_deref(), Some("1"));
    // Another Pod does not make the node read again.
    node.add([id()], &there("2", false));
    assert_eq!(given(&mut node).as_deref(), Some("1"));
    node.hear(&id(), &there("2", false));
    assert_eq!(given(&mut node).as_deref(), Some("2"));
    node.hear(&id(), &Sources::new());
    assert_eq!(given(&mut node), None);
}

/// <https://github.com/kubernetes/kubernetes/issues/119733>
#[test]
fn what_was_immutable_is_kept_while_a_pod_names_it() {
    let mut node = Node::default();
    node.add([id()], &there("1", true));
    assert_eq!(given(&mut node).as_deref(), Some("1"));
    node.hear(&id(), &there("2", true));
    node.add([id()], &there("2", true));
    assert_eq!(given(&mut node).as_deref(), Some("1"));
    node.remove([id()]);
    assert_eq!(given(&mut node).as_deref(), Some("1"));
    node.remove([id()]);
    node.add([id()], &there("2", true));
    assert_eq!(given(&mut node).as_deref(), Some("2"));
}

/// Its files stay as they were, for a Pod that runs and for the next one.
#[test]
fn what_was_immutable_is_never_refreshed() {
    let spec = serde_json::json!({
        "containers": [{"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/s"}]}],
        "volumes": [{"name": "v", "secret": {"secretName": "s", "optional": true}}],
    });
    let spec = crate::PodSpec::from_json(&spec).unwrap();
    let run = |given: &Sources| crate::Pod::run(spec.clone(), crate::Given::default(), given);
    let file = |pod: &crate::Pod| pod.seen("app").unwrap().files.get("/s/k").cloned();
    for immutable in [false, true] {
        let mut node = Node::default();
        node.add([id()], &there("1", immutable));
        let mut old = run(&node.gives()).unwrap();
        // Deleted, made again, and made mutable: nobody watches it.
        for (now, seen) in [(Sources::new(), None), (there("2", false), Some("2"))] {
            let seen = if immutable { Some("1") } else { seen };
            node.hear(&id(), &now);
            old.refresh_all(&node.gives());
            assert_eq!(file(&old).as_deref(), seen, "immutable: {immutable}");
            node.add([id()], &now);
            let new = run(&node.gives()).unwrap();
            assert_eq!(file(&new).as_deref(), seen, "immutable: {immutable}");
        }
    }
}
