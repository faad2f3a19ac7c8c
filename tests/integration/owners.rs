//! Owners of a workload who write it again, with the revision or without.

use std::io::Write as _;

use projsync::api::names::REVISION_ANNOTATION;
use projsync::api::projection::State;
use serde_json::json;
use testkit::{
    Object, Operator, Result, Source, Workload, config_map, deployment, eventually, policy,
    stateful_set,
};

use crate::env::{Env, Told as _};

/// Removes the revision from the Pod template, as soon as it is there.
async fn remove_revision(env: &Env, web: &Workload) -> Result {
    eventually("the revision is there", async || {
        Ok(env.revision(web).await?.map(drop))
    })
    .await?;
    let annotations = json!({REVISION_ANNOTATION: null});
    let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
    env.merge(web, patch).await.map(drop)
}

/// Waits until the operator gives in, after so many rolls.
async fn contested(env: &Env, operator: &Operator, web: &Workload, rolls: usize) -> Result {
    operator.decided(web, "Contested").await?;
    env.reported(web, (Some(State::Held), Some(2)), |status| {
        let contested = status.contested.as_ref();
        (status.summary.state, contested.map(|one| one.removals))
    })
    .await?;
    eventually("an Event of the contest", async || {
        let events = env.events(web).await?;
        Ok(events
            .iter()
            .any(|(reason, _)| reason == "Contested")
            .then_some(()))
    })
    .await?;
    operator.acted(&[]).await?;
    env.assert_only(&[(web, rolls)]).await
}

#[tokio::test]
async fn a_workload_whose_revision_keeps_going_is_contested() -> Result {
    let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
    // New Pods never get ready, so that each removal leaves the old ones outdated.
    let web = deployment("web").ready_after("24h").uses(app.volume());
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.gets_ready(&web).await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;

    env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    remove_revision(&env, &web).await?;
    env.rolls(&web, 2).await?;
    remove_revision(&env, &web).await?;
    contested(&env, &operator, &web, 2).await?;
    // It is remembered.
    operator.restart().await?;
    contested(&env, &operator, &web, 2).await?;

    // Other content is another reason.
    env.set(&app, "a", "3").await?;
    env.rolls(&web, 3).await?;
    remove_revision(&env, &web).await?;
    env.rolls(&web, 4).await?;
    remove_revision(&env, &web).await?;
    contested(&env, &operator, &web, 4).await?;

    // So is another template.
    let image = json!({"containers": [{"name": "main", "image": "app:2"}]});
    let edit = env
        .kubectl(&[
            "patch",
            &web.kind_name(),
            &web.name(),
            "-p",
            &json!({"spec": {"template": {"spec": image}}}).to_string(),
        ])
        .await;
    edit?;
    env.reported(&web, Some(0), |status| {
        Some(status.contested.as_ref().map_or(0, |one| one.removals))
    })
    .await?;
    operator.acted(&[]).await?;
    env.assert_only(&[(&web, 4)]).await
}

/// How an owner writes a manifest again.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    create: &'static [&'static str],
    again: &'static [&'static str],
    /// Whether the revision stays.
    keeps: bool,
    /// What the manifest itself says of the revision.
    exported: Option<&'static str>,
}

const SERVER_SIDE: &[&str] = &["apply", "--server-side", "--field-manager=gitops", "-f"];

const WAYS: [Way; 4] = [
    Way {
        name: "client-side",
        create: &["apply", "-f"],
        again: &["apply", "-f"],
        keeps: true,
        exported: None,
    },
    Way {
        name: "server-side",
        create: SERVER_SIDE,
        again: SERVER_SIDE,
        keeps: true,
        exported: None,
    },
    Way {
        name: "replace",
        create: &["create", "-f"],
        again: &["replace", "-f"],
        keeps: false,
        exported: None,
    },
    // Copied from a cluster, with what Projsync had written there.
    Way {
        name: "exported",
        create: &["apply", "-f"],
        again: &["apply", "-f"],
        keeps: false,
        exported: Some("v1.00000000.0123456789abcdef0123456789abcdef"),
    },
];

impl Way {
    fn workload(self, make: fn(&str) -> Workload, kind: &str, app: &Source) -> Workload {
        let workload = make(&format!("{}-{kind}", self.name)).replicas(2);
        match self.exported {
            Some(revision) => workload.pod_annotation(REVISION_ANNOTATION, revision),
            None => workload,
        }
        .uses(app.volume())
    }

    async fn run(self, env: &Env, workload: &Workload, arguments: &[&str]) -> Result {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(workload.manifest().to_string().as_bytes())?;
        let path = file.path().display().to_string();
        let command = [arguments, &[&path]].concat();
        // `replace` reads and then writes: who writes in between makes it fail.
        eventually("kubectl meets no conflict", async || {
            match env.kubectl(&command).await {
                Ok(_) => Ok(Some(())),
                Err(error) if error.to_string().contains("(Conflict)") => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

#[tokio::test]
async fn a_manifest_that_is_written_again_causes_no_storm() -> Result {
    let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
    env.create_all(&[&policy("fast").fast(), &app]).await?;
    let mut all = Vec::new();
    for way in WAYS {
        all.push((way, way.workload(deployment, "deployment", &app)));
        all.push((way, way.workload(stateful_set, "set", &app)));
    }
    for (way, workload) in &all {
        way.run(&env, workload, way.create).await?;
    }
    let rolled_out = async || {
        for (_, workload) in &all {
            env.rolled_out(workload).await?;
        }
        Result::Ok(())
    };
    rolled_out().await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(all.len()).await?;

    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&edit]).await?;
    rolled_out().await?;
    operator.all_in_sync(all.len()).await?;
    let rolls = |count| -> Vec<_> { all.iter().map(|(_, w)| (w, count)).collect() };
    env.assert_only(&rolls(1)).await?;

    // Again and again, while nothing is to do.
    for _ in 0..3 {
        for (way, workload) in &all {
            way.run(&env, workload, way.again).await?;
        }
        rolled_out().await?;
    }
    operator.acted(&[]).await?;
    operator.all_in_sync(all.len()).await?;
    env.assert_only(&rolls(1)).await?;
    for (way, workload) in &all {
        // Back to the first template, where the revision goes with each.
        assert_eq!(env.templates(workload).await?, 2, "{}", workload.name());
        let revision = env.revision(workload).await?;
        assert_eq!(
            revision.is_some_and(|r| Some(&*r) != way.exported),
            way.keeps,
            "{}",
            workload.name()
        );
    }

    // In the middle of a roll, with another image: at most one roll more where the
    // revision went, and all are in sync in the end.
    let edit = env.set(&app, "a", "3").await?;
    for (way, workload) in &all {
        way.run(&env, &workload.clone().image("app:2"), way.again)
            .await?;
    }
    operator.acted(&[&edit]).await?;
    rolled_out().await?;
    operator.all_in_sync(all.len()).await?;
    operator.acted(&[]).await?;
    for (way, workload) in &all {
        env.assert_started_after(workload, &edit).await?;
        let count = env.roll_count(workload)?;
        let most = if way.keeps { 2 } else { 3 };
        assert!((1..=most).contains(&count), "{}: {count}", workload.name());
    }
    env.assert_nothing_else()
}
