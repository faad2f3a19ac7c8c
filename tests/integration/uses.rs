//! What counts as projected: a change rolls exactly the workloads whose Pods see it.

use std::collections::BTreeSet;

use testkit::{
    Object, Result, Source, SourceKind, Use, Workload, WorkloadKind, config_map, policy, projected,
    secret,
};

use crate::env::Env;

/// The keys of both sources under test. In a ConfigMap `bin` lies in `binaryData`.
const KEYS: [&str; 4] = ["a", "b", "c", "bin"];

/// A workload for each case, and what it projects of `app`.
struct Case {
    name: &'static str,
    uses: fn(&Source, &Source) -> Vec<Use>,
    keys: &'static [&'static str],
}

const fn case(
    name: &'static str,
    uses: fn(&Source, &Source) -> Vec<Use>,
    keys: &'static [&'static str],
) -> Case {
    Case { name, uses, keys }
}

const CASES: &[Case] = &[
    // Volumes, mounted as directories.
    case("volume", |app, _| vec![app.volume()], &KEYS),
    case(
        "volume-optional",
        |app, _| vec![app.volume().optional()],
        &KEYS,
    ),
    case("items", |app, _| vec![app.volume().items(&["a"])], &["a"]),
    case(
        "items-path",
        |app, _| vec![app.volume().item("b", "dir/x")],
        &["b"],
    ),
    case(
        "items-binary",
        |app, _| vec![app.volume().items(&["bin"])],
        &["bin"],
    ),
    case("projected", |app, _| vec![app.projected()], &KEYS),
    case(
        "projected-items",
        |app, _| vec![app.projected().items(&["a", "c"])],
        &["a", "c"],
    ),
    case(
        "projected-both",
        |app, other| vec![projected(&[other, app])],
        &KEYS,
    ),
    // The other has the same keys, but for `bin`.
    case(
        "projected-under",
        |app, other| vec![projected(&[app, other])],
        &["bin"],
    ),
    // Volumes that nobody mounts.
    case("unmounted", |app, _| vec![app.volume().unmounted()], &[]),
    case(
        "unmounted-projected",
        |app, _| vec![app.projected().unmounted()],
        &[],
    ),
    // Parts of volumes.
    case("file", |app, _| vec![app.volume().sub_path("a")], &["a"]),
    case(
        "file-binary",
        |app, _| vec![app.volume().sub_path("bin")],
        &["bin"],
    ),
    case(
        "file-projected",
        |app, _| vec![app.projected().sub_path("b")],
        &["b"],
    ),
    case(
        "file-unclean",
        |app, _| vec![folders(app).sub_path("./conf//a")],
        &["a"],
    ),
    // A folder is emptied by any change of its volume.
    case(
        "folder",
        |app, _| vec![folders(app).sub_path("conf")],
        &["a", "b", "c"],
    ),
    case(
        "folder-unclean",
        |app, _| vec![folders(app).sub_path("conf/")],
        &["a", "b", "c"],
    ),
    case(
        "folder-init",
        |app, _| vec![folders(app).sub_path("conf").in_init()],
        &["a", "b"],
    ),
    case(
        "expression",
        |app, _| vec![app.volume().sub_path_expr("$(NAME)")],
        &KEYS,
    ),
    // Environment variables.
    case("env", |app, _| vec![app.env("A", "a")], &["a"]),
    case(
        "env-optional",
        |app, _| vec![app.env("A", "b").optional()],
        &["b"],
    ),
    case(
        "env-two",
        |app, _| vec![app.env("A", "a"), app.env("B", "b")],
        &["a", "b"],
    ),
    case("env-from", |app, _| vec![app.env_from("")], IN_ENVIRONMENT),
    case(
        "env-from-prefix",
        |app, _| vec![app.env_from("APP_")],
        IN_ENVIRONMENT,
    ),
    // `APP_a` is the container's own variable.
    case(
        "env-from-hidden",
        |app, _| vec![app.env_from("APP_").optional(), app.env("APP_a", "b")],
        HIDDEN,
    ),
    case(
        "env-from-under",
        |app, other| vec![app.env_from(""), other.env_from("")],
        &["bin"],
    ),
    case(
        "env-from-prefix-keeps",
        |app, other| vec![app.env_from("APP_"), other.env("a", "a")],
        IN_ENVIRONMENT,
    ),
    // Containers.
    case("init", |app, _| vec![app.env("A", "a").in_init()], &["a"]),
    case(
        "init-volume",
        |app, _| vec![app.volume().items(&["b"]).in_init()],
        &["b"],
    ),
    case(
        "sidecar",
        |app, _| vec![app.env("A", "a").in_sidecar()],
        &["a"],
    ),
    case(
        "sidecar-volume",
        |app, _| vec![app.volume().items(&["c"]).in_sidecar()],
        &["c"],
    ),
    case(
        "containers",
        |app, _| {
            vec![
                app.env("A", "a"),
                app.volume().sub_path("b").in_sidecar(),
                app.projected().items(&["c"]).in_init(),
            ]
        },
        &["a", "b", "c"],
    ),
    // A workload of another source.
    case(
        "bystander",
        |_, other| vec![other.volume(), other.env_from("")],
        &[],
    ),
];

/// All of `data`; of a ConfigMap without `bin`: see [`Case::projects`].
const IN_ENVIRONMENT: &[&str] = &["a", "b", "c", "bin"];

/// The same without `a`.
const HIDDEN: &[&str] = &["b", "c", "bin"];

/// `conf/a`, `conf/b` and `rest/c`.
fn folders(app: &Source) -> Use {
    app.volume()
        .item("a", "conf/a")
        .item("b", "conf/b")
        .item("c", "rest/c")
}

impl Case {
    fn projects(&self, source: SourceKind, key: &str) -> bool {
        // Only volumes see binaryData.
        let environment = self.name.starts_with("env-from");
        self.keys.contains(&key)
            && !(key == "bin" && environment && source == SourceKind::ConfigMap)
    }
}

async fn check(kind: WorkloadKind, source: SourceKind) -> Result {
    let env = Env::new().await?;
    let filled = |source: Source| source.data("a", "1").data("b", "1").data("c", "1");
    let app = filled(Source::new(source, "app")).binary("bin", b"\xff1");
    let other = filled(match source {
        SourceKind::ConfigMap => secret("other"),
        SourceKind::Secret => config_map("other"),
    });
    env.create_all(&[&policy("fast").fast(), &app, &other])
        .await?;
    let mut workloads = Vec::new();
    for case in CASES {
        let uses = (case.uses)(&app, &other).into_iter();
        let workload = uses.fold(Workload::new(kind, case.name), Workload::uses);
        env.create(&workload).await?;
        workloads.push(workload);
    }
    for workload in &workloads {
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(CASES.len()).await?;

    let mut wanted = vec![0; CASES.len()];
    for key in KEYS {
        let edit = match (key, source) {
            ("bin", SourceKind::ConfigMap) => env.set_binary(&app, key, b"\xff2").await?,
            _ => env.set(&app, key, "2").await?,
        };
        operator.caught_up(&[&edit]).await?;
        for (case, count) in CASES.iter().zip(&mut wanted) {
            *count += usize::from(case.projects(source, key));
        }
        let rolls: Vec<_> = workloads.iter().zip(wanted.iter().copied()).collect();
        env.assert_only(&rolls)
            .await
            .map_err(|error| error.context(format!("after {key}")))?;
        operator.all_in_sync(CASES.len()).await?;
    }
    // A key that nobody selects by name is seen by those that select none.
    let edit = env.set(&app, "new", "1").await?;
    operator.caught_up(&[&edit]).await?;
    let all: BTreeSet<&str> = CASES
        .iter()
        .filter(|case| {
            let under = case.name.ends_with("-under");
            under || case.keys.len() == KEYS.len() || case.keys == HIDDEN
        })
        .map(|case| case.name)
        .collect();
    for (case, count) in CASES.iter().zip(&mut wanted) {
        *count += usize::from(all.contains(case.name));
    }
    let rolls: Vec<_> = workloads.iter().zip(wanted).collect();
    env.assert_only(&rolls).await?;
    for (workload, count) in rolls {
        env.rolled_out(workload).await?;
        assert_eq!(
            env.templates(workload).await?,
            count + 1,
            "{}",
            workload.name()
        );
    }
    Ok(())
}

#[tokio::test]
async fn of_a_config_map_by_deployments() -> Result {
    check(WorkloadKind::Deployment, SourceKind::ConfigMap).await
}

#[tokio::test]
async fn of_a_config_map_by_stateful_sets() -> Result {
    check(WorkloadKind::StatefulSet, SourceKind::ConfigMap).await
}

#[tokio::test]
async fn of_a_config_map_by_daemon_sets() -> Result {
    check(WorkloadKind::DaemonSet, SourceKind::ConfigMap).await
}

#[tokio::test]
async fn of_a_secret_by_deployments() -> Result {
    check(WorkloadKind::Deployment, SourceKind::Secret).await
}

#[tokio::test]
async fn of_a_secret_by_stateful_sets() -> Result {
    check(WorkloadKind::StatefulSet, SourceKind::Secret).await
}

#[tokio::test]
async fn of_a_secret_by_daemon_sets() -> Result {
    check(WorkloadKind::DaemonSet, SourceKind::Secret).await
}
