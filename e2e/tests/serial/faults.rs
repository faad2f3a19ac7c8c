//! What may end in the middle of ten rolls: in the end all content is what it should be, and no
//! workload was rolled more often than its content changed.

use anyhow::Context as _;
use e2e::{Node, Operator, Result, eventually, object};
use serde_json::Value;

use crate::users::Users;

const WORKLOADS: usize = 10;

/// Changes the content of all, does something in the middle of their rolls, and waits for the end.
async fn survived(users: &mut Users, what: &str, fault: impl AsyncFnOnce() -> Result) -> Result {
    users.change().await?;
    eventually("the first is rolled", async || {
        for (_, workload) in &users.deployments {
            let revision = &workload.object().await?["metadata"]["generation"];
            if revision.as_u64() > Some(users.changes() as u64) {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
    .await?;
    fault().await.context(what.to_owned())?;
    users.assert_rolled().await.context(what.to_owned())
}

async fn leader(operator: &Operator) -> Result<Value> {
    let name = operator.leader().await?;
    operator.space.get(&object("v1", "Pod", &name)).await
}

#[tokio::test]
async fn ten_rolls_end_well_whatever_ends_in_the_middle() -> Result {
    let operator = Operator::installed().await?;
    operator.deploy(&Operator::image()?).await?;
    let mut users = Users::create("faults", WORKLOADS).await?;
    users.managed().await?;

    survived(&mut users, "the leading Pod is deleted", async || {
        let leader = object("v1", "Pod", &operator.leader().await?);
        operator.space.delete(&leader).await.map(drop)
    })
    .await?;
    operator.ready(2).await?;

    if let Some(node) = Node::of_kind() {
        survived(&mut users, "the leader is killed", async || {
            node.kill(&leader(&operator).await?).await
        })
        .await?;
        operator.ready(2).await?;
        survived(&mut users, "the kubelet is restarted", async || {
            node.run(&["systemctl", "restart", "kubelet"])
                .await
                .map(drop)
        })
        .await?;
        survived(&mut users, "the API server is killed", async || {
            let mut system = operator.space.clone();
            system.namespace = "kube-system".to_owned();
            let pods = system
                .labelled(&object("v1", "Pod", ""), "component=kube-apiserver")
                .await?;
            node.kill(pods.first().context("an API server")?).await
        })
        .await?;
        operator.ready(2).await?;
    }
    users.namespace.done().await
}
