//! `tree SOURCE`: from a source by class and keys to whoever sees it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::effect::{Effect, of_pod, of_workload};
use super::unmanaged;
use crate::api::projection::{PodState, ReferenceRecord, State};
use crate::cli::gather::Namespace;
use crate::cli::name::SourceName;
use crate::cli::objects::{Life, Owner, Pod, PodLine, Workload};
use crate::cli::uses::{OneUse, Uses};
use crate::kinds::Class;

/// Who sees a source, and how.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceTree {
    /// The source.
    pub source: SourceName,
    /// Where it is.
    pub namespace: String,
    /// Whether a workload says that it, or a required key of it, doesn't exist.
    pub missing: bool,
    /// Only who sees these keys; every key if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// By class, then by place and keys.
    pub uses: Vec<UseNode>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

/// Who sees the same keys in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UseNode {
    /// Whether running containers see changes.
    pub class: Class,
    /// `volume`, `projected`, `env`, `envFrom`.
    pub place: String,
    /// The keys, of those asked for; absent where every key is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Who.
    pub consumers: Vec<Consumer>,
}

/// A workload, a Job or a Pod that nobody owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumer {
    /// `deployment/web`, `job/migrate`, `pod/debug`.
    pub name: String,
    /// The same as `kubectl -o name` has it.
    #[serde(skip)]
    pub full_name: String,
    /// Whether Projsync manages it.
    pub managed: bool,
    /// Where things stand, if it is managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// How it sees them, in detail.
    pub uses: Vec<OneUse>,
    /// What happens when the source changes.
    pub effect: Effect,
    /// Its Pods; of a Pod that nobody owns, itself.
    pub pods: Vec<PodLine>,
}

/// By class, place and keys, in the order in which they are shown: Live first.
type Found = BTreeMap<(Class, String, Option<Vec<String>>), BTreeMap<String, Consumer>>;

impl SourceTree {
    /// Finds who sees the source, or these keys of it.
    #[must_use]
    pub fn new(source: SourceName, namespace: String, keys: Vec<String>, seen: Namespace) -> Self {
        let mut found = Found::new();
        let mut missing = false;
        let pods = seen.pods.as_deref();
        for workload in &seen.workloads {
            for uses in of(&source, &workload.uses) {
                let record = record(workload, uses);
                missing |= record.is_some_and(|record| record.missing);
                add(&mut found, uses, &keys, || {
                    of_a_workload(workload, uses, record.is_some(), pods)
                });
            }
        }
        let known: BTreeSet<_> = seen.workloads.iter().map(|w| &w.name).collect();
        for pod in pods.unwrap_or_default() {
            // Those of workloads are shown with them.
            if matches!(&pod.owner, Owner::Workload(name) if known.contains(name)) {
                continue;
            }
            for uses in of(&source, &pod.uses) {
                let state = unmanaged::state(pod, uses, &seen.workloads);
                add(&mut found, uses, &keys, || {
                    of_a_pod(pod, uses, state.clone())
                });
            }
        }
        Self {
            source,
            namespace,
            missing,
            keys,
            uses: found
                .into_iter()
                .map(|((class, place, keys), consumers)| UseNode {
                    class,
                    place,
                    keys,
                    consumers: consumers.into_values().collect(),
                })
                .collect(),
            notes: seen.notes,
        }
    }

    /// Who sees the source, each once; of several ways to see it the one that asks
    /// for the most counts.
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

fn of<'a>(source: &'a SourceName, all: &'a [Uses]) -> impl Iterator<Item = &'a Uses> {
    all.iter().filter(move |uses| uses.source == *source)
}

/// Puts a consumer under each of its ways to see the source.
fn add(found: &mut Found, uses: &Uses, keys: &[String], consumer: impl Fn() -> Consumer) {
    for one in uses.uses.iter().filter_map(|one| one.only(keys)) {
        let names = one.key_names();
        let names = names.map(|names| names.into_iter().map(str::to_owned).collect());
        let consumers = found
            .entry((uses.class, one.place.clone(), names))
            .or_default();
        let new = consumer();
        let known = consumers.entry(new.name.clone()).or_insert(new.clone());
        known.merge(new);
        if !known.uses.contains(&one) {
            known.uses.push(one);
        }
    }
}

impl Consumer {
    /// Adds the Pods of another one of the same name: Pods of one Job.
    fn merge(&mut self, other: Self) {
        for pod in other.pods {
            if !self.pods.contains(&pod) {
                self.pods.push(pod);
            }
        }
        self.effect = self.effect.max(other.effect);
    }
}

/// What Projsync knows of these uses; `None` where it doesn't manage them.
fn record<'a>(workload: &'a Workload, uses: &Uses) -> Option<&'a ReferenceRecord> {
    let status = workload.projection.as_ref()?.status.as_ref()?;
    status.references.iter().find(|record| {
        record.kind == uses.source.kind
            && record.name == uses.source.name
            && record.class == uses.class
    })
}

fn of_a_workload(
    workload: &Workload,
    uses: &Uses,
    watched: bool,
    pods: Option<&[Pod]>,
) -> Consumer {
    let projection = workload.projection.as_ref();
    let status = projection.and_then(|projection| projection.status.as_ref());
    Consumer {
        name: workload.name.to_string(),
        full_name: workload.name.with_group(),
        managed: projection.is_some(),
        state: status.and_then(|status| status.summary.state),
        uses: Vec::new(),
        effect: of_workload(status, watched, uses.class),
        pods: workload.pods(pods),
    }
}

/// A Pod that no workload's template tells of.
fn of_a_pod(pod: &Pod, uses: &Uses, state: Option<(PodState, String)>) -> Consumer {
    let (state, reason) = state.unzip();
    let line = PodLine {
        name: pod.name.clone(),
        state,
        life: pod.life,
        reason: reason.unwrap_or_default(),
    };
    let (name, full_name, pods) = match &pod.owner {
        Owner::Nobody => {
            let name = format!("pod/{}", pod.name);
            (name.clone(), name, vec![line])
        }
        Owner::Workload(name) => (name.to_string(), name.with_group(), vec![line]),
        owner @ Owner::Other { kind, name } => {
            let full = match kind.as_str() {
                "Job" => format!("job.batch/{name}"),
                _ => owner.to_string(),
            };
            (owner.to_string(), full, vec![line])
        }
    };
    Consumer {
        name,
        full_name,
        managed: false,
        state: None,
        uses: Vec::new(),
        effect: match pod.life {
            Life::Finished => Effect::None,
            Life::Active | Life::Terminating => of_pod(&pod.owner, uses.class),
        },
        pods,
    }
}
