//! The API server's clock jumps, or there are several that don't agree. (The operator's
//! own decides nothing: it goes into the Lease and into Events, for people to read.)

use testkit::Result;

use super::Lane;
use crate::env::Env;
use crate::proxy::{Act, Proxy};

const HOUR: i64 = 3600;

/// Each edit is rolled once, whatever the date of the answers is by then, and one that
/// nobody watched is found by an operator that remembers a time yet to come.
#[tokio::test]
async fn dates_that_jump_neither_miss_a_change_nor_roll_for_nothing() -> Result {
    let env = Env::new().await?;
    let lane = Lane::create(&env, &["web"]).await?.remove(0);
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(1).await?;
    let mut rolls = 0;
    for jump in [HOUR, -HOUR, 0, 24 * HOUR, 0] {
        proxy.rule(move |_| Act::Dated(jump));
        rolls += 1;
        let edit = env.set(&lane.source, "a", &rolls.to_string()).await?;
        env.rolls(&lane.workload, rolls).await?;
        env.rolled_out(&lane.workload).await?;
        operator.caught_up(&[&edit]).await?;
        operator.all_in_sync(1).await?;
        // By itself a start, with another date, rolls nothing.
        proxy.rule(move |_| Act::Dated(-jump));
        operator.restart().await?;
        operator.all_in_sync(1).await?;
        operator.caught_up(&[]).await?;
        env.assert_only(&[(&lane.workload, rolls)]).await?;

        operator.stop().await?;
        rolls += 1;
        let edit = env.set(&lane.source, "a", &rolls.to_string()).await?;
        operator.start().await?;
        env.rolls(&lane.workload, rolls).await?;
        env.rolled_out(&lane.workload).await?;
        operator.caught_up(&[&edit]).await?;
        operator.all_in_sync(1).await?;
        env.assert_started_after(&lane.workload, &edit).await?;
        env.assert_only(&[(&lane.workload, rolls)]).await?;
    }
    Ok(())
}
