//! The user of one namespace writes what is as large, as many and as often as the API server takes,
//! while the workload of another goes on: `make soak-hostile`.

use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::{Value, json};
use testkit::{
    Object as _, Result, Source, Space, Workload, config_map, deployment, eventually, policy,
};
use tokio::time::{Instant, interval, sleep};

use crate::env::Env;

/// The limit of memory that config/manager and the chart set.
const MEMORY: u64 = 256 << 20;

/// Edits that are measured, quiet and then not.
const EDITS: usize = 100;

/// As much in one ConfigMap as an API server takes, less what is around it.
const DATA: usize = 1_000_000;

/// How long each of some edits took to become a patch.
async fn edit_to_patch(space: &Space, app: &Source, web: &Workload) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for number in 0..EDITS {
        let before = space.revision(web).await?;
        let value = format!("{number}-{before:?}");
        space.set(app, "a", &value).await?;
        let begin = Instant::now();
        eventually("the patch", async || {
            Ok((space.revision(web).await? != before).then_some(()))
        })
        .await?;
        took.push(begin.elapsed());
        space.rolled_out(web).await?;
    }
    took.sort_unstable();
    Ok(took)
}

fn p99(took: &[Duration]) -> Duration {
    took[took.len() * 99 / 100 - 1]
}

fn tell(when: &str, took: &[Duration]) {
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "{when}: median {median:?}, p99 {:?}, the longest {longest:?}",
        p99(took)
    );
}

/// A manifest with another Pod spec.
fn with_pod(name: &str, pod: &Value) -> Value {
    let mut object = deployment(name).replicas(0).manifest();
    for (field, value) in pod.as_object().into_iter().flatten() {
        object["spec"]["template"]["spec"][field] = value.clone();
    }
    object
}

fn many(count: usize, each: impl Fn(usize) -> Value) -> Value {
    (0..count).map(each).collect()
}

/// Deployments whose templates see as much as they can, in each way.
fn templates() -> Vec<Value> {
    let container = |more: Value| {
        let mut container = json!({"name": "main", "image": "main"});
        container
            .as_object_mut()
            .unwrap()
            .append(&mut more.as_object().unwrap().clone());
        container
    };
    let sources = |count| many(count, |at| json!({"configMap": {"name": format!("c{at}")}}));
    let mounts = |count| {
        many(count, |at| {
            json!({
                "name": "v", "mountPath": format!("/m/{at}"), "subPath": format!("k{at}"),
            })
        })
    };
    let variables = |count: usize| {
        many(count, |at| {
            json!({
                "name": format!("V{at}"),
                "valueFrom": {"configMapKeyRef": {"name": format!("c{at}"), "key": "k", "optional": true}},
            })
        })
    };
    let projected = |mounted: Value, count| {
        json!({
            "containers": [container(json!({"volumeMounts": mounted}))],
            "volumes": [{"name": "v", "projected": {"sources": sources(count)}}],
        })
    };
    let from = many(
        100,
        |at| json!({"configMapRef": {"name": format!("c{at}"), "optional": true}}),
    );
    let literal = many(150, |at| json!({"name": format!("L{at}"), "value": "x"}));
    let mut all = vec![
        with_pod("sub-paths", &projected(mounts(1_500), 1_500)),
        with_pod("most-sub-paths", &projected(mounts(40), 40)),
        with_pod(
            "env-from",
            &json!({"containers": [container(json!({"envFrom": from, "env": literal}))]}),
        ),
    ];
    for number in 0..10 {
        let env = json!({"containers": [container(json!({"env": variables(if number < 9 { 1_990 } else { 6_000 })}))]});
        all.push(with_pod(&format!("variables-{number}"), &env));
    }
    let mut annotated = deployment("annotated").replicas(0).manifest();
    annotated["spec"]["template"]["metadata"]["annotations"] =
        json!({"projsync.dev/revision": "v".repeat(250_000)});
    annotated["metadata"]["labels"] = (0..8_000)
        .map(|at| (format!("label-{at}"), "x".repeat(63).into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    all.push(annotated);
    all
}

/// Policies of many long patterns, and many policies.
fn policies() -> Vec<Value> {
    let pattern = |at: usize| json!({"name": format!("{at:0>4}*{}", "[a-z]?".repeat(40))});
    let large = (0..150).map(|number| {
        policy(&format!("large-{number:04}"))
            .with(
                "sources",
                json!({"include": many(64, pattern), "exclude": many(64, pattern)}),
            )
            .manifest()
    });
    let small = (0..1_500).map(|number| {
        policy(&format!("small-{number:04}"))
            .with(
                "workloads",
                json!({"selector": {"matchLabels": {"app": format!("x{number}")}}}),
            )
            .manifest()
    });
    large.chain(small).collect()
}

/// A ConfigMap of thousands of keys, and workloads that see them all.
async fn fan_out(space: &Space) -> Result<Source> {
    let mut wide = config_map("wide");
    for key in 0..9_000 {
        wide = wide.data(&format!("k{key:04}{}", "k".repeat(90)), "0");
    }
    space.create(&policy("a-first").fast().priority(9)).await?;
    space.create(&wide).await?;
    for number in 0..20 {
        let fan = deployment(&format!("fan-{number}")).uses(wide.env_from(""));
        space.create(&fan).await?;
    }
    Ok(wide)
}

/// Writes all of that, and then edits without end.
async fn write_all(space: Space) -> Result {
    let wide = fan_out(&space).await?;
    let large = "x".repeat(DATA / 2);
    for number in 0..20 {
        let source = config_map(&format!("large-{number}"))
            .data("a", &large)
            .data("b", &large);
        space.create(&source).await?;
    }
    for object in templates().iter().chain(&policies()) {
        space.create(object).await?;
    }
    let forged = json!({
        "apiVersion": "projsync.dev/v1alpha1", "kind": "Projection", "metadata": {"name": "forged"},
        "spec": {"workload": {"kind": "Deployment", "name": "fan-0", "uid": "u"}},
    });
    space.create(&forged).await?;
    let mut tick = interval(Duration::from_secs(1));
    for number in 0_u64.. {
        tick.tick().await;
        space.set(&wide, "edited", &number.to_string()).await?;
        let name = format!("large-{:04}", number % 150);
        let edit = json!({"spec": {"priority": number % 7}});
        space.merge(&policy(&name), edit).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make soak-hostile"]
async fn another_namespace_goes_on() -> Result {
    let env = Env::cluster_wide(2).await?;
    let [calm, loud] = &env.spaces[..] else {
        bail!("two namespaces")
    };
    let app = config_map("app").data("a", "0");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    calm.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    calm.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    let quiet = edit_to_patch(calm, &app, &web).await?;
    tell("quiet", &quiet);

    let process = operator.process()?;
    let hostile = tokio::spawn(write_all(loud.clone()));
    // Half of what is measured is while it all comes, half while it is edited.
    let busy = edit_to_patch(calm, &app, &web).await?;
    tell("not quiet", &busy);
    sleep(Duration::from_secs(5)).await;
    ensure!(!hostile.is_finished(), "{:?}", hostile.await);
    hostile.abort();

    let peak = operator.process()?.peak()?;
    println!("at most {} MiB at a time", peak >> 20);
    ensure!(operator.process()?.0 == process.0, "it was started again");
    let changes = operator.log()?.matches("leadership changed").count();
    ensure!(changes == 1, "{changes} changes of leadership");
    ensure!(peak < MEMORY, "{peak} bytes");

    // What is there is listed again: the start is when most is held at a time.
    let mut operator = operator;
    operator.restart().await?;
    operator.decided(&web, "InSync").await?;
    let peak = operator.process()?.peak()?;
    println!("at the start at most {} MiB at a time", peak >> 20);
    ensure!(peak < MEMORY, "{peak} bytes at the start");
    ensure!(p99(&busy) < p99(&quiet) * 3, "others wait");
    Ok(())
}
