//! Watches that end, stall, lie, repeat themselves or lose their order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::ensure;
use http::request::Parts;
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{Result, Space, Workload, config_map, deployment, eventually, policy, secret};
use tokio::time::Instant;

use super::{HEALS, Meter, ensure_ready, last};
use crate::env::Env;
use crate::proxy::{Act, Line, Proxy, status};

/// The most requests of a watch, lists included, while the fault lasts: one a second
/// where it ends in order, fewer where it fails.
const REQUESTS: usize = 20;

/// The watch of ConfigMaps in a namespace of its own does this.
const FAULTS: [&str; 12] = [
    "ends",
    "ends-after-one",
    "stalls",
    "gone",
    "gone-at-once",
    "bookmarks",
    "repeats",
    "out-of-order",
    "cut-short",
    "reset",
    "error",
    "throttled",
];

/// Those by which all comes that should, if in another way.
const FINE: [&str; 2] = ["repeats", "out-of-order"];

/// Those by which nothing comes at all. (The others are made good by a list.)
const TOLD: [&str; 7] = [
    "ends",
    "gone",
    "gone-at-once",
    "bookmarks",
    "reset",
    "error",
    "throttled",
];

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// A parameter of the query.
fn parameter<'a>(request: &'a Parts, name: &str) -> Option<&'a str> {
    let pairs = request.uri.query()?.split('&');
    let mut values = pairs.filter_map(|pair| pair.split_once('='));
    values.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn fault(name: &str, request: &Parts) -> Act {
    match name {
        "ends" => Act::Answer(200, Vec::new()),
        "ends-after-one" => Act::Lines(Arc::new(|lines| match lines.len() {
            1 => Line::Pass,
            _ => Line::End,
        })),
        "stalls" => Act::Lines(Arc::new(|_| Line::Stall)),
        "gone" => {
            let status: Value = serde_json::from_slice(&status(410, "Expired")).unwrap();
            Act::Answer(200, line(&json!({"type": "ERROR", "object": status})))
        }
        "gone-at-once" => Act::Answer(410, status(410, "Expired")),
        "bookmarks" => {
            let version = parameter(request, "resourceVersion").unwrap_or_default();
            Act::Answer(
                200,
                line(&json!({"type": "BOOKMARK", "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"resourceVersion": version, "creationTimestamp": null},
                }})),
            )
        }
        "repeats" => Act::Lines(Arc::new(|lines| {
            let line = lines[lines.len() - 1].clone();
            Line::Instead(vec![line.clone(), line])
        })),
        // The later one of two first.
        "out-of-order" => Act::Lines(Arc::new(|lines| match lines {
            [.., before, now] if lines.len() % 2 == 0 => {
                Line::Instead(vec![now.clone(), before.clone()])
            }
            _ => Line::Instead(Vec::new()),
        })),
        "cut-short" => Act::Lines(Arc::new(|_| Line::Half)),
        "reset" => Act::Drop,
        "error" => Act::Answer(500, status(500, "InternalError")),
        "throttled" => Act::Throttle(1),
        _ => Act::Pass,
    }
}

#[tokio::test]
async fn a_watch_that_misbehaves_loses_nothing() -> Result {
    let env = Env::spanning(FAULTS.len()).await?;
    let (app, db) = (
        config_map("app").data("a", "0"),
        secret("db").data("a", "0"),
    );
    let web = deployment("web").uses(app.env("A", "a"));
    let other = deployment("other").uses(db.env("A", "a"));
    for space in &env.spaces {
        space
            .create_all(&[&policy("fast").fast(), &app, &db, &web, &other])
            .await?;
    }
    for space in &env.spaces {
        space.rolled_out(&web).await?;
        space.rolled_out(&other).await?;
    }
    let faults: BTreeMap<String, &str> = env
        .spaces
        .iter()
        .zip(FAULTS)
        .map(|(space, fault)| (space.namespace.clone(), fault))
        .collect();
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &["--watch-idle-timeout=3s"]).await?;
    operator.start().await?;
    operator.all_in_sync(2 * FAULTS.len()).await?;

    let meter = Meter::begin(&proxy, &operator).await?;
    let by_namespace = faults.clone();
    proxy.rule(move |request| {
        let watch = parameter(request, "watch") == Some("true");
        let namespace = request.uri.path().split('/').nth(4).unwrap_or_default();
        match by_namespace.get(namespace) {
            Some(name) if watch && last(request) == "configmaps" => fault(name, request),
            _ => Act::Pass,
        }
    });
    // The watches that run are ended, so that the fault meets all of them.
    proxy.cut().await?;
    let mut edits = Vec::new();
    for value in ["1", "2"] {
        for space in &env.spaces {
            edits.push(space.set(&app, "a", value).await?);
        }
    }
    let last_edits = edits.split_off(FAULTS.len());
    for space in &env.spaces {
        space.set(&db, "a", "1").await?;
    }
    // What another watch brings goes on.
    for space in &env.spaces {
        rolled_in(&env, space, &other, 1..=1).await?;
    }
    // Between two tries it looks for a moment as if the next had been of use.
    let told = Mutex::new(BTreeSet::new());
    eventually("readiness names those that fail", async || {
        let (_, text) = operator.probe("/readyz").await?;
        let failed = |(namespace, name): (&String, &&'static str)| {
            let line = format!("[-]watch/ConfigMap in {namespace} failed: ");
            let why = text.lines().find_map(|text| text.strip_prefix(&line))?;
            Some((*name, why.starts_with("nothing came")))
        };
        let mut told = told.lock();
        told.extend(faults.iter().filter_map(failed));
        let is_told = |name: &&str| told.iter().any(|(told, _)| told == name);
        ensure!(TOLD.iter().all(is_told), "{told:?}");
        Ok(Some(()))
    })
    .await?;
    let told = told.into_inner();
    // With so short a timeout any watch is silent for too long now and then.
    let is_fine = |name: &&str| !told.contains(&(*name, false));
    ensure!(FINE.iter().all(is_fine), "{told:?}");
    for (namespace, fault) in &faults {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps?");
        let what = format!("a watch, {fault}");
        meter
            .assert_bounded(&proxy, &operator, &what, REQUESTS, |passed| {
                passed.path.starts_with(&path)
            })
            .await?;
    }

    proxy.rule(|_| Act::Pass);
    let ended = Instant::now();
    for space in &env.spaces {
        rolled_in(&env, space, &web, 1..=2).await?;
    }
    println!(
        "watches: all is rolled {:.1?} after the end",
        ended.elapsed()
    );
    ensure!(
        ended.elapsed() <= HEALS,
        "{:.1?} after the end",
        ended.elapsed()
    );
    operator
        .seen(&last_edits.iter().collect::<Vec<_>>())
        .await?;
    for space in &env.spaces {
        space.rolled_out(&web).await?;
        space.rolled_out(&other).await?;
    }
    operator.all_in_sync(2 * FAULTS.len()).await?;
    eventually("it is ready", async || {
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;
    for (space, edit) in env.spaces.iter().zip(&last_edits) {
        rolled_in(&env, space, &web, 1..=2).await?;
        rolled_in(&env, space, &other, 1..=1).await?;
        space.assert_started_after(&web, edit).await?;
    }
    env.assert_nothing_else()
}

/// Waits until a workload was rolled so often.
async fn rolled_in(
    env: &Env,
    space: &Space,
    workload: &Workload,
    often: RangeInclusive<usize>,
) -> Result {
    let key = space.key(workload);
    let seen = eventually(format!("{key} is rolled"), async || {
        let seen = env.roll_counts()?.get(&key).copied();
        Ok(seen.filter(|seen| seen >= often.start()))
    })
    .await?;
    ensure!(often.contains(&seen), "{key} was rolled {seen} times");
    Ok(())
}
