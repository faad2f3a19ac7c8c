//! Sees all that happens in a namespace, apart from the operator, and tells the model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result as Anyhow, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Client, Resource};
use parking_lot::Mutex;
use projsync::api::names::REVISION_ANNOTATION;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use testkit::{Result, object, owned_by};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::model::{Broken, Data, Gap, Model, Policy, Rv, Second, Workload, stored_until, told};
use super::shapes::{IMAGE, SHAPE, uses};
use crate::env::Env;

/// So old an event must be until nothing older can come.
const SETTLED: Duration = Duration::from_secs(2);

/// What happened longer ago the operator knows, unless it did not run.
const KNOWN: Duration = Duration::from_secs(5);

/// How late the operator may be after it was started, in seconds.
const STARTED: Second = 35;

/// An event of a watch.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    second: Second,
    deleted: bool,
    object: Value,
}

/// What only the script knows.
#[derive(Clone, Debug)]
pub(super) enum Note {
    Policy(Policy),
    /// The operator may be late in these seconds.
    Slow(Second, Second),
    /// It knows nothing from these seconds of a workload.
    Gap(String, Second, Second),
    /// In words, for the trace.
    Text(String),
}

/// Sees all that happens.
pub(super) struct Observer {
    inner: Arc<Mutex<Inner>>,
    _watches: JoinSet<()>,
}

#[derive(Default)]
struct Inner {
    seen: BTreeMap<Rv, Seen>,
    notes: BTreeMap<Rv, Vec<Note>>,
    /// When each version came.
    versions: Vec<(Instant, Rv)>,
    model: Model,
    told: Told,
    broken: Option<Broken>,
    trace: Vec<String>,
}

/// What the model has been told.
#[derive(Default)]
struct Told {
    sources: BTreeMap<String, (Option<Data>, Second)>,
    /// Shape, image and revision of each workload's template.
    templates: BTreeMap<String, (u64, String, Option<String>)>,
    pods: BTreeMap<String, (Rv, Option<String>)>,
    gone: BTreeSet<String>,
    slow: Vec<(Rv, Second, Second)>,
    rolls: usize,
}

impl Observer {
    pub(super) async fn begin(env: &Env) -> Result<Self> {
        let inner = Arc::<Mutex<Inner>>::default();
        let mut watches = JoinSet::new();
        let (client, namespace) = (&env.client, &env.namespace);
        watch::<ConfigMap>(client, namespace, "ConfigMap", &inner, &mut watches).await?;
        watch::<Secret>(client, namespace, "Secret", &inner, &mut watches).await?;
        watch::<Deployment>(client, namespace, "Deployment", &inner, &mut watches).await?;
        watch::<StatefulSet>(client, namespace, "StatefulSet", &inner, &mut watches).await?;
        watch::<DaemonSet>(client, namespace, "DaemonSet", &inner, &mut watches).await?;
        watch::<Pod>(client, namespace, "Pod", &inner, &mut watches).await?;
        Ok(Self {
            inner,
            _watches: watches,
        })
    }

    /// Notes what the script did, in a version or (`None`) after all seen so far.
    pub(super) fn note(&self, rv: Option<Rv>, note: Note) {
        let mut inner = self.inner.lock();
        let newest = inner.versions.iter().map(|(_, rv)| *rv).max();
        let rv = rv.or(newest).unwrap_or(0);
        inner.notes.entry(rv).or_default().push(note);
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.inner.lock().trace.clone()
    }

    /// Says how many rolls there were, if all is at rest and as it should be.
    pub(super) async fn judge(&self, env: &Env) -> Result<usize> {
        let names: Vec<String> = {
            let mut inner = self.inner.lock();
            inner.feed();
            if let Some(broken) = &inner.broken {
                return Err(anyhow!("{broken}"));
            }
            ensure!(inner.seen.is_empty(), "events still come");
            inner.told.templates.keys().cloned().collect()
        };
        for name in names {
            let (kind, plain) = name.split_once('/').context("no kind")?;
            let projection = format!("{}-{plain}", kind.to_lowercase());
            let projection = object("projsync.dev/v1alpha1", "Projection", &projection);
            let said = match env.exists(&projection).await? {
                true => Some(told(&env.get(&projection).await?)),
                false => None,
            };
            let inner = self.inner.lock();
            let judged = inner.model.at_rest(&name, said.as_ref());
            judged.map_err(|broken| anyhow!("{broken}"))?;
        }
        Ok(self.inner.lock().told.rolls)
    }
}

/// Watches a kind from now on.
async fn watch<K>(
    client: &Client,
    namespace: &str,
    kind: &'static str,
    inner: &Arc<Mutex<Inner>>,
    watches: &mut JoinSet<()>,
) -> Result
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Serialize
        + Send
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default()).await?;
    let mut from = list.metadata.resource_version.context("no version")?;
    // What there is already (kube-root-ca.crt) is of no interest.
    let inner = inner.clone();
    watches.spawn(async move {
        loop {
            let Ok(events) = api.watch(&WatchParams::default(), &from).await else {
                continue;
            };
            pin_mut!(events);
            while let Some(Ok(event)) = events.next().await {
                let (deleted, object) = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => (false, object),
                    WatchEvent::Deleted(object) => (true, object),
                    WatchEvent::Bookmark(_) => continue,
                    WatchEvent::Error(_) => break,
                };
                from = object.meta().resource_version.clone().unwrap_or_default();
                let mut object = serde_json::to_value(object).unwrap();
                object["kind"] = kind.into();
                let rv = from.parse().unwrap();
                let mut inner = inner.lock();
                inner.versions.push((Instant::now(), rv));
                let seen = Seen {
                    at: Instant::now(),
                    second: jiff::Timestamp::now().as_second(),
                    deleted,
                    object,
                };
                inner.seen.insert(rv, seen);
            }
        }
    });
    Ok(())
}

// === To the model ===

impl Inner {
    /// Tells the model what happened, in the order of versions, as far as nothing
    /// older can come.
    fn feed(&mut self) {
        while let Some((rv, seen)) = self.seen.first_key_value() {
            if self.seen.values().any(|seen| seen.at.elapsed() < SETTLED) {
                return;
            }
            let (rv, seen) = (*rv, seen.clone());
            self.seen.remove(&rv);
            self.tell_notes(rv);
            let kind = seen.object["kind"].as_str().unwrap_or_default().to_owned();
            match kind.as_str() {
                "ConfigMap" | "Secret" => self.tell_source(&kind, rv, &seen),
                "Pod" => self.tell_pod(rv, &seen),
                _ => self.tell_workload(&kind, rv, &seen),
            }
        }
        self.tell_notes(Rv::MAX);
    }

    /// What was noted before this version.
    fn tell_notes(&mut self, rv: Rv) {
        let later = self.notes.split_off(&rv);
        let notes = std::mem::replace(&mut self.notes, later);
        for (at, notes) in notes {
            notes.into_iter().for_each(|note| self.tell_note(at, note));
        }
    }

    fn tell_note(&mut self, at: Rv, note: Note) {
        if !matches!(note, Note::Text(_)) {
            self.trace.push(format!("v{at} {note:?}"));
        }
        match note {
            Note::Policy(policy) => {
                let names: Vec<String> = self.told.templates.keys().cloned().collect();
                for name in names {
                    self.model.policy(&name, at, Some(policy));
                }
            }
            Note::Slow(start, end) => {
                self.model.slow_reads(start..=end);
                self.told.slow.push((at, start, end));
            }
            Note::Gap(name, start, end) => {
                let seconds = start..=end;
                let source = None;
                self.model.gap(&name, Gap { seconds, source });
            }
            Note::Text(text) => self.trace.push(format!("v{at} {text}")),
        }
    }

    fn tell_source(&mut self, kind: &str, rv: Rv, seen: &Seen) {
        let name = format!("{kind}/{}", text(&seen.object["metadata"]["name"]));
        let data = (!seen.deleted).then(|| data(kind, &seen.object));
        let before = self.told.sources.get(&name).cloned();
        let (old, last) = before.unwrap_or((None, Second::MIN));
        if old == data {
            return;
        }
        let stamp = if seen.deleted {
            seen.second
        } else {
            stamp(&seen.object)
        };
        // An edit is of the second that its managedFields tell, if they tell of it.
        let second = if stamp != last && stamp != Second::MAX {
            stamp
        } else {
            seen.second
        };
        self.trace
            .push(format!("v{rv} ({second}) {name}: {data:?}"));
        self.told
            .sources
            .insert(name.clone(), (data.clone(), stamp));
        self.model.source(&name, rv, second, stamp, data);
    }

    fn tell_workload(&mut self, kind: &str, rv: Rv, seen: &Seen) {
        let object = &seen.object;
        let name = format!("{kind}/{}", text(&object["metadata"]["name"]));
        let (shape, image, revision) = template(&object["spec"]["template"]["metadata"]);
        let before = self.told.templates.get(&name).cloned();
        if let Some((old_shape, old_image, old)) = &before
            && (*old_shape != shape || *old_image != image || *old != revision)
        {
            let ours = owned_by(object, "projsync").iter().any(|owned| {
                let annotations = &owned["f:spec"]["f:template"]["f:metadata"]["f:annotations"];
                annotations[format!("f:{REVISION_ANNOTATION}")].is_object()
            });
            let same = *old_shape == shape && *old_image == image;
            if same && ours {
                self.tell_roll(&name, rv, seen);
            } else if same {
                self.model.annotation_removed(&name);
            } else {
                self.model.template_changed(&name);
            }
            if *old_shape != shape {
                let seconds = Second::MIN..=seen.second + 3;
                let source = None;
                self.model.gap(&name, Gap { seconds, source });
            }
            self.trace.push(format!(
                "v{rv} {name}: {shape} {image} {revision:?} ours={ours}"
            ));
        }
        let strategy = &object["spec"]["updateStrategy"]["type"];
        let workload = Workload {
            template: format!("{shape} {image} {revision:?}"),
            uses: uses(shape),
            paused: object["spec"]["paused"] == true,
            on_delete: strategy == "OnDelete",
            ordered: false,
        };
        self.model.workload(&name, rv, workload);
        self.told.templates.insert(name, (shape, image, revision));
    }

    fn tell_roll(&mut self, name: &str, rv: Rv, seen: &Seen) {
        let known = self
            .versions
            .iter()
            .filter(|(at, _)| seen.at.duration_since(*at) > KNOWN);
        let known = known.map(|(_, rv)| *rv).max().unwrap_or(0);
        let slow = self.told.slow.iter();
        let slow = slow.filter(|(_, start, end)| (start..=end).contains(&&seen.second));
        let known = slow
            .map(|(rv, ..)| *rv)
            .min()
            .map_or(known, |rv| known.min(rv));
        self.told.rolls += 1;
        let judged = self.model.rolled(name, rv, seen.second, known);
        if let Err(broken) = judged {
            self.trace.push(format!("v{rv} BROKEN: {broken}"));
            self.broken.get_or_insert(broken);
        }
    }

    fn tell_pod(&mut self, rv: Rv, seen: &Seen) {
        let (metadata, status) = (&seen.object["metadata"], &seen.object["status"]);
        let uid = text(&metadata["uid"]);
        let over = seen.deleted || metadata["deletionTimestamp"].is_string();
        if over {
            if self.told.gone.insert(uid.clone()) {
                self.trace
                    .push(format!("v{rv} Pod {} goes", text(&metadata["name"])));
                self.model.pod_gone(&uid);
            }
            return;
        }
        if !self.told.pods.contains_key(&uid) {
            let app = text(&metadata["labels"]["app"]);
            let ends = format!("/{app}");
            let names = self.told.templates.keys();
            let Some(workload) = names
                .into_iter()
                .find(|name| name.ends_with(&ends))
                .cloned()
            else {
                return;
            };
            let (shape, image, revision) = template(metadata);
            let name = text(&metadata["name"]);
            let id = format!("{shape} {image} {revision:?}");
            let second = second(&metadata["creationTimestamp"]);
            self.trace
                .push(format!("v{rv} ({second}) Pod {name} of {workload}: {id}"));
            let told = (id.as_str(), &*uses(shape));
            self.model.pod(&workload, (&name, &uid), told, rv, second);
            self.told.pods.insert(uid.clone(), (rv, None));
        }
        let started = &status["containerStatuses"][0]["state"]["running"]["startedAt"];
        let Some(started) = started.as_str().map(str::to_owned) else {
            return;
        };
        let Some((created, known)) = self.told.pods.get_mut(&uid) else {
            return;
        };
        if known.as_ref() != Some(&started) {
            let at = second(&Value::String(started.clone()));
            self.model.pod_started(&uid, *created..=rv, at);
            self.trace.push(format!(
                "v{rv} ({at}) Pod {} starts",
                text(&metadata["name"])
            ));
            *known = Some(started);
        }
    }
}

/// From when on a Projection tells of each Pod what it has.
pub(super) fn remembered_until(projection: &Value) -> Second {
    let written = projection["metadata"]["managedFields"].as_array();
    let written = written.into_iter().flatten();
    let written = written.map(|entry| second(&entry["time"])).max();
    let written = written.map_or(Second::MIN, |second| second - 5);
    written.min(stored_until(projection))
}

/// How late the operator may be that is started now.
pub(super) fn slow_until(now: Second) -> Second {
    now + STARTED
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn second(time: &Value) -> Second {
    let parsed: Anyhow<jiff::Timestamp> = text(time).parse().map_err(Into::into);
    parsed.map_or(0, jiff::Timestamp::as_second)
}

fn data(kind: &str, object: &Value) -> Data {
    let entries = object["data"].as_object().into_iter().flatten();
    let value = |value: &Value| match kind {
        "Secret" => String::from_utf8(STANDARD.decode(text(value)).unwrap()).unwrap(),
        _ => text(value),
    };
    entries
        .map(|(key, held)| (key.clone(), value(held)))
        .collect()
}

/// The newest time that managedFields tell of data.
fn stamp(object: &Value) -> Second {
    let entries = || {
        object["metadata"]["managedFields"]
            .as_array()
            .into_iter()
            .flatten()
    };
    if entries().next().is_none() {
        return Second::MAX;
    }
    let owns = |entry: &&Value| entry["fieldsV1"]["f:data"].is_object();
    let stamps = entries().filter(owns).map(|entry| second(&entry["time"]));
    let created = second(&object["metadata"]["creationTimestamp"]);
    stamps.max().unwrap_or(created)
}

/// Shape, image and revision, by the annotations of a template or Pod.
fn template(metadata: &Value) -> (u64, String, Option<String>) {
    let annotations = &metadata["annotations"];
    let revision = annotations[REVISION_ANNOTATION].as_str().map(str::to_owned);
    let shape = text(&annotations[SHAPE]).parse().unwrap_or(0);
    (shape, text(&annotations[IMAGE]), revision)
}
