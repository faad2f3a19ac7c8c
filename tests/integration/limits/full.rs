//! Labels and annotations that hold as much as the API server takes.

use anyhow::ensure;
use serde_json::{Value, json};
use testkit::{Object as _, Result, Workload, config_map, deployment, policy, until};

use crate::env::{Env, Told as _};

/// The most bytes of all annotations of one object, names and values.
const ANNOTATIONS: usize = 256 << 10;

/// Where no byte is left for the revision, the API server refuses the roll: that is
/// said of the workload, and of no other.
#[tokio::test]
async fn a_template_without_room_for_the_revision() -> Result {
    const NAME: &str = "example.com/all";
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let most = "x".repeat(ANNOTATIONS - NAME.len());
    let web = |name: &str| deployment(name).uses(app.volume());
    let full = web("full").pod_annotation(NAME, &most);
    let others = [web("one"), web("two")];
    env.create_all(&[&policy("fast").fast(), &app, &full])
        .await?;
    for other in &others {
        env.create(other).await?;
    }
    for workload in others.iter().chain([&full]) {
        env.rolled_out(workload).await?;
    }
    let mut operator = env.operator(&["--concurrency=1"]).await?;
    operator.all_in_sync(3).await?;

    for (round, value) in ["2", "3"].into_iter().enumerate() {
        let edit = env.set(&app, "a", value).await?;
        for other in &others {
            env.rolls(other, round + 1).await?;
            env.rolled_out(other).await?;
            env.assert_started_after(other, &edit).await?;
        }
    }
    said(
        &env,
        &full,
        "RollFailed",
        "Too long: may not be more than 262144 bytes",
    )
    .await?;
    env.reported(&full, Some("RollFailed".to_owned()), |status| {
        Some(status.decision.as_ref()?.reason.clone())
    })
    .await?;
    let refused = env.requests()?.into_iter().filter(|one| one.code == 422);
    let refused: Vec<_> = refused.collect();
    ensure!(
        refused.iter().all(|one| one.name == full.name()),
        "{refused:?}"
    );
    ensure!(refused.len() < 40, "{} attempts", refused.len());

    // With room it catches up.
    let tried = env.roll_count(&full)?;
    let room = json!({"metadata": {"annotations": {NAME: "little"}}});
    env.merge(&full, json!({"spec": {"template": room}}))
        .await?;
    env.rolled_out(&full).await?;
    operator.all_in_sync(3).await?;
    // The new template's Pods have the new content already.
    ensure!(env.roll_count(&full)? == tried);
    operator.stop().await
}

/// What is large and no content counts for nothing, and what is no policy's name is
/// said not to be one, however long it is.
#[tokio::test]
async fn labels_and_annotations_as_large_as_may_be() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let mut web = deployment("web").uses(app.volume());
    for number in 0..200 {
        let prefix = format!("{}.example.com", "p".repeat(50));
        web = web.label(
            &format!("{prefix}/{}{number:03}", "n".repeat(60)),
            &"v".repeat(63),
        );
    }
    let lost = deployment("lost").uses(app.volume());
    // A ReplicaSet has it too, and some more.
    let misled = "\u{1b}[2J".repeat((ANNOTATIONS - 1024) / 4);
    let lost = lost.sync(&misled);
    env.create_all(&[&policy("fast").fast(), &app, &web, &lost])
        .await?;
    for workload in [&web, &lost] {
        env.rolled_out(workload).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;
    said(
        &env,
        &lost,
        "PolicyNotFound",
        "write \"true\", \"false\" or the name of a policy",
    )
    .await?;

    // Full of notes, and full of others.
    let mut edits = Vec::new();
    for letter in ["x", "y"] {
        let note: Value = letter.repeat(ANNOTATIONS - 64).into();
        let notes = json!({"metadata": {"annotations": {"note": note}}});
        edits.push(env.merge(&app, notes).await?);
    }
    operator
        .caught_up(&edits.iter().collect::<Vec<_>>())
        .await?;
    env.assert_only(&[]).await?;
    let edit = env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.acted(&[&edit]).await?;
    env.assert_only(&[(&web, 1)]).await?;
    operator.stop().await
}

/// An Event of the workload tells it.
async fn said(env: &Env, workload: &Workload, reason: &str, words: &str) -> Result {
    until(format!("{reason} is said"), true, async || {
        let events = env.events(workload).await?;
        Ok(events
            .iter()
            .any(|(told, note)| told == reason && note.contains(words)))
    })
    .await
}
