//! What may end in the middle of ten rolls: in the end all content is what it should be, and no
//! workload was rolled more often than its content changed.

use anyhow::{Context as _, Result};
use e2e::{Cluster, Node, Operator, eventually, path};

use crate::users::Users;

const WORKLOADS: usize = 10;

/// Changes the content of all, does something in the middle of their rolls, and waits for the end.
fn survived(users: &mut Users, what: &str, fault: impl FnOnce() -> Result<()>) -> Result<()> {
    users.change()?;
    eventually("the first is rolled", || {
        for (_, workload) in &users.deployments {
            let revision = &workload.object()?["metadata"]["generation"];
            if revision.as_u64() > Some(users.changes() as u64) {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })?;
    fault().context(what.to_owned())?;
    users.assert_rolled().context(what.to_owned())
}

fn leader() -> Result<serde_json::Value> {
    let operator = Operator::INSTALLED;
    let pod = path(operator.namespace(), "Pod", &operator.leader()?);
    Cluster::get()?.read(&pod)
}

#[test]
fn ten_rolls_end_well_whatever_ends_in_the_middle() -> Result<()> {
    let operator = Operator::INSTALLED;
    operator.deploy(&Operator::image()?)?;
    let mut users = Users::create("faults", WORKLOADS)?;
    users.managed()?;

    survived(&mut users, "the leading Pod is deleted", || {
        let name = operator.leader()?;
        Cluster::get()?.delete(&path(operator.namespace(), "Pod", &name))
    })?;
    operator.ready(2)?;

    if let Some(node) = Node::of_kind() {
        survived(&mut users, "the leader is killed", || node.kill(&leader()?))?;
        operator.ready(2)?;
        survived(&mut users, "the kubelet is restarted", || {
            node.run(&["systemctl", "restart", "kubelet"]).map(drop)
        })?;
        survived(&mut users, "the API server is killed", || {
            let pods = Cluster::get()?.list("kube-system", "Pod", "component=kube-apiserver")?;
            node.kill(pods.first().context("an API server")?)
        })?;
        operator.ready(2)?;
    }
    users.namespace.done()
}
