//! What may happen, and histories of it.

use proptest::prelude::*;

use super::faults::{Fault, Target};
use super::objects::Kind;
use super::workloads::{SHAPES, WorkKind};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// A key of a source gets a value; the source is created if need be.
    Set {
        source: u8,
        key: u8,
        value: u8,
        other_manager: bool,
    },
    /// A key goes.
    Unset {
        source: u8,
        key: u8,
    },
    /// A label of a source changes.
    Touch {
        source: u8,
    },
    /// A source is deleted.
    Delete {
        source: u8,
    },
    /// A source gets several values in quick succession, this often apart.
    Burst {
        source: u8,
        key: u8,
        edits: u8,
        millis: u16,
    },
    /// A workload is wanted so many times.
    Scale {
        work: u8,
        replicas: u8,
    },
    Pause {
        work: u8,
        paused: bool,
    },
    /// `kubectl rollout restart`, or a new image.
    Restart {
        work: u8,
    },
    /// A template that projects something else.
    Reshape {
        work: u8,
        shape: u8,
    },
    /// `kubectl rollout undo`.
    Undo {
        work: u8,
    },
    /// A tool takes away what isn't in its manifest.
    StripAnnotation {
        work: u8,
    },
    /// `projsync.dev/sync`.
    Sync {
        work: u8,
        sync: Option<bool>,
    },
    Recreate {
        work: u8,
        shape: u8,
    },
    DeletePod {
        work: u8,
        pod: u8,
    },
    /// A container ends and is started again.
    Crash {
        work: u8,
        pod: u8,
    },
    /// A webhook puts uses of its own into the Pods that are made from now on.
    Inject {
        what: u8,
    },
    Policy {
        observe: bool,
        suspend: bool,
        quick: bool,
    },
    DeletePolicy,
    /// Somebody deletes a Projection.
    DeleteProjection {
        work: u8,
    },
    /// A replica is started where none runs.
    StartReplica {
        slot: u8,
    },
    /// A replica ends in order.
    StopReplica {
        slot: u8,
    },
    /// A replica is killed.
    KillReplica {
        slot: u8,
    },
    /// The next requests of a kind meet a fault.
    Fail {
        target: Target,
        fault: Fault,
        times: u8,
    },
    /// A watch brings nothing for some time.
    Stall {
        slot: u8,
        kind: Kind,
        millis: u16,
    },
    /// A watch is told that its version is gone, and lists anew.
    Relist {
        slot: u8,
        kind: Kind,
    },
    Wait {
        millis: u16,
    },
    /// All comes to rest, and is checked.
    Rest,
}

/// A history from its beginning.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Of all that isn't said: latencies, the order of what happens at once.
    pub(super) seed: u64,
    pub(super) works: Vec<(WorkKind, usize)>,
    pub(super) replicas: u8,
    /// Each with the milliseconds before it.
    pub(super) ops: Vec<(u16, Op)>,
}

fn op() -> impl Strategy<Value = Op> {
    let source = 0..4_u8;
    let work = 0..2_u8;
    let (key, value) = (0..3_u8, 0..3_u8);
    let watched = prop::sample::select(&Kind::ALL[1..]);
    let targets = prop::sample::select(&[Target::Reads, Target::Rolls, Target::Reports]);
    let faults = [Fault::Error, Fault::Conflict, Fault::Hang, Fault::Lost];
    let faults = prop::sample::select(faults.to_vec());
    let slot = 0..2_u8;
    let shape = 0..u8::try_from(SHAPES).unwrap();
    let users = prop_oneof![
        12 => (source.clone(), key.clone(), value, any::<bool>()).prop_map(
            |(source, key, value, other_manager)| Op::Set { source, key, value, other_manager }),
        3 => (source.clone(), key.clone()).prop_map(|(source, key)| Op::Unset { source, key }),
        2 => source.clone().prop_map(|source| Op::Touch { source }),
        2 => source.clone().prop_map(|source| Op::Delete { source }),
        2 => (source, key, 2..6_u8, 5..1500_u16).prop_map(
            |(source, key, edits, millis)| Op::Burst { source, key, edits, millis }),
        2 => (work.clone(), 0..4_u8).prop_map(|(work, replicas)| Op::Scale { work, replicas }),
        2 => (work.clone(), any::<bool>()).prop_map(|(work, paused)| Op::Pause { work, paused }),
        2 => work.clone().prop_map(|work| Op::Restart { work }),
        2 => (work.clone(), shape.clone()).prop_map(|(work, shape)| Op::Reshape { work, shape }),
        2 => work.clone().prop_map(|work| Op::Undo { work }),
        1 => work.clone().prop_map(|work| Op::StripAnnotation { work }),
        1 => (work.clone(), any::<Option<bool>>()).prop_map(|(work, sync)| Op::Sync { work, sync }),
        1 => (work.clone(), shape).prop_map(|(work, shape)| Op::Recreate { work, shape }),
        4 => (work.clone(), 0..4_u8).prop_map(|(work, pod)| Op::DeletePod { work, pod }),
        1 => (work.clone(), 0..4_u8).prop_map(|(work, pod)| Op::Crash { work, pod }),
        2 => (0..4_u8).prop_map(|what| Op::Inject { what }),
        3 => (0..5_u8, any::<bool>()).prop_map(|(how, quick)| Op::Policy {
            observe: how == 3, suspend: how == 4, quick,
        }),
        1 => Just(Op::DeletePolicy),
        1 => work.prop_map(|work| Op::DeleteProjection { work }),
    ];
    let operator = prop_oneof![
        4 => slot.clone().prop_map(|slot| Op::StartReplica { slot }),
        2 => slot.clone().prop_map(|slot| Op::StopReplica { slot }),
        2 => slot.clone().prop_map(|slot| Op::KillReplica { slot }),
        4 => (targets, faults, 1..4_u8).prop_map(
            |(target, fault, times)| Op::Fail { target, fault, times }),
        2 => (slot.clone(), watched.clone(), 100..9000_u16).prop_map(
            |(slot, kind, millis)| Op::Stall { slot, kind, millis }),
        2 => (slot, watched).prop_map(|(slot, kind)| Op::Relist { slot, kind }),
    ];
    prop_oneof![
        12 => users,
        5 => operator,
        3 => (0..40_000_u16).prop_map(|millis| Op::Wait { millis }),
        1 => Just(Op::Rest),
    ]
}

fn work() -> impl Strategy<Value = (WorkKind, usize)> {
    let kind = prop_oneof![
        4 => Just(WorkKind::Deployment),
        1 => Just(WorkKind::StatefulSet),
        1 => Just(WorkKind::StatefulSetOnDelete),
        1 => Just(WorkKind::DaemonSet),
    ];
    (kind, 0..SHAPES - 1)
}

/// Any history of at most so many operations.
pub(super) fn history(ops: usize) -> impl Strategy<Value = History> {
    let wait = prop_oneof![2 => 0..100_u16, 2 => 0..3000_u16];
    (
        any::<u64>(),
        prop::collection::vec(work(), 1..=2),
        1..=2_u8,
        prop::collection::vec((wait, op()), 1..ops),
    )
        .prop_map(|(seed, works, replicas, ops)| History {
            seed,
            works,
            replicas,
            ops,
        })
}
