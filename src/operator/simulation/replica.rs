//! A replica of the operator: its loops as they are, fed by simulated watches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::core::NamespaceScope;
use kube::{Client, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::Layer as _;

use super::cluster::{Cluster, Event};
use super::model::Gap;
use super::objects::{Kind, NAMESPACE};
use super::server::{TIMEOUT, service};
use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::lease::Leadership;
use crate::cluster::views::Key;
use crate::cluster::watch::Change;
use crate::operator::context::Context;
use crate::operator::drain::drain;
use crate::operator::ingest::{Ingest, Scope, ingest};
use crate::operator::loops::loops;
use crate::operator::watches::{self, EachWatch};
use crate::operator::{clock, testing};

/// Sources, and workloads, worked on at a time.
const CONCURRENCY: usize = 4;

pub(super) struct Replica {
    pub(super) context: Arc<Context>,
    /// Tells it from earlier ones in its place.
    pub(super) life: u64,
    leadership: watch::Sender<Leadership>,
    stop_work: watch::Sender<bool>,
    tasks: JoinSet<&'static str>,
    /// What it has to list before it works.
    unlisted: BTreeSet<Kind>,
    /// In which spans it did not watch which workload.
    pub(super) gaps: Vec<(String, Gap)>,
}

impl Replica {
    pub(super) fn new(cluster: &Arc<Mutex<Cluster>>, life: u64) -> Self {
        let pulses = PulseLayer::default();
        let client = Client::new(pulses.layer(service(cluster.clone())), NAMESPACE);
        let (context, leadership) = testing::context(client.clone(), &pulses, TIMEOUT);
        // The answers to its lists would tell it the server's time.
        tokio::spawn(async move {
            let request = http::Request::get("/version").body(Vec::new());
            client.request_text(request.unwrap()).await.unwrap();
        });
        let context = Arc::new(context);
        let mut tasks = JoinSet::new();
        let watched = context.clone();
        tasks.spawn(async move {
            clock::follow(&watched.clock, &watched.cluster.server).await;
            "the clock"
        });
        Self {
            context,
            life,
            leadership,
            stop_work: watch::Sender::new(false),
            tasks,
            unlisted: Kind::ALL.into(),
            gaps: Vec::new(),
        }
    }

    /// Whether it has listed everything.
    pub(super) fn is_synced(&self) -> bool {
        self.unlisted.is_empty()
    }

    pub(super) fn lead(&self, leads: bool) {
        let until = Instant::now() + Duration::from_secs(24 * 60 * 60);
        self.leadership.send_replace(match leads {
            true => Leadership::Leader { until },
            false => Leadership::Standby { holder: None },
        });
    }

    /// Takes in a list. Returns what is to be listed next, and whether that was
    /// the last of all.
    pub(super) fn listed(&mut self, kind: Kind, objects: &[Arc<Value>]) -> (Vec<Kind>, bool) {
        let keys = objects.iter().map(|object| Key {
            namespace: NAMESPACE.into(),
            name: object["metadata"]["name"].as_str().unwrap().into(),
        });
        let keys = keys.collect();
        self.ingest(kind, Change::Listing);
        for object in objects {
            self.ingest(kind, Change::Listed(object.clone()));
        }
        self.ingest(kind, Change::Synced(keys));
        if !self.unlisted.remove(&kind) {
            return (Vec::new(), false);
        }
        if self.unlisted.is_empty() {
            self.begin();
            return (Vec::new(), true);
        }
        match kind {
            Kind::Projection => (self.unlisted.iter().copied().collect(), false),
            _ => (Vec::new(), false),
        }
    }

    pub(super) fn take_in(&self, kind: Kind, event: Event) {
        self.ingest(
            kind,
            match event {
                Event::Applied(object) => Change::Applied(object),
                Event::Deleted(object) => Change::Deleted(object),
            },
        );
    }

    fn ingest(&self, kind: Kind, change: Change<Arc<Value>>) {
        let mut feed = Feed {
            context: &self.context,
            kind: kind.name(),
            change: Some(change),
        };
        watches::memory(&mut feed);
        watches::cluster(&mut feed, false);
        assert!(feed.change.is_none(), "{} is not watched", feed.kind);
    }

    /// Begins to work, as the operator does once all is listed.
    fn begin(&mut self) {
        self.context.start();
        for work in loops(&self.context, CONCURRENCY, &self.stop_work) {
            self.tasks.spawn(work);
        }
    }

    /// Ends in order, as the operator does.
    pub(super) async fn finish(mut self) {
        self.stop_work.send_replace(true);
        drain(&self.context, TIMEOUT).await;
        self.tasks.shutdown().await;
    }

    /// What is known of each Pod, for when a promise is broken.
    pub(super) fn dump(&self) -> Value {
        self.context.state.lock().dump()
    }
}

/// Gives a change to the watch on objects of its kind.
struct Feed<'a> {
    context: &'a Context,
    kind: String,
    change: Option<Change<Arc<Value>>>,
}

impl EachWatch for Feed<'_> {
    fn namespaced<K>(&mut self, kind: K::DynamicType)
    where
        K: Ingest + Resource<DynamicType: Clone, Scope: NamespaceScope>,
    {
        if K::kind_name(&kind) == self.kind
            && let Some(change) = self.change.take()
        {
            ingest::<K>(self.context, &kind, &Scope::default(), typed(change));
        }
    }

    /// The simulated cluster has no such objects.
    fn cluster<K>(&mut self, _: K::DynamicType, _: bool)
    where
        K: Ingest + Resource<DynamicType: Clone>,
    {
    }
}

fn typed<K: DeserializeOwned>(change: Change<Arc<Value>>) -> Change<K> {
    let typed = |object: Arc<Value>| K::deserialize(&*object).unwrap();
    match change {
        Change::Listing => Change::Listing,
        Change::Listed(object) => Change::Listed(typed(object)),
        Change::Synced(keys) => Change::Synced(keys),
        Change::Applied(object) => Change::Applied(typed(object)),
        Change::Deleted(object) => Change::Deleted(typed(object)),
        Change::Denied(denial) => Change::Denied(denial),
        Change::Undone => Change::Undone,
    }
}
