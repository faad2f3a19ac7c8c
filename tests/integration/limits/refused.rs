//! A workload that the API server lets nobody roll.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use projsync::api::projection::State;
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

/// A webhook takes the annotation away in the same request, and the API server answers that all is
/// well: no roll is told of, and it is not tried for ever.
#[tokio::test]
async fn a_roll_that_a_webhook_takes_away_is_none() -> Result {
    let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
    let web = deployment("web").uses(app.volume());
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let rule = format!("{}-strip", env.namespace);
    let group = "admissionregistration.k8s.io/v1";
    let path = "/spec/template/metadata/annotations/projsync.dev~1revision";
    let strip = json!({
        "apiVersion": group, "kind": "MutatingAdmissionPolicy", "metadata": {"name": rule},
        "spec": {
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "namespaceSelector":
                    {"matchLabels": {"kubernetes.io/metadata.name": env.namespace}},
                "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
                    "resources": ["deployments"], "operations": ["UPDATE"]}],
            },
            "matchConditions": [{"name": "annotated", "expression":
                "object.spec.template.?metadata.?annotations[?'projsync.dev/revision'].hasValue()"}],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression":
                format!("[JSONPatch{{op: 'remove', path: '{path}'}}]")}}],
        },
    });
    let binding = json!({
        "apiVersion": group, "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": rule},
        "spec": {"policyName": rule},
    });
    env.create_all(&[&strip, &binding]).await?;
    let api: Api<Deployment> = Api::namespaced(env.client.clone(), &env.namespace);
    let probe = json!({"spec": {"template": {"metadata":
        {"annotations": {"projsync.dev/revision": "probe"}}}}});
    let parameters = PatchParams {
        dry_run: true,
        ..Default::default()
    };
    until("the rule is in force", true, async || {
        let patched = api
            .patch(&web.name(), &parameters, &Patch::Merge(&probe))
            .await?;
        Ok(!serde_json::to_string(&patched)?.contains("probe"))
    })
    .await?;
    let mut operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;

    env.set(&app, "a", "2").await?;
    operator.decided(&web, "Contested").await?;
    let reasons = env.events(&web).await?;
    let said = |(reason, note): &(String, String)| {
        reason == "RollFailed" && note.contains("a mutating webhook or policy removes")
    };
    ensure!(reasons.iter().any(said), "{reasons:?}");
    let rolled = |(reason, _): &(String, String)| reason == "ContentChanged";
    ensure!(!reasons.iter().any(rolled), "{reasons:?}");
    let tried = env.roll_count(&web)?;
    ensure!(tried == 2, "{tried} attempts");
    env.reported(&web, (Some(State::Held), 0), |status| {
        (status.summary.state, status.rolls.len())
    })
    .await?;

    // It goes on with the next content, once the webhook lets it.
    env.delete(&binding).await?;
    env.delete(&strip).await?;
    until("the rule is gone", true, async || {
        let patched = api
            .patch(&web.name(), &parameters, &Patch::Merge(&probe))
            .await?;
        Ok(serde_json::to_string(&patched)?.contains("probe"))
    })
    .await?;
    env.set(&app, "a", "3").await?;
    env.rolls(&web, tried + 1).await?;
    env.rolled_out(&web).await?;
    operator.decided(&web, "InSync").await?;
    operator.stop().await
}
