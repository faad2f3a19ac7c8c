//! A container that starts again while its Pod goes on: what the kubelet gives to it, and what the
//! operator says that it has.

use kubelet::cases::sources;
use serde_json::json;

use super::*;
use crate::core::object::pod::ContainerStart;

/// The kubelet's refresh bound here.
const LAG: Duration = Duration::from_secs(120);

/// A container `main` that uses the ConfigMap `c` in these ways.
fn spec(env: &Value, mounts: &Value) -> Value {
    json!({
        "containers": [{"name": "main", "env": env, "volumeMounts": mounts}],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    })
}

/// Whether the operator says that a Pod which started in second 15, and whose container started
/// again in that second, has the edit of second 20.
fn is_told_current(case: &Case, container: &str, second: u64) -> bool {
    let containers = [Container {
        name: container.into(),
        started: Some(ContainerStart {
            at: at(second),
            shown: Some(Rv(second)),
            ahead: 0,
        }),
        ready: true,
        was_ready: true,
        restarts: 1,
        end: None,
    }];
    let mut standings = case.standings(&containers, LAG).into_iter();
    standings.all(|(_, standing)| standing == Standing::Current)
}

/// `RestartAllContainers`, or a node that has booted: init containers run again too, in the same Pod.
#[test]
fn an_init_container_that_runs_again_has_what_is_there_then() {
    let variable =
        json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}]);
    let mount = json!([{"name": "v", "mountPath": "/a"}]);
    for (env, mounts) in [(variable, json!([])), (json!([]), mount)] {
        let mut spec = spec(&env, &mounts);
        let mut init = spec["containers"][0].take();
        init["restartPolicy"] = json!("Never");
        init["name"] = json!("init");
        spec["initContainers"] = json!([init]);
        spec["containers"] = json!([{"name": "main"}]);
        let case = Case {
            spec,
            before: sources("c.a=1"),
            after: sources("c.a=2"),
        };
        let new = case.run(&case.after).unwrap().seen("init");
        let again = |refreshed: bool| {
            let mut pod = case.run(&case.before).unwrap();
            if refreshed {
                pod.refresh_all(&case.after);
            }
            pod.start("init", &case.after).unwrap();
            pod.seen("init")
        };
        assert_ne!(case.run(&case.before).unwrap().seen("init"), new);
        assert!(!is_told_current(&case, "init", 15), "{}", case.spec);
        assert_eq!(is_told_current(&case, "init", 50), again(false) == new);
        assert_eq!(is_told_current(&case, "init", 200), again(true) == new);
    }
}

/// The kubelet writes the files of a volume anew at any time within its bound, and no start of a
/// container waits for that.
#[test]
fn a_restart_has_of_a_volume_what_was_written_before() {
    let variable =
        json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}]);
    let mount = |how: Value| {
        let mut mount = json!({"name": "v", "mountPath": "/a"});
        mount
            .as_object_mut()
            .unwrap()
            .extend(how.as_object().unwrap().clone());
        json!([mount])
    };
    let expression = json!([{"name": "A", "value": "a"}]);
    let ways = [
        spec(&variable, &json!([])),
        spec(&json!([]), &mount(json!({}))),
        spec(&json!([]), &mount(json!({"subPath": "a"}))),
        spec(&expression, &mount(json!({"subPathExpr": "$(A)"}))),
        spec(&variable, &mount(json!({"subPath": "a"}))),
    ];
    let mut binds_old = 0;
    for spec in ways {
        let case = Case {
            spec,
            before: sources("c.a=1"),
            after: sources("c.a=2"),
        };
        let new = case.run(&case.after).unwrap().seen("main");
        let restarted = |refreshed: bool| {
            let mut pod = case.run(&case.before).unwrap();
            if refreshed {
                pod.refresh_all(&case.after);
            }
            pod.start("main", &case.after).unwrap();
            pod.seen("main")
        };
        let (early, late) = (restarted(false), restarted(true));
        binds_old += usize::from(early != new);
        assert_eq!(
            is_told_current(&case, "main", 50),
            early == new,
            "{}",
            case.spec
        );
        assert_eq!(
            is_told_current(&case, "main", 200),
            late == new,
            "{}",
            case.spec
        );
    }
    assert_eq!(binds_old, 4);
}
