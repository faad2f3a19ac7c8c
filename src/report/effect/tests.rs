//! Effects: the operator's decision, and what the class leaves to do.

use serde_json::{Value, json};

use super::*;
use crate::kinds::WorkloadKind;
use crate::report::tests::{Shop, projection, reference};

/// Of env (Frozen) or a volume (Live) of ConfigMap `app`.
fn effect(class: Class, status: Option<Value>) -> (Effect, Option<Reason>) {
    let spec = json!({
        "containers": [{
            "name": "c",
            "envFrom": [{"configMapRef": {"name": "app"}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        }],
        "volumes": [{"name": "v", "configMap": {"name": "app"}}],
    });
    let projection = status.map(|status| projection("Deployment", "web", status));
    let shop = Shop::new().workload(WorkloadKind::DEPLOYMENT, "web", spec, projection);
    let mut uses = shop.first().uses.iter();
    Effect::on_workload(shop.first(), uses.find(|uses| uses.class == class).unwrap())
}

fn managed(policy: Value) -> Option<Value> {
    let references = json!([
        reference("ConfigMap", "app", "Live"),
        reference("ConfigMap", "app", "Frozen")
    ]);
    Some(json!({"policy": policy, "references": references}))
}

#[test]
fn effects_follow_from_the_decision_and_the_class() {
    use Class::{Frozen, Live};
    let left_out = Some(json!({"references": []}));
    let cases = [
        (
            managed(json!({})),
            Effect::Rolled,
            None,
            Effect::RefreshedAndRolled,
        ),
        (left_out, Effect::ToRoll, None, Effect::Refreshed),
        (
            managed(json!({"suspend": true})),
            Effect::Held,
            Some(Reason::Suspended),
            Effect::Refreshed,
        ),
        (
            managed(json!({"strategy": "Observe"})),
            Effect::ToRoll,
            None,
            Effect::Refreshed,
        ),
        (None, Effect::ToRoll, None, Effect::Refreshed),
    ];
    for (status, frozen, held, live) in cases {
        assert_eq!(effect(Frozen, status.clone()), (frozen, held), "{status:?}");
        assert_eq!(effect(Live, status.clone()), (live, None), "{status:?}");
    }
}

#[test]
fn a_workload_that_its_owner_stopped_is_not_said_to_be_rolled() {
    let status = managed(json!({})).unwrap();
    let projection = projection("Deployment", "web", status);
    let spec =
        json!({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "app"}}]}]});
    let mut shop = Shop::new().workload(WorkloadKind::DEPLOYMENT, "web", spec, Some(projection));
    let web = &mut shop.0.workloads[0];
    let uses = web.uses[0].clone();
    web.object.paused = true;
    assert_eq!(
        Effect::on_workload(web, &uses),
        (Effect::Held, Some(Reason::Paused))
    );
    web.object.terminating = true;
    assert_eq!(Effect::on_workload(web, &uses), (Effect::None, None));
}

#[test]
fn pods_that_no_workload_owns_are_somebodys_work() {
    let shop = Shop::new()
        .other_pod("bare", None, "Running", json!({}))
        .other_pod("done", None, "Succeeded", json!({}))
        .other_pod("run", Some(("Job", "j")), "Running", json!({}));
    let effect = |name: &str, class| Effect::on_pod(&shop.0.pods.as_ref().unwrap()[name], class);
    assert_eq!(effect("bare", Class::Frozen), Effect::ToRecreate);
    assert_eq!(effect("bare", Class::Live), Effect::Refreshed);
    assert_eq!(effect("done", Class::Frozen), Effect::None);
    assert_eq!(effect("run", Class::Frozen), Effect::NextRun);
}
