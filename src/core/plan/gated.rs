//! What is decided where a workload has to wait for others.

use crate::api::reasons::Reason;
use crate::core::fleet::{Gate, Why};
use crate::core::plan::decision::{Answer, Decision, Verdict};
use crate::core::plan::words::{count_pods, name_of};

/// What is decided about a workload that could be rolled, but for others. The sentence holds no
/// count of others: else each of their steps would be written to each that waits.
#[must_use]
pub fn gated(gate: &Gate, outdated: usize) -> Decision {
    let source = format!("{}/{}", gate.source.kind, gate.source.name);
    let (verdict, reason, why) = match &gate.why {
        Why::Halted(other) => (
            Verdict::Hold,
            Reason::Halted,
            format!(
                "{source} failed in {}, and no other workload gets it. Correct it or set it back: that workload gets it first.",
                name_of(other)
            ),
        ),
        Why::Suspect(other) => (
            Verdict::Wait(None),
            Reason::Suspect,
            format!(
                "a container of {} seems to fail with {source}.",
                name_of(other)
            ),
        ),
        Why::NothingProven(_) => (
            Verdict::Hold,
            Reason::NothingProven,
            format!("no workload of an earlier wave can show whether {source} is good."),
        ),
        Why::Behind(other) => (
            Verdict::Wait(None),
            Reason::EarlierWave,
            format!(
                "{} gets {source} first, and must stay healthy with it.",
                name_of(other)
            ),
        ),
        Why::NoSlot => (
            Verdict::Wait(None),
            Reason::NoSlot,
            "as many workloads are being rolled as may be at a time.".to_owned(),
        ),
    };
    let message = format!("{} outdated: {why}", count_pods(outdated));
    Answer::new(verdict, message).because(reason)
}
