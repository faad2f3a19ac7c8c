//! The operator's log, after all that the other tests asked of it.

use anyhow::{Context as _, ensure};
use e2e::{Operator, Result, eventually};
use serde_json::Value;

#[tokio::test]
async fn the_log_has_no_error() -> Result {
    let operator = Operator::installed().await?;
    operator.ready(2).await?;
    eventually("all work is done", async || {
        let metrics = operator.metrics(&operator.leader().await?).await?;
        let idle = |line: &&str| line.starts_with("projsync_queue_depth{");
        let depths: Vec<&str> = metrics.lines().filter(idle).collect();
        ensure!(
            depths.iter().all(|line| line.ends_with(" 0.0")),
            "{depths:?}"
        );
        Ok((!depths.is_empty()).then_some(()))
    })
    .await?;
    for pod in operator.pods().await? {
        let name = pod["metadata"]["name"].as_str().context("a name")?;
        let log = operator.log(name).await?;
        ensure!(!log.is_empty(), "{name} has logged nothing");
        for line in log.lines() {
            let entry: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            ensure!(entry["level"] != "ERROR", "{name}: {line}");
        }
    }
    Ok(())
}
