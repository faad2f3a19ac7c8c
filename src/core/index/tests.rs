//! The graph is a function of the objects that exist, however they came.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::json;

use super::*;
use crate::core::object::source::SourceEventKind;
use crate::core::object::workload::Template;
use crate::core::policy::{CompiledPolicy, PolicyId, Selected};
use crate::core::testing::{World, at, owner, reference, variable};
use crate::core::time::Mono;
use crate::kinds::Class;
use crate::kinds::{SourceKind, WorkloadKind};

mod policies;

/// An object of one of two namespaces; `variant` tells its versions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    kind: Kind,
    namespace: u8,
    name: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Namespace,
    Policy,
    Source,
    Workload,
    ReplicaSet,
    Pod,
}

const KINDS: [Kind; 6] = [
    Kind::Namespace,
    Kind::Policy,
    Kind::Source,
    Kind::Workload,
    Kind::ReplicaSet,
    Kind::Pod,
];

/// What exists: the version of each object.
type Objects = BTreeMap<Key, u8>;

fn seen(live: bool) -> Seen {
    Seen {
        live,
        now: Mono(Duration::from_secs(1)),
    }
}

impl Key {
    fn namespace(self) -> Arc<str> {
        format!("namespace-{}", self.namespace).into()
    }

    fn name(self) -> Arc<str> {
        format!("name-{}", self.name).into()
    }

    /// In the third namespace: one of the cluster.
    fn source(self) -> SourceId {
        let kind = match self.namespace {
            2 => SourceKind::OF_CLUSTER,
            _ => SourceKind::CONFIG_MAP,
        };
        SourceId::new(kind, self.namespace(), self.name())
    }

    fn workload(self) -> WorkloadId {
        WorkloadId::new(WorkloadKind::DEPLOYMENT, self.namespace(), self.name())
    }

    fn policy(self) -> PolicyId {
        match self.name {
            0 => PolicyId::namespaced(self.namespace(), "policy"),
            name => PolicyId::cluster(format!("policy-{name}")),
        }
    }
}

fn template(variant: u8) -> Template {
    Template {
        hash: [variant; 16],
        revision: None,
    }
}

fn workload(key: Key, variant: u8) -> Workload {
    // Two bits for what it projects, one each for its label, its template and whether what
    // it projects is of the cluster.
    let names = ["name-0", "name-1"];
    let projected = (0..2).filter(|bit| variant >> bit & 1 == 1);
    let references = projected.map(|at| {
        let mut reference = reference(names[at], Class::Frozen, true);
        if variant >> 4 & 1 == 1 {
            reference.source.0 = SourceKind::OF_CLUSTER;
        }
        reference
    });
    let label = |set: u8| if set == 1 { "yes" } else { "no" };
    Workload {
        uid: format!("workload-{}", key.name).into(),
        labels: [("managed".to_owned(), label(variant >> 2 & 1).to_owned())].into(),
        template: template(variant >> 3 & 1),
        sync: None,
        ..World::new(references).workload
    }
}

fn policy(key: Key, variant: u8) -> Result<CompiledPolicy, crate::core::policy::PolicyError> {
    let selector = json!({"matchLabels": {"managed": if variant & 1 == 1 { "yes" } else { "no" }}});
    let sources = match variant & 2 {
        0 => json!({}),
        _ => json!({"exclude": [{"name": "name-0"}]}),
    };
    let mut spec = json!({"workloads": {"selector": selector}, "sources": sources});
    let id = key.policy();
    if key.name == 0 {
        return CompiledPolicy::namespaced(&id, &serde_json::from_value(spec).unwrap());
    }
    spec["namespaceSelector"] = json!({"matchLabels": {"tier": "1"}});
    CompiledPolicy::cluster(&id, &serde_json::from_value(spec).unwrap())
}

/// A Pod of such a variant has uses of its own.
const INJECTED: u8 = 32;

fn pod(key: Key, variant: u8) -> Pod {
    let set = variant & 1;
    Pod {
        own: (variant & INJECTED != 0).then(|| {
            let kept = reference(&format!("name-{}", variant & 1), Class::Live, false);
            let injected = variable("name-1", "injected", false);
            [kept, injected].into()
        }),
        uid: format!("pod-{}-{variant}", key.name).into(),
        name: key.name(),
        owner: (variant & 2 == 0)
            .then(|| owner("ReplicaSet", &format!("name-{set}"), &format!("set-{set}"))),
        start: crate::core::object::pod::Start {
            rv: Some(Rv(u64::from(variant) + 1)),
            at_least: None,
            time: at(u64::from(variant)),
        },
        containers: Vec::new(),
        active: true,
        ready: variant & 4 == 0,
        revision: None,
        revision_hash: None,
        broken: None,
    }
}

fn replica_set(key: Key, variant: u8) -> ReplicaSet {
    let deployment = variant & 1;
    ReplicaSet {
        uid: format!("set-{}", key.name).into(),
        owner: owner(
            "Deployment",
            &format!("name-{deployment}"),
            &format!("workload-{deployment}"),
        ),
        template: template(variant >> 1 & 1),
    }
}

fn source(key: Key, variant: u8) -> SourceMeta {
    SourceMeta {
        uid: format!("source-{}", key.name).into(),
        rv: Some(Rv(u64::from(variant) + 1)),
        created: at(0),
        data_time: Some(at(u64::from(variant))),
        data_fields: 0,
        other: 0,
    }
}

fn apply(index: &mut Index, key: Key, variant: u8, live: bool) -> Affected {
    let namespace = key.namespace();
    match key.kind {
        Kind::Namespace => {
            let labels = [("tier".to_owned(), (variant & 1).to_string())];
            index.apply_namespace(&namespace, labels.into())
        }
        Kind::Policy => index.apply_policy(&key.policy(), policy(key, variant)),
        Kind::Source => index.apply_source(&key.source(), source(key, variant), seen(live)),
        Kind::Workload => index.apply_workload(&key.workload(), workload(key, variant)),
        Kind::ReplicaSet => {
            index.apply_replica_set(&namespace, &key.name(), replica_set(key, variant))
        }
        Kind::Pod => index.apply_pod(&namespace, pod(key, variant)),
    }
}

fn delete(index: &mut Index, key: Key) -> Affected {
    let namespace = key.namespace();
    match key.kind {
        Kind::Namespace => index.delete_namespace(&namespace),
        Kind::Policy => index.delete_policy(&key.policy()),
        Kind::Source => index.delete_source(&key.source(), Some(Rv(99)), seen(true)),
        Kind::Workload => index.delete_workload(&key.workload()),
        Kind::ReplicaSet => index.delete_replica_set(&namespace, &key.name()),
        Kind::Pod => index.delete_pod(&namespace, &key.name()),
    }
}

/// Which policy selects, in a sentence: its patterns have no stable `Debug`.
fn why(selected: &Selected) -> &str {
    match selected {
        Selected::Managed(policy) => &policy.why,
        Selected::NotManaged { message, .. } => message,
    }
}

/// All that plans and reads see of an index, in a fixed order.
fn picture(index: &Index) -> Vec<String> {
    let mut seen: Vec<String> = index
        .workloads()
        .map(|id| {
            let view = index.view(&id).unwrap();
            let mut pods = view.pods;
            pods.sort_by(|a, b| a.0.name.cmp(&b.0.name));
            format!(
                "{id}: {:?} {:?} {:?} {pods:?} {}",
                view.workload,
                why(view.selected),
                view.references,
                view.observed
            )
        })
        .collect();
    let used = index.used_sources().map(|id| {
        let mut users = index.users(&id);
        users.sort();
        let meta = index.source(&id).and_then(|source| source.meta.as_ref());
        format!("{id}: {users:?} {meta:?}")
    });
    seen.extend(used);
    let names = |of: &mut dyn Iterator<Item = (&Arc<str>, &Arc<str>)>| {
        let mut names: Vec<String> = of.map(|(space, name)| format!("{space}/{name}")).collect();
        names.sort();
        format!("{names:?}")
    };
    seen.sort();
    for kind in [SourceKind::CONFIG_MAP, SourceKind::OF_CLUSTER] {
        let mut ids: Vec<_> = index.sources(kind).collect();
        ids.sort();
        seen.push(format!("{ids:?}"));
    }
    seen.push(names(&mut index.workload_names(WorkloadKind::DEPLOYMENT)));
    seen.push(names(&mut index.replica_set_names()));
    seen.push(names(&mut index.pod_names()));
    seen
}

fn built(objects: impl IntoIterator<Item = (Key, u8)>) -> Index {
    let mut index = Index::default();
    for (key, variant) in objects {
        apply(&mut index, key, variant, false);
    }
    index
}

fn key() -> impl Strategy<Value = Key> {
    (prop::sample::select(&KINDS[..]), 0..3_u8, 0..2_u8).prop_map(|(kind, namespace, name)| Key {
        kind,
        namespace: match kind {
            // ClusterSyncPolicies have none.
            Kind::Policy if name != 0 => 0,
            Kind::Source => namespace,
            _ => namespace % 2,
        },
        name: if kind == Kind::Namespace { 0 } else { name },
    })
}

/// Events: an object in some version, or its deletion.
fn events() -> impl Strategy<Value = Vec<(Key, Option<u8>)>> {
    prop::collection::vec((key(), prop::option::weighted(0.75, 0..32_u8)), 0..60)
}

/// The same, where webhooks have a part in Pods: what is followed then depends on the Pods before.
fn with_injections() -> impl Strategy<Value = Vec<(Key, Option<u8>)>> {
    let injected = prop::collection::vec(any::<bool>(), 60);
    (events(), injected).prop_map(|(mut events, injected)| {
        for ((_, variant), injected) in events.iter_mut().zip(injected) {
            *variant = variant.map(|variant| variant | if injected { INJECTED } else { 0 });
        }
        events
    })
}

fn run(index: &mut Index, events: &[(Key, Option<u8>)]) -> Objects {
    let mut objects = Objects::new();
    for (key, variant) in events {
        match variant {
            Some(variant) => {
                apply(index, *key, *variant, true);
                objects.insert(*key, *variant);
            }
            None => {
                delete(index, *key);
                objects.remove(key);
            }
        }
    }
    objects
}

proptest! {
    #[test]
    fn any_order_of_events_equals_a_rebuild(
        (events, order) in events().prop_flat_map(|events| {
            let shuffled = Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle();
            (Just(events), shuffled)
        })
    ) {
        let mut index = Index::default();
        let objects: Vec<(Key, u8)> = run(&mut index, &events).into_iter().collect();
        let order = order.into_iter().filter_map(|at| objects.get(at).copied());
        prop_assert_eq!(picture(&index), picture(&built(order)));
    }

    #[test]
    fn edges_agree_both_ways(events in with_injections()) {
        let mut index = Index::default();
        for event in events {
            run(&mut index, &[event]);
            let (forward, reverse) = index.edges();
            prop_assert_eq!(forward, reverse);
        }
    }

    /// A list after a broken watch: what is listed applied, what it lacks deleted.
    #[test]
    fn a_reset_equals_the_differences(
        before in events(),
        (after, kept) in events().prop_flat_map(|events| {
            let count = events.len();
            (Just(events), subsequence((0..count).collect::<Vec<_>>(), 0..=count))
        })
    ) {
        let mut index = Index::default();
        let old = run(&mut index, &before);
        let mut new = old.clone();
        for at in kept {
            let (key, variant) = after[at];
            match variant {
                Some(variant) => new.insert(key, variant),
                None => new.remove(&key),
            };
        }
        for (key, variant) in &new {
            apply(&mut index, *key, *variant, false);
        }
        for key in old.keys().filter(|key| !new.contains_key(key)) {
            delete(&mut index, *key);
        }
        prop_assert_eq!(picture(&index), picture(&built(new)));
    }

    #[test]
    fn what_is_already_known_affects_nothing(events in with_injections()) {
        let mut index = Index::default();
        let objects = run(&mut index, &events);
        let before = picture(&index);
        for live in [true, false] {
            for (key, variant) in &objects {
                let affected = apply(&mut index, *key, *variant, live);
                prop_assert_eq!(affected, Affected::default(), "{:?}", key);
            }
        }
        prop_assert_eq!(picture(&index), before);
    }

    /// A workload whose picture differs after an event is among those affected.
    #[test]
    fn no_effect_is_left_out(events in with_injections()) {
        let mut index = Index::default();
        for (key, variant) in events {
            let before: BTreeMap<WorkloadId, String> = views(&index);
            let affected = match variant {
                Some(variant) => apply(&mut index, key, variant, true),
                None => delete(&mut index, key),
            };
            let after = views(&index);
            for id in before.keys().chain(after.keys()) {
                let same = before.get(id) == after.get(id);
                prop_assert!(same || affected.workloads.contains(id) || affected.of_pods.contains_key(id), "{} by {:?}", id, key);
            }
        }
    }
}

fn views(index: &Index) -> BTreeMap<WorkloadId, String> {
    let view = |id: WorkloadId| {
        let view = index.view(&id).unwrap();
        let mut pods = view.pods;
        pods.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        let why = why(view.selected);
        let seen = format!("{why} {:?} {pods:?} {}", view.references, view.observed);
        (id, seen)
    };
    index.workloads().map(view).collect()
}

fn object(kind: Kind, name: u8) -> Key {
    Key {
        kind,
        namespace: 0,
        name,
    }
}

/// An index with one managed workload that projects `name-0`.
fn managed() -> Index {
    built([
        (object(Kind::Policy, 0), 1),
        (object(Kind::Source, 0), 1),
        (object(Kind::Workload, 0), 0b101),
    ])
}

#[test]
fn a_source_affects_its_users_alone() {
    let mut index = managed();
    let affected = apply(&mut index, object(Kind::Source, 0), 2, true);
    assert_eq!(affected.sources, [object(Kind::Source, 0).source()].into());
    let affected = apply(&mut index, object(Kind::Source, 1), 2, true);
    assert_eq!(affected, Affected::default());
}

#[test]
fn an_owner_of_another_group_is_another_kind() {
    let mut index = managed();
    let mut theirs = pod(object(Kind::Pod, 0), 0);
    for (group, affected) in [("apps", true), ("apps.example.com", false)] {
        let owner = Owner {
            group: group.into(),
            ..owner("Deployment", "name-0", "workload-0")
        };
        theirs.owner = Some(owner);
        let workloads = index
            .apply_pod(&"namespace-0".into(), theirs.clone())
            .of_pods;
        assert_eq!(!workloads.is_empty(), affected, "{group}");
        index.delete_pod("namespace-0", "name-0");
    }
}

#[test]
fn a_source_of_the_cluster_affects_its_users_in_all_namespaces() {
    let users = [0, 1].map(|namespace| Key {
        namespace,
        ..object(Kind::Workload, 0)
    });
    let of_cluster = Key {
        namespace: 2,
        ..object(Kind::Source, 0)
    };
    let mut index = managed();
    apply(&mut index, object(Kind::Namespace, 0), 1, true);
    apply(
        &mut index,
        Key {
            namespace: 1,
            ..object(Kind::Namespace, 0)
        },
        1,
        true,
    );
    apply(&mut index, object(Kind::Policy, 1), 1, true);
    for user in users {
        let affected = apply(&mut index, user, 0b10101, true);
        assert_eq!(affected.sources, [of_cluster.source()].into());
    }
    let affected = apply(&mut index, of_cluster, 1, true);
    assert_eq!(affected.sources, [of_cluster.source()].into());
    assert_eq!(index.users(&of_cluster.source()), users.map(Key::workload));
    assert_eq!(
        index.used_sources().collect::<Vec<_>>(),
        [of_cluster.source()]
    );
    let affected = delete(&mut index, of_cluster);
    assert_eq!(affected.sources, [of_cluster.source()].into());
    for user in users {
        delete(&mut index, user);
    }
    assert!(index.source(&of_cluster.source()).is_none());
}

#[test]
fn what_went_by_in_a_source_outlives_a_status_of_its_user() {
    let mut index = managed();
    let key = object(Kind::Source, 0);
    delete(&mut index, key);
    let mut changed = workload(object(Kind::Workload, 0), 0b101);
    changed.rv = Some(Rv(77));
    index.apply_workload(&object(Kind::Workload, 0).workload(), changed);
    let events = &index.source(&key.source()).unwrap().events;
    assert_eq!(events.last().unwrap().kind, SourceEventKind::Deleted);
    // Without users nothing is left of it.
    delete(&mut index, object(Kind::Workload, 0));
    assert!(index.source(&key.source()).is_none());
}

#[test]
fn nothing_is_left_of_what_is_gone() {
    let mut index = managed();
    for kind in [Kind::Source, Kind::Workload] {
        delete(&mut index, object(kind, 0));
    }
    assert!(index.spaces.is_empty() && index.cluster.is_empty());
}

#[test]
fn a_pod_keeps_what_its_first_event_told() {
    let mut index = managed();
    let key = object(Kind::Pod, 0);
    apply(&mut index, object(Kind::ReplicaSet, 0), 0, true);
    apply(&mut index, key, 0, true);
    // Listed again, with another readiness.
    let mut listed = pod(key, 0);
    listed.start.rv = None;
    listed.ready = false;
    index.apply_pod(&key.namespace(), listed.clone());
    let id = object(Kind::Workload, 0).workload();
    let rv = |index: &Index| index.view(&id).unwrap().pods[0].0.start.rv;
    assert_eq!(rv(&index), Some(Rv(1)));
    // Another Pod of that name has a start of its own.
    listed.uid = "another".into();
    index.apply_pod(&key.namespace(), listed);
    assert_eq!(rv(&index), None);
}

#[test]
fn current_pods_of_a_daemon_set_carry_its_revision() {
    let id = WorkloadId::new(WorkloadKind::DAEMON_SET, "namespace-0", "agent");
    let mut index = managed();
    let namespace: Arc<str> = "namespace-0".into();
    let mut agent = workload(object(Kind::Workload, 0), 0b101);
    agent.uid = "agent-uid".into();
    index.apply_workload(&id, agent.clone());
    let old = ControllerRevision {
        owner: owner("DaemonSet", "agent", "agent-uid"),
        revision: 1,
        template: Some(agent.template.clone()),
        hash: "old".into(),
    };
    index.apply_revision(&namespace, &"agent-old".into(), old.clone());
    let mut running = pod(object(Kind::Pod, 0), 0);
    running.owner = Some(old.owner.clone());
    running.revision_hash = Some("old".into());
    index.apply_pod(&namespace, running);
    let current = |index: &Index| {
        let view = index.view(&id).unwrap();
        (view.pods[0].1, view.observed)
    };
    assert_eq!(current(&index), (true, true));
    // Rolled by us, then changed by its owner; the new ControllerRevision has not come yet.
    for hash in [agent.template.hash, [9; 16]] {
        agent.template = Template {
            hash,
            revision: Some("v1.0.1".into()),
        };
        index.apply_workload(&id, agent.clone());
        assert_eq!(current(&index), (false, false));
    }
    let new = ControllerRevision {
        revision: 2,
        template: Some(agent.template.clone()),
        hash: "new".into(),
        ..old
    };
    index.apply_revision(&namespace, &"agent-new".into(), new);
    assert_eq!(current(&index), (false, true));
}
