//! Every way in which a Pod sees a ConfigMap or Secret, in one Deployment: a changed key
//! reaches the processes, and nobody who uses the Deployment notices.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use e2e::{
    Namespace, Report, Result, Workload, env, env_from, eventually, pod, volume, workload_image,
};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{Object as _, Source};

const REPLICAS: usize = 2;

/// The ConfigMaps and Secret of the Deployment, all of whose values are `old` at first.
struct Sources {
    app: Source,
    plain: Source,
    prefixed: Source,
    secret: Source,
}

impl Sources {
    async fn create(namespace: &Namespace) -> Result<Self> {
        let values = |keys: &[&str]| {
            let values = keys.iter().map(|key| ((*key).to_owned(), json!("old")));
            Value::Object(values.collect())
        };
        Ok(Self {
            app: namespace
                .config_map("app", values(&["item", "sub", "init", "other"]))
                .await?,
            plain: namespace.config_map("plain", values(&["file"])).await?,
            prefixed: namespace.config_map("prefixed", values(&["KEY"])).await?,
            secret: namespace
                .secret("secret", values(&["item", "variable", "sidecar"]))
                .await?,
        })
    }

    /// A Pod that sees them in all ways.
    fn pod(&self) -> Value {
        let mut pod = pod(json!({
            "env": [env(&self.secret, "VARIABLE", "variable"), {"name": "DRAIN", "value": "4s"}],
            "envFrom": [env_from(&self.prefixed, "ALL_")],
            "volumeMounts": [
                {"name": "projected", "mountPath": "/config/projected"},
                {"name": "plain", "mountPath": "/config/plain"},
                {"name": "app", "mountPath": "/config/sub", "subPath": "sub"},
                {"name": "shared", "mountPath": "/shared"},
            ],
        }));
        pod["initContainers"] = json!([
            {"name": "init", "image": workload_image(), "args": ["record", "init"],
             "env": [env(&self.app, "INIT", "init")],
             "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
            {"name": "sidecar", "image": workload_image(), "args": ["serve"],
             "restartPolicy": "Always",
             "env": [{"name": "PORT", "value": "8081"}],
             "volumeMounts": [{"name": "sidecar", "mountPath": "/config/sidecar"}]},
        ]);
        pod["volumes"] = json!([
            {"name": "shared", "emptyDir": {}},
            {"name": "projected", "projected": {"sources": [
                {"secret": {"name": "secret", "items": [{"key": "item", "path": "secret/item"}]}},
                {"configMap": {"name": "app", "items": [{"key": "item", "path": "item"}]}},
                {"downwardAPI": {"items":
                    [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                {"serviceAccountToken": {"path": "token"}},
            ]}},
            volume(&self.plain),
            volume(&self.app),
            {"name": "sidecar", "secret":
                {"secretName": "secret", "items": [{"key": "sidecar", "path": "file"}]}},
        ]);
        pod
    }
}

/// One way: the key that changes, and where a process sees it.
struct Way {
    source: fn(&Sources) -> &Source,
    key: &'static str,
    seen: fn(&Seen) -> Option<&String>,
}

const WAYS: &[Way] = &[
    // Items of a projected volume.
    Way {
        source: |sources| &sources.secret,
        key: "item",
        seen: |seen| seen.main.files.get("/config/projected/secret/item"),
    },
    Way {
        source: |sources| &sources.app,
        key: "item",
        seen: |seen| seen.main.files.get("/config/projected/item"),
    },
    // A plain volume.
    Way {
        source: |sources| &sources.plain,
        key: "file",
        seen: |seen| seen.main.files.get("/config/plain/file"),
    },
    // A subPath.
    Way {
        source: |sources| &sources.app,
        key: "sub",
        seen: |seen| seen.main.files.get("/config/sub"),
    },
    // A variable.
    Way {
        source: |sources| &sources.secret,
        key: "variable",
        seen: |seen| seen.main.env.get("VARIABLE"),
    },
    // All keys as variables, with a prefix.
    Way {
        source: |sources| &sources.prefixed,
        key: "KEY",
        seen: |seen| seen.main.env.get("ALL_KEY"),
    },
    // An init container.
    Way {
        source: |sources| &sources.app,
        key: "init",
        seen: |seen| seen.init.env.get("INIT"),
    },
    // A sidecar.
    Way {
        source: |sources| &sources.secret,
        key: "sidecar",
        seen: |seen| seen.sidecar.files.get("/config/sidecar/file"),
    },
];

/// What the containers of one Pod see.
struct Seen {
    main: Report,
    sidecar: Report,
    /// What the init container recorded.
    init: Report,
}

async fn seen(web: &Workload) -> Result<Vec<Seen>> {
    let mains = web.reports().await?.into_iter();
    let both = mains.zip(web.reports_on(8081).await?);
    both.map(|(main, sidecar)| {
        let record = main.files.get("/shared/init.json").context("no record")?;
        let init = serde_json::from_str(record)?;
        Ok(Seen {
            main,
            sidecar,
            init,
        })
    })
    .collect()
}

/// What a probe through a Service met with.
#[derive(Deserialize)]
struct Probe {
    answered: u64,
    failed: u64,
    failures: Option<Vec<String>>,
}

impl Probe {
    /// Puts a Service before the Deployment `web`, and a Pod that asks it all the time.
    async fn start(namespace: &Namespace) -> Result {
        namespace
            .create(&json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
            }))
            .await?;
        let url = format!("http://web.{}.svc.cluster.local/ready", namespace.namespace);
        namespace
            .create(&json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"},
                "spec": pod(json!({"args": ["probe", url]})),
            }))
            .await?;
        eventually("the Service answers", async || {
            Ok((Self::results(namespace).await?.answered > 0).then_some(()))
        })
        .await
    }

    async fn results(namespace: &Namespace) -> Result<Self> {
        Ok(serde_json::from_str(
            &namespace.ask("probe", 8080, "probe").await?,
        )?)
    }
}

#[tokio::test]
async fn a_changed_key_reaches_the_process_in_every_way() -> Result {
    let namespace = Namespace::create("ways").await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let sources = Sources::create(&namespace).await?;
    let web = namespace
        .deployment("web", REPLICAS, &sources.pod())
        .await?;
    web.in_sync().await?;
    for (pod, seen) in web.pod_names().await?.iter().zip(seen(&web).await?) {
        for way in WAYS {
            assert_eq!((way.seen)(&seen).map(String::as_str), Some("old"));
        }
        assert_eq!(&seen.main.files["/config/projected/name"], pod);
        ensure!(!seen.main.files["/config/projected/token"].is_empty());
    }
    Probe::start(&namespace).await?;
    let before = Probe::results(&namespace).await?;

    let done = AtomicBool::new(false);
    let change = async {
        let changed = change_each(&namespace, &web, &sources).await;
        done.store(true, Ordering::Relaxed);
        changed
    };
    let ((), fewest) = tokio::try_join!(change, fewest_available(&web, &done))?;
    ensure!(
        fewest >= REPLICAS as u64,
        "only {fewest} Pods were available at times"
    );

    let after = Probe::results(&namespace).await?;
    ensure!(
        after.failed == before.failed,
        "through the Service: {:?}",
        after.failures
    );
    ensure!(after.answered > before.answered);
    namespace.done().await
}

/// Changes one key after the other; each time one roll brings it to all Pods.
async fn change_each(namespace: &Namespace, web: &Workload, sources: &Sources) -> Result {
    for (number, way) in WAYS.iter().enumerate() {
        let (source, value) = ((way.source)(sources), format!("new {number}"));
        let what = format!("{}/{}: {}", source.kind().as_str(), source.name(), way.key);
        namespace.set(source, way.key, &value).await?;
        web.rolled(number + 2).await.context(what.clone())?;
        for seen in seen(web).await? {
            assert_eq!((way.seen)(&seen), Some(&value), "{what}");
        }
        let projection = web.projection().await?;
        assert_eq!(projection["rolls"][0]["causes"], json!([what]));
        assert_eq!(projection["pods"]["stale"], 0, "{what}");
    }
    Ok(())
}

/// The fewest Pods that were available at a time, until it is done.
async fn fewest_available(web: &Workload, done: &AtomicBool) -> Result<u64> {
    let mut fewest = u64::MAX;
    while !done.load(Ordering::Relaxed) {
        let available = &web.object().await?["status"]["availableReplicas"];
        fewest = fewest.min(available.as_u64().unwrap_or_default());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(fewest)
}
