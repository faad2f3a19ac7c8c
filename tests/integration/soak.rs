//! Random operations on a real control plane, for as long as one likes, against the
//! reference model: `make soak MINUTES=5`, and `SEED=...` for the same operations again.

mod hostile;
#[allow(dead_code, reason = "the simulation tells more")]
#[path = "../model/mod.rs"]
mod model;
mod observer;
mod script;
mod shapes;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use testkit::{Result, eventually};
use tokio::time::{Instant, sleep};

use self::observer::Observer;
use self::script::{Random, Script};
use crate::env::Env;

/// Operations between two rests.
const ROUND: usize = 25;

/// For how many minutes.
fn minutes() -> Result<u64> {
    let minutes = std::env::var("MINUTES").unwrap_or_else(|_| "1".to_owned());
    minutes.parse().context("MINUTES")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make soak"]
async fn every_promise_is_kept() -> Result {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED")?,
        Err(_) => jiff::Timestamp::now().as_nanosecond() as u64,
    };
    println!("SEED={seed} makes the same operations again.");
    let end = Instant::now() + Duration::from_secs(60 * minutes()?);
    let env = Env::own().await?;
    let observer = Observer::begin(&env).await?;
    let mut script = Script::begin(&env, &observer, Random::new(seed)).await?;
    while Instant::now() < end {
        for _ in 0..ROUND {
            let pause = script.random.below(1500);
            sleep(Duration::from_millis(pause)).await;
            script.step().await?;
        }
        script.at_work().await?;
        let outcome = eventually("all is at rest, and every promise is kept", async || {
            observer.judge(&env).await.map(Some)
        });
        let rolls = match outcome.await {
            Ok(rolls) => rolls,
            Err(error) => {
                let trace = observer.trace().join("\n");
                return Err(anyhow!("{trace}\n{error:#}\nSEED={seed}"));
            }
        };
        println!(
            "{} operations, {rolls} rolls: all as it should be",
            script.count
        );
    }
    env.assert_nothing_else()
}
