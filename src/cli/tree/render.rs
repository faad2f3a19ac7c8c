//! Trees for people.

use super::effect::Effect;
use super::source::{Consumer, SourceTree, UseNode};
use super::workload::{SourceNode, UseLine, WorkloadTree};
use crate::api::projection::{PodState, State};
use crate::cli::objects::{Life, PodLine, SelfRefreshing};
use crate::cli::output::{Format, Line, Page, Tone};
use crate::cli::status::state;

/// A line and what hangs below it.
struct Node {
    line: Line,
    below: Vec<Node>,
}

impl Node {
    fn leaf(line: Line) -> Self {
        let below = Vec::new();
        Self { line, below }
    }

    fn page(self) -> Page {
        let mut page = Page::default();
        page.push(self.line);
        draw(self.below, "", &mut page);
        page
    }
}

fn draw(nodes: Vec<Node>, indent: &str, page: &mut Page) {
    let last = nodes.len().saturating_sub(1);
    for (index, node) in nodes.into_iter().enumerate() {
        let (branch, below) = match index == last {
            true => ("└─ ", "   "),
            false => ("├─ ", "│  "),
        };
        let line = Line::of(Tone::Faint, format!("{indent}{branch}"));
        page.push(line.join(node.line));
        draw(node.below, &format!("{indent}{below}"), page);
    }
}

/// From a source to who sees it.
#[must_use]
pub fn source(tree: &SourceTree, format: Format) -> Page {
    if format == Format::Name {
        let consumers = tree.consumers().into_iter();
        return consumers
            .map(|consumer| Line::plain(&consumer.full_name))
            .collect();
    }
    let mut line = Line::of(Tone::Strong, &tree.source)
        .then(Tone::Faint, format!(" in namespace {}", tree.namespace));
    if !tree.keys.is_empty() {
        let noun = if tree.keys.len() == 1 { "key" } else { "keys" };
        line = line.beside(Tone::Plain, format!("{noun} {}", tree.keys.join(", ")));
    }
    if tree.missing {
        line = line.beside(Tone::Bad, "it, or a required key of it, does not exist");
    }
    let wide = format == Format::Wide;
    let effects = wide || !tree.keys.is_empty();
    let uses = tree.uses.iter();
    let below: Vec<Node> = uses.map(|one| use_node(one, effects, wide)).collect();
    let nobody = below.is_empty();
    let mut page = Node { line, below }.page();
    if nobody {
        page.push(Line::plain(
            match (tree.notes.as_slice(), tree.keys.as_slice()) {
                ([], []) => "Nothing in this namespace projects it.",
                ([], _) => "Nothing in this namespace sees it.",
                _ => "Nothing that can be seen projects it.",
            },
        ));
    } else if !tree.keys.is_empty() {
        page.section("When it changes", changes(tree));
    }
    page
}

/// What a change asks of whom.
fn changes(tree: &SourceTree) -> Page {
    let consumers = tree.consumers();
    let mut page = Page::default();
    for effect in Effect::ALL.into_iter().rev() {
        for consumer in consumers.iter().filter(|one| one.effect == effect) {
            page.push(
                Line::of(Tone::Strong, &consumer.name).beside(tone(effect), effect.describe()),
            );
        }
    }
    page
}

fn tone(effect: Effect) -> Tone {
    match effect {
        effect if effect.needs_somebody() => Tone::Bad,
        Effect::Rolled | Effect::RefreshedAndRolled => Tone::Busy,
        _ => Tone::Plain,
    }
}

fn use_node(node: &UseNode, effects: bool, containers: bool) -> Node {
    let keys = match &node.keys {
        None => "all keys".to_owned(),
        Some(keys) if keys.is_empty() => "no key".to_owned(),
        Some(keys) => keys.join(", "),
    };
    let consumers = node.consumers.iter();
    Node {
        line: Line::plain(node.class.as_str())
            .beside(Tone::Plain, &node.place)
            .beside(Tone::Plain, keys),
        below: consumers
            .map(|one| consumer(one, effects, containers))
            .collect(),
    }
}

fn consumer(consumer: &Consumer, effects: bool, containers: bool) -> Node {
    let mut line = Line::of(Tone::Strong, &consumer.name);
    let workload = consumer.full_name.contains(".apps/");
    line = match (consumer.managed, workload) {
        (true, _) => line.then(Tone::Plain, "  ").join(state(consumer.state)),
        (false, true) => line.beside(Tone::Faint, "not managed"),
        (false, false) => line,
    };
    // One that nobody owns is a Pod itself.
    let itself = |pod: &&PodLine| consumer.name == format!("pod/{}", pod.name);
    let (itself, pods): (Vec<_>, Vec<_>) = consumer.pods.iter().partition(itself);
    for pod in &itself {
        let state = pod_state(pod);
        if !state.is_empty() {
            line = line.then(Tone::Plain, "  ").join(state);
        }
    }
    for one in &consumer.uses {
        line = line.beside(Tone::Plain, one.names());
        if one.optional {
            line = line.beside(Tone::Faint, "optional");
        }
        if containers {
            line = line.beside(Tone::Faint, in_containers(&one.containers));
        }
    }
    if effects {
        line = line.beside(tone(consumer.effect), consumer.effect.describe());
    }
    for pod in itself {
        line = line.beside(Tone::Faint, &pod.reason);
    }
    Node {
        line,
        below: pods.into_iter().map(pod).collect(),
    }
}

fn in_containers(containers: &[String]) -> String {
    let noun = match containers.len() {
        0 => return String::new(),
        1 => "container",
        _ => "containers",
    };
    format!("{noun} {}", containers.join(", "))
}

fn pod(pod: &PodLine) -> Node {
    let line = Line::plain(format!("pod/{}", pod.name))
        .then(Tone::Plain, "  ")
        .join(pod_state(pod))
        .beside(Tone::Faint, &pod.reason);
    Node::leaf(line)
}

/// What a Pod has, coloured.
#[must_use]
pub fn pod_state(pod: &PodLine) -> Line {
    match (pod.life, pod.state) {
        (Life::Terminating, _) => Line::of(Tone::Faint, "Terminating"),
        (Life::Finished, _) => Line::of(Tone::Faint, "Finished"),
        (Life::Active, Some(PodState::Fresh)) => Line::of(Tone::Good, "Fresh"),
        (Life::Active, Some(PodState::Stale)) => Line::of(Tone::Bad, "Stale"),
        (Life::Active, Some(PodState::Refreshing)) => Line::of(Tone::Busy, "Refreshing"),
        (Life::Active, Some(PodState::Unknown)) => Line::of(Tone::Busy, "Unknown"),
        (Life::Active, None) => Line::default(),
    }
}

/// From a workload to what it projects.
#[must_use]
pub fn workload(tree: &WorkloadTree, format: Format) -> Page {
    if format == Format::Name {
        let sources = tree.sources.iter();
        return sources.map(|one| Line::plain(&one.source)).collect();
    }
    let root = Line::of(Tone::Strong, &tree.workload)
        .then(Tone::Faint, format!(" in namespace {}  ", tree.namespace))
        .join(managed(tree.managed, tree.state));
    let mut below: Vec<Node> = tree.sources.iter().map(source_node).collect();
    if below.is_empty() {
        below.push(Node::leaf(Line::plain(match tree.keys.is_empty() {
            true => "It projects no ConfigMap and no Secret.",
            false => "It sees none of these keys.",
        })));
    }
    if !tree.self_refreshing.is_empty() {
        below.push(Node {
            line: Line::plain("refreshed by the kubelet itself"),
            below: tree.self_refreshing.iter().map(refreshing).collect(),
        });
    }
    if !tree.pods.is_empty() {
        below.push(Node {
            line: Line::plain("Pods"),
            below: tree.pods.iter().map(pod).collect(),
        });
    }
    Node { line: root, below }.page()
}

fn managed(managed: bool, now: Option<State>) -> Line {
    match managed {
        true => state(now),
        false => Line::of(Tone::Faint, "not managed"),
    }
}

fn source_node(node: &SourceNode) -> Node {
    let mut line = Line::of(Tone::Strong, &node.source);
    if node.missing {
        line = line.beside(Tone::Bad, "it, or a required key of it, does not exist");
    }
    if node.excluded {
        line = line.beside(Tone::Faint, "left out by its policy");
    }
    Node {
        line,
        below: node.uses.iter().map(workload_use).collect(),
    }
}

/// `Frozen  env  log.level as LOG_LEVEL`.
fn workload_use(line: &UseLine) -> Node {
    let one = &line.one;
    let optional = if one.optional { "optional" } else { "" };
    Node::leaf(
        Line::plain(line.class.as_str())
            .beside(Tone::Plain, &one.place)
            .beside(Tone::Plain, one.describe())
            .beside(Tone::Faint, optional)
            .beside(Tone::Faint, in_containers(&one.containers)),
    )
}

fn refreshing(one: &SelfRefreshing) -> Node {
    Node::leaf(
        Line::plain(one.kind)
            .beside(Tone::Plain, format!("volume {}", one.volume))
            .beside(Tone::Faint, in_containers(&one.containers)),
    )
}
