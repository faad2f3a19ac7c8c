use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::core::DeserializeGuard;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower::service_fn;

use super::*;
use crate::api::policy::SyncPolicy;
use crate::api::projection::Projection;
use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::lease::Leadership;
use crate::core::object::pod::{Pod, Start};
use crate::core::object::workload::Workload;
use crate::core::policy::{EVALUATIONS, Selected};
use crate::core::testing::owner;
use crate::core::time::ServerTime;
use crate::kinds::{WorkloadId, WorkloadKind};
use crate::operator::queue::{self, Next};
use crate::operator::testing;

/// What the loops share, for a replica that leads. Nothing is answered.
fn leader() -> Context {
    let silent = |_: Request<Body>| pending::<Result<Response<Body>, Infallible>>();
    let client = Client::new(service_fn(silent), "shop");
    let timeout = Duration::from_secs(1);
    let (context, leadership) = testing::context(client, &PulseLayer::default(), timeout);
    let until = Instant::now() + Duration::from_secs(60);
    leadership.send_replace(Leadership::Leader { until });
    context
}

fn take_in(context: &Context, change: Change<DeserializeGuard<Projection>>) {
    ingest(context, &(), &Scope::default(), change);
}

fn projection() -> DeserializeGuard<Projection> {
    let object = json!({
        "apiVersion": "projsync.dev/v1alpha1", "kind": "Projection",
        "metadata": {"name": "deployment-web", "namespace": "shop"},
        "spec": {"workload": {"kind": "Deployment", "name": "web", "uid": "u"}},
        "status": {},
    });
    serde_json::from_value(object).unwrap()
}

/// A lease that was given up in order is taken before anything has been listed.
#[tokio::test]
async fn what_is_stored_is_taken_up_though_the_lease_came_first() {
    let context = leader();
    take_in(&context, Change::Listed(projection()));
    assert_eq!(context.state.lock().remembered().len(), 1);
}

/// Whoever may write Projections in a namespace could otherwise speak for any workload of it.
#[tokio::test]
async fn a_projection_of_another_name_is_ignored() {
    let context = leader();
    let mut forged = projection();
    if let Ok(projection) = &mut forged.0 {
        projection.metadata.name = Some("forged".to_owned());
    }
    take_in(&context, Change::Listed(forged.clone()));
    assert_eq!(context.state.lock().remembered(), []);
    take_in(&context, Change::Listed(projection()));
    // Nor does its end tell of that of the workload.
    take_in(&context, Change::Deleted(forged));
    assert!(context.reports.idle());
    take_in(&context, Change::Deleted(projection()));
    assert!(!context.reports.idle());
}

#[tokio::test]
async fn a_leader_at_work_knows_better_than_what_it_wrote() {
    let context = leader();
    context.state.lock().synced = true;
    take_in(&context, Change::Applied(projection()));
    assert_eq!(context.state.lock().remembered().len(), 0);
}

/// The last write of the leader before us may reach us after its lease did.
#[tokio::test]
async fn a_leader_takes_up_a_roll_that_it_does_not_know_of() {
    let context = leader();
    context.state.lock().synced = true;
    let mut told = projection();
    let status = json!({"rolls": [{"revision": "v1.00000000.x", "time": "2026-01-01T00:00:00Z"}]});
    if let Ok(projection) = &mut told.0 {
        projection.status = serde_json::from_value(status).unwrap();
    }
    take_in(&context, Change::Applied(told));
    assert_eq!(context.state.lock().remembered().len(), 1);
}

fn policy(generation: i64, workloads: u32) -> Change<DeserializeGuard<SyncPolicy>> {
    let object = json!({
        "apiVersion": "projsync.dev/v1alpha1", "kind": "SyncPolicy",
        "metadata": {"name": "all", "namespace": "shop", "uid": "u", "generation": generation},
        "spec": {},
        "status": {"workloads": workloads},
    });
    Change::Applied(serde_json::from_value(object).unwrap())
}

/// As each of our own writes of it would be.
#[tokio::test]
async fn a_status_of_a_policy_costs_nothing() {
    let context = leader();
    let take_in = |change| ingest(&context, &(), &Scope::default(), change);
    let id = WorkloadId::new(WorkloadKind::DEPLOYMENT, "shop", "web");
    let workload = Workload::default();
    context.change(|state| state.index.apply_workload(&id, workload));
    take_in(policy(1, 0));
    let asked = EVALUATIONS.get();
    assert!(asked > 0);
    take_in(policy(1, 1));
    assert_eq!(EVALUATIONS.get(), asked);
    let state = context.state.lock();
    assert_eq!(state.policies.values().next().unwrap().status.workloads, 1);
    drop(state);
    take_in(policy(2, 1));
    assert!(state_is_managed(&context, &id));
}

fn state_is_managed(context: &Context, id: &WorkloadId) -> bool {
    let state = context.state.lock();
    matches!(state.index.selected(id), Some(Selected::Managed(_)))
}

fn pod(number: usize, ready: bool) -> Pod {
    Pod {
        own: None,
        uid: format!("pod-{number}").into(),
        name: format!("web-{number}").into(),
        owner: Some(owner("StatefulSet", "web", "web-uid")),
        start: Start {
            rv: None,
            at_least: None,
            time: ServerTime::UNIX_EPOCH,
        },
        containers: Vec::new(),
        active: true,
        ready,
        revision: None,
        revision_hash: None,
        broken: None,
    }
}

/// In a rollout each of thousands of Pods has several events, and a plan looks at all Pods.
#[tokio::test(start_paused = true)]
async fn a_rollout_of_many_pods_is_planned_a_few_times() {
    const PODS: usize = 500;
    let context = leader();
    let id = WorkloadId::new(WorkloadKind::STATEFUL_SET, "shop", "web");
    let namespace: Arc<str> = "shop".into();
    let workload = Workload {
        uid: "web-uid".into(),
        ..Workload::default()
    };
    context.change(|state| state.index.apply_workload(&id, workload));
    for number in 0..PODS {
        context.change(|state| state.index.apply_pod(&namespace, pod(number, false)));
    }
    context.state.lock().synced = true;
    let plans = Arc::new(AtomicUsize::new(0));
    let count = plans.clone();
    let handler = move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        ready(Next::Done)
    };
    let queue = tokio::spawn(queue::run(context.workloads.clone(), 1, handler, pending()));
    let mut events = 0;
    for round in 0..8 {
        for number in 0..PODS {
            let changed = pod(number, round % 2 == 0);
            context.change(|state| state.index.apply_pod(&namespace, changed));
            events += 1;
            sleep(Duration::from_millis(1)).await;
        }
    }
    // What the last of them changed is planned too.
    sleep(Duration::from_millis(1) * 2 * PODS as u32).await;
    assert!(context.workloads.idle());
    queue.abort();
    let looked_at = plans.load(Ordering::Relaxed) * PODS;
    assert!((PODS..=2 * events).contains(&looked_at), "{looked_at}");
}
