//! The control plane with everything in it, and what it costs itself.

use std::io::{Read as _, Write as _};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, Result};
use controlplane::Component;
use testkit::{ACCOUNT, DEFINITIONS, HOME, Process, RIGHTS, Space, object};

use crate::fleet::Fleet;
use crate::manifests::NAMESPACE;
use crate::progress::Progress;
use crate::scale::Scale;
use crate::seed;

/// The control plane with everything in it.
pub(crate) struct Cluster {
    cluster: testkit::Cluster,
    /// Where everything is.
    pub(crate) space: Space,
    pub(crate) scale: Scale,
    pub(crate) fleet: Fleet,
    pub(crate) api_server: Process,
}

impl Deref for Cluster {
    type Target = testkit::Cluster;

    fn deref(&self) -> &testkit::Cluster {
        &self.cluster
    }
}

/// What the control plane holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Resident memory of the API server, in bytes.
    pub(crate) api_server: u64,
    /// What is in use of etcd's database, in bytes; old revisions count until they are
    /// compacted.
    pub(crate) etcd: u64,
}

impl Cluster {
    /// Starts and fills it.
    pub(crate) async fn start(progress: &Progress, scale: Scale) -> Result<Self> {
        let step = progress.step("starting a control plane", 0);
        let cluster = testkit::Cluster::start().await?;
        drop(step);
        let step = progress.step("installing definitions and rights", 0);
        for arguments in DEFINITIONS.into_iter().chain(RIGHTS) {
            cluster.kubectl().run(arguments).await?;
        }
        let space = cluster.space(NAMESPACE).await?;
        space.create(&object("v1", "Namespace", NAMESPACE)).await?;
        drop(step);
        let fleet = seed::fill(&space, scale, progress).await?;
        let supervisor = cluster.plane().supervisor_pid();
        Ok(Self {
            api_server: Process::child(supervisor, Component::KubeApiserver.name())?,
            cluster,
            space,
            scale,
            fleet,
        })
    }

    /// The user of the operator, as the audit log has it.
    pub(crate) fn user() -> String {
        format!("system:serviceaccount:{HOME}:{ACCOUNT}")
    }

    /// What the API server and etcd hold now.
    pub(crate) fn footprint(&self) -> Result<Footprint> {
        let metric = "etcd_mvcc_db_total_size_in_use_in_bytes ";
        let metrics = etcd_metrics(self.plane().data())?;
        let value = metrics.lines().find_map(|line| line.strip_prefix(metric));
        let bytes: f64 = value.context("etcd tells no size")?.trim().parse()?;
        Ok(Footprint {
            api_server: self.api_server.resident()?,
            etcd: bytes as u64,
        })
    }
}

/// etcd listens on a socket, where no client library of ours goes.
fn etcd_metrics(data: &Path) -> Result<String> {
    let mut stream = UnixStream::connect(data.join("etcd.sock:0")).context("etcd's socket")?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: etcd\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
