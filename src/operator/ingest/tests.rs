use std::time::Duration;

use kube::Config;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::cluster::client::Clients;
use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::events::events;
use crate::cluster::lease::Leadership;
use crate::core::content::digest::DigestKey;
use crate::core::state::Settings;
use crate::operator::context::OperatorClock;
use crate::operator::queue::{Backoff, Queue};
use crate::telemetry::metrics;

/// What the loops share, for a replica that leads. Nothing is sent.
fn leader() -> Context {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let metrics = metrics::register(&mut Registry::default());
    let pulses = PulseLayer::default();
    let config = Config::new("http://127.0.0.1:1".parse().unwrap());
    let clients = Clients::new(&config, &Default::default(), &metrics.api, &pulses).unwrap();
    let (events, _) = events(
        clients.requests.clone(),
        "a",
        Duration::from_secs(1),
        &metrics,
    );
    let until = Instant::now() + Duration::from_secs(60);
    let (_, leadership) = watch::channel(Leadership::Leader { until });
    let key = DigestKey::new(&[7; 32]);
    Context {
        state: Mutex::new(State::new(Settings {
            key: key.clone(),
            comparable: true,
            refresh_bound: Duration::from_secs(120),
            cluster_wide: false,
        })),
        sources: Queue::new("sources", Backoff::default()),
        workloads: Queue::new("workloads", Backoff::default()),
        reports: Queue::new("reports", Backoff::default()),
        clients,
        key,
        metrics,
        events,
        leadership,
        server: pulses.clock(),
        clock: OperatorClock::default(),
        timeout: Duration::from_secs(1),
    }
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
    context.ingest_projection(&None, Change::Listed(projection()));
    assert_eq!(context.state.lock().remembered().len(), 1);
}

#[tokio::test]
async fn a_leader_at_work_knows_better_than_what_it_wrote() {
    let context = leader();
    context.state.lock().synced = true;
    context.ingest_projection(&None, Change::Applied(projection()));
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
    context.ingest_projection(&None, Change::Applied(told));
    assert_eq!(context.state.lock().remembered().len(), 1);
}
