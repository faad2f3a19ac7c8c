//! A workload that the API server lets nobody roll.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use testkit::{Object, Result, config_map, deployment, policy, until};
use tokio::time::Instant;

use crate::env::{Env, Told as _};

/// The API server refuses one workload's rolls: it is said, tried again, and
/// delays nobody.
#[tokio::test]
async fn a_workload_whose_rolls_are_refused_delays_no_other() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let fleet: Vec<_> = (0..6)
        .map(|number| deployment(&format!("web-{number}")).uses(app.volume()))
        .collect();
    let (refused, others) = fleet.split_first().context("a fleet")?;
    env.create_all(&[&policy("fast").fast(), &app]).await?;
    for workload in &fleet {
        env.create(workload).await?;
    }
    for workload in &fleet {
        env.rolled_out(workload).await?;
    }
    let rule = format!("{}-refuse", env.namespace);
    let group = "admissionregistration.k8s.io/v1";
    let guard = json!({
        "apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": rule},
        "spec": {
            "matchConstraints": {
                "namespaceSelector":
                    {"matchLabels": {"kubernetes.io/metadata.name": env.namespace}},
                "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
                    "resources": ["deployments"], "operations": ["UPDATE"],
                    "resourceNames": [refused.name()]}],
            },
            "validations": [{
                "expression": "!request.userInfo.username.endsWith(':projsync')",
                "message": "change freeze until Monday",
            }],
        },
    });
    let binding = json!({
        "apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": rule},
        "spec": {"policyName": rule, "validationActions": ["Deny"]},
    });
    env.create_all(&[&guard, &binding]).await?;
    // One at a time, so that one that fails could hold up the rest.
    let mut operator = env.operator(&["--concurrency=1"]).await?;
    operator.all_in_sync(6).await?;
    // It is in force once it refuses even what would change nothing.
    let account = env.account_client().await?;
    let api: Api<Deployment> = Api::namespaced(account, &env.namespace);
    let nothing = Patch::Merge(json!({"metadata": {"labels": {"probe": "1"}}}));
    let parameters = PatchParams {
        dry_run: true,
        ..Default::default()
    };
    until("the rule is in force", true, async || {
        Ok(api
            .patch(&refused.name(), &parameters, &nothing)
            .await
            .is_err())
    })
    .await?;

    // What was tried here counts as the account's too.
    let tried = env.roll_count(refused)?;
    for (round, value) in ["2", "3", "4"].into_iter().enumerate() {
        let begun = Instant::now();
        let edit = env.set(&app, "a", value).await?;
        for workload in others {
            env.rolls(workload, round + 1).await?;
        }
        println!("round {round}: {:?}", begun.elapsed());
        ensure!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        for workload in others {
            env.rolled_out(workload).await?;
            env.assert_started_after(workload, &edit).await?;
        }
    }
    until("it is said", true, async || {
        let events = env.events(refused).await?;
        let said = |(reason, note): &(String, String)| {
            reason == "RollFailed" && note.contains("change freeze until Monday")
        };
        Ok(events.iter().any(said))
    })
    .await?;
    ensure!(env.roll_count(refused)? == tried);
    // Nothing but that was refused, and it was not tried in a loop.
    let denied: Vec<_> = env
        .requests()?
        .into_iter()
        .filter(|one| one.code == 422)
        .collect();
    ensure!(
        denied.iter().all(|one| one.name == refused.name()),
        "{denied:?}"
    );
    ensure!(denied.len() < 40, "{} attempts", denied.len());
    until(
        "its Projection says so",
        "RollFailed".to_owned(),
        async || {
            let projection = env.projection(refused).await?.context("no Projection")?;
            let status = projection.status.context("no status")?;
            Ok(status.decision.context("no decision")?.reason)
        },
    )
    .await?;

    // It catches up when it may.
    env.delete(&binding).await?;
    env.delete(&guard).await?;
    env.rolls(refused, tried + 1).await?;
    env.rolled_out(refused).await?;
    operator.all_in_sync(6).await?;
    operator.stop().await
}
