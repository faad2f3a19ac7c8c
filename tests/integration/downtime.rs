//! What happens while no operator runs, or none that looks, is found at its start;
//! a start by itself rolls nothing.

use testkit::{Operator, Result, Workload, config_map, deployment, eventually, policy};

use crate::env::Env;
use crate::pods::{counts, next_second};
use crate::proxy::{Act, Proxy};

mod changes;
mod memory;
mod restarts;

/// Waits until all that was changed is found and done; then each workload was rolled
/// so often and no more.
async fn assert_found(env: &Env, operator: &Operator, rolls: &[(&Workload, usize)]) -> Result {
    for (workload, count) in rolls {
        env.rolls(workload, *count).await?;
        env.rolled_out(workload).await?;
    }
    operator.caught_up(&[]).await?;
    operator.all_in_sync(rolls.len()).await?;
    env.assert_only(rolls).await
}

/// Between the list of a source and its watch, at the first start and at a later one.
#[tokio::test]
async fn a_change_between_list_and_watch_is_found() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    let watches = |path: &str| path.contains("/configmaps") && path.contains("watch=");
    let mut operator = env.behind(&proxy, &[]).await?;
    for count in 1..=3 {
        next_second().await?;
        proxy.rule(move |head| match watches(&head.uri.to_string()) {
            true => Act::Hold,
            false => Act::Pass,
        });
        let before = proxy.passed().len();
        operator.start().await?;
        operator.decided(&web, "InSync").await?;
        eventually("the watch, held back", async || {
            let mut since = proxy.passed().into_iter().skip(before);
            Ok(since.any(|passed| watches(&passed.path)).then_some(()))
        })
        .await?;
        let edit = env.set(&app, "a", &count.to_string()).await?;
        operator.seen(&[]).await?;
        counts(&env, &operator, &web, (2, 0, 0)).await?;
        proxy.rule(|_| Act::Pass);
        operator.seen(&[&edit]).await?;
        assert_found(&env, &operator, &[(&web, count)]).await?;
        env.assert_started_after(&web, &edit).await?;
        operator.stop().await?;
    }
    Ok(())
}
