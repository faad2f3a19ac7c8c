//! What is shown, step by step.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use projsync::api::projection::{ProjectionStatus, State};
use serde_json::json;
use testkit::{eventually, policy};
use tokio::time::interval;

use crate::edit::Change;
use crate::shop::{self, NAMESPACE};
use crate::stage::Stage;

const CATALOG: &str = "deployment/catalog";
const CHECKOUT: &str = "deployment/checkout";
const LOG_AGENT: &str = "daemonset/log-agent";
const MAILER: &str = "deployment/mailer";
const NEWSLETTER: &str = "deployment/newsletter";
const ORDERS: &str = "statefulset/orders";
const REPORTS: &str = "deployment/reports";
const STOREFRONT: &str = "deployment/storefront";

/// How many edits a burst has, and the time from one to the next.
const BURST: (u32, Duration) = (20, Duration::from_millis(150));

/// All steps in order.
pub(crate) async fn all(stage: &mut Stage<'_>) -> Result<()> {
    first_sight(stage).await?;
    shared_key(stage).await?;
    nothing_projected(stage).await?;
    two_sources(stage).await?;
    burst(stage).await?;
    set_back(stage).await?;
    observe(stage).await?;
    hold(stage).await?;
    while_down(stage).await
}

async fn first_sight(stage: &mut Stage<'_>) -> Result<()> {
    let lines = ["The operator starts in a running shop. Nothing has changed, so nothing rolls."];
    let before = stage.begin("First sight", &lines).await?;
    stage.terminal.command("projsync run");
    stage.operator.start().await?;
    for name in [
        CATALOG, CHECKOUT, LOG_AGENT, MAILER, NEWSLETTER, ORDERS, REPORTS, STOREFRONT,
    ] {
        stage.projection(name, "be in sync", in_sync).await?;
    }
    stage.end(before, &[], &[], 0).await?;
    stage
        .projsync(&["tree", "-n", NAMESPACE, "configmap/shop"])
        .await
}

async fn shared_key(stage: &mut Stage<'_>) -> Result<()> {
    let lines =
        ["ConfigMap/shop: currency becomes USD. Exactly the workloads that project this key roll."];
    let before = stage.begin("A key that several share", &lines).await?;
    let edit = stage.editor().config("shop", "currency", "USD").await?;
    stage
        .end(before, &[edit], &[CHECKOUT, ORDERS, STOREFRONT], 1)
        .await
}

async fn nothing_projected(stage: &mut Stage<'_>) -> Result<()> {
    let lines = ["ConfigMap/shop: notes, a key that nobody projects, and a label."];
    let before = stage.begin("What nobody projects", &lines).await?;
    let edits = [
        stage
            .editor()
            .config("shop", "notes", "Still nobody.")
            .await?,
        stage.editor().label("shop", "reviewed", "yes").await?,
    ];
    stage.end(before, &edits, &[], 0).await
}

async fn two_sources(stage: &mut Stage<'_>) -> Result<()> {
    let lines =
        ["Secret/database: password, and ConfigMap/shop: features.json. One roll each, not two."];
    let before = stage
        .begin("A Secret and a ConfigMap together", &lines)
        .await?;
    let edits = [
        stage
            .editor()
            .secret("database", "password", "rotated")
            .await?,
        stage.editor().config("shop", "features.json", "{}").await?,
    ];
    stage
        .end(before, &edits, &[CATALOG, CHECKOUT, ORDERS], 1)
        .await
}

async fn burst(stage: &mut Stage<'_>) -> Result<()> {
    let (count, pause) = BURST;
    let lines = [&*format!(
        "ConfigMap/logging: log.conf, {count} edits in {:.0} s. At most two rolls; the last one wins.",
        (pause * count).as_secs_f64()
    )];
    let before = stage.begin("A burst", &lines).await?;
    let mut pace = interval(pause);
    let mut last = None;
    for number in 1..=count {
        pace.tick().await;
        let value = format!("level=debug{number}");
        last = Some(stage.editor().config("logging", "log.conf", &value).await?);
    }
    let edits = [last.context("no edits")?];
    stage.end(before, &edits, &[LOG_AGENT, STOREFRONT], 2).await
}

async fn set_back(stage: &mut Stage<'_>) -> Result<()> {
    let lines = [
        "ConfigMap/shop: currency becomes GBP, and USD again before the policy's settle (2s) is over.",
    ];
    let before = stage.begin("A mistake, put right at once", &lines).await?;
    let edits = [
        stage.editor().config("shop", "currency", "GBP").await?,
        stage.editor().config("shop", "currency", "USD").await?,
    ];
    stage.end(before, &edits, &[], 0).await
}

async fn observe(stage: &mut Stage<'_>) -> Result<()> {
    let lines = [
        "ConfigMap/mail: host and welcome.txt. Its policy has strategy Observe: old Pods are shown.",
    ];
    let before = stage.begin("Only observed", &lines).await?;
    let edits = [
        stage
            .editor()
            .config("mail", "host", "smtp2.example.com")
            .await?,
        stage
            .editor()
            .config("mail", "welcome.txt", "Hello!")
            .await?,
    ];
    let stale = |status: &ProjectionStatus| status.pods.stale == status.pods.total;
    let refreshing = |status: &ProjectionStatus| status.pods.refreshing == status.pods.total;
    for (name, state, wanted) in [
        (
            MAILER,
            "be Stale",
            &stale as &dyn Fn(&ProjectionStatus) -> bool,
        ),
        (NEWSLETTER, "be Refreshing", &refreshing),
    ] {
        let projection = stage.projection(name, state, wanted).await?;
        let pods = projection.status.unwrap_or_default().pods.not_fresh;
        let pod = pods.first().context("no Pod is named")?;
        stage.tell(&format!("{:?}", pod.state), name, &pod.reason);
    }
    stage.end(before, &edits, &[], 0).await?;

    let lines = ["SyncPolicy/mail: strategy becomes Rollout, which releases what waited."];
    let before = stage.begin("Observed no longer", &lines).await?;
    let patch = json!({"spec": {"strategy": "Rollout"}});
    stage.space.merge(&policy("mail"), patch).await?;
    rolled(stage, &[MAILER, NEWSLETTER]).await?;
    stage.end(before, &[], &[MAILER, NEWSLETTER], 1).await
}

async fn hold(stage: &mut Stage<'_>) -> Result<()> {
    let lines = [
        "ConfigMap/reports, which is required, is deleted. Then Secret/warehouse: token is rotated.",
        "A roll now would replace Pods that run by Pods that can't start.",
    ];
    let before = stage.begin("Something required is missing", &lines).await?;
    let time = jiff::Timestamp::now();
    let (old, deleted) = stage.editor().delete("reports").await?;
    let edits = [
        deleted.clone(),
        stage
            .editor()
            .secret("warehouse", "token", "rotated")
            .await?,
    ];
    stage
        .projection(REPORTS, "be held", |status| {
            status.summary.state == Some(State::Held)
        })
        .await?;
    let note = stage.note(REPORTS, time).await?;
    stage.tell("Hold", REPORTS, &note);
    stage.end(before, &edits, &[], 0).await?;

    let lines = ["ConfigMap/reports is created as it was. What remains is the new token."];
    let before = stage.begin("It is back", &lines).await?;
    let edit = stage.space.create(&old).await?;
    let keys = deleted.keys.clone();
    stage
        .end(before, &[Change { edit, keys }], &[REPORTS], 1)
        .await
}

async fn while_down(stage: &mut Stage<'_>) -> Result<()> {
    let lines = [
        "The operator is stopped. ConfigMap/payment loses its key RETRIES; nobody sees it.",
        "Then the operator is started again.",
    ];
    let before = stage.begin("While the operator is down", &lines).await?;
    stage.operator.stop().await?;
    let edits = [stage.editor().remove("payment", "RETRIES").await?];
    stage.operator.start().await?;
    stage.end(before, &edits, &[CHECKOUT], 1).await
}

/// Waits until these have been rolled since the step began: their Pods are old.
async fn rolled(stage: &Stage<'_>, names: &[&str]) -> Result<()> {
    eventually("a roll", async || {
        let all = shop::projections(&stage.space).await?;
        for name in names {
            let status = all.get(*name).and_then(|one| one.status.as_ref());
            if status.is_none_or(|status| status.rolls.is_empty()) {
                bail!("{name} was not rolled");
            }
        }
        Ok(Some(()))
    })
    .await
}

fn in_sync(status: &ProjectionStatus) -> bool {
    status.summary.state == Some(State::InSync) && status.pods.fresh == status.pods.total
}
