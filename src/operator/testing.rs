//! A [`Context`] for tests.

use std::time::Duration;

use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::api::rules::Floors;
use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::events::events;
use crate::cluster::lease::Leadership;
use crate::cluster::read::Reader;
use crate::cluster::write::Writer;
use crate::core::content::digest::DigestKey;
use crate::core::plan::REFRESH_BOUND;
use crate::core::state::Settings;
use crate::operator::context::{Access, Context};
use crate::telemetry::metrics;

/// A context whose requests this client sends, and what tells it who leads.
pub(super) fn context(
    client: Client,
    pulses: &PulseLayer,
    timeout: Duration,
) -> (Context, watch::Sender<Leadership>) {
    let metrics = metrics::register(&mut Registry::default());
    let (events, _) = events(client.clone(), "replica", timeout, &metrics);
    let (told, leadership) = watch::channel(Leadership::Standby { holder: None });
    let key = DigestKey::new(&[7; 32]);
    let access = Access {
        watches: client.clone(),
        reader: Reader::new(client.clone(), key.clone(), timeout),
        writer: Writer::new(client, leadership.clone(), timeout, metrics.clone()),
        events,
        leadership,
        server: pulses.clock(),
    };
    let settings = Settings {
        key,
        comparable: true,
        refresh_bound: REFRESH_BOUND,
        cluster_wide: true,
        floors: Floors::default(),
        max_rolls: None,
    };
    (Context::new(settings, access, metrics), told)
}
