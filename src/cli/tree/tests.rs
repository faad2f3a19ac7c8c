//! Trees from a source and from a workload.

use serde_json::{Value, json};

use super::*;
use crate::api::Projection;
use crate::api::policy::Strategy;
use crate::cli::gather::Namespace;
use crate::cli::objects::{Owner, Pod, Workload};
use crate::cli::samples::{
    other_pod, pod_of, projection, reference, rich_spec, started_pod, workload,
};
use crate::kinds::Class;
use crate::kinds::WorkloadKind;

fn managed(name: &str, status: Value) -> Option<Projection> {
    let mut all = json!({
        "references": [
            reference("ConfigMap", "app", "Live"),
            reference("ConfigMap", "app", "Frozen"),
            reference("Secret", "db", "Frozen"),
        ],
    });
    for (field, value) in status.as_object().unwrap() {
        all[field] = value.clone();
    }
    Some(projection("Deployment", name, all))
}

fn stale() -> Value {
    json!({
        "summary": {"state": "Held"},
        "pods": {"total": 2, "fresh": 1, "stale": 1, "notFresh": [
            {"name": "web-1", "state": "Stale", "reason": "It started before ConfigMap/app changed."},
        ]},
    })
}

fn web() -> Workload {
    workload(
        WorkloadKind::Deployment,
        "web",
        rich_spec(),
        managed("web", stale()),
    )
}

fn env_from() -> Value {
    json!({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "app"}}]}]})
}

fn env(variable: &str) -> Value {
    let from = json!({"configMapKeyRef": {"name": "app", "key": "log.level"}});
    json!({"containers": [{"name": "c", "env": [{"name": variable, "valueFrom": from}]}]})
}

fn namespace() -> Namespace {
    Namespace {
        workloads: vec![
            web(),
            workload(WorkloadKind::StatefulSet, "db", env_from(), None),
            workload(
                WorkloadKind::DaemonSet,
                "agent",
                json!({"containers": [{"name": "c"}]}),
                None,
            ),
        ],
        pods: Some(vec![
            pod_of("web", "web-1"),
            pod_of("web", "web-2"),
            pod_of("unrelated", "unrelated-1"),
            other_pod("debug", None, "Running", env_from()),
            other_pod("migrate-1", Some(("Job", "migrate")), "Succeeded", env("L")),
            other_pod("migrate-2", Some(("Job", "migrate")), "Running", env("L")),
            other_pod(
                "other",
                None,
                "Running",
                json!({"containers": [{"name": "c"}]}),
            ),
        ]),
        notes: Vec::new(),
    }
}

fn tree_of(source: &str, keys: &[&str], seen: Namespace) -> SourceTree {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    SourceTree::new(source.parse().unwrap(), "shop".to_owned(), keys, seen)
}

#[test]
fn from_a_source_by_class_and_keys_to_pods() {
    let tree = tree_of("cm/app", &[], namespace());
    assert_eq!(
        render::source(&tree, Format::Table).text(false),
        "\
configmap/app in namespace shop
├─ Live  volume  color, log.level
│  └─ deployment/web  Held  as color, level
│     ├─ pod/web-1  Stale  It started before ConfigMap/app changed.
│     └─ pod/web-2  Fresh
├─ Frozen  env  log.level
│  ├─ deployment/web  Held  as LOG_LEVEL
│  │  ├─ pod/web-1  Stale  It started before ConfigMap/app changed.
│  │  └─ pod/web-2  Fresh
│  └─ job/migrate  as L
│     ├─ pod/migrate-1  Finished
│     └─ pod/migrate-2
├─ Frozen  envFrom  all keys
│  ├─ pod/debug
│  └─ statefulset/db  not managed
└─ Frozen  volume  color, log.level
   └─ deployment/web  Held  as color, level
      ├─ pod/web-1  Stale  It started before ConfigMap/app changed.
      └─ pod/web-2  Fresh
"
    );
    assert_eq!(
        render::source(&tree, Format::Name).text(false),
        "deployment.apps/web\njob.batch/migrate\npod/debug\nstatefulset.apps/db\n"
    );
}

#[test]
fn one_keys_consumers_and_who_must_be_rolled() {
    let tree = tree_of("cm/app", &["log.level"], namespace());
    let text = render::source(&tree, Format::Table).text(false);
    assert!(
        text.starts_with("configmap/app in namespace shop  key log.level\n"),
        "{text}"
    );
    assert!(!text.contains("color,"), "only the key asked for: {text}");
    let (_, changes) = text.split_once("\nWhen it changes\n").unwrap();
    assert_eq!(
        changes,
        "  pod/debug  must be created anew by hand
  statefulset/db  must be rolled by hand (kubectl rollout restart)
  job/migrate  sees it in its next run
  deployment/web  is rolled by Projsync
"
    );
    let tree = tree_of("cm/app", &["color"], namespace());
    let text = render::source(&tree, Format::Table).text(false);
    assert!(
        !text.contains("job/migrate") && text.contains("pod/debug"),
        "{text}"
    );
}

#[test]
fn a_hidden_variable_is_not_seen() {
    let spec = json!({"containers": [{
        "name": "c",
        "env": [{"name": "P_a", "value": "own"}],
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "app"}}],
    }]});
    let seen = |key: &str| {
        let workloads = vec![workload(
            WorkloadKind::Deployment,
            "web",
            spec.clone(),
            None,
        )];
        let seen = Namespace {
            workloads,
            pods: None,
            notes: Vec::new(),
        };
        tree_of("cm/app", &[key], seen).consumers().len()
    };
    assert_eq!((seen("a"), seen("b")), (0, 1));
}

#[test]
fn what_nobody_projects_is_said_so() {
    let text = |tree: &SourceTree| render::source(tree, Format::Table).text(false);
    assert_eq!(
        text(&tree_of("cm/other", &[], namespace())),
        "configmap/other in namespace shop\nNothing in this namespace projects it.\n"
    );
    assert_eq!(
        text(&tree_of(
            "cm/app",
            &["x"],
            Namespace {
                pods: None,
                workloads: vec![],
                notes: vec![]
            }
        )),
        "configmap/app in namespace shop  key x\nNothing in this namespace sees it.\n"
    );
    let mut blind = namespace();
    blind.notes.push("you may not read pods".to_owned());
    assert!(text(&tree_of("cm/other", &[], blind)).contains("Nothing that can be seen"));
}

#[test]
fn without_the_right_to_see_pods_those_that_projections_name_are_shown() {
    let mut seen = namespace();
    seen.pods = None;
    let tree = tree_of("secret/db", &[], seen);
    assert_eq!(
        render::source(&tree, Format::Table).text(false),
        "\
secret/db in namespace shop
└─ Frozen  envFrom  all keys
   └─ deployment/web  Held  as DB_*  optional
      └─ pod/web-1  Stale  It started before ConfigMap/app changed.
"
    );
}

#[test]
fn without_the_right_to_see_workloads_projections_tell_of_them() {
    let workload = Workload::of_projection(managed("web", stale()).unwrap());
    let seen = Namespace {
        workloads: vec![workload],
        pods: None,
        notes: Vec::new(),
    };
    assert_eq!(
        render::source(&tree_of("secret/db", &[], seen), Format::Table).text(false),
        "\
secret/db in namespace shop
└─ Frozen  env  a
   └─ deployment/web  Held
      └─ pod/web-1  Stale  It started before ConfigMap/app changed.
"
    );
}

#[test]
fn from_a_workload_to_its_sources_and_pods() {
    let pods = [
        pod_of("web", "web-1"),
        pod_of("web", "web-2"),
        pod_of("api", "api-1"),
    ];
    let tree = WorkloadTree::new(web(), "shop".to_owned(), vec![], Some(&pods), vec![]);
    assert_eq!(
        render::workload(&tree, Format::Table).text(false),
        "\
deployment/web in namespace shop  Held
├─ configmap/app
│  ├─ Live  volume  color, log.level as color, level  container web
│  ├─ Frozen  volume  color, log.level as color, level  container init
│  └─ Frozen  env  log.level as LOG_LEVEL  container web
├─ secret/db
│  └─ Frozen  envFrom  all keys as DB_*  optional  container web
├─ refreshed by the kubelet itself
│  └─ serviceAccountToken  volume token  container web
└─ Pods
   ├─ pod/web-1  Stale  It started before ConfigMap/app changed.
   └─ pod/web-2  Fresh
"
    );
    assert_eq!(
        render::workload(&tree, Format::Name).text(false),
        "configmap/app\nsecret/db\n"
    );
}

#[test]
fn what_is_missing_or_left_out_is_said_so() {
    let mut missing = reference("ConfigMap", "app", "Frozen");
    missing["missing"] = json!(true);
    let projection = projection("Deployment", "web", json!({"references": [missing]}));
    let workload = workload(
        WorkloadKind::Deployment,
        "web",
        rich_spec(),
        Some(projection),
    );
    let tree = WorkloadTree::new(workload, "shop".to_owned(), vec![], Some(&[]), vec![]);
    let text = render::workload(&tree, Format::Table).text(false);
    assert!(
        text.contains("├─ configmap/app  it, or a required key of it, does not exist\n"),
        "{text}"
    );
    assert!(
        text.contains("├─ secret/db  left out by its policy\n"),
        "{text}"
    );
}

#[test]
fn a_projection_of_a_workload_that_is_gone_tells_nothing_of_its_namesake() {
    let mut old = projection("Deployment", "web", json!({}));
    old.spec.workload.uid = "another".to_owned();
    let workload = workload(WorkloadKind::Deployment, "web", rich_spec(), Some(old));
    assert!(workload.projection.is_none());
}

#[test]
fn pods_beyond_those_that_the_projection_names_have_no_state() {
    let status = json!({
        "pods": {"total": 30, "fresh": 10, "stale": 20, "notFresh": [
            {"name": "web-1", "state": "Stale", "reason": "It started before."},
        ]},
    });
    let workload = workload(
        WorkloadKind::Deployment,
        "web",
        json!({}),
        managed("web", status),
    );
    let pods = [pod_of("web", "web-1"), pod_of("web", "web-2")];
    let lines = workload.pods(Some(&pods));
    assert_eq!(
        lines[0].state,
        Some(crate::api::projection::PodState::Stale)
    );
    assert_eq!(lines[1].state, None);
}

#[test]
fn owners_are_told_without_replica_sets() {
    let owner = |pod: Pod| pod.owner.to_string();
    assert_eq!(owner(pod_of("web-app", "p")), "deployment/web-app");
    assert_eq!(
        owner(other_pod("p", Some(("Job", "j")), "", json!({}))),
        "job/j"
    );
    assert_eq!(owner(other_pod("p", None, "", json!({}))), "nobody");
    // A ReplicaSet of its own has no hash; one of another API group is no Deployment's.
    let bare = other_pod("p", Some(("ReplicaSet", "r")), "", json!({}));
    assert_eq!(owner(bare), "replicaset/r");
}

#[test]
fn effects_follow_from_policy_and_class() {
    use Class::{Frozen, Live};
    let status = |strategy, suspend| {
        let mut status = managed("web", json!({})).unwrap().status.unwrap();
        let policy = status.policy.as_mut().unwrap();
        (policy.strategy, policy.suspend) = (strategy, suspend);
        status
    };
    let rollout = status(Strategy::Rollout, false);
    let suspended = status(Strategy::Rollout, true);
    let observe = status(Strategy::Observe, false);
    let cases = [
        (Some(&rollout), true, Frozen, Effect::Rolled),
        (Some(&rollout), true, Live, Effect::RefreshedAndRolled),
        (Some(&rollout), false, Frozen, Effect::ToRoll),
        (Some(&suspended), true, Frozen, Effect::Suspended),
        (Some(&suspended), true, Live, Effect::Refreshed),
        (Some(&observe), true, Frozen, Effect::ToRoll),
        (Some(&observe), true, Live, Effect::Refreshed),
        (None, false, Frozen, Effect::ToRoll),
        (None, false, Live, Effect::Refreshed),
    ];
    for (status, watched, class, expected) in cases {
        assert_eq!(effect::of_workload(status, watched, class), expected);
    }
    let job = Owner::Other {
        kind: "Job".to_owned(),
        name: "j".to_owned(),
    };
    assert_eq!(effect::of_pod(&job, Frozen), Effect::NextRun);
    assert_eq!(effect::of_pod(&Owner::Nobody, Frozen), Effect::ToRecreate);
    assert_eq!(effect::of_pod(&Owner::Nobody, Live), Effect::Refreshed);
}

/// The sample's Projection says that key `a` of ConfigMap `app` changed at 11:55:00.
#[test]
fn a_pod_that_is_not_managed_is_stale_where_a_projection_tells_of_a_later_change() {
    let env_of = |key: &str| {
        let from = json!({"configMapKeyRef": {"name": "app", "key": key}});
        json!({"containers": [{"name": "c", "env": [{"name": "A", "valueFrom": from}]}]})
    };
    let live = json!({
        "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "configMap": {"name": "app"}}],
    });
    let seen = Namespace {
        workloads: vec![web()],
        pods: Some(vec![
            started_pod("before", env_of("a"), "2026-01-02T11:54:50Z"),
            started_pod("before-all", env_from(), "2026-01-02T11:00:00Z"),
            started_pod("close", env_of("a"), "2026-01-02T11:55:05Z"),
            started_pod("after", env_of("a"), "2026-01-02T11:55:10Z"),
            started_pod("other", env_of("b"), "2026-01-02T11:00:00Z"),
            started_pod("live", live, "2026-01-02T11:00:00Z"),
            other_pod("waiting", None, "Pending", env_of("a")),
        ]),
        notes: Vec::new(),
    };
    let text = render::source(&tree_of("cm/app", &[], seen), Format::Table).text(false);
    let line = |name: &str| {
        let name = format!("pod/{name}  ");
        let line = text.lines().find_map(|line| line.split_once(&name));
        line.map(|(_, rest)| rest)
    };
    let before = "It started before configmap/app changed.";
    assert_eq!(line("before"), Some(&*format!("Stale  as A  {before}")));
    assert_eq!(line("before-all"), Some(&*format!("Stale  {before}")));
    assert_eq!(
        line("close"),
        Some("Unknown  as A  It started when configmap/app changed.")
    );
    for name in ["after", "other", "waiting"] {
        assert_eq!(line(name), Some("as A"), "{name}");
    }
    assert_eq!(line("live"), None, "{text}");
}
