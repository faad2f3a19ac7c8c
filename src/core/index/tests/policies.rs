//! How many policies are asked, and of how many workloads.

use super::*;
use crate::api::limits::MAX_POLICIES;
use crate::core::object::workload::Workload;
use crate::core::policy::{EVALUATIONS, PolicyError};

const WORKLOADS: usize = 50;

fn workload(namespace: &str, number: usize) -> WorkloadId {
    WorkloadId::new(WorkloadKind::DEPLOYMENT, namespace, format!("web-{number}"))
}

/// Workloads in two namespaces.
fn index() -> Index {
    let mut index = Index::default();
    for namespace in ["shop", "bank"] {
        for number in 0..WORKLOADS {
            let labels = [("app".to_owned(), "web".to_owned())].into();
            let of = Workload {
                labels,
                ..Workload::default()
            };
            index.apply_workload(&workload(namespace, number), of);
        }
    }
    index
}

fn apply(index: &mut Index, name: &str, spec: serde_json::Value) -> Affected {
    let id = PolicyId::namespaced("shop", name);
    let policy = CompiledPolicy::namespaced(&id, &serde_json::from_value(spec).unwrap());
    index.apply_policy(&id, policy)
}

fn selects(app: &str, priority: i32) -> serde_json::Value {
    json!({"workloads": {"selector": {"matchLabels": {"app": app}}}, "priority": priority})
}

/// How often policies are asked meanwhile.
fn evaluations<T>(what: impl FnOnce() -> T) -> usize {
    let before = EVALUATIONS.get();
    what();
    EVALUATIONS.get() - before
}

#[test]
fn a_policy_is_asked_of_the_workloads_of_its_namespace() {
    let mut index = index();
    let asked = evaluations(|| apply(&mut index, "other", selects("other", 0)));
    assert_eq!(asked, WORKLOADS);
    // The same again tells nothing.
    let asked = evaluations(|| apply(&mut index, "other", selects("other", 0)));
    assert_eq!(asked, 0);
}

#[test]
fn a_policy_that_selects_nothing_costs_the_same_beside_thousands() {
    let mut index = index();
    for number in 0..5_000 {
        let name = format!("p{number:04}");
        let asked = evaluations(|| apply(&mut index, &name, selects("other", 0)));
        assert!(asked <= WORKLOADS, "{number}: {asked}");
    }
    // One that comes first and selects all: each workload asks it, and takes it.
    let asked = evaluations(|| apply(&mut index, "first", selects("web", 1)));
    assert!(asked <= 3 * WORKLOADS, "{asked}");
    // Where it goes, each asks those that count.
    let id = PolicyId::namespaced("shop", "first");
    let asked = evaluations(|| index.delete_policy(&id));
    assert!(asked <= WORKLOADS * (MAX_POLICIES + 2), "{asked}");
    let asked = evaluations(|| {
        let of = Workload {
            generation: 2,
            ..Workload::default()
        };
        index.apply_workload(&workload("shop", 0), of)
    });
    assert_eq!(asked, MAX_POLICIES);
}

#[test]
fn of_more_policies_than_count_the_last_are_told() {
    let mut index = index();
    for number in 0..MAX_POLICIES {
        apply(&mut index, &format!("p{number:04}"), selects("other", 1));
    }
    apply(&mut index, "last", selects("web", 0));
    let id = workload("shop", 0);
    let last = PolicyId::namespaced("shop", "last");
    let told = |index: &Index| {
        let mut all = index.policies().iter();
        let (_, valid) = all.find(|(id, _)| *id == last).unwrap();
        valid.err().cloned()
    };
    assert!(matches!(
        index.selected(&id),
        Some(Selected::NotManaged { .. })
    ));
    assert_eq!(told(&index), Some(PolicyError::TooMany));
    // It counts as soon as it comes earlier, or one of those goes.
    let affected = apply(&mut index, "last", selects("web", 2));
    assert_eq!(affected.workloads.len(), WORKLOADS);
    assert_eq!(told(&index), None);
    apply(&mut index, "last", selects("web", 0));
    let affected = index.delete_policy(&PolicyId::namespaced("shop", "p0007"));
    assert_eq!(affected.workloads.len(), WORKLOADS);
    assert_eq!(told(&index), None);
}
