//! What containers really see: for each Pod and edit of a table, what the processes see, what the
//! model of the kubelet (tests/kubelet) says and what Projsync says are one.

use std::collections::{BTreeMap, BTreeSet};

use ::kubelet::cases::{self, Case, Seen};
use ::kubelet::{Id, Kind, Pod, Source, Sources, TOKEN};
use anyhow::{Context as _, ensure};
use e2e::{Namespace, Report, Result, Workload, eventually, object, pod, workload_image};
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

/// A case in the cluster: a StatefulSet of one Pod, so that two never run at once.
struct Subject {
    case: Case,
    /// Goes after the names of its sources.
    suffix: String,
    set: Workload,
}

/// Fields whose `name` or `secretName` is that of a source.
const REFERENCES: [&str; 6] = [
    "configMap",
    "configMapKeyRef",
    "configMapRef",
    "secret",
    "secretKeyRef",
    "secretRef",
];

/// The spec with a suffix at each name of a source.
fn renamed(spec: &Value, suffix: &str) -> Value {
    match spec {
        Value::Array(items) => items.iter().map(|item| renamed(item, suffix)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let mut value = renamed(value, suffix);
                if REFERENCES.contains(&name.as_str()) {
                    for field in ["name", "secretName"] {
                        if let Some(source) = value[field].as_str() {
                            value[field] = json!(format!("{source}{suffix}"));
                        }
                    }
                }
                (name.clone(), value)
            };
            fields.iter().map(field).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Adds to a list of an object.
fn add(object: &mut Value, list: &str, item: Value) {
    match object[list].as_array_mut() {
        Some(items) => items.push(item),
        None => object[list] = json!([item]),
    }
}

/// The Pod of a case, whose containers tell what they see. An annotation is a file of it, for the
/// kubelet refreshes all volumes of a Pod that was changed.
fn spec(case: &Case, suffix: &str) -> Value {
    let given = renamed(&case.spec, suffix);
    let mut spec = pod(given["containers"][0].clone());
    let shared = json!({"name": "shared", "mountPath": "/shared"});
    add(&mut spec["containers"][0], "volumeMounts", shared.clone());
    spec["volumes"] = given["volumes"].clone();
    add(
        &mut spec,
        "volumes",
        json!({"name": "shared", "emptyDir": {}}),
    );
    let mark = json!({"path": "mark", "fieldRef": {"fieldPath": "metadata.annotations['mark']"}});
    let marks = json!({"name": "marks", "downwardAPI": {"items": [mark]}});
    add(&mut spec, "volumes", marks);
    let marks = json!({"name": "marks", "mountPath": "/marks"});
    add(&mut spec["containers"][0], "volumeMounts", marks);
    for given in given["initContainers"].as_array().into_iter().flatten() {
        let mut container = given.clone();
        container["image"] = json!(workload_image());
        if given["name"] == "sidecar" {
            container["args"] = json!(["serve"]);
            add(
                &mut container,
                "env",
                json!({"name": "PORT", "value": "8081"}),
            );
        } else {
            container["args"] = json!(["record", given["name"]]);
            add(&mut container, "volumeMounts", shared.clone());
        }
        add(&mut spec, "initContainers", container);
    }
    spec
}

// === Sources ===

fn source(id: &Id, name: &str) -> Value {
    let kind = match id.0 {
        Kind::ConfigMap => "ConfigMap",
        Kind::Secret => "Secret",
    };
    object("v1", kind, name)
}

/// What the API takes as `data` and `binaryData`.
fn data(id: &Id, source: &Source) -> Value {
    let encoded = |data: &BTreeMap<String, String>| {
        let each = data.iter();
        let each = each.map(|(key, text)| (key.clone(), json!(ByteString(text.clone().into()))));
        each.collect::<Map<_, _>>()
    };
    match id.0 {
        Kind::ConfigMap => {
            json!({"data": source.data, "binaryData": encoded(&source.binary_data)})
        }
        Kind::Secret => json!({"data": encoded(&source.data)}),
    }
}

/// Brings a case's sources from one content to another.
async fn change(namespace: &Namespace, suffix: &str, from: &Sources, to: &Sources) -> Result {
    let ids: BTreeSet<&Id> = from.keys().chain(to.keys()).collect();
    for id in ids {
        let named = source(id, &format!("{}{suffix}", id.1));
        match (from.get(id), to.get(id)) {
            (None, Some(new)) => {
                let mut created = named;
                for (field, keys) in data(id, new).as_object().into_iter().flatten() {
                    created[field] = keys.clone();
                }
                namespace.create(&created).await?;
            }
            (Some(_), None) => {
                namespace.delete(&named).await?;
            }
            (Some(old), Some(new)) if old != new => {
                let mut patch = data(id, new);
                let old = data(id, old);
                for (field, keys) in old.as_object().into_iter().flatten() {
                    for key in keys.as_object().into_iter().flatten().map(|(key, _)| key) {
                        if patch[field][key].is_null() {
                            patch[field][key] = Value::Null;
                        }
                    }
                }
                namespace.merge(&named, patch).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

// === What is seen ===

impl Subject {
    /// What the processes see, by container.
    async fn reports(&self) -> Result<BTreeMap<String, Report>> {
        let main = self.set.reports().await?.pop().context("no report")?;
        let mut reports = BTreeMap::new();
        for container in self.case.pod().init_containers {
            let report = if container.name == "sidecar" {
                self.set
                    .reports_on(8081)
                    .await?
                    .pop()
                    .context("no report")?
            } else {
                let path = format!("/shared/{}.json", container.name);
                serde_json::from_str(main.files.get(&path).context("no record")?)?
            };
            reports.insert(container.name, report);
        }
        reports.insert("main".to_owned(), main);
        Ok(reports)
    }

    async fn pod_name(&self) -> Result<String> {
        self.set.pod_names().await?.pop().context("no Pod")
    }

    /// What the model says of a Pod that starts now.
    async fn started(&self, sources: &str) -> Result<Pod> {
        let given = cases::given(&self.pod_name().await?);
        Ok(Pod::run(self.case.pod(), given, &cases::sources(sources))?)
    }

    /// Whether the processes see what the model says. Of an init container only what it saw at its
    /// start is known.
    async fn agrees(&self, pod: &Pod, at_start: &Pod) -> Result {
        let spec = self.case.pod();
        for (container, report) in self.reports().await? {
            let pod = if spec.ends_first(&container) {
                at_start
            } else {
                pod
            };
            let says = pod.seen(&container).context("it never started")?;
            let mut files: BTreeMap<String, String> = report
                .files
                .into_iter()
                .filter(|(path, _)| path.starts_with("/config/"))
                .collect();
            for (path, content) in &mut files {
                let is_token = says.files.get(path).is_some_and(|says| says == TOKEN);
                if is_token && !content.is_empty() {
                    TOKEN.clone_into(content);
                }
            }
            ensure!(
                files == says.files,
                "{container} sees {files:?}, not {:?}",
                says.files
            );
            for name in self.names().await? {
                let (sees, says) = (report.env.get(&name), says.variables.get(&name));
                ensure!(
                    sees == says,
                    "{container} has {name} as {sees:?}, not {says:?}"
                );
            }
        }
        Ok(())
    }

    /// The variables that some container has before or after the edit.
    async fn names(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for sources in [self.case.before, self.case.after] {
            let pod = self.started(sources).await?;
            for container in self.case.pod().all_containers() {
                let seen = pod.seen(&container.name).unwrap_or_default();
                names.extend(seen.variables.into_keys());
            }
        }
        Ok(names)
    }

    /// In which state Projsync has its Pod.
    async fn state(&self) -> Result<&'static str> {
        let projection = self.set.projection().await?;
        let states = ["fresh", "refreshing", "stale"];
        let found = states
            .into_iter()
            .find(|state| projection["pods"][state] == 1);
        found.with_context(|| projection["pods"].to_string())
    }
}

/// Runs cases side by side, in a namespace of their own.
async fn check(name: &str, cases: Vec<Case>) -> Result {
    let namespace = Namespace::create(name).await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let mut subjects = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let suffix = format!("-{number}");
        let before = cases::sources(case.before);
        change(&namespace, &suffix, &Sources::new(), &before).await?;
        let set = namespace
            .stateful_set(&format!("case{suffix}"), 1, &spec(&case, &suffix))
            .await?;
        subjects.push(Subject { case, suffix, set });
    }
    for subject in &subjects {
        let name = subject.case.name;
        subject.set.in_sync().await.context(name)?;
        let pod = subject.started(subject.case.before).await.context(name)?;
        subject.agrees(&pod, &pod).await.context(name)?;
    }

    // Nothing is rolled at first, so that running containers can be looked at.
    let policy = object("projsync.dev/v1alpha1", "SyncPolicy", "policy");
    namespace
        .merge(&policy, json!({"spec": {"suspend": true}}))
        .await?;
    for subject in &subjects {
        eventually("suspended", async || {
            let projection = subject.set.projection().await?;
            Ok((projection["policy"]["suspend"] == true).then_some(()))
        })
        .await?;
    }
    for Subject { case, suffix, .. } in &subjects {
        let (before, after) = (cases::sources(case.before), cases::sources(case.after));
        change(&namespace, suffix, &before, &after)
            .await
            .context(case.name)?;
    }
    for subject in &subjects {
        let case = &subject.case;
        let old = subject.started(case.before).await?;
        let mut refreshed = old.clone();
        refreshed.refresh_all(&cases::sources(case.after));
        let mut marks = 0;
        eventually(case.name, async || {
            marks += 1;
            let pod = object("v1", "Pod", &subject.pod_name().await?);
            let mark = json!({"metadata": {"annotations": {"mark": marks.to_string()}}});
            namespace.merge(&pod, mark).await?;
            subject.agrees(&refreshed, &old).await.map(Some)
        })
        .await?;
        let state = match case.seen {
            Seen::Never => "fresh",
            Seen::Live => "refreshing",
            Seen::AtStart => "stale",
        };
        eventually(case.name, async || {
            let found = subject.state().await?;
            ensure!(found == state, "{found}, not {state}");
            Ok(Some(()))
        })
        .await?;
    }

    namespace
        .merge(&policy, json!({"spec": {"suspend": false}}))
        .await?;
    let (unseen, seen): (Vec<&Subject>, Vec<&Subject>) = subjects
        .iter()
        .partition(|subject| subject.case.seen == Seen::Never);
    for (subjects, templates) in [(seen, 2), (unseen, 1)] {
        for subject in subjects {
            let name = subject.case.name;
            subject.set.rolled(templates).await.context(name)?;
            let pod = subject.started(subject.case.after).await.context(name)?;
            subject.agrees(&pod, &pod).await.context(name)?;
        }
    }
    namespace.done().await
}

#[tokio::test]
async fn variables_are_what_the_model_says() -> Result {
    check("kubelet-variables", cases::variables()).await
}

#[tokio::test]
async fn variables_of_several_sources_are_what_the_model_says() -> Result {
    check("kubelet-layers", cases::layers()).await
}

#[tokio::test]
async fn files_are_what_the_model_says() -> Result {
    check("kubelet-files", cases::files()).await
}

#[tokio::test]
async fn sub_paths_are_what_the_model_says() -> Result {
    check("kubelet-sub-paths", cases::sub_paths()).await
}

#[tokio::test]
async fn containers_see_what_the_model_says() -> Result {
    check("kubelet-containers", cases::containers()).await
}
