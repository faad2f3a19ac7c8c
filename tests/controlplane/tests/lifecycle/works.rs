//! What a running control plane does.

use std::net::TcpStream;
use std::time::Instant;

use controlplane::{Action, Component, ControlPlane, Options};

use crate::{Result, eventually, kubectl, kubectl_with};

const DEPLOYMENT: &str = r#"{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
  "spec": {
    "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
    "template": {
      "metadata": {"labels": {"app": "web"}},
      "spec": {
        "initContainers": [
          {"name": "first", "image": "none"},
          {"name": "side", "image": "none", "restartPolicy": "Always"}
        ],
        "containers": [{"name": "main", "image": "none"}]
      }
    }
  }
}"#;

fn pod(name: &str, node: &str, delay: &str) -> String {
    format!(
        r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}",
          "annotations": {{"pod-ready.stage.kwok.x-k8s.io/delay": "{delay}"}}}},
          "spec": {{"nodeName": "{node}", "containers": [{{"name": "main", "image": "none"}}]}}}}"#
    )
}

#[test]
fn a_deployment_rolls_out_and_requests_are_audited() -> Result {
    let start = Instant::now();
    let plane = ControlPlane::start(&Options {
        audit: true,
        nodes: 2,
    })?;
    println!("ready after {:?}", start.elapsed());
    assert_eq!(
        kubectl(&plane, &["get", "nodes", "-o", "name"])?,
        "node/node-0\nnode/node-1\n"
    );

    let start = Instant::now();
    kubectl_with(&plane, &["apply", "-f", "-"], DEPLOYMENT)?;
    kubectl(
        &plane,
        &["rollout", "status", "deploy/web", "--timeout=60s"],
    )?;
    println!("3 Pods rolled out after {:?}", start.elapsed());
    let statuses = r#"jsonpath={range .items[*]}{range .status.initContainerStatuses[*]}{.name}{.state.terminated.reason}{.started}{.ready} {end}{range .status.containerStatuses[*]}{.name}{.started}{.ready}{end}{"\n"}{end}"#;
    assert_eq!(
        kubectl(&plane, &["get", "pods", "-o", statuses])?,
        "firstCompletedtrue sidetruetrue maintruetrue\n".repeat(3)
    );
    let starts = "jsonpath={range .items[*]}{range .status.initContainerStatuses[*]}{.state.*.startedAt}{end}{range .status.containerStatuses[*]}{.state.running.startedAt}{end}{end}";
    // 3 Pods with 3 containers, each with a time such as 2026-01-02T03:04:05Z.
    assert_eq!(
        kubectl(&plane, &["get", "pods", "-o", starts])?.len(),
        9 * 20
    );

    kubectl(&plane, &["get", "configmaps", "--namespace", "kube-system"])?;
    let log = plane.audit_log().ok_or("no audit log")?;
    let log = std::fs::read_to_string(log)?;
    let asked = |user: &str, uri: &str| {
        log.lines().any(|line| {
            line.contains(&format!(r#""user":{{"username":"{user}""#)) && line.contains(uri)
        })
    };
    assert!(asked("admin", "/api/v1/namespaces/kube-system/configmaps"));
    assert!(asked("system:kube-scheduler", "/binding"));
    assert!(asked("system:kube-controller-manager", "/replicasets"));
    assert!(asked("kwok", "/status"));
    Ok(())
}

#[test]
fn kwok_leaves_other_nodes_to_the_test_and_delays_pods_that_ask_for_it() -> Result {
    let plane = ControlPlane::start(&Options::default())?;
    let node = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "own"}}"#;
    kubectl_with(&plane, &["create", "-f", "-"], node)?;
    for (name, node, delay) in [
        ("mine", "own", "0s"),
        ("late", "node-0", "24h"),
        ("kwok", "node-0", "0s"),
    ] {
        kubectl_with(&plane, &["create", "-f", "-"], &pod(name, node, delay))?;
    }
    let phase = |name: &str| {
        kubectl(
            &plane,
            &["get", "pod", name, "-o", "jsonpath={.status.phase}"],
        )
    };
    // Made last and ready: kwok has seen the others by now.
    eventually(&"Running".to_owned(), || phase("kwok"))?;
    assert_eq!(phase("mine")?, "Pending");
    assert_eq!(phase("late")?, "Pending");
    let patch = r#"{"status": {"phase": "Running", "containerStatuses": [{"name": "main",
        "image": "none", "imageID": "", "ready": true, "restartCount": 1,
        "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}}]}}"#;
    kubectl(
        &plane,
        &["patch", "pod", "mine", "--subresource=status", "-p", patch],
    )?;
    assert_eq!(phase("mine")?, "Running");
    Ok(())
}

#[test]
fn components_stop_and_start_when_told() -> Result {
    let plane = ControlPlane::start(&Options::default())?;
    let address = plane.server().trim_start_matches("https://").to_owned();
    kubectl(&plane, &["create", "configmap", "kept"])?;

    for end in [Action::Kill, Action::Stop] {
        plane.tell(end, Component::KubeApiserver)?;
        assert!(TcpStream::connect(&address).is_err());
        assert!(plane.tell(end, Component::KubeApiserver).is_err());
        plane.tell(Action::Start, Component::KubeApiserver)?;
        kubectl(&plane, &["get", "configmap", "kept"])?;
    }

    plane.tell(Action::Pause, Component::KubeApiserver)?;
    let quick = ["get", "configmap", "kept", "--request-timeout=1s"];
    assert!(TcpStream::connect(&address).is_ok());
    assert!(kubectl(&plane, &quick).is_err());
    plane.tell(Action::Resume, Component::KubeApiserver)?;
    kubectl(&plane, &["get", "configmap", "kept"])?;

    plane.tell(Action::Kill, Component::Etcd)?;
    plane.tell(Action::Start, Component::Etcd)?;
    kubectl(&plane, &["get", "configmap", "kept"])?;
    Ok(())
}

#[test]
fn two_at_once_are_strangers() -> Result {
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| ControlPlane::start(&Options::default()));
        let second = ControlPlane::start(&Options::default());
        (first.join(), second)
    });
    let first = first.map_err(|_| "the other thread panicked")??;
    let second = second?;
    assert_ne!(first.server(), second.server());
    kubectl(&first, &["create", "configmap", "only-here"])?;
    assert!(kubectl(&second, &["get", "configmap", "only-here"]).is_err());
    Ok(())
}
