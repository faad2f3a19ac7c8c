//! Digests that can't be compared any more: their key is lost, or their format is
//! unknown. What is as it was stays known; of the rest nothing can be told, which is
//! said, and for which nothing rolls.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::{
    Object as _, Operator, Result, Source, Workload, config_map, deployment, eventually, object,
    policy, secret, stateful_set,
};

use crate::env::{Env, projection_of};
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

#[tokio::test]
async fn a_key_lost_meanwhile_is_not_missed_before_the_next_start() -> Result {
    let mut scene = Scene::new().await?;
    scene.operator.start().await?;
    scene.settled([0, 1, 1], [0, 0, 0]).await?;
    scene.env.home.delete(&object("v1", "Secret", KEY)).await?;
    scene.env.set(&scene.db, "a", "3").await?;
    scene.settled([0, 2, 2], [0, 0, 0]).await?;
    // Nothing else has changed, so everything stays known.
    scene.operator.restart().await?;
    scene.settled([0, 2, 2], [0, 0, 0]).await?;
    scene.env.set(&scene.db, "a", "4").await?;
    scene.settled([0, 3, 3], [0, 0, 0]).await
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_until_it_is_deleted() -> Result {
    let mut scene = Scene::new().await?;
    let key = object("v1", "Secret", KEY);
    scene.env.home.delete(&key).await?;
    let mut broken = key.clone();
    broken["data"] = json!({"key": "dG9vIHNob3J0"});
    scene.env.home.create(&broken).await?;
    scene.operator.spawn()?;
    eventually("the operator says why it ends", async || {
        Ok(scene
            .operator
            .log()?
            .contains("has no key of 32 bytes")
            .then_some(()))
    })
    .await?;
    ensure!(
        scene.operator.ready().await.is_err(),
        "it runs with a broken key"
    );
    scene.operator.kill()?;
    scene.env.home.delete(&key).await?;
    scene.operator.start().await?;
    scene.settled([0, 1, 1], [0, 0, 0]).await
}

#[tokio::test]
async fn a_digest_of_an_unknown_format_rolls_nothing() -> Result {
    let mut scene = Scene::new().await?;
    for workload in [&scene.changed, &scene.same, &scene.both] {
        let projection = projection_of(workload)?;
        let stored = scene.env.get(&projection).await?;
        let mut status = stored["status"].clone();
        let references = status["references"].as_array_mut().context("none")?;
        for entry in references
            .iter_mut()
            .filter_map(|reference| reference["timeline"].as_array_mut())
            .flatten()
        {
            let digest = entry["digest"].as_str().context("no digest")?;
            entry["digest"] = format!("v9.{}", digest.trim_start_matches("v1.")).into();
        }
        let digests = status.pointer_mut("/lastInSync/digests");
        for digest in digests
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(|digests| digests.values_mut())
        {
            *digest = Value::from("v9.of.another.time");
        }
        scene
            .env
            .merge(&projection, json!({"status": status}))
            .await?;
    }
    next_second().await?;
    scene.env.set(&scene.app, "a", "2").await?;
    scene.assert_lost().await
}
