//! Digests that can't be compared any more: their key is lost, or their format is
//! unknown. What is as it was stays known; of the rest nothing can be told, which is
//! said, and for which nothing rolls.

use anyhow::ensure;
use testkit::{
    Object as _, Operator, Result, Source, Workload, config_map, deployment, eventually, object,
    policy, secret, stateful_set,
};

use crate::env::Env;
use crate::pods::{assert_unknown, counts, next_second};

const KEY: &str = "projsync-digest-key";

/// Workloads that project `app`, which changes during the loss, `db`, which doesn't,
/// or both.
struct Scene {
    env: Env,
    operator: Operator,
    app: Source,
    db: Source,
    changed: Workload,
    same: Workload,
    both: Workload,
}

impl Scene {
    /// In sync, with a roll in its history, and stopped.
    async fn new() -> Result<Self> {
        let env = Env::new().await?;
        env.create(&policy("fast").fast()).await?;
        let app = config_map("app").data("a", "1");
        let db = secret("db").data("a", "1");
        let changed = deployment("changed").replicas(2).uses(app.env("A", "a"));
        let same = stateful_set("same").uses(db.volume());
        let both = deployment("both").uses(app.volume()).uses(db.env("B", "a"));
        env.create_all(&[&app, &db, &changed, &same, &both]).await?;
        for workload in [&changed, &same, &both] {
            env.rolled_out(workload).await?;
        }
        let operator = env.operator(&[]).await?;
        let mut scene = Self {
            env,
            operator,
            app,
            db,
            changed,
            same,
            both,
        };
        scene.operator.all_in_sync(3).await?;
        scene.env.set(&scene.db, "a", "2").await?;
        scene.settled([0, 1, 1], [0, 0, 0]).await?;
        scene.operator.stop().await?;
        Ok(scene)
    }

    /// Waits until all is done; so often they were rolled, and of so many Pods it
    /// can't be told.
    async fn settled(&self, rolls: [usize; 3], unknown: [u64; 3]) -> Result {
        let Self { env, operator, .. } = self;
        let workloads = [&self.changed, &self.same, &self.both];
        let rolls: Vec<_> = workloads.into_iter().zip(rolls).collect();
        for (workload, count) in &rolls {
            env.rolls(workload, *count).await?;
            env.rolled_out(workload).await?;
        }
        operator.caught_up(&[]).await?;
        operator.all_in_sync(3).await?;
        for (workload, unknown) in workloads.into_iter().zip(unknown) {
            let pods = if workload.name() == "changed" { 2 } else { 1 };
            counts(env, operator, workload, (pods, 0, unknown)).await?;
        }
        env.assert_only(&rolls).await
    }

    /// What is there once the operator runs again, and what follows from it.
    async fn assert_lost(&mut self) -> Result {
        self.operator.start().await?;
        self.settled([0, 1, 1], [2, 0, 1]).await?;
        for (workload, count) in [(&self.changed, 2), (&self.both, 1)] {
            assert_unknown(&self.env, workload, count).await?;
            eventually("an Event", async || {
                let events = self.env.events(workload).await?;
                let lost = events.iter().filter(|(reason, _)| reason == "StateUnknown");
                ensure!(lost.count() == 1, "{events:?}");
                Ok(Some(()))
            })
            .await?;
        }
        let events = self.env.events(&self.same).await?;
        ensure!(events.iter().all(|(reason, _)| reason != "StateUnknown"));

        // Once restated it is as ever.
        self.operator.restart().await?;
        self.settled([0, 1, 1], [2, 0, 1]).await?;
        self.env.set(&self.db, "a", "3").await?;
        self.settled([0, 2, 2], [2, 0, 0]).await?;
        self.env.set(&self.app, "a", "3").await?;
        self.settled([1, 2, 3], [0, 0, 0]).await
    }
}

#[tokio::test]
async fn a_lost_key_rolls_nothing() -> Result {
    let mut scene = Scene::new().await?;
    let key = object("v1", "Secret", KEY);
    scene.env.home.delete(&key).await?;
    next_second().await?;
    scene.env.set(&scene.app, "a", "2").await?;
    scene.assert_lost().await?;
    ensure!(scene.env.home.exists(&key).await?);
    Ok(())
}
