//! The largest and the longest that the API server takes, and what goes or is
//! refused.

mod full;
mod gone;
mod refused;

use anyhow::{Context as _, ensure};
use testkit::{
    Object, Operator, Result, Source, Use, Workload, config_map, daemon_set, deployment,
    eventually, policy, secret, until,
};

use crate::env::{Env, Told as _, projection_of};

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
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;
    edit_rolls_once(&env, &operator, &many, "key-500", "2", &workloads).await?;
    // Of so many keys only the first are told apart: of the others the source is named.
    names(&env, &all, "ConfigMap/many changed").await?;
    names(&env, &one, "ConfigMap/many: key-500 changed").await?;
    // What is kept of it is small, whatever the number of keys.
    let projection = env.projection(&all).await?.context("no Projection")?;
    let size = serde_json::to_vec(&projection)?.len();
    ensure!(size < 64 << 10, "a Projection of {size} bytes");
    Ok(())
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
        names.push(projection_of(workload)?.name());
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
