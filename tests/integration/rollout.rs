//! A change that many workloads project: one gets it first, and nobody after one that fails.

use anyhow::ensure;
use serde_json::{Value, json};
use testkit::{
    Operator, Policy, Result, Source, Workload, config_map, deployment, eventually, object, policy,
    until,
};

use crate::env::{Env, Told as _};
use crate::policies;

/// Workloads that project one ConfigMap, and the operator.
struct Scene {
    env: Env,
    app: Source,
    web: Vec<Workload>,
    operator: Operator,
}

impl Scene {
    async fn of(names: &[&str], policies: &[Policy]) -> Result<Self> {
        let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
        env.create(&app).await?;
        for policy in policies {
            env.create(policy).await?;
        }
        let web = names.iter().map(|name| {
            let web = deployment(name).replicas(2).uses(app.env("A", "a"));
            web.label("app", name)
        });
        let web: Vec<Workload> = web.collect();
        for one in &web {
            env.create(one).await?;
        }
        for one in &web {
            env.rolled_out(one).await?;
        }
        let operator = env.operator(&[]).await?;
        operator.all_in_sync(web.len()).await?;
        Ok(Self {
            env,
            app,
            web,
            operator,
        })
    }

    /// Waits until a Deployment's Projection gives this reason.
    async fn says(&self, of: usize, reason: &str) -> Result {
        let what = format!("{reason} of {of}");
        until(what, Some(reason.to_owned()), async || {
            let projection = self.env.projection(&self.web[of]).await?;
            let status = projection.and_then(|one| one.status);
            Ok(status
                .and_then(|status| status.decision)
                .map(|it| it.reason))
        })
        .await
    }

    fn counts(&self) -> Result<Vec<usize>> {
        self.web
            .iter()
            .map(|one| self.env.roll_count(one))
            .collect()
    }

    /// The newest Pod of a Deployment crashes from now on.
    async fn crashes(&self, of: usize) -> Result {
        let revision = self.env.revision(&self.web[of]).await?;
        eventually("a new Pod", async || {
            let pods = self.env.pods(&self.web[of]).await?;
            let new = pods.into_iter().find(|pod| {
                let all = pod.metadata.annotations.as_ref();
                all.and_then(|all| all.get("projsync.dev/revision")) == revision.as_ref()
            });
            let Some(name) = new.and_then(|pod| pod.metadata.name) else {
                return Ok(None);
            };
            let pod = object("v1", "Pod", &name);
            self.env.merge_status(&pod, crashed()).await?;
            Ok(Some(()))
        })
        .await
    }
}

/// The status of a Pod whose container ended twice, and waits to be started again.
fn crashed() -> Value {
    let now = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
    json!({"status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": now}],
        "containerStatuses": [{"name": "main", "image": "app:1", "imageID": "", "ready": false,
            "restartCount": 2, "started": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "startedAt": now, "finishedAt": now}}}]}})
}

#[tokio::test]
async fn one_gets_a_change_first_and_the_others_when_it_is_proven() -> Result {
    let soaks = policy("soaks")
        .fast()
        .with("rollout", json!({"soak": "8s"}));
    let scene = Scene::of(&["a", "b", "c"], &[soaks]).await?;
    scene.env.set(&scene.app, "a", "2").await?;
    scene.env.rolls(&scene.web[0], 1).await?;
    scene.says(1, "EarlierWave").await?;
    scene.says(2, "EarlierWave").await?;
    ensure!(scene.counts()? == [1, 0, 0], "{:?}", scene.counts()?);
    scene.operator.all_in_sync(scene.web.len()).await?;
    scene
        .env
        .assert_only(&[(&scene.web[0], 1), (&scene.web[1], 1), (&scene.web[2], 1)])
        .await?;
    let rolled = async |of: usize| -> Result<Option<jiff::Timestamp>> {
        let projection = scene.env.projection(&scene.web[of]).await?;
        let status = projection.and_then(|one| one.status);
        Ok(status.and_then(|status| status.rolls.first().map(|roll| roll.time.0)))
    };
    let (first, second) = (rolled(0).await?, rolled(1).await?);
    let (first, second) = (
        first.expect("it was rolled"),
        second.expect("it was rolled"),
    );
    let between = second.duration_since(first).as_secs();
    ensure!(between >= 8, "{between} seconds after the first one");
    Ok(())
}

#[tokio::test]
async fn nobody_gets_what_fails_and_its_fix_goes_to_the_failed_one_first() -> Result {
    let soaks = policy("soaks")
        .fast()
        .with("rollout", json!({"soak": "10s"}));
    let mut scene = Scene::of(&["a", "b", "c"], &[soaks]).await?;
    scene.env.set(&scene.app, "a", "bad").await?;
    scene.env.rolls(&scene.web[0], 1).await?;
    scene.crashes(0).await?;
    scene.says(1, "Halted").await?;
    scene.says(2, "Halted").await?;
    // Another operator knows it too.
    scene.operator.kill()?;
    let operator = scene.env.operator(&[]).await?;
    operator.decided(&scene.web[1], "Halted").await?;
    ensure!(scene.counts()? == [1, 0, 0], "{:?}", scene.counts()?);

    scene.env.set(&scene.app, "a", "good").await?;
    scene.env.rolls(&scene.web[0], 2).await?;
    scene.env.rolls(&scene.web[1], 1).await?;
    scene.env.rolls(&scene.web[2], 1).await?;
    operator.all_in_sync(scene.web.len()).await?;
    ensure!(scene.counts()? == [2, 1, 1], "{:?}", scene.counts()?);
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_set_back_rolls_only_whoever_got_it() -> Result {
    let soaks = policy("soaks")
        .fast()
        .with("rollout", json!({"soak": "1h"}));
    let scene = Scene::of(&["a", "b"], &[soaks]).await?;
    scene.env.set(&scene.app, "a", "bad").await?;
    scene.env.rolls(&scene.web[0], 1).await?;
    scene.says(1, "EarlierWave").await?;
    scene.env.set(&scene.app, "a", "1").await?;
    scene.env.rolls(&scene.web[0], 2).await?;
    scene.operator.all_in_sync(scene.web.len()).await?;
    scene.env.assert_only(&[(&scene.web[0], 2)]).await
}

#[tokio::test]
async fn waves_go_by_labels_and_no_waves_all_at_once() -> Result {
    let canary = json!({"soak": "0s", "waves": [
        {"name": "canary", "selector": {"matchLabels": {"app": "z"}}}, {"name": "rest"}]});
    let waves = policy("waves").fast().with("rollout", canary);
    let scene = Scene::of(&["a", "b", "z"], std::slice::from_ref(&waves)).await?;
    scene.env.set(&scene.app, "a", "2").await?;
    scene.env.rolls(&scene.web[2], 1).await?;
    ensure!(scene.counts()? == [0, 0, 1], "{:?}", scene.counts()?);
    scene.operator.all_in_sync(scene.web.len()).await?;

    let none = json!({"rollout": {"soak": "1h", "waves": []}});
    policies::change(&scene.env, &scene.operator, &waves, none).await?;
    scene.env.set(&scene.app, "a", "3").await?;
    for one in &scene.web {
        scene.env.rolls(one, 2).await?;
    }
    scene.operator.all_in_sync(scene.web.len()).await
}
