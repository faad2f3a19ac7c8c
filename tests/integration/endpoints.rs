//! What the operator says of itself, and what it does when the API server falls silent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use controlplane::{Action, Component};
use testkit::{
    Operator, Result, Source, Workload, config_map, deployment, eventually, output, policy, secret,
    until,
};
use tokio::process::Command;
use tokio::time::Instant;

use crate::env::Env;
use crate::proxy::{Act, Proxy};

async fn make(env: &Env) -> Result<(Source, Workload)> {
    let app = config_map("app-with-a-name").data("key-with-a-name", "1");
    let web = deployment("web-with-a-name").uses(app.volume());
    env.create_all(&[&policy("policy-with-a-name").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    Ok((app, web))
}

/// Waits until `/readyz` says so; gives what it says.
async fn readiness(operator: &Operator, want: u16) -> Result<String> {
    eventually(format!("/readyz says {want}"), async || {
        let (status, text) = operator.probe("/readyz").await?;
        ensure!(status == want, "{status}: {text}");
        Ok(Some(text))
    })
    .await
}

#[tokio::test]
async fn is_not_ready_before_every_list_is_complete() -> Result {
    let env = Env::new().await?;
    let (app, web) = make(&env).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    proxy.rule(|request| match request.uri.path().ends_with("/pods") {
        true => Act::Hold,
        false => Act::Pass,
    });
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.spawn()?;
    operator.listens().await?;
    // Everything else is there.
    let waits = format!(
        "[-]watch/Pod in {} failed: its first list is not complete",
        env.namespace
    );
    eventually("only the Pods are missing", async || {
        let (status, text) = operator.probe("/readyz").await?;
        let failed: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("[-]"))
            .collect();
        let wanted = [
            waits.as_str(),
            "[-]caches failed: the first lists are not complete",
        ];
        ensure!(status == 503 && failed == wanted, "{status}: {text}");
        Ok(Some(()))
    })
    .await?;
    ensure!(operator.probe("/livez").await?.0 == 200);
    env.set(&app, "key-with-a-name", "2").await?;
    ensure!(!operator.index().await?.synced);

    proxy.rule(|_| Act::Pass);
    readiness(&operator, 200).await?;
    // The edit was before its first list, so the Pod is of unknown content.
    operator.decided(&web, "InSync").await?;
    env.set(&app, "key-with-a-name", "3").await?;
    env.rolls(&web, 1).await
}

#[tokio::test]
async fn takes_its_lists_as_streams_where_told() -> Result {
    let env = Env::new().await?;
    let (app, web) = make(&env).await?;
    let operator = env.operator(&["--streaming-lists"]).await?;
    operator.decided(&web, "InSync").await?;
    let edit = env.set(&app, "key-with-a-name", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&edit]).await?;
    env.assert_only(&[(&web, 1)]).await?;
    let requests = env.requests()?;
    // A list of one object asks whether the cluster has gone back to an earlier version: after the
    // stream of the first list, and where a watch is resumed.
    let mut asked = BTreeMap::new();
    for list in requests.iter().filter(|one| one.verb == "list") {
        *asked.entry((&list.resource, &list.namespace)).or_insert(0) += 1;
    }
    ensure!(asked.values().all(|count| *count <= 2), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn waits_for_the_api_server_at_start() -> Result {
    let env = Env::new().await?;
    let (_, web) = make(&env).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    proxy.rule(|_| Act::Answer(503, b"not now".to_vec()));
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.spawn()?;
    // It is alive, so that nobody restarts it, and not ready.
    operator.listens().await?;
    ensure!(operator.probe("/livez").await?.0 == 200);
    let (status, text) = operator.probe("/readyz").await?;
    ensure!(status == 503 && text.contains("[-]"), "{status}: {text}");
    ensure!(operator.metrics().await?.ends_with("# EOF\n"));
    proxy.rule(|_| Act::Pass);
    readiness(&operator, 200).await?;
    operator.decided(&web, "InSync").await?;
    operator.stop().await
}

#[tokio::test]
async fn stops_while_it_waits_for_the_api_server() -> Result {
    let env = Env::new().await?;
    let proxy = Proxy::start(&env.cluster).await?;
    proxy.rule(|_| Act::Hold);
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.spawn()?;
    operator.listens().await?;
    let begun = Instant::now();
    operator.stop().await?;
    ensure!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    Ok(())
}

#[tokio::test]
async fn metrics_count_and_name_nothing() -> Result {
    let env = Env::new().await?;
    let (app, web) = make(&env).await?;
    let db = secret("db-with-a-name").data("a", "1");
    let other = deployment("other-with-a-name").uses(db.volume());
    env.create_all(&[&db, &other]).await?;
    env.rolled_out(&other).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;
    env.set(&app, "key-with-a-name", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.all_in_sync(2).await?;
    until("the Event is posted", Some(1.0), async || {
        operator
            .sample("projsync_events_total{outcome=\"success\"}")
            .await
    })
    .await?;

    let text = operator.metrics().await?;
    ensure!(
        !text.contains("with-a-name") && !text.contains(&env.namespace),
        "{text}"
    );
    for (sample, least) in [
        (
            "projsync_rolls_total{kind=\"Deployment\",outcome=\"success\"}",
            1.0,
        ),
        ("projsync_change_to_patch_seconds_count", 1.0),
        (
            "projsync_source_reads_total{kind=\"Secret\",outcome=\"success\"}",
            1.0,
        ),
        (
            "projsync_workloads{kind=\"Deployment\",state=\"in_sync\"}",
            2.0,
        ),
        ("projsync_pods{state=\"Fresh\"}", 2.0),
        ("projsync_leader", 1.0),
    ] {
        let value = operator.sample(sample).await?;
        ensure!(value >= Some(least), "{sample}: {value:?}");
    }
    Ok(())
}

#[tokio::test]
async fn debug_endpoints_are_for_this_machine_only() -> Result {
    let mut public = Command::new(env!("CARGO_BIN_EXE_projsync"));
    public.args([
        "run",
        "--kubeconfig=/nonexistent",
        "--debug-bind-address=0.0.0.0:0",
    ]);
    let refused = output(&mut public, "").await.unwrap_err().to_string();
    ensure!(refused.contains("not a loopback address"), "{refused}");
    let env = Env::new().await?;
    let operator = env.operator(&[]).await?;
    for path in ["/debug/index", "/debug/queues", "/debug"] {
        ensure!(operator.probe(path).await?.0 == 404, "{path} is public");
        ensure!(
            operator.debug_text(path).await.is_ok() != (path == "/debug"),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_watch_that_falls_silent_is_begun_anew() -> Result {
    let env = Env::own().await?;
    let (app, web) = make(&env).await?;
    let mut operator = env.operator(&["--watch-idle-timeout=9s"]).await?;
    operator.decided(&web, "InSync").await?;
    // A quiet watch is no stalled one: its requests end and begin without a whole list, and
    // it is known that the API server tells of it.
    until("a quiet kind is silent", true, async || {
        Ok(age(&operator, "StatefulSet").await? > 4.0)
    })
    .await?;
    until("and not for long", true, async || {
        Ok(age(&operator, "StatefulSet").await? < 2.0)
    })
    .await?;
    ensure!(restarts(&operator).await? == 0.0);

    env.cluster
        .tell(Action::Pause, Component::KubeApiserver)
        .await?;
    until("it is noticed", true, async || {
        Ok(restarts(&operator).await? > 0.0)
    })
    .await?;
    eventually("readiness tells of it", async || {
        let text = readiness(&operator, 503).await?;
        ensure!(text.contains("[-]watch/ConfigMap"), "{text}");
        Ok(Some(()))
    })
    .await?;
    ensure!(
        operator.probe("/livez").await?.0 == 200,
        "a restart would not help"
    );

    env.cluster
        .tell(Action::Resume, Component::KubeApiserver)
        .await?;
    let edit = env.set(&app, "key-with-a-name", "2").await?;
    env.rolls(&web, 1).await?;
    operator.caught_up(&[&edit]).await?;
    readiness(&operator, 200).await?;
    env.rolled_out(&web).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;
    operator.stop().await
}

/// Seconds since the last sign of life of the watches of a kind.
async fn age(operator: &Operator, kind: &str) -> Result<f64> {
    let sample = format!("projsync_watch_last_event_age_seconds{{kind=\"{kind}\"}}");
    operator.sample(&sample).await?.context(sample)
}

/// How often the watch of ConfigMaps was begun anew, for whatever reason.
async fn restarts(operator: &Operator) -> Result<f64> {
    let mut count = 0.0;
    for reason in ["Silent", "Failed"] {
        let sample =
            format!("projsync_watch_restarts_total{{kind=\"ConfigMap\",reason=\"{reason}\"}}");
        count += operator.sample(&sample).await?.context(sample)?;
    }
    Ok(count)
}
