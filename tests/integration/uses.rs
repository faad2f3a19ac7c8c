//! What counts as projected: a change rolls exactly the workloads whose Pods see it. (Each
//! way to see a key is a case of `core::project::reference` and `core::content::digest`.)

use testkit::{
    Object as _, Result, Source, SourceKind, Use, Workload, config_map, daemon_set, deployment,
    policy, projected, secret, stateful_set,
};

use crate::env::Env;

/// Makes a workload of a name, how it uses `app` (and another source), and the keys of `app`
/// that it sees.
type Case = (
    fn(&str) -> Workload,
    fn(&Source, &Source) -> Vec<Use>,
    &'static str,
);

const CASES: &[Case] = &[
    (deployment, |app, _| vec![app.volume().items(&["a"])], "a"),
    (
        stateful_set,
        |app, other| vec![projected(&[other, app])],
        "abc",
    ),
    (
        daemon_set,
        |app, _| vec![app.projected().sub_path("b")],
        "b",
    ),
    (stateful_set, |app, _| vec![app.env("C", "c")], "c"),
    // `APP_a` is the container's own variable.
    (
        daemon_set,
        |app, _| vec![app.env_from("APP_"), app.env("APP_a", "b")],
        "bc",
    ),
    (
        deployment,
        |app, _| {
            vec![
                app.env("A", "a").in_init(),
                app.volume().items(&["c"]).in_sidecar(),
            ]
        },
        "ac",
    ),
    // Another source gives the same files later.
    (deployment, |app, other| vec![projected(&[app, other])], ""),
    // A volume that nobody mounts, and a workload of another source.
    (deployment, |app, _| vec![app.volume().unmounted()], ""),
    (deployment, |_, other| vec![other.env_from("")], ""),
];

async fn check(source: SourceKind) -> Result {
    let env = Env::new().await?;
    let filled = |source: Source| source.data("a", "1").data("b", "1").data("c", "1");
    let (app, other) = (
        Source::new(source, "app"),
        match source {
            SourceKind::ConfigMap => secret("other"),
            SourceKind::Secret => config_map("other"),
        },
    );
    let (app, other) = (filled(app), filled(other));
    env.create_all(&[&policy("fast").fast(), &app, &other])
        .await?;
    let mut workloads = Vec::new();
    for (number, (make, uses, keys)) in CASES.iter().enumerate() {
        let uses = uses(&app, &other).into_iter();
        let workload = uses.fold(make(&format!("case-{number}")), Workload::uses);
        env.create(&workload).await?;
        workloads.push((workload, *keys));
    }
    for (workload, _) in &workloads {
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(CASES.len()).await?;

    let mut changed = String::new();
    for key in ["a", "b", "c"] {
        let edit = env.set(&app, key, "2").await?;
        operator.caught_up(&[&edit]).await?;
        changed.push_str(key);
        let seen = |keys: &str| changed.chars().filter(|key| keys.contains(*key)).count();
        let rolls = workloads
            .iter()
            .map(|(workload, keys)| (workload, seen(keys)));
        env.assert_only(&rolls.collect::<Vec<_>>()).await?;
        operator.all_in_sync(CASES.len()).await?;
    }
    for (workload, keys) in &workloads {
        env.rolled_out(workload).await?;
        assert_eq!(
            env.templates(workload).await?,
            keys.len() + 1,
            "{}",
            workload.name()
        );
    }
    Ok(())
}

#[tokio::test]
async fn of_a_config_map() -> Result {
    check(SourceKind::ConfigMap).await
}

#[tokio::test]
async fn of_a_secret() -> Result {
    check(SourceKind::Secret).await
}
