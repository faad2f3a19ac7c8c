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
