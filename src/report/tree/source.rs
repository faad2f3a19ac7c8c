//! The tree of a source: by class and keys, who sees it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Node;
use crate::api::projection::State;
use crate::kinds::Class;
use crate::report::effect::Effect;
use crate::report::name::SourceName;
use crate::report::not_ready::NotReady;
use crate::report::objects::{CronJob, Objects, Pod, PodLine, Workload};
use crate::report::output::{Line, Page, Tone};
use crate::report::uses::{OneUse, Uses, keys_in_words};
use crate::report::words::{self, in_containers};
use crate::report::{Report, projected, unmanaged};

/// Report on who sees a source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceTree {
    /// The source.
    pub source: SourceName,
    /// Where it is.
    pub namespace: String,
    /// True if, according to a workload, the source or a required key of it doesn't exist.
    pub missing: bool,
    /// Keys that the report is limited to; every key if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Ways in which the source is seen, by class, place and keys.
    pub uses: Vec<UseNode>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

/// Consumers that see the same keys in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UseNode {
    /// Whether running containers see changes.
    pub class: Class,
    /// `volume`, `projected`, `env`, `envFrom`.
    pub place: String,
    /// The keys, as far as the report is limited to them; absent if every key is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// The consumers.
    pub consumers: Vec<Consumer>,
}

/// A workload, a Job or CronJob, or a Pod that nobody owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumer {
    /// `deployment/web`, `job/migrate`, `pod/debug`.
    pub name: String,
    /// The name in the style of `kubectl -o name`.
    #[serde(skip)]
    full_name: String,
    /// Whether Projsync could manage it.
    #[serde(skip)]
    is_workload: bool,
    /// Whether Projsync manages it.
    pub managed: bool,
    /// Where things stand, if it is managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Pods that are in sync, but not ready since the last roll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<NotReady>,
    /// The uses in detail.
    pub uses: Vec<OneUse>,
    /// Effect of a change of the source.
    pub effect: Effect,
    /// Reason why the workload would be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<&'static str>,
    /// Pods of the consumer; the Pod itself if nobody owns it.
    pub pods: Vec<PodLine>,
}

/// Order in which ways are shown: by class (Live first), place and keys.
type Found = BTreeMap<(Class, String, Option<Vec<String>>), BTreeMap<String, Consumer>>;

impl SourceTree {
    /// Makes the report on who sees the source, or these keys of it.
    #[must_use]
    pub fn new(source: SourceName, keys: Vec<String>, objects: &Objects) -> Self {
        let mut found = Found::new();
        let mut missing = false;
        for workload in &objects.workloads {
            let sees = |uses: &&Uses| uses.source == source;
            for uses in workload.uses.iter().filter(sees) {
                let record = workload.record(uses);
                missing |= record.is_some_and(|record| record.missing);
                let consumer = Consumer::workload(workload, uses);
                add(&mut found, uses, &keys, &consumer);
            }
            // What a webhook put into a Pod, or its older template said, is in its own spec.
            for pod in objects.pods_of(workload) {
                for uses in objects.uses_of(&pod, workload).iter().filter(sees) {
                    let consumer = Consumer::with_pod(workload, uses, &pod);
                    add(&mut found, uses, &keys, &consumer);
                }
            }
        }
        for pod in objects.other_pods() {
            for uses in pod.uses.iter().filter(|uses| uses.source == source) {
                let consumer = Consumer::pod(pod, uses, &objects.workloads);
                add(&mut found, uses, &keys, &consumer);
            }
        }
        for cron_job in &objects.cron_jobs {
            for uses in cron_job.uses.iter().filter(|uses| uses.source == source) {
                add(&mut found, uses, &keys, &Consumer::cron_job(cron_job));
            }
        }
        let uses = found.into_iter();
        Self {
            source,
            namespace: objects.namespace.to_string(),
            missing,
            keys,
            uses: uses
                .map(|((class, place, keys), consumers)| UseNode {
                    class,
                    place,
                    keys,
                    consumers: consumers.into_values().collect(),
                })
                .collect(),
            notes: objects.notes.clone(),
        }
    }

    /// The consumers, each once. If one sees the source in several ways, the one with the
    /// strongest effect counts.
    #[must_use]
    pub fn consumers(&self) -> Vec<&Consumer> {
        let mut worst: BTreeMap<&str, &Consumer> = BTreeMap::new();
        for consumer in self.uses.iter().flat_map(|node| &node.consumers) {
            let one = worst.entry(&consumer.name).or_insert(consumer);
            if one.effect < consumer.effect {
                *one = consumer;
            }
        }
        worst.into_values().collect()
    }
}

/// Adds a consumer to each of its ways to see the source.
fn add(found: &mut Found, uses: &Uses, keys: &[String], consumer: &Consumer) {
    for one in uses.uses.iter().filter_map(|one| one.only(keys)) {
        let names = one.key_names();
        let names = names.map(|names| names.into_iter().map(str::to_owned).collect());
        let way = (uses.class, one.place.clone(), names);
        let consumers = found.entry(way).or_default();
        consumers
            .entry(consumer.name.clone())
            .or_insert_with(|| consumer.clone())
            .merge(consumer, one);
    }
}

// === impl Consumer ===

impl Consumer {
    /// The workload with a Pod of its that sees the source.
    fn with_pod(workload: &Workload, uses: &Uses, pod: &PodLine) -> Self {
        let mut consumer = Self::workload(workload, uses);
        consumer.pods.push(pod.clone());
        if pod.older {
            consumer.effect = Effect::Replaced;
            consumer.held = None;
        }
        consumer
    }

    fn workload(workload: &Workload, uses: &Uses) -> Self {
        let (effect, held) = Effect::on_workload(workload, uses);
        Self {
            name: workload.name.to_string(),
            full_name: workload.name.with_group(),
            is_workload: true,
            managed: workload.projection.is_some(),
            state: workload.status().and_then(|status| status.summary.state),
            not_ready: workload.status().and_then(NotReady::of),
            uses: Vec::new(),
            effect,
            held: held.map(|reason| reason.as_str()),
            pods: Vec::new(),
        }
    }

    /// A CronJob, whose next run has the content of that time in all classes.
    fn cron_job(cron_job: &CronJob) -> Self {
        Self {
            name: format!("cronjob/{}", cron_job.name),
            full_name: format!("cronjob.batch/{}", cron_job.name),
            is_workload: false,
            managed: false,
            state: None,
            not_ready: None,
            uses: Vec::new(),
            effect: Effect::NextRun,
            held: None,
            pods: Vec::new(),
        }
    }

    /// The consumer of a Pod that no workload owns.
    fn pod(pod: &Pod, uses: &Uses, workloads: &[Workload]) -> Self {
        let (state, reason) = unmanaged::state(pod, uses, workloads).unzip();
        let name = pod.owner();
        Self {
            full_name: match name.strip_prefix("job/") {
                Some(job) => format!("job.batch/{job}"),
                None => name.clone(),
            },
            name,
            is_workload: false,
            managed: false,
            state: None,
            not_ready: None,
            uses: Vec::new(),
            effect: Effect::on_pod(pod, uses.class),
            held: None,
            pods: vec![PodLine {
                name: pod.object.name.to_string(),
                state,
                life: pod.life,
                older: false,
                reason: reason.unwrap_or_default(),
            }],
        }
    }

    /// Adds another way to see the source, and the Pods of a consumer of the same name, such as
    /// those of one Job.
    fn merge(&mut self, other: &Self, one: OneUse) {
        for pod in &other.pods {
            if !self.pods.contains(pod) {
                self.pods.push(pod.clone());
            }
        }
        if self.effect < other.effect {
            self.effect = other.effect;
            self.held = other.held;
        }
        if !self.uses.contains(&one) {
            self.uses.push(one);
        }
    }
}

// === impl Report ===

impl Report for SourceTree {
    fn page(&self, wide: bool, now: Timestamp) -> Page {
        let mut line = Line::of(Tone::Strong, &self.source)
            .then(Tone::Faint, format!(" in namespace {}", self.namespace));
        match self.keys.as_slice() {
            [] => {}
            [key] => line = line.beside(Tone::Plain, format!("key {key}")),
            keys => line = line.beside(Tone::Plain, format!("keys {}", keys.join(", "))),
        }
        if self.missing {
            line = line.beside_line(projected::missing());
        }
        let uses = self.uses.iter();
        let below: Vec<Node> = uses.map(|one| self.use_node(one, wide, now)).collect();
        let nobody = below.is_empty();
        let mut page = Node { line, below }.page();
        if nobody {
            page.push(Line::plain(match (&*self.notes, &*self.keys) {
                ([], []) => "Nothing in this namespace projects it.",
                ([], _) => "Nothing in this namespace sees it.",
                _ => "Nothing that can be seen projects it.",
            }));
        } else if !self.keys.is_empty() {
            page.section("When it changes", self.changes());
        }
        page
    }

    fn names(&self) -> Vec<String> {
        let consumers = self.consumers().into_iter();
        consumers.map(|one| one.full_name.clone()).collect()
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl SourceTree {
    /// Effects of a change on the consumers.
    fn changes(&self) -> Page {
        let mut consumers = self.consumers();
        consumers.sort_by_key(|consumer| std::cmp::Reverse(consumer.effect));
        let lines = consumers.into_iter().map(|consumer| {
            Line::of(Tone::Strong, &consumer.name).beside_line(consumer.effect_line())
        });
        lines.collect()
    }

    fn use_node(&self, node: &UseNode, wide: bool, now: Timestamp) -> Node {
        let keys = node.keys.as_ref();
        let keys = keys.map(|keys| keys.iter().map(String::as_str));
        let effects = wide || !self.keys.is_empty();
        let consumers = node.consumers.iter();
        Node {
            line: Line::plain(node.class.as_str())
                .beside(Tone::Plain, &node.place)
                .beside(Tone::Plain, keys_in_words(keys)),
            below: consumers.map(|one| one.node(effects, wide, now)).collect(),
        }
    }
}

impl Consumer {
    fn node(&self, effects: bool, containers: bool, now: Timestamp) -> Node {
        let mut line = Line::of(Tone::Strong, &self.name);
        if self.managed {
            line = line.beside_line(words::state(self.state));
        } else if self.is_workload {
            line = line.beside(Tone::Faint, "not managed");
        }
        // A consumer that nobody owns is a single Pod.
        let itself = |pod: &&PodLine| self.name == format!("pod/{}", pod.name);
        let (itself, pods): (Vec<_>, Vec<_>) = self.pods.iter().partition(itself);
        for pod in &itself {
            line = line.beside_line(words::pod_state(pod));
        }
        for one in &self.uses {
            line = line.beside(Tone::Plain, one.names());
            if one.optional {
                line = line.beside(Tone::Faint, "optional");
            }
            if containers {
                line = line.beside(Tone::Faint, in_containers(&one.containers));
            }
        }
        // Of what only runs later, the effect is all there is to tell.
        if effects || self.pods.is_empty() && !self.is_workload {
            line = line.beside_line(self.effect_line());
        }
        for pod in itself {
            line = line.beside(Tone::Faint, &pod.reason);
        }
        let not_ready = self.not_ready.iter();
        let not_ready = not_ready.map(|one| Node::leaf(Line::of(Tone::Bad, one.words(now))));
        Node {
            line,
            below: not_ready.chain(pods.into_iter().map(super::pod)).collect(),
        }
    }

    fn effect_line(&self) -> Line {
        let tone = match self.effect {
            effect if effect.needs_somebody() => Tone::Bad,
            Effect::Rolled | Effect::RefreshedAndRolled => Tone::Busy,
            _ => Tone::Plain,
        };
        Line::of(tone, self.effect.describe(self.held))
    }
}
