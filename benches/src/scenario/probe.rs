//! Somebody else's reads meanwhile: whether the API server still has time for others.

use std::time::{Duration, Instant};

use anyhow::Result;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::millis;
use crate::manifests::{BARE, NAMESPACE};

/// Between an answer and the next read.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads again and again.
pub(super) struct Probe {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<f64>>>,
}

impl Probe {
    pub(super) fn start(client: Client) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let api: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
            let mut took = Vec::new();
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                let begun = Instant::now();
                api.get(BARE).await?;
                took.push(millis(begun.elapsed()));
                sleep(PAUSE).await;
            }
            Ok(took)
        });
        Self { stop, task }
    }

    /// How many milliseconds each read took.
    pub(super) async fn finish(self) -> Result<Vec<f64>> {
        drop(self.stop);
        self.task.await?
    }
}
