//! Trees from a source and from a workload.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::api::Projection;
use crate::api::projection::PodState;
use crate::kinds::WorkloadKind;
use crate::report::Report;
use crate::report::output::Page;
use crate::report::tests::{Shop, projection, reference, rich_spec};

fn text(report: &impl Report) -> String {
    Page::text(&report.page(false, Timestamp::UNIX_EPOCH), false)
}

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

fn web() -> Shop {
    Shop::new().workload(
        WorkloadKind::DEPLOYMENT,
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

/// All kinds of consumers, without Pods.
fn blind() -> Shop {
    let nothing = json!({"containers": [{"name": "c"}]});
    web()
        .workload(WorkloadKind::STATEFUL_SET, "db", env_from(), None)
        .workload(WorkloadKind::DAEMON_SET, "agent", nothing, None)
}

fn shop() -> Shop {
    let nothing = json!({"containers": [{"name": "c"}]});
    blind()
        .pod_of("web", "web-1")
        .pod_of("web", "web-2")
        .pod_of("unrelated", "unrelated-1")
        .other_pod("debug", None, "Running", env_from())
        .other_pod("migrate-1", Some(("Job", "migrate")), "Succeeded", env("L"))
        .other_pod("migrate-2", Some(("Job", "migrate")), "Running", env("L"))
        .other_pod("other", None, "Running", nothing)
}

fn tree_of(source: &str, keys: &[&str], shop: &Shop) -> SourceTree {
    let Ok(crate::report::name::Root::Source(source)) = source.parse() else {
        panic!("{source}");
    };
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    SourceTree::new(source, keys, &shop.0)
}

fn workload_tree(shop: &Shop) -> WorkloadTree {
    WorkloadTree::new(shop.first(), vec![], &shop.0)
}

#[test]
fn from_a_source_by_class_and_keys_to_pods() {
    let tree = tree_of("cm/app", &[], &shop());
    assert_eq!(
        text(&tree),
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
        tree.names(),
        [
            "deployment.apps/web",
            "job.batch/migrate",
            "pod/debug",
            "statefulset.apps/db"
        ]
    );
}

/// A Deployment that went from ConfigMap `app-1` to `app-2`, as kustomize names them, and whose
/// rollout is stuck; a webhook puts Secret `mesh` into its newest Pod.
fn generated() -> Shop {
    let of = |name: &str| json!({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": name}}]}]});
    let mut injected = of("app-2");
    injected["containers"][0]["env"] = json!([{"name": "TOKEN", "valueFrom":
        {"secretKeyRef": {"name": "mesh", "key": "token"}}}]);
    let [old, new] = ["app-1", "app-2"].map(|name| json!({"spec": of(name)}));
    let status = json!({"references": [
        reference("ConfigMap", "app-2", "Frozen"),
        reference("Secret", "mesh", "Frozen"),
    ]});
    Shop::new()
        .workload(
            WorkloadKind::DEPLOYMENT,
            "web",
            of("app-2"),
            managed("web", status),
        )
        .pod_with("web", "a", "web-a", old, of("app-1"))
        .pod_with("web", "b", "web-b", new, injected)
}

#[test]
fn pods_of_an_older_template_are_found_by_what_they_have() {
    assert_eq!(
        text(&tree_of("cm/app-1", &[], &generated())),
        "\
configmap/app-1 in namespace shop
└─ Frozen  envFrom  all keys
   └─ deployment/web  InSync
      └─ pod/web-a  Fresh  older template
"
    );
    assert_eq!(
        text(&tree_of("cm/app-2", &[], &generated())),
        "\
configmap/app-2 in namespace shop
└─ Frozen  envFrom  all keys
   └─ deployment/web  InSync  but TOKEN
      └─ pod/web-b  Fresh
"
    );
    let changes = text(&tree_of("cm/app-1", &["x"], &generated()));
    let replaced = "deployment/web  keeps what it has until Pods of an older template are replaced";
    assert!(changes.contains(replaced), "{changes}");
}

#[test]
fn what_a_webhook_put_into_pods_is_shown() {
    assert_eq!(
        text(&tree_of("secret/mesh", &[], &generated())),
        "\
secret/mesh in namespace shop
└─ Frozen  env  token
   └─ deployment/web  InSync  as TOKEN
      └─ pod/web-b  Fresh
"
    );
    let tree = text(&workload_tree(&generated()));
    assert!(tree.contains("secret/mesh"), "{tree}");
}

#[test]
fn one_keys_consumers_and_who_must_be_rolled() {
    let tree = tree_of("cm/app", &["log.level"], &shop());
    let text = text(&tree);
    assert!(
        text.starts_with("configmap/app in namespace shop  key log.level\n"),
        "{text}"
    );
    assert!(!text.contains("color,"), "only the key asked for: {text}");
    let (_, changes) = text.split_once("\nWhen it changes\n").unwrap();
    assert_eq!(
        changes,
        "  pod/debug  must be deleted and created again by hand
  statefulset/db  must be rolled by hand (kubectl rollout restart)
  job/migrate  sees it in its next run
  deployment/web  is rolled by Projsync
"
    );
    let tree = tree_of("cm/app", &["color"], &shop());
    let text = self::text(&tree);
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
    let shop = Shop::new().workload(WorkloadKind::DEPLOYMENT, "web", spec, None);
    let seen = |key: &str| tree_of("cm/app", &[key], &shop).consumers().len();
    assert_eq!((seen("a"), seen("b")), (0, 1));
}

#[test]
fn what_nobody_projects_is_said_so() {
    let mut shop = shop();
    assert_eq!(
        text(&tree_of("cm/other", &[], &shop)),
        "configmap/other in namespace shop\nNothing in this namespace projects it.\n"
    );
    assert_eq!(
        text(&tree_of("cm/app", &["x"], &Shop::new())),
        "configmap/app in namespace shop  key x\nNothing in this namespace sees it.\n"
    );
    shop.0.notes.push("you may not read pods".to_owned());
    assert!(text(&tree_of("cm/other", &[], &shop)).contains("Nothing that can be seen"));
}

#[test]
fn without_the_right_to_see_pods_those_that_projections_name_are_shown() {
    let tree = tree_of("secret/db", &[], &blind());
    assert_eq!(
        text(&tree),
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
    let mut shop = Shop::new();
    shop.0.add_projection(managed("web", stale()).unwrap());
    assert_eq!(
        text(&tree_of("secret/db", &[], &shop)),
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
    let shop = web()
        .pod_of("web", "web-1")
        .pod_of("web", "web-2")
        .pod_of("api", "api-1");
    let tree = workload_tree(&shop);
    assert_eq!(
        text(&tree),
        "\
deployment/web in namespace shop  Held
├─ configmap/app
│  ├─ Live  volume  color, log.level as color, level  container web
│  ├─ Frozen  env  log.level as LOG_LEVEL  container web
│  └─ Frozen  volume  color, log.level as color, level  container init
├─ secret/db
│  └─ Frozen  envFrom  all keys as DB_*  optional  container web
├─ refreshed by the kubelet itself
│  └─ serviceAccountToken  volume token  container web
└─ Pods
   ├─ pod/web-1  Stale  It started before ConfigMap/app changed.
   └─ pod/web-2  Fresh
"
    );
    assert_eq!(tree.names(), ["configmap/app", "secret/db"]);
}

#[test]
fn what_is_missing_or_left_out_is_said_so() {
    let mut missing = reference("ConfigMap", "app", "Frozen");
    missing["missing"] = json!(true);
    let projection = projection("Deployment", "web", json!({"references": [missing]}));
    let shop = Shop::new().workload(
        WorkloadKind::DEPLOYMENT,
        "web",
        rich_spec(),
        Some(projection),
    );
    let text = text(&workload_tree(&shop));
    assert!(
        text.contains("├─ configmap/app  does not exist, or lacks a required key\n"),
        "{text}"
    );
    assert!(
        text.contains("├─ secret/db  excluded by the policy\n"),
        "{text}"
    );
}

#[test]
fn a_projection_of_a_workload_that_is_gone_tells_nothing_of_its_namesake() {
    let mut old = projection("Deployment", "web", json!({}));
    old.spec.workload.uid = "another".to_owned();
    let shop = Shop::new().workload(WorkloadKind::DEPLOYMENT, "web", rich_spec(), Some(old));
    assert!(shop.first().projection.is_none());
}

#[test]
fn pods_beyond_those_that_the_projection_names_have_no_state() {
    let status = json!({
        "pods": {"total": 30, "fresh": 10, "stale": 20, "notFresh": [
            {"name": "web-1", "state": "Stale", "reason": "It started before."},
        ]},
    });
    let shop = Shop::new()
        .workload(
            WorkloadKind::DEPLOYMENT,
            "web",
            json!({}),
            managed("web", status),
        )
        .pod_of("web", "web-1")
        .pod_of("web", "web-2");
    let states: Vec<_> = shop
        .0
        .pods_of(shop.first())
        .iter()
        .map(|pod| pod.state)
        .collect();
    assert_eq!(states, [Some(PodState::Stale), None]);
}

#[test]
fn pods_are_shown_under_the_object_that_owns_them() {
    let env = env("L");
    let shop = web()
        .pod_of("web", "web-1")
        .other_pod("run", Some(("Job", "j")), "Running", env.clone())
        .other_pod("bare", None, "Running", env.clone())
        // Of a ReplicaSet that no Deployment owns.
        .other_pod("r-1", Some(("ReplicaSet", "r")), "Running", env);
    let owners: Vec<_> = shop.0.other_pods().map(|pod| pod.owner()).collect();
    assert_eq!(owners, ["pod/bare", "replicaset/r", "job/j"]);
}

#[test]
fn a_cron_job_is_shown_with_what_its_next_run_has() {
    let shop = Shop::new().cron_job("report", env("L")).cron_job(
        "other",
        json!({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "none"}}]}]}),
    );
    let tree = tree_of("cm/app", &[], &shop);
    assert_eq!(tree.names(), ["cronjob.batch/report"]);
    let text = text(&tree);
    assert!(text.contains("cronjob/report  "), "{text}");
    assert!(text.contains("sees it in its next run"), "{text}");
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
    let shop = web()
        .started_pod("before", env_of("a"), "2026-01-02T11:54:50Z")
        .started_pod("before-all", env_from(), "2026-01-02T11:00:00Z")
        .started_pod("close", env_of("a"), "2026-01-02T11:55:05Z")
        .started_pod("after", env_of("a"), "2026-01-02T11:55:10Z")
        .started_pod("other", env_of("b"), "2026-01-02T11:00:00Z")
        .started_pod("live", live, "2026-01-02T11:00:00Z")
        .other_pod("waiting", None, "Pending", env_of("a"));
    let text = text(&tree_of("cm/app", &[], &shop));
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
        Some("Unknown  as A  It started at about the time when configmap/app changed.")
    );
    for name in ["after", "other", "waiting"] {
        assert_eq!(line(name), Some("as A"), "{name}");
    }
    assert_eq!(line("live"), None, "{text}");
}
