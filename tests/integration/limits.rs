//! The largest, the longest, and what goes in the middle of a roll.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use projsync::api::names::projection_name;
use projsync::core::object::WorkloadKind;
use serde_json::json;
use tokio::time::Instant;

use crate::harness::{
    Env, Object, Operator, Result, Source, Use, Workload, config_map, daemon_set, deployment,
    eventually, object, policy, secret, until,
};

/// The most bytes of data that the API server takes in one object.
const MIB: usize = 1 << 20;

/// The longest name of an object.
const LONGEST: usize = 253;

/// A name of so many letters.
fn name(length: usize, letter: char) -> String {
    letter.to_string().repeat(length)
}

/// One edit of a source rolls its workloads once, and nothing else.
async fn edit_rolls_once(
    env: &Env,
    operator: &Operator,
    source: &Source,
    key: &str,
    value: &str,
    workloads: &[&Workload],
) -> Result {
    let edit = env.set(source, key, value).await?;
    for workload in workloads {
        env.rolls(workload, 1).await?;
        env.rolled_out(workload).await?;
    }
    operator.caught_up(&[&edit]).await?;
    operator.all_in_sync(workloads.len()).await?;
    let rolls: Vec<_> = workloads.iter().map(|workload| (*workload, 1)).collect();
    env.assert_only(&rolls).await
}

/// Objects as large as they may be: one letter in a mebibyte counts.
#[tokio::test]
async fn objects_of_a_mebibyte() -> Result {
    let env = Env::new().await?;
    let most = "x".repeat(MIB - 4);
    let plain = config_map("plain").data("a", &most).data("b", "1");
    let binary = config_map("binary")
        .binary("a", &vec![0xff; MIB - 4])
        .data("b", "1");
    let hidden = secret("hidden").data("a", &most).data("b", "1");
    let sources = [&plain, &binary, &hidden];
    let uses: fn(&Source) -> Use = |source| source.volume().items(&["a"]);
    let workloads = sources.map(|source| deployment(&source.name()).uses(uses(source)));
    env.create(&policy("fast").fast()).await?;
    for (source, workload) in sources.iter().zip(&workloads) {
        env.create_all(&[*source, workload]).await?;
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(3).await?;

    // The other key of each is not projected.
    let mut edits = Vec::new();
    for source in sources {
        edits.push(env.set(source, "b", "2").await?);
    }
    operator
        .caught_up(&edits.iter().collect::<Vec<_>>())
        .await?;
    env.assert_only(&[]).await?;

    let mut edited = "x".repeat(MIB - 5);
    edited.push('y');
    let edits = [
        env.set(&plain, "a", &edited).await?,
        env.set_binary(&binary, "a", &[vec![0xff; MIB - 5], vec![0xfe]].concat())
            .await?,
        env.set(&hidden, "a", &edited).await?,
    ];
    for workload in &workloads {
        env.rolls(workload, 1).await?;
        env.rolled_out(workload).await?;
    }
    operator
        .caught_up(&edits.iter().collect::<Vec<_>>())
        .await?;
    operator.all_in_sync(3).await?;
    env.assert_only(&workloads.each_ref().map(|workload| (workload, 1)))
        .await
}

/// Of a thousand keys one changes.
#[tokio::test]
async fn a_thousand_keys() -> Result {
    let env = Env::new().await?;
    let mut many = config_map("many");
    for number in 0..1000 {
        many = many.data(&format!("key-{number:03}"), "1");
    }
    let all = deployment("all")
        .uses(many.volume())
        .uses(many.env_from(""));
    let one = deployment("one").uses(many.env("A", "key-500"));
    let workloads = [&all, &one];
    env.create_all(&[&policy("fast").fast(), &many, &all, &one])
        .await?;
    for workload in workloads {
        env.rolled_out(workload).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;
    edit_rolls_once(&env, &operator, &many, "key-500", "2", &workloads).await?;
    // Of so many keys only the first are told apart: of the others the source is named.
    names(&env, &all, "ConfigMap/many changed").await?;
    names(&env, &one, "ConfigMap/many: key-500 changed").await?;
    // What is kept of it is small, whatever the number of keys.
    let projection = env.projection(&all).await?.context("no Projection")?;
    let size = serde_json::to_vec(&projection)?.len();
    ensure!(size < 64 << 10, "a Projection of {size} bytes");

    operator.restart().await?;
    operator.all_in_sync(2).await?;
    let edits = [
        env.set(&many, "key-001", "2").await?,
        env.set(&many, "key-999", "2").await?,
    ];
    until("it rolls", true, async || Ok(env.roll_count(&all)? >= 2)).await?;
    env.rolled_out(&all).await?;
    operator.caught_up(&edits.each_ref()).await?;
    operator.all_in_sync(2).await?;
    names(&env, &all, "ConfigMap/many: key-001 changed").await?;
    let rolls = env.roll_count(&all)?;
    ensure!((2..=3).contains(&rolls), "{rolls} rolls");
    env.assert_started_after(&all, &edits[1]).await?;
    env.assert_only(&[(&all, rolls), (&one, 1)]).await
}

/// Waits for the Event of a roll that says so.
async fn names(env: &Env, workload: &Workload, cause: &str) -> Result {
    eventually(format!("an Event that says {cause:?}"), async || {
        let events = env.events(workload).await?;
        let found =
            |(reason, note): &(String, String)| reason == "ContentChanged" && note.contains(cause);
        ensure!(events.iter().any(found), "{events:?}");
        Ok(Some(()))
    })
    .await
}

/// Names as long as they may be, of all that has one.
#[tokio::test]
async fn names_of_253_letters() -> Result {
    let env = Env::new().await?;
    let app = config_map(&name(LONGEST, 'c')).data(&name(LONGEST, 'k'), "1");
    let db = secret(&name(LONGEST, 's')).data(&name(LONGEST, 'k'), "1");
    let web = deployment(&name(LONGEST, 'w')).uses(app.volume());
    // (A longer one has no Pods: its ControllerRevisions are named after it.)
    let agent = daemon_set(&name(LONGEST - 11, 'a'))
        .uses(app.env_from(""))
        .uses(db.env("A", &name(LONGEST, 'k')));
    env.create_all(&[&policy(&name(LONGEST, 'f')).fast(), &app, &db])
        .await?;
    // Told apart by its last letter alone.
    let other = deployment(&format!("{}v", name(LONGEST - 1, 'w'))).uses(db.volume());
    let workloads = [&web, &other, &agent];
    for workload in workloads {
        env.create(workload).await?;
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(3).await?;

    let edit = env.set(&app, &name(LONGEST, 'k'), "2").await?;
    for workload in [&web, &agent] {
        env.rolls(workload, 1).await?;
        env.rolled_out(workload).await?;
    }
    operator.caught_up(&[&edit]).await?;
    operator.all_in_sync(3).await?;
    env.assert_only(&[(&web, 1), (&agent, 1)]).await?;
    // One each, though the names are cut.
    let mut names = Vec::new();
    for workload in workloads {
        let projection =
            eventually("its Projection", async || env.projection(workload).await).await?;
        ensure!(projection.spec.workload.name == workload.name());
        names.push(projection_name(workload.kind(), &workload.name()));
    }
    names.sort();
    names.dedup();
    ensure!(
        names.len() == 3 && names.iter().all(|name| name.len() <= LONGEST),
        "{names:?}"
    );
    until("its Event", true, async || {
        let events = env.events(&agent).await?;
        Ok(events.iter().any(|(reason, _)| reason == "ContentChanged"))
    })
    .await
}

/// A workload of each kind goes in the middle of its roll, and comes again.
async fn goes_in_the_middle(kind: WorkloadKind) -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    // Its Pods take their time to become ready, so that a roll has a middle.
    let web = Workload::new(kind, "web")
        .uses(app.volume())
        .ready_after("3s");
    let bystander = deployment("bystander").uses(app.volume());
    env.create_all(&[&policy("fast").fast(), &app, &web, &bystander])
        .await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&bystander).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    ensure!(
        !env.rolled_out_now(&web).await?.is_empty(),
        "it is over already"
    );
    let gone = env.delete(&web).await?;
    env.rolls(&bystander, 1).await?;
    env.rolled_out(&bystander).await?;
    operator.caught_up(&[&gone]).await?;
    // Its Projection goes with it.
    until("the Projection is gone", true, async || {
        Ok(env.projection(&web).await?.is_none())
    })
    .await?;
    env.assert_only(&[(&web, 1), (&bystander, 1)]).await?;

    // Under the same name it is another one: it starts with what there is.
    until("its Pods are gone", 0, async || {
        Ok(env.pods(&web).await?.len())
    })
    .await?;
    let made = env.create(&web).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&made]).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 1), (&bystander, 1)]).await?;
    let again = env.projection(&web).await?;
    let uid = again.map(|projection| projection.spec.workload.uid);
    let wanted = env.get(&web).await?["metadata"]["uid"]
        .as_str()
        .map(str::to_owned);
    ensure!(
        uid == wanted,
        "the Projection is of {uid:?}, not of {wanted:?}"
    );

    // And rolls like any other.
    let edit = env.set(&app, "a", "3").await?;
    env.rolls(&web, 2).await?;
    env.rolled_out(&web).await?;
    env.assert_started_after(&web, &edit).await?;
    // So does it after a restart in between.
    operator.restart().await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 2), (&bystander, 2)]).await
}

#[tokio::test]
async fn a_deployment_deleted_in_its_roll_and_made_again() -> Result {
    goes_in_the_middle(WorkloadKind::Deployment).await
}

#[tokio::test]
async fn a_stateful_set_deleted_in_its_roll_and_made_again() -> Result {
    goes_in_the_middle(WorkloadKind::StatefulSet).await
}

#[tokio::test]
async fn a_daemon_set_deleted_in_its_roll_and_made_again() -> Result {
    goes_in_the_middle(WorkloadKind::DaemonSet).await
}

/// Deleted and made again in one breath, while a change of it waits: what was
/// meant for the old one never reaches the new one.
#[tokio::test]
async fn a_workload_replaced_while_it_settles() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.volume());
    let slow = policy("slow").settle("3s").min_interval("0s");
    env.create_all(&[&slow, &app, &web]).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    env.set(&app, "a", "2").await?;
    operator.decided(&web, "Settling").await?;
    env.delete(&web).await?;
    let made = env.create(&web).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&made]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[]).await
}

/// One namespace goes, with objects that stay for a while. The other goes on.
#[tokio::test]
async fn a_namespace_that_is_terminating() -> Result {
    let env = Env::spanning(2).await?;
    let (here, there) = (&env.spaces[0], &env.spaces[1]);
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.volume());
    for space in [here, there] {
        space
            .create_all(&[&policy("fast").fast(), &app, &web])
            .await?;
        space.rolled_out(&web).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    let hold = json!({"metadata": {"finalizers": ["test.example.com/hold"]}});
    for held in [&app as &dyn Object, &web] {
        there.merge(held, hold.clone()).await?;
    }
    let namespace = object("v1", "Namespace", &there.namespace);
    there.delete(&namespace).await?;
    until("it is terminating", true, async || {
        Ok(there.get(&web).await?["metadata"]["deletionTimestamp"].is_string())
    })
    .await?;
    there.merge(&app, json!({"data": {"a": "2"}})).await?;

    for value in ["2", "3"] {
        let edit = here.set(&app, "a", value).await?;
        eventually("it rolls", async || {
            let rolled = env
                .roll_counts()?
                .get(&here.key(&web))
                .copied()
                .unwrap_or(0);
            ensure!(
                rolled.to_string() == (value.parse::<usize>()? - 1).to_string(),
                "{rolled}"
            );
            Ok(Some(()))
        })
        .await?;
        here.rolled_out(&web).await?;
        here.assert_started_after(&web, &edit).await?;
    }
    let rolls = env.roll_counts()?;
    ensure!(!rolls.contains_key(&there.key(&web)), "{rolls:?}");

    let free = json!({"metadata": {"finalizers": null}});
    for held in [&app as &dyn Object, &web] {
        there.merge(held, free.clone()).await?;
    }
    until("it is gone", false, async || there.exists(&namespace).await).await?;
    let edit = here.set(&app, "a", "4").await?;
    eventually("it rolls", async || {
        let rolled = env.roll_counts()?.get(&here.key(&web)).copied();
        ensure!(rolled == Some(3), "{rolled:?}");
        Ok(Some(()))
    })
    .await?;
    here.rolled_out(&web).await?;
    here.assert_started_after(&web, &edit).await?;
    operator.stop().await
}

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
    let api: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
        kube::Api::namespaced(account, &env.namespace);
    let nothing = kube::api::Patch::Merge(json!({"metadata": {"labels": {"probe": "1"}}}));
    let parameters = kube::api::PatchParams {
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
