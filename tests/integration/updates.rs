//! How a workload's controller replaces Pods: paused, told, in part, or stuck.

use projsync::api::projection::{PodState, State};
use serde_json::{Value, json};
use testkit::{
    Edit, Operator, Result, Source, Workload, config_map, deployment, eventually, object, policy,
    stateful_set,
};

use crate::env::{Env, Told as _};

/// A workload that projects `app` as environment, rolled out and in sync.
struct Scene {
    env: Env,
    app: Source,
    web: Workload,
    operator: Operator,
}

impl Scene {
    async fn new(web: Workload) -> Result<Self> {
        let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
        let web = web.uses(app.env("A", "a"));
        env.create_all(&[&policy("fast").fast(), &app, &web])
            .await?;
        env.rolled_out(&web).await?;
        Self::watched(env, app, web).await
    }

    /// The same, with Pods that this test runs itself: kwok leaves them alone.
    async fn by_hand(web: Workload, pods: usize) -> Result<Self> {
        let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
        let web = web.ready_after("24h").uses(app.env("A", "a"));
        env.create_all(&[&policy("fast").fast(), &app, &web])
            .await?;
        let mut seen = Vec::new();
        for _ in 0..pods {
            let (name, uid) = new_pod(&env, &web, &seen).await?;
            seen.push(uid);
            set_status(&env, &name, running("2020-01-01T00:00:00Z")).await?;
        }
        env.rolled_out(&web).await?;
        Self::watched(env, app, web).await
    }

    async fn watched(env: Env, app: Source, web: Workload) -> Result<Self> {
        let operator = env.operator(&[]).await?;
        operator.decided(&web, "InSync").await?;
        Ok(Self {
            env,
            app,
            web,
            operator,
        })
    }

    /// Sets the projected key.
    async fn set(&self, value: &str) -> Result<Edit> {
        let edit = self.env.set(&self.app, "a", value).await?;
        self.operator.acted(&[&edit]).await?;
        Ok(edit)
    }

    async fn spec(&self, spec: Value) -> Result {
        let edit = self.env.merge(&self.web, json!({"spec": spec})).await?;
        self.operator.acted(&[&edit]).await
    }

    /// Waits until it is held for this reason, with these Pods left over, and
    /// Projection and Event say so.
    async fn held(&self, reason: &str, left: &[&str]) -> Result {
        let (env, web) = (&self.env, &self.web);
        self.operator.decided(web, reason).await?;
        env.reported(web, (Some(State::Held), Some(reason.to_owned())), |s| {
            (
                s.summary.state,
                s.decision.as_ref().map(|d| d.reason.clone()),
            )
        })
        .await?;
        let left = left.iter().map(|&name| (name.to_owned(), PodState::Stale));
        env.reported(web, left.collect::<Vec<_>>(), |s| {
            let left = s.pods.not_fresh.iter();
            left.map(|pod| (pod.name.clone(), pod.state)).collect()
        })
        .await?;
        eventually(format!("an Event with reason {reason}"), async || {
            let events = env.events(web).await?;
            anyhow::ensure!(events.iter().any(|(r, _)| r == reason), "{events:?}");
            Ok(Some(()))
        })
        .await
    }

    /// Waits until the decision names this.
    async fn names(&self, what: &str) -> Result {
        eventually(format!("the decision names {what}"), async || {
            let workloads = self.operator.index().await?.workloads;
            let message = workloads[&self.env.key(&self.web)].message.clone();
            let message = message.unwrap_or_default();
            anyhow::ensure!(message.contains(what), "{message}");
            Ok(Some(()))
        })
        .await
    }

    /// All is in sync, after so many rolls.
    async fn ends(&self, rolls: usize, newer_than: &Edit) -> Result {
        self.env.rolled_out(&self.web).await?;
        self.operator.decided(&self.web, "InSync").await?;
        self.operator.acted(&[]).await?;
        self.env.assert_started_after(&self.web, newer_than).await?;
        self.rolled(rolls).await
    }

    /// Rolled so often, and nothing else.
    async fn rolled(&self, rolls: usize) -> Result {
        self.env.assert_only(&[(&self.web, rolls)]).await
    }

    async fn pod_names(&self) -> Result<Vec<String>> {
        let pods = self.env.pods(&self.web).await?;
        let mut names: Vec<String> = pods.into_iter().filter_map(|p| p.metadata.name).collect();
        names.sort();
        Ok(names)
    }
}

/// Waits for a scheduled Pod that is not among these; its name and uid.
async fn new_pod(env: &Env, web: &Workload, seen: &[String]) -> Result<(String, String)> {
    eventually("another Pod", async || {
        let pods = env.pods(web).await?.into_iter();
        let mut scheduled = pods.filter(|pod| {
            let spec = pod.spec.as_ref();
            spec.is_some_and(|spec| spec.node_name.is_some())
        });
        Ok(scheduled.find_map(|pod| {
            let (name, uid) = (pod.metadata.name?, pod.metadata.uid?);
            (!seen.contains(&uid)).then_some((name, uid))
        }))
    })
    .await
}

async fn uids(env: &Env, web: &Workload) -> Result<Vec<String>> {
    let pods = env.pods(web).await?.into_iter();
    Ok(pods.filter_map(|pod| pod.metadata.uid).collect())
}

async fn set_status(env: &Env, pod: &str, status: Value) -> Result<Edit> {
    let pod = object("v1", "Pod", pod);
    env.merge_status(&pod, json!({"status": status})).await
}

/// The status of a Pod whose container runs and is ready.
fn running(since: &str) -> Value {
    status(
        "Running",
        true,
        json!({"running": {"startedAt": since}}),
        json!({}),
    )
}

/// The status of a Pod whose container has started, and fails again and again.
fn crashing() -> Value {
    let terminated = json!({"exitCode": 1, "startedAt": "2020-01-01T00:00:00Z",
        "finishedAt": "2020-01-01T00:00:00Z"});
    status(
        "Running",
        false,
        json!({"waiting": {"reason": "CrashLoopBackOff"}}),
        json!({"terminated": terminated}),
    )
}

fn status(phase: &str, ready: bool, state: Value, last: Value) -> Value {
    json!({
        "phase": phase,
        "conditions": [{"type": "Ready", "status": if ready {"True"} else {"False"},
            "lastTransitionTime": "2020-01-01T00:00:00Z"}],
        "containerStatuses": [{"name": "main", "image": "app:1", "imageID": "", "ready": ready,
            "restartCount": 0, "started": ready, "state": state, "lastState": last}],
    })
}

#[tokio::test]
async fn a_paused_deployment_is_rolled_once_when_resumed() -> Result {
    let scene = Scene::new(deployment("web").replicas(2)).await?;
    scene.spec(json!({"paused": true})).await?;
    let mut last = scene.set("2").await?;
    for value in ["3", "4"] {
        last = scene.set(value).await?;
    }
    let names = scene.pod_names().await?;
    let left: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.held("Paused", &left).await?;
    scene.rolled(0).await?;
    scene.spec(json!({"paused": false})).await?;
    scene.ends(1, &last).await?;

    // What is set back meanwhile is no change.
    scene.spec(json!({"paused": true})).await?;
    scene.set("5").await?;
    scene.operator.decided(&scene.web, "Paused").await?;
    scene.set("4").await?;
    scene.operator.decided(&scene.web, "InSync").await?;
    scene.spec(json!({"paused": false})).await?;
    scene.ends(1, &last).await
}

fn partition(partition: u32) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}})
}

#[tokio::test]
async fn the_pods_that_a_partition_keeps_are_reported() -> Result {
    let web = stateful_set("web").replicas(3);
    let scene = Scene::new(web.with("updateStrategy", partition(2))).await?;
    scene.set("2").await?;
    scene.held("HeldByPartition", &["web-0", "web-1"]).await?;
    scene.rolled(1).await?;
    // Only a roll replaces the Pod above the partition.
    let last = scene.set("3").await?;
    scene.held("HeldByPartition", &["web-0", "web-1"]).await?;
    scene.rolled(2).await?;
    scene.spec(json!({"updateStrategy": partition(1)})).await?;
    scene.held("HeldByPartition", &["web-0"]).await?;
    scene.spec(json!({"updateStrategy": partition(0)})).await?;
    scene.ends(2, &last).await
}

#[tokio::test]
async fn the_fix_of_a_deployment_that_fails_does_not_wait_for_it() -> Result {
    let web = deployment("web").with("progressDeadlineSeconds", json!(2));
    let scene = Scene::by_hand(web, 1).await?;
    let (env, web) = (&scene.env, &scene.web);
    let old = scene.pod_names().await?;
    let mut seen = uids(env, web).await?;
    scene.set("bad").await?;
    let (bad, uid) = new_pod(env, web, &seen).await?;
    seen.push(uid);
    // It has started and does not get ready: only the controller tells.
    let mut unready = running("2020-01-01T00:00:00Z");
    unready["conditions"][0]["status"] = json!("False");
    set_status(env, &bad, unready).await?;
    scene.held("Blocked", &[&old[0]]).await?;
    scene.names("progress").await?;
    set_status(env, &bad, crashing()).await?;
    scene.names(&bad).await?;
    scene.rolled(1).await?;

    let fix = scene.set("good").await?;
    scene.rolled(2).await?;
    let (good, _) = new_pod(env, web, &seen).await?;
    set_status(env, &good, running("2020-01-01T00:00:00Z")).await?;
    scene.ends(2, &fix).await
}
