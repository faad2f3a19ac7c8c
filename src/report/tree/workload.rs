//! The tree of a workload: what it projects, and its Pods.

use jiff::Timestamp;
use serde::Serialize;

use super::Node;
use crate::api::projection::State;
use crate::report::Report;
use crate::report::name::WorkloadName;
use crate::report::not_ready::NotReady;
use crate::report::objects::{Objects, PodLine, Workload};
use crate::report::output::{Line, Page, Tone};
use crate::report::projected::Projected;
use crate::report::uses::{OneUse, SelfRefreshing};
use crate::report::words::{self, in_containers};

/// Report on what a workload projects.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadTree {
    /// The workload.
    pub workload: WorkloadName,
    /// Where it is.
    pub namespace: String,
    /// Whether Projsync manages it.
    pub managed: bool,
    /// Where things stand, if it is managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Pods that are in sync, but not ready since the last roll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<NotReady>,
    /// Keys that the report is limited to; every key if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What it projects, by source and class.
    pub sources: Vec<Projected>,
    /// Volumes that the kubelet refreshes by itself.
    pub self_refreshing: Vec<SelfRefreshing>,
    /// Its Pods.
    pub pods: Vec<PodLine>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

impl WorkloadTree {
    /// Makes the report on a workload from the objects.
    #[must_use]
    pub fn new(workload: &Workload, keys: Vec<String>, objects: &Objects) -> Self {
        Self {
            workload: workload.name.clone(),
            namespace: objects.namespace.to_string(),
            managed: workload.projection.is_some(),
            state: workload.status().and_then(|status| status.summary.state),
            not_ready: workload.status().and_then(NotReady::of),
            sources: Projected::of(workload, &keys),
            keys,
            self_refreshing: workload.self_refreshing.clone(),
            pods: objects.pods_of(workload),
            notes: objects.notes.clone(),
        }
    }

    /// The sources, each with its uses in all classes.
    fn source_nodes(&self) -> Vec<Node> {
        let by_source = self.sources.chunk_by(|a, b| a.source == b.source);
        by_source
            .filter_map(|all| {
                let troubled = all.iter().map(Projected::trouble);
                let trouble = troubled.max_by_key(|line| !line.is_empty())?;
                Some(Node {
                    line: Line::of(Tone::Strong, &all.first()?.source).beside_line(trouble),
                    below: all.iter().flat_map(use_nodes).collect(),
                })
            })
            .collect()
    }
}

/// `Frozen  env  log.level as LOG_LEVEL  container web`.
fn use_nodes(projected: &Projected) -> impl Iterator<Item = Node> {
    let node = |one: &OneUse| {
        let optional = if one.optional { "optional" } else { "" };
        Node::leaf(
            Line::plain(projected.class.as_str())
                .beside(Tone::Plain, &one.place)
                .beside(Tone::Plain, one.describe())
                .beside(Tone::Faint, optional)
                .beside(Tone::Faint, in_containers(&one.containers)),
        )
    };
    projected.uses.iter().map(node)
}

fn refreshing(one: &SelfRefreshing) -> Node {
    Node::leaf(
        Line::plain(one.kind)
            .beside(Tone::Plain, format!("volume {}", one.volume))
            .beside(Tone::Faint, in_containers(&one.containers)),
    )
}

impl Report for WorkloadTree {
    fn page(&self, _wide: bool, now: Timestamp) -> Page {
        let state = match self.managed {
            true => words::state(self.state),
            false => Line::of(Tone::Faint, "not managed"),
        };
        let line = Line::of(Tone::Strong, &self.workload)
            .then(Tone::Faint, format!(" in namespace {}", self.namespace))
            .beside_line(state);
        let not_ready = self.not_ready.iter();
        let mut below: Vec<Node> = not_ready
            .map(|one| Node::leaf(Line::of(Tone::Bad, one.words(now))))
            .collect();
        below.extend(self.source_nodes());
        if self.sources.is_empty() {
            below.push(Node::leaf(Line::plain(match self.keys.is_empty() {
                true => "It projects no ConfigMap and no Secret.",
                false => "It sees none of these keys.",
            })));
        }
        let more: [(_, Vec<Node>); 2] = [
            (
                "refreshed by the kubelet itself",
                self.self_refreshing.iter().map(refreshing).collect(),
            ),
            ("Pods", self.pods.iter().map(super::pod).collect()),
        ];
        for (heading, nodes) in more {
            if !nodes.is_empty() {
                below.push(Node {
                    line: Line::plain(heading),
                    below: nodes,
                });
            }
        }
        Node { line, below }.page()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .sources
            .iter()
            .map(|one| one.source.to_string())
            .collect();
        names.dedup();
        names
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
