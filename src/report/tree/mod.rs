//! `tree`: who sees a source, and what a workload sees.

mod drawing;
mod source;
#[cfg(test)]
mod tests;
mod workload;

pub use source::{Consumer, SourceTree, UseNode};
pub use workload::WorkloadTree;

use super::objects::PodLine;
use super::output::{Line, Tone};
use super::words;
use drawing::Node;

/// The line of a Pod.
fn pod(pod: &PodLine) -> Node {
    Node::leaf(
        Line::plain(format!("pod/{}", pod.name))
            .beside_line(words::pod_state(pod))
            .beside(Tone::Faint, if pod.older { "older template" } else { "" })
            .beside(Tone::Faint, &pod.reason),
    )
}
