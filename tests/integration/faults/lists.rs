//! A list that does not come to its end tells nothing.

use std::sync::Arc;

use anyhow::ensure;
use http::request::Parts;
use http::uri::PathAndQuery;
use serde_json::{Value, json};
use testkit::{Result, eventually};

use super::{HEALS, Lane, Meter, ensure_ready, heals, last};
use crate::env::Env;
use crate::proxy::{Act, Proxy, status};

/// The most lists of one kind, pages counted, until readiness tells of it.
const REQUESTS: usize = 12;

fn query(request: &Parts) -> &str {
    request.uri.query().unwrap_or_default()
}

/// Pages of two.
fn small_pages(request: &mut Parts) {
    let all = request.uri.to_string().replace("limit=50", "limit=2");
    if let Ok(all) = all.parse::<PathAndQuery>() {
        request.uri = all.into();
    }
}

/// What the second page of each list of ConfigMaps comes to.
fn second_page(name: &str, request: &Parts) -> Act {
    let pages = last(request) == "configmaps" && query(request).contains("limit=");
    match name {
        _ if !pages => Act::Pass,
        _ if !query(request).contains("continue=") => Act::Ask(Arc::new(small_pages)),
        "gone" => Act::Answer(410, status(410, "Expired")),
        "error" => Act::Answer(500, status(500, "InternalError")),
        "cut" => Act::Break(200),
        _ => Act::Ask(Arc::new(small_pages)),
    }
}

#[tokio::test]
async fn a_list_whose_second_page_fails_tells_nothing() -> Result {
    let env = Env::new().await?;
    let names = ["gone", "cut", "last"];
    let lanes = Lane::create(&env, &names).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    // At the start: it is not ready, and decides nothing.
    proxy.rule(|request| second_page("error", request));
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.spawn()?;
    operator.listens().await?;
    let meter = Meter::begin(&proxy, &operator).await?;
    eventually("it tells that the list fails", async || {
        let text = ensure_ready(&operator, false).await?;
        ensure!(
            text.contains("[-]watch/ConfigMap") && text.contains("list failed: 500"),
            "{text}"
        );
        Ok(Some(()))
    })
    .await?;
    ensure!(!operator.index().await?.synced);
    let lists = |path: &str| path.contains("/configmaps?");
    meter
        .assert_bounded(&proxy, &operator, "first list", REQUESTS, |passed| {
            lists(&passed.path)
        })
        .await?;
    proxy.rule(|request| second_page("none", request));
    operator.ready().await?;
    operator.all_in_sync(lanes.len()).await?;
    let mark = env
        .annotate(&lanes[0].source, "mark", Some("start"))
        .await?;
    operator.seen(&[&mark]).await?;
    let paged = proxy.passed();
    let pages = paged
        .iter()
        .filter(|passed| passed.path.contains("continue="));
    ensure!(pages.count() >= 2, "the list had no pages");

    // Later: what is on the pages that did not come is not gone.
    let mut edits = Vec::new();
    for (name, lane) in names.into_iter().zip(&lanes).take(names.len() - 1) {
        let meter = Meter::begin(&proxy, &operator).await?;
        proxy.rule(move |request| match query(request).contains("watch=true") {
            true if last(request) == "configmaps" => Act::Answer(200, gone()),
            _ => second_page(name, request),
        });
        proxy.cut().await?;
        eventually("a second page has failed", async || {
            let asked = meter.asked(&proxy);
            let pages = asked
                .iter()
                .filter(|passed| passed.path.contains("continue="));
            Ok((pages.count() >= 1).then_some(()))
        })
        .await?;
        let index = operator.index().await?;
        for lane in &lanes {
            let source = &index.sources[&env.key(&lane.source)];
            ensure!(
                source.resource_version.is_some(),
                "{name}: it is taken for gone"
            );
        }
        meter
            .assert_bounded(&proxy, &operator, name, REQUESTS, |passed| {
                lists(&passed.path)
            })
            .await?;
        edits.push(env.set(&lane.source, "a", "1").await?);
        proxy.rule(|request| second_page("none", request));
        heals(&env, name, [&lane.workload]).await?;
        env.rolled_out(&lane.workload).await?;
        // An event on the watch ends the row of failures: the next is a first one.
        let mark = env.annotate(&lane.source, "mark", Some(name)).await?;
        operator.seen(&[&mark]).await?;
    }
    operator.seen(&edits.iter().collect::<Vec<_>>()).await?;
    operator.all_in_sync(lanes.len()).await?;
    eventually(format!("it is ready within {HEALS:?}"), async || {
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;
    let edited = lanes.iter().take(edits.len());
    let rolls: Vec<_> = edited.map(|lane| (&lane.workload, 1)).collect();
    env.assert_only(&rolls).await
}

/// The event by which a watch tells that its version is gone.
fn gone() -> Vec<u8> {
    let status: Value = serde_json::from_slice(&status(410, "Expired")).unwrap();
    format!("{}\n", json!({"type": "ERROR", "object": status})).into_bytes()
}
